/* The overlay: pending edits laid over the hub's image of their rows. At any time
 *
 *     row in its table = hub image + pending edits, in order of seq
 *
 * and a row without pending edits has no image. So a page touches an overlapping row's image only, and what a person
 * wrote stands until the hub has judged it; the cost follows the overlap, not the number of pending edits. */
#include "node/internal.h"

#include <string.h>

#define ROW_MAX    ((size_t)RULES_MAX_COLUMNS * (RULES_MAX_VALUE + 16))
#define PIECES_MAX (256u << 20) /* bytes of one row's image and all its pending edits */

/* One row's image and edits as they stand in the store. */
struct piece {
    size_t from, n; /* bytes in `bytes`; n 0: the hub has no such row */
    int op;         /* 0: the image, else enum op_kind */
};
struct pieces {
    struct buf bytes;
    struct buf list; /* struct piece after struct piece */
};

static void pieces_init(struct pieces *p)
{
    buf_init(&p->bytes, PIECES_MAX);
    buf_init(&p->list, PIECES_MAX);
}

static void pieces_release(struct pieces *p)
{
    buf_release(&p->bytes);
    buf_release(&p->list);
}

static void pieces_put(struct pieces *p, struct bytes v, int op)
{
    struct piece one = {.from = p->bytes.len, .n = v.n, .op = op};
    buf_put_bytes(&p->bytes, v);
    buf_put(&p->list, &one, sizeof one);
}

static enum err bind_row(struct node *n, const char *sql, int table_index, const uint8_t id[16], struct stmt **out,
                         struct why *why)
{
    enum err e = db_prepare(n->db, sql, out, why);
    if (e != ERR_OK) return e;
    db_bind_int(*out, 1, table_index);
    db_bind_id(*out, 2, id);
    return ERR_OK;
}

static enum err run_row(struct node *n, const char *sql, int table_index, const uint8_t id[16], struct why *why)
{
    struct stmt *s = NULL;
    enum err e = bind_row(n, sql, table_index, id, &s, why);
    return e == ERR_OK ? db_run(s, why) : e;
}

static enum err has_image(struct node *n, int table_index, const uint8_t id[16], bool *out, struct why *why)
{
    struct stmt *s = NULL;
    enum err e = bind_row(n, "SELECT 1 FROM n_image WHERE tbl = $1 AND id = $2", table_index, id, &s, why);
    if (e == ERR_OK) e = db_step(s, out, why);
    db_done(s);
    return e;
}

/* As CBOR, without the columns that this store does not have yet: what they will be, the row cannot say. */
static void put_row(struct node *n, struct buf *b, const struct row *r)
{
    struct row row = *r;
    for (size_t i = rules_columns_at(r->table, db_schema(n->db)); i < r->table->n_columns; i++)
        row.v[i] = value_none();
    row_put_cbor(b, &row);
}

/* `image` NULL: the hub has no such row. */
static enum err save_image(struct node *n, int table_index, const uint8_t id[16], const struct row *image,
                           struct why *why)
{
    struct stmt *s = NULL;
    struct buf b;
    buf_init(&b, ROW_MAX);
    if (image != NULL) put_row(n, &b, image);
    enum err e = b.err == ERR_OK ? ERR_OK : why_set(why, b.err, "There is not enough memory for an entry.");
    if (e == ERR_OK)
        e = bind_row(n,
                     "INSERT INTO n_image(tbl, id, image) VALUES($1, $2, $3)"
                     " ON CONFLICT(id, tbl) DO UPDATE SET image = excluded.image",
                     table_index, id, &s, why);
    if (e == ERR_OK) {
        if (image != NULL)
            db_bind_blob(s, 3, buf_bytes(&b));
        else
            db_bind_null(s, 3);
        e = db_run(s, why);
    }
    buf_release(&b);
    return e;
}

