#include "cli/import_cin_write.h"

#include "sync/envelope.h"

#include <assert.h>
#include <string.h>

static_assert(CIN_EDIT_CASES <= ENVELOPE_MAX_PARTS, "an edit must fit in one envelope");

/* Ids that the rows of the case being written share. */
struct ids {
    uint8_t case_id[16], person[16];
};

/* A row with id, case and agency set and the rest NULL. */
static void begin(struct row *r, const struct cin_writer *w, const char *table, const uint8_t *id,
                  const struct ids *ids)
{
    int i = rules_table_index(bytes_of_str(table));
    assert(i >= 0);
    *r = (struct row){.table = rules_table((size_t)i)};
    for (size_t k = 0; k < r->table->n_columns; k++) r->v[k] = value_null();
    r->v[0] = value_id(id);
    r->v[1] = value_id(ids->case_id);
    r->v[2] = value_str(w->agency);
}

static void set(struct row *r, const char *column, struct value v)
{
    int i = rules_column_index(r->table, bytes_of_str(column));
    assert(i > 2);
    r->v[i] = v;
}

/* Absent ones stay NULL. */
static void set_text(struct row *r, const char *column, const char *text)
{
    if (text[0] != '\0') set(r, column, value_str(text));
}
static void set_time(struct row *r, const char *column, const struct cin_date *d)
{
    if (d->iso[0] != '\0') set(r, column, value_int(d->ms));
}

static enum err put(struct cin_writer *w, const struct row *r, struct why *why)
{
    w->rows++;
    return db_row_put(w->db, r, why);
}

/* Random and readable aloud: Crockford's base 32 leaves out I, L, O and U. Never counted, so that it tells nothing. */
static void draw_reference(const struct env *env, char out[11])
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    uint8_t r[8];
    env_random(env, r, sizeof r);
    memcpy(out, "C-", 2);
    for (size_t i = 0; i < 8; i++) out[2 + i] = digits[r[i] & 31];
    out[10] = '\0';
}

static enum err put_case(struct cin_writer *w, const struct ids *ids, const struct cin_referral *r, const char *ref,
                         struct why *why)
{
    struct row row;
    char reference[11];
    uint8_t id[16];
    draw_reference(w->env, reference);
    begin(&row, w, "case_file", ids->case_id, ids);
    set(&row, "reference", value_str(reference));
    set(&row, "area", value_str(w->area));
    set(&row, "subject_kind", value_str("child"));
    set(&row, "status", value_str(r->closed.iso[0] != '\0' ? "closed" : "gathering"));
    set(&row, "lead_agency", value_str(w->agency));
    set(&row, "restricted", value_int(0));
    set_time(&row, "received_at", &r->received);
    set_time(&row, "closed_at", &r->closed);
    enum err e = put(w, &row, why);
    if (e != ERR_OK) return e;

    begin(&row, w, "brief", ids->case_id, ids);
    set_text(&row, "primary_need", r->need.v);
    set_text(&row, "closure_reason", r->closure.v);
    if (r->nfa != CIN_UNSAID) set(&row, "nfa", value_int(r->nfa == CIN_YES));
    e = put(w, &row, why);
    if (e != ERR_OK) return e;

    env_new_id(w->env, id);
    begin(&row, w, "referral", id, ids);
    set_text(&row, "source", r->source.v);
    set(&row, "external_ref", value_str(ref));
    set_time(&row, "received_at", &r->received);
    e = put(w, &row, why);
    if (e != ERR_OK) return e;

    env_new_id(w->env, id);
    begin(&row, w, "participant", id, ids);
    set(&row, "member", value_str(w->agency));
    set(&row, "access", value_str("contribute"));
    /* No `since`: it takes effect by the hub's clock, and a device whose own is ahead must not lose its case. */
    return put(w, &row, why);
}

static enum err put_identifier(struct cin_writer *w, const struct ids *ids, const char *scheme, const char *value,
                               struct why *why)
{
    struct row row;
    uint8_t id[16];
    if (value[0] == '\0') return ERR_OK;
    env_new_id(w->env, id);
    begin(&row, w, "identifier", id, ids);
    set(&row, "person_id", value_id(ids->person));
    set(&row, "scheme", value_str(scheme));
    set(&row, "value", value_str(value));
    return put(w, &row, why);
}

