/* How many rows a device holds. Read WATCH.md, The budget, first. */
#include "hub/budget.h"

#include "hub/admins.h"
#include "hub/watch.h"
#include "sync/bundle.h"

#include <stdio.h>
#include <string.h>

/* Was the row in the reach of an answer to the device made at `since` or later? */
static enum err covered(struct hub *h, int64_t node_no, int64_t row_no, int64_t since, bool *out, struct why *why)
{
    struct stmt *q;
    enum err e = db_prepare(
        h->db, "SELECT 1 FROM h_cut WHERE node_no = $1 AND at >= $2 AND pos_from < $3 AND pos >= $3 LIMIT 1", &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, node_no);
    db_bind_int(q, 2, since);
    db_bind_int(q, 3, row_no);
    e = db_step(q, out, why);
    db_done(q);
    return e;
}

/* ------------------------------------------------------------------------------------------------ counted anew */

/* A row of the site of which mask or seat moved since the device was told of it last. */
static enum err count_one(struct hub *h, const struct hub_node *n, struct stmt *s, int64_t last_at, int64_t *io,
                          struct why *why)
{
    int64_t row_no = db_int(s, 0), since = 0;
    bool yes = false;
    enum err e = sight_unbroken(h, n->site_no, db_int(s, 1), row_no, &since, why);
    if (e == ERR_OK && since != 0 && since <= last_at) e = covered(h, n->no, row_no, since, &yes, why);
    if (e == ERR_OK && yes) ++*io;
    return e;
}

#define SITE_ROWS                                                                                                      \
    "FROM h_seat s JOIN h_row r ON r.case_no = s.case_no WHERE s.site_no = $1 AND (r.mask & s.mask) <> 0 AND "
/* Neither row nor seat moved since the device's cut, which covered the row. */
#define UNMOVED                                                                                                        \
    "(r.mask_version <= CASE WHEN r.no <= $2 THEN $3 ELSE $4 END AND s.version <= CASE WHEN r.no <= $2 THEN $3 ELSE "  \
    "$4 END)"

/* Of one that is told everything anew (below): an answer covered it since row and seat moved last. */
#define COVERED                                                                                                        \
    "EXISTS (SELECT 1 FROM h_cut c WHERE c.node_no = $2 AND c.at >= r.mask_version AND c.at >= s.version AND "         \
    "c.pos_from < r.no AND c.pos >= r.no)"

static enum err ask_count(struct hub *h, const char *const sql[2], const struct hub_node *n, const struct cut *from,
                          struct stmt **out, struct why *why)
{
    bool anew = from->hi == 0;
    enum err e = db_prepare(h->db, sql[anew ? 1 : 0], out, why);
    if (e != ERR_OK) return e;
    db_bind_int(*out, 1, n->site_no);
    db_bind_int(*out, 2, anew ? n->no : from->pos);
    if (anew) return ERR_OK;
    db_bind_int(*out, 3, from->hi);
    db_bind_int(*out, 4, from->lo);
    return ERR_OK;
}

/* The version of its last cut. A device that is told everything anew, because the hub was put back, stands at no cut,
 * and holds what it was told before; one that never had a page has none. */
