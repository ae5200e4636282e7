/* Permission to share. Who holds something decides whether it is told; who asks cannot answer himself, in no way. */
#include "tests/lib/intake_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TAKEN_IN(v) says(v, VERDICT_APPLIED, NULL)

static void share(uint8_t c[16], const char *police, const char *school)
{
    char a[32], b[32];
    const char *members[] = {a, b, NULL};
    (void)snprintf(a, sizeof a, "police:%s", police);
    (void)snprintf(b, sizeof b, "school:%s", school);
    fake_node_pull(carla);
    fake_case(carla, c, "care", members);
    everybody_pulls();
}

/* The school asks the police. */
static struct op question(uint8_t id[16], const uint8_t c[16])
{
    env_new_id(&hub->env, id);
    struct op op = fake_new(sue, "release", id, c);
    fake_value(&op, "to_agency", value_str("police"));
    fake_value(&op, "state", value_str("asked"));
    fake_value(&op, "asked_by", value_id(sue->user));
    fake_value(&op, "reason", value_str("a plan for the class"));
    return op;
}

static void asked(uint8_t c[16], uint8_t id[16])
{
    share(c, "check", "check");
    struct op op = question(id, c);
    TAKEN_IN(send_one(sue, &op));
    everybody_pulls();
}

static struct op answer(const struct fake_node *n, const uint8_t id[16], const char *from, const char *state)
{
    struct op op = fake_change("release", id);
    fake_from(&op, "state", value_str(from), value_str(state));
    fake_value(&op, "decided_by", value_id(n->user));
    fake_value(&op, "decided_at", value_int(hub->now));
    return op;
}

static struct op telling(const struct fake_node *n, uint8_t id[16], const uint8_t c[16], const char *to)
{
    env_new_id(&hub->env, id);
    struct op op = fake_new(n, "release", id, c);
    fake_value(&op, "to_agency", value_str(to));
    fake_value(&op, "state", value_str("granted"));
    fake_value(&op, "how", value_str("redacted"));
    fake_value(&op, "body", value_str("what they may know"));
    fake_value(&op, "decided_by", value_id(n->user));
    fake_value(&op, "decided_at", value_int(hub->now));
    return op;
}

/* ------------------------------------------------------------------------------------------------- asked, answered */

static void who_may_only_check_asks_and_is_told(void **state)
{
    uint8_t c[16], q[16], told[16];
    struct fake_edit e;
    (void)state;
    asked(c, q);
    assert_true(fake_node_got(paul, "release", q));
    assert_false(fake_node_got(carla, "release", q)); /* between the two of them */
    struct op yes = answer(paul, q, "asked", "granted"), tells = telling(paul, told, c, "school");
    fake_edit_start(&e);
    fake_put(&e, &yes);
    fake_put(&e, &tells);
    TAKEN_IN(fake_send(paul, &e));
    everybody_pulls();
    text_at_hub("release", q, "state", "granted");
    assert_true(fake_node_got(sue, "release", told));
    assert_false(fake_node_got(carla, "release", told));
    verifies();
}

static void the_asked_agency_may_refuse_and_think_again(void **state)
{
    uint8_t c[16], q[16];
    (void)state;
    asked(c, q);
    struct op op = answer(paul, q, "asked", "refused");
    TAKEN_IN(send_one(paul, &op));
    fake_node_pull(paul);
    TAKEN_IN(change_from(paul, "release", q, "state", "refused", "granted"));
    text_at_hub("release", q, "state", "granted");
    uint8_t no[16];
    struct op refusal = telling(paul, no, c, "school"); /* a refusal in its own name, with the reason */
    fake_value(&refusal, "state", value_str("refused"));
    fake_value(&refusal, "how", value_null());
    fake_value(&refusal, "body", value_null());
    fake_value(&refusal, "reason", value_str("it would lead to the source"));
    TAKEN_IN(send_one(paul, &refusal));
    verifies();
}

static void who_looks_on_neither_asks_nor_tells(void **state)
{
    uint8_t c[16], q[16];
    (void)state;
    share(c, "contribute", "view");
    struct op op = question(q, c);
    says(send_one(sue, &op), VERDICT_HELD, "take part");
    op = telling(sue, q, c, "police");
    says(send_one(sue, &op), VERDICT_HELD, "take part");
    verifies();
}

/* -------------------------------------------------------------------------------- nobody answers his own question */

static void who_asks_does_not_grant_it_to_himself(void **state)
{
    static const char *const answers[] = {"granted", "refused"};
    uint8_t c[16], q[16];
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        asked(c, q);
        struct op op = answer(sue, q, "asked", answers[i]);
        says(send_one(sue, &op), VERDICT_HELD, "agency that is asked");
        text_at_hub("release", q, "state", "asked");
        asked(c, q);
        says(change_from(sue, "release", q, "state", "asked", answers[i]), VERDICT_HELD, "agency that is asked");
    }
    asked(c, q);
    struct op by = fake_change("release", q);
    fake_value(&by, "decided_by", value_id(paul->user));
    says(send_one(sue, &by), VERDICT_HELD, "agency that is asked");
    asked(c, q);
    struct op at = fake_change("release", q);
    fake_value(&at, "decided_at", value_int(hub->now));
    says(send_one(sue, &at), VERDICT_HELD, "agency that is asked");
    verifies();
}

