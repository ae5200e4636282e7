/* Devices in an odd state that come back to a hub that was put back: what they had told the lost one, and was
 * acknowledged, is there again, whatever became of the device since; and nothing that one of them brings stops the
 * others. */
#include "crypto/keyslot.h"
#include "hub/retention.h"
#include "node/trust.h"
#include "tests/lib/disaster_world.h"
#include "tests/lib/test_store.h"

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

/* -------------------------------------------------------------------------------- one that does not believe its hub */
static struct node_trust trust_of(struct ends_node *n)
{
    struct node_trust t;
    assert_int_equal(node_trust(n->n, &t, NULL), ERR_OK);
    return t;
}

/* As if the hub had changed its log: its answer does not lead on from what the device was shown. */
static void finds_the_log_changed(struct ends_node *n)
{
    struct why why = {0};
    n->lose_answer = true;
    (void)ends_sync(n, ERR_UNREACHABLE);
    MUST(db_exec(node_db(n->n),
                 "UPDATE n_state SET value = CAST(substr(value, 1, 8) || zeroblob(32) AS BLOB) WHERE name = 'log_head'", &why));
    (void)ends_sync(n, ERR_TAMPERED);
    assert_true(trust_of(n).distrusts);
}

static void a_device_that_does_not_believe_its_hub_believes_the_recovery_key_and_keeps_its_evidence(void **ctx)
{
    struct ends_case k;
    struct buf evidence;
    struct why why = {0};
    (void)ctx;
    ends_case(&k);
    (void)lost_backup("old");
    (void)ends_write(pol, "person", k.person, "family_name", "Told before");
    (void)ends_sync(pol, ERR_OK);
    finds_the_log_changed(pol);
    (void)ends_write(pol, "person", k.person, "given_names", "Written since");
    int64_t had = fake_hub_int(ends_hub, "SELECT count(*) FROM h_envelope");
    for (int i = 0; i < 3; i++) (void)ends_sync(pol, ERR_TAMPERED);
    assert_int_equal(fake_hub_int(ends_hub, "SELECT count(*) FROM h_envelope"), had);
    assert_int_equal(trust_of(pol).findings, 1);
    lost_destroy();
    lost_restored("old");
    ends_all_sync();
    ends_all_sync();
    lost_is_done(0);
    struct node_trust t = trust_of(pol);
    assert_true(!t.distrusts && t.findings >= 1);
    assert_true(t.explained_ms > 0);
    buf_init(&evidence, 1u << 20);
    MUST(node_trust_evidence(pol->n, &evidence, &why));
    assert_non_null(strstr(buf_cstr(&evidence), "changed afterwards"));
    assert_non_null(strstr(buf_cstr(&evidence), "explained "));
    buf_release(&evidence);
    ends_all_sync();
    ends_shows(sam, "person", k.person, "family_name", "Told before");
    ends_shows(sam, "person", k.person, "given_names", "Written since");
    ends_same(pol);
    ends_same(sam);
}

/* Without a network: its file is the request that the hub has had. */
static void by_file_too_it_takes_the_statement_and_nothing_else(void **ctx)
{
    struct ends_case k;
    struct buf file;
    (void)ctx;
    buf_init(&file, 1u << 24);
    ends_case(&k);
    (void)lost_backup("old");
    finds_the_log_changed(pol);
    (void)ends_write(pol, "person", k.person, "given_names", "Written since");
    lost_destroy();
    lost_restored("old");
    ends_export(pol, &file);
    (void)ends_import(pol, buf_bytes(&file));
    assert_false(trust_of(pol).distrusts);
    assert_int_equal(ends_count("SELECT count(*) FROM h_awaited a JOIN h_node n ON n.no = a.node_no WHERE a.state = "
                                "'returning' AND n.kid = $1", pol->kid), 1);
    ends_all_sync();
    ends_all_sync();
    lost_is_done(0);
    ends_all_sync();
    ends_shows(sam, "person", k.person, "given_names", "Written since");
    buf_release(&file);
}

