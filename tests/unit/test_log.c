/* The transparency logs: what happened is in them, and what was in them once stays as it was, or it shows. */
#include "tests/lib/log_world.h"
#include "tests/lib/test_store.h"

#include "crypto/note.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LEAVES_OF "(SELECT count(*) FROM h_leaf l JOIN h_node n ON n.no = l.log_no JOIN h_site s ON s.no = n.site_no WHERE s.code = "

/* A device of social care shares a case with the police and takes it back; the police confirm that it is gone. */
static void a_case_comes_and_goes(struct fake_node *care, struct fake_node *police)
{
    static const char *const members[] = {"police:contribute", NULL};
    uint8_t case_id[16], person[16];
    fake_case(care, case_id, "care", members);
    struct fake_edit e;
    fake_edit_start(&e);
    struct op op = fake_person(care, person, case_id, "Moss");
    fake_put(&e, &op);
    assert_int_equal(fake_send(care, &e)->verdict, VERDICT_APPLIED);
    fake_node_pull(police);
    assert_true(fake_node_got(police, "person", person));
}

static void what_happens_is_in_the_logs_and_they_hold_together(void **state)
{
    struct fake_node care = {0}, police = {0};
    struct log_audit_sum sum;
    struct buf text;
    (void)state;
    fake_node_enrol(&care, log_hub, "care-mash", "care", "Ann");
    fake_node_enrol(&police, log_hub, "police-hq", "police", "Pat");
    a_case_comes_and_goes(&care, &police);
    log_verifies();
    log_export(&text);
    log_holds(buf_bytes(&text), bytes_of("", 0), &sum);
    assert_int_equal(sum.logs, 3);
    assert_memory_equal(sum.hub.kid, hub_identity(log_hub->hub)->kid, 16);
    /* Enrolled, two changes and a verdict on each at least; and enrolled, a page. */
    assert_true(fake_hub_int(log_hub, "SELECT " LEAVES_OF "'care-mash')") >= 5);
    assert_true(fake_hub_int(log_hub, "SELECT " LEAVES_OF "'police-hq')") >= 2);
    buf_release(&text);
    fake_node_release(&care);
    fake_node_release(&police);
}

/* Its size would tell of what others do. */
static void the_log_of_a_device_does_not_grow_by_what_others_do(void **state)
{
    static const char *const nobody[] = {NULL};
    struct fake_node care = {0}, school = {0};
    uint8_t case_id[16];
    (void)state;
    fake_node_enrol(&care, log_hub, "care-mash", "care", "Ann");
    fake_node_enrol(&school, log_hub, "school-1", "school", "Sue");
    fake_node_pull(&school);
    int64_t before = fake_hub_int(log_hub, "SELECT " LEAVES_OF "'school-1')");
    for (int i = 0; i < 5; i++) fake_case(&care, case_id, "care", nobody);
    fake_node_round(&school);
    assert_int_equal(fake_hub_int(log_hub, "SELECT " LEAVES_OF "'school-1')"), before);
    log_verifies();
    fake_node_release(&care);
    fake_node_release(&school);
}

/* ------------------------------------------------------------------------------------------------------ tampering */

static void must_be_found(struct buf *forged, const char *what, size_t at)
{
    struct why why = {0};
    enum err e = log_audit(buf_bytes(forged), bytes_of("", 0), NULL, &why);
    if (e != ERR_TAMPERED && e != ERR_FORMAT) fail_msg("%s of line %zu was not found: %d", what, at, (int)e);
    forged->len = 0;
}

