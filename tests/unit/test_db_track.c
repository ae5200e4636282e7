/* Who keeps a journal is told of every row that a transaction touched, and of none that it did not. */
#include "sync/db_track.h"
#include "tests/lib/db_fixture.h"
#include "tests/lib/told_rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct why why;
static struct heard {
    struct db *db;
    unsigned commits;
    struct told_rows rows; /* as the last commit told */
    enum err answer;
} heard;

static enum err before_commit(void *ctx, struct why *w)
{
    struct heard *h = ctx;
    h->commits++;
    h->rows = (struct told_rows){0};
    enum err e = db_track_each(h->db, told_rows_hear, &h->rows, w);
    return e == ERR_OK ? h->answer : e;
}

static int start(void **state)
{
    if (db_fixture_set_up(state) != 0) return 1;
    heard = (struct heard){.db = db_fixture_db(state)};
    db_fixture_run(heard.db, "CREATE TABLE t_rows(no INTEGER PRIMARY KEY, v TEXT) STRICT");
    db_fixture_run(heard.db, "CREATE TABLE t_two(b TEXT NOT NULL, v INTEGER, a INTEGER NOT NULL, PRIMARY KEY(a, b)) STRICT, WITHOUT ROWID");
    db_fixture_run(heard.db, "CREATE TABLE t_text(k TEXT NOT NULL PRIMARY KEY, v INTEGER UNIQUE) STRICT");
    db_fixture_run(heard.db, "CREATE TABLE t_one(v INTEGER) STRICT");
    db_fixture_run(heard.db, "CREATE TABLE other(no INTEGER PRIMARY KEY) STRICT");
    const struct db_track_options opt = {.ctx = &heard, .wants = told_rows_wants, .before_commit = before_commit};
    assert_int_equal(db_track_start(heard.db, &opt, &why), ERR_OK);
    assert_int_equal(db_track_start(heard.db, &opt, &why), ERR_FAILED);
    return 0;
}

/* One transaction. */
static void run(const char *sql)
{
    assert_int_equal(db_begin(heard.db, &why), ERR_OK);
    assert_int_equal(db_exec(heard.db, sql, &why), ERR_OK);
    assert_int_equal(db_commit(heard.db, &why), ERR_OK);
}

static void rows_are_told_by_their_key_and_once_each(void **state)
{
    (void)state;
    run("INSERT INTO t_rows VALUES(7, 'a'), (8, 'b'); UPDATE t_rows SET v = 'c' WHERE no = 7; DELETE FROM t_rows WHERE no = 8;"
        "INSERT INTO t_two VALUES('x', 1, 5); INSERT INTO other VALUES(1)");
    assert_string_equal(heard.rows.said, "t_rows:7;t_rows:8;t_two:5,x;");
    run("UPDATE t_two SET v = 2");
    assert_string_equal(heard.rows.said, "t_two:5,x;");
    run("UPDATE t_two SET b = 'y'"); /* both: the one that is gone, and the one that is there */
    assert_string_equal(heard.rows.said, "t_two:5,x;t_two:5,y;");
    run("UPDATE t_rows SET no = 9");
    assert_string_equal(heard.rows.said, "t_rows:7;t_rows:9;");
}

static void a_row_that_another_one_takes_the_place_of_is_told_too(void **state)
{
    (void)state;
    run("INSERT INTO t_text VALUES('a', 1), ('b', 2)");
    run("INSERT OR REPLACE INTO t_text VALUES('c', 2)"); /* b goes, by a column that is not its key */
    assert_non_null(strstr(heard.rows.said, "t_text:b;"));
    assert_non_null(strstr(heard.rows.said, "t_text:c;"));
}

static void a_table_that_is_emptied_is_told_row_by_row_and_one_without_a_key_as_a_whole(void **state)
{
    (void)state;
    run("INSERT INTO t_rows VALUES(1, 'a'), (2, 'b'), (3, 'c'); INSERT INTO t_one VALUES(1)");
    run("DELETE FROM t_rows");
    assert_string_equal(heard.rows.said, "t_rows:1;t_rows:2;t_rows:3;");
    run("UPDATE t_one SET v = 2; UPDATE t_one SET v = 3");
    assert_string_equal(heard.rows.said, "t_one:;");
}

