/* The door of a device that nobody has unlocked: what it asks, whom it believes, what it does. */
#include "tests/lib/intake_fixture.h"
#include "tests/lib/real_device.h"
#include "tests/lib/wiped_home.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void must_line(enum err e, const struct why *why, const char *what, int line)
{
    if (e != ERR_OK) fail_msg("%s (line %d): %s: %s", what, line, err_word(e), why->text);
}
#define MUST(call) must_line(call, &why, #call, __LINE__)

/* A device of the school with a case, closed. */
static void begin(struct real_device *d, uint8_t c[16], uint8_t kid[KID_BYTES])
{
    shared_case(c);
    home_join(d, kid);
    real_close(d);
}

static enum err knock(struct real_device *d, struct knock_result *r)
{
    struct real_door door;
    const struct door_way via = real_door(&door);
    d->why = (struct why){0};
    enum err e = node_knock(&d->env, d->home, &via, r, &d->why);
    buf_release(&door.answer);
    return e;
}

static void write_person(struct real_device *d, const uint8_t c[16])
{
    uint8_t p[16];
    real_open(d);
    (void)real_person(d, c, "Ystumtuen", p);
    real_close(d);
}

/* -------------------------------------------------------------------------------------------------- a real hub */

static void a_locked_device_that_has_sent_all_is_wiped_without_a_passphrase(void **state)
{
    struct real_device d;
    struct knock_result r;
    uint8_t c[16], kid[KID_BYTES];
    (void)state;
    begin(&d, c, kid);
    assert_int_equal(knock(&d, &r), ERR_OK);
    assert_false(r.wiped || r.waits || r.lease);
    home_order_wipe(kid, false);
    assert_int_equal(knock(&d, &r), ERR_REFUSED);
    assert_true(r.wiped && r.recorded);
    home_is_gone(d.home);
    home_is_state(kid, "wiped");
    assert_int_equal(fake_hub_int(hub, "SELECT unsent FROM h_order WHERE receipt IS NOT NULL"), 0);
    real_gone(&d);
}

static void one_that_may_have_something_to_send_waits_for_somebody_to_unlock_it(void **state)
{
    struct real_device d;
    struct knock_result r;
    struct node *n = NULL;
    uint8_t c[16], kid[KID_BYTES];
    (void)state;
    begin(&d, c, kid);
    write_person(&d, c);
    home_order_wipe(kid, false);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(knock(&d, &r), ERR_OK);
        assert_true(r.waits && !r.wiped);
        assert_non_null(home_has(d.home, "replica.key"));
    }
    assert_int_equal(node_open(&n, &d.env, d.home, bytes_of_str(REAL_PASSPHRASE), &d.why), ERR_REFUSED);
    assert_non_null(strstr(d.why.text, "to be wiped"));
    home_open_for_hub(&d);
    (void)real_sync(&d, ERR_REFUSED);
    real_close(&d);
    home_is_gone(d.home);
    assert_int_equal(count_in(HELD, c), 1);
    assert_int_equal(knock(&d, &r), ERR_REFUSED);
    assert_true(r.recorded);
    home_is_state(kid, "wiped");
    real_gone(&d);
}

static void at_once_is_at_once_and_says_that_nobody_could_count(void **state)
{
    struct real_device d;
    struct knock_result r;
    uint8_t c[16], kid[KID_BYTES];
    (void)state;
    begin(&d, c, kid);
    write_person(&d, c);
    home_order_wipe(kid, false);
    assert_int_equal(knock(&d, &r), ERR_OK);
    assert_true(r.waits);
    home_order_wipe(kid, true);
    assert_int_equal(knock(&d, &r), ERR_REFUSED);
    assert_true(r.wiped && r.recorded);
    home_is_gone(d.home);
    home_is_state(kid, "wiped");
    assert_int_equal(fake_hub_int(hub, "SELECT unsent IS NULL FROM h_order WHERE receipt IS NOT NULL"), 1);
    real_gone(&d);
}

