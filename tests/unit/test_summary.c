/* The one-page summary: what stands in it, and that nothing in the printed page is anything but text. */
#include "cli/html.h"
#include "tests/lib/look_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <libxml/HTMLparser.h>

#include <cmocka.h>

static struct look_world l;

static struct json *made(void)
{
    uint8_t id[16];
    struct json *got = NULL;
    look_id(1, id);
    enum err e = look_summary(l.n, id, &got, &l.why);
    return look_got(&l, e, got);
}

/* The section of this heading; NULL: none. */
static struct json *section(struct json *s, const char *heading)
{
    struct json *list = json_get(s, "sections");
    for (size_t i = 0; i < json_len(list); i++)
        if (strcmp(json_get_str(json_at(list, i), "heading"), heading) == 0) return json_at(list, i);
    return NULL;
}

static void summary_has_household_chronology_and_outcome_in_words(void **state)
{
    (void)state;
    look_sql(&l,
             "INSERT INTO person(id, case_id, agency, role, family_name, given_names, expected_on) VALUES"
             "(@11, @1, 'care', 'parent', 'Wren', 'Eve', NULL), (@12, @1, 'care', 'child', NULL, NULL, '2027-02-01');"
             "INSERT INTO kinship(id, case_id, agency, person_id, relative_id, kind) VALUES(@13, @1, 'care', @10, @11,"
             " 'mother');"
             "INSERT INTO record(id, case_id, agency, kind, title, body, sensitivity, occurred_at) VALUES"
             "(@50, @1, 'police', 'incident', 'Incident', 'At night', 'sensitive', #-400);"
             "INSERT INTO code_list(id, list, code, label) VALUES(@80, 'primary_need', 'N1', 'Abuse or neglect');"
             "UPDATE brief SET decision = 'Assess', decided_at = #-30");
    struct json *s = made();
    assert_string_equal(look_text(s, "title"), "Summary of case C-AAAAAAAA: Ada Wren");
    assert_string_equal(look_text(s, "made_at"), LOOK_NOW);
    assert_string_equal(look_text(s, "made_by.name"), "Mair Evans");
    assert_string_equal(look_text(section(s, "In brief"), "facts.0.value"), "Abuse or neglect");
    struct json *home = section(s, "Household and others");
    assert_string_equal(look_text(home, "kind"), "table");
    assert_string_equal(look_text(home, "rows.0.0"), "Ada Wren");
    assert_string_equal(look_text(home, "rows.0.2"), "2 Mar 2019");
    assert_string_equal(look_text(home, "rows.0.3"), "mother: Eve Wren");
    assert_string_equal(look_text(home, "rows.1.2"), "expected 1 Feb 2027");
    struct json *line = section(s, "Chronology");
    assert_string_equal(look_text(line, "rows.0.2"), "Police");
    assert_string_equal(look_text(line, "rows.0.4"), "At night");
    assert_string_equal(look_text(section(s, "Decision and outcome"), "facts.0.value"), "Assess");
    json_free(s);
}

static void a_summary_of_some_days_says_which_and_how_much_lies_outside(void **state)
{
    uint8_t id[16];
    struct json *s = NULL;
    (void)state;
    look_sql(&l, "INSERT INTO record(id, case_id, agency, kind, title, body, sensitivity, occurred_at) VALUES"
                 "(@50, @1, 'police', 'incident', 'Old', 'BEFORE', 'open', #-9000),"
                 "(@51, @1, 'police', 'incident', 'New', 'WITHIN', 'open', #-1)");
    look_id(1, id);
    enum err e = look_summary_of_days(l.n, id, (struct look_days){"2026-11-24", "2026-11-25"}, &s, &l.why);
    s = look_got(&l, e, s);
    struct json *line = section(s, "Chronology, 24 Nov 2026 to 25 Nov 2026");
    assert_int_equal(json_len(look_at(line, "rows")), 1);
    assert_string_equal(look_text(line, "rows.0.4"), "WITHIN");
    assert_int_equal(look_count_text(s, "BEFORE"), 0);
    assert_string_equal(look_text(line, "notes.0"),
                        "Only these days are shown. 1 entry lies before or after them. What does not say when it happened goes "
                        "by the day on which it was written.");
    assert_string_equal(look_text(s, "from"), "2026-11-24");
    json_free(s);
    s = made();
    assert_non_null(section(s, "Chronology"));
    assert_string_equal(look_text(s, "from"), "-");
    json_free(s);
}

