/* One slot of the key file: what opens it, and what it opens. crypto/FORMAT.md §4. */
#include "crypto/keyslot_internal.h"

#include <sodium.h>
#include <string.h>

#define WRAPPED_BYTES (crypto_box_SECRETKEYBYTES + VOUCH_KEY_BYTES + crypto_aead_xchacha20poly1305_ietf_ABYTES)
#define SEALED_BYTES  (DATA_KEY_BYTES + crypto_box_SEALBYTES)
#define WRAP_LABEL    18u /* "spoke/slot/wrap/2" with its NUL */
#define AAD_BYTES     (WRAP_LABEL + KEYFILE_AAD_BYTES + 1u + SLOT_NONCE_AT)

_Static_assert(SLOT_WRAPPED_AT + WRAPPED_BYTES == SLOT_SEALED_AT, "the seal follows the wrap");
_Static_assert(SLOT_SEALED_AT + SEALED_BYTES == SLOT_CHECK_AT, "the check follows the seal");
_Static_assert(SLOT_CHECK_AT + SLOT_CHECK_BYTES + 8 == KEYFILE_SLOT_BYTES, "eight reserved bytes end a slot");

bool keyslot_slot_sane(const uint8_t *slot)
{
    uint32_t passes = keyslot_get32(slot + SLOT_PASSES_AT), kib = keyslot_get32(slot + SLOT_KIB_AT);
    bool zeros = slot[3] == 0 && sodium_is_zero(slot + 12, 4) && sodium_is_zero(slot + KEYFILE_SLOT_BYTES - 8, 8);
    bool device = slot[SLOT_FLAGS_AT] == SLOT_FLAG_DEVICE;
    if (!device) zeros = zeros && slot[SLOT_FLAGS_AT] == 0 && sodium_is_zero(slot + SLOT_CHECK_AT, SLOT_CHECK_BYTES);
    switch (slot[SLOT_KIND_AT]) {
    case SLOT_EMPTY: return sodium_is_zero(slot, KEYFILE_SLOT_BYTES);
    case SLOT_PERSON:
        return zeros && slot[SLOT_KDF_AT] == SLOT_KDF_ARGON2ID && passes >= 1 && passes <= MOST_PASSES && kib >= 8 &&
               kib <= MOST_KIB;
    case SLOT_RECOVERY: return zeros && !device && slot[SLOT_KDF_AT] == SLOT_KDF_NONE && passes == 0 && kib == 0;
    default: return true; /* of a kind that a later version wrote */
    }
}

/* Which device secret is mixed in, told without telling anything of it. */
static void device_check(uint8_t out[SLOT_CHECK_BYTES], const uint8_t *slot, const struct secret *device)
{
    static const char label[] = "spoke/slot/device/2";
    crypto_generichash_state st;
    crypto_generichash_init(&st, device->p, device->n, SLOT_CHECK_BYTES);
    crypto_generichash_update(&st, (const uint8_t *)label, sizeof label);
    crypto_generichash_update(&st, slot + SLOT_SALT_AT, 16);
    crypto_generichash_final(&st, out, SLOT_CHECK_BYTES);
    sodium_memzero(&st, sizeof st);
}

bool keyslot_slot_foreign(const uint8_t *slot, const struct secret *device)
{
    uint8_t check[SLOT_CHECK_BYTES];
    if ((slot[SLOT_FLAGS_AT] & SLOT_FLAG_DEVICE) == 0) return false;
    if (device->n == 0) return true;
    device_check(check, slot, device);
    return !secret_equal(check, slot + SLOT_CHECK_AT, sizeof check);
}

/* ---- its key ---- */

static enum err stretch(struct secret *out, const uint8_t *slot, struct bytes passphrase, struct why *why)
{
    enum err e = secret_new(out, 32, why);
    if (e != ERR_OK) return e;
    if (crypto_pwhash(out->p, out->n, passphrase.n == 0 ? "" : (const char *)passphrase.p, passphrase.n,
                      slot + SLOT_SALT_AT, keyslot_get32(slot + SLOT_PASSES_AT),
                      (size_t)keyslot_get32(slot + SLOT_KIB_AT) * 1024, crypto_pwhash_ALG_ARGON2ID13) == 0)
        return ERR_OK;
    secret_release(out);
    (void)why_set(why, ERR_NOMEM, "there is not enough free memory to check the passphrase");
    return why_next(why, ERR_NOMEM, "Close other programs and try again.");
}

