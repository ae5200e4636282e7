/* A hub's store on its way in: hub/DUMP.md. Nothing of the stream is believed before its end: what was written is
 * undone then. */
#include "hub/dump.h"

#include "hub/dump_frame.h"

#include <string.h>

#define PIECE_BYTES (64u << 10)
#define SQL_BYTES   (16u << 10)

struct reader {
    struct db *db;
    const struct dump_keeper *keeper;
    const struct dump_source *source;
    const struct dump_shapes *shapes;
    struct dump_count count;
    uint8_t piece[PIECE_BYTES];
    size_t at, n;                   /* of the piece: read, and there */
    struct buf item;                /* the frame that is read */
    struct buf sql;                 /* how a row of the running table is put */
    struct buf seal;                /* a value of secret_state */
    uint64_t tables;                /* as the head tells */
    uint64_t schema;                /* likewise */
    const struct dump_shape *table; /* the running one; NULL between two */
    size_t n_columns;               /* of it in the stream */
    size_t column[DUMP_MAX_COLUMNS];
    bool ended;
};

static enum err damaged(struct why *why)
{
    (void)why_set(why, ERR_TAMPERED, "This copy of a hub's store is damaged, or a part of it is missing.");
    return why_next(why, ERR_TAMPERED, "Nothing of it was taken. Use another copy.");
}

static enum err newer(struct why *why)
{
    (void)why_set(why, ERR_VERSION, "This copy of a hub's store was made by a newer version of Spoke than this one.");
    return why_next(why, ERR_VERSION, "Use the newer version, or update Spoke. Nothing was taken.");
}

static enum err no_memory(struct why *why)
{
    return why_set(why, ERR_NOMEM, "There is not enough memory to read the copy.");
}

/* -------------------------------------------------------------------------------------------------------- frames */

/* Is there another byte? */
static enum err more(struct reader *r, bool *out, struct why *why)
{
    enum err e = ERR_OK;
    if (r->at == r->n) {
        r->at = r->n = 0;
        e = r->source->read(r->source->ctx, r->piece, sizeof r->piece, &r->n, why);
        if (e == ERR_OK && r->n > sizeof r->piece) return damaged(why);
    }
    *out = r->at < r->n;
    return e;
}

static enum err take_head(struct reader *r, uint8_t head[5], size_t *out_head, size_t *out_n, struct why *why)
{
    bool there = true;
    size_t want = 1, n = 0, length = 0;
    uint8_t again[5];
    while (n < want) {
        enum err e = more(r, &there, why);
        if (e != ERR_OK) return e;
        if (!there) return damaged(why);
        head[n++] = r->piece[r->at++];
        if (n > 1) length = length << 8 | head[n - 1];
        if (n > 1) continue;
        if (head[0] >= 0x40 && head[0] < 0x58)
            length = head[0] & 0x1f;
        else if (head[0] >= 0x58 && head[0] <= 0x5a)
            want = 1 + ((size_t)1 << (head[0] - 0x58));
        else
            return damaged(why);
    }
    if (length > DUMP_FRAME_MAX || dump_frame_head(again, length) != n || memcmp(again, head, n) != 0)
        return damaged(why);
    *out_head = n;
    *out_n = length;
    return ERR_OK;
}

/* What a head claims costs memory only as it comes. */
static enum err take_frame(struct reader *r, enum dump_frame *out_kind, struct cbor_reader *out, size_t *out_items,
                           struct why *why)
{
    uint8_t head[5];
    size_t n_head = 0, left = 0;
    bool there = false;
    buf_reset(&r->item);
    enum err e = take_head(r, head, &n_head, &left, why);
    while (e == ERR_OK && left > 0) {
        e = more(r, &there, why);
        if (e == ERR_OK && !there) e = damaged(why);
        if (e != ERR_OK) return e;
        size_t take = r->n - r->at < left ? r->n - r->at : left;
        buf_put(&r->item, r->piece + r->at, take);
        r->at += take;
        left -= take;
    }
    if (e == ERR_OK && r->item.err != ERR_OK) e = no_memory(why);
    if (e != ERR_OK) return e;
    cbor_reader_init(out, buf_bytes(&r->item));
    *out_items = cbor_get_array(out, 1 + DUMP_MAX_COLUMNS);
    uint64_t kind = cbor_get_uint(out);
    if (out->err != ERR_OK || kind > DUMP_END) return damaged(why);
    *out_kind = (enum dump_frame)kind;
    --*out_items;
    dump_count_frame(&r->count, *out_kind, bytes_of(head, n_head), buf_bytes(&r->item));
    return ERR_OK;
}

