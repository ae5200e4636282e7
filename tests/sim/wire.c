/* A device talks with the hub over a wire that loses, cuts and repeats. */
#include "tests/sim/sim.h"

#include "node/door.h"
#include "node/search.h"

#include <stdlib.h>
#include <string.h>

enum fate { WHOLE, LOSE_REQUEST, CUT_REQUEST, LOSE_ANSWER, CUT_ANSWER };

struct wire {
    struct sim *s;
    struct device *d;
    bool clean;   /* nothing is lost on it */
    bool broke;   /* something was */
    bool cut_off; /* the device was revoked before it asked what it asks now */
    bool served;  /* the hub did not gather then */
};

static enum err gone(struct wire *w, struct why *why)
{
    w->broke = true;
    return why_set(why, ERR_UNREACHABLE, "the link broke");
}

static enum fate draw_fate(const struct wire *w)
{
    const struct plan *p = &w->s->plan;
    if (w->clean) return WHOLE;
    if (sim_chance(w->s, p->lose)) return sim_chance(w->s, 700) ? LOSE_REQUEST : CUT_REQUEST;
    if (sim_chance(w->s, p->cut)) return CUT_ANSWER;
    return sim_chance(w->s, p->lose_answer) ? LOSE_ANSWER : WHOLE;
}

/* ---- requests ---- */
/* A request of which only the beginning came is none. */
static enum err cut_request(struct wire *w, struct bytes request, struct why *why)
{
    struct buf out;
    struct bytes part = bytes_of(request.p, (size_t)sim_random(w->s, request.n));
    buf_init(&out, SIM_BUNDLE);
    if (wire_at_hub(w->s, w->d, part, &out, why) == ERR_OK)
        sim_fail(w->s, 0, "the hub answers the first %zu of %zu bytes of a request", part.n, request.n);
    buf_release(&out);
    return gone(w, why);
}

/* As over HTTP: what was fetched in part is asked for by its hash first. */
static enum err ask_again(struct wire *w, struct bytes request, struct buf *out, struct why *why)
{
    struct sim *s = w->s;
    uint8_t hash[HASH_BYTES];
    if (s->hub == NULL) return gone(w, why);
    hash_blake2b(hash, request);
    hub_enter(s);
    enum err e = hub_answer_again(s->hub, hash, out, why);
    if (hub_leave(s)) return gone(w, why);
    return e;
}

static enum err ask_hub(struct wire *w, struct bytes request, bool resumes, struct buf *out, struct why *why)
{
    struct sim *s = w->s;
    enum err e = resumes ? ask_again(w, request, out, why) : ERR_NOTFOUND;
    if (e != ERR_NOTFOUND && (e == ERR_OK || e == ERR_UNREACHABLE || !s->hub_ailing)) return e;
    buf_reset(out);
    e = wire_at_hub(s, w->d, request, out, why);
    if (e == ERR_UNREACHABLE) return gone(w, why);
    if (e != ERR_OK || w->clean || !sim_chance(s, s->plan.repeat)) return e;
    buf_reset(out); /* the same bytes once more, as after a proxy's second try: wire_at_hub compares the answers */
    e = wire_at_hub(s, w->d, request, out, why);
    return e == ERR_UNREACHABLE ? gone(w, why) : e;
}

static enum err exchange(void *ctx, struct bytes request, uint64_t from, uint64_t wait_ms,
                         enum err (*sink)(void *sink_ctx, struct bytes piece, struct why *why), void *sink_ctx,
                         struct why *why)
{
    struct wire *w = ctx;
    struct sim *s = w->s;
    struct buf answer;
    (void)wait_ms;
    if (!w->d->link_up) return gone(w, why);
    enum fate fate = draw_fate(w);
    if (fate == LOSE_REQUEST) return gone(w, why);
    if (fate == CUT_REQUEST) return cut_request(w, request, why);
    buf_init(&answer, SIM_BUNDLE);
    enum err e = ask_hub(w, request, from > 0, &answer, why);
    if (e == ERR_OK && fate == LOSE_ANSWER) e = gone(w, why);
    if (e == ERR_OK && from > answer.len && !s->hub_lost_time && !disaster_was(s) && !w->d->suspect)
        sim_fail(s, 0, "device %d resumes at byte %llu of %zu", w->d->no, (unsigned long long)from, answer.len);
    size_t at = from < answer.len ? (size_t)from : answer.len, end = answer.len;
    if (e == ERR_OK && fate == CUT_ANSWER) end = at + sim_random(s, answer.len - at + 1);
    while (e == ERR_OK && at < end) {
        size_t n = 1 + sim_random(s, end - at);
        e = sink(sink_ctx, bytes_of(answer.data + at, n), why);
        at += n;
    }
    if (e == ERR_OK && fate == CUT_ANSWER) e = gone(w, why);
    buf_release(&answer);
    return e;
}

