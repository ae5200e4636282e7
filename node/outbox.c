/* Own envelopes: signed when committed, sent in order, judged by the hub, then kept sealed to its recovery key. */
#include "node/internal.h"

#include "crypto/seal.h"

#include <string.h>

#define OUTBOX_MAX_ITEM (40u << 20) /* an envelope with its parts */

enum err outbox_next_seq(struct node *n, uint64_t *out, struct why *why)
{
    uint64_t last;
    enum err e = state_number(n->db, "last_seq", &last, why);
    if (e == ERR_OK) *out = last + 1;
    return e;
}

/* Later than every edit before it, whatever this device's clock does. */
static enum err next_hlc(struct node *n, uint64_t *out, struct why *why)
{
    uint64_t last;
    int64_t now = env_now(n->env);
    uint64_t by_clock = now < 0 ? 0 : (uint64_t)now << 16;
    enum err e = state_number(n->db, "last_hlc", &last, why);
    if (e == ERR_OK) *out = by_clock > last ? by_clock : last + 1;
    return e;
}

static enum err fill_header(struct node *n, struct envelope_header *h, struct why *why)
{
    memcpy(h->hub, n->hub.kid, KID_BYTES);
    memcpy(h->user, n->user, sizeof h->user);
    h->epoch = n->epoch;
    h->schema = RULES_SCHEMA_VERSION;
    enum err e = state_fixed(n->db, "cursor", h->base_cut, sizeof h->base_cut, why);
    if (e == ERR_OK) e = state_fixed(n->db, "chain_head", h->prev, sizeof h->prev, why);
    return e == ERR_OK ? next_hlc(n, &h->hlc, why) : e;
}

static enum err insert(struct node *n, uint64_t seq, struct bytes cose, struct bytes item, const char *what,
                       struct why *why)
{
    struct stmt *s = NULL;
    enum err e = db_prepare(n->db,
                            "INSERT INTO n_outbox(seq, cose, item, bytes, written_ms, what, state) "
                            "VALUES($1, $2, $3, $4, $5, $6, 'unsent')",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, (int64_t)seq);
    db_bind_blob(s, 2, cose);
    db_bind_blob(s, 3, item);
    db_bind_int(s, 4, (int64_t)item.n);
    db_bind_int(s, 5, env_now(n->env));
    db_bind_str(s, 6, what);
    return db_run(s, why);
}

enum err outbox_append(struct node *n, const struct part *parts, size_t n_parts, uint64_t seq, const char *what,
                       struct why *why)
{
    struct envelope_header h = {.seq = seq};
    uint8_t head[HASH_BYTES];
    struct buf cose, item;
    buf_init(&cose, COSE_MAX);
    buf_init(&item, OUTBOX_MAX_ITEM);
    enum err e = fill_header(n, &h, why);
    if (e == ERR_OK) e = envelope_sign(&n->self, &h, parts, n_parts, &cose, why);
    if (e == ERR_OK) {
        message_put_envelope(&item, buf_bytes(&cose), parts, n_parts);
        if (item.err != ERR_OK)
            e = why_set(why, item.err, "There is not enough memory for this change. Nothing was saved.");
    }
    if (e == ERR_OK) e = insert(n, seq, buf_bytes(&cose), buf_bytes(&item), what, why);
    if (e == ERR_OK) {
        envelope_hash(buf_bytes(&cose), head);
        e = state_put(n->db, "chain_head", bytes_of(head, sizeof head), why);
    }
    if (e == ERR_OK) e = state_set_number(n->db, "last_seq", seq, why);
    if (e == ERR_OK) e = state_set_number(n->db, "last_hlc", h.hlc, why);
    buf_release(&cose);
    buf_release(&item);
    return e;
}

/* Exchange readable content for the same under the recovery key. */
static enum err seal_content(struct node *n, uint64_t seq, struct bytes item, struct why *why)
{
    struct stmt *s = NULL;
    struct buf sealed;
    buf_init(&sealed, OUTBOX_MAX_ITEM + 1024);
    enum err e = seal_box(item, n->recovery_pk, &sealed, why);
    if (e == ERR_OK) e = db_prepare(n->db, "UPDATE n_outbox SET item = NULL, sealed = $1 WHERE seq = $2", &s, why);
    if (e == ERR_OK) {
        db_bind_blob(s, 1, buf_bytes(&sealed));
        db_bind_int(s, 2, (int64_t)seq);
        e = db_run(s, why);
    }
    buf_release(&sealed);
    return e;
}