static void summary_says_what_is_withheld(void **state)
{
    (void)state;
    look_sql(&l,
             "INSERT INTO pointer(id, case_id, agency, note, contact) VALUES(@50, @1, 'police', 'Ask before a visit.',"
             " 'Sgt Price, 101')");
    struct json *s = made(), *w = section(s, "Not shown here: ask whoever holds it");
    assert_string_equal(look_text(w, "notes.0"),
                        "Police holds 1 item that it has not shared. Ask before a visit. Ask: Sgt Price, 101.");
    assert_string_equal(
        look_text(w, "notes.1"),
        "An agency may hold more than it says here. This is what your agency may see, not all there is.");
    json_free(s);
}

static void a_summary_is_a_look_at_what_is_sensitive_in_it(void **state)
{
    uint8_t id[16];
    struct json *got = NULL;
    (void)state;
    look_id(1, id);
    look_sql(&l, "INSERT INTO record(id, case_id, agency, title, body, sensitivity) VALUES"
                 "(@50, @1, 'police', 'Incident', 'At night', 'sensitive'); ALTER TABLE n_view RENAME TO n_view_gone");
    assert_int_not_equal(look_summary(l.n, id, &got, &l.why), ERR_OK);
    assert_null(got);
    look_sql(&l, "ALTER TABLE n_view_gone RENAME TO n_view");
    json_free(made());
    assert_int_equal(mock_ask(l.n, "SELECT count(*) FROM n_view"), 1);
}

static void an_empty_case_has_a_page_that_says_so(void **state)
{
    (void)state;
    look_sql(&l, "DELETE FROM person; DELETE FROM brief; DELETE FROM participant");
    struct json *s = made();
    assert_string_equal(look_text(section(s, "Chronology"), "notes.0"),
                        "Nothing has been written yet that your agency may see.");
    assert_string_equal(look_text(section(s, "Household and others"), "notes.0"), "Nobody is named in this case.");
    json_free(s);
}

/* ---------------------------------------------------------------------------------------------------------- HTML */
#define QUOTED "'<script>alert(1)</script><img src=x onerror=alert(1)>\" '' & </td></style><!--]]>'"

static void count(xmlNodePtr n, const char *const *known, size_t n_known, size_t *hostile)
{
    for (; n != NULL; n = n->next) {
        bool ok = n->type != XML_ELEMENT_NODE;
        for (size_t i = 0; i < n_known; i++) ok = ok || strcmp((const char *)n->name, known[i]) == 0;
        if (!ok || n->type == XML_COMMENT_NODE) fail_msg("the page has <%s>", (const char *)n->name);
        for (xmlAttrPtr a = n->type == XML_ELEMENT_NODE ? n->properties : NULL; a != NULL; a = a->next)
            if (strncmp((const char *)a->name, "on", 2) == 0 || strcmp((const char *)a->name, "src") == 0)
                fail_msg("the page has an attribute %s", (const char *)a->name);
        if (n->type == XML_TEXT_NODE && strstr((const char *)n->content, "<script>alert(1)</script>") != NULL)
            ++*hostile;
        count(n->children, known, n_known, hostile);
    }
}

/* Every text column of every table of the case holds the same hostile words, in a page that a browser's rules then
 * read. */
