/* What somebody might write into a column, a row, a case. */
#include "tests/sim/edit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void think_id(struct sim *s, uint8_t out[16])
{
    uint64_t ms = (uint64_t)s->clock;
    for (int i = 0; i < 6; i++) out[i] = (uint8_t)(ms >> (40 - 8 * i));
    draw_bytes(&s->draw, out + 6, 10);
    out[6] = (uint8_t)(0x70 | (out[6] & 0x0F)); /* RFC 9562, version 7 */
    out[8] = (uint8_t)(0x80 | (out[8] & 0x3F));
}

/* ---- texts ---- */
struct value think_keep(struct sim *s, struct value v)
{
    if (v.kind != VALUE_TEXT && v.kind != VALUE_BLOB) return v;
    if (s->used + v.s.n > sizeof s->arena) abort();
    char *at = s->arena + s->used;
    if (v.s.n > 0) memcpy(at, v.s.p, v.s.n);
    s->used += v.s.n;
    v.s.p = (const uint8_t *)at;
    return v;
}

static struct value keep_str(struct sim *s, const char *text)
{
    return think_keep(s, value_str(text));
}

/* Told apart by what the event draws, not by a count: in a world with more in it the others write the same. */
struct value think_text(struct sim *s)
{
    char word[40];
    (void)snprintf(word, sizeof word, "text %016llx", (unsigned long long)draw_word(&s->draw));
    return keep_str(s, word);
}

struct value think_canary(struct sim *s, const uint8_t id[16], int tbl)
{
    char text[96];
    canary_text(s, id, tbl, text, sizeof text);
    return keep_str(s, text);
}

static struct value one_of(struct sim *s, const char *words)
{
    size_t n = 1;
    for (const char *p = words; *p != '\0'; p++) n += *p == '|';
    const char *p = words;
    for (size_t skip = sim_random(s, n); skip > 0; skip--) p = strchr(p, '|') + 1;
    return think_keep(s, value_text(bytes_of(p, (size_t)(strchrnul(p, '|') - p))));
}

const char *think_agency(struct sim *s)
{
    return s->sites[sim_random(s, s->n_sites)].agency;
}

const char *think_area(struct sim *s)
{
    size_t at = sim_random(s, s->n_sites);
    for (size_t i = 0; i < s->n_sites; i++) {
        const struct sim_site *site = &s->sites[(at + i) % s->n_sites];
        if (site->n_areas > 0) return site->areas[sim_random(s, site->n_areas)];
    }
    return "north";
}

/* Long enough to fill pages; the canary comes first. */
static struct value long_text(struct sim *s, const uint8_t id[16], int tbl)
{
    char body[3000];
    memset(body, 'b', sizeof body);
    struct value head = think_canary(s, id, tbl);
    memcpy(body, head.s.p, head.s.n);
    return think_keep(s, value_text(bytes_of(body, sizeof body)));
}

static struct value free_text(struct sim *s, const struct subject *of, const char *column)
{
    int tbl = rows_table(of->t->name);
    if (of->t->insert == INSERT_HUB) return think_text(s); /* rows that people do not make */
    if (strcmp(of->t->name, "record") == 0 && strcmp(column, "body") == 0 && sim_chance(s, 30))
        return long_text(s, of->id, tbl);
    return sim_chance(s, 500) ? think_canary(s, of->id, tbl) : think_text(s);
}

static struct value text(struct sim *s, const struct subject *of, const char *column)
{
    if (strcmp(column, "member") == 0 || strcmp(column, "to_agency") == 0 || strcmp(column, "lead_agency") == 0)
        return keep_str(s, think_agency(s));
    if (strcmp(column, "site") == 0)
        return keep_str(s, sim_chance(s, 550) ? "" : s->sites[sim_random(s, s->n_sites)].code);
    if (strcmp(column, "area") == 0) return keep_str(s, think_area(s));
    if (strcmp(column, "scheme") == 0) return one_of(s, "nhs|pnc|crn|upn|other");
    if (strcmp(column, "scope") == 0) return keep_str(s, sim_chance(s, 600) ? "all" : think_agency(s));
    if (strcmp(column, "override_reason") == 0 && sim_chance(s, 200)) return keep_str(s, "");
    return free_text(s, of, column);
}

