/* What administrators say of devices that have joined: approved, refused, cut off, one or all of a site. */
#include "hub/people.h"
#include "hub/proposal.h"

#include "base/cbor.h"

#include <stdio.h>
#include <string.h>

#define REASON_BYTES 1000u

static enum err finish(struct hub *h, enum err e, struct why *why)
{
    if (e == ERR_OK) return hub_commit(h, why);
    hub_abort(h);
    return e;
}

static enum err check_reason(const char *reason, struct why *why)
{
    struct bytes t = bytes_of_str(reason == NULL ? "" : reason);
    if (t.n > 0 && t.n <= REASON_BYTES && utf8_valid(t)) return ERR_OK;
    return why_set(why, ERR_USAGE, "The reason has 1 to %u bytes.", REASON_BYTES);
}

/* ------------------------------------------------------------------------------------------------- revoking */

static enum err revoke(struct hub *h, const uint8_t kid[16], const char *reason, struct why *why)
{
    struct hub_node n;
    enum err e = nodes_by_kid(h, kid, &n, why);
    return e == ERR_OK ? nodes_revoke(h, &n, MAY_OPERATE, reason, why) : e;
}

enum err hub_revoke(struct hub *h, const uint8_t kid[16], const char *reason, struct why *why)
{
    enum err e = check_reason(reason, why);
    if (e == ERR_OK) e = hub_begin(h, why);
    return e == ERR_OK ? finish(h, revoke(h, kid, reason, why), why) : e;
}

/* One after the other: each is out of the question when it comes again. */
static enum err next_of(struct hub *h, const char *site, uint8_t kid[16], bool *out_found, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db,
                            "SELECT n.kid FROM h_node n JOIN h_site k ON k.no = n.site_no WHERE k.code = $1 AND n.state IN "
                            "('enrolled', 'waiting', 'forked') ORDER BY n.no LIMIT 1",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, site);
    e = db_step(s, out_found, why);
    if (e == ERR_OK && *out_found && !db_id(s, 0, kid))
        e = why_set(why, ERR_TAMPERED, "What this hub stored about a device is damaged.");
    db_done(s);
    return e;
}

static enum err revoke_site(struct hub *h, const char *site, const char *reason, uint64_t *out_n, struct why *why)
{
    struct hub_node n;
    uint8_t kid[16];
    char about[96];
    bool found = true;
    enum err e = ERR_OK;
    while (e == ERR_OK) {
        e = next_of(h, site, kid, &found, why);
        if (e != ERR_OK || !found) break;
        e = nodes_by_kid(h, kid, &n, why);
        if (e == ERR_OK) e = nodes_revoke(h, &n, MAY_SECURE, reason, why);
        *out_n += e == ERR_OK;
    }
    if (e == ERR_OK && *out_n == 0)
        e = why_set(why, ERR_NOTFOUND, "No device of a site of this code is left to be cut off.");
    (void)snprintf(about, sizeof about, "%s", site);
    if (e == ERR_OK) e = invites_end_at(h, site, why); /* or the next device of it would be in at once */
    return e == ERR_OK ? admins_act(h, MAY_SECURE, "revoke site", about, reason, why) : e;
}

enum err hub_revoke_site(struct hub *h, const char *site, const char *reason, uint64_t *out_n, struct why *why)
{
    uint64_t n = 0;
    enum err e = check_reason(reason, why);
    if (e == ERR_OK) e = two_begin(h, true, why);
    if (e == ERR_OK) e = two_finish(h, revoke_site(h, site, reason, &n, why), why);
    if (e == ERR_OK) *out_n = n;
    return e;
}

/* ------------------------------------------------------------------------------------------- devices that wait */

/* Its invitation wanted a word that nobody gave before it was cut off: then nobody said that it is who it says. */
static enum err was_approved(struct hub *h, const struct hub_node *n, bool *out, struct why *why)
{
    char about[2 * KID_BYTES + 1];
    struct stmt *s;
    bool never = false;
    hex_encode(about, n->id.kid, KID_BYTES);
    enum err e = db_prepare(h->db,
                            "SELECT 1 FROM h_invite i JOIN h_invite_by b ON b.token_hash = i.token_hash WHERE i.node_no = $1 AND "
                            "b.approve = 1 AND NOT EXISTS (SELECT 1 FROM h_act a WHERE a.act = 'approve device' AND a.about = $2)",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, n->no);
    db_bind_str(s, 2, about);
    e = db_step(s, &never, why);
    db_done(s);
    if (e == ERR_OK) *out = !never;
    return e;
}

