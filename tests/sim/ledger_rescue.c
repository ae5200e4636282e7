/* What a device that was put back or cloned had not sent: enrolled anew, it sends that again in its new chain. */
#include "tests/sim/judge.h"

#include "sync/envelope.h"

#include <string.h>

static size_t find(const struct ledger *l, const uint8_t hash[HASH_BYTES])
{
    size_t i = 0;
    while (i < l->n_envelopes && memcmp(l->envelopes[i].hash, hash, HASH_BYTES) != 0) i++;
    return i;
}

/* Of an envelope that has the content of another that has the content of another …: the first. */
static size_t root(const struct ledger *l, size_t i)
{
    while (l->envelopes[i].again > 0) i = l->envelopes[i].again - 1;
    return i;
}

/* What was rescued before is rescued under its first name. */
static bool is_same(const struct ledger *l, const uint8_t a[HASH_BYTES], const uint8_t b[HASH_BYTES])
{
    size_t i = find(l, a), j = find(l, b);
    return memcmp(a, b, HASH_BYTES) == 0 || (i < l->n_envelopes && j < l->n_envelopes && root(l, i) == root(l, j));
}

void ledger_owed(struct sim *s, const struct device *d)
{
    struct ledger *l = s->ledger;
    struct stmt *st = ask(s, node_db(d->n), "SELECT seq, cose FROM n_outbox WHERE state = 'unsent' ORDER BY seq");
    while (ask_next(s, st)) {
        l->owed = judge_room(l->owed, l->n_owed, &l->cap_owed, sizeof *l->owed);
        struct owed *o = &l->owed[l->n_owed++];
        *o = (struct owed){.device = d->no, .now = -1, .seq = (uint64_t)db_int(st, 0)};
        envelope_hash(db_bytes(st, 1), o->hash);
    }
    db_done(st);
}

static bool read_header(struct bytes cose, struct bytes public, struct envelope *out)
{
    struct identity by;
    struct why why = {0};
    return identity_stored(&by, public, &why) == ERR_OK && envelope_verify(cose, &by, out, &why) == ERR_OK;
}

void rescue_link(struct ledger *l, size_t at, struct bytes cose, struct bytes public)
{
    static const uint8_t none[HASH_BYTES];
    struct envelope e;
    if (!read_header(cose, public, &e) || memcmp(e.h.rescued, none, sizeof none) == 0) return;
    size_t i = find(l, e.h.rescued);
    if (i < l->n_envelopes) l->envelopes[at].again = i + 1;
}

/* It proposes what that one proposed. */
static void note_again(struct sim *s, const struct device *d, uint64_t seq, struct bytes cose,
                       const uint8_t of[HASH_BYTES])
{
    struct ledger *l = s->ledger;
    size_t i = find(l, of);
    if (i == l->n_envelopes) return; /* the power failed when it was committed: nobody noted it */
    struct posted e = {.device = d->no, .seq = seq, .again = i + 1, .first = l->n_ops, .n = l->envelopes[i].n};
    envelope_hash(cose, e.hash);
    memcpy(e.kid, d->kid, sizeof e.kid);
    for (size_t k = 0; k < e.n; k++) {
        struct written w = l->ops[l->envelopes[i].first + k];
        ledger_add(l, &w)->by = l->n_envelopes;
    }
    l->in_hand = l->n_ops;
    (void)ledger_post(l, &e);
}

static void settle(struct ledger *l, const struct device *was, const struct device *d, const uint8_t of[HASH_BYTES])
{
    for (size_t i = 0; i < l->n_owed; i++)
        if (l->owed[i].device == was->no && is_same(l, l->owed[i].hash, of)) l->owed[i].now = d->no;
}

static void must_be_settled(struct sim *s, const struct device *was, const struct device *d)
{
    for (size_t i = 0; i < s->ledger->n_owed; i++) {
        const struct owed *o = &s->ledger->owed[i];
        if (o->device == was->no && o->now < 0)
            sim_fail(s, 2,
                     "device %d is enrolled anew as device %d, and envelope %llu, which was not sent, is not rescued",
                     was->no, d->no, (unsigned long long)o->seq);
    }
}

