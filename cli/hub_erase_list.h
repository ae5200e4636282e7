/* A list of cases that were erased, as it is kept beside the backups: hub/RETENTION.md, "It does not come back". */
#ifndef SPOKE_CLI_HUB_ERASE_LIST_H
#define SPOKE_CLI_HUB_ERASE_LIST_H

#include "base/buf.h"
#include "base/env.h"

/* What spoke-hub retention erased --json printed; or text with a case's whole id at the beginning of each line (what
 * follows it does not matter), empty lines and such that begin with #. Appends the ids to out, 16 bytes each, each
 * once. ERR_USAGE names the first line, or entry, that is none. */
MUST_CHECK enum err hub_erase_list_read(const struct env *env, const char *path, struct buf *out, struct why *why);

#endif
