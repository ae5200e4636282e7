/* Enrolment: a sealed request with a one-time token in, a sealed welcome out. A device that was put back from an old
 * image comes with new keys, and with a word of its old ones that it takes their place. */
#include "hub/log.h"
#include "hub/order.h"
#include "hub/people.h"
#include "hub/restore_internal.h"
#include "hub/sight.h"

#include "base/cbor.h"
#include "sync/bundle.h"

#include <string.h>

enum { KIND_ENROL = 3, KIND_ENROLLED = 4 };

struct enrolment {
    struct hub *h;
    struct bytes request;
    uint8_t request_hash[HASH_BYTES];
    struct enrol_request m;
    struct identity node, door;
    uint8_t token_hash[HASH_BYTES];
    struct buf replaces; /* MSG_REPLACES; empty: it takes nobody's place */
    struct hub_node old; /* the device that it replaces */
    int64_t site_no;
    int64_t after_act; /* acts up to this one were before the invitation */
    char site[64], agency[64];
    uint8_t user[16];
    bool approve; /* an administrator has to approve it first */
};

/* One message for a wrong, used or expired code and for a senseless request: whoever guesses learns nothing. */
static enum err refused(struct why *why)
{
    (void)why_set(why, ERR_REFUSED, "The hub does not accept this code.");
    return why_next(why, ERR_REFUSED,
                    "Check that it was typed as given, or ask the hub's administrators for a new one.");
}

/* What a stranger's bytes can cause is one refusal; what went wrong here is not. */
static enum err judge(enum err e, struct why *why)
{
    switch (e) {
    case ERR_FORMAT:
    case ERR_TAMPERED:
    case ERR_LIMIT:
    case ERR_VERSION:
    case ERR_NOTFOUND:
    case ERR_EXISTS:
    case ERR_USAGE:
    case ERR_REFUSED: return refused(why);
    default: return e;
    }
}

static enum err keep_replaces(struct enrolment *x, struct bytes item, struct why *why)
{
    if (message_type(item) != MSG_REPLACES) return refused(why);
    buf_put_bytes(&x->replaces, item);
    return x->replaces.err == ERR_OK ? ERR_OK : why_set(why, x->replaces.err, "There is not enough memory to answer.");
}

static enum err open_request(struct enrolment *x, struct why *why)
{
    struct bundle_reader *in = NULL;
    struct seal_header head;
    struct bytes item;
    uint8_t binding[32], fingerprint[32];
    bool end = false;
    enum err e = bundle_reader_new(&in, x->request, &x->h->id, &head, binding, why);
    if (e == ERR_OK) e = bundle_next(in, &item, &end, why);
    if (e == ERR_OK && (end || head.kind != KIND_ENROL)) e = refused(why);
    if (e == ERR_OK) e = message_get_enrol(item, &x->m, &x->node, why);
    if (e == ERR_OK) e = bundle_next(in, &item, &end, why);
    if (e == ERR_OK && !end) {
        e = keep_replaces(x, item, why);
        if (e == ERR_OK) e = bundle_next(in, &item, &end, why);
    }
    bundle_reader_free(in);
    if (e != ERR_OK || !end) return e == ERR_OK ? refused(why) : e;
    identity_fingerprint(&x->h->id.pub, fingerprint);
    if (memcmp(x->m.binding, binding, sizeof binding) != 0 || memcmp(x->m.hub_fingerprint, fingerprint, 32) != 0)
        return refused(why);
    e = identity_from_bytes(&x->door, bytes_of(x->m.door, sizeof x->m.door), why);
    if (e != ERR_OK) return e;
    hash_blake2b(x->token_hash, bytes_of(x->m.token, sizeof x->m.token));
    return ERR_OK;
}

/* *out_again: the code was used by this very request, or by this very device with one that it made anew when its
 * program was updated; the answer is appended once more. */
