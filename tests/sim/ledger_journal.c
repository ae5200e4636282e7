/* What an envelope holds, as the hub keeps it: an array of [salt, changeset] (hub/journal.c). */
#include "tests/sim/judge.h"

#include "base/cbor.h"
#include "sync/changeset.h"
#include "sync/envelope.h"

#include <string.h>

enum err journal_each(struct bytes parts, void (*each)(void *ctx, const struct op *op), void *ctx, struct why *why)
{
    struct cbor_reader r;
    enum err e = ERR_OK;
    cbor_reader_init(&r, parts);
    size_t n = cbor_get_array(&r, ENVELOPE_MAX_PARTS);
    for (size_t i = 0; e == ERR_OK && r.err == ERR_OK && i < n; i++) {
        uint8_t salt[SALT_BYTES];
        struct changeset_reader in;
        struct op op;
        bool end = false;
        if (cbor_get_array(&r, 2) != 2) return ERR_FORMAT;
        cbor_get_fixed(&r, salt, sizeof salt);
        changeset_reader_init(&in, cbor_get_bytes(&r), rules_schema_newest());
        while (r.err == ERR_OK && (e = changeset_next(&in, &op, &end, why)) == ERR_OK && !end) each(ctx, &op);
    }
    return e == ERR_OK ? r.err : e;
}

/* One operation of a changeset is as many of ours as columns. */
static void each_column(const struct op *op, void (*each)(void *ctx, const struct written *w), void *ctx)
{
    struct written w = {
        .tbl = op->table_index, .col = -1, .value = value_null(), .saw = value_null(), .fresh = op->kind == OP_INSERT};
    memcpy(w.id, op_row_id(op), sizeof w.id);
    if (w.fresh && op->new_[1].kind == VALUE_BLOB && op->new_[1].s.n == 16) memcpy(w.case_id, op->new_[1].s.p, 16);
    if (w.fresh) each(ctx, &w);
    for (size_t c = w.fresh ? 3 : 1; c < op->table->n_columns; c++) {
        struct value v = op->new_[c];
        if (v.kind == VALUE_NONE || (w.fresh && v.kind == VALUE_NULL)) continue;
        w.col = (int)c;
        w.value = v;
        w.saw = w.fresh ? value_null() : op->old[c];
        each(ctx, &w);
    }
}

/* ---- taking over */
struct adoption {
    struct ledger *l;
    size_t envelope;
};

static void adopt_column(void *ctx, const struct written *w)
{
    struct adoption *a = ctx;
    ledger_add(a->l, w)->by = a->envelope;
}

static void adopt_op(void *ctx, const struct op *op)
{
    each_column(op, adopt_column, ctx);
}

void journal_adopt(struct sim *s, size_t envelope, struct bytes parts)
{
    struct ledger *l = s->ledger;
    struct adoption a = {.l = l, .envelope = envelope};
    struct why why = {0};
    size_t first = l->n_ops;
    enum err e = journal_each(parts, adopt_op, &a, &why);
    if (e != ERR_OK && l->envelopes[envelope].verdict != VERDICT_FAULT)
        sim_fail(s, 2, "the hub keeps an envelope of device %d that cannot be read: %s", l->envelopes[envelope].device,
                 why.text);
    l->envelopes[envelope].first = first;
    l->envelopes[envelope].n = l->n_ops - first;
    l->in_hand = l->n_ops;
}

static enum err take_op(void *ctx, const struct op *op, struct why *why)
{
    (void)why;
    adopt_op(ctx, op);
    return ERR_OK;
}

void journal_take(struct sim *s, const struct device *d, uint64_t seq)
{
    struct ledger *l = s->ledger;
    struct posted e = {.device = d->no, .seq = seq, .first = l->in_hand};
    struct adoption a = {.l = l, .envelope = l->n_envelopes};
    struct why why = {0};
    ledger_cancel(s);
    struct stmt *st = ask(s, node_db(d->n), "SELECT cose FROM n_outbox WHERE seq = $1");
    db_bind_int(st, 1, (int64_t)seq);
    if (!ask_next(s, st))
        sim_fail(s, 2, "device %d: envelope %llu is not in its outbox", d->no, (unsigned long long)seq);
    envelope_hash(db_bytes(st, 0), e.hash);
    db_done(st);
    memcpy(e.kid, d->kid, sizeof e.kid);
    sim_must(s, node_outbox_read(d->n, seq, take_op, &a, &why), "read an envelope in an outbox", &why);
    e.n = l->n_ops - e.first;
    l->in_hand = l->n_ops;
    (void)ledger_post(l, &e);
}

/* ---- comparing */
struct comparison {
    struct sim *s;
    const struct posted *e;
    uint64_t n;
};

static void compare_column(void *ctx, const struct written *w)
{
    struct comparison *c = ctx;
    const struct written *ops = c->s->ledger->ops + c->e->first;
    const struct table_rule *t = rules_table((size_t)w->tbl);
    char hex[33];
    c->n++;
    for (size_t i = 0; i < c->e->n; i++)
        if (ops[i].tbl == w->tbl && ops[i].col == w->col && memcmp(ops[i].id, w->id, sizeof w->id) == 0) {
            if (w->col < 0 || value_equal(ops[i].value, w->value)) return;
            break;
        }
    sim_fail(c->s, 5, "device %d, envelope %llu changes %s %s %s as nobody did", c->e->device,
             (unsigned long long)c->e->seq, t->name, ids_hex(w->id, hex),
             w->col < 0 ? "(row)" : t->columns[w->col].name);
}

static void compare_op(void *ctx, const struct op *op)
{
    each_column(op, compare_column, ctx);
}

uint64_t journal_compare(struct sim *s, const struct posted *e, struct bytes parts)
{
    struct comparison c = {.s = s, .e = e};
    struct why why = {0};
    if (e->verdict == VERDICT_FAULT) return e->n; /* nobody can say what it means */
    enum err err = journal_each(parts, compare_op, &c, &why);
    if (err != ERR_OK || c.n != e->n)
        sim_fail(s, 5, "device %d, envelope %llu proposes %llu changes of %zu that were made (%s)", e->device,
                 (unsigned long long)e->seq, (unsigned long long)c.n, e->n, err_word(err));
    return c.n;
}
