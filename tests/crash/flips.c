/* One bit of a database or of its log is flipped, all of it is read, and the bit is flipped back. What has to come of
 * it is said beforehand for every byte, from its place alone (crypto/FORMAT.md, section 5). */
#include "tests/crash/crash.h"

#include "crypto/pagevfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE       4096u
#define LOG        MAIN_DB "-wal"
#define LOG_HEAD   32u
#define FRAME      4120u
#define PREFIX     16u
#define MAX_PAGES  4200u
#define MAX_FRAMES 64u
#define COMMITS    5u

enum outcome {
    REFUSED,    /* an error at opening */
    UNREADABLE, /* an error when rows are read */
    UNSOUND,    /* an error at integrity_check only: pages that no row stands in */
    LOG_LOST,   /* what stood before the log: its header */
    TAIL_LOST,  /* what stood before the transaction of that frame */
    IN_THE_LOG, /* nothing: a page that the log has newer */
    FREE_PAGE,  /* nothing: a page in no table, index or list */
    OLD_FRAME,  /* nothing: behind the log's end, of a log before it */
    WRONG,      /* rows that never were committed so, or another outcome than was said */
    OUTCOMES
};

static const char *const words[OUTCOMES] = {
    "refused at opening",
    "an error when it is read",
    "an error at integrity_check (the list of free pages)",
    "the whole log lost (its header)",
    "the log's tail lost, from the flipped frame's transaction on",
    "nothing lost: a page, or page 1's prefix, that the log has newer",
    "nothing lost: a free page",
    "nothing lost: a frame of an older log, behind the log's end",
    "WRONG",
};

struct flips {
    struct world *w;
    const struct flip_options *o;
    size_t db_n, log_n;          /* bytes of the files */
    size_t live, frames;         /* of the log; of the log and what lies behind it */
    unsigned commit[MAX_FRAMES]; /* number of the transaction, from 1, that a frame of the log belongs to */
    bool newer[MAX_PAGES];       /* [n]: page n stands in the log */
    bool used[MAX_PAGES];        /* [n]: page n holds rows or what leads to them */
    uint32_t trunk;              /* the free page that lists the others */
    uint64_t *counts;            /* OUTCOMES of them for each worker, shared */
};

/* ---- a database with something of everything ---- */

static int64_t ask(struct flips *f, const char *sql)
{
    sqlite3_stmt *st = NULL;
    must(sqlite3_prepare_v2(f->w->db, sql, -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW, sql);
    int64_t v = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return v;
}

static void sql(struct flips *f, const char *text)
{
    must(world_sql(f->w, text), f->w->fault);
}

/* Rows, an index, overflow pages, free pages; as many pages as were asked for. */
static void fill(struct flips *f)
{
    must(world_create(f->w, MAIN_DB) && world_open(f->w), "creating");
    sql(f, "PRAGMA wal_autocheckpoint = 0; BEGIN; CREATE TABLE t(id INTEGER PRIMARY KEY, x TEXT, n INTEGER);"
           "CREATE INDEX tn ON t(n, x); CREATE TABLE b(x BLOB);"
           "INSERT INTO b VALUES (CAST(format('%0*d', 15000, 1) AS BLOB)); CREATE TABLE gone(x);"
           "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 200)"
           "INSERT INTO gone SELECT format('%0*d', 200, i) FROM s; COMMIT");
    while (ask(f, "PRAGMA page_count") < (int64_t)f->o->pages)
        sql(f, "INSERT INTO t(x, n) SELECT format('%0*d', 400 + count(*) % 90, count(*)), count(*) * 7 % 31 FROM t");
    sql(f, "DROP TABLE gone; PRAGMA wal_checkpoint(TRUNCATE)");
    must(ask(f, "PRAGMA page_count") == (int64_t)f->o->pages && ask(f, "PRAGMA freelist_count") > 2, "pages");
}

/* Every row, through its table and through its index. */
static bool read_all(struct world *w, uint64_t *out)
{
    sqlite3_stmt *st = NULL;
    int rc = SQLITE_ERROR;
    if (!db_digest(w, w->db, out)) return false;
    if (sqlite3_prepare_v2(w->db, "SELECT n, x FROM t INDEXED BY tn", -1, &st, NULL) == SQLITE_OK)
        while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
            *out = mix(*out, (uint64_t)sqlite3_column_int64(st, 0));
            *out = mix_bytes(*out, sqlite3_column_text(st, 1), (size_t)sqlite3_column_bytes(st, 1));
        }
    sqlite3_finalize(st);
    return rc == SQLITE_DONE;
}

