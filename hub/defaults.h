/* What a new hub starts with: the code lists of the Children in Need census and the times by which answers are due. */
#ifndef SPOKE_HUB_DEFAULTS_H
#define SPOKE_HUB_DEFAULTS_H

#include "hub/internal.h"

/* Into the reference tables of an open transaction of a store that is not yet a hub. */
MUST_CHECK enum err defaults_put(struct hub *h, struct why *why);

#endif
