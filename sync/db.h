/* One SQL on two engines, SQLite and PostgreSQL (sync/db_postgres.h): statements keep to the common subset with $1
 * parameters, each used in the order of its number on first appearance. Connection and statements are opaque; no
 * sqlite3.h above here.
 *
 * A statement is fetched from the connection's cache by its SQL text (static storage: the pointer need not be stable,
 * the text is the key), bound, stepped, and given back. Errors are sticky within a statement: binds do not fail, the
 * next step reports. */
#ifndef SPOKE_SYNC_DB_H
#define SPOKE_SYNC_DB_H

#include "base/env.h"
#include "crypto/secret.h"
#include "sync/value.h"

struct db;   /* opaque: one connection, used by one thread at a time */
struct stmt; /* opaque: a prepared statement of that connection */
struct sqlite3;

/* Create an empty encrypted store and run `schema` (several statements) in it. ERR_EXISTS, ERR_FULL, ERR_IO. */
MUST_CHECK enum err db_create(const struct env *env, const char *path, const struct secret *key, const char *schema,
                              struct why *why);
/* ERR_UNINIT, ERR_TAMPERED, ERR_BUSY (another process has it). */
MUST_CHECK enum err db_open(struct db **out, const struct env *env, const char *path, const struct secret *key,
                            struct why *why);
void db_close(struct db *db);             /* finalises cached statements; NULL is fine */
struct sqlite3 *db_sqlite(struct db *db); /* for node/capture only */

/* Transactions. BEGIN IMMEDIATE. A failed commit rolls back. Savepoints nest by name (a literal). */
MUST_CHECK enum err db_begin(struct db *db, struct why *why);
/* Only questions, all answered as the store stood at one moment, while others may write. Ends with db_commit or
 * db_rollback. */
MUST_CHECK enum err db_begin_read(struct db *db, struct why *why);
/* As db_begin, and every question in it is answered as the store stood when it began and as this transaction left it:
 * also where somebody writes who does not wait for the hub's lock (psql). On SQLite nobody can, and it is db_begin. */
MUST_CHECK enum err db_begin_still(struct db *db, struct why *why);
MUST_CHECK enum err db_commit(struct db *db, struct why *why);
void db_rollback(struct db *db); /* fine outside a transaction */
MUST_CHECK enum err db_savepoint(struct db *db, const char *name, struct why *why);
MUST_CHECK enum err db_savepoint_release(struct db *db, const char *name, struct why *why);
MUST_CHECK enum err db_savepoint_rollback(struct db *db, const char *name,
                                          struct why *why); /* rolls back to it and releases it */

/* Another number in each transaction, and from each rollback to a savepoint on: what was remembered of the store under
 * another one may not be so any more. 0: there is no transaction, and nothing can be remembered. */
uint64_t db_era(const struct db *db);

/* Prepare (cached). On failure *out is NULL. */
MUST_CHECK enum err db_prepare(struct db *db, const char *sql, struct stmt **out, struct why *why);
void db_bind_int(struct stmt *s, int n, int64_t v);       /* n from 1 = $n */
void db_bind_text(struct stmt *s, int n, struct bytes v); /* borrowed until db_done or the next bind */
void db_bind_str(struct stmt *s, int n, const char *v);   /* NULL binds NULL */
void db_bind_blob(struct stmt *s, int n, struct bytes v);
void db_bind_id(struct stmt *s, int n, const uint8_t id[16]);
void db_bind_null(struct stmt *s, int n);
void db_bind_value(struct stmt *s, int n, struct value v); /* VALUE_NONE binds NULL */
/* Next row: *out_row false at the end. After the end or an error the statement has been reset. */
MUST_CHECK enum err db_step(struct stmt *s, bool *out_row, struct why *why);
/* Step to the end and give back. On PostgreSQL a fault of a write may be told by the next question, savepoint or commit
 * instead. */
MUST_CHECK enum err db_run(struct stmt *s, struct why *why);
void db_done(struct stmt *s);            /* reset, clear bindings, give back to the cache; NULL is fine */
int64_t db_int(struct stmt *s, int col); /* col from 0; NULL gives 0 */
bool db_is_null(struct stmt *s, int col);
struct bytes db_bytes(struct stmt *s, int col);       /* TEXT or BLOB, borrowed until the next step; empty for NULL */
bool db_id(struct stmt *s, int col, uint8_t out[16]); /* false (and zeros) unless exactly 16 bytes */
struct value db_value(struct stmt *s, int col);
int db_columns(struct stmt *s);
const char *db_column_name(struct stmt *s, int col);

/* Conveniences for one-row questions: false in *out_found when there is none. */
MUST_CHECK enum err db_exec(struct db *db, const char *sql, struct why *why); /* several statements, no parameters */
int64_t db_changes(struct db *db);                                            /* rows changed by the last run */
/* Was the last fault of a statement a rule of the table that it writes to (a key, NOT NULL, a type), so that nothing is
 * wrong with the store itself? */
bool db_refused(const struct db *db);

/* Maintenance. */
MUST_CHECK enum err db_vacuum(struct db *db, struct why *why);       /* rewrite: no stale bytes in free pages */
MUST_CHECK enum err db_truncate_log(struct db *db, struct why *why); /* checkpoint and cut the WAL to nothing */
MUST_CHECK enum err db_check(struct db *db, struct why *why);        /* integrity_check; ERR_TAMPERED */
/* Rewrite the store without the tables whose names begin with `prefix`; their pages may be unreadable. ERR_TAMPERED,
 * and nothing changed, where any other table is. Safe to repeat after a failure. */
MUST_CHECK enum err db_mend(struct db *db, const char *prefix, struct why *why);

