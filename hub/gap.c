/* Gaps: an envelope that its device cannot read any more. Its chain goes on with the hash that the device signed for;
 * the work itself comes again, as far as the device still has it, in a later envelope of its own. */
#include "hub/intake.h"
#include "hub/log.h"

#include "sync/messages.h"

#include <string.h>

#define REASON_GAP "The device could not read this change back from its disk. Nothing of it reached the hub."

static enum err put_journal(struct hub *h, const struct hub_node *node, const struct lost_change *lost, struct why *why)
{
    static const uint8_t no_parts[] = {0x80}; /* an empty array, as hub/journal.c keeps parts */
    static const uint8_t none[16];
    struct stmt *s;
    enum err e = db_prepare(h->db,
                            "INSERT INTO h_envelope(node_no, seq, hash, cose, parts, base_cut, hlc, user, received_at, "
                            "version, verdict, reason) VALUES($1, $2, $3, $4, $5, $6, 0, $7, $8, $9, $10, $11)",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, node->no);
    db_bind_int(s, 2, (int64_t)lost->seq);
    db_bind_blob(s, 3, bytes_of(lost->hash, HASH_BYTES));
    db_bind_blob(s, 4, lost->cose);
    db_bind_blob(s, 5, bytes_of(no_parts, sizeof no_parts));
    db_bind_id(s, 6, none);
    db_bind_id(s, 7, none);
    db_bind_int(s, 8, lost->received_at);
    db_bind_int(s, 9, h->version);
    db_bind_int(s, 10, VERDICT_FAULT);
    db_bind_str(s, 11, lost->reason);
    return db_run(s, why);
}

/* For administrators: a device whose disk loses what it kept wants looking after. */
static enum err put_fault(struct hub *h, const struct hub_node *node, uint64_t seq, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(
        h->db, "INSERT INTO h_held(node_no, seq, state, found_at, fault) VALUES($1, $2, 'waiting', $3, 1)", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, node->no);
    db_bind_int(s, 2, (int64_t)seq);
    db_bind_int(s, 3, h->now_ms);
    return db_run(s, why);
}

enum err gap_put(struct hub *h, struct hub_node *node, const struct lost_change *lost, struct why *why)
{
    enum err e = put_journal(h, node, lost, why);
    if (e == ERR_OK) e = put_fault(h, node, lost->seq, why);
    if (e == ERR_OK) e = log_note(h, node->no, LOG_GAP, lost->seq, bytes_of(lost->hash, HASH_BYTES), why);
    if (e != ERR_OK || lost->seq <= node->last_seq) return e;
    node->last_seq = lost->seq;
    memcpy(node->last_hash, lost->hash, HASH_BYTES);
    return ERR_OK;
}

/* The envelope had come before it was lost, and its device did not hear of that: beside a courier's request. What it
 * said is on the device no more, so none of it counts as known there for having been sent (hub/RULES.md): whatever
 * the verdict, it is told like another's work. */
static enum err tell_all(struct hub *h, const struct hub_node *node, uint64_t seq, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db,
                            "DELETE FROM h_as_sent WHERE node_no = $1 AND version ="
                            " (SELECT version FROM h_envelope WHERE node_no = $1 AND seq = $2)",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, node->no);
    db_bind_int(s, 2, (int64_t)seq);
    return db_run(s, why);
}

static enum err known_gap(struct hub *h, struct hub_node *node, const struct gap *g, struct why *why)
{
    enum err e = intake_known_again(h, node, g->seq, g->hash, why);
    return e == ERR_OK ? tell_all(h, node, g->seq, why) : e;
}

enum err intake_gap(struct hub *h, struct hub_node *node, struct bytes item, struct why *why)
{
    struct gap g;
    struct bytes cose;
    enum err e = message_get_gap(item, &node->id, &g, &cose, why);
    if (e == ERR_OK && memcmp(g.hub, h->id.pub.kid, KID_BYTES) != 0)
        e = why_set(why, ERR_TAMPERED, "A gap was signed for another hub.");
    if (e == ERR_OK && g.seq > node->last_seq + 1)
        e = why_set(why, ERR_REFUSED, "A change is missing before this one.");
    if (e != ERR_OK) return e;
    if (g.seq <= node->last_seq) return known_gap(h, node, &g, why);
    const struct lost_change lost = {
        .seq = g.seq, .hash = g.hash, .cose = cose, .received_at = h->now_ms, .reason = REASON_GAP};
    return gap_put(h, node, &lost, why);
}
