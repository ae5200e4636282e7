/* The revocation tests that Couchbase documents for Sync Gateway and its clients, in our words: a role is an agency's
 * part in a case, a channel what a site holds of it, an administrator's grant a coverage. The 14 interleavings are in
 * test_scenario_grants.c, pages, limits and crossing answers in test_scenario_pages.c, narrowing and cascades in
 * test_scenario_narrow.c and test_scenario_kinds.c, what needs a real device in test_scenario_return.c and
 * test_scenario_devices.c. Without a counterpart, because there is nothing that could be set so:
 * - grants to all users (a document in the star channel): only reference rows are everybody's (test_drops.c);
 * - a user without access to anything: a device has a site for good, and a site sees what it covers or takes part in;
 * - a channel filter of the reader: a device cannot ask for less than its site sees;
 * - tombstones, and their purge: nothing is deleted, voiding is tested here;
 * - low sequences: a cut is one number and where its pages stand (test_scenario_pages.c);
 * - auto-purge switched off, and revocations that a reader did not ask for: who is told to forget forgets;
 * - a document that its author's push makes invisible to him: its agency sees what it wrote, save in a restricted case
 *   that it has lost (test_scenario_return.c). */
#include "tests/lib/scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int set_up(void **state)
{
    struct scene *s = calloc(1, sizeof *s);
    assert_non_null(s);
    scene_start(s, 45);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    scene_stop(*state);
    free(*state);
    return 0;
}

#define ROWS 4 /* of the case: file, person, brief, record */

static void forgets(struct scene *s, struct fixture_node *n, uint64_t rows)
{
    assert_int_equal(scene_waiting(s, n), rows);
    assert_int_equal(scene_pull(s, n, SCENE_PLENTY), rows);
    scene_is_quiet(s, n);
}

static void forgets_nothing(struct scene *s, struct fixture_node *n)
{
    forgets(s, n, 0);
    assert_true(hub_fixture_holds(n, "record", s->record));
}

static void comes_back_whole(struct scene *s, struct fixture_node *n, uint64_t dropped)
{
    uint64_t rows = n->got_rows;
    assert_int_equal(scene_pull(s, n, SCENE_PLENTY), dropped);
    assert_true(n->got_rows - rows >= ROWS);
    assert_true(hub_fixture_holds(n, "record", s->record));
    scene_is_quiet(s, n);
}

/* ---------------------------------------------------------------------------------- several ways, of which one goes */

static void a_room_that_also_takes_part_keeps_the_case_when_its_part_ends(void **state)
{
    struct scene *s = *state;
    struct id part = scene_part(s, "council", "mash", "contribute");
    struct fixture_node *n = scene_node(s, "mash");
    scene_set(s, "participant", part, "access", "none");
    forgets_nothing(s, n);
    hub_fixture_node_free(n);
}

static void an_out_of_hours_team_that_also_takes_part_keeps_a_case_that_closes(void **state)
{
    struct scene *s = *state;
    hub_fixture_step(s->f);
    hub_fixture_site(s->f, "owls", "health", "out_of_hours", "*");
    hub_fixture_settle(s->f);
    struct id part = scene_part(s, "health", "owls", "view");
    struct fixture_node *n = scene_node(s, "owls");
    scene_set(s, "case_file", s->c, "status", "closed");
    forgets_nothing(s, n);
    scene_set(s, "case_file", s->c, "status", "new");
    scene_set(s, "participant", part, "access", "none");
    forgets_nothing(s, n); /* the other way round */
    scene_set(s, "case_file", s->c, "status", "closed");
    forgets(s, n, ROWS); /* its own part stays told to it */
    hub_fixture_node_free(n);
}

static void of_two_parts_of_one_agency_the_loss_of_either_takes_nothing(void **state)
{
    struct scene *s = *state;
    struct id one = scene_part(s, "health", "", "view"), two = scene_part(s, "health", "", "view");
    struct fixture_node *n = scene_node(s, "gp");
    scene_set(s, "participant", one, "access", "none");
    forgets_nothing(s, n);
    scene_set(s, "participant", one, "access", "view");
    scene_set(s, "participant", two, "access", "none");
    forgets_nothing(s, n);
    scene_set(s, "participant", one, "access", "none");
    forgets(s, n, ROWS);
    hub_fixture_node_free(n);
}

