/* Parts of an answer: what became of the device's changes, and items that were gathered before. */
#include "hub/intake.h"

#include "sync/bundle.h"

#include <string.h>

_Static_assert(ANSWER_VERDICTS % VERDICTS_AN_ITEM == 0, "an answer tells whole items, as its note does");

enum err answer_untold(struct hub *h, int64_t node_no, size_t most, struct stmt **out, struct why *why)
{
    enum err e = db_prepare(h->db,
                            "SELECT seq, hash, version, verdict, received_at, reason FROM h_envelope WHERE told = 0 AND "
                            "node_no = $1 ORDER BY seq LIMIT $2",
                            out, why);
    if (e != ERR_OK) return e;
    db_bind_int(*out, 1, node_no);
    db_bind_int(*out, 2, (int64_t)most);
    return ERR_OK;
}

/* Up to VERDICTS_AN_ITEM verdicts not yet told; *out_n of them. Their reasons are kept in `text`. */
static enum err read_verdicts(struct hub *h, const struct hub_node *node, struct verdict_item *v, struct buf *text,
                              size_t *out_n, struct why *why)
{
    struct stmt *s;
    bool row = true;
    size_t n = 0, at[VERDICTS_AN_ITEM];
    enum err e = answer_untold(h, node->no, VERDICTS_AN_ITEM, &s, why);
    if (e != ERR_OK) return e;
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        struct bytes reason = db_bytes(s, 5);
        v[n] = (struct verdict_item){
            .seq = (uint64_t)db_int(s, 0), .verdict = (enum verdict)db_int(s, 3), .reason = {NULL, reason.n}};
        at[n] = text->len;
        buf_put_bytes(text, reason);
        n++;
    }
    db_done(s);
    if (e == ERR_OK && text->err != ERR_OK) e = why_set(why, text->err, "There is not enough memory to answer.");
    for (size_t i = 0; e == ERR_OK && i < n; i++) v[i].reason.p = v[i].reason.n == 0 ? NULL : text->data + at[i];
    *out_n = n;
    return e;
}

static enum err mark_told(struct hub *h, const struct hub_node *node, uint64_t up_to, struct why *why)
{
    struct stmt *s;
    enum err e =
        db_prepare(h->db, "UPDATE h_envelope SET told = 1 WHERE told = 0 AND node_no = $1 AND seq <= $2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, node->no);
    db_bind_int(s, 2, (int64_t)up_to);
    return db_run(s, why);
}

enum err answer_put_verdicts(struct hub *h, const struct hub_node *node, uint64_t request, struct bundle_writer *w,
                             struct why *why)
{
    struct verdict_item v[VERDICTS_AN_ITEM];
    struct buf text, item;
    size_t n = 0, told = 0;
    enum err e;
    buf_init(&text, 8u << 20);
    buf_init(&item, 8u << 20);
    do {
        buf_reset(&text);
        buf_reset(&item);
        e = read_verdicts(h, node, v, &text, &n, why);
        if (e == ERR_OK && n > 0) e = message_put_verdicts(&item, &h->id, node->id.kid, request, v, n, why);
        if (e == ERR_OK && n > 0) e = bundle_put(w, "", buf_bytes(&item), why);
        if (e == ERR_OK && n > 0) e = mark_told(h, node, v[n - 1].seq, why);
        told += n;
    } while (e == ERR_OK && n == VERDICTS_AN_ITEM && told < ANSWER_VERDICTS);
    buf_release(&text);
    buf_release(&item);
    return e;
}

enum err answer_few_untold(struct hub *h, int64_t node_no, bool *out, struct why *why)
{
    struct stmt *s;
    size_t n = 0;
    bool row = true;
    *out = false;
    if (!db_is_postgres(h->db)) return ERR_OK;
    enum err e = answer_untold(h, node_no, VERDICTS_AN_ITEM, &s, why);
    if (e != ERR_OK) return e;
    while ((e = db_step(s, &row, why)) == ERR_OK && row) n++;
    db_done(s);
    *out = n < VERDICTS_AN_ITEM;
    return e;
}

enum err answer_verdicts_left(struct hub *h, const struct hub_node *node, bool *out, struct why *why)
{
    struct stmt *s;
    bool few = false;
    enum err e = answer_few_untold(h, node->no, &few, why);
    *out = false;
    if (e != ERR_OK || few) return e;
    e = db_prepare(h->db, "SELECT 1 FROM h_envelope WHERE told = 0 AND node_no = $1 LIMIT 1 OFFSET $2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, node->no);
    db_bind_int(s, 2, ANSWER_VERDICTS);
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

enum err answer_put_framed(struct bundle_writer *w, const struct buf *items, struct why *why)
{
    struct bytes in = buf_bytes(items);
    char origin[64];
    while (in.n > 0) {
        struct bytes field[2];
        for (size_t i = 0; i < 2; i++) {
            size_t n =
                in.n < 4 ? SIZE_MAX : (size_t)in.p[0] << 24 | (size_t)in.p[1] << 16 | (size_t)in.p[2] << 8 | in.p[3];
            if (n > in.n - (in.n < 4 ? in.n : 4))
                return why_set(why, ERR_FAILED, "The hub could not put its answer together.");
            field[i] = bytes_of(in.p + 4, n);
            in = bytes_of(in.p + 4 + n, in.n - 4 - n);
        }
        if (field[0].n >= sizeof origin) return why_set(why, ERR_FAILED, "The hub could not put its answer together.");
        memcpy(origin, field[0].p, field[0].n);
        origin[field[0].n] = '\0';
        enum err e = bundle_put(w, origin, field[1], why);
        if (e != ERR_OK) return e;
    }
    return ERR_OK;
}
