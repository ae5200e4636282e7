/* The bytes of questions and replies. */
#include "sync/question.h"
#include "sync/rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct identity_secret me;

static struct question good(enum question_kind kind)
{
    struct question q = {.number = 3, .kind = kind, .table = 9, .at = kind == QUESTION_WHO_SAW ? 5 : 0};
    assert_string_equal(rules_table(9)->name, "case_file");
    q.id[3] = 7;
    if (kind == QUESTION_SHARE || kind == QUESTION_UNSHARE) (void)snprintf(q.agency, sizeof q.agency, "school");
    if (kind == QUESTION_SHARE) (void)snprintf(q.text, sizeof q.text, "view\nschool-1");
    if (kind != QUESTION_EMERGENCY) return q;
    q.table = 0;
    q.id[3] = 0;
    (void)snprintf(q.text, sizeof q.text, "C-7K2M9QXD\nA child at the door.");
    return q;
}

static void a_question_is_read_as_it_was_put(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 1u << 16);
    for (int kind = QUESTION_EXPLAIN; kind <= QUESTION_EMERGENCY; kind++) {
        struct question q = good((enum question_kind)kind), out;
        buf_reset(&b);
        assert_int_equal(message_put_question(&b, &me, &q, NULL), ERR_OK);
        assert_int_equal(message_type(buf_bytes(&b)), MSG_QUESTION);
        assert_int_equal(message_get_question(buf_bytes(&b), &me.pub, &out, NULL), ERR_OK);
        assert_int_equal(out.kind, q.kind);
        assert_int_equal(out.number, 3);
        assert_int_equal(out.table, q.table);
        assert_memory_equal(out.id, q.id, 16);
        assert_int_equal(out.at, q.at);
        assert_string_equal(out.agency, q.agency);
        assert_string_equal(out.text, q.text);
        for (size_t cut = 0; cut < b.len; cut += 7)
            assert_int_not_equal(message_get_question(bytes_of(b.data, cut), &me.pub, &out, NULL), ERR_OK);
        b.data[b.len - 1] ^= 1;
        assert_int_equal(message_get_question(buf_bytes(&b), &me.pub, &out, NULL), ERR_TAMPERED);
    }
    buf_release(&b);
}

static void a_question_that_says_more_than_its_kind_is_refused(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 1u << 16);
    for (int kind = QUESTION_EXPLAIN; kind <= QUESTION_EMERGENCY; kind++) {
        for (int what = 0; what < 6; what++) {
            struct question q = good((enum question_kind)kind);
            if (what == 0) q.number = 0;
            if (what == 1) q.table = 9999;
            if (what == 2) q.at = kind == QUESTION_WHO_SAW ? (uint64_t)INT64_MAX + 1 : 1;
            if (what == 3) q.kind = kind == QUESTION_EXPLAIN ? 0 : 6;
            if (what == 4) (void)snprintf(q.agency, sizeof q.agency, "%s", q.agency[0] == '\0' ? "x" : "");
            if (what == 5 && kind == QUESTION_EMERGENCY) (void)snprintf(q.text, sizeof q.text, "no line feed");
            if (what == 5 && kind == QUESTION_SHARE) q.text[0] = '\0';
            if (what == 5 && kind != QUESTION_EMERGENCY && kind != QUESTION_SHARE) q.text[0] = 'x';
            assert_int_equal(message_put_question(&b, &me, &q, NULL), ERR_FORMAT);
            assert_int_equal(b.len, 0);
        }
    }
    buf_release(&b);
}

static void a_reply_is_read_as_it_was_put_and_no_longer_than_it_may_be(void **state)
{
    char big[REPLY_MAX_WORD + 2];
    struct bytes w[REPLY_MAX_WORDS + 1];
    struct buf lines, item;
    struct reply out, r = {.number = 4, .kind = QUESTION_WHO_SAW, .clock_ms = 5};
    struct reply_line line;
    (void)state;
    memset(big, 'b', sizeof big);
    for (size_t i = 0; i <= REPLY_MAX_WORDS; i++) w[i] = bytes_of(big, i == 0 ? REPLY_MAX_WORD : i);
    buf_init(&lines, 1u << 20);
    buf_init(&item, 1u << 20);
    for (r.n_lines = 0; r.n_lines < REPLY_MAX_LINES; r.n_lines++) reply_put_line(&lines, w, 1 + r.n_lines % 8);
    r.lines = buf_bytes(&lines);
    assert_int_equal(message_put_reply(&item, &me, &r, NULL), ERR_OK);
    assert_int_equal(message_get_reply(buf_bytes(&item), &me.pub, &out, NULL), ERR_OK);
    assert_int_equal(out.n_lines, REPLY_MAX_LINES);
    assert_true(bytes_equal(out.lines, r.lines));
    struct bytes rest = out.lines;
    for (size_t i = 0; i < out.n_lines; i++) {
        assert_true(reply_next_line(&rest, &line));
        assert_int_equal(line.n, 1 + i % 8);
    }
    assert_false(reply_next_line(&rest, &line));
    reply_put_line(&lines, w, 1);
    r.lines = buf_bytes(&lines);
    assert_int_equal(message_put_reply(&item, &me, &r, NULL), ERR_FORMAT); /* more lines than it says */
    r.n_lines++;
    assert_int_equal(message_put_reply(&item, &me, &r, NULL), ERR_FORMAT); /* more than it may have */
    reply_put_line(&lines, w, REPLY_MAX_WORDS + 1);
    assert_int_equal(lines.err, ERR_FORMAT);
    buf_reset(&lines);
    w[0].n++;
    reply_put_line(&lines, w, 1);
    assert_int_equal(lines.err, ERR_FORMAT);
    buf_reset(&lines);
    reply_put_line(&lines, w, 0);
    assert_int_equal(lines.err, ERR_FORMAT);
    buf_release(&lines);
    buf_release(&item);
}

static int start(void **state)
{
    (void)state;
    return secret_start(NULL) == ERR_OK && identity_generate(&me, NULL) == ERR_OK ? 0 : -1;
}
static int stop(void **state)
{
    (void)state;
    identity_release(&me);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_is_read_as_it_was_put),
        cmocka_unit_test(a_question_that_says_more_than_its_kind_is_refused),
        cmocka_unit_test(a_reply_is_read_as_it_was_put_and_no_longer_than_it_may_be),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