static void a_site_named_beside_its_agency_loses_nothing_with_either(void **state)
{
    struct scene *s = *state;
    struct id agency = scene_part(s, "health", "", "view"), named = scene_part(s, "health", "gp", "view");
    struct fixture_node *gp = scene_node(s, "gp"), *ward = scene_node(s, "ward");
    scene_set(s, "participant", agency, "access", "none");
    forgets_nothing(s, gp);
    forgets(s, ward, ROWS);
    scene_set(s, "participant", agency, "access", "view");
    comes_back_whole(s, ward, 0);
    scene_set(s, "participant", named, "access", "none");
    forgets_nothing(s, gp);
    hub_fixture_node_free(gp);
    hub_fixture_node_free(ward);
}

/* Nobody writes anything when a part ends by its time; what it alone gave goes then, and is told at the next contact.
 * */
static void a_part_that_ends_by_its_time_takes_only_what_no_other_part_gives(void **state)
{
    struct scene *s = *state;
    char soon[32], later[32];
    struct id one = scene_part(s, "health", "", "view"), two = scene_part(s, "health", "gp", "check");
    struct fixture_node *gp = scene_node(s, "gp"), *ward = scene_node(s, "ward"), *away = scene_node(s, "gp");
    (void)snprintf(soon, sizeof soon, "#%lld", (long long)s->f->clock + 86400000);
    (void)snprintf(later, sizeof later, "#%lld", (long long)s->f->clock + 3 * 86400000LL);
    scene_set(s, "participant", one, "until", soon);
    scene_set(s, "participant", two, "until", later);
    forgets_nothing(s, gp);
    s->f->clock += 86400000;
    assert_int_equal(scene_pull(s, gp, SCENE_PLENTY), 2); /* brief and record: it still checks */
    assert_int_equal(scene_pull(s, ward, SCENE_PLENTY), ROWS);
    scene_set(s, "participant", one, "until", later);
    comes_back_whole(s, ward, 0);
    (void)scene_pull(s, gp, SCENE_PLENTY);
    assert_true(hub_fixture_holds(gp, "record", s->record));
    s->f->clock += 2 * 86400000LL;
    assert_int_equal(scene_pull(s, gp, SCENE_PLENTY), ROWS);
    assert_int_equal(scene_pull(s, away, SCENE_PLENTY), ROWS); /* heard of none of it until now */
    forgets(s, ward, ROWS);
    hub_fixture_node_free(gp);
    hub_fixture_node_free(ward);
    hub_fixture_node_free(away);
}

/* A, B and C go one by one, with contacts between, in each of the six orders. */
static void three_ways_lost_one_at_a_time_take_the_case_with_the_last_alone(void **state)
{
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    struct scene *s = *state;
    const struct id ways[3] = {scene_part(s, "health", "", "view"), scene_part(s, "health", "gp", "contribute"),
                               scene_part(s, "health", "", "contribute")};
    struct fixture_node *n = scene_node(s, "gp");
    for (size_t i = 0; i < 6; i++) {
        for (size_t j = 0; j < 3; j++) {
            assert_true(hub_fixture_holds(n, "record", s->record));
            scene_set(s, "participant", ways[orders[i][j]], "access", "none");
            if (i % 2 == 0 && j < 2) forgets_nothing(s, n); /* and without a contact between */
        }
        forgets(s, n, ROWS);
        for (size_t j = 0; j < 3; j++) scene_set(s, "participant", ways[j], "access", "view");
        comes_back_whole(s, n, 0);
    }
    hub_fixture_node_free(n);
}

static void a_site_that_loses_the_star_keeps_the_area_that_it_is_named_for(void **state)
{
    struct scene *s = *state;
    (void)scene_part(s, "health", "", "view");
    struct id star = scene_cover(s, "gp", "*");
    struct fixture_node *n = scene_node(s, "gp");
    hub_fixture_step(s->f);
    struct id south = hub_fixture_row(s->f, "case_file", (struct id){{0}}, "council", "area", "south", "lead_agency",
                                      "council", NULL);
    (void)hub_fixture_share(s->f, south, "health", "view");
    hub_fixture_settle(s->f);
    forgets(s, n, 0);
    assert_true(hub_fixture_holds(n, "case_file", south));
    struct id north = scene_cover(s, "gp", "north"); /* twice the same is one */
    scene_uncover(s, north);
    assert_int_equal(scene_pull(s, n, SCENE_PLENTY), 0); /* it came and went between two contacts */
    assert_true(hub_fixture_holds(n, "record", s->record));
    scene_uncover(s, star);
    assert_int_equal(scene_pull(s, n, SCENE_PLENTY), 3); /* the coverage, the file of the south, its own part in it */
    assert_true(hub_fixture_holds(n, "record", s->record));
    assert_false(hub_fixture_holds(n, "case_file", south));
    hub_fixture_node_free(n);
}

