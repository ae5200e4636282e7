/* What the deciding acts share: who may, by when, and the case's own columns. */
#include "node/act_work_internal.h"
#include "node/look_board.h"

#include <string.h>

/* --------------------------------------------------------------------------------------------------- standing */
#define DUTY(which)                                                                                                    \
    "EXISTS (SELECT 1 FROM duty d JOIN practitioner p ON p.id = d.practitioner WHERE p.id = $4 AND p.site = $3"        \
    " AND coalesce(p.active, 1) = 1 AND d.area IN ('*', c.area) AND d.duty = '" which "')"
#define MASH "EXISTS (SELECT 1 FROM site s WHERE s.code = $3 AND s.kind = 'mash')"

/* hub/policy.sql (site_access) and hub/standing.c decide; this says the same from the rows that this device has. */
static const char standing_sql[] =
    "SELECT coalesce(c.lead_agency = $2, 0), " MASH ", " MASH " AND CASE WHEN coalesce(c.restricted, 0) = 0"
    " THEN EXISTS (SELECT 1 FROM coverage v WHERE v.site = $3 AND v.area IN ('*', c.area))"
    " ELSE EXISTS (SELECT 1 FROM participant p WHERE p.case_id = c.id AND p.member = $2 AND p.site = $3"
    " AND p.access = 'contribute' AND p.voided_at IS NULL AND (p.since IS NULL OR p.since <= $5)"
    " AND (p.until IS NULL OR p.until > $5)) END, " DUTY("manager") ", " DUTY("social_care") " FROM case_file c"
                                                                                             " WHERE c.id = $1";

enum err act_standing(struct node *n, const uint8_t case_id[16], struct act_standing *out, struct why *why)
{
    struct act_standing st = {0};
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(n->db, standing_sql, &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, case_id);
    db_bind_str(s, 2, n->agency);
    db_bind_str(s, 3, n->site);
    db_bind_id(s, 4, n->user);
    db_bind_int(s, 5, env_now(n->env));
    e = db_step(s, &row, why);
    if (e == ERR_OK && row)
        st = (struct act_standing){.leads = db_int(s, 0) != 0,
                                   .mash = db_int(s, 1) != 0,
                                   .room = db_int(s, 2) != 0,
                                   .manager = db_int(s, 3) != 0,
                                   .social_care = db_int(s, 4) != 0};
    db_done(s);
    if (e == ERR_OK && !row) e = why_set(why, ERR_NOTFOUND, "There is no case with that id on this device.");
    if (e == ERR_OK) e = act_part(n, case_id, &st.part, why);
    if (e != ERR_OK) return e;
    st.leads = st.leads && st.part != ACT_NO_PART;
    *out = st;
    return ERR_OK;
}

bool act_may_decide(const struct act_standing *s)
{
    return s->leads || s->manager || s->social_care;
}

enum err act_matter_read(struct node *n, const uint8_t case_id[16], struct act_matter *out, struct why *why)
{
    out->who = (struct act_standing){0};
    enum err e = act_read(n, "case_file", case_id, "no case", &out->file, why);
    return e == ERR_OK ? act_standing(n, case_id, &out->who, why) : e;
}

void act_matter_release(struct act_matter *c)
{
    act_row_release(&c->file);
}

enum err act_may(const struct act_matter *c, const char *what, struct why *why)
{
    struct value lead = act_column(&c->file, "lead_agency");
    if (act_may_decide(&c->who)) return ERR_OK;
    (void)why_set(why, ERR_DENIED,
                  "Only the agency that leads the case, or a manager or social worker on duty for the area, may %s."
                  " Nothing was changed.",
                  what);
    if (lead.kind != VALUE_TEXT || lead.s.n == 0)
        return why_next(why, ERR_DENIED, "No agency leads this case yet: ring the MASH room of the area.");
    return why_next(why, ERR_DENIED, "This case is led by '%.*s': ring them, or the MASH room of the area.",
                    (int)(lead.s.n < 60 ? lead.s.n : 60), (const char *)lead.s.p);
}

/* --------------------------------------------------------------------------------------------------- checking */
enum err act_word(const char *table, const char *column, const char *word, const char *complaint, struct why *why)
{
    const struct table_rule *t = rules_table((size_t)rules_table_index(bytes_of_str(table)));
    const struct column_rule *c = &t->columns[rules_column_index(t, bytes_of_str(column))];
    if (word != NULL && rules_word_ok(c, bytes_of_str(word))) return ERR_OK;
    return why_set(why, ERR_USAGE, "%s Nothing was changed.", complaint);
}

