/* The transparency logs: what happened is in them, and what was in them once stays as it was, or it shows. */
#include "tests/lib/fake_node.h"

#include "crypto/note.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct fake_hub *hub;

static int start(void **state)
{
    (void)state;
    hub = calloc(1, sizeof *hub);
    fake_hub_start(hub);
    fake_hub_people(hub);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fake_hub_stop(hub);
    free(hub);
    return 0;
}

static enum err put_text(void *ctx, struct bytes text, struct why *why)
{
    buf_put_bytes(ctx, text);
    return ((struct buf *)ctx)->err == ERR_OK ? ERR_OK : why_set(why, ERR_NOMEM, "no memory");
}

static void export(struct buf *out)
{
    struct why why = {0};
    buf_init(out, 64u << 20);
    if (hub_log_export(hub->hub, put_text, out, &why) != ERR_OK) fail_msg("%s", why.text);
}

/* A text of lines, checked; `kept` is a checkpoint or empty. */
static enum err audit(struct bytes text, struct bytes kept, struct log_audit_sum *sum, struct why *why)
{
    struct log_audit *a = NULL;
    struct log_audit_sum none;
    enum err e = log_audit_new(&a, why);
    if (e == ERR_OK && kept.n > 0) e = log_audit_keep(a, kept, why);
    while (e == ERR_OK && text.n > 0) {
        const uint8_t *end = memchr(text.p, '\n', text.n);
        size_t n = end == NULL ? text.n : (size_t)(end - text.p);
        e = log_audit_line(a, bytes_of(text.p, n), why);
        text = bytes_of(text.p + n + (end != NULL), text.n - n - (end != NULL));
    }
    if (e == ERR_OK) e = log_audit_end(a, sum == NULL ? &none : sum, why);
    log_audit_free(a);
    return e;
}

static void holds(struct bytes text, struct bytes kept, struct log_audit_sum *sum)
{
    struct why why = {0};
    if (audit(text, kept, sum, &why) != ERR_OK) fail_msg("%s", why.text);
}

static void verifies(void)
{
    struct log_audit_sum sum;
    struct why why = {0};
    if (hub_log_verify(hub->hub, &sum, &why) != ERR_OK) fail_msg("%s", why.text);
}

static void sql(const char *text)
{
    struct why why = {0};
    if (db_exec(hub_db(hub->hub), text, &why) != ERR_OK) fail_msg("%s", why.text);
}

static void checkpoint(const uint8_t *kid, struct buf *out)
{
    struct why why = {0};
    buf_init(out, NOTE_MAX);
    if (hub_log_checkpoint(hub->hub, kid, out, &why) != ERR_OK) fail_msg("%s", why.text);
}

static void acts(int n)
{
    for (int i = 0; i < n; i++) assert_int_equal(hub_set_emergency(hub->hub, i % 2 == 0 ? 24 : 0, NULL), ERR_OK);
}

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
    fake_node_enrol(&care, hub, "care-mash", "care", "Ann");
    fake_node_enrol(&police, hub, "police-hq", "police", "Pat");
    a_case_comes_and_goes(&care, &police);
    verifies();
    export(&text);
    holds(buf_bytes(&text), bytes_of("", 0), &sum);
    assert_int_equal(sum.logs, 3);
    assert_memory_equal(sum.hub.kid, hub_identity(hub->hub)->kid, 16);
    /* Enrolled, two changes and a verdict on each at least; and enrolled, a page. */
    assert_true(fake_hub_int(hub, "SELECT " LEAVES_OF "'care-mash')") >= 5);
    assert_true(fake_hub_int(hub, "SELECT " LEAVES_OF "'police-hq')") >= 2);
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
    fake_node_enrol(&care, hub, "care-mash", "care", "Ann");
    fake_node_enrol(&school, hub, "school-1", "school", "Sue");
    fake_node_pull(&school);
    int64_t before = fake_hub_int(hub, "SELECT " LEAVES_OF "'school-1')");
    for (int i = 0; i < 5; i++) fake_case(&care, case_id, "care", nobody);
    fake_node_round(&school);
    assert_int_equal(fake_hub_int(hub, "SELECT " LEAVES_OF "'school-1')"), before);
    verifies();
    fake_node_release(&care);
    fake_node_release(&school);
}

/* ------------------------------------------------------------------------------------------------------ tampering */

struct line {
    struct bytes text; /* with its newline */
};

