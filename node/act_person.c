/* The people of a case: who they are, how they are related, where they are found, what to beware of. */
#include "node/act_internal.h"

#include "base/when.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define HOUR_MS 3600000

/* ----------------------------------------------------------------------------------------------------- numbers */
/* NHS number: weights 10 to 2, 11 minus the sum modulo 11 (NHS Data Dictionary). */
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

/* Unique pupil number (Department for Education, UPN guide): a check letter, twelve digits, of which the last is a
 * letter in a temporary one. The letter is the digits by the weights 2 to 13, modulo 23, in the alphabet without I,
 * O and S. */
static bool upn_ok(const char *s)
{
    static const char letters[] = "ABCDEFGHJKLMNPQRTUVWXYZ";
    int sum = 0;
    if (strlen(s) != 13) return false;
    for (int i = 1; i < 13; i++) {
        const char *letter = i == 12 ? strchr(letters, toupper((unsigned char)s[i])) : NULL;
        if (!isdigit((unsigned char)s[i]) && letter == NULL) return false;
        sum += (isdigit((unsigned char)s[i]) ? s[i] - '0' : (int)(letter - letters)) * (i + 1);
    }
    return toupper((unsigned char)s[0]) == letters[sum % 23];
}

static void check_number(const char *scheme, const char *value, struct act_notes *notes)
{
    if (strcmp(scheme, "nhs") == 0 && !nhs_ok(value))
        act_note(notes, "Please check the NHS number: its last digit does not fit. It was kept as typed.");
    if (strcmp(scheme, "upn") == 0 && !upn_ok(value))
        act_note(notes, "Please check the pupil number (UPN): its first letter does not fit. It was kept as typed.");
}

static enum err put_number(struct node *n, const uint8_t case_id[16], const uint8_t person[16], const char *scheme,
                           const char *value, struct act_notes *notes, struct why *why)
{
    struct row r;
    uint8_t id[16];
    if (value == NULL) return ERR_OK;
    enum err e = act_said(value, "A number is empty.", why);
    if (e != ERR_OK) return e;
    check_number(scheme, value, notes);
    env_new_id(n->env, id);
    act_new(n, &r, "identifier", case_id, id);
    act_fill(&r, "person_id", value_id(person));
    act_fill(&r, "scheme", value_str(scheme));
    act_fill(&r, "value", value_str(value));
    return act_put(n, &r, why);
}

/* The newest number of a scheme that this agency wrote of a person. */
static enum err find_number(struct node *n, const uint8_t person[16], const char *scheme, uint8_t out[16],
                            bool *out_found, struct why *why)
{
    struct stmt *s = NULL;
    enum err e = db_prepare(n->db,
                            "SELECT id FROM identifier WHERE person_id = $1 AND scheme = $2 AND agency = $3"
                            " AND voided_at IS NULL ORDER BY id DESC LIMIT 1",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, person);
    db_bind_str(s, 2, scheme);
    db_bind_str(s, 3, n->agency);
    e = db_step(s, out_found, why);
    if (e == ERR_OK && *out_found) db_id(s, 0, out);
    db_done(s);
    return e;
}

static enum err set_number(struct node *n, const struct act_row *person, const char *scheme, struct value v,
                           struct act_notes *notes, struct why *why)
{
    char text[64];
    uint8_t id[16];
    bool found = false;
    if (v.kind == VALUE_TEXT && v.s.n >= sizeof text)
        return why_set(why, ERR_USAGE, "That is no number of a person: it is too long. Nothing was changed.");
    enum err e = find_number(n, person->row.v[0].s.p, scheme, id, &found, why);
    if (e != ERR_OK) return e;
    if (v.kind != VALUE_TEXT || v.s.n == 0) {
        if (!found) return why_set(why, ERR_NOTFOUND, "Your agency wrote no such number that could be taken away.");
        return act_set(n, "identifier", id, "value", value_null(), why);
    }
    memcpy(text, v.s.p, v.s.n);
    text[v.s.n] = '\0';
    if (!found) return put_number(n, person->row.v[1].s.p, person->row.v[0].s.p, scheme, text, notes, why);
    check_number(scheme, text, notes);
    return act_set(n, "identifier", id, "value", v, why);
}

/* ------------------------------------------------------------------------------------------------------- dates */
/* The day it is for people here: an hour ahead of UTC in summer, and nobody is to be told that today is still to
 * come. */
static void today(struct node *n, char out[WHEN_RFC3339])
{
    when_rfc3339(env_now(n->env) + HOUR_MS, out);
    out[10] = '\0';
}

