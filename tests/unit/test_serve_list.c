/* The lists' routes: what they read of a call, and how they answer. */
#include "cli/serve.h"
#include "tests/lib/search_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { CASE = 1, PERSON };
static const struct search_tell world[] = {
    {OP_INSERT, "agency", 101, 0, "code=health;name=Health;kind=health"},
    {OP_INSERT, "agency", 102, 0, "code=care;name=Social care;kind=social_care"},
    {OP_INSERT, "case_file", CASE, CASE, "reference=C-AAAAAAAA;area=north;rag=red;received_at=#5"},
    {OP_INSERT, "participant", 121, CASE, "member=health;site=;access=contribute"},
    {OP_INSERT, "person", PERSON, CASE, "role=child;family_name=Jones;given_names=Ada;born_on=2019-05-01"},
    {OP_INSERT, "request", 130, CASE, "to_agency=health;question=Known?;state=open;asked_at=#5;due_at=#6"},
};

struct scene {
    struct search_world s;
    struct serve_call call;
    struct http_request req;
};

static void scene_new(struct scene *x)
{
    memset(x, 0, sizeof *x);
    search_world_new(&x->s);
    search_world_tell(&x->s, world, sizeof world / sizeof world[0]);
}

static enum err get(struct scene *x, const char *path, const char *rest, const char *query)
{
    const struct serve_route *r = serve_list_routes;
    serve_call_end(&x->call);
    x->req.query = query;
    serve_call_begin(&x->call, x->s.w.node, &x->req, x->s.now);
    x->call.rest = rest;
    while (r->method != NULL && strcmp(r->path, path) != 0) r++;
    assert_non_null(r->method);
    assert_string_equal(r->method, "GET"); /* none of them changes anything */
    x->s.why = (struct why){0};
    return r->run(&x->call, &x->s.why);
}

static void scene_free(struct scene *x)
{
    serve_call_end(&x->call);
    search_world_free(&x->s);
}

static void each_list_answers_an_object(void **state)
{
    static const char *const paths[] = {"/api/requests",  "/api/releases", "/api/conflicts",  "/api/held",
                                        "/api/reference", "/api/audit",    "/api/performance"};
    struct scene x;
    (void)state;
    scene_new(&x);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        enum err e = get(&x, paths[i], "", "");
        if (e != ERR_OK) fail_msg("%s: %s", paths[i], x.s.why.text);
        assert_non_null(x.call.out);
        assert_true(json_len(x.call.out) > 0);
        assert_false(x.call.changed);
    }
    scene_free(&x);
}

static void a_list_goes_in_or_out_and_no_other_way(void **state)
{
    struct scene x;
    (void)state;
    scene_new(&x);
    assert_int_equal(get(&x, "/api/requests", "", "way=in&open=1"), ERR_OK);
    assert_int_equal(json_get_int(x.call.out, "total", 0), 1);
    assert_int_equal(get(&x, "/api/requests", "", "way=out"), ERR_OK);
    assert_int_equal(json_get_int(x.call.out, "total", -1), 0);
    assert_int_equal(get(&x, "/api/requests", "", "way=sideways"), ERR_USAGE);
    assert_int_equal(get(&x, "/api/requests.csv", "", "way=sideways"), ERR_USAGE);
    scene_free(&x);
}

static void csv_is_a_file_to_keep(void **state)
{
    static const struct {
        const char *path, *query, *name, *heading;
    } files[] = {{"/api/requests.csv", "way=in", "requests.csv", "request,case,asked_by,question,due,result,reason,"},
                 {"/api/requests.csv", "way=out", "requests.csv", "request,case,asked_by,asked,question,"},
                 {"/api/audit.csv", "", "audit.csv", "at,kind,what,person,"},
                 {"/api/performance.csv", "", "performance.csv", "case,area,subject,received_at,"}};
    struct scene x;
    (void)state;
    scene_new(&x);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        enum err e = get(&x, files[i].path, "", files[i].query);
        if (e != ERR_OK) fail_msg("%s: %s", files[i].path, x.s.why.text);
        assert_string_equal(x.call.file_name, files[i].name);
        assert_int_equal(strncmp(x.call.type, "text/csv", 8), 0);
        assert_int_equal(strncmp(buf_cstr(&x.call.raw), files[i].heading, strlen(files[i].heading)), 0);
        assert_null(x.call.out);
    }
    scene_free(&x);
}