static void a_receipt_that_did_not_get_through_goes_with_the_next_contact(void **state)
{
    struct real_device d;
    struct knock_result r;
    struct real_door door;
    uint8_t c[16], kid[KID_BYTES];
    (void)state;
    begin(&d, c, kid);
    home_order_wipe(kid, false);
    home_open_for_hub(&d);
    (void)real_sync(&d, ERR_REFUSED);
    real_close(&d);
    home_is_gone(d.home);
    const struct door_way via = real_door(&door);
    door.down = true;
    assert_int_equal(node_knock(&d.env, d.home, &via, &r, &d.why), ERR_REFUSED);
    assert_true(r.wiped && !r.recorded);
    assert_non_null(strstr(d.why.next, "spoke sync"));
    home_is_state(kid, "revoked");
    door.down = false;
    assert_int_equal(node_knock(&d.env, d.home, &via, &r, &d.why), ERR_REFUSED);
    assert_true(r.wiped && r.recorded);
    home_is_state(kid, "wiped");
    buf_release(&door.answer);
    real_gone(&d);
}

static void a_lease_that_came_to_the_door_holds_from_the_next_opening_on(void **state)
{
    struct real_device d;
    struct knock_result r;
    struct node_info i;
    struct why why = {0};
    uint8_t c[16], kid[KID_BYTES];
    (void)state;
    begin(&d, c, kid);
    MUST(hub_lease(hub->hub, kid, 4, &why));
    assert_int_equal(knock(&d, &r), ERR_OK);
    assert_true(r.lease);
    assert_non_null(home_has(d.home, "order"));
    real_open(&d);
    MUST(node_get_info(d.n, &i, &why));
    assert_int_equal(i.lease_days, 4);
    assert_null(home_has(d.home, "order"));
    real_close(&d);
    assert_int_equal(knock(&d, &r), ERR_OK); /* the door knows by now that it was taken */
    assert_false(r.lease);
    assert_int_equal(fake_hub_int(hub, "SELECT count(*) FROM h_order WHERE done_at IS NULL"), 0);
    /* What somebody puts there himself is nothing. */
    char path[200];
    (void)snprintf(path, sizeof path, "%s/order", d.home);
    MUST(d.env.write_file(d.env.ctx, path, bytes_of_str("lease 3650"), &why));
    real_open(&d);
    MUST(node_get_info(d.n, &i, &why));
    assert_int_equal(i.lease_days, 4);
    assert_null(home_has(d.home, "order"));
    real_gone(&d);
}

static void a_device_that_the_hub_does_not_hear_any_more_is_wiped_at_its_door(void **state)
{
    struct real_device d;
    struct knock_result r;
    struct round_result sent;
    uint8_t c[16], kid[KID_BYTES], p[16];
    (void)state;
    begin(&d, c, kid);
    real_open(&d);
    real_image(&d, "old");
    (void)real_person(&d, c, "Later", p);
    sent = real_sync(&d, ERR_OK);
    assert_int_equal(sent.applied, 1);
    real_put_back(&d, "old");
    (void)real_sync(&d, ERR_REFUSED); /* put back: a fork */
    real_close(&d);
    home_is_state(kid, "forked");
    home_order_wipe(kid, false);
    assert_int_equal(knock(&d, &r), ERR_REFUSED);
    assert_true(r.wiped && r.recorded);
    home_is_gone(d.home);
    real_gone(&d);
}

static void the_copy_of_a_device_that_was_set_up_anew_has_the_former_door(void **state)
{
    struct real_device d, copy;
    struct knock_result r;
    struct node_info i;
    struct why why = {0};
    uint8_t c[16], kid[KID_BYTES];
    (void)state;
    begin(&d, c, kid);
    real_open(&d);
    real_clone(&d, &copy);
    real_close(&copy);
    real_again(&d);
    MUST(node_get_info(d.n, &i, &why));
    (void)real_sync(&d, ERR_OK);
    real_close(&d);
    home_order_wipe(kid, false); /* the former one: the copy */
    assert_int_equal(knock(&d, &r), ERR_OK);
    assert_false(r.wiped || r.waits);
    assert_int_equal(knock(&copy, &r), ERR_REFUSED);
    assert_true(r.wiped && r.recorded);
    home_is_gone(copy.home);
    home_is_state(kid, "wiped");
    home_is_state(i.self.kid, "enrolled");
    home_order_wipe(i.self.kid, false);
    assert_int_equal(knock(&d, &r), ERR_REFUSED);
    home_is_gone(d.home);
    home_is_state(i.self.kid, "wiped");
    real_gone(&d);
    real_gone(&copy);
}

