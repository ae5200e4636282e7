/* When the MASH server was put back from a backup (hub/DISASTER.md): its statement is checked, then this device returns
 * what it keeps for it, in rounds: the notes that came with answers, its own envelopes with their content, and which
 * rows it holds. */
#include "node/internal.h"

#include "sync/messages_return.h"

#include <stdlib.h>
#include <string.h>

/* Where returning stands: a stage, and how far it is in it. In the store as it is: nobody else reads it. */
enum stage { STAGE_NONE, STAGE_NOTES, STAGE_ENVELOPES, STAGE_ROWS, STAGE_END };
struct place {
    int64_t set;          /* 1: there is one */
    int64_t stage, chain; /* chain: the last envelope that the hub has */
    int64_t after;        /* number of the note or envelope that was returned last; index of a table */
    uint8_t id[16];       /* of the row in it */
};
#define ROWS_AT_ONCE 5000u

static enum err get_place(struct node *n, const char *name, struct place *out, struct why *why)
{
    return state_fixed(n->db, name, (uint8_t *)out, sizeof *out, why);
}

static enum err put_place(struct node *n, const char *name, const struct place *p, struct why *why)
{
    return state_put(n->db, name, bytes_of(p, sizeof *p), why);
}

/* ---------------------------------------------------------------------------------------------------- the statement */

static enum err wrong(struct why *why)
{
    (void)why_set(
        why, ERR_TAMPERED,
        "The MASH server says that it was put back from a backup, and cannot prove it. Nothing was changed here.");
    return why_next(why, ERR_TAMPERED,
                    "Ask your MASH's administrator, by a number that you know: another server may be answering.");
}

enum err epoch_check(struct node *n, struct bytes item, struct answer *a, struct why *why)
{
    struct epoch_statement m;
    struct why detail = {0};
    enum err e = message_get_epoch(item, n->recovery_pk, &m, &a->epoch_chain, &detail);
    if (e == ERR_NOMEM) return why_set(why, e, "%s", detail.text);
    if (e != ERR_OK || memcmp(m.hub, n->hub.kid, KID_BYTES) != 0 || memcmp(m.device, n->self.pub.kid, KID_BYTES) != 0 ||
        m.epoch != a->hello.epoch || m.epoch < n->epoch || a->has_epoch_cut)
        return wrong(why);
    a->has_epoch_cut = true;
    a->epoch_cut.size = m.size;
    memcpy(a->epoch_cut.root, m.root, sizeof a->epoch_cut.root);
    buf_init(&a->statement, 1u << 16);
    buf_put_bytes(&a->statement, item);
    return a->statement.err == ERR_OK ? ERR_OK
                                      : why_set(why, a->statement.err, "There is not enough memory for this answer.");
}

enum err epoch_check_end(struct node *n, const struct answer *a, const uint8_t cut[CUT_BYTES], bool paged,
                         struct why *why)
{
    if (!a->has_epoch_cut) {
        if (a->hello.epoch == n->epoch) return ERR_OK;
        (void)why_set(why, ERR_REFUSED,
                      "The MASH server was put back from a backup since this device last heard from it. "
                      "Nothing was changed here.");
        return why_next(why, ERR_REFUSED, "Ask the MASH's administrator how this device is to join again.");
    }
    /* With a statement nothing is judged or shown: such an answer has no proof of the log. */
    bool bare = !paged && a->n_drops == 0 && seqs_count(&a->judged) == 0;
    return bare && memcmp(a->hello.cut, cut, CUT_BYTES) == 0 ? ERR_OK : wrong(why);
}

/* What the request held was not heard: it goes again. */
static enum err unheard(struct node *n, uint64_t request, struct why *why)
{
    const int64_t args[] = {(int64_t)request};
    enum err e = state_run(n->db, "UPDATE n_view SET request = 0 WHERE request = $1", args, 1, why);
    return e == ERR_OK ? state_run(n->db, "UPDATE n_receipt SET sent = 0 WHERE sent = $1", args, 1, why) : e;
}

enum err epoch_take(struct node *n, const struct answer *a, struct why *why)
{
    struct place p = {.set = 1, .stage = STAGE_NOTES, .chain = (int64_t)a->epoch_chain};
    enum err e = unheard(n, a->hello.request, why);
    if (e != ERR_OK) return e;
    if (a->hello.epoch == n->epoch) { /* it waits for others, or for more from here */
        e = get_place(n, "return_next", &p, why);
        if (e == ERR_OK && p.set) e = put_place(n, "return_at", &p, why);
        return e == ERR_OK ? state_forget(n->db, "return_next", why) : e;
    }
    e = state_set_number(n->db, "epoch", a->hello.epoch, why);
    if (e == ERR_OK) e = ends_epoch(n, why);
    if (e == ERR_OK) e = put_place(n, "return_at", &p, why);
    if (e == ERR_OK) e = state_forget(n->db, "return_next", why);
    if (e == ERR_OK) e = trust_cut(n, a->hello.epoch, &a->epoch_cut, buf_bytes(&a->statement), why);
    return e == ERR_OK
               ? people_audit(n->db, env_now(n->env), n->user, NULL, "the MASH server was put back from a backup", why)
               : e;
}

