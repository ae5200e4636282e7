/* What the hub does with a good change that meets another, and with content that is no good. */
#include "tests/lib/intake_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ------------------------------------------------------------------------------------------------- merging */

static void two_devices_edit_different_columns_and_both_stand(void **state)
{
    uint8_t c[16], p[16];
    (void)state;
    shared_case(c);
    put_person(paul, c, p);
    everybody_pulls();
    says(change(paul, "person", p, "given_names", "Ann"), VERDICT_APPLIED, NULL);
    says(change(sue, "person", p, "sex", "2"), VERDICT_APPLIED, NULL);
    text_at_hub("person", p, "given_names", "Ann");
    text_at_hub("person", p, "sex", "2");
    assert_int_equal(count_in(CONFLICTS, c), 0);
    verifies();
}

static void two_names_for_one_child_are_both_kept_until_somebody_decides(void **state)
{
    uint8_t c[16], p[16];
    (void)state;
    shared_case(c);
    put_person(paul, c, p);
    everybody_pulls();
    says(change(paul, "person", p, "given_names", "Ann"), VERDICT_APPLIED, NULL);
    says(change(sue, "person", p, "given_names", "Anne"), VERDICT_MERGED, NULL);
    text_at_hub("person", p, "given_names", "Ann");
    assert_int_equal(
        count_in("SELECT count(*) FROM conflict WHERE case_id = $1 AND state = 'open' AND kept = 'Ann' AND "
                 "lost = 'Anne' AND policy = 'escalate' AND agency = 'school' AND kept_by IS NOT NULL AND "
                 "lost_by IS NOT NULL",
                 c),
        1);
    verifies();
}

static void a_later_edit_of_the_same_person_replaces_their_own_losing_value(void **state)
{
    uint8_t c[16], p[16];
    (void)state;
    shared_case(c);
    put_person(paul, c, p);
    everybody_pulls();
    sue->has_base = true;
    memcpy(sue->base_cut, sue->cursor, 16);
    says(change(paul, "person", p, "given_names", "Ann"), VERDICT_APPLIED, NULL);
    says(change(sue, "person", p, "given_names", "Anne"), VERDICT_MERGED, NULL);
    says(change(sue, "person", p, "given_names", "Annie"), VERDICT_MERGED, NULL);
    sue->has_base = false;
    assert_int_equal(count_in(CONFLICTS, c), 1);
    assert_int_equal(count_in("SELECT count(*) FROM conflict WHERE case_id = $1 AND lost = 'Annie'", c), 1);
}

/* Nobody had both before their eyes: neither value may go. */
static void the_same_person_at_two_devices_loses_neither_value(void **state)
{
    uint8_t c[16], p[16];
    struct fake_node *other = device("school-1", "school", "Sue");
    (void)state;
    shared_case(c);
    put_person(paul, c, p);
    assert_memory_equal(other->user, sue->user, 16);
    fake_node_pull(other);
    everybody_pulls();
    says(change(paul, "person", p, "given_names", "Ann"), VERDICT_APPLIED, NULL);
    says(change(sue, "person", p, "given_names", "Anne"), VERDICT_MERGED, NULL);
    says(change(other, "person", p, "given_names", "Annie"), VERDICT_MERGED, NULL);
    assert_int_equal(
        count_in("SELECT count(*) FROM conflict WHERE case_id = $1 AND state = 'open' AND lost = 'Anne'", c), 1);
    assert_int_equal(
        count_in("SELECT count(*) FROM conflict WHERE case_id = $1 AND state = 'open' AND lost = 'Annie'", c), 1);
    fake_node_release(other);
    free(other);
}

/* Changed and changed back is still a second person's word: the cut tells, not the value. */
static void a_value_changed_and_changed_back_counts_as_moved(void **state)
{
    uint8_t c[16], p[16];
    (void)state;
    shared_case(c);
    put_person(paul, c, p);
    everybody_pulls();
    says(change_from(carla, "person", p, "family_name", "Smith", "Jones"), VERDICT_APPLIED, NULL);
    says(change_from(carla, "person", p, "family_name", "Jones", "Smith"), VERDICT_APPLIED, NULL);
    says(change_from(sue, "person", p, "family_name", "Smith", "Smyth"), VERDICT_MERGED, NULL);
    text_at_hub("person", p, "family_name", "Smith");
    assert_int_equal(count_in(CONFLICTS " AND kept = 'Smith' AND lost = 'Smyth' AND state = 'open'", c), 1);
}

