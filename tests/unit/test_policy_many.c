/* A policy that comes over thousands of cases in small batches, and one that there are not bits enough for. SPOKE_CASES
 * says over how many; the time it took is printed. */
#include "hub/policy_change.h"
#include "tests/lib/hub_fixture.h"
#include "tests/lib/must.h"
#include "tests/lib/policy_variant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define AGENCIES 10
#define SITES    30
#define PLENTY   (1u << 20)

static const struct policy_variant mixed = {
    .rows =
        "WHEN tbl = 'warning' AND channel = 'face' THEN 'shared' WHEN tbl = 'referral' AND channel = 'room' THEN 'shared'"};

/* Agencies a0 …, three sites each, that cover one of three areas. */
static void make_sites(struct hub_fixture *f)
{
    static const char *const areas[] = {"north", "south", "east"};
    char agency[16], site[16];
    hub_fixture_step(f);
    for (int i = 0; i < AGENCIES; i++) {
        (void)snprintf(agency, sizeof agency, "a%d", i);
        hub_fixture_agency(f, agency, i == 0 ? "social_care" : "health");
    }
    for (int i = 0; i < SITES; i++) {
        (void)snprintf(agency, sizeof agency, "a%d", i % AGENCIES);
        (void)snprintf(site, sizeof site, "s%d", i);
        hub_fixture_site(f, site, agency, i % AGENCIES == 0 ? "mash" : "partner", areas[i / AGENCIES]);
    }
    hub_fixture_settle(f);
}

/* Eight rows: the file, three parts, and what a case has. */
static void make_case(struct hub_fixture *f, int i)
{
    static const char *const areas[] = {"north", "south", "east"}, *const access[] = {"check", "view", "contribute"};
    char member[16];
    struct id c = hub_fixture_row(f, "case_file", (struct id){{0}}, "a0", "area", areas[i % 3], "status", "new",
                                  "lead_agency", "a0", "subject_kind", "child", NULL);
    for (int k = 0; k < 3; k++) {
        (void)snprintf(member, sizeof member, "a%d", 1 + (i + k * 3) % (AGENCIES - 1));
        (void)hub_fixture_row(f, "participant", c, "a0", "member", member, "site", "", "access", access[(i + k) % 3],
                              NULL);
    }
    (void)hub_fixture_row(f, "person", c, "a0", "role", "child", NULL);
    (void)hub_fixture_row(f, "warning", c, "a0", "note", "dog", NULL);
    if (i % 4 != 0) (void)hub_fixture_row(f, "record", c, member, "sensitivity", "open", "title", "t", NULL);
    if (i % 2 == 0) (void)hub_fixture_row(f, "referral", c, "a0", "source", "school", NULL);
}

static void make_cases(struct hub_fixture *f, int n)
{
    for (int i = 0; i < n;) {
        hub_fixture_step(f);
        for (int k = 0; k < 200 && i < n; k++) make_case(f, i++);
        MUST(sight_settle(&f->h, &why));
        hub_fixture_commit(f);
    }
}

static double seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void a_policy_comes_over_thousands_of_cases_in_small_batches(void **state)
{
    const char *said = getenv("SPOKE_CASES");
    int n = said == NULL ? 2000 : atoi(said);
    struct hub_fixture *f = hub_fixture_new(9);
    bool done = false, both = false;
    (void)state;
    make_sites(f);
    make_cases(f, n);
    struct fixture_node *room = hub_fixture_node(f, "s0"), *partner = hub_fixture_node(f, "s12");
    hub_fixture_pull(f, room, PLENTY);
    hub_fixture_pull(f, partner, PLENTY);
    double began = seconds();
    policy_variant_begin(f, &mixed);
    double applied = seconds(), spent = 0, longest = 0;
    for (int batch = 0; !done; batch++) {
        double from = seconds(), took;
        MUST(hub_policy_continue(&f->h, 37, &done, &why));
        took = seconds() - from;
        spent += took;
        longest = took > longest ? took : longest;
        both |= hub_fixture_number(f, "SELECT count(*) FROM h_case WHERE policy = 1") > 0;
        if (batch % 20 == 0) hub_fixture_pull(f, partner, PLENTY);
        if (batch % 20 == 0) hub_fixture_is_exact(f, partner);
    }
    (void)fprintf(stderr,
                  "%d cases: apply %.3f s, continue %.3f s (%.0f cases a second), longest batch of 37 %.0f ms\n", n,
                  applied - began, spent, n / spent, longest * 1e3);
    assert_true(both);
    MUST(hub_verify(&f->h, &why));
    hub_fixture_pull(f, room, PLENTY);
    hub_fixture_pull(f, partner, PLENTY);
    hub_fixture_is_exact(f, room);
    hub_fixture_is_exact(f, partner);
    assert_int_equal(room->got_drops, 0);
    assert_true(partner->got_drops > 0);
    hub_fixture_node_free(room);
    hub_fixture_node_free(partner);
    hub_fixture_free(f);
}

