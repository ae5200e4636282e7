/* Meetings, and the decision. */
#include "node/act_work_internal.h"

#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------------------ meetings */
static enum err put_attendance(struct node *n, const struct act_meeting *in, const uint8_t meeting[16],
                               const struct act_attendance *a, struct why *why)
{
    struct row r;
    uint8_t id[16];
    enum err e = ERR_OK;
    bool dissents = a->dissent != NULL && a->dissent[strspn(a->dissent, " \t\r\n")] != '\0';
    if (a->practitioner != NULL) e = act_practitioner(n, a->practitioner, why);
    if (a->practitioner == NULL && !dissents)
        e = why_set(why, ERR_USAGE, "One of those who were there is nobody by name. Nothing was changed.");
    if (e != ERR_OK) return e;
    env_new_id(n->env, id);
    act_new(n, &r, "attendance", in->case_id, id);
    act_fill(&r, "meeting_id", value_id(meeting));
    act_fill(&r, "practitioner", a->practitioner != NULL ? value_id(a->practitioner) : value_null());
    act_fill(&r, "present", value_int(a->present));
    act_fill(&r, "dissent", value_str(dissents ? a->dissent : NULL));
    return act_put(n, &r, why);
}

static bool named_before(const struct act_meeting *in, size_t i)
{
    const uint8_t *id = in->attendance[i].practitioner;
    for (size_t k = 0; k < i && id != NULL; k++)
        if (in->attendance[k].practitioner != NULL && memcmp(in->attendance[k].practitioner, id, 16) == 0) return true;
    return false;
}

static enum err check_meeting(const struct act_meeting *in, int64_t now, struct why *why)
{
    if (in->n_attendance > ACT_MAX_ATTENDANCE)
        return why_set(why, ERR_LIMIT, "At most %d people can be noted for one meeting. Nothing was changed.",
                       ACT_MAX_ATTENDANCE);
    for (size_t i = 0; i < in->n_attendance; i++)
        if (named_before(in, i))
            return why_set(why, ERR_USAGE, "Somebody is named twice among those who were there. Nothing was changed.");
    if (in->held_at > now && in->outcome != NULL)
        return why_set(why, ERR_USAGE,
                       "A meeting that is still to come has no outcome yet. Nothing was changed: correct the time, or"
                       " leave the outcome out.");
    return in->held_at > now ? ERR_OK : act_said(in->outcome, "Say in a few lines what came of the meeting.", why);
}

static enum err put_meeting(struct node *n, const struct act_meeting *in, const uint8_t id[16], struct why *why)
{
    struct act_row c;
    struct row r;
    int64_t now = env_now(n->env);
    enum err e = act_read(n, "case_file", in->case_id, "no case", &c, why);
    act_row_release(&c);
    if (e == ERR_OK) e = check_meeting(in, now, why);
    if (e != ERR_OK) return e;
    act_new(n, &r, "meeting", in->case_id, id);
    act_fill(&r, "kind", value_str(in->kind != NULL ? in->kind : "mash"));
    act_fill(&r, "held_at", value_int(in->held_at != 0 ? in->held_at : now));
    act_fill(&r, "mode", value_str(in->mode));
    act_fill(&r, "chair", value_str(in->chair));
    act_fill(&r, "outcome", value_str(in->outcome));
    e = act_put(n, &r, why);
    for (size_t i = 0; i < in->n_attendance && e == ERR_OK; i++) e = put_attendance(n, in, id, &in->attendance[i], why);
    return e;
}

enum err act_meeting_add(struct node *n, const struct act_meeting *in, uint8_t out_id[16], struct why *why)
{
    uint8_t id[16];
    enum err e = node_edit_begin(n, why);
    if (e != ERR_OK) return e;
    env_new_id(n->env, id);
    e = act_end(n, put_meeting(n, in, id, why), "noted a meeting", why);
    if (e == ERR_OK) memcpy(out_id, id, sizeof id);
    return e;
}

