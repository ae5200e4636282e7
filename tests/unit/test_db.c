#include "sync/db.h"

#include "tests/lib/db_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

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


/* ---- opening ---- */

static void db_create_refuses_a_store_that_is_there(void **state)
{
    struct db_fixture *f = *state;
    db_close(f->db);
    f->db = NULL;
    assert_int_equal(db_create(env_posix(), f->path, &f->key, "", NULL), ERR_EXISTS);
    assert_int_equal(access(f->path, F_OK), 0);
}

static void db_create_leaves_nothing_after_a_bad_schema(void **state)
{
    struct db_fixture *f = *state;
    struct db *db = NULL;
    char path[320];
    (void)snprintf(path, sizeof path, "%s/other.db", f->dir);
    assert_int_equal(db_create(env_posix(), path, &f->key, "CREATE TABLE a(b); CREATE NONSENSE", NULL), ERR_FAILED);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(db_open(&db, env_posix(), path, &f->key, NULL), ERR_UNINIT);
    assert_null(db);
}

static void db_keeps_what_was_committed_and_refuses_another_key(void **state)
{
    struct db_fixture *f = *state;
    struct db *db = NULL;
    run(f->db, "INSERT INTO note(t) VALUES('kept')");
    db_close(f->db);
    f->db = NULL;
    f->key.p[0] ^= 1;
    assert_int_equal(db_open(&db, env_posix(), f->path, &f->key, NULL), ERR_TAMPERED);
    assert_null(db);
    f->key.p[0] ^= 1;
    assert_int_equal(db_open(&f->db, env_posix(), f->path, &f->key, NULL), ERR_OK);
    assert_int_equal(notes(f->db), 1);
    assert_int_equal(db_check(f->db, NULL), ERR_OK);
}

static void db_close_accepts_null(void **state)
{
    (void)state;
    db_close(NULL);
    db_done(NULL);
}

/* ---- parameters and values ---- */

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
    const struct value in[] = {value_int(INT64_MIN), value_str("Ærø"), value_str(""), value_blob(bytes_of(NULL, 0)),
                               value_id(id_a), value_null(), {.kind = VALUE_REAL, .r = -0.5}};
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

static void db_prepare_refuses_other_parameters_and_nonsense(void **state)
{
    struct db *db = db_of(state);
    static const char *const bad[] = {"SELECT ?",   "SELECT ?1", "SELECT :a", "SELECT $a", "SELECT $0", "SELECT $65",
                                      "SELECT $1x", "SELEC 1",   "",          "SELECT * FROM nowhere"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct stmt *s = (struct stmt *)1;
        assert_int_equal(db_prepare(db, bad[i], &s, NULL), ERR_FAILED);
        assert_null(s);
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

/* ---- the cache ---- */

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
        while (db_step(inner, &more, NULL) == ERR_OK && more)
            pairs++;
        db_done(inner);
    }
    db_done(outer);
    assert_int_equal(pairs, 6);
}

static void db_cache_stays_bounded_and_never_evicts_what_is_in_use(void **state)
{
    struct db *db = db_of(state);
    struct stmt *held = prepare(db, "SELECT 'held'");
    bool row = false;
    char sql[64];
    for (int i = 0; i < 600; i++) {
        (void)snprintf(sql, sizeof sql, "SELECT %d", i);
        assert_int_equal(number(db, sql), i);
    }
    int n = 0;
    for (sqlite3_stmt *s = sqlite3_next_stmt(db_sqlite(db), NULL); s != NULL; s = sqlite3_next_stmt(db_sqlite(db), s))
        n++;
    assert_true(n <= 256);
    assert_int_equal(db_step(held, &row, NULL), ERR_OK);
    assert_true(bytes_equal(db_bytes(held, 0), bytes_of_str("held")));
    db_done(held);
}

