/* Re-applying what the devices of a lost hub returned: in the old order, under the old verdicts; then the hub opens.
 * One transaction a batch, so that one that is stopped goes on where it was. */
#include "hub/budget.h"
#include "hub/intake.h"
#include "hub/log.h"
#include "hub/people.h"
#include "hub/restore_internal.h"
#include "hub/sight.h"

#include <stdio.h>
#include <string.h>

#define BATCH 100u /* events of one transaction */

static void event_init(struct restore_event *ev)
{
    *ev = (struct restore_event){0};
    buf_init(&ev->reason, 1u << 20);
    buf_init(&ev->item, 80u << 20);
    buf_init(&ev->cose, 8u << 20);
}

static void event_release(struct restore_event *ev)
{
    buf_release(&ev->reason);
    buf_release(&ev->item);
    buf_release(&ev->cose);
}

/* Of a device that reported late, or of all: the lowest in the old order. */
#define WHOSE "(SELECT state FROM h_awaited a WHERE a.node_no = o.node_no) = 'reported'"

static enum err next_event(struct hub *h, struct restore_event *ev, bool *out_found, struct why *why)
{
    struct stmt *s;
    enum err e =
        db_prepare(h->db,
                   "SELECT o.node_no, o.seq, o.version, o.verdict, o.hash, o.received_at, o.reason, r.item, r.cose "
                   "FROM h_outcome o LEFT JOIN h_returned r ON r.node_no = o.node_no AND r.seq = o.seq AND r.hash = o.hash "
                   "WHERE o.done = 0 AND " WHOSE " ORDER BY o.done, o.version, o.node_no, o.seq LIMIT 1",
                   &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, out_found, why);
    if (e == ERR_OK && *out_found) {
        ev->node_no = db_int(s, 0);
        ev->seq = db_int(s, 1);
        ev->was = (struct recorded){
            .version = db_int(s, 2), .verdict = (enum verdict)db_int(s, 3), .received_at = db_int(s, 5)};
        if (db_bytes(s, 4).n == HASH_BYTES) memcpy(ev->was.hash, db_bytes(s, 4).p, HASH_BYTES);
        buf_put_bytes(&ev->reason, db_bytes(s, 6));
        buf_put_bytes(&ev->item, db_bytes(s, 7));
        buf_put_bytes(&ev->cose, db_bytes(s, 8));
        ev->was.reason = buf_bytes(&ev->reason);
        if (ev->reason.err != ERR_OK || ev->item.err != ERR_OK || ev->cose.err != ERR_OK)
            e = why_set(why, ERR_NOMEM, "There is not enough memory to take in what a device returned.");
    }
    db_done(s);
    return e;
}

/* The step that follows shall have this number, if the order has not come to it. */
static enum err version_before(struct hub *h, int64_t version, struct why *why)
{
    struct stmt *s;
    bool before = false;
    enum err e = db_prepare(h->db, "UPDATE h_counter SET value = $1 WHERE name = 'version' AND value < $1 RETURNING value", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, version - 1);
    e = db_step(s, &before, why);
    db_done(s);
    if (e == ERR_OK && before) h->version = version - 1;
    return e;
}

/* Cuts that were given before that step, at their place: what must be forgotten is ordered from those who had it. */
static enum err give_cuts(struct hub *h, int64_t before, struct why *why)
{
    static const char *const sql[] = {
        "INSERT INTO h_cut(name, node_no, lo, hi, pos, pos_from, at, served_at, schema, schema_lo) SELECT name, node_no, lo, hi, "
        "pos, pos_from, at, served_at, schema, schema_lo FROM h_cut_back WHERE at < $1 ON CONFLICT DO NOTHING",
        "DELETE FROM h_cut_back WHERE at < $1"};
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < 2; i++) {
        struct stmt *s;
        e = db_prepare(h->db, sql[i], &s, why);
        if (e != ERR_OK) break;
        db_bind_int(s, 1, before);
        e = db_run(s, why);
    }
    return e;
}

