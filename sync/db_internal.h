/* The inside of a connection, for sync/db*.c only. */
#ifndef SPOKE_SYNC_DB_INTERNAL_H
#define SPOKE_SYNC_DB_INTERNAL_H

#include "sync/db.h"

#include <sqlite3.h>

#define DB_MAX_PARAMS 64  /* $1 to $64 in one statement */
#define DB_MAX_TABLES 64  /* synced tables a connection keeps row statements for */
#define DB_BUCKETS 256    /* of the statement cache's hash table */
#define DB_MAX_CACHED 256 /* statements kept; more live only while they are in use */
#define DB_MAX_LENGTH (80 << 20) /* bytes of one value: answers are stored whole until the next request */
#define DB_MAX_SQL (1 << 20)     /* bytes of one statement's text */

struct stmt {
    struct db *db;                    /* its connection */
    sqlite3_stmt *sql;                /* owned */
    struct stmt *next;                /* in the same bucket */
    uint64_t hash;                    /* of the SQL text */
    uint64_t used;                    /* the connection's clock when it was last given out: the least is evicted */
    bool busy;                        /* given out */
    bool stepping;                    /* stands on a row */
    int bind_rc;                      /* first bind that failed; the next step reports it */
    uint8_t param[DB_MAX_PARAMS + 1]; /* [n] is SQLite's index of $n; 0: the statement has none */
};

struct db {
    sqlite3 *sql;                      /* owned */
    const struct env *env;             /* borrowed */
    struct stmt *buckets[DB_BUCKETS];  /* the cache, by hash of the text */
    size_t n_cached;                   /* statements in it */
    uint64_t clock;                    /* counts db_prepare */
    bool in_memory;                    /* sync/db_view.c: no file, and no encrypting VFS beneath */
    bool in_tx;                        /* between db_begin and db_commit or db_rollback */
    uint64_t schema;                   /* version of the synced tables */
    uint64_t tx_schema;                /* the same when the transaction began */
    enum err tx_err;                   /* what made SQLite give the transaction up by itself */
    struct db_sum *sum;                /* sync/db_sum.c: the sum over all rows; NULL: it is not followed */
    struct stmt *get[DB_MAX_TABLES];   /* whole-row statements by table number; NULL until first used */
    struct stmt *put[DB_MAX_TABLES];   /* likewise */
    struct stmt *set[DB_MAX_TABLES][RULES_MAX_COLUMNS]; /* likewise, for one column of a row */
};

/* Translate an SQLite result code of this connection. `sql` (may be NULL) gives the kind of the statement: its first
 * word, never more, because the text of a person's statement holds values. */
enum err db_fault(struct db *db, int rc, const char *sql, struct why *why);
/* ERR_OK, or the fault for which SQLite rolled the transaction back behind our back: what follows would otherwise be
 * committed statement by statement. */
enum err db_still_in_tx(const struct db *db, struct why *why);
/* Prepare outside the cache. *out as by db_prepare; give back with db_stmt_free. */
enum err db_stmt_new(struct db *db, const char *sql, struct stmt **out, struct why *why);
void db_stmt_free(struct stmt *s);
void db_stmt_free_rows(struct db *db); /* whole-row statements: they name the columns of one schema version */
void db_stmt_free_all(struct db *db);  /* cache and row statements */
/* db_schema.c: the transaction was rolled back. */
void db_schema_rolled_back(struct db *db);
/* db_sum.c: the sum over all rows goes with the transaction. */
void db_sum_begin(struct db *db);
MUST_CHECK enum err db_sum_before_commit(struct db *db, struct why *why);
void db_sum_committed(struct db *db);
void db_sum_rolled_back(struct db *db);
void db_sum_free(struct db *db);
/* spoke_id, spoke_uuid, new_id, now_ms. */
enum err db_register_functions(struct db *db, struct why *why);

#endif
