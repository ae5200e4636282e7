#include "sync/db.h"

#include "tests/lib/db_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* A store with every column that there is. */
static int newest(void **state, int e)
{
    struct db *db = db_fixture_db(state);
    assert_int_equal(db_begin(db, NULL), ERR_OK);
    assert_int_equal(db_migrate(db, rules_schema_newest(), NULL), ERR_OK);
    assert_int_equal(db_commit(db, NULL), ERR_OK);
    return e;
}

static int newest_set_up(void **state)
{
    return newest(state, db_fixture_set_up(state));
}

/* One schema for all, because making one takes as long as all that is done in it; each begins with empty tables. */
static int newest_set_up_postgres(void **state)
{
    return newest(state, db_fixture_set_up_postgres(state));
}

static int empty_tables(void **state)
{
    size_t n = 0;
    const struct table_rule *t = rules_tables(&n);
    char sql[128];
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(sql, sizeof sql, "DELETE FROM \"%s\"", t[i].name);
        db_fixture_run(db_fixture_db(state), sql);
    }
    return 0;
}

static struct row person(const uint8_t id[16], const char *family_name)
{
    struct row r = {.table = db_fixture_table("person")};
    r.v[0] = value_id(id);
    r.v[1] = value_id(db_fixture_ids[0]);
    r.v[2] = value_str("nhs");
    r.v[3] = value_str("child");
    r.v[4] = value_str(family_name);
    r.v[5] = value_str("");
    for (size_t i = 6; i < r.table->n_columns; i++)
        r.v[i] = value_null();
    r.v[10] = value_int(INT64_MAX);
    return r;
}

static void put(struct db *db, const struct row *r)
{
    assert_int_equal(db_row_put(db, r, NULL), ERR_OK);
}

static void hash(struct db *db, uint8_t out[32])
{
    assert_int_equal(db_content_hash(db, out, NULL), ERR_OK);
}

static void row_comes_back_as_it_was_put(void **state)
{
    struct db *db = db_fixture_db(state);
    struct row in = person(db_fixture_ids[1], "Müller"), out = {0};
    struct buf store;
    bool found = false;
    buf_init(&store, 1 << 20);
    put(db, &in);
    assert_int_equal(db_row_get(db, in.table, db_fixture_ids[1], &store, &out, &found, NULL), ERR_OK);
    assert_true(found);
    assert_ptr_equal(out.table, in.table);
    for (size_t i = 0; i < in.table->n_columns; i++)
        assert_true(value_equal(in.v[i], out.v[i]));
    buf_release(&store);
}

static void row_that_is_not_there_leaves_the_output_alone(void **state)
{
    struct db *db = db_fixture_db(state);
    struct row out = {0};
    struct buf store;
    bool found = true;
    buf_init(&store, 1 << 20);
    assert_int_equal(db_row_get(db, db_fixture_table("person"), db_fixture_ids[1], &store, &out, &found, NULL), ERR_OK);
    assert_false(found);
    assert_null(out.table);
    assert_int_equal(store.len, 0);
    buf_release(&store);
}

static void row_that_outgrows_its_store_is_refused(void **state)
{
    struct db *db = db_fixture_db(state);
    struct row in = person(db_fixture_ids[1], "Somebody"), out = {0};
    struct buf store;
    bool found = false;
    put(db, &in);
    buf_init(&store, 20);
    assert_int_equal(db_row_get(db, in.table, db_fixture_ids[1], &store, &out, &found, NULL), ERR_LIMIT);
    assert_false(found);
    assert_null(out.table);
    buf_release(&store);
}

static void row_put_replaces_the_whole_row(void **state)
{
    struct db *db = db_fixture_db(state);
    struct row r = person(db_fixture_ids[1], "Old");
    put(db, &r);
    r.v[4] = value_str("New");
    r.v[10] = value_none(); /* absent is NULL */
    put(db, &r);
    assert_int_equal(db_fixture_number(db, "SELECT count(*) FROM person"), 1);
    assert_int_equal(db_fixture_number(db, "SELECT family_name = 'New' AND voided_at IS NULL FROM person"), 1);
}

