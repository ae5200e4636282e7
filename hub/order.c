/* Orders to devices: how long one may be opened without contact, and that it wipes itself. */
#include "hub/order.h"

#include "hub/log.h"
#include "hub/people.h"
#include "hub/proposal.h"

#include "base/cbor.h"

#include <stdio.h>
#include <string.h>

#define REASON_MAX 1000u
/* Hubs count orders up from 1. A device that says it had more would leave no number for the order that wipes it. */
#define MOST_BELIEVED ((uint64_t)1 << 62)

/* Signed and stored, in the place of older ones of its kind that were not carried out yet. */
static enum err put(struct hub *h, const struct hub_node *n, const struct order *m, struct why *why)
{
    struct stmt *s = NULL;
    struct buf item;
    buf_init(&item, 1u << 16);
    enum err e = message_put_order(&item, &h->id, m, why);
    if (e == ERR_OK)
        e = db_prepare(
            h->db,
            "UPDATE h_order SET done_at = $1 WHERE node_no = $2 AND kind = $3 AND number < $4 AND done_at IS "
            "NULL",
            &s, why);
    if (e == ERR_OK) {
        db_bind_int(s, 1, h->now_ms);
        db_bind_int(s, 2, n->no);
        db_bind_int(s, 3, (int64_t)m->kind);
        db_bind_int(s, 4, (int64_t)m->number);
        e = db_run(s, why);
    }
    if (e == ERR_OK)
        e = db_prepare(h->db,
                       "INSERT INTO h_order(node_no, number, kind, value, at, item) VALUES($1, $2, $3, $4, $5, $6)", &s,
                       why);
    if (e == ERR_OK) {
        db_bind_int(s, 1, n->no);
        db_bind_int(s, 2, (int64_t)m->number);
        db_bind_int(s, 3, (int64_t)m->kind);
        db_bind_int(s, 4, (int64_t)m->value);
        db_bind_int(s, 5, (int64_t)m->at_ms);
        db_bind_blob(s, 6, buf_bytes(&item));
        e = db_run(s, why);
    }
    buf_release(&item);
    return e;
}

/* Above all that were given, and above what the device says it knows: this store may be older than the device. */
static enum err next_number(struct hub *h, const struct hub_node *n, uint64_t *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db, "SELECT coalesce(max(number), 0) FROM h_order WHERE node_no = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, n->no);
    e = db_step(s, &row, why);
    uint64_t last = e == ERR_OK && row ? (uint64_t)db_int(s, 0) : 0;
    db_done(s);
    if (e == ERR_OK && (last >= INT64_MAX || n->ordered >= INT64_MAX))
        e = why_set(why, ERR_LIMIT,
                    "This device cannot be given another order: it says that it had as many as there are.");
    *out = (last > n->ordered ? last : n->ordered) + 1;
    return e;
}

static enum err give(struct hub *h, const struct hub_node *n, enum order_kind kind, uint64_t value, struct why *why)
{
    struct order m = {.kind = kind, .value = value, .at_ms = (uint64_t)h->now_ms};
    memcpy(m.node, n->id.kid, KID_BYTES);
    enum err e = next_number(h, n, &m.number, why);
    return e == ERR_OK ? put(h, n, &m, why) : e;
}

/* --------------------------------------------------------------------------------------------- administrators */

static enum err finish(struct hub *h, enum err e, struct why *why)
{
    if (e == ERR_OK) return hub_commit(h, why);
    hub_abort(h);
    return e;
}

/* Of the device's orders of this kind, the newest that stands: its value, and the time when it was carried out. */
struct standing {
    bool any, done, receipt;
    uint64_t value;
};
static enum err newest(struct hub *h, const struct hub_node *n, enum order_kind kind, struct standing *out,
                       struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e =
        db_prepare(h->db,
                   "SELECT value, CASE WHEN done_at IS NOT NULL THEN 1 ELSE 0 END, CASE WHEN EXISTS(SELECT 1 FROM h_order r "
                   "WHERE r.node_no = o.node_no AND r.kind = o.kind AND r.receipt IS NOT NULL) THEN 1 ELSE 0 END FROM h_order o WHERE node_no = $1 AND kind = $2 "
                   "ORDER BY number DESC LIMIT 1",
                   &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, n->no);
    db_bind_int(s, 2, kind);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row)
        *out = (struct standing){
            .any = true, .value = (uint64_t)db_int(s, 0), .done = db_int(s, 1) != 0, .receipt = db_int(s, 2) != 0};
    db_done(s);
    return e;
}

