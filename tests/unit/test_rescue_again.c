/* Setting a device up anew: what stays until the hub has answered, what is kept, copies of one device, and being put
 * back twice. Real replicas against a real hub. */
#include "tests/lib/intake_fixture.h"
#include "tests/lib/mock_hub.h"
#include "tests/lib/real_device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PEOPLE "SELECT count(*) FROM person WHERE case_id = $1"

static struct node_info info_of(struct real_device *d)
{
    struct node_info i;
    assert_int_equal(node_get_info(d->n, &i, NULL), ERR_OK);
    return i;
}

static void is_state(const uint8_t kid[16], const char *want)
{
    char state[16];
    assert_string_equal(real_state(kid, state), want);
}

static void must_verify(struct real_device *d)
{
    struct verify_result r;
    struct why why = {0};
    if (node_verify(d->n, &r, &why) != ERR_OK) fail_msg("%s", why.text);
    verifies();
}

/* A device of the school that has the case, and one change there that was taken in. */
static void begin(struct real_device *d, uint8_t c[16], uint8_t first[16])
{
    shared_case(c);
    real_join(d, "school-1", "school", "Tina");
    (void)real_sync(d, ERR_OK);
    (void)real_person(d, c, "First", first);
    assert_int_equal(real_sync(d, ERR_OK).applied, 1);
}

static void held_of(const uint8_t c[16], const char *word, uint8_t out[16])
{
    char sql[160];
    (void)snprintf(sql, sizeof sql,
                   "SELECT id FROM held WHERE case_id = $1 AND state = 'waiting' AND what LIKE '%%%s%%'", word);
    id_of(sql, c, out);
}

static void accept(const uint8_t c[16], const char *word)
{
    uint8_t held[16];
    held_of(c, word, held);
    says(change_from(mona, "held", held, "state", "waiting", "accepted"), VERDICT_APPLIED, NULL);
}

/* Both go on, each in a place of its own; what both had not sent counts once. For the second an administrator has to
 * say so: an invitation from before the first was set up anew is not for it. */
static void two_copies_that_are_both_set_up_anew_lose_nothing_and_double_nothing(void **state)
{
    static const char *const names[] = {"AtBoth", "AtTheOne", "AtTheOther", "Upon"};
    struct real_device d, twin;
    struct invitation early;
    struct buf request, answer;
    uint8_t c[16], p[16], both[16], one[16], two[16];
    (void)state;
    begin(&d, c, p);
    (void)real_person(&d, c, "AtBoth", both);
    real_clone(&d, &twin);
    (void)real_person(&d, c, "AtTheOne", one);
    (void)real_person(&twin, c, "AtTheOther", two);
    (void)mock_set(twin.n, "person", both, "given_names", "Upon");
    buf_init(&request, 1u << 20);
    buf_init(&answer, 1u << 20);
    real_invite(&twin, &early);
    real_again(&d);
    assert_int_equal(real_sync(&d, ERR_OK).held, 2);
    assert_int_equal(real_ask(&twin, &early, &request), ERR_OK);
    int64_t nodes = fake_hub_int(hub, "SELECT count(*) FROM h_node");
    assert_int_equal(real_at_hub(&twin, &request, &answer), ERR_REFUSED);
    assert_int_equal(fake_hub_int(hub, "SELECT count(*) FROM h_node"), nodes);
    real_open(&twin);
    assert_int_equal(info_of(&twin).unsent, 3);
    real_again(&twin);
    struct round_result r = real_sync(&twin, ERR_OK);
    assert_int_equal(r.merged, 1);
    assert_int_equal(r.held, 1);
    assert_int_equal(r.waits, 1); /* for what the first copy rescued */
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        fake_node_pull(mona);
        accept(c, names[i]);
    }
    assert_int_equal(count_in("SELECT count(*) FROM person WHERE case_id = $1 AND family_name LIKE 'At%'", c), 3);
    text_at_hub("person", both, "given_names", "Upon");
    assert_int_equal(count_in(CONFLICTS, c), 0);
    (void)real_sync(&d, ERR_OK);
    (void)real_sync(&twin, ERR_OK);
    must_verify(&d);
    must_verify(&twin);
    buf_release(&request);
    buf_release(&answer);
    real_gone(&twin);
    real_gone(&d);
}

