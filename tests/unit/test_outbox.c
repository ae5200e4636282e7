/* The outbox: a signed chain, sent in order and in pieces, sealed away once judged. */
#include "tests/lib/mock_hub.h"

#include "crypto/seal.h"
#include "node/internal.h"
#include "sync/bundle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void start(struct mock_world *w, uint8_t c[16])
{
    mock_world_new(w);
    mock_id(c, 1);
    struct row row = mock_case(c);
    assert_int_equal(mock_put(w->node, &row, 1), 1);
}

/* One column of one envelope, copied. */
static void blob(struct node *n, const char *sql, struct buf *out)
{
    struct stmt *s = NULL;
    bool row = false;
    buf_init(out, BUNDLE_MAX);
    assert_int_equal(db_prepare(node_db(n), sql, &s, NULL), ERR_OK);
    assert_int_equal(db_step(s, &row, NULL), ERR_OK);
    assert_true(row);
    buf_put_bytes(out, db_bytes(s, 0));
    db_done(s);
}

static void envelopes_are_numbered_chained_and_signed(void **state)
{
    struct mock_world w;
    struct envelope one, two;
    struct buf a, b;
    uint8_t c[16], hash[HASH_BYTES], zeros[HASH_BYTES] = {0};
    (void)state;
    start(&w, c);
    assert_int_equal(mock_set(w.node, "case_file", c, "area", "north"), 2);
    blob(w.node, "SELECT cose FROM n_outbox WHERE seq = 1", &a);
    blob(w.node, "SELECT cose FROM n_outbox WHERE seq = 2", &b);
    assert_int_equal(envelope_verify(buf_bytes(&a), &w.hub.node, &one, NULL), ERR_OK);
    assert_int_equal(envelope_verify(buf_bytes(&b), &w.hub.node, &two, NULL), ERR_OK);
    assert_int_equal(one.h.seq, 1);
    assert_int_equal(two.h.seq, 2);
    assert_memory_equal(one.h.prev, zeros, HASH_BYTES);
    envelope_hash(buf_bytes(&a), hash);
    assert_memory_equal(two.h.prev, hash, HASH_BYTES);
    assert_memory_equal(two.h.hub, w.hub.id.pub.kid, KID_BYTES);
    assert_true(two.h.hlc > one.h.hlc);
    buf_release(&a);
    buf_release(&b);
    mock_world_free(&w);
}

static void a_refused_edit_leaves_no_gap_in_the_numbers(void **state)
{
    struct mock_world w;
    struct verify_result v;
    uint8_t c[16];
    uint64_t seq;
    (void)state;
    start(&w, c);
    assert_int_equal(node_edit_begin(w.node, NULL), ERR_OK);
    assert_int_equal(db_exec(node_db(w.node), "UPDATE case_file SET agency = 'police'", NULL), ERR_OK);
    assert_int_equal(node_edit_commit(w.node, "tried", &seq, NULL), ERR_DENIED);
    assert_int_equal(mock_set(w.node, "case_file", c, "area", "north"), 2);
    assert_int_equal(node_verify(w.node, &v, NULL), ERR_OK);
    assert_int_equal(v.envelopes, 2);
    mock_world_free(&w);
}

static void judged_content_opens_for_the_recovery_key_alone(void **state)
{
    struct mock_world w;
    struct buf before, sealed, open;
    uint8_t c[16];
    (void)state;
    start(&w, c);
    blob(w.node, "SELECT item FROM n_content", &before);
    (void)mock_sync(&w, ERR_OK);
    assert_int_equal(mock_ask(w.node, "SELECT count(*) FROM n_content"), 0);
    blob(w.node, "SELECT sealed FROM n_outbox", &sealed);
    buf_init(&open, BUNDLE_MAX);
    assert_int_equal(seal_box_open(buf_bytes(&sealed), &w.hub.recovery, &open, NULL), ERR_OK);
    assert_true(bytes_equal(buf_bytes(&open), buf_bytes(&before)));
    assert_int_not_equal(seal_box_open(buf_bytes(&sealed), &w.hub.id, &open, NULL), ERR_OK);
    buf_release(&before);
    buf_release(&sealed);
    buf_release(&open);
    mock_world_free(&w);
}

/* 11 MB of changes: a request carries about 4, the next rounds the rest, in order. */
static void much_work_goes_in_several_requests_in_order(void **state)
{
    struct mock_world w;
    uint8_t c[16], p[16];
    char *text = malloc(1000001);
    (void)state;
    assert_non_null(text);
    start(&w, c);
    mock_id(p, 2);
    struct row row = mock_person(p, c, "Pritchard");
    (void)mock_put(w.node, &row, 1);
    for (int i = 0; i < 6; i++) {
        memset(text, 'a' + i, 1000000);
        text[1000000] = '\0';
        (void)mock_set(w.node, "person", p, "family_name", text);
    }
    struct round_result r = mock_sync(&w, ERR_OK);
    assert_int_equal(r.sent, 8);
    assert_int_equal(r.rounds, 3); /* a change of a value carries the old one too: 2 MB each */
    assert_int_equal(w.hub.seen.seqs[w.hub.seen.n_envelopes - 1], 8);
    free(text);
    mock_world_free(&w);
}

