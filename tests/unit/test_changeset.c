#include "sync/changeset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/* Bytes are laid by hand from FORMAT.md §1, so that reader and writer are not merely each other's mirror. The table is
 * duty(id, practitioner, area, duty); others where a type is wanted. */
#define ID_1 "\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11"
#define ID_2 "\x22\x22\x22\x22\x22\x22\x22\x22\x22\x22\x22\x22\x22\x22\x22\x22"
#define ID_3 "\x33\x33\x33\x33\x33\x33\x33\x33\x33\x33\x33\x33\x33\x33\x33\x33"
#define HEAD_T                                                                                                         \
    "T\x04\x01\x00\x00\x00"                                                                                            \
    "duty\x00"
#define HEAD_P                                                                                                         \
    "P\x04\x01\x00\x00\x00"                                                                                            \
    "duty\x00"
#define KEY(id)  "\x04\x10" id
#define INSERT_1 "\x12\x00" KEY(ID_1) KEY(ID_3) "\x03\x05North\x03\x07manager"
#define UPDATE_2                                                                                                       \
    "\x17\x00" KEY(ID_2) "\x00\x03\x05North\x00"                                                                       \
                         "\x00\x00\x03\x05South\x00"
#define UPDATE_2P    "\x17\x01" KEY(ID_2) "\x00\x03\x05South\x05"
#define DELETE_3     "\x09\x00" KEY(ID_3) KEY(ID_1) "\x03\x01*\x05"
#define DELETE_3P    "\x09\x00" KEY(ID_3)
#define RUN(literal) bytes_of(literal, sizeof(literal) - 1)

static const struct changeset_limits changes = {.schema = 1, .patchset = false, .allow_delete = true, .max_ops = 1000};
static const struct changeset_limits patches = {.schema = 1, .patchset = true, .allow_delete = true, .max_ops = 1000};

static enum err check(struct bytes in)
{
    struct changeset_limits lim = changes;
    lim.max_ops = CHANGESET_MAX_OPS;
    lim.patchset = in.n > 0 && in.p[0] == 'P';
    return changeset_check(in, &lim, NULL);
}

/* Decode and write again. */
static void rewrite(struct bytes in, struct buf *out, size_t *out_n)
{
    struct changeset_reader r;
    struct changeset_writer w;
    struct op op;
    bool end = false;
    changeset_reader_init(&r, in, rules_schema_newest());
    changeset_writer_init(&w, out, in.p[0] == 'P', rules_schema_newest());
    for (;;) {
        assert_int_equal(changeset_next(&r, &op, &end, NULL), ERR_OK);
        if (end) break;
        changeset_put(&w, &op);
    }
    *out_n = r.n_ops;
}

static void reader_understands_a_changeset(void **state)
{
    (void)state;
    struct changeset_reader r;
    struct op op;
    bool end = true;
    changeset_reader_init(&r, RUN(HEAD_T INSERT_1 UPDATE_2 DELETE_3), rules_schema_newest());
    assert_int_equal(changeset_next(&r, &op, &end, NULL), ERR_OK);
    assert_false(end);
    assert_int_equal(op.kind, OP_INSERT);
    assert_string_equal(op.table->name, "duty");
    assert_ptr_equal(rules_table((size_t)op.table_index), op.table);
    assert_memory_equal(op_row_id(&op), ID_1, 16);
    assert_true(value_equal(op.new_[3], value_str("manager")));
    assert_int_equal(op.old[0].kind, VALUE_NONE);
    assert_int_equal(changeset_next(&r, &op, &end, NULL), ERR_OK);
    assert_int_equal(op.kind, OP_UPDATE);
    assert_memory_equal(op_row_id(&op), ID_2, 16);
    assert_true(value_equal(op.old[2], value_str("North")));
    assert_true(value_equal(op.new_[2], value_str("South")));
    assert_int_equal(op.new_[0].kind, VALUE_NONE);
    assert_int_equal(op.new_[3].kind, VALUE_NONE);
    assert_int_equal(changeset_next(&r, &op, &end, NULL), ERR_OK);
    assert_int_equal(op.kind, OP_DELETE);
    assert_memory_equal(op_row_id(&op), ID_3, 16);
    assert_int_equal(op.old[3].kind, VALUE_NULL);
    assert_int_equal(changeset_next(&r, &op, &end, NULL), ERR_OK);
    assert_true(end);
    assert_int_equal(r.n_ops, 3);
    assert_false(r.patchset);
}

