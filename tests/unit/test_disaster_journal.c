/* The hub is lost, and put back from an old backup and the folder in which its journal is: what administrators did is
 * there too, and nothing that was taken away comes back. */
#include "hub/log_audit.h"
#include "hub/proposal.h"
#include "hub/restore.h"
#include "hub/retention.h"
#include "tests/lib/journal_world.h"
#include "tests/lib/policy_variant.h"
#include "tests/lib/test_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static uint64_t seed;

static void must_line(enum err e, const struct why *why, const char *what, int line)
{
    if (e != ERR_OK) fail_msg("%s (line %d): %s: %s", what, line, err_word(e), why->text);
}
#define MUST(call) must_line(call, &why, #call, __LINE__)

static unsigned drawn(unsigned below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)((seed >> 33) % below);
}

static void status(struct ends_node *by, const uint8_t c[16])
{
    struct why why = {0};
    uint64_t seq; /* 0: it was so already */
    ends_begin(by);
    ends_set(by, "case_file", c, "status", value_str(drawn(2) ? "gathering" : "ready"));
    MUST(node_edit_commit(by->n, "worked on a case", &seq, &why));
}

/* Changes by all five, of names, notes of both kinds, and what is not theirs to change, which is held. */
static void work(const struct ends_case *k, int64_t envelopes)
{
    struct ends_node *const all[] = {ann, ada, pol, pat, sam};
    int64_t until = fake_hub_int(ends_hub, "SELECT count(*) FROM h_envelope") + envelopes;
    char text[40];
    uint8_t id[16];
    while (fake_hub_int(ends_hub, "SELECT count(*) FROM h_envelope") < until) {
        struct ends_node *by = all[drawn(5)];
        (void)snprintf(text, sizeof text, "word %u", drawn(1000000));
        switch (drawn(3)) {
        case 0: (void)ends_write(by, "person", k->person, drawn(2) ? "family_name" : "given_names", text); break;
        case 1: ends_note(by, k->c, id, drawn(3) ? "open" : "sensitive", text); break;
        default: status(by, k->c); break;
        }
        ends_hub->now += 1000;
        if (drawn(8) == 0) (void)ends_sync(by, ERR_OK);
        journal_noted();
    }
    ends_all_sync();
}

static void all_report(void)
{
    struct ends_node *const all[] = {ann, ada, pol, pat, sam};
    for (size_t i = 0; i < 5; i++) {
        struct round_result r = ends_sync(all[i], ERR_OK);
        if (i < 4) assert_int_equal(r.rows_in, 0); /* nobody is shown anything before all have */
    }
    assert_string_equal(lost_status().state, "done");
    assert_int_equal(lost_status().lost, 0);
    assert_int_equal(lost_status().strange, 0);
    ends_all_sync();
    for (size_t i = 0; i < 5; i++) ends_same(all[i]);
}

static void a_hub_comes_back_row_for_row_from_an_old_backup_and_its_journal(void **ctx)
{
    struct ends_case k;
    struct why why = {0};
    struct log_audit_sum audit;
    (void)ctx;
    seed = 11;
    ends_case(&k);
    work(&k, 30);
    (void)lost_backup("old");
    for (int i = 0; i < 10; i++) {
        work(&k, 100);
        journal_write(i == 5);
    }
    struct lost_state before = lost_state();
    struct dump_sum rows = journal_sum();
    lost_destroy();
    struct hub_restored told = journal_restored("old");
    assert_true(told.transactions > (test_store_is_postgres() ? 50 : 150)); /* of 1,000 changes */
    assert_false(told.damaged);
    assert_int_equal(lost_status().journal_at_ms, told.until_ms);
    struct dump_sum back = journal_sum();
    journal_same(&rows, &back);
    all_report();
    struct lost_state after = lost_state();
    assert_memory_equal(after.verdicts, before.verdicts, HASH_BYTES);
    assert_memory_equal(after.content, before.content, HASH_BYTES);
    MUST(hub_verify(ends_hub->hub, &why));
    MUST(hub_log_verify(ends_hub->hub, &audit, &why));
    work(&k, 20); /* and work goes on */
}

