/* The key file: a random 256-bit data key sealed to an X25519 key whose secret a passphrase slot wraps (Argon2id), so
 * that a rekey needs nobody's passphrase. crypto/FORMAT.md §4 gives every byte, with room for more slots, a recovery
 * slot and a device secret (a later issue); this version writes exactly one person's slot. */
#ifndef SPOKE_CRYPTO_KEYSLOT_H
#define SPOKE_CRYPTO_KEYSLOT_H

#include "base/env.h"
#include "crypto/secret.h"

#define DATA_KEY_BYTES 32

/* Make the file with a fresh data key and one slot under `passphrase` (UTF-8 bytes, 8 at least: ERR_DENIED below).
 * ERR_EXISTS if the file is there. The data key comes back in locked memory. */
MUST_CHECK enum err keyslot_create(const struct env *env, const char *path, struct bytes passphrase,
                                   struct secret *out_data_key, struct why *why);
/* Open with a passphrase. ERR_UNINIT: no file; ERR_PASSPHRASE: wrong passphrase; ERR_TAMPERED: the right passphrase but
 * changed bytes (cost, slot, seal); ERR_FORMAT: not a key file; ERR_VERSION. */
MUST_CHECK enum err keyslot_open(const struct env *env, const char *path, struct bytes passphrase,
                                 struct secret *out_data_key, struct why *why);

#endif
