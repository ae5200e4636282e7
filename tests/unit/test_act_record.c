/* What an agency contributes: who wrote it, when, who sees it, and what is refused. */
#include "tests/lib/act_world.h"

#include "node/act_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define USER    "03030303-0303-0303-0303-030303030303"
#define HOUR_MS INT64_C(3600000)

static struct act_record usual(struct act_world *a)
{
    return (struct act_record){.case_id = a->id[CASE],
                               .kind = "visit",
                               .title = "Home visit",
                               .body = bytes_of_str("Seen with mother."),
                               .handling = "By hand"};
}

static enum err add(struct act_world *a, const struct act_record *in, uint8_t id[16], enum act_sight *sight)
{
    return act_record_add(a->n, in, id, sight, &a->why);
}

static void a_record_says_who_wrote_it_and_when_it_happened(void **state)
{
    struct act_world a;
    uint8_t id[16];
    char got[256];
    enum act_sight sight = ACT_ROOM;
    (void)state;
    act_world_new(&a);
    struct act_record in = usual(&a);
    in.occurred_at = 1000;
    in.person = a.id[CHILD];
    int64_t before = env_now(&a.w.env);
    act_done(&a, add(&a, &in, id, &sight));
    assert_int_equal(sight, ACT_ALL);
    act_is_text(&a, "record", id, "author", USER);
    act_is_text(&a, "record", id, "agency", "health");
    act_is_text(&a, "record", id, "occurred_at", "1000");
    act_is_text(&a, "record", id, "sensitivity", "open");
    act_is_text(&a, "record", id, "needs_consent", "0");
    act_is_text(&a, "record", id, "body", "Seen with mother.");
    act_is_text(&a, "record", id, "handling", "By hand");
    assert_true(atoll(act_ask(&a, "SELECT written_at FROM record WHERE id = $1", id, got)) >= before);
    in.occurred_at = 0;
    act_done(&a, add(&a, &in, id, &sight)); /* just now */
    assert_true(atoll(act_ask(&a, "SELECT occurred_at FROM record WHERE id = $1", id, got)) >= before);
    act_world_free(&a);
}

static void the_writer_is_told_who_sees_it(void **state)
{
    static const struct {
        const char *sensitivity;
        bool needs_consent;
        enum act_sight want;
    } cases[] = {{NULL, false, ACT_ALL},
                 {"sensitive", false, ACT_ROOM},
                 {"restricted", false, ACT_NOBODY_RESTRICTED},
                 {"open", true, ACT_NOBODY_CONSENT},
                 {"sensitive", true, ACT_NOBODY_CONSENT},
                 {"restricted", true, ACT_NOBODY_RESTRICTED}};
    struct act_world a;
    (void)state;
    act_world_new(&a);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t id[16];
        enum act_sight sight = ACT_NOBODY_VOIDED;
        struct act_record in = usual(&a);
        in.sensitivity = cases[i].sensitivity;
        in.needs_consent = cases[i].needs_consent;
        act_done(&a, add(&a, &in, id, &sight));
        assert_int_equal(sight, cases[i].want);
    }
    act_world_free(&a);
}

