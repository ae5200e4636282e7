/* Taking an answer: what is refused leaves the replica exactly as it was. */
#include "tests/lib/mock_round.h"

#include "sync/bundle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void an_answer_is_taken_once(void **state)
{
    struct mock_round s;
    struct node_info i;
    (void)state;
    mock_round_start(&s);
    mock_round_seal(&s);
    assert_int_equal(mock_round_import(&s, ERR_OK).rows_in, 3);
    assert_int_equal(node_get_info(s.w.node, &i, NULL), ERR_OK);
    assert_memory_equal(i.cursor, s.a.page.to_cut, CUT_BYTES);
    mock_round_refuses(&s, ERR_EXISTS);
    mock_round_ask(&s);
    assert_int_equal(s.req.hello.request, 2);
    assert_memory_equal(s.req.hello.cursor, i.cursor, CUT_BYTES);
    mock_round_refuses(&s, ERR_FORMAT); /* sealed is empty now */
    mock_round_stop(&s);
}

static void an_answer_for_another_device_is_refused(void **state)
{
    struct mock_round s;
    struct identity_secret other = {0};
    (void)state;
    mock_round_start(&s);
    assert_int_equal(identity_generate(&other, NULL), ERR_OK);
    s.a.recipient = other.pub;
    mock_round_seal(&s);
    mock_round_refuses(&s, ERR_REFUSED);
    mock_round_ask(&s);
    mock_round_add_rows(&s);
    memcpy(s.a.hello.node, other.pub.kid, KID_BYTES); /* sealed to us, signed for another */
    mock_round_seal(&s);
    mock_round_refuses(&s, ERR_REFUSED);
    mock_round_ask(&s);
    mock_round_add_rows(&s);
    memcpy(s.a.page.node, other.pub.kid, KID_BYTES);
    mock_round_seal(&s);
    mock_round_refuses(&s, ERR_REFUSED);
    identity_release(&other);
    mock_round_stop(&s);
}

static void an_answer_of_another_hub_is_refused(void **state)
{
    struct mock_round s;
    struct identity_secret real = {0};
    (void)state;
    mock_round_start(&s);
    real = s.w.hub.id;
    assert_int_equal(identity_generate(&s.w.hub.id, NULL), ERR_OK);
    mock_round_seal(&s);
    mock_round_refuses(&s, ERR_REFUSED);
    /* … also when it says that it is ours */
    struct identity_secret liar = s.w.hub.id;
    s.w.hub.id = real;
    mock_round_ask(&s);
    mock_round_add_rows(&s);
    memcpy(liar.pub.kid, real.pub.kid, KID_BYTES);
    s.w.hub.id = liar;
    mock_round_seal(&s);
    mock_round_refuses(&s, ERR_TAMPERED);
    s.w.hub.id = real;
    identity_release(&liar);
    mock_round_stop(&s);
}

static void a_flipped_byte_anywhere_is_refused(void **state)
{
    struct mock_round s;
    (void)state;
    mock_round_start(&s);
    mock_round_seal(&s);
    for (size_t i = 0; i < s.sealed.len; i += 1 + s.sealed.len / 24) {
        struct round_result r;
        s.sealed.data[i] ^= 0x10;
        assert_int_not_equal(node_bundle_import(s.w.node, buf_bytes(&s.sealed), &r, NULL), ERR_OK);
        s.sealed.data[i] ^= 0x10;
    }
    s.sealed.data[s.sealed.len - 1] ^= 1;
    mock_round_refuses(&s, ERR_TAMPERED);
    s.sealed.data[s.sealed.len - 1] ^= 1;
    (void)mock_round_import(&s, ERR_OK);
    mock_round_stop(&s);
}

static void a_truncated_answer_is_refused(void **state)
{
    struct mock_round s;
    (void)state;
    mock_round_start(&s);
    mock_round_seal(&s);
    size_t whole = s.sealed.len;
    s.sealed.len = whole - 1;
    mock_round_refuses(&s, ERR_TAMPERED);
    s.sealed.len = whole;
    (void)mock_round_import(&s, ERR_OK);
    mock_round_stop(&s);
}

static void an_old_answer_is_refused(void **state)
{
    struct mock_round s;
    struct buf old;
    (void)state;
    mock_round_start(&s);
    mock_round_seal(&s);
    buf_init(&old, BUNDLE_MAX);
    buf_put_bytes(&old, buf_bytes(&s.sealed));
    (void)mock_round_import(&s, ERR_OK);
    mock_round_ask(&s);
    buf_put_bytes(&s.sealed, buf_bytes(&old));
    mock_round_refuses(&s, ERR_EXISTS);
    buf_release(&old);
    mock_round_stop(&s);
}

static void an_answer_that_skips_one_is_refused(void **state)
{
    struct mock_round s;
    (void)state;
    mock_round_start(&s);
    s.a.hello.request = 2;
    mock_round_seal(&s);
    mock_round_refuses(&s, ERR_FORMAT);
    mock_round_ask(&s);
    mock_round_add_rows(&s);
    s.a.hello.request_hash[0] ^= 1; /* right number, another request */
    mock_round_seal(&s);
    mock_round_refuses(&s, ERR_FORMAT);
    mock_round_stop(&s);
}

