/* What only the PostgreSQL engine has: sync/db_postgres.h. */
#include "sync/db_postgres.h"

#include "tests/lib/db_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define db_of   db_fixture_db
#define prepare db_fixture_prepare
#define run     db_fixture_run
#define number  db_fixture_number

static int64_t notes(struct db *db)
{
    return number(db, "SELECT count(*) FROM note");
}

/* Who waits no longer than this for the lock. */
static struct env impatient(void)
{
    struct env env = *env_posix();
    env.busy_ms = 100;
    return env;
}

/* ---- opening and creating */

static void names_of_schemas_are_plain_words(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "Hub",
                                      "1hub",
                                      "hub-a",
                                      "hub a",
                                      "hub\"; DROP SCHEMA public; --",
                                      "pg_temp",
                                      "public",
                                      "hüb",
                                      "_hub",
                                      "information_schema",
                                      "a23456789012345678901234567890123456789012345"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct db *db = NULL;
        assert_false(db_postgres_schema_ok(bad[i]));
        assert_int_equal(db_open_postgres(&db, env_posix(), db_fixture_url(), bad[i], NULL), ERR_USAGE);
        assert_int_equal(db_create_postgres(env_posix(), db_fixture_url(), bad[i], "", NULL), ERR_USAGE);
        assert_int_equal(db_drop_postgres(env_posix(), db_fixture_url(), bad[i], NULL), ERR_USAGE);
        assert_null(db);
    }
    assert_true(db_postgres_schema_ok("hub_2"));
}

static void the_url_may_name_the_schema(void **state)
{
    struct db_fixture *f = *state;
    struct db *db = NULL;
    char url[512];
    (void)snprintf(url, sizeof url, "%s&schema=%s", f->url, f->schema);
    assert_int_equal(db_open_postgres(&db, env_posix(), url, NULL, NULL), ERR_OK);
    assert_int_equal(notes(db), 0);
    db_close(db);
    (void)snprintf(url, sizeof url, "%s&schema=%s;x", f->url, f->schema);
    assert_int_equal(db_open_postgres(&db, env_posix(), url, NULL, NULL), ERR_USAGE);
    assert_true(db_postgres_is_url(f->url));
    assert_false(db_postgres_is_url("/var/lib/spoke-hub"));
}

static void a_password_in_a_bad_url_is_told_to_nobody(void **state)
{
    struct db *db = NULL;
    struct why why = {0};
    (void)state;
    assert_int_equal(db_open_postgres(&db, env_posix(), "postgres://u:geheim@[nowhere/x", "hub", &why), ERR_USAGE);
    assert_null(strstr(why.text, "geheim"));
    assert_int_equal(db_open_postgres(&db, env_posix(), "postgres://u:geheim@%2fnowhere/x", "hub", &why),
                     ERR_UNREACHABLE);
    assert_null(strstr(why.text, "geheim"));
    assert_null(db);
}

static void what_is_not_there_is_not_opened(void **state)
{
    struct db *db = NULL;
    char schema[64];
    (void)state;
    db_fixture_new_schema(schema);
    assert_int_equal(db_open_postgres(&db, env_posix(), db_fixture_url(), schema, NULL), ERR_UNINIT);
    assert_null(db);
    assert_int_equal(db_drop_postgres(env_posix(), db_fixture_url(), schema, NULL), ERR_OK);
}

static void create_is_whole_or_nothing_and_replaces_nothing(void **state)
{
    struct db_fixture *f = *state;
    struct db *db = NULL;
    char schema[64];
    run(f->db, "INSERT INTO note(n) VALUES(1)");
    assert_int_equal(db_create_postgres(env_posix(), f->url, f->schema, "CREATE TABLE a(b INTEGER)", NULL), ERR_EXISTS);
    assert_int_equal(notes(f->db), 1);
    db_fixture_new_schema(schema);
    assert_int_equal(
        db_create_postgres(env_posix(), f->url, schema, "CREATE TABLE a(b INTEGER); CREATE NONSENSE", NULL),
        ERR_FAILED);
    assert_int_equal(db_open_postgres(&db, env_posix(), f->url, schema, NULL), ERR_UNINIT);
    assert_int_equal(db_create_postgres(env_posix(), f->url, schema, "CREATE TABLE a(b INTEGER)", NULL), ERR_OK);
    assert_int_equal(db_drop_postgres(env_posix(), f->url, schema, NULL), ERR_OK);
}

