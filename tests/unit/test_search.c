/* Whoever searches finds what stands on this device, however it is written, and what is typed is never a command. */
#include "tests/lib/search_world.h"

#include "node/search.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    RED = 1,
    CLOSED,
    GREEN,
    VOIDED,
    JANE = 11,
    ZOE,
    OBRIEN,
    GONE_PERSON,
    NUMBER = 21,
    PHONE,
    HIDDEN_PHONE,
    ADDRESS,
    BRIEF = 31,
    REFERRAL,
    OPEN_RECORD = 41,
    SECRET_RECORD,
    VOID_RECORD,
    OLD_RECORD,
    GREEN_RECORD,
    RELEASE = 51,
    POINTER,
    WARNING,
    MEETING,
    FEEDBACK,
    ACTION,
    SECRET_ACTION,
    REQUEST,
    VOID_CASE_RECORD,
};

static const struct search_tell rows[] = {
    {OP_INSERT, "case_file", RED, RED, "reference=C-K7QX2M4P;area=north;rag=red;status=new;received_at=#1700000000000"},
    {OP_INSERT, "case_file", CLOSED, CLOSED, "reference=C-AAAABBBB;rag=red;status=closed;received_at=#1700000009000"},
    {OP_INSERT, "case_file", GREEN, GREEN,
     "reference=C-CCCCDDDD;rag=green;status=gathering;received_at=#1700000005000"},
    {OP_INSERT, "case_file", VOIDED, VOIDED, "reference=C-EEEEFFFF;rag=red;status=new;voided_at=#5"},
    {OP_INSERT, "person", JANE, RED, "role=child;given_names=Jane Mary;family_name=Smith;born_on=2015-03-02"},
    {OP_INSERT, "person", ZOE, GREEN,
     "role=child;given_names=Zo\xc3\xab;family_name=Gr\xc3\xbc\xc3\x9f-\xc5\x81uczak;born_on=2015-03-02"},
    {OP_INSERT, "person", OBRIEN, CLOSED,
     "role=adult;given_names=Sean;family_name=O\xe2\x80\x99"
     "Brien"},
    {OP_INSERT, "person", GONE_PERSON, RED, "role=adult;given_names=Mistaken;family_name=Person;voided_at=#9"},
    {OP_INSERT, "identifier", NUMBER, RED, "person_id=@11;scheme=nhs;value=9434765919"},
    {OP_INSERT, "contact", PHONE, RED, "person_id=@11;kind=phone;value=(01686) 411 000;note=mornings"},
    {OP_INSERT, "contact", HIDDEN_PHONE, RED, "person_id=@11;kind=phone;value=07700 900123;protected=#1"},
    {OP_INSERT, "contact", ADDRESS, RED, "person_id=@11;kind=address;value=4 Mill Lane, Llanidloes SY18 6AB"},
    {OP_INSERT, "brief", BRIEF, RED, "summary=A bruise on the left arm, seen at school"},
    {OP_INSERT, "referral", REFERRAL, RED, "referrer=Ysgol Dyffryn;external_ref=EXT/2024/0099"},
    {OP_INSERT, "record", OPEN_RECORD, RED,
     "person_id=@11;title=Home visit;body=The mother's partner was shouting. Weather calm;sensitivity=open;occurred_at=#1700000000000"},
    {OP_INSERT, "record", SECRET_RECORD, RED, "title=Clinic;body=Termination discussed;sensitivity=sensitive"},
    {OP_INSERT, "record", VOID_RECORD, RED, "title=Wrongly;body=wombatlike;sensitivity=open;voided_at=#7"},
    {OP_INSERT, "record", OLD_RECORD, CLOSED, "title=Visit;body=bruise again;sensitivity=open"},
    {OP_INSERT, "record", GREEN_RECORD, GREEN, "title=Visit;body=one old bruise;sensitivity=open"},
    {OP_INSERT, "release", RELEASE, RED, "to_agency=health;state=granted;how=whole;title=Told;body=methadone script"},
    {OP_INSERT, "pointer", POINTER, RED, "note=We hold intelligence"},
    {OP_INSERT, "warning", WARNING, RED, "note=Large alsatian loose"},
    {OP_INSERT, "meeting", MEETING, RED, "kind=strategy;outcome=Joint enquiry agreed;chair=Mair Evans"},
    {OP_INSERT, "feedback", FEEDBACK, RED, "to_agency=health;body=Thankyou everyone;to_name=Dr Pugh"},
    {OP_INSERT, "action", ACTION, RED, "title=Telephone grandmother;note=before Friday"},
    {OP_INSERT, "action", SECRET_ACTION, RED, "title=Welfare check unannounced;sensitive=#1"},
    {OP_INSERT, "request", REQUEST, RED, "to_agency=health;question=Any immunisations missed?;state=open"},
    {OP_INSERT, "record", VOID_CASE_RECORD, VOIDED, "title=Never;body=numbatlike;sensitivity=open"},
};

