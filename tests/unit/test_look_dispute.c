/* Whose rating disputes the case's, until when; and which of several times that run is the one to be shown. */
#include "node/act_work.h"
#include "node/look_board.h"
#include "tests/lib/look_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct look_world l;
#define CARD "columns.1.cases.0."

static struct json *board(void)
{
    struct json *got = NULL;
    const struct look_board ask = {0};
    enum err e = look_board(l.n, &ask, &got, &l.why);
    return look_got(&l, e, got);
}

static void shows(const char *rag, bool disputed)
{
    uint8_t id[16];
    struct json *b = board(), *got = NULL;
    assert_string_equal(look_text(b, CARD "shown_rag"), rag);
    assert_int_equal(look_true(b, CARD "disputed"), disputed);
    json_free(b);
    look_id(1, id);
    enum err e = look_case(l.n, id, &got, &l.why); /* its page says the same */
    struct json *c = look_got(&l, e, got);
    assert_string_equal(look_text(c, "case.shown_rag"), rag);
    assert_int_equal(look_true(c, "case.disputed"), disputed);
    json_free(c);
}

static void due(const char *what, const char *at, bool late)
{
    struct json *b = board();
    assert_string_equal(look_text(b, CARD "due_what"), what);
    assert_string_equal(look_text(b, CARD "due_at"), at);
    assert_int_equal(look_true(b, CARD "overdue"), late);
    json_free(b);
}

/* ------------------------------------------------------------------------------------------------------ disputes */
static void deciding_one_agencys_dispute_leaves_the_others_graver_rating_in_sight(void **state)
{
    (void)state;
    look_sql(&l, "INSERT INTO rating(id, case_id, agency, stage, rag, rated_at) VALUES"
                 "(@40, @1, 'police', 'initial', 'red', #-30), (@41, @1, 'school', 'initial', 'green', #-25);"
                 "INSERT INTO challenge(id, case_id, agency, about, state) VALUES"
                 "(@42, @1, 'police', 'rating', 'open'), (@43, @1, 'school', 'rating', 'open')");
    shows("red", true);
    look_sql(&l, "UPDATE challenge SET state = 'dismissed', decided_by = @910, decided_at = #-20 WHERE id = @43;"
                 "INSERT INTO rating(id, case_id, agency, author, stage, rag, rated_at) VALUES"
                 "(@44, @1, 'care', @910, 'initial', 'amber', #-20)");
    shows("red", true); /* the police still wait for an answer */
    look_sql(&l, "DELETE FROM challenge WHERE agency = 'police'");
    shows("red", true); /* also where this device sees theirs not, or they could raise none */
}

/* The row by which a decision is known: of the rating that it was about. */
static void put_decision(unsigned challenge, unsigned rating, const char *at)
{
    uint8_t c[16], r[16], id[16];
    char hex[33], sql[400];
    look_id(challenge, c);
    look_id(rating, r);
    act_settled_id(id, c, r);
    hex_encode(hex, id, sizeof id);
    (void)snprintf(sql, sizeof sql,
                   "UPDATE challenge SET state = 'dismissed', decided_by = @910, decided_at = %s WHERE id = @%u;"
                   "INSERT INTO rating(id, case_id, agency, author, stage, rag, rated_at) VALUES"
                   "(x'%s', @1, 'care', @910, 'initial', 'amber', %s)",
                   at, challenge, hex, at);
    look_sql(&l, sql);
}

static void a_rating_that_the_decision_had_not_seen_disputes_whatever_the_clocks_say(void **state)
{
    (void)state;
    look_sql(&l,
             "INSERT INTO rating(id, case_id, agency, stage, rag, rated_at) VALUES"
             "(@40, @1, 'police', 'initial', 'red', #-30);"
             "INSERT INTO challenge(id, case_id, agency, about, state) VALUES(@42, @1, 'police', 'rating', 'open')");
    put_decision(42, 40, "#500"); /* by a clock that is ahead */
    shows("amber", false);
    look_sql(&l, "INSERT INTO rating(id, case_id, agency, stage, rag, rated_at) VALUES"
                 "(@45, @1, 'police', 'initial', 'red', #-25)"); /* offline, and only now here */
    shows("red", true);
    look_sql(&l,
             "INSERT INTO challenge(id, case_id, agency, about, state) VALUES(@46, @1, 'police', 'rating', 'open')");
    put_decision(46, 45, "#-40"); /* by one that is behind */
    shows("amber", false);
}

