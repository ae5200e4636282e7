#include "base/httpd.h"

#include "base/httpd_head.h"
#include "base/httpd_peer.h"
#include "base/listener.h"

#include <assert.h>
#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STOP_GRACE_MS 5000  /* for answers under way when the server stops */
#define TARGET_MAX    8192  /* bytes of a path with its query */
#define HEAD_MAX      16384 /* bytes of headers that a handler adds */

/* One request on its way, MHD's con_cls. Fields marked L are under httpd.lock. */
struct exchange {
    struct httpd *server;
    struct MHD_Connection *conn;  /* MHD's */
    char *target;                 /* http_request.target; NULL: too long, or no memory */
    bool begun;                   /* its headers were looked at */
    struct buf body;              /* received so far */
    uint64_t range_from;          /* http_request.range_from */
    uint64_t wait_s;              /* http_request.wait_s */
    size_t excess;                /* bytes received beyond max_body and thrown away */
    bool early;                   /* answered before its body came */
    bool parked;                  /* L: suspended and in httpd.parked */
    bool woken;                   /* L: has been parked */
    bool expired;                 /* L: its parked time is over */
    int64_t deadline;             /* L: monotonic ms at which parking ends; 0 before the first parking */
    struct exchange *prev, *next; /* L: neighbours in httpd.parked */
};

struct httpd {
    struct MHD_Daemon *daemon; /* one internal thread */
    struct httpd_options opt;  /* opt.listen is not kept */
    unsigned port;             /* that it listens at */
    union peer_address at;     /* likewise */
    pthread_t timer;           /* waits for parked requests' deadlines */
    pthread_mutex_t lock;
    pthread_cond_t changed;  /* L: parked, stopping or active changed; monotonic clock */
    struct exchange *parked; /* L */
    size_t active;           /* L: exchanges alive */
    uint64_t wakes;          /* L: counts httpd_wake, so that none is lost between a handler and its parking */
    pthread_t worker;        /* L: thread that runs a handler, while in_handler */
    bool in_handler;         /* L */
    bool stopping;           /* L */
};

static int64_t monotonic_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Wait on h->changed until `deadline` at the latest. */
static void wait_until(struct httpd *h, int64_t deadline)
{
    struct timespec t = {.tv_sec = deadline / 1000, .tv_nsec = deadline % 1000 * 1000000};
    (void)pthread_cond_timedwait(&h->changed, &h->lock, &t);
}

/* ---- parking; the lock is held in these three ---- */

static void park(struct httpd *h, struct exchange *e, int64_t park_ms)
{
    int64_t now = monotonic_ms();
    int64_t end = park_ms > INT64_MAX - now ? INT64_MAX : now + park_ms;
    if (e->deadline == 0 || end < e->deadline) /* waking and parking again does not win more time */
        e->deadline = end;
    e->parked = true;
    e->prev = NULL;
    e->next = h->parked;
    if (h->parked != NULL) h->parked->prev = e;
    h->parked = e;
    MHD_suspend_connection(e->conn);
    (void)pthread_cond_broadcast(&h->changed);
}

static void unpark(struct httpd *h, struct exchange *e, bool expired)
{
    if (e->prev != NULL)
        e->prev->next = e->next;
    else
        h->parked = e->next;
    if (e->next != NULL) e->next->prev = e->prev;
    e->parked = false;
    e->woken = true;
    e->expired = expired;
    MHD_resume_connection(e->conn);
}

static void unpark_all(struct httpd *h)
{
    while (h->parked != NULL) unpark(h, h->parked, false);
}

static void *timer_main(void *arg)
{
    struct httpd *h = arg;
    (void)pthread_mutex_lock(&h->lock);
    while (!h->stopping) {
        int64_t now = monotonic_ms(), first = INT64_MAX;
        for (struct exchange *e = h->parked, *next; e != NULL; e = next) {
            next = e->next;
            if (e->deadline <= now)
                unpark(h, e, true);
            else if (e->deadline < first)
                first = e->deadline;
        }
        if (first == INT64_MAX)
            (void)pthread_cond_wait(&h->changed, &h->lock);
        else
            wait_until(h, first);
    }
    (void)pthread_mutex_unlock(&h->lock);
    return NULL;
}

void httpd_wake(struct httpd *h)
{
    (void)pthread_mutex_lock(&h->lock);
    /* A handler's own wake is none for the request that it is about to park, or it would be called for ever. */
    if (!h->in_handler || !pthread_equal(h->worker, pthread_self())) h->wakes++;
    unpark_all(h);
    (void)pthread_mutex_unlock(&h->lock);
}

