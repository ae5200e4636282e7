/* May this be done? Every operation of an envelope is judged before any is carried out, by what held when it was
 * written and by what holds now. Nothing is written here. */
#include "hub/draft.h"

#include <string.h>

/* Agencies that one change can ask and bring in: searching for a request takes as long as the change is large. */
#define MAX_ASKS 64u

static bool may_contribute(int access)
{
    return access >= ACCESS_CONTRIBUTE;
}

static bool may_lead(const struct standing *w)
{
    return (w->now == ACCESS_LEAD && w->at_base == ACCESS_LEAD) || w->manager || w->social_care;
}

static bool text_is(struct value v, const char *want)
{
    return v.kind == VALUE_TEXT && bytes_equal(v.s, bytes_of_str(want));
}

static struct value column_of(const struct op *op, const char *name)
{
    int i = rules_column_index(op->table, bytes_of_str(name));
    return i < 0 ? value_none() : op->new_[i];
}

/* A finding for want of authority, which a manager's word makes good. */
static void soft(const struct draft *d, struct judgement *j, const char *reason)
{
    if (!d->granted) judgement_note(j, VERDICT_HELD, false, reason);
}

static void hard(struct judgement *j, const char *reason)
{
    judgement_note(j, VERDICT_HELD, true, reason);
}

/* Not there, or not for the author's eyes: the same words. Unless held work of the same device makes it. What is not
 * there at all a hub that was put back may get yet. */
static enum err unknown(struct hub *h, const struct draft *d, int table_index, const uint8_t id[16],
                        struct judgement *j, struct why *why)
{
    struct hub_row r;
    bool awaited = false, there = false;
    enum err e = held_makes(h, d, table_index, id, &awaited, why);
    if (e == ERR_OK) e = sight_row(h, table_index, id, &r, &there, why);
    if (e != ERR_OK) return e;
    if (!there) {
        j->lacks = true;
        j->lacks_table = table_index;
        memcpy(j->lacks_id, id, sizeof j->lacks_id);
    }
    if (awaited)
        judgement_note(j, VERDICT_WAITS, false, "This change builds on an earlier one that has not been accepted yet.");
    else
        hard(j, REASON_UNKNOWN);
    return ERR_OK;
}

/* Does an operation of the part satisfy `want`? */
static enum err part_has(const struct draft_part *p, bool (*want)(const struct op *op, const void *ctx),
                         const void *ctx, bool *out, struct why *why)
{
    struct changeset_reader r;
    struct op op;
    bool end = false;
    enum err e;
    changeset_reader_init(&r, p->content, p->schema);
    *out = false;
    while ((e = changeset_next(&r, &op, &end, why)) == ERR_OK && !end && !*out) *out = want(&op, ctx);
    return e;
}

static bool asks(const struct op *op, const void *ctx)
{
    const struct value *member = ctx;
    return op->kind == OP_INSERT && strcmp(op->table->name, "request") == 0 &&
           value_equal(column_of(op, "to_agency"), *member);
}

static bool leads_new_case(const struct op *op, const void *ctx)
{
    return op->kind == OP_INSERT && strcmp(op->table->name, "case_file") == 0 &&
           text_is(column_of(op, "lead_agency"), ctx);
}

static bool quiet(const struct op *op)
{
    struct value v = column_of(op, "quiet");
    return v.kind == VALUE_INT && v.i != 0;
}

static enum err leads(const struct draft *d, struct draft_part *p, bool *out, struct why *why)
{
    enum err e = ERR_OK;
    if (p->leads == 0) {
        e = part_has(p, leads_new_case, d->node->agency, out, why);
        p->leads = e == ERR_OK && *out ? 1 : -1;
    }
    *out = p->leads > 0;
    return e;
}

/* The maker of a case may put its own agency in, until somebody else has decided who takes part. Not longer: the base
 * cut, which makes the case a new one, is the maker's to choose. */
