/* The hub's HTTP side: what each path answers, and that refusals and the log tell a stranger nothing. */
#include "cli/hub_route.h"

#include "base/json.h"
#include "tests/lib/fake_node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define NOWHERE "/v1/answer/0000000000000000000000000000000000000000000000000000000000000000"

struct rig {
    char home[64];
    struct hub_route route;
    char *log;
    size_t log_len;
};

static int make_rig(void **state)
{
    struct rig *r = calloc(1, sizeof *r);
    struct why why = {0};
    assert_non_null(r);
    *state = r;
    snprintf(r->home, sizeof r->home, "%.40s/routeXXXXXX", getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(r->home));
    assert_int_equal(secret_start(&why), ERR_OK);
    struct bytes pass = bytes_of_str("a passphrase of the test");
    assert_int_equal(hub_init(env_posix(), r->home, "Hub of \"tests\"", pass, &why), ERR_OK);
    r->route.env = env_posix();
    r->route.log = open_memstream(&r->log, &r->log_len);
    return hub_open(&r->route.hub, env_posix(), r->home, pass, &why);
}

static int drop_rig(void **state)
{
    struct rig *r = *state;
    static const char *const names[] = {"hub.key", "hub.db", "hub.db-wal", "hub.db-shm", "recovery.key", "store"};
    char path[128];
    hub_close(r->route.hub);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", r->home, names[i]);
        (void)unlink(path);
    }
    int left = rmdir(r->home);
    fclose(r->route.log);
    free(r->log);
    free(r);
    return left;
}

/* The body of the answer stays in *out. */
static int ask(void **state, const char *method, const char *path, const char *body, struct buf *out)
{
    struct rig *r = *state;
    struct http_request req = {.method = method, .path = path, .body = bytes_of_str(body)};
    struct http_reply reply = {0};
    buf_init(&reply.body, 1u << 20);
    hub_route(&r->route, &req, &reply);
    *out = reply.body;
    return reply.status;
}

static void refused(void **state, const char *method, const char *path, const char *body, int status, const char *code)
{
    struct buf out;
    struct json *j = NULL;
    assert_int_equal(ask(state, method, path, body, &out), status);
    assert_int_equal(json_parse(buf_bytes(&out), &j, NULL), ERR_OK);
    struct json *error = json_get(j, "error");
    assert_string_equal(json_get_str(error, "code"), code);
    assert_int_not_equal(strlen(json_get_str(error, "message")), 0);
    json_free(j);
    buf_release(&out);
}

static void route_gives_the_hubs_keys_and_name(void **state)
{
    struct rig *r = *state;
    struct identity id;
    struct buf out;
    assert_int_equal(ask(state, "GET", "/v1/hub", "", &out), 200);
    assert_true(out.len > PUBLIC_BYTES);
    assert_int_equal(identity_from_bytes(&id, bytes_of(out.data, PUBLIC_BYTES), NULL), ERR_OK);
    assert_memory_equal(id.kid, hub_identity(r->route.hub)->kid, KID_BYTES);
    assert_true(
        bytes_equal(bytes_of(out.data + PUBLIC_BYTES, out.len - PUBLIC_BYTES), bytes_of_str("Hub of \"tests\"")));
    buf_release(&out);
}

static void route_says_that_it_is_well(void **state)
{
    struct buf out;
    assert_int_equal(ask(state, "GET", "/healthz", "", &out), 200);
    assert_true(bytes_equal(buf_bytes(&out), bytes_of_str("ok\n")));
    buf_release(&out);
}

static void route_refuses_unknown_paths_and_methods(void **state)
{
    refused(state, "GET", "/", "", 404, "not_found");
    refused(state, "GET", "/v1/hub/", "", 404, "not_found");
    refused(state, "GET", "/v1/exchange/x", "", 404, "not_found");
    refused(state, "GET", "/v1/exchange", "", 405, "usage");
    refused(state, "POST", "/v1/hub", "", 405, "usage");
}

static void route_refuses_what_is_no_bundle(void **state)
{
    refused(state, "POST", "/v1/exchange", "not a bundle", 400, "corrupt");
    refused(state, "POST", "/v1/exchange", "", 400, "corrupt");
}

static void route_refuses_what_is_no_invitation(void **state)
{
    refused(state, "POST", "/v1/enrol", "not an invitation", 403, "refused");
}

static void route_opens_its_door_to_nobody_without_a_key_to_it(void **state)
{
    refused(state, "POST", "/v1/door", "open up", 403, "refused");
    refused(state, "POST", "/v1/door", "", 403, "refused");
    refused(state, "GET", "/v1/door", "", 405, "usage");
}

static void route_knows_no_answer_that_it_did_not_give(void **state)
{
    refused(state, "GET", NOWHERE, "", 404, "not_found");
    refused(state, "GET", "/v1/answer/", "", 404, "not_found");
    refused(state, "GET", "/v1/answer/00", "", 404, "not_found");
    refused(state, "GET", NOWHERE "00", "", 404, "not_found");
    refused(state, "GET", "/v1/answer/../../etc/passwd", "", 404, "not_found");
}

