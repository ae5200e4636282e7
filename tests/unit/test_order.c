/* The hub's orders to devices, and who looked at what: hub/order.c, hub/views.c. */
#include "tests/lib/door_visit.h"
#include "tests/lib/round_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void must_line(enum err e, const struct why *why, const char *what, int line)
{
    if (e != ERR_OK) fail_msg("%s (line %d): %s: %s", what, line, err_word(e), why->text);
}
#define MUST(call) must_line(call, &why, #call, __LINE__)

static void an_order_comes_with_every_answer_until_the_device_says_that_it_is_done(void **state)
{
    (void)state;
    struct fake_node *n = round_device("school-1", "school", "Sue"),
                     *other = round_device("police-hq", "police", "Paul");
    fake_node_round(n);
    assert_int_equal(n->n_orders, 0);
    visit_order_lease(n, 14);
    for (int i = 0; i < 2; i++) {
        fake_node_round(n);
        assert_int_equal(n->n_orders, 1);
        assert_true(n->orders[0].kind == ORDER_LEASE && n->orders[0].value == 14 && n->orders[0].number == 1);
        assert_memory_equal(n->orders[0].node, n->id.pub.kid, KID_BYTES);
    }
    fake_node_round(other);
    assert_int_equal(other->n_orders, 0);
    assert_int_equal(fake_hub_int(round_hub, "SELECT count(*) FROM h_order WHERE done_at IS NOT NULL"), 0);
    n->order = 1;
    fake_node_round(n);
    assert_int_equal(n->n_orders, 0);
    assert_int_equal(fake_hub_int(round_hub, "SELECT count(*) FROM h_order WHERE done_at IS NOT NULL"), 1);
    assert_int_equal(fake_hub_int(round_hub, "SELECT count(*) FROM h_act WHERE act = 'lease' AND reason = '14 days'"),
                     1);
    round_gone(n);
    round_gone(other);
}

static void of_two_leases_the_newer_one_alone_is_told(void **state)
{
    (void)state;
    struct fake_node *n = round_device("school-1", "school", "Sue");
    visit_order_lease(n, 14);
    visit_order_lease(n, 5);
    fake_node_round(n);
    assert_int_equal(n->n_orders, 1);
    assert_true(n->orders[0].value == 5 && n->orders[0].number == 2);
    n->order = 2;
    fake_node_round(n);
    assert_int_equal(n->n_orders, 0);
    assert_int_equal(fake_hub_int(round_hub, "SELECT count(*) FROM h_order WHERE done_at IS NULL"), 0);
    round_gone(n);
}

static void a_lease_is_of_1_to_3650_days_and_for_a_device_that_is_there(void **state)
{
    (void)state;
    struct fake_node *n = round_device("school-1", "school", "Sue");
    static const uint8_t nobody[16] = {1};
    struct why why = {0};
    assert_int_equal(hub_lease(round_hub->hub, n->id.pub.kid, 0, &why), ERR_USAGE);
    assert_int_equal(hub_lease(round_hub->hub, n->id.pub.kid, 3651, &why), ERR_USAGE);
    assert_int_equal(hub_lease(round_hub->hub, nobody, 3, &why), ERR_NOTFOUND);
    assert_int_equal(hub_wipe(round_hub->hub, nobody, "gone", false, &why), ERR_NOTFOUND);
    assert_int_equal(hub_wipe(round_hub->hub, n->id.pub.kid, "", false, &why), ERR_USAGE);
    assert_int_equal(fake_hub_int(round_hub, "SELECT count(*) FROM h_order"), 0);
    round_gone(n);
}

static void a_device_that_waits_for_news_is_told_its_order_at_once(void **state)
{
    (void)state;
    struct fake_node *n = round_device("school-1", "school", "Sue");
    fake_node_pull(n);
    n->wait_ms = 60000;
    fake_node_pack(n);
    assert_int_equal(fake_node_send(n, true), ERR_OK);
    assert_true(n->result.parked);
    visit_order_lease(n, 9);
    assert_int_equal(fake_node_send(n, true), ERR_OK);
    assert_false(n->result.parked);
    assert_int_equal(n->n_orders, 1);
    round_gone(n);
}

