/* crypto/pagevfs.h: creating, opening, refusing. What lies on the disk: test_pagevfs_rest.c; the log:
 * test_pagevfs_wal.c and test_pagevfs_crash.c. T1 to T12 are the traps of ../shared/notes/pagevfs.md. */
#include "crypto/pagevfs.h"

#include "crypto/page.h"
#include "crypto/pagevfs_internal.h"
#include "tests/lib/faultvfs.h"
#include "tests/lib/pagedb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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

static enum err open_error(struct pagedb *p)
{
    sqlite3 *db = NULL;
    struct why why = {0};
    enum err e = pagevfs_open_waiting(&db, p->path, NULL, &p->key, 0, &why);
    assert_int_equal(e == ERR_OK, db != NULL);
    assert_int_equal(e == ERR_OK, why.text[0] == 0);
    assert_int_equal(e == ERR_OK, why.next[0] == 0); /* every refusal says what to do */
    pagevfs_close(db);
    return e;
}

/* ---- creating and opening ---- */

static void pagevfs_accepts_the_library_of_this_computer(void **state)
{
    (void)state;
    assert_int_equal(pagevfs_check_library(NULL), ERR_OK);
}

static void pagevfs_keeps_rows_over_close_and_open(void **state)
{
    struct pagedb *p = *state;
    pagedb_open(p, NULL);
    pagedb_exec(p, PAGEDB_ROWS);
    pagedb_close(p);
    assert_int_equal(pagedb_files(p), 1); /* closing empties and removes the log */
    pagedb_open(p, NULL);
    assert_int_equal(pagedb_int(p, "SELECT count(*) FROM t WHERE x = 'MARKER of the row ' || id"), 2000);
    pagedb_check(p);
}

static void pagevfs_opens_hardened(void **state)
{
    struct pagedb *p = *state;
    int on = 0;
    pagedb_open(p, NULL);
    assert_int_equal(pagedb_int(p, "PRAGMA page_size"), 4096);
    assert_int_equal(pagedb_int(p, "PRAGMA synchronous"), 2);
    assert_int_equal(pagedb_int(p, "PRAGMA secure_delete"), 1);
    assert_int_equal(pagedb_int(p, "PRAGMA temp_store"), 2);
    assert_int_equal(pagedb_int(p, "PRAGMA trusted_schema"), 0);
    assert_int_equal(pagedb_int(p, "PRAGMA cell_size_check"), 1);
    assert_int_equal(pagedb_int(p, "PRAGMA auto_vacuum"), 0);
    assert_int_equal(pagedb_int(p, "PRAGMA busy_timeout"), 10000);
    assert_int_equal(sqlite3_db_config(p->db, SQLITE_DBCONFIG_DEFENSIVE, -1, &on), SQLITE_OK);
    assert_int_equal(on, 1);
    assert_int_equal(pagedb_try(p, "SELECT load_extension('x')"), SQLITE_ERROR);
}

static void pagevfs_create_refuses_an_existing_database(void **state)
{
    struct pagedb *p = *state;
    size_t n = 0, m = 0;
    uint8_t *before = pagedb_read(p->path, &n);
    assert_int_equal(pagevfs_create(p->path, NULL, &p->key, NULL), ERR_EXISTS);
    uint8_t *after = pagedb_read(p->path, &m);
    assert_int_equal(n, m);
    assert_memory_equal(before, after, n);
    free(before);
    free(after);
}

static void pagevfs_create_takes_over_a_creation_that_was_cut_off(void **state)
{
    struct pagedb *p = *state;
    static const uint8_t zeros[PAGE_BYTES];
    const size_t sizes[] = {0, 1, 512, PAGE_BYTES - 1, PAGE_BYTES};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        pagedb_write(p->path, zeros, sizes[i]);
        assert_int_not_equal(open_error(p), ERR_OK);
        assert_int_equal(pagevfs_create(p->path, NULL, &p->key, NULL), ERR_OK);
        assert_int_equal(open_error(p), ERR_OK);
    }
}

