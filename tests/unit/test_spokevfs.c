/* crypto/spokevfs.h in one process: databases made, copied, attached and refused; several connections. Several
 * processes: test_spokevfs_processes.c. T1 to T12 are the traps of ../shared/notes/pagevfs.md. */
#include "tests/lib/faultvfs.h"
#include "tests/lib/pagedb.h"
#include "tests/lib/sharedb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define ROWS                                                                                                           \
    "CREATE TABLE t(id INTEGER PRIMARY KEY, x TEXT);"                                                                  \
    "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 2000) "                                  \
    "INSERT INTO t SELECT i, 'MARKER of the row ' || i FROM c"

/* The process has one VFS for all tests, over one that can fail. */
struct world {
    struct faultvfs *fault;
    struct spokevfs *home;
};

static int start(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->fault = faultvfs_new();
    *state = w;
    return 0;
}

static int stop(void **state)
{
    free(*state);
    return 0;
}

/* cmocka hands a group's state to each test; theirs hangs on it. */
struct bench {
    struct world *w;
    struct sharedb *s;
    sqlite3 *db;
    char sql[300];
};

static int setup(void **state)
{
    struct world *w = *state;
    struct bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    b->w = w;
    b->s = sharedb_new();
    if (w->home == NULL) {
        sharedb_start(b->s, "fault");
        w->home = b->s->home;
    }
    b->s->home = w->home;
    w->home->shm = b->s->shm;
    w->fault->full_after = -1;
    b->db = sharedb_open(b->s->path);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    (void)sqlite3_close(b->db);
    *state = b->w;
    sharedb_free(b->s);
    free(b);
    return 0;
}

static const char *path_of(struct bench *b, const char *name, char out[100])
{
    (void)snprintf(out, 100, "%s/%s", b->s->dir, name);
    return out;
}

/* The statement with %s as the path of a file in the test's folder. */
static int on_file(struct bench *b, const char *sql, const char *name)
{
    char path[100];
    (void)sqlite3_snprintf(sizeof b->sql, b->sql, sql, path_of(b, name, path));
    return sharedb_try(b->db, b->sql);
}

static uint32_t number_of(const char *path)
{
    size_t n = 0;
    uint8_t *data = pagedb_read(path, &n);
    assert_true(n >= 16);
    assert_memory_equal(data, "SPK1\1", 5);
    uint32_t number = (uint32_t)data[5] << 16 | (uint32_t)data[6] << 8 | data[7];
    free(data);
    return number;
}

/* ---- born, copied, attached ---- */

/* T9: with the right geometry from its first page on, which SQLite reads and nobody made up. */
static void spokevfs_new_database_is_born_with_a_log_and_a_number(void **state)
{
    struct bench *b = *state;
    char mode[20];
    sharedb_text(b->db, "PRAGMA journal_mode", mode, sizeof mode);
    assert_string_equal(mode, "wal");
    sharedb_exec(b->db, ROWS);
    sharedb_check(b->db);
    assert_int_not_equal(number_of(b->s->path), 0); /* 0 is the replica's */
}

/* T6: the pages of two databases under one key do not pass for each other's. */
static void spokevfs_page_of_another_file_under_the_same_key_is_refused(void **state)
{
    struct bench *b = *state;
    char other[100];
    sqlite3 *db = sharedb_open(path_of(b, "other.db", other));
    sharedb_exec(b->db, ROWS);
    sharedb_exec(db, ROWS);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_int_equal(sqlite3_close(b->db), SQLITE_OK);
    size_t n = 0, m = 0;
    uint8_t *mine = pagedb_read(b->s->path, &n), *theirs = pagedb_read(other, &m);
    assert_int_equal(n, m);
    memcpy(mine + 3 * PAGE_BYTES, theirs + 3 * PAGE_BYTES, PAGE_BYTES);
    pagedb_write(b->s->path, mine, n);
    free(mine);
    free(theirs);
    b->db = sharedb_open(b->s->path);
    assert_int_equal(sharedb_try(b->db, "SELECT sum(length(x)) FROM t"), SQLITE_IOERR_DATA);
}

