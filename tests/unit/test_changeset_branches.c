/* What the codec does where real tables never lead it: a later schema version, reals, no memory, more than there may
 * be. This program brings its own tables in place of sync/rules_tables.c. checks/test_branches.sh counts on it. */
#include "sync/changeset.h"
#include "sync/rules_tables.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct column_rule columns[] = {
    {.name = "id", .type = COL_ID, .required = true, .since = 1},
    {.name = "note", .type = COL_TEXT, .since = 1},
    {.name = "count", .type = COL_INT, .since = 1},
    {.name = "share", .type = COL_REAL, .since = 2},
    {.name = "more", .type = COL_TEXT, .since = 2},
};
const struct table_rule rules_all[] = {
    {.name = "first", .columns = columns, .n_columns = 5},
    {.name = "second", .columns = columns, .n_columns = 2},
};
const size_t rules_count = 2;
const uint64_t rules_newest = 2;

/* ---- memory that ends: the program's own calls come here instead of to the library ---- */
static int allocations_left = -1; /* below 0: as many as one likes */

static bool memory_ends(void)
{
    if (allocations_left < 0) return false;
    return allocations_left == 0 || allocations_left-- == 0;
}

void *reallocarray(void *p, size_t n, size_t size)
{
    size_t bytes;
    return memory_ends() || __builtin_mul_overflow(n, size, &bytes) ? NULL : realloc(p, bytes);
}

#ifndef __SANITIZE_ADDRESS__ /* which needs its own before main */
void *calloc(size_t n, size_t size)
{
    void *p = reallocarray(NULL, n, size);
    if (p != NULL) memset(p, 0, n * size);
    return p;
}
#endif

static struct op new_row(uint8_t number, size_t table)
{
    static uint8_t ids[256][16];
    struct op op = {.kind = OP_INSERT, .table_index = (int)table, .table = rules_table(table)};
    ids[number][15] = number;
    for (size_t i = 0; i < op.table->n_columns; i++) op.new_[i] = value_null();
    op.new_[0] = value_id(ids[number]);
    return op;
}

static const struct changeset_limits lim = {.schema = 2, .allow_delete = true, .max_ops = 1000};

static enum err check(const struct buf *b)
{
    struct why why = {0};
    enum err e = changeset_check(buf_bytes(b), &lim, &why);
    assert_true(e == ERR_OK || why.text[0] != '\0');
    return e;
}

/* ------------------------------------------------------------------------------------------------------- claims */

static void a_whole_row_of_an_earlier_version_has_null_in_what_came_later(void **state)
{
    struct buf b;
    struct changeset_writer w;
    struct changeset_reader r;
    struct op op = new_row(1, 0), gone = new_row(2, 0), back;
    bool end = false;
    (void)state;
    buf_init(&b, 4096);
    changeset_writer_init(&w, &b, false, 1);
    op.new_[1] = value_str("x");
    changeset_put(&w, &op);
    gone.kind = OP_DELETE;
    memcpy(gone.old, gone.new_, sizeof gone.old);
    changeset_put(&w, &gone);
    changeset_reader_init(&r, buf_bytes(&b), 1);
    assert_int_equal(changeset_next(&r, &back, &end, NULL), ERR_OK);
    assert_int_equal(back.new_[3].kind, VALUE_NULL);
    assert_int_equal(back.new_[4].kind, VALUE_NULL);
    assert_int_equal(changeset_next(&r, &back, &end, NULL), ERR_OK);
    assert_int_equal(back.kind, OP_DELETE);
    changeset_reader_init(&r, buf_bytes(&b), 2);
    assert_int_equal(changeset_next(&r, &back, &end, NULL), ERR_FORMAT); /* one version's bytes are not another's */
    buf_release(&b);
}

