#include "tests/lib/hub_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MAX_FIELDS 8

struct field_use {
    enum world_field field;
    bool fixed; /* never changes once the row is there */
};
static const struct world_table {
    const char *name;
    unsigned weight;
    struct field_use fields[MAX_FIELDS];
    size_t n;
} tables[] = {
    {"record",
     10,
     {{F_PERSON, true},
      {F_SENSITIVITY, false},
      {F_NEEDS, false},
      {F_OVERRIDE_AT, false},
      {F_OVERRIDE_REASON, false},
      {F_VOID, false},
      {F_TEXT, false}},
     7},
    {"participant",
     8,
     {{F_MEMBER, true},
      {F_SITE, true},
      {F_ACCESS, false},
      {F_QUIET, false},
      {F_SINCE, false},
      {F_UNTIL, false},
      {F_VOID, false}},
     7},
    {"person", 4, {{F_ROLE, false}, {F_VOID, false}}, 2},
    {"consent", 12, {{F_PERSON, true}, {F_SCOPE, true}, {F_CONSENT, false}, {F_EXPIRES, false}, {F_VOID, false}}, 5},
    {"conflict", 4, {{F_ABOUT, true}, {F_KEPT, false}, {F_LOST, false}, {F_SETTLED, false}}, 4},
    {"identifier", 3, {{F_PERSON, true}, {F_SCHEME, true}, {F_VOID, false}}, 3},
    {"contact", 2, {{F_PERSON, true}, {F_PROTECTED, false}, {F_VOID, false}}, 3},
    {"action", 2, {{F_SENSITIVE, false}, {F_VOID, false}, {F_TEXT, false}}, 3},
    {"request", 2, {{F_TO, true}, {F_VOID, false}}, 2},
    {"release", 2, {{F_TO, true}, {F_EXPIRES, false}, {F_VOID, false}, {F_TEXT, false}}, 4},
    {"feedback", 2, {{F_TO, true}, {F_VOID, false}}, 2},
    {"brief", 1, {{F_VOID, false}}, 1},
    {"referral", 1, {{F_VOID, false}}, 1},
    {"warning", 1, {{F_VOID, false}}, 1},
    {"pointer", 1, {{F_VOID, false}}, 1},
    {"rating", 1, {{F_VOID, false}}, 1},
    {"challenge", 1, {{F_VOID, false}}, 1},
    {"meeting", 1, {{F_VOID, false}}, 1},
    {"episode", 1, {{F_VOID, false}}, 1},
    {"link", 1, {{F_VOID, false}}, 1},
    {"held", 1, {{F_VOID, false}}, 1},
    {"case_file", 0, {{F_AREA, false}, {F_STATUS, false}, {F_LEAD, false}, {F_RESTRICTED, false}, {F_VOID, false}}, 5},
};
#define N_TABLES (sizeof tables / sizeof tables[0])

static const char *const areas[] = {"north", "south", "east"};

static int64_t roll(struct world *w, uint64_t below)
{
    return (int64_t)hub_fixture_random(w->f, below);
}

static const struct world_table *table_of(const char *name)
{
    for (size_t i = 0; i < N_TABLES; i++)
        if (strcmp(tables[i].name, name) == 0) return &tables[i];
    fail_msg("no table %s in the world", name);
    return NULL;
}

/* Index of a random row of the case and table (NULL: any but conflicts); -1 none. */
static int64_t some_row(struct world *w, int case_no, const char *table)
{
    int64_t found = -1;
    uint64_t n = 0;
    for (int i = 0; i < w->n_rows; i++) {
        const struct world_row *r = &w->rows[i];
        bool fits = table == NULL ? strcmp(r->table, "conflict") != 0 : strcmp(r->table, table) == 0;
        if (r->case_no == case_no && fits && roll(w, ++n) == 0) found = i;
    }
    return found;
}

static int64_t some_time(struct world *w)
{
    return roll(w, 3) == 0 ? w->f->clock + 1 + roll(w, 5000) : -1;
}

static int64_t site_of_agency(struct world *w, int64_t agency)
{
    int64_t site = roll(w, (uint64_t)w->n_sites);
    return w->sites[site].agency == agency ? site : -1;
}

