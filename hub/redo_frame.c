/* Rows that changed, as frames of the journal. Where the store is another machine's each question is a journey: there
 * rows of one table are asked for some at a time. */
#include "hub/redo_take.h"

#include "crypto/identity.h"
#include "hub/dump_frame.h"
#include "hub/internal.h"
#include "hub/move.h"
#include "hub/redo_part.h"

#include <string.h>

#define SQL_BYTES (64u << 10)
#define PARAMS    64u /* of one statement */

static enum err no_memory(struct why *why)
{
    return why_set(why, ERR_NOMEM, "There is not enough memory for the journal.");
}

void redo_frames_init(struct redo_frames *r, struct hub *h)
{
    *r = (struct redo_frames){.h = h};
    buf_init(&r->one, SQL_BYTES);
    buf_init(&r->many, SQL_BYTES);
    buf_init(&r->item, DUMP_FRAME_MAX);
    buf_init(&r->body, REDO_PENDING_MAX);
    buf_init(&r->open, 1u << 20);
}

void redo_frames_release(struct redo_frames *r)
{
    dump_shapes_release(&r->shapes);
    buf_release(&r->one);
    buf_release(&r->many);
    buf_release(&r->item);
    buf_release(&r->body);
    buf_release(&r->open);
}

static enum err put_item(struct redo_frames *r, struct why *why)
{
    redo_put_frame(&r->body, buf_bytes(&r->item));
    if (r->item.err == ERR_LIMIT || r->body.err == ERR_LIMIT)
        return why_set(why, ERR_LIMIT, "A transaction is too large for the journal.");
    if (r->item.err == ERR_FORMAT)
        return why_set(why, ERR_FORMAT, "The store holds a value that the journal cannot hold.");
    return r->item.err != ERR_OK || r->body.err != ERR_OK ? no_memory(why) : ERR_OK;
}

static void begin_item(struct redo_frames *r, enum redo_frame kind, size_t more)
{
    buf_reset(&r->item);
    cbor_put_array(&r->item, 1 + more);
    cbor_put_uint(&r->item, kind);
}

/* ---------------------------------------------------------------------------------------------------------- a table */

static void write_question(struct buf *sql, const struct dump_shape *t, size_t rows)
{
    buf_reset(sql);
    buf_put_str(sql, "SELECT ");
    for (size_t i = 0; i < t->n_columns; i++) buf_printf(sql, "%s\"%s\"", i > 0 ? ", " : "", t->column[i].name);
    buf_printf(sql, " FROM \"%s\"", t->name);
    for (size_t row = 0; row < rows; row++)
        for (size_t i = 0; i < t->n_key; i++)
            buf_printf(sql, "%s\"%s\" = $%zu%s",
                       i > 0     ? " AND "
                       : row > 0 ? " OR ("
                                 : " WHERE (",
                       t->column[t->key[i]].name, row * t->n_key + i + 1, i + 1 == t->n_key ? ")" : "");
}

static enum err load_shapes(struct redo_frames *r, struct why *why)
{
    dump_shapes_release(&r->shapes);
    r->schema = 0;
    enum err e = dump_shapes_here(&r->shapes, r->h->db, why);
    if (e == ERR_OK) r->schema = db_schema(r->h->db);
    return e;
}

static enum err begin_table(struct redo_frames *r, const char *name, bool whole, struct why *why)
{
    enum err e = ERR_OK;
    r->table = dump_shape_find(&r->shapes, bytes_of_str(name));
    if (r->table == NULL) e = load_shapes(r, why); /* it came since */
    if (e == ERR_OK) r->table = dump_shape_find(&r->shapes, bytes_of_str(name));
    if (e == ERR_OK && r->table == NULL)
        e = why_set(why, ERR_LIMIT, "The table %.60s cannot be found in the store.", name);
    if (e != ERR_OK) return e;
    begin_item(r, REDO_TABLE, 2);
    cbor_put_str(&r->item, name);
    cbor_put_array(&r->item, r->table->n_columns);
    for (size_t i = 0; i < r->table->n_columns; i++) cbor_put_str(&r->item, r->table->column[i].name);
    size_t most = r->table->n_key == 0 ? 1 : PARAMS / r->table->n_key;
    r->most = !db_is_postgres(r->h->db) ? 1 : most < REDO_KEYS ? most : REDO_KEYS;
    write_question(&r->one, r->table, whole ? 0 : 1);
    if (r->most > 1) write_question(&r->many, r->table, r->most);
    return put_item(r, why);
}

