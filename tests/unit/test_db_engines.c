/* Every claim of sync/db.h that does not name an engine, on both. */
#include "sync/db.h"

#include "tests/lib/db_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Short names for what every test here does. */
#define db_of   db_fixture_db
#define prepare db_fixture_prepare
#define run     db_fixture_run
#define number  db_fixture_number

static const uint8_t *const id_a = db_fixture_ids[0];

static int64_t notes(struct db *db)
{
    return number(db, "SELECT count(*) FROM note");
}

static void db_binds_by_number_whatever_comes_first(void **state)
{
    struct db *db = db_of(state);
    bool row = false;
    struct stmt *s = prepare(db, "SELECT $2, $1, $2");
    db_bind_int(s, 1, 1);
    db_bind_int(s, 2, 2);
    assert_int_equal(db_step(s, &row, NULL), ERR_OK);
    assert_int_equal(db_int(s, 0), 2);
    assert_int_equal(db_int(s, 1), 1);
    assert_int_equal(db_int(s, 2), 2);
    db_done(s);
}

static void db_values_survive_the_store(void **state)
{
    struct db *db = db_of(state);
    const struct value in[] = {value_int(INT64_MIN),           value_str("Ærø"), value_str(""),
                               value_blob(bytes_of(NULL, 0)),  value_id(id_a),   value_null(),
                               {.kind = VALUE_REAL, .r = -0.5}};
    for (size_t i = 0; i < sizeof in / sizeof in[0]; i++) {
        bool row = false;
        struct stmt *s = prepare(db, "SELECT $1");
        db_bind_value(s, 1, in[i]);
        assert_int_equal(db_step(s, &row, NULL), ERR_OK);
        assert_true(value_equal(db_value(s, 0), in[i]));
        assert_int_equal(db_is_null(s, 0), in[i].kind == VALUE_NULL);
        db_done(s);
    }
}

static void db_tells_empty_from_null_and_ids_from_other_bytes(void **state)
{
    struct db *db = db_of(state);
    uint8_t id[16];
    bool row = false;
    struct stmt *s = prepare(db, "SELECT $1, $2, $3, $4, $5");
    db_bind_blob(s, 1, bytes_of(NULL, 0));
    db_bind_str(s, 2, NULL);
    db_bind_id(s, 3, id_a);
    db_bind_text(s, 4, bytes_of("0123456789abcdef", 16));
    db_bind_value(s, 5, value_none());
    assert_int_equal(db_step(s, &row, NULL), ERR_OK);
    assert_int_equal(db_columns(s), 5);
    assert_non_null(db_bytes(s, 0).p);
    assert_int_equal(db_bytes(s, 0).n, 0);
    assert_null(db_bytes(s, 1).p);
    assert_true(db_id(s, 2, id));
    assert_memory_equal(id, id_a, 16);
    assert_false(db_id(s, 3, id)); /* text of 16 bytes is no id */
    assert_int_equal(id[3], 0);
    assert_false(db_id(s, 4, id));
    assert_int_equal(db_int(s, 4), 0);
    db_done(s);
}

static void db_forgets_bindings_when_given_back(void **state)
{
    struct db *db = db_of(state);
    bool row = false;
    struct stmt *s = prepare(db, "SELECT $1 AS what");
    db_bind_str(s, 1, "old");
    db_done(s);
    s = prepare(db, "SELECT $1 AS what");
    assert_int_equal(db_step(s, &row, NULL), ERR_OK);
    assert_true(db_is_null(s, 0));
    assert_string_equal(db_column_name(s, 0), "what");
    db_done(s);
}

