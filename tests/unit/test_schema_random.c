/* Tables drawn at random, with every type, in up to four schema versions: the codec of each version against the session
 * extension as the writer that nobody here made. This program brings its own tables in place of sync/rules_tables.c. */
#define SQLITE_ENABLE_SESSION        1
#define SQLITE_ENABLE_PREUPDATE_HOOK 1
#include "sync/changeset.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

enum { MOST_TABLES = 6, NEWEST = 4, ROWS = 25, WORLDS = 150 };

/* What sync/rules.c reads; drawn anew for each world. */
struct table_rule rules_all[MOST_TABLES];
size_t rules_count;
uint64_t rules_newest = NEWEST;

static struct column_rule columns[MOST_TABLES][RULES_MAX_COLUMNS];
static char names[MOST_TABLES][RULES_MAX_COLUMNS + 1][16];

static uint64_t next_random(uint64_t *s) /* splitmix64 (Steele, Lea, Flood 2014) */
{
    uint64_t z = (*s += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static size_t below(uint64_t *s, size_t n)
{
    return (size_t)(next_random(s) % n);
}

static void draw_table(size_t t, uint64_t *s)
{
    size_t n = 2 + below(s, RULES_MAX_COLUMNS - 1);
    uint32_t since = 1;
    for (size_t c = 0; c < n; c++) {
        if (c > 1 && since < NEWEST && below(s, 4) == 0) since++;
        (void)snprintf(names[t][c], sizeof names[t][c], c == 0 ? "id" : "c%zu", c);
        columns[t][c] = (struct column_rule){.name = names[t][c],
                                             .type = c == 0 ? COL_ID : (enum column_type)below(s, COL_REAL + 1),
                                             .required = c == 0 || (since == 1 && below(s, 4) == 0),
                                             .words = "low|middling|high",
                                             .since = since};
    }
    (void)snprintf(names[t][RULES_MAX_COLUMNS], sizeof names[t][0], "table_%u", (unsigned)t & 0xff);
    rules_all[t] = (struct table_rule){.name = names[t][RULES_MAX_COLUMNS], .columns = columns[t], .n_columns = n};
}

static void draw_world(uint64_t *s)
{
    rules_count = 1 + below(s, MOST_TABLES);
    for (size_t t = 0; t < rules_count; t++) draw_table(t, s);
}

static const char *sql_type(enum column_type type)
{
    static const char *const words[] = {
        [COL_ID] = "BLOB",      [COL_TEXT] = "TEXT",    [COL_WORD] = "TEXT",   [COL_DATE] = "TEXT",
        [COL_TIME] = "INTEGER", [COL_BOOL] = "INTEGER", [COL_INT] = "INTEGER", [COL_REAL] = "REAL"};
    return words[type];
}

static void run_text(sqlite3 *db, struct buf *sql)
{
    assert_non_null(buf_cstr(sql));
    if (sqlite3_exec(db, (const char *)sql->data, NULL, NULL, NULL) != SQLITE_OK) fail_msg("%s", sqlite3_errmsg(db));
    buf_release(sql);
}

static sqlite3 *database(uint64_t version)
{
    sqlite3 *db = NULL;
    struct buf sql;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    buf_init(&sql, 1u << 16);
    for (size_t t = 0; t < rules_count; t++) {
        const struct table_rule *r = rules_table(t);
        buf_printf(&sql, "CREATE TABLE %s(id BLOB NOT NULL PRIMARY KEY", r->name);
        for (size_t c = 1; c < rules_columns_at(r, version); c++)
            buf_printf(&sql, ", %s %s%s", r->columns[c].name, sql_type(r->columns[c].type),
                       r->columns[c].required ? " NOT NULL" : "");
        buf_put_str(&sql, ") STRICT;");
    }
    run_text(db, &sql);
    return db;
}

static sqlite3_stmt *prepare(sqlite3 *db, struct buf *sql)
{
    sqlite3_stmt *s = NULL;
    assert_non_null(buf_cstr(sql));
    if (sqlite3_prepare_v2(db, (const char *)sql->data, -1, &s, NULL) != SQLITE_OK) fail_msg("%s", sqlite3_errmsg(db));
    buf_release(sql);
    return s;
}

static void bind(sqlite3_stmt *s, int n, struct value v)
{
    const void *p = (v.kind == VALUE_TEXT || v.kind == VALUE_BLOB) && v.s.n > 0 ? (const void *)v.s.p : "";
    if (v.kind == VALUE_INT)
        sqlite3_bind_int64(s, n, v.i);
    else if (v.kind == VALUE_REAL)
        sqlite3_bind_double(s, n, v.r);
    else if (v.kind == VALUE_TEXT)
        sqlite3_bind_text(s, n, p, (int)v.s.n, SQLITE_TRANSIENT);
    else if (v.kind == VALUE_BLOB)
        sqlite3_bind_blob(s, n, p, (int)v.s.n, SQLITE_TRANSIENT);
    else
        sqlite3_bind_null(s, n);
}

/* Texts of the rows being compared: they must not move. */
struct store {
    uint8_t bytes[1 << 14];
    size_t used;
};

/* A row as it stands, its columns of the version alone. */
static bool read_row(sqlite3 *db, uint64_t version, const struct table_rule *t, const uint8_t *id, struct store *store,
                     struct row *out)
{
    struct buf sql;
    buf_init(&sql, 256);
    buf_printf(&sql, "SELECT * FROM %s WHERE id = ?1", t->name);
    sqlite3_stmt *s = prepare(db, &sql);
    bind(s, 1, value_id(id));
    bool found = sqlite3_step(s) == SQLITE_ROW;
    *out = (struct row){.table = t};
    if (found) assert_int_equal(sqlite3_column_count(s), rules_columns_at(t, version));
    for (int i = 0; found && i < sqlite3_column_count(s); i++) {
        struct value *v = &out->v[i];
        v->kind = (enum value_kind)sqlite3_column_type(s, i); /* SQLite's numbers are ours */
        if (v->kind == VALUE_INT) v->i = sqlite3_column_int64(s, i);
        if (v->kind == VALUE_REAL) v->r = sqlite3_column_double(s, i);
        if (v->kind != VALUE_TEXT && v->kind != VALUE_BLOB) continue;
        const void *p = v->kind == VALUE_TEXT ? (const void *)sqlite3_column_text(s, i) : sqlite3_column_blob(s, i);
        v->s.n = (size_t)sqlite3_column_bytes(s, i);
        uint8_t *copy = store->bytes + store->used;
        assert_true(v->s.n < sizeof store->bytes - store->used);
        if (v->s.n > 0) memcpy(copy, p, v->s.n);
        store->used += v->s.n;
        v->s.p = copy;
    }
    sqlite3_finalize(s);
    return found;
}

static struct value random_real(uint64_t *s)
{
    static const double edges[] = {
        0.0,     -0.0, 1.0, -1.0, 0.1, 5e-324, -5e-324, DBL_MIN, DBL_MAX, 3e9, INFINITY, -INFINITY, 9007199254740993.0,
        2.2e-308};
    struct value v = {.kind = VALUE_REAL, .r = edges[below(s, sizeof edges / sizeof edges[0])]};
    uint64_t bits = next_random(s);
    double any;
    memcpy(&any, &bits, sizeof any);
    if (bits % 3 == 0 && any == any) v.r = any;
    return v;
}

/* Any value that the column may hold. Texts live in `store`. */
static struct value random_value(const struct column_rule *c, uint64_t *s, char store[64])
{
    static const char *const texts[] = {"", "a", "Ó Súilleabháin", "日本語 and more than twenty bytes", "😀"};
    static const char *const words[] = {"low", "middling", "high"};
    uint64_t r = next_random(s);
    if (!c->required && r % 4 == 0) return value_null();
    switch (c->type) {
    case COL_ID:
        for (size_t i = 0; i < 16; i++) store[i] = (char)next_random(s);
        return value_blob(bytes_of(store, 16));
    case COL_WORD: return value_str(words[below(s, 3)]);
    case COL_DATE:
        (void)snprintf(store, 64, "20%02u-%02u-%02u", (unsigned)(r >> 8) % 100, 1 + (unsigned)(r >> 16) % 12,
                       1 + (unsigned)(r >> 24) % 28);
        return value_str(store);
    case COL_BOOL: return value_int((int64_t)(r >> 8 & 1));
    case COL_TIME:
    case COL_INT: return value_int(r & 16 ? (int64_t)next_random(s) : (int64_t)(r >> 8 & 3));
    case COL_REAL: return random_real(s);
    case COL_TEXT: break;
    }
    return value_str(texts[below(s, sizeof texts / sizeof texts[0])]);
}

/* One operation by our own SQL. */
static void apply_op(sqlite3 *db, const struct op *op, size_t n)
{
    struct buf sql;
    const struct table_rule *t = op->table;
    buf_init(&sql, 4096);
    if (op->kind == OP_INSERT) {
        buf_printf(&sql, "INSERT INTO %s VALUES(?1", t->name);
        for (size_t i = 1; i < n; i++) buf_printf(&sql, ",?%zu", i + 1);
        buf_put_str(&sql, ")");
    } else if (op->kind == OP_DELETE) {
        buf_printf(&sql, "DELETE FROM %s WHERE id = ?1", t->name);
    } else {
        buf_printf(&sql, "UPDATE %s SET id = id", t->name);
        for (size_t i = 1; i < n; i++)
            if (op->new_[i].kind != VALUE_NONE) buf_printf(&sql, ", %s = ?%zu", t->columns[i].name, i + 1);
        buf_put_str(&sql, " WHERE id = ?1");
    }
    sqlite3_stmt *s = prepare(db, &sql);
    bind(s, 1, op->kind == OP_INSERT ? op->new_[0] : op->old[0]);
    for (size_t i = 1; i < n && op->kind != OP_DELETE; i++)
        if (op->new_[i].kind != VALUE_NONE) bind(s, (int)i + 1, op->new_[i]);
    assert_int_equal(sqlite3_step(s), SQLITE_DONE);
    sqlite3_finalize(s);
    assert_int_equal(sqlite3_changes(db), 1);
}

static void row_id(size_t table, size_t number, uint8_t out[16])
{
    memset(out, 0xee, 16);
    out[0] = (uint8_t)table;
    out[1] = (uint8_t)number;
}

static void random_edit(sqlite3 *db, uint64_t version, uint64_t *s)
{
    size_t t = below(s, rules_count), n = rules_columns_at(rules_table(t), version);
    struct op op = {.table_index = (int)t, .table = rules_table(t)};
    char store[RULES_MAX_COLUMNS][64];
    struct store values = {.used = 0};
    struct row now;
    uint8_t id[16];
    row_id(t, below(s, ROWS), id);
    bool there = read_row(db, version, op.table, id, &values, &now);
    op.kind = !there ? OP_INSERT : below(s, 4) == 0 ? OP_DELETE : OP_UPDATE;
    for (size_t i = 1; i < n; i++)
        if (op.kind == OP_INSERT || below(s, 3) == 0) op.new_[i] = random_value(&op.table->columns[i], s, store[i]);
    if (op.kind == OP_INSERT)
        op.new_[0] = value_id(id);
    else
        op.old[0] = value_id(id);
    apply_op(db, &op, n);
}

static void random_edits(sqlite3 *db, uint64_t version, size_t n, uint64_t *s)
{
    for (size_t i = 0; i < n; i++) random_edit(db, version, s);
}

/* The session takes 0.0 and -0.0 for one value, and records no change from one to the other. */
static bool same_to_session(struct value a, struct value b)
{
    return a.kind == VALUE_REAL && b.kind == VALUE_REAL ? a.r == b.r : value_equal(a, b);
}

static bool same_row(const struct row *a, const struct row *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!same_to_session(a->v[i], b->v[i])) return false;
    return true;
}

struct state {
    sqlite3 *before, *after;
    uint64_t version;
    bool patchset;
};

/* An operation says exactly what became of its row, and nothing of columns that came later than its version. */
static void check_op(const struct state *st, const struct op *op)
{
    size_t n = rules_columns_at(op->table, st->version);
    struct row was, is;
    struct store values = {.used = 0};
    bool old = read_row(st->before, st->version, op->table, op_row_id(op), &values, &was);
    bool new = read_row(st->after, st->version, op->table, op_row_id(op), &values, &is);
    assert_int_equal(op->kind, old && new ? OP_UPDATE : new ? OP_INSERT : OP_DELETE);
    for (size_t i = 1; i < n; i++) {
        if (op->kind == OP_INSERT) assert_true(value_equal(op->new_[i], is.v[i]));
        if (op->kind == OP_DELETE && !st->patchset) assert_true(value_equal(op->old[i], was.v[i]));
        if (op->kind != OP_UPDATE) continue;
        bool told = op->new_[i].kind != VALUE_NONE;
        assert_int_equal(told, !same_to_session(was.v[i], is.v[i]));
        if (told) assert_true(value_equal(op->new_[i], is.v[i]));
        if (told && !st->patchset) assert_true(value_equal(op->old[i], was.v[i]));
    }
    for (size_t i = n; i < op->table->n_columns; i++) {
        assert_int_equal(op->new_[i].kind, op->kind == OP_INSERT ? VALUE_NULL : VALUE_NONE);
        assert_int_equal(op->old[i].kind, op->kind == OP_DELETE && !st->patchset ? VALUE_NULL : VALUE_NONE);
    }
}

static size_t rows_that_differ(sqlite3 *a, sqlite3 *b, uint64_t version)
{
    size_t n = 0;
    for (size_t t = 0; t < rules_count; t++) {
        for (size_t i = 0; i < ROWS; i++) {
            struct row x, y;
            struct store values = {.used = 0};
            uint8_t id[16];
            row_id(t, i, id);
            bool in_a = read_row(a, version, rules_table(t), id, &values, &x);
            bool in_b = read_row(b, version, rules_table(t), id, &values, &y);
            n += in_a != in_b || (in_a && !same_row(&x, &y, rules_columns_at(rules_table(t), version)));
        }
    }
    return n;
}

static int no_conflict(void *ctx, int why, sqlite3_changeset_iter *iter)
{
    (void)ctx, (void)why, (void)iter;
    fail_msg("SQLite saw a conflict");
    return SQLITE_CHANGESET_ABORT;
}

/* Is the changeset refused in every version in which one of its tables has another number of columns? */
static void refused_in_other_versions(const struct state *st, struct bytes in)
{
    for (uint64_t v = 0; v <= NEWEST + 1; v++) {
        struct changeset_limits lim = {
            .schema = v, .patchset = st->patchset, .allow_delete = true, .max_ops = CHANGESET_MAX_OPS};
        struct changeset_reader r;
        struct op op;
        bool end = false, fits = v > 0;
        changeset_reader_init(&r, in, st->version);
        while (changeset_next(&r, &op, &end, NULL) == ERR_OK && !end)
            fits &= rules_columns_at(op.table, v) == rules_columns_at(op.table, st->version);
        assert_true(end);
        assert_int_equal(changeset_check(in, &lim, NULL), fits ? ERR_OK : ERR_FORMAT);
    }
}

static void through_the_codec(const struct state *st, struct bytes in)
{
    struct changeset_reader r;
    struct changeset_writer w;
    struct buf out;
    struct op op;
    bool end = false;
    size_t n = 0;
    buf_init(&out, CHANGESET_MAX_BYTES);
    changeset_reader_init(&r, in, st->version);
    changeset_writer_init(&w, &out, st->patchset, st->version);
    for (;; n++) {
        struct why why = {0};
        if (changeset_next(&r, &op, &end, &why) != ERR_OK) fail_msg("%s", why.text);
        if (end) break;
        check_op(st, &op);
        changeset_put(&w, &op);
    }
    assert_int_equal(n, rows_that_differ(st->before, st->after, st->version));
    assert_int_equal(out.err, ERR_OK);
    assert_true(bytes_equal(buf_bytes(&out), in));
    assert_int_equal(sqlite3changeset_apply(st->before, (int)out.len, out.data, NULL, no_conflict, NULL), SQLITE_OK);
    assert_int_equal(rows_that_differ(st->before, st->after, st->version), 0);
    buf_release(&out);
}

static void one_world(uint64_t seed, bool patchset)
{
    uint64_t s = seed, same;
    draw_world(&s);
    struct state st = {.version = 1 + below(&s, NEWEST), .patchset = patchset};
    sqlite3_session *session = NULL;
    void *bytes = NULL;
    int n = 0;
    st.before = database(st.version);
    st.after = database(st.version);
    same = s;
    random_edits(st.before, st.version, 60, &same);
    random_edits(st.after, st.version, 60, &s);
    assert_int_equal(sqlite3session_create(st.after, "main", &session), SQLITE_OK);
    assert_int_equal(sqlite3session_attach(session, NULL), SQLITE_OK);
    random_edits(st.after, st.version, 80, &s);
    assert_int_equal(patchset ? sqlite3session_patchset(session, &n, &bytes)
                              : sqlite3session_changeset(session, &n, &bytes),
                     SQLITE_OK);
    assert_true(n > 0);
    refused_in_other_versions(&st, bytes_of(bytes, (size_t)n));
    through_the_codec(&st, bytes_of(bytes, (size_t)n));
    sqlite3_free(bytes);
    sqlite3session_delete(session);
    sqlite3_close(st.before);
    sqlite3_close(st.after);
}

static void changesets_of_random_tables_in_random_versions_are_read_and_written_as_sqlite_does(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= WORLDS; seed++) one_world(seed * 7919, false);
}

