/* crypto/pagevfs.h: pages of the database that are read before SQLite asks for them. */
#include "tests/lib/pagefiles.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define PAGES 40

static int read_db(struct pagefiles *f, int pgno, uint8_t page[PAGE_BYTES])
{
    return f->db->pMethods->xRead(f->db, page, (int)PAGE_BYTES, (sqlite3_int64)(pgno - 1) * PAGE_BYTES);
}

static void write_db(struct pagefiles *f, int pgno, char fill)
{
    uint8_t page[PAGE_BYTES];
    pagefiles_make(page, fill);
    assert_int_equal(f->db->pMethods->xWrite(f->db, page, (int)PAGE_BYTES, (sqlite3_int64)(pgno - 1) * PAGE_BYTES),
                     SQLITE_OK);
}

static void assert_db_page(struct pagefiles *f, int pgno, char fill)
{
    uint8_t want[PAGE_BYTES], got[PAGE_BYTES];
    pagefiles_make(want, fill);
    assert_int_equal(read_db(f, pgno, got), SQLITE_OK);
    assert_memory_equal(got, want, sizeof want);
}

/* Pages 2 to PAGES, each of another content. */
static void fill_db(struct pagefiles *f)
{
    for (int i = 2; i <= PAGES; i++) write_db(f, i, (char)i);
    f->fault->reads = 0;
}

static void pagevfs_scan_reads_many_pages_at_once(void **state)
{
    struct pagefiles *f = *state;
    uint8_t page[PAGE_BYTES];
    fill_db(f);
    for (int i = 2; i <= PAGES; i++) assert_db_page(f, i, (char)i);
    assert_true(f->fault->reads <= 6);
    assert_int_equal(read_db(f, PAGES + 1, page), SQLITE_IOERR_SHORT_READ);
}

static void pagevfs_single_reads_read_nothing_ahead(void **state)
{
    struct pagefiles *f = *state;
    int reads = 0;
    fill_db(f);
    for (int i = PAGES; i >= 2; i -= 3, reads++) assert_db_page(f, i, (char)i);
    for (int i = 2; i + 7 <= PAGES; i += 7, reads++) assert_db_page(f, i, (char)i);
    assert_int_equal(f->fault->reads, reads);
}

static void pagevfs_page_that_is_written_is_not_read_from_before(void **state)
{
    struct pagefiles *f = *state;
    fill_db(f);
    for (int i = 2; i < 8; i++) assert_db_page(f, i, (char)i);
    write_db(f, 8, 'n');
    assert_db_page(f, 8, 'n');
    assert_db_page(f, 9, 9);
}

static void pagevfs_page_that_was_cut_off_is_not_read_from_before(void **state)
{
    struct pagefiles *f = *state;
    uint8_t page[PAGE_BYTES];
    fill_db(f);
    for (int i = 2; i < 8; i++) assert_db_page(f, i, (char)i);
    assert_int_equal(f->db->pMethods->xTruncate(f->db, 8 * (sqlite3_int64)PAGE_BYTES), SQLITE_OK);
    assert_db_page(f, 8, 8);
    assert_int_equal(read_db(f, 9, page), SQLITE_IOERR_SHORT_READ);
}

/* Another process had its turn between two locks. */
static void pagevfs_page_that_another_process_wrote_is_read_anew(void **state)
{
    struct pagefiles *f = *state;
    uint8_t page[PAGE_BYTES];
    size_t n = 0;
    fill_db(f);
    write_db(f, 8, 'n');
    uint8_t *theirs = pagedb_read(f->p->path, &n);
    write_db(f, 8, 8);
    for (int i = 2; i < 8; i++) assert_db_page(f, i, (char)i);
    assert_int_equal(f->db->pMethods->xUnlock(f->db, SQLITE_LOCK_NONE), SQLITE_OK);
    pagedb_write(f->p->path, theirs, n);
    assert_int_equal(f->db->pMethods->xLock(f->db, SQLITE_LOCK_SHARED), SQLITE_OK);
    assert_db_page(f, 8, 'n');
    assert_int_equal(f->db->pMethods->xUnlock(f->db, SQLITE_LOCK_NONE), SQLITE_OK);
    assert_int_equal(read_db(f, 9, page), SQLITE_OK);
    free(theirs);
}

static void pagevfs_damage_ahead_of_a_scan_is_an_error_when_it_is_reached(void **state)
{
    struct pagefiles *f = *state;
    uint8_t page[PAGE_BYTES];
    static const uint8_t zeros[PAGE_BYTES];
    fill_db(f);
    pagedb_flip(f->p->path, 9 * (size_t)PAGE_BYTES + 1234);
    for (int i = 2; i <= PAGES; i++) {
        if (i != 10) {
            assert_db_page(f, i, (char)i);
            continue;
        }
        assert_int_equal(read_db(f, i, page), SQLITE_IOERR_DATA);
        assert_memory_equal(page, zeros, sizeof page);
    }
}

static void pagevfs_disk_that_cannot_read_ahead_still_reads_what_is_asked_for(void **state)
{
    struct pagefiles *f = *state;
    fill_db(f);
    assert_db_page(f, 2, 2);
    f->fault->fail_read = 0; /* the four at once that come next */
    for (int i = 3; i <= PAGES; i++) assert_db_page(f, i, (char)i);
    assert_int_equal(f->fault->fail_read, -1);
}

/* A file whose last page is cut short: damage, and no reason to refuse the pages before it. */
static void pagevfs_scan_up_to_a_page_cut_short_ends_in_an_error(void **state)
{
    struct pagefiles *f = *state;
    uint8_t page[PAGE_BYTES];
    size_t n = 0;
    fill_db(f);
    uint8_t *db = pagedb_read(f->p->path, &n);
    pagedb_write(f->p->path, db, n - 100);
    for (int i = 2; i < PAGES; i++) assert_db_page(f, i, (char)i);
    assert_int_equal(read_db(f, PAGES, page), SQLITE_IOERR_DATA);
    free(db);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, pagefiles_setup, pagefiles_teardown)
    const struct CMUnitTest tests[] = {
        T(pagevfs_scan_reads_many_pages_at_once),
        T(pagevfs_single_reads_read_nothing_ahead),
        T(pagevfs_page_that_is_written_is_not_read_from_before),
        T(pagevfs_page_that_was_cut_off_is_not_read_from_before),
        T(pagevfs_page_that_another_process_wrote_is_read_anew),
        T(pagevfs_damage_ahead_of_a_scan_is_an_error_when_it_is_reached),
        T(pagevfs_disk_that_cannot_read_ahead_still_reads_what_is_asked_for),
        T(pagevfs_scan_up_to_a_page_cut_short_ends_in_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
