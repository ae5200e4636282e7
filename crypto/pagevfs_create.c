/* Creation and scan: the two that work on a database file without SQLite's pager.
 *
 * A new database is one page. There is no moment with a rollback journal, and nothing needs a rename: a file of at most
 * one page whose first sector is zero, as far as it goes, is a creation that was cut off; it never held anything, and
 * creating again takes it over. So that a power failure leaves nothing else, the first sector, which proves the key, is
 * written last, by itself, when all that is behind it is on the disk. All through the lower VFS, so that a simulator
 * sees every step. */
#include "crypto/pagevfs.h"
#include "crypto/pagevfs_internal.h"
#include "crypto/pagevfs_raw.h"

#include <sodium.h>
#include <string.h>

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
    uint8_t first[RAW_SECTOR] = {0};
    sqlite3_int64 size = 0;
    int rc = r->file->pMethods->xFileSize(r->file, &size);
    if (rc == SQLITE_OK && size > 0 && size <= PAGE_BYTES)
        rc = r->file->pMethods->xRead(r->file, first, size < RAW_SECTOR ? (int)size : RAW_SECTOR, 0);
    if (rc == SQLITE_OK)
        *out = size <= PAGE_BYTES && sodium_is_zero(first, sizeof first);
    return rc;
}

bool pagevfs_cut_off(const char *path, const char *lower)
{
    struct raw r;
    bool blank = false;
    sqlite3_int64 log = 0;
    int rc = pagevfs_raw_init(&r, path, sqlite3_vfs_find(lower));
    if (rc == SQLITE_OK)
        rc = pagevfs_raw_log_size(&r, &log);
    if (rc == SQLITE_OK && log == 0)
        rc = pagevfs_raw_open(&r, r.db, SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_READWRITE);
    if (rc == SQLITE_OK && log == 0)
        rc = is_blank(&r, &blank);
    pagevfs_raw_release(&r);
    return rc == SQLITE_OK && blank;
}

static int write_first_page(struct raw *r, const struct secret *data_key, uint32_t file)
{
    uint8_t plain[PAGE_BYTES], sealed[PAGE_BYTES], first[RAW_SECTOR];
    struct page_keys *keys = NULL;
    if (page_keys_new(&keys, data_key, file, NULL) != ERR_OK)
        return SQLITE_NOMEM;
    empty_database(plain);
    page_seal_db(keys, 1, plain, sealed);
    page_keys_free(keys);
    memcpy(first, sealed, sizeof first);
    memset(sealed, 0, sizeof first);
    int rc = pagevfs_raw_write_synced(r, sealed, (int)sizeof sealed, 0);
    return rc != SQLITE_OK ? rc : pagevfs_raw_write_synced(r, first, (int)sizeof first, 0);
}

static enum err exists_already(struct why *why)
{
    return why_set(why, ERR_EXISTS, "there is an encrypted database here already; it was left as it is");
}

static enum err create_in(struct raw *r, const struct secret *data_key, uint32_t file, struct why *why)
{
    bool blank = false, existed = false;
    sqlite3_int64 log = 0;
    int rc = pagevfs_raw_log_size(r, &log);
    if (rc == SQLITE_OK && log > 0)
        return exists_already(why); /* a log without its database may hold the only copy of somebody's work */
    if (rc == SQLITE_OK)
        rc = pagevfs_raw_exists(r, r->db, &existed);
    if (rc == SQLITE_OK)
        rc = pagevfs_raw_open(r, r->db, SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    if (rc == SQLITE_OK)
        rc = pagevfs_raw_lock(r); /* against another program creating at the same moment */
    if (rc == SQLITE_OK)
        rc = is_blank(r, &blank);
    if (rc == SQLITE_OK && !blank)
        return exists_already(why);
    if (rc == SQLITE_OK)
        rc = write_first_page(r, data_key, file);
    if (rc != SQLITE_OK) {
        if (blank && !existed) {
            pagevfs_raw_close(r);
            (void)r->low->xDelete(r->low, r->db, 0);
        }
        return pagevfs_raw_failed(rc, why);
    }
    rc = pagevfs_raw_sync_directory(r);
    return rc != SQLITE_OK ? pagevfs_raw_failed(rc, why) : ERR_OK;
}

enum err pagevfs_create_numbered(const char *path, sqlite3_vfs *lower, const struct secret *data_key, uint32_t file,
                                 struct why *why)
{
    struct raw r;
    int rc = pagevfs_raw_init(&r, path, lower);
    enum err e = rc != SQLITE_OK ? pagevfs_raw_failed(rc, why) : create_in(&r, data_key, file, why);
    pagevfs_raw_release(&r);
    return e;
}

enum err pagevfs_create(const char *path, const char *lower, const struct secret *data_key, struct why *why)
{
    enum err e = pagevfs_check_library(why);
    return e ? e : pagevfs_create_numbered(path, sqlite3_vfs_find(lower), data_key, 0, why);
}

/* ---- scan ---- */

static enum err scan_pages(struct raw *r, const struct page_keys *keys, sqlite3_int64 size,
                           enum err (*each)(void *ctx, uint32_t pgno, const uint8_t page[4096]), void *ctx,
                           struct why *why)
{
    uint8_t sealed[PAGE_BYTES], plain[PAGE_BYTES];
    enum err e = ERR_OK;
    uint32_t pages = (uint32_t)((size + PAGE_BYTES - 1) / PAGE_BYTES);
    for (uint32_t pgno = 1; pgno <= pages && !e; pgno++) {
        if (pgno == RAW_LOCK_PAGE)
            continue;
        int rc = r->file->pMethods->xRead(r->file, sealed, (int)sizeof sealed, (sqlite3_int64)(pgno - 1) * PAGE_BYTES);
        if (rc != SQLITE_OK && rc != SQLITE_IOERR_SHORT_READ)
            e = pagevfs_raw_failed(rc, why);
        else if (rc != SQLITE_OK || !page_open_db(keys, pgno, sealed, plain))
            e = pagevfs_raw_bad_page(pgno, why);
        else
            e = each(ctx, pgno, plain);
    }
    secret_wipe(plain, sizeof plain);
    return e;
}

enum err pagevfs_scan(const char *path, const struct secret *data_key,
                      enum err (*each)(void *ctx, uint32_t pgno, const uint8_t page[4096]), void *ctx, struct why *why)
{
    struct raw r;
    struct page_keys *keys = NULL;
    sqlite3_int64 size = 0;
    int rc = pagevfs_raw_open_closed(&r, path, NULL, &size);
    enum err e = ERR_OK;
    if (rc == SQLITE_BUSY)
        e = why_set(why, ERR_BUSY, "the database is in use, or its log is not empty: it cannot be checked now");
    else if (rc != SQLITE_OK)
        e = pagevfs_raw_failed(rc, why);
    if (!e)
        e = page_keys_new(&keys, data_key, 0, why);
    if (!e)
        e = size == 0 ? pagevfs_raw_bad_page(1, why) : scan_pages(&r, keys, size, each, ctx, why);
    page_keys_free(keys);
    pagevfs_raw_release(&r);
    return e;
}
