/* Requests that are held back until there is something to say. There may be ten thousand, each asked whenever anything
 * moved: so a few are let go at a time, and the next few when these were handed over. Requests that come meanwhile are
 * answered in between, and nobody is passed over: who was asked longest ago is first. */
#include "base/httpd_internal.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH      32u   /* let go at a time */
#define SIFT_MS    5     /* in which nobody else is answered, if asking is quick */
#define LOOK_BATCH 1024u /* looked at in one second: has the client left? */
#define FIRST_ROOM 64u
#define TICK_MS    1000

/* ---- the heap of deadlines */

static void put_at(struct httpd *h, size_t at, struct exchange *e)
{
    h->heap[at] = e;
    e->heap_at = at;
}

static void rise(struct httpd *h, size_t at)
{
    struct exchange *e = h->heap[at];
    for (; at > 0 && h->heap[(at - 1) / 2]->deadline > e->deadline; at = (at - 1) / 2) put_at(h, at, h->heap[(at - 1) / 2]);
    put_at(h, at, e);
}

static void sink(struct httpd *h, size_t at, size_t n)
{
    struct exchange *e = h->heap[at];
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && h->heap[child + 1]->deadline < h->heap[child]->deadline) child++;
        if (h->heap[child]->deadline >= e->deadline) break;
        put_at(h, at, h->heap[child]);
    }
    put_at(h, at, e);
}

static bool make_heap_room(struct httpd *h)
{
    if (h->n_parked < h->heap_room) return true;
    size_t room = h->heap_room == 0 ? FIRST_ROOM : h->heap_room * 2;
    struct exchange **grown = reallocarray(h->heap, room, sizeof *grown);
    if (grown == NULL) return false;
    h->heap = grown;
    h->heap_room = room;
    return true;
}

int64_t park_first(const struct httpd *h)
{
    return h->n_parked == 0 ? INT64_MAX : h->heap[0]->deadline;
}

/* ---- whose they are */

static struct exchange **bucket(struct httpd *h, uint64_t who)
{
    return &h->who[(who * UINT64_C(0x9e3779b97f4a7c15)) >> 32 & (HTTPD_WHO_BUCKETS - 1)];
}

static void forget_who(struct httpd *h, struct exchange *e)
{
    if (e->who == 0) return;
    struct exchange **at = bucket(h, e->who);
    while (*at != e) at = &(*at)->who_next;
    *at = e->who_next;
}

/* ---- in and out */

static void unlink_parked(struct httpd *h, struct exchange *e)
{
    *(e->prev != NULL ? &e->prev->next : &h->parked) = e->next;
    *(e->next != NULL ? &e->next->prev : &h->parked_last) = e->prev;
    if (h->looked == e) h->looked = e->prev;
}

static void link_parked(struct httpd *h, struct exchange *e)
{
    e->next = NULL;
    e->prev = h->parked_last;
    *(e->prev != NULL ? &e->prev->next : &h->parked) = e;
    h->parked_last = e;
}

static void let_go(struct httpd *h, struct exchange *e)
{
    unlink_parked(h, e);
    forget_who(h, e);
    size_t at = e->heap_at, n = --h->n_parked;
    if (at < n) {
        put_at(h, at, h->heap[n]);
        sink(h, at, n);
        rise(h, at);
    }
    e->parked = false;
    e->woken = true;
    MHD_resume_connection(e->conn);
}

static void let_go_of_the_gone(struct httpd *h, struct exchange *e)
{
    e->gone = true;
    let_go(h, e);
}

/* One that asks again has lost the connection on which it asked before. */
static void drop_older(struct httpd *h, uint64_t who)
{
    struct exchange *old = who != 0 ? *bucket(h, who) : NULL;
    while (old != NULL && old->who != who) old = old->who_next;
    if (old != NULL) let_go_of_the_gone(h, old);
}

static void note_who(struct httpd *h, struct exchange *e)
{
    if (e->who == 0) return;
    struct exchange **first = bucket(h, e->who);
    e->who_next = *first;
    *first = e;
}

bool park_add(struct httpd *h, struct exchange *e, int64_t park_ms)
{
    int64_t now = httpd_now_ms();
    int64_t end = park_ms > INT64_MAX - now ? INT64_MAX : now + park_ms;
    drop_older(h, e->who);
    if ((h->opt.max_parked > 0 && h->n_parked >= h->opt.max_parked) || !make_heap_room(h)) return false;
    if (e->deadline == 0 || end < e->deadline) /* waking and parking again does not win more time */
        e->deadline = end;
    note_who(h, e);
    e->parked = true;
    e->park_no = ++h->n_ever_parked;
    link_parked(h, e);
    put_at(h, h->n_parked++, e);
    rise(h, e->heap_at);
    MHD_suspend_connection(e->conn);
    if (h->heap[0] == e) (void)pthread_cond_broadcast(&h->changed);
    return true;
}

static void resume(struct httpd *h, struct exchange *e, bool over)
{
    e->expired = over;
    e->counted = true;
    h->resumed++;
    let_go(h, e);
}

/* Where the handler can tell by what it kept, one is enough to bring the server's thread here: park_sift does the
 * rest. */
void park_go_on(struct httpd *h)
{
    int64_t now = httpd_now_ms();
    size_t batch = h->opt.concerns != NULL ? 1 : BATCH;
    if (h->resumed > 0) return; /* when these are through */
    while (h->resumed < BATCH && h->n_parked > 0) {
        bool over = h->heap[0]->deadline <= now;
        if (!over && (h->resumed >= batch || h->parked->asked == h->wakes)) return; /* and so were all behind it */
        resume(h, over ? h->heap[0] : h->parked, over);
    }
}

