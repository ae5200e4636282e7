/* What the overlay still has of an envelope's work: new rows as they stand now, and the columns that it set, where no
 * later own edit set them again. */
#include "node/internal.h"

#include <stdio.h>
#include <string.h>

#define ROW_MAX ((size_t)RULES_MAX_COLUMNS * (RULES_MAX_VALUE + 64) * 4)

/* One row of the envelope. */
struct mark {
    int table_index;
    uint8_t id[16];
    enum op_kind kind;
};

static enum err damaged(struct why *why)
{
    return why_set(why, ERR_TAMPERED, "An entry with changes of your own is damaged in this device's store.");
}

static enum err no_memory(struct why *why)
{
    return why_set(why, ERR_NOMEM, "There is not enough memory to write a change again.");
}

/* Parents before children, and each table once. */
static enum err list_marks(struct node *n, uint64_t seq, struct buf *out, struct why *why)
{
    struct stmt *s = NULL;
    bool row = true;
    enum err e = db_prepare(n->db, "SELECT tbl, id, op FROM n_pending WHERE seq = $1 ORDER BY tbl, id", &s, why);
    if (e == ERR_OK) db_bind_int(s, 1, (int64_t)seq);
    while (e == ERR_OK) {
        e = db_step(s, &row, why);
        if (e != ERR_OK || !row) break;
        struct mark m = {.table_index = (int)db_int(s, 0), .kind = (enum op_kind)db_int(s, 2)};
        if (rules_table((size_t)m.table_index) == NULL || !db_id(s, 1, m.id)) e = damaged(why);
        buf_put(out, &m, sizeof m);
    }
    db_done(s);
    return e == ERR_OK && out->err != ERR_OK ? no_memory(why) : e;
}

/* Everything that is laid over a row: the hub's image (seq 0) and each pending edit, in order; not those of which a gap
 * is sent, for what there is of them was written again. */
struct layer {
    size_t from, n;
    uint64_t seq;
};
struct layers {
    struct buf bytes;
    struct buf list; /* struct layer after struct layer */
};

static enum err read_layers(struct node *n, const struct mark *m, struct layers *out, struct why *why)
{
    struct stmt *s = NULL;
    bool row = true;
    enum err e = db_prepare(n->db,
                            "SELECT 0 AS seq, image FROM n_image WHERE tbl = $1 AND id = $2 AND image IS NOT NULL "
                            "UNION ALL SELECT seq, vals FROM n_pending p WHERE tbl = $1 AND id = $2 AND NOT EXISTS("
                            "SELECT 1 FROM n_gap g WHERE g.seq = p.seq) ORDER BY seq",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, m->table_index);
    db_bind_id(s, 2, m->id);
    while (e == ERR_OK) {
        e = db_step(s, &row, why);
        if (e != ERR_OK || !row) break;
        struct layer one = {.from = out->bytes.len, .n = db_bytes(s, 1).n, .seq = (uint64_t)db_int(s, 0)};
        buf_put_bytes(&out->bytes, db_bytes(s, 1));
        buf_put(&out->list, &one, sizeof one);
    }
    db_done(s);
    return e == ERR_OK && (out->bytes.err != ERR_OK || out->list.err != ERR_OK) ? no_memory(why) : e;
}

/* One row before the envelope, what the envelope set, and what was set after it. Values borrow from the layers. */
struct stages {
    struct row before, own, after;
};

static void clear(struct row *r, const struct table_rule *t)
{
    *r = (struct row){.table = t};
    for (size_t i = 0; i < RULES_MAX_COLUMNS; i++) r->v[i] = value_none();
}

static enum err sort_layers(const struct layers *l, const struct table_rule *t, uint64_t seq, struct stages *out,
                            struct why *why)
{
    clear(&out->before, t);
    clear(&out->own, t);
    clear(&out->after, t);
    for (size_t at = 0; at < l->list.len; at += sizeof(struct layer)) {
        struct layer one;
        struct row edit;
        memcpy(&one, l->list.data + at, sizeof one);
        struct row *to = one.seq < seq ? &out->before : one.seq == seq ? &out->own : &out->after;
        if (row_from_cbor(&edit, t, bytes_of(l->bytes.data + one.from, one.n), why) != ERR_OK) return damaged(why);
        for (size_t i = 0; i < t->n_columns; i++)
            if (edit.v[i].kind != VALUE_NONE) to->v[i] = edit.v[i];
    }
    return ERR_OK;
}

/* What stood in a column before, where nobody knows any more: whatever made the row is held, and with it what it said.
 * A column that must have a value cannot have had none, and one that says so would be refused. */
static struct value unknown_before(const struct column_rule *c)
{
    static const uint8_t nobody[16];
    if (!c->required) return value_null();
    return c->type == COL_ID ? value_id(nobody) : value_str("");
}

