/* Asking an agency what it knows, and its answer. */
#include "node/act_internal.h"
#include "node/act_work.h"

#include <string.h>

/* ------------------------------------------------------------------------------------------------------- send */
/* A second click, or two colleagues at one device, must not ask twice. */
static enum err not_asked_yet(struct node *n, const struct act_request *in, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e =
        db_prepare(n->db,
                   "SELECT 1 FROM request WHERE case_id = $1 AND agency = $2 AND to_agency = $3 AND question = $4"
                   " AND state = 'open' AND voided_at IS NULL",
                   &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, in->case_id);
    db_bind_str(s, 2, n->agency);
    db_bind_str(s, 3, in->to_agency);
    db_bind_str(s, 4, in->question);
    e = db_step(s, &row, why);
    db_done(s);
    if (e == ERR_OK && row)
        e = why_set(why, ERR_EXISTS,
                    "Your agency has asked them exactly this already, and the answer is still to come.");
    return e;
}

/* By when an answer is due, by the time scale of the case's rating. */
static enum err reply_due(struct node *n, const struct act_row *c, int64_t now, int64_t *out, struct why *why)
{
    char rag[16], kind[16];
    struct value v = act_column(c, "rag"), k = act_column(c, "subject_kind");
    *out = 0;
    if (v.kind != VALUE_TEXT || v.s.n >= sizeof rag || (k.kind == VALUE_TEXT && k.s.n >= sizeof kind)) return ERR_OK;
    memcpy(rag, v.s.p, v.s.n);
    rag[v.s.n] = '\0';
    if (k.kind == VALUE_TEXT) {
        memcpy(kind, k.s.p, k.s.n);
        kind[k.s.n] = '\0';
    }
    return act_due(n, rag, "reply", k.kind == VALUE_TEXT ? kind : NULL, now, out, why);
}

/* With an id of its own: who asks may not change a part that is there, nor know of one that is kept from it. */
static enum err bring_in(struct node *n, const struct act_request *in, struct why *why)
{
    struct row r;
    uint8_t id[16];
    env_new_id(n->env, id);
    act_new(n, &r, "participant", in->case_id, id);
    act_fill(&r, "member", value_str(in->to_agency));
    act_fill(&r, "site", value_str(""));
    act_fill(&r, "access", value_str("check"));
    act_fill(&r, "basis", value_str(in->basis));
    return act_put(n, &r, why);
}

static enum err may_ask(struct node *n, const struct act_request *in, const struct act_row *c, bool *out_part,
                        struct why *why)
{
    enum err e = act_said(in->question, "A request needs its question.", why);
    if (e == ERR_OK) e = act_other_agency(n, in->to_agency, why);
    if (e == ERR_OK) e = not_asked_yet(n, in, why);
    if (e == ERR_OK) e = act_takes_part(n, in->case_id, in->to_agency, out_part, why);
    if (e == ERR_OK && !*out_part && act_true(act_column(c, "restricted"))) {
        (void)why_set(why, ERR_DENIED,
                      "This case is restricted to sites that are named in it, and none of theirs is: they"
                      " would never see the question. Nothing was sent.");
        e = why_next(why, ERR_DENIED, "Ask whoever leads the case to share it with one of their sites, by its name.");
    }
    return e;
}

static enum err send_request(struct node *n, const struct act_request *in, const struct act_row *c,
                             struct act_request_sent *out, struct why *why)
{
    struct row r;
    int64_t now = env_now(n->env);
    bool part = false;
    env_new_id(n->env, out->id);
    enum err e = may_ask(n, in, c, &part, why);
    if (e == ERR_OK) e = reply_due(n, c, now, &out->due_at, why);
    if (e != ERR_OK) return e;
    act_new(n, &r, "request", in->case_id, out->id);
    act_fill(&r, "to_agency", value_str(in->to_agency));
    act_fill(&r, "question", value_str(in->question));
    act_fill(&r, "lawful_basis", value_str(in->basis));
    act_fill(&r, "rag", act_column(c, "rag"));
    act_fill(&r, "asked_at", value_int(now));
    act_fill(&r, "due_at", act_time(out->due_at));
    act_fill(&r, "state", value_str("open"));
    e = act_put(n, &r, why);
    out->brought_in = !part;
    return e == ERR_OK && !part ? bring_in(n, in, why) : e;
}

enum err act_request_send(struct node *n, const struct act_request *in, struct act_request_sent *out, struct why *why)
{
    struct act_row c;
    struct act_request_sent sent = {0};
    enum err e = node_edit_begin(n, why);
    if (e != ERR_OK) return e;
    e = act_read(n, "case_file", in->case_id, "no case", &c, why);
    if (e == ERR_OK) e = send_request(n, in, &c, &sent, why);
    e = act_end(n, e, "asked an agency what it knows", why);
    act_row_release(&c);
    if (e == ERR_OK) *out = sent;
    return e;
}

/* ------------------------------------------------------------------------------------------------------ answer */
/* A request to this agency that still waits, or was declined and is answered after all. */
static enum err read_asked(struct node *n, const uint8_t id[16], bool declining, struct act_row *out, struct why *why)
{
    enum err e = act_read(n, "request", id, "no request", out, why);
    if (e != ERR_OK) return e;
    struct value state = act_column(out, "state");
    if (!act_is(act_column(out, "to_agency"), n->agency))
        return why_set(why, ERR_DENIED,
                       "This was not asked of your agency. Only the agency that was asked can answer.");
    if (act_is(state, "answered")) return why_set(why, ERR_EXISTS, "Your agency has answered this already.");
    if (act_is(state, "cancelled"))
        return why_set(why, ERR_DENIED, "The question was taken back. Nothing needs to be answered.");
    if (declining && act_is(state, "declined"))
        return why_set(why, ERR_EXISTS, "Your agency has declined this already.");
    return ERR_OK;
}

