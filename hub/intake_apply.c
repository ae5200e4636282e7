/* Carry out what was judged: new rows in, columns merged one by one. */
#include "hub/draft.h"
#include "hub/rival.h"

#include <string.h>

struct applying {
    struct hub *h;
    const struct draft *d;
    const struct draft_part *p;
    const struct op *op;
    struct hub_row r;
    struct row stored;
    size_t *conflicts;
};
/* The policy of a column: what this hub set, or else the rules' own. */
struct policy {
    enum merge_policy policy;
    const char *arg;
    char text[256];
};

static enum err policy_of(struct hub *h, const struct table_rule *t, size_t column, struct policy *out, struct why *why)
{
    const struct column_rule *c = &t->columns[column];
    struct stmt *s;
    bool row = false;
    out->policy = c->policy;
    out->arg = c->arg;
    enum err e = db_prepare(h->db, "SELECT policy, arg FROM column_policy WHERE tbl = $1 AND col = $2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, t->name);
    db_bind_str(s, 2, c->name);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row && rules_policy_from_word(db_bytes(s, 0), &out->policy)) {
        struct bytes arg = db_bytes(s, 1);
        if (arg.n > 0 && arg.n < sizeof out->text) {
            memcpy(out->text, arg.p, arg.n);
            out->text[arg.n] = '\0';
            out->arg = out->text;
        }
    }
    db_done(s);
    return e;
}

/* Is this author whom an `authority` policy names? `social_care`: of an agency of that kind. `lead`: of the lead
 * agency, or a manager for the area. */
