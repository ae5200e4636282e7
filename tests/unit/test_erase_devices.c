/* Erased cases, at real devices, in the logs, and after a restore: they are forgotten there too and do not come
 * back. */
#include "hub/retention.h"
#include "tests/lib/disaster_world.h"
#include "tests/lib/ends_ask.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void must_line(enum err e, const struct why *why, const char *what, int line)
{
    if (e != ERR_OK) fail_msg("%s (line %d): %s: %s", what, line, err_word(e), why->text);
}
#define MUST(call) must_line(call, &why, #call, __LINE__)

static void all_holds(void)
{
    struct why why = {0};
    struct log_audit_sum sum;
    MUST(hub_verify(ends_hub->hub, &why));
    MUST(hub_log_verify(ends_hub->hub, &sum, &why));
}

static void closes(const uint8_t c[16])
{
    ends_begin(ann);
    ends_set(ann, "case_file", c, "status", value_str("closed"));
    (void)ends_commit(ann);
    assert_int_equal(ends_sync(ann, ERR_OK).applied, 1);
}

static void erases(const uint8_t c[16])
{
    struct why why = {0};
    MUST(hub_erase(ends_hub->hub, c, false, "its time had passed", &why));
}

static int64_t count(const char *sql)
{
    return fake_hub_int(ends_hub, sql);
}

static struct outbox_item last;
static char last_state[32], last_reason[400];

static enum err keep_last(void *ctx, const struct outbox_item *i, struct why *why)
{
    (void)ctx, (void)why;
    last = *i;
    (void)snprintf(last_state, sizeof last_state, "%s", i->state);
    (void)snprintf(last_reason, sizeof last_reason, "%s", i->reason != NULL ? i->reason : "");
    return ERR_OK;
}

static void every_device_forgets_it_and_says_so(void **state)
{
    struct ends_node *const all[] = {ann, ada, pol, pat, sam};
    struct why why = {0};
    struct ends_case k;
    struct retention_state s;
    (void)state;
    ends_case(&k);
    closes(k.c);
    ends_all_sync();
    erases(k.c);
    MUST(hub_retention_state(ends_hub->hub, &s, &why));
    assert_int_equal(s.erased, 1);
    assert_int_equal(s.unconfirmed, 1);
    ends_all_sync();
    ends_all_sync(); /* receipts */
    for (size_t i = 0; i < 5; i++) {
        struct verify_result v;
        assert_false(lost_holds(all[i], "case_file", k.c) || lost_holds(all[i], "person", k.person));
        MUST(node_verify(all[i]->n, &v, &why));
        ends_same(all[i]);
    }
    MUST(hub_retention_state(ends_hub->hub, &s, &why));
    assert_int_equal(s.unconfirmed, 0);
    all_holds();
}

/* A device that was off all the while: its author is told, and has his words. */
static void who_wrote_too_late_is_told_and_keeps_his_own_words(void **state)
{
    struct why why = {0};
    struct ends_case k;
    struct verify_result v;
    (void)state;
    ends_case(&k);
    uint64_t seq = ends_write(sam, "person", k.person, "given_names", "what Sam knew");
    closes(k.c);
    erases(k.c);
    (void)ends_sync(sam, ERR_OK);
    assert_false(lost_holds(sam, "person", k.person));
    MUST(node_outbox(sam->n, keep_last, NULL, &why));
    assert_int_equal(last.seq, seq);
    assert_string_equal(last_state, "dismissed");
    assert_non_null(strstr(last_reason, "erased"));
    (void)ends_sync(sam, ERR_OK);
    MUST(node_verify(sam->n, &v, &why));
    ends_same(sam);
    uint8_t id[16];
    struct ends_case other;
    ends_case(&other); /* and goes on working */
    ends_begin(sam);
    ends_person(sam, other.c, id, "Next");
    (void)ends_commit(sam);
    assert_int_equal(ends_sync(sam, ERR_OK).applied, 1);
    all_holds();
}

