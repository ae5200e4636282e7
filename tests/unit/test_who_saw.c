/* Who saw a row, and which devices held it: over random histories against a book that the test keeps. */
#include "tests/lib/hub_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PLENTY  (4u << 20)
#define MINUTE  INT64_C(60000)
#define MOMENTS 140
#define DEVICES 7

static const char *const sites[] = {"mash", "office", "gp", "ward", "far", "station", "class", "night"};
enum { SITES = sizeof sites / sizeof sites[0] };
static const char *const homes[DEVICES] = {"gp", "gp", "ward", "station", "class", "office", "mash"};
static const char *const members[] = {"health", "police", "school"};

/* What the book says of a device at a moment. state 0: never had it; h, c, u: holds, confirmed, unconfirmed. */
struct device_at {
    char state;
    int64_t since;
};
struct moment_at {
    int64_t at;
    bool sees[SITES];
    struct device_at devices[DEVICES];
};
struct play {
    struct hub_fixture *f;
    struct id case_id, row, parts[3], other;
    struct fixture_node *nodes[DEVICES];
    bool owes_receipt[DEVICES]; /* it took an order to forget that it has not confirmed */
    bool row_in_it[DEVICES];    /* and that named the row */
    bool in_flight[DEVICES];    /* an order that names the row is in the answer it has not taken */
    struct moment_at now, book[MOMENTS];
    size_t n;
};

static int site_no(const char *code)
{
    for (int i = 0; i < SITES; i++)
        if (strcmp(sites[i], code) == 0) return i;
    return -1;
}

static void tick(struct play *p)
{
    int64_t by = MINUTE + (int64_t)hub_fixture_random(p->f, 20) * MINUTE;
    p->f->clock += by;
    p->f->steady += by;
}

/* After something happened: what is seen now, and what devices were told to forget by it. */
static void write_down(struct play *p)
{
    p->now.at = p->f->clock;
    for (int i = 0; i < SITES; i++) p->now.sees[i] = hub_fixture_sees(p->f, sites[i], "record", p->row);
    for (int i = 0; i < DEVICES; i++) {
        struct device_at *d = &p->now.devices[i];
        if (d->state == 'h' && !p->now.sees[site_no(homes[i])]) *d = (struct device_at){'u', p->f->clock};
    }
    assert_true(p->n < MOMENTS);
    p->book[p->n++] = p->now;
}

static void share(struct play *p)
{
    static const char *const words[] = {"none", "check", "view", "contribute"};
    hub_fixture_step(p->f);
    hub_fixture_set(p->f, "participant", p->parts[hub_fixture_random(p->f, 3)], "access",
                    words[hub_fixture_random(p->f, 4)]);
    hub_fixture_settle(p->f);
}

static void open_or_close(struct play *p)
{
    static const char *const words[] = {"open", "open", "sensitive", "restricted"};
    hub_fixture_step(p->f);
    hub_fixture_set(p->f, "record", p->row, "sensitivity", words[hub_fixture_random(p->f, 4)]);
    hub_fixture_settle(p->f);
}

/* Ends by itself before the next moment is over. */
static void limit(struct play *p)
{
    char until[32];
    (void)snprintf(until, sizeof until, "#%lld", (long long)(p->f->clock + 30 * MINUTE));
    hub_fixture_step(p->f);
    hub_fixture_set(p->f, "participant", p->parts[hub_fixture_random(p->f, 3)], "until",
                    hub_fixture_random(p->f, 2) == 0 ? until : NULL);
    hub_fixture_settle(p->f);
}

static void elsewhere(struct play *p)
{
    hub_fixture_step(p->f);
    hub_fixture_set(p->f, "record", p->other, "title", hub_fixture_random(p->f, 2) == 0 ? "one" : "two");
    hub_fixture_settle(p->f);
}

static bool order_waits(struct play *p, int i)
{
    char sql[256];
    (void)snprintf(sql, sizeof sql,
                   "SELECT count(*) FROM h_drop d JOIN h_row r ON r.no = d.row_no JOIN record x ON x.id = r.id WHERE"
                   " d.node_no = %lld AND d.request IS NULL AND x.kind = 'the one'",
                   (long long)p->nodes[i]->n.no);
    return hub_fixture_number(p->f, sql) > 0;
}

/* The hub makes an answer: from then on the device could hold what its site sees. */
static void ask(struct play *p, int i)
{
    struct fixture_node *n = p->nodes[i];
    if (n->answer.waiting) return;
    hub_fixture_begin(p->f); /* what has come due is swept before the answer is made */
    hub_fixture_commit(p->f);
    p->in_flight[i] = order_waits(p, i);
    bool sees = hub_fixture_sees(p->f, homes[i], "record", p->row);
    hub_fixture_ask(p->f, n, PLENTY);
    struct device_at *d = &p->now.devices[i];
    if (sees && d->state != 'h') *d = (struct device_at){'h', p->f->clock};
}