/* -------------------------------------------------------------------------------- one that was cut off, and is late */
static enum err unseal(const char *key, uint64_t *out_n)
{
    static const char passphrase[] = "correct horse battery";
    struct why why;
    return hub_restore_unseal(ends_hub->hub, &ends_hub->env, lost_file(key), bytes_of_str(passphrase), out_n, &why);
}

/* The police lose the laptop in the fire, so it is thought, and it is cut off; everything else is done; then it is
 * found. */
static void what_a_device_had_told_is_carried_out_also_if_it_was_cut_off_since_and_comes_after_all(void **ctx)
{
    struct ends_case k;
    struct why why = {0};
    struct keyring other = {0};
    uint8_t late[16];
    uint64_t n = 0;
    (void)ctx;
    ends_case(&k);
    (void)lost_backup("old");
    (void)ends_write(pol, "person", k.person, "family_name", "Acknowledged");
    ends_note(pol, k.c, late, "open", "acknowledged too");
    (void)ends_sync(pol, ERR_OK);
    lost_destroy();
    lost_restored("old");
    lost_sync_but(pol);
    MUST(hub_revoke(ends_hub->hub, pol->kid, "burnt with the station", &why));
    lost_sync_but(pol);
    lost_is_done(0);
    assert_int_equal(unseal("recovery.key", &n), ERR_NOTFOUND);
    for (int i = 0; i < 3; i++) assert_int_equal(ends_sync(pol, ERR_REFUSED).rows_in, 0);
    assert_int_equal(lost_status().sealed, 1);
    assert_string_equal(lost_status().state, "done");
    assert_int_equal(fake_hub_int(ends_hub, "SELECT count(*) FROM h_epoch WHERE secret IS NOT NULL"), 0);
    MUST(keyslot_create(&ends_hub->env, &(struct keyfile){.path = lost_file("other.key")},
                        bytes_of_str("correct horse battery"), &other, &why));
    keyring_release(&other);
    assert_int_equal(unseal("other.key", &n), ERR_REFUSED);
    assert_int_equal(lost_status().sealed, 1);
    assert_int_equal(unseal("recovery.key", &n), ERR_OK);
    assert_int_equal(n, 2);
    lost_continued();
    lost_is_done(0);
    assert_int_equal(lost_status().sealed, 0);
    lost_sync_but(pol);
    ends_shows(sam, "person", k.person, "family_name", "Acknowledged");
    assert_true(lost_holds(sam, "record", late));
    /* It is shown nothing, and what it writes now is held. */
    (void)ends_write(sam, "person", k.person, "given_names", "Not for it");
    (void)ends_sync(sam, ERR_OK);
    (void)ends_write(pol, "person", k.person, "sex", "f");
    int64_t held = fake_hub_int(ends_hub, "SELECT count(*) FROM h_held WHERE state = 'waiting'");
    for (int i = 0; i < 3; i++) assert_int_equal(ends_sync(pol, ERR_REFUSED).rows_in, 0);
    assert_int_equal(fake_hub_int(ends_hub, "SELECT count(*) FROM h_held WHERE state = 'waiting'"), held + 1);
    ends_same(sam);
}

/* Of care, with a note that the school may read for a while. Not sent to the others. */
static void case_with_note(uint8_t c[16], uint8_t note[16])
{
    ends_own_case(c, false);
    ends_note(ann, c, note, "open", "what the school may read for a while");
    (void)ends_sync(ann, ERR_OK);
}

/* Ada has given the school the case since the backup: it reads the note, and Ann takes the case back. All of that was
 * acknowledged. Ann's device returns first, and the hub is opened without Ada's, which comes after all. */
