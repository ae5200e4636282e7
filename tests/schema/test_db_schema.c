/* A store that is brought from one schema version to the next. */
#include "tests/lib/db_fixture.h"
#include "tests/schema/versions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int set_up(void **state)
{
    versions_speak(VERSIONS_NEWEST);
    return db_fixture_set_up(state);
}

static size_t column(const char *table, const char *name)
{
    return (size_t)rules_column_index(db_fixture_table(table), bytes_of_str(name));
}

static void migrate(struct db *db, uint64_t to)
{
    assert_int_equal(db_begin(db, NULL), ERR_OK);
    assert_int_equal(db_migrate(db, to, NULL), ERR_OK);
    assert_int_equal(db_commit(db, NULL), ERR_OK);
    assert_int_equal(db_schema(db), to);
}

/* A person with a family name; all other columns as the store has them. */
static struct row person(const uint8_t id[16])
{
    struct row r = {.table = db_fixture_table("person")};
    for (size_t i = 0; i < r.table->n_columns; i++) r.v[i] = value_null();
    r.v[0] = r.v[1] = value_id(id);
    r.v[2] = value_str("a");
    r.v[column("person", "family_name")] = value_str("Wren");
    return r;
}

static struct row stored(struct db *db, const uint8_t id[16], struct buf *store)
{
    struct row r;
    bool found = false;
    assert_int_equal(db_row_get(db, db_fixture_table("person"), id, store, &r, &found, NULL), ERR_OK);
    assert_true(found);
    return r;
}

static int64_t columns_of(struct db *db, const char *table)
{
    char sql[100];
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM pragma_table_info('%s')", table);
    return db_fixture_number(db, sql);
}

static void every_version_has_the_columns_of_its_rules_in_their_order(void **state)
{
    struct db *db = db_fixture_db(state);
    for (uint64_t v = 1; v <= VERSIONS_NEWEST; v++) {
        size_t n;
        const struct table_rule *t = rules_tables(&n);
        migrate(db, v);
        for (size_t i = 0; i < n; i++) {
            char sql[100];
            struct stmt *s;
            bool row = true;
            size_t c = 0;
            (void)snprintf(sql, sizeof sql, "SELECT name, type FROM pragma_table_info('%s') ORDER BY cid", t[i].name);
            s = db_fixture_prepare(db, sql);
            for (;; c++) {
                assert_int_equal(db_step(s, &row, NULL), ERR_OK);
                if (!row) break;
                assert_true(bytes_equal(db_bytes(s, 0), bytes_of_str(t[i].columns[c].name)));
                if (t[i].columns[c].type == COL_REAL) assert_true(bytes_equal(db_bytes(s, 1), bytes_of_str("REAL")));
            }
            db_done(s);
            assert_int_equal(c, rules_columns_at(&t[i], v));
        }
    }
}

static void a_store_has_the_columns_of_its_version_and_no_later_ones(void **state)
{
    struct db *db = db_fixture_db(state);
    for (uint64_t v = 1; v <= VERSIONS_NEWEST; v++) {
        migrate(db, v);
        assert_true(db_has_column(db, "conflict", "found_at"));
        assert_int_equal(db_has_column(db, "conflict", "kept_at"), v >= 2);
        assert_int_equal(db_has_column(db, "person", "shoe_size"), v >= 4);
        assert_false(db_has_column(db, "person", "kept_at"));
        assert_false(db_has_column(db, "n_outbox", "seq")); /* no synced table */
    }
}

static void a_store_brought_up_in_one_step_is_the_same_as_in_three(void **state)
{
    struct db *db = db_fixture_db(state);
    migrate(db, VERSIONS_NEWEST);
    for (size_t i = 0, n; i < (rules_tables(&n), n); i++)
        assert_int_equal(columns_of(db, rules_table(i)->name), rules_table(i)->n_columns);
    migrate(db, VERSIONS_NEWEST); /* and again is nothing */
}

static void a_store_is_never_taken_down_or_beyond_what_the_program_knows(void **state)
{
    struct db *db = db_fixture_db(state);
    struct why why = {0};
    migrate(db, 3);
    assert_int_equal(db_begin(db, NULL), ERR_OK);
    assert_int_equal(db_migrate(db, 2, NULL), ERR_OK);
    assert_int_equal(db_schema(db), 3);
    assert_int_equal(db_migrate(db, VERSIONS_NEWEST + 1, &why), ERR_VERSION);
    assert_int_equal(db_schema(db), 3);
    db_rollback(db);
    assert_int_equal(db_set_schema(db, VERSIONS_NEWEST + 1, NULL), ERR_VERSION);
    assert_int_equal(db_set_schema(db, 0, NULL), ERR_VERSION);
    assert_int_equal(db_schema(db), 3);
}

