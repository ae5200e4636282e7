/* The pages' acts by which a case is decided: ratings, disputes, meetings, the decision, feedback, plans, actions, who
 * works on it, two versions, held work. Each route reads the body, calls the one function that the command calls too
 * (node/act_work.h), and says what came of it. */
#include "base/when.h"
#include "cli/serve_act.h"
#include "node/act_work.h"

#include <stdio.h>
#include <string.h>

/* What an act may do does not hang on the site's part in the case here: it was refused already, or a row is one's own.
 */
static enum err done_by_right(struct serve_call *c, const uint8_t case_id[16], const uint8_t *id, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = serve_done(c, NULL, id, false, why);
    memcpy(c->case_id, case_id, 16);
    if (e == ERR_OK) e = db_prepare(node_db(c->node), "SELECT reference FROM case_file WHERE id = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, case_id);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row && !db_is_null(s, 0)) json_set_text(c->out, "reference", db_bytes(s, 0));
    db_done(s);
    return e;
}

/* The case that a row is of, read before the act, because an answer names it. */
static enum err need_row(struct serve_call *c, const char *table, const char *what, const uint8_t **out_id,
                         uint8_t out_case[16], struct why *why)
{
    enum err e = serve_need_id(c, "id", out_id, why);
    return e == ERR_OK ? serve_case_of(c, table, *out_id, what, out_case, why) : e;
}

/* ------------------------------------------------------------------------------------------------ ratings, disputes */
static enum err rate(struct serve_call *c, struct why *why)
{
    char id[37];
    struct act_rated rated;
    struct act_rate in = {
        .rag = serve_text(c, "rag"), .reason = serve_text(c, "reason"), .stage = serve_text(c, "stage")};
    enum err e = serve_need_id(c, "case_id", &in.case_id, why);
    if (e == ERR_OK) e = act_rate(c->node, &in, &rated, why);
    if (e == ERR_OK)
        e = rated.stands ? done_by_right(c, in.case_id, rated.id, why)
                         : serve_done(c, in.case_id, rated.id, false, why);
    if (e != ERR_OK) return e;
    if (rated.challenged) uuid_format(rated.challenge, id);
    json_set_bool(c->out, "stands", rated.stands);
    json_set_bool(c->out, "disputed", rated.disputed);
    json_set_str(c->out, "challenge_id", rated.challenged ? id : NULL);
    if (rated.challenged)
        serve_note(
            c, "Your rating differs from the case's, which stays as it is until social care decides. The board shows"
               " the graver of the two.");
    else if (rated.disputed)
        serve_note(c, "Your rating stands beside the case's, which stays as it is.");
    else if (rated.agreed)
        serve_note(c, "You rate it as the case is rated, so your dispute about it is taken back.");
    return ERR_OK;
}

static enum err dispute(struct serve_call *c, struct why *why)
{
    uint8_t id[16];
    struct act_dispute in = {
        .about = serve_text(c, "about"), .reason = serve_text(c, "reason"), .to = serve_text(c, "to")};
    enum err e = serve_need_id(c, "case_id", &in.case_id, why);
    if (e == ERR_OK) e = act_dispute(c->node, &in, id, why);
    return e == ERR_OK ? serve_done(c, in.case_id, id, true, why) : e;
}

static enum err dispute_decide(struct serve_call *c, struct why *why)
{
    const uint8_t *id = NULL;
    uint8_t case_id[16];
    const char *state = serve_text(c, "state"), *reason = serve_text(c, "reason");
    struct why none = {0};
    enum err e = need_row(c, "rating", "no dispute", &id, case_id, &none); /* one that waits under no dispute */
    if (e == ERR_NOTFOUND)
        e = need_row(c, "challenge", "no dispute", &id, case_id, why);
    else if (e != ERR_OK)
        *why = none;
    if (e == ERR_OK) e = act_dispute_decide(c->node, id, state, reason, why);
    return e == ERR_OK ? done_by_right(c, case_id, id, why) : e;
}

/* ------------------------------------------------------------------------------------------------ meeting, decision */
static enum err read_attendance(struct serve_call *c, struct act_attendance out[ACT_MAX_ATTENDANCE], size_t *out_n,
                                struct why *why)
{
    struct json *body = c->body, *list = json_get(body, "attendance");
    size_t n = 0;
    enum err e = serve_items(c, "attendance", &n, why);
    if (e == ERR_OK && n > ACT_MAX_ATTENDANCE)
        e = why_set(why, ERR_USAGE, "At most %d people can be noted for one meeting.", ACT_MAX_ATTENDANCE);
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        out[i] = (struct act_attendance){0};
        c->body = json_at(list, i);
        e = serve_id(c, "practitioner", &out[i].practitioner, why);
        if (e == ERR_OK) e = serve_bool(c, "present", true, &out[i].present, why);
        out[i].dissent = serve_text(c, "dissent");
        if (e == ERR_OK) e = serve_sound(c, why);
        c->body = body;
    }
    if (e == ERR_OK) *out_n = n;
    return e;
}

