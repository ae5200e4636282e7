#include "sync/value.h"

#include "base/cbor.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct value value_str(const char *s)
{
    return s == NULL ? value_null() : value_text(bytes_of_str(s));
}

struct value value_id(const uint8_t id[16])
{
    return value_blob(bytes_of(id, 16));
}

bool value_equal(struct value a, struct value b)
{
    if (a.kind != b.kind)
        return false;
    switch (a.kind) {
    case VALUE_INT:
        return a.i == b.i;
    case VALUE_REAL:
        return memcmp(&a.r, &b.r, sizeof a.r) == 0; /* == would call 0.0 and -0.0 one, and a NaN unlike itself */
    case VALUE_TEXT:
    case VALUE_BLOB:
        return bytes_equal(a.s, b.s);
    case VALUE_NONE:
    case VALUE_NULL:
        return true;
    }
    return false;
}

/* What is wrong with a value that is not NULL; NULL when it fits. */
static const char *misfit(const struct column_rule *c, struct value v)
{
    switch (c->type) {
    case COL_ID:
        return v.kind == VALUE_BLOB && v.s.n == 16 ? NULL : "must be an id of 16 bytes";
    case COL_TEXT:
        if (v.kind != VALUE_TEXT)
            return "must be text";
        if (v.s.n > RULES_MAX_VALUE)
            return "is longer than 1 MiB";
        return utf8_valid(v.s) ? NULL : "is not UTF-8 text";
    case COL_WORD:
        return v.kind == VALUE_TEXT && rules_word_ok(c, v.s) ? NULL : "must be one of the words known for it";
    case COL_DATE:
        return v.kind == VALUE_TEXT && rules_date_ok(v.s) ? NULL : "must be a date such as 2026-01-31";
    case COL_BOOL:
        return v.kind == VALUE_INT && (v.i == 0 || v.i == 1) ? NULL : "must be 0 or 1";
    case COL_TIME:
    case COL_INT:
        return v.kind == VALUE_INT ? NULL : "must be a whole number";
    case COL_REAL:
        return v.kind == VALUE_REAL && v.r == v.r ? NULL : "must be a number";
    }
    return "has no known type";
}

enum err value_check(const struct table_rule *t, size_t column, struct value v, struct why *why)
{
    assert(column < t->n_columns);
    const struct column_rule *c = &t->columns[column];
    const char *fault = NULL;
    if (v.kind == VALUE_NONE || (v.kind == VALUE_NULL && c->required))
        fault = "must have a value";
    else if (v.kind != VALUE_NULL)
        fault = misfit(c, v);
    if (fault != NULL)
        return why_set(why, ERR_FORMAT, "%s.%s %s.", t->name, c->name, fault);
    return ERR_OK;
}

enum err value_to_text(struct value v, struct buf *out)
{
    char uuid[37];
    switch (v.kind) {
    case VALUE_NULL:
        return out->err;
    case VALUE_REAL:
        buf_printf(out, "%.17g", v.r);
        return out->err;
    case VALUE_INT:
        buf_printf(out, "%" PRId64, v.i);
        return out->err;
    case VALUE_TEXT:
        buf_put_bytes(out, v.s);
        return out->err;
    case VALUE_BLOB:
        if (v.s.n != 16)
            return ERR_FORMAT;
        uuid_format(v.s.p, uuid);
        buf_put_str(out, uuid);
        return out->err;
    case VALUE_NONE:
        break;
    }
    return ERR_FORMAT;
}

/* Exactly the text that value_to_text writes, as below. */
static bool real_parse(struct bytes text, double *out)
{
    char have[32], again[32];
    char *end;
    if (text.n == 0 || text.n >= sizeof have)
        return false;
    memcpy(have, text.p, text.n);
    have[text.n] = '\0';
    *out = strtod(have, &end);
    (void)snprintf(again, sizeof again, "%.17g", *out);
    return *end == '\0' && strcmp(have, again) == 0;
}

/* Exactly the text that value_to_text writes: no plus sign, no leading zeros, no "-0". Two texts of one value would
 * make the same conflict look like two. */
