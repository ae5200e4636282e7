/* Whole rows of synced tables, their statements made from the rules; and the hash over all of them. */
#include "sync/db_internal.h"

#include "crypto/hash.h"

#include <assert.h>
#include <string.h>

#define MAX_ROW_SQL 8192 /* bytes: RULES_MAX_COLUMNS names and the words around them */

static void put_names(struct buf *sql, const struct table_rule *t, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_printf(sql, "%s\"%s\"", i == 0 ? "" : ",", t->columns[i].name);
}

/* Of the first n columns: those of the store. */
static void put_select(struct buf *sql, const struct table_rule *t, size_t n, const char *rest)
{
    buf_put_str(sql, "SELECT ");
    put_names(sql, t, n);
    buf_printf(sql, " FROM \"%s\" %s", t->name, rest);
}

/* A row in place of the one with its id. SQLite's own word for it is the one that nodes were measured with. */
static void put_insert(struct buf *sql, const struct table_rule *t, size_t n, bool postgres)
{
    buf_printf(sql, "INSERT %sINTO \"%s\"(", postgres ? "" : "OR REPLACE ", t->name);
    put_names(sql, t, n);
    buf_put_str(sql, ") VALUES(");
    for (size_t i = 0; i < n; i++)
        buf_printf(sql, "%s$%zu", i == 0 ? "" : ",", i + 1);
    buf_put_str(sql, ")");
    if (!postgres)
        return;
    buf_put_str(sql, " ON CONFLICT(\"id\") DO UPDATE SET ");
    for (size_t i = 1; i < n; i++) /* column 0 is the id */
        buf_printf(sql, "%s\"%s\"=excluded.\"%s\"", i == 1 ? "" : ",", t->columns[i].name, t->columns[i].name);
}

static size_t table_number(const struct table_rule *t)
{
    size_t n;
    const struct table_rule *first = rules_tables(&n);
    assert(t >= first && t < first + n && n <= DB_MAX_TABLES);
    return (size_t)(t - first);
}

/* The connection's statement for whole rows of `t`, made when first asked for. Never nested: none is handed
 * out. */
static enum err row_stmt(struct db *db, const struct table_rule *t, bool put, struct stmt **out, struct why *why)
{
    struct stmt **kept = put ? &db->put[table_number(t)] : &db->get[table_number(t)];
    struct buf sql;
    enum err e = ERR_OK;
    if (*kept == NULL) {
        buf_init(&sql, MAX_ROW_SQL);
        if (put)
            put_insert(&sql, t, rules_columns_at(t, db->schema), db_is_postgres(db));
        else
            put_select(&sql, t, rules_columns_at(t, db->schema), "WHERE \"id\" = $1");
        const char *text = buf_cstr(&sql);
        e = text == NULL ? why_set(why, sql.err, "There is not enough memory.") : db_stmt_new(db, text, kept, why);
        buf_release(&sql);
    }
    if (e == ERR_OK) {
        (*kept)->busy = true;
        *out = *kept;
    }
    return e;
}

/* Copy the row that `s` stands on. The size is taken first, so that the store grows once and no value moves. */
static enum err copy_row(struct stmt *s, const struct table_rule *t, struct buf *store, struct row *out,
                         struct why *why)
{
    struct row row = {.table = t};
    size_t total = 0, n = (size_t)db_columns(s);
    for (size_t i = n; i < t->n_columns; i++)
        row.v[i] = value_null();
    for (size_t i = 0; i < n; i++) {
        row.v[i] = db_value(s, (int)i);
        if (row.v[i].kind == VALUE_TEXT || row.v[i].kind == VALUE_BLOB)
            total += row.v[i].s.n;
    }
    uint8_t *p = total == 0 ? NULL : buf_grow(store, total);
    if (store->err != ERR_OK)
        return why_set(why, store->err, "A stored row is too large to be held in memory.");
    for (size_t i = 0; i < n; i++) {
        struct value *v = &row.v[i];
        if (v->kind != VALUE_TEXT && v->kind != VALUE_BLOB)
            continue;
        if (v->s.n == 0) {
            v->s.p = (const uint8_t *)"";
            continue;
        }
        memcpy(p, v->s.p, v->s.n);
        v->s.p = p;
        p += v->s.n;
    }
    *out = row;
    return ERR_OK;
}

enum err db_row_get(struct db *db, const struct table_rule *t, const uint8_t id[16], struct buf *store, struct row *out,
                    bool *out_found, struct why *why)
{
    struct stmt *s;
    bool found = false;
    enum err e = row_stmt(db, t, false, &s, why);
    if (e != ERR_OK)
        return e;
    db_bind_id(s, 1, id);
    e = db_step(s, &found, why);
    if (e == ERR_OK && found)
        e = copy_row(s, t, store, out, why);
    if (e == ERR_OK)
        *out_found = found;
    db_done(s);
    return e;
}

static bool is_value(struct value v)
{
    return v.kind != VALUE_NULL && v.kind != VALUE_NONE;
}

/* Left out, it would be a note that vanishes. */
static enum err too_early(const struct table_rule *t, size_t column, struct why *why)
{
    (void)why_set(why, ERR_DENIED, "The MASH server does not know this yet: %s of a %s. Nothing was saved.",
                  t->columns[column].name, t->name);
    return why_next(why, ERR_DENIED,
                    "Leave it out for now. It can be filled in once the MASH server has been brought up to date and "
                    "this device has been in contact with it.");
}