static void a_decision_by_a_clock_ahead_does_not_silence_what_is_rated_later(void **state)
{
    (void)state;
    look_sql(&l, "INSERT INTO challenge(id, case_id, agency, about, state, decided_by, decided_at) VALUES"
                 "(@42, @1, 'police', 'rating', 'dismissed', @910, #500);"
                 "INSERT INTO rating(id, case_id, agency, stage, rag, rated_at) VALUES"
                 "(@45, @1, 'police', 'initial', 'red', #1)");
    shows("red", true);
}

static void a_rating_under_no_dispute_can_be_settled_too(void **state)
{
    (void)state;
    look_sql(&l, "INSERT INTO rating(id, case_id, agency, stage, rag, rated_at) VALUES"
                 "(@40, @1, 'police', 'initial', 'red', #-30), (@41, @1, 'school', 'initial', 'red', #-30);"
                 "INSERT INTO challenge(id, case_id, agency, about, state) VALUES"
                 "(@42, @1, 'care', 'rating:settled', 'open')");
    put_decision(42, 40, "#-10");
    shows("red", true); /* the school's */
    look_sql(&l, "UPDATE rating SET voided_at = #-1 WHERE id = @41");
    shows("amber", false);
}

static void the_page_says_which_ratings_wait_under_no_dispute(void **state)
{
    uint8_t id[16];
    struct json *got = NULL;
    (void)state;
    look_sql(&l,
             "INSERT INTO rating(id, case_id, agency, stage, rag, rated_at) VALUES"
             "(@40, @1, 'police', 'initial', 'red', #-30), (@41, @1, 'school', 'initial', 'red', #-25);"
             "INSERT INTO challenge(id, case_id, agency, about, state) VALUES(@42, @1, 'police', 'rating', 'open')");
    look_id(1, id);
    enum err e = look_case(l.n, id, &got, &l.why);
    struct json *c = look_got(&l, e, got);
    assert_false(look_true(c, "ratings.0.waits")); /* it is decided by its dispute */
    assert_true(look_true(c, "ratings.1.waits"));
    json_free(c);
}

/* ------------------------------------------------------------------------------------------------------- clocks */
static void a_question_without_a_time_takes_no_clock_from_the_case(void **state)
{
    (void)state;
    look_sql(&l, "INSERT INTO request(id, case_id, agency, to_agency, rag, state, due_at) VALUES"
                 "(@30, @1, 'care', 'police', 'blue', 'open', NULL);"
                 "UPDATE case_file SET rag = 'red' WHERE id = @1");
    due("meeting", "2026-11-25T15:00:00.000Z", false); /* received an hour ago, four hours */
    look_sql(&l, "UPDATE case_file SET rag = 'blue' WHERE id = @1");
    due("reply", "-", false); /* nothing has a time: what waits is still said */
}

static void what_comes_first_is_due_be_it_the_answer_or_the_meeting(void **state)
{
    (void)state;
    look_sql(&l, "INSERT INTO request(id, case_id, agency, to_agency, rag, state, due_at) VALUES"
                 "(@30, @1, 'care', 'police', 'amber', 'open', #240);"
                 "UPDATE case_file SET rag = 'red' WHERE id = @1");
    due("meeting", "2026-11-25T15:00:00.000Z", false);
    look_sql(&l, "UPDATE request SET due_at = #90");
    due("reply", "2026-11-25T13:30:00.000Z", false);
    look_sql(&l, "UPDATE case_file SET received_at = #-300 WHERE id = @1"); /* the meeting is an hour late */
    due("meeting", "2026-11-25T11:00:00.000Z", true);
    look_sql(&l, "UPDATE request SET due_at = #-90");
    due("reply", "2026-11-25T10:30:00.000Z", true);
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
        TEST(deciding_one_agencys_dispute_leaves_the_others_graver_rating_in_sight),
        TEST(a_rating_that_the_decision_had_not_seen_disputes_whatever_the_clocks_say),
        TEST(a_decision_by_a_clock_ahead_does_not_silence_what_is_rated_later),
        TEST(a_rating_under_no_dispute_can_be_settled_too),
        TEST(the_page_says_which_ratings_wait_under_no_dispute),
        TEST(a_question_without_a_time_takes_no_clock_from_the_case),
        TEST(what_comes_first_is_due_be_it_the_answer_or_the_meeting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
