/* Nobody's change was taken in that he had no power to make: the plainest of the rules, checked against what counts. */
#include "tests/sim/judge.h"

#include <string.h>

struct claim {
    struct sim *s;
    const struct rows_row *r; /* as it stands */
    const struct written *w;
    const struct posted *e;
    const struct sim_site *by;
};

/* Did another device make the same row (a consent, or an id that somebody guessed)? It stands in the first one's name,
 * and the other's columns merge into it like any edit. */
static bool made_elsewhere(const struct claim *c, const struct same *makers)
{
    for (size_t i = 0; i < makers->n; i++) {
        const struct posted *o = &c->s->ledger->envelopes[c->s->ledger->ops[makers->v[i]].by];
        if (memcmp(o->kid, c->e->kid, sizeof o->kid) != 0) return true;
    }
    return false;
}

/* A row made and changed in one envelope arrives as a new row. */
static bool arrives_new(const struct claim *c, const struct same *makers)
{
    for (size_t i = 0; i < makers->n; i++)
        if (c->s->ledger->ops[makers->v[i]].by == c->w->by) return true;
    return false;
}

static bool is_own(const struct claim *c)
{
    return bytes_equal(c->r->r.v[2].s, bytes_of_str(c->by->agency));
}

/* Duties are given and never taken away. */
static bool has_duty(const struct claim *c)
{
    struct stmt *st = ask(c->s, hub_db(c->s->hub), "SELECT 1 FROM duty WHERE practitioner = $1 LIMIT 1");
    db_bind_id(st, 1, c->s->devices[c->e->device].user);
    bool out = ask_next(c->s, st);
    db_done(st);
    return out;
}

static const char *unpowered_insert(const struct claim *c, const struct same *makers)
{
    if (c->w->col < 0 && c->r->r.table->insert == INSERT_HUB) return "a row that only the hub makes";
    if (c->w->col >= 0 || made_elsewhere(c, makers) || is_own(c)) return NULL;
    return "a row in another agency's name";
}

static const char *unpowered_change(const struct claim *c)
{
    struct value v = c->w->value;
    bool mash = strcmp(c->by->site_kind, "mash") == 0, accepted = c->e->accepted;
    switch (c->r->r.table->columns[c->w->col].write) {
    case WRITE_NEVER: return "a column that never changes";
    case WRITE_HUB: return "a column that only the hub writes";
    case WRITE_JUDGE: return mash || (v.kind != VALUE_NULL && is_own(c)) ? NULL : "a judgement away from the MASH";
    case WRITE_OWN: return is_own(c) || accepted ? NULL : "a column of another agency's row";
    case WRITE_RELEASE:
        return is_own(c) || rows_is(c->r, "to_agency", c->by->agency) || accepted ? NULL
                                                                                  : "a word in a release of others";
    case WRITE_DUTY: return accepted || has_duty(c) ? NULL : "what only a person on duty may write";
    case WRITE_ASKED:
        if (rows_is(c->r, "to_agency", c->by->agency) || accepted) return NULL;
        return is_own(c) && v.kind == VALUE_TEXT && bytes_equal(v.s, bytes_of_str("cancelled"))
                   ? NULL
                   : "an answer for another agency";
    case WRITE_LEAD:
    case WRITE_CONTRIBUTE: return NULL; /* these change with time and place: the oracle judges them as they stood */
    case WRITE_SETTLE: return NULL;     /* follows from what the conflict is about: the units of the hub have it */
    }
    return NULL;
}

/* Does the value stand in the hub's row because this device wrote it? */
static bool stands(const struct claim *c)
{
    struct stmt *st = ask(c->s, hub_db(c->s->hub),
                          "SELECT coalesce(k.node_no, r.born_node) FROM h_row r LEFT JOIN h_col k ON k.row_no = r.no "
                          "AND "
                          "k.col = $1 WHERE r.id = $2 AND r.tbl = $3");
    db_bind_int(st, 1, c->w->col);
    db_bind_id(st, 2, c->w->id);
    db_bind_int(st, 3, c->w->tbl);
    bool out = ask_next(c->s, st) && db_int(st, 0) == c->e->node_no;
    db_done(st);
    return out && (c->w->col < 0 || value_equal(c->r->r.v[c->w->col], c->w->value));
}

void power_check(struct sim *s, const struct rows *hub, const struct written *w, const struct same *makers)
{
    const struct posted *e = &s->ledger->envelopes[w->by];
    struct claim c = {.s = s, .w = w, .e = e, .r = rows_find(hub, w->tbl, w->id)};
    char hex[33];
    if (c.r == NULL) return;
    c.by = &s->sites[s->devices[e->device].site];
    const char *what = arrives_new(&c, makers) ? unpowered_insert(&c, makers) : unpowered_change(&c);
    if (what == NULL && w->forged && !e->accepted && stands(&c)) what = "something forged";
    if (what != NULL)
        sim_fail(s, 10, "device %d (%s), envelope %llu wrote %s: %s %s %s", e->device, c.by->code,
                 (unsigned long long)e->seq, what, c.r->r.table->name, ids_hex(w->id, hex),
                 w->col < 0 ? "" : c.r->r.table->columns[w->col].name);
}
