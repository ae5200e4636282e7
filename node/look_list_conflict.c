/* What stands in two versions, as people read it; and what is not accepted yet. */
#include "node/look_internal.h"
#include "node/look_list.h"
#include "node/look_words_conflict.h"
#include "sync/messages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -------------------------------------------------------------------------------------------------- conflicts */
#define CONFLICTS   " FROM conflict x LEFT JOIN case_file c ON c.id = x.case_id"
#define WANTED(all) " x.voided_at IS NULL AND (" all " = 1 OR x.state = 'open')"
#define URGENT(limit)                                                                                                  \
    " ORDER BY x.state = 'open' DESC, x.state = 'open' AND " LOOK_CONFLICT_RED " DESC, x.found_at, x.id LIMIT " limit

/* The versions of a row are its text: who sees them looks at it. Ids first, because noting writes. */
static enum err note_looks(struct node *n, const char *table, bool all, struct why *why)
{
    char sql[640];
    struct stmt *s = NULL;
    struct buf ids;
    uint8_t id[16];
    bool row = false;
    (void)snprintf(sql, sizeof sql,
                   "SELECT row_id FROM (SELECT x.row_id, x.tbl" CONFLICTS " WHERE" WANTED("$1")
                       URGENT("$2") ") WHERE tbl = '%s' AND row_id IN (SELECT id FROM %s)",
                   table, table);
    buf_init(&ids, LOOK_LIST_MAX * 16);
    enum err e = db_prepare(n->db, sql, &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, all);
    db_bind_int(s, 2, LOOK_LIST_MAX);
    while ((e = db_step(s, &row, why)) == ERR_OK && row)
        if (db_id(s, 0, id)) buf_put(&ids, id, sizeof id);
    db_done(s);
    if (e == ERR_OK) e = look_note_ids(n, table, &ids, why);
    buf_release(&ids);
    return e;
}

/* "family_name" as "family name" */
static void spaces(char *text)
{
    for (; *text != '\0'; text++)
        if (*text == '_') *text = ' ';
}

/* What the versions are of: "rating of the case", "family name of the person". */
static void put_what(struct json *o, const struct table_rule *t, const struct column_rule *c)
{
    static const struct {
        const char *name, *words;
    } known[] = {{"decided_at", "time of the decision"},
                 {"rag", "rating"},
                 {"born_on", "date of birth"},
                 {"expected_on", "date when due to be born"},
                 {"died_on", "date of death"},
                 {"lead_agency", "lead agency"},
                 {"nfa", "no further action"},
                 {"due_at", "time when due"},
                 {"voided_at", "mark as a mistake"},
                 {"until", "end"},
                 {"expires_at", "end"}};
    char text[160], column[64], table[64];
    (void)snprintf(column, sizeof column, "%s", c->name);
    (void)snprintf(table, sizeof table, "%s", t->name);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(c->name, known[i].name) == 0) (void)snprintf(column, sizeof column, "%s", known[i].words);
    size_t n = strlen(column);
    if (n > 3 && strcmp(column + n - 3, "_at") == 0) (void)snprintf(column + n - 3, sizeof column - n + 3, " time");
    spaces(column);
    spaces(table);
    if (strcmp(t->name, "case_file") == 0 || strcmp(t->name, "brief") == 0) (void)snprintf(table, sizeof table, "case");
    if (strcmp(t->name, "contact") == 0) (void)snprintf(table, sizeof table, "contact details");
    (void)snprintf(text, sizeof text, "%s of the %s", column, table);
    json_set_str(o, "what", text);
}

/* What a name or a code stands for: the one text that the question gives for $1 (and $2); found false: nothing. */
static enum err put_name(struct node *n, struct json *o, const char *key, const char *sql, struct value first,
                         const char *second, bool *found, struct why *why)
{
    struct stmt *s = NULL;
    enum err e = db_prepare(n->db, sql, &s, why);
    if (e != ERR_OK) return e;
    db_bind_value(s, 1, first);
    if (second != NULL) db_bind_str(s, 2, second);
    e = db_step(s, found, why);
    if (e == ERR_OK && *found && db_is_null(s, 0)) *found = false;
    if (e == ERR_OK && *found) json_set_text(o, key, db_bytes(s, 0));
    db_done(s);
    return e;
}

