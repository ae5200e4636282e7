/* Work that was not accepted: kept whole, shown to those who may judge it, and awaited by what builds on it. */
#include "hub/draft.h"

#include "crypto/hash.h"

#include <string.h>

static const struct actor the_hub = {0};

static const struct table_rule *held_table(void)
{
    return rules_table((size_t)rules_table_index(bytes_of_str("held")));
}

void held_id(const uint8_t envelope[HASH_BYTES], size_t part, uint8_t out[16])
{
    uint8_t hash[HASH_BYTES];
    struct buf in;
    buf_init(&in, 128);
    buf_put(&in, envelope, HASH_BYTES);
    buf_put_be32(&in, (uint32_t)part);
    hash_labelled(hash, "spoke/held/1", buf_bytes(&in));
    buf_release(&in);
    memcpy(out, hash, 16);
}

static enum err put_held(struct hub *h, const struct draft *d, const struct judgement *j, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(
        h->db, "INSERT INTO h_held(node_no, seq, state, found_at, fault) VALUES($1, $2, 'waiting', $3, $4)", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, d->node->no);
    db_bind_int(s, 2, (int64_t)d->env.h.seq);
    db_bind_int(s, 3, h->now_ms);
    db_bind_int(s, 4, j->verdict == VERDICT_FAULT);
    return db_run(s, why);
}

static enum err put_awaited(struct hub *h, const struct draft *d, struct why *why)
{
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < d->n_made; i++) {
        struct stmt *s;
        e = db_prepare(h->db,
                       "INSERT INTO h_held_row(tbl, id, node_no, seq) VALUES($1, $2, $3, $4) ON CONFLICT DO NOTHING",
                       &s, why);
        if (e != ERR_OK) break;
        db_bind_int(s, 1, d->made[i].table_index);
        db_bind_id(s, 2, d->made[i].id);
        db_bind_int(s, 3, d->node->no);
        db_bind_int(s, 4, (int64_t)d->env.h.seq);
        e = db_run(s, why);
    }
    return e;
}

static enum err put_link(struct hub *h, const struct draft *d, const uint8_t id[16], bool own, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, "INSERT INTO h_held_case(held_id, node_no, seq, own) VALUES($1, $2, $3, $4)", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, id);
    db_bind_int(s, 2, d->node->no);
    db_bind_int(s, 3, (int64_t)d->env.h.seq);
    db_bind_int(s, 4, own);
    return db_run(s, why);
}

/* The row that the room and the author's agency see. */
static enum err put_row(struct hub *h, const struct draft *d, size_t part, const uint8_t case_id[16], bool own,
                        const struct judgement *j, struct why *why)
{
    const struct table_rule *t = held_table();
    struct row r = {.table = t};
    uint8_t id[16];
    struct buf what;
    buf_init(&what, RULES_MAX_VALUE);
    enum err e = held_what(h, d, &d->decoded[part], &what, why);
    if (e == ERR_LIMIT) { /* escapes can make text six times as long */
        buf_reset(&what);
        buf_put_str(&what, "[]");
        e = ERR_OK;
    }
    held_id(d->hash, part, id);
    const struct {
        const char *column;
        struct value v;
    } set[] = {
        {"id", value_id(id)},
        {"case_id", value_id(case_id)},
        {"agency", value_str(d->node->agency)},
        {"node", value_id(d->node->id.kid)},
        {"author", d->user_known ? value_id(d->env.h.user) : value_null()},
        {"written_at", value_int((int64_t)(d->actor.hlc >> 16))},
        {"what", value_text(buf_bytes(&what))},
        {"reason", value_str(j->reason)},
        {"state", value_str("waiting")},
    };
    for (size_t i = 0; i < t->n_columns; i++) r.v[i] = value_null();
    for (size_t i = 0; i < sizeof set / sizeof set[0]; i++)
        r.v[rules_column_index(t, bytes_of_str(set[i].column))] = set[i].v;
    if (e == ERR_OK) e = sight_insert(h, &r, &the_hub, why);
    if (e == ERR_OK) e = put_link(h, d, id, own, why);
    buf_release(&what);
    return e;
}