static enum err save_pending(struct node *n, const struct op *op, uint64_t seq, struct why *why)
{
    struct row row = {.table = op->table};
    struct stmt *s = NULL;
    struct buf b;
    buf_init(&b, ROW_MAX);
    memcpy(row.v, op->new_, sizeof row.v);
    put_row(n, &b, &row);
    enum err e = b.err == ERR_OK ? ERR_OK : why_set(why, b.err, "There is not enough memory for this change.");
    if (e == ERR_OK)
        e = bind_row(n, "INSERT INTO n_pending(tbl, id, seq, op, vals) VALUES($1, $2, $3, $4, $5)", op->table_index,
                     op_row_id(op), &s, why);
    if (e == ERR_OK) {
        db_bind_int(s, 3, (int64_t)seq);
        db_bind_int(s, 4, op->kind);
        db_bind_blob(s, 5, buf_bytes(&b));
        e = db_run(s, why);
    }
    buf_release(&b);
    return e;
}

enum err overlay_edit(struct node *n, const struct op *op, const struct row *now, uint64_t seq, struct why *why)
{
    bool there = false;
    enum err e = has_image(n, op->table_index, op_row_id(op), &there, why);
    if (e == ERR_OK && !there && op->kind == OP_INSERT) e = save_image(n, op->table_index, op_row_id(op), NULL, why);
    if (e == ERR_OK && !there && op->kind == OP_UPDATE) {
        struct row before = *now;
        for (size_t i = 0; i < op->table->n_columns; i++) {
            if (op->old[i].kind != VALUE_NONE) before.v[i] = op->old[i];
        }
        e = save_image(n, op->table_index, op_row_id(op), &before, why);
    }
    return e == ERR_OK ? save_pending(n, op, seq, why) : e;
}

static enum err read_image(struct node *n, int table_index, const uint8_t id[16], struct pieces *p, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = bind_row(n, "SELECT image FROM n_image WHERE tbl = $1 AND id = $2", table_index, id, &s, why);
    if (e == ERR_OK) e = db_step(s, &row, why);
    if (e == ERR_OK && row) pieces_put(p, db_bytes(s, 0), 0);
    db_done(s);
    return e;
}

/* The image and all edits. */
static enum err read_pieces(struct node *n, int table_index, const uint8_t id[16], struct pieces *p, struct why *why)
{
    struct stmt *s = NULL;
    bool row = true;
    enum err e = read_image(n, table_index, id, p, why);
    if (e == ERR_OK)
        e = bind_row(n, "SELECT op, vals FROM n_pending WHERE tbl = $1 AND id = $2 ORDER BY seq", table_index, id, &s,
                     why);
    while (e == ERR_OK) {
        e = db_step(s, &row, why);
        if (e != ERR_OK || !row) break;
        pieces_put(p, db_bytes(s, 1), (int)db_int(s, 0));
    }
    db_done(s);
    return e;
}

/* Lay one edit over a row. An update of a row that is not there stays without effect until the row comes. A whole row
 * that was kept before the store had all its columns is NULL in those. */
static void lay(struct row *row, bool *have, enum op_kind kind, const struct row *edit)
{
    if (kind == OP_INSERT) {
        *row = *edit;
        for (size_t i = 1; i < edit->table->n_columns; i++) {
            if (row->v[i].kind == VALUE_NONE) row->v[i] = value_null();
        }
        *have = true;
        return;
    }
    for (size_t i = 0; *have && i < edit->table->n_columns; i++) {
        if (edit->v[i].kind != VALUE_NONE) row->v[i] = edit->v[i];
    }
}

/* What the row is: image and pending edits. Values borrow from p. */
static enum err compose(const struct pieces *p, const struct table_rule *t, struct row *out, bool *out_have,
                        struct why *why)
{
    size_t n = p->list.len / sizeof(struct piece);
    struct row row = {.table = t}, edit;
    bool have = false;
    if (p->bytes.err != ERR_OK || p->list.err != ERR_OK)
        return why_set(why, ERR_NOMEM, "There is not enough memory for an entry and its changes.");
    for (size_t i = 0; i < n; i++) {
        struct piece one;
        memcpy(&one, p->list.data + i * sizeof one, sizeof one);
        if (one.n == 0) continue;
        enum err e = row_from_cbor(&edit, t, bytes_of(p->bytes.data + one.from, one.n), why);
        if (e != ERR_OK)
            return why_set(why, ERR_TAMPERED, "An entry with changes of your own is damaged in this device's store.");
        /* Made here and by another as well: what never merges stays the first writer's, as at the hub. */
        for (size_t c = 0; one.op == OP_INSERT && have && t->kind == TABLE_CASE && c < 3; c++) edit.v[c] = row.v[c];
        lay(&row, &have, one.op == 0 ? OP_INSERT : (enum op_kind)one.op, &edit);
    }
    *out = row;
    *out_have = have;
    return ERR_OK;
}

