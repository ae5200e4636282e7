/* Encrypted databases (crypto/pagevfs.h) on a disk in memory (tests/sim/disk.h): power failures at every step, full
 * disks, disks that lie and rotten ones. */
#include "crypto/pagevfs.h"
#include "tests/sim/disk.h"

#include <sqlite3.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH   "home/a.db"
#define SCRIPT 7   /* transactions after which a power failure is tried at every step */
#define LONG   200 /* transactions with failures here and there */

/* What the rows look like after each transaction, on a disk without faults; [0]: before the first. */
struct past {
    sqlite3_int64 digest[LONG + 1];
};

struct store {
    const struct past *past; /* borrowed */
    struct disk *disk;
    struct secret key;
    sqlite3 *db;
    int committed; /* transactions that SQLite said are done */
};

static struct store *store_new(const struct past *past)
{
    struct store *s = calloc(1, sizeof *s);
    assert_non_null(s);
    assert_int_equal(secret_start(NULL), ERR_OK);
    assert_int_equal(secret_new(&s->key, 32, NULL), ERR_OK);
    memset(s->key.p, 7, s->key.n);
    s->past = past;
    s->disk = disk_new();
    return s;
}

static void store_close(struct store *s)
{
    pagevfs_close(s->db);
    s->db = NULL;
}

static void power_off(struct store *s, uint64_t seed)
{
    struct draw by = draw_stream(seed, 7, 0);
    store_close(s);
    (void)disk_power_off(s->disk, &by);
}

static void store_free(struct store *s)
{
    store_close(s);
    secret_release(&s->key);
    disk_free(s->disk);
    free(s);
}

