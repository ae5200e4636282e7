-- What a node keeps beside the synced tables. Never sent to anybody.
-- Nothing here may keep the id or the text of a row that was dropped: an order is remembered by its number, hash and count.

CREATE TABLE secret_state(name TEXT NOT NULL PRIMARY KEY, value BLOB) STRICT;  -- identity keys
CREATE TABLE n_state(name TEXT NOT NULL PRIMARY KEY, value BLOB) STRICT;       -- hub, site, cursor, hashes: node/state.c
CREATE TABLE n_number(name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) STRICT;

-- Own envelopes, oldest first. state: unsent, applied, merged, held, waits, fault, dismissed. `item` is the whole MSG_ENVELOPE until
-- the hub has judged it, then `sealed` is the same under the hub's recovery key: this device can give it back, not read it.
CREATE TABLE n_outbox(
    seq INTEGER PRIMARY KEY, cose BLOB NOT NULL, item BLOB, sealed BLOB, bytes INTEGER NOT NULL, written_ms INTEGER NOT NULL,
    what TEXT NOT NULL, state TEXT NOT NULL, reason TEXT
) STRICT;
CREATE INDEX n_outbox_state ON n_outbox(state);

-- Overlay. A row with own edits that are not judged yet ("to be judged") has its hub image here; NULL: the hub has no such
-- row. The row in its table is always image + pending edits in order of seq. Images and values are CBOR (sync/value.h).
CREATE TABLE n_image(tbl INTEGER NOT NULL, id BLOB NOT NULL, image BLOB, PRIMARY KEY(id, tbl)) STRICT, WITHOUT ROWID;
CREATE TABLE n_pending(tbl INTEGER NOT NULL, id BLOB NOT NULL, seq INTEGER NOT NULL, op INTEGER NOT NULL, vals BLOB NOT NULL,
    PRIMARY KEY(id, tbl, seq)) STRICT, WITHOUT ROWID;
CREATE INDEX n_pending_seq ON n_pending(seq);

-- Orders to forget that were carried out, until the last receipt for them is signed. stage 0: rows are gone, the clean-up
-- and receipt 1 are due; 1: receipt 1 is signed, envelopes that name such rows wait for their verdict.
CREATE TABLE n_order(request INTEGER PRIMARY KEY, hash BLOB NOT NULL, rows INTEGER NOT NULL, stage INTEGER NOT NULL) STRICT;
CREATE TABLE n_parked(seq INTEGER NOT NULL, request INTEGER NOT NULL, PRIMARY KEY(seq, request)) STRICT, WITHOUT ROWID;
-- Signed receipts (whole MSG_RECEIPT) until the answer to the request that carried them. sent: that request, 0 none yet.
CREATE TABLE n_receipt(request INTEGER NOT NULL, kind INTEGER NOT NULL, item BLOB NOT NULL, sent INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY(request, kind)) STRICT, WITHOUT ROWID;

-- What was done here, without content.
CREATE TABLE n_audit(no INTEGER PRIMARY KEY, at INTEGER NOT NULL, what TEXT NOT NULL, seq INTEGER) STRICT;
