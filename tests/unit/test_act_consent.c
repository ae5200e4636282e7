/* Consent, what waits for it, and telling without it. */
#include "tests/lib/act_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define USER   "03030303-0303-0303-0303-030303030303"
#define DAY_MS 86400000

static int64_t now(const struct act_world *a)
{
    return env_now(&a->w.env);
}

/* ---------------------------------------------------------------------------------------------------- consent */
static struct act_consent saying(struct act_world *a, int person, const char *state, const char *scope)
{
    return (struct act_consent){.case_id = a->id[CASE], .person = a->id[person], .state = state, .scope = scope};
}

static enum err say(struct act_world *a, const struct act_consent *in, uint8_t id[16])
{
    return act_consent(a->n, in, id, &a->why);
}

static void consent_is_one_row_for_person_and_scope_whoever_notes_it(void **state)
{
    struct act_world a;
    uint8_t first[16], second[16], other[16], derived[16];
    (void)state;
    act_world_new(&a);
    const struct bytes parts[] = {bytes_of(a.id[CASE], 16), bytes_of(a.id[CHILD], 16), bytes_of_str("health")};
    act_derived_id(derived, "spoke/consent/1", parts, 3);
    struct act_consent in = saying(&a, CHILD, "given", "health");
    in.told_at = now(&a) - DAY_MS;
    in.until = now(&a) + DAY_MS;
    in.reason = "Mother, by telephone";
    act_done(&a, say(&a, &in, first));
    assert_memory_equal(first, derived, 16); /* another site makes the same */
    act_is_text(&a, "consent", first, "state", "given");
    act_is_text(&a, "consent", first, "reason", "Mother, by telephone");
    in = saying(&a, CHILD, "withdrawn", "health");
    act_done(&a, say(&a, &in, second));
    assert_memory_equal(first, second, 16);
    act_is_text(&a, "consent", first, "state", "withdrawn");
    act_is_text(&a, "consent", first, "expires_at", ""); /* belonged to what was given */
    act_is_text(&a, "consent", first, "reason", "");
    assert_int_equal(mock_ask(a.n, "SELECT count(*) FROM consent WHERE told_at IS NOT NULL"), 1); /* they stay told */
    in = saying(&a, CHILD, "refused", "all");
    act_done(&a, say(&a, &in, other));
    assert_true(memcmp(first, other, 16) != 0);
    act_world_free(&a);
}

static void consent_that_would_bear_on_nothing_is_refused(void **state)
{
    struct act_world a;
    uint8_t id[16];
    (void)state;
    act_world_new(&a);
    struct act_consent in = saying(&a, CHILD, "given", "helth");
    act_refused(&a, say(&a, &in, id), ERR_NOTFOUND, "code of no agency");
    in = saying(&a, CHILD, "given", NULL);
    act_refused(&a, say(&a, &in, id), ERR_USAGE, "whose records");
    in = saying(&a, OTHER_CHILD, "given", "all");
    act_refused(&a, say(&a, &in, id), ERR_USAGE, "another case");
    in = saying(&a, FIRST_FREE, "given", "all");
    act_refused(&a, say(&a, &in, id), ERR_NOTFOUND, "no person");
    in = saying(&a, CHILD, "given", "all");
    in.until = now(&a) - 1;
    act_refused(&a, say(&a, &in, id), ERR_USAGE, "past");
    in = saying(&a, CHILD, "given", "all");
    in.told_at = now(&a) + DAY_MS;
    act_refused(&a, say(&a, &in, id), ERR_USAGE, "still to come");
    act_world_free(&a);
}

static void consent_not_sought_needs_its_reason(void **state)
{
    struct act_world a;
    uint8_t id[16];
    (void)state;
    act_world_new(&a);
    struct act_consent in = saying(&a, CHILD, "not_sought", "all");
    act_refused(&a, say(&a, &in, id), ERR_USAGE, "why consent was not sought");
    in.reason = "Asking would put her at risk";
    act_done(&a, say(&a, &in, id));
    act_is_text(&a, "consent", id, "reason", "Asking would put her at risk");
    act_world_free(&a);
}

