/* A round in halves (node/node.h): people work on while its bytes travel. */
#include "tests/lib/mock_hub.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static enum err take(void *ctx, struct bytes piece, struct why *why)
{
    (void)why;
    buf_put_bytes(ctx, piece);
    return ERR_OK;
}

/* What the hub answers to this request. */
static void carry(struct mock_world *w, const struct node_round *r, struct buf *answer)
{
    struct carrier via = mock_hub_carrier(&w->hub);
    buf_init(answer, 1u << 24);
    assert_int_equal(via.exchange(via.ctx, buf_bytes(&r->request), 0, 0, take, answer, NULL), ERR_OK);
}

static void one_case(struct mock_hub *h, const struct mock_request *r, struct mock_answer *a, void *ctx)
{
    uint8_t id[16];
    (void)h, (void)r, (void)ctx;
    mock_id(id, 1);
    struct row c = mock_case(id);
    mock_answer_op(a, OP_INSERT, &c);
    for (size_t i = 0; i < r->n_envelopes; i++) mock_answer_verdict(a, r->seqs[i], VERDICT_APPLIED, NULL);
}

static void halves_bring_what_a_whole_round_brings(void **state)
{
    struct mock_world w;
    struct node_round r;
    struct round_result got = {0};
    struct buf answer;
    bool more = true;
    (void)state;
    mock_world_new(&w);
    w.hub.script = one_case;
    node_round_init(&r);
    assert_int_equal(node_round_begin(w.node, &(struct round_options){0}, &r, NULL), ERR_OK);
    assert_false(r.again);
    carry(&w, &r, &answer);
    assert_int_equal(node_round_end(w.node, &r, buf_bytes(&answer), &got, &more, NULL), ERR_OK);
    assert_int_equal(got.rows_in, 1);
    assert_false(more);
    assert_int_equal(mock_ask(w.node, "SELECT count(*) FROM case_file"), 1);
    buf_release(&answer);
    node_round_release(&r);
    mock_world_free(&w);
}

static void the_device_may_be_closed_and_written_on_in_between(void **state)
{
    struct mock_world w;
    struct node_round r, next;
    struct round_result got = {0};
    struct buf answer;
    uint8_t id[16];
    bool more = false;
    (void)state;
    mock_world_new(&w);
    node_round_init(&r);
    node_round_init(&next);
    assert_int_equal(node_round_begin(w.node, &(struct round_options){0}, &r, NULL), ERR_OK);
    carry(&w, &r, &answer);
    mock_world_reopen(&w);
    mock_id(id, 2);
    struct row c = mock_case(id);
    (void)mock_put(w.node, &c, 1);
    assert_int_equal(node_round_end(w.node, &r, buf_bytes(&answer), &got, &more, NULL), ERR_OK);
    assert_int_equal(got.sent, 0); /* it was not in that request, and is not lost */
    assert_int_equal(mock_ask(w.node, "SELECT count(*) FROM n_outbox WHERE state = 'unsent'"), 1);
    buf_release(&answer);
    assert_int_equal(node_round_begin(w.node, &(struct round_options){0}, &next, NULL), ERR_OK);
    carry(&w, &next, &answer);
    assert_int_equal(node_round_end(w.node, &next, buf_bytes(&answer), &got, &more, NULL), ERR_OK);
    assert_int_equal(mock_ask(w.node, "SELECT count(*) FROM n_outbox WHERE state = 'unsent'"), 0);
    buf_release(&answer);
    node_round_release(&next);
    node_round_release(&r);
    mock_world_free(&w);
}

