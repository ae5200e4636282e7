/* What people do about a case: asking, answering, pointing, taking back. Each refusal leaves nothing behind; each act
 * writes these rows and no others, in one edit. */
#include "tests/lib/act_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define USER "03030303-0303-0303-0303-030303030303"

static int64_t now(const struct act_world *a)
{
    return env_now(&a->w.env);
}

/* --------------------------------------------------------------------------------------------------- requests */
static struct act_request question(struct act_world *a, int c, const char *agency, const char *text)
{
    return (struct act_request){.case_id = a->id[c], .to_agency = agency, .question = text};
}

static enum err ask(struct act_world *a, int c, const char *agency, const char *text, struct act_request_sent *out)
{
    struct act_request q = question(a, c, agency, text);
    q.basis = "s47";
    return act_request_send(a->n, &q, out, &a->why);
}

static void asking_brings_the_agency_in_with_check_and_says_when_an_answer_is_due(void **state)
{
    struct act_world a;
    struct act_request_sent sent = {0};
    char got[256];
    (void)state;
    act_world_new(&a);
    int64_t before = now(&a);
    act_done(&a, ask(&a, CASE, "school", "Any absences?", &sent)); /* its former part is over */
    assert_true(sent.brought_in);
    assert_true(sent.due_at >= before + 120 * 60000 && sent.due_at <= now(&a) + 120 * 60000);
    act_is_text(&a, "request", sent.id, "question", "Any absences?");
    act_is_text(&a, "request", sent.id, "lawful_basis", "s47");
    act_is_text(&a, "request", sent.id, "state", "open");
    act_is_text(&a, "request", sent.id, "rag", "red");
    act_is_text(&a, "request", sent.id, "agency", "health");
    act_is_text(&a, "request", sent.id, "to_agency", "school");
    act_is_text(&a, "request", sent.id, "result", "");
    assert_string_equal(act_ask(&a,
                                "SELECT group_concat(access || agency) FROM participant WHERE case_id = $1 AND member ="
                                " 'school' AND until IS NULL",
                                a.id[CASE], got),
                        "checkhealth");
    act_world_free(&a);
}

static void who_takes_part_already_is_asked_and_not_brought_in_again(void **state)
{
    struct act_world a;
    struct act_request_sent sent = {0};
    (void)state;
    act_world_new(&a);
    act_done(&a, ask(&a, CASE, "police", "Any incidents?", &sent));
    assert_false(sent.brought_in);
    assert_int_equal(mock_ask(a.n, "SELECT count(*) FROM participant WHERE member = 'police'"), 2);
    act_done(&a, ask(&a, SECRET_CASE, "police", "Any incidents?", &sent)); /* named in it */
    assert_false(sent.brought_in);
    assert_int_equal(mock_ask(a.n, "SELECT count(*) FROM participant WHERE member = 'police'"), 2);
    assert_int_equal(sent.due_at, 0); /* no rating, no time set */
    act_world_free(&a);
}

static void the_same_question_is_not_asked_twice_while_it_waits(void **state)
{
    struct act_world a;
    struct act_request_sent sent = {0};
    (void)state;
    act_world_new(&a);
    act_done(&a, ask(&a, CASE, "police", "Any incidents?", &sent));
    act_refused(&a, ask(&a, CASE, "police", "Any incidents?", &sent), ERR_EXISTS, "already");
    act_done(&a, ask(&a, CASE, "police", "And before that?", &sent));
    act_world_free(&a);
}

static void a_question_that_reaches_nobody_is_refused(void **state)
{
    struct act_world a;
    struct act_request_sent sent = {0};
    (void)state;
    act_world_new(&a);
    act_refused(&a, ask(&a, CASE, "polcie", "Known?", &sent), ERR_NOTFOUND, "no agency with the code 'polcie'");
    act_refused(&a, ask(&a, CASE, "health", "Known?", &sent), ERR_USAGE, "your own agency");
    act_refused(&a, ask(&a, CASE, "police", " \n", &sent), ERR_USAGE, "needs its question");
    act_refused(&a, ask(&a, FIRST_FREE, "police", "Known?", &sent), ERR_NOTFOUND, "no case");
    act_refused(&a, ask(&a, SECRET_CASE, "care", "Known?", &sent), ERR_DENIED, "restricted to sites that are named");
    act_refused(&a, ask(&a, SECRET_CASE, "school", "Known?", &sent), ERR_DENIED,
                "restricted"); /* part without a site */
    act_world_free(&a);
}

