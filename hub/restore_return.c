/* What devices of a lost hub return of their work, and which rows they say they hold: it lies aside until it is
 * re-applied, and is kept within bounds. */
#include "hub/proposal.h"
#include "hub/restore_internal.h"

#include "base/cbor.h"
#include "crypto/recovery.h"
#include "crypto/seal.h"
#include "sync/bundle.h"
#include "sync/messages_return.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROW_BYTES  64 /* what a row that is held weighs */
#define PART_BYTES 256 /* and what stands around a part, and around what is sealed */

/* Of one request. A device sends some 4 MiB at once: at most 190,000 rows, or 20,000 notes. Others wait meanwhile. */
#define REQUEST_MOST 1000000u

/* ----------------------------------------------------------------------------------------------------------- bounds */

/* What a note of the lost hub tells of, that hub had taken in: it has the size that its device signed, and is as much
 * as it was then. Nothing vouches for anything else, and a device may say of it what it likes, as often as it likes:
 * of that, so much is kept. More is refused whole, so that its device keeps it, until an administrator has looked. */
static enum err limits(struct hub *h, int64_t *out_one, int64_t *out_all, struct why *why)
{
    int64_t mb = 0;
    enum err e = rule_get(h, RULE_RETURNED, &mb, why);
    *out_one = mb << 20;
    *out_all = RETURNED_DEVICES * *out_one;
    return e;
}

static enum err charge(struct hub *h, const struct hub_node *n, int64_t bytes, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db,
                            "INSERT INTO h_return_load(node_no, bytes, request, before) VALUES($1, $2, $3, 0) ON CONFLICT(node_no) DO "
                            "UPDATE SET before = CASE WHEN h_return_load.request = excluded.request THEN h_return_load.before ELSE "
                            "h_return_load.bytes END, request = excluded.request, bytes = h_return_load.bytes + excluded.bytes",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, n->no);
    db_bind_int(s, 2, bytes);
    db_bind_int(s, 3, (int64_t)n->last_request);
    return db_run(s, why);
}

/* Of what all have returned together: who was cut off for what he returned is in nobody else's way. */
#define NOT_CUT_OFF "NOT EXISTS(SELECT 1 FROM h_node n WHERE n.no = h_return_load.node_no AND n.state IN ('revoked', 'wiped'))"

/* A request that began within the bounds is taken whole: so those who are over them stand in the store, for doctor. */
static enum err may_go_on(struct hub *h, const struct hub_node *n, struct why *why)
{
    struct stmt *s;
    bool row = false, over = false;
    int64_t one = 0, all = 0;
    enum err e = limits(h, &one, &all, why);
    if (e == ERR_OK)
        e = db_prepare(h->db,
                       "SELECT coalesce(max(CASE WHEN node_no = $1 THEN b END), 0), coalesce(CAST(sum(b) AS INTEGER), 0) FROM (SELECT node_no, "
                       "CASE WHEN node_no = $1 AND request = $2 THEN before ELSE bytes END AS b FROM h_return_load WHERE node_no = $1 OR " NOT_CUT_OFF
                       ") AS x",
                       &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, n->no);
    db_bind_int(s, 2, (int64_t)n->last_request);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) over = db_int(s, 0) >= one || db_int(s, 1) >= all;
    db_done(s);
    if (e != ERR_OK || !over) return e;
    (void)why_set(why, ERR_BUSY, "The MASH server keeps no more of what this device returns until its administrators have looked at it. "
                                 "Nothing is lost: it stays on this device.");
    return why_next(why, ERR_BUSY, "Tell them: their spoke-hub doctor says what they can do.");
}

enum err returned_weighs(struct hub *h, size_t more, struct why *why)
{
    h->returned += more;
    if (h->returned <= REQUEST_MOST) return ERR_OK;
    return why_set(why, ERR_FORMAT, "The request holds more than a device returns at once.");
}

/* So much did its device sign. */
static int64_t signed_bytes(const struct envelope *env)
{
    struct cbor_reader r;
    uint8_t commitment[HASH_BYTES];
    int64_t sum = PART_BYTES;
    cbor_reader_init(&r, env->payload);
    size_t n = cbor_get_array(&r, ENVELOPE_MAX_PARTS);
    for (size_t i = 0; i < n && r.err == ERR_OK; i++) {
        (void)cbor_get_array(&r, 2);
        cbor_get_fixed(&r, commitment, sizeof commitment);
        uint64_t length = cbor_get_uint(&r);
        sum += PART_BYTES + (length < BUNDLE_MAX_ITEM ? (int64_t)length : BUNDLE_MAX_ITEM);
    }
    return sum;
}

