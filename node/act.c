/* What the acts share; pointers, and taking back what was written by mistake. */
#include "node/act_internal.h"

#include "crypto/hash.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void act_derived_id(uint8_t out[16], const char *label, const struct bytes *parts, size_t n)
{
    struct buf b;
    uint8_t hash[HASH_BYTES];
    buf_init(&b, 1u << 16);
    for (size_t i = 0; i < n; i++) {
        buf_put_be32(&b, (uint32_t)parts[i].n);
        buf_put_bytes(&b, parts[i]);
    }
    hash_labelled(hash, label, buf_bytes(&b));
    buf_release(&b);
    memcpy(out, hash, 16);
}

/* ---------------------------------------------------------------------------------------------------- reading */
static const struct table_rule *table_named(const char *name)
{
    int i = rules_table_index(bytes_of_str(name));
    assert(i >= 0);
    return rules_table((size_t)i);
}

static size_t column_named(const struct table_rule *t, const char *name)
{
    int i = rules_column_index(t, bytes_of_str(name));
    assert(i >= 0);
    return (size_t)i;
}

struct value act_column(const struct act_row *r, const char *column)
{
    return r->row.v[column_named(r->row.table, column)];
}

bool act_is(struct value v, const char *text)
{
    return v.kind == VALUE_TEXT && bytes_equal(v.s, bytes_of_str(text));
}

bool act_true(struct value v)
{
    return v.kind == VALUE_INT && v.i != 0;
}

bool act_own(struct node *n, const struct act_row *r)
{
    return act_is(r->row.v[2], n->agency);
}

bool act_same_case(const struct act_row *a, const uint8_t case_id[16])
{
    return value_equal(a->row.v[1], value_id(case_id));
}

enum err act_read(struct node *n, const char *table, const uint8_t id[16], const char *what, struct act_row *out,
                  struct why *why)
{
    bool found = false;
    *out = (struct act_row){.row.table = table_named(table)};
    buf_init(&out->store, (size_t)RULES_MAX_COLUMNS * (RULES_MAX_VALUE + 64));
    enum err e = db_row_get(n->db, out->row.table, id, &out->store, &out->row, &found, why);
    if (e != ERR_OK) return e;
    if (!found) return why_set(why, ERR_NOTFOUND, "There is %s with that id on this device.", what);
    if (act_column(out, "voided_at").kind == VALUE_INT)
        return why_set(why, ERR_DENIED, "This was marked as written by mistake. Nothing was changed.");
    return ERR_OK;
}

void act_row_release(struct act_row *r)
{
    buf_release(&r->store);
}

enum err act_count(struct node *n, const char *sql, const uint8_t case_id[16], const char *text, int64_t at,
                   int64_t *out, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(n->db, sql, &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, case_id);
    if (text != NULL) db_bind_str(s, 2, text);
    if (at != 0) db_bind_int(s, 3, at);
    e = db_step(s, &row, why);
    if (e == ERR_OK) *out = row ? db_int(s, 0) : 0;
    db_done(s);
    return e;
}

/* ---------------------------------------------------------------------------------------------------- writing */
void act_new(struct node *n, struct row *out, const char *table, const uint8_t case_id[16], const uint8_t id[16])
{
    *out = (struct row){.table = table_named(table)};
    for (size_t i = 0; i < out->table->n_columns; i++) out->v[i] = value_null();
    out->v[0] = value_id(id);
    out->v[1] = value_id(case_id);
    out->v[2] = value_str(n->agency);
}

void act_fill(struct row *r, const char *column, struct value v)
{
    r->v[column_named(r->table, column)] = v;
}

struct value act_time(int64_t ms)
{
    return ms != 0 ? value_int(ms) : value_null();
}

