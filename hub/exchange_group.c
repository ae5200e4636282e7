/* Several requests in one transaction: hub/STORE.md, "Several requests in one transaction". */
#include "hub/known.h"
#include "hub/round.h"

#include "sync/bundle.h"

#include <stdlib.h>
#include <string.h>

#define MAX_MS      10           /* then no further request is taken into the transaction */
#define MAX_FAR_MS  50           /* the same on PostgreSQL, where each takes longer and a commit costs more */
#define MAX_ANSWERS (4u << 20)   /* bytes; likewise: they all wait for the commit */
#define SAVEPOINT   "one_request"

struct member {
    struct round r;
    struct buf answer; /* leaves after the commit, or never */
    struct hub_exchange_result res;
    bool had;     /* this request was answered before */
    bool outside; /* turned away before the transaction began: nothing that happens in it concerns it */
};

struct group {
    struct hub *h;
    struct hub_asked *asked;
    struct member *all;
    size_t n, n_written, bytes;
    int64_t began;
    bool due;   /* rows moved before the first of them: it was time for that */
    bool moved; /* by those who are part of it */
};

/* ----------------------------------------------------------------------------------------------------- who is in it */

static bool is_small(const struct hub_asked *a)
{
    return a->request.n <= HUB_TOGETHER_BYTES;
}

/* How many from the front may be together. A second request of a device is judged by what became of its first, as far
 * as that is known within the transaction: neither is told anything before both are certain. Whose a request says it
 * is costs nothing to say, so it must not end the group. */
static size_t span(const struct hub_asked *v, size_t n)
{
    size_t m = 1;
    if (!is_small(&v[0])) return m;
    while (m < n && m < HUB_TOGETHER && is_small(&v[m])) m++;
    return m;
}

static void take_alone(struct hub *h, struct hub_asked *a)
{
    a->why = (struct why){0};
    a->e = hub_exchange(h, a->request, a->may_park, a->out, &a->result, &a->why);
}

/* ------------------------------------------------------------------------------------------- one of them, within it */

/* Known and approved as of now: the same as hub_exchange asks before it begins. */
static enum err look_up(struct hub *h, struct member *m, const struct hub_asked *a, struct why *why)
{
    enum err e = known_asking(h, a->request, m->r.request_hash, &m->r.node, &m->had, why);
    return e == ERR_OK ? nodes_must_be_approved(h, &m->r.node, why) : e;
}

/* *out_again: it was answered before, and m->answer is that answer. Within the transaction nobody can overtake us. */
static enum err was_answered(struct hub *h, struct member *m, bool *out_again, struct why *why)
{
    struct round *r = &m->r;
    bool unanswered = false;
    enum err e = ERR_OK;
    if (r->node.last_request > 0 && memcmp(r->node.request_hash, r->request_hash, HASH_BYTES) == 0) {
        e = known_answer(h, r->request_hash, &m->answer, out_again, why);
        if (e == ERR_OK && !*out_again) e = hear_unanswered(h, &r->node, &unanswered, why);
    }
    if (e == ERR_OK && unanswered) {
        r->alone = true;
        return why_set(why, ERR_BUSY, "The hub hears what this device returns by itself.");
    }
    return e == ERR_OK && !*out_again && m->had ? known_late(why) : e;
}

static enum err judge(struct hub *h, struct member *m, const struct hub_asked *a, bool *out_again, struct why *why)
{
    enum err e = look_up(h, m, a, why);
    if (e == ERR_OK) e = was_answered(h, m, out_again, why);
    if (e != ERR_OK || *out_again) return e;
    e = round_run(&m->r, a->may_park, &m->res.parked, &m->answer, why);
    if (e == ERR_OK && m->res.parked) m->res.waiting = waiting_since(h, &m->r.node);
    return e;
}

/* What the process holds in memory goes back with the store. A step that was cut off leaves anything in h->sight. */
static enum err undo(struct hub *h, int64_t version, bool follows, struct why *why)
{
    enum err e = db_savepoint_rollback(h->db, SAVEPOINT, why);
    h->version = version;
    h->moved = false;
    h->follows = follows; /* what the transaction itself began with stands */
    memset(h->verdicts, 0, sizeof h->verdicts);
    sight_free(h->sight);
    h->sight = NULL;
    return e == ERR_OK ? sight_new(&h->sight, why) : e;
}

/* What administrators are to know of a refusal goes with the transaction in which it was found. The request is refused
 * whether or not that could be written. */
static enum err note_refusal(struct group *g, const struct round *r, struct why *why)
{
    struct hub *h = g->h;
    enum err e = db_savepoint(h->db, SAVEPOINT, why);
    if (e != ERR_OK) return e;
    e = round_note_refusal(h, r, NULL);
    if (e == ERR_OK) e = db_savepoint_release(h->db, SAVEPOINT, NULL);
    if (e != ERR_OK) return db_savepoint_rollback(h->db, SAVEPOINT, why);
    g->n_written++;
    return ERR_OK;
}

/* An error: nothing is left of the transaction, or nobody knows what. What becomes of the request itself is in *a. */
static enum err take_one(struct group *g, size_t at, struct why *why)
{
    struct hub *h = g->h;
    struct member *m = &g->all[at];
    struct hub_asked *a = &g->asked[at];
    const int64_t version = h->version;
    const bool follows = h->follows;
    bool again = false;
    h->moved = false;
    memset(h->verdicts, 0, sizeof h->verdicts);
    enum err e = db_savepoint(h->db, SAVEPOINT, why);
    if (e != ERR_OK) return e;
    a->e = judge(h, m, a, &again, &a->why);
    if (a->e == ERR_OK) g->bytes += m->answer.len;
    if (a->e != ERR_OK || again || m->res.parked) {
        e = undo(h, version, follows, why);
        return e == ERR_OK && a->e == ERR_REFUSED && m->r.refusal != NULL ? note_refusal(g, &m->r, why) : e;
    }
    a->e = db_savepoint_release(h->db, SAVEPOINT, &a->why); /* on PostgreSQL a fault of its last writes may be told here */
    if (a->e != ERR_OK) return undo(h, version, follows, why);
    m->res.moved = h->moved || g->due;
    memcpy(m->res.verdicts, h->verdicts, sizeof m->res.verdicts);
    g->moved = g->moved || h->moved;
    g->n_written++;
    return ERR_OK;
}

