/* Asking again, because no answer came, does not do it again: cli/serve_once.h. */
#include "cli/serve_once.h"
#include "tests/lib/act_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ONCE "00112233445566778899aabbccddeeff"

static struct act_world a;
static struct buf said; /* what was answered, or the error's words */
static bool changed;

static serve_fn route(const char *path)
{
    for (const struct serve_route *r = serve_act_case_routes; r->method != NULL; r++)
        if (strcmp(r->path, path) == 0) return r->run;
    fail_msg("no route %s", path);
    return NULL;
}

static enum err post(const char *act, const char *once, const char *more)
{
    char path[64], text[1024];
    struct serve_call c;
    (void)snprintf(path, sizeof path, "/api/acts/%s", act);
    (void)snprintf(text, sizeof text, "{\"once\": %s%s%s, %s}", once[0] == 'n' ? "" : "\"", once,
                   once[0] == 'n' ? "" : "\"", more);
    const struct http_request req = {.method = "POST", .path = path, .body = bytes_of_str(text)};
    serve_call_begin(&c, a.n, &req, env_now(&a.w.env));
    assert_int_equal(json_parse(bytes_of_str(text), &c.body, NULL), ERR_OK);
    a.why = (struct why){0};
    enum err e = serve_once(&c, route(path), &a.why);
    changed = c.changed;
    buf_reset(&said);
    if (e == ERR_OK) assert_int_equal(json_write(c.out, &said, NULL), ERR_OK);
    if (e != ERR_OK) buf_put_str(&said, a.why.text);
    json_free(c.body);
    serve_call_end(&c);
    return e;
}

#define CASE_NEW                                                                                                       \
    "\"area\": \"south\", \"source\": \"3B\", \"primary_need\": \"N1\", \"summary\": \"Bruise\", \"people\":"          \
    " [{\"family_name\": \"Moss\"}]"
static int64_t cases(void)
{
    return mock_ask(a.n, "SELECT count(*) FROM case_file");
}

static void a_case_that_is_asked_for_twice_is_opened_once_and_answered_alike(void **state)
{
    char first[2048];
    int64_t before = cases();
    (void)state;
    assert_int_equal(post("case-new", ONCE, CASE_NEW), ERR_OK);
    assert_true(changed);
    assert_int_equal(cases(), before + 1);
    (void)snprintf(first, sizeof first, "%s", buf_cstr(&said));
    int64_t edits = mock_ask(a.n, "SELECT max(seq) FROM n_outbox");
    assert_int_equal(post("case-new", ONCE, CASE_NEW), ERR_OK);
    assert_false(changed);
    assert_int_equal(cases(), before + 1);
    assert_int_equal(mock_ask(a.n, "SELECT max(seq) FROM n_outbox"), edits);
    assert_string_equal(buf_cstr(&said), first);
    assert_int_equal(post("case-new", "ff112233445566778899aabbccddeeff", CASE_NEW),
                     ERR_OK); /* a second one is meant */
    assert_int_equal(post("case-new", "null", CASE_NEW), ERR_OK);
    assert_int_equal(cases(), before + 3);
}

static void what_failed_can_be_asked_for_again(void **state)
{
    int64_t before = cases();
    (void)state;
    assert_int_equal(post("case-new", ONCE, "\"area\": \"north\""), ERR_USAGE);
    assert_int_equal(post("case-new", ONCE, CASE_NEW), ERR_OK);
    assert_int_equal(cases(), before + 1);
}

static void what_was_saved_while_the_service_died_is_said_to_be_saved(void **state)
{
    int64_t before;
    (void)state;
    assert_int_equal(post("case-new", ONCE, CASE_NEW), ERR_OK);
    before = cases();
    assert_int_equal(
        db_exec(node_db(a.n), "UPDATE n_state SET value = substr(value, 1, 40) WHERE name GLOB 'once:*'", NULL),
        ERR_OK);
    assert_int_equal(post("case-new", ONCE, CASE_NEW), ERR_EXISTS);
    assert_non_null(strstr(buf_cstr(&said), "saved already"));
    assert_int_equal(cases(), before);
}

static void something_else_under_the_same_id_is_refused(void **state)
{
    int64_t before;
    (void)state;
    assert_int_equal(post("case-new", ONCE, CASE_NEW), ERR_OK);
    before = cases();
    assert_int_equal(post("case-new", ONCE, CASE_NEW ", \"rag\": \"red\", \"rag_reason\": \"x\""), ERR_USAGE);
    assert_int_equal(post("case-new", "0011", CASE_NEW), ERR_USAGE);
    assert_int_equal(post("case-new", "zz112233445566778899aabbccddeeff", CASE_NEW), ERR_USAGE);
    assert_int_equal(cases(), before);
}

static void only_the_latest_thousand_of_a_week_are_kept(void **state)
{
    (void)state;
    assert_int_equal(
        db_exec(
            node_db(a.n),
            "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 1200)"
            " INSERT INTO n_state(name, value) SELECT 'once:' || n, CAST(x'0000018000000000' || zeroblob(32) AS BLOB)"
            " FROM c",
            NULL),
        ERR_OK);
    assert_int_equal(post("case-new", ONCE, CASE_NEW), ERR_OK);
    assert_int_equal(mock_ask(a.n, "SELECT count(*) FROM n_state WHERE name GLOB 'once:*'"), 1); /* those were old */
    assert_int_equal(db_exec(node_db(a.n),
                             "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 1200)"
                             " INSERT INTO n_state(name, value) SELECT 'once:' || n, (SELECT max(value) FROM n_state"
                             " WHERE name GLOB 'once:*') FROM c",
                             NULL),
                     ERR_OK);
    assert_int_equal(post("case-new", "ff112233445566778899aabbccddeeff", CASE_NEW), ERR_OK);
    assert_int_equal(mock_ask(a.n, "SELECT count(*) FROM n_state WHERE name GLOB 'once:*'"), 1000);
}

static void take(struct mock_hub *h, const struct mock_request *r, struct mock_answer *o, void *ctx)
{
    (void)h;
    (void)ctx;
    if (r->n_receipts == 0) mock_answer_drop(o, "record", a.id[POLICE_RECORD]);
}

static void nothing_of_it_stays_when_something_is_taken_away(void **state)
{
    (void)state;
    assert_int_equal(post("case-new", ONCE, CASE_NEW), ERR_OK);
    a.w.hub.script = take;
    (void)mock_sync(&a.w, ERR_OK);
    assert_int_equal(mock_ask(a.n, "SELECT count(*) FROM n_state WHERE name GLOB 'once:*'"), 0);
}

static int set_up(void **state)
{
    (void)state;
    act_world_new(&a);
    buf_init(&said, 1u << 16);
    return 0;
}
static int tear_down(void **state)
{
    (void)state;
    buf_release(&said);
    act_world_free(&a);
    return 0;
}
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_case_that_is_asked_for_twice_is_opened_once_and_answered_alike),
        T(what_failed_can_be_asked_for_again),
        T(what_was_saved_while_the_service_died_is_said_to_be_saved),
        T(something_else_under_the_same_id_is_refused),
        T(only_the_latest_thousand_of_a_week_are_kept),
        T(nothing_of_it_stays_when_something_is_taken_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
