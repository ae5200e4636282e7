#include "sync/db_internal.h"

#include "crypto/pagevfs.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* First word of a statement, letters only, upper case. */
static void kind_of(const char *sql, char out[16])
{
    size_t n = 0;
    while (sql != NULL && (*sql == ' ' || *sql == '\n' || *sql == '\t'))
        sql++;
    for (; sql != NULL && n < 15 && ((*sql >= 'a' && *sql <= 'z') || (*sql >= 'A' && *sql <= 'Z')); sql++)
        out[n++] = (char)(*sql & ~0x20);
    out[n] = '\0';
    if (n == 0)
        memcpy(out, "this step", 10);
}

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
    kind_of(text, kind);
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

enum err db_fault(struct db *db, int rc, const char *sql, struct why *why)
{
    enum err e = translate(db->sql, rc, sql, why);
    if (db->in_tx && db->tx_err == ERR_OK && sqlite3_get_autocommit(db->sql))
        db->tx_err = e;
    return e;
}

enum err db_still_in_tx(const struct db *db, struct why *why)
{
    if (!db->in_tx || !sqlite3_get_autocommit(db->sql))
        return ERR_OK;
    enum err e = db->tx_err == ERR_OK ? ERR_FAILED : db->tx_err;
    return why_set(why, e, "An earlier fault undid this whole step; nothing was changed.");
}

static enum err limit_connection(struct db *db, struct why *why)
{
    sqlite3_limit(db->sql, SQLITE_LIMIT_LENGTH, DB_MAX_LENGTH);
    sqlite3_limit(db->sql, SQLITE_LIMIT_SQL_LENGTH, DB_MAX_SQL);
    sqlite3_limit(db->sql, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_limit(db->sql, SQLITE_LIMIT_WORKER_THREADS, 0);
    sqlite3_extended_result_codes(db->sql, 1);
    return db_register_functions(db, why);
}

enum err db_open(struct db **out, const struct env *env, const char *path, const struct secret *key, struct why *why)
{
    struct db *db = calloc(1, sizeof *db);
    if (db == NULL)
        return why_set(why, ERR_NOMEM, "There is not enough memory to open the store.");
    db->env = env;
    db->schema = db->tx_schema = 1;
    int wait_ms = env->busy_ms != 0 && env->busy_ms <= PAGEVFS_WAIT_MS ? (int)env->busy_ms : PAGEVFS_WAIT_MS;
    enum err e = pagevfs_open_waiting(&db->sql, path, env->vfs, key, wait_ms, why);
    if (e != ERR_OK)
        goto out;
    e = limit_connection(db, why);
    if (e == ERR_OK) /* takes the lock and reads the schema: a second program, or a damaged file, shows now and here */
        e = db_exec(db, "SELECT count(*) FROM sqlite_schema", why);
out:
    if (e == ERR_OK)
        *out = db;
    else
        db_close(db);
    return e;
}

void db_close(struct db *db)
{
    if (db == NULL)
        return;
    db_sum_free(db);
    db_stmt_free_all(db);
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
    return db->sql;
}

static enum err run_text(struct db *db, const char *sql, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(db, sql, &s, why);
    return e != ERR_OK ? e : db_run(s, why);
}

enum err db_begin(struct db *db, struct why *why)
{
    if (db->in_tx)
        return why_set(why, ERR_FAILED, "A transaction is open already.");
    enum err e = run_text(db, "BEGIN IMMEDIATE", why);
    db->in_tx = e == ERR_OK;
    db->tx_schema = db->schema;
    db_sum_begin(db);
    return e;
}

enum err db_commit(struct db *db, struct why *why)
{
    if (!db->in_tx)
        return why_set(why, ERR_FAILED, "There is no transaction to commit.");
    enum err e = db_sum_before_commit(db, why);
    if (e == ERR_OK)
        e = run_text(db, "COMMIT", why);
    if (e != ERR_OK)
        db_rollback(db);
    else
        db_sum_committed(db);
    db->in_tx = false;
    db->tx_schema = db->schema;
    return e;
}

void db_rollback(struct db *db)
{
    /* A ROLLBACK that meets an I/O fault still ends the transaction: the log's uncommitted tail is simply not used. */
    if (!sqlite3_get_autocommit(db->sql))
        (void)sqlite3_exec(db->sql, "ROLLBACK", NULL, NULL, NULL);
    db->in_tx = false;
    db->tx_err = ERR_OK;
    db_sum_rolled_back(db);
    db_schema_rolled_back(db);
}

static enum err savepoint(struct db *db, const char *verb, const char *name, struct why *why)
{
    char sql[96];
    assert(name[0] != '\0' && strspn(name, "abcdefghijklmnopqrstuvwxyz_0123456789") == strlen(name));
    int n = snprintf(sql, sizeof sql, "%s \"%s\"", verb, name);
    assert(n > 0 && (size_t)n < sizeof sql);
    (void)n;
    return run_text(db, sql, why);
}

enum err db_savepoint(struct db *db, const char *name, struct why *why)
{
    return savepoint(db, "SAVEPOINT", name, why);
}

enum err db_savepoint_release(struct db *db, const char *name, struct why *why)
{
    return savepoint(db, "RELEASE", name, why);
}

enum err db_savepoint_rollback(struct db *db, const char *name, struct why *why)
{
    enum err e = savepoint(db, "ROLLBACK TO", name, why);
    return e != ERR_OK ? e : savepoint(db, "RELEASE", name, why);
}

enum err db_exec(struct db *db, const char *sql, struct why *why)
{
    enum err e = db_still_in_tx(db, why);
    if (e != ERR_OK)
        return e;
    int rc = sqlite3_exec(db->sql, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? ERR_OK : db_fault(db, rc, sql, why);
}

int64_t db_changes(struct db *db)
{
    return sqlite3_changes64(db->sql);
}

enum err db_vacuum(struct db *db, struct why *why)
{
    /* VACUUM attaches its (in-memory) temporary database, for which the limit is lifted while it runs. */
    sqlite3_limit(db->sql, SQLITE_LIMIT_ATTACHED, 1);
    enum err e = db_exec(db, "VACUUM", why);
    sqlite3_limit(db->sql, SQLITE_LIMIT_ATTACHED, 0);
    return e;
}

enum err db_truncate_log(struct db *db, struct why *why)
{
    int rc = sqlite3_wal_checkpoint_v2(db->sql, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    return rc == SQLITE_OK ? ERR_OK : db_fault(db, rc, "CHECKPOINT", why);
}

enum err db_check(struct db *db, struct why *why)
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
