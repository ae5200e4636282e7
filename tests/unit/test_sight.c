#include "tests/lib/hub_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int set_up(void **state)
{
    struct hub_fixture *f = hub_fixture_new(1);
    hub_fixture_town(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    hub_fixture_free(*state);
    return 0;
}

#define sees hub_fixture_sees

static void sight_shows_a_new_case_to_the_room_and_the_night_only(void **state)
{
    struct hub_fixture *f = *state;
    hub_fixture_step(f);
    struct id c = hub_fixture_case(f);
    hub_fixture_settle(f);
    assert_true(sees(f, "mash", "case_file", c));
    assert_true(sees(f, "night", "case_file", c));
    assert_true(sees(f, "office", "case_file", c)); /* its agency wrote it */
    assert_false(sees(f, "gp", "case_file", c));
    assert_false(sees(f, "station", "case_file", c));
}

static void sight_follows_access_of_a_participant(void **state)
{
    struct hub_fixture *f = *state;
    hub_fixture_step(f);
    struct id c = hub_fixture_case(f);
    struct id p = hub_fixture_share(f, c, "health", "check");
    struct id open = hub_fixture_row(f, "record", c, "council", "sensitivity", "open", NULL);
    struct id hidden = hub_fixture_row(f, "record", c, "police", "sensitivity", "sensitive", NULL);
    struct id owners = hub_fixture_row(f, "record", c, "council", "sensitivity", "restricted", NULL);
    hub_fixture_settle(f);
    assert_true(sees(f, "gp", "case_file", c));
    assert_true(sees(f, "ward", "case_file", c));
    assert_false(sees(f, "far", "case_file", c)); /* does not cover the area */
    assert_false(sees(f, "gp", "record", open));
    hub_fixture_step(f);
    hub_fixture_set(f, "participant", p, "access", "view");
    hub_fixture_settle(f);
    assert_true(sees(f, "gp", "record", open));
    assert_false(sees(f, "gp", "record", hidden));
    assert_true(sees(f, "mash", "record", hidden));
    assert_false(sees(f, "night", "record", hidden));
    assert_true(sees(f, "office", "record", owners));
    assert_true(sees(f, "mash", "record", owners)); /* the council's own site, room or not */
    assert_false(sees(f, "gp", "record", owners));
    hub_fixture_step(f);
    hub_fixture_set(f, "participant", p, "access", "none");
    hub_fixture_settle(f);
    assert_false(sees(f, "gp", "record", open));
    assert_false(sees(f, "gp", "case_file", c));
    assert_true(sees(f, "gp", "participant", p)); /* what it was told: that it took part */
}

static void sight_follows_the_strictest_consent(void **state)
{
    struct hub_fixture *f = *state;
    char person[34];
    hub_fixture_step(f);
    struct id c = hub_fixture_case(f);
    (void)hub_fixture_share(f, c, "police", "view");
    struct id child = hub_fixture_row(f, "person", c, "council", "role", "child", NULL);
    struct id r = hub_fixture_row(f, "record", c, "health", "sensitivity", "open", "needs_consent", "#1", NULL);
    hub_fixture_settle(f);
    assert_false(sees(f, "station", "record", r));
    assert_false(sees(f, "mash", "record", r));
    assert_true(sees(f, "gp", "record", r));
    hub_fixture_step(f);
    struct id given = hub_fixture_row(f, "consent", c, "council", "person_id", hub_fixture_hex(child, person), "scope",
                                      "all", "state", "given", NULL);
    hub_fixture_settle(f);
    assert_true(sees(f, "station", "record", r));
    hub_fixture_step(f);
    struct id other =
        hub_fixture_row(f, "consent", c, "health", "person_id", person, "scope", "health", "state", "refused", NULL);
    hub_fixture_settle(f);
    assert_false(sees(f, "station", "record", r));
    hub_fixture_step(f);
    hub_fixture_set(f, "consent", other, "voided_at", "#1");
    hub_fixture_settle(f);
    assert_true(sees(f, "station", "record", r));
    hub_fixture_step(f); /* a second child, for whom nobody asked */
    struct id second = hub_fixture_row(f, "person", c, "council", "role", "child", NULL);
    hub_fixture_settle(f);
    assert_false(sees(f, "station", "record", r));
    hub_fixture_step(f);
    hub_fixture_set(f, "person", second, "voided_at", "#1");
    hub_fixture_set(f, "consent", given, "state", NULL); /* a consent without a state is none */
    hub_fixture_settle(f);
    assert_false(sees(f, "station", "record", r));
    hub_fixture_step(f);
    hub_fixture_set(f, "record", r, "override_at", "#1");
    hub_fixture_set(f, "record", r, "override_reason", "at risk tonight");
    hub_fixture_settle(f);
    assert_true(sees(f, "station", "record", r));
}

static void sight_ends_when_a_time_comes_and_no_clock_brings_it_back(void **state)
{
    struct hub_fixture *f = *state;
    char person[34], at[32];
    hub_fixture_step(f);
    struct id c = hub_fixture_case(f);
    (void)snprintf(at, sizeof at, "#%lld", (long long)f->clock + 1000);
    (void)hub_fixture_share(f, c, "police", "view");
    (void)hub_fixture_row(f, "participant", c, "council", "member", "school", "site", "", "access", "view", "until", at,
                          NULL);
    (void)hub_fixture_row(f, "participant", c, "council", "member", "health", "site", "", "access", "view", "since", at,
                          NULL);
    struct id child = hub_fixture_row(f, "person", c, "council", "role", "child", NULL);
    struct id r = hub_fixture_row(f, "record", c, "council", "sensitivity", "open", "needs_consent", "#1", NULL);
    (void)hub_fixture_row(f, "consent", c, "council", "person_id", hub_fixture_hex(child, person), "scope", "all",
                          "state", "given", "expires_at", at, NULL);
    struct id told =
        hub_fixture_row(f, "release", c, "council", "to_agency", "school", "expires_at", at, "body", "once", NULL);
    hub_fixture_settle(f);
    assert_true(sees(f, "station", "record", r));
    assert_true(sees(f, "class", "case_file", c));
    assert_true(sees(f, "class", "release", told));
    assert_false(sees(f, "gp", "case_file", c));
    f->clock += 1000;
    hub_fixture_begin(f);
    hub_fixture_commit(f);
    assert_false(sees(f, "station", "record", r));
    assert_false(sees(f, "class", "case_file", c));
    assert_false(sees(f, "class", "release", told));
    assert_true(sees(f, "gp", "case_file", c));
    f->clock -= 5000;
    hub_fixture_step(f);
    hub_fixture_set(f, "record", r, "title", "later");
    hub_fixture_settle(f);
    assert_false(sees(f, "station", "record", r));
}

/* The hub's clock runs ten years ahead for a moment, and is put right: an hour later that is believed. */
static void sight_is_judged_again_when_a_clock_that_ran_ahead_is_put_right(void **state)
{
    struct hub_fixture *f = *state;
    const int64_t years = 10LL * 365 * 86400000, now = f->clock;
    char at[32];
    hub_fixture_step(f);
    struct id c = hub_fixture_case(f);
    (void)snprintf(at, sizeof at, "#%lld", (long long)f->clock + 86400000);
    (void)hub_fixture_row(f, "participant", c, "council", "member", "police", "site", "", "access", "view", "until", at,
                          NULL);
    hub_fixture_settle(f);
    const bool seen[] = {true, false, false, true, false};
    const int64_t clock[] = {now, now + years, now + 1, now + 3600001, now + 86400000};
    for (size_t i = 0; i < 5; i++) {
        f->clock = clock[i];
        hub_fixture_begin(f);
        hub_fixture_commit(f);
        assert_int_equal(hub_verify(&f->h, NULL), ERR_OK);
        assert_int_equal(sees(f, "station", "case_file", c), seen[i]);
    }
}

static void sight_gives_the_room_and_the_lead_their_access(void **state)
{
    struct hub_fixture *f = *state;
    int64_t mask;
    int access;
    hub_fixture_step(f);
    struct id c = hub_fixture_case(f);
    (void)hub_fixture_share(f, c, "police", "view");
    (void)hub_fixture_share(f, c, "health", "check");
    hub_fixture_settle(f);
    const struct {
        const char *site;
        int council_leads, police_leads;
    } all[] = {{"mash", 5, 4}, {"station", 2, 5}, {"gp", 1, 1}, {"night", 0, 0}, {"class", 0, 0}};
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
            char sql[128];
            (void)snprintf(sql, sizeof sql, "SELECT no FROM h_site WHERE code = '%s'", all[i].site);
            assert_int_equal(sight_seat(&f->h, hub_fixture_number(f, sql),
                                        hub_fixture_number(f, "SELECT max(no) FROM h_case"), INT64_MAX, &mask, &access,
                                        NULL),
                             ERR_OK);
            assert_int_equal(access, round == 0 ? all[i].council_leads : all[i].police_leads);
        }
        hub_fixture_step(f);
        hub_fixture_set(f, "case_file", c, "lead_agency", "police");
        hub_fixture_settle(f);
    }
}

