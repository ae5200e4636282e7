/* Orders to forget, on their way to the node, and the receipts that come back. */
#include "hub/log.h"
#include "hub/restore_internal.h"
#include "hub/sight.h"

#include "base/cbor.h"

#include <stdlib.h>
#include <string.h>

#define DROPS_MAX_ITEM  20000u
#define DROPS_MAX_BYTES ((size_t)64 << 20)

struct drop_list {
    struct drop_item *v;
    size_t n, cap;
};

static enum err add_item(struct drop_list *l, const struct drop_item *d, struct why *why)
{
    if (l->n == l->cap) {
        size_t cap = l->cap == 0 ? 64 : l->cap * 2;
        struct drop_item *v = realloc(l->v, cap * sizeof *v);
        if (v == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to answer.");
        l->v = v;
        l->cap = cap;
    }
    l->v[l->n++] = *d;
    return ERR_OK;
}

/* By table and id: the order tells nothing of when the rows came to be. */
static enum err load(struct hub *h, int64_t node_no, struct drop_list *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db,
                            "SELECT r.tbl, r.id FROM h_drop d JOIN h_row r ON r.no = d.row_no"
                            " WHERE d.node_no = $1 AND d.request IS NULL ORDER BY r.tbl, r.id",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, node_no);
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        struct drop_item d = {.table_index = (int)db_int(s, 0)};
        if (!db_id(s, 1, d.id)) e = why_set(why, ERR_TAMPERED, "The hub's list of rows is damaged.");
        if (e == ERR_OK) e = add_item(out, &d, why);
        if (e != ERR_OK) break;
    }
    db_done(s);
    return e;
}

static enum err log_drops(struct hub *h, int64_t node_no, uint64_t request, const uint8_t hash[HASH_BYTES], size_t rows,
                          struct why *why)
{
    struct buf rest;
    buf_init(&rest, 4096);
    cbor_put_uint(&rest, request);
    cbor_put_bytes(&rest, bytes_of(hash, HASH_BYTES));
    cbor_put_uint(&rest, rows);
    enum err e = rest.err != ERR_OK ? why_set(why, rest.err, "There is not enough memory to answer.")
                                    : log_append(h, node_no, LOG_DROPS, buf_bytes(&rest), 3, why);
    buf_release(&rest);
    return e;
}

/* One signed item of at most DROPS_MAX_ITEM rows, framed; its COSE bytes are added to what the order's hash is over. */
static enum err put_item(struct hub *h, const struct hub_node *n, uint64_t request, const struct drop_item *v,
                         size_t count, struct buf *items, struct buf *signed_bytes, struct why *why)
{
    struct cbor_reader r;
    struct buf item;
    buf_init(&item, DROPS_MAX_BYTES);
    enum err e = message_put_drops(&item, &h->id, n->id.kid, request, v, count, why);
    if (e == ERR_OK && item.err != ERR_OK) e = why_set(why, item.err, "There is not enough memory to answer.");
    if (e == ERR_OK) {
        cbor_reader_init(&r, buf_bytes(&item));
        (void)cbor_get_array(&r, 2);
        (void)cbor_get_uint(&r);
        buf_put_bytes(signed_bytes, cbor_get_item(&r));
        buf_put_be32(items, 0); /* of no agency */
        buf_put_be32(items, (uint32_t)item.len);
        buf_put_bytes(items, buf_bytes(&item));
        if (r.err != ERR_OK || items->err != ERR_OK || signed_bytes->err != ERR_OK)
            e = why_set(why, ERR_NOMEM, "There is not enough memory to answer.");
    }
    buf_release(&item);
    return e;
}

static enum err note_order(struct hub *h, int64_t node_no, uint64_t request, size_t rows,
                           const struct buf *signed_bytes, struct why *why)
{
    uint8_t hash[HASH_BYTES];
    struct stmt *s;
    hash_blake2b(hash, buf_bytes(signed_bytes));
    enum err e = db_prepare(h->db, "UPDATE h_drop SET request = $1 WHERE node_no = $2 AND request IS NULL", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, (int64_t)request);
    db_bind_int(s, 2, node_no);
    e = db_run(s, why);
    if (e == ERR_OK)
        e = db_prepare(h->db, "INSERT INTO h_drop_order(node_no, request, hash, rows) VALUES ($1, $2, $3, $4)", &s,
                       why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, node_no);
    db_bind_int(s, 2, (int64_t)request);
    db_bind_blob(s, 3, bytes_of(hash, sizeof hash));
    db_bind_int(s, 4, (int64_t)rows);
    e = db_run(s, why);
    return e == ERR_OK ? log_drops(h, node_no, request, hash, rows, why) : e;
}

