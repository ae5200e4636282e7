/* What people wrote, and what the hub said to it. */
#include "tests/sim/judge.h"

#include "sync/envelope.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES ((size_t)32 << 10)

struct ledger_block { /* of the memory that values borrow from */
    struct ledger_block *next;
    size_t used, size;
    uint8_t bytes[];
};

struct ledger *ledger_new(void)
{
    struct ledger *l = calloc(1, sizeof *l);
    if (l == NULL) abort();
    l->told = told_new();
    return l;
}

void ledger_free(struct ledger *l)
{
    if (l == NULL) return;
    while (l->mem != NULL) {
        struct ledger_block *next = l->mem->next;
        free(l->mem);
        l->mem = next;
    }
    told_free(l->told);
    ids_clear(&l->unsure);
    free(l->ops);
    free(l->envelopes);
    free(l->chains);
    free(l->owed);
    free(l);
}

static struct value keep(struct ledger *l, struct value v)
{
    if (v.kind == VALUE_NONE) return value_null();
    if ((v.kind != VALUE_TEXT && v.kind != VALUE_BLOB) || v.s.n == 0) return v;
    struct ledger_block *b = l->mem;
    if (b == NULL || b->size - b->used < v.s.n) {
        size_t size = v.s.n > BLOCK_BYTES ? v.s.n : BLOCK_BYTES;
        b = malloc(sizeof *b + size);
        if (b == NULL) abort();
        *b = (struct ledger_block){.next = l->mem, .size = size};
        l->mem = b;
    }
    memcpy(b->bytes + b->used, v.s.p, v.s.n);
    v.s.p = b->bytes + b->used;
    b->used += v.s.n;
    return v;
}

struct written *ledger_add(struct ledger *l, const struct written *op)
{
    l->ops = judge_room(l->ops, l->n_ops, &l->cap_ops, sizeof *l->ops);
    struct written *w = &l->ops[l->n_ops++];
    *w = *op;
    w->value = keep(l, op->value);
    w->saw = keep(l, op->saw);
    return w;
}

void ledger_note(struct sim *s, struct device *d, const struct ledger_op *op)
{
    struct written w = {
        .tbl = op->tbl, .col = op->col, .value = op->value, .saw = op->saw, .fresh = op->fresh, .forged = op->forged};
    (void)d;
    memcpy(w.id, op->id, sizeof w.id);
    if (op->fresh) memcpy(w.case_id, op->case_id, sizeof w.case_id);
    (void)ledger_add(s->ledger, &w);
}

void ledger_cancel(struct sim *s)
{
    s->ledger->n_ops = s->ledger->in_hand;
}

void ledger_unsure(struct sim *s)
{
    struct ledger *l = s->ledger;
    for (size_t i = l->in_hand; i < l->n_ops; i++)
        if (l->ops[i].col < 0) ids_add(&l->unsure, l->ops[i].id);
    ledger_cancel(s);
}

/* ---- one envelope: what a transaction does in all, however often a column was written in it ---- */
static struct written *earlier(struct ledger *l, size_t to, const struct written *w, int col)
{
    for (size_t i = l->in_hand; i < to; i++) {
        struct written *o = &l->ops[i];
        if (o->tbl == w->tbl && o->col == col && memcmp(o->id, w->id, sizeof o->id) == 0) return o;
    }
    return NULL;
}

static void fold(struct ledger *l)
{
    size_t to = l->in_hand;
    for (size_t i = l->in_hand; i < l->n_ops; i++) {
        struct written w = l->ops[i], *before = earlier(l, to, &w, w.col);
        if (before != NULL) {
            before->value = w.value;
            before->forged |= w.forged;
            continue;
        }
        w.fresh |= earlier(l, to, &w, -1) != NULL;
        l->ops[to++] = w;
    }
    l->n_ops = to;
    to = l->in_hand;
    for (size_t i = l->in_hand; i < l->n_ops; i++) {
        const struct written *w = &l->ops[i];
        bool nothing = w->fresh ? w->value.kind == VALUE_NULL : value_equal(w->value, w->saw);
        if (w->col < 0 || !nothing) l->ops[to++] = *w;
    }
    l->n_ops = to;
}

