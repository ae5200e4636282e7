/* How fast changes are decoded. The raw limit iterates the same bytes with SQLite's session extension and asks it for
 * every value; we also check each of them against the rules, as every byte from outside is. Bytes are our own.
 *
 * bench_decode [repeats] */
#define SQLITE_ENABLE_SESSION        1
#define SQLITE_ENABLE_PREUPDATE_HOOK 1
#include "sync/changeset.h"
#include "tests/lib/bench.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#define CASES 1000u
#define ROWS  100u /* of each case */

static const char *const words[] = {"seen",    "at",     "home",  "with",   "the",     "family",  "said",
                                    "nothing", "to",     "visit", "school", "later",   "worried", "about",
                                    "mother",  "father", "asked", "for",    "another", "meeting"};

struct text {
    char p[512];
};

static const char *some_text(struct text *t, size_t n, uint64_t *seed)
{
    size_t at = 0;
    while (at < n) {
        *seed = *seed * 6364136223846793005u + 1442695040888963407u;
        const char *w = words[(*seed >> 33) % (sizeof words / sizeof words[0])];
        int k = snprintf(t->p + at, sizeof t->p - at, "%s%s", at > 0 ? " " : "", w);
        at += (size_t)k;
    }
    t->p[n] = '\0';
    return t->p;
}

static void set(struct value *v, const struct table_rule *t, const char *column, struct value to)
{
    v[rules_column_index(t, bytes_of_str(column))] = to;
}

/* An id as devices make them: time first. */
static void new_id(uint8_t id[16], unsigned n)
{
    memset(id, 0x5a, 16);
    id[0] = 1;
    for (int i = 0; i < 4; i++) id[2 + i] = (uint8_t)(n >> (24 - 8 * i));
    id[6] = 0x70;
    id[8] = 0x80;
}

struct maker {
    struct buf bytes;
    struct changeset_writer w;
    const uint8_t *case_id;
    uint64_t seed;
    unsigned n; /* rows made */
};

/* `changed`: an edit of one column of the row instead. */
static void put_row(struct maker *m, const char *table, const char *title, const char *body, bool changed)
{
    struct op op = {.kind = changed ? OP_UPDATE : OP_INSERT, .table_index = rules_table_index(bytes_of_str(table))};
    struct text texts[3];
    uint8_t id[16];
    op.table = rules_table((size_t)op.table_index);
    new_id(id, ++m->n);
    op.old[0] = value_id(id);
    if (changed) {
        const char *column = body != NULL ? body : title;
        set(op.old, op.table, column, value_str("what stood there before"));
        set(op.new_, op.table, column, value_str(some_text(&texts[0], 20, &m->seed)));
        changeset_put(&m->w, &op);
        return;
    }
    for (size_t i = 0; i < op.table->n_columns; i++) op.new_[i] = value_null();
    op.new_[0] = value_id(id);
    op.new_[1] = value_id(m->case_id);
    op.new_[2] = value_str("care");
    if (title != NULL) set(op.new_, op.table, title, value_str(some_text(&texts[1], 41, &m->seed)));
    if (body != NULL) set(op.new_, op.table, body, value_str(some_text(&texts[2], 403, &m->seed)));
    if (strcmp(table, "record") == 0) set(op.new_, op.table, "sensitivity", value_str("open"));
    if (strcmp(table, "contact") == 0) set(op.new_, op.table, "person_id", value_id(m->case_id));
    changeset_put(&m->w, &op);
}

/* Table by table, as in a part of a page or of an envelope; all cases in one, so that there are enough rows. */
static void make(struct maker *m, bool patchset, bool changed)
{
    uint8_t case_id[16];
    buf_init(&m->bytes, CHANGESET_MAX_BYTES);
    changeset_writer_init(&m->w, &m->bytes, patchset, rules_schema_newest());
    m->case_id = case_id;
    new_id(case_id, 0);
    for (size_t i = 0; i < CASES * 4; i++) put_row(m, "person", "family_name", NULL, changed);
    for (size_t i = 0; i < CASES * 64; i++) put_row(m, "record", "title", "body", changed);
    for (size_t i = 0; i < CASES * 16; i++) put_row(m, "contact", "value", NULL, changed);
    for (size_t i = 0; i < CASES * (ROWS - 84); i++) put_row(m, "action", "title", NULL, changed);
    if (m->bytes.err != ERR_OK) bench_fail("the changes could not be made");
}

