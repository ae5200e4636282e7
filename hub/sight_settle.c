/* The end of a step: every mask and seat that may have moved is asked of the views again, all pairs of row and site are
 * compared before and after with their final values, and drops, histories and news are written. */
#include "hub/policy_change.h"
#include "hub/restore_internal.h"
#include "hub/retention_internal.h"
#include "hub/sight_internal.h"

#include <stdlib.h>
#include <string.h>

#define MANY_ROWS 16 /* touched rows of one case from which one question about the whole case may be quicker */

int sight_row_order(const void *a, const void *b)
{
    const struct sight_row *x = a, *y = b;
    if (x->case_no != y->case_no) return x->case_no < y->case_no ? -1 : 1;
    if (x->tbl != y->tbl) return x->tbl < y->tbl ? -1 : 1;
    return memcmp(x->id, y->id, 16);
}

static int case_order(const void *a, const void *b)
{
    const struct sight_case *x = a, *y = b;
    return x->no < y->no ? -1 : x->no > y->no;
}

static size_t unique_rows(struct sight_row *rows, size_t n)
{
    size_t kept = 0;
    if (n > 0) qsort(rows, n, sizeof *rows, sight_row_order);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || sight_row_order(&rows[kept - 1], &rows[i]) != 0) rows[kept++] = rows[i];
    return kept;
}

static size_t merge_cases(struct sight_case *cases, size_t n)
{
    size_t kept = 0;
    if (n > 0) qsort(cases, n, sizeof *cases, case_order);
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || cases[kept - 1].no != cases[i].no) {
            cases[kept++] = cases[i];
            continue;
        }
        struct sight_case *c = &cases[kept - 1];
        c->content |= cases[i].content;
        c->seats |= cases[i].seats;
        c->consents |= cases[i].consents;
        c->all |= cases[i].all;
        c->decided |= cases[i].decided;
        if (cases[i].turn > c->turn) c->turn = cases[i].turn;
    }
    return kept;
}

/* ----------------------------------------------------------------------------------------- which rows to ask about */

static enum err add_work(struct hub *h, const struct sight_row *r, struct why *why)
{
    struct sight *s = h->sight;
    enum err e = sight_grow(&s->work, &s->cap_work, s->n_work, sizeof *s->work, why);
    if (e == ERR_OK) s->work[s->n_work++] = *r;
    return e;
}

/* Adds the rows of a bound statement (no, case_no, tbl, id, mask) and gives it back. */
static enum err add_found(struct hub *h, struct stmt *q, struct why *why)
{
    bool row = false;
    enum err e;
    while ((e = db_step(q, &row, why)) == ERR_OK && row) {
        struct sight_row r = {
            .no = db_int(q, 0), .case_no = db_int(q, 1), .tbl = (int)db_int(q, 2), .old_mask = db_int(q, 4)};
        if (!db_id(q, 3, r.id)) e = why_set(why, ERR_TAMPERED, "The hub's list of rows is damaged.");
        if (e == ERR_OK) e = add_work(h, &r, why);
        if (e != ERR_OK) break;
    }
    db_done(q);
    return e;
}

enum err sight_all_rows(struct hub *h, int64_t case_no, struct why *why)
{
    struct stmt *q;
    h->sight->n_work = 0;
    enum err e = db_prepare(h->db, "SELECT no, case_no, tbl, id, mask FROM h_row WHERE case_no = $1", &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, case_no);
    e = add_found(h, q, why);
    if (e == ERR_OK) h->sight->n_work = unique_rows(h->sight->work, h->sight->n_work);
    return e;
}

static enum err any_consent_row(struct hub *h, int64_t case_no, bool *out, struct why *why)
{
    struct stmt *q;
    enum err e = db_prepare(h->db,
                            "SELECT 1 FROM h_case c JOIN record x ON x.case_id = c.id"
                            " WHERE c.no = $1 AND x.needs_consent = 1 LIMIT 1",
                            &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, case_no);
    e = db_step(q, out, why);
    db_done(q);
    return e;
}