static void spokevfs_backup_to_a_new_file_is_encrypted_and_whole(void **state)
{
    struct bench *b = *state;
    char copy[100];
    sharedb_exec(b->db, ROWS);
    sqlite3 *to = sharedb_open(path_of(b, "copy.db", copy));
    sqlite3_backup *work = sqlite3_backup_init(to, "main", b->db, "main");
    assert_non_null(work);
    assert_int_equal(sqlite3_backup_step(work, 3), SQLITE_OK);
    sharedb_exec(b->db, "UPDATE t SET x = 'changed meanwhile' WHERE id = 1999");
    assert_int_equal(sqlite3_backup_step(work, -1), SQLITE_DONE);
    assert_int_equal(sqlite3_backup_finish(work), SQLITE_OK);
    assert_int_equal(sharedb_int(to, "SELECT count(*) FROM t"), 2000);
    assert_int_equal(sharedb_int(to, "SELECT count(*) FROM t WHERE x = 'changed meanwhile'"), 1);
    sharedb_check(to);
    assert_int_equal(sqlite3_close(to), SQLITE_OK);
    assert_int_not_equal(number_of(copy), number_of(b->s->path));
}

/* T9: a geometry that SQLite did not choose itself makes it say "out of memory". */
static void spokevfs_vacuum_into_makes_an_encrypted_copy(void **state)
{
    struct bench *b = *state;
    char copy[100], mode[20];
    sharedb_exec(b->db, ROWS);
    assert_int_equal(on_file(b, "VACUUM INTO 'file:%s?vacuum=1'", "copy.db"), SQLITE_OK);
    assert_int_not_equal(number_of(path_of(b, "copy.db", copy)), 0);
    sqlite3 *db = sharedb_open(copy);
    sharedb_text(db, "PRAGMA journal_mode", mode, sizeof mode);
    assert_string_equal(mode, "wal");
    assert_int_equal(sharedb_int(db, "SELECT count(*) FROM t"), 2000);
    sharedb_exec(db, "INSERT INTO t VALUES (9999, 'more')");
    sharedb_check(db);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_int_equal(on_file(b, "VACUUM INTO 'file:%s?vacuum=1'", "copy.db"), SQLITE_ERROR); /* it is there already */
}

static void spokevfs_vacuum_and_incremental_work_stay_encrypted(void **state)
{
    struct bench *b = *state;
    sharedb_exec(b->db, ROWS);
    sharedb_exec(b->db, "DELETE FROM t WHERE id % 3; VACUUM");
    assert_int_equal(sharedb_int(b->db, "SELECT count(*) FROM t"), 666);
    sharedb_check(b->db);
}

static void spokevfs_attach_takes_databases_under_the_same_key(void **state)
{
    struct bench *b = *state;
    sharedb_exec(b->db, ROWS);
    assert_int_equal(on_file(b, "ATTACH '%s' AS o", "other.db"), SQLITE_OK);
    sharedb_exec(b->db, "CREATE TABLE o.u AS SELECT * FROM t WHERE id < 100; BEGIN; UPDATE o.u SET x = 'both';"
                        "UPDATE t SET x = 'both' WHERE id < 100; COMMIT");
    assert_int_equal(sharedb_int(b->db, "SELECT count(*) FROM t JOIN o.u USING(id, x)"), 99);
}

/* ---- refused ---- */

