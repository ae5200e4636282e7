/* Two people's values for one column, from the clash to its settling: what stands, what is kept beside it, and who sees
 * that. How the pure function judges is test_merge's. */
#include "tests/lib/intake_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OPEN(what) "SELECT count(*) FROM conflict WHERE case_id = $1 AND state = 'open' AND " what

/* From now on this device writes upon what it has seen so far, whatever it hears. */
static void goes_offline(struct fake_node *n)
{
    n->has_base = true;
    memcpy(n->base_cut, n->cursor, 16);
}

static void comes_back(struct fake_node *n)
{
    n->has_base = false;
    fake_node_pull(n);
}

/* ------------------------------------------------------------------------------------------------ what is noted */

struct names {
    uint8_t c[16], p[16], k[16]; /* case, person, conflict */
};

/* Paul's Ann stands; Sue's Anne is kept beside it. */
static void two_names(struct names *n)
{
    shared_case(n->c);
    put_person(paul, n->c, n->p);
    everybody_pulls();
    goes_offline(paul);
    goes_offline(sue);
    says(change(paul, "person", n->p, "given_names", "Ann"), VERDICT_APPLIED, NULL);
    says(change(sue, "person", n->p, "given_names", "Anne"), VERDICT_MERGED, NULL);
    id_of("SELECT id FROM conflict WHERE case_id = $1 AND state = 'open'", n->c, n->k);
}

static void all_come_back(void)
{
    comes_back(paul);
    comes_back(sue);
    everybody_pulls();
}

static void an_open_conflict_shows_what_stands_when_its_author_writes_on(void **state)
{
    struct names n;
    (void)state;
    two_names(&n);
    says(change_from(paul, "person", n.p, "given_names", "Ann", "Anna"), VERDICT_MERGED, NULL);
    text_at_hub("person", n.p, "given_names", "Anna");
    assert_int_equal(count_in(CONFLICTS, n.c), 1);
    assert_int_equal(count_in(OPEN("kept = 'Anna' AND lost = 'Anne'"), n.c), 1);
    all_come_back();
    verifies();
}

/* Both names of a pair are right, also when the value beside the losing one is somebody else's by then. */
static void a_replaced_losing_value_stands_beside_the_person_who_wrote_the_other(void **state)
{
    struct names n;
    (void)state;
    two_names(&n);
    fake_node_pull(carla);
    says(change_from(carla, "person", n.p, "given_names", "Ann", "Anya"), VERDICT_APPLIED, NULL);
    says(change_from(sue, "person", n.p, "given_names", "Anne", "Annie"), VERDICT_MERGED, NULL);
    assert_int_equal(count_in(CONFLICTS, n.c), 1);
    assert_int_equal(count_in(OPEN("kept = 'Anya' AND lost = 'Annie' AND "
                                   "kept_by = (SELECT id FROM practitioner WHERE name = 'Carla') AND "
                                   "lost_by = (SELECT id FROM practitioner WHERE name = 'Sue')"),
                              n.c),
                     1);
    all_come_back();
    verifies();
}

static void identical_edits_make_no_conflict_and_no_work(void **state)
{
    uint8_t c[16], p[16];
    (void)state;
    shared_case(c);
    put_person(paul, c, p);
    everybody_pulls();
    says(change(paul, "person", p, "given_names", "Ann"), VERDICT_APPLIED, NULL);
    says(change(sue, "person", p, "given_names", "Ann"), VERDICT_APPLIED, NULL);
    says(change(carla, "person", p, "given_names", "Ann"), VERDICT_APPLIED, NULL);
    assert_int_equal(count_in(CONFLICTS, c), 0);
    everybody_pulls();
    says(change_from(sue, "person", p, "given_names", "Ann", "Anne"), VERDICT_APPLIED, NULL); /* having seen them */
    assert_int_equal(count_in(CONFLICTS, c), 0);
    verifies();
}