static enum err not_future(struct node *n, struct value v, const char *complaint, struct why *why)
{
    char day[WHEN_RFC3339];
    today(n, day);
    if (v.kind != VALUE_TEXT || bytes_compare(v.s, bytes_of_str(day)) <= 0) return ERR_OK;
    return why_set(why, ERR_USAGE, "%s Nothing was changed.", complaint);
}

static enum err check_dates(struct node *n, struct value born, struct value died, struct why *why)
{
    enum err e =
        not_future(n, born, "The date of birth is still to come. For an unborn child give the date expected.", why);
    if (e == ERR_OK) e = not_future(n, died, "The date of death is still to come.", why);
    if (e == ERR_OK && born.kind == VALUE_TEXT && died.kind == VALUE_TEXT && bytes_compare(died.s, born.s) < 0)
        e = why_set(why, ERR_USAGE, "The date of death is before the date of birth. Nothing was changed.");
    return e;
}

/* Is it a date at all? Before it is compared with others. */
static enum err check_is_date(const char *text, const char *name, struct why *why)
{
    if (text == NULL || rules_date_ok(bytes_of_str(text))) return ERR_OK;
    return why_set(why, ERR_USAGE, "The %s is no date. Write it like 2017-03-24. Nothing was changed.", name);
}

/* ------------------------------------------------------------------------------------------------------ person */
static enum err check_person(struct node *n, const struct act_person *in, struct why *why)
{
    const char *const says[] = {in->family_name, in->given_names, in->born_on, in->expected_on, in->nhs, in->upn};
    bool anything = false;
    for (size_t i = 0; i < sizeof says / sizeof says[0]; i++)
        anything = anything || (says[i] != NULL && says[i][strspn(says[i], " \t\r\n")] != '\0');
    if (!anything)
        return why_set(why, ERR_USAGE,
                       "Say something of this person by which others know who is meant: a name, a date of birth, or a"
                       " number. Nothing was changed.");
    enum err e = check_is_date(in->born_on, "date of birth", why);
    if (e == ERR_OK) e = check_is_date(in->expected_on, "date expected", why);
    if (e == ERR_OK) e = check_is_date(in->died_on, "date of death", why);
    if (e == ERR_OK) e = check_dates(n, value_str(in->born_on), value_str(in->died_on), why);
    return e == ERR_OK && in->sex != NULL ? act_known_code(n, "sex", in->sex, "sex", why) : e;
}

enum err act_put_person(struct node *n, const uint8_t case_id[16], const struct act_person *in, const uint8_t id[16],
                        struct act_notes *notes, struct why *why)
{
    struct row r;
    enum err e = check_person(n, in, why);
    if (e != ERR_OK) return e;
    act_new(n, &r, "person", case_id, id);
    act_fill(&r, "role", value_str(in->role != NULL ? in->role : "child"));
    act_fill(&r, "family_name", value_str(in->family_name));
    act_fill(&r, "given_names", value_str(in->given_names));
    act_fill(&r, "born_on", value_str(in->born_on));
    act_fill(&r, "expected_on", value_str(in->expected_on));
    act_fill(&r, "died_on", value_str(in->died_on));
    act_fill(&r, "sex", value_str(in->sex));
    e = act_put(n, &r, why);
    if (e == ERR_OK) e = put_number(n, case_id, id, "nhs", in->nhs, notes, why);
    return e == ERR_OK ? put_number(n, case_id, id, "upn", in->upn, notes, why) : e;
}

static enum err is_case(struct node *n, const uint8_t case_id[16], struct why *why)
{
    struct act_row c;
    enum err e = act_read(n, "case_file", case_id, "no case", &c, why);
    act_row_release(&c);
    return e;
}

enum err act_person_add(struct node *n, const uint8_t case_id[16], const struct act_person *in, uint8_t out_id[16],
                        struct act_notes *notes, struct why *why)
{
    uint8_t id[16];
    struct act_notes said = {0};
    enum err e = node_edit_begin(n, why);
    if (e != ERR_OK) return e;
    env_new_id(n->env, id);
    e = is_case(n, case_id, why);
    if (e == ERR_OK) e = act_put_person(n, case_id, in, id, &said, why);
    e = act_end(n, e, "added a person", why);
    if (e != ERR_OK) return e;
    memcpy(out_id, id, sizeof id);
    *notes = said;
    return ERR_OK;
}

