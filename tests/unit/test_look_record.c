/* A record of one's own agency, for whoever would change it: what is shown, to whom, and what a change is bound to. */
#include "node/look.h"
#include "tests/lib/act_post.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct json *look(struct act_world *a, int record)
{
    struct json *out = NULL;
    if (look_record(a->n, a->id[record], &out, &a->why) != ERR_OK) fail_msg("%s", a->why.text);
    return out;
}

static struct json *choice(struct json *o, const char *sensitivity, bool needs_consent)
{
    struct json *list = json_get(o, "choices");
    for (size_t i = 0; i < json_len(list); i++) {
        struct json *c = json_at(list, i);
        if (strcmp(json_get_str(c, "sensitivity"), sensitivity) == 0 &&
            json_get_bool(c, "needs_consent", !needs_consent) == needs_consent)
            return c;
    }
    fail_msg("no choice %s", sensitivity);
    return NULL;
}

static int64_t views(struct act_world *a, int record)
{
    char got[256];
    return atoll(act_ask(a, "SELECT count(*) FROM n_view WHERE id = $1", a->id[record], got));
}

static void the_whole_record_is_shown_with_what_each_choice_would_do(void **state)
{
    struct act_world a;
    (void)state;
    act_world_new(&a);
    struct json *o = look(&a, OPEN_RECORD), *r = json_get(o, "record");
    assert_string_equal(json_get_str(o, "seen_by"), "all");
    assert_int_equal(strlen(json_get_str(o, "shown")), 64);
    assert_non_null(json_get_str(r, "title"));
    assert_true(json_has(r, "needs_consent"));
    assert_int_equal(json_len(json_get(o, "choices")), 6);
    assert_null(json_get_str(choice(o, "open", false), "says"));
    assert_non_null(strstr(json_get_str(choice(o, "sensitive", false), "says"), "told to forget it"));
    assert_non_null(strstr(json_get_str(choice(o, "restricted", false), "says"), "for your agency alone"));
    assert_string_equal(json_get_str(choice(o, "restricted", true), "seen_by"), "nobody_restricted");
    json_free(o);
    o = look(&a, OWN_RECORD);
    assert_non_null(strstr(json_get_str(choice(o, "open", false), "says"), "cannot be taken back"));
    json_free(o);
    act_world_free(&a);
}

static void a_look_at_a_sensitive_record_is_noted(void **state)
{
    struct act_world a;
    (void)state;
    act_world_new(&a);
    int64_t before = views(&a, FREE_RECORD);
    json_free(look(&a, FREE_RECORD));
    assert_int_equal(views(&a, FREE_RECORD), before + 1);
    act_world_free(&a);
}

static void anothers_record_and_a_mistake_are_not_shown(void **state)
{
    static const struct {
        int record;
        enum err want;
    } cases[] = {{POLICE_RECORD, ERR_DENIED}, {VOID_RECORD, ERR_DENIED}, {FIRST_FREE, ERR_NOTFOUND}};
    struct act_world a;
    (void)state;
    act_world_new(&a);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct json *out = NULL;
        assert_int_equal(look_record(a.n, a.id[cases[i].record], &out, &a.why), cases[i].want);
        assert_null(out);
        assert_int_equal(views(&a, cases[i].record), 0);
    }
    act_world_free(&a);
}

static void the_page_changes_what_it_was_shown_and_says_who_gains_or_loses_it(void **state)
{
    struct act_world a;
    struct asked k;
    char id[37], shown[65];
    (void)state;
    act_world_new(&a);
    struct json *o = look(&a, OPEN_RECORD);
    (void)snprintf(shown, sizeof shown, "%s", json_get_str(o, "shown"));
    json_free(o);
    (void)act_id_text(&a, OPEN_RECORD, id);
    (void)act_post(&a, &k, "record-set",
                   "{\"id\": \"%s\", \"shown\": \"%s\", \"body\": \"Seen alone.\", \"sensitivity\": \"sensitive\","
                   " \"needs_consent\": false, \"handling\": \"\", \"title\": null}",
                   id, shown);
    o = act_post_done(&a, &k);
    assert_string_equal(json_get_str(o, "seen_by"), "room");
    assert_true(act_notes_say(o, "told to forget it"));
    assert_memory_equal(k.c.case_id, a.id[CASE], 16);
    act_is_text(&a, "record", a.id[OPEN_RECORD], "body", "Seen alone.");
    act_is_text(&a, "record", a.id[OPEN_RECORD], "sensitivity", "sensitive");
    act_is_text(&a, "record", a.id[OPEN_RECORD], "handling", "");
    act_post_end(&k);
    (void)act_post(&a, &k, "record-set", "{\"id\": \"%s\", \"shown\": \"%s\", \"body\": \"x\"}", id, shown);
    act_post_refused(&a, &k, ERR_FAILED, "Somebody changed this since you opened it");
    (void)act_post(&a, &k, "record-set", "{\"id\": \"%s\", \"body\": \"x\"}", id);
    act_post_refused(&a, &k, ERR_USAGE, "Look first");
    (void)act_post(&a, &k, "record-set", "{\"id\": \"%s\", \"shown\": \"5\", \"body\": \"x\"}", id);
    act_post_refused(&a, &k, ERR_USAGE, "Look once more");
    (void)act_post(&a, &k, "record-set", "{\"id\": \"%s\", \"shown\": \"%s\", \"needs_consent\": \"no\"}", id, shown);
    act_post_refused(&a, &k, ERR_USAGE, "true or false");
    (void)act_post(&a, &k, "record-set", "{\"id\": \"%s\", \"shown\": \"%s\", \"body\": \"x\"}",
                   act_id_text(&a, POLICE_RECORD, id), shown);
    act_post_refused(&a, &k, ERR_DENIED, "Another agency wrote this record");
    (void)act_post(&a, &k, "record-set", "{\"shown\": \"%s\"}", shown);
    act_post_refused(&a, &k, ERR_USAGE, "what this is about");
    act_world_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_whole_record_is_shown_with_what_each_choice_would_do),
        cmocka_unit_test(a_look_at_a_sensitive_record_is_noted),
        cmocka_unit_test(anothers_record_and_a_mistake_are_not_shown),
        cmocka_unit_test(the_page_changes_what_it_was_shown_and_says_who_gains_or_loses_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