static void the_same_row_made_alike_at_two_sites_is_one_row_without_a_conflict(void **state)
{
    uint8_t c[16], p[16], id[16];
    (void)state;
    shared_case(c);
    put_person(paul, c, p);
    everybody_pulls();
    env_new_id(&hub->env, id);
    struct op a = fake_new(paul, "consent", id, c);
    fake_value(&a, "person_id", value_id(p));
    fake_value(&a, "scope", value_str("all"));
    fake_value(&a, "state", value_str("refused"));
    struct op b = a;
    b.new_[2] = value_str("school");
    says(send_one(paul, &a), VERDICT_APPLIED, NULL);
    says(send_one(sue, &b), VERDICT_APPLIED, NULL);
    assert_int_equal(count_in("SELECT count(*) FROM consent WHERE case_id = $1", c), 1);
    assert_int_equal(count_in(CONFLICTS, c), 0);
    text_at_hub("consent", id, "agency", "police");
    verifies();
}

static void put_contact(struct fake_node *n, const uint8_t c[16], const uint8_t p[16], uint8_t id[16])
{
    env_new_id(&hub->env, id);
    struct op contact = fake_new(n, "contact", id, c);
    fake_value(&contact, "person_id", value_id(p));
    fake_value(&contact, "value", value_str("000"));
    says(send_one(n, &contact), VERDICT_APPLIED, NULL);
}

static const struct fake_verdict *take_away(struct fake_node *n, const uint8_t contact[16])
{
    struct op gone = fake_change("contact", contact);
    fake_value(&gone, "voided_at", value_int(hub->now));
    fake_value(&gone, "void_reason", value_str("wrong number"));
    return send_one(n, &gone);
}

/* Taking away is the only deleting there is, and it hides nothing that somebody wrote meanwhile. */
static void an_edit_and_a_taking_away_that_meet_are_both_kept_in_either_order(void **state)
{
    (void)state;
    for (int voided_first = 0; voided_first < 2; voided_first++) {
        uint8_t c[16], p[16], k[16], held[16];
        shared_case(c);
        put_person(paul, c, p);
        put_contact(paul, c, p, k);
        everybody_pulls();
        goes_offline(sue);
        if (voided_first) {
            says(take_away(paul, k), VERDICT_APPLIED, NULL);
            says(change_from(sue, "contact", k, "value", "000", "111"), VERDICT_HELD, "taken back from your site");
            text_at_hub("contact", k, "value", "000");
            id_of("SELECT id FROM held WHERE case_id = $1 AND state = 'waiting'", c, held);
            fake_node_pull(mona);
            says(change_from(mona, "held", held, "state", "waiting", "accepted"), VERDICT_APPLIED, NULL);
        } else {
            says(change_from(sue, "contact", k, "value", "000", "111"), VERDICT_APPLIED, NULL);
            says(take_away(paul, k), VERDICT_APPLIED, NULL);
        }
        text_at_hub("contact", k, "value", "111");
        assert_int_equal(count_in("SELECT count(*) FROM contact WHERE case_id = $1 AND voided_at IS NOT NULL", c), 1);
        assert_int_equal(count_in(CONFLICTS, c), 0); /* no column has two values */
        comes_back(sue);
        verifies();
    }
}

