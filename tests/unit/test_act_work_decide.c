/* Meetings, decisions, and telling what came of it, on real devices at a real hub: who sees them, who may, what the hub
 * holds. Each refusal writes nothing. */
#include "tests/lib/work_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ------------------------------------------------------------------------------------------------------ meetings */
static struct act_meeting meeting_of(const struct ends_case *k)
{
    return (struct act_meeting){.case_id = k->c,
                                .kind = "strategy",
                                .held_at = env_now(&ends_hub->env) - 3600000,
                                .mode = "video",
                                .chair = "Ann",
                                .outcome = "All agreed to a visit"};
}

static void a_meeting_with_who_was_there_and_who_did_not_agree_is_one_change(void **state)
{
    struct ends_case k;
    uint8_t id[16];
    (void)state;
    work_case(&k);
    struct act_meeting m = meeting_of(&k);
    const struct act_attendance there[] = {{ann->user, true, NULL},
                                           {pol->user, true, "Wants a visit today"},
                                           {sam->user, false, " "},
                                           {NULL, true, "Dr Example, GP"}};
    m.attendance = there;
    m.n_attendance = 4;
    work_applied(ann, act_meeting_add(ann->n, &m, id, &work_why));
    work_sees(sam, "meeting", id, "outcome", "All agreed to a visit");
    work_says(sam, "SELECT kind || mode || chair FROM meeting WHERE id = $1", id, "strategyvideoAnn");
    work_says(sam, "SELECT count(*) FROM attendance WHERE meeting_id = $1 AND present = 1", id, "3");
    work_says(sam,
              "SELECT p.name FROM attendance a JOIN practitioner p ON p.id = a.practitioner WHERE a.meeting_id = $1"
              " AND a.dissent = 'Wants a visit today'",
              id, "Pol");
    work_says(sam, "SELECT count(*) FROM attendance WHERE meeting_id = $1 AND dissent IS NULL", id, "2");
}

static void a_meeting_that_a_partner_notes_waits_for_the_manager(void **state)
{
    struct ends_case k;
    uint8_t id[16];
    (void)state;
    work_case(&k);
    struct act_meeting m = meeting_of(&k);
    const struct act_attendance there[] = {{pol->user, true, NULL}};
    m.attendance = there;
    m.n_attendance = 1;
    work_held(pol, act_meeting_add(pol->n, &m, id, &work_why));
    work_sees(sam, "meeting", id, "outcome", "-");
    ends_accept(k.c);
    work_sees(sam, "meeting", id, "outcome", "All agreed to a visit");
    (void)ends_sync(pol, ERR_OK);
}

static void a_meeting_must_say_who_when_and_what_came_of_it(void **state)
{
    struct ends_case k;
    uint8_t id[16];
    static const uint8_t nobody[16] = {7};
    (void)state;
    work_case(&k);
    struct act_meeting m = meeting_of(&k);
    const struct act_attendance twice[] = {{pol->user, true, NULL}, {pol->user, false, NULL}};
    const struct act_attendance stranger[] = {{nobody, true, NULL}}, nameless[] = {{NULL, true, NULL}};
    m.outcome = "";
    work_refused(ann, act_meeting_add(ann->n, &m, id, &work_why), ERR_USAGE, "what came of the meeting");
    m.outcome = "Agreed";
    m.held_at = env_now(&ends_hub->env) + 86400000;
    work_refused(ann, act_meeting_add(ann->n, &m, id, &work_why), ERR_USAGE, "still to come");
    m.held_at = 0;
    m.attendance = twice;
    m.n_attendance = 2;
    work_refused(ann, act_meeting_add(ann->n, &m, id, &work_why), ERR_USAGE, "named twice");
    m.attendance = stranger;
    m.n_attendance = 1;
    work_refused(ann, act_meeting_add(ann->n, &m, id, &work_why), ERR_NOTFOUND, "knows nobody");
    m.attendance = nameless;
    work_refused(ann, act_meeting_add(ann->n, &m, id, &work_why), ERR_USAGE, "nobody by name");
    m.n_attendance = ACT_MAX_ATTENDANCE + 1;
    work_refused(ann, act_meeting_add(ann->n, &m, id, &work_why), ERR_LIMIT, "At most 100");
    m.n_attendance = 0;
    m.case_id = nobody;
    work_refused(ann, act_meeting_add(ann->n, &m, id, &work_why), ERR_NOTFOUND, "no case");
    m.case_id = k.c;
    m.held_at = env_now(&ends_hub->env) + 86400000;
    m.outcome = NULL;
    work_applied(ann, act_meeting_add(ann->n, &m, id, &work_why)); /* one that is planned */
}

