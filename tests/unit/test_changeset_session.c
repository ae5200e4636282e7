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

/* Our codec against the session extension itself, over random edits of every synced table. sqlite3changeset_apply is
 * called here, and only here, on bytes that we have written ourselves. */
enum { ROWS = 40 };

static uint64_t next_random(uint64_t *s) /* splitmix64 */
{
    uint64_t z = (*s += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
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
    const void *p = v.kind >= VALUE_TEXT && v.kind <= VALUE_BLOB && v.s.n > 0 ? (const void *)v.s.p : "";
    if (v.kind == VALUE_INT)
        sqlite3_bind_int64(s, n, v.i);
    else if (v.kind == VALUE_TEXT)
        sqlite3_bind_text(s, n, p, (int)v.s.n, SQLITE_TRANSIENT);
    else if (v.kind == VALUE_BLOB)
        sqlite3_bind_blob(s, n, p, (int)v.s.n, SQLITE_TRANSIENT);
    else
        sqlite3_bind_null(s, n);
}

static void run(sqlite3_stmt *s)
{
    assert_int_equal(sqlite3_step(s), SQLITE_DONE);
    sqlite3_finalize(s);
}

/* One operation by our own SQL. */
static void apply_op(sqlite3 *db, const struct op *op)
{
    struct buf sql;
    const struct table_rule *t = op->table;
    buf_init(&sql, 4096);
    if (op->kind == OP_INSERT) {
        buf_printf(&sql, "INSERT INTO %s VALUES(", t->name);
        for (size_t i = 0; i < t->n_columns; i++) buf_printf(&sql, "%s?%zu", i > 0 ? "," : "", i + 1);
        buf_put_str(&sql, ")");
    } else if (op->kind == OP_DELETE) {
        buf_printf(&sql, "DELETE FROM %s WHERE id = ?1", t->name);
    } else {
        buf_printf(&sql, "UPDATE %s SET id = id", t->name);
        for (size_t i = 1; i < t->n_columns; i++) {
            if (op->new_[i].kind != VALUE_NONE) buf_printf(&sql, ", %s = ?%zu", t->columns[i].name, i + 1);
        }
        buf_put_str(&sql, " WHERE id = ?1");
    }
    sqlite3_stmt *s = prepare(db, &sql);
    bind(s, 1, op->kind == OP_INSERT ? op->new_[0] : op->old[0]);
    for (size_t i = 1; i < t->n_columns && op->kind != OP_DELETE; i++) {
        if (op->new_[i].kind != VALUE_NONE) bind(s, (int)i + 1, op->new_[i]);
    }
    run(s);
    assert_int_equal(sqlite3_changes(db), 1);
}

/* Any value that the column may hold. Texts live in `store`. */
static struct value random_value(const struct column_rule *c, uint64_t *seed, char store[64])
{
    static const char *const texts[] = {"", "a", "Ó Súilleabháin", "two words", "日本語 and more than twenty bytes",
                                        "😀"};
    uint64_t r = next_random(seed);
    if (!c->required && r % 4 == 0) return value_null();
    switch (c->type) {
    case COL_ID:
        for (size_t i = 0; i < 16; i++) store[i] = (char)next_random(seed);
        return value_blob(bytes_of(store, 16));
    case COL_WORD: {
        snprintf(store, 64, "%s", c->words);
        char *word = store, *end;
        for (uint64_t skip = r >> 8 & 3; skip > 0 && (end = strchr(word, '|')) != NULL; skip--) word = end + 1;
        return value_text(bytes_of(word, strcspn(word, "|")));
    }
    case COL_DATE:
        snprintf(store, 64, "20%02u-%02u-%02u", (unsigned)(r >> 8) % 100, 1 + (unsigned)(r >> 16) % 12,
                 1 + (unsigned)(r >> 24) % 28);
        return value_str(store);
    case COL_BOOL: return value_int((int64_t)(r >> 8 & 1));
    case COL_TIME:
    case COL_REAL: /* no product table has one; see test_schema_random.c */
    case COL_INT: return value_int(r & 16 ? (int64_t)next_random(seed) : (int64_t)(r >> 8 & 3));
    case COL_TEXT: break;
    }
    return value_str(texts[(r >> 8) % (sizeof texts / sizeof texts[0])]);
}

/* A random edit of row `number` (whose id is made from table and number): insert, replace some columns, or delete. */
static void random_edit(sqlite3 *db, int table, unsigned number, uint64_t *seed)
{
    struct op op = {.table_index = table, .table = rules_table((size_t)table)};
    char store[RULES_MAX_COLUMNS][64];
    uint8_t id[16] = {(uint8_t)table, (uint8_t)number, 0xee};
    struct buf sql;
    buf_init(&sql, 4096);
    buf_printf(&sql, "SELECT 1 FROM %s WHERE id = ?1", op.table->name);
    sqlite3_stmt *s = prepare(db, &sql);
    bind(s, 1, value_id(id));
    bool there = sqlite3_step(s) == SQLITE_ROW;
    sqlite3_finalize(s);
    op.kind = !there ? OP_INSERT : next_random(seed) % 4 == 0 ? OP_DELETE : OP_UPDATE;
    for (size_t i = 1; i < op.table->n_columns; i++) {
        if (op.kind == OP_INSERT || next_random(seed) % 3 == 0)
            op.new_[i] = random_value(&op.table->columns[i], seed, store[i]);
    }
    if (op.kind == OP_INSERT)
        op.new_[0] = value_id(id);
    else
        op.old[0] = value_id(id);
    apply_op(db, &op);
}

static void random_edits(sqlite3 *db, size_t n, uint64_t *seed)
{
    size_t n_tables;
    (void)rules_tables(&n_tables);
    for (size_t i = 0; i < n; i++)
        random_edit(db, (int)(next_random(seed) % n_tables), (unsigned)(next_random(seed) % ROWS), seed);
}

/* Every value of every row in key order. */
static void dump(sqlite3 *db, struct buf *out)
{
    size_t n_tables;
    (void)rules_tables(&n_tables);
    for (size_t t = 0; t < n_tables; t++) {
        struct buf sql;
        buf_init(&sql, 4096);
        buf_printf(&sql, "SELECT * FROM %s ORDER BY id", rules_table(t)->name);
        sqlite3_stmt *s = prepare(db, &sql);
        assert_int_equal(sqlite3_column_count(s), rules_table(t)->n_columns);
        while (sqlite3_step(s) == SQLITE_ROW) {
            for (int i = 0; i < sqlite3_column_count(s); i++) {
                buf_printf(out, "%zu.%d:%d:%d:", t, i, sqlite3_column_type(s, i), sqlite3_column_bytes(s, i));
                buf_put(out, sqlite3_column_blob(s, i), (size_t)sqlite3_column_bytes(s, i));
            }
        }
        sqlite3_finalize(s);
    }
    assert_int_equal(out->err, ERR_OK);
}

static void assert_same_content(sqlite3 *a, sqlite3 *b)
{
    struct buf in_a, in_b;
    buf_init(&in_a, 64u << 20);
    buf_init(&in_b, 64u << 20);
    dump(a, &in_a);
    dump(b, &in_b);
    assert_true(in_a.len > 0);
    assert_true(bytes_equal(buf_bytes(&in_a), buf_bytes(&in_b)));
    buf_release(&in_a);
    buf_release(&in_b);
}

static int no_conflict(void *ctx, int why, sqlite3_changeset_iter *iter)
{
    (void)ctx;
    (void)why;
    (void)iter;
    fail_msg("sqlite saw a conflict");
    return SQLITE_CHANGESET_ABORT;
}

/* Decode the session's bytes, apply them by our SQL to `ours`, write them again; let sqlite apply that to `theirs`. */
static void through_the_codec(struct bytes in, bool patchset, sqlite3 *ours, sqlite3 *theirs)
{
    struct changeset_limits lim = {.schema = rules_schema_newest(), .patchset = patchset, .allow_delete = true, .max_ops = CHANGESET_MAX_OPS};
    struct why why = {0};
    struct changeset_reader r;
    struct changeset_writer w;
    struct buf out;
    struct op op;
    bool end = false;
    if (changeset_check(in, &lim, &why) != ERR_OK) fail_msg("%s", why.text);
    buf_init(&out, CHANGESET_MAX_BYTES);
    changeset_reader_init(&r, in, rules_schema_newest());
    changeset_writer_init(&w, &out, patchset, rules_schema_newest());
    for (;;) {
        assert_int_equal(changeset_next(&r, &op, &end, &why), ERR_OK);
        if (end) break;
        apply_op(ours, &op);
        changeset_put(&w, &op);
    }
    assert_int_equal(out.err, ERR_OK);
    assert_true(bytes_equal(buf_bytes(&out), in));
    assert_int_equal(sqlite3changeset_apply(theirs, (int)out.len, out.data, NULL, no_conflict, NULL), SQLITE_OK);
    buf_release(&out);
}

static void edits_survive_session_and_codec(bool patchset)
{
    for (uint64_t round = 1; round <= 6; round++) {
        uint64_t seed = 1000 * round, same = seed, also = seed;
        sqlite3 *db = tables_in_memory(), *ours = tables_in_memory(), *theirs = tables_in_memory();
        sqlite3_session *session = NULL;
        void *bytes = NULL;
        int n = 0;
        random_edits(db, 200, &seed); /* rows that are there before */
        random_edits(ours, 200, &same);
        random_edits(theirs, 200, &also);
        assert_int_equal(sqlite3session_create(db, "main", &session), SQLITE_OK);
        assert_int_equal(sqlite3session_attach(session, NULL), SQLITE_OK);
        random_edits(db, 400, &seed);
        assert_int_equal(patchset ? sqlite3session_patchset(session, &n, &bytes)
                                  : sqlite3session_changeset(session, &n, &bytes),
                         SQLITE_OK);
        assert_true(n > 1000);
        through_the_codec(bytes_of(bytes, (size_t)n), patchset, ours, theirs);
        assert_same_content(db, ours);
        assert_same_content(db, theirs);
        sqlite3_free(bytes);
        sqlite3session_delete(session);
        sqlite3_close(db);
        sqlite3_close(ours);
        sqlite3_close(theirs);
    }
}

static void changesets_of_the_session_extension_are_read_and_written_byte_for_byte(void **state)
{
    (void)state;
    edits_survive_session_and_codec(false);
}

static void patchsets_of_the_session_extension_are_read_and_written_byte_for_byte(void **state)
{
    (void)state;
    edits_survive_session_and_codec(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changesets_of_the_session_extension_are_read_and_written_byte_for_byte),
        cmocka_unit_test(patchsets_of_the_session_extension_are_read_and_written_byte_for_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