static enum err add_consent_rows(struct hub *h, int64_t case_no, struct why *why)
{
    struct stmt *q;
    bool any = false;
    enum err e = any_consent_row(h, case_no, &any, why);
    if (e != ERR_OK || !any) return e;
    e = db_prepare(h->db,
                   "SELECT r.no, r.case_no, r.tbl, r.id, r.mask"
                   " FROM h_case c JOIN record x ON x.case_id = c.id JOIN h_row r ON r.id = x.id AND r.tbl = $1"
                   " WHERE c.no = $2 AND x.needs_consent = 1",
                   &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, rules_table_index(bytes_of_str("record")));
    db_bind_int(q, 2, case_no);
    return add_found(h, q, why);
}

static enum err any_conflict(struct hub *h, int64_t case_no, bool *out, struct why *why)
{
    struct stmt *q;
    enum err e = db_prepare(
        h->db, "SELECT 1 FROM h_case k CROSS JOIN conflict c WHERE k.no = $1 AND c.case_id = k.id LIMIT 1", &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, case_no);
    e = db_step(q, out, why);
    db_done(q);
    return e;
}

/* Joined crosswise and with a plus, because SQLite would rather go through every row of the case, for each row. */
static enum err add_conflicts_about(struct hub *h, const struct sight_row *about, struct why *why)
{
    struct stmt *q;
    enum err e = db_prepare(h->db,
                            "SELECT r.no, r.case_no, r.tbl, r.id, r.mask"
                            " FROM conflict c CROSS JOIN h_row r WHERE r.id = c.id AND r.tbl = $1"
                            " AND c.row_id = $2 AND c.tbl = $3 AND +r.case_no = $4",
                            &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, rules_table_index(bytes_of_str("conflict")));
    db_bind_id(q, 2, about->id);
    db_bind_str(q, 3, rules_table((size_t)about->tbl)->name);
    db_bind_int(q, 4, about->case_no);
    return add_found(h, q, why);
}

static enum err count_rows(struct hub *h, int64_t case_no, size_t *out, struct why *why)
{
    struct stmt *q;
    bool row = false;
    enum err e = db_prepare(h->db, "SELECT count(*) FROM h_row WHERE case_no = $1", &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, case_no);
    e = db_step(q, &row, why);
    if (e == ERR_OK) *out = row ? (size_t)db_int(q, 0) : 0;
    db_done(q);
    return e;
}

/* New masks of the work so far: row by row, or for the whole case at once where most of it moved. */
static enum err ask_masks(struct hub *h, const struct sight_case *c, struct why *why)
{
    struct sight *s = h->sight;
    size_t rows = SIZE_MAX;
    enum err e = ERR_OK;
    s->n_work = unique_rows(s->work, s->n_work);
    if (!c->all && s->n_work > MANY_ROWS) e = count_rows(h, c->no, &rows, why);
    if (e == ERR_OK && (c->all || rows / 8 < s->n_work)) return sight_mask_case(h, c->no, s->work, s->n_work, why);
    for (size_t i = 0; e == ERR_OK && i < s->n_work; i++) e = sight_mask_row(h, &s->work[i], why);
    return e;
}

/* A conflict follows its row: rows whose mask moved bring the conflicts about them into the work. */
static enum err follow_conflicts(struct hub *h, int64_t case_no, struct why *why)
{
    struct sight *s = h->sight;
    size_t n = s->n_work;
    bool any = false;
    enum err e = any_conflict(h, case_no, &any, why);
    for (size_t i = 0; e == ERR_OK && any && i < n; i++)
        if (s->work[i].old_mask != s->work[i].new_mask) e = add_conflicts_about(h, &s->work[i], why);
    for (size_t i = n; e == ERR_OK && i < s->n_work; i++) e = sight_mask_row(h, &s->work[i], why);
    if (e == ERR_OK && s->n_work > n) s->n_work = unique_rows(s->work, s->n_work);
    return e;
}

static enum err gather(struct hub *h, const struct sight_case *c, const struct sight_row *rows, size_t n,
                       struct why *why)
{
    enum err e = ERR_OK;
    h->sight->n_work = 0;
    if (c->all) e = sight_all_rows(h, c->no, why);
    for (size_t i = 0; e == ERR_OK && !c->all && i < n; i++) e = add_work(h, &rows[i], why);
    if (e == ERR_OK && c->consents && !c->all) e = add_consent_rows(h, c->no, why);
    if (e == ERR_OK) e = ask_masks(h, c, why);
    return e == ERR_OK && !c->all ? follow_conflicts(h, c->no, why) : e;
}

