/* How far a device is behind. Reads alone; in proportion to what changed since its cut. */
#ifndef SPOKE_HUB_LAG_H
#define SPOKE_HUB_LAG_H

#include "hub/serve_internal.h"

struct lag {
    uint64_t rows;
    bool more;        /* there may be more: counting ended at `most` */
    int64_t first;    /* version since which the oldest waits; 0: none does */
    int64_t since_ms; /* and its time */
};
MUST_CHECK enum err lag_of(struct hub *h, const struct hub_node *n, const struct cut *from, uint64_t most,
                           struct lag *out, struct why *why);

#endif
