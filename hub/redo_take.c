/* What a transaction changed, into the store beside it, before it commits (hub/DISASTER.md, How it is fed). */
#include "hub/redo.h"

#include "crypto/identity.h"
#include "hub/admins.h"
#include "hub/dump_frame.h"
#include "hub/internal.h"
#include "hub/move.h"
#include "hub/redo_part.h"
#include "hub/store.h"
#include "sync/db_track.h"

#include <stdlib.h>
#include <string.h>

#define SQL_BYTES (16u << 10)

struct redo {
    struct hub *h;
    struct dump_shapes shapes;
    uint64_t schema;                /* of the store when they were read; 0: not yet */
    const struct dump_shape *table; /* of which rows are being put; NULL: none */
    struct buf sql;                 /* by which its rows are found */
    struct buf item;                /* the frame that is made */
    struct buf body;                /* of the transaction */
    struct buf open;                /* a value of secret_state */
};

/* Its own, and those that a restore empties or that say nothing of a hub that is lost. */
static bool wanted(void *ctx, const char *table)
{
    static const char *const not[] = {"h_answer", "h_awaited", "h_cut_back", "h_held_rows", "h_holds",
                                      "h_outcome", "h_probe", "h_returned", "h_statement"};
    (void)ctx;
    if (strncmp(table, "h_redo", 6) == 0) return false;
    for (size_t i = 0; i < sizeof not / sizeof not[0]; i++)
        if (strcmp(table, not[i]) == 0) return false;
    return true;
}

static enum err no_memory(struct why *why)
{
    return why_set(why, ERR_NOMEM, "There is not enough memory for the journal.");
}

/* ------------------------------------------------------------------------------------------------ rows, as frames */

static enum err put_item(struct redo *r, struct why *why)
{
    redo_put_frame(&r->body, buf_bytes(&r->item));
    if (r->item.err == ERR_LIMIT || r->body.err == ERR_LIMIT)
        return why_set(why, ERR_LIMIT, "A transaction is too large for the journal.");
    if (r->item.err == ERR_FORMAT)
        return why_set(why, ERR_FORMAT, "The store holds a value that the journal cannot hold.");
    return r->item.err != ERR_OK || r->body.err != ERR_OK ? no_memory(why) : ERR_OK;
}

static void begin_item(struct redo *r, enum redo_frame kind, size_t more)
{
    buf_reset(&r->item);
    cbor_put_array(&r->item, 1 + more);
    cbor_put_uint(&r->item, kind);
}

static void write_question(struct redo *r, bool whole)
{
    const struct dump_shape *t = r->table;
    buf_reset(&r->sql);
    buf_put_str(&r->sql, "SELECT ");
    for (size_t i = 0; i < t->n_columns; i++) buf_printf(&r->sql, "%s\"%s\"", i > 0 ? ", " : "", t->column[i].name);
    buf_printf(&r->sql, " FROM \"%s\"", t->name);
    for (size_t i = 0; !whole && i < t->n_key; i++)
        buf_printf(&r->sql, "%s\"%s\" = $%zu", i > 0 ? " AND " : " WHERE ", t->column[t->key[i]].name, i + 1);
}

static enum err load_shapes(struct redo *r, struct why *why)
{
    dump_shapes_release(&r->shapes);
    r->schema = 0;
    enum err e = dump_shapes_here(&r->shapes, r->h->db, why);
    if (e == ERR_OK) r->schema = db_schema(r->h->db);
    return e;
}

static enum err begin_table(struct redo *r, const char *name, bool whole, struct why *why)
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
    write_question(r, whole);
    return put_item(r, why);
}

/* The hub's own keys stand in the journal as in a backup: however the engine keeps them. */
static enum err put_row(struct redo *r, struct stmt *s, struct why *why)
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

static enum err put_gone(struct redo *r, const struct value *key, size_t n_key, struct why *why)
{
    begin_item(r, REDO_GONE, n_key);
    for (size_t i = 0; i < n_key; i++) dump_put_value(&r->item, key[i]);
    return put_item(r, why);
}

