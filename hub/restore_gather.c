/* Hearing what the devices of a lost hub return. Nothing of it takes effect here: it lies aside until it is
 * re-applied. */
#include "hub/note.h"
#include "hub/restore_internal.h"

#include "sync/bundle.h"
#include "sync/messages_return.h"

#include <string.h>

/* Does the hub wait for anybody still? */
static enum err all_here(struct hub *h, bool *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(
        h->db,
        "SELECT 1 FROM h_awaited a JOIN h_node n ON n.no = a.node_no WHERE a.state IN ('missing', 'returning') "
        "AND n.state IN ('enrolled', 'waiting') LIMIT 1",
        &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, &row, why);
    db_done(s);
    *out = !row;
    return e;
}

enum err restore_look(struct hub *h, struct why *why)
{
    struct stmt *s;
    bool row = false, released = false;
    h->gathering = h->applying = false;
    h->mark = 0;
    enum err e = db_prepare(h->db, "SELECT state, mark FROM h_epoch ORDER BY epoch DESC LIMIT 1", &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) {
        struct bytes state = db_bytes(s, 0);
        h->mark = db_int(s, 1);
        h->gathering = bytes_equal(state, bytes_of_str("gathering")) || bytes_equal(state, bytes_of_str("applying"));
        h->applying = bytes_equal(state, bytes_of_str("applying")) || bytes_equal(state, bytes_of_str("late"));
        released = bytes_equal(state, bytes_of_str("open"));
    }
    db_done(s);
    /* Whoever was missing was given up since: there is nothing to wait for, and the recovery secret is to go. */
    return e == ERR_OK && released ? all_here(h, &h->applying, why) : e;
}

/* How a device of the lost hub stands. */
enum awaited_state { AWAITED_NOT, AWAITED_MISSING, AWAITED_RETURNING, AWAITED_REPORTED, AWAITED_APPLIED, AWAITED_SEALED };
struct awaited {
    enum awaited_state state;
    int64_t chain;
    uint64_t request; /* that was answered by telling it of the new epoch */
};
#define CATCH_UP 500u /* events that are re-applied before a round */
static const char *const awaited_words[] = {"", "missing", "returning", "reported", "applied", "sealed"};

static enum err awaited_of(struct hub *h, int64_t node_no, struct awaited *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    *out = (struct awaited){0};
    enum err e = db_prepare(h->db, "SELECT state, chain, request FROM h_awaited WHERE node_no = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, node_no);
    e = db_step(s, &row, why);
    for (size_t i = 1; e == ERR_OK && row && i < sizeof awaited_words / sizeof awaited_words[0]; i++)
        if (bytes_equal(db_bytes(s, 0), bytes_of_str(awaited_words[i])))
            *out = (struct awaited){
                .state = (enum awaited_state)i, .chain = db_int(s, 1), .request = (uint64_t)db_int(s, 2)};
    db_done(s);
    return e;
}

static enum err awaited_set(struct hub *h, int64_t node_no, enum awaited_state state, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, "UPDATE h_awaited SET state = $1, at = $2 WHERE node_no = $3", &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, awaited_words[state]);
    db_bind_int(s, 2, h->now_ms);
    db_bind_int(s, 3, node_no);
    return db_run(s, why);
}

static enum err awaited_begins(struct hub *h, struct hub_node *n, const struct node_hello *m, struct why *why)
{
    struct stmt *s;
    enum err e = awaited_set(h, n->no, AWAITED_RETURNING, why);
    if (e == ERR_OK) e = db_prepare(h->db, "UPDATE h_awaited SET request = $1, anew = $2 WHERE node_no = $3", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, (int64_t)m->request);
    db_bind_id(s, 2, m->cursor);
    db_bind_int(s, 3, n->no);
    e = db_run(s, why);
    memcpy(n->cursor, m->cursor, sizeof n->cursor);
    return e;
}

