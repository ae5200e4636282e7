/* The recovery key of a hub: one X25519 secret, kept apart. Backups, and what devices keep for a hub that is built
 * anew, are sealed to it; and it signs, without a second key: every X25519 key is also an Ed25519 key up to a sign (RFC
 * 7748 §4.1; the XEdDSA construction), so that who pinned the X25519 key can check an ordinary Ed25519 signature.
 * crypto/FORMAT.md §8. */
#ifndef SPOKE_CRYPTO_RECOVERY_H
#define SPOKE_CRYPTO_RECOVERY_H

#include "crypto/identity.h"

#define RECOVERY_BYTES     32
#define RECOVERY_SIGNATURE 64

/* Whom to seal to: box_pk and a key id made of it; it has no signing key of the usual kind. */
void recovery_identity(const uint8_t recovery_pk[RECOVERY_BYTES], struct identity *out);
/* Who can open that. `recovery` has RECOVERY_BYTES bytes. */
MUST_CHECK enum err recovery_open(const struct secret *recovery, struct identity_secret *out, struct why *why);
/* Sign; out_key is the Ed25519 public key, to stand beside the signature. */
MUST_CHECK enum err recovery_sign(const struct secret *recovery, struct bytes message, uint8_t out_key[RECOVERY_BYTES],
                                  uint8_t out_signature[RECOVERY_SIGNATURE], struct why *why);
/* ERR_TAMPERED: `key` is not the Ed25519 form of recovery_pk, or the signature is not its. */
MUST_CHECK enum err recovery_verify(const uint8_t recovery_pk[RECOVERY_BYTES], struct bytes message,
                                    const uint8_t key[RECOVERY_BYTES], const uint8_t signature[RECOVERY_SIGNATURE],
                                    struct why *why);

#endif
