/* crypto/pagevfs.h: the log and its recovery. T1 to T12 are the traps of ../shared/notes/pagevfs.md. */
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

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* n transactions of one row each, the log not checkpointed. */
static void commits(struct pagedb *p, int n)
{
    pagedb_exec(p, "PRAGMA wal_autocheckpoint = 0; CREATE TABLE t(id INTEGER PRIMARY KEY, x TEXT)");
    for (int i = 0; i < n; i++)
        pagedb_exec(p, "INSERT INTO t(x) VALUES ('MARKER' || hex(randomblob(300)))");
}

static void pagevfs_log_that_was_not_checkpointed_is_kept_whole(void **state)
{
    struct pagedb *p = *state;
    pagedb_open(p, NULL);
    commits(p, 50);
    pagedb_crash(p);
    pagedb_open(p, NULL);
    assert_int_equal(pagedb_int(p, "SELECT count(*) FROM t"), 50);
    pagedb_check(p);
}

/* ---- torn pages and damaged logs ---- */

/* T3: a checkpoint that stops half way through page 1. */
static void tear_page_one(struct pagedb *p, size_t from, size_t to)
{
    size_t n = 0;
    uint8_t *db = pagedb_read(p->path, &n);
    for (size_t i = from; i < to; i++)
        db[i] ^= 0x5a;
    pagedb_write(p->path, db, n);
    free(db);
}

static void pagevfs_torn_page_one_heals_from_the_log(void **state)
{
    struct pagedb *p = *state;
    pagedb_open(p, NULL);
    commits(p, 20);
    pagedb_crash(p);
    tear_page_one(p, 512, 4096);
    pagedb_open(p, NULL);
    assert_int_equal(pagedb_int(p, "SELECT count(*) FROM t"), 20);
    pagedb_check(p);
    pagedb_close(p);
    pagedb_open(p, NULL);
    assert_int_equal(pagedb_int(p, "SELECT count(*) FROM t"), 20);
}

static void pagevfs_page_one_torn_with_its_prefix_heals_too(void **state)
{
    struct pagedb *p = *state;
    pagedb_open(p, NULL);
    commits(p, 20);
    pagedb_crash(p);
    tear_page_one(p, 0, 512);
    pagedb_open(p, NULL);
    assert_int_equal(pagedb_int(p, "SELECT count(*) FROM t"), 20);
    pagedb_check(p);
}

/* The log cannot vouch for a wrong key. */
static void pagevfs_page_one_torn_and_a_wrong_key_touches_nothing(void **state)
{
    struct pagedb *p = *state;
    size_t n = 0, m = 0;
    sqlite3 *db = NULL;
    pagedb_open(p, NULL);
    commits(p, 20);
    pagedb_crash(p);
    tear_page_one(p, 0, 512);
    uint8_t *before = pagedb_read(p->wal, &n);
    p->key.p[0] ^= 1;
    assert_int_equal(pagevfs_open(&db, p->path, NULL, &p->key, NULL), ERR_TAMPERED);
    p->key.p[0] ^= 1;
    uint8_t *after = pagedb_read(p->wal, &m);
    assert_int_equal(n, m);
    assert_memory_equal(before, after, n);
    free(before);
    free(after);
}