/* Bring the row in its table in line with image and pending edits; forget the image when no edit is left. */
static enum err settle(struct node *n, int table_index, const uint8_t id[16], struct why *why)
{
    const struct table_rule *t = rules_table((size_t)table_index);
    struct pieces p;
    struct row row;
    bool have = false;
    pieces_init(&p);
    enum err e = read_pieces(n, table_index, id, &p, why);
    if (e == ERR_OK) e = compose(&p, t, &row, &have, why);
    if (e == ERR_OK) e = have ? db_row_put(n->db, &row, why) : db_row_delete(n->db, t, id, why);
    if (e == ERR_OK)
        e = run_row(n,
                    p.list.len <= sizeof(struct piece)
                        ? "DELETE FROM n_image WHERE tbl = $1 AND id = $2"
                        : "UPDATE n_image SET stale = 0 WHERE tbl = $1 AND id = $2 AND stale = 1",
                    table_index, id, why);
    pieces_release(&p);
    return e;
}

static enum err set_columns(struct node *n, const struct op *op, struct why *why)
{
    for (size_t i = 1; i < op->table->n_columns; i++) {
        if (op->new_[i].kind == VALUE_NONE) continue;
        enum err e = db_row_set(n->db, op->table, op_row_id(op), i, op->new_[i], why);
        if (e != ERR_OK) return e;
        if (db_changes(n->db) != 1)
            return why_set(why, ERR_FORMAT, "The MASH server sent a change to an entry that is not on this device.");
    }
    return ERR_OK;
}

/* A page's operation onto the image. */
static enum err change_image(struct node *n, const struct op *op, struct why *why)
{
    struct pieces p;
    struct row image = {.table = op->table}, edit = {.table = op->table};
    bool have = false;
    pieces_init(&p);
    memcpy(edit.v, op->new_, sizeof edit.v);
    enum err e = read_image(n, op->table_index, op_row_id(op), &p, why);
    if (e == ERR_OK) e = compose(&p, op->table, &image, &have, why);
    if (e == ERR_OK) {
        lay(&image, &have, op->kind, &edit);
        if (!have)
            e = why_set(why, ERR_FORMAT, "The MASH server sent a change to an entry that is not on this device.");
    }
    if (e == ERR_OK) e = save_image(n, op->table_index, op_row_id(op), &image, why);
    pieces_release(&p);
    return e;
}

enum err overlay_page(struct node *n, const struct op *op, bool overlaid, struct why *why)
{
    bool there = false;
    if (overlaid) {
        enum err e = has_image(n, op->table_index, op_row_id(op), &there, why);
        if (e != ERR_OK) return e;
    }
    if (there) {
        enum err e = change_image(n, op, why);
        return e == ERR_OK ? settle(n, op->table_index, op_row_id(op), why) : e;
    }
    if (op->kind == OP_UPDATE) return set_columns(n, op, why);
    struct row row = {.table = op->table};
    memcpy(row.v, op->new_, sizeof row.v);
    return db_row_put(n->db, &row, why);
}

/* Fold one judged edit into the image: what the hub now has. */
static enum err fold(struct node *n, int table_index, const uint8_t id[16], int kind, struct bytes vals,
                     struct why *why)
{
    struct pieces p;
    struct row image;
    bool have = false;
    pieces_init(&p);
    enum err e = read_image(n, table_index, id, &p, why);
    if (e == ERR_OK) pieces_put(&p, vals, kind);
    if (e == ERR_OK) e = compose(&p, rules_table((size_t)table_index), &image, &have, why);
    if (e == ERR_OK) e = save_image(n, table_index, id, have ? &image : NULL, why);
    pieces_release(&p);
    return e;
}