static enum err answer(struct act_world *a, int request, const char *result, int record)
{
    uint8_t ids[1][16];
    struct act_answer in = {.request = a->id[request], .result = result, .records = (const uint8_t(*)[16])ids};
    if (record != 0) memcpy(ids[in.n_records++], a->id[record], 16);
    return act_request_answer(a->n, &in, &a->why);
}

static void an_answer_says_what_who_and_when_and_links_no_record(void **state)
{
    struct act_world a;
    char got[256];
    (void)state;
    act_world_new(&a);
    act_done(&a, answer(&a, TO_US, "known", OPEN_RECORD));
    act_is_text(&a, "request", a.id[TO_US], "state", "answered");
    act_is_text(&a, "request", a.id[TO_US], "result", "known");
    act_is_text(&a, "request", a.id[TO_US], "answered_by", USER);
    assert_true(atoll(act_ask(&a, "SELECT answered_at FROM request WHERE id = $1", a.id[TO_US], got)) > 0);
    act_is_text(&a, "record", a.id[OPEN_RECORD], "request_id", "");
    act_refused(&a, answer(&a, TO_US, "known", 0), ERR_EXISTS, "answered this already");
    act_world_free(&a);
}

static void only_the_asked_agency_answers_and_only_with_what_is_its_own(void **state)
{
    struct act_world a;
    (void)state;
    act_world_new(&a);
    act_refused(&a, answer(&a, TO_POLICE, "known", 0), ERR_DENIED, "not asked of your agency");
    act_refused(&a, answer(&a, ANSWERED, "known", 0), ERR_EXISTS, "already");
    act_refused(&a, answer(&a, CANCELLED, "known", 0), ERR_DENIED, "taken back");
    act_refused(&a, answer(&a, FIRST_FREE, "known", 0), ERR_NOTFOUND, "no request");
    act_refused(&a, answer(&a, TO_US, "yes", 0), ERR_USAGE, "known, not_known or nothing_relevant");
    act_refused(&a, answer(&a, TO_US, NULL, 0), ERR_USAGE, "known, not_known or nothing_relevant");
    act_refused(&a, answer(&a, TO_US, "not_known", OPEN_RECORD), ERR_USAGE, "goes with no record");
    act_refused(&a, answer(&a, TO_US, "known", POLICE_RECORD), ERR_DENIED, "not written by your agency");
    act_refused(&a, answer(&a, TO_US, "known", SECRET_RECORD), ERR_USAGE, "another case");
    act_refused(&a, answer(&a, TO_US, "known", VOID_RECORD), ERR_DENIED, "mistake");
    act_refused(&a, answer(&a, TO_US, "known", FIRST_FREE), ERR_NOTFOUND, "no record");
    act_world_free(&a);
}

static void declining_gives_a_reason_and_leaves_room_for_an_answer(void **state)
{
    struct act_world a;
    (void)state;
    act_world_new(&a);
    act_refused(&a, act_request_decline(a.n, a.id[TO_US], "", &a.why), ERR_USAGE, "Say why");
    act_refused(&a, act_request_decline(a.n, a.id[TO_POLICE], "no", &a.why), ERR_DENIED, "not asked of your agency");
    act_done(&a, act_request_decline(a.n, a.id[TO_US], "No basis given", &a.why));
    act_is_text(&a, "request", a.id[TO_US], "state", "declined");
    act_is_text(&a, "request", a.id[TO_US], "reason", "No basis given");
    act_is_text(&a, "request", a.id[TO_US], "answered_by", USER);
    act_refused(&a, act_request_decline(a.n, a.id[TO_US], "no", &a.why), ERR_EXISTS, "declined this already");
    act_done(&a, answer(&a, TO_US, "nothing_relevant", 0));
    act_is_text(&a, "request", a.id[TO_US], "state", "answered");
    act_world_free(&a);
}

static void a_question_is_taken_back_by_who_asked_it_while_it_waits(void **state)
{
    struct act_world a;
    struct act_request_sent sent = {0};
    (void)state;
    act_world_new(&a);
    act_done(&a, ask(&a, CASE, "police", "Any incidents?", &sent));
    act_done(&a, act_request_cancel(a.n, sent.id, &a.why));
    act_is_text(&a, "request", sent.id, "state", "cancelled");
    act_refused(&a, act_request_cancel(a.n, sent.id, &a.why), ERR_EXISTS, "nothing to take back");
    act_refused(&a, act_request_cancel(a.n, a.id[TO_POLICE], &a.why), ERR_DENIED, "Only the one that asked");
    act_world_free(&a);
}