static int set_up(void **state)
{
    struct search_world *s = calloc(1, sizeof *s);
    assert_non_null(s);
    search_world_new(s);
    search_world_tell(s, rows, sizeof rows / sizeof rows[0]);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    search_world_free(*state);
    free(*state);
    return 0;
}

static void every_kind_of_text_is_searched(void **state)
{
    static const struct {
        const char *text, *table;
        unsigned id;
    } want[] = {
        {"jane", "person", JANE},
        {"9434765919", "identifier", NUMBER},
        {"mornings", "contact", PHONE},
        {"llanidloes", "contact", ADDRESS},
        {"bruise school", "brief", BRIEF},
        {"dyffryn", "referral", REFERRAL},
        {"shouting", "record", OPEN_RECORD},
        {"clinic", "record", SECRET_RECORD},
        {"methadone", "release", RELEASE},
        {"intelligence", "pointer", POINTER},
        {"alsatian", "warning", WARNING},
        {"enquiry", "meeting", MEETING},
        {"pugh", "feedback", FEEDBACK},
        {"grandmother", "action", ACTION},
        {"immunisations", "request", REQUEST},
        {"K7QX2M4P", "case_file", RED},
    };
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        if (!search_world_finds(*state, want[i].text, want[i].table, want[i].id))
            fail_msg("%s is not found", want[i].text);
    }
}

static void case_accents_and_apostrophes_do_not_matter(void **state)
{
    assert_true(search_world_finds(*state, "ZOE GRUSS LUCZAK", "person", ZOE));
    assert_true(search_world_finds(*state, "zo\xc3\xab", "person", ZOE));
    assert_true(
        search_world_finds(*state, "zoe\xcc\x88 gr\xc3\xbc\xc3\x9f", "person", ZOE)); /* an accent that combines */
    assert_true(search_world_finds(*state, "o'brien", "person", OBRIEN));
    assert_true(search_world_finds(*state, "OBRIEN", "person", OBRIEN));
    assert_true(search_world_finds(*state, "brien", "person", OBRIEN));
    assert_true(search_world_finds(*state, "mother shouting", "record", OPEN_RECORD)); /* it says: mother's */
}

static void words_may_come_in_any_order_and_the_last_may_be_begun(void **state)
{
    assert_true(search_world_finds(*state, "smith jane", "person", JANE));
    assert_true(search_world_finds(*state, "partner weath", "record", OPEN_RECORD));
    assert_int_equal(search_world_hits(*state, "weath partner"), 0); /* only the last */
    assert_int_equal(search_world_hits(*state, "partner wolf"), 0);
}

static void words_of_one_case_are_found_together_though_they_stand_in_several_rows(void **state)
{
    assert_true(search_world_finds(*state, "smith shouting", "person", JANE));
    assert_true(search_world_finds(*state, "smith shouting", "record", OPEN_RECORD));
    assert_int_equal(search_world_hits(*state, "smith luczak"), 0); /* of two cases */
}

static void a_phrase_is_found_only_as_it_stands(void **state)
{
    assert_true(search_world_finds(*state, "\"left arm\"", "brief", BRIEF));
    assert_true(search_world_finds(*state, "school \"bruise on the left\"", "brief", BRIEF));
    assert_int_equal(search_world_hits(*state, "\"arm left\""), 0);
    assert_int_equal(search_world_hits(*state, "\"left scho\""), 0);  /* nothing in marks is only begun */
    assert_int_equal(search_world_hits(*state, "\"jane smith\""), 0); /* Jane Mary Smith */
    assert_true(search_world_finds(*state, "\"mary smith\"", "person", JANE));
}

