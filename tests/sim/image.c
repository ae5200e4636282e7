/* Images of disks: taken, put back, put into a second computer. */
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

struct state { /* of a device: what decides whether the hub can tell that it is not what it was */
    int64_t answered, pending, last_seq;
};

static int64_t number(struct device *d, const char *sql)
{
    int64_t out = 0; /* there is no row before the first */
    (void)wire_ask(node_db(d->n), sql, NULL, &out);
    return out;
}

static struct state state_of(struct device *d)
{
    return (struct state){.answered = number(d, "SELECT value FROM n_number WHERE name = 'answered'"),
                          .pending = number(d, "SELECT value FROM n_number WHERE name = 'pending'"),
                          .last_seq = number(d, "SELECT value FROM n_number WHERE name = 'last_seq'")};
}

/* One that is on, and whose disk is not a riddle already. */
static struct device *pick(struct sim *s)
{
    struct device *d = sim_any_device(s);
    return d == NULL || d->lying || d->mixed || d->damaged ? NULL : d;
}

void image_take(struct sim *s)
{
    struct device *d = pick(s);
    if (d == NULL) return;
    struct state st = state_of(d);
    d->image_answered = (uint64_t)st.answered;
    d->image_pending = (uint64_t)st.pending;
    d->image_seq = (uint64_t)st.last_seq;
    device_off(s, d, true);
    disk_image_free(d->image);
    d->image = disk_image_take(d->m.disk);
    device_on(s, d);
    sim_note(s, "an image of device %d is taken", d->no);
}

static struct device *with_image(struct sim *s)
{
    unsigned n = 0;
    for (unsigned i = 0; i < s->n_devices; i++) n += s->devices[i].image != NULL;
    if (n == 0) return NULL;
    uint64_t at = sim_random(s, n);
    for (unsigned i = 0; i < s->n_devices; i++) {
        struct device *d = &s->devices[i];
        if (d->image == NULL || at-- != 0) continue;
        return d->n == NULL || d->lying || d->mixed ? NULL : d;
    }
    return NULL;
}

void image_put_back(struct sim *s)
{
    struct device *d = with_image(s);
    if (d == NULL) return;
    struct state st = state_of(d);
    bool same = (uint64_t)st.answered == d->image_answered && (uint64_t)st.pending == d->image_pending &&
                (uint64_t)st.last_seq == d->image_seq;
    device_off(s, d, true);
    disk_put_back(d->m.disk, d->image);
    d->damaged = false;
    if (!same) {
        d->suspect = d->unproven = true;
        ledger_put_back(s, d);
    }
    sim_note(s, "device %d is put back from its image, as it was%s", d->no, same ? " just now" : "");
    device_on(s, d);
}

void image_clone(struct sim *s)
{
    struct device *d = pick(s);
    if (d == NULL || s->n_devices == SIM_DEVICES) return;
    struct device *c = &s->devices[s->n_devices];
    uint64_t seq = (uint64_t)state_of(d).last_seq;
    device_off(s, d, true);
    struct disk_image *image = disk_image_take(d->m.disk);
    device_on(s, d);
    device_init(s, c, (int)s->n_devices++, d->site);
    disk_put_back(c->m.disk, image);
    disk_image_free(image);
    c->state = d->state;
    c->hostile = d->hostile;
    c->clone_of = d->no;
    c->image_seq = seq;
    c->requests = d->requests;
    memcpy(c->asked, d->asked, sizeof c->asked);
    memcpy(c->typed, d->typed, sizeof c->typed);
    c->n_typed = d->n_typed;
    memcpy(c->told, d->told, sizeof c->told);
    d->suspect = c->suspect = c->unproven = true;
    device_on(s, c);
    sim_note(s, "device %d is a clone of device %d", c->no, d->no);
}

/* ---- the hub ---- */
static bool hub_knows(struct sim *s, const struct device *d, bool *out_revoked)
{
    int64_t revoked = 0;
    bool known =
        wire_ask(hub_db(s->hub), "SELECT state IN ('revoked', 'wiped') FROM h_node WHERE kid = $1", d->kid, &revoked);
    *out_revoked = revoked != 0;
    return known;
}

/* Devices that were enrolled meanwhile are strangers again; who was cut off meanwhile is let in again. */
static void forget_since(struct sim *s)
{
    for (unsigned i = 0; i < s->n_devices; i++) {
        struct device *d = &s->devices[i];
        bool revoked = false;
        if (d->state != DEVICE_LIVE && d->state != DEVICE_REVOKED) continue;
        if (!hub_knows(s, d, &revoked))
            device_stuck(s, d, "the hub that was put back does not know it");
        else
            d->state = revoked ? DEVICE_REVOKED : DEVICE_LIVE;
    }
}

static void put_hub_back(struct sim *s)
{
    sim_note(s, "the hub is put back from its image");
    hub_off(s, true);
    disk_put_back(s->hub_machine.disk, s->hub_image);
    disk_image_free(s->hub_image);
    s->hub_image = NULL;
    s->hub_lost_time = true;
    s->hub_version = -1; /* the oracle is told everything anew */
    s->hub_died_for = 0;
    hub_on(s);
    if (s->hub == NULL) return;
    forget_since(s);
    check_hub(s);
}

/* Once a world: the image is taken now and put back later. */
void image_hub_back(struct sim *s, const struct event *e)
{
    if (s->hub == NULL || s->hub_lost_time) return;
    if (s->hub_image != NULL) {
        if (e->queued) put_hub_back(s);
        return;
    }
    if (e->queued) return;
    hub_off(s, true);
    s->hub_image = disk_image_take(s->hub_machine.disk);
    hub_on(s);
    sim_note(s, "an image of the hub is taken");
    int64_t most = s->plan.hurried ? 12 * (int64_t)SIM_HOUR : 40 * SIM_DAY;
    sim_queue(s, SIM_HOUR + (int64_t)sim_random(s, (uint64_t)most), SIM_HUB_BACK, -1, NULL);
}
