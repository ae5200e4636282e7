#include "crypto/spokevfs.h"

#define SQLITE_CORE 1 /* linked to the library: no table of its functions */
#include <sqlite3ext.h>

#include <stdlib.h>
#include <string.h>

static struct spokevfs *home_of(sqlite3_vfs *vfs)
{
    return (struct spokevfs *)vfs->pAppData;
}

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
    struct spokevfs *home = home_of(vfs);
    const int temporary =
        SQLITE_OPEN_TEMP_DB | SQLITE_OPEN_TRANSIENT_DB | SQLITE_OPEN_TEMP_JOURNAL | SQLITE_OPEN_SUBJOURNAL;
    file->pMethods = NULL;
    if (name && flags & SQLITE_OPEN_MAIN_DB) return spokevfs_db_open(home, name, file, flags, out_flags);
    if (name && flags & SQLITE_OPEN_WAL) return spokevfs_log_open(home, name, file, flags, out_flags);
    /* What VACUUM INTO fills has no log yet; when it is cut off, nothing is lost but the copy. */
    if (flags & temporary || (name && flags & SQLITE_OPEN_MAIN_JOURNAL && spokevfs_is_unborn(home, name))) {
        if (out_flags) *out_flags = flags;
        return pagevfs_temp_open(file);
    }
    return SQLITE_CANTOPEN; /* journals and super-journals (T7) */
}

static void fill(struct spokevfs *home, sqlite3_vfs *lower)
{
    home->shm = "/dev/shm";
    home->base.lower = lower;
    memcpy(home->base.name, "spoke", sizeof "spoke");
    pagevfs_vfs_fill(&home->base);
    home->base.vfs.xOpen = open_file;
    home->methods = *pagevfs_file_methods();
    home->methods.iVersion = 2; /* shared memory, and no mmap (T12) */
    home->methods.xClose = spokevfs_close;
    home->methods.xLock = spokevfs_lock;
    home->methods.xUnlock = spokevfs_unlock;
    home->methods.xShmMap = spokevfs_shm_map;
    home->methods.xShmLock = spokevfs_shm_lock;
    home->methods.xShmBarrier = spokevfs_shm_barrier;
    home->methods.xShmUnmap = spokevfs_shm_unmap;
}

/* A VFS beside ours would open and write databases in clear: 'file:x?vfs=unix'. */
static int stand_alone(struct spokevfs *home)
{
    int rc = sqlite3_vfs_register(&home->base.vfs, 1);
    sqlite3_vfs *next = NULL;
    for (sqlite3_vfs *v = sqlite3_vfs_find(NULL); v && rc == SQLITE_OK; v = next) {
        next = v->pNext;
        if (v != &home->base.vfs && strcmp(v->zName, "memdb") != 0) rc = sqlite3_vfs_unregister(v);
    }
    return rc;
}

int spokevfs_register(struct spokevfs **out)
{
    sqlite3_vfs *there = sqlite3_vfs_find("spoke"), *lower = sqlite3_vfs_find(NULL);
    if (there) { /* SQLite may have been shut down and begun anew: then its own are back (T10) */
        *out = home_of(there);
        return stand_alone(*out);
    }
    struct spokevfs *home = calloc(1, sizeof *home);
    if (!lower || !home) {
        free(home);
        return lower ? SQLITE_NOMEM : SQLITE_ERROR;
    }
    home->mutex = sqlite3_mutex_alloc(SQLITE_MUTEX_RECURSIVE);
    if (!home->mutex && sqlite3_threadsafe()) {
        free(home);
        return SQLITE_NOMEM;
    }
    fill(home, lower);
    int rc = stand_alone(home);
    if (rc == SQLITE_OK) *out = home; /* SQLite has it from now on */
    return rc;
}

/* What SQLite calls after loading spokevfs.so, by its file's name. */
__attribute__((visibility("default"))) int sqlite3_spokevfs_init(sqlite3 *db, char **out_message,
                                                                 const sqlite3_api_routines *api);

int sqlite3_spokevfs_init(sqlite3 *db, char **out_message, const sqlite3_api_routines *api)
{
    struct spokevfs *home = NULL;
    (void)db;
    /* Ours would be another SQLite than the program's: it would never see the VFS. */
    if (api && api->vfs_register != sqlite3_vfs_register) {
        *out_message = api->mprintf("spoke: this program has a SQLite of its own; use one that has the system's");
        return SQLITE_ERROR;
    }
    int rc = spokevfs_register(&home);
    return rc == SQLITE_OK ? SQLITE_OK_LOAD_PERMANENTLY : rc;
}
