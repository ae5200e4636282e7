/* The key file: a random 256-bit data key, sealed to the X25519 key of each slot, whose secret a passphrase (Argon2id)
 * and the device secret wrap, so that a new data key needs nobody's passphrase, and one who was removed cannot open it.
 * crypto/FORMAT.md §4 gives every byte. All changes replace the file whole: after a failure or a power cut it is as
 * before or as after. */
#ifndef SPOKE_CRYPTO_KEYSLOT_H
#define SPOKE_CRYPTO_KEYSLOT_H

#include "base/env.h"
#include "crypto/secret.h"

#define DATA_KEY_BYTES      32
#define SLOT_ID_BYTES       16
#define KEYSLOT_MAX         8  /* slots of a file, the recovery slot among them */
#define RECOVERY_CODE_CHARS 40 /* room for a recovery code as people read it, with its terminator */

/* Where a key file and what it is mixed with lie. Borrowed. */
struct keyfile {
    const char *path;
    const char *device; /* path of the device secret (crypto/device.h); NULL: none is mixed in */
};

enum slot_kind { SLOT_EMPTY = 0, SLOT_PERSON = 1, SLOT_RECOVERY = 2 };

/* What a key file gave to who opened it. Empty: zeros. keyring_release also after a failure. */
struct keyring {
    struct secret keys;          /* data key (32) ‖ vouch key (32), in locked memory */
    uint8_t slot[SLOT_ID_BYTES]; /* the slot that opened */
    enum slot_kind kind;         /* of that slot */
    uint64_t revision;           /* of the file as it was read or written last */
    uint32_t generation;         /* of the data key: which database it belongs to */
};
void keyring_release(struct keyring *r); /* wipes; empty and NULL are fine */
MUST_CHECK enum err keyring_copy(struct keyring *out, const struct keyring *from, struct why *why); /* ERR_NOMEM */
/* The data key in it, borrowed: not to be released. */
struct secret keyring_data_key(const struct keyring *r);

/* Make the file with a fresh data key and one person's slot under `passphrase` (UTF-8 bytes, 8 at least: ERR_DENIED
 * below). The cost is measured: env->unlock_ms is how long checking it shall take here (0: the least cost). ERR_EXISTS
 * if the file is there. The device secret must be there where one is named (device_make). */
MUST_CHECK enum err keyslot_create(const struct env *env, const struct keyfile *at, struct bytes passphrase,
                                   struct keyring *out, struct why *why);
/* Open with a passphrase. ERR_UNINIT: no file; ERR_PASSPHRASE: wrong passphrase (wrong tries are counted; after the
 * fifth in a row the next has to wait, and until then it is refused with the same code and words that say how long,
 * before anything is computed); ERR_TAMPERED: damage, changed bytes (cost, slot, seal), or the device secret is missing
 * or another one's; ERR_FORMAT: not a key file; ERR_VERSION. */
MUST_CHECK enum err keyslot_open(const struct env *env, const struct keyfile *at, struct bytes passphrase,
                                 struct keyring *out, struct why *why);
/* So long the next passphrase has to wait for the wrong ones before it; 0: not at all. */
int64_t keyslot_wait_ms(const struct env *env, const struct keyfile *at);
/* Open with the recovery code as people type it; needs no device secret, is not counted and never has to wait. Same
 * errors; ERR_USAGE: not a code (mistyped: its check characters do not fit). */
MUST_CHECK enum err keyslot_open_code(const struct env *env, const struct keyfile *at, struct bytes code,
                                      struct keyring *out, struct why *why);
/* A ring that was opened before, against the file as it stands: notes its revision. ERR_LOCKED: the data key is another
 * one since; ERR_NOTFOUND: its slot was removed since (the revision is noted all the same); ERR_TAMPERED: not a file
 * that who opened it wrote, or an older one; ERR_UNINIT, ERR_FORMAT, ERR_VERSION. */
MUST_CHECK enum err keyslot_follow(const struct env *env, const struct keyfile *at, struct keyring *r, struct why *why);
/* The slots in use, without any key; also those of kinds that are not known here, because a new data key is sealed to
 * them too: somebody who was let in once could have made himself one, and nobody may overlook it. */
typedef enum err (*keyslot_fn)(void *ctx, const uint8_t id[SLOT_ID_BYTES], enum slot_kind kind, struct why *why);
MUST_CHECK enum err keyslot_each(const struct env *env, const struct keyfile *at, keyslot_fn each, void *ctx,
                                 struct why *why);

/* Changes, by who has it open. Each checks the MAC and the revision of the file as it stands against the ring first
 * (ERR_TAMPERED), writes the next revision and notes it in `r`. Only one at a time may change a file: callers see to
 * that (the replica's write transaction). After ERR_IO the change may stand all the same: who needs to know reads the
 * file. */
/* ERR_LIMIT: no slot is free (there are 7 for people). ERR_DENIED: too short, or somebody else's passphrase already:
 * two people with one passphrase would be one. */
MUST_CHECK enum err keyslot_add(const struct env *env, const struct keyfile *at, struct keyring *r,
                                struct bytes passphrase, uint8_t out_id[SLOT_ID_BYTES], struct why *why);
/* Another passphrase for a slot, whose id stays. ERR_NOTFOUND, ERR_DENIED. */
MUST_CHECK enum err keyslot_change(const struct env *env, const struct keyfile *at, struct keyring *r,
                                   const uint8_t id[SLOT_ID_BYTES], struct bytes passphrase, struct why *why);
/* ERR_NOTFOUND; ERR_DENIED: the last person's. It does not shut out who has a copy of the file as it was: only a new
 * data key does (keyslot_rekey). */
MUST_CHECK enum err keyslot_remove(const struct env *env, const struct keyfile *at, struct keyring *r,
                                   const uint8_t id[SLOT_ID_BYTES], struct why *why);
/* Make the recovery slot, or make it anew under the same id: the code before is worthless then (after ERR_IO perhaps
 * too: make it again). */
MUST_CHECK enum err keyslot_recovery(const struct env *env, const struct keyfile *at, struct keyring *r,
                                     char out_code[RECOVERY_CODE_CHARS], struct why *why);
/* The switch to a new data key. `next` is a ring with a fresh data key and the next generation (keyring_next); the
 * database under it must be durable before. On success it is the ring of the file. After ERR_IO either pair may be the
 * one that counts: leave both databases, and open again. ERR_FAILED: next is not r's next. */
MUST_CHECK enum err keyring_next(struct keyring *out, const struct env *env, const struct keyring *r, struct why *why);
MUST_CHECK enum err keyslot_rekey(const struct env *env, const struct keyfile *at, const struct keyring *r,
                                  struct keyring *next, struct why *why);
/* Which generation a file says it has, without any key (a hint until it is opened). ERR_UNINIT, ERR_FORMAT,
 * ERR_VERSION, ERR_TAMPERED. */
MUST_CHECK enum err keyslot_generation(const struct env *env, const struct keyfile *at, uint32_t *out, struct why *why);

#endif
