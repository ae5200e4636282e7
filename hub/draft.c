#include "hub/draft.h"
#include "hub/retention_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int weight(enum verdict v, bool hard)
{
    switch (v) {
    case VERDICT_FAULT:
    case VERDICT_DISMISSED: return 4;
    case VERDICT_HELD: return hard ? 3 : 2;
    case VERDICT_WAITS: return 1;
    case VERDICT_APPLIED:
    case VERDICT_MERGED: break;
    }
    return 0;
}

void judgement_note(struct judgement *j, enum verdict verdict, bool hard, const char *reason)
{
    if (weight(verdict, hard) <= weight(j->verdict, j->hard)) return;
    j->verdict = verdict;
    j->hard = hard;
    (void)snprintf(j->reason, sizeof j->reason, "%s", reason);
}

void draft_init(struct draft *d, struct hub_node *node, const struct envelope *env, struct bytes cose,
                struct part *parts, size_t n_parts)
{
    *d = (struct draft){.node = node, .env = *env, .cose = cose, .parts = parts, .n_parts = n_parts};
    d->actor.node_no = node->no;
    memcpy(d->actor.user, env->h.user, sizeof d->actor.user);
    envelope_hash(cose, d->hash);
}

void draft_release(struct draft *d)
{
    free(d->parts);
    free(d->decoded);
    free(d->made);
    free(d->line.no);
    free(d->kin.no);
    *d = (struct draft){0};
}

static int row_order(const void *a, const void *b)
{
    const struct draft_row *x = a, *y = b;
    int c = memcmp(x->id, y->id, sizeof x->id);
    return c != 0 ? c : (x->table_index > y->table_index) - (x->table_index < y->table_index);
}

bool draft_makes(const struct draft *d, int table_index, const uint8_t id[16], size_t part)
{
    struct draft_row key = {.table_index = table_index};
    memcpy(key.id, id, sizeof key.id);
    const struct draft_row *r = d->n_made == 0 ? NULL : bsearch(&key, d->made, d->n_made, sizeof key, row_order);
    return r != NULL && r->part == part;
}

/* Each of two INSERTs of one row would be judged as if the row were not there, by the rules of its own part; carried
 * out, the second would change what the first made: as much as in a case of one's own, in a case where little is
 * allowed. */
static bool makes_twice(const struct draft *d)
{
    for (size_t i = 1; i < d->n_made; i++) {
        if (row_order(&d->made[i - 1], &d->made[i]) == 0) return true;
    }
    return false;
}

