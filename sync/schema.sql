-- The synced tables, alike at the hub and on every node (rules_tables.c says the same as data; a test compares).
-- No triggers, views, UNIQUE, foreign keys or cascades here: received rows must never run or refuse anything (rule 9).
-- INTEGER times are Unix milliseconds UTC; ids are 16-byte blobs; nothing is deleted but by drops and retention.

CREATE TABLE agency(
    id BLOB NOT NULL PRIMARY KEY,
    code TEXT NOT NULL,
    name TEXT,
    kind TEXT
) STRICT;

CREATE TABLE site(
    id BLOB NOT NULL PRIMARY KEY,
    code TEXT NOT NULL,
    agency TEXT NOT NULL,
    name TEXT,
    kind TEXT,
    phone TEXT,
    night_phone TEXT
) STRICT;

CREATE TABLE coverage(
    id BLOB NOT NULL PRIMARY KEY,
    site TEXT NOT NULL,
    area TEXT NOT NULL
) STRICT;

CREATE TABLE practitioner(
    id BLOB NOT NULL PRIMARY KEY,
    site TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT,
    phone TEXT,
    active INTEGER
) STRICT;

CREATE TABLE duty(
    id BLOB NOT NULL PRIMARY KEY,
    practitioner BLOB NOT NULL,
    area TEXT NOT NULL,
    duty TEXT
) STRICT;

CREATE TABLE code_list(
    id BLOB NOT NULL PRIMARY KEY,
    list TEXT NOT NULL,
    code TEXT NOT NULL,
    label TEXT
) STRICT;

CREATE TABLE timescale(
    id BLOB NOT NULL PRIMARY KEY,
    rag TEXT NOT NULL,
    what TEXT,
    subject_kind TEXT,
    minutes INTEGER,
    clock TEXT
) STRICT;

CREATE TABLE column_policy(
    id BLOB NOT NULL PRIMARY KEY,
    tbl TEXT NOT NULL,
    col TEXT NOT NULL,
    policy TEXT,
    arg TEXT
) STRICT;

CREATE TABLE retention(
    id BLOB NOT NULL PRIMARY KEY,
    event TEXT NOT NULL,
    days INTEGER,
    scope TEXT
) STRICT;

CREATE TABLE case_file(
    id BLOB NOT NULL PRIMARY KEY,
    case_id BLOB NOT NULL,
    agency TEXT NOT NULL,
    reference TEXT,
    area TEXT,
    subject_kind TEXT,
    rag TEXT,
    status TEXT,
    lead_agency TEXT,
    restricted INTEGER,
    received_at INTEGER,
    due_at INTEGER,
    closed_at INTEGER,
    hold_until INTEGER,
    voided_at INTEGER,
    void_reason TEXT
) STRICT;
CREATE INDEX case_file_case ON case_file(case_id);

CREATE TABLE brief(
    id BLOB NOT NULL PRIMARY KEY,
    case_id BLOB NOT NULL,
    agency TEXT NOT NULL,
    primary_need TEXT,
    presenting_issue TEXT,
    summary TEXT,
    basis TEXT,
    rag_reason TEXT,
    decision TEXT,
    decided_at INTEGER,
    outcome TEXT,
    nfa INTEGER,
    closure_reason TEXT,
    voided_at INTEGER,
    void_reason TEXT
) STRICT;
CREATE INDEX brief_case ON brief(case_id);

CREATE TABLE referral(
    id BLOB NOT NULL PRIMARY KEY,
    case_id BLOB NOT NULL,
    agency TEXT NOT NULL,
    source TEXT,
    referrer TEXT,
    external_ref TEXT,
    received_at INTEGER,
    voided_at INTEGER,
    void_reason TEXT
) STRICT;
CREATE INDEX referral_case ON referral(case_id);

CREATE TABLE participant(
    id BLOB NOT NULL PRIMARY KEY,
    case_id BLOB NOT NULL,
    agency TEXT NOT NULL,
    member TEXT NOT NULL,
    site TEXT,
    access TEXT,
    quiet INTEGER,
    basis TEXT,
    since INTEGER,
    until INTEGER,
    voided_at INTEGER,
    void_reason TEXT
) STRICT;
CREATE INDEX participant_case ON participant(case_id);

CREATE TABLE person(
    id BLOB NOT NULL PRIMARY KEY,
    case_id BLOB NOT NULL,
    agency TEXT NOT NULL,
    role TEXT,
    family_name TEXT,
    given_names TEXT,
    born_on TEXT,
    expected_on TEXT,
    died_on TEXT,
    sex TEXT,
    voided_at INTEGER,
    void_reason TEXT
) STRICT;
CREATE INDEX person_case ON person(case_id);

CREATE TABLE kinship(
    id BLOB NOT NULL PRIMARY KEY,
    case_id BLOB NOT NULL,
    agency TEXT NOT NULL,
    person_id BLOB NOT NULL,
    relative_id BLOB NOT NULL,
    kind TEXT,
    voided_at INTEGER,
    void_reason TEXT
) STRICT;
CREATE INDEX kinship_case ON kinship(case_id);