static void an_empty_schema_of_the_administrators_is_taken(void **state)
{
    struct db_fixture *f = *state;
    char schema[64], sql[128];
    db_fixture_new_schema(schema);
    (void)snprintf(sql, sizeof sql, "CREATE SCHEMA %s", schema);
    run(f->db, sql);
    assert_int_equal(db_create_postgres(env_posix(), f->url, schema, "CREATE TABLE a(b INTEGER)", NULL), ERR_OK);
    assert_int_equal(db_drop_postgres(env_posix(), f->url, schema, NULL), ERR_OK);
}

/* The cluster of these tests writes nothing through, which its URL admits. */
static void a_server_that_does_not_write_through_is_refused(void **state)
{
    struct db_fixture *f = *state;
    struct db *db = NULL;
    struct why why = {0};
    char url[512];
    (void)snprintf(url, sizeof url, "%s", f->url);
    char *options = strstr(url, "&options=");
    assert_non_null(options);
    *options = '\0';
    assert_int_equal(db_open_postgres(&db, env_posix(), url, f->schema, &why), ERR_FAILED);
    assert_non_null(strstr(why.text, "fsync"));
    assert_null(db);
}

static void a_commit_waits_for_the_disk_whatever_the_server_says(void **state)
{
    struct db_fixture *f = *state;
    struct db *db = NULL;
    bool row = false;
    char url[512];
    (void)snprintf(url, sizeof url, "%s%%20-csynchronous_commit%%3Doff", f->url);
    assert_int_equal(db_open_postgres(&db, env_posix(), url, f->schema, NULL), ERR_OK);
    struct stmt *s = prepare(db, "SELECT current_setting('synchronous_commit')");
    assert_int_equal(db_step(s, &row, NULL), ERR_OK);
    assert_true(bytes_equal(db_bytes(s, 0), bytes_of_str("on")));
    db_done(s);
    db_close(db);
}

/* Plans are kept, and many are made while the tables are still empty, when to read all of one costs least. It is to be
 * read by its index however many rows it comes to have. */
static void what_is_planned_on_empty_tables_reads_by_their_indices(void **state)
{
    struct db *db = db_of(state);
    bool row = false, whole = false;
    run(db, "CREATE TABLE seat(id BLOB PRIMARY KEY, part BLOB NOT NULL, site TEXT NOT NULL) STRICT;"
            "CREATE TABLE seen(id BLOB PRIMARY KEY, case_id BLOB NOT NULL, part BLOB NOT NULL) STRICT;"
            "CREATE INDEX seat_part ON seat(part); CREATE INDEX seen_case ON seen(case_id);");
    struct stmt *s = prepare(db, "EXPLAIN SELECT site FROM seen JOIN seat ON seat.part = seen.part WHERE case_id = x'00'");
    while (db_step(s, &row, NULL) == ERR_OK && row) {
        const char *line = (const char *)db_bytes(s, 0).p;
        size_t n = db_bytes(s, 0).n;
        whole = whole || memmem(line, n, "Seq Scan", 8) != NULL || memmem(line, n, "Hash", 4) != NULL;
    }
    db_done(s);
    assert_false(whole);
}

/* ---- one writer at a time */

static void one_transaction_at_a_time_runs_on_a_hub(void **state)
{
    struct db_fixture *f = *state;
    struct env env = impatient();
    struct db *other = db_fixture_another(f, &env);
    assert_int_equal(db_begin(f->db, NULL), ERR_OK);
    run(f->db, "INSERT INTO note(n) VALUES(1)");
    assert_int_equal(db_begin(other, NULL), ERR_BUSY);
    assert_int_equal(db_exec(other, "INSERT INTO note(n) VALUES(2)", NULL),
                     ERR_BUSY); /* nor a statement that writes alone */
    struct stmt *s = prepare(other, "INSERT INTO note(n) VALUES(3)");
    assert_int_equal(db_run(s, NULL), ERR_BUSY);
    assert_int_equal(notes(other), 0); /* but questions are answered */
    assert_int_equal(db_begin_read(other, NULL), ERR_OK);
    assert_int_equal(notes(other), 0);
    assert_int_equal(db_commit(f->db, NULL), ERR_OK);
    assert_int_equal(notes(other), 0);                                               /* as of its one moment */
    assert_int_equal(db_exec(other, "INSERT INTO note(n) VALUES(4)", NULL), ERR_IO); /* and it never writes */
    db_rollback(other);
    assert_int_equal(db_begin(other, NULL), ERR_OK);
    assert_int_equal(notes(other), 1);
    assert_int_equal(db_commit(other, NULL), ERR_OK);
    db_close(other);
}