static void a_device_that_is_to_be_wiped_is_revoked_and_what_it_still_sends_is_held(void **state)
{
    (void)state;
    struct fake_node *n = round_device("school-1", "school", "Sue");
    static const char *const members[] = {"school:contribute", NULL};
    uint8_t id[16], person[16];
    char word[16];
    struct why why = {0};
    fake_node_pull(n);
    fake_case(n, id, "care", members);
    visit_order_wipe(n, false);
    assert_string_equal(visit_state(n, word), "revoked");
    struct op op = fake_person(n, person, id, "Late");
    struct fake_edit e;
    fake_edit_start(&e);
    fake_put(&e, &op);
    const struct fake_verdict *v = fake_send(n, &e);
    assert_non_null(v);
    assert_int_equal(v->verdict, VERDICT_HELD);
    assert_true(n->hello.revoked);
    assert_int_equal(n->n_orders, 1);
    assert_true(n->orders[0].kind == ORDER_WIPE && n->orders[0].value == ORDER_WHEN_SENT);
    assert_int_equal(hub_wipe(round_hub->hub, n->id.pub.kid, "again", false, &why), ERR_EXISTS);
    assert_int_equal(hub_lease(round_hub->hub, n->id.pub.kid, 3, &why), ERR_DENIED);
    visit_order_wipe(n, true);
    assert_int_equal(hub_wipe(round_hub->hub, n->id.pub.kid, "again", true, &why), ERR_EXISTS);
    assert_int_equal(hub_wipe(round_hub->hub, n->id.pub.kid, "again", false, &why), ERR_EXISTS);
    fake_node_round(n);
    assert_int_equal(n->n_orders, 1);
    assert_int_equal(n->orders[0].value, ORDER_AT_ONCE);
    assert_int_equal(fake_hub_int(round_hub, "SELECT count(*) FROM h_act WHERE act IN ('wipe', 'wipe now', 'revoke')"),
                     3);
    round_gone(n);
}

static void an_order_of_a_hub_that_was_put_back_is_numbered_above_what_the_device_knows(void **state)
{
    (void)state;
    struct fake_node *n = round_device("school-1", "school", "Sue");
    fake_node_pull(n);
    n->order = 7; /* by orders that this hub does not remember */
    visit_order_lease(n, 14);
    visit_order_wipe(n, false);
    fake_node_round(n);
    assert_int_equal(n->n_orders, 2);
    assert_true(n->orders[0].number > 7 && n->orders[0].kind == ORDER_LEASE && n->orders[0].value == 14);
    assert_true(n->orders[1].number > n->orders[0].number && n->orders[1].kind == ORDER_WIPE);
    /* What it carries out then is done, and nothing is told twice under two numbers. */
    n->order = n->orders[0].number;
    fake_node_round(n);
    assert_int_equal(n->n_orders, 1);
    assert_int_equal(n->orders[0].kind, ORDER_WIPE);
    assert_int_equal(fake_hub_int(round_hub, "SELECT count(*) FROM h_order"), 2);
    /* No device that carried a wipe out says hello: it is told anew, above its number. */
    n->order = n->orders[0].number;
    fake_node_round(n);
    assert_int_equal(n->n_orders, 1);
    assert_true(n->orders[0].kind == ORDER_WIPE && n->orders[0].number > n->order);
    /* And what is given after that is above it too. */
    struct visit v;
    assert_int_equal(visit_confirm(n, 0, &v), ERR_OK);
    visit_end(&v);
    round_gone(n);
}

struct looks {
    size_t n;
    char name[64];
};
static enum err looked(void *ctx, const struct hub_looked *l, struct why *why)
{
    struct looks *x = ctx;
    (void)why;
    x->n++;
    (void)snprintf(x->name, sizeof x->name, "%s@%s", l->name, l->site);
    return ERR_OK;
}

