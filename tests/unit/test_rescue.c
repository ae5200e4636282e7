/* Devices put back from an old image, or copied: found out, set up anew, and nothing that was written is lost or taken
 * in twice. Real replicas against a real hub. */
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

static int64_t notes_of(struct real_device *d)
{
    struct stmt *s;
    bool row = false;
    assert_int_equal(db_prepare(node_db(d->n), "SELECT count(*) FROM n_note", &s, NULL), ERR_OK);
    assert_int_equal(db_step(s, &row, NULL), ERR_OK);
    int64_t n = db_int(s, 0);
    db_done(s);
    return n;
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

/* ------------------------------------------------------------------------------------------------- found out */

static void an_old_image_that_wrote_nothing_since_is_recognised_and_set_up_anew(void **state)
{
    struct real_device d;
    uint8_t c[16], p[16], q[16];
    (void)state;
    begin(&d, c, p);
    real_image(&d, "old");
    (void)real_person(&d, c, "Second", q);
    (void)real_sync(&d, ERR_OK);
    real_put_back(&d, "old");
    struct node_info old = info_of(&d);
    (void)real_sync(&d, ERR_REFUSED);
    assert_non_null(strstr(d.why.next, "spoke enrol --again"));
    assert_non_null(strstr(d.why.next, "school-1"));
    is_state(old.self.kid, "forked");
    real_again(&d);
    struct node_info now = info_of(&d);
    assert_memory_not_equal(now.self.kid, old.self.kid, 16);
    assert_int_equal(now.rows, 0);
    assert_int_equal(now.unsent, 0);
    is_state(old.self.kid, "replaced");
    is_state(now.self.kid, "enrolled");
    assert_int_equal(notes_of(&d), 0); /* of another device, for a hub that is put back: from this one it would take none of them */
    (void)real_sync(&d, ERR_OK);
    char name[128];
    mock_get(d.n, "person", q, "family_name", name);
    assert_string_equal(name, "Second");
    must_verify(&d);
    real_gone(&d);
}

/* --------------------------------------------------------------------------------------------- what was unsent */

static void unsent_work_is_rescued_and_what_the_hub_had_is_taken_in_once(void **state)
{
    struct real_device d;
    uint8_t c[16], p[16], a[16], b[16], lost[16], fresh[16];
    (void)state;
    begin(&d, c, p);
    uint64_t seq = real_person(&d, c, "HadAlready", a);
    real_image(&d, "old"); /* with HadAlready unsent */
    assert_int_equal(real_person(&d, c, "OnlyAtTheHub", lost), seq + 1);
    assert_int_equal(real_sync(&d, ERR_OK).applied, 2);
    real_put_back(&d, "old");
    assert_int_equal(real_person(&d, c, "Unknown", b), seq + 1); /* a number that the hub knows otherwise */
    struct node_info old = info_of(&d);
    (void)real_sync(&d, ERR_REFUSED);
    real_again(&d);
    struct node_info now = info_of(&d);
    assert_int_equal(now.unsent, 2);
    assert_int_equal(now.rescued, 2);
    assert_int_equal(now.rows, 0); /* never laid over rows */
    must_verify(&d);
    int64_t people = count_in(PEOPLE, c);
    struct round_result r = real_sync(&d, ERR_OK);
    assert_int_equal(r.merged, 1);
    assert_int_equal(r.held, 1);
    assert_int_equal(count_in(PEOPLE, c), people);
    assert_int_equal(info_of(&d).rescued, 0);
    fake_node_pull(mona);
    accept(c, "Unknown");
    assert_int_equal(count_in(PEOPLE, c), people + 1);
    assert_true(at_hub("person", b));
    /* Its author is who wrote it then; and the device goes on. */
    assert_int_equal(fake_hub_int(hub,
                                  "SELECT count(*) FROM h_row r JOIN person p ON p.id = r.id WHERE p.family_name = "
                                  "'Unknown' AND r.born_user = (SELECT id FROM practitioner WHERE name = 'Tina')"),
                     1);
    (void)real_person(&d, c, "Afterwards", fresh);
    assert_int_equal(real_sync(&d, ERR_OK).applied, 1 + 1); /* and the one that was accepted */
    char name[128];
    mock_get(d.n, "person", b, "family_name", name);
    assert_string_equal(name, "Unknown");
    mock_get(d.n, "person", a, "family_name", name);
    assert_string_equal(name, "HadAlready");
    is_state(old.self.kid, "replaced");
    must_verify(&d);
    real_gone(&d);
}

static void what_builds_on_rescued_work_waits_for_it_and_is_a_managers_too(void **state)
{
    struct real_device d;
    uint8_t c[16], p[16], q[16];
    (void)state;
    begin(&d, c, p);
    real_image(&d, "old");
    (void)real_sync(&d, ERR_OK);
    real_put_back(&d, "old");
    (void)real_person(&d, c, "Built", q);
    (void)mock_set(d.n, "person", q, "given_names", "Upon");
    real_again(&d);
    struct round_result r = real_sync(&d, ERR_OK);
    assert_int_equal(r.held, 1);
    assert_int_equal(r.waits, 1);
    fake_node_pull(mona);
    accept(c, "Built");
    text_at_hub("person", q, "family_name", "Built");
    assert_int_equal(count_in("SELECT count(*) FROM person WHERE case_id = $1 AND given_names = 'Upon'", c), 0);
    fake_node_pull(mona);
    accept(c, "Upon");
    text_at_hub("person", q, "given_names", "Upon");
    (void)real_sync(&d, ERR_OK);
    must_verify(&d);
    real_gone(&d);
}

/* The rescued change was made upon what others have changed since: both values are kept. */
static void accepted_rescued_work_meets_what_others_wrote_since(void **state)
{
    struct real_device d;
    uint8_t c[16], p[16], own[16];
    (void)state;
    begin(&d, c, p);
    (void)real_person(&d, c, "Own", own); /* changed by nobody else: no quarrel with itself */
    (void)real_sync(&d, ERR_OK);
    real_image(&d, "old");
    (void)real_sync(&d, ERR_OK);
    real_put_back(&d, "old");
    (void)mock_set(d.n, "person", p, "family_name", "Rescued");
    (void)mock_set(d.n, "person", own, "family_name", "Corrected");
    fake_node_pull(sue);
    says(change_from(sue, "person", p, "family_name", "First", "Meanwhile"), VERDICT_APPLIED, NULL);
    real_again(&d);
    assert_int_equal(real_sync(&d, ERR_OK).held, 2);
    fake_node_pull(mona);
    int64_t conflicts = count_in(CONFLICTS, c);
    accept(c, "Corrected");
    text_at_hub("person", own, "family_name", "Corrected");
    assert_int_equal(count_in(CONFLICTS, c), conflicts);
    fake_node_pull(mona);
    accept(c, "Rescued");
    text_at_hub("person", p, "family_name", "Meanwhile");
    assert_int_equal(count_in(CONFLICTS
                              " AND state = 'open' AND lost = 'Rescued' AND lost_by = (SELECT id FROM practitioner "
                              "WHERE name = 'Tina')",
                              c),
                     1);
    (void)real_sync(&d, ERR_OK);
    must_verify(&d);
    real_gone(&d);
}

/* The one was sent and stands; the other was written upon it, before there was an answer, and was not sent. */
static void rescued_work_upon_ones_own_sent_work_is_no_conflict(void **state)
{
    struct real_device d;
    struct buf request, answer;
    struct why why = {0};
    uint8_t c[16], p[16];
    (void)state;
    begin(&d, c, p);
    buf_init(&request, BUNDLE_MAX);
    buf_init(&answer, BUNDLE_MAX);
    (void)mock_set(d.n, "person", p, "family_name", "Sent");
    assert_int_equal(node_bundle_export(d.n, &request, &why), ERR_OK);
    assert_int_equal(hub_exchange(hub->hub, buf_bytes(&request), false, &answer, NULL, &why), ERR_OK);
    text_at_hub("person", p, "family_name", "Sent");
    (void)mock_set(d.n, "person", p, "family_name", "Unsent");
    real_again(&d);
    struct round_result r = real_sync(&d, ERR_OK);
    assert_int_equal(r.merged, 1);
    assert_int_equal(r.held, 1);
    fake_node_pull(mona);
    accept(c, "Unsent");
    text_at_hub("person", p, "family_name", "Unsent");
    assert_int_equal(count_in(CONFLICTS, c), 0);
    buf_release(&request);
    buf_release(&answer);
    real_gone(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_old_image_that_wrote_nothing_since_is_recognised_and_set_up_anew),
        cmocka_unit_test(unsent_work_is_rescued_and_what_the_hub_had_is_taken_in_once),
        cmocka_unit_test(what_builds_on_rescued_work_waits_for_it_and_is_a_managers_too),
        cmocka_unit_test(accepted_rescued_work_meets_what_others_wrote_since),
        cmocka_unit_test(rescued_work_upon_ones_own_sent_work_is_no_conflict),
    };
    return cmocka_run_group_tests(tests, intake_start, intake_stop);
}