/* Only where the author's site has or had a part in the case: elsewhere a held row would tell it that there is one. */
static bool shows(const struct draft_part *p)
{
    return p->has_case && p->who.known && (p->who.sees_now || p->who.sees_base);
}

static enum err show_part(struct hub *h, const struct draft *d, size_t i, const struct judgement *j, struct why *why)
{
    const struct draft_part *p = &d->decoded[i];
    uint8_t own[16];
    bool open = false;
    if (shows(p)) return put_row(h, d, i, p->case_id, false, j, why);
    if (!p->makes_case) return ERR_OK;
    enum err e = held_case_open(h, d, i, own, &open, why);
    return e == ERR_OK && open ? put_row(h, d, i, own, true, j, why) : e;
}

enum err held_put(struct hub *h, struct draft *d, const struct judgement *j, struct why *why)
{
    enum err e = ERR_OK;
    if (j->verdict != VERDICT_WAITS) e = put_held(h, d, j, why);
    if (e != ERR_OK || j->verdict == VERDICT_FAULT) return e;
    e = put_awaited(h, d, why);
    if (e != ERR_OK || j->verdict == VERDICT_WAITS) return e;
    e = sight_step(h, why);
    for (size_t i = 0; e == ERR_OK && i < d->n_parts; i++) e = show_part(h, d, i, j, why);
    return e == ERR_OK ? sight_settle(h, why) : e;
}

/* A withdrawal among an envelope's operations. */
static bool withdraws(const struct op *op)
{
    int c = rules_column_index(op->table, bytes_of_str("state"));
    return op->kind == OP_UPDATE && strcmp(op->table->name, "held") == 0 && op->new_[c].kind == VALUE_TEXT &&
           bytes_equal(op->new_[c].s, bytes_of_str("withdrawn"));
}

static enum err note_withdrawn(struct hub *h, struct draft *d, const struct op *op, struct why *why)
{
    int64_t node_no = 0;
    uint64_t seq = 0;
    bool found = false;
    if (!withdraws(op) || d->n_withdraws == sizeof d->withdraws / sizeof d->withdraws[0]) return ERR_OK;
    enum err e = held_envelope(h, op_row_id(op), &node_no, &seq, &found, why);
    if (e == ERR_OK && found && node_no == d->node->no) d->withdraws[d->n_withdraws++] = seq;
    return e;
}

enum err held_withdrawn(struct hub *h, struct draft *d, struct why *why)
{
    d->n_withdraws = 0;
    for (size_t i = 0; i < d->n_parts; i++) {
        struct changeset_reader r;
        struct op op;
        bool end = false;
        enum err e;
        changeset_reader_init(&r, d->decoded[i].content, d->decoded[i].schema);
        while ((e = changeset_next(&r, &op, &end, why)) == ERR_OK && !end) {
            e = note_withdrawn(h, d, &op, why);
            if (e != ERR_OK) return e;
        }
        if (e != ERR_OK) return e;
    }
    return ERR_OK;
}

static bool is_withdrawn(const struct draft *d, uint64_t seq)
{
    for (size_t i = 0; i < d->n_withdraws; i++)
        if (d->withdraws[i] == seq) return true;
    return false;
}

struct awaited {
    int table_index;
    const uint8_t *id;
};

/* Work that the draft takes back itself is not awaited. */
static enum err chain_makes(struct hub *h, const struct draft *d, int64_t node_no, int64_t before,
                            const struct awaited *a, bool *out, struct why *why)
{
    struct stmt *s;
    bool row = true;
    enum err e = db_prepare(
        h->db, "SELECT seq FROM h_held_row WHERE id = $1 AND tbl = $2 AND node_no = $3 AND seq < $4", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, a->id);
    db_bind_int(s, 2, a->table_index);
    db_bind_int(s, 3, node_no);
    db_bind_int(s, 4, before);
    while (!*out && (e = db_step(s, &row, why)) == ERR_OK && row)
        *out = node_no != d->node->no || !is_withdrawn(d, (uint64_t)db_int(s, 0));
    db_done(s);
    return e;
}

