/* Opening a case: a new referral, with everything that is known at once, in one change. */
#include "node/act_internal.h"
#include "node/act_work.h"

#include "node/look.h"

#include <stdio.h>
#include <string.h>

void act_reference(const struct env *env, char out[16])
{
    static const char letters[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; /* Crockford: nothing that is misread aloud */
    uint8_t r[8];
    env_random(env, r, sizeof r);
    memcpy(out, "C-", 2);
    for (size_t i = 0; i < sizeof r; i++) out[2 + i] = letters[r[i] & 31];
    out[10] = '\0';
}

/* What the rows of a new case have in common. */
struct opening {
    struct node *n;
    const struct act_case *in;
    struct act_case_opened *out;
    int64_t now;
    char lead[128];
    const char *subject;
};

/* --------------------------------------------------------------------------------------------------- checking */
static enum err check_case(struct opening *o, struct why *why)
{
    const struct act_case *in = o->in;
    enum err e = act_known_area(o->n, in->area, &o->out->notes, why);
    if (e == ERR_OK) e = act_said(in->source, "Say who referred: the source of the referral.", why);
    if (e == ERR_OK) e = act_known_code(o->n, "referral_source", in->source, "source of the referral", why);
    if (e == ERR_OK) e = act_said(in->primary_need, "Say what the primary need is.", why);
    if (e == ERR_OK) e = act_known_code(o->n, "primary_need", in->primary_need, "primary need", why);
    if (e == ERR_OK) e = act_said(in->summary, "Say what has happened, in a sentence or two.", why);
    if (e == ERR_OK && in->rag != NULL)
        e = act_said(in->rag_reason, "A rating needs its reason: others decide by it what to drop first.", why);
    if (e == ERR_OK && in->rag == NULL && in->rag_reason != NULL)
        e = why_set(why, ERR_USAGE, "There is a reason for a rating, but no rating. Nothing was changed.");
    if (e == ERR_OK && in->n_people > ACT_PEOPLE_MAX)
        e = why_set(why, ERR_USAGE, "A new case takes %d people at once. Add the others to it afterwards.",
                    ACT_PEOPLE_MAX);
    return e;
}

/* The referrer's own number stands in another case here: perhaps the same work came twice. */
static enum err look_for_twin(struct opening *o, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    char text[ACT_NOTE_CHARS];
    if (o->in->external_ref == NULL) return ERR_OK;
    enum err e = db_prepare(o->n->db,
                            "SELECT c.reference FROM referral f JOIN case_file c ON c.id = f.case_id"
                            " WHERE f.external_ref = $1 AND f.agency = $2 AND f.voided_at IS NULL"
                            " AND c.voided_at IS NULL ORDER BY c.received_at DESC LIMIT 1",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, o->in->external_ref);
    db_bind_str(s, 2, o->n->agency);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) {
        struct bytes reference = db_bytes(s, 0);
        (void)snprintf(text, sizeof text,
                       "Your agency has a case with the same reference of the referrer already: %.*s. If this is the"
                       " same referral, mark one of the two as written by mistake.",
                       (int)(reference.n < 40 ? reference.n : 40), (const char *)reference.p);
        act_note(&o->out->notes, text);
    }
    db_done(s);
    return e;
}

/* Who leads: the agency of the area's MASH room, social care's first. No room: this agency. */
static enum err find_lead(struct opening *o, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(o->n->db,
                            "SELECT s.agency FROM site s JOIN coverage v ON v.site = s.code"
                            " LEFT JOIN agency a ON a.code = s.agency WHERE s.kind = 'mash' AND v.area IN ('*', $1)"
                            " ORDER BY a.kind = 'social_care' DESC, s.code LIMIT 1",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, o->in->area);
    e = db_step(s, &row, why);
    struct bytes agency = e == ERR_OK && row ? db_bytes(s, 0) : bytes_of_str(o->n->agency);
    if (e == ERR_OK && agency.n >= sizeof o->lead)
        e = why_set(why, ERR_FAILED, "The code of the MASH room's agency is too long.");
    if (e == ERR_OK) {
        memcpy(o->lead, agency.p, agency.n);
        o->lead[agency.n] = '\0';
        o->out->mash = row;
    }
    db_done(s);
    return e;
}

/* Whom to ring when it cannot wait. */
static enum err find_phone(struct opening *o, struct why *why)
{
    struct json *phone = NULL;
    enum err e = look_phone(o->n, o->in->area, &phone, why);
    if (e != ERR_OK) return e;
    const char *number = json_get_str(phone, "number");
    (void)snprintf(o->out->phone, sizeof o->out->phone, "%s", number != NULL ? number : "");
    json_free(phone);
    return ERR_OK;
}

/* ---------------------------------------------------------------------------------------------------- writing */
static enum err put_case(struct opening *o, struct why *why)
{
    struct row r;
    const uint8_t *id = o->out->id;
    act_new(o->n, &r, "case_file", id, id);
    act_fill(&r, "reference", value_str(o->out->reference));
    act_fill(&r, "area", value_str(o->in->area));
    act_fill(&r, "subject_kind", value_str(o->subject));
    act_fill(&r, "rag", value_str(o->in->rag));
    act_fill(&r, "status", value_str("new"));
    act_fill(&r, "lead_agency", value_str(o->lead));
    act_fill(&r, "restricted", value_int(0));
    act_fill(&r, "received_at", value_int(o->now));
    act_fill(&r, "due_at", act_time(o->out->due_at));
    enum err e = act_put(o->n, &r, why);
    if (e != ERR_OK) return e;
    act_new(o->n, &r, "brief", id, id);
    act_fill(&r, "primary_need", value_str(o->in->primary_need));
    act_fill(&r, "presenting_issue", value_str(o->in->presenting_issue));
    act_fill(&r, "summary", value_str(o->in->summary));
    act_fill(&r, "rag_reason", value_str(o->in->rag_reason));
    return act_put(o->n, &r, why);
}