static void a_table_that_came_since_is_told_as_a_whole(void **state)
{
    (void)state;
    run("CREATE TABLE t_new(no INTEGER PRIMARY KEY) STRICT; INSERT INTO t_new VALUES(1), (2); INSERT INTO t_rows VALUES(4, 'd')");
    assert_string_equal(heard.rows.said, "t_rows:4;t_new:;");
}

static void nobody_is_told_of_what_was_undone_or_only_read(void **state)
{
    (void)state;
    assert_int_equal(db_begin(heard.db, &why), ERR_OK);
    assert_int_equal(db_exec(heard.db, "INSERT INTO t_rows VALUES(1, 'a')", &why), ERR_OK);
    db_rollback(heard.db);
    run("INSERT INTO other VALUES(5)");
    assert_int_equal(heard.commits, 0);
    run("INSERT INTO t_rows VALUES(2, 'a')");
    assert_string_equal(heard.rows.said, "t_rows:2;");
}

/* It is committed already, whatever becomes of the transaction that follows. */
static void a_row_that_changes_outside_a_transaction_is_told_with_the_next_one_that_commits(void **state)
{
    (void)state;
    assert_int_equal(db_exec(heard.db, "INSERT INTO t_rows VALUES(1, 'a')", &why), ERR_OK);
    assert_int_equal(db_begin(heard.db, &why), ERR_OK);
    assert_int_equal(db_exec(heard.db, "INSERT INTO t_rows VALUES(2, 'a')", &why), ERR_OK);
    db_rollback(heard.db);
    run("INSERT INTO other VALUES(5)");
    assert_string_equal(heard.rows.said, "t_rows:1;t_rows:2;"); /* of the second, who reads it finds none */
}

static void who_cannot_keep_it_keeps_it_from_being_committed(void **state)
{
    (void)state;
    heard.answer = ERR_FULL;
    assert_int_equal(db_begin(heard.db, &why), ERR_OK);
    assert_int_equal(db_exec(heard.db, "INSERT INTO t_rows VALUES(1, 'a')", &why), ERR_OK);
    assert_int_equal(db_commit(heard.db, &why), ERR_FULL);
    assert_int_equal(db_fixture_number(heard.db, "SELECT count(*) FROM t_rows"), 0);
    db_track_end(heard.db);
    run("INSERT INTO t_rows VALUES(1, 'a')");
    assert_int_equal(heard.commits, 1);
}

static void many_rows_are_all_told(void **state)
{
    (void)state;
    run("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000) INSERT INTO t_rows SELECT i, 'x' FROM n");
    assert_int_equal(heard.rows.n, 50000);
    run("UPDATE t_rows SET v = 'y' WHERE no <= 3");
    assert_string_equal(heard.rows.said, "t_rows:1;t_rows:2;t_rows:3;");
}

/* Of all tables together: each of these two alone could be remembered, with its 80 MB. */
static void more_than_can_be_remembered_is_refused_whichever_tables_it_is_in(void **state)
{
    static const char *const fill[] = {
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000) INSERT INTO t_text SELECT printf('%02000d', i), NULL FROM n",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000) INSERT INTO t_two SELECT printf('%02000d', i), 1, i FROM n"};
    (void)state;
    assert_int_equal(db_begin(heard.db, &why), ERR_OK);
    for (size_t i = 0; i < 2; i++) assert_int_equal(db_exec(heard.db, fill[i], &why), ERR_OK);
    assert_int_equal(db_commit(heard.db, &why), ERR_LIMIT);
    run("INSERT INTO t_rows VALUES(1, 'a')"); /* and the next one is as any other */
    assert_string_equal(heard.rows.said, "t_rows:1;");
}

int main(void)
{
#define CLAIM(name) cmocka_unit_test_setup_teardown(name, start, db_fixture_tear_down)
    const struct CMUnitTest tests[] = {
        CLAIM(rows_are_told_by_their_key_and_once_each),
        CLAIM(a_row_that_another_one_takes_the_place_of_is_told_too),
        CLAIM(a_table_that_is_emptied_is_told_row_by_row_and_one_without_a_key_as_a_whole),
        CLAIM(a_table_that_came_since_is_told_as_a_whole),
        CLAIM(nobody_is_told_of_what_was_undone_or_only_read),
        CLAIM(a_row_that_changes_outside_a_transaction_is_told_with_the_next_one_that_commits),
        CLAIM(who_cannot_keep_it_keeps_it_from_being_committed),
        CLAIM(many_rows_are_all_told),
        CLAIM(more_than_can_be_remembered_is_refused_whichever_tables_it_is_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
