/* What is said of logs: sync/FORMAT.md §4.4, items 11 and 28; and what a program says that it knows. */
#include "base/cbor.h"
#include "sync/messages.h"
#include "sync/question.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void what_a_program_knows_are_whole_words_at_its_end(void **state)
{
    (void)state;
    assert_true(message_knows("spoke 0.1.0 +log", "log"));
    assert_true(message_knows("spoke 0.1.0 +note+log", "log"));
    assert_true(message_knows("spoke 0.1.0 +log+note", "log"));
    assert_false(message_knows("spoke 0.1.0", "log"));
    assert_false(message_knows("spoke 0.1.0 +logs", "log"));
    assert_false(message_knows("spoke 0.1.0 +lo", "log"));
    assert_false(message_knows("spoke 0.1.0+log", "log"));
    assert_false(message_knows("", "log"));
    assert_false(message_knows("spoke 0.1.0 +", "log"));
}

static void put(struct buf *b, struct bytes v)
{
    buf_reset(b);
    buf_put_bytes(b, v);
}

static void checkpoint_told_is_read_as_it_was_written_and_nothing_else_is(void **state)
{
    static uint8_t proof[65 * 32];
    static char note[MESSAGE_NOTE_MAX + 1];
    struct merkle_head head = {.size = 77}, got;
    struct checkpoint_item item, back;
    struct buf b, bad;
    (void)state;
    buf_init(&b, 1u << 16);
    buf_init(&bad, 1u << 16);
    memset(head.root, 9, sizeof head.root);
    memset(note, 'n', sizeof note);
    message_put_seen(&b, &head);
    assert_int_equal(message_type(buf_bytes(&b)), MSG_SEEN);
    assert_int_equal(message_get_seen(buf_bytes(&b), &got, NULL), ERR_OK);
    assert_memory_equal(&got, &head, sizeof got);
    for (size_t n = 0; n < b.len; n++) assert_int_equal(message_get_seen(bytes_of(b.data, n), &got, NULL), ERR_FORMAT);
    put(&bad, buf_bytes(&b));
    buf_put_u8(&bad, 0);
    assert_int_equal(message_get_seen(buf_bytes(&bad), &got, NULL), ERR_FORMAT);
    head.size = 0;
    buf_reset(&b);
    message_put_seen(&b, &head);
    assert_int_equal(message_get_seen(buf_bytes(&b), &got, NULL), ERR_FORMAT);
    head.size = MERKLE_MAX_SIZE + 1;
    buf_reset(&b);
    message_put_seen(&b, &head);
    assert_int_equal(message_get_seen(buf_bytes(&b), &got, NULL), ERR_FORMAT);
    for (size_t n_note = MESSAGE_NOTE_MAX - 1; n_note <= MESSAGE_NOTE_MAX + 1; n_note++) {
        for (size_t n_proof = 63 * 32; n_proof <= 65 * 32; n_proof += 32) {
            bool fits = n_note <= MESSAGE_NOTE_MAX && n_proof <= 64 * 32;
            item = (struct checkpoint_item){bytes_of(note, n_note), bytes_of(proof, n_proof)};
            buf_reset(&b);
            message_put_checkpoint(&b, &item);
            assert_int_equal(message_type(buf_bytes(&b)), MSG_CHECKPOINT);
            assert_int_equal(message_get_checkpoint(buf_bytes(&b), &back, NULL), fits ? ERR_OK : ERR_FORMAT);
            if (fits) assert_true(bytes_equal(back.note, item.note) && bytes_equal(back.proof, item.proof));
        }
    }
    buf_release(&b);
    buf_release(&bad);
}

static void question_about_a_change_names_its_number_and_nothing_else(void **state)
{
    struct identity_secret by;
    struct question q = {.number = 1, .kind = QUESTION_LOGGED, .at = 5}, bad;
    struct buf b;
    (void)state;
    assert_int_equal(secret_start(NULL), ERR_OK);
    assert_int_equal(identity_generate(&by, NULL), ERR_OK);
    buf_init(&b, 1u << 16);
    assert_int_equal(message_put_question(&b, &by, &q, NULL), ERR_OK);
    assert_int_equal(message_get_question(buf_bytes(&b), &by.pub, &bad, NULL), ERR_OK);
    assert_int_equal(bad.at, 5);
    bad = q, bad.at = 0;
    assert_int_equal(message_put_question(&b, &by, &bad, NULL), ERR_FORMAT);
    bad = q, bad.table = 1;
    assert_int_equal(message_put_question(&b, &by, &bad, NULL), ERR_FORMAT);
    bad = q, bad.id[3] = 1;
    assert_int_equal(message_put_question(&b, &by, &bad, NULL), ERR_FORMAT);
    bad = q, strcpy(bad.text, "x");
    assert_int_equal(message_put_question(&b, &by, &bad, NULL), ERR_FORMAT);
    bad = q, strcpy(bad.agency, "x");
    assert_int_equal(message_put_question(&b, &by, &bad, NULL), ERR_FORMAT);
    bad = q, bad.kind = QUESTION_LOGGED + 1;
    assert_int_equal(message_put_question(&b, &by, &bad, NULL), ERR_FORMAT);
    identity_release(&by);
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_program_knows_are_whole_words_at_its_end),
        cmocka_unit_test(checkpoint_told_is_read_as_it_was_written_and_nothing_else_is),
        cmocka_unit_test(question_about_a_change_names_its_number_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
