/* Late but honest work: notes that were written before their author could know that its agency takes part no more. They
 * may be what protects the child, so they are taken in; nothing else from then is, and nobody sees more for it. */
#include "tests/lib/intake_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PART "SELECT id FROM participant WHERE case_id = $1 AND member = 'school'"
/* Orders to the school's device to forget a row. */
#define DROPS                                                                                                          \
    "SELECT count(*) FROM h_drop d JOIN h_row r ON r.no = d.row_no JOIN h_node n ON n.no = d.node_no"                  \
    " JOIN h_site s ON s.no = n.site_no WHERE r.id = $1 AND s.code = 'school-1'"
/* Rows of a case that the school's site sees. */
#define SEEN                                                                                                           \
    "SELECT count(*) FROM h_case c JOIN h_row r ON r.case_no = c.no JOIN h_seat q ON q.case_no = c.no"                 \
    " JOIN h_site s ON s.no = q.site_no WHERE c.id = $1 AND s.code = 'school-1' AND (q.mask & r.mask) <> 0"

static void remove_school(const uint8_t c[16])
{
    uint8_t part[16];
    id_of(PART, c, part);
    fake_node_pull(mona);
    says(change_from(mona, "participant", part, "access", "contribute", "none"), VERDICT_APPLIED, NULL);
}

/* Sue knows the case, and not that the school has been removed from it. */
static void lost_case(uint8_t c[16])
{
    shared_case(c);
    remove_school(c);
}

static void a_note_written_before_the_removal_is_taken_in_and_stays_with_its_agency(void **state)
{
    uint8_t c[16], r[16];
    (void)state;
    lost_case(c);
    struct op rec = new_record(sue, r, c, "open");
    says(send_one(sue, &rec), VERDICT_APPLIED, NULL);
    assert_true(sue->n_drops > 0);           /* the case is taken away in the same answer */
    assert_int_equal(count_in(DROPS, c), 2); /* the case and its brief have one id */
    assert_int_equal(count_in(DROPS, r), 0); /* its own content stays */
    assert_int_equal(count_in(HELD, c), 0);
    text_at_hub("record", r, "agency", "school");
    everybody_pulls();
    assert_true(fake_node_got(carla, "record", r));
    assert_true(fake_node_got(paul, "record", r));
    verifies();
}

/* Of a restricted case nothing stays with who is not named. */
static void where_its_author_may_not_see_the_note_it_is_ordered_to_forget_it_at_once(void **state)
{
    uint8_t c[16], r[16];
    struct fake_edit e;
    (void)state;
    shared_case(c);
    fake_node_pull(mona);
    uint8_t part[16];
    struct op room = part_of(mona, part, c, "care", "contribute"), shut = fake_change("case_file", c);
    fake_value(&room, "site", value_str("care-mash"));
    fake_value(&shut, "restricted", value_int(1));
    fake_edit_start(&e);
    fake_put(&e, &shut);
    fake_put(&e, &room);
    says(fake_send(mona, &e), VERDICT_APPLIED, NULL);
    struct op rec = new_record(sue, r, c, "open");
    says(send_one(sue, &rec), VERDICT_APPLIED, NULL);
    assert_int_equal(count_in(DROPS, r), 1);
    assert_int_equal(count_in(DROPS, c), 2); /* the case and its brief have one id */
    assert_int_equal(count_in(SEEN, c), 0);
    fake_node_pull(sue);
    assert_false(fake_node_got(sue, "record", r));
    fake_node_pull(mona);
    assert_true(fake_node_got(mona, "record", r));
    verifies();
}

static void a_note_about_a_person_whom_its_author_knew_is_taken_in(void **state)
{
    uint8_t c[16], p[16], later[16], r[16];
    (void)state;
    shared_case(c);
    put_person(carla, c, p);
    everybody_pulls();
    remove_school(c);
    put_person(carla, c, later);
    struct op about = new_record(sue, r, c, "open");
    fake_value(&about, "person_id", value_id(later)); /* whom the school never saw */
    says(send_one(sue, &about), VERDICT_HELD, "does not know");
    lost_case(c);
    (void)p;
    shared_case(c);
    put_person(carla, c, p);
    everybody_pulls();
    remove_school(c);
    about = new_record(sue, r, c, "open");
    fake_value(&about, "person_id", value_id(p));
    says(send_one(sue, &about), VERDICT_APPLIED, NULL);
    verifies();
}