/* ------------------------------------------------------------------------------------------------------------ notes */

enum err note_check(struct bytes item, struct answer *a, struct why *why)
{
    struct note_item m;
    enum err e = message_get_note(item, &m, why);
    if (e != ERR_OK) return e;
    if (a->note.len > 0 || m.request != a->hello.request)
        return why_set(why, ERR_FORMAT,
                       "This answer cannot be used: its note is not its own. Nothing was changed here.");
    buf_init(&a->note, NOTE_SEALED_MAX + 64);
    buf_put_bytes(&a->note, item);
    return a->note.err == ERR_OK ? ERR_OK : why_set(why, a->note.err, "There is not enough memory for this answer.");
}

enum err note_take(struct node *n, const struct answer *a, struct why *why)
{
    struct note_item m;
    struct stmt *s = NULL;
    if (a->note.len == 0) return ERR_OK;
    enum err e = message_get_note(buf_bytes(&a->note), &m, why);
    if (e == ERR_OK)
        e = db_prepare(n->db, "INSERT INTO n_note(request, note) VALUES($1, $2) ON CONFLICT DO NOTHING", &s, why);
    if (e != ERR_OK) return e;
    const int64_t covered[] = {(int64_t)m.covered};
    db_bind_int(s, 1, (int64_t)m.request);
    db_bind_blob(s, 2, m.note);
    e = db_run(s, why);
    return e == ERR_OK ? state_run(n->db, "DELETE FROM n_note WHERE request <= $1", covered, 1, why) : e;
}

/* -------------------------------------------------------------------------------------------------------- returning */

struct returning {
    struct node *n;
    struct bundle_writer *w;
    struct place at;
    size_t left; /* bytes of this request */
    bool full;
};

static enum err put(struct returning *r, const char *origin, struct buf *item, struct why *why)
{
    if (item->err != ERR_OK) return why_set(why, item->err, "There is not enough memory for this request.");
    r->left = item->len < r->left ? r->left - item->len : 0;
    r->full = r->left == 0;
    enum err e = bundle_put(r->w, origin, buf_bytes(item), why);
    buf_reset(item);
    return e;
}

static enum err put_notes(struct returning *r, struct buf *item, struct why *why)
{
    struct stmt *s = NULL;
    bool row = true;
    enum err e = db_prepare(r->n->db, "SELECT request, note FROM n_note WHERE request > $1 ORDER BY request", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, r->at.after);
    while (!r->full && (e = db_step(s, &row, why)) == ERR_OK && row) {
        const struct note_item m = {.request = (uint64_t)db_int(s, 0), .note = db_bytes(s, 1)};
        message_put_note(item, &m);
        r->at.after = db_int(s, 0);
        e = put(r, "", item, why);
        if (e != ERR_OK) break;
    }
    db_done(s);
    return e;
}

/* What was judged, in the form in which it is kept here. A gap that is still to be sent was not: in front of unsent
 * work that stands before it, it would end the chain. */
static enum err put_envelopes(struct returning *r, struct buf *item, struct why *why)
{
    struct stmt *s = NULL;
    bool row = true;
    enum err e =
        db_prepare(r->n->db,
                   "SELECT o.seq, o.cose, c.item, o.sealed FROM n_outbox o LEFT JOIN n_content c ON c.seq = o.seq "
                   "WHERE o.seq > $1 AND o.seq > $2 AND o.state <> 'unsent' AND NOT EXISTS(SELECT 1 FROM n_gap g "
                   "WHERE g.seq = o.seq) ORDER BY o.seq",
                   &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, r->at.after);
    db_bind_int(s, 2, r->at.chain);
    while (!r->full && (e = db_step(s, &row, why)) == ERR_OK && row) {
        struct return_item m = {.cose = db_bytes(s, 1), .kind = RETURN_NONE};
        if (db_bytes(s, 2).n > 0)
            m = (struct return_item){.cose = m.cose, .kind = RETURN_PLAIN, .body = db_bytes(s, 2)};
        else if (db_bytes(s, 3).n > 0)
            m = (struct return_item){.cose = m.cose, .kind = RETURN_SEALED, .body = db_bytes(s, 3)};
        message_put_return(item, &m);
        r->at.after = db_int(s, 0);
        e = put(r, r->n->agency, item, why);
        if (e != ERR_OK) break;
    }
    db_done(s);
    return e;
}

