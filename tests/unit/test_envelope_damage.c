/* 64 envelopes as a device wrote them, with every byte of each taken away, every bit of it turned and its end cut off
 * anywhere: the hub refuses all of them and keeps what it has, and the envelope itself is taken after that as if
 * nothing had been. What is damaged lies below the seal: it is what anybody could send who can seal to the hub. */
#include "hub/intake.h"
#include "node/node.h"
#include "sync/bundle.h"
#include "tests/lib/fake_node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { ENVELOPES = 64, CASES = 6 };

static struct fake_hub hub;
static char home[128];
static struct node *node;
static uint8_t cases[CASES][16], persons[CASES][16];
static struct {
    struct buf items[ENVELOPES];
    size_t n;
} written;
static struct {
    uint64_t flips, cuts, deletions, refused, faults;
} tried;

static void must_line(enum err e, const struct why *why, const char *what, int line)
{
    if (e != ERR_OK) fail_msg("%s (line %d): %s: %s", what, line, err_word(e), why->text);
}
#define MUST(call) must_line(call, &why, #call, __LINE__)

/* -------------------------------------------------------------------------------------------- a device and its work */
static void enrol(void)
{
    struct why why = {0};
    struct invitation code;
    struct buf text, request, answer;
    uint8_t keys[PUBLIC_BYTES];
    const struct bytes passphrase = bytes_of_str("a quiet valley farm");
    buf_init(&text, 4096);
    buf_init(&request, 1u << 20);
    buf_init(&answer, 1u << 20);
    (void)snprintf(home, sizeof home, "%s/node", hub.dir);
    identity_to_bytes(hub_identity(hub.hub), keys);
    MUST(hub_invite(hub.hub, "care-mash", "http://127.0.0.1:1", 3600000, &text, &why));
    MUST(invitation_get(buf_bytes(&text), &code, &why));
    MUST(node_enrol_begin(&hub.env, home, passphrase, &code, bytes_of(keys, sizeof keys), "Carla", &request, &why));
    MUST(hub_enrol(hub.hub, buf_bytes(&request), &answer, &why));
    MUST(node_enrol_finish(&hub.env, home, passphrase, buf_bytes(&answer), &why));
    MUST(node_open(&node, &hub.env, home, passphrase, &why));
    buf_release(&text);
    buf_release(&request);
    buf_release(&answer);
}

static void put(const char *table, const uint8_t id[16], const uint8_t case_id[16], const char *column, struct value v)
{
    struct why why = {0};
    struct row r = {.table = rules_table((size_t)rules_table_index(bytes_of_str(table)))};
    for (size_t c = 0; c < r.table->n_columns; c++) r.v[c] = value_null();
    r.v[0] = value_id(id);
    r.v[1] = value_id(case_id);
    r.v[2] = value_str("care");
    r.v[rules_column_index(r.table, bytes_of_str(column))] = v;
    if (strcmp(table, "participant") == 0) r.v[rules_column_index(r.table, bytes_of_str("access"))] = value_str("view");
    if (strcmp(table, "case_file") == 0) r.v[rules_column_index(r.table, bytes_of_str("area"))] = value_str("north");
    MUST(db_row_put(node_db(node), &r, &why));
}

static void set(const char *table, const uint8_t id[16], const char *column, struct value v)
{
    struct why why = {0};
    const struct table_rule *t = rules_table((size_t)rules_table_index(bytes_of_str(table)));
    MUST(db_row_set(node_db(node), t, id, (size_t)rules_column_index(t, bytes_of_str(column)), v, &why));
}

/* The n-th thing that somebody does on a day: each envelope is of another kind than the one before. */
static void work(size_t n)
{
    uint8_t id[16], *case_id = cases[n % CASES], *person = persons[n % CASES];
    char text[32];
    (void)snprintf(text, sizeof text, "note %zu", n);
    env_new_id(&hub.env, id);
    if (n < CASES) {
        memcpy(case_id, id, 16);
        env_new_id(&hub.env, person);
        put("case_file", case_id, case_id, "lead_agency", value_str("care"));
        put("person", person, case_id, "given_names", value_str(text));
        return;
    }
    switch (n / CASES) {
    case 1: put("record", id, case_id, "body", value_str(text)); return;
    case 2: set("person", person, "born_on", value_str("2015-02-03")); return;
    case 3: put("contact", id, case_id, "person_id", value_id(person)); return;
    case 4: set("case_file", case_id, "rag", value_str(n % 2 == 0 ? "amber" : "red")); return;
    case 5: put("participant", id, case_id, "member", value_str("police")); return;
    case 6: set("case_file", case_id, "due_at", value_int((int64_t)n)); return;
    case 7: put("request", id, case_id, "to_agency", value_str("school")); return;
    case 8: put("warning", id, case_id, "note", value_str(text)); return;
    case 9: /* two cases in one envelope */
        set("person", person, "sex", value_str("F"));
        set("case_file", cases[(n + 1) % CASES], "status", value_str("ready"));
        return;
    default: set("person", person, "voided_at", value_int(1)); return;
    }
}