static void audit_and_performance_take_days_cases_and_people(void **state)
{
    struct scene x;
    (void)state;
    scene_new(&x);
    assert_int_equal(get(&x, "/api/audit", "", "case=C-AAAAAAAA&from=2026-01-01&to=2026-12-31&kind=erasure"), ERR_OK);
    assert_int_equal(json_get_int(x.call.out, "total", -1), 0);
    assert_int_equal(get(&x, "/api/audit", "", "kind=gossip"), ERR_USAGE);
    assert_int_equal(get(&x, "/api/audit", "", "case=C-ZZZZZZZZ"), ERR_NOTFOUND);
    assert_int_equal(get(&x, "/api/audit", "", "from=yesterday"), ERR_USAGE);
    assert_int_equal(get(&x, "/api/performance", "", "to=1970-01-01"), ERR_OK);
    assert_int_equal(json_get_int(x.call.out, "cases", -1), 1); /* the last day counts whole */
    assert_int_equal(get(&x, "/api/performance", "", "from=1970-01-02"), ERR_OK);
    assert_int_equal(json_get_int(x.call.out, "cases", -1), 0);
    assert_int_equal(get(&x, "/api/performance", "", "from=never"), ERR_USAGE);
    scene_free(&x);
}

static void a_last_day_ends_with_it_also_where_the_clocks_change(void **state)
{
    struct scene x;
    (void)state;
    assert_int_equal(setenv("TZ", "Europe/London", 1), 0);
    tzset();
    scene_new(&x);
    assert_int_equal(get(&x, "/api/performance", "", "from=2026-03-29&to=2026-03-29"), ERR_OK);
    assert_string_equal(json_get_str(x.call.out, "from"), "2026-03-29T00:00:00.000Z");
    assert_string_equal(json_get_str(x.call.out, "to"), "2026-03-29T23:00:00.000Z");
    assert_int_equal(get(&x, "/api/performance", "", "from=2026-10-25&to=2026-10-25"), ERR_OK);
    assert_string_equal(json_get_str(x.call.out, "from"), "2026-10-24T23:00:00.000Z");
    assert_string_equal(json_get_str(x.call.out, "to"), "2026-10-26T00:00:00.000Z");
    scene_free(&x);
    assert_int_equal(unsetenv("TZ"), 0);
    tzset();
}

static void who_saw_names_a_table_and_a_row(void **state)
{
    struct scene x;
    char rest[64], id[37];
    uint8_t raw[16];
    (void)state;
    scene_new(&x);
    mock_id(raw, PERSON);
    uuid_format(raw, id);
    (void)snprintf(rest, sizeof rest, "person/%s", id);
    assert_int_equal(get(&x, "/api/who-saw/*", rest, ""), ERR_OK);
    assert_true(json_has(x.call.out, "lines"));
    assert_string_equal(x.call.rest, rest);
    assert_int_equal(get(&x, "/api/explain/*", rest, "ask=1"), ERR_OK);
    assert_non_null(json_get_str(x.call.out, "asked_at"));
    assert_int_equal(get(&x, "/api/who-saw/*", "sqlite_schema/00000000", ""), ERR_NOTFOUND);
    assert_int_equal(get(&x, "/api/who-saw/*", "person", ""), ERR_NOTFOUND);
    assert_int_equal(get(&x, "/api/who-saw/*", "/", ""), ERR_NOTFOUND);
    assert_int_equal(get(&x, "/api/who-saw/*", "person/00000000-0000-7000-8000-000000000000", ""), ERR_NOTFOUND);
    scene_free(&x);
}

static void searching_wants_something_to_look_for(void **state)
{
    struct scene x;
    (void)state;
    scene_new(&x);
    assert_int_equal(get(&x, "/api/search", "", "q=Jones"), ERR_OK);
    assert_int_equal(json_get_int(x.call.out, "total", -1), 1);
    assert_int_equal(get(&x, "/api/search", "", ""), ERR_USAGE);
    assert_int_equal(get(&x, "/api/duplicates", "", "family=Jones&given=Ada&born=2019-05-01"), ERR_OK);
    scene_free(&x);
}

int main(void)
{
#define T(name) cmocka_unit_test(name)
    const struct CMUnitTest tests[] = {
        T(each_list_answers_an_object),     T(a_list_goes_in_or_out_and_no_other_way),
        T(csv_is_a_file_to_keep),           T(audit_and_performance_take_days_cases_and_people),
           T(a_last_day_ends_with_it_also_where_the_clocks_change),
        T(who_saw_names_a_table_and_a_row), T(searching_wants_something_to_look_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