static enum err may_enter(struct hub *h, const struct draft *d, const struct draft_part *p, bool *out, struct why *why)
{
    *out = p->makes_case;
    return *out || !p->who.fresh ? ERR_OK : standing_untouched(h, d, p->who.case_no, out, why);
}

/* Who takes part. Asking costs no more than it must: whoever may contribute may bring in, with `check`, the very agency
 * that the same change asks. */
static enum err judge_participant(struct hub *h, const struct draft *d, struct draft_part *p, const struct op *op,
                                  struct judgement *j, struct why *why)
{
    struct value member = column_of(op, "member");
    bool enters = false, asked = false, led = false;
    enum err e = text_is(member, d->node->agency) ? may_enter(h, d, p, &enters, why) : ERR_OK;
    if (e != ERR_OK || enters) return e;
    if (p->makes_case) {
        e = leads(d, p, &led, why);
        if (e == ERR_OK && !led && !p->who.manager && !p->who.social_care)
            soft(d, j,
                 "Only the lead agency, or a manager or social worker on duty for the area, may bring others in.");
        return e;
    }
    if (may_lead(&p->who)) return ERR_OK;
    if (may_contribute(p->who.now) && may_contribute(p->who.at_base) && text_is(column_of(op, "access"), "check") &&
        !quiet(op) && p->n_asks++ < MAX_ASKS)
        e = part_has(p, asks, &member, &asked, why);
    if (e == ERR_OK && !asked)
        soft(d, j,
             "Only the lead agency, or a manager or social worker on duty for the area, may change who takes part.");
    return e;
}

/* May a row of this kind come into a case that is there? */
static void judge_insert_rule(const struct draft *d, const struct draft_part *p, enum insert_rule rule,
                              struct judgement *j)
{
    const struct standing *w = &p->who;
    switch (rule) {
    case INSERT_HUB: hard(j, "This is kept by the hub alone."); return;
    case INSERT_NEW_CASE:
    case INSERT_WITH_CASE:
    case INSERT_LEAD:
        if (!may_lead(w))
            soft(d, j, "Only the lead agency, or a manager or social worker on duty for the area, may add this.");
        return;
    case INSERT_CONTRIBUTE:
        if (!may_contribute(w->now) || !may_contribute(w->at_base))
            soft(d, j, "Your agency does not take part in this case as one that may add this.");
        return;
    case INSERT_CHECK:
        if (!d->contribution && (!standing_may_check(w->now) || !standing_may_check(w->at_base)))
            soft(d, j, "Your agency does not take part in this case as one that may add this.");
        return;
    }
}

static enum err judge_parent(struct hub *h, const struct draft *d, size_t part, const char *table, const uint8_t id[16],
                             struct judgement *j, struct why *why)
{
    const struct draft_part *p = &d->decoded[part];
    int index = rules_table_index(bytes_of_str(table));
    struct hub_row r;
    struct view v = {0};
    bool found = false;
    if (draft_makes(d, index, id, part)) return ERR_OK;
    enum err e = sight_row(h, index, id, &r, &found, why);
    if (e == ERR_OK && found) e = standing_view(h, d, &r, &v, why);
    if (e != ERR_OK) return e;
    if (found && p->who.known && r.case_no == p->who.case_no && view_any(v)) return ERR_OK;
    return unknown(h, d, index, id, j, why);
}

static enum err judge_parents(struct hub *h, const struct draft *d, size_t part, const struct op *op,
                              struct judgement *j, struct why *why)
{
    enum err e = ERR_OK;
    for (size_t c = 0; e == ERR_OK && c < op->table->n_columns; c++) {
        const char *parent = op->table->columns[c].parent;
        if (parent != NULL && op->new_[c].kind == VALUE_BLOB)
            e = judge_parent(h, d, part, parent, op->new_[c].s.p, j, why);
    }
    return e;
}

/* A duty needs no access, but no duty opens a case that the site is shut out of, or was shut out of when this was
 * written: what comes into a case that its author had not got rests upon nothing that he could have read there. */
