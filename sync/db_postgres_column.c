/* Columns of a row, in PostgreSQL's binary formats (each type's send function in its src/backend/utils/adt). */
#include "sync/db_postgres_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMERIC_BASE 10000 /* of the digits that a numeric is sent in */

/* One value as it came. */
struct cell {
    Oid type;
    const uint8_t *p; /* NULL: SQL's NULL */
    size_t n;
};

static struct cell cell_of(struct stmt *base, int col)
{
    struct stmt_pg *s = pg_stmt(base);
    if (!s->running || s->at >= s->n_results || col < 0 || col >= PQnfields(s->results[s->at])) return (struct cell){0};
    const PGresult *r = s->results[s->at];
    bool null = PQgetisnull(r, s->row, col);
    return (struct cell){.type = PQftype(r, col),
                         .p = null ? NULL : (const uint8_t *)PQgetvalue(r, s->row, col),
                         .n = null ? 0 : (size_t)PQgetlength(r, s->row, col)};
}

static uint64_t big_endian(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) v = v << 8 | p[i];
    return v;
}

static int16_t short_at(const uint8_t *p)
{
    return (int16_t)big_endian(p, 2);
}

/* A numeric is a sum: of digits to the base 10,000, the first of them of 10,000^weight. False: it is no whole number
 * of 64 bits. */
static bool numeric_int(const uint8_t *p, size_t n, int64_t *out)
{
    if (n < 8) return false;
    int digits = short_at(p), weight = short_at(p + 2);
    uint16_t sign = (uint16_t)short_at(p + 4); /* 0, 0x4000 minus, else not a number, or an infinite one */
    __int128 v = 0;
    if (digits < 0 || n != 8 + 2 * (size_t)digits || (sign != 0 && sign != 0x4000) || weight > 5) return false;
    for (int i = 0; i <= weight || i < digits; i++) {
        int digit = i < digits ? short_at(p + 8 + 2 * i) : 0;
        if (i > weight && digit != 0) return false;
        if (i <= weight) v = v * NUMERIC_BASE + digit;
    }
    if (sign != 0) v = -v;
    if (v > INT64_MAX || v < INT64_MIN) return false;
    *out = (int64_t)v;
    return true;
}

static bool is_text(Oid type)
{
    return type == PG_TEXT || type == PG_VARCHAR || type == PG_NAME || type == PG_BPCHAR || type == PG_UNKNOWN;
}

static bool is_number(Oid type)
{
    return type == PG_INT8 || type == PG_INT4 || type == PG_INT2 || type == PG_BOOL || type == PG_OID ||
           type == PG_NUMERIC;
}

static int64_t number(struct cell c)
{
    int64_t v = 0;
    switch (c.type) {
    case PG_INT8: return c.n == 8 ? (int64_t)big_endian(c.p, 8) : 0;
    case PG_INT4: return c.n == 4 ? (int32_t)big_endian(c.p, 4) : 0;
    case PG_INT2: return c.n == 2 ? short_at(c.p) : 0;
    case PG_OID: return c.n == 4 ? (int64_t)big_endian(c.p, 4) : 0;
    case PG_BOOL: return c.n == 1 && c.p[0] != 0;
    case PG_NUMERIC: return numeric_int(c.p, c.n, &v) ? v : 0; /* pg_check_row saw to it */
    default: return 0;
    }
}

/* spoke_any: a record of four fields, each its type, its length (-1: NULL) and its bytes. The one that is set becomes
 * the cell; all NULL is NULL. False: it is no such record. */
static bool unpack_any(struct cell *c)
{
    const uint8_t *p = c->p;
    size_t left = c->n;
    struct cell found = {.type = c->type};
    if (left < 4 || big_endian(p, 4) != 4) return false;
    p += 4, left -= 4;
    for (int i = 0; i < 4; i++) {
        if (left < 8) return false;
        Oid type = (Oid)big_endian(p, 4);
        int32_t n = (int32_t)big_endian(p + 4, 4);
        p += 8, left -= 8;
        if (n < 0) continue;
        if ((size_t)n > left || found.p != NULL) return false;
        found = (struct cell){.type = type, .p = p, .n = (size_t)n};
        p += n, left -= (size_t)n;
    }
    *c = found;
    return left == 0;
}