/* ---- what came of it ---- */
struct listener {
    struct sim *s;
    const struct device *d;
};

static enum err say_fault(void *ctx, const struct outbox_item *i, struct why *why)
{
    (void)why;
    const struct listener *l = ctx;
    if (strcmp(i->state, "fault") == 0 && !ledger_is_gap(l->s, l->d, i->seq))
        sim_fail(l->s, 0, "envelope %llu, which is honest, is a fault: %s", (unsigned long long)i->seq, i->reason);
    return ERR_OK;
}

void wire_result(struct sim *s, struct device *d, const struct round_result *r)
{
    struct why why = {0};
    disaster_learns(s, d);
    d->forgot |= r->rows_dropped > 0;
    s->counts[COUNT_HELD] += r->held;
    s->counts[COUNT_MERGED] += r->merged;
    s->counts[COUNT_WAITS] += r->waits;
    s->counts[COUNT_DROPPED] += r->rows_dropped;
    s->counts[COUNT_CONFLICTS] += r->conflicts_new;
    s->counts[COUNT_FAULTS] += r->fault;
    if (r->revoked && r->rounds == 1 && r->rows_in > 0)
        sim_fail(s, 4, "device %d is revoked, and gets %llu rows", d->no, (unsigned long long)r->rows_in);
    if (r->fault == 0 || d->hostile || d->suspect) return;
    device_enter(s, d);
    struct listener l = {s, d};
    sim_must(s, node_outbox(d->n, say_fault, &l, &why), "list an outbox", &why);
    (void)device_leave(s, d);
}

/* The hub said no. */
static void refused(struct sim *s, struct device *d, const struct why *why)
{
    s->counts[COUNT_REFUSED]++;
    if (!d->suspect && !d->hostile && !s->hub_lost_time)
        sim_fail(s, 0, "device %d is refused, and did nothing wrong: %s", d->no, why->text);
    /* Who is to be wiped is set up anew, too: what he has not sent has no other way. */
    bool wanted = d->state == DEVICE_LIVE || (d->state == DEVICE_REVOKED && wipe_is_ordered(s, d));
    bool back = wanted && d->suspect && !d->hostile && !d->mixed && !d->lying && !d->rotten && !d->damaged &&
                !d->ailing && !s->hub_lost_time;
    if (back) ledger_owed(s, d);
    device_stuck(s, d, "the hub refuses it");
    if (!back || !sim_chance(s, 800)) return;
    d->refused = true;
    sim_queue(s, SIM_HOUR + (int64_t)sim_random(s, (uint64_t)(s->plan.hurried ? SIM_DAY : 30 * SIM_DAY)), SIM_REJOIN,
              d->no, NULL);
}

/* The power may have failed at the hub in the moment of the act: whether it was done only the hub knows. */
static bool is_revoked(struct sim *s, struct device *d)
{
    int64_t revoked = 1;
    if (d->state == DEVICE_LIVE && s->hub != NULL &&
        wire_ask(hub_db(s->hub), "SELECT state IN ('revoked', 'wiped') FROM h_node WHERE kid = $1", d->kid, &revoked) &&
        revoked)
        d->state = DEVICE_REVOKED;
    return revoked != 0;
}

