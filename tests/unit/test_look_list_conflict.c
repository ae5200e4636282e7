/* Two versions, as people read them; and whose look they are. */
#include "node/look_list.h"
#include "tests/lib/search_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CASE = 1, GREEN, BRIEF, PERSON, SECRET, OPEN_RECORD, WHEN, NAME, TEXT, OPEN_TEXT, SETTLED, LEAD, NOTHING, GONE };

/* 3 November 2026, 14:05 UTC: in London too, which has winter then. */
#define MOMENT "1793714700000"

static const struct search_tell world[] = {
    {OP_INSERT, "agency", 101, 0, "code=health;name=Health;kind=health"},
    {OP_INSERT, "agency", 102, 0, "code=care;name=Social care;kind=social_care"},
    {OP_INSERT, "site", 105, 0, "code=room;agency=care;name=MASH room;kind=mash"},
    {OP_INSERT, "practitioner", 110, 0, "site=room;name=Mona"},
    {OP_INSERT, "practitioner", 111, 0, "site=llanidloes;name=Hal"},
    {OP_INSERT, "case_file", CASE, CASE, "reference=C-AAAAAAAA;area=north;rag=red;lead_agency=care"},
    {OP_INSERT, "case_file", GREEN, GREEN, "reference=C-BBBBBBBB;area=north;rag=green"},
    {OP_INSERT, "brief", BRIEF, GREEN, "decided_at=#" MOMENT},
    {OP_INSERT, "person", PERSON, CASE, "role=child;family_name=Smythe;born_on=2019-05-01"},
    {OP_INSERT, "record", SECRET, CASE, "title=Now;body=Text;sensitivity=sensitive"},
    {OP_INSERT, "record", OPEN_RECORD, CASE, "title=Now;body=Text;sensitivity=open"},
    {OP_INSERT, "conflict", WHEN, GREEN,
     "tbl=brief;row_id=@3;col=decided_at;policy=authority;kept=" MOMENT ";lost=1793800800000;kept_by=@110;lost_by=@111;"
     "state=open;found_at=#5"},
    {OP_INSERT, "conflict", NAME, CASE,
     "tbl=person;row_id=@4;col=born_on;policy=escalate;kept=2019-05-01;lost=2019-01-05;kept_by=@110;lost_by=@111;"
     "state=open;found_at=#9;kept_at=#" MOMENT ";lost_at=#1793711100001"},
    {OP_INSERT, "conflict", LEAD, CASE,
     "tbl=case_file;row_id=@1;col=lead_agency;policy=authority;kept=care;lost=health;state=ruled;found_at=#2"},
};

struct scene {
    struct search_world s;
    struct node *n;
};

static void scene_new(struct scene *x)
{
    search_world_new(&x->s);
    x->n = x->s.w.node;
    search_world_tell(&x->s, world, sizeof world / sizeof world[0]);
}

static void scene_free(struct scene *x)
{
    search_world_free(&x->s);
}

static struct json *conflicts(struct scene *x, bool all)
{
    struct json *out = NULL;
    enum err e = look_conflicts(x->n, all, &out, &x->s.why);
    if (e != ERR_OK) fail_msg("%s: %s", err_word(e), x->s.why.text);
    return out;
}

static struct json *row_of(struct json *list, unsigned id)
{
    char want[37];
    uint8_t raw[16];
    struct json *rows = json_get(list, "conflicts");
    mock_id(raw, id);
    uuid_format(raw, want);
    for (size_t i = 0; i < json_len(rows); i++)
        if (strcmp(json_get_str(json_at(rows, i), "id"), want) == 0) return json_at(rows, i);
    fail_msg("there is no conflict %u", id);
    return NULL;
}

static void conflicts_show_times_as_people_read_them(void **state)
{
    struct scene x;
    (void)state;
    scene_new(&x);
    struct json *list = conflicts(&x, false), *c = row_of(list, WHEN);
    assert_string_equal(json_get_str(c, "kept_text"), "3 Nov 2026 at 14:05");
    assert_string_equal(json_get_str(c, "now_text"), "3 Nov 2026 at 14:05");
    assert_string_equal(json_get_str(c, "lost_text"), "4 Nov 2026 at 14:00");
    assert_string_equal(json_get_str(c, "what"), "time of the decision of the case");
    c = row_of(list, NAME);
    assert_string_equal(json_get_str(c, "what"), "date of birth of the person");
    assert_string_equal(json_get_str(c, "kept_text"), "1 May 2019");
    assert_string_equal(json_get_str(c, "lost_text"), "5 Jan 2019");
    json_free(list);
    scene_free(&x);
}

static void a_conflict_says_who_wrote_which_version_and_where_and_the_rule(void **state)
{
    struct scene x;
    (void)state;
    scene_new(&x);
    struct json *list = conflicts(&x, false), *c = row_of(list, NAME);
    assert_string_equal(json_get_str(json_get(c, "kept_person"), "name"), "Mona");
    assert_string_equal(json_get_str(json_get(c, "kept_person"), "site"), "room");
    assert_string_equal(json_get_str(json_get(c, "lost_person"), "name"), "Hal");
    assert_string_equal(json_get_str(json_get(c, "lost_person"), "site"), "llanidloes");
    assert_string_equal(json_get_str(c, "rule"), "somebody must decide");
    assert_string_equal(json_get_str(c, "reference"), "C-AAAAAAAA");
    assert_true(json_get_bool(c, "red", false));
    json_free(list);
    scene_free(&x);
}

