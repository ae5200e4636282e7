/* held: work that is not accepted yet. */
#include "cli/node_commands.h"
#include "cli/node_work.h"
#include "node/act_work.h"

#include <string.h>

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

static enum err decide(struct work *w, bool accept, struct why *why)
{
    uint8_t id[16];
    const char *reason = cli_flag(w->c, "reason");
    enum err e = accept ? ERR_OK : cli_need(w->c, "reason", &reason, why);
    if (e == ERR_OK) e = work_pick(w, "held", w->c->args[0], id, why);
    if (e == ERR_OK) e = act_held_decide(w->node, id, accept, reason, why);
    return e == ERR_OK ? work_say_id(w, "Decided; the hub acts on it with the next contact:", id, why) : e;
}
static enum err do_accept(struct work *w, struct why *why)
{
    return decide(w, true, why);
}
static enum err do_dismiss(struct work *w, struct why *why)
{
    return decide(w, false, why);
}
static enum err run_accept(struct cli *c, struct why *why)
{
    return work_read(c, do_accept, why);
}
static enum err run_dismiss(struct cli *c, struct why *why)
{
    return work_read(c, do_dismiss, why);
}

static const struct flag all_flags[] = {{"all", NULL, "settled and decided ones too"}, {0}};
static const struct flag decide_flags[] = {{"reason", "TEXT", "why"}, {0}};

const struct command node_judge_commands[] = {
    {"held list", "", 0, 0, "Work that is not accepted yet.", "spoke held list", all_flags, run_held_list},
    {"held show", "HELD", 1, 1, "What was written, by whom, and why it is held.", "spoke held show 0192f3e6", NULL,
     run_held_show},
    {"held accept", "HELD", 1, 1, "Accept held work: for the area's manager, in the MASH room.",
     "spoke held accept 0192f3e6", decide_flags, run_accept},
    {"held dismiss", "HELD", 1, 1, "Dismiss held work, with a reason. It stays on record.",
     "spoke held dismiss 0192f3e6 --reason \"Recorded twice\"", decide_flags, run_dismiss},
    {0}};