static void nobody_consents_for_an_adult_who_lacks_the_capacity(void **state)
{
    struct act_world a;
    uint8_t id[16];
    (void)state;
    act_world_new(&a);
    struct act_consent in = saying(&a, ADULT, "given", "all");
    in.capacity = "lacks";
    act_refused(&a, say(&a, &in, id), ERR_DENIED, "lacks the capacity");
    in.capacity = "has";
    act_done(&a, say(&a, &in, id));
    act_is_text(&a, "consent", id, "capacity", "has");
    in = saying(&a, CHILD, "given", "all"); /* a child's parent consents */
    in.capacity = "lacks";
    act_done(&a, say(&a, &in, id));
    act_world_free(&a);
}

/* What was noted of the capacity stands until somebody says otherwise. */
static void who_lacked_the_capacity_before_consents_only_when_it_is_said_that_he_has_it(void **state)
{
    struct act_world a;
    uint8_t id[16];
    (void)state;
    act_world_new(&a);
    struct act_consent in = saying(&a, ADULT, "refused", "all");
    in.capacity = "lacks";
    act_done(&a, say(&a, &in, id));
    in = saying(&a, ADULT, "given", "all");
    act_refused(&a, say(&a, &in, id), ERR_DENIED, "noted before that this adult lacks the capacity");
    in.scope = "health"; /* his capacity is the same, whoever's records it is about */
    act_refused(&a, say(&a, &in, id), ERR_DENIED, "noted before that this adult lacks the capacity");
    in.capacity = "has";
    act_done(&a, say(&a, &in, id));
    in = saying(&a, ADULT, "given", "all"); /* the row would say "lacks" and "given" in one */
    act_refused(&a, say(&a, &in, id), ERR_DENIED, "noted before that this adult lacks the capacity");
    in.capacity = "has";
    act_done(&a, say(&a, &in, id));
    in = saying(&a, ADULT, "withdrawn", "all");
    act_done(&a, say(&a, &in, id));
    act_world_free(&a);
}

static void consent_taken_back_as_a_mistake_can_be_noted_again(void **state)
{
    struct act_world a;
    uint8_t id[16], again[16];
    (void)state;
    act_world_new(&a);
    struct act_consent in = saying(&a, CHILD, "given", "all");
    act_done(&a, say(&a, &in, id));
    act_done(&a, act_void(a.n, "consent", id, "Wrong child", &a.why));
    act_done(&a, say(&a, &in, again));
    assert_memory_equal(id, again, 16);
    act_is_text(&a, "consent", id, "voided_at", "");
    act_is_text(&a, "consent", id, "void_reason", "");
    act_world_free(&a);
}

/* ------------------------------------------------------------------------------------ what nobody else can see */
struct counted {
    int needing, waiting;
    uint8_t first[16];
};

static enum err count(void *ctx, const struct act_needing *r, struct why *why)
{
    struct counted *c = ctx;
    (void)why;
    if (c->needing++ == 0) memcpy(c->first, r->id, 16);
    c->waiting += r->waits;
    return ERR_OK;
}

static void waits(struct act_world *a, int needing, int waiting)
{
    struct counted c = {0};
    assert_int_equal(act_needing(a->n, a->id[CASE], count, &c, NULL), ERR_OK);
    assert_int_equal(c.needing, needing);
    assert_int_equal(c.waiting, waiting);
}

static void an_own_record_waits_until_everybody_it_is_about_consents(void **state)
{
    struct act_world a;
    uint8_t id[16];
    (void)state;
    act_world_new(&a);
    waits(&a, 1, 1); /* neither the restricted, nor the voided, nor another agency's */
    struct act_consent in = saying(&a, ADULT, "given", "all");
    act_done(&a, say(&a, &in, id));
    waits(&a, 1, 1); /* another person's */
    in = saying(&a, CHILD, "given", "police");
    act_done(&a, say(&a, &in, id));
    waits(&a, 1, 1); /* another agency's records */
    in = saying(&a, CHILD, "given", "health");
    in.until = now(&a) + DAY_MS;
    act_done(&a, say(&a, &in, id));
    waits(&a, 1, 0);
    in = saying(&a, CHILD, "refused", "all"); /* the most protective stands */
    act_done(&a, say(&a, &in, id));
    waits(&a, 1, 1);
    act_world_free(&a);
}