static void withdrawn_and_who_gave_it_comes_late(const uint8_t c[16], const uint8_t part[16], const uint8_t note[16], bool revoked)
{
    struct why why = {0};
    uint64_t n;
    assert_true(ends_sync(ada, ERR_OK).applied > 0);
    (void)ends_sync(sam, ERR_OK);
    assert_true(lost_holds(sam, "record", note));
    (void)ends_sync(ann, ERR_OK);
    ends_access(part, "none");
    (void)ends_sync(sam, ERR_OK);
    assert_false(lost_holds(sam, "record", note));
    lost_destroy();
    lost_restored("old");
    lost_sync_but(ada);
    if (revoked)
        MUST(hub_revoke(ends_hub->hub, ada->kid, "ada's laptop was in the fire", &why));
    else
        lost_released("ada's laptop was in the fire");
    lost_continued();
    lost_sync_but(ada);
    for (int i = 0; i < 3; i++) (void)ends_sync(ada, revoked ? ERR_REFUSED : ERR_OK);
    if (revoked) assert_int_equal(unseal("recovery.key", &n), ERR_OK);
    lost_continued();
    lost_is_done(0);
    (void)ends_sync(sam, ERR_OK);
    assert_false(lost_holds(sam, "record", note));
    assert_false(lost_holds(sam, "case_file", c));
    ends_same(sam);
}

static void share_withdrawn_by_another(bool revoked)
{
    uint8_t c[16], part[16], note[16];
    case_with_note(c, note);
    lost_sync_but(NULL);
    (void)lost_backup("old");
    lost_shares(ada, c, part);
    withdrawn_and_who_gave_it_comes_late(c, part, note, revoked);
}

static void a_share_that_another_device_withdrew_does_not_come_to_life_when_its_own_device_comes_late(void **ctx)
{
    (void)ctx;
    share_withdrawn_by_another(false);
}

static void nor_when_its_own_device_was_cut_off_and_comes_after_all(void **ctx)
{
    (void)ctx;
    share_withdrawn_by_another(true);
}

/* The school read a note that the backup does not have; then Ann took the case back. Her device comes last: only then
 * does the hub know that there is such a note, and that the school has what it may not see. */
static void what_a_device_had_of_the_lost_hub_and_may_not_see_it_forgets_when_the_hub_hears_of_it(void **ctx)
{
    uint8_t c[16], part[16], note[16];
    (void)ctx;
    ends_own_case(c, false);
    ends_share(c, part, "school", "");
    lost_sync_but(NULL);
    (void)lost_backup("old");
    ends_note(ann, c, note, "open", "what the school read on its last day in the case");
    (void)ends_sync(ann, ERR_OK);
    (void)ends_sync(sam, ERR_OK);
    assert_true(lost_holds(sam, "record", note));
    ends_access(part, "none");
    (void)ends_sync(ann, ERR_OK);
    lost_destroy();
    lost_restored("old");
    lost_sync_but(ann);
    lost_released("ann's laptop was in the fire");
    lost_sync_but(ann);
    assert_true(lost_holds(sam, "record", note));
    assert_true(lost_status().strange > 0);
    for (int i = 0; i < 3; i++) (void)ends_sync(ann, ERR_OK);
    lost_continued();
    lost_is_done(0);
    for (int i = 0; i < 2; i++) (void)ends_sync(sam, ERR_OK);
    assert_false(lost_holds(sam, "record", note));
    assert_false(lost_holds(sam, "case_file", c));
    lost_sync_but(NULL);
    assert_int_equal(lost_status().strange, 0);
    ends_same(sam);
}

/* The same of a share that the backup knows as withdrawn: it was given anew, and withdrawn again. */
static void a_share_that_was_given_anew_and_withdrawn_again_stays_withdrawn_when_who_gave_it_comes_late(void **ctx)
{
    uint8_t c[16], part[16], note[16];
    (void)ctx;
    case_with_note(c, note);
    ends_share(c, part, "school", "");
    ends_access(part, "none");
    lost_sync_but(NULL);
    (void)lost_backup("old");
    (void)ends_write(ada, "participant", part, "access", "contribute");
    withdrawn_and_who_gave_it_comes_late(c, part, note, false);
}

