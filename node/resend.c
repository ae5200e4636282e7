/* Work that was not accepted, at its author's: read again, sent again with other values, or let go. */
#include "node/internal.h"

#include "crypto/hash.h"

#include <stdlib.h>
#include <string.h>

struct text {
    struct node *n;
    struct buf item;
    struct part *parts; /* owned; contents borrow from item */
    size_t n_parts;
    struct envelope env;
    uint8_t hash[HASH_BYTES];
};

static void text_release(struct text *k)
{
    buf_release(&k->item);
    free(k->parts);
}

static enum err gone(struct why *why)
{
    (void)why_set(why, ERR_NOTFOUND, "The text of this change is not kept on this device any more.");
    return why_next(why, ERR_NOTFOUND, "spoke outbox list shows what became of it.");
}

static enum err text_open(struct text *k, struct node *n, uint64_t seq, struct why *why)
{
    struct bytes cose;
    bool found = false;
    *k = (struct text){.n = n, .parts = calloc(ENVELOPE_MAX_PARTS, sizeof *k->parts)};
    buf_init(&k->item, CONTENT_MAX_ITEM);
    if (k->parts == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to read this change.");
    enum err e = content_get(n, seq, &k->item, &found, why);
    if (e == ERR_OK && !found) e = gone(why);
    if (e == ERR_OK)
        e = message_get_envelope(buf_bytes(&k->item), &cose, k->parts, ENVELOPE_MAX_PARTS, &k->n_parts, why);
    if (e == ERR_OK) e = envelope_verify(cose, &n->self.pub, &k->env, why);
    if (e == ERR_OK) envelope_hash(cose, k->hash);
    return e;
}

/* Call `each` for every operation, in the order in which they were carried out. */
static enum err text_walk(struct text *k, outbox_op_fn each, void *ctx, struct why *why)
{
    for (size_t i = 0; i < k->n_parts; i++) {
        struct changeset_reader r;
        struct op op;
        bool end = false;
        enum err e;
        changeset_reader_init(&r, k->parts[i].content, k->env.h.schema);
        while ((e = changeset_next(&r, &op, &end, why)) == ERR_OK && !end) {
            e = each(ctx, &op, why);
            if (e != ERR_OK) return e;
        }
        if (e != ERR_OK) return e;
    }
    return ERR_OK;
}

enum err node_outbox_read(struct node *n, uint64_t seq, outbox_op_fn each, void *ctx, struct why *why)
{
    struct text k;
    enum err e = text_open(&k, n, seq, why);
    if (e == ERR_OK) e = text_walk(&k, each, ctx, why);
    text_release(&k);
    return e;
}

/* --------------------------------------------------------------------------------------------- its held rows here */

/* The hub names the held row of each part so (hub/held.c). */
static void held_id(const uint8_t hash[HASH_BYTES], size_t part, uint8_t out[16])
{
    uint8_t id[HASH_BYTES];
    struct buf in;
    buf_init(&in, 128);
    buf_put(&in, hash, HASH_BYTES);
    buf_put_be32(&in, (uint32_t)part);
    hash_labelled(id, "spoke/held/1", buf_bytes(&in));
    buf_release(&in);
    memcpy(out, id, 16);
}

enum err node_outbox_of_held(struct node *n, const uint8_t id[16], uint64_t *out_seq, struct why *why)
{
    struct stmt *s = NULL;
    bool row = true, found = false;
    enum err e =
        db_prepare(n->db, "SELECT seq, hash FROM n_outbox WHERE state IN ('held', 'dismissed', 'fault')", &s, why);
    while (e == ERR_OK && !found) {
        struct text k;
        uint8_t one[16];
        e = db_step(s, &row, why);
        if (e != ERR_OK || !row) break;
        if (db_bytes(s, 1).n != HASH_BYTES || text_open(&k, n, (uint64_t)db_int(s, 0), NULL) != ERR_OK) {
            text_release(&k);
            continue; /* its text was let go: nothing to show or send */
        }
        for (size_t i = 0; i < k.n_parts && !found; i++) {
            held_id(k.hash, i, one);
            found = memcmp(one, id, sizeof one) == 0;
        }
        if (found) *out_seq = (uint64_t)db_int(s, 0);
        text_release(&k);
    }
    db_done(s);
    if (e == ERR_OK && !found) {
        (void)why_set(why, ERR_NOTFOUND, "This was not written on this device, or its text is not kept here any more.");
        e = why_next(why, ERR_NOTFOUND, "spoke outbox list shows what was written here.");
    }
    return e;
}

static enum err held_waits(struct node *n, const uint8_t id[16], bool *out, struct why *why)
{
    struct stmt *s = NULL;
    enum err e = db_prepare(n->db, "SELECT 1 FROM held WHERE id = $1 AND state = 'waiting'", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, id);
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

/* Within the running edit. */
static enum err withdraw(struct text *k, struct why *why)
{
    const struct table_rule *t = rules_table((size_t)rules_table_index(bytes_of_str("held")));
    int64_t now = env_now(k->n->env);
    const struct {
        const char *column;
        struct value v;
    } set[] = {{"state", value_str("withdrawn")}, {"decided_by", value_id(k->n->user)}, {"decided_at", value_int(now)}};
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < k->n_parts; i++) {
        uint8_t id[16];
        bool waits = false;
        held_id(k->hash, i, id);
        e = held_waits(k->n, id, &waits, why);
        for (size_t c = 0; e == ERR_OK && waits && c < sizeof set / sizeof set[0]; c++)
            e = db_row_set(k->n->db, t, id, (size_t)rules_column_index(t, bytes_of_str(set[c].column)), set[c].v, why);
    }
    return e;
}

/* ------------------------------------------------------------------------------------------------------ once more */

struct again {
    struct text *k;
    const struct outbox_change *changes;
    size_t n;
};

/* The new value of a column of an operation: what a person put in its place, or as it was. */
static struct value value_now(const struct again *a, const struct op *op, size_t column)
{
    for (size_t i = 0; i < a->n; i++) {
        const struct outbox_change *c = &a->changes[i];
        if (c->table_index == op->table_index && c->column == column && memcmp(c->id, op_row_id(op), 16) == 0)
            return c->v;
    }
    return op->new_[column];
}

static enum err not_here(const struct op *op, bool wanted, struct why *why)
{
    (void)why_set(why, ERR_NOTFOUND,
                  wanted ? "What this changes (%s) is not on this device any more. Nothing was sent."
                         : "What this adds (%s) stands here already. Nothing was sent.",
                  op->table->name);
    return why_next(why, ERR_NOTFOUND,
                    wanted ? "Read it with spoke outbox show, and write it where it belongs now."
                           : "Change the entry itself, or let this go with spoke outbox discard.");
}

static enum err time_is_over(const struct op *op, struct why *why)
{
    (void)why_set(why, ERR_NOTFOUND,
                  "The time for which the MASH shared this (%s) with this device is over. Nothing was sent.", op->table->name);
    return why_next(why, ERR_NOTFOUND, "Ask the MASH to share it for longer, or let this go with spoke outbox discard.");
}

static enum err once_more(void *ctx, const struct op *op, struct why *why)
{
    const struct again *a = ctx;
    struct row row = {.table = op->table};
    struct buf store;
    bool here = false, hidden = false;
    enum err known = ends_hidden(a->k->n, op->table_index, op_row_id(op), &hidden, why);
    if (known != ERR_OK) return known;
    if (hidden) return time_is_over(op, why);
    buf_init(&store, (size_t)RULES_MAX_COLUMNS * (RULES_MAX_VALUE + 64) * 2);
    enum err e = db_row_get(a->k->n->db, op->table, op_row_id(op), &store, &row, &here, why);
    buf_release(&store);
    if (e == ERR_OK && here != (op->kind == OP_UPDATE)) e = not_here(op, op->kind == OP_UPDATE, why);
    if (e != ERR_OK) return e;
    if (op->kind == OP_INSERT) {
        for (size_t i = 0; i < op->table->n_columns; i++) {
            row.v[i] = value_now(a, op, i);
            if (row.v[i].kind == VALUE_NONE) row.v[i] = value_null(); /* a column of a later version */
        }
        return db_row_put(a->k->n->db, &row, why);
    }
    for (size_t i = 1; e == ERR_OK && i < op->table->n_columns; i++)
        if (op->new_[i].kind != VALUE_NONE)
            e = db_row_set(a->k->n->db, op->table, op_row_id(op), i, value_now(a, op, i), why);
    return e;
}

/* The hub refuses it too: hub/DISASTER.md. */
static enum err waits_for_its_base(struct why *why)
{
    (void)why_set(why, ERR_DENIED,
                  "The MASH had taken this in before its server was put back from a backup, and what it builds on is not there yet. So it"
                  " can be neither taken back nor sent again. Nothing was changed.");
    return why_next(why, ERR_DENIED, "Leave it: it takes effect by itself when that comes. Then change what is wrong with it.");
}

/* Only what was decided or waits for a person: what is on its way, or was taken in, is not for this. */
static enum err check_state(struct node *n, uint64_t seq, bool *out_held, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(n->db, "SELECT state, reason FROM n_outbox WHERE seq = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, (int64_t)seq);
    e = db_step(s, &row, why);
    struct bytes state = e == ERR_OK && row ? db_bytes(s, 0) : bytes_of_str("");
    *out_held = bytes_equal(state, bytes_of_str("held"));
    bool stays = *out_held && verdict_lacks(db_bytes(s, 1));
    bool settled = bytes_equal(state, bytes_of_str("dismissed")) || bytes_equal(state, bytes_of_str("fault"));
    bool taken = bytes_equal(state, bytes_of_str("applied")) || bytes_equal(state, bytes_of_str("merged"));
    db_done(s);
    if (e == ERR_OK && stays) return waits_for_its_base(why);
    if (e != ERR_OK || *out_held || settled) return e;
    if (!row) return why_set(why, ERR_NOTFOUND, "No change of this number was written on this device.");
    if (taken) return why_set(why, ERR_EXISTS, "This change was taken in by the MASH. It stands in the case.");
    (void)why_set(why, ERR_DENIED, "The MASH has not decided about this change yet.");
    return why_next(why, ERR_DENIED, "To mend it, change the entry itself; that goes out after it.");
}

enum err node_outbox_resend(struct node *n, uint64_t seq, const struct outbox_change *changes, size_t n_changes,
                            uint64_t *out_seq, struct why *why)
{
    struct text k;
    struct again a = {.k = &k, .changes = changes, .n = n_changes};
    bool held = false, begun = false;
    enum err e = check_state(n, seq, &held, why);
    if (e != ERR_OK) return e;
    e = text_open(&k, n, seq, why);
    if (e == ERR_OK) e = node_edit_begin(n, why);
    begun = e == ERR_OK;
    if (e == ERR_OK) e = text_walk(&k, once_more, &a, why);
    if (e == ERR_OK && held) e = withdraw(&k, why);
    if (e == ERR_OK) e = content_seal(n, seq, PURGE_STORE, why);
    if (e == ERR_OK) {
        e = node_edit_commit(n, "sent a change again", out_seq, why);
    } else if (begun) {
        node_edit_cancel(n);
    }
    text_release(&k);
    return e == ERR_OK ? purge_run(n, why) : e;
}

enum err node_outbox_discard(struct node *n, uint64_t seq, bool *out_withdrawn, struct why *why)
{
    struct text k;
    uint64_t made = 0;
    bool held = false;
    enum err e = check_state(n, seq, &held, why);
    if (e != ERR_OK) return e;
    e = text_open(&k, n, seq, why);
    if (e == ERR_OK) {
        e = node_edit_begin(n, why);
        if (e == ERR_OK) {
            if (held) e = withdraw(&k, why);
            if (e == ERR_OK) e = content_seal(n, seq, PURGE_STORE, why);
            if (e == ERR_OK)
                e = node_edit_commit(n, "withdrew a held change", &made, why);
            else
                node_edit_cancel(n);
        }
    }
    if (e == ERR_OK) *out_withdrawn = made != 0;
    text_release(&k);
    return e == ERR_OK ? purge_run(n, why) : e;
}