/* Which words stand side by side the index knows; so it must know all ways to read them. */
static void a_phrase_is_found_in_whatever_way_its_words_are_written(void **state)
{
    static const char *const phrases[] = {"\"the mother's partner was\"",
                                          "\"mothers partner\"",
                                          "\"mother partner\"",
                                          "\"THE MOTHER\"",
                                          "\"01686 411 000\"",
                                          "\"sy18 6ab\"",
                                          "\"o'brien\""};
    static const char *const absent[] = {"\"mother was\"", "\"visit the\"", "\"411 01686\"", "\"partner mother\""};
    for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++)
        if (search_world_hits(*state, phrases[i]) != 1) fail_msg("%s", phrases[i]);
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++)
        if (search_world_hits(*state, absent[i]) != 0) fail_msg("%s", absent[i]);
}

static void a_phrase_is_found_in_a_very_long_text(void **state)
{
    struct search_world *s = *state;
    struct buf text;
    uint8_t id[16];
    buf_init(&text, 1u << 20);
    for (unsigned i = 0; i < 60000; i++) buf_printf(&text, "w%u ", i * 7919 % 60013);
    buf_put_str(&text, "penultimate words");
    mock_id(id, OLD_RECORD);
    (void)mock_set(s->w.node, "record", id, "body", buf_cstr(&text));
    assert_true(search_world_finds(s, "\"penultimate words\"", "record", OLD_RECORD));
    assert_true(search_world_finds(s, "\"w0 w7919\"", "record", OLD_RECORD));
    assert_int_equal(search_world_hits(s, "\"w0 w7920\""), 0);
    (void)mock_set(s->w.node, "record", id, "body", "short now");
    assert_int_equal(search_world_hits(s, "\"penultimate words\""), 0);
    assert_true(search_world_finds(s, "\"short now\"", "record", OLD_RECORD));
    buf_release(&text);
}

static void numbers_are_found_however_they_are_grouped(void **state)
{
    static const char *const nhs[] = {"943 476 5919", "943-476-5919", "9434765919",
                                      "943 4765919",  "94347659",     "943 476 59"};
    for (size_t i = 0; i < sizeof nhs / sizeof nhs[0]; i++)
        if (!search_world_finds(*state, nhs[i], "identifier", NUMBER)) fail_msg("%s", nhs[i]);
    assert_true(search_world_finds(*state, "01686 411000", "contact", PHONE));
    assert_true(search_world_finds(*state, "01686411000", "contact", PHONE));
    assert_true(search_world_finds(*state, "411 000", "contact", PHONE));
    assert_true(search_world_finds(*state, "sy186ab", "contact", ADDRESS));
    assert_true(search_world_finds(*state, "SY18 6AB", "contact", ADDRESS));
    assert_true(search_world_finds(*state, "2015-03-02", "person", JANE));
    assert_true(search_world_finds(*state, "ext 2024 0099", "referral", REFERRAL));
    assert_true(search_world_finds(*state, "smith 943 476 5919", "identifier", NUMBER));
}

static const char *first(struct json *found, const char *key)
{
    return json_get_str(json_at(json_get(found, "hits"), 0), key);
}

static void exact_numbers_come_first_then_open_cases_then_the_graver(void **state)
{
    struct json *found = search_world_ask(*state, "bruise"), *hits = json_get(found, "hits");
    assert_int_equal(json_len(hits), 3);
    assert_string_equal(json_get_str(json_at(hits, 0), "reference"), "C-K7QX2M4P");
    assert_string_equal(json_get_str(json_at(hits, 1), "reference"), "C-CCCCDDDD"); /* open, though green */
    assert_string_equal(json_get_str(json_at(hits, 2), "reference"), "C-AAAABBBB");
    json_free(found);
    static const struct search_tell more[] = {
        {OP_INSERT, "record", 70, RED, "title=See also C-AAAABBBB;sensitivity=open"}};
    search_world_tell(*state, more, 1);
    found = search_world_ask(*state, "c-aaaabbbb");
    assert_string_equal(first(found, "tbl"), "case_file");
    assert_string_equal(first(found, "reference"), "C-AAAABBBB");
    assert_int_equal(json_len(json_get(found, "hits")), 2);
    json_free(found);
}

static void the_words_that_were_found_are_marked_in_their_text(void **state)
{
    struct json *found = search_world_ask(*state, "shouting partner");
    struct json *snippet = json_get(json_at(json_get(found, "hits"), 0), "snippet");
    char marked[128] = "", all[512] = "";
    for (size_t i = 0; i < json_len(snippet); i++) {
        const char *text = json_get_str(json_at(snippet, i), "text");
        strcat(all, text);
        if (json_get_bool(json_at(snippet, i), "hit", false)) strcat(strcat(marked, text), "|");
    }
    assert_string_equal(marked, "partner|shouting|");
    assert_string_equal(all, "The mother's partner was shouting. Weather calm");
    assert_string_equal(first(found, "person"), "Jane Mary Smith");
    assert_string_equal(first(found, "at"), "2023-11-14T22:13:20.000Z");
    json_free(found);
}

