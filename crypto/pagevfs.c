#include "crypto/pagevfs.h"

#include "crypto/pagevfs_internal.h"

#include <assert.h>
#include <string.h>

#define OLDEST_SQLITE 3040001

enum err pagevfs_check_library(struct why *why)
{
    if (sqlite3_libversion_number() < OLDEST_SQLITE) {
        (void)why_set(why, ERR_VERSION, "this computer has SQLite %s, which is too old", sqlite3_libversion());
        return why_next(why, ERR_VERSION, "Install SQLite 3.40.1 or newer.");
    }
    if (!sqlite3_threadsafe() || !sqlite3_compileoption_used("ENABLE_SESSION") ||
        !sqlite3_compileoption_used("ENABLE_PREUPDATE_HOOK")) {
        (void)why_set(why, ERR_VERSION, "SQLite %s on this computer was built without parts that Spoke needs",
                      sqlite3_libversion());
        return why_next(why, ERR_VERSION, "Install the SQLite of your distribution: it needs sessions, the "
                                          "pre-update hook and thread safety.");
    }
    return ERR_OK;
}

/* ---- translating SQLite's codes ---- */

static enum err not_ours(struct why *why)
{
    (void)why_set(why, ERR_TAMPERED,
                  "the encrypted database could not be opened with this key: it is damaged, was changed, or belongs to "
                  "another device; nothing in it was touched");
    return why_next(why, ERR_TAMPERED, "Restore this device's folder from its backup, or enrol the device anew.");
}

static enum err not_yet(struct why *why)
{
    (void)why_set(why, ERR_UNINIT, "there is no encrypted database here yet");
    return why_next(why, ERR_UNINIT, "Set this device up first.");
}

static enum err open_failed(int rc, struct why *why)
{
    switch (rc & 0xff) {
    case SQLITE_BUSY:
        (void)why_set(why, ERR_BUSY, "another Spoke program is using this home");
        return why_next(why, ERR_BUSY, "Close the other program, or wait until it has finished, and try again.");
    case SQLITE_NOMEM:
        return why_set(why, ERR_NOMEM, "there is not enough memory to open the database");
    case SQLITE_FULL:
        (void)why_set(why, ERR_FULL, "the disk is full, so the database cannot be opened safely");
        return why_next(why, ERR_FULL, "Free some space and try again. Nothing was lost.");
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return not_ours(why);
    default:
        if (rc == SQLITE_IOERR_DATA || rc == SQLITE_IOERR_SHORT_READ)
            return not_ours(why);
        (void)why_set(why, ERR_IO, "the computer could not read or write the database file (code %d)", rc);
        return why_next(why, ERR_IO, "Check the disk and the permissions of the folder, then try again.");
    }
}

/* ---- opening ---- */

/* VACUUM attaches '' by itself; every other name is refused, a bound or computed one (NULL here) too. The VFS refuses
 * files anyway; this also covers ':memory:' and another VFS named in a URI. */
static int authorise(void *ctx, int action, const char *a, const char *b, const char *database, const char *trigger)
{
    (void)ctx;
    (void)b;
    (void)database;
    (void)trigger;
    return action == SQLITE_ATTACH && (!a || *a) ? SQLITE_DENY : SQLITE_OK;
}

static int harden(sqlite3 *db, int wait_ms)
{
    static const char settings[] = "PRAGMA locking_mode=EXCLUSIVE;" /* before the first access: no shared index (T7) */
                                   "PRAGMA temp_store=MEMORY;"
                                   "PRAGMA secure_delete=ON;"
                                   "PRAGMA synchronous=FULL;"
                                   "PRAGMA cell_size_check=ON;";
    int rc = sqlite3_busy_timeout(db, wait_ms);
    if (rc == SQLITE_OK)
        rc = sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_set_authorizer(db, authorise, NULL);
    return rc == SQLITE_OK ? sqlite3_exec(db, settings, NULL, NULL, NULL) : rc;
}

/* Take the lock, recover the log and read page 1: after this the database is known to be whole enough to work with. */
static int touch(sqlite3 *db)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_exec(db, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_prepare_v2(db, "PRAGMA journal_mode", -1, &st, NULL);
    if (rc == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW) {
        const char *mode = (const char *)sqlite3_column_text(st, 0);
        rc = mode && strcmp(mode, "wal") == 0 ? SQLITE_OK : SQLITE_NOTADB;
    }
    sqlite3_finalize(st);
    return rc;
}

static int full_path(sqlite3_vfs *low, const char *path, char **out)
{
    char *full = sqlite3_malloc(low->mxPathname + 1);
    if (!full)
        return SQLITE_NOMEM;
    int rc = low->xFullPathname(low, path, low->mxPathname, full);
    if (rc != SQLITE_OK && rc != SQLITE_OK_SYMLINK) {
        sqlite3_free(full);
        return SQLITE_CANTOPEN;
    }
    *out = full;
    return SQLITE_OK;
}

static enum err open_on(struct pagevfs *v, sqlite3 **out, const char *path, int wait_ms, struct why *why)
{
    sqlite3 *db = NULL;
    char *full = NULL;
    int exists = 0;
    int rc = full_path(v->lower, path, &full);
    if (rc == SQLITE_OK)
        rc = v->lower->xAccess(v->lower, full, SQLITE_ACCESS_EXISTS, &exists);
    if (rc != SQLITE_OK) {
        sqlite3_free(full);
        return open_failed(rc, why);
    }
    if (!exists) {
        sqlite3_free(full);
        return not_yet(why);
    }
    /* No lock around each call: hub.h and node.h give a connection to one thread at a time. */
    rc = sqlite3_open_v2(full, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, v->name);
    if (rc == SQLITE_OK)
        rc = harden(db, wait_ms);
    if (rc == SQLITE_OK)
        rc = touch(db);
    sqlite3_free(full);
    if (rc != SQLITE_OK) {
        int extended = db ? sqlite3_extended_errcode(db) : rc;
        if ((extended & 0xff) == rc)
            rc = extended; /* tells damage from a disk that fails */
        (void)sqlite3_close(db);
        return open_failed(rc, why);
    }
    *out = db;
    return ERR_OK;
}

enum err pagevfs_open_waiting(struct sqlite3 **out, const char *path, const char *lower, const struct secret *data_key,
                              int wait_ms, struct why *why)
{
    struct pagevfs *v = NULL;
    enum err e = pagevfs_check_library(why);
    if (!e)
        e = pagevfs_vfs_new(&v, lower, data_key, why);
    if (!e)
        e = open_on(v, out, path, wait_ms, why);
    if (e)
        pagevfs_vfs_free(v);
    return e == ERR_TAMPERED && pagevfs_cut_off(path, lower) ? not_yet(why) : e;
}

enum err pagevfs_open(struct sqlite3 **out, const char *path, const char *lower, const struct secret *data_key,
                      struct why *why)
{
    return pagevfs_open_waiting(out, path, lower, data_key, PAGEVFS_WAIT_MS, why);
}

void pagevfs_close(struct sqlite3 *db)
{
    sqlite3_vfs *vfs = NULL;
    if (!db)
        return;
    int rc = sqlite3_file_control(db, "main", SQLITE_FCNTL_VFS_POINTER, &vfs);
    assert(rc == SQLITE_OK && vfs);
    struct pagevfs *v = vfs->pAppData;
    rc = sqlite3_close(db);
    assert(rc == SQLITE_OK); /* a statement or blob is still open: our own bug */
    if (rc == SQLITE_OK)
        pagevfs_vfs_free(v); /* else the connection still uses it: a leak is better than a crash */
}
