-- What the hub last refused from a device, in its own words (hub/WATCH.md): `times` since `since`, for one reason.
CREATE TABLE IF NOT EXISTS h_refusal(node_no INTEGER NOT NULL PRIMARY KEY, reason TEXT NOT NULL, since INTEGER NOT NULL,
    at INTEGER NOT NULL, times INTEGER NOT NULL) STRICT, WITHOUT ROWID;
-- Written and read by who asks whether the store can be (readyz). One row.
CREATE TABLE IF NOT EXISTS h_probe(no INTEGER NOT NULL PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
-- What else was done to the hub, and when: a verification that found all as it should be.
CREATE TABLE IF NOT EXISTS h_done(what TEXT NOT NULL PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