static enum err take_pending(struct node *n, int table_index, const uint8_t id[16], uint64_t seq, int *out_kind,
                             struct buf *vals, bool *out_more, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e =
        bind_row(n, "SELECT op, vals FROM n_pending WHERE tbl = $1 AND id = $2 AND seq = $3", table_index, id, &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 3, (int64_t)seq);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) {
        *out_kind = (int)db_int(s, 0);
        buf_put_bytes(vals, db_bytes(s, 1));
        e = vals->err == ERR_OK ? ERR_OK : why_set(why, vals->err, "There is not enough memory for a change.");
    }
    db_done(s);
    if (e == ERR_OK)
        e = bind_row(n, "DELETE FROM n_pending WHERE tbl = $1 AND id = $2 AND seq = $3", table_index, id, &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 3, (int64_t)seq);
    e = db_run(s, why);
    if (e != ERR_OK) return e;
    e = bind_row(n, "SELECT 1 FROM n_pending WHERE tbl = $1 AND id = $2 LIMIT 1", table_index, id, &s, why);
    if (e == ERR_OK) e = db_step(s, out_more, why);
    db_done(s);
    return e;
}

static enum err is_first(struct node *n, int table_index, const uint8_t id[16], uint64_t seq, bool *out,
                         struct why *why)
{
    struct stmt *s = NULL;
    bool before = false;
    enum err e = bind_row(n, "SELECT 1 FROM n_pending WHERE tbl = $1 AND id = $2 AND seq < $3 LIMIT 1", table_index, id,
                          &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 3, (int64_t)seq);
    e = db_step(s, &before, why);
    db_done(s);
    if (e == ERR_OK) *out = !before;
    return e;
}

static enum err judge_row(struct node *n, int table_index, const uint8_t id[16], uint64_t seq, bool applied,
                          struct why *why)
{
    struct buf vals;
    int kind = 0;
    bool more = false, first = false, done = false;
    buf_init(&vals, ROW_MAX);
    enum err e = take_pending(n, table_index, id, seq, &kind, &vals, &more, why);
    if (e == ERR_OK && applied && !more) {
        /* The common case, a whole import applied: the row in its table is what the hub has now. */
        e = run_row(n, "DELETE FROM n_image WHERE tbl = $1 AND id = $2 AND stale = 0", table_index, id, why);
        done = e == ERR_OK && db_changes(n->db) > 0;
    }
    if (e == ERR_OK && !done) {
        if (applied) e = fold(n, table_index, id, kind, buf_bytes(&vals), why);
        if (e == ERR_OK && applied) e = is_first(n, table_index, id, seq, &first, why);
        /* The first edit over the image, now part of it, leaves the row as it is. Otherwise it is laid anew, but once
         * for the whole answer: for each of a thousand edits of one row it would be half a million. */
        if (e == ERR_OK && !first)
            e = run_row(n, "UPDATE n_image SET stale = 1 WHERE tbl = $1 AND id = $2", table_index, id, why);
    }
    buf_release(&vals);
    return e;
}

static enum err next_stale(struct node *n, struct drop_item *out, bool *out_found, struct why *why)
{
    struct stmt *s = NULL;
    enum err e = db_prepare(n->db, "SELECT tbl, id FROM n_image WHERE stale = 1 LIMIT 1", &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, out_found, why);
    if (e == ERR_OK && *out_found) {
        out->table_index = (int)db_int(s, 0);
        if (rules_table((size_t)out->table_index) == NULL || !db_id(s, 1, out->id))
            e = why_set(why, ERR_TAMPERED, "A change of your own is damaged in this device's store.");
    }
    db_done(s);
    return e;
}

enum err overlay_settle(struct node *n, struct why *why)
{
    struct drop_item one;
    bool found = true;
    enum err e = ERR_OK;
    while (e == ERR_OK) {
        e = next_stale(n, &one, &found, why);
        if (e != ERR_OK || !found) break;
        e = settle(n, one.table_index, one.id, why);
    }
    return e;
}