static void without_this_machines_secret_the_door_opens_to_nobody_and_tells_nothing(void **state)
{
    struct real_device d;
    struct knock_result r;
    struct buf door;
    struct why why = {0};
    uint8_t c[16], kid[KID_BYTES];
    char path[200], secret[200];
    (void)state;
    begin(&d, c, kid);
    home_order_wipe(kid, true);
    (void)snprintf(path, sizeof path, "%s/door", d.home);
    (void)snprintf(secret, sizeof secret, "%s/device.secret", d.home);
    buf_init(&door, 1u << 16);
    MUST(d.env.read_file(d.env.ctx, path, 1u << 16, &door, &why));
    assert_null(memmem(door.data, door.len, kid, KID_BYTES));
    assert_null(memmem(door.data, door.len, "127.0.0.1", 9));
    for (size_t at = 0; at < door.len; at++) { /* any damage: nothing is done, nothing asked */
        door.data[at] ^= (uint8_t)(1u << at % 8);
        MUST(d.env.write_file(d.env.ctx, path, buf_bytes(&door), &why));
        enum err e = knock(&d, &r);
        assert_true(e == ERR_TAMPERED || e == ERR_FORMAT || e == ERR_VERSION);
        door.data[at] ^= (uint8_t)(1u << at % 8);
    }
    MUST(d.env.write_file(d.env.ctx, path, buf_bytes(&door), &why));
    struct buf device;
    buf_init(&device, 1u << 10);
    MUST(d.env.read_file(d.env.ctx, secret, 1u << 10, &device, &why));
    MUST(d.env.remove_file(d.env.ctx, secret, &why));
    assert_int_equal(knock(&d, &r), ERR_UNINIT);
    assert_false(r.wiped);
    MUST(d.env.write_file(d.env.ctx, secret, buf_bytes(&device), &why));
    /* A door that was lost is there again after the next opening. */
    MUST(d.env.remove_file(d.env.ctx, path, &why));
    assert_int_equal(knock(&d, &r), ERR_UNINIT);
    real_open(&d);
    real_close(&d);
    assert_int_equal(knock(&d, &r), ERR_REFUSED);
    assert_true(r.wiped);
    buf_release(&door);
    buf_release(&device);
    real_gone(&d);
}

static void a_door_is_cut_off_anywhere_and_the_wipe_is_finished(void **state)
{
    unsigned cases = 0;
    (void)state;
    for (int kind = HOME_FAIL; kind <= HOME_CUT_WITHIN; kind++) {
        bool reached = true;
        for (uint64_t at = 1; reached; at++, cases++) {
            struct real_device d;
            struct knock_result r;
            struct faulty f;
            uint8_t kid[KID_BYTES];
            home_join(&d, kid);
            real_close(&d);
            home_order_wipe(kid, at % 2 == 0);
            faulty_start(&f, &d.env, (enum home_fault)kind, at);
            (void)!knock(&d, &r);
            reached = f.n >= at;
            faulty_stop(&f, &d.env);
            assert_int_equal(knock(&d, &r), ERR_REFUSED);
            assert_true(r.wiped && r.recorded);
            home_is_gone(d.home);
            home_is_state(kid, "wiped");
            real_gone(&d);
        }
    }
    print_message("%u cases\n", cases);
    assert_true(cases > 50);
}

/* A device that somebody has open while a timer knocks, and who saves something at the worst moment. */
struct writer {
    struct env env; /* the real one */
    struct real_device *d;
    const uint8_t *c;
    unsigned notes; /* of HOME/wipe */
};
static struct writer writer;

static enum err save_before_it_begins(void *ctx, const char *path, struct bytes content, struct why *why)
{
    const char *name = strrchr(path, '/');
    uint8_t p[16];
    if (name != NULL && strcmp(name, "/wipe") == 0 && ++writer.notes == 2 && writer.d->n != NULL)
        (void)real_person(writer.d, writer.c, "Ystumtuen", p);
    return writer.env.write_file(ctx, path, content, why);
}

static void what_is_saved_while_the_device_knocks_is_not_destroyed_with_it(void **state)
{
    struct real_device d, timer;
    struct knock_result r;
    uint8_t c[16], kid[KID_BYTES], p[16];
    (void)state;
    begin(&d, c, kid);
    real_open(&d);
    home_order_wipe(kid, false);
    writer = (struct writer){.env = d.env, .d = &d, .c = c};
    timer = d;
    timer.env.write_file = save_before_it_begins;
    assert_int_equal(knock(&timer, &r), ERR_OK);
    assert_true(r.waits && !r.wiped);
    (void)real_person(&d, c, "Ystumtuen", p); /* and after it */
    real_close(&d);
    assert_int_equal(knock(&d, &r), ERR_OK);
    assert_true(r.waits && !r.wiped);
    home_open_for_hub(&d);
    (void)real_sync(&d, ERR_REFUSED);
    real_close(&d);
    home_is_gone(d.home);
    assert_int_equal(count_in(HELD, c), 1);
    real_gone(&d);
}

