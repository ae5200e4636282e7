/* Until when a row may be shown is told with the row, and told anew when it changes: by the policy alone, to nobody who
 * keeps the row, and about no row that a site does not see. Each pull below also compares what the device heard with
 * what the hub keeps, and each step what the hub keeps with what the policy will say. */
#include "tests/lib/hub_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HOUR   3600000LL
#define DAY    (24 * HOUR)
#define PLENTY (1u << 20)

/* A case of the council's with a brief; gp, station and mash have a device each, which has pulled. */
struct scene {
    struct hub_fixture *f;
    struct fixture_node *gp, *station, *mash;
    struct id c, brief;
    int64_t start;
};

static int set_up(void **state)
{
    struct scene *x = calloc(1, sizeof *x);
    assert_non_null(x);
    x->f = hub_fixture_new(5);
    hub_fixture_town(x->f);
    hub_fixture_step(x->f);
    x->c = hub_fixture_case(x->f);
    x->brief = hub_fixture_row(x->f, "brief", x->c, "council", "summary", "as told", NULL);
    hub_fixture_settle(x->f);
    x->gp = hub_fixture_node(x->f, "gp");
    x->station = hub_fixture_node(x->f, "station");
    x->mash = hub_fixture_node(x->f, "mash");
    x->start = x->f->clock;
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *x = *state;
    hub_fixture_node_free(x->gp);
    hub_fixture_node_free(x->station);
    hub_fixture_node_free(x->mash);
    hub_fixture_free(x->f);
    free(x);
    return 0;
}

static const char *day(const struct scene *x, int n, char out[32])
{
    (void)snprintf(out, 32, "#%lld", (long long)(x->start + n * DAY));
    return out;
}

/* A part of an agency for so many days; 0: for good. */
static struct id part(struct scene *x, const char *member, const char *site, const char *access, int days)
{
    char until[32];
    return hub_fixture_row(x->f, "participant", x->c, "council", "member", member, "site", site, "access", access,
                           days == 0 ? NULL : "until", days == 0 ? NULL : day(x, days, until), NULL);
}

static void set(struct scene *x, const char *table, struct id id, const char *column, const char *value)
{
    hub_fixture_step(x->f);
    hub_fixture_set(x->f, table, id, column, value);
    hub_fixture_settle(x->f);
}

static void pull(struct scene *x)
{
    struct fixture_node *all[] = {x->gp, x->station, x->mash};
    for (size_t i = 0; i < 3; i++) {
        hub_fixture_pull(x->f, all[i], PLENTY);
        hub_fixture_is_exact(x->f, all[i]);
    }
}

/* In days from the start, as the device heard; 0: it has no end. */
static int end_at(struct scene *x, const struct fixture_node *n, const char *table, struct id id)
{
    int tbl = rules_table_index(bytes_of_str(table));
    for (size_t i = 0; i < n->n_rows; i++) {
        if (n->rows[i].tbl != tbl || memcmp(n->rows[i].id, id.b, 16) != 0) continue;
        if (n->rows[i].not_after == 0) return 0;
        int64_t after = (int64_t)n->rows[i].not_after - x->start;
        assert_int_equal(after % DAY, 0);
        return (int)(after / DAY);
    }
    fail_msg("%s does not hold the row of %s", n->n.site, table);
    return -1;
}

static int64_t kept(struct scene *x)
{
    return hub_fixture_number(x->f, "SELECT count(*) FROM h_until");
}

static bool stays(struct scene *x, struct fixture_node *n)
{
    uint8_t before[16];
    memcpy(before, n->cursor, 16);
    hub_fixture_ask(x->f, n, PLENTY);
    bool same = memcmp(before, n->answer.cut, 16) == 0;
    hub_fixture_take(x->f, n);
    return same;
}

/* ---------------------------------------------------------------------------------------------------- each reason */

static void a_part_that_ends_gives_what_it_opens_its_end(void **state)
{
    struct scene *x = *state;
    hub_fixture_step(x->f);
    struct id p = part(x, "health", "", "view", 7);
    struct id own = hub_fixture_row(x->f, "record", x->c, "health", "sensitivity", "open", NULL);
    hub_fixture_settle(x->f);
    pull(x);
    assert_int_equal(end_at(x, x->gp, "case_file", x->c), 7);
    assert_int_equal(end_at(x, x->gp, "brief", x->brief), 7);
    assert_int_equal(end_at(x, x->gp, "record", own), 0);    /* its agency wrote it */
    assert_int_equal(end_at(x, x->gp, "participant", p), 0); /* its agency is told of it for good */
}

