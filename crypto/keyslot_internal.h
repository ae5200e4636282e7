/* Inside of the key file, for crypto/keyslot*.c and their tests. Offsets: crypto/FORMAT.md §4. keyslot_file.c: the
 * bytes of the whole; keyslot_slot.c: one slot; keyslot_code.c: recovery codes as people read them; keyslot_cost.c: how
 * dear a passphrase is; keyslot_tries.c: wrong tries; keyslot_ring.c: what is open; keyslot.c: making and opening;
 * keyslot_change.c: the changes; keyslot_follow.c: a ring against the file as it stands. */
#ifndef SPOKE_CRYPTO_KEYSLOT_INTERNAL_H
#define SPOKE_CRYPTO_KEYSLOT_INTERNAL_H

#include "crypto/keyslot.h"

#define KEYFILE_VERSION       2
#define KEYFILE_BYTES         2432u
#define KEYFILE_AAD_BYTES     24u /* of its beginning, bound into every slot */
#define KEYFILE_ID_AT         8u
#define KEYFILE_REVISION_AT   24u
#define KEYFILE_GENERATION_AT 32u
#define KEYFILE_SLOTS_AT      64u
#define KEYFILE_SLOT_BYTES    288u
#define KEYFILE_MAC_AT        2368u
#define KEYFILE_SUM_AT        2400u

/* Offsets in a slot. */
#define SLOT_KIND_AT     0u
#define SLOT_KDF_AT      1u
#define SLOT_FLAGS_AT    2u
#define SLOT_PASSES_AT   4u
#define SLOT_KIB_AT      8u
#define SLOT_SALT_AT     16u
#define SLOT_ID_AT       32u
#define SLOT_PK_AT       48u
#define SLOT_NONCE_AT    80u
#define SLOT_WRAPPED_AT  104u
#define SLOT_SEALED_AT   184u
#define SLOT_CHECK_AT    264u
#define SLOT_CHECK_BYTES 16u

#define SLOT_KDF_ARGON2ID  1
#define SLOT_KDF_NONE      2
#define SLOT_FLAG_DEVICE   1
#define VOUCH_KEY_BYTES    32u
#define RECOVERY_BYTES     16u
#define RECOVERY_PLACE     (KEYSLOT_MAX - 1) /* nobody else is put there: a full file still takes a code */
#define MIN_PASSPHRASE     8u
#define LEAST_PASSES       3u
#define LEAST_KIB          (64u * 1024u)
#define MOST_PASSES        16u /* a changed file must not hold a computer for hours, or eat its memory */
#define MOST_KIB           (1024u * 1024u)
#define TRIES_BEFORE_DELAY 5u
#define LONGEST_DELAY_S    900

struct keyslot_cost {
    uint32_t passes; /* Argon2id opslimit */
    uint32_t kib;    /* Argon2id memory, KiB */
};

/* What a slot is to be opened with. Borrowed. */
struct keyslot_words {
    struct bytes secret;         /* the passphrase, or the 16 bytes of a recovery code */
    enum slot_kind kind;         /* which of them */
    struct keyslot_cost cost;    /* of a new slot: 0 passes: to be measured. A recovery slot has none */
    const struct secret *device; /* the device secret; empty: there is none */
    const uint8_t *id;           /* of a new slot; NULL: a fresh one */
};

/* As the functions of keyslot.h, at a cost of the caller's choosing: tests do not want to wait. */
MUST_CHECK enum err keyslot_create_cost(const struct env *env, const struct keyfile *at, struct bytes passphrase,
                                        struct keyslot_cost cost, struct keyring *out, struct why *why);
/* id: of the slot whose passphrase is another from now on; zeros: a new slot, whose id is put there. */
MUST_CHECK enum err keyslot_put_cost(const struct env *env, const struct keyfile *at, struct keyring *r,
                                     const struct keyslot_words *w, uint8_t id[SLOT_ID_BYTES], struct why *why);