static size_t lines_of(struct bytes text, struct line *out, size_t max)
{
    size_t n = 0;
    while (text.n > 0 && n < max) {
        const uint8_t *end = memchr(text.p, '\n', text.n);
        size_t len = (size_t)(end - text.p) + 1;
        out[n++].text = bytes_of(text.p, len);
        text = bytes_of(text.p + len, text.n - len);
    }
    return n;
}

static void put_lines(struct buf *out, const struct line *l, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) buf_put_bytes(out, l[i].text);
}

static void must_be_found(struct buf *forged, const char *what, size_t at)
{
    struct why why = {0};
    enum err e = audit(buf_bytes(forged), bytes_of("", 0), NULL, &why);
    if (e != ERR_TAMPERED && e != ERR_FORMAT) fail_msg("%s of line %zu was not found: %d", what, at, (int)e);
    forged->len = 0;
}

static void an_entry_that_was_edited_left_out_put_in_or_moved_is_found(void **state)
{
    static struct line l[2000];
    struct fake_node care = {0};
    struct buf text, forged;
    (void)state;
    fake_node_enrol(&care, hub, "care-mash", "care", "Ann");
    acts(100);
    export(&text);
    size_t n = lines_of(buf_bytes(&text), l, 2000);
    assert_true(n > 100 && n < 2000);
    buf_init(&forged, 64u << 20);
    for (size_t i = 0; i < n; i++) {
        put_lines(&forged, l, 0, i);
        put_lines(&forged, l, i + 1, n);
        must_be_found(&forged, "removal", i);
        put_lines(&forged, l, 0, i + 1);
        put_lines(&forged, l, i, n);
        must_be_found(&forged, "doubling", i);
        if (i + 1 < n) {
            put_lines(&forged, l, 0, i);
            put_lines(&forged, l, i + 1, i + 2);
            put_lines(&forged, l, i, i + 1);
            put_lines(&forged, l, i + 2, n);
            must_be_found(&forged, "exchange", i);
        }
        put_lines(&forged, l, 0, i);
        must_be_found(&forged, "an early end before", i);
        put_lines(&forged, l, 0, n);
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
        if (i > 0) (void)start(state);
        fake_node_enrol(&care, hub, "care-mash", "care", "Ann");
        acts(6);
        fake_case(&care, case_id, "care", nobody);
        verifies();
        sql(changes[i]);
        enum err e = hub_log_verify(hub->hub, &sum, &why);
        if (e != ERR_TAMPERED) fail_msg("%s: %d %s", changes[i], (int)e, why.text);
        fake_node_release(&care);
        if (i + 1 < sizeof changes / sizeof changes[0]) (void)stop(state);
    }
}

static void what_was_erased_leaves_the_log_as_it_was(void **state)
{
    struct log_audit_sum sum;
    struct buf before, after, text, proof;
    (void)state;
    acts(9);
    checkpoint(NULL, &before);
    sql("UPDATE h_leaf SET salt = NULL, content = NULL WHERE n = 4");
    checkpoint(NULL, &after);
    assert_memory_equal(before.data, after.data, before.len);
    export(&text);
    holds(buf_bytes(&text), buf_bytes(&before), &sum);
    assert_int_equal(sum.erased, 1);
    assert_int_equal(sum.kept, 1);
    buf_init(&proof, 1u << 20);
    assert_int_equal(hub_log_proof(hub->hub, NULL, 4, &proof, NULL), ERR_OK);
    holds(buf_bytes(&proof), bytes_of("", 0), &sum);
    assert_true(sum.proof && sum.index == 4);
    buf_release(&proof);
    buf_release(&text);
    buf_release(&after);
    buf_release(&before);
}

/* ------------------------------------------------------------------------------------------------ checkpoints, proofs */

