/* Rows that are shared until a time. When it has come by this device's clock they leave their tables and stand aside,
 * so that nothing shows them; they are not forgotten: that is for the hub to order, with a receipt. What is not sent
 * yet stays in the overlay and goes out as ever.
 *
 *     a row that stands aside is what its table would hold; n_end.hidden says which of the two it is
 *
 * Whoever compares tables with the overlay, or changes rows by the hub's word, puts all of them back first, and away
 * again in the same transaction (ends_show, ends_apply). */
#include "node/internal.h"

#include <string.h>

#define ROW_MAX  ((size_t)RULES_MAX_COLUMNS * (RULES_MAX_VALUE + 64))
#define LIST_MAX ((size_t)256 << 20)

static enum err bind(struct node *n, const char *sql, int table_index, const uint8_t id[16], struct stmt **out,
                     struct why *why)
{
    enum err e = db_prepare(n->db, sql, out, why);
    if (e != ERR_OK) return e;
    db_bind_int(*out, 1, table_index);
    db_bind_id(*out, 2, id);
    return ERR_OK;
}

static enum err run(struct node *n, const char *sql, const struct drop_item *row, struct why *why)
{
    struct stmt *s = NULL;
    enum err e = bind(n, sql, row->table_index, row->id, &s, why);
    return e == ERR_OK ? db_run(s, why) : e;
}

static enum err damaged(struct why *why)
{
    return why_set(why, ERR_TAMPERED, "An entry that stands aside, because its time is over, is damaged here.");
}

static enum err no_memory(struct why *why)
{
    return why_set(why, ERR_NOMEM, "There is not enough memory for an entry whose time is over.");
}

/* This device's clock, but not before what the hub said last: to set the clock back gains nothing. A clock that ran
 * ahead is not held against anybody once it is right. */
static enum err time_now(struct node *n, int64_t *out, struct why *why)
{
    uint64_t hub = 0;
    int64_t now = env_now(n->env);
    enum err e = state_number(n->db, "hub_ms", &hub, why);
    if (e == ERR_OK) *out = (int64_t)hub > now ? (int64_t)hub : now;
    return e;
}

/* Rows (struct drop_item after struct drop_item) that a question about n_end answers; $1 is the time, if it has one. */
static enum err list(struct node *n, const char *sql, const int64_t *now, struct buf *out, struct why *why)
{
    struct stmt *s = NULL;
    bool row = true;
    enum err e = db_prepare(n->db, sql, &s, why);
    if (e == ERR_OK && now != NULL) db_bind_int(s, 1, *now);
    while (e == ERR_OK) {
        e = db_step(s, &row, why);
        if (e != ERR_OK || !row) break;
        struct drop_item one = {.table_index = (int)db_int(s, 0)};
        if (rules_table((size_t)one.table_index) == NULL || !db_id(s, 1, one.id)) e = damaged(why);
        buf_put(out, &one, sizeof one);
    }
    db_done(s);
    return e == ERR_OK && out->err != ERR_OK ? no_memory(why) : e;
}

typedef enum err (*row_fn)(struct node *n, const struct drop_item *row, struct why *why);

static enum err each(struct node *n, const char *sql, const int64_t *now, row_fn fn, struct why *why)
{
    struct buf rows;
    buf_init(&rows, LIST_MAX);
    enum err e = list(n, sql, now, &rows, why);
    for (size_t at = 0; e == ERR_OK && at < rows.len; at += sizeof(struct drop_item)) {
        struct drop_item one;
        memcpy(&one, rows.data + at, sizeof one);
        e = fn(n, &one, why);
    }
    buf_release(&rows);
    return e;
}

/* ------------------------------------------------------------------------------------------------ aside and back */

