/* Plans, actions, who works on a case, asking once more, two versions and held work, on real devices at a real hub.
 * Each refusal writes nothing. */
#include "tests/lib/work_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int64_t now(void)
{
    return env_now(&ends_hub->env);
}

/* --------------------------------------------------------------------------------------------------------- plans */
static void a_plan_begins_and_ends_and_all_who_work_on_the_case_see_it(void **state)
{
    struct ends_case k;
    uint8_t id[16];
    (void)state;
    work_case(&k);
    struct act_plan p = {.case_id = k.c, .person = k.person, .kind = "cp", .target_at = now() + 86400000};
    work_applied(pol, act_plan_add(pol->n, &p, id, &work_why));
    work_sees(sam, "episode", id, "kind", "cp");
    work_says(sam, "SELECT started_at > 0 AND ended_at IS NULL FROM episode WHERE id = $1", id, "1");
    work_refused(sam, act_plan_end(sam->n, id, 1, "Safe", &work_why), ERR_USAGE, "before it began");
    work_refused(sam, act_plan_end(sam->n, id, now() + 3600000, "Safe", &work_why), ERR_USAGE, "still to come");
    work_applied(sam, act_plan_end(sam->n, id, 0, "Safe", &work_why));
    work_sees(pol, "episode", id, "result", "Safe");
    work_refused(pol, act_plan_end(pol->n, id, 0, NULL, &work_why), ERR_EXISTS, "ended already");
    work_refused(pol, act_plan_end(pol->n, k.c, 0, NULL, &work_why), ERR_NOTFOUND, "no plan");
}

static void a_plan_says_of_whom_and_of_what_kind(void **state)
{
    struct ends_case k, other;
    uint8_t id[16];
    (void)state;
    work_case(&k);
    work_case(&other);
    struct act_plan p = {.case_id = k.c, .person = other.person, .kind = "cin"};
    work_refused(pol, act_plan_add(pol->n, &p, id, &work_why), ERR_USAGE, "another case");
    p.person = NULL;
    p.kind = "";
    work_refused(pol, act_plan_add(pol->n, &p, id, &work_why), ERR_USAGE, "what kind of plan");
    p.kind = "cin";
    p.target_at = now() - 86400000;
    work_refused(pol, act_plan_add(pol->n, &p, id, &work_why), ERR_USAGE, "due before it begins");
    p.target_at = 0;
    p.case_id = k.person;
    work_refused(pol, act_plan_add(pol->n, &p, id, &work_why), ERR_NOTFOUND, "no case");
}

static void who_only_looks_on_has_plans_and_actions_held(void **state)
{
    struct ends_case k;
    uint8_t id[16], action[16];
    (void)state;
    work_case(&k);
    work_access(&k, 0, "view");
    struct act_plan p = {.case_id = k.c, .kind = "cin"};
    struct act_action a = {.case_id = k.c, .title = "Visit"};
    work_held(pol, act_plan_add(pol->n, &p, id, &work_why));
    work_sees(sam, "episode", id, "kind", "-");
    work_held(pol, act_action_add(pol->n, &a, action, &work_why));
    work_sees(sam, "action", action, "title", "-");
}

/* ------------------------------------------------------------------------------------------------------- actions */
static void an_action_is_done_by_whoever_does_it(void **state)
{
    struct ends_case k;
    uint8_t id[16];
    (void)state;
    work_case(&k);
    struct act_action a = {.case_id = k.c, .title = "Visit the home", .due_at = now() + 86400000};
    work_applied(pol, act_action_add(pol->n, &a, id, &work_why));
    work_sees(sam, "action", id, "state", "open");
    work_applied(sam, act_action_set(sam->n, id, "done", "Nobody at home", &work_why));
    work_sees(pol, "action", id, "note", "Nobody at home");
    work_sees(pol, "action", id, "state", "done");
    work_refused(pol, act_action_set(pol->n, id, "done", NULL, &work_why), ERR_EXISTS, "already");
    work_refused(pol, act_action_set(pol->n, id, NULL, NULL, &work_why), ERR_USAGE, "what has changed");
    work_refused(pol, act_action_set(pol->n, id, "later", NULL, &work_why), ERR_USAGE, "open, done or cancelled");
    work_refused(pol, act_action_set(pol->n, k.c, "done", NULL, &work_why), ERR_NOTFOUND, "no action");
    a.title = "";
    work_refused(pol, act_action_add(pol->n, &a, id, &work_why), ERR_USAGE, "what is to be done");
}

