/* crypto/spokevfs.h: several processes on one database. Each actor is a process of its own, which starts SQLite anew;
 * this one never does. */
#include "crypto/pagevfs.h"
#include "tests/lib/actor.h"
#include "tests/lib/pagedb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int setup(void **state)
{
    *state = sharedb_new();
    return 0;
}

static int teardown(void **state)
{
    sharedb_free(*state);
    return 0;
}

static void act_fill(struct sharedb *s, void *arg, int out, int in)
{
    (void)arg;
    (void)out;
    (void)in;
    sqlite3 *db = actor_open(s);
    sharedb_exec(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, x TEXT); INSERT INTO t VALUES (1, 'one')");
    MUST(sqlite3_close(db) == SQLITE_OK);
}

/* Commits one row, and keeps the database open until told, or killed. */
static void act_hold(struct sharedb *s, void *arg, int out, int in)
{
    (void)arg;
    sqlite3 *db = actor_open(s);
    sharedb_exec(db, "INSERT INTO t(x) VALUES ('of the holder')");
    actor_say_and_wait(out, in);
    MUST(sqlite3_close(db) == SQLITE_OK);
}

/* What a look at the rows gives: SQLITE_OK and how many, or another code. */
struct wanted {
    int rc, rows;
    const char *shm; /* NULL: the usual one */
};

static void act_look(struct sharedb *s, void *arg, int out, int in)
{
    const struct wanted *w = arg;
    (void)out;
    (void)in;
    sqlite3 *db = actor_open(s);
    if (w->shm) s->home->shm = w->shm;
    MUST(sqlite3_busy_timeout(db, w->rc == SQLITE_OK ? 5000 : 50) == SQLITE_OK);
    int rc = sharedb_try(db, "SELECT count(*) FROM t");
    if (rc != w->rc) (void)fprintf(stderr, "%d instead of %d: %s\n", rc, w->rc, sqlite3_errmsg(db));
    MUST(rc == w->rc);
    if (rc == SQLITE_OK) {
        MUST(sharedb_int(db, "SELECT count(*) FROM t") == w->rows);
        sharedb_check(db);
    }
    MUST(sqlite3_close(db) == SQLITE_OK);
}

static void look(struct sharedb *s, int rc, int rows, const char *shm)
{
    actor_run(s, act_look, &(struct wanted){rc, rows, shm});
}

/* ---- one index for all ---- */

static void spokevfs_processes_see_each_others_commits(void **state)
{
    struct sharedb *s = *state;
    actor_run(s, act_fill, NULL);
    struct actor a = actor_start(s, act_hold, NULL);
    actor_hear(&a);
    look(s, SQLITE_OK, 2, NULL);
    assert_int_equal(sharedb_shadows(s), 3); /* one still has it open */
    actor_end(&a, 0);
    look(s, SQLITE_OK, 2, NULL);
    assert_int_equal(sharedb_shadows(s), 0);
}

/* Another container, another user: two indexes of one log would lose commits. */
static void spokevfs_who_cannot_see_the_index_in_use_is_told_busy(void **state)
{
    struct sharedb *s = *state;
    struct sharedb *elsewhere = sharedb_new();
    actor_run(s, act_fill, NULL);
    struct actor a = actor_start(s, act_hold, NULL);
    actor_hear(&a);
    look(s, SQLITE_BUSY, 0, elsewhere->shm);
    look(s, SQLITE_OK, 2, NULL);
    actor_end(&a, 0);
    look(s, SQLITE_OK, 2, elsewhere->shm);
    sharedb_free(elsewhere);
}

/* After a crash, or a restart of the machine, the index file names a folder that nobody has any more. */
static void spokevfs_index_that_the_dead_left_bars_nobody(void **state)
{
    struct sharedb *s = *state;
    struct sharedb *elsewhere = sharedb_new();
    actor_run(s, act_fill, NULL);
    struct actor a = actor_start(s, act_hold, NULL);
    actor_hear(&a);
    actor_end(&a, SIGKILL);
    assert_int_equal(sharedb_shadows(s), 3);
    look(s, SQLITE_OK, 2, elsewhere->shm);
    a = actor_start(s, act_hold, NULL); /* finds the old shadow, whose content is worthless */
    actor_hear(&a);
    look(s, SQLITE_OK, 3, NULL);
    actor_end(&a, 0);
    look(s, SQLITE_OK, 3, NULL);
    sharedb_free(elsewhere);
}

