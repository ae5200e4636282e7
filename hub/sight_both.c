/* Cases while a policy is coming. Under two policies a site sees a row that both show it, and may write as far as both
 * let it; exactly that is written in the same masks as ever. Where the coming policy takes nothing, or gives nothing,
 * the masks are those of one of the two. Else the bits stand for other things than channels: seats that have the same
 * masks under either policy are a class, with a bit of its own, and a row has that bit when both show it to that class.
 * Every reader of masks takes a row's and a seat's of the same version, so that it may know nothing of this. */
#include "hub/policy_change.h"
#include "hub/sight_internal.h"

#include <stdlib.h>
#include <string.h>

#define MAX_CLASSES (SIGHT_MAX_BIT + 1)

/* Seats of the same masks: `first` under the policy in force, `coming` under the other. */
struct class
{
    int64_t first, coming;
    uint8_t *rows; /* which rows it sees, a bit each; borrowed from the set */
    int bit;
};
struct classes {
    struct class *v;
    size_t n, n_bits;
    uint8_t *rows;  /* owned */
    size_t n_bytes; /* of each class */
};

enum err sight_policy_of(struct hub *h, int64_t case_no, int *out, struct why *why)
{
    struct stmt *q;
    bool row = false;
    *out = CASE_IN_FORCE;
    if (h->policy_phase == POLICY_STANDS) return ERR_OK;
    enum err e = db_prepare(h->db, "SELECT policy FROM h_case WHERE no = $1", &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, case_no);
    e = db_step(q, &row, why);
    if (e == ERR_OK && row) *out = (int)db_int(q, 0);
    db_done(q);
    return e;
}

/* ------------------------------------------------------------------------------------------------------ comparing */

static bool first_shows(const struct sight_row *r, const struct class *c)
{
    return (r->first_mask & c->first) != 0;
}

static bool coming_shows(const struct sight_row *r, const struct class *c)
{
    return (r->new_mask & c->coming) != 0;
}

/* Does the coming policy give, or take, anything that the one in force does not? */
struct difference {
    bool gives, takes;
};

static void compare_seats(const struct sight *s, struct difference *d)
{
    for (size_t j = 0; j < s->n_seats; j++) {
        const struct sight_seat *seat = &s->seats[j];
        d->gives |= seat->new_access > seat->first_access || (seat->new_mask != 0 && seat->first_mask == 0);
        d->takes |= seat->new_access < seat->first_access || (seat->new_mask == 0 && seat->first_mask != 0);
    }
}

static void compare_rows(const struct sight *s, const struct classes *all, struct difference *d)
{
    for (size_t k = 0; k < all->n && !(d->gives && d->takes); k++)
        for (size_t i = 0; i < s->n_work; i++) {
            bool first = first_shows(&s->work[i], &all->v[k]), coming = coming_shows(&s->work[i], &all->v[k]);
            d->gives |= coming && !first;
            d->takes |= first && !coming;
        }
}

static int class_order(const void *a, const void *b)
{
    const struct class *x = a, *y = b;
    if (x->first != y->first) return x->first < y->first ? -1 : 1;
    return x->coming < y->coming ? -1 : x->coming > y->coming;
}

