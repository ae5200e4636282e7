/* Two connections of a hub and a session that asks for no lock change the same tables at random, with savepoints,
 * rollbacks, writes that fail, lost connections and triggers switched off; what is kept (sync/db_postgres_kept.c)
 * always says what is true. Each question is put in two ways: the second has words for which it is asked each time. */
#include "sync/db_postgres.h"

#include "tests/lib/kept_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEEDS  6
#define ROUNDS 300
#define DEPTH  5

static const char *const writes[] = {
    "UPDATE rule SET value = value + 1",
    "UPDATE rule SET other = other + 1 WHERE n < 3",
    "UPDATE rule SET value = value + 1, other = other - 1",
    "INSERT INTO rule(n, value, other) SELECT coalesce(max(x.n), 0) + 1, 1, 1 FROM rule x",
    "INSERT INTO rule(n, value, other) VALUES(1, 5, 5) ON CONFLICT(n) DO UPDATE SET other = rule.other + 7",
    "DELETE FROM rule WHERE n > 3 AND n = (SELECT max(n) FROM rule)",
    "UPDATE note SET r = r + 1",
    "UPDATE note SET t = t || 'x' WHERE n = 1 AND length(t) < 50",
    "UPDATE note SET r = (SELECT sum(value) FROM rule) WHERE n = 1",
    "INSERT INTO note(r) VALUES(1)",
    "DELETE FROM note WHERE n = (SELECT max(n) FROM note) AND n > 2",
    "INSERT INTO other_rule SELECT coalesce(max(x.n), 0) + 1 FROM other_rule x",
    "DELETE FROM other_rule WHERE n > 4",
    "WITH g AS (UPDATE rule SET value = value + 3 RETURNING n)"
    " INSERT INTO other_rule SELECT coalesce(max(o.n), 0) + 1 + count(g.n) FROM g, other_rule o",
};

static const char *const questions[] = {
    "SELECT coalesce(sum(value), 0) FROM rule",
    "SELECT coalesce(sum(other), 0) FROM rule",
    "SELECT count(*) FROM rule",
    "SELECT coalesce(sum(r), 0) FROM note",
    "SELECT coalesce(sum(length(t)), 0) FROM note",
    "SELECT count(*) FROM note",
    "SELECT count(*) FROM other_rule",
    "SELECT coalesce(sum(k.r + u.value), 0) FROM note k JOIN rule u ON u.n = k.n",
};

static struct db_fixture *f;
static struct other_session *psql;
static uint64_t seed;

static size_t any(size_t n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(seed >> 33) % n;
}

static const char *any_write(void)
{
    return writes[any(sizeof writes / sizeof writes[0])];
}

static void write_one(struct db *db)
{
    struct why why = {0};
    const char *sql = any_write();
    if (db_run(db_fixture_prepare(db, sql), &why) != ERR_OK) fail_msg("%s: %s", sql, why.text);
}

static void ask(struct db *db)
{
    char truly[400];
    const char *sql = questions[any(sizeof questions / sizeof questions[0])];
    (void)snprintf(truly, sizeof truly, "SELECT v FROM (%s) AS x(v) WHERE random() >= 0", sql);
    int64_t kept = db_fixture_number(db, sql), now = db_fixture_number(db, truly);
    if (kept != now) fail_msg("%s: %lld was kept, and it is %lld", sql, (long long)kept, (long long)now);
}

/* A savepoint more, or back to one, or it stands; or a write that fails behind it. */
static size_t part(struct db *db, size_t depth)
{
    char name[24];
    if (depth == 0 || (depth < DEPTH && any(2) == 0)) {
        (void)snprintf(name, sizeof name, "s%zu", depth);
        assert_int_equal(db_savepoint(db, name, NULL), ERR_OK);
        return depth + 1;
    }
    size_t to = any(depth), what = any(5);
    if (what == 0) assert_int_not_equal(db_run(db_fixture_prepare(db, "INSERT INTO rule(n) VALUES(1)"), NULL), ERR_OK);
    (void)snprintf(name, sizeof name, "s%zu", to);
    assert_int_equal(what < 3 ? db_savepoint_rollback(db, name, NULL) : db_savepoint_release(db, name, NULL), ERR_OK);
    return to;
}

static void transaction(struct db *db)
{
    assert_int_equal(db_begin(db, NULL), ERR_OK);
    size_t depth = 0;
    for (size_t n = 1 + any(14); n > 0; n--) {
        size_t what = any(10);
        if (what < 3)
            depth = part(db, depth);
        else if (what < 5)
            write_one(db);
        else
            ask(db);
    }
    if (any(3) == 0)
        db_rollback(db);
    else
        assert_int_equal(db_commit(db, NULL), ERR_OK);
}

static void by_hand(void)
{
    char sql[1500] = "BEGIN;";
    for (size_t n = 1 + any(4), at = strlen(sql); n > 0; n--) {
        static const char *const before[] = {"", "SAVEPOINT p;", "SAVEPOINT p;"},
                                *const after[] = {";", ";ROLLBACK TO p;", ";RELEASE p;"};
        size_t how = any(3);
        at += (size_t)snprintf(sql + at, sizeof sql - at, "%s%s%s", before[how], any_write(), after[how]);
        assert_true(at < sizeof sql - 16);
    }
    (void)strcat(sql, any(4) == 0 ? "ROLLBACK" : "COMMIT");
    other_session_run(psql, sql);
}

static void seldom(struct db *db)
{
    switch (any(12)) {
    case 0: db_fixture_kill(f, db); break;
    case 1: db_fixture_run(db, "UPDATE rule SET value = value + 1; UPDATE note SET r = 0"); break;
    case 2:
        other_session_run(psql, "ALTER TABLE rule DISABLE TRIGGER ALL; UPDATE rule SET value = value + 9; "
                                "ALTER TABLE rule ENABLE ALWAYS TRIGGER spoke_stamped");
        break;
    default: other_session_run(psql, any_write());
    }
}

static void what_is_kept_is_always_true(void **state)
{
    struct db *two[2] = {f->db, db_fixture_another(f, env_posix())};
    (void)state;
    kept_fixture_keep(two[1]);
    for (uint64_t k = 1; k <= SEEDS; k++) {
        seed = k;
        for (size_t n = 0; n < ROUNDS; n++) {
            struct db *db = two[any(2)];
            size_t what = any(8);
            if (what == 0)
                by_hand();
            else if (what == 1)
                seldom(db);
            else
                transaction(db);
        }
    }
    db_close(two[1]);
}

static int set_up(void **state)
{
    f = kept_fixture_start(state,
                           "CREATE TABLE rule(n INTEGER PRIMARY KEY, value INTEGER, other INTEGER) STRICT;"
                           "CREATE TABLE other_rule(n INTEGER PRIMARY KEY) STRICT;"
                           "INSERT INTO rule VALUES(1, 10, 1), (2, 2, 2);"
                           "INSERT INTO note(n, t, r) VALUES(1, 'a', 10)",
                           &psql);
    return 0;
}

static int tear_down(void **state)
{
    return kept_fixture_stop(state, psql);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_kept_is_always_true, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
