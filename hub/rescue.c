/* Devices that were put back from an old image, or copied: whose place a device takes, and what it rescued from there.
 * A rescued change is never applied by itself: nobody knows what else its device did after it was copied. */
#include "hub/draft.h"

#include "crypto/hash.h"
#include "hub/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The device whose place this one took; 0: none. */
static enum err predecessor(struct hub *h, int64_t node_no, int64_t *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db, "SELECT coalesce(replaces, 0) FROM h_node WHERE no = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, node_no);
    e = db_step(s, &row, why);
    if (e == ERR_OK) *out = row ? db_int(s, 0) : 0;
    db_done(s);
    return e;
}

/* The first of all: every device that took its place, or that of one which did, is its kin. */
static enum err first_of(struct hub *h, int64_t node_no, int64_t *out, struct why *why)
{
    int64_t before = node_no;
    enum err e = ERR_OK;
    while (e == ERR_OK && before != 0) {
        *out = before;
        e = predecessor(h, before, &before, why);
    }
    return e;
}

enum err rescue_next_kin(struct hub *h, int64_t node_no, int64_t after, int64_t *out, struct why *why)
{
    struct stmt *s;
    int64_t first = node_no;
    bool row = false;
    enum err e = first_of(h, node_no, &first, why);
    if (e == ERR_OK)
        e = db_prepare(
            h->db,
            "WITH RECURSIVE kin(no) AS (SELECT no FROM h_node WHERE no = $1 UNION SELECT n.no FROM h_node n "
            "JOIN kin k ON n.replaces = k.no) SELECT no FROM kin WHERE no > $2 AND no <> $3 ORDER BY no LIMIT 1",
            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, first);
    db_bind_int(s, 2, after);
    db_bind_int(s, 3, node_no);
    e = db_step(s, &row, why);
    if (e == ERR_OK) *out = row ? db_int(s, 0) : 0;
    db_done(s);
    return e;
}

