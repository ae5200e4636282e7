/* Which answers of its store a hub need not ask for again: hub/STORE.md, "Answers that are kept". */
#ifndef SPOKE_HUB_KEPT_H
#define SPOKE_HUB_KEPT_H

#include "sync/db.h"

/* When the store is opened, once all its tables are there; outside a transaction. */
MUST_CHECK enum err kept_begin(struct db *db, struct why *why);

#endif
