#include "tests/lib/hub_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PLENTY (1u << 20)

struct play {
    struct hub_fixture *f;
    struct id c, part, record;
    struct fixture_node *gp;
};

static int set_up(void **state)
{
    struct play *p = calloc(1, sizeof *p);
    assert_non_null(p);
    p->f = hub_fixture_new(3);
    hub_fixture_town(p->f);
    hub_fixture_step(p->f);
    p->c = hub_fixture_case(p->f);
    p->part = hub_fixture_share(p->f, p->c, "health", "view");
    p->record = hub_fixture_row(p->f, "record", p->c, "council", "sensitivity", "open", "title", "a", NULL);
    hub_fixture_settle(p->f);
    p->gp = hub_fixture_node(p->f, "gp");
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct play *p = *state;
    hub_fixture_node_free(p->gp);
    hub_fixture_free(p->f);
    free(p);
    return 0;
}

static void set(struct play *p, const char *table, struct id id, const char *column, const char *value)
{
    hub_fixture_step(p->f);
    hub_fixture_set(p->f, table, id, column, value);
    hub_fixture_settle(p->f);
}

static bool pending(struct play *p)
{
    struct cut cut;
    bool any = false;
    assert_int_equal(cut_get(&p->f->h, p->gp->n.no, p->gp->cursor, &cut, NULL), ERR_OK);
    assert_int_equal(serve_pending(&p->f->h, &p->gp->n, &cut, &any, NULL), ERR_OK);
    return any;
}

static void serve_sends_a_new_node_all_it_may_see(void **state)
{
    struct play *p = *state;
    assert_true(pending(p));
    hub_fixture_pull(p->f, p->gp, PLENTY);
    hub_fixture_is_exact(p->f, p->gp);
    assert_true(hub_fixture_holds(p->gp, "record", p->record));
    assert_false(pending(p));
}

static void serve_sends_only_the_columns_that_changed(void **state)
{
    struct play *p = *state;
    hub_fixture_pull(p->f, p->gp, PLENTY);
    set(p, "record", p->record, "title", "b");
    uint64_t rows = p->gp->got_rows;
    hub_fixture_pull(p->f, p->gp, PLENTY);
    assert_int_equal(p->gp->got_rows, rows);
    assert_int_equal(p->gp->got_columns, 1);
    hub_fixture_is_exact(p->f, p->gp);
}

/* A write that the site may not see moves nothing that it can observe: no page, no new cut, nothing pending. */
static void serve_hides_every_trace_of_writes_elsewhere(void **state)
{
    struct play *p = *state;
    uint8_t before[16];
    hub_fixture_pull(p->f, p->gp, PLENTY);
    memcpy(before, p->gp->cursor, 16);
    int64_t cuts = hub_fixture_number(p->f, "SELECT count(*) FROM h_cut");
    hub_fixture_step(p->f);
    struct id hidden = hub_fixture_row(p->f, "record", p->c, "council", "sensitivity", "sensitive", "title", "x", NULL);
    (void)hub_fixture_row(p->f, "participant", p->c, "council", "member", "police", "site", "", "access", "view",
                          "quiet", "#1", NULL);
    (void)hub_fixture_case(p->f);
    hub_fixture_settle(p->f);
    set(p, "record", hidden, "title", "y");
    assert_false(pending(p));
    hub_fixture_ask(p->f, p->gp, PLENTY);
    assert_int_equal(p->gp->answer.pages.len, 0);
    hub_fixture_take(p->f, p->gp);
    assert_memory_equal(before, p->gp->cursor, 16);
    assert_int_equal(hub_fixture_number(p->f, "SELECT count(*) FROM h_cut"), cuts);
}

/* A row whose channels change but which stays in sight carries nothing new. */
static void serve_says_nothing_of_a_channel_that_the_site_does_not_hold(void **state)
{
    struct play *p = *state;
    char person[34];
    hub_fixture_step(p->f);
    struct id child = hub_fixture_row(p->f, "person", p->c, "council", "role", "child", NULL);
    struct id mine =
        hub_fixture_row(p->f, "record", p->c, "health", "sensitivity", "open", "needs_consent", "#1", NULL);
    hub_fixture_settle(p->f);
    hub_fixture_pull(p->f, p->gp, PLENTY);
    hub_fixture_step(p->f); /* frees the record for the others; its own agency saw it already */
    (void)hub_fixture_row(p->f, "consent", p->c, "council", "person_id", hub_fixture_hex(child, person), "scope", "all",
                          "state", "given", NULL);
    hub_fixture_settle(p->f);
    uint64_t rows = p->gp->got_rows;
    hub_fixture_pull(p->f, p->gp, PLENTY);
    assert_int_equal(p->gp->got_rows - rows, 1); /* the consent alone */
    assert_int_equal(p->gp->got_columns, 0);
    assert_true(hub_fixture_holds(p->gp, "record", mine));
    hub_fixture_is_exact(p->f, p->gp);
}