static void not_even_a_manager_grants_what_is_the_owners_to_decide(void **state)
{
    uint8_t c[16], q[16], held[16];
    (void)state;
    asked(c, q);
    struct op op = answer(sue, q, "asked", "granted");
    says(send_one(sue, &op), VERDICT_HELD, "agency that is asked");
    id_of("SELECT id FROM held WHERE case_id = $1 AND state = 'waiting'", c, held);
    fake_node_pull(mona);
    says(change_from(mona, "held", held, "state", "waiting", "accepted"), VERDICT_HELD, "not even on a manager's word");
    text_at_hub("release", q, "state", "asked");
    op = answer(mona, q, "asked", "granted"); /* nor sees it */
    says(send_one(mona, &op), VERDICT_HELD, "does not know");
    verifies();
}

/* As if two sites had made the same thing. */
static void the_question_brought_again_as_a_new_row_answers_nothing(void **state)
{
    uint8_t c[16], q[16], id[16];
    (void)state;
    asked(c, q);
    struct op again = telling(sue, id, c, "police");
    again.new_[0] = value_id(q);
    says(send_one(sue, &again), VERDICT_HELD, NULL);
    asked(c, q);
    again = question(id, c);
    again.new_[0] = value_id(q);
    fake_value(&again, "state", value_str("granted"));
    says(send_one(sue, &again), VERDICT_HELD, "agency that is asked");
    text_at_hub("release", q, "state", "asked");
    verifies();
}

static void a_question_is_not_made_a_telling_by_and_by(void **state)
{
    static const char *const text[][2] = {
        {"how", "whole"}, {"title", "Police"}, {"body", "He did"}, {"conditions", "any"}};
    uint8_t c[16], q[16];
    (void)state;
    for (size_t i = 0; i < sizeof text / sizeof text[0]; i++) {
        asked(c, q);
        says(change(sue, "release", q, text[i][0], text[i][1]), VERDICT_HELD, "no text");
        asked(c, q);
        says(change(paul, "release", q, text[i][0], text[i][1]), VERDICT_HELD, "no text");
    }
    asked(c, q);
    struct op nobody = fake_change("release", q);
    fake_from(&nobody, "asked_by", value_id(sue->user), value_null());
    says(send_one(sue, &nobody), VERDICT_HELD, "person who asked");
    verifies();
}

static void a_new_question_brings_neither_text_nor_answer(void **state)
{
    static const char *const text[][2] = {
        {"how", "whole"}, {"title", "Police"}, {"body", "He did"}, {"conditions", "any"}};
    uint8_t c[16], q[16];
    (void)state;
    share(c, "contribute", "contribute");
    for (size_t i = 0; i < sizeof text / sizeof text[0]; i++) {
        struct op op = question(q, c);
        fake_value(&op, text[i][0], value_str(text[i][1]));
        says(send_one(sue, &op), VERDICT_HELD, "no text");
    }
    struct op op = question(q, c);
    fake_value(&op, "decided_at", value_int(1));
    says(send_one(sue, &op), VERDICT_HELD, "no text");
    op = question(q, c);
    fake_value(&op, "asked_by", value_id(paul->user));
    says(send_one(sue, &op), VERDICT_HELD, "person who asked");
    op = question(q, c);
    fake_value(&op, "asked_by", value_null());
    says(send_one(sue, &op), VERDICT_HELD, "person who asked");
    op = question(q, c);
    fake_value(&op, "to_agency", value_str("school"));
    says(send_one(sue, &op), VERDICT_HELD, "asks itself");
    verifies();
}

static void nobody_brings_a_question_that_is_answered_already(void **state)
{
    static const char *const answers[] = {"granted", "refused", "expired"};
    uint8_t c[16], q[16];
    (void)state;
    share(c, "contribute", "contribute");
    for (size_t i = 0; i < 3; i++) {
        struct op op = question(q, c);
        fake_value(&op, "state", value_str(answers[i]));
        says(send_one(sue, &op), VERDICT_HELD, "two releases");
        assert_false(at_hub("release", q));
    }
    struct op op = question(q, c);
    fake_value(&op, "state", value_null());
    says(send_one(sue, &op), VERDICT_HELD, "says whether");
    verifies();
}

/* ------------------------------------------------------------------------------------------------------ taken back */

static void who_asked_takes_it_back_or_voids_it(void **state)
{
    uint8_t c[16], q[16];
    (void)state;
    asked(c, q);
    TAKEN_IN(change_from(sue, "release", q, "state", "asked", "expired"));
    asked(c, q);
    struct op gone = fake_change("release", q);
    fake_value(&gone, "voided_at", value_int(hub->now));
    TAKEN_IN(send_one(sue, &gone));
    asked(c, q);
    says(change_from(paul, "release", q, "state", "asked", "expired"), VERDICT_HELD, "wrote this");
    verifies();
}

