/* What is checked alike wherever people write in a case; changing what is said about a case itself. */
#include "node/act_internal.h"
#include "node/act_work.h"

#include <stdio.h>
#include <string.h>

void act_note(struct act_notes *notes, const char *text)
{
    if (notes == NULL || notes->n == ACT_NOTES_MAX) return;
    for (size_t i = 0; i < notes->n; i++)
        if (strcmp(notes->text[i], text) == 0) return;
    (void)snprintf(notes->text[notes->n++], ACT_NOTE_CHARS, "%s", text);
}

/* --------------------------------------------------------------------------------------------------- checking */
/* Two counts that a question answers; $1 and $2 are texts. */
static enum err two_counts(struct node *n, const char *sql, const char *a, const char *b, int64_t out[2],
                           struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(n->db, sql, &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, a);
    db_bind_str(s, 2, b);
    e = db_step(s, &row, why);
    for (int i = 0; i < 2; i++) out[i] = e == ERR_OK && row ? db_int(s, i) : 0;
    db_done(s);
    return e;
}

enum err act_known_code(struct node *n, const char *list, const char *code, const char *name, struct why *why)
{
    int64_t count[2];
    enum err e = two_counts(n, "SELECT count(*), count(CASE WHEN code = $2 THEN 1 END) FROM code_list WHERE list = $1",
                            list, code, count, why);
    if (e != ERR_OK || count[0] == 0 || count[1] != 0) return e;
    e = why_set(why, ERR_USAGE, "'%.40s' is no code for the %s. Nothing was changed.", code, name);
    return act_next_codes(n, "SELECT code FROM code_list WHERE list = $1 ORDER BY length(code), code", list,
                          "Its codes", why, e);
}

enum err act_known_area(struct node *n, const char *area, struct act_notes *notes, struct why *why)
{
    int64_t named[2], everywhere[2];
    enum err e = act_said(area, "A case needs its area: it decides which MASH room picks it up.", why);
    if (e == ERR_OK && strcmp(area, "*") == 0)
        e = why_set(why, ERR_USAGE, "A case is in one area. Nothing was changed.");
    if (e == ERR_OK)
        e = two_counts(n, "SELECT count(*), count(CASE WHEN area = $2 THEN 1 END) FROM coverage WHERE area <> $1", "*",
                       area, named, why);
    if (e == ERR_OK)
        e = two_counts(n,
                       "SELECT count(*), 0 FROM coverage v JOIN site s ON s.code = v.site WHERE s.kind = $1"
                       " AND v.area = $2",
                       "mash", "*", everywhere, why);
    if (e != ERR_OK || named[0] == 0 || named[1] != 0) return e;
    if (everywhere[0] != 0) {
        act_note(notes,
                 "No site here names this area. Please check how it is written: who sees the case depends on it.");
        return ERR_OK;
    }
    e = why_set(why, ERR_USAGE, "The MASH knows no area '%.60s'. Nothing was changed.", area);
    return act_next_codes(n, "SELECT DISTINCT area FROM coverage WHERE area <> $1 ORDER BY area", "*", "Its areas", why,
                          e);
}

enum err act_person_of(struct node *n, const uint8_t person[16], const uint8_t case_id[16], struct why *why)
{
    struct act_row p;
    enum err e = act_read(n, "person", person, "no person", &p, why);
    if (e == ERR_OK && !act_same_case(&p, case_id))
        e = why_set(why, ERR_USAGE, "That person belongs to another case. Nothing was changed.");
    act_row_release(&p);
    return e;
}

/* ---------------------------------------------------------------------------------------------------- changing */
bool act_has_column(const struct act_row *r, const char *column)
{
    return rules_column_index(r->row.table, bytes_of_str(column)) >= 3; /* not id, case_id, agency */
}

enum err act_alter(struct node *n, const struct act_row *r, const struct act_change *c, act_check_fn also,
                   struct act_notes *notes, struct why *why)
{
    const struct table_rule *t = r->row.table;
    struct value v = c->v;
    if (!act_has_column(r, c->column))
        return why_set(why, ERR_USAGE, "There is nothing called '%.40s' to change here.", c->column);
    const struct column_rule *rule = &t->columns[rules_column_index(t, bytes_of_str(c->column))];
    if (rule->write == WRITE_NEVER || rule->write == WRITE_HUB)
        return why_set(why, ERR_DENIED, "'%s' never changes. Nothing was changed.", rule->name);
    if (rule->write == WRITE_OWN && !act_own(n, r))
        return why_set(why, ERR_DENIED, "Another agency wrote this. Only its writer can change it.");
    if (strncmp(rule->name, "void", 4) == 0)
        return why_set(why, ERR_DENIED, "What was written by mistake is marked so by an act of its own, with its reason.");
    if (v.kind == VALUE_TEXT && v.s.n == 0) v = value_null();
    enum err e = also != NULL ? also(n, r, c->column, v, notes, why) : ERR_OK;
    return e == ERR_OK ? act_set(n, t->name, r->row.v[0].s.p, c->column, v, why) : e;
}

