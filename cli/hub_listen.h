/* Several servers of one hub, on PostgreSQL: what one of them moved is what devices that are parked at another wait
 * for. A thread with a connection of its own hears of it (hub_hear). When that connection breaks, whatever was said
 * meanwhile is unknown: once it is there again, everything that is parked is handed over. */
#ifndef SPOKE_CLI_HUB_LISTEN_H
#define SPOKE_CLI_HUB_LISTEN_H

#include "cli/logline.h"
#include "hub/hub.h"

struct hub_listen; /* opaque */

struct hub_listen_options {
    struct hub *hub;       /* open and shared; stays the caller's, and is not used after hub_listen_start returned */
    const struct env *env; /* for the time in the log */
    FILE *log;             /* a line when nothing is heard any more, and when it is again; NULL: none */
    enum log_format log_format;
    void (*moved)(void *ctx); /* called in the thread */
    void *ctx;
};
/* ERR_UNREACHABLE, ERR_IO, ERR_NOMEM. */
MUST_CHECK enum err hub_listen_start(struct hub_listen **out, const struct hub_listen_options *opt, struct why *why);
/* `moved` is not called any more when this returns. NULL is fine. */
void hub_listen_end(struct hub_listen *l);

#endif
