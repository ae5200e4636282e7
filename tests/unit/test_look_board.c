/* What the board shows: node/look.h, web/API.md. */
#include "tests/lib/look_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct look_world l;

static struct json *board(const struct look_board *ask)
{
    struct json *got = NULL;
    enum err e = look_board(l.n, ask, &got, &l.why);
    return look_got(&l, e, got);
}
static struct json *whole(void)
{
    return board(&(struct look_board){0});
}

static const char *const columns[] = {"new", "gathering", "ready", "decided", "closed"};
static int64_t total(struct json *b, int column)
{
    char path[32];
    (void)snprintf(path, sizeof path, "columns.%d.total", column);
    return look_int(b, path);
}

#define CARD "columns.1.cases.0."

static void the_columns_are_those_of_the_work(void **state)
{
    (void)state;
    look_sql(&l, "INSERT INTO case_file(id, case_id, agency, status) VALUES(@20, @20, 'care', 'new'),"
                 " (@21, @21, 'care', 'ready'), (@22, @22, 'care', 'decided'), (@23, @23, 'care', 'closed'),"
                 " (@24, @24, 'care', NULL)");
    struct json *b = whole();
    assert_int_equal(json_len(look_at(b, "columns")), 4);
    for (size_t i = 0; i < 4; i++) {
        char path[32];
        (void)snprintf(path, sizeof path, "columns.%zu.status", i);
        assert_string_equal(look_text(b, path), columns[i]);
    }
    assert_int_equal(total(b, 0), 2); /* a case without a status is new */
    assert_string_equal(look_text(b, "columns.2.title"), "Ready to meet");
    json_free(b);
    b = board(&(struct look_board){.all = true});
    assert_int_equal(json_len(look_at(b, "columns")), 5);
    assert_int_equal(total(b, 4), 1);
    assert_string_equal(look_text(b, "now"), LOOK_NOW);
    json_free(b);
}

static void a_card_says_what_a_glance_needs(void **state)
{
    char id[37];
    (void)state;
    look_id_text(1, id);
    struct json *b = whole();
    assert_string_equal(look_text(b, CARD "id"), id);
    assert_string_equal(look_text(b, CARD "reference"), "C-AAAAAAAA");
    assert_string_equal(look_text(b, CARD "area"), "north");
    assert_string_equal(look_text(b, CARD "subject_kind"), "child");
    assert_string_equal(look_text(b, CARD "status"), "gathering");
    assert_string_equal(look_text(b, CARD "rag"), "amber");
    assert_string_equal(look_text(b, CARD "shown_rag"), "amber");
    assert_string_equal(look_text(b, CARD "lead_agency"), "care");
    assert_string_equal(look_text(b, CARD "lead_agency_name"), "Social care");
    assert_string_equal(look_text(b, CARD "received_at"), "2026-11-25T11:00:00.000Z");
    assert_string_equal(look_text(b, CARD "need"), "N1");
    assert_string_equal(look_text(b, CARD "people.0.name"), "Ada Wren");
    assert_string_equal(look_text(b, CARD "people.0.initials"), "AW");
    assert_string_equal(look_text(b, CARD "people.0.born_on"), "2019-03-02");
    assert_false(look_true(b, CARD "disputed"));
    assert_false(look_true(b, CARD "unsent"));
    assert_false(look_true(b, CARD "repeat"));
    assert_int_equal(look_int(b, CARD "to_answer"), 0);
    assert_int_equal(look_int(b, CARD "conflicts"), 0);
    json_free(b);
}

