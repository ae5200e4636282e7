/* Inside of the key file, for crypto/keyslot.c and its tests. Offsets: crypto/FORMAT.md §4. */
#ifndef SPOKE_CRYPTO_KEYSLOT_INTERNAL_H
#define SPOKE_CRYPTO_KEYSLOT_INTERNAL_H

#include "crypto/keyslot.h"

#define KEYFILE_BYTES 1232u
#define KEYFILE_SLOTS_AT 136u
#define KEYFILE_SLOT_BYTES 128u
#define KEYFILE_MAC_AT 1168u
#define KEYFILE_SUM_AT 1200u

struct keyslot_cost {
    uint32_t passes; /* Argon2id opslimit */
    uint32_t kib;    /* Argon2id memory, KiB */
};

/* As keyslot_create, at a cost of the caller's choosing: tests do not want to wait. */
MUST_CHECK enum err keyslot_create_cost(const struct env *env, const char *path, struct bytes passphrase,
                                        struct keyslot_cost cost, struct secret *out_data_key, struct why *why);

/* The two marks at the end of a key file: the checksum anybody can make, the MAC only who knows the data key and the
 * secret in the slots. Tests forge files with them. `body` is all that stands before the mark. */
void keyslot_checksum(uint8_t out[32], struct bytes body);
void keyslot_mac(uint8_t out[32], const struct secret *data_key, const struct secret *box_sk, struct bytes body);

#endif
