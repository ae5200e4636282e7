/* The key file: no change of it by somebody without the keys goes unnoticed, none makes opening costlier than it may
 * be, and on whatever has a good MAC each change does what it says or changes nothing. The count of wrong tries beside
 * it: no content of it keeps the right passphrase out for longer than fifteen minutes. */
#include "crypto/keyslot_internal.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

enum asked { FIT_SUM = 1, FIT_MAC = 2, BY_CODE = 4, TRIES = 8 };

static struct fuzz_file genuine;
static struct fuzz_key genuine_key;
static const struct keyfile at = {.path = "a.key"};
static const struct keyslot_cost cheap = {1, 8};

static int64_t later(void *ctx)
{
    (void)ctx;
    return FUZZ_NOW + 900000;
}

static enum err open_file(const struct env *env, bool by_code, struct keyring *ring)
{
    enum err e = by_code ? keyslot_open_code(env, &at, bytes_of_str(genuine_key.code), ring, NULL)
                         : keyslot_open(env, &at, fuzz_passphrase(), ring, NULL);
    HOLDS((e == ERR_OK) == (ring->keys.p != NULL));
    return e;
}

static void opens(const struct env *env, struct bytes passphrase, const uint8_t *slot, const struct keyring *by)
{
    struct keyring ring = {0};
    HOLDS(keyslot_open(env, &at, passphrase, &ring, NULL) == ERR_OK);
    HOLDS(slot == NULL || memcmp(ring.slot, slot, SLOT_ID_BYTES) == 0);
    HOLDS(memcmp(ring.keys.p, by->keys.p, ring.keys.n) == 0);
    HOLDS(ring.revision == by->revision && ring.generation == by->generation);
    keyring_release(&ring);
}

static void add_somebody(const struct env *env, const struct fuzz_file *file, struct keyring *ring)
{
    const struct keyslot_words words = {.secret = bytes_of_str("somebody new"), .cost = cheap};
    const struct fuzz_file before = *file;
    uint8_t id[SLOT_ID_BYTES] = {0};
    enum err e = keyslot_put_cost(env, &at, ring, &words, id, NULL);
    HOLDS(e == ERR_OK || e == ERR_LIMIT || e == ERR_TAMPERED);
    if (e == ERR_OK)
        opens(env, words.secret, id, ring);
    else
        HOLDS(memcmp(before.bytes, file->bytes, KEYFILE_BYTES) == 0);
}

static void make_code(const struct env *env, const struct fuzz_file *file, struct keyring *ring)
{
    const struct fuzz_file before = *file;
    struct keyring by_code = {0};
    char code[RECOVERY_CODE_CHARS];
    enum err e = keyslot_recovery(env, &at, ring, code, NULL);
    HOLDS(e == ERR_OK || e == ERR_LIMIT || e == ERR_TAMPERED);
    if (e != ERR_OK) {
        HOLDS(memcmp(before.bytes, file->bytes, KEYFILE_BYTES) == 0);
        return;
    }
    HOLDS(keyslot_open_code(env, &at, bytes_of_str(code), &by_code, NULL) == ERR_OK);
    HOLDS(memcmp(by_code.keys.p, ring->keys.p, 64) == 0);
    keyring_release(&by_code);
}

static void new_data_key(const struct env *env, const struct fuzz_file *file, struct keyring *ring)
{
    const struct fuzz_file before = *file;
    struct keyring next = {0};
    enum err e = keyring_next(&next, env, ring, NULL);
    if (e == ERR_OK) e = keyslot_rekey(env, &at, ring, &next, NULL);
    HOLDS(e == ERR_OK || e == ERR_TAMPERED);
    if (e == ERR_OK) {
        HOLDS(memcmp(next.keys.p, ring->keys.p, 32) != 0);
        if (ring->kind == SLOT_PERSON) opens(env, fuzz_passphrase(), ring->slot, &next);
        keyring_release(ring);
        *ring = next;
    } else {
        HOLDS(memcmp(before.bytes, file->bytes, KEYFILE_BYTES) == 0);
        keyring_release(&next);
    }
}

