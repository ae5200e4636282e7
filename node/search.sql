-- What is searched (node/search.h): made when somebody searches for the first time, and made anew when in doubt. It holds words of
-- rows that stand in their tables here, and goes with them; nothing of it is sent to anybody.

-- Cases by number. due: 0 its words stand below as its rows are; 1 they do not; 2 none do. rank: the least is shown first.
CREATE TABLE n_search(no INTEGER PRIMARY KEY, case_id BLOB NOT NULL, due INTEGER NOT NULL, rank INTEGER NOT NULL DEFAULT 0)
    STRICT;
CREATE UNIQUE INDEX n_search_case ON n_search(case_id);
CREATE INDEX n_search_due ON n_search(no) WHERE due > 0;

-- Which cases of a block of 256 (no / 256) have a word, and which have two words side by side: lists in pieces that fill a page each
-- (node/search_piece.c). at: the block << 20, for pairs + (1 << 19); there, how each piece begins; the pieces from 1 on.
CREATE TABLE n_word(at INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
