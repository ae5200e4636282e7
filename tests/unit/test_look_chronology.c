/* The chronology of a case: what it shows, and that each look at what is sensitive is noted before. */
#include "tests/lib/look_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct look_world l;

static enum err ask(const char *agency, const char *kind, const char *sensitivity, struct json **out)
{
    uint8_t id[16];
    look_id(1, id);
    const struct look_chronology in = {.case_id = id, .agency = agency, .kind = kind, .sensitivity = sensitivity};
    return look_chronology(l.n, &in, out, &l.why);
}

static struct json *shown(const char *agency, const char *kind, const char *sensitivity)
{
    struct json *got = NULL;
    enum err e = ask(agency, kind, sensitivity, &got);
    return look_got(&l, e, got);
}

static int64_t noted(const char *of)
{
    char sql[160];
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM n_view WHERE id IN (SELECT id FROM %s)", of);
    return mock_ask(l.n, sql);
}

static const char rows[] =
    "INSERT INTO record(id, case_id, agency, author, kind, title, body, sensitivity, needs_consent, person_id, occurred_at,"
    " written_at, handling) VALUES"
    "(@50, @1, 'health', @me, 'visit', 'Visit', 'A bruise', 'open', 0, @10, #-600, #-60, 'Not to the family'),"
    "(@51, @1, 'health', @me, 'call', 'Call', 'A call', 'sensitive', 0, NULL, #-500, #-500, NULL),"
    "(@52, @1, 'police', @910, 'incident', 'Incident', 'At night', 'sensitive', 0, NULL, #-400, #-400, NULL),"
    "(@53, @1, 'health', @me, 'note', 'Own', 'Ours', 'restricted', 0, NULL, #-390, #-390, NULL),"
    "(@54, @1, 'health', @me, 'note', 'Waits', 'For consent', 'open', 1, @10, #-380, #-380, NULL);"
    "INSERT INTO release(id, case_id, agency, to_agency, state, how, title, body, decided_at, decided_by, expires_at) VALUES"
    "(@60, @1, 'police', 'health', 'granted', 'whole', 'Told', 'What was told', #-300, @910, NULL),"
    "(@61, @1, 'police', 'health', 'granted', 'whole', 'Over', 'OVER', #-300, @910, #-1),"
    "(@62, @1, 'police', 'school', 'granted', 'whole', 'Others', 'OTHERS', #-300, @910, NULL);"
    "INSERT INTO rating(id, case_id, agency, author, stage, rag, reason, rated_at) VALUES"
    "(@63, @1, 'care', @910, 'initial', 'red', 'An injury', #-700);"
    "INSERT INTO request(id, case_id, agency, to_agency, question, state, result, reason, asked_at, answered_at, answered_by)"
    " VALUES(@64, @1, 'care', 'police', 'Known?', 'answered', 'known', 'See record', #-5, #-200, @910);"
    "INSERT INTO meeting(id, case_id, agency, kind, outcome, held_at) VALUES(@65, @1, 'care', 'mash', 'All agree', #-100);"
    "INSERT INTO episode(id, case_id, agency, person_id, kind, started_at, ended_at, result) VALUES"
    "(@66, @1, 'care', @10, 'early_help', #-90, #-80, 'Helped');"
    "INSERT INTO feedback(id, case_id, agency, to_agency, body, sent_at) VALUES(@67, @1, 'care', 'health', 'Thank you', #-20);"
    "UPDATE brief SET decision = 'Assess', decided_at = #-30 WHERE id = @1;";

