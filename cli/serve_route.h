/* From a request to its answer: who may ask, which function answers, and how what it says becomes HTTP. */
#ifndef SPOKE_CLI_SERVE_ROUTE_H
#define SPOKE_CLI_SERVE_ROUTE_H

#include "cli/serve.h"
#include "cli/serve_contact.h"
#include "cli/serve_desk.h"
#include "cli/serve_files.h"

#include <stdatomic.h>

#define SERVE_NAMES   20
#define SERVE_WAIT_MS 25000 /* for an event */

/* Everything that requests are answered from. Borrowed. */
struct serve_site {
    const struct env *env;
    const char *home;
    struct serve_desk *desk;
    struct serve_contact *contact; /* NULL: none is made (tests) */
    const struct serve_asset *assets;
    const struct serve_route *const *tables; /* ends with NULL */
    const char *phone;                       /* whom to ring, for the page before anybody signed in; NULL: not told */
    char cookie[32]; /* "spoke_session_8471": cookies know no port, and there may be several devices on one computer */
    bool secure;     /* behind a proxy with TLS: the cookie goes no other way */
    _Atomic size_t n_names;         /* counted up when a name stands: requests may come before */
    char hosts[SERVE_NAMES][300];   /* what Host may be, exactly */
    char origins[SERVE_NAMES][308]; /* and Origin */
};
/* One more name of this service: "127.0.0.1:8471". ERR_USAGE: no such name, or too many. */
MUST_CHECK enum err serve_site_name(struct serve_site *s, const char *scheme, const char *host, struct why *why);

void serve_handle(void *ctx, const struct http_request *req,
                  struct http_reply *reply);                  /* http_handler of a serve_site */
size_t serve_room(void *ctx, const struct http_request *req); /* httpd_options.room */
extern const struct http_field serve_fields[];                /* httpd_options.fields */
void serve_words(void *ctx, struct http_reply *reply);        /* httpd_options.words */

/* ---- cli/serve_self.c: what is asked of the service itself. */
struct serve_own {
    struct serve_site *site;
    const struct http_request *req;
    struct http_reply *reply;
    uint64_t session;     /* 0: nobody is signed in */
    struct serve_call *c; /* out, status and raw are answered as those of a route; c->node is NULL */
};
struct serve_own_route {
    const char *method, *path;
    bool open;         /* also for who is not signed in */
    const char *takes; /* type of its body; NULL: JSON */
    enum err (*run)(struct serve_own *o, struct why *why);
};
extern const struct serve_own_route serve_own_routes[]; /* ends with method NULL */

/* ---- cli/serve_route.c, for both. */
/* {"error": …} in c->out and c->status. `wait_s` < 0: not said. */
void serve_fail(struct serve_call *c, enum err e, const struct why *why, int64_t wait_s);
/* ERR_LOCKED: the page says (X-Spoke-Person) that it is another's than the one as whom `n` is open. */
MUST_CHECK enum err serve_whose_page(const struct http_request *req, struct node *n, struct why *why);
/* Asked by a page on its own: nobody is at work with it. */
bool serve_is_quiet(const struct http_request *req);

#endif
