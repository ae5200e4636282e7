/* The hub's door, and the word of a device that it was wiped: hub/door.c, hub/order.c. */
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

static void the_receipt_is_recorded_once_and_confirms_every_order_to_forget(void **state)
{
    (void)state;
    struct fake_node *school = round_device("school-1", "school", "Sue"),
                     *room = round_device("care-mash", "care", "Carla");
    static const char *const members[] = {"school:contribute", "police:view", NULL};
    struct fake_node *police = round_device("police-hq", "police", "Paul");
    uint8_t id[16];
    char word[16];
    struct visit v;
    fake_node_pull(police);
    fake_node_pull(room);
    fake_case(room, id, "care", members);
    fake_node_pull(police);
    fake_node_pull(school);
    assert_true(fake_hub_int(round_hub, "SELECT count(*) FROM h_node") == 3);
    /* The part of the police ends: their device is told to forget, once told and not confirmed, once not even told. */
    struct fake_edit e;
    fake_edit_start(&e);
    struct stmt *s;
    struct why why = {0};
    bool row = false;
    uint8_t part[16];
    MUST(db_prepare(hub_db(round_hub->hub), "SELECT id FROM participant WHERE member = 'police'", &s, &why));
    MUST(db_step(s, &row, &why));
    assert_true(row && db_id(s, 0, part));
    db_done(s);
    struct op op = fake_change("participant", part);
    fake_from(&op, "access", value_str("view"), value_str("none"));
    fake_put(&e, &op);
    assert_int_equal(fake_send(room, &e)->verdict, VERDICT_APPLIED);
    assert_true(fake_hub_int(round_hub, "SELECT count(*) FROM h_drop WHERE receipt_at IS NULL") > 0);
    visit_order_wipe(police, true);
    assert_int_equal(visit_confirm(police, 3, &v), ERR_OK);
    assert_int_equal(v.said.wiped, 1);
    assert_string_equal(visit_state(police, word), "wiped");
    assert_int_equal(fake_hub_int(round_hub, "SELECT count(*) FROM h_drop WHERE receipt_at IS NULL"), 0);
    assert_int_equal(fake_hub_int(round_hub, "SELECT unsent FROM h_order WHERE receipt IS NOT NULL"), 3);
    assert_int_equal(fake_hub_int(round_hub, "SELECT count(*) FROM h_act WHERE act = 'wiped'"), 1);
    /* The same word again, and another one about the same order: the first stands. */
    assert_int_equal(visit_send(&v, police), ERR_OK);
    visit_end(&v);
    assert_int_equal(visit_confirm(police, 9, &v), ERR_OK);
    assert_int_equal(v.said.wiped, 1);
    visit_end(&v);
    assert_int_equal(fake_hub_int(round_hub, "SELECT count(*) FROM h_act WHERE act = 'wiped'"), 1);
    assert_int_equal(fake_hub_int(round_hub, "SELECT unsent FROM h_order WHERE receipt IS NOT NULL"), 3);
    assert_int_equal(hub_wipe(round_hub->hub, police->id.pub.kid, "again", true, &why), ERR_EXISTS);
    round_gone(school);
    round_gone(room);
    round_gone(police);
}

static void what_leaves_a_site_later_is_not_waited_for_from_a_device_that_was_wiped(void **state)
{
    (void)state;
    struct fake_node *room = round_device("care-mash", "care", "Carla"),
                     *police = round_device("police-hq", "police", "Paul");
    static const char *const members[] = {"police:view", NULL};
    uint8_t id[16], part[16];
    struct visit v;
    struct why why = {0};
    struct stmt *s;
    bool row = false;
    fake_node_pull(room);
    fake_case(room, id, "care", members);
    fake_node_pull(police);
    visit_order_wipe(police, false);
    assert_int_equal(visit_confirm(police, 0, &v), ERR_OK);
    visit_end(&v);
    MUST(db_prepare(hub_db(round_hub->hub), "SELECT id FROM participant WHERE member = 'police'", &s, &why));
    MUST(db_step(s, &row, &why));
    assert_true(row && db_id(s, 0, part));
    db_done(s);
    struct fake_edit e;
    fake_edit_start(&e);
    struct op op = fake_change("participant", part);
    fake_from(&op, "access", value_str("view"), value_str("none"));
    fake_put(&e, &op);
    assert_int_equal(fake_send(room, &e)->verdict, VERDICT_APPLIED);
    assert_int_equal(fake_hub_int(round_hub, "SELECT count(*) FROM h_drop"), 0);
    MUST(hub_verify(round_hub->hub, &why));
    round_gone(room);
    round_gone(police);
}

static enum err device_state(void *ctx, const struct hub_saw *line, struct why *why)
{
    (void)why;
    if (line->is_device && strcmp(line->site, "police-hq") == 0) *(const char **)ctx = line->state;
    return ERR_OK;
}

static void who_saw_says_that_a_wiped_device_holds_a_row_no_more(void **state)
{
    (void)state;
    struct fake_node *room = round_device("care-mash", "care", "Carla"),
                     *police = round_device("police-hq", "police", "Paul");
    static const char *const members[] = {"police:view", NULL};
    uint8_t id[16];
    const char *word = "";
    struct visit v;
    struct why why = {0};
    const int brief = rules_table_index(bytes_of_str("brief"));
    fake_node_pull(room);
    fake_case(room, id, "care", members);
    fake_node_pull(police);
    MUST(hub_who_saw(round_hub->hub, brief, id, 0, device_state, &word, &why));
    assert_string_equal(word, "holds");
    visit_order_wipe(police, false);
    MUST(hub_who_saw(round_hub->hub, brief, id, 0, device_state, &word, &why));
    assert_string_equal(word, "holds"); /* ordered is not done */
    round_hub->now += 1000;
    assert_int_equal(visit_confirm(police, 0, &v), ERR_OK);
    visit_end(&v);
    MUST(hub_who_saw(round_hub->hub, brief, id, 0, device_state, &word, &why));
    assert_string_equal(word, "confirmed");
    MUST(hub_who_saw(round_hub->hub, brief, id, round_hub->now - 1, device_state, &word, &why));
    assert_string_equal(word, "holds"); /* at that time it did */
    round_gone(room);
    round_gone(police);
}