static enum err meeting_add(struct serve_call *c, struct why *why)
{
    uint8_t id[16];
    struct act_attendance attendance[ACT_MAX_ATTENDANCE];
    struct act_standing st;
    struct act_meeting in = {.kind = serve_text(c, "kind"),
                             .mode = serve_text(c, "mode"),
                             .chair = serve_text(c, "chair"),
                             .outcome = serve_text(c, "outcome"),
                             .attendance = attendance};
    enum err e = serve_need_id(c, "case_id", &in.case_id, why);
    if (e == ERR_OK) e = serve_time(c, "held_at", &in.held_at, why);
    if (e == ERR_OK) e = read_attendance(c, attendance, &in.n_attendance, why);
    if (e == ERR_OK) e = act_meeting_add(c->node, &in, id, why);
    if (e == ERR_OK) e = act_standing(c->node, in.case_id, &st, why);
    if (e == ERR_OK) e = done_by_right(c, in.case_id, id, why);
    if (e == ERR_OK) serve_held(c, !act_may_decide(&st));
    return e;
}

static void note(void *ctx, const char *sentence)
{
    serve_note(ctx, sentence);
}

static enum err decide(struct serve_call *c, struct why *why)
{
    struct act_decided decided;
    struct act_decision in = {.decision = serve_text(c, "decision"),
                              .outcome = serve_text(c, "outcome"),
                              .closure_reason = serve_text(c, "closure_reason"),
                              .rag = serve_text(c, "rag"),
                              .rag_reason = serve_text(c, "rag_reason")};
    enum err e = serve_need_id(c, "case_id", &in.case_id, why);
    if (e == ERR_OK) e = serve_bool(c, "nfa", false, &in.nfa, why);
    if (e == ERR_OK) e = serve_bool(c, "close", false, &in.close, why);
    if (e == ERR_OK) e = act_decide(c->node, &in, &decided, why);
    if (e == ERR_OK) e = done_by_right(c, in.case_id, in.case_id, why);
    if (e == ERR_OK) act_decided_words(&decided, note, c);
    return e;
}

/* --------------------------------------------------------------------------------------------------------- feedback */
static enum err feedback_send(struct serve_call *c, struct why *why)
{
    const char *agencies[ACT_MAX_AGENCIES];
    uint8_t ids[ACT_MAX_AGENCIES][16];
    char text[37];
    struct act_feedback in = {.agencies = agencies,
                              .body = serve_text(c, "body"),
                              .to_name = serve_text(c, "to_name"),
                              .channel = serve_text(c, "channel")};
    enum err e = serve_need_id(c, "case_id", &in.case_id, why);
    if (e == ERR_OK) e = serve_texts(c, "agencies", agencies, ACT_MAX_AGENCIES, &in.n_agencies, why);
    if (e == ERR_OK) e = act_feedback_send(c->node, &in, ids, why);
    if (e == ERR_OK) e = done_by_right(c, in.case_id, ids[0], why);
    if (e != ERR_OK) return e;
    struct json *list = json_array_new();
    for (size_t i = 0; i < in.n_agencies; i++) {
        uuid_format(ids[i], text);
        json_append_str(list, text);
    }
    json_set_obj(c->out, "ids", list);
    return ERR_OK;
}

static enum err feedback_ack(struct serve_call *c, struct why *why)
{
    const uint8_t *id = NULL;
    uint8_t case_id[16];
    enum err e = need_row(c, "feedback", "no feedback", &id, case_id, why);
    if (e == ERR_OK) e = act_feedback_ack(c->node, id, why);
    return e == ERR_OK ? done_by_right(c, case_id, id, why) : e;
}