static void serve_moves_on_by_at_least_one_row_whatever_the_budget(void **state)
{
    struct play *p = *state;
    for (int i = 0; i < 1000; i++) {
        uint64_t rows = p->gp->got_rows;
        hub_fixture_ask(p->f, p->gp, 0);
        bool more = p->gp->answer.more;
        hub_fixture_take(p->f, p->gp);
        if (!more) break;
        assert_int_equal(p->gp->got_rows, rows + 1);
    }
    hub_fixture_is_exact(p->f, p->gp);
}

static void serve_keeps_to_its_budget(void **state)
{
    struct play *p = *state;
    char body[901];
    memset(body, 'x', sizeof body - 1);
    body[sizeof body - 1] = '\0';
    hub_fixture_step(p->f);
    for (int i = 0; i < 20; i++)
        (void)hub_fixture_row(p->f, "record", p->c, "council", "sensitivity", "open", "body", body, NULL);
    hub_fixture_settle(p->f);
    for (bool more = true; more;) {
        hub_fixture_ask(p->f, p->gp, 5000);
        more = p->gp->answer.more;
        assert_true(p->gp->answer.pages.len < 5000 + 1500); /* signature and headers come on top */
        hub_fixture_take(p->f, p->gp);
    }
    hub_fixture_is_exact(p->f, p->gp);
}

/* Pulls row by row until the record is there, which is the last of the north's rows. */
static void pull_until(struct play *p, const char *table, struct id id)
{
    do {
        hub_fixture_ask(p->f, p->gp, 1);
        hub_fixture_take(p->f, p->gp);
    } while (!hub_fixture_holds(p->gp, table, id));
}

static void serve_catches_up_with_a_row_that_changed_while_a_series_ran(void **state)
{
    struct play *p = *state;
    pull_until(p, "case_file", p->c);
    set(p, "case_file", p->c, "rag", "red");   /* below the series' position */
    set(p, "record", p->record, "title", "b"); /* above it */
    hub_fixture_pull(p->f, p->gp, 1);
    hub_fixture_is_exact(p->f, p->gp);
}

static void serve_catches_up_with_a_row_that_appeared_below_the_position(void **state)
{
    struct play *p = *state;
    hub_fixture_step(p->f);
    struct id early = hub_fixture_row(p->f, "record", p->c, "council", "sensitivity", "sensitive", NULL);
    struct id late = hub_fixture_row(p->f, "record", p->c, "council", "sensitivity", "open", NULL);
    (void)hub_fixture_row(p->f, "record", p->c, "council", "sensitivity", "open", NULL);
    hub_fixture_settle(p->f);
    pull_until(p, "record", late);
    assert_true(p->gp->answer.more || pending(p));
    set(p, "record", early, "sensitivity", "open");
    hub_fixture_pull(p->f, p->gp, 1);
    assert_true(hub_fixture_holds(p->gp, "record", early));
    hub_fixture_is_exact(p->f, p->gp);
}

static void serve_ends_a_series_of_which_nothing_is_left(void **state)
{
    struct play *p = *state;
    pull_until(p, "case_file", p->c);
    set(p, "participant", p->part, "voided_at", "#1");
    hub_fixture_pull(p->f, p->gp, 1);
    hub_fixture_is_exact(p->f, p->gp);
    set(p, "participant", p->part, "voided_at", NULL);
    hub_fixture_pull(p->f, p->gp, 1);
    hub_fixture_is_exact(p->f, p->gp);
    assert_false(pending(p));
}

static void serve_gives_both_nodes_of_a_site_the_same(void **state)
{
    struct play *p = *state;
    struct fixture_node *two = hub_fixture_node(p->f, "gp");
    hub_fixture_pull(p->f, p->gp, PLENTY);
    set(p, "record", p->record, "title", "b");
    hub_fixture_pull(p->f, two, 100);
    hub_fixture_pull(p->f, p->gp, PLENTY);
    hub_fixture_is_exact(p->f, two);
    hub_fixture_is_exact(p->f, p->gp);
    hub_fixture_node_free(two);
}