/* ------------------------------------------------------------------------------------------- what was lost to whom */

static bool lost_bits(int64_t old, int64_t new_)
{
    return (old & ~new_) != 0;
}

static enum err lose(struct hub *h, const struct sight_row *r, const struct sight_seat *seat, struct why *why)
{
    bool before = (r->old_mask & seat->old_mask) != 0, after = (r->new_mask & seat->new_mask) != 0;
    return before && !after ? sight_drop_lost(h, r, seat, why) : ERR_OK;
}

/* Rows whose masks lost a bit, for the seats that lost none. */
static enum err losses_by_row(struct hub *h, struct why *why)
{
    struct sight *s = h->sight;
    enum err e = ERR_OK;
    for (size_t i = 0; i < s->n_work; i++) {
        if (!lost_bits(s->work[i].old_mask, s->work[i].new_mask)) continue;
        for (size_t j = 0; e == ERR_OK && j < s->n_seats; j++)
            if (!lost_bits(s->seats[j].old_mask, s->seats[j].new_mask)) e = lose(h, &s->work[i], &s->seats[j], why);
    }
    return e;
}

static enum err lose_row_by_seats(struct hub *h, struct stmt *q, struct why *why)
{
    struct sight *s = h->sight;
    struct sight_row r = {.no = db_int(q, 0),
                          .case_no = db_int(q, 1),
                          .tbl = (int)db_int(q, 2),
                          .old_mask = db_int(q, 4),
                          .mask_version = db_int(q, 5)};
    enum err e = db_id(q, 3, r.id) ? ERR_OK : why_set(why, ERR_TAMPERED, "The hub's list of rows is damaged.");
    const struct sight_row *moved = s->n_work == 0 ? NULL : bsearch(&r, s->work, s->n_work, sizeof r, sight_row_order);
    r.new_mask = moved == NULL ? r.old_mask : moved->new_mask;
    for (size_t j = 0; e == ERR_OK && j < s->n_seats; j++)
        if (lost_bits(s->seats[j].old_mask, s->seats[j].new_mask)) e = lose(h, &r, &s->seats[j], why);
    return e;
}

/* Seats that lost a bit: every row of the case that one of them could see. */
static enum err losses_by_seat(struct hub *h, int64_t case_no, struct why *why)
{
    struct sight *s = h->sight;
    struct stmt *q;
    bool row = false;
    int64_t seen = 0;
    for (size_t j = 0; j < s->n_seats; j++)
        if (lost_bits(s->seats[j].old_mask, s->seats[j].new_mask)) seen |= s->seats[j].old_mask;
    if (seen == 0) return ERR_OK;
    enum err e = db_prepare(h->db,
                            "SELECT no, case_no, tbl, id, mask, mask_version FROM h_row"
                            " WHERE case_no = $1 AND (mask & $2) <> 0",
                            &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, case_no);
    db_bind_int(q, 2, seen);
    while ((e = db_step(q, &row, why)) == ERR_OK && row)
        if ((e = lose_row_by_seats(h, q, why)) != ERR_OK) break;
    db_done(q);
    return e;
}

/* ------------------------------------------------------------------------------------------------- writing it down */

/* The mask that ends becomes history. Not the nothing that a row has before its first one, which is most of what an
 * import would write. */
static enum err archive_mask(struct hub *h, const struct sight_row *r, struct why *why)
{
    struct stmt *q;
    if (r->fresh) return ERR_OK;
    enum err e = db_prepare(h->db,
                            "INSERT INTO h_mask(row_no, version, mask) SELECT no, mask_version, mask FROM h_row"
                            " WHERE no = $1 AND mask_version < $2",
                            &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, r->no);
    db_bind_int(q, 2, h->version);
    return db_run(q, why);
}

static enum err write_mask(struct hub *h, const struct sight_row *r, struct why *why)
{
    struct stmt *q;
    enum err e = archive_mask(h, r, why);
    if (e == ERR_OK) /* a fresh row bears this version everywhere already: its index entry stays as it is */
        e = db_prepare(h->db,
                       r->fresh ? "UPDATE h_row SET mask = $1 WHERE no = $2"
                                : "UPDATE h_row SET mask = $1, mask_version = $3, version = $3 WHERE no = $2",
                       &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, r->new_mask);
    db_bind_int(q, 2, r->no);
    if (!r->fresh) db_bind_int(q, 3, h->version);
    return db_run(q, why);
}

