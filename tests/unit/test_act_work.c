/* Ratings and disputes, on real devices at a real hub: a partner's rating never takes the place of the case's; it
 * stands beside it, and social care, then the operations manager, decides. Each refusal writes nothing. */
#include "node/look.h"
#include "tests/lib/work_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define RAG "SELECT rag FROM case_file WHERE id = $1"

static struct act_rated rated;

static enum err rate(struct ends_node *n, const struct ends_case *k, const char *rag, const char *reason)
{
    struct act_rate in = {.case_id = k->c, .rag = rag, .reason = reason};
    memset(&rated, 0, sizeof rated);
    return act_rate(n->n, &in, &rated, &work_why);
}

static enum err dispute(struct ends_node *n, const struct ends_case *k, const char *about, const char *to,
                        uint8_t id[16])
{
    struct act_dispute in = {.case_id = k->c, .about = about, .reason = "He is not safe", .to = to};
    return act_dispute(n->n, &in, id, &work_why);
}

static enum err judge(struct ends_node *n, const uint8_t id[16], const char *state)
{
    return act_dispute_decide(n->n, id, state, "Talked to both", &work_why);
}

/* ------------------------------------------------------------------------------------------------------- ratings */
static void who_leads_rates_the_case_and_everybody_sees_it(void **state)
{
    struct ends_case k;
    (void)state;
    work_case(&k);
    work_applied(ada, rate(ada, &k, "red", "A new injury"));
    assert_true(rated.stands);
    assert_false(rated.disputed);
    assert_false(rated.challenged);
    work_sees(sam, "case_file", k.c, "rag", "red");
    work_sees(sam, "rating", rated.id, "reason", "A new injury");
    work_sees(sam, "rating", rated.id, "stage", "initial");
    work_sees(sam, "brief", k.c, "rag_reason", "A new injury");
    work_says(sam, "SELECT author = (SELECT id FROM practitioner WHERE name = 'Ada') FROM rating WHERE id = $1",
              rated.id, "1");
    work_says(sam, "SELECT due_at - received_at FROM case_file WHERE id = $1", k.c, "14400000"); /* four hours */
    (void)ends_sync(ann, ERR_OK);
    work_applied(ann, rate(ann, &k, "blue", "It was a mix-up"));
    assert_int_equal(rated.due_at, 0);
    work_sees(sam, "case_file", k.c, "due_at", "");
}

static void a_partners_rating_stands_beside_the_cases_and_opens_a_dispute(void **state)
{
    struct ends_case k;
    uint8_t first[16];
    (void)state;
    work_case(&k);
    work_applied(sam, rate(sam, &k, "red", "He came in with a bruise"));
    assert_false(rated.stands);
    assert_true(rated.disputed);
    assert_true(rated.challenged);
    memcpy(first, rated.challenge, 16);
    work_says(sam, RAG, k.c, "amber");
    work_sees(ann, "case_file", k.c, "rag", "amber");
    work_sees(pol, "rating", rated.id, "rag", "red");
    work_sees(pol, "challenge", first, "about", "rating");
    work_sees(pol, "challenge", first, "state", "open");
    work_sees(pol, "challenge", first, "reason", "He came in with a bruise");
    work_applied(sam, rate(sam, &k, "green", "Seen by the doctor")); /* thought better of it: the same dispute */
    assert_memory_equal(rated.challenge, first, 16);
    work_says(sam, "SELECT count(*) FROM challenge WHERE case_id = $1", k.c, "1");
}

static void a_partner_who_agrees_disputes_nothing(void **state)
{
    struct ends_case k;
    (void)state;
    work_case(&k);
    work_applied(pol, rate(pol, &k, "amber", "As we see it"));
    assert_false(rated.disputed);
    assert_false(rated.challenged);
    work_sees(ann, "rating", rated.id, "rag", "amber");
    work_says(ann, "SELECT count(*) FROM challenge WHERE case_id = $1", k.c, "0");
}