static void what_was_taken_back_is_not_found(void **state)
{
    assert_int_equal(search_world_hits(*state, "wombatlike"), 0);
    assert_int_equal(search_world_hits(*state, "mistaken"), 0);
    assert_int_equal(search_world_hits(*state, "numbatlike"), 0); /* nor in a case that was */
    assert_int_equal(search_world_hits(*state, "C-EEEEFFFF"), 0);
    assert_int_equal(search_world_in_index(*state, "wombatlike"), 0);
    assert_int_equal(search_world_in_index(*state, "numbatlike"), 0);
}

static void refused(struct search_world *s, const char *text, enum err want, const char *words)
{
    struct json *found = NULL;
    struct why why = {0};
    assert_int_equal(look_search(s->w.node, text, 0, &found, &why), want);
    assert_null(found);
    if (strstr(why.text, words) == NULL) fail_msg("%s", why.text);
    assert_true(why.next[0] != '\0');
}

static void hostile_queries_are_taken_literally(void **state)
{
    static const char *const queries[] = {
        "jane\"",
        "\"jane",
        "\"\"\"jane",
        "\"jane\" \"",
        "jane*",
        "jane AND",
        "title:jane",
        "NEAR(jane smith)",
        "jane OR",
        "(jane",
        "^jane",
        "-jane",
        "jane'; DROP TABLE person; --",
        "%jane%",
        "jane_",
        "{jane}",
        "\\jane",
        "jane \x01\x02",
        "\" \" jane",
        "jane NOT",
    };
    char words[201], long_word[201];
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        struct json *found = search_world_ask(*state, queries[i]);
        json_free(found);
    }
    assert_true(search_world_finds(*state, "jane*", "person", JANE));
    assert_true(search_world_finds(*state, "\"jane", "person", JANE));
    assert_true(search_world_finds(*state, "%jane%", "person", JANE));
    assert_int_equal(search_world_hits(*state, "jane OR zoe"), 0); /* three words, and no case has all of them */
    assert_int_equal(search_world_hits(*state, "NEAR(jane smith)"), 0);
    memset(long_word, 'a', 200);
    long_word[200] = '\0';
    assert_int_equal(search_world_hits(*state, long_word), 0);
    for (size_t i = 0; i < 200; i++) words[i] = i % 2 == 0 ? 'a' : ' ';
    words[200] = '\0';
    refused(*state, words, ERR_LIMIT, "16 words");
    refused(*state, "", ERR_USAGE, "nothing to search");
    refused(*state, " \"*\" -- ", ERR_USAGE, "nothing to search");
    refused(*state, "jane \xff", ERR_USAGE, "cannot be read");
    refused(*state, "\xc0\xaf", ERR_USAGE, "cannot be read");
    char *much = malloc(60001);
    assert_non_null(much);
    for (size_t i = 0; i < 60000; i++) much[i] = "jane  "[i % 6];
    much[60000] = '\0';
    refused(*state, much, ERR_LIMIT, "too long");
    free(much);
    assert_int_equal(mock_ask(((struct search_world *)*state)->w.node, "SELECT count(*) FROM person"), 4);
}

/* More than is shown, and that is said. */
static void of_too_many_hits_the_first_are_shown(void **state)
{
    struct search_tell many[60];
    for (unsigned i = 0; i < 60; i++)
        many[i] = (struct search_tell){OP_INSERT, "case_file", 200 + i, 200 + i, "reference=Common thing;rag=amber"};
    search_world_tell(*state, many, 60);
    struct json *found = search_world_ask(*state, "common");
    assert_int_equal(json_len(json_get(found, "hits")), 50);
    assert_int_equal(json_get_int(found, "total", 0), 50);
    assert_true(json_get_bool(found, "truncated", false));
    json_free(found);
    assert_int_equal(look_search(((struct search_world *)*state)->w.node, "common", 5, &found, NULL), ERR_OK);
    assert_int_equal(json_len(json_get(found, "hits")), 5);
    json_free(found);
    found = search_world_ask(*state, "bruise");
    assert_false(json_get_bool(found, "truncated", true));
    json_free(found);
}