/* The log may be the only copy of somebody's work. */
static void pagevfs_create_refuses_beside_a_log_that_lost_its_database(void **state)
{
    struct pagedb *p = *state;
    pagedb_open(p, NULL);
    pagedb_exec(p, PAGEDB_ROWS);
    pagedb_crash(p);
    assert_int_equal(unlink(p->path), 0);
    assert_int_equal(pagevfs_create(p->path, NULL, &p->key, NULL), ERR_EXISTS);
    size_t n = 0;
    free(pagedb_read(p->wal, &n));
    assert_true(n > 0);
}

static void pagevfs_create_on_a_full_disk_leaves_nothing(void **state)
{
    struct pagedb *p = *state;
    struct faultvfs *fault = faultvfs_new();
    assert_int_equal(unlink(p->path), 0);
    fault->full_after = 0;
    assert_int_equal(pagevfs_create(p->path, "fault", &p->key, NULL), ERR_FULL);
    assert_int_equal(pagedb_files(p), 0);
    fault->full_after = -1;
    assert_int_equal(pagevfs_create(p->path, "fault", &p->key, NULL), ERR_OK);
    faultvfs_free(fault);
}

static void pagevfs_open_without_a_file_is_not_initialised(void **state)
{
    struct pagedb *p = *state;
    assert_int_equal(unlink(p->path), 0);
    assert_int_equal(open_error(p), ERR_UNINIT);
    assert_int_equal(pagedb_files(p), 0);
}

static void pagevfs_without_its_lower_vfs_fails(void **state)
{
    struct pagedb *p = *state;
    sqlite3 *db = NULL;
    assert_int_equal(pagevfs_open(&db, p->path, "no such vfs", &p->key, NULL), ERR_FAILED);
    assert_null(db);
}

/* T10: every database has keys of its own, however many are open. */
static void pagevfs_two_databases_under_two_keys_are_open_at_once(void **state)
{
    struct pagedb *a = *state, *b = pagedb_new(NULL);
    pagedb_close(b);
    assert_int_equal(unlink(b->path), 0);
    b->key.p[0] ^= 1;
    assert_int_equal(pagevfs_create(b->path, NULL, &b->key, NULL), ERR_OK);
    pagedb_open(a, NULL);
    pagedb_open(b, NULL);
    pagedb_exec(a, PAGEDB_ROWS);
    pagedb_exec(b, PAGEDB_ROWS);
    pagedb_close(a);
    pagedb_exec(b, "DELETE FROM t WHERE id % 2");
    pagedb_open(a, NULL);
    assert_int_equal(pagedb_int(a, "SELECT count(*) FROM t"), 2000);
    assert_int_equal(pagedb_int(b, "SELECT count(*) FROM t"), 1000);
    pagedb_free(b);
}

/* ---- one process at a time ---- */

