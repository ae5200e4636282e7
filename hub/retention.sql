-- Retention and erasure: hub/RETENTION.md.
-- Closed cases. level: 0 everybody's, 1 the keepers', 2 nobody's, 3 erased. base: when something was written in it last, or it was
-- closed. due: when it is looked at next; NULL: not before something in it moves. told_at: its erasure was announced.
CREATE TABLE IF NOT EXISTS h_retention(case_no INTEGER NOT NULL PRIMARY KEY, level INTEGER NOT NULL, closed_at INTEGER NOT NULL,
    base INTEGER NOT NULL, due INTEGER, told_at INTEGER) STRICT;
CREATE INDEX IF NOT EXISTS h_retention_due ON h_retention(due);
CREATE TABLE IF NOT EXISTS h_hold(case_id BLOB NOT NULL PRIMARY KEY, at INTEGER NOT NULL, who TEXT, reason TEXT NOT NULL) STRICT;
-- how: order, retention. rows, envelopes: how much there was. unsettled: it went over held work or open conflicts.
CREATE TABLE IF NOT EXISTS h_erased(case_id BLOB NOT NULL PRIMARY KEY, at INTEGER NOT NULL, how TEXT NOT NULL, who TEXT, second TEXT,
    reason TEXT, rows INTEGER NOT NULL, envelopes INTEGER NOT NULL, unsettled INTEGER NOT NULL) STRICT;
-- Which case each part of a stored envelope is about; zeros: none that is known.
CREATE TABLE IF NOT EXISTS h_part(node_no INTEGER NOT NULL, seq INTEGER NOT NULL, part INTEGER NOT NULL, case_id BLOB NOT NULL,
    PRIMARY KEY(node_no, seq, part)) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS h_part_case ON h_part(case_id);
