/* Texts of sensitive records and of releases are found and not shown, and whose they are learns of it. */
#include "tests/lib/search_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    RED = 1,
    CLOSED,
    GREEN,
    JANE = 11,
    ZOE,
    HIDDEN_PHONE = 21,
    OPEN_RECORD = 41,
    SECRET_RECORD,
    OLD_RECORD,
    RELEASE = 51,
    WARNING,
    SECRET_ACTION,
};

static const struct search_tell rows[] = {
    {OP_INSERT, "case_file", RED, RED, "reference=C-K7QX2M4P;area=north;rag=red;status=new;received_at=#1700000000000"},
    {OP_INSERT, "case_file", CLOSED, CLOSED, "reference=C-AAAABBBB;rag=red;status=closed;received_at=#1700000009000"},
    {OP_INSERT, "case_file", GREEN, GREEN, "reference=C-CCCCDDDD;rag=green;status=gathering"},
    {OP_INSERT, "person", JANE, RED, "role=child;given_names=Jane Mary;family_name=Smith"},
    {OP_INSERT, "person", ZOE, GREEN, "role=child;given_names=Zoe;family_name=Luczak"},
    {OP_INSERT, "contact", HIDDEN_PHONE, RED, "person_id=@11;kind=phone;value=07700 900123;protected=#1"},
    {OP_INSERT, "record", OPEN_RECORD, RED, "title=Home visit;body=The partner was shouting;sensitivity=open"},
    {OP_INSERT, "record", SECRET_RECORD, RED, "title=Clinic;body=Termination discussed;sensitivity=sensitive"},
    {OP_INSERT, "record", OLD_RECORD, CLOSED, "title=Visit;body=bruise again;sensitivity=open"},
    {OP_INSERT, "release", RELEASE, RED, "to_agency=health;state=granted;how=whole;title=Told;body=methadone script"},
    {OP_INSERT, "warning", WARNING, RED, "note=Large alsatian loose"},
    {OP_INSERT, "action", SECRET_ACTION, RED, "title=Welfare check unannounced;sensitive=#1"},
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

static const char *first(struct json *found, const char *key)
{
    return json_get_str(json_at(json_get(found, "hits"), 0), key);
}

static void a_sensitive_record_is_found_without_its_text(void **state)
{
    static const struct {
        const char *text, *where;
    } secret[] = {{"termination", "a sensitive record"},
                  {"methadone", "a permission to share"},
                  {"07700 900123", "a protected contact detail"},
                  {"unannounced", "a sensitive action"}};
    struct search_world *s = *state;
    for (size_t i = 0; i < sizeof secret / sizeof secret[0]; i++) {
        struct buf text;
        struct json *found = search_world_ask(s, secret[i].text);
        buf_init(&text, 1u << 20);
        assert_int_equal(json_len(json_get(found, "hits")), 1);
        assert_string_equal(first(found, "where"), secret[i].where);
        assert_true(json_has(json_at(json_get(found, "hits"), 0), "snippet"));
        assert_null(json_get_str(json_at(json_get(json_at(json_get(found, "hits"), 0), "snippet"), 0), "text"));
        assert_int_equal(json_write(found, &text, NULL), ERR_OK);
        assert_null(strcasestr(buf_cstr(&text), "termination"));
        assert_null(strcasestr(buf_cstr(&text), "methadone"));
        assert_null(strstr(buf_cstr(&text), "900"));
        assert_null(strstr(buf_cstr(&text), "unannounced"));
        buf_release(&text);
        json_free(found);
    }
}

static int64_t looks_noted(struct search_world *s, unsigned row)
{
    struct stmt *q = NULL;
    uint8_t id[16];
    bool there = false;
    mock_id(id, row);
    assert_int_equal(db_prepare(node_db(s->w.node), "SELECT count(*) FROM n_view WHERE id = $1", &q, NULL), ERR_OK);
    db_bind_id(q, 1, id);
    assert_int_equal(db_step(q, &there, NULL), ERR_OK);
    int64_t n = db_int(q, 0);
    db_done(q);
    return n;
}

/* Else the words of a record could be found out one by one, and nobody would ever know. */
static void finding_a_sensitive_record_is_a_look_at_it(void **state)
{
    struct search_world *s = *state;
    (void)search_world_hits(s, "jane");
    (void)search_world_hits(s, "bruise");
    (void)search_world_hits(s, "07700 900123");
    (void)search_world_hits(s, "unannounced");
    (void)search_world_hits(s, "termination zoe"); /* of two cases: not found */
    assert_int_equal(mock_ask(s->w.node, "SELECT count(*) FROM n_view"), 0);
    struct json *found = search_world_ask(s, "te");
    assert_string_equal(first(found, "agency"), "care");
    json_free(found);
    assert_int_equal(looks_noted(s, SECRET_RECORD), 1); /* by two letters of it, and by more in the same hour */
    (void)search_world_hits(s, "term");
    (void)search_world_hits(s, "termination discussed");
    assert_int_equal(looks_noted(s, SECRET_RECORD), 1);
    (void)search_world_hits(s, "methadone");
    assert_int_equal(looks_noted(s, RELEASE), 1);
    assert_int_equal(mock_ask(s->w.node, "SELECT count(*) FROM n_view"), 2);
}

/* Three rows with two of the words each are shown, and say nothing of where the third stands. */
static void a_look_is_noted_also_where_other_rows_are_shown(void **state)
{
    struct search_world *s = *state;
    static const struct search_tell more[] = {
        {OP_INSERT, "record", 70, CLOSED, "title=aardvark badger;sensitivity=open"},
        {OP_INSERT, "record", 71, CLOSED, "title=aardvark badger;sensitivity=open"},
        {OP_INSERT, "record", 72, CLOSED, "title=aardvark badger;sensitivity=open"},
        {OP_INSERT, "record", 73, CLOSED, "title=capybara;sensitivity=restricted"},
        {OP_INSERT, "record", 74, CLOSED, "title=badger;sensitivity=restricted"},
    };
    search_world_tell(s, more, 5);
    assert_int_equal(search_world_hits(s, "aardvark badger"), 3);
    assert_int_equal(mock_ask(s->w.node, "SELECT count(*) FROM n_view"), 0);
    assert_int_equal(search_world_hits(s, "aardvark badger capy"), 3);
    assert_int_equal(looks_noted(s, 73), 1);
    assert_int_equal(looks_noted(s, 74), 0); /* the word stands in the others too */
}

/* A search for few hits whose first is somebody's own row would tell whether a record behind it has the word. */
static void a_full_answer_says_the_same_whether_or_not_there_is_more(void **state)
{
    struct search_world *s = *state;
    static const char *const texts[] = {"shouting", "termination", "alsatian"};
    for (size_t i = 0; i < 3; i++) {
        struct json *found = NULL;
        assert_int_equal(look_search(s->w.node, texts[i], 1, &found, NULL), ERR_OK);
        assert_int_equal(json_len(json_get(found, "hits")), 1);
        assert_true(json_get_bool(found, "truncated", false));
        json_free(found);
    }
}

static void what_cannot_be_noted_is_not_told(void **state)
{
    struct search_world *s = *state;
    struct json *found = NULL;
    struct why why = {0};
    (void)search_world_hits(s, "jane");
    assert_int_equal(node_edit_begin(s->w.node, NULL), ERR_OK);
    assert_int_equal(look_search(s->w.node, "termination", 0, &found, &why), ERR_BUSY);
    assert_null(found);
    node_edit_cancel(s->w.node);
    assert_int_equal(search_world_hits(s, "termination"), 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, search_world_tear_down)
    const struct CMUnitTest tests[] = {
        T(a_sensitive_record_is_found_without_its_text),
        T(finding_a_sensitive_record_is_a_look_at_it),
        T(a_look_is_noted_also_where_other_rows_are_shown),
        T(a_full_answer_says_the_same_whether_or_not_there_is_more),
        T(what_cannot_be_noted_is_not_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
