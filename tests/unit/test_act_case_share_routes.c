/* The pages' acts between agencies as routes: asking, answering (sheets too), permission to share, consent. */
#include "tests/lib/act_post.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---------------------------------------------------------------------------------------------------- requests */
static void several_agencies_are_asked_and_who_could_not_be_is_named(void **state)
{
    struct act_world a;
    struct asked k;
    char c[37];
    (void)state;
    act_world_new(&a);
    int64_t edits = a.edits;
    (void)act_post(
        &a, &k, "request-send",
        "{\"case_id\": \"%s\", \"agencies\": [\"police\", \"polcie\", \"school\"], \"question\": \"Any incidents?\"}",
        act_id_text(&a, CASE, c));
    assert_int_equal(k.err, ERR_OK);
    assert_true(k.c.changed);
    act_mark(&a);
    assert_int_equal(a.edits, edits + 2);
    struct json *sent = json_get(k.c.out, "sent"), *failed = json_get(k.c.out, "failed");
    assert_int_equal(json_len(sent), 2);
    assert_string_equal(json_get_str(json_at(sent, 0), "agency"), "police");
    assert_false(json_get_bool(json_at(sent, 0), "brought_in", true));
    assert_string_equal(json_get_str(json_at(sent, 1), "agency"), "school");
    assert_true(json_get_bool(json_at(sent, 1), "brought_in", false));
    assert_non_null(json_get_str(json_at(sent, 1), "due_at"));
    assert_int_equal(json_len(failed), 1);
    assert_string_equal(json_get_str(json_at(failed, 0), "agency"), "polcie");
    assert_true(act_notes_say(k.c.out, "Not asked: polcie"));
    act_post_end(&k);
    (void)act_post(&a, &k, "request-send", "{\"case_id\": \"%s\", \"agencies\": [\"polcie\"], \"question\": \"Any?\"}",
                   c);
    act_post_refused(&a, &k, ERR_NOTFOUND, "no agency");
    (void)act_post(&a, &k, "request-send", "{\"case_id\": \"%s\", \"agencies\": [], \"question\": \"Any?\"}", c);
    act_post_refused(&a, &k, ERR_USAGE, "which agency");
    (void)act_post(&a, &k, "request-send", "{\"case_id\": \"%s\", \"agencies\": \"police\", \"question\": \"Any?\"}",
                   c);
    act_post_refused(&a, &k, ERR_USAGE, "is a list");
    (void)act_post(&a, &k, "request-send", "{\"case_id\": \"%s\", \"agencies\": [5], \"question\": \"Any?\"}", c);
    act_post_refused(&a, &k, ERR_USAGE, "list of texts");
    (void)act_post(&a, &k, "request-send", "{\"case_id\": \"%s\", \"agencies\": [\"police\"], \"question\": \" \"}", c);
    act_post_refused(&a, &k, ERR_USAGE, "needs its question");
    act_world_free(&a);
}

static void a_question_is_answered_with_what_is_known(void **state)
{
    struct act_world a;
    struct asked k;
    uint8_t record[16];
    char id[37];
    (void)state;
    act_world_new(&a);
    (void)act_post(&a, &k, "request-answer",
                   "{\"id\": \"%s\", \"result\": \"known\", \"record\": {\"title\": \"Check\","
                   " \"body\": \"Seen twice.\", \"sensitivity\": \"sensitive\", \"needs_consent\": \"no\"}}",
                   act_id_text(&a, TO_US, id));
    act_post_refused(&a, &k, ERR_USAGE, "true or false");
    (void)act_post(&a, &k, "request-answer", "{\"id\": \"%s\", \"result\": \"known\", \"record\": {\"title\": \" \"}}",
                   id);
    act_post_refused(&a, &k, ERR_USAGE, "record is empty");
    (void)act_post(&a, &k, "request-answer", "{\"id\": \"%s\", \"result\": \"known\", \"record\": \"Seen twice.\"}",
                   id);
    act_post_refused(&a, &k, ERR_USAGE, "takes a title and a text");
    (void)act_post(&a, &k, "request-answer", "{\"id\": \"%s\", \"record\": null}", id);
    act_post_refused(&a, &k, ERR_USAGE, "known, not_known or nothing_relevant");
    (void)act_post(&a, &k, "request-answer",
                   "{\"id\": \"%s\", \"result\": \"known\", \"record\": {\"title\": \"Check\","
                   " \"body\": \"Seen twice.\", \"sensitivity\": \"sensitive\"}}",
                   id);
    struct json *o = act_post_done(&a, &k);
    assert_string_equal(json_get_str(o, "id"), id);
    assert_string_equal(json_get_str(o, "seen_by"), "room");
    act_id_in(o, "record_id", record);
    act_is_text(&a, "record", record, "title", "Check");
    act_is_text(&a, "request", a.id[TO_US], "state", "answered");
    act_post_end(&k);
    (void)act_post(&a, &k, "request-decline", "{\"id\": \"%s\", \"reason\": \"x\"}", act_id_text(&a, CANCELLED, id));
    act_post_refused(&a, &k, ERR_DENIED, "taken back");
    (void)act_post(&a, &k, "request-decline", "{\"id\": \"%s\"}", id);
    act_post_refused(&a, &k, ERR_USAGE, "why you do not answer");
    (void)act_post(&a, &k, "request-cancel", "{\"id\": \"%s\"}", act_id_text(&a, TO_POLICE, id));
    act_post_refused(&a, &k, ERR_DENIED, "Only the one that asked");
    act_world_free(&a);
}

