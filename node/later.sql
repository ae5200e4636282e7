-- What came to a node's store since there were stores: made with node/store.sql, and in an older store when it is opened by a program
-- whose STORE_VERSION (node/replica.c) is later. Nothing of an earlier version is changed here.

-- Which cases an own envelope changed: of the audit, and of the outbox. Goes with its case.
CREATE TABLE IF NOT EXISTS n_touched(seq INTEGER NOT NULL, case_id BLOB NOT NULL, PRIMARY KEY(seq, case_id)) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS n_touched_case ON n_touched(case_id);

-- Looks that the hub has and whose hour is over: how many, by one person in one hour and case (NULL: one that went since).
CREATE TABLE IF NOT EXISTS n_look(no INTEGER PRIMARY KEY, user BLOB NOT NULL, at INTEGER NOT NULL, tbl INTEGER NOT NULL, case_id BLOB,
    looks INTEGER NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS n_look_case ON n_look(case_id) WHERE case_id IS NOT NULL;

-- For the board and for duplicates: which cases are open, who stands in several, what is still asked, which
-- meetings there were, and what was rated last. Indexes go with their rows, and nobody else has them.
CREATE INDEX IF NOT EXISTS n_person_name ON person(family_name COLLATE NOCASE, born_on);
CREATE INDEX IF NOT EXISTS n_identifier_value ON identifier(value);
CREATE INDEX IF NOT EXISTS n_request_open ON request(case_id, due_at, rag, to_agency) WHERE state = 'open' AND voided_at IS NULL;
CREATE INDEX IF NOT EXISTS n_case_open ON case_file(area, subject_kind, id, status, rag, received_at, due_at, closed_at, lead_agency, agency)
    WHERE voided_at IS NULL AND status IS NOT 'closed';
CREATE INDEX IF NOT EXISTS n_meeting_held ON meeting(case_id, held_at) WHERE voided_at IS NULL AND held_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS n_rating_now ON rating(case_id, agency, rag, rated_at) WHERE voided_at IS NULL AND stage IS NOT NULL;

-- What was found against the hub (node/trust.c): its checkpoint as it came, what this device had kept until then (size and root; the
-- note), and what explained it (ended_ms NULL: nothing did). Rows are never removed. answer: hash of the answer; empty: none came.
CREATE TABLE IF NOT EXISTS n_distrust(no INTEGER PRIMARY KEY, found_ms INTEGER NOT NULL, reason TEXT NOT NULL, request INTEGER NOT NULL,
    answer BLOB NOT NULL, item BLOB NOT NULL, head BLOB, note BLOB, ended_ms INTEGER, epoch INTEGER NOT NULL, statement BLOB NOT NULL) STRICT;

-- What the hub wants to hear if it is put back from a backup: its own word, sealed under a key of its own, one an answer (node/epoch.c).
CREATE TABLE IF NOT EXISTS n_note(request INTEGER PRIMARY KEY, note BLOB NOT NULL) STRICT;

-- Of the gaps (n_gap) those whose pending edits stand until their verdict, below what of them was written again (node/gap.c).
CREATE TABLE IF NOT EXISTS n_gap_kept(seq INTEGER PRIMARY KEY) STRICT;

-- Of the ends (n_end) those that a hub told which was lost since: each stands until the one that was put back tells the row
-- anew (node/ends.c).
CREATE TABLE IF NOT EXISTS n_end_before(tbl INTEGER NOT NULL, id BLOB NOT NULL, PRIMARY KEY(id, tbl)) STRICT, WITHOUT ROWID;
