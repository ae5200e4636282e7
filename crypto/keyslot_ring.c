/* What a key file gave to who opened it. */
#include "crypto/keyslot_internal.h"

#include <string.h>

void keyring_release(struct keyring *r)
{
    if (r == NULL) return;
    secret_release(&r->keys);
    *r = (struct keyring){0};
}

enum err keyring_copy(struct keyring *out, const struct keyring *from, struct why *why)
{
    struct keyring r = *from;
    r.keys = (struct secret){0};
    enum err e = secret_new(&r.keys, from->keys.n, why);
    if (e != ERR_OK) return e;
    memcpy(r.keys.p, from->keys.p, from->keys.n);
    *out = r;
    return ERR_OK;
}

struct secret keyring_data_key(const struct keyring *r)
{
    return (struct secret){r->keys.p, r->keys.p == NULL ? 0 : DATA_KEY_BYTES};
}

enum err keyring_next(struct keyring *out, const struct env *env, const struct keyring *r, struct why *why)
{
    struct keyring next = {0};
    if (r->generation == UINT32_MAX) return keyslot_changed(why); /* nobody makes so many */
    enum err e = keyring_copy(&next, r, why);
    if (e != ERR_OK) return e;
    env_random(env, next.keys.p, DATA_KEY_BYTES);
    next.generation++;
    *out = next;
    return ERR_OK;
}