/* Who looked at its records, and what was said when its glass was broken, go; that there was something stays proved. */
static void looks_and_words_about_it_go_and_the_logs_still_hold(void **state)
{
    struct why why = {0};
    uint8_t c[16], note[16];
    char text[200];
    struct node_question q = ends_question(QUESTION_EMERGENCY, NULL, NULL);
    (void)state;
    env_new_id(&ends_hub->env, c);
    ends_begin(ann);
    struct row file = ends_row(ann, "case_file", c, c);
    ends_text(&file, "reference", "C-ERASE001");
    ends_text(&file, "area", "north");
    ends_text(&file, "lead_agency", "care");
    ends_put(ann, &file);
    (void)ends_commit(ann);
    ends_note(ann, c, note, "sensitive", "what only the room may read");
    (void)ends_sync(ann, ERR_OK);
    (void)ends_sync(ada, ERR_OK);
    MUST(node_note_view(ada->n, rules_table_index(bytes_of_str("record")), note, &why));
    (void)ends_sync(ada, ERR_OK);
    assert_int_equal(count("SELECT count(*) FROM h_view"), 1);
    MUST(hub_set_emergency(ends_hub->hub, 6, &why));
    MUST(hub_add_duty(ends_hub->hub, sam->user, "north", "manager", &why));
    (void)snprintf(text, sizeof text, "C-ERASE001\nThe child Jo Needle is at the door");
    q.text = text;
    struct ends_reply r = ends_ask(sam, &q);
    ends_reply_release(&r);
    assert_int_equal(count("SELECT count(*) FROM h_act WHERE reason LIKE '%Needle%'"), 1);
    assert_int_equal(count("SELECT count(*) FROM feedback WHERE body LIKE '%Needle%'"), 1);
    (void)ends_sync(ann, ERR_OK);
    /* where no case was erased, nobody's words may be gone */
    MUST(db_exec(hub_db(ends_hub->hub),
                 "CREATE TABLE t_act AS SELECT no, about, reason FROM h_act WHERE act = 'emergency'; CREATE TABLE t_salt AS SELECT * FROM"
                 " h_act_salt WHERE act_no IN (SELECT no FROM t_act); DELETE FROM h_act_salt WHERE act_no IN (SELECT no FROM t_act);"
                 " UPDATE h_act SET about = NULL, reason = NULL WHERE act = 'emergency'",
                 &why));
    struct log_audit_sum sum;
    assert_int_equal(hub_log_verify(ends_hub->hub, &sum, NULL), ERR_TAMPERED);
    MUST(db_exec(hub_db(ends_hub->hub),
                 "UPDATE h_act SET about = (SELECT t.about FROM t_act t WHERE t.no = h_act.no), reason = (SELECT t.reason FROM t_act t"
                 " WHERE t.no = h_act.no) WHERE act = 'emergency'; INSERT INTO h_act_salt SELECT * FROM t_salt; DROP TABLE t_act;"
                 " DROP TABLE t_salt",
                 &why));
    uint8_t other[16]; /* that somebody gave the same reference: nobody knows whose words they are */
    env_new_id(&ends_hub->env, other);
    ends_begin(ann);
    file = ends_row(ann, "case_file", other, other);
    ends_text(&file, "reference", "C-ERASE001");
    ends_text(&file, "area", "north");
    ends_text(&file, "lead_agency", "care");
    ends_put(ann, &file);
    (void)ends_commit(ann);
    (void)ends_sync(ann, ERR_OK);
    closes(other);
    erases(other);
    assert_int_equal(count("SELECT count(*) FROM h_act WHERE reason LIKE '%Needle%'"), 1);
    closes(c);
    int64_t acts = count("SELECT count(*) FROM h_act");
    erases(c);
    assert_int_equal(count("SELECT count(*) FROM h_view"), 0);
    assert_int_equal(count("SELECT count(*) FROM h_leaf WHERE content IS NULL AND salt IS NULL"), 1);
    assert_int_equal(count("SELECT count(*) FROM h_act WHERE reason LIKE '%Needle%'"), 0);
    assert_int_equal(count("SELECT count(*) FROM h_act"), acts + 1);
    all_holds();
    MUST(hub_set_emergency(ends_hub->hub, 0, &why));
    /* An act whose words were taken away otherwise is found. */
    MUST(db_exec(hub_db(ends_hub->hub), "UPDATE h_act SET reason = NULL WHERE act = 'erase'", &why));
    assert_int_equal(hub_log_verify(ends_hub->hub, &sum, NULL), ERR_TAMPERED);
}