static void a_log_that_was_written_anew_does_not_fit_a_checkpoint_that_was_kept(void **state)
{
    char path[80], command[600];
    struct buf old, later, text;
    struct why why = {0};
    (void)state;
    acts(3);
    checkpoint(NULL, &old);
    hub_close(hub->hub);
    hub->hub = NULL;
    (void)snprintf(path, sizeof path, "%s/hub.db", hub->dir);
    (void)snprintf(command, sizeof command, "cp %s %s.kept && cp -f %s-wal %s.kept-wal 2>/dev/null; true", path, path, path, path);
    assert_int_equal(system(command), 0);
    fake_hub_reopen(hub);
    assert_int_equal(hub_set_emergency(hub->hub, 12, NULL), ERR_OK);
    checkpoint(NULL, &later);
    export(&text);
    holds(buf_bytes(&text), buf_bytes(&old), NULL);
    holds(buf_bytes(&text), buf_bytes(&later), NULL);
    buf_release(&text);
    hub_close(hub->hub);
    hub->hub = NULL;
    (void)snprintf(command, sizeof command, "rm -f %s-wal; mv %s.kept %s; mv %s.kept-wal %s-wal 2>/dev/null; true", path, path, path, path, path);
    assert_int_equal(system(command), 0);
    fake_hub_reopen(hub);
    export(&text); /* shorter than what was kept */
    assert_int_equal(audit(buf_bytes(&text), buf_bytes(&later), NULL, &why), ERR_TAMPERED);
    buf_release(&text);
    assert_int_equal(hub_set_emergency(hub->hub, 48, NULL), ERR_OK); /* as long, and with another end */
    export(&text);
    holds(buf_bytes(&text), buf_bytes(&old), NULL);
    assert_int_equal(audit(buf_bytes(&text), buf_bytes(&later), NULL, &why), ERR_TAMPERED);
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
    acts(2);
    buf_init(&note, NOTE_MAX);
    assert_int_equal(hub_set_emergency(other->hub, 24, NULL), ERR_OK);
    assert_int_equal(hub_log_checkpoint(other->hub, NULL, &note, &why), ERR_OK);
    export(&text);
    assert_int_equal(audit(buf_bytes(&text), buf_bytes(&note), NULL, &why), ERR_TAMPERED);
    assert_int_equal(audit(buf_bytes(&text), bytes_of_str("no checkpoint\n\nat all\n"), NULL, &why), ERR_FORMAT);
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
    fake_node_enrol(&care, hub, "care-mash", "care", "Ann");
    acts(20);
    buf_init(&proof, 1u << 20);
    int64_t size = fake_hub_int(hub, "SELECT size FROM h_log WHERE no = 0");
    for (int64_t i = 0; i < size; i++) {
        proof.len = 0;
        assert_int_equal(hub_log_proof(hub->hub, NULL, (uint64_t)i, &proof, &why), ERR_OK);
        holds(buf_bytes(&proof), bytes_of("", 0), &sum);
        assert_int_equal(sum.size, size);
    }
    const char *name = memmem(proof.data, proof.len, "Test MASH", 9);
    for (size_t at = 0; at < proof.len; at++) {
        if (name != NULL && (const char *)proof.data + at >= name && (const char *)proof.data + at < name + 9) continue;
        uint8_t was = proof.data[at];
        proof.data[at] = was == 'x' ? 'y' : 'x';
        if (audit(buf_bytes(&proof), bytes_of("", 0), NULL, &why) == ERR_OK) fail_msg("byte %zu", at);
        proof.data[at] = was;
    }
    assert_int_equal(hub_log_proof(hub->hub, NULL, (uint64_t)size, &proof, &why), ERR_NOTFOUND);
    proof.len = 0;
    assert_int_equal(hub_log_proof(hub->hub, care.id.pub.kid, 0, &proof, &why), ERR_OK);
    holds(buf_bytes(&proof), bytes_of("", 0), &sum);
    assert_int_equal(hub_log_proof(hub->hub, hub_identity(hub->hub)->kid, 0, &proof, &why), ERR_NOTFOUND);
    buf_release(&proof);
    fake_node_release(&care);
}

static void a_hub_that_is_opened_again_goes_on_with_its_logs(void **state)
{
    struct buf old, text;
    (void)state;
    acts(5);
    checkpoint(NULL, &old);
    fake_hub_reopen(hub);
    acts(5);
    verifies();
    export(&text);
    holds(buf_bytes(&text), buf_bytes(&old), NULL);
    buf_release(&text);
    buf_release(&old);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_happens_is_in_the_logs_and_they_hold_together, start, stop),
        cmocka_unit_test_setup_teardown(the_log_of_a_device_does_not_grow_by_what_others_do, start, stop),
        cmocka_unit_test_setup_teardown(an_entry_that_was_edited_left_out_put_in_or_moved_is_found, start, stop),
        cmocka_unit_test_setup_teardown(a_store_that_was_changed_beside_its_logs_is_found, start, stop),
        cmocka_unit_test_setup_teardown(what_was_erased_leaves_the_log_as_it_was, start, stop),
        cmocka_unit_test_setup_teardown(a_log_that_was_written_anew_does_not_fit_a_checkpoint_that_was_kept, start, stop),
        cmocka_unit_test_setup_teardown(a_checkpoint_of_another_hub_is_none_of_these_logs, start, stop),
        cmocka_unit_test_setup_teardown(every_entry_is_proved_and_no_forged_proof_is_taken, start, stop),
        cmocka_unit_test_setup_teardown(a_hub_that_is_opened_again_goes_on_with_its_logs, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
