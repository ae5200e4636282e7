/* An own edit: what the session recorded, judged by what no hub could take, parted by case, signed, all in the one
 * transaction that holds the rows themselves. */
#include "node/internal.h"

#include "sync/db_sum.h"

#include <stdlib.h>
#include <string.h>

#define EDIT_MAX_BYTES (32u << 20) /* of one envelope's content: it must fit a request with room to spare */

/* One operation: where it stands in the changeset, and where it belongs. */
struct edit_op {
    uint8_t case_id[16];
    int table_index;
    uint32_t place;             /* in the changeset: keeps the sort stable */
    struct changeset_reader at; /* a reader that gives this operation next */
};

struct edit {
    struct node *n;
    uint64_t seq;
    struct buf changes;  /* as the session wrote it */
    struct buf row;      /* scratch */
    bool again;     /* written before: the hub judges it, as it would have judged the first */
    struct edit_op *ops; /* owned */
    size_t n_ops, cap;
    struct buf content; /* all parts, one after the other */
    struct part *parts; /* owned */
    size_t n_parts;
};

static enum err no_memory(struct why *why)
{
    return why_set(why, ERR_NOMEM, "There is not enough memory for this change. Nothing was saved.");
}

static enum err deny(struct why *why, const char *what)
{
    return why_set(why, ERR_DENIED, "%s Nothing was saved.", what);
}

/* What the decoder of every hub would refuse is refused here, while the person can still mend it. */
static enum err check_shape(struct bytes changes, uint64_t schema, struct why *why)
{
    const struct changeset_limits lim = {.schema = schema, .allow_delete = true, .max_ops = CHANGESET_MAX_OPS};
    struct why detail = {0};
    enum err e = changeset_check(changes, &lim, &detail);
    if (e == ERR_LIMIT) {
        (void)why_set(why, e, "This is too much for one change. Nothing was saved.");
        return why_next(why, e, "Save it in smaller steps.");
    }
    if (e == ERR_FORMAT)
        return why_set(why, ERR_DENIED, "This change cannot be saved. %.200s Nothing was saved.", detail.text);
    return e == ERR_OK ? ERR_OK : why_set(why, e, "%s", detail.text);
}

