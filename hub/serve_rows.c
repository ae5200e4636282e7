/* Which rows a node still needs, and whether whole or by column. */
#include "hub/serve_internal.h"

#include <stdlib.h>
#include <string.h>

#define FEW_STEPS 1000 /* of the hub's order: so many changed cases are looked up rather than all of a site's */
#define FEW_SEATS 2000 /* the rows of so many cases are looked through for each page, rather than all rows once in their order */
#define IN_ORDER  2048u /* rows that come in their order: to ask for more costs nothing */

void serve_list_release(struct serve_list *l)
{
    free(l->rows);
    *l = (struct serve_list){0};
}

static int by_number(const void *a, const void *b)
{
    const struct serve_row *x = a, *y = b;
    return x->no < y->no ? -1 : x->no > y->no;
}

/* The lowest `limit` rows are wanted: what is above may be forgotten whenever twice as many have come together. */
static void shorten(struct serve_list *l)
{
    if (l->n > 0) qsort(l->rows, l->n, sizeof *l->rows, by_number);
    if (l->n > l->limit) {
        l->n = l->limit;
        l->cut_short = true;
    }
}

/* Columns: no, case_no, tbl, id, born, born_node, mask_version, version[, seat version]. */
static enum err take_row(struct stmt *q, int64_t seat_version, struct serve_list *l, struct why *why)
{
    if (l->n >= 2 * l->limit) shorten(l);
    enum err e = sight_grow(&l->rows, &l->cap, l->n, sizeof *l->rows, why);
    if (e != ERR_OK) return e;
    struct serve_row *r = &l->rows[l->n];
    *r = (struct serve_row){.no = db_int(q, 0),
                            .case_no = db_int(q, 1),
                            .tbl = (int)db_int(q, 2),
                            .born = db_int(q, 4),
                            .born_node = db_int(q, 5),
                            .mask_version = db_int(q, 6),
                            .version = db_int(q, 7),
                            .seat_version = seat_version};
    if (!db_id(q, 3, r->id)) return why_set(why, ERR_TAMPERED, "The hub's list of rows is damaged.");
    l->n++;
    return ERR_OK;
}

/* Of a site that has many cases: a large first copy does not look at every row for each page. */
enum err serve_collect_in_order(struct hub *h, int64_t site_no, int64_t pos, struct serve_list *l, struct why *why)
{
    struct stmt *q;
    bool row = false;
    l->n = 0;
    if (l->limit > IN_ORDER) l->limit = IN_ORDER;
    enum err e = db_prepare(h->db,
                            "SELECT r.no, r.case_no, r.tbl, r.id, r.born, r.born_node, r.mask_version, r.version, s.version"
                            " FROM h_row r"
                            " CROSS JOIN h_seat s WHERE s.site_no = $1 AND s.case_no = r.case_no"
                            " AND r.no > $2 AND (r.mask & s.mask) <> 0 ORDER BY r.no LIMIT $3",
                            &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, site_no);
    db_bind_int(q, 2, pos);
    db_bind_int(q, 3, (int64_t)l->limit);
    while ((e = db_step(q, &row, why)) == ERR_OK && row)
        if ((e = take_row(q, db_int(q, 8), l, why)) != ERR_OK) break;
    db_done(q);
    l->cut_short = l->n >= l->limit;
    return e;
}

/* A seat whose mask moved may show any row of the case anew; otherwise only rows that moved themselves count. */
static enum err collect_case(struct hub *h, struct stmt *seat, int64_t base, int64_t pos, struct serve_list *l,
                             struct why *why)
{
    struct stmt *q;
    int64_t seat_version = db_int(seat, 2);
    bool row = false;
    enum err e = db_prepare(h->db,
                            "SELECT no, case_no, tbl, id, born, born_node, mask_version, version FROM h_row"
                            " WHERE case_no = $1 AND version > $2 AND no > $3 AND (mask & $4) <> 0",
                            &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, db_int(seat, 0));
    db_bind_int(q, 2, seat_version > base ? 0 : base);
    db_bind_int(q, 3, pos);
    db_bind_int(q, 4, db_int(seat, 1));
    while ((e = db_step(q, &row, why)) == ERR_OK && row)
        if ((e = take_row(q, seat_version, l, why)) != ERR_OK) break;
    db_done(q);
    return e;
}

