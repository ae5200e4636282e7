/* The pages' acts between agencies: asking and answering, permission to share, saying that something is held,
 * consent, telling without it. Each route reads the body, calls the one function that the command calls too, and
 * says what came of it. */
#include "cli/serve_act.h"

#include "node/act_answers.h"

#include <stdio.h>
#include <string.h>

enum { AGENCIES_MAX = 100 };

/* ---------------------------------------------------------------------------------------------------- requests */
/* Each agency is asked in a change of its own: that one of them cannot be asked keeps nothing from the others. */
struct asking {
    struct act_request in;
    struct json *sent, *failed;
    uint8_t first[16]; /* of those sent */
    size_t n_sent;
    enum err err; /* of the first that failed */
    struct why why;
};

static void ask_one(struct serve_call *c, struct asking *a)
{
    char id[37];
    struct act_request_sent sent;
    struct why why = {0};
    struct json *o = json_object_new();
    enum err e = act_request_send(c->node, &a->in, &sent, &why);
    json_set_str(o, "agency", a->in.to_agency);
    if (e != ERR_OK) {
        if (a->err == ERR_OK) {
            a->err = e;
            a->why = why;
        }
        json_set_str(o, "message", why.text);
        json_append(a->failed, o);
        return;
    }
    if (a->n_sent++ == 0) memcpy(a->first, sent.id, sizeof sent.id);
    uuid_format(sent.id, id);
    json_set_str(o, "id", id);
    serve_set_time(o, "due_at", sent.due_at);
    json_set_bool(o, "brought_in", sent.brought_in);
    json_append(a->sent, o);
}

static void say_failed(struct serve_call *c, struct asking *a)
{
    char text[420];
    for (size_t i = 0; i < json_len(a->failed); i++) {
        struct json *o = json_at(a->failed, i);
        (void)snprintf(text, sizeof text, "Not asked: %.60s. %s", json_get_str(o, "agency"),
                       json_get_str(o, "message"));
        serve_note(c, text);
    }
}

static enum err request_send(struct serve_call *c, struct why *why)
{
    const char *agencies[AGENCIES_MAX];
    size_t n = 0;
    struct asking a = {.in = {.basis = serve_text(c, "lawful_basis")}};
    enum err e = serve_need_id(c, "case_id", &a.in.case_id, why);
    if (e == ERR_OK)
        e = serve_need_text(c, "question", "A request needs its question. Nothing was sent.", &a.in.question, why);
    if (e == ERR_OK) e = serve_texts(c, "agencies", agencies, AGENCIES_MAX, &n, why);
    if (e == ERR_OK && n == 0) e = why_set(why, ERR_USAGE, "Say which agency to ask. Nothing was sent.");
    if (e != ERR_OK) return e;
    a.sent = json_array_new();
    a.failed = json_array_new();
    for (size_t i = 0; i < n; i++) {
        a.in.to_agency = agencies[i];
        ask_one(c, &a);
    }
    if (a.n_sent == 0) {
        if (why != NULL) *why = a.why;
        e = a.err;
    } else {
        e = serve_done(c, a.in.case_id, a.first, true, why);
    }
    if (e == ERR_OK) {
        say_failed(c, &a);
        json_set_obj(c->out, "sent", a.sent);
        json_set_obj(c->out, "failed", a.failed);
        return ERR_OK;
    }
    json_free(a.sent);
    json_free(a.failed);
    return e;
}

static enum err read_answer_record(struct serve_call *c, struct act_record *out, bool *out_any, struct why *why)
{
    struct json *body = c->body, *record = json_get(body, "record");
    *out_any = record != NULL && !json_holds_null(record);
    if (!*out_any) return ERR_OK;
    if (json_as_str(record) != NULL)
        return why_set(why, ERR_USAGE, "'record' takes a title and a text. Nothing was sent.");
    c->body = record;
    const char *text = serve_text(c, "body");
    *out = (struct act_record){.kind = serve_text(c, "kind"),
                               .title = serve_text(c, "title"),
                               .body = text != NULL ? bytes_of_str(text) : bytes_of(NULL, 0),
                               .sensitivity = serve_text(c, "sensitivity"),
                               .handling = serve_text(c, "handling")};
    enum err e = serve_bool(c, "needs_consent", false, &out->needs_consent, why);
    if (e == ERR_OK) e = serve_id(c, "person_id", &out->person, why);
    if (e == ERR_OK) e = serve_time(c, "occurred_at", &out->occurred_at, why);
    c->body = body;
    if (e == ERR_OK && out->title == NULL && text == NULL)
        e = why_set(why, ERR_USAGE, "The record is empty: write what is known. Nothing was sent.");
    return e;
}