/* Amber counts working hours: four of them from eleven end at three; from ten to five the day before, at 12:50. */
static void board_counts_overdue_in_working_hours(void **state)
{
    (void)state;
    struct json *b = whole();
    assert_string_equal(look_text(b, CARD "due_what"), "meeting");
    assert_string_equal(look_text(b, CARD "due_at"), "2026-11-25T15:00:00.000Z");
    assert_int_equal(look_int(b, CARD "minutes_left"), 180);
    assert_false(look_true(b, CARD "overdue"));
    json_free(b);
    look_sql(&l, "UPDATE case_file SET received_at = #-1150 WHERE id = @1"); /* the day before, 16:50 */
    b = whole();
    assert_string_equal(look_text(b, CARD "due_at"), "2026-11-25T12:50:00.000Z");
    assert_int_equal(look_int(b, CARD "minutes_left"), 50);
    json_free(b);
    look_world_at(&l, "2026-11-25T13:00:00Z");
    b = whole();
    assert_true(look_true(b, CARD "overdue"));
    assert_int_equal(look_int(b, CARD "minutes_left"), -10);
    json_free(b);
}

static void red_never_waits_for_the_morning(void **state)
{
    (void)state;
    look_sql(&l, "UPDATE case_file SET rag = 'red', received_at = #-1150 WHERE id = @1");
    struct json *b = whole();
    assert_string_equal(look_text(b, CARD "due_at"), "2026-11-24T20:50:00.000Z");
    assert_true(look_true(b, CARD "overdue"));
    json_free(b);
}

static void a_question_that_waits_is_due_before_the_meeting_and_then_the_decision(void **state)
{
    (void)state;
    look_sql(&l,
             "INSERT INTO request(id, case_id, agency, to_agency, rag, state, due_at) VALUES"
             "(@30, @1, 'care', 'police', 'amber', 'open', #90), (@31, @1, 'care', 'school', 'amber', 'open', #30)");
    struct json *b = whole();
    assert_string_equal(look_text(b, CARD "due_what"), "reply");
    assert_string_equal(look_text(b, CARD "due_at"), "2026-11-25T12:30:00.000Z");
    json_free(b);
    look_sql(&l, "UPDATE request SET state = 'answered'");
    b = whole();
    assert_string_equal(look_text(b, CARD "due_what"), "meeting");
    json_free(b);
    look_sql(&l, "INSERT INTO meeting(id, case_id, agency, held_at) VALUES(@32, @1, 'care', #60)");
    b = whole();
    assert_string_equal(look_text(b, CARD "due_what"), "meeting"); /* it is only planned */
    json_free(b);
    look_sql(&l, "UPDATE meeting SET held_at = #-10");
    b = whole();
    assert_string_equal(look_text(b, CARD "due_what"), "decision");
    assert_string_equal(look_text(b, CARD "due_at"), "2026-11-26T11:00:00.000Z"); /* eight working hours */
    json_free(b);
    look_sql(&l, "UPDATE case_file SET status = 'decided'");
    b = whole();
    assert_string_equal(look_text(b, "columns.3.cases.0.due_what"), "-");
    assert_string_equal(look_text(b, "columns.3.cases.0.due_at"), "-");
    assert_null(json_as_str(look_at(b, "columns.3.cases.0.minutes_left")));
    json_free(b);
}

static void without_a_time_scale_nothing_is_overdue(void **state)
{
    (void)state;
    look_sql(&l, "UPDATE case_file SET rag = 'blue', received_at = #-99999 WHERE id = @1");
    struct json *b = whole();
    assert_string_equal(look_text(b, CARD "due_what"), "-");
    assert_false(look_true(b, CARD "overdue"));
    json_free(b);
}

/* ------------------------------------------------------------------------------------------------------- ratings */
static void board_shows_the_graver_rating_as_disputed(void **state)
{
    (void)state;
    look_sql(&l, "INSERT INTO rating(id, case_id, agency, stage, rag, rated_at) VALUES"
                 "(@40, @1, 'police', 'initial', 'red', #-30)");
    struct json *b = whole();
    assert_string_equal(look_text(b, CARD "rag"), "amber");
    assert_string_equal(look_text(b, CARD "shown_rag"), "red");
    assert_true(look_true(b, CARD "disputed"));
    json_free(b);
    look_sql(&l, "INSERT INTO rating(id, case_id, agency, stage, rag, rated_at) VALUES"
                 "(@41, @1, 'police', 'initial', 'amber', #-20)"); /* they thought better of it */
    b = whole();
    assert_string_equal(look_text(b, CARD "shown_rag"), "amber");
    assert_false(look_true(b, CARD "disputed"));
    json_free(b);
}