static void patchsets_of_random_tables_in_random_versions_are_read_and_written_as_sqlite_does(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= WORLDS; seed++) one_world(seed * 104729, true);
}

/* Changed in every column, then told to a reader of every version: it learns the columns of its version and no
 * others. */
static void a_row_written_for_an_earlier_version_is_cut_to_its_columns(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= WORLDS; seed++) {
        uint64_t s = seed * 31337;
        char store[RULES_MAX_COLUMNS][64];
        uint8_t id[16] = {1};
        draw_world(&s);
        struct op op = {.kind = OP_INSERT, .table = rules_table(0)}, back;
        for (size_t i = 1; i < op.table->n_columns; i++) op.new_[i] = random_value(&op.table->columns[i], &s, store[i]);
        op.new_[0] = value_id(id);
        for (uint64_t v = 1; v <= NEWEST; v++) {
            struct changeset_writer w;
            struct changeset_reader r;
            struct buf out;
            bool end = false;
            buf_init(&out, 1u << 20);
            changeset_writer_init(&w, &out, true, v);
            changeset_put(&w, &op);
            assert_int_equal(out.err, ERR_OK);
            changeset_reader_init(&r, buf_bytes(&out), v);
            assert_int_equal(changeset_next(&r, &back, &end, NULL), ERR_OK);
            for (size_t i = 0; i < op.table->n_columns; i++)
                assert_true(value_equal(back.new_[i], op.table->columns[i].since <= v ? op.new_[i] : value_null()));
            buf_release(&out);
        }
    }
}

