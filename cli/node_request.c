/* request: asking an agency what it knows, and answering. */
#include "cli/node_commands.h"
#include "cli/node_work.h"
#include "node/act_case.h"

#include <string.h>

/* -------------------------------------------------------------------------------------------------------- send */
static enum err say_sent(struct work *w, const struct act_request_sent *sent, bool held, struct why *why)
{
    char id[37], due[40];
    uuid_format(sent->id, id);
    if (sent->brought_in && !held)
        fprintf(stderr, "They take part in the case from now on as far as they must to answer: they see who is in it,"
                        " warnings, and this question.\n");
    if (!w->c->json) {
        printf("Request %s\n", id);
        show_time(sent->due_at, due, sizeof due);
        if (sent->due_at != 0) printf("An answer is due by %s. It goes out with the next contact.\n", due);
        return ERR_OK;
    }
    struct json *o = json_object_new();
    json_set_str(o, "id", id);
    show_rfc3339(sent->due_at, due, sizeof due);
    json_set_str(o, "due_at", sent->due_at != 0 ? due : NULL);
    json_set_bool(o, "brought_in", sent->brought_in);
    return show_json(o, why);
}

static enum err do_send(struct work *w, struct why *why)
{
    uint8_t case_id[16];
    bool held = false;
    struct act_request_sent sent;
    struct act_request in = {.case_id = case_id, .to_agency = w->c->args[1], .basis = cli_flag(w->c, "basis")};
    enum err e = cli_need(w->c, "question", &in.question, why);
    if (e == ERR_OK) e = work_pick(w, "case_file", w->c->args[0], case_id, why);
    if (e == ERR_OK) e = act_request_send(w->node, &in, &sent, why);
    if (e == ERR_OK) e = node_outlook(w, case_id, true, &held, why);
    return e == ERR_OK ? say_sent(w, &sent, held, why) : e;
}
static enum err run_send(struct cli *c, struct why *why)
{
    return work_read(c, do_send, why);
}

/* -------------------------------------------------------------------------------------------------------- list */
static const struct show_column columns[] = {
    {"id", "Id", SHOW_ID},
    {"case_id", NULL, SHOW_ID},
    {"reference", "Case", SHOW_TEXT},
    {"agency", "From", SHOW_TEXT},
    {"to_agency", "To", SHOW_TEXT},
    {"question", "Question", SHOW_TEXT},
    {"lawful_basis", NULL, SHOW_TEXT},
    {"rag", "Rating", SHOW_TEXT},
    {"asked_at", "Asked", SHOW_TIME},
    {"due_at", "Due", SHOW_TIME},
    {"state", NULL, SHOW_TEXT},
    {"result", NULL, SHOW_TEXT},
    {"reason", NULL, SHOW_TEXT},
    {"answered_at", NULL, SHOW_TIME},
    {"answered_by", NULL, SHOW_ID},
    {"answered_name", NULL, SHOW_TEXT},
    {"overdue", NULL, SHOW_BOOL},
    {"says", "Answer", SHOW_TEXT},
};
enum { N_COLUMNS = sizeof columns / sizeof columns[0] };

#define REQUEST_SQL                                                                                                        \
    "SELECT q.id, q.case_id, c.reference, q.agency, q.to_agency, q.question, q.lawful_basis, q.rag, q.asked_at,"           \
    " q.due_at, q.state, q.result, q.reason, q.answered_at, q.answered_by, p.name,"                                        \
    " coalesce(q.state = 'open' AND q.due_at < $1, 0), " WORK_REQUEST_SAYS(                                                \
        "$1") " FROM request q LEFT JOIN case_file c ON c.id = q.case_id LEFT JOIN practitioner p ON p.id = q.answered_by" \
              " WHERE q.voided_at IS NULL"

static enum err do_list(struct work *w, struct why *why)
{
    struct stmt *s = NULL;
    bool in = cli_has(w->c, "in"), out = cli_has(w->c, "out");
    if (in && out) return why_set(why, ERR_USAGE, "Choose one: --in (to answer) or --out (asked by your agency).");
    enum err e = db_prepare(w->db,
                            REQUEST_SQL " AND ($2 = 0 OR (q.state = 'open' AND q.due_at < $1))"
                                        " AND ($3 IS NULL OR q.to_agency = $3) AND ($4 IS NULL OR q.agency = $4)"
                                        " ORDER BY q.state = 'open' DESC, q.due_at IS NULL, q.due_at, q.asked_at, q.id",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, w->now);
    db_bind_int(s, 2, cli_has(w->c, "overdue"));
    db_bind_str(s, 3, in ? w->info.agency : NULL);
    db_bind_str(s, 4, out ? w->info.agency : NULL);
    return show_list(w->c, s, columns, N_COLUMNS, "No such request on this device.", NULL, why);
}
static enum err run_list(struct cli *c, struct why *why)
{
    return work_read(c, do_list, why);
}