static enum err write_seat(struct hub *h, const struct sight_case *c, const struct sight_seat *seat, struct why *why)
{
    struct stmt *q;
    int64_t case_no = c->no, news = c->turn == 0 || sight_gains(h->sight, seat) ? h->version : seat->news;
    int64_t version = seat->new_mask == seat->old_mask && !seat->is_new ? seat->version : h->version;
    /* What a lost hub had taken in may be held for want of that. */
    if (sight_gains(h->sight, seat) || seat->new_access > seat->old_access) restore_came(h);
    enum err e =
        db_prepare(h->db,
                   "INSERT INTO h_seat(site_no, case_no, mask, access, version, news) VALUES ($1, $2, $3, $4, $5, $6)"
                   " ON CONFLICT(site_no, case_no) DO UPDATE SET mask = $3, access = $4, version = $5, news = $6",
                   &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, seat->site_no);
    db_bind_int(q, 2, case_no);
    db_bind_int(q, 3, seat->new_mask);
    db_bind_int(q, 4, seat->new_access);
    db_bind_int(q, 5, version);
    db_bind_int(q, 6, news);
    e = db_run(q, why);
    if (e == ERR_OK)
        e = db_prepare(h->db,
                       "INSERT INTO h_seat_log(site_no, case_no, version, mask, access) VALUES ($1, $2, $3, $4, $5)",
                       &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, seat->site_no);
    db_bind_int(q, 2, case_no);
    db_bind_int(q, 3, h->version);
    db_bind_int(q, 4, seat->new_mask);
    db_bind_int(q, 5, seat->new_access);
    return db_run(q, why);
}

/* For the sites that see something of what changed: a site that is told of a case by what is hidden from it would look
 * through all its cases again and again, and find nothing. */
static enum err write_news(struct hub *h, int64_t case_no, int64_t changed, struct why *why)
{
    struct stmt *q;
    enum err e = db_prepare(h->db, "UPDATE h_case SET news = $1 WHERE no = $2", &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, h->version);
    db_bind_int(q, 2, case_no);
    e = db_run(q, why);
    if (e == ERR_OK) /* its seats are written already */
        e = db_prepare(h->db,
                       "UPDATE h_site SET news = $1 WHERE no IN (SELECT t.site_no FROM h_seat t WHERE t.case_no = $2"
                       " AND (t.mask & $3) <> 0)",
                       &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, h->version);
    db_bind_int(q, 2, case_no);
    db_bind_int(q, 3, changed);
    return db_run(q, why);
}

/* A case that is put under another policy has news for those who see a row of it that they did not see: the rows
 * themselves say what they said. */
static enum err write_gains(struct hub *h, const struct sight_case *c, struct why *why)
{
    struct sight *s = h->sight;
    struct stmt *q;
    enum err e = ERR_OK;
    h->moved = true;
    for (size_t j = 0; e == ERR_OK && j < s->n_seats; j++) {
        if (!sight_gains(s, &s->seats[j])) continue;
        e = db_prepare(h->db, "UPDATE h_seat SET news = $1 WHERE site_no = $2 AND case_no = $3", &q, why);
        if (e != ERR_OK) break;
        db_bind_int(q, 1, h->version);
        db_bind_int(q, 2, s->seats[j].site_no);
        db_bind_int(q, 3, c->no);
        e = db_run(q, why);
    }
    return e;
}