static void no_verdicts(struct mock_hub *h, const struct mock_request *r, struct mock_answer *a, void *ctx)
{
    (void)h;
    (void)r;
    (void)a;
    (void)ctx;
}

static void a_hub_that_judges_nothing_is_not_asked_for_ever(void **state)
{
    struct mock_world w;
    uint8_t c[16];
    (void)state;
    start(&w, c);
    w.hub.script = no_verdicts;
    assert_int_equal(mock_sync(&w, ERR_OK).rounds, 1);
    assert_int_equal(mock_ask(w.node, "SELECT count(*) FROM n_outbox WHERE state = 'unsent'"), 1);
    mock_world_free(&w);
}

struct seen {
    size_t n;
    char states[8][16];
    char reasons[8][64];
    char whats[8][64];
    bool parked[8];
    char kept[8][8];
};

static enum err note(void *ctx, const struct outbox_item *i, struct why *why)
{
    struct seen *s = ctx;
    (void)why;
    assert_true(s->n < 8 && i->seq == s->n + 1 && i->bytes > 0 && i->written_ms > 0);
    (void)snprintf(s->states[s->n], 16, "%s", i->state);
    (void)snprintf(s->reasons[s->n], 64, "%s", i->reason != NULL ? i->reason : "-");
    (void)snprintf(s->whats[s->n], 64, "%s", i->what);
    (void)snprintf(s->kept[s->n], 8, "%s", i->kept);
    s->parked[s->n++] = i->parked;
    return ERR_OK;
}

static void hold(struct mock_hub *h, const struct mock_request *r, struct mock_answer *a, void *ctx)
{
    (void)h;
    (void)ctx;
    for (size_t i = 0; i < r->n_envelopes; i++) mock_answer_verdict(a, r->seqs[i], VERDICT_HELD, "A manager decides.");
    if (r->hello.request == 2) mock_answer_verdict(a, 1, VERDICT_APPLIED, ""); /* decided later, told later */
}

static void the_outbox_tells_what_became_of_each_change(void **state)
{
    struct mock_world w;
    struct seen s = {0};
    uint8_t c[16];
    (void)state;
    start(&w, c);
    w.hub.script = hold;
    assert_int_equal(mock_sync(&w, ERR_OK).held, 1);
    assert_int_equal(node_outbox(w.node, note, &s, NULL), ERR_OK);
    assert_int_equal(s.n, 1);
    assert_string_equal(s.states[0], "held");
    assert_string_equal(s.reasons[0], "A manager decides.");
    assert_string_equal(s.whats[0], "put rows");
    assert_string_equal(s.kept[0], "text"); /* its author may want it */
    struct round_result r = mock_sync(&w, ERR_OK);
    assert_int_equal(r.applied, 1);
    assert_int_equal(r.sent, 0);
    memset(&s, 0, sizeof s);
    assert_int_equal(node_outbox(w.node, note, &s, NULL), ERR_OK);
    assert_string_equal(s.states[0], "applied");
    assert_string_equal(s.reasons[0], "-");
    assert_string_equal(s.kept[0], "sealed");
    assert_int_equal(outbox_covered(w.node, 1, NULL), ERR_OK); /* a backup has it */
    memset(&s, 0, sizeof s);
    assert_int_equal(node_outbox(w.node, note, &s, NULL), ERR_OK);
    assert_string_equal(s.kept[0], "none");
    mock_world_free(&w);
}

static void drop_case(struct mock_hub *h, const struct mock_request *r, struct mock_answer *a, void *ctx)
{
    (void)h;
    if (r->hello.request == 1) mock_answer_drop(a, "case_file", ctx);
}

static void a_parked_change_is_listed_as_parked_and_still_sent(void **state)
{
    struct mock_world w;
    struct seen s = {0};
    uint8_t c[16];
    (void)state;
    start(&w, c);
    w.hub.script = drop_case;
    w.hub.script_ctx = c;
    struct round_result r = mock_sync(&w, ERR_OK);
    assert_int_equal(r.rows_dropped, 1);
    assert_int_equal(r.receipts, 1);
    assert_int_equal(w.hub.seen.n_envelopes, 1);
    assert_int_equal(w.hub.seen.n_receipts, 1);
    assert_int_equal(node_outbox(w.node, note, &s, NULL), ERR_OK);
    assert_true(s.parked[0]);
    assert_string_equal(s.states[0], "unsent");
    w.hub.script = NULL;
    r = mock_sync(&w, ERR_OK); /* applied, and the second receipt follows at once */
    assert_int_equal(r.applied, 1);
    assert_int_equal(r.receipts, 1);
    assert_int_equal(w.hub.seen.receipts[0].kind, 2);
    mock_world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(envelopes_are_numbered_chained_and_signed),
        cmocka_unit_test(a_refused_edit_leaves_no_gap_in_the_numbers),
        cmocka_unit_test(judged_content_opens_for_the_recovery_key_alone),
        cmocka_unit_test(much_work_goes_in_several_requests_in_order),
        cmocka_unit_test(a_hub_that_judges_nothing_is_not_asked_for_ever),
        cmocka_unit_test(the_outbox_tells_what_became_of_each_change),
        cmocka_unit_test(a_parked_change_is_listed_as_parked_and_still_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
