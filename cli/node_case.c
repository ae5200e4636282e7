/* case new, list, show, set, share, unshare. */
#include "cli/node_commands.h"
#include "cli/node_work.h"
#include "cli/plain.h"

#include "node/look.h"

#include <string.h>

/* --------------------------------------------------------------------------------------------------------- new */
static enum err say_new(struct work *w, const struct act_case_opened *o, bool red, struct why *why)
{
    char text[37], call[80], due[40] = "";
    uuid_format(o->id, text);
    plain_text(call, sizeof call, bytes_of_str(o->phone));
    if (!o->mash) {
        fprintf(stderr,
                "No MASH room covers this area, so nobody will pick this case up. Tell the hub's administrator now.\n");
        w->c->attention = true;
    }
    if (red)
        fprintf(stderr, "The MASH does NOT have this yet: it goes with the next contact (spoke sync).%s%s\n",
                *call != '\0' ? " If a child may be at risk now, phone "
                              : " If a child may be at risk now, phone the MASH.",
                call);
    work_say_notes(w, &o->notes);
    if (!w->c->json) {
        printf("Case %s (%s)\n", o->reference, text);
        return ERR_OK;
    }
    struct json *j = json_object_new();
    json_set_str(j, "id", text);
    json_set_str(j, "reference", o->reference);
    if (o->due_at != 0) show_rfc3339(o->due_at, due, sizeof due);
    json_set_str(j, "due_at", o->due_at != 0 ? due : NULL);
    json_set_bool(j, "mash", o->mash);
    json_set_str(j, "phone", *call != '\0' ? call : NULL);
    return show_json(j, why);
}

static enum err do_new(struct work *w, struct why *why)
{
    struct cli *c = w->c;
    struct act_case_opened opened;
    struct act_case in = {.referrer = cli_flag(c, "referrer"),
                          .external_ref = cli_flag(c, "external-ref"),
                          .presenting_issue = cli_flag(c, "issue"),
                          .subject_kind = cli_flag(c, "subject"),
                          .rag = cli_flag(c, "rag"),
                          .rag_reason = cli_flag(c, "reason")};
    enum err e = cli_need(c, "area", &in.area, why);
    if (e == ERR_OK) e = cli_need(c, "source", &in.source, why);
    if (e == ERR_OK) e = cli_need(c, "need", &in.primary_need, why);
    if (e == ERR_OK) e = cli_need(c, "summary", &in.summary, why);
    if (e == ERR_OK && in.rag != NULL) e = cli_need(c, "reason", &in.rag_reason, why);
    if (e == ERR_OK) e = act_case_new(w->node, &in, &opened, why);
    return e == ERR_OK ? say_new(w, &opened, in.rag != NULL && strcmp(in.rag, "red") == 0, why) : e;
}
static enum err run_new(struct cli *c, struct why *why)
{
    return work_read(c, do_new, why);
}

/* -------------------------------------------------------------------------------------------------------- list */
static const struct show_column list_columns[] = {
    {"id", NULL, SHOW_ID},
    {"reference", "Reference", SHOW_TEXT},
    {"area", "Area", SHOW_TEXT},
    {"rag", "Rating", SHOW_TEXT},
    {"status", "Status", SHOW_TEXT},
    {"lead_agency", "Lead", SHOW_TEXT},
    {"received_at", "Received", SHOW_TIME},
    {"due_at", "Due", SHOW_TIME},
    {"unsent", "Unsent", SHOW_BOOL},
};

#define PICKED_MAX (16u << 20) /* bytes of ids: a million cases */

/* A slip in --rag must not look like a quiet day. */
static enum err check_word(struct work *w, const char *column, struct why *why)
{
    const struct table_rule *t = rules_table((size_t)rules_table_index(bytes_of_str("case_file")));
    const char *text = cli_flag(w->c, column);
    struct value v;
    if (text == NULL) return ERR_OK;
    if (*text == '\0') return why_set(why, ERR_USAGE, "--%s needs a word.", column);
    return work_read_value(w, &t->columns[rules_column_index(t, bytes_of_str(column))], text, &v, why);
}