static void db_serves_more_statements_at_once_than_it_keeps(void **state)
{
    struct db *db = db_of(state);
    struct stmt *all[300];
    for (size_t i = 0; i < 300; i++)
        all[i] = prepare(db, "SELECT 1");
    for (size_t i = 0; i < 300; i++)
        db_done(all[i]);
    assert_int_equal(number(db, "SELECT 2"), 2);
    int n = 0;
    for (sqlite3_stmt *s = sqlite3_next_stmt(db_sqlite(db), NULL); s != NULL; s = sqlite3_next_stmt(db_sqlite(db), s))
        n++;
    assert_true(n <= 256);
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

/* ---- transactions ---- */

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

static void db_failed_commit_rolls_back(void **state)
{
    struct db *db = db_of(state);
    run(db, "CREATE TABLE child(p REFERENCES note(n) DEFERRABLE INITIALLY DEFERRED)");
    run(db, "PRAGMA foreign_keys = ON");
    assert_int_equal(db_begin(db, NULL), ERR_OK);
    run(db, "INSERT INTO note(n) VALUES(1)");
    run(db, "INSERT INTO child VALUES(99)");
    assert_int_equal(db_commit(db, NULL), ERR_FAILED);
    assert_int_equal(notes(db), 0);
    assert_int_equal(db_begin(db, NULL), ERR_OK);
    db_rollback(db);
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

static void db_full_disk_changes_nothing(void **state)
{
    struct db *db = db_of(state);
    struct why why = {0};
    run(db, "INSERT INTO note(n, t) VALUES(1, 'before')");
    char limit[64];
    (void)snprintf(limit, sizeof limit, "PRAGMA max_page_count = %lld", (long long)number(db, "PRAGMA page_count") + 4);
    assert_int_equal(sqlite3_exec(db_sqlite(db), limit, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(db_begin(db, NULL), ERR_OK);
    run(db, "INSERT INTO note(n, t) VALUES(2, 'during')");
    assert_int_equal(db_exec(db, "INSERT INTO note(n, b) VALUES(3, zeroblob(1000000))", &why), ERR_FULL);
    assert_non_null(strstr(why.text, "disk is full"));
    db_rollback(db);
    assert_int_equal(notes(db), 1);
    run(db, "PRAGMA max_page_count = 1000000");
    run(db, "INSERT INTO note(n, b) VALUES(3, zeroblob(1000000))");
    assert_int_equal(db_check(db, NULL), ERR_OK);
}

static void db_does_nothing_more_after_sqlite_gave_the_transaction_up(void **state)
{
    struct db *db = db_of(state);
    assert_int_equal(db_begin(db, NULL), ERR_OK);
    run(db, "INSERT INTO note(n) VALUES(1)");
    /* ON CONFLICT ROLLBACK stands for what SQLite does by itself on some faults of disk or memory. */
    assert_int_equal(db_exec(db, "INSERT OR ROLLBACK INTO note(n) VALUES(1)", NULL), ERR_FAILED);
    assert_int_equal(db_exec(db, "INSERT INTO note(n) VALUES(2)", NULL), ERR_FAILED);
    struct stmt *s = prepare(db, "INSERT INTO note(n) VALUES(3)");
    assert_int_equal(db_run(s, NULL), ERR_FAILED);
    assert_int_equal(db_savepoint(db, "a", NULL), ERR_FAILED);
    assert_int_equal(db_commit(db, NULL), ERR_FAILED);
    assert_int_equal(notes(db), 0);
    run(db, "INSERT INTO note(n) VALUES(4)"); /* all is well after the failed commit */
    assert_int_equal(notes(db), 1);
}

static void db_refusals_name_columns_and_never_values(void **state)
{
    struct db *db = db_of(state);
    struct why why = {0};
    struct stmt *s = prepare(db, "INSERT INTO person(id, case_id, agency) VALUES($1, $2, $3)");
    db_bind_str(s, 1, "zebra");
    db_bind_id(s, 2, id_a);
    db_bind_str(s, 3, "nhs");
    assert_int_equal(db_run(s, &why), ERR_FAILED);
    assert_non_null(strstr(why.text, "INSERT"));
    assert_non_null(strstr(why.text, "person.id"));
    assert_null(strstr(why.text, "zebra"));
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

static void db_maintenance_keeps_the_rows(void **state)
{
    struct db *db = db_of(state);
    struct db_fixture *f = *state;
    run(db, "INSERT INTO note(n, b) VALUES(1, zeroblob(500000)), (2, x'01')");
    run(db, "DELETE FROM note WHERE n = 1");
    assert_int_equal(db_vacuum(db, NULL), ERR_OK);
    assert_int_equal(number(db, "PRAGMA freelist_count"), 0);
    assert_int_equal(db_truncate_log(db, NULL), ERR_OK);
    char wal[320];
    (void)snprintf(wal, sizeof wal, "%s-wal", f->path);
    uint64_t size = 0;
    enum err e = env_posix()->file_size(NULL, wal, &size, NULL);
    assert_true(e == ERR_NOTFOUND || (e == ERR_OK && size == 0));
    assert_int_equal(notes(db), 1);
    assert_int_equal(db_check(db, NULL), ERR_OK);
    assert_int_equal(db_exec(db, "ATTACH ':memory:' AS other", NULL), ERR_FAILED); /* still refused after VACUUM */
}

static void db_functions_make_and_read_ids(void **state)
{
    struct db *db = db_of(state);
    uint8_t id[16];
    bool row = false;
    struct stmt *s = prepare(db, "SELECT spoke_id('01934f00-0000-7001-8000-00000000000a'), spoke_uuid($1), new_id(), "
                                 "now_ms(), spoke_id(NULL), spoke_uuid(NULL)");
    db_bind_id(s, 1, id_a);
    assert_int_equal(db_step(s, &row, NULL), ERR_OK);
    assert_true(db_id(s, 0, id));
    assert_memory_equal(id, id_a, 16);
    assert_true(bytes_equal(db_bytes(s, 1), bytes_of_str("01934f00-0000-7001-8000-00000000000a")));
    assert_true(db_id(s, 2, id));
    assert_int_equal(id[6] >> 4, 7);
    assert_true(db_int(s, 3) > 1500000000000);
    assert_true(db_is_null(s, 4) && db_is_null(s, 5));
    db_done(s);
    assert_int_equal(db_exec(db, "SELECT spoke_id('x')", NULL), ERR_FAILED);
    assert_int_equal(db_exec(db, "SELECT spoke_uuid('0123456789abcdef')", NULL), ERR_FAILED);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, db_fixture_set_up, db_fixture_tear_down)
    const struct CMUnitTest tests[] = {
        T(db_create_refuses_a_store_that_is_there),
        T(db_create_leaves_nothing_after_a_bad_schema),
        T(db_keeps_what_was_committed_and_refuses_another_key),
        cmocka_unit_test(db_close_accepts_null),
        T(db_binds_by_number_whatever_comes_first),
        T(db_values_survive_the_store),
        T(db_tells_empty_from_null_and_ids_from_other_bytes),
        T(db_forgets_bindings_when_given_back),
        T(db_reports_a_bind_that_has_no_parameter),
        T(db_refuses_a_text_past_its_ceiling),
        T(db_prepare_refuses_other_parameters_and_nonsense),
        T(db_rebinds_in_the_middle_of_an_answer),
        T(db_cache_gives_the_same_statement_again),
        T(db_cache_gives_nested_use_its_own_statement),
        T(db_cache_stays_bounded_and_never_evicts_what_is_in_use),
        T(db_serves_more_statements_at_once_than_it_keeps),
        T(db_can_close_with_statements_given_out),
        T(db_rollback_undoes_and_commit_keeps),
        T(db_failed_commit_rolls_back),
        T(db_savepoints_nest),
        T(db_full_disk_changes_nothing),
        T(db_does_nothing_more_after_sqlite_gave_the_transaction_up),
        T(db_refusals_name_columns_and_never_values),
        T(db_step_resets_after_the_end_and_after_an_error),
        T(db_maintenance_keeps_the_rows),
        T(db_functions_make_and_read_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
