/* What the files of the HTTP server share: base/httpd.c answers, httpd_park.c holds requests back, httpd_guard.c ends
 * connections that take what others need. Everything marked L is under httpd.lock. */
#ifndef SPOKE_BASE_HTTPD_INTERNAL_H
#define SPOKE_BASE_HTTPD_INTERNAL_H

#include "base/httpd.h"
#include "base/httpd_peer.h"

#include <microhttpd.h>
#include <pthread.h>
#include <sys/types.h>

#define HTTPD_WHO_BUCKETS 4096u /* a power of two */

struct httpd;
struct exchange;

/* ---- connections (httpd_guard.c) */
enum guard_state {
    GUARD_HEAD,  /* opened, or a request has begun: its headers are waited for */
    GUARD_BODY,  /* headers are here, the body is coming */
    GUARD_BUSY,  /* with the handler, or parked: nothing is waited for */
    GUARD_REPLY, /* the answer travels */
    GUARD_IDLE,  /* answered; the next request may come */
    GUARD_CUT,   /* shut down by us; the server is about to notice */
    GUARD_STATES
};
struct guard_conn { /* MHD's socket_context */
    int fd;
    enum guard_state state;        /* L */
    int64_t since;                 /* L: monotonic ms at which that began */
    uint64_t bytes;                /* L: of the body, come since then; of the answer, in all */
    uint64_t seen, pace;           /* L: of a body: bytes at the last tick; about how many come in a second */
    struct guard_conn *prev, *next; /* L: of the same state, the oldest first */
};
struct guard_line {
    struct guard_conn *first, *last;
    size_t n;
};

/* One request on its way, MHD's con_cls. */
struct exchange {
    struct httpd *server;
    struct MHD_Connection *conn;  /* MHD's */
    struct guard_conn *guard;     /* NULL: nobody watches it */
    char *target;                 /* http_request.target; NULL: too long, or no memory */
    bool begun;                   /* its headers were looked at */
    struct buf body;              /* received so far */
    uint64_t range_from;          /* http_request.range_from */
    uint64_t wait_s;              /* http_request.wait_s */
    size_t excess;                /* bytes received beyond max_body and thrown away */
    bool early;                   /* answered before its body came */
    size_t held;                  /* L: bytes of it in httpd.held */
    bool parked;                  /* L: suspended and in httpd.parked */
    bool counted;                 /* L: resumed, counted in httpd.resumed, and not handed over yet */
    bool woken;                   /* L: has been parked */
    bool expired;                 /* L: its parked time is over */
    bool gone;                    /* L: its client left, or came again on another connection */
    uint64_t asked;               /* L: httpd.wakes that it was asked after */
    uint64_t park_no;             /* L: another each time that anything is parked */
    int64_t deadline;             /* L: monotonic ms at which parking ends; 0 before the first parking */
    size_t heap_at;               /* L: where in httpd.heap */
    uint64_t who;                 /* L: http_reply.park_who */
    int64_t keep[HTTP_KEEP];      /* http_reply.keep */
    struct exchange *prev, *next; /* L: neighbours in httpd.parked */
    struct exchange *who_next;    /* L: in httpd.who */
    /* Of requests that are answered together; by the server's thread alone. */
    enum group_state { GROUP_NOT, GROUP_WAITS, GROUP_DONE } group;
    const char *method, *path;    /* MHD's, as long as the request lives */
    struct exchange *group_next;  /* in httpd.group */
    bool left;                    /* http_request.left */
    struct http_reply reply;      /* GROUP_DONE: not sent yet */
};