static void sight_of_a_restricted_case_is_for_named_sites_only(void **state)
{
    struct hub_fixture *f = *state;
    hub_fixture_step(f);
    struct id c = hub_fixture_case(f);
    (void)hub_fixture_share(f, c, "health", "view");
    (void)hub_fixture_row(f, "participant", c, "council", "member", "health", "site", "ward", "access", "view", NULL);
    hub_fixture_settle(f);
    hub_fixture_step(f);
    hub_fixture_set(f, "case_file", c, "restricted", "#1");
    hub_fixture_settle(f);
    assert_true(sees(f, "ward", "case_file", c));
    assert_false(sees(f, "gp", "case_file", c));
    assert_false(sees(f, "mash", "case_file", c));
    assert_false(sees(f, "night", "case_file", c));
    assert_false(sees(f, "office", "case_file", c));
    hub_fixture_step(f);
    (void)hub_fixture_row(f, "participant", c, "council", "member", "council", "site", "mash", "access", "contribute",
                          NULL);
    hub_fixture_settle(f);
    assert_true(sees(f, "mash", "case_file", c));
    assert_false(sees(f, "office", "case_file", c));
}

static void sight_of_a_named_site_keeps_what_its_agency_wrote_but_not_in_a_restricted_case(void **state)
{
    struct hub_fixture *f = *state;
    hub_fixture_step(f);
    struct id c = hub_fixture_case(f);
    struct id p = hub_fixture_row(f, "participant", c, "council", "member", "health", "site", "far", "access",
                                  "contribute", NULL); /* far does not cover the area: its part is all it has */
    struct id own = hub_fixture_row(f, "record", c, "health", "sensitivity", "sensitive", NULL);
    struct id others = hub_fixture_row(f, "record", c, "council", "sensitivity", "open", NULL);
    hub_fixture_settle(f);
    assert_true(sees(f, "far", "record", own) && sees(f, "far", "record", others));
    hub_fixture_step(f);
    hub_fixture_set(f, "participant", p, "access", "none");
    hub_fixture_settle(f);
    assert_true(sees(f, "far", "record", own));
    assert_true(sees(f, "far", "participant", p)); /* what it was told: that it took part */
    assert_false(sees(f, "far", "record", others));
    assert_false(sees(f, "far", "case_file", c));
    hub_fixture_step(f);
    (void)hub_fixture_row(f, "participant", c, "council", "member", "council", "site", "mash", "access", "contribute",
                          NULL);
    hub_fixture_set(f, "case_file", c, "restricted", "#1");
    hub_fixture_settle(f);
    assert_false(sees(f, "far", "record", own));
    assert_false(sees(f, "far", "participant", p));
    hub_fixture_step(f);
    hub_fixture_set(f, "case_file", c, "restricted", NULL);
    hub_fixture_settle(f);
    assert_true(sees(f, "far", "record", own));
    hub_fixture_step(f); /* a part that is void was never there */
    hub_fixture_set(f, "participant", p, "voided_at", "#1");
    hub_fixture_settle(f);
    assert_false(sees(f, "far", "record", own));
}