struct posted *ledger_of(const struct ledger *l, const struct device *d, uint64_t seq)
{
    for (size_t i = 0; i < l->n_envelopes; i++)
        if (l->envelopes[i].device == d->no && l->envelopes[i].seq == seq && !l->envelopes[i].gone)
            return &l->envelopes[i];
    return NULL;
}

size_t ledger_post(struct ledger *l, const struct posted *e)
{
    l->envelopes = judge_room(l->envelopes, l->n_envelopes, &l->cap_envelopes, sizeof *l->envelopes);
    l->envelopes[l->n_envelopes] = *e;
    return l->n_envelopes++;
}

static void read_salt(struct sim *s, struct bytes item, uint8_t out[16])
{
    struct part *parts = calloc(ENVELOPE_MAX_PARTS, sizeof *parts);
    struct why why = {0};
    struct bytes cose;
    size_t n = 0;
    if (parts == NULL) abort();
    sim_must(s, message_get_envelope(item, &cose, parts, ENVELOPE_MAX_PARTS, &n, &why), "read an envelope", &why);
    if (n > 0) memcpy(out, parts[0].salt, 16);
    free(parts);
}

void ledger_commit(struct sim *s, struct device *d, uint64_t seq)
{
    struct ledger *l = s->ledger;
    struct posted e = {.device = d->no, .seq = seq};
    if (seq > 0) fold(l);
    if (seq == 0) l->n_ops = l->in_hand;
    if (seq == 0 || d->n == NULL) return;
    struct stmt *st = ask(s, node_db(d->n), "SELECT cose, item FROM n_outbox NATURAL JOIN n_content WHERE seq = $1");
    db_bind_int(st, 1, (int64_t)seq);
    if (!ask_next(s, st))
        sim_fail(s, 2, "device %d: envelope %llu is not in its outbox", d->no, (unsigned long long)seq);
    envelope_hash(db_bytes(st, 0), e.hash);
    read_salt(s, db_bytes(st, 1), e.salt);
    db_done(st);
    memcpy(e.kid, d->kid, sizeof e.kid);
    e.first = l->in_hand;
    e.n = l->n_ops - l->in_hand;
    l->in_hand = l->n_ops;
    size_t at = ledger_post(l, &e);
    for (size_t i = e.first; i < l->n_ops; i++) l->ops[i].by = at;
}

void ledger_put_back(struct sim *s, struct device *d)
{
    struct ledger *l = s->ledger;
    for (size_t i = 0; i < l->n_envelopes; i++) {
        struct posted *e = &l->envelopes[i];
        e->gone |= e->device == d->no && e->seq > d->image_seq;
    }
}

/* Ids in the set; a free slot is skipped. */
static void ids_add_any(struct ids *out, const uint8_t id[16])
{
    static const uint8_t free_slot[16];
    if (memcmp(id, free_slot, sizeof free_slot) != 0) ids_add(out, id);
}

void ledger_made(const struct ledger *l, const struct device *d, struct ids *out)
{
    for (size_t i = 0; i < l->in_hand; i++)
        if (l->ops[i].col < 0 && memcmp(l->envelopes[l->ops[i].by].kid, d->kid, sizeof d->kid) == 0)
            ids_add(out, l->ops[i].id);
    for (size_t i = 0; i < l->unsure.cap; i++) ids_add_any(out, l->unsure.v[i]);
}

void ledger_guessed(const struct ledger *l, const struct device *d, struct ids *out)
{
    struct ids others = {0};
    for (size_t i = 0; i < l->in_hand; i++)
        if (l->ops[i].col < 0 && memcmp(l->envelopes[l->ops[i].by].kid, d->kid, sizeof d->kid) != 0)
            ids_add(&others, l->ops[i].id);
    for (size_t i = 0; i < l->in_hand; i++) {
        const struct written *w = &l->ops[i];
        if (memcmp(l->envelopes[w->by].kid, d->kid, sizeof d->kid) != 0) continue;
        if (w->forged || (w->col < 0 && ids_has(&others, w->id))) ids_add(out, w->id);
    }
    for (size_t i = 0; i < l->unsure.cap; i++) /* what was being committed is behind the end of the log */
        if (ids_has(&others, l->unsure.v[i])) ids_add_any(out, l->unsure.v[i]);
    ids_clear(&others);
}

