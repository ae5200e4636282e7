/* Plans, actions, and who works on a case. */
#include "node/act_work_internal.h"

#include <string.h>

/* --------------------------------------------------------------------------------------------------------- plans */
static enum err check_plan(struct node *n, const struct act_plan *in, int64_t started, struct why *why)
{
    struct act_row r;
    enum err e = act_read(n, "case_file", in->case_id, "no case", &r, why);
    act_row_release(&r);
    if (e == ERR_OK) e = act_said(in->kind, "Say what kind of plan it is, such as cin, cp or eh.", why);
    if (e == ERR_OK && in->target_at != 0 && in->target_at <= started)
        e = why_set(why, ERR_USAGE, "The plan would be due before it begins. Nothing was changed.");
    if (e != ERR_OK || in->person == NULL) return e;
    e = act_read(n, "person", in->person, "no person", &r, why);
    if (e == ERR_OK && !act_same_case(&r, in->case_id))
        e = why_set(why, ERR_USAGE, "That person belongs to another case. Nothing was changed.");
    act_row_release(&r);
    return e;
}

static enum err put_plan(struct node *n, const struct act_plan *in, const uint8_t id[16], struct why *why)
{
    struct row r;
    int64_t started = in->started_at != 0 ? in->started_at : env_now(n->env);
    enum err e = check_plan(n, in, started, why);
    if (e != ERR_OK) return e;
    act_new(n, &r, "episode", in->case_id, id);
    act_fill(&r, "person_id", in->person != NULL ? value_id(in->person) : value_null());
    act_fill(&r, "kind", value_str(in->kind));
    act_fill(&r, "started_at", value_int(started));
    act_fill(&r, "target_at", act_time(in->target_at));
    return act_put(n, &r, why);
}

enum err act_plan_add(struct node *n, const struct act_plan *in, uint8_t out_id[16], struct why *why)
{
    uint8_t id[16];
    enum err e = node_edit_begin(n, why);
    if (e != ERR_OK) return e;
    env_new_id(n->env, id);
    e = act_end(n, put_plan(n, in, id, why), "began a plan", why);
    if (e == ERR_OK) memcpy(out_id, id, sizeof id);
    return e;
}

static enum err end_plan(struct node *n, const uint8_t id[16], int64_t ended, const char *result, struct why *why)
{
    struct act_row r;
    int64_t now = env_now(n->env);
    if (ended == 0) ended = now;
    enum err e = act_read(n, "episode", id, "no plan", &r, why);
    struct value started = e == ERR_OK ? act_column(&r, "started_at") : value_null();
    if (e == ERR_OK && act_column(&r, "ended_at").kind == VALUE_INT)
        e = why_set(why, ERR_EXISTS, "This plan has ended already. Nothing was changed.");
    if (e == ERR_OK && ended > now)
        e = why_set(why, ERR_USAGE, "A plan ends when it does: that time is still to come. Nothing was changed.");
    if (e == ERR_OK && started.kind == VALUE_INT && ended < started.i)
        e = why_set(why, ERR_USAGE, "The plan would have ended before it began. Nothing was changed.");
    act_row_release(&r);
    if (e == ERR_OK) e = act_set(n, "episode", id, "ended_at", value_int(ended), why);
    return e == ERR_OK && result != NULL ? act_set(n, "episode", id, "result", value_str(result), why) : e;
}

enum err act_plan_end(struct node *n, const uint8_t plan[16], int64_t ended_at, const char *result, struct why *why)
{
    enum err e = node_edit_begin(n, why);
    if (e != ERR_OK) return e;
    return act_end(n, end_plan(n, plan, ended_at, result, why), "ended a plan", why);
}

/* ------------------------------------------------------------------------------------------------------- actions */
static enum err put_action(struct node *n, const struct act_action *in, const uint8_t id[16], struct why *why)
{
    struct act_row c;
    struct row r;
    enum err e = act_read(n, "case_file", in->case_id, "no case", &c, why);
    act_row_release(&c);
    if (e == ERR_OK) e = act_said(in->title, "Say what is to be done.", why);
    if (e != ERR_OK) return e;
    act_new(n, &r, "action", in->case_id, id);
    act_fill(&r, "title", value_str(in->title));
    act_fill(&r, "due_at", act_time(in->due_at));
    act_fill(&r, "state", value_str("open"));
    act_fill(&r, "sensitive", value_int(in->sensitive));
    act_fill(&r, "note", value_str(in->note));
    return act_put(n, &r, why);
}

enum err act_action_add(struct node *n, const struct act_action *in, uint8_t out_id[16], struct why *why)
{
    uint8_t id[16];
    enum err e = node_edit_begin(n, why);
    if (e != ERR_OK) return e;
    env_new_id(n->env, id);
    e = act_end(n, put_action(n, in, id, why), "noted what is to be done", why);
    if (e == ERR_OK) memcpy(out_id, id, sizeof id);
    return e;
}