static const char *sight_note(enum act_sight s)
{
    switch (s) {
    case ACT_ALL: return "Your record is seen by all who take part, but for those who only check.";
    case ACT_ROOM: return "Your record is sensitive: besides your agency only the MASH room sees it.";
    case ACT_NOBODY_CONSENT:
        return "Nobody else can see your record: it waits for consent. If a child may be at risk of significant harm you"
               " may share without consent: say why.";
    case ACT_NOBODY_RESTRICTED: return "Your record is restricted: nobody but your agency sees it.";
    case ACT_NOBODY_VOIDED: break;
    }
    return "Your record is marked as a mistake: nobody is told.";
}

static enum err say_record(struct serve_call *c, const uint8_t record[16], struct why *why)
{
    char text[37];
    enum act_sight sight = ACT_ALL;
    enum err e = act_record_sight(c->node, record, &sight, why);
    if (e != ERR_OK) return e;
    uuid_format(record, text);
    json_set_str(c->out, "record_id", text);
    json_set_str(c->out, "seen_by", serve_sight_word(sight));
    serve_note(c, sight_note(sight));
    return ERR_OK;
}

static enum err request_answer(struct serve_call *c, struct why *why)
{
    uint8_t case_id[16], record_id[16];
    struct act_record record;
    struct act_answer in = {.result = serve_text(c, "result"), .out_record = record_id};
    bool any = false;
    enum err e = serve_need_id(c, "id", &in.request, why);
    if (e == ERR_OK) e = serve_case_of(c, "request", in.request, "no request", case_id, why);
    if (e == ERR_OK) e = read_answer_record(c, &record, &any, why);
    if (any) in.add = &record;
    if (e == ERR_OK) e = act_request_answer(c->node, &in, why);
    if (e == ERR_OK) e = serve_done(c, case_id, in.request, false, why);
    if (e == ERR_OK && any) return say_record(c, record_id, why);
    if (e == ERR_OK) {
        json_set_null(c->out, "record_id");
        json_set_null(c->out, "seen_by");
    }
    return e;
}

/* What acts upon one row of a table, with a reason. */
struct upon {
    const char *table, *what, *complaint; /* complaint NULL: no reason is asked for */
    bool contribute;
};

static enum err act_upon(struct serve_call *c, const struct upon *u,
                         enum err (*act)(struct node *n, const uint8_t id[16], const char *reason, struct why *why),
                         struct why *why)
{
    const uint8_t *id = NULL;
    const char *reason = NULL;
    uint8_t case_id[16];
    enum err e = serve_need_id(c, "id", &id, why);
    if (e == ERR_OK && u->complaint != NULL) e = serve_need_text(c, "reason", u->complaint, &reason, why);
    if (e == ERR_OK) e = serve_case_of(c, u->table, id, u->what, case_id, why);
    if (e == ERR_OK) e = act(c->node, id, reason, why);
    return e == ERR_OK ? serve_done(c, case_id, id, u->contribute, why) : e;
}

static enum err request_decline(struct serve_call *c, struct why *why)
{
    static const struct upon u = {
        "request", "no request",
        "Say why you do not answer: they must know whether to ask elsewhere. Nothing was changed.", false};
    return act_upon(c, &u, act_request_decline, why);
}

static enum err cancel_request(struct node *n, const uint8_t id[16], const char *reason, struct why *why)
{
    (void)reason;
    return act_request_cancel(n, id, why);
}
static enum err request_cancel(struct serve_call *c, struct why *why)
{
    static const struct upon u = {"request", "no request", NULL, true};
    return act_upon(c, &u, cancel_request, why);
}

