/* The spool: the same request until it is answered, an answer that goes on where the link broke. */
#include "tests/lib/mock_hub.h"

#include "sync/bundle.h"
#include "sync/courier.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* A case and thirty persons: an answer of a few thousand bytes. */
static void give(struct mock_hub *h, const struct mock_request *r, struct mock_answer *a, void *ctx)
{
    uint8_t c[16], p[16];
    char name[400];
    uint32_t noise = 1; /* text that does not shrink */
    (void)h;
    (void)ctx;
    for (size_t i = 0; i < r->n_envelopes; i++) mock_answer_verdict(a, r->seqs[i], VERDICT_APPLIED, "");
    if (r->hello.request > 1) return;
    mock_id(c, 1);
    struct row row = mock_case(c);
    mock_answer_op(a, OP_INSERT, &row);
    for (unsigned i = 0; i < 30; i++) {
        for (size_t k = 0; k < sizeof name - 1; k++)
            name[k] = (char)('a' + ((noise = noise * 1664525u + 1013904223u) >> 16) % 26);
        name[sizeof name - 1] = '\0';
        mock_id(p, 100 + i);
        row = mock_person(p, c, name);
        mock_answer_op(a, OP_INSERT, &row);
    }
}

static void start(struct mock_world *w)
{
    mock_world_new(w);
    w->hub.script = give;
}

static uint64_t size_of(struct mock_world *w, const char *name)
{
    char path[160];
    uint64_t size = 0;
    mock_world_path(w, name, path);
    return w->env.file_size(w->env.ctx, path, &size, NULL) == ERR_OK ? size : 0;
}

/* Only the round that was broken off: another follows, because its answer may be as old as the first try. */
static struct round_result one_round(struct mock_world *w)
{
    const struct round_options opt = {.max_rounds = 1};
    struct round_result r;
    struct carrier via = mock_hub_carrier(&w->hub);
    assert_int_equal(node_sync(w->node, &via, &opt, &r, NULL), ERR_OK);
    return r;
}

static void a_broken_answer_goes_on_at_the_byte_where_it_broke(void **state)
{
    struct mock_world w;
    (void)state;
    start(&w);
    w.hub.break_after = 1500;
    (void)mock_sync(&w, ERR_UNREACHABLE);
    uint64_t have = size_of(&w, "spool/answer");
    assert_true(have >= 1500);
    assert_int_equal(mock_ask(w.node, "SELECT count(*) FROM person"), 0);
    mock_world_reopen(&w); /* also after a restart */
    w.hub.break_after = 0;
    struct round_result r = one_round(&w);
    assert_int_equal(w.hub.from, have);
    assert_int_equal(r.bytes_in, w.hub.last.len - have);
    assert_int_equal(r.rows_in, 31);
    assert_int_equal(size_of(&w, "spool/answer"), 0);
    assert_int_equal(mock_ask(w.node, "SELECT count(*) FROM n_state WHERE name = 'request'"), 0);
    mock_world_free(&w);
}

/* What was not synced when the power failed may come back as zeros: here, whom the answer is for. */
static void an_answer_whose_beginning_was_lost_with_the_power_is_fetched_anew(void **state)
{
    static const uint8_t zeros[16];
    struct mock_world w;
    char path[160];
    (void)state;
    start(&w);
    w.hub.break_after = 1500;
    (void)mock_sync(&w, ERR_UNREACHABLE);
    mock_world_path(&w, "spool/answer", path);
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, 6, SEEK_SET), 0); /* crypto/FORMAT.md, the header of a sealed stream */
    assert_int_equal(fwrite(zeros, 1, sizeof zeros, f), sizeof zeros);
    assert_int_equal(fclose(f), 0);
    mock_world_reopen(&w);
    w.hub.break_after = 0;
    assert_int_equal(one_round(&w).rows_in, 31);
    assert_int_equal(mock_ask(w.node, "SELECT count(*) FROM person"), 30);
    mock_world_free(&w);
}

static void an_answer_that_is_all_here_is_not_fetched_again(void **state)
{
    struct mock_world w;
    char path[160];
    (void)state;
    start(&w);
    w.hub.break_after = 1500;
    (void)mock_sync(&w, ERR_UNREACHABLE);
    mock_world_path(&w, "spool/answer", path);
    assert_int_equal(w.env.append_file(w.env.ctx, path, 0, buf_bytes(&w.hub.last), true, NULL), ERR_OK);
    w.hub.break_after = 0;
    struct round_result r = one_round(&w);
    assert_int_equal(w.hub.from, w.hub.last.len);
    assert_int_equal(r.bytes_in, 0);
    assert_int_equal(r.rows_in, 31);
    mock_world_free(&w);
}

