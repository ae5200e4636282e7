/* A disk in memory as a VFS of SQLite, version 1: no shared memory, no mapped files. It lies under the encrypting one,
 * and does what SQLite's unix VFS does where that matters for what survives and for who may lock. */
#include "tests/sim/disk_internal.h"

#include <stdio.h>
#include <string.h>

#define DAYS_NOW (2440587.5 + 20370.0) /* julian: some day, the same for ever */

struct open_file {
    sqlite3_file base; /* first: SQLite casts */
    struct disk *disk;
    struct inode *inode;
    const char *path; /* borrowed: SQLite keeps it until the file is closed */
    int lock;
    bool sync_folder; /* a log that was asked to be made: with the first sync */
};

static struct open_file *file_of(sqlite3_file *file)
{
    return (struct open_file *)(void *)file;
}

static struct disk *disk_of(sqlite3_vfs *vfs)
{
    return vfs->pAppData;
}

static int code(enum err e, int io)
{
    return e == ERR_OK ? SQLITE_OK : e == ERR_FULL ? SQLITE_FULL : io;
}

/* ---- reading and writing ---- */

static int file_read(sqlite3_file *file, void *out, int n, sqlite3_int64 at)
{
    struct open_file *o = file_of(file);
    const struct layer *l = &o->inode->now;
    size_t want = (size_t)n, from = (size_t)at;
    if (disk_may_read(o->disk) != ERR_OK) return SQLITE_IOERR_READ;
    size_t got = from >= l->len ? 0 : l->len - from < want ? l->len - from : want;
    if (got > 0) memcpy(out, l->p + from, got);
    if (got == want) return SQLITE_OK;
    memset((uint8_t *)out + got, 0, want - got);
    return SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *file, const void *in, int n, sqlite3_int64 at)
{
    struct open_file *o = file_of(file);
    return code(step_write(o->disk, o->inode, (uint64_t)at, bytes_of(in, (size_t)n)), SQLITE_IOERR_WRITE);
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct open_file *o = file_of(file);
    return code(step_cut(o->disk, o->inode, (uint64_t)size), SQLITE_IOERR_TRUNCATE);
}

static int file_sync(sqlite3_file *file, int flags)
{
    struct open_file *o = file_of(file);
    (void)flags;
    int rc = code(step_sync(o->disk, o->inode), SQLITE_IOERR_FSYNC);
    if (rc != SQLITE_OK || !o->sync_folder) return rc;
    o->sync_folder = false;
    return code(step_sync_folder(o->disk, o->path), SQLITE_IOERR_DIR_FSYNC);
}

static int file_size(sqlite3_file *file, sqlite3_int64 *out)
{
    struct open_file *o = file_of(file);
    *out = (sqlite3_int64)o->inode->now.len;
    return o->disk->dead ? SQLITE_IOERR_FSTAT : SQLITE_OK;
}

/* ---- locks, as between two files of one process in os_unix.c ---- */

static int file_lock(sqlite3_file *file, int level)
{
    struct open_file *o = file_of(file);
    struct inode *f = o->inode;
    if (o->lock >= level) return SQLITE_OK;
    if (o->disk->dead) return SQLITE_IOERR_LOCK;
    if (o->lock != f->lock && (f->lock >= SQLITE_LOCK_PENDING || level > SQLITE_LOCK_SHARED)) return SQLITE_BUSY;
    if (level == SQLITE_LOCK_SHARED) {
        f->sharers++;
        if (f->lock < SQLITE_LOCK_SHARED) f->lock = SQLITE_LOCK_SHARED;
        o->lock = SQLITE_LOCK_SHARED;
        return SQLITE_OK;
    }
    /* others still read: nobody else may begin to, and the caller may try again */
    bool waits = level == SQLITE_LOCK_EXCLUSIVE && f->sharers > 1;
    o->lock = f->lock = waits ? SQLITE_LOCK_PENDING : level;
    return waits ? SQLITE_BUSY : SQLITE_OK;
}

static int file_unlock(sqlite3_file *file, int level)
{
    struct open_file *o = file_of(file);
    struct inode *f = o->inode;
    if (o->lock <= level) return SQLITE_OK;
    if (o->lock > SQLITE_LOCK_SHARED) f->lock = SQLITE_LOCK_SHARED;
    if (level == SQLITE_LOCK_NONE && --f->sharers == 0) f->lock = SQLITE_LOCK_NONE;
    o->lock = level;
    return SQLITE_OK;
}

static int file_check_lock(sqlite3_file *file, int *out)
{
    *out = file_of(file)->inode->lock > SQLITE_LOCK_SHARED;
    return SQLITE_OK;
}

