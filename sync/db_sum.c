#define SQLITE_ENABLE_PREUPDATE_HOOK 1 /* sqlite3.h declares it only to those who ask */
#include "sync/db_sum.h"

#include "sync/db_sqlite.h"

#include "crypto/hash.h"

#include <stdlib.h>
#include <string.h>

#define ROW_MAX ((size_t)RULES_MAX_COLUMNS * (RULES_MAX_VALUE + 16))

struct sum {
    uint64_t hi, lo;
};
struct db_sum {
    uint8_t key[DB_SUM_BYTES];
    struct sum now, at_begin; /* at_begin: when the transaction began, for its rollback */
    struct sum stored;        /* what stands in the store */
    struct buf row;           /* scratch: one row as it is hashed */
    enum err failed;          /* a row could not be followed: the transaction must not commit */
    db_sum_store_fn store;
    void *ctx;
    db_sum_watch_fn watch; /* NULL: nobody */
    void *watch_ctx;
};

/* Number and kind first, so that no two different rows are the same bytes. NULL is left out: a column that a later
 * schema version added is NULL in every row that was there, and changes nothing. */
static void put_value(struct buf *b, size_t column, struct value v)
{
    uint64_t bits = 0;
    if (v.kind == VALUE_NULL || v.kind == VALUE_NONE) return;
    buf_put_u8(b, (uint8_t)column);
    buf_put_u8(b, (uint8_t)v.kind);
    if (v.kind == VALUE_TEXT || v.kind == VALUE_BLOB) {
        buf_put_be64(b, v.s.n);
        buf_put_bytes(b, v.s);
        return;
    }
    memcpy(&bits, v.kind == VALUE_INT ? (const void *)&v.i : (const void *)&v.r, sizeof bits);
    buf_put_be64(b, bits);
}

static struct sum row_hash(const uint8_t key[DB_SUM_BYTES], const struct buf *row)
{
    uint8_t h[DB_SUM_BYTES];
    struct sum out;
    hash_keyed16(h, key, buf_bytes(row));
    memcpy(&out.hi, h, sizeof out.hi);
    memcpy(&out.lo, h + sizeof out.hi, sizeof out.lo);
    return out;
}

static void add(struct sum *to, struct sum x)
{
    to->lo += x.lo;
    to->hi += x.hi + (to->lo < x.lo);
}

static void take_away(struct sum *from, struct sum x)
{
    uint64_t borrow = from->lo < x.lo;
    from->lo -= x.lo;
    from->hi -= x.hi + borrow;
}

static void to_bytes(struct sum s, uint8_t out[DB_SUM_BYTES])
{
    memcpy(out, &s.hi, sizeof s.hi);
    memcpy(out + sizeof s.hi, &s.lo, sizeof s.lo);
}

static struct sum from_bytes(const uint8_t in[DB_SUM_BYTES])
{
    struct sum s;
    memcpy(&s.hi, in, sizeof s.hi);
    memcpy(&s.lo, in + sizeof s.hi, sizeof s.lo);
    return s;
}

/* What stands in s->row, into the sum or out of it. */
static void count(struct db_sum *s, bool in)
{
    if (s->row.err != ERR_OK) {
        s->failed = s->row.err;
        buf_reset(&s->row);
        return;
    }
    struct sum h = row_hash(s->key, &s->row);
    if (in)
        add(&s->now, h);
    else
        take_away(&s->now, h);
}

/* Of a row or of a hook's value alike: reset without wiping all the room that the largest row took. */
static void begin_row(struct db_sum *s, int table_index)
{
    s->row.len = 0;
    buf_put_u8(&s->row, (uint8_t)table_index);
}

/* ---- the hook */

static struct value value_of(sqlite3_value *v)
{
    switch (sqlite3_value_type(v)) {
    case SQLITE_INTEGER: return value_int(sqlite3_value_int64(v));
    case SQLITE_FLOAT: return (struct value){.kind = VALUE_REAL, .r = sqlite3_value_double(v)};
    case SQLITE_TEXT: {
        const void *p = sqlite3_value_text(v);
        return value_text(bytes_of(p, (size_t)sqlite3_value_bytes(v)));
    }
    case SQLITE_BLOB: {
        const void *p = sqlite3_value_blob(v);
        return value_blob(bytes_of(p, (size_t)sqlite3_value_bytes(v)));
    }
    default: return value_null();
    }
}