/* ---- the others ---- */
static struct value parent(struct edit *e, const struct subject *of, const struct column_rule *c)
{
    struct rows_row r;
    const struct choice there = {.table = c->parent, .where = "case_id = $1", .arg = value_id(of->case_id)};
    /* A record that names its request is refused, whoever writes it. */
    unsigned none = strcmp(c->name, "request_id") == 0 ? 970 : 300;
    if (!c->required && sim_chance(e->s, none)) return value_null();
    if (edit_pick(e, &there, &r)) return r.r.v[0];
    return c->required ? value_none() : value_null();
}

static struct value moment(struct sim *s, const char *column)
{
    if (strcmp(column, "until") == 0 || strcmp(column, "expires_at") == 0) {
        if (sim_chance(s, 550)) return value_null();
        if (s->opt.no_steering) return value_null(); /* two may make one consent: then the later one's would stand */
        return value_int(s->clock + (int64_t)sim_random(s, (uint64_t)(5 * SIM_DAY)) - SIM_HOUR);
    }
    if (strcmp(column, "since") == 0 && sim_chance(s, 400))
        return sim_chance(s, 500) ? value_null()
                                  : value_int(s->clock + (int64_t)sim_random(s, (uint64_t)(2 * SIM_DAY)));
    if (strcmp(column, "override_at") == 0 && sim_chance(s, 700)) return value_null();
    return value_int(s->clock - (int64_t)sim_random(s, (uint64_t)SIM_DAY));
}

static struct value word(struct sim *s, const struct subject *of, const struct column_rule *c)
{
    if (strcmp(c->name, "access") == 0) return one_of(s, "check|view|contribute|contribute|contribute|none");
    if (strcmp(c->name, "sensitivity") == 0) return one_of(s, "open|open|open|sensitive|restricted");
    if (strcmp(of->t->name, "consent") == 0) return one_of(s, "given|given|given|refused|withdrawn|not_sought");
    return one_of(s, c->words);
}

struct value think(struct edit *e, const struct subject *of, size_t col)
{
    struct sim *s = e->s;
    const struct column_rule *c = &of->t->columns[col];
    char day[32];
    if (strcmp(c->name, "voided_at") == 0 || strcmp(c->name, "void_reason") == 0) return value_null();
    switch (c->type) {
    case COL_ID:
        if (c->parent != NULL) return parent(e, of, c);
        if (!c->required && sim_chance(s, 300)) return value_null();
        return value_id(e->d->user);
    case COL_TEXT: return text(s, of, c->name);
    case COL_WORD: return word(s, of, c);
    case COL_DATE:
        (void)snprintf(day, sizeof day, "2%03u-%02u-%02u", (unsigned)sim_random(s, 1000),
                       1 + (unsigned)sim_random(s, 12), 1 + (unsigned)sim_random(s, 28));
        return keep_str(s, day);
    case COL_TIME: return moment(s, c->name);
    case COL_BOOL: return value_int(sim_chance(s, 300) ? 1 : 0);
    case COL_REAL:
    case COL_INT: return value_int((int64_t)sim_random(s, 1000));
    }
    return value_none();
}

/* ---- rows ---- */
void fresh_fix(struct fresh *f, const char *column, struct value v)
{
    int col = rules_column_index(f->r.table, bytes_of_str(column));
    if (col < 0) abort();
    f->r.v[col] = v;
}

