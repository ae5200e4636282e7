/* Rows against rows, and what is left of those that a device forgot. */
#include "tests/sim/judge.h"

#include <stdio.h>
#include <string.h>

static void compare(struct sim *s, const struct device *d, const struct rows_row *hub, const struct rows_row *here)
{
    const struct table_rule *t = here->r.table;
    char hex[33];
    if (hub == NULL)
        sim_fail(s, 1, "device %d (%s) holds %s %s, which the hub does not know", d->no, s->sites[d->site].code,
                 t->name, ids_hex(here->id, hex));
    for (size_t c = 0; c < t->n_columns; c++)
        if (!value_equal(hub->r.v[c], here->r.v[c]))
            sim_fail(s, 1, "device %d (%s): %s %s differs from the hub in %s", d->no, s->sites[d->site].code, t->name,
                     ids_hex(here->id, hex), t->columns[c].name);
}

void check_same_rows(struct sim *s, const struct device *d, const struct rows *hub, const struct rows *here)
{
    size_t reference = 0, expected = 0;
    for (size_t i = 0; i < here->n; i++) {
        const struct rows_row *r = &here->v[i];
        if (disaster_strange(s, r->id)) continue;
        compare(s, d, rows_find(hub, r->tbl, r->id), r);
        reference += r->r.table->kind == TABLE_REFERENCE;
    }
    for (size_t i = 0; i < hub->n; i++) expected += hub->v[i].r.table->kind == TABLE_REFERENCE;
    if (reference != expected)
        sim_fail(s, 1, "device %d holds %zu rows of reference data, the hub %zu", d->no, reference, expected);
}

/* ---- what it forgot ---- */
static bool is_here(struct sim *s, const struct device *d, int tbl, const uint8_t id[16])
{
    char sql[100];
    (void)snprintf(sql, sizeof sql, "SELECT 1 FROM \"%s\" WHERE id = $1", rules_table((size_t)tbl)->name);
    struct stmt *st = ask(s, node_db(d->n), sql);
    db_bind_id(st, 1, id);
    bool out = ask_next(s, st);
    db_done(st);
    if (out) return true;
    st = ask(s, node_db(d->n), "SELECT 1 FROM n_hidden WHERE tbl = $1 AND id = $2");
    db_bind_int(st, 1, tbl);
    db_bind_id(st, 2, id);
    out = ask_next(s, st);
    db_done(st);
    return out;
}

static void forgotten(struct sim *s, const struct device *d, uint64_t after, uint64_t upto, struct ids *out)
{
    struct stmt *st = ask(s, hub_db(s->hub),
                          "SELECT r.tbl, r.id FROM h_drop d JOIN h_row r ON r.no = d.row_no WHERE d.node_no = $1 AND "
                          "d.request > $2 AND d.request <= $3");
    db_bind_int(st, 1, ask_node(s, d));
    db_bind_int(st, 2, (int64_t)after);
    db_bind_int(st, 3, (int64_t)upto);
    while (ask_next(s, st)) {
        uint8_t id[16];
        if (db_id(st, 1, id) && !is_here(s, d, (int)db_int(st, 0), id)) ids_add(out, id);
    }
    db_done(st);
}

/* The last request before the first of these orders, or the last one answered. */
static uint64_t up_to(struct sim *s, const struct device *d, const char *first)
{
    int64_t answered = ask_number(s, node_db(d->n), "SELECT value FROM n_number WHERE name = 'answered'");
    int64_t order = ask_number(s, node_db(d->n), first);
    return (uint64_t)(order > 0 && order <= answered ? order - 1 : answered);
}

/* Orders are carried out and receipts signed in the order of their numbers. Receipt 1 excepts work that is still to be
 * sent. When some of that is judged, what it said may be left until receipt 2, which excepts nothing. */
void check_drops(struct sim *s, struct device *d)
{
    uint64_t *clean = told_clean(s, d);
    struct ids gone = {0};
    uint64_t forgot = up_to(s, d,
                            "SELECT min(request) FROM n_order o WHERE stage = 0 OR EXISTS(SELECT 1 FROM n_parked p "
                            "JOIN n_outbox b ON b.seq = p.seq WHERE p.request = o.request AND b.state <> 'unsent')");
    uint64_t done = up_to(s, d, "SELECT min(request) FROM n_order");
    if (forgot <= *clean) return;
    forgotten(s, d, *clean, forgot, &gone);
    if (gone.n > 0 && done > *clean) s->counts[COUNT_EVICTIONS]++;
    if (done > *clean) *clean = done;
    canary_scan(s, d, &gone);
    ids_clear(&gone);
}
