/* Taking away at the node: what is dropped is gone from every byte, then a receipt says so; and a crash between any two
 * steps ends in the same place. */
#include "tests/lib/mock_round.h"

#include "crypto/keyslot.h"
#include "crypto/pagevfs.h"
#include "node/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct needle {
    struct bytes what;
    size_t found;
};

static enum err look(void *ctx, uint32_t pgno, const uint8_t page[4096])
{
    struct needle *n = ctx;
    (void)pgno;
    n->found += memmem(page, 4096, n->what.p, n->what.n) != NULL;
    return ERR_OK;
}

/* Pages of the closed store, free ones too, that hold these bytes. */
static size_t find(struct mock_round *s, struct bytes what)
{
    struct needle n = {.what = what};
    struct keyring ring = {0};
    struct why why = {0};
    char path[160], device[160];
    mock_world_path(&s->w, "replica.key", path);
    mock_world_path(&s->w, "device.secret", device);
    const struct keyfile at = {path, device};
    assert_int_equal(keyslot_open(&s->w.env, &at, bytes_of_str(MOCK_PASSPHRASE), &ring, &why), ERR_OK);
    struct secret key = keyring_data_key(&ring);
    mock_world_path(&s->w, "replica.db", path);
    assert_int_equal(pagevfs_scan(path, &key, look, &n, &why), ERR_OK);
    keyring_release(&ring);
    return n.found;
}

static bool there(struct mock_round *s, const char *name)
{
    char path[160];
    uint64_t size = 0;
    mock_world_path(&s->w, name, path);
    return s->w.env.file_size(s->w.env.ctx, path, &size, NULL) == ERR_OK && size > 0;
}

static void close_node(struct mock_round *s)
{
    assert_int_equal(db_truncate_log(node_db(s->w.node), NULL), ERR_OK);
    node_close(s->w.node);
    s->w.node = NULL;
}

/* The rows were given; the next answer orders to forget person p. */
static void order_drop(struct mock_round *s)
{
    mock_round_seal(s);
    (void)mock_round_import(s, ERR_OK);
    mock_round_ask(s);
    mock_answer_drop(&s->a, "person", s->p);
    mock_round_seal(s);
}

static void a_dropped_row_is_in_no_byte_of_the_home(void **state)
{
    struct mock_round s;
    (void)state;
    mock_round_start(&s);
    mock_round_seal(&s);
    (void)mock_round_import(&s, ERR_OK);
    close_node(&s);
    assert_true(find(&s, bytes_of(s.p, 16)) > 0); /* the search finds what is there */
    assert_true(find(&s, bytes_of_str(MOCK_SECRET)) > 0);
    mock_world_reopen(&s.w);
    mock_round_ask(&s);
    mock_answer_drop(&s.a, "person", s.p);
    mock_round_seal(&s);
    assert_int_equal(mock_round_import(&s, ERR_OK).rows_dropped, 1);
    assert_false(there(&s, "spool/answer"));
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM n_state WHERE name = 'request'"), 0);
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM n_receipt WHERE kind = 1"), 1);
    close_node(&s);
    assert_false(there(&s, "replica.db-wal"));
    assert_int_equal(find(&s, bytes_of(s.p, 16)), 0);
    assert_int_equal(find(&s, bytes_of_str(MOCK_SECRET)), 0);
    assert_true(find(&s, bytes_of(s.q, 16)) > 0);
    mock_round_stop(&s);
}

static void a_receipt_names_the_order_and_no_row(void **state)
{
    struct mock_round s;
    uint8_t zeros[HASH_BYTES] = {0};
    (void)state;
    mock_round_start(&s);
    order_drop(&s);
    (void)mock_round_import(&s, ERR_OK);
    mock_round_ask(&s);
    assert_int_equal(s.req.n_receipts, 1);
    assert_int_equal(s.req.receipts[0].request, 2);
    assert_int_equal(s.req.receipts[0].rows, 1);
    assert_int_equal(s.req.receipts[0].kind, 1);
    assert_int_equal(s.req.receipts[0].parked, 0);
    assert_memory_not_equal(s.req.receipts[0].drops_hash, zeros, HASH_BYTES);
    mock_round_seal(&s);
    assert_int_equal(mock_round_import(&s, ERR_OK).receipts, 1);
    mock_round_ask(&s);
    assert_int_equal(s.req.n_receipts, 0); /* confirmed: not sent again */
    mock_round_stop(&s);
}