static enum err set_answer(struct node *n, const uint8_t id[16], const char *state, struct why *why)
{
    enum err e = act_set(n, "request", id, "state", value_str(state), why);
    if (e == ERR_OK) e = act_set(n, "request", id, "answered_at", value_int(env_now(n->env)), why);
    return e == ERR_OK ? act_set(n, "request", id, "answered_by", value_id(n->user), why) : e;
}

static enum err check_record(struct node *n, const uint8_t id[16], const struct act_row *request, struct why *why)
{
    struct act_row r;
    enum err e = act_read(n, "record", id, "no record", &r, why);
    if (e == ERR_OK && !act_own(n, &r))
        e = why_set(why, ERR_DENIED,
                    "A record that is named here was not written by your agency. Answer with your own.");
    if (e == ERR_OK && !act_same_case(&r, request->row.v[1].s.p))
        e = why_set(why, ERR_USAGE, "A record that is named here is about another case. Nothing was sent.");
    act_row_release(&r);
    return e;
}

static enum err add_record(struct node *n, const struct act_answer *in, const struct act_row *request, struct why *why)
{
    uint8_t id[16];
    struct act_record r = *in->add;
    r.case_id = request->row.v[1].s.p;
    if (r.kind == NULL) r.kind = "check";
    if (r.title == NULL) r.title = "Answer to a question";
    env_new_id(n->env, id);
    enum err e = act_put_record(n, &r, id, why);
    if (e == ERR_OK && in->out_record != NULL) memcpy(in->out_record, id, sizeof id);
    return e;
}

static enum err answer_request(struct node *n, const struct act_answer *in, const struct act_row *request,
                               struct why *why)
{
    const struct table_rule *t = request->row.table;
    const struct column_rule *c = &t->columns[rules_column_index(t, bytes_of_str("result"))];
    if (in->result == NULL || !rules_word_ok(c, bytes_of_str(in->result)))
        return why_set(why, ERR_USAGE, "An answer says known, not_known or nothing_relevant. Nothing was sent.");
    if ((in->n_records != 0 || in->add != NULL) && strcmp(in->result, "known") != 0)
        return why_set(why, ERR_USAGE, "The answer '%s' goes with no record. Nothing was sent.", in->result);
    enum err e = ERR_OK;
    for (size_t i = 0; i < in->n_records && e == ERR_OK; i++) e = check_record(n, in->records[i], request, why);
    if (e == ERR_OK && in->add != NULL) e = add_record(n, in, request, why);
    if (e == ERR_OK) e = act_set(n, "request", in->request, "result", value_str(in->result), why);
    return e == ERR_OK ? set_answer(n, in->request, "answered", why) : e;
}

enum err act_put_answer(struct node *n, const struct act_answer *in, struct why *why)
{
    struct act_row r;
    enum err e = read_asked(n, in->request, false, &r, why);
    if (e == ERR_OK) e = answer_request(n, in, &r, why);
    act_row_release(&r);
    return e;
}

enum err act_request_answer(struct node *n, const struct act_answer *in, struct why *why)
{
    enum err e = node_edit_begin(n, why);
    if (e != ERR_OK) return e;
    return act_end(n, act_put_answer(n, in, why), "answered a request", why);
}

enum err act_put_decline(struct node *n, const uint8_t request[16], const char *reason, struct why *why)
{
    struct act_row r;
    enum err e = read_asked(n, request, true, &r, why);
    if (e == ERR_OK) e = act_said(reason, "Say why you do not answer: they must know whether to ask elsewhere.", why);
    if (e == ERR_OK) e = act_set(n, "request", request, "reason", value_str(reason), why);
    if (e == ERR_OK) e = set_answer(n, request, "declined", why);
    act_row_release(&r);
    return e;
}

enum err act_request_decline(struct node *n, const uint8_t request[16], const char *reason, struct why *why)
{
    enum err e = node_edit_begin(n, why);
    if (e != ERR_OK) return e;
    return act_end(n, act_put_decline(n, request, reason, why), "declined a request", why);
}

/* ----------------------------------------------------------------------------------------------------- cancel */
static enum err cancel(struct node *n, const uint8_t id[16], struct why *why)
{
    struct act_row r;
    enum err e = act_read(n, "request", id, "no request", &r, why);
    if (e == ERR_OK && !act_own(n, &r))
        e = why_set(why, ERR_DENIED, "Another agency asked this. Only the one that asked can take it back.");
    if (e == ERR_OK && !act_is(act_column(&r, "state"), "open"))
        e = why_set(why, ERR_EXISTS, "This does not wait for an answer any more. There is nothing to take back.");
    act_row_release(&r);
    return e == ERR_OK ? act_set(n, "request", id, "state", value_str("cancelled"), why) : e;
}

enum err act_request_cancel(struct node *n, const uint8_t request[16], struct why *why)
{
    enum err e = node_edit_begin(n, why);
    if (e != ERR_OK) return e;
    return act_end(n, cancel(n, request, why), "took a request back", why);
}