static enum err write_case(struct hub *h, const struct sight_case *c, struct why *why)
{
    struct sight *s = h->sight;
    bool moved = false;
    int64_t changed = c->content && c->all ? INT64_MAX : 0; /* channels of what changed */
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < s->n_work; i++) {
        const struct sight_row *r = &s->work[i];
        if (c->content || r->old_mask != r->new_mask) changed |= r->old_mask | r->new_mask;
        if (r->old_mask != r->new_mask) e = write_mask(h, r, why);
    }
    for (size_t j = 0; e == ERR_OK && j < s->n_seats; j++) {
        const struct sight_seat *seat = &s->seats[j];
        if (seat->old_mask == seat->new_mask && seat->old_access == seat->new_access) continue;
        moved = true;
        e = write_seat(h, c, seat, why);
    }
    if (!moved && !c->content && changed == 0) return e;
    h->moved = true;
    if (c->turn != 0) return e == ERR_OK ? write_gains(h, c, why) : e;
    return e == ERR_OK && (c->content || changed != 0) ? write_news(h, c->no, changed, why) : e;
}

/* Of a case under one policy, no more than what may have moved. */
static enum err ask_case(struct hub *h, const struct sight_case *c, const struct sight_row *rows, size_t n, int policy,
                         struct why *why)
{
    h->sight->views = policy == CASE_COMING ? VIEWS_COMING : VIEWS_IN_FORCE;
    enum err e = gather(h, c, rows, n, why);
    if (e == ERR_OK) e = sight_mask_seats(h, c->no, c->seats || c->all, why);
    h->sight->views = VIEWS_IN_FORCE;
    return e;
}

/* Drops come before the histories are written, because they ask what could be seen until now. */
static enum err settle_case(struct hub *h, struct sight_case *c, const struct sight_row *rows, size_t n, struct why *why)
{
    int policy = CASE_IN_FORCE;
    enum err e = retention_touched(h, c, rows, n, why);
    if (e == ERR_OK) e = sight_policy_of(h, c->no, &policy, why);
    if (e != ERR_OK) return e;
    if (c->turn != 0)
        e = sight_turn(h, c, policy, why);
    else if (policy == CASE_BOTH || h->policy_own)
        e = sight_whole_case(h, c->no, policy, why);
    else
        e = ask_case(h, c, rows, n, policy, why);
    if (e == ERR_OK) e = losses_by_row(h, why);
    if (e == ERR_OK) e = losses_by_seat(h, c->no, why);
    if (e == ERR_OK) e = write_case(h, c, why);
    return e == ERR_OK ? ends_settle(h, c, why) : e;
}

/* ---------------------------------------------------------------------------------------------------- whole steps */

static enum err add_every_case(struct hub *h, struct why *why)
{
    struct sight *s = h->sight;
    struct stmt *q;
    bool row = false;
    enum err e =
        db_exec(h->db,
                "INSERT INTO case_voice(case_id, agency) SELECT c.case_id, a.agency"
                " FROM conflict c JOIN main.conflict_author a ON a.conflict_id = c.id WHERE true ON CONFLICT DO NOTHING",
                why);
    if (e == ERR_OK) e = db_prepare(h->db, "SELECT no FROM h_case", &q, why);
    if (e != ERR_OK) return e;
    while ((e = db_step(q, &row, why)) == ERR_OK && row) {
        if ((e = sight_grow(&s->cases, &s->cap_cases, s->n_cases, sizeof *s->cases, why)) != ERR_OK) break;
        s->cases[s->n_cases++] = (struct sight_case){.no = db_int(q, 0), .all = true};
    }
    db_done(q);
    return e;
}

enum err sight_settle(struct hub *h, struct why *why)
{
    struct sight *s = h->sight;
    if (!s->open) return why_set(why, ERR_FAILED, "There is no step of the hub's order to settle.");
    enum err e = s->all ? add_every_case(h, why) : ERR_OK;
    s->n_rows = unique_rows(s->rows, s->n_rows);
    s->n_cases = merge_cases(s->cases, s->n_cases);
    if (e == ERR_OK) e = decided_note(h, why);
    for (size_t i = 0, r = 0; e == ERR_OK && i < s->n_cases; i++) {
        size_t from = r;
        while (r < s->n_rows && s->rows[r].case_no == s->cases[i].no) r++;
        e = settle_case(h, &s->cases[i], s->rows + from, r - from, why);
    }
    if (e == ERR_OK) e = sight_drop_named(h, why);
    sight_forget(h);
    return e;
}

enum err sight_settle_all(struct hub *h, struct why *why)
{
    if (!h->sight->open) return why_set(why, ERR_FAILED, "There is no step of the hub's order to settle.");
    h->sight->all = true;
    return sight_settle(h, why);
}