/* A case in which each of many agencies has a site that contributes and one that only checks, and a row of its own. */
static struct id wide_case(struct hub_fixture *f, int agencies)
{
    char agency[16], one[16], two[16];
    hub_fixture_step(f);
    hub_fixture_agency(f, "council", "social_care");
    for (int i = 0; i < agencies; i++) {
        (void)snprintf(agency, sizeof agency, "b%d", i);
        (void)snprintf(one, sizeof one, "one%d", i);
        (void)snprintf(two, sizeof two, "two%d", i);
        hub_fixture_agency(f, agency, "health");
        hub_fixture_site(f, one, agency, "partner", NULL);
        hub_fixture_site(f, two, agency, "partner", NULL);
    }
    struct id c = hub_fixture_row(f, "case_file", (struct id){{0}}, "council", "area", "north", "status", "new",
                                  "lead_agency", "council", "subject_kind", "child", NULL);
    (void)hub_fixture_row(f, "warning", c, "council", "note", "dog", NULL);
    (void)hub_fixture_row(f, "referral", c, "council", "source", "school", NULL);
    (void)hub_fixture_row(f, "rating", c, "council", "rag", "red", NULL);
    hub_fixture_settle(f);
    return c;
}

static void join(struct hub_fixture *f, struct id c, int from, int to)
{
    char agency[16], one[16], two[16];
    hub_fixture_step(f);
    for (int i = from; i < to; i++) {
        (void)snprintf(agency, sizeof agency, "b%d", i);
        (void)snprintf(one, sizeof one, "one%d", i);
        (void)snprintf(two, sizeof two, "two%d", i);
        (void)hub_fixture_row(f, "participant", c, "council", "member", agency, "site", one, "access", "contribute",
                              NULL);
        (void)hub_fixture_row(f, "participant", c, "council", "member", agency, "site", two, "access", "check", NULL);
        (void)hub_fixture_row(f, "record", c, agency, "sensitivity", "restricted", "title", "own", NULL);
    }
    hub_fixture_settle(f);
}

static void a_policy_that_there_are_not_bits_enough_for_is_refused_and_changes_nothing(void **state)
{
    struct hub_fixture *f = hub_fixture_new(10);
    char *text = policy_variant_text(&mixed);
    struct why said = {0};
    (void)state;
    struct id c = wide_case(f, 40);
    join(f, c, 0, 40);
    assert_int_equal(hub_policy_apply(&f->h, bytes_of_str(text), "because", &said), ERR_LIMIT);
    assert_non_null(strstr(said.next, "two smaller"));
    assert_int_equal(hub_fixture_number(f, "SELECT count(*) FROM h_policy WHERE state = 'coming'"), 0);
    assert_int_equal(hub_fixture_number(f, "SELECT count(*) FROM h_act"), 0);
    policy_variant_agrees(f);
    free(text);
    hub_fixture_free(f);
}

static void sites_beyond_the_bits_that_join_meanwhile_see_too_little_for_a_while_and_never_too_much(void **state)
{
    struct hub_fixture *f = hub_fixture_new(11);
    struct id c = wide_case(f, 40);
    bool done = false;
    (void)state;
    join(f, c, 0, 20);
    policy_variant_begin(f, &mixed);
    MUST(hub_policy_continue(&f->h, 10, &done, &why));
    assert_int_equal(hub_fixture_number(f, "SELECT policy FROM h_case WHERE no = 1"), CASE_BOTH);
    join(f, c, 20, 40);
    assert_int_equal(policy_variant_differs(f, CASE_BOTH, true), 0);
    assert_true(policy_variant_differs(f, CASE_BOTH, false) > 0);
    policy_variant_finish(f);
    policy_variant_agrees(f);
    hub_fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_policy_comes_over_thousands_of_cases_in_small_batches),
        cmocka_unit_test(a_policy_that_there_are_not_bits_enough_for_is_refused_and_changes_nothing),
        cmocka_unit_test(sites_beyond_the_bits_that_join_meanwhile_see_too_little_for_a_while_and_never_too_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