static enum err has_few_seats(struct hub *h, int64_t site_no, bool *out, struct why *why)
{
    struct stmt *q;
    bool row = false;
    enum err e = db_prepare(h->db, "SELECT count(*) FROM (SELECT 1 FROM h_seat WHERE site_no = $1 LIMIT $2) AS x", &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, site_no);
    db_bind_int(q, 2, FEW_SEATS + 1);
    e = db_step(q, &row, why);
    if (e == ERR_OK && row) *out = db_int(q, 0) <= FEW_SEATS;
    db_done(q);
    return e;
}

/* Of a site that has few: a hub of a hundred thousand cases is not looked through for the three of a school. */
enum err serve_collect_by_seat(struct hub *h, int64_t site_no, int64_t pos, struct serve_list *l, struct why *why)
{
    struct stmt *q;
    bool row = false;
    l->n = 0;
    l->cut_short = false;
    enum err e = db_prepare(h->db, "SELECT case_no, mask, version FROM h_seat WHERE site_no = $1 AND mask <> 0", &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, site_no);
    while ((e = db_step(q, &row, why)) == ERR_OK && row)
        if ((e = collect_case(h, q, 0, pos, l, why)) != ERR_OK) break;
    db_done(q);
    shorten(l);
    return e;
}

/* A node that has nothing yet, or nothing of some columns. */
static enum err collect_first(struct hub *h, int64_t site_no, int64_t pos, struct serve_list *l, struct why *why)
{
    bool few = false;
    enum err e = has_few_seats(h, site_no, &few, why);
    if (e != ERR_OK) return e;
    return few ? serve_collect_by_seat(h, site_no, pos, l, why) : serve_collect_in_order(h, site_no, pos, l, why);
}

enum err serve_collect(struct hub *h, const struct hub_node *n, const struct serve_since *since, int64_t pos,
                       struct serve_list *l, struct why *why)
{
    struct stmt *q;
    bool row = false;
    l->n = 0;
    l->cut_short = false;
    if (since->base == 0 || since->schema < n->schema) return collect_first(h, n->site_no, pos, l, why);
    /* Never more cases are looked at than changed since, and never many more than the site has. */
    enum err e = db_prepare(
        h->db,
        h->version - since->base < FEW_STEPS
            ? "SELECT case_no, mask, version FROM h_seat WHERE site_no = $1 AND news > $2 AND mask <> 0"
              " UNION SELECT s.case_no, s.mask, s.version FROM h_site n CROSS JOIN h_case k"
              " CROSS JOIN h_seat s WHERE k.news > $2 AND s.site_no = n.no AND s.case_no = k.no"
              " AND n.no = $1 AND n.news > $2 AND s.mask <> 0"
            : "SELECT case_no, mask, version FROM h_seat WHERE site_no = $1 AND news > $2 AND mask <> 0"
              " UNION SELECT s.case_no, s.mask, s.version FROM h_site n CROSS JOIN h_seat s"
              " CROSS JOIN h_case k WHERE s.site_no = n.no AND k.no = s.case_no AND k.news > $2"
              " AND n.no = $1 AND n.news > $2 AND s.mask <> 0",
        &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, n->site_no);
    db_bind_int(q, 2, since->base);
    while ((e = db_step(q, &row, why)) == ERR_OK && row)
        if ((e = collect_case(h, q, since->base, pos, l, why)) != ERR_OK) break;
    db_done(q);
    shorten(l);
    return e;
}

/* A row that is looked at for one node. */
struct look {
    struct hub *h;
    const struct hub_node *n;
    const struct serve_row *r;
    int64_t base;
    int64_t since; /* when the site began to see the row without a break; 0: not asked yet */
};

