#include "tests/sim/forge.h"

#include "node/internal.h"

#include <string.h>

static void honest_header(struct forgery *f)
{
    struct edit *e = &f->e;
    struct node *n = e->d->n;
    struct envelope_header *h = &f->h;
    uint64_t last_seq = 0, last_hlc = 0;
    int64_t now = env_now(n->env);
    memcpy(h->hub, n->hub.kid, KID_BYTES);
    memcpy(h->user, n->user, sizeof h->user);
    h->epoch = n->epoch;
    h->schema = rules_schema_newest();
    (void)(edit_ok(e, state_fixed(n->db, "cursor", h->base_cut, sizeof h->base_cut, &e->why)) &&
           edit_ok(e, state_fixed(n->db, "chain_head", h->prev, sizeof h->prev, &e->why)) &&
           edit_ok(e, state_number(n->db, "last_seq", &last_seq, &e->why)) &&
           edit_ok(e, state_number(n->db, "last_hlc", &last_hlc, &e->why)));
    h->seq = last_seq + 1;
    h->hlc = now < 0 ? 0 : (uint64_t)now << 16;
    if (h->hlc <= last_hlc) h->hlc = last_hlc + 1;
}

void forge_start(struct forgery *f, struct sim *s, struct device *d)
{
    *f = (struct forgery){0};
    edit_look(&f->e, s, d);
    buf_init(&f->content, 1u << 20);
    honest_header(f);
}

void forge_part(struct forgery *f)
{
    draw_bytes(&f->e.s->draw, f->part[f->n_parts].salt, SALT_BYTES);
    f->end[f->n_parts++] = f->content.len;
    changeset_writer_init(&f->w, &f->content, false, rules_schema_newest());
}

static void put(struct forgery *f, const struct op *op)
{
    changeset_put(&f->w, op);
    f->end[f->n_parts - 1] = f->content.len;
}

void forge_insert(struct forgery *f, const struct row *r)
{
    struct op op = {.kind = OP_INSERT, .table = r->table, .table_index = rows_table(r->table->name)};
    memcpy(op.new_, r->v, sizeof op.new_);
    put(f, &op);
}

void forge_update(struct forgery *f, const struct rows_row *at, size_t col, struct value v)
{
    struct op op = {.kind = OP_UPDATE, .table = at->r.table, .table_index = at->tbl};
    op.old[0] = value_id(at->id);
    op.old[col] = at->r.v[col].kind == VALUE_NONE ? value_null() : at->r.v[col];
    op.new_[col] = v;
    put(f, &op);
}

/* ---- the ledger is told what the bytes say, whatever they were meant to say ---- */
static void note_op(struct forgery *f, const struct op *op)
{
    struct ledger_op l = {.tbl = op->table_index,
                          .col = -1,
                          .value = value_null(),
                          .saw = value_null(),
                          .fresh = op->kind == OP_INSERT,
                          .forged = f->forged};
    memcpy(l.id, op_row_id(op), 16);
    if (l.fresh && op->table->kind == TABLE_CASE) memcpy(l.case_id, op->new_[1].s.p, 16);
    if (l.fresh) ledger_note(f->e.s, f->e.d, &l);
    for (size_t c = l.fresh ? 3 : 1; c < op->table->n_columns; c++) {
        if (op->new_[c].kind == VALUE_NONE || (l.fresh && op->new_[c].kind == VALUE_NULL)) continue;
        l.col = (int)c;
        l.value = op->new_[c];
        l.saw = l.fresh ? value_null() : op->old[c];
        ledger_note(f->e.s, f->e.d, &l);
    }
}

static void note_part(struct forgery *f, const struct part *p)
{
    struct changeset_reader r;
    struct op op;
    bool end = false;
    changeset_reader_init(&r, p->content, rules_schema_newest());
    while (changeset_next(&r, &op, &end, NULL) == ERR_OK && !end) note_op(f, &op);
}

/* ---- into the outbox ---- */
static bool store(struct forgery *f, uint64_t seq, struct bytes cose, struct bytes item)
{
    struct edit *e = &f->e;
    struct node *n = e->d->n;
    struct stmt *st = NULL;
    uint8_t head[HASH_BYTES];
    if (!edit_ok(e, db_prepare(n->db,
                               "INSERT INTO n_outbox(seq, hash, cose, bytes, written_ms, what, state) "
                               "VALUES($1, $2, $3, $4, $5, 'changed nothing', 'unsent')",
                               &st, &e->why)))
        return false;
    envelope_hash(cose, head);
    db_bind_int(st, 1, (int64_t)seq);
    db_bind_blob(st, 2, bytes_of(head, sizeof head));
    db_bind_blob(st, 3, cose);
    db_bind_int(st, 4, (int64_t)item.n);
    db_bind_int(st, 5, env_now(n->env));
    return edit_ok(e, db_run(st, &e->why)) && edit_ok(e, content_put(n, seq, item, &e->why)) &&
           edit_ok(e, state_put(n->db, "chain_head", bytes_of(head, sizeof head), &e->why)) &&
           edit_ok(e, state_set_number(n->db, "last_seq", seq, &e->why));
}

static void sign_and_store(struct forgery *f, uint64_t seq)
{
    struct edit *e = &f->e;
    struct node *n = e->d->n;
    struct buf cose, item;
    buf_init(&cose, 1u << 20);
    buf_init(&item, 4u << 20);
    for (size_t i = 0, from = 0; i < f->n_parts; from = f->end[i++])
        f->part[i].content = bytes_of(f->content.data + from, f->end[i] - from);
    bool begun = edit_ok(e, f->content.err) && edit_ok(e, db_begin(n->db, &e->why));
    if (begun && edit_ok(e, envelope_sign(&n->self, &f->h, f->part, f->n_parts, &cose, &e->why))) {
        message_put_envelope(&item, buf_bytes(&cose), f->part, f->n_parts);
        (void)(edit_ok(e, item.err) && store(f, seq, buf_bytes(&cose), buf_bytes(&item)) && forge_lay(f, seq));
    }
    if (begun && e->err == ERR_OK)
        (void)edit_ok(e, db_commit(n->db, &e->why));
    else if (begun)
        db_rollback(n->db);
    buf_release(&cose);
    buf_release(&item);
}

void forge_finish(struct forgery *f, bool send)
{
    struct edit *e = &f->e;
    struct sim *s = e->s;
    uint64_t seq = 0;
    if (send && e->err == ERR_OK && edit_ok(e, state_number(e->d->n->db, "last_seq", &seq, &e->why)))
        sign_and_store(f, ++seq);
    if (send) e->d->hostile = true; /* it may be durable although the power failed */
    if (send && f->unlucky) e->d->suspect = true;
    if (send && e->err == ERR_OK) {
        s->counts[COUNT_HOSTILE]++;
        sim_note(s, "  device %d: forged envelope %llu", e->d->no, (unsigned long long)seq);
        for (size_t i = 0; i < f->n_parts && !f->untold; i++) note_part(f, &f->part[i]);
        if (!f->untold) ledger_commit(s, e->d, seq);
    }
    bool died = device_leave(s, e->d);
    buf_release(&f->content);
    buf_release(&e->row);
    edit_failed(e, died);
}
