/* Devices follow the log that their hub keeps of them: what they were told is in it, and a hub that tells otherwise is
 * trusted by nobody. */
#include "tests/sim/judge.h"

#include "crypto/checkpoint.h"
#include "hub/internal.h"
#include "node/trust.h"
#include "sync/bundle.h"

#include <string.h>

enum { KIND_ANSWER = 2 };

/* ------------------------------------------------------------------------------------------- after each contact */

/* RFC 9162 §2.1.1, word for word and from the leaves, so that nothing of the product's trees is believed. */
static void tree_hash(uint8_t (*leaf)[HASH_BYTES], uint64_t n, uint8_t out[HASH_BYTES])
{
    uint8_t both[1 + 2 * HASH_BYTES] = {1};
    uint64_t k = 1;
    if (n == 1) {
        memcpy(out, leaf[0], HASH_BYTES);
        return;
    }
    while (2 * k < n) k *= 2;
    tree_hash(leaf, k, both + 1);
    tree_hash(leaf + k, n - k, both + 1 + HASH_BYTES);
    hash_sha256(out, bytes_of(both, sizeof both));
}

static bool root_at_hub(struct sim *s, const struct device *d, uint64_t size, uint8_t out[HASH_BYTES])
{
    struct stmt *st = ask(s, hub_db(s->hub), "SELECT commitment FROM h_leaf WHERE log_no = $1 AND n < $2 ORDER BY n");
    struct buf leaves;
    uint64_t n = 0;
    buf_init(&leaves, 256u << 20);
    db_bind_int(st, 1, ask_node(s, d));
    db_bind_int(st, 2, (int64_t)size);
    for (; ask_next(s, st); n++) {
        uint8_t leaf[1 + HASH_BYTES] = {0}, hash[HASH_BYTES];
        struct bytes v = db_bytes(st, 0);
        if (v.n != HASH_BYTES) break;
        memcpy(leaf + 1, v.p, v.n);
        hash_sha256(hash, bytes_of(leaf, sizeof leaf));
        buf_put(&leaves, hash, sizeof hash);
    }
    db_done(st);
    bool good = n == size && size > 0 && leaves.err == ERR_OK;
    if (good) tree_hash((uint8_t(*)[HASH_BYTES])leaves.data, n, out);
    buf_release(&leaves);
    return good;
}

void follow_check(struct sim *s, struct device *d, bool whole)
{
    struct node_trust t;
    uint8_t root[HASH_BYTES];
    if (d->suspect || s->hub_lost_time || s->hub == NULL) return;
    device_enter(s, d);
    enum err e = node_trust(d->n, &t, NULL);
    if (device_leave(s, d) || d->ailing) return;
    if (e != ERR_OK) sim_fail(s, 13, "device %d cannot say whether it trusts its hub: %s", d->no, err_word(e));
    if (t.distrusts) sim_fail(s, 13, "device %d does not trust a hub that did nothing: %s", d->no, t.reason);
    struct stmt *st = ask(s, hub_db(s->hub), "SELECT size FROM h_log WHERE no = $1");
    db_bind_int(st, 1, ask_node(s, d));
    uint64_t size = ask_next(s, st) ? (uint64_t)db_int(st, 0) : 0;
    db_done(st);
    if (t.kept.size != size)
        sim_fail(s, 13, "device %d is up to date, and knows %llu of %llu entries of its log", d->no,
                 (unsigned long long)t.kept.size, (unsigned long long)size);
    if (whole && size > 0 && (!root_at_hub(s, d, size, root) || memcmp(root, t.kept.root, sizeof root) != 0))
        sim_fail(s, 13, "device %d was told another hash of its log than its entries have", d->no);
}

/* ------------------------------------------------------------------------------------------------ a hub that lies */

enum lie { LIE_NOTHING, LIE_SHORTER, LIE_SAME_SIZE, LIE_LONGER, LIE_OF_ANOTHER, LIES };
struct liar {
    struct sim *s;
    struct device *d;
    struct node_info about;
    struct node_trust before;
    enum lie lie;
    uint8_t first[HASH_BYTES]; /* of the request that was lied to */
    unsigned asked;            /* requests that were not that one, byte for byte */
};

static void lied_head(const struct liar *l, struct merkle_head *head, struct merkle_proof *proof)
{
    *head = l->before.kept;
    proof->n = 0;
    if (l->lie == LIE_SHORTER) head->size--;
    if (l->lie == LIE_LONGER) {
        head->size += 3;
        proof->n = 4;
        for (size_t i = 0; i < proof->n; i++) memset(proof->hashes[i], (int)(7 + i), MERKLE_HASH_BYTES);
    }
    if (l->lie != LIE_OF_ANOTHER) head->root[0] ^= 1;
}