static void the_graver_rating_stands_and_the_other_is_kept(void **state)
{
    uint8_t c[16];
    (void)state;
    shared_case(c);
    says(change_from(mona, "case_file", c, "rag", "green", "red"), VERDICT_APPLIED, NULL);
    hub->now += 3600000;
    says(change_from(carla, "case_file", c, "rag", "green", "amber"), VERDICT_MERGED, NULL);
    text_at_hub("case_file", c, "rag", "red");
    assert_int_equal(
        count_in("SELECT count(*) FROM conflict WHERE case_id = $1 AND state = 'ruled' AND lost = 'amber'", c), 1);
    says(change_from(carla, "case_file", c, "rag", "red", "blue"), VERDICT_APPLIED, NULL); /* who has seen red may lower it */
    text_at_hub("case_file", c, "rag", "blue");
}

static void later_wins_between_the_base_cut_and_arrival_whatever_the_clock(void **state)
{
    uint8_t c[16], p[16], k[16];
    (void)state;
    shared_case(c);
    put_person(paul, c, p);
    env_new_id(&hub->env, k);
    struct op contact = fake_new(paul, "contact", k, c);
    fake_value(&contact, "person_id", value_id(p));
    fake_value(&contact, "value", value_str("000"));
    says(send_one(paul, &contact), VERDICT_APPLIED, NULL);
    everybody_pulls();
    hub->now += 1000;
    paul->hlc = UINT64_C(9999999999999) << 16; /* a clock in the far future gains nothing */
    says(change(paul, "contact", k, "value", "111"), VERDICT_APPLIED, NULL);
    paul->hlc = 0;
    hub->now += 1000;
    says(change(sue, "contact", k, "value", "222"), VERDICT_MERGED, NULL);
    text_at_hub("contact", k, "value", "222");
    fake_node_pull(paul);
    everybody_pulls();
    hub->now += 1000;
    says(change_from(paul, "contact", k, "value", "222", "333"), VERDICT_APPLIED, NULL);
    sue->hlc = 1; /* a clock in the far past loses nothing that came before its base */
    hub->now += 1000;
    says(change(sue, "contact", k, "value", "444"), VERDICT_MERGED, NULL);
    sue->hlc = 0;
    text_at_hub("contact", k, "value", "333");
    assert_int_equal(count_in("SELECT count(*) FROM conflict WHERE case_id = $1 AND state = 'ruled'", c), 2);
}

/* The school leads; social care's manager works on it by duty. The decision is social care's, whoever is later. */
static void a_decision_is_social_cares_also_where_another_agency_leads(void **state)
{
    static const char *const members[] = {"care:contribute", "school:contribute", NULL};
    uint8_t c[16];
    (void)state;
    fake_node_pull(mona);
    fake_case(mona, c, "school", members);
    everybody_pulls();
    says(change(mona, "brief", c, "decision", "section 47"), VERDICT_APPLIED, NULL);
    hub->now += 1000;
    says(change(sue, "brief", c, "decision", "no further action"), VERDICT_MERGED, NULL);
    text_at_hub("brief", c, "decision", "section 47");
    assert_int_equal(count_in("SELECT count(*) FROM conflict WHERE case_id = $1 AND lost = 'no further action' AND "
                              "policy = 'authority' AND state = 'ruled'",
                              c),
                     1);
    says(change_from(sue, "case_file", c, "status", "new", "ready"), VERDICT_APPLIED, NULL); /* the lead's */
    says(change(carla, "case_file", c, "status", "closed"), VERDICT_HELD, "lead agency");
}

static void a_column_policy_of_this_hub_overrides_the_rules(void **state)
{
    struct why why = {0};
    uint8_t c[16], p[16];
    (void)state;
    shared_case(c);
    put_person(paul, c, p);
    everybody_pulls();
    assert_int_equal(hub_set_policy(hub->hub, "person", "sex", "lww", NULL, &why), ERR_OK);
    says(change(paul, "person", p, "sex", "1"), VERDICT_APPLIED, NULL);
    hub->now += 1000;
    says(change(sue, "person", p, "sex", "9"), VERDICT_MERGED, NULL);
    text_at_hub("person", p, "sex", "9");
    assert_int_equal(hub_set_policy(hub->hub, "person", "sex", "escalate", NULL, &why), ERR_OK);
}