/* An answer to an older request may be given to it again. */
static bool is_cut_off(struct device *d)
{
    int64_t pending = 0;
    return d->state == DEVICE_REVOKED && !d->ailing &&
           wire_ask(node_db(d->n), "SELECT coalesce((SELECT value FROM n_number WHERE name = 'pending'), 0)", NULL,
                    &pending) &&
           pending == 0;
}

/* An administrator cut it off. */
static void told_revoked(const struct wire *w, enum err e, const struct round_result *r, bool limited)
{
    struct sim *s = w->s;
    struct device *d = w->d;
    if (r->revoked && d->state != DEVICE_REVOKED && !is_revoked(s, d))
        sim_fail(s, 0, "device %d is told that it is revoked, and is not", d->no);
    if (e == ERR_OK && d->state == DEVICE_REVOKED && !limited)
        sim_fail(s, 0, "device %d is not told that it is revoked", d->no);
    if (w->cut_off && r->rounds > 0 && (!r->revoked || r->rows_in > 0))
        sim_fail(s, 4, "device %d asks when it is revoked, %s told so, and gets %llu rows", d->no,
                 r->revoked ? "is" : "is not", (unsigned long long)r->rows_in);
}

static void judge(struct wire *w, enum err e, const struct round_result *r, const struct why *why)
{
    struct sim *s = w->s;
    struct device *d = w->d;
    bool ailing = d->ailing;
    mishap_over(d);
    switch (e) {
    case ERR_OK: break;
    case ERR_UNREACHABLE:
        if (!w->broke) sim_fail(s, 0, "device %d did not reach the hub over a good link: %s", d->no, why->text);
        s->counts[COUNT_BROKEN]++;
        break;
    case ERR_REFUSED:
    case ERR_EXISTS:
        if (!r->revoked && (d->suspect || !wipe_is_noted(d))) refused(s, d, why);
        break;
    case ERR_FULL:
    case ERR_IO:
    case ERR_TAMPERED:
    case ERR_FORMAT:
        if (ailing && e != ERR_FORMAT) break;
        /* A hub that was put back answers what it answered before, and otherwise. What was forged in its outbox the
         * device itself may find. */
        if (!d->suspect && !s->hub_lost_time && !(d->hostile && e != ERR_IO))
            sim_fail(s, 0, "device %d: a round: %s: %s", d->no, err_word(e), why->text);
        s->counts[COUNT_ROTS_NOTICED] += e == ERR_TAMPERED;
        device_stuck(s, d, why->text);
        break;
    default: sim_fail(s, 0, "device %d: a round: %s: %s", d->no, err_word(e), why->text);
    }
}

/* The store is gone. */
static void wiped(struct wire *w, enum err e, const struct round_result *r)
{
    told_revoked(w, e, r, false);
    if (e != ERR_REFUSED) sim_fail(w->s, 12, "device %d was wiped, and says: %s", w->d->no, err_word(e));
    wipe_done(w->s, w->d);
}

static void after(struct wire *w, enum err e, const struct round_result *r, bool limited, const struct why *why)
{
    struct sim *s = w->s;
    struct device *d = w->d;
    told_revoked(w, e, r, limited);
    judge(w, e, r, why);
    if (d->n == NULL) return;
    wire_result(s, d, r);
    if (!disaster_serves(s) && !w->served && (r->rows_in > 0 || r->rows_dropped > 0))
        sim_fail(s, 14, "device %d gets %llu rows of a hub that gathers, and loses %llu", d->no, (unsigned long long)r->rows_in,
                 (unsigned long long)r->rows_dropped);
    bool complete = e == ERR_OK && !limited && !r->revoked && !budget_stops(s, d) && disaster_serves(s);
    s->counts[COUNT_SYNCS] += complete;
    if (complete) d->unproven = false;
    if (!d->unproven) check_device(s, d, complete);
}

/* People search at most devices: what can be found is kept along, a few cases at a time, so that orders to forget meet
 * it in every state. A full disk or a damaged page leaves it for later. */
static void keep_index(struct device *d)
{
    bool more = d->no % 3 != 0;
    for (int steps = 0; more && steps < 4; steps++)
        if (search_fill(d->n, 2 + (size_t)d->no, &more, NULL) != ERR_OK) break;
}