static void judge_sight(const struct draft *d, const struct draft_part *p, struct judgement *j)
{
    if (p->makes_case || d->contribution) return;
    if (!p->who.sees_now) soft(d, j, "This case was taken back from your site before the change arrived.");
    if (!p->who.sees_base) soft(d, j, "This case had not been given to your site when the change was written.");
}

/* An INSERT that meets a row: two sites made the same thing. Each column that differs is a concurrent edit of it. */
static enum err judge_meeting(struct hub *h, struct draft *d, size_t part, const struct op *op, const struct hub_row *r,
                              struct judgement *j, struct why *why)
{
    struct draft_part *p = &d->decoded[part];
    struct view v;
    struct row stored;
    struct buf store;
    bool found = false;
    enum err e = standing_view(h, d, r, &v, why);
    if (e != ERR_OK) return e;
    if (!v.now || !p->who.known || r->case_no != p->who.case_no) {
        hard(j, REASON_UNKNOWN);
        return ERR_OK;
    }
    judge_sight(d, p, j);
    judge_insert_rule(d, p, op->table->insert, j);
    buf_init(&store, 64u << 20);
    e = db_row_get(h->db, op->table, op_row_id(op), &store, &stored, &found, why);
    size_t n = rules_columns_at(op->table, p->schema);
    for (size_t c = 3; e == ERR_OK && found && c < n; c++) {
        struct column_write w = {.part = p,
                                 .table = op->table,
                                 .stored = &stored,
                                 .op = op,
                                 .column = c,
                                 .value = op->new_[c],
                                 .merging = true};
        if (!value_equal(op->new_[c], stored.v[c])) e = intake_may_write(h, d, &w, j, why);
    }
    buf_release(&store);
    return e;
}

/* A new row must not come with what others may write into it alone: an answer in the asked agency's place, a challenge
 * that is upheld already. */
static void judge_new_columns(const struct draft *d, const struct draft_part *p, const struct op *op,
                              struct judgement *j)
{
    const struct table_rule *t = op->table;
    bool weak = t->insert == INSERT_CONTRIBUTE || t->insert == INSERT_CHECK;
    bool asked = text_is(column_of(op, "to_agency"), d->node->agency);
    for (size_t c = 3; c < t->n_columns; c++) {
        if (op->new_[c].kind == VALUE_NULL || text_is(op->new_[c], "open")) continue;
        if (t->columns[c].write == WRITE_ASKED && !asked)
            soft(d, j, "Only the agency that this was sent to may answer it.");
        if (t->columns[c].write == WRITE_LEAD && weak && !may_lead(&p->who))
            soft(d, j, "Only the lead agency, or a manager or social worker on duty for the area, may decide this.");
    }
}

static enum err judge_insert(struct hub *h, struct draft *d, size_t part, const struct op *op, struct judgement *j,
                             struct why *why)
{
    struct draft_part *p = &d->decoded[part];
    struct hub_row r;
    bool found = false;
    if (op->table->kind != TABLE_CASE || op->table->insert == INSERT_HUB) {
        hard(j, "This is kept by the hub alone.");
        return ERR_OK;
    }
    bool is_case = strcmp(op->table->name, "case_file") == 0;
    if ((is_case || strcmp(op->table->name, "brief") == 0) && memcmp(op->new_[0].s.p, p->case_id, 16) != 0)
        judgement_note(j, VERDICT_FAULT, true, "This change names its case in two ways.");
    if (!text_is(op->new_[2], d->node->agency)) hard(j, "A row says that another agency than this device's wrote it.");
    enum err e = sight_row(h, op->table_index, op_row_id(op), &r, &found, why);
    if (e != ERR_OK) return e;
    if (found) return judge_meeting(h, d, part, op, &r, j, why);
    if (!p->makes_case && (!p->who.known || (!p->who.sees_now && !p->who.sees_base)))
        return unknown(h, d, rules_table_index(bytes_of_str("case_file")), p->case_id, j, why);
    if (strcmp(op->table->name, "participant") == 0)
        e = judge_participant(h, d, p, op, j, why);
    else if (!p->makes_case)
        judge_insert_rule(d, p, op->table->insert, j);
    judge_new_columns(d, p, op, j);
    if (strcmp(op->table->name, "release") == 0) intake_new_release(d, op, j);
    /* Everybody who sees the record would learn that there is a request, which only two agencies may know (rule 3). */
    if (column_of(op, "request_id").kind == VALUE_BLOB)
        hard(j, "A record cannot name the request it answers: others who see the record may not know of the request.");
    judge_sight(d, p, j);
    return e == ERR_OK ? judge_parents(h, d, part, op, j, why) : e;
}