static void db_reports_a_bind_that_has_no_parameter(void **state)
{
    struct db *db = db_of(state);
    bool row = true;
    struct stmt *s = prepare(db, "SELECT $1");
    db_bind_int(s, 2, 5);
    db_bind_int(s, 1, 5);
    assert_int_equal(db_step(s, &row, NULL), ERR_FAILED);
    assert_true(row);
    assert_int_equal(db_step(s, &row, NULL), ERR_OK); /* reported once; the statement is usable */
    db_done(s);
    s = prepare(db, "SELECT $1");
    db_bind_int(s, 0, 5);
    assert_int_equal(db_run(s, NULL), ERR_FAILED);
    s = prepare(db, "SELECT $1");
    db_bind_int(s, 1000, 5);
    assert_int_equal(db_run(s, NULL), ERR_FAILED);
}

static void db_refuses_a_text_past_its_ceiling(void **state)
{
    struct db *db = db_of(state);
    size_t n = ((size_t)80 << 20) + 1;
    char *big = calloc(1, n);
    assert_non_null(big);
    struct stmt *s = prepare(db, "SELECT $1");
    db_bind_blob(s, 1, bytes_of(big, n));
    assert_int_equal(db_run(s, NULL), ERR_LIMIT);
    free(big);
}

/* SQLite sees nonsense when it prepares, PostgreSQL when it is asked. */
static void db_refuses_other_parameters_and_nonsense(void **state)
{
    struct db *db = db_of(state);
    static const char *const bad[] = {"SELECT ?",   "SELECT ?1",  "SELECT :a", "SELECT $a", "SELECT $0",
                                      "SELECT $65", "SELECT $1x", "SELEC 1",   "",          "SELECT * FROM nowhere"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct stmt *s = (struct stmt *)1;
        enum err e = db_prepare(db, bad[i], &s, NULL);
        if (e != ERR_OK)
            assert_null(s);
        else
            e = db_run(s, NULL);
        assert_int_equal(e, ERR_FAILED);
    }
}

static void db_rebinds_in_the_middle_of_an_answer(void **state)
{
    struct db *db = db_of(state);
    bool row = false;
    struct stmt *s = prepare(db, "SELECT $1 UNION ALL SELECT 9");
    db_bind_int(s, 1, 1);
    assert_int_equal(db_step(s, &row, NULL), ERR_OK);
    db_bind_int(s, 1, 2);
    assert_int_equal(db_step(s, &row, NULL), ERR_OK);
    assert_int_equal(db_int(s, 0), 2);
    db_done(s);
}

static void db_cache_gives_the_same_statement_again(void **state)
{
    struct db *db = db_of(state);
    char text[] = "SELECT 1, 2";
    struct stmt *first = prepare(db, text);
    db_done(first);
    char again[] = "SELECT 1, 2"; /* another pointer: the text is the key */
    struct stmt *second = prepare(db, again);
    assert_ptr_equal(first, second);
    db_done(second);
}

static void db_cache_gives_nested_use_its_own_statement(void **state)
{
    struct db *db = db_of(state);
    static const char sql[] = "SELECT n FROM note WHERE n >= $1 ORDER BY n";
    bool row = true;
    run(db, "INSERT INTO note(n) VALUES(1), (2), (3)");
    int64_t pairs = 0;
    struct stmt *outer = prepare(db, sql);
    db_bind_int(outer, 1, 1);
    while (db_step(outer, &row, NULL) == ERR_OK && row) {
        bool more = true;
        struct stmt *inner = prepare(db, sql);
        assert_ptr_not_equal(inner, outer);
        db_bind_int(inner, 1, db_int(outer, 0));
        while (db_step(inner, &more, NULL) == ERR_OK && more) pairs++;
        db_done(inner);
    }
    db_done(outer);
    assert_int_equal(pairs, 6);
}

static void db_can_close_with_statements_given_out(void **state)
{
    struct db_fixture *f = *state;
    bool row;
    struct stmt *s = prepare(f->db, "SELECT 1 UNION SELECT 2");
    assert_int_equal(db_step(s, &row, NULL), ERR_OK);
    db_close(f->db);
    f->db = NULL;
}

