/* Which rows a node still needs, and whether whole or by column. */
#include "hub/serve_internal.h"

#include <stdlib.h>
#include <string.h>

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

/* Columns: no, case_no, tbl, id, born, mask_version[, seat version]. */
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
                            .mask_version = db_int(q, 5),
                            .seat_version = seat_version};
    if (!db_id(q, 3, r->id)) return why_set(why, ERR_TAMPERED, "The hub's list of rows is damaged.");
    l->n++;
    return ERR_OK;
}

/* A node that has nothing yet: rows in their order, so that a large first copy does not look at every row for each
 * page. */
static enum err collect_first(struct hub *h, int64_t site_no, int64_t pos, struct serve_list *l, struct why *why)
{
    struct stmt *q;
    bool row = false;
    enum err e = db_prepare(h->db,
                            "SELECT r.no, r.case_no, r.tbl, r.id, r.born, r.mask_version, s.version FROM h_row r"
                            " CROSS JOIN h_seat s ON s.site_no = $1 AND s.case_no = r.case_no"
                            " WHERE r.no > $2 AND (r.mask & s.mask) <> 0 ORDER BY r.no LIMIT $3",
                            &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, site_no);
    db_bind_int(q, 2, pos);
    db_bind_int(q, 3, (int64_t)l->limit);
    while ((e = db_step(q, &row, why)) == ERR_OK && row)
        if ((e = take_row(q, db_int(q, 6), l, why)) != ERR_OK) break;
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
                            "SELECT no, case_no, tbl, id, born, mask_version FROM h_row"
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

enum err serve_collect(struct hub *h, int64_t site_no, int64_t base, int64_t pos, struct serve_list *l, struct why *why)
{
    struct stmt *q;
    bool row = false;
    l->n = 0;
    l->cut_short = false;
    if (base == 0) return collect_first(h, site_no, pos, l, why);
    enum err e = db_prepare(
        h->db, "SELECT case_no, mask, version FROM h_seat WHERE site_no = $1 AND news > $2 AND mask <> 0", &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, site_no);
    db_bind_int(q, 2, base);
    while ((e = db_step(q, &row, why)) == ERR_OK && row)
        if ((e = collect_case(h, q, base, pos, l, why)) != ERR_OK) break;
    db_done(q);
    shorten(l);
    return e;
}

static enum err changed_columns(struct hub *h, int64_t row_no, int64_t base, bool out[RULES_MAX_COLUMNS], bool *out_any,
                                struct why *why)
{
    struct stmt *q;
    bool row = false;
    memset(out, 0, RULES_MAX_COLUMNS * sizeof *out);
    *out_any = false;
    enum err e = db_prepare(h->db, "SELECT col FROM h_col WHERE row_no = $1 AND version > $2", &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, row_no);
    db_bind_int(q, 2, base);
    while ((e = db_step(q, &row, why)) == ERR_OK && row) {
        int64_t col = db_int(q, 0);
        if (col > 0 && col < (int64_t)RULES_MAX_COLUMNS) out[col] = *out_any = true;
    }
    db_done(q);
    return e;
}

enum err serve_how(struct hub *h, int64_t site_no, const struct serve_row *r, int64_t base, enum serve_how *out,
                   bool out_columns[RULES_MAX_COLUMNS], struct why *why)
{
    int64_t since = 0;
    bool any = false;
    enum err e = ERR_OK;
    if (r->born > base) {
        *out = SERVE_ROW;
        return ERR_OK;
    }
    /* Neither row nor seat moved since the base: they met then as now. Otherwise the histories tell; losing a row and
     * getting it back between two contacts must send it whole, because the drop goes first. */
    if (r->mask_version > base || r->seat_version > base)
        e = sight_unbroken(h, site_no, r->case_no, r->no, &since, why);
    if (e == ERR_OK && since > base) {
        *out = SERVE_ROW;
        return ERR_OK;
    }
    if (e == ERR_OK) e = changed_columns(h, r->no, base, out_columns, &any, why);
    if (e == ERR_OK) *out = any ? SERVE_COLUMNS : SERVE_NOTHING;
    return e;
}