/* The backup has the case. Where the erasure is known it is erased again before anybody is heard, and what devices
 * return of it is not taken; a device that slept through everything is told to forget it. */
static void a_restore_from_an_older_backup_erases_again(void **state)
{
    struct why why = {0};
    struct ends_case k, other;
    uint8_t id[16];
    (void)state;
    ends_case(&k);
    ends_case(&other);
    (void)lost_backup("old");
    ends_begin(pol);
    ends_person(pol, k.c, id, "Afterbackup"); /* its content lies sealed at the device */
    (void)ends_commit(pol);
    assert_int_equal(ends_sync(pol, ERR_OK).applied, 1);
    (void)ends_sync(sam, ERR_OK); /* and sleeps from here on */
    assert_true(lost_holds(sam, "person", id));
    closes(k.c);
    erases(k.c);
    (void)ends_sync(pol, ERR_OK);
    lost_destroy();
    lost_restored("old");
    assert_int_equal(count("SELECT count(*) FROM h_erased"), 0);
    assert_true(ends_count("SELECT count(*) FROM person WHERE case_id = $1", k.c) > 0);
    assert_int_equal(hub_erase(ends_hub->hub, k.c, true, "again", &why), ERR_DENIED); /* it is open in the backup */
    MUST(hub_erase_again(ends_hub->hub, bytes_of(k.c, 16), "erased before the disaster", NULL, &why));
    MUST(hub_erase_again(ends_hub->hub, bytes_of(k.c, 16), "erased before the disaster", NULL, &why)); /* as often as one likes */
    assert_int_equal(ends_count("SELECT count(*) FROM person WHERE case_id = $1", k.c), 0);
    ends_all_sync();
    assert_string_equal(lost_status().state, "done");
    ends_all_sync();
    ends_all_sync();
    struct ends_node *const all[] = {ann, ada, pol, pat, sam};
    for (size_t i = 0; i < 5; i++) {
        assert_false(lost_holds(all[i], "case_file", k.c) || lost_holds(all[i], "person", k.person) || lost_holds(all[i], "person", id));
        assert_true(lost_holds(all[i], "case_file", other.c));
        ends_same(all[i]);
    }
    assert_int_equal(hub_erase_again(ends_hub->hub, bytes_of(other.c, 16), "not in an open hub", NULL, &why), ERR_DENIED);
    assert_int_equal(ends_count("SELECT count(*) FROM person WHERE case_id = $1", k.c), 0);
    assert_int_equal(ends_count("SELECT count(*) FROM case_file WHERE id = $1", k.c), 0);
    all_holds();
}

/* Made, worked on and erased after the backup: it never was in it, and does not come in with what devices return. */
static void a_case_that_the_backup_never_had_does_not_come_in(void **state)
{
    struct why why = {0};
    struct ends_case k;
    (void)state;
    (void)lost_backup("old");
    ends_case(&k);
    closes(k.c);
    ends_all_sync();
    erases(k.c);
    lost_destroy();
    lost_restored("old");
    MUST(hub_erase_again(ends_hub->hub, bytes_of(k.c, 16), "erased before the disaster", NULL, &why));
    ends_all_sync();
    ends_all_sync();
    ends_all_sync();
    struct ends_node *const all[] = {ann, ada, pol, pat, sam};
    for (size_t i = 0; i < 5; i++) assert_false(lost_holds(all[i], "case_file", k.c) || lost_holds(all[i], "person", k.person));
    assert_int_equal(ends_count("SELECT count(*) FROM case_file WHERE id = $1", k.c), 0);
    assert_int_equal(lost_status().strange, 0);
    all_holds();
}

