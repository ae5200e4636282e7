/* May the author change this column? The write rules of sync/rules.h, one by one. */
#include "hub/draft.h"
#include "hub/restore_internal.h"

#include <string.h>

#define LEADS "Only the lead agency, or a manager or social worker on duty for the area, may change this."

static struct value stored_column(const struct row *r, const char *name)
{
    int i = rules_column_index(r->table, bytes_of_str(name));
    return i < 0 ? value_none() : r->v[i];
}

static struct value new_column(const struct column_write *w, const char *name)
{
    int i = rules_column_index(w->table, bytes_of_str(name));
    return i < 0 ? value_none() : w->op->new_[i];
}

static bool text_is(struct value v, const char *want)
{
    return v.kind == VALUE_TEXT && bytes_equal(v.s, bytes_of_str(want));
}

static void soft(const struct draft *d, struct judgement *j, const char *reason)
{
    if (!d->granted) judgement_note(j, VERDICT_HELD, false, reason);
}

static void hard(struct judgement *j, const char *reason)
{
    judgement_note(j, VERDICT_HELD, true, reason);
}

static int access_at_base(const struct column_write *w)
{
    return w->merging ? w->part->who.now : w->part->who.at_base;
}

/* The asked agency its answer; and whoever asked may withdraw the question. */
static bool may_answer(const struct draft *d, const struct column_write *w)
{
    bool cancels = strcmp(w->table->name, "request") == 0 && strcmp(w->table->columns[w->column].name, "state") == 0 &&
                   text_is(w->value, "cancelled");
    return text_is(stored_column(w->stored, "to_agency"), d->node->agency) ||
           (cancels && text_is(w->stored->v[2], d->node->agency));
}

/* Decisions are judged once, with the column `state`; the others ride along with it. */
static bool rides_along(const struct column_write *w)
{
    return strcmp(w->table->columns[w->column].name, "state") != 0 && new_column(w, "state").kind != VALUE_NONE;
}

/* What stands was not decided by this very word, which may have been carried out with what it decides already. */
static bool decides_otherwise(const struct column_write *w, const char *when)
{
    struct value at = stored_column(w->stored, when), says = new_column(w, when);
    return !value_equal(stored_column(w->stored, "state"), new_column(w, "state")) ||
           (at.kind != VALUE_NULL && says.kind != VALUE_NONE && !value_equal(at, says));
}

/* A manager's answer to held work, or its author's withdrawal. */
static enum err judge_decision(struct hub *h, const struct draft *d, const struct column_write *w, struct judgement *j,
                               struct why *why)
{
    struct value state = new_column(w, "state");
    int64_t node_no = 0;
    uint64_t seq = 0;
    bool found = false, everywhere = false, stays = false, taken = false;
    struct value by = new_column(w, "decided_by");
    if (by.kind == VALUE_BLOB && !value_equal(by, value_id(d->env.h.user)))
        hard(j, "A decision stands under the name of the person who makes it.");
    /* Sent again, and held again: whoever accepts it settles what it takes the place of. What a hub of before had taken
     * in is not accepted by anybody: it follows. */
    enum err e = d->granted && h->replaying ? restore_was_taken(h, d->node->no, d->env.h.seq, &taken, why) : ERR_OK;
    if (e != ERR_OK) return e;
    if (d->granted && !taken && !text_is(state, "withdrawn")) {
        hard(j, "A decision on held work cannot itself be accepted by somebody else."); /* nor recurse without end */
        return ERR_OK;
    }
    if (!text_is(stored_column(w->stored, "state"), "waiting")) {
        hard(j, "Somebody has decided this already.");
        j->decided |= decides_otherwise(w, "decided_at");
        return ERR_OK;
    }
    e = held_envelope(h, w->stored->v[0].s.p, &node_no, &seq, &found, why);
    if (e == ERR_OK && found && !text_is(state, "accepted")) e = restore_stays(h, node_no, seq, &stays, why);
    if (e != ERR_OK) return e;
    if (stays) hard(j, REASON_STAYS);
    if (text_is(state, "withdrawn")) {
        if (!text_is(w->stored->v[2], d->node->agency))
            hard(j, "Only the agency that wrote a held change may withdraw it.");
        return ERR_OK;
    }
    if (!text_is(state, "accepted") && !text_is(state, "dismissed")) {
        hard(j, "A decision says accepted, dismissed or withdrawn.");
        return ERR_OK;
    }
    if (found) e = held_decidable(h, d, node_no, seq, &everywhere, why);
    if (e != ERR_OK) return e;
    if (!taken && (strcmp(d->node->site_kind, "mash") != 0 || !w->part->who.manager || !everywhere))
        hard(j, "Only a manager on duty for the area, at a device of the MASH room, may decide this.");
    if (j->verdict == VERDICT_APPLIED && text_is(state, "accepted")) e = intake_acceptable(h, node_no, seq, j, why);
    return e;
}