/* As it stands now: n_key 0, all rows of a table without a key. */
static enum err put_touched(void *ctx, const char *table, const struct value *key, size_t n_key, struct why *why)
{
    struct redo *r = ctx;
    struct stmt *s = NULL;
    bool row = false, any = false;
    enum err e = r->table != NULL && strcmp(r->table->name, table) == 0 ? ERR_OK : begin_table(r, table, n_key == 0, why);
    if (e != ERR_OK) return e;
    const char *text = buf_cstr(&r->sql);
    e = text == NULL ? no_memory(why) : db_prepare(r->h->db, text, &s, why);
    if (e != ERR_OK) return e;
    for (size_t i = 0; i < n_key; i++) db_bind_value(s, (int)i + 1, key[i]);
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        any = true;
        e = put_row(r, s, why);
        if (e != ERR_OK) break;
    }
    db_done(s);
    return e == ERR_OK && !any && n_key > 0 ? put_gone(r, key, n_key, why) : e;
}

/* ---------------------------------------------------------------------------------------------------- the journal */

struct standing {
    bool on;
    int64_t made, pending, log_size;
};

static enum err read_standing(struct db *db, struct standing *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(db, "SELECT made, pending, log_size FROM h_redo_state WHERE one = 1", &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, &row, why);
    if (e == ERR_OK && row)
        *out = (struct standing){.on = true, .made = db_int(s, 0), .pending = db_int(s, 1), .log_size = db_int(s, 2)};
    db_done(s);
    return e;
}

static enum err log_size(struct db *db, int64_t *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(db, "SELECT size FROM h_log WHERE no = 0", &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, &row, why);
    *out = e == ERR_OK && row ? db_int(s, 0) : 0;
    db_done(s);
    return e;
}

/* Another journal: what was not written of the former one is forgotten. `gave_up`: 0 where somebody wanted it. */
static enum err begin_anew(struct hub *h, int64_t gave_up, struct why *why)
{
    static const uint8_t zeros[HASH_BYTES];
    uint8_t id[REDO_ID_BYTES];
    int64_t size = 0, now = env_now(h->env);
    struct stmt *s;
    env_random(h->env, id, sizeof id);
    enum err e = log_size(h->db, &size, why);
    if (e == ERR_OK) e = db_exec(h->db, "DELETE FROM h_redo", why);
    if (e == ERR_OK)
        e = db_prepare(h->db,
                       "INSERT INTO h_redo_state(one, id, made, written, chain, part, pending, log_size, began_at, gave_up) "
                       "VALUES(1, $1, 0, 0, $2, (SELECT coalesce(max(part), 0) FROM h_redo_part), 0, $3, $4, $5) ON CONFLICT(one) DO UPDATE SET id = excluded.id, "
                       "made = 0, written = 0, chain = excluded.chain, pending = 0, log_size = excluded.log_size, "
                       "began_at = excluded.began_at, gave_up = excluded.gave_up",
                       &s, why);
    if (e != ERR_OK) return e;
    db_bind_blob(s, 1, bytes_of(id, sizeof id));
    db_bind_blob(s, 2, bytes_of(zeros, sizeof zeros));
    db_bind_int(s, 3, size);
    db_bind_int(s, 4, now);
    db_bind_int(s, 5, gave_up);
    return db_run(s, why);
}

static enum err put_piece(struct redo *r, int64_t entry, struct bytes piece, bool more, struct why *why)
{
    struct stmt *s;
    enum err e =
        db_prepare(r->h->db, "INSERT INTO h_redo(entry, at, more, body) VALUES($1, $2, $3, $4)", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, entry);
    db_bind_int(s, 2, env_now(r->h->env));
    db_bind_int(s, 3, more);
    db_bind_blob(s, 4, piece);
    return db_run(s, why);
}