/* What columns are called where a person is told that one does not fit; else their own name. */
static const char *column_words(const struct column_rule *c)
{
    static const char *const words[][2] = {{"area", "area"},
                                           {"source", "source of the referral"},
                                           {"external_ref", "reference of the referrer"},
                                           {"primary_need", "primary need"},
                                           {"presenting_issue", "presenting issue"},
                                           {"subject_kind", "kind of case"},
                                           {"rag", "rating"},
                                           {"rag_reason", "reason for the rating"},
                                           {"lead_agency", "lead agency"},
                                           {"family_name", "family name"},
                                           {"given_names", "given names"},
                                           {"born_on", "date of birth"},
                                           {"expected_on", "date expected"},
                                           {"died_on", "date of death"},
                                           {"body", "text"},
                                           {"value", "number or address"},
                                           {"void_reason", "reason"},
                                           {"lawful_basis", "lawful basis"},
                                           {"to_name", "name"},
                                           {"occurred_at", "time when it happened"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i][0], c->name) == 0) return words[i][1];
    return c->name;
}

/* "red, amber or green" of "red|amber|green". */
static void list_words(const char *words, char *out, size_t size)
{
    size_t n = 0;
    for (; *words != '\0' && n + 5 < size; words++) {
        if (*words != '|') {
            out[n++] = *words;
            continue;
        }
        n += (size_t)snprintf(out + n, size - n, "%s", strchr(words + 1, '|') != NULL ? ", " : " or ");
    }
    out[n < size ? n : size - 1] = '\0';
}

/* What does not fit came from a person, not from a file that is damaged. */
static enum err fits(const struct table_rule *t, size_t column, struct value v, struct why *why)
{
    const struct column_rule *c = &t->columns[column];
    const char *name = column_words(c);
    char words[128];
    enum err e = value_check(t, column, v, why);
    if (e != ERR_FORMAT) return e;
    if (v.kind == VALUE_NULL) return why_set(why, ERR_USAGE, "The %s is missing. Nothing was changed.", name);
    if (c->type == COL_WORD) {
        list_words(c->words, words, sizeof words);
        return why_set(why, ERR_USAGE, "The %s is one of: %s. Nothing was changed.", name, words);
    }
    if (c->type == COL_DATE)
        return why_set(why, ERR_USAGE, "The %s is no date. Write it like 2017-03-24. Nothing was changed.", name);
    if (v.kind == VALUE_TEXT && v.s.n > RULES_MAX_VALUE)
        return why_set(why, ERR_USAGE, "The %s is longer than 1 MiB; nothing may be. Nothing was changed.", name);
    if (v.kind == VALUE_TEXT && c->type == COL_TEXT)
        return why_set(why, ERR_USAGE, "The %s is not plain text (UTF-8). Nothing was changed.", name);
    return why_set(why, ERR_USAGE, "What was given for the %s does not fit. Nothing was changed.", name);
}

enum err act_put(struct node *n, const struct row *r, struct why *why)
{
    enum err e = ERR_OK;
    for (size_t i = 0; i < r->table->n_columns && e == ERR_OK; i++) e = fits(r->table, i, r->v[i], why);
    return e == ERR_OK ? db_row_put(n->db, r, why) : e;
}

/* A row that is not here, or whose time is over, takes no value: to say that it did would lose what somebody wrote. */
enum err act_set(struct node *n, const char *table, const uint8_t id[16], const char *column, struct value v,
                 struct why *why)
{
    const struct table_rule *t = table_named(table);
    size_t c = column_named(t, column);
    enum err e = fits(t, c, v, why);
    if (e == ERR_OK) e = db_row_set(n->db, t, id, c, v, why);
    if (e != ERR_OK || c >= rules_columns_at(t, db_schema(n->db)) || db_changes(n->db) == 1) return e;
    (void)why_set(why, ERR_NOTFOUND, "What this would change is not on this device any more. Nothing was changed.");
    return why_next(why, ERR_NOTFOUND, "Ask the agency that leads the case, or the MASH.");
}

enum err act_end(struct node *n, enum err e, const char *what, struct why *why)
{
    if (e == ERR_OK) return node_edit_commit(n, what, &(uint64_t){0}, why);
    node_edit_cancel(n);
    return e;
}