static bool talk(struct wire *w, const struct round_options *opt, struct round_result *r)
{
    struct sim *s = w->s;
    struct device *d = w->d;
    struct why why = {0};
    const struct carrier via = {.ctx = w, .exchange = exchange};
    w->cut_off = is_cut_off(d);
    w->served = disaster_serves(s);
    bool last = wipe_is_noted(d) || wipe_is_ordered(s, d);
    if (last && !w->clean && !d->ailing && sim_chance(s, 600)) mishap_in(s, d, 120);
    device_enter(s, d);
    keep_index(d);
    enum err e = node_sync(d->n, &via, opt, r, &why);
    bool gone = node_was_wiped(d->n), died = device_leave(s, d);
    sim_note(s,
             "device %d (%s) talks: %s, %llu rounds, in %llu, dropped %llu, sent %llu (applied %llu merged %llu held "
             "%llu waits %llu fault %llu) receipts %llu",
             d->no, s->sites[d->site].code, died ? "died" : err_word(e), (unsigned long long)r->rounds,
             (unsigned long long)r->rows_in, (unsigned long long)r->rows_dropped, (unsigned long long)r->sent,
             (unsigned long long)r->applied, (unsigned long long)r->merged, (unsigned long long)r->held,
             (unsigned long long)r->waits, (unsigned long long)r->fault, (unsigned long long)r->receipts);
    if (!w->cut_off) lease_contact(s, d, !died && e == ERR_OK && r->rounds > 0 && !r->revoked);
    if (died) {
        mishap_over(d);
        d->forgot = true;
        s->counts[COUNT_BROKEN]++;
        return false;
    }
    if (gone) {
        wiped(w, e, r);
        return false;
    }
    after(w, e, r, opt->max_rounds != 0, &why);
    return e == ERR_OK || (e == ERR_REFUSED && r->revoked);
}

void wire_sync(struct sim *s, struct device *d)
{
    struct wire w = {.s = s, .d = d};
    struct round_options opt = {0};
    struct round_result r = {0};
    if (d->n == NULL) return;
    if (d->mixed) {
        wire_last_word(s, d);
        return;
    }
    if (sim_chance(s, s->plan.small_budget)) opt.budget = opt.most = 300 + sim_random(s, 4000); /* either way in pieces */
    /* Answers in many pages seldom come to their end: another talk, or another carrier, goes on with them. */
    if (sim_chance(s, opt.budget > 0 ? 800 : 150)) opt.max_rounds = 1 + (unsigned)sim_random(s, opt.budget > 0 ? 5 : 3);
    if (sim_chance(s, 100)) opt.wait_ms = sim_random(s, 60000);
    (void)talk(&w, &opt, &r);
}

bool wire_sync_clean(struct sim *s, struct device *d)
{
    struct wire w = {.s = s, .d = d, .clean = true};
    struct round_options opt = {0};
    struct round_result r = {0};
    if (d->n == NULL) return false;
    mishap_over(d);
    if (d->mixed) {
        wire_last_word(s, d);
        return true;
    }
    if (!talk(&w, &opt, &r)) return true;
    return r.rows_in + r.rows_dropped + r.sent + r.receipts + r.applied + r.merged + r.held + r.waits + r.fault != 0;
}

/* Old pages beside new ones, each of them genuine: no check of a store can tell. What it says to the hub, and what
 * comes of that, must do no harm there. */
void wire_last_word(struct sim *s, struct device *d)
{
    struct wire w = {.s = s, .d = d, .clean = true};
    const struct carrier via = {.ctx = &w, .exchange = exchange};
    struct round_result r = {0};
    struct why why = {0};
    if (d->n == NULL) return;
    device_enter(s, d);
    enum err e = node_sync(d->n, &via, NULL, &r, &why);
    bool died = device_leave(s, d);
    if (!died && e == ERR_BUSY) sim_fail(s, 0, "device %d is busy: %s", d->no, why.text);
    sim_note(s, "device %d, whose disk lied, talks: %s", d->no, err_word(e));
    device_stuck(s, d, "its disk lied");
}
