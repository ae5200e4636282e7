/* Tables that came to the hub's store after the first hubs were made: each file says CREATE … IF NOT EXISTS
 * throughout, and is run when a hub is made and whenever one is opened. A column that is needed later gets a table of
 * its own. */
#ifndef SPOKE_HUB_LATER_H
#define SPOKE_HUB_LATER_H

#include "sync/db.h"

/* In a transaction of its own. A store that has them all is not written to. */
MUST_CHECK enum err later_bring(struct db *db, struct why *why);
/* The same within the running one. */
MUST_CHECK enum err later_bring_here(struct db *db, struct why *why);

/* All of it as text, appended. */
void later_schema(struct buf *out);

#endif
