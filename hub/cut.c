#include "hub/sight.h"

#include <string.h>

enum err cut_of(struct hub *h, const struct hub_node *n, const uint8_t name[16], struct cut *out, struct why *why)
{
    const bool here = n->at.served_at != 0 && memcmp(name, n->at.name, sizeof n->at.name) == 0;
    if (!here) return cut_get(h, n->no, name, out, why);
    *out = n->at;
    return ERR_OK;
}

enum err cut_get(struct hub *h, int64_t node_no, const uint8_t name[16], struct cut *out, struct why *why)
{
    static const uint8_t zeros[16];
    struct stmt *s;
    bool row = false;
    if (memcmp(name, zeros, sizeof zeros) == 0) {
        *out = (struct cut){.pos = INT64_MAX};
        return ERR_OK;
    }
    enum err e =
        db_prepare(h->db,
                   "SELECT lo, hi, pos, pos_from, at, schema, schema_lo, served_at FROM h_cut WHERE name = $1 AND node_no = $2",
                   &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, name);
    db_bind_int(s, 2, node_no);
    e = db_step(s, &row, why);
    if (e == ERR_OK && !row) /* another node's cut is refused like one that never was */
        e = why_set(why, ERR_REFUSED, "This device stands at a point that the hub never gave it.");
    if (e == ERR_OK) {
        *out = (struct cut){
            .lo = db_int(s, 0), .hi = db_int(s, 1), .pos = db_int(s, 2), .pos_from = db_int(s, 3), .at = db_int(s, 4),
            .schema = (uint64_t)db_int(s, 5), .schema_lo = (uint64_t)db_int(s, 6),
            .served_at = db_int(s, 7)};
        memcpy(out->name, name, sizeof out->name);
    }
    db_done(s);
    return e;
}
