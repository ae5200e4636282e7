/* What a hub that was put back still waits for. */
#include "hub/admins.h"
#include "hub/restore_internal.h"

#include <stdio.h>
#include <string.h>

enum err restore_epoch(struct hub *h, struct restore_epoch *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    *out = (struct restore_epoch){0};
    enum err e = db_prepare(
        h->db, "SELECT epoch, at, backup_at, version, mark, state FROM h_epoch ORDER BY epoch DESC LIMIT 1", &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) {
        struct bytes state = db_bytes(s, 5);
        *out = (struct restore_epoch){.epoch = (uint64_t)db_int(s, 0),
                                      .at = db_int(s, 1),
                                      .backup_at = db_int(s, 2),
                                      .version = db_int(s, 3),
                                      .mark = db_int(s, 4)};
        if (state.n < sizeof out->state) memcpy(out->state, state.p, state.n);
    }
    db_done(s);
    return e;
}

static enum err count(struct hub *h, const char *sql, uint64_t *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db, sql, &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) *out = (uint64_t)db_int(s, 0);
    db_done(s);
    return e;
}

/* How far the journal went that was put back with the backup. */
static enum err journal_at(struct hub *h, int64_t *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    uint64_t at = 0;
    enum err e = db_prepare(h->db, "SELECT value FROM h_state WHERE name = 'journal_at'", &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, &row, why);
    struct bytes v = e == ERR_OK && row ? db_bytes(s, 0) : (struct bytes){0};
    for (size_t i = 0; v.n == 8 && i < 8; i++) at = at << 8 | v.p[i];
    db_done(s);
    *out = (int64_t)at;
    return e;
}

#define OF_ENROLLED " FROM h_awaited a JOIN h_node n ON n.no = a.node_no WHERE n.state IN ('enrolled', 'waiting')"

enum err hub_restore_status(struct hub *h, struct hub_restore_status *out, struct why *why)
{
    struct restore_epoch at;
    *out = (struct hub_restore_status){0};
    enum err e = restore_epoch(h, &at, why);
    if (e != ERR_OK || at.epoch == 0) return e;
    out->restored = true;
    out->epoch = at.epoch;
    out->at_ms = at.at;
    out->backup_at_ms = at.backup_at;
    memcpy(out->state, at.state, sizeof out->state);
    e = journal_at(h, &out->journal_at_ms, why);
    if (e == ERR_OK) e = count(h, "SELECT count(*)" OF_ENROLLED, &out->devices, why);
    if (e == ERR_OK) e = count(h, "SELECT count(*)" OF_ENROLLED " AND a.state = 'missing'", &out->missing, why);
    if (e == ERR_OK) e = count(h, "SELECT count(*)" OF_ENROLLED " AND a.state = 'returning'", &out->returning, why);
    if (e == ERR_OK)
        e = count(h, "SELECT count(*)" OF_ENROLLED " AND a.state IN ('reported', 'applied')", &out->reported, why);
    if (e == ERR_OK) e = count(h, "SELECT count(*) FROM h_awaited WHERE state = 'sealed'", &out->sealed, why);
    if (e == ERR_OK) e = count(h, "SELECT count(*) FROM h_outcome WHERE done = 0", &out->waiting, why);
    if (e == ERR_OK) e = count(h, "SELECT coalesce(CAST(sum(lost) AS INTEGER), 0) FROM h_awaited", &out->lost, why);
    return e == ERR_OK
               ? count(h, "SELECT coalesce(CAST(sum(strange) AS INTEGER), 0) FROM h_awaited", &out->strange, why)
               : e;
}

/* Of one that is over its bounds, whatever else is to be said of it. */
static void over_words(bool alone, struct hub_missing *m)
{
    m->words = alone ? "It has returned as much as is kept of what nothing vouches for, and nothing more of it is taken: what it says, it "
                       "can have made up."
                     : "All devices together have returned as much as is kept of what nothing vouches for, and nothing more of it is taken "
                       "from any. Of this one there is the most.";
    m->next = "If its site is to be believed, let devices return more (spoke-hub rule returned MB), and it goes on where it was; if not, cut it "
              "off (spoke-hub node revoke). It keeps what was not taken.";
}

static void missing_words(struct bytes state, struct hub_missing *m)
{
    m->next = "Nobody's sight is widened before it has reported. Have its site make contact; if the device is gone for good, a security "
              "administrator lets the hub go on: spoke-hub restore release";
    if (bytes_equal(state, bytes_of_str("sealed"))) {
        m->words = "It was cut off, and came when nobody was waited for any longer: what it returned can be opened with the recovery key "
                   "alone, and is not carried out yet.";
        m->next = "A security administrator gives that key once more: spoke-hub restore unseal --recovery recovery.key";
    } else if (bytes_equal(state, bytes_of_str("missing"))) {
        m->words = "It has not been in contact since the hub was put back from a backup.";
    } else {
        m->words = "It was in contact, and has not returned all of its work yet.";
    }
}

enum err hub_restore_missing(struct hub *h, hub_restore_missing_fn each, void *ctx, struct why *why)
{
    struct stmt *s;
    struct returned_bounds b;
    bool row = true;
    enum err e = returned_over(h, &b, why);
    if (e == ERR_OK)
        e = db_prepare(h->db,
                       "SELECT n.kid, t.code, a.state, coalesce(l.bytes, 0) FROM h_awaited a JOIN h_node n ON n.no = a.node_no JOIN h_site t "
                       "ON t.no = n.site_no LEFT JOIN h_return_load l ON l.node_no = a.node_no AND n.state NOT IN ('revoked', "
                       "'wiped') WHERE (n.state IN ('enrolled', 'waiting') AND "
                       "a.state IN ('missing', 'returning')) OR a.state = 'sealed' OR l.bytes >= $1 OR l.bytes = $2 ORDER BY t.code, n.no",
                       &s, why);
    if (e != ERR_OK) return e;
    const bool all = b.together >= b.all;
    db_bind_int(s, 1, b.one);
    db_bind_int(s, 2, all ? b.most : -1);
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        uint8_t kid[16];
        char site[64] = "";
        struct hub_missing m = {.kid = kid, .site = site};
        if (!db_id(s, 0, kid)) continue;
        if (db_bytes(s, 1).n < sizeof site) memcpy(site, db_bytes(s, 1).p, db_bytes(s, 1).n);
        missing_words(db_bytes(s, 2), &m);
        if (db_int(s, 3) >= b.one || (all && db_int(s, 3) == b.most)) over_words(db_int(s, 3) >= b.one, &m);
        e = each(ctx, &m, why);
        if (e != ERR_OK) break;
    }
    db_done(s);
    return e;
}

enum err hub_restore_release(struct hub *h, const char *reason, struct why *why)
{
    if (reason == NULL || reason[0] == '\0')
        return why_set(why, ERR_USAGE,
                       "Say why the hub is opened before all devices have returned their work (--reason).");
    enum err e = hub_begin(h, why);
    if (e != ERR_OK) return e;
    if (!h->gathering) e = why_set(why, ERR_NOTFOUND, "This hub is open: it waits for no device.");
    if (e == ERR_OK) e = db_exec(h->db, "UPDATE h_epoch SET state = 'applying' WHERE state = 'gathering'", why);
    if (e == ERR_OK) e = admins_act(h, MAY_SECURE, "restore release", NULL, reason, why);
    if (e == ERR_OK) return hub_commit(h, why);
    hub_abort(h);
    return e;
}
