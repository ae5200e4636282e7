/* crypto/pagevfs.h: frames of the log that are gathered and written many at once. T4 and T5 are traps of
 * ../shared/notes/pagevfs.md. Most of this talks to the log as SQLite does. */
#include "tests/lib/pagefiles.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

/* ---- frames ---- */

static sqlite3_int64 frame_at(int i)
{
    return WAL_HEAD_BYTES + (sqlite3_int64)i * FRAME_BYTES;
}

static int write_log(struct pagefiles *f, const void *in, int n, sqlite3_int64 at)
{
    return f->log->pMethods->xWrite(f->log, in, n, at);
}

static void begin_log(struct pagefiles *f, char salt)
{
    uint8_t head[WAL_HEAD_BYTES] = {0x37, 0x7f, 6, 0x82, 0, 0x2d, 0xe2, 0x18, 0, 0, 0x10, 0};
    memset(head + 16, salt, 8);
    assert_int_equal(write_log(f, head, sizeof head, 0), SQLITE_OK);
    f->fault->writes = 0;
}

/* Of frame i: page number i + 2, and what a header holds besides. `salt` 0: put off until the commit (T4). */
static void make_head(uint8_t head[FRAME_HEAD_BYTES], int i, int commit, char salt)
{
    memset(head, 0, FRAME_HEAD_BYTES);
    head[3] = (uint8_t)(i + 2);
    head[7] = (uint8_t)commit;
    memset(head + 8, salt, 8);
    memset(head + 16, salt != 0 ? 'c' : 0, 8);
}

static int write_head(struct pagefiles *f, int i, int commit, char salt)
{
    uint8_t head[FRAME_HEAD_BYTES];
    make_head(head, i, commit, salt);
    return write_log(f, head, sizeof head, frame_at(i));
}

static int write_page(struct pagefiles *f, int i, char fill)
{
    uint8_t page[PAGE_BYTES];
    pagefiles_make(page, fill);
    return write_log(f, page, sizeof page, frame_at(i) + FRAME_HEAD_BYTES);
}

static void write_frame(struct pagefiles *f, int i, int commit, char fill)
{
    assert_int_equal(write_head(f, i, commit, 's'), SQLITE_OK);
    assert_int_equal(write_page(f, i, fill), SQLITE_OK);
}

static size_t bytes_on_disk(struct pagefiles *f)
{
    size_t n = 0;
    free(pagedb_read(f->p->wal, &n));
    return n;
}

static void assert_frame(struct pagefiles *f, int i, int commit, char salt, char fill)
{
    uint8_t want[FRAME_BYTES], got[FRAME_BYTES];
    make_head(want, i, commit, salt);
    pagefiles_make(want + FRAME_HEAD_BYTES, fill);
    assert_int_equal(f->log->pMethods->xRead(f->log, got, FRAME_BYTES, frame_at(i)), SQLITE_OK);
    assert_memory_equal(got, want, sizeof want);
}

static void pagevfs_commit_is_on_its_way_when_its_last_write_returns(void **state)
{
    struct pagefiles *f = *state;
    begin_log(f, 's');
    for (int i = 0; i < 5; i++) write_frame(f, i, 0, (char)('a' + i));
    write_frame(f, 5, 7, 'f');
    assert_int_equal(bytes_on_disk(f), frame_at(6));
    assert_int_equal(f->fault->writes, 1);
    pagefiles_reopen_log(f);
    for (int i = 0; i < 5; i++) assert_frame(f, i, 0, 's', (char)('a' + i));
    assert_frame(f, 5, 7, 's', 'f');
}

static void pagevfs_header_that_waits_for_its_page_is_on_the_disk_after_a_sync(void **state)
{
    struct pagefiles *f = *state;
    uint8_t head[FRAME_HEAD_BYTES], got[FRAME_HEAD_BYTES];
    begin_log(f, 's');
    assert_int_equal(write_head(f, 0, 7, 's'), SQLITE_OK);
    assert_int_equal(f->fault->writes, 0);
    assert_int_equal(f->log->pMethods->xSync(f->log, SQLITE_SYNC_NORMAL), SQLITE_OK);
    assert_int_equal(bytes_on_disk(f), frame_at(0) + FRAME_HEAD_BYTES);
    assert_int_equal(write_page(f, 0, 'p'), SQLITE_OK);
    pagefiles_reopen_log(f);
    make_head(head, 0, 7, 's');
    assert_int_equal(f->log->pMethods->xRead(f->log, got, sizeof got, frame_at(0)), SQLITE_OK);
    assert_memory_equal(got, head, sizeof got);
    assert_frame(f, 0, 7, 's', 'p');
}

