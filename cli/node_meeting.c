/* meeting, plan, action, allocate, request chase: the work between a referral and its outcome. */
#include "cli/node_commands.h"
#include "cli/node_work.h"
#include "node/act_work.h"

#include <stdio.h>
#include <string.h>

/* A person that the hub knows: by the whole name, or by the id as lists show it. */
static enum err pick_person(struct work *w, struct bytes typed, uint8_t out[16], struct why *why)
{
    char text[128];
    struct stmt *s = NULL;
    bool row = false, second = false;
    if (typed.n == 0 || typed.n >= sizeof text)
        return why_set(why, ERR_USAGE, "A person is named by the whole name, or by the id of a list.");
    enum err e = db_prepare(
        w->db, "SELECT id FROM practitioner WHERE name = $1 AND coalesce(active, 1) = 1 ORDER BY id LIMIT 2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_text(s, 1, typed);
    e = db_step(s, &row, why);
    bool named = e == ERR_OK && row && db_id(s, 0, out);
    if (named) e = db_step(s, &second, why);
    db_done(s);
    if (e != ERR_OK) return e;
    memcpy(text, typed.p, typed.n);
    text[typed.n] = '\0';
    if (named && second) {
        (void)why_set(why, ERR_USAGE, "There are several people called '%s'.", text);
        return why_next(why, ERR_USAGE,
                        "Name the one by the id: spoke sql \"select id, name, site from practitioner\"");
    }
    return named ? ERR_OK : work_pick(w, "practitioner", text, out, why);
}

/* ------------------------------------------------------------------------------------------------------- meeting */
struct people {
    struct act_attendance list[CLI_MAX_FLAGS * 4];
    uint8_t ids[CLI_MAX_FLAGS * 4][16];
    size_t n;
};

static enum err add_people(struct work *w, struct people *p, const char *flag, bool present, struct why *why)
{
    enum err e = ERR_OK;
    const char *typed;
    for (int i = 0; e == ERR_OK && (typed = cli_flag_at(w->c, flag, i)) != NULL; i++) {
        e = pick_person(w, bytes_of_str(typed), p->ids[p->n], why);
        p->list[p->n] = (struct act_attendance){.practitioner = p->ids[p->n], .present = present};
        p->n++;
    }
    return e;
}

/* "PERSON=WORDS": somebody who was there, or is named here alone. */
static enum err add_dissent(struct work *w, struct people *p, struct why *why)
{
    enum err e = ERR_OK;
    const char *typed;
    for (int i = 0; e == ERR_OK && (typed = cli_flag_at(w->c, "dissent", i)) != NULL; i++) {
        uint8_t id[16];
        size_t k = 0;
        const char *eq = strchr(typed, '=');
        if (eq == NULL || eq[1] == '\0')
            return why_set(why, ERR_USAGE, "What somebody did not agree with is given as --dissent \"NAME=WORDS\".");
        e = pick_person(w, bytes_of(typed, (size_t)(eq - typed)), id, why);
        if (e != ERR_OK) return e;
        while (k < p->n && memcmp(p->ids[k], id, 16) != 0) k++;
        if (k == p->n) {
            memcpy(p->ids[k], id, 16);
            p->list[p->n++] = (struct act_attendance){.practitioner = p->ids[k], .present = true};
        }
        p->list[k].dissent = eq + 1;
    }
    return e;
}

static enum err do_meeting(struct work *w, struct why *why)
{
    uint8_t case_id[16], id[16];
    struct people p = {.n = 0};
    struct act_standing st;
    struct value at = value_null();
    struct act_meeting in = {.case_id = case_id,
                             .kind = cli_flag(w->c, "kind"),
                             .mode = cli_flag(w->c, "mode"),
                             .chair = cli_flag(w->c, "chair"),
                             .outcome = cli_flag(w->c, "outcome"),
                             .attendance = p.list};
    enum err e = work_pick(w, "case_file", w->c->args[0], case_id, why);
    if (e == ERR_OK) e = work_time_flag(w, "at", value_null(), &at, why);
    if (e == ERR_OK) e = add_people(w, &p, "present", true, why);
    if (e == ERR_OK) e = add_people(w, &p, "absent", false, why);
    if (e == ERR_OK) e = add_dissent(w, &p, why);
    in.held_at = at.kind == VALUE_INT ? at.i : 0;
    in.n_attendance = p.n;
    if (e == ERR_OK) e = act_meeting_add(w->node, &in, id, why);
    if (e == ERR_OK) e = act_standing(w->node, case_id, &st, why);
    if (e != ERR_OK) return e;
    work_say_held(w, !act_may_decide(&st));
    return work_say_id(w, "Meeting", id, why);
}
static enum err run_meeting(struct cli *c, struct why *why)
{
    return work_read(c, do_meeting, why);
}

/* --------------------------------------------------------------------------------------------------------- plans */
static enum err time_flag(struct work *w, const char *flag, int64_t *out, struct why *why)
{
    struct value v = value_null();
    enum err e = work_time_flag(w, flag, value_null(), &v, why);
    if (e == ERR_OK) *out = v.kind == VALUE_INT ? v.i : 0;
    return e;
}

static enum err do_plan(struct work *w, struct why *why)
{
    uint8_t case_id[16], person[16], id[16];
    bool held = false;
    const char *who = cli_flag(w->c, "person");
    struct act_plan in = {.case_id = case_id, .kind = w->c->args[1]};
    enum err e = work_pick(w, "case_file", w->c->args[0], case_id, why);
    if (e == ERR_OK && who != NULL) e = work_pick(w, "person", who, person, why);
    if (who != NULL) in.person = person;
    if (e == ERR_OK) e = time_flag(w, "from", &in.started_at, why);
    if (e == ERR_OK) e = time_flag(w, "until", &in.target_at, why);
    if (e == ERR_OK) e = act_plan_add(w->node, &in, id, why);
    if (e == ERR_OK) e = node_outlook(w, case_id, true, &held, why);
    return e == ERR_OK ? work_say_id(w, "Plan", id, why) : e;
}
static enum err run_plan(struct cli *c, struct why *why)
{
    return work_read(c, do_plan, why);
}

/* The hub may keep back a change of a row, as far as this device knows. */
static enum err outlook_of(struct work *w, const char *table, const uint8_t id[16], struct why *why)
{
    uint8_t case_id[16];
    bool held = false;
    enum err e = work_case_of(w, table, id, case_id, why);
    return e == ERR_OK ? node_outlook(w, case_id, true, &held, why) : e;
}

static enum err do_plan_end(struct work *w, struct why *why)
{
    uint8_t id[16];
    int64_t at = 0;
    enum err e = work_pick(w, "episode", w->c->args[0], id, why);
    if (e == ERR_OK) e = time_flag(w, "at", &at, why);
    if (e == ERR_OK) e = act_plan_end(w->node, id, at, cli_flag(w->c, "result"), why);
    if (e == ERR_OK) e = outlook_of(w, "episode", id, why);
    return e == ERR_OK ? work_say_id(w, "Ended plan", id, why) : e;
}
static enum err run_plan_end(struct cli *c, struct why *why)
{
    return work_read(c, do_plan_end, why);
}

/* ------------------------------------------------------------------------------------------------------- actions */
static enum err do_action(struct work *w, struct why *why)
{
    uint8_t case_id[16], id[16];
    bool held = false;
    struct act_action in = {.case_id = case_id,
                            .title = w->c->args[1],
                            .sensitive = cli_has(w->c, "sensitive"),
                            .note = cli_flag(w->c, "note")};
    enum err e = work_pick(w, "case_file", w->c->args[0], case_id, why);
    if (e == ERR_OK) e = time_flag(w, "due", &in.due_at, why);
    if (e == ERR_OK) e = act_action_add(w->node, &in, id, why);
    if (e == ERR_OK) e = node_outlook(w, case_id, true, &held, why);
    return e == ERR_OK ? work_say_id(w, "Action", id, why) : e;
}
static enum err run_action(struct cli *c, struct why *why)
{
    return work_read(c, do_action, why);
}

static enum err do_action_set(struct work *w, struct why *why)
{
    uint8_t id[16];
    const char *state = w->c->n_args > 1 ? w->c->args[1] : NULL;
    enum err e = work_pick(w, "action", w->c->args[0], id, why);
    if (e == ERR_OK) e = act_action_set(w->node, id, state, cli_flag(w->c, "note"), why);
    if (e == ERR_OK) e = outlook_of(w, "action", id, why);
    return e == ERR_OK ? work_say_id(w, "Changed action", id, why) : e;
}
static enum err run_action_set(struct cli *c, struct why *why)
{
    return work_read(c, do_action_set, why);
}

/* ---------------------------------------------------------------------------------------------- allocate, chase */
static enum err do_allocate(struct work *w, struct why *why)
{
    uint8_t case_id[16], person[16], id[16];
    enum err e = work_pick(w, "case_file", w->c->args[0], case_id, why);
    if (e == ERR_OK) e = pick_person(w, bytes_of_str(w->c->args[1]), person, why);
    if (e == ERR_OK) e = act_allocate(w->node, case_id, person, cli_flag(w->c, "role"), id, why);
    return e == ERR_OK ? work_say_id(w, "Allocated", id, why) : e;
}
static enum err run_allocate(struct cli *c, struct why *why)
{
    return work_read(c, do_allocate, why);
}

static enum err do_chase(struct work *w, struct why *why)
{
    uint8_t id[16];
    enum err e = work_pick(w, "request", w->c->args[0], id, why);
    if (e == ERR_OK) e = act_request_chase(w->node, id, why);
    return e == ERR_OK ? work_say_id(w, "Asked once more", id, why) : e;
}
static enum err run_chase(struct cli *c, struct why *why)
{
    return work_read(c, do_chase, why);
}

static const struct flag meeting_flags[] = {
    {"outcome", "TEXT", "what came of it"},
    {"kind", "KIND", "mash (default), strategy, ..."},
    {"at", "TIME", "when it was held, or will be (default: now)"},
    {"mode", "MODE", "room, video, telephone"},
    {"chair", "NAME", "who chaired it"},
    {"present", "PERSON", "who was there, by name or id; may be given several times"},
    {"absent", "PERSON", "who was asked and did not come; likewise"},
    {"dissent", "PERSON=TEXT", "who did not agree, and with what; likewise"},
    {0}};
static const struct flag plan_flags[] = {{"person", "ID", "whose plan it is; without it, the case's"},
                                         {"from", "TIME", "when it began (default: now)"},
                                         {"until", "TIME", "when it is to be done"},
                                         {0}};
static const struct flag plan_end_flags[] = {
    {"result", "TEXT", "what came of it"}, {"at", "TIME", "when it ended (default: now)"}, {0}};
static const struct flag action_flags[] = {{"due", "TIME", "by when"},
                                           {"note", "TEXT", "more about it"},
                                           {"sensitive", NULL, "for the MASH room and your agency alone"},
                                           {0}};
static const struct flag note_flags[] = {{"note", "TEXT", "what became of it"}, {0}};
static const struct flag allocate_flags[] = {{"role", "ROLE", "as what (default: worker)"}, {0}};

const struct command node_meeting_commands[] = {
    {"meeting add", "CASE", 1, 1, "Note a meeting: who was there, what came of it, and who did not agree.",
     "spoke meeting add C-7K2M9QXD --outcome \"All agreed to a visit\" --present \"Ann Example\"", meeting_flags,
     run_meeting},
    {"plan add", "CASE KIND", 2, 2, "A plan for somebody begins: cin, cp, eh, ...",
     "spoke plan add C-7K2M9QXD cp --person 0192f3d5 --until 90d", plan_flags, run_plan},
    {"plan end", "PLAN", 1, 1, "A plan has ended.", "spoke plan end 0192f3d9 --result \"Safe at home\"", plan_end_flags,
     run_plan_end},
    {"action add", "CASE TITLE", 2, 2, "Note what is to be done, and by when.",
     "spoke action add C-7K2M9QXD \"Visit the home\" --due 2d", action_flags, run_action},
    {"action set", "ACTION [open|done|cancelled]", 1, 2, "Say how an action stands, or what became of it.",
     "spoke action set 0192f3da done --note \"Seen, all well\"", note_flags, run_action_set},
    {"allocate", "CASE PERSON", 2, 2,
     "Say who works on a case from now on. For who leads it, or is on duty for its area.",
     "spoke allocate C-7K2M9QXD \"Ada Example\" --role \"social worker\"", allocate_flags, run_allocate},
    {"request chase", "REQUEST", 1, 1, "Ask once more for an answer that is still to come.",
     "spoke request chase 0192f3e1", NULL, run_chase},
    {0}};