static void an_entry_that_was_edited_left_out_put_in_or_moved_is_found(void **state)
{
    static struct line l[2000];
    struct fake_node care = {0};
    struct buf text, forged;
    (void)state;
    fake_node_enrol(&care, log_hub, "care-mash", "care", "Ann");
    log_acts(100);
    log_export(&text);
    size_t n = log_lines_of(buf_bytes(&text), l, 2000);
    assert_true(n > 100 && n < 2000);
    buf_init(&forged, 64u << 20);
    for (size_t i = 0; i < n; i++) {
        log_put_lines(&forged, l, 0, i);
        log_put_lines(&forged, l, i + 1, n);
        must_be_found(&forged, "removal", i);
        log_put_lines(&forged, l, 0, i + 1);
        log_put_lines(&forged, l, i, n);
        must_be_found(&forged, "doubling", i);
        if (i + 1 < n) {
            log_put_lines(&forged, l, 0, i);
            log_put_lines(&forged, l, i + 1, i + 2);
            log_put_lines(&forged, l, i, i + 1);
            log_put_lines(&forged, l, i + 2, n);
            must_be_found(&forged, "exchange", i);
        }
        log_put_lines(&forged, l, 0, i);
        must_be_found(&forged, "an early end before", i);
        log_put_lines(&forged, l, 0, n);
        size_t at = (size_t)(l[i].text.p - text.data) + (i * 7) % (l[i].text.n - 1);
        /* Anywhere but in the hub's name, which no signature is over: it is for people. */
        if (i != 1) {
            forged.data[at] = forged.data[at] == 'A' ? 'B' : 'A';
            must_be_found(&forged, "an edit", i);
        }
        forged.len = 0;
    }
    buf_release(&forged);
    buf_release(&text);
    fake_node_release(&care);
}

/* Who has the disk and the passphrase can change the store, and then the logs do not fit it, or themselves. */
static void a_store_that_was_changed_beside_its_logs_is_found(void **state)
{
    static const char *const changes[] = {
        "UPDATE h_act SET act = 'nothing' WHERE no = (SELECT max(no) FROM h_act)",
        "DELETE FROM h_act WHERE no = (SELECT min(no) FROM h_act)",
        "INSERT INTO h_act(at, act) VALUES (1, 'said to have been done')",
        "UPDATE h_act SET reason = 'another' WHERE no = (SELECT max(no) FROM h_act)",
        "UPDATE h_act SET about = 'another' WHERE no = (SELECT max(no) FROM h_act)",
        "UPDATE h_act SET at = 1 WHERE no = (SELECT max(no) FROM h_act)",
        "UPDATE h_policy SET text = text || ' '",
        "UPDATE h_envelope SET verdict = 2 WHERE seq = 1",
        "UPDATE h_tree SET hash = zeroblob(32) WHERE log_no = 0 AND level = 1 AND n = 0",
        "UPDATE h_envelope SET hash = zeroblob(32) WHERE seq = 1",
        "DELETE FROM h_envelope WHERE seq = 1",
        "UPDATE h_leaf SET content = CAST(content || x'00' AS BLOB) WHERE n = 3 AND log_no = 0",
        "UPDATE h_leaf SET commitment = zeroblob(32), salt = NULL, content = NULL WHERE n = 3 AND log_no = 0",
        "DELETE FROM h_leaf WHERE n = 2 AND log_no = 0",
        "UPDATE h_log SET size = size + 1 WHERE no = 0",
        "UPDATE h_leaf SET log_no = 0, n = 1000000 WHERE log_no = 1 AND n = 0",
        "DELETE FROM h_leaf WHERE log_no = 1",
        "DELETE FROM h_log WHERE no = 1",
    };
    static const char *const nobody[] = {NULL};
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        struct fake_node care = {0};
        struct log_audit_sum sum;
        struct why why = {0};
        uint8_t case_id[16];
        if (i > 0) (void)log_start(state);
        fake_node_enrol(&care, log_hub, "care-mash", "care", "Ann");
        log_acts(6);
        fake_case(&care, case_id, "care", nobody);
        log_verifies();
        log_sql(changes[i]);
        enum err e = hub_log_verify(log_hub->hub, &sum, &why);
        if (e != ERR_TAMPERED) fail_msg("%s: %d %s", changes[i], (int)e, why.text);
        fake_node_release(&care);
        if (i + 1 < sizeof changes / sizeof changes[0]) (void)log_stop(state);
    }
}