static void an_answer_is_not_its_askers_to_take_back_nor_the_question_to_change(void **state)
{
    uint8_t c[16], q[16];
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        asked(c, q);
        struct op op = answer(paul, q, "asked", "refused");
        TAKEN_IN(send_one(paul, &op));
        fake_node_pull(sue);
        if (i == 0)
            says(change_from(sue, "release", q, "state", "refused", "expired"), VERDICT_HELD, "has been answered");
        else if (i == 1)
            says(change_from(sue, "release", q, "state", "refused", "asked"), VERDICT_HELD, "granted or refused");
        else
            says(change_from(sue, "release", q, "reason", "a plan for the class", "for the press"), VERDICT_HELD,
                 "stays as it was asked");
        text_at_hub("release", q, "state", "refused");
    }
    asked(c, q);
    says(change_from(paul, "release", q, "reason", "a plan for the class", "nothing"), VERDICT_HELD, "wrote this");
    verifies();
}

/* Both were away: the more protective stands, and both are kept. */
static void an_answer_and_a_taking_back_that_crossed_are_both_kept(void **state)
{
    uint8_t c[16], q[16];
    (void)state;
    asked(c, q);
    struct op op = answer(paul, q, "asked", "granted");
    TAKEN_IN(send_one(paul, &op));
    says(change_from(sue, "release", q, "state", "asked", "expired"), VERDICT_MERGED, NULL);
    text_at_hub("release", q, "state", "expired");
    assert_int_equal(count_in(CONFLICTS, c), 1);
    verifies();
}

/* ---------------------------------------------------------------------------------------------------- in whose name */

static void an_answer_says_who_gave_it_and_when(void **state)
{
    uint8_t c[16], q[16];
    (void)state;
    asked(c, q);
    says(change_from(paul, "release", q, "state", "asked", "granted"), VERDICT_HELD, "name of the person");
    asked(c, q);
    struct op op = answer(sue, q, "asked", "granted"); /* with her name, from his device */
    says(send_one(paul, &op), VERDICT_HELD, "name of the person");
    asked(c, q);
    op = answer(paul, q, "asked", "granted");
    fake_from(&op, "decided_at", value_none(), value_none());
    says(send_one(paul, &op), VERDICT_HELD, "when it was given");
    verifies();
}

static void a_third_agency_has_no_word_in_it(void **state)
{
    uint8_t c[16], q[16];
    (void)state;
    asked(c, q);
    struct op op = answer(carla, q, "asked", "granted");
    says(send_one(carla, &op), VERDICT_HELD, "does not know");
    text_at_hub("release", q, "state", "asked");
    verifies();
}

static void what_was_told_is_its_tellers_alone(void **state)
{
    uint8_t c[16], t[16];
    (void)state;
    share(c, "check", "check");
    struct op op = telling(paul, t, c, "school");
    TAKEN_IN(send_one(paul, &op));
    everybody_pulls();
    says(change_from(sue, "release", t, "body", "what they may know", "more"), VERDICT_HELD, "wrote this");
    says(change_from(sue, "release", t, "state", "granted", "refused"), VERDICT_HELD, NULL);
    fake_node_pull(paul);
    TAKEN_IN(change_from(paul, "release", t, "body", "what they may know", "less"));
    TAKEN_IN(change_from(paul, "release", t, "state", "granted", "expired"));
    fake_node_pull(paul);
    says(change_from(paul, "release", t, "state", "expired", "asked"), VERDICT_HELD, "two releases");
    op = telling(paul, t, c, "school");
    fake_value(&op, "how", value_null());
    says(send_one(paul, &op), VERDICT_HELD, "says how");
    op = telling(paul, t, c, "school");
    fake_value(&op, "decided_by", value_id(sue->user));
    says(send_one(paul, &op), VERDICT_HELD, "name of the person");
    verifies();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_may_only_check_asks_and_is_told),
        cmocka_unit_test(the_asked_agency_may_refuse_and_think_again),
        cmocka_unit_test(who_looks_on_neither_asks_nor_tells),
        cmocka_unit_test(who_asks_does_not_grant_it_to_himself),
        cmocka_unit_test(not_even_a_manager_grants_what_is_the_owners_to_decide),
        cmocka_unit_test(the_question_brought_again_as_a_new_row_answers_nothing),
        cmocka_unit_test(a_question_is_not_made_a_telling_by_and_by),
        cmocka_unit_test(a_new_question_brings_neither_text_nor_answer),
        cmocka_unit_test(nobody_brings_a_question_that_is_answered_already),
        cmocka_unit_test(who_asked_takes_it_back_or_voids_it),
        cmocka_unit_test(an_answer_is_not_its_askers_to_take_back_nor_the_question_to_change),
        cmocka_unit_test(an_answer_and_a_taking_back_that_crossed_are_both_kept),
        cmocka_unit_test(an_answer_says_who_gave_it_and_when),
        cmocka_unit_test(a_third_agency_has_no_word_in_it),
        cmocka_unit_test(what_was_told_is_its_tellers_alone),
    };
    return cmocka_run_group_tests(tests, intake_start, intake_stop);
}
