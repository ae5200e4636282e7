/* Masks against views: for tests, for `doctor`, and for whoever does not take the hub's word for it. */
#include "hub/policy_change.h"
#include "hub/retention_internal.h"
#include "hub/sight_internal.h"

#include <string.h>

static enum err yes(struct stmt *s, bool *out, struct why *why)
{
    bool row = false;
    enum err e = db_step(s, &row, why);
    if (e == ERR_OK) *out = row;
    db_done(s);
    return e;
}

static enum err sees_by_mask(struct hub *h, const char *site, int tbl, const uint8_t id[16], bool *out, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db,
                            "SELECT 1 FROM h_site n JOIN h_row r ON r.id = $1 AND r.tbl = $2"
                            " JOIN h_seat s ON s.site_no = n.no AND s.case_no = r.case_no"
                            " WHERE n.code = $3 AND (r.mask & s.mask) <> 0",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, id);
    db_bind_int(s, 2, tbl);
    db_bind_str(s, 3, site);
    return yes(s, out, why);
}

struct sighting {
    const char *site, *tbl;
    const uint8_t *id;
};

/* Does the site hold this channel of the case? */
static enum err holds(struct hub *h, const struct sighting *x, enum sight_views views, struct stmt *r, bool *out,
                      struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(
        h->db,
        views == VIEWS_COMING
            ? "SELECT 1 FROM temp.site_channel WHERE case_id = $1 AND site = $2 AND channel = $3 LIMIT 1"
            : "SELECT 1 FROM main.site_channel WHERE case_id = $1 AND site = $2 AND channel = $3 LIMIT 1",
        &s, why);
    if (e != ERR_OK) return e;
    db_bind_blob(s, 1, db_bytes(r, 0));
    db_bind_str(s, 2, x->site);
    db_bind_text(s, 3, db_bytes(r, 1));
    return yes(s, out, why);
}

/* Channel by channel: SQLite would join the two views by working out every site of every case. */
static enum err sees_by_views(struct hub *h, const struct sighting *x, enum sight_views views, bool *out,
                              struct why *why)
{
    struct stmt *r;
    bool row = false;
    enum err e = db_prepare(h->db,
                            views == VIEWS_COMING
                                ? "SELECT case_id, channel FROM temp.row_channel WHERE tbl = $1 AND id = $2"
                                : "SELECT case_id, channel FROM main.row_channel WHERE tbl = $1 AND id = $2",
                            &r, why);
    if (e != ERR_OK) return e;
    db_bind_str(r, 1, x->tbl);
    db_bind_id(r, 2, x->id);
    *out = false;
    while (!*out && (e = db_step(r, &row, why)) == ERR_OK && row)
        if (!db_is_null(r, 1) && (e = holds(h, x, views, r, out, why)) != ERR_OK) break;
    db_done(r);
    return e;
}

static enum err policy_of_row(struct hub *h, int tbl, const uint8_t id[16], int *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(
        h->db, "SELECT c.policy FROM h_row r JOIN h_case c ON c.no = r.case_no WHERE r.id = $1 AND r.tbl = $2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, id);
    db_bind_int(s, 2, tbl);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) *out = (int)db_int(s, 0);
    db_done(s);
    return e;
}

/* A closed case that has left the site is not there, whatever the policy says. */
static enum err as_retained(struct hub *h, const struct sighting *x, int tbl, bool *out, struct why *why)
{
    struct hub_row r;
    bool found = false, withheld = false;
    enum err e = sight_row(h, tbl, x->id, &r, &found, why);
    if (e == ERR_OK && found) e = retention_withholds(h, r.case_no, x->site, &withheld, why);
    *out = !withheld;
    return e;
}

/* As the policy says that stands over the row's case, or both where there are two. */
static enum err sees_by_view(struct hub *h, const struct sighting *x, int tbl, bool *out, struct why *why)
{
    bool first = true, coming = true;
    int policy = CASE_IN_FORCE;
    enum err e = policy_change_load(h, why);
    if (e == ERR_OK) e = policy_of_row(h, tbl, x->id, &policy, why);
    if (e == ERR_OK && policy != CASE_COMING) e = sees_by_views(h, x, VIEWS_IN_FORCE, &first, why);
    if (e == ERR_OK && policy != CASE_IN_FORCE) e = sees_by_views(h, x, VIEWS_COMING, &coming, why);
    *out = first && coming;
    return e == ERR_OK && *out ? as_retained(h, x, tbl, out, why) : e;
}

enum err hub_sees(struct hub *h, const char *site, const char *tbl, const uint8_t id[16], bool *out_by_mask,
                  bool *out_by_view, struct why *why)
{
    int index = rules_table_index(bytes_of_str(tbl));
    bool mask = false, view = false;
    if (index < 0) return why_set(why, ERR_NOTFOUND, "There is no such table.");
    enum err e = sees_by_mask(h, site, index, id, &mask, why);
    if (e == ERR_OK) e = sees_by_view(h, &(struct sighting){site, tbl, id}, index, &view, why);
    if (e == ERR_OK) {
        *out_by_mask = mask;
        *out_by_view = view;
    }
    return e;
}