/* What other devices send after they were cut off is held for a manager, under the name of somebody at the site. Of one
 * that was never approved that name is a stranger's word, and a manager must not be shown it as a colleague's. */
static enum err not_after_waiting(struct hub *h, const struct hub_node *n, struct why *why)
{
    bool approved = true;
    if (!nodes_cut_off(n) || n->last_request > 0) return ERR_OK;
    enum err e = was_approved(h, n, &approved, why);
    if (e != ERR_OK || approved) return e;
    (void)why_set(why, ERR_REFUSED,
                  "The administrators of the MASH did not approve this device. Nothing of its request was taken, and what was "
                  "written on it is still there.");
    return why_next(why, ERR_REFUSED, "If that is a mistake, ask them for a new code: spoke enrol --again");
}

/* Its own code, so that the device says the right words; what is written there waits there. */
enum err nodes_must_be_approved(struct hub *h, const struct hub_node *n, struct why *why)
{
    if (strcmp(n->state, "waiting") != 0) return not_after_waiting(h, n, why);
    (void)why_set(why, ERR_DENIED,
                  "This device has joined, and waits until an administrator of the MASH has approved it. Nothing of its request was "
                  "taken, and nothing is lost.");
    return why_next(why, ERR_DENIED, "Compare the fingerprints on both sides; then, at the MASH: spoke-hub node approve ID");
}

static enum err must_wait(const struct hub_node *n, struct why *why)
{
    if (strcmp(n->state, "waiting") == 0) return ERR_OK;
    return why_set(why, ERR_USAGE, "This device does not wait for approval: it is %s.", n->state);
}

/* Whoever gave the invitation does not approve what came of it. */
static enum err must_be_another(struct hub *h, const struct hub_node *n, struct why *why)
{
    struct stmt *s;
    bool row = false, same = false;
    enum err e = db_prepare(
        h->db, "SELECT b.slot FROM h_invite i JOIN h_invite_by b ON b.token_hash = i.token_hash WHERE i.node_no = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, n->no);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) same = bytes_equal(db_bytes(s, 0), bytes_of(h->keys.slot, SLOT_ID_BYTES));
    db_done(s);
    if (e != ERR_OK || !same) return e;
    (void)why_set(why, ERR_DENIED, "You gave the invitation for this device: another administrator has to approve it.");
    return why_next(why, ERR_DENIED, "Ask one of them: spoke-hub admin list");
}

static enum err set_state(struct hub *h, const struct hub_node *n, const char *state, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, "UPDATE h_node SET state = $1 WHERE no = $2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, state);
    db_bind_int(s, 2, n->no);
    return db_run(s, why);
}

static enum err approve(struct hub *h, const uint8_t kid[16], struct why *why)
{
    struct hub_node n;
    char about[2 * KID_BYTES + 1];
    hex_encode(about, kid, KID_BYTES);
    enum err e = nodes_by_kid(h, kid, &n, why);
    if (e == ERR_OK) e = must_wait(&n, why);
    if (e == ERR_OK) e = must_be_another(h, &n, why);
    if (e == ERR_OK) e = set_state(h, &n, "enrolled", why);
    return e == ERR_OK ? admins_act(h, MAY_OPERATE, "approve device", about, NULL, why) : e;
}

enum err hub_device_approve(struct hub *h, const uint8_t kid[16], struct why *why)
{
    enum err e = hub_begin(h, why);
    return e == ERR_OK ? finish(h, approve(h, kid, why), why) : e;
}

static enum err refuse(struct hub *h, const uint8_t kid[16], const char *reason, struct why *why)
{
    struct hub_node n;
    char about[2 * KID_BYTES + 1];
    hex_encode(about, kid, KID_BYTES);
    enum err e = nodes_by_kid(h, kid, &n, why);
    if (e == ERR_OK) e = must_wait(&n, why);
    if (e == ERR_OK) e = nodes_put_fate(h, &n, "refused", why);
    if (e == ERR_OK) e = nodes_revoke(h, &n, MAY_OPERATE, reason, why);
    return e == ERR_OK ? admins_act(h, MAY_OPERATE, "refuse device", about, reason, why) : e;
}

enum err hub_device_refuse(struct hub *h, const uint8_t kid[16], const char *reason, struct why *why)
{
    enum err e = check_reason(reason, why);
    if (e == ERR_OK) e = hub_begin(h, why);
    return e == ERR_OK ? finish(h, refuse(h, kid, reason, why), why) : e;
}
