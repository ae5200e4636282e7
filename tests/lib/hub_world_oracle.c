#include "tests/lib/hub_world.h"

#include <string.h>

static bool is(const struct world_row *r, const char *table)
{
    return strcmp(r->table, table) == 0;
}

static const struct world_row *file_of(const struct world *w, int case_no)
{
    return &w->rows[w->case_row[case_no]];
}

static bool covers(const struct world *w, int site, int case_no)
{
    const struct world_row *file = file_of(w, case_no);
    if (file->v[F_RESTRICTED] == 1) return false;
    return (w->sites[site].areas & 0x80u) != 0 || (w->sites[site].areas & 1u << file->v[F_AREA]) != 0;
}

/* How far the site takes part: 0 not, 1 check, 2 view, 3 contribute; as bits 1 << access of all that apply. */
static unsigned part(const struct world *w, int site, int case_no)
{
    unsigned bits = 0;
    for (int i = 0; i < w->n_rows; i++) {
        const struct world_row *p = &w->rows[i];
        if (!is(p, "participant") || p->case_no != case_no || p->v[F_VOID] >= 0 || p->v[F_ACCESS] <= 0) continue;
        if (p->v[F_SINCE] >= 0 && p->v[F_SINCE] > w->f->clock) continue;
        if (p->v[F_UNTIL] >= 0 && p->v[F_UNTIL] <= w->f->clock) continue;
        if (p->v[F_MEMBER] != w->sites[site].agency) continue;
        if (p->v[F_SITE] < 0 ? covers(w, site, case_no) : p->v[F_SITE] == site) bits |= 1u << p->v[F_ACCESS];
    }
    return bits;
}

/* Does a participant row that was not voided name the site, whatever became of that part? */
static bool is_named(const struct world *w, int site, int case_no)
{
    for (int i = 0; i < w->n_rows; i++) {
        const struct world_row *p = &w->rows[i];
        if (is(p, "participant") && p->case_no == case_no && p->v[F_VOID] < 0 && p->v[F_SITE] == site &&
            p->v[F_MEMBER] == w->sites[site].agency)
            return true;
    }
    return false;
}

struct standing {
    bool face, shared, room, own, part;
};

static struct standing stand(const struct world *w, int site, int case_no)
{
    struct standing s = {0};
    const struct world_site *site_ = &w->sites[site];
    unsigned bits = part(w, site, case_no);
    bool cover = covers(w, site, case_no), restricted = file_of(w, case_no)->v[F_RESTRICTED] == 1;
    bool night = site_->kind == SITE_OUT_OF_HOURS && cover && file_of(w, case_no)->v[F_STATUS] != 2;
    s.part = bits != 0;
    s.room = site_->kind == SITE_MASH && (cover || (restricted && (bits & 1u << 3) != 0));
    s.face = s.part || s.room || night;
    s.shared = (bits & (1u << 2 | 1u << 3)) != 0 || s.room || night;
    s.own = cover || s.part || (!restricted && is_named(w, site, case_no));
    return s;
}

/* Is telling of the record allowed, as far as consent goes? */
static bool person_consents(const struct world *w, const struct world_row *record, int person)
{
    bool any = false;
    for (int i = 0; i < w->n_rows; i++) {
        const struct world_row *c = &w->rows[i];
        if (!is(c, "consent") || c->case_no != record->case_no || c->v[F_PERSON] != person || c->v[F_VOID] >= 0)
            continue;
        if (c->v[F_SCOPE] != 0 && c->v[F_SCOPE] - 1 != record->agency) continue;
        if (c->v[F_CONSENT] != 0 || (c->v[F_EXPIRES] >= 0 && c->v[F_EXPIRES] <= w->f->clock))
            return false; /* the most protective stands */
        any = true;
    }
    return any;
}

static bool is_free(const struct world *w, const struct world_row *r)
{
    bool any = false;
    if (r->v[F_NEEDS] != 1) return true;
    if (r->v[F_OVERRIDE_AT] >= 0 && r->v[F_OVERRIDE_REASON] == 1) return true;
    if (r->v[F_PERSON] >= 0) return person_consents(w, r, (int)r->v[F_PERSON]);
    for (int i = 0; i < w->n_rows; i++) {
        const struct world_row *p = &w->rows[i];
        if (!is(p, "person") || p->case_no != r->case_no || p->v[F_VOID] >= 0 || p->v[F_ROLE] > 1) continue;
        any = true;
        if (!person_consents(w, r, i)) return false;
    }
    return any;
}