/* Dates are looked at with what else is changed: both may come at once. */
static struct value to_be(const struct act_row *p, const char *column, const struct act_change *changes, size_t n)
{
    struct value v = act_column(p, column);
    for (size_t i = 0; i < n; i++)
        if (strcmp(changes[i].column, column) == 0) v = changes[i].v;
    return v.kind == VALUE_TEXT && rules_date_ok(v.s) ? v : value_null(); /* what is no date is said where it is set */
}

static enum err check_sex(struct node *n, const struct act_row *r, const char *column, struct value v,
                          struct act_notes *notes, struct why *why)
{
    char text[40];
    (void)r;
    (void)notes;
    if (strcmp(column, "sex") != 0 || v.kind != VALUE_TEXT) return ERR_OK;
    (void)snprintf(text, sizeof text, "%.*s", (int)(v.s.n < 39 ? v.s.n : 39), (const char *)v.s.p);
    return act_known_code(n, "sex", text, "sex", why);
}

static enum err set_person(struct node *n, const uint8_t person[16], const struct act_change *changes, size_t n_changes,
                           struct act_notes *notes, struct why *why)
{
    struct act_row p;
    enum err e = act_read(n, "person", person, "no person", &p, why);
    if (e == ERR_OK && n_changes == 0) e = why_set(why, ERR_USAGE, "There is nothing to change.");
    for (size_t i = 0; i < n_changes && e == ERR_OK; i++) {
        const char *column = changes[i].column;
        if (strcmp(column, "nhs") == 0 || strcmp(column, "upn") == 0)
            e = set_number(n, &p, column, changes[i].v, notes, why);
        else
            e = act_alter(n, &p, &changes[i], check_sex, notes, why);
    }
    if (e == ERR_OK)
        e = check_dates(n, to_be(&p, "born_on", changes, n_changes), to_be(&p, "died_on", changes, n_changes), why);
    act_row_release(&p);
    return e;
}

enum err act_person_set(struct node *n, const uint8_t person[16], const struct act_change *changes, size_t n_changes,
                        struct act_notes *notes, struct why *why)
{
    struct act_notes said = {0};
    enum err e = node_edit_begin(n, why);
    if (e != ERR_OK) return e;
    e = act_end(n, set_person(n, person, changes, n_changes, &said, why), "changed a person", why);
    if (e == ERR_OK) *notes = said;
    return e;
}

/* --------------------------------------------------------------------------------------------------------- kin */
struct kin {
    const uint8_t *case_id, *person, *relative;
    const char *kind;
};

static enum err not_said_yet(struct node *n, const struct kin *k, struct why *why)
{
    struct stmt *s = NULL;
    bool there = false;
    enum err e = db_prepare(n->db,
                            "SELECT 1 FROM kinship WHERE case_id = $1 AND person_id = $2 AND relative_id = $3"
                            " AND kind = $4 AND voided_at IS NULL",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, k->case_id);
    db_bind_id(s, 2, k->person);
    db_bind_id(s, 3, k->relative);
    db_bind_str(s, 4, k->kind);
    e = db_step(s, &there, why);
    db_done(s);
    return e == ERR_OK && there ? why_set(why, ERR_EXISTS, "That stands in the case already. Nothing was changed.") : e;
}

static enum err put_kin(struct node *n, const struct kin *k, const uint8_t id[16], struct why *why)
{
    struct row r;
    enum err e = is_case(n, k->case_id, why);
    if (e == ERR_OK) e = act_person_of(n, k->person, k->case_id, why);
    if (e == ERR_OK) e = act_person_of(n, k->relative, k->case_id, why);
    if (e == ERR_OK && memcmp(k->person, k->relative, 16) == 0)
        e = why_set(why, ERR_USAGE, "Nobody is their own relative. Nothing was added.");
    if (e == ERR_OK) e = act_said(k->kind, "Say how they are related.", why);
    if (e == ERR_OK) e = not_said_yet(n, k, why);
    if (e != ERR_OK) return e;
    act_new(n, &r, "kinship", k->case_id, id);
    act_fill(&r, "person_id", value_id(k->person));
    act_fill(&r, "relative_id", value_id(k->relative));
    act_fill(&r, "kind", value_str(k->kind));
    return act_put(n, &r, why);
}

