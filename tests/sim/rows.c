#include "tests/sim/rows.h"

#include "sync/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES ((size_t)64 << 10)

struct rows_block { /* of the memory that values borrow from: it never moves */
    struct rows_block *next;
    size_t used, size;
    uint8_t bytes[];
};

static void *must(void *p)
{
    if (p == NULL) {
        fprintf(stderr, "sim: out of memory\n");
        abort();
    }
    return p;
}

static uint8_t *keep(struct rows *rows, struct bytes v)
{
    struct rows_block *b = rows->mem;
    if (b == NULL || b->size - b->used < v.n) {
        size_t size = v.n > BLOCK_BYTES ? v.n : BLOCK_BYTES;
        b = must(malloc(sizeof *b + size));
        *b = (struct rows_block){.next = rows->mem, .size = size};
        rows->mem = b;
    }
    uint8_t *out = b->bytes + b->used;
    if (v.n > 0) memcpy(out, v.p, v.n);
    b->used += v.n;
    return out;
}

static struct rows_row *add(struct rows *rows)
{
    if (rows->n == rows->cap) {
        rows->cap = rows->cap * 2 + 128;
        rows->v = must(realloc(rows->v, rows->cap * sizeof *rows->v));
    }
    return &rows->v[rows->n++];
}

static void take(struct rows *rows, int tbl, const struct table_rule *t, struct stmt *st)
{
    struct rows_row *r = add(rows);
    *r = (struct rows_row){.tbl = tbl, .r = {.table = t}};
    for (size_t c = 0; c < t->n_columns; c++) {
        struct value v = db_value(st, (int)c);
        if (v.kind == VALUE_TEXT || v.kind == VALUE_BLOB) v.s.p = keep(rows, v.s);
        r->r.v[c] = v;
    }
    memcpy(r->id, r->r.v[0].s.p, sizeof r->id);
    if (t->kind == TABLE_CASE) memcpy(r->case_id, r->r.v[1].s.p, sizeof r->case_id);
}

static void read_table(struct rows *out, struct db *db, int tbl, const struct table_rule *t)
{
    char sql[100];
    bool more = false;
    struct stmt *st = NULL;
    struct why why = {0};
    (void)snprintf(sql, sizeof sql, "SELECT * FROM \"%s\" ORDER BY id", t->name);
    enum err e = db_prepare(db, sql, &st, &why);
    while (e == ERR_OK && (e = db_step(st, &more, &why)) == ERR_OK && more) take(out, tbl, t, st);
    db_done(st);
    if (e != ERR_OK) {
        fprintf(stderr, "sim: %s: %s\n", sql, why.text);
        abort();
    }
}

static void take_aside(struct rows *rows, int tbl, const struct table_rule *t, struct bytes cbor)
{
    struct row from = {.table = t};
    if (row_from_cbor(&from, t, cbor, NULL) != ERR_OK) abort();
    struct rows_row *r = add(rows);
    *r = (struct rows_row){.tbl = tbl, .r = {.table = t}};
    for (size_t c = 0; c < t->n_columns; c++) {
        struct value v = from.v[c];
        if (v.kind == VALUE_NONE) v = value_null();
        if (v.kind == VALUE_TEXT || v.kind == VALUE_BLOB) v.s.p = keep(rows, v.s);
        r->r.v[c] = v;
    }
    memcpy(r->id, r->r.v[0].s.p, sizeof r->id);
    if (t->kind == TABLE_CASE) memcpy(r->case_id, r->r.v[1].s.p, sizeof r->case_id);
}

static int by_id(const void *a, const void *b)
{
    return memcmp(((const struct rows_row *)a)->id, ((const struct rows_row *)b)->id, 16);
}

/* A device holds what it hides, because its time is over by the device's own clock, like the rest. */
static void read_aside(struct rows *out, struct db *db, int tbl, const struct table_rule *t)
{
    bool more = false;
    struct stmt *st = NULL;
    struct why why = {0};
    size_t before = out->n;
    enum err e = db_prepare(db, "SELECT row FROM n_hidden WHERE tbl = $1", &st, &why);
    if (e == ERR_OK) db_bind_int(st, 1, tbl);
    while (e == ERR_OK && (e = db_step(st, &more, &why)) == ERR_OK && more) take_aside(out, tbl, t, db_bytes(st, 0));
    db_done(st);
    if (e != ERR_OK) {
        fprintf(stderr, "sim: rows that are hidden: %s\n", why.text);
        abort();
    }
    if (out->n > before) qsort(out->v + out->start[tbl], out->n - out->start[tbl], sizeof *out->v, by_id);
}