/* ------------------------------------------------------------------------------------------------------ what leaves */

static void hand_out(struct member *m, struct hub_asked *a)
{
    if (a->e != ERR_OK) return;
    if (m->res.parked) m->res.park_ms = round_park_ms(&m->r);
    buf_put_bytes(a->out, buf_bytes(&m->answer));
    if (a->out->err != ERR_OK) /* asked again, it gets the stored one */
        a->e = why_set(&a->why, a->out->err, "There is not enough memory to answer.");
    if (a->e == ERR_OK) a->result = m->res;
}

static void tell_all(struct group *g, enum err e, const struct why *why)
{
    for (size_t i = 0; i < g->n; i++) {
        if (g->all[i].outside) continue;
        g->asked[i].e = e;
        g->asked[i].why = *why;
    }
}

/* Answers first: requests that have to be alone are transactions again. */
static void finish(struct group *g)
{
    struct hub *h = g->h;
    struct why why = {0};
    enum err e = ERR_OK;
    h->moved = g->due || g->moved;
    if (g->n_written > 0)
        e = hub_commit(h, &why);
    else
        hub_abort(h);
    if (e != ERR_OK) {
        tell_all(g, e, &why);
        return;
    }
    for (size_t i = 0; i < g->n; i++)
        if (!g->all[i].outside) hand_out(&g->all[i], &g->asked[i]);
    for (size_t i = 0; i < g->n; i++)
        if (g->all[i].r.alone) take_alone(h, &g->asked[i]);
}

/* No savepoint heals this. As if they had never been together; but where the database is away, it is so for all of
 * them. */
static void fall_apart(struct group *g, enum err e, const struct why *why)
{
    hub_abort(g->h);
    if (e == ERR_UNREACHABLE) {
        tell_all(g, e, why);
        return;
    }
    for (size_t i = 0; i < g->n; i++)
        if (!g->all[i].outside) take_alone(g->h, &g->asked[i]);
}

static bool is_full(const struct group *g)
{
    const int64_t most = db_is_postgres(g->h->db) ? MAX_FAR_MS : MAX_MS;
    return g->bytes >= MAX_ANSWERS || env_steady(g->h->env) - g->began >= most;
}

/* Within the transaction, which ends here. */
static void run(struct group *g)
{
    struct why why = {0};
    bool any = false;
    g->h->routine = true;
    g->due = g->h->moved;
    g->began = env_steady(g->h->env);
    for (size_t i = 0; i < g->n; i++) {
        if (g->all[i].outside) continue;
        if (any && is_full(g)) {
            g->n = i; /* the others are the next to come */
            break;
        }
        any = true;
        enum err e = take_one(g, i, &why);
        if (e == ERR_OK) continue;
        g->n = i + 1;
        fall_apart(g, e, &why);
        return;
    }
    finish(g);
}

/* Of all of them at once: is it a device that nothing is wrong with? */
static enum err find_enrolled(struct group *g, bool out[HUB_TOGETHER], struct why *why)
{
    uint8_t kids[HUB_TOGETHER][KID_BYTES] = {{0}};
    for (size_t i = 0; i < g->n; i++) /* why one is nobody's look_up says */
        (void)!known_sender(g->h, g->asked[i].request, kids[i], NULL);
    return nodes_enrolled(g->h, kids, g->n, out, why);
}

static void begin(struct group *g)
{
    struct why why = {0};
    bool any = false, enrolled[HUB_TOGETHER] = {false};
    enum err found = find_enrolled(g, enrolled, &why);
    for (size_t i = 0; i < g->n; i++) {
        struct hub_asked *a = &g->asked[i];
        a->e = found == ERR_OK && enrolled[i] ? ERR_OK : look_up(g->h, &g->all[i], a, &a->why);
        g->all[i].outside = a->e != ERR_OK;
        any = any || a->e == ERR_OK;
    }
    if (!any) return;
    enum err e = hub_begin(g->h, &why);
    if (e != ERR_OK) {
        tell_all(g, e, &why);
    } else if (g->h->gathering || g->h->applying) {
        g->n = 1; /* what each has to say to a hub that was put back may take long: the others come again */
        fall_apart(g, ERR_BUSY, &why);
    } else {
        run(g);
    }
}

size_t hub_exchange_all(struct hub *h, struct hub_asked *v, size_t n)
{
    if (n == 0) return 0;
    struct group g = {.h = h, .asked = v, .n = h->gathering || h->applying ? 1 : span(v, n)};
    g.all = g.n > 1 ? calloc(g.n, sizeof *g.all) : NULL;
    if (g.all == NULL) {
        take_alone(h, &v[0]);
        return 1;
    }
    const size_t made = g.n;
    for (size_t i = 0; i < made; i++) {
        round_init(&g.all[i].r, h, v[i].request, (struct bytes){0});
        g.all[i].r.together = true;
        buf_init(&g.all[i].answer, BUNDLE_MAX);
        v[i].why = (struct why){0};
    }
    begin(&g);
    for (size_t i = 0; i < made; i++) {
        buf_release(&g.all[i].answer);
        round_release(&g.all[i].r);
    }
    free(g.all);
    return g.n;
}
