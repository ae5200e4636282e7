/* Devices and the log of their hub: what a hub may not do without the device finding out, and what follows then. */
#include "node/internal.h"
#include "node/trust.h"
#include "tests/lib/trust_scene.h"

#include "crypto/checkpoint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* --------------------------------------------------------------------------------------------------- the good hub */
static void device_follows_the_checkpoints_of_a_hub_that_keeps_to_its_log(void **state)
{
    struct scene *s = *state;
    struct node_trust t = scene_trust(s);
    struct checkpoint c;
    struct note_key key;
    char origin[CHECKPOINT_ORIGIN_MAX];
    struct buf note;
    for (unsigned i = 0; i < 40; i++) {
        struct merkle_head told = scene_trust(s).kept;
        s->log.grow = i % 5; /* also none */
        scene_write(s, i % 2 == 0 ? "Mair" : "Nest");
        (void)mock_sync(&s->w, ERR_OK);
        assert_int_equal(s->w.hub.seen.seen.size, told.size);
        assert_memory_equal(s->w.hub.seen.seen.root, told.root, MERKLE_HASH_BYTES);
        t = scene_trust(s);
        assert_int_equal(t.kept.size, s->log.store.edge.size);
    }
    assert_false(t.distrusts);
    assert_true(t.since_ms > 0 && t.last_ms >= t.since_ms);
    buf_init(&note, MESSAGE_NOTE_MAX);
    assert_int_equal(node_trust_note(s->w.node, &note, NULL), ERR_OK);
    checkpoint_origin(origin, s->w.hub.id.pub.kid, s->w.hub.node.kid);
    assert_int_equal(note_key_make(&key, bytes_of_str(origin), s->w.hub.id.pub.sign_pk, NULL), ERR_OK);
    assert_int_equal(checkpoint_verify(buf_bytes(&note), &key, &c, NULL), ERR_OK);
    assert_int_equal(c.head.size, t.kept.size);
    buf_release(&note);
    struct buf none;
    buf_init(&none, 4096);
    assert_int_equal(node_trust_evidence(s->w.node, &none, NULL), ERR_NOTFOUND);
    buf_release(&none);
}

static void answer_resumed_or_taken_twice_is_the_same_checkpoint(void **state)
{
    struct scene *s = *state;
    struct round_result r;
    struct node_trust t;
    scene_write(s, "Mair");
    s->w.hub.break_after = 900;
    (void)mock_sync(&s->w, ERR_UNREACHABLE);
    s->w.hub.break_after = 0;
    (void)mock_sync(&s->w, ERR_OK);
    assert_true(s->w.hub.from == 900 || s->w.hub.exchanges > 3);
    t = scene_trust(s);
    assert_int_equal(t.kept.size, s->log.store.edge.size);
    assert_int_equal(node_bundle_import(s->w.node, buf_bytes(&s->w.hub.last), &r, NULL), ERR_EXISTS);
    assert_false(scene_trust(s).distrusts);
}

/* A courier's older answer, with an older and smaller checkpoint, is late and nothing else. */
static void file_that_comes_late_is_refused_as_late_and_costs_no_trust(void **state)
{
    struct scene *s = *state;
    struct buf old;
    struct round_result r;
    buf_init(&old, BUNDLE_MAX);
    buf_put_bytes(&old, buf_bytes(&s->w.hub.last));
    scene_write(s, "Mair");
    (void)mock_sync(&s->w, ERR_OK);
    assert_int_equal(node_bundle_import(s->w.node, buf_bytes(&old), &r, NULL), ERR_EXISTS);
    buf_reset(&old);
    assert_int_equal(node_bundle_export(s->w.node, &old, NULL), ERR_OK); /* another request waits now */
    assert_int_equal(node_bundle_import(s->w.node, buf_bytes(&s->w.hub.last), &r, NULL), ERR_EXISTS);
    assert_false(scene_trust(s).distrusts);
    (void)mock_sync(&s->w, ERR_OK);
    buf_release(&old);
}

/* ------------------------------------------------------------------------------------------------- the other hubs */
static void hub_that_edited_a_leaf_is_found_out(void **state)
{
    struct scene *s = *state;
    uint64_t size = s->log.store.edge.size;
    merkle_store_cut(&s->log.store, 4);
    s->log.fork = 1;
    s->log.leaves = 4;
    told_log_add(&s->log, 1);
    s->log.fork = 0;
    told_log_add(&s->log, (unsigned)size - 5); /* all the others as they were */
    scene_finds_out(s, "changed afterwards");
}