enum err drops_take(struct hub *h, const struct hub_node *n, uint64_t request, struct buf *items, uint64_t *out_rows,
                    struct why *why)
{
    struct drop_list list = {0};
    struct buf framed, signed_bytes;
    buf_init(&framed, DROPS_MAX_BYTES);
    buf_init(&signed_bytes, DROPS_MAX_BYTES);
    enum err e = load(h, n->no, &list, why);
    for (size_t at = 0; e == ERR_OK && at < list.n; at += DROPS_MAX_ITEM) {
        size_t count = list.n - at < DROPS_MAX_ITEM ? list.n - at : DROPS_MAX_ITEM;
        e = put_item(h, n, request, list.v + at, count, &framed, &signed_bytes, why);
    }
    if (e == ERR_OK && list.n > 0) e = note_order(h, n->no, request, list.n, &signed_bytes, why);
    if (e == ERR_OK) {
        buf_put_bytes(items, buf_bytes(&framed));
        if (items->err != ERR_OK) e = why_set(why, items->err, "There is not enough memory to answer.");
    }
    if (e == ERR_OK) *out_rows = list.n;
    buf_release(&framed);
    buf_release(&signed_bytes);
    free(list.v);
    return e;
}

/* -------------------------------------------------------------------------------------------------------- receipts */

/* *out_lost: the order was one of a hub that was lost, and is known to nobody any more: what is confirmed so says
 * nothing here. */
static enum err check(struct hub *h, const struct hub_node *n, const struct receipt *r, bool *out_lost, struct why *why)
{
    struct stmt *s;
    bool row = false, fits = false;
    *out_lost = false;
    if (memcmp(r->node, n->id.kid, sizeof r->node) == 0 && r->request <= INT64_MAX) {
        enum err e =
            db_prepare(h->db, "SELECT hash, rows FROM h_drop_order WHERE node_no = $1 AND request = $2", &s, why);
        if (e != ERR_OK) return e;
        db_bind_int(s, 1, n->no);
        db_bind_int(s, 2, (int64_t)r->request);
        e = db_step(s, &row, why);
        fits = e == ERR_OK && row && bytes_equal(db_bytes(s, 0), bytes_of(r->drops_hash, sizeof r->drops_hash)) &&
               (uint64_t)db_int(s, 1) == r->rows;
        db_done(s);
        if (e == ERR_OK && !row) e = hear_of_before(h, n->no, r->request, out_lost, why);
        if (e != ERR_OK) return e;
    }
    return fits || *out_lost
               ? ERR_OK
               : why_set(why, ERR_TAMPERED,
                          "A device confirmed forgetting rows that it was not told to forget like that. "
                          "They stay listed as unconfirmed.");
}

/* The first receipt sets the time; a later one may say that no parked edits are left. */
enum err drops_receipt(struct hub *h, const struct hub_node *n, const struct receipt *r, struct bytes cose,
                       struct why *why)
{
    uint8_t hash[HASH_BYTES];
    struct stmt *s;
    bool lost = false, first = false;
    enum err e = check(h, n, r, &lost, why);
    if (e != ERR_OK || lost) return e;
    if (e == ERR_OK)
        e = db_prepare(h->db,
                       "UPDATE h_drop_order SET receipt = $1, receipt_at = coalesce(receipt_at, $2), parked = $3"
                       " WHERE node_no = $4 AND request = $5 AND (receipt IS NULL OR receipt <> $1) RETURNING request",
                       &s, why);
    if (e != ERR_OK) return e;
    db_bind_blob(s, 1, cose);
    db_bind_int(s, 2, h->now_ms);
    db_bind_int(s, 3, (int64_t)(r->kind == 2 ? 0 : r->parked));
    db_bind_int(s, 4, n->no);
    db_bind_int(s, 5, (int64_t)r->request);
    e = db_step(s, &first, why);
    db_done(s);
    if (e == ERR_OK && !first) return ERR_OK; /* told again */
    if (e == ERR_OK)
        e = db_prepare(h->db,
                       "UPDATE h_drop SET receipt_at = $1 WHERE node_no = $2 AND request = $3 AND receipt_at IS NULL",
                       &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, h->now_ms);
    db_bind_int(s, 2, n->no);
    db_bind_int(s, 3, (int64_t)r->request);
    e = db_run(s, why);
    hash_blake2b(hash, cose);
    return e == ERR_OK ? log_note(h, n->no, LOG_RECEIPT, r->request, bytes_of(hash, sizeof hash), why) : e;
}
