#include "tests/sim/edit.h"
#include "tests/sim/judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHOICES 256u /* rows of one table that a person looks through */

/* ---- reading ---- */
bool edit_ok(struct edit *e, enum err err)
{
    if (e->err == ERR_OK) e->err = err;
    return e->err == ERR_OK;
}

bool edit_get(struct edit *e, int tbl, const uint8_t id[16], struct rows_row *out)
{
    bool found = false;
    const struct table_rule *t = rules_table((size_t)tbl);
    *out = (struct rows_row){.tbl = tbl, .r = {.table = t}};
    buf_reset(&e->row);
    if (e->err != ERR_OK) return false;
    if (!edit_ok(e, db_row_get(node_db(e->d->n), t, id, &e->row, &out->r, &found, &e->why)) || !found) return false;
    for (size_t c = 0; c < t->n_columns; c++) out->r.v[c] = think_keep(e->s, out->r.v[c]);
    memcpy(out->id, out->r.v[0].s.p, 16);
    if (t->kind == TABLE_CASE) memcpy(out->case_id, out->r.v[1].s.p, 16);
    return true;
}

/* In an order that no clock and no hub's randomness has a part in. A held referral's case is the hub's, its id a hash
 * of what a device's clock went into. */
static const char *order_of(const char *table)
{
    if (strcmp(table, "conflict") == 0) return "tbl, row_id, col, kept, lost, rowid";
    if (strcmp(table, "held") == 0)
        return "(SELECT c.id FROM case_file c WHERE c.id = held.case_id AND c.agency <> ''), state, what, reason, node, "
               "rowid";
    return "id";
}

static const char *made_by_people(const struct sim *s, const char *table)
{
    /* Two that say the same differ in nothing but what clocks gave, and what is about the hub's own rows names them by
     * ids that came of clocks. */
    if (s->opt.no_steering && strcmp(table, "held") == 0)
        return "case_id IN (SELECT id FROM case_file WHERE agency <> '') AND what NOT LIKE '%\"table\":\"conflict\"%' AND "
               "what NOT LIKE '%\"table\":\"held\"%' AND NOT EXISTS (SELECT 1 FROM held o WHERE "
               "o.rowid <> held.rowid AND o.case_id = held.case_id AND o.node = held.node AND o.what IS held.what)";
    /* Where the later wins, clocks also say which edit met which. */
    if (s->opt.no_steering && strcmp(table, "conflict") == 0) return "policy <> 'lww'";
    bool hub = strcmp(table, "case_file") == 0 || strcmp(table, "brief") == 0;
    return hub ? "agency <> ''" : "true";
}

static size_t list(struct edit *e, const struct choice *c, uint8_t out[CHOICES][16])
{
    char sql[1024];
    struct stmt *st = NULL;
    size_t n = 0;
    bool row = false;
    (void)snprintf(sql, sizeof sql, "SELECT id FROM \"%s\" WHERE %s AND %s ORDER BY %s LIMIT %u", c->table,
                   made_by_people(e->s, c->table), c->where == NULL ? "true" : c->where, order_of(c->table), CHOICES);
    if (e->err != ERR_OK || !edit_ok(e, db_prepare(node_db(e->d->n), sql, &st, &e->why))) return 0;
    if (c->where != NULL && strstr(c->where, "$1") != NULL) db_bind_value(st, 1, c->arg);
    while (n < CHOICES && edit_ok(e, db_step(st, &row, &e->why)) && row) n += db_id(st, 0, out[n]);
    db_done(st);
    return e->err == ERR_OK ? n : 0;
}

bool edit_pick(struct edit *e, const struct choice *c, struct rows_row *out)
{
    uint8_t ids[CHOICES][16];
    size_t n = list(e, c, ids);
    if (n == 0) return false;
    if (n > 3 && c->meet && e->s->plan.crowded && sim_chance(e->s, 650)) n = 3;
    return edit_get(e, rows_table(c->table), ids[sim_random(e->s, n)], out);
}

