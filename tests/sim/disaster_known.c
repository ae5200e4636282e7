/* Verdicts that devices knew when the hub was lost, and what became of them: promise 14. A device tells the hub that is
 * put back what it was told; what it was not told was not acknowledged, and comes as new work. */
#include "tests/sim/disaster.h"

#include "hub/restore.h"
#include "hub/restore_internal.h"

#include <string.h>

static bool verdict_of(struct bytes word, enum verdict *out)
{
    for (int v = VERDICT_APPLIED; v <= VERDICT_DISMISSED; v++) {
        *out = (enum verdict)v;
        if (bytes_equal(word, bytes_of_str(verdict_word(*out)))) return true;
    }
    return false;
}

/* After each contact, and when it is switched on: one in which its power failed may have told it something. */
void disaster_learns(struct sim *s, const struct device *d)
{
    if (!s->plan.disasters || d->n == NULL || disk_is_dead(d->m.disk)) return;
    struct stmt *st = ask(s, node_db(d->n), "SELECT seq, state FROM n_outbox WHERE state <> 'unsent'");
    while (ask_next(s, st)) {
        struct posted *e = ledger_of(s->ledger, d, (uint64_t)db_int(st, 0));
        if (e == NULL) continue;
        e->learnt = verdict_of(db_bytes(st, 1), &e->told);
        if (!e->learnt) sim_fail(s, 1, "device %d: envelope %llu has no verdict", d->no, (unsigned long long)e->seq);
    }
    db_done(st);
}

/* ------------------------------------------------------------------------------------------- what was known before */

static struct posted *posted_of(struct sim *s, struct bytes hash)
{
    for (size_t i = 0; i < s->ledger->n_envelopes; i++)
        if (bytes_equal(hash, bytes_of(s->ledger->envelopes[i].hash, HASH_BYTES))) return &s->ledger->envelopes[i];
    return NULL;
}

static struct known *known_of(struct calamity *c, int64_t node_no, int64_t seq)
{
    for (size_t i = 0; i < c->n_known; i++)
        if (c->known[i].node_no == node_no && c->known[i].seq == seq) return &c->known[i];
    c->known = judge_room(c->known, c->n_known, &c->cap_known, sizeof *c->known);
    c->known[c->n_known] = (struct known){.node_no = node_no, .seq = seq};
    return &c->known[c->n_known++];
}

/* Whatever the hub has and its device knows to be there, whether or not that is switched on just now. */
void known_look_before(struct sim *s)
{
    s->calamity->whole = true;
    for (unsigned i = 0; i < s->n_devices; i++)
        if (s->devices[i].state == DEVICE_LIVE) disaster_learns(s, &s->devices[i]);
    struct stmt *st = ask(s, hub_db(s->hub), "SELECT node_no, seq, hash, verdict, received_at FROM h_envelope ORDER BY node_no, seq");
    while (ask_next(s, st)) {
        const struct posted *e = posted_of(s, db_bytes(st, 2));
        s->calamity->whole &= e != NULL && e->learnt;
        if (e == NULL || !e->learnt) continue;
        struct known *k = known_of(s->calamity, db_int(st, 0), db_int(st, 1));
        memcpy(k->hash, e->hash, sizeof k->hash);
        k->stands = false;
        k->verdict = (enum verdict)db_int(st, 3);
        k->received_at = db_int(st, 4);
    }
    db_done(st);
    s->calamity->gaps |= !s->calamity->whole;
}

/* ---------------------------------------------------------------------------------------------------------- judging */

static bool has_applied(struct sim *s, int64_t node_no)
{
    struct stmt *st = ask(s, hub_db(s->hub), "SELECT 1 FROM h_awaited WHERE node_no = $1 AND state = 'applied'");
    db_bind_int(st, 1, node_no);
    bool out = ask_next(s, st);
    db_done(st);
    return out;
}

static bool is_taken(enum verdict v)
{
    return v == VERDICT_APPLIED || v == VERDICT_MERGED;
}

