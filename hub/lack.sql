-- Of work that is held as taken in before a restore (hub/restore_follow.c): a row that it cannot do without and that was not here when
-- it was last tried. Nothing is said of work without an entry.
CREATE TABLE IF NOT EXISTS h_lack(node_no INTEGER NOT NULL, seq INTEGER NOT NULL, tbl INTEGER NOT NULL, id BLOB NOT NULL,
    PRIMARY KEY(node_no, seq)) STRICT;
CREATE INDEX IF NOT EXISTS h_lack_row ON h_lack(id);
