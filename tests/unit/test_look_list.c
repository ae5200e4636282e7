/* Lists of the pages: what is asked and told, what is not accepted yet, whom to ring. */
#include "node/act.h"
#include "node/act_work.h"
#include "node/look_list.h"
#include "tests/lib/search_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MINUTE INT64_C(60000)
#define HOUR   (60 * MINUTE)
/* Wednesday 4 November 2026, 12:00 in London. */
#define NOON INT64_C(1793793600000)

static int64_t clock_at; /* struct env has no place for a test's own */
static int64_t clock_of(void *ctx)
{
    (void)ctx;
    return clock_at;
}

enum { CASE = 1, QUIET, OURS, THEIRS, ASKED, ANSWERED, ASK_US, TOLD_US, HELD_HERE, HELD_NORTH, HELD_DONE };

static const struct search_tell world[] = {
    {OP_INSERT, "agency", 101, 0, "code=health;name=Health;kind=health"},
    {OP_INSERT, "agency", 102, 0, "code=care;name=Social care;kind=social_care"},
    {OP_INSERT, "agency", 103, 0, "code=police;name=Police;kind=police"},
    {OP_INSERT, "site", 105, 0, "code=llanidloes;agency=health;name=Clinic;kind=partner"},
    {OP_INSERT, "site", 106, 0,
     "code=room;agency=care;name=MASH room;kind=mash;phone=01632 960100;night_phone=01632 960111"},
    {OP_INSERT, "site", 107, 0, "code=edt;agency=care;name=Duty team;kind=out_of_hours;phone=01632 960122"},
    {OP_INSERT, "coverage", 108, 0, "site=room;area=north"},
    {OP_INSERT, "coverage", 109, 0, "site=edt;area=*"},
    {OP_INSERT, "coverage", 110, 0, "site=llanidloes;area=north"},
    {OP_INSERT, "practitioner", 120, 0, "site=room;name=Mona;role=Manager;active=#1"},
    {OP_INSERT, "code_list", 111, 0, "list=working_hours;code=wed;label=09:00-17:00"},
    {OP_INSERT, "code_list", 112, 0, "list=primary_need;code=N1;label=Abuse or neglect"},
    {OP_INSERT, "timescale", 113, 0, "rag=red;what=reply;minutes=#120;clock=elapsed"},
    {OP_INSERT, "case_file", CASE, CASE, "reference=C-AAAAAAAA;area=north;rag=red;subject_kind=child"},
    {OP_INSERT, "case_file", QUIET, QUIET, "reference=C-BBBBBBBB;area=south;rag=green;subject_kind=child"},
    {OP_INSERT, "participant", 121, CASE, "member=health;site=;access=contribute"},
    {OP_INSERT, "participant", 122, CASE, "member=police;site=;access=view"},
};

struct scene {
    struct search_world s;
    struct node *n;
};

static void scene_new(struct scene *x)
{
    search_world_new(&x->s);
    clock_at = NOON;
    x->s.w.env.now_ms = clock_of;
    x->n = x->s.w.node;
    search_world_tell(&x->s, world, sizeof world / sizeof world[0]);
}

static void scene_free(struct scene *x)
{
    search_world_free(&x->s);
}

static struct json *got(struct scene *x, enum err e, struct json *const *out)
{
    if (e != ERR_OK) fail_msg("%s: %s", err_word(e), x->s.why.text);
    assert_non_null(*out);
    return *out;
}

/* The row of this id. */
static struct json *row_of(struct json *list, const char *key, unsigned id)
{
    char want[37];
    uint8_t raw[16];
    struct json *rows = json_get(list, key);
    mock_id(raw, id);
    uuid_format(raw, want);
    for (size_t i = 0; i < json_len(rows); i++)
        if (strcmp(json_get_str(json_at(rows, i), "id"), want) == 0) return json_at(rows, i);
    return NULL;
}

static struct json *requests(struct scene *x, enum look_way way, bool open)
{
    struct json *out = NULL;
    return got(x, look_requests(x->n, way, open, &out, &x->s.why), &out);
}

