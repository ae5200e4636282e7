/* Devices and moments that must not keep a hub that was put back from coming back: answers that were lost with it, one
 * device that says two things, programs of before, devices that never come. */
#include "tests/lib/disaster_world.h"

#include "sync/messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void must_line(enum err e, const struct why *why, const char *what, int line)
{
    if (e != ERR_OK) fail_msg("%s (line %d): %s: %s", what, line, err_word(e), why->text);
}
#define MUST(call) must_line(call, &why, #call, __LINE__)

static void a_device_whose_last_answer_was_lost_before_the_backup_comes_back(void **ctx)
{
    struct ends_case k;
    (void)ctx;
    ends_case(&k);
    (void)ends_write(pol, "person", k.person, "family_name", "Judged");
    pol->lose_answer = true;
    (void)ends_sync(pol, ERR_UNREACHABLE);
    (void)lost_backup("old");
    lost_destroy();
    lost_restored("old");
    ends_all_sync();
    ends_all_sync();
    lost_is_done(0);
    ends_all_sync();
    ends_shows(sam, "person", k.person, "family_name", "Judged");
    ends_same(pol);
    ends_same(sam);
}

/* It has the word "held" of before, and returns that: what it was not told since is told by the hub that was put
 * back. */
static void a_verdict_that_changed_and_was_lost_on_its_way_before_the_backup_is_told_again(void **ctx)
{
    struct ends_case k;
    (void)ctx;
    ends_case(&k);
    uint64_t seq = lost_verdict_on_its_way(k.c);
    (void)lost_backup("old");
    lost_destroy();
    lost_restored("old");
    ends_all_sync();
    ends_all_sync();
    lost_is_done(0);
    ends_all_sync();
    lost_outbox_says(sam, seq, "applied");
    ends_same(sam);
}

static void a_device_that_returns_another_change_than_was_judged_stops_nobody(void **ctx)
{
    struct ends_case k;
    struct why why = {0};
    (void)ctx;
    ends_case(&k);
    (void)lost_backup("old");
    (void)ends_write(pol, "person", k.person, "family_name", "Two");
    (void)ends_sync(pol, ERR_OK);
    lost_destroy();
    lost_restored("old");
    lost_sync_but(sam);
    /* As if its change with that number were another than the one that the note tells of: it signed both. */
    MUST(db_exec(hub_db(ends_hub->hub), "UPDATE h_outcome SET hash = zeroblob(32)", &why));
    (void)ends_sync(sam, ERR_OK);
    lost_sync_but(pol);
    lost_is_done(1);
    ends_same(sam);
}

static void a_change_without_a_note_before_one_with_a_note_is_judged(void **ctx)
{
    struct ends_case k;
    struct why why = {0};
    (void)ctx;
    ends_case(&k);
    (void)lost_backup("old");
    (void)ends_write(pol, "person", k.person, "family_name", "Before");
    (void)ends_sync(pol, ERR_OK);
    MUST(db_exec(node_db(pol->n), "DELETE FROM n_note", &why)); /* its program was older then */
    (void)ends_write(pol, "person", k.person, "given_names", "After");
    (void)ends_sync(pol, ERR_OK);
    lost_destroy();
    lost_restored("old");
    ends_all_sync();
    ends_all_sync();
    lost_is_done(0);
    ends_all_sync();
    ends_shows(sam, "person", k.person, "family_name", "Before");
    ends_shows(sam, "person", k.person, "given_names", "After");
}

static void the_recovery_secret_is_gone_when_the_last_missing_device_was_given_up(void **ctx)
{
    struct ends_case k;
    struct why why = {0};
    (void)ctx;
    ends_case(&k);
    (void)lost_backup("old");
    lost_destroy();
    lost_restored("old");
    lost_sync_but(sam);
    MUST(hub_restore_release(ends_hub->hub, "the school is closed", &why));
    lost_sync_but(sam);
    assert_string_equal(lost_status().state, "open");
    MUST(hub_revoke(ends_hub->hub, sam->kid, "burnt with the school", &why));
    (void)ends_sync(ann, ERR_OK);
    assert_string_equal(lost_status().state, "done");
    assert_int_equal(fake_hub_int(ends_hub, "SELECT count(*) FROM h_epoch WHERE secret IS NOT NULL"), 0);
}

