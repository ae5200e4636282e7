/* person, kin, contact, warning: the people of a case. */
#include "cli/node_commands.h"
#include "cli/node_work.h"

#include <ctype.h>
#include <string.h>

/* ----------------------------------------------------------------------------------------------------- numbers */
/* NHS number: weights 10 to 2, 11 minus the sum modulo 11 (NHS Data Dictionary). A warning, never a refusal. */
static bool nhs_ok(const char *s)
{
    int d[10], n = 0, sum = 0;
    for (; *s != '\0'; s++) {
        if (*s == ' ' || *s == '-') continue;
        if (!isdigit((unsigned char)*s) || n == 10) return false;
        d[n++] = *s - '0';
    }
    for (int i = 0; i < 9 && n == 10; i++) sum += d[i] * (10 - i);
    int check = 11 - sum % 11;
    return n == 10 && check != 10 && d[9] == (check == 11 ? 0 : check);
}

static enum err put_number(struct work *w, const uint8_t case_id[16], const uint8_t person[16], const char *scheme,
                           const char *value, struct why *why)
{
    struct row r;
    uint8_t id[16];
    if (value == NULL) return ERR_OK;
    if (strcmp(scheme, "nhs") == 0 && !nhs_ok(value)) {
        fprintf(stderr, "Please check the NHS number: its last digit does not fit. It was kept as typed.\n");
        w->c->attention = true;
    }
    work_row(w, &r, "identifier", case_id, NULL, id);
    work_set(&r, "person_id", value_id(person));
    work_set(&r, "scheme", value_str(scheme));
    work_set(&r, "value", value_str(value));
    return work_put(w, &r, why);
}

static enum err flag_value(struct work *w, struct row *r, const char *flag, const char *column, struct why *why)
{
    const char *text = cli_flag(w->c, flag);
    int i = rules_column_index(r->table, bytes_of_str(column));
    struct value v;
    if (text == NULL) return ERR_OK;
    enum err e = work_read_value(w, &r->table->columns[i], text, &v, why);
    if (e == ERR_OK) work_set(r, column, v);
    return e;
}

/* ------------------------------------------------------------------------------------------------------ person */
static enum err do_person_add(struct work *w, struct why *why)
{
    uint8_t case_id[16], id[16];
    struct row r;
    enum err e = work_pick(w, "case_file", w->c->args[0], case_id, why);
    if (e != ERR_OK) return e;
    work_row(w, &r, "person", case_id, NULL, id);
    work_set(&r, "role", value_str("child"));
    work_set(&r, "family_name", work_text_flag(w, "family"));
    work_set(&r, "given_names", work_text_flag(w, "given"));
    e = flag_value(w, &r, "born", "born_on", why);
    if (e == ERR_OK) e = flag_value(w, &r, "role", "role", why);
    if (e == ERR_OK) e = flag_value(w, &r, "sex", "sex", why);
    if (e == ERR_OK) e = work_put(w, &r, why);
    if (e == ERR_OK) e = put_number(w, case_id, id, "nhs", cli_flag(w->c, "nhs"), why);
    if (e == ERR_OK) e = put_number(w, case_id, id, "upn", cli_flag(w->c, "upn"), why);
    return e == ERR_OK ? work_say_id(w, "Person", id, why) : e;
}
static enum err run_person_add(struct cli *c, struct why *why)
{
    return work_edit(c, "added a person", do_person_add, why);
}

static enum err do_assign(struct work *w, const char *table, const char *title, struct why *why)
{
    uint8_t id[1][16];
    enum err e = work_pick(w, table, w->c->args[0], id[0], why);
    for (int i = 1; i < w->c->n_args && e == ERR_OK; i++)
        e = work_assign(w, &table, (const uint8_t(*)[16])id, 1, w->c->args[i], why);
    return e == ERR_OK ? work_say_id(w, title, id[0], why) : e;
}
static enum err do_person_set(struct work *w, struct why *why)
{
    return do_assign(w, "person", "Changed person", why);
}
static enum err run_person_set(struct cli *c, struct why *why)
{
    return work_edit(c, "changed a person", do_person_set, why);
}
static enum err do_contact_set(struct work *w, struct why *why)
{
    return do_assign(w, "contact", "Changed contact", why);
}
static enum err run_contact_set(struct cli *c, struct why *why)
{
    return work_edit(c, "changed contact details", do_contact_set, why);
}

