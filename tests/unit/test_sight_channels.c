#include "tests/lib/hub_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int set_up(void **state)
{
    struct hub_fixture *f = hub_fixture_new(1);
    hub_fixture_town(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    hub_fixture_free(*state);
    return 0;
}

#define sees hub_fixture_sees

static void sight_has_room_for_55_agencies_and_says_so_when_it_is_full(void **state)
{
    struct hub_fixture *f = *state;
    struct why why = {0};
    char code[32];
    int added = 0;
    const struct table_rule *t = rules_table((size_t)rules_table_index(bytes_of_str("agency")));
    hub_fixture_step(f);
    struct id c = hub_fixture_case(f);
    struct id child = hub_fixture_row(f, "person", c, "council", "role", "child", NULL);
    char person[34];
    const char *schemes[] = {"nhs", "upn", "pnc", "crn"};
    for (size_t i = 0; i < 4; i++)
        (void)hub_fixture_row(f, "identifier", c, "council", "person_id", hub_fixture_hex(child, person), "scheme",
                              schemes[i], NULL);
    for (int i = 0; i < 80; i++) { /* agencies that nobody knows use up nothing */
        (void)snprintf(code, sizeof code, "ghost%d", i);
        (void)hub_fixture_row(f, "request", c, "council", "to_agency", code, NULL);
    }
    hub_fixture_settle(f);
    hub_fixture_step(f);
    for (int i = 0; i < 80; i++) {
        struct row row = {.table = t};
        struct id id = hub_fixture_id(f);
        (void)snprintf(code, sizeof code, "agency%d", i);
        for (size_t j = 0; j < t->n_columns; j++) row.v[j] = value_null();
        row.v[0] = value_id(id.b);
        row.v[1] = value_str(code);
        enum err e = sight_insert(&f->h, &row, &f->hub, &why);
        if (e != ERR_OK) {
            assert_int_equal(e, ERR_LIMIT);
            assert_non_null(strstr(why.text, "cannot hold another agency"));
            assert_true(why.next[0] != '\0');
            break;
        }
        added++;
    }
    assert_int_equal(added + 4, 55);
    db_rollback(f->h.db);
    sight_forget(&f->h);
}

static void sight_shows_old_requests_to_an_agency_that_joins_later(void **state)
{
    struct hub_fixture *f = *state;
    hub_fixture_step(f);
    struct id c = hub_fixture_case(f);
    struct id q = hub_fixture_row(f, "request", c, "council", "to_agency", "housing", NULL);
    hub_fixture_settle(f);
    hub_fixture_step(f);
    hub_fixture_agency(f, "housing", "housing");
    hub_fixture_site(f, "depot", "housing", "partner", "*");
    hub_fixture_settle(f);
    assert_true(sees(f, "depot", "request", q));
    assert_false(sees(f, "depot", "case_file", c));
}

static void verify_finds_a_mask_or_seat_that_is_not_the_policys(void **state)
{
    struct hub_fixture *f = *state;
    hub_fixture_step(f);
    struct id c = hub_fixture_case(f);
    (void)hub_fixture_share(f, c, "health", "view");
    hub_fixture_settle(f);
    hub_fixture_sql(f, "UPDATE h_row SET mask = mask | 4 WHERE no = (SELECT max(no) FROM h_row)");
    assert_int_equal(hub_verify(&f->h, NULL), ERR_OK); /* participant rows are in `shared` already */
    hub_fixture_sql(f, "UPDATE h_row SET mask = mask | 8 WHERE no = (SELECT max(no) FROM h_row)");
    assert_int_equal(hub_verify(&f->h, NULL), ERR_TAMPERED);
    hub_fixture_sql(f, "UPDATE h_row SET mask = mask - 8 WHERE no = (SELECT max(no) FROM h_row)");
    assert_int_equal(hub_verify(&f->h, NULL), ERR_OK);
    hub_fixture_sql(f, "UPDATE h_seat SET access = 5 WHERE access = 2");
    assert_int_equal(hub_verify(&f->h, NULL), ERR_TAMPERED);
    hub_fixture_sql(
        f, "UPDATE h_seat SET access = 2 WHERE access = 5 AND site_no <> (SELECT no FROM h_site WHERE code = 'mash')");
    assert_int_equal(hub_verify(&f->h, NULL), ERR_OK);
    hub_fixture_sql(f, "UPDATE participant SET access = 'contribute'");
    assert_int_equal(hub_verify(&f->h, NULL), ERR_TAMPERED);
    hub_fixture_sql(f, "UPDATE participant SET access = 'view'");
    hub_fixture_sql(f, "DELETE FROM participant");
    assert_int_equal(hub_verify(&f->h, NULL), ERR_TAMPERED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sight_has_room_for_55_agencies_and_says_so_when_it_is_full),
        TEST(sight_shows_old_requests_to_an_agency_that_joins_later),
        TEST(verify_finds_a_mask_or_seat_that_is_not_the_policys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
