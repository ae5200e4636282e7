/* What tables a store has, by the engine's own catalogue: for who has to be sure that it left none out (hub/DUMP.md).
 */
#ifndef SPOKE_SYNC_DB_CATALOGUE_H
#define SPOKE_SYNC_DB_CATALOGUE_H

#include "sync/db.h"

struct db_column {
    const char *table, *name; /* borrowed until the callback returns */
    const char *type;         /* in the engine's words */
    int key;                  /* its place in the primary key, from 1; 0: not in it */
};
/* Every column of every table of the store (of one schema, on PostgreSQL; no views, nothing of the engine's own): in
 * bytewise order of the tables' names, and then in the order of the columns. An error of `each` is handed on. */
typedef enum err (*db_column_fn)(void *ctx, const struct db_column *c, struct why *why);
MUST_CHECK enum err db_catalogue(struct db *db, db_column_fn each, void *ctx, struct why *why);

#endif
