/* rate, decide, dispute: how grave a case is, what comes of it, and who sees it differently. */
#include "cli/node_commands.h"
#include "cli/node_work.h"
#include "node/act_work.h"

#include <stdio.h>
#include <string.h>

/* --------------------------------------------------------------------------------------------------------- rate */
static void say_rated(const struct act_rated *r)
{
    if (r->stands) return;
    if (r->challenged)
        fputs("Your rating differs from the case's, which stays as it is until social care decides. Both are shown.\n",
              stderr);
    else if (r->disputed)
        fputs("Your rating stands beside the case's, which stays as it is.\n", stderr);
    else if (r->agreed)
        fputs("You rate it as the case is rated, so your dispute about it is taken back.\n", stderr);
}

static enum err show_rated(struct work *w, const struct act_rated *r, struct why *why)
{
    char id[37], due[64];
    uuid_format(r->id, id);
    say_rated(r);
    if (!w->c->json) {
        printf("Rating %s\n", id);
        show_time(r->due_at, due, sizeof due);
        if (r->due_at != 0) printf("A decision is due by %s.\n", due);
        return ERR_OK;
    }
    struct json *o = json_object_new();
    json_set_str(o, "id", id);
    json_set_bool(o, "stands", r->stands);
    json_set_bool(o, "disputed", r->disputed);
    uuid_format(r->challenge, id);
    json_set_str(o, "challenge_id", r->challenged ? id : NULL);
    show_rfc3339(r->due_at, due, sizeof due);
    json_set_str(o, "due_at", r->due_at != 0 ? due : NULL);
    return show_json(o, why);
}

static enum err do_rate(struct work *w, struct why *why)
{
    uint8_t case_id[16];
    bool held = false;
    struct act_rated rated;
    struct act_rate in = {.case_id = case_id, .rag = w->c->args[1], .stage = cli_flag(w->c, "stage")};
    enum err e = cli_need(w->c, "reason", &in.reason, why);
    if (e == ERR_OK) e = work_pick(w, "case_file", w->c->args[0], case_id, why);
    if (e == ERR_OK) e = act_rate(w->node, &in, &rated, why);
    if (e == ERR_OK && !rated.stands) e = node_outlook(w, case_id, false, &held, why);
    return e == ERR_OK ? show_rated(w, &rated, why) : e;
}
static enum err run_rate(struct cli *c, struct why *why)
{
    return work_read(c, do_rate, why);
}

/* ------------------------------------------------------------------------------------------------------- decide */
static void say(void *ctx, const char *sentence)
{
    struct cli *c = ctx;
    c->attention = true;
    fprintf(stderr, "%s\n", sentence);
}

static enum err do_decide(struct work *w, struct why *why)
{
    uint8_t case_id[16];
    struct act_decided decided;
    struct act_decision in = {.case_id = case_id,
                              .decision = cli_flag(w->c, "decision"),
                              .outcome = cli_flag(w->c, "outcome"),
                              .closure_reason = cli_flag(w->c, "close"),
                              .nfa = cli_has(w->c, "nfa"),
                              .close = cli_has(w->c, "close"),
                              .rag = cli_flag(w->c, "rag"),
                              .rag_reason = cli_flag(w->c, "reason")};
    enum err e = work_pick(w, "case_file", w->c->args[0], case_id, why);
    if (e == ERR_OK) e = act_decide(w->node, &in, &decided, why);
    if (e != ERR_OK) return e;
    act_decided_words(&decided, say, w->c);
    return work_say_id(w, in.close ? "Closed" : "Decided", case_id, why);
}
static enum err run_decide(struct cli *c, struct why *why)
{
    return work_read(c, do_decide, why);
}

/* ------------------------------------------------------------------------------------------------------ dispute */
static enum err do_raise(struct work *w, struct why *why)
{
    uint8_t case_id[16], id[16];
    bool held = false;
    struct act_dispute in = {.case_id = case_id, .about = w->c->args[1], .to = cli_flag(w->c, "to")};
    enum err e = cli_need(w->c, "reason", &in.reason, why);
    if (e == ERR_OK) e = work_pick(w, "case_file", w->c->args[0], case_id, why);
    if (e == ERR_OK) e = act_dispute(w->node, &in, id, why);
    if (e == ERR_OK) e = node_outlook(w, case_id, true, &held, why);
    return e == ERR_OK ? work_say_id(w, "Dispute", id, why) : e;
}
static enum err run_raise(struct cli *c, struct why *why)
{
    return work_read(c, do_raise, why);
}

static enum err do_judge(struct work *w, struct why *why)
{
    uint8_t id[16];
    const char *reason = NULL;
    enum err e = cli_need(w->c, "reason", &reason, why);
    if (e == ERR_OK) e = work_pick(w, "challenge", w->c->args[0], id, why);
    struct why none = {0};
    if (e == ERR_NOTFOUND && work_pick(w, "rating", w->c->args[0], id, &none) == ERR_OK)
        e = ERR_OK; /* a rating that waits under no dispute */
    if (e == ERR_OK) e = act_dispute_decide(w->node, id, w->c->args[1], reason, why);
    return e == ERR_OK ? work_say_id(w, "Decided about dispute", id, why) : e;
}
static enum err run_judge(struct cli *c, struct why *why)
{
    return work_read(c, do_judge, why);
}

