/* Promise 11: a device lets people in if and only if its lease is not over, by what it can know. The model is the rule
 * in its two outer bounds, from the world's own clock and from every time that the device's clock was ever read:
 *
 *   let in:  no clock that it read since the last contact says that the lease is over, nor has so much time passed
 *   refused: its clock says now that the lease is over, or said so when somebody came, or so much time has passed while
 *            its steady clock ran
 *
 * Between them lies what a high reading of the clock, noted or lost with the power, makes of it. A device whose disk is
 * of another time, or whose contact may or may not have counted, is not judged. */
#include "tests/sim/judge.h"

#include "node/internal.h"

#define SLACK (2 * (int64_t)SIM_HOUR) /* a mark is noted once a minute, and events take time */

static bool is_fair(const struct sim *s, const struct device *d)
{
    return (d->state == DEVICE_LIVE || d->state == DEVICE_REVOKED) && !d->suspect && !d->damaged && !d->mixed &&
           !d->lying && !d->rotten && !d->hostile && d->clone_of < 0 && !s->hub_lost_time && !d->ailing;
}

static int64_t number(const struct device *d, const char *sql)
{
    int64_t v = 0;
    return wire_ask(node_db(d->n), sql, NULL, &v) ? v : 0;
}

static void judge(struct sim *s, struct device *d, bool refused)
{
    int64_t days = number(d, "SELECT value FROM n_number WHERE name = 'lease_days'");
    int64_t lease = (days == 0 ? 30 : days) * SIM_DAY, wall = env_now(&d->m.env), passed = s->clock - d->contact_world;
    int64_t highest = d->m.seen_max > wall ? d->m.seen_max : wall, since = d->contact_hub;
    if (!is_fair(s, d)) return;
    /* One that broke may have counted, with a hub that had not come to believe its clock yet. */
    int64_t noted = d->contact_unsure ? number(d, "SELECT value FROM n_number WHERE name = 'lease_contact'") : since;
    if (noted < since) since = noted;
    s->counts[COUNT_LOCKED] += refused;
    if (refused && highest - since <= lease - SLACK && passed <= lease - SLACK)
        sim_fail(s, 11, "device %d is locked %lld hours after its last contact, with %lld days allowed", d->no,
                 (long long)(passed / SIM_HOUR), (long long)(lease / SIM_DAY));
    if (!refused && !d->contact_unsure && (wall - d->contact_hub > lease + SLACK || passed > lease + SLACK))
        sim_fail(s, 11, "device %d is open %lld hours after its last contact, with %lld days allowed", d->no,
                 (long long)(passed / SIM_HOUR), (long long)(lease / SIM_DAY));
    if (!refused && d->locked) sim_fail(s, 11, "device %d is open, and was locked since its last contact", d->no);
    d->locked |= refused && wall - d->contact_hub > lease + SLACK;
}

void lease_opened(struct sim *s, struct device *d, bool refused)
{
    bool closed = refused && wipe_is_noted(d); /* whatever the lease says */
    if (d->contact_world != 0 && !closed) judge(s, d, refused);
    /* From here on who comes is asked each time (lease_lets_in); what goes on inside goes on. */
    d->n->what_for = NODE_FOR_HUB;
}

void lease_joined(struct sim *s, struct device *d)
{
    static const unsigned lengths[] = {7, 30, 30, 90, 365};
    struct why why = {0};
    if (d->n == NULL) return;
    struct draw by = draw_stream(s->seed, 14, (uint64_t)d->no), world = draw_stream(s->seed, 14, SIM_DEVICES);
    unsigned days = draw_chance(&world, 500) ? 3650 : lengths[draw_below(&by, sizeof lengths / sizeof lengths[0])];
    d->contact_hub = number(d, "SELECT value FROM n_number WHERE name = 'lease_contact'");
    d->contact_world = s->clock == SIM_START ? d->contact_hub : s->clock; /* a day before its world began */
    device_enter(s, d);
    enum err e = lease_set(d->n, days, &why);
    if (!device_leave(s, d)) sim_must(s, e, "say how long a device may be opened without contact", &why);
}

void lease_contact(struct sim *s, struct device *d, bool sure)
{
    d->contact_unsure = !sure;
    d->locked = false;
    if (!sure || d->n == NULL) return;
    d->contact_hub = number(d, "SELECT value FROM n_number WHERE name = 'hub_ms'");
    d->contact_world = s->clock;
    d->m.seen_max = 0;
}

bool lease_lets_in(struct sim *s, struct device *d)
{
    struct why why = {0};
    if (wipe_is_noted(d)) return false;
    if (s->opt.calm) return true; /* in a pair of worlds clocks differ, and with them who would be let in */
    device_enter(s, d);
    d->n->what_for = NODE_FOR_PEOPLE;
    enum err e = lease_look(d->n, &why);
    d->n->what_for = NODE_FOR_HUB;
    if (device_leave(s, d)) return false;
    if (e == ERR_OK || e == ERR_REFUSED) {
        judge(s, d, e == ERR_REFUSED);
        return e == ERR_OK;
    }
    if (is_fair(s, d)) sim_must(s, e, "look at the lease", &why);
    return false;
}
