/* crypto/pagevfs.h: what lies on the disk, and that SQLite works over it. T1 to T12 are the traps of
 * ../shared/notes/pagevfs.md. */
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

/* ---- nothing in clear ---- */

static void assert_nothing_in_clear(struct pagedb *p)
{
    static const char *const words[] = {"MARKER", "CREATE TABLE", "SQLite format", "sqlite_", "of the row"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        assert_false(pagedb_found(p, words[i]));
}

static void pagevfs_no_file_shows_plaintext_at_any_stage(void **state)
{
    struct pagedb *p = *state;
    assert_nothing_in_clear(p);
    pagedb_open(p, NULL);
    pagedb_exec(p, PAGEDB_ROWS);
    assert_nothing_in_clear(p);
    pagedb_exec(p, "PRAGMA cache_size = 5; BEGIN; UPDATE t SET x = x || ' MARKER again'");
    assert_nothing_in_clear(p);
    assert_int_equal(pagedb_files(p), 2); /* database and log, and no index of the log (T7, T11) */
    pagedb_exec(p, "COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
    assert_nothing_in_clear(p);
    pagedb_exec(p, "CREATE INDEX i ON t(x); VACUUM");
    assert_nothing_in_clear(p);
    pagedb_close(p);
    assert_nothing_in_clear(p);
}

/* T11: sorting, temporary tables and statement journals stay in memory. */
static void pagevfs_temporary_data_never_becomes_a_file(void **state)
{
    struct pagedb *p = *state;
    struct faultvfs *fault = faultvfs_new();
    pagedb_open(p, "fault");
    pagedb_exec(p, PAGEDB_ROWS);
    pagedb_exec(p, "PRAGMA cache_size = 5; CREATE TEMP TABLE s AS SELECT * FROM t ORDER BY x DESC;"
                   "CREATE UNIQUE INDEX u ON t(x);");
    pagedb_exec(p, "SELECT count(*) FROM (SELECT x FROM t UNION SELECT x || 'y' FROM s ORDER BY 1)");
    /* A statement that fails half way through within a transaction: rolled back from its statement journal. */
    pagedb_exec(p, "BEGIN; UPDATE t SET x = x || '!'");
    assert_int_equal(pagedb_try(p, "UPDATE t SET x = CASE WHEN id < 1900 THEN x || '?' ELSE 'same' END"),
                     SQLITE_CONSTRAINT_UNIQUE);
    pagedb_exec(p, "COMMIT");
    assert_int_equal(pagedb_int(p, "SELECT count(*) FROM t WHERE x = 'MARKER of the row ' || id || '!'"), 2000);
    assert_int_equal(fault->opens, 0);
    pagedb_check(p);
    pagedb_close(p);
    faultvfs_free(fault);
}

static void pagevfs_temporary_file_behaves_like_a_file(void **state)
{
    (void)state;
    sqlite3_file *f = calloc(1, (size_t)pagevfs_temp_size());
    char out[8];
    sqlite3_int64 size = 0;
    assert_non_null(f);
    assert_int_equal(pagevfs_temp_open(f), SQLITE_OK);
    assert_int_equal(f->pMethods->xRead(f, out, 4, 0), SQLITE_IOERR_SHORT_READ);
    assert_int_equal(f->pMethods->xWrite(f, "abcd", 4, 200000), SQLITE_OK);
    assert_int_equal(f->pMethods->xWrite(f, "xy", 2, 0), SQLITE_OK);
    assert_int_equal(f->pMethods->xRead(f, out, 4, 0), SQLITE_OK);
    assert_memory_equal(out, "xy\0\0", 4);
    assert_int_equal(f->pMethods->xRead(f, out, 8, 200000), SQLITE_IOERR_SHORT_READ);
    assert_memory_equal(out, "abcd\0\0\0\0", 8);
    assert_int_equal(f->pMethods->xTruncate(f, 200002), SQLITE_OK);
    assert_int_equal(f->pMethods->xFileSize(f, &size), SQLITE_OK);
    assert_int_equal(size, 200002);
    assert_int_equal(f->pMethods->xWrite(f, "z", 1, 200005), SQLITE_OK);
    assert_int_equal(f->pMethods->xRead(f, out, 6, 200000), SQLITE_OK);
    assert_memory_equal(out, "ab\0\0\0z", 6); /* what was cut off does not come back */
    assert_int_equal(f->pMethods->xWrite(f, "z", 1, (sqlite3_int64)1 << 40), SQLITE_FULL);
    assert_int_equal(f->pMethods->xClose(f), SQLITE_OK);
    free(f);
}

/* ---- scanning ---- */

struct scan {
    uint32_t pages;
    uint32_t hits;    /* pages with the word */
    const char *word;
};

static enum err count_page(void *ctx, uint32_t pgno, const uint8_t page[4096])
{
    struct scan *s = ctx;
    static const uint8_t zeros[PAGE_RESERVE];
    s->pages++;
    assert_int_equal(pgno, s->pages);
    assert_memory_equal(page + PAGE_CONTENT, zeros, sizeof zeros); /* T1 */
    s->hits += s->word && memmem(page, PAGE_BYTES, s->word, strlen(s->word)) != NULL;
    return ERR_OK;
}

static uint32_t scan_hits(struct pagedb *p, const char *word)
{
    struct scan s = {.word = word};
    assert_int_equal(pagevfs_scan(p->path, &p->key, count_page, &s, NULL), ERR_OK);
    assert_true(s.pages > 0);
    return s.hits;
}

static void pagevfs_scan_sees_every_page(void **state)
{
    struct pagedb *p = *state;
    size_t n = 0;
    struct scan s = {.word = "MARKER"};
    pagedb_fill(p);
    free(pagedb_read(p->path, &n));
    assert_int_equal(pagevfs_scan(p->path, &p->key, count_page, &s, NULL), ERR_OK);
    assert_int_equal(s.pages, n / PAGE_BYTES);
    assert_true(s.hits > 10);
}

static void pagevfs_scan_names_the_first_bad_page(void **state)
{
    struct pagedb *p = *state;
    struct scan s = {0};
    struct why why = {0};
    pagedb_fill(p);
    pagedb_flip(p->path, 6 * PAGE_BYTES + 77);
    assert_int_equal(pagevfs_scan(p->path, &p->key, count_page, &s, &why), ERR_TAMPERED);
    assert_non_null(strstr(why.text, "page 7 "));
    assert_int_equal(s.pages, 6);
    pagedb_flip(p->path, 6 * PAGE_BYTES + 77);
    p->key.p[0] ^= 1;
    assert_int_equal(pagevfs_scan(p->path, &p->key, count_page, &s, &why), ERR_TAMPERED);
    assert_non_null(strstr(why.text, "page 1 "));
}

static enum err give_up(void *ctx, uint32_t pgno, const uint8_t page[4096])
{
    (void)ctx;
    (void)page;
    return pgno == 3 ? ERR_LIMIT : ERR_OK;
}

static void pagevfs_scan_stops_when_told_to(void **state)
{
    struct pagedb *p = *state;
    pagedb_fill(p);
    assert_int_equal(pagevfs_scan(p->path, &p->key, give_up, NULL, NULL), ERR_LIMIT);
}

static void pagevfs_scan_refuses_an_open_database_and_a_full_log(void **state)
{
    struct pagedb *p = *state;
    struct scan s = {0};
    pagedb_open(p, NULL);
    assert_int_equal(pagevfs_scan(p->path, &p->key, count_page, &s, NULL), ERR_BUSY);
    pagedb_exec(p, PAGEDB_ROWS);
    pagedb_crash(p);
    assert_int_equal(pagevfs_scan(p->path, &p->key, count_page, &s, NULL), ERR_BUSY);
    assert_int_equal(s.pages, 0);
}

static void pagevfs_what_is_deleted_is_overwritten(void **state)
{
    struct pagedb *p = *state;
    pagedb_open(p, NULL);
    pagedb_exec(p, PAGEDB_ROWS "INSERT INTO t VALUES (9001, 'FORGET ME' || hex(zeroblob(9000)) || 'FORGET ME');"
                        "CREATE INDEX i ON t(x);");
    pagedb_close(p);
    assert_true(scan_hits(p, "FORGET ME") > 0);
    pagedb_open(p, NULL);
    pagedb_exec(p, "DELETE FROM t WHERE id = 9001");
    pagedb_close(p);
    assert_int_equal(scan_hits(p, "FORGET ME"), 0); /* free pages and free space within pages too */
    pagedb_open(p, NULL);
    pagedb_exec(p, "DELETE FROM t; VACUUM");
    pagedb_close(p);
    assert_int_equal(scan_hits(p, "MARKER"), 0);
}

/* ---- what SQLite can do, it still can ---- */

static void pagevfs_vacuum_shrinks_and_stays_encrypted(void **state)
{
    struct pagedb *p = *state;
    size_t before = 0, after = 0;
    pagedb_fill(p);
    free(pagedb_read(p->path, &before));
    pagedb_open(p, NULL);
    pagedb_exec(p, "DELETE FROM t WHERE id > 100; VACUUM");
    assert_int_equal(pagedb_int(p, "SELECT count(*) FROM t"), 100);
    pagedb_check(p);
    pagedb_close(p);
    free(pagedb_read(p->path, &after));
    assert_true(after < before / 2);
    assert_nothing_in_clear(p);
    assert_true(scan_hits(p, "MARKER") > 0); /* and T1: count_page looks at the reserve of each rebuilt page */
    pagedb_open(p, NULL);
    assert_int_equal(pagedb_int(p, "SELECT count(*) FROM t"), 100);
}

static void pagevfs_keeps_large_blobs(void **state)
{
    struct pagedb *p = *state;
    sqlite3_blob *blob = NULL;
    char part[64], want[64];
    pagedb_open(p, NULL);
    pagedb_exec(p, "CREATE TABLE b(id INTEGER PRIMARY KEY, v BLOB);"
                   "INSERT INTO b VALUES (1, zeroblob(3000000)), (2, randomblob(1048576)), (3, randomblob(4056))");
    assert_int_equal(sqlite3_blob_open(p->db, "main", "b", "v", 1, 1, &blob), SQLITE_OK);
    memset(want, 'q', sizeof want);
    assert_int_equal(sqlite3_blob_write(blob, want, sizeof want, 2500000), SQLITE_OK);
    assert_int_equal(sqlite3_blob_close(blob), SQLITE_OK);
    pagedb_exec(p, "CREATE TEMP TABLE copy AS SELECT * FROM b; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA shrink_memory");
    assert_int_equal(pagedb_int(p, "SELECT count(*) FROM b JOIN copy USING (id) WHERE b.v = copy.v"), 3);
    pagedb_close(p);
    pagedb_open(p, NULL);
    assert_int_equal(sqlite3_blob_open(p->db, "main", "b", "v", 1, 0, &blob), SQLITE_OK);
    assert_int_equal(sqlite3_blob_read(blob, part, sizeof part, 2500000), SQLITE_OK);
    assert_int_equal(sqlite3_blob_close(blob), SQLITE_OK);
    assert_memory_equal(part, want, sizeof want);
    pagedb_check(p);
}

static void pagevfs_full_text_search_works(void **state)
{
    struct pagedb *p = *state;
    pagedb_open(p, NULL);
    pagedb_exec(p, "CREATE VIRTUAL TABLE f USING fts5(body);"
                   "INSERT INTO f VALUES ('a small harbour town'), ('the school in the hills');");
    pagedb_close(p);
    pagedb_open(p, NULL);
    assert_int_equal(pagedb_int(p, "SELECT rowid FROM f WHERE f MATCH 'hills'"), 2);
    assert_false(pagedb_found(p, "harbour"));
}

static void pagevfs_full_disk_is_reported_and_loses_nothing(void **state)
{
    struct pagedb *p = *state;
    struct faultvfs *fault = faultvfs_new();
    pagedb_open(p, "fault");
    pagedb_exec(p, PAGEDB_ROWS);
    fault->full_after = 0;
    assert_int_equal(pagedb_try(p, "UPDATE t SET x = 'new'") & 0xff, SQLITE_FULL);
    fault->full_after = -1;
    assert_int_equal(pagedb_int(p, "SELECT count(*) FROM t WHERE x LIKE 'MARKER%'"), 2000);
    pagedb_exec(p, "UPDATE t SET x = 'new' WHERE id <= 10");
    pagedb_close(p);
    faultvfs_free(fault);
    pagedb_open(p, NULL);
    assert_int_equal(pagedb_int(p, "SELECT count(*) FROM t WHERE x = 'new'"), 10);
    pagedb_check(p);
}

/* T12: a promise of the file below about its own writes is none about ours; preallocated zeros are not pages. */
static void pagevfs_passes_on_no_promise_that_it_cannot_keep(void **state)
{
    struct pagedb *p = *state;
    struct faultvfs *fault = faultvfs_new();
    sqlite3_file *f = NULL;
    sqlite3_int64 mapped = 1 << 20;
    int chunk = 1 << 20;
    fault->traits = 0xffff;
    pagedb_open(p, "fault");
    assert_int_equal(sqlite3_file_control(p->db, "main", SQLITE_FCNTL_FILE_POINTER, &f), SQLITE_OK);
    int traits = f->pMethods->xDeviceCharacteristics(f);
    assert_int_equal(traits & (SQLITE_IOCAP_ATOMIC | SQLITE_IOCAP_ATOMIC4K | SQLITE_IOCAP_BATCH_ATOMIC |
                               SQLITE_IOCAP_IMMUTABLE), 0);
    assert_int_equal(f->pMethods->iVersion, 1);
    assert_int_equal(sqlite3_file_control(p->db, "main", SQLITE_FCNTL_MMAP_SIZE, &mapped), SQLITE_OK);
    assert_int_equal(mapped, 0);
    assert_int_equal(sqlite3_file_control(p->db, "main", SQLITE_FCNTL_CHUNK_SIZE, &chunk), SQLITE_OK);
    pagedb_exec(p, PAGEDB_ROWS);
    pagedb_close(p);
    faultvfs_free(fault);
    assert_true(scan_hits(p, "MARKER") > 0); /* no page of zeros anywhere */
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(pagevfs_no_file_shows_plaintext_at_any_stage),
        T(pagevfs_temporary_data_never_becomes_a_file),
        T(pagevfs_temporary_file_behaves_like_a_file),
        T(pagevfs_scan_sees_every_page),
        T(pagevfs_scan_names_the_first_bad_page),
        T(pagevfs_scan_stops_when_told_to),
        T(pagevfs_scan_refuses_an_open_database_and_a_full_log),
        T(pagevfs_what_is_deleted_is_overwritten),
        T(pagevfs_vacuum_shrinks_and_stays_encrypted),
        T(pagevfs_keeps_large_blobs),
        T(pagevfs_full_text_search_works),
        T(pagevfs_full_disk_is_reported_and_loses_nothing),
        T(pagevfs_passes_on_no_promise_that_it_cannot_keep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
