/* Checking everything that stands here: pages, the chain and signatures of the outbox, overlay against tables. */
#include "node/internal.h"

#include <stdlib.h>
#include <string.h>

struct chain {
    struct node *n;
    struct part *parts;       /* room for ENVELOPE_MAX_PARTS */
    uint64_t seq;             /* last one checked */
    uint8_t head[HASH_BYTES]; /* its hash */
};

static enum err chain_broken(struct why *why, uint64_t seq, const char *what)
{
    (void)why_set(why, ERR_TAMPERED,
                  "Your change number %llu was altered after you made it, or its neighbour is missing: %s.",
                  (unsigned long long)seq, what);
    return why_next(why, ERR_TAMPERED, "Stop here, keep the files as they are, and ask your administrator.");
}

/* What will be sent is what was signed. */
static enum err check_item(struct chain *c, struct bytes cose, struct envelope *env, struct bytes item,
                           struct why *why)
{
    struct bytes inner;
    size_t n_parts = 0;
    enum err e = message_get_envelope(item, &inner, c->parts, ENVELOPE_MAX_PARTS, &n_parts, why);
    if (e != ERR_OK || !bytes_equal(inner, cose) || n_parts != env->n_parts)
        return chain_broken(why, env->h.seq, "its content does not belong to it");
    for (size_t i = 0; i < n_parts; i++) {
        if (envelope_check_part(env, i, &c->parts[i], why) != ERR_OK)
            return chain_broken(why, env->h.seq, "its content is not what was signed");
    }
    return ERR_OK;
}

static enum err check_envelope(struct chain *c, struct stmt *s, struct why *why)
{
    struct envelope env;
    struct bytes cose = db_bytes(s, 1);
    uint64_t seq = (uint64_t)db_int(s, 0);
    if (seq != c->seq + 1) return chain_broken(why, c->seq + 1, "it is not there");
    if (envelope_verify(cose, &c->n->self.pub, &env, why) != ERR_OK)
        return chain_broken(why, seq, "its signature is not good");
    if (env.h.seq != seq || memcmp(env.h.prev, c->head, HASH_BYTES) != 0)
        return chain_broken(why, seq, "it does not follow the one before it");
    c->seq = seq;
    envelope_hash(cose, c->head);
    if (!bytes_equal(db_bytes(s, 5), bytes_of(c->head, sizeof c->head)))
        return chain_broken(why, seq, "its number does not belong to it");
    bool unsent = bytes_equal(db_bytes(s, 2), bytes_of_str("unsent"));
    if ((unsent && db_is_null(s, 3)) || (!db_is_null(s, 3) && !db_is_null(s, 4)))
        return chain_broken(why, seq, "its content is not kept as it should be");
    return db_is_null(s, 3) ? ERR_OK : check_item(c, cose, &env, db_bytes(s, 3), why);
}

static enum err check_head(const struct chain *c, struct why *why)
{
    uint8_t head[HASH_BYTES];
    uint64_t seq = 0;
    enum err e = state_fixed(c->n->db, "chain_head", head, sizeof head, why);
    if (e == ERR_OK) e = state_number(c->n->db, "last_seq", &seq, why);
    if (e == ERR_OK && (seq != c->seq || memcmp(head, c->head, sizeof head) != 0))
        e = chain_broken(why, c->seq + 1, "it is not there");
    return e;
}

static enum err check_chain(struct node *n, uint64_t *out_envelopes, struct why *why)
{
    struct chain c = {.n = n, .parts = calloc(ENVELOPE_MAX_PARTS, sizeof(struct part))};
    struct stmt *s = NULL;
    bool row = true;
    if (c.parts == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to check your changes.");
    enum err e = db_prepare(n->db, "SELECT o.seq, o.cose, o.state, c.item, o.sealed, o.hash FROM n_outbox o LEFT JOIN n_content c "
                   "ON c.seq = o.seq ORDER BY o.seq", &s, why);
    while (e == ERR_OK) {
        e = db_step(s, &row, why);
        if (e != ERR_OK || !row) break;
        e = check_envelope(&c, s, why);
    }
    db_done(s);
    if (e == ERR_OK) e = check_head(&c, why);
    if (e == ERR_OK) *out_envelopes = c.seq;
    free(c.parts);
    return e;
}

/* With every row in its table; nothing of it stays. */
static enum err check_overlay(struct node *n, uint64_t *out_rows, struct why *why)
{
    enum err e = ends_check(n, why);
    if (e == ERR_OK) e = db_begin(n->db, why);
    if (e != ERR_OK) return e;
    e = ends_show(n, why);
    if (e == ERR_OK) e = overlay_check(n, out_rows, why);
    db_rollback(n->db);
    return e;
}

/* The key file against who opened it and what was noted of it, people against their slots, and nothing left of an older
 * key. */
static enum err check_keys(struct node *n, struct why *why)
{
    struct replica_files f;
    uint64_t noted = 0, due = 0;
    bool left = false;
    enum err e = replica_files(&f, n->env, n->home, why);
    if (e == ERR_OK) e = keyslot_follow(n->env, &f.keyfile, &n->ring, why);
    if (e == ERR_NOTFOUND) e = ERR_OK; /* who took away his own passphrase may look once more */
    if (e == ERR_OK) e = state_number(n->db, "key_revision", &noted, why);
    if (e == ERR_OK && n->ring.revision < noted)
        e = why_set(why, ERR_TAMPERED, "An older key file was put in the place of this device's.");
    if (e == ERR_OK) e = people_check(n, why);
    if (e == ERR_OK) e = replica_leftover(n->env, n->home, n->ring.generation, &left, why);
    if (e == ERR_OK && left) e = state_number(n->db, "leftover", &due, why);
    if (e != ERR_OK || !left) return e;
    if (due == 0) {
        (void)why_set(why, ERR_TAMPERED,
                      "Beside the records of this device lie others, of which it knows nothing. They may be newer, if files of "
                      "it were put back from a backup.");
        return why_next(why, ERR_TAMPERED, "Stop here, keep the files as they are, and ask your administrator.");
    }
    (void)why_set(why, ERR_IO, "What this device held under an earlier key could not be destroyed yet.");
    return why_next(why, ERR_IO, "Make sure that its disk has room and is sound, then open it again.");
}

enum err node_verify(struct node *n, struct verify_result *out, struct why *why)
{
    struct verify_result r = {0};
    struct node_info info;
    enum err e = db_check(n->db, why);
    if (e == ERR_OK) e = state_ask(n->db, "PRAGMA page_count", &r.pages, why);
    if (e == ERR_OK) e = check_keys(n, why);
    if (e == ERR_OK) e = trust_verify(n, why);
    if (e == ERR_OK) e = check_chain(n, &r.envelopes, why);
    if (e == ERR_OK) e = sum_check(n, why);
    if (e == ERR_OK) e = check_overlay(n, &r.pending_rows, why);
    if (e == ERR_OK) e = node_get_info(n, &info, why);
    if (e != ERR_OK) return e;
    r.rows = info.rows;
    *out = r;
    return ERR_OK;
}