static void what_was_erased_leaves_the_log_as_it_was(void **state)
{
    static const char *const nobody[] = {NULL};
    struct fake_node care = {0};
    struct log_audit_sum sum;
    struct buf before, after, text, proof;
    uint8_t case_id[16];
    (void)state;
    fake_node_enrol(&care, log_hub, "care-mash", "care", "Ann");
    fake_case(&care, case_id, "care", nobody);
    log_checkpoint(care.id.pub.kid, &before);
    log_sql("UPDATE h_leaf SET salt = NULL, content = NULL WHERE n = 1 AND log_no = 1");
    log_checkpoint(care.id.pub.kid, &after);
    assert_memory_equal(before.data, after.data, before.len);
    log_export(&text);
    log_holds(buf_bytes(&text), buf_bytes(&before), &sum);
    assert_int_equal(sum.erased, 1);
    assert_int_equal(sum.kept, 1);
    log_verifies();
    buf_init(&proof, 1u << 20);
    assert_int_equal(hub_log_proof(log_hub->hub, care.id.pub.kid, 1, &proof, NULL), ERR_OK);
    log_holds(buf_bytes(&proof), buf_bytes(&before), &sum);
    assert_true(sum.proof && sum.index == 1 && sum.kept == 1 && sum.kind == 0);
    buf_release(&proof);
    buf_release(&text);
    buf_release(&after);
    buf_release(&before);
    fake_node_release(&care);
}

/* With the heads of a device blank, the end of its log could be cut off, or all of it left out. */
static void nothing_can_be_erased_in_the_log_that_knows_the_others(void **state)
{
    static struct line l[500];
    struct fake_node care = {0};
    struct buf text, forged;
    (void)state;
    fake_node_enrol(&care, log_hub, "care-mash", "care", "Ann");
    log_export(&text);
    size_t n = log_lines_of(buf_bytes(&text), l, 500), at = 4;
    assert_true(n > 6 && memcmp(l[at].text.p, "leaf ", 5) == 0);
    buf_init(&forged, 1u << 20);
    log_put_lines(&forged, l, 0, at);
    buf_put(&forged, l[at].text.p, 5 + 44);
    buf_put_str(&forged, " - -\n");
    log_put_lines(&forged, l, at + 1, n);
    must_be_found(&forged, "an erased entry of the hub's own log", at);
    buf_release(&forged);
    buf_release(&text);
    fake_node_release(&care);
}

static const char *leaves_with(const char *word)
{
    static char sql[160];
    (void)snprintf(sql, sizeof sql,
                   test_store_sql("SELECT count(*) FROM h_leaf WHERE instr(content, CAST('%s' AS BLOB)) > 0",
                                  "SELECT count(*) FROM h_leaf WHERE position('%s'::bytea IN content) > 0"),
                   word);
    return sql;
}

/* Reasons are people's own words, and may be about anybody. */
static void no_words_of_people_are_in_an_export(void **state)
{
    struct fake_node care = {0};
    struct buf text;
    (void)state;
    fake_node_enrol(&care, log_hub, "care-mash", "care", "Ann");
    assert_int_equal(hub_revoke(log_hub->hub, care.id.pub.kid, "Little Jimmy Example was seen with it", NULL), ERR_OK);
    assert_int_equal(fake_hub_int(log_hub, "SELECT count(*) FROM h_act WHERE reason LIKE '%Jimmy%'"), 1);
    assert_int_equal(fake_hub_int(log_hub, leaves_with("Jimmy")), 0);
    assert_true(fake_hub_int(log_hub, leaves_with("revoke")) > 0);
    log_export(&text);
    log_holds(buf_bytes(&text), bytes_of("", 0), NULL);
    buf_release(&text);
    log_verifies();
    fake_node_release(&care);
}

/* Its fingerprint is what people compare; a name that steers the terminal could hide it. */
static void a_name_that_steers_a_terminal_is_refused(void **state)
{
    static struct line l[500];
    struct buf text, forged;
    (void)state;
    log_export(&text);
    size_t n = log_lines_of(buf_bytes(&text), l, 500);
    buf_init(&forged, 1u << 20);
    log_put_lines(&forged, l, 0, 1);
    buf_put(&forged, l[1].text.p, l[1].text.n - 1);
    buf_put_str(&forged, "\x1b[8m\n");
    log_put_lines(&forged, l, 2, n);
    must_be_found(&forged, "a name with an escape", 1);
    buf_release(&forged);
    buf_release(&text);
    assert_int_equal(hub_init(&log_hub->env, log_hub->dir, "North\nMASH", bytes_of_str("correct horse battery"), NULL), ERR_USAGE);
}

