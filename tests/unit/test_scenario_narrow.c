/* Sight that becomes narrower without being lost, and what goes with the row that gave it: the same orders to forget
 * as for a case that is taken away, to whom it concerns and to nobody else. */
#include "tests/lib/scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Health and the police contribute to the case; a device each at gp and ward (health), station (police), mash and
 * office (council), night (out of hours) and far (health, but in the south). */
enum { GP, WARD, STATION, MASH, OFFICE, NIGHT, FAR, N_SITES };
struct town {
    struct scene s;
    struct id health, police, contact, action;
    struct fixture_node *n[N_SITES];
};

static int set_up(void **state)
{
    static const char *const sites[N_SITES] = {"gp", "ward", "station", "mash", "office", "night", "far"};
    struct town *t = calloc(1, sizeof *t);
    char person[34];
    assert_non_null(t);
    scene_start(&t->s, 4);
    t->health = scene_part(&t->s, "health", "", "contribute");
    t->police = scene_part(&t->s, "police", "", "contribute");
    hub_fixture_step(t->s.f);
    t->contact = hub_fixture_row(t->s.f, "contact", t->s.c, "council", "person_id",
                                 hub_fixture_hex(t->s.person, person), "kind", "home", "value", "12 Chapel Row", NULL);
    t->action = hub_fixture_row(t->s.f, "action", t->s.c, "council", "title", "visit", NULL);
    hub_fixture_settle(t->s.f);
    for (size_t i = 0; i < N_SITES; i++) t->n[i] = scene_node(&t->s, sites[i]);
    *state = t;
    return 0;
}

static int tear_down(void **state)
{
    struct town *t = *state;
    for (size_t i = 0; i < N_SITES; i++) hub_fixture_node_free(t->n[i]);
    scene_stop(&t->s);
    free(t);
    return 0;
}

/* What each device is told to forget by now; all hold what they should after it. */
static void lose_line(struct town *t, const uint64_t want[N_SITES], int line)
{
    for (size_t i = 0; i < N_SITES; i++) {
        int64_t waits = scene_waiting(&t->s, t->n[i]);
        uint64_t got = scene_pull(&t->s, t->n[i], SCENE_PLENTY);
        if (got != want[i] || (uint64_t)waits != got)
            fail_msg("line %d: %s forgets %llu rows, not %llu", line, t->n[i]->n.site, (unsigned long long)got,
                     (unsigned long long)want[i]);
        scene_is_quiet(&t->s, t->n[i]);
    }
}
#define lose(t, ...) lose_line((t), (const uint64_t[N_SITES])__VA_ARGS__, __LINE__)

static bool holds(const struct town *t, int site, const char *table, struct id id)
{
    return hub_fixture_holds(t->n[site], table, id);
}

static void a_part_narrowed_to_checking_takes_back_the_work_and_leaves_the_face(void **state)
{
    struct town *t = *state;
    scene_set(&t->s, "participant", t->health, "access", "check");
    /* brief, record, contact, action, the part of the police; the own part is told to them for good */
    lose(t, {[GP] = 5, [WARD] = 5});
    assert_true(holds(t, GP, "person", t->s.person));
    assert_false(holds(t, GP, "brief", t->s.brief));
    scene_set(&t->s, "participant", t->health, "access", "view");
    lose(t, {0});
    assert_true(holds(t, GP, "brief", t->s.brief));
    scene_set(&t->s, "participant", t->health, "access", "contribute"); /* the same sight */
    lose(t, {0});
}

