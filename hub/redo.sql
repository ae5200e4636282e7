-- The journal folder (hub/DISASTER.md). One row while there is one. made: the last entry; written: the last one that is in the folder, with chain, the
-- hash of what it signs; part: the last one that was begun. pending: bytes of entries that wait. log_size: leaves of the hub's own log when `made`
-- was made: a program that keeps no journal and wrote to the store is found by it. gave_up: it joins no backup before this time. fault: why it waits.
CREATE TABLE IF NOT EXISTS h_redo_state(one INTEGER NOT NULL PRIMARY KEY, id BLOB NOT NULL, made INTEGER NOT NULL, written INTEGER NOT NULL,
    chain BLOB NOT NULL, part INTEGER NOT NULL, pending INTEGER NOT NULL, log_size INTEGER NOT NULL, began_at INTEGER NOT NULL,
    gave_up INTEGER NOT NULL DEFAULT 0, fault TEXT) STRICT;
-- What is not in the folder yet: pieces of transactions. more: it goes on in the next.
CREATE TABLE IF NOT EXISTS h_redo(entry INTEGER NOT NULL PRIMARY KEY, at INTEGER NOT NULL, more INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
-- Parts in the folder, and the first entry of each; and the last verified backups, with the last entry that each has.
CREATE TABLE IF NOT EXISTS h_redo_part(part INTEGER NOT NULL PRIMARY KEY, id BLOB NOT NULL, first INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS h_redo_backup(no INTEGER NOT NULL PRIMARY KEY, id BLOB NOT NULL, entry INTEGER NOT NULL, at INTEGER NOT NULL) STRICT;