static void spokevfs_attach_of_anything_in_clear_is_refused(void **state)
{
    struct bench *b = *state;
    char plain[100];
    static const uint8_t header[512] = "SQLite format 3\0\x10\0\1\1\0\x40\x20\x20";
    pagedb_write(path_of(b, "plain.db", plain), header, sizeof header);
    sharedb_exec(b->db, ROWS);
    assert_int_equal(on_file(b, "ATTACH '%s' AS o", "plain.db"), SQLITE_NOTADB);
    assert_int_equal(on_file(b, "ATTACH 'file:%s?vfs=unix' AS o", "plain2.db"), SQLITE_ERROR); /* there is none */
    assert_int_equal(on_file(b, "ATTACH 'file:%s?vfs=unix-none' AS o", "plain2.db"), SQLITE_ERROR);
    assert_int_equal(access(path_of(b, "plain2.db", plain), F_OK), -1);
}

static void spokevfs_answers_settings_that_cannot_be_had_with_what_is(void **state)
{
    struct bench *b = *state;
    char text[20];
    sharedb_exec(b->db, ROWS);
    sharedb_text(b->db, "PRAGMA journal_mode = DELETE", text, sizeof text);
    assert_string_equal(text, "wal");
    assert_int_equal(sharedb_int(b->db, "PRAGMA mmap_size = 1000000"), 0);
    sharedb_exec(b->db, "PRAGMA page_size = 8192; PRAGMA auto_vacuum = FULL; VACUUM");
    assert_int_equal(sharedb_int(b->db, "PRAGMA page_size"), 4096);
    assert_int_equal(sharedb_int(b->db, "PRAGMA auto_vacuum"), 0);
    sharedb_check(b->db);
}

/* T2 */
static void spokevfs_wrong_key_is_one_error_and_leaves_the_log(void **state)
{
    struct bench *b = *state;
    sqlite3 *db = NULL;
    char wal[100];
    size_t n = 0, m = 0;
    sharedb_exec(b->db, ROWS);
    uint8_t *before = pagedb_read(path_of(b, "r.db-wal", wal), &n);
    assert_true(n > 10 * PAGE_BYTES);
    b->s->home->keys->key.p[0] ^= 1;
    assert_int_equal(sqlite3_open(b->s->path, &db), SQLITE_NOTADB);
    (void)sqlite3_close(db);
    b->s->home->keys->key.p[0] ^= 1;
    uint8_t *after = pagedb_read(wal, &m);
    assert_int_equal(n, m);
    assert_memory_equal(before, after, n);
    free(before);
    free(after);
}

/* T7 */
static void spokevfs_folder_for_the_index_must_be_private_and_in_memory(void **state)
{
    struct bench *b = *state;
    char folder[100];
    sharedb_exec(b->db, ROWS);
    assert_int_equal(sqlite3_close(b->db), SQLITE_OK);
    (void)snprintf(folder, sizeof folder, "%s/spoke-%u", b->s->shm, (unsigned)geteuid());
    assert_int_equal(chmod(folder, 0755), 0); /* others could read which pages change */
    b->db = sharedb_open(b->s->path);
    assert_int_equal(sharedb_try(b->db, "SELECT count(*) FROM t") & 0xff, SQLITE_CANTOPEN);
    assert_int_equal(chmod(folder, 0700), 0);
    assert_int_equal(sharedb_int(b->db, "SELECT count(*) FROM t"), 2000);
    assert_int_equal(sqlite3_close(b->db), SQLITE_OK);
    struct statfs fs;
    assert_int_equal(statfs(b->s->dir, &fs), 0);
    if (fs.f_type == TMPFS_MAGIC) skip();
    b->s->home->shm = b->s->dir; /* a disk */
    b->db = sharedb_open(b->s->path);
    assert_int_equal(sharedb_try(b->db, "SELECT count(*) FROM t") & 0xff, SQLITE_CANTOPEN);
}

