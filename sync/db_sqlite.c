/* SQLite behind sync/db.h: opening, transactions, faults. */
#include "sync/db_sqlite.h"
#include "sync/db_track.h"

#include "crypto/pagevfs.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum err tampered(struct why *why)
{
    (void)why_set(why, ERR_TAMPERED,
                  "The store on this computer is damaged, or something other than Spoke has changed it. "
                  "It cannot be trusted, and nothing more was written to it.");
    return why_next(why, ERR_TAMPERED, "Stop here, keep the files as they are, and ask your administrator.");
}

static enum err translate(sqlite3 *sql, int rc, const char *text, struct why *why)
{
    char kind[16];
    int extended = sqlite3_extended_errcode(sql);
    if ((extended & 0xff) != (rc & 0xff)) /* the connection remembers another call than the one that failed */
        extended = rc;
    db_kind_of(text, kind);
    switch (extended & 0xff) {
    case SQLITE_FULL:
        (void)why_set(why, ERR_FULL, "The disk is full; nothing was changed.");
        return why_next(why, ERR_FULL, "Free some space on this computer and try again.");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        (void)why_set(why, ERR_BUSY, "Another program is using this store just now; nothing was changed.");
        return why_next(why, ERR_BUSY, "Wait until it has finished, or close it, and try again.");
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return tampered(why);
    case SQLITE_IOERR:
        if (extended == SQLITE_IOERR_DATA || extended == SQLITE_IOERR_CORRUPTFS)
            return tampered(why);
        if (extended == SQLITE_IOERR_NOMEM)
            return why_set(why, ERR_NOMEM, "There is not enough memory; nothing was changed.");
        return why_set(why, ERR_IO, "The disk could not be read or written (SQLite code %d); nothing was changed.",
                       extended);
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
        return why_set(why, ERR_IO, "The store cannot be written (SQLite code %d).", extended);
    case SQLITE_NOMEM:
        return why_set(why, ERR_NOMEM, "There is not enough memory; nothing was changed.");
    case SQLITE_TOOBIG:
        return why_set(why, ERR_LIMIT, "A text is too long to be stored; nothing was changed.");
    case SQLITE_INTERRUPT:
        return why_set(why, ERR_INTERRUPTED, "Stopped; nothing was changed.");
    case SQLITE_CONSTRAINT: /* its message names tables and columns, never what was in them */
        return why_set(why, ERR_FAILED, "The store refused %s: %.200s.", kind, sqlite3_errmsg(sql));
    default:
        return why_set(why, ERR_FAILED, "The store could not do %s: %s (SQLite code %d).", kind,
                       sqlite3_errstr(extended), extended);
    }
}

enum err db_sqlite_fault(struct db_sqlite *db, int rc, const char *sql, struct why *why)
{
    enum err e = translate(db->sql, rc, sql, why);
    db->base.refused = (rc & 0xff) == SQLITE_CONSTRAINT || (rc & 0xff) == SQLITE_MISMATCH;
    if (db->base.in_tx && db->tx_err == ERR_OK && sqlite3_get_autocommit(db->sql))
        db->tx_err = e;
    return e;
}

enum err db_sqlite_still_in_tx(const struct db_sqlite *db, struct why *why)
{
    if (!db->base.in_tx || !sqlite3_get_autocommit(db->sql))
        return ERR_OK;
    enum err e = db->tx_err == ERR_OK ? ERR_FAILED : db->tx_err;
    return why_set(why, e, "An earlier fault undid this whole step; nothing was changed.");
}