static enum err give_row(struct hub *h, struct stmt *s, struct buf *store,
                         enum err (*each)(void *, const struct row *, struct why *), void *ctx, struct why *why)
{
    struct row row;
    uint8_t id[16];
    bool found = false;
    const struct table_rule *t = rules_table((size_t)db_int(s, 0));
    if (t == NULL || !db_id(s, 1, id)) return why_set(why, ERR_TAMPERED, "The hub's list of rows is damaged.");
    store->len = 0;
    enum err e = db_row_get(h->db, t, id, store, &row, &found, why);
    if (e == ERR_OK && !found) e = why_set(why, ERR_TAMPERED, "The hub lost a row of %s.", t->name);
    return e == ERR_OK ? each(ctx, &row, why) : e;
}

enum err hub_site_rows(struct hub *h, const char *site,
                       enum err (*each)(void *ctx, const struct row *r, struct why *why), void *ctx, struct why *why)
{
    struct stmt *s;
    struct buf store;
    bool row = false;
    buf_init(&store, (RULES_MAX_COLUMNS + 1) * (size_t)RULES_MAX_VALUE);
    enum err e = db_prepare(h->db,
                            "SELECT r.tbl, r.id FROM h_site n JOIN h_seat s ON s.site_no = n.no"
                            " JOIN h_row r ON r.case_no = s.case_no AND (r.mask & s.mask) <> 0"
                            " WHERE n.code = $1 ORDER BY r.tbl, r.id",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, site);
    while ((e = db_step(s, &row, why)) == ERR_OK && row)
        if ((e = give_row(h, s, &store, each, ctx, why)) != ERR_OK) break;
    db_done(s);
    buf_release(&store);
    return e;
}

/* ------------------------------------------------------------------------------------------------------ every mask */

static enum err verify_rows(struct hub *h, int64_t case_no, struct why *why)
{
    struct sight *s = h->sight;
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < s->n_work; i++)
        if (s->work[i].old_mask != s->work[i].new_mask)
            e = why_set(why, ERR_TAMPERED,
                        "A row of %s in case %lld is kept as visible otherwise than the policy says.",
                        rules_table((size_t)s->work[i].tbl)->name, (long long)case_no);
    return e;
}

static enum err verify_seats(struct hub *h, int64_t case_no, struct why *why)
{
    struct sight *s = h->sight;
    enum err e = ERR_OK;
    for (size_t j = 0; e == ERR_OK && j < s->n_seats; j++)
        if (s->seats[j].old_mask != s->seats[j].new_mask || s->seats[j].old_access != s->seats[j].new_access)
            e = why_set(why, ERR_TAMPERED, "Site %lld is kept as seeing case %lld otherwise than the policy says.",
                        (long long)s->seats[j].site_no, (long long)case_no);
    return e;
}

/* Every row of a synced table is known to the hub's order, and the other way round. */
static enum err verify_known(struct hub *h, struct why *why)
{
    size_t n;
    const struct table_rule *t = rules_tables(&n);
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        struct buf sql;
        struct stmt *s;
        bool differ = false;
        buf_init(&sql, 1024);
        buf_printf(
            &sql,
            "SELECT 1 WHERE (SELECT count(*) FROM \"%s\") <> (SELECT count(*) FROM h_row r JOIN \"%s\" x ON x.id = r.id"
            " WHERE r.tbl = $1 AND r.gone = 0)"
            " OR (SELECT count(*) FROM h_row WHERE tbl = $2 AND gone = 0) <> (SELECT count(*) FROM \"%s\")",
            t[i].name, t[i].name, t[i].name);
        const char *text = buf_cstr(&sql);
        e = text == NULL ? why_set(why, sql.err, "There is not enough memory.") : db_prepare(h->db, text, &s, why);
        if (e == ERR_OK) {
            db_bind_int(s, 1, (int64_t)i);
            db_bind_int(s, 2, (int64_t)i);
            e = yes(s, &differ, why);
        }
        buf_release(&sql);
        if (e == ERR_OK && differ)
            e = why_set(why, ERR_TAMPERED, "The rows of %s are not those of the hub's order.", t[i].name);
    }
    return e;
}

static enum err verify_all(struct hub *h, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = policy_change_load(h, why);
    if (e == ERR_OK) e = verify_known(h, why);
    if (e == ERR_OK) e = db_prepare(h->db, "SELECT no, policy FROM h_case", &s, why);
    if (e != ERR_OK) return e;
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        e = sight_whole_case(h, db_int(s, 0), (int)db_int(s, 1), why);
        if (e == ERR_OK) e = verify_rows(h, db_int(s, 0), why);
        if (e == ERR_OK) e = verify_seats(h, db_int(s, 0), why);
        if (e != ERR_OK) break;
    }
    db_done(s);
    return e == ERR_OK ? ends_verify(h, why) : e;
}

/* Where other processes write, all of it is asked in one transaction, and nothing of that is kept. */
enum err hub_verify(struct hub *h, struct why *why)
{
    bool own = db_is_postgres(h->db);
    enum err e = h->sight == NULL ? sight_new(&h->sight, why) : ERR_OK;
    if (e != ERR_OK) return e;
    if (h->sight->open) return why_set(why, ERR_FAILED, "A step of the hub's order is not settled yet.");
    if (own) e = policy_change_load(h, why); /* views that are laid outside of it stay */
    if (e == ERR_OK && own) {
        h->policy_moved = false;
        e = db_begin(h->db, why);
    }
    if (e != ERR_OK) return e;
    e = verify_all(h, why);
    sight_forget(h);
    if (!own) return e;
    db_rollback(h->db);
    policy_change_forget(h);
    return e;
}