/* -------------------------------------------------------------------------------------------------- requests */
static void tell_requests(struct scene *x)
{
    char due[4][160];
    (void)snprintf(due[0], sizeof due[0],
                   "to_agency=health;question=Known?;rag=red;state=open;asked_at=#%lld;due_at=#%lld",
                   (long long)(NOON - 3 * HOUR), (long long)(NOON - 90 * MINUTE));
    (void)snprintf(due[1], sizeof due[1], "to_agency=health;question=Seen?;state=open;asked_at=#%lld;due_at=#%lld",
                   (long long)(NOON - HOUR), (long long)(NOON + 47 * MINUTE));
    (void)snprintf(due[2], sizeof due[2],
                   "agency=health;to_agency=police;question=Any calls?;state=open;asked_at=#%lld;due_at=#%lld",
                   (long long)(NOON - HOUR), (long long)(NOON + HOUR));
    (void)snprintf(due[3], sizeof due[3],
                   "to_agency=health;question=Old?;state=answered;result=not_known;asked_at=#%lld;answered_at=#%lld;"
                   "due_at=#%lld",
                   (long long)(NOON - 9 * HOUR), (long long)(NOON - 8 * HOUR), (long long)(NOON - 7 * HOUR));
    const struct search_tell rows[] = {{OP_INSERT, "request", OURS, QUIET, due[1]},
                                       {OP_INSERT, "request", ASKED, CASE, due[0]},
                                       {OP_INSERT, "request", THEIRS, CASE, due[2]},
                                       {OP_INSERT, "request", ANSWERED, CASE, due[3]}};
    search_world_tell(&x->s, rows, 4);
}

static void a_late_answer_is_late_and_what_is_due_says_how_long(void **state)
{
    struct scene x;
    (void)state;
    scene_new(&x);
    tell_requests(&x);
    struct json *all = requests(&x, LOOK_IN, false), *late = row_of(all, "requests", ASKED);
    assert_int_equal(json_get_int(all, "total", 0), 3);
    assert_true(json_get_bool(late, "overdue", false));
    assert_int_equal(json_get_int(late, "minutes_left", 0), -90);
    assert_string_equal(json_get_str(late, "says"), "late: no answer yet");
    assert_string_equal(json_get_str(late, "agency_name"), "Social care");
    assert_string_equal(json_get_str(late, "to_agency_name"), "Health");
    assert_string_equal(json_get_str(late, "case_rag"), "red");
    assert_string_equal(json_get_str(late, "reference"), "C-AAAAAAAA");
    struct json *due = row_of(all, "requests", OURS);
    assert_false(json_get_bool(due, "overdue", true));
    assert_int_equal(json_get_int(due, "minutes_left", 0), 47);
    struct json *done = row_of(all, "requests", ANSWERED);
    assert_false(json_get_bool(done, "overdue", true));
    assert_int_equal(json_get_int(done, "minutes_left", -7), -7);
    assert_string_equal(json_get_str(done, "says"), "not known to them");
    json_free(all);
    scene_free(&x);
}

static void the_most_urgent_request_comes_first_and_answered_ones_last(void **state)
{
    static const unsigned order[] = {ASKED, THEIRS, OURS, ANSWERED}; /* late; red; green; answered */
    struct scene x;
    char id[37];
    uint8_t raw[16];
    (void)state;
    scene_new(&x);
    tell_requests(&x);
    struct json *all = requests(&x, LOOK_BOTH, false), *rows = json_get(all, "requests");
    assert_int_equal(json_len(rows), 4);
    for (size_t i = 0; i < 4; i++) {
        mock_id(raw, order[i]);
        uuid_format(raw, id);
        assert_string_equal(json_get_str(json_at(rows, i), "id"), id);
    }
    json_free(all);
    scene_free(&x);
}

static void in_are_those_to_answer_and_out_those_of_ones_own(void **state)
{
    struct scene x;
    (void)state;
    scene_new(&x);
    tell_requests(&x);
    struct json *in = requests(&x, LOOK_IN, true), *out = requests(&x, LOOK_OUT, false);
    assert_int_equal(json_get_int(in, "total", 0), 2);
    assert_null(row_of(in, "requests", ANSWERED));
    assert_null(row_of(in, "requests", THEIRS));
    assert_int_equal(json_get_int(out, "total", 0), 1);
    assert_non_null(row_of(out, "requests", THEIRS));
    json_free(in);
    json_free(out);
    scene_free(&x);
}