/* A row that was taken away is not made anew under the same id: the second making meets the first. */
static void what_was_taken_away_and_is_made_again_elsewhere_stays_one_row(void **state)
{
    uint8_t c[16], p[16], id[16];
    (void)state;
    shared_case(c);
    put_person(paul, c, p);
    everybody_pulls();
    env_new_id(&hub->env, id);
    struct op a = fake_new(paul, "consent", id, c);
    fake_value(&a, "person_id", value_id(p));
    fake_value(&a, "scope", value_str("all"));
    fake_value(&a, "state", value_str("given"));
    struct op b = a;
    b.new_[2] = value_str("school");
    fake_value(&b, "state", value_str("refused"));
    says(send_one(paul, &a), VERDICT_APPLIED, NULL);
    struct op gone = fake_change("consent", id);
    fake_value(&gone, "voided_at", value_int(hub->now));
    says(send_one(paul, &gone), VERDICT_APPLIED, NULL);
    const struct fake_verdict *v = send_one(sue, &b);
    /* not lost either way: it is in the row, in a conflict, or held */
    if (v->verdict == VERDICT_HELD)
        assert_int_equal(count_in(HELD, c), 1);
    else
        text_at_hub("consent", id, "state", "refused");
    assert_int_equal(count_in("SELECT count(*) FROM consent WHERE case_id = $1", c), 1);
    verifies();
}

/* ------------------------------------------------------------------------------------- what its author may not */

static void a_change_to_what_was_taken_back_is_held_and_one_to_what_never_changes_too(void **state)
{
    uint8_t c[16], p[16], part[16];
    (void)state;
    shared_case(c);
    put_person(carla, c, p);
    everybody_pulls();
    struct op owner = fake_change("person", p);
    fake_from(&owner, "agency", value_str("care"), value_str("school"));
    says(send_one(sue, &owner), VERDICT_HELD, "never changes");
    text_at_hub("person", p, "agency", "care");
    id_of("SELECT id FROM participant WHERE case_id = $1 AND member = 'school'", c, part);
    goes_offline(sue);
    says(change_from(carla, "participant", part, "access", "contribute", "none"), VERDICT_APPLIED, NULL);
    says(change(sue, "person", p, "given_names", "Ann"), VERDICT_HELD, "taken back from your site");
    assert_int_equal(count_in(HELD, c), 2);
    assert_int_equal(count_in("SELECT count(*) FROM person WHERE case_id = $1 AND given_names IS NULL", c), 1);
    assert_int_equal(count_in(CONFLICTS, c), 0);
    comes_back(sue);
    verifies();
}

/* ---------------------------------------------------------------------------------------------- how long, for whom */

static void a_conflict_stays_open_whatever_is_synced_after_it_until_it_is_settled(void **state)
{
    struct names n;
    (void)state;
    two_names(&n);
    all_come_back();
    says(change(sue, "person", n.p, "sex", "2"), VERDICT_APPLIED, NULL);
    says(change(paul, "person", n.p, "born_on", "2019-05-04"), VERDICT_APPLIED, NULL);
    everybody_pulls();
    /* not even by somebody who has seen both and writes a third: he gave no reason */
    says(change_from(carla, "person", n.p, "given_names", "Ann", "Anya"), VERDICT_APPLIED, NULL);
    everybody_pulls();
    assert_int_equal(count_in(OPEN("kept = 'Ann' AND lost = 'Anne'"), n.c), 1);
    assert_int_equal(count_in(CONFLICTS, n.c), 1);
    verifies();
}

static bool sees(const char *site, const char *table, const uint8_t id[16])
{
    struct why why = {0};
    bool mask = false, view = false;
    assert_int_equal(hub_sees(hub->hub, site, table, id, &mask, &view, &why), ERR_OK);
    assert_int_equal(mask, view);
    return mask;
}

/* Two of the room word one record differently. */
static void two_wordings(uint8_t c[16], uint8_t r[16], uint8_t k[16])
{
    shared_case(c);
    struct op record = new_record(carla, r, c, "open");
    says(send_one(carla, &record), VERDICT_APPLIED, NULL);
    everybody_pulls();
    says(change_from(carla, "record", r, "body", "quiet words", "one way"), VERDICT_APPLIED, NULL);
    says(change_from(mona, "record", r, "body", "quiet words", "another way"), VERDICT_MERGED, NULL);
    id_of("SELECT id FROM conflict WHERE case_id = $1", c, k);
}