static enum err case_is_here(struct node *n, const uint8_t case_id[16], struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(n->db, "SELECT 1 FROM case_file WHERE id = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, case_id);
    e = db_step(s, &row, why);
    db_done(s);
    return e != ERR_OK || row ? e : deny(why, "A new entry belongs to a case that is not on this device.");
}

/* The case of an operation, and what can be said against it without any policy. `now` is the row as it stands. */
static enum err judge_op(struct node *n, const struct op *op, const struct row *now, const uint8_t **out_case,
                         struct why *why)
{
    if (op->table->kind != TABLE_CASE)
        return deny(why, "Agencies, sites and other lists are kept by the MASH and cannot be changed here.");
    if (op->kind == OP_DELETE)
        return deny(why, "Nothing is ever deleted. Mark the entry as a mistake instead (voided).");
    if (op->kind == OP_INSERT) {
        *out_case = op->new_[1].s.p;
        if (strcmp(op->table->name, "case_file") == 0 && memcmp(op->new_[0].s.p, op->new_[1].s.p, 16) != 0)
            return deny(why, "A case must carry its own number.");
        return case_is_here(n, *out_case, why);
    }
    for (size_t i = 0; i < op->table->n_columns; i++) {
        if (i != 0 && op->new_[i].kind != VALUE_NONE && op->table->columns[i].write == WRITE_NEVER)
            return deny(why, "Which case an entry belongs to, who wrote it and what it points at never change.");
    }
    *out_case = now->v[1].s.p;
    return ERR_OK;
}

/* A row that is not here, as its maker's verdict has not come or was none, gets a part of its own: only the hub knows
 * its case. */
static const uint8_t *case_of_again(const struct op *op, const struct row *now)
{
    if (op->kind == OP_INSERT) return op->new_[1].s.p;
    return now != NULL ? now->v[1].s.p : op_row_id(op);
}

static enum err keep_op(struct edit *ed, const struct op *op, const uint8_t *case_id, const struct changeset_reader *at,
                        struct why *why)
{
    if (ed->n_ops == ed->cap) {
        size_t cap = ed->cap == 0 ? 64 : ed->cap * 2;
        struct edit_op *grown = reallocarray(ed->ops, cap, sizeof *grown);
        if (grown == NULL) return no_memory(why);
        ed->ops = grown;
        ed->cap = cap;
    }
    struct edit_op *o = &ed->ops[ed->n_ops];
    *o = (struct edit_op){.table_index = op->table_index, .place = (uint32_t)ed->n_ops, .at = *at};
    memcpy(o->case_id, case_id, 16);
    ed->n_ops++;
    return ERR_OK;
}

/* While the session recorded, nobody counted the rows: now they are counted. Those of an edit that is signed again
 * were. */
static void count_op(struct edit *ed, const struct op *op, const struct row *now)
{
    struct row before = *now, after = {.table = op->table};
    if (op->kind == OP_INSERT) {
        memcpy(after.v, op->new_, sizeof after.v);
        db_sum_row(ed->n->db, NULL, &after);
        return;
    }
    for (size_t i = 0; i < op->table->n_columns; i++) {
        if (op->old[i].kind != VALUE_NONE) before.v[i] = op->old[i];
    }
    db_sum_row(ed->n->db, &before, now);
}

static enum err take_op(struct edit *ed, const struct op *op, const struct changeset_reader *at, struct why *why)
{
    struct row now = {.table = op->table};
    const uint8_t *case_id = NULL;
    bool found = true;
    enum err e = ERR_OK;
    buf_reset(&ed->row);
    if (op->kind == OP_UPDATE) e = db_row_get(ed->n->db, op->table, op_row_id(op), &ed->row, &now, &found, why);
    if (e == ERR_OK && !found && !ed->again) e = why_set(why, ERR_FAILED, "A row that was changed is gone again. Nothing was saved.");
    if (e == ERR_OK && ed->again) case_id = case_of_again(op, found ? &now : NULL);
    if (e == ERR_OK && !ed->again) e = judge_op(ed->n, op, &now, &case_id, why);
    if (e == ERR_OK && !ed->again) count_op(ed, op, &now);
    if (e == ERR_OK) e = overlay_edit(ed->n, op, &now, ed->seq, why);
    return e == ERR_OK ? keep_op(ed, op, case_id, at, why) : e;
}

static enum err take_ops(struct edit *ed, struct why *why)
{
    struct changeset_reader r, at;
    struct op op;
    bool end = false;
    changeset_reader_init(&r, buf_bytes(&ed->changes), db_schema(ed->n->db));
    for (;;) {
        at = r;
        enum err e = changeset_next(&r, &op, &end, why);
        if (e != ERR_OK || end) return e;
        e = take_op(ed, &op, &at, why);
        if (e != ERR_OK) return e;
    }
}

static int op_order(const void *a, const void *b)
{
    const struct edit_op *x = a, *y = b;
    int c = memcmp(x->case_id, y->case_id, 16);
    if (c != 0) return c;
    if (x->table_index != y->table_index) /* parents before children */
        return x->table_index < y->table_index ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

static bool begins_part(const struct edit *ed, size_t i)
{
    return i == 0 || memcmp(ed->ops[i - 1].case_id, ed->ops[i].case_id, 16) != 0;
}

static enum err count_parts(struct edit *ed, struct why *why)
{
    size_t n = 0;
    qsort(ed->ops, ed->n_ops, sizeof ed->ops[0], op_order);
    for (size_t i = 0; i < ed->n_ops; i++) n += begins_part(ed, i);
    if (n > ENVELOPE_MAX_PARTS) {
        (void)why_set(why, ERR_LIMIT, "This one change touches %zu cases; at most %u fit. Nothing was saved.", n,
                      ENVELOPE_MAX_PARTS);
        return why_next(why, ERR_LIMIT, "Save it in smaller steps.");
    }
    ed->parts = calloc(n, sizeof *ed->parts);
    return ed->parts == NULL ? no_memory(why) : ERR_OK;
}

/* One changeset a case. Contents are lengths until the buffer has stopped growing. */
static enum err write_parts(struct edit *ed, struct why *why)
{
    struct changeset_writer w;
    struct op op;
    bool end = false;
    size_t from = 0;
    for (size_t i = 0; i < ed->n_ops; i++) {
        if (begins_part(ed, i)) {
            from = ed->content.len;
            changeset_writer_init(&w, &ed->content, false, db_schema(ed->n->db));
            env_random(ed->n->env, ed->parts[ed->n_parts++].salt, SALT_BYTES);
        }
        enum err e = changeset_next(&ed->ops[i].at, &op, &end, why);
        if (e != ERR_OK) return e;
        op.indirect = false;
        changeset_put(&w, &op);
        ed->parts[ed->n_parts - 1].content.n = ed->content.len - from;
    }
    if (ed->content.err == ERR_LIMIT) {
        (void)why_set(why, ERR_LIMIT, "This is too much for one change (more than %u MiB). Nothing was saved.",
                      EDIT_MAX_BYTES >> 20);
        return why_next(why, ERR_LIMIT, "Save it in smaller steps.");
    }
    if (ed->content.err != ERR_OK) return no_memory(why);
    const uint8_t *p = ed->content.data;
    for (size_t i = 0; i < ed->n_parts; p += ed->parts[i++].content.n) ed->parts[i].content.p = p;
    return ERR_OK;
}

static enum err audit(struct node *n, const char *what, uint64_t seq, struct why *why)
{
    struct stmt *s = NULL;
    enum err e = db_prepare(n->db, "INSERT INTO n_audit(at, user, what, seq) VALUES($1, $2, $3, $4)", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, env_now(n->env));
    db_bind_id(s, 2, n->user);
    db_bind_str(s, 3, what);
    db_bind_int(s, 4, (int64_t)seq);
    return db_run(s, why);
}

/* Which cases this envelope is about, for the audit: as long as they are here. */
static enum err note_cases(struct edit *ed, struct why *why)
{
    enum err e = ERR_OK;
    for (size_t i = 0; i < ed->n_ops && e == ERR_OK; i++) {
        struct stmt *s = NULL;
        if (!begins_part(ed, i)) continue;
        e = db_prepare(ed->n->db,
                       "INSERT OR IGNORE INTO n_touched(seq, case_id) SELECT $1, id FROM case_file WHERE id = $2", &s,
                       why);
        if (e != ERR_OK) break;
        db_bind_int(s, 1, (int64_t)ed->seq);
        db_bind_id(s, 2, ed->ops[i].case_id);
        e = db_run(s, why);
    }
    return e;
}

/* What stands in ed->changes, as the next envelope. `origin` NULL: written here and now. */
static enum err make_envelope(struct edit *ed, const struct outbox_origin *origin, const char *what, struct why *why)
{
    enum err e = outbox_next_seq(ed->n, &ed->seq, why);
    if (e == ERR_OK) e = check_shape(buf_bytes(&ed->changes), db_schema(ed->n->db), why);
    if (e == ERR_OK) e = take_ops(ed, why);
    if (e == ERR_OK && !ed->again) e = ends_untouched(ed->n, ed->seq, why);
    if (e == ERR_OK) e = count_parts(ed, why);
    if (e == ERR_OK) e = write_parts(ed, why);
    if (e == ERR_OK && origin == NULL) e = outbox_append(ed->n, ed->parts, ed->n_parts, ed->seq, what, why);
    if (e == ERR_OK && origin != NULL) e = outbox_append_as(ed->n, origin, ed->parts, ed->n_parts, ed->seq, what, why);
    if (e == ERR_OK) e = note_cases(ed, why);
    return e == ERR_OK ? audit(ed->n, what, ed->seq, why) : e;
}

static void edit_init(struct edit *ed, struct node *n)
{
    *ed = (struct edit){.n = n};
    buf_init(&ed->changes, CHANGESET_MAX_BYTES);
    buf_init(&ed->row, (size_t)RULES_MAX_COLUMNS * (RULES_MAX_VALUE + 64) * 4);
    buf_init(&ed->content, EDIT_MAX_BYTES);
}

static void edit_release(struct edit *ed)
{
    free(ed->ops);
    free(ed->parts);
    buf_release(&ed->changes);
    buf_release(&ed->row);
    buf_release(&ed->content);
}

enum err edit_again(struct node *n, struct bytes changes, const struct outbox_origin *origin, const char *what,
                    uint64_t *out_seq, struct why *why)
{
    struct edit ed;
    edit_init(&ed, n);
    ed.again = true; /* what a person may write here may have changed since, as when the case was taken away */
    buf_put_bytes(&ed.changes, changes);
    enum err e = ed.changes.err == ERR_OK ? make_envelope(&ed, origin, what, why) : no_memory(why);
    if (e == ERR_OK) *out_seq = ed.seq;
    edit_release(&ed);
    return e;
}

enum err node_edit_begin(struct node *n, struct why *why)
{
    if (n->capture != NULL) return why_set(why, ERR_FAILED, "A change is being made already.");
    enum err e = aside_end(n, why); /* nobody's new words may be lost for want of a good page */
    if (e == ERR_OK) e = db_begin(n->db, why);
    if (e != ERR_OK) return e;
    e = capture_new(&n->capture, n->db, why);
    if (e != ERR_OK) db_rollback(n->db);
    return e;
}

enum err node_edit_commit(struct node *n, const char *what, uint64_t *out_seq, struct why *why)
{
    struct edit ed;
    if (n->capture == NULL) return why_set(why, ERR_FAILED, "No change is being made.");
    edit_init(&ed, n);
    enum err e = lease_allows(n, why);
    if (e == ERR_OK) e = capture_take(n->capture, &ed.changes, why);
    if (e == ERR_OK && ed.changes.len > 0) e = make_envelope(&ed, NULL, what, why);
    if (e == ERR_OK && ed.changes.len > 0) e = once_mark(n, why);
    capture_free(n->capture);
    n->capture = NULL;
    if (e == ERR_OK)
        e = db_commit(n->db, why);
    else
        db_rollback(n->db);
    if (e == ERR_OK) *out_seq = ed.n_ops > 0 ? ed.seq : 0;
    edit_release(&ed);
    return e;
}

void node_edit_cancel(struct node *n)
{
    if (n->capture == NULL) return;
    capture_free(n->capture);
    n->capture = NULL;
    db_rollback(n->db);
}
