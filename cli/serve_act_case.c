/* The pages' acts by which people write in a case: opening it, who takes part, its people, records, and taking back.
 * Each route reads the body, calls the one function that the command calls too (node/act_case.h), and says what came
 * of it. */
#include "cli/serve_act.h"

#include <stdio.h>
#include <string.h>

enum { CHANGES_MAX = 32 };

/* -------------------------------------------------------------------------------------------------------- new */
/* serve_text of a member of the body's own. */
static const char *text_in(struct serve_call *c, struct json *object, const char *name)
{
    struct json *body = c->body;
    c->body = object;
    const char *text = serve_text(c, name);
    c->body = body;
    return text;
}

static void read_person(struct serve_call *c, struct act_person *out)
{
    *out = (struct act_person){.role = serve_text(c, "role"),
                               .family_name = serve_text(c, "family_name"),
                               .given_names = serve_text(c, "given_names"),
                               .born_on = serve_text(c, "born_on"),
                               .expected_on = serve_text(c, "expected_on"),
                               .died_on = serve_text(c, "died_on"),
                               .sex = serve_text(c, "sex"),
                               .nhs = serve_text(c, "nhs"),
                               .upn = serve_text(c, "upn")};
}

static enum err read_newcomer(struct serve_call *c, struct json *person, struct act_newcomer *out, struct why *why)
{
    struct json *body = c->body, *consent = json_get(person, "consent");
    if (json_as_str(consent) != NULL) return why_set(why, ERR_USAGE, "'consent' takes a state, a reason and a scope.");
    c->body = person;
    read_person(c, &out->who);
    c->body = body;
    out->address = text_in(c, person, "address");
    out->phone = text_in(c, person, "phone");
    out->consent = text_in(c, consent, "state");
    out->consent_reason = text_in(c, consent, "reason");
    out->consent_scope = text_in(c, consent, "scope");
    return serve_sound(c, why);
}

static enum err read_people(struct serve_call *c, struct act_newcomer people[ACT_PEOPLE_MAX], size_t *out_n,
                            struct why *why)
{
    size_t n = 0;
    enum err e = serve_items(c, "people", &n, why);
    if (e == ERR_OK && n > ACT_PEOPLE_MAX)
        e = why_set(why, ERR_USAGE, "A new case takes %d people at once. Add the others to it afterwards.",
                    ACT_PEOPLE_MAX);
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        people[i] = (struct act_newcomer){0};
        e = read_newcomer(c, json_at(json_get(c->body, "people"), i), &people[i], why);
    }
    if (e == ERR_OK) *out_n = n;
    return e;
}

static enum err say_new(struct serve_call *c, const struct act_case *in, const struct act_case_opened *o,
                        struct why *why)
{
    char text[ACT_NOTE_CHARS];
    enum err e = serve_done(c, o->id, o->id, true, why);
    if (e != ERR_OK) return e;
    json_set_bool(c->out, "mash", o->mash);
    json_set_str(c->out, "phone", o->phone[0] != '\0' ? o->phone : NULL);
    serve_set_time(c->out, "due_at", o->due_at);
    if (in->rag != NULL && strcmp(in->rag, "red") == 0) {
        (void)snprintf(text, sizeof text,
                       "The MASH does NOT have this yet: it goes with the next contact. If somebody may be at risk now,"
                       " phone %s.",
                       o->phone[0] != '\0' ? o->phone : "the MASH");
        serve_note(c, text);
    }
    if (!o->mash)
        serve_note(c, "No MASH room covers this area, so nobody will pick this case up. Phone the MASH, and tell its"
                      " administrator now.");
    serve_notes(c, &o->notes);
    return ERR_OK;
}

