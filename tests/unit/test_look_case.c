/* What the page of one case shows, and what may be done there: node/look.h, web/API.md. */
#include "tests/lib/look_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct look_world l;

static struct json *shown(void)
{
    uint8_t id[16];
    struct json *got = NULL;
    look_id(1, id);
    enum err e = look_case(l.n, id, &got, &l.why);
    return look_got(&l, e, got);
}

static void everything_of_the_contract_is_there_and_null_is_said(void **state)
{
    static const char *const keys[] = {
        "case",      "brief",    "referrals", "ratings", "rating_before", "rating_after", "clocks",
        "people",    "kinship",  "warnings",  "plans",   "requests",      "participants", "pointers",
        "releases",  "meetings", "feedback",  "actions", "challenges",    "held",         "allocations",
        "conflicts", "withheld", "access",    "may",     "repeat"};
    static const char *const of_case[] = {"id",         "case_id",      "agency",     "agency_name", "reference",
                                          "area",       "rag",          "shown_rag",  "disputed",    "overdue",
                                          "due_what",   "minutes_left", "unsent",     "closed_at",   "lead_agency",
                                          "restricted", "status",       "received_at"};
    (void)state;
    struct json *c = shown();
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (!json_has(c, keys[i])) fail_msg("no %s", keys[i]);
    for (size_t i = 0; i < sizeof of_case / sizeof of_case[0]; i++)
        if (!json_has(look_at(c, "case"), of_case[i])) fail_msg("no case.%s", of_case[i]);
    assert_false(json_has(look_at(c, "case"), "voided_at"));
    assert_string_equal(look_text(c, "case.lead_agency_name"), "Social care");
    assert_string_equal(look_text(c, "brief.summary"), "Bruise seen");
    assert_string_equal(look_text(c, "people.0.name"), "Ada Wren");
    assert_string_equal(look_text(c, "participants.0.member_name"), "Health");
    assert_string_equal(look_text(c, "access"), "contribute");
    json_free(c);
}

static void a_case_that_is_not_here_or_was_opened_by_mistake_is_not_shown(void **state)
{
    uint8_t id[16];
    struct json *got = NULL;
    (void)state;
    look_id(77, id);
    assert_int_equal(look_case(l.n, id, &got, &l.why), ERR_NOTFOUND);
    look_id(1, id);
    look_sql(&l, "UPDATE case_file SET voided_at = #-1");
    assert_int_equal(look_case(l.n, id, &got, &l.why), ERR_NOTFOUND);
    assert_null(got);
}

/* One row of every table, each with a word that is its own: voided, and of another case. */
static const char everywhere[] =
    "INSERT INTO referral(id, case_id, agency, referrer, voided_at) VALUES(@100, %s, 'care', 'NEEDLE', %s);"
    "INSERT INTO participant(id, case_id, agency, member, access, basis, voided_at) VALUES(@101, %s, 'care', 'school', 'view',"
    " 'NEEDLE', %s);"
    "INSERT INTO person(id, case_id, agency, given_names, voided_at) VALUES(@102, %s, 'care', 'NEEDLE', %s);"
    "INSERT INTO kinship(id, case_id, agency, person_id, relative_id, kind, voided_at) VALUES(@103, %s, 'care', @10, @10,"
    " 'NEEDLE', %s);"
    "INSERT INTO identifier(id, case_id, agency, person_id, scheme, value, voided_at) VALUES(@104, %s, 'care', @10, 'nhs',"
    " 'NEEDLE', %s);"
    "INSERT INTO contact(id, case_id, agency, person_id, value, voided_at) VALUES(@105, %s, 'care', @10, 'NEEDLE', %s);"
    "INSERT INTO warning(id, case_id, agency, note, voided_at) VALUES(@106, %s, 'care', 'NEEDLE', %s);"
    "INSERT INTO warning(id, case_id, agency, person_id, note, voided_at) VALUES(@107, %s, 'care', @10, 'NEEDLE', %s);"
    "INSERT INTO pointer(id, case_id, agency, note, voided_at) VALUES(@108, %s, 'police', 'NEEDLE', %s);"
    "INSERT INTO request(id, case_id, agency, to_agency, question, state, voided_at) VALUES(@109, %s, 'care', 'police',"
    " 'NEEDLE', 'open', %s);"
    "INSERT INTO release(id, case_id, agency, to_agency, reason, state, asked_by, voided_at) VALUES(@110, %s, 'care',"
    " 'health', 'NEEDLE', 'asked', @me, %s);"
    "INSERT INTO consent(id, case_id, agency, person_id, scope, reason, voided_at) VALUES(@111, %s, 'care', @10, 'all',"
    " 'NEEDLE', %s);"
    "INSERT INTO rating(id, case_id, agency, stage, rag, reason, voided_at) VALUES(@112, %s, 'care', 'initial', 'red',"
    " 'NEEDLE', %s);"
    "INSERT INTO challenge(id, case_id, agency, about, reason, voided_at) VALUES(@113, %s, 'care', 'rating', 'NEEDLE', %s);"
    "INSERT INTO meeting(id, case_id, agency, outcome, held_at, voided_at) VALUES(@114, %s, 'care', 'NEEDLE', #-9, %s);"
    "INSERT INTO episode(id, case_id, agency, kind, voided_at) VALUES(@115, %s, 'care', 'NEEDLE', %s);"
    "INSERT INTO action(id, case_id, agency, title, voided_at) VALUES(@116, %s, 'care', 'NEEDLE', %s);"
    "INSERT INTO allocation(id, case_id, agency, practitioner, role, voided_at) VALUES(@117, %s, 'care', @me, 'NEEDLE', %s);"
    "INSERT INTO feedback(id, case_id, agency, to_agency, body, voided_at) VALUES(@118, %s, 'care', 'health', 'NEEDLE', %s);"
    "INSERT INTO conflict(id, case_id, agency, tbl, row_id, col, policy, state, voided_at) VALUES(@119, %s, 'care', 'person',"
    " @10, 'NEEDLE', 'lww', 'open', %s);"
    "INSERT INTO held(id, case_id, agency, node, what, state, voided_at) VALUES(@120, %s, 'care', @1, 'NEEDLE', 'waiting', %s);"
    "INSERT INTO record(id, case_id, agency, title, sensitivity, voided_at) VALUES(@121, %s, 'health', 'NEEDLE', 'open', %s);";