static void a_chased_request_says_when_and_keeps_when_it_was_asked_first(void **state)
{
    struct scene x;
    uint8_t c[16];
    struct act_request_sent sent;
    (void)state;
    scene_new(&x);
    mock_id(c, CASE);
    const struct act_request ask = {.case_id = c, .to_agency = "police", .question = "Known?"};
    assert_int_equal(act_request_send(x.n, &ask, &sent, &x.s.why), ERR_OK);
    struct json *before = requests(&x, LOOK_OUT, true), *row = json_at(json_get(before, "requests"), 0);
    assert_null(json_get_str(row, "chased_at"));
    assert_true(json_get_bool(row, "unsent", false));
    assert_string_equal(json_get_str(row, "first_asked_at"), "2026-11-04T12:00:00.000Z");
    json_free(before);
    clock_at += 3 * HOUR; /* the answer is late */
    enum err e = act_request_chase(x.n, sent.id, &x.s.why);
    if (e != ERR_OK) fail_msg("%s", x.s.why.text);
    struct json *after = requests(&x, LOOK_OUT, true);
    row = json_at(json_get(after, "requests"), 0);
    assert_string_equal(json_get_str(row, "chased_at"), "2026-11-04T15:00:00.000Z");
    assert_string_equal(json_get_str(row, "first_asked_at"), "2026-11-04T12:00:00.000Z");
    json_free(after);
    scene_free(&x);
}

static void voided_requests_are_in_no_list(void **state)
{
    static const struct search_tell rows[] = {
        {OP_INSERT, "request", OURS, CASE, "to_agency=health;question=Wrong;state=open;voided_at=#5"}};
    struct scene x;
    (void)state;
    scene_new(&x);
    search_world_tell(&x.s, rows, 1);
    struct json *all = requests(&x, LOOK_BOTH, false);
    assert_int_equal(json_get_int(all, "total", -1), 0);
    assert_int_equal(json_len(json_get(all, "requests")), 0);
    json_free(all);
    scene_free(&x);
}

/* -------------------------------------------------------------------------------------------------- releases */
static void releases_tell_what_was_asked_and_their_list_is_no_look_at_their_texts(void **state)
{
    static const struct search_tell rows[] = {
        {OP_INSERT, "release", ASK_US, CASE, "to_agency=health;state=asked;asked_by=@120;reason=Meeting"},
        {OP_INSERT, "release", TOLD_US, CASE,
         "agency=police;to_agency=health;state=granted;how=whole;title=Told;body=The secret;decided_at=#9"},
    };
    struct scene x;
    struct json *open = NULL, *all = NULL;
    (void)state;
    scene_new(&x);
    search_world_tell(&x.s, rows, 2);
    all = got(&x, look_releases(x.n, false, &all, &x.s.why), &all);
    assert_int_equal(json_get_int(all, "total", 0), 2);
    assert_false(json_has(row_of(all, "releases", TOLD_US), "body"));
    assert_false(json_has(row_of(all, "releases", TOLD_US), "title"));
    assert_false(json_has(row_of(all, "releases", TOLD_US), "conditions"));
    assert_string_equal(json_get_str(row_of(all, "releases", TOLD_US), "says"), "told whole");
    assert_int_equal(mock_ask(x.n, "SELECT count(*) FROM n_view"), 0);
    open = got(&x, look_releases(x.n, true, &open, &x.s.why), &open);
    assert_int_equal(json_get_int(open, "total", 0), 1);
    struct json *ask = row_of(open, "releases", ASK_US);
    assert_true(json_get_bool(ask, "to_answer", false));
    assert_string_equal(json_get_str(json_get(ask, "asked_by"), "name"), "Mona");
    json_free(all);
    json_free(open);
    scene_free(&x);
}