static void hubs_of_one_database_do_not_wait_for_each_other(void **state)
{
    struct db_fixture *f = *state;
    struct env env = impatient();
    struct db *other = NULL;
    char schema[64];
    db_fixture_new_schema(schema);
    assert_int_equal(db_begin(f->db, NULL), ERR_OK);
    assert_int_equal(db_create_postgres(&env, f->url, schema, "CREATE TABLE note(n INTEGER PRIMARY KEY)", NULL),
                     ERR_OK);
    assert_int_equal(db_open_postgres(&other, &env, f->url, schema, NULL), ERR_OK);
    assert_int_equal(db_begin(other, NULL), ERR_OK);
    run(other, "INSERT INTO note(n) VALUES(7)");
    assert_int_equal(db_commit(other, NULL), ERR_OK);
    assert_int_equal(notes(f->db), 0);
    assert_int_equal(db_commit(f->db, NULL), ERR_OK);
    db_close(other);
    assert_int_equal(db_drop_postgres(env_posix(), f->url, schema, NULL), ERR_OK);
}

/* ---- faults */

static void after_a_fault_nothing_of_the_transaction_works(void **state)
{
    struct db *db = db_of(state);
    struct why why = {0};
    assert_int_equal(db_begin(db, NULL), ERR_OK);
    run(db, "INSERT INTO note(n) VALUES(1)");
    assert_int_equal(db_exec(db, "INSERT INTO note(n) VALUES(1)", NULL), ERR_FAILED);
    assert_int_equal(db_exec(db, "INSERT INTO note(n) VALUES(2)", &why), ERR_FAILED);
    assert_non_null(strstr(why.text, "undid this whole step"));
    struct stmt *s = prepare(db, "SELECT 1");
    assert_int_equal(db_run(s, NULL), ERR_FAILED);
    assert_int_equal(db_savepoint(db, "late", NULL), ERR_FAILED);
    assert_int_equal(db_commit(db, NULL), ERR_FAILED);
    assert_int_equal(notes(db), 0);
    run(db, "INSERT INTO note(n) VALUES(4)");
    assert_int_equal(notes(db), 1);
}

static void what_is_refused_unsent_undoes_the_step_too(void **state)
{
    struct db *db = db_of(state);
    static const char *const bad[] = {"\xff", "a\xc3", "\xed\xa0\x80"};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(db_begin(db, NULL), ERR_OK);
        struct stmt *s = prepare(db, "INSERT INTO note(n, t) VALUES(1, $1)");
        db_bind_text(s, 1, i < 3 ? bytes_of_str(bad[i]) : bytes_of("a\0b", 3));
        assert_int_equal(db_run(s, NULL), ERR_FORMAT);
        assert_int_equal(db_commit(db, NULL), ERR_FORMAT);
    }
    assert_int_equal(notes(db), 0);
}

static void refusals_hold_no_values(void **state)
{
    struct db *db = db_of(state);
    struct why why = {0};
    static const char *const sql[] = {"INSERT INTO note(n, t) VALUES(1, $1)", "INSERT INTO note(n) VALUES($1)",
                                      "SELECT CAST($1 AS INTEGER)", "INSERT INTO secret_key(k) VALUES($1)"};
    run(db, "CREATE UNIQUE INDEX one_text ON note(t); INSERT INTO note(n, t) VALUES(7, 'zebra')");
    for (size_t i = 0; i < sizeof sql / sizeof sql[0]; i++) {
        struct stmt *s = prepare(db, sql[i]);
        db_bind_str(s, 1, "zebra");
        assert_int_equal(db_run(s, &why), ERR_FAILED);
        assert_null(strstr(why.text, "zebra"));
        if (i == 0) assert_non_null(strstr(why.text, "one_text"));
    }
}