enum err act_kin_add(struct node *n, const uint8_t case_id[16], const uint8_t person[16], const uint8_t relative[16],
                     const char *kind, uint8_t out_id[16], struct why *why)
{
    uint8_t id[16];
    const struct kin k = {case_id, person, relative, kind};
    enum err e = node_edit_begin(n, why);
    if (e != ERR_OK) return e;
    env_new_id(n->env, id);
    e = act_end(n, put_kin(n, &k, id, why), "added a kinship", why);
    if (e == ERR_OK) memcpy(out_id, id, sizeof id);
    return e;
}

/* ----------------------------------------------------------------------------------------------------- contact */
enum err act_put_contact(struct node *n, const struct act_contact *in, const uint8_t id[16], struct why *why)
{
    struct row r;
    enum err e = act_said(in->kind, "Say what it is: an address, a phone number, an e-mail.", why);
    if (e == ERR_OK) e = act_said(in->value, "The address or number is empty.", why);
    if (e != ERR_OK) return e;
    act_new(n, &r, "contact", in->case_id, id);
    act_fill(&r, "person_id", value_id(in->person));
    act_fill(&r, "kind", value_str(in->kind));
    act_fill(&r, "value", value_str(in->value));
    act_fill(&r, "protected", value_int(in->protected));
    act_fill(&r, "note", value_str(in->note));
    return act_put(n, &r, why);
}

static enum err add_contact(struct node *n, const struct act_contact *in, const uint8_t id[16], struct why *why)
{
    struct act_row p;
    struct act_contact c = *in;
    enum err e = act_read(n, "person", in->person, "no person", &p, why);
    if (e == ERR_OK && c.case_id == NULL) c.case_id = p.row.v[1].s.p;
    if (e == ERR_OK && !act_same_case(&p, c.case_id))
        e = why_set(why, ERR_USAGE, "That person belongs to another case. Nothing was changed.");
    if (e == ERR_OK) e = act_put_contact(n, &c, id, why);
    act_row_release(&p);
    return e;
}

enum err act_contact_add(struct node *n, const struct act_contact *in, uint8_t out_id[16], struct why *why)
{
    uint8_t id[16];
    enum err e = node_edit_begin(n, why);
    if (e != ERR_OK) return e;
    env_new_id(n->env, id);
    e = act_end(n, add_contact(n, in, id, why), "added contact details", why);
    if (e == ERR_OK) memcpy(out_id, id, sizeof id);
    return e;
}

enum err act_contact_set(struct node *n, const uint8_t contact[16], const struct act_change *changes, size_t n_changes,
                         struct why *why)
{
    struct act_row r;
    enum err e = node_edit_begin(n, why);
    if (e != ERR_OK) return e;
    e = act_read(n, "contact", contact, "no contact", &r, why);
    if (e == ERR_OK && n_changes == 0) e = why_set(why, ERR_USAGE, "There is nothing to change.");
    for (size_t i = 0; i < n_changes && e == ERR_OK; i++) e = act_alter(n, &r, &changes[i], NULL, NULL, why);
    act_row_release(&r);
    return act_end(n, e, "changed contact details", why);
}

/* ----------------------------------------------------------------------------------------------------- warning */
static enum err put_warning(struct node *n, const struct act_warning *in, const uint8_t id[16], struct why *why)
{
    struct row r;
    enum err e = is_case(n, in->case_id, why);
    if (e == ERR_OK && in->person != NULL) e = act_person_of(n, in->person, in->case_id, why);
    if (e == ERR_OK) e = act_said(in->kind, "Say what kind of warning it is, in a word.", why);
    if (e == ERR_OK) e = act_said(in->note, "Say what to beware of: a warning without it helps nobody.", why);
    if (e == ERR_OK && in->until != 0 && in->until <= env_now(n->env))
        e = why_set(why, ERR_USAGE, "It would end at a time that is past. Nothing was changed.");
    if (e != ERR_OK) return e;
    act_new(n, &r, "warning", in->case_id, id);
    if (in->person != NULL) act_fill(&r, "person_id", value_id(in->person));
    act_fill(&r, "kind", value_str(in->kind));
    act_fill(&r, "note", value_str(in->note));
    act_fill(&r, "until", act_time(in->until));
    return act_put(n, &r, why);
}

enum err act_warning_add(struct node *n, const struct act_warning *in, uint8_t out_id[16], struct why *why)
{
    uint8_t id[16];
    enum err e = node_edit_begin(n, why);
    if (e != ERR_OK) return e;
    env_new_id(n->env, id);
    e = act_end(n, put_warning(n, in, id, why), "added a warning", why);
    if (e == ERR_OK) memcpy(out_id, id, sizeof id);
    return e;
}