static void a_star_of_coverage_outlives_the_named_area(void **state)
{
    struct scene *s = *state;
    (void)scene_part(s, "school", "", "view");
    hub_fixture_step(s->f);
    hub_fixture_site(s->f, "board", "school", "partner", NULL);
    hub_fixture_settle(s->f);
    struct id star = scene_cover(s, "board", "*"), north = scene_cover(s, "board", "north");
    struct fixture_node *n = scene_node(s, "board");
    scene_uncover(s, north);
    forgets(s, n, 1); /* the row of the coverage itself, which everybody had */
    assert_true(hub_fixture_holds(n, "record", s->record));
    north = scene_cover(s, "board", "north");
    assert_int_equal(scene_pull(s, n, SCENE_PLENTY), 0);
    scene_uncover(s, star);
    forgets(s, n, 1);
    assert_true(hub_fixture_holds(n, "record", s->record));
    scene_uncover(s, north);
    forgets(s, n, 1 + ROWS + 1); /* with its own part: it does not cover the case */
    hub_fixture_node_free(n);
}

/* --------------------------------------------------------------------------- rows that change, and their history */

static void a_row_that_changes_and_then_leaves_sight_is_dropped_without_the_change(void **state)
{
    struct scene *s = *state;
    (void)scene_part(s, "health", "", "view");
    struct fixture_node *n = scene_node(s, "gp");
    scene_set(s, "record", s->record, "title", "what nobody there may read");
    scene_set(s, "record", s->record, "sensitivity", "sensitive");
    hub_fixture_ask(s->f, n, SCENE_PLENTY);
    assert_int_equal(n->answer.n_drops, 1);
    assert_int_equal(n->answer.pages.len, 0);
    (void)scene_take(s, n);
    assert_false(hub_fixture_holds(n, "record", s->record));
    forgets(s, n, 0);
    hub_fixture_node_free(n);
}

/* The agency has lost the case when a row moves to where it could have seen it, and another that it held changes. */
static void a_row_that_moves_into_sight_that_was_just_lost_is_not_heard_of(void **state)
{
    struct scene *s = *state;
    struct id part = scene_part(s, "health", "", "view"), moved = scene_record(s, "council", "sensitive");
    struct fixture_node *n = scene_node(s, "gp");
    scene_set(s, "participant", part, "access", "none");
    scene_set(s, "record", moved, "sensitivity", "open");
    scene_set(s, "record", s->record, "title", "changed");
    forgets(s, n, ROWS);
    scene_set(s, "participant", part, "access", "view");
    comes_back_whole(s, n, 0);
    assert_true(hub_fixture_holds(n, "record", moved));
    hub_fixture_node_free(n);
}

static void a_row_that_left_and_came_back_between_two_contacts_is_forgotten_and_given_whole(void **state)
{
    struct scene *s = *state;
    (void)scene_part(s, "health", "", "view");
    struct fixture_node *n = scene_node(s, "gp");
    scene_set(s, "record", s->record, "sensitivity", "sensitive");
    scene_set(s, "record", s->record, "title", "while it was away");
    scene_set(s, "record", s->record, "sensitivity", "open");
    uint64_t rows = n->got_rows, columns = n->got_columns;
    assert_int_equal(scene_pull(s, n, SCENE_PLENTY), 1);
    assert_int_equal(n->got_rows - rows, 1);
    assert_int_equal(n->got_columns, columns);
    scene_is_quiet(s, n);
    hub_fixture_node_free(n);
}

/* The part goes while the row is out of sight, and the row comes back to where it was: it was told once. */
static void a_row_lost_by_its_own_change_is_not_ordered_away_again_with_the_case(void **state)
{
    struct scene *s = *state;
    struct id part = scene_part(s, "health", "", "view");
    struct fixture_node *n = scene_node(s, "gp");
    scene_set(s, "record", s->record, "sensitivity", "sensitive");
    forgets(s, n, 1);
    scene_set(s, "participant", part, "access", "none");
    scene_set(s, "record", s->record, "sensitivity", "open");
    forgets(s, n, ROWS - 1);
    hub_fixture_node_free(n);
}

