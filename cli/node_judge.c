/* conflict, held: two versions of one thing, and work that is not accepted yet. */
#include "cli/node_commands.h"
#include "cli/node_work.h"

#include <string.h>

/* ---------------------------------------------------------------------------------------------------- conflict */
static const struct show_column conflict_columns[] = {
    {"id", "Id", SHOW_ID},
    {"case_id", NULL, SHOW_ID},
    {"reference", "Case", SHOW_TEXT},
    {"tbl", "In", SHOW_TEXT},
    {"row_id", NULL, SHOW_ID},
    {"col", "What", SHOW_TEXT},
    {"policy", "Rule", SHOW_TEXT},
    {"kept", "Kept", SHOW_TEXT},
    {"kept_by", "by", SHOW_TEXT},
    {"kept_site", "at", SHOW_TEXT},
    {"lost", "Other", SHOW_TEXT},
    {"lost_by", "by", SHOW_TEXT},
    {"lost_site", "at", SHOW_TEXT},
    {"state", "State", SHOW_TEXT},
    {"found_at", "Found", SHOW_TIME},
    {"resolved_at", "Settled", SHOW_TIME},
    {"reason", "Reason", SHOW_TEXT},
};
enum { N_CONFLICT = sizeof conflict_columns / sizeof conflict_columns[0] };

#define CONFLICT_SQL                                                                                                         \
    "SELECT x.id, x.case_id, c.reference, x.tbl, x.row_id, x.col, x.policy, x.kept, k.name, k.site, x.lost, l.name, l.site," \
    " x.state, x.found_at, x.resolved_at, x.reason FROM conflict x LEFT JOIN case_file c ON c.id = x.case_id"                \
    " LEFT JOIN practitioner k ON k.id = x.kept_by LEFT JOIN practitioner l ON l.id = x.lost_by WHERE x.voided_at IS NULL"

static enum err do_conflict_list(struct work *w, struct why *why)
{
    struct stmt *s = NULL;
    enum err e = db_prepare(w->db, CONFLICT_SQL " AND ($1 = 1 OR x.state = 'open') ORDER BY x.found_at, x.id", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, cli_has(w->c, "all"));
    size_t rows = 0;
    e = show_list(w->c, s, conflict_columns, N_CONFLICT, "Nothing stands in two versions.", &rows, why);
    w->c->attention = rows != 0 && !cli_has(w->c, "all");
    return e;
}
static enum err run_conflict_list(struct cli *c, struct why *why)
{
    return work_read(c, do_conflict_list, why);
}

static enum err do_conflict_show(struct work *w, struct why *why)
{
    struct stmt *s = NULL;
    uint8_t id[16];
    bool found = false;
    enum err e = work_pick(w, "conflict", w->c->args[0], id, why);
    if (e == ERR_OK) e = db_prepare(w->db, CONFLICT_SQL " AND x.id = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, id);
    e = show_one(w->c, s, conflict_columns, N_CONFLICT, &found, why);
    if (e == ERR_OK && !found) e = why_set(why, ERR_NOTFOUND, "There is no such pair of versions here.");
    return e;
}
static enum err run_conflict_show(struct cli *c, struct why *why)
{
    return work_read(c, do_conflict_show, why);
}

struct dispute {
    const struct table_rule *table;
    size_t column;
    uint8_t row_id[16];
    bool open;
};

/* Where the conflict is about, and the chosen value as text into `chosen` (borrowed from the statement's copy in file). */
static enum err read_dispute(struct work *w, const uint8_t id[16], const char *which, struct dispute *out,
                             struct buf *chosen, bool *out_null, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(
        w->db,
        "SELECT tbl, col, row_id, state = 'open', CASE $1 WHEN 'kept' THEN kept ELSE lost END FROM conflict WHERE id = $2",
        &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, which);
    db_bind_id(s, 2, id);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) {
        int t = rules_table_index(db_bytes(s, 0));
        int k = t < 0 ? -1 : rules_column_index(rules_table((size_t)t), db_bytes(s, 1));
        if (k < 0 || !db_id(s, 2, out->row_id)) {
            e = why_set(why, ERR_VERSION, "This conflict is about something that this version does not know.");
        } else {
            out->table = rules_table((size_t)t);
            out->column = (size_t)k;
            out->open = db_int(s, 3) != 0;
            *out_null = db_is_null(s, 4);
            buf_put_bytes(chosen, db_bytes(s, 4));
        }
    } else if (e == ERR_OK) {
        e = why_set(why, ERR_NOTFOUND, "There is no such pair of versions here.");
    }
    db_done(s);
    return e;
}

