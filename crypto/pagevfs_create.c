/* Creation and scan: the two that work on a database file without SQLite's pager.
 *
 * A new database is one page. There is no moment with a rollback journal, and nothing needs a rename: a file of at most
 * one page whose first sector is zero, as far as it goes, is a creation that was cut off; it never held anything, and
 * creating again takes it over. So that a power failure leaves nothing else, the first sector, which proves the key, is
 * written last, by itself, when all that is behind it is on the disk. All through the lower VFS, so that a simulator
 * sees every step. */
#include "crypto/pagevfs.h"
#include "crypto/pagevfs_internal.h"

#include <sodium.h>
#include <string.h>

#define SECTOR    512 /* bytes that a disk writes whole or not at all */
#define LOCK_PAGE (0x40000000u / PAGE_BYTES + 1) /* SQLite keeps its lock bytes there and never writes it (T12) */

/* A file of the lower VFS, outside SQLite. */
struct raw {
    sqlite3_vfs *low;
    sqlite3_file *file;  /* owned; pMethods NULL while closed */
    char *full;          /* owned; absolute path */
    sqlite3_filename db; /* owned; the names in the form that xOpen wants */
};

static enum err raw_failed(int rc, struct why *why)
{
    switch (rc & 0xff) {
    case SQLITE_NOMEM:
        return why_set(why, ERR_NOMEM, "there is not enough memory for the database");
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

static void raw_close_file(struct raw *r)
{
    if (r->file && r->file->pMethods) {
        r->file->pMethods->xClose(r->file);
        r->file->pMethods = NULL;
    }
}

static void raw_release(struct raw *r)
{
    raw_close_file(r);
    sqlite3_free(r->file);
    sqlite3_free(r->full);
    sqlite3_free_filename(r->db);
}

static int raw_init(struct raw *r, const char *path, const char *lower)
{
    *r = (struct raw){.low = sqlite3_vfs_find(lower)};
    if (!r->low)
        return SQLITE_ERROR;
    r->full = sqlite3_malloc(r->low->mxPathname + 1);
    r->file = sqlite3_malloc(r->low->szOsFile);
    if (!r->full || !r->file)
        return SQLITE_NOMEM;
    memset(r->file, 0, (size_t)r->low->szOsFile);
    int rc = r->low->xFullPathname(r->low, path, r->low->mxPathname, r->full);
    if (rc != SQLITE_OK && rc != SQLITE_OK_SYMLINK)
        return SQLITE_CANTOPEN;
    char *wal = sqlite3_mprintf("%s-wal", r->full);
    r->db = wal ? sqlite3_create_filename(r->full, "", wal, 0, NULL) : NULL;
    sqlite3_free(wal);
    return r->db ? SQLITE_OK : SQLITE_NOMEM;
}

static int raw_open(struct raw *r, sqlite3_filename name, int flags)
{
    raw_close_file(r);
    return r->low->xOpen(r->low, name, r->file, flags, NULL);
}

static int raw_lock(struct raw *r)
{
    int rc = r->file->pMethods->xLock(r->file, SQLITE_LOCK_SHARED);
    return rc != SQLITE_OK ? rc : r->file->pMethods->xLock(r->file, SQLITE_LOCK_EXCLUSIVE);
}

static int raw_exists(struct raw *r, sqlite3_filename name, bool *out)
{
    int exists = 0;
    int rc = r->low->xAccess(r->low, name, SQLITE_ACCESS_EXISTS, &exists);
    *out = exists != 0;
    return rc;
}

/* Bytes in the log; 0 where there is none. Opens another file: the database must not be open in r. */
static int log_size(struct raw *r, sqlite3_int64 *out)
{
    bool exists = false;
    sqlite3_filename wal = sqlite3_filename_wal(r->db);
    int rc = raw_exists(r, wal, &exists);
    *out = 0;
    if (rc != SQLITE_OK || !exists)
        return rc;
    /* Asked for as a database: for a log, the unix VFS wants its database beside it. */
    rc = raw_open(r, wal, SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_READWRITE);
    if (rc == SQLITE_OK)
        rc = r->file->pMethods->xFileSize(r->file, out);
    raw_close_file(r);
    return rc;
}

/* ---- create ---- */

/* The first page of an empty database, https://www.sqlite.org/fileformat2.html §1.3 and §1.6, as SQLite's own
 * newDatabase() writes it, in WAL mode. */
static void empty_database(uint8_t page[PAGE_BYTES])
{
    memset(page, 0, PAGE_BYTES);
    memcpy(page, "SQLite format 3", 16);
    page[16] = PAGE_BYTES >> 8;
    page[18] = page[19] = 2; /* write and read version: WAL */
    page[20] = PAGE_RESERVE;
    page[21] = 64;           /* payload fractions, fixed by the format */
    page[22] = page[23] = 32;
    page[31] = 1;            /* pages; valid as change counter (24) and its copy (92) agree */
    page[100] = 0x0d;        /* the schema table: an empty leaf */
    page[105] = (uint8_t)(PAGE_CONTENT >> 8);
    page[106] = (uint8_t)PAGE_CONTENT;
}

/* Does the open file hold anything? */
static int is_blank(struct raw *r, bool *out)
{
    uint8_t first[SECTOR] = {0};
    sqlite3_int64 size = 0;
    int rc = r->file->pMethods->xFileSize(r->file, &size);
    if (rc == SQLITE_OK && size > 0 && size <= PAGE_BYTES)
        rc = r->file->pMethods->xRead(r->file, first, size < SECTOR ? (int)size : SECTOR, 0);
    if (rc == SQLITE_OK)
        *out = size <= PAGE_BYTES && sodium_is_zero(first, sizeof first);
    return rc;
}

bool pagevfs_cut_off(const char *path, const char *lower)
{
    struct raw r;
    bool blank = false;
    sqlite3_int64 log = 0;
    int rc = raw_init(&r, path, lower);
    if (rc == SQLITE_OK)
        rc = log_size(&r, &log);
    if (rc == SQLITE_OK && log == 0)
        rc = raw_open(&r, r.db, SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_READWRITE);
    if (rc == SQLITE_OK && log == 0)
        rc = is_blank(&r, &blank);
    raw_release(&r);
    return rc == SQLITE_OK && blank;
}

static int write_synced(struct raw *r, const uint8_t *p, int n, sqlite3_int64 at)
{
    int rc = r->file->pMethods->xWrite(r->file, p, n, at);
    return rc != SQLITE_OK ? rc : r->file->pMethods->xSync(r->file, SQLITE_SYNC_FULL);
}

static int write_first_page(struct raw *r, const struct secret *data_key)
{
    uint8_t plain[PAGE_BYTES], sealed[PAGE_BYTES], first[SECTOR];
    struct page_keys *keys = NULL;
    if (page_keys_new(&keys, data_key, NULL) != ERR_OK)
        return SQLITE_NOMEM;
    empty_database(plain);
    page_seal_db(keys, 1, plain, sealed);
    page_keys_free(keys);
    memcpy(first, sealed, sizeof first);
    memset(sealed, 0, sizeof first);
    int rc = write_synced(r, sealed, (int)sizeof sealed, 0);
    return rc != SQLITE_OK ? rc : write_synced(r, first, (int)sizeof first, 0);
}

/* Make the new name durable. A VFS has no call for that, but it syncs the directory with the first sync of a new
 * log. */
static int sync_directory(struct raw *r)
{
    sqlite3_filename wal = sqlite3_filename_wal(r->db);
    int rc = raw_open(r, wal, SQLITE_OPEN_WAL | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    if (rc == SQLITE_OK)
        rc = r->file->pMethods->xSync(r->file, SQLITE_SYNC_FULL);
    raw_close_file(r);
    return rc != SQLITE_OK ? rc : r->low->xDelete(r->low, wal, 1);
}

static enum err exists_already(struct why *why)
{
    return why_set(why, ERR_EXISTS, "there is an encrypted database here already; it was left as it is");
}

static enum err create_in(struct raw *r, const struct secret *data_key, struct why *why)
{
    bool blank = false, existed = false;
    sqlite3_int64 log = 0;
    int rc = log_size(r, &log);
    if (rc == SQLITE_OK && log > 0)
        return exists_already(why); /* a log without its database may hold the only copy of somebody's work */
    if (rc == SQLITE_OK)
        rc = raw_exists(r, r->db, &existed);
    if (rc == SQLITE_OK)
        rc = raw_open(r, r->db, SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    if (rc == SQLITE_OK)
        rc = raw_lock(r); /* against another program creating at the same moment */
    if (rc == SQLITE_OK)
        rc = is_blank(r, &blank);
    if (rc == SQLITE_OK && !blank)
        return exists_already(why);
    if (rc == SQLITE_OK)
        rc = write_first_page(r, data_key);
    if (rc != SQLITE_OK) {
        if (blank && !existed) {
            raw_close_file(r);
            (void)r->low->xDelete(r->low, r->db, 0);
        }
        return raw_failed(rc, why);
    }
    raw_close_file(r);
    rc = sync_directory(r);
    return rc != SQLITE_OK ? raw_failed(rc, why) : ERR_OK;
}

enum err pagevfs_create(const char *path, const char *lower, const struct secret *data_key, struct why *why)
{
    struct raw r;
    enum err e = pagevfs_check_library(why);
    if (e)
        return e;
    int rc = raw_init(&r, path, lower);
    e = rc != SQLITE_OK ? raw_failed(rc, why) : create_in(&r, data_key, why);
    raw_release(&r);
    return e;
}

/* ---- scan ---- */

static enum err bad_page(uint32_t pgno, struct why *why)
{
    (void)why_set(why, ERR_TAMPERED, "page %u of the encrypted database is damaged or was changed", pgno);
    return why_next(why, ERR_TAMPERED, "Restore this device's folder from its backup, or enrol the device anew.");
}

static enum err scan_pages(struct raw *r, const struct page_keys *keys, sqlite3_int64 size,
                           enum err (*each)(void *ctx, uint32_t pgno, const uint8_t page[4096]), void *ctx,
                           struct why *why)
{
    uint8_t sealed[PAGE_BYTES], plain[PAGE_BYTES];
    enum err e = ERR_OK;
    uint32_t pages = (uint32_t)((size + PAGE_BYTES - 1) / PAGE_BYTES);
    for (uint32_t pgno = 1; pgno <= pages && !e; pgno++) {
        if (pgno == LOCK_PAGE)
            continue;
        int rc = r->file->pMethods->xRead(r->file, sealed, (int)sizeof sealed, (sqlite3_int64)(pgno - 1) * PAGE_BYTES);
        if (rc != SQLITE_OK && rc != SQLITE_IOERR_SHORT_READ)
            e = raw_failed(rc, why);
        else if (rc != SQLITE_OK || !page_open_db(keys, pgno, sealed, plain))
            e = bad_page(pgno, why);
        else
            e = each(ctx, pgno, plain);
    }
    secret_wipe(plain, sizeof plain);
    return e;
}

static int open_for_scan(struct raw *r, const char *path, sqlite3_int64 *out_size)
{
    sqlite3_int64 log = 0;
    int rc = raw_init(r, path, NULL);
    if (rc == SQLITE_OK)
        rc = log_size(r, &log);
    if (rc == SQLITE_OK && log > 0)
        return SQLITE_BUSY;
    if (rc == SQLITE_OK)
        rc = raw_open(r, r->db, SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_READWRITE);
    if (rc == SQLITE_OK)
        rc = raw_lock(r);
    return rc != SQLITE_OK ? rc : r->file->pMethods->xFileSize(r->file, out_size);
}

enum err pagevfs_scan(const char *path, const struct secret *data_key,
                      enum err (*each)(void *ctx, uint32_t pgno, const uint8_t page[4096]), void *ctx, struct why *why)
{
    struct raw r;
    struct page_keys *keys = NULL;
    sqlite3_int64 size = 0;
    int rc = open_for_scan(&r, path, &size);
    enum err e = ERR_OK;
    if (rc == SQLITE_BUSY)
        e = why_set(why, ERR_BUSY, "the database is in use, or its log is not empty: it cannot be checked now");
    else if (rc != SQLITE_OK)
        e = raw_failed(rc, why);
    if (!e)
        e = page_keys_new(&keys, data_key, why);
    if (!e)
        e = size == 0 ? bad_page(1, why) : scan_pages(&r, keys, size, each, ctx, why);
    page_keys_free(keys);
    raw_release(&r);
    return e;
}