enum { NEEDLES = 22 }; /* that the page of the case shows: all but the record's, and a person's name also as `name` */

static void lay_everywhere(const char *case_id, const char *voided)
{
    struct buf b;
    bool first = true;
    buf_init(&b, 1u << 16);
    for (const char *p = everywhere; *p != '\0'; p++) {
        if (*p != '%') {
            buf_put(&b, p, 1);
            continue;
        }
        buf_put_str(&b, first ? case_id : voided);
        first = !first;
        p++;
    }
    look_sql(&l, buf_cstr(&b));
    buf_release(&b);
}

static void case_never_shows_voided_rows(void **state)
{
    (void)state;
    lay_everywhere("@1", "NULL");
    struct json *c = shown();
    assert_int_equal(look_count_text(c, "NEEDLE"), NEEDLES); /* or the test would prove nothing */
    json_free(c);
    static const char *const tables[] = {"referral",  "participant", "person",  "kinship", "identifier", "contact",
                                         "warning",   "pointer",     "request", "release", "consent",    "rating",
                                         "challenge", "meeting",     "episode", "action",  "allocation", "feedback",
                                         "conflict",  "held",        "record"};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        char sql[96];
        (void)snprintf(sql, sizeof sql, "UPDATE %s SET voided_at = #-1 WHERE id >= @100", tables[i]);
        look_sql(&l, sql);
    }
    c = shown();
    assert_int_equal(look_count_text(c, "NEEDLE"), 0);
    assert_string_equal(look_text(c, "case.shown_rag"), "amber");
    assert_false(look_true(c, "case.disputed"));
    json_free(c);
}

static void another_cases_rows_never_appear(void **state)
{
    (void)state;
    look_sql(&l, "INSERT INTO case_file(id, case_id, agency) VALUES(@20, @20, 'care')");
    lay_everywhere("@20", "NULL");
    struct json *c = shown();
    assert_int_equal(look_count_text(c, "NEEDLE"), 0);
    json_free(c);
}

/* The chronology shows texts, and notes the look; this page shows none, so it has none to note. */
static void the_page_shows_no_text_of_records_or_of_what_was_told(void **state)
{
    (void)state;
    look_sql(&l, "INSERT INTO record(id, case_id, agency, title, body, sensitivity) VALUES"
                 "(@50, @1, 'health', 'SECRET', 'SECRET', 'sensitive');"
                 "INSERT INTO release(id, case_id, agency, to_agency, state, how, title, body, conditions) VALUES"
                 "(@51, @1, 'police', 'health', 'granted', 'whole', 'SECRET', 'SECRET', 'SECRET')");
    struct json *c = shown();
    assert_int_equal(look_count_text(c, "SECRET"), 0);
    assert_string_equal(look_text(c, "releases.0.says"), "told whole");
    assert_int_equal(mock_ask(l.n, "SELECT count(*) FROM n_view"), 0);
    json_free(c);
}

