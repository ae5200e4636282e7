/* Taking away: rows are forgotten in a transaction of their own; then the file is rewritten, so that no free page keeps
 * them, and the log cut; then and only then a receipt is signed. What is remembered of an order is its number, hash and
 * count, never which rows: a crash at any point leaves enough to finish, and nothing of the rows. */
#include "node/search.h"

#include <stdio.h>
#include <string.h>

static enum err is_carried_out(struct node *n, uint64_t request, bool *out, struct why *why)
{
    struct stmt *s = NULL;
    enum err e = db_prepare(n->db, "SELECT 1 FROM n_order WHERE request = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, (int64_t)request);
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

static enum err note_order(struct node *n, const struct answer *a, struct why *why)
{
    struct stmt *s = NULL;
    enum err e = db_prepare(n->db, "INSERT INTO n_order(request, hash, rows, stage) VALUES($1, $2, $3, 0)", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, (int64_t)a->hello.request);
    db_bind_blob(s, 2, bytes_of(a->drops_hash, sizeof a->drops_hash));
    db_bind_int(s, 3, (int64_t)a->n_drops);
    return db_run(s, why);
}

/* That it was done, and how much of it: by whose wish it was stands at the hub. */
static enum err audit(struct node *n, size_t rows, struct why *why)
{
    char what[80];
    struct stmt *s = NULL;
    enum err e = db_prepare(n->db, "INSERT INTO n_audit(at, what) VALUES($1, $2)", &s, why);
    if (e != ERR_OK) return e;
    (void)snprintf(what, sizeof what, "forgot what was taken away: %zu %s", rows, rows == 1 ? "entry" : "entries");
    db_bind_int(s, 1, env_now(n->env));
    db_bind_str(s, 2, what);
    return db_run(s, why);
}

/* The audit keeps what was done, not in which case. */
static enum err forget_case(struct node *n, const uint8_t id[16], struct why *why)
{
    static const char *const sql[] = {"DELETE FROM n_touched WHERE case_id = $1",
                                      "UPDATE n_look SET case_id = NULL WHERE case_id = $1"};
    enum err e = ERR_OK;
    for (size_t i = 0; i < 2 && e == ERR_OK; i++) {
        struct stmt *s = NULL;
        e = db_prepare(n->db, sql[i], &s, why);
        if (e != ERR_OK) break;
        db_bind_id(s, 1, id);
        e = db_run(s, why);
    }
    return e;
}

static enum err carry_out(struct node *n, const struct answer *a, struct why *why)
{
    int case_file = rules_table_index(bytes_of_str("case_file"));
    enum err e = db_begin(n->db, why);
    if (e != ERR_OK) return e;
    e = parked_note(n, a, why);
    if (e == ERR_OK) e = question_forget(n, a, why);
    if (e == ERR_OK) e = once_forget(n, why);
    for (size_t i = 0; e == ERR_OK && i < a->n_drops; i++) {
        struct drop_item d;
        memcpy(&d, a->drops.data + i * sizeof d, sizeof d);
        e = overlay_forget(n, d.table_index, d.id, why);
        if (e == ERR_OK && d.table_index == case_file) e = forget_case(n, d.id, why);
    }
    if (e == ERR_OK) e = note_order(n, a, why);
    if (e == ERR_OK) e = audit(n, a->n_drops, why);
    if (e == ERR_OK) return db_commit(n->db, why);
    db_rollback(n->db);
    return e;
}

enum err drops_carry_out(struct node *n, const struct answer *a, struct round_result *out, struct why *why)
{
    bool before = false;
    if (a->n_drops == 0) return ERR_OK;
    /* Carried out before a crash: what was written since under such an id is the person's and stays. */
    enum err e = is_carried_out(n, a->hello.request, &before, why);
    if (e != ERR_OK || before) return e;
    /* Unsent work that rotted stands in the overlay only, which goes with the rows: so it is written again before
     * that. */
    e = gap_look_but(n, &a->judged, why);
    if (e == ERR_OK) e = carry_out(n, a, why);
    if (e == ERR_TAMPERED) { /* own words that rotted must not keep others' from being taken away */
        e = aside_run(n, why);
        if (e == ERR_OK) e = carry_out(n, a, why);
    }
    if (e == ERR_OK) out->rows_dropped += a->n_drops;
    return e;
}

/* An order whose answer was taken and which has no receipt yet; or whose parked envelopes are all judged. */
#define UNJUDGED                                                                                                       \
    "(SELECT count(*) FROM n_parked p JOIN n_outbox b ON b.seq = p.seq "                                               \
    "WHERE p.request = o.request AND b.state = 'unsent')"
#define DUE                                                                                                            \
    "(stage = 0 AND request <= coalesce((SELECT value FROM n_number WHERE name = 'answered'), 0)) OR "                 \
    "(stage = 1 AND " UNJUDGED " = 0)"

struct due {
    struct receipt receipt;
    bool found;
};

static enum err next_due(struct node *n, struct due *out, struct why *why)
{
    struct stmt *s = NULL;
    int64_t now = env_now(n->env);
    enum err e = db_prepare(
        n->db, "SELECT request, hash, rows, stage, " UNJUDGED " FROM n_order o WHERE " DUE " ORDER BY request LIMIT 1",
        &s, why);
    if (e == ERR_OK) e = db_step(s, &out->found, why);
    if (e == ERR_OK && out->found) {
        struct receipt *r = &out->receipt;
        struct bytes hash = db_bytes(s, 1);
        *r = (struct receipt){.request = (uint64_t)db_int(s, 0),
                              .rows = (uint64_t)db_int(s, 2),
                              .kind = db_int(s, 3) == 0 ? 1 : 2,
                              .parked = (uint64_t)db_int(s, 4),
                              .done_ms = now < 0 ? 0 : (uint64_t)now};
        memcpy(r->node, n->self.pub.kid, KID_BYTES);
        if (hash.n == sizeof r->drops_hash)
            memcpy(r->drops_hash, hash.p, hash.n);
        else
            e = why_set(why, ERR_TAMPERED, "What this device notes of an order to forget is damaged.");
    }
    db_done(s);
    return e;
}

static enum err queue(struct node *n, const struct receipt *r, struct why *why)
{
    struct stmt *s = NULL;
    struct buf item;
    buf_init(&item, 1u << 16);
    enum err e = message_put_receipt(&item, &n->self, r, why);
    if (e == ERR_OK)
        e = db_prepare(n->db, "INSERT OR REPLACE INTO n_receipt(request, kind, item) VALUES($1, $2, $3)", &s, why);
    if (e == ERR_OK) {
        db_bind_int(s, 1, (int64_t)r->request);
        db_bind_int(s, 2, (int64_t)r->kind);
        db_bind_blob(s, 3, buf_bytes(&item));
        e = db_run(s, why);
    }
    buf_release(&item);
    return e;
}

/* Receipt 1 with nothing parked, or receipt 2, is the last word on an order. */
static enum err advance(struct node *n, const struct receipt *r, struct why *why)
{
    const int64_t args[] = {(int64_t)r->request};
    if (r->kind == 1 && r->parked > 0)
        return state_run(n->db, "UPDATE n_order SET stage = 1 WHERE request = $1", args, 1, why);
    enum err e = state_run(n->db, "DELETE FROM n_parked WHERE request = $1", args, 1, why);
    return e == ERR_OK ? state_run(n->db, "DELETE FROM n_order WHERE request = $1", args, 1, why) : e;
}

static enum err sign_all(struct node *n, struct why *why)
{
    struct due d = {.found = true};
    enum err e = db_begin(n->db, why);
    if (e != ERR_OK) return e;
    while (e == ERR_OK) {
        e = next_due(n, &d, why);
        if (e != ERR_OK || !d.found) break;
        e = queue(n, &d.receipt, why);
        if (e == ERR_OK) e = advance(n, &d.receipt, why);
    }
    if (e == ERR_OK) return db_commit(n->db, why);
    db_rollback(n->db);
    return e;
}

enum err drops_confirm(struct node *n, struct why *why)
{
    uint64_t due = 0, pending = 0;
    enum err e = state_ask(n->db, "SELECT count(*) FROM n_order o WHERE " DUE, &due, why);
    if (e != ERR_OK || due == 0) return e;
    e = state_number(n->db, "pending", &pending, why);
    if (e == ERR_OK && pending == 0) /* else the spool is that of a later request, which was made in a cleared one */
        e = spool_drop_answer(n, why);
    if (e == ERR_OK) e = search_forget(n, why);
    if (e == ERR_OK) e = content_purge_due(n, PURGE_STORE, why); /* with what was sealed, and what cannot be read */
    if (e == ERR_OK) e = purge_run(n, why);
    return e == ERR_OK ? sign_all(n, why) : e;
}