static int64_t value_for(struct world *w, const struct world_row *r, enum world_field field)
{
    switch (field) {
    case F_AREA:
    case F_STATUS: return roll(w, 3);
    case F_LEAD:
    case F_MEMBER:
    case F_TO: return roll(w, (uint64_t)w->n_agencies);
    case F_RESTRICTED: return roll(w, 4) == 0;
    case F_SITE: return roll(w, 2) == 0 ? -1 : site_of_agency(w, r->v[F_MEMBER]);
    case F_ACCESS: return roll(w, 4);
    case F_NEEDS: return roll(w, 2);
    case F_QUIET:
    case F_PROTECTED:
    case F_SENSITIVE:
    case F_OVERRIDE_REASON: return roll(w, 3) - 1;
    case F_SINCE:
    case F_UNTIL:
    case F_EXPIRES: return some_time(w);
    case F_ROLE: return roll(w, 4);
    case F_PERSON: return strcmp(r->table, "record") == 0 && roll(w, 2) == 0 ? -1 : some_row(w, r->case_no, "person");
    case F_SENSITIVITY: return roll(w, 8) == 0 ? -1 : roll(w, 3);
    case F_OVERRIDE_AT:
    case F_VOID: return roll(w, 4) == 0 ? 1 : -1;
    case F_SCHEME: return roll(w, 5);
    case F_CONSENT: return roll(w, 3) != 0 ? 0 : roll(w, 5) - 1;
    case F_SCOPE: return roll(w, 2) == 0 ? 0 : 1 + roll(w, (uint64_t)w->n_agencies);
    case F_ABOUT: return some_row(w, r->case_no, NULL);
    case F_SETTLED: return roll(w, 3);
    case F_KEPT:
    case F_LOST: return roll(w, (uint64_t)w->n_people + 1) - 1;
    case F_TEXT: return roll(w, 100000);
    case F_COUNT: break;
    }
    return -1;
}

static const char *column_of(enum world_field field)
{
    static const char *const names[F_COUNT] = {
        "area",        "status",        "lead_agency", "restricted",      "member",     "site",
        "access",      "quiet",         "since",       "until",           "role",       "person_id",
        "sensitivity", "needs_consent", "override_at", "override_reason", "protected",  "sensitive",
        "scheme",      "to_agency",     "state",       "scope",           "expires_at", "row_id",
        "state",       "kept_by",       "lost_by",     "voided_at",       "title"};
    return names[field];
}

static const char *word_of(const struct world *w, enum world_field field, int64_t v, char out[40])
{
    static const char *const status[] = {"new", "gathering", "closed"}, *const access[] = {"none", "check", "view",
                                                                                           "contribute"};
    static const char *const role[] = {"child", "adult", "carer", "parent"}, *const settled[] = {"open", "ruled",
                                                                                                 "settled"};
    static const char *const sensitivity[] = {"open", "sensitive", "restricted"};
    static const char *const scheme[] = {"nhs", "upn", "pnc", "crn", "local"};
    static const char *const consent[] = {"given", "refused", "withdrawn", "not_sought"}, *const reason[] = {"",
                                                                                                             "because"};
    if (field == F_SITE && v < 0) return "";
    if (v < 0) return NULL;
    switch (field) {
    case F_AREA: return areas[v];
    case F_STATUS: return status[v];
    case F_ACCESS: return access[v];
    case F_ROLE: return role[v];
    case F_SENSITIVITY: return sensitivity[v];
    case F_SCHEME: return scheme[v];
    case F_CONSENT: return consent[v];
    case F_SETTLED: return settled[v];
    case F_OVERRIDE_REASON: return reason[v];
    case F_SITE: return world_site_code((int)v, out);
    case F_PERSON:
    case F_ABOUT: return hub_fixture_hex(w->rows[v].id, out);
    case F_KEPT:
    case F_LOST: return hub_fixture_hex(w->people[v].id, out);
    case F_SCOPE:
        if (v == 0) return "all";
        (void)snprintf(out, 40, "a%d", (int)v - 1);
        return out;
    case F_LEAD:
    case F_MEMBER:
    case F_TO: (void)snprintf(out, 40, "a%d", (int)v); return out;
    case F_TEXT: (void)snprintf(out, 40, "text %d", (int)v); return out;
    default: (void)snprintf(out, 40, "#%lld", (long long)v); return out;
    }
}

const char *world_site_code(int site, char out[8])
{
    (void)snprintf(out, 8, "s%d", site % 1000);
    return out;
}

