/* What breaks: power, disks, clocks, and people who put old disks back. */
#include "tests/sim/judge.h"

#include <stdlib.h>
#include <string.h>

/* Faults are armed for one piece of work, which is done in the same event: so an event that is left out leaves none
 * behind. */
static void arm(struct device *d, const struct disk_faults *f)
{
    struct disk_faults all = *f;
    all.lie = d->lying;
    d->ailing = true;
    disk_set_faults(d->m.disk, &all);
}

void mishap_over(struct device *d)
{
    const struct disk_faults still = {.lie = d->lying};
    if (!d->ailing) return;
    d->ailing = false;
    disk_set_faults(d->m.disk, &still);
}

void mishap_in(struct sim *s, struct device *d, unsigned steps)
{
    const struct disk_faults f = {.die_after = 1 + sim_random(s, steps)};
    arm(d, &f);
}

/* Small numbers are the interesting ones, and some works take many steps: a clean-up writes the whole store anew. */
static uint64_t draw_steps(struct sim *s)
{
    return 1 + sim_random(s, sim_chance(s, 500) ? 12 : sim_chance(s, 700) ? 80 : 400);
}

/* Another piece of work while something is wrong. Reading what people read must succeed. */
static void work(struct sim *s, struct device *d, bool edits)
{
    uint64_t what = sim_random(s, 100);
    if (d->n == NULL) return;
    if (edits && what < 40)
        people_edit(s, d);
    else if (what < 85)
        wire_sync(s, d);
    else
        courier_post(s, d);
}

/* ---- power ---- */
/* On again, whatever it was that made it dark. Power may fail once more while it recovers. */
static void switch_on(struct sim *s, struct device *d)
{
    bool again = !s->healing && !d->mixed && sim_chance(s, wipe_is_noted(d) ? 500 : 150);
    const struct disk_faults f = {.die_after = 1 + sim_random(s, 20)};
    if (again) arm(d, &f);
    device_on(s, d);
    mishap_over(d);
    if (d->n == NULL || !d->mixed) return;
    int64_t seq = 0;
    if (wire_ask(node_db(d->n), "SELECT value FROM n_number WHERE name = 'last_seq'", NULL, &seq))
        d->image_seq = (uint64_t)seq;
    ledger_put_back(s, d);
    wire_last_word(s, d);
}

static void hub_switch_on(struct sim *s)
{
    const struct disk_faults f = {.die_after = 1 + sim_random(s, 20)};
    if (!s->healing && sim_chance(s, 150)) disk_set_faults(s->hub_machine.disk, &f);
    hub_on(s);
    if (s->hub == NULL) return;
    disk_set_faults(s->hub_machine.disk, NULL);
    wire_hub_is_back(s);
    check_hub(s);
}

/* Not a step more: closing a store must not tidy it. */
static void device_dies(struct sim *s, struct device *d)
{
    const struct disk_faults f = {.die_after = 1};
    arm(d, &f);
    device_off(s, d, false);
    mishap_over(d);
    s->counts[COUNT_CRASHES]++;
    sim_note(s, "the power fails at device %d, which was doing nothing", d->no);
    sim_queue(s, 60000 + (int64_t)sim_random(s, 2 * SIM_DAY), SIM_RESTART, d->no, NULL);
}

static void hub_dies(struct sim *s)
{
    const struct disk_faults f = {.die_after = 1};
    disk_set_faults(s->hub_machine.disk, &f);
    hub_off(s, false);
    disk_set_faults(s->hub_machine.disk, NULL);
    s->counts[COUNT_CRASHES]++;
    sim_note(s, "the power fails at the hub, which was doing nothing");
    sim_queue(s, 60000 + (int64_t)sim_random(s, SIM_HOUR), SIM_RESTART, -1, NULL);
}

/* Somebody works with the hub while its disk is bad. */
static void hub_works(struct sim *s, const struct disk_faults *f)
{
    struct device *d = sim_any_device(s);
    if (s->hub == NULL) return;
    disk_set_faults(s->hub_machine.disk, f);
    s->hub_ailing = true;
    if (d == NULL || sim_chance(s, 200))
        office_act(s);
    else
        wire_sync(s, d);
    s->hub_ailing = false;
    if (s->hub != NULL) disk_set_faults(s->hub_machine.disk, NULL);
}