/* T7: it holds page numbers and checksums of content, and a tmpfs may be swapped. */
static void spokevfs_index_of_the_log_is_locked_into_memory(void **state)
{
    struct bench *b = *state;
    char line[500];
    int mapped = 0, locked = 0;
    bool ours = false;
    sharedb_exec(b->db, ROWS);
    FILE *maps = fopen("/proc/self/smaps", "r");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps)) {
        if (strchr(line, '-') && strstr(line, " rw-s ")) /* a mapping's first line */
            ours = strncmp(strstr(line, "/") ? strstr(line, "/") : "", b->s->shm, strlen(b->s->shm)) == 0;
        if (!ours) continue;
        if (strncmp(line, "Size:", 5) == 0) mapped += atoi(line + 5);
        if (strncmp(line, "Locked:", 7) == 0) locked += atoi(line + 7);
        if (strncmp(line, "VmFlags:", 8) == 0) ours = false;
    }
    (void)fclose(maps);
    assert_int_equal(mapped, 32);
#ifndef __SANITIZE_ADDRESS__ /* which makes mlock do nothing */
    assert_int_equal(locked, mapped);
#else
    (void)locked;
#endif
}

/* ---- several connections ---- */

static void spokevfs_second_connection_sees_what_the_first_commits(void **state)
{
    struct bench *b = *state;
    sqlite3 *other = sharedb_open(b->s->path);
    sharedb_exec(b->db, ROWS);
    assert_int_equal(sharedb_int(other, "SELECT count(*) FROM t"), 2000);
    sharedb_exec(other, "BEGIN; SELECT count(*) FROM t");
    sharedb_exec(b->db, "DELETE FROM t WHERE id > 50; PRAGMA wal_checkpoint(PASSIVE)");
    assert_int_equal(sharedb_int(other, "SELECT count(*) FROM t"), 2000); /* its snapshot */
    sharedb_exec(other, "COMMIT; INSERT INTO t VALUES (5000, 'of the second')");
    assert_int_equal(sharedb_int(b->db, "SELECT count(*) FROM t"), 51);
    assert_int_equal(sharedb_shadows(b->s), 3); /* the shadow, its memory, the file that names it */
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
    assert_int_equal(sharedb_shadows(b->s), 3);
    sharedb_check(b->db);
    assert_int_equal(sqlite3_close(b->db), SQLITE_OK);
    b->db = NULL;
    assert_int_equal(sharedb_shadows(b->s), 0); /* the last has tidied up */
}

/* T4: frames whose headers wait for their salts, in a log that somebody else has begun anew. */
static void spokevfs_spilled_transaction_is_right_in_a_log_that_another_began(void **state)
{
    struct bench *b = *state;
    sqlite3 *other = sharedb_open(b->s->path);
    sharedb_exec(b->db, ROWS);
    sharedb_exec(b->db, "PRAGMA cache_size = 5; PRAGMA wal_autocheckpoint = 0");
    sharedb_exec(other, "PRAGMA cache_size = 5; PRAGMA wal_autocheckpoint = 0");
    for (int round = 0; round < 6; round++) {
        sqlite3 *writer = round % 2 ? other : b->db, *restarter = round % 2 ? b->db : other;
        sharedb_exec(restarter, "PRAGMA wal_checkpoint(RESTART); UPDATE t SET x = x || '.' WHERE id = 7");
        sharedb_exec(writer, "BEGIN; UPDATE t SET x = x || 'a'; UPDATE t SET x = x || 'b' WHERE id % 2;"
                             "UPDATE t SET x = x || 'c' WHERE id % 3; COMMIT");
        assert_int_equal(sharedb_int(restarter, "SELECT count(*) FROM t WHERE x LIKE '%a%b%c' AND id % 6 IN (1, 5)"),
                         667);
    }
    sharedb_check(b->db);
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
    assert_int_equal(sharedb_int(b->db, "SELECT length(x) FROM t WHERE id = 7"), 19 + 1 + 6 * 4 - 1);
}

