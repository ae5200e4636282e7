/* Long answers, large values, and words between processes, on PostgreSQL. */
#include "sync/db_postgres.h"

#include "tests/lib/db_fixture.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define db_of   db_fixture_db
#define prepare db_fixture_prepare
#define run     db_fixture_run
#define number  db_fixture_number

/* ---- rows */

static void a_hundred_thousand_rows_are_read_in_little_memory(void **state)
{
    struct db *db = db_of(state);
    bool row = true;
    run(db, "INSERT INTO note(n, t) SELECT i, repeat('x', 100) FROM generate_series(1, 100000) i");
    for (int round = 0; round < 3; round++) { /* the first finds out that it is large; the third is in a transaction */
        size_t most = 0, before = mallinfo2().uordblks + mallinfo2().hblkhd;
        int64_t sum = 0;
        if (round == 2) assert_int_equal(db_begin(db, NULL), ERR_OK);
        struct stmt *s = prepare(db, "SELECT n, t FROM note ORDER BY n");
        while (db_step(s, &row, NULL) == ERR_OK && row) {
            sum += db_int(s, 0);
            if (db_int(s, 0) % 50 != 0) continue; /* asking costs more than a row */
            size_t now = mallinfo2().uordblks + mallinfo2().hblkhd;
            if (now > most) most = now;
        }
        db_done(s);
        if (round == 2) assert_int_equal(db_commit(db, NULL), ERR_OK);
        assert_int_equal(sum, (int64_t)100000 * 100001 / 2);
        assert_true(most < before + ((size_t)6 << 20));
    }
}

static void a_long_answer_ends_with_what_it_was_asked_in(void **state)
{
    struct db *db = db_of(state);
    bool row = true;
    enum err e = ERR_OK;
    run(db, "INSERT INTO note(n) SELECT i FROM generate_series(1, 20000) i");
    for (int round = 0; round < 2; round++) {
        int64_t n = 0;
        assert_int_equal(db_begin(db, NULL), ERR_OK);
        assert_int_equal(db_savepoint(db, "part", NULL), ERR_OK);
        struct stmt *s = prepare(db, "SELECT n FROM note ORDER BY n");
        assert_int_equal(db_step(s, &row, NULL), ERR_OK);
        if (round == 0)
            assert_int_equal(db_savepoint_rollback(db, "part", NULL), ERR_OK);
        else
            db_rollback(db);
        while ((e = db_step(s, &row, NULL)) == ERR_OK && row) n++;
        assert_int_equal(e, ERR_FAILED); /* never an end that looks like the whole of it */
        assert_true(n < 19999);
        db_done(s);
        db_rollback(db);
    }
}

/* A question of its own is asked again on a new connection: what came of the first answer is not part of the second. */
static void an_answer_that_was_cut_off_and_asked_anew_has_each_row_once(void **state)
{
    struct db *db = db_of(state);
    bool row = true;
    int64_t n = 0;
    run(db, "CREATE SEQUENCE asked"); /* counts on, whatever is undone */
    struct stmt *s = prepare(db, "SELECT i, CASE WHEN nextval('asked') = 3000 THEN pg_terminate_backend(pg_backend_pid()) END"
                                 " FROM generate_series(1, 4000) i");
    while (db_step(s, &row, NULL) == ERR_OK && row) assert_int_equal(db_int(s, 0), ++n);
    db_done(s);
    assert_int_equal(n, 4000);
}

/* Outside a transaction it goes on whatever else is begun, undone and written. */
static void a_long_answer_of_its_own_outlives_transactions(void **state)
{
    struct db *db = db_of(state);
    bool row = true;
    int64_t n = 0;
    run(db, "INSERT INTO note(n) SELECT i FROM generate_series(1, 20000) i");
    struct stmt *s = prepare(db, "SELECT n FROM note ORDER BY n");
    while (db_step(s, &row, NULL) == ERR_OK && row) {
        n++;
        if (n % 4000 != 0) continue;
        assert_int_equal(db_begin(db, NULL), ERR_OK);
        run(db, "DELETE FROM note");
        if (n % 8000 == 0)
            assert_int_equal(db_commit(db, NULL), ERR_OK);
        else
            db_rollback(db);
    }
    db_done(s);
    assert_int_equal(n, 20000);
    assert_int_equal(number(db, "SELECT count(*) FROM pg_cursors WHERE name <> ''"),
                     0); /* nothing is left of it at the server */
}

static void large_values_come_back_whole(void **state)
{
    struct db *db = db_of(state);
    size_t n = (size_t)80 << 20;
    uint8_t *big = malloc(n);
    uint64_t x = 1;
    bool row = false;
    assert_non_null(big);
    for (size_t i = 0; i < n; i++) big[i] = (uint8_t)((x = x * 6364136223846793005u + 1442695040888963407u) >> 56);
    struct stmt *s = prepare(db, "INSERT INTO note(n, b) VALUES(1, $1)");
    db_bind_blob(s, 1, bytes_of(big, n));
    assert_int_equal(db_run(s, NULL), ERR_OK);
    s = prepare(db, "SELECT b FROM note WHERE n = 1");
    assert_int_equal(db_step(s, &row, NULL), ERR_OK);
    assert_true(row && bytes_equal(db_bytes(s, 0), bytes_of(big, n)));
    db_done(s);
    free(big);
}