static void hub_that_took_entries_out_is_found_out(void **state)
{
    struct scene *s = *state;
    merkle_store_cut(&s->log.store, s->log.store.edge.size - 4);
    s->log.grow = 1;
    scene_finds_out(s, "shorter");
}

static void hub_that_took_entries_out_and_put_others_in_is_found_out(void **state)
{
    struct scene *s = *state;
    merkle_store_cut(&s->log.store, s->log.store.edge.size - 4);
    s->log.fork = 2;
    s->log.grow = 9;
    scene_finds_out(s, "changed afterwards");
}

static void hub_that_shows_two_logs_at_two_times_is_found_out(void **state)
{
    struct scene *s = *state;
    struct told_log honest = s->log, other = {.grow = 3, .fork = 5};
    told_log_add(&other, (unsigned)honest.store.edge.size);
    s->w.hub.script_ctx = &other;
    scene_finds_out(s, "changed afterwards");
    told_log_release(&other);
}

static void same_size_with_another_root_is_found_out(void **state)
{
    struct scene *s = *state;
    s->log.grow = 0;
    s->log.flip_root = true;
    scene_finds_out(s, "changed afterwards");
}

static void hub_that_stops_telling_is_found_out(void **state)
{
    struct scene *s = *state;
    s->log.silent = true;
    scene_finds_out(s, "did not say");
}

static void checkpoint_of_another_devices_log_is_refused(void **state)
{
    struct scene *s = *state;
    s->log.of_other = true;
    scene_finds_out(s, "another device's");
}

static void checkpoint_of_another_hub_is_refused(void **state)
{
    struct scene *s = *state;
    s->log.by_other = true;
    scene_finds_out(s, "not signed");
}

/* It was good once: it is signed, and of this log. */
static void older_checkpoint_is_refused(void **state)
{
    struct scene *s = *state;
    s->log.told_size = scene_trust(s).kept.size - 1;
    s->log.no_proof = true;
    scene_finds_out(s, "shorter");
}

static void proof_that_is_not_there_is_missed(void **state)
{
    struct scene *s = *state;
    s->log.no_proof = true;
    scene_finds_out(s, "changed afterwards");
}

static void proof_from_another_size_is_none(void **state)
{
    struct scene *s = *state;
    s->log.proof_from = scene_trust(s).kept.size - 2;
    scene_finds_out(s, "changed afterwards");
}

static void proof_with_half_a_hash_more_is_none(void **state)
{
    struct scene *s = *state;
    s->log.proof_bytes = 16;
    scene_finds_out(s, "changed afterwards");
}

static void proof_with_a_hash_more_is_none(void **state)
{
    struct scene *s = *state;
    s->log.proof_bytes = 32;
    scene_finds_out(s, "changed afterwards");
}

static void proof_with_a_hash_less_is_none(void **state)
{
    struct scene *s = *state;
    s->log.proof_bytes = -32;
    scene_finds_out(s, "changed afterwards");
}

static void what_is_no_note_is_refused(void **state)
{
    struct scene *s = *state;
    s->log.raw = "spoke/x\n99\nAAAA\n";
    scene_finds_out(s, "form");
}

static void sizes_beyond_all_numbers_are_refused(void **state)
{
    struct scene *s = *state;
    s->log.raw =
        "spoke/x\n99999999999999999999999999\nqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo=\n\n\xe2\x80\x94 x AAAA\n";
    scene_finds_out(s, "form");
}

static void put_long(struct mock_hub *h, const struct mock_request *r, struct mock_answer *a, void *ctx)
{
    static char note[60000];
    struct scene *s = ctx;
    told_log_script(h, r, a, &s->log);
    buf_reset(&a->checkpoint);
    memset(note, 'x', sizeof note);
    message_put_checkpoint(&a->checkpoint, &(struct checkpoint_item){bytes_of(note, sizeof note), {0}});
}

static void note_longer_than_any_is_refused_and_only_its_beginning_kept(void **state)
{
    struct scene *s = *state;
    s->w.hub.script = put_long;
    s->w.hub.script_ctx = s;
    scene_finds_out(s, "form");
    assert_true(mock_ask(s->w.node, "SELECT length(item) FROM n_distrust") <= 16384);
}

/* -------------------------------------------------------------------------------- answers that are broken otherwise */
static void put_twice(struct mock_hub *h, const struct mock_request *r, struct mock_answer *a, void *ctx)
{
    told_log_script(h, r, a, ctx);
    a->checkpoints = 2;
}

static void two_checkpoints_in_one_answer_are_no_answer(void **state)
{
    struct scene *s = *state;
    s->w.hub.script = put_twice;
    scene_write(s, "Mair");
    (void)mock_sync(&s->w, ERR_FORMAT);
    assert_false(scene_trust(s).distrusts);
}

