/* Three cases with the same rows: one open, one closed, one restricted. Everything is written by the agency "writer",
 * whose part is over, and addressed to "told", which never had one, so that what they see they see for these reasons
 * alone. */
#include "hub/policy_check_case.h"

#include "crypto/hash.h"
#include "sync/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW    "1000"
#define PAST   "#1"
#define FUTURE "#9000"

/* A row of each case. Values: "#n" a number, "@LABEL" the id of another row of the case, "@@LABEL" one of no case. */
struct laid {
    const char *table;
    const char *state; /* of its line; NULL: it is there for others' sake */
    const char *label; /* NULL: "table/state" */
    const char *set[14];
};

#define ADDRESSED "to_agency", "told"
#define CONSENT(label, ...)                                                                                            \
    {"person", NULL, "of " label, {NULL}},                                                                             \
    {                                                                                                                  \
        "consent", NULL, "by " label,                                                                                  \
        {                                                                                                              \
            "person_id", "@of " label, "scope", "all", __VA_ARGS__                                                     \
        }                                                                                                              \
    }
#define NEEDS(label, ...)                                                                                              \
    {                                                                                                                  \
        "record", "needs consent (" label ")", NULL,                                                                   \
        {                                                                                                              \
            "sensitivity", "open", "needs_consent", "#1", "person_id", "@of " label, ##__VA_ARGS__                     \
        }                                                                                                              \
    }
#define CONFLICT(word, about, tbl, row)                                                                                \
    {                                                                                                                  \
        "conflict", word ", about " about, NULL,                                                                       \
        {                                                                                                              \
            "tbl", tbl, "row_id", row, "state", word, "kept_by", "@@writer", "lost_by", "@@told"                       \
        }                                                                                                              \
    }

static const struct laid rows[] = {
    {"person", "", NULL, {NULL}},
    {"kinship", "", NULL, {NULL}},
    {"warning", "", NULL, {NULL}},
    {"pointer", "", NULL, {NULL}},
    {"brief", "", NULL, {NULL}},
    {"participant", "", NULL, {"member", "told", "access", "none"}},
    {"participant", "quiet", NULL, {"member", "told", "access", "none", "quiet", "#1"}},
    {"record", "open", NULL, {"sensitivity", "open"}},
    {"record", "sensitive", NULL, {"sensitivity", "sensitive"}},
    {"record", "restricted", NULL, {"sensitivity", "restricted"}},
    {"person", NULL, "of nobody's", {NULL}},
    {"record",
     "needs consent (nobody asked)",
     NULL,
     {"sensitivity", "open", "needs_consent", "#1", "person_id", "@of nobody's"}},
    CONSENT("given", "state", "given", "expires_at", FUTURE),
    NEEDS("given"),
    CONSENT("refused", "state", "refused"),
    NEEDS("refused"),
    CONSENT("not sought", "state", "not_sought"),
    NEEDS("not sought"),
    CONSENT("withdrawn", "state", "withdrawn"),
    NEEDS("withdrawn"),
    CONSENT("withdrawn, but a decision rests upon it", "state", "withdrawn"),
    NEEDS("withdrawn, but a decision rests upon it"),
    CONSENT("ended", "state", "given", "expires_at", PAST),
    NEEDS("ended"),
    CONSENT("overridden by its owner", "state", "refused"),
    NEEDS("overridden by its owner", "override_at", PAST, "override_reason", "harm"),
    CONSENT("overridden without a reason", "state", "refused"),
    NEEDS("overridden without a reason", "override_at", PAST),
    {"person", NULL, "first child", {"role", "child"}},
    {"person", NULL, "second child", {"role", "child"}},
    {"consent", NULL, "by first child", {"person_id", "@first child", "scope", "all", "state", "given"}},
    {"record", "needs consent (given by one of two children)", NULL, {"sensitivity", "open", "needs_consent", "#1"}},
    {"record",
     "sensitive and needs consent (given)",
     NULL,
     {"sensitivity", "sensitive", "needs_consent", "#1", "person_id", "@of given"}},
    {"contact", "", NULL, {NULL}},
    {"contact", "protected", NULL, {"protected", "#1"}},
    {"consent", "", NULL, {NULL}},
    {"rating", "", NULL, {NULL}},
    {"challenge", "", NULL, {NULL}},
    {"meeting", "", NULL, {NULL}},
    {"attendance", "", NULL, {NULL}},
    {"episode", "", NULL, {NULL}},
    {"coded", "", NULL, {NULL}},
    {"allocation", "", NULL, {NULL}},
    {"action", "", NULL, {NULL}},
    {"action", "sensitive", NULL, {"sensitive", "#1"}},
    {"referral", "", NULL, {NULL}},
    {"identifier", "any other scheme", NULL, {"scheme", "of no rule"}},
    {"link", "", NULL, {NULL}},
    {"held", "", NULL, {NULL}},
    {"request", "", NULL, {ADDRESSED}},
    {"release", "asked", NULL, {ADDRESSED, "state", "asked"}},
    {"release", "granted", NULL, {ADDRESSED, "state", "granted", "expires_at", FUTURE}},
    {"release", "refused", NULL, {ADDRESSED, "state", "refused"}},
    {"release", "ended", NULL, {ADDRESSED, "state", "granted", "expires_at", PAST}},
    {"release_source", "", NULL, {NULL}},
    {"feedback", "", NULL, {ADDRESSED}},
    CONFLICT("open", "a brief", "brief", "@brief/"),
    CONFLICT("settled", "a brief", "brief", "@brief/"),
    CONFLICT("settled", "a sensitive record", "record", "@record/sensitive"),
    CONFLICT("open", "a restricted record", "record", "@record/restricted"),
    CONFLICT("settled", "a restricted record", "record", "@record/restricted"),
    {"record", "sensitive and voided", NULL, {"sensitivity", "sensitive", "voided_at", PAST}},
    {"record", "restricted and voided", NULL, {"sensitivity", "restricted", "voided_at", PAST}},
};

