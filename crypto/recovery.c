#include "crypto/recovery.h"

#include "crypto/hash.h"

#include <sodium.h>
#include <string.h>

void recovery_identity(const uint8_t recovery_pk[RECOVERY_BYTES], struct identity *out)
{
    uint8_t id[HASH_BYTES];
    memset(out, 0, sizeof *out);
    memcpy(out->box_pk, recovery_pk, RECOVERY_BYTES);
    hash_labelled(id, "spoke/recovery/1", bytes_of(recovery_pk, RECOVERY_BYTES));
    memcpy(out->kid, id, KID_BYTES);
}

enum err recovery_open(const struct secret *recovery, struct identity_secret *out, struct why *why)
{
    uint8_t pk[RECOVERY_BYTES];
    struct identity_secret id = {0};
    if (recovery->n != RECOVERY_BYTES || crypto_scalarmult_base(pk, recovery->p) != 0)
        return why_set(why, ERR_TAMPERED, "this is no recovery key");
    enum err e = secret_new(&id.keys, 96, why);
    if (e != ERR_OK) return e;
    memcpy(id.keys.p + 64, recovery->p, RECOVERY_BYTES);
    recovery_identity(pk, &id.pub);
    *out = id;
    return ERR_OK;
}

/* S = r + H(R ‖ A ‖ M)·a, as in RFC 8032 §5.1.6, with the clamped X25519 scalar as a. r is from randomness and
 * the secret both, so that neither a bad generator nor a repeated message gives a away. */
enum err recovery_sign(const struct secret *recovery, struct bytes message, uint8_t out_key[RECOVERY_BYTES],
                       uint8_t out_signature[RECOVERY_SIGNATURE], struct why *why)
{
    struct secret room = {0};
    crypto_hash_sha512_state st;
    uint8_t digest[64], fresh[64];
    if (recovery->n != RECOVERY_BYTES) return why_set(why, ERR_TAMPERED, "this is no recovery key");
    enum err e = secret_new(&room, 160, why);
    if (e != ERR_OK) return e;
    uint8_t *wide = room.p, *a = room.p + 64, *r = room.p + 96, *ka = room.p + 128;
    memcpy(wide, recovery->p, 32); /* the other 32 bytes are zero */
    wide[0] &= 248;
    wide[31] = (uint8_t)((wide[31] & 127) | 64);
    crypto_core_ed25519_scalar_reduce(a, wide);
    if (crypto_scalarmult_ed25519_base_noclamp(out_key, a) != 0)
        e = why_set(why, ERR_TAMPERED, "this is no recovery key");
    randombytes_buf(fresh, sizeof fresh);
    (void)crypto_hash_sha512_init(&st);
    (void)crypto_hash_sha512_update(&st, (const uint8_t *)"spoke/recovery/nonce/1", 23);
    (void)crypto_hash_sha512_update(&st, a, 32);
    (void)crypto_hash_sha512_update(&st, fresh, sizeof fresh);
    (void)crypto_hash_sha512_update(&st, message.p, message.n);
    (void)crypto_hash_sha512_final(&st, wide);
    crypto_core_ed25519_scalar_reduce(r, wide);
    if (e == ERR_OK && crypto_scalarmult_ed25519_base_noclamp(out_signature, r) != 0)
        e = why_set(why, ERR_FAILED, "a signature could not be made");
    (void)crypto_hash_sha512_init(&st);
    (void)crypto_hash_sha512_update(&st, out_signature, 32);
    (void)crypto_hash_sha512_update(&st, out_key, 32);
    (void)crypto_hash_sha512_update(&st, message.p, message.n);
    (void)crypto_hash_sha512_final(&st, digest);
    crypto_core_ed25519_scalar_reduce(wide, digest);
    crypto_core_ed25519_scalar_mul(ka, wide, a);
    crypto_core_ed25519_scalar_add(out_signature + 32, r, ka);
    sodium_memzero(&st, sizeof st);
    sodium_memzero(fresh, sizeof fresh);
    secret_release(&room);
    return e;
}

enum err recovery_verify(const uint8_t recovery_pk[RECOVERY_BYTES], struct bytes message,
                         const uint8_t key[RECOVERY_BYTES], const uint8_t signature[RECOVERY_SIGNATURE],
                         struct why *why)
{
    uint8_t pk[RECOVERY_BYTES];
    if (crypto_sign_ed25519_pk_to_curve25519(pk, key) == 0 && memcmp(pk, recovery_pk, sizeof pk) == 0 &&
        crypto_sign_verify_detached(signature, message.p, message.n, key) == 0)
        return ERR_OK;
    return why_set(why, ERR_TAMPERED, "a statement was not signed with the recovery key");
}
