/* Memory that holds secrets: locked, guarded, wiped (libsodium's sodium_malloc). Nothing secret lives elsewhere. */
#ifndef SPOKE_CRYPTO_SECRET_H
#define SPOKE_CRYPTO_SECRET_H

#include "base/buf.h"

struct secret {
    uint8_t *p; /* sodium_malloc'ed; NULL while empty */
    size_t n;   /* bytes */
};

/* Once at the start of each program, before any key: initialise libsodium, forbid core dumps (RLIMIT_CORE 0,
 * PR_SET_DUMPABLE 0). ERR_FAILED. Idempotent. */
MUST_CHECK enum err secret_start(struct why *why);
MUST_CHECK enum err secret_new(struct secret *out, size_t n, struct why *why); /* zeroed; ERR_NOMEM */
/* Copy n bytes into locked memory and wipe the source. */
MUST_CHECK enum err secret_take(struct secret *out, void *from, size_t n, struct why *why);
void secret_release(struct secret *s);                     /* wipes and frees; NULL and empty are fine */
void secret_wipe(void *p, size_t n);                       /* not optimised away */
bool secret_equal(const void *a, const void *b, size_t n); /* constant time */

#endif
