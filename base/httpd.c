#include "base/httpd.h"

#include "base/httpd_head.h"
#include "base/httpd_internal.h"
#include "base/listener.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define STOP_GRACE_MS 5000  /* for answers under way when the server stops */
#define TARGET_MAX    8192  /* bytes of a path with its query */
#define HEAD_MAX      16384 /* bytes of headers that a handler adds */
#define RETRY_AFTER   "30"  /* seconds, where there is no room now */
#define CUT_PLACES    256u  /* connections that were cut and are not closed yet */
#define CONN_MEMORY   ((size_t)32 << 10)

int64_t httpd_now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
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
    const struct httpd_options *opt = &e->server->opt;
    if (reply->status >= 400 && reply->body.len == 0 && opt->words != NULL) opt->words(opt->ctx, reply);
    size_t n = reply->body.len;
    bool cached = false;
    struct MHD_Response *r = response_of(&reply->body);
    bool whole = r != NULL && httpd_add_fields(r, &reply->head, &cached);
    for (const struct http_field *f = opt->fields; whole && f != NULL && f->name != NULL; f++)
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
    buf_release(&e->body); /* nobody needs it while the answer travels */
    struct httpd *h = e->server;
    (void)pthread_mutex_lock(&h->lock);
    (void)guard_hold(h, e, n, true);
    guard_is(h, e->guard, GUARD_REPLY, n);
    (void)pthread_mutex_unlock(&h->lock);
    enum MHD_Result queued = MHD_queue_response(e->conn, (unsigned)reply->status, r);
    MHD_destroy_response(r);
    return queued;
}

static enum MHD_Result answer_status(struct exchange *e, int status)
{
    struct http_reply reply = {.status = status};
    buf_init(&reply.head, HEAD_MAX);
    if (status == MHD_HTTP_SERVICE_UNAVAILABLE) http_reply_header(&reply, MHD_HTTP_HEADER_RETRY_AFTER, RETRY_AFTER);
    return answer(e, &reply, true);
}

/* ---- receiving ---- */