static void spokevfs_index_file_of_garbage_is_replaced(void **state)
{
    struct sharedb *s = *state;
    char index[100];
    actor_run(s, act_fill, NULL);
    (void)snprintf(index, sizeof index, "%s-index", s->path);
    pagedb_write(index, (const uint8_t *)"SPKI\1 and then nothing that anybody wrote", 41);
    look(s, SQLITE_OK, 1, NULL);
    assert_int_equal(sharedb_shadows(s), 0);
}

static void act_remove_shadow(struct sharedb *s, void *arg, int out, int in)
{
    char command[200];
    (void)arg;
    (void)out;
    (void)in;
    (void)snprintf(command, sizeof command, "rm %s/spoke-*/*-*", s->shm);
    MUST(system(command) == 0);
}

static void spokevfs_index_removed_under_those_who_use_it_is_not_made_twice(void **state)
{
    struct sharedb *s = *state;
    actor_run(s, act_fill, NULL);
    struct actor a = actor_start(s, act_hold, NULL);
    actor_hear(&a);
    actor_run(s, act_remove_shadow, NULL);
    look(s, SQLITE_BUSY, 0, NULL);
    actor_end(&a, 0);
    look(s, SQLITE_OK, 2, NULL);
}

/* Of the two files in memory, the one that SQLite maps: who finds only the other would make a second index. */
static void act_remove_memory(struct sharedb *s, void *arg, int out, int in)
{
    char command[200];
    (void)arg;
    (void)out;
    (void)in;
    (void)snprintf(command, sizeof command, "rm %s/spoke-*/*-shm", s->shm);
    MUST(system(command) == 0);
}

static void spokevfs_index_whose_memory_alone_was_removed_is_not_made_twice(void **state)
{
    struct sharedb *s = *state;
    actor_run(s, act_fill, NULL);
    struct actor a = actor_start(s, act_hold, NULL);
    actor_hear(&a);
    actor_run(s, act_remove_memory, NULL);
    look(s, SQLITE_BUSY, 0, NULL);
    actor_end(&a, 0);
    look(s, SQLITE_OK, 2, NULL);
}

/* As act_hold, but the database is closed, and a process that was forked meanwhile lives on. */
static void act_fork_and_close(struct sharedb *s, void *arg, int out, int in)
{
    (void)arg;
    sqlite3 *db = actor_open(s);
    sharedb_exec(db, "INSERT INTO t(x) VALUES ('of the parent')");
    pid_t child = fork();
    MUST(child >= 0);
    while (child == 0) (void)pause();
    MUST(sqlite3_close(db) == SQLITE_OK);
    actor_say_and_wait(out, in);
    MUST(kill(child, SIGKILL) == 0);
}

static void act_look_at_once(struct sharedb *s, void *arg, int out, int in)
{
    (void)alarm(60); /* a lock that is waited for would be waited for without end */
    act_look(s, arg, out, in);
}

static void spokevfs_forked_process_keeps_nobody_out_when_its_parent_has_closed(void **state)
{
    struct sharedb *s = *state;
    actor_run(s, act_fill, NULL);
    struct actor holder = actor_start(s, act_hold, NULL); /* so that the parent is not the last to leave */
    actor_hear(&holder);
    struct actor parent = actor_start(s, act_fork_and_close, NULL);
    actor_hear(&parent);
    actor_run(s, act_look_at_once, &(struct wanted){SQLITE_OK, 3, NULL});
    actor_end(&parent, 0);
    actor_end(&holder, 0);
    assert_int_equal(sharedb_shadows(s), 0);
}

static void act_begin_again(struct sharedb *s, void *arg, int out, int in)
{
    struct spokevfs *again = NULL;
    (void)arg;
    (void)out;
    (void)in;
    sqlite3 *db = actor_open(s);
    sharedb_exec(db, "INSERT INTO t(x) VALUES ('before')");
    MUST(sqlite3_close(db) == SQLITE_OK);
    MUST(sqlite3_shutdown() == SQLITE_OK);
    MUST(sqlite3_initialize() == SQLITE_OK);
    MUST(strcmp(sqlite3_vfs_find(NULL)->zName, "unix") == 0);
    MUST(spokevfs_register(&again) == SQLITE_OK && again == s->home);
    MUST(strcmp(sqlite3_vfs_find(NULL)->zName, "spoke") == 0 && sqlite3_vfs_find("unix") == NULL);
    db = sharedb_open(s->path);
    MUST(sharedb_int(db, "SELECT count(*) FROM t") == 2);
    MUST(sqlite3_close(db) == SQLITE_OK);
}

