#include "tests/lib/faultvfs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fault_owner {
    struct faultvfs pub; /* first: handed out */
    sqlite3_vfs vfs;
    sqlite3_vfs *low;
};

struct fault_file {
    sqlite3_file base;
    struct fault_owner *owner;
    bool log;
};

static sqlite3_file *low_of(sqlite3_file *file)
{
    return (sqlite3_file *)(void *)((struct fault_file *)(void *)file + 1);
}

static struct faultvfs *pub_of(sqlite3_file *file)
{
    return &((struct fault_file *)(void *)file)->owner->pub;
}

static int f_close(sqlite3_file *f)
{
    return low_of(f)->pMethods->xClose(low_of(f));
}

static int f_read(sqlite3_file *f, void *out, int n, sqlite3_int64 at)
{
    struct faultvfs *v = pub_of(f);
    v->reads++;
    if (v->fail_read >= 0 && v->fail_read-- == 0) return SQLITE_IOERR_READ;
    int rc = low_of(f)->pMethods->xRead(low_of(f), out, n, at);
    if (v->torn_read >= 0 && v->torn_read-- == 0)
        ((uint8_t *)out)[n / 2] ^= 1;
    return rc;
}

static int f_write(sqlite3_file *f, const void *in, int n, sqlite3_int64 at)
{
    struct faultvfs *v = pub_of(f);
    v->writes++;
    if (((struct fault_file *)(void *)f)->log && n != 32 && n != 24 && n != 4096)
        v->pieces++;
    if (v->die_after >= 0 && v->die_after-- == 0) {
        (void)low_of(f)->pMethods->xWrite(low_of(f), in, n / 2, at);
        _exit(42);
    }
    if (v->full_after >= 0 && v->full_after-- == 0) {
        v->full_after = 0; /* stays full */
        return SQLITE_FULL;
    }
    return low_of(f)->pMethods->xWrite(low_of(f), in, n, at);
}

static int f_truncate(sqlite3_file *f, sqlite3_int64 n)
{
    return low_of(f)->pMethods->xTruncate(low_of(f), n);
}

static int f_sync(sqlite3_file *f, int flags)
{
    (void)f;
    (void)flags;
    return SQLITE_OK; /* these tests kill processes, not computers */
}

static int f_size(sqlite3_file *f, sqlite3_int64 *out)
{
    return low_of(f)->pMethods->xFileSize(low_of(f), out);
}

static int f_lock(sqlite3_file *f, int level)
{
    return low_of(f)->pMethods->xLock(low_of(f), level);
}

static int f_unlock(sqlite3_file *f, int level)
{
    return low_of(f)->pMethods->xUnlock(low_of(f), level);
}

static int f_check(sqlite3_file *f, int *out)
{
    return low_of(f)->pMethods->xCheckReservedLock(low_of(f), out);
}

static int f_control(sqlite3_file *f, int op, void *arg)
{
    return low_of(f)->pMethods->xFileControl(low_of(f), op, arg);
}

static int f_sector(sqlite3_file *f)
{
    int s = pub_of(f)->sector;
    return s ? s : low_of(f)->pMethods->xSectorSize(low_of(f));
}

static int f_traits(sqlite3_file *f)
{
    int t = pub_of(f)->traits;
    return t >= 0 ? t : low_of(f)->pMethods->xDeviceCharacteristics(low_of(f));
}

static int f_shm_map(sqlite3_file *f, int region, int size, int extend, void volatile **out)
{
    return low_of(f)->pMethods->xShmMap(low_of(f), region, size, extend, out);
}

static int f_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    return low_of(f)->pMethods->xShmLock(low_of(f), offset, n, flags);
}

static void f_shm_barrier(sqlite3_file *f)
{
    low_of(f)->pMethods->xShmBarrier(low_of(f));
}

static int f_shm_unmap(sqlite3_file *f, int remove)
{
    return low_of(f)->pMethods->xShmUnmap(low_of(f), remove);
}

static const sqlite3_io_methods f_methods = {
    2, f_close, f_read, f_write, f_truncate, f_sync, f_size, f_lock, f_unlock, f_check, f_control, f_sector, f_traits,
    f_shm_map, f_shm_lock, f_shm_barrier, f_shm_unmap, NULL, NULL,
};

static struct fault_owner *owner_of(sqlite3_vfs *v)
{
    return v->pAppData;
}

static int v_open(sqlite3_vfs *v, sqlite3_filename name, sqlite3_file *file, int flags, int *out_flags)
{
    struct fault_owner *o = owner_of(v);
    struct fault_file *f = (struct fault_file *)(void *)file;
    memset(f, 0, sizeof *f);
    f->owner = o;
    f->log = (flags & SQLITE_OPEN_WAL) != 0;
    if (!(flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_DB)))
        o->pub.opens++;
    int rc = o->low->xOpen(o->low, name, low_of(file), flags, out_flags);
    file->pMethods = rc == SQLITE_OK ? &f_methods : NULL;
    return rc;
}

static int v_delete(sqlite3_vfs *v, const char *name, int sync)
{
    (void)sync;
    return owner_of(v)->low->xDelete(owner_of(v)->low, name, 0);
}

static int v_access(sqlite3_vfs *v, const char *name, int flags, int *out)
{
    return owner_of(v)->low->xAccess(owner_of(v)->low, name, flags, out);
}

static int v_full(sqlite3_vfs *v, const char *name, int n, char *out)
{
    return owner_of(v)->low->xFullPathname(owner_of(v)->low, name, n, out);
}

static int v_random(sqlite3_vfs *v, int n, char *out)
{
    return owner_of(v)->low->xRandomness(owner_of(v)->low, n, out);
}

static int v_sleep(sqlite3_vfs *v, int us)
{
    return owner_of(v)->low->xSleep(owner_of(v)->low, us);
}

static int v_time(sqlite3_vfs *v, double *out)
{
    return owner_of(v)->low->xCurrentTime(owner_of(v)->low, out);
}

struct faultvfs *faultvfs_new(void)
{
    struct fault_owner *o = calloc(1, sizeof *o);
    assert_non_null(o);
    o->low = sqlite3_vfs_find(NULL);
    assert_non_null(o->low);
    o->pub = (struct faultvfs){.traits = -1, .full_after = -1, .die_after = -1, .fail_read = -1, .torn_read = -1};
    o->vfs = (sqlite3_vfs){.iVersion = 1, .szOsFile = (int)sizeof(struct fault_file) + o->low->szOsFile,
                           .mxPathname = o->low->mxPathname, .zName = "fault", .pAppData = o, .xOpen = v_open,
                           .xDelete = v_delete, .xAccess = v_access, .xFullPathname = v_full, .xRandomness = v_random,
                           .xSleep = v_sleep, .xCurrentTime = v_time};
    assert_int_equal(sqlite3_vfs_register(&o->vfs, 0), SQLITE_OK);
    return &o->pub;
}

void faultvfs_free(struct faultvfs *v)
{
    struct fault_owner *o = (struct fault_owner *)(void *)v;
    sqlite3_vfs_unregister(&o->vfs);
    free(o);
}