static void a_sensitive_action_is_for_the_room_and_its_writer_alone(void **state)
{
    struct ends_case k;
    uint8_t id[16];
    (void)state;
    work_case(&k);
    struct act_action a = {.case_id = k.c, .title = "Arrest at noon", .sensitive = true};
    work_applied(pol, act_action_add(pol->n, &a, id, &work_why));
    work_sees(ann, "action", id, "title", "Arrest at noon");
    work_sees(sam, "action", id, "title", "-");
}

/* ---------------------------------------------------------------------------------------------------- allocation */
static void a_case_goes_from_one_worker_of_an_agency_to_the_next(void **state)
{
    struct ends_case k;
    uint8_t first[16], second[16], police[16];
    static const uint8_t nobody[16] = {5};
    (void)state;
    work_case(&k);
    work_applied(ann, act_allocate(ann->n, k.c, ann->user, NULL, first, &work_why));
    work_applied(ann, act_allocate(ann->n, k.c, pol->user, NULL, police, &work_why));
    work_refused(ann, act_allocate(ann->n, k.c, ann->user, "worker", second, &work_why), ERR_EXISTS, "already");
    work_applied(ann, act_allocate(ann->n, k.c, ada->user, "worker", second, &work_why));
    work_sees(sam, "allocation", second, "role", "worker");
    work_says(sam, "SELECT until IS NOT NULL FROM allocation WHERE id = $1", first, "1");
    work_says(sam, "SELECT until IS NULL FROM allocation WHERE id = $1", police, "1");
    work_refused(ann, act_allocate(ann->n, k.c, nobody, NULL, first, &work_why), ERR_NOTFOUND, "knows nobody");
    work_refused(sam, act_allocate(sam->n, k.c, sam->user, NULL, first, &work_why), ERR_DENIED,
                 "Only the agency that leads");
    work_refused(ann, act_allocate(ann->n, nobody, ann->user, NULL, first, &work_why), ERR_NOTFOUND, "no case");
}

static void an_allocation_is_held_when_the_lead_was_taken_away_meanwhile(void **state)
{
    struct ends_case k;
    uint8_t id[16];
    (void)state;
    work_case(&k);
    work_led_by_school(&k);
    work_lead_taken_back(&k);
    work_held(sam, act_allocate(sam->n, k.c, sam->user, NULL, id, &work_why));
    work_sees(pol, "allocation", id, "role", "-");
}

/* ------------------------------------------------------------------------------------------------------- chasing */
static void a_question_is_asked_once_more_but_not_at_once(void **state)
{
    struct ends_case k;
    struct act_request q = {.to_agency = "police", .question = "Known?"};
    struct act_request_sent sent;
    char want[32];
    (void)state;
    work_case(&k);
    q.case_id = k.c;
    work_applied(sam, act_request_send(sam->n, &q, &sent, &work_why));
    work_refused(sam, act_request_chase(sam->n, sent.id, &work_why), ERR_EXISTS, "last ten minutes");
    ends_hub->now += 600000;
    (void)snprintf(want, sizeof want, "%lld", (long long)now());
    work_applied(sam, act_request_chase(sam->n, sent.id, &work_why));
    work_sees(pol, "request", sent.id, "asked_at", want);
    work_refused(sam, act_request_chase(sam->n, sent.id, &work_why), ERR_EXISTS, "last ten minutes");
    work_refused(pol, act_request_chase(pol->n, sent.id, &work_why), ERR_DENIED, "Only the one that asked");
    work_refused(sam, act_request_chase(sam->n, k.c, &work_why), ERR_NOTFOUND, "no request");
    struct act_answer a = {.request = sent.id, .result = "not_known"};
    work_applied(pol, act_request_answer(pol->n, &a, &work_why));
    (void)ends_sync(sam, ERR_OK);
    ends_hub->now += 600000;
    work_refused(sam, act_request_chase(sam->n, sent.id, &work_why), ERR_EXISTS, "nothing to chase");
}

static void chasing_is_held_when_somebody_else_asked(void **state)
{
    struct ends_case k;
    struct act_request q = {.to_agency = "police", .question = "Known?"};
    struct act_request_sent sent;
    (void)state;
    work_case(&k);
    q.case_id = k.c;
    work_applied(sam, act_request_send(sam->n, &q, &sent, &work_why));
    (void)ends_sync(pol, ERR_OK);
    ends_begin(pol); /* past the act, as a device that was tampered with would */
    ends_set(pol, "request", sent.id, "asked_at", value_int(now()));
    (void)ends_commit(pol);
    assert_int_equal(ends_sync(pol, ERR_OK).held, 1);
}