static void power(struct sim *s)
{
    bool at_once = sim_chance(s, 300), hub = sim_chance(s, 300);
    const struct disk_faults f = {.die_after = draw_steps(s)};
    struct device *d = sim_any_device(s);
    if (hub && s->hub != NULL) {
        if (at_once)
            hub_dies(s);
        else
            hub_works(s, &f);
    } else if (d != NULL && at_once) {
        device_dies(s, d);
    } else if (d != NULL) {
        arm(d, &f);
        work(s, d, true);
        mishap_over(d);
    }
}

/* A new data key for everything at a device; often the power fails in the midst of it. */
static void rekey(struct sim *s, struct device *d)
{
    struct why why = {0};
    const struct disk_faults f = {.die_after = draw_steps(s)};
    bool power = sim_chance(s, 600);
    if (power) arm(d, &f);
    device_enter(s, d);
    enum err e = node_rekey(d->n, NULL, &why);
    d->n = NULL;
    bool died = device_leave(s, d);
    mishap_over(d);
    sim_note(s, "device %d gets new keys: %s", d->no, died ? "died" : err_word(e));
    s->counts[COUNT_REKEYED] += !died && e == ERR_OK;
    if (died) return;
    bool ill = d->suspect || d->damaged || d->rotten;
    if (e != ERR_OK && !(ill && e == ERR_TAMPERED)) sim_fail(s, 0, "device %d gets no new keys: %s", d->no, why.text);
    device_on(s, d);
}

/* Before anybody opens it; often the power fails meanwhile. */
static void knock(struct sim *s, struct device *d)
{
    if (sim_chance(s, 200)) mishap_in(s, d, 60);
    wipe_knock(s, d);
    mishap_over(d);
}

static void restart(struct sim *s, const struct event *e)
{
    if (e->queued && e->device < 0) {
        hub_switch_on(s);
        return;
    }
    struct device *d = e->queued ? &s->devices[e->device] : sim_any_device(s);
    if (!e->queued && s->hub != NULL && (d == NULL || sim_chance(s, 300))) {
        sim_note(s, "the hub is switched off and on");
        hub_off(s, true);
        hub_switch_on(s);
        return;
    }
    if (d == NULL || d->state == DEVICE_NONE || d->state == DEVICE_STUCK || (e->queued && d->n != NULL)) return;
    if (d->state == DEVICE_WIPED) return;
    sim_note(s, "device %d is switched %son", d->no, e->queued ? "" : "off and ");
    if (!e->queued) device_off(s, d, true);
    if (!s->healing && s->hub != NULL && !d->mixed && sim_chance(s, 400)) knock(s, d);
    switch_on(s, d);
    if (!e->queued && d->n != NULL && !d->mixed && !d->lying && sim_chance(s, 900)) rekey(s, d);
}

/* ---- disks ---- */
/* A device that the hub is about to tell that it must forget rows. */
static struct device *about_to_forget(struct sim *s)
{
    uint64_t at = sim_random(s, s->n_devices);
    for (unsigned i = 0; i < s->n_devices && s->hub != NULL; i++) {
        struct device *d = &s->devices[(at + i) % s->n_devices];
        int64_t told = 0;
        if (d->n == NULL || d->mixed || d->state != DEVICE_LIVE) continue;
        if (wire_ask(hub_db(s->hub),
                     "SELECT 1 FROM h_drop d JOIN h_node n ON n.no = d.node_no "
                     "WHERE n.kid = $1 AND d.request IS NULL",
                     d->kid, &told))
            return d;
    }
    return NULL;
}

/* The rows are gone, there is no room for the clean-up: the receipt is signed while a later request is under way. */
static bool full_at_clean_up(struct sim *s)
{
    struct device *d = about_to_forget(s);
    const struct disk_faults f = {.full_after = 10 + sim_random(s, 300)};
    if (d == NULL) return false;
    sim_note(s, "the disk of device %d is full when it cleans up", d->no);
    arm(d, &f);
    wire_sync(s, d);
    mishap_over(d);
    courier_post(s, d);
    if (d->n != NULL) wire_sync(s, d);
    return true;
}

