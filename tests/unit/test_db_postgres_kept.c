/* Answers that are kept (sync/db_postgres_kept.c) are those that would be given: whoever wrote, whatever was undone.
 * That one was kept, and not asked for, shows by a session that changes the table without the hub's lock, or without
 * its trigger: then the old answer comes. */
#include "sync/db_postgres.h"

#include "tests/lib/kept_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOTE "SELECT r FROM note WHERE n = 1"
#define RULE "SELECT value FROM rule WHERE n = 1"

static struct db_fixture *f;
static struct other_session *psql;

static int set_up(void **state)
{
    f = kept_fixture_start(state,
                           "CREATE TABLE rule(n INTEGER PRIMARY KEY, value INTEGER) STRICT;"
                           "CREATE TABLE other_rule(n INTEGER PRIMARY KEY) STRICT;"
                           "CREATE TABLE unlisted(n INTEGER PRIMARY KEY) STRICT;"
                           "CREATE VIEW rules AS SELECT n, value FROM rule;"
                           "INSERT INTO rule VALUES(1, 10);"
                           "INSERT INTO note(n, t, r) VALUES(1, 'a', 10)",
                           &psql);
    return 0;
}

static int tear_down(void **state)
{
    return kept_fixture_stop(state, psql);
}

static void begin(void)
{
    assert_int_equal(db_begin(f->db, NULL), ERR_OK);
}

static void commit(void)
{
    assert_int_equal(db_commit(f->db, NULL), ERR_OK);
}

/* By a statement that may be prepared and run again, as the hub's are; db_fixture_run is one of several at once. */
static void write_one(const char *sql)
{
    struct why why = {0};
    struct stmt *s = db_fixture_prepare(f->db, sql);
    if (db_run(s, &why) != ERR_OK) fail_msg("%s: %s", sql, why.text);
}

static int64_t ask(const char *sql)
{
    return db_fixture_number(f->db, sql);
}

static int64_t ask_in_one(const char *sql)
{
    begin();
    int64_t n = ask(sql);
    commit();
    return n;
}

/* ------------------------------------------------------------------------------------------- within a transaction */

static void an_answer_stands_until_this_transaction_writes_there(void **state)
{
    (void)state;
    begin();
    assert_int_equal(ask(NOTE), 10);
    other_session_run(psql, "UPDATE note SET r = 11 WHERE n = 1");
    assert_int_equal(ask(NOTE), 10);
    write_one("INSERT INTO secret_key VALUES(NULL)"); /* elsewhere */
    assert_int_equal(ask(NOTE), 10);
    write_one("INSERT INTO note(n, r) VALUES(2, 5)");
    assert_int_equal(ask(NOTE), 11);
    commit();
}

static void the_next_transaction_sees_what_anybody_wrote(void **state)
{
    (void)state;
    assert_int_equal(ask_in_one(NOTE), 10);
    other_session_run(psql, "UPDATE note SET r = 11 WHERE n = 1");
    assert_int_equal(ask_in_one(NOTE), 11);
}

static void an_update_ends_what_names_its_columns(void **state)
{
    (void)state;
    begin();
    assert_int_equal(ask(NOTE), 10);
    assert_int_equal(ask("SELECT length(t) FROM note WHERE n = 1"), 1);
    other_session_run(psql, "UPDATE note SET r = 11, t = 'abc' WHERE n = 1");
    write_one("UPDATE note SET t = 'wxyz' WHERE n = 2");
    assert_int_equal(ask(NOTE), 10);
    assert_int_equal(ask("SELECT length(t) FROM note WHERE n = 1"), 3);
    write_one("UPDATE note SET t = 'z', r = (SELECT max(x.n) FROM note x) WHERE n = 2");
    assert_int_equal(ask(NOTE), 11);
    commit();
}