static void who_keeps_a_row_hears_of_no_end(void **state)
{
    struct scene *x = *state;
    hub_fixture_step(x->f);
    (void)part(x, "health", "", "view", 7);
    (void)part(x, "police", "", "view", 0);
    hub_fixture_settle(x->f);
    pull(x);
    for (size_t i = 0; i < x->mash->n_rows; i++) assert_int_equal(x->mash->rows[i].not_after, 0);
    for (size_t i = 0; i < x->station->n_rows; i++) assert_int_equal(x->station->rows[i].not_after, 0);
    assert_int_equal(hub_fixture_number(x->f, "SELECT count(*) FROM h_until u JOIN h_site s ON s.no = u.site_no"
                                              " WHERE s.code NOT IN ('gp', 'ward')"),
                     0);
}

static void a_consent_that_ends_gives_the_record_its_end_but_not_for_its_owner(void **state)
{
    struct scene *x = *state;
    char until[32], person[34];
    hub_fixture_step(x->f);
    (void)part(x, "health", "", "view", 0);
    (void)part(x, "police", "", "view", 0);
    struct id child = hub_fixture_row(x->f, "person", x->c, "council", "role", "child", NULL);
    struct id r = hub_fixture_row(x->f, "record", x->c, "health", "sensitivity", "open", "needs_consent", "#1", NULL);
    struct id given = hub_fixture_row(x->f, "consent", x->c, "council", "person_id", hub_fixture_hex(child, person),
                                      "scope", "all", "state", "given", "expires_at", day(x, 9, until), NULL);
    hub_fixture_settle(x->f);
    pull(x);
    assert_int_equal(end_at(x, x->station, "record", r), 9);
    assert_int_equal(end_at(x, x->mash, "record", r), 9);
    assert_int_equal(end_at(x, x->gp, "record", r), 0);
    assert_int_equal(end_at(x, x->station, "brief", x->brief), 0);
    set(x, "consent", given, "expires_at", NULL);
    pull(x);
    assert_int_equal(end_at(x, x->station, "record", r), 0);
    set(x, "consent", given, "expires_at", day(x, 12, until));
    pull(x);
    assert_int_equal(end_at(x, x->station, "record", r), 12);
    hub_fixture_step(x->f); /* the owner overrides: told without consent, and for good */
    hub_fixture_set(x->f, "record", r, "override_at", "#1");
    hub_fixture_set(x->f, "record", r, "override_reason", "at risk tonight");
    hub_fixture_settle(x->f);
    pull(x);
    assert_int_equal(end_at(x, x->station, "record", r), 0);
}

static void a_release_that_ends_gives_itself_an_end_for_whom_it_tells(void **state)
{
    struct scene *x = *state;
    char until[32];
    hub_fixture_step(x->f);
    struct id r = hub_fixture_row(x->f, "release", x->c, "police", "to_agency", "health", "state", "granted", "how",
                                  "whole", "title", "what we know", "expires_at", day(x, 3, until), NULL);
    hub_fixture_settle(x->f);
    pull(x);
    assert_int_equal(end_at(x, x->gp, "release", r), 3);
    assert_int_equal(end_at(x, x->station, "release", r), 0);
    set(x, "release", r, "expires_at", day(x, 4, until));
    pull(x);
    assert_int_equal(end_at(x, x->gp, "release", r), 4);
}

static void of_two_ways_the_one_that_lasts_longer_counts(void **state)
{
    struct scene *x = *state;
    char until[32];
    hub_fixture_step(x->f);
    (void)part(x, "health", "", "view", 7);
    struct id named = part(x, "health", "gp", "view", 0);
    hub_fixture_settle(x->f);
    pull(x);
    assert_int_equal(end_at(x, x->gp, "brief", x->brief), 0);
    set(x, "participant", named, "until", day(x, 20, until));
    pull(x);
    assert_int_equal(end_at(x, x->gp, "brief", x->brief), 20);
    set(x, "participant", named, "access", "check"); /* the face lasts longer than the rest */
    pull(x);
    assert_int_equal(end_at(x, x->gp, "brief", x->brief), 7);
    assert_int_equal(end_at(x, x->gp, "case_file", x->c), 20);
}