static bool run(struct store *s, const char *sql)
{
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static enum err open_store(struct store *s)
{
    enum err e = pagevfs_open(&s->db, PATH, disk_vfs_name(s->disk), &s->key, NULL);
    if (e != ERR_OK) return e;
    /* small, so that transactions spill into the log and checkpoints come often */
    return run(s, "PRAGMA wal_autocheckpoint = 7; PRAGMA cache_size = 4") ? ERR_OK : ERR_IO;
}

static enum err begin(struct store *s)
{
    enum err e = pagevfs_create(PATH, disk_vfs_name(s->disk), &s->key, NULL);
    if (e == ERR_OK || e == ERR_EXISTS) e = open_store(s);
    if (e != ERR_OK) return e;
    return run(s, "BEGIN; CREATE TABLE IF NOT EXISTS n(n INTEGER); CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY,"
                  " x TEXT); INSERT INTO n SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM n); COMMIT")
               ? ERR_OK
               : ERR_IO;
}

/* Transaction number k, the same whenever it is made: rows come, grow and go. Some are rolled back to a savepoint. */
static bool transaction(struct store *s, int k)
{
    char sql[900];
    struct draw by = draw_stream((uint64_t)k, 9, 0);
    (void)snprintf(sql, sizeof sql,
                   "BEGIN; INSERT INTO t(id, x) VALUES (%d, hex(zeroblob(%d)));"
                   "UPDATE t SET x = x || '%d' WHERE id %% 5 = %d;"
                   "SAVEPOINT s; UPDATE t SET x = 'never'; ROLLBACK TO s;"
                   "UPDATE t SET x = substr(x, %d) || substr(x, 1, 40) WHERE id %% 7 = %d; DELETE FROM t WHERE id = %d;"
                   "UPDATE n SET n = n + 1; COMMIT",
                   k, (int)draw_below(&by, k % 4 ? 900 : 9000), k, (int)draw_below(&by, 5), (int)draw_below(&by, 600),
                   (int)draw_below(&by, 7), k - (int)draw_below(&by, 30));
    if (run(s, sql)) return true;
    (void)run(s, "ROLLBACK");
    return false;
}

/* -1: the database gives an error. */
static sqlite3_int64 number(struct store *s, const char *sql)
{
    sqlite3_stmt *st = NULL;
    sqlite3_int64 v = -1;
    if (sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW)
        v = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return v;
}

static sqlite3_int64 count(struct store *s)
{
    return number(s, "SELECT n FROM n");
}

static sqlite3_int64 digest(struct store *s)
{
    return number(s, "SELECT coalesce(sum(id * (length(x) + 7 * unicode(substr(x, -1)))), 0) FROM t");
}

static bool whole(struct store *s)
{
    return number(s, "SELECT count(*) = 1 AND min(integrity_check) = 'ok' FROM pragma_integrity_check") == 1;
}

static int live_once(void **state)
{
    struct past *past = calloc(1, sizeof *past);
    assert_non_null(past);
    struct store *s = store_new(past);
    assert_int_equal(begin(s), ERR_OK);
    past->digest[0] = digest(s);
    for (int k = 1; k <= LONG; k++) {
        assert_true(transaction(s, k));
        past->digest[k] = digest(s);
    }
    assert_true(whole(s));
    store_free(s);
    *state = past;
    return 0;
}

static int forget(void **state)
{
    free(*state);
    return 0;
}

/* Everything that was committed is there, and nothing half. Opens the store again, whatever was made of it. */
static void must_be_whole(struct store *s, uint64_t seed)
{
    power_off(s, seed);
    assert_int_equal(begin(s), ERR_OK);
    sqlite3_int64 n = count(s);
    assert_in_range(n, s->committed, s->committed + 1); /* its commit was on the disk, the word of it was not */
    assert_int_equal(digest(s), s->past->digest[n]);
    assert_true(whole(s));
    s->committed = (int)n;
}

/* A power failure at step `at` of the script. false: the script has no such step. */
static bool die_at_step(const struct past *past, uint64_t at, int sector)
{
    struct store *s = store_new(past);
    disk_set_sector(s->disk, sector);
    assert_int_equal(begin(s), ERR_OK);
    disk_set_faults(s->disk, &(struct disk_faults){.die_after = at});
    for (int k = 1; k <= SCRIPT && transaction(s, k); k++) s->committed++;
    store_close(s); /* which moves the log into the database */
    bool died = disk_is_dead(s->disk);
    assert_true(died || s->committed == SCRIPT);
    must_be_whole(s, at);
    assert_true(transaction(s, s->committed + 1));
    store_free(s);
    return died;
}

static void die_at_every_step(const struct past *past, int sector)
{
    uint64_t at = 1;
    while (die_at_step(past, at, sector)) at++;
    assert_true(at > 100);
}

/* What pagevfs_create promises: a crash leaves a database, or what it takes over. */
static void database_whose_creation_was_cut_off_can_be_made_again(void **state)
{
    for (uint64_t at = 1; at <= 12; at++)
        for (uint64_t seed = 0; seed < 40; seed++) {
            struct store *s = store_new(*state);
            disk_set_faults(s->disk, &(struct disk_faults){.die_after = at});
            bool made = pagevfs_create(PATH, disk_vfs_name(s->disk), &s->key, NULL) == ERR_OK;
            power_off(s, seed);
            enum err e = open_store(s);
            assert_true(e == ERR_OK || (!made && e == ERR_UNINIT)); /* never "damaged": that would bar it for good */
            store_close(s);
            assert_int_equal(begin(s), ERR_OK);
            assert_int_equal(count(s), 0);
            store_free(s);
        }
}

static void database_survives_a_power_failure_at_every_step(void **state)
{
    die_at_every_step(*state, 4096);
}

static void database_in_pieces_survives_a_power_failure_at_every_step(void **state)
{
    die_at_every_step(*state, 512);
}

static void database_survives_one_power_failure_after_the_other(void **state)
{
    struct store *s = store_new(*state);
    struct draw by = draw_stream(1, 1, 1);
    unsigned failures = 0;
    assert_int_equal(begin(s), ERR_OK);
    while (s->committed < LONG) {
        if (!disk_is_dead(s->disk) && draw_chance(&by, 300))
            disk_set_faults(s->disk, &(struct disk_faults){.die_after = 1 + draw_below(&by, 60)});
        if (transaction(s, s->committed + 1)) {
            s->committed++;
            continue;
        }
        assert_true(disk_is_dead(s->disk));
        failures++;
        must_be_whole(s, failures);
    }
    must_be_whole(s, 0);
    assert_true(failures > 20);
    store_free(s);
}

/* The power fails again and again while the log of the first failure is read, checkpointed and begun anew. */
static void database_survives_power_failures_while_it_recovers(void **state)
{
    struct store *s = store_new(*state);
    assert_int_equal(begin(s), ERR_OK);
    for (uint64_t round = 1; round <= 40; round++) {
        disk_set_faults(s->disk, &(struct disk_faults){.die_after = 3 + round % 11});
        while (transaction(s, s->committed + 1)) s->committed++;
        power_off(s, round);
        disk_set_faults(s->disk, &(struct disk_faults){.die_after = 1 + round % 9});
        if (begin(s) == ERR_OK) (void)run(s, "PRAGMA wal_checkpoint(TRUNCATE)");
        must_be_whole(s, 1000 + round);
    }
    store_free(s);
}

static void database_on_a_full_disk_keeps_what_it_has(void **state)
{
    struct store *s = store_new(*state);
    unsigned refused = 0;
    assert_int_equal(begin(s), ERR_OK);
    for (unsigned round = 1; round <= 30; round++) {
        disk_set_faults(s->disk, &(struct disk_faults){.full_after = 1 + round % 10});
        for (int i = 0; i < 4; i++) {
            bool done = transaction(s, s->committed + 1);
            s->committed += done;
            refused += !done;
            assert_int_equal(count(s), s->committed);
            assert_int_equal(digest(s), s->past->digest[s->committed]);
        }
        disk_set_faults(s->disk, NULL);
        if (round % 3 == 0) must_be_whole(s, round);
        assert_true(transaction(s, s->committed + 1));
        s->committed++;
    }
    assert_true(refused > 10);
    store_free(s);
}

/* What is left may be an older state, or pages of different ages, each of them authentic: most of those give an error,
 * some do not, and nothing below the hub's sequence numbers could tell. Nothing else may come of it. */
static void database_on_a_disk_that_lies_is_older_or_gives_an_error(void **state)
{
    unsigned errors = 0, older = 0;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct store *s = store_new(*state);
        assert_int_equal(begin(s), ERR_OK);
        for (int k = 1; k <= SCRIPT + 20; k++) {
            if (k == SCRIPT) disk_set_faults(s->disk, &(struct disk_faults){.lie = true});
            assert_true(transaction(s, k));
        }
        power_off(s, seed);
        sqlite3_int64 n = open_store(s) == ERR_OK ? count(s) : -1;
        if (n < 0 || !whole(s)) {
            errors++;
        } else {
            assert_in_range(n, 0, SCRIPT + 20);
            older += n < SCRIPT + 20;
        }
        store_free(s);
    }
    assert_true(errors > 0 && older > 0);
}