static void sight_of_a_conflict_follows_its_row(void **state)
{
    struct hub_fixture *f = *state;
    char row[34], kept[34], lost[34];
    hub_fixture_step(f);
    struct id c = hub_fixture_case(f);
    (void)hub_fixture_share(f, c, "health", "view");
    (void)hub_fixture_share(f, c, "police", "view");
    struct id r = hub_fixture_row(f, "record", c, "council", "sensitivity", "open", NULL);
    struct id a = hub_fixture_row(f, "practitioner", c, "", "site", "gp", "name", "A", NULL);
    struct id b = hub_fixture_row(f, "practitioner", c, "", "site", "office", "name", "B", NULL);
    struct id x = hub_fixture_row(f, "conflict", c, "council", "tbl", "record", "row_id", hub_fixture_hex(r, row),
                                  "col", "title", "policy", "escalate", "kept_by", hub_fixture_hex(a, kept), "lost_by",
                                  hub_fixture_hex(b, lost), "state", "open", NULL);
    hub_fixture_settle(f);
    assert_true(sees(f, "station", "conflict", x));
    hub_fixture_step(f);
    hub_fixture_set(f, "record", r, "sensitivity", "sensitive");
    hub_fixture_settle(f);
    assert_false(sees(f, "station", "conflict", x));
    assert_true(sees(f, "mash", "conflict", x));
    hub_fixture_step(f);
    hub_fixture_set(f, "record", r, "sensitivity", "open");
    hub_fixture_set(f, "conflict", x, "state", "settled");
    hub_fixture_settle(f);
    assert_false(sees(f, "station", "conflict", x));
    assert_true(sees(f, "gp", "conflict", x)); /* its author's agency, which wrote no row of the case */
    assert_true(sees(f, "office", "conflict", x));
    hub_fixture_step(f); /* the person moves: the conflict goes with them */
    hub_fixture_set(f, "practitioner", a, "site", "station");
    hub_fixture_settle(f);
    assert_true(sees(f, "station", "conflict", x));
    assert_false(sees(f, "gp", "conflict", x));
}