/* ---- answering ---- */

static void free_body(void *cls)
{
    buf_release(cls);
    free(cls);
}

/* An answer with `body`, which is taken over whatever comes. NULL without memory. */
static struct MHD_Response *response_of(struct buf *body)
{
    if (body->len == 0) {
        buf_release(body);
        return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    }
    struct buf *own = malloc(sizeof *own);
    if (own == NULL) {
        buf_release(body);
        return NULL;
    }
    *own = *body;
    *body = (struct buf){.max = own->max};
    struct MHD_Response *r =
        MHD_create_response_from_buffer_with_free_callback_cls(own->len, own->data, free_body, own);
    if (r == NULL) free_body(own);
    return r;
}

static enum MHD_Result answer(struct exchange *e, struct http_reply *reply, bool close)
{
    size_t n = reply->body.len;
    bool cached = false;
    struct MHD_Response *r = response_of(&reply->body);
    bool whole = r != NULL && httpd_add_fields(r, &reply->head, &cached);
    for (const struct http_field *f = e->server->opt.fields; whole && f != NULL && f->name != NULL; f++)
        whole = MHD_add_response_header(r, f->name, f->value) == MHD_YES;
    buf_release(&reply->head);
    if (!whole) { /* without a header that protects somebody it must not leave */
        if (r != NULL) MHD_destroy_response(r);
        return MHD_NO; /* closes the connection */
    }
    if (reply->type != NULL && n > 0) (void)MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, reply->type);
    if (!cached) (void)MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (reply->status == MHD_HTTP_PARTIAL_CONTENT && n > 0) httpd_add_range(r, e->range_from, n);
    if (close) (void)MHD_add_response_header(r, MHD_HTTP_HEADER_CONNECTION, "close");
    enum MHD_Result queued = MHD_queue_response(e->conn, (unsigned)reply->status, r);
    MHD_destroy_response(r);
    buf_release(&e->body); /* nobody needs it while the answer travels */
    return queued;
}

static enum MHD_Result answer_status(struct exchange *e, int status)
{
    struct http_reply reply = {.status = status};
    return answer(e, &reply, true);
}

/* ---- receiving ---- */

