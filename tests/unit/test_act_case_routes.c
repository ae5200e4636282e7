/* The pages' acts as routes: what a body may say, what comes back, and that a body of the wrong kind never counts as
 * less than it says. The acts themselves are tested where they are. */
#include "tests/lib/act_post.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NEW "\"area\": \"north\", \"source\": \"3B\", \"primary_need\": \"N1\", \"summary\": \"Bruising\""

/* ------------------------------------------------------------------------------------------------------- cases */
static void a_referral_with_its_people_comes_in_one_body(void **state)
{
    struct act_world a;
    struct asked k;
    uint8_t id[16];
    char got[256];
    (void)state;
    act_world_new(&a);
    (void)act_post(
        &a, &k, "case-new",
        "{" NEW ", \"rag\": \"red\", \"rag_reason\": \"Injury\", \"referrer\": null, \"people\": ["
        "{\"given_names\": \"Ada\", \"nhs\": \"9434765918\", \"address\": \"1 Example Street\","
        " \"consent\": {\"state\": \"given\", \"scope\": \"all\"}},"
        "{\"role\": \"parent\", \"given_names\": \"Eve\", \"phone\": \"01632 960001\", \"consent\": null}]}");
    struct json *o = act_post_done(&a, &k);
    act_id_in(o, "id", id);
    act_is_text(&a, "case_file", id, "reference", json_get_str(o, "reference"));
    assert_string_equal(json_get_str(o, "phone"), "01632 960100");
    assert_true(json_get_bool(o, "mash", false));
    assert_false(json_get_bool(o, "held", true));
    assert_true(act_notes_say(o, "The MASH does NOT have this yet"));
    assert_true(act_notes_say(o, "01632 960100"));
    assert_true(act_notes_say(o, "NHS number"));
    assert_non_null(json_get_str(o, "due_at"));
    assert_memory_equal(k.c.case_id, id, 16);
    assert_string_equal(act_ask(&a, "SELECT group_concat(given_names) FROM person WHERE case_id = $1", id, got),
                        "Ada,Eve");
    assert_string_equal(act_ask(&a, "SELECT group_concat(state) FROM consent WHERE case_id = $1", id, got), "given");
    act_post_end(&k);
    act_world_free(&a);
}

static void an_area_without_a_mash_room_is_told(void **state)
{
    struct act_world a;
    struct asked k;
    (void)state;
    act_world_new(&a);
    (void)act_post(&a, &k, "case-new",
                   "{\"area\": \"south\", \"source\": \"3B\", \"primary_need\": \"N1\", \"summary\": \"Bruising\"}");
    struct json *o = act_post_done(&a, &k);
    assert_false(json_get_bool(o, "mash", true));
    assert_true(act_notes_say(o, "nobody will pick this case up"));
    assert_null(json_get_str(o, "due_at"));
    act_post_end(&k);
    act_world_free(&a);
}

static void bodies_of_the_wrong_kind_are_refused_and_never_half_read(void **state)
{
    static const struct {
        const char *name, *body, *words;
    } cases[] = {
        {"case-new", "{}", "needs its area"},
        {"case-new", "{" NEW ", \"referrer\": 5}", "'referrer' takes a text"},
        {"case-new", "{" NEW ", \"people\": \"Ada\"}", "'people' is a list"},
        {"case-new", "{" NEW ", \"people\": 5}", "'people' is a list"},
        {"case-new", "{" NEW ", \"people\": {\"given_names\": \"Ada\"}}", "'people' is a list"},
        {"case-new", "{" NEW ", \"people\": [\"Ada\"]}", "who is meant"},
        {"case-new", "{" NEW ", \"people\": [{\"given_names\": 5}]}", "'given_names' takes a text"},
        {"case-new", "{" NEW ", \"people\": [{\"given_names\": \"A\", \"consent\": \"given\"}]}",
         "'consent' takes a state"},
        {"case-new", "{" NEW ", \"people\": [{\"given_names\": \"A\", \"consent\": {\"state\": 1}}]}",
         "'state' takes a text"},
        {"case-set", "{\"status\": \"new\"}", "what this is about"},
        {"case-set", "{\"case_id\": \"C-1\", \"status\": \"new\"}", "'case_id'"},
        {"person-add", "{\"given_names\": \"Ada\"}", "what this is about"},
        {"kin-add", "{}", "what this is about"},
        {"contact-add", "{}", "what this is about"},
        {"warning-add", "{}", "what this is about"},
        {"record-add", "{}", "what this is about"},
        {"void", "{}", "'tbl'"},
        {"request-send", "{}", "what this is about"},
        {"request-answer", "{}", "what this is about"},
        {"release-ask", "{}", "what this is about"},
        {"release-grant", "{}", "what this is about"},
        {"consent", "{}", "what this is about"},
        {"pointer-add", "{}", "what this is about"},
        {"record-override", "{}", "what this is about"},
    };
    struct act_world a;
    (void)state;
    act_world_new(&a);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct asked k;
        (void)act_post(&a, &k, cases[i].name, "%s", cases[i].body);
        act_post_refused(&a, &k, ERR_USAGE, cases[i].words);
    }
    act_world_free(&a);
}