/* A whole number in a column of reals is stored as an integer, and this hook shows it so; everybody else sees a
 * real. */
static struct value as_stored(const struct table_rule *t, size_t column, struct value v)
{
    if (v.kind == VALUE_INT && column < t->n_columns && t->columns[column].type == COL_REAL)
        return (struct value){.kind = VALUE_REAL, .r = (double)v.i};
    return v;
}

static void count_side(struct db_sum *s, sqlite3 *sql, int table_index, bool after)
{
    int n = sqlite3_preupdate_count(sql);
    begin_row(s, table_index);
    for (int i = 0; i < n; i++) {
        sqlite3_value *v = NULL;
        int rc = after ? sqlite3_preupdate_new(sql, i, &v) : sqlite3_preupdate_old(sql, i, &v);
        if (rc != SQLITE_OK || v == NULL) {
            s->failed = rc == SQLITE_NOMEM ? ERR_NOMEM : ERR_FAILED;
            return;
        }
        put_value(&s->row, (size_t)i, as_stored(rules_table((size_t)table_index), (size_t)i, value_of(v)));
    }
    count(s, after);
}

static void tell_hook(struct db_sum *s, sqlite3 *sql, int table_index, bool after)
{
    sqlite3_value *v = NULL;
    if (s->watch == NULL || rules_table((size_t)table_index)->kind != TABLE_CASE) return;
    int rc = after ? sqlite3_preupdate_new(sql, 1, &v) : sqlite3_preupdate_old(sql, 1, &v);
    if (rc == SQLITE_NOMEM) s->failed = ERR_NOMEM;
    if (rc == SQLITE_OK && v != NULL && sqlite3_value_bytes(v) == 16)
        s->watch(s->watch_ctx, table_index, sqlite3_value_blob(v));
}

static void row_changes(void *ctx, sqlite3 *sql, int op, const char *db_name, const char *table, sqlite3_int64 from,
                        sqlite3_int64 to)
{
    struct db_sum *s = ctx;
    (void)from, (void)to;
    if (strcmp(db_name, "main") != 0 || (table[0] == 'n' && table[1] == '_')) return;
    int i = rules_table_index(bytes_of_str(table));
    if (i < 0) return;
    tell_hook(s, sql, i, op == SQLITE_INSERT);
    if (op != SQLITE_INSERT) count_side(s, sql, i, false);
    if (op != SQLITE_DELETE) count_side(s, sql, i, true);
}

/* NULL: it is not followed. */
static struct db_sum *sum_of(const struct db *db)
{
    return db->engine == &db_sqlite_engine ? ((const struct db_sqlite *)db)->sum : NULL;
}

void db_sum_pause(struct db *db)
{
    if (sum_of(db) != NULL) (void)sqlite3_preupdate_hook(db_sqlite(db), NULL, NULL);
}

void db_sum_resume(struct db *db)
{
    if (sum_of(db) != NULL) (void)sqlite3_preupdate_hook(db_sqlite(db), row_changes, sum_of(db));
}

static void count_row(struct db_sum *s, const struct row *r, bool after)
{
    if (r == NULL) return;
    begin_row(s, rules_table_index(bytes_of_str(r->table->name)));
    for (size_t i = 0; i < r->table->n_columns; i++) put_value(&s->row, i, r->v[i]);
    count(s, after);
}

void db_sum_row(struct db *db, const struct row *before, const struct row *after)
{
    const struct row *r = after != NULL ? after : before;
    struct db_sum *s = sum_of(db);
    if (s == NULL) return;
    if (s->watch != NULL && r != NULL && r->table->kind == TABLE_CASE && r->v[1].s.n == 16)
        s->watch(s->watch_ctx, rules_table_index(bytes_of_str(r->table->name)), r->v[1].s.p);
    count_row(s, before, false);
    count_row(s, after, true);
}

/* ---- life */

