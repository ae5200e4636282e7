/* Acting upon an answer that was verified whole: drops in a transaction of their own, then everything else in one, then
 * the spool, the clean-up and the receipts. A crash between any two steps leaves the request pending: its answer is
 * fetched and taken again, and what was done stands. */
#include "node/wipe.h"

#include <string.h>

struct take {
    struct node *n;
    struct answer *a;
    struct round_result counts; /* of this answer */
    uint64_t judged;            /* envelopes that had no verdict before */
    uint64_t schema;            /* version of the pages: the store's when they were asked for */
    bool moved;                 /* the store was brought up to a later version */
    bool overlaid;              /* some row here has pending edits */
    bool ends_before;           /* some have an end that a hub told which was lost since */
    bool asked;                 /* both are known */
};

static void count_verdict(struct round_result *r, enum verdict v)
{
    switch (v) {
    case VERDICT_APPLIED: r->applied++; return;
    case VERDICT_MERGED: r->merged++; return;
    case VERDICT_HELD: r->held++; return;
    case VERDICT_WAITS: r->waits++; return;
    case VERDICT_FAULT: r->fault++; return;
    case VERDICT_DISMISSED: return; /* decided: it wants nobody any more */
    }
}

static enum err take_verdict(void *ctx, const struct verdict_item *v, struct why *why)
{
    struct take *t = ctx;
    bool first = false;
    enum err e = outbox_judge(t->n, v, &first, why);
    if (e != ERR_OK) return e;
    t->judged += first;
    t->counts.sent += first;
    count_verdict(&t->counts, v->verdict);
    return ERR_OK;
}

static bool is_new_conflict(const struct op *op)
{
    if (op->kind != OP_INSERT || strcmp(op->table->name, "conflict") != 0) return false;
    int state = rules_column_index(op->table, bytes_of_str("state"));
    return state >= 0 && op->new_[state].kind == VALUE_TEXT && bytes_equal(op->new_[state].s, bytes_of_str("open"));
}

static enum err take_part(struct take *t, struct bytes item, struct why *why)
{
    struct changeset_reader r;
    struct part part;
    struct op op;
    bool end = false;
    enum err e = message_get_part(item, &part, why);
    if (e == ERR_OK && !t->asked) { /* once all verdicts are in: pages come last */
        uint64_t images = 0, ends = 0;
        e = state_ask(t->n->db, "SELECT EXISTS(SELECT 1 FROM n_image)", &images, why);
        if (e == ERR_OK) e = state_ask(t->n->db, "SELECT EXISTS(SELECT 1 FROM n_end_before)", &ends, why);
        t->overlaid = images != 0;
        t->ends_before = ends != 0;
        t->asked = true;
    }
    if (e != ERR_OK) return e;
    changeset_reader_init(&r, part.content, t->schema);
    while ((e = changeset_next(&r, &op, &end, why)) == ERR_OK && !end) {
        e = overlay_page(t->n, &op, t->overlaid, why);
        if (e == ERR_OK && t->ends_before) e = ends_told(t->n, op.table_index, op_row_id(&op), why);
        if (e != ERR_OK) return e;
        t->counts.rows_in++;
        t->counts.conflicts_new += is_new_conflict(&op);
    }
    return e;
}

static enum err take_reply(struct take *t, struct bytes item, struct why *why)
{
    struct reply r;
    enum err e = message_get_reply(item, &t->n->hub, &r, why);
    return e == ERR_OK ? question_replied(t->n, &r, why) : e;
}

static enum err take_end(void *ctx, const struct end_item *end, struct why *why)
{
    struct take *t = ctx;
    return ends_take(t->n, end, why);
}

static enum err take_items(struct take *t, struct why *why)
{
    struct bytes item;
    bool end = false, shown = false;
    enum err e = ERR_OK;
    while (e == ERR_OK) {
        e = answer_next(t->a, &item, &end, why);
        if (e != ERR_OK || end) break;
        if (!shown) e = ends_show(t->n, why); /* verdicts, pages and ends find every row in its table */
        shown = true;
        if (e != ERR_OK) break;
        if (message_type(item) == MSG_VERDICTS)
            e = message_get_verdicts(item, &t->n->hub, t->n->self.pub.kid, t->a->hello.request, take_verdict, t, why);
        else if (message_type(item) == MSG_ENDS)
            e = message_get_ends(item, &t->n->hub, t->n->self.pub.kid, t->a->hello.request, take_end, t, why);
        else if (message_type(item) == MSG_REPLY)
            e = take_reply(t, item, why);
        else if (message_type(item) == MSG_PART)
            e = take_part(t, item, why);
    }
    return e == ERR_OK ? overlay_settle(t->n, why) : e;
}