static void pagevfs_header_that_waits_for_its_page_is_read_as_it_was_written(void **state)
{
    struct pagefiles *f = *state;
    uint8_t head[FRAME_HEAD_BYTES], got[8];
    begin_log(f, 's');
    make_head(head, 0, 7, 's');
    assert_int_equal(write_head(f, 0, 7, 's'), SQLITE_OK);
    assert_int_equal(f->log->pMethods->xRead(f->log, got, sizeof got, frame_at(0) + 16), SQLITE_OK);
    assert_memory_equal(got, head + 16, sizeof got);
    assert_int_equal(write_page(f, 0, 'p'), SQLITE_OK);
    assert_frame(f, 0, 7, 's', 'p');
}

static void pagevfs_frames_that_wait_count_in_the_size_and_go_out_on_close(void **state)
{
    struct pagefiles *f = *state;
    sqlite3_int64 size = 0;
    begin_log(f, 's');
    write_frame(f, 0, 0, 'a');
    assert_int_equal(write_head(f, 1, 0, 's'), SQLITE_OK);
    assert_int_equal(bytes_on_disk(f), WAL_HEAD_BYTES);
    assert_int_equal(f->log->pMethods->xFileSize(f->log, &size), SQLITE_OK);
    assert_int_equal(size, frame_at(1) + FRAME_HEAD_BYTES);
    assert_int_equal(write_page(f, 1, 'b'), SQLITE_OK);
    assert_int_equal(write_head(f, 2, 0, 's'), SQLITE_OK);
    pagefiles_reopen_log(f);
    assert_int_equal(bytes_on_disk(f), frame_at(2) + FRAME_HEAD_BYTES);
    assert_frame(f, 0, 0, 's', 'a');
    assert_frame(f, 1, 0, 's', 'b');
}

static void pagevfs_frames_that_wait_are_gone_when_the_log_is_cut_off_before_them(void **state)
{
    struct pagefiles *f = *state;
    begin_log(f, 's');
    write_frame(f, 0, 7, 'a');
    write_frame(f, 1, 0, 'b');
    assert_int_equal(write_head(f, 2, 0, 's'), SQLITE_OK);
    f->fault->full_after = 0; /* there is nothing to write */
    assert_int_equal(f->log->pMethods->xTruncate(f->log, frame_at(1)), SQLITE_OK);
    f->fault->full_after = -1;
    pagefiles_reopen_log(f);
    assert_int_equal(bytes_on_disk(f), frame_at(1));
    assert_frame(f, 0, 7, 's', 'a');
    write_frame(f, 1, 0, 'c');
    assert_int_equal(f->log->pMethods->xTruncate(f->log, frame_at(1) + 100), SQLITE_OK);
    assert_int_equal(bytes_on_disk(f), frame_at(1) + 100);
    write_frame(f, 1, 0, 'd');
    begin_log(f, 't'); /* a log begun anew: what waited belongs to the one before */
    pagefiles_reopen_log(f);
    assert_int_equal(bytes_on_disk(f), frame_at(1) + 100);
}

/* T4: rewritten at commit, after all pages; another process, or a recovery, must find them. */
static void pagevfs_header_that_is_written_again_goes_out_at_once(void **state)
{
    struct pagefiles *f = *state;
    begin_log(f, 's');
    write_frame(f, 0, 0, 'a');
    assert_int_equal(write_page(f, 0, 'b'), SQLITE_OK); /* overwritten while its frame waits */
    assert_int_equal(write_head(f, 1, 7, 0), SQLITE_OK);
    assert_int_equal(write_page(f, 1, 'c'), SQLITE_OK);
    assert_frame(f, 0, 0, 's', 'b');
    assert_int_equal(write_head(f, 0, 0, 's'), SQLITE_OK);
    assert_frame(f, 1, 7, 0, 'c');
    f->fault->writes = 0;
    assert_int_equal(write_head(f, 1, 7, 's'), SQLITE_OK);
    assert_int_equal(f->fault->writes, 1);
    pagefiles_reopen_log(f);
    assert_frame(f, 0, 0, 's', 'b');
    assert_frame(f, 1, 7, 's', 'c');
}

/* T4: the log may have been begun by another process since this one looked at its header. */
static void pagevfs_header_without_salts_stands_for_those_of_the_header_before_it(void **state)
{
    struct pagefiles *f = *state;
    begin_log(f, 'o');
    write_frame(f, 0, 0, 'a'); /* salts 's' */
    assert_int_equal(write_head(f, 1, 7, 0), SQLITE_OK);
    assert_int_equal(write_page(f, 1, 'b'), SQLITE_OK);
    assert_int_equal(write_head(f, 1, 7, 's'), SQLITE_OK);
    size_t n = 0;
    uint8_t *log = pagedb_read(f->p->wal, &n);
    memset(log + 16, 's', 8); /* as that other process wrote it */
    pagedb_write(f->p->wal, log, n);
    free(log);
    pagefiles_reopen_log(f);
    assert_frame(f, 1, 7, 's', 'b');
}

