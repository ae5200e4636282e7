/* Rows of the journal, into a store. Nothing of it is believed before the whole journal was read: the caller undoes
 * it else. */
#include "hub/redo_apply.h"

#include "hub/dump_frame.h"
#include "hub/move.h"

#include <stdlib.h>
#include <string.h>

#define SQL_BYTES (16u << 10)

enum pass { TAKE_AWAY, PUT };

struct redo_rows {
    struct db *db;
    const struct secret *key;
    struct dump_shapes shapes;
    const struct dump_shape *table; /* NULL: none was named yet */
    size_t n_columns, column[DUMP_MAX_COLUMNS];
    bool in_stream[DUMP_MAX_COLUMNS];
    struct buf insert, remove; /* how a row of it is put, and taken away */
    struct buf seal;           /* a value of secret_state */
};

static enum err damaged(struct why *why)
{
    return why_set(why, ERR_TAMPERED, "What an entry of the journal holds is damaged.");
}

static enum err newer(struct why *why)
{
    (void)why_set(why, ERR_VERSION, "The journal was written by a newer version of Spoke than this one.");
    return why_next(why, ERR_VERSION, "Use the newer version, or update Spoke. Nothing was restored.");
}

static enum err no_memory(struct why *why)
{
    return why_set(why, ERR_NOMEM, "There is not enough memory to read the journal.");
}

enum err redo_rows_new(struct redo_rows **out, const struct env *env, struct db *db, const struct secret *key,
                       struct why *why)
{
    struct redo_rows *r = calloc(1, sizeof *r);
    if (r == NULL) return no_memory(why);
    r->db = db;
    r->key = key;
    buf_init(&r->insert, SQL_BYTES);
    buf_init(&r->remove, SQL_BYTES);
    buf_init(&r->seal, 1u << 20);
    enum err e = dump_shapes_load(&r->shapes, db, env, why);
    if (e == ERR_OK)
        *out = r;
    else
        redo_rows_free(r);
    return e;
}

void redo_rows_free(struct redo_rows *r)
{
    if (r == NULL) return;
    dump_shapes_release(&r->shapes);
    buf_release(&r->insert);
    buf_release(&r->remove);
    buf_release(&r->seal);
    free(r);
}

/* ------------------------------------------------------------------------------------------------------- a table */

static void write_insert(struct redo_rows *r)
{
    const struct dump_shape *t = r->table;
    buf_reset(&r->insert);
    buf_printf(&r->insert, "INSERT INTO \"%s\"(", t->name);
    for (size_t i = 0; i < r->n_columns; i++)
        buf_printf(&r->insert, "%s\"%s\"", i > 0 ? ", " : "", t->column[r->column[i]].name);
    buf_put_str(&r->insert, ") VALUES(");
    for (size_t i = 0; i < r->n_columns; i++) buf_printf(&r->insert, "%s$%zu", i > 0 ? ", " : "", i + 1);
    buf_put_str(&r->insert, ")");
}

/* Without a key: all of them. */
static void write_remove(struct redo_rows *r)
{
    const struct dump_shape *t = r->table;
    buf_reset(&r->remove);
    buf_printf(&r->remove, "DELETE FROM \"%s\"", t->name);
    for (size_t i = 0; i < t->n_key; i++)
        buf_printf(&r->remove, "%s\"%s\" = $%zu", i > 0 ? " AND " : " WHERE ", t->column[t->key[i]].name, i + 1);
}

static enum err statement(struct redo_rows *r, struct buf *sql, struct stmt **out, struct why *why)
{
    const char *text = buf_cstr(sql);
    return text == NULL ? no_memory(why) : db_prepare(r->db, text, out, why);
}

/* A value that the table cannot hold is not one that a store had. */
static enum err run(struct stmt *s, struct why *why)
{
    enum err e = db_run(s, why);
    return e == ERR_EXISTS || e == ERR_FAILED || e == ERR_FORMAT || e == ERR_DENIED ? damaged(why) : e;
}

/* Each column once, and all of the key. */
static enum err take_columns(struct redo_rows *r, struct cbor_reader *in, struct why *why)
{
    const struct dump_shape *t = r->table;
    memset(r->in_stream, 0, sizeof r->in_stream);
    r->n_columns = cbor_get_array(in, DUMP_MAX_COLUMNS);
    for (size_t i = 0; i < r->n_columns; i++) {
        struct bytes name = cbor_get_text(in);
        size_t c = 0;
        while (c < t->n_columns && !bytes_equal(bytes_of_str(t->column[c].name), name)) c++;
        if (in->err != ERR_OK) return damaged(why);
        if (c == t->n_columns) return newer(why);
        if (r->in_stream[c]) return damaged(why);
        r->in_stream[c] = true;
        r->column[i] = c;
    }
    for (size_t i = 0; i < t->n_key; i++)
        if (!r->in_stream[t->key[i]]) return damaged(why);
    return cbor_at_end(in) && r->n_columns > 0 ? ERR_OK : damaged(why);
}

static enum err take_table(struct redo_rows *r, struct cbor_reader *in, enum pass pass, struct why *why)
{
    struct stmt *s;
    struct bytes name = cbor_get_text(in);
    if (in->err != ERR_OK) return damaged(why);
    if (name.n >= 6 && memcmp(name.p, "h_redo", 6) == 0) return damaged(why); /* its own tables are in no journal */
    r->table = dump_shape_find(&r->shapes, name);
    if (r->table == NULL) return newer(why);
    enum err e = take_columns(r, in, why);
    if (e != ERR_OK) return e;
    write_insert(r);
    write_remove(r);
    if (pass != TAKE_AWAY || r->table->n_key > 0) return ERR_OK;
    e = statement(r, &r->remove, &s, why);
    return e == ERR_OK ? run(s, why) : e;
}

