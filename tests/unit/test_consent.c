/* Consent, on real devices: what needs it is its owner's alone until everybody whom it is about lets it be told; and it
 * is taken back when they do so no more, but for what a recorded decision rests upon. The school's Sam writes it. */
#include "tests/lib/ends_scan.h"
#include "tests/lib/ends_share.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEN_MINUTES INT64_C(600000)

/* Everybody is up to date, and holds exactly what the hub says. */
static void everybody(void)
{
    struct ends_node *const all[] = {ann, ada, pol, pat, sam};
    ends_all_sync();
    for (size_t i = 0; i < 5; i++) ends_same(all[i]);
}

/* The room and another agency: all of them or none. */
static bool told(const uint8_t id[16])
{
    struct ends_node *const others[] = {ann, ada, pol, pat};
    everybody();
    bool first = ends_has(pol, "record", id);
    for (size_t i = 0; i < 4; i++) assert_int_equal(ends_has(others[i], "record", id), first);
    return first;
}

/* About one person, or about the subjects of the case. */
static void put_record(struct ends_node *n, const struct ends_case *k, const uint8_t *person, uint8_t id[16])
{
    env_new_id(&ends_hub->env, id);
    struct row r = ends_row(n, "record", id, k->c);
    ends_text(&r, "sensitivity", "open");
    ends_text(&r, "body", "what the nurse said");
    ends_value(&r, "needs_consent", value_int(1));
    if (person != NULL) ends_value(&r, "person_id", value_id(person));
    ends_put(n, &r);
}

static void record(struct ends_node *n, const struct ends_case *k, const uint8_t *person, uint8_t id[16])
{
    ends_begin(n);
    put_record(n, k, person, id);
    ends_send(n);
}

struct said {
    const char *scope, *state;
    int64_t until; /* 0: no end */
};

static void consent(struct ends_node *n, const struct ends_case *k, const uint8_t person[16], struct said what,
                    uint8_t id[16])
{
    (void)ends_sync(n, ERR_OK);
    env_new_id(&ends_hub->env, id);
    ends_begin(n);
    struct row r = ends_row(n, "consent", id, k->c);
    ends_value(&r, "person_id", value_id(person));
    ends_text(&r, "scope", what.scope);
    ends_text(&r, "state", what.state);
    if (what.until != 0) ends_value(&r, "expires_at", value_int(what.until));
    ends_put(n, &r);
    ends_send(n);
}

static void now_says(struct ends_node *n, const uint8_t id[16], const char *state)
{
    (void)ends_sync(n, ERR_OK);
    ends_begin(n);
    ends_set(n, "consent", id, "state", value_str(state));
    ends_send(n);
}

/* The room records what was decided. */
static void decide(const struct ends_case *k)
{
    (void)ends_sync(ann, ERR_OK);
    ends_begin(ann);
    if (ends_has(ann, "brief", k->c)) {
        ends_set(ann, "brief", k->c, "decided_at", value_int(ends_hub->now));
    } else {
        struct row r = ends_row(ann, "brief", k->c, k->c);
        ends_text(&r, "decision", "a visit");
        ends_value(&r, "decided_at", value_int(ends_hub->now));
        ends_put(ann, &r);
    }
    ends_send(ann);
}

static const struct said given = {.scope = "all", .state = "given"};

/* ------------------------------------------------------------------------------------------ who must have consented */

static void what_needs_consent_is_its_owners_alone_until_it_is_given(void **state)
{
    struct ends_case k;
    uint8_t r[16], c[16];
    (void)state;
    ends_case(&k);
    record(sam, &k, k.person, r);
    assert_false(told(r));
    assert_true(ends_has(sam, "record", r));
    consent(ann, &k, k.person, given, c);
    assert_true(told(r));
}

static void a_consent_for_one_agency_frees_what_that_agency_wrote_and_nothing_else(void **state)
{
    struct ends_case k;
    uint8_t school[16], police[16], c[16];
    (void)state;
    ends_case(&k);
    record(sam, &k, k.person, school);
    record(pol, &k, k.person, police);
    consent(ann, &k, k.person, (struct said){.scope = "school", .state = "given"}, c);
    assert_true(told(school));
    assert_false(ends_has(ann, "record", police));
    assert_false(ends_has(sam, "record", police));
    assert_true(ends_has(pat, "record", police)); /* the police's own */
}

static void of_two_people_both_must_have_consented(void **state)
{
    struct ends_case k;
    uint8_t both[16], one[16], sister[16], c[2][16];
    (void)state;
    ends_case(&k);
    ends_begin(ann);
    ends_person(ann, k.c, sister, "Smith");
    ends_send(ann);
    (void)ends_sync(sam, ERR_OK);
    record(sam, &k, NULL, both);
    record(sam, &k, k.person, one);
    consent(ann, &k, k.person, given, c[0]);
    assert_false(told(both));
    assert_true(told(one));
    consent(ann, &k, sister, given, c[1]);
    assert_true(told(both));
    now_says(ann, c[1], "refused");
    assert_false(told(both));
    assert_true(told(one));
}