static enum err slot_key(struct secret *out, const uint8_t *slot, const struct keyslot_words *w, struct why *why)
{
    static const char label[] = "spoke/slot/2";
    struct secret stretched = {0};
    struct bytes key = w->secret;
    crypto_generichash_state st;
    enum err e = secret_new(out, crypto_aead_xchacha20poly1305_ietf_KEYBYTES, why);
    if (e == ERR_OK && slot[SLOT_KDF_AT] == SLOT_KDF_ARGON2ID) {
        e = stretch(&stretched, slot, w->secret, why);
        key = bytes_of(stretched.p, stretched.n);
    }
    if (e != ERR_OK) {
        secret_release(out);
        return e;
    }
    crypto_generichash_init(&st, key.p, key.n, out->n);
    crypto_generichash_update(&st, (const uint8_t *)label, sizeof label); /* with its NUL */
    crypto_generichash_update(&st, slot + SLOT_SALT_AT, 16);
    if ((slot[SLOT_FLAGS_AT] & SLOT_FLAG_DEVICE) != 0) crypto_generichash_update(&st, w->device->p, w->device->n);
    crypto_generichash_final(&st, out->p, out->n);
    sodium_memzero(&st, sizeof st);
    secret_release(&stretched);
    return ERR_OK;
}

/* Everything that the slot's key depends on, its place, its id and its public key; not the sealed data key, which a
 * rekey changes without anybody's passphrase. */
static void slot_aad(uint8_t aad[AAD_BYTES], const uint8_t *file, size_t index)
{
    memcpy(aad, "spoke/slot/wrap/2", WRAP_LABEL);
    memcpy(aad + WRAP_LABEL, file, KEYFILE_AAD_BYTES);
    aad[WRAP_LABEL + KEYFILE_AAD_BYTES] = (uint8_t)index;
    memcpy(aad + WRAP_LABEL + KEYFILE_AAD_BYTES + 1, file + KEYFILE_SLOTS_AT + index * KEYFILE_SLOT_BYTES,
           SLOT_NONCE_AT);
}

/* ---- filling ---- */

enum err keyslot_slot_seal(uint8_t *slot, const struct keyring *r, struct why *why)
{
    /* fails for a public key of low order only, which nobody who has the keys ever wrote */
    return crypto_box_seal(slot + SLOT_SEALED_AT, r->keys.p, DATA_KEY_BYTES, slot + SLOT_PK_AT) == 0
               ? ERR_OK
               : keyslot_changed(why);
}

static void describe(const struct env *env, uint8_t *slot, const struct keyslot_words *w)
{
    memset(slot, 0, KEYFILE_SLOT_BYTES);
    slot[SLOT_KIND_AT] = (uint8_t)w->kind;
    env_random(env, slot + SLOT_SALT_AT, 16);
    if (w->id != NULL)
        memcpy(slot + SLOT_ID_AT, w->id, SLOT_ID_BYTES);
    else
        env_random(env, slot + SLOT_ID_AT, SLOT_ID_BYTES);
    env_random(env, slot + SLOT_NONCE_AT, crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);
    slot[SLOT_KDF_AT] = SLOT_KDF_NONE;
    if (w->kind == SLOT_RECOVERY) return;
    slot[SLOT_KDF_AT] = SLOT_KDF_ARGON2ID;
    keyslot_put32(slot + SLOT_PASSES_AT, w->cost.passes);
    keyslot_put32(slot + SLOT_KIB_AT, w->cost.kib);
    if (w->device == NULL || w->device->n == 0) return;
    slot[SLOT_FLAGS_AT] = SLOT_FLAG_DEVICE;
    device_check(slot + SLOT_CHECK_AT, slot, w->device);
}