static void reader_understands_a_patchset(void **state)
{
    (void)state;
    struct changeset_reader r;
    struct op op;
    bool end = true;
    changeset_reader_init(&r, RUN(HEAD_P UPDATE_2P DELETE_3P), rules_schema_newest());
    assert_int_equal(changeset_next(&r, &op, &end, NULL), ERR_OK);
    assert_true(r.patchset);
    assert_true(op.indirect);
    assert_memory_equal(op_row_id(&op), ID_2, 16);
    assert_memory_equal(op.new_[0].s.p, ID_2, 16);
    assert_int_equal(op.new_[1].kind, VALUE_NONE);
    assert_true(value_equal(op.new_[2], value_str("South")));
    assert_int_equal(op.new_[3].kind, VALUE_NULL);
    assert_int_equal(changeset_next(&r, &op, &end, NULL), ERR_OK);
    assert_int_equal(op.kind, OP_DELETE);
    assert_memory_equal(op_row_id(&op), ID_3, 16);
    assert_int_equal(changeset_next(&r, &op, &end, NULL), ERR_OK);
    assert_true(end);
}

static void writer_writes_what_was_read(void **state)
{
    (void)state;
    static const char t[] = HEAD_T INSERT_1 UPDATE_2 DELETE_3, p[] = HEAD_P INSERT_1 UPDATE_2P DELETE_3P;
    struct bytes in[] = {RUN(t), RUN(p)};
    for (size_t i = 0; i < 2; i++) {
        struct buf out;
        size_t n;
        buf_init(&out, 4096);
        rewrite(in[i], &out, &n);
        assert_int_equal(n, 3);
        assert_int_equal(out.err, ERR_OK);
        assert_true(bytes_equal(buf_bytes(&out), in[i]));
        assert_int_equal(check(in[i]), ERR_OK);
        buf_release(&out);
    }
}

static void writer_takes_a_whole_old_row_for_an_update(void **state)
{
    (void)state;
    struct buf out;
    struct changeset_writer w;
    struct op op = {.kind = OP_UPDATE, .table_index = rules_table_index(RUN("duty"))};
    op.table = rules_table((size_t)op.table_index);
    op.old[0] = value_blob(RUN(ID_2));
    op.old[1] = value_blob(RUN(ID_1));
    op.old[2] = value_str("North");
    op.old[3] = value_null();
    op.new_[2] = value_str("South");
    buf_init(&out, 4096);
    changeset_writer_init(&w, &out, false, rules_schema_newest());
    changeset_put(&w, &op);
    assert_true(bytes_equal(buf_bytes(&out), RUN(HEAD_T UPDATE_2)));
    buf_release(&out);
}

static void writer_refuses_what_no_reader_takes(void **state)
{
    (void)state;
    struct buf out;
    struct changeset_writer w;
    struct op op = {.kind = OP_INSERT, .table_index = rules_table_index(RUN("duty"))};
    op.table = rules_table((size_t)op.table_index);
    op.new_[2] = (struct value){.kind = VALUE_REAL, .r = 1.0};
    buf_init(&out, 4096);
    changeset_writer_init(&w, &out, false, rules_schema_newest());
    changeset_put(&w, &op);
    assert_int_equal(out.err, ERR_LIMIT);
    buf_release(&out);
}