static void pagevfs_damage_behind_the_last_commit_loses_nothing(void **state)
{
    struct pagedb *p = *state;
    size_t n = 0;
    pagedb_open(p, NULL);
    commits(p, 12);
    /* Spilled into the log, and not committed. */
    pagedb_exec(p, "PRAGMA cache_size = 5; BEGIN; UPDATE t SET x = x || hex(randomblob(4000))");
    size_t before = 0;
    free(pagedb_read(p->wal, &before));
    uint8_t *db = pagedb_read(p->path, &n), *wal = pagedb_read(p->wal, &before);
    pagedb_close(p);
    size_t last = 0; /* end of the last commit frame */
    for (size_t at = WAL_HEAD_BYTES; at + (size_t)FRAME_BYTES <= before; at += (size_t)FRAME_BYTES)
        if (be32(wal + at + 4) != 0)
            last = at + (size_t)FRAME_BYTES;
    assert_true(last > 0 && last < before);
    for (int kind = 0; kind < 5; kind++) {
        uint8_t *torn = malloc(before);
        size_t keep = kind == 0 ? last + 100 : kind == 1 ? last + 5000 : before;
        assert_non_null(torn);
        memcpy(torn, wal, before);
        if (kind == 2)
            memset(torn + last, 0xa5, before - last);
        if (kind == 3)
            memset(torn + last + 512, 0, 512);
        if (kind == 4)
            torn[last + 30] ^= 1;
        pagedb_write(p->path, db, n);
        pagedb_write(p->wal, torn, keep < before ? keep : before);
        pagedb_open(p, NULL);
        assert_int_equal(pagedb_int(p, "SELECT count(*) FROM t WHERE length(x) = 606"), 12);
        pagedb_check(p);
        pagedb_close(p);
        free(torn);
    }
    free(db);
    free(wal);
}

/* T6: an attacker can make SQLite's checksums right, so no byte that is not authentic may reach SQLite. */
static void pagevfs_damage_in_the_log_rolls_back_to_whole_transactions(void **state)
{
    struct pagedb *p = *state;
    size_t n = 0, m = 0;
    pagedb_open(p, NULL);
    commits(p, 20);
    uint8_t *db = pagedb_read(p->path, &n), *wal = pagedb_read(p->wal, &m);
    pagedb_close(p);
    sqlite3_int64 least = 20;
    for (size_t at = WAL_HEAD_BYTES + 4 * (size_t)FRAME_BYTES; at < m; at += 2777) {
        wal[at] ^= 1;
        pagedb_write(p->path, db, n);
        pagedb_write(p->wal, wal, m);
        wal[at] ^= 1;
        pagedb_open(p, NULL);
        sqlite3_int64 rows = pagedb_int(p, "SELECT count(*) FROM t");
        assert_int_equal(pagedb_int(p, "SELECT count(*) FROM t WHERE x LIKE 'MARKER%' AND length(x) = 606"), rows);
        assert_true(rows < 20);
        least = rows < least ? rows : least;
        pagedb_check(p);
        pagedb_close(p);
    }
    assert_true(least < 5);
    free(db);
    free(wal);
}

static void pagevfs_frame_moved_within_the_log_is_refused(void **state)
{
    struct pagedb *p = *state;
    size_t n = 0, m = 0;
    pagedb_open(p, NULL);
    commits(p, 10);
    uint8_t *db = pagedb_read(p->path, &n), *wal = pagedb_read(p->wal, &m);
    pagedb_close(p);
    uint8_t *frames = wal + WAL_HEAD_BYTES;
    memcpy(frames + 5 * (size_t)FRAME_BYTES, frames + 3 * (size_t)FRAME_BYTES, (size_t)FRAME_BYTES);
    pagedb_write(p->path, db, n);
    pagedb_write(p->wal, wal, m);
    pagedb_open(p, NULL);
    assert_true(pagedb_int(p, "SELECT count(*) FROM t") < 10);
    pagedb_check(p);
    free(db);
    free(wal);
}

static void pagevfs_log_of_a_plain_database_is_taken_for_none(void **state)
{
    struct pagedb *p = *state;
    uint8_t head[WAL_HEAD_BYTES] = {0x37, 0x7f, 6, 0x82, 0, 0x2d, 0xe2, 0x18, 0, 0, 4, 0};
    pagedb_open(p, NULL);
    pagedb_exec(p, "CREATE TABLE t(x); INSERT INTO t VALUES (1)");
    pagedb_close(p);
    pagedb_write(p->wal, head, sizeof head);
    pagedb_open(p, NULL);
    assert_int_equal(pagedb_int(p, "SELECT count(*) FROM t"), 1);
}