/* ------------------------------------------------------------------------------------------------------ decision */
static enum err known_code(struct node *n, const char *code, const char *list, const char *other, const char *complaint,
                           struct why *why)
{
    struct stmt *s = NULL;
    bool known = false;
    enum err e = db_prepare(n->db, "SELECT 1 FROM code_list WHERE code = $1 AND list IN ($2, $3)", &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, code);
    db_bind_str(s, 2, list);
    db_bind_str(s, 3, other);
    e = db_step(s, &known, why);
    db_done(s);
    if (e != ERR_OK || known) return e;
    return why_set(why, ERR_USAGE, "'%.60s' is no %s. Nothing was changed.", code, complaint);
}

static bool decided_before(const struct act_row *brief)
{
    return act_column(brief, "decided_at").kind == VALUE_INT;
}

/* What must be said. Closing alone is enough where a decision stands. */
static enum err check_words(struct node *n, const struct act_decision *in, bool decided, struct why *why)
{
    enum err e = ERR_OK;
    if (!in->close || !decided || in->decision != NULL || in->outcome != NULL) {
        e = act_said(in->decision, "Say what was decided.", why);
        if (e == ERR_OK) e = act_said(in->outcome, "A decision needs its outcome, a code of the census.", why);
        if (e == ERR_OK)
            e = known_code(n, in->outcome, "referral_outcome", "contact_outcome",
                           "code of an outcome, such as ASSESS, S47, EH, ADVICE or NFA", why);
    }
    if (e == ERR_OK && in->close)
        e = act_said(in->closure_reason, "Closing a case needs its reason, a code such as RC8.", why);
    if (e == ERR_OK && in->closure_reason != NULL)
        e = known_code(n, in->closure_reason, "closure_reason", NULL,
                       "code of a reason for closing a case, such as RC7 or RC8", why);
    if (e == ERR_OK && in->rag != NULL)
        e = act_word("rating", "rag", in->rag, "A rating is red, amber, green or blue.", why);
    if (e == ERR_OK && in->rag != NULL) e = act_said(in->rag_reason, "Say why it is rated so in the end.", why);
    return e;
}

static enum err check_decision(struct node *n, const struct act_decision *in, const struct act_matter *c,
                               struct why *why)
{
    struct act_row brief;
    enum err e = act_may(c, "decide this case", why);
    if (e == ERR_OK && act_is(act_column(&c->file, "status"), "closed")) {
        (void)why_set(why, ERR_EXISTS, "This case is closed already. Nothing was changed.");
        e = why_next(why, ERR_EXISTS, "To decide anew, open it again: set its status to gathering.");
    }
    if (e != ERR_OK) return e;
    e = act_read(n, "brief", in->case_id, "nothing", &brief, why);
    if (e == ERR_NOTFOUND)
        e = check_words(n, in, false, why); /* the first decision makes the brief */
    else if (e == ERR_OK)
        e = check_words(n, in, decided_before(&brief), why);
    act_row_release(&brief);
    return e;
}

/* Whether it was in time hangs on when it was decided first: saying the same again does not move that. */
static enum err decided_anew(struct node *n, const struct act_decision *in, bool *out, struct why *why)
{
    struct stmt *s = NULL;
    bool same = false;
    enum err e = db_prepare(n->db,
                            "SELECT 1 FROM brief WHERE id = $1 AND decision = $2 AND outcome = $3"
                            " AND decided_at IS NOT NULL",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, in->case_id);
    db_bind_str(s, 2, in->decision);
    db_bind_str(s, 3, in->outcome);
    e = db_step(s, &same, why);
    db_done(s);
    *out = !same;
    return e;
}

static enum err set_decision(struct node *n, const struct act_decision *in, const struct act_matter *c, int64_t now,
                             struct why *why)
{
    bool anew = false;
    enum err e = in->decision != NULL ? decided_anew(n, in, &anew, why) : ERR_OK;
    if (e == ERR_OK && in->decision != NULL) {
        e = act_brief_set(n, c, "decision", value_str(in->decision), why);
        if (e == ERR_OK) e = act_brief_set(n, c, "outcome", value_str(in->outcome), why);
        if (e == ERR_OK) e = act_brief_set(n, c, "nfa", value_int(in->nfa), why);
        if (e == ERR_OK && anew) e = act_brief_set(n, c, "decided_at", value_int(now), why);
    }
    if (e == ERR_OK && in->closure_reason != NULL)
        e = act_brief_set(n, c, "closure_reason", value_str(in->closure_reason), why);
    if (e == ERR_OK)
        e = act_set(n, "case_file", in->case_id, "status", value_str(in->close ? "closed" : "decided"), why);
    return e == ERR_OK && in->close ? act_set(n, "case_file", in->case_id, "closed_at", value_int(now), why) : e;
}