static void everything_is_in_the_order_in_which_it_happened(void **state)
{
    static const char *const want[][2] = {
        {"request", "Asked Police"}, /* a day before, says its id; that it was chased since does not move it */
        {"rating", "Rated red"},
        {"visit", "Visit"},
        {"call", "Call"},
        {"incident", "Incident"},
        {"note", "Own"},
        {"note", "Waits"},
        {"release", "Told"},
        {"answer", "Answered: known to them"},
        {"meeting", "Meeting: mash"},
        {"plan", "Plan: early help"},
        {"plan-end", "Plan ended: early help"},
        {"decision", "Decision"},
        {"feedback", "Outcome told to Health"},
    };
    enum { N = sizeof want / sizeof want[0] };
    (void)state;
    struct json *c = shown(NULL, NULL, NULL);
    assert_int_equal(look_int(c, "total"), N);
    assert_int_equal(json_len(look_at(c, "entries")), N);
    for (size_t i = 0; i < N; i++) {
        char path[40];
        (void)snprintf(path, sizeof path, "entries.%zu.kind", i);
        assert_string_equal(look_text(c, path), want[i][0]);
        (void)snprintf(path, sizeof path, "entries.%zu.title", i);
        assert_string_equal(look_text(c, path), want[i][1]);
    }
    assert_int_equal(look_count_text(c, "OVER"), 0);   /* told until a time that is past */
    assert_int_equal(look_count_text(c, "OTHERS"), 0); /* told to somebody else */
    json_free(c);
}

static void chronology_tells_event_and_written_time_apart(void **state)
{
    (void)state;
    struct json *c = shown(NULL, "visit", NULL);
    assert_string_equal(look_text(c, "entries.0.at"), "2026-11-25T02:00:00.000Z");
    assert_string_equal(look_text(c, "entries.0.written_at"), "2026-11-25T11:00:00.000Z");
    assert_string_equal(look_text(c, "entries.0.author.name"), "Mair Evans");
    assert_string_equal(look_text(c, "entries.0.person"), "Ada Wren");
    assert_string_equal(look_text(c, "entries.0.handling"), "Not to the family");
    assert_string_equal(look_text(c, "entries.0.body"), "A bruise");
    json_free(c);
    c = shown(NULL, "meeting", NULL);
    assert_string_equal(look_text(c, "entries.0.at"), "2026-11-25T10:20:00.000Z");
    assert_string_equal(look_text(c, "entries.0.written_at"), "2026-11-24T12:00:00.000Z"); /* its id says */
    json_free(c);
}

static void an_own_record_says_who_sees_it(void **state)
{
    static const struct {
        const char *title, *seen;
    } want[] = {{"Visit", "all"},
                {"Call", "room"},
                {"Incident", "-"},
                {"Own", "nobody_restricted"},
                {"Waits", "nobody_consent"},
                {"Told", "-"}};
    (void)state;
    struct json *c = shown(NULL, NULL, NULL), *list = look_at(c, "entries");
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        size_t k = 0;
        while (k < json_len(list) && strcmp(look_text(json_at(list, k), "title"), want[i].title) != 0) k++;
        assert_string_equal(look_text(json_at(list, k), "seen_by"), want[i].seen);
    }
    json_free(c);
}

static void chronology_notes_each_sensitive_look_and_fails_closed(void **state)
{
    struct json *got = NULL;
    (void)state;
    look_sql(&l, "ALTER TABLE n_view RENAME TO n_view_gone"); /* it cannot be noted */
    assert_int_not_equal(ask(NULL, NULL, NULL, &got), ERR_OK);
    assert_null(got);
    look_sql(&l, "ALTER TABLE n_view_gone RENAME TO n_view");
    json_free(shown(NULL, NULL, NULL));
    assert_int_equal(noted("record WHERE id IN (SELECT id FROM record WHERE sensitivity <> 'open')"), 3);
    assert_int_equal(noted("record WHERE sensitivity = 'open'"), 0);
    assert_int_equal(noted("release"), 1); /* what was told to us: no other is shown */
    json_free(shown(NULL, NULL, NULL));    /* within the hour: the same look */
    assert_int_equal(mock_ask(l.n, "SELECT count(*) FROM n_view"), 4);
}

/* What is not shown was not looked at. */
static void only_what_is_asked_for_is_looked_at(void **state)
{
    (void)state;
    struct json *c = shown("police", NULL, NULL);
    assert_int_equal(look_int(c, "total"), 3); /* incident, what it told, its answer */
    assert_int_equal(noted("record"), 1);
    assert_int_equal(noted("release"), 1);
    json_free(c);
    c = shown(NULL, NULL, "restricted");
    assert_int_equal(look_int(c, "total"), 1);
    json_free(c);
    assert_int_equal(noted("record"), 2);
}