static void at_once_asks_nobody_and_says_that_somebody_had_it_open(void **state)
{
    struct real_device d;
    struct knock_result r;
    uint8_t c[16], kid[KID_BYTES];
    (void)state;
    begin(&d, c, kid);
    real_open(&d);
    home_order_wipe(kid, true);
    assert_int_equal(knock(&d, &r), ERR_REFUSED);
    assert_true(r.wiped && r.recorded);
    assert_int_equal(fake_hub_int(hub, "SELECT unsent IS NULL FROM h_order WHERE receipt IS NOT NULL"), 1);
    real_close(&d);
    real_gone(&d);
}

/* Who passed the look at HOME/wipe, and got the store only when it was begun. */
static enum err begun_meanwhile(void *ctx, const char *path, size_t max, struct buf *out, struct why *why)
{
    const char *name = strrchr(path, '/');
    enum err e = writer.env.read_file(ctx, path, max, out, why);
    if (name == NULL || strcmp(name, "/wipe") != 0 || ++writer.notes > 1) return e;
    struct real_device timer = *writer.d;
    struct knock_result r;
    struct faulty f;
    timer.env = writer.env;
    faulty_start(&f, &timer.env, HOME_CUT_AFTER, 2); /* noted, begun, and then the power goes */
    (void)!knock(&timer, &r);
    faulty_stop(&f, &timer.env);
    return e;
}

static void who_waited_for_the_store_while_a_wipe_was_begun_writes_nothing_there(void **state)
{
    struct real_device d;
    struct node *n = NULL;
    uint8_t c[16], kid[KID_BYTES];
    (void)state;
    begin(&d, c, kid);
    home_order_wipe(kid, false);
    writer = (struct writer){.env = d.env, .d = &d};
    d.env.read_file = begun_meanwhile;
    assert_int_equal(node_open(&n, &d.env, d.home, bytes_of_str(REAL_PASSPHRASE), &d.why), ERR_REFUSED);
    assert_non_null(strstr(d.why.text, "was wiped"));
    assert_true(writer.notes > 1);
    home_is_gone(d.home);
    d.env = writer.env;
    real_gone(&d);
}

static void an_invitation_from_before_the_wipe_brings_no_device_back(void **state)
{
    (void)state;
    for (int now = 0; now < 2; now++) {
        struct real_device d;
        struct invitation code;
        struct buf request, answer;
        struct why why = {0};
        uint8_t kid[KID_BYTES];
        home_join(&d, kid);
        MUST(hub_revoke(hub->hub, kid, "lost", &why));
        real_invite(&d, &code);
        home_order_wipe(kid, now == 1);
        buf_init(&request, 1u << 20);
        buf_init(&answer, 1u << 20);
        must_line(real_ask(&d, &code, &request), &d.why, "ask", __LINE__);
        assert_int_equal(real_at_hub(&d, &request, &answer), ERR_REFUSED);
        buf_release(&request);
        buf_release(&answer);
        real_gone(&d);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, intake_start, intake_stop)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_locked_device_that_has_sent_all_is_wiped_without_a_passphrase),
        TEST(one_that_may_have_something_to_send_waits_for_somebody_to_unlock_it),
        TEST(at_once_is_at_once_and_says_that_nobody_could_count),
        TEST(a_receipt_that_did_not_get_through_goes_with_the_next_contact),
        TEST(a_lease_that_came_to_the_door_holds_from_the_next_opening_on),
        TEST(a_device_that_the_hub_does_not_hear_any_more_is_wiped_at_its_door),
        TEST(the_copy_of_a_device_that_was_set_up_anew_has_the_former_door),
        TEST(without_this_machines_secret_the_door_opens_to_nobody_and_tells_nothing),
        TEST(a_door_is_cut_off_anywhere_and_the_wipe_is_finished),
        TEST(what_is_saved_while_the_device_knocks_is_not_destroyed_with_it),
        TEST(at_once_asks_nobody_and_says_that_somebody_had_it_open),
        TEST(who_waited_for_the_store_while_a_wipe_was_begun_writes_nothing_there),
        TEST(an_invitation_from_before_the_wipe_brings_no_device_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