static void a_partner_who_agrees_by_now_takes_the_dispute_back(void **state)
{
    struct ends_case k;
    uint8_t id[16];
    (void)state;
    work_case(&k);
    work_applied(sam, rate(sam, &k, "red", "A bruise"));
    memcpy(id, rated.challenge, 16);
    work_sees(pol, "challenge", id, "state", "open");
    work_applied(sam, rate(sam, &k, "amber", "Seen by the doctor"));
    assert_false(rated.disputed);
    assert_false(rated.challenged);
    assert_true(rated.agreed);
    work_sees(pol, "challenge", id, "state", "-");
    work_applied(sam, rate(sam, &k, "amber", "Still so"));
    assert_false(rated.agreed);
}

static void who_only_answers_may_rate_and_disputes_nothing(void **state)
{
    struct ends_case k;
    (void)state;
    work_case(&k);
    work_access(&k, 1, "check");
    work_applied(sam, rate(sam, &k, "red", "We know the family"));
    assert_true(rated.disputed);
    assert_false(rated.challenged);
    work_sees(pol, "rating", rated.id, "rag", "red");
    work_says(pol, "SELECT count(*) FROM challenge WHERE case_id = $1", k.c, "0");
}

static void a_rating_is_held_when_the_writers_part_was_taken_away_meanwhile(void **state)
{
    struct ends_case k;
    (void)state;
    work_case(&k);
    (void)ends_write(ann, "participant", k.parts[1], "access", "none");
    assert_int_equal(ends_sync(ann, ERR_OK).applied, 1);
    work_held(sam, rate(sam, &k, "red", "He came in with a bruise"));
    work_sees(pol, "rating", rated.id, "rag", "-");
    work_sees(ann, "case_file", k.c, "rag", "amber");
}

static void the_leads_rating_is_held_when_the_lead_was_taken_away_meanwhile(void **state)
{
    struct ends_case k;
    (void)state;
    work_case(&k);
    work_led_by_school(&k);
    work_applied(sam, rate(sam, &k, "red", "We lead it"));
    assert_true(rated.stands);
    work_sees(ann, "case_file", k.c, "rag", "red");
    work_lead_taken_back(&k);
    work_held(sam, rate(sam, &k, "green", "All is well"));
    work_sees(pol, "case_file", k.c, "rag", "red");
}

static void a_rating_needs_its_word_and_its_reason(void **state)
{
    struct ends_case k;
    static const uint8_t nowhere[16] = {1};
    struct act_rate in = {.case_id = nowhere, .rag = "red", .reason = "So"};
    (void)state;
    work_case(&k);
    work_refused(sam, rate(sam, &k, "pink", "So"), ERR_USAGE, "red, amber, green or blue");
    work_refused(sam, rate(sam, &k, NULL, "So"), ERR_USAGE, "red, amber, green or blue");
    work_refused(sam, rate(sam, &k, "red", " \n"), ERR_USAGE, "Say why");
    work_refused(sam, rate(sam, &k, "red", NULL), ERR_USAGE, "Say why");
    work_refused(sam, act_rate(sam->n, &in, &rated, &work_why), ERR_NOTFOUND, "no case");
    in.case_id = k.c;
    in.stage = "middle";
    work_refused(sam, act_rate(sam->n, &in, &rated, &work_why), ERR_USAGE, "initial or a final");
}

/* What was asked while nothing was urgent is not answered in time for a red case. */
static void a_graver_rating_shortens_the_time_of_the_writers_own_questions(void **state)
{
    static const char late[] = "SELECT coalesce(due_at - (SELECT rated_at FROM rating WHERE case_id = request.case_id"
                               " ORDER BY rated_at DESC LIMIT 1), 0) FROM request WHERE id = $1";
    struct ends_case k;
    struct act_request_sent sent, theirs;
    struct act_request ask = {.case_id = k.c, .to_agency = "police", .question = "Known?", .basis = "public task"};
    (void)state;
    work_case(&k);
    work_applied(ann, act_request_send(ann->n, &ask, &sent, &work_why));
    ask.to_agency = "police";
    (void)ends_sync(sam, ERR_OK);
    work_applied(sam, act_request_send(sam->n, &ask, &theirs, &work_why));
    (void)ends_sync(ann, ERR_OK);
    work_applied(ann, rate(ann, &k, "red", "A new injury"));
    work_says(ann, late, sent.id, "7200000"); /* two hours, from then on */
    work_says(ann, "SELECT rag FROM request WHERE id = $1", sent.id, "red");
    work_sees(pol, "request", sent.id, "rag", "red");
    work_says(pol, "SELECT rag FROM request WHERE id = $1", theirs.id, "amber"); /* the school's own to change */
    work_applied(ann, rate(ann, &k, "green", "It was a mix-up"));
    work_says(ann, "SELECT rag FROM request WHERE id = $1", sent.id, "red"); /* nothing gets longer */
}