enum err db_row_put(struct db *db, const struct row *r, struct why *why)
{
    struct stmt *s;
    size_t n = rules_columns_at(r->table, db->schema);
    for (size_t i = n; i < r->table->n_columns; i++) {
        if (is_value(r->v[i]))
            return too_early(r->table, i, why);
    }
    enum err e = row_stmt(db, r->table, true, &s, why);
    if (e != ERR_OK)
        return e;
    for (size_t i = 0; i < n; i++)
        db_bind_value(s, (int)i + 1, r->v[i]);
    return db_run(s, why);
}

/* Prepare a statement made from a format and rule names. */
static enum err prepare_buf(struct db *db, struct buf *sql, struct stmt **out, struct why *why)
{
    const char *text = buf_cstr(sql);
    enum err e = text == NULL ? why_set(why, sql->err, "There is not enough memory.") : db_prepare(db, text, out, why);
    buf_release(sql);
    return e;
}

/* Kept like those for whole rows: a page of edits would otherwise spend as long on the text as on the rows. */
static enum err set_stmt(struct db *db, const struct table_rule *t, size_t column, struct stmt **out, struct why *why)
{
    struct stmt **kept = &db->set[table_number(t)][column];
    enum err e = ERR_OK;
    if (*kept == NULL) {
        struct buf sql;
        buf_init(&sql, MAX_ROW_SQL);
        buf_printf(&sql, "UPDATE \"%s\" SET \"%s\" = $1 WHERE \"id\" = $2", t->name, t->columns[column].name);
        const char *text = buf_cstr(&sql);
        e = text == NULL ? why_set(why, sql.err, "There is not enough memory.") : db_stmt_new(db, text, kept, why);
        buf_release(&sql);
    }
    if (e == ERR_OK) {
        (*kept)->busy = true;
        *out = *kept;
    }
    return e;
}

enum err db_row_set(struct db *db, const struct table_rule *t, const uint8_t id[16], size_t column, struct value v,
                    struct why *why)
{
    struct stmt *s;
    assert(column < t->n_columns);
    if (column >= rules_columns_at(t, db->schema))
        return is_value(v) ? too_early(t, column, why) : ERR_OK; /* it is NULL */
    enum err e = set_stmt(db, t, column, &s, why);
    if (e != ERR_OK)
        return e;
    db_bind_value(s, 1, v);
    db_bind_id(s, 2, id);
    return db_run(s, why);
}

enum err db_row_delete(struct db *db, const struct table_rule *t, const uint8_t id[16], struct why *why)
{
    struct stmt *s;
    struct buf sql;
    buf_init(&sql, MAX_ROW_SQL);
    buf_printf(&sql, "DELETE FROM \"%s\" WHERE \"id\" = $1", t->name);
    enum err e = prepare_buf(db, &sql, &s, why);
    if (e != ERR_OK)
        return e;
    db_bind_id(s, 1, id);
    return db_run(s, why);
}

/* Kind, length and bytes of every value: no two different rows are the same bytes. */
static void put_canonical(struct buf *b, struct stmt *s, size_t n_columns)
{
    for (size_t i = 0; i < n_columns; i++) {
        struct value v = db_value(s, (int)i);
        uint64_t bits = 0;
        buf_put_u8(b, (uint8_t)v.kind);
        if (v.kind == VALUE_TEXT || v.kind == VALUE_BLOB) {
            buf_put_be64(b, v.s.n);
            buf_put_bytes(b, v.s);
        } else if (v.kind == VALUE_INT || v.kind == VALUE_REAL) {
            memcpy(&bits, v.kind == VALUE_INT ? (const void *)&v.i : (const void *)&v.r, sizeof bits);
            buf_put_be64(b, sizeof bits);
            buf_put_be64(b, bits);
        } else {
            buf_put_be64(b, 0);
        }
    }
}

/* hash = BLAKE2b(label, hash so far, link): a chain, so that no more than one row is in memory. `link` holds room for
 * the hash in front. */
static void chain(uint8_t hash[HASH_BYTES], struct buf *link)
{
    memcpy(link->data, hash, HASH_BYTES);
    hash_labelled(hash, "spoke/content/1", buf_bytes(link));
}

static enum err hash_table(struct db *db, const struct table_rule *t, struct buf *link, uint8_t hash[HASH_BYTES],
                           struct why *why)
{
    static const uint8_t room[HASH_BYTES];
    struct stmt *s;
    struct buf sql;
    bool row = true;
    buf_init(&sql, MAX_ROW_SQL);
    put_select(&sql, t, rules_columns_at(t, db->schema), "ORDER BY \"id\"");
    enum err e = prepare_buf(db, &sql, &s, why);
    if (e != ERR_OK)
        return e;
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        buf_reset(link);
        buf_put(link, room, sizeof room);
        buf_put_str(link, t->name);
        buf_put_u8(link, 0);
        put_canonical(link, s, (size_t)db_columns(s));
        if (link->err != ERR_OK) {
            e = why_set(why, link->err, "A stored row is too large to be held in memory.");
            break;
        }
        chain(hash, link);
    }
    db_done(s);
    return e;
}

enum err db_content_hash(struct db *db, uint8_t out[32], struct why *why)
{
    size_t n;
    const struct table_rule *tables = rules_tables(&n);
    uint8_t hash[HASH_BYTES] = {0};
    struct buf link;
    enum err e = ERR_OK;
    buf_init(&link, (size_t)RULES_MAX_COLUMNS * (RULES_MAX_VALUE + 16) + 256);
    for (size_t i = 0; e == ERR_OK && i < n; i++)
        e = hash_table(db, &tables[i], &link, hash, why);
    buf_release(&link);
    if (e == ERR_OK)
        memcpy(out, hash, HASH_BYTES);
    return e;
}