static void a_sheet_with_faults_is_answered_line_by_line_and_changes_nothing(void **state)
{
    struct act_world a;
    struct asked k;
    char id[37];
    (void)state;
    act_world_new(&a);
    (void)act_post(&a, &k, "answers.csv", "request,result\n%s,known\nnonsense,known\n", act_id_text(&a, TO_US, id));
    assert_int_equal(k.err, ERR_OK);
    assert_false(k.c.changed);
    assert_int_equal(json_get_int(k.c.out, "answered", -1), 0);
    struct json *lines = json_get(k.c.out, "lines");
    assert_int_equal(json_len(lines), 1);
    assert_int_equal(json_get_int(json_at(lines, 0), "line", 0), 3);
    act_post_end(&k);
    act_is_text(&a, "request", a.id[TO_US], "state", "open");
    (void)act_post(&a, &k, "answers.csv", "name\nAda\n");
    act_post_refused(&a, &k, ERR_FORMAT, "does not name the columns");
    (void)act_post(&a, &k, "answers.csv", "request,result\n%s,not known\n", id);
    assert_int_equal(k.err, ERR_OK);
    assert_true(k.c.changed);
    assert_int_equal(json_get_int(k.c.out, "answered", -1), 1);
    assert_int_equal(json_len(json_get(k.c.out, "lines")), 0);
    act_post_end(&k);
    act_is_text(&a, "request", a.id[TO_US], "result", "not_known");
    act_world_free(&a);
}

/* ---------------------------------------------------------------------------------------------------- releases */
static void what_is_released_is_what_was_shown(void **state)
{
    struct act_world a;
    struct asked k;
    uint8_t id[16];
    char r[37], form[512], shown[65];
    (void)state;
    act_world_new(&a);
    (void)snprintf(form, sizeof form,
                   "\"record_id\": \"%s\", \"to_agency\": \"police\", \"how\": \"redacted\", \"redacted\": \"Seen.\"",
                   act_id_text(&a, OPEN_RECORD, r));
    (void)act_post(&a, &k, "release-preview", "{%s}", form);
    assert_int_equal(k.err, ERR_OK);
    assert_false(k.c.changed);
    assert_string_equal(json_get_str(k.c.out, "body"), "Seen.");
    assert_true(act_notes_say(k.c.out, "must be handled"));
    (void)snprintf(shown, sizeof shown, "%s", json_get_str(k.c.out, "shown"));
    act_post_end(&k);
    (void)act_post(&a, &k, "release-grant", "{%s}", form);
    act_post_refused(&a, &k, ERR_USAGE, "Look first");
    (void)act_post(&a, &k, "release-grant", "{%s, \"shown\": \"00\"}", form);
    act_post_refused(&a, &k, ERR_USAGE, "Look once more");
    (void)act_post(&a, &k, "release-grant", "{%s, \"conditions\": \"Destroy\", \"shown\": \"%s\"}", form, shown);
    act_post_refused(&a, &k, ERR_FAILED, "has changed since");
    (void)act_post(&a, &k, "release-grant", "{%s, \"shown\": \"%s\"}", form, shown);
    act_id_in(act_post_done(&a, &k), "id", id);
    act_is_text(&a, "release", id, "body", "Seen.");
    act_post_end(&k);
    (void)act_post(&a, &k, "release-preview",
                   "{\"record_id\": \"%s\", \"to_agency\": \"police\", \"how\": \"shouted\"}", r);
    act_post_refused(&a, &k, ERR_USAGE, "whole, redacted, or spoken");
    act_world_free(&a);
}