static void row_put_refuses_what_the_columns_cannot_hold(void **state)
{
    struct db *db = db_fixture_db(state);
    struct row r = person(db_fixture_ids[1], "A");
    r.v[2] = value_null();
    assert_int_equal(db_row_put(db, &r, NULL), ERR_FAILED);
    r = person(db_fixture_ids[1], "A");
    r.v[10] = value_str("later");
    assert_int_equal(db_row_put(db, &r, NULL), ERR_FAILED);
    assert_int_equal(db_fixture_number(db, "SELECT count(*) FROM person"), 0);
    r = person(db_fixture_ids[1], "A"); /* and the statement is usable afterwards */
    put(db, &r);
}

static void row_set_changes_one_column_of_one_row(void **state)
{
    struct db *db = db_fixture_db(state);
    struct row a = person(db_fixture_ids[1], "A"), b = person(db_fixture_ids[2], "B");
    put(db, &a);
    put(db, &b);
    assert_int_equal(db_row_set(db, a.table, db_fixture_ids[1], 4, value_str("C"), NULL), ERR_OK);
    assert_int_equal(db_changes(db), 1);
    assert_int_equal(db_row_set(db, a.table, db_fixture_ids[0], 4, value_str("C"), NULL), ERR_OK);
    assert_int_equal(db_changes(db), 0);
    assert_int_equal(db_fixture_number(db, "SELECT count(*) FROM person WHERE family_name = 'C' AND role = 'child'"),
                     1);
    assert_int_equal(db_fixture_number(db, "SELECT count(*) FROM person WHERE family_name = 'B'"), 1);
}

static void row_delete_removes_one_row(void **state)
{
    struct db *db = db_fixture_db(state);
    struct row a = person(db_fixture_ids[1], "A"), b = person(db_fixture_ids[2], "B");
    put(db, &a);
    put(db, &b);
    assert_int_equal(db_row_delete(db, a.table, db_fixture_ids[1], NULL), ERR_OK);
    assert_int_equal(db_row_delete(db, a.table, db_fixture_ids[1], NULL), ERR_OK); /* again: nothing to do */
    assert_int_equal(db_fixture_number(db, "SELECT count(*) FROM person WHERE family_name = 'B'"), 1);
    assert_int_equal(db_fixture_number(db, "SELECT count(*) FROM person"), 1);
}

/* A made-up value that the column's SQL type takes. */
static struct value filler(const struct column_rule *c)
{
    switch (c->type) {
    case COL_ID:
        return value_id(db_fixture_ids[0]);
    case COL_TEXT:
    case COL_WORD:
    case COL_DATE:
        return value_str("x");
    default:
        return value_int(1);
    }
}

static void row_works_for_every_synced_table(void **state)
{
    struct db *db = db_fixture_db(state);
    size_t n;
    const struct table_rule *t = rules_tables(&n);
    for (size_t i = 0; i < n; i++) {
        struct row in = {.table = &t[i]}, out = {0};
        struct buf store;
        bool found = false;
        for (size_t c = 0; c < t[i].n_columns; c++)
            in.v[c] = filler(&t[i].columns[c]);
        put(db, &in);
        buf_init(&store, 10000);
        assert_int_equal(db_row_get(db, &t[i], db_fixture_ids[0], &store, &out, &found, NULL), ERR_OK);
        assert_true(found);
        for (size_t c = 0; c < t[i].n_columns; c++)
            assert_true(value_equal(in.v[c], out.v[c]));
        buf_release(&store);
    }
}

/* ---- the hash over all rows ---- */

static void content_hash_does_not_depend_on_the_order_of_writing(void **state)
{
    struct db *db = db_fixture_db(state);
    struct row a = person(db_fixture_ids[1], "A"), b = person(db_fixture_ids[2], "B");
    uint8_t one[32], two[32];
    put(db, &a);
    put(db, &b);
    hash(db, one);
    db_fixture_run(db, "DELETE FROM person");
    put(db, &b);
    put(db, &a);
    put(db, &b); /* replaced by itself */
    db_fixture_run(db, "INSERT INTO note(t) VALUES('our own tables do not count')");
    hash(db, two);
    assert_memory_equal(one, two, 32);
}

