/* The request of a round. Sealed once, kept in the store with its number and hash, and sent again byte for byte until
 * its answer was taken: the hub knows a second, different request of the same number for a clone. In the store and not
 * in a file beside it: a file that is lost or damaged would bar this device from the hub for good. */
#include "node/internal.h"

#include "sync/bundle.h"
#include "sync/courier.h"

#include <stdio.h>
#include <string.h>

#define REQUEST_ENVELOPES (4u << 20) /* bytes of envelopes a request carries by default, and always one at least */
#define REQUEST_BUDGET    (4u << 20) /* bytes of page content asked for by default */
#define REACH_ENVELOPES   (32u << 20) /* … and at most, where a gap behind them cannot wait */
#define MORE_ENVELOPES    (32u << 20) /* bytes of envelopes that a courier takes along besides: a stick is large */

static enum err fill_hello(struct node *n, struct node_hello *h, struct why *why)
{
    int64_t oldest = 0, now = env_now(n->env);
    memcpy(h->hub, n->hub.kid, KID_BYTES);
    h->epoch = n->epoch;
    h->schema = db_schema(n->db);
    h->clock_ms = now < 0 ? 0 : (uint64_t)now;
    (void)snprintf(h->software, sizeof h->software, "%s", NODE_SOFTWARE);
    enum err e = state_number(n->db, "answered", &h->request, why);
    h->request++;
    if (e == ERR_OK) e = state_fixed(n->db, "last_answer", h->last_answer, sizeof h->last_answer, why);
    if (e == ERR_OK) e = state_fixed(n->db, "cursor", h->cursor, sizeof h->cursor, why);
    if (e == ERR_OK) e = state_number(n->db, "order", &h->order, why);
    if (e == ERR_OK) e = outbox_count(n, &h->unsent, &oldest, why);
    h->oldest_ms = oldest < 0 ? 0 : (uint64_t)oldest;
    return e;
}

static enum err put_receipts(struct node *n, struct bundle_writer *w, struct why *why)
{
    struct stmt *s = NULL;
    bool row = true;
    enum err e = db_prepare(n->db, "SELECT item FROM n_receipt ORDER BY request, kind", &s, why);
    while (e == ERR_OK) {
        e = db_step(s, &row, why);
        if (e != ERR_OK || !row) break;
        e = bundle_put(w, "", db_bytes(s, 0), why);
    }
    db_done(s);
    return e;
}

/* In the place of an envelope: whole, or the word that it is lost. */
static enum err put_one(struct node *n, struct bundle_writer *w, struct stmt *s, size_t *out_bytes, struct why *why)
{
    struct buf gap;
    if (db_int(s, 3) == 0 && db_is_null(s, 0)) return why_set(why, ERR_TAMPERED, "A change of yours is not there.");
    if (db_int(s, 3) == 0) {
        *out_bytes = db_bytes(s, 0).n;
        return bundle_put(w, n->agency, db_bytes(s, 0), why);
    }
    buf_init(&gap, 1u << 16);
    enum err e = gap_item(n, (uint64_t)db_int(s, 1), &gap, why);
    *out_bytes = gap.len;
    if (e == ERR_OK) e = bundle_put(w, "", buf_bytes(&gap), why);
    buf_release(&gap);
    return e;
}

/* Those with a number above `from`, as many as fit into `most`, and one at least; more where a gap behind them cannot
 * wait (gap_reach). *out_last: the last one's number, or as it was when there is none. */
static enum err put_envelopes(struct node *n, struct bundle_writer *w, uint64_t from, size_t most, uint64_t *out_last,
                              struct why *why)
{
    struct stmt *s = NULL;
    bool row = true;
    size_t total = 0, bytes = 0;
    uint64_t reach = 0;
    enum err e = gap_reach(n, &reach, why);
    if (e == ERR_OK)
        e = db_prepare(n->db,
                       "SELECT c.item, o.seq, o.bytes, o.gap FROM (SELECT seq, bytes, 0 AS gap FROM n_outbox WHERE "
                       "state = 'unsent' UNION ALL SELECT seq, 0, 1 FROM n_gap) o LEFT JOIN n_content c "
                       "ON c.seq = o.seq WHERE o.seq > $1 ORDER BY o.seq",
                       &s, why);
    if (e == ERR_OK) db_bind_int(s, 1, (int64_t)from);
    while (e == ERR_OK) {
        e = db_step(s, &row, why);
        if (e != ERR_OK || !row) break;
        const size_t fits = (uint64_t)db_int(s, 1) <= reach ? REACH_ENVELOPES : most;
        if (total > 0 && total + (size_t)db_int(s, 2) > fits) break; /* the next round's */
        e = put_one(n, w, s, &bytes, why);
        total += bytes;
        *out_last = (uint64_t)db_int(s, 1);
    }
    db_done(s);
    return e;
}