static void put_before_orders(struct mock_hub *h, const struct mock_request *r, struct mock_answer *a, void *ctx)
{
    told_log_script(h, r, a, ctx);
    a->orders[0] = (struct order){.number = 1, .kind = ORDER_LEASE, .value = 3, .at_ms = 1};
    memcpy(a->orders[0].node, h->node.kid, KID_BYTES);
    a->n_orders = 1;
    a->orders_last = true;
}

static void orders_after_the_checkpoint_are_no_answer(void **state)
{
    struct scene *s = *state;
    s->w.hub.script = put_before_orders;
    (void)mock_sync(&s->w, ERR_FORMAT);
    assert_false(scene_trust(s).distrusts);
}

static void put_bad_with_orders_and_rows(struct mock_hub *h, const struct mock_request *r, struct mock_answer *a,
                                         void *ctx)
{
    struct scene *s = ctx;
    struct row person = mock_change("person", s->p, "given_names", "Gone");
    told_log_script(h, r, a, &s->log);
    a->orders[0] = (struct order){.number = 1, .kind = ORDER_LEASE, .value = 3, .at_ms = 1};
    memcpy(a->orders[0].node, h->node.kid, KID_BYTES);
    a->n_orders = 1;
    mock_answer_drop(a, "case_file", s->c);
    mock_answer_op(a, OP_UPDATE, &person);
}

/* Neither orders nor drops nor rows of a hub that is not trusted any more have any effect. */
static void nothing_of_an_answer_with_a_bad_proof_is_carried_out(void **state)
{
    struct scene *s = *state;
    struct node_info i;
    char rag[128];
    s->log.no_proof = true;
    s->w.hub.script = put_bad_with_orders_and_rows;
    s->w.hub.script_ctx = s;
    scene_finds_out(s, "changed afterwards");
    assert_int_equal(node_get_info(s->w.node, &i, NULL), ERR_OK);
    assert_true(i.lease_days != 3);
    mock_get(s->w.node, "case_file", s->c, "id", rag);
    assert_string_not_equal(rag, "-");
    assert_int_equal(i.receipts_due, 0);
}

/* --------------------------------------------------------------------------------------------- before and after it */
/* Of a program that knew of no logs: it did not ask, and the answer tells nothing. */
static void answer_to_a_request_that_did_not_ask_needs_no_checkpoint(void **state)
{
    struct scene *s = *state;
    struct node_trust t = scene_trust(s);
    struct buf request;
    struct round_result r;
    buf_init(&request, BUNDLE_MAX);
    scene_write(s, "Elin");
    assert_int_equal(node_bundle_export(s->w.node, &request, NULL), ERR_OK);
    assert_int_equal(db_exec(s->w.node->db, "UPDATE n_number SET value = 1 WHERE name = 'log_asked'", NULL), ERR_OK);
    buf_release(&request);
    s->log.silent = true;
    const struct carrier via = mock_hub_carrier(&s->w.hub);
    assert_int_equal(node_sync(s->w.node, &via, &(struct round_options){.max_rounds = 1}, &r, NULL), ERR_OK);
    assert_int_equal(scene_trust(s).kept.size, t.kept.size);
    assert_false(scene_trust(s).distrusts);
    scene_finds_out(s, "did not say");
}

static void kept_checkpoint_that_was_altered_here_is_seen_by_verify(void **state)
{
    struct scene *s = *state;
    assert_int_equal(
        db_exec(s->w.node->db,
                "UPDATE n_state SET value = CAST(replace(CAST(value AS TEXT), 'spoke/', 'spake/') AS BLOB) "
                "WHERE name = 'log_note'",
                NULL),
        ERR_OK);
    assert_int_equal(node_verify(s->w.node, &(struct verify_result){0}, NULL), ERR_TAMPERED);
}

