/* Until when a site sees a row, as the rows stand now: the first of the case's due times at which the views would not
 * show it any more. Nobody but the views is asked: they are put the same questions as ever, with policy_now at each of
 * those times. Only cases with due times are looked at, and of a case no more times than ENDS_TIMES, the nearest: when
 * one has come, the case is settled anew, and the next is looked at. */
#include "hub/policy_change.h"
#include "hub/sight_internal.h"

#include <stdlib.h>
#include <string.h>

#define ENDS_TIMES 64
#define ENDS_ROWS  16 /* touched rows from which on the whole case is asked about at once */

struct until {
    int64_t site_no, row_no, at;
};
struct untils {
    struct until *v; /* owned */
    size_t n, cap;
};

struct ends {
    struct hub *h;
    int64_t case_no;
    int policy;
    bool whole; /* every row of the case, not just those in `work` */
    int64_t now;
    int64_t times[ENDS_TIMES];
    size_t n_times;
    size_t n_rows, n_seats; /* that were there before the first question: others are seen by nobody */
    uint8_t *left;          /* owned: pairs that have ended, a bit each */
    struct untils found, stored;
    struct untils rows; /* of work: row_no alone */
};

static enum err add(struct untils *l, struct until u, struct why *why)
{
    enum err e = sight_grow(&l->v, &l->cap, l->n, sizeof *l->v, why);
    if (e == ERR_OK) l->v[l->n++] = u;
    return e;
}

static int by_pair(const void *a, const void *b)
{
    const struct until *x = a, *y = b;
    if (x->site_no != y->site_no) return x->site_no < y->site_no ? -1 : 1;
    return x->row_no < y->row_no ? -1 : x->row_no > y->row_no;
}

static void sort(struct untils *l)
{
    if (l->n > 0) qsort(l->v, l->n, sizeof *l->v, by_pair);
}

static enum err yes(struct stmt *q, bool *out, struct why *why)
{
    enum err e = db_step(q, out, why);
    db_done(q);
    return e;
}

/* ---------------------------------------------------------------------------------------------- what is looked at */

/* Has the case due times, or had it? */
static enum err concerns(struct hub *h, int64_t case_no, bool *out, struct why *why)
{
    static const char *const any[] = {"SELECT 1 FROM h_due WHERE case_no = $1 LIMIT 1",
                                      "SELECT 1 FROM h_until WHERE case_no = $1 LIMIT 1"};
    enum err e = ERR_OK;
    *out = false;
    for (size_t i = 0; e == ERR_OK && !*out && i < 2; i++) {
        struct stmt *q;
        e = db_prepare(h->db, any[i], &q, why);
        if (e != ERR_OK) break;
        db_bind_int(q, 1, case_no);
        e = yes(q, out, why);
    }
    return e;
}

static enum err load_times(struct ends *x, struct why *why)
{
    struct stmt *q;
    bool row = false;
    enum err e = db_prepare(x->h->db, "SELECT now FROM policy_now", &q, why);
    if (e != ERR_OK) return e;
    e = db_step(q, &row, why);
    x->now = e == ERR_OK && row ? db_int(q, 0) : 0;
    db_done(q);
    if (e == ERR_OK)
        e = db_prepare(x->h->db, "SELECT at FROM h_due WHERE case_no = $1 AND at > $2 ORDER BY at LIMIT $3", &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, x->case_no);
    db_bind_int(q, 2, x->now);
    db_bind_int(q, 3, ENDS_TIMES);
    while ((e = db_step(q, &row, why)) == ERR_OK && row) x->times[x->n_times++] = db_int(q, 0);
    db_done(q);
    return e;
}

/* Who took part otherwise, or consented otherwise, moves the ends of other rows than those that were touched. So does a
 * row that a conflict may be about. */
static enum err choose(struct ends *x, const struct sight_case *c, struct why *why)
{
    struct sight *s = x->h->sight;
    struct stmt *q;
    enum err e;
    x->whole = c->all || c->seats || c->consents || c->turn != 0 || x->policy == CASE_BOTH || x->h->policy_own ||
               s->n_work > ENDS_ROWS;
    if (x->whole) return ERR_OK;
    e = db_prepare(x->h->db, "SELECT 1 FROM h_case k CROSS JOIN conflict c WHERE k.no = $1 AND c.case_id = k.id LIMIT 1",
                   &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, x->case_no);
    e = yes(q, &x->whole, why);
    for (size_t i = 0; e == ERR_OK && !x->whole && i < s->n_work; i++) {
        s->work[i].old_mask = s->work[i].new_mask; /* settled: it stands */
        e = add(&x->rows, (struct until){.row_no = s->work[i].no}, why);
    }
    return e == ERR_OK && !x->whole ? sight_mask_seats(x->h, x->case_no, false, why) : e;
}

/* ------------------------------------------------------------------------------------------ what the views will say */