CREATE TABLE identifier(
    id BLOB NOT NULL PRIMARY KEY,
    case_id BLOB NOT NULL,
    agency TEXT NOT NULL,
    person_id BLOB NOT NULL,
    scheme TEXT NOT NULL,
    value TEXT,
    voided_at INTEGER,
    void_reason TEXT
) STRICT;
CREATE INDEX identifier_case ON identifier(case_id);

CREATE TABLE contact(
    id BLOB NOT NULL PRIMARY KEY,
    case_id BLOB NOT NULL,
    agency TEXT NOT NULL,
    person_id BLOB NOT NULL,
    kind TEXT,
    value TEXT,
    protected INTEGER,
    note TEXT,
    voided_at INTEGER,
    void_reason TEXT
) STRICT;
CREATE INDEX contact_case ON contact(case_id);

CREATE TABLE warning(
    id BLOB NOT NULL PRIMARY KEY,
    case_id BLOB NOT NULL,
    agency TEXT NOT NULL,
    person_id BLOB,
    kind TEXT,
    note TEXT,
    until INTEGER,
    voided_at INTEGER,
    void_reason TEXT
) STRICT;
CREATE INDEX warning_case ON warning(case_id);

CREATE TABLE record(
    id BLOB NOT NULL PRIMARY KEY,
    case_id BLOB NOT NULL,
    agency TEXT NOT NULL,
    person_id BLOB,
    request_id BLOB,
    author BLOB,
    kind TEXT,
    sensitivity TEXT,
    needs_consent INTEGER,
    override_reason TEXT,
    override_by BLOB,
    override_at INTEGER,
    handling TEXT,
    occurred_at INTEGER,
    written_at INTEGER,
    title TEXT,
    body TEXT,
    voided_at INTEGER,
    void_reason TEXT
) STRICT;
CREATE INDEX record_case ON record(case_id);

CREATE TABLE pointer(
    id BLOB NOT NULL PRIMARY KEY,
    case_id BLOB NOT NULL,
    agency TEXT NOT NULL,
    contact TEXT,
    note TEXT,
    voided_at INTEGER,
    void_reason TEXT
) STRICT;
CREATE INDEX pointer_case ON pointer(case_id);

CREATE TABLE request(
    id BLOB NOT NULL PRIMARY KEY,
    case_id BLOB NOT NULL,
    agency TEXT NOT NULL,
    to_agency TEXT NOT NULL,
    question TEXT,
    lawful_basis TEXT,
    rag TEXT,
    asked_at INTEGER,
    due_at INTEGER,
    state TEXT,
    result TEXT,
    reason TEXT,
    answered_at INTEGER,
    answered_by BLOB,
    voided_at INTEGER,
    void_reason TEXT
) STRICT;
CREATE INDEX request_case ON request(case_id);

CREATE TABLE release(
    id BLOB NOT NULL PRIMARY KEY,
    case_id BLOB NOT NULL,
    agency TEXT NOT NULL,
    to_agency TEXT NOT NULL,
    pointer_id BLOB,
    state TEXT,
    how TEXT,
    asked_by BLOB,
    reason TEXT,
    decided_by BLOB,
    decided_at INTEGER,
    expires_at INTEGER,
    conditions TEXT,
    title TEXT,
    body TEXT,
    voided_at INTEGER,
    void_reason TEXT
) STRICT;
CREATE INDEX release_case ON release(case_id);

CREATE TABLE release_source(
    id BLOB NOT NULL PRIMARY KEY,
    case_id BLOB NOT NULL,
    agency TEXT NOT NULL,
    release_id BLOB NOT NULL,
    record_id BLOB NOT NULL,
    voided_at INTEGER,
    void_reason TEXT
) STRICT;
CREATE INDEX release_source_case ON release_source(case_id);

CREATE TABLE consent(
    id BLOB NOT NULL PRIMARY KEY,
    case_id BLOB NOT NULL,
    agency TEXT NOT NULL,
    person_id BLOB NOT NULL,
    scope TEXT NOT NULL,
    state TEXT,
    reason TEXT,
    capacity TEXT,
    told_at INTEGER,
    given_at INTEGER,
    expires_at INTEGER,
    voided_at INTEGER,
    void_reason TEXT
) STRICT;
CREATE INDEX consent_case ON consent(case_id);

CREATE TABLE rating(
    id BLOB NOT NULL PRIMARY KEY,
    case_id BLOB NOT NULL,
    agency TEXT NOT NULL,
    author BLOB,
    stage TEXT,
    rag TEXT,
    reason TEXT,
    rated_at INTEGER,
    voided_at INTEGER,
    void_reason TEXT
) STRICT;
CREATE INDEX rating_case ON rating(case_id);

