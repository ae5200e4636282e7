/* Devices as administrators see them, the hub's own state, and whether the store works. */
#include "hub/watch.h"

#include "hub/lag.h"

#include <string.h>

#define LEASE_DAYS 30 /* unless an order says otherwise */
#define DAY_MS     86400000LL

/* ---------------------------------------------------------------------------------------------------------- devices */

#define DEVICE                                                                                                             \
    "SELECT n.no, n.kid, s.code, coalesce(t.agency, ''), CASE WHEN n.state <> 'wiped' AND EXISTS(SELECT 1 FROM h_order w " \
    "WHERE w.node_no = n.no AND w.kind = 2) THEN 'to be wiped' ELSE n.state END, n.enrolled_at, "                          \
    "coalesce(n.last_seen, 0), coalesce(n.unsent, -1), coalesce(n.oldest_ms, 0), coalesce(n.skew_ms, 0), "                 \
    "coalesce(n.software, ''), coalesce(n.schema, 0), "                                                                    \
    "CASE WHEN n.state = 'enrolled' AND NOT EXISTS(SELECT 1 FROM h_node x WHERE x.replaces = n.no) THEN 1 ELSE 0 END, "    \
    "coalesce((SELECT o.value FROM h_order o WHERE o.node_no = n.no AND o.kind = 1 ORDER BY o.number DESC LIMIT 1), 0), "  \
    "(SELECT count(*) FROM h_drop d WHERE d.node_no = n.no AND d.receipt_at IS NULL), "                                    \
    "coalesce((SELECT min(d.ordered_at) FROM h_drop d WHERE d.node_no = n.no AND d.receipt_at IS NULL), 0), "              \
    "(SELECT count(*) FROM h_held w WHERE w.node_no = n.no AND w.state = 'waiting'), "                                     \
    "coalesce((SELECT min(w.found_at) FROM h_held w WHERE w.node_no = n.no AND w.state = 'waiting'), 0), "                 \
    "coalesce(c.held, -1), coalesce(b.most, u.most, 0), coalesce(c.stopped_at, 0), "                                       \
    "coalesce(f.at, 0), coalesce(f.since, 0), coalesce(f.times, 0), coalesce(f.reason, ''), "                              \
    "coalesce(z.fate, ''), coalesce((SELECT min(w.at) FROM h_order w WHERE w.node_no = n.no AND w.kind = 2 AND n.state <> " \
    "'wiped' AND NOT EXISTS(SELECT 1 FROM h_node x WHERE x.replaces = n.no)), 0) "                                         \
    "FROM h_node n JOIN h_site s ON s.no = n.site_no LEFT JOIN site t ON t.code = s.code "                                 \
    "LEFT JOIN h_held_rows c ON c.node_no = n.no LEFT JOIN h_budget b ON b.node_no = n.no "                                \
    "LEFT JOIN h_budget u ON u.node_no = 0 LEFT JOIN h_refusal f ON f.node_no = n.no "                                     \
    "LEFT JOIN h_fate z ON z.node_no = n.no "

static void copy(char *out, size_t n, struct bytes v)
{
    size_t k = v.n < n - 1 ? v.n : n - 1;
    if (k > 0) memcpy(out, v.p, k);
    out[k] = '\0';
}

static enum err read_device(struct stmt *s, struct hub_device *d, struct why *why)
{
    if (!db_id(s, 1, d->kid)) return why_set(why, ERR_TAMPERED, "The hub's list of devices is damaged.");
    d->no = db_int(s, 0);
    copy(d->site, sizeof d->site, db_bytes(s, 2));
    copy(d->agency, sizeof d->agency, db_bytes(s, 3));
    copy(d->state, sizeof d->state, db_bytes(s, 4));
    d->enrolled_at = db_int(s, 5);
    d->last_seen = db_int(s, 6);
    d->unsent = db_int(s, 7);
    d->oldest_unsent = db_int(s, 8);
    d->skew_ms = db_int(s, 9);
    copy(d->software, sizeof d->software, db_bytes(s, 10));
    char *knows = strstr(d->software, " +");
    if (knows != NULL) *knows = '\0';
    d->schema = db_int(s, 11);
    d->heard = db_int(s, 12) != 0;
    d->lease_days = db_int(s, 13) != 0 ? db_int(s, 13) : LEASE_DAYS;
    d->lease_ends = d->last_seen != 0 ? d->last_seen + d->lease_days * DAY_MS : 0;
    d->unconfirmed = db_int(s, 14);
    d->unconfirmed_since = db_int(s, 15);
    d->waiting = db_int(s, 16);
    d->waiting_since = db_int(s, 17);
    d->held = db_int(s, 18);
    d->most = db_int(s, 19) != 0 ? db_int(s, 19) : HUB_BUDGET_ROWS;
    d->stopped_at = db_int(s, 20);
    d->refused_at = db_int(s, 21);
    d->refused_since = db_int(s, 22);
    d->refused_times = db_int(s, 23);
    copy(d->refused, sizeof d->refused, db_bytes(s, 24));
    copy(d->fate, sizeof d->fate, db_bytes(s, 25));
    d->wipe_since = db_int(s, 26);
    d->lag_rows = -1;
    return ERR_OK;
}