/* Has the site seen the row without a break since that version? Where neither row nor seat moved since, they met then
 * as now; otherwise the histories tell. */
static enum err unbroken(struct look *l, int64_t version, bool *out, struct why *why)
{
    const struct serve_row *r = l->r;
    enum err e = ERR_OK;
    *out = true;
    if (r->mask_version <= version && r->seat_version <= version) return ERR_OK;
    if (l->since == 0) e = sight_unbroken(l->h, l->n->site_no, r->case_no, r->no, &l->since, why);
    *out = l->since <= version;
    return e;
}

/* Did the node make the row, in a step that stands as it was sent, and has its site seen it ever since? */
static enum err made_here(struct look *l, bool *out, struct why *why)
{
    struct stmt *q;
    *out = false;
    if (l->r->born_node != l->n->no) return ERR_OK;
    enum err e = db_prepare(l->h->db, "SELECT 1 FROM h_as_sent WHERE version = $1 AND node_no = $2", &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, l->r->born);
    db_bind_int(q, 2, l->n->no);
    e = db_step(q, out, why);
    db_done(q);
    return e == ERR_OK && *out ? unbroken(l, l->r->born, out, why) : e;
}

struct columns {
    bool *go; /* one for each column */
    bool any; /* of them */
    bool own; /* some stay behind: they stand as the node sent them */
};

/* A column stays behind when its newest value came from the node, in a step that stands as it was sent, and the site
 * has seen the row since before the node wrote it. A row that was taken away in between took what was written upon it
 * along, and came back without it. */
static enum err changed_columns(struct look *l, bool made, struct columns *out, struct why *why)
{
    struct stmt *q;
    bool row = false;
    int64_t n_columns = (int64_t)rules_columns_at(rules_table((size_t)l->r->tbl), l->n->schema);
    enum err e = db_prepare(l->h->db,
                            "SELECT c.col, a.base FROM h_col c LEFT JOIN h_as_sent a ON a.version = c.version"
                            " AND a.node_no = c.node_no AND c.node_no = $3 WHERE c.row_no = $1 AND c.version > $2",
                            &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, l->r->no);
    db_bind_int(q, 2, l->base);
    db_bind_int(q, 3, l->n->no);
    while ((e = db_step(q, &row, why)) == ERR_OK && row) {
        int64_t col = db_int(q, 0);
        bool own = !db_is_null(q, 1);
        if (col <= 0 || col >= n_columns) continue; /* a later one is told when the node has it */
        if (own && !made) e = unbroken(l, db_int(q, 1), &own, why);
        if (e != ERR_OK) break;
        out->own |= own;
        if (!own) out->go[col] = out->any = true;
    }
    db_done(q);
    return e;
}

enum err serve_how(struct hub *h, const struct hub_node *n, const struct serve_row *r, int64_t base,
                   enum serve_how *out, bool out_columns[RULES_MAX_COLUMNS], struct why *why)
{
    struct look l = {.h = h, .n = n, .r = r, .base = base};
    struct columns columns = {.go = out_columns};
    bool made = false, has = false;
    enum err e = ERR_OK;
    memset(out_columns, 0, RULES_MAX_COLUMNS * sizeof *out_columns);
    if (base == 0 && r->born <= h->mark) { /* it begins anew after a restore: what it has may be what the hub lost */
        *out = SERVE_ROW;
        return ERR_OK;
    }
    /* Losing a row and getting it back between two contacts must send it whole, because the drop goes first. */
    if (r->born <= base)
        e = unbroken(&l, base, &has, why);
    else
        e = made_here(&l, &made, why);
    if (e == ERR_OK && !has && !made) {
        *out = SERVE_ROW;
        return ERR_OK;
    }
    if (e == ERR_OK) e = changed_columns(&l, made, &columns, why);
    if (e == ERR_OK) *out = columns.any ? SERVE_COLUMNS : made || columns.own ? SERVE_OWN : SERVE_NOTHING;
    return e;
}