static enum err request_chase(struct serve_call *c, struct why *why)
{
    const uint8_t *id = NULL;
    uint8_t case_id[16];
    enum err e = need_row(c, "request", "no request", &id, case_id, why);
    if (e == ERR_OK) e = act_request_chase(c->node, id, why);
    return e == ERR_OK ? done_by_right(c, case_id, id, why) : e;
}

/* -------------------------------------------------------------------------------------------- plans, actions, workers
 */
static enum err plan_add(struct serve_call *c, struct why *why)
{
    uint8_t id[16];
    struct act_plan in = {.kind = serve_text(c, "kind")};
    enum err e = serve_need_id(c, "case_id", &in.case_id, why);
    if (e == ERR_OK) e = serve_id(c, "person_id", &in.person, why);
    if (e == ERR_OK) e = serve_time(c, "started_at", &in.started_at, why);
    if (e == ERR_OK) e = serve_time(c, "target_at", &in.target_at, why);
    if (e == ERR_OK) e = act_plan_add(c->node, &in, id, why);
    return e == ERR_OK ? serve_done(c, in.case_id, id, true, why) : e;
}

static enum err plan_end(struct serve_call *c, struct why *why)
{
    const uint8_t *id = NULL;
    uint8_t case_id[16];
    int64_t ended = 0;
    const char *result = serve_text(c, "result");
    enum err e = need_row(c, "episode", "no plan", &id, case_id, why);
    if (e == ERR_OK) e = serve_time(c, "ended_at", &ended, why);
    if (e == ERR_OK) e = act_plan_end(c->node, id, ended, result, why);
    return e == ERR_OK ? serve_done(c, case_id, id, true, why) : e;
}

static enum err action_add(struct serve_call *c, struct why *why)
{
    uint8_t id[16];
    struct act_action in = {.title = serve_text(c, "title"), .note = serve_text(c, "note")};
    enum err e = serve_need_id(c, "case_id", &in.case_id, why);
    if (e == ERR_OK) e = serve_time(c, "due_at", &in.due_at, why);
    if (e == ERR_OK) e = serve_bool(c, "sensitive", false, &in.sensitive, why);
    if (e == ERR_OK) e = act_action_add(c->node, &in, id, why);
    return e == ERR_OK ? serve_done(c, in.case_id, id, true, why) : e;
}

static enum err action_set(struct serve_call *c, struct why *why)
{
    const uint8_t *id = NULL;
    uint8_t case_id[16];
    const char *state = serve_text(c, "state"), *text = serve_text(c, "note");
    enum err e = need_row(c, "action", "no action", &id, case_id, why);
    if (e == ERR_OK) e = act_action_set(c->node, id, state, text, why);
    return e == ERR_OK ? serve_done(c, case_id, id, true, why) : e;
}

static enum err allocate(struct serve_call *c, struct why *why)
{
    uint8_t id[16];
    const uint8_t *case_id = NULL, *person = NULL;
    const char *role = serve_text(c, "role");
    enum err e = serve_need_id(c, "case_id", &case_id, why);
    if (e == ERR_OK) e = serve_need_id(c, "practitioner", &person, why);
    if (e == ERR_OK) e = act_allocate(c->node, case_id, person, role, id, why);
    return e == ERR_OK ? done_by_right(c, case_id, id, why) : e;
}

/* --------------------------------------------------------------------------------------- two versions, held work,
 * outbox */
/* As a person's page says it ("2026-11-03T09:00:00Z", "true"), made what conflicts keep. Anything else is left as it
 * is: the act looks whether it fits. */
