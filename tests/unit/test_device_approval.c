/* A device that has to be approved gets nothing before another administrator than its inviter has said yes. */
#include "tests/lib/admin_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct why why;
static struct fake_node *node;
#define HUB admin_hub->hub
#define DAY (24LL * 60 * 60 * 1000)

static int start(void **state)
{
    (void)admin_start(state);
    admin_add("Ines", ROLE_SECURITY);
    admin_add("Omar", ROLE_OPERATOR);
    admin_add("Vera", ROLE_VIEWER);
    node = calloc(1, sizeof *node);
    return 0;
}

static int stop(void **state)
{
    admin_log_holds();
    fake_node_release(node);
    free(node);
    return admin_stop(state);
}

/* As fake_node_enrol, with an invitation that wants approval. The fake node goes on as one that has joined. */
static void enrol_waiting(bool by_rule)
{
    struct buf code, request, answer;
    buf_init(&code, 4096);
    buf_init(&request, 1u << 20);
    buf_init(&answer, 1u << 20);
    fake_node_enrol(node, admin_hub, "school-1", "school", "Sue"); /* for all but its keys */
    assert_int_equal(hub_revoke(HUB, node->id.pub.kid, "only a pattern", &why), ERR_OK);
    identity_release(&node->id);
    assert_int_equal(identity_generate(&node->id, &why), ERR_OK);
    assert_int_equal(hub_invite_approved(HUB, "school-1", "http://127.0.0.1:1", DAY, !by_rule, &code, &why), ERR_OK);
    fake_node_ask(node, admin_hub, buf_bytes(&code), "Sue", &request);
    assert_int_equal(hub_enrol(HUB, buf_bytes(&request), &answer, &why), ERR_OK);
    assert_true(hub_enrol_waits(HUB));
    assert_int_equal(fake_hub_int(admin_hub, "SELECT count(*) FROM h_node WHERE state = 'waiting'"), 1);
    answer.len = 0;
    assert_int_equal(hub_enrol(HUB, buf_bytes(&request), &answer, &why), ERR_OK); /* asked again, it is told again */
    assert_true(hub_enrol_waits(HUB));
    buf_release(&code);
    buf_release(&request);
    buf_release(&answer);
}

static void gets_nothing(void)
{
    int64_t changes = fake_hub_int(admin_hub, "SELECT count(*) FROM h_envelope"), cuts = fake_hub_int(admin_hub, "SELECT count(*) FROM h_cut");
    fake_node_pack(node);
    assert_int_equal(fake_node_send(node, false), ERR_DENIED);
    assert_int_equal(fake_hub_int(admin_hub, "SELECT count(*) FROM h_envelope"), changes);
    assert_int_equal(fake_hub_int(admin_hub, "SELECT count(*) FROM h_cut"), cuts);
    assert_int_equal(fake_hub_int(admin_hub, "SELECT count(*) FROM h_node WHERE state = 'waiting' AND last_request = 0"), 1);
}

static void it_gets_nothing_before_and_everything_after(void **state)
{
    const uint8_t *kid = node->id.pub.kid;
    (void)state;
    enrol_waiting(false);
    gets_nothing();
    assert_int_equal(hub_device_approve(HUB, kid, &why), ERR_DENIED); /* the inviter */
    assert_int_equal(hub_admin_rename(HUB, "Sam", &why), ERR_OK);
    assert_int_equal(hub_device_approve(HUB, kid, &why), ERR_DENIED); /* under any name */
    admin_as("Vera");
    assert_int_equal(hub_device_approve(HUB, kid, &why), ERR_REFUSED);
    gets_nothing();
    admin_as("Omar");
    assert_int_equal(hub_device_approve(HUB, kid, &why), ERR_OK);
    fake_node_round(node);
    assert_true(node->n_rows > 0);
    assert_int_equal(hub_device_approve(HUB, kid, &why), ERR_USAGE);
    assert_int_equal(hub_device_refuse(HUB, kid, "too late", &why), ERR_USAGE);
}

static void one_that_is_refused_never_gets_anything(void **state)
{
    (void)state;
    assert_int_equal(hub_rule_set(HUB, RULE_APPROVE, 1, NULL, &why), ERR_OK);
    enrol_waiting(true);
    assert_int_equal(hub_device_refuse(HUB, node->id.pub.kid, "", &why), ERR_USAGE);
    assert_int_equal(hub_device_refuse(HUB, node->id.pub.kid, "nobody knows it", &why), ERR_OK);
    assert_int_equal(hub_device_approve(HUB, node->id.pub.kid, &why), ERR_USAGE);
    fake_node_round(node);
    assert_int_equal(node->n_rows, 0);
    assert_true(node->hello.revoked);
}

static void a_lost_device_is_cut_off_and_wiped_and_one_that_retires_is_heard_to_the_end(void **state)
{
    struct fake_node *old = calloc(1, sizeof *old);
    (void)state;
    fake_node_enrol(node, admin_hub, "school-1", "school", "Sue");
    fake_node_enrol(old, admin_hub, "police-hq", "police", "Pat");
    fake_node_pull(node);
    fake_node_pull(old);
    assert_int_equal(hub_wipe_as(HUB, node->id.pub.kid, "lost", "on a train", true, &why), ERR_OK);
    assert_int_equal(hub_wipe_as(HUB, old->id.pub.kid, "retired", "a new one came", false, &why), ERR_OK);
    fake_node_round(node);
    assert_true(node->hello.revoked);
    assert_int_equal(node->n_orders, 1);
    assert_int_equal(node->orders[0].kind, ORDER_WIPE);
    assert_int_equal(node->orders[0].value, ORDER_AT_ONCE);
    fake_node_round(old);
    assert_false(old->hello.revoked);
    assert_int_equal(old->orders[0].value, ORDER_WHEN_SENT);
    assert_int_equal(fake_hub_int(admin_hub, "SELECT count(*) FROM h_fate WHERE fate = 'lost'"), 1);
    assert_int_equal(fake_hub_int(admin_hub, "SELECT count(*) FROM h_fate WHERE fate = 'retired'"), 1);
    assert_int_equal(admin_acts("lost") + admin_acts("retired"), 2);
    fake_node_release(old);
    free(old);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, start, stop)
    const struct CMUnitTest tests[] = {
        T(it_gets_nothing_before_and_everything_after),
        T(one_that_is_refused_never_gets_anything),
        T(a_lost_device_is_cut_off_and_wiped_and_one_that_retires_is_heard_to_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
