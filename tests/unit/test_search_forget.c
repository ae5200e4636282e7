/* What was dropped, hidden or changed is found no more, and no word of it stays: not in the index, not in any page, not
 * in the log. */
#include "tests/lib/rot.h"
#include "tests/lib/search_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static size_t in_pages(struct search_world *s, const char *text)
{
    return rot_find(&s->w, bytes_of_str(text));
}

static void sound(struct search_world *s)
{
    struct verify_result v;
    struct why why = {0};
    if (node_verify(s->w.node, &v, &why) != ERR_OK) fail_msg("%s", why.text);
}

static void a_dropped_row_is_in_no_page_of_the_store(void **state)
{
    struct search_world *s = *state;
    assert_int_equal(search_world_hits(s, "aberllefenni"), 1);
    assert_int_equal(search_world_in_index(s, "aberllefenni"), 1);
    assert_true(in_pages(s, "Aberllefenni") > 0); /* the look at the pages finds what is there */
    assert_true(in_pages(s, "aberllefenni") > 0);
    search_world_drop(s, "record", 41);
    assert_int_equal(in_pages(s, "Aberllefenni"), 0);
    assert_int_equal(in_pages(s, "aberllefenni"), 0);
    assert_true(in_pages(s, "blaencwmystwyth") > 0); /* words of other cases stayed */
    assert_int_equal(search_world_hits(s, "aberllefenni"), 0);
    assert_int_equal(search_world_hits(s, "machynlleth"), 1);
    sound(s);
}

/* Many words in many pages, whose leftovers would lie in gaps. */
static void no_word_of_a_dropped_text_stays(void **state)
{
    struct search_world *s = *state;
    char columns[900] = "sensitivity=open;body=", word[16];
    for (unsigned i = 0; i < 80; i++) {
        (void)snprintf(word, sizeof word, "zq%uxv ", i * 7919);
        strcat(columns, word);
    }
    const struct search_tell more[] = {{OP_INSERT, "record", 90, 2, columns}};
    search_world_tell(s, more, 1);
    assert_int_equal(search_world_hits(s, "zq7919xv"), 1);
    search_world_drop(s, "record", 90);
    for (unsigned i = 0; i < 80; i++) {
        (void)snprintf(word, sizeof word, "zq%uxv", i * 7919);
        assert_int_equal(in_pages(s, word), 0);
    }
}

static void a_case_that_was_taken_away_leaves_not_even_its_id(void **state)
{
    struct search_world *s = *state;
    uint8_t id[16];
    mock_id(id, 2);
    assert_int_equal(search_world_hits(s, "blaencwmystwyth"), 1);
    search_world_drop(s, "record", 43);
    search_world_drop(s, "case_file", 2);
    assert_int_equal(rot_find(&s->w, bytes_of(id, sizeof id)), 0);
    assert_int_equal(in_pages(s, "ccccdddd"), 0);
    assert_int_equal(search_world_hits(s, "C-CCCCDDDD"), 0);
}

/* The index was told nothing yet of what came and went. */
static void what_came_and_went_between_two_searches_leaves_nothing(void **state)
{
    struct search_world *s = *state;
    static const struct search_tell more[] = {
        {OP_INSERT, "record", 91, 1, "body=Ystumtuen;sensitivity=open"},
        {OP_INSERT, "case_file", 5, 5, "reference=C-YYYYZZZZ"},
    };
    assert_int_equal(search_world_hits(s, "machynlleth"), 1);
    search_world_tell(s, more, 2);
    search_world_drop(s, "record", 91);
    search_world_drop(s, "case_file", 5);
    assert_int_equal(in_pages(s, "ystumtuen"), 0);
    assert_int_equal(in_pages(s, "yyyyzzzz"), 0);
    assert_int_equal(search_world_hits(s, "machynlleth"), 1);
    assert_int_equal(search_world_hits(s, "ystumtuen"), 0);
}

