/* Several requests in one commit (hub/STORE.md): each is answered as if it were alone, and one that fails hurts nobody
 * else. */
#include "sync/db.h"
#include "tests/lib/group_world.h"
#include "tests/lib/test_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void requests_that_come_together_are_all_answered_in_one_commit(void **state)
{
    (void)state;
    struct hub_asked v[GROUP_MANY];
    int64_t commits = group_count("SELECT count(*) FROM h_step_time"), steps = group_version(), before = group_people();
    for (size_t i = 0; i < GROUP_MANY; i++) group_pack(group_devices[i], "Smith");
    assert_int_equal(group_together(v, GROUP_MANY), GROUP_MANY);
    for (size_t i = 0; i < GROUP_MANY; i++) {
        group_must(&v[i], ERR_OK);
        assert_true(v[i].result.moved);
        assert_int_equal(v[i].result.verdicts[VERDICT_APPLIED], 1);
        group_read_applied(group_devices[i]);
    }
    assert_int_equal(group_count("SELECT count(*) FROM h_step_time"), commits + 1); /* one row a transaction */
    assert_int_equal(group_version(), steps + GROUP_MANY);
    assert_int_equal(group_people(), before + GROUP_MANY);
    group_all_is_well();
    group_settle(GROUP_MANY);
}

static void verdicts_are_in_the_order_in_which_the_requests_were_taken(void **state)
{
    (void)state;
    struct hub_asked v[GROUP_MANY];
    char text[200];
    int64_t last = group_version();
    for (size_t i = 0; i < 8; i++) group_pack(group_devices[i], "Smith");
    for (size_t i = 0; i < 8; i++) group_ask(&v[i], group_devices[7 - i], false);
    assert_int_equal(hub_exchange_all(round_hub->hub, v, 8), 8);
    for (size_t i = 0; i < 8; i++) {
        char kid[2 * KID_BYTES + 1];
        group_must(&v[i], ERR_OK);
        hex_encode(kid, group_devices[7 - i]->id.pub.kid, KID_BYTES);
        (void)snprintf(text, sizeof text, "SELECT max(version) FROM h_envelope WHERE node_no = (SELECT no FROM h_node WHERE kid = %s%s')",
                       test_store_sql("x'", "'\\x"), kid);
        assert_int_equal(group_count(text), ++last);
        group_read_applied(group_devices[7 - i]);
    }
    group_settle(8);
}

/* Its last frame is damaged, as on a bad wire. */
static void a_damaged_request_in_the_middle_is_undone_and_hurts_nobody(void **state)
{
    (void)state;
    struct hub_asked v[GROUP_MANY];
    const size_t bad = GROUP_MANY / 2;
    int64_t steps = group_version(), before = group_people();
    for (size_t i = 0; i < GROUP_MANY; i++) group_pack(group_devices[i], "Smith");
    group_devices[bad]->sent.data[group_devices[bad]->sent.len - 1] ^= 1;
    assert_int_equal(group_together(v, GROUP_MANY), GROUP_MANY);
    for (size_t i = 0; i < GROUP_MANY; i++) {
        group_must(&v[i], i == bad ? ERR_TAMPERED : ERR_OK);
        if (i != bad) group_read_applied(group_devices[i]);
    }
    assert_int_equal(group_devices[bad]->got.len, 0);
    assert_false(v[bad].result.moved);
    assert_int_equal(v[bad].result.verdicts[VERDICT_APPLIED], 0);
    assert_int_equal(group_people(), before + GROUP_MANY - 1);
    assert_int_equal(group_version(), steps + GROUP_MANY - 1); /* its number went to the next */
    group_devices[bad]->sent.data[group_devices[bad]->sent.len - 1] ^= 1;
    assert_int_equal(fake_node_send(group_devices[bad], false), ERR_OK); /* it is taken when it comes whole */
    assert_int_equal(group_people(), before + GROUP_MANY);
    group_all_is_well();
    group_settle(GROUP_MANY);
}

static void and_so_wherever_it_stands(void **state)
{
    (void)state;
    struct hub_asked v[5];
    for (size_t bad = 0; bad < 5; bad++) {
        int64_t steps = group_version(), before = group_people();
        for (size_t i = 0; i < 5; i++) group_pack(group_devices[i], "Smith");
        group_devices[bad]->sent.data[group_devices[bad]->sent.len - 1] ^= 1;
        assert_int_equal(group_together(v, 5), 5);
        for (size_t i = 0; i < 5; i++) {
            group_must(&v[i], i == bad ? ERR_TAMPERED : ERR_OK);
            if (i != bad) group_read_applied(group_devices[i]);
        }
        assert_int_equal(group_version(), steps + 4);
        assert_int_equal(group_count("SELECT max(version) FROM h_step_time"), steps + 4);
        group_devices[bad]->sent.data[group_devices[bad]->sent.len - 1] ^= 1;
        assert_int_equal(fake_node_send(group_devices[bad], false), ERR_OK);
        assert_int_equal(group_version(), steps + 5);
        assert_int_equal(group_people(), before + 5);
        group_settle(5);
    }
    group_all_is_well();
}

