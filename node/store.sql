-- What a node keeps beside the synced tables. Never sent to anybody.
-- Nothing here may keep the id or the text of a row that was dropped: an order is remembered by its number, hash and count.
-- What came later stands in node/later.sql, so that older stores get it; what is searched in node/search.sql.

CREATE TABLE secret_state(name TEXT NOT NULL PRIMARY KEY, value BLOB) STRICT;  -- identity keys
CREATE TABLE n_state(name TEXT NOT NULL PRIMARY KEY, value BLOB) STRICT;       -- hub, site, cursor, hashes: node/state.c
CREATE TABLE n_number(name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) STRICT;

-- Own envelopes, oldest first. state: unsent, applied, merged, held, waits, fault, dismissed. `hash` is envelope_hash(cose).
-- `sealed` is the whole MSG_ENVELOPE under the hub's recovery key: this device can give it back, not read it. What may be
-- long stands last, so that the rest is read without it.
CREATE TABLE n_outbox(
    seq INTEGER PRIMARY KEY, hash BLOB NOT NULL, state TEXT NOT NULL, reason TEXT, what TEXT NOT NULL, bytes INTEGER NOT NULL,
    written_ms INTEGER NOT NULL, cose BLOB NOT NULL, sealed BLOB
) STRICT;
CREATE INDEX n_outbox_state ON n_outbox(state);
CREATE INDEX n_outbox_sealed ON n_outbox(seq) WHERE sealed IS NOT NULL;
-- The whole MSG_ENVELOPE, readable, while it is unsent or its author may still want the text (node/purge.c). In a table of
-- its own, so that all pages that ever held any of it can be wiped without touching the rest of the store.
CREATE TABLE n_content(seq INTEGER PRIMARY KEY, item BLOB NOT NULL) STRICT;
-- Unsent envelopes whose content could not be read back: a signed gap is sent in their place until the hub has judged it.
CREATE TABLE n_gap(seq INTEGER PRIMARY KEY) STRICT;

-- Rescued from the chain that this device had before it was set up anew (node/rescue.c).
CREATE TABLE n_rescued(seq INTEGER PRIMARY KEY) STRICT;
-- Acknowledged envelopes of chains that this device had before, under the keys that it had then.
CREATE TABLE n_former(kid BLOB NOT NULL, seq INTEGER NOT NULL, cose BLOB NOT NULL, sealed BLOB NOT NULL,
    PRIMARY KEY(kid, seq)) STRICT, WITHOUT ROWID;

-- Overlay. A row with own edits that are not judged yet ("to be judged") has its hub image here; NULL: the hub has no such
-- row. The row in its table is always image + pending edits in order of seq. Images and values are CBOR (sync/value.h).
-- stale: while an answer is taken, the row in its table is not yet that.
CREATE TABLE n_image(tbl INTEGER NOT NULL, id BLOB NOT NULL, image BLOB, stale INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY(id, tbl)) STRICT, WITHOUT ROWID;
CREATE INDEX n_image_stale ON n_image(stale) WHERE stale = 1;
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

-- Questions to the hub, and what it replied (node/question.c). kind 0: what it was about was taken away while it was under
-- way. request: the one that took it along last, 0 none yet.
CREATE TABLE n_question(number INTEGER PRIMARY KEY, kind INTEGER NOT NULL, tbl INTEGER NOT NULL, id BLOB NOT NULL,
    case_id BLOB NOT NULL, agency TEXT NOT NULL, at INTEGER NOT NULL, text TEXT NOT NULL, asked_ms INTEGER NOT NULL,
    request INTEGER NOT NULL DEFAULT 0, replied_ms INTEGER, hub_ms INTEGER, lines BLOB) STRICT;

-- Until when rows are to be shown (node/ends.c). hidden: that time has come, and what there is of the row stands in n_hidden
-- and not in its table, as CBOR (sync/value.h).
CREATE TABLE n_end(tbl INTEGER NOT NULL, id BLOB NOT NULL, not_after INTEGER NOT NULL, hidden INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY(id, tbl)) STRICT, WITHOUT ROWID;
CREATE INDEX n_end_time ON n_end(hidden, not_after);
CREATE TABLE n_hidden(tbl INTEGER NOT NULL, id BLOB NOT NULL, row BLOB NOT NULL, PRIMARY KEY(id, tbl)) STRICT, WITHOUT ROWID;

-- Whose slot of the key file a passphrase is, and what is being done to that file just now (node/people.c): one row at most.
CREATE TABLE n_person(slot BLOB NOT NULL PRIMARY KEY, id BLOB NOT NULL, name TEXT NOT NULL, added_at INTEGER NOT NULL,
    added_by BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE n_key_act(kind INTEGER NOT NULL, revision INTEGER NOT NULL, at INTEGER NOT NULL, slot BLOB NOT NULL,
    id BLOB NOT NULL, user BLOB NOT NULL, name TEXT NOT NULL) STRICT;

-- Who looked at what is not open to all (node/views.c). request: the one that took it along, 0 none yet, -1 the hub has it.
CREATE TABLE n_view(no INTEGER PRIMARY KEY, user BLOB NOT NULL, tbl INTEGER NOT NULL, id BLOB NOT NULL, at INTEGER NOT NULL,
    request INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE INDEX n_view_row ON n_view(id, tbl, user, at);
CREATE INDEX n_view_request ON n_view(request);

-- What was done here and by whom, without content. about: the person that it is about, of acts upon people's passphrases.
CREATE TABLE n_audit(no INTEGER PRIMARY KEY, at INTEGER NOT NULL, user BLOB, about BLOB, what TEXT NOT NULL,
    seq INTEGER) STRICT;