/* Five transactions in a log that lies over an older, longer one. state 0 is what the database alone holds. */
static void fill_log(struct flips *f)
{
    static const char *const commits[COMMITS] = {
        "UPDATE t SET n = n + 1 WHERE id = 3",
        "INSERT INTO t(x, n) VALUES ('a row', 5)",
        "BEGIN; CREATE TABLE later(x); INSERT INTO later VALUES ('and a table'); COMMIT",
        "UPDATE b SET x = x || 'and longer'",
        "DELETE FROM t WHERE id = 5",
    };
    struct world *w = f->w;
    sql(f,
        "UPDATE b SET x = x || 'longer'; UPDATE b SET x = x || 'longer'; UPDATE b SET x = x || 'er'; UPDATE t SET n = n + 1 WHERE id < 4;"
        "PRAGMA wal_checkpoint(RESTART)");
    must(read_all(w, &w->states[0]), w->fault);
    w->n_states = 1;
    for (size_t i = 0; f->o->log && i < COMMITS; i++) {
        sql(f, commits[i]);
        must(read_all(w, &w->states[w->n_states++]), w->fault);
    }
}

static void note_used(struct flips *f)
{
    sqlite3_stmt *st = NULL;
    must(sqlite3_prepare_v2(f->w->db, "SELECT pageno FROM dbstat", -1, &st, NULL) == SQLITE_OK, "dbstat");
    while (sqlite3_step(st) == SQLITE_ROW) {
        int64_t n = sqlite3_column_int64(st, 0);
        must(n >= 1 && n < MAX_PAGES, "pages");
        f->used[n] = true;
    }
    must(sqlite3_finalize(st) == SQLITE_OK, "dbstat");
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Page numbers, commit marks and salts of frames stand in clear. */
static void note_log(struct flips *f)
{
    struct bytes log = disk_file(f->w->disk, LOG);
    unsigned commits = 0;
    f->log_n = log.n;
    if (!f->o->log) {
        must(log.n == 0, "a log is left");
        return;
    }
    f->frames = (log.n - LOG_HEAD) / FRAME;
    must(log.n == LOG_HEAD + f->frames * FRAME && f->frames <= MAX_FRAMES, "frames");
    for (size_t i = 0; i < f->frames; i++) {
        const uint8_t *head = log.p + LOG_HEAD + i * FRAME;
        if (memcmp(head + 8, log.p + 16, 8) != 0) break;
        f->live++;
        f->commit[i] = commits + 1;
        must(be32(head) < MAX_PAGES, "pages");
        f->newer[be32(head)] = true;
        commits += be32(head + 4) != 0;
    }
    must(commits == COMMITS && f->newer[1] && f->frames > f->live, "the log is not as it was to be");
}

/* ---- one flip ---- */

struct place {
    bool log;
    size_t at;
    uint8_t bit;
};

/* *state: what will be there, where something is. */
static enum outcome expected(const struct flips *f, const struct place *p, size_t *state)
{
    size_t last = f->w->n_states - 1;
    *state = last;
    if (p->log) {
        size_t i = p->at < LOG_HEAD ? 0 : (p->at - LOG_HEAD) / FRAME;
        if (p->at >= LOG_HEAD && i >= f->live) return OLD_FRAME;
        *state = p->at < LOG_HEAD ? 0 : f->commit[i] - 1;
        return p->at < LOG_HEAD ? LOG_LOST : TAIL_LOST;
    }
    uint32_t page = (uint32_t)(p->at / PAGE) + 1;
    if (f->newer[page]) return IN_THE_LOG;
    if (page == 1) return REFUSED;
    if (page == f->trunk) return UNSOUND;
    return f->used[page] ? UNREADABLE : FREE_PAGE;
}

/* What came of it: an error, or a state. Where the log is at fault all rows are enough: no page is. */
static enum outcome found(struct flips *f, bool check, enum outcome otherwise, size_t *state)
{
    struct world *w = f->w;
    uint64_t digest = 0;
    struct why why = {0};
    enum outcome r = otherwise;
    enum err e = pagevfs_open(&w->db, MAIN_DB, disk_vfs_name(w->disk), &w->key, &why);
    if (e != ERR_OK) return e == ERR_TAMPERED ? REFUSED : WRONG;
    /* or closing would move the log into the database, and nothing could be flipped back */
    must(sqlite3_db_config(w->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL) == SQLITE_OK, "settings");
    *state = w->n_states;
    if (!read_all(w, &digest)) {
        r = UNREADABLE;
    } else {
        while (*state > 0 && w->states[--*state] != digest) continue;
        if (w->states[*state] != digest)
            r = WRONG;
        else if (check && *state == w->n_states - 1 && !world_intact(w))
            r = UNSOUND;
    }
    w->fault[0] = '\0';
    world_close(w);
    return r;
}

/* Page 1 is read at opening, and so is the schema on it: an error there may be either. */
static bool same(enum outcome want, enum outcome got)
{
    return want == got || (want == REFUSED && got == UNREADABLE);
}

static enum outcome try(struct flips *f, const struct place *p)
{
    const char *path = p->log ? LOG : MAIN_DB;
    size_t want_state = 0, state = 0;
    uint64_t steps = disk_steps(f->w->disk);
    enum outcome want = expected(f, p, &want_state);
    disk_flip(f->w->disk, path, p->at, (uint8_t)(1u << p->bit));
    enum outcome got = found(f, !p->log, want, &state);
    must(disk_steps(f->w->disk) == steps, "reading wrote something");
    disk_flip(f->w->disk, path, p->at, (uint8_t)(1u << p->bit));
    if (same(want, got) && (got <= UNSOUND || state == want_state)) return got;
    (void)printf("FAILED: bit %u of byte %zu of %s: \"%s\" was to come of it, and \"%s\" came, with state %zu\n",
                 p->bit, p->at, p->log ? "the log" : "the database", words[want], words[got], state);
    return WRONG;
}

/* ---- all of them ---- */

/* The free page that lists the others is known by what integrity_check says of it. */
static void find_trunk(struct flips *f)
{
    for (uint32_t page = 2; page <= f->db_n / PAGE; page++) {
        size_t state = 0, at = (size_t)(page - 1) * PAGE + 100;
        if (f->used[page] || f->newer[page]) continue;
        disk_flip(f->w->disk, MAIN_DB, at, 1);
        enum outcome r = found(f, true, FREE_PAGE, &state);
        disk_flip(f->w->disk, MAIN_DB, at, 1);
        if (r == FREE_PAGE) continue;
        must(r == UNSOUND && f->trunk == 0, "more than one page lists the free ones");
        f->trunk = page;
    }
}

static void build(struct flips *f)
{
    struct world *w = f->w;
    fill(f);
    fill_log(f);
    note_used(f);
    if (!f->o->log) world_close(w);
    disk_settle(w->disk);
    struct disk_image *image = disk_image_take(w->disk);
    world_close(w);
    disk_put_back(w->disk, image);
    disk_image_free(image);
    f->db_n = disk_file(w->disk, MAIN_DB).n;
    must(f->db_n == f->o->pages * PAGE, "pages");
    note_log(f);
    find_trunk(f);
}

static struct place place_of(const struct flips *f, uint64_t bit)
{
    size_t at = (size_t)(bit / 8);
    return (struct place){.log = at >= f->db_n, .at = at < f->db_n ? at : at - f->db_n, .bit = (uint8_t)(bit % 8)};
}

/* A sample is half of the database and half of the log, and begins with what stands in front of each. */
static uint64_t draw_bit(const struct flips *f, struct draw *by, uint64_t i)
{
    uint64_t db = f->db_n * 8, log = f->log_n * 8;
    if (i < PREFIX * 8) return i;
    if (i < (PREFIX + LOG_HEAD) * 8 && log > 0) return db + i - PREFIX * 8;
    if (log == 0 || draw_chance(by, 500)) return draw_below(by, db);
    return db + draw_below(by, log);
}

static void share(struct flips *f, unsigned worker)
{
    uint64_t all = (f->db_n + f->log_n) * 8, n = f->o->sample == 0 ? all : f->o->sample;
    struct draw by = draw_stream(f->o->seed, 4, f->o->pages);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t bit = f->o->sample == 0 ? i : draw_bit(f, &by, i);
        if (i % f->o->workers != worker) continue;
        struct place p = place_of(f, bit);
        enum outcome r = try(f, &p);
        if (f->counts[worker * OUTCOMES + WRONG] > 10) return;
        f->counts[worker * OUTCOMES + r]++;
    }
}

