/* Own envelopes: signed when committed, sent in order, judged by the hub. Their readable content: node/content.c. */
#include "node/wipe.h"

#include <string.h>

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

enum err outbox_now(struct node *n, struct outbox_origin *o, struct why *why)
{
    *o = (struct outbox_origin){.schema = db_schema(n->db)};
    memcpy(o->user, n->user, sizeof o->user);
    enum err e = state_fixed(n->db, "cursor", o->base_cut, sizeof o->base_cut, why);
    return e == ERR_OK ? next_hlc(n, &o->hlc, why) : e;
}

static enum err fill_header(struct node *n, struct envelope_header *h, const struct outbox_origin *o, struct why *why)
{
    memcpy(h->hub, n->hub.kid, KID_BYTES);
    memcpy(h->user, o->user, sizeof h->user);
    memcpy(h->base_cut, o->base_cut, sizeof h->base_cut);
    memcpy(h->rescued, o->rescued, sizeof h->rescued);
    h->hlc = o->hlc;
    h->epoch = n->epoch;
    h->schema = o->schema;
    return state_fixed(n->db, "chain_head", h->prev, sizeof h->prev, why);
}

static enum err insert(struct node *n, uint64_t seq, struct bytes cose, size_t bytes, const char *what, struct why *why)
{
    struct stmt *s = NULL;
    uint8_t hash[HASH_BYTES];
    enum err e = db_prepare(n->db,
                            "INSERT INTO n_outbox(seq, hash, state, what, bytes, written_ms, cose) "
                            "VALUES($1, $2, 'unsent', $3, $4, $5, $6)",
                            &s, why);
    if (e != ERR_OK) return e;
    envelope_hash(cose, hash);
    db_bind_int(s, 1, (int64_t)seq);
    db_bind_blob(s, 2, bytes_of(hash, sizeof hash));
    db_bind_str(s, 3, what);
    db_bind_int(s, 4, (int64_t)bytes);
    db_bind_int(s, 5, env_now(n->env));
    db_bind_blob(s, 6, cose);
    e = db_run(s, why);
    return e == ERR_OK ? state_put(n->db, "chain_head", bytes_of(hash, sizeof hash), why) : e;
}

/* The clock never goes back, also not when what is written again has an older one. */
static enum err note_hlc(struct node *n, uint64_t hlc, struct why *why)
{
    uint64_t last;
    enum err e = state_number(n->db, "last_hlc", &last, why);
    return e == ERR_OK && hlc > last ? state_set_number(n->db, "last_hlc", hlc, why) : e;
}

enum err outbox_append_as(struct node *n, const struct outbox_origin *origin, const struct part *parts, size_t n_parts,
                          uint64_t seq, const char *what, struct why *why)
{
    struct envelope_header h = {.seq = seq};
    struct buf cose, item;
    buf_init(&cose, COSE_MAX);
    buf_init(&item, CONTENT_MAX_ITEM);
    enum err e = unsent_mark(n, why);
    if (e == ERR_OK) e = fill_header(n, &h, origin, why);
    if (e == ERR_OK) e = envelope_sign(&n->self, &h, parts, n_parts, &cose, why);
    if (e == ERR_OK) {
        message_put_envelope(&item, buf_bytes(&cose), parts, n_parts);
        if (item.err != ERR_OK)
            e = why_set(why, item.err, "There is not enough memory for this change. Nothing was saved.");
    }
    if (e == ERR_OK) e = insert(n, seq, buf_bytes(&cose), item.len, what, why);
    if (e == ERR_OK) e = content_put(n, seq, buf_bytes(&item), why);
    if (e == ERR_OK) e = state_set_number(n->db, "last_seq", seq, why);
    if (e == ERR_OK) e = note_hlc(n, h.hlc, why);
    buf_release(&cose);
    buf_release(&item);
    return e;
}

