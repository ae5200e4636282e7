#include "sync/changeset.h"

#include <assert.h>
#include <string.h>

/* Bytes of the format (FORMAT.md §1; the comment at the head of sqlite3session.c). */
enum { MARK_CHANGESET = 'T', MARK_PATCHSET = 'P' };

const uint8_t *op_row_id(const struct op *op)
{
    return op->kind == OP_INSERT ? op->new_[0].s.p : op->old[0].s.p;
}

void changeset_reader_init(struct changeset_reader *r, struct bytes in, uint64_t schema)
{
    *r = (struct changeset_reader){.in = in, .schema = schema, .table_index = -1};
}

static enum err broken(struct why *why, const char *what)
{
    return why_set(why, ERR_FORMAT, "These changes are damaged or were not made by Spoke: %s.", what);
}

static bool take_byte(struct bytes *in, uint8_t *out)
{
    if (in->n == 0) return false;
    *out = in->p[0];
    *in = bytes_of(in->p + 1, in->n - 1);
    return true;
}

/* SQLite's varint: seven bits a byte, high bit while more follow. No count or length here reaches 2^28, and sqlite
 * never writes a longer form than needed: both are refused, so that a changeset has one encoding. */
static bool take_varint(struct bytes *in, size_t *out)
{
    size_t v = 0;
    for (unsigned i = 0; i < 4; i++) {
        uint8_t byte;
        if (!take_byte(in, &byte) || (i == 0 && byte == 0x80)) return false;
        v = v << 7 | (byte & 0x7f);
        if (byte < 0x80) {
            *out = v;
            return true;
        }
    }
    return false;
}

static bool take_bytes(struct bytes *in, size_t n, struct bytes *out)
{
    if (n > in->n) return false;
    *out = bytes_of(in->p, n);
    *in = bytes_of(in->p + n, in->n - n);
    return true;
}

static bool take_be64(struct bytes *in, uint64_t *out)
{
    struct bytes be;
    uint64_t v = 0;
    if (!take_bytes(in, 8, &be)) return false;
    for (size_t i = 0; i < 8; i++) v = v << 8 | be.p[i];
    *out = v;
    return true;
}

/* One value, its content not yet judged. */
static bool take_value(struct bytes *in, struct value *out)
{
    uint8_t kind;
    uint64_t bits;
    size_t n;
    if (!take_byte(in, &kind)) return false;
    *out = (struct value){.kind = (enum value_kind)kind};
    switch (kind) {
    case VALUE_NONE:
    case VALUE_NULL: return true;
    case VALUE_INT:
    case VALUE_REAL: /* the same eight bytes; which of the two may stand here, value_check knows */
        if (!take_be64(in, &bits)) return false;
        memcpy(kind == VALUE_INT ? (void *)&out->i : (void *)&out->r, &bits, sizeof bits);
        return true;
    case VALUE_TEXT:
    case VALUE_BLOB: return take_varint(in, &n) && n <= RULES_MAX_VALUE && take_bytes(in, n, &out->s);
    default: return false;
    }
}

/* A record of the first n columns. Values that are there must fit their columns. */
static enum err take_record(struct bytes *in, const struct table_rule *t, size_t n, struct value *out, struct why *why)
{
    for (size_t i = 0; i < n; i++) {
        if (!take_value(in, &out[i])) return broken(why, "a value is cut short, too long or of an unknown kind");
        bool nothing = out[i].kind == VALUE_NONE || (out[i].kind == VALUE_NULL && !t->columns[i].required);
        enum err e = nothing ? ERR_OK : value_check(t, i, out[i], why);
        if (e != ERR_OK) return e;
    }
    return ERR_OK;
}

static bool all_there(const struct value *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (v[i].kind == VALUE_NONE) return false;
    }
    return true;
}