/* The columns that the envelope set and that still stand as it set them; none: nothing is written. */
static enum err put_update(struct node *n, const struct mark *m, uint64_t seq, struct op *op,
                           struct changeset_writer *w, struct why *why)
{
    struct layers l;
    struct stages st;
    bool any = false;
    buf_init(&l.bytes, (size_t)256 << 20);
    buf_init(&l.list, (size_t)256 << 20);
    enum err e = read_layers(n, m, &l, why);
    if (e == ERR_OK) e = sort_layers(&l, op->table, seq, &st, why);
    op->old[0] = value_id(m->id);
    for (size_t i = 1; e == ERR_OK && i < op->table->n_columns; i++) {
        bool stands = st.own.v[i].kind != VALUE_NONE && st.after.v[i].kind == VALUE_NONE;
        if (!stands) continue;
        bool known = st.before.v[i].kind != VALUE_NONE; /* not so too where the column is a later one */
        op->old[i] = known ? st.before.v[i] : unknown_before(&op->table->columns[i]);
        op->new_[i] = st.own.v[i];
        any = true;
    }
    if (e == ERR_OK && any) changeset_put(w, op);
    buf_release(&l.bytes);
    buf_release(&l.list);
    return e;
}

static enum err put_row(struct node *n, const struct mark *m, uint64_t seq, struct changeset_writer *w, struct why *why)
{
    const struct table_rule *t = rules_table((size_t)m->table_index);
    struct row now = {.table = t};
    struct op op = {.kind = m->kind, .table = t, .table_index = m->table_index};
    struct buf store;
    bool found = false, fresh = m->kind == OP_INSERT;
    buf_init(&store, ROW_MAX);
    enum err e = db_row_get(n->db, t, m->id, &store, &now, &found, why);
    /* A change of a row stands over nothing while whatever made the row is held; a row that was made is there. */
    if (e == ERR_OK && !found && fresh) e = damaged(why);
    for (size_t i = 0; e == ERR_OK && i < t->n_columns; i++) {
        op.old[i] = value_none();
        op.new_[i] = fresh ? now.v[i] : value_none();
    }
    if (e == ERR_OK && fresh) changeset_put(w, &op);
    if (e == ERR_OK && !fresh) e = put_update(n, m, seq, &op, w, why);
    buf_release(&store);
    return e == ERR_OK && w->out->err != ERR_OK ? no_memory(why) : e;
}

/* Who wrote it, when, and upon what: the signed part stands apart from the content. Where it is gone too, it was
 * written by this device's user upon what is here now. */
static enum err read_origin(struct node *n, uint64_t seq, struct gap_work *out, struct why *why)
{
    struct stmt *s = NULL;
    struct envelope env;
    bool row = false;
    enum err e = db_prepare(n->db, "SELECT what, cose FROM n_outbox WHERE seq = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, (int64_t)seq);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) {
        struct bytes what = db_bytes(s, 0);
        (void)snprintf(out->what, sizeof out->what, "%.*s", (int)(what.n < 255 ? what.n : 255), (const char *)what.p);
        if (envelope_verify(db_bytes(s, 1), &n->self.pub, &env, NULL) == ERR_OK && env.h.seq == seq) {
            out->origin.hlc = env.h.hlc;
            memcpy(out->origin.base_cut, env.h.base_cut, CUT_BYTES);
            memcpy(out->origin.user, env.h.user, sizeof out->origin.user);
            memcpy(out->origin.rescued, env.h.rescued, HASH_BYTES);
        }
    }
    db_done(s);
    return e;
}

enum err gap_work_read(struct node *n, uint64_t seq, struct gap_work *out, struct why *why)
{
    struct changeset_writer w;
    struct buf marks;
    *out = (struct gap_work){0};
    buf_init(&out->changes, CHANGESET_MAX_BYTES);
    buf_init(&marks, (size_t)CHANGESET_MAX_OPS * sizeof(struct mark));
    changeset_writer_init(&w, &out->changes, false, db_schema(n->db));
    enum err e = outbox_now(n, &out->origin, why);
    if (e == ERR_OK) e = read_origin(n, seq, out, why);
    if (e == ERR_TAMPERED) e = ERR_OK;
    if (e == ERR_OK) e = list_marks(n, seq, &marks, why);
    out->whole = e == ERR_OK;
    out->any = marks.len > 0;
    if (e == ERR_TAMPERED) {
        buf_reset(&marks);
        e = ERR_OK;
    }
    for (size_t at = 0; e == ERR_OK && at < marks.len; at += sizeof(struct mark)) {
        struct mark m;
        memcpy(&m, marks.data + at, sizeof m);
        e = put_row(n, &m, seq, &w, why);
        if (e == ERR_TAMPERED) e = put_row(n, &m, seq, &w, why);
        if (e != ERR_TAMPERED) continue;
        out->whole = false; /* the other rows are not lost for it */
        e = ERR_OK;
    }
    buf_release(&marks);
    return e;
}

void gap_work_release(struct gap_work *w)
{
    buf_release(&w->changes);
}
