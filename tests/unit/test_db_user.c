#include "sync/db.h"

#include "tests/lib/db_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

/* A node's own tables, full text included. */
static int set_up(void **state)
{
    int rc = db_fixture_set_up(state);
    db_fixture_run(db_fixture_db(state), "CREATE VIRTUAL TABLE search USING fts5(t);"
                                         "INSERT INTO search VALUES('a needle in hay');"
                                         "INSERT INTO note(n, t) VALUES(1, 'one'), (2, 'two'), (3, 'three');");
    return rc;
}

struct seen {
    int rows;         /* handed to us */
    int64_t sum;      /* of the first column */
    enum err stop_at; /* returned at the second row unless ERR_OK */
};

static enum err see(void *ctx, struct stmt *s, struct why *why)
{
    struct seen *seen = ctx;
    seen->rows++;
    seen->sum += db_int(s, 0);
    return seen->rows == 2 && seen->stop_at != ERR_OK ? why_set(why, seen->stop_at, "enough") : ERR_OK;
}

static void accepts(struct db *db, const char *sql, bool write)
{
    struct why why = {0};
    if (db_user_sql(db, sql, write, NULL, NULL, &why) != ERR_OK)
        fail_msg("%s: %s", sql, why.text);
}

static void refuses(struct db *db, const char *sql, bool write, enum err want)
{
    struct seen seen = {0};
    struct why why = {0};
    enum err e = db_user_sql(db, sql, write, see, &seen, &why);
    if (e != want)
        fail_msg("%s: %s (%s)", sql, err_word(e), why.text);
    assert_int_equal(seen.rows, 0);
    assert_true(why.text[0] != '\0');
}

static void user_sql_hands_over_every_row(void **state)
{
    struct seen seen = {0};
    assert_int_equal(db_user_sql(db_fixture_db(state), "SELECT n, t FROM note -- all of it\n ; /* really */ ", false,
                                 see, &seen, NULL),
                     ERR_OK);
    assert_int_equal(seen.rows, 3);
    assert_int_equal(seen.sum, 6);
}

static void user_sql_stops_when_the_reader_does(void **state)
{
    struct seen seen = {.stop_at = ERR_INTERRUPTED};
    struct db *db = db_fixture_db(state);
    assert_int_equal(db_user_sql(db, "SELECT n FROM note", false, see, &seen, NULL), ERR_INTERRUPTED);
    assert_int_equal(seen.rows, 2);
    db_fixture_run(db, "DELETE FROM note"); /* nothing is left open */
}

static void user_sql_reads_joins_functions_search_and_schema(void **state)
{
    struct db *db = db_fixture_db(state);
    accepts(db, "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 9) SELECT sum(x) FROM c",
            false);
    accepts(db, "SELECT a.n FROM note a JOIN note b ON a.n < b.n GROUP BY a.n ORDER BY upper(a.t)", false);
    accepts(db, "SELECT t FROM search WHERE search MATCH 'needle'", false);
    accepts(db, "SELECT name FROM sqlite_schema", false);
    accepts(db, "SELECT spoke_uuid(id) FROM person WHERE id = spoke_id('01934f00-0000-7001-8000-00000000000a')", false);
    accepts(db, "VALUES(1), (2)", false);
    accepts(db, "EXPLAIN QUERY PLAN SELECT * FROM person", false);
}

static void user_sql_refuses_writing_unless_asked_for(void **state)
{
    struct db *db = db_fixture_db(state);
    refuses(db, "INSERT INTO person(id, case_id, agency) VALUES(new_id(), new_id(), 'nhs')", false, ERR_DENIED);
    refuses(db, "UPDATE person SET role = 'child'", false, ERR_DENIED);
    refuses(db, "EXPLAIN UPDATE person SET role = 'child'", false, ERR_DENIED);
    assert_int_equal(db_fixture_number(db, "SELECT count(*) FROM person"), 0);
}