static enum err put_known(struct node *n, struct json *o, const char *key, const struct column_rule *c,
                          struct bytes said, bool *found, struct why *why)
{
    static const char *const lists[][2] = {
        {"primary_need", "primary_need"}, {"outcome", "referral_outcome"}, {"closure_reason", "closure_reason"}};
    uint8_t id[16];
    if (c->type == COL_ID && uuid_parse(id, said))
        return put_name(n, o, key, "SELECT name FROM practitioner WHERE id = $1", value_id(id), NULL, found, why);
    if (strcmp(c->name, "lead_agency") == 0)
        return put_name(n, o, key, "SELECT name FROM agency WHERE code = $1", value_text(said), NULL, found, why);
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        if (strcmp(c->name, lists[i][0]) == 0)
            return put_name(n, o, key, "SELECT label FROM code_list WHERE code = $1 AND list = $2", value_text(said),
                            lists[i][1], found, why);
    return ERR_OK;
}

/* A version is kept as text whatever its column's type is: as a person reads it. */
static enum err put_reading(struct node *n, struct json *o, const char *key, const struct column_rule *c,
                            struct value v, struct why *why)
{
    char text[64];
    struct buf words;
    bool known = false;
    if (v.kind != VALUE_TEXT || v.s.n == 0) {
        json_set_str(o, key, "(nothing)");
        return ERR_OK;
    }
    json_set_text(o, key, v.s);
    if (c == NULL) return ERR_OK;
    enum err e = put_known(n, o, key, c, v.s, &known, why);
    if (e != ERR_OK || known) return e;
    buf_init(&words, RULES_MAX_VALUE + 64);
    buf_put_bytes(&words, v.s);
    const char *said = buf_cstr(&words);
    if (said == NULL) {
        e = why_set(why, words.err, "There is not enough memory for this list.");
    } else if (c->type == COL_TIME) {
        look_time_text(strtoll(said, NULL, 10), text);
        json_set_str(o, key, text);
    } else if (c->type == COL_DATE) {
        look_date_text(said, text);
        json_set_str(o, key, text);
    } else if (c->type == COL_BOOL) {
        json_set_str(o, key, strcmp(said, "1") == 0 ? "yes" : "no");
    } else if (c->type == COL_WORD) {
        spaces((char *)words.data);
        json_set_str(o, key, said);
    }
    buf_release(&words);
    return e;
}

/* What stands in the column now, as conflicts keep values; NULL too where the row is not here. */
static enum err read_now(struct node *n, const struct table_rule *t, size_t column, const uint8_t id[16],
                         struct buf *text, struct value *out, struct why *why)
{
    struct buf store;
    struct row r;
    bool found = false;
    buf_init(&store, (size_t)RULES_MAX_COLUMNS * (RULES_MAX_VALUE + 64));
    enum err e = db_row_get(n->db, t, id, &store, &r, &found, why);
    if (e == ERR_OK && found && r.v[column].kind != VALUE_NULL && r.v[column].kind != VALUE_NONE) {
        e = value_to_text(r.v[column], text);
        if (e == ERR_OK)
            *out = value_text(buf_bytes(text));
        else
            e = why_set(why, e, "There is not enough memory for this list.");
    }
    buf_release(&store);
    return e;
}

/* Columns of the question, by their places in it. */
enum { X_TBL, X_ROW, X_COL, X_KEPT, X_KEPT_BY, X_LOST, X_LOST_BY };

static enum err each_conflict(void *ctx, struct json *o, struct stmt *s, struct why *why)
{
    struct node *n = ctx;
    uint8_t row_id[16], kept_by[16], lost_by[16];
    struct buf now_text;
    struct value now = value_null();
    int t = rules_table_index(db_bytes(s, X_TBL));
    const struct table_rule *table = t < 0 ? NULL : rules_table((size_t)t);
    int k = table == NULL ? -1 : rules_column_index(table, db_bytes(s, X_COL));
    const struct column_rule *c = k < 0 ? NULL : &table->columns[k];
    enum err e = ERR_OK;
    buf_init(&now_text, RULES_MAX_VALUE + 64);
    json_set_str(o, "what", NULL);
    if (c != NULL) put_what(o, table, c);
    if (c != NULL && db_id(s, X_ROW, row_id)) e = read_now(n, table, (size_t)k, row_id, &now_text, &now, why);
    if (e == ERR_OK) e = put_reading(n, o, "kept_text", c, db_value(s, X_KEPT), why);
    if (e == ERR_OK) e = put_reading(n, o, "lost_text", c, db_value(s, X_LOST), why);
    if (e == ERR_OK) e = put_reading(n, o, "now_text", c, now, why);
    buf_release(&now_text);
    if (e == ERR_OK) e = look_set_person(n, o, "kept_person", db_id(s, X_KEPT_BY, kept_by) ? kept_by : NULL, why);
    if (e == ERR_OK) e = look_set_person(n, o, "lost_person", db_id(s, X_LOST_BY, lost_by) ? lost_by : NULL, why);
    return e;
}