/* The same once more in other words is asked in any case, and says what is true. */
static void every_way_to_write_ends_an_answer(void **state)
{
    static const char *const ways[] = {
        "INSERT INTO note(n, r) VALUES(7, 7)",
        "insert into \"note\"(n, r) VALUES(8, 8)",
        "INSERT INTO note(n, r) SELECT 9, max(x.value) FROM rule AS x",
        "INSERT INTO note(n, r) VALUES(1, 20) ON CONFLICT(n) DO UPDATE SET r = excluded.r",
        "UPDATE note SET r = 30 WHERE n = 1",
        "UPDATE \"note\" SET \"t\" = 'q', \"r\" = 31",
        "UPDATE note SET t = (SELECT 'a, b = c'), r = CASE WHEN r = 31 THEN 32 ELSE 33 END WHERE n = 1",
        "UPDATE note AS x SET r = 34 WHERE x.n = 1",
        "UPDATE note SET (t, r) = ('x', 35) WHERE n = 1",
        "UPDATE note SET r = k.value FROM rule AS k WHERE k.n = note.n",
        "DELETE FROM note WHERE n = 7",
        "WITH gone AS (DELETE FROM note WHERE n = 8 RETURNING n) INSERT INTO secret_key SELECT NULL FROM gone",
        "WITH k AS (UPDATE note SET r = 36 RETURNING n) SELECT count(*) FROM k",
        "DELETE FROM note",
    };
    (void)state;
    begin();
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        int64_t before = ask("SELECT coalesce(sum(r), 0) + 1000 * count(*) FROM note");
        write_one(ways[i]);
        int64_t after = ask("SELECT coalesce(sum(r), 0) + 1000 * count(*) FROM note"),
                truly = ask("SELECT coalesce(sum(y.r), 0) + 1000 * count(*) FROM note AS y");
        if (before == truly) fail_msg("nothing was changed by: %s", ways[i]);
        if (after != truly) fail_msg("an answer outlived: %s", ways[i]);
    }
    commit();
}

static void several_statements_at_once_end_every_answer(void **state)
{
    (void)state;
    begin();
    assert_int_equal(ask(NOTE), 10);
    assert_int_equal(ask(RULE), 10);
    db_fixture_run(f->db, "UPDATE note SET r = 11; UPDATE rule SET value = 12");
    assert_int_equal(ask(NOTE), 11);
    assert_int_equal(ask(RULE), 12);
    commit();
    assert_int_equal(ask_in_one(RULE), 12);
}

static void views_and_other_tables_are_asked_each_time(void **state)
{
    (void)state;
    begin();
    assert_int_equal(ask("SELECT value FROM rules WHERE n = 1"), 10);
    assert_int_equal(ask("SELECT value FROM main.rules WHERE n = 1"), 10);
    assert_int_equal(ask("SELECT count(*) FROM unlisted, note"), 0);
    other_session_run(psql, "UPDATE rule SET value = 11; INSERT INTO unlisted VALUES(1)");
    assert_int_equal(ask("SELECT value FROM rules WHERE n = 1"), 11);
    assert_int_equal(ask("SELECT value FROM main.rules WHERE n = 1"), 11);
    assert_int_equal(ask("SELECT count(*) FROM unlisted, note"), 1);
    commit();
}

static void other_values_are_another_question(void **state)
{
    (void)state;
    begin();
    write_one("INSERT INTO note(n, r) VALUES(2, 20)");
    for (int i = 0; i < 6; i++) {
        struct stmt *s = db_fixture_prepare(f->db, "SELECT r FROM note WHERE n = $1");
        bool row = false;
        db_bind_int(s, 1, 1 + i % 3);
        assert_int_equal(db_step(s, &row, NULL), ERR_OK);
        assert_int_equal(row, i % 3 < 2);
        if (row) assert_int_equal(db_int(s, 0), 10 * (1 + i % 3));
        assert_int_equal(db_columns(s), 1);
        db_done(s);
    }
    commit();
}

/* Statements that stand in one kept answer at once, and one that is written over while somebody stands in it. */
static void an_answer_may_be_stepped_through_by_two_and_forgotten_meanwhile(void **state)
{
    bool row = false;
    (void)state;
    begin();
    for (int i = 2; i < 6; i++) write_one(i % 2 == 0 ? "INSERT INTO note(r) VALUES(2)" : "INSERT INTO note(r) VALUES(3)");
    assert_int_equal(ask("SELECT count(*) FROM note"), 5);
    struct stmt *a = db_fixture_prepare(f->db, "SELECT n FROM note ORDER BY n");
    assert_int_equal(db_step(a, &row, NULL), ERR_OK);
    struct stmt *b = db_fixture_prepare(f->db, "SELECT n FROM note ORDER BY n");
    for (int64_t i = 1; i <= 5; i++) {
        assert_int_equal(db_step(b, &row, NULL), ERR_OK);
        assert_true(row);
        assert_int_equal(db_int(b, 0), i);
    }
    db_done(b);
    write_one("DELETE FROM note WHERE n > 2");
    b = db_fixture_prepare(f->db, "SELECT n FROM note ORDER BY n");
    assert_int_equal(db_step(b, &row, NULL), ERR_OK);
    db_done(b);
    assert_int_equal(db_int(a, 0), 1);
    for (int64_t i = 2; i <= 5; i++) {
        assert_int_equal(db_step(a, &row, NULL), ERR_OK);
        assert_true(row);
        assert_int_equal(db_int(a, 0), i);
    }
    assert_int_equal(db_step(a, &row, NULL), ERR_OK);
    assert_false(row);
    db_done(a);
    assert_int_equal(ask("SELECT count(*) FROM note"), 2);
    commit();
}

