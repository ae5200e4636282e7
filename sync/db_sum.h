/* A running sum over all rows of the synced tables, kept along with every change of a row, so that a store can be held
 * against what was written into it. The encrypting VFS cannot see that one page was exchanged for an older copy of
 * itself (crypto/FORMAT.md §5): the rows on it then are authentic, but the sum over all rows is another one. An
 * additive hash: the sum modulo 2^128 of a keyed hash of each row (Bellare and Micciancio 1997, AdHash); the key is
 * random, kept in the store and known to nobody who can only write the disk. A change costs the same whatever the size
 * of the store. */
#ifndef SPOKE_SYNC_DB_SUM_H
#define SPOKE_SYNC_DB_SUM_H

#include "sync/db.h"

#define DB_SUM_BYTES 16

/* Follow all changes of rows from here on, from this sum. `store` puts a changed sum into the store: it is called
 * within each transaction before it commits, and its failure fails the commit. A rollback takes the sum back too.
 * ERR_NOMEM. */
typedef enum err (*db_sum_store_fn)(void *ctx, const uint8_t sum[DB_SUM_BYTES], struct why *why);
MUST_CHECK enum err db_sum_start(struct db *db, const uint8_t key[DB_SUM_BYTES], const uint8_t sum[DB_SUM_BYTES],
                                 db_sum_store_fn store, void *ctx, struct why *why);
/* Besides, each row of a case that changes, before it does: which table, and which case. What was rolled back is not
 * taken back. After db_sum_start; NULL: nobody wants to know. */
typedef void (*db_sum_watch_fn)(void *ctx, int table_index, const uint8_t case_id[16]);
void db_sum_watch(struct db *db, db_sum_watch_fn each, void *ctx);
/* The sum over all rows as they stand, read anew. */
MUST_CHECK enum err db_sum_scan(struct db *db, const uint8_t key[DB_SUM_BYTES], uint8_t out[DB_SUM_BYTES],
                                struct why *why);
/* As followed; false: it is not followed. */
bool db_sum_now(const struct db *db, uint8_t out[DB_SUM_BYTES]);
/* SQLite has one place for somebody who watches rows, and while the session extension records it stands there: what it
 * recorded is told afterwards, row by row (NULL: no row before, or after). */
void db_sum_pause(struct db *db);
void db_sum_resume(struct db *db);
void db_sum_row(struct db *db, const struct row *before, const struct row *after);

#endif
