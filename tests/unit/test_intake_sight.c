/* Each operation is judged by what its author's site saw when it was written, and by what it sees now. A duty stands in
 * for taking part, and for neither of these: who had not been given a case adds nothing to it, also when he was given
 * it since. */
#include "tests/lib/intake_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define NOT_GIVEN "had not been given to your site"

/* A case of the police that is restricted from its first day: Mona is on duty for its area, and her site is shut
 * out. */
static void shut_case(uint8_t c[16])
{
    uint8_t brief[16], part[16];
    struct fake_edit e;
    fake_node_pull(paul);
    env_new_id(&hub->env, c);
    memcpy(brief, c, sizeof brief);
    struct op file = fake_new(paul, "case_file", c, c), what = fake_new(paul, "brief", brief, c);
    struct op own = part_of(paul, part, c, "police", "contribute");
    fake_value(&file, "area", value_str("north"));
    fake_value(&file, "lead_agency", value_str("police"));
    fake_value(&file, "restricted", value_int(1));
    fake_value(&own, "site", value_str("police-hq"));
    fake_edit_start(&e);
    fake_put(&e, &file);
    fake_put(&e, &what);
    fake_put(&e, &own);
    says(fake_send(paul, &e), VERDICT_APPLIED, NULL);
    everybody_pulls();
    assert_false(fake_node_got(mona, "case_file", c));
}

static void let_the_room_in(const uint8_t c[16], uint8_t part[16])
{
    struct op room = part_of(paul, part, c, "care", "contribute");
    fake_value(&room, "site", value_str("care-mash"));
    says(send_one(paul, &room), VERDICT_APPLIED, NULL);
}

/* What Mona's device says that it stands at: somebody who has its key chooses that. */
static const struct fake_verdict *from_then(const struct op *op)
{
    mona->has_base = true;
    const struct fake_verdict *v = send_one(mona, op);
    mona->has_base = false;
    return v;
}

static void mona_remembers_where_she_stands(void)
{
    fake_node_pull(mona);
    memcpy(mona->base_cut, mona->cursor, sizeof mona->base_cut);
}

static void a_duty_adds_nothing_to_a_case_that_its_site_had_not_been_given(void **state)
{
    uint8_t c[16], room[16], part[16], p[16], w[16];
    (void)state;
    shut_case(c);
    put_person(paul, c, p);
    mona_remembers_where_she_stands();
    let_the_room_in(c, room);
    struct op in = part_of(mona, part, c, "school", "contribute");
    says(from_then(&in), VERDICT_HELD, NOT_GIVEN);
    assert_false(at_hub("participant", part));
    env_new_id(&hub->env, w);
    struct op met = fake_new(mona, "meeting", w, c);
    says(from_then(&met), VERDICT_HELD, NOT_GIVEN);
    assert_false(at_hub("meeting", w));
    struct op who = fake_person(mona, w, c, "Smith");
    says(from_then(&who), VERDICT_HELD, NULL);
    assert_false(at_hub("person", w));
    everybody_pulls();
    assert_false(fake_node_got(sue, "case_file", c));
    verifies();
}

/* As if it had made a row that is there: what differs is a change of it. */
static void nor_by_making_again_what_somebody_else_made_there(void **state)
{
    uint8_t c[16], room[16], part[16];
    (void)state;
    shut_case(c);
    struct op in = part_of(paul, part, c, "school", "check");
    fake_value(&in, "site", value_str("school-1"));
    says(send_one(paul, &in), VERDICT_APPLIED, NULL);
    mona_remembers_where_she_stands();
    let_the_room_in(c, room);
    struct op again = part_of(mona, room, c, "school", "contribute");
    fake_value(&again, "site", value_str("school-1"));
    again.new_[0] = value_id(part);
    says(from_then(&again), VERDICT_HELD, NOT_GIVEN);
    text_at_hub("participant", part, "access", "check");
    verifies();
}

static void a_manager_may_take_it_in_all_the_same(void **state)
{
    uint8_t c[16], room[16], part[16], held[16];
    (void)state;
    shut_case(c);
    mona_remembers_where_she_stands();
    let_the_room_in(c, room);
    struct op in = part_of(mona, part, c, "school", "check");
    says(from_then(&in), VERDICT_HELD, NOT_GIVEN);
    fake_node_pull(mona);
    id_of("SELECT id FROM held WHERE case_id = $1 AND state = 'waiting'", c, held);
    says(change(mona, "held", held, "state", "accepted"), VERDICT_APPLIED, NULL);
    assert_true(at_hub("participant", part));
    verifies();
}

