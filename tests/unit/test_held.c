/* Work that was not accepted: shown, awaited, decided. */
#include "hub/draft.h"
#include "hub/intake.h"
#include "tests/lib/intake_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ------------------------------------------------------------------------------------------ held work decided */

static void unshared_meanwhile_is_held_and_a_manager_may_accept_it(void **state)
{
    uint8_t c[16], part[16], p[16], w[16], held[16];
    struct fake_edit e;
    (void)state;
    shared_case(c);
    id_of("SELECT id FROM participant WHERE case_id = $1 AND member = 'school'", c, part);
    struct op un = fake_change("participant", part);
    fake_from(&un, "access", value_str("contribute"), value_str("none"));
    says(send_one(carla, &un), VERDICT_APPLIED, NULL);
    struct op person = fake_person(sue, p, c, "Smith");
    fake_edit_start(&e);
    fake_put(&e, &person);
    uint64_t first = fake_commit(sue, &e);
    env_new_id(&hub->env, w);
    struct op warn = fake_new(sue, "warning", w, c);
    fake_value(&warn, "person_id", value_id(p));
    fake_edit_start(&e);
    fake_put(&e, &warn);
    uint64_t second = fake_commit(sue, &e);
    fake_node_round(sue);
    says(fake_verdict_on(sue, first), VERDICT_HELD, "take part");
    says(fake_verdict_on(sue, second), VERDICT_HELD, NULL);
    assert_true(sue->n_drops > 0);
    assert_false(at_hub("person", p));
    everybody_pulls();
    id_of("SELECT id FROM held WHERE case_id = $1 AND what LIKE '%Smith%'", c, held);
    says(change(carla, "held", held, "state", "accepted"), VERDICT_HELD, "manager");
    says(change(mona, "held", held, "state", "accepted"), VERDICT_APPLIED, NULL);
    assert_true(at_hub("person", p));
    text_at_hub("held", held, "state", "accepted");
    fake_node_round(sue);
    says(fake_verdict_on(sue, first), VERDICT_APPLIED, NULL);
    assert_true(fake_node_got(sue, "person", p)); /* an agency keeps what it wrote, with or without the case */
    says(change(mona, "held", held, "state", "dismissed"), VERDICT_HELD, "decided this already");
    verifies();
}

static void what_builds_on_held_work_waits_and_is_judged_after_it(void **state)
{
    static const char *const members[] = {"school:contribute", "police:view", NULL};
    for (int accept = 0; accept < 2; accept++) {
        uint8_t c[16], m[16], held[16], action[16];
        struct fake_edit e;
        fake_node_pull(carla);
        fake_case(carla, c, "care", members);
        everybody_pulls();
        env_new_id(&hub->env, m);
        struct op meeting = fake_new(sue, "meeting", m, c); /* not the school's to make */
        fake_value(&meeting, "kind", value_str("strategy"));
        fake_edit_start(&e);
        fake_put(&e, &meeting);
        uint64_t first = fake_commit(sue, &e);
        struct op kind = fake_change("meeting", m);
        fake_from(&kind, "kind", value_str("strategy"), value_str("review"));
        fake_edit_start(&e);
        fake_put(&e, &kind);
        uint64_t second = fake_commit(sue, &e);
        env_new_id(&hub->env, action); /* does not depend on it */
        struct op act = fake_new(sue, "action", action, c);
        fake_edit_start(&e);
        fake_put(&e, &act);
        uint64_t third = fake_commit(sue, &e);
        fake_node_round(sue);
        says(fake_verdict_on(sue, first), VERDICT_HELD, "add this");
        says(fake_verdict_on(sue, second), VERDICT_WAITS, "earlier one");
        says(fake_verdict_on(sue, third), VERDICT_APPLIED, NULL);
        assert_int_equal(count_in(HELD, c), 1);
        everybody_pulls();
        id_of("SELECT id FROM held WHERE case_id = $1", c, held);
        says(change(mona, "held", held, "state", accept ? "accepted" : "dismissed"), VERDICT_APPLIED, NULL);
        fake_node_round(sue);
        says(fake_verdict_on(sue, first), accept ? VERDICT_APPLIED : VERDICT_DISMISSED, NULL);
        says(fake_verdict_on(sue, second), VERDICT_HELD, accept ? "lead agency" : REASON_UNKNOWN);
        assert_int_equal(at_hub("meeting", m), accept);
    }
    (void)state;
    verifies();
}