/* What a voided row needs besides, to have been an ordinary one. */
static const struct laid voided[] = {
    {"participant", "voided", NULL, {"member", "told", "access", "none", "voided_at", PAST}},
    {"record", "open and voided", NULL, {"sensitivity", "open", "voided_at", PAST}},
    {"request", "voided", NULL, {ADDRESSED, "voided_at", PAST}},
    {"release", "voided", NULL, {ADDRESSED, "voided_at", PAST}},
    {"feedback", "voided", NULL, {ADDRESSED, "voided_at", PAST}},
};

/* Who takes part. In the restricted case each by its site; in the others by the agency alone. */
static const struct part {
    const char *member, *access, *since, *until, *voided;
} parts[] = {
    {"check", "check", NULL, NULL, NULL},           {"view", "view", NULL, NULL, NULL},
    {"contribute", "contribute", NULL, NULL, NULL}, {"writer", "contribute", NULL, PAST, NULL},
    {"over", "contribute", NULL, PAST, NULL},       {"early", "contribute", FUTURE, NULL, NULL},
    {"void", "contribute", NULL, NULL, PAST},
};

/* Each agency has one site that covers the area, of the same code, but for these. */
static const char *const plain_agencies[] = {"check", "view", "contribute", "writer", "told",
                                             "other", "over", "early",      "void"};
static const struct {
    const char *code, *kind, *area;
} rooms[] = {{"room", "mash", "here"},
             {"night", "out_of_hours", "here"},
             {"room there", "mash", "there"},
             {"night there", "out_of_hours", "there"},
             {"named room", "mash", "there"}};

static const char *const case_names[LAID_CASES] = {"open", "closed", "restricted"};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---------------------------------------------------------------------------------------------------------- one row */

static void id_of(const char *in_case, const char *label, uint8_t out[16])
{
    uint8_t hash[HASH_BYTES];
    char name[160];
    int n = snprintf(name, sizeof name, "%s: %s", in_case, label);
    hash_labelled(hash, "spoke/policy-check/1", bytes_of(name, (size_t)n));
    memcpy(out, hash, 16);
}

static void label_of(const char *table, const char *state, char out[112])
{
    (void)snprintf(out, 112, "%s/%s", table, state);
}

void policy_check_id(const struct policy_line *l, enum laid_case c, uint8_t out[16])
{
    int i = rules_table_index(bytes_of_str(l->table));
    char label[112];
    label_of(l->table, l->state, label);
    if (strcmp(l->table, "case_file") == 0 && l->state[0] == '\0')
        id_of(case_names[c], "case", out);
    else
        id_of(rules_table((size_t)i)->kind == TABLE_CASE ? case_names[c] : "", label, out);
}