/* What it had written was acknowledged; but nothing of the case may be there again. */
static void what_a_late_device_returns_of_a_case_that_was_erased_since_stays_erased(void **ctx)
{
    struct ends_case k;
    uint8_t late[16];
    struct why why = {0};
    (void)ctx;
    ends_case(&k);
    (void)lost_backup("old");
    (void)ends_write(pol, "person", k.person, "family_name", "Acknowledged");
    ends_note(pol, k.c, late, "open", "acknowledged too");
    (void)ends_sync(pol, ERR_OK);
    lost_destroy();
    lost_restored("old");
    lost_sync_but(pol);
    lost_released("the station has no network");
    ends_begin(ann);
    ends_set(ann, "case_file", k.c, "status", value_str("closed"));
    (void)ends_commit(ann);
    lost_sync_but(pol);
    MUST(hub_erase(ends_hub->hub, k.c, true, "its time had passed", &why));
    for (int i = 0; i < 4; i++) (void)ends_sync(pol, ERR_OK);
    lost_continued();
    lost_is_done(0);
    assert_int_equal(ends_count("SELECT count(*) FROM person WHERE case_id = $1", k.c), 0);
    assert_int_equal(ends_count("SELECT count(*) FROM record WHERE case_id = $1", k.c), 0);
    assert_int_equal(ends_count("SELECT count(*) FROM held WHERE case_id = $1", k.c), 0);
    lost_sync_but(pol);
    assert_false(lost_holds(pol, "person", k.person));
    assert_false(lost_holds(pol, "record", late));
    assert_false(lost_holds(sam, "record", late));
    MUST(hub_verify(ends_hub->hub, &why));
}

/* What waits for a manager lies open on its device: no key is needed for it. */
static void held_work_of_a_device_that_was_cut_off_and_comes_after_all_waits_for_its_manager_again(void **ctx)
{
    struct ends_case k;
    struct why why = {0};
    uint64_t seq;
    (void)ctx;
    ends_case(&k);
    (void)lost_backup("old");
    ends_begin(pol);
    ends_set(pol, "case_file", k.c, "status", value_str("ready"));
    MUST(node_edit_commit(pol->n, "worked on a case", &seq, &why));
    assert_int_equal(ends_sync(pol, ERR_OK).held, 1);
    lost_destroy();
    lost_restored("old");
    lost_sync_but(pol);
    MUST(hub_revoke(ends_hub->hub, pol->kid, "burnt with the station", &why));
    lost_sync_but(pol);
    lost_is_done(0);
    for (int i = 0; i < 3; i++) assert_int_equal(ends_sync(pol, ERR_REFUSED).rows_in, 0);
    lost_is_done(0);
    assert_int_equal(ends_count("SELECT count(*) FROM held WHERE case_id = $1 AND state = 'waiting'", k.c), 1);
}

/* ---------------------------------------------------------------------- one change that cannot be carried out again */
static void spoil(const char *sql)
{
    struct why why = {0};
    if (db_exec(hub_db(ends_hub->hub), sql, &why) != ERR_OK) fail_msg("%s: %s", sql, why.text);
}

/* Of the police's first device, the newest that came back. */
#define NEWEST_OF_POL                                                                                                  \
    " WHERE node_no = (SELECT min(no) FROM h_node WHERE site_no = (SELECT no FROM h_site WHERE code = 'police-hq')) AND seq = "  \
    "(SELECT max(seq) FROM h_returned WHERE node_no = (SELECT min(no) FROM h_node WHERE site_no = (SELECT no FROM h_site WHERE " \
    "code = 'police-hq')))"

