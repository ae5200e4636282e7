/* A device as the hub knows it: its keys, its chain, its last round. */
#include "hub/internal.h"

#include "crypto/hash.h"

#include <string.h>

static const char by_kid[] =
    "SELECT n.no, n.public, n.site_no, n.state, n.last_seq, n.last_hash, n.last_request, n.request_hash, "
    "n.answer_hash, n.cursor, s.code, coalesce(t.agency, ''), coalesce(t.kind, '') FROM h_node n JOIN h_site s ON s.no = n.site_no "
    "LEFT JOIN site t ON t.code = s.code WHERE n.kid = $1";
static const char by_no[] =
    "SELECT n.no, n.public, n.site_no, n.state, n.last_seq, n.last_hash, n.last_request, n.request_hash, "
    "n.answer_hash, n.cursor, s.code, coalesce(t.agency, ''), coalesce(t.kind, '') FROM h_node n JOIN h_site s ON s.no = n.site_no "
    "LEFT JOIN site t ON t.code = s.code WHERE n.no = $1";

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

static enum err read_node(struct stmt *s, struct hub_node *out, struct why *why)
{
    struct hub_node n = {.no = db_int(s, 0), .site_no = db_int(s, 2)};
    enum err e = identity_stored(&n.id, db_bytes(s, 1), why);
    if (e != ERR_OK) return e;
    n.last_seq = (uint64_t)db_int(s, 4);
    n.last_request = (uint64_t)db_int(s, 6);
    bool whole = copy_text(n.state, sizeof n.state, db_bytes(s, 3)) &&
                 copy_fixed(n.last_hash, sizeof n.last_hash, db_bytes(s, 5)) &&
                 copy_fixed(n.request_hash, sizeof n.request_hash, db_bytes(s, 7)) &&
                 copy_fixed(n.answer_hash, sizeof n.answer_hash, db_bytes(s, 8)) &&
                 copy_fixed(n.cursor, sizeof n.cursor, db_bytes(s, 9)) &&
                 copy_text(n.site, sizeof n.site, db_bytes(s, 10)) &&
                 copy_text(n.agency, sizeof n.agency, db_bytes(s, 11)) &&
                 copy_text(n.site_kind, sizeof n.site_kind, db_bytes(s, 12));
    if (!whole) return why_set(why, ERR_TAMPERED, "What this hub stored about a device is damaged.");
    *out = n;
    return ERR_OK;
}

static enum err find(struct stmt *s, struct hub_node *out, struct why *why)
{
    bool row = false;
    enum err e = db_step(s, &row, why);
    if (e == ERR_OK) e = row ? read_node(s, out, why) : why_set(why, ERR_NOTFOUND, "No such device is enrolled here.");
    db_done(s);
    return e;
}

enum err nodes_by_kid(struct hub *h, const uint8_t kid[16], struct hub_node *out, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, by_kid, &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, kid);
    return find(s, out, why);
}

enum err nodes_by_no(struct hub *h, int64_t no, struct hub_node *out, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, by_no, &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, no);
    return find(s, out, why);
}

enum err nodes_save(struct hub *h, const struct hub_node *n, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db,
                            "UPDATE h_node SET state = $1, last_seq = $2, last_hash = $3, last_request = $4, "
                            "request_hash = $5, answer_hash = $6, cursor = $7 WHERE no = $8",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, n->state);
    db_bind_int(s, 2, (int64_t)n->last_seq);
    db_bind_blob(s, 3, bytes_of(n->last_hash, sizeof n->last_hash));
    db_bind_int(s, 4, (int64_t)n->last_request);
    db_bind_blob(s, 5, bytes_of(n->request_hash, sizeof n->request_hash));
    db_bind_blob(s, 6, bytes_of(n->answer_hash, sizeof n->answer_hash));
    db_bind_blob(s, 7, bytes_of(n->cursor, sizeof n->cursor));
    db_bind_int(s, 8, n->no);
    return db_run(s, why);
}