void ledger_named(const struct ledger *l, const struct device *d, struct ids *out)
{
    for (size_t i = 0; i < l->in_hand; i++) {
        const struct written *w = &l->ops[i];
        const struct posted *e = &l->envelopes[w->by];
        if (memcmp(e->kid, d->kid, sizeof d->kid) != 0 || (posted_counts(e) && !w->forged)) continue;
        if (w->fresh) ids_add(out, w->case_id);
        if (w->value.kind == VALUE_BLOB && w->value.s.n == 16) ids_add(out, w->value.s.p);
    }
}

void ledger_accepted(struct sim *s, const uint8_t held_id[16], struct ids *out)
{
    const struct ledger *l = s->ledger;
    struct stmt *st = ask(s, hub_db(s->hub), "SELECT node_no, seq FROM h_held_case WHERE held_id = $1");
    db_bind_id(st, 1, held_id);
    while (ask_next(s, st)) {
        for (size_t i = 0; i < l->n_envelopes; i++) {
            const struct posted *e = &l->envelopes[i];
            if (!e->at_hub || e->node_no != db_int(st, 0) || e->seq != (uint64_t)db_int(st, 1)) continue;
            for (size_t k = 0; k < e->n; k++) ids_add(out, l->ops[e->first + k].id);
        }
    }
    db_done(st);
}

/* ------------------------------------------------------------------------------------------------ at the hub */
static int device_of(const struct sim *s, const uint8_t kid[16])
{
    for (unsigned i = 0; i < s->n_devices; i++)
        if (s->devices[i].state != DEVICE_NONE && memcmp(s->devices[i].kid, kid, 16) == 0) return (int)i;
    return -1;
}

static struct posted *find(struct ledger *l, const uint8_t hash[HASH_BYTES])
{
    for (size_t i = 0; i < l->n_envelopes; i++)
        if (memcmp(l->envelopes[i].hash, hash, HASH_BYTES) == 0) return &l->envelopes[i];
    return NULL;
}

/* An envelope of which nobody knew: the power failed while its device made it durable. */
static struct posted *adopt(struct sim *s, struct posted *e, struct stmt *st)
{
    struct ledger *l = s->ledger;
    e->device = device_of(s, e->kid);
    e->found = true;
    if (e->device < 0) sim_fail(s, 3, "the hub has envelope %llu of no device", (unsigned long long)e->seq);
    size_t at = ledger_post(l, e);
    journal_adopt(s, at, db_bytes(st, 7));
    rescue_link(l, at, db_bytes(st, 10), db_bytes(st, 11));
    return &l->envelopes[at];
}

static void must_be_the_same(struct sim *s, const struct posted *was, const struct posted *now)
{
    bool counted = posted_counts(was),
         final = counted || was->verdict == VERDICT_DISMISSED || was->verdict == VERDICT_FAULT;
    if (was->node_no != now->node_no || was->seq != now->seq)
        sim_fail(s, 3, "envelope %llu of node %lld is at the hub twice", (unsigned long long)was->seq,
                 (long long)was->node_no);
    if ((final && was->verdict != now->verdict) || (counted && was->version != now->version))
        sim_fail(s, 3, "device %d, envelope %llu: it was %s at version %lld, and is %s at version %lld", was->device,
                 (unsigned long long)was->seq, verdict_word(was->verdict), (long long)was->version,
                 verdict_word(now->verdict), (long long)now->version);
}

static void must_be_alone(struct sim *s, const struct posted *e)
{
    for (size_t i = 0; i < s->ledger->n_envelopes; i++) {
        const struct posted *o = &s->ledger->envelopes[i];
        if (o != e && o->at_hub && o->node_no == e->node_no && o->seq == e->seq)
            sim_fail(s, 3, "device %d: the hub has another envelope %llu than before", e->device,
                     (unsigned long long)e->seq);
    }
}