static void pagevfs_second_process_is_told_that_the_home_is_in_use(void **state)
{
    struct pagedb *p = *state;
    pagedb_open(p, NULL);
    pid_t child = fork();
    if (child == 0) {
        sqlite3 *db = NULL;
        struct why why = {0};
        enum err e = pagevfs_open_waiting(&db, p->path, NULL, &p->key, 50, &why);
        _exit(e == ERR_BUSY && !db && strstr(why.text, "another Spoke program is using this home") ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(open_error(p), ERR_BUSY); /* and so is a second connection of this process */
    pagedb_exec(p, PAGEDB_ROWS);                      /* the first is not disturbed */
}

static void pagevfs_second_process_waits_its_turn(void **state)
{
    struct pagedb *p = *state;
    int ready[2];
    char c = 0;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        sqlite3 *db = NULL;
        enum err e = pagevfs_open(&db, p->path, NULL, &p->key, NULL);
        if (write(ready[1], "x", 1) != 1)
            _exit(2);
        (void)usleep(200000);
        pagevfs_close(db);
        _exit(e == ERR_OK ? 0 : 1);
    }
    assert_int_equal(read(ready[0], &c, 1), 1);
    pagedb_open(p, NULL);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    (void)close(ready[0]);
    (void)close(ready[1]);
}

/* ---- damage and wrong keys ---- */

/* T2: under a wrong key a log looks empty, and an empty log is deleted. */
static void pagevfs_wrong_key_is_one_error_and_touches_nothing(void **state)
{
    struct pagedb *p = *state;
    size_t n[4] = {0};
    pagedb_open(p, NULL);
    pagedb_exec(p, PAGEDB_ROWS);
    pagedb_crash(p);
    uint8_t *db = pagedb_read(p->path, &n[0]), *wal = pagedb_read(p->wal, &n[1]);
    assert_true(n[1] > 2000);
    p->key.p[5] ^= 1;
    assert_int_equal(open_error(p), ERR_TAMPERED);
    p->key.p[5] ^= 1;
    uint8_t *db2 = pagedb_read(p->path, &n[2]), *wal2 = pagedb_read(p->wal, &n[3]);
    assert_int_equal(n[0], n[2]);
    assert_int_equal(n[1], n[3]);
    assert_memory_equal(db, db2, n[0]);
    assert_memory_equal(wal, wal2, n[1]);
    pagedb_open(p, NULL);
    assert_int_equal(pagedb_int(p, "SELECT count(*) FROM t"), 2000);
    free(db);
    free(wal);
    free(db2);
    free(wal2);
}

static void pagevfs_plain_database_is_refused_and_left_alone(void **state)
{
    struct pagedb *p = *state;
    sqlite3 *plain = NULL;
    size_t n = 0, m = 0;
    assert_int_equal(unlink(p->path), 0);
    assert_int_equal(sqlite3_open(p->path, &plain), SQLITE_OK);
    assert_int_equal(sqlite3_exec(plain, PAGEDB_ROWS, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(plain), SQLITE_OK);
    uint8_t *before = pagedb_read(p->path, &n);
    assert_int_equal(open_error(p), ERR_TAMPERED);
    assert_int_equal(pagevfs_create(p->path, NULL, &p->key, NULL), ERR_EXISTS);
    uint8_t *after = pagedb_read(p->path, &m);
    assert_int_equal(n, m);
    assert_memory_equal(before, after, n);
    free(before);
    free(after);
}

static void pagevfs_flipped_byte_is_an_error_and_never_a_wrong_row(void **state)
{
    struct pagedb *p = *state;
    pagedb_fill(p);
    for (size_t at = PAGE_BYTES; at < 4 * PAGE_BYTES; at += 1365) {
        pagedb_flip(p->path, at);
        pagedb_open(p, NULL);
        assert_int_equal(pagedb_try(p, "SELECT sum(length(x)) FROM t"), SQLITE_IOERR_DATA);
        pagedb_close(p);
        pagedb_flip(p->path, at);
    }
    pagedb_open(p, NULL);
    pagedb_check(p);
}

static void pagevfs_flipped_byte_in_page_one_refuses_to_open(void **state)
{
    struct pagedb *p = *state;
    pagedb_fill(p);
    for (size_t at = 0; at < PAGE_BYTES; at += at < 16 ? 1 : 409) {
        pagedb_flip(p->path, at);
        assert_int_equal(open_error(p), ERR_TAMPERED);
        pagedb_flip(p->path, at);
    }
    assert_int_equal(open_error(p), ERR_OK);
}

static void pagevfs_swapped_pages_are_refused(void **state)
{
    struct pagedb *p = *state;
    size_t n = 0;
    uint8_t tmp[PAGE_BYTES];
    pagedb_fill(p);
    uint8_t *data = pagedb_read(p->path, &n);
    memcpy(tmp, data + 3 * PAGE_BYTES, PAGE_BYTES);
    memcpy(data + 3 * PAGE_BYTES, data + 4 * PAGE_BYTES, PAGE_BYTES);
    memcpy(data + 4 * PAGE_BYTES, tmp, PAGE_BYTES);
    pagedb_write(p->path, data, n);
    free(data);
    pagedb_open(p, NULL);
    assert_int_equal(pagedb_try(p, "SELECT sum(length(x)) FROM t"), SQLITE_IOERR_DATA);
}

/* T8: accepting zeros would let anybody blank pages. */
static void pagevfs_page_of_zeros_is_refused(void **state)
{
    struct pagedb *p = *state;
    size_t n = 0;
    pagedb_fill(p);
    uint8_t *data = pagedb_read(p->path, &n);
    memset(data + 3 * PAGE_BYTES, 0, PAGE_BYTES);
    pagedb_write(p->path, data, n);
    free(data);
    pagedb_open(p, NULL);
    assert_int_equal(pagedb_try(p, "SELECT sum(length(x)) FROM t"), SQLITE_IOERR_DATA);
}

static void pagevfs_short_file_is_refused(void **state)
{
    struct pagedb *p = *state;
    size_t n = 0;
    pagedb_fill(p);
    uint8_t *data = pagedb_read(p->path, &n);
    const size_t sizes[] = {15, 16, 100, PAGE_BYTES - 1, PAGE_BYTES, PAGE_BYTES + 1, n - PAGE_BYTES, n - 1};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        pagedb_write(p->path, data, sizes[i]);
        enum err e = open_error(p);
        if (e == ERR_OK) { /* cut within the last page: page 1 is whole, the cut shows when it is read */
            assert_true(sizes[i] == n - 1);
            pagedb_open(p, NULL);
            assert_int_equal(pagedb_try(p, "SELECT sum(length(x)) FROM t"), SQLITE_IOERR_DATA);
            pagedb_close(p);
        } else {
            assert_int_equal(e, ERR_TAMPERED);
        }
    }
    free(data);
}

/* ---- what it must not do ---- */

static void pagevfs_attach_is_refused(void **state)
{
    struct pagedb *p = *state;
    char sql[200];
    pagedb_open(p, NULL);
    pagedb_exec(p, PAGEDB_ROWS);
    assert_int_not_equal(pagedb_try(p, "ATTACH ':memory:' AS m"), SQLITE_OK);
    (void)sqlite3_snprintf(sizeof sql, sql, "ATTACH '%s/other.db' AS o", p->dir);
    assert_int_not_equal(pagedb_try(p, sql), SQLITE_OK);
    (void)sqlite3_snprintf(sizeof sql, sql, "ATTACH 'file:%s/other.db?vfs=unix' AS o", p->dir);
    assert_int_not_equal(pagedb_try(p, sql), SQLITE_OK);
    (void)sqlite3_snprintf(sizeof sql, sql, "VACUUM INTO '%s/other.db'", p->dir);
    assert_int_not_equal(pagedb_try(p, sql), SQLITE_OK);
    /* Without the authoriser the VFS still refuses files. */
    assert_int_equal(sqlite3_set_authorizer(p->db, NULL, NULL), SQLITE_OK);
    (void)sqlite3_snprintf(sizeof sql, sql, "ATTACH '%s/other.db' AS o", p->dir);
    assert_int_not_equal(pagedb_try(p, sql), SQLITE_OK);
    assert_int_not_equal(pagedb_try(p, "VACUUM INTO 'other.db'"), SQLITE_OK);
    assert_int_equal(pagedb_files(p), 2);
}

static void pagevfs_settings_that_weaken_are_refused(void **state)
{
    struct pagedb *p = *state;
    static const char *const refused[] = {
        "PRAGMA journal_mode = DELETE", "PRAGMA main.journal_mode = memory", "PRAGMA journal_mode = OFF",
        "PRAGMA mmap_size = 1000000",   "PRAGMA page_size = 8192",           "PRAGMA temp_store = FILE",
        "PRAGMA temp_store = 1",        "PRAGMA temp_store = DEFAULT",       "PRAGMA locking_mode = NORMAL",
        "PRAGMA secure_delete = OFF",   "PRAGMA secure_delete = FAST",       "PRAGMA auto_vacuum = FULL",
        "PRAGMA trusted_schema = ON",   "PRAGMA writable_schema = ON",       "PRAGMA cell_size_check = 0",
    };
    static const char *const fine[] = {
        "PRAGMA journal_mode = WAL", "PRAGMA mmap_size = 0", "PRAGMA page_size", "PRAGMA temp_store = MEMORY",
        "PRAGMA locking_mode = EXCLUSIVE", "PRAGMA cache_size = -8000", "PRAGMA user_version = 3",
    };
    pagedb_open(p, NULL);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        assert_int_equal(pagedb_try(p, refused[i]), SQLITE_ERROR);
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++)
        pagedb_exec(p, fine[i]);
    assert_non_null(strstr(sqlite3_errmsg(p->db), "not an error"));
    pagedb_exec(p, PAGEDB_ROWS);
    assert_int_equal(pagedb_files(p), 2);
}

