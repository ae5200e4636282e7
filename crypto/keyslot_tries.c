/* KEYFILE.tries: wrong passphrases in a row, for people at the keyboard. crypto/FORMAT.md §4. Nothing here may keep
 * the right passphrase out: a file that cannot be read, understood or written counts as none, and no error of it is
 * told. */
#include "crypto/keyslot_internal.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define TRIES_BYTES 17u

struct tries {
    uint32_t n;   /* wrong ones in a row */
    int64_t last; /* Unix milliseconds of the last */
};

static bool name(char out[PATH_MAX], const char *path)
{
    int n = snprintf(out, PATH_MAX, "%s.tries", path);
    return n > 0 && n < PATH_MAX;
}

static struct tries load(const struct env *env, const char *path)
{
    struct tries t = {0};
    struct buf in;
    char file[PATH_MAX];
    buf_init(&in, TRIES_BYTES);
    if (name(file, path) && env->read_file(env->ctx, file, TRIES_BYTES, &in, NULL) == ERR_OK && in.len == TRIES_BYTES &&
        memcmp(in.data, "SPKT\1", 5) == 0 && keyslot_get64(in.data + 9) <= INT64_MAX) {
        t.n = keyslot_get32(in.data + 5);
        t.last = (int64_t)keyslot_get64(in.data + 9);
    }
    buf_release(&in);
    return t;
}

static bool store(const struct env *env, const char *path, struct tries t)
{
    uint8_t out[TRIES_BYTES];
    char file[PATH_MAX];
    memcpy(out, "SPKT\1", 5);
    keyslot_put32(out + 5, t.n);
    keyslot_put64(out + 9, (uint64_t)t.last);
    return name(file, path) && env->write_file(env->ctx, file, bytes_of(out, sizeof out), NULL) == ERR_OK;
}

static int64_t delay_ms(uint32_t tries)
{
    int64_t s = 1;
    for (uint32_t n = TRIES_BEFORE_DELAY; n <= tries && s < LONGEST_DELAY_S; n++) s *= 2;
    return tries < TRIES_BEFORE_DELAY ? 0 : (s < LONGEST_DELAY_S ? s : LONGEST_DELAY_S) * 1000;
}

/* A clock before 1970 has no place in the file. */
static int64_t now(const struct env *env)
{
    int64_t t = env_now(env);
    return t < 0 ? 0 : t;
}

int64_t keyslot_wait_ms(const struct env *env, const struct keyfile *at)
{
    struct tries t = load(env, at->path);
    int64_t delay = delay_ms(t.n), since = now(env) - t.last;
    if (delay == 0 || since >= delay) return 0;
    return since < 0 ? delay : delay - since;
}

enum err keyslot_tries_wait(const struct env *env, const char *path, struct why *why)
{
    struct tries t = load(env, path);
    int64_t delay = delay_ms(t.n), at = now(env);
    if (delay == 0 || (at >= t.last && at - t.last >= delay)) return ERR_OK;
    if (at < t.last) {
        /* The clock went back. The delay begins again: it neither ends now nor lasts until the clock is where it was.
         * If that cannot be noted it would begin again each time, and bar for ever. */
        t.last = at;
        if (!store(env, path, t)) return ERR_OK;
    }
    int64_t s = (t.last + delay - at + 999) / 1000;
    (void)why_set(why, ERR_PASSPHRASE, "there were %u wrong passphrases in a row, so the next can be tried in %lld %s",
                  (unsigned)t.n, (long long)(s < 120 ? s : (s + 59) / 60),
                  s == 1    ? "second"
                  : s < 120 ? "seconds"
                            : "minutes");
    return why_next(why, ERR_PASSPHRASE,
                    "Wait so long, then try again. Check capital letters and the keyboard layout.");
}

void keyslot_tries_count(const struct env *env, const char *path)
{
    struct tries t = load(env, path);
    if (t.n < UINT32_MAX) t.n++;
    t.last = now(env);
    (void)store(env, path, t);
}

void keyslot_tries_clear(const struct env *env, const char *path)
{
    uint64_t size;
    char file[PATH_MAX];
    if (name(file, path) && env->file_size(env->ctx, file, &size, NULL) == ERR_OK)
        (void)env->remove_file(env->ctx, file, NULL);
}
