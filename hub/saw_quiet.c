/* Quiet parts: only the MASH room, and who wrote or has such a part, may know of it. Whoever else asks who saw a row
 * of his is told what he would be told if there were none: a line that is missing would tell as much as one that is
 * there. */
#include "hub/saw.h"

#include <stdlib.h>
#include <string.h>

struct quiet_part {
    char member[64], site[64]; /* site empty: all of the agency's */
    bool hidden;               /* it was quiet at some time, and the asker does not see it */
    int64_t born, end;         /* versions; end INT64_MAX: in force */
};

void quiet_release(struct quiet *q)
{
    free(q->parts);
    free(q->turns.all);
    *q = (struct quiet){0};
}

/* While a case stands under two policies the bits of its masks are no channels (hub/sight_both.c): then nobody
 * counts as the room, and nothing as addressed to an agency. */
enum err saw_in_turn(struct hub *h, int64_t case_no, bool *out, struct why *why)
{
    struct stmt *s;
    enum err e =
        db_prepare(h->db,
                   "SELECT 1 FROM h_case c WHERE c.no = $1 AND c.policy = 1 AND EXISTS (SELECT 1 FROM h_policy p"
                   " WHERE p.state = 'coming')",
                   &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, case_no);
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

static enum err holds_room(struct hub *h, int64_t case_no, const struct hub_node *asker, bool *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db,
                            "SELECT s.mask, c.bit FROM h_seat s JOIN h_channel c ON c.name = 'room'"
                            " WHERE s.site_no = $1 AND s.case_no = $2",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, asker->site_no);
    db_bind_int(s, 2, case_no);
    e = db_step(s, &row, why);
    if (e == ERR_OK) *out = row && ((uint64_t)db_int(s, 0) >> db_int(s, 1) & 1) != 0;
    db_done(s);
    return e;
}

/* $1 participant's column quiet, $2 access, $3 voided_at; $4 the asker's site; $5 participant's table; $6 the case. */
static const char parts_sql[] =
    "SELECT p.member, coalesce(p.site, ''), r.born, CASE WHEN coalesce(p.quiet, 0) <> 0 OR EXISTS (SELECT 1 FROM h_col c"
    " WHERE c.row_no = r.no AND c.col = $1) THEN 1 ELSE 0 END, CASE WHEN coalesce(p.access, 'none') = 'none' THEN coalesce((SELECT"
    " c.version FROM h_col c WHERE c.row_no = r.no AND c.col = $2), r.born) END, CASE WHEN p.voided_at IS NOT NULL THEN"
    " coalesce((SELECT c.version FROM h_col c WHERE c.row_no = r.no AND c.col = $3), r.born) END, p.until,"
    " CASE WHEN (r.mask & coalesce((SELECT s.mask FROM h_seat s WHERE s.site_no = $4 AND s.case_no = r.case_no), 0))"
    " <> 0 THEN 1 ELSE 0 END FROM h_row r JOIN participant p ON p.id = r.id WHERE r.tbl = $5 AND r.case_no = $6";

static enum err part_end(struct hub *h, struct stmt *s, int64_t *out, struct why *why)
{
    int64_t end = INT64_MAX, due = 0;
    for (int i = 4; i <= 5; i++)
        if (!db_is_null(s, i) && db_int(s, i) < end) end = db_int(s, i);
    *out = end;
    if (db_is_null(s, 6) || db_int(s, 6) > h->now_ms) return ERR_OK;
    enum err e = step_time_find(h, db_int(s, 6), &due, why); /* the step after it is the first without the part */
    if (e == ERR_OK && due + 1 < end) *out = due + 1;
    return e;
}

static enum err add_part(struct hub *h, struct stmt *s, struct quiet *q, struct why *why)
{
    struct bytes member = db_bytes(s, 0), site = db_bytes(s, 1);
    struct quiet_part p = {.born = db_int(s, 2), .hidden = db_int(s, 3) != 0 && db_int(s, 7) == 0};
    if (member.n >= sizeof p.member || site.n >= sizeof p.site) return ERR_OK; /* of no agency that the hub has */
    memcpy(p.member, member.p, member.n);
    if (site.n > 0) memcpy(p.site, site.p, site.n);
    enum err e = part_end(h, s, &p.end, why);
    if (e != ERR_OK) return e;
    if (q->n == q->cap) {
        size_t cap = q->cap == 0 ? 16 : q->cap * 2;
        struct quiet_part *more = reallocarray(q->parts, cap, sizeof *more);
        if (more == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to answer a question.");
        q->parts = more;
        q->cap = cap;
    }
    q->parts[q->n++] = p;
    return ERR_OK;
}

static enum err load_turns(struct hub *h, int64_t case_no, struct spans *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(
        h->db, "SELECT from_version, until_version FROM h_turn WHERE case_no = $1 ORDER BY from_version", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, case_no);
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        if (out->n == out->cap) {
            size_t cap = out->cap == 0 ? 4 : out->cap * 2;
            struct span *more = reallocarray(out->all, cap, sizeof *more);
            if (more == NULL) e = why_set(why, ERR_NOMEM, "There is not enough memory to answer a question.");
            if (e != ERR_OK) break;
            out->all = more;
            out->cap = cap;
        }
        out->all[out->n++] = (struct span){db_int(s, 0), db_is_null(s, 1) ? INT64_MAX : db_int(s, 1)};
    }
    db_done(s);
    return e;
}