static enum err vouched_for(struct hub *h, const struct hub_node *n, uint64_t seq, const uint8_t hash[HASH_BYTES], bool *out_vouched,
                            bool *out_there, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db,
                            "SELECT CASE WHEN EXISTS(SELECT 1 FROM h_outcome WHERE node_no = $1 AND seq = $2 AND hash = $3) THEN 1 ELSE 0 "
                            "END, CASE WHEN EXISTS(SELECT 1 FROM h_returned WHERE node_no = $1 AND seq = $2 AND (item IS NOT NULL OR EXISTS("
                            "SELECT 1 FROM h_sealed x WHERE x.node_no = $1 AND x.seq = $2))) THEN 1 ELSE 0 END",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, n->no);
    db_bind_int(s, 2, (int64_t)seq);
    db_bind_blob(s, 3, bytes_of(hash, HASH_BYTES));
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) {
        *out_vouched = db_int(s, 0) != 0;
        *out_there = db_int(s, 1) != 0;
    }
    db_done(s);
    return e;
}

static enum err bounded(struct hub *h, const struct hub_node *n, const struct return_item *m, const struct envelope *env, bool *out_there,
                        struct why *why)
{
    uint8_t hash[HASH_BYTES];
    bool vouched = false;
    envelope_hash(m->cose, hash);
    enum err e = vouched_for(h, n, env->h.seq, hash, &vouched, out_there, why);
    if (e != ERR_OK || *out_there) return e;
    int64_t bytes = (int64_t)(m->cose.n + m->body.n) + ROW_BYTES;
    if (vouched) bytes -= (int64_t)(2 * m->cose.n) + ROW_BYTES + signed_bytes(env);
    if (bytes <= 0) return ERR_OK;
    e = charge(h, n, bytes, why);
    return e == ERR_OK ? may_go_on(h, n, why) : e;
}

/* ---------------------------------------------------------------------------------------------------------- changes */

/* The recovery secret, as long as it is needed. *out_away: it is gone, for everybody who was waited for is here. */
static enum err open_sealed(struct hub *h, struct bytes sealed, struct buf *out, bool *out_away, struct why *why)
{
    struct identity_secret recovery = {0};
    struct secret secret = {0};
    struct buf plain;
    struct stmt *s;
    bool row = false;
    buf_init(&plain, 4096);
    enum err e =
        db_prepare(h->db, "SELECT secret FROM h_epoch WHERE secret IS NOT NULL ORDER BY epoch DESC LIMIT 1", &s, why);
    if (e == ERR_OK) {
        e = db_step(s, &row, why);
        *out_away = e == ERR_OK && !row;
        if (e == ERR_OK && row) e = seal_box_open(db_bytes(s, 0), &h->id, &plain, why);
        db_done(s);
    }
    if (e != ERR_OK || *out_away) {
        buf_release(&plain);
        return e;
    }
    e = secret_take(&secret, plain.data, plain.len, why);
    if (e == ERR_OK) e = recovery_open(&secret, &recovery, why);
    if (e == ERR_OK) e = seal_box_open(sealed, &recovery, out, why);
    identity_release(&recovery);
    secret_release(&secret);
    buf_release(&plain);
    return e;
}

bool returned_fits(struct bytes item, const struct envelope *env, struct bytes cose)
{
    struct bytes inner = {0};
    size_t n = 0;
    struct part *parts = calloc(ENVELOPE_MAX_PARTS, sizeof *parts);
    bool fits = parts != NULL && message_get_envelope(item, &inner, parts, ENVELOPE_MAX_PARTS, &n, NULL) == ERR_OK &&
                bytes_equal(inner, cose) && n == env->n_parts;
    free(parts);
    return fits;
}

static enum err put_returned(struct hub *h, const struct hub_node *n, uint64_t seq, struct bytes cose,
                             struct bytes item, struct why *why)
{
    struct stmt *s;
    uint8_t hash[HASH_BYTES];
    enum err e = db_prepare(h->db,
                            "INSERT INTO h_returned(node_no, seq, hash, cose, item) VALUES($1, $2, $3, $4, $5) "
                            "ON CONFLICT(node_no, seq) DO UPDATE SET hash = excluded.hash, cose = excluded.cose, "
                            "item = excluded.item WHERE h_returned.item IS NULL",
                            &s, why);
    if (e != ERR_OK) return e;
    envelope_hash(cose, hash);
    db_bind_int(s, 1, n->no);
    db_bind_int(s, 2, (int64_t)seq);
    db_bind_blob(s, 3, bytes_of(hash, sizeof hash));
    db_bind_blob(s, 4, cose);
    if (item.n > 0)
        db_bind_blob(s, 5, item);
    else
        db_bind_null(s, 5);
    return db_run(s, why);
}

static enum err put_sealed(struct hub *h, const struct hub_node *n, uint64_t seq, struct bytes content, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(
        h->db, "INSERT INTO h_sealed(node_no, seq, content) VALUES($1, $2, $3) ON CONFLICT DO NOTHING", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, n->no);
    db_bind_int(s, 2, (int64_t)seq);
    db_bind_blob(s, 3, content);
    return db_run(s, why);
}