/* A change that was not taken in, where that came after the last request that was refused. */
static enum err last_held(struct hub *h, struct hub_device *d, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db,
                            "SELECT x.found_at, e.reason FROM h_held x JOIN h_envelope e ON e.node_no = x.node_no AND "
                            "e.seq = x.seq WHERE x.node_no = $1 ORDER BY x.seq DESC LIMIT 1",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, d->no);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row && db_int(s, 0) > d->refused_at && !db_is_null(s, 1)) {
        d->refused_at = d->refused_since = db_int(s, 0);
        d->refused_times = 0; /* it was not refused to be heard */
        copy(d->refused, sizeof d->refused, db_bytes(s, 1));
    }
    db_done(s);
    return e;
}

static enum err count_lag(struct hub *h, uint64_t most, struct hub_device *d, struct why *why)
{
    struct hub_node n;
    struct cut cut;
    struct lag lag = {0};
    enum err e = nodes_by_no(h, d->no, &n, why);
    if (e == ERR_OK) e = cut_get(h, n.no, n.cursor, &cut, why);
    if (e == ERR_REFUSED) return ERR_OK; /* it stands where this hub has never been: -1 says that nothing is known */
    if (e == ERR_OK) e = lag_of(h, &n, &cut, most, &lag, why);
    if (e != ERR_OK) return e;
    d->lag_rows = (int64_t)lag.rows;
    d->lag_more = lag.more;
    d->lag_since = lag.since_ms;
    return ERR_OK;
}

static enum err device(struct hub *h, struct stmt *s, uint64_t lag_most, struct hub_device *out, bool *out_found,
                       struct why *why)
{
    struct hub_device d = {0};
    enum err e = db_step(s, out_found, why);
    if (e == ERR_OK && *out_found) e = read_device(s, &d, why);
    db_done(s);
    if (e != ERR_OK || !*out_found) return e;
    e = last_held(h, &d, why);
    if (e == ERR_OK && d.heard && lag_most > 0) e = count_lag(h, lag_most, &d, why);
    if (e == ERR_OK) *out = d;
    return e;
}

enum err hub_device_next(struct hub *h, int64_t after, uint64_t lag_most, struct hub_device *out, bool *out_found,
                         struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, DEVICE "WHERE n.no > $1 ORDER BY n.no LIMIT 1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, after);
    return device(h, s, lag_most, out, out_found, why);
}

