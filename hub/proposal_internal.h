/* Between hub/two.c, hub/proposal.c and hub/proposal_world.c. Within the caller's transaction. */
#ifndef SPOKE_HUB_PROPOSAL_INTERNAL_H
#define SPOKE_HUB_PROPOSAL_INTERNAL_H

#include "hub/internal.h"
#include "hub/proposal.h"

/* A proposal's details as they are kept: a CBOR array. */
void proposal_put_detail(struct buf *out, const struct hub_proposal *p);
/* What text2, text3 and text4 point to. */
struct proposal_words {
    char word[3][512];
};
/* Texts but the first are copied to `words`; the first borrows from `detail`. ERR_TAMPERED. */
MUST_CHECK enum err proposal_get_detail(struct bytes detail, struct hub_proposal *out, struct proposal_words *words, struct why *why);
/* Over kind, details, reason and what they mean in the store as it stands. ERR_NOTFOUND: nothing is there that they
 * mean. */
MUST_CHECK enum err proposal_hash(struct hub *h, const struct hub_proposal *p, uint8_t out[32], struct why *why);
/* Is there such a rule, and can it have this value? ERR_USAGE. */
MUST_CHECK enum err rule_check(const char *name, int64_t value, struct why *why);
/* ERR_REFUSED: decided, or expired. */
MUST_CHECK enum err proposal_still_stands(struct hub *h, int64_t no, struct why *why);
MUST_CHECK enum err proposal_decide(struct hub *h, int64_t no, const char *state, const char *reason, struct why *why);

#endif