static enum err put_settled(struct work *w, const uint8_t id[16], const char *reason, struct why *why)
{
    enum err e = work_update(w, "conflict", id, "state", value_str("settled"), why);
    if (e == ERR_OK) e = work_update(w, "conflict", id, "resolved_by", value_id(w->info.user), why);
    if (e == ERR_OK) e = work_update(w, "conflict", id, "resolved_at", value_int(w->now), why);
    return e == ERR_OK ? work_update(w, "conflict", id, "reason", value_str(reason), why) : e;
}

static enum err do_resolve(struct work *w, struct why *why)
{
    uint8_t id[16];
    struct dispute d = {0};
    struct buf chosen;
    struct value v = value_null();
    bool null = false;
    const char *keep = cli_flag(w->c, "keep"), *file = cli_flag(w->c, "value-file"), *reason = NULL;
    if ((keep == NULL) == (file == NULL) || (keep != NULL && strcmp(keep, "kept") != 0 && strcmp(keep, "lost") != 0))
        return why_set(why, ERR_USAGE,
                       "Say which one stands: --keep kept, --keep lost, or --value-file FILE with a third.");
    buf_init(&chosen, RULES_MAX_VALUE + 1);
    enum err e = cli_need(w->c, "reason", &reason, why);
    if (e == ERR_OK) e = work_pick(w, "conflict", w->c->args[0], id, why);
    if (e == ERR_OK) e = read_dispute(w, id, keep != NULL ? keep : "kept", &d, &chosen, &null, why);
    if (e == ERR_OK && !d.open) e = why_set(why, ERR_EXISTS, "These two versions are settled already.");
    if (e == ERR_OK && file != NULL) {
        e = work_file(w, file, &v, why);
        buf_reset(&chosen);
        if (e == ERR_OK) /* a file ends with a line end; a name does not */
            buf_put(&chosen, v.s.p, v.s.n - (v.s.n > 0 && v.s.p[v.s.n - 1] == '\n'));
        null = false;
    }
    if (e == ERR_OK && !null &&
        value_from_text(&d.table->columns[d.column], buf_bytes(&chosen), &w->scratch, &v) != ERR_OK)
        e = why_set(why, ERR_USAGE, "That value does not fit what it is for.");
    if (e == ERR_OK)
        e = work_update(w, d.table->name, d.row_id, d.table->columns[d.column].name, null ? value_null() : v, why);
    if (e == ERR_OK) e = put_settled(w, id, reason, why);
    buf_release(&chosen);
    return e == ERR_OK ? work_say_id(w, "Settled", id, why) : e;
}
static enum err run_resolve(struct cli *c, struct why *why)
{
    return work_edit(c, "settled two versions", do_resolve, why);
}

/* -------------------------------------------------------------------------------------------------------- held */
static const struct show_column held_columns[] = {
    {"id", "Id", SHOW_ID},
    {"case_id", NULL, SHOW_ID},
    {"reference", "Case", SHOW_TEXT},
    {"agency", "From", SHOW_TEXT},
    {"author", "Author", SHOW_TEXT},
    {"written_at", "Written", SHOW_TIME},
    {"reason", "Why held", SHOW_TEXT},
    {"state", "State", SHOW_TEXT},
    {"decided_by", "Decided by", SHOW_TEXT},
    {"decided_at", "Decided", SHOW_TIME},
    {"decision_reason", "Because", SHOW_TEXT},
    {"what", NULL, SHOW_TEXT},
};
enum { N_HELD = sizeof held_columns / sizeof held_columns[0] };

#define HELD_SQL                                                                                                                   \
    "SELECT h.id, h.case_id, c.reference, h.agency, a.name, h.written_at, h.reason, h.state, d.name, h.decided_at,"                \
    " h.decision_reason, h.what FROM held h LEFT JOIN case_file c ON c.id = h.case_id LEFT JOIN practitioner a ON a.id = h.author" \
    " LEFT JOIN practitioner d ON d.id = h.decided_by WHERE h.voided_at IS NULL"

static enum err do_held_list(struct work *w, struct why *why)
{
    struct stmt *s = NULL;
    enum err e =
        db_prepare(w->db, HELD_SQL " AND ($1 = 1 OR h.state = 'waiting') ORDER BY h.written_at, h.id", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, cli_has(w->c, "all"));
    size_t rows = 0;
    e = show_list(w->c, s, held_columns, N_HELD, "Nothing waits to be accepted.", &rows, why);
    w->c->attention = rows != 0 && !cli_has(w->c, "all");
    return e;
}
static enum err run_held_list(struct cli *c, struct why *why)
{
    return work_read(c, do_held_list, why);
}

