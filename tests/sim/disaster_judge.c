/* What must hold when a hub was put back from a backup: promise 14. */
#include "tests/sim/disaster.h"

#include "hub/restore.h"

#include <string.h>

bool calamity_hub_is_there(const struct sim *s)
{
    return s->hub != NULL && !s->hub_ailing && !disk_is_dead(s->hub_machine.disk);
}

/* ------------------------------------------------------------------------------------------- what was known before */

static bool may_see(struct sim *s, const struct device *d, const struct dropped *x)
{
    struct why why = {0};
    bool mask = false, view = false;
    hub_enter(s);
    enum err e = hub_sees(s->hub, s->sites[d->site].code, rules_table((size_t)x->tbl)->name, x->id, &mask, &view, &why);
    (void)hub_leave(s);
    if (e == ERR_NOTFOUND) return false;
    sim_must(s, e, "ask who sees a row", &why);
    return mask || view;
}

static void know_drops(struct sim *s, const struct device *d, int64_t node_no)
{
    struct calamity *c = s->calamity;
    struct rows here;
    rows_read_held(&here, node_db(d->n));
    struct stmt *st = ask(s, hub_db(s->hub), "SELECT DISTINCT r.tbl, r.id FROM h_drop d JOIN h_row r ON r.no = d.row_no WHERE "
                                             "d.node_no = $1 AND d.request IS NOT NULL ORDER BY r.tbl, r.id");
    db_bind_int(st, 1, node_no);
    while (ask_next(s, st)) {
        struct dropped x = {.device = d->no, .tbl = (int)db_int(st, 0)};
        if (!db_id(st, 1, x.id) || rows_find(&here, x.tbl, x.id) != NULL || may_see(s, d, &x)) continue;
        c->dropped = judge_room(c->dropped, c->n_dropped, &c->cap_dropped, sizeof *c->dropped);
        c->dropped[c->n_dropped++] = x;
    }
    db_done(st);
    rows_free(&here);
}

/* What each device has learnt. */
void calamity_look_before(struct sim *s)
{
    if (s->calamity->phase == PHASE_GATHERS) return; /* what was known before the first one stands still */
    s->calamity->n_dropped = 0;
    s->calamity->last_seq = (uint64_t)ask_number(s, hub_db(s->hub), "SELECT coalesce(sum(last_seq), 0) FROM h_node");
    known_look_before(s);
    for (unsigned i = 0; i < s->n_devices; i++) {
        struct device *d = &s->devices[i];
        if (d->state != DEVICE_LIVE || d->n == NULL) continue;
        know_drops(s, d, ask_node(s, d));
    }
}

/* ---------------------------------------------------------------------------------------------------------- judging */

/* A hub of which a read fails just now is as it was. */
static enum phase phase_now(struct sim *s)
{
    int64_t n = 0;
    static const char sql[] = "SELECT CASE WHEN state IN ('gathering', 'applying') THEN 1 WHEN state = 'done' THEN 3 ELSE 2 END "
                              "FROM h_epoch ORDER BY epoch DESC LIMIT 1";
    return wire_ask(hub_db(s->hub), sql, NULL, &n) ? (enum phase)n : s->calamity->phase;
}

/* Unless its withdrawal is one that nobody had been told of: it was not acknowledged, and comes as a new one. */
static void drops_stand(struct sim *s)
{
    const struct calamity *c = s->calamity;
    char hex[33];
    uint64_t last_seq = (uint64_t)ask_number(s, hub_db(s->hub), "SELECT coalesce(sum(last_seq), 0) FROM h_node");
    bool all_back = last_seq == c->last_seq;
    if (last_seq > c->last_seq) return; /* what is new since may have given it back */
    for (size_t i = 0; i < c->n_dropped; i++) {
        const struct dropped *x = &c->dropped[i];
        const struct device *d = &s->devices[x->device];
        if (d->state != DEVICE_LIVE || !may_see(s, d, x)) continue;
        s->counts[COUNT_SEEN_AGAIN] += !all_back;
        if (all_back)
            sim_fail(s, 14, "device %d had lost %s %s before the disaster, and may see it again", d->no,
                     rules_table((size_t)x->tbl)->name, ids_hex(x->id, hex));
    }
}