static void sight_of_every_case_follows_a_new_site_and_a_lost_area(void **state)
{
    struct hub_fixture *f = *state;
    char where[34];
    hub_fixture_step(f);
    struct id c = hub_fixture_case(f);
    (void)hub_fixture_share(f, c, "health", "view");
    hub_fixture_settle(f);
    hub_fixture_step(f);
    hub_fixture_site(f, "clinic", "health", "partner", NULL);
    struct id v = hub_fixture_row(f, "coverage", c, "", "site", "clinic", "area", "north", NULL);
    hub_fixture_settle(f);
    assert_true(sees(f, "clinic", "case_file", c));
    hub_fixture_step(f);
    hub_fixture_set(f, "coverage", v, "area", "south");
    hub_fixture_settle(f);
    assert_false(sees(f, "clinic", "case_file", c));
    hub_fixture_step(f);
    hub_fixture_set(f, "coverage", v, "area", "*");
    hub_fixture_settle(f);
    assert_true(sees(f, "clinic", "case_file", c));
    hub_fixture_step(f);
    assert_int_equal(sight_remove(&f->h, rules_table((size_t)rules_table_index(bytes_of_str("coverage"))), v.b, NULL),
                     ERR_OK);
    hub_fixture_settle(f);
    assert_false(sees(f, "clinic", "case_file", c));
    (void)hub_fixture_hex(v, where);
    assert_int_equal(hub_fixture_number(f, "SELECT count(*) FROM h_row WHERE gone = 1"), 1);
}