/* --------------------------------------------------------------------------------------------------- checking */
enum err act_said(const char *text, const char *complaint, struct why *why)
{
    if (text != NULL && text[strspn(text, " \t\r\n")] != '\0') return ERR_OK;
    return why_set(why, ERR_USAGE, "%s Nothing was changed.", complaint);
}

enum err act_other_agency(struct node *n, const char *code, struct why *why)
{
    struct stmt *s = NULL;
    bool known = false;
    if (strcmp(code, n->agency) == 0)
        return why_set(why, ERR_USAGE, "'%.60s' is your own agency. Nothing was changed.", code);
    enum err e = db_prepare(n->db, "SELECT 1 FROM agency WHERE code = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, code);
    e = db_step(s, &known, why);
    db_done(s);
    if (e != ERR_OK || known) return e;
    (void)why_set(why, ERR_NOTFOUND, "The MASH knows no agency with the code '%.60s'. Nothing was changed.", code);
    return act_next_codes(n, "SELECT code FROM agency WHERE code <> $1 ORDER BY code", n->agency, "Its agencies", why,
                          ERR_NOTFOUND);
}

/* The advice that lists what would have been right: as many as there is room for. */
enum err act_next_codes(struct node *n, const char *sql, const char *arg, const char *title, struct why *why,
                        enum err said)
{
    struct stmt *s = NULL;
    struct buf b;
    bool row = false;
    size_t shown = 0;
    enum err e = db_prepare(n->db, sql, &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, arg);
    buf_init(&b, 4096);
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        struct bytes code = db_bytes(s, 0);
        if (b.len + code.n > 180) break;
        if (shown++ != 0) buf_put_str(&b, ", ");
        buf_put_bytes(&b, code);
    }
    if (e == ERR_OK && row) buf_put_str(&b, " and more");
    if (e == ERR_OK && shown != 0 && b.err == ERR_OK) (void)why_next(why, said, "%s: %s.", title, buf_cstr(&b));
    db_done(s);
    buf_release(&b);
    return e == ERR_OK ? said : e;
}

/* A part that names a site counts in every case, one without only where the case is not restricted. */
#define PART_IN_FORCE                                                                                                  \
    " p.voided_at IS NULL AND p.access IN ('check', 'view', 'contribute') AND (p.since IS NULL OR p.since <= $3)"      \
    " AND (p.until IS NULL OR p.until > $3)"

enum err act_takes_part(struct node *n, const uint8_t case_id[16], const char *agency, bool *out, struct why *why)
{
    int64_t parts = 0;
    enum err e = act_count(
        n,
        "SELECT count(*) FROM participant p JOIN case_file c ON c.id = p.case_id WHERE p.case_id = $1"
        " AND p.member = $2 AND (coalesce(c.restricted, 0) = 0 OR coalesce(p.site, '') <> '') AND" PART_IN_FORCE,
        case_id, agency, env_now(n->env), &parts, why);
    if (e == ERR_OK) *out = parts != 0;
    return e;
}

enum err act_outsider(struct node *n, const uint8_t case_id[16], const char *agency, bool *out, struct why *why)
{
    int64_t sees = 0;
    bool part = false;
    enum err e = act_count(n,
                           "SELECT count(*) FROM participant p WHERE p.case_id = $1 AND (p.member <> $2 OR"
                           " p.access IN ('view', 'contribute')) AND p.voided_at IS NULL",
                           case_id, n->agency, 0, &sees, why);
    if (e == ERR_OK) e = act_takes_part(n, case_id, agency, &part, why);
    if (e == ERR_OK) *out = sees != 0 && !part;
    return e;
}