static void hostile_text_stays_text_in_the_html(void **state)
{
    static const char *const known[] = {"html",    "head",  "meta",  "title", "style", "body", "h1", "h2", "p",
                                        "section", "table", "thead", "tbody", "tr",    "th",   "td", "ul", "li"};
    static const char sql[] =
        "UPDATE case_file SET reference = " QUOTED ", area = " QUOTED ";"
        "UPDATE brief SET primary_need = " QUOTED ", presenting_issue = " QUOTED ", summary = " QUOTED
        ", basis = " QUOTED ","
        " rag_reason = " QUOTED ", decision = " QUOTED ", outcome = " QUOTED ", closure_reason = " QUOTED
        ", decided_at = #-1;"
        "UPDATE person SET given_names = " QUOTED ", family_name = " QUOTED ";"
        "UPDATE agency SET name = " QUOTED "; UPDATE practitioner SET name = " QUOTED ";"
        "INSERT INTO kinship(id, case_id, agency, person_id, relative_id, kind) VALUES(@13, @1, 'care', @10, @10, " QUOTED
        ");"
        "INSERT INTO warning(id, case_id, agency, kind, note) VALUES(@14, @1, 'care', " QUOTED ", " QUOTED ");"
        "INSERT INTO episode(id, case_id, agency, kind, result, started_at) VALUES(@15, @1, 'care', " QUOTED ", " QUOTED
        ", #-5);"
        "INSERT INTO request(id, case_id, agency, to_agency, question, state, reason) VALUES(@16, @1, 'care', 'police', " QUOTED
        ", 'declined', " QUOTED ");"
        "INSERT INTO consent(id, case_id, agency, person_id, scope, state) VALUES(@17, @1, 'care', @10, " QUOTED
        ", 'given');"
        "INSERT INTO record(id, case_id, agency, kind, title, body, handling, sensitivity) VALUES(@18, @1, 'police', " QUOTED
        ", " QUOTED ", " QUOTED ", " QUOTED ", 'open');"
        "INSERT INTO pointer(id, case_id, agency, note, contact) VALUES(@19, @1, 'police', " QUOTED ", " QUOTED ");"
        "INSERT INTO meeting(id, case_id, agency, kind, chair, outcome, held_at) VALUES(@20, @1, 'care', " QUOTED
        ", " QUOTED ", " QUOTED ", #-3);"
        "INSERT INTO attendance(id, case_id, agency, meeting_id, practitioner, dissent) VALUES(@21, @1, 'care', @20, @910, " QUOTED
        ");"
        "INSERT INTO feedback(id, case_id, agency, to_agency, to_name, body, sent_at) VALUES(@22, @1, 'care', 'health', " QUOTED
        ", " QUOTED ", #-2)";
    struct buf page;
    size_t hostile = 0;
    (void)state;
    look_sql(&l, sql);
    struct json *s = made();
    buf_init(&page, 1u << 22);
    assert_int_equal(html_summary(s, &page, &l.why), ERR_OK);
    htmlDocPtr doc = htmlReadMemory((const char *)page.data, (int)page.len, NULL, "UTF-8",
                                    HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING | HTML_PARSE_NONET);
    assert_non_null(doc);
    count(xmlDocGetRootElement(doc), known, sizeof known / sizeof known[0], &hostile);
    assert_true(hostile >= 25);
    xmlFreeDoc(doc);
    assert_null(strstr(buf_cstr(&page), "<script"));
    buf_release(&page);
    json_free(s);
}

static void the_page_fetches_nothing_and_runs_nothing(void **state)
{
    struct buf page;
    (void)state;
    struct json *s = made();
    buf_init(&page, 1u << 22);
    assert_int_equal(html_summary(s, &page, &l.why), ERR_OK);
    const char *text = buf_cstr(&page);
    assert_int_equal(strncmp(text, "<!DOCTYPE html>", 15), 0);
    assert_non_null(strstr(text, "default-src 'none'; style-src 'unsafe-inline'"));
    assert_non_null(strstr(text, "<td>Ada Wren</td>"));
    static const char *const none[] = {"http:",   "https:", "src=",    "href=", "url(",
                                       "@import", "<link",  "<script", "<td/>"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        if (strstr(text, none[i]) != NULL) fail_msg("the page has %s", none[i]);
    buf_release(&page);
    json_free(s);
}

/* Characters that steer terminals or that no XML has, and a text longer than any piece of it. */
static void odd_characters_neither_break_the_page_nor_vanish(void **state)
{
    struct buf page, sql;
    (void)state;
    buf_init(&sql, 1u << 16);
    buf_put_str(&sql, "UPDATE brief SET summary = 'bell' || char(7) || 'esc' || char(27) || 'a");
    for (int i = 0; i < 700; i++) buf_put_str(&sql, "王");
    buf_put_str(&sql, "end'");
    look_sql(&l, buf_cstr(&sql));
    struct json *s = made();
    buf_init(&page, 1u << 22);
    assert_int_equal(html_summary(s, &page, &l.why), ERR_OK);
    const char *text = buf_cstr(&page);
    assert_non_null(strstr(text, "bell esc a王王"));
    assert_non_null(strstr(text, "王王end"));
    size_t n = 0;
    for (const char *p = text; (p = strstr(p, "王")) != NULL; p += strlen("王")) n++;
    assert_int_equal(n, 700);
    for (size_t i = 0; i < page.len; i++) assert_true(page.data[i] >= ' ' || page.data[i] == '\n');
    buf_release(&page);
    buf_release(&sql);
    json_free(s);
}

static int set_up(void **state)
{
    (void)state;
    look_world_new(&l);
    return 0;
}
static int tear_down(void **state)
{
    (void)state;
    look_world_free(&l);
    return 0;
}
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(summary_has_household_chronology_and_outcome_in_words),
        TEST(a_summary_of_some_days_says_which_and_how_much_lies_outside),
        TEST(summary_says_what_is_withheld),
        TEST(a_summary_is_a_look_at_what_is_sensitive_in_it),
        TEST(an_empty_case_has_a_page_that_says_so),
        TEST(hostile_text_stays_text_in_the_html),
        TEST(the_page_fetches_nothing_and_runs_nothing),
        TEST(odd_characters_neither_break_the_page_nor_vanish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
