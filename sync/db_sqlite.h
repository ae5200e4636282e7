/* SQLite's side of a connection, for its own files only: sync/db_sqlite*.c, db_func.c, db_mend.c, db_sum.c, db_user.c,
 * db_view.c. */
#ifndef SPOKE_SYNC_DB_SQLITE_H
#define SPOKE_SYNC_DB_SQLITE_H

#include "sync/db_internal.h"

#include <sqlite3.h>

struct db_sqlite {
    struct db base;
    sqlite3 *sql;       /* owned */
    bool in_memory;     /* sync/db_view.c: no file, and no encrypting VFS beneath */
    enum err tx_err;    /* what made SQLite give the transaction up by itself */
    struct db_sum *sum; /* sync/db_sum.c: the sum over all rows; NULL: it is not followed */
    struct db_track *track; /* sync/db_track.c: rows that the transaction touched; NULL: they are not followed */
};

struct stmt_sqlite {
    struct stmt base;
    sqlite3_stmt *sql;                /* owned */
    bool stepping;                    /* stands on a row */
    int bind_rc;                      /* first bind that failed; the next step reports it */
    uint8_t param[DB_MAX_PARAMS + 1]; /* [n] is SQLite's index of $n; 0: the statement has none */
};

extern const struct db_engine db_sqlite_engine;

/* The connection if it is SQLite's, else NULL. */
static inline struct db_sqlite *db_sqlite_of(struct db *db)
{
    return db->engine == &db_sqlite_engine ? (struct db_sqlite *)db : NULL;
}

/* A connection without a database yet: calloc'd, NULL where there is no memory. */
struct db_sqlite *db_sqlite_new(const struct env *env);
/* Translate an SQLite result code of this connection. `sql` (may be NULL) gives the kind of the statement. */
enum err db_sqlite_fault(struct db_sqlite *db, int rc, const char *sql, struct why *why);
/* ERR_OK, or the fault for which SQLite rolled the transaction back behind our back: what follows would otherwise be
 * committed statement by statement. */
enum err db_sqlite_still_in_tx(const struct db_sqlite *db, struct why *why);
/* db_sqlite_stmt.c */
enum err db_sqlite_stmt_new(struct db *db, const char *sql, struct stmt **out, struct why *why);
void db_sqlite_stmt_free(struct stmt *s);
void db_sqlite_bind(struct stmt *s, int n, struct value v);
enum err db_sqlite_step(struct stmt *s, bool *out_row, struct why *why);
void db_sqlite_done(struct stmt *s);
int64_t db_sqlite_int(struct stmt *s, int col);
bool db_sqlite_is_null(struct stmt *s, int col);
struct bytes db_sqlite_bytes(struct stmt *s, int col);
struct value db_sqlite_value(struct stmt *s, int col);
int db_sqlite_columns(struct stmt *s);
const char *db_sqlite_column_name(struct stmt *s, int col);
/* db_view.c */
enum err db_sqlite_view_create(struct db *db, const char *sql, struct db_view_fault *fault, struct why *why);
/* db_sum.c: the sum over all rows goes with the transaction. */
void db_sum_begin(struct db_sqlite *db);
MUST_CHECK enum err db_sum_before_commit(struct db_sqlite *db, struct why *why);
void db_sum_committed(struct db_sqlite *db);
void db_sum_rolled_back(struct db_sqlite *db);
void db_sum_free(struct db_sqlite *db);
/* db_track.c: what a transaction touched goes with it, however it ends. */
MUST_CHECK enum err db_track_before_commit(struct db_sqlite *db, struct why *why);
void db_track_committed(struct db_sqlite *db);
void db_track_rolled_back(struct db_sqlite *db);
/* spoke_id, spoke_uuid, new_id, now_ms. */
enum err db_register_functions(struct db_sqlite *db, struct why *why);

#endif