/* A hub that an earlier program made. */
static void a_hub_of_before_begins_its_logs_when_it_is_opened(void **state)
{
    if (test_store_file_only("no hub of before is on PostgreSQL")) skip();
    static const char *const nobody[] = {NULL};
    struct fake_node care = {0};
    uint8_t case_id[16];
    (void)state;
    fake_node_enrol(&care, log_hub, "care-mash", "care", "Ann");
    fake_case(&care, case_id, "care", nobody);
    log_acts(3);
    log_sql("DROP TABLE h_log; DROP TABLE h_leaf; DROP TABLE h_tree; DROP TABLE h_log_from; DROP TABLE h_act_salt;");
    fake_hub_reopen(log_hub);
    log_acts(2);
    fake_case(&care, case_id, "care", nobody);
    log_verifies();
    log_sql("DELETE FROM h_act WHERE no = 1");
    struct log_audit_sum sum;
    assert_int_equal(hub_log_verify(log_hub->hub, &sum, NULL), ERR_TAMPERED);
    fake_node_release(&care);
}

/* ---------------------------------------------------------------------------------------------- checkpoints, proofs */

static void a_log_that_was_written_anew_does_not_fit_a_checkpoint_that_was_kept(void **state)
{
    if (test_store_file_only("it puts an old file back")) skip();
    char path[80], command[600];
    struct buf old, later, text;
    struct why why = {0};
    (void)state;
    log_acts(3);
    log_checkpoint(NULL, &old);
    hub_close(log_hub->hub);
    log_hub->hub = NULL;
    (void)snprintf(path, sizeof path, "%s/hub.db", log_hub->dir);
    (void)snprintf(command, sizeof command, "cp %s %s.kept && cp -f %s-wal %s.kept-wal 2>/dev/null; true", path, path, path, path);
    assert_int_equal(system(command), 0);
    fake_hub_reopen(log_hub);
    assert_int_equal(hub_set_emergency(log_hub->hub, 12, NULL), ERR_OK);
    log_checkpoint(NULL, &later);
    log_export(&text);
    log_holds(buf_bytes(&text), buf_bytes(&old), NULL);
    log_holds(buf_bytes(&text), buf_bytes(&later), NULL);
    buf_release(&text);
    hub_close(log_hub->hub);
    log_hub->hub = NULL;
    (void)snprintf(command, sizeof command, "rm -f %s-wal; mv %s.kept %s; mv %s.kept-wal %s-wal 2>/dev/null; true", path, path, path, path, path);
    assert_int_equal(system(command), 0);
    fake_hub_reopen(log_hub);
    log_export(&text); /* shorter than what was kept */
    assert_int_equal(log_audit(buf_bytes(&text), buf_bytes(&later), NULL, &why), ERR_TAMPERED);
    buf_release(&text);
    assert_int_equal(hub_set_emergency(log_hub->hub, 48, NULL), ERR_OK); /* as long, and with another end */
    log_export(&text);
    log_holds(buf_bytes(&text), buf_bytes(&old), NULL);
    assert_int_equal(log_audit(buf_bytes(&text), buf_bytes(&later), NULL, &why), ERR_TAMPERED);
    buf_release(&text);
    buf_release(&later);
    buf_release(&old);
}

static void a_checkpoint_of_another_hub_is_none_of_these_logs(void **state)
{
    struct fake_hub *other = calloc(1, sizeof *other);
    struct buf note, text;
    struct why why = {0};
    (void)state;
    fake_hub_start(other);
    log_acts(2);
    buf_init(&note, NOTE_MAX);
    assert_int_equal(hub_set_emergency(other->hub, 24, NULL), ERR_OK);
    assert_int_equal(hub_log_checkpoint(other->hub, NULL, &note, &why), ERR_OK);
    log_export(&text);
    assert_int_equal(log_audit(buf_bytes(&text), buf_bytes(&note), NULL, &why), ERR_TAMPERED);
    assert_int_equal(log_audit(buf_bytes(&text), bytes_of_str("no checkpoint\n\nat all\n"), NULL, &why), ERR_FORMAT);
    buf_release(&text);
    buf_release(&note);
    fake_hub_stop(other);
    free(other);
}