static size_t looks_at(const char *table, const uint8_t id[16], struct looks *x)
{
    struct why why = {0};
    x->n = 0;
    MUST(hub_who_looked(round_hub->hub, rules_table_index(bytes_of_str(table)), id, 0, looked, x, &why));
    return x->n;
}

/* Else a device could see to it that nobody can order it to wipe itself, and that it is not cut off either. */
static void a_device_that_says_it_had_all_orders_there_are_is_cut_off_and_wiped_all_the_same(void **state)
{
    (void)state;
    struct fake_node *n = round_device("school-1", "school", "Sue");
    struct why why = {0};
    n->order = INT64_MAX;
    assert_int_equal(fake_node_try(n), ERR_FORMAT);
    n->order = (uint64_t)1 << 62;
    fake_node_round(n);
    MUST(hub_wipe_as(round_hub->hub, n->id.pub.kid, "lost", "stolen", true, &why));
    assert_int_equal(fake_hub_int(round_hub, "SELECT count(*) FROM h_node WHERE state = 'revoked'"), 1);
    fake_node_round(n);
    assert_int_equal(n->n_orders, 1);
    round_gone(n);
}

static void who_looked_is_kept_once_and_a_hidden_row_is_passed_over_without_a_word(void **state)
{
    (void)state;
    struct fake_node *school = round_device("school-1", "school", "Sue"),
                     *police = round_device("police-hq", "police", "Paul");
    static const char *const members[] = {"school:contribute", NULL};
    uint8_t id[16];
    struct why why = {0};
    struct looks x;
    fake_node_pull(school);
    fake_node_pull(police);
    fake_case(school, id, "care", members);
    fake_node_pull(school);
    struct view_item v[2] = {{.table_index = rules_table_index(bytes_of_str("brief")), .at_ms = 100},
                             {.table_index = rules_table_index(bytes_of_str("brief")), .at_ms = 101}};
    memcpy(v[0].user, school->user, 16);
    memcpy(v[0].id, id, 16);
    memset(v[1].id, 0x55, 16); /* no such row */
    struct buf item;
    buf_init(&item, 1u << 20);
    for (int i = 0; i < 2; i++) {
        buf_reset(&item);
        MUST(message_put_views(&item, &school->id, school->id.pub.kid, v, 2, &why));
        fake_node_queue(school, buf_bytes(&item));
        fake_node_round(school);
    }
    assert_int_equal(looks_at("brief", id, &x), 1);
    assert_string_equal(x.name, "Sue@school-1");
    /* The police see nothing of the case: their word about it changes nothing, and they are not told so. */
    buf_reset(&item);
    MUST(message_put_views(&item, &police->id, police->id.pub.kid, v, 2, &why));
    fake_node_queue(police, buf_bytes(&item));
    fake_node_round(police);
    assert_int_equal(looks_at("brief", id, &x), 1);
    assert_int_equal(fake_hub_int(round_hub, "SELECT count(*) FROM h_view"), 1);
    /* In another's name it is no word at all. */
    buf_reset(&item);
    MUST(message_put_views(&item, &police->id, school->id.pub.kid, v, 1, &why));
    fake_node_queue(police, buf_bytes(&item));
    assert_int_equal(fake_node_try(police), ERR_TAMPERED);
    buf_release(&item);
    round_gone(school);
    round_gone(police);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, round_start, round_stop)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_order_comes_with_every_answer_until_the_device_says_that_it_is_done),
        TEST(of_two_leases_the_newer_one_alone_is_told),
        TEST(a_lease_is_of_1_to_3650_days_and_for_a_device_that_is_there),
        TEST(a_device_that_waits_for_news_is_told_its_order_at_once),
        TEST(a_device_that_is_to_be_wiped_is_revoked_and_what_it_still_sends_is_held),
        TEST(an_order_of_a_hub_that_was_put_back_is_numbered_above_what_the_device_knows),
        TEST(a_device_that_says_it_had_all_orders_there_are_is_cut_off_and_wiped_all_the_same),
        TEST(who_looked_is_kept_once_and_a_hidden_row_is_passed_over_without_a_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