#define PLACE(p, key)                                                                                                  \
    " coalesce(" p "s.name, " p ".site) AS " key "_site_name,"                                                         \
    " coalesce(" p "a.name, " p "s.agency) AS " key "_agency_name,"
#define PLACES PLACE("k", "kept") PLACE("l", "lost")
#define QUESTION(kept_at, lost_at)                                                                                     \
    "SELECT x.tbl, x.row_id, x.col, x.kept, x.kept_by, x.lost, x.lost_by, x.id, x.case_id,"                            \
    " x.agency, x.policy, x.state, x.resolved_by, x.resolved_at, x.reason, x.found_at, " kept_at                       \
    " AS kept_at, " lost_at " AS lost_at," PLACES " c.reference, " LOOK_CONFLICT_RED " AS red, " LOOK_CONFLICT_RULE    \
    " AS rule, " LOOK_CONFLICT_STAGE " AS stage,"                                                                      \
    " EXISTS(SELECT 1 FROM n_pending u WHERE u.id = x.id AND u.tbl = $1) AS unsent" CONFLICTS LOOK_CONFLICT_AUTHORS    \
    " LEFT JOIN column_policy p ON p.tbl = x.tbl AND p.col = x.col WHERE" WANTED("$2") URGENT("$3")
static const char question[] = QUESTION("x.kept_at", "x.lost_at");
static const char question_before[] = QUESTION("NULL", "NULL"); /* of a store that has no such times yet */

static enum err list_conflicts(struct node *n, bool all, struct json **out, struct why *why)
{
    static const struct look_column more[] = {{"reference", LOOK_TEXT},
                                              {"red", LOOK_BOOL},
                                              {"rule", LOOK_TEXT},
                                              {"stage", LOOK_TEXT},
                                              {"kept_site_name", LOOK_TEXT},
                                              {"lost_site_name", LOOK_TEXT},
                                              {"kept_agency_name", LOOK_TEXT},
                                              {"lost_agency_name", LOOK_TEXT},
                                              {"unsent", LOOK_BOOL}};
    const struct look_table t = {
        .table = "conflict", .more = more, .n_more = sizeof more / sizeof more[0], .each = each_conflict, .ctx = n};
    struct stmt *s = NULL;
    enum err e = db_prepare(n->db, db_has_column(n->db, "conflict", "lost_at") ? question : question_before, &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, rules_table_index(bytes_of_str("conflict")));
    db_bind_int(s, 2, all);
    db_bind_int(s, 3, LOOK_LIST_MAX);
    return look_fill_rows(n, s, &t, out, why);
}

enum err look_conflicts(struct node *n, bool all, struct json **out, struct why *why)
{
    struct stmt *s = NULL;
    struct json *list = NULL;
    int64_t total = 0;
    *out = NULL;
    enum err e = note_looks(n, "record", all, why);
    if (e == ERR_OK) e = note_looks(n, "release", all, why);
    if (e == ERR_OK) e = db_prepare(n->db, "SELECT count(*)" CONFLICTS " WHERE" WANTED("$1"), &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, all);
    e = look_count(s, &total, why);
    if (e == ERR_OK) e = list_conflicts(n, all, &list, why);
    return e == ERR_OK ? look_wrap(list, "conflicts", total, out, why) : e;
}

/* -------------------------------------------------------------------------------------------- not accepted yet */
/* Where this device wrote it, the author may send it again or take it back by this number. */
static enum err each_held(void *ctx, struct json *o, struct stmt *s, struct why *why)
{
    struct node *n = ctx;
    uint8_t id[16], author[16];
    uint64_t seq = 0;
    bool has_author = db_id(s, 1, author), has_id = db_id(s, 0, id);
    enum err e = look_set_person(n, o, "author_person", has_author ? author : NULL, why);
    if (e != ERR_OK) return e;
    json_set_bool(o, "mine", has_author && memcmp(author, n->user, sizeof author) == 0);
    json_set_null(o, "seq");
    if (!has_id) return ERR_OK;
    e = node_outbox_of_held(n, id, &seq, why);
    if (e == ERR_OK) json_set_int(o, "seq", (int64_t)seq);
    return e == ERR_NOTFOUND ? ERR_OK : e;
}