static struct bench_time ours_next(struct bytes in)
{
    struct changeset_reader r;
    struct why why = {0};
    struct op op;
    bool end = false;
    size_t n = 0;
    struct bench_time start = bench_now();
    changeset_reader_init(&r, in, rules_schema_newest());
    for (;;) {
        BENCH_MUST(changeset_next(&r, &op, &end, &why));
        if (end) break;
        n++;
    }
    struct bench_time took = bench_since(start);
    if (n != CASES * ROWS) bench_fail("rows are missing");
    return took;
}

static struct bench_time ours_check(struct bytes in, bool patchset)
{
    const struct changeset_limits lim = {
        .schema = rules_schema_newest(), .patchset = patchset, .max_ops = CHANGESET_MAX_OPS};
    struct why why = {0};
    struct bench_time start = bench_now();
    BENCH_MUST(changeset_check(in, &lim, &why));
    return bench_since(start);
}

/* The values of the running operation, as whoever applies them must ask for them. */
static size_t raw_values(sqlite3_changeset_iter *it, bool patchset)
{
    const char *table;
    int columns, op, indirect;
    size_t n = 0;
    if (sqlite3changeset_op(it, &table, &columns, &op, &indirect) != SQLITE_OK) bench_fail("sqlite3changeset_op");
    for (int i = 0; i < columns; i++) {
        sqlite3_value *v = NULL;
        if (op == SQLITE_UPDATE && !patchset && sqlite3changeset_old(it, i, &v) != SQLITE_OK)
            bench_fail("sqlite3changeset_old");
        n += v != NULL;
        if (sqlite3changeset_new(it, i, &v) != SQLITE_OK) bench_fail("sqlite3changeset_new");
        n += v != NULL;
    }
    return n;
}

static struct bench_time raw_next(struct bytes in, bool patchset, bool values)
{
    sqlite3_changeset_iter *it = NULL;
    size_t n = 0, n_values = 0;
    int rc;
    struct bench_time start = bench_now();
    if (sqlite3changeset_start(&it, (int)in.n, (void *)(uintptr_t)in.p) != SQLITE_OK) bench_fail("cannot be iterated");
    while ((rc = sqlite3changeset_next(it)) == SQLITE_ROW) {
        if (values) n_values += raw_values(it, patchset);
        n++;
    }
    (void)sqlite3changeset_finalize(it);
    struct bench_time took = bench_since(start);
    if (rc != SQLITE_DONE || n != CASES * ROWS || (values && n_values < n)) bench_fail("the raw limit met an end");
    return took;
}

static void run(const char *what, bool patchset, bool changed, size_t repeats)
{
    struct maker m = {.seed = 1};
    struct bench_pair next = {.n = repeats}, values = {.n = repeats}, check = {.n = repeats};
    char name[96];
    make(&m, patchset, changed);
    struct bytes in = buf_bytes(&m.bytes);
    for (size_t i = 0; i < repeats; i++) {
        next.ours[i] = ours_next(in);
        next.raw[i] = check.raw[i] = raw_next(in, patchset, false);
        check.ours[i] = ours_check(in, patchset);
        values.ours[i] = next.ours[i];
        values.raw[i] = raw_next(in, patchset, true);
    }
    (void)snprintf(name, sizeof name, "%s (%.1f MB), changeset_next against sqlite3changeset_next", what,
                   (double)in.n / 1e6);
    bench_print(name, &next, 0.8);
    (void)snprintf(name, sizeof name, "%s, changeset_next against the same with its values read", what);
    bench_print(name, &values, 0.8);
    (void)snprintf(name, sizeof name, "%s, changeset_check against sqlite3changeset_next", what);
    bench_print(name, &check, 0.8);
    buf_release(&m.bytes);
}

int main(int argc, char **argv)
{
    size_t repeats = bench_repeats(argc, argv, 9);
    (void)printf("100,000 rows, medians of %zu\n", repeats);
    run("new rows in a patchset", true, false, repeats);
    run("new rows in a changeset", false, false, repeats);
    run("edits in a patchset", true, true, repeats);
    run("edits in a changeset", false, true, repeats);
    return 0;
}