static void database_on_a_rotten_disk_gives_an_error_and_no_wrong_row(void **state)
{
    struct store *s = store_new(*state);
    unsigned noticed = 0;
    assert_int_equal(begin(s), ERR_OK);
    for (int k = 1; k <= SCRIPT; k++) assert_true(transaction(s, k));
    store_close(s);
    struct disk_image *good = disk_image_take(s->disk);
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct draw by = draw_stream(seed, 3, 0);
        assert_true(disk_rot(s->disk, &by, ".db", NULL, NULL));
        if (open_store(s) != ERR_OK || count(s) < 0 || digest(s) < 0) {
            noticed++;
        } else {
            assert_int_equal(count(s), SCRIPT);
            assert_int_equal(digest(s), s->past->digest[SCRIPT]);
        }
        store_close(s);
        disk_put_back(s->disk, good);
    }
    assert_true(noticed > 10);
    assert_int_equal(open_store(s), ERR_OK);
    assert_int_equal(count(s), SCRIPT);
    disk_image_free(good);
    store_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(database_whose_creation_was_cut_off_can_be_made_again),
        cmocka_unit_test(database_survives_a_power_failure_at_every_step),
        cmocka_unit_test(database_in_pieces_survives_a_power_failure_at_every_step),
        cmocka_unit_test(database_survives_one_power_failure_after_the_other),
        cmocka_unit_test(database_survives_power_failures_while_it_recovers),
        cmocka_unit_test(database_on_a_full_disk_keeps_what_it_has),
        cmocka_unit_test(database_on_a_disk_that_lies_is_older_or_gives_an_error),
        cmocka_unit_test(database_on_a_rotten_disk_gives_an_error_and_no_wrong_row),
    };
    return cmocka_run_group_tests(tests, live_once, forget);
}