/* ------------------------------------------------------------------------------------------------ what they say */

static enum err take_mark(struct reader *r, struct why *why)
{
    enum dump_frame kind = DUMP_END;
    struct cbor_reader in;
    size_t items = 0;
    enum err e = take_frame(r, &kind, &in, &items, why);
    if (e != ERR_OK) return e;
    if (kind != DUMP_HEAD || items < 2 || !bytes_equal(cbor_get_text(&in), bytes_of_str(DUMP_MARK)))
        return damaged(why);
    uint64_t version = cbor_get_uint(&in);
    if (in.err == ERR_OK && version > DUMP_VERSION) return newer(why);
    r->schema = cbor_get_uint(&in);
    r->tables = cbor_get_uint(&in);
    if (items != 4 || version != DUMP_VERSION || !cbor_at_end(&in)) return damaged(why);
    return r->schema > rules_schema_newest() ? newer(why) : ERR_OK;
}

static void write_insert(struct reader *r)
{
    const struct dump_shape *t = r->table;
    buf_reset(&r->sql);
    buf_printf(&r->sql, "INSERT INTO \"%s\"(", t->name);
    for (size_t i = 0; i < r->n_columns; i++)
        buf_printf(&r->sql, "%s\"%s\"", i > 0 ? ", " : "", t->column[r->column[i]].name);
    buf_put_str(&r->sql, ") VALUES(");
    for (size_t i = 0; i < r->n_columns; i++) buf_printf(&r->sql, "%s$%zu", i > 0 ? ", " : "", i + 1);
    buf_put_str(&r->sql, ")");
}

static bool in_key(const struct dump_shape *t, size_t column)
{
    size_t i = 0;
    while (i < t->n_key && t->key[i] != column) i++;
    return i < t->n_key;
}

/* Each column once, and all of the key: where a number of it is missing, SQLite would make one up. */
static bool names_rows(const struct reader *r)
{
    bool named[DUMP_MAX_COLUMNS] = {false};
    size_t of_key = 0;
    for (size_t i = 0; i < r->n_columns; i++) {
        if (named[r->column[i]]) return false;
        named[r->column[i]] = true;
        if (in_key(r->table, r->column[i])) of_key++;
    }
    return of_key == r->table->n_key;
}

static enum err take_columns(struct reader *r, struct cbor_reader *in, struct why *why)
{
    const struct dump_shape *t = r->table;
    r->n_columns = cbor_get_array(in, DUMP_MAX_COLUMNS);
    for (size_t i = 0; i < r->n_columns; i++) {
        struct bytes name = cbor_get_text(in);
        size_t c = 0;
        while (c < t->n_columns && !bytes_equal(bytes_of_str(t->column[c].name), name)) c++;
        if (in->err == ERR_OK && c == t->n_columns) return newer(why);
        r->column[i] = c;
    }
    return cbor_at_end(in) && r->n_columns > 0 && names_rows(r) ? ERR_OK : damaged(why);
}

/* Also what the making of the store put into it. */
static enum err empty(struct reader *r, struct why *why)
{
    struct stmt *s = NULL;
    struct buf sql;
    buf_init(&sql, 256);
    buf_printf(&sql, "DELETE FROM \"%s\"", r->table->name);
    const char *text = buf_cstr(&sql);
    enum err e = text == NULL ? no_memory(why) : db_prepare(r->db, text, &s, why);
    buf_release(&sql);
    return e == ERR_OK ? db_run(s, why) : e;
}