/* ------------------------------------------------------------------------------------------ everything else is held */

static void any_other_new_row_from_then_is_held(void **state)
{
    static const char *const tables[] = {"rating", "pointer", "warning", "challenge"};
    uint8_t c[16], id[16];
    (void)state;
    lost_case(c);
    struct op person = fake_person(sue, id, c, "Smith");
    says(send_one(sue, &person), VERDICT_HELD, NULL);
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        lost_case(c);
        env_new_id(&hub->env, id);
        struct op op = fake_new(sue, tables[i], id, c);
        says(send_one(sue, &op), VERDICT_HELD, "take part");
        assert_false(at_hub(tables[i], id));
    }
    verifies();
}

static void a_note_together_with_anything_else_is_held_whole(void **state)
{
    uint8_t c[16], r[16], id[16];
    struct fake_edit e;
    (void)state;
    lost_case(c);
    struct op rec = new_record(sue, r, c, "open");
    env_new_id(&hub->env, id);
    struct op rating = fake_new(sue, "rating", id, c);
    fake_edit_start(&e);
    fake_put(&e, &rec);
    fake_put(&e, &rating);
    says(fake_send(sue, &e), VERDICT_HELD, "take part");
    assert_false(at_hub("record", r));
    assert_false(at_hub("rating", id));
    verifies();
}

static void a_changed_note_from_then_is_held(void **state)
{
    uint8_t c[16], r[16];
    (void)state;
    shared_case(c);
    struct op rec = new_record(sue, r, c, "open");
    says(send_one(sue, &rec), VERDICT_APPLIED, NULL);
    fake_node_pull(sue);
    remove_school(c);
    struct op again = fake_new(sue, "record", r, c); /* the same row as if it were new */
    fake_value(&again, "sensitivity", value_str("open"));
    fake_value(&again, "body", value_str("other words"));
    says(send_one(sue, &again), VERDICT_HELD, NULL);
    text_at_hub("record", r, "body", "quiet words");
    verifies();
}

static void the_name_of_another_agency_a_stranger_or_a_request_are_refused_as_ever(void **state)
{
    uint8_t c[16], r[16], user[16];
    (void)state;
    lost_case(c);
    struct op rec = new_record(sue, r, c, "open");
    rec.new_[2] = value_str("police");
    says(send_one(sue, &rec), VERDICT_HELD, "another agency");
    lost_case(c);
    rec = new_record(sue, r, c, "open");
    memcpy(user, sue->user, 16);
    memcpy(sue->user, paul->user, 16);
    const struct fake_verdict *v = send_one(sue, &rec);
    memcpy(sue->user, user, 16);
    says(v, VERDICT_HELD, "not known at this device's site");
    lost_case(c);
    rec = new_record(sue, r, c, "open");
    fake_value(&rec, "request_id", value_id(c));
    says(send_one(sue, &rec), VERDICT_HELD, "the request it answers");
    verifies();
}

static void who_only_looked_on_or_never_took_part_adds_nothing(void **state)
{
    static const char *const looks_on[] = {"police:contribute", "school:view", NULL};
    static const char *const without[] = {"police:contribute", NULL};
    uint8_t c[16], r[16], part[16];
    (void)state;
    fake_node_pull(carla);
    fake_case(carla, c, "care", looks_on);
    everybody_pulls();
    id_of(PART, c, part);
    says(change_from(mona, "participant", part, "access", "view", "none"), VERDICT_APPLIED, NULL);
    struct op rec = new_record(sue, r, c, "open");
    says(send_one(sue, &rec), VERDICT_HELD, "take part");
    fake_node_pull(carla);
    fake_case(carla, c, "care", without);
    rec = new_record(sue, r, c, "open");
    says(send_one(sue, &rec), VERDICT_HELD, "does not know");
    verifies();
}

