/* PostgreSQL notes every row that changes, whoever changes it, until somebody takes the notes; and what one process of
 * several has to itself goes with it. */
#include "sync/db_catalogue.h"
#include "sync/db_note.h"
#include "tests/lib/db_fixture.h"
#include "tests/lib/other_session.h"
#include "tests/lib/told_rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct why why;
static struct db *db;
static struct told_rows heard;

static const struct db_note_options opt = {.wants = told_rows_wants};

static size_t lay(bool rows)
{
    const struct db_note_options how = {.wants = told_rows_wants, .rows = rows};
    size_t laid = 99;
    assert_int_equal(db_begin(db, &why), ERR_OK);
    assert_int_equal(db_note_lay(db, &how, &laid, &why), ERR_OK);
    assert_int_equal(db_commit(db, &why), ERR_OK);
    return laid;
}

static bool holds(void)
{
    bool is = false;
    assert_int_equal(db_note_holds(db, &opt, &is, &why), ERR_OK);
    return is;
}

static int start(void **state)
{
    if (db_fixture_set_up_bare(state) != 0) return 1;
    db = db_fixture_db(state);
    db_fixture_run(db, "CREATE TABLE t_rows(no INTEGER PRIMARY KEY, v TEXT) STRICT");
    db_fixture_run(
        db,
        "CREATE TABLE t_two(b TEXT NOT NULL, v INTEGER, a INTEGER NOT NULL, c BLOB NOT NULL, PRIMARY KEY(a, b, c)) STRICT, WITHOUT ROWID");
    db_fixture_run(db, "CREATE TABLE t_one(v INTEGER) STRICT");
    db_fixture_run(db, "CREATE TABLE other(no INTEGER PRIMARY KEY) STRICT");
    assert_int_equal(lay(false), 3);
    return 0;
}

/* What waits, taken. */
static const char *told(void)
{
    memset(&heard, 0, sizeof heard);
    assert_int_equal(db_begin_still(db, &why), ERR_OK);
    assert_int_equal(db_note_take(db, told_rows_hear, &heard, &why), ERR_OK);
    assert_int_equal(db_commit(db, &why), ERR_OK);
    return heard.said;
}

static void run(const char *sql)
{
    db_fixture_run(db, sql);
}

static void rows_are_told_by_their_key_and_once_each_and_then_no_more(void **state)
{
    int64_t since = 0;
    (void)state;
    assert_int_equal(db_note_waits(db, &since, &why), ERR_OK);
    assert_int_equal(since, 0);
    run("INSERT INTO t_two(b, a, c) VALUES('x', 5, x'414243'); INSERT INTO t_rows VALUES(7, 'a'), (8, 'b');"
        "UPDATE t_rows SET v = 'c' WHERE no = 7; DELETE FROM t_rows WHERE no = 8; INSERT INTO other VALUES(1)");
    assert_int_equal(db_note_waits(db, &since, &why), ERR_OK);
    assert_true(since > 1500000000000);
    assert_string_equal(told(), "t_rows:7;t_rows:8;t_two:5,x,bABC;");
    assert_string_equal(told(), "");
    run("UPDATE t_two SET v = 2");
    assert_string_equal(told(), "t_two:5,x,bABC;");
    run("UPDATE t_two SET b = 'y'"); /* both: the one that is gone, and the one that is there */
    assert_string_equal(told(), "t_two:5,y,bABC;t_two:5,x,bABC;");
    run("INSERT INTO t_rows VALUES(7, 'z') ON CONFLICT(no) DO UPDATE SET v = excluded.v");
    assert_string_equal(told(), "t_rows:7;");
    run("INSERT INTO t_rows VALUES(7, 'z') ON CONFLICT(no) DO NOTHING; UPDATE t_rows SET v = '' WHERE no = 99");
    assert_string_equal(told(), "");
}

static void a_table_that_is_emptied_is_told_row_by_row_and_one_without_a_key_as_a_whole(void **state)
{
    (void)state;
    run("INSERT INTO t_rows VALUES(1, 'a'), (2, 'b'), (3, 'c'); INSERT INTO t_one VALUES(1), (2)");
    assert_string_equal(told(), "t_one:;t_rows:1;t_rows:2;t_rows:3;");
    run("DELETE FROM t_rows");
    assert_string_equal(told(), "t_rows:1;t_rows:2;t_rows:3;");
    run("INSERT INTO t_rows VALUES(4, 'd')");
    (void)told();
    run("TRUNCATE t_rows; TRUNCATE t_one");
    assert_string_equal(told(), "t_one:;t_rows:4;");
}

