/* person, kin, contact, warning: the people of a case. */
#include "cli/node_commands.h"
#include "cli/node_work.h"

#include <string.h>

/* ------------------------------------------------------------------------------------------------------ person */
static enum err do_person_add(struct work *w, struct why *why)
{
    struct cli *c = w->c;
    uint8_t case_id[16], id[16];
    struct act_notes notes;
    const struct act_person in = {.role = cli_flag(c, "role"),
                                  .family_name = cli_flag(c, "family"),
                                  .given_names = cli_flag(c, "given"),
                                  .born_on = cli_flag(c, "born"),
                                  .expected_on = cli_flag(c, "expected"),
                                  .died_on = cli_flag(c, "died"),
                                  .sex = cli_flag(c, "sex"),
                                  .nhs = cli_flag(c, "nhs"),
                                  .upn = cli_flag(c, "upn")};
    enum err e = work_pick(w, "case_file", c->args[0], case_id, why);
    if (e == ERR_OK) e = act_person_add(w->node, case_id, &in, id, &notes, why);
    if (e != ERR_OK) return e;
    work_say_notes(w, &notes);
    return work_say_id(w, "Person", id, why);
}
static enum err run_person_add(struct cli *c, struct why *why)
{
    return work_read(c, do_person_add, why);
}

static enum err do_person_set(struct work *w, struct why *why)
{
    static const char *const tables[] = {"person", NULL}, *const numbers[] = {"nhs", "upn", NULL};
    struct act_change changes[CLI_MAX_ARGS];
    struct act_notes notes;
    uint8_t id[16];
    size_t n = 0;
    enum err e = work_pick(w, "person", w->c->args[0], id, why);
    if (e == ERR_OK) e = work_changes(w, tables, numbers, changes, &n, why);
    if (e == ERR_OK) e = act_person_set(w->node, id, changes, n, &notes, why);
    if (e != ERR_OK) return e;
    work_say_notes(w, &notes);
    return work_say_id(w, "Changed person", id, why);
}
static enum err run_person_set(struct cli *c, struct why *why)
{
    return work_read(c, do_person_set, why);
}

/* --------------------------------------------------------------------------------------------------------- kin */
static enum err do_kin_add(struct work *w, struct why *why)
{
    uint8_t case_id[16], person[16], relative[16], id[16];
    enum err e = work_pick(w, "case_file", w->c->args[0], case_id, why);
    if (e == ERR_OK) e = work_pick(w, "person", w->c->args[1], person, why);
    if (e == ERR_OK) e = work_pick(w, "person", w->c->args[2], relative, why);
    if (e == ERR_OK) e = act_kin_add(w->node, case_id, person, relative, w->c->args[3], id, why);
    return e == ERR_OK ? work_say_id(w, "Kinship", id, why) : e;
}
static enum err run_kin_add(struct cli *c, struct why *why)
{
    return work_read(c, do_kin_add, why);
}

/* ----------------------------------------------------------------------------------------------------- contact */
static enum err do_contact_add(struct work *w, struct why *why)
{
    uint8_t person[16], id[16];
    const struct act_contact in = {.person = person,
                                   .kind = w->c->args[1],
                                   .value = w->c->args[2],
                                   .protected = cli_has(w->c, "protected"),
                                   .note = cli_flag(w->c, "note")};
    enum err e = work_pick(w, "person", w->c->args[0], person, why);
    if (e == ERR_OK) e = act_contact_add(w->node, &in, id, why);
    return e == ERR_OK ? work_say_id(w, "Contact", id, why) : e;
}
static enum err run_contact_add(struct cli *c, struct why *why)
{
    return work_read(c, do_contact_add, why);
}