static void a_request_with_nothing_to_say_is_parked_among_others_and_their_news_are_news_to_it(void **state)
{
    (void)state;
    struct hub_asked v[3];
    bool news = false;
    struct why why = {0};
    group_devices[0]->wait_ms = 60000;
    group_pack(group_devices[0], NULL);
    group_pack(group_devices[1], "Smith");
    int64_t cuts = group_count("SELECT count(*) FROM h_cut"), requests = group_count("SELECT CAST(sum(last_request) AS INTEGER) FROM h_node");
    for (size_t i = 0; i < 2; i++) group_ask(&v[i], group_devices[i], i == 0);
    assert_int_equal(hub_exchange_all(round_hub->hub, v, 2), 2);
    group_must(&v[0], ERR_OK);
    group_must(&v[1], ERR_OK);
    assert_true(v[0].result.parked);
    assert_int_equal(v[0].result.park_ms, 60000);
    assert_false(v[0].result.moved);
    assert_int_equal(group_devices[0]->got.len, 0);
    assert_true(v[1].result.moved);
    assert_int_equal(group_count("SELECT count(*) FROM h_cut"), cuts + 1);
    assert_int_equal(group_count("SELECT CAST(sum(last_request) AS INTEGER) FROM h_node"), requests + 1);
    assert_int_equal(hub_waiting_news(round_hub->hub, &v[0].result.waiting, &news, &why), ERR_OK);
    assert_true(news);
    group_read_applied(group_devices[1]);
    assert_int_equal(fake_node_send(group_devices[0], true), ERR_OK); /* asked again, it gets them */
    assert_false(group_devices[0]->result.parked);
    assert_true(group_devices[0]->n_rows > 0);
    group_devices[0]->wait_ms = 0;
    group_settle(2);
}

static void parked_and_refused_requests_alone_write_nothing(void **state)
{
    (void)state;
    struct hub_asked v[3];
    uint8_t before[32], after[32];
    for (size_t i = 0; i < 2; i++) {
        group_devices[i]->wait_ms = 1000;
        group_pack(group_devices[i], NULL);
    }
    group_pack(group_devices[2], "Smith");
    group_devices[2]->sent.data[group_devices[2]->sent.len - 1] ^= 1;
    int64_t commits = group_count("SELECT count(*) FROM h_step_time");
    fake_hub_hash(round_hub, before);
    for (size_t i = 0; i < 3; i++) group_ask(&v[i], group_devices[i], true);
    assert_int_equal(hub_exchange_all(round_hub->hub, v, 3), 3);
    assert_true(v[0].result.parked && v[1].result.parked);
    group_must(&v[2], ERR_TAMPERED);
    fake_hub_hash(round_hub, after);
    assert_memory_equal(before, after, 32);
    assert_int_equal(group_count("SELECT count(*) FROM h_step_time"), commits);
    for (size_t i = 0; i < 2; i++) group_devices[i]->wait_ms = 0;
    group_devices[2]->sent.data[group_devices[2]->sent.len - 1] ^= 1;
    assert_int_equal(fake_node_send(group_devices[2], false), ERR_OK);
    group_settle(3);
}

static void a_repeated_request_gets_its_stored_answer_and_a_late_one_is_told_so(void **state)
{
    (void)state;
    struct hub_asked v[3];
    struct buf first, old, again[2];
    buf_init(&first, 1u << 20);
    buf_init(&old, 1u << 20);
    for (size_t i = 0; i < 2; i++) buf_init(&again[i], 1u << 20);
    group_pack(group_devices[0], "Smith");
    assert_int_equal(fake_node_send(group_devices[0], false), ERR_OK);
    buf_put_bytes(&first, buf_bytes(&group_devices[0]->got));
    group_pack(group_devices[1], "Smith");
    buf_put_bytes(&old, buf_bytes(&group_devices[1]->sent));
    assert_int_equal(fake_node_send(group_devices[1], false), ERR_OK);
    fake_node_round(group_devices[1]);
    int64_t before = group_people();
    v[0] = (struct hub_asked){.request = buf_bytes(&group_devices[0]->sent), .out = &again[0]};
    v[1] = (struct hub_asked){.request = buf_bytes(&old), .out = &again[1]};
    group_pack(group_devices[2], "Smith");
    group_ask(&v[2], group_devices[2], false);
    assert_int_equal(hub_exchange_all(round_hub->hub, v, 3), 3);
    group_must(&v[0], ERR_OK);
    assert_true(bytes_equal(buf_bytes(&again[0]), buf_bytes(&first)));
    group_must(&v[1], ERR_EXISTS);
    assert_int_equal(again[1].len, 0);
    group_must(&v[2], ERR_OK);
    group_read_applied(group_devices[2]);
    assert_int_equal(group_people(), before + 1);
    buf_release(&first);
    buf_release(&old);
    for (size_t i = 0; i < 2; i++) buf_release(&again[i]);
    group_settle(3);
}