/* ----------------------------------------------------------------------------------------------------- answers */
static void note_fault(void *ctx, unsigned line, const char *message)
{
    struct json *o = json_object_new();
    json_set_int(o, "line", line);
    json_set_str(o, "message", message);
    json_append(ctx, o);
}

/* What cannot be taken is an answer too: all its lines at once, and nothing was written. */
static enum err answers_csv(struct serve_call *c, struct why *why)
{
    struct act_answers_done done = {0};
    struct json *lines = json_array_new();
    if (lines == NULL)
        return why_set(why, ERR_NOMEM, "This device has not enough memory for that. Nothing was changed.");
    enum err e = act_answers(c->node, c->req->body, note_fault, lines, &done, why);
    if (e != ERR_OK && !(e == ERR_USAGE && json_len(lines) != 0)) {
        json_free(lines);
        return e;
    }
    c->changed = e == ERR_OK && done.answered + done.declined != 0;
    c->out = json_object_new();
    json_set_int(c->out, "answered", (int64_t)done.answered);
    json_set_int(c->out, "declined", (int64_t)done.declined);
    json_set_int(c->out, "records", (int64_t)done.records);
    json_set_int(c->out, "blank", (int64_t)done.blank);
    json_set_obj(c->out, "lines", lines);
    return ERR_OK;
}

/* ---------------------------------------------------------------------------------------------------- releases */
static enum err release_ask(struct serve_call *c, struct why *why)
{
    uint8_t id[16];
    bool outsider = false;
    struct act_ask in = {0};
    enum err e = serve_need_id(c, "case_id", &in.case_id, why);
    if (e == ERR_OK) e = serve_need_text(c, "to_agency", "Say which agency to ask. Nothing was sent.", &in.holder, why);
    if (e == ERR_OK)
        e = serve_need_text(c, "reason", "Say what you need it for: the owner decides by that. Nothing was changed.",
                            &in.reason, why);
    if (e == ERR_OK) e = serve_id(c, "pointer_id", &in.pointer, why);
    if (e == ERR_OK) e = act_release_ask(c->node, &in, id, &outsider, why);
    if (e == ERR_OK) e = serve_done(c, in.case_id, id, false, why);
    if (e == ERR_OK && outsider)
        serve_note(
            c, "As far as this device knows they take no part in this case: they get your question, but do not see the"
               " case. To bring them in, send them a request.");
    return e;
}

static enum err read_grant(struct serve_call *c, struct act_grant *in, struct why *why)
{
    const char *redacted = serve_text(c, "redacted");
    *in = (struct act_grant){.title = serve_text(c, "title"),
                             .conditions = serve_text(c, "conditions"),
                             .redacted = redacted != NULL ? bytes_of_str(redacted) : bytes_of(NULL, 0)};
    enum err e = serve_need_id(c, "record_id", &in->record, why);
    if (e == ERR_OK)
        e = serve_need_text(c, "to_agency", "Say which agency is to be told. Nothing was released.", &in->to_agency,
                            why);
    if (e == ERR_OK)
        e = serve_need_text(c, "how", "Say how they are told: whole, redacted, or spoken. Nothing was released.",
                            &in->how, why);
    if (e == ERR_OK) e = serve_time(c, "until", &in->until, why);
    return e == ERR_OK ? serve_id(c, "ask_id", &in->ask, why) : e;
}

static void set_value(struct json *o, const char *key, struct value v)
{
    if (v.kind == VALUE_TEXT)
        json_set_text(o, key, v.s);
    else
        serve_set_time(o, key, v.kind == VALUE_INT ? v.i : 0);
}