/* ------------------------------------------------------------------------------------------------------ decision */
static struct act_decided decided;

static enum err decide(struct ends_node *n, const struct act_decision *in)
{
    memset(&decided, 0xff, sizeof decided);
    return act_decide(n->n, in, &decided, &work_why);
}

static struct act_decision assessed(const struct ends_case *k)
{
    return (struct act_decision){.case_id = k->c, .decision = "Assess the family", .outcome = "ASSESS"};
}

static void a_decision_is_told_to_all_who_work_on_the_case(void **state)
{
    struct ends_case k;
    (void)state;
    work_case(&k);
    struct act_decision d = assessed(&k);
    d.rag = "green";
    d.rag_reason = "The father has left";
    work_applied(ada, decide(ada, &d));
    assert_false(decided.closed);
    work_sees(sam, "brief", k.c, "decision", "Assess the family");
    work_sees(sam, "brief", k.c, "outcome", "ASSESS");
    work_sees(sam, "brief", k.c, "nfa", "0");
    work_says(sam, "SELECT decided_at > 0 FROM brief WHERE id = $1", k.c, "1");
    work_says(sam, "SELECT status || rag FROM case_file WHERE id = $1", k.c, "decidedgreen");
    work_says(sam, "SELECT reason || rag FROM rating WHERE case_id = $1 AND stage = 'final'", k.c,
              "The father has leftgreen");
    work_says(sam, "SELECT rag_reason FROM brief WHERE id = $1", k.c, "The father has left");
}

static void a_case_is_closed_with_a_reason_at_once_or_later(void **state)
{
    struct ends_case k;
    (void)state;
    work_case(&k);
    struct act_decision d = assessed(&k), close = {.case_id = k.c, .close = true, .closure_reason = "RC8"};
    work_refused(ann, decide(ann, &close), ERR_USAGE, "what was decided");
    d.close = true;
    work_refused(ann, decide(ann, &d), ERR_USAGE, "needs its reason");
    d.closure_reason = "RC99";
    work_refused(ann, decide(ann, &d), ERR_USAGE, "'RC99' is no code of a reason");
    d.closure_reason = NULL;
    d.close = false;
    work_applied(ann, decide(ann, &d));
    work_applied(ann, decide(ann, &close));
    assert_true(decided.closed);
    work_sees(pol, "case_file", k.c, "status", "closed");
    work_says(pol, "SELECT closed_at > 0 FROM case_file WHERE id = $1", k.c, "1");
    work_says(pol, "SELECT decision || closure_reason FROM brief WHERE id = $1", k.c, "Assess the familyRC8");
    work_refused(ann, decide(ann, &close), ERR_EXISTS, "closed already");
}

/* When it was decided tells whether it was in time: what changes nothing of it does not move that. */
static void closing_what_was_decided_before_leaves_the_time_of_the_decision(void **state)
{
    static const char at[] = "SELECT decided_at FROM brief WHERE id = $1";
    struct ends_case k;
    char first[32];
    (void)state;
    work_case(&k);
    struct act_decision d = assessed(&k);
    (void)snprintf(first, sizeof first, "%lld", (long long)ann->f->now);
    work_applied(ann, decide(ann, &d));
    work_says(ann, at, k.c, first);
    d.close = true;
    d.closure_reason = "RC8";
    work_applied(ann, decide(ann, &d)); /* the form says all of it again */
    work_says(ann, at, k.c, first);
    work_says(ann, "SELECT status FROM case_file WHERE id = $1", k.c, "closed");
    work_case(&k);
    d = assessed(&k);
    (void)snprintf(first, sizeof first, "%lld", (long long)ann->f->now);
    work_applied(ann, decide(ann, &d));
    d.decision = "Assess the whole family";
    work_applied(ann, decide(ann, &d)); /* another decision has a time of its own */
    work_says(ann, "SELECT decided_at > 0 FROM brief WHERE id = $1", k.c, "1");
    work_says(ann, "SELECT decision FROM brief WHERE id = $1", k.c, "Assess the whole family");
    char sql[96];
    (void)snprintf(sql, sizeof sql, "SELECT decided_at > %s FROM brief WHERE id = $1", first);
    work_says(ann, sql, k.c, "1");
}

static void a_decision_is_for_who_leads_or_has_the_duty(void **state)
{
    struct ends_case k;
    (void)state;
    work_case(&k);
    struct act_decision d = assessed(&k);
    work_refused(sam, decide(sam, &d), ERR_DENIED, "Only the agency that leads");
    work_refused(pol, decide(pol, &d), ERR_DENIED, "led by 'care'");
    work_led_by_school(&k);
    work_applied(sam, decide(sam, &d));
    work_sees(pol, "brief", k.c, "outcome", "ASSESS");
}

