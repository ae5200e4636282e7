/* COSE_Sign1 (RFC 9052 §4.2) with EdDSA (RFC 9053 §2.2), tagged 18, deterministic CBOR. crypto/FORMAT.md §2. */
#ifndef SPOKE_CRYPTO_COSE_H
#define SPOKE_CRYPTO_COSE_H

#include "crypto/identity.h"

#define COSE_MAX (4u << 20) /* bytes of a whole COSE_Sign1 */

/* Sign. `extra` is the protected header after alg (1) and kid (4): the encoding of `n_extra` further map pairs, keys
 * already in bytewise order and all greater than 4's; may be empty. `external_aad` may be empty (RFC 9052 §4.3).
 * Appends the tagged COSE_Sign1 to out. */
MUST_CHECK enum err cose_sign(const struct identity_secret *by, size_t n_extra, struct bytes extra,
                              struct bytes external_aad, struct bytes payload, struct buf *out, struct why *why);

struct cose_parts {
    uint8_t kid[KID_BYTES]; /* who says to have signed */
    size_t n_extra;         /* pairs in extra */
    struct bytes extra;     /* protected pairs after alg and kid, borrowed */
    struct bytes payload;   /* borrowed */
};

/* Split without checking the signature: to learn the kid. ERR_FORMAT. Nothing in it may be believed. */
MUST_CHECK enum err cose_parse(struct bytes in, struct cose_parts *out, struct why *why);

/* Verify against `by`. `in` is borrowed; *out borrows from it and is set only on success. ERR_TAMPERED for every
 * authentication failure alike (wrong kid, algorithm, signature); ERR_FORMAT only for bytes that are no COSE_Sign1. */
MUST_CHECK enum err cose_verify(struct bytes in, const struct identity *by, struct bytes external_aad,
                                struct cose_parts *out, struct why *why);

#endif
