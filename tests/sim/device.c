/* Computers switched on and off, and power that fails in the midst of work. */
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

void device_stuck(struct sim *s, struct device *d, const char *because)
{
    sim_note(s, "device %d is out of use for good: %s", d->no, because);
    s->counts[COUNT_STUCK]++;
    device_off(s, d, true);
    d->state = DEVICE_STUCK;
}

static enum err read_self(struct device *d, struct why *why)
{
    struct node_info *info = calloc(1, sizeof *info);
    if (info == NULL) abort();
    enum err e = node_get_info(d->n, info, why);
    memcpy(d->kid, info->self.kid, e == ERR_OK ? sizeof d->kid : 0);
    memcpy(d->user, info->user, e == ERR_OK ? sizeof d->user : 0);
    free(info);
    return e;
}

void device_on(struct sim *s, struct device *d)
{
    struct why why = {0};
    if (d->n != NULL || d->state == DEVICE_NONE || d->state == DEVICE_STUCK || d->state == DEVICE_WIPED) return;
    device_enter(s, d);
    const struct node_key key = {.passphrase = machine_passphrase()};
    enum err e = node_open(&d->n, &d->m.env, d->home, key.passphrase, &why);
    bool locked = e == ERR_REFUSED;
    if (locked) e = node_open_as(&d->n, &d->m.env, d->home, &key, NODE_FOR_HUB, &why);
    if (e == ERR_OK) lease_opened(s, d, locked);
    if (e == ERR_OK) e = read_self(d, &why);
    bool died = device_leave(s, d);
    if (!died && e == ERR_OK) disaster_learns(s, d);
    if (died || e == ERR_OK || wipe_was_found(s, d, e)) return;
    if (!d->suspect) sim_fail(s, 0, "device %d does not open: %s: %s", d->no, err_word(e), why.text);
    s->counts[COUNT_ROTS_NOTICED]++;
    device_stuck(s, d, why.text);
}

void device_off(struct sim *s, struct device *d, bool orderly)
{
    struct machine *before = machine_enter(&d->m);
    if (d->n != NULL) node_close(d->n);
    d->n = NULL;
    machine_enter(before);
    if (orderly && !disk_is_dead(d->m.disk)) {
        disk_settle(d->m.disk);
        return;
    }
    d->locked = false; /* what it noted of its clock may be lost */
    struct draw by = draw_stream(s->seed, 11, disk_steps(d->m.disk) * SIM_DEVICES + (uint64_t)d->no);
    s->counts[COUNT_TORN] += disk_power_off(d->m.disk, &by);
    d->mixed |= d->lying;
    d->lying = false;
}

void device_enter(struct sim *s, struct device *d)
{
    s->outside_device = machine_enter(&d->m);
}

bool device_leave(struct sim *s, struct device *d)
{
    machine_enter(s->outside_device);
    if (!disk_is_dead(d->m.disk)) return false;
    sim_note(s, "the power fails at device %d", d->no);
    s->counts[COUNT_CRASHES]++;
    device_off(s, d, false);
    sim_queue(s, 60000 + (int64_t)sim_random(s, 2 * SIM_DAY), SIM_RESTART, d->no, NULL);
    return true;
}

void hub_on(struct sim *s)
{
    struct why why = {0};
    if (s->hub != NULL) return;
    hub_enter(s);
    enum err e = hub_open(&s->hub, &s->hub_machine.env, "/hub", machine_passphrase(), &why);
    if (hub_leave(s)) return;
    sim_must(s, e, "open the hub", &why);
}

void hub_off(struct sim *s, bool orderly)
{
    struct machine *before = machine_enter(&s->hub_machine);
    hub_close(s->hub);
    s->hub = NULL;
    machine_enter(before);
    if (orderly && !disk_is_dead(s->hub_machine.disk)) {
        disk_settle(s->hub_machine.disk);
        return;
    }
    struct draw by = draw_stream(s->seed, 12, disk_steps(s->hub_machine.disk));
    s->counts[COUNT_TORN] += disk_power_off(s->hub_machine.disk, &by);
}

void hub_enter(struct sim *s)
{
    s->outside_hub = machine_enter(&s->hub_machine);
}

bool hub_leave(struct sim *s)
{
    machine_enter(s->outside_hub);
    if (!disk_is_dead(s->hub_machine.disk)) return false;
    sim_note(s, "the power fails at the hub");
    s->counts[COUNT_CRASHES]++;
    hub_off(s, false);
    sim_queue(s, 60000 + (int64_t)sim_random(s, SIM_HOUR), SIM_RESTART, -1, NULL);
    return true;
}

