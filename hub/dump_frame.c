#include "hub/dump_frame.h"

#include <string.h>

size_t dump_frame_head(uint8_t out[5], size_t n)
{
    size_t bytes = n < 24 ? 0 : n <= 0xff ? 1 : n <= 0xffff ? 2 : 4;
    out[0] = bytes == 0 ? (uint8_t)(0x40 | n) : bytes == 1 ? 0x58 : bytes == 2 ? 0x59 : 0x5a;
    for (size_t i = 0; i < bytes; i++) out[1 + i] = (uint8_t)(n >> (8 * (bytes - 1 - i)));
    return 1 + bytes;
}

void dump_put_value(struct buf *b, struct value v)
{
    switch (v.kind) {
    case VALUE_INT: cbor_put_int(b, v.i); return;
    case VALUE_BLOB: cbor_put_bytes(b, v.s); return;
    case VALUE_TEXT:
        if (utf8_valid(v.s)) {
            cbor_put_text(b, v.s);
            return;
        }
        cbor_put_array(b, 1);
        cbor_put_bytes(b, v.s);
        return;
    case VALUE_NULL: cbor_put_null(b); return;
    case VALUE_NONE:
    case VALUE_REAL: break;
    }
    if (b->err == ERR_OK) b->err = ERR_FORMAT; /* no table of a hub has such */
}

static bool get_raw_text(struct cbor_reader *r, struct value *out)
{
    if (cbor_get_array(r, 1) != 1) return false;
    *out = value_text(cbor_get_bytes(r));
    return r->err == ERR_OK && !utf8_valid(out->s);
}

bool dump_get_value(struct cbor_reader *r, struct value *out)
{
    switch (cbor_peek(r)) {
    case CBOR_UINT:
    case CBOR_NEGINT: *out = value_int(cbor_get_int(r)); break;
    case CBOR_BYTES: *out = value_blob(cbor_get_bytes(r)); break;
    case CBOR_TEXT: *out = value_text(cbor_get_text(r)); break;
    case CBOR_ARRAY: return get_raw_text(r, out);
    case CBOR_NULL:
        cbor_get_null(r);
        *out = value_null();
        break;
    default: return false;
    }
    return r->err == ERR_OK;
}

void dump_count_begin(struct dump_count *c, struct dump_sum *sum)
{
    *sum = (struct dump_sum){0};
    c->sum = sum;
    hash_begin(&c->all);
}

void dump_count_frame(struct dump_count *c, enum dump_frame kind, struct bytes head, struct bytes content)
{
    c->sum->bytes += head.n + content.n;
    if (kind == DUMP_END) return;
    hash_add(&c->all, head);
    hash_add(&c->all, content);
    if (kind == DUMP_TABLE) hash_begin(&c->table);
    if (kind != DUMP_TABLE && kind != DUMP_ROW) return;
    hash_add(&c->table, head);
    hash_add(&c->table, content);
}

bool dump_count_table(struct dump_count *c, struct bytes name)
{
    struct dump_sum *sum = c->sum;
    if (sum->n == DUMP_MAX_TABLES || name.n == 0 || name.n >= sizeof sum->table[0].name) return false;
    struct dump_table *t = &sum->table[sum->n++];
    memcpy(t->name, name.p, name.n);
    t->name[name.n] = '\0';
    return true;
}

void dump_count_row(struct dump_count *c)
{
    c->sum->table[c->sum->n - 1].rows++;
    c->sum->rows++;
}

struct dump_table *dump_count_table_end(struct dump_count *c)
{
    struct dump_table *t = &c->sum->table[c->sum->n - 1];
    hash_end(&c->table, t->hash);
    return t;
}

void dump_count_end(struct dump_count *c)
{
    hash_end(&c->all, c->sum->hash);
}
