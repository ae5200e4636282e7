/* A policy that was left half way goes on in the hub's server, without anybody's command. */
#include "cli/hub_route.h"
#include "tests/lib/policy_variant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct rig {
    char home[64];
    struct hub_route route;
};

static struct bytes passphrase(void)
{
    return bytes_of_str("a passphrase of the test");
}

static int make_rig(void **state)
{
    struct rig *r = calloc(1, sizeof *r);
    struct why why = {0};
    assert_non_null(r);
    *state = r;
    snprintf(r->home, sizeof r->home, "%.40s/servesXXXXXX", getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(r->home));
    assert_int_equal(secret_start(&why), ERR_OK);
    assert_int_equal(hub_init(env_posix(), r->home, "Hub", passphrase(), &why), ERR_OK);
    r->route.env = env_posix();
    return hub_open(&r->route.hub, env_posix(), r->home, passphrase(), &why);
}

static int drop_rig(void **state)
{
    struct rig *r = *state;
    static const char *const names[] = {"hub.key", "hub.db", "hub.db-wal", "hub.db-shm", "store", "recovery.key"};
    char path[128];
    hub_close(r->route.hub);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", r->home, names[i]);
        (void)unlink(path);
    }
    int left = rmdir(r->home);
    free(r);
    return left;
}

static void somebody_calls(struct rig *r)
{
    struct http_request req = {.method = "POST", .path = "/v1/exchange", .body = bytes_of_str("no bundle")};
    struct http_reply reply = {0};
    buf_init(&reply.body, 1u << 20);
    hub_route(&r->route, &req, &reply);
    assert_int_equal(reply.status, 400);
    buf_release(&reply.body);
}

static bool is_coming(struct hub *h)
{
    struct hub_policy_progress p;
    assert_int_equal(hub_policy_progress(h, &p, NULL), ERR_OK);
    assert_int_equal(p.under_way, hub_policy_is_coming(h));
    return p.under_way;
}

static void a_policy_that_was_left_half_way_goes_on_when_the_server_is_called(void **state)
{
    struct rig *r = *state;
    struct why why = {0};
    char *text = policy_variant_text(&(struct policy_variant){.less = "channel = 'reference' AND site = 'x'"});
    somebody_calls(r);
    assert_false(is_coming(r->route.hub));
    assert_int_equal(hub_policy_apply(r->route.hub, bytes_of_str(text), "because", &why), ERR_OK);
    hub_close(r->route.hub);
    r->route.hub = NULL;
    assert_int_equal(hub_open(&r->route.hub, env_posix(), r->home, passphrase(), &why), ERR_OK);
    assert_true(is_coming(r->route.hub)); /* known before anything is asked of it */
    assert_int_equal(hub_verify(r->route.hub, &why), ERR_OK);
    for (int i = 0; is_coming(r->route.hub); i++) {
        assert_true(i < 10);
        somebody_calls(r);
    }
    assert_int_equal(hub_verify(r->route.hub, &why), ERR_OK);
    assert_int_equal(hub_policy_apply(r->route.hub, bytes_of_str(text), "again", &why),
                     ERR_EXISTS); /* it is in force */
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(
        a_policy_that_was_left_half_way_goes_on_when_the_server_is_called, make_rig, drop_rig)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