static void of_several_words_the_most_protective_stands(void **state)
{
    static const char *const against[] = {"refused", "withdrawn", "not_sought"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct ends_case k;
        uint8_t r[16], c[2][16];
        ends_case(&k);
        record(sam, &k, k.person, r);
        consent(ann, &k, k.person, given, c[0]);
        assert_true(told(r));
        consent(pol, &k, k.person, (struct said){.scope = "school", .state = against[i]}, c[1]);
        assert_false(told(r));
        assert_true(ends_has(sam, "record", r));
    }
}

/* Whoever contributes may note what the family said, also in the row that another agency began. */
static void a_consent_noted_by_one_agency_may_be_ended_by_another(void **state)
{
    struct ends_case k;
    uint8_t r[16], c[16];
    (void)state;
    ends_case(&k);
    record(sam, &k, k.person, r);
    consent(pol, &k, k.person, given, c);
    assert_true(told(r));
    now_says(sam, c, "withdrawn");
    assert_false(told(r));
    now_says(ann, c, "given"); /* having heard of it */
    assert_true(told(r));
}

static void a_withdrawal_stands_against_a_consent_that_had_not_heard_of_it(void **state)
{
    struct ends_case k;
    uint8_t r[16], c[16];
    (void)state;
    ends_case(&k);
    record(sam, &k, k.person, r);
    consent(pol, &k, k.person, (struct said){.scope = "all", .state = "not_sought"}, c);
    everybody();
    (void)ends_write(pol, "consent", c, "state", "given"); /* both while away */
    now_says(sam, c, "withdrawn");
    assert_int_equal(ends_sync(pol, ERR_OK).merged, 1);
    assert_false(told(r));
    ends_shows(ann, "consent", c, "state", "withdrawn");
}

/* --------------------------------------------------------------------------------------- taken back, and what stays */

static void a_withdrawal_takes_back_what_no_decision_rests_upon(void **state)
{
    struct ends_case k;
    uint8_t before[16], after[16], c[16];
    (void)state;
    ends_case(&k);
    record(sam, &k, k.person, before);
    consent(ann, &k, k.person, given, c);
    decide(&k);
    record(sam, &k, k.person, after);
    assert_true(told(before));
    assert_true(told(after));
    now_says(sam, c, "withdrawn");
    assert_true(told(before));
    assert_false(told(after));
    assert_true(ends_has(sam, "record", after));
}

static void a_decision_that_is_recorded_anew_rests_upon_what_is_told_by_then(void **state)
{
    struct ends_case k;
    uint8_t r[16], c[16];
    (void)state;
    ends_case(&k);
    decide(&k);
    record(sam, &k, k.person, r);
    consent(ann, &k, k.person, given, c);
    decide(&k);
    now_says(sam, c, "withdrawn");
    assert_true(told(r));
}

static void a_record_that_came_with_the_decision_is_one_that_it_rests_upon(void **state)
{
    struct ends_case k;
    uint8_t r[16], c[16];
    (void)state;
    ends_case(&k);
    consent(ann, &k, k.person, given, c);
    ends_begin(ann);
    struct row b = ends_row(ann, "brief", k.c, k.c);
    ends_value(&b, "decided_at", value_int(ends_hub->now));
    ends_put(ann, &b);
    put_record(ann, &k, k.person, r);
    ends_send(ann);
    now_says(sam, c, "withdrawn");
    everybody();
    assert_true(ends_has(pol, "record", r));
    assert_true(ends_has(sam, "record", r));
}

static void no_decision_rests_upon_what_could_not_be_told(void **state)
{
    struct ends_case k;
    uint8_t r[16], other[16], c[16];
    (void)state;
    ends_case(&k);
    record(sam, &k, k.person, r);
    decide(&k); /* nobody was asked yet */
    consent(ann, &k, k.person, given, c);
    assert_true(told(r));
    now_says(sam, c, "withdrawn");
    assert_false(told(r));
    /* Nor upon what lost its consent in the very change that records the decision. */
    now_says(ann, c, "given");
    record(sam, &k, k.person, other);
    (void)ends_sync(ann, ERR_OK);
    ends_begin(ann);
    ends_set(ann, "brief", k.c, "decided_at", value_int(ends_hub->now + 1));
    ends_set(ann, "consent", c, "state", value_str("withdrawn"));
    ends_send(ann);
    assert_false(told(r));
    assert_false(told(other));
}

