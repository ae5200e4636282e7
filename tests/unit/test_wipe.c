/* Orders of the hub to a device, within rounds: how long it may be opened without contact, and that it destroys all it
 * has. */
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

/* For people: not; in these words. */
static void is_closed(struct real_device *d, const char *words)
{
    struct why why = {0};
    struct node *n = NULL;
    assert_int_equal(node_open(&n, &d->env, d->home, bytes_of_str(REAL_PASSPHRASE), &why), ERR_REFUSED);
    if (strstr(why.text, words) == NULL) fail_msg("'%s' does not say '%s'", why.text, words);
    assert_true(why.next[0] != '\0');
}

static uint64_t number(struct node *n, const char *name)
{
    char sql[120];
    (void)snprintf(sql, sizeof sql, "SELECT coalesce(max(value), 0) FROM n_number WHERE name = '%s'", name);
    return (uint64_t)mock_ask(n, sql);
}

static void export_to(struct real_device *d, struct buf *out)
{
    struct why why = {0};
    buf_init(out, BUNDLE_MAX);
    MUST(node_bundle_export(d->n, out, &why));
}

static enum err import_answer(struct real_device *d, struct bytes request)
{
    struct why why = {0};
    struct round_result r;
    struct buf answer;
    buf_init(&answer, BUNDLE_MAX);
    MUST(hub_exchange(hub->hub, request, false, &answer, NULL, &why));
    d->why = (struct why){0};
    enum err e = node_bundle_import(d->n, buf_bytes(&answer), &r, &d->why);
    buf_release(&answer);
    return e;
}

/* ----------------------------------------------------------------------------------------------------- lease */

static void the_hub_says_how_long_a_device_may_be_opened_without_contact(void **state)
{
    struct real_device d;
    struct node_info i;
    struct why why = {0};
    uint8_t c[16], kid[KID_BYTES];
    (void)state;
    begin(&d, c, kid);
    MUST(hub_lease(hub->hub, kid, 3, &why));
    (void)real_sync(&d, ERR_OK);
    MUST(node_get_info(d.n, &i, &why));
    assert_int_equal(i.lease_days, 3);
    assert_int_equal(number(d.n, "order"), 1);
    (void)real_sync(&d, ERR_OK);
    assert_int_equal(fake_hub_int(hub, "SELECT count(*) FROM h_order WHERE done_at IS NULL"), 0);
    /* And again; what was carried out is not carried out twice. */
    MUST(hub_lease(hub->hub, kid, 40, &why));
    (void)real_sync(&d, ERR_OK);
    MUST(node_get_info(d.n, &i, &why));
    assert_int_equal(i.lease_days, 40);
    real_gone(&d);
}

/* ------------------------------------------------------------------------------------------------------ the wipe */

static void what_was_not_sent_arrives_first_and_then_nothing_is_left(void **state)
{
    struct real_device d;
    uint8_t c[16], kid[KID_BYTES], p[16];
    struct why why = {0};
    struct round_result r;
    (void)state;
    begin(&d, c, kid);
    (void)real_person(&d, c, "Ystumtuen", p);
    assert_non_null(home_has(d.home, "unsent"));
    static const char *const ours[] = {"replica2.db", "replica2.db-wal", "replica.key.tries", "order", "agent.sock"};
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) { /* whatever a rekey, a wrong try or an agent left */
        char path[200];
        (void)snprintf(path, sizeof path, "%s/%s", d.home, ours[i]);
        MUST(d.env.write_file(d.env.ctx, path, bytes_of_str("left"), &why));
    }
    home_order_wipe(kid, false);
    r = real_sync(&d, ERR_REFUSED);
    assert_int_equal(r.held, 1);
    assert_non_null(strstr(d.why.text, "was wiped by order of the MASH on"));
    assert_true(node_was_wiped(d.n));
    real_close(&d);
    home_is_gone(d.home);
    assert_int_equal(count_in(HELD, c), 1);
    home_is_state(kid, "revoked");
    is_closed(&d, "was wiped");
    home_report(&d, kid);
    assert_int_equal(fake_hub_int(hub, "SELECT unsent FROM h_order WHERE receipt IS NOT NULL"), 0);
    home_is_gone(d.home);
    /* Neither enrolling nor unlocking brings anything back. */
    struct keyring ring = {0};
    assert_int_equal(node_unlock(&d.env, d.home, bytes_of_str(REAL_PASSPHRASE), &ring, &why), ERR_REFUSED);
    real_gone(&d);
}