/* Chunks shrink as rows grow. */
static void rows_that_grow_are_read_in_little_memory(void **state)
{
    struct db *db = db_of(state);
    bool row = true;
    size_t most = 0, before = mallinfo2().uordblks + mallinfo2().hblkhd;
    int64_t n = 0;
    run(db, "INSERT INTO note(n, t) SELECT i, repeat('x', (CASE WHEN i < 5000 THEN 10 ELSE 200000 END)::int) "
            "FROM generate_series(1, 5400) i");
    struct stmt *s = prepare(db, "SELECT n, t FROM note ORDER BY n");
    while (db_step(s, &row, NULL) == ERR_OK && row) {
        n++;
        assert_int_equal(db_bytes(s, 1).n, n < 5000 ? 10 : 200000);
        if (n % 50 != 0 && n < 5000) continue;
        size_t now = mallinfo2().uordblks + mallinfo2().hblkhd;
        if (now > most) most = now;
    }
    db_done(s);
    assert_int_equal(n, 5400);
    assert_true(most < before + ((size_t)60 << 20)); /* what libpq's own buffer has grown to is half of it */
}

static void statements_do_not_pile_up_at_the_server(void **state)
{
    struct db *db = db_of(state);
    char sql[64];
    for (int i = 0; i < 2300; i++) {
        (void)snprintf(sql, sizeof sql, "SELECT %d", i);
        assert_int_equal(number(db, sql), i);
    }
    assert_int_equal(db_begin(db, NULL), ERR_OK);
    assert_true(number(db, "SELECT count(*) FROM pg_prepared_statements") <= 2050);
    db_rollback(db);
    db_forget_statements(db);
    assert_int_equal(db_begin(db, NULL), ERR_OK);
    assert_true(number(db, "SELECT count(*) FROM pg_prepared_statements") <= 2);
    db_rollback(db);
}

/* ---- words between processes */

struct heard {
    int n, all;
    char last[64];
};

static void hear(void *ctx, const char *channel, const char *payload)
{
    struct heard *h = ctx;
    h->n++;
    if (channel == NULL)
        h->all++;
    else
        (void)snprintf(h->last, sizeof h->last, "%s:%s", channel, payload);
}

static void words_are_told_when_they_are_committed(void **state)
{
    struct db_fixture *f = *state;
    struct db *other = db_fixture_another(f, env_posix());
    struct heard h = {0};
    assert_int_equal(db_listen(other, "moved", NULL), ERR_OK);
    assert_int_equal(db_listen(other, "Moved; --", NULL), ERR_FAILED);
    assert_int_equal(db_notify(f->db, "moved", "1", NULL), ERR_FAILED); /* not outside a transaction */
    assert_int_equal(db_begin(f->db, NULL), ERR_OK);
    assert_int_equal(db_notify(f->db, "moved", "7,8", NULL), ERR_OK);
    assert_int_equal(db_wait(other, 20, -1, hear, &h, NULL), ERR_OK);
    assert_int_equal(h.n, 0);
    assert_int_equal(db_commit(f->db, NULL), ERR_OK);
    assert_int_equal(db_wait(other, 10000, -1, hear, &h, NULL), ERR_OK);
    assert_int_equal(h.n, 1);
    assert_string_equal(h.last, "moved:7,8");
    assert_int_equal(db_begin(f->db, NULL), ERR_OK);
    assert_int_equal(db_notify(f->db, "moved", "9", NULL), ERR_OK);
    db_rollback(f->db);
    assert_int_equal(db_wait(other, 20, -1, hear, &h, NULL), ERR_OK);
    assert_int_equal(h.n, 1);
    db_close(other);
}

static void waiting_ends_when_it_is_told_to(void **state)
{
    struct db *db = db_of(state);
    struct heard h = {0};
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(db_listen(db, "moved", NULL), ERR_OK);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(db_wait(db, -1, fds[0], hear, &h, NULL), ERR_OK);
    assert_int_equal(h.n, 0);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void a_listener_that_was_away_knows_that_it_may_have_missed_something(void **state)
{
    struct db_fixture *f = *state;
    struct db *other = db_fixture_another(f, env_posix());
    struct heard h = {0};
    assert_int_equal(db_listen(other, "moved", NULL), ERR_OK);
    db_fixture_kill(f, other);
    enum err e = db_wait(other, 10000, -1, hear, &h, NULL);
    assert_int_equal(e, ERR_UNREACHABLE);
    assert_int_equal(db_wait(other, 10000, -1, hear, &h, NULL), ERR_OK);
    assert_int_equal(h.all, 1);
    assert_int_equal(db_begin(f->db, NULL), ERR_OK);
    assert_int_equal(db_notify(f->db, "moved", NULL, NULL), ERR_OK);
    assert_int_equal(db_commit(f->db, NULL), ERR_OK);
    assert_int_equal(db_wait(other, 10000, -1, hear, &h, NULL), ERR_OK);
    assert_string_equal(h.last, "moved:");
    db_close(other);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, db_fixture_set_up_bare, db_fixture_tear_down_postgres)
    const struct CMUnitTest tests[] = {
        T(a_hundred_thousand_rows_are_read_in_little_memory),
        T(a_long_answer_ends_with_what_it_was_asked_in),
        T(an_answer_that_was_cut_off_and_asked_anew_has_each_row_once),
        T(a_long_answer_of_its_own_outlives_transactions),
        T(large_values_come_back_whole),
        T(rows_that_grow_are_read_in_little_memory),
        T(statements_do_not_pile_up_at_the_server),
        T(words_are_told_when_they_are_committed),
        T(waiting_ends_when_it_is_told_to),
        T(a_listener_that_was_away_knows_that_it_may_have_missed_something),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