static enum err read_version(struct serve_call *c, const uint8_t conflict[16], char store[32], struct bytes *out,
                             struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    int64_t ms = 0;
    const char *text = serve_text(c, "value");
    enum err e = serve_sound(c, why);
    if (e != ERR_OK || text == NULL) return e;
    *out = bytes_of_str(text);
    e = db_prepare(node_db(c->node), "SELECT tbl, col FROM conflict WHERE id = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, conflict);
    e = db_step(s, &row, why);
    int t = e == ERR_OK && row ? rules_table_index(db_bytes(s, 0)) : -1;
    int k = t < 0 ? -1 : rules_column_index(rules_table((size_t)t), db_bytes(s, 1));
    db_done(s);
    if (e != ERR_OK || k < 0) return e;
    enum column_type type = rules_table((size_t)t)->columns[k].type;
    if (type == COL_TIME && when_read_rfc3339(text, &ms, NULL) == ERR_OK)
        (void)snprintf(store, 32, "%lld", (long long)ms);
    else if (type == COL_BOOL && (strcmp(text, "true") == 0 || strcmp(text, "false") == 0))
        (void)snprintf(store, 32, "%d", text[0] == 't');
    else
        return ERR_OK;
    *out = bytes_of_str(store);
    return ERR_OK;
}

static enum err conflict_settle(struct serve_call *c, struct why *why)
{
    uint8_t case_id[16];
    char store[32];
    struct act_settle in = {.keep = serve_text(c, "keep"), .reason = serve_text(c, "reason")};
    enum err e = need_row(c, "conflict", "no such pair of versions", &in.conflict, case_id, why);
    if (e == ERR_OK) e = read_version(c, in.conflict, store, &in.value, why);
    if (e == ERR_OK) e = act_conflict_settle(c->node, &in, why);
    return e == ERR_OK ? done_by_right(c, case_id, in.conflict, why) : e;
}

static enum err held_decide(struct serve_call *c, bool accept, struct why *why)
{
    const uint8_t *id = NULL;
    uint8_t case_id[16];
    const char *reason = serve_text(c, "reason");
    enum err e = need_row(c, "held", "nothing held", &id, case_id, why);
    if (e == ERR_OK) e = act_held_decide(c->node, id, accept, reason, why);
    return e == ERR_OK ? done_by_right(c, case_id, id, why) : e;
}
static enum err held_accept(struct serve_call *c, struct why *why)
{
    return held_decide(c, true, why);
}
static enum err held_dismiss(struct serve_call *c, struct why *why)
{
    return held_decide(c, false, why);
}

static enum err outbox_discard(struct serve_call *c, struct why *why)
{
    bool withdrawn = false;
    int64_t seq = json_get_int(c->body, "seq", 0);
    if (seq <= 0) return why_set(why, ERR_USAGE, "It was not said which change is to be taken back ('seq').");
    enum err e = node_outbox_discard(c->node, (uint64_t)seq, &withdrawn, why);
    if (e == ERR_OK) e = serve_done(c, NULL, NULL, false, why);
    if (e != ERR_OK) return e;
    json_set_bool(c->out, "unsent", withdrawn);
    json_set_bool(c->out, "withdrawn", withdrawn);
    if (withdrawn) serve_note(c, "The MASH is told with the next contact that you take it back.");
    return ERR_OK;
}

const struct serve_route serve_act_work_routes[] = {{"POST", "/api/acts/rate", NULL, rate},
                                                    {"POST", "/api/acts/dispute", NULL, dispute},
                                                    {"POST", "/api/acts/dispute-decide", NULL, dispute_decide},
                                                    {"POST", "/api/acts/meeting-add", NULL, meeting_add},
                                                    {"POST", "/api/acts/decide", NULL, decide},
                                                    {"POST", "/api/acts/feedback-send", NULL, feedback_send},
                                                    {"POST", "/api/acts/feedback-ack", NULL, feedback_ack},
                                                    {"POST", "/api/acts/plan-add", NULL, plan_add},
                                                    {"POST", "/api/acts/plan-end", NULL, plan_end},
                                                    {"POST", "/api/acts/action-add", NULL, action_add},
                                                    {"POST", "/api/acts/action-set", NULL, action_set},
                                                    {"POST", "/api/acts/allocate", NULL, allocate},
                                                    {"POST", "/api/acts/request-chase", NULL, request_chase},
                                                    {"POST", "/api/acts/conflict-settle", NULL, conflict_settle},
                                                    {"POST", "/api/acts/held-accept", NULL, held_accept},
                                                    {"POST", "/api/acts/held-dismiss", NULL, held_dismiss},
                                                    {"POST", "/api/acts/outbox-discard", NULL, outbox_discard},
                                                    {0}};