static void a_lower_rating_is_disputed_only_when_somebody_says_so(void **state)
{
    (void)state;
    look_sql(&l, "INSERT INTO rating(id, case_id, agency, stage, rag, rated_at) VALUES"
                 "(@40, @1, 'police', 'initial', 'green', #-30)");
    struct json *b = whole();
    assert_false(look_true(b, CARD "disputed"));
    json_free(b);
    for (int i = 0; i < 2; i++) {
        look_sql(&l, i == 0 ? "INSERT INTO challenge(id, case_id, agency, about, state) VALUES"
                              "(@42, @1, 'police', 'rating', 'open')"
                            : "UPDATE challenge SET about = 'rating:manager'");
        b = whole();
        assert_true(look_true(b, CARD "disputed"));
        assert_string_equal(look_text(b, CARD "shown_rag"), "amber");
        json_free(b);
    }
    look_sql(&l, "UPDATE challenge SET about = 'decision'"); /* about something else */
    b = whole();
    assert_false(look_true(b, CARD "disputed"));
    json_free(b);
}

static void what_was_decided_is_not_disputed_until_somebody_rates_anew(void **state)
{
    (void)state;
    look_sql(&l, "INSERT INTO rating(id, case_id, agency, stage, rag, rated_at) VALUES"
                 "(@40, @1, 'police', 'initial', 'red', #-30);"
                 "INSERT INTO challenge(id, case_id, agency, about, state, decided_at) VALUES"
                 "(@42, @1, 'police', 'rating', 'dismissed', #-20)");
    struct json *b = whole();
    assert_false(look_true(b, CARD "disputed"));
    assert_string_equal(look_text(b, CARD "shown_rag"), "amber");
    json_free(b);
    look_sql(&l, "INSERT INTO rating(id, case_id, agency, stage, rag, rated_at) VALUES"
                 "(@43, @1, 'school', 'initial', 'red', #-10)");
    b = whole();
    assert_true(look_true(b, CARD "disputed"));
    assert_string_equal(look_text(b, CARD "shown_rag"), "red");
    json_free(b);
}

static void what_was_rated_by_mistake_or_by_who_leads_disputes_nothing(void **state)
{
    (void)state;
    look_sql(&l, "INSERT INTO rating(id, case_id, agency, stage, rag, rated_at, voided_at) VALUES"
                 "(@40, @1, 'police', 'initial', 'red', #-30, #-20), (@41, @1, 'care', 'initial', 'red', #-50, NULL)");
    struct json *b = whole();
    assert_false(look_true(b, CARD "disputed"));
    json_free(b);
}

/* ------------------------------------------------------------------------------------------------------ partners */
static void board_says_who_has_not_answered(void **state)
{
    (void)state;
    look_sql(
        &l,
        "INSERT INTO request(id, case_id, agency, to_agency, state, due_at, answered_at, voided_at) VALUES"
        "(@30, @1, 'care', 'police', 'open', #-5, NULL, NULL), (@31, @1, 'care', 'school', 'open', #30, NULL, NULL),"
        "(@32, @1, 'care', 'health', 'answered', #30, #-9, NULL), (@33, @1, 'care', 'care', 'declined', #1, #-8, NULL),"
        "(@34, @1, 'care', 'police', 'answered', #-5, #-9, NULL), (@35, @1, 'care', 'school', 'open', #-99, NULL, #-1),"
        "(@36, @1, 'care', 'health', 'cancelled', #-99, NULL, NULL)");
    struct json *b = whole();
    static const char *const want[][2] = {
        {"police", "late"}, {"school", "asked"}, {"care", "declined"}, {"health", "answered"}};
    assert_int_equal(json_len(look_at(b, CARD "partners")), 4);
    for (size_t i = 0; i < 4; i++) {
        char path[64];
        (void)snprintf(path, sizeof path, CARD "partners.%zu.agency", i);
        assert_string_equal(look_text(b, path), want[i][0]);
        (void)snprintf(path, sizeof path, CARD "partners.%zu.state", i);
        assert_string_equal(look_text(b, path), want[i][1]);
    }
    assert_string_equal(look_text(b, CARD "partners.0.agency_name"), "Police");
    assert_string_equal(look_text(b, CARD "partners.0.due_at"), "2026-11-25T11:55:00.000Z");
    json_free(b);
}

