/* What the hub does not take in; and what its refusals never let anybody find out. */
#include "hub/draft.h"
#include "tests/lib/intake_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* --------------------------------------------------------------------------------------------- refusals: held */

static void columns_that_never_change_are_held(void **state)
{
    uint8_t c[16], p[16];
    (void)state;
    shared_case(c);
    put_person(sue, c, p);
    struct op theirs = fake_change("person", p);
    fake_from(&theirs, "agency", value_str("school"), value_str("police"));
    says(send_one(sue, &theirs), VERDICT_HELD, "never changes");
    says(change(sue, "case_file", c, "reference", "X"), VERDICT_HELD, "never changes");
    text_at_hub("person", p, "agency", "school");
    struct op a = fake_change("person", p);
    fake_from(&a, "case_id", value_id(c), value_id(p));
    says(send_one(sue, &a), VERDICT_HELD, "never changes");
}

static void reference_data_is_the_hubs_alone(void **state)
{
    uint8_t id[16];
    (void)state;
    everybody_pulls();
    env_new_id(&hub->env, id);
    struct op a = fake_new(mona, "agency", id, id);
    fake_value(&a, "code", value_str("spies"));
    says(send_one(mona, &a), VERDICT_HELD, "hub alone");
    assert_false(at_hub("agency", id));
    id_of("SELECT id FROM site WHERE id <> $1", id, id);
    says(change(mona, "site", id, "kind", "mash"), VERDICT_HELD, "hub alone");
}

static void nobody_writes_in_another_agencys_name(void **state)
{
    uint8_t c[16], p[16];
    (void)state;
    shared_case(c);
    struct op a = fake_person(sue, p, c, "Smith");
    a.new_[2] = value_str("police");
    says(send_one(sue, &a), VERDICT_HELD, "another agency");
}

static void another_agencys_record_and_the_leads_columns_are_refused(void **state)
{
    uint8_t c[16], r[16], p[16];
    (void)state;
    shared_case(c);
    struct op rec = new_record(paul, r, c, "open");
    says(send_one(paul, &rec), VERDICT_APPLIED, NULL);
    everybody_pulls();
    says(change(sue, "record", r, "body", "nothing happened"), VERDICT_HELD, "wrote this");
    says(change(sue, "case_file", c, "status", "closed"), VERDICT_HELD, "lead agency");
    says(change(carla, "case_file", c, "area", "south"), VERDICT_HELD, "duty");
    struct op part = part_of(sue, p, c, "probation", "contribute");
    says(send_one(sue, &part), VERDICT_HELD, "who takes part");
    says(change(carla, "case_file", c, "status", "gathering"), VERDICT_APPLIED, NULL);
    says(change(mona, "case_file", c, "restricted", NULL), VERDICT_APPLIED, NULL);
}

static void check_answers_and_records_view_does_neither(void **state)
{
    static const char *const members[] = {"police:check", "school:view", NULL};
    uint8_t c[16], id[16], q[16], r[16];
    struct fake_edit e;
    (void)state;
    fake_node_pull(carla);
    fake_case(carla, c, "care", members);
    everybody_pulls();
    struct op a = fake_person(paul, id, c, "Smith");
    says(send_one(paul, &a), VERDICT_HELD, "take part");
    struct op rec = new_record(paul, r, c, "open");
    says(send_one(paul, &rec), VERDICT_APPLIED, NULL);
    rec = new_record(sue, r, c, "open");
    says(send_one(sue, &rec), VERDICT_HELD, "take part");
    env_new_id(&hub->env, q);
    fake_edit_start(&e);
    struct op ask = fake_new(carla, "request", q, c);
    fake_value(&ask, "to_agency", value_str("police"));
    fake_value(&ask, "question", value_str("Known?"));
    fake_value(&ask, "state", value_str("open"));
    fake_put(&e, &ask);
    says(fake_send(carla, &e), VERDICT_APPLIED, NULL);
    everybody_pulls();
    says(change(carla, "request", q, "result", "known"), VERDICT_HELD, "sent to");
    says(change(paul, "request", q, "result", "known"), VERDICT_APPLIED, NULL);
    says(change(paul, "request", q, "question", "Another?"), VERDICT_HELD, "wrote this");
    says(change(carla, "request", q, "state", "cancelled"), VERDICT_APPLIED, NULL);
}