static enum err set_state(struct node *n, const struct verdict_item *v, struct why *why)
{
    struct stmt *s = NULL;
    enum err e = db_prepare(n->db, "UPDATE n_outbox SET state = $1, reason = $2 WHERE seq = $3", &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, verdict_word(v->verdict));
    if (v->reason.n > 0)
        db_bind_text(s, 2, v->reason);
    else
        db_bind_null(s, 2);
    db_bind_int(s, 3, (int64_t)v->seq);
    return db_run(s, why);
}

enum err outbox_judge(struct node *n, const struct verdict_item *v, bool *out_first, struct why *why)
{
    struct stmt *s = NULL;
    struct buf item;
    bool row = false, first = false;
    buf_init(&item, OUTBOX_MAX_ITEM);
    enum err e = db_prepare(n->db, "SELECT item FROM n_outbox WHERE seq = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, (int64_t)v->seq);
    e = db_step(s, &row, why);
    if (e == ERR_OK && !row)
        e = why_set(why, ERR_FORMAT, "The MASH server's answer speaks of a change that this device never sent.");
    if (e == ERR_OK) {
        first = !db_is_null(s, 0);
        buf_put_bytes(&item, db_bytes(s, 0));
        e = item.err == ERR_OK ? ERR_OK : why_set(why, item.err, "There is not enough memory for this answer.");
    }
    db_done(s);
    if (e == ERR_OK && first) e = seal_content(n, v->seq, buf_bytes(&item), why);
    if (e == ERR_OK && first) e = overlay_judged(n, v->seq, v->verdict == VERDICT_APPLIED, why);
    if (e == ERR_OK) e = set_state(n, v, why);
    if (e == ERR_OK) *out_first = first;
    buf_release(&item);
    return e;
}

enum err outbox_count(struct node *n, uint64_t *out_unsent, int64_t *out_oldest_ms, struct why *why)
{
    uint64_t unsent, oldest;
    enum err e = state_ask(n->db, "SELECT count(*) FROM n_outbox WHERE state = 'unsent'", &unsent, why);
    if (e == ERR_OK) e = state_ask(n->db, "SELECT min(written_ms) FROM n_outbox WHERE state = 'unsent'", &oldest, why);
    if (e != ERR_OK) return e;
    *out_unsent = unsent;
    *out_oldest_ms = (int64_t)oldest;
    return ERR_OK;
}

/* A column as a C string in `store`; NULL stays NULL. */
static const char *text_of(struct stmt *s, int col, struct buf *store)
{
    if (db_is_null(s, col)) return NULL;
    buf_reset(store);
    buf_put_bytes(store, db_bytes(s, col));
    return buf_cstr(store);
}

enum err node_outbox(struct node *n, enum err (*each)(void *ctx, const struct outbox_item *i, struct why *why),
                     void *ctx, struct why *why)
{
    struct stmt *s = NULL;
    struct buf what, state, reason;
    bool row = true;
    buf_init(&what, 1u << 20);
    buf_init(&state, 64);
    buf_init(&reason, 1u << 20);
    enum err e = db_prepare(n->db,
                            "SELECT seq, written_ms, what, state, reason, bytes, EXISTS(SELECT 1 FROM n_parked p "
                            "WHERE p.seq = o.seq) AND state = 'unsent' FROM n_outbox o ORDER BY seq",
                            &s, why);
    while (e == ERR_OK) {
        e = db_step(s, &row, why);
        if (e != ERR_OK || !row) break;
        struct outbox_item i = {.seq = (uint64_t)db_int(s, 0),
                                .written_ms = db_int(s, 1),
                                .what = text_of(s, 2, &what),
                                .state = text_of(s, 3, &state),
                                .reason = text_of(s, 4, &reason),
                                .bytes = (size_t)db_int(s, 5),
                                .parked = db_int(s, 6) != 0};
        if (i.what == NULL || i.state == NULL)
            e = why_set(why, ERR_NOMEM, "There is not enough memory to list your changes.");
        else
            e = each(ctx, &i, why);
    }
    db_done(s);
    buf_release(&what);
    buf_release(&state);
    buf_release(&reason);
    return e;
}