static void while_work_waits_it_is_closed_to_people_and_open_to_contact(void **state)
{
    struct real_device d;
    struct buf request;
    uint8_t c[16], kid[KID_BYTES], p[16];
    struct why why = {0};
    (void)state;
    begin(&d, c, kid);
    export_to(&d, &request); /* what is written from here on is in the request after it */
    (void)real_person(&d, c, "Ystumtuen", p);
    home_order_wipe(kid, false);
    assert_int_equal(home_sync_over(&d, 1), ERR_UNREACHABLE);
    real_close(&d);
    is_closed(&d, "is to be wiped");
    assert_int_equal(node_check(&d.env, d.home, NODE_FOR_HUB, &why), ERR_OK);
    assert_non_null(home_has(d.home, "replica.db"));
    home_open_for_hub(&d);
    assert_int_equal(home_sync_over(&d, 0), ERR_UNREACHABLE);
    real_close(&d);
    assert_non_null(home_has(d.home, "replica.db"));
    home_open_for_hub(&d);
    assert_int_equal(home_sync_over(&d, 9), ERR_REFUSED);
    real_close(&d);
    home_is_gone(d.home);
    assert_int_equal(count_in(HELD, c), 1);
    home_report(&d, kid);
    buf_release(&request);
    real_gone(&d);
}

static void at_once_does_not_wait_and_says_what_it_destroyed(void **state)
{
    struct real_device d;
    struct buf request;
    uint8_t c[16], kid[KID_BYTES], p[16];
    (void)state;
    begin(&d, c, kid);
    export_to(&d, &request);
    (void)real_person(&d, c, "Ystumtuen", p);
    home_order_wipe(kid, true);
    assert_int_equal(home_sync_over(&d, 1), ERR_REFUSED); /* and then the link breaks */
    real_close(&d);
    home_is_gone(d.home);
    assert_int_equal(count_in(HELD, c), 0);
    home_report(&d, kid);
    assert_int_equal(fake_hub_int(hub, "SELECT unsent FROM h_order WHERE receipt IS NOT NULL"), 1);
    buf_release(&request);
    real_gone(&d);
}

static void at_once_takes_along_what_the_contact_allows(void **state)
{
    struct real_device d;
    struct buf request;
    uint8_t c[16], kid[KID_BYTES], p[16];
    char index[160];
    struct why why = {0};
    (void)state;
    begin(&d, c, kid);
    (void)snprintf(index, sizeof index, "%s/replica.db-index", d.home); /* a crash of somebody who looked with sqlite3 */
    MUST(d.env.write_file(d.env.ctx, index, bytes_of_str("random"), &why));
    export_to(&d, &request);
    (void)real_person(&d, c, "Ystumtuen", p);
    home_order_wipe(kid, true);
    assert_int_equal(home_sync_over(&d, 9), ERR_REFUSED);
    real_close(&d);
    home_is_gone(d.home);
    assert_int_equal(count_in(HELD, c), 1);
    home_report(&d, kid);
    assert_int_equal(fake_hub_int(hub, "SELECT unsent FROM h_order WHERE receipt IS NOT NULL"), 0);
    buf_release(&request);
    real_gone(&d);
}

static void an_order_that_waits_becomes_one_that_does_not(void **state)
{
    struct real_device d;
    struct buf request;
    uint8_t c[16], kid[KID_BYTES], p[16];
    (void)state;
    begin(&d, c, kid);
    export_to(&d, &request);
    (void)real_person(&d, c, "Ystumtuen", p);
    home_order_wipe(kid, false);
    assert_int_equal(home_sync_over(&d, 1), ERR_UNREACHABLE);
    home_order_wipe(kid, true);
    assert_int_equal(home_sync_over(&d, 1), ERR_REFUSED);
    real_close(&d);
    home_is_gone(d.home);
    home_report(&d, kid);
    buf_release(&request);
    real_gone(&d);
}