enum err quiet_load(struct hub *h, int64_t case_no, const struct hub_node *asker, struct quiet *out, struct why *why)
{
    int index = rules_table_index(bytes_of_str("participant"));
    const struct table_rule *t = rules_table((size_t)index);
    struct stmt *s;
    bool row = false;
    *out = (struct quiet){.all = asker == NULL};
    enum err e = out->all ? ERR_OK : saw_in_turn(h, case_no, &out->in_turn, why);
    if (e == ERR_OK && !out->all && !out->in_turn) e = holds_room(h, case_no, asker, &out->all, why);
    if (e == ERR_OK && !out->all) e = load_turns(h, case_no, &out->turns, why);
    if (e != ERR_OK || out->all) return e;
    e = db_prepare(h->db, parts_sql, &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, rules_column_index(t, bytes_of_str("quiet")));
    db_bind_int(s, 2, rules_column_index(t, bytes_of_str("access")));
    db_bind_int(s, 3, rules_column_index(t, bytes_of_str("voided_at")));
    db_bind_int(s, 4, asker->site_no);
    db_bind_int(s, 5, index);
    db_bind_int(s, 6, case_no);
    while ((e = db_step(s, &row, why)) == ERR_OK && row)
        if ((e = add_part(h, s, out, why)) != ERR_OK) break;
    db_done(s);
    return e;
}

/* ------------------------------------------------------------------------------------------------------- the track */

static bool is_of(const struct quiet_part *p, const struct saw_site *site)
{
    return strcmp(p->member, site->agency) == 0 && (p->site[0] == '\0' || strcmp(p->site, site->code) == 0);
}

static enum err agency_bit(struct hub *h, const char *agency, int64_t *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db, "SELECT bit FROM h_channel WHERE name = 'agency:' || $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, agency);
    e = db_step(s, &row, why);
    if (e == ERR_OK) *out = row ? (int64_t)1 << db_int(s, 0) : 0;
    db_done(s);
    return e;
}

static bool openly(const struct quiet *q, const struct saw_site *site, int64_t version)
{
    for (size_t i = 0; i < q->n; i++)
        if (is_of(&q->parts[i], site) && !q->parts[i].hidden && q->parts[i].born <= version &&
            version < q->parts[i].end)
            return true;
    return false;
}

static int by_version(const void *a, const void *b)
{
    const struct moment *x = a, *y = b;
    return x->version < y->version ? -1 : x->version > y->version;
}

/* The channels that may be known at a version, where `bit` is what was addressed to the agency. */
static int64_t known_at(const struct quiet *q, const struct saw_site *site, const struct track *const both[2],
                        int64_t bit, int64_t version)
{
    if (openly(q, site, version)) return -1;
    for (size_t i = 0; i < q->turns.n; i++) {
        int64_t before = q->turns.all[i].from - 1;
        if (version <= before || version >= q->turns.all[i].until) continue;
        return openly(q, site, before) || (track_at(both[0], before) & track_at(both[1], before) & bit) != 0 ? -1 : 0;
    }
    return bit;
}

/* From `from` on, moments at which known_at may say something else than before. */
static enum err put_moments(const struct quiet *q, const struct saw_site *site, int64_t from, struct track *out,
                            struct why *why)
{
    enum err e = track_put(out, from, 0, why);
    for (size_t i = 0; e == ERR_OK && i < q->n; i++) {
        const struct quiet_part *p = &q->parts[i];
        if (p->hidden || !is_of(p, site)) continue;
        if (p->born > from) e = track_put(out, p->born, 0, why);
        if (e == ERR_OK && p->end > from && p->end != INT64_MAX) e = track_put(out, p->end, 0, why);
    }
    for (size_t i = 0; e == ERR_OK && i < q->turns.n; i++) {
        const struct span *t = &q->turns.all[i];
        if (t->from > from) e = track_put(out, t->from, 0, why);
        if (e == ERR_OK && t->until > from && t->until != INT64_MAX) e = track_put(out, t->until, 0, why);
    }
    return e;
}

/* Before the first quiet part all is known. From then on what an open part gives, and what was addressed to the
 * agency. */
enum err quiet_track(struct hub *h, const struct quiet *q, const struct saw_site *site,
                     const struct track *const both[2], struct track *out, bool *out_whole, struct why *why)
{
    int64_t quiet_from = INT64_MAX, bit = 0;
    for (size_t i = 0; i < q->n; i++)
        if (q->parts[i].hidden && is_of(&q->parts[i], site) && q->parts[i].born < quiet_from)
            quiet_from = q->parts[i].born;
    /* A site of the room, or out of hours, is there by its area, as everybody knows. */
    *out_whole =
        q->all || quiet_from == INT64_MAX || strcmp(site->kind, "mash") == 0 || strcmp(site->kind, "out_of_hours") == 0;
    if (*out_whole) return ERR_OK;
    enum err e = agency_bit(h, site->agency, &bit, why);
    if (e == ERR_OK) e = track_put(out, 0, -1, why);
    if (e == ERR_OK) e = put_moments(q, site, quiet_from, out, why);
    if (e != ERR_OK) return e;
    qsort(out->all, out->n, sizeof *out->all, by_version);
    for (size_t i = 1; i < out->n; i++) out->all[i].mask = known_at(q, site, both, bit, out->all[i].version);
    return ERR_OK;
}