static enum err lease(struct hub *h, const uint8_t kid[16], uint64_t days, struct why *why)
{
    struct hub_node n;
    struct standing wipe = {0};
    char about[2 * KID_BYTES + 1], text[32];
    enum err e = nodes_by_kid(h, kid, &n, why);
    if (e == ERR_OK) e = newest(h, &n, ORDER_WIPE, &wipe, why);
    if (e == ERR_OK && wipe.any)
        e = why_set(why, ERR_DENIED, "This device is to be wiped, or was: it has no use for a lease.");
    if (e == ERR_OK) e = give(h, &n, ORDER_LEASE, days, why);
    hex_encode(about, kid, KID_BYTES);
    (void)snprintf(text, sizeof text, "%llu days", (unsigned long long)days);
    return e == ERR_OK ? admins_act(h, MAY_OPERATE, "lease", about, text, why) : e;
}

enum err hub_lease(struct hub *h, const uint8_t kid[16], uint64_t days, struct why *why)
{
    if (days == 0 || days > LEASE_MAX_DAYS) return why_set(why, ERR_USAGE, "A lease is 1 to %u days.", LEASE_MAX_DAYS);
    enum err e = hub_begin(h, why);
    return e == ERR_OK ? finish(h, lease(h, kid, days, why), why) : e;
}