static void a_decision_is_held_when_the_lead_was_taken_away_meanwhile(void **state)
{
    struct ends_case k;
    (void)state;
    work_case(&k);
    work_led_by_school(&k);
    work_lead_taken_back(&k);
    struct act_decision d = assessed(&k);
    work_held(sam, decide(sam, &d));
    work_sees(pol, "case_file", k.c, "status", "gathering");
}

static void a_decision_says_what_in_words_and_codes_that_are_known(void **state)
{
    struct ends_case k;
    static const uint8_t nowhere[16] = {9};
    (void)state;
    work_case(&k);
    struct act_decision d = assessed(&k);
    d.decision = "\t";
    work_refused(ann, decide(ann, &d), ERR_USAGE, "what was decided");
    d = assessed(&k);
    d.outcome = NULL;
    work_refused(ann, decide(ann, &d), ERR_USAGE, "needs its outcome");
    d.outcome = "RC8";
    work_refused(ann, decide(ann, &d), ERR_USAGE, "'RC8' is no code of an outcome");
    d = assessed(&k);
    d.rag = "black";
    work_refused(ann, decide(ann, &d), ERR_USAGE, "red, amber, green or blue");
    d.rag = "green";
    work_refused(ann, decide(ann, &d), ERR_USAGE, "Say why");
    d = assessed(&k);
    d.case_id = nowhere;
    work_refused(ann, decide(ann, &d), ERR_NOTFOUND, "no case");
}

static void count_words(void *ctx, const char *sentence)
{
    size_t *n = ctx;
    assert_true(strlen(sentence) > 20);
    (*n)++;
}

static void deciding_says_what_is_still_open(void **state)
{
    struct ends_case k;
    struct act_request question = {.to_agency = "police", .question = "Known?"};
    struct act_request_sent sent;
    struct act_rate differs = {.rag = "red", .reason = "A bruise"};
    struct act_rated rated;
    uint8_t told[2][16];
    const char *both[] = {"police", "school"};
    size_t words = 0;
    (void)state;
    work_case(&k);
    question.case_id = differs.case_id = k.c;
    work_applied(sam, act_rate(sam->n, &differs, &rated, &work_why));
    (void)ends_sync(ann, ERR_OK);
    work_applied(ann, act_request_send(ann->n, &question, &sent, &work_why));
    struct act_decision d = assessed(&k);
    work_applied(ann, decide(ann, &d));
    assert_int_equal(decided.unanswered, 1);
    assert_int_equal(decided.disputes, 1);
    assert_int_equal(decided.untold, 2);
    act_decided_words(&decided, count_words, &words);
    assert_int_equal(words, 3);
    struct act_feedback f = {.case_id = k.c, .agencies = both, .n_agencies = 2, .body = "Thank you"};
    work_applied(ann, act_feedback_send(ann->n, &f, told, &work_why));
    struct act_decision close = {.case_id = k.c, .close = true, .closure_reason = "RC8"};
    work_applied(ann, decide(ann, &close));
    assert_int_equal(decided.untold, 0);
    words = 0;
    act_decided_words(&(struct act_decided){.unanswered = 2, .untold = 3}, count_words, &words);
    assert_int_equal(words, 2);
}

/* ------------------------------------------------------------------------------------------------------ feedback */
static void each_agency_is_told_and_acknowledges_its_own(void **state)
{
    struct ends_case k;
    uint8_t ids[2][16];
    const char *both[] = {"police", "school"};
    (void)state;
    work_case(&k);
    work_access(&k, 0, "view"); /* enough to acknowledge */
    struct act_feedback f = {
        .case_id = k.c, .agencies = both, .n_agencies = 2, .body = "An assessment begins", .to_name = "Pat Example"};
    work_applied(ada, act_feedback_send(ada->n, &f, ids, &work_why));
    work_sees(pol, "feedback", ids[0], "body", "An assessment begins");
    work_sees(pol, "feedback", ids[0], "to_name", "Pat Example");
    work_sees(pol, "feedback", ids[0], "channel", "spoke");
    work_sees(pol, "feedback", ids[1], "body", "-"); /* the school's */
    work_sees(sam, "feedback", ids[1], "to_agency", "school");
    work_applied(pol, act_feedback_ack(pol->n, ids[0], &work_why));
    work_refused(pol, act_feedback_ack(pol->n, ids[0], &work_why), ERR_EXISTS, "acknowledged this already");
    (void)ends_sync(ann, ERR_OK);
    work_says(ann, "SELECT p.name FROM feedback f JOIN practitioner p ON p.id = f.ack_by WHERE f.id = $1", ids[0],
              "Pol");
    work_refused(ann, act_feedback_ack(ann->n, ids[1], &work_why), ERR_DENIED, "not sent to your agency");
    work_refused(sam, act_feedback_ack(sam->n, k.c, &work_why), ERR_NOTFOUND, "no feedback");
}

