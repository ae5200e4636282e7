/* Sheets in and out: bounded, with the lines that people see, and harmless to the spreadsheet that opens them. */
#include "base/csv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct csv_limits usual = {.max_bytes = 4096, .max_rows = 10, .max_columns = 4};

struct got {
    char text[1024]; /* "1:a|b;3:c;" */
    enum err say;
};

static enum err note(void *ctx, unsigned line, const struct bytes *cells, size_t n, struct why *why)
{
    struct got *g = ctx;
    size_t at = strlen(g->text);
    (void)why;
    at += (size_t)snprintf(g->text + at, sizeof g->text - at, "%u:", line);
    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(g->text + at, sizeof g->text - at, "%s%.*s", i != 0 ? "|" : "", (int)cells[i].n,
                               (const char *)cells[i].p);
    (void)snprintf(g->text + at, sizeof g->text - at, ";");
    return g->say;
}

static enum err read_with(const char *text, const struct csv_limits *max, struct got *g, struct why *why)
{
    *g = (struct got){0};
    return csv_read(bytes_of_str(text), max, note, g, why);
}

static void reads(const char *text, const char *want)
{
    struct got g;
    struct why why = {0};
    enum err e = read_with(text, &usual, &g, &why);
    if (e != ERR_OK) print_error("%s\n", why.text);
    assert_int_equal(e, ERR_OK);
    assert_string_equal(g.text, want);
}

static void refuses(const char *text, const struct csv_limits *max, enum err want, const char *words)
{
    struct got g;
    struct why why = {0};
    assert_int_equal(read_with(text, max, &g, &why), want);
    if (strstr(why.text, words) == NULL) print_error("no '%s' in: %s\n", words, why.text);
    assert_non_null(strstr(why.text, words));
}

static void rows_and_cells_are_read_as_a_spreadsheet_writes_them(void **state)
{
    (void)state;
    reads("a,b\r\nc,d\r\n", "1:a|b;2:c|d;");
    reads("a,b\nc,d", "1:a|b;2:c|d;"); /* no end of the last line */
    reads("a\rb\rc", "1:a;2:b;3:c;");  /* the oldest line ends */
    reads("\xef\xbb\xbf"
          "a,b\n",
          "1:a|b;"); /* byte order mark */
    reads("a,,\n,\n", "1:a||;2:|;");
    reads("\"a,b\",\"say \"\"hi\"\"\"\n", "1:a,b|say \"hi\";");
    reads("", "");
    reads("\xc3\xa9t\xc3\xa9\n", "1:\xc3\xa9t\xc3\xa9;");
}

static void each_row_knows_the_line_on_which_it_begins(void **state)
{
    (void)state;
    reads("a\n\n\nb\n", "1:a;4:b;");
    reads("\"one\ntwo\n\nfour\"\nb\n", "1:one\ntwo\n\nfour;5:b;");
    reads("a\r\n\"x\r\ny\"\r\nb\r\n", "1:a;2:x\r\ny;4:b;");
    reads("\n\"\n\"\nb\n", "2:\n;4:b;");
}

static void what_is_too_large_is_refused_whole(void **state)
{
    const struct csv_limits small = {.max_bytes = 8, .max_rows = 2, .max_columns = 2};
    const struct csv_limits wide = {.max_bytes = 4096, .max_rows = 10, .max_columns = 1000};
    char many[256] = "";
    (void)state;
    reads("1\n2\n3\n4\n5\n6\n7\n8\n9\n0\n", "1:1;2:2;3:3;4:4;5:5;6:6;7:7;8:8;9:9;10:0;");
    refuses("1\n2\n3\n4\n5\n6\n7\n8\n9\n0\n1\n", &usual, ERR_LIMIT, "more than 10 lines");
    refuses("a,b\nc,d,e", &small, ERR_LIMIT, "longer");
    refuses("a,b,c", &small, ERR_LIMIT, "Line 1 has more than 2 columns");
    for (int i = 0; i < 70; i++) strcat(many, "a,");
    refuses(many, &wide, ERR_LIMIT, "columns"); /* whoever asks for more than there is room for */
}