/* What the folder does not have yet, devices return. */
static void what_the_journal_did_not_have_yet_comes_from_the_devices(void **ctx)
{
    struct ends_case k;
    (void)ctx;
    seed = 12;
    ends_case(&k);
    (void)lost_backup("old");
    work(&k, 20);
    journal_write(false);
    work(&k, 20); /* not written */
    struct lost_state before = lost_state();
    lost_destroy();
    (void)journal_restored("old");
    all_report();
    struct lost_state after = lost_state();
    assert_memory_equal(after.verdicts, before.verdicts, HASH_BYTES);
    assert_memory_equal(after.content, before.content, HASH_BYTES);
}

static int64_t count_where(const char *what, const char *text)
{
    char sql[200];
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM %s '%s'", what, text);
    return fake_hub_int(ends_hub, sql);
}

static void give_acts(const char *policy)
{
    static const char *const north[] = {"north"};
    const struct hub_site site = {"clinic", "health", "Clinic", "partner", NULL, north, 1};
    struct hub_proposal p = {.kind = PROPOSE_WIPE, .flag = true, .text = bytes_of_str(""), .reason = "stolen"};
    struct why why = {0};
    struct buf code;
    bool done = false;
    int64_t no = 0;
    buf_init(&code, 4096);
    MUST(hub_revoke(ends_hub->hub, sam->kid, "the laptop of the school is gone", &why));
    MUST(hub_add_agency(ends_hub->hub, "health", "Health", "health", &why));
    MUST(hub_add_site(ends_hub->hub, &site, &why));
    MUST(hub_invite(ends_hub->hub, "clinic", "http://127.0.0.1:8470", 3600000, &code, &why));
    MUST(hub_wipe_as(ends_hub->hub, pat->kid, "lost", "left in a train", true, &why));
    MUST(hub_lease(ends_hub->hub, pol->kid, 9, &why));
    MUST(hub_policy_apply(ends_hub->hub, bytes_of_str(policy), "narrower", &why));
    while (!done) MUST(hub_policy_continue(ends_hub->hub, 1000, &done, &why));
    MUST(hub_admin_add(ends_hub->hub, "Ines", ROLE_SECURITY, bytes_of_str("another good passphrase"), &why));
    MUST(hub_rule_set(ends_hub->hub, RULE_APPROVE, 1, "agreed", &why));
    memcpy(p.kid, ada->kid, sizeof p.kid);
    MUST(hub_propose(ends_hub->hub, &p, "wipe ada's device", &no, &why));
    buf_release(&code);
}

static void what_administrators_did_since_the_backup_need_not_be_done_again(void **ctx)
{
    struct ends_case k;
    char *policy = policy_variant_text(&(struct policy_variant){.less = "channel = 'room' AND site = 'police-hq'"});
    (void)ctx;
    seed = 13;
    ends_case(&k);
    (void)lost_backup("old");
    give_acts(policy);
    int64_t acts = fake_hub_int(ends_hub, "SELECT count(*) FROM h_act");
    journal_write(false);
    struct dump_sum rows = journal_sum();
    lost_destroy();
    (void)journal_restored("old");
    struct dump_sum back = journal_sum();
    journal_same(&rows, &back);
    assert_true(fake_hub_int(ends_hub, "SELECT count(*) FROM h_act") > acts);
    assert_int_equal(ends_count("SELECT count(*) FROM h_node WHERE kid = $1 AND state = 'revoked'", sam->kid), 1);
    assert_int_equal(count_where("h_fate WHERE fate =", "lost"), 1);
    assert_int_equal(count_where("site WHERE code =", "clinic"), 1);
    assert_int_equal(count_where("h_proposal WHERE state =", "open"), 1);
    assert_int_equal(count_where("h_policy WHERE state = 'in_force' AND reason =", "narrower"), 1);
    assert_int_equal(ends_sync(sam, ERR_REFUSED).rows_in, 0); /* it is told that it is cut off */
    struct why why = {0};
    MUST(hub_verify(ends_hub->hub, &why)); /* masks are those of the policy that came after the backup */
    free(policy);
}

