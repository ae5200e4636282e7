/* base/json.h */
#include "base/json.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What j prints as, j freed; compare and forget. */
static void assert_prints(struct json *j, const char *want)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    assert_non_null(f);
    assert_int_equal(json_print(j, f, NULL), ERR_OK);
    (void)fclose(f);
    assert_true(n > 0 && text[n - 1] == '\n');
    text[n - 1] = '\0';
    assert_string_equal(text, want);
    free(text);
    json_free(j);
}

static void json_prints_one_line_in_the_order_of_filling(void **state)
{
    (void)state;
    struct json *o = json_object_new(), *list = json_array_new(), *row = json_object_new();
    json_set_str(o, "zeta", "a \"b\"\n\\");
    json_set_int(o, "alpha", INT64_MIN);
    json_set_bool(o, "yes", true);
    json_set_bool(o, "no", false);
    json_set_null(o, "nothing");
    json_set_str(o, "none", NULL);
    json_set_real(o, "half", 0.5);
    json_set_real(o, "nan", NAN);
    json_set_int(row, "n", 1);
    json_append(list, row);
    json_append(list, json_object_new());
    json_append_str(list, "s");
    json_append_str(list, NULL);
    json_append_int(list, -7);
    json_set_obj(o, "list", list);
    assert_prints(o, "{\"zeta\":\"a \\\"b\\\"\\n\\\\\",\"alpha\":-9223372036854775808,\"yes\":true,\"no\":false,"
                     "\"nothing\":null,\"none\":null,\"half\":0.5,\"nan\":null,"
                     "\"list\":[{\"n\":1},{},\"s\",null,-7]}");
    assert_prints(json_array_new(), "[]");
}

static void json_replaces_what_is_no_utf8(void **state)
{
    (void)state;
    struct json *o = json_object_new();
    json_set_str(o, "bad",
                 "a\xff"
                 "b\xc3");
    json_set_str(o, "over", "\xc0\x80");
    json_set_str(o, "surrogate", "\xed\xa0\x80");
    json_set_str(o, "good", "\xc3\xbc\xe6\xb0\xb4\xf0\x90\x85\x91");
    json_set_text(o, "zero", bytes_of("x\0y", 3));
    json_set_text(o, "empty", bytes_of(NULL, 0));
    json_set_str(o, "k\xfe", "v");
    assert_prints(o, "{\"bad\":\"a\xef\xbf\xbd"
                     "b\xef\xbf\xbd\",\"over\":\"\xef\xbf\xbd\xef\xbf\xbd\","
                     "\"surrogate\":\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\","
                     "\"good\":\"\xc3\xbc\xe6\xb0\xb4\xf0\x90\x85\x91\",\"zero\":\"x\\u0000y\",\"empty\":\"\","
                     "\"k\xef\xbf\xbd\":\"v\"}");
}

static void json_setting_twice_replaces(void **state)
{
    (void)state;
    struct json *o = json_object_new();
    json_set_int(o, "a", 1);
    json_set_str(o, "a", "two");
    assert_prints(o, "{\"a\":\"two\"}");
}

static void json_with_a_missing_part_is_not_printed(void **state)
{
    (void)state;
    struct json *o = json_object_new(), *list = json_array_new();
    struct buf out;
    buf_init(&out, 100);
    json_append(list, NULL); /* as if an object could not be made */
    json_set_obj(o, "list", list);
    assert_int_equal(json_print(o, stdout, NULL), ERR_NOMEM);
    assert_int_equal(json_write(o, &out, NULL), ERR_NOMEM);
    assert_int_equal(json_write(NULL, &out, NULL), ERR_NOMEM);
    assert_int_equal(out.len, 0);
    json_free(o);
    json_set_int(NULL, "a", 1); /* every builder takes NULL, and still owns the child */
    json_append_str(NULL, "a");
    json_append(NULL, json_object_new());
    json_set_obj(NULL, "a", json_array_new());
    json_free(NULL);
    buf_release(&out);
}

