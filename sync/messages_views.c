#include "sync/message_item.h"
#include "sync/rules.h"

#include <string.h>

/* Who looked at what: [node, [[user, table, id, at], …]], signed by the node. FORMAT.md §4, item 3. */
static const char views_typ[] = "application/x-spoke-views";

static bool view_ok(int64_t table_index, uint64_t at_ms)
{
    size_t n_tables;
    (void)rules_tables(&n_tables);
    return table_index >= 0 && (uint64_t)table_index < n_tables && at_ms <= INT64_MAX;
}

enum err message_put_views(struct buf *b, const struct identity_secret *by, const uint8_t node[KID_BYTES],
                           const struct view_item *v, size_t n, struct why *why)
{
    struct buf payload;
    if (n == 0 || n > VIEWS_MAX) return signed_broken(why);
    buf_init(&payload, COSE_MAX);
    cbor_put_array(&payload, 2);
    cbor_put_bytes(&payload, bytes_of(node, KID_BYTES));
    cbor_put_array(&payload, n);
    for (size_t i = 0; i < n; i++) {
        if (!view_ok(v[i].table_index, v[i].at_ms) && payload.err == ERR_OK) payload.err = ERR_FORMAT;
        cbor_put_array(&payload, 4);
        cbor_put_bytes(&payload, bytes_of(v[i].user, sizeof v[i].user));
        cbor_put_int(&payload, v[i].table_index);
        cbor_put_bytes(&payload, bytes_of(v[i].id, sizeof v[i].id));
        cbor_put_uint(&payload, v[i].at_ms);
    }
    enum err e = payload.err;
    if (e != ERR_OK)
        (void)why_set(why, e, "A message could not be made ready for signing.");
    else
        e = message_item_sign(b, by, MSG_VIEWS, views_typ, buf_bytes(&payload), why);
    buf_release(&payload);
    return e;
}

/* Sticky in r. */
static void get_view(struct cbor_reader *r, struct view_item *out)
{
    size_t n_items = cbor_get_array(r, 4);
    cbor_get_fixed(r, out->user, sizeof out->user);
    int64_t index = cbor_get_int(r);
    cbor_get_fixed(r, out->id, sizeof out->id);
    out->at_ms = cbor_get_uint(r);
    if (n_items != 4 || !view_ok(index, out->at_ms)) {
        r->err = ERR_FORMAT;
        index = 0;
    }
    out->table_index = (int)index;
}

enum err message_get_views(struct bytes item, const struct identity *by, const uint8_t node[KID_BYTES],
                           enum err (*each)(void *ctx, const struct view_item *v, struct why *why), void *ctx,
                           struct why *why)
{
    struct bytes payload;
    struct cbor_reader r;
    struct view_item v;
    uint8_t of[KID_BYTES];
    enum err e = message_item_verify(item, by, MSG_VIEWS, views_typ, &payload, NULL, why);
    if (e != ERR_OK) return e;
    cbor_reader_init(&r, payload);
    size_t n_items = cbor_get_array(&r, 2);
    cbor_get_fixed(&r, of, sizeof of);
    size_t n = cbor_get_array(&r, VIEWS_MAX);
    struct cbor_reader again = r;
    for (size_t i = 0; i < n && r.err == ERR_OK; i++) get_view(&r, &v);
    if (!cbor_at_end(&r) || n_items != 2 || n == 0) return signed_broken(why);
    if (memcmp(of, node, KID_BYTES) != 0)
        return why_set(why, ERR_TAMPERED, "A list of who looked at records is another device's.");
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        get_view(&again, &v);
        e = each(ctx, &v, why);
    }
    return e;
}
