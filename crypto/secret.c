#include "crypto/secret.h"

#include <sodium.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* A core file would put every key, and SQLite's plaintext page cache, on the disk (design.md, rule 8). */
static enum err forbid_core_dumps(struct why *why)
{
    const struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_CORE, &none) != 0)
        return why_set(why, ERR_FAILED, "this computer would not let the program switch off crash dumps");
#ifndef __SANITIZE_ADDRESS__ /* the leak checker traces its own process, which a process without dumps forbids */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return why_set(why, ERR_FAILED, "this computer would not let the program protect its memory");
#endif
    return ERR_OK;
}

enum err secret_start(struct why *why)
{
    if (sodium_init() < 0)
        return why_set(why, ERR_FAILED, "the encryption library could not be started");
    return forbid_core_dumps(why);
}

enum err secret_new(struct secret *out, size_t n, struct why *why)
{
    /* sodium_init is idempotent and cheap: tests and libraries may reach this before secret_start. */
    if (sodium_init() < 0)
        return why_set(why, ERR_FAILED, "the encryption library could not be started");
    void *p = sodium_malloc(n ? n : 1);
    if (!p)
        return why_set(why, ERR_NOMEM, "there is not enough protected memory for a key");
    sodium_memzero(p, n ? n : 1);
    *out = (struct secret){p, n};
    return ERR_OK;
}

enum err secret_take(struct secret *out, void *from, size_t n, struct why *why)
{
    struct secret s = {0};
    enum err e = secret_new(&s, n, why);
    if (!e) {
        if (n)
            memcpy(s.p, from, n);
        *out = s;
    }
    /* Wiped on failure too: the caller has handed it over. */
    if (n)
        sodium_memzero(from, n);
    return e;
}

void secret_release(struct secret *s)
{
    if (!s)
        return;
    sodium_free(s->p); /* wipes; NULL is fine */
    *s = (struct secret){0};
}

void secret_wipe(void *p, size_t n)
{
    if (n)
        sodium_memzero(p, n);
}

bool secret_equal(const void *a, const void *b, size_t n)
{
    return n == 0 || sodium_memcmp(a, b, n) == 0;
}
