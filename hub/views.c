/* Who looked at a record that is not open to all who see its case: told by devices, kept once, shown to
 * administrators. */
#include "hub/log.h"
#include "hub/order.h"
#include "hub/sight.h"

#include "base/cbor.h"

struct taking {
    struct hub *h;
    const struct hub_node *n;
};

/* Could anybody at the device have had it before him? More than what the site sees now, and never less: it may have
 * been looked at before it was taken away. */
static enum err could_see(const struct taking *t, int64_t row_no, bool *out, struct why *why)
{
    struct stmt *s;
    enum err e =
        db_prepare(t->h->db,
                   "SELECT 1 FROM h_row r WHERE r.no = $1 AND (r.case_no = 0 OR EXISTS(SELECT 1 FROM h_seat_log s "
                   "WHERE s.site_no = $2 AND s.case_no = r.case_no AND ((s.mask & r.mask) <> 0 OR EXISTS(SELECT 1 "
                   "FROM h_mask m WHERE m.row_no = r.no AND (s.mask & m.mask) <> 0))) OR EXISTS(SELECT 1 FROM "
                   "h_named x WHERE x.row_no = r.no AND x.node_no = $3))",
                   &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, row_no);
    db_bind_int(s, 2, t->n->site_no);
    db_bind_int(s, 3, t->n->no);
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

static enum err log_look(const struct taking *t, const struct view_item *v, struct why *why)
{
    struct buf rest;
    buf_init(&rest, 4096);
    cbor_put_bytes(&rest, bytes_of(v->user, sizeof v->user));
    cbor_put_str(&rest, rules_table((size_t)v->table_index)->name);
    cbor_put_bytes(&rest, bytes_of(v->id, sizeof v->id));
    cbor_put_uint(&rest, v->at_ms);
    enum err e = rest.err != ERR_OK
                     ? why_set(why, rest.err, "There is not enough memory to take in who looked at what.")
                     : log_append(t->h, t->n->no, LOG_LOOK, buf_bytes(&rest), 4, why);
    buf_release(&rest);
    return e;
}

/* The row is not there, but held work would make it, whose text stands in a `held` row: could the device have that
 * one? */
static enum err could_see_held(const struct taking *t, const struct view_item *v, bool *out, struct why *why)
{
    struct stmt *s;
    struct buf ids;
    bool row = false;
    uint8_t id[16];
    const int held = rules_table_index(bytes_of_str("held"));
    enum err e = db_prepare(t->h->db,
                            "SELECT c.held_id FROM h_held_row w JOIN h_held_case c ON c.node_no = w.node_no"
                            " AND c.seq = w.seq WHERE w.id = $1 AND w.tbl = $2",
                            &s, why);
    if (e != ERR_OK) return e;
    buf_init(&ids, 1u << 20);
    db_bind_id(s, 1, v->id);
    db_bind_int(s, 2, v->table_index);
    while ((e = db_step(s, &row, why)) == ERR_OK && row)
        if (db_id(s, 0, id)) buf_put(&ids, id, sizeof id);
    db_done(s);
    if (e == ERR_OK && ids.err != ERR_OK) e = why_set(why, ids.err, "There is not enough memory to note a look.");
    for (size_t i = 0; e == ERR_OK && !*out && i < ids.len; i += 16) {
        struct hub_row r;
        bool found = false;
        e = sight_row(t->h, held, ids.data + i, &r, &found, why);
        if (e == ERR_OK && found) e = could_see(t, r.no, out, why);
    }
    buf_release(&ids);
    return e;
}

static enum err take_view(void *ctx, const struct view_item *v, struct why *why)
{
    const struct taking *t = ctx;
    struct hub_row row;
    struct stmt *s;
    bool found = false, could = false, fresh = false;
    enum err e = sight_row(t->h, v->table_index, v->id, &row, &found, why);
    if (e == ERR_OK && found) e = could_see(t, row.no, &could, why);
    if (e == ERR_OK && !found) e = could_see_held(t, v, &could, why);
    if (e != ERR_OK || !could) return e; /* not told apart from one that is taken */
    e = db_prepare(t->h->db,
                   "INSERT INTO h_view(node_no, user, tbl, id, at) VALUES($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING "
                   "RETURNING at",
                   &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, t->n->no);
    db_bind_id(s, 2, v->user);
    db_bind_int(s, 3, v->table_index);
    db_bind_id(s, 4, v->id);
    db_bind_int(s, 5, (int64_t)v->at_ms);
    e = db_step(s, &fresh, why);
    db_done(s);
    return e == ERR_OK && fresh ? log_look(t, v, why) : e;
}

enum err views_take(struct hub *h, const struct hub_node *n, struct bytes item, struct why *why)
{
    struct taking t = {h, n};
    return message_get_views(item, &n->id, n->id.kid, take_view, &t, why);
}

enum err hub_who_looked(struct hub *h, int table_index, const uint8_t id[16], int64_t until_ms, hub_looked_fn each,
                        void *ctx, struct why *why)
{
    struct stmt *s;
    struct buf name;
    bool row = false;
    buf_init(&name, 4096);
    enum err e =
        db_prepare(h->db,
                   "SELECT v.at, v.user, n.kid, k.code, coalesce(p.name, '') FROM h_view v JOIN h_node n ON n.no = "
                   "v.node_no JOIN h_site k ON k.no = n.site_no LEFT JOIN practitioner p ON p.id = v.user WHERE "
                   "v.id = $1 AND v.tbl = $2 AND v.at <= $3 ORDER BY v.at, n.no",
                   &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, id);
    db_bind_int(s, 2, table_index);
    db_bind_int(s, 3, until_ms == 0 ? INT64_MAX : until_ms);
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        struct hub_looked l = {.at_ms = db_int(s, 0)};
        if (!db_id(s, 1, l.user) || !db_id(s, 2, l.kid))
            e = why_set(why, ERR_TAMPERED, "The hub's list of who looked at records is damaged.");
        buf_reset(&name);
        buf_put_bytes(&name, db_bytes(s, 3));
        buf_put_u8(&name, 0);
        size_t at = name.len;
        buf_put_bytes(&name, db_bytes(s, 4));
        if (e == ERR_OK && buf_cstr(&name) == NULL)
            e = why_set(why, ERR_NOMEM, "There is not enough memory for this list.");
        if (e == ERR_OK) {
            l.site = (const char *)name.data;
            l.name = (const char *)name.data + at;
            e = each(ctx, &l, why);
        }
        if (e != ERR_OK) break;
    }
    db_done(s);
    buf_release(&name);
    return e;
}