static void an_agency_narrowed_to_one_site_loses_the_case_at_its_others(void **state)
{
    struct town *t = *state;
    uint64_t rows = t->n[GP]->got_rows;
    hub_fixture_step(t->s.f);
    hub_fixture_set(t->s.f, "participant", t->health, "access", "none");
    struct id named = hub_fixture_row(t->s.f, "participant", t->s.c, "council", "member", "health", "site", "gp",
                                      "access", "contribute", NULL);
    hub_fixture_settle(t->s.f);
    /* the face (2), the work (4) and the part of the police; both parts of health stay told to health */
    lose(t, {[WARD] = 7});
    assert_int_equal(t->n[GP]->got_rows - rows, 1); /* its own new part: the rest never left its sight */
    assert_true(holds(t, WARD, "participant", named));
    assert_false(holds(t, WARD, "person", t->s.person));
}

static void naming_a_site_of_another_area_gives_the_case_to_it_alone(void **state)
{
    struct town *t = *state;
    struct id named = scene_part(&t->s, "health", "far", "view");
    lose(t, {0});
    assert_true(holds(t, FAR, "record", t->s.record));
    scene_set(&t->s, "participant", named, "access", "check");
    lose(t, {[FAR] = 5}); /* the work and the part of the police; those of its agency stay told to it */
    assert_true(holds(t, FAR, "person", t->s.person));
}

static void a_record_narrowed_in_steps_leaves_whom_each_step_shuts_out(void **state)
{
    struct town *t = *state;
    struct id r = scene_record(&t->s, "health", "open");
    lose(t, {0});
    scene_set(&t->s, "record", r, "sensitivity", "sensitive");
    lose(t, {[STATION] = 1, [NIGHT] = 1});
    assert_true(holds(t, MASH, "record", r));
    scene_set(&t->s, "record", r, "sensitivity", "restricted");
    lose(t, {[MASH] = 1});
    assert_true(holds(t, GP, "record", r));
    assert_true(holds(t, WARD, "record", r));
    scene_set(&t->s, "record", r, "sensitivity", "open");
    lose(t, {0});
    assert_true(holds(t, STATION, "record", r));
}

static void two_steps_of_narrowing_between_two_contacts_are_one_order(void **state)
{
    struct town *t = *state;
    struct id r = scene_record(&t->s, "health", "open");
    lose(t, {0});
    scene_set(&t->s, "record", r, "sensitivity", "sensitive");
    scene_set(&t->s, "record", r, "sensitivity", "restricted");
    lose(t, {[STATION] = 1, [NIGHT] = 1, [MASH] = 1});
}

static void a_contact_that_is_protected_is_taken_from_all_but_the_room_and_its_writer(void **state)
{
    struct town *t = *state;
    scene_set(&t->s, "contact", t->contact, "protected", "#1");
    lose(t, {[GP] = 1, [WARD] = 1, [STATION] = 1, [NIGHT] = 0}); /* night is the writer's agency's */
    assert_true(holds(t, MASH, "contact", t->contact));
    scene_set(&t->s, "contact", t->contact, "value", "13 Chapel Row");
    lose(t, {0}); /* and nobody hears that it changed */
    assert_false(holds(t, GP, "contact", t->contact));
}

static void an_action_that_becomes_sensitive_and_a_part_that_becomes_quiet_go_to_the_room(void **state)
{
    struct town *t = *state;
    scene_set(&t->s, "action", t->action, "sensitive", "#1");
    lose(t, {[GP] = 1, [WARD] = 1, [STATION] = 1});
    scene_set(&t->s, "participant", t->police, "quiet", "#1");
    lose(t, {[GP] = 1, [WARD] = 1});
    assert_true(holds(t, STATION, "participant", t->police)); /* its own */
    assert_true(holds(t, MASH, "participant", t->police));
}

static void a_case_that_moves_to_another_area_leaves_the_sites_of_the_old_one_whole(void **state)
{
    struct town *t = *state;
    struct id own = scene_record(&t->s, "health", "restricted");
    lose(t, {0});
    scene_set(&t->s, "case_file", t->s.c, "area", "south");
    lose(t, {[GP] = 9, [WARD] = 9}); /* own record and part too: their agency's sites in the south have them */
    assert_true(holds(t, FAR, "record", own));
    assert_true(holds(t, STATION, "record", t->s.record)); /* covers all */
    scene_set(&t->s, "case_file", t->s.c, "area", "north");
    lose(t, {[FAR] = 9});
    assert_true(holds(t, GP, "record", own));
}

