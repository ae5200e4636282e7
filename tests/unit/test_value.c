#include "sync/value.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t id_a[16] = {0x01, 0x93, 0x4f, 0x00, 0, 0, 0x70, 0x01, 0x80, 0, 0, 0, 0, 0, 0xab, 0xcd};

static const struct table_rule *table(const char *name)
{
    int i = rules_table_index(bytes_of_str(name));
    assert_true(i >= 0);
    return rules_table((size_t)i);
}

static enum err check(const char *t, const char *column, struct value v)
{
    int i = rules_column_index(table(t), bytes_of_str(column));
    assert_true(i >= 0);
    return value_check(table(t), (size_t)i, v, NULL);
}

static const struct column_rule *column_of(const char *t, const char *column)
{
    int i = rules_column_index(table(t), bytes_of_str(column));
    assert_true(i >= 0);
    return &table(t)->columns[i];
}

static void value_equal_tells_kinds_and_bits_apart(void **state)
{
    (void)state;
    struct value plus = {.kind = VALUE_REAL, .r = 0.0}, minus = {.kind = VALUE_REAL, .r = -0.0};
    assert_true(value_equal(plus, plus));
    assert_false(value_equal(plus, minus));
    assert_true(value_equal(value_int(-1), value_int(-1)));
    assert_false(value_equal(value_int(0), value_null()));
    assert_false(value_equal(value_none(), value_null()));
    assert_false(value_equal(value_str("a"), value_blob(bytes_of("a", 1))));
    assert_false(value_equal(value_str("a"), value_str("b")));
    assert_false(value_equal(value_str(""), value_null()));
    assert_true(value_equal(value_str(NULL), value_null()));
    assert_true(value_equal(value_id(id_a), value_blob(bytes_of(id_a, 16))));
}

static void value_check_accepts_what_each_type_holds(void **state)
{
    (void)state;
    assert_int_equal(check("person", "id", value_id(id_a)), ERR_OK);
    assert_int_equal(check("person", "family_name", value_str("Ó Súilleabháin")), ERR_OK);
    assert_int_equal(check("person", "family_name", value_str("")), ERR_OK);
    assert_int_equal(check("person", "family_name", value_null()), ERR_OK);
    assert_int_equal(check("person", "role", value_str("child")), ERR_OK);
    assert_int_equal(check("person", "born_on", value_str("2024-02-29")), ERR_OK);
    assert_int_equal(check("case_file", "due_at", value_int(-1)), ERR_OK);
    assert_int_equal(check("case_file", "restricted", value_int(1)), ERR_OK);
    assert_int_equal(check("retention", "days", value_int(INT64_MIN)), ERR_OK);
}

static void value_check_refuses_what_does_not_fit(void **state)
{
    (void)state;
    assert_int_equal(check("person", "id", value_null()), ERR_FORMAT);
    assert_int_equal(check("person", "id", value_blob(bytes_of(id_a, 15))), ERR_FORMAT);
    assert_int_equal(check("person", "id", value_text(bytes_of("0123456789abcdef", 16))), ERR_FORMAT);
    assert_int_equal(check("person", "agency", value_null()), ERR_FORMAT);
    assert_int_equal(check("person", "family_name", value_none()), ERR_FORMAT);
    assert_int_equal(check("person", "family_name", value_int(1)), ERR_FORMAT);
    assert_int_equal(check("person", "family_name", value_blob(bytes_of("x", 1))), ERR_FORMAT);
    assert_int_equal(check("person", "family_name", value_text(bytes_of("\xc3", 1))), ERR_FORMAT);
    assert_int_equal(check("person", "family_name", value_text(bytes_of("a\0b", 3))), ERR_FORMAT);
    assert_int_equal(check("person", "role", value_str("uncle")), ERR_FORMAT);
    assert_int_equal(check("person", "role", value_str("")), ERR_FORMAT);
    assert_int_equal(check("person", "born_on", value_str("2025-02-29")), ERR_FORMAT);
    assert_int_equal(check("case_file", "due_at", value_str("1")), ERR_FORMAT);
    assert_int_equal(check("case_file", "due_at", (struct value){.kind = VALUE_REAL, .r = 1.0}), ERR_FORMAT);
    assert_int_equal(check("case_file", "restricted", value_int(2)), ERR_FORMAT);
}

static void value_check_stops_at_one_mebibyte(void **state)
{
    (void)state;
    char *text = malloc(RULES_MAX_VALUE + 1);
    assert_non_null(text);
    memset(text, 'a', RULES_MAX_VALUE + 1);
    assert_int_equal(check("record", "body", value_text(bytes_of(text, RULES_MAX_VALUE))), ERR_OK);
    assert_int_equal(check("record", "body", value_text(bytes_of(text, RULES_MAX_VALUE + 1))), ERR_FORMAT);
    free(text);
}