static void a_revoked_device_adds_nothing(void **state)
{
    struct fake_node *sid = device("school-1", "school", "Sid");
    struct why why = {0};
    uint8_t c[16], r[16];
    (void)state;
    shared_case(c);
    fake_node_pull(sid);
    remove_school(c);
    assert_int_equal(hub_revoke(hub->hub, sid->id.pub.kid, "lost", &why), ERR_OK);
    struct op rec = new_record(sid, r, c, "open");
    says(send_one(sid, &rec), VERDICT_HELD, "revoked");
    fake_node_release(sid);
    free(sid);
    verifies();
}

/* Each part by itself: in one case it takes part still, from the other it was removed; a third it never knew. */
static void notes_in_several_cases_are_judged_case_by_case(void **state)
{
    static const char *const without[] = {"police:contribute", NULL};
    uint8_t kept[16], lost[16], never[16], r[3][16];
    struct fake_edit e;
    (void)state;
    shared_case(kept);
    fake_node_pull(carla);
    fake_case(carla, never, "care", without);
    lost_case(lost);
    struct op a = new_record(sue, r[0], kept, "open"), b = new_record(sue, r[1], lost, "open");
    fake_edit_start(&e);
    fake_put(&e, &a);
    fake_edit_next_part(&e);
    fake_put(&e, &b);
    says(fake_send(sue, &e), VERDICT_APPLIED, NULL);
    lost_case(lost);
    b = new_record(sue, r[1], lost, "open");
    struct op no = new_record(sue, r[2], never, "open");
    fake_edit_start(&e);
    fake_put(&e, &b);
    fake_edit_next_part(&e);
    fake_put(&e, &no);
    says(fake_send(sue, &e), VERDICT_HELD, "does not know");
    assert_false(at_hub("record", r[1]));
    verifies();
}

/* ------------------------------------------------------------------------------------------------- a hostile device */

/* A device that heard of the removal does not get to say afterwards that it wrote before. */
static void a_device_that_knows_of_the_removal_cannot_go_back_to_an_older_cut(void **state)
{
    uint8_t c[16], r[16];
    (void)state;
    shared_case(c);
    memcpy(sue->base_cut, sue->cursor, 16);
    remove_school(c);
    fake_node_pull(sue);
    fake_node_round(sue); /* says that it has nothing more to send */
    sue->has_base = true;
    struct op rec = new_record(sue, r, c, "open");
    const struct fake_verdict *v = send_one(sue, &rec);
    sue->has_base = false;
    says(v, VERDICT_HELD, "take part");
    assert_false(at_hub("record", r));
    verifies();
}

static void a_chain_that_went_on_does_not_go_back_to_an_older_cut(void **state)
{
    uint8_t c[16], other[16], r[16];
    struct fake_edit e;
    (void)state;
    shared_case(other);
    shared_case(c);
    memcpy(sue->base_cut, sue->cursor, 16);
    remove_school(c);
    fake_node_round(sue); /* takes the order to forget */
    struct op a = new_record(sue, r, other, "open");
    fake_edit_start(&e);
    fake_put(&e, &a);
    uint64_t one = fake_commit(sue, &e);
    sue->has_base = true;
    struct op b = new_record(sue, r, c, "open");
    fake_edit_start(&e);
    fake_put(&e, &b);
    uint64_t two = fake_commit(sue, &e);
    sue->has_base = false;
    fake_node_round(sue);
    says(fake_verdict_on(sue, one), VERDICT_APPLIED, NULL);
    says(fake_verdict_on(sue, two), VERDICT_HELD, "take part");
    assert_false(at_hub("record", r));
    verifies();
}

/* Drops come before pages: in the middle of them a device knows of the removal already, although it has not been told
 * yet what else happened to rows as late in the order as those of the case. */