static enum err find_classes(const struct sight *s, struct classes *out, struct why *why)
{
    out->v = calloc(s->n_seats + 1, sizeof *out->v);
    if (out->v == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to change the policy of a case.");
    for (size_t j = 0; j < s->n_seats; j++)
        out->v[j] = (struct class){.first = s->seats[j].first_mask, .coming = s->seats[j].new_mask};
    if (s->n_seats > 0) qsort(out->v, s->n_seats, sizeof *out->v, class_order);
    for (size_t j = 0; j < s->n_seats; j++)
        if (out->n == 0 || class_order(&out->v[out->n - 1], &out->v[j]) != 0) out->v[out->n++] = out->v[j];
    return ERR_OK;
}

static void classes_release(struct classes *all)
{
    free(all->v);
    free(all->rows);
    *all = (struct classes){0};
}

/* -------------------------------------------------------------------------------------------------- bits of classes */

/* Classes that see a row under both policies, and which rows. The others need no bit. */
static enum err list_rows(const struct sight *s, struct classes *all, struct why *why)
{
    size_t kept = 0;
    for (size_t k = 0; k < all->n; k++)
        if (all->v[k].first != 0 && all->v[k].coming != 0) all->v[kept++] = all->v[k];
    all->n = kept;
    all->n_bytes = s->n_work / 8 + 1;
    all->rows = calloc(kept + 1, all->n_bytes);
    if (all->rows == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to change the policy of a case.");
    for (size_t k = 0; k < kept; k++) {
        struct class *c = &all->v[k];
        c->rows = all->rows + k * all->n_bytes;
        for (size_t i = 0; i < s->n_work; i++)
            if (first_shows(&s->work[i], c) && coming_shows(&s->work[i], c)) c->rows[i / 8] |= (uint8_t)(1u << i % 8);
    }
    return ERR_OK;
}

static const struct class *alike(const struct classes *all, size_t k)
{
    for (size_t i = 0; i < k; i++)
        if (memcmp(all->v[i].rows, all->v[k].rows, all->n_bytes) == 0) return &all->v[i];
    return NULL;
}

/* A bit each; where there are more classes than bits, those that see the same rows have one in common. Should even that
 * not do, the last bit is for rows that all the rest of them see: too little for a while, but never too much. Before a
 * change begins that is an error (policy_change.c); it can come about only while one is under way. */
static void give_bits(struct classes *all)
{
    bool merge = all->n > MAX_CLASSES;
    for (size_t k = 0; k < all->n; k++) {
        const struct class *same = merge ? alike(all, k) : NULL;
        struct class *c = &all->v[k];
        c->bit = same != NULL ? same->bit : (int)all->n_bits++;
    }
    if (all->n_bits <= MAX_CLASSES) return;
    for (size_t k = 0; k < all->n; k++)
        if (all->v[k].bit > SIGHT_MAX_BIT) all->v[k].bit = SIGHT_MAX_BIT;
}

/* Over all rows: those of the last bit are what every class of it sees. */
static int64_t row_mask(const struct classes *all, size_t row)
{
    int64_t mask = 0, hidden = 0;
    for (size_t k = 0; k < all->n; k++) {
        int64_t bit = (int64_t)1 << all->v[k].bit;
        if ((all->v[k].rows[row / 8] >> row % 8 & 1) != 0)
            mask |= bit;
        else
            hidden |= bit;
    }
    return mask & ~hidden;
}

static int64_t class_bit(const struct classes *all, const struct sight_seat *seat)
{
    const struct class key = {.first = seat->first_mask, .coming = seat->new_mask};
    const struct class *c = all->n == 0 ? NULL : bsearch(&key, all->v, all->n, sizeof *all->v, class_order);
    return c == NULL ? 0 : (int64_t)1 << c->bit;
}

static enum err by_classes(struct sight *s, struct classes *all, struct why *why)
{
    enum err e = list_rows(s, all, why);
    if (e != ERR_OK) return e;
    give_bits(all);
    for (size_t i = 0; i < s->n_work; i++) s->work[i].new_mask = row_mask(all, i);
    for (size_t j = 0; j < s->n_seats; j++) {
        struct sight_seat *seat = &s->seats[j];
        seat->new_mask = class_bit(all, seat);
        if (seat->new_access > seat->first_access) seat->new_access = seat->first_access;
    }
    return ERR_OK;
}

static void as_in_force(struct sight *s)
{
    for (size_t i = 0; i < s->n_work; i++) s->work[i].new_mask = s->work[i].first_mask;
    for (size_t j = 0; j < s->n_seats; j++) {
        s->seats[j].new_mask = s->seats[j].first_mask;
        s->seats[j].new_access = s->seats[j].first_access;
    }
}

/* From what either policy says (first, new) to what both do (new). */
static enum err join(struct sight *s, struct difference *out, struct why *why)
{
    struct classes all = {0};
    struct difference d = {0};
    enum err e = find_classes(s, &all, why);
    if (e == ERR_OK) {
        compare_seats(s, &d);
        compare_rows(s, &all, &d);
        if (d.gives && d.takes)
            e = by_classes(s, &all, why);
        else if (d.gives)
            as_in_force(s);
    }
    classes_release(&all);
    *out = d;
    return e;
}

/* ----------------------------------------------------------------------------------------------------- whole cases */

static void keep_first(struct sight *s)
{
    for (size_t i = 0; i < s->n_work; i++) s->work[i].first_mask = s->work[i].new_mask;
    for (size_t j = 0; j < s->n_seats; j++) {
        s->seats[j].first_mask = s->seats[j].new_mask;
        s->seats[j].first_access = s->seats[j].new_access;
    }
}

static enum err ask(struct hub *h, int64_t case_no, enum sight_views views, struct why *why)
{
    struct sight *s = h->sight;
    s->views = views;
    enum err e = sight_mask_case(h, case_no, s->work, s->n_work, why);
    if (e == ERR_OK) e = sight_ask_seats(h, case_no, why);
    s->views = VIEWS_IN_FORCE;
    return e;
}

enum err sight_whole_case(struct hub *h, int64_t case_no, int policy, struct why *why)
{
    struct difference d;
    enum err e = sight_all_rows(h, case_no, why);
    if (e == ERR_OK) e = sight_mask_seats(h, case_no, false, why);
    if (e == ERR_OK && policy != CASE_COMING) e = ask(h, case_no, VIEWS_IN_FORCE, why);
    if (e == ERR_OK && policy == CASE_BOTH) keep_first(h->sight);
    if (e == ERR_OK && policy != CASE_IN_FORCE) e = ask(h, case_no, VIEWS_COMING, why);
    return e == ERR_OK && policy == CASE_BOTH ? join(h->sight, &d, why) : e;
}

enum err sight_note_turn(struct hub *h, int64_t case_no, int policy, struct why *why)
{
    struct stmt *q;
    enum err e = db_prepare(h->db,
                            policy == CASE_BOTH
                                ? "INSERT INTO h_turn(case_no, from_version) VALUES ($1, $2) ON CONFLICT DO NOTHING"
                                : "UPDATE h_turn SET until_version = $2 WHERE case_no = $1 AND until_version IS NULL",
                            &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, case_no);
    db_bind_int(q, 2, h->version);
    return db_run(q, why);
}

static enum err write_policy(struct hub *h, int64_t case_no, int policy, struct why *why)
{
    struct stmt *q;
    enum err e = db_prepare(h->db, "UPDATE h_case SET policy = $1 WHERE no = $2", &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, policy);
    db_bind_int(q, 2, case_no);
    e = db_run(q, why);
    return e == ERR_OK ? sight_note_turn(h, case_no, policy, why) : e;
}

/* What the policy in force says of a case that it alone stands over is what the store has kept: it need not be
 * asked. */
enum err sight_beside_kept(struct hub *h, int64_t case_no, struct why *why)
{
    enum err e = sight_all_rows(h, case_no, why);
    if (e == ERR_OK) e = sight_mask_seats(h, case_no, false, why);
    if (e != ERR_OK) return e;
    for (size_t i = 0; i < h->sight->n_work; i++) h->sight->work[i].new_mask = h->sight->work[i].old_mask;
    keep_first(h->sight);
    return ask(h, case_no, VIEWS_COMING, why);
}

enum err sight_fits(struct hub *h, int64_t case_no, bool *out, struct why *why)
{
    struct classes all = {0};
    enum err e = sight_beside_kept(h, case_no, why);
    if (e == ERR_OK) e = find_classes(h->sight, &all, why);
    if (e == ERR_OK) e = list_rows(h->sight, &all, why);
    if (e == ERR_OK) give_bits(&all);
    if (e == ERR_OK) *out = all.n_bits <= MAX_CLASSES;
    classes_release(&all);
    return e;
}

/* A case to which the coming policy gives nothing goes under it at once. */
static enum err narrow(struct hub *h, int64_t case_no, int *out_policy, struct why *why)
{
    struct difference d = {0};
    enum err e = sight_beside_kept(h, case_no, why);
    if (e == ERR_OK) e = join(h->sight, &d, why);
    if (e == ERR_OK) *out_policy = d.gives ? CASE_BOTH : CASE_COMING;
    return e;
}

enum err sight_turn(struct hub *h, const struct sight_case *c, int policy, struct why *why)
{
    int to = c->turn;
    enum err e = ERR_OK;
    if (policy == CASE_IN_FORCE && c->turn == CASE_BOTH)
        e = narrow(h, c->no, &to, why);
    else
        e = sight_whole_case(h, c->no, to, why);
    return e == ERR_OK ? write_policy(h, c->no, to, why) : e;
}

enum err sight_turn_case(struct hub *h, int64_t case_no, int turn, struct why *why)
{
    struct sight *s = h->sight;
    enum err e = sight_grow(&s->cases, &s->cap_cases, s->n_cases, sizeof *s->cases, why);
    if (e == ERR_OK) s->cases[s->n_cases++] = (struct sight_case){.no = case_no, .all = true, .turn = turn};
    return e;
}

bool sight_gains(const struct sight *s, const struct sight_seat *seat)
{
    for (size_t i = 0; i < s->n_work; i++)
        if ((s->work[i].old_mask & seat->old_mask) == 0 && (s->work[i].new_mask & seat->new_mask) != 0) return true;
    return false;
}
