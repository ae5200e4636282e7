#include "crypto/pagevfs_internal.h"

#include <sodium.h>
#include <string.h>

#define LOWER(file) pagevfs_lower_file(file)
#define HEADER_BYTES 100 /* SQLite's database header, https://www.sqlite.org/fileformat2.html §1.3 */

static struct page_file *file_of(sqlite3_file *file)
{
    return (struct page_file *)(void *)file;
}

bool pagevfs_page_storable(uint32_t pgno, const uint8_t *page)
{
    static const uint8_t none[PAGE_RESERVE];
    if (memcmp(page + PAGE_CONTENT, none, sizeof none) != 0)
        return false;
    return pgno != 1 || (memcmp(page, "SQLite format 3", 16) == 0 && page[16] == 0x10 && page[17] == 0 &&
                         page[20] == PAGE_RESERVE);
}

/* ---- the database ---- */

/* Where processes share a database, one that opens it may look at page 1 while another writes that: read again for as
 * long as it changes. */
static bool settled(struct page_file *f, uint32_t pgno, const uint8_t *cipher, uint8_t *out)
{
    sqlite3_file *low = LOWER(f);
    uint8_t *again = f->room->plain;
    bool changed = f->owner->shared;
    for (int tries = 0; changed && tries < 16; tries++) {
        pagevfs_ahead_forget(f);
        if (low->pMethods->xRead(low, again, (int)PAGE_BYTES, (sqlite3_int64)(pgno - 1) * PAGE_BYTES) != SQLITE_OK)
            return false;
        changed = memcmp(again, cipher, PAGE_BYTES) != 0;
        memcpy(f->room->cipher, again, PAGE_BYTES);
        cipher = f->room->cipher;
        if (changed && page_open_db(f->owner->keys, pgno, cipher, out))
            return true;
    }
    return false;
}

static int read_page(struct page_file *f, uint32_t pgno, uint8_t *out)
{
    sqlite3_file *low = LOWER(f);
    sqlite3_int64 at = (sqlite3_int64)(pgno - 1) * PAGE_BYTES, size = 0;
    const uint8_t *cipher = NULL;
    int rc = pagevfs_ahead_read(f, at, &cipher);
    if (rc == SQLITE_IOERR_SHORT_READ) {
        /* Behind the end a new page is about to be; a page cut short is damage. */
        memset(out, 0, PAGE_BYTES);
        rc = low->pMethods->xFileSize(low, &size);
        return rc != SQLITE_OK ? rc : at >= size ? SQLITE_IOERR_SHORT_READ : SQLITE_IOERR_DATA;
    }
    if (rc != SQLITE_OK)
        return rc;
    if (page_open_db(f->owner->keys, pgno, cipher, out) || settled(f, pgno, cipher, out))
        return SQLITE_OK;
    sqlite3_log(SQLITE_IOERR_DATA, "spoke: database page %u is not authentic", pgno);
    return SQLITE_IOERR_DATA;
}

/* SQLite reads the header for its geometry before it looks at the log. Ours is the same for every database, so the
 * answer does not depend on a page 1 that a checkpoint may have torn and the log will heal (T3). For the same reason a
 * new, empty file has the right geometry from the start (T9). */
static void constant_header(uint8_t *out)
{
    memset(out, 0, HEADER_BYTES);
    memcpy(out, "SQLite format 3", 16);
    out[16] = PAGE_BYTES >> 8;
    out[18] = out[19] = 2; /* WAL */
    out[20] = PAGE_RESERVE;
}

/* VACUUM INTO sets the geometry of an empty file itself, and takes a given one for "out of memory" (T9). */
static int unborn_header(struct page_file *f, uint8_t *out)
{
    sqlite3_int64 size = 0;
    int rc = LOWER(f)->pMethods->xFileSize(LOWER(f), &size);
    if (rc != SQLITE_OK || size > 0)
        return rc;
    memset(out, 0, HEADER_BYTES);
    return SQLITE_IOERR_SHORT_READ;
}

int pagevfs_db_read(struct page_file *f, uint8_t *out, int n, sqlite3_int64 at)
{
    if (at == 0 && n == HEADER_BYTES) {
        constant_header(out);
        return f->owner->unborn ? unborn_header(f, out) : SQLITE_OK;
    }
    if (n == (int)PAGE_BYTES && at % PAGE_BYTES == 0)
        return read_page(f, (uint32_t)(at / PAGE_BYTES) + 1, out);
    /* The change counter (16 bytes at 24), and overflow pages that SQLite reads past its cache. */
    int within = (int)(at % PAGE_BYTES);
    if (within + n > (int)PAGE_BYTES)
        return SQLITE_IOERR_READ;
    int rc = read_page(f, (uint32_t)(at / PAGE_BYTES) + 1, f->room->plain);
    if (rc == SQLITE_IOERR_DATA && at == 24 && n == 16)
        rc = SQLITE_IOERR_SHORT_READ; /* "unknown": SQLite only drops its cache, then reads page 1 from the log (T3) */
    if (rc == SQLITE_OK)
        memcpy(out, f->room->plain + within, (size_t)n);
    else
        memset(out, 0, (size_t)n);
    return rc;
}