static void confirm(struct play *p, int i)
{
    struct fixture_node *n = p->nodes[i];
    if (!p->owes_receipt[i] || n->answer.waiting) return;
    struct receipt r = {.request = n->request, .rows = n->answer.n_drops, .kind = 1};
    memcpy(r.node, n->n.id.kid, 16);
    memcpy(r.drops_hash, n->drops_hash, 32);
    hub_fixture_begin(p->f);
    assert_int_equal(drops_receipt(&p->f->h, &n->n, &r, bytes_of("signed", 6), NULL), ERR_OK);
    hub_fixture_commit(p->f);
    p->owes_receipt[i] = false;
    struct device_at *d = &p->now.devices[i];
    if (p->row_in_it[i] && d->state == 'u' && !order_waits(p, i)) *d = (struct device_at){'c', p->f->clock};
}

static void take(struct play *p, int i)
{
    struct fixture_node *n = p->nodes[i];
    if (!n->answer.waiting || p->owes_receipt[i]) return;
    p->owes_receipt[i] = n->answer.n_drops > 0;
    p->row_in_it[i] = p->in_flight[i];
    hub_fixture_take(p->f, n);
    if (hub_fixture_random(p->f, 2) == 0) confirm(p, i);
}

static void something(struct play *p)
{
    int i = (int)hub_fixture_random(p->f, DEVICES);
    for (int k = 0; k < 3 && p->now.devices[i].state != 'u'; k++) i = (int)hub_fixture_random(p->f, DEVICES);
    switch (hub_fixture_random(p->f, 12)) {
    case 0:
    case 1:
    case 2: share(p); break;
    case 3: open_or_close(p); break;
    case 4: limit(p); break;
    case 5: elsewhere(p); break;
    case 6:
    case 7:
    case 8: ask(p, i); break;
    case 9:
    case 10: take(p, i); break;
    default: confirm(p, i); break;
    }
    hub_fixture_begin(p->f); /* the sweep of what came due in the meantime */
    hub_fixture_commit(p->f);
}

static void begin(struct play *p, uint64_t seed)
{
    memset(p, 0, sizeof *p);
    p->f = hub_fixture_new(seed);
    hub_fixture_steady(p->f);
    hub_fixture_town(p->f);
    hub_fixture_step(p->f);
    p->case_id = hub_fixture_case(p->f);
    p->row = hub_fixture_row(p->f, "record", p->case_id, "council", "kind", "the one", "sensitivity", "open", NULL);
    p->other = hub_fixture_row(p->f, "record", p->case_id, "council", "sensitivity", "open", NULL);
    for (int i = 0; i < 3; i++) p->parts[i] = hub_fixture_share(p->f, p->case_id, members[i], "none");
    hub_fixture_settle(p->f);
    for (int i = 0; i < DEVICES; i++) p->nodes[i] = hub_fixture_node(p->f, homes[i]);
    tick(p);
    write_down(p);
}

static void end(struct play *p)
{
    for (int i = 0; i < DEVICES; i++) hub_fixture_node_free(p->nodes[i]);
    hub_fixture_free(p->f);
}

/* ------------------------------------------------------------------------------------------------ what the hub says */

struct told {
    struct play *p;
    bool sees[SITES];
    struct device_at devices[DEVICES];
    unsigned site_lines, device_lines;
};

static enum err hear(void *ctx, const struct hub_saw *s, struct why *why)
{
    struct told *t = ctx;
    (void)why;
    int site = site_no(s->site);
    assert_true(site >= 0);
    if (!s->is_device) {
        t->sees[site] = true;
        t->site_lines++;
        assert_true(s->from_ms > 0 && (s->until_ms == 0 || s->until_ms >= s->from_ms));
        return ERR_OK;
    }
    t->device_lines++;
    for (int i = 0; i < DEVICES; i++) {
        if (memcmp(t->p->nodes[i]->n.id.kid, s->kid, 16) != 0) continue;
        assert_string_equal(s->site, homes[i]);
        assert_int_equal(t->devices[i].state, 0); /* one line each */
        t->devices[i] = (struct device_at){s->state[0], s->since_ms};
    }
    return ERR_OK;
}

static struct told listen_at(struct play *p, int64_t at)
{
    struct told t = {.p = p};
    int tbl = rules_table_index(bytes_of_str("record"));
    assert_int_equal(hub_who_saw(&p->f->h, tbl, p->row.b, at, hear, &t, NULL), ERR_OK);
    return t;
}