static void say_cautions(struct serve_call *c, const struct act_preview *p)
{
    if (p->waits)
        serve_note(
            c,
            "As far as this device knows the record waits for consent, and nobody else can see it. You would tell it to"
            " them without consent.");
    if (p->restricted) serve_note(c, "This record is restricted to your own agency.");
    if (p->sensitive) serve_note(c, "This record is sensitive: besides your agency only the MASH room sees it.");
    if (p->handling.kind == VALUE_TEXT && p->conditions.kind != VALUE_TEXT)
        serve_note(c, "How the record must be handled is not told with it, unless you write it as a condition.");
    if (p->outsider)
        serve_note(
            c, "As far as this device knows they take no part in this case: they get what stands above, and do not see"
               " the case.");
    if (p->until.kind != VALUE_INT) serve_note(c, "It has no end: they keep it.");
}

static enum err release_preview(struct serve_call *c, struct why *why)
{
    struct act_grant in;
    struct act_preview p;
    char shown[2 * HASH_BYTES + 1];
    enum err e = read_grant(c, &in, why);
    if (e == ERR_OK && strcmp(in.how, "whole") == 0) /* its text is shown: a look */
        e = node_note_view(c->node, rules_table_index(bytes_of_str("record")), in.record, why);
    if (e != ERR_OK) return e;
    e = act_release_preview(c->node, &in, &p, why);
    if (e == ERR_OK) {
        c->out = json_object_new();
        set_value(c->out, "title", p.title);
        set_value(c->out, "body", p.body);
        set_value(c->out, "conditions", p.conditions);
        set_value(c->out, "until", p.until);
        hex_encode(shown, p.shown, sizeof p.shown);
        json_set_str(c->out, "shown", shown);
        json_set_obj(c->out, "notes", json_array_new());
        say_cautions(c, &p);
    }
    act_preview_release(&p);
    return e;
}

static enum err release_grant(struct serve_call *c, struct why *why)
{
    struct act_grant in;
    uint8_t id[16], shown[HASH_BYTES], case_id[16];
    enum err e = read_grant(c, &in, why);
    if (e == ERR_OK) e = serve_shown(c, "Look first at what they would get. Nothing was released.", shown, why);
    if (e == ERR_OK) e = serve_case_of(c, "record", in.record, "no record", case_id, why);
    if (e != ERR_OK) return e;
    in.shown = shown;
    e = act_release_grant(c->node, &in, id, why);
    return e == ERR_OK ? serve_done(c, case_id, id, false, why) : e;
}

static enum err release_refuse(struct serve_call *c, struct why *why)
{
    static const struct upon u = {"release", "no such question",
                                  "Say why you refuse: they are told. Nothing was changed.", false};
    return act_upon(c, &u, act_release_refuse, why);
}

static enum err cancel_release(struct node *n, const uint8_t id[16], const char *reason, struct why *why)
{
    (void)reason;
    return act_release_cancel(n, id, why);
}
static enum err release_cancel(struct serve_call *c, struct why *why)
{
    static const struct upon u = {"release", "no such question", NULL, false};
    return act_upon(c, &u, cancel_release, why);
}

static enum err pointer_add(struct serve_call *c, struct why *why)
{
    const uint8_t *case_id = NULL;
    uint8_t id[16];
    const char *note = serve_text(c, "note"), *contact = serve_text(c, "contact");
    enum err e = serve_need_id(c, "case_id", &case_id, why);
    if (e == ERR_OK) e = act_pointer_add(c->node, case_id, note, contact, id, why);
    return e == ERR_OK ? serve_done(c, case_id, id, false, why) : e;
}

/* ----------------------------------------------------------------------------------------------------- consent */
struct needing {
    size_t all, waiting, sensitive;
};

static enum err count_needing(void *ctx, const struct act_needing *r, struct why *why)
{
    struct needing *k = ctx;
    (void)why;
    k->all++;
    k->waiting += r->waits;
    k->sensitive += !r->waits && r->sensitive;
    return ERR_OK;
}

