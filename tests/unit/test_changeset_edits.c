#define SQLITE_ENABLE_SESSION        1
#define SQLITE_ENABLE_PREUPDATE_HOOK 1
#include "sync/changeset.h"
#include "tests/lib/tables.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

/* The session extension as the reference writer, held against what really changed: two databases are compared row by
 * row, which knows no changeset. What we decode of the session's bytes is exactly that difference, and that difference,
 * written by us, makes the one database into the other when SQLite applies it. */
enum { ROWS = 12, MOST = 1500 };

struct change {
    struct op op;
    bool seen;
};
struct difference {
    struct change *all;
    size_t n;
    struct buf store; /* what their values borrow; never grown once it is made */
};

static uint64_t next_random(uint64_t *s) /* splitmix64 */
{
    uint64_t z = (*s += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK) fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    return s;
}

static void run(sqlite3 *db, const char *sql)
{
    char *why = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK) fail_msg("%s: %s", sql, why);
}

/* A literal that the column may hold. */
static void random_literal(const struct column_rule *c, uint64_t *seed, struct buf *sql)
{
    static const char *const texts[] = {"''", "'a'", "'caf\xc3\xa9'", "'two words'", "hex(zeroblob(3000))"};
    uint64_t r = next_random(seed);
    const char *word = c->words;
    if (!c->required && r % 4 == 0) {
        buf_put_str(sql, "NULL");
        return;
    }
    switch (c->type) {
    case COL_ID: buf_printf(sql, "x'%016llx%016llx'", (unsigned long long)r, (unsigned long long)r); return;
    case COL_WORD:
        for (uint64_t skip = r >> 8 & 3; skip > 0 && strchr(word, '|') != NULL; skip--) word = strchr(word, '|') + 1;
        buf_printf(sql, "'%.*s'", (int)strcspn(word, "|"), word);
        return;
    case COL_DATE:
        buf_printf(sql, "'20%02u-02-%02u'", (unsigned)(r >> 8) % 90 + 10, 10 + (unsigned)(r >> 16) % 19);
        return;
    case COL_BOOL: buf_printf(sql, "%d", (int)(r >> 8 & 1)); return;
    case COL_REAL: buf_put_str(sql, r & 256 ? "-0.0" : "4.9e-324"); return;
    case COL_TIME:
    case COL_INT:
        buf_printf(sql, "%lld", (long long)(r & 16 ? (int64_t)next_random(seed) : (int64_t)(r >> 8 & 3)));
        return;
    case COL_TEXT: break;
    }
    buf_put_str(sql, texts[(r >> 8) % (sizeof texts / sizeof texts[0])]);
}

static void random_edit(sqlite3 *db, uint64_t *seed)
{
    size_t n_tables;
    (void)rules_tables(&n_tables);
    const struct table_rule *t = rules_table(next_random(seed) % n_tables);
    size_t n = rules_columns_at(t, rules_schema_newest());
    unsigned id = (unsigned)(next_random(seed) % ROWS);
    uint64_t kind = next_random(seed) % 6;
    struct buf sql;
    buf_init(&sql, 1u << 16);
    if (kind == 0) {
        buf_printf(&sql, "DELETE FROM %s WHERE id = x'%032x'", t->name, id);
    } else if (kind < 3) {
        buf_printf(&sql, "INSERT OR IGNORE INTO %s VALUES(x'%032x'", t->name, id);
        for (size_t c = 1; c < n; c++) {
            buf_put_str(&sql, ", ");
            random_literal(&t->columns[c], seed, &sql);
        }
        buf_put_str(&sql, ")");
    } else {
        buf_printf(&sql, "UPDATE %s SET id = id", t->name);
        for (size_t c = 1; c < n; c++) {
            if (next_random(seed) % 3 != 0) continue;
            buf_printf(&sql, ", %s = ", t->columns[c].name);
            random_literal(&t->columns[c], seed, &sql);
        }
        buf_printf(&sql, " WHERE id = x'%032x'", id);
    }
    run(db, buf_cstr(&sql));
    buf_release(&sql);
}