#define BAD(why, literal)                                                                                              \
    {                                                                                                                  \
        why, literal, sizeof(literal) - 1                                                                              \
    }
static const struct {
    const char *why;
    const char *bytes;
    size_t n;
} bad[] = {
    BAD("hangs sqlite 3.40.1", "T\x01\x01"),
    BAD("a mark alone", "T"),
    BAD("no such format", "Q\x04\x01\x00\x00\x00"
                          "duty\x00" INSERT_1),
    BAD("zero columns", "T\x00"
                        "duty\x00"),
    BAD("a table we do not sync", "T\x01\x01"
                                  "sqlite_master\x00\x12\x00" KEY(ID_1)),
    BAD("a table of another case", "T\x04\x01\x00\x00\x00"
                                   "DUTY\x00" INSERT_1),
    BAD("no name", "T\x04\x01\x00\x00\x00\x00" INSERT_1),
    BAD("a column too few", "T\x03\x01\x00\x00"
                            "duty\x00\x12\x00" KEY(ID_1) KEY(ID_3) "\x03\x01*"),
    BAD("a column too many", "T\x05\x01\x00\x00\x00\x00"
                             "duty\x00" INSERT_1 "\x05"),
    BAD("another key", "T\x04\x00\x01\x00\x00"
                       "duty\x00" INSERT_1),
    BAD("no key", "T\x04\x00\x00\x00\x00"
                  "duty\x00" INSERT_1),
    BAD("a key of two", "T\x04\x01\x02\x00\x00"
                        "duty\x00" INSERT_1),
    BAD("a key numbered 2", "T\x04\x02\x00\x00\x00"
                            "duty\x00" INSERT_1),
    BAD("columns counted in two bytes", "T\x80\x04\x01\x00\x00\x00"
                                        "duty\x00" INSERT_1),
    BAD("a length in two bytes", HEAD_T "\x12\x00"
                                        "\x04\x80\x10" ID_1 KEY(ID_3) "\x03\x01*\x05"),
    BAD("a varint without end", "T\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
    BAD("a table without operations", HEAD_T),
    BAD("a table without operations before another", HEAD_T "T\x04\x01\x00\x00\x00"
                                                            "code_list\x00\x12\x00" KEY(ID_1) "\x03\x01"
                                                                                              "a\x03\x01"
                                                                                              "b\x05"),
    BAD("a table twice", HEAD_T INSERT_1 HEAD_T UPDATE_2),
    BAD("formats mixed", HEAD_T INSERT_1 HEAD_P UPDATE_2P),
    BAD("a row twice", HEAD_T INSERT_1 UPDATE_2 INSERT_1),
    BAD("a row of two operations", HEAD_T UPDATE_2 "\x09\x00" KEY(ID_2) KEY(ID_1) "\x03\x01*\x05"),
    BAD("unknown operation", HEAD_T "\x13\x00" KEY(ID_1) KEY(ID_3) "\x03\x01*\x05"),
    BAD("neither direct nor indirect", HEAD_T "\x12\x02" KEY(ID_1) KEY(ID_3) "\x03\x01*\x05"),
    BAD("no key in a new row", HEAD_T "\x12\x00\x00" KEY(ID_3) "\x03\x01*\x05"),
    BAD("NULL key", HEAD_T "\x12\x00\x05" KEY(ID_3) "\x03\x01*\x05"),
    BAD("a key of 15 bytes", HEAD_T "\x12\x00\x04\x0f"
                                    "123456789012345" KEY(ID_3) "\x03\x01*\x05"),
    BAD("a key of text", HEAD_T "\x12\x00\x03\x10"
                                "1234567890123456" KEY(ID_3) "\x03\x01*\x05"),
    BAD("a new row not whole", HEAD_T "\x12\x00" KEY(ID_1) KEY(ID_3) "\x03\x01*\x00"),
    BAD("NULL where one must be", HEAD_T "\x12\x00" KEY(ID_1) KEY(ID_3) "\x05\x05"),
    BAD("a word unknown", HEAD_T "\x12\x00" KEY(ID_1) KEY(ID_3) "\x03\x01*\x03\x04king"),
    BAD("a number for text", HEAD_T "\x12\x00" KEY(ID_1) KEY(ID_3) "\x01\x00\x00\x00\x00\x00\x00\x00\x00\x05"),
    BAD("a real", HEAD_T "\x12\x00" KEY(ID_1) KEY(ID_3) "\x02\x00\x00\x00\x00\x00\x00\x00\x00\x05"),
    BAD("kind 6", HEAD_T "\x12\x00" KEY(ID_1) KEY(ID_3) "\x06\x05"),
    BAD("not UTF-8", HEAD_T "\x12\x00" KEY(ID_1) KEY(ID_3) "\x03\x02\xc3(\x05"),
    BAD("text with a NUL", HEAD_T "\x12\x00" KEY(ID_1) KEY(ID_3) "\x03\x02"
                                                                 "a\x00\x05"),
    BAD("an edit without key", HEAD_T "\x17\x00\x00\x00\x03\x01"
                                      "a\x00\x00\x00\x03\x01"
                                      "b\x00"),
    BAD("an edit of the key", HEAD_T "\x17\x00" KEY(ID_2) "\x00\x03\x01"
                                                          "a\x00" KEY(ID_1) "\x00\x03\x01"
                                                                            "b\x00"),
    BAD("an edit of nothing", HEAD_T "\x17\x00" KEY(ID_2) "\x00\x00\x00\x00\x00\x00\x00"),
    BAD("old without new", HEAD_T "\x17\x00" KEY(ID_2) "\x00\x03\x01"
                                                       "a\x05\x00\x00\x03\x01"
                                                       "b\x00"),
    BAD("new without old", HEAD_T "\x17\x00" KEY(ID_2) "\x00\x03\x01"
                                                       "a\x00\x00\x00\x03\x01"
                                                       "b\x05"),
    BAD("an edit of nothing, patchset", HEAD_P "\x17\x00" KEY(ID_2) "\x00\x00\x00"),
    BAD("an edit without key, patchset", HEAD_P "\x17\x00\x00\x00\x03\x01"
                                                "b\x00"),
    BAD("a deleted row not whole", HEAD_T "\x09\x00" KEY(ID_3) "\x00\x00\x00"),
    BAD("a delete without key, patchset", HEAD_P "\x09\x00\x00"),
    BAD("bytes after the end", HEAD_T INSERT_1 "\x00"),
    BAD("an operation begun after the end", HEAD_T INSERT_1 "\x12"),
};

static void check_refuses_what_is_not_of_the_schema(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct why why = {0};
        struct changeset_limits lim = bad[i].bytes[0] == 'P' ? patches : changes;
        enum err e = changeset_check(bytes_of(bad[i].bytes, bad[i].n), &lim, &why);
        if (e != ERR_FORMAT) fail_msg("%s: %s", bad[i].why, err_word(e));
        assert_true(why.text[0] != '\0');
    }
}

