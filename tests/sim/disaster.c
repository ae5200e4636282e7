/* The hub is destroyed, and put back from a backup (hub/DISASTER.md): while devices work offline, in the midst of
 * gathering, twice; some devices are lost with it, and the old hub comes back to life beside the new one. What is
 * judged here is what only a disaster can break: the other judges go on beside it. */
#include "tests/sim/disaster.h"

#include "hub/backup.h"
#include "hub/restore.h"

#include <stdlib.h>
#include <string.h>

#define BACKUP_FILE   "/safe/backup"
#define RECOVERY_FILE "/safe/recovery.key"

static struct calamity *calamity(struct sim *s)
{
    if (s->calamity != NULL) return s->calamity;
    s->calamity = calloc(1, sizeof *s->calamity);
    if (s->calamity == NULL) abort();
    s->calamity->strict = true;
    buf_init(&s->calamity->backup, SIM_BUNDLE);
    buf_init(&s->calamity->recovery, 1u << 16);
    return s->calamity;
}

void disaster_free(struct sim *s)
{
    struct calamity *c = s->calamity;
    if (c == NULL) return;
    if (c->has_old) machine_release(&c->old);
    buf_release(&c->backup);
    buf_release(&c->recovery);
    free(c->known);
    free(c->dropped);
    free(c);
    s->calamity = NULL;
}

bool disaster_was(const struct sim *s)
{
    return s->calamity != NULL && s->calamity->times > 0;
}

bool disaster_serves(const struct sim *s)
{
    return s->calamity == NULL || s->calamity->phase != PHASE_GATHERS;
}

bool disaster_replays(const struct sim *s)
{
    return s->calamity != NULL && (s->calamity->phase == PHASE_GATHERS || s->calamity->phase == PHASE_RELEASED);
}

void disaster_world(struct sim *s)
{
    struct ids here = {0}, away = {0};
    struct why why = {0};
    uint8_t kid[16];
    if (!s->plan.disasters) return;
    for (unsigned i = 0; i < s->n_devices; i++) ids_add(&here, s->devices[i].kid);
    struct stmt *st = ask(s, hub_db(s->hub), "SELECT kid FROM h_node ORDER BY no");
    while (ask_next(s, st))
        if (db_id(st, 0, kid) && !ids_has(&here, kid)) ids_add(&away, kid);
    db_done(st);
    hub_enter(s);
    for (size_t i = 0; i < away.cap; i++)
        if (ids_has(&away, away.v[i])) sim_must(s, hub_revoke(s->hub, away.v[i], "never here", &why), "revoke a device", &why);
    (void)hub_leave(s);
    ids_clear(&here);
    ids_clear(&away);
}

/* ---------------------------------------------------------------------------------------------------------- backups */

static void keep_file(const struct sim *s, const char *name, struct buf *out)
{
    struct bytes v = disk_file(s->hub_machine.disk, name);
    buf_reset(out);
    buf_put_bytes(out, v);
    if (out->err != ERR_OK) abort();
}

/* The power may fail meanwhile; what is whole then counts. */
static void back_up(struct sim *s)
{
    struct calamity *c = calamity(s);
    struct hub_backup b;
    struct why why = {0};
    const struct disk_faults f = {.die_after = 1 + sim_random(s, 60)};
    if (!calamity_hub_is_there(s)) return;
    if (sim_chance(s, 150)) disk_set_faults(s->hub_machine.disk, &f);
    hub_enter(s);
    enum err e = hub_backup(s->hub, "/backup", &b, &why);
    bool died = hub_leave(s);
    sim_note(s, "a backup: %s, %llu envelopes", died ? "died" : err_word(e), (unsigned long long)b.covered);
    if (!died) {
        disk_set_faults(s->hub_machine.disk, NULL);
        sim_must(s, e, "back the hub up", &why);
    }
    if (disk_file(s->hub_machine.disk, "/backup").n == 0) return;
    keep_file(s, "/backup", &c->backup);
    keep_file(s, "/hub/recovery.key", &c->recovery);
    if (!died) sim_must(s, disk_remove_file(s->hub_machine.disk, "/backup", &why), "take a backup away", &why);
}

/* ----------------------------------------------------------------------------------------------------- the disaster */

static void empty_disk(struct disk *d)
{
    struct disk *none = disk_new();
    struct disk_image *image = disk_image_take(none);
    disk_put_back(d, image);
    disk_image_free(image);
    disk_free(none);
}

static void keep_old(struct sim *s)
{
    struct calamity *c = s->calamity;
    struct disk_image *image = disk_image_take(s->hub_machine.disk);
    if (c->has_old) machine_release(&c->old);
    machine_init(&c->old, &s->clock, s->seed, 2000 + c->times);
    disk_put_back(c->old.disk, image);
    disk_image_free(image);
    c->has_old = true;
}

