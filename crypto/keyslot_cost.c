/* How dear a guess at a passphrase is: as long as the right one may take on this machine, and 64 MiB at least. */
#include "crypto/keyslot_internal.h"

#include <sodium.h>

static const struct keyslot_cost least = {.passes = LEAST_PASSES, .kib = LEAST_KIB};

/* A quarter of the machine's memory, 1 GiB at most: the machine has other work, and an attacker has more. */
static uint32_t memory_ceiling(const struct env *env)
{
    uint64_t kib = env->memory == NULL ? 0 : env->memory(env->ctx) / 1024 / 4;
    return kib > MOST_KIB ? MOST_KIB : kib < LEAST_KIB ? LEAST_KIB : (uint32_t)kib;
}

/* Milliseconds; 0: there was not enough memory, or no time passed, so that nothing can be said. */
static int64_t measure(const struct env *env, struct keyslot_cost cost)
{
    static const uint8_t salt[crypto_pwhash_SALTBYTES];
    static const char words[] = "the time it takes";
    uint8_t out[32];
    int64_t before = env_steady(env);
    if (crypto_pwhash(out, sizeof out, words, sizeof words, salt, cost.passes, (size_t)cost.kib * 1024,
                      crypto_pwhash_ALG_ARGON2ID13) != 0)
        return 0;
    int64_t after = env_steady(env);
    return after > before ? after - before : 0;
}

struct keyslot_cost keyslot_cost_scale(struct keyslot_cost was, int64_t ms, unsigned want_ms, uint32_t max_kib)
{
    uint64_t work = (uint64_t)was.passes * was.kib * want_ms / (uint64_t)ms, kib = work / LEAST_PASSES;
    if (kib > max_kib) kib = max_kib;
    if (kib < LEAST_KIB) kib = LEAST_KIB;
    uint64_t passes = work / kib; /* where memory is short, more passes make up for it */
    passes = passes < LEAST_PASSES ? LEAST_PASSES : passes > MOST_PASSES ? MOST_PASSES : passes;
    return (struct keyslot_cost){.passes = (uint32_t)passes, .kib = (uint32_t)kib};
}

struct keyslot_cost keyslot_cost_measure(const struct env *env)
{
    if (env->unlock_ms == 0) return least;
    int64_t ms = measure(env, least);
    if (ms == 0 || ms >= env->unlock_ms) return least;
    struct keyslot_cost cost = keyslot_cost_scale(least, ms, env->unlock_ms, memory_ceiling(env));
    ms = measure(env, cost); /* for real: so much memory may not be there, or be slower than a little */
    return ms == 0 ? least : keyslot_cost_scale(cost, ms, env->unlock_ms, cost.kib);
}
