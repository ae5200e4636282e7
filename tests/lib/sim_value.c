/* What somebody might write into a column. */
#include "tests/lib/sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* A text of this edit, kept until the edit is over. */
static struct value keep(struct sim *s, const void *p, size_t n, enum value_kind kind)
{
    assert_true(s->used + n <= sizeof s->arena);
    char *at = s->arena + s->used;
    memcpy(at, p, n);
    s->used += n;
    return kind == VALUE_BLOB ? value_blob(bytes_of(at, n)) : value_text(bytes_of(at, n));
}

static struct value keep_text(struct sim *s, const char *text)
{
    return keep(s, text, strlen(text), VALUE_TEXT);
}

static struct value one_of(struct sim *s, const char *words, char parted_by)
{
    size_t n = 1, pick;
    for (const char *p = words; *p != '\0'; p++) n += *p == parted_by;
    pick = sim_random(s, n);
    const char *p = words;
    for (; pick > 0; pick--) p = strchr(p, parted_by) + 1;
    return keep(s, p, (size_t)(strchrnul(p, parted_by) - p), VALUE_TEXT);
}

static struct value parent(struct sim *s, const struct sim_rows *here, const char *table, bool required,
                           const uint8_t case_id[16])
{
    int t = sim_table(table);
    size_t n = 0, pick;
    if (!required && sim_chance(s, 30)) return value_null();
    for (size_t i = here->start[t]; i < here->start[t + 1]; i++) n += memcmp(here->v[i].case_id, case_id, 16) == 0;
    if (n == 0) return required ? value_none() : value_null();
    pick = sim_random(s, n);
    for (size_t i = here->start[t]; i < here->start[t + 1]; i++)
        if (memcmp(here->v[i].case_id, case_id, 16) == 0 && pick-- == 0) return keep(s, here->v[i].id, 16, VALUE_BLOB);
    return value_none();
}

static struct value some_site(struct sim *s)
{
    return sim_chance(s, 55) ? keep_text(s, "") : keep_text(s, sim_places[sim_random(s, SIM_PLACES)].site);
}

static struct value text(struct sim *s, const char *table, const char *column)
{
    char word[40];
    if (strcmp(column, "member") == 0 || strcmp(column, "to_agency") == 0 || strcmp(column, "lead_agency") == 0)
        return keep_text(s, sim_agencies[sim_random(s, SIM_AGENCIES)]);
    if (strcmp(column, "site") == 0) return some_site(s);
    if (strcmp(column, "area") == 0) return one_of(s, "north|south", '|');
    if (strcmp(column, "scheme") == 0) return one_of(s, "nhs|pnc|crn|upn|other", '|');
    if (strcmp(column, "scope") == 0)
        return sim_chance(s, 60) ? keep_text(s, "all") : keep_text(s, sim_agencies[sim_random(s, SIM_AGENCIES)]);
    if (strcmp(column, "override_reason") == 0 && sim_chance(s, 20)) return keep_text(s, "");
    if (strcmp(table, "record") == 0 && strcmp(column, "body") == 0 &&
        sim_chance(s, 3)) { /* long enough to fill pages */
        static char body[3000];
        memset(body, 'b', sizeof body - 1);
        (void)snprintf(body, sizeof body, "text %u ", ++s->words);
        body[strlen(body)] = 'b';
        return keep(s, body, sizeof body - 1, VALUE_TEXT);
    }
    (void)snprintf(word, sizeof word, "text %u", ++s->words);
    return keep_text(s, word);
}

static struct value moment(struct sim *s, const char *column)
{
    if (strcmp(column, "until") == 0 || strcmp(column, "expires_at") == 0) {
        if (sim_chance(s, 55)) return value_null();
        return value_int(s->clock + (int64_t)sim_random(s, 5 * 86400000) - 3600000);
    }
    if (strcmp(column, "since") == 0 && sim_chance(s, 40))
        return sim_chance(s, 50) ? value_null() : value_int(s->clock + (int64_t)sim_random(s, 2 * 86400000));
    if (strcmp(column, "override_at") == 0 && sim_chance(s, 70)) return value_null();
    return value_int(s->clock - (int64_t)sim_random(s, 86400000));
}

struct value sim_think(struct sim *s, struct sim_node *n, const struct sim_rows *here, const struct table_rule *t,
                       size_t col, const uint8_t case_id[16])
{
    const struct column_rule *c = &t->columns[col];
    char day[32];
    if (strcmp(c->name, "voided_at") == 0 || strcmp(c->name, "void_reason") == 0) return value_null();
    switch (c->type) {
    case COL_ID:
        if (c->parent != NULL) return parent(s, here, c->parent, c->required, case_id);
        if (!c->required && sim_chance(s, 30)) return value_null();
        return value_id(n->user);
    case COL_TEXT: return text(s, t->name, c->name);
    case COL_WORD:
        if (strcmp(c->name, "access") == 0) return one_of(s, "check|view|contribute|contribute|contribute|none", '|');
        if (strcmp(c->name, "sensitivity") == 0) return one_of(s, "open|open|open|sensitive|restricted", '|');
        if (strcmp(t->name, "consent") == 0) return one_of(s, "given|given|given|refused|withdrawn|not_sought", '|');
        return one_of(s, c->words, '|');
    case COL_DATE:
        (void)snprintf(day, sizeof day, "2%03u-%02u-%02u", (unsigned)sim_random(s, 1000),
                       1 + (unsigned)sim_random(s, 12), 1 + (unsigned)sim_random(s, 28));
        return keep_text(s, day);
    case COL_TIME: return moment(s, c->name);
    case COL_BOOL: return value_int(sim_chance(s, 30) ? 1 : 0);
    case COL_INT: return value_int((int64_t)sim_random(s, 1000));
    }
    return value_none();
}