static void until_the_answer_is_here_the_device_goes_on_as_it_was(void **state)
{
    struct real_device d;
    struct invitation code;
    struct buf request, again, answer, twice;
    uint8_t c[16], p[16], q[16];
    char name[128];
    (void)state;
    begin(&d, c, p);
    buf_init(&request, 1u << 20);
    buf_init(&again, 1u << 20);
    buf_init(&answer, 1u << 20);
    buf_init(&twice, 1u << 20);
    struct node_info old = info_of(&d);
    real_invite(&d, &code);
    assert_int_equal(real_ask(&d, &code, &request), ERR_OK);
    real_open(&d);
    assert_memory_equal(info_of(&d).self.kid, old.self.kid, 16);
    (void)real_person(&d, c, "Between", q);
    mock_get(d.n, "person", q, "family_name", name);
    assert_string_equal(name, "Between");
    (void)real_sync(&d, ERR_OK); /* the hub knows of nothing yet */
    assert_int_equal(real_ask(&d, &code, &again), ERR_OK);
    assert_true(bytes_equal(buf_bytes(&request), buf_bytes(&again)));
    assert_int_equal(real_at_hub(&d, &request, &answer), ERR_OK); /* the power fails; the same code again */
    real_open(&d);
    (void)mock_set(d.n, "person", q, "given_names", "Late"); /* still usable; the hub does not hear it any more */
    (void)real_sync(&d, ERR_REFUSED);
    assert_int_equal(real_at_hub(&d, &again, &twice), ERR_OK);
    assert_true(bytes_equal(buf_bytes(&answer), buf_bytes(&twice)));
    assert_int_equal(real_take(&d, &twice), ERR_OK);
    assert_int_equal(info_of(&d).rescued, 1); /* what was written in between, too */
    assert_int_equal(real_take(&d, &twice), ERR_EXISTS);
    buf_reset(&again);
    assert_int_equal(real_ask(&d, &code, &again), ERR_OK);
    assert_int_equal(again.len, 0); /* this code has done its work */
    real_open(&d);
    assert_int_equal(real_sync(&d, ERR_OK).held, 1);
    must_verify(&d);
    buf_release(&request);
    buf_release(&again);
    buf_release(&answer);
    buf_release(&twice);
    real_gone(&d);
}

/* The hub has done its part, and neither its answer nor the code that would bring it again is to be had. */
static void a_lost_answer_and_a_lost_code_do_not_bar_the_device(void **state)
{
    struct real_device d;
    struct invitation code;
    struct buf request, answer;
    uint8_t c[16], p[16], q[16];
    (void)state;
    begin(&d, c, p);
    (void)real_person(&d, c, "Unsent", q);
    buf_init(&request, 1u << 20);
    buf_init(&answer, 1u << 20);
    real_invite(&d, &code);
    assert_int_equal(real_ask(&d, &code, &request), ERR_OK);
    assert_int_equal(real_at_hub(&d, &request, &answer), ERR_OK);
    real_again(&d);
    assert_int_equal(real_sync(&d, ERR_OK).held, 1);
    must_verify(&d);
    buf_release(&request);
    buf_release(&answer);
    real_gone(&d);
}

static void an_invitation_of_another_hub_changes_nothing_on_the_device(void **state)
{
    struct real_device d;
    struct invitation code;
    struct identity_secret other = {0};
    struct buf request;
    uint8_t c[16], p[16], keys[PUBLIC_BYTES];
    (void)state;
    begin(&d, c, p);
    buf_init(&request, 1u << 20);
    real_invite(&d, &code);
    assert_int_equal(identity_generate(&other, NULL), ERR_OK);
    identity_fingerprint(&other.pub, code.fingerprint);
    identity_to_bytes(&other.pub, keys);
    real_close(&d);
    assert_int_equal(node_enrol_again(&d.env, d.home, bytes_of_str(REAL_PASSPHRASE), &code, bytes_of(keys, sizeof keys),
                                      NULL, &request, &d.why),
                     ERR_REFUSED);
    assert_int_equal(request.len, 0);
    assert_int_equal(node_enrol_again(&d.env, d.home, bytes_of_str("another passphrase"), &code,
                                      bytes_of(keys, sizeof keys), NULL, &request, &d.why),
                     ERR_PASSPHRASE);
    real_open(&d);
    (void)real_sync(&d, ERR_OK);
    identity_release(&other);
    buf_release(&request);
    real_gone(&d);
}