static void db_rollback_undoes_and_commit_keeps(void **state)
{
    struct db *db = db_of(state);
    assert_int_equal(db_begin(db, NULL), ERR_OK);
    assert_int_equal(db_begin(db, NULL), ERR_FAILED);
    run(db, "INSERT INTO note(n) VALUES(1)");
    db_rollback(db);
    db_rollback(db); /* fine outside a transaction */
    assert_int_equal(notes(db), 0);
    assert_int_equal(db_commit(db, NULL), ERR_FAILED);
    assert_int_equal(db_begin(db, NULL), ERR_OK);
    run(db, "INSERT INTO note(n) VALUES(1), (2)");
    assert_int_equal(db_changes(db), 2);
    assert_int_equal(db_commit(db, NULL), ERR_OK);
    assert_int_equal(notes(db), 2);
}

static void db_savepoints_nest(void **state)
{
    struct db *db = db_of(state);
    assert_int_equal(db_begin(db, NULL), ERR_OK);
    assert_int_equal(db_savepoint(db, "outer", NULL), ERR_OK);
    run(db, "INSERT INTO note(n) VALUES(1)");
    assert_int_equal(db_savepoint(db, "inner", NULL), ERR_OK);
    run(db, "INSERT INTO note(n) VALUES(2)");
    assert_int_equal(db_savepoint_rollback(db, "inner", NULL), ERR_OK);
    assert_int_equal(db_savepoint_release(db, "inner", NULL), ERR_FAILED); /* it is gone */
    assert_int_equal(notes(db), 1);
    assert_int_equal(db_savepoint_release(db, "outer", NULL), ERR_OK);
    assert_int_equal(db_commit(db, NULL), ERR_OK);
    assert_int_equal(notes(db), 1);
}

static void db_step_resets_after_the_end_and_after_an_error(void **state)
{
    struct db *db = db_of(state);
    bool row = true;
    struct stmt *s = prepare(db, "INSERT INTO note(n) VALUES($1)");
    db_bind_int(s, 1, 1);
    assert_int_equal(db_step(s, &row, NULL), ERR_OK);
    assert_false(row);
    assert_int_equal(db_step(s, &row, NULL), ERR_FAILED); /* the same row again */
    db_bind_int(s, 1, 2);
    assert_int_equal(db_step(s, &row, NULL), ERR_OK);
    db_done(s);
    assert_int_equal(notes(db), 2);
}

static void db_text_is_only_ever_text(void **state)
{
    struct db *db = db_of(state);
    static const char *const hostile[] = {"'; DROP TABLE note; --",
                                          "\\'; DELETE FROM note; --",
                                          "\"",
                                          "$1",
                                          "%s%n",
                                          "\\x00",
                                          "\x01\x02",
                                          "NULL",
                                          "{1,2}",
                                          "\xef\xbb\xbf"};
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        struct stmt *s = prepare(db, "INSERT INTO note(n, t) VALUES($1, $2)");
        db_bind_int(s, 1, (int64_t)i);
        db_bind_str(s, 2, hostile[i]);
        assert_int_equal(db_run(s, NULL), ERR_OK);
    }
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        bool row = false;
        struct stmt *s = prepare(db, "SELECT t FROM note WHERE n = $1 AND t = $2");
        db_bind_int(s, 1, (int64_t)i);
        db_bind_str(s, 2, hostile[i]);
        assert_int_equal(db_step(s, &row, NULL), ERR_OK);
        assert_true(row);
        assert_true(bytes_equal(db_bytes(s, 0), bytes_of_str(hostile[i])));
        db_done(s);
    }
    assert_int_equal(notes(db), sizeof hostile / sizeof hostile[0]);
    run(db, "INSERT INTO note(n, t) VALUES(99, 'it''s -- no /* comment */ $1; user x''00''')");
    assert_int_equal(number(db, "SELECT length(t) FROM note WHERE n = 99"), 39);
}

