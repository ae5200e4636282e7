#include "crypto/pagevfs_raw.h"

#include <string.h>

enum err pagevfs_raw_failed(int rc, struct why *why)
{
    switch (rc & 0xff) {
    case SQLITE_NOMEM: return why_set(why, ERR_NOMEM, "there is not enough memory for the database");
    case SQLITE_FULL:
        (void)why_set(why, ERR_FULL, "the disk is full, so no database could be made");
        return why_next(why, ERR_FULL, "Free some space and try again.");
    case SQLITE_BUSY:
        (void)why_set(why, ERR_BUSY, "another Spoke program is using this home");
        return why_next(why, ERR_BUSY, "Close the other program and try again.");
    default:
        (void)why_set(why, ERR_IO, "the computer could not read or write the database file (code %d)", rc);
        return why_next(why, ERR_IO, "Check the disk and the permissions of the folder, then try again.");
    }
}

enum err pagevfs_raw_bad_page(uint32_t pgno, struct why *why)
{
    (void)why_set(why, ERR_TAMPERED, "page %u of the encrypted database is damaged or was changed", pgno);
    return why_next(why, ERR_TAMPERED, "Restore this device's folder from its backup, or enrol the device anew.");
}

static void close_file(sqlite3_file *file)
{
    if (file && file->pMethods) {
        file->pMethods->xClose(file);
        file->pMethods = NULL;
    }
}

void pagevfs_raw_close(struct raw *r)
{
    close_file(r->file);
}

void pagevfs_raw_release(struct raw *r)
{
    close_file(r->file);
    sqlite3_free(r->file);
    sqlite3_free(r->full);
    sqlite3_free_filename(r->db);
}

static sqlite3_file *new_file(sqlite3_vfs *low)
{
    sqlite3_file *file = sqlite3_malloc(low->szOsFile);
    if (file) memset(file, 0, (size_t)low->szOsFile);
    return file;
}

int pagevfs_raw_init(struct raw *r, const char *path, sqlite3_vfs *lower)
{
    *r = (struct raw){.low = lower};
    if (!r->low) return SQLITE_ERROR;
    r->full = sqlite3_malloc(r->low->mxPathname + 1);
    r->file = new_file(r->low);
    if (!r->full || !r->file) return SQLITE_NOMEM;
    int rc = r->low->xFullPathname(r->low, path, r->low->mxPathname, r->full);
    if (rc != SQLITE_OK && rc != SQLITE_OK_SYMLINK) return SQLITE_CANTOPEN;
    char *wal = sqlite3_mprintf("%s-wal", r->full);
    r->db = wal ? sqlite3_create_filename(r->full, "", wal, 0, NULL) : NULL;
    sqlite3_free(wal);
    return r->db ? SQLITE_OK : SQLITE_NOMEM;
}

int pagevfs_raw_open(struct raw *r, sqlite3_filename name, int flags)
{
    close_file(r->file);
    return r->low->xOpen(r->low, name, r->file, flags, NULL);
}

int pagevfs_raw_lock(struct raw *r)
{
    int rc = r->file->pMethods->xLock(r->file, SQLITE_LOCK_SHARED);
    return rc != SQLITE_OK ? rc : r->file->pMethods->xLock(r->file, SQLITE_LOCK_EXCLUSIVE);
}

int pagevfs_raw_exists(struct raw *r, sqlite3_filename name, bool *out)
{
    int exists = 0;
    int rc = r->low->xAccess(r->low, name, SQLITE_ACCESS_EXISTS, &exists);
    *out = exists != 0;
    return rc;
}

int pagevfs_raw_log_size(struct raw *r, sqlite3_int64 *out)
{
    bool exists = false;
    sqlite3_filename wal = sqlite3_filename_wal(r->db);
    int rc = pagevfs_raw_exists(r, wal, &exists);
    *out = 0;
    if (rc != SQLITE_OK || !exists) return rc;
    sqlite3_file *log = new_file(r->low);
    if (!log) return SQLITE_NOMEM;
    /* Asked for as a database: for a log, the unix VFS wants its database beside it. */
    rc = r->low->xOpen(r->low, wal, log, SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_READWRITE, NULL);
    if (rc == SQLITE_OK) rc = log->pMethods->xFileSize(log, out);
    close_file(log);
    sqlite3_free(log);
    return rc;
}

int pagevfs_raw_write_synced(struct raw *r, const uint8_t *p, int n, sqlite3_int64 at)
{
    int rc = r->file->pMethods->xWrite(r->file, p, n, at);
    return rc != SQLITE_OK ? rc : r->file->pMethods->xSync(r->file, SQLITE_SYNC_FULL);
}

/* A VFS has no call for that, but it syncs the directory with the first sync of a new log. The database stays open and
 * locked meanwhile: else another process could begin a log of its own, which we would remove. */
int pagevfs_raw_sync_directory(struct raw *r)
{
    sqlite3_filename wal = sqlite3_filename_wal(r->db);
    sqlite3_file *log = new_file(r->low);
    if (!log) return SQLITE_NOMEM;
    int rc = r->low->xOpen(r->low, wal, log, SQLITE_OPEN_WAL | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    if (rc == SQLITE_OK) rc = log->pMethods->xSync(log, SQLITE_SYNC_FULL);
    close_file(log);
    sqlite3_free(log);
    return rc != SQLITE_OK ? rc : r->low->xDelete(r->low, wal, 1);
}

int pagevfs_raw_open_closed(struct raw *r, const char *path, const char *lower, sqlite3_int64 *out_size)
{
    sqlite3_int64 log = 0;
    int rc = pagevfs_raw_init(r, path, sqlite3_vfs_find(lower));
    if (rc == SQLITE_OK) rc = pagevfs_raw_open(r, r->db, SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_READWRITE);
    if (rc == SQLITE_OK) rc = pagevfs_raw_lock(r);
    if (rc == SQLITE_OK) /* after the lock: nobody fills it now */
        rc = pagevfs_raw_log_size(r, &log);
    if (rc == SQLITE_OK && log > 0) return SQLITE_BUSY;
    return rc != SQLITE_OK ? rc : r->file->pMethods->xFileSize(r->file, out_size);
}
