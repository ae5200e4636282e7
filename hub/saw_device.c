/* Which devices of a site held a row. An answer counts as received the moment it may have left, as it does for
 * orders to forget (hub/sight_drop.c). */
#include "hub/saw.h"

#include <string.h>

/* A device and what is known of it and the row. */
struct holding {
    int64_t node_no;
    bool known;
    struct hub_saw line;
};

/* The first page that covered the row while the site saw it so. */
static enum err served_in(struct hub *h, const struct saw_row *r, const struct span *s, struct holding *d,
                          struct why *why)
{
    struct stmt *q;
    int64_t last = s->until == INT64_MAX || s->until > r->version ? r->version : s->until - 1;
    enum err e = db_prepare(h->db,
                            "SELECT served_at FROM h_cut WHERE node_no = $1 AND at >= $2 AND at <= $3 AND pos_from < $4"
                            " AND pos >= $4 AND served_at <= $5 ORDER BY at LIMIT 1",
                            &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, d->node_no);
    db_bind_int(q, 2, s->from);
    db_bind_int(q, 3, last);
    db_bind_int(q, 4, r->row.no);
    db_bind_int(q, 5, r->at_ms); /* the order may stand still while answers are made */
    e = db_step(q, &d->known, why);
    if (e == ERR_OK && d->known) {
        d->line.state = "holds";
        d->line.since_ms = db_int(q, 0);
    }
    db_done(q);
    return e;
}

static bool in_span(const struct saw_row *r, int64_t version)
{
    for (size_t i = 0; i < r->spans.n; i++)
        if (r->spans.all[i].from <= version && version < r->spans.all[i].until) return true;
    return false;
}

/* Its envelope named the row, and it was not told to forget it since. */
static enum err named_by(struct hub *h, const struct saw_row *r, struct holding *d, struct why *why)
{
    struct stmt *q;
    bool row = false;
    enum err e =
        db_prepare(h->db,
                   "SELECT n.v FROM (SELECT CASE WHEN version <= $1 THEN version ELSE first END AS v FROM h_named"
                   " WHERE row_no = $2 AND node_no = $3) n WHERE n.v <= $1 AND NOT EXISTS (SELECT 1 FROM h_drop d"
                   " WHERE d.row_no = $2 AND d.node_no = $3 AND d.version >= n.v AND d.ordered_at <= $4)",
                   &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, r->version);
    db_bind_int(q, 2, r->row.no);
    db_bind_int(q, 3, d->node_no);
    db_bind_int(q, 4, r->at_ms);
    e = db_step(q, &row, why);
    int64_t version = e == ERR_OK && row ? db_int(q, 0) : 0;
    db_done(q);
    if (e != ERR_OK || !row || (!r->whole && !in_span(r, version))) return e;
    d->known = true;
    d->line.state = "holds";
    return step_time_of(h, version, &d->line.since_ms, why);
}

/* Told to forget it: an order that comes of a loss which the asker may know of. */
static enum err told_to_forget(struct hub *h, const struct saw_row *r, struct holding *d, struct why *why)
{
    struct stmt *q;
    bool row = false;
    enum err e = db_prepare(h->db,
                            "SELECT ordered_at, receipt_at, version FROM h_drop WHERE row_no = $1 AND node_no = $2"
                            " AND ordered_at <= $3 ORDER BY no DESC",
                            &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, r->row.no);
    db_bind_int(q, 2, d->node_no);
    db_bind_int(q, 3, r->at_ms);
    while (!d->known && (e = db_step(q, &row, why)) == ERR_OK && row) {
        bool ends_a_span = r->whole;
        for (size_t i = 0; i < r->spans.n; i++) ends_a_span |= r->spans.all[i].until == db_int(q, 2);
        if (!ends_a_span) continue;
        bool confirmed = !db_is_null(q, 1) && db_int(q, 1) <= r->at_ms;
        d->known = true;
        d->line.state = confirmed ? "confirmed" : "unconfirmed";
        d->line.since_ms = confirmed ? db_int(q, 1) : db_int(q, 0);
    }
    db_done(q);
    return e;
}

/* A part that the asker knows of is over, and another one, which it may not know of, keeps the row there: told as if
 * there were none, and the device had not answered yet. */
static enum err as_if_forgetting(struct hub *h, const struct saw_row *r, struct holding *d, struct why *why)
{
    enum err e = ERR_OK;
    for (size_t i = r->spans.n; e == ERR_OK && !d->known && i > 0; i--) {
        const struct span *s = &r->spans.all[i - 1];
        if (s->until > r->version || s->until == INT64_MAX) continue;
        e = served_in(h, r, s, d, why);
        if (e != ERR_OK || !d->known) continue;
        d->line.state = "unconfirmed";
        e = step_time_of(h, s->until, &d->line.since_ms, why);
    }
    return e;
}

static enum err look_up(struct hub *h, const struct saw_row *r, struct holding *d, struct why *why)
{
    const struct span *now = saw_span(r);
    enum err e = now != NULL ? served_in(h, r, now, d, why) : ERR_OK;
    if (e == ERR_OK && !d->known) e = named_by(h, r, d, why);
    if (e == ERR_OK && !d->known) e = told_to_forget(h, r, d, why);
    if (e == ERR_OK && !d->known && !r->whole) e = as_if_forgetting(h, r, d, why);
    return e;
}

/* Nothing is left on a device that was wiped, by its own signed word. */
static void wiped(const struct saw_row *r, int64_t wiped_at, struct holding *d)
{
    if (!d->known || wiped_at > r->at_ms || strcmp(d->line.state, "confirmed") == 0) return;
    d->line.state = "confirmed";
    d->line.since_ms = wiped_at;
}

enum err saw_devices(struct hub *h, const struct saw_row *r, hub_saw_fn each, void *ctx, struct why *why)
{
    struct stmt *q;
    bool row = false;
    enum err e = db_prepare(h->db, "SELECT no, kid, wiped_at FROM h_node WHERE site_no = $1 ORDER BY no", &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, r->site.no);
    while ((e = db_step(q, &row, why)) == ERR_OK && row) {
        struct holding d = {.node_no = db_int(q, 0),
                            .line = {.is_device = true, .site = r->site.code, .agency = r->site.agency}};
        if (!db_id(q, 1, d.line.kid)) e = why_set(why, ERR_TAMPERED, "The hub's list of devices is damaged.");
        if (e == ERR_OK) e = look_up(h, r, &d, why);
        if (e == ERR_OK && !db_is_null(q, 2)) wiped(r, db_int(q, 2), &d);
        if (e == ERR_OK && d.known) e = each(ctx, &d.line, why);
        if (e != ERR_OK) break;
    }
    db_done(q);
    return e;
}
