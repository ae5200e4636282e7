-- How many rows a device may hold (hub/WATCH.md): what an administrator said of one, or, with node_no 0, of all others.
CREATE TABLE IF NOT EXISTS h_budget(node_no INTEGER NOT NULL PRIMARY KEY, most INTEGER NOT NULL) STRICT, WITHOUT ROWID;
-- How many rows each holds, as far as the hub knows: `held` was exact when it was counted last, and moved since. stopped_at:
-- since when it gets nothing new because of that.
CREATE TABLE IF NOT EXISTS h_held_rows(node_no INTEGER NOT NULL PRIMARY KEY, held INTEGER NOT NULL, moved INTEGER NOT NULL,
    stopped_at INTEGER) STRICT, WITHOUT ROWID;