static enum err awaited_statement(struct hub *h, const struct hub_node *n, struct buf *out, struct why *why)
{
    struct stmt *s;
    struct awaited a;
    bool row = false;
    enum err e = awaited_of(h, n->no, &a, why);
    if (e == ERR_OK) e = db_prepare(h->db, "SELECT body, pk, signature FROM h_statement WHERE log_no = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, n->no);
    e = db_step(s, &row, why);
    if (e == ERR_OK && !row)
        e = why_set(why, ERR_TAMPERED, "The hub has no statement of its new epoch for this device.");
    if (e == ERR_OK) {
        const struct signed_statement m = {.body = db_bytes(s, 0), .key = db_bytes(s, 1), .signature = db_bytes(s, 2)};
        message_put_epoch(out, &m, (uint64_t)a.chain);
        if (out->err != ERR_OK) e = why_set(why, out->err, "There is not enough memory to answer.");
    }
    db_done(s);
    return e;
}

/* ------------------------------------------------------------------------------------------------ what comes back */

struct taking {
    struct hub *h;
    const struct hub_node *n;
};

static enum err put_outcome(void *ctx, const struct note_outcome *o, struct why *why)
{
    const struct taking *t = ctx;
    struct stmt *s;
    enum err e = returned_weighs(t->h, 1, why); /* each is a look at the store, like a row */
    if (e == ERR_OK)
        e = db_prepare(t->h->db,
                       "INSERT INTO h_outcome(node_no, seq, version, verdict, hash, received_at, reason) "
                       "VALUES($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
                       &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, t->n->no);
    db_bind_int(s, 2, (int64_t)o->seq);
    db_bind_int(s, 3, o->version);
    db_bind_int(s, 4, (int64_t)o->verdict);
    db_bind_blob(s, 5, bytes_of(o->hash, HASH_BYTES));
    db_bind_int(s, 6, o->received_at);
    db_bind_text(s, 7, o->reason);
    return db_run(s, why);
}

static enum err put_cut(struct hub *h, const struct hub_node *n, const struct note_cut *c, struct why *why)
{
    static const uint8_t none[16];
    struct stmt *s;
    if (memcmp(c->cut.name, none, sizeof none) == 0) return ERR_OK;
    enum err e =
        db_prepare(h->db,
                   "INSERT INTO h_cut_back(name, node_no, lo, hi, pos, pos_from, at, served_at, schema, schema_lo) "
                   "VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING",
                   &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, c->cut.name);
    db_bind_int(s, 2, n->no);
    db_bind_int(s, 3, c->cut.lo);
    db_bind_int(s, 4, c->cut.hi);
    db_bind_int(s, 5, c->cut.pos);
    db_bind_int(s, 6, c->cut.pos_from);
    db_bind_int(s, 7, c->cut.at);
    db_bind_int(s, 8, c->served_at);
    db_bind_int(s, 9, (int64_t)c->cut.schema);
    db_bind_int(s, 10, (int64_t)c->cut.schema_lo);
    return db_run(s, why);
}

static enum err take_note(struct hub *h, const struct hub_node *n, struct bytes item, struct why *why)
{
    struct taking t = {.h = h, .n = n};
    struct note_item m;
    struct note_cut cut;
    enum err e = message_get_note(item, &m, why);
    if (e == ERR_OK) e = note_open(h, n, m.note, &cut, put_outcome, &t, why);
    return e == ERR_OK ? put_cut(h, n, &cut, why) : e;
}

enum err awaited_ready(struct hub *h, struct why *why)
{
    bool ready = false;
    enum err e = all_here(h, &ready, why);
    if (e != ERR_OK) return e;
    if (ready) e = db_exec(h->db, "UPDATE h_epoch SET state = 'applying' WHERE state = 'gathering'", why);
    return e == ERR_OK ? restore_look(h, why) : e;
}

static enum err any_sealed(struct hub *h, int64_t node_no, bool *out, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, "SELECT 1 FROM h_sealed WHERE node_no = $1 LIMIT 1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, node_no);
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

enum err restore_late(struct hub *h, struct why *why)
{
    return db_exec(h->db,
                   "UPDATE h_epoch SET state = 'late' WHERE state IN ('open', 'done') AND epoch = (SELECT max(epoch) FROM "
                   "h_epoch)",
                   why);
}

static enum err take_end(struct hub *h, const struct hub_node *n, struct bytes item, struct why *why)
{
    bool sealed = false;
    enum err e = message_get_returned(item, why);
    if (e == ERR_OK) e = any_sealed(h, n->no, &sealed, why);
    if (e == ERR_OK) e = awaited_set(h, n->no, sealed ? AWAITED_SEALED : AWAITED_REPORTED, why);
    /* Also when all is done: a device that was cut off, and came after all. */
    if (e == ERR_OK && !sealed) e = restore_late(h, why);
    return e == ERR_OK ? awaited_ready(h, why) : e;
}

enum err hear_item(struct hub *h, const struct hub_node *n, enum hearing hearing, struct bytes item, struct why *why)
{
    if (hearing == HEARD_ANNOUNCE) return ERR_OK;
    enum err e = returned_weighs(h, RETURNED_ITEM, why);
    if (e != ERR_OK) return e;
    switch (message_type(item)) {
    case MSG_NOTE: return take_note(h, n, item, why);
    case MSG_RETURN: return returned_take(h, n, item, why);
    case MSG_HOLDS: return returned_holds(h, n, item, why);
    case MSG_RETURNED: return take_end(h, n, item, why);
    default: return ERR_OK; /* it comes again when the hub judges again */
    }
}

/* ---------------------------------------------------------------------------------------------------- in a round */

enum err hear_begin(struct hub *h, struct hub_node *n, struct why *why)
{
    bool done = false;
    enum err e = hub_begin(h, why);
    if (e != ERR_OK || !h->applying) return e;
    hub_abort(h);
    const int64_t no = n->no;
    e = hub_restore_continue(h, CATCH_UP, &done, why);
    if (e == ERR_OK) e = hub_begin(h, why);
    if (e != ERR_OK) return e;
    if (h->applying && !h->gathering) /* what it withdrew later itself is not taken in yet: nobody is shown anything */
        e = why_set(why, ERR_BUSY, "The hub is taking in again what a device returned.");
    if (e == ERR_OK) e = nodes_by_no(h, no, n, why);
    if (e != ERR_OK) hub_abort(h);
    return e;
}

enum err hear_awaits(struct hub *h, int64_t node_no, bool *out, struct why *why)
{
    struct awaited a;
    enum err e = awaited_of(h, node_no, &a, why);
    if (e == ERR_OK) *out = a.state == AWAITED_MISSING || a.state == AWAITED_RETURNING;
    return e;
}

enum err hear_of_before(struct hub *h, int64_t node_no, uint64_t request, bool *out, struct why *why)
{
    struct awaited a;
    enum err e = awaited_of(h, node_no, &a, why);
    if (e == ERR_OK) *out = request < a.request;
    return e;
}

enum err hear_judges(struct hub *h, const struct hub_node *n, bool *out, struct why *why)
{
    struct awaited a;
    enum err e = awaited_of(h, n->no, &a, why);
    if (e == ERR_OK) *out = !h->gathering && (a.state == AWAITED_NOT || a.state == AWAITED_APPLIED);
    return e;
}

enum err hear_unanswered(struct hub *h, const struct hub_node *n, bool *out, struct why *why)
{
    struct awaited a;
    enum err e = awaited_of(h, n->no, &a, why);
    if (e == ERR_OK) *out = a.state == AWAITED_MISSING;
    return e;
}

/* The backup has an answer that the device never had. Which verdicts it told is noted nowhere: all are told again,
 * which changes nothing where they are known. */
static enum err tell_again(struct hub *h, const struct hub_node *n, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, "UPDATE h_envelope SET told = 0 WHERE node_no = $1 AND told = 1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, n->no);
    return db_run(s, why);
}

/* Does it come from the hub that made the backup, and from none that was put back since? Else its next number says
 * nothing of the answer that the backup has. */
static enum err comes_from_there(struct hub *h, const struct node_hello *m, bool *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    uint64_t of_backup = 1; /* of a hub that was never put back */
    enum err e = db_prepare(h->db, "SELECT epoch FROM h_epoch ORDER BY epoch DESC LIMIT 1 OFFSET 1", &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) of_backup = (uint64_t)db_int(s, 0);
    db_done(s);
    *out = m->epoch == of_backup;
    return e;
}

enum err hear_again(struct hub *h, struct hub_node *n, const struct node_hello *m,
                    const uint8_t request_hash[HASH_BYTES], enum hearing *out, struct why *why)
{
    struct awaited a;
    bool there = true;
    bool same = m->request == n->last_request && memcmp(request_hash, n->request_hash, HASH_BYTES) == 0;
    enum err e = awaited_of(h, n->no, &a, why);
    bool first = a.state == AWAITED_MISSING && (m->request > n->last_request || same);
    /* It was told in reply to a request that a courier brought late, and has the lost hub's answer to that: it is told
     * once more. */
    bool missed = a.state == AWAITED_RETURNING && n->last_request == a.request && m->request > n->last_request;
    if (e == ERR_OK && !first && !missed)
        e = why_set(why, ERR_REFUSED, "The hub does not know this device's state.");
    if (e == ERR_OK) e = comes_from_there(h, m, &there, why);
    if (e == ERR_OK && (same || !there)) e = tell_again(h, n, why);
    if (e == ERR_OK) e = awaited_begins(h, n, m, why);
    if (e == ERR_OK) *out = HEARD_ANNOUNCE;
    return e;
}

enum err hear_return(struct hub *h, const struct hub_node *n, enum hearing *out, struct why *why)
{
    struct awaited a;
    if (h->mark == 0 && !h->gathering) return ERR_OK; /* a hub that was never put back is not asked */
    enum err e = awaited_of(h, n->no, &a, why);
    if (e == ERR_OK &&
        (h->gathering || a.state == AWAITED_RETURNING || a.state == AWAITED_REPORTED || a.state == AWAITED_SEALED))
        *out = HEARD_RETURN;
    return e;
}

/* Its cut stays what it is, so that what it writes meanwhile stands upon something; but it is told everything from the
 * beginning. */
enum err hear_cut(struct hub *h, const struct hub_node *n, enum hearing hearing, const uint8_t cursor[16],
                  struct cut *out, struct why *why)
{
    struct stmt *s;
    bool anew = hearing != HEARD_AS_EVER;
    enum err e = ERR_OK;
    if (!anew && h->mark > 0) {
        e = db_prepare(h->db, "SELECT 1 FROM h_awaited WHERE node_no = $1 AND anew = $2", &s, why);
        if (e != ERR_OK) return e;
        db_bind_int(s, 1, n->no);
        db_bind_id(s, 2, cursor);
        e = db_step(s, &anew, why);
        db_done(s);
    }
    if (e != ERR_OK || !anew) return e == ERR_OK ? cut_of(h, n, cursor, out, why) : e;
    *out = (struct cut){.pos = INT64_MAX};
    memcpy(out->name, cursor, sizeof out->name);
    return ERR_OK;
}

enum err hear_more(struct hub *h, const struct hub_node *n, bool *out, struct why *why)
{
    struct awaited a;
    /* Whoever was waited for may have been revoked since. */
    enum err e = h->gathering && !h->applying ? awaited_ready(h, why) : ERR_OK;
    if (e == ERR_OK) e = awaited_of(h, n->no, &a, why);
    if (e == ERR_OK) *out = h->applying || a.state == AWAITED_RETURNING;
    return e;
}

enum err hear_answer(struct hub *h, const struct hub_node *n, struct bundle_writer *w, struct why *why)
{
    struct buf item;
    buf_init(&item, 1u << 16);
    enum err e = awaited_statement(h, n, &item, why);
    if (e == ERR_OK) e = bundle_put(w, "", buf_bytes(&item), why);
    buf_release(&item);
    return e;
}