static void the_second_request_of_a_device_is_judged_by_what_became_of_its_first(void **state)
{
    (void)state;
    struct hub_asked v[3];
    struct buf again;
    buf_init(&again, 1u << 20);
    group_pack(group_devices[0], "Smith");
    group_pack(group_devices[1], "Smith");
    group_ask(&v[0], group_devices[0], false);
    group_ask(&v[1], group_devices[1], false);
    v[2] = (struct hub_asked){.request = buf_bytes(&group_devices[0]->sent), .out = &again}; /* it lost its connection, and asked again */
    int64_t people = group_people();
    assert_int_equal(hub_exchange_all(round_hub->hub, v, 3), 3);
    for (size_t i = 0; i < 3; i++) group_must(&v[i], ERR_OK);
    assert_int_equal(group_people(), people + 2);
    assert_true(bytes_equal(buf_bytes(&again), buf_bytes(&group_devices[0]->got)));
    buf_release(&again);
    for (size_t i = 0; i < 2; i++) group_read_applied(group_devices[i]);
    group_settle(2);
}

static void a_large_request_is_alone(void **state)
{
    (void)state;
    struct hub_asked v[3];
    struct fake_node *large = group_devices[GROUP_MANY - 2]; /* it has more verdicts to read than a fake device can */
    group_pack(group_devices[0], "Smith");
    for (size_t i = 0; i < 700; i++) {
        char name[40], hex[9];
        uint8_t bytes[4];
        env_random(&round_hub->env, bytes, sizeof bytes);
        hex_encode(hex, bytes, sizeof bytes);
        (void)snprintf(name, sizeof name, "Smith %s", hex);
        group_person(large, name);
    }
    group_pack(large, NULL);
    assert_true(large->sent.len > HUB_TOGETHER_BYTES);
    group_pack(group_devices[2], "Smith");
    group_ask(&v[0], group_devices[0], false);
    group_ask(&v[1], large, false);
    group_ask(&v[2], group_devices[2], false);
    assert_int_equal(hub_exchange_all(round_hub->hub, v, 3), 1);
    assert_int_equal(hub_exchange_all(round_hub->hub, v + 1, 2), 1);
    assert_int_equal(hub_exchange_all(round_hub->hub, v + 2, 1), 1);
    for (size_t i = 0; i < 3; i++) group_must(&v[i], ERR_OK);
    group_read_applied(group_devices[0]);
    group_read_applied(group_devices[2]);
}

/* Every look at the steady clock takes two fifths of the time that a transaction has. */
static int64_t ticks;
static int64_t slow_clock(void *ctx)
{
    return *(int64_t *)ctx + (test_store_is_postgres() ? 20 : 4) * ticks++;
}

static void when_its_time_is_over_no_further_request_is_taken(void **state)
{
    (void)state;
    struct hub_asked v[GROUP_MANY];
    int64_t before = group_people();
    for (size_t i = 0; i < 8; i++) group_pack(group_devices[8 + i], "Smith");
    for (size_t i = 0; i < 8; i++) group_ask(&v[i], group_devices[8 + i], false);
    ticks = 0;
    round_hub->env.steady_ms = slow_clock;
    size_t taken = hub_exchange_all(round_hub->hub, v, 8);
    round_hub->env.steady_ms = NULL;
    assert_int_equal(taken, 3);
    for (size_t i = 0; i < taken; i++) {
        group_must(&v[i], ERR_OK);
        group_read_applied(group_devices[8 + i]);
    }
    assert_int_equal(group_people(), before + 3);
    for (size_t i = taken; i < 8; i++) assert_int_equal(group_devices[8 + i]->got.len, 0);
    assert_int_equal(hub_exchange_all(round_hub->hub, v + taken, 8 - taken), 8 - taken);
    for (size_t i = taken; i < 8; i++) group_read_applied(group_devices[8 + i]);
}

