/* tests/sim/disk.h as a VFS of SQLite. */
#include "tests/lib/disk_fixture.h"

#include <sqlite3.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define SEEDS 300u
#define PATH  "home/a.db"

struct opened {
    sqlite3_vfs *vfs;
    sqlite3_file *file;
};

static struct opened open_file(struct disk *d, const char *path, int flags)
{
    struct opened o = {.vfs = sqlite3_vfs_find(disk_vfs_name(d))};
    assert_non_null(o.vfs);
    o.file = calloc(1, (size_t)o.vfs->szOsFile);
    assert_non_null(o.file);
    assert_int_equal(o.vfs->xOpen(o.vfs, path, o.file, flags, NULL), SQLITE_OK);
    return o;
}

static void close_file(struct opened o)
{
    assert_int_equal(o.file->pMethods->xClose(o.file), SQLITE_OK);
    free(o.file);
}

static unsigned names_left_after_sync(struct disk *d, int kind)
{
    unsigned left = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        assert_int_equal(disk_remove_file(d, PATH, NULL), ERR_OK);
        struct opened o = open_file(d, PATH, kind | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
        assert_int_equal(o.file->pMethods->xWrite(o.file, "text", 4, 0), SQLITE_OK);
        assert_int_equal(o.file->pMethods->xSync(o.file, SQLITE_SYNC_FULL), SQLITE_OK);
        close_file(o);
        (void)disk_fixture_power_off(d, seed);
        assert_true(disk_fixture_files(d) == 0 || bytes_equal(disk_file(d, PATH), bytes_of_str("text")));
        left += disk_fixture_files(d);
    }
    return left;
}

static void disk_syncs_the_folder_of_a_log_but_not_of_a_database(void **state)
{
    assert_int_equal(names_left_after_sync(*state, SQLITE_OPEN_WAL), SEEDS);
    unsigned left = names_left_after_sync(*state, SQLITE_OPEN_MAIN_DB);
    assert_true(left > SEEDS / 10 && left < SEEDS * 9 / 10);
}