/* At the time of its receipt, and never earlier than what was re-applied before it. */
static enum err at_its_time(struct hub *h, const struct restore_event *ev, struct why *why)
{
    struct stmt *s;
    bool row = false;
    int64_t now = 0;
    enum err e = db_prepare(h->db, "SELECT now FROM policy_now", &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) now = db_int(s, 0);
    db_done(s);
    return e == ERR_OK ? sight_sweep_at(h, ev->was.received_at > now ? ev->was.received_at : now, why) : e;
}

static enum err standing(struct hub *h, const struct restore_event *ev, enum verdict *out, bool *out_found, bool *out_same, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, "SELECT verdict, hash FROM h_envelope WHERE node_no = $1 AND seq = $2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, ev->node_no);
    db_bind_int(s, 2, ev->seq);
    e = db_step(s, out_found, why);
    if (e == ERR_OK && *out_found) *out = (enum verdict)db_int(s, 0);
    *out_same = e == ERR_OK && *out_found && bytes_equal(db_bytes(s, 1), bytes_of(ev->was.hash, HASH_BYTES));
    db_done(s);
    return e;
}

/* Held work that was decided: by whose word is in that one's chain, and was carried out with it, if it came back. */
static enum err decide_later(struct hub *h, const struct restore_event *ev, enum verdict stands, struct why *why)
{
    bool taken = ev->was.verdict == VERDICT_APPLIED || ev->was.verdict == VERDICT_MERGED;
    struct again_before before;
    struct hub_node unused = {0};
    struct why detail = {0};
    bool done = false;
    enum err e = ERR_OK;
    /* One that cannot be carried out now waits still, and follows like all that had been taken in. */
    if (taken && (stands == VERDICT_HELD || stands == VERDICT_WAITS)) e = restore_mark_taken(h, ev->node_no, (uint64_t)ev->seq, why);
    if (e != ERR_OK || stands != VERDICT_HELD || (!taken && ev->was.verdict != VERDICT_DISMISSED)) return e;
    e = again_begin(h, &unused, &before, why);
    if (e != ERR_OK) return e;
    return again_after(h, intake_decide(h, ev->node_no, (uint64_t)ev->seq, taken, &detail), &before, &unused, &detail, &done, why);
}

/* Another change than the note tells of, under its number. */
static enum err event_other(struct hub *h, struct restore_event *ev, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db, "SELECT hash, cose, item FROM h_returned WHERE node_no = $1 AND seq = $2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, ev->node_no);
    db_bind_int(s, 2, ev->seq);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row && db_bytes(s, 0).n == HASH_BYTES) {
        memcpy(ev->was.hash, db_bytes(s, 0).p, HASH_BYTES);
        buf_put_bytes(&ev->cose, db_bytes(s, 1));
        buf_put_bytes(&ev->item, db_bytes(s, 2));
        if (ev->cose.err != ERR_OK || ev->item.err != ERR_OK)
            e = why_set(why, ERR_NOMEM, "There is not enough memory to take in what a device returned.");
    }
    db_done(s);
    return e;
}

static enum err first_time(struct hub *h, struct restore_event *ev, struct why *why)
{
    struct hub_node n;
    enum err e = nodes_by_no(h, ev->node_no, &n, why);
    if (e != ERR_OK) return e;
    if (ev->cose.len == 0) { /* its device did not keep it, or signed two: it stops nobody */
        e = event_other(h, ev, why);
        if (e != ERR_OK || ev->cose.len == 0) return e == ERR_OK ? again_count(h, ev->node_no, why) : e;
        e = again_aside(h, &n, ev, "The hub that was lost had taken in another change of this number from this device.", why);
        return e == ERR_OK ? nodes_save(h, &n, why) : e;
    }
    e = again_take(h, &n, ev, why);
    if (e == ERR_OK) e = nodes_save(h, &n, why);
    return e == ERR_OK && ev->was.verdict == VERDICT_DISMISSED ? decide_later(h, ev, VERDICT_HELD, why) : e;
}