/* The items of the device's request, as they lie below the seal. */
static void keep_items(void)
{
    struct why why = {0};
    struct bundle_reader *r = NULL;
    struct seal_header head;
    struct buf request;
    struct bytes item;
    uint8_t binding[32];
    bool end = false;
    buf_init(&request, BUNDLE_MAX);
    MUST(node_bundle_export(node, &request, &why));
    MUST(bundle_reader_new(&r, buf_bytes(&request), &hub.hub->id, &head, binding, &why));
    for (;;) {
        MUST(bundle_next(r, &item, &end, &why));
        if (end) break;
        if (message_type(item) != MSG_ENVELOPE) continue;
        assert_true(written.n < ENVELOPES);
        buf_init(&written.items[written.n], 1u << 20);
        buf_put_bytes(&written.items[written.n++], item);
    }
    assert_int_equal(written.n, ENVELOPES);
    bundle_reader_free(r);
    buf_release(&request);
}

static int start(void **state)
{
    (void)state;
    fake_hub_start(&hub);
    fake_hub_people(&hub);
    enrol();
    for (size_t n = 0; n < ENVELOPES; n++) {
        struct why why = {0};
        uint64_t seq = 0;
        hub.now += 1000;
        MUST(node_edit_begin(node, &why));
        work(n);
        MUST(node_edit_commit(node, "worked", &seq, &why));
        assert_int_equal(seq, n + 1);
    }
    keep_items();
    return 0;
}

static int stop(void **state)
{
    static const char *const files[] = {"replica.key", "device.secret",  "door",        "unsent",
                                        "replica.db",  "replica.db-wal", "spool/answer"};
    char path[256];
    (void)state;
    node_close(node);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", home, files[i]);
        (void)unlink(path);
    }
    (void)snprintf(path, sizeof path, "%s/spool", home);
    (void)rmdir(path);
    assert_int_equal(rmdir(home), 0);
    fake_hub_stop(&hub);
    for (size_t i = 0; i < written.n; i++) buf_release(&written.items[i]);
    return 0;
}

/* ------------------------------------------------------------------------------------------------------- the damage */
static struct hub_node author(void)
{
    struct why why = {0};
    struct node_info info;
    struct hub_node n;
    MUST(node_get_info(node, &info, &why));
    MUST(nodes_by_kid(hub.hub, info.self.kid, &n, &why));
    return n;
}

static int64_t number(const char *sql)
{
    return fake_hub_int(&hub, sql);
}

/* Writes to synced tables since the watch began; it is rolled back with what it counted. */
static void watch(void)
{
    static const char *const events[] = {"INSERT", "UPDATE", "DELETE"};
    struct why why = {0};
    size_t n;
    (void)rules_tables(&n);
    MUST(db_exec(hub_db(hub.hub), "CREATE TEMP TABLE touched(tbl INTEGER)", &why));
    for (size_t t = 0; t < n; t++)
        for (size_t i = 0; i < 3; i++) {
            char sql[200];
            (void)snprintf(
                sql, sizeof sql,
                "CREATE TEMP TRIGGER watch_%zu_%zu AFTER %s ON main.%s BEGIN INSERT INTO touched VALUES(%zu); END", t,
                i, events[i], rules_table(t)->name, t);
            MUST(db_exec(hub_db(hub.hub), sql, &why));
        }
}

/* What the signature covers is refused outright. The content stands beside it: that it is not what was signed is a
 * verdict, and nothing of it is taken. Either way no synced row is written. */
static void is_refused(const struct hub_node *before, struct bytes damaged)
{
    struct why why = {0};
    struct hub_node n = *before;
    MUST(db_savepoint(hub_db(hub.hub), "damage", &why));
    enum err e = intake_envelope(hub.hub, &n, damaged, &why);
    if (e == ERR_OK) {
        tried.faults++;
        assert_int_equal(number("SELECT verdict FROM h_envelope ORDER BY seq DESC LIMIT 1"), VERDICT_FAULT);
    } else {
        tried.refused++;
        assert_true(e == ERR_TAMPERED || e == ERR_FORMAT);
        assert_int_equal(n.last_seq, before->last_seq);
        assert_string_equal(n.state, before->state);
    }
    assert_int_equal(number("SELECT count(*) FROM temp.touched"), 0);
    MUST(db_savepoint_rollback(hub_db(hub.hub), "damage", &why));
}

