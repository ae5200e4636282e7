/* Devices as hub/watch.h sees them, for `node list` and `node show`. */
#ifndef SPOKE_CLI_HUB_NODES_H
#define SPOKE_CLI_HUB_NODES_H

#include "cli/show.h"
#include "hub/watch.h"

/* The list, as a table or JSON. */
MUST_CHECK enum err hub_nodes_list(struct cli *c, struct hub *h, struct why *why);
/* What `node show` says besides: into o, or where that is NULL as lines on standard output. */
MUST_CHECK enum err hub_nodes_more(struct cli *c, struct hub *h, const uint8_t kid[16], struct json *o,
                                   struct why *why);
/* `node budget`, and `budget`: args and flags of the command. */
MUST_CHECK enum err hub_nodes_budget(struct cli *c, struct hub *h, const uint8_t *kid, const char *rows,
                                     struct why *why);

#endif
