/* What people know of themselves and of who may do what. */
#include "tests/sim/people.h"

#include <string.h>

const struct sim_site *people_site(const struct edit *e)
{
    return &e->s->sites[e->d->site];
}

bool people_social_care(const struct edit *e)
{
    return strcmp(people_site(e)->kind, "social_care") == 0;
}

bool people_mash(const struct edit *e)
{
    return strcmp(people_site(e)->site_kind, "mash") == 0;
}

struct value people_agency(const struct edit *e)
{
    return value_str(people_site(e)->agency);
}

struct value people_now(const struct edit *e)
{
    return value_int(e->s->clock);
}

struct value people_one(struct edit *e, const char *a, const char *b)
{
    return value_str(sim_chance(e->s, 500) ? a : b);
}

#define PARTS "SELECT case_id FROM participant WHERE member = $1 AND until IS NULL AND voided_at IS NULL AND access "
#define LED   "SELECT id FROM case_file WHERE lead_agency = $1"
static const char *const within[] = {
    [POWER_ANY] = NULL,
    [POWER_CHECK] = "case_id IN (" PARTS "IN ('check', 'contribute') UNION " LED ")",
    [POWER_CONTRIBUTE] = "case_id IN (" PARTS "= 'contribute' UNION " LED ")",
    [POWER_LEAD] = "case_id IN (" LED ")",
    [POWER_OWN] = "agency = $1",
    [POWER_ASKED] = "to_agency = $1",
};

enum power people_to_write(const struct edit *e, enum write_rule rule)
{
    switch (rule) {
    case WRITE_RELEASE:
    case WRITE_OWN: return POWER_OWN;
    case WRITE_ASKED: return POWER_ASKED;
    case WRITE_LEAD:
    case WRITE_DUTY: return people_mash(e) ? POWER_ANY : POWER_LEAD;
    case WRITE_CONTRIBUTE: return people_mash(e) ? POWER_ANY : POWER_CONTRIBUTE;
    case WRITE_NEVER:
    case WRITE_HUB:
    case WRITE_JUDGE:
    case WRITE_SETTLE: break;
    }
    return POWER_ANY;
}

enum power people_to_insert(const struct edit *e, enum insert_rule rule)
{
    if (people_mash(e) || rule == INSERT_HUB) return POWER_ANY;
    return rule == INSERT_CHECK ? POWER_CHECK : rule == INSERT_CONTRIBUTE ? POWER_CONTRIBUTE : POWER_LEAD;
}

bool people_pick(struct edit *e, const char *table, enum power power, struct rows_row *out)
{
    const struct choice c = {.table = table, .where = within[power], .arg = people_agency(e), .meet = true};
    return sim_chance(e->s, 125) ? edit_pick_from(e, table, out) : edit_pick(e, &c, out);
}

const char *people_lead(const struct sim *s, const char *area)
{
    for (unsigned i = 0; i < s->n_sites; i++) {
        const struct sim_site *p = &s->sites[i];
        if (strcmp(p->kind, "social_care") != 0 || strcmp(p->site_kind, "mash") != 0) continue;
        for (unsigned a = 0; a < p->n_areas; a++)
            if (strcmp(p->areas[a], area) == 0) return p->agency;
        if (p->n_areas == 0) return p->agency;
    }
    return s->sites[0].agency;
}

bool people_think_part(struct edit *e, struct fresh *f, const uint8_t case_id[16])
{
    if (!think_row(e, f, "participant", case_id)) return false;
    fresh_fix(f, "quiet", value_int(0));
    fresh_fix(f, "since", value_null());
    fresh_fix(f, "until", value_null());
    return true;
}

void people_part(struct edit *e, const uint8_t case_id[16], const char *member, const char *site, const char *access)
{
    struct fresh f;
    if (!people_think_part(e, &f, case_id)) return;
    fresh_fix(&f, "member", value_str(member));
    fresh_fix(&f, "site", value_str(site));
    fresh_fix(&f, "access", value_str(access));
    edit_put(e, &f.r);
}

void people_think(struct edit *e, const struct rows_row *r, size_t col)
{
    const struct subject of = {r->r.table, r->id, r->case_id};
    edit_set(e, r, col, think(e, &of, col));
}
