#include "crypto/keyslot.h"

#include "crypto/hash.h"
#include "crypto/keyslot_internal.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

/* Offsets in the file, crypto/FORMAT.md §4. */
#define AT_VERSION 4u
#define AT_SUITE 5u
#define AT_FILE_ID 8u
#define AT_BOX_PK 24u
#define AT_SEALED 56u
#define SEALED_BYTES (DATA_KEY_BYTES + crypto_box_SEALBYTES)
#define SLOTS 8u

/* Offsets in a slot. */
#define SLOT_KIND 0u
#define SLOT_KDF 1u
#define SLOT_PASSES 4u
#define SLOT_KIB 8u
#define SLOT_SALT 16u
#define SLOT_ID 32u
#define SLOT_NONCE 48u
#define SLOT_WRAPPED 72u
#define WRAPPED_BYTES (crypto_box_SECRETKEYBYTES + crypto_aead_xchacha20poly1305_ietf_ABYTES)

#define KIND_PASSPHRASE 1
#define KDF_ARGON2ID 1
#define MAX_PASSES 16u         /* a changed file must not hold a computer for hours or eat its memory */
#define MAX_KIB (1024u * 1024u)
#define MIN_PASSPHRASE 8u

_Static_assert(AT_SEALED + SEALED_BYTES == KEYFILE_SLOTS_AT, "slots follow the sealed key");
_Static_assert(KEYFILE_SLOTS_AT + SLOTS * KEYFILE_SLOT_BYTES + 8 == KEYFILE_MAC_AT, "reserved bytes, then the MAC");
_Static_assert(SLOT_WRAPPED + WRAPPED_BYTES + 8 == KEYFILE_SLOT_BYTES, "eight reserved bytes end a slot");

static void put_be32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static uint32_t get_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static enum err changed(struct why *why)
{
    (void)why_set(why, ERR_TAMPERED, "the key file of this device is damaged or was changed, so it cannot be opened");
    return why_next(why, ERR_TAMPERED, "Restore the key file from this device's backup, or enrol the device anew.");
}

/* ---- the marks at the end ---- */

void keyslot_checksum(uint8_t out[32], struct bytes body)
{
    hash_labelled(out, "spoke/keyfile/sum/1", body);
}

/* Keyed with both keys: whoever knows only the public half could seal a data key of his own choosing, put his own
 * database beside it, and have people work in it. */
void keyslot_mac(uint8_t out[32], const struct secret *data_key, const struct secret *box_sk, struct bytes body)
{
    static const char label[] = "spoke/keyfile/mac/1";
    uint8_t key[32];
    crypto_generichash_state st;
    crypto_generichash_init(&st, data_key->p, data_key->n, sizeof key);
    crypto_generichash_update(&st, (const uint8_t *)label, sizeof label); /* with its NUL */
    crypto_generichash_update(&st, box_sk->p, box_sk->n);
    crypto_generichash_final(&st, key, sizeof key);
    crypto_generichash(out, 32, body.p, body.n, key, sizeof key);
    sodium_memzero(key, sizeof key);
    sodium_memzero(&st, sizeof st);
}

static void mark(uint8_t file[KEYFILE_BYTES], const struct secret *data_key, const struct secret *box_sk)
{
    keyslot_mac(file + KEYFILE_MAC_AT, data_key, box_sk, bytes_of(file, KEYFILE_MAC_AT));
    keyslot_checksum(file + KEYFILE_SUM_AT, bytes_of(file, KEYFILE_SUM_AT));
}

/* ---- one slot ---- */

#define SLOT_AAD_BYTES (13u + AT_SEALED + 1u + SLOT_NONCE)

/* Everything the slot's key depends on, and the public key it belongs to; not the sealed data key, which a rekey
 * changes without anybody's passphrase. */
static void slot_aad(uint8_t aad[SLOT_AAD_BYTES], const uint8_t *file, size_t index)
{
    memcpy(aad, "spoke/slot/1", 13);
    memcpy(aad + 13, file, AT_SEALED);
    aad[13 + AT_SEALED] = (uint8_t)index;
    memcpy(aad + 13 + AT_SEALED + 1, file + KEYFILE_SLOTS_AT + index * KEYFILE_SLOT_BYTES, SLOT_NONCE);
}

static enum err slot_key(struct secret *out, const uint8_t *slot, struct bytes passphrase, struct why *why)
{
    enum err e = secret_new(out, crypto_aead_xchacha20poly1305_ietf_KEYBYTES, why);
    if (e)
        return e;
    if (crypto_pwhash(out->p, out->n, (const char *)passphrase.p, passphrase.n, slot + SLOT_SALT,
                      get_be32(slot + SLOT_PASSES), (size_t)get_be32(slot + SLOT_KIB) * 1024,
                      crypto_pwhash_ALG_ARGON2ID13) == 0)
        return ERR_OK;
    secret_release(out);
    (void)why_set(why, ERR_NOMEM, "there is not enough free memory to check the passphrase");
    return why_next(why, ERR_NOMEM, "Close other programs and try again.");
}