static void a_conflict_is_seen_by_who_sees_its_row_and_goes_with_it(void **state)
{
    uint8_t c[16], r[16], k[16];
    struct fake_node *pru = device("probation-1", "probation", "Pru");
    (void)state;
    two_wordings(c, r, k);
    static const char *const sites[] = {"care-mash", "police-hq", "school-1", "probation-1"};
    for (size_t i = 0; i < 4; i++) assert_int_equal(sees(sites[i], "conflict", k), sees(sites[i], "record", r));
    fake_node_pull(paul);
    fake_node_pull(pru);
    assert_true(fake_node_got(paul, "conflict", k));
    assert_false(fake_node_got(pru, "conflict", k));
    fake_node_pull(mona);
    says(change_from(mona, "record", r, "sensitivity", "open", "restricted"), VERDICT_APPLIED, NULL);
    for (size_t i = 0; i < 4; i++) assert_int_equal(sees(sites[i], "conflict", k), sees(sites[i], "record", r));
    assert_false(sees("police-hq", "conflict", k));
    fake_node_round(paul);
    assert_true(paul->n_drops >= 2); /* the record and what was said about it */
    verifies();
    fake_node_release(pru);
    free(pru);
}

static struct fake_edit settlement(const struct fake_node *n, const struct names *of, const char *from, const char *to,
                                   const char *reason)
{
    struct fake_edit e;
    struct op name = fake_change("person", of->p), settle = fake_change("conflict", of->k);
    fake_edit_start(&e);
    if (to != NULL) fake_from(&name, "given_names", value_str(from), value_str(to));
    fake_from(&settle, "state", value_str("open"), value_str("settled"));
    fake_value(&settle, "reason", value_str(reason));
    fake_value(&settle, "resolved_by", value_id(n->user));
    if (to != NULL) fake_put(&e, &name);
    fake_put(&e, &settle);
    return e;
}

static void a_settled_conflict_stays_as_history_with_the_room_and_its_authors(void **state)
{
    struct names n;
    uint8_t part[16];
    struct fake_node *pru = device("probation-1", "probation", "Pru");
    (void)state;
    two_names(&n);
    all_come_back();
    struct op in = part_of(carla, part, n.c, "probation", "view");
    fake_value(&in, "site", value_str("probation-1"));
    says(send_one(carla, &in), VERDICT_APPLIED, NULL);
    fake_node_round(pru);
    assert_true(fake_node_got(pru, "conflict", n.k)); /* open: whoever sees the person */
    struct fake_edit e = settlement(carla, &n, "Ann", "Anne", "birth certificate");
    says(fake_send(carla, &e), VERDICT_APPLIED, NULL);
    text_at_hub("conflict", n.k, "state", "settled");
    text_at_hub("conflict", n.k, "kept", "Ann");
    text_at_hub("conflict", n.k, "lost", "Anne");
    text_at_hub("conflict", n.k, "reason", "birth certificate");
    assert_true(sees("care-mash", "conflict", n.k));
    assert_true(sees("police-hq", "conflict", n.k) && sees("school-1", "conflict", n.k));
    assert_true(sees("probation-1", "person", n.p));
    assert_false(sees("probation-1", "conflict", n.k));
    fake_node_round(pru);
    assert_int_equal(pru->n_drops, 1);
    everybody_pulls();
    verifies();
    fake_node_release(pru);
    free(pru);
}

/* ------------------------------------------------------------------------------------------- settling that races */

static void a_settlement_that_meets_another_edit_is_itself_merged(void **state)
{
    struct names n;
    (void)state;
    two_names(&n);
    all_come_back();
    struct fake_edit e = settlement(carla, &n, "Ann", "Anne", "birth certificate");
    says(change_from(sue, "person", n.p, "given_names", "Ann", "Anouk"), VERDICT_APPLIED, NULL);
    says(fake_send(carla, &e), VERDICT_MERGED, NULL);
    text_at_hub("person", n.p, "given_names", "Anouk"); /* what the hub has stays until somebody decides */
    text_at_hub("conflict", n.k, "state", "settled");
    assert_int_equal(count_in(OPEN("kept = 'Anouk' AND lost = 'Anne' AND "
                                   "lost_by = (SELECT id FROM practitioner WHERE name = 'Carla')"),
                              n.c),
                     1);
    everybody_pulls();
    verifies();
}

