/* With or without the case an agency keeps what it wrote, what it was told, and the outcome: node/look_kept.h. */
#include "node/look_kept.h"

#include "cli/serve.h"
#include "tests/lib/look_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct look_world l;
enum { GONE = 40 };

/* Of a case that is not here: what social care told health, health's own note, and what is between health and them. */
static const char left[] =
    "INSERT INTO feedback(id, case_id, agency, to_agency, channel, body, sent_at) VALUES"
    "(@50, @40, 'care', 'health', 'spoke', 'An assessment begins', #-30);"
    "INSERT INTO release(id, case_id, agency, to_agency, state, how, title, body, decided_at) VALUES"
    "(@51, @40, 'care', 'health', 'granted', 'whole', 'What we know', 'TOLD TEXT', #-20);"
    "INSERT INTO record(id, case_id, agency, sensitivity, title, body, written_at) VALUES"
    "(@52, @40, 'health', 'sensitive', 'Visit', 'OWN TEXT', #-90);"
    "INSERT INTO request(id, case_id, agency, to_agency, question, state, asked_at) VALUES"
    "(@53, @40, 'health', 'care', 'Is he known?', 'cancelled', #-80);";

static struct json *page(unsigned n)
{
    uint8_t id[16];
    struct json *got = NULL;
    look_id(n, id);
    enum err e = look_case(l.n, id, &got, &l.why);
    return look_got(&l, e, got);
}

static struct json *told(bool wall)
{
    struct json *got = NULL;
    const struct look_board ask = {.wall = wall};
    enum err e = look_board(l.n, &ask, &got, &l.why);
    return look_got(&l, e, got);
}

static void without_the_case_an_agency_reads_what_it_was_told_and_what_it_wrote(void **state)
{
    uint8_t id[16];
    struct json *got = NULL;
    (void)state;
    look_sql(&l, left);
    struct json *c = page(GONE);
    assert_true(look_true(c, "bare"));
    assert_string_equal(look_text(c, "case.reference"), "-");
    assert_string_equal(look_text(c, "feedback.0.body"), "An assessment begins");
    assert_true(look_true(c, "may.feedback-ack"));
    assert_string_equal(look_text(c, "requests.0.question"), "Is he known?");
    assert_string_equal(look_text(c, "releases.0.says"), "told whole");
    assert_int_equal(look_count_text(c, "TEXT"), 0);
    assert_int_equal(mock_ask(l.n, "SELECT count(*) FROM n_view"), 0);
    json_free(c);
    look_id(GONE, id);
    const struct look_chronology ask = {.case_id = id};
    enum err e = look_chronology(l.n, &ask, &got, &l.why);
    struct json *line = look_got(&l, e, got);
    assert_int_equal(look_count_text(line, "TOLD TEXT"), 1);
    assert_int_equal(look_count_text(line, "OWN TEXT"), 1);
    assert_int_equal(look_count_text(line, "An assessment begins"), 1);
    assert_int_equal(mock_ask(l.n, "SELECT count(*) FROM n_view"), 2); /* each look is noted */
    json_free(line);
}

static void a_case_that_is_here_is_no_bare_one_nor_is_one_of_which_nothing_is_left(void **state)
{
    uint8_t id[16];
    struct json *got = NULL;
    (void)state;
    struct json *c = page(1);
    assert_false(look_true(c, "bare"));
    json_free(c);
    look_sql(&l,
             "INSERT INTO participant(id, case_id, agency, member, access) VALUES(@54, @40, 'care', 'health', 'none')");
    look_id(GONE, id);
    assert_int_equal(look_case(l.n, id, &got, &l.why), ERR_NOTFOUND);
    look_sql(&l, left);
    look_sql(&l,
             "UPDATE feedback SET voided_at = #-1; UPDATE release SET voided_at = #-1; UPDATE record SET voided_at ="
             " #-1; UPDATE request SET voided_at = #-1");
    assert_int_equal(look_case(l.n, id, &got, &l.why), ERR_NOTFOUND);
    const struct look_chronology ask = {.case_id = id};
    assert_int_equal(look_chronology(l.n, &ask, &got, &l.why), ERR_NOTFOUND);
}

static void the_board_leads_to_what_was_told_of_cases_that_are_not_here(void **state)
{
    (void)state;
    look_sql(&l, left);
    look_sql(&l, "INSERT INTO feedback(id, case_id, agency, to_agency, body, sent_at) VALUES"
                 "(@55, @1, 'care', 'health', 'Here', #-1), (@56, @41, 'care', 'police', 'Theirs', #-1);"
                 "INSERT INTO release(id, case_id, agency, to_agency, state, decided_at, expires_at) VALUES"
                 "(@57, @42, 'care', 'health', 'granted', #-9, #-1)");
    char want[37];
    look_id_text(GONE, want);
    struct json *b = told(false);
    assert_int_equal(look_int(b, "told.total"), 1);
    assert_string_equal(look_text(b, "told.cases.0.case_id"), want);
    assert_int_equal(look_int(b, "told.cases.0.to_confirm"), 1);
    assert_true(look_true(b, "told.cases.0.outcome"));
    assert_string_equal(look_text(b, "told.cases.0.agency_name"), "Social care");
    json_free(b);
    look_sql(&l, "UPDATE feedback SET ack_at = #-1");
    b = told(false);
    assert_int_equal(look_int(b, "told.cases.0.to_confirm"), 0);
    json_free(b);
    b = told(true);
    assert_true(json_holds_null(look_at(b, "told"))); /* nothing for a screen on the wall */
    json_free(b);
}

/* The route takes the whole id, and of what is not here says what it says of everything that is not. */
static void route_of(const char *rest, const char *tail, enum err want)
{
    static const struct http_request req = {.method = "GET", .path = "/", .query = ""};
    struct serve_call c;
    serve_call_begin(&c, l.n, &req, 0);
    c.rest = rest;
    for (const struct serve_route *r = serve_look_routes; r->method != NULL; r++)
        if (strcmp(r->path, "/api/cases/") == 0 && (tail == NULL ? r->tail == NULL : r->tail && !strcmp(r->tail, tail)))
            assert_int_equal(r->run(&c, &l.why), want);
    serve_call_end(&c);
}

static void the_route_finds_it_by_its_whole_id_alone(void **state)
{
    char id[37], nothing[37];
    (void)state;
    look_sql(&l, left);
    look_id_text(GONE, id);
    look_id_text(77, nothing);
    route_of(id, NULL, ERR_OK);
    route_of(id, "/chronology", ERR_OK);
    route_of(id, "/summary", ERR_NOTFOUND);
    route_of(nothing, NULL, ERR_NOTFOUND);
    assert_non_null(strstr(l.why.text, "does not hold"));
    id[35] = '\0';
    route_of(id, NULL, ERR_NOTFOUND);
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
        TEST(without_the_case_an_agency_reads_what_it_was_told_and_what_it_wrote),
        TEST(a_case_that_is_here_is_no_bare_one_nor_is_one_of_which_nothing_is_left),
        TEST(the_board_leads_to_what_was_told_of_cases_that_are_not_here),
        TEST(the_route_finds_it_by_its_whole_id_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