static enum err try_restore(struct sim *s, bool power_fails, struct why *why)
{
    struct calamity *c = s->calamity;
    struct disk *disk = s->hub_machine.disk;
    const struct disk_faults f = {.die_after = 1 + sim_random(s, 300)};
    const struct hub_restore r = {.home = "/hub",
                                  .backup = BACKUP_FILE,
                                  .recovery = RECOVERY_FILE,
                                  .recovery_passphrase = machine_passphrase(),
                                  .passphrase = machine_passphrase()};
    empty_disk(disk);
    sim_must(s, disk_write_file(disk, BACKUP_FILE, buf_bytes(&c->backup), why), "bring the backup", why);
    sim_must(s, disk_write_file(disk, RECOVERY_FILE, buf_bytes(&c->recovery), why), "bring the recovery key", why);
    if (power_fails) disk_set_faults(disk, &f);
    struct machine *before = machine_enter(&s->hub_machine);
    enum err e = hub_restore(&s->hub_machine.env, &r, why);
    machine_enter(before);
    if (disk_is_dead(disk)) {
        struct draw by = draw_stream(s->seed, 12, disk_steps(disk));
        (void)disk_power_off(disk, &by);
        return ERR_IO;
    }
    disk_set_faults(disk, NULL);
    return e;
}

/* Answers of before may be given otherwise, and requests that were answered since are new again. */
static void forget_since(struct sim *s)
{
    for (unsigned i = 0; i < s->n_devices; i++) {
        struct device *d = &s->devices[i];
        int64_t last = 0;
        memset(d->asked, 0, sizeof d->asked);
        memset(d->told, 0, sizeof d->told);
        if (d->state != DEVICE_LIVE) continue;
        if (wire_ask(hub_db(s->hub), "SELECT last_request FROM h_node WHERE kid = $1", d->kid, &last))
            d->requests = (uint64_t)last;
        else
            device_stuck(s, d, "it joined after the backup from which the hub was put back");
    }
}

static void put_back(struct sim *s)
{
    struct calamity *c = s->calamity;
    struct why why = {0};
    enum err e = sim_chance(s, 300) ? try_restore(s, true, &why) : ERR_IO;
    if (e != ERR_OK) e = try_restore(s, false, &why);
    sim_must(s, e, "put the hub back", &why);
    sim_must(s, disk_remove_file(s->hub_machine.disk, BACKUP_FILE, &why), "take the backup away", &why);
    sim_must(s, disk_remove_file(s->hub_machine.disk, RECOVERY_FILE, &why), "take the key away", &why);
    c->times++;
    c->phase = PHASE_GATHERS;
    s->counts[COUNT_DISASTERS]++;
    s->hub_version = -1;
    s->hub_died_for = 0;
    told_hub_lost(s);
    ledger_hub_lost(s);
    hub_on(s);
    forget_since(s);
    check_hub(s);
    ledger_at_hub(s);
}

static void destroy(struct sim *s)
{
    struct calamity *c = calamity(s);
    if (!calamity_hub_is_there(s) || c->backup.len == 0 || c->times == 3) return;
    wire_hub_is_back(s);
    calamity_look_before(s);
    c->old_epoch = ask_number(s, hub_db(s->hub), "SELECT value FROM h_counter WHERE name = 'epoch'");
    sim_note(s, "the hub is destroyed%s", c->phase == PHASE_GATHERS ? ", while it gathers" : "");
    hub_off(s, true);
    keep_old(s);
    put_back(s);
    int64_t most = s->plan.hurried ? SIM_DAY : 20 * SIM_DAY;
    for (uint64_t n = 1 + sim_random(s, 3); n > 0; n--)
        sim_queue(s, (int64_t)sim_random(s, (uint64_t)most), SIM_OLD_HUB, -1, NULL);
    if (sim_chance(s, 300)) sim_queue(s, (int64_t)sim_random(s, (uint64_t)most), SIM_LOST, -1, NULL);
    if (sim_chance(s, 200)) sim_queue(s, (int64_t)sim_random(s, (uint64_t)most), SIM_RELEASE, -1, NULL);
}

/* ------------------------------------------------------------------------------------------------ while it gathers */

static void release(struct sim *s)
{
    struct calamity *c = s->calamity;
    struct why why = {0};
    bool done = false;
    if (c == NULL || !calamity_hub_is_there(s) || c->phase != PHASE_GATHERS) return;
    hub_enter(s);
    enum err e = hub_restore_release(s->hub, "A computer was lost with the server.", &why);
    if (e == ERR_OK) e = hub_restore_continue(s->hub, 100000, &done, &why);
    if (hub_leave(s)) return;
    sim_note(s, "the hub is opened before all have reported: %s", err_word(e));
    if (e == ERR_NOTFOUND) return; /* all that it waited for came just now */
    sim_must(s, e, "open the hub", &why);
    c->strict = false;
    check_hub(s);
    ledger_at_hub(s);
    disaster_look(s);
}

