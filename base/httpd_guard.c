/* Who is connected, and what each is doing. A connection costs its client nothing and the server a place and some
 * memory: whoever is slower than any honest link is cut, when places run short the oldest that has nothing to show, and
 * large bodies and answers share one allowance. Parked requests are their devices' good right: they have places of
 * their own. */
#include "base/httpd_internal.h"

#include <stdlib.h>
#include <sys/socket.h>

#define HELD_SMALL ((size_t)64 << 10) /* bytes that are not counted: there are only so many connections */

static void leave(struct httpd *h, struct guard_conn *c)
{
    struct guard_line *line = &h->lines[c->state];
    *(c->prev != NULL ? &c->prev->next : &line->first) = c->next;
    *(c->next != NULL ? &c->next->prev : &line->last) = c->prev;
    line->n--;
}

static void enter(struct httpd *h, struct guard_conn *c, enum guard_state state)
{
    struct guard_line *line = &h->lines[state];
    c->state = state;
    c->next = NULL;
    c->prev = line->last;
    *(c->prev != NULL ? &c->prev->next : &line->first) = c;
    line->last = c;
    line->n++;
}

/* The server's thread sees the end of it and closes it; only there the number of the socket becomes another's. */
static void cut(struct httpd *h, struct guard_conn *c)
{
    leave(h, c);
    enter(h, c, GUARD_CUT);
    (void)shutdown(c->fd, SHUT_RDWR);
}

bool guard_watches(const struct httpd *h)
{
    return h->opt.head_seconds > 0;
}

void guard_is(struct httpd *h, struct guard_conn *c, enum guard_state state, uint64_t bytes)
{
    if (c == NULL || c->state == GUARD_CUT) return;
    leave(h, c);
    c->since = httpd_now_ms();
    c->bytes = bytes;
    c->seen = c->pace = 0;
    enter(h, c, state);
}

/* Those with nothing to show for their places: first who is between two requests, then who has not brought one. */
static void make_place(struct httpd *h)
{
    static const enum guard_state order[] = {GUARD_IDLE, GUARD_HEAD, GUARD_BODY, GUARD_REPLY};
    size_t n = 0, places = h->opt.max_parked < h->opt.max_clients ? h->opt.max_clients - h->opt.max_parked : 1;
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) n += h->lines[order[i]].n;
    if (n <= places) return;
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        if (h->lines[order[i]].first == NULL) continue;
        cut(h, h->lines[order[i]].first);
        return;
    }
}

void guard_notify(void *cls, struct MHD_Connection *conn, void **socket_context, enum MHD_ConnectionNotificationCode what)
{
    struct httpd *h = cls;
    struct guard_conn *c = *socket_context;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD);
        if (info == NULL || (c = calloc(1, sizeof *c)) == NULL) return; /* unwatched */
        c->fd = info->connect_fd;
        c->since = httpd_now_ms();
        (void)pthread_mutex_lock(&h->lock);
        enter(h, c, GUARD_HEAD);
        if (guard_watches(h)) make_place(h);
        if (h->lines[GUARD_HEAD].n == 1) (void)pthread_cond_broadcast(&h->changed);
        (void)pthread_mutex_unlock(&h->lock);
        *socket_context = c;
    } else if (c != NULL) {
        (void)pthread_mutex_lock(&h->lock);
        leave(h, c);
        (void)pthread_mutex_unlock(&h->lock);
        *socket_context = NULL;
        free(c);
    }
}

/* The oldest first, until one has time left. */
static void cut_older(struct httpd *h, enum guard_state state, int64_t than)
{
    while (h->lines[state].first != NULL && h->lines[state].first->since <= than) cut(h, h->lines[state].first);
}

void guard_check(struct httpd *h)
{
    int64_t now = httpd_now_ms(), grace = (int64_t)h->opt.head_seconds * 1000;
    int64_t rate = h->opt.min_rate;
    cut_older(h, GUARD_HEAD, now - grace);
    cut_older(h, GUARD_IDLE, now - (int64_t)h->opt.idle_seconds * 1000);
    if (rate == 0) return;
    for (struct guard_conn *c = h->lines[GUARD_BODY].first, *next; c != NULL; c = next) {
        next = c->next;
        c->pace = (c->pace * 7 + (c->bytes - c->seen)) / 8;
        c->seen = c->bytes;
        if (now - c->since > grace && (int64_t)(c->bytes * 1000) / rate < now - c->since - grace) cut(h, c);
    }
    for (struct guard_conn *c = h->lines[GUARD_REPLY].first, *next; c != NULL; c = next) {
        next = c->next;
        if (now - c->since > grace + (int64_t)(c->bytes * 1000) / rate) cut(h, c);
    }
}

static void cut_oldest_answer(struct httpd *h, const struct guard_conn *but)
{
    for (struct guard_conn *c = h->lines[GUARD_REPLY].first; c != NULL; c = c->next) {
        if (c == but || c->bytes <= HELD_SMALL) continue;
        cut(h, c);
        return;
    }
}

/* Whoever sent much at once and goes on at the least pace would keep the room of others for days: the body that would
 * take longest to bring again what it holds makes place for who comes again. */
static void cut_stalled_body(struct httpd *h, const struct guard_conn *but)
{
    const int64_t ripe = httpd_now_ms() - (int64_t)h->opt.head_seconds * 1000;
    struct guard_conn *worst = NULL;
    if (!guard_watches(h)) return;
    for (struct guard_conn *c = h->lines[GUARD_BODY].first; c != NULL && c->since <= ripe; c = c->next) {
        if (c == but || c->bytes <= HELD_SMALL) continue;
        if (worst == NULL || c->bytes / (c->pace + 1) > worst->bytes / (worst->pace + 1)) worst = c;
    }
    if (worst != NULL) cut(h, worst);
}

bool guard_hold(struct httpd *h, struct exchange *e, size_t bytes, bool must)
{
    size_t counted = bytes <= HELD_SMALL ? 0 : bytes, others = h->held - e->held;
    bool fits = h->opt.max_held == 0 || counted <= e->held || others + counted <= h->opt.max_held;
    if (!fits && !must) {
        cut_stalled_body(h, e->guard);
        return false;
    }
    if (!fits) cut_oldest_answer(h, e->guard);
    h->held = others + counted;
    e->held = counted;
    return true;
}