static enum err case_new(struct serve_call *c, struct why *why)
{
    struct act_newcomer people[ACT_PEOPLE_MAX];
    struct act_case_opened opened;
    struct act_case in = {.area = serve_text(c, "area"),
                          .source = serve_text(c, "source"),
                          .referrer = serve_text(c, "referrer"),
                          .external_ref = serve_text(c, "external_ref"),
                          .primary_need = serve_text(c, "primary_need"),
                          .presenting_issue = serve_text(c, "presenting_issue"),
                          .summary = serve_text(c, "summary"),
                          .subject_kind = serve_text(c, "subject_kind"),
                          .rag = serve_text(c, "rag"),
                          .rag_reason = serve_text(c, "rag_reason"),
                          .people = people};
    enum err e = serve_sound(c, why);
    if (e == ERR_OK) e = read_people(c, people, &in.n_people, why);
    if (e == ERR_OK) e = act_case_new(c->node, &in, &opened, why);
    return e == ERR_OK ? say_new(c, &in, &opened, why) : e;
}

/* -------------------------------------------------------------------------------------------------- set, share */
static enum err case_set(struct serve_call *c, struct why *why)
{
    static const char *const file[] = {"status", "area", "lead_agency", "restricted", NULL};
    static const char *const brief[] = {"primary_need", "presenting_issue", "summary", "basis", NULL};
    struct act_change changes[CHANGES_MAX];
    struct act_notes notes;
    const uint8_t *id = NULL;
    size_t n = 0;
    bool held = false;
    enum err e = serve_need_id(c, "case_id", &id, why);
    if (e == ERR_OK) e = serve_changes(c, "case_file", file, changes, CHANGES_MAX, &n, why);
    if (e == ERR_OK) e = serve_changes(c, "brief", brief, changes, CHANGES_MAX, &n, why);
    if (e == ERR_OK) e = act_case_set(c->node, id, changes, n, &held, &notes, why);
    if (e == ERR_OK) e = serve_done(c, id, id, true, why);
    if (e != ERR_OK) return e;
    serve_held(c, held);
    serve_notes(c, &notes);
    return ERR_OK;
}

static enum err case_share(struct serve_call *c, struct why *why)
{
    const uint8_t *case_id = NULL;
    uint8_t id[1][16];
    bool held = false;
    struct act_share in = {.n_cases = 1,
                           .site = serve_text(c, "site"),
                           .access = serve_text(c, "access"),
                           .basis = serve_text(c, "basis")};
    enum err e = serve_need_id(c, "case_id", &case_id, why);
    if (e == ERR_OK) e = serve_need_text(c, "agency", "Say which agency.", &in.agency, why);
    if (e == ERR_OK) e = serve_time(c, "until", &in.until, why);
    if (e == ERR_OK) e = serve_bool(c, "quiet", false, &in.quiet, why);
    if (e != ERR_OK) return e;
    in.cases = (const uint8_t(*)[16])case_id;
    e = act_case_share(c->node, &in, id, &held, why);
    if (e == ERR_OK) e = serve_done(c, case_id, id[0], true, why);
    if (e == ERR_OK) serve_held(c, held);
    return e;
}

static enum err case_unshare(struct serve_call *c, struct why *why)
{
    const uint8_t *case_id = NULL;
    const char *agency = NULL;
    bool held = false;
    enum err e = serve_need_id(c, "case_id", &case_id, why);
    if (e == ERR_OK) e = serve_need_text(c, "agency", "Say which agency.", &agency, why);
    if (e == ERR_OK) e = act_case_unshare(c->node, case_id, agency, &held, why);
    if (e == ERR_OK) e = serve_done(c, case_id, case_id, true, why);
    if (e == ERR_OK) serve_held(c, held);
    return e;
}

/* ------------------------------------------------------------------------------------------------------ people */
static enum err person_add(struct serve_call *c, struct why *why)
{
    const uint8_t *case_id = NULL;
    uint8_t id[16];
    struct act_person in;
    struct act_notes notes;
    enum err e = serve_need_id(c, "case_id", &case_id, why);
    read_person(c, &in);
    if (e == ERR_OK) e = serve_sound(c, why);
    if (e == ERR_OK) e = act_person_add(c->node, case_id, &in, id, &notes, why);
    if (e == ERR_OK) e = serve_done(c, case_id, id, true, why);
    if (e == ERR_OK) serve_notes(c, &notes);
    return e;
}