static void a_step_that_is_undone_leaves_the_version_that_was(void **state)
{
    struct db *db = db_fixture_db(state);
    const uint8_t *id = db_fixture_ids[0];
    struct row r = person(id);
    struct buf store;
    buf_init(&store, 1u << 20);
    assert_int_equal(db_migrate(db, 2, NULL), ERR_FAILED); /* half of it would be neither */
    assert_int_equal(db_row_put(db, &r, NULL), ERR_OK);
    assert_int_equal(db_begin(db, NULL), ERR_OK);
    assert_int_equal(db_migrate(db, 2, NULL), ERR_OK);
    r.v[column("person", "nickname")] = value_str("Wrennie");
    assert_int_equal(db_row_put(db, &r, NULL), ERR_OK);
    db_rollback(db);
    assert_int_equal(db_schema(db), 1);
    assert_int_equal(columns_of(db, "person"), rules_columns_at(r.table, 1));
    assert_int_equal(stored(db, id, &store).v[column("person", "nickname")].kind, VALUE_NULL);
    assert_int_equal(db_row_put(db, &r, NULL), ERR_DENIED);
    migrate(db, 2);
    db_rollback(db); /* without a transaction: nothing */
    assert_int_equal(db_schema(db), 2);
    assert_int_equal(db_row_put(db, &r, NULL), ERR_OK);
    assert_true(value_equal(stored(db, id, &store).v[column("person", "nickname")], value_str("Wrennie")));
    buf_release(&store);
}

static void rows_keep_their_values_and_are_null_in_what_was_added(void **state)
{
    struct db *db = db_fixture_db(state);
    const uint8_t *id = db_fixture_ids[1];
    struct row r = person(id);
    struct buf store;
    buf_init(&store, 1u << 20);
    assert_int_equal(db_row_put(db, &r, NULL), ERR_OK);
    for (uint64_t v = 1; v <= VERSIONS_NEWEST; v++) {
        migrate(db, v);
        struct row now = stored(db, id, &store);
        for (size_t i = 0; i < r.table->n_columns; i++) assert_true(value_equal(now.v[i], r.v[i]));
    }
    buf_release(&store);
}

static void a_value_for_a_column_that_is_not_there_yet_is_refused_and_says_why(void **state)
{
    struct db *db = db_fixture_db(state);
    const uint8_t *id = db_fixture_ids[0];
    const struct table_rule *t = db_fixture_table("person");
    struct row r = person(id);
    struct why why = {0};
    uint8_t before[32], after[32];
    assert_int_equal(db_row_put(db, &r, NULL), ERR_OK);
    migrate(db, 2);
    assert_int_equal(db_content_hash(db, before, NULL), ERR_OK);
    r.v[column("person", "height")] = value_int(160);
    assert_int_equal(db_row_put(db, &r, &why), ERR_DENIED);
    assert_string_equal(why.text, "The MASH server does not know this yet: height of a person. Nothing was saved.");
    assert_int_equal(db_row_set(db, t, id, column("person", "shoe_size"), value_int(38), &why), ERR_DENIED);
    assert_int_equal(db_row_set(db, t, id, column("person", "height"), value_null(), &why), ERR_OK);
    assert_int_equal(db_user_sql(db, "UPDATE person SET height = 160", true, NULL, NULL, &why), ERR_USAGE);
    assert_int_equal(db_content_hash(db, after, NULL), ERR_OK);
    assert_memory_equal(before, after, sizeof before);
    assert_int_equal(db_user_sql(db, "UPDATE person SET nickname = 'W'", true, NULL, NULL, &why), ERR_OK);
}

static void added_columns_are_as_strict_as_the_first(void **state)
{
    struct db *db = db_fixture_db(state);
    struct row r = person(db_fixture_ids[0]);
    assert_int_equal(db_row_put(db, &r, NULL), ERR_OK);
    migrate(db, VERSIONS_NEWEST);
    assert_int_equal(db_user_sql(db, "UPDATE person SET height = 'tall'", true, NULL, NULL, NULL), ERR_FAILED);
    assert_int_equal(db_user_sql(db, "UPDATE person SET height = NULL", true, NULL, NULL, NULL), ERR_OK);
    assert_int_equal(db_check(db, NULL), ERR_OK);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, db_fixture_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(every_version_has_the_columns_of_its_rules_in_their_order),
        TEST(a_store_has_the_columns_of_its_version_and_no_later_ones),
        TEST(a_store_brought_up_in_one_step_is_the_same_as_in_three),
        TEST(a_store_is_never_taken_down_or_beyond_what_the_program_knows),
        TEST(a_step_that_is_undone_leaves_the_version_that_was),
        TEST(rows_keep_their_values_and_are_null_in_what_was_added),
        TEST(a_value_for_a_column_that_is_not_there_yet_is_refused_and_says_why),
        TEST(added_columns_are_as_strict_as_the_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