static void value_check_names_the_column_and_never_the_value(void **state)
{
    (void)state;
    struct why why = {0};
    int i = rules_column_index(table("person"), bytes_of_str("role"));
    assert_int_equal(value_check(table("person"), (size_t)i, value_str("zebra"), &why), ERR_FORMAT);
    assert_non_null(strstr(why.text, "person.role"));
    assert_null(strstr(why.text, "zebra"));
}

/* Through text and back, for a column. */
static void round_trip(const struct column_rule *c, struct value v, const char *text)
{
    struct buf out, scratch;
    struct value back = value_none();
    buf_init(&out, 1000);
    buf_init(&scratch, 1000);
    assert_int_equal(value_to_text(v, &out), ERR_OK);
    assert_string_equal(buf_cstr(&out), text);
    assert_int_equal(value_from_text(c, buf_bytes(&out), &scratch, &back), ERR_OK);
    buf_release(&out); /* the value must not borrow from the text */
    assert_true(value_equal(v, back));
    buf_release(&scratch);
}

static void value_survives_the_way_through_text(void **state)
{
    (void)state;
    round_trip(column_of("case_file", "due_at"), value_int(0), "0");
    round_trip(column_of("case_file", "due_at"), value_int(-62), "-62");
    round_trip(column_of("case_file", "due_at"), value_int(INT64_MAX), "9223372036854775807");
    round_trip(column_of("case_file", "due_at"), value_int(INT64_MIN), "-9223372036854775808");
    round_trip(column_of("case_file", "restricted"), value_int(1), "1");
    round_trip(column_of("record", "author"), value_id(id_a), "01934f00-0000-7001-8000-00000000abcd");
    round_trip(column_of("person", "family_name"), value_str("Nic an tSaoir"), "Nic an tSaoir");
    round_trip(column_of("person", "born_on"), value_str("2020-01-31"), "2020-01-31");
    round_trip(column_of("case_file", "rag"), value_str("red"), "red");
}

static void value_keeps_null_and_empty_text_apart(void **state)
{
    (void)state;
    struct buf scratch;
    struct value v = value_none();
    buf_init(&scratch, 100);
    assert_int_equal(value_from_text(column_of("person", "family_name"), (struct bytes){0}, &scratch, &v), ERR_OK);
    assert_int_equal(v.kind, VALUE_NULL);
    assert_int_equal(value_from_text(column_of("person", "family_name"), bytes_of("", 0), &scratch, &v), ERR_OK);
    assert_int_equal(v.kind, VALUE_TEXT);
    assert_int_equal(v.s.n, 0);
    assert_int_equal(value_from_text(column_of("person", "agency"), (struct bytes){0}, &scratch, &v), ERR_FORMAT);
    assert_int_equal(v.kind, VALUE_TEXT);
    assert_int_equal(value_to_text(value_null(), &scratch), ERR_OK);
    assert_int_equal(scratch.len, 0);
    buf_release(&scratch);
}

static void value_from_text_refuses_other_spellings(void **state)
{
    (void)state;
    static const struct {
        const char *table, *column, *text;
    } bad[] = {
        {"case_file", "due_at", ""},          {"case_file", "due_at", "-"},
        {"case_file", "due_at", "-0"},        {"case_file", "due_at", "007"},
        {"case_file", "due_at", "+1"},        {"case_file", "due_at", "1 "},
        {"case_file", "due_at", "9223372036854775808"},
        {"case_file", "due_at", "-9223372036854775809"},
        {"case_file", "due_at", "99999999999999999999"},
        {"case_file", "restricted", "2"},     {"case_file", "rag", "purple"},
        {"person", "born_on", "31/01/2020"},  {"record", "author", "01934f00-0000-7001-8000-00000000abc"},
        {"record", "author", "01934f0000007001800000000000abcd"},
        {"person", "family_name", "\xff"},
    };
    struct buf scratch;
    buf_init(&scratch, 1000);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct value v = value_int(42);
        const struct column_rule *c = column_of(bad[i].table, bad[i].column);
        assert_int_equal(value_from_text(c, bytes_of_str(bad[i].text), &scratch, &v), ERR_FORMAT);
        assert_true(value_equal(v, value_int(42)));
    }
    assert_int_equal(value_to_text(value_none(), &scratch), ERR_FORMAT);
    assert_int_equal(value_to_text(value_blob(bytes_of(id_a, 4)), &scratch), ERR_FORMAT);
    buf_release(&scratch);
}

