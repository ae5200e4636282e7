/* Nothing a person wrote is lost: every column of every committed edit is the hub's value, or was replaced by somebody who
 * had seen it, or stands in a conflict, or its envelope is kept whole (held, waiting), or has not left its device. */
#include "tests/lib/sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fates { /* of one node's envelopes */
    char *of;  /* by seq: 'a' applied or merged, 'k' kept whole, 'u' unsent */
    size_t n;
    bool revoked;
};

static enum err note_fate(void *ctx, const struct outbox_item *i, struct why *why)
{
    struct fates *f = ctx;
    (void)why;
    size_t at = (size_t)i->seq;
    if (at >= f->n) {
        f->of = realloc(f->of, at + 1);
        assert_non_null(f->of);
        memset(f->of + f->n, 'u', at + 1 - f->n);
        f->n = at + 1;
    }
    f->of[at] = strcmp(i->state, "unsent") == 0                                       ? 'u'
                : strcmp(i->state, "applied") == 0 || strcmp(i->state, "merged") == 0 ? 'a'
                                                                                      : 'k';
    return ERR_OK;
}

/* Does the hub keep the whole of this envelope? */
static bool kept_whole(struct sim *s, struct sim_node *n, uint64_t seq)
{
    struct stmt *st = NULL;
    struct why why = {0};
    bool row = false;
    sim_must(s,
             db_prepare(hub_db(s->hub),
                        "SELECT length(e.parts), length(e.cose) FROM h_envelope e JOIN h_node n ON n.no = e.node_no"
                        " WHERE n.kid = $1 AND e.seq = $2",
                        &st, &why),
             "ask the journal", &why);
    db_bind_id(st, 1, n->kid);
    db_bind_int(st, 2, (int64_t)seq);
    sim_must(s, db_step(st, &row, &why), "ask the journal", &why);
    bool out = row && db_int(st, 0) > 0 && db_int(st, 1) > 0;
    db_done(st);
    return out;
}

static bool text_equal(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool value_is(struct value v, const char *text)
{
    struct buf b;
    if (v.kind == VALUE_NULL) return text == NULL;
    buf_init(&b, 1u << 20);
    bool out = value_to_text(v, &b) == ERR_OK && text != NULL && bytes_equal(buf_bytes(&b), bytes_of_str(text));
    buf_release(&b);
    return out;
}

/* As a conflict row keeps it: text, or NULL. */
static bool kept_is(struct value kept, const char *text)
{
    return kept.kind == VALUE_NULL ? text == NULL : text != NULL && bytes_equal(kept.s, bytes_of_str(text));
}

static bool in_conflict(const struct sim_rows *hub, const struct sim_op *op)
{
    const struct table_rule *t = rules_table((size_t)op->tbl);
    int conflict = sim_table("conflict");
    for (size_t i = hub->start[conflict]; i < hub->start[conflict + 1]; i++) {
        const struct sim_row *k = &hub->v[i];
        if (memcmp(sim_value(k, "row_id").s.p, op->id, 16) == 0 && sim_is(k, "tbl", t->name) &&
            sim_is(k, "col", t->columns[op->col].name) &&
            (kept_is(sim_value(k, "kept"), op->value) || kept_is(sim_value(k, "lost"), op->value)))
            return true;
    }
    return false;
}

/* Had the author of op j the value of op i before his eyes, then or while he wrote what came before? */
static bool had_seen(const struct sim *s, size_t j, size_t i)
{
    const struct sim_op *op = &s->ops[i], *later = &s->ops[j];
    if (later->node == op->node) return true;
    for (size_t k = i + 1; k <= j; k++) {
        const struct sim_op *o = &s->ops[k];
        if (o->node == later->node && o->tbl == op->tbl && o->col == op->col && memcmp(o->id, op->id, 16) == 0 &&
            !o->fresh && text_equal(o->saw, op->value))
            return true;
    }
    return false;
}

/* Somebody who had it before his eyes wrote something else; what he wrote must itself be accounted for. */
static bool replaced(const struct sim *s, const struct fates *fates, const bool *safe, size_t i)
{
    const struct sim_op *op = &s->ops[i];
    for (size_t j = i + 1; j < s->n_ops; j++) {
        const struct sim_op *later = &s->ops[j];
        if (later->tbl != op->tbl || later->col != op->col || memcmp(later->id, op->id, 16) != 0 || later->seq == 0)
            continue;
        if (safe[j] && fates[later->node].of[later->seq] == 'a' && had_seen(s, j, i)) return true;
    }
    return false;
}

static bool is_safe(struct sim *s, const struct sim_rows *hub, const struct fates *fates, const bool *safe, size_t i)
{
    const struct sim_op *op = &s->ops[i];
    const struct fates *f = &fates[op->node];
    if (op->seq == 0) return true;
    if (op->seq >= f->n) return false;
    if (f->of[op->seq] == 'u') return f->revoked;
    if (f->of[op->seq] == 'k') return kept_whole(s, &s->nodes[op->node], op->seq);
    const struct sim_row *r = sim_rows_find(hub, op->tbl, op->id);
    if (r == NULL) return false;
    if (op->col < 0 || value_is(r->r.v[op->col], op->value)) return true;
    return in_conflict(hub, op) || replaced(s, fates, safe, i);
}

static void fail_lost(struct sim *s, const struct fates *fates, size_t i)
{
    const struct sim_op *lost = &s->ops[i];
    const struct table_rule *t = rules_table((size_t)lost->tbl);
    char hex[33];
    for (size_t j = 0; j < s->n_ops; j++) {
        const struct sim_op *op = &s->ops[j];
        if (op->tbl == lost->tbl && op->col == lost->col && memcmp(op->id, lost->id, 16) == 0)
            sim_note(s, "history: node %d, envelope %llu (%c): %.60s, saw %.60s", op->node, (unsigned long long)op->seq,
                     op->seq < fates[op->node].n ? fates[op->node].of[op->seq] : '-', op->value ? op->value : "NULL",
                     op->fresh ? "nothing"
                     : op->saw ? op->saw
                               : "NULL");
    }
    sim_fail(s, "LOST: node %d, envelope %llu: %s %s %s", lost->node, (unsigned long long)lost->seq, t->name,
             sim_hex(lost->id, hex), lost->col < 0 ? "(row)" : t->columns[lost->col].name);
}

void sim_check_no_loss(struct sim *s)
{
    struct why why = {0};
    struct sim_rows hub;
    struct fates fates[SIM_NODES] = {{0}};
    bool *safe = calloc(s->n_ops + 1, sizeof *safe);
    assert_non_null(safe);
    for (size_t i = 0; i < SIM_NODES; i++) {
        fates[i].revoked = s->nodes[i].revoked;
        if (s->nodes[i].n != NULL)
            sim_must(s, node_outbox(s->nodes[i].n, note_fate, &fates[i], &why), "list an outbox", &why);
    }
    sim_rows_read(&hub, hub_db(s->hub));
    for (size_t i = s->n_ops; i-- > 0;) {
        safe[i] = is_safe(s, &hub, fates, safe, i);
        if (!safe[i]) fail_lost(s, fates, i);
        const struct sim_op *op = &s->ops[i];
        if (op->seq > 0 && fates[op->node].of[op->seq] == 'a') sim_check_power(s, &hub, op);
    }
    sim_rows_free(&hub);
    for (size_t i = 0; i < SIM_NODES; i++) free(fates[i].of);
    free(safe);
}