/* ------------------------------------------------------------------------------------------------------ disputes */
static void shown_at(struct ends_node *n, const struct ends_case *k, const char *rag, bool disputed)
{
    struct json *c = NULL;
    assert_int_equal(look_case(n->n, k->c, &c, &work_why), ERR_OK);
    struct json *head = json_get(c, "case");
    assert_string_equal(json_get_str(head, "shown_rag"), rag);
    assert_int_equal(json_get_bool(head, "disputed", !disputed), disputed);
    json_free(c);
}

static void deciding_one_agencys_dispute_decides_no_others(void **state)
{
    struct ends_case k;
    uint8_t of_school[16];
    (void)state;
    work_case(&k);
    work_applied(pol, rate(pol, &k, "red", "Known to us"));
    work_applied(sam, rate(sam, &k, "green", "He is well"));
    memcpy(of_school, rated.challenge, 16);
    (void)ends_sync(ada, ERR_OK);
    shown_at(ada, &k, "red", true);
    work_applied(ada, judge(ada, of_school, "dismissed"));
    shown_at(ada, &k, "red", true);
}

/* Written before the decision, but not seen by it: who decides had not read it. */
static void a_rating_that_arrives_after_the_decision_is_disputed_still(void **state)
{
    struct ends_case k;
    uint8_t id[16];
    (void)state;
    work_case(&k);
    work_applied(pol, rate(pol, &k, "red", "Known to us"));
    memcpy(id, rated.challenge, 16);
    (void)ends_sync(ada, ERR_OK);
    assert_int_equal(rate(pol, &k, "red", "And a new call tonight"), ERR_OK); /* offline */
    work_applied(ada, judge(ada, id, "dismissed"));
    shown_at(ada, &k, "amber", false);
    (void)ends_sync(pol, ERR_OK);
    (void)ends_sync(ada, ERR_OK);
    shown_at(ada, &k, "red", true);
    shown_at(pol, &k, "red", true);
}

static void who_decides_can_settle_a_rating_under_no_dispute(void **state)
{
    struct ends_case k;
    uint8_t first[16];
    struct json *c = NULL;
    (void)state;
    work_case(&k);
    work_access(&k, 1, "check");
    work_applied(sam, rate(sam, &k, "red", "We know the family"));
    memcpy(first, rated.id, 16);
    (void)ends_sync(ada, ERR_OK);
    shown_at(ada, &k, "red", true);
    assert_int_equal(look_case(ada->n, k.c, &c, &work_why), ERR_OK);
    assert_true(json_get_bool(json_get(c, "may"), "dispute-decide", false));
    json_free(c);
    work_refused(sam, judge(sam, first, "dismissed"), ERR_DENIED, "manager or social worker on duty");
    work_applied(ada, judge(ada, first, "dismissed"));
    shown_at(ada, &k, "amber", false);
    work_refused(ada, judge(ada, first, "dismissed"), ERR_EXISTS, "already");
    (void)ends_sync(sam, ERR_OK);
    work_applied(sam, rate(sam, &k, "red", "And again today")); /* nobody has seen this one */
    memcpy(first, rated.id, 16);
    (void)ends_sync(ada, ERR_OK);
    shown_at(ada, &k, "red", true);
    work_applied(ada, judge(ada, first, "upheld"));
    work_sees(pol, "case_file", k.c, "rag", "red");
    shown_at(pol, &k, "red", false);
}

static void a_rating_that_disputes_nothing_cannot_be_settled(void **state)
{
    struct ends_case k;
    (void)state;
    work_case(&k);
    work_applied(pol, rate(pol, &k, "amber", "As we see it"));
    (void)ends_sync(ada, ERR_OK);
    work_refused(ada, judge(ada, rated.id, "dismissed"), ERR_EXISTS, "waits for no decision");
    work_applied(pol, rate(pol, &k, "red", "Not any more"));
    (void)ends_sync(ada, ERR_OK);
    work_refused(ada, judge(ada, rated.id, "dismissed"), ERR_EXISTS, "dispute"); /* its dispute is what is decided */
}

