/* A hub's store on its way out: hub/DUMP.md. */
#include "hub/dump.h"

#include "hub/dump_frame.h"

#include <string.h>

#define PIECE_BYTES (64u << 10)
#define SQL_BYTES   (16u << 10)
/* Rows of one question: an engine may hold all of its answer at once, so their number follows from what they weigh. */
#define BATCH_FIRST 64
#define BATCH_MOST  4096
#define BATCH_LIGHT (256u << 10) /* bytes of an answer: below it twice as many rows are asked for the next time, */
#define BATCH_HEAVY (4u << 20)   /* above it a quarter of them */

struct writer {
    struct db *db;
    const struct dump_keeper *keeper;
    const struct dump_sink *sink; /* NULL: only the sum is wanted */
    struct dump_count count;
    struct buf pending; /* of the stream, not yet written */
    struct buf item;    /* the frame that is made */
    struct buf last;    /* the one before */
    struct buf from;    /* the row behind which the running question begins */
    struct buf open;    /* a value of secret_state */
};

static enum err no_memory(struct why *why)
{
    return why_set(why, ERR_NOMEM, "There is not enough memory to copy the store.");
}

static enum err flush(struct writer *w, struct why *why)
{
    enum err e =
        w->sink == NULL || w->pending.len == 0 ? ERR_OK : w->sink->write(w->sink->ctx, buf_bytes(&w->pending), why);
    buf_reset(&w->pending);
    return e;
}

static enum err put_frame(struct writer *w, enum dump_frame kind, struct why *why)
{
    uint8_t head[5];
    if (w->item.err == ERR_NOMEM) return no_memory(why);
    if (w->item.err != ERR_OK) return why_set(why, w->item.err, "The store holds a value that a copy cannot hold.");
    size_t n = dump_frame_head(head, w->item.len);
    dump_count_frame(&w->count, kind, bytes_of(head, n), buf_bytes(&w->item));
    if (w->sink == NULL) return ERR_OK;
    buf_put(&w->pending, head, n);
    buf_put_bytes(&w->pending, buf_bytes(&w->item));
    if (w->pending.err != ERR_OK) return no_memory(why);
    return w->pending.len < PIECE_BYTES ? ERR_OK : flush(w, why);
}

static void begin_frame(struct writer *w, enum dump_frame kind, size_t more)
{
    buf_reset(&w->item);
    cbor_put_array(&w->item, 1 + more);
    cbor_put_uint(&w->item, kind);
}

/* -------------------------------------------------------------------------------------------------- rows of a table */

static void put_names(struct buf *sql, const struct dump_shape *t, bool key)
{
    size_t n = key && t->n_key > 0 ? t->n_key : t->n_columns;
    for (size_t i = 0; i < n; i++)
        buf_printf(sql, "%s\"%s\"", i > 0 ? ", " : "", t->column[key && t->n_key > 0 ? t->key[i] : i].name);
}

/* A table without a primary key is asked for at once. */
static enum err prepare(struct db *db, const struct dump_shape *t, bool behind, struct stmt **out, struct why *why)
{
    struct buf sql;
    buf_init(&sql, SQL_BYTES);
    buf_put_str(&sql, "SELECT ");
    put_names(&sql, t, false);
    buf_printf(&sql, " FROM \"%s\"", t->name);
    if (behind) {
        buf_put_str(&sql, " WHERE (");
        put_names(&sql, t, true);
        buf_put_str(&sql, ") > (");
        for (size_t i = 0; i < t->n_key; i++) buf_printf(&sql, "%s$%zu", i > 0 ? ", " : "", i + 1);
        buf_put_str(&sql, ")");
    }
    buf_put_str(&sql, " ORDER BY ");
    put_names(&sql, t, true);
    if (t->n_key > 0) buf_printf(&sql, " LIMIT $%zu", (behind ? t->n_key : 0) + 1);
    const char *text = buf_cstr(&sql);
    enum err e = text == NULL ? no_memory(why) : db_prepare(db, text, out, why);
    buf_release(&sql);
    return e;
}