static void numbers_show_whole_and_masked(void **state)
{
    (void)state;
    look_sql(&l, "INSERT INTO identifier(id, case_id, agency, person_id, scheme, value) VALUES"
                 "(@50, @1, 'care', @10, 'nhs', '943 476 5919'), (@51, @1, 'care', @10, 'upn', 'H801200001001'),"
                 "(@52, @1, 'care', @10, 'xx', '123')");
    struct json *c = shown();
    assert_string_equal(look_text(c, "people.0.identifiers.0.value"), "943 476 5919");
    assert_string_equal(look_text(c, "people.0.identifiers.0.masked"), "943 *** **19");
    assert_string_equal(look_text(c, "people.0.identifiers.1.masked"), "H80********01");
    assert_string_equal(look_text(c, "people.0.identifiers.2.masked"), "***");
    json_free(c);
}

/* -------------------------------------------------------------------------------------------------------- clocks */
static void clock_is(struct json *c, int which, const char *what, const char *says, const char *due, const char *done)
{
    char path[40];
    static const char *const keys[] = {"what", "state", "due_at", "done_at"};
    const char *const want[] = {what, says, due, done};
    for (size_t i = 0; i < 4; i++) {
        (void)snprintf(path, sizeof path, "clocks.%d.%s", which, keys[i]);
        assert_string_equal(look_text(c, path), want[i]);
    }
}

static void clocks_say_what_was_in_time(void **state)
{
    (void)state;
    struct json *c = shown();
    clock_is(c, 0, "reply", "none", "-", "-");
    clock_is(c, 1, "meeting", "running", "2026-11-25T15:00:00.000Z", "-");
    clock_is(c, 2, "decision", "running", "2026-11-26T11:00:00.000Z", "-");
    assert_int_equal(look_int(c, "clocks.1.minutes"), 240);
    assert_string_equal(look_text(c, "clocks.1.clock"), "working");
    json_free(c);
    look_sql(
        &l,
        "UPDATE case_file SET received_at = #-5000;"
        "INSERT INTO request(id, case_id, agency, to_agency, state, rag, due_at, answered_at) VALUES"
        "(@50, @1, 'care', 'police', 'answered', 'amber', #-30, #-20), (@51, @1, 'care', 'school', 'open', 'amber', #-10,"
        " NULL);"
        "INSERT INTO meeting(id, case_id, agency, held_at) VALUES(@52, @1, 'care', #-40)");
    c = shown();
    clock_is(c, 0, "reply", "late", "2026-11-25T11:50:00.000Z", "-");
    assert_string_equal(look_text(c, "clocks.1.state"), "missed");
    assert_string_equal(look_text(c, "clocks.2.state"), "late");
    json_free(c);
    look_sql(&l, "UPDATE request SET state = 'answered', answered_at = #-20, due_at = #-15;"
                 "UPDATE brief SET decided_at = #-4990; UPDATE case_file SET status = 'decided'");
    c = shown();
    assert_string_equal(look_text(c, "clocks.0.state"), "met");
    assert_string_equal(look_text(c, "clocks.2.state"), "met");
    json_free(c);
}

static void ratings_before_and_after_are_the_first_and_the_one_it_was_decided_with(void **state)
{
    (void)state;
    look_sql(&l, "INSERT INTO rating(id, case_id, agency, author, stage, rag, rated_at) VALUES"
                 "(@50, @1, 'care', @910, 'initial', 'red', #-50), (@51, @1, 'care', @910, 'final', 'amber', #-10)");
    struct json *c = shown();
    assert_string_equal(look_text(c, "rating_before"), "red");
    assert_string_equal(look_text(c, "rating_after"), "-");
    assert_string_equal(look_text(c, "ratings.0.author.name"), "Ann Rees");
    json_free(c);
    look_sql(&l, "UPDATE brief SET decided_at = #-5");
    c = shown();
    assert_string_equal(look_text(c, "rating_after"), "amber");
    json_free(c);
}

/* ------------------------------------------------------------------------------------------------------ consent */
static void effect_says_what_consent_does_to_sharing(void **state)
{
    static const struct {
        const char *change, *want;
    } steps[] = {
        {"UPDATE consent SET state = 'refused'", "Nobody else can see the 2 records of your agency that need it."},
        {"UPDATE consent SET state = 'withdrawn'",
         "Nobody else can see the 2 records of your agency that need it. What a decision rests upon stays with those who were"
         " told."},
        {"UPDATE consent SET state = 'given'",
         "Those who take part can see the 2 records of your agency that need it."},
        {"UPDATE consent SET expires_at = #-1",
         "It is over now. Nobody else can see the 2 records of your agency that need it."},
        {"UPDATE record SET override_at = #-1, override_reason = 'Risk' WHERE id = @50",
         "It is over now. Nobody else can see the 1 record of your agency that needs it. 1 is told without consent, for the reason"
         " that was noted."},
        {"DELETE FROM record", "No record of your agency here needs it, so none of them is kept back."},
        {"UPDATE consent SET scope = 'police'", "Nobody else can see records of that agency that need it."},
    };
    (void)state;
    look_sql(
        &l,
        "INSERT INTO record(id, case_id, agency, person_id, sensitivity, needs_consent) VALUES"
        "(@50, @1, 'health', @10, 'open', 1), (@51, @1, 'health', NULL, 'sensitive', 1),"
        "(@52, @1, 'health', NULL, 'restricted', 1), (@53, @1, 'police', NULL, 'open', 1), (@54, @1, 'health', NULL,"
        " 'open', 0);"
        "INSERT INTO consent(id, case_id, agency, person_id, scope) VALUES(@55, @1, 'care', @10, 'all')");
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        look_sql(&l, steps[i].change);
        struct json *c = shown();
        assert_string_equal(look_text(c, "people.0.consents.0.effect"), steps[i].want);
        json_free(c);
    }
}

