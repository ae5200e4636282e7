/* CBOR items: read by type and written again, cut out of a stream piece by piece, and as rows and values of the
 * hub's journal. */
#include "base/cbor.h"
#include "sync/bundle_item.h"
#include "sync/value.h"
#include "tests/fuzz/fuzz.h"

/* One item by its typed getters, and again by the writers. */
static void copy(struct cbor_reader *r, struct buf *out)
{
    size_t n;
    enum cbor_type type = cbor_peek(r);
    switch (type) {
    case CBOR_UINT: cbor_put_uint(out, cbor_get_uint(r)); return;
    case CBOR_NEGINT:
        if (r->in.p[0] == 0x3b && r->in.p[1] >= 0x80) /* below -2^63: good CBOR, and no getter of ours returns it */
            buf_put_bytes(out, cbor_get_item(r));
        else
            cbor_put_int(out, cbor_get_int(r));
        return;
    case CBOR_BYTES: cbor_put_bytes(out, cbor_get_bytes(r)); return;
    case CBOR_TEXT: cbor_put_text(out, cbor_get_text(r)); return;
    case CBOR_BOOL: cbor_put_bool(out, cbor_get_bool(r)); return;
    case CBOR_NULL:
        cbor_get_null(r);
        cbor_put_null(out);
        return;
    case CBOR_TAG:
        cbor_put_tag(out, cbor_get_tag(r));
        copy(r, out);
        return;
    case CBOR_ARRAY:
    case CBOR_MAP:
        n = type == CBOR_ARRAY ? cbor_get_array(r, SIZE_MAX) : cbor_get_map(r, SIZE_MAX);
        type == CBOR_ARRAY ? cbor_put_array(out, n) : cbor_put_map(out, n);
        if (type == CBOR_MAP) n *= 2;
        for (size_t i = 0; i < n && r->err == ERR_OK; i++) copy(r, out);
        return;
    case CBOR_NONE: HOLDS(r->err != ERR_OK);
    }
}

/* The scanner finds the same end, however the bytes are cut. */
static void scan(struct bytes item, size_t piece)
{
    struct item_scan s = {0};
    bool whole = false, ok = true;
    size_t at = 0;
    while (at < item.n) {
        HOLDS(!whole);
        size_t n = piece < item.n - at ? piece : item.n - at;
        at += item_scan_take(&s, bytes_of(item.p + at, n), 1u << 20, &whole, &ok);
        HOLDS(ok);
    }
    HOLDS(whole);
}

static void items(struct bytes in, size_t piece)
{
    struct cbor_reader r;
    cbor_reader_init(&r, in);
    while (r.in.n > 0) {
        struct bytes item = cbor_get_item(&r);
        struct cbor_reader again;
        struct buf out;
        if (r.err != ERR_OK) {
            HOLDS(r.err == ERR_FORMAT && item.n == 0);
            return;
        }
        scan(item, piece);
        buf_init(&out, 1u << 20);
        cbor_reader_init(&again, item);
        copy(&again, &out);
        HOLDS(cbor_at_end(&again) && out.err == ERR_OK && bytes_equal(buf_bytes(&out), item));
        buf_release(&out);
    }
}

/* Getters in an order of the input's choosing; the first fault is the last word. */
static void getters(struct bytes in, uint8_t order)
{
    struct cbor_reader r;
    uint8_t fixed[16];
    cbor_reader_init(&r, in);
    for (unsigned i = 0; i < 64; i++) {
        enum err before = r.err;
        switch ((order >> (i % 5) ^ i) % 10) {
        case 0: (void)cbor_get_uint(&r); break;
        case 1: (void)cbor_get_int(&r); break;
        case 2: (void)cbor_get_bytes(&r); break;
        case 3: HOLDS(utf8_valid(cbor_get_text(&r))); break;
        case 4: HOLDS(cbor_get_array(&r, order) <= order); break;
        case 5: HOLDS(cbor_get_map(&r, order) <= order); break;
        case 6: (void)cbor_get_tag(&r); break;
        case 7: (void)cbor_get_bool(&r); break;
        case 8: cbor_get_fixed(&r, fixed, sizeof fixed); break;
        default: (void)cbor_get_item(&r);
        }
        HOLDS(before == ERR_OK || r.err == before);
        HOLDS(r.err == ERR_OK || cbor_peek(&r) == CBOR_NONE);
    }
}

static void rows(struct bytes in, uint8_t index)
{
    size_t n;
    struct row row;
    struct buf out;
    (void)rules_tables(&n);
    if (row_from_cbor(&row, rules_table(index % n), in, NULL) != ERR_OK) return;
    buf_init(&out, 1u << 20);
    row_put_cbor(&out, &row);
    HOLDS(out.err == ERR_OK && bytes_equal(buf_bytes(&out), in));
    buf_release(&out);
}

static void texts(struct bytes in, uint8_t index)
{
    size_t n;
    struct buf scratch, out;
    struct value v;
    (void)rules_tables(&n);
    const struct table_rule *t = rules_table(index % n);
    const struct column_rule *c = &t->columns[fuzz_take(&in) % t->n_columns];
    buf_init(&scratch, 1u << 20);
    buf_init(&out, 1u << 20);
    if (value_from_text(c, in, &scratch, &v) == ERR_OK && v.kind != VALUE_NULL) {
        HOLDS(value_to_text(v, &out) == ERR_OK);
        if (c->type != COL_ID) HOLDS(bytes_equal(buf_bytes(&out), in));
    }
    buf_release(&scratch);
    buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_of(data, size);
    uint8_t asked = fuzz_take(&in);
    fuzz_start();
    switch (asked % 4) {
    case 0: items(in, 1u + (asked >> 2)); break;
    case 1: getters(in, asked >> 2); break;
    case 2: rows(in, asked >> 2); break;
    default: texts(in, asked >> 2);
    }
    return 0;
}
