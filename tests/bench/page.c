/* What encryption at rest costs: the same work on an encrypted database (crypto/pagevfs.h) and on plain SQLite with
 * otherwise the same settings, in turns. Ratios are encrypted to plain, of medians: 1.30 is 30 % slower. Every aim is
 * of wall time; the processor's share says more where other programs run beside it. "Cold" is as cold as a program can
 * make a file: the kernel has let it go; a hypervisor's or a disk's own cache may still hold it.
 *
 * bench_page [repeats] [only] — `only`: the first letters of one kind of work. */
#include "crypto/pagevfs.h"
#include "tests/lib/bench.h"

#include <sqlite3.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROWS       100000
#define COMMITS    1000
#define COLD_READS 5000
#define HOT_READS  50000
#define HOT_ROWS   5000 /* they fit into SQLite's cache */
#define BULK_BYTES 60
#define ROW_BYTES  180 /* so that the file has 25 MB and more */

/* One of the two databases. */
struct side {
    bool sealed;
    char path[96];
    sqlite3 *db; /* NULL while closed */
};

struct bench {
    char dir[64];
    struct secret key;
    struct side ours, raw;
    size_t repeats;
    const char *only;
};

typedef struct bench_time work(struct bench *b, struct side *s);

/* ------------------------------------------------------------------------------------------------------ databases */

static void exec(struct side *s, const char *sql)
{
    if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) != SQLITE_OK) bench_fail(sqlite3_errmsg(s->db));
}

static sqlite3_stmt *prepare(struct side *s, const char *sql)
{
    sqlite3_stmt *st = NULL;
    if (sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &st, NULL) != SQLITE_OK)
        bench_fail(sqlite3_errmsg(s->db));
    return st;
}

/* One setting of the encrypted connection, as it was opened, for the plain one. */
static void copy_setting(struct side *to, sqlite3 *from, const char *name)
{
    char sql[128];
    sqlite3_stmt *st = NULL;
    (void)snprintf(sql, sizeof sql, "PRAGMA %s", name);
    if (sqlite3_prepare_v2(from, sql, -1, &st, NULL) != SQLITE_OK || sqlite3_step(st) != SQLITE_ROW)
        bench_fail("a setting cannot be read");
    (void)snprintf(sql, sizeof sql, "PRAGMA %s = %s", name, (const char *)sqlite3_column_text(st, 0));
    (void)sqlite3_finalize(st);
    exec(to, sql);
}

static void open_sealed(struct bench *b, struct side *s)
{
    struct why why = {0};
    if (access(s->path, F_OK) != 0) BENCH_MUST(pagevfs_create(s->path, NULL, &b->key, &why));
    BENCH_MUST(pagevfs_open(&s->db, s->path, NULL, &b->key, &why));
}

static void open_plain(struct bench *b, struct side *s)
{
    static const char *const settings[] = {"locking_mode", "temp_store",      "secure_delete",  "synchronous",
                                           "cache_size",   "cell_size_check", "trusted_schema", "wal_autocheckpoint"};
    struct side model = {.sealed = true};
    (void)snprintf(model.path, sizeof model.path, "%s/model.db", b->dir);
    open_sealed(b, &model);
    if (sqlite3_open_v2(s->path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) !=
        SQLITE_OK)
        bench_fail("the plain database cannot be opened");
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) copy_setting(s, model.db, settings[i]);
    exec(s, "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL");
    pagevfs_close(model.db);
}

static void open_side(struct bench *b, struct side *s)
{
    if (s->sealed)
        open_sealed(b, s);
    else
        open_plain(b, s);
    exec(s, "SELECT count(*) FROM sqlite_schema");
}

static void close_side(struct side *s)
{
    if (s->sealed)
        pagevfs_close(s->db);
    else if (sqlite3_close(s->db) != SQLITE_OK)
        bench_fail("a statement was left open");
    s->db = NULL;
}

static void remove_side(struct side *s)
{
    static const char *const endings[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        char name[128];
        (void)snprintf(name, sizeof name, "%s%s", s->path, endings[i]);
        (void)unlink(name);
    }
}

/* Numbers in no order, the same for both. */
static int scattered(int i, int below)
{
    uint64_t x = (uint64_t)i * 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return (int)((x ^ x >> 31) % (unsigned)below);
}

/* Each row has text of `width` bytes and up to as many more, and a number in no order, which is indexed. */
static void insert(struct side *s, int from, int n, int width)
{
    char text[512];
    sqlite3_stmt *st = prepare(s, "INSERT INTO t(id, k, v) VALUES (?, ?, ?)");
    memset(text, 'a', sizeof text);
    for (int i = from; i < from + n; i++) {
        (void)snprintf(text, 16, "%015d", i);
        text[15] = 'a';
        (void)sqlite3_bind_int(st, 1, i);
        (void)sqlite3_bind_int(st, 2, scattered(i, 1000000));
        (void)sqlite3_bind_text(st, 3, text, width + scattered(i, width), SQLITE_STATIC);
        if (sqlite3_step(st) != SQLITE_DONE || sqlite3_reset(st) != SQLITE_OK) bench_fail(sqlite3_errmsg(s->db));
    }
    (void)sqlite3_finalize(st);
}