bool edit_pick_from(struct edit *e, const char *table, struct rows_row *out)
{
    const struct choice all = {.table = table, .meet = true};
    return edit_pick(e, &all, out);
}

bool edit_pick_any(struct edit *e, struct rows_row *out)
{
    size_t n, from = (size_t)rows_table("case_file");
    const struct table_rule *t = rules_tables(&n);
    for (int tries = 0; tries < 6; tries++)
        if (edit_pick_from(e, t[from + sim_random(e->s, n - from)].name, out)) return true;
    return false;
}

/* ---- writing ---- */
static bool touch(struct edit *e, int tbl, int col, const uint8_t id[16])
{
    for (size_t i = 0; i < e->n_touched; i++)
        if (e->touched[i].tbl == tbl && (e->touched[i].col == col || e->touched[i].col < 0) &&
            memcmp(e->touched[i].id, id, 16) == 0)
            return false;
    if (e->n_touched == EDIT_TOUCHED) return false;
    e->touched[e->n_touched].tbl = tbl;
    e->touched[e->n_touched].col = col;
    memcpy(e->touched[e->n_touched++].id, id, 16);
    return true;
}

static void note(struct edit *e, int tbl, int col, const struct row *r, struct value v)
{
    struct ledger_op op = {.tbl = tbl, .col = col, .value = v, .saw = value_null(), .fresh = true, .forged = e->forged};
    memcpy(op.id, r->v[0].s.p, 16);
    memcpy(op.case_id, r->v[1].s.p, 16);
    ledger_note(e->s, e->d, &op);
}

/* An agency keeps what it wrote in a case that was taken away; it adds nothing to it. */
static bool case_is_here(struct edit *e, const struct row *r)
{
    struct rows_row c;
    return strcmp(r->table->name, "case_file") == 0 || edit_get(e, rows_table("case_file"), r->v[1].s.p, &c);
}

void edit_put(struct edit *e, const struct row *r)
{
    char hex[33];
    struct rows_row there;
    int tbl = rows_table(r->table->name);
    if (!case_is_here(e, r)) return;
    if (edit_get(e, tbl, r->v[0].s.p, &there) || e->err != ERR_OK || !touch(e, tbl, -1, r->v[0].s.p)) return;
    sim_note(e->s, "  device %d: new %s %s", e->d->no, r->table->name, ids_hex(r->v[0].s.p, hex));
    if (!edit_ok(e, db_row_put(node_db(e->d->n), r, &e->why))) return;
    note(e, tbl, -1, r, value_null());
    for (size_t c = 3; c < r->table->n_columns; c++)
        if (r->v[c].kind != VALUE_NULL) note(e, tbl, (int)c, r, r->v[c]);
}

/* Where a later-wins value decides who sees what, or where it has so few values that writing it may change nothing in
 * one of two worlds. */
static bool steers(const struct table_rule *t, size_t col)
{
    static const char *const columns[] = {"until", "since", "expires_at", "override_at", "voided_at", "void_reason"};
    const struct column_rule *c = &t->columns[col];
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        if (strcmp(c->name, columns[i]) == 0) return true;
    return c->policy == MERGE_LWW && c->type != COL_TEXT && c->type != COL_TIME && t->insert != INSERT_HUB;
}

static void tell(struct edit *e, const struct rows_row *at, size_t col, struct value v)
{
    struct buf text;
    char hex[33];
    buf_init(&text, 1u << 21);
    if (v.kind != VALUE_NULL && value_to_text(v, &text) != ERR_OK) abort();
    sim_note(e->s, "  device %d: %s %s %s = %.60s", e->d->no, at->r.table->name, ids_hex(at->id, hex),
             at->r.table->columns[col].name, v.kind == VALUE_NULL ? "NULL" : buf_cstr(&text));
    buf_release(&text);
}

