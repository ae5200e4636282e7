/* pagevfs_rekey on a disk in memory: the power fails at every step, the disk is full, the name was used before. */
#include "crypto/pagevfs.h"
#include "tests/sim/disk.h"

#include <sqlite3.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define FROM  "home/replica.db"
#define TO    "home/replica2.db"
#define SEEDS 12 /* ways in which unsynced writes are lost, at each step */

struct bench {
    struct disk *disk;
    struct secret old_key, new_key;
    struct disk_image *start; /* a database under the old key, and nothing else */
};

static void key_new(struct secret *k, int fill)
{
    assert_int_equal(secret_new(k, 32, NULL), ERR_OK);
    memset(k->p, fill, k->n);
}

static sqlite3 *open_db(struct bench *b, const char *path, const struct secret *key)
{
    sqlite3 *db = NULL;
    assert_int_equal(pagevfs_open(&db, path, disk_vfs_name(b->disk), key, NULL), ERR_OK);
    return db;
}

static void run(sqlite3 *db, const char *sql)
{
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
}

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    assert_int_equal(secret_start(NULL), ERR_OK);
    key_new(&b->old_key, 7);
    key_new(&b->new_key, 8);
    b->disk = disk_new();
    assert_int_equal(pagevfs_create(FROM, disk_vfs_name(b->disk), &b->old_key, NULL), ERR_OK);
    sqlite3 *db = open_db(b, FROM, &b->old_key);
    run(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, x TEXT); WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 "
            "FROM c WHERE i < 300) INSERT INTO t SELECT i, 'row ' || i || hex(zeroblob(60)) FROM c;"
            "DELETE FROM t WHERE id BETWEEN 20 AND 60");
    pagevfs_close(db);
    b->start = disk_image_take(b->disk);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    disk_image_free(b->start);
    disk_free(b->disk);
    secret_release(&b->old_key);
    secret_release(&b->new_key);
    free(b);
    return 0;
}

static enum err rekey(struct bench *b, struct why *why)
{
    return pagevfs_rekey(FROM, &b->old_key, TO, &b->new_key, disk_vfs_name(b->disk), why);
}

/* Opens under the key, is whole, and has every row. Returns how many of them say 'other'. */
static int rows_that_differ(struct bench *b, const char *path, const struct secret *key)
{
    sqlite3_stmt *st = NULL;
    sqlite3 *db = open_db(b, path, key);
    static const char sql[] =
        "SELECT (SELECT integrity_check FROM pragma_integrity_check), count(*), sum(x = 'other'), "
        "sum(x = 'row ' || id || hex(zeroblob(60))) FROM t";
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(st, 0), "ok");
    assert_int_equal(sqlite3_column_int(st, 1), 259);
    int other = sqlite3_column_int(st, 2);
    assert_int_equal(sqlite3_column_int(st, 3) + other, 259);
    sqlite3_finalize(st);
    pagevfs_close(db);
    return other;
}

static void assert_whole(struct bench *b, const char *path, const struct secret *key)
{
    assert_int_equal(rows_that_differ(b, path, key), 0);
}

static enum err open_error(struct bench *b, const char *path, const struct secret *key)
{
    sqlite3 *db = NULL;
    enum err e = pagevfs_open(&db, path, disk_vfs_name(b->disk), key, NULL);
    pagevfs_close(db);
    return e;
}

static void rekey_copies_every_row_and_leaves_the_old_one(void **state)
{
    struct bench *b = *state;
    struct bytes before = disk_file(b->disk, FROM);
    uint8_t *copy = malloc(before.n);
    assert_non_null(copy);
    memcpy(copy, before.p, before.n);
    assert_int_equal(rekey(b, NULL), ERR_OK);
    assert_int_equal(disk_file(b->disk, FROM).n, before.n);
    assert_memory_equal(disk_file(b->disk, FROM).p, copy, before.n);
    free(copy);
    assert_whole(b, TO, &b->new_key);
    assert_whole(b, FROM, &b->old_key);
    assert_int_equal(open_error(b, TO, &b->old_key), ERR_TAMPERED); /* who has the old key has nothing */
    assert_int_equal(open_error(b, FROM, &b->new_key), ERR_TAMPERED);
}