/* Does the request announce more than it may bring? MHD has refused a Content-Length that is no number. */
static bool announces_too_much(const struct exchange *e)
{
    const char *s = MHD_lookup_connection_value(e->conn, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    if (s == NULL) return false;
    errno = 0;
    unsigned long long n = strtoull(s, NULL, 10);
    return errno != 0 || n > e->body.max;
}

/* A request line has come: the only moment at which MHD shows the path as it was written. What is given back is the
 * exchange in every later call. */
static void *on_target(void *cls, const char *target, struct MHD_Connection *conn)
{
    struct httpd *h = cls;
    struct exchange *e = calloc(1, sizeof *e);
    if (e == NULL) return NULL;
    e->server = h;
    e->conn = conn;
    if (strlen(target) <= TARGET_MAX) e->target = strdup(target);
    buf_init(&e->body, h->opt.max_body);
    (void)pthread_mutex_lock(&h->lock);
    h->active++;
    (void)pthread_mutex_unlock(&h->lock);
    return e;
}

static struct http_request request_of(const struct exchange *e, const char *method, const char *path)
{
    const char *query = strchr(e->target, '?');
    struct http_request req = {.method = method,
                               .path = path,
                               .target = e->target,
                               .query = query != NULL ? query + 1 : "",
                               .body = buf_bytes(&e->body),
                               .range_from = e->range_from,
                               .wait_s = e->wait_s};
    httpd_fields(e->conn, req.header);
    return req;
}

/* How much of a body is waited for. */
static void make_room(struct exchange *e, const char *method, const char *path)
{
    const struct httpd_options *opt = &e->server->opt;
    if (opt->room == NULL) return;
    struct http_request req = request_of(e, method, path);
    size_t room = opt->room(opt->ctx, &req);
    if (room < e->body.max) buf_init(&e->body, room);
}

/* First call of the handler for a request: its headers are here. */
static enum MHD_Result begin(struct exchange *e, const char *method, const char *path)
{
    struct httpd *h = e->server;
    struct MHD_Connection *conn = e->conn;
    e->begun = true;
    e->range_from = httpd_range(conn);
    e->wait_s = httpd_wait(conn);
    (void)pthread_mutex_lock(&h->lock);
    bool stopping = h->stopping;
    (void)pthread_mutex_unlock(&h->lock);
    int status = stopping                           ? MHD_HTTP_SERVICE_UNAVAILABLE
                 : e->target == NULL                ? MHD_HTTP_URI_TOO_LONG
                 : httpd_ambiguous(conn, e->target) ? MHD_HTTP_BAD_REQUEST
                                                    : 0;
    if (status == 0) make_room(e, method, path);
    if (status == 0 && announces_too_much(e)) status = MHD_HTTP_CONTENT_TOO_LARGE;
    if (status == 0) return MHD_YES;
    e->early = true;
    return answer_status(e, status);
}

/* A piece of the body. MHD takes no answer in the middle of one: an excess that was not announced (chunked) is thrown
 * away as it comes, to be answered 413, and past as much again the connection is cut. */
static enum MHD_Result receive(struct exchange *e, char *data, size_t n)
{
    size_t room = e->body.max - e->body.len;
    size_t keep = e->excess > 0 ? 0 : n < room ? n : room;
    buf_put(&e->body, data, keep);
    explicit_bzero(data, n); /* it may be a passphrase, and MHD keeps its room as long as the connection */
    e->excess += n - keep;
    if (e->body.err != ERR_OK || e->excess > e->body.max + 65536) return MHD_NO;
    return MHD_YES;
}

/* ---- handing over ---- */

/* Call the handler. True when there is an answer in *reply, false when the request is parked. */
static bool hand_over(struct exchange *e, const char *method, const char *path, struct http_reply *reply)
{
    struct httpd *h = e->server;
    struct http_request req = request_of(e, method, path);
    for (;;) {
        *reply = (struct http_reply){0};
        buf_init(&reply->body, SIZE_MAX / 2);
        buf_init(&reply->head, HEAD_MAX);
        (void)pthread_mutex_lock(&h->lock);
        if (h->stopping) {
            (void)pthread_mutex_unlock(&h->lock);
            reply->status = MHD_HTTP_SERVICE_UNAVAILABLE;
            return true;
        }
        uint64_t wakes = h->wakes;
        h->worker = pthread_self();
        h->in_handler = true;
        req.woken = e->woken;
        req.last_chance = e->expired;
        (void)pthread_mutex_unlock(&h->lock);
        h->opt.handler(h->opt.ctx, &req, reply);
        (void)pthread_mutex_lock(&h->lock);
        h->in_handler = false;
        bool wants_park = reply->status == 0 && reply->park_ms > 0 && !req.last_chance;
        bool again = wants_park && (h->wakes != wakes || h->stopping);
        if (wants_park && !again)
            park(h, e, reply->park_ms);
        else if (again)
            e->woken = true;
        (void)pthread_mutex_unlock(&h->lock);
        if (!wants_park) return true;
        buf_release(&reply->body);
        buf_release(&reply->head);
        if (!again) return false;
    }
}

static enum MHD_Result complete(struct exchange *e, const char *method, const char *path)
{
    struct http_reply reply;
    if (e->excess > 0) return answer_status(e, MHD_HTTP_CONTENT_TOO_LARGE);
    if (!hand_over(e, method, path, &reply)) return MHD_YES;
    struct httpd *h = e->server;
    (void)pthread_mutex_lock(&h->lock);
    bool stopping = h->stopping;
    (void)pthread_mutex_unlock(&h->lock);
    if (reply.body.err != ERR_OK || reply.head.err != ERR_OK || reply.status < 200 || reply.status > 599) {
        /* half an answer must not pass for a whole one */
        buf_release(&reply.body);
        buf_release(&reply.head);
        reply.status = MHD_HTTP_INTERNAL_SERVER_ERROR;
    }
    return answer(e, &reply, stopping);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *conn, const char *url, const char *method,
                                  const char *version, const char *upload_data, size_t *upload_data_size,
                                  void **con_cls)
{
    (void)cls, (void)conn, (void)version;
    struct exchange *e = *con_cls;
    if (e == NULL) return MHD_NO;
    if (!e->begun) return begin(e, method, url);
    if (e->early) {
        *upload_data_size = 0;
        return MHD_YES;
    }
    if (*upload_data_size > 0) {
        enum MHD_Result taken = receive(e, (char *)upload_data, *upload_data_size);
        *upload_data_size = 0;
        return taken;
    }
    return complete(e, method, url);
}

static void on_completed(void *cls, struct MHD_Connection *conn, void **con_cls, enum MHD_RequestTerminationCode how)
{
    (void)conn;
    (void)how;
    struct httpd *h = cls;
    struct exchange *e = *con_cls;
    if (e == NULL) return;
    assert(!e->parked); /* MHD ends no suspended connection, and httpd_stop resumes all first */
    buf_release(&e->body);
    if (e->target != NULL) explicit_bzero(e->target, strlen(e->target)); /* what somebody searched for */
    free(e->target);
    free(e);
    *con_cls = NULL;
    (void)pthread_mutex_lock(&h->lock);
    h->active--;
    (void)pthread_cond_broadcast(&h->changed);
    (void)pthread_mutex_unlock(&h->lock);
}

/* ---- starting and stopping ---- */

static void free_locks(struct httpd *h)
{
    (void)pthread_cond_destroy(&h->changed);
    (void)pthread_mutex_destroy(&h->lock);
}

static bool make_locks(struct httpd *h)
{
    pthread_condattr_t monotonic; /* a corrected wall clock must not end or stretch a wait */
    if (pthread_mutex_init(&h->lock, NULL) != 0) return false;
    bool ok = pthread_condattr_init(&monotonic) == 0;
    if (ok) {
        ok = pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0 &&
             pthread_cond_init(&h->changed, &monotonic) == 0;
        (void)pthread_condattr_destroy(&monotonic);
    }
    if (!ok) (void)pthread_mutex_destroy(&h->lock);
    return ok;
}

static void stop_timer(struct httpd *h)
{
    (void)pthread_mutex_lock(&h->lock);
    h->stopping = true;
    (void)pthread_cond_broadcast(&h->changed);
    (void)pthread_mutex_unlock(&h->lock);
    (void)pthread_join(h->timer, NULL);
}

/* Asked for each connection, before anything of it is read. */
static enum MHD_Result on_connection(void *cls, const struct sockaddr *from, socklen_t n)
{
    const struct httpd *h = cls;
    union peer_address peer = {0};
    if (!h->opt.own_user) return MHD_YES;
    if (n > sizeof peer) return MHD_NO;
    memcpy(&peer, from, n);
    return peer_is_own_user(&peer, &h->at) ? MHD_YES : MHD_NO;
}

/* The two threads. Signals stay with the threads of the program, which knows what to do with them. */
static bool start_threads(struct httpd *h, int fd)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    bool timer = pthread_create(&h->timer, NULL, timer_main, h) == 0;
    if (timer) {
        h->daemon =
            MHD_start_daemon(MHD_USE_AUTO_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, on_connection, h, on_request,
                             h, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, h->opt.max_clients,
                             MHD_OPTION_CONNECTION_TIMEOUT, h->opt.idle_seconds, MHD_OPTION_URI_LOG_CALLBACK, on_target,
                             h, MHD_OPTION_NOTIFY_COMPLETED, on_completed, h, MHD_OPTION_END);
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (timer && h->daemon == NULL) stop_timer(h);
    return h->daemon != NULL;
}

enum err httpd_start(struct httpd **out, const struct httpd_options *opt, struct why *why)
{
    int fd = -1;
    if (opt->own_user && access("/proc/net/tcp", R_OK) != 0) /* nobody could be let in */
        return why_set(why, ERR_IO, "this system does not say whose a connection is (/proc/net/tcp): %s",
                       strerror(errno));
    struct httpd *h = calloc(1, sizeof *h);
    if (h == NULL) return why_set(why, ERR_NOMEM, "this device is out of memory");
    h->opt = *opt;
    h->opt.listen = NULL;
    if (!make_locks(h)) {
        free(h);
        return why_set(why, ERR_FAILED, "the web server could not be started");
    }
    enum err err = listener_open(opt->listen, &fd, &h->port, why);
    socklen_t n = sizeof h->at;
    if (err == ERR_OK && (getsockname(fd, &h->at.any, &n) != 0 || !start_threads(h, fd))) {
        (void)close(fd);
        err = why_set(why, ERR_FAILED, "the web server could not be started");
    }
    if (err != ERR_OK) {
        free_locks(h);
        free(h);
        return err;
    }
    *out = h;
    return ERR_OK;
}

unsigned httpd_port(const struct httpd *h)
{
    return h->port;
}

void httpd_stop(struct httpd *h)
{
    if (h == NULL) return;
    int fd = MHD_quiesce_daemon(h->daemon);
    (void)pthread_mutex_lock(&h->lock);
    h->stopping = true;
    unpark_all(h); /* each gets its 503 */
    (void)pthread_cond_broadcast(&h->changed);
    int64_t deadline = monotonic_ms() + STOP_GRACE_MS;
    while (h->active > 0 && monotonic_ms() < deadline) wait_until(h, deadline);
    (void)pthread_mutex_unlock(&h->lock);
    (void)pthread_join(h->timer, NULL);
    MHD_stop_daemon(h->daemon);
    if (fd >= 0) (void)close(fd);
    free_locks(h);
    free(h);
}