/* A crash after the drops and before the rest: the answer is taken again, the drops are not counted twice. */
static void a_crash_between_drops_and_pages_converges(void **state)
{
    struct mock_round s;
    struct answer a;
    struct round_result r = {0};
    char name[128];
    (void)state;
    mock_round_start(&s);
    mock_round_seal(&s);
    (void)mock_round_import(&s, ERR_OK);
    mock_round_ask(&s);
    mock_answer_drop(&s.a, "person", s.p);
    struct row row = mock_change("person", s.q, "family_name", "Rees");
    mock_answer_op(&s.a, OP_UPDATE, &row);
    mock_round_seal(&s);
    assert_int_equal(answer_verify(s.w.node, buf_bytes(&s.sealed), &a, NULL), ERR_OK);
    assert_int_equal(drops_carry_out(s.w.node, &a, &r, NULL), ERR_OK);
    answer_release(&a);
    mock_world_reopen(&s.w); /* no receipt yet: the answer may still lie in the spool */
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM n_receipt"), 0);
    mock_get(s.w.node, "person", s.p, "family_name", name);
    assert_string_equal(name, "-");
    mock_get(s.w.node, "person", s.q, "family_name", name);
    assert_string_equal(name, "Pritchard");
    assert_int_equal(mock_round_import(&s, ERR_OK).rows_dropped, 0);
    mock_get(s.w.node, "person", s.q, "family_name", name);
    assert_string_equal(name, "Rees");
    mock_round_ask(&s);
    assert_int_equal(s.req.n_receipts, 1);
    assert_int_equal(s.req.receipts[0].rows, 1);
    mock_round_stop(&s);
}

static enum err no_remove(void *ctx, const char *path, struct why *why)
{
    (void)ctx;
    (void)path;
    return why_set(why, ERR_IO, "the power went");
}

/* A crash after everything was taken and before the clean-up: the due receipt is found when the node is opened. */
static void a_crash_before_the_receipt_is_made_good_when_opened(void **state)
{
    struct mock_round s;
    (void)state;
    mock_round_start(&s);
    order_drop(&s);
    s.w.env.remove_file = no_remove;
    (void)mock_round_import(&s, ERR_IO);
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM n_receipt"), 0);
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM n_order WHERE stage = 0"), 1);
    s.w.env = *env_posix();
    mock_world_reopen(&s.w);
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM n_receipt WHERE kind = 1"), 1);
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM n_order"), 0);
    close_node(&s);
    assert_int_equal(find(&s, bytes_of(s.p, 16)), 0);
    mock_round_stop(&s);
}

/* Nothing may be signed for while the answer, which named the rows, still lies in the spool. */
static void no_receipt_is_signed_while_the_spool_cannot_be_cleared(void **state)
{
    struct mock_round s;
    (void)state;
    mock_round_start(&s);
    order_drop(&s);
    s.w.env.remove_file = no_remove;
    (void)mock_round_import(&s, ERR_IO);
    mock_world_reopen(&s.w); /* still no way to remove it */
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM n_receipt"), 0);
    s.w.env = *env_posix();
    mock_world_reopen(&s.w);
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM n_receipt"), 1);
    mock_round_stop(&s);
}