static void random_edits(sqlite3 *db, size_t n, uint64_t *seed)
{
    for (size_t i = 0; i < n; i++) random_edit(db, seed);
}

/* ---------------------------------------------------------------------------------------------- what really changed */
static struct value column(sqlite3_stmt *s, int c, struct buf *store)
{
    int n = sqlite3_column_bytes(s, c);
    size_t at = store->len;
    switch (sqlite3_column_type(s, c)) {
    case SQLITE_INTEGER: return value_int(sqlite3_column_int64(s, c));
    case SQLITE_FLOAT: return (struct value){.kind = VALUE_REAL, .r = sqlite3_column_double(s, c)};
    case SQLITE_NULL: return value_null();
    default: break;
    }
    assert_true(store->len + (size_t)n <= store->cap);
    buf_put(store, sqlite3_column_blob(s, c), (size_t)n);
    struct bytes v = bytes_of(store->data + at, (size_t)n);
    return sqlite3_column_type(s, c) == SQLITE_TEXT ? value_text(v) : value_blob(v);
}

static void read_row(sqlite3_stmt *s, size_t n, struct value *out, struct buf *store)
{
    for (size_t c = 0; c < n; c++) out[c] = column(s, (int)c, store);
}

static void note(struct difference *d, const struct op *op)
{
    assert_true(d->n < MOST);
    d->all[d->n++] = (struct change){.op = *op};
}

/* The same row in both, or in one of them only. */
static void compare_row(struct difference *d, size_t table, sqlite3_stmt *old, sqlite3_stmt *new_)
{
    struct op op = {.table = rules_table(table), .table_index = (int)table};
    size_t n = rules_columns_at(op.table, rules_schema_newest()), differ = 0;
    op.kind = old == NULL ? OP_INSERT : new_ == NULL ? OP_DELETE : OP_UPDATE;
    if (old != NULL) read_row(old, n, op.old, &d->store);
    if (new_ != NULL) read_row(new_, n, op.new_, &d->store);
    for (size_t c = 1; op.kind == OP_UPDATE && c < n; c++) {
        bool same = value_equal(op.old[c], op.new_[c]);
        differ += !same;
        if (same) op.old[c] = op.new_[c] = value_none();
    }
    if (op.kind == OP_UPDATE) op.new_[0] = value_none();
    if (op.kind != OP_UPDATE || differ > 0) note(d, &op);
}

static void compare_table(struct difference *d, size_t table, sqlite3 *before, sqlite3 *after)
{
    char sql[100];
    (void)snprintf(sql, sizeof sql, "SELECT * FROM %s ORDER BY id", rules_table(table)->name);
    sqlite3_stmt *old = prepare(before, sql), *new_ = prepare(after, sql);
    bool more_old = sqlite3_step(old) == SQLITE_ROW, more_new = sqlite3_step(new_) == SQLITE_ROW;
    while (more_old || more_new) {
        int c = !more_old ? 1 : !more_new ? -1 : memcmp(sqlite3_column_blob(old, 0), sqlite3_column_blob(new_, 0), 16);
        compare_row(d, table, c <= 0 ? old : NULL, c >= 0 ? new_ : NULL);
        if (c <= 0) more_old = sqlite3_step(old) == SQLITE_ROW;
        if (c >= 0) more_new = sqlite3_step(new_) == SQLITE_ROW;
    }
    sqlite3_finalize(old);
    sqlite3_finalize(new_);
}

static void difference_of(struct difference *d, sqlite3 *before, sqlite3 *after)
{
    size_t n_tables;
    (void)rules_tables(&n_tables);
    d->n = 0;
    d->all = calloc(MOST, sizeof *d->all);
    assert_non_null(d->all);
    buf_init(&d->store, 16u << 20);
    assert_non_null(buf_grow(&d->store, 15u << 20));
    d->store.len = 0;
    for (size_t t = 0; t < n_tables; t++) compare_table(d, t, before, after);
}

static void difference_release(struct difference *d)
{
    free(d->all);
    buf_release(&d->store);
}

/* ------------------------------------------------------------------------------------------- and what the bytes say */
static const struct value *key(const struct op *op)
{
    return op->kind == OP_INSERT ? &op->new_[0] : &op->old[0];
}