static bool in_parallel(struct flips *f)
{
    bool ok = true;
    (void)fflush(stdout);
    for (unsigned i = 0; i < f->o->workers; i++) {
        pid_t pid = fork();
        must(pid >= 0, "no second process");
        if (pid > 0) continue;
        share(f, i);
        (void)fflush(stdout);
        _exit(0);
    }
    for (unsigned i = 0; i < f->o->workers; i++) {
        int status = 0;
        must(wait(&status) > 0, "a process is lost");
        ok = ok && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }
    return ok;
}

static bool print(const struct flips *f)
{
    uint64_t all = 0, wrong_ones = 0;
    (void)printf("A database of %zu pages", f->db_n / PAGE);
    if (f->o->log)
        (void)printf(", its log of %zu frames, and %zu older frames behind it", f->live, f->frames - f->live);
    (void)printf("; %s:\n", f->o->sample == 0 ? "every bit" : "bits drawn from all");
    for (unsigned k = 0; k < OUTCOMES; k++) {
        uint64_t n = 0;
        for (unsigned i = 0; i < f->o->workers; i++) n += f->counts[i * OUTCOMES + k];
        if (n > 0) (void)printf("  %9llu  %s\n", (unsigned long long)n, words[k]);
        all += n;
        if (k == WRONG) wrong_ones = n;
    }
    (void)printf("%llu flips, %llu wrong\n", (unsigned long long)all, (unsigned long long)wrong_ones);
    return wrong_ones == 0 && all > 0;
}

bool flips_run(const struct flip_options *o)
{
    struct flips *f = calloc(1, sizeof *f);
    must(f != NULL, "memory");
    size_t room = (size_t)o->workers * OUTCOMES * sizeof *f->counts;
    f->counts = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must(f->counts != MAP_FAILED, "memory");
    f->o = o;
    f->w = world_new();
    build(f);
    bool ok = in_parallel(f);
    ok = print(f) && ok;
    world_free(f->w);
    (void)munmap(f->counts, room);
    free(f);
    return ok;
}