static void other_types_and_other_numbers_are_refused(void **state)
{
    struct db *db = db_of(state);
    static const char *const bad[] = {"SELECT now()", "SELECT string_to_array('a', ',')", "SELECT '1 day'::interval",
                                      "SELECT 1, '{}'::jsonb"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(db_run(prepare(db, bad[i]), NULL), ERR_FAILED);
    assert_int_equal(db_run(prepare(db, "SELECT 1.5"), NULL), ERR_LIMIT);
    run(db, "INSERT INTO note(n) VALUES(9223372036854775807), (9223372036854775806)");
    assert_int_equal(db_run(prepare(db, "SELECT sum(n) FROM note"), NULL), ERR_LIMIT);
    assert_true(number(db, "SELECT sum(n) - 9223372036854775806 FROM note") == INT64_MAX);
    assert_true(number(db, "SELECT sum(n) - 18446744073709551613 - 9223372036854775808 FROM note") == INT64_MIN);
    assert_int_equal(number(db, "SELECT 10000 + sum(0) FROM note"), 10000);
    assert_int_equal(number(db, "SELECT 123456789012.00"), 123456789012);
}

static void a_connection_that_broke_loses_its_transaction_and_says_so(void **state)
{
    struct db_fixture *f = *state;
    struct why why = {0};
    uint64_t generation = db_generation(f->db);
    assert_int_equal(db_begin(f->db, NULL), ERR_OK);
    assert_int_equal(db_savepoint(f->db, "part", NULL), ERR_OK);
    run(f->db, "INSERT INTO note(n) VALUES(1)");
    db_fixture_kill(f, f->db);
    assert_int_equal(db_exec(f->db, "INSERT INTO note(n) VALUES(2)", &why), ERR_UNREACHABLE);
    assert_non_null(strstr(why.text, "nothing was changed"));
    assert_int_equal(db_exec(f->db, "INSERT INTO note(n) VALUES(3)", NULL), ERR_UNREACHABLE); /* never half of it */
    assert_int_equal(db_savepoint_rollback(f->db, "part", NULL), ERR_UNREACHABLE);
    assert_int_equal(db_commit(f->db, NULL), ERR_UNREACHABLE);
    assert_int_equal(db_begin(f->db, NULL), ERR_OK);
    assert_true(db_generation(f->db) != generation);
    run(f->db, "INSERT INTO note(n) VALUES(4)");
    assert_int_equal(db_commit(f->db, NULL), ERR_OK);
    assert_int_equal(number(f->db, "SELECT sum(n) FROM note"), 4);
}

static void a_connection_that_broke_between_transactions_is_made_anew(void **state)
{
    struct db_fixture *f = *state;
    for (int i = 1; i <= 4; i++) {
        struct stmt *s = prepare(f->db, "INSERT INTO note(n) VALUES($1)");
        db_fixture_kill(f, f->db);
        if (i == 1) assert_int_equal(db_begin(f->db, NULL), ERR_OK);
        db_bind_int(s, 1, i);
        assert_int_equal(db_run(s, NULL), ERR_OK); /* prepared for the former one */
        if (i == 1) assert_int_equal(db_commit(f->db, NULL), ERR_OK);
        db_fixture_kill(f, f->db);
        assert_int_equal(notes(f->db), i);
    }
}

/* As a restore does it: the same name, made anew beneath a process that goes on. */
static void a_schema_that_was_made_anew_is_followed(void **state)
{
    struct db_fixture *f = *state;
    static const char any[] = "CREATE TABLE rival(no INTEGER PRIMARY KEY, value ANY) STRICT";
    for (int round = 0; round < 2; round++) {
        bool row = false;
        if (round == 1) db_fixture_kill(f, f->db);
        assert_int_equal(db_drop_postgres(env_posix(), f->url, f->schema, NULL), ERR_OK);
        if (round == 1) assert_int_equal(db_begin(f->db, NULL), ERR_UNINIT);
        assert_int_equal(db_create_postgres(env_posix(), f->url, f->schema, any, NULL), ERR_OK);
        if (round == 0) {
            db_close(f->db);
            f->db = db_fixture_another(f, env_posix());
        }
        for (int i = 0; i < 3; i++) {
            struct stmt *s = prepare(f->db, "INSERT INTO rival(value) VALUES($1)");
            db_bind_value(s, 1, i == 1 ? value_int(5) : value_null());
            assert_int_equal(db_run(s, NULL), ERR_OK);
        }
        struct stmt *s = prepare(f->db, "SELECT value FROM rival ORDER BY value IS NULL LIMIT 1");
        assert_int_equal(db_step(s, &row, NULL), ERR_OK);
        assert_int_equal(db_int(s, 0), 5);
        db_done(s);
    }
}

static void a_commit_without_an_answer_is_a_failure_that_says_it_may_be_one(void **state)
{
    struct db_fixture *f = *state;
    struct why why = {0};
    /* The server ends the connection in the midst of the commit. */
    run(f->db, "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS "
               "'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END';"
               "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON note DEFERRABLE INITIALLY DEFERRED "
               "FOR EACH ROW EXECUTE FUNCTION die()");
    assert_int_equal(db_begin(f->db, NULL), ERR_OK);
    run(f->db, "INSERT INTO note(n) VALUES(1)");
    assert_int_equal(db_commit(f->db, &why), ERR_UNREACHABLE);
    assert_non_null(strstr(why.text, "may"));
    assert_int_equal(db_begin(f->db, NULL), ERR_OK);
    assert_int_equal(notes(f->db), 0);
    db_rollback(f->db);
}

static void a_commit_that_the_server_turns_down_is_a_failure(void **state)
{
    struct db *db = db_of(state);
    run(db, "CREATE TABLE child(p INTEGER REFERENCES note(n) DEFERRABLE INITIALLY DEFERRED)");
    assert_int_equal(db_begin(db, NULL), ERR_OK);
    run(db, "INSERT INTO note(n) VALUES(1)");
    run(db, "INSERT INTO child VALUES(99)");
    assert_int_equal(db_commit(db, NULL), ERR_FAILED);
    assert_int_equal(notes(db), 0);
    assert_int_equal(db_begin(db, NULL), ERR_OK);
    db_rollback(db);
}

static void what_only_a_device_has_is_refused_here(void **state)
{
    struct db *db = db_of(state);
    assert_true(db_is_postgres(db));
    assert_null(db_sqlite(db));
    assert_int_equal(db_user_sql(db, "SELECT 1", false, NULL, NULL, NULL), ERR_FAILED);
    assert_int_equal(db_mend(db, "x", NULL), ERR_FAILED);
    assert_int_equal(db_vacuum(db, NULL), ERR_OK);
    assert_int_equal(db_truncate_log(db, NULL), ERR_OK);
    assert_int_equal(db_check(db, NULL), ERR_OK);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, db_fixture_set_up_bare, db_fixture_tear_down_postgres)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_schemas_are_plain_words),
        T(the_url_may_name_the_schema),
        cmocka_unit_test(a_password_in_a_bad_url_is_told_to_nobody),
        cmocka_unit_test(what_is_not_there_is_not_opened),
        T(create_is_whole_or_nothing_and_replaces_nothing),
        T(an_empty_schema_of_the_administrators_is_taken),
        T(a_server_that_does_not_write_through_is_refused),
        T(a_commit_waits_for_the_disk_whatever_the_server_says),
        T(what_is_planned_on_empty_tables_reads_by_their_indices),
        T(one_transaction_at_a_time_runs_on_a_hub),
        T(hubs_of_one_database_do_not_wait_for_each_other),
        T(after_a_fault_nothing_of_the_transaction_works),
        T(what_is_refused_unsent_undoes_the_step_too),
        T(refusals_hold_no_values),
        T(other_types_and_other_numbers_are_refused),
        T(a_connection_that_broke_loses_its_transaction_and_says_so),
        T(a_connection_that_broke_between_transactions_is_made_anew),
        T(a_schema_that_was_made_anew_is_followed),
        T(a_commit_without_an_answer_is_a_failure_that_says_it_may_be_one),
        T(a_commit_that_the_server_turns_down_is_a_failure),
        T(what_only_a_device_has_is_refused_here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
