/* The key file as a whole, crypto/FORMAT.md §4: its bytes, its marks, its place. */
#include "crypto/hash.h"
#include "crypto/keyslot_internal.h"

#include <sodium.h>
#include <string.h>

_Static_assert(KEYFILE_SLOTS_AT + KEYSLOT_MAX * KEYFILE_SLOT_BYTES == KEYFILE_MAC_AT, "slots, then the MAC");
_Static_assert(KEYFILE_MAC_AT + 32 == KEYFILE_SUM_AT && KEYFILE_SUM_AT + 32 == KEYFILE_BYTES, "the marks end it");

uint32_t keyslot_get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

uint64_t keyslot_get64(const uint8_t *p)
{
    return (uint64_t)keyslot_get32(p) << 32 | keyslot_get32(p + 4);
}

void keyslot_put32(uint8_t *p, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++) p[i] = (uint8_t)(v >> (24 - 8 * i));
}

void keyslot_put64(uint8_t *p, uint64_t v)
{
    keyslot_put32(p, (uint32_t)(v >> 32));
    keyslot_put32(p + 4, (uint32_t)v);
}

enum err keyslot_changed(struct why *why)
{
    (void)why_set(why, ERR_TAMPERED, "the key file of this device is damaged or was changed, so it cannot be opened");
    return why_next(why, ERR_TAMPERED, "Restore the key file from this device's backup, or enrol the device anew.");
}

/* ---- the marks at the end ---- */

void keyslot_checksum(uint8_t out[32], struct bytes body)
{
    hash_labelled(out, "spoke/keyfile/sum/2", body);
}

/* Keyed with both keys: sealing needs public keys only, so under the data key alone a stranger could seal one of his
 * own choosing, put his own database beside it, and have people work in it. */
void keyslot_mac(uint8_t out[32], const struct keyring *r, struct bytes body)
{
    static const char label[] = "spoke/keyfile/mac/2";
    uint8_t key[32];
    crypto_generichash_state st;
    crypto_generichash_init(&st, r->keys.p, DATA_KEY_BYTES, sizeof key);
    crypto_generichash_update(&st, (const uint8_t *)label, sizeof label); /* with its NUL */
    crypto_generichash_update(&st, r->keys.p + DATA_KEY_BYTES, VOUCH_KEY_BYTES);
    crypto_generichash_final(&st, key, sizeof key);
    crypto_generichash(out, 32, body.p, body.n, key, sizeof key);
    sodium_memzero(key, sizeof key);
    sodium_memzero(&st, sizeof st);
}

/* ---- reading ---- */

static enum err whole(const struct env *env, const char *path, struct buf *in, struct why *why)
{
    struct why detail = {0};
    enum err e = env->read_file(env->ctx, path, 2 * KEYFILE_BYTES, in, &detail);
    if (e == ERR_NOTFOUND) {
        (void)why_set(why, ERR_UNINIT, "there is no key file here: this device is not set up yet");
        return why_next(why, ERR_UNINIT, "Set this device up first.");
    }
    if (e == ERR_LIMIT || (e == ERR_OK && (in->len < 5 || memcmp(in->data, "SPKK", 4) != 0)))
        return why_set(why, ERR_FORMAT, "this is not a Spoke key file");
    if (e != ERR_OK && why != NULL) *why = detail;
    return e;
}

/* What everybody can see to be wrong, whoever made the checksum fit. Costs are bounded before any is paid. */
static bool sane(const uint8_t *file)
{
    uint8_t sum[32];
    keyslot_checksum(sum, bytes_of(file, KEYFILE_SUM_AT));
    if (memcmp(sum, file + KEYFILE_SUM_AT, sizeof sum) != 0) return false;
    if (file[5] != 1 || !sodium_is_zero(file + 6, 2) || !sodium_is_zero(file + 36, KEYFILE_SLOTS_AT - 36)) return false;
    for (size_t i = 0; i < KEYSLOT_MAX; i++)
        if (!keyslot_slot_sane(file + KEYFILE_SLOTS_AT + i * KEYFILE_SLOT_BYTES)) return false;
    return true;
}

enum err keyslot_read(const struct env *env, const char *path, uint8_t file[KEYFILE_BYTES], struct why *why)
{
    struct buf in;
    buf_init(&in, 2 * KEYFILE_BYTES);
    enum err e = whole(env, path, &in, why);
    if (e == ERR_OK && in.data[4] != KEYFILE_VERSION) {
        (void)why_set(why, ERR_VERSION, "the key file was written by another version of Spoke");
        e = why_next(why, ERR_VERSION, "Install the newest version on this device.");
    } else if (e == ERR_OK && (in.len != KEYFILE_BYTES || !sane(in.data))) {
        e = keyslot_changed(why);
    } else if (e == ERR_OK) {
        memcpy(file, in.data, KEYFILE_BYTES);
    }
    buf_release(&in);
    return e;
}

enum err keyslot_read_vouched(const struct env *env, const char *path, const struct keyring *r,
                              uint8_t file[KEYFILE_BYTES], struct why *why)
{
    uint8_t mac[32];
    enum err e = keyslot_read(env, path, file, why);
    if (e != ERR_OK) return e;
    keyslot_mac(mac, r, bytes_of(file, KEYFILE_MAC_AT));
    /* An older file has a good MAC too: nothing may be built on it. */
    if (!secret_equal(mac, file + KEYFILE_MAC_AT, sizeof mac) ||
        keyslot_get64(file + KEYFILE_REVISION_AT) < r->revision) {
        (void)why_set(why, ERR_TAMPERED, "the key file of this device was changed since it was opened");
        return why_next(why, ERR_TAMPERED, "Lock this device, open it again, and try once more.");
    }
    return ERR_OK;
}

/* ---- writing ---- */

enum err keyslot_write(const struct env *env, const char *path, uint8_t file[KEYFILE_BYTES], struct keyring *r,
                       struct why *why)
{
    uint64_t revision = keyslot_get64(file + KEYFILE_REVISION_AT);
    if (revision == UINT64_MAX) return keyslot_changed(why);
    keyslot_put64(file + KEYFILE_REVISION_AT, revision + 1);
    keyslot_mac(file + KEYFILE_MAC_AT, r, bytes_of(file, KEYFILE_MAC_AT));
    keyslot_checksum(file + KEYFILE_SUM_AT, bytes_of(file, KEYFILE_SUM_AT));
    enum err e = env->write_file(env->ctx, path, bytes_of(file, KEYFILE_BYTES), why);
    if (e == ERR_OK) r->revision = revision + 1;
    return e;
}