static void check_refuses_empty_wrong_format_deletes_and_too_many(void **state)
{
    (void)state;
    struct changeset_limits lim = changes;
    assert_int_equal(changeset_check(bytes_of("", 0), &lim, NULL), ERR_FORMAT);
    assert_int_equal(changeset_check(RUN(HEAD_T INSERT_1 DELETE_3), &lim, NULL), ERR_OK);
    assert_int_equal(changeset_check(RUN(HEAD_T INSERT_1 DELETE_3), &patches, NULL), ERR_FORMAT);
    assert_int_equal(changeset_check(RUN(HEAD_P DELETE_3P), &lim, NULL), ERR_FORMAT);
    lim.allow_delete = false;
    assert_int_equal(changeset_check(RUN(HEAD_T INSERT_1 DELETE_3), &lim, NULL), ERR_FORMAT);
    assert_int_equal(changeset_check(RUN(HEAD_T INSERT_1 UPDATE_2), &lim, NULL), ERR_OK);
    lim.max_ops = 1;
    assert_int_equal(changeset_check(RUN(HEAD_T INSERT_1), &lim, NULL), ERR_OK);
    assert_int_equal(changeset_check(RUN(HEAD_T INSERT_1 UPDATE_2), &lim, NULL), ERR_LIMIT);
}