static void the_device_knows_what_the_hub_would_hold(void **state)
{
    struct act_world a;
    static const struct {
        int c;
        enum act_part want;
    } cases[] = {
        {CASE, ACT_CONTRIBUTES}, {CHECKED_CASE, ACT_CHECKS}, {SECRET_CASE, ACT_CONTRIBUTES}, {ELSEWHERE, ACT_NO_PART}};
    (void)state;
    act_world_new(&a);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum act_part part = ACT_VIEWS;
        assert_int_equal(act_part(a.n, a.id[cases[i].c], &part, NULL), ERR_OK);
        assert_int_equal(part, cases[i].want);
    }
    act_world_free(&a);
}

/* --------------------------------------------------------------------------------------------------- pointers */
static void a_pointer_says_that_something_is_held_and_nothing_else(void **state)
{
    struct act_world a;
    uint8_t id[16];
    (void)state;
    act_world_new(&a);
    act_refused(&a, act_pointer_add(a.n, a.id[CASE], NULL, NULL, id, &a.why), ERR_USAGE, "note");
    act_refused(&a, act_pointer_add(a.n, a.id[FIRST_FREE], "Ask", NULL, id, &a.why), ERR_NOTFOUND, "no case");
    act_done(&a, act_pointer_add(a.n, a.id[CASE], "Ask the nurse", "01632 960003", id, &a.why));
    act_is_text(&a, "pointer", id, "note", "Ask the nurse");
    act_is_text(&a, "pointer", id, "contact", "01632 960003");
    act_is_text(&a, "pointer", id, "agency", "health");
    act_world_free(&a);
}

/* ------------------------------------------------------------------------------------------------------- void */
static void only_the_writer_takes_a_mistake_back_once_and_with_a_reason(void **state)
{
    struct act_world a;
    char got[256];
    (void)state;
    act_world_new(&a);
    act_refused(&a, act_void(a.n, "record", a.id[OPEN_RECORD], NULL, &a.why), ERR_USAGE, "reason");
    act_refused(&a, act_void(a.n, "record", a.id[POLICE_RECORD], "no", &a.why), ERR_DENIED, "Only its writer");
    act_refused(&a, act_void(a.n, "record", a.id[VOID_RECORD], "no", &a.why), ERR_EXISTS, "already");
    act_refused(&a, act_void(a.n, "record", a.id[FIRST_FREE], "no", &a.why), ERR_NOTFOUND, "nothing");
    act_refused(&a, act_void(a.n, "agency", a.id[OPEN_RECORD], "no", &a.why), ERR_DENIED, "kept by the MASH");
    act_refused(&a, act_void(a.n, "held", a.id[OPEN_RECORD], "no", &a.why), ERR_DENIED, "kept by the MASH");
    act_done(&a, act_void(a.n, "record", a.id[OPEN_RECORD], "Wrong child", &a.why));
    act_is_text(&a, "record", a.id[OPEN_RECORD], "void_reason", "Wrong child");
    assert_true(atoll(act_ask(&a, "SELECT voided_at FROM record WHERE id = $1", a.id[OPEN_RECORD], got)) > 0);
    act_is_text(&a, "record", a.id[OPEN_RECORD], "title", "Visit");
    act_world_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asking_brings_the_agency_in_with_check_and_says_when_an_answer_is_due),
        cmocka_unit_test(who_takes_part_already_is_asked_and_not_brought_in_again),
        cmocka_unit_test(the_same_question_is_not_asked_twice_while_it_waits),
        cmocka_unit_test(a_question_that_reaches_nobody_is_refused),
        cmocka_unit_test(an_answer_says_what_who_and_when_and_links_no_record),
        cmocka_unit_test(only_the_asked_agency_answers_and_only_with_what_is_its_own),
        cmocka_unit_test(declining_gives_a_reason_and_leaves_room_for_an_answer),
        cmocka_unit_test(a_question_is_taken_back_by_who_asked_it_while_it_waits),
        cmocka_unit_test(the_device_knows_what_the_hub_would_hold),
        cmocka_unit_test(a_pointer_says_that_something_is_held_and_nothing_else),
        cmocka_unit_test(only_the_writer_takes_a_mistake_back_once_and_with_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
