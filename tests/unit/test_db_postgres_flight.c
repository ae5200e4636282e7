/* Writes that nobody waits for (sync/db_postgres_flight.c) are no less sure than others: what failed is said before
 * anything that rests upon it can be asked or saved. Each statement is run once before, because only what is known to
 * answer nothing flies. */
#include "sync/db_postgres.h"

#include "tests/lib/db_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define INSERT "INSERT INTO note(n) VALUES($1)"
#define COUNT  "SELECT count(*) FROM note"

static enum err insert(struct db *db, int64_t n)
{
    struct stmt *s = db_fixture_prepare(db, INSERT);
    db_bind_int(s, 1, n);
    return db_run(s, NULL);
}

static void begin(struct db *db)
{
    assert_int_equal(db_begin(db, NULL), ERR_OK);
}

/* The statement is known from here on; note 0 is there, and a second one cannot be. */
static struct db *known(void **state)
{
    struct db *db = db_fixture_db(state);
    begin(db);
    assert_int_equal(insert(db, 0), ERR_OK);
    assert_int_equal(db_fixture_number(db, COUNT), 1);
    assert_int_equal(db_commit(db, NULL), ERR_OK);
    return db;
}

static enum err count(struct db *db, struct why *why)
{
    bool row = false;
    struct stmt *s = db_fixture_prepare(db, COUNT);
    enum err e = db_step(s, &row, why);
    db_done(s);
    return e;
}

static void a_question_sees_what_was_written_before_it(void **state)
{
    struct db *db = known(state);
    begin(db);
    for (int64_t i = 1; i <= 300; i++) assert_int_equal(insert(db, i), ERR_OK);
    assert_int_equal(db_fixture_number(db, COUNT), 301);
    assert_int_equal(insert(db, 301), ERR_OK);
    assert_int_equal(db_changes(db), 1);
    assert_int_equal(db_commit(db, NULL), ERR_OK);
    assert_int_equal(db_fixture_number(db, COUNT), 302);
    begin(db);
    assert_int_equal(insert(db, 302), ERR_OK);
    db_rollback(db);
    assert_int_equal(db_fixture_number(db, COUNT), 302);
}

static void a_write_that_failed_is_told_to_the_next_question(void **state)
{
    struct db *db = known(state);
    struct why why = {0};
    begin(db);
    (void)!insert(db, 1);
    (void)!insert(db, 0);
    (void)!insert(db, 2);
    assert_int_equal(count(db, &why), ERR_FAILED);
    assert_non_null(strstr(why.text, "INSERT"));
    assert_non_null(strstr(why.text, "23505")); /* unique_violation: of that write, not of those after it */
    assert_int_equal(count(db, NULL), ERR_FAILED);
    assert_int_not_equal(db_commit(db, NULL), ERR_OK);
    assert_int_equal(db_fixture_number(db, COUNT), 1);
}

static void nothing_is_committed_behind_a_write_that_failed(void **state)
{
    struct db *db = known(state);
    struct why why = {0};
    begin(db);
    (void)!insert(db, 1);
    (void)!insert(db, 0);
    assert_int_equal(db_commit(db, &why), ERR_FAILED);
    assert_non_null(strstr(why.text, "23505"));
    assert_int_equal(db_fixture_number(db, COUNT), 1);
    begin(db); /* and the connection goes on */
    assert_int_equal(insert(db, 1), ERR_OK);
    assert_int_equal(db_commit(db, NULL), ERR_OK);
    assert_int_equal(db_fixture_number(db, COUNT), 2);
}

static void the_number_of_changes_is_none_where_the_write_failed(void **state)
{
    struct db *db = known(state);
    begin(db);
    (void)!insert(db, 0);
    assert_int_equal(db_changes(db), 0);
    assert_int_equal(insert(db, 5), ERR_FAILED);
    db_rollback(db);
    assert_int_equal(db_fixture_number(db, COUNT), 1);
}

static void a_savepoint_heals_what_failed_behind_it_and_nothing_before(void **state)
{
    struct db *db = known(state);
    begin(db);
    assert_int_equal(insert(db, 1), ERR_OK);
    assert_int_equal(db_savepoint(db, "part", NULL), ERR_OK);
    (void)!insert(db, 2);
    (void)!insert(db, 0);
    assert_int_equal(db_savepoint_rollback(db, "part", NULL), ERR_OK);
    assert_int_equal(insert(db, 3), ERR_OK);
    assert_int_equal(db_savepoint(db, "part", NULL), ERR_OK);
    (void)!insert(db, 0);
    assert_int_equal(db_savepoint_release(db, "part", NULL), ERR_FAILED);
    assert_int_equal(db_savepoint_rollback(db, "part", NULL), ERR_OK);
    assert_int_equal(db_commit(db, NULL), ERR_OK);
    assert_int_equal(db_fixture_number(db, "SELECT sum(n) FROM note"), 4);
    begin(db);
    (void)!insert(db, 0);
    assert_int_equal(db_savepoint(db, "late", NULL), ERR_FAILED); /* the fault lies before it */
    assert_int_not_equal(db_savepoint_rollback(db, "late", NULL), ERR_OK);
    assert_int_not_equal(db_commit(db, NULL), ERR_OK);
    assert_int_equal(db_fixture_number(db, "SELECT sum(n) FROM note"), 4);
}

static void a_connection_that_broke_loses_what_flew(void **state)
{
    struct db_fixture *f = *state;
    struct db *db = known(state);
    struct why why = {0};
    begin(db);
    assert_int_equal(insert(db, 1), ERR_OK);
    db_fixture_kill(f, db); /* asks it for its number, so that has landed */
    (void)!insert(db, 2);
    (void)!insert(db, 3);
    assert_int_equal(db_commit(db, &why), ERR_UNREACHABLE);
    assert_int_equal(db_fixture_number(db, COUNT), 1);
    begin(db);
    assert_int_equal(insert(db, 1), ERR_OK);
    assert_int_equal(db_commit(db, NULL), ERR_OK);
    assert_int_equal(db_fixture_number(db, COUNT), 2);
}

/* Neither side may wait for the other to take what it has to say. */
static void large_writes_fly_too(void **state)
{
    struct db *db = known(state);
    struct buf bytes;
    uint8_t *p;
    buf_init(&bytes, 1 << 20);
    assert_non_null(p = buf_grow(&bytes, 1 << 20));
    memset(p, 7, 1 << 20);
    begin(db);
    for (int64_t i = 1; i <= 100; i++) {
        struct stmt *s = db_fixture_prepare(db, "INSERT INTO note(n, b) VALUES($1, $2)");
        db_bind_int(s, 1, i);
        db_bind_blob(s, 2, bytes_of(p, 1 << 20));
        assert_int_equal(db_run(s, NULL), ERR_OK);
    }
    assert_int_equal(db_commit(db, NULL), ERR_OK);
    assert_int_equal(db_fixture_number(db, "SELECT sum(length(b)) FROM note"), (int64_t)100 << 20);
    buf_release(&bytes);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, db_fixture_set_up_bare, db_fixture_tear_down_postgres)
    const struct CMUnitTest tests[] = {
        T(a_question_sees_what_was_written_before_it),
        T(a_write_that_failed_is_told_to_the_next_question),
        T(nothing_is_committed_behind_a_write_that_failed),
        T(the_number_of_changes_is_none_where_the_write_failed),
        T(a_savepoint_heals_what_failed_behind_it_and_nothing_before),
        T(a_connection_that_broke_loses_what_flew),
        T(large_writes_fly_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