static void read_kinds(struct rows *out, struct db *db, bool reference, bool aside)
{
    size_t n_tables;
    const struct table_rule *all = rules_tables(&n_tables);
    *out = (struct rows){0};
    if (n_tables > ROWS_TABLES) abort();
    for (size_t t = 0; t < n_tables; t++) {
        out->start[t] = out->n;
        if (reference || all[t].kind == TABLE_CASE) read_table(out, db, (int)t, &all[t]);
        if (aside && all[t].kind == TABLE_CASE) read_aside(out, db, (int)t, &all[t]);
    }
    for (size_t t = n_tables; t <= ROWS_TABLES; t++) out->start[t] = out->n;
}

void rows_read(struct rows *out, struct db *db)
{
    read_kinds(out, db, true, false);
}

void rows_read_held(struct rows *out, struct db *device)
{
    read_kinds(out, device, true, true);
}

void rows_read_cases(struct rows *out, struct db *db)
{
    read_kinds(out, db, false, false);
}

void rows_free(struct rows *rows)
{
    while (rows->mem != NULL) {
        struct rows_block *next = rows->mem->next;
        free(rows->mem);
        rows->mem = next;
    }
    free(rows->v);
    *rows = (struct rows){0};
}

const struct rows_row *rows_find(const struct rows *rows, int tbl, const uint8_t id[16])
{
    size_t lo = rows->start[tbl], hi = rows->start[tbl + 1];
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int c = memcmp(rows->v[mid].id, id, 16);
        if (c == 0) return &rows->v[mid];
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

int rows_table(const char *name)
{
    int t = rules_table_index(bytes_of_str(name));
    if (t < 0) abort(); /* our own spelling */
    return t;
}

struct value rows_value(const struct rows_row *r, const char *column)
{
    int c = rules_column_index(r->r.table, bytes_of_str(column));
    if (c < 0) abort();
    return r->r.v[c];
}

bool rows_null(const struct rows_row *r, const char *column)
{
    return rows_value(r, column).kind == VALUE_NULL;
}

bool rows_is(const struct rows_row *r, const char *column, const char *text)
{
    struct value v = rows_value(r, column);
    return v.kind == VALUE_TEXT ? bytes_equal(v.s, bytes_of_str(text)) : text[0] == '\0';
}

int64_t rows_int(const struct rows_row *r, const char *column)
{
    struct value v = rows_value(r, column);
    return v.kind == VALUE_INT ? v.i : 0;
}

/* ---- ids ---- */
static const uint8_t nobody[16];

static size_t slot(const struct ids *s, const uint8_t id[16])
{
    size_t h = 0;
    memcpy(&h, id + 8, sizeof h); /* the random half of a row id */
    size_t at = h * 0x9E3779B1u & (s->cap - 1);
    while (memcmp(s->v[at], nobody, 16) != 0 && memcmp(s->v[at], id, 16) != 0) at = (at + 1) & (s->cap - 1);
    return at;
}

void ids_add(struct ids *s, const uint8_t id[16])
{
    if (2 * (s->n + 1) > s->cap) {
        struct ids bigger = {.cap = s->cap == 0 ? 256 : 2 * s->cap, .n = s->n};
        bigger.v = must(calloc(bigger.cap, 16));
        for (size_t i = 0; i < s->cap; i++)
            if (memcmp(s->v[i], nobody, 16) != 0) memcpy(bigger.v[slot(&bigger, s->v[i])], s->v[i], 16);
        free(s->v);
        *s = bigger;
    }
    size_t at = slot(s, id);
    if (memcmp(s->v[at], nobody, 16) == 0) s->n++;
    memcpy(s->v[at], id, 16);
}

bool ids_has(const struct ids *s, const uint8_t id[16])
{
    return s->cap > 0 && memcmp(id, nobody, 16) != 0 && memcmp(s->v[slot(s, id)], id, 16) == 0;
}

void ids_add_all(struct ids *s, const struct ids *of)
{
    for (size_t i = 0; i < of->cap; i++)
        if (memcmp(of->v[i], nobody, 16) != 0) ids_add(s, of->v[i]);
}

void ids_clear(struct ids *s)
{
    free(s->v);
    *s = (struct ids){0};
}

const char *ids_hex(const uint8_t id[16], char out[33])
{
    hex_encode(out, id, 16);
    return out;
}
