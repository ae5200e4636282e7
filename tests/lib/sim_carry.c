/* How bytes go between nodes and hub: whole, lost, cut part way, by USB, late, twice, in the wrong order. */
#include "tests/lib/sim.h"

#include <stdlib.h>
#include <string.h>

enum fate { WHOLE, LOSE_REQUEST, LOSE_ANSWER, CUT_ANSWER };

struct link {
    struct sim *s;
    struct sim_node *n;
    bool flaky;
};

static enum err gone(struct why *why)
{
    return why_set(why, ERR_UNREACHABLE, "the link broke");
}

/* One request at the hub, while noting what its answer may hold. */
static enum err at_hub(struct sim *s, struct sim_node *n, struct bytes request, struct buf *out, struct why *why)
{
    struct hub_exchange_result result = {0};
    sim_allow(s, n, false);
    enum err e = hub_exchange(s->hub, request, false, out, &result, why);
    sim_allow(s, n, false);
    return e;
}

static enum err exchange(void *ctx, struct bytes request, uint64_t from, uint64_t wait_ms,
                         enum err (*sink)(void *sink_ctx, struct bytes piece, struct why *why), void *sink_ctx,
                         struct why *why)
{
    struct link *l = ctx;
    struct sim *s = l->s;
    enum fate fate = l->flaky && sim_chance(s, 40) ? (enum fate)(1 + sim_random(s, 3)) : WHOLE;
    struct buf answer;
    (void)wait_ms;
    if (fate == LOSE_REQUEST) return gone(why);
    buf_init(&answer, SIM_BUNDLE);
    enum err e = at_hub(s, l->n, request, &answer, why);
    if (e == ERR_OK && from > answer.len)
        sim_fail(s, "node %d resumes at byte %llu of %zu", l->n->no, (unsigned long long)from, answer.len);
    if (e == ERR_OK && fate == LOSE_ANSWER) e = gone(why);
    size_t at = (size_t)from, end = answer.len;
    if (e == ERR_OK && fate == CUT_ANSWER) end = at + sim_random(s, answer.len - at + 1);
    while (e == ERR_OK && at < end) {
        size_t n = 1 + sim_random(s, end - at);
        e = sink(sink_ctx, bytes_of(answer.data + at, n), why);
        at += n;
    }
    if (e == ERR_OK && fate == CUT_ANSWER) e = gone(why);
    buf_release(&answer);
    return e;
}

static void count(struct sim *s, const struct round_result *r)
{
    s->counts[SIM_HELD] += r->held;
    s->counts[SIM_MERGED] += r->merged;
    s->counts[SIM_WAITS] += r->waits;
    s->counts[SIM_DROPPED] += r->rows_dropped;
}

/* One round may still be the answer to a request made before. */
static bool revoked_says(struct sim *s, struct sim_node *n, enum err e, bool one_round, const struct why *why)
{
    if (!n->revoked) return false;
    if (e != ERR_OK && e != ERR_REFUSED && e != ERR_UNREACHABLE && e != ERR_FULL)
        sim_fail(s, "revoked node %d: %s: %s", n->no, err_word(e), why->text);
    if (e == ERR_OK && !one_round) sim_fail(s, "node %d is not told that it is revoked", n->no);
    return true;
}

static enum err say_fault(void *ctx, const struct outbox_item *i, struct why *why)
{
    (void)why;
    if (strcmp(i->state, "fault") == 0)
        sim_fail(ctx, "envelope %llu, which is honest, is a fault: %s", (unsigned long long)i->seq, i->reason);
    return ERR_OK;
}

void sim_sync(struct sim *s, struct sim_node *n, bool flaky)
{
    struct why why = {0};
    struct link l = {.s = s, .n = n, .flaky = flaky};
    struct carrier via = {.ctx = &l, .exchange = exchange};
    struct round_options opt = {0};
    struct round_result r = {0};
    if (sim_chance(s, 30)) opt.budget = 300 + sim_random(s, 4000);
    if (sim_chance(s, 15)) opt.max_rounds = 1 + (unsigned)sim_random(s, 2);
    n->out.full_after = flaky && sim_chance(s, 15) ? 1 + sim_random(s, 6) : 0;
    enum err e = node_sync(n->n, &via, &opt, &r, &why);
    n->out.full_after = 0;
    sim_note(
        s,
        "node %d (%s) syncs: %s, %llu rounds, in %llu, dropped %llu, sent %llu (applied %llu merged %llu held %llu waits %llu fault %llu)",
        n->no, n->place->site, err_word(e), (unsigned long long)r.rounds, (unsigned long long)r.rows_in,
        (unsigned long long)r.rows_dropped, (unsigned long long)r.sent, (unsigned long long)r.applied,
        (unsigned long long)r.merged, (unsigned long long)r.held, (unsigned long long)r.waits,
        (unsigned long long)r.fault);
    count(s, &r);
    if (revoked_says(s, n, e, opt.max_rounds != 0, &why)) return;
    if (r.fault != 0 && !n->hostile) sim_must(s, node_outbox(n->n, say_fault, s, &why), "list an outbox", &why);
    if ((e == ERR_UNREACHABLE || e == ERR_FULL) && flaky) {
        s->counts[SIM_BROKEN]++;
        sim_check_subset(s, n);
        return;
    }
    sim_must(s, e, "sync", &why);
    if (opt.max_rounds != 0) {
        sim_check_subset(s, n);
        return;
    }
    s->counts[SIM_SYNCS]++;
    sim_check_equal(s, n);
    sim_allow(s, n, true);
}

