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
    const struct act_record_edit in = {.record = a->id[record], .changes = &c, .n_changes = 1};
    struct act_record_edited out;
    return act_record_set(a->n, &in, &out, &a->why);
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
    act_refused(&a, set(&a, OPEN_RECORD, "title", value_str(" ")), ERR_USAGE, "without its title");
    act_refused(&a, set(&a, OPEN_RECORD, "kind", value_str("\t")), ERR_USAGE, "without its kind");
    act_refused(&a, set(&a, OPEN_RECORD, "body", value_str(" \n")), ERR_USAGE, "text is empty");
    const struct act_record_edit none = {.record = a.id[OPEN_RECORD]};
    act_refused(&a, act_record_set(a.n, &none, &(struct act_record_edited){0}, &a.why), ERR_USAGE, "nothing to change");
    act_world_free(&a);
}

/* ------------------------------------------------------------------------------------------ bound to what was seen */
static enum err set_seen(struct act_world *a, int record, const uint8_t *shown, const struct act_change *c, size_t n,
                         struct act_record_edited *out)
{
    const struct act_record_edit in = {.record = a->id[record], .changes = c, .n_changes = n, .shown = shown};
    return act_record_set(a->n, &in, out, &a->why);
}

static void now(struct act_world *a, int record, struct act_record_now *out)
{
    if (act_record_now(a->n, a->id[record], out, &a->why) != ERR_OK) fail_msg("%s", a->why.text);
}

/* A colleague at this device, or contact, changed it while the form was open. */
static void an_older_text_never_silently_overwrites_a_newer_one(void **state)
{
    struct act_world a;
    struct act_record_now seen;
    struct act_record_edited done;
    const struct act_change mine = {"body", value_str("Seen with father.")};
    (void)state;
    act_world_new(&a);
    now(&a, OPEN_RECORD, &seen);
    act_done(&a, set(&a, OPEN_RECORD, "body", value_str("Seen alone.")));
    act_refused(&a, set_seen(&a, OPEN_RECORD, seen.shown, &mine, 1, &done), ERR_FAILED, "Somebody changed this");
    act_is_text(&a, "record", a.id[OPEN_RECORD], "body", "Seen alone.");
    now(&a, OPEN_RECORD, &seen); /* whoever looked again may go on */
    act_done(&a, set_seen(&a, OPEN_RECORD, seen.shown, &mine, 1, &done));
    act_is_text(&a, "record", a.id[OPEN_RECORD], "body", "Seen with father.");
    now(&a, OPEN_RECORD, &seen); /* any column counts, also one that this change leaves alone */
    act_done(&a, set(&a, OPEN_RECORD, "handling", value_str("Ring first")));
    const struct act_change again = {"title", value_str("Visit")};
    act_refused(&a, set_seen(&a, OPEN_RECORD, seen.shown, &again, 1, &done), ERR_FAILED, "Somebody changed this");
    act_world_free(&a);
}

static void what_consent_does_to_it_is_part_of_what_was_seen(void **state)
{
    struct act_world a;
    struct act_record_now seen;
    struct act_record_edited done;
    uint8_t consent[16];
    const struct act_change mine = {"body", value_str("x")};
    (void)state;
    act_world_new(&a);
    now(&a, WAITING_RECORD, &seen);
    assert_int_equal(seen.sight, ACT_NOBODY_CONSENT);
    assert_true(seen.kept);
    const struct act_consent given = {.case_id = a.id[CASE], .person = a.id[CHILD], .scope = "all", .state = "given"};
    act_done(&a, act_consent(a.n, &given, consent, &a.why));
    act_refused(&a, set_seen(&a, WAITING_RECORD, seen.shown, &mine, 1, &done), ERR_FAILED, "who may see it");
    act_world_free(&a);
}

static void another_records_look_does_not_stand_for_this_one(void **state)
{
    struct act_world a;
    struct act_record_now other;
    struct act_record_edited done;
    const struct act_change mine = {"body", value_str("x")};
    (void)state;
    act_world_new(&a);
    now(&a, FREE_RECORD, &other);
    act_refused(&a, set_seen(&a, OPEN_RECORD, other.shown, &mine, 1, &done), ERR_FAILED, "Somebody changed this");
    assert_int_equal(act_record_now(a.n, a.id[POLICE_RECORD], &other, &a.why), ERR_DENIED);
    assert_int_equal(act_record_now(a.n, a.id[VOID_RECORD], &other, &a.why), ERR_DENIED);
    assert_int_equal(act_record_now(a.n, a.id[FIRST_FREE], &other, &a.why), ERR_NOTFOUND);
    act_world_free(&a);
}