static enum err event_done(struct hub *h, const struct restore_event *ev, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(
        h->db, "UPDATE h_outcome SET done = 1 WHERE node_no = $1 AND seq = $2 AND version = $3 AND verdict = $4", &s,
        why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, ev->node_no);
    db_bind_int(s, 2, ev->seq);
    db_bind_int(s, 3, ev->was.version);
    db_bind_int(s, 4, (int64_t)ev->was.verdict);
    return db_run(s, why);
}

static enum err one_event(struct hub *h, bool *out_found, struct why *why)
{
    struct restore_event ev;
    enum verdict stands = VERDICT_FAULT;
    bool there = false, same = false;
    event_init(&ev);
    enum err e = next_event(h, &ev, out_found, why);
    if (e != ERR_OK || !*out_found) goto out;
    e = give_cuts(h, ev.was.version, why);
    if (e == ERR_OK && h->gathering) e = at_its_time(h, &ev, why);
    if (e == ERR_OK) e = version_before(h, ev.was.version, why);
    if (e == ERR_OK) e = standing(h, &ev, &stands, &there, &same, why);
    if (e == ERR_OK) e = !there ? first_time(h, &ev, why) : same ? decide_later(h, &ev, stands, why) : ERR_OK; /* of another change under its number */
    if (e == ERR_OK) e = event_done(h, &ev, why);
    if (e == ERR_OK && h->gathering) e = step_time_note(h, why);
out:
    event_release(&ev);
    return e;
}

/* ------------------------------------------------------------------------------------ what has no note, and the end */

/* Acknowledged before devices kept notes: judged anew, each in its chain. One that does not fit there is kept as a
 * fault. */
static enum err one_without_note(struct hub *h, bool *out_found, struct why *why)
{
    struct stmt *s;
    struct why detail = {0};
    struct again_before before;
    struct restore_event ev;
    struct hub_node n;
    bool done = false;
    event_init(&ev);
    enum err e =
        db_prepare(h->db,
                   "SELECT o.node_no, o.seq, o.item, o.cose, o.hash FROM h_returned o WHERE " WHOSE " AND NOT EXISTS(SELECT 1 FROM "
                   "h_envelope v WHERE v.node_no = o.node_no AND v.seq = o.seq) ORDER BY o.node_no, o.seq LIMIT 1",
                   &s, why);
    if (e != ERR_OK) goto out;
    e = db_step(s, out_found, why);
    if (e == ERR_OK && *out_found) {
        ev.node_no = db_int(s, 0);
        ev.seq = db_int(s, 1);
        ev.was.received_at = h->now_ms;
        if (db_bytes(s, 4).n == HASH_BYTES) memcpy(ev.was.hash, db_bytes(s, 4).p, HASH_BYTES);
        buf_put_bytes(&ev.item, db_bytes(s, 2));
        buf_put_bytes(&ev.cose, db_bytes(s, 3));
    }
    db_done(s);
    if (e != ERR_OK || !*out_found) goto out;
    e = nodes_by_no(h, ev.node_no, &n, why);
    if (e == ERR_OK) e = again_begin(h, &n, &before, why);
    if (e != ERR_OK) goto out;
    enum err judged = ERR_REFUSED; /* later ones of it may have had notes, and be in their places */
    if (ev.item.len > 0)
        judged = (uint64_t)ev.seq <= n.last_seq ? intake_as_recorded(h, &n, buf_bytes(&ev.item), NULL, &detail)
                                                : intake_envelope(h, &n, buf_bytes(&ev.item), &detail);
    e = again_after(h, judged, &before, &n, &detail, &done, why);
    if (e == ERR_OK && !done) e = again_aside(h, &n, &ev, detail.text, why);
    if (e == ERR_OK) e = nodes_save(h, &n, why);
out:
    event_release(&ev);
    return e;
}

/* What was ordered and is seen again needs no forgetting: it is told whole. What was ordered before and not confirmed
 * is ordered anew, for the confirmation may be lost; once, where two orders are about one row. */
