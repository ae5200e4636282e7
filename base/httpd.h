/* A small HTTP/1.1 server over libmicrohttpd, the only room where <microhttpd.h> is seen.
 *
 * One internal thread runs every handler call, so a handler needs no locks against itself. Bind to loopback: anything
 * wider stands behind a reverse proxy that ends TLS (bundles are sealed end to end all the same). */
#ifndef SPOKE_BASE_HTTPD_H
#define SPOKE_BASE_HTTPD_H

#include "base/buf.h"

struct httpd; /* opaque */

struct http_request {
    const char *method;  /* "GET", "POST" */
    const char *path;    /* decoded path, no query */
    struct bytes body;   /* whole body, at most max_body */
    uint64_t range_from; /* first byte wanted by "Range: bytes=N-"; 0 without */
    uint64_t wait_s;     /* "Prefer: wait=N" (RFC 7240 §4.3): the client waits so long; 0 without */
    bool woken;          /* true when this request had been parked and is handed over again */
    bool last_chance;    /* parked time is over: it must be answered now */
};

struct http_reply {
    int status;       /* 200, 206, 400, 404, 413, ... ; 0 with park_ms > 0 means: park */
    const char *type; /* content type, static storage */
    struct buf body;  /* filled by the handler; the server takes it over */
    int64_t park_ms;  /* park for so long at most, in all: parking again wins no more time */
};

typedef void (*http_handler)(void *ctx, const struct http_request *req, struct http_reply *reply);

struct httpd_options {
    const char *listen;    /* "127.0.0.1:8470", "[::1]:8470"; port 0 picks a free one */
    size_t max_body;       /* bytes; a longer request gets 413 before it is read whole */
    unsigned max_clients;  /* connections at once */
    unsigned idle_seconds; /* an idle connection is closed */
    http_handler handler;
    void *ctx;
};

/* Start listening. ERR_USAGE for a bad address, ERR_BUSY when the port is taken, ERR_IO. */
MUST_CHECK enum err httpd_start(struct httpd **out, const struct httpd_options *opt, struct why *why);
unsigned httpd_port(const struct httpd *h);
/* Hand every parked request over again (something moved). May be called from the handler or any thread. */
void httpd_wake(struct httpd *h);
/* Stop taking connections, answer what runs (parked requests: 503), close; takes a few seconds at most. Never from the
 * handler. NULL is fine. */
void httpd_stop(struct httpd *h);

#endif