/* TRUNCATE takes away also what its transaction cannot see. */
static void what_is_truncated_is_told_though_it_came_since_or_else_it_stays(void **state)
{
    static const char *const still[] = {"REPEATABLE READ", "SERIALIZABLE"};
    struct db_fixture *f = *state;
    struct other_session *psql = other_session_open(f->url, f->schema);
    char sql[100], words[400];
    for (size_t i = 0; i < sizeof still / sizeof still[0]; i++) {
        run("INSERT INTO t_rows VALUES(1, 'a')");
        (void)snprintf(sql, sizeof sql, "BEGIN ISOLATION LEVEL %s; SELECT count(*) FROM t_rows", still[i]);
        other_session_run(psql, sql);
        run("INSERT INTO t_rows VALUES(2, 'came since')");
        assert_non_null(strstr(told(), "t_rows:2;"));
        other_session_refused(psql, "TRUNCATE t_rows", words);
        assert_string_equal(words, "The hub keeps a journal, which TRUNCATE of t_rows would make a gap in: this transaction "
                                   "does not see all rows that would go. Do it in READ COMMITTED, or use DELETE.");
        other_session_run(psql, "ROLLBACK");
        assert_int_equal(db_fixture_number(db, "SELECT count(*) FROM t_rows"), 2);
        (void)snprintf(sql, sizeof sql, "BEGIN ISOLATION LEVEL %s; TRUNCATE t_one; COMMIT", still[i]);
        other_session_run(psql, sql); /* it is told as a whole */
        assert_string_equal(told(), "t_one:;");
        other_session_run(psql, "BEGIN; SELECT count(*) FROM t_rows");
        run("INSERT INTO t_rows VALUES(3, 'came since')");
        (void)told();
        other_session_run(psql, "TRUNCATE t_rows; COMMIT");
        assert_string_equal(told(), "t_rows:1;t_rows:2;t_rows:3;");
    }
    other_session_close(psql);
}

/* Of an older program, which did not know that. */
static void what_notes_for_an_older_program_is_renewed_and_that_is_no_gap(void **state)
{
    struct db_fixture *f = *state;
    struct other_session *psql = other_session_open(f->url, f->schema);
    char words[400];
    other_session_run(psql, "CREATE OR REPLACE FUNCTION spoke_note_t_rows() RETURNS trigger LANGUAGE plpgsql AS"
                            " $$BEGIN RETURN NULL; END$$");
    assert_true(holds());
    assert_int_equal(lay(true), 0);
    other_session_refused(psql, "BEGIN ISOLATION LEVEL REPEATABLE READ; TRUNCATE t_rows", words);
    assert_non_null(strstr(words, "journal"));
    other_session_run(psql, "ROLLBACK");
    run("INSERT INTO t_rows VALUES(1, 'a')");
    assert_string_equal(told(), "t_rows:1;");
    other_session_close(psql);
}

static void what_was_undone_is_not_told_and_what_a_savepoint_kept_is(void **state)
{
    (void)state;
    assert_int_equal(db_begin(db, &why), ERR_OK);
    run("INSERT INTO t_rows VALUES(1, 'a')");
    assert_int_equal(db_savepoint(db, "inner", &why), ERR_OK);
    run("INSERT INTO t_rows VALUES(2, 'a')");
    assert_int_equal(db_savepoint_rollback(db, "inner", &why), ERR_OK);
    run("INSERT INTO t_rows VALUES(3, 'a')");
    assert_int_equal(db_commit(db, &why), ERR_OK);
    assert_int_equal(db_begin(db, &why), ERR_OK);
    run("INSERT INTO t_rows VALUES(4, 'a')");
    db_rollback(db);
    assert_string_equal(told(), "t_rows:1;t_rows:3;");
}

/* Notes that were taken by a transaction that was undone are there again. */
static void who_fails_to_keep_them_has_not_taken_them(void **state)
{
    (void)state;
    run("INSERT INTO t_rows VALUES(1, 'a')");
    memset(&heard, 0, sizeof heard);
    assert_int_equal(db_begin_still(db, &why), ERR_OK);
    assert_int_equal(db_note_take(db, told_rows_hear, &heard, &why), ERR_OK);
    db_rollback(db);
    assert_string_equal(told(), "t_rows:1;");
}

/* As by psql: a question, for which nobody waits for the hub's lock. */
static void by_hand(struct db *psql, const char *sql)
{
    struct stmt *s = db_fixture_prepare(psql, "SELECT by_hand($1)");
    bool row = false;
    db_bind_str(s, 1, sql);
    assert_int_equal(db_step(s, &row, &why), ERR_OK);
    assert_true(row);
    db_done(s);
}

static struct db *at_psql(void **state)
{
    run("CREATE FUNCTION by_hand(sql TEXT) RETURNS bigint LANGUAGE plpgsql AS 'BEGIN EXECUTE sql; RETURN 1; END'");
    return db_fixture_another(*state, env_posix());
}