static void value_from_text_tells_when_scratch_is_full(void **state)
{
    (void)state;
    struct buf scratch;
    struct value v = value_int(42);
    buf_init(&scratch, 4);
    assert_int_equal(value_from_text(column_of("person", "family_name"), bytes_of_str("Longer"), &scratch, &v),
                     ERR_LIMIT);
    assert_true(value_equal(v, value_int(42)));
    buf_release(&scratch);
}

static struct row sample_row(void)
{
    struct row r = {.table = table("person")};
    r.v[0] = value_id(id_a);
    r.v[1] = value_id(id_a);
    r.v[2] = value_str("nhs");
    r.v[3] = value_str("child");
    r.v[4] = value_null();
    r.v[5] = value_str("");
    r.v[10] = value_int(INT64_MIN);
    return r; /* the rest is VALUE_NONE */
}

static void row_survives_cbor_with_absent_columns(void **state)
{
    (void)state;
    struct row r = sample_row(), back = {0};
    struct buf b;
    buf_init(&b, 1000);
    row_put_cbor(&b, &r);
    assert_int_equal(b.err, ERR_OK);
    assert_int_equal(row_from_cbor(&back, r.table, buf_bytes(&b), NULL), ERR_OK);
    assert_ptr_equal(back.table, r.table);
    for (size_t i = 0; i < RULES_MAX_COLUMNS; i++)
        assert_true(value_equal(r.v[i], back.v[i]));
    buf_release(&b);
}

static void row_refuses_every_shortened_or_lengthened_form(void **state)
{
    (void)state;
    struct row r = sample_row(), back = {0};
    struct buf b;
    buf_init(&b, 1000);
    row_put_cbor(&b, &r);
    for (size_t n = 0; n < b.len; n++)
        assert_int_equal(row_from_cbor(&back, r.table, bytes_of(b.data, n), NULL), ERR_FORMAT);
    assert_int_equal(row_from_cbor(&back, table("kinship"), buf_bytes(&b), NULL), ERR_FORMAT);
    buf_put_u8(&b, 0xf6);
    assert_int_equal(row_from_cbor(&back, r.table, buf_bytes(&b), NULL), ERR_FORMAT);
    assert_null(back.table);
    buf_release(&b);
}

static void row_refuses_items_that_are_no_values(void **state)
{
    (void)state;
    static const char *const items[] = {"\xf5", "\xa0", "\x81\x00", "\xc0\x00", "\xf9\x00\x00"};
    static const size_t lengths[] = {1, 1, 2, 2, 3};
    const struct table_rule *t = table("coverage"); /* three columns */
    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
        struct row back = {0};
        struct buf b;
        buf_init(&b, 100);
        buf_put_u8(&b, 0x83);
        buf_put(&b, items[i], lengths[i]);
        buf_put(&b, "\xf6\xf6", 2);
        assert_int_equal(row_from_cbor(&back, t, buf_bytes(&b), NULL), ERR_FORMAT);
        buf_release(&b);
    }
}

static void reals_keep_every_bit_as_text_and_in_stored_rows(void **state)
{
    (void)state;
    static const double all[] = {0.0, -0.0, 0.1, -1.5, 5e-324, 2.2250738585072009e-308, 1.7976931348623157e308, INFINITY};
    static const struct column_rule height = {.name = "height", .type = COL_REAL, .since = 1};
    static const struct column_rule columns[] = {{.name = "id", .type = COL_ID, .required = true, .since = 1},
                                                 {.name = "height", .type = COL_REAL, .since = 1}};
    static const struct table_rule t = {.name = "t", .columns = columns, .n_columns = 2};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct row r = {.table = &t, .v = {value_id(id_a), {.kind = VALUE_REAL, .r = all[i]}}}, back = {0};
        struct value v = value_null();
        struct buf b, text;
        buf_init(&b, 200);
        buf_init(&text, 200);
        row_put_cbor(&b, &r);
        assert_int_equal(row_from_cbor(&back, &t, buf_bytes(&b), NULL), ERR_OK);
        assert_true(value_equal(back.v[1], r.v[1]));
        assert_int_equal(value_to_text(r.v[1], &text), ERR_OK);
        assert_int_equal(value_from_text(&height, buf_bytes(&text), &b, &v), ERR_OK);
        assert_true(value_equal(v, r.v[1]));
        buf_release(&b);
        buf_release(&text);
    }
}

static void a_number_is_no_real_in_two_spellings(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "1.50", "+1", " 1", "1 ", "0x1p3", "nan", "-nan", "1e400", "01", ".5"};
    static const struct column_rule height = {.name = "height", .type = COL_REAL, .since = 1};
    struct value v = value_int(42);
    struct buf b;
    buf_init(&b, 200);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (value_from_text(&height, bytes_of_str(bad[i]), &b, &v) != ERR_FORMAT) fail_msg("took \"%s\"", bad[i]);
    }
    buf_release(&b);
}

