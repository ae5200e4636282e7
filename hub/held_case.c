/* A new referral that is held has no case yet in which anybody could see it: a red one would wait where only an
 * administrator counts it. So the hub opens a case of its own in the claimed area, which the MASH room there sees and
 * its manager decides in; when it is decided the hub closes that case again. */
#include "hub/draft.h"

#include "crypto/hash.h"

#include <string.h>

static const struct actor the_hub = {0};

/* What the held change says of its case; borrowed from its content. */
struct claim {
    struct value area, rag, subject;
    bool restricted;
};

static struct value column(const struct op *op, const char *name)
{
    return op->new_[rules_column_index(op->table, bytes_of_str(name))];
}

static enum err read_claim(const struct draft_part *p, struct claim *out, struct why *why)
{
    struct changeset_reader r;
    struct op op;
    bool end = false;
    enum err e;
    changeset_reader_init(&r, p->content, p->schema);
    while ((e = changeset_next(&r, &op, &end, why)) == ERR_OK && !end) {
        if (op.kind != OP_INSERT || strcmp(op.table->name, "case_file") != 0) continue;
        struct value restricted = column(&op, "restricted");
        out->area = column(&op, "area");
        out->rag = column(&op, "rag");
        out->subject = column(&op, "subject_kind");
        out->restricted = restricted.kind == VALUE_INT && restricted.i != 0;
    }
    return e;
}

enum err held_case_restricted(const struct draft_part *p, bool *out, struct why *why)
{
    struct claim c = {0};
    enum err e = read_claim(p, &c, why);
    if (e == ERR_OK) *out = c.restricted;
    return e;
}

/* Agency of the area's MASH room, into out. None: nobody could decide there. */
static enum err room_of(struct hub *h, struct value area, struct buf *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db,
                            "SELECT s.agency FROM site s JOIN coverage v ON v.site = s.code WHERE s.kind = 'mash' "
                            "AND (v.area = $1 OR v.area = '*') ORDER BY s.code LIMIT 1",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_value(s, 1, area);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) buf_put_bytes(out, db_bytes(s, 0));
    db_done(s);
    return e;
}

struct cell {
    const char *column;
    struct value v;
};

static enum err insert(struct hub *h, const char *table, const struct cell *cells, size_t n, struct why *why)
{
    struct row r = {.table = rules_table((size_t)rules_table_index(bytes_of_str(table)))};
    for (size_t i = 0; i < r.table->n_columns; i++) r.v[i] = value_null();
    for (size_t i = 0; i < n; i++) r.v[rules_column_index(r.table, bytes_of_str(cells[i].column))] = cells[i].v;
    return sight_insert(h, &r, &the_hub, why);
}

/* "H-" and 8 letters and digits of the id: known for what it is, and told apart. */
static void reference_of(const uint8_t id[16], char out[16])
{
    static const char letters[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    memcpy(out, "H-", 2);
    for (size_t i = 0; i < 8; i++) out[2 + i] = letters[id[i] & 31];
    out[10] = '\0';
}

static enum err insert_both(struct hub *h, const struct claim *c, const uint8_t id[16], struct bytes lead, struct why *why)
{
    char reference[16];
    reference_of(id, reference);
    const struct cell file[] = {
        {"id", value_id(id)},        {"case_id", value_id(id)},
        {"agency", value_str("")},   {"reference", value_str(reference)},
        {"area", c->area},           {"subject_kind", c->subject},
        {"rag", c->rag},             {"status", value_str("new")},
        {"lead_agency", value_text(lead)}, {"received_at", value_int(h->now_ms)},
    };
    const struct cell brief[] = {
        {"id", value_id(id)},
        {"case_id", value_id(id)},
        {"agency", value_str("")},
        {"summary", value_str("A new referral is not accepted yet. What it says stands under the held work of this case; "
                              "a manager decides.")},
    };
    enum err e = insert(h, "case_file", file, sizeof file / sizeof file[0], why);
    return e == ERR_OK ? insert(h, "brief", brief, sizeof brief / sizeof brief[0], why) : e;
}

enum err held_case_open(struct hub *h, const struct draft *d, size_t part, uint8_t out_id[16], bool *out_open,
                        struct why *why)
{
    uint8_t hash[HASH_BYTES];
    struct claim c = {0};
    struct buf in, lead;
    buf_init(&in, 128);
    buf_init(&lead, RULES_MAX_VALUE);
    buf_put(&in, d->hash, sizeof d->hash);
    buf_put_be32(&in, (uint32_t)part);
    hash_labelled(hash, "spoke/held-case/1", buf_bytes(&in));
    *out_open = false;
    enum err e = read_claim(&d->decoded[part], &c, why);
    if (e == ERR_OK && c.area.kind == VALUE_TEXT) e = room_of(h, c.area, &lead, why);
    if (e == ERR_OK && lead.len > 0) {
        memcpy(out_id, hash, 16);
        e = insert_both(h, &c, out_id, buf_bytes(&lead), why);
        *out_open = e == ERR_OK;
    }
    buf_release(&in);
    buf_release(&lead);
    return e;
}

/* Cases of ours for this envelope, as the hub opened them: where a person has said something else since, that
 * stands. */
static enum err next_open(struct hub *h, int64_t node_no, uint64_t seq, uint8_t out_id[16], bool *out_found,
                          struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db,
                            "SELECT c.id FROM h_held_case k JOIN held x ON x.id = k.held_id JOIN case_file c ON c.id = "
                            "x.case_id WHERE k.node_no = $1 AND k.seq = $2 AND k.own = 1 AND c.status = 'new' LIMIT 1",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, node_no);
    db_bind_int(s, 2, (int64_t)seq);
    e = db_step(s, &row, why);
    *out_found = e == ERR_OK && row && db_id(s, 0, out_id);
    db_done(s);
    return e;
}

enum err held_case_close(struct hub *h, int64_t node_no, uint64_t seq, struct why *why)
{
    const struct table_rule *t = rules_table((size_t)rules_table_index(bytes_of_str("case_file")));
    uint8_t id[16];
    bool found = false;
    enum err e;
    while ((e = next_open(h, node_no, seq, id, &found, why)) == ERR_OK && found) {
        e = sight_set(h, t, id, (size_t)rules_column_index(t, bytes_of_str("closed_at")), value_int(h->now_ms), &the_hub,
                      why);
        if (e == ERR_OK)
            e = sight_set(h, t, id, (size_t)rules_column_index(t, bytes_of_str("status")), value_str("closed"), &the_hub,
                          why);
        if (e != ERR_OK) return e;
    }
    return e;
}