/* ------------------------------------------------------------------------------------ who had it writes on in it */

static void who_was_given_the_case_writes_in_it_from_then_on(void **state)
{
    uint8_t c[16], room[16], part[16];
    (void)state;
    shut_case(c);
    let_the_room_in(c, room);
    fake_node_pull(mona);
    struct op in = part_of(mona, part, c, "school", "check");
    says(send_one(mona, &in), VERDICT_APPLIED, NULL);
    verifies();
}

static void who_made_the_case_writes_on_in_it_before_he_hears_of_it(void **state)
{
    uint8_t c[16], part[16], w[16];
    struct fake_edit e;
    (void)state;
    fake_node_pull(mona);
    env_new_id(&hub->env, c);
    struct op file = fake_new(mona, "case_file", c, c);
    fake_value(&file, "area", value_str("north"));
    fake_value(&file, "lead_agency", value_str("police"));
    fake_edit_start(&e);
    fake_put(&e, &file);
    uint64_t one = fake_commit(mona, &e);
    struct op in = part_of(mona, part, c, "police", "contribute");
    fake_edit_start(&e);
    fake_put(&e, &in);
    uint64_t two = fake_commit(mona, &e);
    mona_remembers_where_she_stands(); /* the answer brings both verdicts, and moves her on */
    says(fake_verdict_on(mona, one), VERDICT_APPLIED, NULL);
    says(fake_verdict_on(mona, two), VERDICT_APPLIED, NULL);
    env_new_id(&hub->env, w);
    struct op met = fake_new(mona, "meeting", w, c);
    says(send_one(mona, &met), VERDICT_APPLIED, NULL);
    verifies();
}

static void what_was_written_before_a_case_was_taken_away_counts_when_it_is_given_back(void **state)
{
    uint8_t c[16], room[16], part[16];
    (void)state;
    shut_case(c);
    let_the_room_in(c, room);
    mona_remembers_where_she_stands();
    fake_node_pull(paul);
    says(change_from(paul, "participant", room, "access", "contribute", "none"), VERDICT_APPLIED, NULL);
    says(change_from(paul, "participant", room, "access", "none", "contribute"), VERDICT_APPLIED, NULL);
    struct op in = part_of(mona, part, c, "school", "check");
    says(from_then(&in), VERDICT_APPLIED, NULL);
    verifies();
}

/* A device writes in what it has, also while the rest is on its way. */
static void in_the_middle_of_the_pages_what_has_come_may_be_written_in(void **state)
{
    uint8_t c[16], room[16], part[16], p[30][16];
    (void)state;
    shut_case(c);
    for (size_t i = 0; i < 30; i++) put_person(paul, c, p[i]);
    mona_remembers_where_she_stands();
    let_the_room_in(c, room);
    mona->budget = 200;
    do fake_node_round(mona);
    while (mona->hello.more && !fake_node_got(mona, "case_file", c));
    assert_true(fake_node_got(mona, "case_file", c) && mona->hello.more);
    struct op in = part_of(mona, part, c, "school", "check");
    says(send_one(mona, &in), VERDICT_APPLIED, NULL);
    mona->budget = 0;
    fake_node_pull(mona);
    verifies();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_duty_adds_nothing_to_a_case_that_its_site_had_not_been_given),
        cmocka_unit_test(nor_by_making_again_what_somebody_else_made_there),
        cmocka_unit_test(a_manager_may_take_it_in_all_the_same),
        cmocka_unit_test(who_was_given_the_case_writes_in_it_from_then_on),
        cmocka_unit_test(who_made_the_case_writes_on_in_it_before_he_hears_of_it),
        cmocka_unit_test(what_was_written_before_a_case_was_taken_away_counts_when_it_is_given_back),
        cmocka_unit_test(in_the_middle_of_the_pages_what_has_come_may_be_written_in),
    };
    return cmocka_run_group_tests(tests, intake_start, intake_stop);
}