/* --------------------------------------------------------------------------------------------------- whose and what */
static void mine_is_what_asks_us_what_we_lead_and_what_is_given_to_me(void **state)
{
    const struct look_board mine = {.mine = true};
    (void)state;
    struct json *b = board(&mine);
    assert_int_equal(total(b, 1), 0);
    json_free(b);
    static const char *const ways[] = {
        "INSERT INTO request(id, case_id, agency, to_agency, state) VALUES(@30, @1, 'care', 'health', 'open')",
        "DELETE FROM request; UPDATE case_file SET lead_agency = 'health'",
        ("UPDATE case_file SET lead_agency = 'care'; INSERT INTO allocation(id, case_id, agency, practitioner)"
         " VALUES(@31, @1, 'care', @me)")};
    for (size_t i = 0; i < 3; i++) {
        look_sql(&l, ways[i]);
        b = board(&mine);
        assert_int_equal(total(b, 1), 1);
        assert_int_equal(look_int(b, CARD "to_answer"), i == 0);
        json_free(b);
    }
    look_sql(&l, "UPDATE allocation SET until = #-1");
    b = board(&mine);
    assert_int_equal(total(b, 1), 0);
    json_free(b);
}

static void what_is_asked_for_is_all_that_is_shown(void **state)
{
    (void)state;
    look_sql(
        &l,
        "INSERT INTO case_file(id, case_id, agency, status, rag, area, subject_kind, received_at) VALUES"
        "(@20, @20, 'care', 'gathering', 'red', 'south', 'adult', #-9000);"
        "INSERT INTO rating(id, case_id, agency, stage, rag, rated_at) VALUES(@40, @1, 'police', 'initial', 'red', #-3)");
    const struct {
        struct look_board ask;
        int64_t total;
    } asks[] = {{{0}, 2},
                {{.subject = "adult"}, 1},
                {{.area = "north"}, 1},
                {{.area = "nowhere"}, 0},
                {{.rag = "red"}, 2}, /* as it is shown: disputed too */
                {{.rag = "amber"}, 0},
                {{.overdue = true}, 1}};
    for (size_t i = 0; i < sizeof asks / sizeof asks[0]; i++) {
        struct json *b = board(&asks[i].ask);
        assert_int_equal(total(b, 1), asks[i].total);
        json_free(b);
    }
    struct json *got = NULL;
    assert_int_equal(look_board(l.n, &(struct look_board){.rag = "purple"}, &got, &l.why), ERR_USAGE);
    assert_int_equal(look_board(l.n, &(struct look_board){.subject = "dog"}, &got, &l.why), ERR_USAGE);
    assert_null(got);
}

static void what_is_late_comes_first_then_the_gravest_then_what_is_due_first(void **state)
{
    (void)state;
    look_sql(&l, "DELETE FROM case_file; INSERT INTO case_file(id, case_id, agency, status, rag, received_at) VALUES"
                 "(@20, @20, 'care', 'new', 'green', #-60), (@21, @21, 'care', 'new', 'red', #-10),"
                 "(@22, @22, 'care', 'new', 'green', #-9000), (@23, @23, 'care', 'new', 'red', #-20),"
                 "(@24, @24, 'care', 'new', 'blue', #-90000), (@25, @25, 'care', 'new', 'red', #-300)");
    static const unsigned want[] = {25, 22, 23, 21, 20, 24};
    struct json *b = whole();
    for (size_t i = 0; i < 6; i++) {
        char path[64], id[37];
        look_id_text(want[i], id);
        (void)snprintf(path, sizeof path, "columns.0.cases.%zu.id", i);
        assert_string_equal(look_text(b, path), id);
    }
    json_free(b);
}