static void a_case_that_is_restricted_is_left_to_its_named_sites(void **state)
{
    struct town *t = *state;
    (void)scene_part(&t->s, "health", "gp", "contribute");
    (void)scene_part(&t->s, "council", "mash", "contribute");
    lose(t, {0});
    scene_set(&t->s, "case_file", t->s.c, "restricted", "#1");
    /* face 2, work 4, parts 4; office and night also keep nothing that the council wrote */
    lose(t, {[WARD] = 10, [STATION] = 10, [OFFICE] = 10, [NIGHT] = 10});
    scene_set(&t->s, "brief", t->s.brief, "summary", "only for two");
    lose(t, {0});
    assert_true(holds(t, GP, "brief", t->s.brief));
    assert_true(holds(t, MASH, "brief", t->s.brief));
    scene_set(&t->s, "case_file", t->s.c, "restricted", "#0");
    lose(t, {0});
    assert_true(holds(t, WARD, "brief", t->s.brief));
    assert_true(holds(t, NIGHT, "brief", t->s.brief));
}

static void a_record_that_comes_to_need_consent_waits_with_its_owner_until_it_is_given(void **state)
{
    struct town *t = *state;
    struct id r = scene_record(&t->s, "health", "open");
    char person[34];
    lose(t, {0});
    scene_set(&t->s, "record", r, "needs_consent", "#1");
    lose(t, {[STATION] = 1, [MASH] = 1, [NIGHT] = 1});
    hub_fixture_step(t->s.f);
    struct id consent = hub_fixture_row(t->s.f, "consent", t->s.c, "council", "person_id",
                                        hub_fixture_hex(t->s.person, person), "scope", "all", "state", "given", NULL);
    hub_fixture_settle(t->s.f);
    lose(t, {0});
    assert_true(holds(t, STATION, "record", r));
    scene_set(&t->s, "consent", consent, "state", "withdrawn");
    lose(t, {[STATION] = 1, [MASH] = 1, [NIGHT] = 1});
    assert_true(holds(t, GP, "record", r));
}

/* Who is in the case decides whose consent counts: a second child joins, whom nobody has asked about. */
static void a_child_who_joins_a_case_takes_back_what_was_told_without_its_consent(void **state)
{
    struct town *t = *state;
    struct id r = scene_record(&t->s, "health", "open");
    char person[34];
    scene_set(&t->s, "record", r, "needs_consent", "#1");
    hub_fixture_step(t->s.f);
    (void)hub_fixture_row(t->s.f, "consent", t->s.c, "council", "person_id", hub_fixture_hex(t->s.person, person),
                          "scope", "health", "state", "given", NULL);
    hub_fixture_settle(t->s.f);
    lose(t, {0});
    assert_true(holds(t, STATION, "record", r));
    hub_fixture_step(t->s.f);
    struct id second = hub_fixture_row(t->s.f, "person", t->s.c, "council", "role", "child", NULL);
    hub_fixture_settle(t->s.f);
    lose(t, {[STATION] = 1, [MASH] = 1, [NIGHT] = 1});
    scene_set(&t->s, "person", second, "voided_at", "#1"); /* a mistake */
    lose(t, {[GP] = 1, [WARD] = 1, [STATION] = 1});
    assert_true(holds(t, STATION, "record", r));
    assert_true(holds(t, NIGHT, "record", r));
}