static int file_close(sqlite3_file *file)
{
    struct open_file *o = file_of(file);
    (void)file_unlock(file, SQLITE_LOCK_NONE);
    inode_drop(o->inode);
    o->disk->open--;
    file->pMethods = NULL;
    return SQLITE_OK;
}

static int file_control(sqlite3_file *file, int op, void *arg)
{
    (void)file;
    (void)op;
    (void)arg;
    return SQLITE_NOTFOUND;
}

static int file_sector(sqlite3_file *file)
{
    return file_of(file)->disk->sector;
}

/* A write that is torn leaves its neighbours alone; see inode_lose. With sectors of 512 SQLite is not told so, and
 * writes its logs in pieces. */
static int file_traits(sqlite3_file *file)
{
    return file_of(file)->disk->sector == 512 ? 0 : SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

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

/* ---- names ---- */

/* Temporary files without a name are not for a disk: the VFS above keeps them in memory. */
static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
    struct disk *d = disk_of(vfs);
    struct open_file *o = file_of(file);
    file->pMethods = NULL;
    if (name == NULL || (flags & SQLITE_OPEN_DELETEONCLOSE) != 0 || strlen(name) >= DISK_PATH) return SQLITE_CANTOPEN;
    if (d->dead) return SQLITE_IOERR;
    struct inode *f = names_file(d, name);
    bool create = (flags & SQLITE_OPEN_CREATE) != 0;
    if (f == NULL ? !create : create && (flags & SQLITE_OPEN_EXCLUSIVE) != 0) return SQLITE_CANTOPEN;
    if (f == NULL && step_make(d, name, &f) != ERR_OK) return SQLITE_IOERR;
    *o = (struct open_file){.disk = d, .inode = inode_hold(f), .path = name};
    o->sync_folder = create && (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL)) != 0;
    d->open++;
    if (out_flags != NULL) *out_flags = flags;
    file->pMethods = &methods;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync_dir)
{
    struct disk *d = disk_of(vfs);
    if (d->dead) return SQLITE_IOERR_DELETE;
    if (names_file(d, name) == NULL) return SQLITE_IOERR_DELETE_NOENT;
    int rc = code(step_remove(d, name), SQLITE_IOERR_DELETE);
    return rc == SQLITE_OK && sync_dir ? code(step_sync_folder(d, name), SQLITE_IOERR_DIR_FSYNC) : rc;
}

/* To SQLite an empty file does not exist: as os_unix.c has it. */
static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    struct disk *d = disk_of(vfs);
    const struct inode *f = names_file(d, name);
    *out = f != NULL && (flags != SQLITE_ACCESS_EXISTS || f->now.len > 0);
    return d->dead ? SQLITE_IOERR_ACCESS : SQLITE_OK;
}

static int vfs_full_pathname(sqlite3_vfs *vfs, const char *name, int n, char *out)
{
    (void)vfs;
    size_t len = strlen(name);
    if (n <= 0 || len >= (size_t)n) return SQLITE_CANTOPEN;
    memcpy(out, name, len + 1);
    return SQLITE_OK;
}

static int vfs_randomness(sqlite3_vfs *vfs, int n, char *out)
{
    draw_bytes(&disk_of(vfs)->random, out, n > 0 ? (size_t)n : 0);
    return n;
}

static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
    (void)vfs;
    return us; /* in no time */
}

static int vfs_time(sqlite3_vfs *vfs, double *out)
{
    (void)vfs;
    *out = DAYS_NOW;
    return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *vfs, int n, char *out)
{
    (void)vfs;
    if (n > 0) out[0] = '\0';
    return 0;
}

/* SQLite's list of VFSes wants names that are unique while they are registered; nobody sees them otherwise. */
void disk_vfs_start(struct disk *d)
{
    (void)snprintf(d->vfs_name, sizeof d->vfs_name, "sim-disk-%p", (void *)d);
    d->vfs = (sqlite3_vfs){
        .iVersion = 1,
        .szOsFile = (int)sizeof(struct open_file),
        .mxPathname = (int)DISK_PATH - 1,
        .zName = d->vfs_name,
        .pAppData = d,
        .xOpen = vfs_open,
        .xDelete = vfs_delete,
        .xAccess = vfs_access,
        .xFullPathname = vfs_full_pathname,
        .xRandomness = vfs_randomness,
        .xSleep = vfs_sleep,
        .xCurrentTime = vfs_time,
        .xGetLastError = vfs_last_error,
    };
    disk_must(sqlite3_vfs_register(&d->vfs, 0) == SQLITE_OK);
}

void disk_vfs_end(struct disk *d)
{
    (void)sqlite3_vfs_unregister(&d->vfs);
}