static void a_dispute_goes_to_social_care_and_only_then_to_the_manager(void **state)
{
    struct ends_case k;
    uint8_t first[16], second[16];
    (void)state;
    work_case(&k);
    work_applied(sam, rate(sam, &k, "red", "He came in with a bruise"));
    memcpy(first, rated.challenge, 16);
    work_refused(sam, dispute(sam, &k, "rating", "manager", second), ERR_EXISTS, "raised this already");
    work_sees(ada, "challenge", first, "state", "open");
    work_refused(sam, judge(sam, first, "upheld"), ERR_DENIED, "manager or social worker on duty");
    work_applied(ada, judge(ada, first, "dismissed"));
    work_sees(sam, "challenge", first, "state", "dismissed");
    work_says(sam, RAG, k.c, "amber");
    work_applied(sam, dispute(sam, &k, "rating", "manager", second));
    work_sees(ada, "challenge", second, "about", "rating:manager");
    work_refused(ada, judge(ada, second, "dismissed"), ERR_DENIED, "Only a manager on duty");
    (void)ends_sync(ann, ERR_OK);
    work_applied(ann, judge(ann, second, "upheld"));
    work_sees(sam, "case_file", k.c, "rag", "red");
    work_sees(pol, "challenge", second, "state", "upheld");
    work_says(pol, "SELECT due_at - received_at FROM case_file WHERE id = $1", k.c, "14400000");
    work_refused(ann, judge(ann, second, "dismissed"), ERR_EXISTS, "already");
}

static void why_a_dispute_was_decided_so_is_read_by_who_raised_it(void **state)
{
    static const char reason[] = "SELECT r.reason FROM challenge x JOIN rating r ON r.case_id = x.case_id"
                                 " AND r.author = x.decided_by AND r.rated_at = x.decided_at WHERE x.id = $1";
    struct ends_case k;
    uint8_t id[16];
    (void)state;
    work_case(&k);
    work_applied(sam, rate(sam, &k, "red", "He came in with a bruise"));
    memcpy(id, rated.challenge, 16);
    (void)ends_sync(ada, ERR_OK);
    work_applied(ada, act_dispute_decide(ada->n, id, "dismissed", "Seen by the doctor: a fall", &work_why));
    (void)ends_sync(sam, ERR_OK);
    work_says(sam, reason, id, "Seen by the doctor: a fall");
    work_says(sam,
              "SELECT r.rag || r.stage FROM challenge x JOIN rating r ON r.rated_at = x.decided_at WHERE x.id = $1", id,
              "amberinitial");
}

static void a_dispute_about_a_decision_waits_for_one_and_changes_no_rating(void **state)
{
    struct ends_case k;
    uint8_t id[16];
    struct act_decision decision = {.case_id = k.c, .decision = "Early help", .outcome = "EH"};
    struct act_decided decided;
    (void)state;
    work_case(&k);
    work_refused(sam, dispute(sam, &k, "decision", NULL, id), ERR_USAGE, "nothing has been decided");
    work_applied(ann, act_decide(ann->n, &decision, &decided, &work_why));
    (void)ends_sync(sam, ERR_OK);
    work_refused(sam, dispute(sam, &k, "decision", "manager", id), ERR_DENIED, "Social care decides first");
    work_applied(sam, dispute(sam, &k, "decision", "social_care", id));
    work_sees(pol, "challenge", id, "about", "decision");
    (void)ends_sync(ada, ERR_OK);
    work_applied(ada, judge(ada, id, "upheld"));
    work_sees(sam, "challenge", id, "state", "upheld");
    work_says(sam, RAG, k.c, "amber");
    work_says(sam,
              "SELECT r.reason || coalesce(r.stage, '') FROM challenge x JOIN rating r ON r.author = x.decided_by AND"
              " r.rated_at = x.decided_at WHERE x.id = $1",
              id, "Talked to both");
}