static void a_request_begun_again_is_the_same_bytes_and_newer_work_follows(void **state)
{
    struct mock_world w;
    struct node_round r, again;
    struct round_result got = {0};
    struct buf answer;
    uint8_t id[16];
    bool more = false;
    (void)state;
    mock_world_new(&w);
    node_round_init(&r);
    node_round_init(&again);
    assert_int_equal(node_round_begin(w.node, &(struct round_options){.wait_ms = 50000}, &r, NULL), ERR_OK);
    mock_id(id, 2);
    struct row c = mock_case(id);
    (void)mock_put(w.node, &c, 1);
    assert_int_equal(node_round_begin(w.node, &(struct round_options){0}, &again, NULL), ERR_OK);
    assert_true(again.again);
    assert_true(bytes_equal(buf_bytes(&r.request), buf_bytes(&again.request)));
    carry(&w, &again, &answer);
    assert_int_equal(node_round_end(w.node, &again, buf_bytes(&answer), &got, &more, NULL), ERR_OK);
    assert_true(more); /* the contact goes on */
    buf_release(&answer);
    node_round_release(&again);
    node_round_release(&r);
    mock_world_free(&w);
}

static void an_answer_that_another_program_took_changes_nothing(void **state)
{
    struct mock_world w;
    struct node_round r;
    struct round_result got = {0};
    struct buf answer;
    bool more = false;
    (void)state;
    mock_world_new(&w);
    w.hub.script = one_case;
    node_round_init(&r);
    assert_int_equal(node_round_begin(w.node, &(struct round_options){0}, &r, NULL), ERR_OK);
    carry(&w, &r, &answer);
    (void)mock_sync(&w, ERR_OK);
    uint8_t before[32], after[32];
    assert_int_equal(db_content_hash(node_db(w.node), before, NULL), ERR_OK);
    assert_int_equal(node_round_end(w.node, &r, buf_bytes(&answer), &got, &more, NULL), ERR_EXISTS);
    assert_int_equal(db_content_hash(node_db(w.node), after, NULL), ERR_OK);
    assert_memory_equal(before, after, 32);
    buf_release(&answer);
    node_round_release(&r);
    mock_world_free(&w);
}

static void a_round_that_broke_says_what_waits_here(void **state)
{
    struct mock_world w;
    struct why why = {0};
    uint8_t id[16];
    (void)state;
    mock_world_new(&w);
    mock_id(id, 2);
    struct row c = mock_case(id);
    (void)mock_put(w.node, &c, 1);
    (void)why_set(&why, ERR_UNREACHABLE, "No way.");
    assert_int_equal(node_round_broke(w.node, ERR_UNREACHABLE, &why), ERR_UNREACHABLE);
    assert_non_null(strstr(why.text, "No way."));
    assert_non_null(strstr(why.text, "Nothing is lost: 1 change waits"));
    (void)why_set(&why, ERR_EXISTS, "The MASH server says: no");
    assert_int_equal(node_round_broke(w.node, ERR_EXISTS, &why), ERR_EXISTS);
    assert_non_null(strstr(why.next, "spoke enrol --again"));
    mock_world_free(&w);
}

static void what_is_about_a_device_is_told_without_counting(void **state)
{
    struct mock_world w;
    struct node_info brief, whole;
    (void)state;
    mock_world_new(&w);
    w.hub.script = one_case;
    (void)mock_sync(&w, ERR_OK);
    assert_int_equal(node_about(w.node, &brief, NULL), ERR_OK);
    assert_int_equal(node_get_info(w.node, &whole, NULL), ERR_OK);
    assert_string_equal(brief.site, whole.site);
    assert_memory_equal(brief.user, whole.user, 16);
    assert_int_equal(brief.last_contact_ms, whole.last_contact_ms);
    assert_int_equal(brief.rows, 0);
    assert_int_equal(whole.rows, 1);
    mock_world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(halves_bring_what_a_whole_round_brings),
        cmocka_unit_test(the_device_may_be_closed_and_written_on_in_between),
        cmocka_unit_test(a_request_begun_again_is_the_same_bytes_and_newer_work_follows),
        cmocka_unit_test(an_answer_that_another_program_took_changes_nothing),
        cmocka_unit_test(a_round_that_broke_says_what_waits_here),
        cmocka_unit_test(what_is_about_a_device_is_told_without_counting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