static void db_statement_takes_null_and_value_in_turn(void **state)
{
    struct db *db = db_of(state);
    const struct value in[] = {value_null(), value_blob(bytes_of("abc", 3)), value_null(), value_blob(bytes_of("", 0))};
    for (size_t i = 0; i < 4; i++) {
        bool row = false;
        struct stmt *s = prepare(db, "INSERT INTO note(n, b) VALUES($1, $2)");
        db_bind_int(s, 1, (int64_t)i);
        db_bind_value(s, 2, in[i]);
        assert_int_equal(db_run(s, NULL), ERR_OK);
        s = prepare(db, "SELECT b FROM note WHERE n = $1");
        db_bind_int(s, 1, (int64_t)i);
        assert_int_equal(db_step(s, &row, NULL), ERR_OK);
        assert_true(value_equal(db_value(s, 0), in[i]));
        db_done(s);
    }
}

static void db_numbers_rows_one_above_the_highest(void **state)
{
    struct db *db = db_of(state);
    run(db, "INSERT INTO note(t) VALUES('a')");
    run(db, "INSERT INTO note(n, t) VALUES(41, 'b')");
    run(db, "INSERT INTO note(t) VALUES('c'), ('d')");
    assert_int_equal(number(db, "SELECT max(n) FROM note"), 43);
    assert_int_equal(db_begin(db, NULL), ERR_OK);
    run(db, "INSERT INTO note(t) VALUES('e')");
    db_rollback(db);
    run(db, "INSERT INTO note(t) SELECT t FROM note WHERE n < 42"); /* no gap after what was undone */
    assert_int_equal(number(db, "SELECT max(n) FROM note"), 45);
    assert_int_equal(number(db, "INSERT INTO note(t) VALUES('f') RETURNING n"), 46);
}

static void db_counts_what_the_last_change_changed(void **state)
{
    struct db *db = db_of(state);
    run(db, "INSERT INTO note(n, t) VALUES(1, 'a'), (2, 'b'), (3, 'c')");
    assert_int_equal(db_changes(db), 3);
    assert_int_equal(notes(db), 3);
    assert_int_equal(db_changes(db), 3); /* a question changes nothing */
    run(db, "UPDATE note SET t = 'x' WHERE n > 1");
    assert_int_equal(db_changes(db), 2);
    run(db, "INSERT INTO note(n, t) VALUES(3, 'z'), (4, 'z') ON CONFLICT(n) DO NOTHING");
    assert_int_equal(db_changes(db), 1);
    run(db, "INSERT INTO note(n, t) VALUES(4, 'y') ON CONFLICT(n) DO UPDATE SET t = excluded.t");
    assert_int_equal(db_changes(db), 1);
    run(db, "DELETE FROM note WHERE n = 77");
    assert_int_equal(db_changes(db), 0);
}

/* A fault within a part of a transaction costs that part alone. */
static void db_savepoint_heals_a_transaction_in_which_a_statement_failed(void **state)
{
    struct db *db = db_of(state);
    assert_int_equal(db_begin(db, NULL), ERR_OK);
    run(db, "INSERT INTO note(n) VALUES(1)");
    assert_int_equal(db_savepoint(db, "part", NULL), ERR_OK);
    run(db, "INSERT INTO note(n) VALUES(2)");
    struct stmt *s = prepare(db, "INSERT INTO note(n) VALUES($1)");
    db_bind_int(s, 1, 1);
    assert_int_equal(db_run(s, NULL), ERR_FAILED);
    assert_int_equal(db_savepoint_rollback(db, "part", NULL), ERR_OK);
    run(db, "INSERT INTO note(n) VALUES(3)");
    assert_int_equal(db_commit(db, NULL), ERR_OK);
    assert_int_equal(number(db, "SELECT sum(n) FROM note"), 4);
}