static enum err set_now(struct hub *h, int64_t now, struct why *why)
{
    struct stmt *q;
    enum err e = db_prepare(h->db, "UPDATE policy_now SET now = $1", &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, now);
    return db_run(q, why);
}

static enum err ask(struct ends *x, struct why *why)
{
    struct sight *s = x->h->sight;
    enum err e = ERR_OK;
    if (x->whole) return sight_whole_case(x->h, x->case_no, x->policy, why);
    s->views = x->policy == CASE_COMING ? VIEWS_COMING : VIEWS_IN_FORCE;
    for (size_t i = 0; e == ERR_OK && i < s->n_work; i++) e = sight_mask_row(x->h, &s->work[i], why);
    if (e == ERR_OK) e = sight_ask_seats(x->h, x->case_no, why);
    s->views = VIEWS_IN_FORCE;
    return e;
}

static enum err begin_pairs(struct ends *x, struct why *why)
{
    const struct sight *s = x->h->sight;
    if (x->left != NULL) return ERR_OK;
    x->n_rows = s->n_work;
    while (x->n_seats < s->n_seats && !s->seats[x->n_seats].is_new) x->n_seats++;
    x->left = calloc(x->n_rows * x->n_seats / 8 + 1, 1);
    return x->left != NULL ? ERR_OK : why_set(why, ERR_NOMEM, "There is not enough memory for a case with ends.");
}

/* Pairs of row and site that are there now, and are not at this time. */
static enum err note_ends(struct ends *x, int64_t at, struct why *why)
{
    const struct sight *s = x->h->sight;
    enum err e = begin_pairs(x, why);
    for (size_t j = 0; e == ERR_OK && j < x->n_seats; j++) {
        const struct sight_seat *seat = &s->seats[j];
        if (seat->old_mask == 0) continue;
        for (size_t i = 0; e == ERR_OK && i < x->n_rows; i++) {
            const struct sight_row *r = &s->work[i];
            size_t bit = j * x->n_rows + i;
            if ((r->old_mask & seat->old_mask) == 0 || (r->new_mask & seat->new_mask) != 0) continue;
            if ((x->left[bit / 8] >> bit % 8 & 1) != 0) continue;
            x->left[bit / 8] |= (uint8_t)(1u << bit % 8);
            e = add(&x->found, (struct until){.site_no = seat->site_no, .row_no = r->no, .at = at}, why);
        }
    }
    return e;
}

/* policy_now is as it was, whatever happens. */
static enum err find(struct ends *x, struct why *why)
{
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < x->n_times; i++) {
        e = set_now(x->h, x->times[i], why);
        if (e == ERR_OK) e = ask(x, why);
        if (e == ERR_OK) e = note_ends(x, x->times[i], why);
    }
    if (x->n_times > 0) {
        enum err back = set_now(x->h, x->now, e == ERR_OK ? why : NULL);
        if (e == ERR_OK) e = back;
    }
    sort(&x->found);
    return e;
}

/* ------------------------------------------------------------------------------------------------- what was told */

static enum err take_stored(struct ends *x, struct stmt *q, struct why *why)
{
    bool row = false;
    enum err e;
    while ((e = db_step(q, &row, why)) == ERR_OK && row) {
        e = add(&x->stored, (struct until){.site_no = db_int(q, 0), .row_no = db_int(q, 1), .at = db_int(q, 2)}, why);
        if (e != ERR_OK) break;
    }
    db_done(q);
    return e;
}

static enum err load_stored(struct ends *x, struct why *why)
{
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < (x->whole ? 1 : x->rows.n); i++) {
        struct stmt *q;
        e = db_prepare(x->h->db,
                       x->whole ? "SELECT site_no, row_no, at FROM h_until WHERE case_no = $1"
                                : "SELECT site_no, row_no, at FROM h_until WHERE case_no = $1 AND row_no = $2",
                       &q, why);
        if (e != ERR_OK) break;
        db_bind_int(q, 1, x->case_no);
        if (!x->whole) db_bind_int(q, 2, x->rows.v[i].row_no);
        e = take_stored(x, q, why);
    }
    sort(&x->stored);
    return e;
}

static enum err put(struct ends *x, const struct until *u, struct why *why)
{
    struct stmt *q;
    enum err e = db_prepare(x->h->db,
                            "INSERT INTO h_until(site_no, row_no, case_no, at, version) VALUES ($1, $2, $3, $4, $5)"
                            " ON CONFLICT(site_no, row_no) DO UPDATE SET at = $4, version = $5",
                            &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, u->site_no);
    db_bind_int(q, 2, u->row_no);
    db_bind_int(q, 3, x->case_no);
    db_bind_int(q, 4, u->at);
    db_bind_int(q, 5, x->h->version);
    x->h->moved = true;
    return db_run(q, why);
}