static void route_logs_no_word_of_the_request(void **state)
{
    struct rig *r = *state;
    refused(state, "GET", "/family-name", "", 404, "not_found");
    refused(state, "POST", "/v1/exchange", "status=200 family-name", 400, "corrupt");
    fflush(r->route.log);
    assert_null(strstr(r->log, "family-name"));
    assert_non_null(strstr(r->log, " route=none status=404 "));
    assert_non_null(strstr(r->log, " route=exchange status=400 "));
}

static void route_is_quiet_when_asked(void **state)
{
    struct rig *r = *state;
    FILE *log = r->route.log;
    struct buf out;
    fflush(log);
    size_t before = r->log_len;
    r->route.log = NULL;
    assert_int_equal(ask(state, "GET", "/healthz", "", &out), 200);
    r->route.log = log;
    fflush(log);
    assert_int_equal(r->log_len, before);
    buf_release(&out);
}

static void route_has_small_exchanges_answered_together_and_nothing_else(void **state)
{
    struct rig *r = *state;
    static uint8_t large[HUB_TOGETHER_BYTES + 1];
    const struct http_request small = {.method = "POST", .path = "/v1/exchange", .body = bytes_of_str("not a bundle")};
    const struct http_request others[] = {
        {.method = "POST", .path = "/v1/exchange", .body = bytes_of(large, sizeof large)},
        {.method = "GET", .path = "/v1/exchange"},
        {.method = "POST", .path = "/v1/enrol", .body = bytes_of_str("not a bundle")},
        {.method = "POST", .path = "/v1/door", .body = bytes_of_str("not a bundle")},
        {.method = "GET", .path = "/v1/hub"},
        {.method = "GET", .path = "/nowhere"},
    };
    struct http_turn v[3] = {{.req = small}, {.req = small}, {.req = small}};
    assert_true(hub_route_joins(&r->route, &small));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) assert_false(hub_route_joins(&r->route, &others[i]));
    for (size_t i = 0; i < 3; i++) buf_init(&v[i].reply.body, 1u << 20);
    hub_route_together(&r->route, v, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_true(v[i].done);
        assert_int_equal(v[i].reply.status, 400);
        assert_true(v[i].reply.body.len > 0);
        buf_release(&v[i].reply.body);
    }
}

/* Somebody saw it on its way: it proves nothing about who sends it now. */
static void an_enrolment_that_is_sent_again_and_again_is_slowed_down(void **state)
{
    struct hub_limit_rates rates = {.device = {1, 1}, .enrol = {0.001, 3}, .nobody = {1, 1}};
    struct hub_route route = {.one = PTHREAD_MUTEX_INITIALIZER};
    struct fake_hub *f = calloc(1, sizeof *f);
    struct fake_node n = {0};
    struct buf code, request, answer[5];
    struct why why = {0};
    (void)state;
    assert_non_null(f);
    fake_hub_start(f);
    fake_hub_people(f);
    buf_init(&code, 4096);
    buf_init(&request, 1u << 20);
    assert_int_equal(hub_invite(f->hub, "school-1", "http://127.0.0.1:1", 1000, &code, &why), ERR_OK);
    assert_int_equal(identity_generate(&n.id, &why), ERR_OK);
    fake_node_ask(&n, f, buf_bytes(&code), "Sue", &request);
    route.env = &f->env;
    route.hub = f->hub;
    assert_int_equal(hub_limit_new(&route.limit, &f->env, &rates, &why), ERR_OK);
    for (int i = 0; i < 5; i++) {
        struct http_request req = {.method = "POST", .path = "/v1/enrol", .body = buf_bytes(&request)};
        struct http_reply reply = {0};
        buf_init(&reply.body, 1u << 20);
        hub_route(&route, &req, &reply);
        assert_int_equal(reply.status, i < 4 ? 200 : 503); /* once for its device, three times more for an answer that was lost */
        answer[i] = reply.body;
    }
    assert_true(bytes_equal(buf_bytes(&answer[0]), buf_bytes(&answer[3])));
    for (int i = 0; i < 5; i++) buf_release(&answer[i]);
    hub_limit_free(route.limit);
    buf_release(&code);
    buf_release(&request);
    fake_node_release(&n);
    fake_hub_stop(f);
    free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(route_gives_the_hubs_keys_and_name),
        cmocka_unit_test(route_says_that_it_is_well),
        cmocka_unit_test(route_refuses_unknown_paths_and_methods),
        cmocka_unit_test(route_refuses_what_is_no_bundle),
        cmocka_unit_test(route_refuses_what_is_no_invitation),
        cmocka_unit_test(route_opens_its_door_to_nobody_without_a_key_to_it),
        cmocka_unit_test(route_knows_no_answer_that_it_did_not_give),
        cmocka_unit_test(route_has_small_exchanges_answered_together_and_nothing_else),
        cmocka_unit_test(route_logs_no_word_of_the_request),
        cmocka_unit_test(route_is_quiet_when_asked),
        cmocka_unit_test(an_enrolment_that_is_sent_again_and_again_is_slowed_down),
    };
    return cmocka_run_group_tests(tests, make_rig, drop_rig);
}