static bool is_accepted(struct sim *s, const struct known *k)
{
    struct stmt *st = ask(s, hub_db(s->hub), "SELECT 1 FROM h_held WHERE node_no = $1 AND seq = $2 AND state = 'accepted'");
    db_bind_int(st, 1, k->node_no);
    db_bind_int(st, 2, k->seq);
    bool out = ask_next(s, st);
    db_done(st);
    return out;
}

/* What the device knew, or what the hub knew besides: that a manager had decided is in the manager's own work, which
 * came back or did not. What was open new work may have decided. Where something of the lost hub is not there (somebody
 * was not waited for, or had not heard that his work was judged: then it comes as new), what met it in a conflict meets
 * nothing, and what rests upon it cannot be carried out: it is held whole, or a fault, and says so. Where the hub was
 * opened without whoever had dismissed it or taken it back, a manager may have accepted it since, and that stands. */
static bool may_be(struct sim *s, const struct known *k, enum verdict told, enum verdict now, struct bytes reason, bool pure)
{
    bool open = told == VERDICT_HELD || told == VERDICT_WAITS, all = s->calamity->strict && s->calamity->whole;
    if (now == told || (open && (!all || !pure || now == k->verdict))) return true;
    if (all) return false;
    if (is_taken(told) && is_taken(now)) return true;
    if (told == VERDICT_DISMISSED && is_taken(now) && !s->calamity->strict && is_accepted(s, k)) return true;
    if (now != VERDICT_HELD && now != VERDICT_FAULT) return false;
    return told == VERDICT_DISMISSED ||
           (reason.n >= sizeof REASON_TAKEN - 1 && memcmp(reason.p, REASON_TAKEN, sizeof REASON_TAKEN - 1) == 0);
}

static void must_stand(struct sim *s, const struct known *k, struct stmt *st, bool pure)
{
    const struct posted *e = posted_of(s, bytes_of(k->hash, sizeof k->hash));
    enum verdict now = (enum verdict)db_int(st, 1);
    if (!bytes_equal(db_bytes(st, 0), bytes_of(k->hash, sizeof k->hash)))
        sim_fail(s, 14, "node %lld: another envelope came back for %lld", (long long)k->node_no, (long long)k->seq);
    if (db_int(st, 2) != k->received_at)
        sim_fail(s, 14, "node %lld: envelope %lld was received at %lld, and now at %lld", (long long)k->node_no, (long long)k->seq,
                 (long long)k->received_at, (long long)db_int(st, 2));
    /* A courier may have brought its device another verdict since, of the hub that was lost. */
    s->counts[COUNT_COMPARED]++;
    if (!may_be(s, k, e->told, now, db_bytes(st, 3), pure))
        sim_fail(s, 14, "node %lld: envelope %lld was %s, as its device knows, and is %s since the hub was put back: %.*s",
                 (long long)k->node_no, (long long)k->seq, verdict_word(e->told), verdict_word(now), (int)db_bytes(st, 3).n,
                 (const char *)db_bytes(st, 3).p);
}

void known_must_stand(struct sim *s, bool pure)
{
    struct calamity *c = s->calamity;
    for (size_t i = 0; i < c->n_known; i++) {
        struct known *k = &c->known[i];
        if (k->stands || !has_applied(s, k->node_no)) continue;
        k->stands = true;
        struct stmt *st = ask(s, hub_db(s->hub),
                              "SELECT hash, verdict, received_at, reason FROM h_envelope WHERE node_no = $1 AND seq = $2");
        db_bind_int(st, 1, k->node_no);
        db_bind_int(st, 2, k->seq);
        if (!ask_next(s, st))
            sim_fail(s, 14, "node %lld: envelope %lld was acknowledged, and is lost with the hub", (long long)k->node_no,
                     (long long)k->seq);
        must_stand(s, k, st, pure);
        db_done(st);
    }
}