/* ---------------------------------------------------------------------------------------------- asked, withheld */
static void what_agencies_say_that_they_hold_is_counted_for_each(void **state)
{
    (void)state;
    look_sql(
        &l,
        "INSERT INTO pointer(id, case_id, agency, note) VALUES(@50, @1, 'police', 'Ask us'), (@51, @1, 'police', 'Also'),"
        "(@52, @1, 'health', 'Ours')");
    struct json *c = shown();
    assert_int_equal(json_len(look_at(c, "withheld")), 1); /* what one holds oneself is not withheld */
    assert_string_equal(look_text(c, "withheld.0.agency_name"), "Police");
    assert_int_equal(look_int(c, "withheld.0.count"), 2);
    assert_int_equal(json_len(look_at(c, "pointers")), 3);
    json_free(c);
}

static void a_disputes_decision_has_its_reason(void **state)
{
    (void)state;
    look_sql(&l, "INSERT INTO challenge(id, case_id, agency, about, state, decided_by, decided_at) VALUES"
                 "(@50, @1, 'police', 'rating', 'dismissed', @910, #-7);"
                 "INSERT INTO rating(id, case_id, agency, author, rag, reason, rated_at) VALUES"
                 "(@51, @1, 'care', @910, 'amber', 'Talked to both', #-7)");
    struct json *c = shown();
    assert_string_equal(look_text(c, "challenges.0.decision_reason"), "Talked to both");
    assert_string_equal(look_text(c, "challenges.0.decided_by.name"), "Ann Rees");
    assert_int_equal(json_len(look_at(c, "ratings")), 0); /* it rates nothing anew */
    json_free(c);
}

static void a_meeting_has_who_was_there_and_who_did_not_agree(void **state)
{
    (void)state;
    look_sql(&l, "INSERT INTO meeting(id, case_id, agency, kind, held_at) VALUES(@50, @1, 'care', 'mash', #-10);"
                 "INSERT INTO attendance(id, case_id, agency, meeting_id, practitioner, present, dissent) VALUES"
                 "(@51, @1, 'care', @50, @910, 1, NULL), (@52, @1, 'care', @50, NULL, 0, 'Not safe'),"
                 "(@53, @1, 'care', @99, @910, 1, 'ELSEWHERE')");
    struct json *c = shown();
    assert_int_equal(json_len(look_at(c, "meetings.0.attendance")), 2);
    assert_string_equal(look_text(c, "meetings.0.attendance.0.practitioner.name"), "Ann Rees");
    assert_true(look_true(c, "meetings.0.attendance.0.present"));
    assert_string_equal(look_text(c, "meetings.0.attendance.1.dissent"), "Not safe");
    json_free(c);
}

static void a_row_that_was_not_sent_is_marked(void **state)
{
    uint8_t id[16];
    (void)state;
    look_id(10, id);
    (void)mock_set(l.n, "person", id, "given_names", "Ida");
    struct json *c = shown();
    assert_true(look_true(c, "people.0.unsent"));
    assert_false(look_true(c, "case.unsent"));
    json_free(c);
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
        TEST(everything_of_the_contract_is_there_and_null_is_said),
        TEST(a_case_that_is_not_here_or_was_opened_by_mistake_is_not_shown),
        TEST(case_never_shows_voided_rows),
        TEST(another_cases_rows_never_appear),
        TEST(the_page_shows_no_text_of_records_or_of_what_was_told),
        TEST(numbers_show_whole_and_masked),
        TEST(clocks_say_what_was_in_time),
        TEST(ratings_before_and_after_are_the_first_and_the_one_it_was_decided_with),
        TEST(effect_says_what_consent_does_to_sharing),
        TEST(what_agencies_say_that_they_hold_is_counted_for_each),
        TEST(a_disputes_decision_has_its_reason),
        TEST(a_meeting_has_who_was_there_and_who_did_not_agree),
        TEST(a_row_that_was_not_sent_is_marked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