/* The first of those that were not asked since the last wake. The lock is not held while it is asked: a store that does
 * not answer just then keeps nobody from being counted, let go, woken or cut. It may be gone, or parked anew, when the
 * answer is here. */
static void ask_first(struct httpd *h)
{
    struct exchange *e = h->parked;
    const uint64_t no = e->park_no, wakes = h->wakes;
    int64_t keep[HTTP_KEEP];
    memcpy(keep, e->keep, sizeof keep);
    (void)pthread_mutex_unlock(&h->lock);
    bool news = h->opt.concerns(h->opt.ctx, keep);
    (void)pthread_mutex_lock(&h->lock);
    if (h->parked != e || e->park_no != no) return;
    if (news) {
        resume(h, e, false);
    } else {
        e->asked = wakes; /* of then: what woke meanwhile is asked about again */
        unlink_parked(h, e);
        link_parked(h, e);
    }
}

void park_sift(struct httpd *h)
{
    int64_t until = httpd_now_ms() + SIFT_MS;
    if (h->opt.concerns == NULL) return;
    while (!h->stopping && h->n_parked > 0 && h->parked->asked != h->wakes && h->resumed < BATCH && httpd_now_ms() < until) ask_first(h);
    park_go_on(h);
}

void park_back(struct httpd *h, struct exchange *e)
{
    if (!e->counted) return;
    e->counted = false;
    if (--h->resumed > 0) return;
    park_go_on(h);
    if (h->resumed == 0 && h->n_parked > 0) (void)pthread_cond_broadcast(&h->changed); /* the timer waited for them */
}

void park_release_all(struct httpd *h)
{
    while (h->parked != NULL) let_go(h, h->parked);
}

/* A suspended connection is in no hand: nobody would notice its end before its time is over. */
void park_look(struct httpd *h)
{
    struct exchange *some[LOOK_BATCH];
    struct pollfd fds[LOOK_BATCH];
    nfds_t n = 0;
    struct exchange *e = h->looked != NULL ? h->looked->next : h->parked;
    for (; e != NULL && n < LOOK_BATCH; e = e->next) {
        h->looked = e;
        if (e->guard == NULL) continue;
        some[n] = e;
        fds[n++] = (struct pollfd){.fd = e->guard->fd, .events = POLLRDHUP};
    }
    if (e == NULL) h->looked = NULL; /* from the beginning the next time */
    if (n == 0 || poll(fds, n, 0) <= 0) return;
    for (nfds_t i = 0; i < n; i++)
        if ((fds[i].revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0) let_go_of_the_gone(h, some[i]);
}

/* ---- before and after a handler */

bool httpd_handler_begins(struct httpd *h, uint64_t *out_wakes)
{
    *out_wakes = h->wakes;
    h->own_wakes = 0;
    h->worker = pthread_self();
    h->in_handler = !h->stopping;
    return h->in_handler;
}

void httpd_handler_ended(struct httpd *h)
{
    h->in_handler = false;
}

/* False: it must be answered in another way. */
static bool hold_back(struct exchange *e, const struct http_reply *reply, uint64_t asked)
{
    struct httpd *h = e->server;
    e->asked = asked;
    e->who = reply->park_who;
    memcpy(e->keep, reply->keep, sizeof e->keep);
    if (h->stopping || !park_add(h, e, reply->park_ms)) return false;
    park_go_on(h);
    return true;
}

bool httpd_settle(struct exchange *e, struct http_reply *reply, uint64_t asked)
{
    struct httpd *h = e->server;
    bool wants_park = reply->status == 0 && reply->park_ms > 0 && !e->expired;
    bool parked = wants_park && hold_back(e, reply, asked);
    park_back(h, e);
    if (wants_park && !parked) httpd_put_off(reply);
    if (parked) {
        buf_release(&reply->body);
        buf_release(&reply->head);
    }
    return parked;
}

/* ---- the timer, and waking */

void httpd_wait_until(struct httpd *h, int64_t deadline)
{
    struct timespec t = {.tv_sec = deadline / 1000, .tv_nsec = deadline % 1000 * 1000000};
    (void)pthread_cond_timedwait(&h->changed, &h->lock, &t);
}

/* What has to happen though nobody comes. */
void *park_timer(void *arg)
{
    struct httpd *h = arg;
    int64_t tick = httpd_now_ms() + TICK_MS;
    (void)pthread_mutex_lock(&h->lock);
    while (!h->stopping) {
        bool watches = guard_watches(h) && h->lines[GUARD_HEAD].n + h->active + h->lines[GUARD_IDLE].n > 0;
        int64_t until = park_first(h);
        if (h->resumed > 0 && until <= httpd_now_ms()) until = INT64_MAX; /* they go on when those are through */
        if (watches && tick < until) until = tick;
        if (until == INT64_MAX)
            (void)pthread_cond_wait(&h->changed, &h->lock);
        else
            httpd_wait_until(h, until);
        park_go_on(h);
        if (!watches || httpd_now_ms() < tick) continue;
        guard_check(h);
        park_look(h);
        tick = httpd_now_ms() + TICK_MS;
    }
    (void)pthread_mutex_unlock(&h->lock);
    return NULL;
}

void httpd_wake(struct httpd *h)
{
    (void)pthread_mutex_lock(&h->lock);
    h->wakes++;
    /* A handler's own wake is none for the request that it is about to park, or it would be called for ever. */
    if (h->in_handler && pthread_equal(h->worker, pthread_self())) h->own_wakes++;
    park_go_on(h);
    (void)pthread_mutex_unlock(&h->lock);
}