static enum err check_invite(struct enrolment *x, struct buf *out, bool *out_again, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(x->h->db,
                            "SELECT i.site_no, i.expires_at, i.used_at, i.request_hash, i.answer, t.code, t.agency, "
                            "i.after_act, (SELECT n.kid FROM h_node n WHERE n.no = i.node_no), coalesce(b.approve, 0), "
                            "(SELECT n.state FROM h_node n WHERE n.no = i.node_no) "
                            "FROM h_invite i JOIN h_site k ON k.no = i.site_no JOIN site t ON t.code = k.code "
                            "LEFT JOIN h_invite_by b ON b.token_hash = i.token_hash WHERE i.token_hash = $1",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_blob(s, 1, bytes_of(x->token_hash, HASH_BYTES));
    e = db_step(s, &row, why);
    if (e != ERR_OK) goto out;
    struct bytes site = row ? db_bytes(s, 5) : (struct bytes){0}, agency = row ? db_bytes(s, 6) : (struct bytes){0};
    *out_again = row && !db_is_null(s, 2) &&
                 (bytes_equal(db_bytes(s, 3), bytes_of(x->request_hash, HASH_BYTES)) ||
                  bytes_equal(db_bytes(s, 8), bytes_of(x->node.kid, KID_BYTES)));
    if (*out_again) {
        buf_put_bytes(out, db_bytes(s, 4));
        x->approve = bytes_equal(db_bytes(s, 10), bytes_of_str("waiting"));
    } else if (!row || !db_is_null(s, 2) || db_int(s, 1) <= x->h->now_ms || site.n >= sizeof x->site ||
               agency.n >= sizeof x->agency) {
        e = refused(why);
    } else {
        x->site_no = db_int(s, 0);
        x->after_act = db_int(s, 7);
        x->approve = db_int(s, 9) != 0;
        memcpy(x->site, site.p, site.n);
        memcpy(x->agency, agency.p, agency.n);
    }
out:
    db_done(s);
    return e;
}

/* Only who has a good code is told so. It stays good. */
static enum err check_schema(struct enrolment *x, struct why *why)
{
    if (x->m.schema + RULES_SCHEMA_BEHIND >= db_schema(x->h->db)) return ERR_OK;
    (void)why_set(why, ERR_REFUSED, "The Spoke on this device is too old for this MASH server. The code stays good.");
    return why_next(why, ERR_REFUSED, "Update Spoke on this device, and use the same code again.");
}

/* Whoever was revoked after the invitation was given is not meant by it, nor a copy of a device whose place was taken
 * since: for that an administrator has to give one anew. */
static enum err ended_since(struct enrolment *x, const uint8_t kid[KID_BYTES], bool *out, struct why *why)
{
    char about[2 * KID_BYTES + 1];
    struct stmt *s;
    hex_encode(about, kid, KID_BYTES);
    enum err e = db_prepare(x->h->db,
                            "SELECT 1 FROM h_act WHERE act IN ('revoke', 'wipe', 'wipe now', 'replace') AND about = $1 "
                            "AND no > $2",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, about);
    db_bind_int(s, 2, x->after_act);
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

/* A hub that was put back needs what the old device was told and keeps for it: set up anew, it could return it no
 * more. */
static enum err must_have_returned(struct enrolment *x, struct why *why)
{
    bool waits = false;
    enum err e = strcmp(x->old.state, "enrolled") == 0 ? hear_awaits(x->h, x->old.no, &waits, why) : ERR_OK;
    if (e != ERR_OK || !waits) return e;
    (void)why_set(why, ERR_REFUSED,
                  "The MASH server was put back from a backup and waits for what this device keeps for it. Set up anew, the "
                  "device could not return it. Nothing was changed.");
    return why_next(why, ERR_REFUSED,
                    "Contact the MASH with it first: spoke sync. If it is refused there too, the administrators can "
                    "revoke it and give a new invitation.");
}

/* The old device's own word, for this enrolment and no other; of the site that the invitation is for. */
static enum err check_replaced(struct enrolment *x, struct why *why)
{
    uint8_t kid[KID_BYTES], keys[PUBLIC_BYTES];
    struct bytes item = buf_bytes(&x->replaces);
    struct replaces m;
    bool ended = false;
    if (x->replaces.len == 0) return ERR_OK;
    enum err e = message_replaces_kid(item, kid, why);
    if (e == ERR_OK) e = nodes_by_kid(x->h, kid, &x->old, why);
    if (e == ERR_OK) e = message_get_replaces(item, &x->old.id, &m, why);
    if (e == ERR_OK) e = ended_since(x, kid, &ended, why);
    identity_to_bytes(&x->node, keys);
    if (e == ERR_OK && (x->old.site_no != x->site_no || ended || memcmp(m.token, x->m.token, sizeof m.token) != 0 ||
                        memcmp(m.node, keys, sizeof keys) != 0 ||
                        memcmp(m.hub_fingerprint, x->m.hub_fingerprint, sizeof m.hub_fingerprint) != 0))
        e = refused(why);
    return e == ERR_OK ? must_have_returned(x, why) : e;
}

/* It is not heard any more, and its last answer is for nobody any more. What it has to forget stays listed: a copy of
 * its disk may be somewhere. */
static enum err retire(struct enrolment *x, struct why *why)
{
    char about[2 * KID_BYTES + 1];
    const int64_t no = x->old.no;
    struct stmt *s;
    if (x->replaces.len == 0) return ERR_OK;
    enum err e = db_prepare(x->h->db,
                            "UPDATE h_node SET state = CASE WHEN state IN ('revoked', 'wiped') THEN state ELSE 'replaced' END, "
                            "unsent = 0, oldest_ms = 0 WHERE no = $1",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, no);
    e = db_run(s, why);
    if (e == ERR_OK) e = db_prepare(x->h->db, "DELETE FROM h_answer WHERE node_no = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, no);
    e = db_run(s, why);
    hex_encode(about, x->old.id.kid, KID_BYTES);
    return e == ERR_OK ? people_act(x->h, "replace", about, NULL, why) : e;
}

/* The first leaf of a device's log. */
static enum err log_enrolled(struct enrolment *x, const uint8_t public[PUBLIC_BYTES], struct why *why)
{
    struct hub_node n;
    struct buf rest;
    enum err e = nodes_by_kid(x->h, x->node.kid, &n, why);
    if (e != ERR_OK) return e;
    buf_init(&rest, 4096);
    cbor_put_bytes(&rest, bytes_of(public, PUBLIC_BYTES));
    cbor_put_str(&rest, x->site);
    e = rest.err != ERR_OK ? why_set(why, rest.err, "There is not enough memory to enrol a device.")
                           : log_append(x->h, n.no, LOG_ENROLLED, buf_bytes(&rest), 2, why);
    buf_release(&rest);
    return e;
}

static enum err put_node(struct enrolment *x, struct why *why)
{
    static const uint8_t nothing[HASH_BYTES];
    uint8_t public[PUBLIC_BYTES];
    struct stmt *s;
    struct hub_node known;
    enum err e = nodes_by_kid(x->h, x->node.kid, &known, NULL);
    if (e == ERR_NOTFOUND) e = nodes_by_door(x->h, x->door.kid, &known, NULL); /* nobody answers for another's door */
    if (e != ERR_NOTFOUND) return e == ERR_OK ? refused(why) : why_set(why, e, "The hub could not look a device up.");
    e = db_prepare(x->h->db,
                   "INSERT INTO h_node(kid, public, site_no, state, enrolled_at, last_hash, software, replaces, door, "
                   "door_kid) VALUES($1, $2, $3, $10, $4, $5, $6, nullif($7, 0), $8, $9)",
                   &s, why);
    if (e != ERR_OK) return e;
    identity_to_bytes(&x->node, public);
    db_bind_id(s, 1, x->node.kid);
    db_bind_blob(s, 2, bytes_of(public, sizeof public));
    db_bind_int(s, 3, x->site_no);
    db_bind_int(s, 4, x->h->now_ms);
    db_bind_blob(s, 5, bytes_of(nothing, sizeof nothing));
    db_bind_str(s, 6, x->m.software);
    db_bind_int(s, 7, x->old.no);
    db_bind_blob(s, 8, bytes_of(x->m.door, sizeof x->m.door));
    db_bind_id(s, 9, x->door.kid);
    db_bind_str(s, 10, x->approve ? "waiting" : "enrolled");
    e = db_run(s, why);
    return e == ERR_OK ? log_enrolled(x, public, why) : e;
}

static enum err write_answer(struct enrolment *x, struct buf *out, struct why *why)
{
    struct seal_header head = {.version = 1, .kind = KIND_ENROLLED};
    struct enrol_answer a = {
        .epoch = x->h->epoch, .clock_ms = (uint64_t)x->h->now_ms, .schema = db_schema(x->h->db)};
    struct bundle_writer *w = NULL;
    struct buf item;
    memcpy(head.recipient, x->node.kid, KID_BYTES);
    memcpy(head.sender, x->h->id.pub.kid, KID_BYTES);
    memcpy(a.node, x->node.kid, KID_BYTES);
    memcpy(a.token_hash, x->token_hash, sizeof a.token_hash);
    memcpy(a.hub_name, x->h->name, sizeof a.hub_name);
    memcpy(a.site, x->site, sizeof a.site);
    memcpy(a.agency, x->agency, sizeof a.agency);
    memcpy(a.user, x->user, sizeof a.user);
    memcpy(a.recovery_pk, x->h->recovery_pk, sizeof a.recovery_pk);
    buf_init(&item, 1u << 16);
    enum err e = bundle_writer_new(&w, &head, &x->node, out, a.binding, why);
    if (e == ERR_OK) e = message_put_enrolled(&item, &x->h->id, &a, why);
    if (e == ERR_OK) e = bundle_put(w, "", buf_bytes(&item), why);
    if (e == ERR_OK) e = bundle_finish(w, why);
    bundle_writer_free(w);
    buf_release(&item);
    return e;
}

static enum err use_invite(struct enrolment *x, const struct buf *answer, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(x->h->db,
                            "UPDATE h_invite SET used_at = $1, user_name = $2, request_hash = $3, answer = $4, "
                            "node_no = (SELECT no FROM h_node WHERE kid = $5) WHERE token_hash = $6",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, x->h->now_ms);
    db_bind_str(s, 2, x->m.user);
    db_bind_blob(s, 3, bytes_of(x->request_hash, HASH_BYTES));
    db_bind_blob(s, 4, buf_bytes(answer));
    db_bind_id(s, 5, x->node.kid);
    db_bind_blob(s, 6, bytes_of(x->token_hash, HASH_BYTES));
    return db_run(s, why);
}

static enum err welcome(struct enrolment *x, struct buf *answer, struct why *why)
{
    enum err e = check_replaced(x, why);
    if (e == ERR_OK) e = people_find_or_add(x->h, x->site, x->m.user, x->user, why);
    if (e == ERR_OK) e = put_node(x, why);
    if (e == ERR_OK) e = write_answer(x, answer, why);
    if (e == ERR_OK) e = use_invite(x, answer, why);
    if (e == ERR_OK) e = retire(x, why);
    if (e == ERR_OK && x->replaces.len > 0) e = order_inherit(x->h, x->old.no, x->node.kid, why);
    return e == ERR_OK ? people_act(x->h, "enrol", x->site, NULL, why) : e;
}

enum err hub_enrol(struct hub *h, struct bytes request, struct buf *out, struct why *why)
{
    struct enrolment x = {.h = h, .request = request};
    struct buf answer;
    bool again = false;
    buf_init(&answer, 1u << 20);
    buf_init(&x.replaces, 1u << 16);
    hash_blake2b(x.request_hash, request);
    h->enrolled_again = false;
    enum err e = judge(open_request(&x, why), why);
    if (e == ERR_OK) e = hub_begin(h, why);
    if (e == ERR_OK) {
        e = check_invite(&x, &answer, &again, why);
        if (e == ERR_OK && !again) e = check_schema(&x, why);
        if (e == ERR_OK && !again) e = judge(welcome(&x, &answer, why), why);
        if (e == ERR_OK && !again)
            e = hub_commit(h, why);
        else
            hub_abort(h);
    }
    if (e == ERR_OK) {
        h->waits = x.approve;
        h->enrolled_again = again;
        buf_put_bytes(out, buf_bytes(&answer));
        if (out->err != ERR_OK)
            e = why_set(why, out->err,
                        "There is not enough memory to answer."); /* asked again, it gets the stored one */
    }
    secret_wipe(&x.m.token, sizeof x.m.token);
    buf_release(&answer);
    buf_release(&x.replaces);
    return e;
}

bool hub_enrol_waits(const struct hub *h)
{
    return h->waits;
}

bool hub_enrol_again(const struct hub *h)
{
    return h->enrolled_again;
}