/* What is overdue, or this person's, as the board says it: a list of ids for SQL. Empty when neither is asked for. */
static enum err pick_cases(struct work *w, struct buf *out, struct why *why)
{
    const struct look_board ask = {.mine = cli_has(w->c, "mine"), .overdue = cli_has(w->c, "overdue"), .all = true};
    struct buf ids;
    char hex[33];
    if (!ask.mine && !ask.overdue) return ERR_OK;
    buf_init(&ids, PICKED_MAX);
    enum err e = look_board_ids(w->node, &ask, &ids, why);
    if (e == ERR_OK) buf_put_u8(out, '[');
    for (size_t i = 0; e == ERR_OK && i < ids.len; i += 16) {
        hex_encode(hex, ids.data + i, 16);
        buf_printf(out, "%s\"%s\"", i != 0 ? "," : "", hex);
    }
    if (e == ERR_OK) buf_put_u8(out, ']');
    if (e == ERR_OK && out->err != ERR_OK) e = why_set(why, out->err, "There are too many cases to be listed at once.");
    buf_release(&ids);
    return e;
}

static enum err do_list(struct work *w, struct why *why)
{
    struct stmt *s = NULL;
    struct buf picked;
    buf_init(&picked, PICKED_MAX * 4);
    enum err e = check_word(w, "rag", why);
    if (e == ERR_OK) e = check_word(w, "status", why);
    if (e == ERR_OK) e = pick_cases(w, &picked, why);
    if (e == ERR_OK)
        e = db_prepare(
            w->db,
            "SELECT c.id, c.reference, c.area, c.rag, c.status, c.lead_agency, c.received_at, c.due_at,"
            " EXISTS (SELECT 1 FROM n_pending p WHERE p.id = c.id)"
            " FROM case_file c WHERE c.voided_at IS NULL AND ($1 IS NULL OR c.rag = $1) AND ($2 IS NULL OR c.status = $2)"
            " AND ($3 IS NULL OR lower(hex(c.id)) IN (SELECT value FROM json_each($3)))"
            " ORDER BY CASE c.rag WHEN 'red' THEN 0 WHEN 'amber' THEN 1 WHEN 'green' THEN 2 WHEN 'blue' THEN 3 ELSE 4 END,"
            " c.due_at, c.reference",
            &s, why);
    if (e == ERR_OK) {
        db_bind_str(s, 1, cli_flag(w->c, "rag"));
        db_bind_str(s, 2, cli_flag(w->c, "status"));
        db_bind_str(s, 3, picked.len != 0 ? buf_cstr(&picked) : NULL);
        e = show_list(w->c, s, list_columns, sizeof list_columns / sizeof list_columns[0],
                      "No such case on this device.", NULL, why);
    }
    buf_release(&picked);
    return e;
}
static enum err run_list(struct cli *c, struct why *why)
{
    return work_read(c, do_list, why);
}

/* --------------------------------------------------------------------------------------------------------- set */
static enum err do_set(struct work *w, struct why *why)
{
    static const char *const tables[] = {"case_file", "brief", NULL};
    struct act_change changes[CLI_MAX_ARGS];
    struct act_notes notes;
    uint8_t id[16];
    size_t n = 0;
    bool held = false;
    enum err e = work_pick(w, "case_file", w->c->args[0], id, why);
    if (e == ERR_OK) e = work_changes(w, tables, NULL, changes, &n, why);
    if (e == ERR_OK) e = act_case_set(w->node, id, changes, n, &held, &notes, why);
    if (e != ERR_OK) return e;
    work_say_held(w, held);
    work_say_notes(w, &notes);
    return work_say_id(w, "Changed case", id, why);
}
static enum err run_set(struct cli *c, struct why *why)
{
    return work_read(c, do_set, why);
}

/* ------------------------------------------------------------------------------------------------------- share */
static enum err say_shared(struct work *w, const uint8_t (*ids)[16], size_t n, struct why *why)
{
    char text[37];
    struct json *list = w->c->json && n > 1 ? json_array_new() : NULL;
    enum err e = ERR_OK;
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        if (list == NULL) {
            e = work_say_id(w, "Shared with the next contact; participant", ids[i], why);
            continue;
        }
        struct json *o = json_object_new();
        uuid_format(ids[i], text);
        json_set_str(o, "id", text);
        json_append(list, o);
    }
    return list != NULL ? show_json(list, why) : e;
}