/* Behind the row in w->from. */
static enum err bind_key(struct writer *w, const struct dump_shape *t, struct stmt *s, struct why *why)
{
    struct cbor_reader r;
    struct value v[DUMP_MAX_COLUMNS];
    cbor_reader_init(&r, buf_bytes(&w->from));
    (void)cbor_get_array(&r, 1 + DUMP_MAX_COLUMNS);
    (void)cbor_get_uint(&r);
    for (size_t i = 0; i < t->n_columns; i++)
        if (!dump_get_value(&r, &v[i])) return why_set(why, ERR_FAILED, "A row could not be found again in the store.");
    for (size_t i = 0; i < t->n_key; i++) db_bind_value(s, (int)i + 1, v[t->key[i]]);
    return ERR_OK;
}

/* The hub's own keys leave as they are, however the engine keeps them. */
static enum err put_secret(struct writer *w, struct bytes name, struct bytes kept, struct why *why)
{
    buf_reset(&w->open);
    enum err e = w->keeper->open(w->keeper->ctx, name, kept, &w->open, why);
    if (e == ERR_OK && w->open.err != ERR_OK) e = no_memory(why);
    if (e == ERR_OK) cbor_put_bytes(&w->item, buf_bytes(&w->open));
    return e;
}

static enum err put_row(struct writer *w, const struct dump_shape *t, struct stmt *s, struct why *why)
{
    bool secret = w->keeper != NULL && strcmp(t->name, "secret_state") == 0;
    enum err e = ERR_OK;
    begin_frame(w, DUMP_ROW, t->n_columns);
    for (size_t i = 0; e == ERR_OK && i < t->n_columns; i++) {
        if (secret && strcmp(t->column[i].name, "value") == 0 && !db_is_null(s, (int)i))
            e = put_secret(w, db_bytes(s, (int)t->key[0]), db_bytes(s, (int)i), why);
        else
            dump_put_value(&w->item, db_value(s, (int)i));
    }
    if (e == ERR_OK) e = put_frame(w, DUMP_ROW, why);
    if (e != ERR_OK) return e;
    dump_count_row(&w->count);
    struct buf swap = w->last;
    w->last = w->item;
    w->item = swap;
    return ERR_OK;
}

/* *out_n of at most `limit` rows, and what they weigh. */
static enum err put_batch(struct writer *w, const struct dump_shape *t, bool behind, int64_t limit, int64_t *out_n,
                          uint64_t *out_weight, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    *out_n = 0;
    *out_weight = 0;
    buf_reset(&w->from);
    if (behind) buf_put_bytes(&w->from, buf_bytes(&w->last));
    if (w->from.err != ERR_OK) return no_memory(why);
    enum err e = prepare(w->db, t, behind, &s, why);
    if (e == ERR_OK && behind) e = bind_key(w, t, s, why);
    if (e == ERR_OK && t->n_key > 0) db_bind_int(s, behind ? (int)t->n_key + 1 : 1, limit);
    while (e == ERR_OK && (e = db_step(s, &row, why)) == ERR_OK && row) {
        e = put_row(w, t, s, why);
        *out_weight += w->last.len;
        ++*out_n;
    }
    db_done(s);
    return e;
}

static enum err put_rows(struct writer *w, const struct dump_shape *t, struct why *why)
{
    int64_t limit = BATCH_FIRST, n = 0;
    uint64_t weight = 0;
    bool behind = false;
    enum err e;
    do {
        e = put_batch(w, t, behind, limit, &n, &weight, why);
        behind = true;
        bool more = n == limit && t->n_key > 0;
        if (!more) return e;
        if (weight < BATCH_LIGHT && limit < BATCH_MOST) limit *= 2;
        if (weight > BATCH_HEAVY && limit > 4) limit /= 4;
    } while (e == ERR_OK);
    return e;
}

/* ------------------------------------------------------------------------------------------------------ the stream */