struct cell {
    struct row row;
    uint8_t ids[RULES_MAX_COLUMNS][16]; /* behind values of the row */
};

static void set_id(struct cell *c, size_t column, const char *in_case, const char *label)
{
    id_of(in_case, label, c->ids[column]);
    c->row.v[column] = value_id(c->ids[column]);
}

/* Required columns filled in; everything else not set. */
static void begin_row(struct cell *c, const struct table_rule *t, const char *in_case, const char *label)
{
    memset(c, 0, sizeof *c);
    c->row.table = t;
    for (size_t i = 0; i < t->n_columns; i++) {
        const struct column_rule *col = &t->columns[i];
        if (!col->required)
            c->row.v[i] = value_null();
        else if (col->type == COL_ID)
            set_id(c, i, in_case, "another");
        else if (col->type == COL_TEXT || col->type == COL_WORD)
            c->row.v[i] = value_str("x");
        else
            c->row.v[i] = value_int(1);
    }
    set_id(c, 0, in_case, label);
    if (t->kind != TABLE_CASE) return;
    set_id(c, 1, in_case, "case");
    c->row.v[2] = value_str("writer");
}

static enum err set(struct cell *c, const char *in_case, const char *column, const char *value, struct why *why)
{
    int i = rules_column_index(c->row.table, bytes_of_str(column));
    if (i < 0) return why_set(why, ERR_FAILED, "There is no column %s.%s.", c->row.table->name, column);
    if (value == NULL)
        c->row.v[i] = value_null();
    else if (value[0] == '#')
        c->row.v[i] = value_int(strtoll(value + 1, NULL, 10));
    else if (strncmp(value, "@@", 2) == 0)
        set_id(c, (size_t)i, "", value + 2);
    else if (value[0] == '@')
        set_id(c, (size_t)i, in_case, value + 1);
    else
        c->row.v[i] = value_str(value);
    return ERR_OK;
}

/* pairs: columns and their values, ended by a NULL column. */
static enum err put(struct db *db, const char *table, const char *in_case, const char *label, const char *const *pairs,
                    size_t max, struct why *why)
{
    struct cell c;
    enum err e = ERR_OK;
    begin_row(&c, rules_table((size_t)rules_table_index(bytes_of_str(table))), in_case, label);
    for (size_t i = 0; e == ERR_OK && i + 1 < max && pairs[i] != NULL; i += 2)
        e = set(&c, in_case, pairs[i], pairs[i + 1], why);
    return e == ERR_OK ? db_row_put(db, &c.row, why) : e;
}

/* ------------------------------------------------------------------------------------------------------- the places */

static enum err put_site(struct db *db, const char *code, const char *agency, const char *kind, const char *area,
                         struct why *why)
{
    const char *site[] = {"code", code, "agency", agency, "kind", kind};
    const char *coverage[] = {"site", code, "area", area};
    enum err e = put(db, "site", "", code, site, COUNT(site), why);
    return e == ERR_OK ? put(db, "coverage", "", code, coverage, COUNT(coverage), why) : e;
}

static enum err put_agency(struct db *db, const char *code, const char *kind, struct why *why)
{
    const char *agency[] = {"code", code, "kind", kind};
    enum err e = put(db, "agency", "", code, agency, COUNT(agency), why);
    return e == ERR_OK ? put_site(db, code, code, "partner", "here", why) : e;
}

static enum err put_person(struct db *db, const char *site, struct why *why)
{
    const char *person[] = {"site", site};
    return put(db, "practitioner", "", site, person, COUNT(person), why);
}

static enum err lay_places(struct db *db, const struct policy_check *p, struct why *why)
{
    const char *council[] = {"code", "council"};
    enum err e = put(db, "agency", "", "council", council, COUNT(council), why);
    for (size_t i = 0; e == ERR_OK && i < COUNT(plain_agencies); i++) e = put_agency(db, plain_agencies[i], NULL, why);
    for (size_t i = 0; e == ERR_OK && i < p->n_kinds; i++) {
        char code[48];
        (void)snprintf(code, sizeof code, "kind %s", p->kinds[i]);
        e = put_agency(db, code, p->kinds[i], why);
    }
    for (size_t i = 0; e == ERR_OK && i < COUNT(rooms); i++)
        e = put_site(db, rooms[i].code, "council", rooms[i].kind, rooms[i].area, why);
    if (e == ERR_OK) e = put_person(db, "writer", why);
    return e == ERR_OK ? put_person(db, "told", why) : e;
}