static enum err put_referral(struct opening *o, struct why *why)
{
    struct row r;
    uint8_t id[16];
    env_new_id(o->n->env, id);
    act_new(o->n, &r, "referral", o->out->id, id);
    act_fill(&r, "source", value_str(o->in->source));
    act_fill(&r, "referrer", value_str(o->in->referrer));
    act_fill(&r, "external_ref", value_str(o->in->external_ref));
    act_fill(&r, "received_at", value_int(o->now));
    return act_put(o->n, &r, why);
}

static enum err put_own_part(struct opening *o, struct why *why)
{
    struct row r;
    uint8_t id[16];
    act_participant_id(o->n, id, o->out->id, o->n->agency, "");
    act_new(o->n, &r, "participant", o->out->id, id);
    act_fill(&r, "member", value_str(o->n->agency));
    act_fill(&r, "site", value_str(""));
    act_fill(&r, "access", value_str("contribute"));
    /* No `since`: a part begins when the hub takes it in; by this device's clock it might begin next year. */
    return act_put(o->n, &r, why);
}

static enum err put_rating(struct opening *o, struct why *why)
{
    struct row r;
    uint8_t id[16];
    if (o->in->rag == NULL) return ERR_OK;
    env_new_id(o->n->env, id);
    act_new(o->n, &r, "rating", o->out->id, id);
    act_fill(&r, "author", value_id(o->n->user));
    act_fill(&r, "stage", value_str("initial"));
    act_fill(&r, "rag", value_str(o->in->rag));
    act_fill(&r, "reason", value_str(o->in->rag_reason));
    act_fill(&r, "rated_at", value_int(o->now));
    return act_put(o->n, &r, why);
}

static enum err put_way(struct opening *o, const uint8_t person[16], const char *kind, const char *value,
                        struct why *why)
{
    uint8_t id[16];
    const struct act_contact c = {.case_id = o->out->id, .person = person, .kind = kind, .value = value};
    if (value == NULL) return ERR_OK;
    env_new_id(o->n->env, id);
    return act_put_contact(o->n, &c, id, why);
}

static enum err put_consent(struct opening *o, const struct act_newcomer *p, const uint8_t person[16], struct why *why)
{
    uint8_t id[16];
    const struct act_consent c = {.case_id = o->out->id,
                                  .person = person,
                                  .scope = p->consent_scope != NULL ? p->consent_scope : "all",
                                  .state = p->consent,
                                  .reason = p->consent_reason};
    if (p->consent == NULL && (p->consent_reason != NULL || p->consent_scope != NULL))
        return why_set(why, ERR_USAGE, "Say whether consent was given, refused, or not sought. Nothing was changed.");
    return p->consent != NULL ? act_put_consent(o->n, &c, id, why) : ERR_OK;
}

static enum err put_newcomer(struct opening *o, const struct act_newcomer *p, struct why *why)
{
    uint8_t id[16];
    env_new_id(o->n->env, id);
    enum err e = act_put_person(o->n, o->out->id, &p->who, id, &o->out->notes, why);
    if (e == ERR_OK) e = put_way(o, id, "address", p->address, why);
    if (e == ERR_OK) e = put_way(o, id, "phone", p->phone, why);
    return e == ERR_OK ? put_consent(o, p, id, why) : e;
}

static enum err open_case(struct opening *o, struct why *why)
{
    enum err e = check_case(o, why);
    if (e == ERR_OK) e = look_for_twin(o, why);
    if (e == ERR_OK) e = find_lead(o, why);
    if (e == ERR_OK) e = find_phone(o, why);
    if (e == ERR_OK && o->in->rag != NULL)
        e = act_due(o->n, o->in->rag, "decision", o->subject, o->now, &o->out->due_at, why);
    if (e == ERR_OK) e = put_case(o, why);
    if (e == ERR_OK) e = put_referral(o, why);
    if (e == ERR_OK) e = put_own_part(o, why);
    if (e == ERR_OK) e = put_rating(o, why);
    for (size_t i = 0; i < o->in->n_people && e == ERR_OK; i++) e = put_newcomer(o, &o->in->people[i], why);
    return e;
}

enum err act_case_new(struct node *n, const struct act_case *in, struct act_case_opened *out, struct why *why)
{
    struct act_case_opened opened = {0};
    struct opening o = {.n = n,
                        .in = in,
                        .out = &opened,
                        .now = env_now(n->env),
                        .subject = in->subject_kind != NULL ? in->subject_kind : "child"};
    enum err e = node_edit_begin(n, why);
    if (e != ERR_OK) return e;
    env_new_id(n->env, opened.id);
    act_reference(n->env, opened.reference);
    e = act_end(n, open_case(&o, why), "opened a case", why);
    if (e == ERR_OK) *out = opened;
    return e;
}