static void who_takes_no_part_is_told_the_outcome_all_the_same(void **state)
{
    struct ends_case k;
    uint8_t ids[1][16];
    const char *one[] = {"school"};
    (void)state;
    work_case(&k);
    work_access(&k, 1, "none");
    struct act_feedback f = {.case_id = k.c, .agencies = one, .n_agencies = 1, .body = "Thank you for ringing"};
    work_applied(ann, act_feedback_send(ann->n, &f, ids, &work_why));
    work_sees(sam, "feedback", ids[0], "body", "Thank you for ringing");
    work_says(sam, "SELECT count(*) FROM case_file WHERE id = $1", k.c, "0");
    work_applied(sam, act_feedback_ack(sam->n, ids[0], &work_why));
}

static void feedback_that_would_reach_nobody_is_not_sent(void **state)
{
    struct ends_case k;
    uint8_t ids[3][16];
    const char *codes[] = {"police", "probation", "police"};
    (void)state;
    work_case(&k);
    struct act_feedback f = {.case_id = k.c, .agencies = codes, .n_agencies = 2, .body = "Closed"};
    work_refused(ann, act_feedback_send(ann->n, &f, ids, &work_why), ERR_DENIED, "would reach nobody");
    f.channel = "telephone";
    work_applied(ann, act_feedback_send(ann->n, &f, ids, &work_why));
    f.n_agencies = 3;
    work_refused(ann, act_feedback_send(ann->n, &f, ids, &work_why), ERR_USAGE, "named twice");
    f.n_agencies = 0;
    work_refused(ann, act_feedback_send(ann->n, &f, ids, &work_why), ERR_USAGE, "which agencies");
    f.n_agencies = ACT_MAX_AGENCIES + 1;
    work_refused(ann, act_feedback_send(ann->n, &f, ids, &work_why), ERR_LIMIT, "At most 100");
    f.n_agencies = 1;
    f.body = "\n";
    work_refused(ann, act_feedback_send(ann->n, &f, ids, &work_why), ERR_USAGE, "what came of it");
    f.body = "Closed";
    codes[0] = "care";
    work_refused(ann, act_feedback_send(ann->n, &f, ids, &work_why), ERR_USAGE, "your own agency");
    codes[0] = "fire";
    work_refused(ann, act_feedback_send(ann->n, &f, ids, &work_why), ERR_NOTFOUND, "no agency with the code");
    codes[0] = "school";
    work_refused(pol, act_feedback_send(pol->n, &f, ids, &work_why), ERR_DENIED, "Only the agency that leads");
}

static void feedback_is_held_when_the_lead_was_taken_away_meanwhile(void **state)
{
    struct ends_case k;
    uint8_t ids[1][16];
    const char *one[] = {"police"};
    (void)state;
    work_case(&k);
    work_led_by_school(&k);
    work_lead_taken_back(&k);
    struct act_feedback f = {.case_id = k.c, .agencies = one, .n_agencies = 1, .body = "Closed"};
    work_held(sam, act_feedback_send(sam->n, &f, ids, &work_why));
    work_sees(pol, "feedback", ids[0], "body", "-");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_meeting_with_who_was_there_and_who_did_not_agree_is_one_change),
        cmocka_unit_test(a_meeting_that_a_partner_notes_waits_for_the_manager),
        cmocka_unit_test(a_meeting_must_say_who_when_and_what_came_of_it),
        cmocka_unit_test(a_decision_is_told_to_all_who_work_on_the_case),
        cmocka_unit_test(a_case_is_closed_with_a_reason_at_once_or_later),
        cmocka_unit_test(closing_what_was_decided_before_leaves_the_time_of_the_decision),
        cmocka_unit_test(a_decision_is_for_who_leads_or_has_the_duty),
        cmocka_unit_test(a_decision_is_held_when_the_lead_was_taken_away_meanwhile),
        cmocka_unit_test(a_decision_says_what_in_words_and_codes_that_are_known),
        cmocka_unit_test(deciding_says_what_is_still_open),
        cmocka_unit_test(each_agency_is_told_and_acknowledges_its_own),
        cmocka_unit_test(who_takes_no_part_is_told_the_outcome_all_the_same),
        cmocka_unit_test(feedback_that_would_reach_nobody_is_not_sent),
        cmocka_unit_test(feedback_is_held_when_the_lead_was_taken_away_meanwhile),
    };
    return cmocka_run_group_tests(tests, work_start, work_stop);
}
