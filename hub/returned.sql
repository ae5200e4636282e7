-- How much of what a device returned to a hub that was put back nothing vouches for (hub/restore_return.c), in bytes. before: of it,
-- what there was when the request came that is being taken; request: the number of the one before that.
CREATE TABLE IF NOT EXISTS h_return_load(node_no INTEGER PRIMARY KEY, bytes INTEGER NOT NULL, request INTEGER NOT NULL,
    before INTEGER NOT NULL) STRICT;