/* Also where its session says that triggers are none of its business. */
static void who_goes_behind_the_hubs_back_is_seen(void **state)
{
    struct db *psql = at_psql(state);
    run("INSERT INTO t_rows VALUES(1, 'a'), (2, 'a')");
    (void)told();
    assert_int_equal(db_begin(db, &why), ERR_OK); /* it does not wait for the hub */
    by_hand(psql, "UPDATE t_rows SET v = 'behind' WHERE no = 2");
    by_hand(psql, "SET session_replication_role = replica");
    by_hand(psql, "DELETE FROM t_rows WHERE no = 1");
    db_rollback(db);
    assert_string_equal(told(), "t_rows:2;t_rows:1;");
    db_close(psql);
}

/* Between the look at what was noted and the look at the rows nobody's half of a change comes in. */
static void a_transaction_that_stands_still_sees_one_moment_and_takes_what_is_of_it(void **state)
{
    struct db *psql = at_psql(state);
    run("INSERT INTO t_rows VALUES(1, 'a'), (2, 'a')");
    memset(&heard, 0, sizeof heard);
    assert_int_equal(db_begin_still(db, &why), ERR_OK);
    by_hand(psql, "INSERT INTO t_rows VALUES(3, 'b')");
    assert_int_equal(db_fixture_number(psql, "SELECT count(*) FROM t_rows"), 3);
    assert_int_equal(db_fixture_number(db, "SELECT count(*) FROM t_rows"), 2);
    assert_int_equal(db_note_take(db, told_rows_hear, &heard, &why), ERR_OK);
    assert_string_equal(heard.said, "t_rows:1;t_rows:2;");
    run("UPDATE t_rows SET v = 'mine' WHERE no = 1"); /* it writes all the same */
    assert_int_equal(db_commit(db, &why), ERR_OK);
    assert_string_equal(told(), "t_rows:3;t_rows:1;");
    db_close(psql);
}

/* It has the hub's lock, as any transaction of the hub: others wait, and it sees what they did before it. */
static void a_transaction_that_stands_still_waits_its_turn(void **state)
{
    struct env hasty = *env_posix();
    hasty.busy_ms = 200;
    struct db *other = db_fixture_another(*state, &hasty);
    assert_int_equal(db_begin_still(db, &why), ERR_OK);
    assert_int_equal(db_begin(other, &why), ERR_BUSY);
    assert_int_equal(db_begin_still(other, &why), ERR_BUSY);
    run("INSERT INTO t_rows VALUES(1, 'a')");
    assert_int_equal(db_commit(db, &why), ERR_OK);
    assert_int_equal(db_begin_still(other, &why), ERR_OK);
    assert_int_equal(db_fixture_number(other, "SELECT count(*) FROM t_rows"), 1);
    db_rollback(other);
    assert_int_equal(db_begin(db, &why), ERR_OK); /* nothing of the lock is left */
    db_rollback(db);
    db_close(other);
}

static void a_table_that_comes_later_is_noted_from_then_on_with_what_it_holds(void **state)
{
    (void)state;
    assert_int_equal(lay(true), 0);
    assert_true(holds());
    run("CREATE TABLE t_new(no INTEGER PRIMARY KEY) STRICT; INSERT INTO t_new VALUES(1), (2)");
    assert_false(holds());
    assert_string_equal(told(), "");
    assert_int_equal(lay(true), 1);
    assert_true(holds());
    assert_string_equal(told(), "t_new:1;t_new:2;");
    run("DELETE FROM t_new WHERE no = 1");
    assert_string_equal(told(), "t_new:1;");
}

static void who_takes_a_trigger_away_or_switches_it_off_is_found(void **state)
{
    static const char *const how[] = {"DROP TRIGGER spoke_note ON t_rows",
                                      "ALTER TABLE t_two DISABLE TRIGGER spoke_note",
                                      "ALTER TABLE t_one ENABLE TRIGGER spoke_note_all"};
    (void)state;
    for (size_t i = 0; i < sizeof how / sizeof how[0]; i++) {
        run(how[i]);
        assert_false(holds());
        assert_int_equal(lay(false), 1);
        assert_true(holds());
    }
    run("INSERT INTO t_rows VALUES(1, 'a')");
    assert_string_equal(told(), "t_rows:1;");
}

static enum err look(void *ctx, const struct db_column *c, struct why *w)
{
    int64_t *n = ctx;
    (void)w;
    *n += strncmp(c->table, "spoke_", 6) == 0;
    return ERR_OK;
}

