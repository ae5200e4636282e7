/* What a server says to those who watch it, on an address of its own (`serve --watch`), never on the devices':
 *
 *   GET /healthz   "ok": the process answers
 *   GET /readyz    200 when the store can be written and read and its disk has room, and no command has had it for
 * long;
 *                  else 503, with the reason in a word
 *   GET /metrics   figures in the text exposition format of Prometheus (hub/WATCH.md has the list)
 *
 * No names of people, texts, ids of cases or rows; device ids and codes of sites are. */
#ifndef SPOKE_CLI_HUB_WATCH_H
#define SPOKE_CLI_HUB_WATCH_H

#include "cli/hub_route.h"

struct hub_watch; /* opaque */

struct hub_watch_options {
    const char *listen;      /* "127.0.0.1:9471" */
    const char *home;        /* whose disk is looked at */
    struct hub_route *route; /* whose hub it is */
    int64_t
        fresh_ms; /* figures of devices are no older than this when they are given, where the store bears it; 0: 5 s */
};
/* ERR_USAGE: not an address, or not one of this computer alone; ERR_BUSY, ERR_IO, ERR_NOMEM. */
MUST_CHECK enum err hub_watch_start(struct hub_watch **out, const struct hub_watch_options *opt, struct why *why);
unsigned hub_watch_port(const struct hub_watch *w);
void hub_watch_stop(struct hub_watch *w); /* before turns and the devices' server end; NULL is fine */
/* http_handler; ctx is a struct hub_watch. For tests too, which make one without a server. */
void hub_watch_answer(void *ctx, const struct http_request *req, struct http_reply *reply);
MUST_CHECK enum err hub_watch_new(struct hub_watch **out, const struct hub_watch_options *opt, struct why *why);

#endif
