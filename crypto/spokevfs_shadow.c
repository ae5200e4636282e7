/* The index of the log, for several processes. SQLite keeps it in memory that they share, and would back it by a file
 * beside the database, in clear, which no disk may see (T7). So SQLite's own code for it works on another, empty file,
 * the shadow, on a tmpfs, /dev/shm/spoke-UID/NAME, and what it maps is locked into memory.
 *
 * All who have the database open must have the same shadow: two indexes of one log lose commits. Its name comes from
 * the database's inode; but /dev/shm is another one in another mount namespace, after a restart, for another user.
 * Therefore the file DATABASE-index beside the database: it names the folder that holds the shadow, by random bytes
 * that the folder has had since it was made; and who has a shadow keeps a shared lock on it. Who finds another folder
 * named there may name his own only when nobody keeps that lock; else the database is busy. The last to leave removes
 * shadow and file. The locks are of the open file (F_OFD_*): those of POSIX would end when any descriptor of the
 * process is closed. */
#include "crypto/pagevfs_raw.h"
#include "crypto/spokevfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define ID_BYTES     16
#define REGION_BYTES 32768 /* what SQLite maps at a time, https://www.sqlite.org/walformat.html §2 */
#define INDEX_BYTES  24    /* "SPKI", version 1, 3 zeros, id */
#define DOOR         0     /* byte of the index file: locked by who joins or leaves */
#define INSIDE       1     /* locked, shared, by everybody who has a shadow */

struct shadow {
    struct raw raw; /* the shadow, open at the lower VFS */
    int fd;         /* of the index file: carries the lock */
    char *index;    /* owned; its path */
    bool warned;    /* that memory could not be locked */
};

static struct page_file *file_of(sqlite3_file *file)
{
    return (struct page_file *)(void *)file;
}

static bool lock_byte(int fd, int byte, short type, bool wait)
{
    struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    int rc;
    do {
        rc = fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &l);
    } while (rc != 0 && errno == EINTR);
    return rc == 0;
}

static int complain(const char *text)
{
    sqlite3_log(SQLITE_CANTOPEN, "spoke: %s", text);
    return SQLITE_CANTOPEN;
}

/* ---- the folder ---- */

/* Ours, nobody else's to write, and not on a disk. */
static bool folder_is_safe(const char *path)
{
    struct stat st;
    struct statfs fs;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return false;
    bool safe = fstat(fd, &st) == 0 && st.st_uid == geteuid() && (st.st_mode & 077) == 0 && fstatfs(fd, &fs) == 0 &&
                fs.f_type == TMPFS_MAGIC;
    (void)close(fd);
    return safe;
}

/* The random bytes of the folder, made once. */
static int folder_id(const char *folder, uint8_t id[ID_BYTES])
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/id", folder);
    int fd = n < (int)sizeof path ? open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600) : -1;
    bool done = fd >= 0 && lock_byte(fd, DOOR, F_WRLCK, true);
    if (done && pread(fd, id, ID_BYTES, 0) != ID_BYTES) {
        randombytes_buf(id, ID_BYTES);
        done = pwrite(fd, id, ID_BYTES, 0) == ID_BYTES;
    }
    if (fd >= 0) (void)close(fd);
    return done ? SQLITE_OK : complain("the folder of shared indexes cannot be written");
}

static int folder_open(const char *shm, char out[PATH_MAX], uint8_t id[ID_BYTES])
{
    int n = snprintf(out, PATH_MAX, "%s/spoke-%u", shm, (unsigned)geteuid());
    if (n >= PATH_MAX) return SQLITE_CANTOPEN;
    (void)mkdir(out, 0700); /* judged below, whoever made it */
    if (!folder_is_safe(out))
        return complain(
            "no safe place in memory for the index of the log: /dev/shm/spoke-UID must be a folder of yours "
            "alone, on a tmpfs");
    return folder_id(out, id);
}

/* ---- the index file ---- */

/* Open it with its door locked. It may be removed by the last who leaves while we wait: then again. */
static int index_open(const char *path, mode_t mode)
{
    for (;;) {
        struct stat ours = {.st_nlink = 1}, there; /* a file system without such locks is no reason to try for ever */
        int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, mode);
        if (fd < 0) return -1;
        if (lock_byte(fd, DOOR, F_WRLCK, true) && fstat(fd, &ours) == 0 && stat(path, &there) == 0 &&
            ours.st_ino == there.st_ino && ours.st_dev == there.st_dev)
            return fd;
        bool gone = ours.st_nlink == 0;
        (void)close(fd);
        if (!gone) return -1;
    }
}