static void a_change_that_cannot_be_read_again_is_counted_and_named_and_stops_no_other(void **ctx)
{
    struct ends_case k;
    uint8_t note[16];
    (void)ctx;
    ends_case(&k);
    (void)lost_backup("old");
    ends_note(pol, k.c, note, "open", "damaged where it lies");
    (void)ends_sync(pol, ERR_OK);
    (void)ends_write(pat, "person", k.person, "family_name", "After it");
    (void)ends_sync(pat, ERR_OK);
    lost_destroy();
    lost_restored("old");
    lost_sync_but(sam);
    spoil("UPDATE h_returned SET item = zeroblob(1)" NEWEST_OF_POL);
    (void)ends_sync(sam, ERR_OK);
    lost_sync_but(sam);
    lost_is_done(1);
    ends_all_sync();
    ends_shows(sam, "person", k.person, "family_name", "After it");
    assert_int_equal(fake_hub_int(ends_hub, "SELECT count(*) FROM h_held h JOIN h_envelope e ON e.node_no = h.node_no AND e.seq = "
                                            "h.seq WHERE h.fault = 1 AND h.state = 'waiting' AND e.reason LIKE '%put back from a "
                                            "backup, and cannot be carried out again%'"), 1);
    (void)ends_write(pol, "person", k.person, "given_names", "Goes on"); /* its device was told */
    (void)ends_sync(pol, ERR_OK);
    (void)ends_sync(sam, ERR_OK);
    ends_shows(sam, "person", k.person, "given_names", "Goes on");
    ends_same(sam);
}

static void a_change_that_the_store_refuses_is_held_whole_and_stops_no_other(void **ctx)
{
    struct ends_case k;
    uint8_t note[16];
    (void)ctx;
    if (test_store_file_only("the store's refusal is a trigger of SQLite")) return;
    ends_case(&k);
    (void)lost_backup("old");
    ends_note(pol, k.c, note, "open", "whole, and without a place");
    (void)ends_sync(pol, ERR_OK);
    (void)ends_write(pat, "person", k.person, "family_name", "After it");
    (void)ends_sync(pat, ERR_OK);
    lost_destroy();
    lost_restored("old");
    lost_sync_but(sam);
    spoil("CREATE TRIGGER no_place BEFORE INSERT ON record BEGIN SELECT RAISE(ABORT, 'no place'); END");
    (void)ends_sync(sam, ERR_OK);
    spoil("DROP TRIGGER no_place");
    lost_sync_but(sam);
    lost_is_done(0);
    (void)ends_sync(sam, ERR_OK);
    ends_shows(sam, "person", k.person, "family_name", "After it");
    assert_int_equal(fake_hub_int(ends_hub, "SELECT count(*) FROM held WHERE state = 'waiting' AND reason LIKE '%cannot be carried out "
                                            "again%' AND what LIKE '%without a place%'"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_device_that_does_not_believe_its_hub_believes_the_recovery_key_and_keeps_its_evidence, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(by_file_too_it_takes_the_statement_and_nothing_else, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(
            what_a_device_had_told_is_carried_out_also_if_it_was_cut_off_since_and_comes_after_all, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(
            a_share_that_another_device_withdrew_does_not_come_to_life_when_its_own_device_comes_late, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(nor_when_its_own_device_was_cut_off_and_comes_after_all, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(what_a_device_had_of_the_lost_hub_and_may_not_see_it_forgets_when_the_hub_hears_of_it, lost_start,
                                        lost_stop),
        cmocka_unit_test_setup_teardown(
            a_share_that_was_given_anew_and_withdrawn_again_stays_withdrawn_when_who_gave_it_comes_late, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(what_a_late_device_returns_of_a_case_that_was_erased_since_stays_erased, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(
            held_work_of_a_device_that_was_cut_off_and_comes_after_all_waits_for_its_manager_again, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(a_change_that_cannot_be_read_again_is_counted_and_named_and_stops_no_other, lost_start,
                                        lost_stop),
        cmocka_unit_test_setup_teardown(a_change_that_the_store_refuses_is_held_whole_and_stops_no_other, lost_start, lost_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
