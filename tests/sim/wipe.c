/* Promise 12: what the hub orders to be wiped is wiped, whatever fails on the way, and after it nothing is left but the
 * note that says so; the hub learns of it. What had to arrive first is promise 2 (ledger_rest.c). */
#include "tests/sim/judge.h"

#include "node/door.h"
#include "node/wipe.h"

#include <stdio.h>
#include <string.h>

static const char *note_path(const struct device *d, char out[64])
{
    (void)snprintf(out, 64, "%s/wipe", d->home);
    return out;
}

bool wipe_is_noted(const struct device *d)
{
    char path[64];
    return disk_file(d->m.disk, note_path(d, path)).n > 0;
}

/* The newest order: false: none. */
static bool newest(struct sim *s, const struct device *d, int64_t *out_value)
{
    return wire_ask(hub_db(s->hub),
                    "SELECT value FROM h_order WHERE kind = 2 AND node_no = (SELECT no FROM h_node WHERE kid = $1) "
                    "ORDER BY number DESC LIMIT 1",
                    d->kid, out_value);
}

bool wipe_is_ordered(struct sim *s, const struct device *d)
{
    int64_t value;
    return s->hub != NULL && newest(s, d, &value);
}

bool wipe_may_be_ordered(struct sim *s, const struct device *d, bool at_once)
{
    int64_t value = ORDER_WHEN_SENT, done = 0;
    if (d->no == 0 || (d->state != DEVICE_LIVE && d->state != DEVICE_REVOKED)) return false;
    if (!newest(s, d, &value)) return true;
    (void)wire_ask(hub_db(s->hub), "SELECT state = 'wiped' FROM h_node WHERE kid = $1", d->kid, &done);
    return at_once && value == ORDER_WHEN_SENT && done == 0;
}

/* ---- what is left */
struct wipe_left {
    struct sim *s;
    const struct device *d;
};

static void only_the_note(void *ctx, const char *name, struct bytes content)
{
    const struct wipe_left *l = ctx;
    char path[64];
    (void)content;
    size_t n = strlen(note_path(l->d, path));
    /* Also what a power failure left of writing it. */
    if (strncmp(name, path, n) != 0 || (name[n] != '\0' && strncmp(name + n, ".tmp-", 5) != 0))
        sim_fail(l->s, 12, "device %d was wiped, and %s is left", l->d->no, name);
}

static void nothing_is_left(struct sim *s, struct device *d)
{
    struct wipe_left l = {s, d};
    disk_each(d->m.disk, only_the_note, &l);
    canary_bare(s, d);
}

/* What the note says, once the computer was started again after whatever happened. */
static enum wipe_state start_again(struct sim *s, struct device *d)
{
    struct wipe_note w;
    struct why why = {0};
    device_enter(s, d);
    enum err e = node_check(&d->m.env, d->home, NODE_FOR_HUB, &why);
    if (e != ERR_REFUSED) sim_fail(s, 12, "device %d was wiped, and its start says: %s", d->no, err_word(e));
    e = wipe_load(&d->m.env, d->home, &w, &why);
    (void)device_leave(s, d);
    sim_must(s, e, "read the note of a wipe", &why);
    enum wipe_state state = w.state;
    d->at_once = w.said.value == ORDER_AT_ONCE;
    wipe_note_release(&w);
    return state;
}

void wipe_done(struct sim *s, struct device *d)
{
    mishap_over(d);
    if (d->lying || d->mixed || d->rotten) {
        device_stuck(s, d, "it was wiped, on a bad disk");
        return;
    }
    device_off(s, d, sim_chance(s, 500));
    if (start_again(s, d) < WIPE_DONE)
        sim_fail(s, 12, "device %d was wiped, and a new start does not finish it", d->no);
    if (s->hub != NULL && !s->hub_lost_time && !wipe_is_ordered(s, d))
        sim_fail(s, 12, "device %d was wiped, and nobody ordered it", d->no);
    nothing_is_left(s, d);
    if (d->state == DEVICE_WIPED) return;
    d->state = DEVICE_WIPED;
    s->counts[COUNT_WIPED]++;
    sim_note(s, "device %d is wiped%s", d->no, d->at_once ? ", at once" : "");
    sim_queue(s, 60000 + (int64_t)sim_random(s, 2 * SIM_DAY), SIM_KNOCK, d->no, NULL);
}

bool wipe_was_found(struct sim *s, struct device *d, enum err e)
{
    if (e != ERR_REFUSED || !wipe_is_noted(d)) return false;
    wipe_done(s, d);
    return true;
}

/* ---- the door */
struct knocker {
    struct sim *s;
    struct device *d;
    bool broke;
};