/* T5: what was on the disk when a sync returned is never touched again. */
static void pagevfs_piece_of_a_page_that_was_synced_stays_as_it_is(void **state)
{
    struct pagefiles *f = *state;
    uint8_t page[PAGE_BYTES];
    size_t n = 0, m = 0;
    const sqlite3_int64 body = frame_at(1) + FRAME_HEAD_BYTES;
    pagefiles_make(page, 'p');
    begin_log(f, 's');
    write_frame(f, 0, 0, 'a');
    assert_int_equal(write_head(f, 1, 7, 's'), SQLITE_OK);
    assert_int_equal(write_log(f, page, 1000, body), SQLITE_OK);
    assert_int_equal(f->log->pMethods->xSync(f->log, SQLITE_SYNC_NORMAL), SQLITE_OK);
    uint8_t *before = pagedb_read(f->p->wal, &n);
    assert_int_equal(n, body + 1000);
    assert_int_equal(write_log(f, page + 1000, (int)PAGE_BYTES - 1000, body + 1000), SQLITE_OK);
    uint8_t *after = pagedb_read(f->p->wal, &m);
    assert_int_equal(m, frame_at(2));
    assert_memory_equal(before, after, n);
    free(before);
    free(after);
    pagefiles_reopen_log(f);
    assert_frame(f, 0, 0, 's', 'a');
    assert_frame(f, 1, 7, 's', 'p');
}

/* ---- disks that are full ---- */

static void pagevfs_commit_that_failed_does_not_go_out_later(void **state)
{
    struct pagefiles *f = *state;
    begin_log(f, 's');
    write_frame(f, 0, 0, 'a');
    assert_int_equal(write_head(f, 1, 7, 's'), SQLITE_OK);
    f->fault->full_after = 0;
    assert_int_equal(write_page(f, 1, 'b'), SQLITE_FULL);
    f->fault->full_after = -1;
    assert_int_equal(f->log->pMethods->xSync(f->log, SQLITE_SYNC_NORMAL), SQLITE_OK);
    assert_int_equal(bytes_on_disk(f), WAL_HEAD_BYTES);
    write_frame(f, 0, 7, 'c');
    pagefiles_reopen_log(f);
    assert_int_equal(bytes_on_disk(f), frame_at(1));
    assert_frame(f, 0, 7, 's', 'c');
}

/* A read that fails need not end the transaction: its frames must still be there. */
static void pagevfs_frames_that_could_not_go_out_for_a_read_are_kept(void **state)
{
    struct pagefiles *f = *state;
    uint8_t page[PAGE_BYTES];
    begin_log(f, 's');
    write_frame(f, 0, 0, 'a');
    f->fault->full_after = 0;
    assert_int_equal(f->log->pMethods->xRead(f->log, page, sizeof page, frame_at(0) + FRAME_HEAD_BYTES), SQLITE_FULL);
    f->fault->full_after = -1;
    write_frame(f, 1, 7, 'b');
    assert_frame(f, 0, 0, 's', 'a');
    assert_frame(f, 1, 7, 's', 'b');
}

static void pagevfs_sync_that_could_not_write_forgets_what_waited(void **state)
{
    struct pagefiles *f = *state;
    begin_log(f, 's');
    write_frame(f, 0, 0, 'a');
    f->fault->full_after = 0;
    assert_int_equal(f->log->pMethods->xSync(f->log, SQLITE_SYNC_NORMAL), SQLITE_FULL);
    f->fault->full_after = -1;
    pagefiles_reopen_log(f);
    assert_int_equal(bytes_on_disk(f), WAL_HEAD_BYTES);
}

/* ---- several processes ---- */

static void pagevfs_nothing_waits_where_another_process_may_write(void **state)
{
    struct pagefiles *f = *state;
    uint8_t odd[PAGE_BYTES] = {0};
    f->v->shared = true;
    begin_log(f, 's');
    for (int i = 0; i < 3; i++) {
        write_frame(f, i, 0, (char)('a' + i));
        assert_int_equal(bytes_on_disk(f), frame_at(i + 1));
    }
    assert_int_equal(f->fault->writes, 3);
    odd[PAGE_BYTES - 1] = 1; /* a page that is refused: its header must not come out later either */
    assert_int_equal(write_head(f, 3, 7, 's'), SQLITE_OK);
    assert_int_equal(write_log(f, odd, sizeof odd, frame_at(3) + FRAME_HEAD_BYTES), SQLITE_IOERR_WRITE);
    pagefiles_reopen_log(f);
    assert_int_equal(bytes_on_disk(f), frame_at(3));
    f->v->shared = false;
}

/* ---- under SQLite ---- */

