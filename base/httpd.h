/* A small HTTP/1.1 server over libmicrohttpd, the only room where <microhttpd.h> is seen.
 *
 * One internal thread runs every handler call, so a handler needs no locks against itself. Bind to loopback: anything
 * wider stands behind a reverse proxy that ends TLS (bundles are sealed end to end all the same). */
#ifndef SPOKE_BASE_HTTPD_H
#define SPOKE_BASE_HTTPD_H

#include "base/buf.h"

struct httpd; /* opaque */

/* Headers of a request that handlers may ask for. One that is given twice is refused before any handler sees it (400), as
 * is a request without Host, or one whose length is told in two ways: proxies and servers may each take another one for
 * true. */
enum http_header {
    HTTP_HOST,
    HTTP_ORIGIN,
    HTTP_COOKIE,
    HTTP_CONTENT_TYPE,
    HTTP_ACCEPT_ENCODING,
    HTTP_IF_NONE_MATCH,
    HTTP_FETCH_SITE,    /* Sec-Fetch-Site */
    HTTP_LAST_EVENT_ID, /* of server-sent events */
    HTTP_SPOKE_QUIET,   /* X-Spoke-Quiet: nobody is at work with it */
    HTTP_SPOKE_PERSON,  /* X-Spoke-Person: whose page asks */
    HTTP_HEADERS
};

struct http_request {
    const char *method;  /* "GET", "POST" */
    const char *path;    /* decoded path, no query; never holds an encoded zero byte */
    const char *target;  /* path and query as they came, still encoded */
    const char *query;   /* of target, behind '?'; "" without */
    const char *header[HTTP_HEADERS]; /* NULL: not given */
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
    struct buf head;  /* http_reply_header fills it */
};
/* One more header of the answer. Cache-Control is no-store where none is set. Neither may hold a line end: what does fails
 * the answer (500). */
void http_reply_header(struct http_reply *reply, const char *name, const char *value);

typedef void (*http_handler)(void *ctx, const struct http_request *req, struct http_reply *reply);

struct http_field {
    const char *name, *value; /* static storage */
};

struct httpd_options {
    const char *listen;    /* "127.0.0.1:8470", "[::1]:8470"; port 0 picks a free one */
    size_t max_body;       /* bytes; a longer request gets 413 before it is read whole */
    unsigned max_clients;  /* connections at once */
    unsigned idle_seconds; /* an idle connection is closed */
    /* Only programs of the user who runs this one are let in, all others are hung up on before they say a word: whoever
     * shares the computer could take every connection, and could have got hold of a cookie, which browsers send to all
     * ports. For addresses of this computer alone. */
    bool own_user;
    http_handler handler;
    void *ctx;
    const struct http_field *fields; /* headers of every answer, also of the server's own; ends with name NULL; or NULL */
    /* How many bytes of body this request may bring, asked when its headers are here and nothing of its body (max_body at
     * most); NULL: max_body. A longer one gets 413. */
    size_t (*room)(void *ctx, const struct http_request *req);
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