/* ------------------------------------------------------------------------------------------------------ held */
static struct json *held_as(struct scene *x, const char *site, bool all)
{
    struct json *out = NULL;
    (void)snprintf(x->n->site, sizeof x->n->site, "%s", site);
    return got(x, look_held(x->n, all, &out, &x->s.why), &out);
}

static void held_offers_to_decide_only_to_the_areas_manager_at_the_mash(void **state)
{
    static const struct search_tell rows[] = {
        {OP_INSERT, "held", HELD_NORTH, CASE,
         "agency=police;node=@1;author=@120;reason=No part;state=waiting;what=Person"},
        {OP_INSERT, "held", HELD_HERE, QUIET, "agency=health;node=@1;author=@130;reason=No part;state=waiting"},
        {OP_INSERT, "held", HELD_DONE, CASE, "agency=police;node=@1;state=accepted"},
    };
    static const struct search_tell duty[] = {{OP_INSERT, "duty", 131, 0, "practitioner=@130;area=north;duty=manager"}};
    struct scene x;
    (void)state;
    scene_new(&x);
    static const struct search_tell me[] = {{OP_INSERT, "practitioner", 130, 0, "site=room;name=Nora;active=#1"}};
    search_world_tell(&x.s, me, 1);
    search_world_tell(&x.s, rows, 3);
    mock_id(x.n->user, 130);
    struct json *list = held_as(&x, "room", false); /* at the MASH, but no manager */
    assert_int_equal(json_get_int(list, "total", 0), 2);
    assert_false(json_get_bool(row_of(list, "held", HELD_NORTH), "may_decide", true));
    assert_false(json_get_bool(row_of(list, "held", HELD_NORTH), "mine", true));
    assert_true(json_get_bool(row_of(list, "held", HELD_HERE), "mine", false));
    assert_string_equal(json_get_str(json_get(row_of(list, "held", HELD_NORTH), "author_person"), "name"), "Mona");
    json_free(list);
    search_world_tell(&x.s, duty, 1);
    list = held_as(&x, "room", true);
    assert_int_equal(json_get_int(list, "total", 0), 3);
    assert_true(json_get_bool(row_of(list, "held", HELD_NORTH), "may_decide", false));
    assert_false(json_get_bool(row_of(list, "held", HELD_HERE), "may_decide", true)); /* another area's */
    assert_false(json_get_bool(row_of(list, "held", HELD_DONE), "may_decide", true)); /* decided */
    json_free(list);
    list = held_as(&x, "llanidloes", false); /* the manager at a partner's site */
    assert_false(json_get_bool(row_of(list, "held", HELD_NORTH), "may_decide", true));
    json_free(list);
    scene_free(&x);
}

/* ----------------------------------------------------------------------------------------------------- phone */
static struct json *phone(struct scene *x, const char *area)
{
    struct json *out = NULL;
    return got(x, look_phone(x->n, area, &out, &x->s.why), &out);
}

static void phone_at_night_is_the_night_number(void **state)
{
    struct scene x;
    (void)state;
    scene_new(&x);
    struct json *p = phone(&x, "north");
    assert_string_equal(json_get_str(p, "number"), "01632 960100");
    assert_string_equal(json_get_str(p, "label"), "MASH room");
    assert_false(json_get_bool(p, "night", true));
    json_free(p);
    clock_at = NOON + 9 * HOUR;
    p = phone(&x, "north");
    assert_string_equal(json_get_str(p, "number"), "01632 960111");
    assert_true(json_get_bool(p, "night", false));
    json_free(p);
    p = phone(&x, NULL); /* the area of this device's site */
    assert_string_equal(json_get_str(p, "number"), "01632 960111");
    json_free(p);
    scene_free(&x);
}

static void without_a_night_number_the_out_of_hours_team_is_rung(void **state)
{
    struct scene x;
    (void)state;
    scene_new(&x);
    assert_int_equal(db_exec(node_db(x.n), "UPDATE site SET night_phone = NULL WHERE code = 'room'", NULL), ERR_OK);
    clock_at = NOON + 9 * HOUR;
    struct json *p = phone(&x, "north");
    assert_string_equal(json_get_str(p, "number"), "01632 960122");
    assert_string_equal(json_get_str(p, "label"), "Duty team");
    json_free(p);
    scene_free(&x);
}