int policy_check_kind(const struct policy_check *p, struct bytes site)
{
    char code[48];
    for (size_t i = 0; i < p->n_kinds; i++) {
        (void)snprintf(code, sizeof code, "kind %s", p->kinds[i]);
        if (bytes_equal(site, bytes_of_str(code))) return (int)i;
    }
    return -1;
}

enum policy_way policy_check_way(struct bytes site, enum laid_case c)
{
    static const struct {
        const char *site;
        enum policy_way way;
    } ways[] = {{"check", WAY_CHECK},   {"view", WAY_VIEW},      {"contribute", WAY_CONTRIBUTE},
                {"writer", WAY_WRITER}, {"told", WAY_ADDRESSED}, {"night", WAY_NIGHT}};
    for (size_t i = 0; i < COUNT(ways); i++)
        if (bytes_equal(site, bytes_of_str(ways[i].site))) return ways[i].way;
    return bytes_equal(site, bytes_of_str(c == LAID_NAMED ? "named room" : "room")) ? WAY_ROOM : WAY_OTHER;
}

/* -------------------------------------------------------------------------------------------------------- the cases */

static enum err put_part(struct db *db, enum laid_case c, const struct part *p, const char *site, struct why *why)
{
    const char *pairs[] = {"member", p->member, "site",      c == LAID_NAMED ? site : NULL,
                           "access", p->access, "since",     p->since,
                           "until",  p->until,  "voided_at", p->voided};
    char label[80];
    (void)snprintf(label, sizeof label, "part of %s", site);
    return put(db, "participant", case_names[c], label, pairs, COUNT(pairs), why);
}

static enum err lay_parts(struct db *db, const struct policy_check *p, enum laid_case c, struct why *why)
{
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < COUNT(parts); i++) e = put_part(db, c, &parts[i], parts[i].member, why);
    for (size_t i = 0; e == ERR_OK && i < p->n_kinds; i++) {
        char code[48];
        (void)snprintf(code, sizeof code, "kind %s", p->kinds[i]);
        e = put_part(db, c, &(struct part){.member = code, .access = "check"}, code, why);
    }
    if (e == ERR_OK && c == LAID_NAMED)
        e = put_part(db, c, &(struct part){.member = "council", .access = "contribute"}, "named room", why);
    return e;
}

static enum err add_line(struct policy_check *p, const char *table, const char *state, struct why *why)
{
    if (p->n == POLICY_MAX_LINES) return why_set(why, ERR_LIMIT, "There are too many tables to check a policy.");
    struct policy_line *l = &p->lines[p->n++];
    *l = (struct policy_line){.table = table};
    (void)snprintf(l->state, sizeof l->state, "%s", state);
    return ERR_OK;
}

static enum err lay_row(struct db *db, struct policy_check *p, enum laid_case c, const struct laid *l, struct why *why)
{
    char label[112];
    enum err e = ERR_OK;
    if (l->label == NULL)
        label_of(l->table, l->state, label);
    else
        (void)snprintf(label, sizeof label, "%s", l->label);
    if (c == LAID_OPEN && l->state != NULL) e = add_line(p, l->table, l->state, why);
    return e == ERR_OK ? put(db, l->table, case_names[c], label, l->set, COUNT(l->set), why) : e;
}

static enum err lay_voided(struct db *db, struct policy_check *p, enum laid_case c, struct why *why)
{
    size_t n;
    const struct table_rule *t = rules_tables(&n);
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        struct laid plain = {t[i].name, "voided", NULL, {"voided_at", PAST}};
        const struct laid *l = &plain;
        if (t[i].kind != TABLE_CASE || strcmp(t[i].name, "case_file") == 0 || strcmp(t[i].name, "conflict") == 0)
            continue;
        for (size_t k = 0; k < COUNT(voided); k++)
            if (strcmp(voided[k].table, t[i].name) == 0) l = &voided[k];
        e = lay_row(db, p, c, l, why);
    }
    return e;
}