/* What an epoch statement of the hub does, once it was verified: the log goes on from where it was cut. */
static void cut_that_a_statement_explains_lifts_the_distrust_and_is_proved_from(void **state)
{
    struct scene *s = *state;
    uint64_t size = s->log.store.edge.size - 4;
    struct merkle_head cut;
    merkle_store_cut(&s->log.store, size);
    s->log.fork = 7;
    cut = merkle_store_head(&s->log.store, size);
    s->log.grow = 2;
    scene_finds_out(s, "");
    assert_int_equal(db_begin(s->w.node->db, NULL), ERR_OK);
    assert_int_equal(trust_cut(s->w.node, 2, &cut, bytes_of_str("a statement"), NULL), ERR_OK);
    assert_int_equal(db_commit(s->w.node->db, NULL), ERR_OK);
    assert_false(scene_trust(s).distrusts);
    assert_true(scene_evidence_has(s, "explained "));
    memset(s->w.hub.last_hash, 0, HASH_BYTES); /* it answers anew what it had answered badly */
    const struct merkle_head bad = merkle_store_head(&s->log.store, s->log.store.edge.size);
    assert_true(bad.size > cut.size);
    s->log.proof_from = size;
    const struct carrier via = mock_hub_carrier(&s->w.hub);
    struct round_result r;
    assert_int_equal(node_sync(s->w.node, &via, &(struct round_options){.max_rounds = 1}, &r, NULL), ERR_OK);
    s->log.proof_from = 0;
    (void)mock_sync(&s->w, ERR_OK);
    assert_int_equal(scene_trust(s).kept.size, s->log.store.edge.size);
    assert_int_equal(scene_unsent(s), 0);
    s->log.no_proof = true;
    scene_finds_out(s, "changed afterwards"); /* it is watched as before */
}

/* It was shown what came after that cut, and nothing takes that back. */
static void statement_of_an_epoch_that_was_taken_before_explains_nothing_again(void **state)
{
    struct scene *s = *state;
    struct answer a = {.has_epoch_cut = true, .hello.epoch = s->w.node->epoch};
    struct mock_answer told;
    struct mock_request r = {.hello.request = 99};
    struct buf file;
    scene_write(s, "Mair");
    buf_init(&file, BUNDLE_MAX);
    assert_int_equal(node_bundle_export(s->w.node, &file, NULL), ERR_OK);
    buf_release(&file);
    a.epoch_cut = merkle_store_head(&s->log.store, 5);
    a.hello.request = (uint64_t)mock_ask(s->w.node, "SELECT value FROM n_number WHERE name = 'pending'");
    merkle_store_cut(&s->log.store, 5);
    s->log.fork = 3;
    told_log_add(&s->log, 40);
    mock_answer_begin(&told, &s->w.hub, &r);
    r.seen = a.epoch_cut;
    told_log_tell(&s->log, &s->w.hub, &r, &told);
    a.checkpoint = told.checkpoint;
    assert_int_equal(trust_judge(s->w.node, &a, NULL), ERR_TAMPERED);
    assert_non_null(a.distrust);
    a.distrust = NULL;
    a.hello.epoch++; /* of a new one it does */
    assert_int_equal(trust_judge(s->w.node, &a, NULL), ERR_OK);
    buf_release(&told.checkpoint);
    buf_release(&told.patchset);
}

#define scene_test(f) cmocka_unit_test_setup_teardown(f, scene_begin, scene_finish)
int main(void)
{
    const struct CMUnitTest tests[] = {
        scene_test(device_follows_the_checkpoints_of_a_hub_that_keeps_to_its_log),
        scene_test(answer_resumed_or_taken_twice_is_the_same_checkpoint),
        scene_test(file_that_comes_late_is_refused_as_late_and_costs_no_trust),
        scene_test(hub_that_edited_a_leaf_is_found_out),
        scene_test(hub_that_took_entries_out_is_found_out),
        scene_test(hub_that_took_entries_out_and_put_others_in_is_found_out),
        scene_test(hub_that_shows_two_logs_at_two_times_is_found_out),
        scene_test(same_size_with_another_root_is_found_out),
        scene_test(hub_that_stops_telling_is_found_out),
        scene_test(checkpoint_of_another_devices_log_is_refused),
        scene_test(checkpoint_of_another_hub_is_refused),
        scene_test(older_checkpoint_is_refused),
        scene_test(proof_that_is_not_there_is_missed),
        scene_test(proof_from_another_size_is_none),
        scene_test(proof_with_half_a_hash_more_is_none),
        scene_test(proof_with_a_hash_more_is_none),
        scene_test(proof_with_a_hash_less_is_none),
        scene_test(what_is_no_note_is_refused),
        scene_test(sizes_beyond_all_numbers_are_refused),
        scene_test(note_longer_than_any_is_refused_and_only_its_beginning_kept),
        scene_test(two_checkpoints_in_one_answer_are_no_answer),
        scene_test(orders_after_the_checkpoint_are_no_answer),
        scene_test(nothing_of_an_answer_with_a_bad_proof_is_carried_out),
        scene_test(answer_to_a_request_that_did_not_ask_needs_no_checkpoint),
        scene_test(kept_checkpoint_that_was_altered_here_is_seen_by_verify),
        scene_test(cut_that_a_statement_explains_lifts_the_distrust_and_is_proved_from),
        scene_test(statement_of_an_epoch_that_was_taken_before_explains_nothing_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