static void a_record_that_says_nothing_or_lies_about_the_time_is_refused(void **state)
{
    struct act_world a;
    uint8_t id[16];
    enum act_sight sight = ACT_ALL;
    struct act_record in;
    (void)state;
    act_world_new(&a);
#define WITH(change, code, words)                                                                                      \
    in = usual(&a);                                                                                                    \
    change;                                                                                                            \
    act_refused(&a, add(&a, &in, id, &sight), code, words)
    WITH(in.title = NULL, ERR_USAGE, "needs a title");
    WITH(in.title = " ", ERR_USAGE, "needs a title");
    WITH(in.kind = "", ERR_USAGE, "what sort of record");
    WITH(in.body = bytes_of_str(" \n"), ERR_USAGE, "text is empty");
    WITH(in.body = bytes_of("\xff", 1), ERR_USAGE, "text is not plain text");
    WITH(in.sensitivity = "secret", ERR_USAGE, "sensitivity is one of: open, sensitive or restricted");
    WITH(in.occurred_at = env_now(&a.w.env) + HOUR_MS, ERR_USAGE, "still to come");
    WITH(in.person = a.id[OTHER_CHILD], ERR_USAGE, "another case");
    WITH(in.person = a.id[FIRST_FREE], ERR_NOTFOUND, "no person");
    WITH(in.case_id = a.id[FIRST_FREE], ERR_NOTFOUND, "no case");
    char *text = calloc(1, RULES_MAX_VALUE + 1);
    assert_non_null(text);
    memset(text, 'x', RULES_MAX_VALUE + 1);
    WITH(in.body = bytes_of(text, RULES_MAX_VALUE + 1), ERR_USAGE, "text is longer than 1 MiB");
    in = usual(&a);
    in.body = bytes_of(text, RULES_MAX_VALUE); /* and not a byte less is refused */
    act_done(&a, add(&a, &in, id, &sight));
    free(text);
    act_world_free(&a);
}

static enum err set(struct act_world *a, int record, const char *column, struct value v)
{
    const struct act_change c = {column, v};
    return act_record_set(a->n, a->id[record], &c, 1, &a->why);
}

static void only_its_own_agency_changes_a_record(void **state)
{
    struct act_world a;
    (void)state;
    act_world_new(&a);
    act_done(&a, set(&a, OPEN_RECORD, "sensitivity", value_str("sensitive")));
    act_is_text(&a, "record", a.id[OPEN_RECORD], "sensitivity", "sensitive");
    act_done(&a, set(&a, OPEN_RECORD, "handling", value_str(""))); /* taken away */
    act_is_text(&a, "record", a.id[OPEN_RECORD], "handling", "");
    act_refused(&a, set(&a, POLICE_RECORD, "title", value_str("x")), ERR_DENIED, "Another agency wrote this record");
    act_refused(&a, set(&a, VOID_RECORD, "title", value_str("x")), ERR_DENIED, "mistake");
    act_refused(&a, set(&a, FIRST_FREE, "title", value_str("x")), ERR_NOTFOUND, "no record");
    act_refused(&a, set(&a, OPEN_RECORD, "title", value_str("")), ERR_USAGE, "without its title");
    act_refused(&a, set(&a, OPEN_RECORD, "sensitivity", value_null()), ERR_USAGE, "without its sensitivity");
    act_refused(&a, set(&a, OPEN_RECORD, "sensitivity", value_str("secret")), ERR_USAGE, "sensitivity is one of");
    act_refused(&a, set(&a, OPEN_RECORD, "author", value_id(a.id[CHILD])), ERR_DENIED, "never changes");
    act_refused(&a, set(&a, OPEN_RECORD, "person_id", value_id(a.id[CHILD])), ERR_DENIED, "never changes");
    act_refused(&a, set(&a, OPEN_RECORD, "colour", value_str("x")), ERR_USAGE, "nothing called");
    act_refused(&a, set(&a, OPEN_RECORD, "occurred_at", value_int(env_now(&a.w.env) + HOUR_MS)), ERR_USAGE,
                "still to come");
    act_refused(&a, set(&a, OPEN_RECORD, "voided_at", value_int(5)), ERR_DENIED, "by an act of its own");
    act_refused(&a, set(&a, WAITING_RECORD, "override_at", value_int(5)), ERR_DENIED, "an act of its own");
    act_refused(&a, set(&a, WAITING_RECORD, "override_reason", value_str("x")), ERR_DENIED, "an act of its own");
    act_refused(&a, act_record_set(a.n, a.id[OPEN_RECORD], NULL, 0, &a.why), ERR_USAGE, "nothing to change");
    act_world_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_says_who_wrote_it_and_when_it_happened),
        cmocka_unit_test(the_writer_is_told_who_sees_it),
        cmocka_unit_test(a_record_that_says_nothing_or_lies_about_the_time_is_refused),
        cmocka_unit_test(only_its_own_agency_changes_a_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