static enum err keep_aside(struct node *n, const struct drop_item *d, const struct row *row, struct why *why)
{
    struct stmt *s = NULL;
    struct buf b;
    buf_init(&b, ROW_MAX);
    row_put_cbor(&b, row);
    enum err e = b.err == ERR_OK ? ERR_OK : no_memory(why);
    if (e == ERR_OK)
        e = bind(n, "INSERT INTO n_hidden(tbl, id, row) VALUES($1, $2, $3)", d->table_index, d->id, &s, why);
    if (e == ERR_OK) {
        db_bind_blob(s, 3, buf_bytes(&b));
        e = db_run(s, why);
    }
    buf_release(&b);
    return e;
}

/* A row that is not there has nothing to hide. */
static enum err hide(struct node *n, const struct drop_item *d, struct why *why)
{
    const struct table_rule *t = rules_table((size_t)d->table_index);
    struct row row = {.table = t};
    struct buf store;
    bool found = false;
    buf_init(&store, ROW_MAX);
    enum err e = db_row_get(n->db, t, d->id, &store, &row, &found, why);
    if (e == ERR_OK && found) e = keep_aside(n, d, &row, why);
    if (e == ERR_OK && found) e = db_row_delete(n->db, t, d->id, why);
    if (e == ERR_OK) e = run(n, "UPDATE n_end SET hidden = 1 WHERE tbl = $1 AND id = $2", d, why);
    buf_release(&store);
    return e;
}

static enum err read_aside(struct node *n, const struct drop_item *d, struct buf *store, struct row *out,
                           bool *out_found, struct why *why)
{
    const struct table_rule *t = rules_table((size_t)d->table_index);
    struct stmt *s = NULL;
    enum err e = bind(n, "SELECT row FROM n_hidden WHERE tbl = $1 AND id = $2", d->table_index, d->id, &s, why);
    if (e == ERR_OK) e = db_step(s, out_found, why);
    if (e == ERR_OK && *out_found) buf_put_bytes(store, db_bytes(s, 0));
    db_done(s);
    if (e != ERR_OK || !*out_found) return e;
    if (store->err != ERR_OK) return no_memory(why);
    if (row_from_cbor(out, t, buf_bytes(store), NULL) != ERR_OK || out->v[0].kind != VALUE_BLOB ||
        !bytes_equal(out->v[0].s, bytes_of(d->id, 16)))
        return damaged(why);
    for (size_t i = 1; i < t->n_columns; i++)
        if (out->v[i].kind == VALUE_NONE) out->v[i] = value_null(); /* added since */
    return ERR_OK;
}

static enum err show(struct node *n, const struct drop_item *d, struct why *why)
{
    struct row row;
    struct buf store;
    bool found = false;
    buf_init(&store, ROW_MAX);
    enum err e = read_aside(n, d, &store, &row, &found, why);
    if (e == ERR_OK && found) e = db_row_put(n->db, &row, why);
    if (e == ERR_OK) e = run(n, "DELETE FROM n_hidden WHERE tbl = $1 AND id = $2", d, why);
    if (e == ERR_OK) e = run(n, "UPDATE n_end SET hidden = 0 WHERE tbl = $1 AND id = $2", d, why);
    buf_release(&store);
    return e;
}

enum err ends_show(struct node *n, struct why *why)
{
    return each(n, "SELECT tbl, id FROM n_end WHERE hidden = 1", NULL, show, why);
}

#define TOO_EARLY "FROM n_end WHERE hidden = 1 AND not_after > $1"
#define OVER      "FROM n_end WHERE hidden = 0 AND not_after <= $1"

enum err ends_apply(struct node *n, struct why *why)
{
    int64_t now = 0;
    enum err e = time_now(n, &now, why);
    if (e == ERR_OK) e = each(n, "SELECT tbl, id " TOO_EARLY, &now, show, why);
    return e == ERR_OK ? each(n, "SELECT tbl, id " OVER, &now, hide, why) : e;
}