static void every_damage_of(const struct hub_node *n, struct bytes item)
{
    uint8_t *copy = malloc(item.n);
    assert_non_null(copy);
    memcpy(copy, item.p, item.n);
    for (size_t i = 0; i < item.n; i++) {
        is_refused(n, bytes_of(copy, i));
        tried.cuts++;
        for (int bit = 0; bit < 8; bit++) {
            copy[i] ^= (uint8_t)(1u << bit);
            is_refused(n, bytes_of(copy, item.n));
            copy[i] ^= (uint8_t)(1u << bit);
            tried.flips++;
        }
    }
    for (size_t i = item.n; i > 0; i--) { /* from the end: copy lacks byte i - 1, as long as it runs */
        memcpy(copy, item.p, i - 1);
        memcpy(copy + i - 1, item.p + i, item.n - i);
        is_refused(n, bytes_of(copy, item.n - 1));
        tried.deletions++;
    }
    free(copy);
}

static void every_cut_bit_flip_and_deletion_of_64_envelopes_is_refused_and_the_envelope_taken_after_it(void **state)
{
    struct why why = {0};
    uint8_t before[32], after[32];
    size_t bytes = 0;
    (void)state;
    watch();
    for (size_t i = 0; i < written.n; i++) {
        struct bytes item = buf_bytes(&written.items[i]);
        struct hub_node n = author();
        fake_hub_hash(&hub, before);
        MUST(hub_begin(hub.hub, &why));
        every_damage_of(&n, item);
        fake_hub_hash(&hub, after);
        assert_memory_equal(before, after, 32);
        MUST(intake_envelope(hub.hub, &n, item, &why));
        MUST(nodes_save(hub.hub, &n, &why));
        MUST(hub_commit(hub.hub, &why));
        assert_int_equal(n.last_seq, i + 1);
        assert_int_equal(number("SELECT verdict FROM h_envelope ORDER BY seq DESC LIMIT 1"), VERDICT_APPLIED);
        MUST(db_exec(hub_db(hub.hub), "DELETE FROM temp.touched", &why));
        bytes += item.n;
    }
    print_message(
        "%zu envelopes, %zu bytes: %llu bit flips, %llu cuts, %llu deletions: %llu refused, %llu judged as faults\n",
        written.n, bytes, (unsigned long long)tried.flips, (unsigned long long)tried.cuts,
        (unsigned long long)tried.deletions, (unsigned long long)tried.refused, (unsigned long long)tried.faults);
    assert_int_equal(tried.flips, 8 * bytes);
    assert_int_equal(tried.cuts, bytes);
    assert_int_equal(tried.deletions, bytes);
    MUST(hub_verify(hub.hub, &why));
}

/* The same by the front door: a whole request around it, sealed and with a hello, of another device. */
static void a_request_with_a_damaged_envelope_changes_nothing(void **state)
{
    static const size_t strides[] = {1, 3, 8};
    struct fake_node paul;
    struct fake_edit edit;
    struct buf item;
    uint8_t before[32], after[32], case_id[16];
    (void)state;
    fake_node_enrol(&paul, &hub, "police-hq", "police", "Paul");
    fake_node_pull(&paul);
    fake_edit_start(&edit);
    env_new_id(&hub.env, case_id);
    struct op file = fake_new(&paul, "case_file", case_id, case_id);
    fake_value(&file, "area", value_str("north"));
    fake_value(&file, "lead_agency", value_str("police"));
    fake_put(&edit, &file);
    (void)fake_commit(&paul, &edit);
    buf_init(&item, 1u << 20);
    buf_put(&item, paul.queue.data + 4, paul.queue.len - 4);
    fake_hub_hash(&hub, before);
    for (size_t kind = 0; kind < 3; kind++)
        for (size_t i = 5; i < 300; i += 7 * strides[kind]) { /* within what is signed */
            struct buf bad;
            buf_init(&bad, 1u << 20);
            buf_put(&bad, item.data, kind == 0 ? i : item.len);
            if (kind == 1) bad.data[i] ^= (uint8_t)(1u << i % 8);
            if (kind == 2) memmove(bad.data + i, bad.data + i + 1, --bad.len - i);
            buf_reset(&paul.queue);
            fake_node_queue(&paul, buf_bytes(&bad));
            enum err e = fake_node_try(&paul);
            assert_true(e == ERR_TAMPERED || e == ERR_FORMAT);
            fake_hub_hash(&hub, after);
            assert_memory_equal(before, after, 32);
            buf_release(&bad);
        }
    buf_reset(&paul.queue);
    fake_node_queue(&paul, buf_bytes(&item));
    fake_node_round(&paul);
    assert_int_equal(fake_verdict_on(&paul, 1)->verdict, VERDICT_APPLIED);
    buf_release(&item);
    fake_node_release(&paul);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut_bit_flip_and_deletion_of_64_envelopes_is_refused_and_the_envelope_taken_after_it),
        cmocka_unit_test(a_request_with_a_damaged_envelope_changes_nothing),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