/* --------------------------------------------------------------------------------------------------------- a row */

static bool fits(const struct dump_shape *t, size_t column, struct value v, bool key)
{
    enum value_kind kind = t->column[column].kind;
    return v.kind == VALUE_NULL ? !key : v.kind == kind || kind == VALUE_NONE;
}

static enum err bind_secret(struct redo_rows *r, struct stmt *s, const struct value v[], size_t i, struct why *why)
{
    struct dump_keeper keeper = move_keeper(r->db, r->key);
    size_t name = 0;
    while (name < r->n_columns && r->column[name] != r->table->key[0]) name++;
    if (name == r->n_columns || v[name].kind != VALUE_TEXT || v[i].kind != VALUE_BLOB) return damaged(why);
    buf_reset(&r->seal);
    enum err e = keeper.seal(keeper.ctx, v[name].s, v[i].s, &r->seal, why);
    if (e == ERR_OK && r->seal.err != ERR_OK) e = no_memory(why);
    if (e == ERR_OK) db_bind_blob(s, (int)i + 1, buf_bytes(&r->seal));
    return e;
}

static enum err insert(struct redo_rows *r, const struct value v[], struct why *why)
{
    bool secret = strcmp(r->table->name, "secret_state") == 0;
    struct stmt *s;
    enum err e = statement(r, &r->insert, &s, why);
    if (e != ERR_OK) return e;
    for (size_t i = 0; e == ERR_OK && i < r->n_columns; i++) {
        if (secret && strcmp(r->table->column[r->column[i]].name, "value") == 0 && v[i].kind != VALUE_NULL)
            e = bind_secret(r, s, v, i, why);
        else
            db_bind_value(s, (int)i + 1, v[i]);
    }
    if (e == ERR_OK) return run(s, why);
    db_done(s);
    return e;
}

static enum err take_away(struct redo_rows *r, const struct value key[], struct why *why)
{
    struct stmt *s;
    enum err e = statement(r, &r->remove, &s, why);
    if (e != ERR_OK) return e;
    for (size_t i = 0; i < r->table->n_key; i++) db_bind_value(s, (int)i + 1, key[i]);
    return run(s, why);
}

static bool in_key(const struct dump_shape *t, size_t column)
{
    for (size_t i = 0; i < t->n_key; i++)
        if (t->key[i] == column) return true;
    return false;
}

static enum err take_row(struct redo_rows *r, struct cbor_reader *in, enum pass pass, struct why *why)
{
    const struct dump_shape *t = r->table;
    struct value v[DUMP_MAX_COLUMNS], key[DUMP_MAX_KEY];
    for (size_t i = 0; i < r->n_columns; i++) {
        if (!dump_get_value(in, &v[i]) || !fits(t, r->column[i], v[i], in_key(t, r->column[i]))) return damaged(why);
        for (size_t k = 0; k < t->n_key; k++)
            if (t->key[k] == r->column[i]) key[k] = v[i];
    }
    if (!cbor_at_end(in)) return damaged(why);
    if (pass == PUT) return insert(r, v, why);
    return t->n_key == 0 ? ERR_OK : take_away(r, key, why);
}

static enum err take_gone(struct redo_rows *r, struct cbor_reader *in, enum pass pass, struct why *why)
{
    const struct dump_shape *t = r->table;
    struct value key[DUMP_MAX_KEY];
    if (t->n_key == 0) return damaged(why);
    for (size_t i = 0; i < t->n_key; i++)
        if (!dump_get_value(in, &key[i]) || !fits(t, t->key[i], key[i], true)) return damaged(why);
    if (!cbor_at_end(in)) return damaged(why);
    return pass == TAKE_AWAY ? take_away(r, key, why) : ERR_OK;
}

static enum err take_frame(struct redo_rows *r, struct bytes frame, enum pass pass, struct why *why)
{
    struct cbor_reader in;
    cbor_reader_init(&in, frame);
    size_t n = cbor_get_array(&in, 1 + DUMP_MAX_COLUMNS);
    uint64_t kind = cbor_get_uint(&in);
    if (in.err != ERR_OK || n == 0) return damaged(why);
    if (kind == REDO_TABLE) return n == 3 ? take_table(r, &in, pass, why) : damaged(why);
    if (r->table == NULL) return damaged(why);
    if (kind == REDO_ROW && n - 1 == r->n_columns) return take_row(r, &in, pass, why);
    if (kind == REDO_GONE && n - 1 == r->table->n_key) return take_gone(r, &in, pass, why);
    return damaged(why);
}

/* First all rows that it names go, then those that stand come: so none meets what another one was. */
enum err redo_rows_put(struct redo_rows *r, struct bytes transaction, struct why *why)
{
    enum err e = ERR_OK;
    for (int pass = TAKE_AWAY; e == ERR_OK && pass <= PUT; pass++) {
        struct bytes left = transaction, frame;
        r->table = NULL;
        while (e == ERR_OK && left.n > 0)
            e = redo_get_frame(&left, &frame) ? take_frame(r, frame, (enum pass)pass, why) : damaged(why);
    }
    return e;
}