/* What a request is made for: to a hub that was put back, to return what is kept here, and nothing besides. */
static enum err put_items(struct node *n, struct bundle_writer *w, size_t most, uint64_t *out_last, struct buf *out_next,
                          struct why *why)
{
    bool back = false;
    enum err e = return_due(n, &back, why);
    if (e == ERR_OK && back) return return_put(n, w, most, out_next, why);
    if (e == ERR_OK) e = put_receipts(n, w, why);
    if (e == ERR_OK) e = views_put(n, w, why);
    if (e == ERR_OK) e = put_envelopes(n, w, 0, most, out_last, why);
    return e == ERR_OK ? question_put(n, w, why) : e;
}

/* *out_last: the last envelope in it; 0: there is none. next: see return_put. */
static enum err seal(struct node *n, struct node_hello *hello, size_t most, struct buf *out, uint64_t *out_last, struct buf *next,
                     struct why *why)
{
    struct seal_header h = {.version = 1, .kind = 1};
    struct bundle_writer *w = NULL;
    struct buf item;
    buf_init(&item, 1u << 16);
    memcpy(h.recipient, n->hub.kid, KID_BYTES);
    memcpy(h.sender, n->self.pub.kid, KID_BYTES);
    enum err e = bundle_writer_new(&w, &h, &n->hub, out, hello->binding, why);
    if (e == ERR_OK) e = message_put_node_hello(&item, &n->self, hello, why);
    if (e == ERR_OK) e = bundle_put(w, "", buf_bytes(&item), why);
    if (e == ERR_OK) e = trust_put(n, w, why);
    if (e == ERR_OK) e = put_items(n, w, most, out_last, next, why);
    if (e == ERR_OK) e = bundle_finish(w, why);
    bundle_writer_free(w);
    buf_release(&item);
    return e;
}

/* The last envelope that was ever handed to the hub: what was written after it cannot have a verdict. Within the
 * caller's transaction. */
static enum err note_sent(struct node *n, uint64_t last, struct why *why)
{
    uint64_t before = 0;
    enum err e = state_number(n->db, "sent_seq", &before, why);
    return e == ERR_OK && last > before ? state_set_number(n->db, "sent_seq", last, why) : e;
}

/* A request that only returned: nothing else was in it. */
static enum err note_items(struct node *n, uint64_t number, const struct buf *next, struct why *why)
{
    const int64_t args[] = {(int64_t)number};
    if (next->len > 0) return return_sent(n, next, why);
    enum err e = state_run(n->db, "UPDATE n_receipt SET sent = $1", args, 1, why);
    if (e == ERR_OK) e = question_sent(n, number, why);
    return e == ERR_OK ? views_sent(n, number, why) : e;
}

/* `last`: the last envelope in it; 0: none. */
static enum err store(struct node *n, uint64_t number, struct bytes request, uint64_t last, const struct buf *next, struct why *why)
{
    uint8_t hash[HASH_BYTES];
    hash_blake2b(hash, request);
    enum err e = spool_drop_answer(n, why);
    if (e == ERR_OK) e = db_begin(n->db, why);
    if (e != ERR_OK) return e;
    e = state_put(n->db, "request", request, why);
    if (e == ERR_OK) e = state_set_number(n->db, "pending", number, why);
    if (e == ERR_OK) e = state_put(n->db, "request_hash", bytes_of(hash, sizeof hash), why);
    if (e == ERR_OK) e = state_set_number(n->db, "request_seq", last, why);
    if (e == ERR_OK) e = note_sent(n, last, why);
    if (e == ERR_OK) e = trust_asked(n, number, why);
    if (e == ERR_OK) e = note_items(n, number, next, why);
    if (e == ERR_OK) return db_commit(n->db, why);
    db_rollback(n->db);
    return e;
}

static enum err make(struct node *n, const struct round_options *opt, struct buf *out, struct why *why)
{
    struct node_hello hello = {.budget = opt->budget != 0 ? opt->budget : REQUEST_BUDGET, .wait_ms = opt->wait_ms};
    const size_t most = opt->most != 0 && opt->most < REQUEST_ENVELOPES ? (size_t)opt->most : REQUEST_ENVELOPES;
    struct buf next;
    uint64_t last = 0;
    buf_init(&next, 1024);
    enum err e = gap_look(n, most, why);
    if (e == ERR_OK) e = question_clear(n, why);
    if (e == ERR_OK) e = fill_hello(n, &hello, why);
    if (e == ERR_OK) e = seal(n, &hello, most, out, &last, &next, why);
    if (e == ERR_OK) e = store(n, hello.request, buf_bytes(out), last, &next, why);
    buf_release(&next);
    return e;
}

