/* crypto/pagevfs.h: processes that are killed in the middle of their work. T1 to T12 are the traps of
 * ../shared/notes/pagevfs.md. */
#include "crypto/pagevfs.h"

#include "tests/lib/faultvfs.h"
#include "tests/lib/pagedb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int setup(void **state)
{
    *state = pagedb_new(NULL);
    return 0;
}

static int teardown(void **state)
{
    pagedb_free(*state);
    return 0;
}

/* ---- killed processes ---- */

/* Transactions of two tables that must agree, each acknowledged by a byte; never returns. */
static void child_writes(struct pagedb *p, const char *lower, int fd, int spill)
{
    sqlite3 *db = NULL;
    if (pagevfs_open(&db, p->path, lower, &p->key, NULL) != ERR_OK)
        _exit(3);
    (void)sqlite3_exec(db, spill ? "PRAGMA wal_autocheckpoint = 7; PRAGMA cache_size = 4"
                                 : "PRAGMA wal_autocheckpoint = 13", NULL, NULL, NULL);
    for (;;) {
        int rc = sqlite3_exec(db, "BEGIN; INSERT INTO t(x) VALUES (hex(randomblob(700)));"
                                  "UPDATE n SET n = n + 1; UPDATE t SET x = x || '.' WHERE id % 5 = 0;"
                                  "UPDATE t SET x = substr(x, 2) WHERE id % 3 = 0; COMMIT", NULL, NULL, NULL);
        if (rc != SQLITE_OK)
            _exit(4);
        if (write(fd, "k", 1) != 1)
            _exit(5);
    }
}

static void prepare_for_child(struct pagedb *p)
{
    pagedb_open(p, NULL);
    pagedb_exec(p, "CREATE TABLE t(id INTEGER PRIMARY KEY, x TEXT);"
                   "CREATE TABLE n(n INTEGER); INSERT INTO n VALUES (0)");
    pagedb_close(p);
}

static int acknowledged(int fd)
{
    char buf[256];
    int total = 0;
    for (ssize_t n = read(fd, buf, sizeof buf); n > 0; n = read(fd, buf, sizeof buf))
        total += (int)n;
    return total;
}

/* At least `acked` transactions are there, at most one more (its commit was on disk, the word of it was not). */
static void assert_commits(struct pagedb *p, sqlite3_int64 acked)
{
    pagedb_open(p, NULL);
    sqlite3_int64 n = pagedb_int(p, "SELECT n FROM n");
    assert_true(n >= acked && n <= acked + 1);
    assert_int_equal(pagedb_int(p, "SELECT count(*) FROM t"), n);
    pagedb_check(p);
    pagedb_close(p);
}

static void pagevfs_killed_process_loses_no_acknowledged_commit(void **state)
{
    struct pagedb *p = *state;
    sqlite3_int64 total = 0;
    prepare_for_child(p);
    for (unsigned round = 0; round < 30; round++) {
        int fd[2], status = 0;
        assert_int_equal(pipe(fd), 0);
        pid_t child = fork();
        if (child == 0) {
            (void)close(fd[0]);
            child_writes(p, NULL, fd[1], round % 2);
        }
        (void)close(fd[1]);
        if (round % 3) { /* else it may die while it opens the database and recovers the log */
            char first = 0;
            assert_int_equal(read(fd[0], &first, 1), 1);
            total++;
        }
        (void)usleep(1300 * (round % 10));
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        total += acknowledged(fd[0]);
        (void)close(fd[0]);
        assert_commits(p, total);
        pagedb_open(p, NULL);
        total = pagedb_int(p, "SELECT n FROM n");
        pagedb_close(p);
    }
    assert_true(total > 0);
}

/* Dies in the middle of its k-th write, half of which reaches the disk: database pages (page 1 among them, T3), frame
 * headers, bodies, the log's header, for every k. */
static void die_at_every_write(struct pagedb *p, int step, int traits, int sector)
{
    sqlite3_int64 total = 0;
    for (int k = 0; k < 110; k += step) {
        int fd[2], status = 0;
        assert_int_equal(pipe(fd), 0);
        pid_t child = fork();
        if (child == 0) {
            struct faultvfs *fault = faultvfs_new();
            (void)close(fd[0]);
            fault->die_after = k;
            fault->traits = traits;
            fault->sector = sector;
            child_writes(p, "fault", fd[1], k % 2);
        }
        (void)close(fd[1]);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 42);
        total += acknowledged(fd[0]);
        (void)close(fd[0]);
        assert_commits(p, total);
        pagedb_open(p, NULL);
        total = pagedb_int(p, "SELECT n FROM n");
        pagedb_close(p);
    }
}

static void pagevfs_crash_in_any_write_loses_no_acknowledged_commit(void **state)
{
    prepare_for_child(*state);
    die_at_every_write(*state, 1, -1, 0);
}

static void pagevfs_crash_in_any_write_of_a_disk_that_splits_pages(void **state)
{
    prepare_for_child(*state);
    die_at_every_write(*state, 2, 0, 512);
}

static void pagevfs_creation_that_was_cut_off_can_be_made_again(void **state)
{
    struct pagedb *p = *state;
    int status = 0;
    assert_int_equal(unlink(p->path), 0);
    pid_t child = fork();
    if (child == 0) {
        struct faultvfs *fault = faultvfs_new();
        fault->die_after = 0;
        _exit(pagevfs_create(p->path, "fault", &p->key, NULL) == ERR_OK ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 42);
    sqlite3 *db = NULL;
    assert_int_equal(pagevfs_open(&db, p->path, NULL, &p->key, NULL), ERR_UNINIT);
    assert_int_equal(pagevfs_create(p->path, NULL, &p->key, NULL), ERR_OK);
    pagedb_open(p, NULL);
    pagedb_check(p);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(pagevfs_killed_process_loses_no_acknowledged_commit),
        T(pagevfs_crash_in_any_write_loses_no_acknowledged_commit),
        T(pagevfs_crash_in_any_write_of_a_disk_that_splits_pages),
        T(pagevfs_creation_that_was_cut_off_can_be_made_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
