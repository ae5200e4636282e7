/* How far a device is behind: the rows that its next answers would bring. */
#include "hub/lag.h"

#define AT_ONCE 2048u

/* The first change of a column that it does not have: of each the last is known. */
static enum err first_column(struct hub *h, int64_t row_no, int64_t base, int64_t *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db, "SELECT min(version) FROM h_col WHERE row_no = $1 AND version > $2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, row_no);
    db_bind_int(s, 2, base);
    e = db_step(s, &row, why);
    *out = e == ERR_OK && row ? db_int(s, 0) : 0;
    db_done(s);
    return e;
}

static enum err add(struct hub *h, const struct hub_node *n, const struct serve_row *r, int64_t base, struct lag *io,
                    struct why *why)
{
    enum serve_how how = SERVE_NOTHING;
    bool columns[RULES_MAX_COLUMNS];
    int64_t version = 0;
    enum err e = serve_how(h, n, r, base, &how, columns, why);
    if (e != ERR_OK || how == SERVE_NOTHING || how == SERVE_OWN) return e;
    io->rows++;
    if (how == SERVE_COLUMNS)
        e = first_column(h, r->no, base, &version, why);
    else if (r->mask_version <= r->born && r->seat_version <= r->born)
        version = r->born;
    else
        e = sight_unbroken(h, n->site_no, r->case_no, r->no, &version, why);
    if (e == ERR_OK && version > 0 && (io->first == 0 || version < io->first)) io->first = version;
    return e;
}

/* Rows above `start`, up to `upto`. */
static enum err span(struct hub *h, const struct hub_node *n, int64_t base, int64_t start, int64_t upto, uint64_t most,
                     struct lag *io, struct why *why)
{
    const struct serve_since since = {.base = base, .schema = n->schema};
    struct serve_list list = {.limit = AT_ONCE};
    enum err e;
    do {
        e = serve_collect(h, n, &since, start, &list, why);
        for (size_t i = 0; e == ERR_OK && !io->more && i < list.n && list.rows[i].no <= upto; i++) {
            e = add(h, n, &list.rows[i], base, io, why);
            start = list.rows[i].no;
            io->more = io->rows >= most;
        }
    } while (e == ERR_OK && !io->more && list.cut_short && list.rows[list.n - 1].no <= upto);
    serve_list_release(&list);
    return e;
}

enum err lag_of(struct hub *h, const struct hub_node *n, const struct cut *from, uint64_t most, struct lag *out,
                struct why *why)
{
    struct lag l = {0};
    enum err e = ERR_OK;
    if (from->pos != INT64_MAX) e = span(h, n, from->lo, from->pos, INT64_MAX, most, &l, why);
    if (e == ERR_OK && !l.more) e = span(h, n, from->hi, 0, from->pos, most, &l, why);
    if (e == ERR_OK && l.first != 0) e = step_time_of(h, l.first, &l.since_ms, why);
    if (e == ERR_OK) *out = l;
    return e;
}
