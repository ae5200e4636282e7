#include "crypto/pagevfs_internal.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* temp_store=MEMORY makes SQLite ask for none of these; statement journals of large transactions still come (T11).
 * They hold plaintext pages, so they live and die in memory. */
struct temp_file {
    sqlite3_file base;
    uint8_t *data;       /* owned */
    sqlite3_int64 size;  /* bytes in use */
    sqlite3_int64 cap;   /* bytes allocated, zeros behind size */
};

#define TEMP_MAX ((sqlite3_int64)1 << 30) /* past this SQLite gets "full": the machine has no more to give */

static struct temp_file *temp_of(sqlite3_file *file)
{
    return (struct temp_file *)(void *)file;
}

static void drop(struct temp_file *t)
{
    if (t->data)
        sodium_memzero(t->data, (size_t)t->cap);
    free(t->data);
    t->data = NULL;
    t->size = t->cap = 0;
}

static int temp_close(sqlite3_file *file)
{
    drop(temp_of(file));
    return SQLITE_OK;
}

static int temp_read(sqlite3_file *file, void *out, int n, sqlite3_int64 at)
{
    struct temp_file *t = temp_of(file);
    sqlite3_int64 have = at < t->size ? t->size - at : 0;
    int take = have < n ? (int)have : n;
    if (take > 0)
        memcpy(out, t->data + at, (size_t)take);
    memset((uint8_t *)out + take, 0, (size_t)(n - take));
    return take < n ? SQLITE_IOERR_SHORT_READ : SQLITE_OK;
}

static int grow(struct temp_file *t, sqlite3_int64 need)
{
    sqlite3_int64 cap = t->cap ? t->cap : 65536;
    if (need > TEMP_MAX)
        return SQLITE_FULL;
    while (cap < need)
        cap *= 2;
    uint8_t *data = calloc(1, (size_t)cap);
    if (!data)
        return SQLITE_IOERR_NOMEM;
    sqlite3_int64 size = t->size;
    if (size)
        memcpy(data, t->data, (size_t)size);
    drop(t); /* not realloc: the old copy is wiped */
    *t = (struct temp_file){.base = t->base, .data = data, .size = size, .cap = cap};
    return SQLITE_OK;
}

static int temp_write(sqlite3_file *file, const void *in, int n, sqlite3_int64 at)
{
    struct temp_file *t = temp_of(file);
    if (at + n > t->cap) {
        int rc = grow(t, at + n);
        if (rc != SQLITE_OK)
            return rc;
    }
    memcpy(t->data + at, in, (size_t)n);
    if (at + n > t->size)
        t->size = at + n;
    return SQLITE_OK;
}

static int temp_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct temp_file *t = temp_of(file);
    if (size < t->size) {
        sodium_memzero(t->data + size, (size_t)(t->size - size));
        t->size = size;
    }
    return SQLITE_OK;
}

static int temp_file_size(sqlite3_file *file, sqlite3_int64 *out)
{
    *out = temp_of(file)->size;
    return SQLITE_OK;
}

static int temp_sync(sqlite3_file *file, int flags)
{
    (void)file;
    (void)flags;
    return SQLITE_OK;
}

static int temp_lock(sqlite3_file *file, int level)
{
    (void)file;
    (void)level;
    return SQLITE_OK;
}

static int temp_check_lock(sqlite3_file *file, int *out)
{
    (void)file;
    *out = 0;
    return SQLITE_OK;
}

static int temp_control(sqlite3_file *file, int op, void *arg)
{
    (void)file;
    (void)op;
    (void)arg;
    return SQLITE_NOTFOUND;
}

static int temp_sector(sqlite3_file *file)
{
    (void)file;
    return (int)PAGE_BYTES;
}

static int temp_traits(sqlite3_file *file)
{
    (void)file;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static const sqlite3_io_methods temp_methods = {
    .iVersion = 1,
    .xClose = temp_close,
    .xRead = temp_read,
    .xWrite = temp_write,
    .xTruncate = temp_truncate,
    .xSync = temp_sync,
    .xFileSize = temp_file_size,
    .xLock = temp_lock,
    .xUnlock = temp_lock,
    .xCheckReservedLock = temp_check_lock,
    .xFileControl = temp_control,
    .xSectorSize = temp_sector,
    .xDeviceCharacteristics = temp_traits,
};

int pagevfs_temp_size(void)
{
    return (int)sizeof(struct temp_file);
}

int pagevfs_temp_open(sqlite3_file *file)
{
    *temp_of(file) = (struct temp_file){.base.pMethods = &temp_methods};
    return SQLITE_OK;
}