static enum err do_show(struct work *w, struct why *why)
{
    static const struct {
        const char *name, *title;
    } titles[] = {
        {"lawful_basis", "Basis"}, {"reason", "Why declined"}, {"answered_at", "Answered"}, {"answered_name", "by"}};
    struct show_column whole[N_COLUMNS];
    struct stmt *s = NULL;
    uint8_t id[16];
    bool found = false;
    memcpy(whole, columns, sizeof whole);
    for (size_t i = 0; i < N_COLUMNS; i++)
        for (size_t k = 0; k < sizeof titles / sizeof titles[0]; k++)
            if (strcmp(whole[i].name, titles[k].name) == 0) whole[i].title = titles[k].title;
    enum err e = work_pick(w, "request", w->c->args[0], id, why);
    if (e == ERR_OK) e = db_prepare(w->db, REQUEST_SQL " AND q.id = $2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, w->now);
    db_bind_id(s, 2, id);
    e = show_one(w->c, s, whole, N_COLUMNS, &found, why);
    if (e == ERR_OK && !found)
        e = why_set(why, ERR_NOTFOUND, "This request was marked as written by mistake. There is nothing to answer.");
    return e;
}
static enum err run_show(struct cli *c, struct why *why)
{
    return work_read(c, do_show, why);
}

/* ------------------------------------------------------------------------------------------------------ answer */
static const char *sight_words(enum act_sight s)
{
    switch (s) {
    case ACT_ALL: return "seen by all who take part with 'view' or 'contribute'";
    case ACT_ROOM: return "sensitive: seen by the MASH room alone";
    case ACT_NOBODY_CONSENT: return "waits for consent: nobody else can see it";
    case ACT_NOBODY_RESTRICTED: return "restricted: nobody else can see it";
    case ACT_NOBODY_VOIDED: return "marked as a mistake: nobody is told";
    }
    return "";
}

/* The answer is between two agencies, the records are not: who sees them depends on themselves. */
static enum err say_records(struct work *w, const uint8_t (*ids)[16], size_t n, struct why *why)
{
    enum err e = ERR_OK;
    bool kept = false;
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        enum act_sight sight = ACT_ALL;
        char text[37];
        uuid_format(ids[i], text);
        e = act_record_sight(w->node, ids[i], &sight, why);
        if (e == ERR_OK) fprintf(stderr, "Record %s: %s.\n", text, sight_words(sight));
        kept = kept || sight != ACT_ALL;
    }
    if (n != 0 && e == ERR_OK)
        fprintf(stderr, "The answer names no record: who sees one depends on the record alone.\n");
    if (kept && e == ERR_OK)
        fprintf(stderr, "To tell the asker what is kept from them: spoke release grant RECORD AGENCY --dry-run\n");
    return e;
}

/* What is known, written in the same change. */
static enum err read_new_record(struct work *w, struct act_record *out, bool *out_any, struct why *why)
{
    struct value body;
    *out = (struct act_record){.kind = cli_flag(w->c, "kind"),
                               .title = cli_flag(w->c, "title"),
                               .sensitivity = cli_flag(w->c, "sensitivity"),
                               .needs_consent = cli_has(w->c, "needs-consent")};
    *out_any = out->title != NULL || cli_has(w->c, "body-file");
    if (!*out_any && (out->kind != NULL || out->sensitivity != NULL || out->needs_consent))
        return why_set(why, ERR_USAGE, "Say what is known: --title, --body-file or both. Nothing was sent.");
    if (!cli_has(w->c, "body-file")) return ERR_OK;
    enum err e = work_file(w, cli_flag(w->c, "body-file"), &body, why);
    if (e == ERR_OK) out->body = body.s;
    return e;
}