static enum err take_table(struct reader *r, struct cbor_reader *in, size_t items, struct why *why)
{
    const struct dump_sum *sum = r->count.sum;
    struct bytes name = cbor_get_text(in);
    if (in->err != ERR_OK || items != 2 || r->table != NULL) return damaged(why);
    if (sum->n > 0 && bytes_compare(bytes_of_str(sum->table[sum->n - 1].name), name) >= 0) return damaged(why);
    r->table = dump_shape_find(r->shapes, name);
    if (r->table == NULL) return newer(why);
    if (!dump_count_table(&r->count, name)) return damaged(why);
    enum err e = take_columns(r, in, why);
    if (e != ERR_OK) return e;
    write_insert(r);
    return empty(r, why);
}

static enum err bind_secret(struct reader *r, struct stmt *s, const struct value v[], size_t i, struct why *why)
{
    size_t name = 0;
    while (name < r->n_columns && strcmp(r->table->column[r->column[name]].name, "name") != 0) name++;
    if (name == r->n_columns || v[name].kind != VALUE_TEXT || v[i].kind != VALUE_BLOB) return damaged(why);
    buf_reset(&r->seal);
    enum err e = r->keeper->seal(r->keeper->ctx, v[name].s, v[i].s, &r->seal, why);
    if (e == ERR_OK && r->seal.err != ERR_OK) e = no_memory(why);
    if (e == ERR_OK) db_bind_blob(s, (int)i + 1, buf_bytes(&r->seal));
    return e;
}

/* A value that the table cannot hold is not one that a store had. What befalls the store that is filled says nothing
 * of the copy. */
static enum err cannot_be(const struct reader *r, enum err e, struct why *why)
{
    return e == ERR_FORMAT || (e == ERR_FAILED && db_refused(r->db)) ? damaged(why) : e;
}

/* On PostgreSQL what came of the last rows is told with the next question only (sync/db_postgres_flight.c): the table's
 * end asks one. */
static enum err settle(const struct reader *r, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(r->db, "SELECT 1", &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, &row, why);
    db_done(s);
    return cannot_be(r, e, why);
}

static enum err take_row(struct reader *r, struct cbor_reader *in, size_t items, struct why *why)
{
    struct value v[DUMP_MAX_COLUMNS];
    struct stmt *s = NULL;
    if (r->table == NULL || items != r->n_columns) return damaged(why);
    for (size_t i = 0; i < items; i++) {
        enum value_kind kind = r->table->column[r->column[i]].kind;
        if (!dump_get_value(in, &v[i])) return damaged(why);
        if (v[i].kind != kind && v[i].kind != VALUE_NULL && kind != VALUE_NONE) return damaged(why);
        if (v[i].kind == VALUE_NULL && in_key(r->table, r->column[i])) return damaged(why);
    }
    if (!cbor_at_end(in)) return damaged(why);
    const char *text = buf_cstr(&r->sql);
    enum err e = text == NULL ? no_memory(why) : db_prepare(r->db, text, &s, why);
    if (e != ERR_OK) return e;
    bool secret = r->keeper != NULL && strcmp(r->table->name, "secret_state") == 0;
    for (size_t i = 0; e == ERR_OK && i < items; i++) {
        if (secret && strcmp(r->table->column[r->column[i]].name, "value") == 0 && v[i].kind != VALUE_NULL)
            e = bind_secret(r, s, v, i, why);
        else
            db_bind_value(s, (int)i + 1, v[i]);
    }
    if (e != ERR_OK) {
        db_done(s);
        return e;
    }
    dump_count_row(&r->count);
    return cannot_be(r, db_run(s, why), why);
}

static enum err take_table_end(struct reader *r, struct cbor_reader *in, size_t items, struct why *why)
{
    uint8_t hash[HASH_BYTES];
    if (r->table == NULL || items != 2) return damaged(why);
    const struct dump_table *sum = dump_count_table_end(&r->count);
    uint64_t rows = cbor_get_uint(in);
    cbor_get_fixed(in, hash, sizeof hash);
    r->table = NULL;
    return cbor_at_end(in) && rows == sum->rows && memcmp(hash, sum->hash, sizeof hash) == 0 ? settle(r, why) : damaged(why);
}