static const char orders_sql[] =
    "DELETE FROM h_drop WHERE receipt_at IS NULL AND request IS NOT NULL AND EXISTS(SELECT 1 FROM h_drop d WHERE d.node_no = "
    "h_drop.node_no AND d.row_no = h_drop.row_no AND (d.no > h_drop.no OR d.request IS NULL)) AND node_no IN (SELECT node_no FROM "
    "h_awaited WHERE state = 'reported');"
    "DELETE FROM h_drop WHERE (request IS NULL OR (receipt_at IS NULL AND node_no IN (SELECT node_no FROM h_awaited WHERE state = "
    "'reported'))) AND EXISTS(SELECT 1 FROM h_row r JOIN h_node n ON n.no = h_drop.node_no JOIN h_seat s ON "
    "s.site_no = n.site_no AND s.case_no = r.case_no WHERE r.no = h_drop.row_no AND r.gone = 0 AND (r.mask & s.mask) <> 0);"
    "UPDATE h_drop SET request = NULL WHERE receipt_at IS NULL AND request IS NOT NULL AND NOT EXISTS(SELECT 1 FROM h_drop d WHERE "
    "d.node_no = h_drop.node_no AND d.row_no = h_drop.row_no AND (d.no > h_drop.no OR d.request IS NULL)) AND NOT EXISTS(SELECT 1 FROM "
    "h_row r JOIN h_node n ON n.no = h_drop.node_no JOIN h_seat s ON s.site_no = n.site_no AND s.case_no = r.case_no WHERE "
    "r.no = h_drop.row_no AND r.gone = 0 AND (r.mask & s.mask) <> 0) AND node_no IN (SELECT node_no FROM h_awaited WHERE state = 'reported');"
    /* So is what was confirmed but for parked work: that nothing is left of it the lost hub may have been told. What is
     * parked still the new order's receipt says. */
    "UPDATE h_drop SET request = NULL, receipt_at = NULL WHERE receipt_at IS NOT NULL AND EXISTS(SELECT 1 FROM h_drop_order o WHERE "
    "o.node_no = h_drop.node_no AND o.request = h_drop.request AND o.parked > 0) AND NOT EXISTS(SELECT 1 FROM h_drop d WHERE "
    "d.node_no = h_drop.node_no AND d.row_no = h_drop.row_no AND (d.no > h_drop.no OR d.request IS NULL)) AND NOT EXISTS(SELECT 1 FROM "
    "h_row r JOIN h_node n ON n.no = h_drop.node_no JOIN h_seat s ON s.site_no = n.site_no AND s.case_no = r.case_no WHERE "
    "r.no = h_drop.row_no AND r.gone = 0 AND (r.mask & s.mask) <> 0) AND node_no IN (SELECT node_no FROM h_awaited WHERE state = 'reported');"
    "UPDATE h_drop_order SET parked = 0 WHERE parked > 0 AND node_no IN (SELECT node_no FROM h_awaited WHERE state = 'reported');";

/* What lay aside goes, content and all. Rows that devices hold and the hub does not know are remembered: they may
 * come yet. */
static const char sweep_sql[] =
    "UPDATE h_awaited SET strange = (SELECT count(*) FROM h_holds o WHERE o.node_no = h_awaited.node_no AND NOT EXISTS(SELECT 1 FROM "
    "h_row r WHERE r.id = o.id AND r.tbl = o.tbl)) WHERE state = 'reported';"
    "DELETE FROM h_holds WHERE node_no IN (SELECT node_no FROM h_awaited WHERE state = 'reported') AND EXISTS(SELECT 1 FROM h_row r "
    "WHERE r.id = h_holds.id AND r.tbl = h_holds.tbl);"
    "DELETE FROM h_returned WHERE node_no IN (SELECT node_no FROM h_awaited WHERE state = 'reported');"
    "DELETE FROM h_outcome WHERE node_no IN (SELECT node_no FROM h_awaited WHERE state = 'reported');"
    "DELETE FROM h_return_load WHERE node_no IN (SELECT node_no FROM h_awaited WHERE state = 'reported');"
    "UPDATE h_awaited SET state = 'applied' WHERE state = 'reported';";