static void content_hash_changes_with_every_column(void **state)
{
    struct db *db = db_fixture_db(state);
    size_t n;
    const struct table_rule *t = rules_tables(&n);
    uint8_t base[32], now[32];
    hash(db, base);
    for (size_t i = 0; i < n; i++) {
        struct row r = {.table = &t[i]};
        uint8_t with_row[32];
        for (size_t c = 0; c < t[i].n_columns; c++)
            r.v[c] = filler(&t[i].columns[c]);
        put(db, &r);
        hash(db, with_row);
        assert_memory_not_equal(base, with_row, 32);
        for (size_t c = 1; c < t[i].n_columns; c++) {
            const struct column_rule *rule = &t[i].columns[c];
            struct value other = rule->type == COL_ID  ? value_id(db_fixture_ids[1])
                                 : rule->required      ? value_str("y")
                                                       : value_null();
            assert_int_equal(db_row_set(db, &t[i], db_fixture_ids[0], c, other, NULL), ERR_OK);
            hash(db, now);
            assert_memory_not_equal(with_row, now, 32);
            assert_int_equal(db_row_set(db, &t[i], db_fixture_ids[0], c, r.v[c], NULL), ERR_OK);
        }
        assert_int_equal(db_row_delete(db, &t[i], db_fixture_ids[0], NULL), ERR_OK);
        hash(db, now);
        assert_memory_equal(base, now, 32);
    }
}

static void content_hash_tells_apart_what_looks_alike(void **state)
{
    struct db *db = db_fixture_db(state);
    struct row r = person(db_fixture_ids[1], "");
    uint8_t null_then_empty[32], empty_then_null[32], moved[32], other_table[32];
    r.v[4] = value_null();
    put(db, &r);
    hash(db, null_then_empty);
    r.v[4] = value_str("");
    r.v[5] = value_null();
    put(db, &r);
    hash(db, empty_then_null);
    assert_memory_not_equal(null_then_empty, empty_then_null, 32);

    r.v[4] = value_str("ab");
    r.v[5] = value_str("c");
    put(db, &r);
    hash(db, moved);
    r.v[4] = value_str("a");
    r.v[5] = value_str("bc");
    put(db, &r);
    hash(db, other_table);
    assert_memory_not_equal(moved, other_table, 32);

    db_fixture_run(db, "DELETE FROM person; INSERT INTO coverage VALUES(x'01', 'a', 'b')");
    hash(db, moved);
    db_fixture_run(db, "DELETE FROM coverage; INSERT INTO retention(id, event, scope) VALUES(x'01', 'a', 'b')");
    hash(db, other_table);
    assert_memory_not_equal(moved, other_table, 32);
}

#define CLAIMS(T)                                                                                                      \
    T(row_comes_back_as_it_was_put)                                                                                    \
    T(row_that_is_not_there_leaves_the_output_alone)                                                                   \
    T(row_that_outgrows_its_store_is_refused)                                                                          \
    T(row_put_replaces_the_whole_row)                                                                                  \
    T(row_put_refuses_what_the_columns_cannot_hold)                                                                    \
    T(row_set_changes_one_column_of_one_row)                                                                           \
    T(row_delete_removes_one_row)                                                                                      \
    T(row_works_for_every_synced_table)                                                                                \
    T(content_hash_does_not_depend_on_the_order_of_writing)                                                            \
    T(content_hash_changes_with_every_column)                                                                          \
    T(content_hash_tells_apart_what_looks_alike)

int main(void)
{
#define ON_SQLITE(name)   {"sqlite: " #name, name, newest_set_up, db_fixture_tear_down, NULL},
#define ON_POSTGRES(name) {"postgres: " #name, name, empty_tables, NULL, NULL},
    const struct CMUnitTest sqlite[] = {CLAIMS(ON_SQLITE)};
    const struct CMUnitTest postgres[] = {CLAIMS(ON_POSTGRES)};
    int faults = cmocka_run_group_tests(sqlite, NULL, NULL);
    return faults + cmocka_run_group_tests(postgres, newest_set_up_postgres, db_fixture_tear_down_postgres);
}
