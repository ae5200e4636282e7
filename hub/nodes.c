/* A device as the hub knows it: its keys, its chain, its last round. */
#include "hub/admins.h"
#include "hub/log.h"
#include "hub/people.h"

#include "crypto/hash.h"

#include <string.h>

#define FORGET_REQUESTS 32 /* at a time */

#define COLUMNS                                                                                                        \
    "SELECT n.no, n.public, n.site_no, n.state, n.last_seq, n.last_hash, n.last_request, n.request_hash, "             \
    "n.answer_hash, n.cursor, s.code, coalesce(t.agency, ''), coalesce(t.kind, ''), coalesce(n.replaces, 0), "         \
    "CASE WHEN EXISTS(SELECT 1 FROM h_node x WHERE x.replaces = n.no) THEN 1 ELSE 0 END, coalesce(n.schema, 1), "       \
    "n.base_at, n.door, n.ordered, n.covered, c.lo, c.hi, c.pos, c.pos_from, c.at, c.schema, c.schema_lo, "             \
    "c.served_at, l.frontier, l.size"
#define NODE                                                                                                           \
    " FROM h_node n JOIN h_site s ON s.no = n.site_no LEFT JOIN site t ON t.code = s.code "                            \
    "LEFT JOIN h_cut c ON c.name = n.cursor AND c.node_no = n.no LEFT JOIN h_log l ON l.no = n.no "
static const char by_kid[] = COLUMNS NODE "WHERE n.kid = $1";
static const char by_no[] = COLUMNS NODE "WHERE n.no = $1";
static const char by_door[] = COLUMNS NODE
    "WHERE n.door_kid = $1 OR n.kid = $1 ORDER BY CASE WHEN n.door_kid = $1 THEN 0 ELSE 1 END LIMIT 1";
#define HAD_REQUEST 30 /* the column behind those */
static const char asking[] = COLUMNS
    ", CASE WHEN EXISTS(SELECT 1 FROM h_request q WHERE q.node_no = n.no AND q.hash = $2) THEN 1 ELSE 0 END" NODE
    "WHERE n.kid = $1";

static bool copy_text(char *out, size_t n, struct bytes v)
{
    if (v.n >= n) return false;
    if (v.n > 0) memcpy(out, v.p, v.n);
    out[v.n] = '\0';
    return true;
}

static bool copy_fixed(uint8_t *out, size_t n, struct bytes v)
{
    if (v.n == n) memcpy(out, v.p, n);
    return v.n == n || v.n == 0; /* nothing yet: zeros */
}

static void read_cut(struct stmt *s, struct hub_node *n)
{
    if (db_is_null(s, 27)) return;
    n->at = (struct cut){
        .lo = db_int(s, 20), .hi = db_int(s, 21), .pos = db_int(s, 22), .pos_from = db_int(s, 23), .at = db_int(s, 24),
        .schema = (uint64_t)db_int(s, 25), .schema_lo = (uint64_t)db_int(s, 26), .served_at = db_int(s, 27)};
    memcpy(n->at.name, n->cursor, sizeof n->at.name);
}

static enum err read_node(struct hub *h, struct stmt *s, struct hub_node *out, struct why *why)
{
    struct hub_node n = {.no = db_int(s, 0), .site_no = db_int(s, 2)};
    enum err e = identity_stored(&n.id, db_bytes(s, 1), why);
    if (e != ERR_OK) return e;
    n.last_seq = (uint64_t)db_int(s, 4);
    n.last_request = (uint64_t)db_int(s, 6);
    n.schema = (uint64_t)db_int(s, 15);
    n.replaces = db_int(s, 13);
    n.base_at = db_int(s, 16);
    n.replaced = db_int(s, 14) != 0;
    n.ordered = (uint64_t)db_int(s, 18);
    n.covered = (uint64_t)db_int(s, 19);
    bool whole = copy_text(n.state, sizeof n.state, db_bytes(s, 3)) &&
                 copy_fixed(n.last_hash, sizeof n.last_hash, db_bytes(s, 5)) &&
                 copy_fixed(n.request_hash, sizeof n.request_hash, db_bytes(s, 7)) &&
                 copy_fixed(n.answer_hash, sizeof n.answer_hash, db_bytes(s, 8)) &&
                 copy_fixed(n.cursor, sizeof n.cursor, db_bytes(s, 9)) &&
                 copy_fixed(n.door, sizeof n.door, db_bytes(s, 17)) &&
                 copy_text(n.site, sizeof n.site, db_bytes(s, 10)) &&
                 copy_text(n.agency, sizeof n.agency, db_bytes(s, 11)) &&
                 copy_text(n.site_kind, sizeof n.site_kind, db_bytes(s, 12));
    if (!whole) return why_set(why, ERR_TAMPERED, "What this hub stored about a device is damaged.");
    read_cut(s, &n);
    *out = n;
    log_seed(h, n.no, db_bytes(s, 28), (uint64_t)db_int(s, 29));
    return ERR_OK;
}