static void parked_edits_get_a_second_receipt_after_their_verdict(void **state)
{
    struct mock_round s;
    (void)state;
    mock_round_start(&s);
    mock_round_seal(&s);
    (void)mock_round_import(&s, ERR_OK);
    mock_round_ask(&s);
    (void)mock_set(s.w.node, "person", s.p, "given_names", "Nantymoch-Dyffryn"); /* after the request was made */
    mock_answer_drop(&s.a, "person", s.p);
    mock_round_seal(&s);
    (void)mock_round_import(&s, ERR_OK);
    mock_round_ask(&s);
    assert_int_equal(s.req.n_envelopes, 1); /* parked, and still sent */
    assert_int_equal(s.req.n_receipts, 1);
    assert_int_equal(s.req.receipts[0].kind, 1);
    assert_int_equal(s.req.receipts[0].parked, 1);
    mock_answer_verdict(&s.a, 1, VERDICT_HELD, "A manager decides.");
    mock_round_seal(&s);
    assert_int_equal(mock_round_import(&s, ERR_OK).held, 1);
    mock_round_ask(&s);
    assert_int_equal(s.req.n_receipts, 1);
    assert_int_equal(s.req.receipts[0].kind, 2);
    assert_int_equal(s.req.receipts[0].request, 2);
    assert_int_equal(s.req.receipts[0].parked, 0);
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM n_parked"), 0);
    close_node(&s);
    assert_int_equal(find(&s, bytes_of(s.p, 16)), 0);
    assert_int_equal(find(&s, bytes_of_str("Nantymoch-Dyffryn")), 0);
    mock_round_stop(&s);
}

/* The person r is new here, in a case that is taken away before the MASH has heard of r. */
static void unsent_work_in_a_case_that_goes_is_parked_and_leaves_no_byte_once_judged(void **state)
{
    struct mock_round s;
    uint8_t r[16];
    (void)state;
    mock_round_start(&s);
    mock_round_seal(&s);
    (void)mock_round_import(&s, ERR_OK);
    mock_round_ask(&s);
    mock_id(r, 90);
    struct row row = mock_person(r, s.c, "Nantymoch-Dyffryn");
    (void)mock_put(s.w.node, &row, 1); /* after the request was made */
    mock_answer_drop(&s.a, "case_file", s.c);
    mock_answer_drop(&s.a, "person", s.p);
    mock_answer_drop(&s.a, "person", s.q);
    mock_round_seal(&s);
    assert_int_equal(mock_round_import(&s, ERR_OK).rows_dropped, 3);
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM person"), 1); /* own work stays until it is judged */
    mock_round_ask(&s);
    assert_int_equal(s.req.n_envelopes, 1);
    assert_int_equal(s.req.receipts[0].kind, 1);
    assert_int_equal(s.req.receipts[0].parked, 1);
    mock_answer_verdict(&s.a, 1, VERDICT_HELD, "A manager decides.");
    mock_round_seal(&s);
    (void)mock_round_import(&s, ERR_OK);
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM n_receipt WHERE kind = 2"), 1);
    node_close(s.w.node); /* without care for the log: the receipt is signed */
    s.w.node = NULL;
    assert_int_equal(find(&s, bytes_of(s.c, 16)), 0);
    assert_int_equal(find(&s, bytes_of_str("Nantymoch-Dyffryn")), 0);
    mock_round_stop(&s);
}

static void unsent_work_that_names_no_dropped_row_is_not_parked(void **state)
{
    struct mock_round s;
    (void)state;
    mock_round_start(&s);
    mock_round_seal(&s);
    (void)mock_round_import(&s, ERR_OK);
    mock_round_ask(&s);
    (void)mock_set(s.w.node, "person", s.q, "given_names", "Nantymoch-Dyffryn");
    mock_answer_drop(&s.a, "person", s.p);
    mock_round_seal(&s);
    (void)mock_round_import(&s, ERR_OK);
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM n_parked"), 0);
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM n_order"), 0);
    mock_round_stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dropped_row_is_in_no_byte_of_the_home),
        cmocka_unit_test(a_receipt_names_the_order_and_no_row),
        cmocka_unit_test(a_crash_between_drops_and_pages_converges),
        cmocka_unit_test(a_crash_before_the_receipt_is_made_good_when_opened),
        cmocka_unit_test(no_receipt_is_signed_while_the_spool_cannot_be_cleared),
        cmocka_unit_test(parked_edits_get_a_second_receipt_after_their_verdict),
        cmocka_unit_test(unsent_work_in_a_case_that_goes_is_parked_and_leaves_no_byte_once_judged),
        cmocka_unit_test(unsent_work_that_names_no_dropped_row_is_not_parked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
