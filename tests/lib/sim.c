#include "tests/lib/sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

uint64_t sim_random(struct sim *s, uint64_t below) /* splitmix64 (Steele, Lea, Flood 2014) */
{
    uint64_t x = s->rng += 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return (x ^ x >> 31) % below;
}

bool sim_chance(struct sim *s, unsigned percent)
{
    return sim_random(s, 100) < percent;
}

void sim_note(struct sim *s, const char *fmt, ...)
{
    char line[400];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    buf_printf(&s->trace, "%4d %s\n", s->step, line);
    if (getenv("WORLD_LOUD") != NULL) fprintf(stderr, "%4d %s\n", s->step, line);
}

void sim_fail(struct sim *s, const char *fmt, ...)
{
    char line[1000];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    size_t from = s->trace.len > 12000 && getenv("WORLD_TRACE") == NULL ? s->trace.len - 12000 : 0;
    if (s->trace.len > 0) fprintf(stderr, "%.*s", (int)(s->trace.len - from), (const char *)s->trace.data + from);
    fprintf(stderr, "world left in %s\n", s->dir);
    fail_msg("seed %llu, step %d: %s", (unsigned long long)s->seed, s->step, line);
    abort();
}

void sim_must(struct sim *s, enum err e, const char *what, const struct why *why)
{
    if (e != ERR_OK) sim_fail(s, "%s: %s: %s", what, err_word(e), why->text);
}

struct sim_node *sim_any_node(struct sim *s)
{
    for (;;) {
        struct sim_node *n = &s->nodes[sim_random(s, SIM_NODES)];
        if (n->n != NULL) return n;
    }
}

const char *sim_hex(const uint8_t id[16], char out[33])
{
    hex_encode(out, id, 16);
    return out;
}

/* ------------------------------------------------------------------------------------------------------ rows */
static void row_copy(struct sim_row *out, const struct table_rule *t, struct stmt *st)
{
    size_t room = 0, at = 0;
    for (size_t c = 0; c < t->n_columns; c++) room += db_bytes(st, (int)c).n;
    out->mem = malloc(room + 1);
    assert_non_null(out->mem);
    out->r.table = t;
    for (size_t c = 0; c < t->n_columns; c++) {
        struct value v = db_value(st, (int)c);
        if (v.kind == VALUE_TEXT || v.kind == VALUE_BLOB) {
            if (v.s.n > 0) memcpy(out->mem + at, v.s.p, v.s.n);
            v.s.p = out->mem + at;
            at += v.s.n;
        }
        out->r.v[c] = v;
    }
    memcpy(out->id, out->r.v[0].s.p, 16);
    if (t->kind == TABLE_CASE) memcpy(out->case_id, out->r.v[1].s.p, 16);
}

void sim_rows_read(struct sim_rows *out, struct db *db)
{
    size_t n_tables;
    const struct table_rule *all = rules_tables(&n_tables);
    struct why why = {0};
    *out = (struct sim_rows){0};
    assert_true(n_tables <= SIM_TABLES);
    for (size_t t = 0; t < n_tables; t++) {
        char sql[100];
        bool more = false;
        struct stmt *st = NULL;
        out->start[t] = out->n;
        (void)snprintf(sql, sizeof sql, "SELECT * FROM \"%s\" ORDER BY id", all[t].name);
        if (db_prepare(db, sql, &st, &why) != ERR_OK) fail_msg("%s: %s", sql, why.text);
        while (db_step(st, &more, &why) == ERR_OK && more) {
            if (out->n == out->cap) {
                out->cap = out->cap * 2 + 64;
                out->v = realloc(out->v, out->cap * sizeof *out->v);
                assert_non_null(out->v);
            }
            struct sim_row *r = &out->v[out->n++];
            *r = (struct sim_row){.tbl = (int)t};
            row_copy(r, &all[t], st);
        }
        db_done(st);
    }
    for (size_t t = n_tables; t <= SIM_TABLES; t++) out->start[t] = out->n;
}

void sim_rows_free(struct sim_rows *rows)
{
    for (size_t i = 0; i < rows->n; i++) free(rows->v[i].mem);
    free(rows->v);
    *rows = (struct sim_rows){0};
}

const struct sim_row *sim_rows_find(const struct sim_rows *rows, int tbl, const uint8_t id[16])
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

int sim_table(const char *name)
{
    int t = rules_table_index(bytes_of_str(name));
    if (t < 0) fail_msg("no table %s", name);
    return t;
}

struct value sim_value(const struct sim_row *r, const char *column)
{
    int c = rules_column_index(r->r.table, bytes_of_str(column));
    if (c < 0) fail_msg("%s has no %s", r->r.table->name, column);
    return r->r.v[c];
}

bool sim_null(const struct sim_row *r, const char *column)
{
    return sim_value(r, column).kind == VALUE_NULL;
}

bool sim_is(const struct sim_row *r, const char *column, const char *text)
{
    struct value v = sim_value(r, column);
    return v.kind == VALUE_TEXT ? bytes_equal(v.s, bytes_of_str(text)) : text[0] == '\0';
}

int64_t sim_int(const struct sim_row *r, const char *column)
{
    struct value v = sim_value(r, column);
    return v.kind == VALUE_INT ? v.i : 0;
}

/* ------------------------------------------------------------------------------------------------------- ids */
static const uint8_t nobody[16];

static size_t slot(const struct sim_ids *s, const uint8_t id[16])
{
    size_t h = 0;
    memcpy(&h, id + 8, sizeof h); /* the random half of a row id */
    size_t at = h * 0x9E3779B1u & (s->cap - 1);
    while (memcmp(s->v[at], nobody, 16) != 0 && memcmp(s->v[at], id, 16) != 0) at = (at + 1) & (s->cap - 1);
    return at;
}

void sim_ids_add(struct sim_ids *s, const uint8_t id[16])
{
    if (2 * (s->n + 1) > s->cap) {
        struct sim_ids bigger = {.cap = s->cap == 0 ? 256 : 2 * s->cap, .n = s->n};
        bigger.v = calloc(bigger.cap, 16);
        assert_non_null(bigger.v);
        for (size_t i = 0; i < s->cap; i++)
            if (memcmp(s->v[i], nobody, 16) != 0) memcpy(bigger.v[slot(&bigger, s->v[i])], s->v[i], 16);
        free(s->v);
        *s = bigger;
    }
    size_t at = slot(s, id);
    if (memcmp(s->v[at], nobody, 16) == 0) s->n++;
    memcpy(s->v[at], id, 16);
}

bool sim_ids_has(const struct sim_ids *s, const uint8_t id[16])
{
    return s->cap > 0 && memcmp(id, nobody, 16) != 0 && memcmp(s->v[slot(s, id)], id, 16) == 0;
}

void sim_ids_clear(struct sim_ids *s)
{
    free(s->v);
    *s = (struct sim_ids){0};
}