/* What became of it by an administrator's word. */
static enum err fate_is(struct hub *h, const struct hub_node *n, const char *fate, bool *out, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, "SELECT 1 FROM h_fate WHERE node_no = $1 AND fate = $2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, n->no);
    db_bind_str(s, 2, fate);
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

/* An order that stands is not given again; but a device that was to retire may get lost, or be cut off. ERR_EXISTS: it
 * adds nothing. */
static enum err adds(struct hub *h, const struct hub_node *n, const struct standing *was, const char *fate, bool at_once,
                     struct why *why)
{
    bool retire = strcmp(fate, "retired") == 0, same = true;
    enum err e = fate[0] == '\0' || retire ? ERR_OK : fate_is(h, n, fate, &same, why);
    if (e != ERR_OK || (was->value == ORDER_WHEN_SENT && at_once) || !same || (!retire && !nodes_cut_off(n))) return e;
    return why_set(why, ERR_EXISTS, "This device is to be wiped already%s.",
                   was->value == ORDER_AT_ONCE ? ", at once" : "; --now would not wait for what it has not sent");
}

static enum err wipe(struct hub *h, const uint8_t kid[16], const char *fate, const char *reason, bool at_once, struct why *why)
{
    struct hub_node n;
    struct standing was = {0};
    char about[2 * KID_BYTES + 1];
    enum err e = nodes_by_kid(h, kid, &n, why);
    if (e == ERR_OK) e = newest(h, &n, ORDER_WIPE, &was, why);
    if (e == ERR_OK && was.receipt)
        e = why_set(why, ERR_EXISTS, "This device was wiped already, by its own signed word.");
    bool stands = was.any && (was.value == ORDER_AT_ONCE || !at_once);
    if (e == ERR_OK && was.any) e = adds(h, &n, &was, fate, at_once, why);
    if (e == ERR_OK && !nodes_cut_off(&n) && strcmp(fate, "retired") != 0) e = nodes_revoke(h, &n, MAY_SECURE, reason, why);
    if (e == ERR_OK && !stands) e = give(h, &n, ORDER_WIPE, at_once ? ORDER_AT_ONCE : ORDER_WHEN_SENT, why);
    if (e == ERR_OK) e = nodes_put_fate(h, &n, fate, why);
    hex_encode(about, kid, KID_BYTES);
    if (e == ERR_OK && fate[0] != '\0') e = admins_act(h, MAY_SECURE, fate, about, reason, why);
    if (e != ERR_OK || (stands && fate[0] != '\0')) return e;
    return admins_act(h, MAY_SECURE, at_once ? "wipe now" : "wipe", about, reason, why);
}

enum err hub_wipe(struct hub *h, const uint8_t kid[16], const char *reason, bool at_once, struct why *why)
{
    return hub_wipe_as(h, kid, "", reason, at_once, why);
}

enum err hub_wipe_as(struct hub *h, const uint8_t kid[16], const char *fate, const char *reason, bool at_once, struct why *why)
{
    struct bytes text = bytes_of_str(reason);
    if (text.n == 0 || text.n > REASON_MAX || !utf8_valid(text))
        return why_set(why, ERR_USAGE, "The reason has 1 to %u bytes.", REASON_MAX);
    enum err e = two_begin(h, true, why);
    return e == ERR_OK ? two_finish(h, wipe(h, kid, fate, reason, at_once, why), why) : e;
}

/* It has the same disk, and what was not sent from it: a wipe is not undone by setting the device up anew. */
static enum err inherit_wipe(struct hub *h, const struct hub_node *n, uint64_t value, struct why *why)
{
    static const char reason[] = "the device whose place it takes is to be wiped, or was";
    char about[2 * KID_BYTES + 1];
    enum err e = nodes_revoke(h, n, 0, reason, why);
    if (e == ERR_OK) e = give(h, n, ORDER_WIPE, value, why);
    hex_encode(about, n->id.kid, KID_BYTES);
    return e == ERR_OK ? people_act(h, value == ORDER_AT_ONCE ? "wipe now" : "wipe", about, reason, why) : e;
}

enum err order_inherit(struct hub *h, int64_t old_no, const uint8_t new_kid[KID_BYTES], struct why *why)
{
    struct hub_node old = {.no = old_no}, n;
    struct standing lease_of = {0}, wipe_of = {0};
    enum err e = newest(h, &old, ORDER_LEASE, &lease_of, why);
    if (e == ERR_OK) e = newest(h, &old, ORDER_WIPE, &wipe_of, why);
    if (e != ERR_OK || (!lease_of.any && !wipe_of.any)) return e;
    e = nodes_by_kid(h, new_kid, &n, why);
    if (e == ERR_OK && wipe_of.any) return inherit_wipe(h, &n, wipe_of.value, why);
    return e == ERR_OK ? give(h, &n, ORDER_LEASE, lease_of.value, why) : e;
}

/* -------------------------------------------------------------------------------------------- what devices say */

static enum err note_done(struct hub *h, const struct hub_node *n, uint64_t reported, struct why *why)
{
    struct stmt *s;
    enum err e =
        db_prepare(h->db,
                   "UPDATE h_order SET done_at = $1 WHERE node_no = $2 AND number <= $3 AND kind = $4 AND sent_at "
                   "IS NOT NULL AND done_at IS NULL",
                   &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, h->now_ms);
    db_bind_int(s, 2, n->no);
    db_bind_int(s, 3, (int64_t)reported);
    db_bind_int(s, 4, ORDER_LEASE);
    e = db_run(s, why);
    if (e == ERR_OK) e = db_prepare(h->db, "UPDATE h_node SET ordered = $1 WHERE no = $2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, (int64_t)reported);
    db_bind_int(s, 2, n->no);
    return db_run(s, why);
}

/* The lowest of those that the device would pass over as old. */
static enum err next_passed_over(struct hub *h, const struct hub_node *n, struct order *out, bool *out_found,
                                 struct why *why)
{
    struct stmt *s;
    enum err e =
        db_prepare(h->db,
                   "SELECT number, kind, value, at FROM h_order WHERE node_no = $1 AND number <= $2 AND done_at IS "
                   "NULL ORDER BY number LIMIT 1",
                   &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, n->no);
    db_bind_int(s, 2, (int64_t)n->ordered);
    e = db_step(s, out_found, why);
    if (e == ERR_OK && *out_found)
        *out = (struct order){.number = (uint64_t)db_int(s, 0),
                              .kind = (uint64_t)db_int(s, 1),
                              .value = (uint64_t)db_int(s, 2),
                              .at_ms = (uint64_t)db_int(s, 3)};
    db_done(s);
    memcpy(out->node, n->id.kid, KID_BYTES);
    return e;
}

static enum err renumber(struct hub *h, const struct hub_node *n, struct order *m, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, "DELETE FROM h_order WHERE node_no = $1 AND number = $2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, n->no);
    db_bind_int(s, 2, (int64_t)m->number);
    e = db_run(s, why);
    if (e == ERR_OK) e = next_number(h, n, &m->number, why);
    return e == ERR_OK ? put(h, n, m, why) : e;
}

enum err order_heard(struct hub *h, struct hub_node *n, uint64_t reported, struct why *why)
{
    struct order m;
    bool found = false;
    enum err e = ERR_OK;
    if (reported > MOST_BELIEVED) return why_set(why, ERR_FORMAT, "A device says that it had more orders than anybody can give.");
    if (strcmp(n->state, "wiped") == 0)
        e = nodes_note_refusal(h, n, "it was wiped, and was heard after that: by a file carried late, or a copy", why);
    if (e != ERR_OK || reported <= n->ordered) return e;
    n->ordered = reported;
    e = note_done(h, n, reported, why);
    while (e == ERR_OK) {
        e = next_passed_over(h, n, &m, &found, why);
        if (e != ERR_OK || !found) break;
        e = renumber(h, n, &m, why);
    }
    return e;
}

static const char due_sql[] =
    "FROM h_order o WHERE o.node_no = $1 AND o.number > $2 AND o.number = (SELECT max(x.number) FROM h_order x WHERE "
    "x.node_no = o.node_no AND x.kind = o.kind) ";

enum err order_pending(struct hub *h, const struct hub_node *n, uint64_t reported, bool *out, struct why *why)
{
    char sql[300];
    struct stmt *s;
    (void)snprintf(sql, sizeof sql, "SELECT 1 %sLIMIT 1", due_sql);
    enum err e = db_prepare(h->db, sql, &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, n->no);
    db_bind_int(s, 2, (int64_t)reported);
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

enum err order_each(struct hub *h, const struct hub_node *n, uint64_t reported,
                    enum err (*each)(void *ctx, struct bytes item, struct why *why), void *ctx, struct why *why)
{
    char sql[300];
    struct stmt *s;
    bool row = true;
    int64_t last = 0;
    (void)snprintf(sql, sizeof sql, "SELECT o.item, o.number %sORDER BY o.number", due_sql);
    enum err e = db_prepare(h->db, sql, &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, n->no);
    db_bind_int(s, 2, (int64_t)reported);
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        last = db_int(s, 1);
        e = each(ctx, db_bytes(s, 0), why);
        if (e != ERR_OK) break;
    }
    db_done(s);
    if (e != ERR_OK || last == 0) return e;
    e = db_prepare(
        h->db,
        "UPDATE h_order SET sent_at = $1 WHERE node_no = $2 AND number > $3 AND number <= $4 AND sent_at IS NULL", &s,
        why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, h->now_ms);
    db_bind_int(s, 2, n->no);
    db_bind_int(s, 3, (int64_t)reported);
    db_bind_int(s, 4, last);
    return db_run(s, why);
}

/* ------------------------------------------------------------------------------------------------ the last word */

static enum err not_ordered(struct why *why)
{
    return why_set(why, ERR_REFUSED, "A device says that it was wiped by an order that nobody gave.");
}

/* Is there a wipe of this number and these bytes? *out_known: its receipt is here already. */
static enum err check_wiped(struct hub *h, const struct hub_node *n, const struct wiped *m, bool *out_known,
                            struct why *why)
{
    struct stmt *s;
    struct bytes cose;
    struct order o;
    uint8_t hash[HASH_BYTES] = {0};
    bool row = false;
    if (memcmp(m->node, n->id.kid, KID_BYTES) != 0) return not_ordered(why);
    enum err e = db_prepare(h->db,
                            "SELECT item, CASE WHEN receipt IS NOT NULL THEN 1 ELSE 0 END FROM h_order"
                            " WHERE node_no = $1 AND number = $2 AND kind = $3",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, n->no);
    db_bind_int(s, 2, (int64_t)m->number);
    db_bind_int(s, 3, ORDER_WIPE);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) e = message_get_order(db_bytes(s, 0), &h->id.pub, &o, &cose, why);
    if (e == ERR_OK && row) hash_blake2b(hash, cose);
    if (e == ERR_OK && row) *out_known = db_int(s, 1) != 0;
    db_done(s);
    if (e != ERR_OK) return e;
    return row && memcmp(hash, m->order_hash, HASH_BYTES) == 0 ? ERR_OK : not_ordered(why);
}

/* Orders to forget that it was never told get the same receipt, under request 0, which no request has. */
static enum err confirm_drops(struct hub *h, const struct hub_node *n, const struct wiped *m, struct bytes cose,
                              struct why *why)
{
    static const char *const steps[] = {
        ("INSERT INTO h_drop_order(node_no, request, hash, rows) SELECT $1, 0, $2, count(*) FROM h_drop WHERE node_no = $1 "
         "AND request IS NULL HAVING count(*) > 0 ON CONFLICT(node_no, request) DO NOTHING"),
        "UPDATE h_drop_order SET receipt = $3, receipt_at = $2, parked = 0 WHERE node_no = $1 AND receipt IS NULL",
        "UPDATE h_drop SET receipt_at = $2, request = coalesce(request, 0) WHERE node_no = $1 AND receipt_at IS NULL",
        "UPDATE h_order SET done_at = $2 WHERE node_no = $1 AND done_at IS NULL",
        "UPDATE h_node SET state = 'wiped', wiped_at = $2, unsent = 0, oldest_ms = 0 WHERE no = $1",
    };
    struct stmt *s;
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < sizeof steps / sizeof steps[0]; i++) {
        e = db_prepare(h->db, steps[i], &s, why);
        if (e != ERR_OK) return e;
        db_bind_int(s, 1, n->no);
        if (i == 0) db_bind_blob(s, 2, bytes_of(m->order_hash, HASH_BYTES));
        if (i != 0) db_bind_int(s, 2, h->now_ms);
        if (i == 1) db_bind_blob(s, 3, cose);
        e = db_run(s, why);
    }
    return e;
}

