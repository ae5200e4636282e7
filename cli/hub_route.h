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
#include "cli/hub_turn.h"
#include "hub/hub.h"

#include <stdatomic.h>
#include <stdio.h>

struct hub_route {
    const struct env *env;
    struct hub *hub;                 /* between hub_turn_enter and hub_turn_leave alone */
    struct hub_turn *turn;           /* NULL: nobody else has it */
    _Atomic(struct httpd *) server;  /* to wake parked requests; NULL until it has started */
    FILE *log;                       /* one logfmt line a request, without names, texts or ids of cases; NULL: none */
};
/* http_handler; ctx is a struct hub_route. */
void hub_route(void *ctx, const struct http_request *req, struct http_reply *reply);

#endif