static void full(struct sim *s)
{
    if (sim_chance(s, 500) && full_at_clean_up(s)) return;
    struct device *d = sim_any_device(s);
    struct disk_faults f = {.full_after = 1 + sim_random(s, 30)};
    if (sim_chance(s, 200)) {
        sim_note(s, "the hub's disk is full");
        hub_works(s, &f);
        return;
    }
    if (d == NULL) return;
    sim_note(s, "the disk of device %d is full", d->no);
    for (uint64_t n = 1 + sim_random(s, 3); n > 0 && d->n != NULL; n--) {
        arm(d, &f);
        work(s, d, true);
        f.full_after = 1 + sim_random(s, 5);
    }
    mishap_over(d);
}

static void read_error(struct sim *s)
{
    struct device *d = sim_any_device(s);
    const struct disk_faults f = {.read_error = 1 + sim_random(s, 20)};
    if (d == NULL) return;
    sim_note(s, "a read fails at device %d", d->no);
    arm(d, &f);
    work(s, d, false);
    mishap_over(d);
}

/* What its rows and its state are, in one hash. false: the store cannot be read. */
static bool content(struct sim *s, struct device *d, uint8_t out[HASH_BYTES])
{
    device_enter(s, d);
    enum err e = db_content_hash(node_db(d->n), out, NULL);
    (void)device_leave(s, d);
    return e == ERR_OK;
}

/* Noticed, or harmless; never believed. */
static void rot_is_noticed(struct sim *s, struct device *d, const uint8_t before[HASH_BYTES])
{
    struct verify_result r = {0};
    struct why why = {0};
    uint8_t now[HASH_BYTES];
    device_enter(s, d);
    enum err e = node_verify(d->n, &r, &why);
    (void)device_leave(s, d);
    if (e == ERR_OK) {
        if (!content(s, d, now) || memcmp(before, now, sizeof now) != 0)
            sim_fail(s, 1, "device %d: its disk rots, it finds nothing, and its rows are others", d->no);
        return;
    }
    if (e != ERR_TAMPERED && e != ERR_FORMAT && e != ERR_IO)
        sim_fail(s, 0, "device %d: rot: %s: %s", d->no, err_word(e), why.text);
    s->counts[COUNT_ROTS_NOTICED]++;
    device_stuck(s, d, why.text);
}

static void rot(struct sim *s)
{
    struct device *d = sim_any_device(s);
    const char *name = NULL;
    uint64_t at = 0;
    uint8_t before[HASH_BYTES];
    if (d == NULL || d->lying || d->mixed || !content(s, d, before)) return;
    device_off(s, d, true);
    if (disk_rot(d->m.disk, &s->draw, sim_chance(s, 800) ? canary_store(s, d) : NULL, &name, &at)) {
        s->counts[COUNT_ROTS]++;
        d->suspect = d->rotten = true;
        sim_note(s, "bits flip at device %d: %s, byte %llu", d->no, name, (unsigned long long)at);
    }
    device_on(s, d);
    if (d->n != NULL) rot_is_noticed(s, d, before);
}

/* First it lies, for a while; then the power fails. */
static void lie(struct sim *s, const struct event *e)
{
    struct device *d = e->queued ? &s->devices[e->device] : sim_any_device(s);
    const struct disk_faults f = {.lie = true};
    if (d == NULL || d->mixed) return;
    if (e->queued) {
        if (d->lying && d->n != NULL) device_dies(s, d);
        return;
    }
    if (d->lying) return;
    sim_note(s, "the disk of device %d begins to lie", d->no);
    d->suspect = d->lying = true;
    disk_set_faults(d->m.disk, &f);
    sim_queue(s, (int64_t)sim_random(s, (uint64_t)(s->plan.hurried ? 4 * SIM_HOUR : 10 * SIM_DAY)), SIM_LIE, d->no,
              NULL);
}

