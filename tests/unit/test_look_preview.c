/* What somebody reads before a case is shared, or the sharing ends: in words, from the hub where there was contact, by
 * the rules where there was none. */
#include "node/look_preview.h"
#include "node/look_reply.h"
#include "tests/lib/two_ends_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct json *look(struct ends_node *n, const struct look_preview *in, bool ask)
{
    struct json *out = NULL;
    struct why why = {0};
    enum err e = look_preview(n->n, in, ask, &out, &why);
    if (e != ERR_OK) fail_msg("%s: %s", err_word(e), why.text);
    return out;
}

static bool says(struct json *o, const char *words)
{
    struct json *lines = json_get(o, "lines");
    for (size_t i = 0; i < json_len(lines); i++)
        if (strstr(json_get_str(json_at(lines, i), "text"), words) != NULL) return true;
    return false;
}

static bool rule_says(struct json *o, const char *words)
{
    struct json *rule = json_get(o, "rule");
    for (size_t i = 0; i < json_len(rule); i++)
        if (strstr(json_as_str(json_at(rule, i)), words) != NULL) return true;
    return false;
}

static void record(struct ends_node *n, const uint8_t case_id[16])
{
    uint8_t id[16];
    env_new_id(&n->f->env, id);
    ends_begin(n);
    struct row r = ends_row(n, "record", id, case_id);
    ends_text(&r, "kind", "note");
    ends_text(&r, "title", "seen");
    ends_text(&r, "sensitivity", "open");
    ends_put(n, &r);
    ends_send(n);
}

static void what_would_leave_is_said_in_words_after_contact_and_nothing_leaves(void **state)
{
    struct ends_case k;
    (void)state;
    ends_case(&k);
    record(ann, k.c);
    record(ann, k.c);
    ends_all_sync();
    const struct look_preview in = {.case_id = k.c, .agency = "school", .unshare = true};
    struct json *o = look(ann, &in, false);
    assert_null(json_get_str(o, "asked_at"));
    assert_true(rule_says(o, "leaves their devices")); /* without having asked anybody */
    json_free(o);
    o = look(ann, &in, true);
    assert_non_null(json_get_str(o, "asked_at"));
    assert_null(json_get_str(o, "replied_at"));
    json_free(o);
    (void)ends_sync(ann, ERR_OK);
    o = look(ann, &in, false);
    assert_non_null(json_get_str(o, "replied_at"));
    assert_non_null(json_get_str(o, "hub_at"));
    assert_true(says(o, "2 records would leave"));
    assert_true(says(o, "1 person would leave"));
    assert_true(says(o, "1 of its devices holds the case now"));
    assert_false(says(o, "case_file"));
    json_free(o);
    ends_is_quiet(sam);
}

static void each_way_of_taking_part_is_a_question_of_its_own(void **state)
{
    struct ends_case k;
    (void)state;
    ends_case(&k);
    record(ann, k.c);
    ends_begin(ann);
    ends_set(ann, "participant", k.parts[1], "access", value_str("none"));
    ends_send(ann);
    ends_all_sync();
    struct look_preview in = {.case_id = k.c, .agency = "school", .access = "check"};
    json_free(look(ann, &in, true));
    (void)ends_sync(ann, ERR_OK);
    struct json *o = look(ann, &in, false);
    assert_true(says(o, "1 person would appear"));
    assert_false(says(o, "record"));
    assert_true(rule_says(o, "no record of another agency"));
    json_free(o);
    in.access = "view";
    o = look(ann, &in, false);
    assert_null(json_get_str(o, "replied_at")); /* what was said of checking is no answer to this */
    json_free(look(ann, &in, true));
    (void)ends_sync(ann, ERR_OK);
    json_free(o);
    o = look(ann, &in, false);
    assert_true(says(o, "1 record would appear"));
    assert_true(rule_says(o, "each record that is not sensitive"));
    json_free(o);
    ends_all_sync();
}

static void who_does_not_decide_is_told_nothing_of_others(void **state)
{
    struct ends_case k;
    (void)state;
    ends_case(&k);
    const struct look_preview in = {.case_id = k.c, .agency = "school", .unshare = true};
    json_free(look(pol, &in, true));
    (void)ends_sync(pol, ERR_OK);
    struct json *o = look(pol, &in, false);
    assert_non_null(json_get_str(o, "replied_at"));
    assert_int_equal(json_len(json_get(o, "lines")), 0);
    json_free(o);
}

static void what_cannot_be_asked_is_refused_before_it_is_kept(void **state)
{
    struct ends_case k;
    struct json *out = NULL;
    struct why why = {0};
    uint8_t none[16];
    char site[LOOK_PREVIEW_CHARS];
    (void)state;
    ends_case(&k);
    memset(site, 'x', sizeof site - 1);
    site[sizeof site - 1] = '\0';
    env_new_id(&ends_hub->env, none);
    const struct {
        struct look_preview in;
        enum err want;
    } cases[] = {{{.case_id = k.c}, ERR_USAGE},
                 {{.case_id = k.c, .agency = ""}, ERR_USAGE},
                 {{.case_id = k.c, .agency = "school", .access = "own"}, ERR_USAGE},
                 {{.case_id = k.c, .agency = "school", .access = "view", .site = site}, ERR_USAGE},
                 {{.case_id = none, .agency = "school"}, ERR_NOTFOUND}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(look_preview(ann->n, &cases[i].in, true, &out, &why), cases[i].want);
        assert_null(out);
        assert_string_not_equal(why.text, "");
    }
}

/* A table's name is no word for people: each of them has one. */
static void every_table_of_a_case_is_counted_in_words(void **state)
{
    struct buf text;
    (void)state;
    buf_init(&text, 4096);
    for (size_t t = 0; rules_table(t) != NULL; t++) {
        if (rules_table(t)->kind != TABLE_CASE) continue;
        buf_reset(&text);
        look_preview_count(&text, bytes_of_str(rules_table(t)->name), 2);
        assert_memory_equal(buf_cstr(&text), "2 ", 2);
        assert_null(strchr(buf_cstr(&text), '_'));
    }
    buf_reset(&text);
    look_preview_count(&text, bytes_of_str("person"), 1);
    assert_string_equal(buf_cstr(&text), "1 person");
    buf_reset(&text);
    look_preview_count(&text, bytes_of_str("colour"), 2); /* of a newer hub */
    assert_string_equal(buf_cstr(&text), "colour: 2");
    buf_release(&text);
}

int main(void)
{
#define T(name) cmocka_unit_test(name)
    const struct CMUnitTest tests[] = {
        T(what_would_leave_is_said_in_words_after_contact_and_nothing_leaves),
        T(each_way_of_taking_part_is_a_question_of_its_own),
        T(who_does_not_decide_is_told_nothing_of_others),
        T(what_cannot_be_asked_is_refused_before_it_is_kept),
        T(every_table_of_a_case_is_counted_in_words),
    };
    return cmocka_run_group_tests(tests, ends_start, ends_stop);
}