/* Everything but the agencies' own channels. */
enum level { LEVEL_NONE, LEVEL_FACE, LEVEL_SHARED, LEVEL_ROOM };

static enum level record_level(const struct world *w, const struct world_row *r)
{
    if (!is_free(w, r) || r->v[F_SENSITIVITY] < 0 || r->v[F_SENSITIVITY] > 1) return LEVEL_NONE;
    return r->v[F_SENSITIVITY] == 1 || r->v[F_VOID] >= 0 ? LEVEL_ROOM : LEVEL_SHARED;
}

static enum level level_of(const struct world *w, const struct world_row *r)
{
    if (is(r, "record")) return record_level(w, r);
    if (is(r, "release_source") || is(r, "request") || is(r, "release") || is(r, "feedback")) return LEVEL_NONE;
    if (r->v[F_VOID] >= 0 || is(r, "referral") || is(r, "link") || is(r, "held") || is(r, "identifier"))
        return LEVEL_ROOM;
    if (is(r, "case_file") || is(r, "person") || is(r, "kinship") || is(r, "warning") || is(r, "pointer"))
        return LEVEL_FACE;
    if ((is(r, "participant") && r->v[F_QUIET] == 1) || (is(r, "contact") && r->v[F_PROTECTED] == 1) ||
        (is(r, "action") && r->v[F_SENSITIVE] == 1))
        return LEVEL_ROOM;
    return LEVEL_SHARED;
}

static bool kind_knows(enum world_kind kind, int64_t scheme)
{
    switch (scheme) {
    case 0: /* nhs */ return kind == KIND_HEALTH || kind == KIND_SOCIAL;
    case 1: /* upn */ return kind == KIND_EDUCATION || kind == KIND_SOCIAL;
    case 2: /* pnc */
    case 3: /* crn */ return kind == KIND_POLICE || kind == KIND_PROBATION;
    default: return false;
    }
}

static bool told(const struct world *w, int agency, const struct world_row *r)
{
    if (r->v[F_VOID] >= 0) return false;
    if (is(r, "participant")) return r->v[F_MEMBER] == agency;
    if (is(r, "release") && r->v[F_EXPIRES] >= 0 && r->v[F_EXPIRES] <= w->f->clock) return false;
    return (is(r, "request") || is(r, "release") || is(r, "feedback")) && r->v[F_TO] == agency;
}

static bool in_own_channel(const struct world *w, int agency, const struct world_row *r)
{
    return r->agency == agency || told(w, agency, r);
}

static bool sees_plain(const struct world *w, int site, const struct world_row *r)
{
    struct standing s = stand(w, site, r->case_no);
    enum level level = level_of(w, r);
    int agency = w->sites[site].agency;
    if (is(r, "identifier") && r->v[F_VOID] < 0 && s.part && kind_knows(w->agencies[agency], r->v[F_SCHEME]))
        return true;
    if (s.own && in_own_channel(w, agency, r)) return true;
    return (level == LEVEL_FACE && s.face) || (level == LEVEL_SHARED && s.shared) || (level == LEVEL_ROOM && s.room);
}

static bool sees_conflict(const struct world *w, int site, const struct world_row *c)
{
    const struct world_row *about = &w->rows[c->v[F_ABOUT]];
    struct standing s = stand(w, site, c->case_no);
    int agency = w->sites[site].agency;
    enum level level = level_of(w, about);
    if (c->v[F_SETTLED] == 0) return sees_plain(w, site, about);
    bool author = (c->v[F_KEPT] >= 0 && w->sites[w->people[c->v[F_KEPT]].site].agency == agency) ||
                  (c->v[F_LOST] >= 0 && w->sites[w->people[c->v[F_LOST]].site].agency == agency);
    if (s.room && level != LEVEL_NONE) return true;
    return author && s.own && (level == LEVEL_FACE || level == LEVEL_SHARED || in_own_channel(w, agency, about));
}

bool world_sees(const struct world *w, int site, const struct world_row *r)
{
    return is(r, "conflict") ? sees_conflict(w, site, r) : sees_plain(w, site, r);
}