/* ---- clocks ---- */
static void skew(struct sim *s)
{
    struct device *d = sim_any_device(s);
    uint64_t most = (uint64_t)s->plan.skew_max_ms;
    if (sim_chance(s, 500)) most = 2 * SIM_HOUR;
    int64_t by = (int64_t)sim_random(s, 2 * most + 1) - (int64_t)most;
    if (d == NULL || s->opt.clocks_right) return;
    d->m.skew_ms = sim_chance(s, 200) ? 0 : by;
    sim_note(s, "the clock of device %d is off by %lld s", d->no, (long long)(d->m.skew_ms / 1000));
}

/* The hub's clock is set wrong, and put right when somebody notices, within the hour. Meanwhile devices ask. What ends
 * by the wrong time must not end: told.c looks at that. */
static void hub_skew(struct sim *s)
{
    int64_t by =
        SIM_HOUR + 60000 + (int64_t)sim_random(s, (uint64_t)(sim_chance(s, 500) ? 60 * SIM_DAY : 3653 * SIM_DAY));
    if (sim_chance(s, 200)) by = -by;
    if (s->hub == NULL || s->hub_ailing) return;
    for (int i = 0; i < 3 && s->hub != NULL; i++) {
        struct device *d = sim_any_device(s);
        if (d != NULL) wire_sync(s, d);
        /* A hub that has not looked at its clock since it was switched on knows no better than that it was off so
         * long. */
        if (i == 0 && (s->hub == NULL || told_time(s) != s->clock)) break;
        if (i == 0) sim_note(s, "the clock of the hub is off by %lld s", (long long)(by / 1000));
        s->hub_machine.skew_ms = by;
        s->clock += (int64_t)sim_random(s, SIM_HOUR / 4);
    }
    s->hub_machine.skew_ms = 0;
}

static void link_is(struct sim *s, bool up)
{
    unsigned n = 0;
    for (unsigned i = 0; i < s->n_devices; i++) n += s->devices[i].n != NULL && s->devices[i].link_up != up;
    if (n == 0) return;
    uint64_t pick = sim_random(s, n);
    for (unsigned i = 0; i < s->n_devices; i++) {
        struct device *d = &s->devices[i];
        if (d->n == NULL || d->link_up == up || pick-- != 0) continue;
        d->link_up = up;
        sim_note(s, "the link of device %d is %s", d->no, up ? "mended" : "cut");
        return;
    }
}

/* Somebody comes by with an invitation; when the hub is off just then, another day. */
static void rejoin(struct sim *s, const struct event *e)
{
    struct device *d = &s->devices[e->device];
    if (!e->queued || !d->refused) return;
    if (s->hub != NULL) office_wipe_put_back(s, d);
    if (s->hub != NULL)
        device_rejoin(s, d);
    else
        sim_queue(s, SIM_DAY, SIM_REJOIN, d->no, NULL);
}

/* ---- */
void mishap(struct sim *s, struct event *e)
{
    if (s->healing) { /* what was queued before still comes, but nothing breaks any more */
        if (e->kind == SIM_RESTART) restart(s, e);
        if (e->kind == SIM_REJOIN) device_rejoin(s, &s->devices[e->device]);
        if (e->kind == SIM_POLICY) policy_event(s, e);
        if (e->kind == SIM_KNOCK) wipe_knock(s, &s->devices[e->device]);
        return;
    }
    switch (e->kind) {
    case SIM_CUT: link_is(s, false); return;
    case SIM_MEND: link_is(s, true); return;
    case SIM_POWER: power(s); return;
    case SIM_RESTART: restart(s, e); return;
    case SIM_FULL: full(s); return;
    case SIM_READ_ERROR: read_error(s); return;
    case SIM_ROT: rot(s); return;
    case SIM_ROT_OUTBOX: outbox_rot(s); return;
    case SIM_LIE: lie(s, e); return;
    case SIM_IMAGE: image_take(s); return;
    case SIM_PUT_BACK: image_put_back(s); return;
    case SIM_CLONE: image_clone(s); return;
    case SIM_REJOIN: rejoin(s, e); return;
    case SIM_HUB_BACK: image_hub_back(s, e); return;
    case SIM_SKEW: skew(s); return;
    case SIM_HUB_CLOCK: hub_skew(s); return;
    case SIM_POLICY: policy_event(s, e); return;
    case SIM_KNOCK: wipe_knock(s, &s->devices[e->device]); return;
    default: return; /* SIM_PASS: that time passed is all */
    }
}
