/* Nobody's edit was taken in that he had no power to make: the plainest of the rules, checked against what was applied. */
#include "tests/lib/sim.h"

#include <string.h>

/* Did a manager accept it? Then another's power stands behind it. */
static bool accepted(struct sim *s, const struct sim_op *op)
{
    struct stmt *st = NULL;
    struct why why = {0};
    bool row = false;
    sim_must(s,
             db_prepare(hub_db(s->hub),
                        "SELECT 1 FROM h_held x JOIN h_node n ON n.no = x.node_no"
                        " WHERE n.kid = $1 AND x.seq = $2 AND x.state = 'accepted'",
                        &st, &why),
             "ask what was held", &why);
    db_bind_id(st, 1, s->nodes[op->node].kid);
    db_bind_int(st, 2, (int64_t)op->seq);
    sim_must(s, db_step(st, &row, &why), "ask what was held", &why);
    db_done(st);
    return row;
}

/* Did another device make the same row (a consent, or an id that somebody guessed)? It stands in the first one's name,
 * and the other's columns merge into it like any edit. */
static bool made_elsewhere(const struct sim *s, const struct sim_op *op)
{
    for (size_t i = 0; i < s->n_ops; i++) {
        const struct sim_op *o = &s->ops[i];
        if (o->col < 0 && o->node != op->node && o->tbl == op->tbl && memcmp(o->id, op->id, 16) == 0) return true;
    }
    return false;
}

static const char *unpowered_insert(const struct sim *s, const struct sim_op *op, const struct sim_row *r,
                                    const char *agency)
{
    if (op->col < 0 && r->r.table->insert == INSERT_HUB) return "a row that only the hub makes";
    if (made_elsewhere(s, op)) return NULL;
    if (op->col < 0 && !bytes_equal(r->r.v[2].s, bytes_of_str(agency))) return "a row in another agency's name";
    return NULL;
}

static const char *unpowered_change(struct sim *s, const struct sim_op *op, const struct sim_row *r,
                                    const struct sim_place *by)
{
    bool own = bytes_equal(r->r.v[2].s, bytes_of_str(by->agency)), mash = strcmp(by->site_kind, "mash") == 0;
    switch (r->r.table->columns[op->col].write) {
    case WRITE_NEVER: return "a column that never changes";
    case WRITE_HUB: return "a column that only the hub writes";
    case WRITE_JUDGE: return mash || (op->value != NULL && own) ? NULL : "a judgement away from the MASH";
    case WRITE_OWN: return own || accepted(s, op) ? NULL : "a column of another agency's row";
    case WRITE_DUTY: return mash || accepted(s, op) ? NULL : "what only a person on duty may write";
    case WRITE_ASKED:
        if (sim_is(r, "to_agency", by->agency) || accepted(s, op)) return NULL;
        return own && op->value != NULL && strcmp(op->value, "cancelled") == 0 ? NULL : "an answer for another agency";
    case WRITE_LEAD:
    case WRITE_CONTRIBUTE:
    case WRITE_SETTLE: return NULL; /* these change with time and place: the units of the hub have them */
    }
    return NULL;
}

/* A row made and changed in one envelope arrives as a new row. */
static bool arrives_new(const struct sim *s, const struct sim_op *op)
{
    for (size_t i = 0; i < s->n_ops; i++) {
        const struct sim_op *o = &s->ops[i];
        if (o->col < 0 && o->node == op->node && o->seq == op->seq && o->tbl == op->tbl &&
            memcmp(o->id, op->id, 16) == 0)
            return true;
    }
    return false;
}

void sim_check_power(struct sim *s, const struct sim_rows *hub, const struct sim_op *op)
{
    char hex[33];
    const struct sim_place *by = s->nodes[op->node].place;
    const struct sim_row *r = sim_rows_find(hub, op->tbl, op->id);
    if (r == NULL) return;
    const char *what = arrives_new(s, op) ? unpowered_insert(s, op, r, by->agency) : unpowered_change(s, op, r, by);
    if (what != NULL)
        sim_fail(s, "POWER: node %d (%s), envelope %llu wrote %s: %s %s %s", op->node, by->site,
                 (unsigned long long)op->seq, what, r->r.table->name, sim_hex(op->id, hex),
                 op->col < 0 ? "" : r->r.table->columns[op->col].name);
}