static enum err find(struct hub *h, struct stmt *s, struct hub_node *out, struct why *why)
{
    bool row = false;
    enum err e = db_step(s, &row, why);
    if (e == ERR_OK) e = row ? read_node(h, s, out, why) : why_set(why, ERR_NOTFOUND, "No such device is enrolled here.");
    db_done(s);
    return e;
}

enum err nodes_by_kid(struct hub *h, const uint8_t kid[16], struct hub_node *out, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, by_kid, &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, kid);
    return find(h, s, out, why);
}

enum err nodes_asking(struct hub *h, const uint8_t kid[16], const uint8_t request_hash[32], struct hub_node *out,
                      bool *out_had, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db, asking, &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, kid);
    db_bind_blob(s, 2, bytes_of(request_hash, 32));
    e = db_step(s, &row, why);
    if (e == ERR_OK) e = row ? read_node(h, s, out, why) : why_set(why, ERR_NOTFOUND, "No such device is enrolled here.");
    if (e == ERR_OK) *out_had = db_int(s, HAD_REQUEST) != 0;
    db_done(s);
    return e;
}

/* What is not filled looks for what is not there. */
enum err nodes_enrolled(struct hub *h, const uint8_t (*kids)[KID_BYTES], size_t n, bool *out, struct why *why)
{
    static const uint8_t none[KID_BYTES];
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db,
                            "SELECT kid FROM h_node WHERE state = 'enrolled' AND kid IN ($1, $2, $3, $4, $5, $6, $7, $8, $9, "
                            "$10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, "
                            "$29, $30, $31, $32)",
                            &s, why);
    if (e != ERR_OK) return e;
    for (size_t i = 0; i < HUB_TOGETHER; i++) db_bind_id(s, (int)i + 1, i < n ? kids[i] : none);
    while ((e = db_step(s, &row, why)) == ERR_OK && row)
        for (size_t i = 0; i < n; i++) out[i] = out[i] || bytes_equal(db_bytes(s, 0), bytes_of(kids[i], KID_BYTES));
    db_done(s);
    return e;
}
_Static_assert(HUB_TOGETHER == 32, "as many as the question has");

enum err nodes_by_no(struct hub *h, int64_t no, struct hub_node *out, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, by_no, &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, no);
    return find(h, s, out, why);
}

enum err nodes_by_door(struct hub *h, const uint8_t kid[16], struct hub_node *out, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, by_door, &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, kid);
    return find(h, s, out, why);
}

bool nodes_cut_off(const struct hub_node *n)
{
    return strcmp(n->state, "revoked") == 0 || strcmp(n->state, "wiped") == 0;
}

enum err nodes_revoke(struct hub *h, const struct hub_node *n, unsigned may, const char *reason, struct why *why)
{
    struct stmt *s;
    char about[2 * KID_BYTES + 1];
    if (nodes_cut_off(n)) return why_set(why, ERR_EXISTS, "This device is %s already.", n->state);
    enum err e = db_prepare(h->db, "UPDATE h_node SET state = 'revoked', reason = $1 WHERE no = $2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, reason);
    db_bind_int(s, 2, n->no);
    e = db_run(s, why);
    hex_encode(about, n->id.kid, KID_BYTES);
    if (e != ERR_OK) return e;
    return may != 0 ? admins_act(h, may, "revoke", about, reason, why) : people_act(h, "revoke", about, reason, why);
}

enum err nodes_put_fate(struct hub *h, const struct hub_node *n, const char *fate, struct why *why)
{
    struct stmt *s;
    if (fate[0] == '\0') return ERR_OK;
    enum err e = db_prepare(h->db,
                            "INSERT INTO h_fate(node_no, fate, at) VALUES($1, $2, $3) "
                            "ON CONFLICT(node_no) DO UPDATE SET fate = excluded.fate, at = excluded.at",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, n->no);
    db_bind_str(s, 2, fate);
    db_bind_int(s, 3, h->now_ms);
    return db_run(s, why);
}

#define SAVED                                                                                                          \
    "state = $1, last_seq = $2, last_hash = $3, last_request = $4, request_hash = $5, answer_hash = $6, cursor = $7, "  \
    "base_at = $9"

static void bind_saved(struct stmt *s, const struct hub_node *n)
{
    db_bind_str(s, 1, n->state);
    db_bind_int(s, 2, (int64_t)n->last_seq);
    db_bind_blob(s, 3, bytes_of(n->last_hash, sizeof n->last_hash));
    db_bind_int(s, 4, (int64_t)n->last_request);
    db_bind_blob(s, 5, bytes_of(n->request_hash, sizeof n->request_hash));
    db_bind_blob(s, 6, bytes_of(n->answer_hash, sizeof n->answer_hash));
    db_bind_blob(s, 7, bytes_of(n->cursor, sizeof n->cursor));
    db_bind_int(s, 8, n->no);
    db_bind_int(s, 9, n->base_at);
}

enum err nodes_save(struct hub *h, const struct hub_node *n, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, "UPDATE h_node SET " SAVED " WHERE no = $8", &s, why);
    if (e != ERR_OK) return e;
    bind_saved(s, n);
    return db_run(s, why);
}