int pagevfs_db_write(struct page_file *f, const uint8_t *in, int n, sqlite3_int64 at)
{
    sqlite3_file *low = LOWER(f);
    uint32_t pgno = (uint32_t)(at / PAGE_BYTES) + 1;
    if (n != (int)PAGE_BYTES || at % PAGE_BYTES != 0 || !pagevfs_page_storable(pgno, in))
        return SQLITE_IOERR_WRITE;
    /* Into a buffer of ours: SQLite's page must not change under it (T1). */
    pagevfs_ahead_forget(f);
    if (f->owner->unborn && pgno == 1) { /* whatever journal SQLite filled it with, it is a database with a log */
        memcpy(f->room->plain, in, PAGE_BYTES);
        f->room->plain[18] = f->room->plain[19] = 2;
        in = f->room->plain;
    }
    page_seal_db(f->owner->keys, pgno, in, f->room->cipher);
    return low->pMethods->xWrite(low, f->room->cipher, n, at);
}

/* ---- sqlite3_io_methods ---- */

static void room_release(struct page_file *f)
{
    if (f->room != NULL)
        sodium_memzero(f->room, sizeof *f->room);
    sqlite3_free(f->room);
    f->room = NULL;
}

static int file_close(sqlite3_file *file)
{
    struct page_file *f = file_of(file);
    int rc = f->kind == PAGE_WAL ? pagevfs_wal_flush(f) : SQLITE_OK;
    int closed = LOWER(f)->pMethods->xClose(LOWER(f));
    if (f->kind == PAGE_DB)
        f->owner->main_open = false;
    sodium_memzero(&f->frame, sizeof f->frame);
    room_release(f);
    file->pMethods = NULL;
    return rc != SQLITE_OK ? rc : closed;
}

static int file_read(sqlite3_file *file, void *out, int n, sqlite3_int64 at)
{
    struct page_file *f = file_of(file);
    return f->kind == PAGE_DB ? pagevfs_db_read(f, out, n, at) : pagevfs_wal_read(f, out, n, at);
}

static int file_write(sqlite3_file *file, const void *in, int n, sqlite3_int64 at)
{
    struct page_file *f = file_of(file);
    return f->kind == PAGE_DB ? pagevfs_db_write(f, in, n, at) : pagevfs_wal_write(f, in, n, at);
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct page_file *f = file_of(file);
    if (f->kind == PAGE_WAL)
        return pagevfs_wal_truncate(f, size);
    pagevfs_ahead_forget(f);
    return LOWER(f)->pMethods->xTruncate(LOWER(f), size);
}

static int file_sync(sqlite3_file *file, int flags)
{
    struct page_file *f = file_of(file);
    return f->kind == PAGE_WAL ? pagevfs_wal_sync(f, flags) : LOWER(f)->pMethods->xSync(LOWER(f), flags);
}

static int file_size(sqlite3_file *file, sqlite3_int64 *out)
{
    struct page_file *f = file_of(file);
    int rc = f->kind == PAGE_WAL ? pagevfs_wal_flush(f) : SQLITE_OK;
    return rc == SQLITE_OK ? LOWER(f)->pMethods->xFileSize(LOWER(f), out) : rc;
}

/* One process at a time: every lock is the exclusive one, and it is kept until SQLite lets all go. Were it left to
 * SQLite's exclusive mode, two starting programs could each hold the shared lock and wait for the other. */
static int file_lock(sqlite3_file *file, int level)
{
    struct page_file *f = file_of(file);
    sqlite3_file *low = LOWER(f);
    if (f->owner->shared)
        return low->pMethods->xLock(low, level);
    if (level == SQLITE_LOCK_NONE || f->locked)
        return SQLITE_OK;
    pagevfs_ahead_forget(f);
    int rc = low->pMethods->xLock(low, SQLITE_LOCK_SHARED);
    if (rc == SQLITE_OK)
        rc = low->pMethods->xLock(low, SQLITE_LOCK_EXCLUSIVE);
    if (rc == SQLITE_OK)
        f->locked = true;
    else
        (void)low->pMethods->xUnlock(low, SQLITE_LOCK_NONE);
    return rc;
}

static int file_unlock(sqlite3_file *file, int level)
{
    struct page_file *f = file_of(file);
    if (f->owner->shared)
        return LOWER(f)->pMethods->xUnlock(LOWER(f), level);
    if (level != SQLITE_LOCK_NONE || !f->locked)
        return SQLITE_OK;
    f->locked = false;
    return LOWER(f)->pMethods->xUnlock(LOWER(f), SQLITE_LOCK_NONE);
}