static void a_column_shows_forty_and_counts_them_all(void **state)
{
    (void)state;
    look_sql(&l, "DELETE FROM case_file; WITH RECURSIVE x(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM x WHERE i < 199)"
                 " INSERT INTO case_file(id, case_id, agency, status, rag, received_at, reference)"
                 " SELECT CAST(printf('case id of %05d', i) AS BLOB), CAST(printf('case id of %05d', i) AS BLOB),"
                 " 'care', 'new', 'red', #0 - i * 1000, 'C-' || i FROM x");
    struct json *b = whole();
    assert_int_equal(total(b, 0), 200);
    assert_int_equal(json_len(look_at(b, "columns.0.cases")), 40);
    assert_string_equal(look_text(b, "columns.0.cases.0.reference"), "C-199"); /* it waits longest */
    assert_string_equal(look_text(b, "columns.0.cases.39.reference"), "C-160");
    json_free(b);
}

/* -------------------------------------------------------------------------------------------------------- marks */
static void a_person_who_stood_in_an_earlier_case_makes_it_a_repeat(void **state)
{
    static const char *const same[] = {
        "INSERT INTO person(id, case_id, agency, role, family_name, given_names, born_on) VALUES"
        "(@50, @20, 'care', 'sibling', 'WREN', 'ada', '2019-03-02')",
        "DELETE FROM person WHERE id = @50; INSERT INTO identifier(id, case_id, agency, person_id, scheme, value) VALUES"
        "(@51, @20, 'care', @50, 'nhs', '9434765919'), (@52, @1, 'care', @10, 'nhs', '9434765919')",
        "DELETE FROM identifier; INSERT INTO link(id, case_id, agency, other_case_id) VALUES(@54, @1, 'care', @20)"};
    (void)state;
    look_sql(
        &l,
        "INSERT INTO case_file(id, case_id, agency, status, received_at) VALUES(@20, @20, 'care', 'closed', #-9000)");
    for (size_t i = 0; i < 3; i++) {
        look_sql(&l, same[i]);
        struct json *b = whole();
        assert_true(look_true(b, CARD "repeat"));
        json_free(b);
    }
    look_sql(&l, "UPDATE case_file SET received_at = #-1 WHERE id = @20"); /* a later one */
    struct json *b = whole();
    assert_false(look_true(b, CARD "repeat"));
    json_free(b);
    look_sql(&l, "UPDATE case_file SET received_at = #-9000 WHERE id = @20; DELETE FROM identifier; DELETE FROM link;"
                 "INSERT INTO person(id, case_id, agency, role, family_name, given_names, born_on) VALUES"
                 "(@53, @20, 'care', 'child', 'Wren', 'Ada', '2011-01-01')"); /* another child of that name */
    b = whole();
    assert_false(look_true(b, CARD "repeat"));
    json_free(b);
}

static void what_the_mash_does_not_have_yet_is_marked(void **state)
{
    uint8_t id[16];
    (void)state;
    look_id(10, id);
    look_world_at(&l, LOOK_NOW);
    (void)mock_set(l.n, "person", id, "given_names", "Ida");
    struct json *b = whole();
    assert_true(look_true(b, CARD "unsent"));
    assert_string_equal(look_text(b, CARD "people.0.initials"), "IW");
    json_free(b);
}

static void two_versions_are_counted_until_they_are_settled(void **state)
{
    (void)state;
    look_sql(&l, "INSERT INTO conflict(id, case_id, agency, tbl, row_id, col, policy, state) VALUES"
                 "(@60, @1, 'care', 'person', @10, 'born_on', 'escalate', 'open'),"
                 "(@61, @1, 'care', 'person', @10, 'sex', 'escalate', 'settled')");
    struct json *b = whole();
    assert_int_equal(look_int(b, CARD "conflicts"), 1);
    json_free(b);
}