/* Whoever may write the column that two values met in may settle it, with a reason and under their own name. */
static enum err judge_settling(struct hub *h, struct draft *d, const struct column_write *w, struct judgement *j,
                               struct why *why)
{
    struct value reason = new_column(w, "reason"), by = new_column(w, "resolved_by");
    struct value tbl = stored_column(w->stored, "tbl"), col = stored_column(w->stored, "col");
    struct value id = stored_column(w->stored, "row_id"), was = stored_column(w->stored, "state");
    if (!text_is(was, "open") && !text_is(was, "ruled")) {
        hard(j, "Somebody has settled these two versions already.");
        j->decided |= decides_otherwise(w, "resolved_at");
        return ERR_OK;
    }
    if (!text_is(new_column(w, "state"), "settled") || reason.kind != VALUE_TEXT || reason.s.n == 0 ||
        !value_equal(by, value_id(d->env.h.user))) {
        hard(j, "Two versions are settled with a reason, and under the name of the person who settles them.");
        return ERR_OK;
    }
    int index = rules_table_index(tbl.s), column = -1;
    if (index >= 0) column = rules_column_index(rules_table((size_t)index), col.s);
    if (column < 0) {
        hard(j, REASON_UNKNOWN);
        return ERR_OK;
    }
    struct hub_row r;
    struct view v = {0};
    struct row stored;
    struct buf store;
    bool found = false;
    buf_init(&store, 64u << 20);
    enum err e = sight_row(h, index, id.s.p, &r, &found, why);
    if (e == ERR_OK && found) e = standing_view(h, d, &r, &v, why);
    if (e == ERR_OK && found && v.now)
        e = db_row_get(h->db, rules_table((size_t)index), id.s.p, &store, &stored, &found, why);
    struct column_write under = {.part = w->part,
                                 .table = rules_table((size_t)index),
                                 .stored = &stored,
                                 .op = w->op,
                                 .column = (size_t)column,
                                 .value = value_none(),
                                 .merging = w->merging};
    if (e == ERR_OK && found && v.now && under.table->columns[column].write != WRITE_SETTLE)
        e = intake_may_write(h, d, &under, j, why);
    else if (e == ERR_OK)
        soft(d, j, "Only somebody who may change the value itself may settle its two versions.");
    buf_release(&store);
    return e;
}

enum err intake_may_write(struct hub *h, struct draft *d, const struct column_write *w, struct judgement *j,
                          struct why *why)
{
    const struct standing *s = &w->part->who;
    bool duty = s->manager || s->social_care;
    switch (w->table->columns[w->column].write) {
    case WRITE_NEVER: hard(j, "This change alters something that never changes once it is written."); return ERR_OK;
    case WRITE_HUB: hard(j, "This is kept by the hub alone."); return ERR_OK;
    case WRITE_OWN:
        if (!text_is(w->stored->v[2], d->node->agency)) soft(d, j, "Only the agency that wrote this may change it.");
        /* The case as such is not its first writer's alone: voided, it is gone from everybody but the MASH room. */
        if (strcmp(w->table->name, "case_file") == 0 && s->now < 3 && !duty)
            soft(d, j, "Your agency does not take part in this case as one that may take it away.");
        return ERR_OK;
    case WRITE_LEAD:
        if (!duty && (s->now != 5 || access_at_base(w) != 5)) soft(d, j, LEADS);
        return ERR_OK;
    case WRITE_DUTY:
        if (!duty) soft(d, j, "Only a manager or social worker on duty for the area may change this.");
        return ERR_OK;
    case WRITE_CONTRIBUTE:
        if (s->now < 3 || access_at_base(w) < 3)
            soft(d, j, "Your agency does not take part in this case as one that may change this.");
        return ERR_OK;
    case WRITE_ASKED:
        if (!may_answer(d, w)) soft(d, j, "Only the agency that this was sent to may answer it.");
        return ERR_OK;
    case WRITE_RELEASE: intake_release(d, w, j); return ERR_OK;
    case WRITE_JUDGE: return rides_along(w) ? ERR_OK : judge_decision(h, d, w, j, why);
    case WRITE_SETTLE: return rides_along(w) ? ERR_OK : judge_settling(h, d, w, j, why);
    }
    return ERR_OK;
}