/* -------------------------------------------------------------------------------------------------- two versions */
static void two_names(struct ends_case *k, uint8_t conflict[16])
{
    struct stmt *s = NULL;
    bool row = false;
    work_case(k);
    (void)ends_write(pol, "person", k->person, "family_name", "Smyth");
    (void)ends_write(sam, "person", k->person, "family_name", "Smithe");
    ends_all_sync();
    ends_all_sync();
    assert_int_equal(
        db_prepare(node_db(ann->n), "SELECT id FROM conflict WHERE case_id = $1 AND state = 'open'", &s, NULL), ERR_OK);
    db_bind_id(s, 1, k->c);
    assert_int_equal(db_step(s, &row, NULL), ERR_OK);
    assert_true(row && db_id(s, 0, conflict));
    db_done(s);
}

static void two_versions_are_settled_by_either_another_or_what_stands(void **state)
{
    static const struct {
        const char *keep, *value, *want;
    } ways[] = {{"lost", NULL, "Smithe"},
                {"kept", NULL, "Smyth"},
                {"value", "Smith-Jones", "Smith-Jones"},
                {"now", NULL, "Smyth"}};
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct ends_case k;
        uint8_t conflict[16];
        two_names(&k, conflict);
        struct act_settle in = {.conflict = conflict, .keep = ways[i].keep, .reason = "Birth certificate seen"};
        if (ways[i].value != NULL) in.value = bytes_of_str(ways[i].value);
        work_applied(ann, act_conflict_settle(ann->n, &in, &work_why));
        work_sees(pol, "person", k.person, "family_name", ways[i].want);
        work_sees(pol, "conflict", conflict, "state", "settled");
        work_sees(pol, "conflict", conflict, "reason", "Birth certificate seen");
        work_refused(ann, act_conflict_settle(ann->n, &in, &work_why), ERR_EXISTS,
                     "settled these two versions already");
    }
}

static void settling_needs_a_choice_and_a_reason(void **state)
{
    struct ends_case k;
    uint8_t conflict[16];
    (void)state;
    two_names(&k, conflict);
    struct act_settle in = {.conflict = conflict, .keep = "lost", .reason = " "};
    work_refused(ann, act_conflict_settle(ann->n, &in, &work_why), ERR_USAGE, "Say why");
    in.reason = "So";
    in.keep = "both";
    work_refused(ann, act_conflict_settle(ann->n, &in, &work_why), ERR_USAGE, "which one stands");
    in.keep = NULL;
    work_refused(ann, act_conflict_settle(ann->n, &in, &work_why), ERR_USAGE, "which one stands");
    in.keep = "lost";
    in.conflict = k.c;
    work_refused(ann, act_conflict_settle(ann->n, &in, &work_why), ERR_NOTFOUND, "no such pair");
}

static void who_may_not_write_it_has_settling_held(void **state)
{
    struct ends_case k;
    uint8_t conflict[16];
    (void)state;
    two_names(&k, conflict);
    (void)ends_write(ann, "participant", k.parts[1], "access", "check");
    assert_int_equal(ends_sync(ann, ERR_OK).applied, 1);
    struct act_settle in = {.conflict = conflict, .keep = "lost", .reason = "We know them"};
    work_held(sam, act_conflict_settle(sam->n, &in, &work_why));
    work_sees(ann, "conflict", conflict, "state", "open");
}

/* ----------------------------------------------------------------------------------------------------- held work */
static void a_held_meeting(struct ends_case *k, uint8_t meeting[16], uint8_t held[16])
{
    struct act_meeting m = {.outcome = "Agreed"};
    struct stmt *s = NULL;
    bool row = false;
    work_case(k);
    m.case_id = k->c;
    work_held(pol, act_meeting_add(pol->n, &m, meeting, &work_why));
    ends_all_sync();
    assert_int_equal(db_prepare(node_db(ann->n), "SELECT id FROM held WHERE case_id = $1", &s, NULL), ERR_OK);
    db_bind_id(s, 1, k->c);
    assert_int_equal(db_step(s, &row, NULL), ERR_OK);
    assert_true(row && db_id(s, 0, held));
    db_done(s);
}