static enum err put_code(struct cin_writer *w, const struct ids *ids, const uint8_t *episode, const char *list,
                         const struct cin_code *code, struct why *why)
{
    struct row row;
    uint8_t id[16];
    if (code->v[0] == '\0') return ERR_OK;
    env_new_id(w->env, id);
    begin(&row, w, "coded", id, ids);
    set(&row, "person_id", value_id(ids->person));
    if (episode != NULL) set(&row, "episode_id", value_id(episode));
    set(&row, "list", value_str(list));
    set(&row, "code", value_str(code->v));
    return put(w, &row, why);
}

static enum err put_person(struct cin_writer *w, const struct ids *ids, const struct cin_child *child, struct why *why)
{
    struct row row;
    begin(&row, w, "person", ids->person, ids);
    set(&row, "role", value_str("child"));
    set_text(&row, "born_on", child->born.iso);
    set_text(&row, "expected_on", child->expected.iso);
    set_text(&row, "died_on", child->died.iso);
    set_text(&row, "sex", child->sex.v);
    enum err e = put(w, &row, why);
    if (e == ERR_OK) e = put_identifier(w, ids, "upn", child->upn, why);
    if (e == ERR_OK) e = put_identifier(w, ids, "former_upn", child->former_upn, why);
    if (e == ERR_OK) e = put_identifier(w, ids, "la_child", child->la_id, why);
    if (e == ERR_OK) e = put_code(w, ids, NULL, "upn_unknown", &child->upn_unknown, why);
    if (e == ERR_OK) e = put_code(w, ids, NULL, "ethnicity", &child->ethnicity, why);
    for (size_t i = 0; i < child->disabilities.n && e == ERR_OK; i++)
        e = put_code(w, ids, NULL, "disability", &child->disabilities.v[i], why);
    return e;
}

static enum err put_episode(struct cin_writer *w, const struct ids *ids, const struct cin_episode *ep, struct why *why)
{
    struct row row;
    uint8_t id[16];
    env_new_id(w->env, id);
    begin(&row, w, "episode", id, ids);
    set(&row, "person_id", value_id(ids->person));
    set(&row, "kind", value_str(cin_kind_word(ep->kind)));
    set_time(&row, "started_at", &ep->start);
    set_time(&row, "target_at", &ep->target);
    if (ep->kind != CIN_SECTION_47) /* there it is the conference's date, an episode of its own */
        set_time(&row, "ended_at", &ep->end);
    if (ep->no_conference != CIN_UNSAID)
        set_text(&row, "result", ep->no_conference == CIN_YES ? "conference not required" : "conference required");
    enum err e = put(w, &row, why);
    for (size_t i = 0; i < ep->factors.n && e == ERR_OK; i++)
        e = put_code(w, ids, id, "assessment_factor", &ep->factors.v[i], why);
    if (e == ERR_OK) e = put_code(w, ids, id, "abuse_category", &ep->last_abuse, why);
    if (e == ERR_OK) e = put_code(w, ids, id, "initial_abuse_category", &ep->first_abuse, why);
    if (e == ERR_OK) e = put_code(w, ids, id, "previous_plans", &ep->previous, why);
    return e;
}

static enum err put_conference(struct cin_writer *w, const struct ids *ids, const struct cin_date *d, struct why *why)
{
    struct cin_episode conference = {.kind = CIN_CONFERENCE, .start = *d};
    return put_episode(w, ids, &conference, why);
}

enum err cin_write_case(struct cin_writer *w, const struct cin_child *child, const struct cin_referral *r,
                        const char *ref, struct why *why)
{
    struct ids ids;
    env_new_id(w->env, ids.case_id);
    env_new_id(w->env, ids.person);
    enum err e = put_case(w, &ids, r, ref, why);
    if (e == ERR_OK) e = put_person(w, &ids, child, why);
    if (e == ERR_OK && r->conference.iso[0] != '\0') e = put_conference(w, &ids, &r->conference, why);
    for (size_t i = 0; i < r->n && e == ERR_OK; i++) {
        const struct cin_episode *ep = &r->episodes[i];
        e = put_episode(w, &ids, ep, why);
        /* A conference may be named with the referral and again with its enquiry. */
        if (e == ERR_OK && ep->kind == CIN_SECTION_47 && ep->end.iso[0] != '\0' && ep->end.ms != r->conference.ms)
            e = put_conference(w, &ids, &ep->end, why);
    }
    return e;
}