static bool int_parse(struct bytes text, int64_t *out)
{
    bool negative = text.n > 0 && text.p[0] == '-';
    size_t first = negative ? 1 : 0;
    size_t n = text.n - first;
    if (n < 1 || n > 19 || (text.p[first] == '0' && (n > 1 || negative)))
        return false;
    uint64_t v = 0; /* 19 digits always fit */
    for (size_t i = first; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
        v = v * 10 + (uint64_t)(text.p[i] - '0');
    }
    if (v > (uint64_t)INT64_MAX + (negative ? 1 : 0))
        return false;
    *out = negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

/* Text whose p is NULL is SQL NULL: so db_bytes gives it. */
enum err value_from_text(const struct column_rule *c, struct bytes text, struct buf *scratch, struct value *out)
{
    struct value v = value_null();
    uint8_t id[16];
    if (text.p == NULL) {
        if (c->required)
            return ERR_FORMAT;
        *out = v;
        return ERR_OK;
    }
    switch (c->type) {
    case COL_ID:
        if (!uuid_parse(id, text))
            return ERR_FORMAT;
        v = value_id(id);
        break;
    case COL_TEXT:
    case COL_WORD:
    case COL_DATE:
        v = value_text(text);
        break;
    case COL_TIME:
    case COL_BOOL:
    case COL_INT:
        v.kind = VALUE_INT;
        if (!int_parse(text, &v.i))
            return ERR_FORMAT;
        break;
    case COL_REAL:
        v.kind = VALUE_REAL;
        if (!real_parse(text, &v.r))
            return ERR_FORMAT;
        break;
    }
    if (misfit(c, v) != NULL)
        return ERR_FORMAT;
    if (v.kind != VALUE_INT && v.kind != VALUE_REAL) {
        uint8_t *copy = buf_grow(scratch, v.s.n);
        if (scratch->err != ERR_OK)
            return scratch->err;
        if (v.s.n > 0)
            memcpy(copy, v.s.p, v.s.n);
        v.s.p = v.s.n > 0 ? copy : (const uint8_t *)"";
    }
    *out = v;
    return ERR_OK;
}

/* The bits, most significant byte first: CBOR's floats are not in our subset, and would not keep every NaN apart. */
static void put_real(struct buf *b, double r)
{
    uint8_t be[8];
    uint64_t bits;
    memcpy(&bits, &r, sizeof bits);
    for (size_t i = 0; i < sizeof be; i++)
        be[i] = (uint8_t)(bits >> (56 - 8 * i));
    cbor_put_array(b, 1);
    cbor_put_bytes(b, bytes_of(be, sizeof be));
}

void value_put_cbor(struct buf *b, struct value v)
{
    switch (v.kind) {
    case VALUE_NONE:
        cbor_put_array(b, 0);
        return;
    case VALUE_INT:
        cbor_put_int(b, v.i);
        return;
    case VALUE_TEXT:
        cbor_put_text(b, v.s);
        return;
    case VALUE_BLOB:
        cbor_put_bytes(b, v.s);
        return;
    case VALUE_NULL:
        cbor_put_null(b);
        return;
    case VALUE_REAL:
        put_real(b, v.r);
        return;
    }
    if (b->err == ERR_OK)
        b->err = ERR_FORMAT;
}

/* How many columns stand in its bytes: those of later versions that it has not are left out. */
static size_t row_length(const struct row *r)
{
    size_t n = r->table->n_columns;
    while (n > 0 && r->table->columns[n - 1].since > 1 && r->v[n - 1].kind == VALUE_NONE)
        n--;
    /* To the end of a version: a row that ends elsewhere is a damaged one. */
    while (n < r->table->n_columns && n > 0 && r->table->columns[n].since == r->table->columns[n - 1].since)
        n++;
    return n;
}

void row_put_cbor(struct buf *b, const struct row *r)
{
    size_t n = row_length(r);
    cbor_put_array(b, n);
    for (size_t i = 0; i < n; i++)
        value_put_cbor(b, r->v[i]);
}

/* Does a version of the table end after n columns? */
static bool ends_version(const struct table_rule *t, size_t n)
{
    return n == t->n_columns || (n > 0 && n < t->n_columns && t->columns[n].since > t->columns[n - 1].since);
}

static struct value value_get_real(struct cbor_reader *r)
{
    struct value v = {.kind = VALUE_REAL};
    uint8_t be[8] = {0};
    uint64_t bits = 0;
    cbor_get_fixed(r, be, sizeof be);
    for (size_t i = 0; i < sizeof be; i++)
        bits = bits << 8 | be[i];
    memcpy(&v.r, &bits, sizeof v.r);
    return v;
}

static struct value value_get_cbor(struct cbor_reader *r)
{
    switch (cbor_peek(r)) {
    case CBOR_UINT:
    case CBOR_NEGINT:
        return value_int(cbor_get_int(r));
    case CBOR_TEXT:
        return value_text(cbor_get_text(r));
    case CBOR_BYTES:
        return value_blob(cbor_get_bytes(r));
    case CBOR_NULL:
        cbor_get_null(r);
        return value_null();
    case CBOR_ARRAY:
        return cbor_get_array(r, 1) == 0 ? value_none() : value_get_real(r);
    default:
        r->err = ERR_FORMAT;
        return value_none();
    }
}

enum err row_from_cbor(struct row *out, const struct table_rule *t, struct bytes in, struct why *why)
{
    struct cbor_reader r;
    struct row row = {.table = t};
    cbor_reader_init(&r, in);
    size_t n = cbor_get_array(&r, t->n_columns);
    if (r.err == ERR_OK && !ends_version(t, n))
        r.err = ERR_FORMAT;
    for (size_t i = 0; i < n && r.err == ERR_OK; i++)
        row.v[i] = value_get_cbor(&r);
    if (!cbor_at_end(&r) || row_length(&row) != n) /* one text for each row */
        return why_set(why, ERR_FORMAT, "A stored row of %s is damaged.", t->name);
    *out = row;
    return ERR_OK;
}

void uuid_format(const uint8_t id[16], char out[37])
{
    char *p = out;
    for (size_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        hex_encode(p, id + i, 1);
        p += 2;
    }
}

bool uuid_parse(uint8_t id[16], struct bytes text)
{
    uint8_t v[16];
    if (text.n != 36)
        return false;
    const char *p = (const char *)text.p;
    for (size_t i = 0; i < 16; i++) {
        if ((i == 4 || i == 6 || i == 8 || i == 10) && *p++ != '-')
            return false;
        if (!hex_decode(v + i, 1, p, 2))
            return false;
        p += 2;
    }
    memcpy(id, v, 16);
    return true;
}