static void after_the_end_nothing_is_left_but_an_empty_table_that_is_none_of_the_stores(void **state)
{
    int64_t n = 0;
    (void)state;
    run("INSERT INTO t_rows VALUES(1, 'a')");
    assert_int_equal(db_begin(db, &why), ERR_OK);
    assert_int_equal(db_note_lift(db, &why), ERR_OK);
    assert_int_equal(db_commit(db, &why), ERR_OK);
    run("INSERT INTO t_rows VALUES(2, 'a')");
    assert_int_equal(
        db_fixture_number(db, "SELECT count(*) FROM pg_catalog.pg_trigger WHERE tgrelid = to_regclass('t_rows')"), 0);
    assert_int_equal(db_fixture_number(db, "SELECT count(*) FROM spoke_touched"), 0);
    assert_int_equal(db_catalogue(db, look, &n, &why), ERR_OK);
    assert_int_equal(n, 0);
    assert_int_equal(db_begin(db, &why), ERR_OK); /* once more is fine */
    assert_int_equal(db_note_lift(db, &why), ERR_OK);
    assert_int_equal(db_commit(db, &why), ERR_OK);
    assert_int_equal(lay(false), 3);
    assert_string_equal(told(), "");
}

static void many_rows_are_all_told_and_too_many_are_given_up(void **state)
{
    (void)state;
    run("INSERT INTO t_rows SELECT i, 'x' FROM generate_series(1, 50000) AS i");
    (void)told();
    assert_int_equal(heard.n, 50000);
    run("INSERT INTO spoke_touched(t, k) SELECT 't_rows', E'\\\\x01'::bytea || int8send(i) FROM generate_series(1, 2300000) AS i");
    assert_int_equal(db_begin_still(db, &why), ERR_OK);
    assert_int_equal(db_note_take(db, told_rows_hear, &heard, &why), ERR_LIMIT);
    assert_int_equal(db_commit(db, &why), ERR_OK);
    assert_string_equal(told(), "");
}

static void one_of_several_has_a_thing_to_itself_until_it_gives_it_up_or_is_killed(void **state)
{
    struct db_fixture *f = *state;
    struct db *other = db_fixture_another(f, env_posix());
    bool mine = false;
    assert_int_equal(db_claim(db, "folder", &mine, &why), ERR_OK);
    assert_true(mine);
    assert_int_equal(db_claim(db, "folder", &mine, &why), ERR_OK);
    assert_true(mine);
    assert_int_equal(db_claim(other, "folder", &mine, &why), ERR_OK);
    assert_false(mine);
    assert_int_equal(db_begin(other, &why), ERR_OK); /* it keeps nobody from work */
    db_rollback(other);
    db_unclaim(db);
    assert_int_equal(db_claim(other, "folder", &mine, &why), ERR_OK);
    assert_true(mine);
    uint64_t generation = db_generation(other);
    db_fixture_kill(f, other);
    assert_int_equal(db_claim(db, "folder", &mine, &why), ERR_OK);
    assert_true(mine);
    assert_int_equal(db_begin(other, &why), ERR_OK); /* on a connection anew */
    db_rollback(other);
    assert_int_not_equal(db_generation(other), generation);
    assert_int_equal(db_claim(other, "folder", &mine, &why), ERR_OK);
    assert_false(mine);
    db_close(other);
}

int main(void)
{
#define CLAIM(name) cmocka_unit_test_setup_teardown(name, start, db_fixture_tear_down_postgres)
    const struct CMUnitTest tests[] = {
        CLAIM(rows_are_told_by_their_key_and_once_each_and_then_no_more),
        CLAIM(a_table_that_is_emptied_is_told_row_by_row_and_one_without_a_key_as_a_whole),
        CLAIM(what_is_truncated_is_told_though_it_came_since_or_else_it_stays),
        CLAIM(what_notes_for_an_older_program_is_renewed_and_that_is_no_gap),
        CLAIM(what_was_undone_is_not_told_and_what_a_savepoint_kept_is),
        CLAIM(who_fails_to_keep_them_has_not_taken_them),
        CLAIM(who_goes_behind_the_hubs_back_is_seen),
        CLAIM(a_transaction_that_stands_still_sees_one_moment_and_takes_what_is_of_it),
        CLAIM(a_transaction_that_stands_still_waits_its_turn),
        CLAIM(a_table_that_comes_later_is_noted_from_then_on_with_what_it_holds),
        CLAIM(who_takes_a_trigger_away_or_switches_it_off_is_found),
        CLAIM(after_the_end_nothing_is_left_but_an_empty_table_that_is_none_of_the_stores),
        CLAIM(many_rows_are_all_told_and_too_many_are_given_up),
        CLAIM(one_of_several_has_a_thing_to_itself_until_it_gives_it_up_or_is_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