static void db_texts_sort_by_their_bytes(void **state)
{
    struct db *db = db_of(state);
    static const char *const sorted[] = {"", "A", "B", "_", "a", "a b", "ab", "b", "\xc3\x84"};
    bool row = false;
    run(db,
        "INSERT INTO note(n, t) VALUES(1, 'b'), (2, 'a'), (3, 'B'), (4, 'A'), (5, ''), (6, 'ab'), (7, 'a b'), "
        "(8, '_'), (9, '\xc3\x84')");
    struct stmt *s = prepare(db, "SELECT t FROM note ORDER BY t");
    for (size_t i = 0; i < sizeof sorted / sizeof sorted[0]; i++) {
        assert_int_equal(db_step(s, &row, NULL), ERR_OK);
        assert_true(row && bytes_equal(db_bytes(s, 0), bytes_of_str(sorted[i])));
    }
    db_done(s);
    assert_int_equal(number(db, "SELECT count(*) FROM note WHERE t > 'Z'"), 6);
}

static void db_views_may_name_what_comes_later(void **state)
{
    struct db *db = db_of(state);
    run(db, "CREATE VIEW upper_of(n) AS SELECT n + 1 FROM lower_of;"
            "CREATE VIEW lower_of(n) AS SELECT n FROM later;"
            "CREATE TABLE later(n INTEGER NOT NULL) STRICT; INSERT INTO later VALUES(4)");
    assert_int_equal(number(db, "SELECT n FROM upper_of"), 5);
    assert_int_equal(db_exec(db, "CREATE TEMP VIEW upper_of(n) AS SELECT 7 AS n", NULL), ERR_OK);
    db_forget_statements(db);
    assert_int_equal(number(db, "SELECT n FROM temp.upper_of"), 7);
    assert_int_equal(number(db, "SELECT n FROM main.upper_of"), 5);
    assert_int_equal(number(db, "SELECT n FROM upper_of"), 7); /* a temporary one stands in front */
}

static void db_columns_of_any_kind_keep_every_value(void **state)
{
    struct db *db = db_of(state);
    const struct value in[] = {value_int(INT64_MIN),
                               value_str("Ærø"),
                               value_str(""),
                               value_blob(bytes_of(NULL, 0)),
                               value_id(id_a),
                               value_null(),
                               {.kind = VALUE_REAL, .r = -0.5},
                               value_int(0)};
    run(db, "CREATE TABLE rival(no INTEGER NOT NULL, value ANY, user BLOB, PRIMARY KEY(no)) STRICT, WITHOUT ROWID");
    for (size_t i = 0; i < sizeof in / sizeof in[0]; i++) {
        bool row = false;
        struct stmt *s = prepare(db, "INSERT INTO rival(no, value, user) VALUES(1, $1, $2) "
                                     "ON CONFLICT(no) DO UPDATE SET value = excluded.value");
        db_bind_value(s, 1, in[i]);
        db_bind_id(s, 2, id_a);
        assert_int_equal(db_run(s, NULL), ERR_OK);
        s = prepare(db, "SELECT value, user FROM rival");
        assert_int_equal(db_step(s, &row, NULL), ERR_OK);
        assert_true(value_equal(db_value(s, 0), in[i]));
        assert_int_equal(db_is_null(s, 0), in[i].kind == VALUE_NULL);
        assert_int_equal(db_bytes(s, 1).n, 16); /* the column, not who logged in */
        db_done(s);
    }
}

static void db_numbers_have_64_bits_everywhere(void **state)
{
    struct db *db = db_of(state);
    bool row = false;
    struct stmt *s = prepare(db, "SELECT CAST($1 AS INTEGER) + 1, zeroblob(16), x'00ff', coalesce($2, 0)");
    db_bind_int(s, 1, INT64_MAX - 1);
    db_bind_int(s, 2, INT64_MIN);
    assert_int_equal(db_step(s, &row, NULL), ERR_OK);
    assert_true(db_int(s, 0) == INT64_MAX);
    assert_true(db_int(s, 3) == INT64_MIN);
    assert_int_equal(db_bytes(s, 1).n, 16);
    assert_true(bytes_equal(db_bytes(s, 2), bytes_of("\x00\xff", 2)));
    db_done(s);
}

