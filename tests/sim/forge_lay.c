/* What a forger could have meant honestly also stands on his own screen, as after node_edit_commit: the hub
 * acknowledges what it applies as it was sent, and does not send it back. */
#include "tests/sim/forge.h"

#include "node/internal.h"

#include <string.h>

struct laying {
    struct forgery *f;
    uint64_t seq;
};

static bool asked(struct edit *e, const char *sql, const uint8_t id[16], int64_t a, int64_t b)
{
    struct stmt *st = NULL;
    bool row = false;
    if (!edit_ok(e, db_prepare(e->d->n->db, sql, &st, &e->why))) return false;
    db_bind_id(st, 1, id);
    if (a >= 0) db_bind_int(st, 2, a);
    if (b >= 0) db_bind_int(st, 3, b);
    (void)edit_ok(e, db_step(st, &row, &e->why));
    db_done(st);
    return row;
}

static bool lay_new(const struct laying *l, const struct op *op)
{
    struct edit *e = &l->f->e;
    struct row r = {.table = op->table};
    memcpy(r.v, op->new_, sizeof r.v);
    bool is_case = strcmp(op->table->name, "case_file") == 0;
    if (op->table->kind != TABLE_CASE || op->table->insert == INSERT_HUB) return true;
    if (!is_case && !asked(e, "SELECT 1 FROM case_file WHERE id = $1", op->new_[1].s.p, -1, -1)) return true;
    return edit_ok(e, db_row_put(e->d->n->db, &r, &e->why)) &&
           edit_ok(e, overlay_edit(e->d->n, op, &r, l->seq, &e->why));
}

/* To the hub it is a new row, which it may not have: what was here before may be held. */
static bool as_new(const struct laying *l, const struct op *made)
{
    struct edit *e = &l->f->e;
    struct row r = {.table = made->table};
    struct stmt *st = NULL;
    struct buf vals;
    const char *sql = "UPDATE n_pending SET op = $1, vals = $2 WHERE tbl = $3 AND id = $4 AND seq = $5";
    memcpy(r.v, made->new_, sizeof r.v);
    buf_init(&vals, 8u << 20);
    row_put_cbor(&vals, &r);
    bool ok = edit_ok(e, vals.err) && edit_ok(e, db_prepare(e->d->n->db, sql, &st, &e->why));
    if (ok) {
        db_bind_int(st, 1, OP_INSERT);
        db_bind_blob(st, 2, buf_bytes(&vals));
        db_bind_int(st, 3, made->table_index);
        db_bind_id(st, 4, op_row_id(made));
        db_bind_int(st, 5, (int64_t)l->seq);
        ok = edit_ok(e, db_run(st, &e->why));
    }
    buf_release(&vals);
    return ok;
}

/* Over a row that is there; a row that is made again keeps whose it is. */
static bool lay_over(const struct laying *l, const struct op *made, const struct row *now)
{
    struct edit *e = &l->f->e;
    struct op op = *made;
    op.kind = OP_UPDATE;
    op.old[0] = now->v[0];
    for (size_t c = 0; c < op.table->n_columns; c++) {
        bool fixed = c == 0 || (made->kind == OP_INSERT && c < 3);
        if (fixed || op.new_[c].kind == VALUE_NONE || value_equal(op.new_[c], now->v[c])) op.new_[c] = value_none();
        if (c > 0) op.old[c] = op.new_[c].kind == VALUE_NONE ? value_none() : now->v[c];
        if (op.new_[c].kind != VALUE_NONE &&
            !edit_ok(e, db_row_set(e->d->n->db, op.table, op_row_id(made), c, op.new_[c], &e->why)))
            return false;
    }
    return edit_ok(e, overlay_edit(e->d->n, &op, now, l->seq, &e->why)) && (made->kind != OP_INSERT || as_new(l, made));
}

static bool lay_op(const struct laying *l, const struct op *op)
{
    struct edit *e = &l->f->e;
    struct row now = {0};
    struct buf store;
    bool found = false;
    const char *pending = "SELECT 1 FROM n_pending WHERE id = $1 AND tbl = $2 AND seq = $3";
    if (asked(e, pending, op_row_id(op), op->table_index, (int64_t)l->seq)) return true;
    buf_init(&store, 8u << 20);
    bool ok = edit_ok(e, db_row_get(e->d->n->db, op->table, op_row_id(op), &store, &now, &found, &e->why));
    if (ok && found) ok = lay_over(l, op, &now);
    if (ok && !found && op->kind == OP_INSERT) ok = lay_new(l, op);
    buf_release(&store);
    return ok;
}

bool forge_lay(struct forgery *f, uint64_t seq)
{
    const struct changeset_limits lim = {.schema = rules_schema_newest(), .max_ops = CHANGESET_MAX_OPS};
    struct laying l = {.f = f, .seq = seq};
    struct changeset_reader r;
    struct op op;
    bool end = false, ok = true;
    if (f->forged || f->unlucky || f->untold) return true;
    for (size_t i = 0; i < f->n_parts; i++)
        if (changeset_check(f->part[i].content, &lim, NULL) != ERR_OK) return true; /* a fault, which nobody lays */
    for (size_t i = 0; ok && i < f->n_parts; i++) {
        changeset_reader_init(&r, f->part[i].content, rules_schema_newest());
        end = false;
        while (ok && changeset_next(&r, &op, &end, NULL) == ERR_OK && !end) ok = lay_op(&l, &op);
    }
    return ok;
}