static void an_author_may_withdraw_held_work_and_nobody_elses(void **state)
{
    uint8_t c[16], held[16], part[16];
    (void)state;
    shared_case(c);
    struct op p = part_of(sue, part, c, "probation", "view");
    says(send_one(sue, &p), VERDICT_HELD, NULL);
    everybody_pulls();
    id_of("SELECT id FROM held WHERE case_id = $1", c, held);
    says(change(carla, "held", held, "state", "withdrawn"), VERDICT_HELD, "withdraw");
    says(change(sue, "held", held, "state", "accepted"), VERDICT_HELD, "manager");
    says(change(sue, "held", held, "state", "withdrawn"), VERDICT_APPLIED, NULL);
    assert_false(at_hub("participant", part));
    fake_node_round(sue);
    text_at_hub("held", held, "state", "withdrawn");
}

static void what_cannot_be_taken_in_cannot_be_accepted(void **state)
{
    uint8_t c[16], p[16], held[16];
    struct why why = {0};
    (void)state;
    shared_case(c);
    struct op a = fake_person(sue, p, c, "Smith");
    a.new_[2] = value_str("police");
    says(send_one(sue, &a), VERDICT_HELD, "another agency");
    everybody_pulls();
    id_of("SELECT id FROM held WHERE case_id = $1", c, held);
    says(change(mona, "held", held, "state", "accepted"), VERDICT_HELD, "not even");
    says(change(mona, "held", held, "state", "dismissed"), VERDICT_APPLIED, NULL);
    assert_int_equal(intake_decide(hub->hub, 1, 9999, true, &why), ERR_NOTFOUND);
}

static void a_held_restricted_record_does_not_show_its_words(void **state)
{
    static const char *const members[] = {"police:view", NULL};
    uint8_t c[16], r[16];
    (void)state;
    fake_node_pull(carla);
    fake_case(carla, c, "care", members);
    everybody_pulls();
    struct op rec = new_record(paul, r, c, "restricted");
    says(send_one(paul, &rec), VERDICT_HELD, NULL);
    assert_int_equal(count_in(HELD, c), 1);
    assert_int_equal(count_in("SELECT count(*) FROM held WHERE case_id = $1 AND what LIKE '%quiet words%'", c), 0);
    assert_int_equal(count_in("SELECT count(*) FROM held WHERE case_id = $1 AND what LIKE '%\"body\"%'", c), 1);
}

static void a_person_who_is_not_of_the_site_is_held(void **state)
{
    uint8_t c[16], p[16], own[16];
    (void)state;
    shared_case(c);
    memcpy(own, sue->user, 16);
    memcpy(sue->user, mona->user, 16); /* the manager's name, at another site's device */
    struct op part = part_of(sue, p, c, "probation", "view");
    says(send_one(sue, &part), VERDICT_HELD, NULL);
    struct op a = fake_person(sue, p, c, "Smith");
    says(send_one(sue, &a), VERDICT_HELD, "not known at this device");
    memcpy(sue->user, own, 16);
}