/* With what it had not sent, and what only it keeps of what it had. */
static void lose_device(struct sim *s)
{
    struct device *d = sim_any_device(s);
    if (d == NULL || s->calamity == NULL || s->calamity->phase != PHASE_GATHERS || s->calamity->gone > 0) return;
    device_stuck(s, d, "it was lost with the hub");
    s->calamity->gone++;
    s->counts[COUNT_GONE]++;
    int64_t most = s->plan.hurried ? SIM_DAY : 20 * SIM_DAY;
    sim_queue(s, SIM_HOUR + (int64_t)sim_random(s, (uint64_t)most), SIM_RELEASE, -1, NULL);
}

void disaster_heal(struct sim *s)
{
    if (s->calamity != NULL && s->calamity->gone > 0) release(s);
}

/* ---------------------------------------------------------------------------------------------------- the old hub */

struct ghost {
    struct sim *s;
    struct hub *hub;
    enum err said;
};

static enum err ask_ghost(void *ctx, struct bytes request, uint64_t from, uint64_t wait_ms,
                          enum err (*sink)(void *sink_ctx, struct bytes piece, struct why *why), void *sink_ctx,
                          struct why *why)
{
    struct ghost *g = ctx;
    struct buf out;
    (void)from, (void)wait_ms;
    buf_init(&out, SIM_BUNDLE);
    struct machine *before = machine_enter(&g->s->calamity->old);
    g->said = hub_exchange_file(g->hub, request, &out, why);
    machine_enter(before);
    enum err e = g->said;
    if (e == ERR_OK) e = sink(sink_ctx, buf_bytes(&out), why);
    buf_release(&out);
    return e;
}

/* A device that heard of the new epoch. */
static struct device *believer(struct sim *s)
{
    uint64_t at = sim_random(s, s->n_devices);
    for (unsigned i = 0; i < s->n_devices; i++) {
        struct device *d = &s->devices[(at + i) % s->n_devices];
        if (d->state != DEVICE_LIVE || d->n == NULL || d->ailing) continue;
        if (ask_number(s, node_db(d->n), "SELECT value FROM n_number WHERE name = 'epoch'") > s->calamity->old_epoch) return d;
    }
    return NULL;
}

static void old_hub(struct sim *s)
{
    struct calamity *c = s->calamity;
    struct ghost g = {.s = s};
    struct why why = {0};
    struct round_result r = {0};
    uint8_t hash[2][HASH_BYTES];
    struct device *d = c == NULL || !c->has_old ? NULL : believer(s);
    if (d == NULL) return;
    const struct carrier via = {.ctx = &g, .exchange = ask_ghost};
    struct machine *before = machine_enter(&c->old);
    sim_must(s, hub_open(&g.hub, &c->old.env, "/hub", machine_passphrase(), &why), "switch the old hub on", &why);
    machine_enter(before);
    device_enter(s, d);
    sim_must(s, node_tick(d->n, &why), "look at the clock", &why); /* it does so before it talks */
    sim_must(s, db_content_hash(node_db(d->n), hash[0], &why), "hash a store", &why);
    enum err e = node_sync(d->n, &via, NULL, &r, &why);
    sim_must(s, db_content_hash(node_db(d->n), hash[1], &why), "hash a store", &why);
    (void)device_leave(s, d);
    before = machine_enter(&c->old);
    hub_close(g.hub);
    machine_enter(before);
    s->counts[COUNT_GHOSTS]++;
    sim_note(s, "the old hub is there again, and device %d asks it: %s (%s)", d->no, err_word(g.said), err_word(e));
    if (g.said != ERR_REFUSED || e != ERR_REFUSED)
        sim_fail(s, 14, "device %d and the hub of before talk: %s, %s: %s", d->no, err_word(g.said), err_word(e), why.text);
    if (memcmp(hash[0], hash[1], HASH_BYTES) != 0) sim_fail(s, 14, "device %d takes something of the hub of before", d->no);
}

void disaster_event(struct sim *s, const struct event *e)
{
    switch (e->kind) {
    case SIM_BACKUP: back_up(s); return;
    case SIM_DISASTER: destroy(s); return;
    case SIM_LOST: lose_device(s); return;
    case SIM_RELEASE: release(s); return;
    case SIM_OLD_HUB: old_hub(s); return;
    default: return;
    }
}