/* A log that starts anew leaves frames of the one before behind its end: authentic, and stale. */
static void pagevfs_frames_of_an_earlier_log_do_not_come_back(void **state)
{
    struct pagedb *p = *state;
    pagedb_open(p, NULL);
    commits(p, 30);
    pagedb_exec(p, "PRAGMA wal_checkpoint(RESTART); DELETE FROM t WHERE id > 2");
    pagedb_crash(p);
    pagedb_open(p, NULL);
    assert_int_equal(pagedb_int(p, "SELECT count(*) FROM t"), 2);
    pagedb_check(p);
}

/* ---- cache spill, split writes, checksums ---- */

static int zero_salts(struct pagedb *p)
{
    size_t n = 0;
    int found = 0;
    uint8_t *wal = pagedb_read(p->wal, &n);
    for (size_t at = WAL_HEAD_BYTES; at + (size_t)FRAME_BYTES <= n; at += (size_t)FRAME_BYTES)
        found += be32(wal + at + 8) == 0 && be32(wal + at + 12) == 0;
    free(wal);
    return found;
}

static void spill(struct pagedb *p)
{
    pagedb_exec(p, "PRAGMA cache_size = 4; BEGIN;"
                   "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 200) "
                   "INSERT INTO t(x) SELECT hex(randomblob(500)) FROM c;"
                   "UPDATE t SET x = x || hex(zeroblob(300)) || 'a';"
                   "SAVEPOINT s; UPDATE t SET x = x || 'b'; ROLLBACK TO s;"
                   "UPDATE t SET x = x || 'c'");
}

static void pagevfs_cache_spill_survives_commit_rollback_and_crash(void **state)
{
    struct pagedb *p = *state;
    pagedb_open(p, NULL);
    commits(p, 3);
    spill(p);
    pagedb_exec(p, "ROLLBACK");
    assert_int_equal(pagedb_int(p, "SELECT count(*) FROM t"), 3);
    spill(p);
    assert_true(zero_salts(p) > 0); /* T4: this is the case that the trap is about */
    pagedb_exec(p, "COMMIT");
    assert_int_equal(pagedb_int(p, "SELECT count(*) FROM t WHERE x LIKE '%ac'"), 203);
    pagedb_crash(p);
    assert_int_equal(zero_salts(p), 0);
    pagedb_open(p, NULL);
    assert_int_equal(pagedb_int(p, "SELECT count(*) FROM t WHERE x LIKE '%ac'"), 203);
    pagedb_check(p);
}

/* T5 */
static void pagevfs_split_writes_lose_nothing(void **state)
{
    struct pagedb *p = *state;
    const int sectors[] = {512, 4096, 65536};
    for (size_t i = 0; i < sizeof sectors / sizeof sectors[0]; i++) {
        struct faultvfs *fault = faultvfs_new();
        fault->traits = 0; /* no POWERSAFE_OVERWRITE */
        fault->sector = sectors[i];
        pagedb_open(p, "fault");
        pagedb_exec(p, "DROP TABLE IF EXISTS t");
        commits(p, 40);
        spill(p);
        pagedb_exec(p, "COMMIT");
        assert_true(fault->pieces > 0);
        pagedb_crash(p);
        pagedb_open(p, "fault");
        assert_int_equal(pagedb_int(p, "SELECT count(*) FROM t WHERE x LIKE '%ac'"), 240);
        pagedb_check(p);
        pagedb_close(p);
        faultvfs_free(fault);
    }
}

/* One step of the log's checksum, https://www.sqlite.org/fileformat2.html §4.2, in the byte order of the magic. */
static void checksum(bool big, const uint8_t *p, size_t n, uint32_t s[2])
{
    for (size_t i = 0; i < n; i += 8) {
        uint32_t a = be32(p + i), b = be32(p + i + 4);
        s[0] += (big ? a : __builtin_bswap32(a)) + s[1];
        s[1] += (big ? b : __builtin_bswap32(b)) + s[0];
    }
}