/* Required columns that decide nothing. */
static size_t add_required(const struct world *w, const struct world_row *r, const char **pairs, size_t n,
                           char store[40])
{
    if (strcmp(r->table, "conflict") == 0) {
        pairs[n++] = "tbl", pairs[n++] = w->rows[r->v[F_ABOUT]].table;
        pairs[n++] = "col", pairs[n++] = "title";
        pairs[n++] = "policy", pairs[n++] = "escalate";
    }
    if (strcmp(r->table, "held") == 0) pairs[n++] = "node", pairs[n++] = hub_fixture_hex(r->id, store);
    return n;
}

static void insert(struct world *w, struct world_row *r)
{
    const struct world_table *t = table_of(r->table);
    const char *pairs[2 * RULES_MAX_COLUMNS + 1] = {NULL};
    char store[MAX_FIELDS + 1][40], agency[8];
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++) {
        pairs[n++] = column_of(t->fields[i].field);
        pairs[n++] = word_of(w, t->fields[i].field, r->v[t->fields[i].field], store[i]);
    }
    n = add_required(w, r, pairs, n, store[MAX_FIELDS]);
    pairs[n] = NULL;
    (void)snprintf(agency, sizeof agency, "a%d", r->agency % 1000);
    (void)hub_fixture_row_by(w->f, &w->f->hub, r->id, r->table, w->cases[r->case_no], agency, pairs);
    w->rows[w->n_rows++] = *r;
}

static void new_case(struct world *w, int author)
{
    struct world_row r = {.table = "case_file", .id = hub_fixture_id(w->f), .case_no = w->n_cases};
    for (int i = 0; i < F_COUNT; i++) r.v[i] = -1;
    r.agency = author >= 0 ? author : (int)roll(w, (uint64_t)w->n_agencies);
    r.v[F_AREA] = roll(w, 3);
    r.v[F_STATUS] = 0;
    r.v[F_LEAD] = roll(w, (uint64_t)w->n_agencies);
    w->case_row[w->n_cases] = w->n_rows;
    w->cases[w->n_cases++] = r.id;
    insert(w, &r);
    /* Somebody whom it is about: without, nothing of it ever hangs on consent. */
    r.table = "person";
    r.id = hub_fixture_id(w->f);
    for (int i = 0; i < F_COUNT; i++) r.v[i] = -1;
    r.v[F_ROLE] = 0;
    insert(w, &r);
}

int world_new_row(struct world *w, int author)
{
    struct world_row r = {.id = hub_fixture_id(w->f)};
    unsigned total = 0;
    if (w->n_rows == WORLD_ROWS || w->n_cases == 0) return -1;
    for (size_t i = 0; i < N_TABLES; i++) total += tables[i].weight;
    int64_t pick = roll(w, total);
    size_t t = 0;
    while (pick >= tables[t].weight) pick -= tables[t++].weight;
    r.table = tables[t].name;
    r.case_no = (int)roll(w, (uint64_t)w->n_cases);
    r.agency = author >= 0 ? author : (int)roll(w, (uint64_t)w->n_agencies);
    for (int i = 0; i < F_COUNT; i++) r.v[i] = -1;
    for (size_t i = 0; i < tables[t].n; i++)
        r.v[tables[t].fields[i].field] = value_for(w, &r, tables[t].fields[i].field);
    bool needs_person =
        strcmp(r.table, "consent") == 0 || strcmp(r.table, "identifier") == 0 || strcmp(r.table, "contact") == 0;
    if (needs_person && r.v[F_PERSON] < 0) return -1;
    insert(w, &r);
    return w->n_rows - 1;
}

void world_change_row(struct world *w, int at)
{
    struct world_row *r = &w->rows[at];
    const struct world_table *t = table_of(r->table);
    char store[40];
    for (int tries = 0; tries < 8; tries++) {
        const struct field_use *u = &t->fields[roll(w, t->n)];
        if (u->fixed) continue;
        r->v[u->field] = value_for(w, r, u->field);
        hub_fixture_set(w->f, r->table, r->id, column_of(u->field), word_of(w, u->field, r->v[u->field], store));
        return;
    }
}