/* A journal beside the database would be rolled back into it. */
static void pagevfs_planted_journal_is_ignored(void **state)
{
    struct pagedb *p = *state;
    char journal[100];
    static const uint8_t hot[512] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7, 0, 0, 0, 1};
    pagedb_fill(p);
    (void)sqlite3_snprintf(sizeof journal, journal, "%s-journal", p->path);
    pagedb_write(journal, hot, sizeof hot);
    pagedb_open(p, NULL);
    assert_int_equal(pagedb_int(p, "SELECT count(*) FROM t"), 2000);
    pagedb_check(p);
}

/* T1: the reserve cannot be given back, so nothing may be in it. T12: no page is ever written in part. */
static void pagevfs_refuses_to_write_what_it_could_not_give_back(void **state)
{
    struct pagedb *p = *state;
    uint8_t page[PAGE_BYTES] = {0};
    sqlite3_file *f = NULL;
    pagedb_open(p, NULL);
    pagedb_exec(p, PAGEDB_ROWS);
    assert_int_equal(sqlite3_file_control(p->db, "main", SQLITE_FCNTL_FILE_POINTER, &f), SQLITE_OK);
    page[PAGE_BYTES - 1] = 1;
    assert_int_equal(f->pMethods->xWrite(f, page, PAGE_BYTES, 5 * PAGE_BYTES), SQLITE_IOERR_WRITE);
    page[PAGE_BYTES - 1] = 0;
    assert_int_equal(f->pMethods->xWrite(f, page, 512, 5 * PAGE_BYTES), SQLITE_IOERR_WRITE);
    assert_int_equal(f->pMethods->xWrite(f, page, PAGE_BYTES, 5 * PAGE_BYTES + 1), SQLITE_IOERR_WRITE);
    assert_int_equal(f->pMethods->xWrite(f, page, PAGE_BYTES, 0), SQLITE_IOERR_WRITE); /* foreign geometry */
    pagedb_check(p);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(pagevfs_accepts_the_library_of_this_computer),
        T(pagevfs_keeps_rows_over_close_and_open),
        T(pagevfs_opens_hardened),
        T(pagevfs_create_refuses_an_existing_database),
        T(pagevfs_create_takes_over_a_creation_that_was_cut_off),
        T(pagevfs_create_refuses_beside_a_log_that_lost_its_database),
        T(pagevfs_create_on_a_full_disk_leaves_nothing),
        T(pagevfs_open_without_a_file_is_not_initialised),
        T(pagevfs_without_its_lower_vfs_fails),
        T(pagevfs_two_databases_under_two_keys_are_open_at_once),
        T(pagevfs_second_process_is_told_that_the_home_is_in_use),
        T(pagevfs_second_process_waits_its_turn),
        T(pagevfs_wrong_key_is_one_error_and_touches_nothing),
        T(pagevfs_plain_database_is_refused_and_left_alone),
        T(pagevfs_flipped_byte_is_an_error_and_never_a_wrong_row),
        T(pagevfs_flipped_byte_in_page_one_refuses_to_open),
        T(pagevfs_swapped_pages_are_refused),
        T(pagevfs_page_of_zeros_is_refused),
        T(pagevfs_short_file_is_refused),
        T(pagevfs_attach_is_refused),
        T(pagevfs_settings_that_weaken_are_refused),
        T(pagevfs_planted_journal_is_ignored),
        T(pagevfs_refuses_to_write_what_it_could_not_give_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