/* A text with a zero behind it. Longer ones than any code or name of an agency are cut: they match nothing. */
static const char *short_text(struct value v, char out[128])
{
    size_t n = v.kind == VALUE_TEXT ? (v.s.n < 127 ? v.s.n : 127) : 0;
    if (n != 0) memcpy(out, v.s.p, n);
    out[n] = '\0';
    return out;
}

static enum err known_lead(struct node *n, const char *code, struct why *why)
{
    return strcmp(code, n->agency) == 0 ? ERR_OK : act_other_agency(n, code, why);
}

static enum err check_case(struct node *n, const struct act_row *r, const char *column, struct value v,
                           struct act_notes *notes, struct why *why)
{
    char text[128];
    bool gone = v.kind == VALUE_NULL;
    (void)r;
    (void)short_text(v, text);
    if (strcmp(column, "area") == 0) return act_known_area(n, text, notes, why);
    if (strcmp(column, "lead_agency") == 0 && !gone) return known_lead(n, text, why);
    if (strcmp(column, "primary_need") == 0 && !gone)
        return act_known_code(n, "primary_need", text, "primary need", why);
    if (gone && (strcmp(column, "status") == 0 || strcmp(column, "lead_agency") == 0 ||
                 strcmp(column, "subject_kind") == 0 || strcmp(column, "summary") == 0))
        return why_set(why, ERR_USAGE, "A case cannot be without its %s. Nothing was changed.",
                       strcmp(column, "lead_agency") == 0    ? "lead agency"
                       : strcmp(column, "subject_kind") == 0 ? "kind"
                                                             : column);
    return ERR_OK;
}

/* When it was closed goes with the status, unless it is said apart. */
static enum err follow_status(struct node *n, const struct act_row *c, const struct act_change *changes,
                              size_t n_changes, struct why *why)
{
    struct value at = act_column(c, "closed_at");
    bool closed = false, moved = false;
    for (size_t i = 0; i < n_changes; i++) {
        if (strcmp(changes[i].column, "closed_at") == 0) return ERR_OK;
        if (strcmp(changes[i].column, "status") != 0) continue;
        closed = act_is(changes[i].v, "closed");
        moved = true;
    }
    if (!moved || (closed && (at.kind == VALUE_INT || act_is(act_column(c, "status"), "closed")))) return ERR_OK;
    if (!closed && at.kind != VALUE_INT) return ERR_OK;
    return act_set(n, "case_file", c->row.v[0].s.p, "closed_at", closed ? value_int(env_now(n->env)) : value_null(),
                   why);
}

/* Area, lead and restriction are for those on duty alone. */
static bool wants_duty(const struct act_change *c)
{
    return strcmp(c->column, "area") == 0 || strcmp(c->column, "lead_agency") == 0 ||
           strcmp(c->column, "restricted") == 0;
}

static bool of_brief(const char *column)
{
    const struct table_rule *t = rules_table((size_t)rules_table_index(bytes_of_str("brief")));
    return rules_column_index(t, bytes_of_str(column)) >= 3;
}

static enum err set_case(struct node *n, const uint8_t case_id[16], const struct act_change *changes, size_t n_changes,
                         struct act_notes *notes, struct why *why)
{
    struct act_row c, brief = {0};
    bool with_brief = false;
    enum err e = act_read(n, "case_file", case_id, "no case", &c, why);
    if (e == ERR_OK && n_changes == 0) e = why_set(why, ERR_USAGE, "There is nothing to change.");
    for (size_t i = 0; i < n_changes && e == ERR_OK; i++) {
        if (act_has_column(&c, changes[i].column)) {
            e = act_alter(n, &c, &changes[i], check_case, notes, why);
            continue;
        }
        if (!of_brief(changes[i].column)) {
            e = why_set(why, ERR_USAGE, "There is nothing called '%.40s' to change here.", changes[i].column);
            continue;
        }
        if (!with_brief) e = act_read(n, "brief", case_id, "no brief of the case", &brief, why);
        with_brief = true; /* also half read: it is to be released */
        if (e == ERR_NOTFOUND) e = why_set(why, ERR_NOTFOUND, "This device does not hold that part of the case.");
        if (e == ERR_OK) e = act_alter(n, &brief, &changes[i], check_case, notes, why);
    }
    if (e == ERR_OK) e = follow_status(n, &c, changes, n_changes, why);
    if (with_brief) act_row_release(&brief);
    act_row_release(&c);
    return e;
}

enum err act_case_set(struct node *n, const uint8_t case_id[16], const struct act_change *changes, size_t n_changes,
                      bool *out_held, struct act_notes *notes, struct why *why)
{
    struct act_standing st = {0};
    struct act_notes said = {0};
    enum err e = node_edit_begin(n, why);
    if (e != ERR_OK) return e;
    e = set_case(n, case_id, changes, n_changes, &said, why);
    if (e == ERR_OK) e = act_standing(n, case_id, &st, why);
    e = act_end(n, e, "changed a case", why);
    if (e != ERR_OK) return e;
    *notes = said;
    *out_held = !act_may_decide(&st);
    for (size_t i = 0; i < n_changes && !*out_held; i++)
        *out_held = wants_duty(&changes[i]) && !st.manager && !st.social_care;
    return ERR_OK;
}
