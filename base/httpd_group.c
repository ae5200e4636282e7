/* Requests that are answered together. The first has the turn: it is handed back to MHD and comes again in the next
 * round of its loop, behind everything that is ready by then; when a round brings no more of them, all that are there
 * are answered. So the one that is alone goes through two empty rounds of the loop and waits for nobody, and those that
 * arrive while others are being answered find each other. */
#include "base/httpd_internal.h"

#include <assert.h>
#include <stdlib.h>

static void link_last(struct httpd *h, struct exchange *e)
{
    e->group = GROUP_WAITS;
    e->group_next = NULL;
    *(h->group_last != NULL ? &h->group_last->group_next : &h->group) = e;
    h->group_last = e;
    h->n_group++;
}

static void unlink_one(struct httpd *h, struct exchange *e)
{
    struct exchange **at = &h->group, *before = NULL;
    while (*at != e) {
        before = *at;
        at = &before->group_next;
    }
    *at = e->group_next;
    if (h->group_last == e) h->group_last = before;
    h->n_group--;
}

/* Comes again in the next round of MHD's loop. */
static void come_again(const struct exchange *e)
{
    MHD_suspend_connection(e->conn);
    MHD_resume_connection(e->conn);
}

static bool stops(struct httpd *h)
{
    (void)pthread_mutex_lock(&h->lock);
    bool stopping = h->stopping;
    (void)pthread_mutex_unlock(&h->lock);
    return stopping;
}

/* MHD may not be ended while anybody is suspended; and it may be that it goes through its loop no more. */
void group_let_go(struct httpd *h)
{
    if (!stops(h)) return;
    for (struct exchange *e = h->group; e != NULL; e = e->group_next) MHD_resume_connection(e->conn);
}

/* The first of them, which is suspended, has the turn from now on. */
static void pass_turn(struct httpd *h)
{
    h->n_seen = 0;
    if (h->group != NULL) MHD_resume_connection(h->group->conn);
    group_let_go(h);
}

/* The server stops: each comes for itself, and none has a turn. */
static bool turn_away(struct exchange *e, struct http_reply *reply)
{
    unlink_one(e->server, e);
    e->group = GROUP_NOT;
    httpd_reply_init(reply);
    httpd_put_off(reply);
    pass_turn(e->server);
    return true;
}

static bool joins(struct exchange *e, const char *method, const char *path)
{
    struct httpd *h = e->server;
    if (h->opt.joins == NULL) return false;
    struct http_request req = httpd_request_of(e, method, path);
    (void)pthread_mutex_lock(&h->lock);
    bool stopping = h->stopping;
    if (!stopping) guard_is(h, e->guard, GUARD_BUSY, 0);
    (void)pthread_mutex_unlock(&h->lock);
    return !stopping && h->opt.joins(h->opt.ctx, &req);
}

static void join(struct exchange *e, const char *method, const char *path)
{
    struct httpd *h = e->server;
    e->method = method;
    e->path = path;
    link_last(h, e);
    if (h->group == e) {
        h->n_seen = 0;
        come_again(e);
    } else {
        MHD_suspend_connection(e->conn);
    }
}

/* Their answers lie with them. Those that were suspended and are not parked now come to send theirs. */
static void settle(struct httpd *h, const struct exchange *turn, struct http_turn *v, size_t n, uint64_t wakes)
{
    struct exchange *next = h->group;
    for (size_t i = 0; i < n; i++) {
        struct exchange *e = next;
        next = e->group_next;
        e->left = !v[i].done;
        if (e->left) {
            buf_release(&v[i].reply.body);
            buf_release(&v[i].reply.head);
            continue;
        }
        unlink_one(h, e);
        if (e != turn) MHD_resume_connection(e->conn); /* parking suspends it anew */
        (void)pthread_mutex_lock(&h->lock);
        bool parked = httpd_settle(e, &v[i].reply, wakes);
        (void)pthread_mutex_unlock(&h->lock);
        e->group = parked ? GROUP_NOT : GROUP_DONE;
        if (!parked) e->reply = v[i].reply;
    }
}

static void answer_all(struct httpd *h, struct http_turn *v, size_t n, uint64_t *out_wakes)
{
    (void)pthread_mutex_lock(&h->lock);
    bool goes_on = httpd_handler_begins(h, out_wakes);
    (void)pthread_mutex_unlock(&h->lock);
    if (goes_on) h->opt.together(h->opt.ctx, v, n);
    for (size_t i = 0; !goes_on && i < n; i++) {
        httpd_put_off(&v[i].reply);
        v[i].done = true;
    }
    (void)pthread_mutex_lock(&h->lock);
    httpd_handler_ended(h);
    (void)pthread_mutex_unlock(&h->lock);
}

/* False: no memory to have them together. */
static bool run(struct httpd *h, const struct exchange *turn)
{
    size_t n = h->n_group < HTTP_TOGETHER ? h->n_group : HTTP_TOGETHER, i = 0;
    uint64_t wakes = 0;
    struct http_turn *v = calloc(n, sizeof *v);
    if (v == NULL) return false;
    for (struct exchange *e = h->group; i < n; e = e->group_next, i++) {
        v[i].req = httpd_request_of(e, e->method, e->path);
        httpd_reply_init(&v[i].reply);
    }
    answer_all(h, v, n, &wakes);
    assert(v[0].done);
    settle(h, turn, v, n, wakes);
    (void)pthread_mutex_lock(&h->lock);
    park_sift(h);
    (void)pthread_mutex_unlock(&h->lock);
    free(v);
    pass_turn(h);
    return true;
}

/* Only the first of them comes here. True: *reply is its answer. */
static bool take_turn(struct exchange *e, struct http_reply *reply)
{
    struct httpd *h = e->server;
    if (h->n_group != h->n_seen && h->n_group < HTTP_TOGETHER) {
        h->n_seen = h->n_group;
        come_again(e);
        return false;
    }
    if (h->n_group == 1 || !run(h, e)) {
        unlink_one(h, e);
        e->group = GROUP_NOT;
        bool answered = httpd_hand_over(e, e->method, e->path, reply);
        pass_turn(h);
        return answered;
    }
    if (e->group == GROUP_NOT) return false; /* parked */
    *reply = e->reply;
    e->group = GROUP_NOT;
    return true;
}

bool group_complete(struct exchange *e, const char *method, const char *path, struct http_reply *reply)
{
    switch (e->group) {
    case GROUP_DONE:
        *reply = e->reply;
        e->group = GROUP_NOT;
        return true;
    case GROUP_WAITS: return stops(e->server) ? turn_away(e, reply) : take_turn(e, reply);
    case GROUP_NOT: break;
    }
    if (!joins(e, method, path)) return httpd_hand_over(e, method, path, reply);
    join(e, method, path);
    return false;
}

void group_leave(struct exchange *e)
{
    struct httpd *h = e->server;
    if (e->group == GROUP_DONE) {
        buf_release(&e->reply.body);
        buf_release(&e->reply.head);
    } else if (e->group == GROUP_WAITS) { /* it had the turn: MHD ends no suspended connection */
        unlink_one(h, e);
        pass_turn(h);
    }
    e->group = GROUP_NOT;
}