static void by_a_courier_too(void **state)
{
    struct real_device d;
    struct buf first, second;
    uint8_t c[16], kid[KID_BYTES], p[16];
    (void)state;
    begin(&d, c, kid);
    export_to(&d, &first);
    (void)real_person(&d, c, "Ystumtuen", p);
    home_order_wipe(kid, false);
    assert_int_equal(import_answer(&d, buf_bytes(&first)), ERR_REFUSED);
    assert_non_null(strstr(d.why.text, "is to be wiped"));
    assert_false(node_was_wiped(d.n));
    real_close(&d);
    is_closed(&d, "is to be wiped");
    home_open_for_hub(&d);
    export_to(&d, &second); /* carries the rest */
    assert_int_equal(import_answer(&d, buf_bytes(&second)), ERR_REFUSED);
    assert_true(node_was_wiped(d.n));
    real_close(&d);
    home_is_gone(d.home);
    assert_int_equal(count_in(HELD, c), 1);
    home_report(&d, kid);
    buf_release(&first);
    buf_release(&second);
    real_gone(&d);
}

static void a_device_that_is_set_up_anew_has_its_lease_and_not_its_orders(void **state)
{
    struct real_device d;
    struct node_info i;
    struct why why = {0};
    uint8_t c[16], kid[KID_BYTES];
    (void)state;
    begin(&d, c, kid);
    MUST(hub_lease(hub->hub, kid, 3, &why));
    (void)real_sync(&d, ERR_OK);
    real_again(&d);
    assert_int_equal(number(d.n, "order"), 0);
    (void)real_sync(&d, ERR_OK);
    MUST(node_get_info(d.n, &i, &why));
    assert_int_equal(i.lease_days, 3);
    /* The former device is to be wiped: that is no order to this one. */
    home_order_wipe(kid, true);
    (void)real_sync(&d, ERR_OK);
    home_order_wipe(i.self.kid, false);
    (void)real_sync(&d, ERR_REFUSED);
    real_close(&d);
    home_is_gone(d.home);
    home_report(&d, i.self.kid);
    real_gone(&d);
}

static void nothing_unsent_leaves_no_mark_of_it(void **state)
{
    struct real_device d;
    uint8_t c[16], kid[KID_BYTES], p[16];
    (void)state;
    begin(&d, c, kid);
    assert_null(home_has(d.home, "unsent"));
    (void)real_person(&d, c, "Ystumtuen", p);
    assert_non_null(home_has(d.home, "unsent"));
    assert_int_equal(home_sync_over(&d, 0), ERR_UNREACHABLE);
    assert_non_null(home_has(d.home, "unsent"));
    (void)real_sync(&d, ERR_OK);
    real_close(&d);
    assert_null(home_has(d.home, "unsent"));
    real_open(&d);
    (void)real_person(&d, c, "Ystumtuen", p); /* and between a contact and the end */
    (void)real_sync(&d, ERR_OK);
    (void)real_person(&d, c, "Ystumtuen", p);
    real_close(&d);
    assert_non_null(home_has(d.home, "unsent"));
    real_open(&d);
    (void)real_sync(&d, ERR_OK);
    real_close(&d);
    real_open(&d);
    /* Where the mark cannot be made, nothing is written: only it tells a locked device that something waits. */
    struct faulty f;
    struct why why = {0};
    uint64_t seq = 0;
    faulty_start(&f, &d.env, HOME_CUT_BEFORE, 1);
    struct row r = {.table = rules_table((size_t)rules_table_index(bytes_of_str("person")))};
    for (size_t k = 0; k < r.table->n_columns; k++) r.v[k] = value_null();
    memset(p, 0x77, sizeof p);
    r.v[0] = value_id(p);
    r.v[1] = value_id(c);
    r.v[2] = value_str("school");
    MUST(node_edit_begin(d.n, &why));
    MUST(db_row_put(node_db(d.n), &r, &why));
    assert_int_equal(node_edit_commit(d.n, "added a person", &seq, &why), ERR_IO);
    faulty_stop(&f, &d.env);
    assert_int_equal(mock_ask(d.n, "SELECT count(*) FROM n_outbox WHERE state = 'unsent'"), 0);
    real_gone(&d);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, intake_start, intake_stop)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_hub_says_how_long_a_device_may_be_opened_without_contact),
        TEST(what_was_not_sent_arrives_first_and_then_nothing_is_left),
        TEST(while_work_waits_it_is_closed_to_people_and_open_to_contact),
        TEST(at_once_does_not_wait_and_says_what_it_destroyed),
        TEST(at_once_takes_along_what_the_contact_allows),
        TEST(an_order_that_waits_becomes_one_that_does_not),
        TEST(by_a_courier_too),
        TEST(a_device_that_is_set_up_anew_has_its_lease_and_not_its_orders),
        TEST(nothing_unsent_leaves_no_mark_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