static void not_a_number_is_no_number_and_minus_zero_keeps_its_sign(void **state)
{
    (void)state;
    static const struct column_rule two[] = {{.name = "id", .type = COL_ID, .required = true, .since = 1},
                                             {.name = "r", .type = COL_REAL, .since = 1}};
    static const char *const values[] = {"\x7f\xf8\0\0\0\0\0\0", "\xff\xf8\0\0\0\0\0\1", "\x7f\xf0\0\0\0\0\0\1"};
    struct changeset_limits lim = {.schema = 1, .patchset = true, .max_ops = 10};
    rules_count = 1;
    rules_all[0] = (struct table_rule){.name = "t", .columns = two, .n_columns = 2};
    for (size_t i = 0; i < 4; i++) {
        struct buf b;
        buf_init(&b, 200);
        buf_put(&b, "P\2\1\0t\0\x12\0\4\x10nnnnnnnnnnnnnnnn\2", 27);
        buf_put(&b, i < 3 ? values[i] : "\x80\0\0\0\0\0\0\0", 8);
        assert_int_equal(changeset_check(buf_bytes(&b), &lim, NULL), i < 3 ? ERR_FORMAT : ERR_OK);
        struct changeset_reader r;
        struct op op = {0};
        bool end = false;
        changeset_reader_init(&r, buf_bytes(&b), 1);
        enum err e = changeset_next(&r, &op, &end, NULL);
        assert_int_equal(e, i < 3 ? ERR_FORMAT : ERR_OK);
        /* SQLite itself stores -0.0 as 0.0; what travels keeps its sign. */
        if (i == 3) assert_true(op.new_[1].r == 0.0 && signbit(op.new_[1].r));
        b.len--;
        assert_int_equal(changeset_check(buf_bytes(&b), &lim, NULL), ERR_FORMAT);
        buf_release(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changesets_of_random_tables_in_random_versions_are_read_and_written_as_sqlite_does),
        cmocka_unit_test(patchsets_of_random_tables_in_random_versions_are_read_and_written_as_sqlite_does),
        cmocka_unit_test(a_row_written_for_an_earlier_version_is_cut_to_its_columns),
        cmocka_unit_test(not_a_number_is_no_number_and_minus_zero_keeps_its_sign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