static void a_look_when_one_of_them_cannot_be_noted_notes_none(void **state)
{
    struct json *got = NULL;
    uint8_t id[16];
    char sql[256], hex[33];
    (void)state;
    look_id(52, id);
    hex_encode(hex, id, 16);
    (void)snprintf(
        sql, sizeof sql,
        "CREATE TRIGGER refuse BEFORE INSERT ON n_view WHEN new.id = x'%s' BEGIN SELECT RAISE(ABORT, 'no'); END", hex);
    look_sql(&l, sql);
    assert_int_not_equal(ask(NULL, NULL, NULL, &got), ERR_OK);
    assert_null(got);
    assert_int_equal(mock_ask(l.n, "SELECT count(*) FROM n_view"), 0);
    look_sql(&l, "DROP TRIGGER refuse");
}

static void what_was_a_mistake_and_other_cases_do_not_appear(void **state)
{
    uint8_t id[16];
    struct json *got = NULL;
    (void)state;
    look_sql(
        &l,
        "UPDATE record SET voided_at = #-1; UPDATE release SET voided_at = #-1; UPDATE rating SET voided_at = #-1;"
        "UPDATE request SET voided_at = #-1; UPDATE meeting SET voided_at = #-1; UPDATE episode SET voided_at = #-1;"
        "UPDATE feedback SET voided_at = #-1; UPDATE brief SET voided_at = #-1;"
        "INSERT INTO case_file(id, case_id, agency) VALUES(@20, @20, 'care');"
        "INSERT INTO record(id, case_id, agency, title, sensitivity) VALUES(@70, @20, 'health', 'Other', 'open')");
    struct json *c = shown(NULL, NULL, NULL);
    assert_int_equal(look_int(c, "total"), 0);
    json_free(c);
    look_id(99, id);
    assert_int_equal(look_chronology(l.n, &(struct look_chronology){.case_id = id}, &got, &l.why), ERR_NOTFOUND);
    assert_null(got);
}

/* ----------------------------------------------------------------------------------------------------------- days */
static enum err of_days(const char *from, const char *to, struct json **out)
{
    uint8_t id[16];
    look_id(1, id);
    const struct look_chronology in = {.case_id = id, .days = {.from = from, .to = to}};
    l.why = (struct why){0};
    return look_chronology(l.n, &in, out, &l.why);
}

/* Titles of what is shown, one after the other. */
static void shows(const char *from, const char *to, const char *titles, int64_t outside)
{
    char got[400] = "";
    struct json *c = NULL;
    enum err e = of_days(from, to, &c);
    c = look_got(&l, e, c);
    for (size_t i = 0; i < json_len(look_at(c, "entries")); i++) {
        size_t at = strlen(got);
        (void)snprintf(got + at, sizeof got - at, "%s%s", i != 0 ? ", " : "",
                       look_text(json_at(look_at(c, "entries"), i), "title"));
    }
    assert_string_equal(got, titles);
    assert_int_equal(look_int(c, "outside"), outside);
    assert_int_equal(look_int(c, "total"), json_len(look_at(c, "entries")));
    assert_string_equal(look_text(c, "from"), from != NULL ? from : "-");
    assert_string_equal(look_text(c, "to"), to != NULL ? to : "-");
    json_free(c);
}

/* The clocks go forward on 29 March and back on 25 October 2026; in summer midnight in London is 23:00 UTC. */
static const char dated[] =
    "DELETE FROM record; DELETE FROM release; DELETE FROM rating; DELETE FROM request; DELETE FROM meeting;"
    "DELETE FROM episode; DELETE FROM feedback; UPDATE brief SET decided_at = NULL;"
    "INSERT INTO record(id, case_id, agency, title, sensitivity, occurred_at, written_at) VALUES"
    "(@50, @1, 'police', 'eve of June', 'sensitive', 1780268399999, #-1),"
    "(@51, @1, 'police', 'first of June', 'sensitive', 1780268400000, #-1),"
    "(@52, @1, 'police', 'end of 29 March', 'open', 1774825199999, #-1),"
    "(@53, @1, 'police', 'end of 25 October', 'open', 1792972799999, #-1),"
    "(@54, @1, 'police', '26 October', 'open', 1792972800000, #-1),"
    "(@55, @1, 'police', 'undated', 'open', NULL, 1780268400001);";