struct httpd {
    struct MHD_Daemon *daemon; /* one internal thread */
    struct httpd_options opt;  /* opt.listen is not kept */
    unsigned port;             /* that it listens at; 0: at a socket in the file system */
    char *path;                /* of that socket; NULL */
    dev_t path_dev;            /* what we made there: another's is not ours to remove */
    ino_t path_ino;
    union peer_address at;     /* where it listens */
    pthread_t timer;           /* waits for deadlines */
    pthread_mutex_t lock;
    pthread_cond_t changed;  /* L: an earlier deadline, stopping, or active changed; monotonic clock */
    struct exchange *parked, *parked_last; /* L: by `asked`, the lowest first */
    size_t n_parked;         /* L */
    uint64_t n_ever_parked;  /* L */
    struct exchange **heap;  /* L: of n_parked, the first deadline on top */
    size_t heap_room;        /* L */
    struct exchange *who[HTTPD_WHO_BUCKETS]; /* L: parked ones that say whose they are */
    struct exchange *looked; /* L: parked one that was looked at last: has its client gone? */
    size_t resumed;          /* L: woken ones that have not been handed over yet */
    size_t active;           /* L: exchanges alive */
    uint64_t wakes;          /* L: counts httpd_wake, so that none is lost between a handler and its parking */
    uint64_t own_wakes;      /* L: of them, by the handler that runs */
    pthread_t worker;        /* L: thread that runs a handler, while in_handler */
    bool in_handler;         /* L */
    bool stopping;           /* L */
    struct exchange *group, *group_last; /* the first of them has the turn. By the server's thread alone, as are: */
    size_t n_group, n_seen;  /* n_seen: of them, when the first had its turn last */
    struct guard_line lines[GUARD_STATES]; /* L */
    size_t held;             /* L: bytes of large bodies and answers in memory */
};

int64_t httpd_now_ms(void); /* CLOCK_MONOTONIC */
void httpd_wait_until(struct httpd *h, int64_t deadline); /* on h->changed; the lock is held */
void *park_timer(void *httpd); /* a thread: what has to happen though nobody comes. httpd_park.c */

/* ---- httpd.c, for httpd_group.c */
struct http_request httpd_request_of(const struct exchange *e, const char *method, const char *path);
void httpd_reply_init(struct http_reply *reply);
void httpd_put_off(struct http_reply *reply);
/* Call the handler for one. True when there is an answer in *reply, false when the request is parked. */
bool httpd_hand_over(struct exchange *e, const char *method, const char *path, struct http_reply *reply);

/* ---- httpd_group.c; by the server's thread, without the lock */
/* The whole request is here. True: it has its answer in *reply; false: it is suspended, and comes again. */
bool group_complete(struct exchange *e, const char *method, const char *path, struct http_reply *reply);
/* e ends. */
void group_leave(struct exchange *e);
/* A handler ran: if the server stops, whoever waits for a turn is let go of. */
void group_let_go(struct httpd *h);

/* ---- httpd_park.c; the lock is held in all of these */
/* Before a handler runs: false, the server stops. *out_wakes: for httpd_settle. */
bool httpd_handler_begins(struct httpd *h, uint64_t *out_wakes);
void httpd_handler_ended(struct httpd *h);
/* What a handler said of e: true, it is parked now, and *reply is released. `asked`: httpd.wakes that it was asked
 * after. */
bool httpd_settle(struct exchange *e, struct http_reply *reply, uint64_t asked);
/* Hold e back. Suspends its connection. false: no memory, or as many are parked as may be. */
bool park_add(struct httpd *h, struct exchange *e, int64_t park_ms);
/* Let go of those whose time is over and those who were not asked since the last wake, a few at a time: others come in
 * between. Called whenever there may be some, and when one was handed over. */
void park_go_on(struct httpd *h);
/* By the server's thread, after a handler ran: ask for the next few whether the news are any to them. With the lock
 * held, which is let go of while it asks. */
void park_sift(struct httpd *h);
void park_release_all(struct httpd *h);
/* e was resumed and is being handed over, or ends. */
void park_back(struct httpd *h, struct exchange *e);
/* Let go of those whose client left: looks at some of them, at others the next time. */
void park_look(struct httpd *h);
/* Monotonic ms of the first deadline; INT64_MAX: none. */
int64_t park_first(const struct httpd *h);

/* ---- httpd_guard.c; the lock is held in all but the first */
void guard_notify(void *cls, struct MHD_Connection *conn, void **socket_context, enum MHD_ConnectionNotificationCode what);
/* What the connection is doing from now on. `bytes`: of the answer. NULL is fine. */
void guard_is(struct httpd *h, struct guard_conn *c, enum guard_state state, uint64_t bytes);
/* End those who were too slow. */
void guard_check(struct httpd *h);
bool guard_watches(const struct httpd *h);
/* So many bytes in all are now held for e. false: that is more than there is room for, and nothing was changed. An
 * answer (`must`) gets its room from those that have been travelling for longest: their devices resume them. */
bool guard_hold(struct httpd *h, struct exchange *e, size_t bytes, bool must);

#endif