static enum err note_answer(struct take *t, struct why *why)
{
    struct db *db = t->n->db;
    const struct hub_hello *h = &t->a->hello;
    const int64_t request[] = {(int64_t)h->request};
    int64_t now = env_now(t->n->env);
    enum err e = state_put(db, "cursor", bytes_of(h->cut, sizeof h->cut), why);
    if (e == ERR_OK) e = state_put(db, "last_answer", bytes_of(t->a->hash, sizeof t->a->hash), why);
    if (e == ERR_OK) e = state_set_number(db, "answered", h->request, why);
    if (e == ERR_OK) e = state_set_number(db, "pending", 0, why);
    if (e == ERR_OK) e = state_forget(db, "request", why);
    if (e == ERR_OK) e = state_set_number(db, "hub_ms", h->clock_ms, why);
    if (e == ERR_OK) e = state_set_number(db, "contact_ms", now < 0 ? 0 : (uint64_t)now, why);
    if (e == ERR_OK) e = state_set_number(db, "revoked", h->revoked, why);
    if (e == ERR_OK) e = state_set_number(db, "rows_held", t->a->room.held, why);
    if (e == ERR_OK) e = state_set_number(db, "rows_most", t->a->room.most, why);
    if (e == ERR_OK) e = state_set_number(db, "rows_stopped", t->a->room.stopped, why);
    if (e == ERR_OK) e = trust_keep(t->n, t->a, why);
    if (e == ERR_OK && !h->revoked) e = lease_renew(t->n, h->clock_ms, why);
    if (e == ERR_OK) e = note_take(t->n, t->a, why);
    if (e == ERR_OK && t->a->has_epoch_cut) return epoch_take(t->n, t->a, why);
    if (e == ERR_OK) e = views_answered(t->n, h->request, why);
    if (e == ERR_OK) e = state_run(db, "DELETE FROM n_receipt WHERE sent = $1", request, 1, why);
    if (e == ERR_OK) t->counts.receipts = (uint64_t)db_changes(db);
    return e;
}

/* What this device has not sent, no backup of the hub can have. */
static enum err check_covered(const struct take *t, struct why *why)
{
    uint64_t sent = 0;
    enum err e = state_number(t->n->db, "sent_seq", &sent, why);
    if (e != ERR_OK || t->a->hello.covered <= sent) return e;
    (void)why_set(why, ERR_TAMPERED,
                  "The MASH server says that its backup holds changes which this device never sent. Nothing was "
                  "changed here.");
    return why_next(why, ERR_TAMPERED, "Ask your MASH's administrator: it may be a copy of the server that answers.");
}

static enum err take_rest(struct take *t, struct why *why)
{
    enum err e = db_begin(t->n->db, why);
    if (e != ERR_OK) return e;
    e = state_migrate(t->n->db, t->a->hello.schema, &t->moved, why);
    if (e == ERR_OK) e = take_items(t, why);
    if (e == ERR_OK) e = outbox_covered(t->n, t->a->hello.covered, why);
    if (e == ERR_OK) e = note_answer(t, why);
    if (e == ERR_OK) e = ends_apply(t->n, why);
    if (e == ERR_OK) return db_commit(t->n->db, why);
    db_rollback(t->n->db);
    return e;
}

static void add_counts(struct round_result *out, const struct round_result *r)
{
    out->rounds++;
    out->rows_in += r->rows_in;
    out->sent += r->sent;
    out->applied += r->applied;
    out->merged += r->merged;
    out->held += r->held;
    out->waits += r->waits;
    out->fault += r->fault;
    out->receipts += r->receipts;
    out->conflicts_new += r->conflicts_new;
}

/* The hub took nothing in and sent nothing but orders to forget; its word for that is its version. */
static enum err too_old(struct node *n, struct why *why)
{
    uint64_t unsent = 0;
    int64_t oldest;
    enum err e = outbox_count(n, &unsent, &oldest, why);
    if (e != ERR_OK) return e;
    (void)why_set(why, ERR_VERSION,
                  "The Spoke on this device is too old for the MASH server. Nothing is lost: what you wrote (%llu %s) "
                  "is kept here and goes with the first contact after the update.",
                  (unsigned long long)unsent, unsent == 1 ? "change" : "changes");
    return why_next(why, ERR_VERSION, "Ask your administrator to update Spoke on this device.");
}

enum err take_answer(struct node *n, struct bytes in, struct round_result *out, struct taken *out_taken,
                     struct why *why)
{
    struct answer a;
    struct take t = {.n = n, .a = &a, .schema = db_schema(n->db)};
    enum err e = answer_verify(n, in, &a, why);
    if (e != ERR_OK && a.distrust != NULL) e = trust_end(n, &a, why);
    if (e == ERR_OK) e = replica_bring_up(n->db, why); /* a file may come without a request from here */
    if (e == ERR_OK) e = check_covered(&t, why);
    if (e == ERR_OK) e = orders_carry_out(n, &a, why); /* first, and for themselves: no row here may hold them up */
    if (e == ERR_OK) e = drops_carry_out(n, &a, out, why);
    if (e == ERR_OK) e = take_rest(&t, why);
    if (e == ERR_OK) {
        n->epoch = a.hello.epoch;
        add_counts(out, &t.counts);
        out->revoked = a.hello.revoked;
        *out_taken = (struct taken){.more = a.hello.more || t.moved, .revoked = a.hello.revoked, .judged = t.judged, .waits = a.has_epoch_cut};
        e = spool_drop_answer(n, why); /* before any receipt: the answer named the rows */
    }
    if (e == ERR_OK) e = drops_confirm(n, why);
    if (e == ERR_OK && !a.hello.revoked && a.hello.schema > db_schema(n->db) + RULES_SCHEMA_BEHIND) e = too_old(n, why);
    answer_release(&a);
    return e;
}