static enum err slot_fill(const struct env *env, uint8_t *file, size_t index, struct bytes passphrase,
                          struct keyslot_cost cost, const struct secret *box_sk, struct why *why)
{
    uint8_t *slot = file + KEYFILE_SLOTS_AT + index * KEYFILE_SLOT_BYTES, aad[SLOT_AAD_BYTES];
    struct secret kek = {0};
    slot[SLOT_KIND] = KIND_PASSPHRASE;
    slot[SLOT_KDF] = KDF_ARGON2ID;
    put_be32(slot + SLOT_PASSES, cost.passes);
    put_be32(slot + SLOT_KIB, cost.kib);
    env_random(env, slot + SLOT_SALT, 16);
    env_random(env, slot + SLOT_ID, 16);
    env_random(env, slot + SLOT_NONCE, 24);
    enum err e = slot_key(&kek, slot, passphrase, why);
    if (e)
        return e;
    slot_aad(aad, file, index);
    crypto_aead_xchacha20poly1305_ietf_encrypt(slot + SLOT_WRAPPED, NULL, box_sk->p, box_sk->n, aad, sizeof aad, NULL,
                                               slot + SLOT_NONCE, kek.p);
    secret_release(&kek);
    return ERR_OK;
}

static bool slot_sane(const uint8_t *slot)
{
    uint32_t passes = get_be32(slot + SLOT_PASSES), kib = get_be32(slot + SLOT_KIB);
    return slot[SLOT_KDF] == KDF_ARGON2ID && passes >= 1 && passes <= MAX_PASSES && kib >= 8 && kib <= MAX_KIB;
}

/* ERR_PASSPHRASE: this slot is not opened by this passphrase. */
static enum err slot_open(const uint8_t *file, size_t index, struct bytes passphrase, struct secret *box_sk,
                          struct why *why)
{
    const uint8_t *slot = file + KEYFILE_SLOTS_AT + index * KEYFILE_SLOT_BYTES;
    uint8_t aad[SLOT_AAD_BYTES];
    struct secret kek = {0};
    if (!slot_sane(slot))
        return changed(why);
    enum err e = slot_key(&kek, slot, passphrase, why);
    if (e)
        return e;
    slot_aad(aad, file, index);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(box_sk->p, NULL, NULL, slot + SLOT_WRAPPED, WRAPPED_BYTES, aad,
                                                   sizeof aad, slot + SLOT_NONCE, kek.p) != 0)
        e = ERR_PASSPHRASE;
    secret_release(&kek);
    return e;
}

/* ---- create ---- */

static enum err check_new(const struct env *env, const char *path, struct bytes passphrase, struct why *why)
{
    uint64_t size = 0;
    struct why ignored = {0};
    if (passphrase.n < MIN_PASSPHRASE) {
        (void)why_set(why, ERR_DENIED, "that passphrase is too short to protect what is on this device");
        return why_next(why, ERR_DENIED, "Choose one of at least eight characters; four or five words are better.");
    }
    enum err e = env->file_size(env->ctx, path, &size, &ignored);
    if (e == ERR_NOTFOUND)
        return ERR_OK;
    if (!e)
        return why_set(why, ERR_EXISTS, "there is a key file here already; it was left as it is");
    if (why)
        *why = ignored;
    return e;
}

/* Fresh keys into `data_key` and `box_sk`, and all of the file but slots and marks. */
static enum err make_keys(const struct env *env, uint8_t *file, struct secret *data_key, struct secret *box_sk,
                          struct why *why)
{
    enum err e = secret_new(data_key, DATA_KEY_BYTES, why);
    if (!e)
        e = secret_new(box_sk, crypto_box_SECRETKEYBYTES, why);
    if (e)
        return e;
    env_random(env, data_key->p, data_key->n);
    env_random(env, box_sk->p, box_sk->n);
    memcpy(file, "SPKK", 4);
    file[AT_VERSION] = file[AT_SUITE] = 1;
    env_random(env, file + AT_FILE_ID, 16);
    crypto_scalarmult_base(file + AT_BOX_PK, box_sk->p);
    int rc = crypto_box_seal(file + AT_SEALED, data_key->p, data_key->n, file + AT_BOX_PK);
    assert(rc == 0);
    (void)rc;
    return ERR_OK;
}

enum err keyslot_create_cost(const struct env *env, const char *path, struct bytes passphrase, struct keyslot_cost cost,
                             struct secret *out_data_key, struct why *why)
{
    uint8_t file[KEYFILE_BYTES] = {0};
    struct secret data_key = {0}, box_sk = {0};
    enum err e = check_new(env, path, passphrase, why);
    if (!e)
        e = make_keys(env, file, &data_key, &box_sk, why);
    if (!e)
        e = slot_fill(env, file, 0, passphrase, cost, &box_sk, why);
    if (e)
        goto out;
    mark(file, &data_key, &box_sk);
    e = env->write_file(env->ctx, path, bytes_of(file, sizeof file), why);
    if (e)
        goto out;
    *out_data_key = data_key;
    data_key = (struct secret){0};
out:
    secret_release(&data_key);
    secret_release(&box_sk);
    return e;
}