/* Made before and not yet answered. A new one in its place would look like a clone of this device to the hub. */
static enum err load(struct node *n, struct buf *out, struct why *why)
{
    uint8_t want[HASH_BYTES], have[HASH_BYTES];
    enum err e = state_fixed(n->db, "request_hash", want, sizeof want, why);
    if (e == ERR_OK) e = state_bytes(n->db, "request", out, why);
    if (e != ERR_OK) return e;
    hash_blake2b(have, buf_bytes(out));
    if (memcmp(want, have, sizeof want) == 0) return ERR_OK;
    (void)why_set(why, ERR_TAMPERED,
                  "The request that waits for the MASH server's answer was changed in this device's store.");
    return why_next(why, ERR_TAMPERED, "Stop here, keep the files as they are, and ask your administrator.");
}

enum err request_ready(struct node *n, const struct round_options *opt, struct request *out, struct why *why)
{
    uint64_t pending = 0;
    buf_init(&out->bytes, BUNDLE_MAX);
    enum err e = replica_bring_up(n->db, why);
    if (e == ERR_OK) e = state_number(n->db, "pending", &pending, why);
    out->again = pending != 0;
    if (e == ERR_OK && pending == 0) e = trust_check(n, why);
    if (e == ERR_OK) e = pending != 0 ? load(n, &out->bytes, why) : make(n, opt, &out->bytes, why);
    return e;
}

/* ----------------------------------------------------------------------------------------- beside it, for a courier */
static enum err seal_more(struct node *n, uint64_t from, struct buf *out, uint64_t *out_last, struct why *why)
{
    struct seal_header h = {.version = 1, .kind = COURIER_KIND_MORE};
    struct node_hello hello = {0};
    struct bundle_writer *w = NULL;
    struct buf item;
    buf_init(&item, 1u << 16);
    memcpy(h.recipient, n->hub.kid, KID_BYTES);
    memcpy(h.sender, n->self.pub.kid, KID_BYTES);
    enum err e = fill_hello(n, &hello, why);
    if (e == ERR_OK) e = state_fixed(n->db, "request_hash", hello.last_answer, sizeof hello.last_answer, why);
    if (e == ERR_OK) e = bundle_writer_new(&w, &h, &n->hub, out, hello.binding, why);
    if (e == ERR_OK) e = message_put_node_hello(&item, &n->self, &hello, why);
    if (e == ERR_OK) e = bundle_put(w, "", buf_bytes(&item), why);
    if (e == ERR_OK) e = put_envelopes(n, w, from, MORE_ENVELOPES, out_last, why);
    if (e == ERR_OK) e = bundle_finish(w, why);
    bundle_writer_free(w);
    buf_release(&item);
    return e;
}

/* Is there anything above `from`, and can all of it be read back? What cannot waits for the next request, which puts a
 * gap in its place: beside one that stands already it would be told in two ways. */
static enum err is_sound(struct node *n, uint64_t from, bool *out, struct why *why)
{
    struct seqs unsent;
    enum content_state state = CONTENT_SOUND;
    *out = false;
    enum err e = seqs_ask(n, "SELECT seq FROM n_outbox WHERE state = 'unsent' ORDER BY seq", &unsent, why);
    for (size_t i = 0; e == ERR_OK && state == CONTENT_SOUND && i < seqs_count(&unsent); i++) {
        if (seqs_at(&unsent, i) <= from) continue;
        e = content_check(n, seqs_at(&unsent, i), &state, why);
        *out = state == CONTENT_SOUND;
    }
    buf_release(&unsent.list);
    return e;
}

/* The request's bytes stand once a carrier may have had them, whether or not the hub did; but a change is held in its
 * place by its own number and chain, so that what was written since may go beside it (sync/FORMAT.md §4.3). */
enum err request_more(struct node *n, struct buf *out, struct why *why)
{
    uint64_t from = 0, last = 0;
    bool any = false;
    enum err e = state_number(n->db, "request_seq", &from, why);
    if (e == ERR_OK) e = is_sound(n, from, &any, why);
    if (e == ERR_OK && any) e = seal_more(n, from, out, &last, why);
    if (e == ERR_OK && any) e = db_begin(n->db, why);
    if (e != ERR_OK || !any) return e;
    e = note_sent(n, last, why);
    if (e == ERR_OK) return db_commit(n->db, why);
    db_rollback(n->db);
    return e;
}