static void a_backup_taken_while_the_hub_gathers_lets_no_device_go_of_its_notes(void **ctx)
{
    struct ends_case k;
    struct why why = {0};
    (void)ctx;
    ends_case(&k);
    (void)lost_backup("old");
    (void)ends_write(pol, "person", k.person, "family_name", "Noted");
    (void)ends_sync(pol, ERR_OK);
    lost_destroy();
    lost_restored("old");
    lost_sync_but(sam);
    (void)lost_backup("new"); /* it does not have what was returned: that would not outlive a restore */
    (void)ends_sync(sam, ERR_OK);
    ends_all_sync();
    lost_is_done(0);
    (void)ends_write(pol, "person", k.person, "given_names", "Later");
    (void)ends_sync(pol, ERR_OK);
    struct stmt *s;
    bool row = false;
    MUST(db_prepare(node_db(pol->n), "SELECT 1 FROM n_note WHERE request < (SELECT max(request) FROM n_note) - 1", &s,
                    &why));
    MUST(db_step(s, &row, &why));
    db_done(s);
    assert_true(row);
    struct lost_state before = lost_state();
    lost_destroy();
    ends_hub->now += 60000;
    lost_restored("new");
    ends_all_sync();
    ends_all_sync();
    lost_is_done(0);
    ends_all_sync();
    struct lost_state after = lost_state();
    assert_memory_equal(before.verdicts, after.verdicts, sizeof before.verdicts);
    ends_shows(sam, "person", k.person, "family_name", "Noted");
    ends_shows(sam, "person", k.person, "given_names", "Later");
}

/* Refused at the hub; the device goes on as it was. */
static void try_to_set_up_anew(struct ends_node *n)
{
    static const char passphrase[] = "correct horse battery";
    struct buf code, request, answer;
    struct invitation invitation;
    struct why why = {0};
    uint8_t keys[PUBLIC_BYTES];
    buf_init(&code, 4096);
    buf_init(&request, 1u << 20);
    buf_init(&answer, 1u << 20);
    identity_to_bytes(hub_identity(ends_hub->hub), keys);
    MUST(hub_invite(ends_hub->hub, n->site, "http://127.0.0.1:8470", 3600000, &code, &why));
    MUST(invitation_get(buf_bytes(&code), &invitation, &why));
    node_close(n->n);
    MUST(node_enrol_again(&ends_hub->env, n->home, bytes_of_str(passphrase), &invitation, bytes_of(keys, sizeof keys),
                          NULL, &request, &why));
    assert_int_equal(hub_enrol(ends_hub->hub, buf_bytes(&request), &answer, &why), ERR_REFUSED);
    MUST(node_open(&n->n, &ends_hub->env, n->home, bytes_of_str(passphrase), &why));
    buf_release(&code);
    buf_release(&request);
    buf_release(&answer);
}

static void a_device_is_not_set_up_anew_while_it_has_work_to_return(void **ctx)
{
    struct ends_case k;
    (void)ctx;
    ends_case(&k);
    (void)lost_backup("old");
    (void)ends_write(pol, "person", k.person, "family_name", "Only here");
    (void)ends_sync(pol, ERR_OK);
    lost_destroy();
    lost_restored("old");
    try_to_set_up_anew(pol);
    ends_all_sync();
    ends_all_sync();
    lost_is_done(0);
    ends_shows(sam, "person", k.person, "family_name", "Only here");
    ends_same(pol);
}

static void what_a_late_device_returns_and_what_was_written_meanwhile_stand_both(void **ctx)
{
    struct ends_case k;
    struct why why = {0};
    (void)ctx;
    ends_case(&k);
    (void)lost_backup("old");
    (void)ends_write(pol, "person", k.person, "family_name", "Late");
    (void)ends_sync(pol, ERR_OK);
    lost_destroy();
    lost_restored("old");
    lost_sync_but(pol);
    MUST(hub_restore_release(ends_hub->hub, "the station has no network", &why));
    lost_sync_but(pol);
    (void)ends_write(sam, "person", k.person, "family_name", "Meanwhile");
    (void)ends_sync(sam, ERR_OK);
    ends_all_sync();
    ends_all_sync();
    lost_is_done(0);
    assert_int_equal(ends_count("SELECT count(*) FROM conflict WHERE row_id = $1 AND state = 'open'", k.person), 1);
    ends_same(pol);
    ends_same(sam);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_device_whose_last_answer_was_lost_before_the_backup_comes_back, lost_start,
                                        lost_stop),
        cmocka_unit_test_setup_teardown(a_verdict_that_changed_and_was_lost_on_its_way_before_the_backup_is_told_again,
                                        lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(a_device_that_returns_another_change_than_was_judged_stops_nobody, lost_start,
                                        lost_stop),
        cmocka_unit_test_setup_teardown(a_change_without_a_note_before_one_with_a_note_is_judged, lost_start,
                                        lost_stop),
        cmocka_unit_test_setup_teardown(the_recovery_secret_is_gone_when_the_last_missing_device_was_given_up,
                                        lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(a_backup_taken_while_the_hub_gathers_lets_no_device_go_of_its_notes, lost_start,
                                        lost_stop),
        cmocka_unit_test_setup_teardown(a_device_is_not_set_up_anew_while_it_has_work_to_return, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(what_a_late_device_returns_and_what_was_written_meanwhile_stand_both,
                                        lost_start, lost_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