static enum err do_share(struct work *w, struct why *why)
{
    int n = w->c->n_args - 1;
    uint8_t cases[CLI_MAX_ARGS][16], ids[CLI_MAX_ARGS][16];
    struct value until;
    bool held = false;
    struct act_share sh = {.cases = (const uint8_t(*)[16])cases,
                           .agency = w->c->args[n],
                           .site = cli_flag(w->c, "site"),
                           .access = cli_flag(w->c, "access"),
                           .basis = cli_flag(w->c, "basis"),
                           .quiet = cli_has(w->c, "quiet")};
    enum err e = work_time_flag(w, "until", value_int(0), &until, why);
    if (e == ERR_OK) sh.until = until.i;
    for (int i = 0; i < n && e == ERR_OK; i++) e = work_pick(w, "case_file", w->c->args[i], cases[sh.n_cases++], why);
    if (e == ERR_OK) e = act_case_share(w->node, &sh, ids, &held, why);
    if (e != ERR_OK) return e;
    work_say_held(w, held);
    return say_shared(w, (const uint8_t(*)[16])ids, sh.n_cases, why);
}
static enum err run_share(struct cli *c, struct why *why)
{
    return work_read(c, do_share, why);
}

static enum err do_unshare(struct work *w, struct why *why)
{
    uint8_t case_id[16];
    bool held = false;
    enum err e = work_pick(w, "case_file", w->c->args[0], case_id, why);
    if (e == ERR_OK) e = act_case_unshare(w->node, case_id, w->c->args[1], &held, why);
    if (e != ERR_OK) return e;
    work_say_held(w, held);
    return work_say_id(w, "No longer shared once the MASH has heard of it: case", case_id, why);
}
static enum err run_unshare(struct cli *c, struct why *why)
{
    return work_read(c, do_unshare, why);
}

static const struct flag new_flags[] = {
    {"area", "AREA", "the area it is in"},
    {"source", "CODE", "who referred: a code of the list referral_source, like 3B for a health visitor"},
    {"need", "CODE", "primary need, like N1"},
    {"summary", "TEXT", "what has happened, in a sentence or two"},
    {"issue", "TEXT", "presenting issue"},
    {"referrer", "TEXT", "who referred, by name and number"},
    {"external-ref", "TEXT", "the referrer's own reference"},
    {"subject", "KIND", "child (default) or adult"},
    {"rag", "RATING", "red, amber, green or blue; needs --reason"},
    {"reason", "TEXT", "why that rating"},
    {0}};
static const struct flag list_flags[] = {
    {"rag", "RATING", "only this rating"},
    {"overdue", NULL, "only what is past its time"},
    {"mine", NULL, "only what this agency opened or leads, what asks it, and what is given to you"},
    {"status", "STATUS", "new, gathering, ready, decided or closed"},
    {0}};
static const struct flag share_flags[] = {
    {"site", "SITE", "only this site of the agency"},
    {"access", "HOW", "check, view or contribute (default)"},
    {"basis", "TEXT", "on what basis it is shared"},
    {"until", "TIME", "ends by itself then"},
    {"quiet", NULL, "that they take part is told to nobody but them and the MASH"},
    {0}};

const struct command node_case_commands[] = {
    {"case new", "", 0, 0,
     "Open a case: a new referral. The MASH room of the area gets it with the next contact, named or not.",
     "spoke case new --area north --source 3B --need N1 --summary \"Bruising seen at visit\" --rag red --reason \"Injury, child under 1\"",
     new_flags, run_new},
    {"case list", "", 0, 0, "Cases on this device, the gravest and most pressing first.", "spoke case list --rag red",
     list_flags, run_list},
    {"case show", "CASE", 1, 1, "Everything this device holds about a case.", "spoke case show C-7K2M9QXD", NULL,
     node_case_show},
    {"case set", "CASE COLUMN=VALUE...", 2, CLI_MAX_ARGS,
     "Change what is said about a case: rag, status, summary, decision and the like.",
     "spoke case set C-7K2M9QXD rag=amber status=gathering", NULL, run_set},
    {"case share", "CASE... AGENCY", 2, CLI_MAX_ARGS, "Let an agency take part in a case, or in several.",
     "spoke case share C-7K2M9QXD probation --basis \"Working Together\"", share_flags, run_share},
    {"case unshare", "CASE AGENCY", 2, 2,
     "End an agency's part in a case. What it wrote stays with it; all else leaves its devices.",
     "spoke case unshare C-7K2M9QXD probation", NULL, run_unshare},
    {0}};