static const struct column_rule grown_columns[] = {{.name = "id", .type = COL_ID, .required = true, .since = 1},
                                                   {.name = "a", .type = COL_INT, .since = 1},
                                                   {.name = "b", .type = COL_INT, .since = 2},
                                                   {.name = "c", .type = COL_INT, .since = 2},
                                                   {.name = "d", .type = COL_INT, .since = 4}};
static const struct table_rule grown = {.name = "grown", .columns = grown_columns, .n_columns = 5};

static void a_stored_row_of_an_earlier_version_is_read_without_the_later_columns(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 5; n++) {
        struct row back = {0};
        struct buf b;
        buf_init(&b, 100);
        buf_put_u8(&b, (uint8_t)(0x80 + n));
        for (size_t i = 0; i < n; i++) buf_put_u8(&b, 7);
        bool whole = n == 2 || n == 4 || n == 5; /* versions 1, 2 and 3, 4 */
        assert_int_equal(row_from_cbor(&back, &grown, buf_bytes(&b), NULL), whole ? ERR_OK : ERR_FORMAT);
        for (size_t i = 0; whole && i < 5; i++) assert_int_equal(back.v[i].kind, i < n ? VALUE_INT : VALUE_NONE);
        buf_release(&b);
    }
}

static void a_stored_row_ends_where_a_version_does(void **state)
{
    (void)state;
    /* The last column that is told, and how many stand there. NULL is told. */
    static const size_t want[][2] = {{0, 2}, {1, 2}, {2, 4}, {3, 4}, {4, 5}};
    for (size_t i = 0; i < 5; i++) {
        struct row r = {.table = &grown};
        struct row back = {0};
        struct buf b;
        buf_init(&b, 100);
        r.v[want[i][0]] = value_null();
        row_put_cbor(&b, &r);
        assert_int_equal(b.data[0], 0x80 + want[i][1]);
        assert_int_equal(row_from_cbor(&back, &grown, buf_bytes(&b), NULL), ERR_OK);
        for (size_t c = 0; c < 5; c++) assert_true(value_equal(back.v[c], r.v[c]));
        buf_release(&b);
    }
}

static void uuid_reads_what_it_writes_and_nothing_else(void **state)
{
    (void)state;
    char text[37];
    uint8_t id[16] = {0};
    uuid_format(id_a, text);
    assert_string_equal(text, "01934f00-0000-7001-8000-00000000abcd");
    assert_true(uuid_parse(id, bytes_of_str("01934F00-0000-7001-8000-00000000ABCD")));
    assert_memory_equal(id, id_a, 16);
    static const char *const bad[] = {"",
                                      "01934f00-0000-7001-8000-00000000abc",
                                      "01934f00-0000-7001-8000-00000000abcde",
                                      "01934f000-000-7001-8000-00000000abcd",
                                      "01934f00-0000-7001-8000-00000000abcg",
                                      "01934f00 0000 7001 8000 00000000abcd"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        memset(id, 7, 16);
        assert_false(uuid_parse(id, bytes_of_str(bad[i])));
        assert_int_equal(id[0], 7);
    }
    assert_false(uuid_parse(id, (struct bytes){0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(value_equal_tells_kinds_and_bits_apart),
        cmocka_unit_test(value_check_accepts_what_each_type_holds),
        cmocka_unit_test(value_check_refuses_what_does_not_fit),
        cmocka_unit_test(value_check_stops_at_one_mebibyte),
        cmocka_unit_test(value_check_names_the_column_and_never_the_value),
        cmocka_unit_test(value_survives_the_way_through_text),
        cmocka_unit_test(value_keeps_null_and_empty_text_apart),
        cmocka_unit_test(value_from_text_refuses_other_spellings),
        cmocka_unit_test(value_from_text_tells_when_scratch_is_full),
        cmocka_unit_test(row_survives_cbor_with_absent_columns),
        cmocka_unit_test(row_refuses_every_shortened_or_lengthened_form),
        cmocka_unit_test(row_refuses_items_that_are_no_values),
        cmocka_unit_test(reals_keep_every_bit_as_text_and_in_stored_rows),
        cmocka_unit_test(a_number_is_no_real_in_two_spellings),
        cmocka_unit_test(a_stored_row_of_an_earlier_version_is_read_without_the_later_columns),
        cmocka_unit_test(a_stored_row_ends_where_a_version_does),
        cmocka_unit_test(uuid_reads_what_it_writes_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
