/* Whole registers: a column with all that is said of it, kept as the hub keeps it, and random histories of several
 * devices brought to it in every order that their chains allow. The order may change only what the policy says it
 * may. */
#include "hub/merge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { CHAINS = 3, EACH = 3, RIVALS = 8 };
static const char *const words[] = {"blue", "green", "amber", "red", "mauve", NULL};
static const char rag[] = "blue<green<amber<red";

static uint64_t next_random(uint64_t *s) /* splitmix64 */
{
    uint64_t z = (*s += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* ---- a register: what hub/intake_apply.c does with the results ---- */
struct reg {
    struct merge_word stands;
    struct merge_word rivals[RIVALS];
    size_t n;
    int64_t version;
    size_t open;
};

static void drop_chain(struct reg *g, int64_t chain)
{
    size_t n = 0;
    for (size_t i = 0; i < g->n; i++)
        if (g->rivals[i].chain != chain) g->rivals[n++] = g->rivals[i];
    g->n = n;
}

static struct merge_result says(struct reg *g, struct merge_edit e, enum merge_policy p)
{
    struct merge_word before[RIVALS], ours = g->stands;
    memcpy(before, g->rivals, sizeof before);
    e.word.version = ++g->version;
    struct merge_input in = {
        .theirs = e, .ours = ours, .rivals = before, .n_rivals = g->n, .clashes = true, .policy = p, .arg = rag};
    struct merge_result r = merge_column(&in);
    size_t n = in.n_rivals;
    for (size_t i = 0; i < n; i++) {
        enum merge_fate fate = merge_rival(&in, &r, i);
        if (fate == MERGE_ANSWERED || fate == MERGE_RISES) drop_chain(g, before[i].chain);
        g->open += fate == MERGE_DISPUTED;
    }
    if (r.write) {
        g->stands = r.stands == MERGE_THEIRS ? e.word : before[r.stands];
        g->stands.version = g->version;
    }
    if (r.kept != MERGE_NOBODY) {
        const struct merge_word *kept = r.kept == MERGE_THEIRS ? &e.word : &ours;
        drop_chain(g, kept->chain);
        assert_true(g->n < RIVALS);
        g->rivals[g->n++] = *kept;
    }
    g->open += r.clash == MERGE_OPEN;
    for (size_t i = 0; i < g->n; i++) {
        assert_true(g->rivals[i].chain != g->stands.chain);
        for (size_t k = 0; k < i; k++) assert_true(g->rivals[i].chain != g->rivals[k].chain);
    }
    return r;
}

/* ---- histories: each device wrote one to three words upon the same cut ---- */
struct history {
    struct merge_edit said[CHAINS][EACH];
    size_t n[CHAINS];
    enum merge_policy policy;
};

static void draw(struct history *h, enum merge_policy p, size_t most, uint64_t *seed)
{
    memset(h, 0, sizeof *h);
    h->policy = p;
    for (size_t c = 0; c < CHAINS; c++) {
        uint64_t hlc = 1;
        struct value base = value_str("green");
        h->n[c] = 1 + next_random(seed) % most;
        for (size_t i = 0; i < h->n[c]; i++) {
            struct merge_edit *e = &h->said[c][i];
            hlc += 1 + next_random(seed) % 3; /* a device's own clock goes on; those of two may agree */
            e->word = (struct merge_word){.value = value_str(words[next_random(seed) % 6]),
                                          .chain = (int64_t)c + 1,
                                          .hlc = hlc,
                                          .authority = c == 0};
            if (value_equal(e->word.value, base)) e->word.value = value_str(base.kind == VALUE_NULL ? "blue" : NULL);
            e->base = base;
            base = e->word.value;
            e->seen = 1;
        }
    }
}

static struct reg begin(void)
{
    return (struct reg){.stands = {.value = value_str("green"), .version = 1}, .version = 1};
}

/* What must come of it, said otherwise: of the last word of each, the policy's best. Only what was said in the end
 * counts, and the word of an author with authority before those without. */
static struct value best(const struct history *h)
{
    const struct merge_word *top = NULL;
    for (size_t c = 0; c < CHAINS; c++) {
        const struct merge_word *w = &h->said[c][h->n[c] - 1].word;
        if (h->policy == MERGE_AUTHORITY && !w->authority) continue;
        if (top == NULL) {
            top = w;
            continue;
        }
        struct merge_input in = {.ours = *top,
                                 .theirs = {.word = *w, .base = value_str("green"), .seen = 1},
                                 .clashes = true,
                                 .policy = h->policy,
                                 .arg = rag};
        in.ours.version = 2;
        if (merge_column(&in).stands == MERGE_THEIRS) top = w;
    }
    return top->value;
}

struct walk {
    const struct history *h;
    size_t orders;
    struct value want;
    bool any; /* first come may stand */
};

static void at_the_end(struct walk *w, const struct reg *g)
{
    w->orders++;
    if (!w->any && !value_equal(g->stands.value, w->want))
        fail_msg("policy %s: %.*s stands instead of %.*s", rules_policy_word(w->h->policy),
                 g->stands.value.kind == VALUE_TEXT ? (int)g->stands.value.s.n : 4,
                 g->stands.value.kind == VALUE_TEXT ? (const char *)g->stands.value.s.p : "null",
                 w->want.kind == VALUE_TEXT ? (int)w->want.s.n : 4,
                 w->want.kind == VALUE_TEXT ? (const char *)w->want.s.p : "null");
    /* Nothing vanished: the last word of each stands, or agrees with what does or with what is kept as a rival; or
     * another said the same and took it back. */
    for (size_t c = 0; c < CHAINS; c++) {
        const struct merge_word *last = &w->h->said[c][w->h->n[c] - 1].word;
        bool found = g->stands.chain == last->chain || value_equal(g->stands.value, last->value);
        for (size_t i = 0; i < g->n; i++) found |= value_equal(g->rivals[i].value, last->value);
        for (size_t o = 0; o < CHAINS; o++)
            for (size_t i = 0; i + 1 < w->h->n[o]; i++)
                found |= o != c && value_equal(w->h->said[o][i].word.value, last->value);
        assert_true(found);
    }
}

static void every_order(struct walk *w, const struct reg *g, const size_t at[CHAINS])
{
    bool ended = true;
    for (size_t c = 0; c < CHAINS; c++) {
        if (at[c] == w->h->n[c]) continue;
        ended = false;
        struct reg next = *g;
        size_t then[CHAINS];
        memcpy(then, at, sizeof then);
        (void)says(&next, w->h->said[c][then[c]++], w->h->policy);
        every_order(w, &next, then);
    }
    if (ended) at_the_end(w, g);
}

static size_t all_orders(const struct history *h, bool any)
{
    static const size_t start[CHAINS];
    struct walk w = {.h = h, .any = any};
    struct reg g = begin();
    if (!any) w.want = best(h);
    every_order(&w, &g, start);
    return w.orders;
}

static void the_order_of_arrival_does_not_change_what_stands_by_a_rule(void **state)
{
    static const enum merge_policy ruled[] = {MERGE_LWW, MERGE_MAX, MERGE_STRICTEST, MERGE_AUTHORITY};
    uint64_t seed = 20261122;
    size_t orders = 0;
    (void)state;
    for (size_t p = 0; p < 4; p++) {
        for (int i = 0; i < 1500; i++) {
            struct history h;
            draw(&h, ruled[p], 2, &seed);
            orders += all_orders(&h, false);
        }
        for (int i = 0; i < 30; i++) {
            struct history h;
            draw(&h, ruled[p], 3, &seed);
            orders += all_orders(&h, false);
        }
    }
    assert_true(orders > 100000);
}

static void where_a_person_decides_the_order_chooses_what_stands_and_loses_no_word(void **state)
{
    uint64_t seed = 4;
    (void)state;
    for (int i = 0; i < 1500; i++) {
        struct history h;
        draw(&h, MERGE_ESCALATE, 2, &seed);
        (void)all_orders(&h, true);
        draw(&h, MERGE_AUTHORITY, 2, &seed);
        for (size_t c = 0; c < CHAINS; c++)
            for (size_t k = 0; k < h.n[c]; k++) h.said[c][k].word.authority = i % 2 == 0;
        (void)all_orders(&h, true);
    }
}

/* Somebody who heard of everything up to now says something else: that is what stands, whatever was said before, and
 * nothing is left of what he answered. */
static void who_has_seen_all_ends_it(void **state)
{
    uint64_t seed = 5;
    (void)state;
    for (int i = 0; i < 5000; i++) {
        struct history h;
        struct reg g = begin();
        size_t at[CHAINS] = {0}, left = 0;
        draw(&h, (enum merge_policy)(i % 5), 3, &seed);
        for (size_t c = 0; c < CHAINS; c++) left += h.n[c];
        while (left > 0) {
            size_t c = next_random(&seed) % CHAINS;
            if (at[c] == h.n[c]) continue;
            (void)says(&g, h.said[c][at[c]++], h.policy);
            left--;
        }
        struct merge_edit last = {
            .word = {.value = value_str("seen"), .chain = 9, .hlc = 1}, .base = g.stands.value, .seen = g.version};
        struct merge_result r = says(&g, last, h.policy);
        assert_true(r.clash == MERGE_NONE && r.outcome == MERGE_APPLIED);
        assert_true(value_equal(g.stands.value, value_str("seen")));
        assert_int_equal(g.n, 0);
    }
}

/* Who writes the same again, upon whatever, changes nothing: the hub may judge an edit twice. */
static void the_last_word_said_twice_is_said_once(void **state)
{
    uint64_t seed = 6;
    (void)state;
    for (int i = 0; i < 5000; i++) {
        struct history h;
        struct reg g = begin();
        draw(&h, (enum merge_policy)(i % 5), 1, &seed);
        for (size_t c = 0; c < CHAINS; c++) (void)says(&g, h.said[c][0], h.policy);
        struct reg before = g;
        (void)says(&g, h.said[CHAINS - 1][0], h.policy);
        assert_true(value_equal(g.stands.value, before.stands.value));
        assert_int_equal(g.n, before.n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_of_arrival_does_not_change_what_stands_by_a_rule),
        cmocka_unit_test(where_a_person_decides_the_order_chooses_what_stands_and_loses_no_word),
        cmocka_unit_test(who_has_seen_all_ends_it),
        cmocka_unit_test(the_last_word_said_twice_is_said_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
