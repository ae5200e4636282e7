#include "sync/signed.h"

#include <string.h>

enum { LABEL_TYP = 16 };                    /* RFC 9596 §2 */
static const int64_t label_fields = -70001; /* private use: less than -65536 (RFC 9052 §11.1) */

enum err signed_broken(struct why *why)
{
    return why_set(why, ERR_FORMAT, "A message is not in the form that it should have. It was not used.");
}

enum err signed_put(const struct identity_secret *by, const char *type, struct bytes header, struct bytes payload,
                    struct buf *out, struct why *why)
{
    struct buf extra;
    buf_init(&extra, COSE_MAX);
    cbor_put_uint(&extra, LABEL_TYP);
    cbor_put_str(&extra, type);
    if (header.n > 0) {
        cbor_put_int(&extra, label_fields);
        buf_put_bytes(&extra, header);
    }
    enum err e = extra.err;
    if (e != ERR_OK)
        (void)why_set(why, e, "A message is too large to be signed, or there is not enough memory for it.");
    else
        e = cose_sign(by, header.n > 0 ? 2 : 1, buf_bytes(&extra), (struct bytes){0}, payload, out, why);
    buf_release(&extra);
    return e;
}

enum err signed_get(struct bytes cose, const struct identity *by, const char *type, bool has_header,
                    struct signed_parts *out, struct why *why)
{
    struct cose_parts parts;
    struct cbor_reader r;
    struct bytes header = {0};
    enum err e = cose_verify(cose, by, (struct bytes){0}, &parts, why);
    if (e != ERR_OK) return e;
    if (parts.n_extra != (has_header ? 2 : 1)) return signed_broken(why);
    cbor_reader_init(&r, parts.extra);
    if (cbor_get_uint(&r) != LABEL_TYP || !bytes_equal(cbor_get_text(&r), bytes_of_str(type)))
        return signed_broken(why);
    if (has_header && cbor_get_int(&r) != label_fields) return signed_broken(why);
    if (has_header) header = cbor_get_item(&r);
    if (!cbor_at_end(&r)) return signed_broken(why);
    *out = (struct signed_parts){.header = header, .payload = parts.payload};
    return ERR_OK;
}

static void refuse(struct buf *b)
{
    if (b->err == ERR_OK) b->err = ERR_FORMAT;
}

static void put_number(struct buf *b, const uint8_t *at)
{
    uint64_t v;
    memcpy(&v, at, sizeof v);
    if (v > INT64_MAX) refuse(b);
    cbor_put_uint(b, v);
}

static void put_text(struct buf *b, const uint8_t *at, size_t size)
{
    const uint8_t *end = memchr(at, 0, size);
    if (end == NULL || !utf8_valid(bytes_of(at, (size_t)(end - at))))
        refuse(b);
    else
        cbor_put_text(b, bytes_of(at, (size_t)(end - at)));
}

void fields_put(struct buf *b, const struct field *f, size_t n, const void *m)
{
    for (size_t i = 0; i < n; i++) {
        const uint8_t *at = (const uint8_t *)m + f[i].offset;
        bool flag;
        switch (f[i].kind) {
        case FIELD_FIXED: cbor_put_bytes(b, bytes_of(at, f[i].size)); break;
        case FIELD_UINT: put_number(b, at); break;
        case FIELD_BOOL:
            memcpy(&flag, at, sizeof flag);
            cbor_put_bool(b, flag);
            break;
        case FIELD_TEXT: put_text(b, at, f[i].size); break;
        }
    }
}

static void get_text(struct cbor_reader *r, uint8_t *at, size_t size)
{
    struct bytes v = cbor_get_text(r);
    memset(at, 0, size);
    if (v.n >= size)
        r->err = ERR_FORMAT;
    else if (v.n > 0)
        memcpy(at, v.p, v.n);
}

void fields_get(struct cbor_reader *r, const struct field *f, size_t n, void *m)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t *at = (uint8_t *)m + f[i].offset;
        uint64_t number;
        bool flag;
        switch (f[i].kind) {
        case FIELD_FIXED: cbor_get_fixed(r, at, f[i].size); break;
        case FIELD_UINT:
            number = cbor_get_uint(r);
            if (number > INT64_MAX) r->err = ERR_FORMAT;
            memcpy(at, &number, sizeof number);
            break;
        case FIELD_BOOL:
            flag = cbor_get_bool(r);
            memcpy(at, &flag, sizeof flag);
            break;
        case FIELD_TEXT: get_text(r, at, f[i].size); break;
        }
    }
}
