/* Ends in an answer are taken with their page or not at all. */
#include "tests/lib/mock_round.h"

#include "node/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* That person p ends at a time that is over. */
static void with_end(struct mock_round *s)
{
    mock_round_start(s);
    s->a.ends[0] = (struct end_item){.table_index = rules_table_index(bytes_of_str("person")), .not_after = 1};
    memcpy(s->a.ends[0].id, s->p, 16);
    s->a.n_ends = 1;
}

static int64_t hidden(struct mock_round *s)
{
    return mock_ask(s->w.node, "SELECT count(*) FROM n_hidden");
}

static void a_row_whose_time_is_over_when_it_comes_is_never_shown(void **state)
{
    struct mock_round s;
    (void)state;
    with_end(&s);
    mock_round_seal(&s);
    (void)mock_round_import(&s, ERR_OK);
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM person"), 1);
    assert_int_equal(hidden(&s), 1);
    mock_round_stop(&s);
}

static void ends_before_their_page_or_without_one_are_refused(void **state)
{
    struct mock_round s;
    (void)state;
    with_end(&s);
    s.a.ends_first = true;
    mock_round_seal(&s);
    mock_round_refuses(&s, ERR_FORMAT);
    mock_round_stop(&s);
    with_end(&s);
    s.a.with_page = false;
    memset(s.a.hello.cut, 0, sizeof s.a.hello.cut);
    mock_round_seal(&s);
    mock_round_refuses(&s, ERR_FORMAT);
    mock_round_stop(&s);
}

static void ends_of_another_answer_are_refused(void **state)
{
    struct mock_round s;
    (void)state;
    with_end(&s);
    s.a.ends_request = 7;
    mock_round_seal(&s);
    mock_round_refuses(&s, ERR_TAMPERED);
    mock_round_stop(&s);
}

static void an_end_of_a_row_that_is_not_here_hides_nothing_and_goes_with_its_order(void **state)
{
    struct mock_round s;
    struct verify_result v;
    uint8_t id[16];
    (void)state;
    with_end(&s);
    s.a.ends[0].id[0] ^= 1;
    memcpy(id, s.a.ends[0].id, 16);
    mock_round_seal(&s);
    (void)mock_round_import(&s, ERR_OK);
    assert_int_equal(hidden(&s), 0);
    assert_int_equal(node_verify(s.w.node, &v, NULL), ERR_OK);
    mock_round_ask(&s);
    mock_answer_drop(&s.a, "person", id);
    mock_round_seal(&s);
    (void)mock_round_import(&s, ERR_OK);
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM person"), 2);
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM n_end"), 0);
    mock_round_stop(&s);
}

static void the_hubs_last_word_that_there_is_no_end_shows_the_row(void **state)
{
    struct mock_round s;
    (void)state;
    with_end(&s);
    mock_round_seal(&s);
    (void)mock_round_import(&s, ERR_OK);
    mock_round_ask(&s);
    struct row row = mock_change("person", s.q, "family_name", "Rees");
    mock_answer_op(&s.a, OP_UPDATE, &row);
    s.a.ends[0] = (struct end_item){.table_index = rules_table_index(bytes_of_str("person"))};
    memcpy(s.a.ends[0].id, s.p, 16);
    s.a.n_ends = 1;
    mock_round_seal(&s);
    (void)mock_round_import(&s, ERR_OK);
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM person"), 2);
    assert_int_equal(hidden(&s), 0);
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM n_end"), 0);
    mock_round_stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_whose_time_is_over_when_it_comes_is_never_shown),
        cmocka_unit_test(ends_before_their_page_or_without_one_are_refused),
        cmocka_unit_test(ends_of_another_answer_are_refused),
        cmocka_unit_test(an_end_of_a_row_that_is_not_here_hides_nothing_and_goes_with_its_order),
        cmocka_unit_test(the_hubs_last_word_that_there_is_no_end_shows_the_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
