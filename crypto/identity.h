/* Who a node or a hub is: an Ed25519 pair (signing) and an independent X25519 pair (sealing). crypto/FORMAT.md §1. */
#ifndef SPOKE_CRYPTO_IDENTITY_H
#define SPOKE_CRYPTO_IDENTITY_H

#include "crypto/secret.h"

#define KID_BYTES    16
#define PUBLIC_BYTES 64 /* sign_pk(32) ‖ box_pk(32) */

/* The public half. Plain data, freely copied. */
struct identity {
    uint8_t sign_pk[32];    /* Ed25519 */
    uint8_t box_pk[32];     /* X25519 */
    uint8_t kid[KID_BYTES]; /* first 16 bytes of BLAKE2b-256("spoke/identity/1" ‖ 0 ‖ sign_pk ‖ box_pk) */
};

/* Both halves. The secret part lies in locked memory. */
struct identity_secret {
    struct identity pub;
    struct secret keys; /* sign_sk(64) ‖ box_sk(32) */
};

MUST_CHECK enum err identity_generate(struct identity_secret *out, struct why *why);
void identity_release(struct identity_secret *id);
/* Public half to and from 64 bytes; from computes the kid. ERR_FORMAT on low-order or wrong-length keys. */
void identity_to_bytes(const struct identity *id, uint8_t out[PUBLIC_BYTES]);
MUST_CHECK enum err identity_from_bytes(struct identity *out, struct bytes in, struct why *why);
/* From our own encrypted store, where nothing is put that identity_from_bytes did not take: its arithmetic is a tenth
 * of a small round, and need not be done at each. Never for bytes from outside. ERR_FORMAT: wrong length. */
MUST_CHECK enum err identity_stored(struct identity *out, struct bytes in, struct why *why);
/* Secret half to (wipe it after use) and from 96 bytes, as stored under the data key. */
void identity_secret_to_bytes(const struct identity_secret *id, uint8_t out[96]);
MUST_CHECK enum err identity_secret_from_bytes(struct identity_secret *out, struct bytes in, struct why *why);
/* The whole 32-byte fingerprint, BLAKE2b-256 as above; a kid is its first half. */
void identity_fingerprint(const struct identity *id, uint8_t out[32]);
/* A kid in groups to be read aloud: "3f2a 90c1 …" (8 groups of 4 hex digits), at least 40 chars of room. */
void identity_spoken(const uint8_t kid[KID_BYTES], char *out, size_t n);

#endif