static void another_case_decided_keeps_nothing_here(void **state)
{
    struct ends_case here, there;
    uint8_t r[16], c[16];
    (void)state;
    ends_case(&here);
    ends_case(&there);
    record(sam, &here, here.person, r);
    consent(ann, &here, here.person, given, c);
    ends_begin(ann); /* one change in both cases: a summary here, a decision there */
    struct row a = ends_row(ann, "brief", here.c, here.c), b = ends_row(ann, "brief", there.c, there.c);
    ends_text(&a, "summary", "as told");
    ends_value(&b, "decided_at", value_int(ends_hub->now));
    ends_put(ann, &a);
    ends_put(ann, &b);
    ends_send(ann);
    assert_true(told(r));
    now_says(sam, c, "withdrawn");
    assert_false(told(r));
}

static void a_refusal_takes_back_also_what_a_decision_rests_upon(void **state)
{
    static const char *const against[] = {"refused", "not_sought"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct ends_case k;
        uint8_t r[16], c[16];
        ends_case(&k);
        record(sam, &k, k.person, r);
        consent(ann, &k, k.person, given, c);
        decide(&k);
        assert_true(told(r));
        now_says(sam, c, against[i]);
        assert_false(told(r));
        now_says(sam, c, "withdrawn"); /* which would have kept it */
        assert_true(told(r));
    }
}

static void a_consent_that_ends_takes_back_also_what_a_decision_rests_upon(void **state)
{
    static const char *const meanwhile[] = {"given", "withdrawn"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct ends_case k;
        uint8_t r[16], c[16];
        ends_case(&k);
        record(sam, &k, k.person, r);
        consent(ann, &k, k.person,
                (struct said){.scope = "all", .state = "given", .until = ends_hub->now + 2 * TEN_MINUTES}, c);
        decide(&k);
        if (i == 1) now_says(sam, c, meanwhile[i]);
        assert_true(told(r));
        ends_hub->now += 3 * TEN_MINUTES;
        assert_false(told(r));
        assert_true(ends_has(sam, "record", r));
    }
}

/* --------------------------------------------------------------------------------------------------------- override */

static void override_it(struct ends_node *n, const uint8_t id[16], const char *reason)
{
    (void)ends_sync(n, ERR_OK);
    ends_begin(n);
    ends_set(n, "record", id, "override_at", value_int(ends_hub->now));
    ends_set(n, "record", id, "override_by", value_id(n->user));
    if (reason != NULL) ends_set(n, "record", id, "override_reason", value_str(reason));
    (void)ends_commit(n);
}

static void its_owner_overrides_record_by_record_and_says_why(void **state)
{
    struct ends_case k;
    uint8_t r[16], other[16], c[16];
    (void)state;
    ends_case(&k);
    record(sam, &k, k.person, r);
    record(sam, &k, k.person, other);
    consent(ann, &k, k.person, (struct said){.scope = "all", .state = "refused"}, c);
    override_it(sam, r, NULL);
    assert_int_equal(ends_sync(sam, ERR_OK).applied, 1);
    assert_false(told(r)); /* without a reason it is none */
    (void)ends_write(sam, "record", r, "override_reason", "at risk tonight");
    assert_int_equal(ends_sync(sam, ERR_OK).applied, 1);
    assert_true(told(r));
    assert_false(told(other));
}

static void nobody_but_its_owner_overrides(void **state)
{
    struct ends_case k;
    struct ends_node *const others[] = {pol, ann};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        uint8_t r[16], c[16];
        ends_case(&k);
        record(sam, &k, k.person, r);
        consent(ann, &k, k.person, given, c);
        assert_true(told(r));
        override_it(others[i], r, "we should keep this");
        assert_int_equal(ends_sync(others[i], ERR_OK).held, 1);
        now_says(sam, c, "withdrawn");
        assert_false(told(r));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_needs_consent_is_its_owners_alone_until_it_is_given),
        cmocka_unit_test(a_consent_for_one_agency_frees_what_that_agency_wrote_and_nothing_else),
        cmocka_unit_test(of_two_people_both_must_have_consented),
        cmocka_unit_test(of_several_words_the_most_protective_stands),
        cmocka_unit_test(a_consent_noted_by_one_agency_may_be_ended_by_another),
        cmocka_unit_test(a_withdrawal_stands_against_a_consent_that_had_not_heard_of_it),
        cmocka_unit_test(a_withdrawal_takes_back_what_no_decision_rests_upon),
        cmocka_unit_test(a_decision_that_is_recorded_anew_rests_upon_what_is_told_by_then),
        cmocka_unit_test(a_record_that_came_with_the_decision_is_one_that_it_rests_upon),
        cmocka_unit_test(no_decision_rests_upon_what_could_not_be_told),
        cmocka_unit_test(another_case_decided_keeps_nothing_here),
        cmocka_unit_test(a_refusal_takes_back_also_what_a_decision_rests_upon),
        cmocka_unit_test(a_consent_that_ends_takes_back_also_what_a_decision_rests_upon),
        cmocka_unit_test(its_owner_overrides_record_by_record_and_says_why),
        cmocka_unit_test(nobody_but_its_owner_overrides),
    };
    return cmocka_run_group_tests(tests, ends_start, ends_stop);
}
