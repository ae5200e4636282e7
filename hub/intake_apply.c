/* Carry out what was judged: new rows in, columns merged one by one. */
#include "hub/draft.h"
#include "hub/merge.h"

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
                   lead ? "SELECT 1 FROM case_file c WHERE c.id = $1 AND (c.lead_agency = $2 OR EXISTS "
                          "(SELECT 1 FROM duty d JOIN practitioner p ON p.id = d.practitioner WHERE p.id = $3 AND "
                          "coalesce(p.active, 1) = 1 AND d.duty = 'manager' AND d.area IN ('*', c.area)))"
                        : "SELECT 1 FROM agency WHERE code = $2 AND kind = $4",
                   &s, why);
    if (e != ERR_OK) return e;
    if (lead) {
        db_bind_id(s, 1, a->p->case_id);
        db_bind_id(s, 3, user);
    } else {
        db_bind_str(s, 4, who);
    }
    db_bind_str(s, 2, agency);
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

static enum err note_clash(const struct applying *a, size_t column, const struct merge_input *in, enum merge_result m,
                           const struct column_version *cv, const char *our_agency, struct why *why)
{
    bool take = m == MERGE_TAKE_RULED;
    struct clash c = {
        .table = a->op->table,
        .row_id = op_row_id(a->op),
        .case_id = a->p->case_id,
        .column = column,
        .policy = in->policy,
        .open = m == MERGE_KEEP_OPEN,
        .kept = take ? in->theirs.value : in->ours.value,
        .lost = take ? in->ours.value : in->theirs.value,
        .lost_agency = take ? our_agency : a->d->node->agency,
    };
    if (c.lost_agency[0] == '\0') c.lost_agency = a->d->node->agency; /* the hub has none */
    memcpy(c.kept_by, take ? a->d->env.h.user : cv->user, 16);
    memcpy(c.lost_by, take ? cv->user : a->d->env.h.user, 16);
    ++*a->conflicts;
    return conflict_put(a->h, a->d, &c, why);
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

/* Did the author's device write this column after this change? By the chain, which no clock can bend: what the hub has
 * is of a later envelope, or a later one met another's value and stands in a conflict. Only what was taken in made a step
 * of the order: an envelope that waits is noted at the step of the one before it. */
static enum err wrote_later(const struct applying *a, size_t column, const struct column_version *cv, bool *out,
                            struct why *why)
{
    struct stmt *s;
    if (cv->node_no != a->d->node->no) return conflict_later(a->h, a->d, a->op, column, out, why);
    enum err e = db_prepare(a->h->db,
                            "SELECT 1 FROM h_envelope WHERE node_no = $1 AND seq > $2 AND version = $3 "
                            "AND verdict IN ($4, $5) LIMIT 1",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, cv->node_no);
    db_bind_int(s, 2, (int64_t)a->d->env.h.seq);
    db_bind_int(s, 3, cv->version);
    db_bind_int(s, 4, VERDICT_APPLIED);
    db_bind_int(s, 5, VERDICT_MERGED);
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

static enum err merge_one(const struct applying *a, size_t column, struct why *why)
{
    struct hub *h = a->h;
    struct policy policy;
    struct column_version cv;
    char agency[64];
    struct value theirs = a->op->new_[column];
    enum err e = sight_column(h, &a->r, column, &cv, why);
    if (e == ERR_OK) e = policy_of(h, a->op->table, column, &policy, why);
    if (e == ERR_OK) e = agency_of(h, cv.node_no, agency, why);
    if (e != ERR_OK) return e;
    bool other = cv.node_no != a->d->node->no, went_on = false;
    if (a->d->late) e = wrote_later(a, column, &cv, &went_on, why);
    /* What was held is accepted after its author went on writing: the author's last word stands. */
    if (e != ERR_OK || went_on) return e;
    /* What the author changed was not what the hub has, though the cut may have brought it: an own edit lay over it
     * that was not taken. Then he has not seen the hub's value and decided against it. */
    bool unseen = a->op->kind == OP_UPDATE && !value_equal(a->op->old[column], a->stored.v[column]);
    struct merge_input in = {
        .ours = {.value = a->stored.v[column], .hlc = cv.hlc},
        .theirs = {.value = theirs, .hlc = a->d->actor.hlc},
        .concurrent = other && keeps_clashes(a->op->table) &&
                      (a->op->kind == OP_INSERT || unseen || cv.version > cut_seen(&a->d->cut, a->r.no)),
        .policy = policy.policy,
        .arg = policy.arg,
    };
    if (policy.policy == MERGE_AUTHORITY && policy.arg != NULL) {
        e = has_authority(h, a, policy.arg, agency, cv.user, &in.ours.authority, why);
        if (e == ERR_OK)
            e = has_authority(h, a, policy.arg, a->d->node->agency, a->d->env.h.user, &in.theirs.authority, why);
        if (e != ERR_OK) return e;
    }
    enum merge_result m = merge_column(&in);
    bool last_word = false;
    /* (Where the later wins, an earlier word of this author leaves the later one of another its time.) */
    if (m == MERGE_SAME && (policy.policy != MERGE_LWW || cv.hlc <= a->d->actor.hlc))
        e = awaits_decision(h, a->d->node->no, &last_word, why);
    if (e != ERR_OK) return e;
    if (m == MERGE_TAKE || m == MERGE_TAKE_RULED || last_word)
        e = sight_set(h, a->op->table, op_row_id(a->op), column, theirs, &a->d->actor, why);
    if (e == ERR_OK && m != MERGE_SAME && m != MERGE_TAKE) e = note_clash(a, column, &in, m, &cv, agency, why);
    return e;
}

/* Columns that say whose row it is do not merge: the first writer's stand. */
static enum err merge_row(struct applying *a, struct why *why)
{
    struct buf store;
    bool found = false;
    buf_init(&store, 64u << 20);
    enum err e = db_row_get(a->h->db, a->op->table, op_row_id(a->op), &store, &a->stored, &found, why);
    if (e == ERR_OK && !found) e = why_set(why, ERR_TAMPERED, "A row that the hub counts is not in its store.");
    for (size_t c = a->op->kind == OP_INSERT ? 3 : 1; e == ERR_OK && c < a->op->table->n_columns; c++) {
        if (a->op->new_[c].kind != VALUE_NONE) e = merge_one(a, c, why);
    }
    buf_release(&store);
    return e;
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
        changeset_reader_init(&r, d->decoded[i].content);
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
