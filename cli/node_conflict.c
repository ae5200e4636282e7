/* conflict: two versions of one thing, who wrote them, and settling them. */
#include "cli/node_commands.h"
#include "cli/node_work.h"
#include "node/act_work.h"
#include "node/look_words_conflict.h"

#include <string.h>

static const struct show_column columns[] = {
    {"id", "Id", SHOW_ID},
    {"case_id", NULL, SHOW_ID},
    {"reference", "Case", SHOW_TEXT},
    {"red", NULL, SHOW_BOOL},
    {"alert", "Alert", SHOW_TEXT},
    {"tbl", "In", SHOW_TEXT},
    {"row_id", NULL, SHOW_ID},
    {"col", "What", SHOW_TEXT},
    {"kept", "Kept", SHOW_TEXT},
    {"kept_by", "by", SHOW_TEXT},
    {"kept_agency", NULL, SHOW_TEXT},
    {"kept_site", "at", SHOW_TEXT},
    {"kept_at", "written", SHOW_WRITTEN},
    {"lost", "Other", SHOW_TEXT},
    {"lost_by", "by", SHOW_TEXT},
    {"lost_agency", NULL, SHOW_TEXT},
    {"lost_site", "at", SHOW_TEXT},
    {"lost_at", "written", SHOW_WRITTEN},
    {"policy", NULL, SHOW_TEXT},
    {"rule", "Rule", SHOW_TEXT},
    {"state", NULL, SHOW_TEXT},
    {"stage", "State", SHOW_TEXT},
    {"found_at", "Found", SHOW_TIME},
    {"resolved_at", "Settled", SHOW_TIME},
    {"resolved_by", "by", SHOW_TEXT},
    {"reason", "Reason", SHOW_TEXT},
    {"now", "Stands now", SHOW_TEXT},
};
enum { N_COLUMNS = sizeof columns / sizeof columns[0], N_LIST = N_COLUMNS - 1 };

/* $1: the state that is wanted, or NULL; $2: the conflict, or NULL; $3: 1 for people, 0 for programs, who get the
 * values as they are kept; $4 and $5: "table.column" of times and of yes-or-no values, each between commas; $6: what
 * stands now. */
#define OF_TYPE(list) "instr(" list ", ',' || x.tbl || '.' || x.col || ',') > 0"
#define TIME(value)   "strftime('%Y-%m-%d %H:%M', CAST(" value " AS INTEGER) / 1000, 'unixepoch', 'localtime')"
#define READABLE(value)                                                                                                \
    "CASE WHEN $3 = 0 THEN " value " WHEN " value " IS NULL THEN '(nothing)' WHEN " OF_TYPE("$4") " THEN " TIME(       \
        value) " WHEN " OF_TYPE("$5") " THEN CASE " value " WHEN '1' THEN 'yes' ELSE 'no' END ELSE " value " END"
#define KEPT        READABLE("x.kept")
#define LOST        READABLE("x.lost")
#define NOW         READABLE("$6")
#define WORDS(name) "CASE WHEN $3 = 0 THEN " name " ELSE replace(" name ", '_', ' ') END"
#define TABLE       WORDS("x.tbl")
#define COLUMN      WORDS("x.col")
#define RED         LOOK_CONFLICT_RED
/* Who wrote a version: the name, the agency's code, and the site, by its name and its agency's for people. */
#define AUTHOR(p)                                                                                                      \
    p ".name, " p "s.agency, CASE WHEN $3 = 0 THEN " p ".site ELSE coalesce(" p "s.name, " p ".site)"                  \
      " || coalesce(', ' || coalesce(" p "a.name, " p "s.agency), '') END"
#define KEPT_BY AUTHOR("k")
#define LOST_BY AUTHOR("l")
#define QUESTION(kept_at, lost_at)                                                                                     \
    "SELECT x.id, x.case_id, c.reference, " RED ","                                                                    \
    " CASE WHEN c.rag = 'red' AND x.state = 'open' THEN 'red case: tell the manager now' END,"                         \
    " " TABLE ", x.row_id, " COLUMN ", " KEPT ", " KEPT_BY ", " kept_at ", " LOST ", " LOST_BY ", " lost_at            \
    ", x.policy, " LOOK_CONFLICT_RULE ", x.state, " LOOK_CONFLICT_STAGE                                                \
    ", x.found_at, x.resolved_at, r.name, x.reason, " NOW                                                              \
    " FROM conflict x LEFT JOIN case_file c ON c.id = x.case_id" LOOK_CONFLICT_AUTHORS                                 \
    " LEFT JOIN practitioner r ON r.id = x.resolved_by"                                                                \
    " LEFT JOIN column_policy p ON p.tbl = x.tbl AND p.col = x.col"                                                    \
    " WHERE x.voided_at IS NULL AND ($1 IS NULL OR x.state = $1) AND ($2 IS NULL OR x.id = $2)"                        \
    " ORDER BY x.state = 'open' DESC, x.state = 'open' AND " RED " DESC, x.found_at, x.id"