static enum err limit_connection(struct db_sqlite *db, struct why *why)
{
    sqlite3_limit(db->sql, SQLITE_LIMIT_LENGTH, DB_MAX_LENGTH);
    sqlite3_limit(db->sql, SQLITE_LIMIT_SQL_LENGTH, DB_MAX_SQL);
    sqlite3_limit(db->sql, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_limit(db->sql, SQLITE_LIMIT_WORKER_THREADS, 0);
    sqlite3_extended_result_codes(db->sql, 1);
    return db_register_functions(db, why);
}

struct db_sqlite *db_sqlite_new(const struct env *env)
{
    struct db_sqlite *db = calloc(1, sizeof *db);
    if (db == NULL)
        return NULL;
    db->base.engine = &db_sqlite_engine;
    db->base.env = env;
    db->base.schema = db->base.tx_schema = 1;
    return db;
}

enum err db_open(struct db **out, const struct env *env, const char *path, const struct secret *key, struct why *why)
{
    struct db_sqlite *db = db_sqlite_new(env);
    if (db == NULL)
        return why_set(why, ERR_NOMEM, "There is not enough memory to open the store.");
    int wait_ms = env->busy_ms != 0 && env->busy_ms <= PAGEVFS_WAIT_MS ? (int)env->busy_ms : PAGEVFS_WAIT_MS;
    enum err e = pagevfs_open_waiting(&db->sql, path, env->vfs, key, wait_ms, why);
    if (e != ERR_OK)
        goto out;
    e = limit_connection(db, why);
    if (e == ERR_OK) /* takes the lock and reads the schema: a second program, or a damaged file, shows now and here */
        e = db_exec(&db->base, "SELECT count(*) FROM sqlite_schema", why);
out:
    if (e == ERR_OK)
        *out = &db->base;
    else
        db_close(&db->base);
    return e;
}

static void close_sqlite(struct db *base)
{
    struct db_sqlite *db = db_sqlite_of(base);
    db_sum_free(db);
    db_track_end(base);
    if (db->in_memory)
        (void)sqlite3_close(db->sql);
    else if (db->sql != NULL)
        pagevfs_close(db->sql);
    free(db);
}

static enum err remove_store(const struct env *env, const char *path)
{
    char wal[4096];
    enum err e = env->remove_file(env->ctx, path, NULL);
    int n = snprintf(wal, sizeof wal, "%s-wal", path);
    if (e == ERR_OK && n > 0 && (size_t)n < sizeof wal)
        e = env->remove_file(env->ctx, wal, NULL);
    return e;
}

enum err db_create(const struct env *env, const char *path, const struct secret *key, const char *schema,
                   struct why *why)
{
    struct db *db = NULL;
    enum err e = pagevfs_create(path, env->vfs, key, why);
    if (e != ERR_OK)
        return e;
    e = db_open(&db, env, path, key, why);
    if (e == ERR_OK)
        e = db_begin(db, why);
    if (e == ERR_OK)
        e = db_exec(db, schema, why);
    if (e == ERR_OK)
        e = db_commit(db, why);
    if (e == ERR_OK)
        e = db_truncate_log(db, why);
    db_close(db);
    if (e != ERR_OK)
        (void)remove_store(env, path); /* an empty store would be taken for a whole one by the next try */
    return e;
}

struct sqlite3 *db_sqlite(struct db *db)
{
    struct db_sqlite *own = db_sqlite_of(db);
    return own == NULL ? NULL : own->sql;
}

static enum err run_text(struct db *db, const char *sql, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(db, sql, &s, why);
    return e != ERR_OK ? e : db_run(s, why);
}

static enum err begin(struct db *db, struct why *why)
{
    enum err e = run_text(db, "BEGIN IMMEDIATE", why);
    db_sum_begin(db_sqlite_of(db));
    return e;
}

/* The snapshot is of the first question, which is asked here: it would else be of whenever somebody asks one. */
static enum err begin_read(struct db *db, struct why *why)
{
    enum err e = run_text(db, "BEGIN", why);
    db_sum_begin(db_sqlite_of(db));
    if (e == ERR_OK)
        e = run_text(db, "SELECT count(*) FROM sqlite_schema", why);
    if (e != ERR_OK)
        db_rollback(db);
    return e;
}

static enum err commit(struct db *db, struct why *why)
{
    enum err e = db_sum_before_commit(db_sqlite_of(db), why);
    if (e == ERR_OK)
        e = db_track_before_commit(db_sqlite_of(db), why);
    if (e == ERR_OK)
        e = run_text(db, "COMMIT", why);
    if (e == ERR_OK)
        db_sum_committed(db_sqlite_of(db));
    if (e == ERR_OK)
        db_track_committed(db_sqlite_of(db));
    return e;
}

static void rollback(struct db *base)
{
    struct db_sqlite *db = db_sqlite_of(base);
    /* A ROLLBACK that meets an I/O fault still ends the transaction: the log's uncommitted tail is simply not used. */
    if (!sqlite3_get_autocommit(db->sql))
        (void)sqlite3_exec(db->sql, "ROLLBACK", NULL, NULL, NULL);
    db->tx_err = ERR_OK;
    db_sum_rolled_back(db);
    db_track_rolled_back(db);
}

static enum err savepoint_do(struct db *db, const char *verb, const char *name, struct why *why)
{
    char sql[96];
    int n = snprintf(sql, sizeof sql, "%s \"%s\"", verb, name);
    assert(n > 0 && (size_t)n < sizeof sql);
    (void)n;
    return run_text(db, sql, why);
}

static enum err savepoint(struct db *db, const char *name, struct why *why)
{
    return savepoint_do(db, "SAVEPOINT", name, why);
}

static enum err savepoint_release(struct db *db, const char *name, struct why *why)
{
    return savepoint_do(db, "RELEASE", name, why);
}

static enum err savepoint_rollback(struct db *db, const char *name, struct why *why)
{
    enum err e = savepoint_do(db, "ROLLBACK TO", name, why);
    return e != ERR_OK ? e : savepoint_do(db, "RELEASE", name, why);
}

static enum err exec(struct db *base, const char *sql, struct why *why)
{
    struct db_sqlite *db = db_sqlite_of(base);
    enum err e = db_sqlite_still_in_tx(db, why);
    if (e != ERR_OK)
        return e;
    int rc = sqlite3_exec(db->sql, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? ERR_OK : db_sqlite_fault(db, rc, sql, why);
}

static int64_t changes(struct db *db)
{
    return sqlite3_changes64(db_sqlite(db));
}

static enum err vacuum(struct db *db, struct why *why)
{
    /* VACUUM attaches its (in-memory) temporary database, for which the limit is lifted while it runs. */
    sqlite3_limit(db_sqlite(db), SQLITE_LIMIT_ATTACHED, 1);
    enum err e = db_exec(db, "VACUUM", why);
    sqlite3_limit(db_sqlite(db), SQLITE_LIMIT_ATTACHED, 0);
    return e;
}

static enum err truncate_log(struct db *base, struct why *why)
{
    struct db_sqlite *db = db_sqlite_of(base);
    int rc = sqlite3_wal_checkpoint_v2(db->sql, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    return rc == SQLITE_OK ? ERR_OK : db_sqlite_fault(db, rc, "CHECKPOINT", why);
}

static enum err check(struct db *db, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(db, "PRAGMA integrity_check(1)", &s, why);
    if (e != ERR_OK)
        return e;
    e = db_step(s, &row, why);
    if (e == ERR_OK && (!row || !bytes_equal(db_bytes(s, 0), bytes_of_str("ok"))))
        e = tampered(why);
    db_done(s);
    return e;
}

static uint64_t generation(const struct db *db)
{
    (void)db;
    return 1;
}

static enum err no_words(struct why *why)
{
    return why_set(why, ERR_FAILED, "Only hubs on PostgreSQL have several processes that tell each other something.");
}

static enum err notify(struct db *db, const char *channel, const char *payload, struct why *why)
{
    (void)db;
    (void)channel;
    (void)payload;
    return no_words(why);
}

static enum err listen_to(struct db *db, const char *channel, struct why *why)
{
    return notify(db, channel, NULL, why);
}

static enum err wait_told(struct db *db, int timeout_ms, int wake_fd, db_told_fn each, void *ctx, struct why *why)
{
    (void)db;
    (void)timeout_ms;
    (void)wake_fd;
    (void)each;
    (void)ctx;
    return no_words(why);
}

const struct db_engine db_sqlite_engine = {
    .postgres = false,
    .max_cached = 256,
    .close = close_sqlite,
    .begin = begin,
    .begin_read = begin_read,
    .commit = commit,
    .rollback = rollback,
    .savepoint = savepoint,
    .savepoint_release = savepoint_release,
    .savepoint_rollback = savepoint_rollback,
    .exec = exec,
    .changes = changes,
    .vacuum = vacuum,
    .truncate_log = truncate_log,
    .check = check,
    .view_create = db_sqlite_view_create,
    .generation = generation,
    .notify = notify,
    .listen = listen_to,
    .wait = wait_told,
    .stmt_new = db_sqlite_stmt_new,
    .stmt_free = db_sqlite_stmt_free,
    .bind = db_sqlite_bind,
    .step = db_sqlite_step,
    .done = db_sqlite_done,
    .col_int = db_sqlite_int,
    .col_is_null = db_sqlite_is_null,
    .col_bytes = db_sqlite_bytes,
    .col_value = db_sqlite_value,
    .columns = db_sqlite_columns,
    .column_name = db_sqlite_column_name,
};