static void a_share_that_was_withdrawn_and_journalled_stays_withdrawn_before_its_device_comes(void **ctx)
{
    uint8_t c[16], part[16], note[16], late[16];
    struct why why = {0};
    bool done = false;
    (void)ctx;
    ends_own_case(c, false);
    (void)ends_sync(ann, ERR_OK);
    ends_share(c, part, "school", "");
    ends_note(ann, c, note, "open", "what the school may read for a while");
    (void)ends_sync(ann, ERR_OK);
    (void)ends_sync(sam, ERR_OK);
    assert_true(lost_holds(sam, "record", note));
    (void)lost_backup("old");
    ends_access(part, "none");
    (void)ends_sync(ann, ERR_OK);
    ends_all_sync();
    assert_false(lost_holds(sam, "record", note));
    ends_note(ann, c, late, "open", "what the school never saw");
    (void)ends_sync(ann, ERR_OK);
    journal_write(false);
    lost_destroy();
    (void)journal_restored("old");
    /* The device that withdrew it is lost too, and the hub is opened without it. */
    struct ends_node *const here[] = {sam, pol, pat, ada};
    for (size_t i = 0; i < 4; i++) (void)ends_sync(here[i], ERR_OK);
    MUST(hub_restore_release(ends_hub->hub, "ann's laptop was in the fire", &why));
    MUST(hub_restore_continue(ends_hub->hub, 10000, &done, &why));
    for (size_t i = 0; i < 8; i++) (void)ends_sync(here[i % 4], ERR_OK);
    assert_false(lost_holds(sam, "record", note));
    assert_false(lost_holds(sam, "record", late));
    assert_false(lost_holds(sam, "case_file", c));
    ends_same(sam);
}

static void a_case_that_was_erased_since_the_backup_does_not_come_back(void **ctx)
{
    struct ends_case k;
    struct why why = {0};
    (void)ctx;
    ends_case(&k);
    (void)lost_backup("old");
    ends_begin(ann);
    ends_set(ann, "case_file", k.c, "status", value_str("closed"));
    (void)ends_commit(ann);
    ends_all_sync();
    journal_write(false); /* what it says is in the folder, sealed */
    MUST(hub_erase(ends_hub->hub, k.c, true, "its time had passed", &why));
    journal_write(false);
    struct dump_sum rows = journal_sum();
    lost_destroy();
    (void)journal_restored("old");
    struct dump_sum back = journal_sum();
    journal_same(&rows, &back);
    assert_int_equal(ends_count("SELECT count(*) FROM person WHERE case_id = $1", k.c), 0);
    ends_all_sync();
    ends_all_sync();
    assert_string_equal(lost_status().state, "done");
    ends_all_sync();
    assert_int_equal(ends_count("SELECT count(*) FROM person WHERE case_id = $1", k.c), 0);
    assert_false(lost_holds(sam, "person", k.person));
    MUST(hub_verify(ends_hub->hub, &why));
}

/* Without the journal the hub would know nothing of it, and its work would be on it alone. */
static void a_device_that_joined_after_the_backup_goes_on(void **ctx)
{
    struct ends_case k;
    (void)ctx;
    ends_case(&k);
    (void)lost_backup("old");
    struct ends_node *eva = ends_device("police-hq", "police", "Eva");
    (void)ends_sync(eva, ERR_OK);
    (void)ends_write(eva, "person", k.person, "family_name", "Fowler");
    (void)ends_sync(eva, ERR_OK);
    journal_write(false);
    (void)ends_write(eva, "person", k.person, "given_names", "Late"); /* the folder does not have this */
    (void)ends_sync(eva, ERR_OK);
    lost_destroy();
    (void)journal_restored("old");
    ends_all_sync();
    assert_int_equal(lost_status().missing, 1);
    (void)ends_sync(eva, ERR_OK);
    assert_string_equal(lost_status().state, "done");
    ends_all_sync();
    (void)ends_sync(eva, ERR_OK);
    ends_shows(sam, "person", k.person, "family_name", "Fowler");
    ends_shows(sam, "person", k.person, "given_names", "Late");
    ends_same(eva);
    ends_gone(eva);
}

static void what_was_undone_is_in_no_journal(void **ctx)
{
    struct why why = {0};
    (void)ctx;
    journal_write(false);
    int64_t made = journal_state().made;
    assert_int_equal(hub_revoke(ends_hub->hub, (const uint8_t[16]){1}, "nobody", &why), ERR_NOTFOUND);
    journal_noted();
    assert_int_equal(journal_state().made, made);
}

