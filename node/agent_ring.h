/* A ring as the agent keeps and hands it out: keys (64) ‖ slot (16) ‖ kind (1) ‖ revision (8) ‖ generation
 * (4). */
#ifndef SPOKE_NODE_AGENT_RING_H
#define SPOKE_NODE_AGENT_RING_H

#include "crypto/keyslot.h"

/* Into locked memory. ERR_NOMEM; ERR_LIMIT: an empty ring. */
MUST_CHECK enum err agent_ring_put(const struct keyring *r, struct secret *out, struct why *why);
/* ERR_FORMAT: bytes that are no ring; ERR_NOMEM. */
MUST_CHECK enum err agent_ring_get(struct bytes in, struct keyring *out, struct why *why);

#endif