/* What its body says, as far as it can be opened. */
static enum err open_body(struct hub *h, const struct return_item *m, struct buf *plain, struct bytes *out, bool *out_away, struct why *why)
{
    struct why detail = {0};
    if (m->kind == RETURN_PLAIN) *out = m->body;
    if (m->kind != RETURN_SEALED) return ERR_OK;
    enum err e = open_sealed(h, m->body, plain, out_away, &detail);
    *out = buf_bytes(plain);
    if (e == ERR_OK || e == ERR_TAMPERED || e == ERR_FORMAT) return ERR_OK;
    return why_set(why, e, "%s", detail.text);
}

/* Its device signed it; what cannot be opened, or is not what it signed, is as good as lost. What waits for the
 * recovery key is kept. What is there already is not written again. */
enum err returned_take(struct hub *h, const struct hub_node *n, struct bytes item, struct why *why)
{
    struct return_item m;
    struct envelope env = {0};
    struct bytes body = {0};
    struct buf plain;
    bool away = false, there = false;
    enum err e = message_get_return(item, &m, why);
    if (e == ERR_OK) e = envelope_verify(m.cose, &n->id, &env, why);
    if (e == ERR_OK && memcmp(env.h.hub, h->id.pub.kid, KID_BYTES) != 0)
        e = why_set(why, ERR_TAMPERED, "A change was made for another hub.");
    if (e == ERR_OK) e = bounded(h, n, &m, &env, &there, why);
    if (e != ERR_OK || there) return e;
    buf_init(&plain, BUNDLE_MAX_ITEM);
    e = open_body(h, &m, &plain, &body, &away, why);
    if (e == ERR_OK && body.n > 0 && !returned_fits(body, &env, m.cose)) body = (struct bytes){0};
    if (e == ERR_OK) e = put_returned(h, n, env.h.seq, m.cose, body, why);
    if (e == ERR_OK && away) e = put_sealed(h, n, env.h.seq, m.body, why);
    buf_release(&plain);
    return e;
}

/* ------------------------------------------------------------------------------------------------------------- rows */

#define TOGETHER 31 /* rows of one statement: each is a journey to a server, and a statement has DB_MAX_PARAMS */

struct holding {
    struct hub *h;
    const struct hub_node *n;
    struct drop_item v[TOGETHER];
    size_t pending;
    int64_t added;
    char sql[1024];
};

static void holding_text(struct holding *t)
{
    size_t at = (size_t)snprintf(t->sql, sizeof t->sql, "INSERT INTO h_holds(node_no, tbl, id) VALUES");
    for (size_t i = 0; i < TOGETHER; i++)
        at += (size_t)snprintf(t->sql + at, sizeof t->sql - at, "%s($1, $%zu, $%zu)", i == 0 ? "" : ", ", 2 * i + 2, 2 * i + 3);
    (void)snprintf(t->sql + at, sizeof t->sql - at, " ON CONFLICT DO NOTHING RETURNING tbl");
}

/* What was there before is not counted, and need not be asked for. The places that are left over say the last row
 * again. */
static enum err put_pending(struct holding *t, struct why *why)
{
    struct stmt *s;
    bool row = true;
    if (t->pending == 0) return ERR_OK;
    enum err e = db_prepare(t->h->db, t->sql, &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, t->n->no);
    for (int i = 0; i < TOGETHER; i++) {
        const struct drop_item *d = &t->v[(size_t)i < t->pending ? (size_t)i : t->pending - 1];
        db_bind_int(s, 2 * i + 2, d->table_index);
        db_bind_id(s, 2 * i + 3, d->id);
    }
    while ((e = db_step(s, &row, why)) == ERR_OK && row) t->added++;
    db_done(s);
    t->pending = 0;
    return e;
}

static enum err put_held(void *ctx, const struct drop_item *d, struct why *why)
{
    struct holding *t = ctx;
    t->v[t->pending++] = *d;
    enum err e = returned_weighs(t->h, 1, why);
    return e == ERR_OK && t->pending == TOGETHER ? put_pending(t, why) : e;
}

/* Only those that are new weigh: an item that comes again brings none. */
enum err returned_holds(struct hub *h, const struct hub_node *n, struct bytes item, struct why *why)
{
    struct holding t = {.h = h, .n = n};
    holding_text(&t);
    enum err e = message_get_holds(item, put_held, &t, why);
    if (e == ERR_OK) e = put_pending(&t, why);
    if (e != ERR_OK || t.added == 0) return e;
    e = charge(h, n, t.added * ROW_BYTES, why);
    return e == ERR_OK ? may_go_on(h, n, why) : e;
}

/* -------------------------------------------------------------------------------------------------- who is over */

enum err returned_over(struct hub *h, struct returned_bounds *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    *out = (struct returned_bounds){0};
    enum err e = limits(h, &out->one, &out->all, why);
    if (e == ERR_OK)
        e = db_prepare(h->db, "SELECT coalesce(CAST(sum(bytes) AS INTEGER), 0), coalesce(max(bytes), 0) FROM h_return_load WHERE " NOT_CUT_OFF, &s,
                       why);
    if (e != ERR_OK) return e;
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) {
        out->together = db_int(s, 0);
        out->most = db_int(s, 1);
    }
    db_done(s);
    return e;
}
