/* A database server that goes away and comes back: with a cluster of its own, which it halts and starts. */
#include "sync/db_postgres.h"

#include "tests/lib/db_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void cluster(const char *what)
{
    char command[600];
    const char *run = getenv("SPOKE_TEST_POSTGRES_RUN"), *dir = getenv("SPOKE_TEST_POSTGRES_DIR");
    assert_non_null(run);
    assert_non_null(dir);
    (void)snprintf(command, sizeof command, "'%s' --%s '%s'", run, what, dir);
    assert_int_equal(system(command), 0);
}

struct clock {
    int64_t ms;
};

static int64_t steady(void *ctx)
{
    return ((struct clock *)ctx)->ms;
}

static void a_server_that_is_away_is_tried_again_after_growing_pauses(void **state)
{
    struct db_fixture *f = *state;
    struct clock clock = {1000};
    struct env env = *env_posix();
    struct why why = {0};
    env.ctx = &clock; /* the others do not look at it */
    env.steady_ms = steady;
    struct db *db = db_fixture_another(f, &env);
    uint64_t generation = db_generation(db);
    cluster("halt");
    assert_int_equal(db_begin(db, &why), ERR_UNREACHABLE);
    assert_non_null(strstr(why.text, "database"));
    assert_true(why.next[0] != '\0');
    cluster("resume");
    assert_int_equal(db_begin(db, NULL), ERR_UNREACHABLE); /* too early to try */
    clock.ms += 99;
    assert_int_equal(db_begin(db, NULL), ERR_UNREACHABLE);
    clock.ms += 1;
    assert_int_equal(db_begin(db, NULL), ERR_OK);
    assert_true(db_generation(db) != generation);
    assert_int_equal(db_commit(db, NULL), ERR_OK);
    cluster("halt");
    for (int64_t pause = 100; pause <= 5000; pause *= 2) {
        clock.ms += pause * 2; /* each time it has failed it waits twice as long */
        assert_int_equal(db_begin(db, NULL), ERR_UNREACHABLE);
    }
    cluster("resume");
    clock.ms += 5000; /* and never longer than this */
    assert_int_equal(db_begin(db, NULL), ERR_OK);
    db_rollback(db);
    db_close(db);
}

static void what_was_committed_survives_a_power_failure_and_the_rest_does_not(void **state)
{
    struct db_fixture *f = *state;
    db_fixture_run(f->db, "INSERT INTO note(n) VALUES(1)");
    assert_int_equal(db_begin(f->db, NULL), ERR_OK);
    db_fixture_run(f->db, "INSERT INTO note(n) VALUES(2)");
    cluster("kill");
    assert_int_equal(db_commit(f->db, NULL), ERR_UNREACHABLE);
    assert_int_equal(db_begin(f->db, NULL), ERR_OK);
    assert_int_equal(db_fixture_number(f->db, "SELECT sum(n) FROM note"), 1);
    db_fixture_run(f->db, "INSERT INTO note(n) VALUES(3)");
    assert_int_equal(db_commit(f->db, NULL), ERR_OK);
}

static void questions_are_answered_again_once_the_server_is_back(void **state)
{
    struct db_fixture *f = *state;
    bool row = false;
    struct stmt *s = db_fixture_prepare(f->db, "SELECT n FROM note");
    cluster("halt");
    assert_int_equal(db_step(s, &row, NULL), ERR_UNREACHABLE);
    cluster("resume");
    enum err e;
    int tries = 0;
    do /* until the pause between two tries is over */
        e = db_step(s, &row, NULL);
    while (e == ERR_UNREACHABLE && ++tries < 100000000);
    assert_int_equal(e, ERR_OK);
    assert_false(row);
    db_done(s);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, db_fixture_set_up_bare, db_fixture_tear_down_postgres)
    const struct CMUnitTest tests[] = {
        T(a_server_that_is_away_is_tried_again_after_growing_pauses),
        T(what_was_committed_survives_a_power_failure_and_the_rest_does_not),
        T(questions_are_answered_again_once_the_server_is_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
