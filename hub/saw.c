#include "hub/saw.h"

#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------------------------------------------------- tracks */

static enum err grow(void *array, size_t *cap, size_t n, size_t size, struct why *why)
{
    void *old;
    if (n < *cap) return ERR_OK;
    size_t want = *cap == 0 ? 16 : *cap * 2;
    memcpy(&old, array, sizeof old);
    void *more = reallocarray(old, want, size);
    if (more == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to answer a question.");
    memcpy(array, &more, sizeof more);
    *cap = want;
    return ERR_OK;
}

void track_release(struct track *t)
{
    free(t->all);
    *t = (struct track){0};
}

enum err track_put(struct track *t, int64_t version, int64_t mask, struct why *why)
{
    enum err e = grow(&t->all, &t->cap, t->n, sizeof *t->all, why);
    if (e == ERR_OK) t->all[t->n++] = (struct moment){version, mask};
    return e;
}

int64_t track_at(const struct track *t, int64_t version)
{
    size_t lo = 0, hi = t->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (t->all[mid].version <= version)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo == 0 ? 0 : t->all[lo - 1].mask;
}

static enum err add_moments(struct stmt *q, struct track *out, struct why *why)
{
    bool row = false;
    enum err e;
    while ((e = db_step(q, &row, why)) == ERR_OK && row)
        if ((e = track_put(out, db_int(q, 0), db_int(q, 1), why)) != ERR_OK) break;
    db_done(q);
    return e;
}

static enum err load_row(struct hub *h, const struct hub_row *r, struct track *out, struct why *why)
{
    struct stmt *q;
    enum err e = db_prepare(h->db, "SELECT version, mask FROM h_mask WHERE row_no = $1 ORDER BY version", &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, r->no);
    e = add_moments(q, out, why);
    return e == ERR_OK ? track_put(out, r->mask_version, r->mask, why) : e;
}

static enum err load_seat(struct hub *h, int64_t site_no, int64_t case_no, struct track *out, struct why *why)
{
    struct stmt *q;
    enum err e = db_prepare(
        h->db, "SELECT version, mask FROM h_seat_log WHERE site_no = $1 AND case_no = $2 ORDER BY version", &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, site_no);
    db_bind_int(q, 2, case_no);
    return add_moments(q, out, why);
}

/* ----------------------------------------------------------------------------------------------------------- spans */

/* The next version after `now` at which one of the tracks changes; INT64_MAX: none does. */
static int64_t next_change(const struct track *const *t, size_t n, int64_t now)
{
    int64_t next = INT64_MAX;
    for (size_t i = 0; i < n; i++) {
        size_t lo = 0, hi = t[i]->n;
        while (lo < hi) {
            size_t mid = lo + (hi - lo) / 2;
            if (t[i]->all[mid].version <= now)
                lo = mid + 1;
            else
                hi = mid;
        }
        if (lo < t[i]->n && t[i]->all[lo].version < next) next = t[i]->all[lo].version;
    }
    return next;
}

/* Where all of the tracks have a bit in common. */
static enum err meet(const struct track *const *t, size_t n, struct spans *out, struct why *why)
{
    bool open = false;
    enum err e = ERR_OK;
    for (int64_t v = next_change(t, n, -1); e == ERR_OK && v != INT64_MAX; v = next_change(t, n, v)) {
        int64_t bits = -1;
        for (size_t i = 0; i < n; i++) bits &= track_at(t[i], v);
        if ((bits != 0) == open) continue;
        if (open) {
            out->all[out->n - 1].until = v;
        } else {
            e = grow(&out->all, &out->cap, out->n, sizeof *out->all, why);
            if (e == ERR_OK) out->all[out->n++] = (struct span){v, INT64_MAX};
        }
        open = !open;
    }
    return e;
}

const struct span *saw_span(const struct saw_row *r)
{
    for (size_t i = 0; i < r->spans.n; i++)
        if (r->spans.all[i].from <= r->version &&
            (r->version < r->spans.all[i].until || r->spans.all[i].until == INT64_MAX))
            return &r->spans.all[i];
    return NULL;
}

/* ------------------------------------------------------------------------------------------------------- the sites */

struct looking {
    struct hub *h;
    const struct saw_ask *ask;
    hub_saw_fn each;
    void *ctx;
    struct quiet quiet;
    struct track masks; /* of the row */
    struct saw_row r;
};

/* A look is dated by the device's clock, a span by the hub's. Where all of the site's history may be told, each look
 * goes with the span before it, or the first; else only what falls into one, or before the first that the site ever
 * had: that was a clock behind, and hides nothing that the asker may not know of. */
static enum err tell_span(struct looking *l, size_t i, bool first_ever, struct why *why)
{
    const struct spans *all = &l->r.spans;
    const struct span *s = &all->all[i];
    struct hub_saw line = {.site = l->r.site.code, .agency = l->r.site.agency};
    enum err e = step_time_of(l->h, s->from, &line.from_ms, why);
    if (e == ERR_OK && s->until != INT64_MAX) e = step_time_of(l->h, s->until, &line.until_ms, why);
    line.looks_from_ms = i == 0 && (l->r.whole || first_ever) ? INT64_MIN : line.from_ms;
    line.looks_until_ms = l->r.whole ? 0 : line.until_ms;
    line.looks_floor_ms = l->r.whole ? INT64_MIN : line.from_ms;
    if (e == ERR_OK && l->r.whole && i + 1 < all->n)
        e = step_time_of(l->h, all->all[i + 1].from, &line.looks_until_ms, why);
    return e == ERR_OK ? l->each(l->ctx, &line, why) : e;
}

/* Did the site see nothing before the first span that the asker is told of? */
static enum err is_first_ever(const struct looking *l, const struct track *const *tracks, bool *out, struct why *why)
{
    struct spans real = {0};
    enum err e = l->r.whole || l->r.spans.n == 0 ? ERR_OK : meet(tracks, 2, &real, why);
    *out = real.n > 0 && real.all[0].from == l->r.spans.all[0].from;
    free(real.all);
    return e;
}

static enum err look_at(struct looking *l, struct why *why)
{
    struct track seat = {0}, known = {0};
    bool first_ever = false;
    const struct track *const three[] = {&l->masks, &seat, &known};
    l->r.spans.n = 0;
    enum err e = load_seat(l->h, l->r.site.no, l->r.row.case_no, &seat, why);
    if (e == ERR_OK) e = quiet_track(l->h, &l->quiet, &l->r.site, three, &known, &l->r.whole, why);
    if (e == ERR_OK) e = meet(three, l->r.whole ? 2 : 3, &l->r.spans, why);
    if (e == ERR_OK) e = is_first_ever(l, three, &first_ever, why);
    track_release(&seat);
    track_release(&known);
    const struct span *at = saw_span(&l->r);
    for (size_t i = 0; e == ERR_OK && i < l->r.spans.n; i++)
        if (l->ask->at_ms == 0 || at == &l->r.spans.all[i]) e = tell_span(l, i, first_ever, why);
    if (e == ERR_OK && !l->ask->sites_only && (l->r.spans.n > 0 || l->r.whole))
        e = saw_devices(l->h, &l->r, l->each, l->ctx, why);
    return e;
}

static bool copy(char *out, size_t n, struct bytes v)
{
    if (v.n >= n) return false;
    if (v.n > 0) memcpy(out, v.p, v.n);
    out[v.n] = '\0';
    return true;
}

/* Every site that ever had a seat in the case, and those whose devices only wrote the row. */
static const char sites_sql[] =
    "SELECT s.no, s.code, coalesce(t.agency, ''), coalesce(t.kind, '') FROM h_site s LEFT JOIN site t"
    " ON t.code = s.code WHERE s.no IN (SELECT site_no FROM h_seat WHERE case_no = $1 UNION SELECT n.site_no"
    " FROM h_named x JOIN h_node n ON n.no = x.node_no WHERE x.row_no = $2) ORDER BY s.code";

static enum err look_at_all(struct looking *l, struct why *why)
{
    struct stmt *q;
    bool row = false;
    enum err e = db_prepare(l->h->db, sites_sql, &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, l->r.row.case_no);
    db_bind_int(q, 2, l->r.row.no);
    while ((e = db_step(q, &row, why)) == ERR_OK && row) {
        struct saw_site *s = &l->r.site;
        s->no = db_int(q, 0);
        if (!copy(s->code, sizeof s->code, db_bytes(q, 1)) || !copy(s->agency, sizeof s->agency, db_bytes(q, 2)) ||
            !copy(s->kind, sizeof s->kind, db_bytes(q, 3)))
            e = why_set(why, ERR_TAMPERED, "The hub's list of sites is damaged.");
        if (e == ERR_OK) e = look_at(l, why);
        if (e != ERR_OK) break;
    }
    db_done(q);
    return e;
}

enum err saw_each(struct hub *h, const struct saw_ask *ask, hub_saw_fn each, void *ctx, struct why *why)
{
    struct looking l = {.h = h, .ask = ask, .each = each, .ctx = ctx};
    l.r = (struct saw_row){.row = ask->row, .version = INT64_MAX, .at_ms = INT64_MAX};
    enum err e = ERR_OK;
    if (ask->at_ms != 0) {
        l.r.at_ms = ask->at_ms;
        e = step_time_find(h, ask->at_ms, &l.r.version, why);
    }
    if (e == ERR_OK) e = load_row(h, &ask->row, &l.masks, why);
    if (e == ERR_OK) e = quiet_load(h, ask->row.case_no, ask->asker, &l.quiet, why);
    if (e == ERR_OK) e = look_at_all(&l, why);
    quiet_release(&l.quiet);
    track_release(&l.masks);
    free(l.r.spans.all);
    return e;
}
