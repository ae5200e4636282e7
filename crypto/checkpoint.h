/* Checkpoints: what a log says of itself at one moment, signed. crypto/FORMAT.md §7; C2SP tlog-checkpoint
 * (c2sp.org/tlog-checkpoint) in a signed note (crypto/note.h), over the tree of crypto/merkle.h. */
#ifndef SPOKE_CRYPTO_CHECKPOINT_H
#define SPOKE_CRYPTO_CHECKPOINT_H

#include "crypto/merkle.h"
#include "crypto/note.h"

/* The names that logs of ours have: "spoke/HUB" the hub's own, "spoke/HUB/DEVICE" that of a device; key ids, as 32
 * small hexadecimal digits. */
#define CHECKPOINT_ORIGIN_MAX 80
void checkpoint_origin(char out[CHECKPOINT_ORIGIN_MAX], const uint8_t hub[KID_BYTES],
                       const uint8_t *device /* KID_BYTES; NULL: the hub's own */);

struct checkpoint {
    struct bytes origin;     /* unique name of the log; borrowed */
    struct merkle_head head; /* size and root */
    struct bytes extensions; /* whole lines after these, each with its newline; empty in ours; borrowed */
};

/* The text without a signature: append it, or read it (after note_verify has taken it; *out borrows from it).
 * ERR_FORMAT, in both directions: what no checkpoint can say. */
MUST_CHECK enum err checkpoint_put(const struct checkpoint *c, struct buf *out, struct why *why);
MUST_CHECK enum err checkpoint_parse(struct bytes text, struct checkpoint *out, struct why *why);

/* Append the checkpoint as a note, signed under its origin. Whoever calls has made sure that it is consistent with
 * every one signed before: a log that signs two which are not is at an end. ERR_FORMAT (also: an origin that is no name
 * for a key), ERR_LIMIT. */
MUST_CHECK enum err checkpoint_sign(const struct identity_secret *by, const struct checkpoint *c, struct buf *out,
                                    struct why *why);
/* Verify against the log's key, whose name is the log's origin. *out borrows from `in`, and is set only on success.
 * ERR_TAMPERED: not signed by it, or of another log; ERR_FORMAT: no signed note, or no checkpoint. */
MUST_CHECK enum err checkpoint_verify(struct bytes in, const struct note_key *by, struct checkpoint *out,
                                      struct why *why);

#endif