static void a_case_or_person_entered_by_mistake_is_not_on_the_board(void **state)
{
    (void)state;
    look_sql(&l, "UPDATE person SET voided_at = #-1");
    struct json *b = whole();
    assert_int_equal(json_len(look_at(b, CARD "people")), 0);
    json_free(b);
    look_sql(&l, "UPDATE case_file SET voided_at = #-1");
    b = whole();
    assert_int_equal(total(b, 1), 0);
    json_free(b);
}

static void names_of_every_script_have_their_initials(void **state)
{
    (void)state;
    look_sql(&l, "UPDATE person SET given_names = 'Éloïse Ана', family_name = 'Ó Briain-王'");
    struct json *b = whole();
    assert_string_equal(look_text(b, CARD "people.0.initials"), "ÉАÓB王");
    json_free(b);
}

/* What the command lists by the board's rules, without its ceiling. */
static void ids_are_of_all_that_the_board_counts_and_mine_has_what_we_opened(void **state)
{
    struct buf ids;
    uint8_t id[16];
    (void)state;
    look_sql(&l, "INSERT INTO case_file(id, case_id, agency, status, rag, received_at) VALUES"
                 "(@20, @20, 'health', 'new', 'blue', #-5), (@21, @21, 'care', 'closed', 'red', #-9000),"
                 " (@22, @22, 'care', 'new', 'red', #-9000)");
    buf_init(&ids, 4096);
    assert_int_equal(look_board_ids(l.n, &(struct look_board){.all = true}, &ids, &l.why), ERR_OK);
    assert_int_equal(ids.len, 4 * 16);
    buf_reset(&ids);
    assert_int_equal(look_board_ids(l.n, &(struct look_board){.all = true, .mine = true}, &ids, &l.why), ERR_OK);
    look_id(20, id);
    assert_int_equal(ids.len, 16);
    assert_memory_equal(ids.data, id, 16);
    buf_reset(&ids);
    assert_int_equal(look_board_ids(l.n, &(struct look_board){.all = true, .overdue = true}, &ids, &l.why), ERR_OK);
    look_id(22, id); /* nothing is overdue in a closed case */
    assert_int_equal(ids.len, 16);
    assert_memory_equal(ids.data, id, 16);
    buf_release(&ids);
}

static int set_up(void **state)
{
    (void)state;
    look_world_new(&l);
    return 0;
}
static int tear_down(void **state)
{
    (void)state;
    look_world_free(&l);
    return 0;
}
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_columns_are_those_of_the_work),
        TEST(a_card_says_what_a_glance_needs),
        TEST(board_counts_overdue_in_working_hours),
        TEST(red_never_waits_for_the_morning),
        TEST(a_question_that_waits_is_due_before_the_meeting_and_then_the_decision),
        TEST(without_a_time_scale_nothing_is_overdue),
        TEST(board_shows_the_graver_rating_as_disputed),
        TEST(a_lower_rating_is_disputed_only_when_somebody_says_so),
        TEST(what_was_decided_is_not_disputed_until_somebody_rates_anew),
        TEST(what_was_rated_by_mistake_or_by_who_leads_disputes_nothing),
        TEST(board_says_who_has_not_answered),
        TEST(mine_is_what_asks_us_what_we_lead_and_what_is_given_to_me),
        TEST(what_is_asked_for_is_all_that_is_shown),
        TEST(what_is_late_comes_first_then_the_gravest_then_what_is_due_first),
        TEST(a_column_shows_forty_and_counts_them_all),
        TEST(a_person_who_stood_in_an_earlier_case_makes_it_a_repeat),
        TEST(what_the_mash_does_not_have_yet_is_marked),
        TEST(two_versions_are_counted_until_they_are_settled),
        TEST(a_case_or_person_entered_by_mistake_is_not_on_the_board),
        TEST(names_of_every_script_have_their_initials),
        TEST(ids_are_of_all_that_the_board_counts_and_mine_has_what_we_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