static enum err do_contact_set(struct work *w, struct why *why)
{
    static const char *const tables[] = {"contact", NULL};
    struct act_change changes[CLI_MAX_ARGS];
    uint8_t id[16];
    size_t n = 0;
    enum err e = work_pick(w, "contact", w->c->args[0], id, why);
    if (e == ERR_OK) e = work_changes(w, tables, NULL, changes, &n, why);
    if (e == ERR_OK) e = act_contact_set(w->node, id, changes, n, why);
    return e == ERR_OK ? work_say_id(w, "Changed contact", id, why) : e;
}
static enum err run_contact_set(struct cli *c, struct why *why)
{
    return work_read(c, do_contact_set, why);
}

/* ----------------------------------------------------------------------------------------------------- warning */
static enum err do_warning_add(struct work *w, struct why *why)
{
    uint8_t case_id[16], person[16], id[16];
    struct value until;
    struct act_warning in = {.case_id = case_id, .kind = w->c->args[1]};
    enum err e = cli_need(w->c, "note", &in.note, why);
    if (e == ERR_OK) e = work_pick(w, "case_file", w->c->args[0], case_id, why);
    if (e == ERR_OK) e = work_time_flag(w, "until", value_int(0), &until, why);
    if (e == ERR_OK && cli_has(w->c, "person")) {
        in.person = person;
        e = work_pick(w, "person", cli_flag(w->c, "person"), person, why);
    }
    if (e != ERR_OK) return e;
    in.until = until.i;
    e = act_warning_add(w->node, &in, id, why);
    return e == ERR_OK ? work_say_id(w, "Warning", id, why) : e;
}
static enum err run_warning_add(struct cli *c, struct why *why)
{
    return work_read(c, do_warning_add, why);
}

static const struct flag person_flags[] = {
    {"family", "NAME", "family name"},
    {"given", "NAMES", "given names"},
    {"born", "DATE", "date of birth, like 2017-03-24"},
    {"expected", "DATE", "when an unborn child is expected"},
    {"died", "DATE", "date of death"},
    {"role", "ROLE", "child (default), adult, carer, parent, sibling, perpetrator or other"},
    {"sex", "CODE", "as the census writes it"},
    {"nhs", "NUMBER", "NHS number"},
    {"upn", "NUMBER", "unique pupil number"},
    {0}};
static const struct flag contact_flags[] = {{"protected", NULL, "for the MASH room and this agency alone"},
                                            {"note", "TEXT", "when to ring, whom to ask for"},
                                            {0}};
static const struct flag warning_flags[] = {{"note", "TEXT", "what to beware of"},
                                            {"person", "ID", "whom it is about"},
                                            {"until", "TIME", "ends by itself then"},
                                            {0}};

const struct command node_person_commands[] = {
    {"person add", "CASE", 1, 1, "Add a person to a case.",
     "spoke person add C-7K2M9QXD --family Example --given Ada --born 2017-03-24", person_flags, run_person_add},
    {"person set", "PERSON COLUMN=VALUE...", 2, CLI_MAX_ARGS, "Change what is said about a person.",
     "spoke person set 0192f3a1 born_on=2017-03-25 nhs=9434765919", NULL, run_person_set},
    {"kin add", "CASE PERSON RELATIVE KIND", 4, 4, "Say how two people of a case are related.",
     "spoke kin add C-7K2M9QXD 0192f3a1 0192f3a7 mother", NULL, run_kin_add},
    {"contact add", "PERSON KIND VALUE", 3, 3, "Add an address, telephone number or e-mail of a person.",
     "spoke contact add 0192f3a1 phone \"01632 960001\" --protected", contact_flags, run_contact_add},
    {"contact set", "CONTACT COLUMN=VALUE...", 2, CLI_MAX_ARGS, "Change contact details.",
     "spoke contact set 0192f3b2 \"value=01632 960002\"", NULL, run_contact_set},
    {"warning add", "CASE KIND", 2, 2, "Warn everyone who takes part, like of a dog or of violence.",
     "spoke warning add C-7K2M9QXD dog --note \"Large dog loose in the yard\"", warning_flags, run_warning_add},
    {0}};