static enum err do_held_show(struct work *w, struct why *why)
{
    struct stmt *s = NULL;
    uint8_t id[16];
    bool found = false;
    struct show_column columns[N_HELD];
    memcpy(columns, held_columns, sizeof columns);
    columns[N_HELD - 1].title = "What it says";
    enum err e = work_pick(w, "held", w->c->args[0], id, why);
    if (e == ERR_OK) e = db_prepare(w->db, HELD_SQL " AND h.id = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, id);
    e = show_one(w->c, s, columns, N_HELD, &found, why);
    if (e == ERR_OK && !found) e = why_set(why, ERR_NOTFOUND, "There is nothing held under that id.");
    return e;
}
static enum err run_held_show(struct cli *c, struct why *why)
{
    return work_read(c, do_held_show, why);
}

static enum err decide(struct work *w, const char *state, bool need_reason, struct why *why)
{
    uint8_t id[16];
    struct stmt *s = NULL;
    bool waiting = false;
    const char *reason = cli_flag(w->c, "reason");
    enum err e = need_reason ? cli_need(w->c, "reason", &reason, why) : ERR_OK;
    if (e == ERR_OK) e = work_pick(w, "held", w->c->args[0], id, why);
    if (e == ERR_OK) e = db_prepare(w->db, "SELECT 1 FROM held WHERE id = $1 AND state = 'waiting'", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, id);
    e = db_step(s, &waiting, why);
    db_done(s);
    if (e == ERR_OK && !waiting) e = why_set(why, ERR_EXISTS, "This was decided already.");
    if (e == ERR_OK) e = work_update(w, "held", id, "state", value_str(state), why);
    if (e == ERR_OK) e = work_update(w, "held", id, "decided_by", value_id(w->info.user), why);
    if (e == ERR_OK) e = work_update(w, "held", id, "decided_at", value_int(w->now), why);
    if (e == ERR_OK) e = work_update(w, "held", id, "decision_reason", value_str(reason), why);
    return e == ERR_OK ? work_say_id(w, "Decided; the hub acts on it with the next contact:", id, why) : e;
}
static enum err do_accept(struct work *w, struct why *why)
{
    return decide(w, "accepted", false, why);
}
static enum err do_dismiss(struct work *w, struct why *why)
{
    return decide(w, "dismissed", true, why);
}
static enum err run_accept(struct cli *c, struct why *why)
{
    return work_edit(c, "accepted held work", do_accept, why);
}
static enum err run_dismiss(struct cli *c, struct why *why)
{
    return work_edit(c, "dismissed held work", do_dismiss, why);
}

static const struct flag all_flags[] = {{"all", NULL, "settled and decided ones too"}, {0}};
static const struct flag resolve_flags[] = {{"keep", "WHICH", "kept or lost"},
                                            {"value-file", "FILE", "a third value, instead of either"},
                                            {"reason", "TEXT", "why"},
                                            {0}};
static const struct flag decide_flags[] = {{"reason", "TEXT", "why"}, {0}};

const struct command node_judge_commands[] = {
    {"conflict list", "", 0, 0, "What stands in two versions, and who wrote them.", "spoke conflict list", all_flags,
     run_conflict_list},
    {"conflict show", "CONFLICT", 1, 1, "Both versions of one thing.", "spoke conflict show 0192f3d5", NULL,
     run_conflict_show},
    {"conflict resolve", "CONFLICT", 1, 1, "Settle two versions, with a reason. Both stay on record.",
     "spoke conflict resolve 0192f3d5 --keep lost --reason \"Birth certificate seen\"", resolve_flags, run_resolve},
    {"held list", "", 0, 0, "Work that is not accepted yet.", "spoke held list", all_flags, run_held_list},
    {"held show", "HELD", 1, 1, "What was written, by whom, and why it is held.", "spoke held show 0192f3e6", NULL,
     run_held_show},
    {"held accept", "HELD", 1, 1, "Accept held work: for the area's manager, in the MASH room.",
     "spoke held accept 0192f3e6", decide_flags, run_accept},
    {"held dismiss", "HELD", 1, 1, "Dismiss held work, with a reason. It stays on record.",
     "spoke held dismiss 0192f3e6 --reason \"Recorded twice\"", decide_flags, run_dismiss},
    {0}};