static void a_part_that_begins_when_another_ends_leaves_no_gap(void **state)
{
    struct scene *x = *state;
    char from[32];
    hub_fixture_step(x->f);
    (void)part(x, "health", "", "view", 7);
    (void)hub_fixture_row(x->f, "participant", x->c, "council", "member", "health", "site", "", "access", "view",
                          "since", day(x, 7, from), NULL);
    hub_fixture_settle(x->f);
    pull(x);
    assert_int_equal(end_at(x, x->gp, "brief", x->brief), 0);
}

/* -------------------------------------------------------------------------------------------------------- changes */

static void an_end_that_moves_is_told_again(void **state)
{
    struct scene *x = *state;
    char until[32];
    hub_fixture_step(x->f);
    struct id p = part(x, "health", "", "view", 7);
    hub_fixture_settle(x->f);
    pull(x);
    static const int moves[] = {30, 2, 9};
    for (size_t i = 0; i < 3; i++) {
        set(x, "participant", p, "until", day(x, moves[i], until));
        pull(x);
        assert_int_equal(end_at(x, x->gp, "brief", x->brief), moves[i]);
    }
    set(x, "participant", p, "until", NULL);
    pull(x);
    assert_int_equal(end_at(x, x->gp, "brief", x->brief), 0);
    assert_true(stays(x, x->gp));
}

static void a_row_that_joins_a_case_that_ends_comes_with_its_end(void **state)
{
    struct scene *x = *state;
    hub_fixture_step(x->f);
    (void)part(x, "health", "", "view", 7);
    hub_fixture_settle(x->f);
    pull(x);
    hub_fixture_step(x->f);
    struct id r = hub_fixture_row(x->f, "record", x->c, "police", "sensitivity", "open", NULL);
    hub_fixture_settle(x->f);
    pull(x);
    assert_int_equal(end_at(x, x->gp, "record", r), 7);
    set(x, "record", r, "title", "a call");
    assert_int_equal(hub_fixture_number(x->f, "SELECT count(*) FROM h_until u WHERE u.version ="
                                              " (SELECT value FROM h_counter WHERE name = 'version')"),
                     0); /* only what changed is told */
}

static void what_was_voided_or_lost_has_no_end_left(void **state)
{
    struct scene *x = *state;
    hub_fixture_step(x->f);
    struct id p = part(x, "health", "", "view", 7);
    hub_fixture_settle(x->f);
    pull(x);
    assert_true(kept(x) > 0);
    set(x, "participant", p, "voided_at", "#1");
    assert_int_equal(kept(x), 0);
    pull(x);
    assert_false(hub_fixture_holds(x->gp, "brief", x->brief));
}

static void what_is_given_back_for_good_has_no_end_from_before(void **state)
{
    struct scene *x = *state;
    hub_fixture_step(x->f);
    struct id p = part(x, "health", "", "view", 7);
    hub_fixture_settle(x->f);
    pull(x);
    set(x, "participant", p, "voided_at", "#1"); /* and back, before the device is heard from */
    hub_fixture_step(x->f);
    (void)part(x, "health", "", "view", 0);
    hub_fixture_settle(x->f);
    pull(x);
    assert_int_equal(end_at(x, x->gp, "brief", x->brief), 0);
}

static void when_the_time_comes_the_row_is_dropped_and_its_end_with_it(void **state)
{
    struct scene *x = *state;
    hub_fixture_step(x->f);
    (void)part(x, "health", "", "view", 7);
    hub_fixture_settle(x->f);
    pull(x);
    x->f->clock += 7 * DAY;
    pull(x);
    assert_false(hub_fixture_holds(x->gp, "brief", x->brief));
    assert_int_equal(kept(x), 0);
    x->f->clock -= 3 * DAY; /* the hub's clock had run ahead: believed after an hour */
    pull(x);
    assert_false(hub_fixture_holds(x->gp, "brief", x->brief));
    x->f->clock += 3600000;
    pull(x);
    assert_int_equal(end_at(x, x->gp, "brief", x->brief), 7);
}

/* ------------------------------------------------------------------------------------------------------ on the way */

/* Of very many times the nearest are looked at; when one has come, the next one is. */
static void an_end_behind_many_times_is_told_in_time_and_moves_the_cut_by_itself(void **state)
{
    struct scene *x = *state;
    hub_fixture_step(x->f);
    for (int i = 1; i <= 64; i++) (void)part(x, "school", "class", "check", i);
    (void)part(x, "health", "", "view", 66);
    hub_fixture_settle(x->f);
    pull(x);
    assert_int_equal(end_at(x, x->gp, "brief", x->brief), 0);
    x->f->clock += DAY;
    uint64_t rows = x->gp->got_rows + x->gp->got_columns;
    assert_false(stays(x, x->gp));
    assert_int_equal(x->gp->got_rows + x->gp->got_columns, rows);
    pull(x);
    assert_int_equal(end_at(x, x->gp, "brief", x->brief), 66);
    assert_true(stays(x, x->gp));
}