static void days_are_whole_days_in_london_and_both_ends_are_shown(void **state)
{
    (void)state;
    look_sql(&l, dated);
    shows("2026-06-01", "2026-06-01", "first of June, undated", 4);
    shows("2026-05-31", "2026-05-31", "eve of June", 5);
    shows("2026-03-29", "2026-03-29", "end of 29 March", 5);
    shows("2026-10-25", "2026-10-25", "end of 25 October", 5);
    shows("2026-10-26", NULL, "26 October", 5);
    shows(NULL, "2026-05-31", "end of 29 March, eve of June", 4);
    shows("2026-12-01", "2026-12-31", "", 6);
}

static void what_does_not_say_when_it_happened_goes_by_when_it_was_written(void **state)
{
    (void)state;
    look_sql(&l, dated);
    look_sql(&l, "DELETE FROM record;"
                 "INSERT INTO episode(id, case_id, agency, kind) VALUES(@66, @1, 'care', 'early_help')");
    shows("2026-11-24", "2026-11-24", "Plan: early help", 0); /* its id says when it was written */
    shows("2026-11-25", NULL, "", 1);
}

static void a_look_at_some_days_notes_what_it_shows_alone(void **state)
{
    (void)state;
    look_sql(&l, dated);
    shows("2026-06-01", "2026-06-01", "first of June, undated", 4);
    assert_int_equal(noted("record"), 1); /* the one that is sensitive and in these days */
}

static void days_that_are_none_or_turned_round_are_refused_in_words(void **state)
{
    static const struct {
        const char *from, *to, *says;
    } wrong[] = {{"2026-02-30", NULL, "The first day is not a real date."},
                 {NULL, "yesterday", "The last day is not a real date."},
                 {"2026-06-01T00:00:00Z", NULL, "The first day is not a real date."},
                 {"2026-06-02", "2026-06-01", "The last day (1 Jun 2026) is before the first (2 Jun 2026)."}};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct json *c = NULL;
        assert_int_equal(of_days(wrong[i].from, wrong[i].to, &c), ERR_USAGE);
        assert_null(c);
        assert_string_equal(l.why.text, wrong[i].says);
        assert_true(l.why.next[0] != '\0');
    }
    assert_int_equal(noted("record"), 0);
}

static void a_long_case_shows_its_first_five_hundred_and_counts_them_all(void **state)
{
    (void)state;
    look_sql(
        &l,
        "WITH RECURSIVE x(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM x WHERE i < 599) INSERT INTO record(id, case_id,"
        " agency, kind, title, sensitivity, occurred_at) SELECT CAST(printf('record no %06d', i) AS BLOB), @1, 'police',"
        " 'log', 'R' || i, 'sensitive', #-9000 + i FROM x");
    struct json *c = shown(NULL, "log", NULL);
    assert_int_equal(look_int(c, "total"), 600);
    assert_int_equal(json_len(look_at(c, "entries")), 500);
    assert_string_equal(look_text(c, "entries.0.title"), "R0");
    assert_int_equal(noted("record"), 500); /* and no more than was shown */
    json_free(c);
}

static int set_up(void **state)
{
    (void)state;
    look_world_new(&l);
    look_sql(&l, rows);
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
        TEST(everything_is_in_the_order_in_which_it_happened),
        TEST(chronology_tells_event_and_written_time_apart),
        TEST(an_own_record_says_who_sees_it),
        TEST(chronology_notes_each_sensitive_look_and_fails_closed),
        TEST(only_what_is_asked_for_is_looked_at),
        TEST(a_look_when_one_of_them_cannot_be_noted_notes_none),
        TEST(what_was_a_mistake_and_other_cases_do_not_appear),
        TEST(days_are_whole_days_in_london_and_both_ends_are_shown),
        TEST(what_does_not_say_when_it_happened_goes_by_when_it_was_written),
        TEST(a_look_at_some_days_notes_what_it_shows_alone),
        TEST(days_that_are_none_or_turned_round_are_refused_in_words),
        TEST(a_long_case_shows_its_first_five_hundred_and_counts_them_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