static enum err take_update(struct bytes *in, bool patchset, size_t n, struct op *op, struct why *why)
{
    size_t changed = 0;
    enum err e = patchset ? ERR_OK : take_record(in, op->table, n, op->old, why);
    if (e == ERR_OK) e = take_record(in, op->table, n, op->new_, why);
    if (e != ERR_OK) return e;
    if (patchset)
        op->old[0] = op->new_[0];
    else if (op->new_[0].kind != VALUE_NONE)
        return broken(why, "a row would change its id");
    if (op->old[0].kind == VALUE_NONE) return broken(why, "a row has no id");
    for (size_t i = 1; i < n; i++) {
        if (!patchset && (op->old[i].kind == VALUE_NONE) != (op->new_[i].kind == VALUE_NONE))
            return broken(why, "a column has only its old or only its new value");
        changed += op->new_[i].kind != VALUE_NONE;
    }
    return changed > 0 ? ERR_OK : broken(why, "an edit changes nothing");
}

static enum err take_delete(struct bytes *in, bool patchset, size_t n, struct op *op, struct why *why)
{
    size_t want = patchset ? 1 : n; /* a patchset's record holds the key alone, and nothing for other columns */
    enum err e = take_record(in, op->table, want, op->old, why);
    if (e == ERR_OK && !all_there(op->old, want)) return broken(why, "a deleted row is not whole");
    return e;
}

/* What this version does not tell of a whole row is NULL in later ones. */
static void fill_later(struct value *v, size_t from, size_t n)
{
    for (size_t i = from; i < n; i++) v[i] = value_null();
}

/* `n`: columns of the table in the schema version that is read. */
static enum err take_op(struct bytes *in, bool patchset, size_t n, struct op *op, struct why *why)
{
    uint8_t kind, indirect;
    if (!take_byte(in, &kind) || !take_byte(in, &indirect) || indirect > 1)
        return broken(why, "an operation is cut short");
    op->kind = (enum op_kind)kind;
    op->indirect = indirect == 1;
    if (kind == OP_UPDATE) return take_update(in, patchset, n, op, why);
    if (kind == OP_DELETE) {
        if (!patchset) fill_later(op->old, n, op->table->n_columns);
        return take_delete(in, patchset, n, op, why);
    }
    if (kind != OP_INSERT) return broken(why, "an operation of an unknown kind, or a table without any");
    enum err e = take_record(in, op->table, n, op->new_, why);
    fill_later(op->new_, n, op->table->n_columns);
    if (e == ERR_OK && !all_there(op->new_, n)) return broken(why, "a new row is not whole");
    return e;
}

static enum err take_header(struct bytes *in, bool patchset, uint64_t schema, int *out_table, struct why *why)
{
    uint8_t mark;
    size_t n;
    struct bytes flags;
    if (!take_byte(in, &mark) || /* branch: changeset_next has seen a byte */
        mark != (patchset ? MARK_PATCHSET : MARK_CHANGESET))
        return broken(why, "two formats are mixed, or this is neither");
    /* SQLite 3.40.1 loops for ever on a header that ends here (54 01 01): every byte is counted before it is used. */
    if (!take_varint(in, &n) || n == 0 || n > RULES_MAX_COLUMNS || !take_bytes(in, n, &flags))
        return broken(why, "the head of a table is cut short");
    const uint8_t *end = in->n == 0 ? NULL : memchr(in->p, 0, in->n);
    if (end == NULL) return broken(why, "the name of a table does not end");
    struct bytes name = bytes_of(in->p, (size_t)(end - in->p)), nul;
    if (!take_bytes(in, name.n, &name) || !take_bytes(in, 1, &nul)) /* branch: memchr found both in there */
        return broken(why, "the head of a table is cut short");
    int index = rules_table_index(name);
    if (index < 0) return broken(why, "a table that is not exchanged");
    if (n != rules_columns_at(rules_table((size_t)index), schema))
        return broken(why, "a table has the wrong number of columns");
    for (size_t i = 0; i < n; i++) {
        if (flags.p[i] != (i == 0)) return broken(why, "a table has another key");
    }
    *out_table = index;
    return ERR_OK;
}