static void parts_in_two_cases_lost_one_after_the_other_are_both_taken_back(void **state)
{
    struct scene *s = *state;
    struct id one = scene_part(s, "health", "", "view");
    hub_fixture_step(s->f);
    struct id other = hub_fixture_case(s->f), two = hub_fixture_share(s->f, other, "health", "view");
    struct id brief = hub_fixture_row(s->f, "brief", other, "council", "summary", "the other", NULL);
    hub_fixture_settle(s->f);
    struct fixture_node *n = scene_node(s, "gp"), *cut = scene_node(s, "gp");
    scene_set(s, "participant", one, "access", "none");
    hub_fixture_ask(s->f, cut, 1); /* its answer is on its way, with half of what is lost */
    scene_set(s, "participant", two, "access", "none");
    scene_set(s, "record", s->record, "title", "changed");
    scene_set(s, "brief", brief, "summary", "changed");
    forgets(s, n, ROWS + 2);
    assert_int_equal(scene_take(s, cut), ROWS);
    assert_true(hub_fixture_holds(cut, "brief", brief));
    forgets(s, cut, 2);
    assert_false(hub_fixture_holds(cut, "brief", brief));
    hub_fixture_node_free(n);
    hub_fixture_node_free(cut);
}

/* ---------------------------------------------------------------------------------------- voiding, and its races */

static void a_row_voided_and_a_case_lost_end_alike_in_either_order(void **state)
{
    struct scene *s = *state;
    struct id part = scene_part(s, "health", "", "view"), second = scene_record(s, "council", "open");
    struct fixture_node *away = scene_node(s, "gp"), *near = scene_node(s, "gp");
    scene_set(s, "record", s->record, "voided_at", "#1"); /* before */
    forgets(s, near, 1);
    scene_set(s, "participant", part, "access", "none");
    forgets(s, near, ROWS);
    scene_set(s, "record", second, "voided_at", "#1"); /* after */
    forgets(s, near, 0);
    forgets(s, away, ROWS + 1);
    hub_fixture_node_free(away);
    hub_fixture_node_free(near);
}

static void a_row_voided_and_its_case_lost_in_one_change_is_ordered_away_once(void **state)
{
    struct scene *s = *state;
    struct id part = scene_part(s, "health", "", "view");
    struct fixture_node *n = scene_node(s, "gp");
    hub_fixture_step(s->f);
    hub_fixture_set(s->f, "record", s->record, "voided_at", "#1");
    hub_fixture_set(s->f, "participant", part, "access", "none");
    hub_fixture_settle(s->f);
    forgets(s, n, ROWS);
    hub_fixture_node_free(n);
}

static void a_row_voided_long_before_its_case_was_lost_was_taken_back_then(void **state)
{
    struct scene *s = *state;
    struct id part = scene_part(s, "health", "", "view");
    struct fixture_node *n = scene_node(s, "gp");
    scene_set(s, "record", s->record, "voided_at", "#1");
    forgets(s, n, 1);
    s->f->clock += 3 * 365 * 86400000LL;
    scene_set(s, "participant", part, "access", "none");
    forgets(s, n, ROWS - 1);
    hub_fixture_node_free(n);
}

static void what_was_voided_while_the_case_was_away_does_not_come_back_with_it(void **state)
{
    struct scene *s = *state;
    struct id part = scene_part(s, "health", "", "view");
    struct fixture_node *heard = scene_node(s, "gp"), *unheard = scene_node(s, "gp");
    scene_set(s, "participant", part, "access", "none");
    forgets(s, heard, ROWS);
    scene_set(s, "record", s->record, "voided_at", "#1");
    scene_set(s, "participant", part, "access", "view");
    forgets(s, heard, 0);
    forgets(s, unheard, ROWS);
    assert_false(hub_fixture_holds(heard, "record", s->record));
    assert_false(hub_fixture_holds(unheard, "record", s->record));
    assert_true(hub_fixture_holds(unheard, "brief", s->brief));
    hub_fixture_node_free(heard);
    hub_fixture_node_free(unheard);
}

/* ----------------------------------------------------------------------------------------- what was never there */