/* Some more than the one that comes, so that a store in which they piled up gets rid of them too, in steps that nobody
 * waits for. */
static enum err forget_requests(struct hub *h, const struct hub_node *n, struct why *why)
{
    struct stmt *s;
    if (n->last_request <= NODES_REQUESTS) return ERR_OK;
    enum err e = db_prepare(h->db,
                            "DELETE FROM h_request WHERE node_no = $1 AND hash IN (SELECT q.hash FROM h_request q "
                            "WHERE q.node_no = $1 AND q.request <= $2 ORDER BY q.request LIMIT $3)",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, n->no);
    db_bind_int(s, 2, (int64_t)(n->last_request - NODES_REQUESTS));
    db_bind_int(s, 3, FORGET_REQUESTS);
    return db_run(s, why);
}

enum err nodes_note_request(struct hub *h, const struct hub_node *n, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, "INSERT INTO h_request(node_no, hash, request) VALUES($1, $2, $3) ON CONFLICT DO NOTHING", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, n->no);
    db_bind_blob(s, 2, bytes_of(n->request_hash, sizeof n->request_hash));
    db_bind_int(s, 3, (int64_t)n->last_request);
    e = db_run(s, why);
    return e == ERR_OK ? forget_requests(h, n, why) : e;
}

enum err nodes_had_request(struct hub *h, int64_t no, const uint8_t hash[32], bool *out, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, "SELECT 1 FROM h_request WHERE node_no = $1 AND hash = $2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, no);
    db_bind_blob(s, 2, bytes_of(hash, 32));
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

enum err nodes_forked(struct hub *h, int64_t no, const char *reason, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(
        h->db, "UPDATE h_node SET state = 'forked', reason = $1 WHERE no = $2 AND state = 'enrolled'", &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, reason);
    db_bind_int(s, 2, no);
    return db_run(s, why);
}

/* By the device's own clock the oldest was written so long before now; that clock may be years off, and ages are told
 * by ours. */
static int64_t oldest_of(const struct hub *h, const struct node_hello *m)
{
    uint64_t age = m->clock_ms > m->oldest_ms ? m->clock_ms - m->oldest_ms : 0;
    return age < (uint64_t)h->now_ms ? h->now_ms - (int64_t)age : 1;
}

/* Both in one: a store on another machine is told once. */
enum err nodes_save_round(struct hub *h, const struct hub_node *n, const struct node_hello *m, uint64_t judged,
                          struct why *why)
{
    /* The node counts what this very request brings; administrators ask what is still to come. */
    uint64_t unsent = m->unsent > judged ? m->unsent - judged : 0;
    struct stmt *s;
    enum err e = db_prepare(h->db,
                            "UPDATE h_node SET " SAVED ", last_seen = $10, software = $11, schema = $12, unsent = $13, "
                            "oldest_ms = $14, skew_ms = $15 WHERE no = $8",
                            &s, why);
    if (e != ERR_OK) return e;
    bind_saved(s, n);
    db_bind_int(s, 10, h->now_ms);
    db_bind_str(s, 11, m->software);
    db_bind_int(s, 12, (int64_t)m->schema);
    db_bind_int(s, 13, (int64_t)unsent);
    db_bind_int(s, 14, unsent > 0 ? oldest_of(h, m) : 0);
    db_bind_int(s, 15, (int64_t)m->clock_ms - h->now_ms);
    return db_run(s, why);
}

/* For node list: the last, and how often it came. */
static enum err note_last(struct hub *h, const struct hub_node *n, const char *reason, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db,
                            "INSERT INTO h_refusal(node_no, reason, since, at, times) VALUES($1, $2, $3, $3, 1) "
                            "ON CONFLICT(node_no) DO UPDATE SET reason = excluded.reason, at = excluded.at, "
                            "since = CASE WHEN h_refusal.reason = excluded.reason THEN h_refusal.since ELSE excluded.at END, "
                            "times = CASE WHEN h_refusal.reason = excluded.reason THEN h_refusal.times + 1 ELSE 1 END",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, n->no);
    db_bind_str(s, 2, reason);
    db_bind_int(s, 3, h->now_ms);
    return db_run(s, why);
}

/* The same one is noted once: a broken device asks again and again. */
enum err nodes_note_refusal(struct hub *h, const struct hub_node *n, const char *reason, struct why *why)
{
    char kid[2 * KID_BYTES + 1];
    struct stmt *s;
    hex_encode(kid, n->id.kid, KID_BYTES);
    bool known = false;
    enum err e = db_prepare(h->db, "SELECT 1 FROM h_act WHERE act = 'refused' AND about = $1 AND reason = $2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, kid);
    db_bind_str(s, 2, reason);
    e = db_step(s, &known, why);
    db_done(s);
    if (e == ERR_OK) e = note_last(h, n, reason, why);
    return e == ERR_OK && !known ? people_act(h, "refused", kid, reason, why) : e;
}