static void compare(const struct moment_at *m, const struct told *t, bool sites_too)
{
    for (int i = 0; sites_too && i < SITES; i++)
        if (t->sees[i] != m->sees[i])
            fail_msg("%s %s it at %lld", sites[i], m->sees[i] ? "saw" : "did not see", (long long)m->at);
    for (int i = 0; i < DEVICES; i++) {
        if (t->devices[i].state != m->devices[i].state)
            fail_msg("device %d at %s, at %lld: '%c' instead of '%c'", i, homes[i], (long long)m->at,
                     t->devices[i].state == 0 ? '-' : t->devices[i].state,
                     m->devices[i].state == 0 ? '-' : m->devices[i].state);
        assert_int_equal(t->devices[i].since, m->devices[i].since);
    }
}

static void who_saw_tells_at_any_time_what_the_book_says(void **state)
{
    (void)state;
    unsigned told = 0, states[128] = {0};
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct play p;
        begin(&p, seed);
        while (p.n < MOMENTS) {
            tick(&p);
            something(&p);
            write_down(&p);
        }
        for (size_t k = 0; k < p.n; k++) {
            struct told exact = listen_at(&p, p.book[k].at), later = listen_at(&p, p.book[k].at + MINUTE - 1);
            compare(&p.book[k], &exact, true);
            compare(&p.book[k], &later, true);
            told += exact.site_lines + exact.device_lines;
            for (int i = 0; i < DEVICES; i++) states[(int)exact.devices[i].state]++;
        }
        struct told ever = listen_at(&p, 0);
        compare(&p.book[p.n - 1], &ever, false);
        for (int i = 0; i < SITES; i++) {
            bool once = false;
            for (size_t k = 0; k < p.n; k++) once |= p.book[k].sees[i];
            assert_int_equal(ever.sees[i], once);
        }
        end(&p);
    }
    /* of 12 * 140 moments and 7 devices each: all of it was met */
    assert_in_range(told, 2000, UINT32_MAX);
    assert_in_range(states['h'], 300, UINT32_MAX);
    assert_in_range(states['u'], 300, UINT32_MAX);
    assert_in_range(states['c'], 50, UINT32_MAX);
}

static void before_it_was_there_nobody_saw_it(void **state)
{
    struct play p;
    (void)state;
    begin(&p, 7);
    struct told t = listen_at(&p, p.f->clock - 3600 * 1000 * 24);
    assert_int_equal(t.site_lines + t.device_lines, 0);
    int tbl = rules_table_index(bytes_of_str("record"));
    assert_int_equal(hub_who_saw(&p.f->h, tbl, p.case_id.b, 0, hear, &t, NULL), ERR_NOTFOUND);
    end(&p);
}

/* A device that wrote what its site may not see holds it until it confirms; also by an envelope after others. */
static void a_device_that_wrote_the_row_is_told_of_though_it_was_never_sent_it(void **state)
{
    struct play p;
    (void)state;
    begin(&p, 8);
    tick(&p);
    int64_t written = p.f->clock;
    hub_fixture_step(p.f);
    hub_fixture_node_wrote(p.f, p.nodes[4], "record", p.row);
    hub_fixture_settle(p.f);
    struct told t = listen_at(&p, written - 1);
    assert_int_equal(t.devices[4].state, 0);
    t = listen_at(&p, written);
    assert_int_equal(t.devices[4].state, 'u');
    assert_false(t.sees[site_no("class")]);
    hub_fixture_pull(p.f, p.nodes[4], PLENTY);
    t = listen_at(&p, 0);
    assert_int_equal(t.devices[4].state, 'u');
    end(&p);
}

/* Clocks: steps made while it ran ahead were made before it was put right. */
static void a_clock_that_ran_ahead_does_not_hide_what_came_after(void **state)
{
    struct play p;
    (void)state;
    begin(&p, 9);
    int64_t right = p.f->clock;
    p.f->clock += 20 * MINUTE;
    hub_fixture_step(p.f);
    hub_fixture_set(p.f, "participant", p.parts[1], "access", "view");
    hub_fixture_settle(p.f);
    p.f->clock = right + 21 * MINUTE;
    hub_fixture_step(p.f);
    hub_fixture_set(p.f, "participant", p.parts[1], "access", "none");
    hub_fixture_settle(p.f);
    assert_true(listen_at(&p, right + 20 * MINUTE).sees[site_no("station")]);
    assert_false(listen_at(&p, right + 22 * MINUTE).sees[site_no("station")]);
    assert_int_equal(
        hub_fixture_number(p.f, "SELECT count(*) FROM h_step_time a JOIN h_step_time b ON b.version > a.version WHERE"
                                " b.at < a.at"),
        0);
    end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_saw_tells_at_any_time_what_the_book_says),
        cmocka_unit_test(before_it_was_there_nobody_saw_it),
        cmocka_unit_test(a_device_that_wrote_the_row_is_told_of_though_it_was_never_sent_it),
        cmocka_unit_test(a_clock_that_ran_ahead_does_not_hide_what_came_after),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
