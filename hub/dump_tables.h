/* Which tables a hub's store has, for hub/dump*.c alone: from the statements that make one, compared with the store's
 * catalogue. */
#ifndef SPOKE_HUB_DUMP_TABLES_H
#define SPOKE_HUB_DUMP_TABLES_H

#include "hub/dump.h"

#define DUMP_NAME_BYTES  64
#define DUMP_MAX_COLUMNS 64
#define DUMP_MAX_KEY     8

struct dump_shape {
    char name[DUMP_NAME_BYTES];
    size_t n_columns, n_key;
    struct {
        char name[DUMP_NAME_BYTES];
        enum value_kind kind; /* VALUE_NONE: any */
    } column[DUMP_MAX_COLUMNS];
    size_t key[DUMP_MAX_KEY]; /* columns of the primary key, in its order */
    size_t seen;              /* while catalogues are compared */
};
struct dump_shapes {
    struct db *model; /* a new store, in memory */
    size_t n;
    struct dump_shape *table; /* in order of the names */
};
/* Give back with dump_shapes_release, also after an error. ERR_VERSION: the store's tables are not those of this
 * program. */
MUST_CHECK enum err dump_shapes_load(struct dump_shapes *out, struct db *db, const struct env *env, struct why *why);
/* Those that the store has, whatever the program's are. Likewise. */
MUST_CHECK enum err dump_shapes_here(struct dump_shapes *out, struct db *db, struct why *why);
void dump_shapes_release(struct dump_shapes *t);
const struct dump_shape *dump_shape_find(const struct dump_shapes *t, struct bytes name); /* NULL: none */
/* hub/dump.c: the store's sum, and its stream unless sink is NULL, with shapes that are known already. */
MUST_CHECK enum err dump_shapes_sum(const struct dump_shapes *t, struct db *db, const struct dump_keeper *keeper,
                                    const struct dump_sink *sink, struct dump_sum *out, struct why *why);
/* hub/dump_read.c: a stream into a store that is known to be new and of these shapes. */
MUST_CHECK enum err dump_shapes_read(const struct dump_shapes *t, struct db *db, const struct dump_keeper *keeper,
                                     const struct dump_source *source, struct dump_sum *out, struct why *why);

#endif