static void json_write_fails_whole(void **state)
{
    (void)state;
    struct buf out;
    struct json *o = json_object_new();
    buf_init(&out, 10);
    buf_put_str(&out, "12");
    json_set_str(o, "key", "longer than the rest");
    assert_int_equal(json_write(o, &out, NULL), ERR_LIMIT);
    assert_int_equal(out.len, 2);
    json_free(o);
    buf_release(&out);
    o = json_object_new();
    FILE *full = fopen("/dev/full", "w");
    if (full != NULL) {
        assert_int_equal(json_print(o, full, NULL), ERR_IO);
        (void)fclose(full);
    }
    json_free(o);
}

static struct json *parsed(const char *text)
{
    struct json *j = NULL;
    assert_int_equal(json_parse(bytes_of_str(text), &j, NULL), ERR_OK);
    return j;
}

static void json_reads_what_it_was_given(void **state)
{
    (void)state;
    struct json *j =
        parsed(" {\"s\":\"t\\u00fc\",\"n\":-5,\"r\":1.5,\"b\":true,\"z\":null,\"a\":[10,{\"x\":\"y\"},\"s\"]} ");
    assert_string_equal(json_get_str(j, "s"), "t\xc3\xbc");
    assert_int_equal(json_get_int(j, "n", 0), -5);
    assert_true(json_get_real(j, "r", 0) == 1.5);
    assert_true(json_get_real(j, "n", 0) == -5.0);
    assert_true(json_get_bool(j, "b", false));
    assert_true(json_has(j, "z"));
    assert_int_equal(json_len(j), 6);
    assert_int_equal(json_len(json_get(j, "a")), 3);
    assert_int_equal(json_as_int(json_at(json_get(j, "a"), 0), 0), 10);
    assert_string_equal(json_get_str(json_at(json_get(j, "a"), 1), "x"), "y");
    assert_string_equal(json_as_str(json_at(json_get(j, "a"), 2)), "s");
    json_free(j);
    j = parsed("7");
    assert_int_equal(json_as_int(j, 0), 7);
    json_free(j);
}

static void json_looks_for_what_is_not_there_find_nothing(void **state)
{
    (void)state;
    struct json *j = parsed("{\"s\":\"t\",\"n\":1,\"a\":[1]}");
    assert_null(json_get(j, "x"));
    assert_null(json_get_str(j, "n")); /* another type */
    assert_int_equal(json_get_int(j, "s", -1), -1);
    assert_true(json_get_real(j, "s", 2.0) == 2.0);
    assert_true(json_get_bool(j, "n", true));
    assert_false(json_has(j, "x"));
    assert_null(json_at(json_get(j, "a"), 1));
    assert_null(json_at(j, 0)); /* no array */
    assert_null(json_get_str(json_at(json_get(json_get(j, "x"), "y"), 3), "z"));
    assert_int_equal(json_len(NULL), 0);
    assert_null(json_as_str(NULL));
    assert_int_equal(json_as_int(NULL, 3), 3);
    assert_false(json_has(NULL, "x"));
    json_free(j);
}

static void json_parse_refuses_what_is_not_one_value(void **state)
{
    (void)state;
    static const char *const bad[] = {"",         " ",   "{",   "[1,]",  "{\"a\":1,\"a\":2}",
                                      "{} {}",    "nul", "'a'", "{a:1}", "\"\\u0000\"",
                                      "\"\xff\"", "01",  "NaN", "[1 2]"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct json *j = NULL;
        struct why why = {0};
        assert_int_equal(json_parse(bytes_of_str(bad[i]), &j, &why), ERR_FORMAT);
        assert_null(j);
        assert_true(strlen(why.text) > 0);
    }
    size_t n = 100000; /* nesting must not eat the stack */
    char *deep = malloc(n);
    assert_non_null(deep);
    memset(deep, '[', n);
    struct json *j = NULL;
    assert_int_equal(json_parse(bytes_of(deep, n), &j, NULL), ERR_FORMAT);
    free(deep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_prints_one_line_in_the_order_of_filling),
        cmocka_unit_test(json_replaces_what_is_no_utf8),
        cmocka_unit_test(json_setting_twice_replaces),
        cmocka_unit_test(json_with_a_missing_part_is_not_printed),
        cmocka_unit_test(json_write_fails_whole),
        cmocka_unit_test(json_reads_what_it_was_given),
        cmocka_unit_test(json_looks_for_what_is_not_there_find_nothing),
        cmocka_unit_test(json_parse_refuses_what_is_not_one_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
