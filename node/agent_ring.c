#include "node/agent_ring.h"

#include <string.h>

#define KEYS_BYTES 64
#define RING_BYTES (KEYS_BYTES + SLOT_ID_BYTES + 1 + 8 + 4)

static uint64_t get_be(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) v = v << 8 | p[i];
    return v;
}

static void put_be(uint8_t *p, size_t n, uint64_t v)
{
    for (size_t i = n; i-- > 0; v >>= 8) p[i] = (uint8_t)v;
}

enum err agent_ring_put(const struct keyring *r, struct secret *out, struct why *why)
{
    struct secret s = {0};
    if (r->keys.n != KEYS_BYTES) return why_set(why, ERR_LIMIT, "There is nothing here that could be kept unlocked.");
    enum err e = secret_new(&s, RING_BYTES, why);
    if (e != ERR_OK) return e;
    uint8_t *at = s.p;
    memcpy(at, r->keys.p, KEYS_BYTES);
    memcpy(at += KEYS_BYTES, r->slot, SLOT_ID_BYTES);
    *(at += SLOT_ID_BYTES) = (uint8_t)r->kind;
    put_be(at += 1, 8, r->revision);
    put_be(at += 8, 4, r->generation);
    *out = s;
    return ERR_OK;
}

enum err agent_ring_get(struct bytes in, struct keyring *out, struct why *why)
{
    if (in.n != RING_BYTES ||
        (in.p[KEYS_BYTES + SLOT_ID_BYTES] != SLOT_PERSON && in.p[KEYS_BYTES + SLOT_ID_BYTES] != SLOT_RECOVERY))
        return why_set(why, ERR_FORMAT, "What keeps this device unlocked gave something else than its keys.");
    struct keyring r = {0};
    enum err e = secret_new(&r.keys, KEYS_BYTES, why);
    if (e != ERR_OK) return e;
    const uint8_t *at = in.p;
    memcpy(r.keys.p, at, KEYS_BYTES);
    memcpy(r.slot, at += KEYS_BYTES, SLOT_ID_BYTES);
    r.kind = (enum slot_kind) * (at += SLOT_ID_BYTES);
    r.revision = get_be(at += 1, 8);
    r.generation = (uint32_t)get_be(at += 8, 4);
    *out = r;
    return ERR_OK;
}
