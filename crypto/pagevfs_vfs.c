#include "crypto/pagevfs_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct pagevfs *owner_of(sqlite3_vfs *vfs)
{
    return vfs->pAppData;
}

static bool ends_with(const char *s, const char *tail)
{
    size_t n = strlen(s), m = strlen(tail);
    return n >= m && strcmp(s + n - m, tail) == 0;
}

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
    file->pMethods = NULL;
    if (flags & (SQLITE_OPEN_TEMP_DB | SQLITE_OPEN_TRANSIENT_DB | SQLITE_OPEN_TEMP_JOURNAL | SQLITE_OPEN_SUBJOURNAL)) {
        if (out_flags)
            *out_flags = flags;
        return pagevfs_temp_open(file);
    }
    if (name && flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL))
        return pagevfs_file_open(owner_of(vfs), name, file, flags, out_flags);
    return SQLITE_CANTOPEN; /* journals and super-journals (T7) */
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync_dir)
{
    sqlite3_vfs *low = owner_of(vfs)->lower;
    if (ends_with(name, "-journal"))
        return SQLITE_OK; /* we never made it */
    return low->xDelete(low, name, sync_dir);
}

/* A journal that somebody planted would be rolled back into the database: there is none, whatever the disk says. */
static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    sqlite3_vfs *low = owner_of(vfs)->lower;
    *out = 0;
    return ends_with(name, "-journal") ? SQLITE_OK : low->xAccess(low, name, flags, out);
}

static int vfs_full_pathname(sqlite3_vfs *vfs, const char *name, int n, char *out)
{
    sqlite3_vfs *low = owner_of(vfs)->lower;
    return low->xFullPathname(low, name, n, out);
}

static void *vfs_dl_open(sqlite3_vfs *vfs, const char *name)
{
    (void)vfs;
    (void)name;
    return NULL; /* no foreign code beside the keys */
}

static void vfs_dl_error(sqlite3_vfs *vfs, int n, char *out)
{
    (void)vfs;
    sqlite3_snprintf(n, out, "extensions cannot be loaded");
}

static void (*vfs_dl_sym(sqlite3_vfs *vfs, void *handle, const char *name))(void)
{
    (void)vfs;
    (void)handle;
    (void)name;
    return NULL;
}

static void vfs_dl_close(sqlite3_vfs *vfs, void *handle)
{
    (void)vfs;
    (void)handle;
}

static int vfs_randomness(sqlite3_vfs *vfs, int n, char *out)
{
    sqlite3_vfs *low = owner_of(vfs)->lower;
    return low->xRandomness(low, n, out);
}

static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
    sqlite3_vfs *low = owner_of(vfs)->lower;
    return low->xSleep(low, us);
}

static int vfs_time(sqlite3_vfs *vfs, double *out)
{
    sqlite3_vfs *low = owner_of(vfs)->lower;
    return low->xCurrentTime(low, out);
}

static int vfs_last_error(sqlite3_vfs *vfs, int n, char *out)
{
    sqlite3_vfs *low = owner_of(vfs)->lower;
    return low->xGetLastError ? low->xGetLastError(low, n, out) : 0;
}

void pagevfs_vfs_fill(struct pagevfs *v)
{
    int own = (int)sizeof(struct page_file) + v->lower->szOsFile;
    int temp = pagevfs_temp_size();
    v->vfs = (sqlite3_vfs){
        .iVersion = 1,
        .szOsFile = own > temp ? own : temp,
        .mxPathname = v->lower->mxPathname,
        .zName = v->name,
        .pAppData = v,
        .xOpen = vfs_open,
        .xDelete = vfs_delete,
        .xAccess = vfs_access,
        .xFullPathname = vfs_full_pathname,
        .xDlOpen = vfs_dl_open,
        .xDlError = vfs_dl_error,
        .xDlSym = vfs_dl_sym,
        .xDlClose = vfs_dl_close,
        .xRandomness = vfs_randomness,
        .xSleep = vfs_sleep,
        .xCurrentTime = vfs_time,
        .xGetLastError = vfs_last_error,
    };
}

enum err pagevfs_vfs_new(struct pagevfs **out, const char *lower, const struct secret *data_key, struct why *why)
{
    enum err e;
    sqlite3_vfs *low = sqlite3_vfs_find(lower);
    if (!low)
        return why_set(why, ERR_FAILED, "the file layer below the encrypted database is missing");
    struct pagevfs *v = calloc(1, sizeof *v);
    if (!v)
        return why_set(why, ERR_NOMEM, "there is not enough memory to open the database");
    v->lower = low;
    e = page_keys_new(&v->keys, data_key, 0, why);
    if (e)
        goto out;
    (void)snprintf(v->name, sizeof v->name, "spoke-%p", (void *)v);
    pagevfs_vfs_fill(v);
    if (sqlite3_vfs_register(&v->vfs, 0) != SQLITE_OK) {
        e = why_set(why, ERR_FAILED, "the encrypted database could not be set up");
        goto out;
    }
    *out = v;
    v = NULL;
out:
    if (v)
        page_keys_free(v->keys);
    free(v);
    return e;
}

void pagevfs_vfs_free(struct pagevfs *v)
{
    if (!v)
        return;
    sqlite3_vfs_unregister(&v->vfs);
    page_keys_free(v->keys);
    free(v);
}