enum err hub_device_get(struct hub *h, const uint8_t kid[16], uint64_t lag_most, struct hub_device *out,
                        struct why *why)
{
    struct stmt *s;
    bool found = false;
    enum err e = db_prepare(h->db, DEVICE "WHERE n.kid = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, kid);
    e = device(h, s, lag_most, out, &found, why);
    return e == ERR_OK && !found ? why_set(why, ERR_NOTFOUND, "No such device is enrolled here.") : e;
}

/* --------------------------------------------------------------------------------------------------- the hub itself */

static enum err count_states(struct hub *h, struct hub_status *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    const size_t most = sizeof out->devices / sizeof out->devices[0];
    enum err e = db_prepare(h->db, "SELECT state, count(*) FROM h_node GROUP BY state ORDER BY state", &s, why);
    if (e != ERR_OK) return e;
    while ((e = db_step(s, &row, why)) == ERR_OK && row && out->n_states < most) {
        struct hub_state_count *c = &out->devices[out->n_states++];
        copy(c->state, sizeof c->state, db_bytes(s, 0));
        c->n = db_int(s, 1);
    }
    db_done(s);
    return e;
}

static int64_t be64(struct bytes v)
{
    uint64_t out = 0;
    if (v.n != 8) return 0;
    for (size_t i = 0; i < 8; i++) out = out << 8 | v.p[i];
    return (int64_t)out;
}

static enum err read_status(struct hub *h, struct hub_status *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(
        h->db,
        "SELECT (SELECT count(*) FROM h_held WHERE state = 'waiting'), "
        "coalesce((SELECT min(found_at) FROM h_held WHERE state = 'waiting'), 0), "
        "(SELECT count(*) FROM conflict WHERE state = 'open'), "
        "(SELECT count(*) FROM h_drop WHERE receipt_at IS NULL), (SELECT count(*) FROM h_act), "
        "coalesce((SELECT size FROM h_log WHERE no = 0), 0), coalesce((SELECT max(gen) FROM h_policy WHERE state = 'in_force'), 0), "
        "CASE WHEN EXISTS(SELECT 1 FROM h_policy WHERE state = 'coming') THEN 1 ELSE 0 END, "
        "coalesce((SELECT doubt_wall FROM h_clock), 0), coalesce((SELECT now FROM policy_now), 0), "
        "coalesce((SELECT value FROM h_counter WHERE name = 'version'), 0), "
        "coalesce((SELECT value FROM h_counter WHERE name = 'epoch'), 0), "
        "(SELECT value FROM h_state WHERE name = 'backup_at'), "
        "coalesce((SELECT at FROM h_done WHERE what = 'verify'), 0)",
        &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) {
        out->waiting = db_int(s, 0);
        out->waiting_since = db_int(s, 1);
        out->conflicts = db_int(s, 2);
        out->unconfirmed = db_int(s, 3);
        out->acts = db_int(s, 4);
        out->log_leaves = db_int(s, 5);
        out->policy_gen = db_int(s, 6);
        out->policy_coming = db_int(s, 7) != 0;
        out->clock_doubted = db_int(s, 8) != 0;
        out->clock_off_ms = out->clock_doubted ? env_now(h->env) - db_int(s, 9) : 0;
        out->version = db_int(s, 10);
        out->epoch = (uint64_t)db_int(s, 11);
        out->backup_at = be64(db_bytes(s, 12));
        out->verified_at = db_int(s, 13);
    }
    db_done(s);
    return e;
}

enum err hub_status(struct hub *h, struct hub_status *out, struct why *why)
{
    struct hub_status st = {.schema = db_schema(h->db), .now_ms = env_now(h->env)};
    enum err e = read_status(h, &st, why);
    if (e == ERR_OK) e = count_states(h, &st, why);
    if (e == ERR_OK) e = hub_redo_state(h, &st.journal, why);
    if (e == ERR_OK) *out = st;
    return e;
}

static enum err put_time(struct hub *h, const char *sql, struct why *why)
{
    struct stmt *s;
    enum err e = db_begin(h->db, why);
    if (e != ERR_OK) return e;
    e = db_prepare(h->db, sql, &s, why);
    if (e == ERR_OK) {
        db_bind_int(s, 1, env_now(h->env));
        e = db_run(s, why);
    }
    if (e == ERR_OK) return db_commit(h->db, why);
    db_rollback(h->db);
    return e;
}

/* By a write that is committed: a store that can be read may stand on a disk that is full, or read-only. */
enum err hub_probe(struct hub *h, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e =
        put_time(h, "INSERT INTO h_probe(no, at) VALUES(1, $1) ON CONFLICT(no) DO UPDATE SET at = excluded.at", why);
    if (e == ERR_OK) e = db_prepare(h->db, "SELECT at FROM h_probe WHERE no = 1", &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, &row, why);
    db_done(s);
    return e == ERR_OK && !row ? why_set(why, ERR_IO, "What was written to the store is not there.") : e;
}

enum err hub_verified(struct hub *h, struct why *why)
{
    return put_time(
        h, "INSERT INTO h_done(what, at) VALUES('verify', $1) ON CONFLICT(what) DO UPDATE SET at = excluded.at", why);
}