enum err db_sum_start(struct db *db, const uint8_t key[DB_SUM_BYTES], const uint8_t sum[DB_SUM_BYTES],
                      db_sum_store_fn store, void *ctx, struct why *why)
{
    struct db_sqlite *own = db_sqlite_of(db);
    if (own == NULL) return db_not_here(why);
    struct db_sum *s = calloc(1, sizeof *s);
    if (s == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to open the store.");
    memcpy(s->key, key, sizeof s->key);
    s->now = s->at_begin = s->stored = from_bytes(sum);
    s->store = store;
    s->ctx = ctx;
    buf_init(&s->row, ROW_MAX);
    db_sum_free(own);
    own->sum = s;
    db_sum_resume(db);
    return ERR_OK;
}

void db_sum_watch(struct db *db, db_sum_watch_fn each, void *ctx)
{
    struct db_sum *s = sum_of(db);
    if (s == NULL) return;
    s->watch = each;
    s->watch_ctx = ctx;
}

void db_sum_free(struct db_sqlite *db)
{
    if (db->sum == NULL) return;
    db_sum_pause(&db->base);
    buf_release(&db->sum->row);
    secret_wipe(db->sum, sizeof *db->sum);
    free(db->sum);
    db->sum = NULL;
}

bool db_sum_now(const struct db *db, uint8_t out[DB_SUM_BYTES])
{
    const struct db_sum *s = sum_of(db);
    if (s != NULL) to_bytes(s->now, out);
    return s != NULL;
}

void db_sum_begin(struct db_sqlite *db)
{
    if (db->sum != NULL) db->sum->at_begin = db->sum->now;
}

static bool same(struct sum a, struct sum b)
{
    return a.hi == b.hi && a.lo == b.lo;
}

enum err db_sum_before_commit(struct db_sqlite *db, struct why *why)
{
    struct db_sum *s = db->sum;
    uint8_t sum[DB_SUM_BYTES];
    if (s == NULL) return ERR_OK;
    if (s->failed != ERR_OK)
        return why_set(why, s->failed, "There is not enough memory to note what was changed. Nothing was saved.");
    if (same(s->now, s->stored)) return ERR_OK;
    to_bytes(s->now, sum);
    return s->store(s->ctx, sum, why);
}

void db_sum_committed(struct db_sqlite *db)
{
    if (db->sum != NULL) db->sum->stored = db->sum->now;
}

void db_sum_rolled_back(struct db_sqlite *db)
{
    if (db->sum == NULL) return;
    db->sum->now = db->sum->at_begin;
    db->sum->failed = ERR_OK;
}

/* ---- all rows anew */

static enum err scan_table(struct db *db, const struct table_rule *t, struct db_sum *s, struct why *why)
{
    struct stmt *q = NULL;
    struct buf sql;
    bool row = true;
    int index = rules_table_index(bytes_of_str(t->name));
    size_t n = rules_columns_at(t, db->schema);
    buf_init(&sql, 4096);
    buf_put_str(&sql, "SELECT ");
    for (size_t i = 0; i < n; i++) buf_printf(&sql, "%s\"%s\"", i == 0 ? "" : ",", t->columns[i].name);
    buf_printf(&sql, " FROM \"%s\"", t->name);
    const char *text = buf_cstr(&sql);
    enum err e = text != NULL ? db_prepare(db, text, &q, why) : why_set(why, ERR_NOMEM, "There is not enough memory.");
    buf_release(&sql);
    while (e == ERR_OK) {
        e = db_step(q, &row, why);
        if (e != ERR_OK || !row) break;
        begin_row(s, index);
        for (size_t i = 0; i < n; i++) put_value(&s->row, i, db_value(q, (int)i));
        count(s, true);
        if (s->failed != ERR_OK) e = why_set(why, s->failed, "A stored row is too large to be held in memory.");
    }
    db_done(q);
    return e;
}

enum err db_sum_scan(struct db *db, const uint8_t key[DB_SUM_BYTES], uint8_t out[DB_SUM_BYTES], struct why *why)
{
    size_t n = 0;
    const struct table_rule *t = rules_tables(&n);
    struct db_sum s = {0};
    enum err e = ERR_OK;
    memcpy(s.key, key, sizeof s.key);
    buf_init(&s.row, ROW_MAX);
    for (size_t i = 0; e == ERR_OK && i < n; i++) e = scan_table(db, &t[i], &s, why);
    buf_release(&s.row);
    secret_wipe(s.key, sizeof s.key);
    if (e == ERR_OK) to_bytes(s.now, out);
    return e;
}