enum err outbox_append(struct node *n, const struct part *parts, size_t n_parts, uint64_t seq, const char *what,
                       struct why *why)
{
    struct outbox_origin now;
    enum err e = outbox_now(n, &now, why);
    return e == ERR_OK ? outbox_append_as(n, &now, parts, n_parts, seq, what, why) : e;
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

/* What stands here of an envelope that a verdict is about. */
struct standing {
    bool unsent, fault, taken_in, gap, kept, parked;
};

static enum err look_up(struct node *n, uint64_t seq, struct standing *out, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(n->db,
                            "SELECT state, EXISTS(SELECT 1 FROM n_gap g WHERE g.seq = o.seq), EXISTS(SELECT 1 FROM "
                            "n_parked p WHERE p.seq = o.seq), EXISTS(SELECT 1 FROM n_gap_kept k WHERE k.seq = o.seq) "
                            "FROM n_outbox o WHERE seq = $1",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, (int64_t)seq);
    e = db_step(s, &row, why);
    if (e == ERR_OK && !row)
        e = why_set(why, ERR_FORMAT, "The MASH server's answer speaks of a change that this device never sent.");
    if (e == ERR_OK)
        *out = (struct standing){.unsent = bytes_equal(db_bytes(s, 0), bytes_of_str("unsent")),
                                 .fault = bytes_equal(db_bytes(s, 0), bytes_of_str("fault")),
                                 .taken_in = bytes_equal(db_bytes(s, 0), bytes_of_str("applied")) ||
                                             bytes_equal(db_bytes(s, 0), bytes_of_str("merged")),
                                 .gap = db_int(s, 1) != 0,
                                 .kept = db_int(s, 3) != 0,
                                 .parked = db_int(s, 2) != 0};
    db_done(s);
    return e;
}

enum err outbox_judge(struct node *n, const struct verdict_item *v, bool *out_first, struct why *why)
{
    const int64_t seq[] = {(int64_t)v->seq};
    struct standing was = {0};
    bool taken_in = v->verdict == VERDICT_APPLIED || v->verdict == VERDICT_MERGED;
    enum err e = look_up(n, v->seq, &was, why);
    if (e != ERR_OK) return e;
    if (was.unsent || was.kept) e = overlay_judged(n, v->seq, v->verdict == VERDICT_APPLIED, why);
    if (e == ERR_OK && was.kept) e = state_run(n->db, "DELETE FROM n_gap_kept WHERE seq = $1", seq, 1, why);
    if (e == ERR_OK && was.gap) e = state_run(n->db, "DELETE FROM n_gap WHERE seq = $1", seq, 1, why);
    /* Not taken in, its author may still want the text, unless this device had to forget what it is about. */
    if (e == ERR_OK && ((taken_in && !was.taken_in) || was.parked)) e = content_purge_due(n, PURGE_PAGES, why);
    /* Of a fault that was found here, this device's own words say more. */
    if (e == ERR_OK && !(was.fault && v->verdict == VERDICT_FAULT)) e = set_state(n, v, why);
    if (e == ERR_OK) *out_first = was.unsent || was.gap;
    return e;
}

enum err outbox_covered(struct node *n, uint64_t up_to, struct why *why)
{
    const int64_t args[] = {(int64_t)up_to};
    return state_run(n->db,
                     "UPDATE n_outbox SET sealed = NULL WHERE seq <= $1 AND sealed IS NOT NULL "
                     "AND state IN ('applied', 'merged', 'dismissed', 'fault')",
                     args, 1, why);
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
    struct buf what, state, reason, kept;
    bool row = true;
    buf_init(&what, 1u << 20);
    buf_init(&state, 64);
    buf_init(&reason, 1u << 20);
    buf_init(&kept, 64);
    enum err e = db_prepare(n->db,
                            "SELECT seq, written_ms, what, state, reason, bytes, EXISTS(SELECT 1 FROM n_parked p "
                            "WHERE p.seq = o.seq) AND state = 'unsent', " OUTBOX_KEPT " FROM n_outbox o ORDER BY seq",
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
                                .parked = db_int(s, 6) != 0,
                                .kept = text_of(s, 7, &kept)};
        if (i.what == NULL || i.state == NULL || i.kept == NULL)
            e = why_set(why, ERR_NOMEM, "There is not enough memory to list your changes.");
        else
            e = each(ctx, &i, why);
    }
    db_done(s);
    buf_release(&what);
    buf_release(&state);
    buf_release(&reason);
    buf_release(&kept);
    return e;
}
