#include "tests/lib/bench_world.h"

#include "sync/schema_sql.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct bench_rows {
    struct kept_row {
        const struct table_rule *table;
        struct value *v;
    } * rows;
    size_t n;
    struct value *values;
    struct buf bytes;
};

/* Two walks: memory for all values is taken before anything points into it. */
static void walk(struct db *db, struct bench_rows *out, size_t *n_rows, size_t *n_values, size_t *n_bytes)
{
    struct why why = {0};
    size_t n_tables;
    const struct table_rule *tables = rules_tables(&n_tables);
    *n_rows = *n_values = *n_bytes = 0;
    for (size_t t = 0; t < n_tables; t++) {
        char sql[128];
        struct stmt *s;
        bool row;
        (void)snprintf(sql, sizeof sql, "SELECT * FROM \"%s\" ORDER BY id", tables[t].name);
        BENCH_MUST(db_prepare(db, sql, &s, &why));
        for (;;) {
            BENCH_MUST(db_step(s, &row, &why));
            if (!row) break;
            if (out != NULL) out->rows[*n_rows] = (struct kept_row){&tables[t], out->values + *n_values};
            for (size_t i = 0; i < tables[t].n_columns; i++) {
                struct value v = db_value(s, (int)i);
                bool bytes = v.kind == VALUE_TEXT || v.kind == VALUE_BLOB;
                if (out != NULL && bytes) {
                    memcpy(out->bytes.data + *n_bytes, v.s.p, v.s.n);
                    v.s.p = out->bytes.data + *n_bytes;
                }
                if (out != NULL) out->values[*n_values] = v;
                *n_bytes += bytes ? v.s.n : 0;
                ++*n_values;
            }
            ++*n_rows;
        }
        db_done(s);
    }
}

struct bench_rows *bench_rows_of(struct db *db)
{
    struct bench_rows *r = calloc(1, sizeof *r);
    size_t n_values, n_bytes;
    if (r == NULL) bench_fail("no memory");
    walk(db, NULL, &r->n, &n_values, &n_bytes);
    r->rows = calloc(r->n, sizeof *r->rows);
    r->values = calloc(n_values, sizeof *r->values);
    buf_init(&r->bytes, n_bytes);
    if (r->rows == NULL || r->values == NULL || buf_grow(&r->bytes, n_bytes) == NULL) bench_fail("no memory");
    walk(db, r, &r->n, &n_values, &n_bytes);
    return r;
}

size_t bench_rows_count(const struct bench_rows *r)
{
    return r->n;
}

void bench_rows_free(struct bench_rows *r)
{
    buf_release(&r->bytes);
    free(r->values);
    free(r->rows);
    free(r);
}

void bench_raw_open(struct bench_raw *raw, struct bench_world *w)
{
    struct why why = {0};
    struct secret key = {0};
    (void)snprintf(raw->path, sizeof raw->path, "%s/raw-%u.db", w->hub.dir, w->n_homes++);
    BENCH_MUST(secret_new(&key, 32, &why));
    env_random(&w->hub.env, key.p, key.n);
    BENCH_MUST(db_create(&w->hub.env, raw->path, &key, sync_schema_sql, &why));
    BENCH_MUST(db_open(&raw->db, &w->hub.env, raw->path, &key, &why));
    BENCH_MUST(db_begin(raw->db, &why));
    BENCH_MUST(db_migrate(raw->db, rules_schema_newest(), &why));
    BENCH_MUST(db_commit(raw->db, &why));
    secret_release(&key);
}

void bench_raw_close(struct bench_raw *raw)
{
    char wal[176];
    db_close(raw->db);
    (void)unlink(raw->path);
    (void)snprintf(wal, sizeof wal, "%s-wal", raw->path);
    (void)unlink(wal);
}

static sqlite3_stmt *prepare(struct bench_raw *raw, const char *sql)
{
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v3(db_sqlite(raw->db), sql, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL) != SQLITE_OK)
        bench_fail(sqlite3_errmsg(db_sqlite(raw->db)));
    return s;
}

static sqlite3_stmt *prepare_insert(struct bench_raw *raw, const struct table_rule *t)
{
    char sql[512];
    int n = snprintf(sql, sizeof sql, "INSERT INTO \"%s\" VALUES(?", t->name);
    for (size_t i = 1; i < t->n_columns; i++) n += snprintf(sql + n, sizeof sql - (size_t)n, ",?");
    (void)snprintf(sql + n, sizeof sql - (size_t)n, ")");
    return prepare(raw, sql);
}

static void bind(sqlite3_stmt *s, int n, struct value v)
{
    switch (v.kind) {
    case VALUE_INT: sqlite3_bind_int64(s, n, v.i); return;
    case VALUE_TEXT: sqlite3_bind_text64(s, n, (const char *)v.s.p, v.s.n, SQLITE_STATIC, SQLITE_UTF8); return;
    case VALUE_BLOB: sqlite3_bind_blob64(s, n, v.s.p, v.s.n, SQLITE_STATIC); return;
    default: sqlite3_bind_null(s, n);
    }
}

static void run(sqlite3_stmt *s)
{
    if (sqlite3_step(s) != SQLITE_DONE) bench_fail("the raw limit was refused something");
    (void)sqlite3_reset(s);
}

struct bench_time bench_raw_insert(struct bench_raw *raw, const struct bench_rows *rows)
{
    struct why why = {0};
    const struct table_rule *table = NULL;
    sqlite3_stmt *s = NULL;
    struct bench_time start = bench_now();
    BENCH_MUST(db_begin(raw->db, &why));
    for (size_t i = 0; i < rows->n; i++) {
        const struct kept_row *r = &rows->rows[i];
        if (r->table != table) {
            (void)sqlite3_finalize(s);
            s = prepare_insert(raw, r->table);
            table = r->table;
        }
        for (size_t c = 0; c < table->n_columns; c++) bind(s, (int)c + 1, r->v[c]);
        run(s);
    }
    (void)sqlite3_finalize(s);
    BENCH_MUST(db_commit(raw->db, &why));
    return bench_since(start);
}

struct bench_time bench_raw_update(struct bench_raw *raw, const struct bench_world *w, const unsigned *actions,
                                   unsigned n, const char *note)
{
    struct why why = {0};
    struct bench_time start = bench_now();
    BENCH_MUST(db_begin(raw->db, &why));
    sqlite3_stmt *s = prepare(raw, "UPDATE action SET note = ? WHERE id = ?");
    for (unsigned i = 0; i < n; i++) {
        bind(s, 1, value_str(note));
        bind(s, 2, value_id(w->actions[actions[i]]));
        run(s);
        if (sqlite3_changes(db_sqlite(raw->db)) != 1) bench_fail("the raw limit lacks a row");
    }
    (void)sqlite3_finalize(s);
    BENCH_MUST(db_commit(raw->db, &why));
    return bench_since(start);
}