static void a_record_about_the_case_waits_for_all_its_subjects(void **state)
{
    struct act_world a;
    uint8_t id[16];
    enum act_sight sight = ACT_ALL;
    (void)state;
    act_world_new(&a);
    assert_int_equal(node_edit_begin(a.n, NULL), ERR_OK);
    const struct table_rule *t = rules_table((size_t)rules_table_index(bytes_of_str("record")));
    size_t needs = (size_t)rules_column_index(t, bytes_of_str("needs_consent"));
    assert_int_equal(db_row_set(node_db(a.n), t, a.id[OPEN_RECORD], needs, value_int(1), NULL), ERR_OK);
    assert_int_equal(node_edit_commit(a.n, "needs consent", &(uint64_t){0}, NULL), ERR_OK);
    act_mark(&a);
    struct act_consent in = saying(&a, CHILD, "given", "all");
    act_done(&a, say(&a, &in, id));
    assert_int_equal(act_record_sight(a.n, a.id[OPEN_RECORD], &sight, NULL), ERR_OK);
    assert_int_equal(sight, ACT_NOBODY_CONSENT);
    in = saying(&a, ADULT, "given", "all");
    act_done(&a, say(&a, &in, id));
    assert_int_equal(act_record_sight(a.n, a.id[OPEN_RECORD], &sight, NULL), ERR_OK);
    assert_int_equal(sight, ACT_ALL);
    act_world_free(&a);
}

static void an_override_tells_one_own_record_with_its_reason(void **state)
{
    struct act_world a;
    enum act_sight sight = ACT_ALL;
    (void)state;
    act_world_new(&a);
    act_refused(&a, act_override(a.n, a.id[WAITING_RECORD], "", &a.why), ERR_USAGE, "Say why");
    act_refused(&a, act_override(a.n, a.id[POLICE_RECORD], "risk", &a.why), ERR_DENIED, "Only its owner");
    act_refused(&a, act_override(a.n, a.id[OPEN_RECORD], "risk", &a.why), ERR_DENIED, "does not wait for consent");
    act_refused(&a, act_override(a.n, a.id[VOID_RECORD], "risk", &a.why), ERR_DENIED, "mistake");
    act_done(&a, act_override(a.n, a.id[WAITING_RECORD], "Injury, child under 1", &a.why));
    act_is_text(&a, "record", a.id[WAITING_RECORD], "override_reason", "Injury, child under 1");
    act_is_text(&a, "record", a.id[WAITING_RECORD], "override_by", USER);
    assert_int_equal(act_record_sight(a.n, a.id[WAITING_RECORD], &sight, NULL), ERR_OK);
    assert_int_equal(sight, ACT_ALL);
    waits(&a, 1, 0);
    act_refused(&a, act_override(a.n, a.id[WAITING_RECORD], "again", &a.why), ERR_EXISTS, "already");
    act_done(&a, act_override(a.n, a.id[OWN_RECORD], "risk", &a.why)); /* restricted it stays */
    assert_int_equal(act_record_sight(a.n, a.id[OWN_RECORD], &sight, NULL), ERR_OK);
    assert_int_equal(sight, ACT_NOBODY_RESTRICTED);
    act_world_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(consent_is_one_row_for_person_and_scope_whoever_notes_it),
        cmocka_unit_test(consent_that_would_bear_on_nothing_is_refused),
        cmocka_unit_test(consent_not_sought_needs_its_reason),
        cmocka_unit_test(nobody_consents_for_an_adult_who_lacks_the_capacity),
        cmocka_unit_test(who_lacked_the_capacity_before_consents_only_when_it_is_said_that_he_has_it),
        cmocka_unit_test(consent_taken_back_as_a_mistake_can_be_noted_again),
        cmocka_unit_test(an_own_record_waits_until_everybody_it_is_about_consents),
        cmocka_unit_test(a_record_about_the_case_waits_for_all_its_subjects),
        cmocka_unit_test(an_override_tells_one_own_record_with_its_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
