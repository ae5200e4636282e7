/* crypto/spokevfs.h: three processes write one database, and are killed at any moment. */
#include "tests/lib/actor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WRITERS 3

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

/* Transactions of two tables that must agree, each acknowledged by a byte. */
static void act_write(struct sharedb *s, void *arg, int out, int in)
{
    int who = *(int *)arg;
    char sql[500];
    (void)in;
    sqlite3 *db = actor_open(s);
    MUST(sqlite3_busy_timeout(db, 60000) == SQLITE_OK);
    sharedb_exec(db,
                 who == 0 ? "PRAGMA wal_autocheckpoint = 7; PRAGMA cache_size = 4" : "PRAGMA wal_autocheckpoint = 31");
    (void)snprintf(
        sql, sizeof sql,
        "BEGIN IMMEDIATE; INSERT INTO done(w, k, x) SELECT %d, 1 + coalesce(max(k), 0), hex(randomblob(300)) "
        "FROM done WHERE w = %d; UPDATE purse SET v = v - 1 WHERE w = %d; UPDATE purse SET v = v + 1 WHERE w = %d;"
        "UPDATE done SET x = x || '.' WHERE w = %d AND k %% 7 = 1; COMMIT",
        who, who, who, (who + 1) % WRITERS, who);
    for (;;) {
        sharedb_exec(db, sql);
        MUST(write(out, "k", 1) == 1);
    }
}

static void act_prepare(struct sharedb *s, void *arg, int out, int in)
{
    (void)arg;
    (void)out;
    (void)in;
    sqlite3 *db = actor_open(s);
    sharedb_exec(
        db, "CREATE TABLE done(w INTEGER, k INTEGER, x TEXT, PRIMARY KEY(w, k));"
            "CREATE TABLE purse(w INTEGER PRIMARY KEY, v INTEGER); INSERT INTO purse VALUES (0, 0), (1, 0), (2, 0)");
    MUST(sqlite3_close(db) == SQLITE_OK);
}

/* What each writer has told of, and how often it died: then one more may be there, committed, and the word of it not
 * out. */
struct told {
    int acked[WRITERS], deaths[WRITERS];
};

/* No more is there and no less, none is missing in between, and no transaction is there by half. */
static void act_judge(struct sharedb *s, void *arg, int out, int in)
{
    const struct told *t = arg;
    int found[WRITERS];
    char sql[200];
    (void)in;
    sqlite3 *db = actor_open(s);
    sharedb_check(db);
    MUST(sharedb_int(db, "SELECT sum(v) FROM purse") == 0);
    for (int w = 0; w < WRITERS; w++) {
        (void)snprintf(sql, sizeof sql, "SELECT coalesce(max(k), 0) FROM done WHERE w = %d", w);
        found[w] = (int)sharedb_int(db, sql);
        (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM done WHERE w = %d", w);
        MUST(sharedb_int(db, sql) == found[w]);
        (void)fprintf(stderr, "%s", found[w] < t->acked[w] ? "acknowledged and lost\n" : "");
        MUST(found[w] >= t->acked[w] && found[w] <= t->acked[w] + t->deaths[w]);
    }
    for (int w = 0; w < WRITERS; w++) {
        (void)snprintf(sql, sizeof sql, "SELECT v FROM purse WHERE w = %d", w);
        MUST(sharedb_int(db, sql) == found[(w + WRITERS - 1) % WRITERS] - found[w]);
    }
    MUST(sqlite3_close(db) == SQLITE_OK);
    MUST(write(out, found, sizeof found) == sizeof found);
}

static int heard(int fd) /* until the writer's end is closed */
{
    char buf[256];
    int total = 0;
    for (ssize_t n = read(fd, buf, sizeof buf); n > 0; n = read(fd, buf, sizeof buf)) total += (int)n;
    return total;
}

static void judge(struct sharedb *s, struct told *t)
{
    struct actor a = actor_start(s, act_judge, t);
    int found[WRITERS] = {0}, status = 0;
    assert_int_equal(waitpid(a.pid, &status, 0), a.pid);
    assert_int_equal(status, 0);
    assert_int_equal(read(a.says, found, sizeof found), sizeof found);
    memcpy(t->acked, found, sizeof found);
    memset(t->deaths, 0, sizeof t->deaths);
    (void)close(a.says);
    (void)close(a.told);
}

/* n of them, from the first on. */
static void kill_writers(struct actor *a, struct told *t, int first, int n)
{
    for (int i = 0; i < n; i++) assert_int_equal(kill(a[(first + i) % WRITERS].pid, SIGKILL), 0);
    for (int i = 0; i < n; i++) {
        int w = (first + i) % WRITERS, status = 0;
        assert_int_equal(waitpid(a[w].pid, &status, 0), a[w].pid);
        assert_true(WIFSIGNALED(status)); /* it had not failed by itself */
        t->acked[w] += heard(a[w].says);
        t->deaths[w]++;
        (void)close(a[w].says);
        (void)close(a[w].told);
    }
}

/* SIGKILL at random moments, now one, now all of them. SPOKE_KILLS: how many. */
static void spokevfs_killed_writers_lose_nothing_acknowledged(void **state)
{
    struct sharedb *s = *state;
    struct actor a[WRITERS] = {0};
    struct told told = {0};
    int who[WRITERS] = {0, 1, 2}, kills = 0;
    const char *text = getenv("SPOKE_KILLS");
    const int wanted = text ? atoi(text) : 60;
    actor_run(s, act_prepare, NULL);
    srand(7);
    for (int w = 0; w < WRITERS; w++) a[w] = actor_start(s, act_write, &who[w]);
    while (kills < wanted) {
        (void)poll(NULL, 0, rand() % 150); /* the moment is what is drawn */
        int first = rand() % WRITERS, n = rand() % 5 == 0 ? WRITERS : 1;
        kill_writers(a, &told, first, n);
        kills += n;
        if (n == WRITERS) judge(s, &told);
        for (int i = 0; i < n; i++) a[(first + i) % WRITERS] = actor_start(s, act_write, &who[(first + i) % WRITERS]);
    }
    kill_writers(a, &told, 0, WRITERS);
    judge(s, &told);
    print_message("%d kills, %d transactions kept\n", kills + WRITERS, told.acked[0] + told.acked[1] + told.acked[2]);
    assert_true(told.acked[0] > 0 && told.acked[1] > 0 && told.acked[2] > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(spokevfs_killed_writers_lose_nothing_acknowledged, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
