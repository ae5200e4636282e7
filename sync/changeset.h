/* SQLite's changeset and patchset formats (the comment at the head of sqlite3session.c), read strictly and written by
 * ourselves. No byte from outside ever reaches sqlite3changeset_*: Debian's 3.40.1 hangs on `54 01 01`. FORMAT.md §1.
 *
 * The reader is total, linear in its input, allocates nothing and accepts exactly the tables, column counts, key flags
 * and types of the schema version that it is told: unknown table, wrong column count or key flags, NULL or missing key,
 * unknown record type, value of the wrong kind, over 1 MiB, text that is not UTF-8, trailing bytes: ERR_FORMAT. A key
 * twice in one changeset and tables twice are refused by changeset_check, which also bounds the number of
 * operations. */
#ifndef SPOKE_SYNC_CHANGESET_H
#define SPOKE_SYNC_CHANGESET_H

#include "sync/value.h"

#define CHANGESET_MAX_OPS   200000u
#define CHANGESET_MAX_BYTES (64u << 20)

enum op_kind { OP_INSERT = 18, OP_DELETE = 9, OP_UPDATE = 23 }; /* SQLITE_INSERT … as on the wire */

struct op {
    enum op_kind kind;
    const struct table_rule *table;
    int table_index;
    bool indirect;
    /* INSERT: new_[all]. UPDATE: new_[changed]; changeset: old[key and changed], patchset: key in new_[0] and old[0]
     * too. DELETE: old[all] in a changeset, old[key] in a patchset. Values borrow from the input. old[0].s is always
     * the id for UPDATE and DELETE, new_[0].s for INSERT. Columns later than the schema version that was read: NULL
     * where all are wanted, else not there. */
    struct value old[RULES_MAX_COLUMNS];
    struct value new_[RULES_MAX_COLUMNS];
};
/* The 16-byte id of the row an operation is about. */
const uint8_t *op_row_id(const struct op *op);

struct changeset_reader {
    struct bytes in; /* what is left */
    uint64_t schema;
    bool patchset;
    const struct table_rule *table;
    int table_index;
    size_t n_columns; /* of the table in this schema version */
    size_t n_ops;
};
void changeset_reader_init(struct changeset_reader *r, struct bytes in, uint64_t schema);
/* Next operation; *out_end at the end. On failure *out holds nothing of use. */
MUST_CHECK enum err changeset_next(struct changeset_reader *r, struct op *out, bool *out_end, struct why *why);

/* Walk it whole: everything changeset_next refuses, plus duplicate keys, mixed formats, more than max_ops, empty input.
 * `patchset` says which format is expected; DELETE is refused unless allow_delete. Uses O(ops) memory below its
 * ceiling. */
struct changeset_limits {
    uint64_t schema;
    bool patchset;
    bool allow_delete;
    size_t max_ops;
};
MUST_CHECK enum err changeset_check(struct bytes in, const struct changeset_limits *lim, struct why *why);

/* Writing. Operations of one table must come together: the writer writes a table header whenever the table changes.
 * INSERT wants all of new_, UPDATE key in old[0] and new_ of changed columns (changeset: old of them too). Columns
 * later than the schema version are left out: who must not lose them does not hand them over. */
struct changeset_writer {
    struct buf *out; /* borrowed */
    uint64_t schema;
    bool patchset;
    int table_index; /* of the header written last; -1 at the start */
};
void changeset_writer_init(struct changeset_writer *w, struct buf *out, bool patchset, uint64_t schema);
void changeset_put(struct changeset_writer *w, const struct op *op);

#endif