static void a_cut_in_the_middle_of_the_pages_after_the_removal_is_no_excuse(void **state)
{
    uint8_t c[16], other[16], r[16], p[20][16];
    (void)state;
    shared_case(other);
    for (size_t i = 0; i < 20; i++) put_person(carla, other, p[i]);
    shared_case(c);
    remove_school(c);
    fake_node_pull(carla);
    for (size_t i = 0; i < 20; i++)
        says(change_from(carla, "person", p[i], "family_name", "Smith", "Smythe"), VERDICT_APPLIED, NULL);
    sue->budget = 200;
    fake_node_round(sue);
    sue->budget = 0;
    assert_true(sue->hello.more);
    assert_true(sue->n_drops > 0);
    struct op rec = new_record(sue, r, c, "open");
    says(send_one(sue, &rec), VERDICT_HELD, "take part");
    fake_node_pull(sue);
    verifies();
}

/* Who made the case chooses the cut before it. */
static void the_maker_of_a_case_cannot_claim_for_ever_that_it_is_new(void **state)
{
    static const char *const members[] = {"school:contribute", "care:contribute", NULL};
    uint8_t c[16], r[16];
    (void)state;
    fake_node_pull(sue);
    memcpy(sue->base_cut, sue->cursor, 16);
    fake_case(sue, c, "school", members);
    everybody_pulls();
    fake_node_pull(mona);
    says(change_from(mona, "case_file", c, "lead_agency", "school", "care"), VERDICT_APPLIED, NULL);
    remove_school(c);
    fake_node_pull(sue);
    fake_node_round(sue);
    sue->has_base = true;
    struct op rec = new_record(sue, r, c, "open");
    const struct fake_verdict *v = send_one(sue, &rec);
    sue->has_base = false;
    says(v, VERDICT_HELD, "take part");
    verifies();
}

static void a_late_note_shows_its_author_nothing_but_itself(void **state)
{
    uint8_t c[16], r[16], hers[16];
    (void)state;
    shared_case(c);
    struct op rec = new_record(carla, hers, c, "open");
    says(send_one(carla, &rec), VERDICT_APPLIED, NULL);
    remove_school(c);
    int64_t before = count_in(SEEN, c), conflicts = count_in(CONFLICTS, c);
    rec = new_record(sue, r, c, "open");
    memcpy(r, hers, 16); /* a row that it never saw: as if it did not exist */
    rec.new_[0] = value_id(r);
    says(send_one(sue, &rec), VERDICT_HELD, "does not know");
    assert_int_equal(count_in(CONFLICTS, c), conflicts);
    text_at_hub("record", hers, "agency", "care");
    lost_case(c);
    before = count_in(SEEN, c);
    rec = new_record(sue, r, c, "open");
    says(send_one(sue, &rec), VERDICT_APPLIED, NULL);
    assert_int_equal(count_in(SEEN, c), before + 1);
    verifies();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_note_written_before_the_removal_is_taken_in_and_stays_with_its_agency),
        cmocka_unit_test(where_its_author_may_not_see_the_note_it_is_ordered_to_forget_it_at_once),
        cmocka_unit_test(a_note_about_a_person_whom_its_author_knew_is_taken_in),
        cmocka_unit_test(any_other_new_row_from_then_is_held),
        cmocka_unit_test(a_note_together_with_anything_else_is_held_whole),
        cmocka_unit_test(a_changed_note_from_then_is_held),
        cmocka_unit_test(the_name_of_another_agency_a_stranger_or_a_request_are_refused_as_ever),
        cmocka_unit_test(who_only_looked_on_or_never_took_part_adds_nothing),
        cmocka_unit_test(a_revoked_device_adds_nothing),
        cmocka_unit_test(notes_in_several_cases_are_judged_case_by_case),
        cmocka_unit_test(a_device_that_knows_of_the_removal_cannot_go_back_to_an_older_cut),
        cmocka_unit_test(a_chain_that_went_on_does_not_go_back_to_an_older_cut),
        cmocka_unit_test(a_cut_in_the_middle_of_the_pages_after_the_removal_is_no_excuse),
        cmocka_unit_test(the_maker_of_a_case_cannot_claim_for_ever_that_it_is_new),
        cmocka_unit_test(a_late_note_shows_its_author_nothing_but_itself),
    };
    return cmocka_run_group_tests(tests, intake_start, intake_stop);
}
