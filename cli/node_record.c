/* record: what an agency contributes. */
#include "cli/node_commands.h"
#include "cli/node_work.h"

#include <stdio.h>

/* ------------------------------------------------------------------------------------------------------ record */
static enum err read_record(struct work *w, struct act_record *in, uint8_t person[16], struct why *why)
{
    struct value at, body;
    enum err e = cli_need(w->c, "kind", &in->kind, why);
    if (e == ERR_OK) e = cli_need(w->c, "title", &in->title, why);
    if (e == ERR_OK) e = work_time_flag(w, "at", value_int(0), &at, why);
    if (e == ERR_OK) in->occurred_at = at.i;
    if (e == ERR_OK && cli_has(w->c, "person")) {
        in->person = person;
        e = work_pick(w, "person", cli_flag(w->c, "person"), person, why);
    }
    if (e == ERR_OK && cli_has(w->c, "body-file")) {
        e = work_file(w, cli_flag(w->c, "body-file"), &body, why);
        if (e == ERR_OK) in->body = body.s;
    }
    return e;
}

static enum err do_record_add(struct work *w, struct why *why)
{
    uint8_t case_id[16], person[16], id[16];
    enum act_sight sight = ACT_ALL;
    struct act_record in = {.case_id = case_id,
                            .sensitivity = cli_flag(w->c, "sensitivity"),
                            .needs_consent = cli_has(w->c, "needs-consent"),
                            .handling = cli_flag(w->c, "handling")};
    enum err e = read_record(w, &in, person, why);
    if (e == ERR_OK) e = work_pick(w, "case_file", w->c->args[0], case_id, why);
    if (e == ERR_OK) e = act_record_add(w->node, &in, id, &sight, why);
    if (e == ERR_OK && in.needs_consent && sight != ACT_NOBODY_RESTRICTED)
        e = node_consent_effect(w, case_id, NULL, why);
    return e == ERR_OK ? work_say_id(w, "Record", id, why) : e;
}
static enum err run_record_add(struct cli *c, struct why *why)
{
    return work_read(c, do_record_add, why);
}

static enum err do_record_set(struct work *w, struct why *why)
{
    static const char *const tables[] = {"record", NULL};
    struct act_change changes[CLI_MAX_ARGS];
    uint8_t id[16];
    struct act_record_edit in = {.record = id, .changes = changes};
    struct act_record_edited done = {0};
    char said[ACT_SIGHT_CHARS];
    enum err e = work_pick(w, "record", w->c->args[0], id, why);
    if (e == ERR_OK) e = work_changes(w, tables, NULL, changes, &in.n_changes, why);
    if (e == ERR_OK) e = act_record_set(w->node, &in, &done, why);
    if (e != ERR_OK) return e;
    act_sight_change(done.before, done.after, said);
    if (said[0] != '\0') fprintf(stderr, "%s\n", said);
    if (done.told) fprintf(stderr, "%s\n", ACT_RECORD_TOLD);
    return work_say_id(w, "Changed record", id, why);
}
static enum err run_record_set(struct cli *c, struct why *why)
{
    return work_read(c, do_record_set, why);
}

static const struct flag record_flags[] = {
    {"kind", "KIND", "what sort of record, like visit, call, check, analysis"},
    {"title", "TEXT", "a line that says what it is"},
    {"body-file", "FILE", "its text; - reads standard input"},
    {"person", "ID", "whom it is about (default: the case)"},
    {"at", "TIME", "when it happened (default: now)"},
    {"sensitivity", "HOW", "open (default), sensitive (MASH room only) or restricted (this agency only)"},
    {"needs-consent", NULL, "told to nobody until the person consents"},
    {"handling", "TEXT", "how it must be handled"},
    {0}};

const struct command node_record_commands[] = {
    {"record add", "CASE", 1, 1, "Contribute what your agency knows.",
     "spoke record add C-7K2M9QXD --kind visit --title \"Home visit\" --body-file visit.txt", record_flags,
     run_record_add},
    {"record set", "RECORD COLUMN=VALUE...", 2, CLI_MAX_ARGS, "Change a record of your own agency.",
     "spoke record set 0192f3c4 sensitivity=sensitive", NULL, run_record_set},
    {0}};