static int file_check_lock(sqlite3_file *file, int *out)
{
    struct page_file *f = file_of(file);
    *out = 0;
    return f->locked ? SQLITE_OK : LOWER(f)->pMethods->xCheckReservedLock(LOWER(f), out);
}

static int file_control(sqlite3_file *file, int op, void *arg)
{
    struct page_file *f = file_of(file);
    switch (op) {
    case SQLITE_FCNTL_CHUNK_SIZE:
    case SQLITE_FCNTL_SIZE_HINT:
        return SQLITE_OK; /* preallocated zeros would be pages that are not authentic (T8, T12) */
    case SQLITE_FCNTL_MMAP_SIZE:
        *(sqlite3_int64 *)arg = 0;
        return SQLITE_OK;
    case SQLITE_FCNTL_BEGIN_ATOMIC_WRITE:
    case SQLITE_FCNTL_COMMIT_ATOMIC_WRITE:
    case SQLITE_FCNTL_ROLLBACK_ATOMIC_WRITE:
        return SQLITE_NOTFOUND;
    case SQLITE_FCNTL_PRAGMA:
        return f->owner->shared ? pagevfs_pragma_shared(arg) : pagevfs_pragma(arg);
    case SQLITE_FCNTL_VFSNAME:
        *(char **)arg = sqlite3_mprintf("spoke");
        return SQLITE_OK;
    default:
        return LOWER(f)->pMethods->xFileControl(LOWER(f), op, arg);
    }
}

static int file_sector(sqlite3_file *file)
{
    struct page_file *f = file_of(file);
    return LOWER(f)->pMethods->xSectorSize(LOWER(f));
}

/* An allow-list: what a lower file promises of atomic writes does not hold for ours, and IMMUTABLE would drop locks. */
static int file_traits(sqlite3_file *file)
{
    struct page_file *f = file_of(file);
    return LOWER(f)->pMethods->xDeviceCharacteristics(LOWER(f)) &
           (SQLITE_IOCAP_POWERSAFE_OVERWRITE | SQLITE_IOCAP_UNDELETABLE_WHEN_OPEN | SQLITE_IOCAP_SAFE_APPEND |
            SQLITE_IOCAP_SEQUENTIAL);
}

/* Version 1: no mmap, and no shared memory, so that SQLite can have WAL only with its index on the heap (T7). */
static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_lock,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_traits,
};

const sqlite3_io_methods *pagevfs_file_methods(void)
{
    return &methods;
}

/* ---- opening ---- */

/* The key must be proven before SQLite sees a log that it would find empty under a wrong key, and delete (T2). The
 * constant prefix of page 1 proves it. Where a crash has torn even that, an authentic frame of the log does; a log can
 * show that a key is right, never that it is wrong. */
static int prove_key(struct page_file *f, const char *name)
{
    uint8_t want[PAGE_PREFIX], got[PAGE_PREFIX];
    sqlite3_file *low = LOWER(f);
    int rc = low->pMethods->xRead(low, got, sizeof got, 0);
    if (rc != SQLITE_OK && rc != SQLITE_IOERR_SHORT_READ)
        return rc;
    if (f->owner->unborn)
        return SQLITE_OK;
    page_prefix(f->owner->keys, want);
    if (rc == SQLITE_OK && memcmp(want, got, sizeof want) == 0)
        return SQLITE_OK;
    return pagevfs_wal_proves_key(f->owner, sqlite3_filename_wal(name)) ? SQLITE_OK : SQLITE_NOTADB;
}

int pagevfs_file_open(struct pagevfs *v, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
    struct page_file *f = file_of(file);
    bool main = (flags & SQLITE_OPEN_MAIN_DB) != 0;
    memset(f, 0, sizeof *f);
    if (main == v->main_open)
        return SQLITE_CANTOPEN; /* a second database (ATTACH), or a log without its database */
    f->kind = main ? PAGE_DB : PAGE_WAL;
    f->owner = v;
    f->room = sqlite3_malloc((int)sizeof *f->room);
    if (f->room == NULL)
        return SQLITE_NOMEM;
    memset(f->room, 0, sizeof *f->room);
    pagevfs_wal_reset(f);
    int rc = v->lower->xOpen(v->lower, name, LOWER(f), flags, out_flags);
    if (rc == SQLITE_OK && main)
        rc = prove_key(f, name);
    if (rc != SQLITE_OK) {
        if (LOWER(f)->pMethods)
            LOWER(f)->pMethods->xClose(LOWER(f));
        room_release(f);
        return rc;
    }
    if (main)
        v->main_open = true;
    file->pMethods = v->methods ? v->methods : &methods;
    return SQLITE_OK;
}
