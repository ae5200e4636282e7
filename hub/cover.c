/* Covered envelopes: those in a verified backup of this store. Devices keep a sealed copy of their own until then. */
#include "hub/cover.h"

enum err hub_covered(struct hub *h, struct why *why)
{
    enum err e = hub_begin(h, why);
    if (e != ERR_OK) return e;
    e = db_exec(h->db, "UPDATE h_node SET covered = last_seq", why);
    if (e == ERR_OK) return hub_commit(h, why);
    hub_abort(h);
    return e;
}

enum err cover_of(struct hub *h, int64_t node_no, uint64_t *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db, "SELECT covered FROM h_node WHERE no = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, node_no);
    e = db_step(s, &row, why);
    if (e == ERR_OK) *out = row ? (uint64_t)db_int(s, 0) : 0;
    db_done(s);
    return e;
}