/* --------------------------------------------------------------------------------------------------- what is undone */

static void nothing_that_was_undone_is_answered(void **state)
{
    (void)state;
    begin();
    write_one("UPDATE rule SET value = 11");
    write_one("UPDATE note SET r = 11");
    assert_int_equal(ask(RULE), 11);
    assert_int_equal(ask(NOTE), 11);
    db_rollback(f->db);
    begin();
    assert_int_equal(ask(RULE), 10);
    assert_int_equal(ask(NOTE), 10);
    commit();
}

static void nothing_that_a_savepoint_took_back_is_answered(void **state)
{
    (void)state;
    begin();
    assert_int_equal(ask(RULE), 10);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(db_savepoint(f->db, "part", NULL), ERR_OK);
        write_one("UPDATE rule SET value = 11");
        write_one("UPDATE note SET r = 11");
        assert_int_equal(ask(RULE), 11);
        assert_int_equal(ask(NOTE), 11);
        assert_int_equal(db_savepoint_rollback(f->db, "part", NULL), ERR_OK);
        assert_int_equal(ask(RULE), 10);
        assert_int_equal(ask(NOTE), 10);
    }
    write_one("UPDATE rule SET value = 12");
    commit();
    assert_int_equal(ask_in_one(RULE), 12);
}

/* The stamp of what was undone is as it was; that of what follows is another. */
static void a_change_after_one_that_was_taken_back_is_seen_by_others(void **state)
{
    struct db *other = db_fixture_another(f, env_posix());
    (void)state;
    kept_fixture_keep(other);
    assert_int_equal(db_begin(other, NULL), ERR_OK);
    assert_int_equal(db_fixture_number(other, RULE), 10);
    assert_int_equal(db_commit(other, NULL), ERR_OK);
    begin();
    assert_int_equal(db_savepoint(f->db, "part", NULL), ERR_OK);
    write_one("UPDATE rule SET value = 11");
    assert_int_equal(db_savepoint_rollback(f->db, "part", NULL), ERR_OK);
    write_one("UPDATE rule SET value = 12");
    commit();
    assert_int_equal(db_begin(other, NULL), ERR_OK);
    assert_int_equal(db_fixture_number(other, RULE), 12);
    assert_int_equal(db_commit(other, NULL), ERR_OK);
    db_close(other);
}

/* ------------------------------------------------------------------------------------------- between transactions */

/* As if the table had got its new stamp already: nobody tells of this. */
static void change_unsaid(const char *sql)
{
    static const char set[] = "SELECT set_config('spoke.stamped_' || 'rule'::regclass::oid, '%s', false)";
    char text[120];
    (void)snprintf(text, sizeof text, set, "1");
    other_session_run(psql, text);
    other_session_run(psql, sql);
    (void)snprintf(text, sizeof text, set, "");
    other_session_run(psql, text);
}

static void an_answer_about_a_calm_table_outlives_its_transaction(void **state)
{
    (void)state;
    assert_int_equal(ask_in_one(RULE), 10);
    change_unsaid("UPDATE rule SET value = 11");
    assert_int_equal(ask_in_one(RULE), 10);
    other_session_run(psql, "UPDATE rule SET value = 12");
    assert_int_equal(ask_in_one(RULE), 12);
}

static void whoever_changes_a_calm_table_is_seen_at_once(void **state)
{
    static const struct {
        const char *sql;
        int64_t rules;
    } ways[] = {{"INSERT INTO rule VALUES(2, 2)", 2},
                {"DELETE FROM rule WHERE n = 2", 1},
                {"BEGIN; SAVEPOINT a; INSERT INTO rule VALUES(5, 5); ROLLBACK TO a; INSERT INTO rule VALUES(3, 3); COMMIT", 2},
                {"SET session_replication_role = replica; INSERT INTO rule VALUES(4, 4); RESET session_replication_role", 3},
                {"WITH n AS (INSERT INTO rule VALUES(6, 6) RETURNING n) SELECT count(*) FROM n", 4},
                {"MERGE INTO rule USING (SELECT 6 AS n) x ON x.n = rule.n WHEN MATCHED THEN DELETE", 3},
                {"DO 'BEGIN BEGIN INSERT INTO rule VALUES(6, 6); RAISE ''x''; EXCEPTION WHEN OTHERS THEN NULL; END; "
                 "INSERT INTO rule VALUES(7, 7); END'", 4},
                {"COPY rule FROM PROGRAM 'printf \"8\\\\t8\\\\n\"'", 5},
                {"TRUNCATE rule", 0}};
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        (void)ask_in_one("SELECT count(*) FROM rule");
        other_session_run(psql, ways[i].sql);
        assert_int_equal(ask_in_one("SELECT count(*) FROM rule"), ways[i].rules);
    }
}