static enum err put_pieces(struct redo *r, struct standing *at, struct why *why)
{
    struct bytes left = buf_bytes(&r->body);
    struct stmt *s;
    enum err e = log_size(r->h->db, &at->log_size, why);
    at->pending += (int64_t)left.n;
    while (e == ERR_OK && left.n > 0) {
        size_t n = left.n < REDO_PIECE ? left.n : REDO_PIECE;
        e = put_piece(r, ++at->made, bytes_of(left.p, n), left.n > n, why);
        left = bytes_of(left.p + n, left.n - n);
    }
    if (e == ERR_OK)
        e = db_prepare(r->h->db, "UPDATE h_redo_state SET made = $1, pending = $2, log_size = $3 WHERE one = 1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, at->made);
    db_bind_int(s, 2, at->pending);
    db_bind_int(s, 3, at->log_size);
    return db_run(s, why);
}

/* What cannot be kept is no reason to refuse a device its work: the journal begins anew, and says so. */
static enum err before_commit(void *ctx, struct why *why)
{
    struct redo *r = ctx;
    struct standing at = {0};
    struct why detail = {0};
    buf_reset(&r->body);
    r->table = NULL;
    enum err e = read_standing(r->h->db, &at, why);
    if (e != ERR_OK || !at.on) return e;
    if (r->schema != db_schema(r->h->db)) e = load_shapes(r, &detail);
    if (e == ERR_OK) e = db_track_each(r->h->db, put_touched, r, &detail);
    if (e == ERR_OK && at.pending + (int64_t)r->body.len > REDO_PENDING_MAX) e = ERR_LIMIT;
    if (e == ERR_LIMIT || e == ERR_FORMAT || e == ERR_VERSION)
        e = begin_anew(r->h, env_now(r->h->env), &detail);
    else if (e == ERR_OK)
        e = put_pieces(r, &at, &detail);
    bool large = r->body.len > REDO_PIECE;
    buf_reset(&r->item); /* what cases say is wiped at once */
    buf_reset(&r->body);
    buf_reset(&r->open);
    if (large) {
        buf_release(&r->body);
        buf_init(&r->body, REDO_PENDING_MAX);
    }
    return e == ERR_OK ? ERR_OK : why_set(why, e, "%s", detail.text);
}

/* ------------------------------------------------------------------------------------------- beginning and ending */

static enum err follow(struct hub *h, struct why *why)
{
    if (h->redo != NULL) return ERR_OK;
    struct redo *r = calloc(1, sizeof *r);
    if (r == NULL) return no_memory(why);
    r->h = h;
    buf_init(&r->sql, SQL_BYTES);
    buf_init(&r->item, DUMP_FRAME_MAX);
    buf_init(&r->body, REDO_PENDING_MAX);
    buf_init(&r->open, 1u << 20);
    h->redo = r;
    enum err e = db_track_start(
        h->db, &(struct db_track_options){.ctx = r, .wants = wanted, .before_commit = before_commit}, why);
    if (e != ERR_OK) redo_close(h);
    return e;
}

void redo_close(struct hub *h)
{
    struct redo *r = h->redo;
    if (r == NULL) return;
    db_track_end(h->db);
    dump_shapes_release(&r->shapes);
    buf_release(&r->sql);
    buf_release(&r->item);
    buf_release(&r->body);
    buf_release(&r->open);
    free(r);
    h->redo = NULL;
}

enum err redo_again(struct hub *h, struct why *why)
{
    if (h->redo == NULL) return ERR_OK;
    redo_close(h);
    return follow(h, why);
}

static enum err has_tables(struct db *db, bool *out, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(db, "SELECT 1 FROM sqlite_schema WHERE name = 'h_redo_state'", &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

enum err redo_open(struct hub *h, struct why *why)
{
    struct standing at = {0};
    bool there = false;
    int64_t size = 0;
    if (db_is_postgres(h->db)) return ERR_OK;
    enum err e = has_tables(h->db, &there, why);
    if (e == ERR_OK && there) e = read_standing(h->db, &at, why);
    if (e != ERR_OK || !at.on) return e;
    e = log_size(h->db, &size, why);
    if (e == ERR_OK) e = follow(h, why);
    if (e != ERR_OK || size == at.log_size) return e;
    /* A program without a journal wrote to the store since. */
    e = db_begin(h->db, why);
    if (e != ERR_OK) return e;
    e = begin_anew(h, env_now(h->env), why);
    if (e == ERR_OK) return db_commit(h->db, why);
    db_rollback(h->db);
    return e;
}

/* Rows are followed from before the transaction that says so: its act is the first entry. */
static enum err change(struct hub *h, const char *act, const char *reason, bool end, struct why *why)
{
    enum err e = hub_begin(h, why);
    if (e != ERR_OK) return e;
    e = reason == NULL ? ERR_OK : admins_act(h, MAY_SECURE, act, NULL, reason, why);
    if (e == ERR_OK) e = end ? db_exec(h->db, "DELETE FROM h_redo_state; DELETE FROM h_redo", why) : begin_anew(h, 0, why);
    if (e == ERR_OK) return hub_commit(h, why);
    hub_abort(h);
    return e;
}

enum err hub_redo_begin(struct hub *h, const char *reason, struct why *why)
{
    struct standing at = {0};
    if (db_is_postgres(h->db)) {
        (void)why_set(why, ERR_FAILED, "A hub on PostgreSQL keeps no journal folder: rows are watched by the process that writes them.");
        return why_next(why, ERR_FAILED, "Use PostgreSQL's own means: archive its WAL to another machine, or have a standby there.");
    }
    if (reason != NULL && reason[0] == '\0') return why_set(why, ERR_USAGE, "Say why: --reason.");
    enum err e = read_standing(h->db, &at, why);
    if (e != ERR_OK || (at.on && reason == NULL)) return e;
    e = follow(h, why);
    if (e == ERR_OK) e = change(h, "journal began", reason, false, why);
    if (e != ERR_OK && !at.on) redo_close(h);
    return e;
}

enum err hub_redo_end(struct hub *h, const char *reason, struct why *why)
{
    struct standing at = {0};
    if (reason == NULL || reason[0] == '\0') return why_set(why, ERR_USAGE, "Say why: --reason.");
    enum err e = read_standing(h->db, &at, why);
    if (e == ERR_OK && !at.on) e = why_set(why, ERR_NOTFOUND, "This hub keeps no journal.");
    if (e == ERR_OK) e = change(h, "journal ended", reason, true, why);
    if (e == ERR_OK) redo_close(h);
    return e;
}

/* -------------------------------------------------------------------------------------------------- with a backup */

enum err redo_position(struct hub *h, struct redo_position *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db, "SELECT id, made FROM h_redo_state WHERE one = 1", &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, &row, why);
    *out = (struct redo_position){0};
    if (e == ERR_OK && row && db_bytes(s, 0).n == REDO_ID_BYTES) {
        out->on = true;
        memcpy(out->id, db_bytes(s, 0).p, REDO_ID_BYTES);
        out->entry = db_int(s, 1);
    }
    db_done(s);
    return e;
}

enum err redo_covered(struct hub *h, const struct redo_position *p, int64_t at_ms, struct why *why)
{
    struct stmt *s;
    if (!p->on) return ERR_OK;
    enum err e = db_prepare(h->db,
                            "INSERT INTO h_redo_backup(no, id, entry, at) VALUES((SELECT coalesce(max(no), 0) + 1 FROM "
                            "h_redo_backup), $1, $2, $3)",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_blob(s, 1, bytes_of(p->id, sizeof p->id));
    db_bind_int(s, 2, p->entry);
    db_bind_int(s, 3, at_ms);
    e = db_run(s, why);
    return e == ERR_OK ? db_exec(h->db, "DELETE FROM h_redo_backup WHERE no <= (SELECT max(no) FROM h_redo_backup) - 2",
                                 why)
                       : e;
}