/* T10: SQLite that begins anew has its own VFS as the default. */
static void spokevfs_is_the_only_one_again_after_a_shutdown(void **state)
{
    actor_run(*state, act_fill, NULL);
    actor_run(*state, act_begin_again, NULL);
}

/* ---- the product, one process at a time ---- */

static void key_of_test(struct secret *key)
{
    MUST(secret_start(NULL) == ERR_OK && secret_new(key, 32, NULL) == ERR_OK);
    memset(key->p, 42, key->n);
}

static void act_create_alone(struct sharedb *s, void *arg, int out, int in)
{
    struct secret key;
    (void)arg;
    (void)out;
    (void)in;
    key_of_test(&key);
    MUST(pagevfs_create(s->path, NULL, &key, NULL) == ERR_OK);
}

static void act_hold_alone(struct sharedb *s, void *arg, int out, int in)
{
    struct secret key;
    sqlite3 *db = NULL;
    (void)arg;
    key_of_test(&key);
    MUST(pagevfs_open(&db, s->path, NULL, &key, NULL) == ERR_OK);
    MUST(sqlite3_exec(db,
                      "CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, x); INSERT INTO t(x) VALUES ('product')",
                      NULL, NULL, NULL) == SQLITE_OK);
    actor_say_and_wait(out, in);
    pagevfs_close(db);
}

static void act_refused_alone(struct sharedb *s, void *arg, int out, int in)
{
    struct secret key;
    sqlite3 *db = NULL;
    (void)arg;
    (void)out;
    (void)in;
    key_of_test(&key);
    MUST(pagevfs_open_waiting(&db, s->path, NULL, &key, 50, NULL) == ERR_BUSY);
}

static void spokevfs_and_the_product_keep_each_other_out(void **state)
{
    struct sharedb *s = *state;
    actor_run(s, act_create_alone, NULL);
    struct actor a = actor_start(s, act_hold_alone, NULL);
    actor_hear(&a);
    look(s, SQLITE_BUSY, 0, NULL);
    actor_end(&a, SIGKILL); /* it leaves a log */
    a = actor_start(s, act_hold, NULL);
    actor_hear(&a);
    actor_run(s, act_refused_alone, NULL);
    actor_end(&a, SIGKILL); /* it leaves a log and an index */
    a = actor_start(s, act_hold_alone, NULL);
    actor_hear(&a);
    actor_end(&a, 0);
    look(s, SQLITE_OK, 3, NULL);
}

/* ---- many at once ---- */

static void act_first(struct sharedb *s, void *arg, int out, int in)
{
    (void)arg;
    (void)out;
    (void)in;
    sharedb_start(s, NULL);
    sqlite3 *db = NULL;
    int rc = SQLITE_BUSY;
    for (int tries = 0; rc == SQLITE_BUSY && tries < 2000; tries++) { /* another is making it */
        (void)sqlite3_close(db);
        rc = sqlite3_open(s->path, &db);
        if (rc == SQLITE_BUSY) (void)poll(NULL, 0, 1);
    }
    MUST(rc == SQLITE_OK);
    MUST(sqlite3_busy_timeout(db, 20000) == SQLITE_OK);
    sharedb_exec(
        db, "BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, x); INSERT INTO t(x) VALUES (1);"
            "COMMIT");
    MUST(sqlite3_close(db) == SQLITE_OK);
}

static void spokevfs_processes_that_begin_at_once_make_one_database(void **state)
{
    struct sharedb *s = *state;
    struct actor a[6];
    for (int round = 1; round <= 5; round++) {
        for (int i = 0; i < 6; i++) a[i] = actor_start(s, act_first, NULL);
        for (int i = 0; i < 6; i++) actor_wait(&a[i]);
        look(s, SQLITE_OK, 6 * round, NULL);
    }
    assert_int_equal(sharedb_shadows(s), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(spokevfs_processes_see_each_others_commits),
        T(spokevfs_who_cannot_see_the_index_in_use_is_told_busy),
        T(spokevfs_index_that_the_dead_left_bars_nobody),
        T(spokevfs_index_file_of_garbage_is_replaced),
        T(spokevfs_index_removed_under_those_who_use_it_is_not_made_twice),
        T(spokevfs_index_whose_memory_alone_was_removed_is_not_made_twice),
        T(spokevfs_forked_process_keeps_nobody_out_when_its_parent_has_closed),
        T(spokevfs_is_the_only_one_again_after_a_shutdown),
        T(spokevfs_and_the_product_keep_each_other_out),
        T(spokevfs_processes_that_begin_at_once_make_one_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