static void a_dispute_needs_something_to_dispute(void **state)
{
    struct ends_case k;
    uint8_t id[16];
    struct act_dispute mute = {.case_id = k.c, .about = "rating", .reason = ""};
    (void)state;
    work_case(&k);
    work_refused(sam, dispute(sam, &k, "rating", NULL, id), ERR_USAGE, "has not rated this case");
    work_refused(sam, dispute(sam, &k, "weather", NULL, id), ERR_USAGE, "about the rating or about the decision");
    work_refused(sam, dispute(sam, &k, NULL, NULL, id), ERR_USAGE, "about the rating or about the decision");
    work_refused(sam, dispute(sam, &k, "rating", "police", id), ERR_USAGE, "social_care or to the manager");
    work_refused(sam, act_dispute(sam->n, &mute, id, &work_why), ERR_USAGE, "Say why");
    work_applied(sam, rate(sam, &k, "amber", "As you do"));
    work_refused(sam, dispute(sam, &k, "rating", NULL, id), ERR_USAGE, "nothing to dispute");
}

static void the_lead_agency_alone_does_not_judge_what_is_disputed_with_it(void **state)
{
    struct ends_case k;
    uint8_t id[16];
    (void)state;
    work_case(&k);
    work_led_by_school(&k);
    work_applied(pol, rate(pol, &k, "red", "Known to us"));
    memcpy(id, rated.challenge, 16);
    (void)ends_sync(sam, ERR_OK);
    work_refused(sam, judge(sam, id, "dismissed"), ERR_DENIED, "on duty for the area");
    work_refused(pol, judge(pol, id, "upheld"), ERR_DENIED, "on duty for the area");
    (void)ends_sync(ann, ERR_OK);
    work_refused(ann, judge(ann, id, "perhaps"), ERR_USAGE, "upheld or dismissed");
    work_refused(ann, judge(ann, id, NULL), ERR_USAGE, "upheld or dismissed");
    work_refused(ann, act_dispute_decide(ann->n, id, "upheld", "", &work_why), ERR_USAGE, "Say why");
    work_refused(ann, judge(ann, k.c, "upheld"), ERR_NOTFOUND, "no dispute");
}

static void a_rating_that_was_taken_back_cannot_be_upheld(void **state)
{
    struct ends_case k;
    uint8_t id[16];
    (void)state;
    work_case(&k);
    work_applied(sam, rate(sam, &k, "red", "Wrong child"));
    memcpy(id, rated.challenge, 16);
    work_applied(sam, act_void(sam->n, "rating", rated.id, "Wrong child", &work_why));
    (void)ends_sync(ada, ERR_OK);
    work_refused(ada, judge(ada, id, "upheld"), ERR_DENIED, "taken back as a mistake");
    work_applied(ada, judge(ada, id, "dismissed"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_leads_rates_the_case_and_everybody_sees_it),
        cmocka_unit_test(a_partners_rating_stands_beside_the_cases_and_opens_a_dispute),
        cmocka_unit_test(a_partner_who_agrees_disputes_nothing),
        cmocka_unit_test(a_partner_who_agrees_by_now_takes_the_dispute_back),
        cmocka_unit_test(who_only_answers_may_rate_and_disputes_nothing),
        cmocka_unit_test(a_rating_is_held_when_the_writers_part_was_taken_away_meanwhile),
        cmocka_unit_test(the_leads_rating_is_held_when_the_lead_was_taken_away_meanwhile),
        cmocka_unit_test(a_rating_needs_its_word_and_its_reason),
        cmocka_unit_test(a_rating_that_disputes_nothing_cannot_be_settled),
        cmocka_unit_test(who_decides_can_settle_a_rating_under_no_dispute),
        cmocka_unit_test(a_rating_that_arrives_after_the_decision_is_disputed_still),
        cmocka_unit_test(deciding_one_agencys_dispute_decides_no_others),
        cmocka_unit_test(a_graver_rating_shortens_the_time_of_the_writers_own_questions),
        cmocka_unit_test(a_dispute_goes_to_social_care_and_only_then_to_the_manager),
        cmocka_unit_test(why_a_dispute_was_decided_so_is_read_by_who_raised_it),
        cmocka_unit_test(a_dispute_about_a_decision_waits_for_one_and_changes_no_rating),
        cmocka_unit_test(a_dispute_needs_something_to_dispute),
        cmocka_unit_test(the_lead_agency_alone_does_not_judge_what_is_disputed_with_it),
        cmocka_unit_test(a_rating_that_was_taken_back_cannot_be_upheld),
    };
    return cmocka_run_group_tests(tests, work_start, work_stop);
}