/* T7: the true words would confirm a guess of the page's content. */
static void pagevfs_checksums_of_plaintext_are_not_in_the_log(void **state)
{
    struct pagedb *p = *state;
    struct page_keys *keys = NULL;
    size_t n = 0;
    int frames = 0;
    pagedb_open(p, NULL);
    commits(p, 10);
    uint8_t *wal = pagedb_read(p->wal, &n), plain[PAGE_BYTES];
    assert_int_equal(page_keys_new(&keys, &p->key, 0, NULL), ERR_OK);
    bool big = be32(wal) & 1;
    uint32_t s[2] = {be32(wal + 24), be32(wal + 28)};
    for (size_t at = WAL_HEAD_BYTES; at + (size_t)FRAME_BYTES <= n; at += (size_t)FRAME_BYTES, frames++) {
        uint8_t *h = wal + at;
        struct page_frame f = {.offset = at, .pgno = be32(h), .commit = be32(h + 4)};
        memcpy(f.salt, h + 8, sizeof f.salt);
        assert_true(page_open_wal(keys, &f, h + FRAME_HEAD_BYTES, plain));
        checksum(big, h, 8, s);
        checksum(big, plain, PAGE_BYTES, s);
        assert_true(be32(h + 16) != s[0] && be32(h + 20) != s[1]);
        page_mask_checksum(keys, at, h, h + 16, true);
        assert_int_equal(be32(h + 16), s[0]);
        assert_int_equal(be32(h + 20), s[1]);
    }
    assert_true(frames >= 10);
    page_keys_free(keys);
    free(wal);
}

/* Ways of writing a log that SQLite does not have, and that we could not seal. */
static void pagevfs_log_refuses_odd_writes(void **state)
{
    struct pagedb *p = *state;
    sqlite3_file *wal = NULL;
    static const uint8_t junk[PAGE_BYTES + 24];
    const sqlite3_int64 frame = WAL_HEAD_BYTES + 5 * FRAME_BYTES;
    pagedb_open(p, NULL);
    commits(p, 8);
    assert_int_equal(sqlite3_file_control(p->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal), SQLITE_OK);
    assert_int_equal(wal->pMethods->xWrite(wal, junk, 8, 0), SQLITE_IOERR_WRITE);
    assert_int_equal(wal->pMethods->xWrite(wal, junk, WAL_HEAD_BYTES, 0), SQLITE_IOERR_WRITE); /* page size 0 */
    assert_int_equal(wal->pMethods->xWrite(wal, junk, FRAME_BYTES, frame), SQLITE_IOERR_WRITE);
    assert_int_equal(wal->pMethods->xWrite(wal, junk, 20, frame), SQLITE_IOERR_WRITE);
    assert_int_equal(wal->pMethods->xWrite(wal, junk, 16, frame + 8), SQLITE_IOERR_WRITE);
    assert_int_equal(wal->pMethods->xWrite(wal, junk, 100, frame + 500), SQLITE_IOERR_WRITE);
    assert_int_equal(wal->pMethods->xWrite(wal, junk, PAGE_BYTES, frame + 500), SQLITE_IOERR_WRITE);
    uint8_t out[64];
    assert_int_equal(wal->pMethods->xRead(wal, out, 64, 8), SQLITE_IOERR_READ);
    assert_int_equal(wal->pMethods->xRead(wal, out, 64, frame + FRAME_BYTES - 8), SQLITE_IOERR_READ);
    assert_int_equal(pagedb_int(p, "SELECT count(*) FROM t"), 8);
    pagedb_check(p);
}