static void a_new_case_shares_only_with_its_lead_or_by_duty(void **state)
{
    uint8_t c[16], ids[2][16];
    struct fake_edit e;
    (void)state;
    everybody_pulls();
    for (int others = 0; others < 2; others++) {
        env_new_id(&hub->env, c);
        fake_edit_start(&e);
        struct op file = fake_new(paul, "case_file", c, c);
        fake_value(&file, "area", value_str("north"));
        fake_value(&file, "lead_agency", value_str("care"));
        fake_put(&e, &file);
        struct op own = part_of(paul, ids[0], c, "police", "contribute"),
                  other = part_of(paul, ids[1], c, "school", "view");
        fake_put(&e, &own);
        if (others) fake_put(&e, &other);
        says(fake_send(paul, &e), others ? VERDICT_HELD : VERDICT_APPLIED, NULL);
        assert_int_equal(at_hub("case_file", c), !others);
    }
    verifies();
}

static void an_edit_to_work_of_the_same_device_needs_no_round_between(void **state)
{
    uint8_t c[16], p[16];
    struct fake_edit e;
    (void)state;
    fake_node_pull(carla);
    env_new_id(&hub->env, c);
    fake_edit_start(&e);
    struct op file = fake_new(carla, "case_file", c, c);
    fake_value(&file, "area", value_str("north"));
    fake_value(&file, "lead_agency", value_str("care"));
    fake_put(&e, &file);
    uint64_t first = fake_commit(carla, &e);
    struct op person = fake_person(carla, p, c, "Smith");
    fake_edit_start(&e);
    fake_put(&e, &person);
    uint64_t second = fake_commit(carla, &e);
    struct op name = fake_change("person", p);
    fake_from(&name, "family_name", value_str("Smith"), value_str("Smythe"));
    fake_edit_start(&e);
    fake_put(&e, &name);
    uint64_t third = fake_commit(carla, &e);
    fake_node_round(carla);
    says(fake_verdict_on(carla, first), VERDICT_APPLIED, NULL);
    says(fake_verdict_on(carla, second), VERDICT_APPLIED, NULL);
    says(fake_verdict_on(carla, third), VERDICT_APPLIED, NULL);
    text_at_hub("person", p, "family_name", "Smythe");
}

static void one_change_in_two_cases_is_whole_or_not_at_all(void **state)
{
    uint8_t c[16], d[16], p[16], q[16];
    struct fake_edit e;
    static const char *const view[] = {"school:view", NULL};
    (void)state;
    shared_case(c);
    fake_case(carla, d, "care", view);
    everybody_pulls();
    fake_edit_start(&e);
    struct op a = fake_person(sue, p, c, "Smith"), b = fake_person(sue, q, d, "Jones");
    fake_put(&e, &a);
    fake_edit_next_part(&e);
    fake_put(&e, &b);
    says(fake_send(sue, &e), VERDICT_HELD, NULL);
    assert_false(at_hub("person", p));
    assert_int_equal(count_in(HELD, c), 1);
    assert_int_equal(count_in(HELD, d), 1);
    everybody_pulls();
    uint8_t held[16];
    id_of("SELECT id FROM held WHERE case_id = $1", c, held);
    says(change(mona, "held", held, "state", "accepted"), VERDICT_APPLIED, NULL);
    assert_true(at_hub("person", p) && at_hub("person", q));
    assert_int_equal(count_in(HELD, d), 0); /* decided for both */
    verifies();
}

/* Police open a red case that care should lead, and bring in the school, which only care may: held. */
static uint64_t held_referral(uint8_t c[16], int64_t restricted)
{
    struct fake_edit e;
    uint8_t p[16];
    env_new_id(&hub->env, c);
    env_new_id(&hub->env, p);
    struct op file = fake_new(paul, "case_file", c, c);
    fake_value(&file, "area", value_str("north"));
    fake_value(&file, "rag", value_str("red"));
    fake_value(&file, "lead_agency", value_str("care"));
    fake_value(&file, "restricted", value_int(restricted));
    struct op brief = fake_new(paul, "brief", c, c);
    fake_value(&brief, "summary", value_str("seen in the river"));
    struct op part = fake_new(paul, "participant", p, c);
    fake_value(&part, "member", value_str("school"));
    fake_value(&part, "site", value_str("school-1"));
    fake_value(&part, "access", value_str("contribute"));
    fake_edit_start(&e);
    fake_put(&e, &file);
    fake_put(&e, &brief);
    fake_put(&e, &part);
    return fake_commit(paul, &e);
}