static void a_record_does_not_betray_the_request_that_it_answers(void **state)
{
    uint8_t c[16], q[16], r[16];
    struct fake_edit e;
    (void)state;
    shared_case(c);
    env_new_id(&hub->env, q);
    struct op ask = fake_new(carla, "request", q, c);
    fake_value(&ask, "to_agency", value_str("police"));
    fake_value(&ask, "state", value_str("open"));
    fake_edit_start(&e);
    fake_put(&e, &ask);
    says(fake_send(carla, &e), VERDICT_APPLIED, NULL);
    everybody_pulls();
    assert_true(fake_node_got(paul, "request", q) && !fake_node_got(sue, "request", q));
    struct op rec = new_record(paul, r, c, "open");
    fake_value(&rec, "request_id", value_id(q));
    says(send_one(paul, &rec), VERDICT_HELD, "the request it answers");
    everybody_pulls();
    assert_false(fake_node_got(sue, "record", r));
    assert_int_equal(count_in("SELECT count(*) FROM record WHERE request_id = $1", q), 0);
    verifies();
}

static void view_acknowledges_feedback(void **state)
{
    static const char *const members[] = {"school:view", NULL};
    uint8_t c[16], f[16];
    (void)state;
    fake_node_pull(carla);
    fake_case(carla, c, "care", members);
    env_new_id(&hub->env, f);
    struct op back = fake_new(carla, "feedback", f, c);
    fake_value(&back, "to_agency", value_str("school"));
    fake_value(&back, "body", value_str("Thank you"));
    says(send_one(carla, &back), VERDICT_APPLIED, NULL);
    everybody_pulls();
    struct op ack = fake_change("feedback", f);
    fake_value(&ack, "ack_by", value_id(sue->user));
    fake_value(&ack, "ack_at", value_int(hub->now));
    says(send_one(sue, &ack), VERDICT_APPLIED, NULL);
}

static void who_contributes_may_ask_and_so_bring_in_whom_they_ask(void **state)
{
    static const char *const members[] = {"school:contribute", NULL};
    uint8_t c[16], p[16], q[16];
    struct fake_edit e;
    (void)state;
    fake_node_pull(carla);
    fake_case(carla, c, "care", members);
    everybody_pulls();
    for (int asked = 0; asked < 2; asked++) {
        fake_edit_start(&e);
        struct op part = part_of(sue, p, c, "police", "check");
        fake_put(&e, &part);
        env_new_id(&hub->env, q);
        struct op ask = fake_new(sue, "request", q, c);
        fake_value(&ask, "to_agency", value_str(asked ? "police" : "probation"));
        fake_put(&e, &ask);
        says(fake_send(sue, &e), asked ? VERDICT_APPLIED : VERDICT_HELD, NULL);
    }
    fake_node_pull(paul);
    fake_node_round(paul);
}

/* ----------------------------------------------------------------------------- what must not be told apart */

static void a_hidden_row_and_a_row_that_is_not_there_get_the_same_words(void **state)
{
    uint8_t c[16], r[16], nowhere[16];
    char words[320];
    (void)state;
    shared_case(c);
    struct op rec = new_record(paul, r, c, "restricted");
    says(send_one(paul, &rec), VERDICT_APPLIED, NULL);
    everybody_pulls();
    env_new_id(&hub->env, nowhere);
    const struct fake_verdict *v = change(sue, "record", nowhere, "body", "x");
    says(v, VERDICT_HELD, REASON_UNKNOWN);
    (void)snprintf(words, sizeof words, "%s", v->reason);
    v = change(sue, "record", r, "body", "x");
    says(v, VERDICT_HELD, NULL);
    assert_string_equal(v->reason, words);
    rec = new_record(sue, nowhere, c, "open"); /* an INSERT of an id that is hidden */
    rec.new_[0] = value_id(r);
    v = send_one(sue, &rec);
    says(v, VERDICT_HELD, NULL);
    assert_string_equal(v->reason, words);
}