/* No page of the copy is one of the original: else the old key would still read it. */
static void rekey_leaves_no_page_under_the_old_key(void **state)
{
    struct bench *b = *state;
    assert_int_equal(rekey(b, NULL), ERR_OK);
    struct bytes from = disk_file(b->disk, FROM), to = disk_file(b->disk, TO);
    assert_int_equal(from.n, to.n);
    assert_true(from.n > 10 * 4096);
    for (size_t at = 0; at < from.n; at += 512) assert_memory_not_equal(from.p + at, to.p + at, 512);
}

/* Before it returns: the old database whole, and under the new name nothing that opens unless it is whole. After it
 * returned: the new one whole whatever the power does. */
static void power_fails_at(struct bench *b, uint64_t at, uint64_t seed, bool *out_died)
{
    struct draw by = draw_stream(seed, 5, at);
    disk_set_faults(b->disk, &(struct disk_faults){.die_after = at});
    enum err e = rekey(b, NULL);
    *out_died = disk_is_dead(b->disk);
    assert_int_equal(e == ERR_OK, !*out_died);
    (void)disk_power_off(b->disk, &by);
    assert_whole(b, FROM, &b->old_key);
    enum err new_e = open_error(b, TO, &b->new_key);
    if (new_e == ERR_OK) {
        int other = rows_that_differ(b, TO, &b->new_key);
        assert_true(other == 0 || (e != ERR_OK && other == 259)); /* as it was before, or as it shall be */
    } else
        assert_true(e != ERR_OK && (new_e == ERR_UNINIT || new_e == ERR_TAMPERED));
    if (disk_file(b->disk, TO).n) assert_int_not_equal(open_error(b, TO, &b->old_key), ERR_OK);
    assert_int_equal(rekey(b, NULL), ERR_OK); /* once more, over whatever is left */
    assert_whole(b, TO, &b->new_key);
}

static void power_fails_everywhere(struct bench *b, unsigned least)
{
    struct disk_image *start = disk_image_take(b->disk);
    unsigned steps = 0;
    bool died = true;
    for (uint64_t at = 1; died; at++)
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            disk_put_back(b->disk, start);
            power_fails_at(b, at, seed, &died);
            steps += died && seed == 1;
        }
    assert_true(steps >= least);
    disk_image_free(start);
}

static void rekey_survives_a_power_failure_at_every_step(void **state)
{
    power_fails_everywhere(*state, 15);
}

/* What lies under the name is an older, longer database with a full log, under a third key. */
static void lay_old_one(struct bench *b)
{
    struct secret third;
    struct draw by = draw_stream(1, 1, 1);
    key_new(&third, 9);
    assert_int_equal(pagevfs_create(TO, disk_vfs_name(b->disk), &third, NULL), ERR_OK);
    sqlite3 *db = open_db(b, TO, &third);
    run(db, "CREATE TABLE t(x); WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 900) "
            "INSERT INTO t SELECT hex(randomblob(60)) FROM c; PRAGMA wal_checkpoint(TRUNCATE);"
            "INSERT INTO t SELECT x FROM t LIMIT 90");
    disk_set_faults(b->disk, &(struct disk_faults){.die_after = 1});
    pagevfs_close(db);
    (void)disk_power_off(b->disk, &by);
    assert_true(disk_file(b->disk, TO "-wal").n > 5 * 4096);
    assert_true(disk_file(b->disk, TO).n > disk_file(b->disk, FROM).n);
    secret_release(&third);
}

static void rekey_over_an_older_database_survives_a_power_failure_at_every_step(void **state)
{
    struct bench *b = *state;
    lay_old_one(b);
    power_fails_everywhere(b, 18);
    assert_int_equal(rekey(b, NULL), ERR_OK);
    assert_int_equal(disk_file(b->disk, TO "-wal").n, 0);
    assert_int_equal(disk_file(b->disk, TO).n, disk_file(b->disk, FROM).n);
}

/* What lies under the name is a copy from before, under the same new key, part of it in a log: nothing may ever open
 * that is half of the one and half of the other. */
static void rekey_over_a_copy_under_the_same_key_mixes_nothing(void **state)
{
    struct bench *b = *state;
    struct draw by = draw_stream(1, 1, 3);
    assert_int_equal(rekey(b, NULL), ERR_OK);
    sqlite3 *db = open_db(b, TO, &b->new_key);
    run(db, "UPDATE t SET x = 'other'; PRAGMA wal_checkpoint(TRUNCATE); UPDATE t SET id = id + 1000 WHERE id > 200;"
            "UPDATE t SET id = id - 1000 WHERE id > 1000");
    disk_set_faults(b->disk, &(struct disk_faults){.die_after = 1});
    pagevfs_close(db);
    (void)disk_power_off(b->disk, &by);
    assert_true(disk_file(b->disk, TO "-wal").n > 4096);
    power_fails_everywhere(b, 18);
}