/* A step that narrows and widens again leaves no trace of the moment between. */
static void sight_compares_only_the_ends_of_a_step(void **state)
{
    struct hub_fixture *f = *state;
    hub_fixture_step(f);
    struct id c = hub_fixture_case(f);
    struct id p = hub_fixture_share(f, c, "health", "view");
    struct id r = hub_fixture_row(f, "record", c, "council", "sensitivity", "open", NULL);
    hub_fixture_settle(f);
    struct fixture_node *gp = hub_fixture_node(f, "gp");
    hub_fixture_pull(f, gp, 1 << 20);
    assert_true(hub_fixture_holds(gp, "record", r));
    hub_fixture_step(f);
    hub_fixture_set(f, "participant", p, "access", "none");
    hub_fixture_set(f, "record", r, "sensitivity", "restricted");
    hub_fixture_set(f, "participant", p, "access", "contribute");
    hub_fixture_set(f, "record", r, "sensitivity", "open");
    hub_fixture_settle(f);
    assert_int_equal(hub_fixture_number(f, "SELECT count(*) FROM h_drop"), 0);
    hub_fixture_pull(f, gp, 1 << 20);
    hub_fixture_is_exact(f, gp);
    assert_int_equal(gp->got_drops, 0);
    hub_fixture_node_free(gp);
}

static void sight_knows_since_when_and_what_was_at_a_version(void **state)
{
    struct hub_fixture *f = *state;
    struct hub_row row;
    bool found;
    int64_t site, since, mask, before;
    int access;
    hub_fixture_step(f);
    struct id c = hub_fixture_case(f);
    struct id p = hub_fixture_share(f, c, "health", "view");
    struct id r = hub_fixture_row(f, "record", c, "council", "sensitivity", "open", NULL);
    hub_fixture_settle(f);
    int64_t first = f->h.version;
    const int record = rules_table_index(bytes_of_str("record"));
    site = hub_fixture_number(f, "SELECT no FROM h_site WHERE code = 'gp'");
    hub_fixture_step(f);
    hub_fixture_set(f, "record", r, "title", "other");
    hub_fixture_settle(f);
    assert_int_equal(sight_row(&f->h, record, r.b, &row, &found, NULL), ERR_OK);
    assert_int_equal(sight_since(&f->h, site, &row, &since, NULL), ERR_OK);
    assert_int_equal(since, first);
    hub_fixture_step(f);
    hub_fixture_set(f, "participant", p, "access", "check");
    hub_fixture_settle(f);
    int64_t gone = f->h.version;
    assert_int_equal(sight_since(&f->h, site, &row, &since, NULL), ERR_OK);
    assert_int_equal(since, 0);
    hub_fixture_step(f);
    hub_fixture_set(f, "participant", p, "access", "contribute");
    hub_fixture_settle(f);
    int64_t back = f->h.version;
    hub_fixture_step(f); /* still seen, by another channel too: unbroken */
    hub_fixture_set(f, "participant", p, "access", "view");
    hub_fixture_settle(f);
    assert_int_equal(sight_row(&f->h, record, r.b, &row, &found, NULL), ERR_OK);
    assert_int_equal(sight_since(&f->h, site, &row, &since, NULL), ERR_OK);
    assert_int_equal(since, back);
    assert_int_equal(sight_seat(&f->h, site, row.case_no, gone, &mask, &access, NULL), ERR_OK);
    assert_int_equal(access, 1);
    assert_int_equal(sight_seat(&f->h, site, row.case_no, back, &mask, &access, NULL), ERR_OK);
    assert_int_equal(access, 3);
    assert_int_equal(sight_seat(&f->h, site, row.case_no, INT64_MAX, &mask, &access, NULL), ERR_OK);
    assert_int_equal(access, 2);
    assert_int_equal(sight_seat(&f->h, site, row.case_no, first - 1, &mask, &access, NULL), ERR_OK);
    assert_int_equal(mask, 0);
    assert_int_equal(sight_mask(&f->h, row.no, first - 1, &before, NULL), ERR_OK);
    assert_int_equal(before, 0);
    assert_int_equal(sight_mask(&f->h, row.no, INT64_MAX, &before, NULL), ERR_OK);
    assert_int_equal(before, row.mask);
}