static enum err do_answer(struct work *w, struct why *why)
{
    uint8_t id[16], records[CLI_MAX_FLAGS * 4 + 1][16], added[16];
    struct act_record record;
    bool any = false;
    struct act_answer in = {.request = id, .records = (const uint8_t(*)[16])records, .out_record = added};
    const char *typed;
    enum err e = cli_need(w->c, "result", &in.result, why);
    if (e == ERR_OK) e = read_new_record(w, &record, &any, why);
    if (any) in.add = &record;
    if (e == ERR_OK) e = work_pick(w, "request", w->c->args[0], id, why);
    while (e == ERR_OK && (typed = cli_flag_at(w->c, "record", (int)in.n_records)) != NULL)
        e = work_pick(w, "record", typed, records[in.n_records++], why);
    if (e == ERR_OK) e = act_request_answer(w->node, &in, why);
    if (e == ERR_OK && any) memcpy(records[in.n_records++], added, sizeof added);
    if (e == ERR_OK) e = say_records(w, in.records, in.n_records, why);
    return e == ERR_OK ? work_say_id(w, "Answered request", id, why) : e;
}
static enum err run_answer(struct cli *c, struct why *why)
{
    return work_read(c, do_answer, why);
}

static enum err do_decline(struct work *w, struct why *why)
{
    uint8_t id[16];
    const char *reason = NULL;
    enum err e = cli_need(w->c, "reason", &reason, why);
    if (e == ERR_OK) e = work_pick(w, "request", w->c->args[0], id, why);
    if (e == ERR_OK) e = act_request_decline(w->node, id, reason, why);
    return e == ERR_OK ? work_say_id(w, "Declined request", id, why) : e;
}
static enum err run_decline(struct cli *c, struct why *why)
{
    return work_read(c, do_decline, why);
}

static enum err do_cancel(struct work *w, struct why *why)
{
    uint8_t id[16];
    enum err e = work_pick(w, "request", w->c->args[0], id, why);
    if (e == ERR_OK) e = act_request_cancel(w->node, id, why);
    return e == ERR_OK ? work_say_id(w, "Took back request", id, why) : e;
}
static enum err run_cancel(struct cli *c, struct why *why)
{
    return work_read(c, do_cancel, why);
}

static const struct flag send_flags[] = {
    {"question", "TEXT", "what you want to know"}, {"basis", "TEXT", "the lawful basis for asking"}, {0}};
static const struct flag list_flags[] = {{"overdue", NULL, "only those whose answer is late"},
                                         {"in", NULL, "only those your agency must answer"},
                                         {"out", NULL, "only those your agency asked"},
                                         {0}};
static const struct flag answer_flags[] = {
    {"result", "RESULT", "known, not_known or nothing_relevant"},
    {"record", "ID", "a record of your agency that says more; may be given several times"},
    {"title", "TEXT", "write what is known as a new record, in the same change: a line that says what it is"},
    {"body-file", "FILE", "the text of that record; - reads standard input"},
    {"kind", "KIND", "what sort of record it is (default: check)"},
    {"sensitivity", "HOW", "open (default), sensitive (MASH room only) or restricted (this agency only)"},
    {"needs-consent", NULL, "told to nobody until the person consents"},
    {0}};
static const struct flag decline_flags[] = {{"reason", "TEXT", "why you do not answer: they are told"}, {0}};

const struct command node_request_commands[] = {
    {"request send", "CASE AGENCY", 2, 2,
     "Ask an agency what it knows. It comes into the case as far as it must to answer: it sees who, warnings, the question.",
     "spoke request send C-7K2M9QXD health --question \"Is Ada known to you? Any injuries?\" --basis \"Children Act 1989 s47\"",
     send_flags, run_send},
    {"request list", "", 0, 0, "Questions between agencies and their answers, those that wait first.",
     "spoke request list --in --overdue", list_flags, run_list},
    {"request show", "REQUEST", 1, 1, "One question and its answer, in full.", "spoke request show 0192f3d1", NULL,
     run_show},
    {"request answer", "REQUEST", 1, 1,
     "Answer what your agency was asked, with what you know as a record of your own: one that is there, or a new one.",
     "spoke request answer 0192f3d1 --result known --title \"Seen in May\" --body-file seen.txt --sensitivity sensitive", answer_flags, run_answer},
    {"request decline", "REQUEST", 1, 1, "Say that your agency does not answer, and why.",
     "spoke request decline 0192f3d1 --reason \"No lawful basis was given\"", decline_flags, run_decline},
    {"request cancel", "REQUEST", 1, 1, "Take back a question of your agency that waits for its answer.",
     "spoke request cancel 0192f3d1", NULL, run_cancel},
    {0}};