static enum err put_lie(struct liar *l, struct bundle_writer *w, struct why *why)
{
    char origin[CHECKPOINT_ORIGIN_MAX];
    uint8_t whose[KID_BYTES];
    struct merkle_proof proof;
    struct checkpoint c;
    struct buf note, item;
    if (l->lie == LIE_NOTHING) return ERR_OK;
    memcpy(whose, l->d->kid, sizeof whose);
    if (l->lie == LIE_OF_ANOTHER) whose[3] ^= 4;
    checkpoint_origin(origin, l->s->hub->id.pub.kid, whose);
    memset(&c, 0, sizeof c);
    c.origin = bytes_of_str(origin);
    lied_head(l, &c.head, &proof);
    buf_init(&note, MESSAGE_NOTE_MAX);
    buf_init(&item, 1u << 16);
    enum err e = checkpoint_sign(&l->s->hub->id, &c, &note, why);
    message_put_checkpoint(&item, &(struct checkpoint_item){buf_bytes(&note), merkle_proof_bytes(&proof)});
    if (e == ERR_OK) e = bundle_put(w, "", buf_bytes(&item), why);
    buf_release(&note);
    buf_release(&item);
    return e;
}

static int64_t number(struct liar *l, const char *sql)
{
    return ask_number(l->s, node_db(l->d->n), sql);
}

/* An answer in which all is right but what it says of the log. */
static enum err answer(struct liar *l, struct bytes request, struct buf *out, struct why *why)
{
    const struct identity_secret *hub = &l->s->hub->id;
    struct seal_header head = {.version = 1, .kind = KIND_ANSWER};
    struct hub_hello m = {.epoch = l->about.epoch,
                          .request = (uint64_t)number(l, "SELECT value FROM n_number WHERE name = 'pending'"),
                          .clock_ms = (uint64_t)l->s->clock,
                          .schema = db_schema(node_db(l->d->n))};
    struct bundle_writer *w = NULL;
    struct buf item;
    buf_init(&item, 1u << 16);
    memcpy(head.recipient, l->about.self.kid, KID_BYTES);
    memcpy(head.sender, hub->pub.kid, KID_BYTES);
    memcpy(m.node, l->about.self.kid, KID_BYTES);
    memcpy(m.cut, l->about.cursor, CUT_BYTES);
    hash_blake2b(m.request_hash, request);
    enum err e = bundle_writer_new(&w, &head, &l->about.self, out, m.binding, why);
    if (e == ERR_OK) e = message_put_hub_hello(&item, hub, &m, why);
    if (e == ERR_OK) e = bundle_put(w, "", buf_bytes(&item), why);
    if (e == ERR_OK) e = put_lie(l, w, why);
    if (e == ERR_OK) e = bundle_finish(w, why);
    bundle_writer_free(w);
    buf_release(&item);
    return e;
}

static enum err exchange(void *ctx, struct bytes request, uint64_t from, uint64_t wait_ms,
                         enum err (*sink)(void *sink_ctx, struct bytes piece, struct why *why), void *sink_ctx,
                         struct why *why)
{
    struct liar *l = ctx;
    struct buf out;
    uint8_t hash[HASH_BYTES];
    (void)from;
    (void)wait_ms;
    hash_blake2b(hash, request);
    l->asked += memcmp(hash, l->first, sizeof hash) != 0;
    memcpy(l->first, hash, sizeof hash);
    buf_init(&out, SIM_BUNDLE);
    enum err e = answer(l, request, &out, why);
    if (e == ERR_OK) e = sink(sink_ctx, buf_bytes(&out), why);
    buf_release(&out);
    return e;
}

/* Once more than it needs: the second time nothing new goes out. */
static enum err talk_twice(struct liar *l, struct why *why)
{
    const struct carrier via = {.ctx = l, .exchange = exchange};
    struct round_result r;
    enum err e = node_sync(l->d->n, &via, NULL, &r, why);
    return e == ERR_TAMPERED && l->asked == 1 ? node_sync(l->d->n, &via, NULL, &r, why) : e;
}

static void try_lie(struct sim *s, struct device *d)
{
    struct liar l = {.s = s, .d = d, .lie = (enum lie)sim_random(s, LIES)};
    struct node_trust after;
    struct why why = {0};
    device_enter(s, d);
    enum err e = node_about(d->n, &l.about, &why);
    if (e == ERR_OK) e = node_trust(d->n, &l.before, &why);
    bool able =
        e == ERR_OK && l.before.kept.size > 1 && number(&l, "SELECT value FROM n_number WHERE name = 'pending'") == 0;
    enum err told = able ? talk_twice(&l, &why) : ERR_OK;
    if (e == ERR_OK) e = node_trust(d->n, &after, NULL);
    if (device_leave(s, d) || !able) return;
    sim_note(s, "device %d is lied to (%d) about its log: %s", d->no, (int)l.lie, err_word(told));
    s->counts[COUNT_LIES]++;
    if (e != ERR_OK || told != ERR_TAMPERED || !after.distrusts || l.asked != 1)
        sim_fail(s, 13, "device %d was lied to about its log (%d), and goes on: %s", d->no, (int)l.lie, why.text);
    if (memcmp(&after.kept, &l.before.kept, sizeof after.kept) != 0 || after.findings != l.before.findings + 1)
        sim_fail(s, 13, "device %d was lied to about its log, and keeps another checkpoint, or no evidence", d->no);
}

void follow_at_rest(struct sim *s)
{
    for (unsigned i = 0; i < s->n_devices; i++) {
        struct device *d = &s->devices[i];
        if (d->state == DEVICE_LIVE && d->n != NULL && !d->suspect && !d->hostile && !s->hub_lost_time &&
            s->hub != NULL)
            try_lie(s, d);
    }
}