static const char question[] = QUESTION("x.kept_at", "x.lost_at");
static const char question_before[] = QUESTION("NULL", "NULL"); /* of a store that has no such times yet */

/* ",table.column,table.column," of every column of this type. */
static void list_type(struct buf *out, enum column_type type)
{
    size_t n;
    const struct table_rule *t = rules_tables(&n);
    buf_put_str(out, ",");
    for (size_t i = 0; i < n; i++) {
        for (size_t c = 0; c < t[i].n_columns; c++) {
            if (t[i].columns[c].type != type) continue;
            buf_put_str(out, t[i].name);
            buf_put_str(out, ".");
            buf_put_str(out, t[i].columns[c].name);
            buf_put_str(out, ",");
        }
    }
}

struct ask {
    const char *state;
    const uint8_t *id;
    struct value now;
    struct buf times, bools;
};
static void ask_init(struct ask *a)
{
    *a = (struct ask){.now = value_null()};
    buf_init(&a->times, 1u << 16);
    buf_init(&a->bools, 1u << 16);
    list_type(&a->times, COL_TIME);
    list_type(&a->bools, COL_BOOL);
}
static void ask_release(struct ask *a)
{
    buf_release(&a->times);
    buf_release(&a->bools);
}

static enum err prepare(struct work *w, const struct ask *a, struct stmt **out, struct why *why)
{
    enum err e = node_viewed_conflicts(w, a->state, a->id, why);
    bool timed = db_has_column(w->db, "conflict", "lost_at");
    if (e == ERR_OK) e = db_prepare(w->db, timed ? question : question_before, out, why);
    if (e != ERR_OK) return e;
    db_bind_str(*out, 1, a->state);
    db_bind_value(*out, 2, a->id == NULL ? value_null() : value_id(a->id));
    db_bind_int(*out, 3, !w->c->json);
    db_bind_text(*out, 4, buf_bytes(&a->times));
    db_bind_text(*out, 5, buf_bytes(&a->bools));
    db_bind_value(*out, 6, a->now);
    return ERR_OK;
}

static enum err do_list(struct work *w, struct why *why)
{
    struct stmt *s = NULL;
    struct ask a;
    size_t rows = 0;
    bool all = cli_has(w->c, "all");
    ask_init(&a);
    a.state = all ? NULL : "open";
    enum err e = prepare(w, &a, &s, why);
    if (e == ERR_OK)
        e = show_list(w->c, s, columns, N_LIST,
                      all ? "Nothing was ever written in two versions."
                          : "No two versions wait for a decision. Those that a rule decided: spoke conflict list --all",
                      &rows, why);
    ask_release(&a);
    w->c->attention = rows != 0 && !all;
    return e;
}
static enum err run_list(struct cli *c, struct why *why)
{
    return work_read(c, do_list, why);
}

/* ------------------------------------------------------------------------------------------- one of them */
struct versions {
    const struct table_rule *table; /* of the row that they are of */
    size_t column;
    uint8_t row_id[16];
};

static enum err read_versions(struct work *w, const uint8_t id[16], struct versions *out, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(w->db, "SELECT tbl, col, row_id FROM conflict WHERE id = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, id);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) {
        int t = rules_table_index(db_bytes(s, 0));
        int k = t < 0 ? -1 : rules_column_index(rules_table((size_t)t), db_bytes(s, 1));
        if (k < 0 || !db_id(s, 2, out->row_id)) {
            e = why_set(why, ERR_VERSION, "This conflict is about something that this version does not know.");
        } else {
            out->table = rules_table((size_t)t);
            out->column = (size_t)k;
        }
    } else if (e == ERR_OK) {
        e = why_set(why, ERR_NOTFOUND, "There is no such pair of versions here.");
    }
    db_done(s);
    return e;
}

