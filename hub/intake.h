/* Taking in one envelope: verify, decode, authorise each operation at its base cut and now, merge column by column,
 * record the verdict. Runs inside the round's transaction. An envelope is judged whole before anything of it is
 * written, so there is nothing to take back when it is refused. */
#ifndef SPOKE_HUB_INTAKE_H
#define SPOKE_HUB_INTAKE_H

#include "hub/sight.h"

/* One MSG_ENVELOPE item of `node`. node->last_seq and last_hash move on. ERR_REFUSED: a sequence that was skipped or is
 * known with another hash (fork: node->state becomes "forked"); ERR_TAMPERED: bad signature. Everything else ends as a
 * verdict, recorded in h_envelope. A known envelope (same seq and hash) keeps its verdict and is told again. */
MUST_CHECK enum err intake_envelope(struct hub *h, struct hub_node *node, struct bytes item, struct why *why);
/* One MSG_GAP item in the place of an envelope: the chain goes on with the hash that it names; nothing is applied. Same
 * results as for an envelope. */
MUST_CHECK enum err intake_gap(struct hub *h, struct hub_node *node, struct bytes item, struct why *why);
/* Held work decided: called when a held row's state is settled by a manager's edit. accept applies the envelope
 * (authority granted by the manager), then judges what waited for it, in order; dismiss lets the waiting ones be judged
 * without it. */
MUST_CHECK enum err intake_decide(struct hub *h, int64_t node_no, uint64_t seq, bool accept, struct why *why);
/* hub/gap.c. A change of which the content is nowhere: in the journal like an envelope of no content, so that its
 * number is taken and its verdict (a fault, with this reason) told; as a fault for administrators; and in its device's
 * log. The chain goes on from it, if it was not further. */
struct lost_change {
    uint64_t seq;
    const uint8_t *hash; /* HASH_BYTES, of the envelope */
    struct bytes cose;   /* what its device signed: of the gap, or the envelope itself */
    int64_t received_at;
    const char *reason;
};
MUST_CHECK enum err gap_put(struct hub *h, struct hub_node *node, const struct lost_change *lost, struct why *why);
/* Between hub/intake.c and hub/gap.c. What the hub has under this number is told again; ERR_REFUSED with the device
 * forked when that has another hash. */
MUST_CHECK enum err intake_known_again(struct hub *h, struct hub_node *node, uint64_t seq,
                                       const uint8_t hash[HASH_BYTES], struct why *why);
MUST_CHECK enum err intake_forked(struct hub_node *node, struct why *why);

/* ---- hub/answer.c: parts of an answer. */
struct bundle_writer;
/* Verdicts that this device was not told yet, the first ANSWER_VERDICTS of them, as items of the answer to its request
 * of this number; they count as told from here on. So many fit into an answer's note too (hub/note.h), whatever their
 * reasons say. */
#define ANSWER_VERDICTS  20000u
#define VERDICTS_AN_ITEM 1000u
/* Verdicts not yet told, the first `most` by number: seq, hash, version, verdict, received_at, reason. *out is to be
 * given back. One question for all who ask, so that its answer is kept (hub/kept.h). */
MUST_CHECK enum err answer_untold(struct hub *h, int64_t node_no, size_t most, struct stmt **out, struct why *why);
/* *out: there are fewer than VERDICTS_AN_ITEM. Always false where to find out is work for nothing. */
MUST_CHECK enum err answer_few_untold(struct hub *h, int64_t node_no, bool *out, struct why *why);
MUST_CHECK enum err answer_put_verdicts(struct hub *h, const struct hub_node *node, uint64_t request,
                                        struct bundle_writer *w, struct why *why);
/* Are there more of them than one answer tells? */
MUST_CHECK enum err answer_verdicts_left(struct hub *h, const struct hub_node *node, bool *out, struct why *why);
/* Items as drops_take and serve_page gather them, each with its origin. */
MUST_CHECK enum err answer_put_framed(struct bundle_writer *w, const struct buf *items, struct why *why);

/* hub/intake_late.c. A request of a device that stands at this cut was taken in: did it bring all that it had to
 * send? */
void late_all_sent(struct hub_node *node, const struct cut *at, bool everything);

#endif
