/* What these acts write is what a real hub takes in: a whole referral by a partner, answers by one who only checks;
 * and what the device foretold to be held is held. */
#include "tests/lib/two_ends_world.h"

#include "node/act_answers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void must(enum err e, const struct why *why)
{
    if (e != ERR_OK) print_error("%s: %s\n", err_word(e), why->text);
    assert_int_equal(e, ERR_OK);
}

/* A referral by the police, at the hub and in the MASH room. */
static void referral(struct act_case_opened *o)
{
    static const struct act_newcomer people[] = {
        {.who = {.family_name = "Pritchard", .given_names = "Ada", .born_on = "2024-02-03", .nhs = "9434765919"},
         .address = "1 Example Street",
         .consent = "not_sought",
         .consent_reason = "Asking would put the child at risk"},
        {.who = {.role = "parent", .given_names = "Eve"}, .phone = "01632 960001", .consent = "given"},
    };
    const struct act_case in = {.area = "north",
                                .source = "6",
                                .external_ref = "P-1",
                                .primary_need = "N1",
                                .summary = "Seen alone at night",
                                .rag = "red",
                                .rag_reason = "Injured",
                                .people = people,
                                .n_people = 2};
    struct why why = {0};
    must(act_case_new(pol->n, &in, o, &why), &why);
    struct round_result r = ends_sync(pol, ERR_OK);
    assert_int_equal(r.applied, 1);
    assert_int_equal(r.held + r.merged + r.fault + r.waits, 0);
}

static void a_partner_s_whole_referral_is_taken_in_and_reaches_the_mash_room(void **state)
{
    struct act_case_opened o;
    (void)state;
    referral(&o);
    assert_true(o.mash);
    assert_true(o.due_at > 0);
    (void)ends_sync(ann, ERR_OK);
    ends_shows(ann, "case_file", o.id, "lead_agency", "care");
    assert_int_equal(ends_count("SELECT count(*) FROM person WHERE case_id = $1", o.id), 2);
    assert_int_equal(ends_count("SELECT count(*) FROM consent WHERE case_id = $1", o.id), 2);
    assert_int_equal(ends_count("SELECT count(*) FROM contact WHERE case_id = $1", o.id), 2);
    assert_int_equal(ends_count("SELECT count(*) FROM identifier WHERE case_id = $1", o.id), 1);
    assert_int_equal(ends_count("SELECT count(*) FROM rating WHERE case_id = $1 AND stage = 'initial'", o.id), 1);
    ends_same(pol);
    ends_same(ann);
}

static void no_fault(void *ctx, unsigned line, const char *message)
{
    (void)ctx;
    print_error("line %u: %s\n", line, message);
    fail();
}

static void who_only_checks_answers_from_a_sheet_with_records(void **state)
{
    struct act_case_opened o;
    struct act_request_sent sent;
    struct act_answers_done done;
    struct buf form, sheet;
    struct why why = {0};
    char id[37];
    (void)state;
    referral(&o);
    const struct act_request q = {.case_id = o.id, .to_agency = "school", .question = "Any absences?"};
    must(act_request_send(pol->n, &q, &sent, &why), &why);
    assert_true(sent.brought_in);
    assert_int_equal(ends_sync(pol, ERR_OK).applied, 1);
    (void)ends_sync(sam, ERR_OK);
    buf_init(&form, 1 << 16);
    buf_init(&sheet, 1 << 16);
    must(act_answers_form(sam->n, &form, &why), &why);
    uuid_format(sent.id, id);
    assert_non_null(strstr(buf_cstr(&form), id));
    buf_printf(&sheet, "request,result,title,body,sensitivity\n%s,known,Attendance,\"Absent, often\",sensitive\n", id);
    must(act_answers(sam->n, buf_bytes(&sheet), no_fault, NULL, &done, &why), &why);
    assert_int_equal(done.answered + done.records, 2);
    struct round_result r = ends_sync(sam, ERR_OK);
    assert_int_equal(r.applied, 1);
    assert_int_equal(r.held, 0);
    (void)ends_sync(ann, ERR_OK);
    (void)ends_sync(pol, ERR_OK);
    ends_shows(pol, "request", sent.id, "result", "known");
    assert_int_equal(ends_count("SELECT count(*) FROM record WHERE case_id = $1 AND agency = 'school'", o.id), 1);
    ends_same(sam);
    ends_same(pol);
    ends_same(ann);
    buf_release(&form);
    buf_release(&sheet);
}

static void share_with_probation(struct ends_node *who, const struct ends_case *k, bool want_held)
{
    uint8_t id[1][16];
    bool held = !want_held;
    struct why why = {0};
    const struct act_share sh = {
        .cases = (const uint8_t(*)[16])k->c, .n_cases = 1, .agency = "probation", .access = "view"};
    must(act_case_share(who->n, &sh, id, &held, &why), &why);
    assert_int_equal(held, want_held);
    struct round_result r = ends_sync(who, ERR_OK);
    assert_int_equal(r.held, want_held);
    assert_int_equal(r.applied, !want_held);
}

static void what_is_foretold_to_be_held_is_held_and_nothing_else(void **state)
{
    struct ends_case k;
    struct act_notes notes;
    struct why why = {0};
    bool held = false;
    (void)state;
    ends_case(&k);
    share_with_probation(pol, &k, true);
    share_with_probation(ann, &k, false);
    const struct act_change status = {"status", value_str("gathering")}, restricted = {"restricted", value_int(1)};
    must(act_case_set(ada->n, k.c, &status, 1, &held, &notes, &why), &why); /* of the lead agency */
    assert_false(held);
    assert_int_equal(ends_sync(ada, ERR_OK).applied, 1);
    must(act_case_set(ada->n, k.c, &restricted, 1, &held, &notes, &why), &why); /* for those on duty alone */
    assert_true(held);
    assert_int_equal(ends_sync(ada, ERR_OK).held, 1);
    (void)ends_sync(sam, ERR_OK);
    must(act_case_set(sam->n, k.c, &status, 1, &held, &notes, &why), &why); /* says what stands already: no change */
    const struct act_change closed = {"status", value_str("closed")};
    must(act_case_set(sam->n, k.c, &closed, 1, &held, &notes, &why), &why);
    assert_true(held);
    assert_int_equal(ends_sync(sam, ERR_OK).held, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_partner_s_whole_referral_is_taken_in_and_reaches_the_mash_room),
        cmocka_unit_test(who_only_checks_answers_from_a_sheet_with_records),
        cmocka_unit_test(what_is_foretold_to_be_held_is_held_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, ends_start, ends_stop);
}