static void every_entry_is_proved_and_no_forged_proof_is_taken(void **state)
{
    struct fake_node care = {0};
    struct log_audit_sum sum;
    struct buf proof;
    struct why why = {0};
    (void)state;
    fake_node_enrol(&care, log_hub, "care-mash", "care", "Ann");
    log_acts(20);
    buf_init(&proof, 1u << 20);
    int64_t size = fake_hub_int(log_hub, "SELECT size FROM h_log WHERE no = 0");
    for (int64_t i = 0; i < size; i++) {
        proof.len = 0;
        assert_int_equal(hub_log_proof(log_hub->hub, NULL, (uint64_t)i, &proof, &why), ERR_OK);
        log_holds(buf_bytes(&proof), bytes_of("", 0), &sum);
        assert_int_equal(sum.size, size);
    }
    const char *name = memmem(proof.data, proof.len, "Test MASH", 9);
    for (size_t at = 0; at < proof.len; at++) {
        if (name != NULL && (const char *)proof.data + at >= name && (const char *)proof.data + at < name + 9) continue;
        uint8_t was = proof.data[at];
        proof.data[at] = was == 'x' ? 'y' : 'x';
        if (log_audit(buf_bytes(&proof), bytes_of("", 0), NULL, &why) == ERR_OK) fail_msg("byte %zu", at);
        proof.data[at] = was;
    }
    assert_int_equal(hub_log_proof(log_hub->hub, NULL, (uint64_t)size, &proof, &why), ERR_NOTFOUND);
    proof.len = 0;
    assert_int_equal(hub_log_proof(log_hub->hub, care.id.pub.kid, 0, &proof, &why), ERR_OK);
    log_holds(buf_bytes(&proof), bytes_of("", 0), &sum);
    assert_int_equal(hub_log_proof(log_hub->hub, hub_identity(log_hub->hub)->kid, 0, &proof, &why), ERR_NOTFOUND);
    buf_release(&proof);
    fake_node_release(&care);
}

static void a_hub_that_is_opened_again_goes_on_with_its_logs(void **state)
{
    struct buf old, text;
    (void)state;
    log_acts(5);
    log_checkpoint(NULL, &old);
    fake_hub_reopen(log_hub);
    log_acts(5);
    log_verifies();
    log_export(&text);
    log_holds(buf_bytes(&text), buf_bytes(&old), NULL);
    buf_release(&text);
    buf_release(&old);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_happens_is_in_the_logs_and_they_hold_together, log_start, log_stop),
        cmocka_unit_test_setup_teardown(the_log_of_a_device_does_not_grow_by_what_others_do, log_start, log_stop),
        cmocka_unit_test_setup_teardown(an_entry_that_was_edited_left_out_put_in_or_moved_is_found, log_start, log_stop),
        cmocka_unit_test_setup_teardown(a_store_that_was_changed_beside_its_logs_is_found, log_start, log_stop),
        cmocka_unit_test_setup_teardown(what_was_erased_leaves_the_log_as_it_was, log_start, log_stop),
        cmocka_unit_test_setup_teardown(nothing_can_be_erased_in_the_log_that_knows_the_others, log_start, log_stop),
        cmocka_unit_test_setup_teardown(no_words_of_people_are_in_an_export, log_start, log_stop),
        cmocka_unit_test_setup_teardown(a_name_that_steers_a_terminal_is_refused, log_start, log_stop),
        cmocka_unit_test_setup_teardown(a_hub_of_before_begins_its_logs_when_it_is_opened, log_start, log_stop),
        cmocka_unit_test_setup_teardown(a_log_that_was_written_anew_does_not_fit_a_checkpoint_that_was_kept, log_start, log_stop),
        cmocka_unit_test_setup_teardown(a_checkpoint_of_another_hub_is_none_of_these_logs, log_start, log_stop),
        cmocka_unit_test_setup_teardown(every_entry_is_proved_and_no_forged_proof_is_taken, log_start, log_stop),
        cmocka_unit_test_setup_teardown(a_hub_that_is_opened_again_goes_on_with_its_logs, log_start, log_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
