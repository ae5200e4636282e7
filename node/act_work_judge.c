/* Settling two versions; deciding about held work. */
#include "node/act_work_internal.h"

#include "sync/messages.h"

#include <string.h>

/* -------------------------------------------------------------------------------------------------- two versions */
struct versions {
    const struct table_rule *table; /* of the row that they are of */
    size_t column;
    uint8_t row_id[16];
};

static enum err read_versions(const struct act_row *conflict, struct versions *out, struct why *why)
{
    struct value tbl = act_column(conflict, "tbl"), col = act_column(conflict, "col"),
                 row = act_column(conflict, "row_id");
    int t = rules_table_index(tbl.s), k = t < 0 ? -1 : rules_column_index(rules_table((size_t)t), col.s);
    if (k < 0 || row.s.n != 16)
        return why_set(why, ERR_VERSION, "These two versions are of something that this version does not know.");
    out->table = rules_table((size_t)t);
    out->column = (size_t)k;
    memcpy(out->row_id, row.s.p, 16);
    return ERR_OK;
}

static enum err put_version(struct node *n, const struct act_settle *in, const struct act_row *conflict,
                            const struct versions *v, struct why *why)
{
    const struct column_rule *c = &v->table->columns[v->column];
    struct value text = in->value.n > 0 ? value_text(in->value) : value_null(), value = value_null();
    struct buf store;
    buf_init(&store, RULES_MAX_VALUE + 64);
    if (strcmp(in->keep, "kept") == 0) text = act_column(conflict, "kept");
    if (strcmp(in->keep, "lost") == 0) text = act_column(conflict, "lost");
    enum err e = ERR_OK;
    if (text.kind == VALUE_TEXT && value_from_text(c, text.s, &store, &value) != ERR_OK)
        e = why_set(why, ERR_USAGE, "That value does not fit what it is for. Nothing was changed.");
    if (e == ERR_OK) e = act_set(n, v->table->name, v->row_id, c->name, value, why);
    buf_release(&store);
    return e;
}

static enum err put_settled(struct node *n, const uint8_t id[16], const char *reason, struct why *why)
{
    enum err e = act_set(n, "conflict", id, "state", value_str("settled"), why);
    if (e == ERR_OK) e = act_set(n, "conflict", id, "resolved_by", value_id(n->user), why);
    if (e == ERR_OK) e = act_set(n, "conflict", id, "resolved_at", value_int(env_now(n->env)), why);
    return e == ERR_OK ? act_set(n, "conflict", id, "reason", value_str(reason), why) : e;
}

static bool known_choice(const char *keep)
{
    static const char *const words[] = {"kept", "lost", "now", "value"};
    for (size_t i = 0; i < sizeof words / sizeof words[0] && keep != NULL; i++)
        if (strcmp(keep, words[i]) == 0) return true;
    return false;
}

static enum err settle(struct node *n, const struct act_settle *in, struct why *why)
{
    struct act_row conflict;
    struct versions v;
    enum err e = act_read(n, "conflict", in->conflict, "no such pair of versions", &conflict, why);
    if (e == ERR_OK && act_is(act_column(&conflict, "state"), "settled")) {
        (void)why_set(why, ERR_EXISTS, "Somebody has settled these two versions already. Nothing was changed.");
        e = why_next(why, ERR_EXISTS, "If what they settled is wrong, change the value itself.");
    }
    if (e == ERR_OK && !known_choice(in->keep))
        e = why_set(why, ERR_USAGE,
                    "Say which one stands: kept, lost, now for what stands by now, or another value. Nothing was"
                    " changed.");
    if (e == ERR_OK) e = act_said(in->reason, "Say why: others will read it.", why);
    if (e == ERR_OK) e = read_versions(&conflict, &v, why);
    if (e == ERR_OK && strcmp(in->keep, "now") != 0) e = put_version(n, in, &conflict, &v, why);
    act_row_release(&conflict);
    return e == ERR_OK ? put_settled(n, in->conflict, in->reason, why) : e;
}

enum err act_conflict_settle(struct node *n, const struct act_settle *in, struct why *why)
{
    enum err e = node_edit_begin(n, why);
    if (e != ERR_OK) return e;
    return act_end(n, settle(n, in, why), "settled two versions", why);
}

/* ----------------------------------------------------------------------------------------------------- held work */
/* The hub asks for more where the work bears on several cases: a manager of every area that is in it. */
static enum err may_accept(struct node *n, const struct act_row *held, struct why *why)
{
    struct act_standing st;
    enum err e = act_standing(n, held->row.v[1].s.p, &st, why);
    if (e != ERR_OK || (st.manager && st.mash)) return e;
    (void)why_set(why, ERR_DENIED,
                  "Only a manager on duty for the area, at a device of the MASH room, may decide this. Nothing was"
                  " changed.");
    return why_next(why, ERR_DENIED, "Who wrote it can take it back: spoke outbox discard");
}

/* What the hub had taken in before it was put back, and waits for what it builds on: the hub refuses it too. */
static enum err may_dismiss(const struct act_row *held, struct why *why)
{
    struct value reason = act_column(held, "reason");
    if (reason.kind != VALUE_TEXT || !verdict_lacks(reason.s)) return ERR_OK;
    (void)why_set(why, ERR_DENIED,
                  "This had been taken in before the MASH server was put back from a backup, and what it builds on is not there"
                  " yet. So it cannot be dismissed. Nothing was changed.");
    return why_next(why, ERR_DENIED, "Leave it waiting: it takes effect by itself when that comes. Then change what is wrong with it.");
}

static enum err decide_held(struct node *n, const uint8_t id[16], bool accept, const char *reason, struct why *why)
{
    struct act_row held;
    enum err e = act_read(n, "held", id, "nothing held", &held, why);
    if (e == ERR_OK && !act_is(act_column(&held, "state"), "waiting"))
        e = why_set(why, ERR_EXISTS, "This was decided already.");
    if (e == ERR_OK) e = may_accept(n, &held, why);
    if (e == ERR_OK && !accept) e = may_dismiss(&held, why);
    if (e == ERR_OK && !accept) e = act_said(reason, "Say why it is dismissed: who wrote it will read it.", why);
    act_row_release(&held);
    if (e == ERR_OK) e = act_set(n, "held", id, "state", value_str(accept ? "accepted" : "dismissed"), why);
    if (e == ERR_OK) e = act_set(n, "held", id, "decided_by", value_id(n->user), why);
    if (e == ERR_OK) e = act_set(n, "held", id, "decided_at", value_int(env_now(n->env)), why);
    return e == ERR_OK ? act_set(n, "held", id, "decision_reason", value_str(reason), why) : e;
}

enum err act_held_decide(struct node *n, const uint8_t held[16], bool accept, const char *reason, struct why *why)
{
    enum err e = node_edit_begin(n, why);
    if (e != ERR_OK) return e;
    return act_end(n, decide_held(n, held, accept, reason, why), accept ? "accepted held work" : "dismissed held work",
                   why);
}