static bool index_names(int fd, const uint8_t id[ID_BYTES])
{
    uint8_t got[INDEX_BYTES];
    return pread(fd, got, sizeof got, 0) == INDEX_BYTES && memcmp(got, "SPKI\1\0\0\0", 8) == 0 &&
           memcmp(got + 8, id, ID_BYTES) == 0;
}

static bool index_write(int fd, const uint8_t id[ID_BYTES])
{
    uint8_t out[INDEX_BYTES] = "SPKI\1";
    memcpy(out + 8, id, ID_BYTES);
    return ftruncate(fd, 0) == 0 && pwrite(fd, out, sizeof out, 0) == INDEX_BYTES;
}

/* ---- joining and leaving ---- */

static void shadow_free(struct shadow *s)
{
    sqlite3_file *file = s->raw.file;
    if (file && file->pMethods && file->pMethods->iVersion >= 2) (void)file->pMethods->xShmUnmap(file, 0);
    pagevfs_raw_release(&s->raw);
    if (s->fd >= 0) { /* not by closing alone: a forked process may have the file open still, and keep everybody out */
        (void)lock_byte(s->fd, INSIDE, F_UNLCK, false);
        (void)lock_byte(s->fd, DOOR, F_UNLCK, false);
        (void)close(s->fd);
    }
    free(s->index);
    free(s);
}

/* With the door locked: settle that the index file names our folder. */
static int agree(struct shadow *s, const uint8_t id[ID_BYTES])
{
    bool alone = lock_byte(s->fd, INSIDE, F_WRLCK, false);
    struct stat st;
    char memory[PATH_MAX]; /* SQLite's name for what is shared */
    int n = snprintf(memory, sizeof memory, "%s-shm", s->raw.full);
    if (alone && !index_names(s->fd, id) && !index_write(s->fd, id)) return SQLITE_CANTOPEN;
    if (!alone && !index_names(s->fd, id)) {
        sqlite3_log(SQLITE_BUSY,
                    "spoke: the database is in use in another place of this computer, whose memory cannot be "
                    "shared from here");
        return SQLITE_BUSY;
    }
    /* not the VFS's xAccess: it takes an empty file for none */
    if (!alone && (stat(s->raw.full, &st) != 0 || n >= (int)sizeof memory || stat(memory, &st) != 0))
        return SQLITE_BUSY; /* somebody removed it under those who use it: a second one would lose commits */
    return lock_byte(s->fd, INSIDE, F_RDLCK, false) ? SQLITE_OK : SQLITE_BUSY;
}

