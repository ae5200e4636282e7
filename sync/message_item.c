#include "sync/message_item.h"

enum err message_item_sign(struct buf *b, const struct identity_secret *by, enum message_type type, const char *typ,
                           struct bytes payload, struct why *why)
{
    size_t before = b->len;
    cbor_put_array(b, 2);
    cbor_put_uint(b, type);
    enum err e = signed_put(by, typ, (struct bytes){0}, payload, b, why);
    if (e != ERR_OK) b->len = before;
    return e;
}

enum err message_item_cose(struct bytes item, enum message_type type, struct bytes *out_cose, struct why *why)
{
    struct cbor_reader r;
    cbor_reader_init(&r, item);
    size_t n = cbor_get_array(&r, 2);
    uint64_t t = cbor_get_uint(&r);
    struct bytes cose = cbor_get_item(&r);
    if (!cbor_at_end(&r) || n != 2 || t != type) return signed_broken(why);
    *out_cose = cose;
    return ERR_OK;
}

enum err message_item_verify(struct bytes item, const struct identity *by, enum message_type type, const char *typ,
                             struct bytes *out_payload, struct bytes *out_cose, struct why *why)
{
    struct bytes cose;
    struct signed_parts s;
    enum err e = message_item_cose(item, type, &cose, why);
    if (e == ERR_OK) e = signed_get(cose, by, typ, false, &s, why);
    if (e != ERR_OK) return e;
    *out_payload = s.payload;
    if (out_cose != NULL) *out_cose = cose;
    return ERR_OK;
}

enum err message_item_put(struct buf *b, const struct identity_secret *by, const struct message_kind *k, const void *m,
                          struct why *why)
{
    struct buf payload;
    buf_init(&payload, COSE_MAX);
    cbor_put_array(&payload, k->n_fields);
    fields_put(&payload, k->fields, k->n_fields, m);
    enum err e = payload.err;
    if (e != ERR_OK)
        (void)why_set(why, e, "A message could not be made ready for signing.");
    else
        e = message_item_sign(b, by, k->type, k->typ, buf_bytes(&payload), why);
    buf_release(&payload);
    return e;
}

enum err message_item_fields(struct bytes payload, const struct message_kind *k, void *out, struct why *why)
{
    struct cbor_reader r;
    cbor_reader_init(&r, payload);
    if (cbor_get_array(&r, k->n_fields) != k->n_fields) return signed_broken(why);
    fields_get(&r, k->fields, k->n_fields, out);
    return cbor_at_end(&r) ? ERR_OK : signed_broken(why);
}
