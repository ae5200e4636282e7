/* The file functions of struct env on a disk in memory: step for step what base/env_posix.c asks of a real one. */
#include "tests/sim/disk_internal.h"

#include <stdio.h>
#include <string.h>

static enum err failed(const struct disk *d, enum err e, const char *path, struct why *why)
{
    if (e == ERR_OK) return ERR_OK;
    if (e == ERR_FULL) {
        (void)why_set(why, e, "the disk is full: %s could not be written; nothing was lost", path);
        return why_next(why, e, "Free some space on this disk and try again.");
    }
    return why_set(why, e, "%s could not be read or written: %s", path,
                   d->dead ? "the power failed" : "the disk reports an error");
}

enum err disk_read_file(struct disk *d, const char *path, size_t max, struct buf *out, struct why *why)
{
    if (out->err != ERR_OK) return why_set(why, out->err, "%s does not fit in memory", path);
    enum err e = disk_may_read(d);
    if (e != ERR_OK) return failed(d, e, path, why);
    const struct inode *f = names_file(d, path);
    if (f == NULL) return why_set(why, ERR_NOTFOUND, "there is no file %s", path);
    if (f->now.len > max) return why_set(why, ERR_LIMIT, "%s is larger than it may be (%zu bytes at most)", path, max);
    buf_put(out, f->now.p, f->now.len);
    return out->err == ERR_OK ? ERR_OK : why_set(why, out->err, "%s does not fit in memory", path);
}

/* A name beside path that nothing has. */
static bool temporary(const struct disk *d, const char *path, char out[DISK_PATH])
{
    for (unsigned i = 0;; i++) {
        int n = snprintf(out, DISK_PATH, "%s.tmp-%06u", path, i);
        if (n < 0 || (size_t)n >= DISK_PATH) return false;
        if (names_file(d, out) == NULL) return true;
    }
}

enum err disk_write_file(struct disk *d, const char *path, struct bytes content, struct why *why)
{
    char tmp[DISK_PATH];
    struct inode *f = NULL;
    if (!temporary(d, path, tmp)) return why_set(why, ERR_LIMIT, "a file path is too long for this system");
    enum err e = step_make(d, tmp, &f);
    if (e != ERR_OK) return failed(d, e, path, why);
    if (content.n > 0) e = step_write(d, f, 0, content);
    if (e == ERR_OK) e = step_sync(d, f);
    if (e == ERR_OK) e = step_move(d, tmp, path);
    if (e != ERR_OK) {
        if (!d->dead) (void)step_remove(d, tmp);
        return failed(d, e, path, why);
    }
    return failed(d, step_sync_folder(d, path), path, why);
}

enum err disk_append_file(struct disk *d, const char *path, uint64_t offset, struct bytes content, bool sync,
                          struct why *why)
{
    enum err e = ERR_OK;
    if (offset > INT64_MAX) return why_set(why, ERR_LIMIT, "%s would become too large", path);
    if (strlen(path) >= DISK_PATH) return why_set(why, ERR_LIMIT, "a file path is too long for this system");
    if (d->dead) return failed(d, ERR_IO, path, why);
    struct inode *f = names_file(d, path);
    if (f == NULL) e = step_make(d, path, &f);
    if (e == ERR_OK && offset != 0 && f->now.len != offset)
        return why_set(why, ERR_IO, "%s is not as long as expected: another program may be writing to it", path);
    if (e == ERR_OK && offset == 0 && f->now.len > 0) e = step_cut(d, f, 0);
    if (e == ERR_OK && content.n > 0) e = step_write(d, f, offset, content);
    if (e == ERR_OK && sync) e = step_sync(d, f);
    if (e == ERR_OK && sync && offset == 0) e = step_sync_folder(d, path);
    return failed(d, e, path, why);
}

enum err disk_file_size(struct disk *d, const char *path, uint64_t *out_size, struct why *why)
{
    if (d->dead) return failed(d, ERR_IO, path, why);
    const struct inode *f = names_file(d, path);
    if (f == NULL) return why_set(why, ERR_NOTFOUND, "there is no file %s", path);
    *out_size = f->now.len;
    return ERR_OK;
}

enum err disk_remove_file(struct disk *d, const char *path, struct why *why)
{
    if (d->dead) return failed(d, ERR_IO, path, why);
    if (names_file(d, path) == NULL) return ERR_OK;
    enum err e = step_remove(d, path);
    if (e == ERR_OK) e = step_sync_folder(d, path);
    return failed(d, e, path, why);
}

enum err disk_read_at(struct disk *d, const char *path, uint64_t offset, size_t n, struct buf *out, struct why *why)
{
    enum err e = disk_may_read(d);
    if (e != ERR_OK) return failed(d, e, path, why);
    const struct inode *f = names_file(d, path);
    if (f == NULL) return why_set(why, ERR_NOTFOUND, "there is no file %s", path);
    size_t left = offset < f->now.len ? f->now.len - (size_t)offset : 0;
    buf_put(out, left > 0 ? f->now.p + offset : NULL, n < left ? n : left);
    return out->err == ERR_OK ? ERR_OK : why_set(why, out->err, "%s does not fit in memory", path);
}

enum err disk_move_file(struct disk *d, const char *from, const char *to, struct why *why)
{
    if (d->dead) return failed(d, ERR_IO, from, why);
    if (names_file(d, from) == NULL) return why_set(why, ERR_NOTFOUND, "there is no file %s", from);
    enum err e = step_move(d, from, to);
    if (e == ERR_OK) e = step_sync_folder(d, to);
    return failed(d, e, to, why);
}

static enum err shred_one(struct disk *d, const char *path, struct why *why)
{
    static const uint8_t noise[4096] = {0xa5, 0x5a}; /* only what was there before matters */
    if (d->dead) return failed(d, ERR_IO, path, why);
    struct inode *f = names_file(d, path);
    enum err e = ERR_OK;
    for (uint64_t at = 0; e == ERR_OK && f != NULL && at < f->now.len; at += sizeof noise) {
        uint64_t left = f->now.len - at;
        e = step_write(d, f, at, bytes_of(noise, left < sizeof noise ? left : sizeof noise));
    }
    if (e == ERR_OK && f != NULL) e = step_sync(d, f);
    return e == ERR_OK ? disk_remove_file(d, path, why) : failed(d, e, path, why);
}

/* What disk_write_file of it left when the power failed. Removing one moves the others up. */
static const char *find_temporary(const struct disk *d, const char *path)
{
    size_t n = strlen(path);
    for (size_t i = 0; i < d->n_names; i++)
        if (d->names[i]->now != NULL && strncmp(d->names[i]->path, path, n) == 0 &&
            strncmp(d->names[i]->path + n, ".tmp-", 5) == 0)
            return d->names[i]->path;
    return NULL;
}

enum err disk_shred_file(struct disk *d, const char *path, struct why *why)
{
    char tmp[DISK_PATH];
    enum err e = shred_one(d, path, why);
    for (const char *found; e == ERR_OK && (found = find_temporary(d, path)) != NULL;) {
        memcpy(tmp, found, strlen(found) + 1);
        e = shred_one(d, tmp, why);
    }
    return e;
}