static void disk_reads_past_the_end_as_zeros(void **state)
{
    uint8_t got[8];
    struct opened o = open_file(*state, PATH, SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    assert_int_equal(o.file->pMethods->xWrite(o.file, "text", 4, 2), SQLITE_OK);
    assert_int_equal(o.file->pMethods->xRead(o.file, got, 6, 0), SQLITE_OK);
    assert_memory_equal(got, "\0\0text", 6);
    assert_int_equal(o.file->pMethods->xRead(o.file, got, 8, 4), SQLITE_IOERR_SHORT_READ);
    assert_memory_equal(got, "xt\0\0\0\0\0\0", 8);
    assert_int_equal(o.file->pMethods->xTruncate(o.file, 1), SQLITE_OK);
    assert_int_equal(o.file->pMethods->xRead(o.file, got, 8, 4), SQLITE_IOERR_SHORT_READ);
    assert_memory_equal(got, "\0\0\0\0\0\0\0\0", 8);
    close_file(o);
}

static int lock(struct opened o, int level)
{
    return o.file->pMethods->xLock(o.file, level);
}

static void disk_locks_between_two_that_have_a_file_open(void **state)
{
    int flags = SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, reserved = 0;
    struct opened a = open_file(*state, PATH, flags), b = open_file(*state, PATH, flags);
    assert_int_equal(lock(a, SQLITE_LOCK_SHARED), SQLITE_OK);
    assert_int_equal(lock(b, SQLITE_LOCK_SHARED), SQLITE_OK);
    assert_int_equal(lock(a, SQLITE_LOCK_RESERVED), SQLITE_OK);
    assert_int_equal(lock(b, SQLITE_LOCK_RESERVED), SQLITE_BUSY);
    assert_int_equal(b.file->pMethods->xCheckReservedLock(b.file, &reserved), SQLITE_OK);
    assert_int_equal(reserved, 1);
    assert_int_equal(lock(a, SQLITE_LOCK_EXCLUSIVE), SQLITE_BUSY); /* b still reads */
    assert_int_equal(b.file->pMethods->xUnlock(b.file, SQLITE_LOCK_NONE), SQLITE_OK);
    assert_int_equal(lock(b, SQLITE_LOCK_SHARED), SQLITE_BUSY); /* a waits */
    assert_int_equal(lock(a, SQLITE_LOCK_EXCLUSIVE), SQLITE_OK);
    assert_int_equal(lock(b, SQLITE_LOCK_SHARED), SQLITE_BUSY);
    close_file(a); /* lets go */
    assert_int_equal(lock(b, SQLITE_LOCK_SHARED), SQLITE_OK);
    assert_int_equal(lock(b, SQLITE_LOCK_EXCLUSIVE), SQLITE_OK);
    close_file(b);
}

static void disk_fails_in_the_words_of_sqlite(void **state)
{
    struct disk *d = *state;
    uint8_t got[4];
    sqlite3_int64 size = 0;
    int there = 0;
    struct opened o = open_file(d, PATH, SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    const sqlite3_io_methods *m = o.file->pMethods;
    sqlite3_file *other = calloc(1, (size_t)o.vfs->szOsFile);
    assert_non_null(other);
    assert_int_equal(o.vfs->xOpen(o.vfs, "home/none", other, SQLITE_OPEN_READWRITE, NULL), SQLITE_CANTOPEN);
    assert_int_equal(o.vfs->xDelete(o.vfs, "home/none", 1), SQLITE_IOERR_DELETE_NOENT);
    disk_set_faults(d, &(struct disk_faults){.full_after = 1, .read_error = 1});
    assert_int_equal(m->xWrite(o.file, "text", 4, 0), SQLITE_OK);
    assert_int_equal(m->xWrite(o.file, "text", 4, 1), SQLITE_FULL);
    assert_int_equal(m->xWrite(o.file, "over", 4, 0), SQLITE_OK);
    assert_int_equal(m->xTruncate(o.file, 9), SQLITE_FULL);
    assert_int_equal(m->xRead(o.file, got, 4, 0), SQLITE_IOERR_READ);
    assert_int_equal(m->xRead(o.file, got, 4, 0), SQLITE_OK);
    disk_set_faults(d, &(struct disk_faults){.die_after = 1});
    assert_int_equal(m->xSync(o.file, SQLITE_SYNC_FULL), SQLITE_IOERR_FSYNC);
    assert_int_equal(m->xRead(o.file, got, 4, 0) & 0xff, SQLITE_IOERR);
    assert_int_equal(m->xWrite(o.file, "text", 4, 0) & 0xff, SQLITE_IOERR);
    assert_int_equal(m->xTruncate(o.file, 0) & 0xff, SQLITE_IOERR);
    assert_int_equal(m->xFileSize(o.file, &size) & 0xff, SQLITE_IOERR);
    assert_int_equal(m->xLock(o.file, SQLITE_LOCK_SHARED) & 0xff, SQLITE_IOERR);
    assert_int_equal(o.vfs->xAccess(o.vfs, PATH, SQLITE_ACCESS_EXISTS, &there) & 0xff, SQLITE_IOERR);
    assert_int_equal(o.vfs->xDelete(o.vfs, PATH, 0) & 0xff, SQLITE_IOERR);
    assert_int_equal(o.vfs->xOpen(o.vfs, PATH, other, SQLITE_OPEN_READWRITE, NULL) & 0xff, SQLITE_IOERR);
    close_file(o);
    free(other);
    (void)disk_fixture_power_off(d, 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, disk_fixture_start, disk_fixture_stop)
    const struct CMUnitTest tests[] = {
        T(disk_syncs_the_folder_of_a_log_but_not_of_a_database),
        T(disk_reads_past_the_end_as_zeros),
        T(disk_locks_between_two_that_have_a_file_open),
        T(disk_fails_in_the_words_of_sqlite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