static void the_areas_manager_in_the_room_decides_about_held_work(void **state)
{
    struct ends_case k;
    uint8_t meeting[16], held[16];
    (void)state;
    a_held_meeting(&k, meeting, held);
    work_refused(ada, act_held_decide(ada->n, held, true, NULL, &work_why), ERR_DENIED, "Only a manager on duty");
    work_refused(pol, act_held_decide(pol->n, held, true, NULL, &work_why), ERR_DENIED, "Only a manager on duty");
    work_refused(ann, act_held_decide(ann->n, held, false, "", &work_why), ERR_USAGE, "Say why");
    work_applied(ann, act_held_decide(ann->n, held, true, "They chaired it", &work_why));
    work_sees(sam, "meeting", meeting, "outcome", "Agreed");
    work_refused(ann, act_held_decide(ann->n, held, false, "No", &work_why), ERR_EXISTS, "decided already");
    work_refused(ann, act_held_decide(ann->n, k.c, true, NULL, &work_why), ERR_NOTFOUND, "nothing held");
}

static void dismissed_work_stays_with_its_reason(void **state)
{
    struct ends_case k;
    uint8_t meeting[16], held[16];
    (void)state;
    a_held_meeting(&k, meeting, held);
    work_applied(ann, act_held_decide(ann->n, held, false, "Noted twice", &work_why));
    work_sees(pol, "held", held, "decision_reason", "Noted twice");
    work_sees(sam, "meeting", meeting, "outcome", "-");
}

static void a_manager_of_another_area_or_outside_the_room_does_not_decide(void **state)
{
    struct ends_case k;
    uint8_t meeting[16], held[16];
    struct act_standing st;
    (void)state;
    a_held_meeting(&k, meeting, held);
    assert_int_equal(hub_add_duty(ends_hub->hub, pat->user, "north", "manager", &work_why), ERR_OK);
    assert_int_equal(hub_add_duty(ends_hub->hub, ada->user, "south", "manager", &work_why), ERR_OK);
    ends_all_sync();
    assert_int_equal(act_standing(pat->n, k.c, &st, &work_why), ERR_OK);
    assert_true(st.manager && !st.mash && !st.room && !st.leads && st.part == ACT_CONTRIBUTES);
    assert_true(act_may_decide(&st));
    work_refused(pat, act_held_decide(pat->n, held, true, NULL, &work_why), ERR_DENIED, "Only a manager on duty");
    work_refused(ada, act_held_decide(ada->n, held, true, NULL, &work_why), ERR_DENIED, "Only a manager on duty");
    assert_int_equal(act_standing(ada->n, k.c, &st, &work_why), ERR_OK);
    assert_true(!st.manager && st.social_care && st.mash && st.room && st.leads);
    assert_int_equal(act_standing(sam->n, k.c, &st, &work_why), ERR_OK);
    assert_false(act_may_decide(&st));
    assert_int_equal(act_standing(sam->n, k.person, &st, &work_why), ERR_NOTFOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_begins_and_ends_and_all_who_work_on_the_case_see_it),
        cmocka_unit_test(a_plan_says_of_whom_and_of_what_kind),
        cmocka_unit_test(who_only_looks_on_has_plans_and_actions_held),
        cmocka_unit_test(an_action_is_done_by_whoever_does_it),
        cmocka_unit_test(a_sensitive_action_is_for_the_room_and_its_writer_alone),
        cmocka_unit_test(a_case_goes_from_one_worker_of_an_agency_to_the_next),
        cmocka_unit_test(an_allocation_is_held_when_the_lead_was_taken_away_meanwhile),
        cmocka_unit_test(a_question_is_asked_once_more_but_not_at_once),
        cmocka_unit_test(chasing_is_held_when_somebody_else_asked),
        cmocka_unit_test(two_versions_are_settled_by_either_another_or_what_stands),
        cmocka_unit_test(settling_needs_a_choice_and_a_reason),
        cmocka_unit_test(who_may_not_write_it_has_settling_held),
        cmocka_unit_test(the_areas_manager_in_the_room_decides_about_held_work),
        cmocka_unit_test(dismissed_work_stays_with_its_reason),
        cmocka_unit_test(a_manager_of_another_area_or_outside_the_room_does_not_decide),
    };
    return cmocka_run_group_tests(tests, work_start, work_stop);
}