static enum err judge_update(struct hub *h, struct draft *d, size_t part, const struct op *op, struct judgement *j,
                             struct why *why)
{
    struct draft_part *p = &d->decoded[part];
    struct hub_row r;
    struct view v = {0};
    struct row stored;
    struct buf store;
    bool found = false;
    enum err e = sight_row(h, op->table_index, op_row_id(op), &r, &found, why);
    if (e == ERR_OK && found) e = standing_view(h, d, &r, &v, why);
    if (e != ERR_OK) return e;
    if (!found || !view_any(v)) return unknown(h, d, op->table_index, op_row_id(op), j, why);
    if (p->who.known && r.case_no != p->who.case_no)
        judgement_note(j, VERDICT_FAULT, true, "This change mixes several cases in one part.");
    if (!v.now) soft(d, j, "What this changes was taken back from your site before the change arrived.");
    if (!v.base) soft(d, j, "What this changes had not been given to your site when the change was written.");
    buf_init(&store, 64u << 20);
    e = db_row_get(h->db, op->table, op_row_id(op), &store, &stored, &found, why);
    if (e == ERR_OK && !found) e = unknown(h, d, op->table_index, op_row_id(op), j, why);
    for (size_t c = 1; e == ERR_OK && found && c < op->table->n_columns; c++) {
        struct column_write w = {
            .part = p, .table = op->table, .stored = &stored, .op = op, .column = c, .value = op->new_[c]};
        if (op->new_[c].kind != VALUE_NONE) e = intake_may_write(h, d, &w, j, why);
    }
    buf_release(&store);
    return e;
}

/* Area and duties for a case that the change itself makes. */
static enum err new_case_standing(struct hub *h, struct draft *d, struct draft_part *p, struct why *why)
{
    struct changeset_reader r;
    struct op op;
    bool end = false;
    enum err e;
    changeset_reader_init(&r, p->content, p->schema);
    while ((e = changeset_next(&r, &op, &end, why)) == ERR_OK && !end) {
        struct value area = strcmp(op.table->name, "case_file") == 0 ? column_of(&op, "area") : value_none();
        if (area.kind == VALUE_TEXT && area.s.n > 0 && area.s.n < sizeof p->who.area) {
            memcpy(p->who.area, area.s.p, area.s.n);
            p->who.area[area.s.n] = '\0';
        }
    }
    return e == ERR_OK ? standing_duties(h, d, &p->who, why) : e;
}

enum err intake_authorise(struct hub *h, struct draft *d, struct judgement *j, struct why *why)
{
    enum err e = held_withdrawn(h, d, why);
    if (e == ERR_OK) e = late_judge(h, d, why);
    if (!d->user_known) soft(d, j, "The person who made this change is not known at this device's site.");
    for (size_t i = 0; e == ERR_OK && i < d->n_parts; i++) {
        struct draft_part *p = &d->decoded[i];
        struct changeset_reader r;
        struct op op;
        bool end = false;
        if (p->makes_case) e = new_case_standing(h, d, p, why);
        changeset_reader_init(&r, p->content, p->schema);
        while (e == ERR_OK) {
            e = changeset_next(&r, &op, &end, why);
            if (e != ERR_OK || end) break;
            e = op.kind == OP_INSERT ? judge_insert(h, d, i, &op, j, why) : judge_update(h, d, i, &op, j, why);
        }
        if (e == ERR_OK) e = intake_restriction(h, p, j, why);
    }
    return e;
}