static enum err any(struct node *n, bool *out, struct why *why)
{
    static const char *const sql[] = {"SELECT 1 " TOO_EARLY " LIMIT 1", "SELECT 1 " OVER " LIMIT 1"};
    int64_t now = 0;
    enum err e = time_now(n, &now, why);
    *out = false;
    for (size_t i = 0; e == ERR_OK && !*out && i < 2; i++) {
        struct stmt *s = NULL;
        e = db_prepare(n->db, sql[i], &s, why);
        if (e != ERR_OK) break;
        db_bind_int(s, 1, now);
        e = db_step(s, out, why);
        db_done(s);
    }
    return e;
}

static enum err in_transaction(struct node *n, enum err (*fn)(struct node *n, struct why *why), struct why *why)
{
    enum err e = db_begin(n->db, why);
    if (e != ERR_OK) return e;
    e = fn(n, why);
    if (e == ERR_OK) return db_commit(n->db, why);
    db_rollback(n->db);
    return e;
}

/* What cannot be put aside must not be shown either: whoever asked for the records hears why they stay closed. */
static enum err cannot_hide(enum err e, const struct why *said, struct why *why)
{
    (void)why_set(
        why, e,
        "Some entries here were shared for a time that is over, and they could not be put aside, so nothing is "
        "shown. %.300s",
        said->text);
    return why_next(why, e, "%.300s",
                    said->next[0] != '\0' ? said->next
                                          : "Nothing is lost. Try again; if it goes on, ask your administrator.");
}

enum err ends_tick(struct node *n, struct why *why)
{
    struct why said = {0};
    bool due = false;
    if (n->capture != NULL) return why_set(why, ERR_FAILED, "A change is being made just now.");
    enum err e = any(n, &due, &said);
    if (e == ERR_OK && due) e = in_transaction(n, ends_apply, &said);
    return e == ERR_OK ? ERR_OK : cannot_hide(e, &said, why);
}

enum err node_tick(struct node *n, struct why *why)
{
    enum err e = ends_tick(n, why);
    return e == ERR_OK ? lease_look(n, why) : e;
}

enum err ends_show_now(struct node *n, struct why *why)
{
    uint64_t hidden = 0;
    enum err e = state_ask(n->db, "SELECT EXISTS(SELECT 1 FROM n_end WHERE hidden = 1)", &hidden, why);
    return e == ERR_OK && hidden != 0 ? in_transaction(n, ends_show, why) : e;
}

/* ------------------------------------------------------------------------------------------------- the hub's word */

#define NOT_BEFORE "DELETE FROM n_end_before WHERE tbl = $1 AND id = $2"

enum err ends_take(struct node *n, const struct end_item *end, struct why *why)
{
    struct drop_item row = {.table_index = end->table_index};
    struct stmt *s = NULL;
    memcpy(row.id, end->id, sizeof row.id);
    enum err e = run(n, NOT_BEFORE, &row, why);
    if (e != ERR_OK) return e;
    if (end->not_after == 0) {
        e = bind(n, "DELETE FROM n_end WHERE tbl = $1 AND id = $2", row.table_index, end->id, &s, why);
        return e == ERR_OK ? db_run(s, why) : e;
    }
    e = bind(n,
             "INSERT INTO n_end(tbl, id, not_after) VALUES($1, $2, $3)"
             " ON CONFLICT(id, tbl) DO UPDATE SET not_after = excluded.not_after",
             row.table_index, end->id, &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 3, (int64_t)end->not_after);
    return db_run(s, why);
}

enum err ends_forget(struct node *n, int table_index, const uint8_t id[16], struct why *why)
{
    struct drop_item row = {.table_index = table_index};
    memcpy(row.id, id, sizeof row.id);
    enum err e = run(n, "DELETE FROM n_hidden WHERE tbl = $1 AND id = $2", &row, why);
    if (e == ERR_OK) e = run(n, NOT_BEFORE, &row, why);
    return e == ERR_OK ? run(n, "DELETE FROM n_end WHERE tbl = $1 AND id = $2", &row, why) : e;
}

/* The hub that was put back may know of no end where the lost one told one. It begins anew with this device: with a row
 * it tells the end that there is, and of a row that has none it tells none. */