static void pagevfs_large_transaction_takes_few_writes(void **state)
{
    struct pagefiles *f = *state;
    pagefiles_close(f);
    pagedb_open(f->p, "fault");
    pagedb_exec(f->p, "PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = 2000;" PAGEDB_ROWS
                      "CREATE TABLE big(x); INSERT INTO big SELECT randomblob(3000) FROM t LIMIT 1000");
    size_t frames = bytes_on_disk(f) / (size_t)FRAME_BYTES;
    assert_true(frames > 1000);
    assert_true((size_t)f->fault->writes < frames / 8);
    pagedb_check(f->p);
    pagedb_close(f->p);
}

/* Nothing is synced here, as at synchronous NORMAL nothing of a commit is: it must be out when COMMIT returns. */
static void pagevfs_process_that_dies_behind_a_commit_loses_nothing_of_it(void **state)
{
    struct pagefiles *f = *state;
    struct pagedb *p = f->p;
    const char *const modes[] = {"PRAGMA synchronous = NORMAL", "PRAGMA synchronous = OFF"};
    pagefiles_close(f);
    for (int i = 0; i < 2; i++) {
        pagedb_open(p, "fault");
        pagedb_exec(p, "DROP TABLE IF EXISTS t; PRAGMA wal_autocheckpoint = 0");
        pagedb_exec(p, modes[i]);
        pagedb_exec(p, PAGEDB_ROWS "INSERT INTO t VALUES (2001, 'one more')");
        pagedb_crash(p);
        pagedb_open(p, "fault");
        assert_int_equal(pagedb_int(p, "SELECT count(*) FROM t"), 2001);
        pagedb_exec(p, modes[i]);
        /* Spilled, and overwritten in the log (T4). */
        pagedb_exec(p, "PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = 4; BEGIN; UPDATE t SET x = x || 'a';"
                       "UPDATE t SET x = x || 'b'; COMMIT");
        pagedb_crash(p);
        pagedb_open(p, "fault");
        assert_int_equal(pagedb_int(p, "SELECT count(*) FROM t WHERE x LIKE '%ab'"), 2001);
        pagedb_check(p);
        pagedb_close(p);
    }
}

static void pagevfs_transaction_that_a_full_disk_stopped_does_not_come_back(void **state)
{
    struct pagefiles *f = *state;
    struct pagedb *p = f->p;
    pagefiles_close(f);
    for (int spill = 0; spill < 2; spill++) {
        pagedb_open(p, "fault");
        pagedb_exec(p, "DROP TABLE IF EXISTS t; PRAGMA wal_autocheckpoint = 0;" PAGEDB_ROWS);
        if (spill) pagedb_exec(p, "PRAGMA cache_size = 4");
        for (int room = 0; room < 6; room++) {
            f->fault->full_after = room;
            int rc = pagedb_try(p, "UPDATE t SET x = 'never'");
            f->fault->full_after = -1;
            if (rc == SQLITE_OK) { /* there was room enough */
                pagedb_exec(p, "UPDATE t SET x = 'MARKER of the row ' || id");
                continue;
            }
            assert_int_equal(rc & 0xff, SQLITE_FULL);
            assert_int_equal(pagedb_int(p, "SELECT count(*) FROM t WHERE x LIKE 'MARKER%'"), 2000);
        }
        pagedb_exec(p, "INSERT INTO t VALUES (2001, 'MARKER')");
        pagedb_crash(p);
        pagedb_open(p, "fault");
        assert_int_equal(pagedb_int(p, "SELECT count(*) FROM t WHERE x LIKE 'MARKER%'"), 2001);
        pagedb_check(p);
        pagedb_close(p);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, pagefiles_setup, pagefiles_teardown)
    const struct CMUnitTest tests[] = {
        T(pagevfs_commit_is_on_its_way_when_its_last_write_returns),
        T(pagevfs_header_that_waits_for_its_page_is_on_the_disk_after_a_sync),
        T(pagevfs_header_that_waits_for_its_page_is_read_as_it_was_written),
        T(pagevfs_frames_that_wait_count_in_the_size_and_go_out_on_close),
        T(pagevfs_frames_that_wait_are_gone_when_the_log_is_cut_off_before_them),
        T(pagevfs_header_that_is_written_again_goes_out_at_once),
        T(pagevfs_header_without_salts_stands_for_those_of_the_header_before_it),
        T(pagevfs_piece_of_a_page_that_was_synced_stays_as_it_is),
        T(pagevfs_commit_that_failed_does_not_go_out_later),
        T(pagevfs_frames_that_could_not_go_out_for_a_read_are_kept),
        T(pagevfs_sync_that_could_not_write_forgets_what_waited),
        T(pagevfs_nothing_waits_where_another_process_may_write),
        T(pagevfs_large_transaction_takes_few_writes),
        T(pagevfs_process_that_dies_behind_a_commit_loses_nothing_of_it),
        T(pagevfs_transaction_that_a_full_disk_stopped_does_not_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