static enum err told_at(struct hub *h, const struct hub_node *n, const struct cut *from, int64_t *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    *out = from->at;
    if (from->hi != 0) return ERR_OK;
    enum err e = db_prepare(h->db, "SELECT coalesce(max(at), 0) FROM h_cut WHERE node_no = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, n->no);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) *out = db_int(s, 0);
    db_done(s);
    return e;
}

enum err budget_count(struct hub *h, const struct hub_node *n, const struct cut *from, int64_t *out, struct why *why)
{
    static const char *const sure[] = {"SELECT count(*) " SITE_ROWS UNMOVED, "SELECT count(*) " SITE_ROWS COVERED};
    static const char *const rest[] = {"SELECT r.no, r.case_no " SITE_ROWS "NOT " UNMOVED,
                                       "SELECT r.no, r.case_no " SITE_ROWS "NOT " COVERED};
    struct stmt *s;
    bool row = false;
    int64_t held = 0, last_at = 0;
    *out = 0;
    enum err e = told_at(h, n, from, &last_at, why);
    if (e != ERR_OK || last_at == 0) return e; /* it never had a page */
    e = ask_count(h, sure, n, from, &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) held = db_int(s, 0);
    db_done(s);
    if (e == ERR_OK) e = ask_count(h, rest, n, from, &s, why);
    if (e != ERR_OK) return e;
    while ((e = db_step(s, &row, why)) == ERR_OK && row)
        if ((e = count_one(h, n, s, last_at, &held, why)) != ERR_OK) break;
    db_done(s);
    if (e == ERR_OK) *out = held;
    return e;
}

/* ------------------------------------------------------------------------------------------ while an answer is made */

/* No row above this one was in an answer. Only the first copy, which goes through the rows once, has such. */
static enum err find_reach(struct hub *h, const struct hub_node *n, const struct cut *from, int64_t *out,
                           struct why *why)
{
    struct stmt *s;
    bool row = false;
    *out = INT64_MAX;
    if (from->hi != 0 && (from->lo != 0 || from->pos == INT64_MAX)) return ERR_OK;
    enum err e = db_prepare(h->db, "SELECT coalesce(max(pos), 0) FROM h_cut WHERE node_no = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, n->no);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) *out = db_int(s, 0);
    db_done(s);
    return e;
}

enum err budget_load(struct hub *h, const struct hub_node *n, const struct cut *from, struct budget *out,
                     struct why *why)
{
    struct budget b = {.most = HUB_BUDGET_ROWS};
    struct stmt *s;
    bool row = false, known = false;
    enum err e = db_prepare(h->db,
                            "SELECT coalesce((SELECT most FROM h_budget WHERE node_no = $1), "
                            "(SELECT most FROM h_budget WHERE node_no = 0), $2), c.held, c.moved, c.stopped_at "
                            "FROM h_node n LEFT JOIN h_held_rows c ON c.node_no = n.no WHERE n.no = $1",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, n->no);
    db_bind_int(s, 2, HUB_BUDGET_ROWS);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) {
        b.most = db_int(s, 0);
        b.held = db_int(s, 1);
        known = !db_is_null(s, 1);
        b.exact = known && db_int(s, 2) == 0;
        b.stopped_at = db_int(s, 3);
    }
    db_done(s);
    if (e == ERR_OK) e = told_at(h, n, from, &b.last_at, why);
    if (e == ERR_OK) e = find_reach(h, n, from, &b.reach, why);
    if (e == ERR_OK && !known) {
        e = budget_count(h, n, from, &b.held, why);
        b.exact = b.counted = true;
    }
    if (e == ERR_OK) *out = b;
    return e;
}

enum err budget_room(struct hub *h, const struct hub_node *n, const struct cut *from, struct budget *b, bool *out_room,
                     struct why *why)
{
    *out_room = b->held + b->added < b->most;
    if (*out_room || b->exact) return ERR_OK;
    enum err e = budget_count(h, n, from, &b->held, why);
    if (e != ERR_OK) return e;
    b->exact = b->counted = true;
    *out_room = b->held + b->added < b->most;
    return ERR_OK;
}

/* Had the site no seat in the case when the device got its last answer? Mostly a whole case comes into sight at
 * once. */
static enum err came_since(struct hub *h, const struct hub_node *n, const struct serve_row *r, struct budget *b,
                           bool *out, struct why *why)
{
    int64_t mask = 0;
    int access = 0;
    enum err e = ERR_OK;
    *out = r->seat_version > b->last_at;
    if (!*out) return ERR_OK;
    if (b->case_no != r->case_no) {
        e = sight_seat(h, n->site_no, r->case_no, b->last_at, &mask, &access, why);
        b->case_no = r->case_no;
        b->case_is_new = mask == 0;
    }
    *out = b->case_is_new;
    return e;
}

enum err budget_is_new(struct hub *h, const struct hub_node *n, const struct serve_row *r, struct budget *b, bool *out,
                       struct why *why)
{
    bool before = false;
    int64_t since = 0;
    *out = true;
    if (r->born > b->last_at || r->no > b->reach) return ERR_OK;
    enum err e = came_since(h, n, r, b, out, why);
    if (e != ERR_OK || *out) return e;
    e = sight_unbroken(h, n->site_no, r->case_no, r->no, &since, why);
    if (e == ERR_OK && since != 0 && since <= b->last_at) e = covered(h, n->no, r->no, since, &before, why);
    *out = !before;
    return e;
}

/* `moved` says that the number may be a little off, by orders to forget. To count ends that, and is only done where it
 * matters. */
enum err budget_save(struct hub *h, const struct hub_node *n, const struct budget *b, bool stopped, struct why *why)
{
    struct stmt *s;
    if (!b->counted && b->added == 0 && stopped == (b->stopped_at != 0)) return ERR_OK;
    enum err e = db_prepare(h->db,
                            "INSERT INTO h_held_rows(node_no, held, moved, stopped_at) VALUES($1, $2, $3, $4) "
                            "ON CONFLICT(node_no) DO UPDATE SET held = excluded.held, moved = excluded.moved, "
                            "stopped_at = excluded.stopped_at",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, n->no);
    db_bind_int(s, 2, b->held + b->added);
    db_bind_int(s, 3, b->exact ? 0 : 1);
    if (!stopped)
        db_bind_null(s, 4);
    else
        db_bind_int(s, 4, b->stopped_at != 0 ? b->stopped_at : h->now_ms);
    return db_run(s, why);
}

/* A row that no answer ever covered was not counted: its author wrote it, and may not see it. */
enum err budget_forgot(struct hub *h, const struct hub_node *n, uint64_t request, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(
        h->db,
        "UPDATE h_held_rows SET moved = 1, held = CASE WHEN held > (SELECT count(*) FROM h_drop d JOIN h_row r "
        "ON r.no = d.row_no WHERE d.node_no = $1 AND d.request = $2 AND EXISTS (SELECT 1 FROM h_cut c WHERE "
        "c.node_no = $1 AND c.at >= r.born AND c.pos_from < r.no AND c.pos >= r.no)) THEN held - (SELECT "
        "count(*) FROM h_drop d JOIN h_row r ON r.no = d.row_no WHERE d.node_no = $1 AND d.request = $2 AND "
        "EXISTS (SELECT 1 FROM h_cut c WHERE c.node_no = $1 AND c.at >= r.born AND c.pos_from < r.no AND "
        "c.pos >= r.no)) ELSE 0 END WHERE node_no = $1",
        &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, n->no);
    db_bind_int(s, 2, (int64_t)request);
    return db_run(s, why);
}

/* As if the order had gone out before them. */
#define TOLD_AGAIN                                                                                                     \
    "(SELECT count(*) FROM h_drop d JOIN h_row r ON r.no = d.row_no JOIN h_node n ON n.no = d.node_no JOIN h_seat s "  \
    "ON s.site_no = n.site_no AND s.case_no = r.case_no WHERE d.node_no = h_held_rows.node_no AND d.request IS NULL "  \
    "AND r.gone = 0 AND (r.mask & s.mask) <> 0 AND EXISTS (SELECT 1 FROM h_cut c WHERE c.node_no = d.node_no AND "     \
    "c.at >= r.born AND c.pos_from < r.no AND c.pos >= r.no))"

enum err budget_told_again(struct hub *h, struct why *why)
{
    return db_exec(h->db,
                   "UPDATE h_held_rows SET moved = 1, held = CASE WHEN held > " TOLD_AGAIN " THEN held - " TOLD_AGAIN
                   " ELSE 0 END WHERE node_no IN (SELECT node_no FROM h_drop WHERE request IS NULL)",
                   why);
}

enum err budget_is_stopped(struct hub *h, const struct hub_node *n, bool *out, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db,
                            "SELECT 1 FROM h_held_rows c WHERE c.node_no = $1 AND c.stopped_at IS NOT NULL AND "
                            "c.moved = 0 AND c.held >= coalesce((SELECT most FROM h_budget WHERE node_no = $1), "
                            "(SELECT most FROM h_budget WHERE node_no = 0), $2)",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, n->no);
    db_bind_int(s, 2, HUB_BUDGET_ROWS);
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

enum err budget_tell(struct hub *h, const struct hub_node *n, uint64_t request, const struct served *s,
                     struct bundle_writer *w, struct why *why)
{
    struct room m = {.request = request, .held = s->held, .most = s->most, .stopped = s->stopped};
    struct buf item;
    if (s->most == 0 || (!s->stopped && s->held * 100 < s->most * HUB_BUDGET_ALARM)) return ERR_OK;
    memcpy(m.node, n->id.kid, sizeof m.node);
    buf_init(&item, 1u << 16);
    enum err e = message_put_room(&item, &h->id, &m, why);
    if (e == ERR_OK) e = bundle_put(w, "", buf_bytes(&item), why);
    buf_release(&item);
    return e;
}

/* ------------------------------------------------------------------------------------------------- administrators */

static enum err put_most(struct hub *h, int64_t node_no, int64_t rows, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db,
                            rows == 0 ? "DELETE FROM h_budget WHERE node_no = $1"
                                      : "INSERT INTO h_budget(node_no, most) VALUES($1, $2) "
                                        "ON CONFLICT(node_no) DO UPDATE SET most = excluded.most",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, node_no);
    if (rows != 0) db_bind_int(s, 2, rows);
    return db_run(s, why);
}