/* The rating in the end; when the decision was due stays, because now it is made. */
static enum err rate_finally(struct node *n, const struct act_decision *in, const struct act_matter *c, int64_t now,
                             struct why *why)
{
    uint8_t id[16];
    struct act_opinion o = {.stage = "final", .rag = value_str(in->rag), .reason = in->rag_reason, .now = now};
    enum err e = act_put_rating(n, in->case_id, &o, id, why);
    return e == ERR_OK ? act_set_rag(n, c, o.rag, in->rag_reason, NULL, why) : e;
}

/* Who referred and who takes part, but for this agency and those that were told since the decision. */
static const char untold_sql[] =
    "SELECT count(*) FROM (SELECT agency AS a FROM case_file WHERE id = $1 UNION SELECT agency FROM referral"
    " WHERE case_id = $1 AND voided_at IS NULL UNION SELECT member FROM participant WHERE case_id = $1"
    " AND voided_at IS NULL AND access IN ('check', 'view', 'contribute') AND (until IS NULL OR until > $3))"
    " WHERE a <> $2 AND a <> '' AND NOT EXISTS (SELECT 1 FROM feedback f JOIN brief b ON b.id = f.case_id"
    " WHERE f.case_id = $1 AND f.to_agency = a AND f.voided_at IS NULL AND f.sent_at >= b.decided_at)";

static enum err look_back(struct node *n, const uint8_t case_id[16], struct act_decided *out, struct why *why)
{
    enum err e =
        act_count(n, "SELECT count(*) FROM request WHERE case_id = $1 AND state = 'open' AND voided_at IS NULL",
                  case_id, NULL, 0, &out->unanswered, why);
    if (e == ERR_OK)
        e = act_count(n, "SELECT count(*) FROM challenge WHERE case_id = $1 AND state = 'open' AND voided_at IS NULL",
                      case_id, NULL, 0, &out->disputes, why);
    return e == ERR_OK ? act_count(n, untold_sql, case_id, n->agency, env_now(n->env), &out->untold, why) : e;
}

static enum err decide(struct node *n, const struct act_decision *in, const struct act_matter *c,
                       struct act_decided *out, struct why *why)
{
    int64_t now = env_now(n->env);
    enum err e = check_decision(n, in, c, why);
    if (e == ERR_OK && in->rag != NULL) e = rate_finally(n, in, c, now, why);
    if (e == ERR_OK) e = set_decision(n, in, c, now, why);
    if (e == ERR_OK) e = look_back(n, in->case_id, out, why);
    out->closed = in->close;
    return e;
}

enum err act_decide(struct node *n, const struct act_decision *in, struct act_decided *out, struct why *why)
{
    struct act_matter c;
    struct act_decided decided = {0};
    enum err e = node_edit_begin(n, why);
    if (e != ERR_OK) return e;
    e = act_matter_read(n, in->case_id, &c, why);
    if (e == ERR_OK) e = decide(n, in, &c, &decided, why);
    e = act_end(n, e, in->close ? "closed a case" : "decided a case", why);
    act_matter_release(&c);
    if (e == ERR_OK) *out = decided;
    return e;
}

void act_decided_words(const struct act_decided *d, void (*say)(void *ctx, const char *sentence), void *ctx)
{
    char text[200];
    if (d->unanswered == 1) say(ctx, "One question in this case has no answer yet.");
    if (d->unanswered > 1) {
        (void)snprintf(text, sizeof text, "%lld questions in this case have no answer yet.", (long long)d->unanswered);
        say(ctx, text);
    }
    if (d->disputes > 0) say(ctx, "A dispute in this case is still to be decided.");
    if (d->untold == 1) say(ctx, "One agency has not been told the outcome yet: send it feedback.");
    if (d->untold > 1) {
        (void)snprintf(text, sizeof text, "%lld agencies have not been told the outcome yet: send them feedback.",
                       (long long)d->untold);
        say(ctx, text);
    }
}