static enum err note_made(struct draft *d, const struct op *op, size_t part, struct why *why)
{
    if (d->n_made == d->cap_made) {
        size_t cap = d->cap_made == 0 ? 16 : d->cap_made * 2;
        struct draft_row *grown = reallocarray(d->made, cap, sizeof *grown);
        if (grown == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to take in a change.");
        d->made = grown;
        d->cap_made = cap;
    }
    struct draft_row *r = &d->made[d->n_made++];
    memcpy(r->id, op_row_id(op), sizeof r->id);
    r->table_index = op->table_index;
    r->part = part;
    return ERR_OK;
}

/* The clock of a change lies between its base cut and its arrival: a wrong clock moves it no further. */
static void clamp_clock(struct draft *d)
{
    const bool base = memcmp(d->cut.name, d->env.h.base_cut, sizeof d->cut.name) == 0; /* else that one was lost */
    const uint64_t served = base ? (uint64_t)d->cut.served_at << 16 : 0;
    const uint64_t latest = (uint64_t)d->received_at << 16 | 0xffff;
    d->actor.hlc = d->env.h.hlc;
    if (d->actor.hlc < served) d->actor.hlc = served;
    if (d->actor.hlc > latest) d->actor.hlc = latest;
}

/* The case that a row belongs to, as far as its author may know: an id that names a hidden row tells nothing. */
static enum err case_of_row(struct hub *h, const struct draft *d, const struct op *op, uint8_t out[16], bool *out_found,
                            struct why *why)
{
    struct hub_row r;
    struct view v = {0};
    bool found = false, row = false;
    struct stmt *s;
    enum err e = sight_row(h, op->table_index, op_row_id(op), &r, &found, why);
    if (e == ERR_OK && found) e = standing_view(h, d, &r, &v, why);
    if (e != ERR_OK || !found || !view_any(v)) return e;
    e = db_prepare(h->db, "SELECT id FROM h_case WHERE no = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, r.case_no);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) *out_found = db_id(s, 0, out);
    db_done(s);
    return e;
}

/* All rows of a part belong to one case: rows that come in say it, and rows that are there have it. */
static enum err note_case(struct hub *h, struct draft *d, struct draft_part *p, const struct op *op,
                          struct judgement *j, struct why *why)
{
    uint8_t id[16];
    bool found = false;
    enum err e = ERR_OK;
    if (op->table->kind != TABLE_CASE) return ERR_OK;
    if (op->kind == OP_INSERT) {
        static const uint8_t zeros[16];
        memcpy(id, op->new_[1].s.p, sizeof id);
        found = true;
        if (memcmp(id, zeros, sizeof id) == 0) /* the case that stands for the reference data */
            judgement_note(j, VERDICT_FAULT, true, "This change names no case.");
    } else {
        e = case_of_row(h, d, op, id, &found, why);
    }
    if (e != ERR_OK || !found) return e;
    if (p->has_case && memcmp(p->case_id, id, sizeof id) != 0)
        judgement_note(j, VERDICT_FAULT, true, "This change mixes several cases in one part.");
    if (!p->has_case) memcpy(p->case_id, id, sizeof id);
    p->has_case = true;
    return ERR_OK;
}

static enum err decode_part(struct hub *h, struct draft *d, size_t i, struct judgement *j, struct why *why)
{
    struct draft_part *p = &d->decoded[i];
    struct changeset_reader r;
    struct op op;
    bool end = false;
    changeset_reader_init(&r, p->content, p->schema);
    for (;;) {
        enum err e = changeset_next(&r, &op, &end, why);
        if (e != ERR_OK || end) return e;
        e = note_case(h, d, p, &op, j, why);
        if (e == ERR_OK && op.kind == OP_INSERT) e = note_made(d, &op, i, why);
        if (e != ERR_OK) return e;
        if (op.kind == OP_INSERT && strcmp(op.table->name, "case_file") == 0) p->makes_case = true;
    }
}

static enum err count_ops(struct bytes content, uint64_t schema, size_t *n, struct why *why)
{
    struct changeset_reader r;
    struct op op;
    bool end = false;
    enum err e;
    changeset_reader_init(&r, content, schema);
    while ((e = changeset_next(&r, &op, &end, why)) == ERR_OK && !end) ++*n;
    return e;
}

/* Commitments and bytes. Content that does not fit is nobody's work: it is kept, and never applied. */
static enum err check_content(struct draft *d, struct judgement *j, struct why *why)
{
    const struct changeset_limits lim = {.schema = d->env.h.schema, .max_ops = CHANGESET_MAX_OPS};
    size_t n = 0;
    if (d->n_parts != d->env.n_parts) {
        judgement_note(j, VERDICT_FAULT, true, "Some of this change's content is missing.");
        return ERR_OK;
    }
    for (size_t i = 0; i < d->n_parts; i++) {
        struct why detail = {0};
        if (part_erased(&d->parts[i])) continue;
        enum err e = envelope_check_part(&d->env, i, &d->parts[i], &detail);
        if (e == ERR_OK) e = changeset_check(d->parts[i].content, &lim, &detail);
        if (e == ERR_OK) e = count_ops(d->parts[i].content, lim.schema, &n, &detail);
        if (e == ERR_NOMEM) return why_set(why, e, "%s", detail.text);
        if (e == ERR_OK && n > CHANGESET_MAX_OPS)
            judgement_note(j, VERDICT_FAULT, true, "This change holds more rows than one change may.");
        if (e != ERR_OK) judgement_note(j, VERDICT_FAULT, true, detail.text);
    }
    return ERR_OK;
}

enum err draft_decode(struct hub *h, struct draft *d, struct judgement *j, struct why *why)
{
    struct why detail = {0};
    enum err e = erase_cut(h, d, why);
    if (e == ERR_OK) e = check_content(d, j, why);
    if (e != ERR_OK || j->verdict == VERDICT_FAULT) return e;
    e = rescue_load(h, d, j, why);
    if (e != ERR_OK || j->verdict == VERDICT_FAULT) return e;
    e = rescue_cut(h, d, &detail);
    if (e == ERR_REFUSED) {
        judgement_note(j, VERDICT_FAULT, true, "This change says it was made upon something this device never had.");
        return ERR_OK;
    }
    if (e != ERR_OK) return why_set(why, e, "%s", detail.text);
    d->decoded = calloc(d->n_parts, sizeof *d->decoded);
    if (d->decoded == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to take in a change.");
    clamp_clock(d);
    for (size_t i = 0; e == ERR_OK && i < d->n_parts; i++) {
        d->decoded[i].content = d->parts[i].content;
        d->decoded[i].schema = d->env.h.schema;
        e = decode_part(h, d, i, j, why);
        if (e == ERR_OK && d->decoded[i].has_case)
            e = standing_of(h, d, d->decoded[i].case_id, &d->decoded[i].who, why);
        d->decoded[i].makes_case = d->decoded[i].makes_case && !d->decoded[i].who.known;
    }
    if (d->n_made > 1) qsort(d->made, d->n_made, sizeof *d->made, row_order);
    if (e == ERR_OK && makes_twice(d)) judgement_note(j, VERDICT_FAULT, true, "This change makes a row twice.");
    return e == ERR_OK ? standing_user(h, d, why) : e;
}