static uint32_t be32(const uint8_t *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* Contents of different agencies never share a compressed frame: an agency's parts stand together, one a case. */
static void serve_keeps_the_parts_of_an_agency_together(void **state)
{
    struct play *p = *state;
    const char *const agencies[] = {"council", "health", "police", "school"};
    hub_fixture_step(p->f);
    for (int i = 0; i < 40; i++)
        (void)hub_fixture_row(p->f, "record", p->c, agencies[i % 4], "sensitivity", "open", NULL);
    hub_fixture_settle(p->f);
    hub_fixture_ask(p->f, p->gp, PLENTY);
    const struct buf *b = &p->gp->answer.pages;
    char seen[8][32] = {""};
    size_t n = 0, items = 0;
    for (size_t at = 0; at < b->len; items++) {
        uint32_t origin = be32(b->data + at);
        char name[32] = "";
        memcpy(name, b->data + at + 4, origin);
        at += 4 + origin;
        at += 4 + be32(b->data + at);
        if (items == 0) continue; /* the page itself */
        for (size_t i = 0; i < n; i++)
            assert_string_not_equal(seen[i], name); /* one case here: each agency has one part */
        memcpy(seen[n++], name, sizeof name);
    }
    assert_int_equal(n, 5); /* four agencies and the reference data */
    hub_fixture_take(p->f, p->gp);
    hub_fixture_is_exact(p->f, p->gp);
}

static void serve_puts_no_more_parts_into_a_page_than_a_page_may_have(void **state)
{
    struct play *p = *state;
    hub_fixture_begin(p->f);
    assert_int_equal(sight_step(&p->f->h, NULL), ERR_OK);
    for (unsigned i = 0; i < ENVELOPE_MAX_PARTS / 4 + 10; i++) { /* four agencies write in each case */
        struct id c = hub_fixture_case(p->f);
        (void)hub_fixture_share(p->f, c, "health", "view");
        (void)hub_fixture_row(p->f, "rating", c, "health", NULL);
        (void)hub_fixture_row(p->f, "rating", c, "police", NULL);
        (void)hub_fixture_row(p->f, "rating", c, "school", NULL);
    }
    assert_int_equal(sight_settle(&p->f->h, NULL), ERR_OK);
    hub_fixture_commit(p->f);
    hub_fixture_begin(p->f);
    struct cut cut;
    struct served s;
    assert_int_equal(cut_get(&p->f->h, p->gp->n.no, p->gp->cursor, &cut, NULL), ERR_OK);
    assert_int_equal(serve_page(&p->f->h, &p->gp->n, &cut, 16 << 20, &s, NULL), ERR_OK);
    assert_int_equal(s.n_parts, ENVELOPE_MAX_PARTS);
    assert_true(s.more);
    served_release(&s);
    hub_fixture_commit(p->f);
}

static void cut_of_another_node_is_refused_like_one_that_never_was(void **state)
{
    struct play *p = *state;
    struct fixture_node *two = hub_fixture_node(p->f, "gp");
    uint8_t none[16] = {1};
    struct why a = {0}, b = {0};
    struct cut cut = {.hi = 77};
    hub_fixture_pull(p->f, p->gp, PLENTY);
    assert_int_equal(cut_get(&p->f->h, two->n.no, p->gp->cursor, &cut, &a), ERR_REFUSED);
    assert_int_equal(cut_get(&p->f->h, two->n.no, none, &cut, &b), ERR_REFUSED);
    assert_string_equal(a.text, b.text);
    assert_int_equal(cut.hi, 77);
    hub_fixture_node_free(two);
}

static void serve_is_pending_for_drops_and_verdicts(void **state)
{
    struct play *p = *state;
    hub_fixture_pull(p->f, p->gp, PLENTY);
    assert_false(pending(p));
    set(p, "participant", p->part, "access", "none");
    assert_true(pending(p));
    hub_fixture_pull(p->f, p->gp, PLENTY);
    assert_false(pending(p));
    hub_fixture_sql(
        p->f,
        "INSERT INTO h_envelope(node_no, seq, hash, cose, parts, base_cut, hlc, user, received_at, version, verdict)"
        " SELECT no, 1, x'', x'', x'', x'', 0, x'', 0, 0, 2 FROM h_node");
    assert_true(pending(p));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(serve_sends_a_new_node_all_it_may_see),
        TEST(serve_sends_only_the_columns_that_changed),
        TEST(serve_hides_every_trace_of_writes_elsewhere),
        TEST(serve_says_nothing_of_a_channel_that_the_site_does_not_hold),
        TEST(serve_moves_on_by_at_least_one_row_whatever_the_budget),
        TEST(serve_keeps_to_its_budget),
        TEST(serve_catches_up_with_a_row_that_changed_while_a_series_ran),
        TEST(serve_catches_up_with_a_row_that_appeared_below_the_position),
        TEST(serve_ends_a_series_of_which_nothing_is_left),
        TEST(serve_gives_both_nodes_of_a_site_the_same),
        TEST(serve_keeps_the_parts_of_an_agency_together),
        TEST(serve_puts_no_more_parts_into_a_page_than_a_page_may_have),
        TEST(cut_of_another_node_is_refused_like_one_that_never_was),
        TEST(serve_is_pending_for_drops_and_verdicts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