static void a_case_is_changed_by_what_is_given_alone(void **state)
{
    struct act_world a;
    struct asked k;
    char id[37];
    (void)state;
    act_world_new(&a);
    (void)act_post(&a, &k, "case-set", "{\"case_id\": \"%s\", \"status\": \"gathering\", \"area\": null}",
                   act_id_text(&a, CASE, id));
    struct json *o = act_post_done(&a, &k);
    assert_true(json_get_bool(o, "held", false)); /* care leads */
    assert_true(act_notes_say(o, "not for you alone to decide"));
    act_is_text(&a, "case_file", a.id[CASE], "status", "gathering");
    act_is_text(&a, "case_file", a.id[CASE], "area", "north");
    act_post_end(&k);
    (void)act_post(&a, &k, "case-set", "{\"case_id\": \"%s\", \"restricted\": \"yes\"}", id);
    act_post_refused(&a, &k, ERR_USAGE, "true or false");
    (void)act_post(&a, &k, "case-set", "{\"case_id\": \"%s\"}", id);
    act_post_refused(&a, &k, ERR_USAGE, "nothing to change");
    (void)act_post(&a, &k, "case-set", "{\"case_id\": \"%s\", \"status\": 5}", id);
    act_post_refused(&a, &k, ERR_USAGE, "'status' takes a text");
    act_world_free(&a);
}

static void sharing_and_its_end_say_who_decides(void **state)
{
    struct act_world a;
    struct asked k;
    uint8_t part[16];
    char id[37];
    (void)state;
    act_world_new(&a);
    (void)act_post(&a, &k, "case-share",
                   "{\"case_id\": \"%s\", \"agency\": \"school\", \"access\": \"view\", \"quiet\": true,"
                   " \"until\": \"2100-01-01T00:00:00Z\"}",
                   act_id_text(&a, ELSEWHERE, id));
    struct json *o = act_post_done(&a, &k);
    assert_true(json_get_bool(o, "held", false));
    act_id_in(o, "id", part);
    act_is_text(&a, "participant", part, "access", "view");
    act_is_text(&a, "participant", part, "quiet", "1");
    act_post_end(&k);
    (void)act_post(&a, &k, "case-share", "{\"case_id\": \"%s\", \"agency\": \"school\", \"quiet\": \"true\"}", id);
    act_post_refused(&a, &k, ERR_USAGE, "true or false");
    (void)act_post(&a, &k, "case-share", "{\"case_id\": \"%s\"}", id);
    act_post_refused(&a, &k, ERR_USAGE, "which agency");
    (void)act_post(&a, &k, "case-share", "{\"case_id\": \"%s\", \"agency\": \"school\", \"until\": \"soon\"}", id);
    act_post_refused(&a, &k, ERR_USAGE, "'until' takes a time");
    (void)act_post(&a, &k, "case-unshare", "{\"case_id\": \"%s\", \"agency\": \"school\"}", id);
    (void)act_post_done(&a, &k);
    act_is_text(&a, "participant", part, "access", "none");
    act_post_end(&k);
    act_world_free(&a);
}

/* ------------------------------------------------------------------------------------------------------ people */
static void people_are_written_by_their_columns(void **state)
{
    struct act_world a;
    struct asked k;
    uint8_t person[16], other[16], row[16];
    char c[37], id[37], got[256];
    (void)state;
    act_world_new(&a);
    (void)act_post(&a, &k, "person-add",
                   "{\"case_id\": \"%s\", \"role\": \"sibling\", \"given_names\": \"Ivy\", \"upn\": \"123\"}",
                   act_id_text(&a, CASE, c));
    struct json *o = act_post_done(&a, &k);
    assert_true(act_notes_say(o, "UPN"));
    act_id_in(o, "id", person);
    act_is_text(&a, "person", person, "role", "sibling");
    act_post_end(&k);
    uuid_format(person, id);
    (void)act_post(&a, &k, "person-set",
                   "{\"id\": \"%s\", \"family_name\": \"Rees\", \"nhs\": \"9434765919\", \"sex\": null}", id);
    assert_memory_equal(k.c.case_id, a.id[CASE], 16);
    (void)act_post_done(&a, &k);
    act_post_end(&k);
    act_is_text(&a, "person", person, "family_name", "Rees");
    (void)act_post(&a, &k, "person-set", "{\"id\": \"%s\", \"family_name\": \"\"}", id); /* taken away */
    (void)act_post_done(&a, &k);
    act_post_end(&k);
    act_is_text(&a, "person", person, "family_name", "");
    (void)act_post(&a, &k, "kin-add",
                   "{\"case_id\": \"%s\", \"person_id\": \"%s\", \"relative_id\": \"%s\", \"kind\": \"sister\"}", c,
                   act_id_text(&a, CHILD, got), id);
    (void)act_post_done(&a, &k);
    act_post_end(&k);
    (void)act_post(&a, &k, "contact-add",
                   "{\"person_id\": \"%s\", \"kind\": \"phone\", \"value\": \"1\", \"protected\": true}", id);
    act_id_in(act_post_done(&a, &k), "id", row);
    act_is_text(&a, "contact", row, "protected", "1");
    act_post_end(&k);
    /* an address that is to be kept from the family must never lose that by a slip */
    (void)act_post(&a, &k, "contact-add",
                   "{\"person_id\": \"%s\", \"kind\": \"phone\", \"value\": \"1\", \"protected\": \"true\"}", id);
    act_post_refused(&a, &k, ERR_USAGE, "true or false");
    (void)act_post(&a, &k, "contact-add",
                   "{\"person_id\": \"%s\", \"kind\": \"phone\", \"value\": \"1\", \"protected\": 1}", id);
    act_post_refused(&a, &k, ERR_USAGE, "true or false");
    (void)act_post(&a, &k, "warning-add",
                   "{\"case_id\": \"%s\", \"person_id\": \"%s\", \"kind\": \"dog\", \"note\": \"Loose\"}", c, id);
    act_id_in(act_post_done(&a, &k), "id", other);
    act_is_text(&a, "warning", other, "note", "Loose");
    act_post_end(&k);
    (void)act_post(&a, &k, "person-set", "{\"id\": \"%s\", \"family_name\": \"x\"}", act_id_text(&a, FIRST_FREE, id));
    act_post_refused(&a, &k, ERR_NOTFOUND, "no person");
    act_world_free(&a);
}

