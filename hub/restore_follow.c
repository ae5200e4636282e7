/* What a lost hub had taken in, and what is held at this one because a row that it builds on was not here when it came
 * back: it follows when that row comes, whichever way it comes. A share that was withdrawn must not stand until
 * somebody looks at held work. */
#include "hub/draft.h"
#include "hub/restore_internal.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------------ what is not here */

/* One row that it cannot do without, and that is nowhere: until that comes there is nothing to try. What was noted
 * before of it, or nothing, stands otherwise: no note is a reason to try. */
enum err restore_lacks(struct hub *h, int64_t node_no, uint64_t seq, const struct judgement *j, struct why *why)
{
    struct stmt *s;
    if (!j->lacks) return ERR_OK;
    enum err e = db_prepare(h->db,
                            "INSERT INTO h_lack(node_no, seq, tbl, id) VALUES($1, $2, $3, $4) ON CONFLICT(node_no, seq) DO UPDATE SET "
                            "tbl = excluded.tbl, id = excluded.id",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, node_no);
    db_bind_int(s, 2, (int64_t)seq);
    db_bind_int(s, 3, j->lacks_table);
    db_bind_id(s, 4, j->lacks_id);
    return db_run(s, why);
}

/* ----------------------------------------------------------------------------------------------------- who follows */

/* A place in the order in which the lost hub had taken it in, as far as that is known. */
struct taken {
    int64_t node_no, seq;
};
struct all_taken {
    struct taken *v; /* owned */
    size_t n, cap;
};

static enum err put_taken(struct all_taken *l, struct taken t, struct why *why)
{
    if (l->n == l->cap) {
        size_t cap = l->cap == 0 ? 64 : l->cap * 2;
        struct taken *grown = reallocarray(l->v, cap, sizeof *grown);
        if (grown == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to look at held changes.");
        l->v = grown;
        l->cap = cap;
    }
    l->v[l->n++] = t;
    return ERR_OK;
}

/* All that is held as taken in and for which there may be something to build on now, in the old order. */
static enum err list_taken(struct hub *h, struct all_taken *out, struct why *why)
{
    struct stmt *s;
    bool row = true;
    out->n = 0;
    enum err e = db_prepare(h->db,
                            "SELECT x.node_no, x.seq FROM h_held x JOIN h_envelope v ON v.node_no = x.node_no AND v.seq = x.seq "
                            "WHERE x.state = 'waiting' AND x.fault = 0 AND v.reason LIKE '" REASON_TAKEN "%' AND NOT EXISTS(SELECT 1 "
                            "FROM h_lack l WHERE l.node_no = x.node_no AND l.seq = x.seq AND NOT EXISTS(SELECT 1 FROM h_row r WHERE "
                            "r.id = l.id AND r.tbl = l.tbl AND r.gone = 0) AND NOT EXISTS(SELECT 1 FROM h_case k WHERE k.id = l.id)) "
                            "ORDER BY v.version, x.node_no, x.seq",
                            &s, why);
    if (e != ERR_OK) return e;
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        e = put_taken(out, (struct taken){.node_no = db_int(s, 0), .seq = db_int(s, 1)}, why);
        if (e != ERR_OK) break;
    }
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

/* One that cannot be carried out waits as before, for the reason that it had. *out_done stays false also where what
 * came before it in the list has seen to it. */
static enum err take_now(struct hub *h, const struct taken *at, bool *out_done, struct why *why)
{
    struct again_before before;
    struct hub_node unused = {0};
    struct judgement j = {0};
    struct why detail = {0};
    bool held = false;
    enum err e = is_held(h, at, &held, why);
    if (e != ERR_OK || !held) return e;
    e = again_begin(h, &unused, &before, why);
    if (e != ERR_OK) return e;
    enum err tried = intake_try(h, at->node_no, (uint64_t)at->seq, &j, &detail);
    if (tried == ERR_OK && j.verdict != VERDICT_APPLIED) tried = ERR_REFUSED;
    if (tried == ERR_OK) tried = intake_decide(h, at->node_no, (uint64_t)at->seq, true, &detail);
    if (tried == ERR_OK) tried = is_held(h, at, &held, &detail);
    if (tried == ERR_OK && held) tried = ERR_REFUSED;
    e = again_after(h, tried, &before, &unused, &detail, out_done, why);
    return e == ERR_OK && !*out_done ? restore_lacks(h, at->node_no, (uint64_t)at->seq, &j, why) : e;
}

/* In the old order; again from the beginning for as long as one of them made room for another. */
static enum err take_all(struct hub *h, struct why *why)
{
    struct all_taken l = {0};
    bool any = true;
    enum err e = ERR_OK;
    while (e == ERR_OK && any) {
        any = false;
        e = list_taken(h, &l, why);
        for (size_t i = 0; e == ERR_OK && i < l.n; i++) {
            bool done = false;
            e = take_now(h, &l.v[i], &done, why);
            any = any || done;
        }
    }
    free(l.v);
    return e;
}

void restore_came(struct hub *h)
{
    if (h->mark != 0 && !h->gathering) h->follows = true; /* else it was never put back, or all is looked at before it opens */
}

enum err restore_follow(struct hub *h, struct why *why)
{
    const bool replaying = h->replaying;
    if (h->mark == 0 && !h->gathering) return ERR_OK; /* it was never put back */
    h->replaying = true;
    enum err e = take_all(h, why);
    if (e == ERR_OK)
        e = db_exec(h->db,
                    "DELETE FROM h_lack WHERE NOT EXISTS(SELECT 1 FROM h_held x WHERE x.node_no = h_lack.node_no AND x.seq = "
                    "h_lack.seq AND x.state = 'waiting')",
                    why);
    h->replaying = replaying;
    if (e == ERR_OK) h->follows = false;
    return e;
}

enum err restore_follow_due(struct hub *h, struct why *why)
{
    return h->follows ? restore_follow(h, why) : ERR_OK;
}

/* ----------------------------------------------------------------------------------------------- known as taken in */

static enum err reason_like(struct hub *h, int64_t node_no, uint64_t seq, const char *like, bool *out, struct why *why)
{
    struct stmt *s;
    *out = false;
    if (h->mark == 0 && !h->gathering) return ERR_OK;
    enum err e = db_prepare(h->db, "SELECT 1 FROM h_envelope WHERE node_no = $1 AND seq = $2 AND reason LIKE $3", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, node_no);
    db_bind_int(s, 2, (int64_t)seq);
    db_bind_str(s, 3, like);
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

enum err restore_was_taken(struct hub *h, int64_t node_no, uint64_t seq, bool *out, struct why *why)
{
    return reason_like(h, node_no, seq, REASON_TAKEN "%", out, why);
}

enum err restore_stays(struct hub *h, int64_t node_no, uint64_t seq, bool *out, struct why *why)
{
    return reason_like(h, node_no, seq, REASON_LACKS "%", out, why);
}

enum err restore_mark_taken(struct hub *h, int64_t node_no, uint64_t seq, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db,
                            "UPDATE h_envelope SET reason = '" REASON_LACKS "' || coalesce(reason, '') WHERE node_no = $1 AND seq = $2 AND "
                            "coalesce(reason, '') NOT LIKE '" REASON_TAKEN "%'",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, node_no);
    db_bind_int(s, 2, (int64_t)seq);
    return db_run(s, why);
}