static enum err has_authority(struct hub *h, const struct applying *a, const char *who, const char *agency,
                              const uint8_t user[16], bool *out, struct why *why)
{
    struct stmt *s;
    bool lead = strcmp(who, "lead") == 0;
    enum err e =
        db_prepare(h->db,
                   lead ? "SELECT 1 FROM case_file c WHERE c.id = $2 AND (c.lead_agency = $1 OR EXISTS "
                          "(SELECT 1 FROM duty d JOIN practitioner p ON p.id = d.practitioner WHERE p.id = $3 AND "
                          "coalesce(p.active, 1) = 1 AND d.duty = 'manager' AND d.area IN ('*', c.area)))"
                        : "SELECT 1 FROM agency WHERE code = $1 AND kind = $2",
                   &s, why);
    if (e != ERR_OK) return e;
    if (lead) {
        db_bind_id(s, 2, a->p->case_id);
        db_bind_id(s, 3, user);
    } else {
        db_bind_str(s, 2, who);
    }
    db_bind_str(s, 1, agency);
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

/* Agency of the chain that a column's value came from; empty for the hub. */
static enum err agency_of(struct hub *h, int64_t node_no, char out[64], struct why *why)
{
    struct stmt *s;
    bool row = false;
    out[0] = '\0';
    if (node_no == 0) return ERR_OK;
    /* Not nodes_by_no: it judges the device's keys too, which costs more than all else that a column does. */
    enum err e = db_prepare(h->db,
                            "SELECT t.agency FROM h_node n JOIN h_site s ON s.no = n.site_no"
                            " JOIN site t ON t.code = s.code WHERE n.no = $1",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, node_no);
    e = db_step(s, &row, why);
    struct bytes agency = e == ERR_OK && row ? db_bytes(s, 0) : bytes_of("", 0);
    if (agency.n >= 64)
        e = why_set(why, ERR_TAMPERED, "What this hub stored about a device is damaged.");
    else if (agency.n > 0)
        memcpy(out, agency.p, agency.n);
    if (agency.n < 64) out[agency.n] = '\0';
    db_done(s);
    return e;
}

/* conflict and held rows are the hub's own bookkeeping: first come, and no conflicts about them. */
static bool keeps_clashes(const struct table_rule *t)
{
    return t->insert != INSERT_HUB;
}

/* Does earlier work of the same device wait for a decision? Then what it says now counts as its last word also where it
 * changes nothing: or accepting the earlier would bring back what its author took back. */
static enum err awaits_decision(struct hub *h, int64_t node_no, bool *out, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, "SELECT 1 FROM h_held WHERE node_no = $1 AND state = 'waiting' LIMIT 1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, node_no);
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

/* So too what had been said to a hub that is lost, whether it is re-applied or comes as new: what it answers may come
 * after it, from a late device or as new work, and must not undo it. */
static enum err last_word(const struct applying *a, bool *out, struct why *why)
{
    *out = a->h->replaying || a->d->env.h.epoch < a->h->epoch;
    return *out ? ERR_OK : awaits_decision(a->h, a->d->node->no, out, why);
}

/* A value that meets what others said of its column: what is known of it all. */
struct meeting {
    struct merge_input in;
    struct policy policy;
    struct column_version cv; /* of what stands */
    struct rival_place at;
    struct rivals rivals;
};

/* Did the author's device write this column after this change? By the chain, which no clock can bend: what the hub has
 * is of a later envelope, or a later one met another's value. Only what was taken in made a step of the order: an
 * envelope that waits is noted at the step of the one before it. */
static enum err wrote_later(const struct applying *a, const struct meeting *m, bool *out, struct why *why)
{
    struct stmt *s;
    enum err e = rival_later(a->h, &m->at, a->d, out, why);
    if (e != ERR_OK || *out) return e;
    if (m->cv.node_no != a->d->node->no) return conflict_later(a->h, a->d, a->op, m->at.column, out, why);
    e = db_prepare(a->h->db,
                   "SELECT 1 FROM h_envelope WHERE node_no = $1 AND seq > $2 AND version = $3 "
                   "AND verdict IN ($4, $5) LIMIT 1",
                   &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, m->cv.node_no);
    db_bind_int(s, 2, (int64_t)a->d->env.h.seq);
    db_bind_int(s, 3, m->cv.version);
    db_bind_int(s, 4, VERDICT_APPLIED);
    db_bind_int(s, 5, VERDICT_MERGED);
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

static enum err word_authority(const struct applying *a, const struct meeting *m, const uint8_t user[16],
                               struct merge_word *word, struct why *why)
{
    char agency[64];
    if (m->policy.policy != MERGE_AUTHORITY || m->policy.arg == NULL) return ERR_OK;
    enum err e = agency_of(a->h, word->chain, agency, why);
    return e == ERR_OK ? has_authority(a->h, a, m->policy.arg, agency, user, &word->authority, why) : e;
}

static enum err gather_authority(const struct applying *a, struct meeting *m, struct why *why)
{
    enum err e = word_authority(a, m, m->cv.user, &m->in.ours, why);
    if (e == ERR_OK) e = word_authority(a, m, a->d->env.h.user, &m->in.theirs.word, why);
    for (size_t i = 0; e == ERR_OK && i < m->rivals.n; i++)
        e = word_authority(a, m, m->rivals.authors[i].user, &m->rivals.words[i], why);
    return e;
}

static enum err gather(const struct applying *a, size_t column, struct meeting *m, struct why *why)
{
    const struct draft *d = a->d;
    struct merge_input *in = &m->in;
    *m = (struct meeting){.at = {.row_no = a->r.no, .column = column}};
    enum err e = sight_column(a->h, &a->r, column, &m->cv, why);
    if (e == ERR_OK) e = policy_of(a->h, a->op->table, column, &m->policy, why);
    if (e != ERR_OK) return e;
    *in = (struct merge_input){
        .ours = {a->stored.v[column], m->cv.node_no, m->cv.version, m->cv.hlc, false},
        .theirs = {.word = {a->op->new_[column], d->node->no, a->h->version, d->actor.hlc, false},
                   .base = a->op->kind == OP_UPDATE ? a->op->old[column] : value_none(),
                   .seen = cut_seen(&d->cut, a->r.no),
                   .kin = draft_own(d, m->cv.node_no)},
        .clashes = keeps_clashes(a->op->table),
        .policy = m->policy.policy,
        .arg = m->policy.arg,
    };
    if (d->late) e = wrote_later(a, m, &in->theirs.overtaken, why);
    if (e == ERR_OK && value_equal(in->ours.value, in->theirs.word.value))
        e = last_word(a, &in->theirs.awaits, why);
    if (e == ERR_OK && in->clashes) e = rival_list(a->h, &m->at, m->cv.node_no, &m->rivals, why);
    if (e == ERR_OK) e = gather_authority(a, m, why);
    in->rivals = m->rivals.words;
    in->n_rivals = m->rivals.n;
    return e;
}

static const struct merge_word *word_of(const struct meeting *m, int who)
{
    if (who == MERGE_OURS) return &m->in.ours;
    return who == MERGE_THEIRS ? &m->in.theirs.word : &m->rivals.words[who];
}
static struct rival_author author_of(const struct applying *a, const struct meeting *m, int who)
{
    struct rival_author by = {0};
    if (who >= 0) return m->rivals.authors[who];
    if (who == MERGE_THEIRS) by.seq = a->d->env.h.seq;
    memcpy(by.user, who == MERGE_THEIRS ? a->d->env.h.user : m->cv.user, sizeof by.user);
    return by;
}

static enum err note_clash(const struct applying *a, const struct meeting *m, int kept, int lost, bool open,
                           struct why *why)
{
    char agency[64];
    struct rival_author met = author_of(a, m, lost >= 0 ? lost : MERGE_THEIRS);
    struct clash c = {
        .table = a->op->table,
        .row_id = op_row_id(a->op),
        .case_id = a->p->case_id,
        .column = m->at.column,
        .policy = m->policy.policy,
        .open = open,
        .kept = word_of(m, kept)->value,
        .lost = word_of(m, lost)->value,
        .kept_hlc = word_of(m, kept)->hlc,
        .lost_hlc = word_of(m, lost)->hlc,
        .lost_agency = agency,
        .node_no = lost >= 0 ? word_of(m, lost)->chain : a->d->node->no,
        .seq = met.seq,
        .risen = lost >= 0,
    };
    enum err e = agency_of(a->h, word_of(m, lost)->chain, agency, why);
    if (e != ERR_OK) return e;
    if (agency[0] == '\0') c.lost_agency = a->d->node->agency; /* the hub has none */
    memcpy(c.kept_by, author_of(a, m, kept).user, 16);
    memcpy(c.lost_by, author_of(a, m, lost).user, 16);
    ++*a->conflicts;
    return conflict_put(a->h, a->d, &c, why);
}

static enum err settle_rival(const struct applying *a, const struct meeting *m, const struct merge_result *r, size_t i,
                             struct why *why)
{
    switch (merge_rival(&m->in, r, i)) {
    case MERGE_ANSWERED: return rival_remove(a->h, &m->at, m->rivals.words[i].chain, why);
    case MERGE_DISPUTED: return note_clash(a, m, r->stands, (int)i, true, why);
    case MERGE_STAYS:
    case MERGE_RISES: break; /* it keeps its place in the table: which envelope it was is known nowhere else */
    }
    return ERR_OK;
}

static enum err keep_rivals(const struct applying *a, const struct meeting *m, const struct merge_result *r,
                            struct why *why)
{
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < m->rivals.n; i++) e = settle_rival(a, m, r, i, why);
    if (e == ERR_OK && r->heard && m->rivals.standing) e = rival_remove(a->h, &m->at, m->cv.node_no, why);
    if (e != ERR_OK || r->kept == MERGE_NOBODY) return e;
    struct rival_author by = author_of(a, m, r->kept);
    return rival_put(a->h, &m->at, word_of(m, r->kept), &by, why);
}

static enum err carry_out(const struct applying *a, const struct meeting *m, const struct merge_result *r,
                          struct why *why)
{
    enum err e = ERR_OK;
    if (r->write) {
        const struct merge_word *word = word_of(m, r->stands);
        struct actor by = {.node_no = word->chain, .hlc = word->hlc};
        memcpy(by.user, author_of(a, m, r->stands).user, sizeof by.user);
        e = sight_set(a->h, a->op->table, op_row_id(a->op), m->at.column, word->value, &by, why);
    }
    if (e == ERR_OK && r->clash != MERGE_NONE) e = note_clash(a, m, r->stands, r->loser, r->clash == MERGE_OPEN, why);
    return e == ERR_OK ? keep_rivals(a, m, r, why) : e;
}

static enum err merge_one(const struct applying *a, size_t column, struct why *why)
{
    struct meeting m;
    enum err e = gather(a, column, &m, why);
    if (e == ERR_OK) {
        struct merge_result r = merge_column(&m.in);
        e = carry_out(a, &m, &r, why);
    }
    rivals_release(&m.rivals);
    return e;
}

/* Settled, though the value may stay what it was: then this is all that tells. */
static bool settles(const struct op *op)
{
    return op->kind == OP_UPDATE && strcmp(op->table->name, "conflict") == 0 &&
           op->new_[rules_column_index(op->table, bytes_of_str("state"))].kind == VALUE_TEXT;
}

/* Columns that say whose row it is do not merge: the first writer's stand. */
static enum err merge_row(struct applying *a, struct why *why)
{
    struct buf store;
    bool found = false;
    buf_init(&store, 64u << 20);
    enum err e = db_row_get(a->h->db, a->op->table, op_row_id(a->op), &store, &a->stored, &found, why);
    if (e == ERR_OK && !found) e = why_set(why, ERR_TAMPERED, "A row that the hub counts is not in its store.");
    /* Of a new row that met one: what its version does not tell is not its author's word. */
    size_t n = rules_columns_at(a->op->table, a->p->schema);
    for (size_t c = a->op->kind == OP_INSERT ? 3 : 1; e == ERR_OK && c < n; c++) {
        if (a->op->new_[c].kind != VALUE_NONE) e = merge_one(a, c, why);
    }
    buf_release(&store);
    return e == ERR_OK && settles(a->op) ? rival_settled(a->h, a->d, op_row_id(a->op), why) : e;
}

static enum err apply_op(struct applying *a, struct why *why)
{
    struct hub *h = a->h;
    bool found = false;
    enum err e = sight_row(h, a->op->table_index, op_row_id(a->op), &a->r, &found, why);
    if (e != ERR_OK) return e;
    if (found) {
        e = merge_row(a, why);
    } else {
        struct row r = {.table = a->op->table};
        memcpy(r.v, a->op->new_, sizeof r.v);
        e = sight_insert(h, &r, &a->d->actor, why);
    }
    /* Accepted, so the device holds it, also where its site may not see it (rule 4). */
    return e == ERR_OK ? sight_named(h, a->d->node->no, a->op->table, op_row_id(a->op), why) : e;
}

enum err intake_apply(struct hub *h, struct draft *d, size_t *out_conflicts, struct why *why)
{
    size_t conflicts = 0;
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < d->n_parts; i++) {
        struct changeset_reader r;
        struct op op;
        bool end = false;
        changeset_reader_init(&r, d->decoded[i].content, d->decoded[i].schema);
        while (e == ERR_OK) {
            e = changeset_next(&r, &op, &end, why);
            if (e != ERR_OK || end) break;
            struct applying a = {.h = h, .d = d, .p = &d->decoded[i], .op = &op, .conflicts = &conflicts};
            e = apply_op(&a, why);
        }
    }
    if (e == ERR_OK) *out_conflicts = conflicts;
    return e;
}
