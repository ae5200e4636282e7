/* Ends of rows, told beside pages: a device is told until when a row is to be shown with the row itself, and anew
 * whenever that changes. Both are one question: an end changed when it came to be. */
#include "hub/serve_internal.h"

#include <stdlib.h>

#define END_BYTES      32u /* of one entry, rounded up */
#define ENDS_MAX_BYTES ((size_t)64 << 20)

/* A device that has nothing yet has heard of no end that is over. The rows go by number there, because all count. */
#define FIRST_ENDS "FROM h_until WHERE site_no = $1 AND row_no > $2 AND at <> 0"
#define LATER_ENDS "FROM h_until WHERE site_no = $1 AND version > $2 AND row_no > $3"

static enum err ask(struct hub *h, const struct hub_node *n, const struct ends_span *span, const char *const sql[2],
                    struct stmt **out, struct why *why)
{
    bool first = span->base == 0;
    enum err e = db_prepare(h->db, sql[first ? 0 : 1], out, why);
    if (e != ERR_OK) return e;
    db_bind_int(*out, 1, n->site_no);
    if (!first) db_bind_int(*out, 2, span->base);
    db_bind_int(*out, first ? 2 : 3, span->start);
    return ERR_OK;
}

static enum err one(struct stmt *s, int64_t *out, bool *out_found, struct why *why)
{
    bool row = false;
    enum err e = db_step(s, &row, why);
    if (e == ERR_OK && row) *out = db_int(s, 0);
    if (e == ERR_OK) *out_found = row;
    db_done(s);
    return e;
}

enum err serve_ends_any(struct hub *h, const struct hub_node *n, const struct ends_span *span, bool *out,
                        struct why *why)
{
    static const char *const sql[] = {"SELECT 1 " FIRST_ENDS " LIMIT 1", "SELECT 1 " LATER_ENDS " LIMIT 1"};
    struct stmt *s;
    int64_t yes;
    enum err e = ask(h, n, span, sql, &s, why);
    return e == ERR_OK ? one(s, &yes, out, why) : e;
}

enum err serve_ends_limit(struct hub *h, const struct hub_node *n, struct ends_span *span, size_t budget,
                          size_t *out_bytes, struct why *why)
{
    static const char *const count[] = {
        "SELECT count(*) FROM (SELECT row_no " FIRST_ENDS " ORDER BY row_no LIMIT $3) AS x",
        "SELECT count(*) FROM (SELECT row_no " LATER_ENDS " ORDER BY +row_no LIMIT $4) AS x"};
    static const char *const last[] = {"SELECT row_no " FIRST_ENDS " ORDER BY row_no LIMIT 1 OFFSET $3",
                                       "SELECT row_no " LATER_ENDS " ORDER BY +row_no LIMIT 1 OFFSET $4"};
    struct stmt *s;
    bool found = false;
    int64_t have = 0, most = (int64_t)(budget / 2 / END_BYTES);
    if (most < 1) most = 1;
    span->upto = INT64_MAX;
    enum err e = ask(h, n, span, count, &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, span->base == 0 ? 3 : 4, most + 1);
    e = one(s, &have, &found, why);
    span->none = e == ERR_OK && have == 0;
    if (e == ERR_OK && have > most) {
        have = most;
        e = ask(h, n, span, last, &s, why);
        if (e != ERR_OK) return e;
        db_bind_int(s, span->base == 0 ? 3 : 4, most - 1);
        e = one(s, &span->upto, &found, why);
    }
    *out_bytes = (size_t)have * END_BYTES < budget ? (size_t)have * END_BYTES : 0; /* one that is alone always fits */
    return e;
}

enum err serve_ends_collect(struct hub *h, const struct hub_node *n, const struct ends_span *span,
                            struct ends_list *out, struct why *why)
{
#define WITH_ROW(rest) "SELECT r.tbl, r.id, u.at FROM (SELECT row_no, at " rest ") AS u JOIN h_row r ON r.no = u.row_no"
    static const char *const sql[] = {
        WITH_ROW(FIRST_ENDS " AND row_no <= $3") " ORDER BY r.tbl, r.id", /* tells nothing of when rows came to be */
        WITH_ROW(LATER_ENDS " AND row_no <= $4") " ORDER BY r.tbl, r.id"};
    struct stmt *s;
    bool row = false;
    enum err e = ask(h, n, span, sql, &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, span->base == 0 ? 3 : 4, span->upto);
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        e = sight_grow(&out->v, &out->cap, out->n, sizeof *out->v, why);
        if (e != ERR_OK) break;
        struct end_item *end = &out->v[out->n++];
        *end = (struct end_item){.table_index = (int)db_int(s, 0), .not_after = (uint64_t)db_int(s, 2)};
        if (!db_id(s, 1, end->id)) e = why_set(why, ERR_TAMPERED, "The hub's list of rows is damaged.");
        if (e != ERR_OK) break;
    }
    db_done(s);
    return e;
}

enum err served_put_ends(struct hub *h, const struct hub_node *n, uint64_t request, struct served *s, struct why *why)
{
    struct buf item;
    enum err e = ERR_OK;
    buf_init(&item, ENDS_MAX_BYTES);
    for (size_t at = 0; e == ERR_OK && at < s->n_ends; at += ENDS_MAX) {
        size_t count = s->n_ends - at < ENDS_MAX ? s->n_ends - at : ENDS_MAX;
        item.len = 0;
        e = message_put_ends(&item, &h->id, n->id.kid, request, s->ends + at, count, why);
        if (e != ERR_OK) break;
        buf_put_be32(&s->items, 0); /* of no agency */
        buf_put_be32(&s->items, (uint32_t)item.len);
        buf_put_bytes(&s->items, buf_bytes(&item));
        if (item.err != ERR_OK || s->items.err != ERR_OK)
            e = why_set(why, ERR_NOMEM, "There is not enough memory to answer.");
    }
    buf_release(&item);
    return e;
}
