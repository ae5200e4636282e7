/* record: what an agency contributes. */
#include "cli/node_commands.h"
#include "cli/node_work.h"

#include <string.h>

/* ------------------------------------------------------------------------------------------------------ record */
static enum err fill_record(struct work *w, struct row *r, struct why *why)
{
    struct value at;
    uint8_t person[16];
    const char *sensitivity = cli_flag(w->c, "sensitivity");
    enum err e = work_time_flag(w, "at", value_int(w->now), &at, why);
    if (e == ERR_OK && cli_has(w->c, "person")) {
        e = work_pick(w, "person", cli_flag(w->c, "person"), person, why);
        if (e == ERR_OK) work_set(r, "person_id", value_id(person));
    }
    if (e == ERR_OK && cli_has(w->c, "body-file")) {
        struct value body;
        e = work_file(w, cli_flag(w->c, "body-file"), &body, why);
        if (e == ERR_OK) work_set(r, "body", body);
    }
    if (e != ERR_OK) return e;
    work_set(r, "author", value_id(w->info.user));
    work_set(r, "kind", work_text_flag(w, "kind"));
    work_set(r, "sensitivity", value_str(sensitivity != NULL ? sensitivity : "open"));
    work_set(r, "needs_consent", value_int(cli_has(w->c, "needs-consent")));
    work_set(r, "handling", work_text_flag(w, "handling"));
    work_set(r, "occurred_at", at);
    work_set(r, "written_at", value_int(w->now));
    work_set(r, "title", work_text_flag(w, "title"));
    return work_put(w, r, why); /* here, because person's id lies on this stack */
}

static enum err do_record_add(struct work *w, struct why *why)
{
    uint8_t case_id[16], id[16];
    struct row r;
    const char *v = NULL;
    enum err e = cli_need(w->c, "kind", &v, why);
    if (e == ERR_OK) e = cli_need(w->c, "title", &v, why);
    if (e == ERR_OK) e = work_pick(w, "case_file", w->c->args[0], case_id, why);
    if (e != ERR_OK) return e;
    work_row(w, &r, "record", case_id, NULL, id);
    e = fill_record(w, &r, why);
    bool restricted = cli_has(w->c, "sensitivity") && strcmp(cli_flag(w->c, "sensitivity"), "restricted") == 0;
    if (e == ERR_OK && cli_has(w->c, "needs-consent") && !restricted) e = node_consent_effect(w, case_id, NULL, why);
    return e == ERR_OK ? work_say_id(w, "Record", id, why) : e;
}
static enum err run_record_add(struct cli *c, struct why *why)
{
    return work_edit(c, "added a record", do_record_add, why);
}

static enum err do_record_set(struct work *w, struct why *why)
{
    static const char *const table = "record";
    uint8_t id[1][16];
    enum err e = work_pick(w, table, w->c->args[0], id[0], why);
    for (int i = 1; i < w->c->n_args && e == ERR_OK; i++)
        e = work_assign(w, &table, (const uint8_t(*)[16])id, 1, w->c->args[i], why);
    return e == ERR_OK ? work_say_id(w, "Changed record", id[0], why) : e;
}
static enum err run_record_set(struct cli *c, struct why *why)
{
    return work_edit(c, "changed a record", do_record_set, why);
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