static void an_answer_put_together_from_others_is_refused(void **state)
{
    struct mock_round s;
    (void)state;
    mock_round_start(&s);
    s.a.wrong_binding = true;
    mock_round_seal(&s);
    mock_round_refuses(&s, ERR_TAMPERED);
    mock_round_ask(&s);
    mock_round_add_rows(&s);
    s.a.swap_content = true;
    mock_round_seal(&s);
    mock_round_refuses(&s, ERR_TAMPERED);
    mock_round_stop(&s);
}

static void an_answer_of_another_epoch_is_refused(void **state)
{
    struct mock_round s;
    (void)state;
    mock_round_start(&s);
    s.a.hello.epoch = 2;
    mock_round_seal(&s);
    mock_round_refuses(&s, ERR_REFUSED);
    mock_round_ask(&s);
    mock_round_add_rows(&s);
    s.a.page.epoch = 2;
    mock_round_seal(&s);
    mock_round_refuses(&s, ERR_FORMAT);
    mock_round_stop(&s);
}

static void a_page_from_another_cut_is_refused(void **state)
{
    struct mock_round s;
    (void)state;
    mock_round_start(&s);
    s.a.page.from_cut[3] = 1;
    mock_round_seal(&s);
    mock_round_refuses(&s, ERR_FORMAT);
    mock_round_ask(&s);
    mock_round_add_rows(&s);
    s.a.hello.cut[3] ^= 1; /* the page leads elsewhere than the hello says */
    mock_round_seal(&s);
    mock_round_refuses(&s, ERR_FORMAT);
    mock_round_stop(&s);
}

static void a_verdict_on_a_change_never_made_is_refused(void **state)
{
    struct mock_round s;
    (void)state;
    mock_round_start(&s);
    mock_answer_verdict(&s.a, 1, VERDICT_APPLIED, "");
    mock_round_seal(&s);
    mock_round_refuses(&s, ERR_FORMAT);
    mock_round_stop(&s);
}

static void missing_drops_are_refused_and_nothing_is_dropped(void **state)
{
    struct mock_round s;
    char name[128];
    (void)state;
    mock_round_start(&s);
    mock_round_seal(&s);
    (void)mock_round_import(&s, ERR_OK);
    mock_round_ask(&s);
    mock_answer_drop(&s.a, "person", s.p);
    s.a.hello.drops = 2;
    mock_round_seal(&s);
    mock_round_refuses(&s, ERR_FORMAT);
    mock_get(s.w.node, "person", s.p, "family_name", name);
    assert_string_equal(name, MOCK_SECRET);
    mock_round_stop(&s);
}

static void a_page_that_deletes_is_refused(void **state)
{
    struct mock_round s;
    (void)state;
    mock_round_start(&s);
    mock_round_seal(&s);
    (void)mock_round_import(&s, ERR_OK);
    mock_round_ask(&s);
    struct op op = {.kind = OP_DELETE, .table_index = rules_table_index(bytes_of_str("person"))};
    struct row row = mock_person(s.p, s.c, "x");
    op.table = row.table;
    op.old[0] = row.v[0];
    mock_answer_op(&s.a, OP_INSERT, &row);
    buf_reset(&s.a.patchset);
    changeset_writer_init(&s.a.writer, &s.a.patchset, true, rules_schema_newest());
    changeset_put(&s.a.writer, &op);
    mock_round_seal(&s);
    mock_round_refuses(&s, ERR_FORMAT);
    mock_round_stop(&s);
}

/* The store is full while the answer is written: the replica is as it was, and takes the answer once there is room. */
static void a_full_disk_leaves_the_replica_as_it_was(void **state)
{
    struct mock_round s;
    char sql[80], big[2000];
    (void)state;
    mock_round_start(&s);
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    uint8_t id[16];
    for (unsigned i = 0; i < 60; i++) {
        mock_id(id, 0x5000 + i);
        struct row row = mock_person(id, s.c, big);
        mock_answer_op(&s.a, OP_INSERT, &row);
    }
    mock_round_seal(&s);
    (void)snprintf(sql, sizeof sql, "PRAGMA max_page_count = %d", (int)mock_ask(s.w.node, "PRAGMA page_count") + 3);
    assert_int_equal(db_exec(node_db(s.w.node), sql, NULL), ERR_OK);
    mock_round_refuses(&s, ERR_FULL);
    assert_int_equal(db_exec(node_db(s.w.node), "PRAGMA max_page_count = 100000", NULL), ERR_OK);
    assert_int_equal(mock_round_import(&s, ERR_OK).rows_in, 63);
    mock_round_stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_taken_once),
        cmocka_unit_test(an_answer_for_another_device_is_refused),
        cmocka_unit_test(an_answer_of_another_hub_is_refused),
        cmocka_unit_test(a_flipped_byte_anywhere_is_refused),
        cmocka_unit_test(a_truncated_answer_is_refused),
        cmocka_unit_test(an_old_answer_is_refused),
        cmocka_unit_test(an_answer_that_skips_one_is_refused),
        cmocka_unit_test(an_answer_put_together_from_others_is_refused),
        cmocka_unit_test(an_answer_of_another_epoch_is_refused),
        cmocka_unit_test(a_page_from_another_cut_is_refused),
        cmocka_unit_test(a_verdict_on_a_change_never_made_is_refused),
        cmocka_unit_test(missing_drops_are_refused_and_nothing_is_dropped),
        cmocka_unit_test(a_page_that_deletes_is_refused),
        cmocka_unit_test(a_full_disk_leaves_the_replica_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