/* hub/policy.sql (site_access) decides; the room of the area and a lead that takes part may do as much. */
enum err act_part(struct node *n, const uint8_t case_id[16], enum act_part *out, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e =
        db_prepare(n->db,
                   "SELECT max(part) FROM (SELECT CASE WHEN p.access = 'contribute' OR c.lead_agency = p.member THEN 3"
                   " WHEN p.access = 'view' THEN 2 ELSE 1 END AS part FROM participant p JOIN case_file c"
                   " ON c.id = p.case_id WHERE p.case_id = $1 AND p.member = $2 AND" PART_IN_FORCE
                   " AND (p.site = $4 OR (coalesce(p.site, '') = '' AND coalesce(c.restricted, 0) = 0))"
                   " UNION ALL SELECT 3 FROM case_file c JOIN site s ON s.code = $4 AND s.kind = 'mash'"
                   " JOIN coverage v ON v.site = s.code AND v.area IN ('*', c.area)"
                   " WHERE c.id = $1 AND coalesce(c.restricted, 0) = 0)",
                   &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, case_id);
    db_bind_str(s, 2, n->agency);
    db_bind_int(s, 3, env_now(n->env));
    db_bind_str(s, 4, n->site);
    e = db_step(s, &row, why);
    if (e == ERR_OK) *out = row ? (enum act_part)db_int(s, 0) : ACT_NO_PART;
    db_done(s);
    return e;
}

/* --------------------------------------------------------------------------------------------------- pointers */
static enum err put_pointer(struct node *n, const uint8_t case_id[16], const char *note, const char *contact,
                            const uint8_t id[16], struct why *why)
{
    struct act_row c;
    struct row r;
    enum err e = act_read(n, "case_file", case_id, "no case", &c, why);
    act_row_release(&c);
    if (e == ERR_OK)
        e = act_said(note, "Say in a line what to ask you about: without the note nobody knows why to call.", why);
    if (e != ERR_OK) return e;
    act_new(n, &r, "pointer", case_id, id);
    act_fill(&r, "note", value_str(note));
    act_fill(&r, "contact", value_str(contact));
    return act_put(n, &r, why);
}

enum err act_pointer_add(struct node *n, const uint8_t case_id[16], const char *note, const char *contact,
                         uint8_t out_id[16], struct why *why)
{
    uint8_t id[16];
    enum err e = node_edit_begin(n, why);
    if (e != ERR_OK) return e;
    env_new_id(n->env, id);
    e = act_end(n, put_pointer(n, case_id, note, contact, id, why), "said that it holds something", why);
    if (e == ERR_OK) memcpy(out_id, id, sizeof id);
    return e;
}

/* ------------------------------------------------------------------------------------------------------- void */
static enum err set_void(struct node *n, const char *table, const uint8_t id[16], const char *reason, struct why *why)
{
    struct act_row r;
    int known = rules_table_index(bytes_of_str(table));
    enum err e = act_said(reason, "Say why it was a mistake: the reason stays on record.", why);
    if (e == ERR_OK && known < 0) e = why_set(why, ERR_USAGE, "There is nothing of that kind. Nothing was changed.");
    if (e != ERR_OK) return e;
    const struct table_rule *t = rules_table((size_t)known);
    if (t->kind != TABLE_CASE || t->insert == INSERT_HUB)
        return why_set(why, ERR_DENIED, "This is kept by the MASH. Nothing was changed.");
    e = act_read(n, table, id, "nothing", &r, why);
    if (e == ERR_DENIED) e = why_set(why, ERR_EXISTS, "This is marked as written by mistake already.");
    if (e == ERR_OK && !act_own(n, &r)) {
        (void)why_set(why, ERR_DENIED, "Another agency wrote this. Only its writer can mark it as a mistake.");
        e = why_next(why, ERR_DENIED, "Tell them what is wrong with it.");
    }
    act_row_release(&r);
    if (e == ERR_OK) e = act_set(n, table, id, "voided_at", value_int(env_now(n->env)), why);
    return e == ERR_OK ? act_set(n, table, id, "void_reason", value_str(reason), why) : e;
}

enum err act_void(struct node *n, const char *table, const uint8_t id[16], const char *reason, struct why *why)
{
    enum err e = node_edit_begin(n, why);
    if (e != ERR_OK) return e;
    return act_end(n, set_void(n, table, id, reason, why), "voided a row written by mistake", why);
}
