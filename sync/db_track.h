/* Which rows a transaction touches, for who keeps a journal of them. Only on SQLite: there the process that writes a
 * row can be asked. On PostgreSQL the database notes them (sync/db_note.h).
 *
 * Rows are remembered by table and primary key, each once, however often it changed. What was rolled back to a
 * savepoint stays remembered: who asks reads the rows as they stand. So does what changed outside a transaction, until
 * the next one commits. A table without a primary key, or one that came
 * to the store since db_track_start, is remembered as a whole. Of all tables together 128 MiB of keys are remembered,
 * with what finds them. */
#ifndef SPOKE_SYNC_DB_TRACK_H
#define SPOKE_SYNC_DB_TRACK_H

#include "sync/db.h"

#define DB_TRACK_MAX_KEY 8

struct db_track_options {
    void *ctx;
    /* Of a table: is it to be remembered? */
    bool (*wants)(void *ctx, const char *table);
    /* In a transaction that touched something, before it commits; its error fails the commit. */
    enum err (*before_commit)(void *ctx, struct why *why);
};
/* From now on, until the connection is closed or db_track_end; not within a transaction. Of a connection whose sum is
 * followed (sync/db_sum.h) it cannot be asked. ERR_FAILED: PostgreSQL, or followed already. */
MUST_CHECK enum err db_track_start(struct db *db, const struct db_track_options *opt, struct why *why);
void db_track_end(struct db *db); /* also where nothing is followed */

/* n_key 0: the table as a whole. The key's values are in the order of the primary key, and borrowed. */
typedef enum err (*db_track_fn)(void *ctx, const char *table, const struct value *key, size_t n_key, struct why *why);
/* What the running transaction touched, table by table. ERR_LIMIT: it was too much to remember. */
MUST_CHECK enum err db_track_each(struct db *db, db_track_fn each, void *ctx, struct why *why);

#endif