static void the_same_consent_made_at_two_sites_is_one_and_the_strictest_stands(void **state)
{
    uint8_t c[16], p[16], id[16];
    (void)state;
    shared_case(c);
    put_person(paul, c, p);
    everybody_pulls();
    env_new_id(&hub->env, id);
    struct op a = fake_new(paul, "consent", id, c), b = fake_new(sue, "consent", id, c);
    fake_value(&a, "person_id", value_id(p));
    fake_value(&a, "scope", value_str("all"));
    fake_value(&a, "state", value_str("given"));
    b = a;
    b.new_[2] = value_str("school");
    fake_value(&b, "state", value_str("refused"));
    says(send_one(paul, &a), VERDICT_APPLIED, NULL);
    says(send_one(sue, &b), VERDICT_MERGED, NULL);
    text_at_hub("consent", id, "state", "refused");
    text_at_hub("consent", id, "agency", "police");
    assert_int_equal(
        count_in("SELECT count(*) FROM conflict WHERE case_id = $1 AND lost = 'given' AND agency = 'police'", c), 1);
    verifies();
}

static void a_conflict_is_settled_with_a_reason_by_who_may_write_the_column(void **state)
{
    uint8_t c[16], p[16], k[16];
    struct fake_edit e;
    (void)state;
    shared_case(c);
    put_person(paul, c, p);
    everybody_pulls();
    says(change(paul, "person", p, "given_names", "Ann"), VERDICT_APPLIED, NULL);
    says(change(sue, "person", p, "given_names", "Anne"), VERDICT_MERGED, NULL);
    everybody_pulls();
    id_of("SELECT id FROM conflict WHERE case_id = $1", c, k);
    says(change(sue, "conflict", k, "state", "settled"), VERDICT_HELD, "with a reason");
    says(change(sue, "conflict", k, "lost", "Bob"), VERDICT_HELD, "hub alone");
    fake_edit_start(&e);
    struct op name = fake_change("person", p), settle = fake_change("conflict", k);
    fake_from(&name, "given_names", value_str("Ann"), value_str("Anne"));
    fake_from(&settle, "state", value_str("open"), value_str("settled"));
    fake_value(&settle, "reason", value_str("birth certificate"));
    fake_value(&settle, "resolved_by", value_id(sue->user));
    fake_put(&e, &name);
    fake_put(&e, &settle);
    says(fake_send(sue, &e), VERDICT_APPLIED, NULL);
    text_at_hub("person", p, "given_names", "Anne");
    text_at_hub("conflict", k, "state", "settled");
    verifies();
}

/* ------------------------------------------------------------------------------------- content that is no good */

static void rubbish_is_a_fault_and_the_chain_goes_on(void **state)
{
    uint8_t c[16], p[16];
    static const uint8_t hang[] = {0x54, 0x01, 0x01};
    (void)state;
    shared_case(c);
    uint64_t first = fake_commit_raw(sue, bytes_of(hang, sizeof hang), true);
    uint64_t second = fake_commit_raw(sue, bytes_of("", 0), true);
    uint64_t third = fake_commit_raw(sue, bytes_of("Tabc", 4), false);
    fake_node_round(sue);
    says(fake_verdict_on(sue, first), VERDICT_FAULT, NULL);
    says(fake_verdict_on(sue, second), VERDICT_FAULT, NULL);
    says(fake_verdict_on(sue, third), VERDICT_FAULT, "signed");
    put_person(sue, c, p);
    assert_true(at_hub("person", p));
    assert_int_equal(count_in(HELD, c), 0);
    assert_true(fake_hub_int(hub, "SELECT count(*) FROM h_held WHERE fault = 1") >= 3);
}

/* One whole person with a family name of n bytes, or another table's name, written by hand. */
static void hand_made(struct buf *b, const char *table, const uint8_t id[16], const uint8_t case_id[16], size_t n)
{
    const struct table_rule *t = rules_table((size_t)rules_table_index(bytes_of_str("person")));
    buf_put_u8(b, 'T');
    buf_put_u8(b, (uint8_t)t->n_columns);
    for (size_t i = 0; i < t->n_columns; i++) buf_put_u8(b, i == 0);
    buf_put(b, table, strlen(table) + 1);
    buf_put_u8(b, 18);
    buf_put_u8(b, 0);
    for (size_t i = 0; i < t->n_columns; i++) {
        if (i < 2) {
            buf_put_u8(b, 4);
            buf_put_u8(b, 16);
            buf_put(b, i == 0 ? id : case_id, 16);
        } else if (i == 2) {
            buf_put(b, "\3\6school", 8);
        } else if (i == 4) {
            uint8_t size[4] = {(uint8_t)(0x80 | n >> 21), (uint8_t)(0x80 | (n >> 14 & 0x7f)),
                               (uint8_t)(0x80 | (n >> 7 & 0x7f)), n & 0x7f};
            size_t skip = n >> 21 != 0 ? 0 : 1;
            buf_put_u8(b, 3);
            buf_put(b, size + skip, 4 - skip);
            uint8_t *p = buf_grow(b, n);
            assert_non_null(p);
            memset(p, 'x', n);
        } else {
            buf_put_u8(b, 5);
        }
    }
}