static void rekey_on_a_full_disk_says_so_and_gives_the_room_back(void **state)
{
    struct bench *b = *state;
    struct why why = {0};
    unsigned refused = 0;
    for (uint64_t room = 1;; room++) {
        disk_put_back(b->disk, b->start);
        disk_set_faults(b->disk, &(struct disk_faults){.full_after = room});
        enum err e = rekey(b, &why);
        if (e == ERR_OK) break;
        refused++;
        assert_int_equal(e, ERR_FULL);
        assert_int_equal(disk_file(b->disk, TO).n, 0);
        assert_whole(b, FROM, &b->old_key);
    }
    assert_true(refused > 10);
    disk_set_faults(b->disk, NULL);
    assert_whole(b, TO, &b->new_key);
}

static void rekey_names_the_first_bad_page_and_leaves_no_copy(void **state)
{
    struct bench *b = *state;
    struct why why = {0};
    disk_flip(b->disk, FROM, 4 * 4096 + 99, 4);
    assert_int_equal(rekey(b, &why), ERR_TAMPERED);
    assert_non_null(strstr(why.text, "page 5 "));
    assert_int_equal(disk_file(b->disk, TO).n, 0);
}

static void rekey_under_a_wrong_key_copies_nothing(void **state)
{
    struct bench *b = *state;
    assert_int_equal(pagevfs_rekey(FROM, &b->new_key, TO, &b->new_key, disk_vfs_name(b->disk), NULL), ERR_TAMPERED);
    assert_int_equal(disk_file(b->disk, TO).n, 0);
    assert_whole(b, FROM, &b->old_key);
}

static void rekey_refuses_a_database_that_is_open_or_has_a_log(void **state)
{
    struct bench *b = *state;
    struct draw by = draw_stream(1, 1, 2);
    sqlite3 *db = open_db(b, FROM, &b->old_key);
    assert_int_equal(rekey(b, NULL), ERR_BUSY);
    run(db, "UPDATE t SET x = x WHERE id = 1");
    disk_set_faults(b->disk, &(struct disk_faults){.die_after = 1});
    pagevfs_close(db);
    (void)disk_power_off(b->disk, &by);
    assert_true(disk_file(b->disk, FROM "-wal").n > 0);
    assert_int_equal(rekey(b, NULL), ERR_BUSY); /* the log holds what the database has not yet */
    assert_int_equal(disk_file(b->disk, TO).n, 0);
    assert_whole(b, FROM, &b->old_key);
    assert_int_equal(rekey(b, NULL), ERR_OK);
    assert_whole(b, TO, &b->new_key);
}

static void rekey_refuses_to_copy_onto_itself_or_onto_an_open_database(void **state)
{
    struct bench *b = *state;
    assert_int_equal(pagevfs_rekey(FROM, &b->old_key, FROM, &b->new_key, disk_vfs_name(b->disk), NULL), ERR_BUSY);
    assert_whole(b, FROM, &b->old_key);
    assert_int_equal(rekey(b, NULL), ERR_OK);
    sqlite3 *db = open_db(b, TO, &b->new_key);
    assert_int_equal(rekey(b, NULL), ERR_BUSY);
    pagevfs_close(db);
    assert_whole(b, TO, &b->new_key);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(rekey_copies_every_row_and_leaves_the_old_one),
        T(rekey_leaves_no_page_under_the_old_key),
        T(rekey_survives_a_power_failure_at_every_step),
        T(rekey_over_an_older_database_survives_a_power_failure_at_every_step),
        T(rekey_over_a_copy_under_the_same_key_mixes_nothing),
        T(rekey_on_a_full_disk_says_so_and_gives_the_room_back),
        T(rekey_names_the_first_bad_page_and_leaves_no_copy),
        T(rekey_under_a_wrong_key_copies_nothing),
        T(rekey_refuses_a_database_that_is_open_or_has_a_log),
        T(rekey_refuses_to_copy_onto_itself_or_onto_an_open_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
