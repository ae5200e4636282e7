-- Named administrators, what takes two of them, and what they said of devices (hub/ADMINS.md).
-- Whose slot of the key file is whose. role: service, viewer, operator, security. Who was removed stays, and keeps the name.
CREATE TABLE IF NOT EXISTS h_admin(slot BLOB NOT NULL PRIMARY KEY, name TEXT NOT NULL UNIQUE, role TEXT NOT NULL,
    added_at INTEGER NOT NULL, added_by TEXT, removed_at INTEGER) STRICT;
-- Who gave an act, and who approved it.
CREATE TABLE IF NOT EXISTS h_act_by(act_no INTEGER NOT NULL PRIMARY KEY, who TEXT NOT NULL, second TEXT) STRICT;
-- two_person, approve_devices: 0 or 1; proposal_ms: how long a proposal stands. Without a row: the default.
CREATE TABLE IF NOT EXISTS h_rule(name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) STRICT;
-- detail: a CBOR array, by kind. state: open, done, refused, void, expired.
CREATE TABLE IF NOT EXISTS h_proposal(no INTEGER NOT NULL PRIMARY KEY, at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
    slot BLOB NOT NULL, who TEXT NOT NULL, kind TEXT NOT NULL, detail BLOB NOT NULL, reason TEXT, says TEXT NOT NULL,
    hash BLOB NOT NULL, state TEXT NOT NULL, decided_at INTEGER, decided_by TEXT, decision TEXT) STRICT;
-- Who gave an invitation, and whether its device has to be approved.
CREATE TABLE IF NOT EXISTS h_invite_by(token_hash BLOB NOT NULL PRIMARY KEY, slot BLOB NOT NULL, approve INTEGER NOT NULL) STRICT;
-- What became of a device by an administrator's word. fate: lost, retired, refused.
CREATE TABLE IF NOT EXISTS h_fate(node_no INTEGER NOT NULL PRIMARY KEY, fate TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