static void db_reads_as_of_one_moment(void **state)
{
    struct db *db = db_of(state);
    run(db, "INSERT INTO note(n) VALUES(1)");
    assert_int_equal(db_begin_read(db, NULL), ERR_OK);
    assert_int_equal(db_begin(db, NULL), ERR_FAILED);
    assert_int_equal(notes(db), 1);
    assert_int_equal(db_commit(db, NULL), ERR_OK);
    assert_int_equal(db_begin_read(db, NULL), ERR_OK);
    db_rollback(db);
    assert_int_equal(db_begin(db, NULL), ERR_OK);
    db_rollback(db);
}

static void db_long_answers_stand_while_the_table_changes(void **state)
{
    struct db *db = db_of(state);
    bool row = true;
    int64_t n = 0;
    assert_int_equal(db_begin(db, NULL), ERR_OK);
    run(db, "INSERT INTO note(n, t) WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 6000) "
            "SELECT i, 'row' FROM c");
    for (int round = 0; round < 2; round++) {
        struct stmt *s = prepare(db, "SELECT n FROM note ORDER BY n");
        for (n = 0; db_step(s, &row, NULL) == ERR_OK && row; n++) {
            struct stmt *u = prepare(db, "UPDATE note SET t = 'seen' WHERE n = $1");
            db_bind_int(u, 1, db_int(s, 0));
            assert_int_equal(db_run(u, NULL), ERR_OK);
        }
        db_done(s);
        assert_int_equal(n, 6000);
    }
    assert_int_equal(db_commit(db, NULL), ERR_OK);
    assert_int_equal(number(db, "SELECT count(*) FROM note WHERE t = 'seen'"), 6000);
}

#define CLAIMS(T)                                                                                                      \
    T(db_binds_by_number_whatever_comes_first)                                                                         \
    T(db_values_survive_the_store)                                                                                     \
    T(db_tells_empty_from_null_and_ids_from_other_bytes)                                                               \
    T(db_forgets_bindings_when_given_back)                                                                             \
    T(db_reports_a_bind_that_has_no_parameter)                                                                         \
    T(db_refuses_a_text_past_its_ceiling)                                                                              \
    T(db_refuses_other_parameters_and_nonsense)                                                                        \
    T(db_rebinds_in_the_middle_of_an_answer)                                                                           \
    T(db_cache_gives_the_same_statement_again)                                                                         \
    T(db_cache_gives_nested_use_its_own_statement)                                                                     \
    T(db_can_close_with_statements_given_out)                                                                          \
    T(db_rollback_undoes_and_commit_keeps)                                                                             \
    T(db_savepoints_nest)                                                                                              \
    T(db_step_resets_after_the_end_and_after_an_error)                                                                 \
    T(db_text_is_only_ever_text)                                                                                       \
    T(db_statement_takes_null_and_value_in_turn)                                                                       \
    T(db_numbers_rows_one_above_the_highest)                                                                           \
    T(db_counts_what_the_last_change_changed)                                                                          \
    T(db_savepoint_heals_a_transaction_in_which_a_statement_failed)                                                    \
    T(db_texts_sort_by_their_bytes)                                                                                    \
    T(db_views_may_name_what_comes_later)                                                                              \
    T(db_columns_of_any_kind_keep_every_value)                                                                         \
    T(db_numbers_have_64_bits_everywhere)                                                                              \
    T(db_reads_as_of_one_moment)                                                                                       \
    T(db_long_answers_stand_while_the_table_changes)

int main(void)
{
#define ON_SQLITE(name)   {"sqlite: " #name, name, db_fixture_set_up, db_fixture_tear_down, NULL},
#define ON_POSTGRES(name) {"postgres: " #name, name, db_fixture_set_up_bare, db_fixture_tear_down_postgres, NULL},
    const struct CMUnitTest tests[] = {CLAIMS(ON_SQLITE) CLAIMS(ON_POSTGRES)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
