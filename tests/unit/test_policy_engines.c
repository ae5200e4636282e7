/* A condition of a policy that PostgreSQL takes is answered there as SQLite answers it: the two group what stands
 * without brackets by other rules. Conditions are made at random, laid by the way a policy is laid (hub/policy_text.h),
 * and put to each row of a table that has every mixture of three values. */
#include "hub/policy_text.h"

#include "tests/lib/db_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CONDITIONS 800u
#define ROWS       64

struct two {
    void *of_file, *of_server; /* struct db_fixture */
    struct db *file, *server;
};

static uint32_t lot = 1; /* the same every time */

static uint32_t draw(uint32_t below)
{
    lot = lot * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)lot * below) >> 32);
}

/* ---- conditions */

static void condition(struct buf *out, int depth);

static void operand(struct buf *out, int depth)
{
    static const char *const plain[] = {"n", "t", "r", "1", "0", "coalesce(n, 0)"};
    uint32_t k = draw(depth > 0 ? 10 : 6);
    if (k < 6) {
        buf_put_str(out, plain[k]);
    } else if (k < 9) {
        buf_put_str(out, "(");
        condition(out, depth - 1);
        buf_put_str(out, ")");
    } else {
        buf_put_str(out, "CASE WHEN ");
        condition(out, depth - 1);
        buf_put_str(out, " THEN 1 ELSE 0 END");
    }
}

static void compare(struct buf *out, int depth)
{
    static const char *const between_two[] = {" = ", " <> ", " < ", " >= ", " IS NOT DISTINCT FROM ", " IS DISTINCT FROM ", "!=", "=="};
    operand(out, depth);
    for (uint32_t n = draw(4) == 0 ? 2 : 1; n > 0; n--) { /* more than one: who takes which? */
        switch (draw(12)) {
        case 0: buf_put_str(out, draw(2) == 0 ? " IN (0, 2)" : " NOT IN (1)"); break;
        case 1: buf_put_str(out, draw(2) == 0 ? " IS NULL" : " IS NOT NULL"); break;
        case 2: buf_put_str(out, draw(2) == 0 ? " ISNULL" : " NOTNULL"); break;
        case 3:
            buf_put_str(out, draw(2) == 0 ? " BETWEEN " : " NOT BETWEEN ");
            operand(out, depth);
            buf_put_str(out, " AND ");
            operand(out, depth);
            break;
        default:
            buf_put_str(out, between_two[draw(8)]);
            if (draw(8) == 0) buf_put_str(out, " NOT ");
            operand(out, depth);
        }
    }
}

static void condition(struct buf *out, int depth)
{
    if (draw(5) == 0) buf_put_str(out, "NOT ");
    compare(out, depth);
    if (draw(3) > 0) return;
    buf_put_str(out, draw(2) == 0 ? " AND " : " OR ");
    if (draw(5) == 0) buf_put_str(out, "NOT ");
    compare(out, depth);
}

/* ---- both */

static void answers(struct db *db, uint8_t out[ROWS])
{
    struct stmt *s = db_fixture_prepare(db, "SELECT x FROM probe ORDER BY k");
    bool row = false;
    for (int i = 0; i < ROWS; i++) {
        assert_int_equal(db_step(s, &row, NULL), ERR_OK);
        assert_true(row);
        out[i] = (uint8_t)db_int(s, 0);
    }
    db_done(s);
}

static enum err lay(struct db *db, struct bytes text, struct why *why)
{
    assert_int_equal(db_begin(db, NULL), ERR_OK);
    enum err e = policy_text_install(db, text, true, why);
    if (e != ERR_OK) db_rollback(db);
    return e;
}

static bool same_on_both(struct two *t, const struct buf *one)
{
    struct buf text;
    uint8_t on_file[ROWS], on_server[ROWS];
    buf_init(&text, 1 << 16);
    buf_printf(&text, "CREATE VIEW probe(k, x) AS SELECT k, CASE WHEN %.*s THEN 1 WHEN NOT (%.*s) THEN 0 ELSE 2 END FROM mix;",
               (int)one->len, (const char *)one->data, (int)one->len, (const char *)one->data);
    if (text.err != ERR_OK) fail();
    bool both = lay(t->file, buf_bytes(&text), NULL) == ERR_OK;
    if (both && lay(t->server, buf_bytes(&text), NULL) != ERR_OK) {
        db_rollback(t->file);
        both = false;
    }
    if (both) {
        answers(t->file, on_file);
        answers(t->server, on_server);
        db_rollback(t->file);
        db_rollback(t->server);
        db_forget_statements(t->file);
        db_forget_statements(t->server);
        if (memcmp(on_file, on_server, ROWS) != 0)
            fail_msg("not the same on both: %.*s", (int)one->len, (const char *)one->data);
    }
    buf_release(&text);
    return both;
}