void edit_set(struct edit *e, const struct rows_row *at, size_t col, struct value v)
{
    if (e->err != ERR_OK || v.kind == VALUE_NONE || value_equal(v, at->r.v[col])) return;
    if (e->s->opt.no_steering && steers(at->r.table, col)) return;
    if (!touch(e, at->tbl, (int)col, at->id)) return;
    tell(e, at, col, v);
    if (!edit_ok(e, db_row_set(node_db(e->d->n), at->r.table, at->id, col, v, &e->why))) return;
    struct ledger_op op = {.tbl = at->tbl, .col = (int)col, .value = v, .saw = at->r.v[col], .forged = e->forged};
    memcpy(op.id, at->id, 16);
    memcpy(op.case_id, at->case_id, 16);
    ledger_note(e->s, e->d, &op);
}

void edit_set_named(struct edit *e, const struct rows_row *at, const char *column, struct value v)
{
    int col = rules_column_index(at->r.table, bytes_of_str(column));
    if (col < 0) abort();
    edit_set(e, at, (size_t)col, v);
}

/* ---- the transaction ---- */
void edit_look(struct edit *e, struct sim *s, struct device *d)
{
    *e = (struct edit){.s = s, .d = d};
    s->used = 0;
    buf_init(&e->row, 8u << 20);
    device_enter(s, d);
}

void edit_start(struct edit *e, struct sim *s, struct device *d)
{
    edit_look(e, s, d);
    if (!edit_ok(e, node_tick(d->n, &e->why))) return;
    int64_t hides = 0;
    e->hides = wire_ask(node_db(d->n), "SELECT EXISTS(SELECT 1 FROM n_hidden)", NULL, &hides) && hides != 0;
    struct draw by = told_draw(s, d);
    if (draw_chance(&by, 150) && !d->ailing && !disk_is_dead(d->m.disk)) check_shown(s, d);
    (void)edit_ok(e, node_edit_begin(d->n, &e->why));
}

bool edit_full(const struct edit *e)
{
    return e->err != ERR_OK || e->s->used > sizeof e->s->arena / 3 || e->n_touched > EDIT_TOUCHED / 2;
}

void edit_failed(struct edit *e, bool died)
{
    struct sim *s = e->s;
    struct device *d = e->d;
    if (e->err == ERR_OK || died) return; /* the machine that failed cannot be asked why */
    if ((e->err == ERR_FULL || e->err == ERR_IO) && d->ailing && !s->healing) {
        sim_note(s, "  device %d: nothing was saved: %s", d->no, e->why.text);
        return;
    }
    if (!d->suspect || e->err == ERR_DENIED) sim_must(s, e->err, "work at a device", &e->why);
    s->counts[COUNT_ROTS_NOTICED] += e->err == ERR_TAMPERED;
    device_stuck(s, d, e->why.text);
}

void edit_finish(struct edit *e, bool keep)
{
    struct sim *s = e->s;
    struct device *d = e->d;
    uint64_t seq = 0;
    bool saved = false, refused = false;
    if (!keep || e->err != ERR_OK)
        node_edit_cancel(d->n);
    else
        saved = edit_ok(e, node_edit_commit(d->n, "worked on a case", &seq, &e->why)) && seq > 0;
    if (saved) {
        s->counts[COUNT_EDITS]++;
        d->hostile |= e->strange;
        sim_note(s, "  device %d: envelope %llu", d->no, (unsigned long long)seq);
        ledger_commit(s, d, seq);
    } else if (disk_is_dead(d->m.disk)) {
        ledger_unsure(s);
    } else {
        ledger_cancel(s);
        refused = e->err == ERR_DENIED && (e->strange || e->hides); /* a row of that number may stand aside */
    }
    bool died = device_leave(s, d);
    buf_release(&e->row);
    if (refused && !died) {
        sim_note(s, "  refused here: %s", e->why.text);
        s->counts[COUNT_DENIED]++;
        return;
    }
    edit_failed(e, died);
}