static int open_shadow(struct shadow *s, struct spoke_db *db)
{
    char folder[PATH_MAX], path[PATH_MAX];
    uint8_t id[ID_BYTES];
    struct stat st;
    int rc = stat(db->path, &st) == 0 ? folder_open(db->home->shm, folder, id) : SQLITE_CANTOPEN;
    if (rc != SQLITE_OK) return rc;
    int n = snprintf(path, sizeof path, "%s/%llx-%llx", folder, (unsigned long long)st.st_dev,
                     (unsigned long long)st.st_ino);
    rc = n < (int)sizeof path ? pagevfs_raw_init(&s->raw, path, db->home->base.lower) : SQLITE_CANTOPEN;
    if (rc != SQLITE_OK) return rc;
    s->fd = index_open(s->index, st.st_mode & 0666);
    if (s->fd < 0) return complain("the file that names the index of the log cannot be written beside the database");
    rc = agree(s, id);
    if (rc == SQLITE_OK)
        rc = pagevfs_raw_open(&s->raw, s->raw.db, SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    if (rc == SQLITE_OK && s->raw.file->pMethods->iVersion < 2)
        rc = complain("the file layer below cannot share memory");
    return rc;
}

static struct shadow *shadow_new(const char *path)
{
    struct shadow *s = calloc(1, sizeof *s);
    size_t n = strlen(path) + sizeof "-index";
    if (s) {
        s->fd = -1;
        s->index = malloc(n);
    }
    if (s && !s->index) {
        free(s);
        s = NULL;
    }
    if (s) (void)snprintf(s->index, n, "%s-index", path);
    return s;
}

/* The door stays locked until the shadow's memory is there, though nothing of it is mapped yet. */
static int join(struct page_file *f)
{
    struct spoke_db *db = (struct spoke_db *)(void *)f->owner;
    struct shadow *s = shadow_new(db->path);
    void volatile *none = NULL;
    if (!s) return SQLITE_NOMEM;
    int rc = open_shadow(s, db);
    if (rc == SQLITE_OK) rc = s->raw.file->pMethods->xShmMap(s->raw.file, 0, REGION_BYTES, 0, &none);
    if (rc == SQLITE_OK && !lock_byte(s->fd, DOOR, F_UNLCK, false)) rc = SQLITE_IOERR_LOCK;
    if (rc != SQLITE_OK) {
        shadow_free(s);
        return rc;
    }
    f->shadow = s;
    return SQLITE_OK;
}

static int leave(struct page_file *f)
{
    struct shadow *s = f->shadow;
    if (!s) return SQLITE_OK;
    f->shadow = NULL;
    bool last = lock_byte(s->fd, DOOR, F_WRLCK, true) && lock_byte(s->fd, INSIDE, F_WRLCK, false);
    int rc = s->raw.file->pMethods->xShmUnmap(s->raw.file, last);
    pagevfs_raw_close(&s->raw);
    if (last) {
        (void)s->raw.low->xDelete(s->raw.low, s->raw.db, 0);
        (void)unlink(s->index);
    }
    shadow_free(s);
    return rc;
}

static void lock_memory(struct shadow *s, void volatile *p, int size)
{
    if (!p || mlock((const void *)p, (size_t)size) == 0 || s->warned) return;
    s->warned = true;
    sqlite3_log(SQLITE_WARNING, "spoke: the index of the log could not be locked into memory (ulimit -l); it may be "
                                "written to swap");
}

/* ---- sqlite3_io_methods ---- */

/* Whoever has the shared lock has the index: where there is none to be had, that is the moment when SQLite waits and
 * says "locked". From a failure to map it would make "locking protocol", ten seconds later. */
int spokevfs_lock(sqlite3_file *file, int level)
{
    struct page_file *f = file_of(file);
    int rc = pagevfs_file_methods()->xLock(file, level);
    if (rc == SQLITE_OK && level == SQLITE_LOCK_SHARED && !f->shadow && !f->owner->unborn) {
        rc = join(f);
        if (rc != SQLITE_OK) (void)pagevfs_file_methods()->xUnlock(file, SQLITE_LOCK_NONE);
    }
    return rc;
}

int spokevfs_unlock(sqlite3_file *file, int level)
{
    int rc = level == SQLITE_LOCK_NONE ? leave(file_of(file)) : SQLITE_OK;
    int unlocked = pagevfs_file_methods()->xUnlock(file, level);
    return rc != SQLITE_OK ? rc : unlocked;
}

int spokevfs_shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **out)
{
    struct page_file *f = file_of(file);
    int rc = f->shadow ? SQLITE_OK : join(f);
    *out = NULL;
    if (rc != SQLITE_OK) return rc;
    struct shadow *s = f->shadow;
    rc = s->raw.file->pMethods->xShmMap(s->raw.file, region, size, extend, out);
    lock_memory(s, *out, size);
    return rc;
}

int spokevfs_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    struct page_file *f = file_of(file);
    struct spoke_db *db = (struct spoke_db *)(void *)f->owner;
    struct shadow *s = f->shadow;
    if (!s) return SQLITE_IOERR_SHMLOCK;
    if (flags & SQLITE_SHM_LOCK)
        pagevfs_ahead_forget(f); /* a transaction begins: others may have written since */
    else if (flags & SQLITE_SHM_EXCLUSIVE && db->log)
        pagevfs_wal_forget(db->log); /* one ends: what is left of it must not go out later, over another's */
    return s->raw.file->pMethods->xShmLock(s->raw.file, offset, n, flags);
}

void spokevfs_shm_barrier(sqlite3_file *file)
{
    struct shadow *s = file_of(file)->shadow;
    if (s)
        s->raw.file->pMethods->xShmBarrier(s->raw.file);
    else
        __sync_synchronize();
}

int spokevfs_shm_unmap(sqlite3_file *file, int remove)
{
    (void)remove; /* SQLite's guess whether we are the last; we know */
    return leave(file_of(file));
}
