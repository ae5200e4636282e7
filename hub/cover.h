/* Which envelopes of a device a verified backup of the hub holds. */
#ifndef SPOKE_HUB_COVER_H
#define SPOKE_HUB_COVER_H

#include "hub/internal.h"

/* Up to this number; 0 none. */
MUST_CHECK enum err cover_of(struct hub *h, int64_t node_no, uint64_t *out, struct why *why);

#endif