#define SCHEMA "CREATE TABLE t(id INTEGER PRIMARY KEY, k INTEGER NOT NULL, v TEXT NOT NULL); CREATE INDEX t_k ON t(k)"

/* ----------------------------------------------------------------------------------------------------------- writes */

static struct bench_time bulk(struct bench *b, struct side *s)
{
    remove_side(s);
    open_side(b, s);
    exec(s, SCHEMA);
    struct bench_time start = bench_now();
    exec(s, "BEGIN");
    insert(s, 1, ROWS, BULK_BYTES);
    exec(s, "COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
    struct bench_time took = bench_since(start);
    close_side(s);
    return took;
}

static struct bench_time commits(struct bench *b, struct side *s, const char *setting)
{
    remove_side(s);
    open_side(b, s);
    exec(s, SCHEMA "; BEGIN");
    insert(s, 1, 10000, BULK_BYTES);
    exec(s, "COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
    exec(s, setting);
    struct bench_time start = bench_now();
    insert(s, 10001, COMMITS, BULK_BYTES);
    struct bench_time took = bench_since(start);
    close_side(s);
    return took;
}

static struct bench_time commits_full(struct bench *b, struct side *s)
{
    return commits(b, s, "PRAGMA synchronous = FULL");
}

static struct bench_time commits_normal(struct bench *b, struct side *s)
{
    return commits(b, s, "PRAGMA synchronous = NORMAL");
}

/* ------------------------------------------------------------------------------------------------------------ reads */

/* Of the whole file, how much is in memory, after the kernel was asked to let all of it go. */
static double make_cold(const char *path)
{
    struct stat st;
    unsigned char *in_memory = NULL;
    size_t n = 0, warm = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0 || fdatasync(fd) != 0) bench_fail("a database cannot be synced");
    if (posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0) bench_fail("the kernel keeps a database");
    n = ((size_t)st.st_size + 4095) / 4096;
    in_memory = calloc(n, 1);
    void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (in_memory == NULL || map == MAP_FAILED || mincore(map, (size_t)st.st_size, in_memory) != 0)
        bench_fail("cannot tell what is in memory");
    for (size_t i = 0; i < n; i++) warm += in_memory[i] & 1;
    (void)munmap(map, (size_t)st.st_size);
    free(in_memory);
    (void)close(fd);
    return n > 0 ? (double)warm / (double)n : 0;
}

/* Closed meanwhile: another descriptor of the file, when it is closed, takes SQLite's locks with it. */
static void open_cold(struct bench *b, struct side *s)
{
    double warm = make_cold(s->path);
    if (warm > 0.02) (void)printf("not cold: %.0f %% of the file stays in memory\n", 100 * warm);
    open_side(b, s);
}

static struct bench_time scan(struct bench *b, struct side *s, const char *sql)
{
    open_cold(b, s);
    sqlite3_stmt *st = prepare(s, sql);
    struct bench_time start = bench_now();
    if (sqlite3_step(st) != SQLITE_ROW || sqlite3_column_int(st, 0) != ROWS) bench_fail("rows are missing");
    struct bench_time took = bench_since(start);
    (void)sqlite3_finalize(st);
    close_side(s);
    return took;
}

static struct bench_time cold_scan(struct bench *b, struct side *s)
{
    return scan(b, s, "SELECT count(*), sum(k), max(v) FROM t NOT INDEXED");
}

static struct bench_time cold_count(struct bench *b, struct side *s)
{
    return scan(b, s, "SELECT count(*), sum(k) FROM t NOT INDEXED");
}

static void read_rows(struct side *s, int n, int below)
{
    sqlite3_stmt *st = prepare(s, "SELECT v FROM t WHERE id = ?");
    for (int i = 0; i < n; i++) {
        (void)sqlite3_bind_int(st, 1, 1 + scattered(i, below));
        if (sqlite3_step(st) != SQLITE_ROW || sqlite3_column_bytes(st, 0) < ROW_BYTES) bench_fail("a row is missing");
        (void)sqlite3_reset(st);
    }
    (void)sqlite3_finalize(st);
}

static struct bench_time cold_reads(struct bench *b, struct side *s)
{
    open_cold(b, s);
    struct bench_time start = bench_now();
    read_rows(s, COLD_READS, ROWS);
    struct bench_time took = bench_since(start);
    close_side(s);
    return took;
}

static struct bench_time hot_reads(struct bench *b, struct side *s)
{
    open_side(b, s);
    read_rows(s, HOT_READS / 5, HOT_ROWS);
    struct bench_time start = bench_now();
    read_rows(s, HOT_READS, HOT_ROWS);
    struct bench_time took = bench_since(start);
    close_side(s);
    return took;
}

/* 25 MB and more, for the reads. */
static void fill(struct bench *b, struct side *s)
{
    remove_side(s);
    open_side(b, s);
    exec(s, SCHEMA "; BEGIN");
    insert(s, 1, ROWS, ROW_BYTES);
    exec(s, "COMMIT; PRAGMA wal_checkpoint(TRUNCATE); VACUUM; PRAGMA wal_checkpoint(TRUNCATE)");
    close_side(s);
}

static double megabytes(const struct side *s)
{
    struct stat st;
    if (stat(s->path, &st) != 0) bench_fail("a database is missing");
    return (double)st.st_size / 1e6;
}

/* ---------------------------------------------------------------------------------------------------------- report */

static bool wanted(const struct bench *b, const char *name)
{
    return strncmp(name, b->only, strlen(b->only)) == 0;
}

/* `aim` 0: none is set. */
static void measure(struct bench *b, const char *name, work *w, double aim)
{
    struct bench_pair p = {.n = b->repeats};
    if (!wanted(b, name)) return;
    for (size_t i = 0; i < b->repeats; i++) {
        if (i % 2 == 0) p.raw[i] = w(b, &b->raw);
        p.ours[i] = w(b, &b->ours);
        if (i % 2 != 0) p.raw[i] = w(b, &b->raw);
    }
    struct bench_time ours = bench_median(p.ours, p.n), raw = bench_median(p.raw, p.n);
    (void)printf("%s: encrypted %.1f ms, plain %.1f ms, %.2f times", name, ours.wall, raw.wall, ours.wall / raw.wall);
    if (aim > 0) (void)printf(" (aim at most %.2f)", aim);
    (void)printf("; processor %.1f ms, %.1f ms, %.2f times", ours.cpu, raw.cpu, ours.cpu / raw.cpu);
    ours = bench_least(p.ours, p.n);
    raw = bench_least(p.raw, p.n);
    (void)printf("; least %.1f ms, %.1f ms, %.2f times\n", ours.wall, raw.wall, ours.wall / raw.wall);
    (void)fflush(stdout);
}

static void measure_reads(struct bench *b)
{
    static const char all[] = "full scan, cold", number[] = "full scan for one number of each row, cold",
                      reads[] = "5,000 reads of a row, cold", hot[] = "50,000 cached reads";
    if (!wanted(b, all) && !wanted(b, reads) && !wanted(b, hot) && !wanted(b, "size")) return;
    fill(b, &b->raw);
    fill(b, &b->ours);
    double ours = megabytes(&b->ours), raw = megabytes(&b->raw);
    measure(b, all, cold_scan, 1.6);
    measure(b, number, cold_count, 0);
    measure(b, reads, cold_reads, 1.15);
    measure(b, hot, hot_reads, 1.02);
    (void)printf("size of the file: encrypted %.2f MB, plain %.2f MB, %+.2f %% (aim at most +1.5 %%)\n", ours, raw,
                 100 * (ours / raw - 1));
}

int main(int argc, char **argv)
{
    static struct bench b;
    struct why why = {0};
    const char *tmp = getenv("TMPDIR");
    b.repeats = bench_repeats(argc, argv, 5);
    b.only = argc > 2 ? argv[2] : "";
    BENCH_MUST(secret_start(&why));
    BENCH_MUST(secret_new(&b.key, 32, &why));
    memset(b.key.p, 7, b.key.n);
    (void)snprintf(b.dir, sizeof b.dir, "%s/spoke-bench-XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(b.dir) == NULL) bench_fail("no folder");
    b.ours.sealed = true;
    (void)snprintf(b.ours.path, sizeof b.ours.path, "%s/sealed.db", b.dir);
    (void)snprintf(b.raw.path, sizeof b.raw.path, "%s/plain.db", b.dir);
    bench_print_syncs(b.dir);
    measure(&b, "100,000 rows in one transaction", bulk, 1.30);
    measure(&b, "1,000 commits, FULL", commits_full, 1.2);
    measure(&b, "1,000 commits, NORMAL", commits_normal, 1.5);
    measure_reads(&b);
    bench_print_syncs(b.dir);
    struct side model = {.sealed = true};
    (void)snprintf(model.path, sizeof model.path, "%s/model.db", b.dir);
    remove_side(&model);
    remove_side(&b.ours);
    remove_side(&b.raw);
    (void)rmdir(b.dir);
    secret_release(&b.key);
    return 0;
}