static void a_held_new_referral_reaches_the_room_and_can_be_accepted_there(void **state)
{
    uint8_t c[16], held[16], stand_in[16];
    (void)state;
    uint64_t seq = held_referral(c, 0);
    fake_node_round(paul);
    says(fake_verdict_on(paul, seq), VERDICT_HELD, NULL);
    assert_false(at_hub("case_file", c));
    id_of("SELECT id FROM held WHERE state = 'waiting' AND what LIKE '%river%' AND $1 IS NOT NULL", c, held);
    id_of("SELECT case_id FROM held WHERE id = $1", held, stand_in);
    text_at_hub("case_file", stand_in, "rag", "red");
    everybody_pulls();
    assert_true(fake_node_got(mona, "case_file", stand_in) && fake_node_got(mona, "held", held));
    assert_false(fake_node_got(sue, "case_file", stand_in));
    says(change(mona, "held", held, "state", "accepted"), VERDICT_APPLIED, NULL);
    assert_true(at_hub("case_file", c));
    text_at_hub("case_file", stand_in, "status", "closed");
    /* What it said stands in the case now, and nowhere else. */
    assert_int_equal(count_in("SELECT count(*) FROM held WHERE id = $1 AND what IS NULL", held), 1);
    fake_node_round(paul);
    says(fake_verdict_on(paul, seq), VERDICT_APPLIED, NULL);
    verifies();
}

static void a_held_referral_that_would_be_restricted_is_announced_without_its_words(void **state)
{
    uint8_t c[16];
    (void)state;
    uint64_t seq = held_referral(c, 1);
    fake_node_round(paul);
    says(fake_verdict_on(paul, seq), VERDICT_HELD, NULL);
    assert_int_equal(fake_hub_int(hub, "SELECT count(*) FROM held WHERE state = 'waiting' AND what LIKE '%river%'"), 0);
    assert_int_equal(fake_hub_int(hub, "SELECT count(*) FROM held WHERE state = 'waiting' AND what LIKE '%withheld%'"), 1);
    verifies();
}

static void dismissed_work_is_told_as_decided(void **state)
{
    uint8_t c[16], held[16];
    (void)state;
    uint64_t seq = held_referral(c, 0);
    fake_node_round(paul);
    id_of("SELECT id FROM held WHERE state = 'waiting' AND what LIKE '%river%' AND $1 IS NOT NULL", c, held);
    everybody_pulls();
    says(change(mona, "held", held, "state", "dismissed"), VERDICT_APPLIED, NULL);
    fake_node_round(paul);
    says(fake_verdict_on(paul, seq), VERDICT_DISMISSED, "not to take");
    assert_false(at_hub("case_file", c));
    verifies();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_held_new_referral_reaches_the_room_and_can_be_accepted_there),
        cmocka_unit_test(a_held_referral_that_would_be_restricted_is_announced_without_its_words),
        cmocka_unit_test(dismissed_work_is_told_as_decided),
        cmocka_unit_test(unshared_meanwhile_is_held_and_a_manager_may_accept_it),
        cmocka_unit_test(what_builds_on_held_work_waits_and_is_judged_after_it),
        cmocka_unit_test(an_author_may_withdraw_held_work_and_nobody_elses),
        cmocka_unit_test(what_cannot_be_taken_in_cannot_be_accepted),
        cmocka_unit_test(a_held_restricted_record_does_not_show_its_words),
        cmocka_unit_test(a_person_who_is_not_of_the_site_is_held),
        cmocka_unit_test(a_new_case_shares_only_with_its_lead_or_by_duty),
        cmocka_unit_test(an_edit_to_work_of_the_same_device_needs_no_round_between),
        cmocka_unit_test(one_change_in_two_cases_is_whole_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, intake_start, intake_stop);
}