/* Bytes that the request announces; 0: none said. MHD has refused a Content-Length that is no number. */
static unsigned long long announced(const struct exchange *e)
{
    const char *s = MHD_lookup_connection_value(e->conn, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    if (s == NULL) return 0;
    errno = 0;
    unsigned long long n = strtoull(s, NULL, 10);
    return errno != 0 ? ULLONG_MAX : n;
}

/* Would it fit into the room that is left? Looked at only: whoever announces much and sends nothing takes nothing. */
static bool fits(struct exchange *e, size_t n)
{
    struct httpd *h = e->server;
    (void)pthread_mutex_lock(&h->lock);
    bool ok = guard_hold(h, e, n, false) && guard_hold(h, e, 0, false);
    (void)pthread_mutex_unlock(&h->lock);
    return ok;
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
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    if (info != NULL) e->guard = info->socket_context;
    (void)pthread_mutex_lock(&h->lock);
    if (e->guard != NULL && e->guard->state == GUARD_IDLE) guard_is(h, e->guard, GUARD_HEAD, 0);
    h->active++;
    (void)pthread_mutex_unlock(&h->lock);
    return e;
}

struct http_request httpd_request_of(const struct exchange *e, const char *method, const char *path)
{
    const char *query = strchr(e->target, '?');
    struct http_request req = {.method = method,
                               .path = path,
                               .target = e->target,
                               .query = query != NULL ? query + 1 : "",
                               .body = buf_bytes(&e->body),
                               .range_from = e->range_from,
                               .wait_s = e->wait_s,
                               .woken = e->woken,
                               .kept = e->woken ? e->keep : NULL,
                               .last_chance = e->expired,
                               .left = e->left};
    httpd_fields(e->conn, req.header);
    return req;
}

/* How much of a body is waited for. */
static void make_room(struct exchange *e, const char *method, const char *path)
{
    const struct httpd_options *opt = &e->server->opt;
    if (opt->room == NULL) return;
    struct http_request req = httpd_request_of(e, method, path);
    size_t room = opt->room(opt->ctx, &req);
    if (room < e->body.max) buf_init(&e->body, room);
}

/* First call of the handler for a request: its headers are here. */
static enum MHD_Result begin(struct exchange *e, const char *method, const char *path, const char *version)
{
    struct httpd *h = e->server;
    struct MHD_Connection *conn = e->conn;
    e->begun = true;
    e->range_from = httpd_range(conn);
    e->wait_s = httpd_wait(conn);
    (void)pthread_mutex_lock(&h->lock);
    bool stopping = h->stopping;
    guard_is(h, e->guard, GUARD_BODY, 0);
    (void)pthread_mutex_unlock(&h->lock);
    int status = stopping                                    ? MHD_HTTP_SERVICE_UNAVAILABLE
                 : e->target == NULL                         ? MHD_HTTP_URI_TOO_LONG
                 : httpd_ambiguous(conn, e->target, version) ? MHD_HTTP_BAD_REQUEST
                                                             : 0;
    if (status == 0) make_room(e, method, path);
    unsigned long long n = announced(e);
    if (status == 0 && n > e->body.max) status = MHD_HTTP_CONTENT_TOO_LARGE;
    if (status == 0 && !fits(e, (size_t)n)) status = MHD_HTTP_SERVICE_UNAVAILABLE;
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
    struct httpd *h = e->server;
    (void)pthread_mutex_lock(&h->lock);
    bool room_for_it = guard_hold(h, e, e->body.len, false);
    if (e->guard != NULL) e->guard->bytes += n;
    (void)pthread_mutex_unlock(&h->lock);
    if (!room_for_it || e->body.err != ERR_OK || e->excess > e->body.max + 65536) return MHD_NO;
    return MHD_YES;
}

/* ---- handing over ---- */

void httpd_reply_init(struct http_reply *reply)
{
    *reply = (struct http_reply){0};
    buf_init(&reply->body, SIZE_MAX / 2);
    buf_init(&reply->head, HEAD_MAX);
}

void httpd_put_off(struct http_reply *reply)
{
    buf_release(&reply->body);
    reply->status = MHD_HTTP_SERVICE_UNAVAILABLE;
    http_reply_header(reply, MHD_HTTP_HEADER_RETRY_AFTER, RETRY_AFTER);
}

bool httpd_hand_over(struct exchange *e, const char *method, const char *path, struct http_reply *reply)
{
    struct httpd *h = e->server;
    uint64_t wakes = 0;
    httpd_reply_init(reply);
    (void)pthread_mutex_lock(&h->lock);
    guard_is(h, e->guard, GUARD_BUSY, 0);
    struct http_request req = httpd_request_of(e, method, path);
    bool goes_on = httpd_handler_begins(h, &wakes);
    (void)pthread_mutex_unlock(&h->lock);
    if (goes_on)
        h->opt.handler(h->opt.ctx, &req, reply);
    else
        httpd_put_off(reply);
    (void)pthread_mutex_lock(&h->lock);
    httpd_handler_ended(h);
    /* What others woke while the handler ran may be news to it. */
    bool parked = httpd_settle(e, reply, h->wakes - h->own_wakes == wakes ? h->wakes : wakes);
    park_sift(h);
    (void)pthread_mutex_unlock(&h->lock);
    group_let_go(h);
    return !parked;
}

static enum MHD_Result complete(struct exchange *e, const char *method, const char *path)
{
    struct http_reply reply;
    if (e->excess > 0) return answer_status(e, MHD_HTTP_CONTENT_TOO_LARGE);
    if (e->gone) return MHD_NO; /* closes the connection */
    if (!group_complete(e, method, path, &reply)) return MHD_YES;
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
    (void)cls, (void)conn;
    struct exchange *e = *con_cls;
    if (e == NULL) return MHD_NO;
    if (!e->begun) return begin(e, method, url, version);
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
    group_leave(e);
    buf_release(&e->body);
    (void)pthread_mutex_lock(&h->lock);
    (void)guard_hold(h, e, 0, false);
    guard_is(h, e->guard, GUARD_IDLE, 0);
    park_back(h, e);
    h->active--;
    if (h->stopping) (void)pthread_cond_broadcast(&h->changed);
    (void)pthread_mutex_unlock(&h->lock);
    if (e->target != NULL) explicit_bzero(e->target, strlen(e->target)); /* what somebody searched for */
    free(e->target);
    free(e);
    *con_cls = NULL;
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
    if (!h->opt.own_user || from->sa_family == AF_UNIX) return MHD_YES; /* a socket's own permissions say who may come */
    if (n > sizeof peer) return MHD_NO;
    memcpy(&peer, from, n);
    return peer_is_own_user(&peer, &h->at) ? MHD_YES : MHD_NO;
}

/* The two threads. Signals stay with the threads of the program, which knows what to do with them. */
static bool start_threads(struct httpd *h, int fd)
{
    sigset_t all, before;
    unsigned places = h->opt.max_clients + (guard_watches(h) ? CUT_PLACES : 0);
    size_t memory = h->opt.conn_memory > 0 ? h->opt.conn_memory : CONN_MEMORY;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    bool timer = pthread_create(&h->timer, NULL, park_timer, h) == 0;
    if (timer) {
        h->daemon =
            MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, on_connection, h, on_request,
                             h, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, places,
                             MHD_OPTION_CONNECTION_TIMEOUT, h->opt.idle_seconds, MHD_OPTION_CONNECTION_MEMORY_LIMIT, memory,
                             MHD_OPTION_URI_LOG_CALLBACK, on_target, h, MHD_OPTION_NOTIFY_CONNECTION, guard_notify, h,
                             MHD_OPTION_NOTIFY_COMPLETED, on_completed, h, MHD_OPTION_END);
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (timer && h->daemon == NULL) stop_timer(h);
    return h->daemon != NULL;
}

/* Only what we made: whoever moved it away and put another there serves now. */
static void be_gone(const struct httpd *h)
{
    struct stat there;
    if (h->path != NULL && lstat(h->path, &there) == 0 && there.st_dev == h->path_dev && there.st_ino == h->path_ino)
        (void)unlink(h->path);
}

static enum err open_listener(struct httpd *h, const char *listen_at, int *out_fd, struct why *why)
{
    const char *path = listener_path(listen_at);
    struct stat made = {0};
    socklen_t n = sizeof h->at;
    if (path == NULL) {
        enum err e = listener_open(listen_at, out_fd, &h->port, why);
        if (e != ERR_OK || getsockname(*out_fd, &h->at.any, &n) == 0) return e;
        (void)close(*out_fd);
        return why_set(why, ERR_FAILED, "the web server could not be started");
    }
    if ((h->path = strdup(path)) == NULL) return why_set(why, ERR_NOMEM, "this device is out of memory");
    enum err e = listener_open_path(path, out_fd, &made, why);
    h->path_dev = made.st_dev;
    h->path_ino = made.st_ino;
    return e;
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
    enum err err = open_listener(h, opt->listen, &fd, why);
    if (err == ERR_OK && !start_threads(h, fd)) {
        be_gone(h);
        (void)close(fd);
        err = why_set(why, ERR_FAILED, "the web server could not be started");
    }
    if (err != ERR_OK) {
        free_locks(h);
        free(h->path);
        free(h);
        return err;
    }
    *out = h;
    return ERR_OK;
}

void httpd_load(struct httpd *h, struct httpd_load *out)
{
    *out = (struct httpd_load){0};
    (void)pthread_mutex_lock(&h->lock);
    for (size_t i = 0; i < GUARD_STATES; i++) out->connections += h->lines[i].n;
    out->parked = h->n_parked;
    out->held = h->held;
    (void)pthread_mutex_unlock(&h->lock);
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
    park_release_all(h); /* each gets its 503 */
    (void)pthread_cond_broadcast(&h->changed);
    int64_t deadline = httpd_now_ms() + (h->opt.stop_ms > 0 ? h->opt.stop_ms : STOP_GRACE_MS);
    while (h->active > 0 && httpd_now_ms() < deadline) httpd_wait_until(h, deadline);
    (void)pthread_mutex_unlock(&h->lock);
    (void)pthread_join(h->timer, NULL);
    MHD_stop_daemon(h->daemon);
    if (fd >= 0) (void)close(fd);
    be_gone(h);
    free_locks(h);
    free(h->heap);
    free(h->path);
    free(h);
}