/* What stands in the column now, as conflicts keep values; NULL too where the row is not here. */
static enum err read_now(struct work *w, const struct versions *d, struct buf *store, struct value *out,
                         struct why *why)
{
    struct buf row_store;
    struct row r;
    bool found = false;
    buf_init(&row_store, 64u << 20);
    enum err e = db_row_get(w->db, d->table, d->row_id, &row_store, &r, &found, why);
    if (e == ERR_OK && found && r.v[d->column].kind != VALUE_NULL && r.v[d->column].kind != VALUE_NONE) {
        e = value_to_text(r.v[d->column], store);
        if (e == ERR_OK) *out = value_text(buf_bytes(store));
    }
    buf_release(&row_store);
    return e;
}

static enum err do_show(struct work *w, struct why *why)
{
    struct stmt *s = NULL;
    struct ask a;
    struct versions d = {0};
    struct buf now;
    uint8_t id[16];
    bool found = false;
    ask_init(&a);
    buf_init(&now, RULES_MAX_VALUE + 1);
    enum err e = work_pick(w, "conflict", w->c->args[0], id, why);
    if (e == ERR_OK) e = read_versions(w, id, &d, why);
    if (e == ERR_OK) e = read_now(w, &d, &now, &a.now, why);
    a.id = id;
    if (e == ERR_OK) e = prepare(w, &a, &s, why);
    if (e == ERR_OK) e = show_one(w->c, s, columns, N_COLUMNS, &found, why);
    if (e == ERR_OK && !found) e = why_set(why, ERR_NOTFOUND, "There is no such pair of versions here.");
    ask_release(&a);
    buf_release(&now);
    return e;
}
static enum err run_show(struct cli *c, struct why *why)
{
    return work_read(c, do_show, why);
}

/* ---------------------------------------------------------------------------------------------- settling */
static bool one_choice(const char *keep, const char *file)
{
    if (keep == NULL || file != NULL) return keep == NULL && file != NULL;
    return strcmp(keep, "kept") == 0 || strcmp(keep, "lost") == 0 || strcmp(keep, "now") == 0;
}

/* A file ends with a line end; a name does not. */
static enum err read_value(struct work *w, const char *file, struct act_settle *in, struct why *why)
{
    struct value v = value_null();
    enum err e = work_file(w, file, &v, why);
    if (e != ERR_OK) return e;
    in->keep = "value";
    in->value = bytes_of(v.s.p, v.s.n - (v.s.n > 0 && v.s.p[v.s.n - 1] == '\n'));
    return ERR_OK;
}

static enum err do_resolve(struct work *w, struct why *why)
{
    uint8_t id[16];
    const char *file = cli_flag(w->c, "value-file");
    struct act_settle in = {.conflict = id, .keep = cli_flag(w->c, "keep")};
    if (!one_choice(in.keep, file))
        return why_set(why, ERR_USAGE,
                       "Say which one stands: --keep kept, --keep lost, --keep now for what stands by now, or "
                       "--value-file FILE with another one.");
    enum err e = cli_need(w->c, "reason", &in.reason, why);
    if (e == ERR_OK) e = work_pick(w, "conflict", w->c->args[0], id, why);
    if (e == ERR_OK && file != NULL) e = read_value(w, file, &in, why);
    if (e == ERR_OK) e = act_conflict_settle(w->node, &in, why);
    if (e == ERR_EXISTS)
        return why_next(why, e, "Who did and why: spoke conflict show %s. If it was wrong, change the value itself.",
                        w->c->args[0]);
    return e == ERR_OK ? work_say_id(w, "Settled", id, why) : e;
}
static enum err run_resolve(struct cli *c, struct why *why)
{
    return work_read(c, do_resolve, why);
}

static const struct flag all_flags[] = {{"all", NULL, "also what a rule decided or a person settled"}, {0}};
static const struct flag resolve_flags[] = {{"keep", "WHICH", "kept, lost, or now: what stands by now"},
                                            {"value-file", "FILE", "another value, instead of either"},
                                            {"reason", "TEXT", "why; it stays on record"},
                                            {0}};

const struct command node_conflict_commands[] = {
    {"conflict list", "", 0, 0, "What stands in two versions, and who wrote them. Red cases come first.",
     "spoke conflict list", all_flags, run_list},
    {"conflict show", "CONFLICT", 1, 1, "Both versions of one thing, and what stands now.",
     "spoke conflict show 0192f3d5", NULL, run_show},
    {"conflict resolve", "CONFLICT", 1, 1,
     "Settle two versions, with a reason; also otherwise than a rule did. Both stay on record.",
     "spoke conflict resolve 0192f3d5 --keep lost --reason \"Birth certificate seen\"", resolve_flags, run_resolve},
    {0}};