static enum err set_action(struct node *n, const uint8_t id[16], const char *state, const char *note, struct why *why)
{
    struct act_row r;
    enum err e = act_read(n, "action", id, "no action", &r, why);
    if (e == ERR_OK && state == NULL && note == NULL)
        e = why_set(why, ERR_USAGE, "Say what has changed: its state, or a note. Nothing was changed.");
    if (e == ERR_OK && state != NULL)
        e = act_word("action", "state", state, "An action is open, done or cancelled.", why);
    if (e == ERR_OK && state != NULL && note == NULL && act_is(act_column(&r, "state"), state))
        e = why_set(why, ERR_EXISTS, "That is how this action stands already. Nothing was changed.");
    act_row_release(&r);
    if (e == ERR_OK && state != NULL) e = act_set(n, "action", id, "state", value_str(state), why);
    return e == ERR_OK && note != NULL ? act_set(n, "action", id, "note", value_str(note), why) : e;
}

enum err act_action_set(struct node *n, const uint8_t action[16], const char *state, const char *note, struct why *why)
{
    enum err e = node_edit_begin(n, why);
    if (e != ERR_OK) return e;
    return act_end(n, set_action(n, action, state, note, why), "changed what is to be done", why);
}

/* ---------------------------------------------------------------------------------------------------- allocation */
/* Who of the same agency has the same role in the case, if anybody. */
static enum err holder(struct node *n, const uint8_t case_id[16], const uint8_t person[16], const char *role,
                       uint8_t out_id[16], bool *out_same, bool *out_found, struct why *why)
{
    struct stmt *s = NULL;
    enum err e =
        db_prepare(n->db,
                   "SELECT a.id, a.practitioner = $2 FROM allocation a JOIN practitioner p"
                   " ON p.id = a.practitioner JOIN site s ON s.code = p.site WHERE a.case_id = $1 AND a.role = $3"
                   " AND a.until IS NULL AND a.voided_at IS NULL AND s.agency = (SELECT t.agency FROM site t"
                   " JOIN practitioner q ON q.site = t.code WHERE q.id = $2)"
                   " ORDER BY a.practitioner = $2 DESC, a.id LIMIT 1",
                   &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, case_id);
    db_bind_id(s, 2, person);
    db_bind_str(s, 3, role);
    e = db_step(s, out_found, why);
    if (e == ERR_OK && *out_found) {
        db_id(s, 0, out_id);
        *out_same = db_int(s, 1) != 0;
    }
    db_done(s);
    return e;
}

static enum err take_over(struct node *n, const uint8_t case_id[16], const uint8_t person[16], const char *role,
                          struct why *why)
{
    enum err e = ERR_OK;
    bool found = true;
    while (e == ERR_OK && found) {
        uint8_t id[16];
        bool same = false;
        e = holder(n, case_id, person, role, id, &same, &found, why);
        if (e == ERR_OK && found && same)
            e = why_set(why, ERR_EXISTS, "This case is allocated to them already. Nothing was changed.");
        if (e == ERR_OK && found) e = act_set(n, "allocation", id, "until", value_int(env_now(n->env)), why);
    }
    return e;
}

static enum err allocate(struct node *n, const uint8_t case_id[16], const uint8_t person[16], const char *role,
                         const uint8_t id[16], struct why *why)
{
    struct act_matter c;
    struct row r;
    enum err e = act_matter_read(n, case_id, &c, why);
    if (e == ERR_OK) e = act_may(&c, "say who works on it", why);
    act_matter_release(&c);
    if (e == ERR_OK) e = act_practitioner(n, person, why);
    if (e == ERR_OK) e = take_over(n, case_id, person, role, why);
    if (e != ERR_OK) return e;
    act_new(n, &r, "allocation", case_id, id);
    act_fill(&r, "practitioner", value_id(person));
    act_fill(&r, "role", value_str(role));
    act_fill(&r, "since", value_int(env_now(n->env)));
    return act_put(n, &r, why);
}

enum err act_allocate(struct node *n, const uint8_t case_id[16], const uint8_t practitioner[16], const char *role,
                      uint8_t out_id[16], struct why *why)
{
    uint8_t id[16];
    enum err e = node_edit_begin(n, why);
    if (e != ERR_OK) return e;
    env_new_id(n->env, id);
    e = act_end(n, allocate(n, case_id, practitioner, role != NULL ? role : "worker", id, why), "allocated a case",
                why);
    if (e == ERR_OK) memcpy(out_id, id, sizeof id);
    return e;
}