#define COLUMNS                                                                                                        \
    "SELECT e.node_no, e.seq, e.hash, e.verdict, e.version, length(e.cose) > 0 AND length(e.parts) > 0, n.kid, "       \
    "e.parts, e.reason, n.state IN ('revoked', 'wiped'), e.cose, n.public FROM h_envelope e JOIN h_node n ON n.no = e.node_no "

bool ledger_is_accepted(struct sim *s, const struct posted *e)
{
    struct stmt *st =
        ask(s, hub_db(s->hub), "SELECT 1 FROM h_held WHERE node_no = $1 AND seq = $2 AND state = 'accepted'");
    db_bind_int(st, 1, e->node_no);
    db_bind_int(st, 2, (int64_t)e->seq);
    bool out = ask_next(s, st);
    db_done(st);
    return out;
}

void ledger_must_wait(struct sim *s, const struct posted *e)
{
    if (e->late && posted_counts(e) && !ledger_is_accepted(s, e))
        sim_fail(s, 10, "device %d, envelope %llu: it %s, and is %s", e->device, (unsigned long long)e->seq,
                 e->again > 0 ? "was rescued" : "came when its device was revoked", verdict_word(e->verdict));
}

/* What comes from a device that was cut off is for a manager to decide. A hub that was put back does not say what came
 * when. */
static void arrives(struct sim *s, struct posted *e, const struct posted *now, bool revoked)
{
    if (!s->hub_lost_time) e->late = revoked;
    rescue_arrives(s, e, now);
}

static void record(struct sim *s, struct stmt *st)
{
    struct posted now = {.at_hub = true,
                         .node_no = db_int(st, 0),
                         .seq = (uint64_t)db_int(st, 1),
                         .verdict = (enum verdict)db_int(st, 3),
                         .version = db_int(st, 4),
                         .kept = db_int(st, 5) != 0};
    struct bytes hash = db_bytes(st, 2);
    if (hash.n != sizeof now.hash || !db_id(st, 6, now.kid)) sim_fail(s, 3, "the hub's journal is damaged");
    memcpy(now.hash, hash.p, sizeof now.hash);
    now.gap = gap_is(db_bytes(st, 7), now.verdict);
    struct posted *e = find(s->ledger, now.hash);
    if (e == NULL) e = adopt(s, &now, st);
    if (e->at_hub && !e->found) must_be_the_same(s, e, &now);
    if (!e->at_hub || e->found) must_be_alone(s, e);
    if (!e->at_hub || e->found) arrives(s, e, &now, db_int(st, 9) != 0);
    e->gap = now.gap;
    if (!e->at_hub && e->gap) gap_arrives(s, e);
    if (e->found && e->gap) e->rotten = s->counts[COUNT_SPOILT] > 0; /* nobody had noted it when the bits flipped */
    if (!e->at_hub || e->verdict != now.verdict)
        sim_note(s, "  the hub: device %d, envelope %llu: %s %.*s", e->device, (unsigned long long)now.seq,
                 verdict_word(now.verdict), (int)db_bytes(st, 8).n, (const char *)db_bytes(st, 8).p);
    e->at_hub = true;
    e->found = false;
    e->node_no = now.node_no;
    e->version = now.version;
    e->verdict = now.verdict;
    e->kept = now.kept;
    ledger_must_wait(s, e);
}

/* A hub that was put back knows less, and may come to know other things. */
static void forget_hub(struct ledger *l)
{
    for (size_t i = 0; i < l->n_envelopes; i++) l->envelopes[i].at_hub = false;
    l->n_chains = 0;
}

void ledger_hub_lost(struct sim *s)
{
    forget_hub(s->ledger);
}

static struct chain *chain_of(struct ledger *l, int64_t no)
{
    for (size_t i = 0; i < l->n_chains; i++)
        if (l->chains[i].no == no) return &l->chains[i];
    l->chains = judge_room(l->chains, l->n_chains, &l->cap_chains, sizeof *l->chains);
    l->chains[l->n_chains] = (struct chain){.no = no};
    return &l->chains[l->n_chains++];
}