/* A row of `what` (hub/held_what.c) whose text is shown and not open to all. */
static enum err note_held_row(struct node *n, struct json *row, struct why *why)
{
    uint8_t id[16];
    const char *table = json_get_str(row, "table"), *text = json_get_str(row, "id");
    const char *sensitivity = json_get_str(json_get(row, "columns"), "sensitivity");
    if (table == NULL || strcmp(table, "record") != 0 || json_get_bool(row, "withheld", false)) return ERR_OK;
    if (sensitivity != NULL && strcmp(sensitivity, "open") == 0) return ERR_OK;
    if (text == NULL || !uuid_parse(id, bytes_of_str(text))) return ERR_OK;
    return node_note_view_of_held(n, rules_table_index(bytes_of_str(table)), id, why);
}

/* Who reads what a held record would say looks at it, as in the case. */
enum err look_note_held(struct node *n, struct json *list, struct why *why)
{
    enum err e = json_len(list) != 0 ? db_begin(n->db, why) : ERR_OK;
    if (e != ERR_OK || json_len(list) == 0) return e;
    for (size_t i = 0; e == ERR_OK && i < json_len(list); i++) {
        const char *what = json_get_str(json_at(list, i), "what");
        struct json *rows = NULL;
        struct why broken = {0};
        if (what == NULL || *what == '\0') continue;
        if (json_parse(bytes_of_str(what), &rows, &broken) != ERR_OK) continue; /* not the hub's: nothing to look at */
        for (size_t k = 0; e == ERR_OK && k < json_len(rows); k++) e = note_held_row(n, json_at(rows, k), why);
        json_free(rows);
    }
    if (e == ERR_OK) return db_commit(n->db, why);
    db_rollback(n->db);
    return e;
}

#define HELD(all)                                                                                                      \
    " FROM held h LEFT JOIN case_file c ON c.id = h.case_id WHERE h.voided_at IS NULL AND (" all                       \
    " = 1 OR h.state = 'waiting')"

/* The area's manager, at a MASH site (hub/RULES.md, Who may write). The hub judges by duties as they stand there. */
#define MAY_DECIDE                                                                                                     \
    "(h.state = 'waiting' AND EXISTS (SELECT 1 FROM site m WHERE m.code = $1 AND m.kind = 'mash')"                     \
    " AND EXISTS (SELECT 1 FROM duty d JOIN practitioner p ON p.id = d.practitioner WHERE d.practitioner = $2"         \
    " AND d.duty = 'manager' AND d.area IN ('*', c.area) AND coalesce(p.active, 1) = 1))"

/* What had been taken in before the hub was put back, and waits for what it builds on: it may be accepted, not
 * dismissed. */
#define STAYS "(h.state = 'waiting' AND coalesce(h.reason, '') LIKE '" REASON_LACKS "%')"

enum err look_held(struct node *n, bool all, struct json **out, struct why *why)
{
    static const struct look_column more[] = {
        {"reference", LOOK_TEXT}, {"may_decide", LOOK_BOOL}, {"stays", LOOK_BOOL}, {"case_rag", LOOK_TEXT}, {"unsent", LOOK_BOOL}};
    const struct look_table t = {
        .table = "held", .more = more, .n_more = sizeof more / sizeof more[0], .each = each_held, .ctx = n};
    struct stmt *s = NULL;
    struct json *list = NULL;
    int64_t total = 0;
    *out = NULL;
    enum err e = db_prepare(n->db, "SELECT count(*)" HELD("$1"), &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, all);
    e = look_count(s, &total, why);
    if (e == ERR_OK)
        e = db_prepare(n->db,
                       "SELECT h.id, h.author, h.case_id, h.agency, h.node, h.written_at, h.what, h.reason, h.state,"
                       " h.decided_by, h.decided_at, h.decision_reason, c.reference, c.rag AS case_rag, " MAY_DECIDE
                       " AS may_decide, " STAYS " AS stays, EXISTS(SELECT 1 FROM n_pending u WHERE u.id = h.id AND u.tbl = $3)"
                       " AS unsent" HELD(
                           "$4") " ORDER BY h.state = 'waiting' DESC, c.rag = 'red' DESC, h.written_at, h.id LIMIT $5",
                       &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, n->site);
    db_bind_id(s, 2, n->user);
    db_bind_int(s, 3, rules_table_index(bytes_of_str("held")));
    db_bind_int(s, 4, all);
    db_bind_int(s, 5, LOOK_LIST_MAX);
    e = look_fill_rows(n, s, &t, &list, why);
    if (e == ERR_OK && (e = look_note_held(n, list, why)) != ERR_OK) json_free(list);
    return e == ERR_OK ? look_wrap(list, "held", total, out, why) : e;
}
