#include "cli/hub_gauge.h"

#include "cli/prom.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t mono_us(void)
{
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void hub_gauge_release(struct hub_gauge *g)
{
    free(g->devices);
    *g = (struct hub_gauge){0};
}

void hub_gauge_begin(struct hub_gauge *g)
{
    g->after = 0;
    g->kept = 0;
}

/* In the place of what was known of it. Devices are never taken away, and come in the order of their numbers. */
static enum err keep(struct hub_gauge *g, const struct hub_device *d, struct why *why)
{
    if (g->kept == g->cap) {
        size_t cap = g->cap == 0 ? 64 : g->cap * 2;
        struct hub_device *grown = reallocarray(g->devices, cap, sizeof *grown);
        if (grown == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to look at the devices.");
        g->devices = grown;
        g->cap = cap;
    }
    g->devices[g->kept++] = *d;
    if (g->n < g->kept) g->n = g->kept;
    return ERR_OK;
}

enum err hub_gauge_go_on(struct hub_gauge *g, struct hub *h, int64_t slice_us, bool *out_done, struct why *why)
{
    int64_t until = mono_us() + slice_us;
    *out_done = false;
    do {
        struct hub_device d;
        bool found = false;
        enum err e = hub_device_next(h, g->after, GAUGE_LAG_MOST, &d, &found, why);
        if (e == ERR_OK && found) e = keep(g, &d, why);
        if (e == ERR_OK && !found) e = hub_status(h, &g->status, why);
        if (e != ERR_OK) return e;
        *out_done = !found;
        if (found) g->after = d.no;
    } while (!*out_done && mono_us() < until);
    if (*out_done) {
        g->n = g->kept;
        g->known = true;
    }
    return ERR_OK;
}

/* ---------------------------------------------------------------------------------------------------------- as text */

static int64_t age(int64_t since, int64_t now)
{
    return since == 0 ? -1 : since < now ? now - since : 0; /* a clock that was set back makes no negative age */
}

/* -1: nothing is said. */
static int64_t contact(const struct hub_device *d, int64_t now)
{
    return age(d->last_seen, now);
}
static int64_t unsent(const struct hub_device *d, int64_t now)
{
    (void)now;
    return d->unsent;
}
static int64_t oldest_unsent(const struct hub_device *d, int64_t now)
{
    return age(d->oldest_unsent, now);
}
static int64_t unconfirmed(const struct hub_device *d, int64_t now)
{
    (void)now;
    return d->unconfirmed;
}
static int64_t oldest_unconfirmed(const struct hub_device *d, int64_t now)
{
    return age(d->unconfirmed_since, now);
}
static int64_t waiting(const struct hub_device *d, int64_t now)
{
    (void)now;
    return d->waiting;
}
static int64_t lag(const struct hub_device *d, int64_t now)
{
    (void)now;
    return d->lag_rows;
}
static int64_t lag_age(const struct hub_device *d, int64_t now)
{
    return d->lag_rows < 0 ? -1 : d->lag_rows == 0 ? 0 : age(d->lag_since, now);
}
static int64_t held(const struct hub_device *d, int64_t now)
{
    (void)now;
    return d->heard ? d->held : -1;
}
static int64_t most(const struct hub_device *d, int64_t now)
{
    (void)now;
    return d->heard ? d->most : -1;
}
static int64_t stopped(const struct hub_device *d, int64_t now)
{
    (void)now;
    return d->heard ? d->stopped_at != 0 : -1;
}
static int64_t refused(const struct hub_device *d, int64_t now)
{
    (void)now;
    return d->refused_times;
}

static const struct {
    const char *name, *help;
    int64_t (*of)(const struct hub_device *d, int64_t now);
    bool seconds; /* of gives milliseconds */
} figures[] = {
    {"spoke_last_contact_age_seconds", "How long ago the device was last in contact.", contact, true},
    {"spoke_unsent_changes", "Changes that the device had not sent, as it last said.", unsent, false},
    {"spoke_oldest_unsent_age_seconds", "Age of the oldest of them.", oldest_unsent, true},
    {"spoke_unconfirmed_drops", "Rows that the device was told to forget and has not confirmed.", unconfirmed, false},
    {"spoke_oldest_unconfirmed_drop_age_seconds", "How long the oldest unconfirmed order to forget has waited.",
     oldest_unconfirmed, true},
    {"spoke_held_changes", "Changes of the device that wait for a manager.", waiting, false},
    {"spoke_lag_rows", "Rows that the device has not been told as they stand; counting ends at a thousand.", lag,
     false},
    {"spoke_lag_seconds", "How long the oldest of them has waited.", lag_age, true},
    {"spoke_rows_held", "Rows that the device holds.", held, false},
    {"spoke_rows_allowed", "Rows that the device may hold.", most, false},
    {"spoke_rows_stopped", "1: the device gets nothing new because it may hold no more rows.", stopped, false},
    {"spoke_refused_requests", "How often in a row the hub refused the device for the same reason.", refused, false},
};

static void put_figures(const struct hub_gauge *g, int64_t now, struct buf *b)
{
    char hex[33];
    for (size_t f = 0; f < sizeof figures / sizeof figures[0]; f++) {
        prom_family(b, figures[f].name, "gauge", figures[f].help);
        for (size_t i = 0; i < g->n; i++) {
            const struct hub_device *d = &g->devices[i];
            int64_t v = figures[f].of(d, now);
            if (v < 0) continue;
            hex_encode(hex, d->kid, sizeof d->kid);
            const struct prom_label labels[] = {{"node", hex}, {"site", d->site}, {NULL, NULL}};
            if (figures[f].seconds)
                prom_fixed(b, figures[f].name, labels, v, 3);
            else
                prom_int(b, figures[f].name, labels, v);
        }
    }
    prom_family(b, "spoke_clock_skew_seconds", "gauge", "How far the device's clock is ahead of the hub's.");
    for (size_t i = 0; i < g->n; i++) {
        const struct hub_device *d = &g->devices[i];
        if (d->last_seen == 0) continue;
        hex_encode(hex, d->kid, sizeof d->kid);
        prom_fixed(b, "spoke_clock_skew_seconds", (struct prom_label[]){{"node", hex}, {"site", d->site}, {NULL, NULL}},
                   d->skew_ms, 3);
    }
}

void hub_gauge_json(const struct hub_gauge *g, int64_t now_ms, struct json *list)
{
    char hex[33];
    for (size_t f = 0; f < sizeof figures / sizeof figures[0]; f++) {
        for (size_t i = 0; i < g->n; i++) {
            const struct hub_device *d = &g->devices[i];
            int64_t v = figures[f].of(d, now_ms);
            if (v < 0) continue;
            struct json *o = json_object_new();
            hex_encode(hex, d->kid, sizeof d->kid);
            json_set_str(o, "name", figures[f].name);
            json_set_str(o, "node", hex);
            json_set_str(o, "site", d->site);
            json_set_int(o, "value", figures[f].seconds ? v / 1000 : v);
            json_append(list, o);
        }
    }
}

static void put_status(const struct hub_status *s, int64_t now, struct buf *b)
{
    const struct {
        const char *name, *help;
        int64_t v;
        bool seconds;
    } of[] = {
        {"spoke_waiting_changes", "Changes that wait for a manager, or for such.", s->waiting, false},
        {"spoke_oldest_waiting_age_seconds", "How long the oldest of them has waited.", age(s->waiting_since, now),
         true},
        {"spoke_open_conflicts", "Two versions that nobody has settled yet.", s->conflicts, false},
        {"spoke_log_leaves", "Leaves of the hub's own transparency log.", s->log_leaves, false},
        {"spoke_journal_entries_waiting", "Entries of the journal that are not in its folder yet.",
         s->journal.on ? s->journal.waiting : -1, false},
        {"spoke_journal_lag_seconds", "How long the oldest of them has waited; 0: none does.",
         !s->journal.on ? -1 : s->journal.waiting == 0 ? 0 : age(s->journal.waiting_since, now), true},
        {"spoke_journal_joined", "1: there is a backup that the journal goes on from.", s->journal.on ? s->journal.joined : -1,
         false},
        {"spoke_backup_age_seconds", "Age of the last backup.", age(s->backup_at, now), true},
        {"spoke_clock_doubted", "1: the hub's clock jumped, and is not believed yet.", s->clock_doubted, false},
        {"spoke_epoch", "The hub's epoch: it rises with each restore.", (int64_t)s->epoch, false},
    };
    prom_family(b, "spoke_devices", "gauge", "Devices by state.");
    for (size_t i = 0; i < s->n_states; i++)
        prom_int(b, "spoke_devices", (struct prom_label[]){{"state", s->devices[i].state}, {NULL, NULL}},
                 s->devices[i].n);
    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
        prom_family(b, of[i].name, "gauge", of[i].help);
        if (of[i].v < 0) continue;
        if (of[i].seconds)
            prom_fixed(b, of[i].name, NULL, of[i].v, 3);
        else
            prom_int(b, of[i].name, NULL, of[i].v);
    }
}

void hub_gauge_put(const struct hub_gauge *g, int64_t now_ms, struct buf *out)
{
    put_figures(g, now_ms, out);
    if (g->known) put_status(&g->status, now_ms, out);
}
