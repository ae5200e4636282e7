/* Pairs of worlds that must agree.
 *
 * Hidden work (invariant 8): in one of them a device does work that no other agency may see. Every message of everybody
 * else, up and down, must be the same to the byte. The hub's randomness for an answer depends on the device and the
 * number of its request alone (wire.c), so nothing else can hide behind it.
 *
 * Clocks (invariant 9): in one of them every clock is right, in the other each is wrong by up to ten years. The hub
 * must end with the same rows, but for columns where the later change wins. */
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

static struct sim *live(uint64_t seed, struct sim_options opt)
{
    opt.oracle_fd = -1;
    struct sim *s = sim_new(seed, &opt);
    sim_run(s);
    return s;
}

/* ---- hidden work ---- */
static bool same_message(const struct traffic *a, const struct traffic *b)
{
    return a->device == b->device && a->up == b->up && a->n == b->n && a->hash == b->hash && a->event == b->event;
}

/* The next message of somebody else before the healing, whose rounds go on until the shadow has come to rest too. */
static const struct traffic *next(const struct sim *s, size_t *at)
{
    size_t n;
    const struct traffic *t = trace_traffic(s->trace, &n);
    for (; *at < n; ++*at)
        if (t[*at].device != s->shadow && t[*at].event < s->plan.n_events) return &t[(*at)++];
    return NULL;
}

void twin_hidden(uint64_t seed, bool loud)
{
    struct sim_options opt = {.calm = true, .shadowed = true, .loud = loud};
    struct sim *idle = live(seed, opt);
    opt.shadow_works = true;
    struct sim *busy = live(seed, opt);
    const struct traffic *a, *b;
    size_t at_a = 0, at_b = 0;
    do {
        a = next(idle, &at_a);
        b = next(busy, &at_b);
        if ((a == NULL) != (b == NULL) || (a != NULL && !same_message(a, b)))
            sim_fail(busy, 8, "hidden work shows in a message %s device %d in event %u (%zu bytes; without it %zu)",
                     b != NULL && b->up ? "from" : "to", b != NULL ? b->device : a->device,
                     b != NULL ? b->event : a->event, b != NULL ? b->n : 0, a != NULL ? a->n : 0);
    } while (a != NULL);
    sim_free(idle);
    sim_free(busy);
}

/* ---- clocks ---- */
static bool counts(const struct table_rule *t, size_t col)
{
    static const char *const hub_made[] = {"conflict",
                                           "held"}; /* they carry the authors' clocks, and names made of them */
    for (size_t i = 0; i < sizeof hub_made / sizeof hub_made[0]; i++)
        if (strcmp(t->name, hub_made[i]) == 0) return false;
    return t->kind == TABLE_CASE && t->columns[col].policy != MERGE_LWW;
}

/* The hub names the cases that it opens for held referrals after the envelope, which holds the author's clock. */
static bool is_hubs(const struct rows *all, const struct rows_row *r)
{
    const struct rows_row *file = rows_find(all, rows_table("case_file"), r->case_id);
    return file != NULL && rows_is(file, "agency", "");
}

static void compare(struct sim *wrong, const struct rows *a, const struct rows *b)
{
    char hex[33];
    for (size_t i = 0; i < a->n; i++) {
        const struct rows_row *r = &a->v[i], *o = rows_find(b, r->tbl, r->id);
        const struct table_rule *t = r->r.table;
        if (o == NULL && counts(t, 3) && !is_hubs(a, r))
            sim_fail(wrong, 9, "%s %s is there only with right clocks", t->name, ids_hex(r->id, hex));
        for (size_t c = 0; o != NULL && c < t->n_columns; c++)
            if (counts(t, c) && !value_equal(r->r.v[c], o->r.v[c]))
                sim_fail(wrong, 9, "%s %s: %s is another with wrong clocks", t->name, ids_hex(r->id, hex),
                         t->columns[c].name);
    }
}

void twin_clocks(uint64_t seed, bool loud)
{
    struct sim_options opt = {.calm = true, .loud = loud, .no_steering = true, .clocks_right = true};
    struct rows a, b;
    struct sim *right = live(seed, opt);
    opt.clocks_right = false;
    struct sim *wrong = live(seed, opt);
    rows_read_cases(&a, hub_db(right->hub));
    rows_read_cases(&b, hub_db(wrong->hub));
    compare(wrong, &a, &b);
    rows_free(&a);
    rows_free(&b);
    sim_free(right);
    sim_free(wrong);
}
