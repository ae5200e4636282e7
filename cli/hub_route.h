/* The hub's HTTP side: each request to the function of hub.h that answers it.
 *
 *   GET  /v1/hub               64 bytes of public keys, then the hub's name in UTF-8
 *   POST /v1/enrol             a sealed enrolment request; its sealed answer
 *   POST /v1/exchange          one round: a bundle; its answer. May be parked with "Prefer: wait=SECONDS" (RFC 7240)
 *   GET  /v1/answer/HASH       the stored answer to a request (64 hex digits: BLAKE2b-256 of it), to resume
 *   GET  /healthz              "ok"
 * Anything refused: {"error":{"code","message"}}, no content of any case. */
#ifndef SPOKE_CLI_HUB_ROUTE_H
#define SPOKE_CLI_HUB_ROUTE_H

#include "base/env.h"
#include "base/httpd.h"
#include "cli/hub_count.h"
#include "cli/hub_limit.h"
#include "cli/hub_turn.h"
#include "cli/logline.h"
#include "hub/hub.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

struct hub_route {
    const struct env *env;
    struct hub *hub;                 /* between hub_turn_enter and hub_turn_leave alone */
    struct hub_turn *turn;           /* NULL: no command beside this process has it */
    void (*lost)(void *route);       /* the hub can serve nobody any more; NULL: nobody wants to know */
    pthread_mutex_t one;             /* without turns: who uses it just now */
    _Atomic(struct httpd *) server;  /* to wake parked requests; NULL until it has started */
    FILE *log;                       /* one line a request, without names, texts or ids of cases; NULL: none */
    enum log_format log_format;
    struct hub_count *count;         /* NULL: nothing is counted */
    struct hub_limit *limit;         /* NULL: everything is worked on */
    int64_t retention_us;            /* when it was looked what is due of closed cases; 0: look now */
};
/* The hub is another thread's than the one that answers devices, for some milliseconds: reading for those who watch.
 * False: within so many ms it was not to be had. */
bool hub_route_borrow(struct hub_route *r, int64_t wait_ms);
void hub_route_return(struct hub_route *r);
/* http_handler; ctx is a struct hub_route. */
void hub_route(void *ctx, const struct http_request *req, struct http_reply *reply);
/* httpd_options.joins and together, with the same ctx: exchanges that are ready at one moment (hub_exchange_all). */
bool hub_route_joins(void *ctx, const struct http_request *req);
void hub_route_together(void *ctx, struct http_turn *v, size_t n);
/* httpd_options.concerns, with the same ctx. */
bool hub_route_concerns(void *ctx, const int64_t keep[HTTP_KEEP]);

#endif