struct device *device_enrol(struct sim *s, int site)
{
    struct why why = {0};
    if (s->n_devices == SIM_DEVICES || s->hub == NULL) return NULL;
    struct device *d = &s->devices[s->n_devices];
    device_init(s, d, (int)s->n_devices, site);
    const struct joining j = {.hub = s->hub,
                              .at_hub = &s->hub_machine,
                              .m = &d->m,
                              .site = &s->sites[site],
                              .mishaps = !s->healing && sim_chance(s, 600) ? &s->draw : NULL};
    enum err e = template_enrol(&j, &why);
    if (disk_is_dead(s->hub_machine.disk)) { /* half enrolled: the home is given up, as a person would */
        device_release(d);
        hub_enter(s);
        (void)hub_leave(s);
        return NULL;
    }
    sim_must(s, e, "enrol a device", &why);
    s->n_devices++;
    d->state = DEVICE_LIVE;
    device_on(s, d);
    lease_joined(s, d);
    sim_note(s, "device %d is enrolled at %s", d->no, s->sites[site].code);
    return d;
}

/* Is there nothing left to be set up? Often it hears at the door that it is to be wiped before anybody comes to it. */
static bool heard_of_its_wipe(struct sim *s, struct device *was, struct device *d)
{
    struct draw by = draw_stream(s->seed, 15, (uint64_t)d->no);
    if (!wipe_is_ordered(s, was) || !draw_chance(&by, 500)) return false;
    memcpy(d->kid, was->kid, sizeof d->kid);
    d->state = DEVICE_REVOKED;
    wipe_knock(s, d);
    if (d->state == DEVICE_WIPED) {
        s->n_devices++;
        return true;
    }
    if (s->hub != NULL) return false;
    device_release(d); /* another day */
    was->refused = true;
    if (!s->healing) sim_queue(s, SIM_DAY, SIM_REJOIN, was->no, NULL);
    return true;
}

/* The hub's order to who was there before it is an order to it. */
static void takes_over_wipe(struct sim *s, const struct device *was, struct device *d)
{
    bool ordered = wipe_is_ordered(s, was);
    if (wipe_is_ordered(s, d) != ordered)
        sim_fail(s, 12, "device %d takes the place of device %d, which is %sto be wiped, and is %s", d->no, was->no,
                 ordered ? "" : "not ", ordered ? "not" : "to be");
    if (ordered) d->state = DEVICE_REVOKED;
}

/* From a copy of its disk, which the old slot keeps: what is still under way for that one finds it out of use. */
void device_rejoin(struct sim *s, struct device *was)
{
    struct why why = {0};
    if (!was->refused || s->hub == NULL || s->n_devices == SIM_DEVICES || s->hub_lost_time) return;
    was->refused = false;
    struct device *d = &s->devices[s->n_devices];
    device_init(s, d, (int)s->n_devices, was->site);
    struct disk_image *image = disk_image_take(was->m.disk);
    disk_put_back(d->m.disk, image);
    disk_image_free(image);
    if (heard_of_its_wipe(s, was, d)) return;
    const struct joining j = {.hub = s->hub,
                              .at_hub = &s->hub_machine,
                              .m = &d->m,
                              .site = &s->sites[d->site],
                              .again = true,
                              .mishaps = !s->healing && sim_chance(s, 600) ? &s->draw : NULL};
    sim_must(s, template_enrol(&j, &why), "enrol a device anew", &why);
    s->n_devices++;
    s->counts[COUNT_REJOINED]++;
    d->state = DEVICE_LIVE;
    device_on(s, d);
    takes_over_wipe(s, was, d);
    lease_joined(s, d);
    sim_note(s, "device %d is enrolled anew as device %d", was->no, d->no);
    ledger_rescued(s, was, d);
}

void device_init(struct sim *s, struct device *d, int no, int site)
{
    *d = (struct device){.no = no, .site = site, .link_up = true, .clone_of = -1, .home = "/home"};
    machine_init(&d->m, &s->clock, s->seed, (uint64_t)no);
    struct draw clock = draw_stream(s->seed, 13, (uint64_t)no);
    if (!s->opt.clocks_right && draw_chance(&clock, s->plan.clocks_wrong))
        d->m.skew_ms = (int64_t)draw_below(&clock, 2 * (uint64_t)s->plan.skew_max_ms) - s->plan.skew_max_ms;
    buf_init(&d->old_request, SIM_BUNDLE);
    buf_init(&d->old_answer, SIM_BUNDLE);
}

void device_release(struct device *d)
{
    if (d->n != NULL) {
        const struct disk_faults dark = {.die_after = 1}; /* nobody will read what closing it would tidy */
        struct machine *before = machine_enter(&d->m);
        disk_set_faults(d->m.disk, &dark);
        node_close(d->n);
        machine_enter(before);
    }
    machine_release(&d->m);
    disk_image_free(d->image);
    buf_release(&d->old_request);
    buf_release(&d->old_answer);
    ids_clear(&d->strange);
    *d = (struct device){.clone_of = -1};
}