/* ------------------------------------------------------------------------------------------------------------ rows */

/* The hub's own keys stand in the journal as in a backup: however the engine keeps them. */
static enum err put_row(struct redo_frames *r, struct stmt *s, struct why *why)
{
    const struct dump_shape *t = r->table;
    struct secret key = keyring_data_key(&r->h->keys);
    struct dump_keeper keeper = move_keeper(r->h->db, &key);
    bool secret = strcmp(t->name, "secret_state") == 0;
    begin_item(r, REDO_ROW, t->n_columns);
    for (size_t i = 0; i < t->n_columns; i++) {
        if (secret && strcmp(t->column[i].name, "value") == 0 && !db_is_null(s, (int)i)) {
            buf_reset(&r->open);
            enum err e = keeper.open(keeper.ctx, db_bytes(s, (int)t->key[0]), db_bytes(s, (int)i), &r->open, why);
            if (e != ERR_OK) return e;
            cbor_put_bytes(&r->item, buf_bytes(&r->open));
        } else {
            dump_put_value(&r->item, db_value(s, (int)i));
        }
    }
    return put_item(r, why);
}

static enum err put_gone(struct redo_frames *r, const struct value *key, struct why *why)
{
    begin_item(r, REDO_GONE, r->table->n_key);
    for (size_t i = 0; i < r->table->n_key; i++) dump_put_value(&r->item, key[i]);
    return put_item(r, why);
}

static void note_found(struct redo_frames *r, struct stmt *s)
{
    const struct dump_shape *t = r->table;
    for (size_t row = 0; row < r->n_keys; row++) {
        size_t i = 0;
        while (i < t->n_key && value_equal(db_value(s, (int)t->key[i]), r->key[row][i])) i++;
        r->found[row] = r->found[row] || i == t->n_key;
    }
}

/* The rows that wait, as they stand now. Where the question has room for more, the last of them is named again. */
static enum err ask(struct redo_frames *r, bool whole, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false, many = r->n_keys > 1;
    if (!whole && r->n_keys == 0) return ERR_OK;
    const char *text = buf_cstr(many ? &r->many : &r->one);
    enum err e = text == NULL ? no_memory(why) : db_prepare(r->h->db, text, &s, why);
    if (e != ERR_OK) return e;
    for (size_t k = 0; !whole && k < (many ? r->most : 1); k++)
        for (size_t i = 0; i < r->table->n_key; i++)
            db_bind_value(s, (int)(k * r->table->n_key + i) + 1, r->key[k < r->n_keys ? k : r->n_keys - 1][i]);
    memset(r->found, 0, sizeof r->found);
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        note_found(r, s);
        e = put_row(r, s, why);
        if (e != ERR_OK) break;
    }
    db_done(s);
    for (size_t k = 0; e == ERR_OK && k < r->n_keys; k++)
        if (!r->found[k]) e = put_gone(r, r->key[k], why);
    r->n_keys = 0;
    return e;
}

enum err redo_frames_begin(struct redo_frames *r, struct why *why)
{
    buf_reset(&r->body);
    r->table = NULL;
    r->n_keys = 0;
    return r->schema == db_schema(r->h->db) ? ERR_OK : load_shapes(r, why);
}

enum err redo_frames_row(void *ctx, const char *table, const struct value *key, size_t n_key, struct why *why)
{
    struct redo_frames *r = ctx;
    enum err e = ERR_OK;
    if (r->table == NULL || strcmp(r->table->name, table) != 0) {
        e = ask(r, false, why);
        if (e == ERR_OK) e = begin_table(r, table, n_key == 0, why);
    }
    if (e != ERR_OK) return e;
    if (n_key == 0) return ask(r, true, why);
    if (n_key != r->table->n_key) return why_set(why, ERR_LIMIT, "The table %.60s has another key than it had.", table);
    memcpy(r->key[r->n_keys++], key, n_key * sizeof *key);
    return r->n_keys == r->most ? ask(r, false, why) : ERR_OK;
}

enum err redo_frames_end(struct redo_frames *r, struct why *why)
{
    return ask(r, false, why);
}

/* What cases say is wiped at once. */
void redo_frames_wipe(struct redo_frames *r)
{
    bool large = r->body.len > REDO_PIECE;
    buf_reset(&r->item);
    buf_reset(&r->body);
    buf_reset(&r->open);
    if (!large) return;
    buf_release(&r->body);
    buf_init(&r->body, REDO_PENDING_MAX);
}