enum err held_makes(struct hub *h, const struct draft *d, int table_index, const uint8_t id[16], bool *out,
                    struct why *why)
{
    const struct awaited a = {.table_index = table_index, .id = id};
    *out = false;
    enum err e = chain_makes(h, d, d->node->no, (int64_t)d->env.h.seq, &a, out, why);
    for (size_t i = 0; e == ERR_OK && !*out && i < d->kin.n; i++)
        e = chain_makes(h, d, d->kin.no[i], INT64_MAX, &a, out, why);
    return e;
}

enum err held_envelope(struct hub *h, const uint8_t id[16], int64_t *out_node, uint64_t *out_seq, bool *out_found,
                       struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db, "SELECT node_no, seq FROM h_held_case WHERE held_id = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, id);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) {
        *out_node = db_int(s, 0);
        *out_seq = (uint64_t)db_int(s, 1);
    }
    if (e == ERR_OK) *out_found = row;
    db_done(s);
    return e;
}

enum err held_decidable(struct hub *h, const struct draft *d, int64_t node_no, uint64_t seq, bool *out, struct why *why)
{
    struct stmt *s;
    bool barred = false;
    enum err e =
        db_prepare(h->db,
                   "SELECT 1 FROM h_held_case k JOIN held x ON x.id = k.held_id JOIN case_file c ON c.id = x.case_id "
                   "WHERE k.node_no = $1 AND k.seq = $2 AND NOT EXISTS (SELECT 1 FROM duty d WHERE "
                   "d.practitioner = $3 AND d.duty = 'manager' AND d.area IN ('*', c.area))",
                   &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, node_no);
    db_bind_int(s, 2, (int64_t)seq);
    db_bind_id(s, 3, d->env.h.user);
    e = db_step(s, &barred, why);
    if (e == ERR_OK) *out = !barred;
    db_done(s);
    return e;
}

static enum err set_text(struct hub *h, const uint8_t id[16], const char *column, const char *text, struct why *why)
{
    const struct table_rule *t = held_table();
    return sight_set(h, t, id, (size_t)rules_column_index(t, bytes_of_str(column)), value_str(text), &the_hub, why);
}

static enum err close_rows(struct hub *h, int64_t node_no, uint64_t seq, const struct held_end *end, struct why *why)
{
    struct stmt *s;
    bool row = false;
    uint8_t id[16];
    enum err e = db_prepare(h->db,
                            "SELECT x.id FROM h_held_case k JOIN held x ON x.id = k.held_id "
                            "WHERE k.node_no = $1 AND k.seq = $2 AND (x.state IS DISTINCT FROM $3 OR "
                            "(x.state = 'accepted' AND x.what IS NOT NULL)) LIMIT 1",
                            &s, why);
    if (e != ERR_OK) return e;
    for (;;) { /* asked anew each time: the table changes underneath */
        db_bind_int(s, 1, node_no);
        db_bind_int(s, 2, (int64_t)seq);
        db_bind_str(s, 3, end->state);
        e = db_step(s, &row, why);
        if (e != ERR_OK || !row) break;
        (void)db_id(s, 0, id);
        e = set_text(h, id, "state", end->state, why);
        if (e == ERR_OK && end->reason != NULL) e = set_text(h, id, "reason", end->reason, why);
        /* Accepted, it stands in rows of its own, which may be restricted later: no second copy of it here. */
        if (e == ERR_OK && strcmp(end->state, "accepted") == 0) e = set_text(h, id, "what", NULL, why);
        if (e != ERR_OK) break;
    }
    db_done(s);
    return e;
}

enum err held_close(struct hub *h, int64_t node_no, uint64_t seq, const struct held_end *end, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, "UPDATE h_held SET state = $1 WHERE node_no = $2 AND seq = $3", &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, end->state);
    db_bind_int(s, 2, node_no);
    db_bind_int(s, 3, (int64_t)seq);
    e = db_run(s, why);
    if (e == ERR_OK) e = close_rows(h, node_no, seq, end, why);
    return e == ERR_OK && strcmp(end->state, "waiting") != 0 ? held_case_close(h, node_no, seq, why) : e;
}

enum err held_forget(struct hub *h, int64_t node_no, uint64_t seq, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, "DELETE FROM h_held_row WHERE node_no = $1 AND seq = $2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, node_no);
    db_bind_int(s, 2, (int64_t)seq);
    return db_run(s, why);
}
