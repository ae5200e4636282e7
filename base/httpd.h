/* A small HTTP/1.1 server over libmicrohttpd, the only room where <microhttpd.h> is seen.
 *
 * One internal thread runs every handler call, so a handler needs no locks against itself. Bind to loopback: anything
 * wider stands behind a reverse proxy that ends TLS (bundles are sealed end to end all the same). */
#ifndef SPOKE_BASE_HTTPD_H
#define SPOKE_BASE_HTTPD_H

#include "base/buf.h"

struct httpd; /* opaque */

#define HTTPD_SPARE_FILES 272u /* descriptors that a server may need beside those of max_clients */

/* Headers of a request that handlers may ask for. One that is given twice is refused before any handler sees it (400),
 * as is a request without Host, or one whose length is told in two ways: proxies and servers may each take another one
 * for true. */
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

#define HTTP_KEEP 4
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
    const int64_t *kept; /* then: http_reply.keep of the parking; else NULL */
    bool last_chance;    /* parked time is over: it must be answered now */
    bool left;           /* httpd_options.together had it before, and left it for later */
};

struct http_reply {
    int status;       /* 200, 206, 400, 404, 413, ... ; 0 with park_ms > 0 means: park */
    const char *type; /* content type, static storage */
    struct buf body;  /* filled by the handler; the server takes it over */
    int64_t park_ms;  /* park for so long at most, in all: parking again wins no more time */
    struct buf head;  /* http_reply_header fills it */
    int64_t keep[HTTP_KEEP]; /* parked: for the handler's own use when the request is handed over again */
    /* Parked: whose request it is, so that one who lost his connection and asks again on another does not hold two: the
     * older one is dropped. 0: nobody's. */
    uint64_t park_who;
};
/* One more header of the answer. Cache-Control is no-store where none is set. Neither may hold a line end: what does
 * fails the answer (500). */
void http_reply_header(struct http_reply *reply, const char *name, const char *value);

typedef void (*http_handler)(void *ctx, const struct http_request *req, struct http_reply *reply);

/* Requests that are answered together. */
#define HTTP_TOGETHER 32u
struct http_turn {
    struct http_request req;
    struct http_reply reply; /* as for http_handler */
    bool done;               /* said by the handler: it has its reply. Else it comes again */
};

struct http_field {
    const char *name, *value; /* static storage */
};

struct httpd_options {
    const char *listen;    /* "127.0.0.1:8470", "[::1]:8470", port 0 picks a free one; or "unix:/path" (listener_open_path) */
    size_t max_body;       /* bytes; a longer request gets 413 before it is read whole */
    unsigned max_clients;  /* connections at once */
    unsigned idle_seconds; /* an idle connection is closed */
    /* For servers that strangers reach. head_seconds > 0: whoever has not brought the headers of a request so long
     * after he connected, or began it, is cut; and when all places but those of parked requests are taken, the oldest
     * that is between two requests or has not brought one makes place for the next; connections of parked requests
     * whose clients left are closed soon. The others count only with it. */
    unsigned head_seconds;
    unsigned max_parked;   /* of max_clients; one more is told to come later (503). 0: any number */
    unsigned min_rate;     /* bytes a second that a body brings and an answer takes at least, in the long run; 0: any */
    size_t max_held;       /* bytes of bodies and answers over 64 KiB in memory at once; a body beyond gets 503, an answer has
                              the oldest other answer cut, which its device resumes. 0: any */
    size_t conn_memory;    /* bytes for the headers of a request and its answer; 0: 32 KiB */
    unsigned stop_ms;      /* httpd_stop waits so long for answers under way; 0: 5 s */
    /* Only programs of the user who runs this one are let in, all others are hung up on before they say a word: whoever
     * shares the computer could take every connection, and could have got hold of a cookie, which browsers send to all
     * ports. For addresses of this computer alone. */
    bool own_user;
    http_handler handler;
    void *ctx;
    const struct http_field *fields; /* headers of every answer, also of the server's own; ends with name NULL; or NULL */
    /* Fills body and type of a refusal that has no body, as the server's own have: 503 while it ends, when the handler
     * was not asked. Only after a 500 may something have been done. Any thread. NULL, or nothing filled: the status
     * stands alone. */
    void (*words)(void *ctx, struct http_reply *reply);
    /* Something moved: may that concern a parked request, of which this is http_reply.keep? Where not, it is not handed
     * over. It is called by the thread that runs the handler, for thousands of them in a row, and must not call this
     * server. NULL: always. */
    bool (*concerns)(void *ctx, const int64_t keep[HTTP_KEEP]);
    /* Requests that do better together, such as those that share one sync of a disk. `joins`: is this one of them? It
     * then waits until no more such are ready that have arrived already, and no longer: nothing is awaited. `together`
     * answers as many of n >= 2 as it likes, the first at least. One that comes alone gets the handler. Wakes by
     * `together` are news to those that it parks: others of them may have come after. NULL: none joins. */
    bool (*joins)(void *ctx, const struct http_request *req);
    void (*together)(void *ctx, struct http_turn *v, size_t n);
    /* How many bytes of body this request may bring, asked when its headers are here and nothing of its body (max_body
     * at most); NULL: max_body. A longer one gets 413. */
    size_t (*room)(void *ctx, const struct http_request *req);
};

/* Start listening. ERR_USAGE for a bad address, ERR_BUSY when the port is taken, ERR_IO. */
MUST_CHECK enum err httpd_start(struct httpd **out, const struct httpd_options *opt, struct why *why);
unsigned httpd_port(const struct httpd *h); /* 0: at a path */
/* Something moved: hand every parked request over again, a few at a time, with other requests between them. One that is
 * parked anew is not asked again for what moved before. May be called from the handler or any thread. */
void httpd_wake(struct httpd *h);
/* Stop taking connections, answer what runs (parked requests: 503), close; takes a few seconds at most. Never from the
 * handler. NULL is fine. */
void httpd_stop(struct httpd *h);
/* For those who watch. Any thread. */
struct httpd_load {
    size_t connections, parked;
    size_t held; /* bytes of large bodies and answers */
};
void httpd_load(struct httpd *h, struct httpd_load *out);

#endif