static void where_nobody_has_a_number_there_is_none_to_show(void **state)
{
    struct scene x;
    struct json *p = NULL;
    (void)state;
    scene_new(&x);
    assert_int_equal(db_exec(node_db(x.n), "UPDATE site SET phone = NULL, night_phone = NULL", NULL), ERR_OK);
    assert_int_equal(look_phone(x.n, "north", &p, &x.s.why), ERR_OK);
    assert_null(p);
    scene_free(&x);
}

/* ------------------------------------------------------------------------------------------------- reference */
static void reference_data_has_all_that_a_form_offers(void **state)
{
    struct scene x;
    struct json *all = NULL;
    (void)state;
    scene_new(&x);
    all = got(&x, look_reference(x.n, &all, &x.s.why), &all);
    assert_int_equal(json_len(json_get(all, "agencies")), 3);
    struct json *sites = json_get(all, "sites");
    assert_int_equal(json_len(sites), 3);
    assert_string_equal(json_get_str(json_at(sites, 2), "code"), "room");
    assert_string_equal(json_as_str(json_at(json_get(json_at(sites, 2), "areas"), 0)), "north");
    assert_string_equal(json_as_str(json_at(json_get(all, "areas"), 0)), "north");
    assert_int_equal(json_len(json_get(all, "areas")), 1); /* all areas is none */
    struct json *needs = json_get(json_get(all, "codes"), "primary_need");
    assert_string_equal(json_get_str(json_at(needs, 0), "label"), "Abuse or neglect");
    assert_string_equal(json_get_str(json_at(json_get(all, "people"), 0), "agency"), "care");
    assert_int_equal(json_get_int(json_at(json_get(all, "timescales"), 0), "minutes", 0), 120);
    json_free(all);
    scene_free(&x);
}

/* ------------------------------------------------------------------------------------------------------- CSV */
static void csv_cells_never_begin_a_formula(void **state)
{
    static const struct search_tell rows[] = {
        {OP_INSERT, "request", OURS, CASE,
         "agency=health;to_agency=police;question=+HYPERLINK(\"x\"), \"quoted\";state=declined"}};
    struct scene x;
    struct buf csv;
    (void)state;
    scene_new(&x);
    search_world_tell(&x.s, rows, 1);
    assert_int_equal(db_exec(node_db(x.n), "UPDATE request SET reason = '@SUM(A1)'", NULL), ERR_OK);
    buf_init(&csv, 1u << 20);
    assert_int_equal(look_requests_csv(x.n, LOOK_OUT, false, &csv, &x.s.why), ERR_OK);
    const char *text = buf_cstr(&csv);
    assert_non_null(strstr(text, "request,case,asked_by,asked,question,"));
    assert_non_null(strstr(text, "\"'+HYPERLINK(\"\"x\"\"), \"\"quoted\"\"\""));
    assert_non_null(strstr(text, "'@SUM(A1)"));
    for (const char *p = text; *p != '\0'; p++)
        if (p == text || p[-1] == ',' || p[-1] == '\n') assert_null(strchr("=+-@\t", *p));
    buf_release(&csv);
    scene_free(&x);
}

int main(void)
{
#define T(name) cmocka_unit_test(name)
    const struct CMUnitTest tests[] = {
        T(a_late_answer_is_late_and_what_is_due_says_how_long),
        T(the_most_urgent_request_comes_first_and_answered_ones_last),
        T(in_are_those_to_answer_and_out_those_of_ones_own),
        T(a_chased_request_says_when_and_keeps_when_it_was_asked_first),
        T(voided_requests_are_in_no_list),
        T(releases_tell_what_was_asked_and_their_list_is_no_look_at_their_texts),
        T(held_offers_to_decide_only_to_the_areas_manager_at_the_mash),
        T(phone_at_night_is_the_night_number),
        T(without_a_night_number_the_out_of_hours_team_is_rung),
        T(where_nobody_has_a_number_there_is_none_to_show),
        T(reference_data_has_all_that_a_form_offers),
        T(csv_cells_never_begin_a_formula),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
