-- What the hub keeps beside the case tables. Never sent to anybody. Integer keys inside, 16-byte ids outside.

CREATE TABLE secret_state(name TEXT NOT NULL PRIMARY KEY, value BLOB) STRICT;  -- identity keys
CREATE TABLE h_state(name TEXT NOT NULL PRIMARY KEY, value BLOB) STRICT;       -- name, recovery_pk
CREATE TABLE h_counter(name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) STRICT; -- version, epoch, schema

-- Integer key of a site; `news`: the last version at which a row that it sees changed.
CREATE TABLE h_site(no INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE, news INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE h_channel(bit INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT; -- bit 0..62 in masks
-- The schemes of policy.sql from the start: a hub full of agencies would have no bit left when the first of them is needed.
INSERT INTO h_channel(bit, name) VALUES (0, 'reference'), (1, 'face'), (2, 'shared'), (3, 'room'),
    (4, 'scheme:nhs'), (5, 'scheme:pnc'), (6, 'scheme:crn'), (7, 'scheme:upn');

-- A device and its chain. state: enrolled, revoked, forked (put back from an old image, or copied), replaced, wiped (by its
-- own signed word; else as revoked). door, door_kid: public keys of its door (sync/FORMAT.md §4.1).
CREATE TABLE h_node(
    no INTEGER PRIMARY KEY, kid BLOB NOT NULL UNIQUE, public BLOB NOT NULL, site_no INTEGER NOT NULL,
    state TEXT NOT NULL, reason TEXT, enrolled_at INTEGER NOT NULL, last_seen INTEGER,
    last_seq INTEGER NOT NULL DEFAULT 0, last_hash BLOB NOT NULL,              -- head of its envelope chain
    last_request INTEGER NOT NULL DEFAULT 0, request_hash BLOB, answer_hash BLOB,
    cursor BLOB, software TEXT, schema INTEGER, unsent INTEGER, oldest_ms INTEGER, skew_ms INTEGER,
    covered INTEGER NOT NULL DEFAULT 0, -- envelopes up to this one are in a verified backup
    base_at INTEGER NOT NULL DEFAULT 0, -- by its own word, what it writes now stands upon a cut of this version or later
    replaces INTEGER, -- the device whose place it took; of a copied one, more than one copy may have taken it
    door BLOB, door_kid BLOB UNIQUE, knocked_at INTEGER, wiped_at INTEGER,
    ordered INTEGER NOT NULL DEFAULT 0 -- highest number of an order that it said it carried out
) STRICT;
-- Orders to devices (hub/order.c): the signed item as it goes out, until it is carried out, or a newer one of its kind has
-- taken its place. receipt: of a wipe, the device's signed word; unsent: what it says was destroyed unsent, NULL unknown.
CREATE TABLE h_order(node_no INTEGER NOT NULL, number INTEGER NOT NULL, kind INTEGER NOT NULL, value INTEGER NOT NULL,
    at INTEGER NOT NULL, item BLOB NOT NULL, sent_at INTEGER, done_at INTEGER, receipt BLOB, unsent INTEGER,
    PRIMARY KEY(node_no, number)) STRICT, WITHOUT ROWID;
-- Who looked at a row that is not open to all who see its case, as devices tell it (hub/views.c).
CREATE TABLE h_view(node_no INTEGER NOT NULL, user BLOB NOT NULL, tbl INTEGER NOT NULL, id BLOB NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY(id, tbl, node_no, user, at)) STRICT, WITHOUT ROWID;
CREATE INDEX h_node_site ON h_node(site_no);
CREATE INDEX h_node_replaces ON h_node(replaces) WHERE replaces IS NOT NULL;
-- Requests that were answered, the last some thousands of each device (NODES_REQUESTS in hub/internal.h): what a courier
-- brings late is told apart from a device that was put back.
CREATE TABLE h_request(node_no INTEGER NOT NULL, hash BLOB NOT NULL, request INTEGER NOT NULL, PRIMARY KEY(node_no, hash)) STRICT, WITHOUT ROWID;
CREATE TABLE h_answer(node_no INTEGER PRIMARY KEY, request INTEGER NOT NULL, request_hash BLOB NOT NULL, answer BLOB NOT NULL) STRICT;
CREATE INDEX h_answer_hash ON h_answer(request_hash);
-- after_act: number of the last act before it was given; whoever was revoked by a later one is not meant by it.
CREATE TABLE h_invite(token_hash BLOB NOT NULL PRIMARY KEY, site_no INTEGER NOT NULL, expires_at INTEGER NOT NULL,
    used_at INTEGER, node_no INTEGER, user_name TEXT, request_hash BLOB, answer BLOB, after_act INTEGER NOT NULL DEFAULT 0) STRICT;

-- Cases and rows. Case 0 is the reference data. `version` is the hub's order: one number a transaction's step.
-- policy: which stands over the case: 0 the one in force, 1 both it and the coming one, 2 the coming one (hub/policy_change.h).
CREATE TABLE h_case(no INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, born INTEGER NOT NULL, born_node INTEGER NOT NULL,
    policy INTEGER NOT NULL DEFAULT 0, news INTEGER NOT NULL DEFAULT 0) STRICT; -- news: when a row of it changed last
CREATE INDEX h_case_news ON h_case(news);
INSERT INTO h_case(no, id, born, born_node) VALUES (0, zeroblob(16), 0, 0);
CREATE TABLE h_row(
    no INTEGER PRIMARY KEY, tbl INTEGER NOT NULL, id BLOB NOT NULL, case_no INTEGER NOT NULL,
    mask INTEGER NOT NULL,       -- channels it is in
    mask_version INTEGER NOT NULL, -- when the mask changed last
    version INTEGER NOT NULL,    -- when anything of it changed last, mask too
    born INTEGER NOT NULL, born_node INTEGER NOT NULL, born_hlc INTEGER NOT NULL, born_user BLOB,
    gone INTEGER NOT NULL DEFAULT 0 -- a reference row that was taken away
) STRICT;
CREATE UNIQUE INDEX h_row_id ON h_row(id, tbl);
CREATE INDEX h_row_case ON h_row(case_no, version);
-- Every mask a row had before the one in h_row, from `version` on. Who could see what, when: exact, for drops, pages and
-- who-saw.
CREATE TABLE h_mask(row_no INTEGER NOT NULL, version INTEGER NOT NULL, mask INTEGER NOT NULL, PRIMARY KEY(row_no, version)) STRICT, WITHOUT ROWID;
-- Columns that changed after the row was born.
CREATE TABLE h_col(row_no INTEGER NOT NULL, col INTEGER NOT NULL, version INTEGER NOT NULL, node_no INTEGER NOT NULL,
    hlc INTEGER NOT NULL, user BLOB, PRIMARY KEY(row_no, col)) STRICT, WITHOUT ROWID;
-- A site's seat in a case; `news` is the last version at which the seat itself changed. What changes in a case is written
-- once, with the case, and not with each of its seats: these lie far apart.
CREATE TABLE h_seat(site_no INTEGER NOT NULL, case_no INTEGER NOT NULL, mask INTEGER NOT NULL, access INTEGER NOT NULL,
    version INTEGER NOT NULL, news INTEGER NOT NULL, PRIMARY KEY(site_no, case_no)) STRICT, WITHOUT ROWID;
CREATE INDEX h_seat_case ON h_seat(case_no);
CREATE INDEX h_seat_news ON h_seat(site_no, news);
CREATE TABLE h_seat_log(site_no INTEGER NOT NULL, case_no INTEGER NOT NULL, version INTEGER NOT NULL, mask INTEGER NOT NULL,
    access INTEGER NOT NULL, PRIMARY KEY(site_no, case_no, version)) STRICT, WITHOUT ROWID;
-- Times that come due: a consent, a participation.
CREATE TABLE h_due(at INTEGER NOT NULL, case_no INTEGER NOT NULL, PRIMARY KEY(at, case_no)) STRICT, WITHOUT ROWID;
CREATE INDEX h_due_case ON h_due(case_no, at);
-- Rows that will leave a site's sight by themselves, and when, as they stand now (hub/ends.c). at 0: an end was told, and there
-- is none any more. version: when that changed last.
CREATE TABLE h_until(site_no INTEGER NOT NULL, row_no INTEGER NOT NULL, case_no INTEGER NOT NULL, at INTEGER NOT NULL,
    version INTEGER NOT NULL, PRIMARY KEY(site_no, row_no)) STRICT, WITHOUT ROWID;
CREATE INDEX h_until_case ON h_until(case_no, row_no);
CREATE INDEX h_until_news ON h_until(site_no, version);
-- By which a change of sites, coverage and agencies finds its cases (hub/sight_place.c).
CREATE INDEX case_file_area ON case_file(area);
CREATE INDEX participant_site ON participant(site) WHERE site <> '';
CREATE INDEX practitioner_site ON practitioner(site);
-- A clock that is doubted, and where it was when it was set back: hub/sight_clock.c. One row.
CREATE TABLE h_clock(doubt_wall INTEGER NOT NULL, doubt_steady INTEGER NOT NULL, doubt_now INTEGER NOT NULL,
    high INTEGER NOT NULL, low INTEGER NOT NULL) STRICT;
INSERT INTO h_clock(doubt_wall, doubt_steady, doubt_now, high, low) VALUES (0, 0, 0, 0, 0);

-- Cuts. A node at this cut has seen every change up to `hi` of rows numbered up to `pos`, and up to `lo` of the others.
-- The answer that made it carried rows numbered (pos_from, pos] as they stood at version `at`. Rows up to `pos` were told
-- in schema version `schema`, the others in `schema_lo`: what later versions added of those is still to come.
CREATE TABLE h_cut(name BLOB NOT NULL PRIMARY KEY, node_no INTEGER NOT NULL, lo INTEGER NOT NULL, hi INTEGER NOT NULL,
    pos INTEGER NOT NULL, pos_from INTEGER NOT NULL, at INTEGER NOT NULL, served_at INTEGER NOT NULL,
    schema INTEGER NOT NULL, schema_lo INTEGER NOT NULL) STRICT;
CREATE INDEX h_cut_node ON h_cut(node_no, at);
-- Rows that a node's accepted envelopes named: it holds them whether or not they were ever served to it, until a drop
-- ordered at or after that version. `version` is of the last such envelope, `first` of the first.
CREATE TABLE h_named(row_no INTEGER NOT NULL, node_no INTEGER NOT NULL, first INTEGER NOT NULL, version INTEGER NOT NULL,
    PRIMARY KEY(row_no, node_no)) STRICT, WITHOUT ROWID;

-- Orders to forget, each until its receipt.
CREATE TABLE h_drop(no INTEGER PRIMARY KEY, node_no INTEGER NOT NULL, row_no INTEGER NOT NULL, version INTEGER NOT NULL,
    ordered_at INTEGER NOT NULL, request INTEGER, receipt_at INTEGER) STRICT;
CREATE INDEX h_drop_node ON h_drop(node_no, request);
CREATE INDEX h_drop_row ON h_drop(row_no, node_no, version);
-- One order at a time waits for the node's next answer.
CREATE UNIQUE INDEX h_drop_open ON h_drop(node_no, row_no) WHERE request IS NULL;
CREATE TABLE h_drop_order(node_no INTEGER NOT NULL, request INTEGER NOT NULL, hash BLOB NOT NULL, rows INTEGER NOT NULL,
    receipt BLOB, receipt_at INTEGER, parked INTEGER, PRIMARY KEY(node_no, request)) STRICT, WITHOUT ROWID;

-- Every envelope that came, with its verdict: the journal.
CREATE TABLE h_envelope(node_no INTEGER NOT NULL, seq INTEGER NOT NULL, hash BLOB NOT NULL, cose BLOB NOT NULL, parts BLOB NOT NULL,
    base_cut BLOB NOT NULL, hlc INTEGER NOT NULL, user BLOB NOT NULL, received_at INTEGER NOT NULL, version INTEGER NOT NULL,
    verdict INTEGER NOT NULL, reason TEXT, told INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(node_no, seq)) STRICT;
CREATE INDEX h_envelope_told ON h_envelope(told, node_no);
-- Steps of the order that stand exactly as a device sent them: its envelope was applied at once, and nothing of it met
-- another's value. The device learns that from its verdict and gets nothing of it back. `base`: what it had surely seen
-- when it wrote, `lo` of its base cut.
CREATE TABLE h_as_sent(version INTEGER PRIMARY KEY, node_no INTEGER NOT NULL, base INTEGER NOT NULL) STRICT;
-- Held and waiting work: which rows its envelopes would make, so that what builds on them waits.
CREATE TABLE h_held(node_no INTEGER NOT NULL, seq INTEGER NOT NULL, state TEXT NOT NULL, found_at INTEGER NOT NULL, fault INTEGER NOT NULL,
    PRIMARY KEY(node_no, seq)) STRICT; -- state: waiting, accepted, dismissed
CREATE TABLE h_held_row(tbl INTEGER NOT NULL, id BLOB NOT NULL, node_no INTEGER NOT NULL, seq INTEGER NOT NULL,
    PRIMARY KEY(id, tbl, node_no, seq)) STRICT;

-- Envelopes that a device rescued from the one whose place it took: the hash of the one whose content each has again.
CREATE TABLE h_rescued(node_no INTEGER NOT NULL, seq INTEGER NOT NULL, former BLOB NOT NULL, PRIMARY KEY(node_no, seq)) STRICT, WITHOUT ROWID;

-- Whose edit met another's value in a conflict, and which of its chain: a later one replaces its open losing value, an
-- earlier one, accepted late, does not; nor does one of the same person elsewhere.
CREATE TABLE h_conflict(conflict_id BLOB NOT NULL PRIMARY KEY, node_no INTEGER NOT NULL, seq INTEGER NOT NULL) STRICT;

-- What devices said last of a column that another's word stands in, until somebody who saw it says otherwise (hub/rival.c).
-- seq 0: it stood, and its envelope made the step `version`. A row of the chain whose word stands counts for nothing.
CREATE TABLE h_rival(row_no INTEGER NOT NULL, col INTEGER NOT NULL, node_no INTEGER NOT NULL, seq INTEGER NOT NULL,
    version INTEGER NOT NULL, hlc INTEGER NOT NULL, user BLOB, value ANY, PRIMARY KEY(row_no, col, node_no)) STRICT, WITHOUT ROWID;

-- Which envelope a `held` row of a case stands for. own: the hub opened the case for it (hub/held_case.c).
CREATE TABLE h_held_case(held_id BLOB NOT NULL PRIMARY KEY, node_no INTEGER NOT NULL, seq INTEGER NOT NULL,
    own INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE INDEX h_held_case_envelope ON h_held_case(node_no, seq);

-- When the steps of the order were made, by the hub's clock: those up to `version`, and above the one before, at `at`.
-- Never later than what came after: a clock that ran ahead and was put right is put right here too.
CREATE TABLE h_step_time(version INTEGER PRIMARY KEY, at INTEGER NOT NULL) STRICT;
-- Break-glass asks by reference.
CREATE INDEX case_file_reference ON case_file(reference);

-- What the policy reads beside the synced tables. The time by which ends are judged: one row, set at the start of each of
-- the hub's transactions. Agencies that wrote a row of a case or are addressed by one: the hub adds to it whenever such a
-- row appears. Records that a recorded decision rests upon (hub/decided.c).
CREATE TABLE policy_now(now INTEGER NOT NULL) STRICT;
INSERT INTO policy_now(now) VALUES (0);
CREATE TABLE case_voice(case_id BLOB NOT NULL, agency TEXT NOT NULL, PRIMARY KEY(case_id, agency)) STRICT;
CREATE INDEX case_voice_agency ON case_voice(agency, case_id);
CREATE TABLE case_decided(record_id BLOB NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID;
-- By which its questions find their rows, besides the indices on case_id that every case table has.
CREATE INDEX agency_code ON agency(code);
CREATE INDEX site_code ON site(code);
CREATE INDEX site_agency ON site(agency);
CREATE INDEX site_kind ON site(kind);
CREATE INDEX coverage_area ON coverage(area);
CREATE INDEX coverage_site ON coverage(site);
CREATE INDEX consent_person ON consent(case_id, person_id);
CREATE INDEX conflict_row ON conflict(row_id);
CREATE INDEX conflict_kept ON conflict(kept_by);
CREATE INDEX conflict_lost ON conflict(lost_by);

-- What administrators did, and why.
CREATE TABLE h_act(no INTEGER PRIMARY KEY, at INTEGER NOT NULL, act TEXT NOT NULL, about TEXT, reason TEXT) STRICT;

-- Every policy that the hub had: its views in words. state: coming, in_force, former. While it comes: `phase` is narrowing,
-- then widening; cases numbered up to `upto` are done.
CREATE TABLE h_policy(gen INTEGER PRIMARY KEY, text TEXT NOT NULL, state TEXT NOT NULL, at INTEGER NOT NULL, reason TEXT,
    phase TEXT, upto INTEGER) STRICT;
-- When a case stood under two policies: the bits of its masks, kept for ever, were no channels then. until NULL: still.
CREATE TABLE h_turn(case_no INTEGER NOT NULL, from_version INTEGER NOT NULL, until_version INTEGER,
    PRIMARY KEY(case_no, from_version)) STRICT, WITHOUT ROWID;