/* ---- keyslot_file.c ---- */
uint64_t keyslot_get64(const uint8_t *p);
uint32_t keyslot_get32(const uint8_t *p);
void keyslot_put32(uint8_t *p, uint32_t v);
void keyslot_put64(uint8_t *p, uint64_t v);
static inline uint8_t *keyslot_at(uint8_t *file, size_t index)
{
    return file + KEYFILE_SLOTS_AT + index * KEYFILE_SLOT_BYTES;
}
/* The two marks at the end of a key file: the checksum anybody can make, the MAC only who opened a slot. Tests forge
 * files with them. `body` is all that stands before the mark. */
void keyslot_checksum(uint8_t out[32], struct bytes body);
void keyslot_mac(uint8_t out[32], const struct keyring *r, struct bytes body);
/* ERR_DENIED. */
enum err keyslot_too_short(struct why *why);
/* The one error of a file that is not as it was written: ERR_TAMPERED. */
enum err keyslot_changed(struct why *why);
/* Read and check what can be checked without a key. */
MUST_CHECK enum err keyslot_read(const struct env *env, const char *path, uint8_t file[KEYFILE_BYTES], struct why *why);
/* Read it, and check it against who has it open. */
MUST_CHECK enum err keyslot_read_vouched(const struct env *env, const char *path, const struct keyring *r,
                                         uint8_t file[KEYFILE_BYTES], struct why *why);
/* Count the revision, mark it with the keys of `r`, put it in place; on success r->revision is its. */
MUST_CHECK enum err keyslot_write(const struct env *env, const char *path, uint8_t file[KEYFILE_BYTES],
                                  struct keyring *r, struct why *why);

/* ---- keyslot_slot.c ---- */
bool keyslot_slot_sane(const uint8_t *slot); /* as one of ours is; kinds that we do not know always are */
/* Does it need a device secret that `device` is not? */
bool keyslot_slot_foreign(const uint8_t *slot, const struct secret *device);
/* Fill the slot anew, key pair and all, and seal r's data key to it. */
MUST_CHECK enum err keyslot_slot_fill(const struct env *env, uint8_t *file, size_t index, const struct keyslot_words *w,
                                      const struct keyring *r, struct why *why);
/* Seal r's data key to the slot's public key. */
MUST_CHECK enum err keyslot_slot_seal(uint8_t *slot, const struct keyring *r, struct why *why);
/* What the slot wraps: slot_sk ‖ vouch key. ERR_PASSPHRASE: these words do not open it; ERR_NOMEM. */
MUST_CHECK enum err keyslot_slot_unwrap(const uint8_t *file, size_t index, const struct keyslot_words *w,
                                        struct secret *out, struct why *why);
/* All that is behind it. Whatever does not fit is ERR_TAMPERED: the words were right. */
MUST_CHECK enum err keyslot_slot_open(const uint8_t *file, size_t index, const struct secret *wrapped,
                                      struct keyring *out, struct why *why);

/* ---- keyslot_code.c ---- */
void keyslot_code_text(const uint8_t code[RECOVERY_BYTES], char out[RECOVERY_CODE_CHARS]);
MUST_CHECK enum err keyslot_code_read(struct bytes text, uint8_t out[RECOVERY_BYTES], struct why *why); /* ERR_USAGE */

/* ---- keyslot_cost.c ---- */
struct keyslot_cost keyslot_cost_measure(const struct env *env);
/* The cost that takes want_ms where `was` took ms, with max_kib of memory at most. */
struct keyslot_cost keyslot_cost_scale(struct keyslot_cost was, int64_t ms, unsigned want_ms, uint32_t max_kib);

/* ---- keyslot_tries.c ---- */
MUST_CHECK enum err keyslot_tries_wait(const struct env *env, const char *path, struct why *why); /* ERR_PASSPHRASE */
void keyslot_tries_count(const struct env *env, const char *path);
void keyslot_tries_clear(const struct env *env, const char *path);

#endif