static void of_two_settlements_the_second_is_held_whole_and_says_why(void **state)
{
    struct names n;
    (void)state;
    two_names(&n);
    all_come_back();
    struct fake_edit one = settlement(carla, &n, "Ann", "Anne", "birth certificate");
    struct fake_edit two = settlement(sue, &n, "Ann", "Anneke", "her mother said so");
    says(fake_send(carla, &one), VERDICT_APPLIED, NULL);
    says(fake_send(sue, &two), VERDICT_HELD, "settled these two versions already");
    text_at_hub("person", n.p, "given_names", "Anne");
    text_at_hub("conflict", n.k, "reason", "birth certificate");
    assert_int_equal(count_in("SELECT count(*) FROM held WHERE case_id = $1 AND state = 'waiting' AND "
                              "what LIKE '%Anneke%' AND what LIKE '%her mother%'",
                              n.c),
                     1);
    everybody_pulls();
    verifies();
}

static void what_a_rule_decided_can_be_settled_otherwise(void **state)
{
    uint8_t c[16], k[16];
    struct fake_edit e;
    (void)state;
    shared_case(c);
    says(change_from(mona, "case_file", c, "rag", "green", "red"), VERDICT_APPLIED, NULL);
    says(change_from(carla, "case_file", c, "rag", "green", "amber"), VERDICT_MERGED, NULL);
    everybody_pulls();
    id_of("SELECT id FROM conflict WHERE case_id = $1 AND state = 'ruled'", c, k);
    struct op rag = fake_change("case_file", c), settle = fake_change("conflict", k);
    fake_from(&rag, "rag", value_str("red"), value_str("amber"));
    fake_from(&settle, "state", value_str("ruled"), value_str("settled"));
    fake_value(&settle, "reason", value_str("seen the house"));
    fake_value(&settle, "resolved_by", value_id(carla->user));
    fake_edit_start(&e);
    fake_put(&e, &rag);
    fake_put(&e, &settle);
    says(fake_send(carla, &e), VERDICT_APPLIED, NULL);
    text_at_hub("case_file", c, "rag", "amber");
    text_at_hub("conflict", k, "state", "settled");
    everybody_pulls();
    verifies();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_open_conflict_shows_what_stands_when_its_author_writes_on),
        cmocka_unit_test(a_replaced_losing_value_stands_beside_the_person_who_wrote_the_other),
        cmocka_unit_test(identical_edits_make_no_conflict_and_no_work),
        cmocka_unit_test(the_same_row_made_alike_at_two_sites_is_one_row_without_a_conflict),
        cmocka_unit_test(an_edit_and_a_taking_away_that_meet_are_both_kept_in_either_order),
        cmocka_unit_test(what_was_taken_away_and_is_made_again_elsewhere_stays_one_row),
        cmocka_unit_test(a_change_to_what_was_taken_back_is_held_and_one_to_what_never_changes_too),
        cmocka_unit_test(a_conflict_stays_open_whatever_is_synced_after_it_until_it_is_settled),
        cmocka_unit_test(a_conflict_is_seen_by_who_sees_its_row_and_goes_with_it),
        cmocka_unit_test(a_settled_conflict_stays_as_history_with_the_room_and_its_authors),
        cmocka_unit_test(a_settlement_that_meets_another_edit_is_itself_merged),
        cmocka_unit_test(of_two_settlements_the_second_is_held_whole_and_says_why),
        cmocka_unit_test(what_a_rule_decided_can_be_settled_otherwise),
    };
    return cmocka_run_group_tests(tests, intake_start, intake_stop);
}