static enum err sees_now(struct ends *x, const struct until *u, bool *out, struct why *why)
{
    struct stmt *q;
    enum err e = db_prepare(x->h->db,
                            "SELECT 1 FROM h_row r JOIN h_seat s ON s.case_no = r.case_no AND s.site_no = $1"
                            " WHERE r.no = $2 AND (r.mask & s.mask) <> 0",
                            &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, u->site_no);
    db_bind_int(q, 2, u->row_no);
    return yes(q, out, why);
}

/* A site that does not see the row any more is told to forget it, and its end with it; when it comes again it is as
 * new. One that goes on seeing it has to hear that there is no end. */
static enum err end_no_more(struct ends *x, const struct until *u, struct why *why)
{
    struct stmt *q;
    bool sees = false;
    enum err e = sees_now(x, u, &sees, why);
    if (e == ERR_OK && sees)
        return u->at == 0 ? ERR_OK : put(x, &(struct until){.site_no = u->site_no, .row_no = u->row_no}, why);
    if (e == ERR_OK) e = db_prepare(x->h->db, "DELETE FROM h_until WHERE site_no = $1 AND row_no = $2", &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, u->site_no);
    db_bind_int(q, 2, u->row_no);
    return db_run(q, why);
}

/* Both lists are in the same order. */
static enum err write_ends(struct ends *x, struct why *why)
{
    size_t i = 0, j = 0;
    enum err e = load_stored(x, why);
    while (e == ERR_OK && (i < x->found.n || j < x->stored.n)) {
        int c = i == x->found.n ? 1 : j == x->stored.n ? -1 : by_pair(&x->found.v[i], &x->stored.v[j]);
        if (c > 0)
            e = end_no_more(x, &x->stored.v[j], why);
        else if (c < 0 || x->found.v[i].at != x->stored.v[j].at)
            e = put(x, &x->found.v[i], why);
        i += c <= 0;
        j += c >= 0;
    }
    return e;
}

static void ends_release(struct ends *x)
{
    free(x->left);
    free(x->found.v);
    free(x->stored.v);
    free(x->rows.v);
}

enum err ends_settle(struct hub *h, const struct sight_case *c, struct why *why)
{
    struct ends x = {.h = h, .case_no = c->no};
    bool any = false;
    enum err e = concerns(h, c->no, &any, why);
    if (e != ERR_OK || !any) return e;
    e = sight_policy_of(h, c->no, &x.policy, why);
    if (e == ERR_OK) e = load_times(&x, why);
    if (e == ERR_OK) e = choose(&x, c, why);
    if (e == ERR_OK) e = find(&x, why);
    if (e == ERR_OK) e = write_ends(&x, why);
    ends_release(&x);
    return e;
}

/* --------------------------------------------------------------------------------------------------------- checking */

static enum err differ(const struct ends *x, struct why *why)
{
    size_t i = 0;
    bool same = true;
    for (size_t j = 0; same && j < x->stored.n; j++) {
        const struct until *u = &x->stored.v[j];
        if (u->at == 0) {
            same = i == x->found.n || by_pair(u, &x->found.v[i]) != 0;
            continue;
        }
        same = i < x->found.n && by_pair(u, &x->found.v[i]) == 0 && u->at == x->found.v[i].at;
        i++;
    }
    if (same && i == x->found.n) return ERR_OK;
    return why_set(why, ERR_TAMPERED, "A row of case %lld is kept as ending at another time than the policy says.",
                   (long long)x->case_no);
}

static enum err verify_case(struct hub *h, int64_t case_no, struct why *why)
{
    struct ends x = {.h = h, .case_no = case_no, .whole = true};
    enum err e = sight_policy_of(h, case_no, &x.policy, why);
    if (e == ERR_OK) e = load_times(&x, why);
    if (e == ERR_OK) e = find(&x, why);
    if (e == ERR_OK) e = load_stored(&x, why);
    if (e == ERR_OK) e = differ(&x, why);
    ends_release(&x);
    return e;
}

static enum err verify_all(struct hub *h, struct why *why)
{
    struct untils cases = {0};
    struct stmt *q;
    bool row = false;
    enum err e = db_prepare(h->db, "SELECT case_no FROM h_due UNION SELECT case_no FROM h_until", &q, why);
    if (e != ERR_OK) return e;
    while ((e = db_step(q, &row, why)) == ERR_OK && row)
        if ((e = add(&cases, (struct until){.row_no = db_int(q, 0)}, why)) != ERR_OK) break;
    db_done(q);
    for (size_t i = 0; e == ERR_OK && i < cases.n; i++) e = verify_case(h, cases.v[i].row_no, why);
    free(cases.v);
    return e;
}

enum err ends_verify(struct hub *h, struct why *why)
{
    enum err e = db_savepoint(h->db, "ends", why);
    if (e != ERR_OK) return e;
    e = verify_all(h, why);
    enum err back = db_savepoint_rollback(h->db, "ends", e == ERR_OK ? why : NULL);
    return e == ERR_OK ? back : e;
}