/* T12: SQLite reads single words of a frame's header, and a part of a page is as authentic as the whole. */
static void pagevfs_log_serves_parts_of_a_frame(void **state)
{
    struct pagedb *p = *state;
    sqlite3_file *wal = NULL;
    uint8_t whole[FRAME_BYTES], part[100];
    const sqlite3_int64 frame = WAL_HEAD_BYTES + 2 * FRAME_BYTES;
    pagedb_open(p, NULL);
    commits(p, 8);
    assert_int_equal(sqlite3_file_control(p->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal), SQLITE_OK);
    assert_int_equal(wal->pMethods->xRead(wal, whole, FRAME_BYTES, frame), SQLITE_OK);
    assert_int_equal(wal->pMethods->xRead(wal, part, 8, frame + 16), SQLITE_OK);
    assert_memory_equal(part, whole + 16, 8);
    assert_int_equal(wal->pMethods->xRead(wal, part, 100, frame + 1000), SQLITE_OK);
    assert_memory_equal(part, whole + 1000, 100);
    pagedb_flip(p->wal, (size_t)frame + 3000);
    assert_int_equal(wal->pMethods->xRead(wal, part, 100, frame + 1000), SQLITE_IOERR_DATA);
    assert_int_equal(part[0], 0);
    /* We wrote this frame ourselves: damage, not the end of a recovery scan. */
    assert_int_equal(wal->pMethods->xRead(wal, whole, FRAME_BYTES, frame), SQLITE_IOERR_DATA);
    pagedb_flip(p->wal, (size_t)frame + 3000);
}

/* A frame of an earlier log is as authentic as ever, and lay at the same place for another page. */
static void pagevfs_frame_of_an_earlier_log_is_never_shown_as_another_page(void **state)
{
    struct pagedb *p = *state;
    size_t n = 0, m = 0;
    pagedb_open(p, NULL);
    pagedb_exec(p, "PRAGMA wal_autocheckpoint = 0; CREATE TABLE ours(x TEXT); CREATE TABLE theirs(x TEXT);"
                   "INSERT INTO ours VALUES ('ours'); INSERT INTO theirs VALUES ('theirs');"
                   "PRAGMA wal_checkpoint(TRUNCATE); UPDATE theirs SET x = 'for nobody else'");
    uint8_t *kept = pagedb_read(p->wal, &n);
    pagedb_exec(p, "PRAGMA wal_checkpoint(TRUNCATE); UPDATE ours SET x = 'ours too'");
    uint8_t *log = pagedb_read(p->wal, &m);
    assert_int_equal(n, m);
    assert_int_not_equal(be32(kept + WAL_HEAD_BYTES), be32(log + WAL_HEAD_BYTES));
    memcpy(log + WAL_HEAD_BYTES, kept + WAL_HEAD_BYTES, (size_t)FRAME_BYTES);
    pagedb_write(p->wal, log, m);
    pagedb_exec(p, "PRAGMA shrink_memory");
    int rc = sqlite3_exec(p->db, "SELECT x FROM ours", NULL, NULL, NULL);
    assert_int_equal(rc & 0xff, SQLITE_IOERR);
    assert_int_equal(sqlite3_extended_errcode(p->db), SQLITE_IOERR_DATA);
    free(kept);
    free(log);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(pagevfs_log_that_was_not_checkpointed_is_kept_whole),
        T(pagevfs_torn_page_one_heals_from_the_log),
        T(pagevfs_page_one_torn_with_its_prefix_heals_too),
        T(pagevfs_page_one_torn_and_a_wrong_key_touches_nothing),
        T(pagevfs_damage_behind_the_last_commit_loses_nothing),
        T(pagevfs_damage_in_the_log_rolls_back_to_whole_transactions),
        T(pagevfs_frame_moved_within_the_log_is_refused),
        T(pagevfs_log_of_a_plain_database_is_taken_for_none),
        T(pagevfs_frames_of_an_earlier_log_do_not_come_back),
        T(pagevfs_cache_spill_survives_commit_rollback_and_crash),
        T(pagevfs_split_writes_lose_nothing),
        T(pagevfs_checksums_of_plaintext_are_not_in_the_log),
        T(pagevfs_log_refuses_odd_writes),
        T(pagevfs_log_serves_parts_of_a_frame),
        T(pagevfs_frame_of_an_earlier_log_is_never_shown_as_another_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
