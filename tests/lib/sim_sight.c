/* Who sees what, in plain C from the design's matrix. It shares nothing with hub/policy.sql. */
#include "tests/lib/sim.h"

#include <string.h>

struct seat {
    bool face, shared, room, own; /* own: what its agency wrote and was told */
    bool takes_part;
};

struct look { /* one question: may this site see this row */
    const struct sim_rows *hub;
    const struct sim_place *site;
    const struct sim_row *r;
    int64_t now;
    struct seat seat;
};

#define EACH(rows, name, row)                                                                                          \
    for (const struct sim_row *row = (rows)->v + (rows)->start[sim_table(name)],                                       \
                              *end_##row = (rows)->v + (rows)->start[sim_table(name) + 1];                             \
         row < end_##row; row++)

static bool same(const uint8_t a[16], const uint8_t b[16])
{
    return memcmp(a, b, 16) == 0;
}

static bool id_is(const struct sim_row *r, const char *column, const uint8_t id[16])
{
    struct value v = sim_value(r, column);
    return v.kind == VALUE_BLOB && v.s.n == 16 && memcmp(v.s.p, id, 16) == 0;
}

static bool over(const struct sim_row *r, const char *column, int64_t now)
{
    return !sim_null(r, column) && sim_int(r, column) <= now;
}

/* ---- which channels a site holds ---- */
static struct seat take_seat(const struct sim_rows *hub, const struct sim_place *site, const uint8_t case_id[16],
                             int64_t now)
{
    struct seat seat = {0};
    const struct sim_row *c = sim_rows_find(hub, sim_table("case_file"), case_id);
    if (c == NULL) return seat;
    bool restricted = sim_int(c, "restricted") != 0, named = false;
    bool covers = site->area == NULL || sim_is(c, "area", site->area);
    int level = 0;
    EACH(hub, "participant", p)
    {
        if (!same(p->case_id, case_id) || !sim_is(p, "member", site->agency) || !sim_null(p, "voided_at") ||
            over(p, "until", now) || (!sim_null(p, "since") && sim_int(p, "since") > now))
            continue;
        int grade = sim_is(p, "access", "check")        ? 1
                    : sim_is(p, "access", "view")       ? 2
                    : sim_is(p, "access", "contribute") ? 3
                                                        : 0;
        bool by_name = sim_is(p, "site", site->site), whole = sim_is(p, "site", "") && covers && !restricted;
        if (grade == 0 || !(by_name || whole)) continue;
        named |= by_name;
        level = grade > level ? grade : level;
    }
    bool barred = restricted && !named;
    /* Which named MASH site is the room of a restricted case, the design leaves open: one that may contribute. */
    bool room = strcmp(site->site_kind, "mash") == 0 && (restricted ? level == 3 : covers);
    bool night =
        strcmp(site->site_kind, "out_of_hours") == 0 && covers && !restricted && !sim_is(c, "status", "closed");
    seat.takes_part = level > 0;
    seat.face = level >= 1 || room || night;
    seat.shared = level >= 2 || room || night;
    seat.room = room;
    seat.own = (covers || named) && !barred;
    return seat;
}

/* ---- consent ---- */
static bool consented(const struct look *l, const uint8_t person[16])
{
    bool any = false;
    EACH(l->hub, "consent", k)
    {
        if (!same(k->case_id, l->r->case_id) || !id_is(k, "person_id", person) || !sim_null(k, "voided_at")) continue;
        struct value agency = l->r->r.v[2];
        if (!sim_is(k, "scope", "all") && !bytes_equal(sim_value(k, "scope").s, agency.s)) continue;
        if (!sim_is(k, "state", "given") || over(k, "expires_at", l->now))
            return false; /* the most protective across rows stands */
        any = true;
    }
    return any;
}

static bool may_be_told(const struct look *l)
{
    const struct sim_row *r = l->r;
    if (sim_int(r, "needs_consent") == 0) return true;
    if (!sim_null(r, "override_at") && !sim_is(r, "override_reason", "")) return true;
    bool anybody = false;
    EACH(l->hub, "person", p)
    {
        if (!same(p->case_id, r->case_id)) continue;
        bool about = sim_null(r, "person_id")
                         ? sim_null(p, "voided_at") && (sim_is(p, "role", "child") || sim_is(p, "role", "adult"))
                         : id_is(r, "person_id", p->id);
        if (!about) continue;
        anybody = true;
        if (!consented(l, p->id)) return false;
    }
    return anybody;
}

/* ---- rows ---- */
static bool in_list(const char *name, const char *const *list)
{
    for (; *list != NULL; list++)
        if (strcmp(*list, name) == 0) return true;
    return false;
}

static bool may_know(const char *kind, const struct sim_row *identifier)
{
    static const char *const pairs[][2] = {{"nhs", "health"},    {"nhs", "social_care"}, {"pnc", "police"},
                                           {"pnc", "probation"}, {"crn", "police"},      {"crn", "probation"},
                                           {"upn", "education"}, {"upn", "social_care"}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        if (sim_is(identifier, "scheme", pairs[i][0]) && strcmp(kind, pairs[i][1]) == 0) return true;
    return false;
}

static const char *agency_of(const struct sim_rows *hub, const struct sim_row *conflict, const char *column)
{
    struct value who = sim_value(conflict, column);
    const struct sim_row *p = who.kind == VALUE_BLOB ? sim_rows_find(hub, sim_table("practitioner"), who.s.p) : NULL;
    for (size_t i = 0; p != NULL && i < SIM_PLACES; i++)
        if (sim_is(p, "site", sim_places[i].site)) return sim_places[i].agency;
    return "";
}

static bool wrote_side(const struct sim_rows *hub, const struct sim_row *conflict, const char *agency)
{
    return strcmp(agency_of(hub, conflict, "kept_by"), agency) == 0 ||
           strcmp(agency_of(hub, conflict, "lost_by"), agency) == 0;
}

static bool sees_record(const struct look *l)
{
    if (!may_be_told(l)) return false;
    return (sim_is(l->r, "sensitivity", "sensitive") && l->seat.room) ||
           (sim_is(l->r, "sensitivity", "open") && l->seat.shared);
}

/* What is its owner's, or its two ends', alone stays so when voided. */
static bool is_private(const struct look *l)
{
    static const char *const ends[] = {"release_source", "request", "release", "feedback", NULL};
    const char *t = l->r->r.table->name;
    for (const char *const *end = ends; *end != NULL; end++)
        if (strcmp(t, *end) == 0) return true;
    return strcmp(t, "record") == 0 && (!may_be_told(l) || sim_is(l->r, "sensitivity", "restricted"));
}

/* In the channel of this agency: written by it, or told to it. */
static bool addressed_to(const struct sim_row *r, const char *agency, int64_t now)
{
    const char *t = r->r.table->name;
    if (bytes_equal(r->r.v[2].s, bytes_of_str(agency))) return true;
    if (!sim_null(r, "voided_at")) return false;
    if (strcmp(t, "participant") == 0) return sim_is(r, "member", agency);
    if (strcmp(t, "release") == 0) return sim_is(r, "to_agency", agency) && !over(r, "expires_at", now);
    return (strcmp(t, "request") == 0 || strcmp(t, "feedback") == 0) && sim_is(r, "to_agency", agency);
}

/* All but what comes by having written it. */
static bool sees_plain(const struct look *l)
{
    static const char *const face[] = {"case_file", "person", "kinship", "warning", "pointer", NULL};
    static const char *const shared[] = {"brief",      "consent", "rating", "challenge",  "meeting",
                                         "attendance", "episode", "coded",  "allocation", NULL};
    const char *t = l->r->r.table->name;
    const struct seat *s = &l->seat;
    if (in_list(t, face)) return s->face;
    if (in_list(t, shared)) return s->shared;
    if (s->own && addressed_to(l->r, l->site->agency, l->now)) return true;
    if (strcmp(t, "participant") == 0) return sim_int(l->r, "quiet") ? s->room : s->shared;
    if (strcmp(t, "contact") == 0) return sim_int(l->r, "protected") ? s->room : s->shared;
    if (strcmp(t, "action") == 0) return sim_int(l->r, "sensitive") ? s->room : s->shared;
    if (strcmp(t, "identifier") == 0) return s->room || (s->takes_part && may_know(l->site->kind, l->r));
    if (strcmp(t, "record") == 0) return sees_record(l);
    static const char *const room[] = {"referral", "link", "held", NULL};
    return s->room && in_list(t, room);
}

/* Once it is not open (settled by somebody, or ruled at once), the room and the agencies of the two authors see a
 * conflict, as far as its row is not hidden from them: a column of a restricted record stays with the owner. */
static bool sees_conflict(const struct look *l)
{
    const struct sim_row *k = l->r;
    int tbl = rules_table_index(sim_value(k, "tbl").s);
    const struct sim_row *about = tbl < 0 ? NULL : sim_rows_find(l->hub, tbl, sim_value(k, "row_id").s.p);
    if (about == NULL || tbl == sim_table("conflict")) return false;
    if (sim_is(k, "state", "open")) return sim_sees(l->hub, l->site, about, l->now);
    bool side = wrote_side(l->hub, k, l->site->agency);
    if (side && l->seat.own && addressed_to(about, l->site->agency, l->now)) return true;
    struct look all = {.hub = l->hub, .site = l->site, .r = about, .now = l->now};
    all.seat = (struct seat){.face = true, .shared = true};
    bool common = sim_null(about, "voided_at") && sees_plain(&all);
    all.seat.room = true;
    bool room = sim_null(about, "voided_at") ? sees_plain(&all) : !is_private(&all);
    return (l->seat.room && room) || (side && l->seat.own && common);
}

bool sim_sees(const struct sim_rows *hub, const struct sim_place *site, const struct sim_row *r, int64_t now)
{
    if (r->r.table->kind == TABLE_REFERENCE) return true;
    struct look l = {.hub = hub, .site = site, .r = r, .now = now, .seat = take_seat(hub, site, r->case_id, now)};
    if (strcmp(r->r.table->name, "conflict") == 0) return sees_conflict(&l);
    if (l.seat.own && bytes_equal(r->r.v[2].s, bytes_of_str(site->agency))) return true;
    if (!sim_null(r, "voided_at")) /* only its writer and the MASH room */
        return l.seat.room && !is_private(&l);
    return sees_plain(&l);
}