static void user_sql_writes_case_tables_when_asked_for(void **state)
{
    struct db *db = db_fixture_db(state);
    struct seen seen = {0};
    accepts(db, "INSERT INTO person(id, case_id, agency, role) VALUES(new_id(), new_id(), 'nhs', 'child')", true);
    accepts(db, "INSERT INTO warning(id, case_id, agency, note) SELECT new_id(), case_id, agency, 'dog' FROM person",
            true);
    accepts(db, "WITH c AS (SELECT id FROM person) UPDATE person SET role = 'other' WHERE id IN (SELECT id FROM c)",
            true);
    assert_int_equal(db_user_sql(db, "UPDATE person SET voided_at = 7 RETURNING voided_at", true, see, &seen, NULL),
                     ERR_OK);
    assert_int_equal(seen.sum, 7);
    assert_int_equal(db_fixture_number(db, "SELECT count(*) FROM person WHERE role = 'other' AND voided_at = 7"), 1);
    assert_int_equal(db_fixture_number(db, "SELECT count(*) FROM warning"), 1);
}

static void user_sql_never_writes_other_tables(void **state)
{
    struct db *db = db_fixture_db(state);
    refuses(db, "INSERT INTO note(n) VALUES(9)", true, ERR_DENIED);
    refuses(db, "UPDATE note SET t = 'x'", true, ERR_DENIED);
    refuses(db, "INSERT INTO search VALUES('x')", true, ERR_DENIED);
    refuses(db, "INSERT INTO search(search) VALUES('rebuild')", true, ERR_DENIED);
    refuses(db, "UPDATE search_data SET block = x'00'", true, ERR_USAGE); /* SQLite itself says no before we do */
    refuses(db, "INSERT INTO agency(id, code) VALUES(new_id(), 'mine')", true, ERR_DENIED);
    refuses(db, "UPDATE duty SET duty = 'manager'", true, ERR_DENIED);
    refuses(db, "UPDATE sqlite_schema SET sql = ''", true, ERR_USAGE);
    refuses(db, "UPDATE secret_key SET k = x'00'", true, ERR_DENIED);
}

static void user_sql_never_deletes(void **state)
{
    struct db *db = db_fixture_db(state);
    struct why why = {0};
    assert_int_equal(db_user_sql(db, "DELETE FROM person", true, NULL, NULL, &why), ERR_DENIED);
    assert_non_null(strstr(why.text, "void the row instead"));
    refuses(db, "DELETE FROM note", true, ERR_DENIED);
    refuses(db, "DELETE FROM note", false, ERR_DENIED);
}

static void user_sql_refuses_all_that_is_not_rows(void **state)
{
    struct db *db = db_fixture_db(state);
    static const char *const bad[] = {
        "CREATE TABLE x(a)", "CREATE TEMP TABLE x(a)", "CREATE VIEW v AS SELECT 1", "CREATE INDEX i ON person(role)",
        "CREATE TEMP TRIGGER tr AFTER INSERT ON person BEGIN SELECT 1; END", "CREATE VIRTUAL TABLE v USING fts5(a)",
        "CREATE TABLE x AS SELECT * FROM secret_key", "DROP TABLE person", "DROP INDEX person_case",
        "ALTER TABLE person RENAME TO p", "ALTER TABLE person ADD COLUMN x", "REINDEX", "ANALYZE", "VACUUM",
        "VACUUM INTO 'copy.db'", "EXPLAIN VACUUM", "ATTACH 'x.db' AS x", "ATTACH ':memory:' AS x", "DETACH main",
        "PRAGMA journal_mode = DELETE", "PRAGMA user_version", "PRAGMA writable_schema = ON", "BEGIN", "COMMIT",
        "ROLLBACK", "SAVEPOINT a", "RELEASE a", "EXPLAIN PRAGMA user_version"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        refuses(db, bad[i], false, ERR_DENIED);
        refuses(db, bad[i], true, ERR_DENIED);
    }
}