static void a_folder_that_is_gone_stops_nobody_and_goes_on_when_it_is_back(void **ctx)
{
    struct ends_case k;
    struct why why = {0};
    char away[400];
    (void)ctx;
    seed = 14;
    ends_case(&k);
    (void)lost_backup("old");
    work(&k, 5);
    journal_write(false);
    (void)snprintf(away, sizeof away, "%s-away", journal_folder());
    assert_int_equal(rename(journal_folder(), away), 0);
    work(&k, 5);
    assert_int_equal(journal_try_write(&why), ERR_NOTFOUND);
    MUST(hub_redo_fault(ends_hub->hub, why.text, &why));
    work(&k, 5);
    assert_int_equal(journal_try_write(&why), ERR_NOTFOUND);
    assert_true(journal_state().waiting > 5);
    assert_true(journal_state().waiting_since > 0);
    assert_true(strlen(journal_state().fault) > 0);
    assert_int_equal(rename(away, journal_folder()), 0);
    journal_write(false);
    assert_string_equal(journal_state().fault, "");
    struct dump_sum rows = journal_sum();
    lost_destroy();
    (void)journal_restored("old");
    struct dump_sum back = journal_sum();
    journal_same(&rows, &back);
}

static enum err half_written(void *ctx, const char *path, uint64_t offset, struct bytes content, bool sync, struct why *why)
{
    enum err e = env_posix()->append_file(ctx, path, offset, bytes_of(content.p, content.n / 2), sync, why);
    return e == ERR_OK ? why_set(why, ERR_FULL, "There is no room on the disk.") : e;
}

static void a_folder_that_fills_up_in_the_middle_of_a_write_goes_on_in_another_part(void **ctx)
{
    struct ends_case k;
    char words[REDO_FAULT_BYTES], want[400];
    struct why why = {0};
    (void)ctx;
    seed = 17;
    ends_case(&k);
    (void)lost_backup("old");
    for (int i = 0; i < 3; i++) {
        work(&k, 5);
        ends_hub->env.append_file = half_written;
        assert_int_equal(journal_try_write(&why), ERR_FULL);
        assert_int_equal(journal_try_write(&why), ERR_FULL);
        journal_words(ERR_FULL, &why, words); /* for doctor: nothing of files and errors of the system */
        (void)snprintf(want, sizeof want, "The disk of the journal's folder %s is full.", journal_folder());
        assert_string_equal(words, want);
        ends_hub->env.append_file = env_posix()->append_file;
        if (i < 2) journal_write(false);
    }
    struct dump_sum rows = journal_sum();
    journal_write(false);
    lost_destroy();
    (void)journal_restored("old");
    struct dump_sum back = journal_sum();
    journal_same(&rows, &back);
}

static void a_server_that_was_killed_after_a_write_writes_it_again_and_nothing_comes_twice(void **ctx)
{
    struct ends_case k;
    struct why why = {0};
    (void)ctx;
    seed = 15;
    ends_case(&k);
    (void)lost_backup("old");
    for (int i = 0; i < 4; i++) {
        work(&k, 5);
        MUST(journal_try_write(&why)); /* it is in the folder, and the store was not told */
        journal_write(true);
    }
    struct dump_sum rows = journal_sum();
    lost_destroy();
    (void)journal_restored("old");
    struct dump_sum back = journal_sum();
    journal_same(&rows, &back);
}

static void parts_that_two_backups_have_are_removed_and_the_older_of_them_still_goes_with_the_rest(void **ctx)
{
    struct ends_case k;
    struct why why = {0};
    uint64_t size = 0;
    (void)ctx;
    seed = 16;
    ends_case(&k);
    journal_write(false);
    (void)lost_backup("old");
    for (int i = 0; i < 3; i++) {
        work(&k, 5);
        journal_write(true);
    }
    (void)lost_backup("new");
    work(&k, 5);
    journal_write(true);
    assert_int_equal(ends_hub->env.file_size(NULL, journal_part(2), &size, &why), ERR_OK); /* "old" needs it */
    (void)lost_backup("cut");
    work(&k, 5);
    journal_write(true);
    work(&k, 5);
    journal_write(true);
    assert_int_equal(ends_hub->env.file_size(NULL, journal_part(1), &size, &why), ERR_NOTFOUND);
    assert_int_equal(ends_hub->env.file_size(NULL, journal_part(2), &size, &why), ERR_NOTFOUND);
    struct dump_sum rows = journal_sum();
    lost_destroy();
    assert_int_equal(journal_try("old", journal_folder(), false, NULL, &why), ERR_NOTFOUND); /* it begins later */
    (void)journal_restored("new");
    struct dump_sum back = journal_sum();
    journal_same(&rows, &back);
}