/* Beside each version, as the pages show it; also where the names are not known here, or the times. */
static void a_conflict_says_by_name_where_each_version_was_written_and_when(void **state)
{
    struct scene x;
    (void)state;
    scene_new(&x);
    struct json *list = conflicts(&x, true), *c = row_of(list, NAME);
    assert_string_equal(json_get_str(c, "kept_site_name"), "MASH room");
    assert_string_equal(json_get_str(c, "kept_agency_name"), "Social care");
    assert_string_equal(json_get_str(c, "kept_at"), "2026-11-03T14:05:00.000Z");
    assert_string_equal(json_get_str(c, "lost_site_name"), "llanidloes"); /* a site that is not known here: its code */
    assert_null(json_get_str(c, "lost_agency_name"));
    assert_string_equal(json_get_str(c, "lost_at"), "2026-11-03T13:05:00.001Z");
    c = row_of(list, WHEN);
    assert_true(json_has(c, "kept_at") && json_get_str(c, "kept_at") == NULL);
    assert_true(json_has(c, "lost_at") && json_get_str(c, "lost_at") == NULL);
    c = row_of(list, LEAD); /* nobody knows who wrote these */
    assert_true(json_has(c, "kept_site_name") && json_get_str(c, "kept_site_name") == NULL);
    json_free(list);
    scene_free(&x);
}

static void red_cases_come_first_and_what_a_rule_decided_only_when_asked_for(void **state)
{
    struct scene x;
    (void)state;
    scene_new(&x);
    struct json *open = conflicts(&x, false), *all = conflicts(&x, true);
    assert_int_equal(json_get_int(open, "total", 0), 2);
    assert_string_equal(json_get_str(json_at(json_get(open, "conflicts"), 0), "reference"), "C-AAAAAAAA");
    assert_int_equal(json_get_int(all, "total", 0), 3);
    struct json *lead = row_of(all, LEAD);
    assert_string_equal(json_get_str(lead, "kept_text"), "Social care");
    assert_string_equal(json_get_str(lead, "lost_text"), "Health");
    assert_string_equal(json_get_str(lead, "stage"), "decided by the rule");
    json_free(open);
    json_free(all);
    scene_free(&x);
}

static void a_version_that_says_nothing_is_shown_as_nothing(void **state)
{
    static const struct search_tell rows[] = {
        {OP_INSERT, "conflict", NOTHING, CASE,
         "tbl=person;row_id=@4;col=died_on;policy=escalate;lost=2020-01-01;state=open"},
        {OP_INSERT, "conflict", GONE, CASE,
         "tbl=person;row_id=@99;col=family_name;policy=escalate;kept=A;lost=B;state=open"}};
    struct scene x;
    (void)state;
    scene_new(&x);
    search_world_tell(&x.s, rows, 2);
    struct json *list = conflicts(&x, false);
    assert_string_equal(json_get_str(row_of(list, NOTHING), "kept_text"), "(nothing)");
    assert_string_equal(json_get_str(row_of(list, GONE), "now_text"), "(nothing)"); /* the row is not here */
    json_free(list);
    scene_free(&x);
}

static void a_conflict_on_a_sensitive_record_is_a_noted_look(void **state)
{
    static const struct search_tell rows[] = {
        {OP_INSERT, "conflict", TEXT, CASE,
         "tbl=record;row_id=@5;col=title;policy=escalate;kept=Now;lost=Then;kept_by=@110;lost_by=@111;state=open"},
        {OP_INSERT, "conflict", OPEN_TEXT, CASE,
         "tbl=record;row_id=@6;col=title;policy=escalate;kept=Now;lost=Then;state=open"},
        {OP_INSERT, "conflict", SETTLED, CASE,
         "tbl=record;row_id=@99;col=title;policy=escalate;kept=Now;lost=Then;state=settled"}};
    struct scene x;
    (void)state;
    scene_new(&x);
    search_world_tell(&x.s, rows, 3);
    json_free(conflicts(&x, true));
    assert_int_equal(mock_ask(x.n, "SELECT count(*) FROM n_view"), 1);
    assert_int_equal(mock_ask(x.n, "SELECT count(*) FROM n_view v JOIN record r ON r.id = v.id"
                                   " WHERE r.sensitivity = 'sensitive'"),
                     1);
    scene_free(&x);
}

static void what_cannot_be_noted_is_not_shown(void **state)
{
    static const struct search_tell rows[] = {
        {OP_INSERT, "conflict", TEXT, CASE,
         "tbl=record;row_id=@5;col=title;policy=escalate;kept=Now;lost=Then;state=open"}};
    struct scene x;
    struct json *out = NULL;
    (void)state;
    scene_new(&x);
    search_world_tell(&x.s, rows, 1);
    assert_int_equal(db_exec(node_db(x.n), "DROP TABLE n_view", NULL), ERR_OK);
    assert_int_not_equal(look_conflicts(x.n, false, &out, &x.s.why), ERR_OK);
    assert_null(out);
    scene_free(&x);
}

int main(void)
{
#define T(name) cmocka_unit_test(name)
    const struct CMUnitTest tests[] = {
        T(conflicts_show_times_as_people_read_them),
        T(a_conflict_says_who_wrote_which_version_and_where_and_the_rule),
        T(a_conflict_says_by_name_where_each_version_was_written_and_when),
        T(red_cases_come_first_and_what_a_rule_decided_only_when_asked_for),
        T(a_version_that_says_nothing_is_shown_as_nothing),
        T(a_conflict_on_a_sensitive_record_is_a_noted_look),
        T(what_cannot_be_noted_is_not_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