static void bytes_that_are_no_text_are_refused_with_the_line(void **state)
{
    struct got g = {0};
    (void)state;
    refuses("a\xff"
            "b\n",
            &usual, ERR_FORMAT, "plain text");
    assert_int_equal(csv_read(bytes_of("a\0b", 3), &usual, note, &g, NULL), ERR_FORMAT);
    refuses("a\n\"b\nc", &usual, ERR_FORMAT, "Line 2");
    refuses("a\nb\n\"c\"d\n", &usual, ERR_FORMAT, "Line 3");
    refuses("a\nb\"c\n", &usual, ERR_FORMAT, "Line 2");
    assert_int_equal(csv_read(bytes_of(NULL, 0), &usual, note, &g, NULL), ERR_OK);
}

static enum err stop(void *ctx, unsigned line, const struct bytes *cells, size_t n, struct why *why)
{
    int *rows = ctx;
    (void)cells;
    (void)n;
    (*rows)++;
    return line == 2 ? why_set(why, ERR_DENIED, "No.") : ERR_OK;
}

static void who_reads_may_stop_it(void **state)
{
    int rows = 0;
    struct why why = {0};
    (void)state;
    assert_int_equal(csv_read(bytes_of_str("a\nb\nc\nd\n"), &usual, stop, &rows, &why), ERR_DENIED);
    assert_string_equal(why.text, "No.");
    assert_int_equal(rows, 2);
}

static void writes(const char *cell, const char *want)
{
    struct buf b;
    struct csv_writer w = {.out = &b};
    buf_init(&b, 4096);
    csv_put_str(&w, cell);
    csv_put_str(&w, "x");
    csv_end_row(&w);
    char line[256];
    (void)snprintf(line, sizeof line, "%s,x\r\n", want);
    assert_string_equal(buf_cstr(&b), line);
    buf_release(&b);
}

/* CWE-1236: a cell that a spreadsheet takes for a formula may run programs, or send what stands beside it elsewhere. */
static void no_cell_is_run_as_a_formula(void **state)
{
    static const char *const evil[] = {"=1+1", "+44", "-2", "@SUM(A1)", "\t=1", "\r=1", "=HYPERLINK(\"http://x\",A1)"};
    (void)state;
    for (size_t i = 0; i < sizeof evil / sizeof evil[0]; i++) {
        struct buf b;
        struct csv_writer w = {.out = &b};
        buf_init(&b, 4096);
        csv_put_str(&w, evil[i]);
        assert_memory_equal(buf_cstr(&b), "\"'", 2);
        buf_release(&b);
    }
    writes("=1+1", "\"'=1+1\"");
    writes("5-2", "5-2");
    writes("\xef\xbb\xbf=1+1", "\"\xef\xbb\xbf=1+1\""); /* no byte order mark, behind which it would begin */
}

static void what_is_written_is_read_back(void **state)
{
    static const char *const cells[] = {"plain", "", "a,b", "a;b", "say \"hi\"", "two\nlines", " blank ", "\xc3\xa9"};
    struct buf b;
    struct csv_writer w = {.out = &b};
    (void)state;
    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++) {
        char want[64];
        struct got g;
        buf_init(&b, 4096);
        csv_put_str(&w, cells[i]);
        csv_put_int(&w, -5);
        csv_end_row(&w);
        assert_int_equal(read_with(buf_cstr(&b), &usual, &g, NULL), ERR_OK);
        (void)snprintf(want, sizeof want, "1:%s|-5;", cells[i]);
        assert_string_equal(g.text, want);
        buf_release(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_and_cells_are_read_as_a_spreadsheet_writes_them),
        cmocka_unit_test(each_row_knows_the_line_on_which_it_begins),
        cmocka_unit_test(what_is_too_large_is_refused_whole),
        cmocka_unit_test(bytes_that_are_no_text_are_refused_with_the_line),
        cmocka_unit_test(who_reads_may_stop_it),
        cmocka_unit_test(no_cell_is_run_as_a_formula),
        cmocka_unit_test(what_is_written_is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