/* Signed by its device as the one after what the hub had of it. A hub that was put back is looked at anew each time:
 * then the numbers must do. */
static void must_follow(struct sim *s, struct chain *c, struct stmt *st)
{
    struct identity by;
    struct envelope e;
    struct why why = {0};
    struct bytes cose = db_bytes(st, 10);
    uint64_t seq = (uint64_t)db_int(st, 1);
    if (seq != c->last_seq + 1)
        sim_fail(s, 3, "node %lld: the hub took envelope %llu after %llu", (long long)c->no, (unsigned long long)seq,
                 (unsigned long long)c->last_seq);
    c->last_seq = seq;
    if (s->hub_lost_time) return;
    enum err err = identity_stored(&by, db_bytes(st, 11), &why);
    if (err == ERR_OK && gap_is(db_bytes(st, 7), (enum verdict)db_int(st, 3))) {
        gap_must_follow(s, c->no, st, &by);
        memcpy(c->head, db_bytes(st, 2).p, sizeof c->head);
        return;
    }
    if (err != ERR_OK || envelope_verify(cose, &by, &e, &why) != ERR_OK)
        sim_fail(s, 3, "node %lld: envelope %llu: %s", (long long)c->no, (unsigned long long)seq, why.text);
    if (e.h.seq != seq || memcmp(e.h.prev, c->head, sizeof c->head) != 0)
        sim_fail(s, 3, "node %lld: envelope %llu does not follow the one before it", (long long)c->no,
                 (unsigned long long)seq);
    envelope_hash(cose, c->head);
}

static void record_new(struct sim *s, struct chain *c)
{
    struct stmt *st = ask(s, hub_db(s->hub), COLUMNS "WHERE e.node_no = $1 AND e.seq > $2 ORDER BY e.seq");
    db_bind_int(st, 1, c->no);
    db_bind_int(st, 2, (int64_t)c->last_seq);
    while (ask_next(s, st)) {
        must_follow(s, c, st);
        record(s, st);
    }
    db_done(st);
}

void ledger_at_hub(struct sim *s)
{
    struct ledger *l = s->ledger;
    if (s->hub == NULL || disk_is_dead(s->hub_machine.disk)) return;
    if (s->hub_lost_time) forget_hub(l);
    l->n_ops = l->in_hand; /* of an edit in whose midst the power failed */
    struct stmt *st = ask(s, hub_db(s->hub), "SELECT no, last_seq FROM h_node ORDER BY no");
    while (ask_next(s, st)) {
        struct chain *c = chain_of(l, db_int(st, 0));
        uint64_t last = (uint64_t)db_int(st, 1);
        if (last > c->last_seq) record_new(s, c);
        if (c->last_seq != last)
            sim_fail(s, 3, "node %lld: the hub counts %llu envelopes and has %llu", (long long)c->no,
                     (unsigned long long)last, (unsigned long long)c->last_seq);
    }
    db_done(st);
    /* Work that was decided is yet to be told to its device. */
    st = ask(s, hub_db(s->hub), COLUMNS "WHERE e.told = 0 ORDER BY e.node_no, e.seq");
    while (ask_next(s, st)) record(s, st);
    db_done(st);
    rescue_listed(s);
}

void ledger_record_all(struct sim *s)
{
    if (s->hub_lost_time) forget_hub(s->ledger);
    struct stmt *st = ask(s, hub_db(s->hub), COLUMNS "ORDER BY e.node_no, e.seq");
    while (ask_next(s, st)) record(s, st);
    db_done(st);
    rescue_listed(s);
    st = ask(s, hub_db(s->hub), "SELECT node_no, seq FROM h_held WHERE state = 'accepted'");
    while (ask_next(s, st)) {
        for (size_t i = 0; i < s->ledger->n_envelopes; i++) {
            struct posted *e = &s->ledger->envelopes[i];
            if (e->at_hub && e->node_no == db_int(st, 0) && e->seq == (uint64_t)db_int(st, 1)) e->accepted = true;
        }
    }
    db_done(st);
}