static enum err put_table(struct writer *w, const struct dump_shape *t, struct why *why)
{
    if (!dump_count_table(&w->count, bytes_of_str(t->name)))
        return why_set(why, ERR_LIMIT, "The store has more tables than a copy can hold.");
    begin_frame(w, DUMP_TABLE, 2);
    cbor_put_str(&w->item, t->name);
    cbor_put_array(&w->item, t->n_columns);
    for (size_t i = 0; i < t->n_columns; i++) cbor_put_str(&w->item, t->column[i].name);
    enum err e = put_frame(w, DUMP_TABLE, why);
    if (e == ERR_OK) e = put_rows(w, t, why);
    if (e != ERR_OK) return e;
    const struct dump_table *sum = dump_count_table_end(&w->count);
    begin_frame(w, DUMP_TABLE_END, 2);
    cbor_put_uint(&w->item, sum->rows);
    cbor_put_bytes(&w->item, bytes_of(sum->hash, HASH_BYTES));
    return put_frame(w, DUMP_TABLE_END, why);
}

static enum err put_all(struct writer *w, const struct dump_shapes *t, struct why *why)
{
    const struct dump_sum *sum = w->count.sum;
    begin_frame(w, DUMP_HEAD, 4);
    cbor_put_str(&w->item, DUMP_MARK);
    cbor_put_uint(&w->item, DUMP_VERSION);
    cbor_put_uint(&w->item, rules_schema_newest()); /* whose tables these are: dump_shapes_load */
    cbor_put_uint(&w->item, t->n);
    enum err e = put_frame(w, DUMP_HEAD, why);
    for (size_t i = 0; e == ERR_OK && i < t->n; i++) e = put_table(w, &t->table[i], why);
    if (e != ERR_OK) return e;
    dump_count_end(&w->count);
    begin_frame(w, DUMP_END, 3);
    cbor_put_uint(&w->item, sum->n);
    cbor_put_uint(&w->item, sum->rows);
    cbor_put_bytes(&w->item, bytes_of(sum->hash, HASH_BYTES));
    e = put_frame(w, DUMP_END, why);
    return e == ERR_OK ? flush(w, why) : e;
}

/* The model has no keeper: what it holds is nobody's. */
enum err dump_shapes_sum(const struct dump_shapes *t, struct db *db, const struct dump_keeper *keeper,
                         const struct dump_sink *sink, struct dump_sum *out, struct why *why)
{
    struct writer w = {.db = db, .keeper = keeper, .sink = sink};
    buf_init(&w.pending, PIECE_BYTES + DUMP_FRAME_MAX + 5);
    buf_init(&w.item, DUMP_FRAME_MAX);
    buf_init(&w.last, DUMP_FRAME_MAX);
    buf_init(&w.from, DUMP_FRAME_MAX);
    buf_init(&w.open, 1u << 20);
    dump_count_begin(&w.count, out);
    enum err e = put_all(&w, t, why);
    buf_release(&w.pending);
    buf_release(&w.item);
    buf_release(&w.last);
    buf_release(&w.from);
    buf_release(&w.open);
    return e;
}

enum err dump_write(const struct env *env, struct db *db, const struct dump_keeper *keeper,
                    const struct dump_sink *sink, struct dump_sum *out_sum, struct why *why)
{
    struct dump_shapes shapes;
    struct dump_sum sum;
    enum err e = dump_shapes_load(&shapes, db, env, why);
    if (e == ERR_OK) e = dump_shapes_sum(&shapes, db, keeper, sink, &sum, why);
    if (e == ERR_OK && out_sum != NULL) *out_sum = sum;
    dump_shapes_release(&shapes);
    return e;
}

enum err dump_digest(const struct env *env, struct db *db, const struct dump_keeper *keeper, struct dump_sum *out_sum,
                     struct why *why)
{
    return dump_write(env, db, keeper, NULL, out_sum, why);
}

enum err dump_same(const struct dump_sum *a, const struct dump_sum *b, struct why *why)
{
    for (size_t i = 0; i < a->n && i < b->n; i++) {
        const struct dump_table *x = &a->table[i], *y = &b->table[i];
        if (strcmp(x->name, y->name) == 0 && x->rows == y->rows && memcmp(x->hash, y->hash, HASH_BYTES) == 0) continue;
        return why_set(why, ERR_TAMPERED, "The two stores do not hold the same in the table %.60s.", x->name);
    }
    return a->n == b->n ? ERR_OK : why_set(why, ERR_TAMPERED, "The two stores do not have the same tables.");
}
