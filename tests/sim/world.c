/* A world from its seed to its rest. */
#include "tests/sim/judge.h"
#include "tests/sim/queue.h"
#include "tests/sim/sim.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#define HEAL_PASSES 14 /* news that go from one device by the hub to another, and what that calls forth */

uint64_t sim_random(struct sim *s, uint64_t below)
{
    return draw_below(&s->draw, below);
}

bool sim_chance(struct sim *s, unsigned per_mille)
{
    return draw_chance(&s->draw, per_mille);
}

static bool at_work(const struct sim *s, unsigned i)
{
    return s->devices[i].n != NULL && (int)i != s->shadow;
}

struct device *sim_any_device(struct sim *s)
{
    unsigned n = 0;
    for (unsigned i = 0; i < s->n_devices; i++) n += at_work(s, i);
    if (n == 0) return NULL;
    uint64_t pick = sim_random(s, n);
    for (unsigned i = 0;; i++)
        if (at_work(s, i) && pick-- == 0) return &s->devices[i];
}

/* ---- events ---- */
void sim_queue(struct sim *s, int64_t in_ms, enum sim_kind kind, int device, struct parcel *parcel)
{
    struct event e = {
        .at = s->clock + in_ms, .no = s->event_no, .kind = kind, .device = device, .parcel = parcel, .queued = true};
    e.draw = draw_stream(s->seed, 1000 + e.no, ++s->children[e.no]);
    queue_put(s, &e);
}

static enum sim_kind draw_kind(const struct plan *p, struct draw *d)
{
    unsigned sum = 0;
    for (size_t k = 0; k < SIM_KINDS; k++) sum += p->weight[k];
    uint64_t at = draw_below(d, sum);
    size_t k = 0;
    for (; at >= p->weight[k]; k++) at -= p->weight[k];
    return (enum sim_kind)k;
}

/* Each planned event has a stream of its own, which also says its kind and how long after the one before it comes. One
 * that is left out still takes its time. */
static void plan_events(struct sim *s)
{
    int64_t at = s->clock;
    for (uint32_t i = 0; i < s->plan.n_events; i++) {
        struct event e = {.no = i, .device = -1, .draw = draw_stream(s->seed, 1, i)};
        int64_t gap = s->plan.hurried ? 1800000 : 2 * SIM_DAY;
        at += (int64_t)draw_below(&e.draw, (uint64_t)gap) * (int64_t)draw_below(&e.draw, 1000) / 1000;
        e.kind = draw_kind(&s->plan, &e.draw);
        if (e.kind == SIM_PASS)
            at += (int64_t)draw_below(&e.draw, (uint64_t)(draw_chance(&e.draw, 200) ? 90 * SIM_DAY : 3 * SIM_DAY));
        e.at = at;
        if (s->opt.skip != NULL && s->opt.skip[i]) continue;
        queue_put(s, &e);
        s->n_planned++;
    }
}

static void with_device(struct sim *s, void (*act)(struct sim *s, struct device *d))
{
    struct device *d = sim_any_device(s);
    if (d != NULL) act(s, d);
}

static void handle(struct sim *s, struct event *e)
{
    switch (e->kind) {
    case SIM_EDIT: with_device(s, people_edit); return;
    case SIM_CLASH: people_clash(s); return;
    case SIM_HOSTILE: with_device(s, hostile_act); return;
    case SIM_OFFICE: office_act(s); return;
    case SIM_SHADOW: shadow_act(s); return;
    case SIM_BAG: bag_event(s); return;
    case SIM_SYNC: with_device(s, wire_sync); return;
    case SIM_POST: with_device(s, courier_post); return;
    case SIM_AT_HUB: courier_at_hub(s, e); return;
    case SIM_AT_DEVICE: courier_at_device(s, e); return;
    case SIM_BACKUP:
    case SIM_DISASTER:
    case SIM_LOST:
    case SIM_RELEASE:
    case SIM_OLD_HUB:
        if (!s->healing) disaster_event(s, e);
        return;
    default: mishap(s, e); return;
    }
}

static void run_event(struct sim *s, struct event *e)
{
    if (e->at > s->clock) s->clock = e->at;
    s->event_no = e->no;
    s->draw = e->draw;
    s->counts[COUNT_EVENTS]++;
    handle(s, e);
    budget_event(s);
    parcel_free(e->parcel);
}

/* ---- the beginning ---- */
static void load_device(struct sim *s, const struct template *t, unsigned from)
{
    struct device *d = &s->devices[s->n_devices];
    device_init(s, d, (int)s->n_devices++, t->site_of[from]);
    disk_put_back(d->m.disk, t->device[from]);
    d->state = DEVICE_LIVE;
    device_on(s, d);
    lease_joined(s, d);
}

static void load(struct sim *s)
{
    const struct template *t = template_get(s->plan.template_no);
    struct draw d = draw_stream(s->seed, 4, 0);
    bool taken[SIM_DEVICES] = {true}; /* the MASH room is always there */
    memcpy(s->sites, t->sites, sizeof t->sites);
    s->n_sites = t->n_sites;
    disk_put_back(s->hub_machine.disk, t->hub);
    hub_on(s);
    unsigned many = s->plan.n_devices < t->n_devices ? s->plan.n_devices : t->n_devices;
    for (unsigned n = 1; n < many;) {
        unsigned i = (unsigned)draw_below(&d, t->n_devices);
        n += !taken[i];
        taken[i] = true;
    }
    for (unsigned i = 0; i < t->n_devices; i++)
        if (taken[i]) load_device(s, t, i);
}