static void values_over_one_mebibyte_and_unknown_tables_are_faults(void **state)
{
    uint8_t c[16], id[16];
    struct buf b;
    (void)state;
    shared_case(c);
    buf_init(&b, 8u << 20);
    env_new_id(&hub->env, id);
    hand_made(&b, "person", id, c, 2u << 20);
    uint64_t seq = fake_commit_raw(sue, buf_bytes(&b), true);
    fake_node_round(sue);
    says(fake_verdict_on(sue, seq), VERDICT_FAULT, NULL);
    buf_reset(&b);
    hand_made(&b, "sqlite_master", id, c, 20000);
    seq = fake_commit_raw(sue, buf_bytes(&b), true);
    fake_node_round(sue);
    says(fake_verdict_on(sue, seq), VERDICT_FAULT, NULL);
    buf_reset(&b);
    hand_made(&b, "person", id, c, 20000); /* the same by the same hand is good */
    seq = fake_commit_raw(sue, buf_bytes(&b), true);
    fake_node_round(sue);
    says(fake_verdict_on(sue, seq), VERDICT_APPLIED, NULL);
    buf_release(&b);
}

static void two_cases_in_one_part_are_a_fault(void **state)
{
    uint8_t c[16], d[16], p[16], q[16];
    struct fake_edit e;
    (void)state;
    shared_case(c);
    shared_case(d);
    fake_edit_start(&e);
    struct op a = fake_person(sue, p, c, "Smith"), b = fake_person(sue, q, d, "Jones");
    fake_put(&e, &a);
    fake_put(&e, &b);
    says(fake_send(sue, &e), VERDICT_FAULT, "several cases");
    put_person(sue, c, p);
    put_person(sue, d, q);
    fake_edit_start(&e);
    a = fake_change("person", p);
    b = fake_change("person", q);
    fake_value(&a, "sex", value_str("1"));
    fake_value(&b, "sex", value_str("1"));
    fake_put(&e, &a);
    fake_put(&e, &b);
    says(fake_send(sue, &e), VERDICT_FAULT, "several cases");
}

static void a_base_cut_of_another_device_is_a_fault(void **state)
{
    uint8_t c[16], p[16];
    (void)state;
    shared_case(c);
    sue->has_base = true;
    memcpy(sue->base_cut, paul->cursor, 16);
    struct op a = fake_person(sue, p, c, "Smith");
    says(send_one(sue, &a), VERDICT_FAULT, "never had");
    sue->has_base = false;
    assert_false(at_hub("person", p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_devices_edit_different_columns_and_both_stand),
        cmocka_unit_test(two_names_for_one_child_are_both_kept_until_somebody_decides),
        cmocka_unit_test(a_later_edit_of_the_same_person_replaces_their_own_losing_value),
        cmocka_unit_test(the_same_person_at_two_devices_loses_neither_value),
        cmocka_unit_test(a_value_changed_and_changed_back_counts_as_moved),
        cmocka_unit_test(the_graver_rating_stands_and_the_other_is_kept),
        cmocka_unit_test(later_wins_between_the_base_cut_and_arrival_whatever_the_clock),
        cmocka_unit_test(a_decision_is_social_cares_also_where_another_agency_leads),
        cmocka_unit_test(a_column_policy_of_this_hub_overrides_the_rules),
        cmocka_unit_test(the_same_consent_made_at_two_sites_is_one_and_the_strictest_stands),
        cmocka_unit_test(a_conflict_is_settled_with_a_reason_by_who_may_write_the_column),
        cmocka_unit_test(rubbish_is_a_fault_and_the_chain_goes_on),
        cmocka_unit_test(values_over_one_mebibyte_and_unknown_tables_are_faults),
        cmocka_unit_test(two_cases_in_one_part_are_a_fault),
        cmocka_unit_test(a_base_cut_of_another_device_is_a_fault),
    };
    return cmocka_run_group_tests(tests, intake_start, intake_stop);
}