static struct cell read_cell(struct stmt *s, int col)
{
    struct cell c = cell_of(s, col);
    if (c.p != NULL && c.type == pg_of(s->db)->any_type && !unpack_any(&c)) c.p = NULL; /* pg_check_row saw to it */
    return c;
}

static bool readable(Oid type, Oid any)
{
    return is_text(type) || is_number(type) || type == PG_BYTEA || type == PG_FLOAT8 || (any != 0 && type == any);
}

/* Types do not change within an answer; whether a numeric or an ANY can be read is a matter of each value. */
enum err pg_check_row(struct stmt_pg *s, bool first, struct why *why)
{
    struct db_pg *db = pg_of(s->base.db);
    const PGresult *r = s->results[s->at];
    for (int col = 0; col < PQnfields(r); col++) {
        struct cell c = cell_of(&s->base, col);
        int64_t v;
        if (first && !readable(c.type, db->any_type))
            return why_set(why, pg_refuse(db, ERR_FAILED),
                           "Column %d of an answer has a type that Spoke does not read (%u).", col + 1,
                           (unsigned)c.type);
        if (c.p == NULL) continue;
        if (c.type == PG_NUMERIC && !numeric_int(c.p, c.n, &v))
            return why_set(why, pg_refuse(db, ERR_LIMIT), "Column %d of an answer is not a whole number of 64 bits.",
                           col + 1);
        if (c.type == db->any_type && !unpack_any(&c))
            return why_set(why, pg_refuse(db, ERR_TAMPERED), "A stored value is not what Spoke stored.");
    }
    return ERR_OK;
}

/* Memory until the next row; NULL is remembered for the next step. */
static char *scrap(struct stmt_pg *s, size_t n)
{
    struct pg_scrap *p = malloc(sizeof *p + n);
    if (p == NULL) {
        s->out_of_memory = true;
        return NULL;
    }
    p->next = s->scraps;
    s->scraps = p;
    return p->bytes;
}

static double real(struct cell c)
{
    uint64_t bits = c.n == 8 ? big_endian(c.p, 8) : 0;
    double r;
    memcpy(&r, &bits, sizeof r);
    return r;
}

/* A number at the beginning of a text, as SQLite reads one. */
static int64_t leading_int(struct cell c)
{
    char text[32];
    size_t n = c.n < sizeof text - 1 ? c.n : sizeof text - 1;
    memcpy(text, c.p, n);
    text[n] = '\0';
    return strtoll(text, NULL, 10);
}

int64_t pg_int(struct stmt *s, int col)
{
    struct cell c = read_cell(s, col);
    if (c.p == NULL) return 0;
    if (is_number(c.type)) return number(c);
    return c.type == PG_FLOAT8 ? (int64_t)real(c) : leading_int(c);
}

bool pg_is_null(struct stmt *s, int col)
{
    return read_cell(s, col).p == NULL;
}

struct bytes pg_bytes(struct stmt *s, int col)
{
    struct cell c = read_cell(s, col);
    if (c.p == NULL) return (struct bytes){0};
    if (is_text(c.type) || c.type == PG_BYTEA) return bytes_of(c.p, c.n);
    char *text = scrap(pg_stmt(s), 40);
    if (text == NULL) return bytes_of("", 0);
    int n = c.type == PG_FLOAT8 ? snprintf(text, 40, "%.15g", real(c)) : snprintf(text, 40, "%" PRId64, number(c));
    return bytes_of(text, n > 0 ? (size_t)n : 0);
}

struct value pg_value(struct stmt *s, int col)
{
    struct cell c = read_cell(s, col);
    if (c.p == NULL) return value_null();
    if (is_number(c.type)) return value_int(number(c));
    if (c.type == PG_FLOAT8) return (struct value){.kind = VALUE_REAL, .r = real(c)};
    return is_text(c.type) ? value_text(bytes_of(c.p, c.n)) : value_blob(bytes_of(c.p, c.n));
}

/* Of the row, or of the answer that came last. */
static const PGresult *shape(struct stmt *base)
{
    struct stmt_pg *s = pg_stmt(base);
    return s->running && s->at < s->n_results ? s->results[s->at] : s->shape;
}

int pg_columns(struct stmt *s)
{
    const PGresult *r = shape(s);
    return r == NULL ? 0 : PQnfields(r);
}

const char *pg_column_name(struct stmt *s, int col)
{
    const PGresult *r = shape(s);
    return r == NULL ? NULL : PQfname(r, col);
}