enum err overlay_judged(struct node *n, uint64_t seq, bool applied, struct why *why)
{
    struct stmt *s = NULL;
    struct buf rows; /* struct drop_item after struct drop_item: a table and an id each */
    bool row = true;
    buf_init(&rows, (size_t)CHANGESET_MAX_OPS * sizeof(struct drop_item));
    enum err e = db_prepare(n->db, "SELECT tbl, id FROM n_pending WHERE seq = $1", &s, why);
    if (e == ERR_OK) db_bind_int(s, 1, (int64_t)seq);
    while (e == ERR_OK) {
        e = db_step(s, &row, why);
        if (e != ERR_OK || !row) break;
        struct drop_item one = {.table_index = (int)db_int(s, 0)};
        if (rules_table((size_t)one.table_index) == NULL || !db_id(s, 1, one.id))
            e = why_set(why, ERR_TAMPERED, "A change of your own is damaged in this device's store.");
        buf_put(&rows, &one, sizeof one);
    }
    db_done(s);
    if (e == ERR_OK && rows.err != ERR_OK) e = why_set(why, rows.err, "There is not enough memory for this answer.");
    for (size_t at = 0; e == ERR_OK && at < rows.len; at += sizeof(struct drop_item)) {
        struct drop_item one;
        memcpy(&one, rows.data + at, sizeof one);
        e = judge_row(n, one.table_index, one.id, seq, applied, why);
    }
    buf_release(&rows);
    return e;
}

enum err overlay_forget(struct node *n, int table_index, const uint8_t id[16], struct why *why)
{
    enum err e = run_row(n, "DELETE FROM n_pending WHERE tbl = $1 AND id = $2", table_index, id, why);
    if (e == ERR_OK) e = run_row(n, "DELETE FROM n_image WHERE tbl = $1 AND id = $2", table_index, id, why);
    if (e == ERR_OK) e = ends_forget(n, table_index, id, why);
    if (e == ERR_OK) e = views_forget(n, table_index, id, why);
    return e == ERR_OK ? db_row_delete(n->db, rules_table((size_t)table_index), id, why) : e;
}

static enum err differs(struct why *why)
{
    (void)why_set(why, ERR_TAMPERED,
                  "What this device shows and your own changes that wait for the MASH do not fit together.");
    return why_next(why, ERR_TAMPERED, "Stop here, keep the files as they are, and ask your administrator.");
}

static enum err check_row(struct node *n, int table_index, const uint8_t id[16], struct why *why)
{
    const struct table_rule *t = rules_table((size_t)table_index);
    struct pieces p;
    struct buf store;
    struct row want, have;
    bool wanted = false, found = false;
    pieces_init(&p);
    buf_init(&store, ROW_MAX);
    enum err e = read_pieces(n, table_index, id, &p, why);
    if (e == ERR_OK && p.list.len <= sizeof(struct piece)) e = differs(why); /* an image without edits */
    if (e == ERR_OK) e = compose(&p, t, &want, &wanted, why);
    if (e == ERR_OK) e = db_row_get(n->db, t, id, &store, &have, &found, why);
    if (e == ERR_OK && wanted != found) e = differs(why);
    for (size_t i = 0; e == ERR_OK && found && i < t->n_columns; i++) {
        if (!value_equal(want.v[i], have.v[i])) e = differs(why);
    }
    pieces_release(&p);
    buf_release(&store);
    return e;
}

enum err overlay_check(struct node *n, uint64_t *out_pending_rows, struct why *why)
{
    struct stmt *s = NULL;
    uint64_t rows = 0, orphans = 0;
    uint8_t id[16];
    bool row = true;
    enum err e = state_ask(n->db,
                           "SELECT count(*) FROM n_pending p WHERE NOT EXISTS(SELECT 1 FROM n_image i "
                           "WHERE i.id = p.id AND i.tbl = p.tbl)",
                           &orphans, why);
    if (e == ERR_OK && orphans > 0) return differs(why);
    if (e == ERR_OK) e = db_prepare(n->db, "SELECT tbl, id FROM n_image", &s, why);
    while (e == ERR_OK) {
        e = db_step(s, &row, why);
        if (e != ERR_OK || !row) break;
        int table_index = (int)db_int(s, 0);
        if (rules_table((size_t)table_index) == NULL || !db_id(s, 1, id))
            e = differs(why);
        else
            e = check_row(n, table_index, id, why);
        rows++;
    }
    db_done(s);
    if (e == ERR_OK) *out_pending_rows = rows;
    return e;
}