static void numbers_of_every_size_and_long_texts_come_back_as_they_were(void **state)
{
    static const int64_t ints[] = {0, -1, INT64_MIN, INT64_MAX};
    static const double reals[] = {-0.0, 4.9406564584124654e-324, 1.7976931348623157e308, 0.1};
    static char text[20000];
    struct buf b;
    (void)state;
    memset(text, 'x', sizeof text - 1);
    buf_init(&b, 1u << 20);
    for (size_t i = 0; i < 4; i++) {
        struct changeset_writer w;
        struct changeset_reader r;
        struct op op = new_row((uint8_t)i, 0), back;
        bool end = false;
        buf_reset(&b);
        changeset_writer_init(&w, &b, i % 2 == 1, 2);
        op.new_[1] = value_str(text);
        op.new_[2] = value_int(ints[i]);
        op.new_[3] = (struct value){.kind = VALUE_REAL, .r = reals[i]};
        op.new_[4] =
            value_str("a text of more than one hundred and twenty-seven bytes, whose length takes two bytes of "
                      "seven bits each: it goes on, and on, and on.");
        changeset_put(&w, &op);
        changeset_reader_init(&r, buf_bytes(&b), 2);
        assert_int_equal(changeset_next(&r, &back, &end, NULL), ERR_OK);
        for (size_t c = 0; c < 5; c++) assert_true(value_equal(op.new_[c], back.new_[c]));
    }
    buf_release(&b);
}

/* The first failure is the one that is told. */
static void what_may_not_be_written_is_refused_and_so_is_all_after_it(void **state)
{
    static uint8_t large[RULES_MAX_VALUE + 1];
    struct buf b;
    struct changeset_writer w;
    struct op op = new_row(1, 0);
    (void)state;
    for (int how = 0; how < 3; how++) {
        buf_init(&b, how == 2 ? 4 : 1u << 22);
        changeset_writer_init(&w, &b, false, 2);
        op.new_[1] = how == 0 ? value_blob(bytes_of(large, sizeof large)) : value_text(bytes_of(large, sizeof large));
        changeset_put(&w, &op);
        assert_int_equal(b.err, ERR_LIMIT);
        changeset_put(&w, &op);
        assert_int_equal(b.err, ERR_LIMIT);
        buf_release(&b);
    }
}

static void put(struct buf *b, struct changeset_writer *w, uint8_t number, size_t table)
{
    struct op op = new_row(number, table);
    changeset_put(w, &op);
    assert_int_equal(b->err, ERR_OK);
}

static void a_row_twice_and_a_table_twice_are_found_with_others_between(void **state)
{
    struct buf b;
    struct changeset_writer w;
    (void)state;
    buf_init(&b, 1u << 16);
    changeset_writer_init(&w, &b, false, 2);
    put(&b, &w, 1, 0);
    put(&b, &w, 2, 0);
    put(&b, &w, 1, 1); /* the same id in another table is another row */
    assert_int_equal(check(&b), ERR_OK);
    put(&b, &w, 3, 0);
    assert_int_equal(check(&b), ERR_FORMAT);
    buf_reset(&b);
    changeset_writer_init(&w, &b, false, 2);
    put(&b, &w, 1, 0);
    put(&b, &w, 1, 0);
    put(&b, &w, 1, 1);
    assert_int_equal(check(&b), ERR_FORMAT);
    buf_release(&b);
}

static void without_memory_nothing_is_accepted(void **state)
{
    struct buf b;
    struct changeset_writer w;
    (void)state;
    buf_init(&b, 1u << 16);
    changeset_writer_init(&w, &b, false, 2);
    for (uint8_t i = 0; i < 200; i++) put(&b, &w, i, 0);
    for (int left = 0; left < 3; left++) { /* at once, at the first key, and where the list grows */
        allocations_left = left;
        assert_int_equal(check(&b), ERR_NOMEM);
    }
    allocations_left = -1;
    assert_int_equal(check(&b), ERR_OK);
    buf_release(&b);
}

static void more_than_a_changeset_may_be_is_refused_unread(void **state)
{
    static const uint8_t one[1] = {'T'};
    struct why why = {0};
    (void)state;
    assert_int_equal(changeset_check(bytes_of(one, CHANGESET_MAX_BYTES + 1), &lim, &why), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_row_of_an_earlier_version_has_null_in_what_came_later),
        cmocka_unit_test(numbers_of_every_size_and_long_texts_come_back_as_they_were),
        cmocka_unit_test(what_may_not_be_written_is_refused_and_so_is_all_after_it),
        cmocka_unit_test(a_row_twice_and_a_table_twice_are_found_with_others_between),
        cmocka_unit_test(without_memory_nothing_is_accepted),
        cmocka_unit_test(more_than_a_changeset_may_be_is_refused_unread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