/* --------------------------------------------------------------------------------------------------------- kin */
static enum err do_kin_add(struct work *w, struct why *why)
{
    uint8_t case_id[16], person[16], relative[16], id[16];
    struct row r;
    enum err e = work_pick(w, "case_file", w->c->args[0], case_id, why);
    if (e == ERR_OK) e = work_pick(w, "person", w->c->args[1], person, why);
    if (e == ERR_OK) e = work_pick(w, "person", w->c->args[2], relative, why);
    if (e == ERR_OK && memcmp(person, relative, sizeof person) == 0)
        e = why_set(why, ERR_USAGE, "Nobody is their own relative. Nothing was added.");
    if (e != ERR_OK) return e;
    work_row(w, &r, "kinship", case_id, NULL, id);
    work_set(&r, "person_id", value_id(person));
    work_set(&r, "relative_id", value_id(relative));
    work_set(&r, "kind", value_str(w->c->args[3]));
    e = work_put(w, &r, why);
    return e == ERR_OK ? work_say_id(w, "Kinship", id, why) : e;
}
static enum err run_kin_add(struct cli *c, struct why *why)
{
    return work_edit(c, "added a kinship", do_kin_add, why);
}

/* ----------------------------------------------------------------------------------------------------- contact */
static enum err do_contact_add(struct work *w, struct why *why)
{
    uint8_t case_id[16], person[16], id[16];
    struct row r;
    enum err e = work_pick(w, "person", w->c->args[0], person, why);
    if (e == ERR_OK) e = work_case_of(w, "person", person, case_id, why);
    if (e != ERR_OK) return e;
    work_row(w, &r, "contact", case_id, NULL, id);
    work_set(&r, "person_id", value_id(person));
    work_set(&r, "kind", value_str(w->c->args[1]));
    work_set(&r, "value", value_str(w->c->args[2]));
    work_set(&r, "protected", value_int(cli_has(w->c, "protected")));
    work_set(&r, "note", work_text_flag(w, "note"));
    e = work_put(w, &r, why);
    return e == ERR_OK ? work_say_id(w, "Contact", id, why) : e;
}
static enum err run_contact_add(struct cli *c, struct why *why)
{
    return work_edit(c, "added contact details", do_contact_add, why);
}

/* ----------------------------------------------------------------------------------------------------- warning */
static enum err do_warning_add(struct work *w, struct why *why)
{
    uint8_t case_id[16], person[16], id[16];
    struct row r;
    struct value until;
    const char *note = NULL;
    enum err e = cli_need(w->c, "note", &note, why);
    if (e == ERR_OK) e = work_pick(w, "case_file", w->c->args[0], case_id, why);
    if (e == ERR_OK) e = work_time_flag(w, "until", value_null(), &until, why);
    if (e == ERR_OK && cli_has(w->c, "person")) e = work_pick(w, "person", cli_flag(w->c, "person"), person, why);
    if (e != ERR_OK) return e;
    work_row(w, &r, "warning", case_id, NULL, id);
    if (cli_has(w->c, "person")) work_set(&r, "person_id", value_id(person));
    work_set(&r, "kind", value_str(w->c->args[1]));
    work_set(&r, "note", value_str(note));
    work_set(&r, "until", until);
    e = work_put(w, &r, why);
    return e == ERR_OK ? work_say_id(w, "Warning", id, why) : e;
}
static enum err run_warning_add(struct cli *c, struct why *why)
{
    return work_edit(c, "added a warning", do_warning_add, why);
}

static const struct flag person_flags[] = {
    {"family", "NAME", "family name"},
    {"given", "NAMES", "given names"},
    {"born", "DATE", "date of birth, like 2017-03-24"},
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
     "spoke person set 0192f3a1 born_on=2017-03-25", NULL, run_person_set},
    {"kin add", "CASE PERSON RELATIVE KIND", 4, 4, "Say how two people of a case are related.",
     "spoke kin add C-7K2M9QXD 0192f3a1 0192f3a7 mother", NULL, run_kin_add},
    {"contact add", "PERSON KIND VALUE", 3, 3, "Add an address, telephone number or e-mail of a person.",
     "spoke contact add 0192f3a1 phone \"01632 960001\" --protected", contact_flags, run_contact_add},
    {"contact set", "CONTACT COLUMN=VALUE...", 2, CLI_MAX_ARGS, "Change contact details.",
     "spoke contact set 0192f3b2 \"value=01632 960002\"", NULL, run_contact_set},
    {"warning add", "CASE KIND", 2, 2, "Warn everyone who takes part, like of a dog or of violence.",
     "spoke warning add C-7K2M9QXD dog --note \"Large dog loose in the yard\"", warning_flags, run_warning_add},
    {0}};
