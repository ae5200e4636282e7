/* Devices that may hold few rows (hub/WATCH.md): somebody sets their budgets at times, and at the end as usual again.
 * What a device that is stopped holds is a part, as of one whose round was cut short; nothing else about it is
 * different. */
#include "tests/sim/judge.h"

#include "hub/watch.h"

static bool set(struct sim *s, const uint8_t *kid, int64_t rows)
{
    struct why why = {0};
    hub_enter(s);
    enum err e = hub_budget(s->hub, kid, rows, NULL, &why);
    if (hub_leave(s)) return false;
    bool lost = s->hub_lost_time && e == ERR_NOTFOUND;
    bool ill = s->hub_ailing && !s->healing && (e == ERR_FULL || e == ERR_IO);
    if (e != ERR_OK && !lost && !ill) sim_must(s, e, "set a budget", &why);
    return true;
}

void budget_event(struct sim *s)
{
    struct draw by = draw_stream(s->seed, 23, s->counts[COUNT_EVENTS]);
    if (!s->plan.few_rows || s->healing || s->hub == NULL || !draw_chance(&by, 60)) return;
    int64_t rows = draw_chance(&by, 300) ? 0 : 1 + (int64_t)draw_below(&by, 120);
    unsigned at = (unsigned)draw_below(&by, s->n_devices + 1);
    if (at < s->n_devices && s->devices[at].state == DEVICE_NONE) return;
    sim_note(s, "device %d may hold %lld rows", at < s->n_devices ? (int)at : -1, (long long)rows);
    (void)set(s, at < s->n_devices ? s->devices[at].kid : NULL, rows);
}

bool budget_stops(struct sim *s, const struct device *d)
{
    int64_t at = 0;
    if (!s->plan.few_rows) return false;
    if (s->hub == NULL) return true; /* nobody can say */
    if (!wire_ask(
            hub_db(s->hub),
            "SELECT coalesce(c.stopped_at, 0) FROM h_node n JOIN h_held_rows c ON c.node_no = n.no WHERE n.kid = $1",
            d->kid, &at))
        return false;
    s->counts[COUNT_STOPPED] += at != 0;
    return at != 0;
}

void budget_heal(struct sim *s)
{
    if (!s->plan.few_rows) return;
    if (!set(s, NULL, 0)) sim_fail(s, 0, "the hub dies of a budget");
    for (unsigned i = 0; i < s->n_devices; i++)
        if (s->devices[i].state != DEVICE_NONE) (void)set(s, s->devices[i].kid, 0);
}

/* What the hub counted is what the device holds of its site's rows. */
void budget_at_rest(struct sim *s, const struct device *d)
{
    struct hub_device w = {0};
    struct why why = {0};
    int64_t sees = 0;
    sim_must(s, hub_device_get(s->hub, d->kid, 1000, &w, &why), "look at a device", &why);
    if (w.lag_rows != 0)
        sim_fail(s, 1, "device %d lacks %lld rows at rest, as the hub says", d->no, (long long)w.lag_rows);
    if (w.stopped_at != 0) sim_fail(s, 1, "device %d is stopped at rest", d->no);
    struct stmt *st =
        ask(s, hub_db(s->hub),
            "SELECT count(*), (SELECT moved FROM h_held_rows WHERE node_no = n.no) FROM h_node n JOIN h_seat s "
            "ON s.site_no = n.site_no JOIN h_row r ON r.case_no = s.case_no WHERE n.kid = $1 AND "
            "(r.mask & s.mask) <> 0 GROUP BY n.no");
    db_bind_id(st, 1, d->kid);
    bool exact = ask_next(s, st) && db_int(st, 1) == 0;
    sees = db_int(st, 0);
    db_done(st);
    s->counts[COUNT_MISCOUNTED] += w.held >= 0 && w.held != sees;
    if (w.held >= 0 && exact && w.held != sees)
        sim_fail(s, 7, "device %d holds %lld rows, as the hub counted, and its site sees %lld", d->no,
                 (long long)w.held, (long long)sees);
}
