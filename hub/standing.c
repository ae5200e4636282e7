/* How the author of a change stands towards a case and its rows: now, and when the change was written. */
#include "hub/draft.h"

#include <string.h>

static int case_file_index(void)
{
    return rules_table_index(bytes_of_str("case_file"));
}

static void copy_short(char *out, size_t n, struct bytes v)
{
    if (v.n < n) {
        if (v.n > 0) memcpy(out, v.p, v.n);
        out[v.n] = '\0';
    }
}

static enum err read_case(struct hub *h, const uint8_t case_id[16], struct standing *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db, "SELECT area, lead_agency FROM case_file WHERE id = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, case_id);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) {
        copy_short(out->area, sizeof out->area, db_bytes(s, 0));
        copy_short(out->lead, sizeof out->lead, db_bytes(s, 1));
    }
    db_done(s);
    return e;
}

enum err standing_duties(struct hub *h, const struct draft *d, struct standing *st, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db,
                            "SELECT d.duty FROM duty d JOIN practitioner p ON p.id = d.practitioner "
                            "WHERE p.id = $1 AND p.site = $2 AND coalesce(p.active, 1) = 1 AND d.area IN ('*', $3)",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, d->env.h.user);
    db_bind_str(s, 2, d->node->site);
    db_bind_str(s, 3, st->area);
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        st->manager = st->manager || bytes_equal(db_bytes(s, 0), bytes_of_str("manager"));
        st->social_care = st->social_care || bytes_equal(db_bytes(s, 0), bytes_of_str("social_care"));
    }
    db_done(s);
    return e;
}

enum err standing_user(struct hub *h, struct draft *d, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, "SELECT 1 FROM practitioner WHERE id = $1 AND site = $2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, d->env.h.user);
    db_bind_str(s, 2, d->node->site);
    e = db_step(s, &d->user_known, why);
    db_done(s);
    return e;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Version at which "when it was written" is judged: the base cut, or the birth of what this device made since. */
static int64_t written_at(const struct draft *d, int64_t seen, int64_t born, int64_t born_node)
{
    return draft_own(d, born_node) ? later(seen, born) : seen;
}

enum err standing_of(struct hub *h, const struct draft *d, const uint8_t case_id[16], struct standing *out,
                     struct why *why)
{
    struct standing st = {0};
    struct hub_case c;
    struct hub_row file;
    int64_t mask = 0;
    bool found = false;
    enum err e = sight_case(h, case_id, &c, &st.known, why);
    if (e != ERR_OK || !st.known) {
        if (e == ERR_OK) *out = st;
        return e;
    }
    st.case_no = c.no;
    e = sight_row(h, case_file_index(), case_id, &file, &found, why);
    if (e != ERR_OK) return e;
    int64_t seen = later(found ? cut_seen(&d->cut, file.no) : d->cut.lo, d->sight_at);
    st.fresh = draft_own(d, c.born_node) && c.born > seen;
    st.base = written_at(d, seen, c.born, c.born_node);
    e = sight_seat(h, d->node->site_no, c.no, INT64_MAX, &mask, &st.now, why);
    st.sees_now = mask != 0;
    if (e == ERR_OK) e = sight_seat(h, d->node->site_no, c.no, st.base, &mask, &st.at_base, why);
    st.sees_base = mask != 0;
    if (e == ERR_OK) e = read_case(h, case_id, &st, why);
    if (e == ERR_OK) e = standing_duties(h, d, &st, why);
    if (e == ERR_OK) *out = st;
    return e;
}

enum err standing_untouched(struct hub *h, const struct draft *d, int64_t case_no, bool *out, struct why *why)
{
    const struct table_rule *file = rules_table((size_t)case_file_index());
    struct stmt *s;
    bool touched = false;
    enum err e = db_prepare(h->db,
                            "SELECT 1 FROM h_row r WHERE r.case_no = $1 AND ((r.tbl = $2 AND r.born_node <> $3) OR "
                            "EXISTS (SELECT 1 FROM h_col c WHERE c.row_no = r.no AND c.node_no <> $3 AND "
                            "(r.tbl = $2 OR (r.tbl = $4 AND c.col = $5)))) LIMIT 1",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, case_no);
    db_bind_int(s, 2, rules_table_index(bytes_of_str("participant")));
    db_bind_int(s, 3, d->node->no);
    db_bind_int(s, 4, case_file_index());
    db_bind_int(s, 5, rules_column_index(file, bytes_of_str("restricted")));
    e = db_step(s, &touched, why);
    if (e == ERR_OK) *out = !touched;
    db_done(s);
    return e;
}

static enum err born_of_case(struct hub *h, int64_t case_no, struct hub_case *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db, "SELECT born, born_node FROM h_case WHERE no = $1", &s, why);
    if (e != ERR_OK) return e;
    *out = (struct hub_case){.no = case_no};
    db_bind_int(s, 1, case_no);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) {
        out->born = db_int(s, 0);
        out->born_node = db_int(s, 1);
    }
    db_done(s);
    return e;
}

enum err standing_view(struct hub *h, const struct draft *d, const struct hub_row *r, struct view *out, struct why *why)
{
    struct hub_case c;
    struct view v;
    int64_t seat = 0, mask = 0;
    int access;
    enum err e = born_of_case(h, r->case_no, &c, why);
    if (e == ERR_OK) e = sight_seat(h, d->node->site_no, r->case_no, INT64_MAX, &seat, &access, why);
    if (e != ERR_OK) return e;
    v.now = (seat & r->mask) != 0;
    int64_t at = written_at(d, later(cut_seen(&d->cut, r->no), d->sight_at), c.born, c.born_node);
    at = written_at(d, at, r->born, r->born_node);
    e = sight_seat(h, d->node->site_no, r->case_no, at, &seat, &access, why);
    if (e == ERR_OK) e = sight_mask(h, r->no, at, &mask, why);
    if (e != ERR_OK) return e;
    v.base = (seat & mask) != 0;
    *out = v;
    return ERR_OK;
}
