#include "base/env.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static enum err errno_why(struct why *why, const char *what, const char *path)
{
    int code = errno;
    switch (code) {
    case ENOENT: return why_set(why, ERR_NOTFOUND, "there is no file %s", path);
    case ENOSPC:
    case EDQUOT:
        (void)why_set(why, ERR_FULL, "the disk is full: %s could not be %s; nothing was lost", path, what);
        return why_next(why, ERR_FULL, "Free some space on this disk and try again.");
    case ENOMEM: return why_set(why, ERR_NOMEM, "this device is out of memory");
    default: return why_set(why, ERR_IO, "%s could not be %s: %s", path, what, strerror(code));
    }
}

static int64_t read_clock(clockid_t clock)
{
    struct timespec t;
    if (clock_gettime(clock, &t) != 0)
        abort(); /* only with a broken kernel; a made-up time would end up in signed records */
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t posix_now_ms(void *ctx)
{
    (void)ctx;
    return read_clock(CLOCK_REALTIME);
}

/* Not CLOCK_MONOTONIC: that stands still while a laptop sleeps, and every morning would look like a jump. */
static int64_t posix_steady_ms(void *ctx)
{
    (void)ctx;
    return read_clock(CLOCK_BOOTTIME);
}

static void posix_random(void *ctx, void *out, size_t n)
{
    (void)ctx;
    uint8_t *at = out;
    while (n > 0) {
        ssize_t got = getrandom(at, n, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) abort(); /* predictable nonces would be worse than stopping */
        at += got;
        n -= (size_t)got;
    }
}

static uint64_t posix_memory(void *ctx)
{
    (void)ctx;
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : 0;
}

/* Read to the end of fd into out. `chunk` lies on the stack and may have held a passphrase: it is wiped. */
static enum err read_all(int fd, const char *path, size_t max, struct buf *out, struct why *why)
{
    uint8_t chunk[16384];
    size_t total = 0;
    enum err err = ERR_OK;
    for (;;) {
        ssize_t got = read(fd, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) err = errno_why(why, "read", path);
        if (got <= 0) break;
        if ((size_t)got > max - total) {
            err = why_set(why, ERR_LIMIT, "%s is larger than it may be (%zu bytes at most)", path, max);
            break;
        }
        total += (size_t)got;
        buf_put(out, chunk, (size_t)got);
        if (out->err != ERR_OK) {
            err = why_set(why, out->err, "%s does not fit in memory", path);
            break;
        }
    }
    explicit_bzero(chunk, sizeof chunk);
    return err;
}

static enum err posix_read_file(void *ctx, const char *path, size_t max, struct buf *out, struct why *why)
{
    (void)ctx;
    if (out->err != ERR_OK) return why_set(why, out->err, "%s does not fit in memory", path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno_why(why, "opened", path);
    size_t before = out->len;
    struct stat st;
    /* one allocation for the whole file where its size is known, instead of growing and copying */
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 && (uint64_t)st.st_size <= max &&
        buf_grow(out, (size_t)st.st_size) != NULL)
        out->len = before;
    enum err err = read_all(fd, path, max, out, why);
    (void)close(fd);
    if (err != ERR_OK && out->data != NULL) {
        explicit_bzero(out->data + before, out->cap - before);
        out->len = before;
    }
    return err;
}

static bool write_all(int fd, struct bytes v)
{
    while (v.n > 0) {
        ssize_t put = write(fd, v.p, v.n);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return false;
        v.p += put;
        v.n -= (size_t)put;
    }
    return true;
}

static bool parent_of(const char *path, char dir[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    size_t n = slash == NULL ? 0 : (size_t)(slash - path);
    if (n >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return false;
    }
    if (slash == NULL)
        (void)snprintf(dir, PATH_MAX, ".");
    else if (n == 0)
        (void)snprintf(dir, PATH_MAX, "/");
    else
        (void)snprintf(dir, PATH_MAX, "%.*s", (int)n, path);
    return true;
}

/* Make a new or vanished name in path's directory durable. Some file systems (FAT on USB sticks over FUSE) cannot
 * sync a directory and say EINVAL: there is nothing more to be done there. */
static bool sync_parent(const char *path)
{
    char dir[PATH_MAX];
    if (!parent_of(path, dir)) return false;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return false;
    bool ok = fsync(fd) == 0 || errno == EINVAL;
    int saved = errno;
    (void)close(fd);
    errno = saved;
    return ok;
}

/* A failed fsync or close means that the bytes may not be there: the temporary is given up and the old file stands. */
static enum err posix_write_file(void *ctx, const char *path, struct bytes content, struct why *why)
{
    (void)ctx;
    char tmp[PATH_MAX];
    int n = snprintf(tmp, sizeof tmp, "%s.tmp-XXXXXX", path);
    if (n < 0 || (size_t)n >= sizeof tmp) return why_set(why, ERR_LIMIT, "a file path is too long for this system");
    enum err err = ERR_OK;
    struct stat there;
    if (lstat(path, &there) == 0 && !S_ISREG(there.st_mode)) /* the rename would put a file in a device's place */
        return why_set(why, ERR_IO, "%s is there already and no ordinary file; nothing was written", path);
    int fd = mkostemp(tmp, O_CLOEXEC); /* creates 0600 */
    if (fd < 0) {
        /* a missing directory is no ERR_NOTFOUND of the file that is to be made */
        err = errno_why(why, "written", path);
        return err == ERR_NOTFOUND ? why_set(why, ERR_IO, "%s could not be written: its folder is not there", path)
                                   : err;
    }
    bool ok = write_all(fd, content) && fsync(fd) == 0;
    int saved = errno;
    if (close(fd) != 0 && ok) {
        ok = false;
        saved = errno;
    }
    errno = saved;
    if (!ok || rename(tmp, path) != 0) {
        err = errno_why(why, "written", path);
        (void)unlink(tmp);
        return err == ERR_NOTFOUND ? ERR_IO : err;
    }
    if (!sync_parent(path)) return errno_why(why, "written", path);
    return ERR_OK;
}

/* Set the length to `offset` and append there. On failure the tail is cut again, so that no half a record stays. */
static enum err append_at(int fd, const char *path, uint64_t offset, struct bytes content, struct why *why)
{
    struct stat st;
    if (fstat(fd, &st) != 0) return errno_why(why, "written", path);
    if (offset != 0 && (uint64_t)st.st_size != offset)
        return why_set(why, ERR_IO, "%s is not as long as expected: another program may be writing to it", path);
    if (offset == 0 && st.st_size > 0 && ftruncate(fd, 0) != 0) return errno_why(why, "written", path);
    if (lseek(fd, (off_t)offset, SEEK_SET) < 0) return errno_why(why, "written", path);
    if (!write_all(fd, content)) {
        enum err err = errno_why(why, "written", path);
        if (fstat(fd, &st) != 0 || ((uint64_t)st.st_size > offset && ftruncate(fd, (off_t)offset) != 0))
            return why_set(why, ERR_IO, "%s could not be written, nor put back as it was", path);
        return err;
    }
    return ERR_OK;
}

static enum err posix_append_file(void *ctx, const char *path, uint64_t offset, struct bytes content, bool sync,
                                  struct why *why)
{
    (void)ctx;
    if (offset > INT64_MAX) return why_set(why, ERR_LIMIT, "%s would become too large", path);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        enum err err = errno_why(why, "written", path);
        return err == ERR_NOTFOUND ? why_set(why, ERR_IO, "%s could not be written: its folder is not there", path)
                                   : err;
    }
    enum err err = append_at(fd, path, offset, content, why);
    if (err == ERR_OK && sync && (fsync(fd) != 0 || (offset == 0 && !sync_parent(path))))
        err = errno_why(why, "written", path);
    if (close(fd) != 0 && err == ERR_OK) err = errno_why(why, "written", path);
    return err;
}

static enum err posix_file_size(void *ctx, const char *path, uint64_t *out_size, struct why *why)
{
    (void)ctx;
    struct stat st;
    if (stat(path, &st) != 0) return errno_why(why, "read", path);
    *out_size = (uint64_t)st.st_size;
    return ERR_OK;
}

static enum err posix_read_at(void *ctx, const char *path, uint64_t offset, size_t n, struct buf *out, struct why *why)
{
    (void)ctx;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno_why(why, "read", path);
    enum err err = offset <= INT64_MAX ? ERR_OK : ERR_LIMIT;
    while (err == ERR_OK && n > 0) {
        size_t before = out->len, want = n < 65536 ? n : 65536;
        uint8_t *to = buf_grow(out, want);
        ssize_t got = to == NULL ? -1 : pread(fd, to, want, (off_t)offset);
        if (to == NULL) {
            err = why_set(why, out->err, "there is not enough memory to read %s", path);
        } else if (got < 0) {
            out->len = before;
            if (errno != EINTR) err = errno_why(why, "read", path);
        } else {
            out->len = before + (size_t)got;
            offset += (uint64_t)got;
            n -= (size_t)got;
            if (got == 0) break;
        }
    }
    (void)close(fd);
    return err;
}

static enum err posix_move_file(void *ctx, const char *from, const char *to, struct why *why)
{
    (void)ctx;
    if (rename(from, to) != 0 || !sync_parent(to)) return errno_why(why, "put in its place", to);
    return ERR_OK;
}

/* Durable, because a receipt may be signed for what was removed. */
static enum err posix_remove_file(void *ctx, const char *path, struct why *why)
{
    (void)ctx;
    if (unlink(path) != 0) return errno == ENOENT ? ERR_OK : errno_why(why, "removed", path);
    return sync_parent(path) ? ERR_OK : errno_why(why, "removed", path);
}

/* Over every byte of the open file, as long as it is. */
static bool write_noise(int fd)
{
    uint8_t noise[16384];
    struct stat st;
    if (fstat(fd, &st) != 0) return false;
    if (!S_ISREG(st.st_mode)) {
        errno = EINVAL;
        return false;
    }
    for (off_t left = st.st_size; left > 0;) {
        size_t n = left < (off_t)sizeof noise ? (size_t)left : sizeof noise;
        posix_random(NULL, noise, n);
        if (!write_all(fd, bytes_of(noise, n))) return false;
        left -= (off_t)n;
    }
    return fsync(fd) == 0;
}

/* O_TRUNC or a new file in its place would leave the old blocks to whoever reads the disk. A link is followed: what it
 * leads to is the secret. */
static enum err shred_one(const char *path, struct why *why)
{
    const int flags = O_WRONLY | O_CLOEXEC | O_NONBLOCK; /* a pipe that nobody reads would hold us for ever */
    int fd = open(path, flags);
    if (fd < 0 && errno == EACCES && chmod(path, 0600) == 0) fd = open(path, flags);
    if (fd < 0 && errno == ENOENT) return posix_remove_file(NULL, path, why);
    bool ok = fd >= 0 && write_noise(fd);
    int saved = errno;
    if (fd >= 0 && close(fd) != 0 && ok) {
        ok = false;
        saved = errno;
    }
    errno = saved;
    if (!ok) {
        enum err err = errno_why(why, "overwritten", path);
        return err == ERR_NOTFOUND ? ERR_IO : err;
    }
    return posix_remove_file(NULL, path, why);
}

/* What a write of path left when the power failed in it (posix_write_file) is as secret as path. That is a file always:
 * a link or a pipe of such a name was put there, to lead us to somebody's other files, or nowhere. */
static enum err shred_temporaries(const char *path, struct why *why)
{
    char dir[PATH_MAX];
    enum err e = ERR_OK;
    const char *slash = strrchr(path, '/'), *name = slash == NULL ? path : slash + 1;
    size_t n = strlen(name), before = (size_t)(name - path);
    if (!parent_of(path, dir)) return errno_why(why, "overwritten", path);
    DIR *d = opendir(dir);
    if (d == NULL && errno == ENOENT) return ERR_OK;
    if (d == NULL) return errno_why(why, "overwritten", path);
    for (struct dirent *found; e == ERR_OK && (found = readdir(d)) != NULL;) {
        char tmp[PATH_MAX];
        struct stat st;
        if (strncmp(found->d_name, name, n) != 0 || strncmp(found->d_name + n, ".tmp-", 5) != 0) continue;
        int len = snprintf(tmp, sizeof tmp, "%.*s%s", (int)before, path, found->d_name);
        if (len > 0 && (size_t)len < sizeof tmp && lstat(tmp, &st) == 0 && !S_ISREG(st.st_mode)) continue;
        e = len > 0 && (size_t)len < sizeof tmp ? shred_one(tmp, why) : ERR_IO;
    }
    (void)closedir(d);
    return e;
}

static enum err posix_shred_file(void *ctx, const char *path, struct why *why)
{
    (void)ctx;
    enum err e = shred_one(path, why), left = shred_temporaries(path, e == ERR_OK ? why : NULL);
    return e != ERR_OK ? e : left;
}

static enum err posix_make_dir(void *ctx, const char *path, struct why *why)
{
    (void)ctx;
    char part[PATH_MAX];
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof part)
        return why_set(why, ERR_LIMIT, "the folder's path is empty or too long for this system");
    memcpy(part, path, n + 1);
    for (size_t i = 1; i <= n; i++) {
        if (part[i] != '/' && part[i] != '\0') continue;
        char end = part[i];
        part[i] = '\0';
        if (mkdir(part, 0700) == 0) {
            if (!sync_parent(part)) return errno_why(why, "made", path);
        } else if (errno != EEXIST) {
            enum err err = errno_why(why, "made", path);
            return err == ERR_NOTFOUND ? why_set(why, ERR_IO, "the folder %s could not be made", path) : err;
        }
        part[i] = end;
    }
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
        return why_set(why, ERR_IO, "%s is in the way: a folder is needed there", path);
    return ERR_OK;
}

const struct env *env_posix(void)
{
    static const struct env world = {
        .now_ms = posix_now_ms,
        .steady_ms = posix_steady_ms,
        .random = posix_random,
        .memory = posix_memory,
        .read_file = posix_read_file,
        .write_file = posix_write_file,
        .append_file = posix_append_file,
        .file_size = posix_file_size,
        .remove_file = posix_remove_file,
        .shred_file = posix_shred_file,
        .make_dir = posix_make_dir,
        .read_at = posix_read_at,
        .move_file = posix_move_file,
    };
    return &world;
}

void utc_text(int64_t ms, char out[40])
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t t = (time_t)(ms / 1000);
    struct tm tm;
    out[0] = '\0';
    if (gmtime_r(&t, &tm) != NULL)
        (void)snprintf(out, 40, "%d %.3s %d at %02d:%02d UTC", tm.tm_mday, months + 3 * tm.tm_mon, tm.tm_year + 1900,
                       tm.tm_hour, tm.tm_min);
}