struct sim *sim_new(uint64_t seed, const struct sim_options *opt)
{
    struct sim *s = calloc(1, sizeof *s);
    if (s == NULL) abort();
    s->seed = seed;
    s->opt = *opt;
    s->clock = SIM_START;
    plan_draw(&s->plan, seed, opt);
    s->children = calloc(s->plan.n_events + 1, sizeof *s->children);
    if (s->children == NULL) abort();
    s->draw = draw_stream(seed, 2, 0);
    s->trace = trace_new(opt->oracle_fd, opt->loud);
    s->ledger = ledger_new();
    s->canary = canary_new();
    s->hub_version = -1;
    /* The words that SQLite salts its logs with must come from the seed too, or the disks would differ. */
    (void)sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, (int)(seed % 1000003 + 1), NULL);
    machine_init(&s->hub_machine, &s->clock, seed, 1000);
    s->shadow = -1;
    load(s);
    if (opt->shadowed) shadow_choose(s);
    disaster_world(s);
    question_world(s);
    office_tell_all(s);
    check_hub(s);
    plan_events(s);
    return s;
}

void sim_free(struct sim *s)
{
    const struct disk_faults dark = {.die_after = 1}; /* nobody will read what closing a store would tidy */
    for (unsigned i = 0; i < s->n_devices; i++) device_release(&s->devices[i]);
    disk_set_faults(s->hub_machine.disk, &dark);
    machine_enter(&s->hub_machine);
    hub_close(s->hub);
    machine_enter(NULL);
    machine_release(&s->hub_machine);
    disk_image_free(s->hub_image);
    disaster_free(s);
    queue_free(s);
    ledger_free(s->ledger);
    canary_free(s->canary);
    ids_clear(&s->asked);
    trace_free(s->trace);
    free(s->children);
    free(s);
}

/* ---- the end ---- */
static void mend(struct sim *s)
{
    unsigned order[SIM_DEVICES];
    bool talks[SIM_DEVICES];
    disk_set_faults(s->hub_machine.disk, NULL);
    hub_on(s);
    budget_heal(s);
    disaster_heal(s);
    /* Links come back one by one, in any order: drawn before anybody talks, or the sizes of messages would have a say
     * in it, and with them the clocks (twin.c). */
    for (unsigned i = 0; i < s->n_devices; i++) {
        unsigned at = (unsigned)sim_random(s, i + 1);
        order[i] = order[at];
        order[at] = i;
        talks[i] = sim_chance(s, 500);
    }
    for (unsigned i = 0; i < s->n_devices; i++) {
        struct device *d = &s->devices[i];
        if (d->state == DEVICE_NONE) continue;
        disk_set_faults(d->m.disk, NULL);
        d->ailing = false;
        device_on(s, d);
    }
    for (unsigned i = 0; i < s->n_devices; i++) {
        struct device *d = &s->devices[order[i]];
        d->link_up = true;
        if (d->n != NULL && talks[order[i]]) (void)wire_sync_clean(s, d);
    }
}

/* Until everybody has talked with nothing to say since anybody had anything to say. */
static void talk_it_over(struct sim *s)
{
    unsigned still = 0, rounds = 0;
    for (unsigned i = 0; still < s->n_devices; i = (i + 1) % s->n_devices, rounds++) {
        struct device *d = &s->devices[i];
        if (rounds == HEAL_PASSES * s->n_devices) sim_fail(s, 1, "the world does not come to rest");
        still = d->n != NULL && wire_sync_clean(s, d) ? 1 : still + 1;
    }
}

/* With nobody to ask it, the hub does not look at its clock. */
static bool anybody_asks(const struct sim *s)
{
    for (unsigned i = 0; i < s->n_devices; i++)
        if (s->devices[i].state == DEVICE_LIVE && s->devices[i].n != NULL) return true;
    return false;
}

/* A hub that looked at its clock after months, for the first time since it was switched on, waits an hour before it
 * believes it: then all of it has to be talked over once more. */
static void come_to_rest(struct sim *s)
{
    talk_it_over(s);
    for (int i = 0; s->hub != NULL && anybody_asks(s) && told_time(s) < s->clock; i++) {
        if (i == 3) disaster_at_rest(s);
        if (i == 3) sim_fail(s, 1, "the hub does not believe its clock, hours later");
        s->clock += SIM_HOUR + 60000;
        talk_it_over(s);
    }
}

void sim_run(struct sim *s)
{
    struct event e;
    while (s->n_planned > 0 && queue_take(s, &e)) {
        s->n_planned -= !e.queued;
        run_event(s, &e);
    }
    s->counts[COUNT_DAYS] += (uint64_t)((s->clock - SIM_START) / SIM_DAY);
    s->healing = true;
    s->event_no = s->plan.n_events;
    s->draw = draw_stream(s->seed, 6, 0);
    sim_note(s, "nothing breaks any more");
    mend(s);
    come_to_rest(s);
    while (s->n_queue > 0) { /* what couriers still had, and who was refused meanwhile */
        while (queue_take(s, &e)) {
            e.no = s->plan.n_events;
            run_event(s, &e);
        }
        come_to_rest(s);
    }
    check_at_rest(s);
}
