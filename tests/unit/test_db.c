/* What only SQLite has. What every engine must do: test_db_engines.c. */
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

/* ---- the cache ---- */

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

/* ---- transactions ---- */

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
        T(db_cache_stays_bounded_and_never_evicts_what_is_in_use),
        T(db_serves_more_statements_at_once_than_it_keeps),
        T(db_failed_commit_rolls_back),
        T(db_full_disk_changes_nothing),
        T(db_does_nothing_more_after_sqlite_gave_the_transaction_up),
        T(db_refusals_name_columns_and_never_values),
        T(db_maintenance_keeps_the_rows),
        T(db_functions_make_and_read_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