/* Two hubs of one database, and one transaction of somebody else's that changes the same table of both. */
static void one_transaction_may_change_that_table_of_two_schemas(void **state)
{
    struct db *north = NULL;
    char schema[64], sql[300];
    struct why why = {0};
    (void)state;
    db_fixture_new_schema(schema);
    assert_int_equal(db_create_postgres(env_posix(), f->url, schema,
                                        "CREATE TABLE note(n INTEGER PRIMARY KEY, r INTEGER) STRICT;"
                                        "CREATE TABLE rule(n INTEGER PRIMARY KEY, value INTEGER) STRICT;"
                                        "CREATE TABLE other_rule(n INTEGER PRIMARY KEY) STRICT;"
                                        "INSERT INTO rule VALUES(1, 10)",
                                        &why),
                     ERR_OK);
    assert_int_equal(db_open_postgres(&north, env_posix(), f->url, schema, &why), ERR_OK);
    kept_fixture_keep(north);
    db_close(north);
    assert_int_equal(ask_in_one(RULE), 10);
    (void)snprintf(sql, sizeof sql, "BEGIN; UPDATE \"%s\".rule SET value = 11; UPDATE rule SET value = 11; COMMIT", schema);
    other_session_run(psql, sql);
    assert_int_equal(db_drop_postgres(env_posix(), f->url, schema, &why), ERR_OK);
    assert_int_equal(ask_in_one(RULE), 11);
}

/* Whoever reads the tables may have put views of their own there. Then nothing is kept, and all goes on. */
static void a_schema_of_very_many_tables_is_asked_each_time(void **state)
{
    (void)state;
    assert_int_equal(ask_in_one(RULE), 10);
    other_session_run(psql, "DO 'BEGIN FOR i IN 1..300 LOOP EXECUTE ''CREATE VIEW report_'' || i || '' AS SELECT n FROM rule'';"
                            " END LOOP; END'");
    db_fixture_run(f->db, "UPDATE rule SET value = 11"); /* several at once: the tables are learnt anew */
    assert_int_equal(ask_in_one(RULE), 11);
    begin();
    write_one("UPDATE rule SET value = 12");
    assert_int_equal(ask(RULE), 12);
    other_session_run(psql, "UPDATE note SET r = 11 WHERE n = 1");
    assert_int_equal(ask(NOTE), 11);
    other_session_run(psql, "UPDATE note SET r = 12 WHERE n = 1");
    assert_int_equal(ask(NOTE), 12);
    commit();
    kept_fixture_keep(f->db);
    assert_int_equal(ask_in_one(RULE), 12);
}

/* What is asked while somebody's change is on its way says what was; it must not pass for what is afterwards. */
static void a_change_that_is_not_committed_yet_is_seen_when_it_is(void **state)
{
    (void)state;
    assert_int_equal(ask_in_one("SELECT count(*) FROM other_rule"), 0);
    other_session_run(psql, "BEGIN; UPDATE rule SET value = 11");
    assert_int_equal(ask_in_one(RULE), 10);
    begin();
    assert_int_equal(ask("SELECT max(value) FROM rule"), 10);
    other_session_run(psql, "COMMIT");
    assert_int_equal(ask("SELECT min(value) FROM rule"), 11); /* asked now */
    commit();
    begin();
    assert_int_equal(ask(RULE), 11);
    assert_int_equal(ask("SELECT max(value) FROM rule"), 11);
    assert_int_equal(ask("SELECT min(value) FROM rule"), 11);
    commit();
}