static void user_sql_never_reads_keys(void **state)
{
    struct db *db = db_fixture_db(state);
    static const char *const bad[] = {
        "SELECT * FROM secret_key", "SELECT count(*) FROM secret_key", "SELECT 1 FROM SECRET_KEY AS harmless",
        "SELECT rowid FROM main.secret_key", "SELECT (SELECT hex(k) FROM secret_key)",
        "WITH a AS (SELECT k FROM secret_key) SELECT * FROM a", "SELECT 1 WHERE EXISTS (SELECT 1 FROM secret_key)",
        "SELECT n FROM note UNION ALL SELECT k FROM secret_key", "EXPLAIN SELECT * FROM secret_key"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        refuses(db, bad[i], false, ERR_DENIED);
    refuses(db, "INSERT INTO warning(id, case_id, agency, note) SELECT new_id(), new_id(), 'a', hex(k) FROM secret_key",
            true, ERR_DENIED);
    refuses(db, "UPDATE person SET role = (SELECT hex(k) FROM secret_key)", true, ERR_DENIED);
}

static void user_sql_refuses_functions_and_tables_that_reach_outside(void **state)
{
    struct db *db = db_fixture_db(state);
    static const char *const denied_or_absent[] = {
        "SELECT load_extension('x')", "SELECT fts3_tokenizer('simple')", "SELECT readfile('/etc/passwd')",
        "SELECT writefile('x', 'y')", "SELECT edit('x')", "SELECT * FROM pragma_journal_mode",
        "SELECT * FROM pragma_table_info('person')", "SELECT * FROM sqlite_dbpage", "SELECT * FROM dbstat"};
    for (size_t i = 0; i < sizeof denied_or_absent / sizeof denied_or_absent[0]; i++) {
        enum err e = db_user_sql(db, denied_or_absent[i], false, NULL, NULL, NULL);
        if (e != ERR_DENIED && e != ERR_USAGE) /* a function that this SQLite lacks is not understood */
            fail_msg("%s: %s", denied_or_absent[i], err_word(e));
    }
}

static void user_sql_takes_exactly_one_whole_statement(void **state)
{
    struct db *db = db_fixture_db(state);
    refuses(db, "", false, ERR_USAGE);
    refuses(db, "  -- nothing\n", false, ERR_USAGE);
    refuses(db, ";", false, ERR_USAGE);
    refuses(db, "SELECT 1; SELECT 2", false, ERR_USAGE);
    refuses(db, "SELECT n FROM note; ; -- quietly\n SELECT 2", false, ERR_USAGE);
    refuses(db, "SELEC n FROM note", false, ERR_USAGE);
    refuses(db, "SELECT nothing FROM note", false, ERR_USAGE);
    refuses(db, "SELECT n FROM note WHERE n = $1", false, ERR_USAGE);
    refuses(db, "SELECT n FROM note WHERE n = ?", false, ERR_USAGE);
    /* What follows is judged too, and nothing of it has happened. */
    assert_int_not_equal(db_user_sql(db, "SELECT n FROM note; DELETE FROM note", true, NULL, NULL, NULL), ERR_OK);
    assert_int_not_equal(db_user_sql(db, "UPDATE person SET role = 'child'; DROP TABLE note", true, NULL, NULL, NULL),
                         ERR_OK);
    assert_int_equal(db_fixture_number(db, "SELECT count(*) FROM note"), 3);
}

static void user_sql_leaves_our_own_statements_free(void **state)
{
    struct db *db = db_fixture_db(state);
    refuses(db, "DELETE FROM note", true, ERR_DENIED);
    accepts(db, "SELECT 1", false);
    db_fixture_run(db, "DELETE FROM note WHERE n = 1");
    assert_int_equal(db_vacuum(db, NULL), ERR_OK);
    assert_int_equal(db_exec(db, "ATTACH ':memory:' AS x", NULL), ERR_FAILED); /* refused as before */
}

static void user_sql_errors_while_running_hold_no_values(void **state)
{
    struct db *db = db_fixture_db(state);
    struct why why = {0};
    db_fixture_run(db, "INSERT INTO note(n, t) VALUES(9, '{\"zebra\"')");
    enum err e = db_user_sql(db, "SELECT json_extract(t, '$.a') FROM note WHERE n = 9", false, NULL, NULL, &why);
    assert_int_equal(e, ERR_FAILED);
    assert_non_null(strstr(why.text, "SELECT"));
    assert_null(strstr(why.text, "zebra"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, db_fixture_tear_down)
    const struct CMUnitTest tests[] = {
        T(user_sql_hands_over_every_row),
        T(user_sql_stops_when_the_reader_does),
        T(user_sql_reads_joins_functions_search_and_schema),
        T(user_sql_refuses_writing_unless_asked_for),
        T(user_sql_writes_case_tables_when_asked_for),
        T(user_sql_never_writes_other_tables),
        T(user_sql_never_deletes),
        T(user_sql_refuses_all_that_is_not_rows),
        T(user_sql_never_reads_keys),
        T(user_sql_refuses_functions_and_tables_that_reach_outside),
        T(user_sql_takes_exactly_one_whole_statement),
        T(user_sql_leaves_our_own_statements_free),
        T(user_sql_errors_while_running_hold_no_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