/* Electric #4004: what gave access goes in one change with everything under it. */
static void a_part_voided_with_the_person_and_the_records_takes_all_of_them_back(void **state)
{
    struct town *t = *state;
    struct id theirs = scene_record(&t->s, "health", "open");
    lose(t, {0});
    hub_fixture_step(t->s.f);
    hub_fixture_set(t->s.f, "participant", t->health, "voided_at", "#1");
    hub_fixture_set(t->s.f, "person", t->s.person, "voided_at", "#1");
    hub_fixture_set(t->s.f, "contact", t->contact, "voided_at", "#1");
    hub_fixture_set(t->s.f, "record", t->s.record, "voided_at", "#1");
    hub_fixture_settle(t->s.f);
    /* gp, ward: file, person, brief, record, contact, action, both parts; what they wrote stays. The police: what was
     * voided, the part of health among it. Of the council's sites nobody: it wrote it. */
    lose(t, {[GP] = 8, [WARD] = 8, [STATION] = 4});
    assert_true(holds(t, GP, "record", theirs));
    assert_true(holds(t, STATION, "record", theirs));
    assert_true(holds(t, MASH, "person", t->s.person));
    assert_int_equal(t->n[GP]->got_drops, 8);
}

static void children_voided_before_their_case_or_after_it_are_ordered_away_once(void **state)
{
    struct town *t = *state;
    scene_set(&t->s, "record", t->s.record, "voided_at", "#1");
    scene_set(&t->s, "participant", t->police, "voided_at", "#1");
    scene_set(&t->s, "person", t->s.person, "voided_at", "#1");
    scene_set(&t->s, "case_file", t->s.c, "voided_at", "#1");
    /* The police: file, person, brief, record, contact, action, both parts. */
    lose(t, {[GP] = 4, [WARD] = 4, [STATION] = 8});
}

static void a_row_voided_long_after_it_was_lost_is_not_heard_of_again(void **state)
{
    struct town *t = *state;
    scene_set(&t->s, "participant", t->police, "access", "none");
    lose(t, {[STATION] = 7});
    t->s.f->clock += 400LL * 86400000;
    scene_set(&t->s, "record", t->s.record, "voided_at", "#1");
    lose(t, {[GP] = 1, [WARD] = 1});
    scene_set(&t->s, "participant", t->police, "access", "view");
    lose(t, {0});
    assert_false(holds(t, STATION, "record", t->s.record));
    assert_true(holds(t, STATION, "brief", t->s.brief));
}

static void a_row_voided_long_after_it_was_lost_unheard_is_ordered_away_once(void **state)
{
    struct town *t = *state;
    scene_set(&t->s, "participant", t->police, "access", "none");
    t->s.f->clock += 400LL * 86400000;
    scene_set(&t->s, "record", t->s.record, "voided_at", "#1");
    lose(t, {[GP] = 1, [WARD] = 1, [STATION] = 7});
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_part_narrowed_to_checking_takes_back_the_work_and_leaves_the_face),
        TEST(an_agency_narrowed_to_one_site_loses_the_case_at_its_others),
        TEST(naming_a_site_of_another_area_gives_the_case_to_it_alone),
        TEST(a_record_narrowed_in_steps_leaves_whom_each_step_shuts_out),
        TEST(two_steps_of_narrowing_between_two_contacts_are_one_order),
        TEST(a_contact_that_is_protected_is_taken_from_all_but_the_room_and_its_writer),
        TEST(an_action_that_becomes_sensitive_and_a_part_that_becomes_quiet_go_to_the_room),
        TEST(a_case_that_moves_to_another_area_leaves_the_sites_of_the_old_one_whole),
        TEST(a_case_that_is_restricted_is_left_to_its_named_sites),
        TEST(a_record_that_comes_to_need_consent_waits_with_its_owner_until_it_is_given),
        TEST(a_child_who_joins_a_case_takes_back_what_was_told_without_its_consent),
        TEST(a_part_voided_with_the_person_and_the_records_takes_all_of_them_back),
        TEST(children_voided_before_their_case_or_after_it_are_ordered_away_once),
        TEST(a_row_voided_long_after_it_was_lost_is_not_heard_of_again),
        TEST(a_row_voided_long_after_it_was_lost_unheard_is_ordered_away_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
