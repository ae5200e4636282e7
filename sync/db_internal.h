/* The inside of a connection, for sync/db*.c only: what both engines share. Each engine puts its own struct around
 * these two (they are its first members) and a table of operations behind them; sync/db*.c without an engine's name go
 * through the table alone. */
#ifndef SPOKE_SYNC_DB_INTERNAL_H
#define SPOKE_SYNC_DB_INTERNAL_H

#include "sync/db.h"
#include "sync/db_note.h"
#include "sync/db_view.h"

#define DB_MAX_PARAMS 64  /* $1 to $64 in one statement */
#define DB_MAX_TABLES 64  /* synced tables a connection keeps row statements for */
#define DB_BUCKETS 256    /* of the statement cache's hash table */
#define DB_MAX_LENGTH (80 << 20) /* bytes of one value: answers are stored whole until the next request */
#define DB_MAX_SQL (1 << 20)     /* bytes of one statement's text */

struct stmt {
    struct db *db;    /* its connection */
    const char *text; /* the SQL it was asked for by; the engine's */
    struct stmt *next; /* in the same bucket */
    uint64_t hash;     /* of the SQL text */
    uint64_t used;     /* the connection's clock when it was last given out: the least is evicted */
    bool busy;         /* given out */
};

/* What an engine does. Errors, ownership and meaning as of the function of sync/db.h with the same name. */
struct db_engine {
    bool postgres;
    size_t max_cached; /* statements kept; more live only while they are in use */
    void (*close)(struct db *db); /* its statements are gone; frees db */
    enum err (*begin)(struct db *db, struct why *why);      /* not within a transaction */
    enum err (*begin_read)(struct db *db, struct why *why); /* likewise */
    enum err (*begin_still)(struct db *db, struct why *why); /* likewise; NULL: as begin */
    enum err (*commit)(struct db *db, struct why *why); /* within one; on an error db_rollback is called next */
    void (*rollback)(struct db *db);                    /* also outside a transaction */
    enum err (*savepoint)(struct db *db, const char *name, struct why *why);
    enum err (*savepoint_release)(struct db *db, const char *name, struct why *why);
    enum err (*savepoint_rollback)(struct db *db, const char *name, struct why *why);
    enum err (*exec)(struct db *db, const char *sql, struct why *why);
    int64_t (*changes)(struct db *db);
    enum err (*vacuum)(struct db *db, struct why *why);
    enum err (*truncate_log)(struct db *db, struct why *why);
    enum err (*check)(struct db *db, struct why *why);
    enum err (*view_create)(struct db *db, const char *sql, struct db_view_fault *fault, struct why *why);
    uint64_t (*generation)(const struct db *db);
    enum err (*keep)(struct db *db, const char *const *within, const char *const *between, struct why *why); /* NULL: no need */
    enum err (*notify)(struct db *db, const char *channel, const char *payload, struct why *why);
    enum err (*listen)(struct db *db, const char *channel, struct why *why);
    enum err (*wait)(struct db *db, int timeout_ms, int wake_fd, db_told_fn each, void *ctx, struct why *why);
    enum err (*claim)(struct db *db, const char *what, bool *out_mine, struct why *why); /* NULL: nobody else can be */
    void (*unclaim)(struct db *db);
    /* sync/db_note.h; NULL: it notes nothing by itself */
    enum err (*note_lay)(struct db *db, const struct db_note_options *opt, size_t *out_laid, struct why *why);
    enum err (*note_lift)(struct db *db, struct why *why);
    enum err (*note_holds)(struct db *db, const struct db_note_options *opt, bool *out, struct why *why);
    enum err (*note_waits)(struct db *db, int64_t *out_since_ms, struct why *why);
    enum err (*note_take)(struct db *db, db_track_fn each, void *ctx, struct why *why);

    enum err (*stmt_new)(struct db *db, const char *sql, struct stmt **out, struct why *why); /* *out only on success */
    void (*stmt_free)(struct stmt *s);
    void (*bind)(struct stmt *s, int n, struct value v); /* text and blobs borrowed; VALUE_NONE is NULL */
    enum err (*step)(struct stmt *s, bool *out_row, struct why *why);
    void (*done)(struct stmt *s); /* reset, and forget what was bound */
    int64_t (*col_int)(struct stmt *s, int col);
    bool (*col_is_null)(struct stmt *s, int col);
    struct bytes (*col_bytes)(struct stmt *s, int col);
    struct value (*col_value)(struct stmt *s, int col);
    int (*columns)(struct stmt *s);
    const char *(*column_name)(struct stmt *s, int col);
};

struct db {
    const struct db_engine *engine;   /* static storage */
    const struct env *env;            /* borrowed */
    struct stmt *buckets[DB_BUCKETS]; /* the cache, by hash of the text */
    size_t n_cached;                  /* statements in it */
    uint64_t clock;                   /* counts db_prepare */
    uint64_t era;                     /* db_era within a transaction */
    bool in_tx;                       /* between db_begin and db_commit or db_rollback */
    bool refused;                     /* db_refused */
    uint64_t schema;                  /* version of the synced tables */
    uint64_t tx_schema;               /* the same when the transaction began */
    struct stmt *get[DB_MAX_TABLES];  /* whole-row statements by table number; NULL until first used */
    struct stmt *put[DB_MAX_TABLES];  /* likewise */
    struct stmt *set[DB_MAX_TABLES][RULES_MAX_COLUMNS]; /* likewise, for one column of a row */
};

/* Prepare outside the cache. *out as by db_prepare; give back with db_stmt_free. */
enum err db_stmt_new(struct db *db, const char *sql, struct stmt **out, struct why *why);
void db_stmt_free(struct stmt *s);
void db_stmt_free_rows(struct db *db); /* whole-row statements: they name the columns of one schema version */
void db_stmt_free_all(struct db *db);  /* cache and row statements */
/* db_schema.c: the transaction was rolled back. */
void db_schema_rolled_back(struct db *db);
/* The first word of a statement, in capitals, for messages; never more, because the text of a person's statement holds
 * values. */
void db_kind_of(const char *sql, char out[16]);
/* An engine's answer to what only the other one can do. */
enum err db_not_here(struct why *why);

#endif