static enum err add(struct chains *c, int64_t no, struct why *why)
{
    int64_t *grown = reallocarray(c->no, c->n + 1, sizeof *grown);
    if (grown == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to take in a change.");
    c->no = grown;
    c->no[c->n++] = no;
    return ERR_OK;
}

enum err rescue_load(struct hub *h, struct draft *d, struct judgement *j, struct why *why)
{
    int64_t no = d->node->replaces;
    enum err e = ERR_OK;
    if (!draft_rescued(d) || d->line.n > 0) return ERR_OK;
    if (no == 0) {
        judgement_note(
            j, VERDICT_FAULT, true,
            "This change says that it was rescued from another device, and this one takes the place of none.");
        return ERR_OK;
    }
    while (e == ERR_OK && no != 0) {
        e = add(&d->line, no, why);
        if (e == ERR_OK) e = predecessor(h, no, &no, why);
    }
    while (e == ERR_OK) {
        e = rescue_next_kin(h, d->node->no, no, &no, why);
        if (e != ERR_OK || no == 0) break;
        e = add(&d->kin, no, why);
    }
    return e;
}

bool draft_own(const struct draft *d, int64_t node_no)
{
    if (node_no == d->node->no) return true;
    for (size_t i = 0; i < d->kin.n; i++) {
        if (d->kin.no[i] == node_no) return true;
    }
    return false;
}

/* Its cut was lost with the hub that gave it (hub/restore_gather.c): the newest that is known of its device stands for
 * it. That is an earlier one: what came between counts as not seen, and at worst is shown as two versions. */
static enum err cut_before_loss(struct hub *h, struct draft *d, struct why *why)
{
    uint8_t name[16] = {0};
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db, "SELECT name FROM h_cut WHERE node_no = $1 ORDER BY at DESC LIMIT 1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, d->node->no);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) (void)db_id(s, 0, name);
    db_done(s);
    return e == ERR_OK ? cut_get(h, d->node->no, name, &d->cut, why) : e;
}

static enum err first_cut(struct hub *h, int64_t node_no, struct cut *out, bool *out_found, struct why *why)
{
    uint8_t name[16];
    struct stmt *s;
    enum err e =
        db_prepare(h->db, "SELECT name FROM h_cut WHERE node_no = $1 ORDER BY at, served_at, name LIMIT 1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, node_no);
    e = db_step(s, out_found, why);
    *out_found = e == ERR_OK && *out_found && db_id(s, 0, name);
    db_done(s);
    return e == ERR_OK && *out_found ? cut_get(h, node_no, name, out, why) : e;
}

static enum err refuse_stranger(struct hub *h, const uint8_t name[16], struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db, "SELECT 1 FROM h_cut WHERE name = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, name);
    e = db_step(s, &row, why);
    db_done(s);
    if (e != ERR_OK || !row) return e;
    return why_set(why, ERR_REFUSED, "This device stands at a point that the hub gave to another device.");
}

/* Its cut was thinned since (hub/cut_thin.c), because nobody could know that an image of then would be put back. What
 * its author had seen of others' values counts as of the first cut of its line: at worst two versions are shown. What
 * was shown to its site at all, as of the time when it says it was written: that decides only what a manager is
 * told. */
static enum err cut_thinned(struct hub *h, struct draft *d, struct why *why)
{
    bool found = false;
    enum err e = refuse_stranger(h, d->env.h.base_cut, why);
    for (size_t i = d->line.n; e == ERR_OK && !found && i > 0; i--)
        e = first_cut(h, d->line.no[i - 1], &d->cut, &found, why);
    if (e == ERR_OK && !found)
        return why_set(why, ERR_REFUSED, "This device stands at a point that the hub never gave it.");
    return e == ERR_OK ? step_time_find(h, (int64_t)(d->env.h.hlc >> 16), &d->sight_at, why) : e;
}

enum err rescue_cut(struct hub *h, struct draft *d, struct why *why)
{
    enum err e = cut_of(h, d->node, d->env.h.base_cut, &d->cut, why);
    for (size_t i = 0; e == ERR_REFUSED && i < d->line.n; i++)
        e = cut_get(h, d->line.no[i], d->env.h.base_cut, &d->cut, why);
    if (e == ERR_REFUSED && d->line.n > 0) e = cut_thinned(h, d, why);
    return e == ERR_REFUSED && d->env.h.epoch < h->epoch ? cut_before_loss(h, d, why) : e;
}

/* Did this chain bring the content, in the envelope itself or rescued before? A fault brought nothing. */
static enum err brought(struct hub *h, int64_t node_no, const uint8_t former[HASH_BYTES], bool *out, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db,
                            "SELECT 1 FROM h_envelope e WHERE e.node_no = $1 AND e.verdict <> $2 AND (e.hash = $3 OR "
                            "EXISTS(SELECT 1 FROM h_rescued r WHERE r.node_no = e.node_no AND r.seq = e.seq AND "
                            "r.former = $3)) LIMIT 1",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, node_no);
    db_bind_int(s, 2, VERDICT_FAULT);
    db_bind_blob(s, 3, bytes_of(former, HASH_BYTES));
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

enum err rescue_known(struct hub *h, const struct draft *d, bool *out, struct why *why)
{
    enum err e = ERR_OK;
    *out = false;
    if (!draft_rescued(d) || d->line.n == 0) return ERR_OK;
    e = brought(h, d->node->no, d->env.h.rescued, out, why);
    for (size_t i = 0; e == ERR_OK && !*out && i < d->kin.n; i++)
        e = brought(h, d->kin.no[i], d->env.h.rescued, out, why);
    return e;
}

/* A step of its own: what is judged by steps must not take it for one that wrote something. */
enum err rescue_skip(struct hub *h, struct judgement *j, struct why *why)
{
    *j = (struct judgement){.verdict = VERDICT_MERGED};
    enum err e = sight_step(h, why);
    return e == ERR_OK ? sight_settle(h, why) : e;
}

void rescue_hold(const struct draft *d, struct judgement *j)
{
    char also[sizeof j->reason];
    bool soft = j->verdict == VERDICT_HELD && !j->hard;
    if (!draft_rescued(d) || (j->verdict != VERDICT_APPLIED && !soft)) return;
    (void)snprintf(also, sizeof also, "%s", soft ? j->reason : "");
    j->verdict = VERDICT_HELD;
    (void)snprintf(
        j->reason, sizeof j->reason,
        "This was written on a device that had to be set up anew, and may be older than what stands here now. "
        "A manager decides whether it is taken in.%s%.150s",
        also[0] != '\0' ? " " : "", also);
}

enum err rescue_note(struct hub *h, const struct draft *d, struct why *why)
{
    struct stmt *s;
    if (!draft_rescued(d)) return ERR_OK;
    enum err e = db_prepare(h->db, "INSERT INTO h_rescued(node_no, seq, former) VALUES($1, $2, $3)", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, d->node->no);
    db_bind_int(s, 2, (int64_t)d->env.h.seq);
    db_bind_blob(s, 3, bytes_of(d->env.h.rescued, HASH_BYTES));
    return db_run(s, why);
}