static const struct show_column columns[] = {
    {"id", "Id", SHOW_ID},
    {"case_id", NULL, SHOW_ID},
    {"reference", "Case", SHOW_TEXT},
    {"agency", "Raised by", SHOW_TEXT},
    {"about", NULL, SHOW_TEXT},
    {"says", "About", SHOW_TEXT},
    {"case_rag", "Case is", SHOW_TEXT},
    {"rag", "They say", SHOW_TEXT},
    {"reason", "Because", SHOW_TEXT},
    {"state", "State", SHOW_TEXT},
    {"decided_by", NULL, SHOW_ID},
    {"decided_name", "Decided by", SHOW_TEXT},
    {"decided_at", "at", SHOW_TIME},
    {"decision_reason", "Their reason", SHOW_TEXT},
};
enum { N_COLUMNS = sizeof columns / sizeof columns[0] };

/* The decider's reason stands in a rating of theirs: node/act_work.h. */
static const char question[] =
    "SELECT x.id, x.case_id, c.reference, x.agency, x.about, CASE x.about WHEN 'rating' THEN 'the rating'"
    " WHEN 'decision' THEN 'the decision' WHEN 'rating:manager' THEN 'the rating, for the manager'"
    " WHEN 'decision:manager' THEN 'the decision, for the manager' ELSE x.about END, c.rag,"
    " CASE WHEN x.about LIKE 'rating%' THEN (SELECT r.rag FROM rating r WHERE r.case_id = x.case_id"
    " AND r.agency = x.agency AND r.voided_at IS NULL ORDER BY r.rated_at DESC, r.id DESC LIMIT 1) END, x.reason,"
    " x.state, x.decided_by, p.name, x.decided_at, (SELECT r.reason FROM rating r WHERE r.case_id = x.case_id"
    " AND r.author = x.decided_by AND r.rated_at = x.decided_at AND r.voided_at IS NULL LIMIT 1) FROM challenge x"
    " LEFT JOIN case_file c ON c.id = x.case_id LEFT JOIN practitioner p ON p.id = x.decided_by"
    " WHERE x.voided_at IS NULL AND ($1 = 1 OR x.state = 'open') ORDER BY x.state = 'open' DESC, x.id";

static enum err do_list(struct work *w, struct why *why)
{
    struct stmt *s = NULL;
    size_t rows = 0;
    enum err e = db_prepare(w->db, question, &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, cli_has(w->c, "all"));
    e = show_list(w->c, s, columns, N_COLUMNS, "Nothing is in dispute.", &rows, why);
    w->c->attention = rows != 0 && !cli_has(w->c, "all");
    return e;
}
static enum err run_list(struct cli *c, struct why *why)
{
    return work_read(c, do_list, why);
}

static const struct flag rate_flags[] = {{"reason", "TEXT", "why; others will read it"},
                                         {"stage", "STAGE", "initial (default), or final: after the decision"},
                                         {0}};
static const struct flag decide_flags[] = {
    {"decision", "TEXT", "what was decided, in words"},
    {"outcome", "CODE", "outcome of the referral: ASSESS, S47, EH, ADVICE, NFA, OTHER; or of the contact: CIN, IA"},
    {"nfa", NULL, "no further action"},
    {"close", "CODE", "also close the case, for this reason of the census, such as RC8"},
    {"rag", "RAG", "how it is rated in the end"},
    {"reason", "TEXT", "why it is rated so"},
    {0}};
static const struct flag raise_flags[] = {
    {"reason", "TEXT", "what you see differently"},
    {"to", "WHOM", "social_care (default), or manager: once social care has decided"},
    {0}};
static const struct flag judge_flags[] = {{"reason", "TEXT", "why; who raised it will read it"}, {0}};
static const struct flag list_flags[] = {{"all", NULL, "decided ones too"}, {0}};

const struct command node_decide_commands[] = {
    {"rate", "CASE RAG", 2, 2,
     "Rate a case red, amber, green or blue, with the reason. The rating of who leads the case, or is on duty for its area, is "
     "the case's; anybody else's stands beside it, and where it differs social care decides.",
     "spoke rate C-7K2M9QXD red --reason \"A new injury today\"", rate_flags, run_rate},
    {"decide", "CASE", 1, 1,
     "Record the decision and its outcome, or close a case that was decided. For who leads it, or is on duty for its area.",
     "spoke decide C-7K2M9QXD --decision \"Assess the family\" --outcome ASSESS", decide_flags, run_decide},
    {"dispute raise", "CASE ABOUT", 2, 2,
     "Say that you do not agree: ABOUT is rating or decision. Social care decides first, then the operations manager.",
     "spoke dispute raise C-7K2M9QXD decision --reason \"He is not safe there\"", raise_flags, run_raise},
    {"dispute decide", "DISPUTE upheld|dismissed", 2, 2,
     "Decide about a dispute, for social workers and managers on duty. A rating that is upheld becomes the case's.",
     "spoke dispute decide 0192f3f7 upheld --reason \"Seen by the doctor\"", judge_flags, run_judge},
    {"dispute list", "", 0, 0, "What is in dispute, and what was decided about it.", "spoke dispute list", list_flags,
     run_list},
    {0}};