/* The text of each table that carries the canary of a new row. release_source has none but the reason for a void. */
static void mark(struct sim *s, struct fresh *f)
{
    static const char *const where[][2] = {
        {"case_file", "reference"}, {"brief", "summary"},      {"referral", "referrer"},
        {"participant", "basis"},   {"person", "family_name"}, {"kinship", "kind"},
        {"identifier", "value"},    {"contact", "value"},      {"warning", "note"},
        {"record", "body"},         {"pointer", "note"},       {"request", "question"},
        {"release", "reason"},      {"consent", "reason"},     {"rating", "reason"},
        {"challenge", "reason"},    {"meeting", "outcome"},    {"episode", "result"},
        {"attendance", "dissent"},  {"coded", "code"},         {"allocation", "role"},
        {"action", "note"},         {"feedback", "body"},      {"link", "reason"},
        {"conflict", "lost"},       {"held", "what"},          {"release_source", "void_reason"}};
    for (size_t i = 0; i < sizeof where / sizeof where[0]; i++) {
        if (strcmp(where[i][0], f->r.table->name) != 0) continue;
        fresh_fix(f, where[i][1], think_canary(s, f->id, rows_table(where[i][0])));
        return;
    }
    abort();
}

/* Two sites may make the same consent: its id is derived from case, person and scope. */
static void consent_id(struct fresh *f)
{
    uint8_t hash[HASH_BYTES], in[16 + 16 + 32] = {0};
    struct bytes scope = f->r.v[4].s;
    memcpy(in, f->case_id, 16);
    memcpy(in + 16, f->r.v[3].s.p, 16);
    memcpy(in + 32, scope.p, scope.n < 32 ? scope.n : 32);
    hash_labelled(hash, "consent", bytes_of(in, sizeof in));
    memcpy(f->id, hash, 16);
}

/* What others are to say later, the answer to a question, is mostly left to them. */
static bool left_open(struct sim *s, const struct table_rule *t, size_t col, struct value *out)
{
    const struct column_rule *c = &t->columns[col];
    bool weak = t->insert == INSERT_CONTRIBUTE || t->insert == INSERT_CHECK;
    bool others = c->write == WRITE_ASKED || (c->write == WRITE_LEAD && weak);
    if (c->required || !others || sim_chance(s, 120)) return false;
    *out = strcmp(c->name, "state") == 0 ? value_str("open") : value_null();
    return true;
}

bool think_row(struct edit *e, struct fresh *f, const char *table, const uint8_t case_id[16])
{
    const struct table_rule *t = rules_table((size_t)rows_table(table));
    const struct subject of = {t, f->id, f->case_id};
    f->r = (struct row){.table = t};
    think_id(e->s, f->id);
    memcpy(f->case_id, case_id, 16);
    if (strcmp(table, "brief") == 0 || strcmp(table, "case_file") == 0) memcpy(f->id, case_id, 16);
    f->r.v[0] = value_id(f->id);
    f->r.v[1] = value_id(f->case_id);
    f->r.v[2] = value_str(e->s->sites[e->d->site].agency);
    for (size_t c = 3; c < t->n_columns; c++) {
        if (left_open(e->s, t, c, &f->r.v[c])) continue;
        f->r.v[c] = think(e, &of, c);
        if (f->r.v[c].kind == VALUE_NONE) return false;
        if (c == 4 && strcmp(table, "consent") == 0) consent_id(f); /* before any canary of it */
    }
    mark(e->s, f);
    return e->err == ERR_OK;
}

bool think_consent(struct edit *e, struct fresh *f, const struct rows_row *person)
{
    if (!think_row(e, f, "consent", person->case_id)) return false;
    fresh_fix(f, "person_id", value_id(person->id));
    fresh_fix(f, "scope", value_str("all"));
    fresh_fix(f, "state", value_str("given"));
    fresh_fix(f, "expires_at", value_null());
    consent_id(f);
    f->r.v[0] = value_id(f->id);
    mark(e->s, f);
    return e->err == ERR_OK;
}
