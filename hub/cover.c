/* Covered envelopes: those in a verified backup of this store. Devices keep a sealed copy of their own until then. */
#include "hub/internal.h"

enum err hub_covered(struct hub *h, struct why *why)
{
    enum err e = hub_begin(h, why);
    if (e != ERR_OK) return e;
    e = db_exec(h->db, "UPDATE h_node SET covered = last_seq", why);
    if (e == ERR_OK) return hub_commit(h, why);
    hub_abort(h);
    return e;
}