static void own_edits_are_found_before_they_are_sent(void **state)
{
    struct search_world *s = *state;
    uint8_t id[16];
    assert_int_equal(search_world_hits(s, "xylophone"), 0);
    mock_id(id, BRIEF);
    (void)mock_set(s->w.node, "brief", id, "summary", "Heard a xylophone");
    assert_true(search_world_finds(s, "xylophone", "brief", BRIEF));
    assert_int_equal(search_world_hits(s, "\"left arm\""), 0);
    assert_int_equal(node_edit_begin(s->w.node, NULL), ERR_OK);
    assert_int_equal(search_world_hits(s, "xylophone"), 1); /* while somebody writes, too */
    node_edit_cancel(s->w.node);
}

/* ------------------------------------------------------------------------------------------------------ duplicates */

static size_t duplicates(struct search_world *s, const char *family, const char *given, const char *born)
{
    struct json *list = NULL;
    enum err e = look_duplicates(s->w.node, family, given, born, &list, &s->why);
    if (e != ERR_OK) fail_msg("%s", s->why.text);
    size_t n = json_len(list);
    json_free(list);
    return n;
}

static void a_person_who_is_known_is_recognised(void **state)
{
    struct search_world *s = *state;
    assert_int_equal(duplicates(s, "SMITH", "jane mary", NULL), 1);
    assert_int_equal(duplicates(s, "Gruss Luczak", "Zoe", NULL), 1); /* without hyphen and accents */
    assert_int_equal(duplicates(s, "Jane Mary", "Smith", NULL), 1);  /* the one taken for the other */
    assert_int_equal(duplicates(s, "Smith", "Janet", NULL), 0);
    assert_int_equal(duplicates(s, "Smythe", "J", "2015-03-02"), 1); /* same day, same letter */
    assert_int_equal(duplicates(s, "Other", "Zelda", "2015-03-02"), 1);
    assert_int_equal(duplicates(s, "Other", "Quentin", "2015-03-02"), 0);
    assert_int_equal(duplicates(s, NULL, NULL, "2015-03-02"), 2);
    assert_int_equal(duplicates(s, "Person", "Mistaken", NULL), 0); /* taken back */
    struct json *list = NULL;
    assert_int_equal(look_duplicates(s->w.node, "obrien",
                                     "s\xc3\xa9"
                                     "an",
                                     NULL, &list, NULL),
                     ERR_OK);
    assert_string_equal(json_get_str(json_at(list, 0), "reference"), "C-AAAABBBB");
    assert_string_equal(json_get_str(json_at(list, 0), "name"), "Sean O\xe2\x80\x99"
                                                                "Brien");
    assert_string_equal(json_get_str(json_at(list, 0), "status"), "closed");
    json_free(list);
}

static void too_little_of_a_person_is_refused(void **state)
{
    struct search_world *s = *state;
    static const char *const asked[][3] = {
        {"Smith", NULL, NULL}, {NULL, "Jane", NULL}, {NULL, NULL, NULL}, {"S", "J", "yesterday"}, {"\xff", "J", NULL}};
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        struct json *list = NULL;
        struct why why = {0};
        assert_int_equal(look_duplicates(s->w.node, asked[i][0], asked[i][1], asked[i][2], &list, &why), ERR_USAGE);
        assert_null(list);
        assert_true(why.text[0] != '\0' && why.next[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_kind_of_text_is_searched, set_up, tear_down),
        cmocka_unit_test_setup_teardown(case_accents_and_apostrophes_do_not_matter, set_up, tear_down),
        cmocka_unit_test_setup_teardown(words_may_come_in_any_order_and_the_last_may_be_begun, set_up, tear_down),
        cmocka_unit_test_setup_teardown(words_of_one_case_are_found_together_though_they_stand_in_several_rows, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_phrase_is_found_only_as_it_stands, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_phrase_is_found_in_whatever_way_its_words_are_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_phrase_is_found_in_a_very_long_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(numbers_are_found_however_they_are_grouped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(exact_numbers_come_first_then_open_cases_then_the_graver, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_words_that_were_found_are_marked_in_their_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_taken_back_is_not_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hostile_queries_are_taken_literally, set_up, tear_down),
        cmocka_unit_test_setup_teardown(of_too_many_hits_the_first_are_shown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(own_edits_are_found_before_they_are_sent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_person_who_is_known_is_recognised, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_little_of_a_person_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