static void a_table_without_its_trigger_is_asked_each_time(void **state)
{
    (void)state;
    other_session_run(psql, "DROP TRIGGER spoke_stamped ON rule");
    struct db *other = db_fixture_another(f, env_posix());
    static const char *const none[] = {NULL};
    static const char *const both[] = {"note", "rule", NULL};
    assert_int_equal(db_keep(other, both, none, NULL), ERR_OK);
    for (int64_t i = 0; i < 3; i++) {
        assert_int_equal(db_begin(other, NULL), ERR_OK);
        assert_int_equal(db_fixture_number(other, RULE), 10 + (i > 0));
        assert_int_equal(db_commit(other, NULL), ERR_OK);
        other_session_run(psql, "UPDATE rule SET value = 11");
    }
    kept_fixture_keep(other); /* and it is there again */
    db_close(other);
    assert_int_equal(ask_in_one("SELECT count(*) FROM pg_catalog.pg_trigger WHERE tgname = 'spoke_stamped' AND "
                                "tgrelid = 'rule'::regclass"),
                     1);
}

/* By an administrator of the database, while this connection stands. */
static void what_no_trigger_tells_is_seen_too(void **state)
{
    static const char *const ways[] = {
        "ALTER TABLE rule DISABLE TRIGGER ALL; UPDATE rule SET value = 11; ALTER TABLE rule ENABLE ALWAYS TRIGGER spoke_stamped",
        "DROP VIEW rules; ALTER TABLE rule ALTER COLUMN value TYPE bigint USING value + 1",
        "ALTER TABLE rule DISABLE TRIGGER spoke_stamped; UPDATE rule SET value = 13",
        "UPDATE rule SET value = 14",
        "ALTER TABLE rule ENABLE ALWAYS TRIGGER spoke_stamped; UPDATE rule SET value = 15",
        "ALTER TABLE rule RENAME TO old_rule; CREATE TABLE rule(n bigint PRIMARY KEY, value bigint); "
        "INSERT INTO rule VALUES(1, 16)",
        "UPDATE rule SET value = 17",
        "DROP TABLE rule; ALTER TABLE old_rule RENAME TO rule; DROP TRIGGER spoke_stamped ON rule; UPDATE rule SET value = 18",
        "UPDATE rule SET value = 19",
    };
    (void)state;
    assert_int_equal(ask_in_one(RULE), 10);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        other_session_run(psql, ways[i]);
        if (ask_in_one(RULE) != 11 + (int64_t)i) fail_msg("an answer outlived: %s", ways[i]);
    }
}

static void a_new_connection_knows_nothing(void **state)
{
    (void)state;
    assert_int_equal(ask_in_one(RULE), 10);
    db_fixture_kill(f, f->db);
    change_unsaid("UPDATE rule SET value = 11");
    assert_int_equal(ask_in_one(RULE), 11);
    assert_int_equal(ask_in_one(NOTE), 10);
}

static void outside_a_transaction_everything_is_asked(void **state)
{
    (void)state;
    assert_int_equal(ask(RULE), 10);
    assert_int_equal(ask_in_one(RULE), 10);
    other_session_run(psql, "UPDATE rule SET value = 11");
    assert_int_equal(ask(RULE), 11);
    assert_int_equal(db_begin_read(f->db, NULL), ERR_OK);
    assert_int_equal(ask(RULE), 11);
    assert_int_equal(db_commit(f->db, NULL), ERR_OK);
    other_session_run(psql, "UPDATE rule SET value = 12");
    assert_int_equal(ask(RULE), 12);
    assert_int_equal(ask_in_one(RULE), 12);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(an_answer_stands_until_this_transaction_writes_there),
        T(the_next_transaction_sees_what_anybody_wrote),
        T(an_update_ends_what_names_its_columns),
        T(every_way_to_write_ends_an_answer),
        T(several_statements_at_once_end_every_answer),
        T(views_and_other_tables_are_asked_each_time),
        T(other_values_are_another_question),
        T(an_answer_may_be_stepped_through_by_two_and_forgotten_meanwhile),
        T(nothing_that_was_undone_is_answered),
        T(nothing_that_a_savepoint_took_back_is_answered),
        T(a_change_after_one_that_was_taken_back_is_seen_by_others),
        T(an_answer_about_a_calm_table_outlives_its_transaction),
        T(whoever_changes_a_calm_table_is_seen_at_once),
        T(one_transaction_may_change_that_table_of_two_schemas),
        T(a_schema_of_very_many_tables_is_asked_each_time),
        T(a_change_that_is_not_committed_yet_is_seen_when_it_is),
        T(a_table_without_its_trigger_is_asked_each_time),
        T(what_no_trigger_tells_is_seen_too),
        T(a_new_connection_knows_nothing),
        T(outside_a_transaction_everything_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