enum err keyslot_create(const struct env *env, const char *path, struct bytes passphrase, struct secret *out_data_key,
                        struct why *why)
{
    const struct keyslot_cost cost = {.passes = 3, .kib = 64 * 1024}; /* about 70 ms; RFC 9106 §4, second choice */
    return keyslot_create_cost(env, path, passphrase, cost, out_data_key, why);
}

/* ---- open ---- */

static enum err read_keyfile(const struct env *env, const char *path, uint8_t file[KEYFILE_BYTES], struct why *why)
{
    struct buf in;
    struct why detail = {0};
    buf_init(&in, 2 * KEYFILE_BYTES);
    enum err e = env->read_file(env->ctx, path, 2 * KEYFILE_BYTES, &in, &detail);
    if (e == ERR_NOTFOUND) {
        (void)why_set(why, ERR_UNINIT, "there is no key file here: this device is not set up yet");
        e = why_next(why, ERR_UNINIT, "Set this device up first.");
    } else if (e == ERR_LIMIT || (!e && (in.len < 5 || memcmp(in.data, "SPKK", 4) != 0))) {
        e = why_set(why, ERR_FORMAT, "this is not a Spoke key file");
    } else if (e) {
        if (why)
            *why = detail;
    } else if (in.data[AT_VERSION] != 1) {
        (void)why_set(why, ERR_VERSION, "the key file was written by a newer version of Spoke");
        e = why_next(why, ERR_VERSION, "Install the newer version on this device.");
    } else if (in.len != KEYFILE_BYTES) {
        e = changed(why);
    } else {
        memcpy(file, in.data, KEYFILE_BYTES);
    }
    buf_release(&in);
    return e;
}

/* Everything after a slot gave box_sk: from here on the passphrase was right, and any fault is a change. */
static enum err open_sealed(const uint8_t *file, const struct secret *box_sk, struct secret *out_data_key,
                            struct why *why)
{
    uint8_t pk[crypto_box_PUBLICKEYBYTES], mac[32];
    struct secret data_key = {0};
    enum err e = secret_new(&data_key, DATA_KEY_BYTES, why);
    if (e)
        return e;
    if (crypto_scalarmult_base(pk, box_sk->p) != 0 || memcmp(pk, file + AT_BOX_PK, sizeof pk) != 0 ||
        crypto_box_seal_open(data_key.p, file + AT_SEALED, SEALED_BYTES, pk, box_sk->p) != 0) {
        e = changed(why);
        goto out;
    }
    keyslot_mac(mac, &data_key, box_sk, bytes_of(file, KEYFILE_MAC_AT));
    if (!secret_equal(mac, file + KEYFILE_MAC_AT, sizeof mac)) {
        e = changed(why);
        goto out;
    }
    *out_data_key = data_key;
    data_key = (struct secret){0};
out:
    secret_release(&data_key);
    return e;
}

static enum err open_slots(const uint8_t *file, struct bytes passphrase, struct secret *box_sk, struct why *why)
{
    for (size_t i = 0; i < SLOTS; i++) {
        if (file[KEYFILE_SLOTS_AT + i * KEYFILE_SLOT_BYTES + SLOT_KIND] != KIND_PASSPHRASE)
            continue; /* empty, or of a kind that a later version wrote */
        enum err e = slot_open(file, i, passphrase, box_sk, why);
        if (e != ERR_PASSPHRASE)
            return e;
    }
    (void)why_set(why, ERR_PASSPHRASE, "that passphrase does not open this device");
    return why_next(why, ERR_PASSPHRASE, "Check capital letters and the keyboard layout, and try again.");
}

enum err keyslot_open(const struct env *env, const char *path, struct bytes passphrase, struct secret *out_data_key,
                      struct why *why)
{
    uint8_t file[KEYFILE_BYTES], sum[32];
    struct secret box_sk = {0};
    enum err e = read_keyfile(env, path, file, why);
    if (e)
        return e;
    /* Tells damage from a wrong passphrase, which the slot alone cannot. Against people the MAC stands. */
    keyslot_checksum(sum, bytes_of(file, KEYFILE_SUM_AT));
    if (memcmp(sum, file + KEYFILE_SUM_AT, sizeof sum) != 0)
        return changed(why);
    e = secret_new(&box_sk, crypto_box_SECRETKEYBYTES, why);
    if (!e)
        e = open_slots(file, passphrase, &box_sk, why);
    if (!e)
        e = open_sealed(file, &box_sk, out_data_key, why);
    secret_release(&box_sk);
    return e;
}