/* Some are in the backup, one is not, one is named twice: all of them, in one go; or none. */
static void all_that_a_restored_hub_must_erase_again_it_erases_at_once(void **state)
{
    struct why why = {0};
    struct ends_case k[3], other;
    struct buf ids;
    uint64_t n = 0;
    (void)state;
    buf_init(&ids, 1u << 20);
    ends_case(&k[0]);
    ends_case(&k[1]);
    ends_case(&other);
    (void)lost_backup("old");
    ends_case(&k[2]);
    for (size_t i = 0; i < 3; i++) {
        closes(k[i].c);
        erases(k[i].c);
        buf_put(&ids, k[i].c, 16);
    }
    ends_all_sync();
    buf_put(&ids, k[0].c, 16);
    lost_destroy();
    lost_restored("old");
    assert_int_equal(hub_erase_again(ends_hub->hub, buf_bytes(&ids), "", &n, &why), ERR_USAGE);
    assert_int_equal(hub_erase_again(ends_hub->hub, bytes_of(ids.data, 24), "half an id", &n, &why), ERR_USAGE);
    assert_int_equal(hub_erase_again(ends_hub->hub, bytes_of(ids.data, 0), "none", &n, &why), ERR_USAGE);
    assert_int_equal(count("SELECT count(*) FROM h_erased"), 0);
    MUST(hub_erase_again(ends_hub->hub, buf_bytes(&ids), "erased before the disaster", &n, &why));
    assert_int_equal(n, 3);
    MUST(hub_erase_again(ends_hub->hub, buf_bytes(&ids), "erased before the disaster", &n, &why));
    assert_int_equal(n, 0);
    for (int i = 0; i < 3; i++) ends_all_sync();
    struct ends_node *const all[] = {ann, ada, pol, pat, sam};
    for (size_t i = 0; i < 5; i++) {
        for (size_t j = 0; j < 3; j++) assert_false(lost_holds(all[i], "case_file", k[j].c) || lost_holds(all[i], "person", k[j].person));
        assert_true(lost_holds(all[i], "case_file", other.c));
        ends_same(all[i]);
    }
    assert_int_equal(count("SELECT count(*) FROM h_act WHERE act = 'erase again'"), 3);
    buf_release(&ids);
    all_holds();
}

/* It was opened again after the backup, on a device that the hub does not wait for any longer: its time goes on, but
 * nothing is erased before that one has come, or was cut off. */
static void a_hub_that_waits_for_devices_erases_nothing_by_time(void **state)
{
    const int64_t day = 24LL * 60 * 60 * 1000;
    struct why why = {0};
    struct ends_case k;
    bool done;
    (void)state;
    MUST(hub_retention_set(ends_hub->hub, &(struct retention_days){0, 0, 60}, "schedule", &why));
    ends_case(&k);
    closes(k.c);
    ends_hub->now += 31 * day;
    fake_hub_reopen(ends_hub); /* one that was off is believed at once */
    for (done = false; !done;) MUST(hub_retention_continue(ends_hub->hub, 10, NULL, &done, &why));
    assert_int_equal(count("SELECT count(*) FROM h_retention WHERE told_at IS NOT NULL"), 1);
    ends_all_sync();
    (void)lost_backup("old");
    ends_begin(ann);
    ends_set(ann, "case_file", k.c, "status", value_str("gathering"));
    (void)ends_commit(ann);
    assert_int_equal(ends_sync(ann, ERR_OK).applied, 1);
    lost_destroy();
    lost_restored("old");
    MUST(hub_restore_release(ends_hub->hub, "the others cannot be reached", &why));
    for (int i = 0; i < 8; i++) {
        ends_hub->now += 5 * day;
        fake_hub_reopen(ends_hub);
        (void)ends_sync(pol, ERR_OK);
        for (done = false; !done;) MUST(hub_retention_continue(ends_hub->hub, 10, NULL, &done, &why));
    }
    assert_string_equal(lost_status().state, "open");
    assert_int_equal(count("SELECT count(*) FROM h_erased"), 0);
    assert_int_equal(hub_erase(ends_hub->hub, k.c, false, "asked for", &why), ERR_DENIED);
    ends_all_sync();
    ends_all_sync();
    assert_string_equal(lost_status().state, "done");
    assert_int_equal(ends_count("SELECT count(*) FROM case_file WHERE id = $1 AND status = 'gathering'", k.c), 1);
    all_holds();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_device_forgets_it_and_says_so, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(who_wrote_too_late_is_told_and_keeps_his_own_words, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(looks_and_words_about_it_go_and_the_logs_still_hold, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(a_restore_from_an_older_backup_erases_again, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(all_that_a_restored_hub_must_erase_again_it_erases_at_once, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(a_case_that_the_backup_never_had_does_not_come_in, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(a_hub_that_waits_for_devices_erases_nothing_by_time, lost_start, lost_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
