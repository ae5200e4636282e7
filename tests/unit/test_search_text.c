/* Words of texts and of queries: alike however they are written, and within bounds whatever bytes come. */
#include "node/search_query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void put(void *ctx, const struct search_word *w)
{
    static const char mark[] = {' ', '~', '+'};
    char *out = ctx;
    size_t n = strlen(out);
    assert_true(n + w->word.n + 2 < 2048);
    out[n] = mark[w->kind];
    memcpy(out + n + 1, w->word.p, w->word.n);
    out[n + 1 + w->word.n] = '\0';
}

/* Words as " word", those that stand for them too as "~word", joined ones as "+word". */
static void are(const char *text, const char *want)
{
    char got[2048] = "";
    search_words(bytes_of_str(text), put, got);
    assert_string_equal(got, want);
}

static void letters_are_alike_whatever_their_case_and_accents(void **state)
{
    (void)state;
    are("ZO\xc3\x8b zo\xc3\xab Zoe\xcc\x88", " zoe zoe zoe");
    are("Stra\xc3\x9f"
        "e \xc3\x86sir \xc3\x9eor",
        " strasse aesir thor");
    are("\xc5\x81ukasz \xc4\xb0zmir \xc5\xbb\xc3\xb3\xc5\x82w \xc5\xa4", " lukasz izmir zolw t");
    are("\xc5\xb4yn \xe1\xba\x84yn \xe1\xbb\x84 \xc6\xa0", " wyn wyn e o"); /* Welsh, Vietnamese */
    are("\xd0\x98\xd0\x92\xd0\x90\xd0\x9d \xce\x86\xce\x9d\xce\x9d\xce\x91",
        " \xd0\xb8\xd0\xb2\xd0\xb0\xd0\xbd \xce\xb1\xce\xbd\xce\xbd\xce\xb1");
}

static void apostrophes_do_not_part_words_and_other_marks_do(void **state)
{
    (void)state;
    are("O'Brien", " obrien~brien");
    are("child\xe2\x80\x99s", " childs~child");
    are("don't 'quoted' James'", " dont~don quoted james");
    are("Smith-Jones, a/b_c.d\te\nf", " smith jones a b c d e f");
    are("\xe2\x80\x9cyes\xe2\x80\x9d \xe2\x80\x94 no\xe2\x80\xa6", " yes no");
    are("soft\xc2\xadhyphen zero\xe2\x80\x8bwidth", " softhyphen zerowidth");
}

static void groups_of_a_number_are_also_one_word(void **state)
{
    (void)state;
    are("943 476 5919", " 943 476+943476 5919+4765919+9434765919");
    are("(01686) 411-000", " 01686 411+01686411 000+411000+01686411000");
    are("SY18 6AB", " sy18 6ab+sy186ab");
    are("2015-03-02", " 2015 03+201503 02+20150302");
    are("3 of 12, 4 12", " 3 of 12 4 12"); /* too short to be one */
    are("123, 456789", " 123 456789");
}

static void compact(const char *text, const char *want)
{
    uint8_t out[SEARCH_WORD_MAX];
    size_t n = search_compact(bytes_of_str(text), out);
    assert_int_equal(n, strlen(want));
    assert_memory_equal(out, want, n);
}

static void references_are_alike_whatever_stands_between(void **state)
{
    (void)state;
    compact("C-K7QX 2m4p", "ck7qx2m4p");
    compact("EXT/2024/0099", "ext20240099");
    compact(" -- ", "");
    compact("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", ""); /* one byte too many */
}

static void look(void *ctx, const struct search_word *w)
{
    const struct bytes *text = ctx;
    assert_true(w->word.n > 0 && w->word.n <= SEARCH_WORD_MAX);
    assert_true(w->from < w->to && w->to <= text->n && w->span > 0);
    for (size_t i = 0; i < w->word.n; i++) assert_true(w->word.p[i] >= '0' && w->word.p[i] != 0xff);
}

static void any_bytes_stay_within_bounds(void **state)
{
    static const char likely[] = "0123456789aZ '-()\"\xc3\xa9\xe2\x80\x99\xcc\x88\xf0\x9f\xff\xc5";
    unsigned r = 7;
    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        struct search_query q;
        struct search_ranges ranges;
        size_t n = round % 200;
        uint8_t *text = malloc(n + 1); /* of just this length, so that a sanitizer sees a byte more */
        assert_non_null(text);
        for (size_t i = 0; i < n; i++) {
            r = r * 1664525u + 1013904223u;
            text[i] = round % 3 == 0 ? (uint8_t)(r >> 24) : (uint8_t)likely[(r >> 16) % (sizeof likely - 1)];
        }
        text = realloc(text, n == 0 ? 1 : n);
        assert_non_null(text);
        struct bytes in = bytes_of(text, n);
        search_words(in, look, &in);
        if (search_query_read(&q, in, NULL) == ERR_OK) {
            assert_true(q.n_terms > 0 && q.n_words <= SEARCH_QUERY_WORDS);
            (void)search_match(&q, in, &ranges);
            for (size_t i = 0; i < ranges.n; i++) {
                assert_true(ranges.from[i] < ranges.to[i] && ranges.to[i] <= n);
                assert_true(i == 0 || ranges.from[i] >= ranges.to[i - 1]);
            }
            assert_int_equal(search_match(&q, in, &ranges), search_query_all(&q));
        }
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_are_alike_whatever_their_case_and_accents),
        cmocka_unit_test(apostrophes_do_not_part_words_and_other_marks_do),
        cmocka_unit_test(groups_of_a_number_are_also_one_word),
        cmocka_unit_test(references_are_alike_whatever_stands_between),
        cmocka_unit_test(any_bytes_stay_within_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