enum err ends_epoch(struct node *n, struct why *why)
{
    return db_exec(n->db, "INSERT INTO n_end_before(tbl, id) SELECT tbl, id FROM n_end WHERE 1 ON CONFLICT DO NOTHING", why);
}

enum err ends_told(struct node *n, int table_index, const uint8_t id[16], struct why *why)
{
    struct drop_item row = {.table_index = table_index};
    memcpy(row.id, id, sizeof row.id);
    enum err e = run(n, "DELETE FROM n_end WHERE tbl = $1 AND id = $2 AND EXISTS(SELECT 1 FROM n_end_before b WHERE b.id = $2 AND b.tbl = $1)", &row,
                     why);
    return e == ERR_OK ? run(n, NOT_BEFORE, &row, why) : e;
}

/* ------------------------------------------------------------------------------------------------------- questions */

enum err ends_hidden(struct node *n, int table_index, const uint8_t id[16], bool *out, struct why *why)
{
    struct stmt *s = NULL;
    enum err e = bind(n, "SELECT 1 FROM n_hidden WHERE tbl = $1 AND id = $2", table_index, id, &s, why);
    if (e == ERR_OK) e = db_step(s, out, why);
    db_done(s);
    return e;
}

enum err ends_case_of(struct node *n, int table_index, const uint8_t id[16], uint8_t out[16], bool *out_here,
                      struct why *why)
{
    struct drop_item d = {.table_index = table_index};
    struct row row;
    struct buf store;
    memcpy(d.id, id, sizeof d.id);
    memset(out, 0, 16);
    buf_init(&store, ROW_MAX);
    enum err e = read_aside(n, &d, &store, &row, out_here, why);
    if (e == ERR_OK && *out_here && row.table->kind == TABLE_CASE) {
        if (row.v[1].kind != VALUE_BLOB || row.v[1].s.n != 16)
            e = damaged(why);
        else
            memcpy(out, row.v[1].s.p, 16);
    }
    buf_release(&store);
    return e;
}

enum err ends_untouched(struct node *n, uint64_t seq, struct why *why)
{
    struct stmt *s = NULL;
    bool touched = false;
    enum err e = db_prepare(n->db,
                            "SELECT 1 FROM n_hidden h CROSS JOIN n_pending p ON p.id = h.id AND p.tbl = h.tbl"
                            " AND p.seq = $1 LIMIT 1",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, (int64_t)seq);
    e = db_step(s, &touched, why);
    db_done(s);
    if (e != ERR_OK || !touched) return e;
    return why_set(why, ERR_DENIED,
                   "There is an entry of this number, and it may not be shown any longer. Nothing was saved.");
}

static enum err check_aside(struct node *n, const struct drop_item *d, struct why *why)
{
    const struct table_rule *t = rules_table((size_t)d->table_index);
    struct row row;
    struct buf store;
    bool found = false, shown = false;
    buf_init(&store, 2 * ROW_MAX);
    enum err e = read_aside(n, d, &store, &row, &found, why);
    store.len = 0;
    if (e == ERR_OK) e = db_row_get(n->db, t, d->id, &store, &row, &shown, why);
    if (e == ERR_OK && shown)
        e = why_set(why, ERR_TAMPERED, "An entry whose time is over is still shown on this device.");
    buf_release(&store);
    return e;
}

enum err ends_check(struct node *n, struct why *why)
{
    uint64_t stray = 0;
    enum err e = state_ask(n->db,
                           "SELECT count(*) FROM n_hidden h WHERE NOT EXISTS(SELECT 1 FROM n_end e WHERE e.id = h.id"
                           " AND e.tbl = h.tbl AND e.hidden = 1)",
                           &stray, why);
    if (e == ERR_OK && stray > 0) e = damaged(why);
    return e == ERR_OK ? each(n, "SELECT tbl, id FROM n_end WHERE hidden = 1", NULL, check_aside, why) : e;
}