/* What could not be written of a transaction must not go out later, over what another has committed there since. */
static void spokevfs_failed_transaction_does_not_come_out_over_anothers(void **state)
{
    struct bench *b = *state;
    sqlite3 *other = sharedb_open(b->s->path);
    unsigned failed = 0;
    sharedb_exec(b->db, ROWS);
    for (int room = 0; room < 12; room++) {
        b->w->fault->full_after = room;
        failed += sharedb_try(b->db, "UPDATE t SET x = 'never' WHERE id < 200") != SQLITE_OK;
        b->w->fault->full_after = -1;
        sharedb_exec(other, "UPDATE t SET x = 'kept' WHERE id < 200");
        sharedb_exec(b->db, "UPDATE t SET x = 'of the first' WHERE id = 300");
        assert_int_equal(sharedb_int(other, "SELECT count(*) FROM t WHERE x = 'kept'"), 199);
        assert_int_equal(sharedb_int(b->db, "SELECT count(*) FROM t WHERE x = 'kept'"), 199);
    }
    assert_true(failed > 2);
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
    assert_int_equal(sqlite3_close(b->db), SQLITE_OK);
    b->db = sharedb_open(b->s->path);
    sharedb_check(b->db);
}

/* What was read ahead for one transaction is old in the next. */
static void spokevfs_scan_after_scan_sees_what_another_checkpointed(void **state)
{
    struct bench *b = *state;
    sqlite3 *other = sharedb_open(b->s->path);
    for (int i = 0; i < 12; i++) { /* so that the way from page 1 to the rows is no scan */
        (void)snprintf(b->sql, sizeof b->sql, "CREATE TABLE far%d(x)", i);
        sharedb_exec(b->db, b->sql);
    }
    sharedb_exec(b->db, ROWS);
    sharedb_exec(b->db, "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA cache_size = 2");
    for (int round = 0; round < 20; round++) {
        assert_int_equal(sharedb_int(b->db, "SELECT sum(length(x)) - sum(length('MARKER of the row ' || id)) FROM t"),
                         round * 2000);
        sharedb_exec(b->db,
                     "SELECT sum(length(x)) FROM t WHERE id < 600"); /* ends in the midst of what was read ahead */
        sharedb_exec(other, "UPDATE t SET x = x || '.'; PRAGMA wal_checkpoint(TRUNCATE)");
        for (int id = 550; id < 1200; id += 50) {
            (void)snprintf(b->sql, sizeof b->sql,
                           "SELECT length(x) - length('MARKER of the row ' || id) FROM t WHERE id = %d", id);
            assert_int_equal(sharedb_int(b->db, b->sql), round + 1);
        }
    }
    sharedb_check(b->db);
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
}

/* A VFS on top of ours that makes up the names it hands down, as SQLite's multiplexor does. */
static int over_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
    sqlite3_vfs *spoke = sqlite3_vfs_find("spoke");
    char *wal = sqlite3_mprintf("%s-wal", name);
    const char *made = flags & SQLITE_OPEN_MAIN_DB ? sqlite3_create_filename(name, "", wal, 0, NULL)
                       : flags & SQLITE_OPEN_WAL   ? sqlite3_mprintf("%s", name)
                                                   : name;
    static const char *kept[32]; /* to the end of the process: files know their names */
    static unsigned n;
    (void)vfs;
    sqlite3_free(wal);
    assert_true(n < sizeof kept / sizeof kept[0]);
    kept[n++] = made;
    return spoke->xOpen(spoke, made, file, flags, out_flags);
}