static enum err take_end(struct reader *r, struct cbor_reader *in, size_t items, struct why *why)
{
    const struct dump_sum *sum = r->count.sum;
    uint8_t hash[HASH_BYTES];
    bool there = true;
    dump_count_end(&r->count);
    uint64_t tables = cbor_get_uint(in), rows = cbor_get_uint(in);
    cbor_get_fixed(in, hash, sizeof hash);
    if (!cbor_at_end(in) || items != 3 || r->table != NULL || tables != r->tables || tables != sum->n ||
        rows != sum->rows || memcmp(hash, sum->hash, sizeof hash) != 0)
        return damaged(why);
    r->ended = true;
    enum err e = more(r, &there, why);
    return e == ERR_OK && there ? damaged(why) : e;
}

static enum err take_next(struct reader *r, struct why *why)
{
    enum dump_frame kind = DUMP_END;
    struct cbor_reader in;
    size_t items = 0;
    enum err e = take_frame(r, &kind, &in, &items, why);
    if (e != ERR_OK) return e;
    switch (kind) {
    case DUMP_TABLE: return take_table(r, &in, items, why);
    case DUMP_ROW: return take_row(r, &in, items, why);
    case DUMP_TABLE_END: return take_table_end(r, &in, items, why);
    case DUMP_END: return take_end(r, &in, items, why);
    case DUMP_HEAD: break;
    }
    return damaged(why);
}

/* ------------------------------------------------------------------------------------------------------ the whole */

static enum err must_be_new(const struct dump_shapes *t, struct db *db, struct why *why)
{
    struct dump_sum made, here;
    enum err e = dump_shapes_sum(t, t->model, NULL, NULL, &made, why);
    if (e == ERR_OK) e = dump_shapes_sum(t, db, NULL, NULL, &here, why);
    if (e != ERR_OK || dump_same(&made, &here, NULL) == ERR_OK) return e;
    return why_set(why, ERR_EXISTS, "The store that was to be filled is not empty. Nothing was changed.");
}

/* What an older program wrote stands now in a store with the columns of this one. */
static enum err set_schema(struct reader *r, struct why *why)
{
    struct stmt *s = NULL;
    if (r->schema == rules_schema_newest()) return ERR_OK;
    enum err e = db_prepare(r->db, "UPDATE h_counter SET value = $1 WHERE name = 'schema'", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, (int64_t)rules_schema_newest());
    return db_run(s, why);
}

enum err dump_shapes_read(const struct dump_shapes *t, struct db *db, const struct dump_keeper *keeper,
                          const struct dump_source *source, struct dump_sum *out, struct why *why)
{
    struct reader r = {.db = db, .keeper = keeper, .source = source, .shapes = t};
    buf_init(&r.item, DUMP_FRAME_MAX);
    buf_init(&r.sql, SQL_BYTES);
    buf_init(&r.seal, 1u << 20);
    dump_count_begin(&r.count, out);
    enum err e = take_mark(&r, why);
    while (e == ERR_OK && !r.ended) e = take_next(&r, why);
    if (e == ERR_OK) e = set_schema(&r, why);
    buf_release(&r.item);
    buf_release(&r.sql);
    buf_release(&r.seal);
    return e;
}

enum err dump_read(const struct env *env, struct db *db, const struct dump_keeper *keeper,
                   const struct dump_source *source, struct dump_sum *out_sum, struct why *why)
{
    struct dump_shapes shapes;
    struct dump_sum sum;
    enum err e = dump_shapes_load(&shapes, db, env, why);
    if (e == ERR_OK) e = must_be_new(&shapes, db, why);
    if (e == ERR_OK) e = dump_shapes_read(&shapes, db, keeper, source, &sum, why);
    if (e == ERR_OK && out_sum != NULL) *out_sum = sum;
    dump_shapes_release(&shapes);
    return e;
}