/* Else a colleague's new text elsewhere would meet the old one as a second answer. */
static void only_what_differs_is_written(void **state)
{
    struct act_world a;
    struct act_record_edited done;
    char title[256], got[256];
    (void)state;
    act_world_new(&a);
    (void)act_ask(&a, "SELECT title FROM record WHERE id = $1", a.id[OPEN_RECORD], title);
    const struct act_change all[] = {{"title", value_str(title)}, {"sensitivity", value_str("sensitive")}};
    act_refused(&a, set_seen(&a, OPEN_RECORD, NULL, all, 1, &done), ERR_USAGE, "says that already");
    act_done(&a, set_seen(&a, OPEN_RECORD, NULL, all, 2, &done));
    assert_string_equal(act_ask(&a, "SELECT count(*) FROM n_pending WHERE id = $1", a.id[OPEN_RECORD], got), "1");
    act_world_free(&a);
}

static void its_owner_is_told_who_gains_or_loses_it(void **state)
{
    struct act_world a;
    struct act_record_edited done = {0};
    char said[ACT_SIGHT_CHARS];
    (void)state;
    act_world_new(&a);
    const struct act_change narrow = {"sensitivity", value_str("sensitive")}, wide = {"sensitivity", value_str("open")};
    act_done(&a, set_seen(&a, OPEN_RECORD, NULL, &narrow, 1, &done));
    assert_int_equal(done.before, ACT_ALL);
    assert_int_equal(done.after, ACT_ROOM);
    act_sight_change(done.before, done.after, said);
    assert_non_null(strstr(said, "everybody who takes part"));
    assert_non_null(strstr(said, "told to forget it"));
    act_done(&a, set_seen(&a, OPEN_RECORD, NULL, &wide, 1, &done));
    act_sight_change(done.before, done.after, said);
    assert_non_null(strstr(said, "cannot be taken back"));
    act_sight_change(ACT_NOBODY_CONSENT, ACT_NOBODY_RESTRICTED, said); /* nobody new, nobody less */
    assert_null(strstr(said, "contact"));
    for (enum act_sight s = ACT_ALL; s <= ACT_NOBODY_VOIDED; s++) {
        act_sight_change(s, s, said);
        assert_string_equal(said, "");
    }
    act_world_free(&a);
}

static void who_was_told_keeps_it_and_its_owner_hears_so(void **state)
{
    struct act_world a;
    struct act_record_now seen;
    uint8_t id[16];
    (void)state;
    act_world_new(&a);
    struct act_grant grant = {.record = a.id[OPEN_RECORD], .to_agency = "police", .how = "spoken"};
    act_done(&a, act_release_grant(a.n, &grant, id, &a.why));
    now(&a, OPEN_RECORD, &seen);
    assert_false(seen.told); /* there is no text to keep */
    grant.how = "whole";
    act_done(&a, act_release_grant(a.n, &grant, id, &a.why));
    now(&a, OPEN_RECORD, &seen);
    assert_true(seen.told);
    act_world_free(&a);
}

/* act_sight_of is what the pages say beforehand, act_record_sight what stands afterwards. */
static void what_is_said_beforehand_is_what_comes_of_it(void **state)
{
    static const char *const words[] = {"open", "sensitive", "restricted"};
    static const int records[] = {WAITING_RECORD, OPEN_RECORD, FREE_RECORD, OWN_RECORD};
    struct act_world a;
    (void)state;
    act_world_new(&a);
    for (size_t i = 0; i < 2 * 3 * sizeof records / sizeof records[0]; i++) {
        struct act_record_edited done = {0};
        struct act_record_now seen;
        const int record = records[i / 6];
        const bool consent = i % 2 != 0;
        const struct act_change all[] = {{"handling", value_str(i % 2 != 0 ? "a" : "b")}, /* something differs always */
                                         {"sensitivity", value_str(words[i / 2 % 3])},
                                         {"needs_consent", value_int(consent)}};
        now(&a, record, &seen);
        act_done(&a, set_seen(&a, record, seen.shown, all, 3, &done));
        assert_int_equal(done.after, act_sight_of(words[i / 2 % 3], consent, seen.kept));
    }
    act_world_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_says_who_wrote_it_and_when_it_happened),
        cmocka_unit_test(the_writer_is_told_who_sees_it),
        cmocka_unit_test(a_record_that_says_nothing_or_lies_about_the_time_is_refused),
        cmocka_unit_test(only_its_own_agency_changes_a_record),
        cmocka_unit_test(an_older_text_never_silently_overwrites_a_newer_one),
        cmocka_unit_test(what_consent_does_to_it_is_part_of_what_was_seen),
        cmocka_unit_test(another_records_look_does_not_stand_for_this_one),
        cmocka_unit_test(only_what_differs_is_written),
        cmocka_unit_test(its_owner_is_told_who_gains_or_loses_it),
        cmocka_unit_test(who_was_told_keeps_it_and_its_owner_hears_so),
        cmocka_unit_test(what_is_said_beforehand_is_what_comes_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