/* ---- claims */

static int set_up(void **state)
{
    struct two *t = calloc(1, sizeof *t);
    struct buf rows;
    assert_non_null(t);
    assert_int_equal(db_fixture_set_up(&t->of_file), 0);
    assert_int_equal(db_fixture_set_up_bare(&t->of_server), 0);
    t->file = db_fixture_db(&t->of_file);
    t->server = db_fixture_db(&t->of_server);
    buf_init(&rows, 1 << 16);
    buf_put_str(&rows, "CREATE TABLE mix(k INTEGER PRIMARY KEY, n INTEGER, t INTEGER, r INTEGER);");
    for (int i = 0; i < ROWS; i++) {
        static const char *const v[] = {"0", "1", "2", "NULL"};
        buf_printf(&rows, "INSERT INTO mix VALUES(%d, %s, %s, %s);", i, v[i / 16], v[i / 4 % 4], v[i % 4]);
    }
    db_fixture_run(t->file, buf_cstr(&rows));
    db_fixture_run(t->server, buf_cstr(&rows));
    buf_release(&rows);
    *state = t;
    return 0;
}

static int tear_down(void **state)
{
    struct two *t = *state;
    assert_int_equal(db_fixture_tear_down(&t->of_file), 0);
    assert_int_equal(db_fixture_tear_down_postgres(&t->of_server), 0);
    free(t);
    return 0;
}

static void a_condition_that_both_take_says_the_same_on_both(void **state)
{
    struct two *t = *state;
    struct buf one;
    unsigned taken = 0;
    buf_init(&one, 1 << 14);
    for (unsigned i = 0; i < CONDITIONS; i++) {
        buf_reset(&one);
        condition(&one, 2);
        taken += same_on_both(t, &one);
    }
    buf_release(&one);
    assert_true(taken > CONDITIONS / 10);
}

static void refused(struct two *t, const char *what, const char *words)
{
    char text[300];
    struct why why = {0};
    (void)snprintf(text, sizeof text, "CREATE VIEW probe(k, x) AS\nSELECT k, %s FROM mix;", what);
    assert_int_equal(lay(t->file, bytes_of_str(text), NULL), ERR_OK);
    db_rollback(t->file);
    assert_int_equal(lay(t->server, bytes_of_str(text), &why), ERR_USAGE);
    if (strstr(why.text, "Line 2 of the policy") == NULL || strstr(why.text, words) == NULL) fail_msg("%s: %s", what, why.text);
}

static void what_the_two_group_differently_is_refused_with_its_line(void **state)
{
    static const char *const conditions[] = {
        "CASE WHEN (n = 1) = t IN (0, 1) THEN 1 END",
        "CASE WHEN (n = 1) IS NOT DISTINCT FROM t = r THEN 1 END",
        "CASE WHEN n BETWEEN 0 AND t < (r = 1) THEN 1 END",
        "CASE WHEN (n = 1) <> t BETWEEN 0 AND 1 THEN 1 END",
        "CASE WHEN (n = 1) = CASE WHEN t = 1 THEN r END IN (0) THEN 1 END",
    };
    struct two *t = *state;
    for (size_t i = 0; i < sizeof conditions / sizeof conditions[0]; i++) refused(t, conditions[i], "without brackets");
    refused(t, "row_number() OVER (ORDER BY n)", "(OVER)");
    refused(t, "n + 1", "arithmetic");
}

static void what_stands_in_brackets_or_apart_is_taken(void **state)
{
    static const char text[] =
        "CREATE VIEW probe(k, x) AS SELECT k, CASE WHEN n<=t AND t <> r OR NOT r IN (0) THEN 1 WHEN (n = 1) = (t IN (0, 1)) THEN 2"
        " WHEN n BETWEEN 0 AND 1 AND t = 1 THEN 3 ELSE coalesce(n, 0) END FROM mix WHERE n IS NOT NULL AND EXISTS"
        " (SELECT 1 FROM mix AS m WHERE m.t = mix.n AND m.k >= mix.k);";
    struct two *t = *state;
    struct why why = {0};
    if (lay(t->server, bytes_of_str(text), &why) != ERR_OK) fail_msg("%s", why.text);
    db_rollback(t->server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_condition_that_both_take_says_the_same_on_both, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_the_two_group_differently_is_refused_with_its_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_stands_in_brackets_or_apart_is_taken, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