bool sim_sync_clean(struct sim *s, struct sim_node *n)
{
    struct why why = {0};
    struct link l = {.s = s, .n = n};
    struct carrier via = {.ctx = &l, .exchange = exchange};
    struct round_options opt = {0};
    struct round_result r = {0};
    enum err e = node_sync(n->n, &via, &opt, &r, &why);
    count(s, &r);
    if (revoked_says(s, n, e, opt.max_rounds != 0, &why)) return false;
    sim_must(s, e, "sync", &why);
    sim_note(s, "healing: node %d: in %llu, dropped %llu, sent %llu, receipts %llu", n->no,
             (unsigned long long)r.rows_in, (unsigned long long)r.rows_dropped, (unsigned long long)r.sent,
             (unsigned long long)r.receipts);
    sim_check_equal(s, n);
    sim_allow(s, n, true);
    return r.rows_in + r.rows_dropped + r.sent + r.receipts + r.applied + r.merged + r.held + r.waits + r.fault != 0;
}

/* ------------------------------------------------------------------------------------------------------ USB */
static void hash_of(struct sim *s, struct db *db, uint8_t out[32])
{
    struct why why = {0};
    sim_must(s, db_content_hash(db, out, &why), "hash a store", &why);
}

static void copy(struct buf *to, struct buf *from)
{
    buf_reset(to);
    buf_put_bytes(to, buf_bytes(from));
}

static void usb_to_hub(struct sim *s, struct sim_node *n, struct bytes request, bool old)
{
    struct why why = {0};
    struct buf out, again;
    uint8_t before[32], after[32];
    buf_init(&out, SIM_BUNDLE);
    buf_init(&again, SIM_BUNDLE);
    hash_of(s, hub_db(s->hub), before);
    enum err e = at_hub(s, n, request, &out, &why);
    hash_of(s, hub_db(s->hub), after);
    sim_note(s, "node %d: USB %s to the hub: %s", n->no, old ? "old request" : "request", err_word(e));
    if (e != ERR_OK && e != ERR_REFUSED) sim_fail(s, "USB to the hub: %s: %s", err_word(e), why.text);
    if ((e != ERR_OK || old) && memcmp(before, after, 32) != 0)
        sim_fail(s, "an old or refused request changed the hub");
    if (e == ERR_OK && sim_chance(s, 30)) {
        sim_must(s, at_hub(s, n, request, &again, &why), "the same request again", &why);
        if (!bytes_equal(buf_bytes(&out), buf_bytes(&again))) sim_fail(s, "the same request got another answer");
    }
    if (e == ERR_OK) copy(&n->answer, &out);
    buf_release(&out);
    buf_release(&again);
}

static void usb_to_node(struct sim *s, struct sim_node *n, struct bytes answer, bool old)
{
    struct why why = {0};
    struct round_result r = {0};
    uint8_t before[32], after[32];
    hash_of(s, node_db(n->n), before);
    enum err e = node_bundle_import(n->n, answer, &r, &why);
    hash_of(s, node_db(n->n), after);
    sim_note(s, "node %d: USB %s to the node: %s (in %llu, dropped %llu)", n->no, old ? "old answer" : "answer",
             err_word(e), (unsigned long long)r.rows_in, (unsigned long long)r.rows_dropped);
    if (e != ERR_OK && memcmp(before, after, 32) != 0)
        sim_fail(s, "node %d: a refused answer changed the replica", n->no);
    if (e != ERR_OK && e != ERR_EXISTS && e != ERR_FORMAT && e != ERR_REFUSED)
        sim_fail(s, "node %d: import: %s: %s", n->no, err_word(e), why.text);
    if (e == ERR_OK && old) sim_fail(s, "node %d took an old answer again", n->no);
    count(s, &r);
    if (!n->revoked) sim_check_subset(s, n);
}

void sim_usb(struct sim *s, struct sim_node *n)
{
    struct why why = {0};
    s->counts[SIM_USB]++;
    if (n->old_request.len > 0 && sim_chance(s, 15)) {
        usb_to_hub(s, n, buf_bytes(&n->old_request), true);
        if (n->answer.len > 0 && n->request.len == 0) buf_reset(&n->answer);
    } else if (n->old_answer.len > 0 && sim_chance(s, 15)) {
        usb_to_node(s, n, buf_bytes(&n->old_answer), true);
    } else if (n->request.len == 0) {
        sim_must(s, node_bundle_export(n->n, &n->request, &why), "export", &why);
        sim_note(s, "node %d: exports to USB", n->no);
    } else if (n->answer.len == 0) {
        usb_to_hub(s, n, buf_bytes(&n->request), false);
        if (n->answer.len == 0) buf_reset(&n->request); /* too late: another request went by wire since */
    } else {
        usb_to_node(s, n, buf_bytes(&n->answer), false);
        copy(&n->old_answer, &n->answer);
        copy(&n->old_request, &n->request);
        buf_reset(&n->answer);
        buf_reset(&n->request);
    }
}