static enum err gone(struct knocker *k, struct why *why)
{
    k->broke = true;
    return why_set(why, ERR_UNREACHABLE, "the link broke");
}

static enum err post(void *ctx, const char *address, struct bytes request, struct buf *answer, struct why *why)
{
    struct knocker *k = ctx;
    struct sim *s = k->s;
    (void)address;
    bool lost = !s->healing && sim_chance(s, s->plan.lose), deaf = !s->healing && sim_chance(s, 150);
    if (s->hub == NULL || !k->d->link_up || lost) return gone(k, why);
    sim_traffic(s, k->d, true, request);
    hub_enter(s);
    enum err e = hub_door(s->hub, request, answer, why);
    if (hub_leave(s)) return gone(k, why);
    if (e == ERR_FULL || e == ERR_IO) return gone(k, why);
    if (e == ERR_OK) sim_traffic(s, k->d, false, buf_bytes(answer));
    return e == ERR_OK && deaf ? gone(k, why) : e;
}

static void judge_knock(const struct knocker *k, enum err e, const struct knock_result *r, const struct why *why)
{
    struct sim *s = k->s;
    if (e == ERR_OK || (e == ERR_REFUSED && r->wiped) || (e == ERR_UNREACHABLE && k->broke)) return;
    if (!k->d->suspect && !s->hub_lost_time)
        sim_fail(s, 0, "device %d knocks: %s: %s", k->d->no, err_word(e), why->text);
}

/* The computer is on, and nobody has opened the device. */
void wipe_knock(struct sim *s, struct device *d)
{
    struct knocker k = {s, d, false};
    const struct door_way via = {.ctx = &k, .post = post};
    struct knock_result r = {0};
    struct why why = {0};
    if (d->n != NULL || d->state == DEVICE_NONE || d->state == DEVICE_STUCK) return;
    device_enter(s, d);
    enum err e = node_knock(&d->m.env, d->home, &via, &r, &why);
    bool died = device_leave(s, d);
    sim_note(s, "device %d knocks: %s%s", d->no, died ? "died" : err_word(e),
             r.recorded ? ", and its end is recorded" : "");
    if (died) return;
    judge_knock(&k, e, &r, &why);
    if (r.wiped) wipe_done(s, d);
    if (d->state != DEVICE_WIPED || r.recorded) return;
    if (!s->healing)
        sim_queue(s, SIM_HOUR + (int64_t)sim_random(s, 2 * SIM_DAY), SIM_KNOCK, d->no, NULL);
    else if (!s->hub_lost_time && d->n_knocks++ > 0)
        sim_fail(s, 12, "the hub does not record that device %d was wiped", d->no);
}

/* ---- at rest */
static void is_recorded(struct sim *s, const struct device *d)
{
    int64_t v = 0;
    struct db *hub = hub_db(s->hub);
    if (!wire_ask(hub, "SELECT state = 'wiped' FROM h_node WHERE kid = $1", d->kid, &v) || v == 0)
        sim_fail(s, 12, "device %d was wiped, and is not at the hub", d->no);
    if (!wire_ask(hub,
                  "SELECT count(*) FROM h_drop JOIN h_node n ON n.no = node_no WHERE n.kid = $1 AND receipt_at IS NULL",
                  d->kid, &v) ||
        v != 0)
        sim_fail(s, 12, "device %d was wiped, and %lld of its drops are not confirmed", d->no, (long long)v);
    if (!wire_ask(
            hub,
            "SELECT count(*) FROM h_drop_order o JOIN h_node n ON n.no = node_no WHERE n.kid = $1 AND o.receipt IS NULL",
            d->kid, &v) ||
        v != 0)
        sim_fail(s, 12, "device %d was wiped, and %lld orders to forget have no receipt", d->no, (long long)v);
    if (!d->suspect && !d->at_once &&
        (!wire_ask(hub,
                   "SELECT coalesce(sum(unsent IS NOT 0), 0) FROM h_order WHERE receipt IS NOT NULL AND node_no = "
                   "(SELECT no FROM h_node WHERE kid = $1)",
                   d->kid, &v) ||
         v != 0))
        sim_fail(s, 12, "device %d was to send everything before its wipe, and says that it did not", d->no);
}

void wipe_at_rest(struct sim *s)
{
    for (unsigned i = 0; i < s->n_devices && !s->hub_lost_time; i++) {
        const struct device *d = &s->devices[i];
        if (d->state == DEVICE_WIPED) is_recorded(s, d);
        if (d->n != NULL && !d->suspect && !d->hostile && wipe_is_ordered(s, d))
            sim_fail(s, 12, "device %d is to be wiped, came back, and is there still", d->no);
    }
}
