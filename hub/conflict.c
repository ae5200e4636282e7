/* Two people's values for one column: both are kept. */
#include "hub/draft.h"

#include "crypto/hash.h"

#include <string.h>

static const struct actor the_hub = {0};

/* Derived, so that the same clash met again is the same row. */
static void conflict_id(const struct draft *d, const struct clash *c, uint8_t out[16])
{
    uint8_t hash[HASH_BYTES];
    struct buf in;
    buf_init(&in, 256);
    buf_put(&in, d->hash, sizeof d->hash);
    if (c->risen) buf_put_be64(&in, (uint64_t)c->node_no); /* one change can meet several */
    buf_put(&in, c->row_id, 16);
    buf_put_be16(&in, (uint16_t)c->column);
    hash_labelled(hash, "spoke/conflict/1", buf_bytes(&in));
    buf_release(&in);
    memcpy(out, hash, 16);
}

static struct value author(const uint8_t user[16])
{
    static const uint8_t nobody[16];
    return memcmp(user, nobody, 16) == 0 ? value_null() : value_id(user);
}

/* When an author wrote, to the millisecond. The hub's own words bear no clock. */
static struct value written_at(uint64_t hlc)
{
    return hlc == 0 ? value_null() : value_int((int64_t)(hlc >> 16));
}

/* NULL stays NULL: "nothing" is a value that somebody chose. */
static enum err as_text(struct value v, struct buf *store, struct value *out, struct why *why)
{
    if (v.kind == VALUE_NULL || v.kind == VALUE_NONE) {
        *out = value_null();
        return ERR_OK;
    }
    enum err e = value_to_text(v, store);
    if (e != ERR_OK) return why_set(why, e, "A value that met another could not be kept.");
    *out = value_text(store->len == 0 ? bytes_of("", 0) : buf_bytes(store));
    return ERR_OK;
}

/* The same chain's open losing value of the same column, which a later one replaces. Not the same person's: what was
 * written on another device was not before the author's eyes. */
static enum err open_one(struct hub *h, const struct clash *c, uint8_t out[16], bool *out_found, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db,
                            "SELECT c.id FROM conflict c JOIN h_conflict k ON k.conflict_id = c.id "
                            "WHERE c.case_id = $1 AND c.tbl = $2 AND c.row_id = $3 AND c.col = $4 "
                            "AND c.state = 'open' AND k.node_no = $5 AND c.lost_by IS NOT DISTINCT FROM $6 "
                            "AND c.voided_at IS NULL",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, c->case_id);
    db_bind_str(s, 2, c->table->name);
    db_bind_id(s, 3, c->row_id);
    db_bind_str(s, 4, c->table->columns[c->column].name);
    db_bind_int(s, 5, c->node_no);
    db_bind_value(s, 6, author(c->lost_by));
    e = db_step(s, &row, why);
    *out_found = e == ERR_OK && row && db_id(s, 0, out);
    db_done(s);
    return e;
}

static enum err note_chain(struct hub *h, const struct clash *c, const uint8_t id[16], struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db,
                            "INSERT INTO h_conflict(conflict_id, node_no, seq) VALUES($1, $2, $3) "
                            "ON CONFLICT(conflict_id) DO UPDATE SET seq = excluded.seq",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, id);
    db_bind_int(s, 2, c->node_no);
    db_bind_int(s, 3, (int64_t)c->seq);
    return db_run(s, why);
}

enum err conflict_later(struct hub *h, const struct draft *d, const struct op *op, size_t column, bool *out,
                        struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db,
                            "SELECT 1 FROM conflict c JOIN h_conflict k ON k.conflict_id = c.id "
                            "WHERE c.tbl = $1 AND c.row_id = $2 AND c.col = $3 AND k.node_no = $4 AND k.seq > $5 "
                            "LIMIT 1",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, op->table->name);
    db_bind_id(s, 2, op_row_id(op));
    db_bind_str(s, 3, op->table->columns[column].name);
    db_bind_int(s, 4, d->node->no);
    db_bind_int(s, 5, (int64_t)d->env.h.seq);
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

static enum err insert(struct hub *h, const struct draft *d, const struct clash *c, struct value kept,
                       struct value lost, struct why *why)
{
    const struct table_rule *t = rules_table((size_t)rules_table_index(bytes_of_str("conflict")));
    uint8_t id[16];
    struct hub_row there;
    bool found = false;
    conflict_id(d, c, id);
    enum err e = sight_row(h, rules_table_index(bytes_of_str("conflict")), id, &there, &found, why);
    if (e != ERR_OK || found) return e;
    struct row r = {.table = t};
    const struct {
        const char *column;
        struct value v;
    } set[] = {
        {"id", value_id(id)},
        {"case_id", value_id(c->case_id)},
        {"agency", value_str(c->lost_agency)},
        {"tbl", value_str(c->table->name)},
        {"row_id", value_id(c->row_id)},
        {"col", value_str(c->table->columns[c->column].name)},
        {"policy", value_str(rules_policy_word(c->policy))},
        {"kept", kept},
        {"kept_by", author(c->kept_by)},
        {"lost", lost},
        {"lost_by", author(c->lost_by)},
        {"state", value_str(c->open ? "open" : "ruled")},
        {"found_at", value_int(h->now_ms)},
        {"kept_at", written_at(c->kept_hlc)},
        {"lost_at", written_at(c->lost_hlc)},
    };
    for (size_t i = 0; i < t->n_columns; i++) r.v[i] = value_null();
    for (size_t i = 0; i < sizeof set / sizeof set[0]; i++) {
        int at = rules_column_index(t, bytes_of_str(set[i].column));
        if (at >= 0) r.v[at] = set[i].v; /* tables of version 1 have no times */
    }
    e = sight_insert(h, &r, &the_hub, why);
    return e == ERR_OK ? note_chain(h, c, id, why) : e;
}

/* The other value may be another person's by now. */
static enum err replace(struct hub *h, const uint8_t id[16], const struct clash *c, struct value kept,
                        struct value lost, struct why *why)
{
    const struct table_rule *t = rules_table((size_t)rules_table_index(bytes_of_str("conflict")));
    const struct {
        const char *column;
        struct value v;
    } set[] = {
        {"lost", lost},
        {"lost_at", written_at(c->lost_hlc)},
        {"kept", kept},
        {"kept_by", author(c->kept_by)},
        {"kept_at", written_at(c->kept_hlc)},
        {"found_at", value_int(h->now_ms)},
    };
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < sizeof set / sizeof set[0]; i++) {
        int at = rules_column_index(t, bytes_of_str(set[i].column));
        if (at >= 0) e = sight_set(h, t, id, (size_t)at, set[i].v, &the_hub, why);
    }
    return e;
}

enum err conflict_put(struct hub *h, const struct draft *d, const struct clash *c, struct why *why)
{
    struct buf kept_text, lost_text;
    struct value kept, lost;
    uint8_t id[16];
    bool found = false;
    buf_init(&kept_text, RULES_MAX_VALUE);
    buf_init(&lost_text, RULES_MAX_VALUE);
    enum err e = as_text(c->kept, &kept_text, &kept, why);
    if (e == ERR_OK) e = as_text(c->lost, &lost_text, &lost, why);
    if (e == ERR_OK && c->open) e = open_one(h, c, id, &found, why);
    if (e == ERR_OK) e = found ? replace(h, id, c, kept, lost, why) : insert(h, d, c, kept, lost, why);
    if (e == ERR_OK && found) e = note_chain(h, c, id, why);
    buf_release(&kept_text);
    buf_release(&lost_text);
    return e;
}