/* A person's SQL (spoke sql): only SELECT unless `write`; an authoriser refuses PRAGMA, ATTACH, schema changes, and
 * writes to tables that are not synced (write) in any case. `each` gets every row. */
typedef enum err (*db_row_fn)(void *ctx, struct stmt *s, struct why *why);
MUST_CHECK enum err db_user_sql(struct db *db, const char *sql, bool write, db_row_fn each, void *ctx, struct why *why);
/* What it would read, without running it: `each` gets table and column (both borrowed), once or more often; the column
 * is "" where rows are only counted. Refuses what db_user_sql refuses. */
typedef void (*db_read_fn)(void *ctx, const char *table, const char *column);
MUST_CHECK enum err db_user_sql_reads(struct db *db, const char *sql, bool write, db_read_fn each, void *ctx,
                                      struct why *why);

/* The schema version of the synced tables in this store; 1 until told otherwise. Who keeps the store remembers it. */
uint64_t db_schema(const struct db *db);
/* Does this store have the column, or is it of a version before the one that added it? For questions in plain SQL. */
bool db_has_column(const struct db *db, const char *table, const char *column);
/* What the store was remembered to be. ERR_VERSION: later than this program knows. */
MUST_CHECK enum err db_set_schema(struct db *db, uint64_t schema, struct why *why);
/* Add the columns of later versions, up to `to`, within the running transaction: rolled back, the version is what it
 * was. Nothing when the store is there already. ERR_VERSION. */
MUST_CHECK enum err db_migrate(struct db *db, uint64_t to, struct why *why);

/* Which engine: what only one has (db_sqlite, db_vacuum and the like, db_user_sql, sync/db_sum.h, sync/db_view.h) is
 * refused by the other. On PostgreSQL db_vacuum, db_truncate_log and db_check do nothing: its own administrators see
 * to that. */
bool db_is_postgres(const struct db *db);
/* Changes whenever there is a new connection beneath: what belonged to the former one (temporary views) is gone. Never
 * 0, and always the same on SQLite. Look at it after db_begin: a connection is never exchanged within a transaction. */
uint64_t db_generation(const struct db *db);

/* Answers that need not be asked for again; on SQLite nothing. Outside a transaction, once the tables are there. Both
 * lists are static storage and end with NULL. Of the tables `within`, answers are kept while a transaction of db_begin
 * runs, and what that writes is minded; who writes without waiting for the hub's lock (psql) is seen by the next
 * transaction. Of the tables `between`, which seldom change, answers outlive their transaction until the table is
 * changed, by whomever: PostgreSQL gets a trigger on each that tells. Questions that name any other table or a view are
 * asked each time. */
MUST_CHECK enum err db_keep(struct db *db, const char *const *within, const char *const *between, struct why *why);

/* Statements that are in nobody's hand are prepared anew when they are used next. On PostgreSQL one that was prepared
 * keeps the table or view that a name meant then: when a temporary view comes to stand in front of another, or goes,
 * it must be told. */
void db_forget_statements(struct db *db);

/* Words between the processes of one hub; only on PostgreSQL (else ERR_FAILED). `channel`: a to z and _, at most 20
 * letters; each hub has its own of each name. */
/* Within a transaction: tell all who listen, once it is committed (equal words of one transaction are told once).
 * `payload`: at most 7,000 bytes of text, no NUL; NULL: "". */
MUST_CHECK enum err db_notify(struct db *db, const char *channel, const char *payload, struct why *why);
/* Listen on this connection from now on, over reconnections. For a thread with a connection of its own. */
MUST_CHECK enum err db_listen(struct db *db, const char *channel, struct why *why);
/* Wait until something was told on a channel listened to, `timeout_ms` has gone (0: only look; -1: for ever) or
 * `wake_fd` (-1: none) can be read. Each word is handed to `each`. Where the connection was lost and is here again,
 * `each` gets the channel NULL: anything may have been told meanwhile. Not within a transaction. ERR_UNREACHABLE: the
 * database is away; call again. */
typedef void (*db_told_fn)(void *ctx, const char *channel, const char *payload);
MUST_CHECK enum err db_wait(struct db *db, int timeout_ms, int wake_fd, db_told_fn each, void *ctx, struct why *why);

/* Of all connections to a store one at a time has a thing to itself, until db_unclaim or until the connection ends,
 * which it does with its process. `what` as a channel; a connection has one such thing at most. *out_mine false:
 * another one has it. On SQLite it is always ours. A connection that was lost and is a new one (db_generation) has it
 * no more. */
MUST_CHECK enum err db_claim(struct db *db, const char *what, bool *out_mine, struct why *why);
void db_unclaim(struct db *db);

/* Whole rows of synced tables, by rule (one prepared statement a table, kept in the connection). Columns that the
 * store's schema version does not have yet are NULL when read; a value for one is refused: ERR_DENIED. */
MUST_CHECK enum err db_row_get(struct db *db, const struct table_rule *t, const uint8_t id[16], struct buf *store,
                               struct row *out, bool *out_found,
                               struct why *why); /* values borrow from *store, which is appended to */
MUST_CHECK enum err db_row_put(struct db *db, const struct row *r,
                               struct why *why); /* INSERT OR REPLACE, all columns of the store */
MUST_CHECK enum err db_row_set(struct db *db, const struct table_rule *t, const uint8_t id[16], size_t column,
                               struct value v, struct why *why);
MUST_CHECK enum err db_row_delete(struct db *db, const struct table_rule *t, const uint8_t id[16], struct why *why);

/* BLAKE2b-256 over every row of every synced table in key order: equal replicas have equal hashes. */
MUST_CHECK enum err db_content_hash(struct db *db, uint8_t out[32], struct why *why);

#endif