static enum err set_state(struct hub *h, struct why *why)
{
    struct stmt *s;
    struct awaited_left {
        bool any;
    } left = {0};
    enum err e =
        db_prepare(h->db,
                   "SELECT 1 FROM h_awaited a JOIN h_node n ON n.no = a.node_no WHERE a.state <> 'applied' AND "
                   "n.state IN ('enrolled', 'waiting') LIMIT 1",
                   &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, &left.any, why);
    db_done(s);
    if (e == ERR_OK)
        e = db_prepare(h->db,
                       "UPDATE h_epoch SET state = $1, mark = CASE WHEN opened_at IS NULL THEN $2 ELSE mark END, "
                       "opened_at = coalesce(opened_at, $3), secret = CASE WHEN $1 = 'done' THEN NULL ELSE secret END "
                       "WHERE epoch = (SELECT max(epoch) FROM h_epoch)",
                       &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, left.any ? "open" : "done");
    db_bind_int(s, 2, h->version);
    db_bind_int(s, 3, env_now(h->env));
    return db_run(s, why);
}

/* New steps come after all that was. */
static enum err version_after_all(struct hub *h, struct why *why)
{
    struct stmt *s;
    bool row = false;
    int64_t last = 0;
    enum err e = db_prepare(
        h->db,
        "SELECT max(v) FROM (SELECT max(version) AS v FROM h_outcome UNION ALL SELECT max(at) AS v FROM h_cut "
        "UNION ALL SELECT max(at) AS v FROM h_cut_back) AS x",
        &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) last = db_int(s, 0);
    db_done(s);
    return e == ERR_OK ? version_before(h, last + 1, why) : e;
}

static enum err finish(struct hub *h, struct why *why)
{
    bool first = h->gathering;
    enum err e = version_after_all(h, why);
    if (e == ERR_OK) e = give_cuts(h, INT64_MAX, why);
    /* What had no note came after all others, also after those who built on it. */
    if (e == ERR_OK) e = first ? restore_follow(h, why) : restore_follow_due(h, why);
    if (e == ERR_OK) e = holds_settle(h, why);
    if (e == ERR_OK) e = budget_told_again(h, why);
    if (e == ERR_OK) e = db_exec(h->db, orders_sql, why);
    if (e == ERR_OK) e = db_exec(h->db, sweep_sql, why);
    if (e == ERR_OK) e = set_state(h, why);
    if (e == ERR_OK && first)
        e = people_act(h, "restore opened", NULL,
                       "What devices returned was re-applied; the hub judges and shows again.", why);
    if (e == ERR_OK) h->moved = true;
    return e;
}

/* Within the transaction. *out_more: there is more to do. */
static enum err batch(struct hub *h, size_t most, bool *out_more, struct why *why)
{
    bool found = true;
    enum err e = ERR_OK;
    size_t n = 0;
    while (e == ERR_OK && n < most && found) {
        e = one_event(h, &found, why);
        if (e == ERR_OK && !found) e = one_without_note(h, &found, why);
        n += found;
    }
    *out_more = found;
    /* Others may have built on what a late device brought, or taken it back: a share, for one. That follows in the same
     * transaction, so that nobody is shown what stood between. Before the hub opens it is asked once, at the end. */
    if (n > 0) restore_came(h);
    if (e != ERR_OK) return e;
    return found ? restore_follow_due(h, why) : finish(h, why);
}

enum err hub_restore_continue(struct hub *h, size_t most, bool *out_done, struct why *why)
{
    bool more = true;
    enum err e = ERR_OK;
    *out_done = false;
    for (size_t n = 0; e == ERR_OK && more && n < most; n += BATCH) {
        e = hub_begin(h, why);
        if (e != ERR_OK) return e;
        if (h->gathering && !h->applying) e = awaited_ready(h, why); /* somebody may have been revoked since */
        if (e == ERR_OK && !h->applying) {
            hub_abort(h);
            *out_done = true;
            return ERR_OK;
        }
        h->replaying = true;
        if (e == ERR_OK) e = batch(h, most - n < BATCH ? most - n : BATCH, &more, why);
        h->replaying = false;
        if (e == ERR_OK)
            e = hub_commit(h, why);
        else
            hub_abort(h);
    }
    *out_done = e == ERR_OK && !more;
    return e;
}
