/* What auditors get of the transparency logs. */
#include "hub/log.h"

#include "base/cbor.h"
#include "crypto/checkpoint.h"
#include "crypto/hash.h"

#include <stdio.h>
#include <string.h>

#define PIECE_MAX (4u << 20) /* bytes of an export handed over at once: a leaf at least */

static enum err no_memory(struct why *why)
{
    return why_set(why, ERR_NOMEM, "There is not enough memory for the hub's log.");
}

static enum err log_no_of(struct hub *h, const uint8_t *kid, int64_t *out, struct why *why)
{
    struct hub_node n;
    *out = LOG_HUB;
    if (kid == NULL) return ERR_OK;
    enum err e = nodes_by_kid(h, kid, &n, why);
    if (e == ERR_OK) *out = n.no;
    return e;
}

enum err hub_log_key(struct hub *h, const uint8_t *kid, struct buf *out, struct why *why)
{
    char origin[CHECKPOINT_ORIGIN_MAX];
    struct note_key key;
    int64_t no = 0;
    enum err e = log_no_of(h, kid, &no, why);
    if (e != ERR_OK) return e;
    checkpoint_origin(origin, h->id.pub.kid, kid);
    e = note_key_make(&key, bytes_of_str(origin), h->id.pub.sign_pk, why);
    if (e != ERR_OK) return e;
    note_key_put(&key, out);
    buf_put_u8(out, '\n');
    return out->err == ERR_OK ? ERR_OK : no_memory(why);
}

static enum err sign(struct hub *h, const uint8_t *kid, const struct merkle_frontier *f, struct buf *out,
                     struct why *why)
{
    char origin[CHECKPOINT_ORIGIN_MAX];
    struct checkpoint c = {.head.size = f->size};
    checkpoint_origin(origin, h->id.pub.kid, kid);
    c.origin = bytes_of_str(origin);
    merkle_root(f, c.head.root);
    return checkpoint_sign(&h->id, &c, out, why);
}

enum err hub_log_checkpoint(struct hub *h, const uint8_t *kid, struct buf *out, struct why *why)
{
    struct merkle_frontier f;
    int64_t no = 0;
    enum err e = log_no_of(h, kid, &no, why);
    if (e == ERR_OK) e = log_frontier(h, no, &f, why);
    return e == ERR_OK ? sign(h, kid, &f, out, why) : e;
}

static enum err put_checkpoint(struct hub *h, const uint8_t *kid, const struct merkle_frontier *f, struct buf *out,
                               struct why *why)
{
    struct buf note;
    buf_init(&note, NOTE_MAX);
    enum err e = sign(h, kid, f, &note, why);
    if (e == ERR_OK) log_put_base64(out, "checkpoint", buf_bytes(&note));
    buf_release(&note);
    return e;
}

/* --------------------------------------------------------------------------------------------------------- one leaf */

static enum err put_leaf_row(struct stmt *s, struct buf *out, struct why *why)
{
    uint8_t salt[32];
    struct bytes salted = db_bytes(s, 0), commitment = db_bytes(s, 2);
    if (commitment.n != HASH_BYTES || (salted.n != sizeof salt && !db_is_null(s, 0)) ||
        db_is_null(s, 0) != db_is_null(s, 1))
        return why_set(why, ERR_TAMPERED, "A transparency log of this hub is damaged.");
    if (salted.n > 0) memcpy(salt, salted.p, sizeof salt);
    log_put_leaf(out, &(struct log_leaf){commitment.p, salted.n > 0 ? salt : NULL, db_bytes(s, 1)});
    return ERR_OK;
}

#define LEAF_ROW "SELECT salt, content, commitment, n FROM h_leaf WHERE log_no = $1 AND "

static enum err put_one_leaf(struct hub *h, int64_t log_no, uint64_t index, struct buf *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db, LEAF_ROW "n = $2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, log_no);
    db_bind_int(s, 2, (int64_t)index);
    e = db_step(s, &row, why);
    if (e == ERR_OK && !row) e = why_set(why, ERR_TAMPERED, "A transparency log of this hub lacks an entry.");
    if (e == ERR_OK) e = put_leaf_row(s, out, why);
    db_done(s);
    return e;
}

static void put_index(struct buf *out, const uint8_t *kid, uint64_t index)
{
    char line[96], hex[2 * KID_BYTES + 1] = "-";
    if (kid != NULL) hex_encode(hex, kid, KID_BYTES);
    (void)snprintf(line, sizeof line, "index %s %llu\n", hex, (unsigned long long)index);
    buf_put_str(out, line);
}

/* Nothing is given out that whoever gets it cannot verify. */
static enum err proof_of(struct hub *h, int64_t log_no, const struct merkle_frontier *f, uint64_t index,
                         struct merkle_proof *out, struct why *why)
{
    struct merkle_head head = {.size = f->size};
    uint8_t leaf[MERKLE_HASH_BYTES];
    merkle_root(f, head.root);
    enum err e = log_inclusion(h, log_no, index, f->size, out, leaf, why);
    if (e == ERR_OK && merkle_verify_inclusion(&head, index, leaf, merkle_proof_bytes(out), NULL) != ERR_OK)
        e = why_set(why, ERR_TAMPERED, "A transparency log of this hub is damaged.");
    return e;
}