/* Between the removal and the word of it to the store. */
static void a_server_that_was_killed_when_it_had_removed_parts_is_followed_by_one_that_goes_on(void **ctx)
{
    struct ends_case k;
    struct why why = {0};
    (void)ctx;
    seed = 18;
    ends_case(&k);
    (void)lost_backup("old");
    work(&k, 5);
    journal_write(true);
    (void)lost_backup("new");
    (void)lost_backup("cut"); /* both have all that is in the folder */
    work(&k, 5);
    for (int i = 0; i < 3; i++) {
        MUST(journal_try_new(&why)); /* written, removed what is not needed, and never heard of again */
        work(&k, 2);
    }
    journal_write(true);
    struct dump_sum rows = journal_sum();
    lost_destroy();
    (void)journal_restored("cut");
    struct dump_sum back = journal_sum();
    journal_same(&rows, &back);
}

/* Nobody starts the server anew for it. */
static void what_was_erased_is_out_of_the_folder_after_two_backups(void **ctx)
{
    struct ends_case k;
    struct why why = {0};
    uint64_t size = 0;
    (void)ctx;
    ends_case(&k);
    journal_write(false); /* what it says is in the folder, sealed */
    assert_int_equal(ends_hub->env.file_size(NULL, journal_part(1), &size, &why), ERR_OK);
    ends_begin(ann);
    ends_set(ann, "case_file", k.c, "status", value_str("closed"));
    (void)ends_commit(ann);
    ends_all_sync();
    MUST(hub_erase(ends_hub->hub, k.c, true, "its time had passed", &why));
    (void)lost_backup("old");
    journal_write(false);
    (void)lost_backup("new");
    journal_write(false);
    assert_int_equal(ends_hub->env.file_size(NULL, journal_part(1), &size, &why), ERR_NOTFOUND);
    struct dump_sum rows = journal_sum();
    lost_destroy();
    (void)journal_restored("old");
    struct dump_sum back = journal_sum();
    journal_same(&rows, &back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_hub_comes_back_row_for_row_from_an_old_backup_and_its_journal, journal_start,
                                        journal_stop),
        cmocka_unit_test_setup_teardown(what_the_journal_did_not_have_yet_comes_from_the_devices, journal_start,
                                        journal_stop),
        cmocka_unit_test_setup_teardown(what_administrators_did_since_the_backup_need_not_be_done_again, journal_start,
                                        journal_stop),
        cmocka_unit_test_setup_teardown(a_share_that_was_withdrawn_and_journalled_stays_withdrawn_before_its_device_comes,
                                        journal_start, journal_stop),
        cmocka_unit_test_setup_teardown(a_case_that_was_erased_since_the_backup_does_not_come_back, journal_start,
                                        journal_stop),
        cmocka_unit_test_setup_teardown(a_device_that_joined_after_the_backup_goes_on, journal_start, journal_stop),
        cmocka_unit_test_setup_teardown(what_was_undone_is_in_no_journal, journal_start, journal_stop),
        cmocka_unit_test_setup_teardown(a_folder_that_is_gone_stops_nobody_and_goes_on_when_it_is_back, journal_start,
                                        journal_stop),
        cmocka_unit_test_setup_teardown(a_folder_that_fills_up_in_the_middle_of_a_write_goes_on_in_another_part,
                                        journal_start, journal_stop),
        cmocka_unit_test_setup_teardown(a_server_that_was_killed_after_a_write_writes_it_again_and_nothing_comes_twice,
                                        journal_start, journal_stop),
        cmocka_unit_test_setup_teardown(a_server_that_was_killed_when_it_had_removed_parts_is_followed_by_one_that_goes_on,
                                        journal_start, journal_stop),
        cmocka_unit_test_setup_teardown(what_was_erased_is_out_of_the_folder_after_two_backups, journal_start, journal_stop),
        cmocka_unit_test_setup_teardown(parts_that_two_backups_have_are_removed_and_the_older_of_them_still_goes_with_the_rest,
                                        journal_start, journal_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
