-- What is searched (node/search.h): made when somebody searches for the first time, and made anew when in doubt. It holds words of
-- rows that stand in their tables here, and goes with them; nothing of it is sent to anybody.

-- Cases by number. due: 0 its words stand below as its rows are; 1 they do not; 2 none do. rank: the least is shown first.
CREATE TABLE IF NOT EXISTS n_search(no INTEGER PRIMARY KEY, case_id BLOB NOT NULL, due INTEGER NOT NULL, rank INTEGER NOT NULL
    DEFAULT 0) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS n_search_case ON n_search(case_id);
CREATE INDEX IF NOT EXISTS n_search_due ON n_search(no) WHERE due > 0;

-- Which cases of a block of 48 (no / 48) have a word. cases: a bit for each (no % 48), or of one case alone -1 - (no % 48). Words are
-- folded (node/search_text.h); \1 before a number or reference without gaps, \2 a birth date, \3 a name.
CREATE TABLE IF NOT EXISTS n_word(block INTEGER NOT NULL, word BLOB NOT NULL, cases INTEGER NOT NULL, PRIMARY KEY(block, word))
    STRICT, WITHOUT ROWID;
