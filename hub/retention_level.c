/* How far a closed case has left: hub/RETENTION.md, "The times". What is due, and what a change does to it. */
#include "hub/people.h"
#include "hub/retention_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DAY_MS    (24LL * 60 * 60 * 1000)
#define HOUR_MS   (60LL * 60 * 1000)
#define PREPARE   1000 /* envelopes looked through in one transaction */
#define NOTICE_MS (RETENTION_NOTICE_DAYS * DAY_MS)
#define AWAY_MS   (7 * DAY_MS) /* a hub that was off for longer, or a clock that jumped by more */

struct kept {
    int64_t case_no;
    uint8_t case_id[16];
    int64_t level, closed_at, base, told_at, hold_until;
    bool closed, found; /* found: it is in h_retention */
    bool held, unsettled, awaits;
};

/* What shall be, from now on. due 0: not before something moves. */
struct judged {
    int64_t level, told_at, due;
    bool erase;
};

static void sooner(int64_t *due, int64_t at, int64_t now)
{
    if (at > now && (*due == 0 || at < *due)) *due = at;
}

static struct judged judge(const struct retention_days *d, const struct kept *k, int64_t now)
{
    struct judged j = {.level = LEVEL_ALL};
    int64_t partners = k->closed_at + d->partners * DAY_MS, lead = k->base + d->lead * DAY_MS, end = k->base + d->erase * DAY_MS;
    if (k->held || k->hold_until > now) { /* it goes no further; and not back to whom it has left, but to the keepers */
        j.level = k->level < LEVEL_KEEPERS ? k->level : LEVEL_KEEPERS;
        j.due = k->held ? 0 : k->hold_until;
        return j;
    }
    if (d->partners > 0 && now >= partners) j.level = LEVEL_KEEPERS;
    if (d->lead > 0 && now >= lead && !k->unsettled) j.level = LEVEL_NOBODY;
    if (d->partners > 0) sooner(&j.due, partners, now);
    if (d->lead > 0) sooner(&j.due, lead, now);
    if (d->erase == 0) return j;
    if (now >= end - NOTICE_MS) j.told_at = k->told_at != 0 ? k->told_at : now; /* a later time is announced anew */
    if (j.told_at != 0 && end < j.told_at + NOTICE_MS) end = j.told_at + NOTICE_MS;
    j.erase = j.told_at != 0 && now >= end && !k->unsettled;
    sooner(&j.due, j.told_at != 0 ? end : end - NOTICE_MS, now);
    if (j.erase && k->awaits) {
        j.erase = false;
        j.due = now + DAY_MS;
    }
    if (j.erase) j.due = now; /* until it is done: the power may fail before */
    return j;
}

/* -------------------------------------------------------------------------------------------------------- the store */

static enum err yes(struct stmt *s, bool *out, struct why *why)
{
    enum err e = db_step(s, out, why);
    db_done(s);
    return e;
}

/* Held work that nobody is shown, since its author has no part in the case, nobody can decide: it keeps nothing. */
enum err retention_unsettled(struct hub *h, const uint8_t case_id[16], bool *out, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db,
                            "SELECT 1 FROM h_case k WHERE k.id = $1 AND (EXISTS (SELECT 1 FROM held x WHERE x.case_id = k.id AND"
                            " x.state = 'waiting') OR EXISTS (SELECT 1 FROM conflict c WHERE c.case_id = k.id AND c.state = 'open')"
                            " OR EXISTS (SELECT 1 FROM h_part p JOIN h_envelope v ON v.node_no = p.node_no AND v.seq = p.seq"
                            " WHERE p.case_id = k.id AND (v.verdict = $3 OR (v.verdict = $2 AND EXISTS (SELECT 1 FROM h_held_case q"
                            " WHERE q.node_no = v.node_no AND q.seq = v.seq)))))",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, case_id);
    db_bind_int(s, 2, VERDICT_HELD);
    db_bind_int(s, 3, VERDICT_WAITS);
    return yes(s, out, why);
}

/* Of a hub that was put back and opened before all its devices reported: one of them may have opened the case again. */
enum err retention_awaits(struct hub *h, bool *out, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, "SELECT 1 FROM h_epoch WHERE epoch = (SELECT max(epoch) FROM h_epoch) AND state <> 'done'", &s, why);
    return e == ERR_OK ? yes(s, out, why) : e;
}