static void an_end_of_another_site_moves_nothing_that_a_device_sees(void **state)
{
    struct scene *x = *state;
    char until[32];
    hub_fixture_step(x->f);
    (void)part(x, "health", "", "view", 7);
    struct id quiet = hub_fixture_row(x->f, "participant", x->c, "council", "member", "police", "site", "", "access",
                                      "view", "quiet", "#1", "until", day(x, 5, until), NULL);
    hub_fixture_settle(x->f);
    pull(x);
    set(x, "participant", quiet, "until", day(x, 8, until));
    assert_true(stays(x, x->gp));
    pull(x);
    assert_int_equal(end_at(x, x->station, "brief", x->brief), 8);
}

static void many_ends_come_in_small_pages(void **state)
{
    struct scene *x = *state;
    char until[32];
    hub_fixture_step(x->f);
    struct id p = part(x, "health", "", "view", 7);
    for (int i = 0; i < 200; i++)
        (void)hub_fixture_row(x->f, "record", x->c, "police", "sensitivity", "open", "title", "a visit", NULL);
    hub_fixture_settle(x->f);
    hub_fixture_pull(x->f, x->gp, 700);
    hub_fixture_is_exact(x->f, x->gp);
    set(x, "participant", p, "until", day(x, 8, until)); /* one column of one row, and the ends of them all */
    hub_fixture_ask(x->f, x->gp, 700);
    assert_true(x->gp->answer.more);
    assert_true(x->gp->answer.pages.len < 2048);
    hub_fixture_take(x->f, x->gp);
    set(x, "participant", p, "until", day(x, 9, until)); /* while the device is in the middle of it */
    hub_fixture_pull(x->f, x->gp, 700);
    hub_fixture_is_exact(x->f, x->gp);
    assert_int_equal(end_at(x, x->gp, "brief", x->brief), 9);
}

static void a_device_that_waits_is_woken_by_an_end(void **state)
{
    struct scene *x = *state;
    struct cut cut;
    bool any = true;
    hub_fixture_step(x->f);
    for (int i = 1; i <= 64; i++) (void)part(x, "school", "class", "check", i);
    (void)part(x, "health", "", "view", 66);
    hub_fixture_settle(x->f);
    pull(x);
    assert_int_equal(cut_get(&x->f->h, x->gp->n.no, x->gp->cursor, &cut, NULL), ERR_OK);
    assert_int_equal(serve_pending(&x->f->h, &x->gp->n, &cut, &any, NULL), ERR_OK);
    assert_false(any);
    x->f->clock += DAY;
    hub_fixture_begin(x->f);
    assert_true(x->f->h.moved);
    hub_fixture_commit(x->f);
    assert_int_equal(serve_pending(&x->f->h, &x->gp->n, &cut, &any, NULL), ERR_OK);
    assert_true(any);
}

static void a_case_without_ends_keeps_nothing(void **state)
{
    struct scene *x = *state;
    hub_fixture_step(x->f);
    (void)part(x, "health", "", "view", 0);
    hub_fixture_settle(x->f);
    pull(x);
    assert_int_equal(kept(x), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_part_that_ends_gives_what_it_opens_its_end),
        TEST(who_keeps_a_row_hears_of_no_end),
        TEST(a_consent_that_ends_gives_the_record_its_end_but_not_for_its_owner),
        TEST(a_release_that_ends_gives_itself_an_end_for_whom_it_tells),
        TEST(of_two_ways_the_one_that_lasts_longer_counts),
        TEST(a_part_that_begins_when_another_ends_leaves_no_gap),
        TEST(an_end_that_moves_is_told_again),
        TEST(a_row_that_joins_a_case_that_ends_comes_with_its_end),
        TEST(what_was_voided_or_lost_has_no_end_left),
        TEST(what_is_given_back_for_good_has_no_end_from_before),
        TEST(when_the_time_comes_the_row_is_dropped_and_its_end_with_it),
        TEST(an_end_behind_many_times_is_told_in_time_and_moves_the_cut_by_itself),
        TEST(an_end_of_another_site_moves_nothing_that_a_device_sees),
        TEST(many_ends_come_in_small_pages),
        TEST(a_device_that_waits_is_woken_by_an_end),
        TEST(a_case_without_ends_keeps_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
