/* What an answer held is kept in memory between its check and its taking, up to a bound; a larger one is taken all the
 * same. */
#include "node/internal.h"
#include "tests/lib/mock_round.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void items_come_back_in_their_order_and_once(void **state)
{
    struct stash s = {0};
    struct bytes item;
    (void)state;
    for (uint8_t i = 0; i < 50; i++) {
        uint8_t bytes[50];
        memset(bytes, i, sizeof bytes);
        stash_put(&s, bytes_of(bytes, i));
    }
    assert_false(s.overflown);
    for (uint8_t i = 0; i < 50; i++) {
        assert_true(stash_next(&s, &item));
        assert_int_equal(item.n, i);
        for (size_t at = 0; at < item.n; at++) assert_int_equal(item.p[at], i);
    }
    assert_false(stash_next(&s, &item));
    stash_release(&s);
}

static void more_than_the_bound_keeps_nothing(void **state)
{
    struct stash s = {0};
    struct bytes item;
    uint8_t *half = calloc(STASH_MAX / 2, 1);
    (void)state;
    assert_non_null(half);
    stash_put(&s, bytes_of(half, STASH_MAX / 2));
    stash_put(&s, bytes_of(half, STASH_MAX / 2));
    assert_false(s.overflown);
    stash_put(&s, bytes_of(half, 1));
    assert_true(s.overflown);
    stash_put(&s, bytes_of(half, 1)); /* not half of them either */
    assert_false(stash_next(&s, &item));
    stash_release(&s);
    free(half);
}

static void take_persons(unsigned n, size_t bytes)
{
    struct mock_round s;
    char *big = malloc(bytes + 1), text[128];
    uint8_t id[16];
    assert_non_null(big);
    mock_round_start(&s);
    for (size_t i = 0; i < bytes; i++) big[i] = (char)('a' + i * i % 23); /* not a bomb of zeros */
    big[bytes] = '\0';
    for (unsigned i = 0; i < n; i++) {
        mock_id(id, 0x5000 + i);
        struct row row = mock_person(id, s.c, big);
        mock_answer_op(&s.a, OP_INSERT, &row);
    }
    mock_round_seal(&s);
    assert_int_equal(mock_round_import(&s, ERR_OK).rows_in, 3 + n);
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM person"), 2 + n);
    assert_int_equal(mock_ask(s.w.node, "SELECT min(length(family_name)) FROM person WHERE length(family_name) > 100"),
                     bytes);
    mock_get(s.w.node, "person", s.p, "family_name", text);
    assert_string_equal(text, MOCK_SECRET);
    mock_round_stop(&s);
    free(big);
}

static void an_answer_that_fits_is_taken(void **state)
{
    (void)state;
    take_persons(4, 900000);
}

static void an_answer_that_does_not_fit_is_taken_as_well(void **state)
{
    (void)state;
    take_persons(12, 900000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_back_in_their_order_and_once),
        cmocka_unit_test(more_than_the_bound_keeps_nothing),
        cmocka_unit_test(an_answer_that_fits_is_taken),
        cmocka_unit_test(an_answer_that_does_not_fit_is_taken_as_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