enum err changeset_next(struct changeset_reader *r, struct op *out, bool *out_end, struct why *why)
{
    if (r->in.n == 0) {
        *out_end = true;
        return ERR_OK;
    }
    struct changeset_reader next =
        *r; /* a refused byte leaves *r where it was: the same error again, never a way past */
    if (next.table == NULL) next.patchset = next.in.p[0] == MARK_PATCHSET;
    if (next.table == NULL || next.in.p[0] == MARK_CHANGESET || next.in.p[0] == MARK_PATCHSET) {
        enum err e = take_header(&next.in, next.patchset, next.schema, &next.table_index, why);
        if (e != ERR_OK) return e;
        next.table = rules_table((size_t)next.table_index);
        next.n_columns = rules_columns_at(next.table, next.schema);
    }
    *out = (struct op){.table = next.table, .table_index = next.table_index};
    enum err e = take_op(&next.in, next.patchset, next.n_columns, out, why);
    if (e != ERR_OK) return e;
    next.n_ops++;
    *r = next;
    *out_end = false;
    return ERR_OK;
}

void changeset_writer_init(struct changeset_writer *w, struct buf *out, bool patchset, uint64_t schema)
{
    *w = (struct changeset_writer){.out = out, .schema = schema, .patchset = patchset, .table_index = -1};
}

static void put_varint(struct buf *b, size_t v)
{
    assert(v < (size_t)1 << 28);
    for (unsigned shift = 21; shift > 0; shift -= 7) {
        if (v >> shift != 0) buf_put_u8(b, (uint8_t)(0x80 | (v >> shift & 0x7f)));
    }
    buf_put_u8(b, (uint8_t)(v & 0x7f));
}

static void put_value(struct buf *b, const struct column_rule *c, struct value v)
{
    uint64_t bits;
    if ((v.kind == VALUE_REAL && c->type != COL_REAL) ||
        ((v.kind == VALUE_TEXT || v.kind == VALUE_BLOB) && v.s.n > RULES_MAX_VALUE)) {
        b->err = b->err != ERR_OK ? b->err : ERR_LIMIT; /* what we would refuse to read we do not write */
        return;
    }
    buf_put_u8(b, (uint8_t)v.kind);
    if (v.kind == VALUE_INT) {
        buf_put_be64(b, (uint64_t)v.i);
    } else if (v.kind == VALUE_REAL) {
        memcpy(&bits, &v.r, sizeof bits);
        buf_put_be64(b, bits);
    } else if (v.kind == VALUE_TEXT || v.kind == VALUE_BLOB) {
        put_varint(b, v.s.n);
        buf_put_bytes(b, v.s);
    }
}

static void put_record(struct buf *b, const struct column_rule *c, const struct value *v, size_t n)
{
    for (size_t i = 0; i < n; i++) put_value(b, &c[i], v[i]);
}

static void put_header(struct changeset_writer *w, const struct table_rule *t, size_t n)
{
    buf_put_u8(w->out, w->patchset ? MARK_PATCHSET : MARK_CHANGESET);
    put_varint(w->out, n);
    for (size_t i = 0; i < n; i++) buf_put_u8(w->out, i == 0);
    buf_put(w->out, t->name, strlen(t->name) + 1);
}

/* Old values of exactly the changed columns, so that a caller may hand over the whole old row. */
static void put_update(struct changeset_writer *w, const struct op *op, size_t n)
{
    const struct column_rule *c = op->table->columns;
    if (!w->patchset) {
        put_value(w->out, c, op->old[0]);
        for (size_t i = 1; i < n; i++)
            put_value(w->out, &c[i], op->new_[i].kind == VALUE_NONE ? value_none() : op->old[i]);
    }
    put_value(w->out, c, w->patchset ? op->old[0] : value_none());
    put_record(w->out, c + 1, op->new_ + 1, n - 1);
}

void changeset_put(struct changeset_writer *w, const struct op *op)
{
    size_t n = rules_columns_at(op->table, w->schema);
    if (op->table_index != w->table_index) put_header(w, op->table, n);
    w->table_index = op->table_index;
    buf_put_u8(w->out, (uint8_t)op->kind);
    buf_put_u8(w->out, op->indirect);
    if (op->kind == OP_INSERT)
        put_record(w->out, op->table->columns, op->new_, n);
    else if (op->kind == OP_DELETE)
        put_record(w->out, op->table->columns, op->old, w->patchset ? 1 : n);
    else
        put_update(w, op, n);
}