static enum err lay_identifiers(struct db *db, struct policy_check *p, enum laid_case c, struct why *why)
{
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < p->n_schemes; i++)
        e = lay_row(db, p, c, &(struct laid){"identifier", p->schemes[i], NULL, {"scheme", p->schemes[i]}}, why);
    return e;
}

/* The hub notes these whenever such a row appears (hub/sight.c, hub/decided.c). */
static enum err note(struct db *db, enum laid_case c, struct why *why)
{
    struct stmt *q;
    uint8_t id[16];
    enum err e = db_prepare(
        db, "INSERT INTO case_voice(case_id, agency) SELECT $1, code FROM agency WHERE code <> 'other'", &q, why);
    if (e != ERR_OK) return e;
    id_of(case_names[c], "case", id);
    db_bind_id(q, 1, id);
    e = db_run(q, why);
    if (e == ERR_OK) e = db_prepare(db, "INSERT INTO case_decided(record_id) VALUES ($1)", &q, why);
    if (e != ERR_OK) return e;
    id_of(case_names[c], "record/needs consent (withdrawn, but a decision rests upon it)", id);
    db_bind_id(q, 1, id);
    return db_run(q, why);
}

static enum err lay_case(struct db *db, struct policy_check *p, enum laid_case c, struct why *why)
{
    const char *file[] = {
        "area", "here", "status", c == LAID_CLOSED ? "closed" : "new", "restricted", c == LAID_NAMED ? "#1" : "#0"};
    enum err e = c == LAID_OPEN ? add_line(p, "case_file", "", why) : ERR_OK;
    if (e == ERR_OK) e = put(db, "case_file", case_names[c], "case", file, COUNT(file), why);
    for (size_t i = 0; e == ERR_OK && i < COUNT(rows); i++) e = lay_row(db, p, c, &rows[i], why);
    if (e == ERR_OK) e = lay_identifiers(db, p, c, why);
    if (e == ERR_OK) e = lay_voided(db, p, c, why);
    if (e == ERR_OK) e = lay_parts(db, p, c, why);
    return e == ERR_OK ? note(db, c, why) : e;
}

/* ------------------------------------------------------------------------------------------------------- everything */

/* Kinds and schemes that the policy itself speaks of; and a kind of which it does not. */
static enum err take_words(struct db *db, const char *sql, char (*out)[32], size_t max, size_t *n, struct why *why)
{
    struct stmt *q;
    bool row = false;
    enum err e = db_prepare(db, sql, &q, why);
    if (e != ERR_OK) return e;
    while ((e = db_step(q, &row, why)) == ERR_OK && row) {
        struct bytes word = db_bytes(q, 0);
        if (*n == max || word.n >= 32) {
            e = why_set(why, ERR_LIMIT, "The policy speaks of too many schemes or kinds of agency.");
            break;
        }
        (void)snprintf(out[(*n)++], 32, "%.*s", (int)word.n, (const char *)word.p);
    }
    db_done(q);
    return e;
}

static enum err lay_reference(struct db *db, struct policy_check *p, struct why *why)
{
    size_t n;
    const struct table_rule *t = rules_tables(&n);
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        char label[112];
        if (t[i].kind == TABLE_CASE) continue;
        label_of(t[i].name, "", label);
        e = add_line(p, t[i].name, "", why);
        if (e == ERR_OK) e = put(db, t[i].name, "", label, NULL, 0, why);
    }
    return e;
}

enum err policy_check_lay(struct db *db, struct policy_check *p, struct why *why)
{
    enum err e = take_words(db, "SELECT DISTINCT scheme FROM scheme_kind WHERE scheme IS NOT NULL ORDER BY scheme",
                            p->schemes, POLICY_MAX_SCHEMES, &p->n_schemes, why);
    if (e == ERR_OK)
        e = take_words(db,
                       "SELECT DISTINCT kind FROM scheme_kind WHERE kind IS NOT NULL UNION SELECT 'housing' ORDER BY 1",
                       p->kinds, POLICY_MAX_KINDS, &p->n_kinds, why);
    if (e == ERR_OK) e = db_exec(db, "UPDATE policy_now SET now = " NOW, why);
    if (e == ERR_OK) e = lay_places(db, p, why);
    for (enum laid_case c = LAID_OPEN; e == ERR_OK && c < LAID_CASES; c++) e = lay_case(db, p, c, why);
    return e == ERR_OK ? lay_reference(db, p, why) : e;
}