/* Rows of one table, those that stand aside too; not what was written here and never sent. */
static enum err rows_of(struct returning *r, const struct table_rule *t, struct drop_item *v, size_t *out_n,
                        struct why *why)
{
    struct stmt *s = NULL;
    struct buf sql;
    bool row = true;
    *out_n = 0;
    buf_init(&sql, 1024);
    buf_printf(
        &sql,
        "SELECT id FROM (SELECT id FROM \"%s\" UNION SELECT id FROM n_hidden WHERE tbl = $1) x WHERE id > $2 AND NOT EXISTS(SELECT 1 "
        "FROM n_image i WHERE i.id = x.id AND i.tbl = $1 AND i.image IS NULL) ORDER BY id LIMIT $3",
        t->name);
    const char *text = buf_cstr(&sql);
    enum err e = text == NULL ? why_set(why, ERR_NOMEM, "There is not enough memory for this request.")
                              : db_prepare(r->n->db, text, &s, why);
    if (e == ERR_OK) {
        db_bind_int(s, 1, r->at.after);
        db_bind_blob(s, 2, bytes_of(r->at.id, sizeof r->at.id));
        db_bind_int(s, 3, ROWS_AT_ONCE);
        while ((e = db_step(s, &row, why)) == ERR_OK && row) {
            v[*out_n].table_index = (int)r->at.after;
            if (db_id(s, 0, v[*out_n].id)) ++*out_n;
        }
        db_done(s);
    }
    buf_release(&sql);
    return e;
}

static enum err put_rows(struct returning *r, struct buf *item, struct why *why)
{
    struct drop_item *v = calloc(ROWS_AT_ONCE, sizeof *v);
    const struct table_rule *t;
    size_t n = 0;
    enum err e = v == NULL ? why_set(why, ERR_NOMEM, "There is not enough memory for this request.") : ERR_OK;
    while (e == ERR_OK && !r->full && (t = rules_table((size_t)r->at.after)) != NULL) {
        e = rows_of(r, t, v, &n, why);
        if (e == ERR_OK && n > 0) {
            message_put_holds(item, v, n);
            memcpy(r->at.id, v[n - 1].id, sizeof r->at.id);
            e = put(r, "", item, why);
        }
        if (e == ERR_OK && n < ROWS_AT_ONCE) {
            r->at.after++;
            memset(r->at.id, 0, sizeof r->at.id);
        }
    }
    free(v);
    return e;
}

static enum err put_stage(struct returning *r, struct buf *item, struct why *why)
{
    enum err e = ERR_OK;
    switch ((enum stage)r->at.stage) {
    case STAGE_NOTES: e = put_notes(r, item, why); break;
    case STAGE_ENVELOPES: e = put_envelopes(r, item, why); break;
    case STAGE_ROWS: e = put_rows(r, item, why); break;
    case STAGE_END:
        message_put_returned(item);
        e = put(r, "", item, why);
        break;
    case STAGE_NONE: break;
    }
    if (e != ERR_OK || (r->full && r->at.stage != STAGE_END)) return e;
    r->at.stage = r->at.stage == STAGE_END ? STAGE_NONE : r->at.stage + 1;
    r->at.after = 0;
    memset(r->at.id, 0, sizeof r->at.id);
    return ERR_OK;
}

enum err return_due(struct node *n, bool *out, struct why *why)
{
    struct place p;
    enum err e = get_place(n, "return_at", &p, why);
    if (e == ERR_OK) *out = p.stage != STAGE_NONE;
    return e;
}

enum err return_put(struct node *n, struct bundle_writer *w, size_t most, struct buf *out_next, struct why *why)
{
    struct returning r = {.n = n, .w = w, .left = most};
    struct buf item;
    buf_init(&item, BUNDLE_MAX_ITEM);
    enum err e = get_place(n, "return_at", &r.at, why);
    while (e == ERR_OK && !r.full && r.at.stage != STAGE_NONE) e = put_stage(&r, &item, why);
    buf_put(out_next, &r.at, sizeof r.at);
    if (e == ERR_OK && out_next->err != ERR_OK)
        e = why_set(why, ERR_NOMEM, "There is not enough memory for this request.");
    buf_release(&item);
    return e;
}

enum err return_sent(struct node *n, const struct buf *next, struct why *why)
{
    return next->len == 0 ? ERR_OK : state_put(n->db, "return_next", buf_bytes(next), why);
}