static void a_hidden_case_and_no_case_get_the_same_words_and_no_held_row(void **state)
{
    static const char *const none[] = {NULL};
    uint8_t c[16], nowhere[16], p[16];
    char words[320];
    (void)state;
    fake_node_pull(carla);
    fake_case(carla, c, "care", none);
    everybody_pulls();
    env_new_id(&hub->env, nowhere);
    struct op a = fake_person(sue, p, nowhere, "Smith");
    const struct fake_verdict *v = send_one(sue, &a);
    says(v, VERDICT_HELD, REASON_UNKNOWN);
    (void)snprintf(words, sizeof words, "%s", v->reason);
    size_t rows = sue->n_rows;
    a = fake_person(sue, p, c, "Smith");
    v = send_one(sue, &a);
    says(v, VERDICT_HELD, NULL);
    assert_string_equal(v->reason, words);
    assert_int_equal(sue->n_rows, rows);
    assert_int_equal(count_in(HELD, c), 0);
    struct op file = fake_new(sue, "case_file", c, c); /* making it again */
    fake_value(&file, "area", value_str("north"));
    v = send_one(sue, &file);
    says(v, VERDICT_HELD, NULL);
    assert_string_equal(v->reason, words);
    verifies();
}

static void rows_and_parents_of_another_case_are_unknown(void **state)
{
    uint8_t c[16], d[16], p[16], w[16];
    (void)state;
    shared_case(c);
    shared_case(d);
    put_person(sue, c, p);
    env_new_id(&hub->env, w);
    struct op warn = fake_new(sue, "warning", w, d);
    fake_value(&warn, "person_id", value_id(p));
    says(send_one(sue, &warn), VERDICT_HELD, REASON_UNKNOWN);
    fake_value(&warn, "person_id", value_id(w));
    says(send_one(sue, &warn), VERDICT_HELD, REASON_UNKNOWN);
    struct op again = fake_person(sue, w, d, "Smith");
    again.new_[0] = value_id(p);
    says(send_one(sue, &again), VERDICT_HELD, REASON_UNKNOWN);
}

/* Rule 4: it holds what it sent, so it is told to forget it in the very answer. */
static void a_row_accepted_from_a_site_that_may_not_see_it_is_dropped_there(void **state)
{
    struct fake_node *far = device("probation-1", "probation", "Pat");
    uint8_t c[16], part[16];
    struct fake_edit e;
    (void)state;
    fake_node_pull(far);
    env_new_id(&hub->env, c);
    fake_edit_start(&e);
    struct op file = fake_new(far, "case_file", c, c), own = part_of(far, part, c, "probation", "contribute");
    fake_value(&file, "area", value_str("north")); /* where its site has nothing to do */
    fake_value(&file, "lead_agency", value_str("care"));
    fake_put(&e, &file);
    fake_put(&e, &own);
    says(fake_send(far, &e), VERDICT_APPLIED, NULL);
    assert_int_equal(far->n_drops, 2);
    assert_int_equal(far->n_rows, 0);
    verifies();
    fake_node_release(far);
    free(far);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_that_never_change_are_held),
        cmocka_unit_test(reference_data_is_the_hubs_alone),
        cmocka_unit_test(nobody_writes_in_another_agencys_name),
        cmocka_unit_test(another_agencys_record_and_the_leads_columns_are_refused),
        cmocka_unit_test(check_answers_and_records_view_does_neither),
        cmocka_unit_test(a_record_does_not_betray_the_request_that_it_answers),
        cmocka_unit_test(view_acknowledges_feedback),
        cmocka_unit_test(who_contributes_may_ask_and_so_bring_in_whom_they_ask),
        cmocka_unit_test(a_hidden_row_and_a_row_that_is_not_there_get_the_same_words),
        cmocka_unit_test(a_hidden_case_and_no_case_get_the_same_words_and_no_held_row),
        cmocka_unit_test(rows_and_parents_of_another_case_are_unknown),
        cmocka_unit_test(a_row_accepted_from_a_site_that_may_not_see_it_is_dropped_there),
    };
    return cmocka_run_group_tests(tests, intake_start, intake_stop);
}