static void a_copy_of_a_wiped_device_is_told_to_wipe_itself_too(void **state)
{
    (void)state;
    struct fake_node *n = round_device("school-1", "school", "Sue");
    struct visit v;
    char word[16];
    fake_node_pull(n);
    visit_order_wipe(n, false);
    assert_int_equal(visit_confirm(n, 0, &v), ERR_OK);
    visit_end(&v);
    fake_node_round(n); /* as the copy does, or a file that a courier brings late */
    assert_int_equal(n->n_orders, 1);
    assert_int_equal(n->orders[0].kind, ORDER_WIPE);
    assert_int_equal(n->n_rows, 0);
    assert_true(n->hello.revoked);
    assert_string_equal(visit_state(n, word), "wiped");
    assert_int_equal(fake_hub_int(round_hub, "SELECT count(*) FROM h_act WHERE act = 'refused'"), 1);
    round_gone(n);
}

static void the_door_says_one_word_to_whoever_has_no_key_to_it(void **state)
{
    (void)state;
    struct fake_node *n = round_device("school-1", "school", "Sue"),
                     *other = round_device("police-hq", "police", "Paul");
    struct identity_secret stranger = {0};
    struct why why = {0};
    struct visit v;
    uint8_t before[32], after[32];
    MUST(identity_generate(&stranger, &why));
    visit_order_wipe(n, true);
    fake_hub_hash(round_hub, before);
    assert_int_equal(visit_once(&v, n, &stranger), ERR_REFUSED);
    visit_end(&v);
    assert_int_equal(visit_once(&v, n, &other->id), ERR_REFUSED); /* another device asks for this one's */
    visit_end(&v);
    visit_start(&v, n); /* a knock that was overheard, in a stream of its own */
    memset(v.binding, 1, sizeof v.binding);
    visit_knock(&v, n, &n->id);
    assert_int_equal(visit_send(&v, n), ERR_REFUSED);
    visit_end(&v);
    visit_start(&v, n); /* nothing at all */
    assert_int_equal(visit_send(&v, n), ERR_REFUSED);
    visit_end(&v);
    visit_start(&v, n); /* two knocks */
    visit_knock(&v, n, &n->id);
    visit_knock(&v, n, &n->id);
    assert_int_equal(visit_send(&v, n), ERR_REFUSED);
    visit_end(&v);
    fake_node_pack(n); /* a request of a round is no knock */
    assert_int_equal(hub_door(round_hub->hub, buf_bytes(&n->sent), &n->got, &why), ERR_REFUSED);
    assert_int_equal(hub_door(round_hub->hub, bytes_of_str("SPKS"), &n->got, &why), ERR_REFUSED);
    fake_hub_hash(round_hub, after);
    assert_memory_equal(before, after, 32);
    identity_release(&stranger);
    round_gone(n);
    round_gone(other);
}

static void nobody_confirms_a_wipe_that_was_not_ordered_or_that_is_another_devices(void **state)
{
    (void)state;
    struct fake_node *n = round_device("school-1", "school", "Sue"),
                     *other = round_device("police-hq", "police", "Paul");
    struct visit v, w;
    char word[16];
    visit_order_lease(n, 3);
    assert_int_equal(visit_once(&v, n, &n->id), ERR_OK);
    assert_int_equal(v.n_orders, 1);
    visit_start(&w, n);
    visit_wiped(&w, n, &v.orders[0], v.cose, 0); /* the order was a lease */
    assert_int_equal(visit_send(&w, n), ERR_REFUSED);
    visit_end(&w);
    visit_end(&v);
    visit_order_wipe(n, false);
    assert_int_equal(visit_once(&v, n, &n->id), ERR_OK);
    assert_int_equal(v.n_orders, 2); /* the lease too: it has not been carried out */
    visit_start(&w, n);
    visit_wiped(&w, n, &v.orders[1], bytes_of_str("another order"), 0);
    assert_int_equal(visit_send(&w, n), ERR_REFUSED);
    visit_end(&w);
    visit_start(&w, other);
    visit_wiped(&w, other, &v.orders[1], v.cose, 0);
    assert_int_equal(visit_send(&w, other), ERR_REFUSED);
    visit_end(&w);
    visit_end(&v);
    assert_string_equal(visit_state(n, word), "revoked");
    assert_string_equal(visit_state(other, word), "enrolled");
    round_gone(n);
    round_gone(other);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, round_start, round_stop)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_receipt_is_recorded_once_and_confirms_every_order_to_forget),
        TEST(what_leaves_a_site_later_is_not_waited_for_from_a_device_that_was_wiped),
        TEST(who_saw_says_that_a_wiped_device_holds_a_row_no_more),
        TEST(a_copy_of_a_wiped_device_is_told_to_wipe_itself_too),
        TEST(the_door_says_one_word_to_whoever_has_no_key_to_it),
        TEST(nobody_confirms_a_wipe_that_was_not_ordered_or_that_is_another_devices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