static void search_never_finds_what_is_hidden_or_dropped(void **state)
{
    struct search_world *s = *state;
    assert_true(search_world_finds(s, "aberllefenni", "record", 41));
    search_world_end(s, &search_world_rows[2], s->now + 3600000);
    assert_true(search_world_finds(s, "aberllefenni", "record", 41));
    s->now += 7200000;
    search_world_reopen(s);
    assert_int_equal(mock_ask(s->w.node, "SELECT count(*) FROM n_hidden"), 1);
    assert_int_equal(search_world_hits(s, "aberllefenni"), 0);
    assert_int_equal(search_world_in_index(s, "aberllefenni"), 0);
    assert_true(search_world_finds(s, "machynlleth", "record", 42));
    s->now -= 7200000;
    search_world_reopen(s); /* it was too early */
    assert_true(search_world_finds(s, "aberllefenni", "record", 41));
    search_world_drop(s, "record", 41);
    assert_int_equal(search_world_hits(s, "aberllefenni"), 0);
}

static void found_again_when_given_back(void **state)
{
    struct search_world *s = *state;
    search_world_drop(s, "record", 41);
    assert_int_equal(search_world_hits(s, "aberllefenni"), 0);
    search_world_tell(s, &search_world_rows[2], 1);
    assert_true(search_world_finds(s, "aberllefenni", "record", 41));
}

static void an_edited_text_is_found_by_its_new_words_only(void **state)
{
    struct search_world *s = *state;
    static const struct search_tell change[] = {{OP_UPDATE, "record", 41, 1, "body=Ponterwyd was meant"}};
    assert_int_equal(search_world_hits(s, "aberllefenni"), 1);
    search_world_tell(s, change, 1);
    assert_int_equal(search_world_hits(s, "aberllefenni"), 0);
    assert_true(search_world_finds(s, "ponterwyd", "record", 41));
    assert_int_equal(search_world_in_index(s, "aberllefenni"), 0);
    uint8_t id[16];
    mock_id(id, 41);
    (void)mock_set(s->w.node, "record", id, "body", "Devil's Bridge"); /* by hand here, too */
    assert_int_equal(search_world_hits(s, "ponterwyd"), 0);
    assert_true(search_world_finds(s, "devil's bridge", "record", 41));
}

static void an_edit_that_was_given_up_changes_nothing(void **state)
{
    struct search_world *s = *state;
    uint8_t id[16];
    mock_id(id, 41);
    assert_int_equal(search_world_hits(s, "aberllefenni"), 1);
    assert_int_equal(node_edit_begin(s->w.node, NULL), ERR_OK);
    assert_int_equal(db_row_set(node_db(s->w.node), rules_table((size_t)rules_table_index(bytes_of_str("record"))), id,
                                16, value_str("Ponterwyd"), NULL),
                     ERR_OK);
    node_edit_cancel(s->w.node);
    assert_int_equal(search_world_hits(s, "ponterwyd"), 0);
    assert_int_equal(search_world_hits(s, "aberllefenni"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_dropped_row_is_in_no_page_of_the_store, search_world_set_up,
                                        search_world_tear_down),
        cmocka_unit_test_setup_teardown(no_word_of_a_dropped_text_stays, search_world_set_up, search_world_tear_down),
        cmocka_unit_test_setup_teardown(a_case_that_was_taken_away_leaves_not_even_its_id, search_world_set_up,
                                        search_world_tear_down),
        cmocka_unit_test_setup_teardown(what_came_and_went_between_two_searches_leaves_nothing, search_world_set_up,
                                        search_world_tear_down),
        cmocka_unit_test_setup_teardown(search_never_finds_what_is_hidden_or_dropped, search_world_set_up,
                                        search_world_tear_down),
        cmocka_unit_test_setup_teardown(found_again_when_given_back, search_world_set_up, search_world_tear_down),
        cmocka_unit_test_setup_teardown(an_edited_text_is_found_by_its_new_words_only, search_world_set_up,
                                        search_world_tear_down),
        cmocka_unit_test_setup_teardown(an_edit_that_was_given_up_changes_nothing, search_world_set_up,
                                        search_world_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
