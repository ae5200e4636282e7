/* Gaps: what a device could not read back from its disk, and sends a signed word instead of. */
#include "tests/sim/judge.h"

#include "base/cbor.h"
#include "sync/messages.h"

#include <string.h>

bool gap_is(struct bytes parts, enum verdict v)
{
    static const uint8_t none[] = {0x80}; /* an empty array; an envelope has a part at least */
    return v == VERDICT_FAULT && bytes_equal(parts, bytes_of(none, sizeof none));
}

void gap_must_follow(struct sim *s, int64_t node_no, struct stmt *st, const struct identity *by)
{
    struct gap g;
    struct why why = {0};
    struct buf item;
    uint64_t seq = (uint64_t)db_int(st, 1);
    buf_init(&item, 1u << 16);
    cbor_put_array(&item, 2);
    cbor_put_uint(&item, MSG_GAP);
    buf_put_bytes(&item, db_bytes(st, 10));
    if (message_get_gap(buf_bytes(&item), by, &g, NULL, &why) != ERR_OK || g.seq != seq ||
        !bytes_equal(db_bytes(st, 2), bytes_of(g.hash, sizeof g.hash)))
        sim_fail(s, 3, "node %lld: gap %llu is not what its device signed: %s", (long long)node_no,
                 (unsigned long long)seq, why.text);
    buf_release(&item);
}

void gap_arrives(struct sim *s, const struct posted *e)
{
    s->counts[COUNT_GAPS]++;
    if (!e->rotten && !s->devices[e->device].suspect && !s->devices[e->device].hostile)
        sim_fail(s, 2, "device %d, envelope %llu: a gap came in its place, and nothing had happened to it", e->device,
                 (unsigned long long)e->seq);
}

bool ledger_is_gap(const struct sim *s, const struct device *d, uint64_t seq)
{
    const struct posted *e = ledger_of(s->ledger, d, seq);
    return e != NULL && e->rotten;
}

/* Only what lies over a row that is here can be written again. */
static bool is_pending(struct sim *s, const struct device *d, const struct written *w, uint64_t seq)
{
    struct stmt *st = ask(s, node_db(d->n), "SELECT 1 FROM n_pending WHERE tbl = $1 AND id = $2 AND seq = $3");
    db_bind_int(st, 1, w->tbl);
    db_bind_id(st, 2, w->id);
    db_bind_int(st, 3, (int64_t)seq);
    bool out = ask_next(s, st);
    db_done(st);
    return out;
}

void ledger_rotten(struct sim *s, const struct device *d)
{
    struct ledger *l = s->ledger;
    struct stmt *st =
        ask(s, node_db(d->n), "SELECT seq FROM n_outbox WHERE state NOT IN ('applied', 'merged') ORDER BY seq");
    while (ask_next(s, st)) {
        uint64_t seq = (uint64_t)db_int(st, 0);
        struct posted *e = ledger_of(l, d, seq);
        if (e == NULL) continue;
        e->rotten = true;
        for (size_t k = e->first; k < e->first + e->n; k++) l->ops[k].gone = !is_pending(s, d, &l->ops[k], seq);
    }
    db_done(st);
}