static enum err load(struct hub *h, int64_t case_no, struct kept *k, struct why *why)
{
    struct stmt *s;
    bool row = false;
    *k = (struct kept){.case_no = case_no};
    enum err e = db_prepare(h->db,
                            "SELECT k.id, r.level, r.base, r.told_at, f.status, f.hold_until, r.closed_at,"
                            " CASE WHEN EXISTS (SELECT 1 FROM h_hold x WHERE x.case_id = k.id) THEN 1 ELSE 0 END"
                            " FROM h_case k LEFT JOIN h_retention r ON r.case_no = k.no LEFT JOIN case_file f ON f.id = k.id"
                            " WHERE k.no = $1",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, case_no);
    e = db_step(s, &row, why);
    if (e == ERR_OK && (!row || !db_id(s, 0, k->case_id))) e = why_set(why, ERR_TAMPERED, "The hub's list of cases is damaged.");
    if (e == ERR_OK) {
        k->found = !db_is_null(s, 1);
        k->level = db_int(s, 1);
        k->base = db_int(s, 2);
        k->told_at = db_int(s, 3);
        k->closed = bytes_equal(db_bytes(s, 4), bytes_of_str("closed"));
        k->hold_until = db_int(s, 5);
        k->closed_at = db_int(s, 6);
        k->held = db_int(s, 7) != 0;
    }
    db_done(s);
    if (e == ERR_OK) e = retention_awaits(h, &k->awaits, why);
    return e == ERR_OK ? retention_unsettled(h, k->case_id, &k->unsettled, why) : e;
}

static enum err save(struct hub *h, const struct kept *k, const struct judged *j, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db,
                            "INSERT INTO h_retention(case_no, level, base, due, told_at, closed_at) VALUES($1, $2, $3, $4, $5, $6)"
                            " ON CONFLICT(case_no) DO UPDATE SET level = excluded.level, base = excluded.base, due = excluded.due,"
                            " told_at = excluded.told_at",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, k->case_no);
    db_bind_int(s, 2, j->level);
    db_bind_int(s, 3, k->base);
    if (j->due == 0)
        db_bind_null(s, 4);
    else
        db_bind_int(s, 4, j->due);
    if (j->told_at == 0)
        db_bind_null(s, 5);
    else
        db_bind_int(s, 5, j->told_at);
    db_bind_int(s, 6, k->closed_at);
    return db_run(s, why);
}

enum err retention_put_level(struct hub *h, int64_t case_no, enum retention_level level, struct why *why)
{
    struct kept k;
    enum err e = load(h, case_no, &k, why);
    const struct judged j = {.level = level};
    if (e == ERR_OK && !k.found) k.closed_at = k.base = h->now_ms;
    if (e == ERR_OK) e = save(h, &k, &j, why);
    return e == ERR_OK ? sight_touch_case(h, &(struct sight_case){.no = case_no, .seats = true}, why) : e;
}

static enum err forget(struct hub *h, int64_t case_no, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, "DELETE FROM h_retention WHERE case_no = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, case_no);
    return db_run(s, why);
}

static enum err level_of(struct hub *h, int64_t case_no, bool *out_found, int64_t *out, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, "SELECT level FROM h_retention WHERE case_no = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, case_no);
    e = db_step(s, out_found, why);
    *out = e == ERR_OK && *out_found ? db_int(s, 0) : LEVEL_ALL;
    db_done(s);
    return e;
}

/* ----------------------------------------------------------------------------------------------- what a change does */

/* Written on, it is the keepers' again, whom the rest counts from now for; what partners have is a matter of the
 * closing. */
static enum err written_on(struct hub *h, const struct retention_days *d, struct kept *k, struct sight_case *c, struct why *why)
{
    k->base = h->now_ms;
    k->told_at = 0;
    if (!k->found) k->closed_at = h->now_ms;
    const struct judged j = judge(d, k, h->now_ms);
    if (j.level != k->level) c->seats = true;
    return save(h, k, &j, why);
}