enum err hub_log_proof(struct hub *h, const uint8_t *kid, uint64_t index, struct buf *out, struct why *why)
{
    struct merkle_frontier f;
    struct merkle_proof proof;
    int64_t no = 0;
    enum err e = log_no_of(h, kid, &no, why);
    if (e == ERR_OK) e = log_frontier(h, no, &f, why);
    if (e == ERR_OK && index >= f.size)
        e = why_set(why, ERR_NOTFOUND, "This log has %llu entries, numbered from 0.", (unsigned long long)f.size);
    if (e != ERR_OK) return e;
    e = proof_of(h, no, &f, index, &proof, why);
    if (e != ERR_OK) return e;
    log_put_head(out, true, &h->id.pub, h->name);
    put_index(out, kid, index);
    e = put_one_leaf(h, no, index, out, why);
    for (size_t i = 0; i < proof.n; i++) log_put_base64(out, "hash", bytes_of(proof.hashes[i], MERKLE_HASH_BYTES));
    if (e == ERR_OK) e = put_checkpoint(h, kid, &f, out, why);
    buf_put_str(out, "end\n");
    return e == ERR_OK && out->err != ERR_OK ? no_memory(why) : e;
}

/* ------------------------------------------------------------------------------------------------------ all of them */

struct export {
    struct hub *h;
    hub_log_fn each;
    void *ctx;
    struct buf piece;
};

static enum err hand_over(struct export *x, struct why *why)
{
    if (x->piece.err != ERR_OK) return no_memory(why);
    enum err e = x->piece.len == 0 ? ERR_OK : x->each(x->ctx, buf_bytes(&x->piece), why);
    x->piece.len = 0;
    return e;
}

static enum err export_leaves(struct export *x, int64_t log_no, uint64_t size, struct why *why)
{
    struct stmt *s;
    uint64_t n = 0;
    bool row = false;
    enum err e = db_prepare(x->h->db, LEAF_ROW "n < $2 ORDER BY n", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, log_no);
    db_bind_int(s, 2, (int64_t)size);
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        if ((uint64_t)db_int(s, 3) != n++) e = why_set(why, ERR_TAMPERED, "A transparency log of this hub lacks an entry.");
        if (e == ERR_OK) e = put_leaf_row(s, &x->piece, why);
        if (e == ERR_OK && x->piece.len > PIECE_MAX / 4) e = hand_over(x, why);
        if (e != ERR_OK) break;
    }
    db_done(s);
    if (e == ERR_OK && n != size) e = why_set(why, ERR_TAMPERED, "A transparency log of this hub lacks an entry.");
    return e;
}

static enum err export_log(struct export *x, int64_t log_no, const uint8_t *kid, struct why *why)
{
    char line[96], hex[2 * KID_BYTES + 1] = "-";
    struct merkle_frontier f;
    enum err e = log_frontier(x->h, log_no, &f, why);
    if (e != ERR_OK) return e;
    if (kid != NULL) hex_encode(hex, kid, KID_BYTES);
    (void)snprintf(line, sizeof line, "log %s %llu\n", hex, (unsigned long long)f.size);
    buf_put_str(&x->piece, line);
    e = put_checkpoint(x->h, kid, &f, &x->piece, why);
    return e == ERR_OK ? export_leaves(x, log_no, f.size, why) : e;
}

static enum err export_devices(struct export *x, struct why *why)
{
    struct stmt *s;
    uint8_t kid[KID_BYTES];
    bool row = false;
    enum err e = db_prepare(x->h->db, "SELECT n.no, n.kid FROM h_log l JOIN h_node n ON n.no = l.no ORDER BY n.no", &s, why);
    if (e != ERR_OK) return e;
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        if (!db_id(s, 1, kid)) e = why_set(why, ERR_TAMPERED, "The hub's list of devices is damaged.");
        if (e == ERR_OK) e = export_log(x, db_int(s, 0), kid, why);
        if (e != ERR_OK) break;
    }
    db_done(s);
    return e;
}

/* Within the running transaction, or whatever else keeps the store as it is. */
enum err log_export_all(struct hub *h, hub_log_fn each, void *ctx, struct why *why)
{
    struct export x = {.h = h, .each = each, .ctx = ctx};
    buf_init(&x.piece, PIECE_MAX);
    log_put_head(&x.piece, false, &h->id.pub, h->name);
    enum err e = export_log(&x, LOG_HUB, NULL, why);
    if (e == ERR_OK) e = export_devices(&x, why);
    buf_put_str(&x.piece, "end\n");
    if (e == ERR_OK) e = hand_over(&x, why);
    buf_release(&x.piece);
    return e;
}

enum err hub_log_export(struct hub *h, hub_log_fn each, void *ctx, struct why *why)
{
    enum err e = db_begin(h->db, why);
    if (e != ERR_OK) return e;
    e = log_export_all(h, each, ctx, why);
    db_rollback(h->db); /* nothing was written */
    return e;
}
