/* A wipe that is cut off, or that something keeps from its end; and notes of wipes that are none. */
#include "tests/lib/intake_fixture.h"
#include "tests/lib/mock_round.h"
#include "tests/lib/real_device.h"
#include "tests/lib/wiped_home.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void must_line(enum err e, const struct why *why, const char *what, int line)
{
    if (e != ERR_OK) fail_msg("%s (line %d): %s: %s", what, line, err_word(e), why->text);
}
#define MUST(call) must_line(call, &why, #call, __LINE__)

/* A device of the school with a case. */
static void begin(struct real_device *d, uint8_t c[16], uint8_t kid[KID_BYTES])
{
    shared_case(c);
    home_join(d, kid);
}

static void export_to(struct real_device *d, struct buf *out)
{
    struct why why = {0};
    buf_init(out, BUNDLE_MAX);
    MUST(node_bundle_export(d->n, out, &why));
}

/* Everything is done with a fault at one change of a file after the other, until one time there is none. */
static bool wipe_with_fault(const uint8_t c[16], enum home_fault kind, uint64_t at)
{
    const int64_t held = count_in(HELD, c);
    struct real_device d;
    struct faulty f;
    uint8_t kid[KID_BYTES], p[16];
    home_join(&d, kid);
    (void)real_person(&d, c, "Ystumtuen", p);
    home_order_wipe(kid, false);
    faulty_start(&f, &d.env, kind, at);
    (void)home_sync_over(&d, 9);
    bool reached = f.n >= at;
    node_close(d.n);
    d.n = NULL;
    faulty_stop(&f, &d.env);
    /* Whatever comes next on this home finishes it, or it is as it was: contact finishes it then. */
    struct why why = {0};
    const struct node_key key = {.passphrase = bytes_of_str(REAL_PASSPHRASE)};
    if (home_has(d.home, "wipe") != NULL && node_check(&d.env, d.home, NODE_FOR_PEOPLE, &why) != ERR_REFUSED)
        fail_msg("it is open to people, fault %d at %u", kind, (unsigned)at);
    enum err e = node_open_as(&d.n, &d.env, d.home, &key, NODE_FOR_HUB, &why);
    if (e == ERR_OK) e = home_sync_over(&d, 9);
    if (e != ERR_REFUSED) fail_msg("fault %d at %u: %s: %s", kind, (unsigned)at, err_word(e), why.text);
    real_close(&d);
    home_is_gone(d.home);
    home_report(&d, kid);
    assert_int_equal(count_in(HELD, c), held + 1); /* and what was written is there, every time */
    real_gone(&d);
    return reached;
}

static void cut_off_anywhere_it_is_finished_and_nothing_written_is_lost(void **state)
{
    (void)state;
    unsigned cases = 0;
    uint8_t c[16];
    shared_case(c);
    for (int kind = HOME_FAIL; kind <= HOME_CUT_WITHIN; kind++)
        for (uint64_t at = 1; wipe_with_fault(c, (enum home_fault)kind, at); at++) cases++;
    print_message("%u cases\n", cases);
    assert_true(cases > 60);
}

static void no_receipt_goes_out_while_anything_is_left(void **state)
{
    struct real_device d;
    struct faulty f;
    struct real_door door;
    struct knock_result r;
    struct why why = {0};
    const struct door_way via = real_door(&door);
    uint8_t c[16], kid[KID_BYTES];
    (void)state;
    begin(&d, c, kid);
    home_order_wipe(kid, false);
    faulty_start(&f, &d.env, HOME_CUT_BEFORE, 0);
    f.stubborn = "replica.db";
    assert_int_equal(home_sync_over(&d, 9), ERR_REFUSED);
    assert_non_null(strstr(d.why.text, "is being wiped"));
    real_close(&d);
    assert_non_null(home_has(d.home, "replica.db"));
    assert_null(home_has(d.home, "replica.key")); /* the rest is gone all the same */
    assert_null(home_has(d.home, "device.secret"));
    assert_int_equal(node_knock(&d.env, d.home, &via, &r, &why), ERR_REFUSED);
    assert_non_null(strstr(why.text, "is being wiped"));
    assert_true(door.visits == 0 && !r.recorded);
    home_is_state(kid, "revoked");
    faulty_stop(&f, &d.env);
    assert_int_equal(node_knock(&d.env, d.home, &via, &r, &why), ERR_REFUSED);
    assert_true(r.recorded);
    home_is_gone(d.home);
    home_is_state(kid, "wiped");
    buf_release(&door.answer);
    real_gone(&d);
}

static void a_note_that_rotted_wipes_nothing_and_shuts_nobody_out_of_contact(void **state)
{
    struct real_device d;
    uint8_t c[16], kid[KID_BYTES];
    struct why why = {0};
    char path[200];
    (void)state;
    begin(&d, c, kid);
    real_close(&d);
    (void)snprintf(path, sizeof path, "%s/wipe", d.home);
    MUST(d.env.write_file(d.env.ctx, path, bytes_of_str("spoke/wipe/1 at once"), &why));
    struct node *n = NULL;
    assert_int_equal(node_open(&n, &d.env, d.home, bytes_of_str(REAL_PASSPHRASE), &why), ERR_FORMAT);
    home_open_for_hub(&d);
    assert_int_equal(home_sync_over(&d, 9), ERR_OK);
    real_close(&d);
    real_open(&d); /* contact made it good */
    assert_null(home_has(d.home, "wipe"));
    real_gone(&d);
}

static void a_note_with_any_bit_turned_is_none(void **state)
{
    struct real_device d;
    struct buf note, request;
    uint8_t c[16], kid[KID_BYTES], p[16];
    struct why why = {0};
    char path[200];
    (void)state;
    begin(&d, c, kid);
    export_to(&d, &request);
    (void)real_person(&d, c, "Ystumtuen", p);
    home_order_wipe(kid, false);
    assert_int_equal(home_sync_over(&d, 1), ERR_UNREACHABLE);
    real_close(&d);
    (void)snprintf(path, sizeof path, "%s/wipe", d.home);
    buf_init(&note, 1u << 16);
    MUST(d.env.read_file(d.env.ctx, path, 1u << 16, &note, &why));
    assert_int_equal(node_check(&d.env, d.home, NODE_FOR_PEOPLE, &why), ERR_REFUSED);
    for (size_t at = 0; at < note.len; at++) {
        note.data[at] ^= (uint8_t)(1u << at % 8);
        MUST(d.env.write_file(d.env.ctx, path, buf_bytes(&note), &why));
        note.data[at] ^= (uint8_t)(1u << at % 8);
        assert_int_equal(node_check(&d.env, d.home, NODE_FOR_PEOPLE, &why), ERR_FORMAT);
        assert_int_equal(node_check(&d.env, d.home, NODE_FOR_HUB, &why), ERR_OK);
    }
    assert_non_null(home_has(d.home, "replica.key"));
    buf_release(&note);
    buf_release(&request);
    real_gone(&d);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, intake_start, intake_stop)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(cut_off_anywhere_it_is_finished_and_nothing_written_is_lost),
        TEST(no_receipt_goes_out_while_anything_is_left),
        TEST(a_note_that_rotted_wipes_nothing_and_shuts_nobody_out_of_contact),
        TEST(a_note_with_any_bit_turned_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
