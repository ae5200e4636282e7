-- The transparency logs (hub/LOG.md): 0 the hub's own, else that of the device with the number. told: of how many leaves the
-- hub's own log has the head. salt and content of a leaf are NULL once they are erased. h_tree: complete subtrees of two leaves
-- and more. A hub that was made before there were logs gets these tables when it is opened; h_log_from then says how many changes
-- of each device, and acts (node_no 0), are older than its logs.
CREATE TABLE h_log(no INTEGER PRIMARY KEY, size INTEGER NOT NULL, frontier BLOB NOT NULL, told INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE INDEX h_log_untold ON h_log(no) WHERE no > 0 AND told < size;
CREATE TABLE h_leaf(log_no INTEGER NOT NULL, n INTEGER NOT NULL, salt BLOB, content BLOB, commitment BLOB NOT NULL,
    PRIMARY KEY(log_no, n)) STRICT, WITHOUT ROWID;
CREATE TABLE h_tree(log_no INTEGER NOT NULL, level INTEGER NOT NULL, n INTEGER NOT NULL, hash BLOB NOT NULL,
    PRIMARY KEY(log_no, level, n)) STRICT, WITHOUT ROWID;

CREATE TABLE h_log_from(node_no INTEGER PRIMARY KEY, older INTEGER NOT NULL) STRICT;
-- What an act is about, and why, can be about somebody: its leaf has a commitment to them alone.
CREATE TABLE h_act_salt(act_no INTEGER PRIMARY KEY, salt BLOB NOT NULL) STRICT;