/* What this consent does to what this agency wrote. */
static enum err say_effect(struct serve_call *c, const uint8_t case_id[16], struct why *why)
{
    struct needing k = {0};
    char text[400];
    enum err e = act_needing(c->node, case_id, count_needing, &k, why);
    if (e != ERR_OK) return e;
    if (k.all == 0)
        (void)snprintf(text, sizeof text,
                       "No record of your agency in this case needs consent, so none of them changes.");
    else if (k.waiting == 0)
        (void)snprintf(text, sizeof text, "%zu of your records need%s consent and %s not kept back: %s.", k.all,
                       k.all == 1 ? "s" : "", k.all == 1 ? "is" : "are",
                       k.sensitive == 0 ? "those who take part see them"
                       : k.sensitive == k.all
                           ? "marked sensitive, they are seen by the MASH room alone"
                           : "those who take part see them, and the MASH room alone what is sensitive");
    else
        (void)snprintf(
            text, sizeof text,
            "%zu of the %zu records of your agency that need consent wait%s for it: nobody else can see %s. If"
            " a child may be at risk of significant harm you may share without consent: say why.",
            k.waiting, k.all, k.waiting == 1 ? "s" : "", k.waiting == 1 ? "it" : "them");
    json_set_str(c->out, "effect", text);
    return ERR_OK;
}

static enum err consent(struct serve_call *c, struct why *why)
{
    uint8_t id[16];
    struct act_consent in = {.reason = serve_text(c, "reason"), .capacity = serve_text(c, "capacity")};
    enum err e = serve_need_id(c, "case_id", &in.case_id, why);
    if (e == ERR_OK) e = serve_need_id(c, "person_id", &in.person, why);
    if (e == ERR_OK)
        e = serve_need_text(c, "scope",
                            "Say whose records the consent is for: all, or one agency's. Nothing was changed.",
                            &in.scope, why);
    if (e == ERR_OK)
        e = serve_need_text(c, "state",
                            "Say whether consent was given, refused, withdrawn, or not sought. Nothing was changed.",
                            &in.state, why);
    if (e == ERR_OK) e = serve_time(c, "until", &in.until, why);
    if (e == ERR_OK) e = serve_time(c, "told_at", &in.told_at, why);
    if (e == ERR_OK) e = act_consent(c->node, &in, id, why);
    if (e == ERR_OK) e = serve_done(c, in.case_id, id, true, why);
    return e == ERR_OK ? say_effect(c, in.case_id, why) : e;
}

static enum err record_override(struct serve_call *c, struct why *why)
{
    static const struct upon u = {
        "record", "no record", "Say why you tell it without consent: the reason stays on record. Nothing was changed.",
        false};
    enum act_sight sight = ACT_ALL;
    const uint8_t *id = NULL;
    enum err e = act_upon(c, &u, act_override, why);
    if (e == ERR_OK) e = serve_need_id(c, "id", &id, why);
    if (e == ERR_OK) e = act_record_sight(c->node, id, &sight, why);
    if (e != ERR_OK) return e;
    json_set_str(c->out, "seen_by", serve_sight_word(sight));
    serve_note(c, sight == ACT_NOBODY_RESTRICTED
                      ? "It is still restricted to your agency. To tell it to one other, use permission to share."
                  : sight == ACT_ROOM
                      ? "With the next contact the MASH room sees it. Your other records stay as they are."
                      : "With the next contact those who take part see it. Your other records stay as they are.");
    return ERR_OK;
}

const struct serve_route serve_act_share_routes[] = {{"POST", "/api/acts/request-send", NULL, request_send},
                                                     {"POST", "/api/acts/request-answer", NULL, request_answer},
                                                     {"POST", "/api/acts/request-decline", NULL, request_decline},
                                                     {"POST", "/api/acts/request-cancel", NULL, request_cancel},
                                                     {"POST", "/api/answers.csv", NULL, answers_csv},
                                                     {"POST", "/api/acts/release-ask", NULL, release_ask},
                                                     {"POST", "/api/acts/release-preview", NULL, release_preview},
                                                     {"POST", "/api/acts/release-grant", NULL, release_grant},
                                                     {"POST", "/api/acts/release-refuse", NULL, release_refuse},
                                                     {"POST", "/api/acts/release-cancel", NULL, release_cancel},
                                                     {"POST", "/api/acts/pointer-add", NULL, pointer_add},
                                                     {"POST", "/api/acts/consent", NULL, consent},
                                                     {"POST", "/api/acts/record-override", NULL, record_override},
                                                     {NULL, NULL, NULL, NULL}};
