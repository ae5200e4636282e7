/* What is left out of a card of the board: people beyond the sixth, and on a wall whatever it does not show. */
#include "tests/lib/look_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct look_world l;

static struct json *board(const struct look_board *ask)
{
    struct json *got = NULL;
    enum err e = look_board(l.n, ask, &got, &l.why);
    return look_got(&l, e, got);
}
static struct json *whole(void)
{
    return board(&(struct look_board){0});
}

#define CARD "columns.1.cases.0."

static void a_card_names_six_people_children_first_and_counts_the_others(void **state)
{
    (void)state;
    look_sql(&l, "INSERT INTO person(id, case_id, agency, role, given_names, family_name) VALUES"
                 "(@31, @1, 'care', 'parent', 'P', '1'), (@32, @1, 'care', 'parent', 'P', '2'),"
                 "(@33, @1, 'care', 'other', 'O', '3'), (@34, @1, 'care', 'other', 'O', '4'),"
                 "(@35, @1, 'care', 'child', 'C', '5')");
    struct json *b = whole();
    assert_int_equal(json_len(look_at(b, CARD "people")), 6);
    assert_int_equal(look_int(b, CARD "people_more"), 0);
    json_free(b);
    look_sql(
        &l,
        "WITH RECURSIVE x(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM x WHERE i < 1999) INSERT INTO person(id, case_id,"
        " agency, role, given_names, family_name) SELECT CAST(printf('person no %06d', i) AS BLOB), @1, 'care',"
        " 'other', 'Many', i FROM x");
    b = whole();
    assert_int_equal(json_len(look_at(b, CARD "people")), 6);
    assert_int_equal(look_int(b, CARD "people_more"), 2000);
    assert_string_equal(look_text(b, CARD "people.0.role"), "child");
    assert_string_equal(look_text(b, CARD "people.1.role"), "child");
    json_free(b);
}

/* What stands on a wall is read by whoever walks past, also by who looks at what the screen was sent. */
static void a_wall_is_sent_initials_and_nothing_that_it_does_not_show(void **state)
{
    static const char *const hidden[] = {"need",        "area",          "lead_agency",      "lead_agency_name",
                                         "received_at", "people.0.name", "people.0.born_on", "people.0.id"};
    (void)state;
    look_sql(&l, "INSERT INTO request(id, case_id, agency, to_agency, state, asked_at) VALUES"
                 "(@64, @1, 'care', 'police', 'open', #-5)");
    struct json *b = board(&(struct look_board){.wall = true});
    assert_int_equal(look_count_text(b, "Ada"), 0);
    assert_int_equal(look_count_text(b, "Wren"), 0);
    assert_int_equal(look_count_text(b, "2019"), 0);
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++) {
        char path[64];
        (void)snprintf(path, sizeof path, CARD "%s", hidden[i]);
        assert_string_equal(look_text(b, path), "-");
    }
    assert_string_equal(look_text(b, CARD "people.0.initials"), "AW");
    assert_string_equal(look_text(b, CARD "people.0.role"), "child");
    assert_string_equal(look_text(b, CARD "reference"), "C-AAAAAAAA");
    assert_string_equal(look_text(b, CARD "rag"), "amber");
    assert_string_equal(look_text(b, CARD "partners.0.agency_name"), "Police");
    json_free(b);
}

static int set_up(void **state)
{
    (void)state;
    look_world_new(&l);
    return 0;
}
static int tear_down(void **state)
{
    (void)state;
    look_world_free(&l);
    return 0;
}
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_card_names_six_people_children_first_and_counts_the_others),
        TEST(a_wall_is_sent_initials_and_nothing_that_it_does_not_show),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
