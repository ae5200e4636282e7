/* What a lost hub had taken in, and what is held at this one because a row that it builds on was not here when it came
 * back: it follows when that row comes, whichever way it comes. A share that was withdrawn must not stand until
 * somebody looks at held work. */
#include "hub/intake.h"
#include "hub/restore_internal.h"

#include <stdio.h>
#include <string.h>

/* Is somebody not here of whom the lost hub may have taken in work since the backup? Whoever was cut off in it already
 * told nothing. */
enum err restore_missing(struct hub *h, bool *out, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db,
                            "SELECT 1 FROM h_awaited a JOIN h_node n ON n.no = a.node_no WHERE a.state NOT IN ('reported', 'applied') "
                            "AND (n.state IN ('enrolled', 'waiting') OR EXISTS(SELECT 1 FROM h_act WHERE act = 'revoke' AND at >= "
                            "(SELECT max(at) FROM h_epoch))) LIMIT 1",
                            &s, why);
    if (e != ERR_OK) return e;
    *out = false;
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

/* A place in the order in which the lost hub had taken it in, as far as that is known. */
struct taken {
    int64_t version, node_no, seq;
};

static enum err next_taken(struct hub *h, struct taken *at, bool *out_found, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db,
                            "SELECT v.version, x.node_no, x.seq FROM h_held x JOIN h_envelope v ON v.node_no = x.node_no AND v.seq = x.seq "
                            "WHERE x.state = 'waiting' AND x.fault = 0 AND v.reason LIKE '" REASON_TAKEN "%' AND "
                            "(v.version, x.node_no, x.seq) > ($1, $2, $3) ORDER BY v.version, x.node_no, x.seq LIMIT 1",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, at->version);
    db_bind_int(s, 2, at->node_no);
    db_bind_int(s, 3, at->seq);
    e = db_step(s, out_found, why);
    if (e == ERR_OK && *out_found)
        *at = (struct taken){.version = db_int(s, 0), .node_no = db_int(s, 1), .seq = db_int(s, 2)};
    db_done(s);
    return e;
}

static enum err is_held(struct hub *h, const struct taken *at, bool *out, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, "SELECT 1 FROM h_envelope WHERE node_no = $1 AND seq = $2 AND verdict = $3", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, at->node_no);
    db_bind_int(s, 2, at->seq);
    db_bind_int(s, 3, VERDICT_HELD);
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

/* One that cannot be carried out waits as before, for the reason that it had. */
static enum err take_now(struct hub *h, const struct taken *at, bool *out_done, struct why *why)
{
    struct again_before before;
    struct hub_node unused = {0};
    struct why detail = {0};
    bool held = false;
    enum err e = again_begin(h, &unused, &before, why);
    if (e != ERR_OK) return e;
    enum err tried = intake_decide(h, at->node_no, (uint64_t)at->seq, true, &detail);
    if (tried == ERR_OK) tried = is_held(h, at, &held, &detail);
    if (tried == ERR_OK && held) tried = ERR_REFUSED;
    return again_after(h, tried, &before, &unused, &detail, out_done, why);
}

/* In the old order; again from the beginning for as long as one of them made room for another. */
static enum err take_all(struct hub *h, struct why *why)
{
    bool any = true;
    enum err e = ERR_OK;
    while (e == ERR_OK && any) {
        struct taken at = {.version = -1};
        bool found = true;
        any = false;
        while (e == ERR_OK) {
            bool done = false;
            e = next_taken(h, &at, &found, why);
            if (e != ERR_OK || !found) break;
            e = take_now(h, &at, &done, why);
            any = any || done;
        }
    }
    return e;
}

enum err restore_follow(struct hub *h, struct why *why)
{
    const bool replaying = h->replaying, partial = h->partial;
    struct taken first = {.version = -1};
    bool found = false;
    if (h->mark == 0 && !h->gathering) return ERR_OK; /* it was never put back */
    enum err e = next_taken(h, &first, &found, why);
    if (e != ERR_OK || !found) return e;
    if (!replaying) e = restore_missing(h, &h->partial, why);
    h->replaying = true;
    if (e == ERR_OK) e = take_all(h, why);
    h->replaying = replaying;
    h->partial = partial;
    return e;
}

enum err restore_was_taken(struct hub *h, int64_t node_no, uint64_t seq, bool *out, struct why *why)
{
    struct stmt *s;
    *out = false;
    if (h->mark == 0 && !h->gathering) return ERR_OK;
    enum err e = db_prepare(
        h->db, "SELECT 1 FROM h_envelope WHERE node_no = $1 AND seq = $2 AND reason LIKE '" REASON_TAKEN "%'", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, node_no);
    db_bind_int(s, 2, (int64_t)seq);
    e = db_step(s, out, why);
    db_done(s);
    return e;
}
