/* record, void, consent: what an agency contributes, takes back, and may tell. */
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
    if (e == ERR_OK && cli_has(w->c, "needs-consent"))
        fprintf(
            stderr,
            "Nobody else can see this until consent is given. If a child may be at risk of significant harm you may share"
            " without consent: say why with 'spoke record override'.\n");
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

static enum err do_override(struct work *w, struct why *why)
{
    uint8_t id[16];
    const char *reason = NULL;
    enum err e = cli_need(w->c, "reason", &reason, why);
    if (e == ERR_OK) e = work_pick(w, "record", w->c->args[0], id, why);
    if (e == ERR_OK) e = work_update(w, "record", id, "override_reason", value_str(reason), why);
    if (e == ERR_OK) e = work_update(w, "record", id, "override_by", value_id(w->info.user), why);
    if (e == ERR_OK) e = work_update(w, "record", id, "override_at", value_int(w->now), why);
    return e == ERR_OK ? work_say_id(w, "Told without consent: record", id, why) : e;
}
static enum err run_override(struct cli *c, struct why *why)
{
    return work_edit(c, "overrode consent for a record", do_override, why);
}

/* -------------------------------------------------------------------------------------------------------- void */
static enum err find_anywhere(struct work *w, const char *typed, const char **out_table, uint8_t out_id[16],
                              struct why *why)
{
    size_t n = 0;
    const struct table_rule *all = rules_tables(&n);
    for (size_t i = 0; i < n; i++) {
        if (all[i].kind != TABLE_CASE || all[i].insert == INSERT_HUB) continue;
        enum err e = work_pick(w, all[i].name, typed, out_id, why);
        if (e != ERR_NOTFOUND) {
            *out_table = all[i].name;
            return e;
        }
    }
    return ERR_NOTFOUND; /* why is set by the last look */
}

static enum err do_void(struct work *w, struct why *why)
{
    uint8_t id[16];
    const char *reason = NULL, *table = NULL;
    enum err e = cli_need(w->c, "reason", &reason, why);
    if (e == ERR_OK) e = find_anywhere(w, w->c->args[0], &table, id, why);
    if (e == ERR_OK) e = work_update(w, table, id, "voided_at", value_int(w->now), why);
    if (e == ERR_OK) e = work_update(w, table, id, "void_reason", value_str(reason), why);
    return e == ERR_OK ? work_say_id(w, "Marked as written by mistake:", id, why) : e;
}
static enum err run_void(struct cli *c, struct why *why)
{
    return work_edit(c, "voided a row written by mistake", do_void, why);
}

/* ----------------------------------------------------------------------------------------------------- consent */
static enum err say_consent(struct work *w, const char *state, struct why *why)
{
    uint8_t case_id[16], person[16], id[16];
    const char *scope = NULL;
    struct value until;
    bool there = false;
    enum err e = cli_need(w->c, "scope", &scope, why);
    if (e == ERR_OK) e = work_pick(w, "case_file", w->c->args[0], case_id, why);
    if (e == ERR_OK) e = work_pick(w, "person", w->c->args[1], person, why);
    if (e == ERR_OK) e = work_time_flag(w, "until", value_null(), &until, why);
    if (e != ERR_OK) return e;
    /* Two sites that ask the same person the same thing make the same row. */
    const struct bytes parts[] = {bytes_of(case_id, 16), bytes_of(person, 16), bytes_of_str(scope)};
    work_derived_id(id, "spoke/consent/1", parts, 3);
    e = work_has(w, "consent", id, &there, why);
    if (e == ERR_OK && !there) {
        struct row r;
        work_row(w, &r, "consent", case_id, id, id);
        work_set(&r, "person_id", value_id(person));
        work_set(&r, "scope", value_str(scope));
        e = work_put(w, &r, why);
    }
    if (e == ERR_OK) e = work_update(w, "consent", id, "state", value_str(state), why);
    if (e == ERR_OK) e = work_update(w, "consent", id, "given_at", value_int(w->now), why);
    if (e == ERR_OK) e = work_update(w, "consent", id, "expires_at", until, why);
    if (e == ERR_OK && cli_has(w->c, "reason"))
        e = work_update(w, "consent", id, "reason", work_text_flag(w, "reason"), why);
    return e == ERR_OK ? work_say_id(w, "Consent", id, why) : e;
}
static enum err do_give(struct work *w, struct why *why)
{
    return say_consent(w, "given", why);
}
static enum err do_refuse(struct work *w, struct why *why)
{
    return say_consent(w, "refused", why);
}
static enum err do_withdraw(struct work *w, struct why *why)
{
    return say_consent(w, "withdrawn", why);
}
static enum err run_give(struct cli *c, struct why *why)
{
    return work_edit(c, "noted consent given", do_give, why);
}
static enum err run_refuse(struct cli *c, struct why *why)
{
    return work_edit(c, "noted consent refused", do_refuse, why);
}
static enum err run_withdraw(struct cli *c, struct why *why)
{
    return work_edit(c, "noted consent withdrawn", do_withdraw, why);
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
static const struct flag reason_flags[] = {{"reason", "TEXT", "why"}, {0}};
static const struct flag consent_flags[] = {
    {"scope", "SCOPE", "what for: all, or the code of the agency whose records may be told"},
    {"until", "TIME", "ends by itself then"},
    {"reason", "TEXT", "in whose words, why"},
    {0}};

const struct command node_record_commands[] = {
    {"record add", "CASE", 1, 1, "Contribute what your agency knows.",
     "spoke record add C-7K2M9QXD --kind visit --title \"Home visit\" --body-file visit.txt", record_flags,
     run_record_add},
    {"record set", "RECORD COLUMN=VALUE...", 2, CLI_MAX_ARGS, "Change a record of your own agency.",
     "spoke record set 0192f3c4 sensitivity=sensitive", NULL, run_record_set},
    {"record override", "RECORD", 1, 1,
     "Tell a record without consent, because a child may be at risk of significant harm.",
     "spoke record override 0192f3c4 --reason \"Risk of significant harm: injury under 1\"", reason_flags,
     run_override},
    {"void", "ID", 1, 1, "Mark a row of your own agency as written by mistake. Then only you and the MASH room see it.",
     "spoke void 0192f3c4 --reason \"Wrong child\"", reason_flags, run_void},
    {"consent give", "CASE PERSON", 2, 2, "Note that a person consents.",
     "spoke consent give C-7K2M9QXD 0192f3a1 --scope health", consent_flags, run_give},
    {"consent refuse", "CASE PERSON", 2, 2, "Note that a person does not consent.",
     "spoke consent refuse C-7K2M9QXD 0192f3a1 --scope health", consent_flags, run_refuse},
    {"consent withdraw", "CASE PERSON", 2, 2,
     "Note that a person takes consent back. What was told because of it leaves the other devices.",
     "spoke consent withdraw C-7K2M9QXD 0192f3a1 --scope health", consent_flags, run_withdraw},
    {0}};