enum err keyslot_slot_fill(const struct env *env, uint8_t *file, size_t index, const struct keyslot_words *w,
                           const struct keyring *r, struct why *why)
{
    uint8_t *slot = keyslot_at(file, index), aad[AAD_BYTES];
    struct secret kek = {0}, wrapped = {0};
    describe(env, slot, w);
    enum err e = secret_new(&wrapped, crypto_box_SECRETKEYBYTES + VOUCH_KEY_BYTES, why);
    if (e == ERR_OK) e = slot_key(&kek, slot, w, why);
    if (e != ERR_OK) goto out;
    env_random(env, wrapped.p, crypto_box_SECRETKEYBYTES);
    crypto_scalarmult_base(slot + SLOT_PK_AT, wrapped.p);
    memcpy(wrapped.p + crypto_box_SECRETKEYBYTES, r->keys.p + DATA_KEY_BYTES, VOUCH_KEY_BYTES);
    slot_aad(aad, file, index);
    crypto_aead_xchacha20poly1305_ietf_encrypt(slot + SLOT_WRAPPED_AT, NULL, wrapped.p, wrapped.n, aad, sizeof aad,
                                               NULL, slot + SLOT_NONCE_AT, kek.p);
    e = keyslot_slot_seal(slot, r, why);
out:
    secret_release(&kek);
    secret_release(&wrapped);
    return e;
}

/* ---- opening ---- */

enum err keyslot_slot_unwrap(const uint8_t *file, size_t index, const struct keyslot_words *w, struct secret *out,
                             struct why *why)
{
    const uint8_t *slot = file + KEYFILE_SLOTS_AT + index * KEYFILE_SLOT_BYTES;
    uint8_t aad[AAD_BYTES];
    struct secret kek = {0};
    enum err e = secret_new(out, crypto_box_SECRETKEYBYTES + VOUCH_KEY_BYTES, why);
    if (e == ERR_OK) e = slot_key(&kek, slot, w, why);
    if (e == ERR_OK) {
        slot_aad(aad, file, index);
        if (crypto_aead_xchacha20poly1305_ietf_decrypt(out->p, NULL, NULL, slot + SLOT_WRAPPED_AT, WRAPPED_BYTES, aad,
                                                       sizeof aad, slot + SLOT_NONCE_AT, kek.p) != 0)
            e = ERR_PASSPHRASE;
    }
    secret_release(&kek);
    if (e != ERR_OK) secret_release(out);
    return e;
}

enum err keyslot_slot_open(const uint8_t *file, size_t index, const struct secret *wrapped, struct keyring *out,
                           struct why *why)
{
    const uint8_t *slot = file + KEYFILE_SLOTS_AT + index * KEYFILE_SLOT_BYTES;
    uint8_t pk[crypto_box_PUBLICKEYBYTES], mac[32];
    struct keyring r = {.kind = slot[SLOT_KIND_AT] == SLOT_RECOVERY ? SLOT_RECOVERY : SLOT_PERSON,
                        .revision = keyslot_get64(file + KEYFILE_REVISION_AT),
                        .generation = keyslot_get32(file + KEYFILE_GENERATION_AT)};
    memcpy(r.slot, slot + SLOT_ID_AT, SLOT_ID_BYTES);
    enum err e = secret_new(&r.keys, DATA_KEY_BYTES + VOUCH_KEY_BYTES, why);
    if (e != ERR_OK) return e;
    if (crypto_scalarmult_base(pk, wrapped->p) != 0 || memcmp(pk, slot + SLOT_PK_AT, sizeof pk) != 0 ||
        crypto_box_seal_open(r.keys.p, slot + SLOT_SEALED_AT, SEALED_BYTES, pk, wrapped->p) != 0) {
        e = keyslot_changed(why);
        goto out;
    }
    memcpy(r.keys.p + DATA_KEY_BYTES, wrapped->p + crypto_box_SECRETKEYBYTES, VOUCH_KEY_BYTES);
    keyslot_mac(mac, &r, bytes_of(file, KEYFILE_MAC_AT));
    if (!secret_equal(mac, file + KEYFILE_MAC_AT, sizeof mac)) {
        e = keyslot_changed(why);
        goto out;
    }
    *out = r;
    r = (struct keyring){0};
out:
    keyring_release(&r);
    return e;
}