/* Whoever is shown the text of a sensitive record has looked at it. */
static void a_preview_of_the_whole_record_is_a_look(void **state)
{
    struct act_world a;
    struct asked k;
    char r[37];
    (void)state;
    act_world_new(&a);
    int64_t before = mock_ask(a.n, "SELECT count(*) FROM n_view");
    (void)act_post(&a, &k, "release-preview", "{\"record_id\": \"%s\", \"to_agency\": \"police\", \"how\": \"whole\"}",
                   act_id_text(&a, FREE_RECORD, r));
    assert_int_equal(k.err, ERR_OK);
    assert_true(act_notes_say(k.c.out, "sensitive"));
    act_post_end(&k);
    assert_int_equal(mock_ask(a.n, "SELECT count(*) FROM n_view"), before + 1);
    act_world_free(&a);
}

static void asks_for_a_release_go_out_are_refused_and_taken_back(void **state)
{
    struct act_world a;
    struct asked k;
    char c[37], id[37];
    uint8_t row[16];
    (void)state;
    act_world_new(&a);
    (void)act_post(&a, &k, "release-ask",
                   "{\"case_id\": \"%s\", \"to_agency\": \"police\", \"reason\": \"Meeting\", \"pointer_id\": \"%s\"}",
                   act_id_text(&a, CASE, c), act_id_text(&a, POINTER, id));
    act_id_in(act_post_done(&a, &k), "id", row);
    act_post_end(&k);
    uuid_format(row, id);
    (void)act_post(&a, &k, "release-cancel", "{\"id\": \"%s\"}", id);
    (void)act_post_done(&a, &k);
    act_post_end(&k);
    (void)act_post(&a, &k, "release-refuse", "{\"id\": \"%s\"}", act_id_text(&a, ASK_US, id));
    act_post_refused(&a, &k, ERR_USAGE, "why you refuse");
    (void)act_post(&a, &k, "release-refuse", "{\"id\": \"%s\", \"reason\": \"Not yet\"}", id);
    (void)act_post_done(&a, &k);
    act_is_text(&a, "release", a.id[ASK_US], "state", "refused");
    act_post_end(&k);
    (void)act_post(&a, &k, "pointer-add", "{\"case_id\": \"%s\", \"note\": \"Ask the nurse\"}", c);
    (void)act_post_done(&a, &k);
    act_post_end(&k);
    act_world_free(&a);
}

/* ----------------------------------------------------------------------------------------------------- consent */
static void consent_says_what_it_does(void **state)
{
    struct act_world a;
    struct asked k;
    char c[37], p[37];
    (void)state;
    act_world_new(&a);
    (void)act_post(&a, &k, "consent",
                   "{\"case_id\": \"%s\", \"person_id\": \"%s\", \"scope\": \"all\", \"state\": \"refused\"}",
                   act_id_text(&a, CASE, c), act_id_text(&a, CHILD, p));
    assert_non_null(strstr(json_get_str(act_post_done(&a, &k), "effect"), "nobody else can see"));
    act_post_end(&k);
    (void)act_post(&a, &k, "consent",
                   "{\"case_id\": \"%s\", \"person_id\": \"%s\", \"scope\": \"all\", \"state\": \"given\"}", c, p);
    assert_non_null(json_get_str(act_post_done(&a, &k), "effect"));
    act_post_end(&k);
    (void)act_post(&a, &k, "consent", "{\"case_id\": \"%s\", \"person_id\": \"%s\", \"scope\": \"all\"}", c, p);
    act_post_refused(&a, &k, ERR_USAGE, "given, refused, withdrawn, or not sought");
    (void)act_post(&a, &k, "consent",
                   "{\"case_id\": \"%s\", \"person_id\": \"%s\", \"scope\": \"all\", \"state\": \"yes\"}", c, p);
    act_post_refused(&a, &k, ERR_USAGE, "state is one of");
    act_world_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_agencies_are_asked_and_who_could_not_be_is_named),
        cmocka_unit_test(a_question_is_answered_with_what_is_known),
        cmocka_unit_test(a_sheet_with_faults_is_answered_line_by_line_and_changes_nothing),
        cmocka_unit_test(what_is_released_is_what_was_shown),
        cmocka_unit_test(a_preview_of_the_whole_record_is_a_look),
        cmocka_unit_test(asks_for_a_release_go_out_are_refused_and_taken_back),
        cmocka_unit_test(consent_says_what_it_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