static enum err keep_receipt(struct hub *h, const struct hub_node *n, const struct wiped *m, struct bytes cose,
                             struct why *why)
{
    uint8_t hash[HASH_BYTES];
    struct stmt *s;
    enum err e =
        db_prepare(h->db, "UPDATE h_order SET receipt = $1, unsent = $2 WHERE node_no = $3 AND number = $4", &s, why);
    if (e != ERR_OK) return e;
    db_bind_blob(s, 1, cose);
    if (m->unsent == WIPED_UNKNOWN)
        db_bind_null(s, 2);
    else
        db_bind_int(s, 2, (int64_t)m->unsent);
    db_bind_int(s, 3, n->no);
    db_bind_int(s, 4, (int64_t)m->number);
    e = db_run(s, why);
    hash_blake2b(hash, cose);
    return e == ERR_OK ? log_note(h, n->no, LOG_WIPED, m->number, bytes_of(hash, sizeof hash), why) : e;
}

enum err order_wiped(struct hub *h, const struct hub_node *n, const struct wiped *m, struct bytes cose, struct why *why)
{
    char about[2 * KID_BYTES + 1], text[80];
    bool known = false;
    enum err e = check_wiped(h, n, m, &known, why);
    if (e != ERR_OK || known) return e;
    e = keep_receipt(h, n, m, cose, why);
    if (e == ERR_OK) e = confirm_drops(h, n, m, cose, why);
    hex_encode(about, n->id.kid, KID_BYTES);
    if (m->unsent == WIPED_UNKNOWN)
        (void)snprintf(text, sizeof text, "it could not count what it had not sent");
    else
        (void)snprintf(text, sizeof text, "%llu changes were destroyed unsent", (unsigned long long)m->unsent);
    return e == ERR_OK ? people_act(h, "wiped", about, text, why) : e;
}
