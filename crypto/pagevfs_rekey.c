/* A database under another data key: a copy, page by page, into another file. The first sector, which proves the key,
 * is written last, when all that is behind it is on the disk, as in pagevfs_create.c: so a crash leaves no half of a
 * database that opens. */
#include "crypto/pagevfs.h"
#include "crypto/pagevfs_internal.h"
#include "crypto/pagevfs_raw.h"

#include <string.h>

struct rekey {
    struct raw from, to;
    struct page_keys *old_keys, *new_keys;
    uint32_t pages;
    bool begun;                 /* `to` was ours to write */
    uint8_t sealed[PAGE_BYTES]; /* a page as it lies on the disk */
    uint8_t first[RAW_SECTOR];  /* of `to`, held back */
};

/* What lies there under that name may be an older database with its log: neither may be taken for a part of ours. */
static int begin(struct rekey *k)
{
    static const uint8_t nothing[RAW_SECTOR];
    struct raw *to = &k->to;
    sqlite3_filename wal = sqlite3_filename_wal(to->db);
    sqlite3_int64 size = 0;
    bool log = false;
    int rc = pagevfs_raw_open(to, to->db, SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    if (rc == SQLITE_OK) rc = pagevfs_raw_lock(to);
    if (rc != SQLITE_OK) return rc;
    k->begun = true;
    rc = pagevfs_raw_exists(to, wal, &log);
    if (rc == SQLITE_OK && log) rc = to->low->xDelete(to->low, wal, 1);
    if (rc == SQLITE_OK) rc = to->file->pMethods->xFileSize(to->file, &size);
    return rc != SQLITE_OK || size == 0 ? rc : pagevfs_raw_write_synced(to, nothing, (int)sizeof nothing, 0);
}

static enum err copy_page(struct rekey *k, uint32_t pgno, struct why *why)
{
    uint8_t plain[PAGE_BYTES];
    sqlite3_int64 at = (sqlite3_int64)(pgno - 1) * PAGE_BYTES;
    int rc = k->from.file->pMethods->xRead(k->from.file, k->sealed, (int)PAGE_BYTES, at);
    if (rc != SQLITE_OK && rc != SQLITE_IOERR_SHORT_READ) return pagevfs_raw_failed(rc, why);
    if (rc != SQLITE_OK || !page_open_db(k->old_keys, pgno, k->sealed, plain)) return pagevfs_raw_bad_page(pgno, why);
    page_seal_db(k->new_keys, pgno, plain, k->sealed);
    secret_wipe(plain, sizeof plain);
    if (pgno == 1) {
        memcpy(k->first, k->sealed, sizeof k->first);
        memset(k->sealed, 0, sizeof k->first);
    }
    rc = k->to.file->pMethods->xWrite(k->to.file, k->sealed, (int)PAGE_BYTES, at);
    return rc != SQLITE_OK ? pagevfs_raw_failed(rc, why) : ERR_OK;
}

static int finish(struct rekey *k)
{
    struct raw *to = &k->to;
    int rc = to->file->pMethods->xTruncate(to->file, (sqlite3_int64)k->pages * PAGE_BYTES);
    if (rc == SQLITE_OK) rc = to->file->pMethods->xSync(to->file, SQLITE_SYNC_FULL);
    if (rc == SQLITE_OK) rc = pagevfs_raw_write_synced(to, k->first, (int)sizeof k->first, 0);
    return rc != SQLITE_OK ? rc : pagevfs_raw_sync_directory(to);
}

static enum err copy(struct rekey *k, struct why *why)
{
    enum err e = ERR_OK;
    int rc = begin(k);
    if (rc != SQLITE_OK) return pagevfs_raw_failed(rc, why);
    for (uint32_t pgno = 1; pgno <= k->pages && !e; pgno++)
        if (pgno != RAW_LOCK_PAGE) e = copy_page(k, pgno, why);
    if (e) return e;
    rc = finish(k);
    return rc != SQLITE_OK ? pagevfs_raw_failed(rc, why) : ERR_OK;
}

static enum err open_both(struct rekey *k, const char *from, const char *to, const char *lower, struct why *why)
{
    sqlite3_int64 size = 0;
    int rc = pagevfs_raw_open_closed(&k->from, from, lower, &size);
    if (rc == SQLITE_BUSY)
        return why_set(why, ERR_BUSY, "the database is in use, or its log is not empty: it cannot be copied now");
    if (rc == SQLITE_OK) rc = pagevfs_raw_init(&k->to, to, sqlite3_vfs_find(lower));
    if (rc != SQLITE_OK) return pagevfs_raw_failed(rc, why);
    k->pages = (uint32_t)((size + PAGE_BYTES - 1) / PAGE_BYTES);
    return size == 0 ? pagevfs_raw_bad_page(1, why) : ERR_OK;
}

enum err pagevfs_rekey(const char *from, const struct secret *from_key, const char *to, const struct secret *to_key,
                       const char *lower, struct why *why)
{
    struct rekey k = {0};
    enum err e = page_keys_new(&k.old_keys, from_key, 0, why);
    if (!e) e = page_keys_new(&k.new_keys, to_key, 0, why);
    if (!e) e = open_both(&k, from, to, lower, why);
    if (!e) e = copy(&k, why);
    if (e && k.begun) { /* it proves no key, and a full disk wants its room back */
        pagevfs_raw_close(&k.to);
        (void)k.to.low->xDelete(k.to.low, k.to.db, 0);
    }
    pagevfs_raw_release(&k.from);
    pagevfs_raw_release(&k.to);
    page_keys_free(k.old_keys);
    page_keys_free(k.new_keys);
    return e;
}
