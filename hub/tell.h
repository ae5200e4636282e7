/* What one process of a hub tells the others that have its store open, on PostgreSQL: something moved that a device
 * may be waiting for. It is told by the transaction that did it, and so once it is committed, and not at all if it is
 * undone. */
#ifndef SPOKE_HUB_TELL_H
#define SPOKE_HUB_TELL_H

#include "hub/internal.h"

#define TELL_MOVED "moved" /* the channel; the word on it is hub_teller of who tells */

/* At the end of each transaction. Nothing on SQLite, and nothing where an exchange moved no row that a site sees. */
MUST_CHECK enum err tell_moved(struct hub *h, struct why *why);

#endif