static enum err person_set(struct serve_call *c, struct why *why)
{
    static const char *const names[] = {"role",    "family_name", "given_names", "born_on", "expected_on",
                                        "died_on", "sex",         "nhs",         "upn",     NULL};
    struct act_change changes[CHANGES_MAX];
    struct act_notes notes;
    const uint8_t *id = NULL;
    uint8_t case_id[16];
    size_t n = 0;
    enum err e = serve_need_id(c, "id", &id, why);
    if (e == ERR_OK) e = serve_case_of(c, "person", id, "no person", case_id, why);
    if (e == ERR_OK) e = serve_changes(c, "person", names, changes, CHANGES_MAX, &n, why);
    if (e == ERR_OK) e = act_person_set(c->node, id, changes, n, &notes, why);
    if (e == ERR_OK) e = serve_done(c, case_id, id, true, why);
    if (e == ERR_OK) serve_notes(c, &notes);
    return e;
}

static enum err kin_add(struct serve_call *c, struct why *why)
{
    const uint8_t *case_id = NULL, *person = NULL, *relative = NULL;
    const char *kind = NULL;
    uint8_t id[16];
    enum err e = serve_need_id(c, "case_id", &case_id, why);
    if (e == ERR_OK) e = serve_need_id(c, "person_id", &person, why);
    if (e == ERR_OK) e = serve_need_id(c, "relative_id", &relative, why);
    if (e == ERR_OK) e = serve_need_text(c, "kind", "Say how they are related.", &kind, why);
    if (e == ERR_OK) e = act_kin_add(c->node, case_id, person, relative, kind, id, why);
    return e == ERR_OK ? serve_done(c, case_id, id, true, why) : e;
}

static enum err contact_add(struct serve_call *c, struct why *why)
{
    uint8_t id[16], case_id[16];
    struct act_contact in = {
        .kind = serve_text(c, "kind"), .value = serve_text(c, "value"), .note = serve_text(c, "note")};
    enum err e = serve_need_id(c, "person_id", &in.person, why);
    if (e == ERR_OK) e = serve_id(c, "case_id", &in.case_id, why);
    if (e == ERR_OK) e = serve_bool(c, "protected", false, &in.protected, why);
    if (e == ERR_OK) e = serve_case_of(c, "person", in.person, "no person", case_id, why);
    if (e == ERR_OK) e = act_contact_add(c->node, &in, id, why);
    return e == ERR_OK ? serve_done(c, case_id, id, true, why) : e;
}

static enum err warning_add(struct serve_call *c, struct why *why)
{
    uint8_t id[16];
    struct act_warning in = {.kind = serve_text(c, "kind"), .note = serve_text(c, "note")};
    enum err e = serve_need_id(c, "case_id", &in.case_id, why);
    if (e == ERR_OK) e = serve_id(c, "person_id", &in.person, why);
    if (e == ERR_OK) e = serve_time(c, "until", &in.until, why);
    if (e == ERR_OK) e = act_warning_add(c->node, &in, id, why);
    return e == ERR_OK ? serve_done(c, in.case_id, id, true, why) : e;
}

/* ----------------------------------------------------------------------------------------------------- records */
static enum err record_add(struct serve_call *c, struct why *why)
{
    uint8_t id[16];
    enum act_sight sight = ACT_ALL;
    const char *body = serve_text(c, "body");
    struct act_record in = {.kind = serve_text(c, "kind"),
                            .title = serve_text(c, "title"),
                            .body = body != NULL ? bytes_of_str(body) : bytes_of(NULL, 0),
                            .sensitivity = serve_text(c, "sensitivity"),
                            .handling = serve_text(c, "handling")};
    enum err e = serve_need_id(c, "case_id", &in.case_id, why);
    if (e == ERR_OK) e = serve_id(c, "person_id", &in.person, why);
    if (e == ERR_OK) e = serve_time(c, "occurred_at", &in.occurred_at, why);
    if (e == ERR_OK) e = serve_bool(c, "needs_consent", false, &in.needs_consent, why);
    if (e == ERR_OK) e = act_record_add(c->node, &in, id, &sight, why);
    if (e == ERR_OK) e = serve_done(c, in.case_id, id, false, why);
    if (e != ERR_OK) return e;
    json_set_str(c->out, "seen_by", serve_sight_word(sight));
    if (sight == ACT_NOBODY_CONSENT)
        serve_note(c, "Nobody else can see this. If a child may be at risk of significant harm you may share without"
                      " consent: say why.");
    return ERR_OK;
}