enum err act_practitioner(struct node *n, const uint8_t id[16], struct why *why)
{
    struct stmt *s = NULL;
    bool known = false;
    enum err e = db_prepare(n->db, "SELECT 1 FROM practitioner WHERE id = $1 AND coalesce(active, 1) = 1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, id);
    e = db_step(s, &known, why);
    db_done(s);
    if (e != ERR_OK || known) return e;
    return why_set(why, ERR_NOTFOUND, "The MASH knows nobody of that id who is still at work. Nothing was changed.");
}

/* -------------------------------------------------------------------------------------------------- due times */
enum err act_due(struct node *n, const char *rag, const char *what, const char *subject_kind, int64_t from,
                 int64_t *out, struct why *why)
{
    struct look_scale scale;
    struct look_calendar *calendar = NULL;
    enum err e = look_scale(n, rag, what, subject_kind, &scale, why);
    if (e == ERR_OK && scale.minutes == 0) {
        *out = 0;
        return ERR_OK;
    }
    if (e == ERR_OK) e = look_calendar_new(n, &calendar, why);
    if (e == ERR_OK) *out = look_calendar_due(calendar, from, scale.minutes, scale.working);
    look_calendar_free(calendar);
    return e;
}

/* A word of the case as C text: rating, kind of subject. All of them are short. */
static const char *word_of(struct value v, char out[32])
{
    if (v.kind != VALUE_TEXT || v.s.n >= 32) return NULL;
    if (v.s.n > 0) memcpy(out, v.s.p, v.s.n);
    out[v.s.n] = '\0';
    return out;
}

/* ---------------------------------------------------------------------------------------- the case's own columns */
enum err act_brief_set(struct node *n, const struct act_matter *c, const char *column, struct value v, struct why *why)
{
    const uint8_t *case_id = c->file.row.v[0].s.p;
    struct row r;
    int64_t there = 0;
    enum err e = act_count(n, "SELECT count(*) FROM brief WHERE id = $1", case_id, NULL, 0, &there, why);
    if (e != ERR_OK || there != 0) return e == ERR_OK ? act_set(n, "brief", case_id, column, v, why) : e;
    if (c->who.part == ACT_CHECKS) /* the case has one, for others' eyes */
        return why_set(why, ERR_DENIED,
                       "Your site does not see the work of this case, so it cannot change it. Nothing was changed.");
    act_new(n, &r, "brief", case_id, case_id);
    act_fill(&r, column, v);
    return act_put(n, &r, why);
}

enum err act_put_rating(struct node *n, const uint8_t case_id[16], const struct act_opinion *o, uint8_t out_id[16],
                        struct why *why)
{
    env_new_id(n->env, out_id);
    return act_put_rating_as(n, case_id, o, out_id, why);
}

enum err act_put_rating_as(struct node *n, const uint8_t case_id[16], const struct act_opinion *o, const uint8_t id[16],
                           struct why *why)
{
    struct row r;
    act_new(n, &r, "rating", case_id, id);
    act_fill(&r, "author", value_id(n->user));
    act_fill(&r, "stage", value_str(o->stage));
    act_fill(&r, "rag", o->rag);
    act_fill(&r, "reason", value_str(o->reason));
    act_fill(&r, "rated_at", value_int(o->now));
    return act_put(n, &r, why);
}

/* When the decision is due under this rating: counted from when the case came. */
static enum err set_due(struct node *n, const struct act_matter *c, struct value rag, int64_t *out, struct why *why)
{
    char word[32], kind[32];
    struct value came = act_column(&c->file, "received_at");
    int64_t from = came.kind == VALUE_INT ? came.i : env_now(n->env);
    enum err e =
        act_due(n, word_of(rag, word), "decision", word_of(act_column(&c->file, "subject_kind"), kind), from, out, why);
    return e == ERR_OK ? act_set(n, "case_file", c->file.row.v[0].s.p, "due_at", act_time(*out), why) : e;
}

/* ------------------------------------------------------------------------------------------- what was asked before */
struct own_question {
    uint8_t id[16];
    int64_t due_at;
    char rag[32];
};

static enum err own_questions(struct node *n, const uint8_t case_id[16], struct buf *out, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(n->db,
                            "SELECT id, due_at, rag FROM request WHERE case_id = $1 AND agency = $2 AND state = 'open'"
                            " AND voided_at IS NULL",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, case_id);
    db_bind_str(s, 2, n->agency);
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        struct own_question q = {.due_at = db_int(s, 1)};
        if (!db_id(s, 0, q.id)) continue;
        (void)word_of(db_value(s, 2), q.rag);
        buf_put(out, &q, sizeof q);
    }
    db_done(s);
    if (e == ERR_OK && out->err != ERR_OK) e = why_set(why, out->err, "There are too many questions in this case.");
    return e;
}

/* A graver rating leaves others less time to answer, from now on; a lower one takes no time back that was given. Only
 * what this agency asked is its own to change. */
static enum err hasten(struct node *n, const struct act_matter *c, struct value rag, struct why *why)
{
    char word[32], kind[32];
    struct buf list;
    int64_t due = 0;
    const char *graver = word_of(rag, word);
    if (graver == NULL) return ERR_OK;
    enum err e =
        act_due(n, graver, "reply", word_of(act_column(&c->file, "subject_kind"), kind), env_now(n->env), &due, why);
    if (e != ERR_OK || due == 0) return e;
    buf_init(&list, 1u << 20);
    e = own_questions(n, c->file.row.v[0].s.p, &list, why);
    for (size_t i = 0; e == ERR_OK && i < list.len; i += sizeof(struct own_question)) {
        struct own_question q;
        memcpy(&q, list.data + i, sizeof q);
        if (look_rag(bytes_of_str(q.rag)) >= look_rag(bytes_of_str(graver))) continue;
        e = act_set(n, "request", q.id, "rag", rag, why);
        if (e == ERR_OK && (q.due_at == 0 || q.due_at > due))
            e = act_set(n, "request", q.id, "due_at", value_int(due), why);
    }
    buf_release(&list);
    return e;
}

enum err act_set_rag(struct node *n, const struct act_matter *c, struct value rag, const char *reason, int64_t *out_due,
                     struct why *why)
{
    enum err e = act_set(n, "case_file", c->file.row.v[0].s.p, "rag", rag, why);
    if (e == ERR_OK) e = act_brief_set(n, c, "rag_reason", value_str(reason), why);
    if (e == ERR_OK && out_due != NULL) e = hasten(n, c, rag, why);
    return e == ERR_OK && out_due != NULL ? set_due(n, c, rag, out_due, why) : e;
}