static void toggle_area(struct world *w, int site)
{
    struct world_site *s = &w->sites[site];
    unsigned bit = roll(w, 4) == 0 ? 7u : (unsigned)roll(w, 3);
    char code[8];
    if ((s->areas & 1u << bit) != 0) {
        const struct table_rule *t = rules_table((size_t)rules_table_index(bytes_of_str("coverage")));
        assert_int_equal(sight_remove(&w->f->h, t, s->coverage[bit].b, NULL), ERR_OK);
    } else {
        s->coverage[bit] = hub_fixture_row(w->f, "coverage", (struct id){{0}}, "", "site", world_site_code(site, code),
                                           "area", bit == 7 ? "*" : areas[bit], NULL);
    }
    s->areas ^= 1u << bit;
}

static void new_agency(struct world *w)
{
    static const char *const kinds[] = {"social_care", "health", "police", "education", "probation", "housing"};
    char code[8];
    if (w->n_agencies == WORLD_AGENCIES) return;
    w->agencies[w->n_agencies] = (enum world_kind)roll(w, 6);
    (void)snprintf(code, sizeof code, "a%d", w->n_agencies % 1000);
    hub_fixture_agency(w->f, code, kinds[w->agencies[w->n_agencies]]);
    w->n_agencies++;
}

static void new_site(struct world *w, enum world_site_kind kind)
{
    static const char *const kinds[] = {"partner", "mash", "out_of_hours"};
    char code[8], agency[8];
    int at = w->n_sites;
    if (at == WORLD_SITES) return;
    w->sites[at] = (struct world_site){.agency = (int)roll(w, (uint64_t)w->n_agencies), .kind = kind};
    (void)snprintf(agency, sizeof agency, "a%d", w->sites[at].agency % 1000);
    hub_fixture_site(w->f, world_site_code(at, code), agency, kinds[kind], NULL);
    w->n_sites++;
    toggle_area(w, at);
}

static void new_person(struct world *w)
{
    char code[8];
    if (w->n_people == WORLD_PEOPLE) return;
    int site = (int)roll(w, (uint64_t)w->n_sites);
    w->people[w->n_people].site = site;
    w->people[w->n_people].id = hub_fixture_row(w->f, "practitioner", (struct id){{0}}, "", "site",
                                                world_site_code(site, code), "name", "N", NULL);
    w->n_people++;
}

static void move_person(struct world *w)
{
    int64_t at = roll(w, (uint64_t)w->n_people);
    char code[8];
    w->people[at].site = (int)roll(w, (uint64_t)w->n_sites);
    hub_fixture_set(w->f, "practitioner", w->people[at].id, "site", world_site_code(w->people[at].site, code));
}

void world_new(struct world *w, struct hub_fixture *f)
{
    *w = (struct world){.f = f};
    hub_fixture_step(f);
    for (int64_t n = 3 + roll(w, 3); n > 0; n--) new_agency(w);
    new_site(w, SITE_MASH);
    new_site(w, SITE_OUT_OF_HOURS);
    for (int64_t n = 3 + roll(w, 5); n > 0; n--) new_site(w, SITE_PARTNER);
    new_person(w);
    new_person(w);
    hub_fixture_settle(f);
}

/* What changes the whole world comes seldom. */
static void change_world(struct world *w)
{
    switch (roll(w, 6)) {
    case 0: toggle_area(w, (int)roll(w, (uint64_t)w->n_sites)); break;
    case 1: new_site(w, (enum world_site_kind)roll(w, 3)); break;
    case 2: move_person(w); break;
    case 3: new_person(w); break;
    case 4: new_agency(w); break;
    default: break;
    }
}

int world_change(struct world *w, int author)
{
    int last = -1;
    for (int64_t n = 1 + roll(w, 4); n > 0; n--) {
        int64_t what = roll(w, 100);
        if (w->n_cases == 0 || (what < 4 && w->n_cases < WORLD_CASES && w->n_rows < WORLD_ROWS - 1)) {
            new_case(w, author);
            last = w->n_rows - 1;
        } else if (what < 10 && author < 0) {
            change_world(w);
        } else if (what < 45) {
            int at = world_new_row(w, author);
            last = at < 0 ? last : at;
        } else if (what < 55) {
            last = w->case_row[roll(w, (uint64_t)w->n_cases)];
            world_change_row(w, last);
        } else {
            last = (int)roll(w, (uint64_t)w->n_rows);
            world_change_row(w, last);
        }
    }
    return last;
}