/* What was on the page is bound: another text, or another reach, is another decision. */
static enum err record_set(struct serve_call *c, struct why *why)
{
    static const char *const names[] = {"kind",          "title",    "body",        "sensitivity",
                                        "needs_consent", "handling", "occurred_at", NULL};
    struct act_change changes[CHANGES_MAX];
    struct act_record_edit in = {.changes = changes};
    struct act_record_edited done = {0};
    uint8_t case_id[16], shown[HASH_BYTES];
    char said[ACT_SIGHT_CHARS];
    enum err e = serve_need_id(c, "id", &in.record, why);
    if (e == ERR_OK) e = serve_shown(c, "Look first at what the record says now. Nothing was changed.", shown, why);
    if (e == ERR_OK) e = serve_case_of(c, "record", in.record, "no record", case_id, why);
    if (e == ERR_OK) e = serve_changes(c, "record", names, changes, CHANGES_MAX, &in.n_changes, why);
    if (e != ERR_OK) return e;
    in.shown = shown;
    e = act_record_set(c->node, &in, &done, why);
    if (e == ERR_OK) e = serve_done(c, case_id, in.record, false, why);
    if (e != ERR_OK) return e;
    json_set_str(c->out, "seen_by", serve_sight_word(done.after));
    act_sight_change(done.before, done.after, said);
    if (said[0] != '\0') serve_note(c, said);
    if (done.told) serve_note(c, ACT_RECORD_TOLD);
    return ERR_OK;
}

static enum err take_back(struct serve_call *c, struct why *why)
{
    const uint8_t *id = NULL;
    const char *table = NULL, *reason = NULL;
    uint8_t case_id[16];
    enum err e = serve_need_text(c, "tbl", "It was not said what this is about ('tbl').", &table, why);
    if (e == ERR_OK) e = serve_need_id(c, "id", &id, why);
    if (e == ERR_OK)
        e = serve_need_text(c, "reason", "Say why it was a mistake: the reason stays on record. Nothing was changed.",
                            &reason, why);
    if (e == ERR_OK) e = serve_case_of(c, table, id, "nothing", case_id, why);
    if (e == ERR_OK) e = act_void(c->node, table, id, reason, why);
    if (e == ERR_OK) e = serve_done(c, case_id, id, false, why);
    if (e == ERR_OK)
        serve_note(c, "With the next contact it leaves everybody but your agency, and the MASH room if that had it.");
    return e;
}

const struct serve_route serve_act_case_routes[] = {{"POST", "/api/acts/case-new", NULL, case_new},
                                                    {"POST", "/api/acts/case-set", NULL, case_set},
                                                    {"POST", "/api/acts/case-share", NULL, case_share},
                                                    {"POST", "/api/acts/case-unshare", NULL, case_unshare},
                                                    {"POST", "/api/acts/person-add", NULL, person_add},
                                                    {"POST", "/api/acts/person-set", NULL, person_set},
                                                    {"POST", "/api/acts/kin-add", NULL, kin_add},
                                                    {"POST", "/api/acts/contact-add", NULL, contact_add},
                                                    {"POST", "/api/acts/warning-add", NULL, warning_add},
                                                    {"POST", "/api/acts/record-add", NULL, record_add},
                                                    {"POST", "/api/acts/record-set", NULL, record_set},
                                                    {"POST", "/api/acts/void", NULL, take_back},
                                                    {NULL, NULL, NULL, NULL}};