/* A power cut may leave anything in the file: it does not authenticate, and is fetched from the start. */
static void a_garbled_spool_is_fetched_from_the_start(void **state)
{
    struct mock_world w;
    char path[160];
    uint8_t junk[900];
    (void)state;
    start(&w);
    w.hub.break_after = 1500;
    (void)mock_sync(&w, ERR_UNREACHABLE);
    memset(junk, 0x41, sizeof junk);
    mock_world_path(&w, "spool/answer", path);
    assert_int_equal(w.env.append_file(w.env.ctx, path, 0, bytes_of(junk, sizeof junk), true, NULL), ERR_OK);
    w.hub.break_after = 0;
    assert_int_equal(one_round(&w).rows_in, 31);
    assert_int_equal(w.hub.from, 0);
    mock_world_free(&w);
}

static void the_same_request_is_sent_until_it_is_answered(void **state)
{
    struct mock_world w;
    struct buf one, two;
    struct bytes request, more;
    uint8_t c[16];
    (void)state;
    start(&w);
    buf_init(&one, BUNDLE_MAX);
    buf_init(&two, BUNDLE_MAX);
    assert_int_equal(node_bundle_export(w.node, &one, NULL), ERR_OK);
    mock_id(c, 0x900);
    struct row row = mock_case(c);
    (void)mock_put(w.node, &row, 1); /* is not in that request, nor makes it another */
    mock_world_reopen(&w);
    assert_int_equal(node_bundle_export(w.node, &two, NULL), ERR_OK);
    assert_int_equal(courier_split(buf_bytes(&two), &request, &more, NULL), ERR_OK);
    assert_true(bytes_equal(buf_bytes(&one), request));
    assert_true(more.n > 0); /* it goes beside it */
    struct round_result r = mock_sync(&w, ERR_OK); /* that request, then another round with the change */
    assert_int_equal(r.rounds, 2);
    assert_int_equal(r.sent, 1);
    buf_reset(&two);
    assert_int_equal(node_bundle_export(w.node, &two, NULL), ERR_OK);
    assert_false(bytes_equal(buf_bytes(&one), buf_bytes(&two)));
    buf_release(&one);
    buf_release(&two);
    mock_world_free(&w);
}

static void a_request_that_was_changed_in_the_store_is_not_sent(void **state)
{
    struct mock_world w;
    struct buf b;
    struct round_result r;
    struct why why = {0};
    (void)state;
    start(&w);
    buf_init(&b, BUNDLE_MAX);
    assert_int_equal(node_bundle_export(w.node, &b, NULL), ERR_OK);
    assert_int_equal(
        db_exec(node_db(w.node), "UPDATE n_state SET value = substr(value, 2) WHERE name = 'request'", NULL), ERR_OK);
    struct carrier via = mock_hub_carrier(&w.hub);
    assert_int_equal(node_sync(w.node, &via, NULL, &r, &why), ERR_TAMPERED);
    assert_int_equal(w.hub.exchanges, 0);
    assert_true(why.next[0] != '\0');
    buf_release(&b);
    mock_world_free(&w);
}

static enum err full(void *ctx, const char *path, uint64_t offset, struct bytes content, bool sync, struct why *why)
{
    (void)ctx;
    (void)path;
    (void)offset;
    (void)content;
    (void)sync;
    return why_set(why, ERR_FULL, "The disk is full.");
}

static void a_full_disk_while_spooling_changes_nothing(void **state)
{
    struct mock_world w;
    uint8_t before[32], after[32];
    (void)state;
    start(&w);
    assert_int_equal(db_content_hash(node_db(w.node), before, NULL), ERR_OK);
    w.env.append_file = full;
    (void)mock_sync(&w, ERR_FULL);
    assert_int_equal(db_content_hash(node_db(w.node), after, NULL), ERR_OK);
    assert_memory_equal(before, after, 32);
    assert_int_equal(size_of(&w, "spool/answer"), 0);
    w.env = *env_posix();
    assert_int_equal(mock_sync(&w, ERR_OK).rows_in, 31);
    mock_world_free(&w);
}

static void an_answer_that_cannot_be_taken_is_not_kept(void **state)
{
    struct mock_world w;
    (void)state;
    start(&w);
    w.hub.break_after = 1500;
    (void)mock_sync(&w, ERR_UNREACHABLE);
    w.hub.last.data[w.hub.last.len - 1] ^= 1; /* on its way, both times */
    w.hub.break_after = 0;
    (void)mock_sync(&w, ERR_TAMPERED);
    assert_int_equal(size_of(&w, "spool/answer"), 0);
    w.hub.last.data[w.hub.last.len - 1] ^= 1;
    assert_int_equal(mock_sync(&w, ERR_OK).rows_in, 31);
    mock_world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_broken_answer_goes_on_at_the_byte_where_it_broke),
        cmocka_unit_test(an_answer_whose_beginning_was_lost_with_the_power_is_fetched_anew),
        cmocka_unit_test(an_answer_that_is_all_here_is_not_fetched_again),
        cmocka_unit_test(a_garbled_spool_is_fetched_from_the_start),
        cmocka_unit_test(the_same_request_is_sent_until_it_is_answered),
        cmocka_unit_test(a_request_that_was_changed_in_the_store_is_not_sent),
        cmocka_unit_test(a_full_disk_while_spooling_changes_nothing),
        cmocka_unit_test(an_answer_that_cannot_be_taken_is_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