/* T10: asking SQLite for the database of a log by such a name crashes. */
static void spokevfs_works_below_a_vfs_that_makes_up_names(void **state)
{
    struct bench *b = *state;
    sqlite3_vfs over = *sqlite3_vfs_find("spoke");
    char path[100];
    sqlite3 *first = NULL, *second = NULL;
    over.zName = "over";
    over.pNext = NULL;
    over.xOpen = over_open;
    assert_int_equal(sqlite3_vfs_register(&over, 0), SQLITE_OK);
    path_of(b, "over.db", path);
    assert_int_equal(sqlite3_open_v2(path, &first, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "over"), SQLITE_OK);
    sharedb_exec(first, ROWS);
    assert_int_equal(sqlite3_open_v2(path, &second, SQLITE_OPEN_READWRITE, "over"), SQLITE_OK);
    assert_int_equal(sharedb_int(second, "SELECT count(*) FROM t"), 2000);
    sharedb_exec(second, "DELETE FROM t WHERE id > 7");
    assert_int_equal(sharedb_int(first, "SELECT count(*) FROM t"), 7);
    assert_int_equal(sqlite3_close(first), SQLITE_OK);
    sharedb_check(second);
    assert_int_equal(sqlite3_close(second), SQLITE_OK);
    assert_int_equal(sqlite3_vfs_unregister(&over), SQLITE_OK);
}

/* Page 1 is read before the log is open, and another process may be writing it: what is not authentic is looked at
 * again for as long as it changes. */
static void spokevfs_page_that_is_just_being_written_is_read_again(void **state)
{
    struct bench *b = *state;
    unsigned torn = 0;
    sharedb_exec(b->db, ROWS);
    sharedb_exec(b->db, "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA cache_size = 2");
    for (int reads = 0; reads < 8; reads++) {
        assert_int_equal(sharedb_int(b->db, "SELECT length(x) FROM t WHERE id = 7"),
                         19); /* leaves another page behind */
        b->w->fault->torn_read = reads;
        assert_int_equal(sharedb_int(b->db, "SELECT sum(length(x) - length('MARKER of the row ' || id)) FROM t"), 0);
        torn += b->w->fault->torn_read == -1;
        b->w->fault->torn_read = -1;
    }
    assert_true(torn > 1);
}

static void spokevfs_reads_only_where_only_reading_is_asked_for(void **state)
{
    struct bench *b = *state;
    sqlite3 *reader = NULL;
    sharedb_exec(b->db, ROWS);
    (void)snprintf(b->sql, sizeof b->sql, "file:%s?mode=ro", b->s->path);
    assert_int_equal(sqlite3_open_v2(b->sql, &reader, SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI, NULL), SQLITE_OK);
    assert_int_equal(sharedb_int(reader, "SELECT count(*) FROM t"), 2000);
    assert_int_equal(sharedb_try(reader, "DELETE FROM t"), SQLITE_READONLY);
    assert_int_equal(sqlite3_close(b->db), SQLITE_OK);
    b->db = NULL;
    assert_int_equal(sharedb_int(reader, "SELECT count(*) FROM t"), 2000);
    assert_int_equal(sqlite3_close(reader), SQLITE_OK);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(spokevfs_new_database_is_born_with_a_log_and_a_number),
        T(spokevfs_page_of_another_file_under_the_same_key_is_refused),
        T(spokevfs_backup_to_a_new_file_is_encrypted_and_whole),
        T(spokevfs_vacuum_into_makes_an_encrypted_copy),
        T(spokevfs_vacuum_and_incremental_work_stay_encrypted),
        T(spokevfs_attach_takes_databases_under_the_same_key),
        T(spokevfs_attach_of_anything_in_clear_is_refused),
        T(spokevfs_answers_settings_that_cannot_be_had_with_what_is),
        T(spokevfs_wrong_key_is_one_error_and_leaves_the_log),
        T(spokevfs_folder_for_the_index_must_be_private_and_in_memory),
        T(spokevfs_index_of_the_log_is_locked_into_memory),
        T(spokevfs_second_connection_sees_what_the_first_commits),
        T(spokevfs_spilled_transaction_is_right_in_a_log_that_another_began),
        T(spokevfs_failed_transaction_does_not_come_out_over_anothers),
        T(spokevfs_scan_after_scan_sees_what_another_checkpointed),
        T(spokevfs_works_below_a_vfs_that_makes_up_names),
        T(spokevfs_page_that_is_just_being_written_is_read_again),
        T(spokevfs_reads_only_where_only_reading_is_asked_for),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
