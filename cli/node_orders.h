/* Orders of the hub that need no passphrase: asked for by hand, and after a contact that could not be made or was
 * refused. */
#ifndef SPOKE_CLI_NODE_ORDERS_H
#define SPOKE_CLI_NODE_ORDERS_H

#include "cli/command.h"

/* After a contact that ended with `e`: a device that nobody unlocked, that the hub does not hear, or that was just
 * wiped, knocks at the hub's door. ERR_REFUSED, with words: it is wiped now. Otherwise `e`, and why as it was. */
MUST_CHECK enum err node_orders_after(struct cli *c, enum err e, struct why *why);

#endif