enum err retention_touched(struct hub *h, struct sight_case *c, const struct sight_row *rows, size_t n, struct why *why)
{
    const int file = rules_table_index(bytes_of_str("case_file"));
    struct retention_days d = {0};
    struct kept k;
    int64_t level = 0;
    bool found = false, head = false;
    if (!c->content || c->no == 0 || n == 0) return ERR_OK;
    for (size_t i = 0; i < n && !head; i++) head = rows[i].tbl == file;
    enum err e = level_of(h, c->no, &found, &level, why);
    if (e != ERR_OK || (!found && !head) || level == LEVEL_ERASED) return e;
    e = load(h, c->no, &k, why);
    if (e != ERR_OK) return e;
    if (!k.closed) {
        if (k.level > LEVEL_ALL) c->seats = true;
        return found ? forget(h, c->no, why) : ERR_OK;
    }
    e = hub_retention_get(h, &d, why);
    if (e != ERR_OK || (!found && d.partners == 0 && d.erase == 0)) return e;
    return written_on(h, &d, &k, c, why);
}

enum err retention_at_now(struct hub *h, const char *const *sql, size_t n, struct why *why)
{
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        struct stmt *s;
        e = db_prepare(h->db, sql[i], &s, why);
        if (e != ERR_OK) break;
        db_bind_int(s, 1, h->now_ms);
        e = db_run(s, why);
    }
    return e;
}

/* Wide as they are: at a hub whose time runs back, what was closed later leaves partners counted from now. Not so what
 * is counted until the erasure: a flat battery too sets a clock back, to a year long past, and once it is right again
 * all would have been closed for decades. What was written by a clock that ran ahead is kept so much longer. */
enum err retention_clock_back(struct hub *h, struct why *why)
{
    static const char *const sql[] = {"UPDATE h_retention SET closed_at = $1 WHERE closed_at > $1 AND level < 3",
                                      "UPDATE h_retention SET told_at = NULL WHERE told_at > $1 AND level < 3",
                                      "UPDATE h_retention SET due = $1 WHERE level < 3"};
    return retention_at_now(h, sql, sizeof sql / sizeof sql[0], why);
}

/* A clock that was set back and is past where it had been again: what was closed or written meanwhile bears times of a
 * year long gone, and is as old as now. From where it was set back to (h_clock) to where it was before it was put
 * right. */
static enum err from_behind(struct hub *h, struct why *why)
{
    static const char *const sql[] = {
#define BEHIND(column)                                                                                                 \
    "UPDATE h_retention SET " column " = $1, due = $1 WHERE level < 3 AND " column " <= $2 AND " column " >= (SELECT low FROM h_clock) AND " \
    "EXISTS (SELECT 1 FROM h_clock c WHERE c.high <> 0 AND c.low <= $2 AND c.high > $2 AND c.high <= $1)"
        BEHIND("closed_at"), BEHIND("base")
#undef BEHIND
    };
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < sizeof sql / sizeof sql[0]; i++) {
        struct stmt *s;
        e = db_prepare(h->db, sql[i], &s, why);
        if (e != ERR_OK) break;
        db_bind_int(s, 1, h->now_ms);
        db_bind_int(s, 2, h->was_ms);
        e = db_run(s, why);
    }
    return e;
}

enum err retention_clock_forward(struct hub *h, struct why *why)
{
    static const char *const sql[] = {"UPDATE h_retention SET told_at = $1, due = $1 WHERE told_at IS NOT NULL AND level < 3"};
    if (h->was_ms == 0 || h->now_ms - h->was_ms <= AWAY_MS) return ERR_OK;
    enum err e = from_behind(h, why);
    return e == ERR_OK ? retention_at_now(h, sql, 1, why) : e;
}

/* ----------------------------------------------------------------------------------------------------- who keeps it */

#define KEEPS                                                                                                          \
    "SELECT 1 FROM site t WHERE t.code = $2 AND (t.kind = 'mash' OR t.agency = (SELECT f.lead_agency FROM h_case k"     \
    " JOIN case_file f ON f.id = k.id WHERE k.no = $1))"

static enum err keeps(struct hub *h, int64_t case_no, const char *site, bool *out, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, KEEPS, &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, case_no);
    db_bind_str(s, 2, site);
    return yes(s, out, why);
}

