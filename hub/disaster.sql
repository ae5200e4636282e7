-- A way back from any disaster: hub/DISASTER.md. The newest h_epoch is the one that the hub is in; a hub that was never put back has none.
-- state: gathering (devices are heard, nothing is judged or shown), open (released before all had reported), done. mark: rows that were there
-- when it opened are told whole to a device that begins anew. secret: of the recovery key, sealed to the hub's own, while it is needed.
CREATE TABLE IF NOT EXISTS h_epoch(epoch INTEGER PRIMARY KEY, at INTEGER NOT NULL, backup_at INTEGER NOT NULL, version INTEGER NOT NULL,
    state TEXT NOT NULL, mark INTEGER NOT NULL DEFAULT 0, opened_at INTEGER, secret BLOB, reason TEXT) STRICT;
-- What is signed with the recovery key for each log: 0 the hub's own.
CREATE TABLE IF NOT EXISTS h_statement(log_no INTEGER PRIMARY KEY, body BLOB NOT NULL, pk BLOB NOT NULL, signature BLOB NOT NULL) STRICT;
-- Devices of the hub that was lost. state: missing, returning (it took the statement), reported (all of its is here), applied; or sealed
-- (all of its is here, but some of it wants the recovery key, which was not at hand any more: h_sealed). chain: last
-- envelope that the backup has. request: first one in the new epoch. lost: envelopes without content. strange: rows that it holds and
-- the hub does not know. anew: the cut at which it stood when it took the statement: what it is told there, it is told from the beginning.
CREATE TABLE IF NOT EXISTS h_awaited(node_no INTEGER PRIMARY KEY, state TEXT NOT NULL, chain INTEGER NOT NULL, request INTEGER NOT NULL DEFAULT 0,
    at INTEGER, lost INTEGER NOT NULL DEFAULT 0, strange INTEGER NOT NULL DEFAULT 0, anew BLOB) STRICT;
-- What came back. item: MSG_ENVELOPE; NULL: no content is left.
CREATE TABLE IF NOT EXISTS h_returned(node_no INTEGER NOT NULL, seq INTEGER NOT NULL, hash BLOB NOT NULL, cose BLOB NOT NULL, item BLOB,
    PRIMARY KEY(node_no, seq)) STRICT;
-- Content that came back when the recovery key was not at hand any more, as its device keeps it: sealed to that key (spoke-hub restore unseal).
CREATE TABLE IF NOT EXISTS h_sealed(node_no INTEGER NOT NULL, seq INTEGER NOT NULL, content BLOB NOT NULL, PRIMARY KEY(node_no, seq)) STRICT;
-- From notes: verdicts as they were told, and cuts as they were given. done: carried out.
CREATE TABLE IF NOT EXISTS h_outcome(node_no INTEGER NOT NULL, seq INTEGER NOT NULL, version INTEGER NOT NULL, verdict INTEGER NOT NULL,
    hash BLOB NOT NULL, received_at INTEGER NOT NULL, reason TEXT, done INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY(node_no, seq, version, verdict)) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS h_outcome_next ON h_outcome(done, version, node_no, seq);
CREATE TABLE IF NOT EXISTS h_cut_back(name BLOB NOT NULL PRIMARY KEY, node_no INTEGER NOT NULL, lo INTEGER NOT NULL, hi INTEGER NOT NULL,
    pos INTEGER NOT NULL, pos_from INTEGER NOT NULL, at INTEGER NOT NULL, served_at INTEGER NOT NULL, schema INTEGER NOT NULL,
    schema_lo INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS h_cut_back_at ON h_cut_back(at);
CREATE TABLE IF NOT EXISTS h_holds(node_no INTEGER NOT NULL, tbl INTEGER NOT NULL, id BLOB NOT NULL, PRIMARY KEY(node_no, tbl, id)) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS h_holds_id ON h_holds(id);
-- Requests of a device up to this one are in a verified backup.
CREATE TABLE IF NOT EXISTS h_covered(node_no INTEGER PRIMARY KEY, request INTEGER NOT NULL) STRICT;