void ledger_rescued(struct sim *s, const struct device *was, struct device *d)
{
    struct stmt *key = ask(s, hub_db(s->hub), "SELECT public FROM h_node WHERE kid = $1");
    db_bind_id(key, 1, d->kid);
    if (!ask_next(s, key)) sim_fail(s, 0, "device %d was enrolled anew, and the hub does not know it", d->no);
    ledger_cancel(s);
    struct stmt *st = ask(s, node_db(d->n), "SELECT seq, cose FROM n_outbox ORDER BY seq");
    while (ask_next(s, st)) {
        struct envelope e;
        uint64_t seq = (uint64_t)db_int(st, 0);
        if (!read_header(db_bytes(st, 1), db_bytes(key, 0), &e))
            sim_fail(s, 3, "device %d: rescued envelope %llu is not signed by it", d->no, (unsigned long long)seq);
        settle(s->ledger, was, d, e.h.rescued);
        note_again(s, d, seq, db_bytes(st, 1), e.h.rescued);
        s->counts[COUNT_RESCUED]++;
    }
    db_done(st);
    db_done(key);
    must_be_settled(s, was, d);
}

/* Not one that was known itself: two copies that the hub skipped do not vouch for each other. */
bool rescue_had(const struct ledger *l, const struct posted *e)
{
    size_t mine = (size_t)(e - l->envelopes), first = root(l, mine);
    for (size_t i = 0; i < l->n_envelopes; i++) {
        const struct posted *o = &l->envelopes[i];
        bool brought = o->at_hub && !o->known && o->verdict != VERDICT_FAULT; /* nor does a gap bring it */
        if (i != mine && brought && root(l, i) == first) return true;
    }
    return false;
}

/* It came to the hub, for the first time: known there, it changes nothing; else a manager must decide. */
void rescue_arrives(struct sim *s, struct posted *e, const struct posted *now)
{
    if (e->again == 0 || now->gap) return;
    if (s->hub_lost_time) { /* it was told something else before, perhaps: what it says now must do */
        e->known = now->verdict == VERDICT_MERGED && !ledger_is_accepted(s, now);
        return;
    }
    e->known = rescue_had(s->ledger, e);
    s->counts[COUNT_KNOWN] += e->known;
    e->late = !e->known;
    if (e->known && now->verdict != VERDICT_MERGED)
        sim_fail(s, 3, "device %d, envelope %llu: the hub had what it rescues, and says %s", e->device,
                 (unsigned long long)now->seq, verdict_word(now->verdict));
}

/* Nobody knows in which order they came to a hub that was put back. Where no copy brought the content, the first of
 * those that it says it knew must answer for it as if it counted. */
void rescue_listed(struct sim *s)
{
    for (size_t i = 0; s->hub_lost_time && i < s->ledger->n_envelopes; i++) {
        struct posted *e = &s->ledger->envelopes[i];
        if (!e->at_hub || !e->known || rescue_had(s->ledger, e)) continue;
        e->known = false;
        ledger_must_wait(s, e);
    }
}

static bool came(const struct ledger *l, const uint8_t hash[HASH_BYTES])
{
    size_t at = find(l, hash);
    if (at == l->n_envelopes) return true; /* never noted: ledger_rescued has seen it on its way */
    for (size_t i = 0; i < l->n_envelopes; i++)
        if (l->envelopes[i].at_hub && root(l, i) == root(l, at)) return true;
    return false;
}

void rescue_at_rest(struct sim *s)
{
    for (size_t i = 0; i < s->ledger->n_owed; i++) {
        const struct owed *o = &s->ledger->owed[i];
        if (o->now < 0 || s->hub_lost_time) continue;
        const struct device *d = &s->devices[o->now];
        if (d->state != DEVICE_LIVE && (d->state != DEVICE_WIPED || d->at_once)) continue;
        if (!came(s->ledger, o->hash))
            sim_fail(s, 2, "envelope %llu of device %d, rescued by device %d, did not come to the hub",
                     (unsigned long long)o->seq, o->device, o->now);
    }
}
