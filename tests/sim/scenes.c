/* What takes several people, one after the other: removed while one is away, decided and then withdrawn. Draws between
 * talks, so not in pairs of worlds. */
#include "tests/sim/people.h"

#include <string.h>

struct scene {
    struct sim *s;
    struct device *room, *other;
    uint8_t case_id[16];
};

static bool cast(struct sim *s, struct scene *out)
{
    *out = (struct scene){.s = s, .room = &s->devices[0], .other = sim_any_device(s)};
    if (out->other == NULL || out->other == out->room || s->hub == NULL || s->hub_lost_time) return false;
    if (!clash_can_meet(s, out->room) || !clash_can_meet(s, out->other)) return false;
    clash_meet(s, out->room);
    clash_meet(s, out->other);
    return clash_can_meet(s, out->room) && clash_can_meet(s, out->other);
}

/* One transaction of somebody's. true: he could do something. */
static bool does(struct scene *c, struct device *d, bool (*act)(struct edit *e, struct scene *c))
{
    struct edit e;
    if (d->n == NULL) return false;
    edit_start(&e, c->s, d);
    bool done = e.err == ERR_OK && act(&e, c);
    edit_finish(&e, done);
    return done;
}

static void meets(struct scene *c, struct device *d)
{
    if (d->n != NULL) clash_meet(c->s, d);
}

static bool finds_case(struct edit *e, struct scene *c)
{
    struct rows_row r;
    if (!people_pick(e, "case_file", people_to_insert(e, INSERT_CHECK), &r)) return false;
    memcpy(c->case_id, r.id, sizeof c->case_id);
    return true;
}

/* ---- a note that comes too late ---- */
static bool removes(struct edit *e, struct scene *c)
{
    const char *agency = e->s->sites[c->other->site].agency;
    const struct choice parts = {.table = "participant",
                                 .where = "case_id = $1 AND access <> 'none' AND voided_at IS NULL",
                                 .arg = value_id(c->case_id)};
    struct rows_row p;
    bool any = false;
    for (int tries = 0; tries < 8 && edit_pick(e, &parts, &p); tries++) {
        if (!rows_is(&p, "member", agency)) continue;
        edit_set_named(e, &p, "access", value_str("none"));
        any = true;
    }
    return any;
}

static bool notes(struct edit *e, struct scene *c)
{
    struct rows_row r;
    if (!edit_get(e, rows_table("case_file"), c->case_id, &r) || !sight_note(e, c->case_id)) return false;
    if (sim_chance(e->s, 200)) (void)sight_note(e, c->case_id);
    if (sim_chance(e->s, 250)) sight_act(e); /* then it is no note alone */
    return true;
}

bool scene_late(struct sim *s)
{
    struct scene c;
    if (!cast(s, &c) || !does(&c, c.other, finds_case)) return false;
    sim_note(s, "device %d writes in a case that device 0 takes it from", c.other->no);
    bool early = sim_chance(s, 500); /* it was written before, and only comes after */
    if (early && !does(&c, c.other, notes)) return true;
    if (!does(&c, c.room, removes)) return true;
    meets(&c, c.room);
    if (!early && c.other->n != NULL) (void)does(&c, c.other, notes);
    meets(&c, c.other);
    return true;
}

/* ---- a consent that is withdrawn after the decision ---- */
static bool records(struct edit *e, struct scene *c)
{
    return sight_with_consent(e, c->case_id);
}

static bool decides(struct edit *e, struct scene *c)
{
    struct rows_row b;
    if (!edit_get(e, rows_table("brief"), c->case_id, &b)) return false;
    edit_set_named(e, &b, "decision", think_canary(e->s, b.id, b.tbl));
    edit_set_named(e, &b, "decided_at", people_now(e));
    return true;
}

static bool withdraws(struct edit *e, struct scene *c)
{
    struct rows_row k;
    const struct choice given = {
        .table = "consent", .where = "case_id = $1 AND state = 'given'", .arg = value_id(c->case_id)};
    if (!edit_pick(e, &given, &k)) return false;
    edit_set_named(e, &k, "state", sim_chance(e->s, 800) ? value_str("withdrawn") : value_str("refused"));
    return true;
}

bool scene_decided(struct sim *s)
{
    struct scene c;
    if (!cast(s, &c) || !does(&c, c.other, finds_case) || !does(&c, c.other, records)) return false;
    sim_note(s, "device %d records with consent, device 0 decides", c.other->no);
    meets(&c, c.other);
    meets(&c, c.room);
    bool too_late = sim_chance(s, 350);
    if (too_late && does(&c, c.room, withdraws)) meets(&c, c.room);
    if (c.room->n != NULL && does(&c, c.room, decides)) meets(&c, c.room);
    meets(&c, c.other);
    struct device *who = sim_chance(s, 500) ? c.room : c.other;
    if (!too_late && who->n != NULL && does(&c, who, withdraws)) meets(&c, who);
    return true;
}