static void put_insert(struct changeset_writer *w, uint32_t number, struct value area)
{
    uint8_t id[16] = {(uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number};
    struct op op = {.kind = OP_INSERT, .table_index = rules_table_index(RUN("duty"))};
    op.table = rules_table((size_t)op.table_index);
    op.new_[0] = value_id(id);
    op.new_[1] = value_id(id);
    op.new_[2] = area;
    op.new_[3] = value_null();
    changeset_put(w, &op);
}

/* A changeset of n new rows, long enough to be cut and mutated in many places. */
static void sample(struct buf *out, uint32_t n)
{
    struct changeset_writer w;
    changeset_writer_init(&w, out, false, rules_schema_newest());
    for (uint32_t i = 0; i < n; i++) put_insert(&w, i * 7919 % 100003, value_str("Brèagh, an area of some length"));
    assert_int_equal(out->err, ERR_OK);
}

static void a_value_may_have_1_MiB_and_no_more(void **state)
{
    (void)state;
    static const size_t sizes[] = {RULES_MAX_VALUE, RULES_MAX_VALUE + 1, 2u << 20};
    static const uint8_t varint[][4] = {{0xc0, 0x80, 0x00}, {0xc0, 0x80, 0x01}, {0x81, 0x80, 0x80, 0x00}};
    static const size_t varint_n[] = {3, 3, 4};
    for (size_t i = 0; i < 3; i++) {
        struct buf b;
        buf_init(&b, 4u << 20);
        buf_put_bytes(&b, RUN(HEAD_T "\x12\x00" KEY(ID_1) KEY(ID_3) "\x03"));
        buf_put(&b, varint[i], varint_n[i]);
        memset(buf_grow(&b, sizes[i]), 'x', sizes[i]);
        buf_put_u8(&b, 5);
        assert_int_equal(check(buf_bytes(&b)), i == 0 ? ERR_OK : ERR_FORMAT);
        buf_release(&b);
    }
}

/* An operation is where a changeset may end; no other byte is. */
static void check_refuses_truncation_at_every_byte(void **state)
{
    (void)state;
    struct buf b;
    struct changeset_reader r;
    struct op op;
    bool end = false;
    buf_init(&b, 1u << 20);
    sample(&b, 12);
    bool *may_end = calloc(b.len + 1, sizeof *may_end);
    assert_non_null(may_end);
    changeset_reader_init(&r, buf_bytes(&b), rules_schema_newest());
    while (changeset_next(&r, &op, &end, NULL) == ERR_OK && !end) may_end[b.len - r.in.n] = true;
    for (size_t n = 0; n <= b.len; n++) {
        uint8_t *exact = malloc(n + 1); /* the sanitiser sees every byte read past its end */
        assert_non_null(exact);
        memcpy(exact + 1, b.data, n);
        assert_int_equal(check(bytes_of(exact + 1, n)), may_end[n] ? ERR_OK : ERR_FORMAT);
        free(exact);
    }
    free(may_end);
    buf_release(&b);
}

static void check_finds_a_duplicate_among_many(void **state)
{
    (void)state;
    struct buf b;
    struct changeset_writer w;
    buf_init(&b, 16u << 20);
    changeset_writer_init(&w, &b, false, rules_schema_newest());
    for (uint32_t i = 0; i < 50000; i++) put_insert(&w, i, value_str("N"));
    assert_int_equal(check(buf_bytes(&b)), ERR_OK);
    put_insert(&w, 31337, value_str("N"));
    assert_int_equal(check(buf_bytes(&b)), ERR_FORMAT);
    buf_release(&b);
}

static void the_header_that_hangs_sqlite_is_refused_at_once(void **state)
{
    (void)state;
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    assert_int_equal(check(RUN("\x54\x01\x01")), ERR_FORMAT);
    clock_gettime(CLOCK_MONOTONIC, &to);
    assert_true((to.tv_sec - from.tv_sec) * 1000000000L + to.tv_nsec - from.tv_nsec < 1000000L);
}

static uint64_t next_random(uint64_t *s) /* splitmix64 */
{
    uint64_t z = (*s += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static size_t mutate(uint8_t *p, size_t n, uint64_t *seed)
{
    static const uint8_t telling[] = {0x00, 0x01, 0x05, 0x09, 0x10, 0x12, 0x17, 'P', 'T', 0x7f, 0x80, 0xff};
    size_t changes_n = 1 + next_random(seed) % 3;
    for (size_t i = 0; i < changes_n; i++) {
        size_t at = next_random(seed) % (next_random(seed) % 2 ? n : (n < 200 ? n : 200));
        uint64_t how = next_random(seed) % 4;
        if (how == 0)
            p[at] ^= (uint8_t)(1u << next_random(seed) % 8);
        else if (how == 1)
            p[at] = telling[next_random(seed) % sizeof telling];
        else if (how == 2 && n - at > 8)
            memmove(p + at, p + at + 1 + at % 7, n - at - 8);
        else
            n = next_random(seed) % 8 == 0 ? at + 1 : n;
    }
    return n;
}

/* Whatever is accepted has one encoding: its own. */
static void mutants_neither_crash_nor_hang_nor_pass_in_disguise(void **state)
{
    (void)state;
    struct buf small, large, again;
    uint64_t seed = 20261122;
    size_t accepted = 0;
    buf_init(&small, 1u << 20);
    buf_init(&large, 1u << 20);
    buf_init(&again, 1u << 20);
    buf_put_bytes(&small, RUN(HEAD_T INSERT_1 UPDATE_2 DELETE_3));
    sample(&large, 900);
    assert_true(large.len > 60000);
    for (size_t i = 0; i < 20000; i++) {
        const struct buf *from = i % 20 == 0 ? &large : &small;
        uint8_t *exact = malloc(from->len);
        assert_non_null(exact);
        memcpy(exact, from->data, from->len);
        size_t n = mutate(exact, from->len, &seed);
        if (check(bytes_of(exact, n)) == ERR_OK) {
            again.len = 0;
            size_t ops;
            rewrite(bytes_of(exact, n), &again, &ops);
            assert_true(bytes_equal(buf_bytes(&again), bytes_of(exact, n)));
            accepted++;
        }
        free(exact);
    }
    assert_true(accepted > 0);
    buf_release(&small);
    buf_release(&large);
    buf_release(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reader_understands_a_changeset),
        cmocka_unit_test(reader_understands_a_patchset),
        cmocka_unit_test(writer_writes_what_was_read),
        cmocka_unit_test(writer_takes_a_whole_old_row_for_an_update),
        cmocka_unit_test(writer_refuses_what_no_reader_takes),
        cmocka_unit_test(check_refuses_what_is_not_of_the_schema),
        cmocka_unit_test(check_refuses_empty_wrong_format_deletes_and_too_many),
        cmocka_unit_test(a_value_may_have_1_MiB_and_no_more),
        cmocka_unit_test(check_refuses_truncation_at_every_byte),
        cmocka_unit_test(check_finds_a_duplicate_among_many),
        cmocka_unit_test(the_header_that_hangs_sqlite_is_refused_at_once),
        cmocka_unit_test(mutants_neither_crash_nor_hang_nor_pass_in_disguise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