/* Whoever has the keys finds a file that nobody of ours would have written. */
static void change(const struct env *env, const struct fuzz_file *file, struct keyring *ring)
{
    uint8_t once;
    HOLDS(memcmp(ring->keys.p, genuine_key.keys, 64) == 0);
    env_random(env, &once, 1); /* what is drawn begins anew with each input, and the genuine keys were drawn first */
    add_somebody(env, file, ring);
    new_data_key(env, file, ring);
    make_code(env, file, ring);
    uint8_t id[SLOT_ID_BYTES];
    memcpy(id, ring->slot, sizeof id);
    enum err e = keyslot_remove(env, &at, ring, id, NULL);
    HOLDS(e == ERR_OK || e == ERR_DENIED || e == ERR_TAMPERED);
}

static void try_tries(struct bytes in)
{
    struct fuzz_file file = genuine, tries = {.there = true};
    struct keyring ring = {0};
    file.tries = &tries;
    struct env env = fuzz_env(&file);
    tries.n = in.n < sizeof tries.bytes ? in.n : sizeof tries.bytes;
    if (tries.n > 0) memcpy(tries.bytes, in.p, tries.n);
    enum err e = open_file(&env, false, &ring);
    HOLDS(e == ERR_OK || e == ERR_PASSPHRASE);
    if (e == ERR_PASSPHRASE) {
        HOLDS(fuzz_argon().calls == 0);
        env.now_ms = later;
        HOLDS(open_file(&env, false, &ring) == ERR_OK);
    }
    HOLDS(!tries.there);
    keyring_release(&ring);
}

static enum err count(void *ctx, const uint8_t id[SLOT_ID_BYTES], enum slot_kind kind, struct why *why)
{
    (void)id, (void)why;
    HOLDS(kind != SLOT_EMPTY);
    ++*(unsigned *)ctx;
    return ERR_OK;
}

static void fit(struct fuzz_file *file, uint8_t asked)
{
    struct keyring ring = {.keys = {genuine_key.keys, sizeof genuine_key.keys}};
    if (file->n != KEYFILE_BYTES) return;
    if ((asked & FIT_MAC) != 0) keyslot_mac(file->bytes + KEYFILE_MAC_AT, &ring, bytes_of(file->bytes, KEYFILE_MAC_AT));
    if ((asked & (FIT_MAC | FIT_SUM)) != 0) /* anybody can make this one fit */
        keyslot_checksum(file->bytes + KEYFILE_SUM_AT, bytes_of(file->bytes, KEYFILE_SUM_AT));
}

static void try_file(struct bytes in, uint8_t asked)
{
    struct fuzz_file file = {.there = true};
    struct env env = fuzz_env(&file);
    struct keyring ring = {0};
    unsigned slots = 0;
    uint32_t generation;
    file.n = in.n < sizeof file.bytes ? in.n : sizeof file.bytes;
    if (file.n > 0) memcpy(file.bytes, in.p, file.n);
    fit(&file, asked);
    enum err e = open_file(&env, (asked & BY_CODE) != 0, &ring);
    struct fuzz_argon cost = fuzz_argon();
    HOLDS(cost.calls <= 8 && cost.passes <= 16 && cost.memory <= (size_t)1 << 30);
    HOLDS((asked & BY_CODE) == 0 || cost.calls == 0);
    HOLDS(e == ERR_OK || e == ERR_FORMAT || e == ERR_VERSION || e == ERR_TAMPERED || e == ERR_PASSPHRASE);
    enum err look = keyslot_each(&env, &at, count, &slots, NULL);
    HOLDS(look == keyslot_generation(&env, &at, &generation, NULL) && slots <= KEYSLOT_MAX);
    HOLDS(look == ERR_OK ? e != ERR_FORMAT && e != ERR_VERSION : look == e);
    if (e == ERR_OK && (asked & FIT_MAC) == 0)
        HOLDS(file.n == genuine.n && memcmp(file.bytes, genuine.bytes, file.n) == 0);
    if (e == ERR_OK) change(&env, &file, &ring);
    keyring_release(&ring);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_of(data, size);
    if (!genuine.there) fuzz_keyfile(&genuine, &genuine_key);
    fuzz_start();
    uint8_t asked = fuzz_take(&in);
    if ((asked & TRIES) != 0)
        try_tries(in);
    else
        try_file(in, asked);
    return 0;
}
