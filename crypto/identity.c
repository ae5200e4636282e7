#include "crypto/identity.h"

#include "crypto/hash.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

/* Layout of identity_secret.keys, FORMAT.md §1. */
enum { SIGN_SK = 64, BOX_SK = 32, SECRET_BYTES = SIGN_SK + BOX_SK };

static void set_kid(struct identity *id)
{
    uint8_t whole[HASH_BYTES];
    identity_fingerprint(id, whole);
    memcpy(id->kid, whole, KID_BYTES);
}

enum err identity_generate(struct identity_secret *out, struct why *why)
{
    struct identity_secret id = {0};
    enum err err = secret_new(&id.keys, SECRET_BYTES, why); /* initialises libsodium too */
    if (err != ERR_OK) return err;
    (void)crypto_sign_keypair(id.pub.sign_pk, id.keys.p);
    (void)crypto_box_keypair(id.pub.box_pk, id.keys.p + SIGN_SK);
    set_kid(&id.pub);
    *out = id;
    return ERR_OK;
}

void identity_release(struct identity_secret *id)
{
    if (id == NULL) return;
    secret_release(&id->keys);
    *id = (struct identity_secret){0};
}

void identity_to_bytes(const struct identity *id, uint8_t out[PUBLIC_BYTES])
{
    memcpy(out, id->sign_pk, 32);
    memcpy(out + 32, id->box_pk, 32);
}

/* Is this a key that a Diffie-Hellman with it hides anything? Low-order points give everybody the same shared secret.
 * The unused top bit must be clear: with it free, one key would go under two kids. */
static bool box_pk_sound(const uint8_t box_pk[32])
{
    uint8_t scalar[32], shared[32];
    if ((box_pk[31] & 0x80) != 0) return false;
    randombytes_buf(scalar, sizeof scalar);
    bool sound = crypto_scalarmult(shared, scalar, box_pk) == 0;
    sodium_memzero(scalar, sizeof scalar);
    sodium_memzero(shared, sizeof shared);
    return sound;
}

enum err identity_from_bytes(struct identity *out, struct bytes in, struct why *why)
{
    struct identity id;
    if (in.n != PUBLIC_BYTES) return why_set(why, ERR_FORMAT, "a public key does not have the right length");
    memcpy(id.sign_pk, in.p, 32);
    memcpy(id.box_pk, in.p + 32, 32);
    if (crypto_core_ed25519_is_valid_point(id.sign_pk) != 1 || !box_pk_sound(id.box_pk))
        return why_set(why, ERR_FORMAT, "a public key is not sound and was not accepted");
    set_kid(&id);
    *out = id;
    return ERR_OK;
}

enum err identity_stored(struct identity *out, struct bytes in, struct why *why)
{
    if (in.n != PUBLIC_BYTES) return why_set(why, ERR_FORMAT, "a public key does not have the right length");
    memcpy(out->sign_pk, in.p, 32);
    memcpy(out->box_pk, in.p + 32, 32);
    set_kid(out);
    return ERR_OK;
}

void identity_secret_to_bytes(const struct identity_secret *id, uint8_t out[96])
{
    assert(id->keys.n == SECRET_BYTES);
    memcpy(out, id->keys.p, SECRET_BYTES);
}

/* The public keys are computed anew, never believed: signing with a public half that does not belong to the secret one
 * gives the secret away (two signatures of one message under different halves share their nonce). */
enum err identity_secret_from_bytes(struct identity_secret *out, struct bytes in, struct why *why)
{
    struct identity_secret id = {0};
    struct secret again = {0};
    if (in.n != SECRET_BYTES) return why_set(why, ERR_FORMAT, "this device's stored keys do not have the right length");
    enum err err = secret_new(&id.keys, SECRET_BYTES, why);
    if (err != ERR_OK) goto out;
    err = secret_new(&again, SIGN_SK, why);
    if (err != ERR_OK) goto out;
    memcpy(id.keys.p, in.p, SECRET_BYTES);
    (void)crypto_sign_seed_keypair(id.pub.sign_pk, again.p, id.keys.p); /* the seed is the first half of sign_sk */
    if (!secret_equal(again.p, id.keys.p, SIGN_SK) || crypto_scalarmult_base(id.pub.box_pk, id.keys.p + SIGN_SK) != 0) {
        err = why_set(why, ERR_FORMAT, "this device's stored keys are damaged");
        goto out;
    }
    set_kid(&id.pub);
    *out = id;
    id.keys = (struct secret){0};
out:
    secret_release(&again);
    secret_release(&id.keys);
    return err;
}

void identity_fingerprint(const struct identity *id, uint8_t out[32])
{
    uint8_t both[PUBLIC_BYTES];
    identity_to_bytes(id, both);
    hash_labelled(out, "spoke/identity/1", bytes_of(both, sizeof both));
}

void identity_spoken(const uint8_t kid[KID_BYTES], char *out, size_t n)
{
    enum { GROUPS = KID_BYTES / 2 };
    assert(n >= GROUPS * 5);
    (void)n;
    for (size_t g = 0; g < GROUPS; g++) {
        hex_encode(out + 5 * g, kid + 2 * g, 2);
        out[5 * g + 4] = g + 1 < GROUPS ? ' ' : '\0';
    }
}