/* Often before anybody asks again: then nothing but what came back has been taken in. true: something was. */
static bool replay(struct sim *s)
{
    struct why why = {0};
    bool done = false;
    struct draw by = told_draw(s, NULL);
    int64_t due = ask_number(s, hub_db(s->hub), "SELECT count(*) FROM h_epoch WHERE state IN ('applying', 'late')");
    if (due == 0 || !draw_chance(&by, 600)) return false;
    hub_enter(s);
    enum err e = hub_restore_continue(s->hub, 1 + draw_below(&by, 2) * 100000, &done, &why);
    if (hub_leave(s)) return false;
    sim_must(s, e, "take in what came back", &why);
    check_hub(s);
    return true;
}

/* It is judged when nothing is wrong with its disk. */
void disaster_look(struct sim *s)
{
    struct calamity *c = s->calamity;
    if (c == NULL || c->times == 0 || s->hub == NULL || disk_is_dead(s->hub_machine.disk)) return;
    bool shut = phase_now(s) == PHASE_GATHERS, pure = !s->hub_ailing && replay(s);
    if (s->hub == NULL || disk_is_dead(s->hub_machine.disk)) return;
    enum phase now = phase_now(s), before = c->phase;
    c->phase = now;
    if (now == PHASE_GATHERS) return;
    if (before == PHASE_GATHERS) sim_note(s, "the hub is open again");
    c->unjudged |= before != now || now == PHASE_RELEASED;
    c->owes |= before == PHASE_GATHERS && c->strict;
    if (s->hub_ailing) return;
    if (c->unjudged) known_must_stand(s, shut && pure);
    c->unjudged = false;
    if (c->owes && !pure) { /* it has looked at its clock since */
        c->owes = false;
        drops_stand(s);
    }
}

static enum err still_missing(void *ctx, const struct hub_missing *m, struct why *why)
{
    (void)why;
    sim_fail(ctx, 14, "the hub still gathers, and waits for a device at %s: %s", m->site, m->words);
}

void disaster_at_rest(struct sim *s)
{
    struct why why = {0};
    if (s->calamity != NULL) s->calamity->rests = true;
    if (!disaster_was(s) || s->calamity->gone > 0 || !calamity_hub_is_there(s)) return;
    sim_must(s, hub_restore_missing(s->hub, still_missing, s, &why), "ask whom the hub waits for", &why);
}

/* What the hub judged and nobody was told of comes as new work; until then others hold rows of it. Where somebody was
 * not waited for, it may never come; nor does a conflict that the lost hub found between two changes of which one comes
 * as new: the hub then counts it as a row that a device holds (hub/DISASTER.md, Limits). */
bool disaster_strange(struct sim *s, const uint8_t id[16])
{
    int64_t there = 0;
    if (!disaster_was(s) || s->hub == NULL || (s->calamity->strict && !s->calamity->gaps && s->calamity->rests)) return false;
    if (wire_ask(hub_db(s->hub), "SELECT 1 FROM h_row WHERE id = $1", id, &there)) return false;
    return !s->calamity->rests || wire_ask(hub_db(s->hub), "SELECT 1 FROM h_holds WHERE id = $1", id, &there);
}

/* What a device had of the lost hub and may not hold is still there until it hears the order to forget it. */
void disaster_ordered(struct sim *s, const struct device *d, struct ids *out)
{
    uint8_t id[16];
    if (!disaster_was(s) || s->hub == NULL) return;
    struct stmt *st = ask(s, hub_db(s->hub),
                          "SELECT r.id FROM h_drop d JOIN h_row r ON r.no = d.row_no JOIN h_named x ON x.row_no = d.row_no AND "
                          "x.node_no = d.node_no WHERE d.node_no = $1 AND d.receipt_at IS NULL");
    db_bind_int(st, 1, ask_node(s, d));
    while (ask_next(s, st))
        if (db_id(st, 0, id)) ids_add(out, id);
    db_done(st);
}