CREATE TABLE challenge(
    id BLOB NOT NULL PRIMARY KEY,
    case_id BLOB NOT NULL,
    agency TEXT NOT NULL,
    about TEXT,
    reason TEXT,
    state TEXT,
    decided_by BLOB,
    decided_at INTEGER,
    voided_at INTEGER,
    void_reason TEXT
) STRICT;
CREATE INDEX challenge_case ON challenge(case_id);

CREATE TABLE meeting(
    id BLOB NOT NULL PRIMARY KEY,
    case_id BLOB NOT NULL,
    agency TEXT NOT NULL,
    kind TEXT,
    held_at INTEGER,
    mode TEXT,
    chair TEXT,
    outcome TEXT,
    voided_at INTEGER,
    void_reason TEXT
) STRICT;
CREATE INDEX meeting_case ON meeting(case_id);

CREATE TABLE attendance(
    id BLOB NOT NULL PRIMARY KEY,
    case_id BLOB NOT NULL,
    agency TEXT NOT NULL,
    meeting_id BLOB NOT NULL,
    practitioner BLOB,
    present INTEGER,
    dissent TEXT,
    voided_at INTEGER,
    void_reason TEXT
) STRICT;
CREATE INDEX attendance_case ON attendance(case_id);

CREATE TABLE episode(
    id BLOB NOT NULL PRIMARY KEY,
    case_id BLOB NOT NULL,
    agency TEXT NOT NULL,
    person_id BLOB,
    kind TEXT,
    started_at INTEGER,
    target_at INTEGER,
    ended_at INTEGER,
    result TEXT,
    voided_at INTEGER,
    void_reason TEXT
) STRICT;
CREATE INDEX episode_case ON episode(case_id);

CREATE TABLE coded(
    id BLOB NOT NULL PRIMARY KEY,
    case_id BLOB NOT NULL,
    agency TEXT NOT NULL,
    person_id BLOB,
    episode_id BLOB,
    list TEXT NOT NULL,
    code TEXT NOT NULL,
    voided_at INTEGER,
    void_reason TEXT
) STRICT;
CREATE INDEX coded_case ON coded(case_id);

CREATE TABLE allocation(
    id BLOB NOT NULL PRIMARY KEY,
    case_id BLOB NOT NULL,
    agency TEXT NOT NULL,
    practitioner BLOB NOT NULL,
    role TEXT,
    since INTEGER,
    until INTEGER,
    voided_at INTEGER,
    void_reason TEXT
) STRICT;
CREATE INDEX allocation_case ON allocation(case_id);

CREATE TABLE action(
    id BLOB NOT NULL PRIMARY KEY,
    case_id BLOB NOT NULL,
    agency TEXT NOT NULL,
    title TEXT,
    due_at INTEGER,
    state TEXT,
    sensitive INTEGER,
    note TEXT,
    voided_at INTEGER,
    void_reason TEXT
) STRICT;
CREATE INDEX action_case ON action(case_id);

CREATE TABLE feedback(
    id BLOB NOT NULL PRIMARY KEY,
    case_id BLOB NOT NULL,
    agency TEXT NOT NULL,
    to_agency TEXT NOT NULL,
    to_name TEXT,
    channel TEXT,
    body TEXT,
    sent_at INTEGER,
    ack_by BLOB,
    ack_at INTEGER,
    voided_at INTEGER,
    void_reason TEXT
) STRICT;
CREATE INDEX feedback_case ON feedback(case_id);

CREATE TABLE link(
    id BLOB NOT NULL PRIMARY KEY,
    case_id BLOB NOT NULL,
    agency TEXT NOT NULL,
    person_id BLOB,
    other_case_id BLOB,
    other_person_id BLOB,
    reason TEXT,
    voided_at INTEGER,
    void_reason TEXT
) STRICT;
CREATE INDEX link_case ON link(case_id);

CREATE TABLE conflict(
    id BLOB NOT NULL PRIMARY KEY,
    case_id BLOB NOT NULL,
    agency TEXT NOT NULL,
    tbl TEXT NOT NULL,
    row_id BLOB NOT NULL,
    col TEXT NOT NULL,
    policy TEXT NOT NULL,
    kept TEXT,
    kept_by BLOB,
    lost TEXT,
    lost_by BLOB,
    state TEXT,
    resolved_by BLOB,
    resolved_at INTEGER,
    reason TEXT,
    found_at INTEGER,
    voided_at INTEGER,
    void_reason TEXT
) STRICT;
CREATE INDEX conflict_case ON conflict(case_id);

CREATE TABLE held(
    id BLOB NOT NULL PRIMARY KEY,
    case_id BLOB NOT NULL,
    agency TEXT NOT NULL,
    node BLOB NOT NULL,
    author BLOB,
    written_at INTEGER,
    what TEXT,
    reason TEXT,
    state TEXT,
    decided_by BLOB,
    decided_at INTEGER,
    decision_reason TEXT,
    voided_at INTEGER,
    void_reason TEXT
) STRICT;
CREATE INDEX held_case ON held(case_id);