static void sight_remembers_who_set_a_column(void **state)
{
    struct hub_fixture *f = *state;
    const struct table_rule *t = rules_table((size_t)rules_table_index(bytes_of_str("record")));
    const size_t title = (size_t)rules_column_index(t, bytes_of_str("title"));
    struct actor by = {.node_no = 7, .hlc = 99, .user = {5}};
    struct column_version v;
    struct hub_row row;
    bool found;
    hub_fixture_step(f);
    struct id c = hub_fixture_case(f);
    struct id r = hub_fixture_row(f, "record", c, "council", "title", "a", NULL);
    hub_fixture_settle(f);
    assert_int_equal(sight_row(&f->h, rules_table_index(bytes_of_str("record")), r.b, &row, &found, NULL), ERR_OK);
    assert_int_equal(sight_column(&f->h, &row, title, &v, NULL), ERR_OK);
    assert_int_equal(v.version, row.born);
    hub_fixture_step(f);
    assert_int_equal(sight_set(&f->h, t, r.b, title, value_str("b"), &by, NULL), ERR_OK);
    hub_fixture_settle(f);
    assert_int_equal(sight_column(&f->h, &row, title, &v, NULL), ERR_OK);
    assert_int_equal(v.version, f->h.version);
    assert_int_equal(v.node_no, 7);
    assert_int_equal(v.hlc, 99);
    assert_int_equal(v.user[0], 5);
}

static void sight_refuses_what_would_break_the_order(void **state)
{
    struct hub_fixture *f = *state;
    const struct table_rule *t = rules_table((size_t)rules_table_index(bytes_of_str("record")));
    struct row row = {.table = t};
    hub_fixture_step(f);
    struct id c = hub_fixture_case(f);
    struct id r = hub_fixture_row(f, "record", c, "council", "title", "a", NULL);
    struct id nowhere = hub_fixture_id(f);
    for (size_t i = 0; i < t->n_columns; i++) row.v[i] = value_null();
    row.v[0] = value_id(r.b);
    row.v[1] = value_id(c.b);
    row.v[2] = value_str("council");
    assert_int_equal(sight_insert(&f->h, &row, &f->hub, NULL), ERR_EXISTS);
    row.v[0] = value_id(nowhere.b);
    row.v[1] = value_id(nowhere.b);
    assert_int_equal(sight_insert(&f->h, &row, &f->hub, NULL), ERR_NOTFOUND);
    assert_int_equal(sight_set(&f->h, t, nowhere.b, 5, value_null(), &f->hub, NULL), ERR_NOTFOUND);
    assert_int_equal(sight_set(&f->h, t, r.b, 1, value_id(nowhere.b), &f->hub, NULL), ERR_DENIED);
    assert_int_equal(sight_set(&f->h, t, r.b, 2, value_str("police"), &f->hub, NULL), ERR_DENIED);
    assert_int_equal(sight_remove(&f->h, t, r.b, NULL), ERR_DENIED);
    assert_int_equal(sight_named(&f->h, 1, t, nowhere.b, NULL), ERR_NOTFOUND);
    hub_fixture_settle(f);
    assert_int_equal(sight_set(&f->h, t, r.b, 5, value_null(), &f->hub, NULL), ERR_FAILED);
    assert_int_equal(sight_settle(&f->h, NULL), ERR_FAILED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sight_shows_a_new_case_to_the_room_and_the_night_only),
        TEST(sight_follows_access_of_a_participant),
        TEST(sight_follows_the_strictest_consent),
        TEST(sight_ends_when_a_time_comes_and_no_clock_brings_it_back),
        TEST(sight_is_judged_again_when_a_clock_that_ran_ahead_is_put_right),
        TEST(sight_gives_the_room_and_the_lead_their_access),
        TEST(sight_of_a_restricted_case_is_for_named_sites_only),
        TEST(sight_of_a_named_site_keeps_what_its_agency_wrote_but_not_in_a_restricted_case),
        TEST(sight_of_a_conflict_follows_its_row),
        TEST(sight_of_every_case_follows_a_new_site_and_a_lost_area),
        TEST(sight_compares_only_the_ends_of_a_step),
        TEST(sight_knows_since_when_and_what_was_at_a_version),
        TEST(sight_remembers_who_set_a_column),
        TEST(sight_refuses_what_would_break_the_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