enum err hub_budget(struct hub *h, const uint8_t *kid, int64_t rows, const char *reason, struct why *why)
{
    struct hub_node n = {0};
    char about[2 * KID_BYTES + 1] = "", text[1100];
    if (rows < 0 || rows > HUB_BUDGET_MOST)
        return why_set(why, ERR_USAGE, "A device may hold 1 to %lld rows.", (long long)HUB_BUDGET_MOST);
    if (reason != NULL && strlen(reason) > 1000) return why_set(why, ERR_USAGE, "A reason has 1,000 bytes at most.");
    enum err e = hub_begin(h, why);
    if (e != ERR_OK) return e;
    if (kid != NULL) {
        e = nodes_by_kid(h, kid, &n, why);
        hex_encode(about, kid, KID_BYTES);
    }
    if (e == ERR_OK) e = put_most(h, n.no, rows, why);
    int n_text =
        rows == 0 ? snprintf(text, sizeof text, "as usual") : snprintf(text, sizeof text, "%lld rows", (long long)rows);
    if (reason != NULL) (void)snprintf(text + n_text, sizeof text - (size_t)n_text, ": %s", reason);
    if (e == ERR_OK) e = admins_act(h, MAY_OPERATE, "budget", kid != NULL ? about : NULL, text, why);
    if (e == ERR_OK) return hub_commit(h, why);
    hub_abort(h);
    return e;
}
