/* The transparency logs: hub/LOG.md says what is in them. Everything here happens within the running transaction. */
#ifndef SPOKE_HUB_LOG_H
#define SPOKE_HUB_LOG_H

#include "crypto/merkle.h"
#include "hub/internal.h"

#define LOG_HUB 0 /* number of the hub's own; the log of a device has the device's number */

enum log_kind {
    LOG_ENROLLED = 1,
    LOG_ENVELOPE = 2,
    LOG_VERDICT = 3,
    LOG_GAP = 4,
    LOG_PAGE = 5,
    LOG_DROPS = 6,
    LOG_RECEIPT = 7,
    LOG_LOOK = 8,
    LOG_WIPED = 9,
    LOG_HEAD = 32,
    LOG_ACT = 33,
    LOG_POLICY = 34,
};

unsigned log_kind_of(struct bytes content); /* 0: none that is known */
/* A leaf whose content is [kind, time, number, bytes], which most are. */
MUST_CHECK enum err log_note(struct hub *h, int64_t log_no, enum log_kind kind, uint64_t number, struct bytes hash,
                             struct why *why);
/* A leaf of any content: `rest` is what follows kind and time, `members` CBOR items. */
MUST_CHECK enum err log_append(struct hub *h, int64_t log_no, enum log_kind kind, struct bytes rest, size_t members,
                               struct why *why);
MUST_CHECK enum err log_verdict(struct hub *h, int64_t log_no, uint64_t seq, enum verdict v, struct why *why);
/* What administrators are told, from h_act; and the commitment to what it is about and why. */
MUST_CHECK enum err log_act(struct hub *h, int64_t act_no, const char *act, struct why *why);
MUST_CHECK enum err log_act_words(struct hub *h, int64_t act_no, const uint8_t salt[32], uint8_t out[32], struct why *why);
/* And to who gave it. *out_found false: nobody did. */
MUST_CHECK enum err log_act_who(struct hub *h, int64_t act_no, const uint8_t salt[32], uint8_t out[32], bool *out_found,
                                struct why *why);
/* At the end of a transaction: the heads of the logs of devices that grew in it go into the hub's own. */
MUST_CHECK enum err log_heads(struct hub *h, struct why *why);

/* hub_log_export within whatever keeps the store as it is. */
MUST_CHECK enum err log_export_all(struct hub *h, hub_log_fn each, void *ctx, struct why *why);

/* A log as it stands. ERR_NOTFOUND: nothing was ever written to it. */
/* What h_log says of a log, read on the way (empty: nothing): within a transaction it need not be asked again. */
void log_seed(struct hub *h, int64_t log_no, struct bytes frontier, uint64_t size);
MUST_CHECK enum err log_frontier(struct hub *h, int64_t log_no, struct merkle_frontier *out, struct why *why);
/* hub/log_proof.c: proofs, for any size that the log has had. What they are made of is looked up in one go.
 * ERR_NOTFOUND: as merkle_inclusion and merkle_consistency say. out_leaf: the leaf's hash. */
MUST_CHECK enum err log_inclusion(struct hub *h, int64_t log_no, uint64_t index, uint64_t size, struct merkle_proof *out,
                                  uint8_t out_leaf[MERKLE_HASH_BYTES], struct why *why);
MUST_CHECK enum err log_consistency(struct hub *h, int64_t log_no, uint64_t old_size, uint64_t size,
                                    struct merkle_proof *out, struct why *why);

struct bundle_writer;
/* hub/log_tell.c: what a device is told of its log in an answer, once every other leaf of the running transaction is
 * there. `seen`: the checkpoint that it says it has; size 0: none. Puts MSG_CHECKPOINT; nothing where the log is empty
 * and none was told. ERR_REFUSED, with words for the device, and for administrators in *out_refusal: what it saw is not
 * in this hub's log. */
MUST_CHECK enum err log_tell(struct hub *h, const struct hub_node *n, const struct merkle_head *seen,
                             struct bundle_writer *w, const char **out_refusal, struct why *why);

/* hub/log_admins.c: is the table of administrators what the acts say (names, roles, who appointed and removed them)?
 * The acts are those of the log: look at them first. ERR_TAMPERED. */
MUST_CHECK enum err log_check_admins(struct hub *h, struct why *why);

#endif