static enum err seat_keeps(struct hub *h, int64_t case_no, int64_t site_no, bool *out, struct why *why)
{
    struct stmt *s;
    char code[64] = "";
    bool row = false;
    *out = false;
    enum err e = db_prepare(h->db, "SELECT code FROM h_site WHERE no = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, site_no);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) (void)snprintf(code, sizeof code, "%.*s", (int)db_bytes(s, 0).n, (const char *)db_bytes(s, 0).p);
    db_done(s);
    return e == ERR_OK && row ? keeps(h, case_no, code, out, why) : e;
}

enum err retention_narrow(struct hub *h, int64_t case_no, struct why *why)
{
    struct sight *s = h->sight;
    int64_t level = 0;
    bool found = false, any = false;
    enum err e = level_of(h, case_no, &found, &level, why);
    if (e != ERR_OK || level == LEVEL_ALL) return e;
    for (int pass = 0; pass < 2; pass++) { /* first: has it a keeper? */
        if (pass == 1 && level == LEVEL_KEEPERS && !any) break;
        for (size_t j = 0; e == ERR_OK && j < s->n_seats; j++) {
            bool keeper = false;
            if (s->seats[j].new_mask == 0 && s->seats[j].new_access == 0) continue;
            if (level == LEVEL_KEEPERS) e = seat_keeps(h, case_no, s->seats[j].site_no, &keeper, why);
            any = any || keeper;
            if (pass == 1 && !keeper) s->seats[j].new_mask = s->seats[j].new_access = 0;
        }
    }
    return e;
}

/* As it is kept: which of two policies stands, and whether there is a keeper, was asked when the seats were settled. */
enum err retention_withholds(struct hub *h, int64_t case_no, const char *site, bool *out, struct why *why)
{
    struct stmt *s;
    int64_t level = 0;
    bool found = false, keeper = false;
    *out = false;
    enum err e = level_of(h, case_no, &found, &level, why);
    if (e != ERR_OK || level == LEVEL_ALL) return e;
    if (level == LEVEL_KEEPERS) e = keeps(h, case_no, site, &keeper, why);
    if (e != ERR_OK || keeper) return e;
    if (level != LEVEL_KEEPERS) {
        *out = true;
        return ERR_OK;
    }
    e = db_prepare(h->db,
                   "SELECT 1 FROM h_seat s JOIN h_site n ON n.no = s.site_no JOIN site t ON t.code = n.code WHERE s.case_no = $1"
                   " AND s.mask <> 0 AND (t.kind = 'mash' OR t.agency = (SELECT f.lead_agency FROM h_case k JOIN case_file f ON"
                   " f.id = k.id WHERE k.no = $1)) LIMIT 1",
                   &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, case_no);
    return yes(s, out, why);
}

/* ------------------------------------------------------------------------------------------------------ what is due */

struct round {
    struct retention_days days;
    int64_t due[64]; /* cases of this transaction */
    size_t n;
    uint8_t erase[64][16]; /* of them, to be erased */
    size_t n_erase;
    uint64_t told;
};

static enum err find_due(struct hub *h, size_t most, struct round *r, struct why *why)
{
    struct stmt *s;
    bool row = false;
    const size_t room = sizeof r->due / sizeof r->due[0];
    enum err e = db_prepare(h->db, "SELECT case_no FROM h_retention WHERE due <= $1 ORDER BY due, case_no LIMIT $2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, h->now_ms);
    db_bind_int(s, 2, (int64_t)(most < room ? most : room));
    while ((e = db_step(s, &row, why)) == ERR_OK && row && r->n < room) r->due[r->n++] = db_int(s, 0);
    db_done(s);
    return e;
}

static enum err look_at(struct hub *h, int64_t case_no, struct round *r, struct why *why)
{
    struct kept k;
    enum err e = load(h, case_no, &k, why);
    if (e != ERR_OK) return e;
    if (!k.closed) return forget(h, case_no, why); /* never so: settling the step that opened it took it out */
    const struct judged j = judge(&r->days, &k, h->now_ms);
    if (j.told_at != 0 && k.told_at == 0) r->told++;
    if (j.erase) memcpy(r->erase[r->n_erase++], k.case_id, 16);
    e = save(h, &k, &j, why);
    if (e != ERR_OK || j.level == k.level) return e;
    return sight_touch_case(h, &(struct sight_case){.no = case_no, .seats = true}, why);
}

static enum err carry_out(struct hub *h, struct round *r, struct why *why)
{
    char about[80];
    enum err e = hub_retention_get(h, &r->days, why);
    if (e == ERR_OK) e = sight_step(h, why);
    for (size_t i = 0; e == ERR_OK && i < r->n; i++) e = look_at(h, r->due[i], r, why);
    if (e == ERR_OK) e = sight_settle(h, why);
    if (e != ERR_OK || r->told == 0) return e;
    (void)snprintf(about, sizeof about, "%" PRIu64 " %s", r->told, r->told == 1 ? "case" : "cases");
    return people_act(h, "erasure announced", about,
                      "They were closed long enough ago, and will be erased in 30 days. Hold what an inquiry needs: spoke-hub "
                      "retention hold.",
                      why);
}

static enum err finish(struct hub *h, enum err e, struct why *why)
{
    if (e == ERR_OK) return hub_commit(h, why);
    hub_abort(h);
    return e;
}

/* Each in a transaction of its own, and judged once more: another process may have come between. */
static enum err erase_one(struct hub *h, const uint8_t case_id[16], struct why *why)
{
    struct retention_days d;
    struct hub_case c;
    struct kept k;
    bool found = false;
    char about[37];
    enum err e = hub_begin(h, why);
    if (e != ERR_OK) return e;
    if (!h->gathering) e = sight_case(h, case_id, &c, &found, why);
    if (e == ERR_OK && found) e = load(h, c.no, &k, why);
    if (e == ERR_OK && found) e = hub_retention_get(h, &d, why);
    if (e != ERR_OK || !found || !k.closed || k.level == LEVEL_ERASED || !judge(&d, &k, h->now_ms).erase) {
        hub_abort(h);
        return e;
    }
    struct erasure what = {.at_ms = h->now_ms, .how = "retention"};
    memcpy(what.case_id, case_id, 16);
    uuid_format(case_id, about);
    e = erase_case(h, &what, why);
    if (e == ERR_OK) e = people_act(h, "erase", about, "Its time under the hub's retention had passed.", why);
    return finish(h, e, why);
}

static enum err one_batch(struct hub *h, size_t most, struct round *r, struct why *why)
{
    enum err e = hub_begin(h, why);
    if (e != ERR_OK) return e;
    if (!h->gathering) e = find_due(h, most, r, why);
    /* Where no device comes, this alone says that the hub is at work: a notice is not begun anew for it. */
    if (e == ERR_OK && r->n == 0 && !h->gathering && h->now_ms - h->was_ms > HOUR_MS) return finish(h, ERR_OK, why);
    if (e != ERR_OK || r->n == 0) {
        hub_abort(h);
        return e;
    }
    return finish(h, carry_out(h, r, why), why);
}

/* What is to be erased stays due until it is. *out_ready false: envelopes of an older program are being looked through
 * first. */
static enum err erase_all(struct hub *h, const struct round *r, bool *out_ready, struct why *why)
{
    *out_ready = true;
    if (r->n_erase == 0) return ERR_OK;
    enum err e = erase_prepare(h, PREPARE, out_ready, why);
    for (size_t i = 0; e == ERR_OK && *out_ready && i < r->n_erase; i++) e = erase_one(h, r->erase[i], why);
    return e == ERR_OK ? db_truncate_log(h->db, why) : e;
}

enum err hub_retention_continue(struct hub *h, size_t most, size_t *out_cases, bool *out_done, struct why *why)
{
    enum err e = ERR_OK;
    bool ready = true;
    size_t done = 0;
    *out_done = false;
    while (e == ERR_OK && ready && !*out_done && done < most) {
        struct round r = {0};
        e = one_batch(h, most - done, &r, why);
        if (e == ERR_OK) e = erase_all(h, &r, &ready, why);
        *out_done = e == ERR_OK && r.n == 0;
        done += r.n;
    }
    if (out_cases != NULL) *out_cases = done;
    return e;
}