/* What the hub acknowledged is kept, sealed, under the keys that it was signed with; nothing readable of it stays. */
static void acknowledged_work_is_kept_for_the_hub_and_rows_are_gone(void **state)
{
    struct real_device d;
    uint8_t c[16], p[16];
    (void)state;
    begin(&d, c, p);
    int64_t sealed = mock_ask(d.n, "SELECT count(*) FROM n_outbox WHERE sealed IS NOT NULL");
    assert_true(sealed > 0);
    real_image(&d, "old");
    (void)real_sync(&d, ERR_OK);
    real_put_back(&d, "old");
    real_again(&d);
    assert_int_equal(mock_ask(d.n, "SELECT count(*) FROM n_former"), sealed);
    assert_int_equal(mock_ask(d.n, "SELECT count(*) FROM n_outbox"), 0);
    assert_int_equal(mock_ask(d.n, "SELECT count(*) FROM n_content"), 0);
    assert_int_equal(mock_ask(d.n, "SELECT count(*) FROM person"), 0);
    assert_int_equal(mock_ask(d.n, "SELECT count(*) FROM n_image"), 0);
    assert_int_equal(mock_ask(d.n, "SELECT coalesce((SELECT value FROM n_number WHERE name = 'purge_due'), 0)"), 0);
    assert_int_equal(mock_ask(d.n, "SELECT count(*) FROM secret_state WHERE name LIKE 'next%'"), 0);
    assert_int_equal(mock_ask(d.n, "SELECT count(*) FROM secret_state WHERE name IN ('identity', 'door')"), 2);
    assert_int_equal(mock_ask(d.n, "PRAGMA freelist_count"), 0); /* rewritten */
    real_gone(&d);
}

static void a_second_rescue_of_the_same_work_makes_no_second_copy(void **state)
{
    struct real_device d;
    uint8_t c[16], p[16], q[16];
    (void)state;
    begin(&d, c, p);
    real_image(&d, "old");
    (void)real_sync(&d, ERR_OK);
    real_put_back(&d, "old");
    (void)real_person(&d, c, "Twice", q);
    real_again(&d);
    real_image(&d, "rescued"); /* in its new life, not sent yet */
    assert_int_equal(real_sync(&d, ERR_OK).held, 1);
    real_put_back(&d, "rescued");
    (void)real_sync(&d, ERR_REFUSED);
    real_again(&d);
    assert_int_equal(info_of(&d).rescued, 1);
    struct round_result r = real_sync(&d, ERR_OK);
    assert_int_equal(r.merged, 1);
    assert_int_equal(r.held, 0);
    assert_int_equal(count_in(HELD, c), 1);
    fake_node_pull(mona);
    accept(c, "Twice");
    assert_true(at_hub("person", q));
    assert_int_equal(count_in(HELD, c), 0);
    must_verify(&d);
    real_gone(&d);
}

static void an_old_image_whose_request_the_hub_answered_long_ago_is_told_so(void **state)
{
    struct real_device d;
    struct buf request;
    uint8_t c[16], p[16];
    (void)state;
    begin(&d, c, p);
    buf_init(&request, BUNDLE_MAX);
    assert_int_equal(node_bundle_export(d.n, &request, NULL), ERR_OK); /* it waits for its answer in the image */
    real_image(&d, "old");
    (void)real_sync(&d, ERR_OK);
    real_put_back(&d, "old");
    (void)real_sync(&d, ERR_EXISTS);
    assert_non_null(strstr(d.why.next, "spoke enrol --again"));
    is_state(info_of(&d).self.kid, "enrolled"); /* the same bytes could be a courier's: they prove nothing */
    real_again(&d);
    (void)real_sync(&d, ERR_OK);
    must_verify(&d);
    buf_release(&request);
    real_gone(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_copies_that_are_both_set_up_anew_lose_nothing_and_double_nothing),
        cmocka_unit_test(until_the_answer_is_here_the_device_goes_on_as_it_was),
        cmocka_unit_test(a_lost_answer_and_a_lost_code_do_not_bar_the_device),
        cmocka_unit_test(an_invitation_of_another_hub_changes_nothing_on_the_device),
        cmocka_unit_test(acknowledged_work_is_kept_for_the_hub_and_rows_are_gone),
        cmocka_unit_test(a_second_rescue_of_the_same_work_makes_no_second_copy),
        cmocka_unit_test(an_old_image_whose_request_the_hub_answered_long_ago_is_told_so),
    };
    return cmocka_run_group_tests(tests, intake_start, intake_stop);
}
