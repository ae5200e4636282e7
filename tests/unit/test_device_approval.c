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

/* It asks, and brings a case. */
static void puts_nothing_before_a_manager(void)
{
    struct fake_edit e;
    struct op op;
    uint8_t id[16];
    env_new_id(&admin_hub->env, id);
    fake_edit_start(&e);
    op = fake_new(node, "case_file", id, id);
    fake_value(&op, "area", value_str("north"));
    fake_put(&e, &op);
    (void)fake_commit(node, &e);
    fake_node_pack(node);
    assert_int_equal(fake_node_send(node, false), ERR_REFUSED);
    assert_int_equal(fake_hub_int(admin_hub, "SELECT count(*) FROM h_envelope"), 0);
    assert_int_equal(fake_hub_int(admin_hub, "SELECT count(*) FROM h_held"), 0);
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
    puts_nothing_before_a_manager();
}

/* Whoever had the code is a stranger until somebody has said otherwise, also when the whole site is cut off. */
static void one_that_never_was_approved_is_not_heard_after_it_was_cut_off(void **state)
{
    uint64_t n = 0;
    (void)state;
    enrol_waiting(false);
    assert_int_equal(hub_revoke_site(HUB, "school-1", "burgled", &n, &why), ERR_OK);
    puts_nothing_before_a_manager();
    assert_int_equal(hub_wipe_as(HUB, node->id.pub.kid, "lost", "burgled", true, &why), ERR_OK);
    puts_nothing_before_a_manager();
}

static void given_by(const char *who, const char *site, struct buf *code)
{
    buf_init(code, 4096);
    admin_as(who);
    assert_int_equal(hub_invite(HUB, site, "http://127.0.0.1:1", 300 * DAY, code, &why), ERR_OK);
    admin_as("admin");
}

static enum err joins(struct buf *code)
{
    struct fake_node *n = calloc(1, sizeof *n);
    struct buf request, answer;
    buf_init(&request, 1u << 20);
    buf_init(&answer, 1u << 20);
    assert_int_equal(identity_generate(&n->id, &why), ERR_OK);
    fake_node_ask(n, admin_hub, buf_bytes(code), "Eve", &request);
    enum err e = hub_enrol(HUB, buf_bytes(&request), &answer, &why);
    identity_release(&n->id);
    buf_release(&request);
    buf_release(&answer);
    buf_release(code);
    free(n);
    return e;
}

static void a_code_ends_with_the_right_of_who_gave_it(void **state)
{
    struct buf of_omar[2], of_ines[2];
    (void)state;
    for (int i = 0; i < 2; i++) {
        given_by("Omar", "school-1", &of_omar[i]);
        given_by("Ines", "school-1", &of_ines[i]);
    }
    assert_int_equal(hub_admin_role(HUB, "Ines", ROLE_OPERATOR, "less to do", &why), ERR_OK);
    assert_int_equal(joins(&of_ines[0]), ERR_OK); /* an operator still invites */
    assert_int_equal(hub_admin_role(HUB, "Ines", ROLE_VIEWER, "another post", &why), ERR_OK);
    assert_int_equal(joins(&of_omar[0]), ERR_OK);
    assert_int_equal(hub_admin_remove(HUB, "Omar", "dismissed", &why), ERR_OK);
    assert_int_equal(joins(&of_omar[1]), ERR_REFUSED);
    assert_int_equal(hub_admin_role(HUB, "Ines", ROLE_SECURITY, "back again", &why), ERR_OK);
    assert_int_equal(joins(&of_ines[1]), ERR_REFUSED); /* it does not come back with them */
}

static void a_site_that_is_cut_off_has_no_code_left(void **state)
{
    struct buf before, elsewhere, after;
    uint64_t n = 0;
    (void)state;
    fake_node_enrol(node, admin_hub, "school-1", "school", "Sue");
    given_by("Omar", "school-1", &before);
    given_by("Omar", "police-hq", &elsewhere);
    assert_int_equal(hub_revoke_site(HUB, "school-1", "burgled", &n, &why), ERR_OK);
    assert_int_equal(joins(&before), ERR_REFUSED);
    assert_int_equal(joins(&elsewhere), ERR_OK);
    given_by("Omar", "school-1", &after);
    assert_int_equal(joins(&after), ERR_OK);
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

/* A device that was to retire is left on a train: it is cut off from then on, whatever waits still waits, and nothing
 * is ordered twice. */
static void device_that_retires_and_gets_lost_is_cut_off_and_its_order_stands(void **state)
{
    struct fake_node *old = calloc(1, sizeof *old);
    (void)state;
    fake_node_enrol(node, admin_hub, "school-1", "school", "Sue");
    fake_node_enrol(old, admin_hub, "police-hq", "police", "Pat");
    assert_int_equal(hub_wipe_as(HUB, node->id.pub.kid, "retired", "a new one came", false, &why), ERR_OK);
    assert_int_equal(hub_wipe_as(HUB, old->id.pub.kid, "retired", "a new one came", false, &why), ERR_OK);
    int64_t orders = fake_hub_int(admin_hub, "SELECT count(*) FROM h_order");
    assert_int_equal(fake_hub_int(admin_hub, "SELECT count(*) FROM h_node WHERE state = 'revoked'"), 0);
    assert_int_equal(hub_wipe_as(HUB, node->id.pub.kid, "retired", "again", false, &why), ERR_EXISTS);
    assert_int_equal(hub_wipe_as(HUB, node->id.pub.kid, "lost", "on a train", false, &why), ERR_OK);
    assert_int_equal(hub_wipe_as(HUB, old->id.pub.kid, "", "its user left in anger", false, &why), ERR_OK);
    assert_int_equal(fake_hub_int(admin_hub, "SELECT count(*) FROM h_node WHERE state = 'revoked'"), 2);
    assert_int_equal(fake_hub_int(admin_hub, "SELECT count(*) FROM h_fate WHERE fate = 'lost'"), 1);
    assert_int_equal(fake_hub_int(admin_hub, "SELECT count(*) FROM h_order"), orders);
    assert_int_equal(admin_acts("lost"), 1);
    assert_int_equal(hub_wipe_as(HUB, node->id.pub.kid, "lost", "again", false, &why), ERR_EXISTS);
    assert_int_equal(hub_wipe_as(HUB, node->id.pub.kid, "retired", "it was found", false, &why), ERR_EXISTS); /* it stays cut off */
    assert_int_equal(hub_wipe_as(HUB, node->id.pub.kid, "lost", "it will not be found", true, &why), ERR_OK);
    assert_int_equal(fake_hub_int(admin_hub, "SELECT count(*) FROM h_order"), orders + 1);
    fake_node_release(old);
    free(old);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, start, stop)
    const struct CMUnitTest tests[] = {
        T(it_gets_nothing_before_and_everything_after),
        T(one_that_is_refused_never_gets_anything),
        T(one_that_never_was_approved_is_not_heard_after_it_was_cut_off),
        T(a_code_ends_with_the_right_of_who_gave_it),
        T(a_site_that_is_cut_off_has_no_code_left),
        T(a_lost_device_is_cut_off_and_wiped_and_one_that_retires_is_heard_to_the_end),
        T(device_that_retires_and_gets_lost_is_cut_off_and_its_order_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