static void assert_same_values(const struct op *want, const struct op *got, bool patchset)
{
    for (size_t c = 1; c < want->table->n_columns; c++) {
        bool told = !patchset && want->kind != OP_INSERT;
        assert_true(value_equal(told ? want->old[c] : value_none(), got->old[c]));
        assert_true(value_equal(want->kind == OP_DELETE ? value_none() : want->new_[c], got->new_[c]));
    }
}

static void is_the_difference(struct difference *d, struct bytes in, bool patchset)
{
    const struct changeset_limits lim = {
        .schema = rules_schema_newest(), .patchset = patchset, .allow_delete = true, .max_ops = MOST};
    struct changeset_reader r;
    struct why why = {0};
    struct op op;
    bool end = false;
    if (changeset_check(in, &lim, &why) != ERR_OK) fail_msg("%s", why.text);
    changeset_reader_init(&r, in, rules_schema_newest());
    for (;;) {
        size_t i = 0;
        assert_int_equal(changeset_next(&r, &op, &end, &why), ERR_OK);
        if (end) break;
        while (i < d->n && (d->all[i].op.table != op.table || memcmp(key(&d->all[i].op)->s.p, op_row_id(&op), 16) != 0))
            i++;
        if (i == d->n || d->all[i].seen || d->all[i].op.kind != op.kind)
            fail_msg("a change of %s was decoded that nobody made", op.table->name);
        d->all[i].seen = true;
        assert_same_values(&d->all[i].op, &op, patchset);
    }
    assert_int_equal(r.n_ops, d->n);
}

static int no_conflict(void *ctx, int what, sqlite3_changeset_iter *iter)
{
    (void)ctx, (void)iter;
    fail_msg("SQLite saw a conflict (%d)", what);
    return SQLITE_CHANGESET_ABORT;
}

/* Written by us from the difference alone, applied by SQLite. */
static void makes_the_one_the_other(const struct difference *d, bool patchset, sqlite3 *before, sqlite3 *after)
{
    struct changeset_writer w;
    struct difference left;
    struct buf out;
    buf_init(&out, CHANGESET_MAX_BYTES);
    changeset_writer_init(&w, &out, patchset, rules_schema_newest());
    for (size_t i = 0; i < d->n; i++) changeset_put(&w, &d->all[i].op);
    assert_int_equal(out.err, ERR_OK);
    assert_int_equal(sqlite3changeset_apply(before, (int)out.len, out.data, NULL, no_conflict, NULL), SQLITE_OK);
    difference_of(&left, before, after);
    assert_int_equal(left.n, 0);
    difference_release(&left);
    buf_release(&out);
}

static void one_round(uint64_t seed, bool patchset)
{
    uint64_t same = seed;
    sqlite3 *after = tables_in_memory(), *before = tables_in_memory();
    sqlite3_session *session = NULL;
    struct difference d;
    void *bytes = NULL;
    int n = 0;
    random_edits(after, 300, &seed);
    random_edits(before, 300, &same);
    assert_int_equal(sqlite3session_create(after, "main", &session), SQLITE_OK);
    assert_int_equal(sqlite3session_attach(session, NULL), SQLITE_OK);
    random_edits(after, 600, &seed);
    assert_int_equal(patchset ? sqlite3session_patchset(session, &n, &bytes)
                              : sqlite3session_changeset(session, &n, &bytes),
                     SQLITE_OK);
    difference_of(&d, before, after);
    assert_true(d.n > 50);
    is_the_difference(&d, bytes_of(bytes, (size_t)n), patchset);
    makes_the_one_the_other(&d, patchset, before, after);
    difference_release(&d);
    sqlite3_free(bytes);
    sqlite3session_delete(session);
    sqlite3_close(before);
    sqlite3_close(after);
}

static void what_is_decoded_of_a_session_is_what_changed_and_what_we_write_of_it_applies(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        one_round(seed * 7919, false);
        one_round(seed * 7919, true);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_decoded_of_a_session_is_what_changed_and_what_we_write_of_it_applies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