static void a_copy_in_the_middle_is_refused_and_recorded_and_the_others_are_taken(void **state)
{
    (void)state;
    struct hub_asked v[GROUP_MANY];
    struct fake_node *copy = group_devices[GROUP_MANY - 1];
    int64_t forked = group_count("SELECT count(*) FROM h_node WHERE state = 'forked'");
    group_pack(group_devices[0], "Smith");
    copy->request--; /* put back from an old image */
    fake_node_pack(copy);
    group_pack(group_devices[1], "Smith");
    group_ask(&v[0], group_devices[0], false);
    group_ask(&v[1], copy, false);
    group_ask(&v[2], group_devices[1], false);
    assert_int_equal(hub_exchange_all(round_hub->hub, v, 3), 3);
    group_must(&v[0], ERR_OK);
    group_must(&v[1], ERR_REFUSED);
    group_must(&v[2], ERR_OK);
    for (size_t i = 0; i < 2; i++) group_read_applied(group_devices[i]);
    assert_int_equal(group_count("SELECT count(*) FROM h_node WHERE state = 'forked'"), forked + 1);
    group_all_is_well();
    group_settle(2);
}

static void what_is_no_request_of_ours_costs_no_transaction(void **state)
{
    (void)state;
    struct hub_asked v[3];
    struct buf out[3];
    int64_t commits = group_count("SELECT count(*) FROM h_step_time");
    for (size_t i = 0; i < 3; i++) {
        buf_init(&out[i], 1u << 20);
        v[i] = (struct hub_asked){.request = bytes_of_str("not a bundle"), .out = &out[i]};
    }
    assert_int_equal(hub_exchange_all(round_hub->hub, v, 3), 3);
    for (size_t i = 0; i < 3; i++) {
        group_must(&v[i], ERR_FORMAT);
        assert_int_equal(out[i].len, 0);
        buf_release(&out[i]);
    }
    assert_int_equal(group_count("SELECT count(*) FROM h_step_time"), commits);
}

/* A part in the case that ends: the hub sees to it when it begins, and those who wait are to hear of it. */
static void what_falls_due_as_they_come_is_told_like_a_change_of_theirs(void **state)
{
    (void)state;
    struct hub_asked v[2];
    struct fake_edit e;
    uint8_t id[16];
    fake_edit_start(&e);
    env_new_id(&round_hub->env, id);
    struct op p = fake_new(group_room, "participant", id, group_case);
    fake_value(&p, "member", value_str("school"));
    fake_value(&p, "site", value_str(""));
    fake_value(&p, "access", value_str("contribute"));
    fake_value(&p, "until", value_int(round_hub->now + 1000));
    fake_put(&e, &p);
    (void)fake_send(group_room, &e);
    assert_true(group_count("SELECT count(*) FROM h_due") > 0);
    group_settle(2);
    round_hub->now += 2000;
    for (size_t i = 0; i < 2; i++) group_pack(group_devices[i], NULL);
    assert_int_equal(group_together(v, 2), 2);
    for (size_t i = 0; i < 2; i++) {
        group_must(&v[i], ERR_OK);
        assert_true(v[i].result.moved);
        fake_node_read(group_devices[i]);
    }
    assert_int_equal(group_count("SELECT count(*) FROM h_due"), 0);
    group_settle(2);
    for (size_t i = 0; i < 2; i++) group_pack(group_devices[i], NULL);
    assert_int_equal(group_together(v, 2), 2);
    for (size_t i = 0; i < 2; i++) {
        assert_false(v[i].result.moved);
        fake_node_read(group_devices[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_that_come_together_are_all_answered_in_one_commit),
        cmocka_unit_test(verdicts_are_in_the_order_in_which_the_requests_were_taken),
        cmocka_unit_test(a_damaged_request_in_the_middle_is_undone_and_hurts_nobody),
        cmocka_unit_test(and_so_wherever_it_stands),
        cmocka_unit_test(a_request_with_nothing_to_say_is_parked_among_others_and_their_news_are_news_to_it),
        cmocka_unit_test(parked_and_refused_requests_alone_write_nothing),
        cmocka_unit_test(a_repeated_request_gets_its_stored_answer_and_a_late_one_is_told_so),
        cmocka_unit_test(the_second_request_of_a_device_is_judged_by_what_became_of_its_first),
        cmocka_unit_test(when_its_time_is_over_no_further_request_is_taken),
        cmocka_unit_test(what_is_no_request_of_ours_costs_no_transaction),
        cmocka_unit_test(what_falls_due_as_they_come_is_told_like_a_change_of_theirs),
        cmocka_unit_test(a_large_request_is_alone),
        cmocka_unit_test(a_copy_in_the_middle_is_refused_and_recorded_and_the_others_are_taken), /* the copy is of no use after it */
    };
    return cmocka_run_group_tests_name("exchange_group", tests, group_start, group_stop);
}