static void a_device_that_never_held_the_case_is_told_nothing_of_it(void **state)
{
    struct scene *s = *state;
    struct fixture_node *before = scene_node(s, "gp"), *elsewhere = scene_node(s, "station");
    uint8_t cursor[16];
    memcpy(cursor, before->cursor, 16);
    struct id part = scene_part(s, "health", "far", "view"); /* never theirs: named for another site */
    hub_fixture_step(s->f);
    struct id brief = hub_fixture_case(s->f), gone = hub_fixture_share(s->f, brief, "health", "view");
    hub_fixture_settle(s->f);
    scene_set(s, "participant", gone, "voided_at", "#1");
    scene_set(s, "participant", part, "access", "none");
    struct fixture_node *later = hub_fixture_node(s->f, "gp");
    forgets(s, before, 0); /* a case was theirs between two contacts */
    forgets(s, elsewhere, 0);
    forgets(s, later, 0);
    assert_false(hub_fixture_holds(before, "case_file", brief));
    assert_int_equal(before->got_drops + elsewhere->got_drops + later->got_drops, 0);
    hub_fixture_node_free(before);
    hub_fixture_node_free(elsewhere);
    hub_fixture_node_free(later);
}

static void a_case_that_came_and_was_voided_between_two_contacts_leaves_no_trace(void **state)
{
    struct scene *s = *state;
    struct fixture_node *n = scene_node(s, "gp");
    hub_fixture_step(s->f);
    struct id c = hub_fixture_case(s->f), p = hub_fixture_share(s->f, c, "health", "view");
    hub_fixture_settle(s->f);
    hub_fixture_step(s->f);
    hub_fixture_set(s->f, "participant", p, "voided_at", "#1");
    hub_fixture_set(s->f, "case_file", c, "voided_at", "#1");
    hub_fixture_settle(s->f);
    scene_is_quiet(s, n); /* the cursor too stays what it was */
    hub_fixture_node_free(n);
}

static void parts_of_agencies_and_sites_that_do_not_exist_give_nobody_anything(void **state)
{
    struct scene *s = *state;
    struct id part = scene_part(s, "health", "", "view");
    struct fixture_node *n = scene_node(s, "gp"), *far = scene_node(s, "far");
    struct id ghost = scene_part(s, "nobody", "", "view"), site = scene_part(s, "health", "nowhere", "view");
    struct id wrong = scene_part(s, "health", "station", "view"); /* a site of another agency */
    assert_false(hub_fixture_sees(s->f, "station", "record", s->record));
    forgets_nothing(s, n);
    forgets(s, far, 0);
    scene_set(s, "participant", ghost, "access", "none");
    scene_set(s, "participant", site, "access", "none");
    scene_set(s, "participant", wrong, "access", "none");
    forgets_nothing(s, n);
    scene_set(s, "participant", part, "access", "none");
    forgets(s, n, ROWS + 1); /* and that there was a part of nobody: shared with those who take part */
    hub_fixture_node_free(n);
    hub_fixture_node_free(far);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_room_that_also_takes_part_keeps_the_case_when_its_part_ends),
        TEST(an_out_of_hours_team_that_also_takes_part_keeps_a_case_that_closes),
        TEST(of_two_parts_of_one_agency_the_loss_of_either_takes_nothing),
        TEST(a_site_named_beside_its_agency_loses_nothing_with_either),
        TEST(a_part_that_ends_by_its_time_takes_only_what_no_other_part_gives),
        TEST(three_ways_lost_one_at_a_time_take_the_case_with_the_last_alone),
        TEST(a_site_that_loses_the_star_keeps_the_area_that_it_is_named_for),
        TEST(a_star_of_coverage_outlives_the_named_area),
        TEST(a_row_that_changes_and_then_leaves_sight_is_dropped_without_the_change),
        TEST(a_row_that_moves_into_sight_that_was_just_lost_is_not_heard_of),
        TEST(a_row_that_left_and_came_back_between_two_contacts_is_forgotten_and_given_whole),
        TEST(a_row_lost_by_its_own_change_is_not_ordered_away_again_with_the_case),
        TEST(parts_in_two_cases_lost_one_after_the_other_are_both_taken_back),
        TEST(a_row_voided_and_a_case_lost_end_alike_in_either_order),
        TEST(a_row_voided_and_its_case_lost_in_one_change_is_ordered_away_once),
        TEST(a_row_voided_long_before_its_case_was_lost_was_taken_back_then),
        TEST(what_was_voided_while_the_case_was_away_does_not_come_back_with_it),
        TEST(a_device_that_never_held_the_case_is_told_nothing_of_it),
        TEST(a_case_that_came_and_was_voided_between_two_contacts_leaves_no_trace),
        TEST(parts_of_agencies_and_sites_that_do_not_exist_give_nobody_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
