/* The world outside, behind one struct: clock, randomness and files.
 *
 * The protocol core calls nothing else, so that a simulator can run a hub and a hundred nodes in one process from one
 * seed. SQLite's files go through the VFS named here, under the encrypting one (crypto/pagevfs.h). */
#ifndef SPOKE_BASE_ENV_H
#define SPOKE_BASE_ENV_H

#include "base/buf.h"

struct env {
    void *ctx;                                      /* handed to every function below */
    int64_t (*now_ms)(void *ctx);                   /* Unix milliseconds, UTC: the wall clock */
    int64_t (*steady_ms)(void *ctx);                /* ms since some moment, not set by anybody, running on in suspend;
                                                       NULL: the wall clock has to do */
    void (*random)(void *ctx, void *out, size_t n); /* cannot fail: aborts where the system has none */
    const char *vfs;                                /* SQLite VFS under the encrypting one; NULL = default */
    uint64_t (*memory)(void *ctx);                  /* bytes that the machine has; NULL or 0: not known */
    unsigned unlock_ms;                             /* how long checking a new passphrase shall take; 0: the least cost */
    unsigned busy_ms;                               /* how long to wait for another program that has the store; 0: 10 s */
    const char *device_secret;                      /* path of a node's device secret; NULL: in its home */

    /* Whole small file into out (appended). ERR_NOTFOUND, ERR_LIMIT past max bytes, ERR_IO. */
    enum err (*read_file)(void *ctx, const char *path, size_t max, struct buf *out, struct why *why);
    /* Replace atomically: temporary in the same directory, fsync, rename, fsync of the directory. Mode 0600.
     * On failure the old content stands. ERR_FULL, ERR_IO. */
    enum err (*write_file)(void *ctx, const char *path, struct bytes content, struct why *why);
    /* Append at `offset` (which must be the current length, or 0 to begin anew and truncate), creating 0600.
     * Durable when `sync`. ERR_FULL, ERR_IO. */
    enum err (*append_file)(void *ctx, const char *path, uint64_t offset, struct bytes content, bool sync,
                            struct why *why);
    enum err (*file_size)(void *ctx, const char *path, uint64_t *out_size, struct why *why); /* ERR_NOTFOUND, ERR_IO */
    enum err (*remove_file)(void *ctx, const char *path, struct why *why); /* a missing file is fine */
    /* Overwrite every byte in place with random ones, make that durable, then remove the file and sync its directory;
     * and so with what write_file of it left behind when the power failed in it. A missing file is fine. On flash the
     * old blocks may survive: what must be unreadable is also useless without another secret. ERR_IO. */
    enum err (*shred_file)(void *ctx, const char *path, struct why *why);
    enum err (*make_dir)(void *ctx, const char *path, struct why *why);    /* with parents, 0700 */
    /* For large files of a hub's commands; NULL where there are none. Up to n bytes from `offset` on, appended: fewer
     * at the file's end alone. ERR_NOTFOUND, ERR_IO. */
    enum err (*read_at)(void *ctx, const char *path, uint64_t offset, size_t n, struct buf *out, struct why *why);
    /* Give a file another name in the same folder, in the place of what has it, and make that durable. */
    enum err (*move_file)(void *ctx, const char *from, const char *to, struct why *why);
};

/* The real world. Static storage inside; stateless (ctx is NULL). */
const struct env *env_posix(void);

static inline int64_t env_now(const struct env *e)
{
    return e->now_ms(e->ctx);
}
static inline int64_t env_steady(const struct env *e)
{
    return e->steady_ms == NULL ? e->now_ms(e->ctx) : e->steady_ms(e->ctx);
}
static inline void env_random(const struct env *e, void *out, size_t n)
{
    e->random(e->ctx, out, n);
}

/* "3 Nov 2026 at 14:05 UTC", for words that are read at several places; empty for a time that no calendar has. */
void utc_text(int64_t ms, char out[40]);

/* A row id: UUIDv7 (RFC 9562 §5.7) from env's clock and randomness. */
void env_new_id(const struct env *e, uint8_t out[16]);

/* dir + "/" + name into out; ERR_LIMIT when it does not fit. */
MUST_CHECK enum err path_join(char *out, size_t n, const char *dir, const char *name, struct why *why);

#endif
