/* A device that was put back from an old image, has work that it had not sent, and is to be wiped: the hub does not
 * hear it before it is set up anew. So it is, brings its work, and is wiped then. Real replicas against a real hub. */
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

/* The image has a change that is not sent; the device goes on from there, sends it and another, and is put back. */
static void put_back(struct real_device *d, uint8_t c[16], uint8_t kid[KID_BYTES])
{
    uint8_t p[16];
    shared_case(c);
    home_join(d, kid);
    (void)real_person(d, c, "InImage", p);
    real_image(d, "old");
    (void)real_sync(d, ERR_OK);
    (void)real_person(d, c, "Later", p);
    (void)real_sync(d, ERR_OK);
    real_put_back(d, "old");
    (void)real_person(d, c, "AfterImage", p);
}

static void knocks(struct real_device *d)
{
    struct real_door door;
    struct knock_result r;
    struct why why = {0};
    const struct door_way via = real_door(&door);
    real_close(d);
    MUST(node_knock(&d->env, d->home, &via, &r, &why));
    assert_true(r.waits && !r.wiped);
    buf_release(&door.answer);
}

static void is_closed(struct real_device *d)
{
    struct why why = {0};
    struct node *n = NULL;
    assert_int_equal(node_open(&n, &d->env, d->home, bytes_of_str(REAL_PASSPHRASE), &why), ERR_REFUSED);
    assert_non_null(strstr(why.text, "is to be wiped"));
}

/* Set up anew with this code; its key id from then on. */
static void again(struct real_device *d, const struct invitation *code, uint8_t out_kid[KID_BYTES])
{
    struct buf request, answer;
    struct node_info i;
    struct why why = {0};
    buf_init(&request, 1u << 20);
    buf_init(&answer, 1u << 20);
    must_line(real_ask(d, code, &request), &d->why, "ask", __LINE__);
    must_line(real_at_hub(d, &request, &answer), &d->why, "at the hub", __LINE__);
    MUST(node_enrol_finish(&d->env, d->home, bytes_of_str(REAL_PASSPHRASE), buf_bytes(&answer), &why));
    home_open_for_hub(d);
    MUST(node_get_info(d->n, &i, &why));
    memcpy(out_kid, i.self.kid, KID_BYTES);
    buf_release(&request);
    buf_release(&answer);
}

static int64_t held_about(const uint8_t c[16], const char *word)
{
    char sql[160];
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM held WHERE case_id = $1 AND what LIKE '%%%s%%'", word);
    return count_in(sql, c);
}

static void its_unsent_work_arrives_and_then_it_is_wiped(void **state)
{
    struct real_device d;
    struct invitation early, code;
    struct buf request, answer;
    uint8_t c[16], kid[KID_BYTES], next[KID_BYTES];
    (void)state;
    put_back(&d, c, kid);
    real_invite(&d, &early);
    home_order_wipe(kid, false);
    knocks(&d);
    is_closed(&d);
    home_open_for_hub(&d);
    enum err e = home_sync_over(&d, 9);
    assert_true(e == ERR_REFUSED || e == ERR_EXISTS);
    assert_non_null(strstr(d.why.next, "spoke enrol --again"));
    buf_init(&request, 1u << 20);
    buf_init(&answer, 1u << 20);
    must_line(real_ask(&d, &early, &request), &d.why, "ask", __LINE__);
    assert_int_equal(real_at_hub(&d, &request, &answer), ERR_REFUSED); /* that code is older than the order */
    buf_release(&request);
    buf_release(&answer);
    is_closed(&d);
    real_invite(&d, &code);
    again(&d, &code, next);
    home_is_state(next, "revoked");
    real_close(&d);
    is_closed(&d); /* from now on, too */
    home_open_for_hub(&d);
    assert_int_equal(home_sync_over(&d, 9), ERR_REFUSED);
    assert_true(node_was_wiped(d.n));
    real_close(&d);
    home_is_gone(d.home);
    assert_int_equal(held_about(c, "AfterImage"), 1);
    assert_int_equal(held_about(c, "InImage"), 0); /* that was there already */
    home_report(&d, next);
    assert_int_equal(fake_hub_int(hub, "SELECT unsent FROM h_order WHERE receipt IS NOT NULL"), 0);
    home_is_state(kid, "revoked"); /* a copy of that disk may be somewhere */
    verifies();
    real_gone(&d);
}

static void while_the_link_breaks_it_stays_closed_and_loses_nothing(void **state)
{
    struct real_device d;
    struct invitation code;
    uint8_t c[16], kid[KID_BYTES], next[KID_BYTES];
    struct why why = {0};
    (void)state;
    put_back(&d, c, kid);
    home_order_wipe(kid, false);
    knocks(&d);
    real_invite(&d, &code);
    again(&d, &code, next);
    assert_int_equal(home_sync_over(&d, 0), ERR_UNREACHABLE);
    real_close(&d);
    assert_int_equal(held_about(c, "AfterImage"), 0);
    assert_int_equal(node_check(&d.env, d.home, NODE_FOR_HUB, &why), ERR_OK);
    knocks(&d); /* it hears of it at the door too */
    is_closed(&d);
    home_open_for_hub(&d);
    assert_int_equal(home_sync_over(&d, 9), ERR_REFUSED);
    real_close(&d);
    home_is_gone(d.home);
    assert_int_equal(held_about(c, "AfterImage"), 1);
    home_report(&d, next);
    real_gone(&d);
}

/* It had not heard of the order when it was set up anew; and once it is wiped, a copy that comes is no way round
 * that. */
static void nobody_escapes_a_wipe_by_being_set_up_anew(void **state)
{
    struct real_device d, copy;
    struct invitation code;
    uint8_t c[16], kid[KID_BYTES], next[KID_BYTES], third[KID_BYTES];
    (void)state;
    put_back(&d, c, kid);
    real_clone(&d, &copy);
    home_order_wipe(kid, true);
    real_invite(&d, &code);
    again(&d, &code, next);
    assert_int_equal(home_sync_over(&d, 9), ERR_REFUSED);
    real_close(&d);
    home_is_gone(d.home);
    home_report(&d, next);
    real_invite(&copy, &code);
    again(&copy, &code, third);
    assert_int_equal(home_sync_over(&copy, 9), ERR_REFUSED);
    real_close(&copy);
    home_is_gone(copy.home);
    home_report(&copy, third);
    assert_int_equal(held_about(c, "AfterImage"), 1);
    assert_int_equal(fake_hub_int(hub,
                                  "SELECT count(*) FROM h_node WHERE state = 'enrolled' AND site_no = (SELECT site_no "
                                  "FROM h_node ORDER BY no DESC LIMIT 1)"),
                     1); /* Sue's, which was never ordered away */
    real_gone(&copy);
    real_gone(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_unsent_work_arrives_and_then_it_is_wiped),
        cmocka_unit_test(while_the_link_breaks_it_stays_closed_and_loses_nothing),
        cmocka_unit_test(nobody_escapes_a_wipe_by_being_set_up_anew),
    };
    return cmocka_run_group_tests(tests, intake_start, intake_stop);
}
