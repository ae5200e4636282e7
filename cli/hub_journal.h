/* The journal folder beside a serving hub (hub/DISASTER.md): a thread takes from the store what transactions left
 * there and puts it into the folder. It has the store for some milliseconds at a time, and never while it writes: a
 * folder that is slow, full or gone keeps nobody waiting. Of several servers on PostgreSQL one writes at a time;
 * another goes on when it ends, or when its folder fails it. */
#ifndef SPOKE_CLI_HUB_JOURNAL_H
#define SPOKE_CLI_HUB_JOURNAL_H

#include "cli/hub_route.h"

struct hub_journal; /* opaque */
/* Begins a journal where the hub keeps none. `dir` NULL, of a hub on PostgreSQL alone: this server does not write, and
 * sees to it that what others are to write does not heap up in the database. ERR_NOTFOUND: the folder is not there. */
MUST_CHECK enum err hub_journal_start(struct hub_journal **out, struct hub_route *route, const char *dir,
                                      struct why *why);
/* Before turns end: what is committed by then is put into the folder, if that takes no longer than some seconds. NULL
 * is fine. */
void hub_journal_stop(struct hub_journal *j);

#endif