/* ----------------------------------------------------------------------------------------------------- records */
static void a_record_says_who_will_see_it(void **state)
{
    struct act_world a;
    struct asked k;
    uint8_t id[16];
    char c[37], r[37];
    (void)state;
    act_world_new(&a);
    (void)act_post(
        &a, &k, "record-add",
        "{\"case_id\": \"%s\", \"kind\": \"visit\", \"title\": \"Visit\", \"body\": \"Seen.\", \"needs_consent\": true,"
        " \"occurred_at\": \"2026-01-02T03:04:05Z\"}",
        act_id_text(&a, CASE, c));
    struct json *o = act_post_done(&a, &k);
    assert_string_equal(json_get_str(o, "seen_by"), "nobody_consent");
    assert_true(act_notes_say(o, "share without consent"));
    act_id_in(o, "id", id);
    act_is_text(&a, "record", id, "body", "Seen.");
    act_is_text(&a, "record", id, "occurred_at", "1767323045000");
    act_post_end(&k);
    uuid_format(id, r);
    (void)act_post(&a, &k, "record-override", "{\"id\": \"%s\", \"reason\": \"Risk of significant harm\"}", r);
    assert_string_equal(json_get_str(act_post_done(&a, &k), "seen_by"), "all");
    act_post_end(&k);
    (void)act_post(&a, &k, "void", "{\"tbl\": \"record\", \"id\": \"%s\", \"reason\": \"Wrong child\"}", r);
    (void)act_post_done(&a, &k);
    act_is_text(&a, "record", id, "void_reason", "Wrong child");
    act_post_end(&k);
    (void)act_post(&a, &k, "void", "{\"tbl\": \"record\", \"id\": \"%s\"}", r);
    act_post_refused(&a, &k, ERR_USAGE, "why it was a mistake");
    (void)act_post(&a, &k, "record-add",
                   "{\"case_id\": \"%s\", \"kind\": \"visit\", \"title\": \"x\", \"needs_consent\": \"yes\"}", c);
    act_post_refused(&a, &k, ERR_USAGE, "true or false");
    act_world_free(&a);
}

static void no_other_table_is_reached_by_the_name_of_one(void **state)
{
    static const char *const names[] = {
        "agency",   "practitioner", "n_outbox", "sqlite_master", "record; DROP TABLE record", "record WHERE 1=1 --",
        "conflict", "held"};
    struct act_world a;
    char id[37];
    (void)state;
    act_world_new(&a);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct asked k;
        (void)act_post(&a, &k, "void", "{\"tbl\": \"%s\", \"id\": \"%s\", \"reason\": \"x\"}", names[i],
                       act_id_text(&a, OPEN_RECORD, id));
        act_post_refused(&a, &k, i < 6 ? ERR_USAGE : ERR_NOTFOUND,
                         i < 6 ? "nothing of that kind" : "nothing with that id");
    }
    act_world_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_referral_with_its_people_comes_in_one_body),
        cmocka_unit_test(an_area_without_a_mash_room_is_told),
        cmocka_unit_test(bodies_of_the_wrong_kind_are_refused_and_never_half_read),
        cmocka_unit_test(a_case_is_changed_by_what_is_given_alone),
        cmocka_unit_test(sharing_and_its_end_say_who_decides),
        cmocka_unit_test(people_are_written_by_their_columns),
        cmocka_unit_test(a_record_says_who_will_see_it),
        cmocka_unit_test(no_other_table_is_reached_by_the_name_of_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
