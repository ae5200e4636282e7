/* What a server counts of its work since it began, for those who watch (cli/hub_watch.h). By any thread. */
#ifndef SPOKE_CLI_HUB_COUNT_H
#define SPOKE_CLI_HUB_COUNT_H

#include "base/buf.h"
#include "hub/hub.h"

struct hub_count; /* opaque */

MUST_CHECK enum err hub_count_new(struct hub_count **out, struct why *why);
void hub_count_free(struct hub_count *c); /* NULL is fine, everywhere here */
struct hub_counted {
    const char *kind;  /* of a request: static storage */
    int status;        /* 0: it was parked */
    size_t in, out;    /* bytes of body */
    int64_t us;        /* how long it took; of an exchange it goes into the histogram */
    const char *error; /* word of an error of the hub's own (status 500 and above); NULL: none */
};
void hub_count_request(struct hub_count *c, const struct hub_counted *r);
void hub_count_verdicts(struct hub_count *c, const struct hub_exchange_result *r);
/* As families of the text exposition format, appended. */
void hub_count_put(struct hub_count *c, struct buf *out);

#endif
