/* Parts of envelopes that are about erased cases: cut off as they come, and out of those that are stored.
 * hub/RETENTION.md. */
#include "hub/retention_internal.h"

#include "base/cbor.h"
#include "hub/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Counters: every envelope has its parts in h_part; else up to which one it was looked. */
#define NOTED      "parts_noted"
#define NOTED_NODE "parts_noted_node"
#define NOTED_SEQ  "parts_noted_seq"

/* --------------------------------------------------------------------------------------- which case a part is about */

static enum err case_of_row(struct hub *h, const struct op *op, uint8_t out[16], bool *out_found, int *out_gone, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, "SELECT k.id, r.gone FROM h_row r JOIN h_case k ON k.no = r.case_no WHERE r.id = $1 AND r.tbl = $2",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, op_row_id(op));
    db_bind_int(s, 2, op->table_index);
    e = db_step(s, out_found, why);
    if (e == ERR_OK && *out_found) {
        (void)db_id(s, 0, out);
        *out_gone = (int)db_int(s, 1);
    }
    db_done(s);
    return e;
}

static bool says_case(const struct op *op)
{
    return op->kind == OP_INSERT && op->table->kind == TABLE_CASE && op->new_[1].kind == VALUE_BLOB && op->new_[1].s.n == 16;
}

/* By its first row that tells; zeros: none does. What cannot be read to its end was never taken in. */
static enum err case_of_part(struct hub *h, struct bytes content, uint64_t schema, uint8_t out[16], struct why *why)
{
    struct changeset_reader r;
    struct op op;
    bool end = false, found = false;
    int gone = 0;
    memset(out, 0, 16);
    changeset_reader_init(&r, content, schema);
    while (changeset_next(&r, &op, &end, NULL) == ERR_OK && !end && !found) {
        if (says_case(&op)) {
            memcpy(out, op.new_[1].s.p, 16);
            return ERR_OK;
        }
        enum err e = case_of_row(h, &op, out, &found, &gone, why);
        if (e != ERR_OK) return e;
    }
    return ERR_OK;
}

static enum err note_part(struct hub *h, int64_t node_no, uint64_t seq, size_t part, const uint8_t case_id[16], struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db,
                            "INSERT INTO h_part(node_no, seq, part, case_id) VALUES($1, $2, $3, $4) ON CONFLICT DO NOTHING", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, node_no);
    db_bind_int(s, 2, (int64_t)seq);
    db_bind_int(s, 3, (int64_t)part);
    db_bind_id(s, 4, case_id);
    return db_run(s, why);
}

/* Of a fault nobody knows: what mixes cases in one part is one. */
enum err parts_note(struct hub *h, const struct draft *d, const struct judgement *j, struct why *why)
{
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < d->n_parts; i++) {
        uint8_t id[16] = {0};
        if (part_erased(&d->parts[i])) continue;
        if (j->verdict != VERDICT_FAULT) e = case_of_part(h, d->parts[i].content, d->env.h.schema, id, why);
        if (e == ERR_OK) e = note_part(h, d->node->no, d->env.h.seq, i, id, why);
    }
    return e;
}

/* ---------------------------------------------------------------------------------------------- what comes too late */

static enum err any_erased(struct hub *h, bool *out, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, "SELECT 1 FROM h_erased LIMIT 1", &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

/* The rows that it would have made are known from here on: what is built on them comes to nothing too. */
static enum err bury(struct hub *h, const uint8_t case_id[16], const struct op *op, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db,
                            "INSERT INTO h_row(tbl, id, case_no, mask, mask_version, version, born, born_node, born_hlc, gone) SELECT $1,"
                            " $2, k.no, 0, $3, $3, $3, 0, 0, 2 FROM h_case k WHERE k.id = $4 ON CONFLICT DO NOTHING",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, op->table_index);
    db_bind_id(s, 2, op_row_id(op));
    db_bind_int(s, 3, h->version);
    db_bind_id(s, 4, case_id);
    return db_run(s, why);
}

static enum err bury_all(struct hub *h, const struct part *p, uint64_t schema, const uint8_t case_id[16], struct why *why)
{
    struct changeset_reader r;
    struct op op;
    bool end = false;
    enum err e = ERR_OK;
    changeset_reader_init(&r, p->content, schema);
    while (e == ERR_OK && changeset_next(&r, &op, &end, NULL) == ERR_OK && !end)
        if (op.kind == OP_INSERT && op.table->kind == TABLE_CASE) e = bury(h, case_id, &op, why);
    return e;
}

/* Any row of it: also of a part that is damaged or mixes cases, as far as it can be read. */
static enum err about_erased(struct hub *h, const struct part *p, uint64_t schema, uint8_t out_case[16], bool *out, struct why *why)
{
    struct changeset_reader r;
    struct op op;
    uint8_t last[16] = {0};
    bool end = false, found = false;
    enum err e = ERR_OK;
    *out = false;
    changeset_reader_init(&r, p->content, schema);
    while (e == ERR_OK && !*out && changeset_next(&r, &op, &end, NULL) == ERR_OK && !end) {
        int gone = 0;
        found = false;
        if (says_case(&op) && memcmp(last, op.new_[1].s.p, 16) != 0) {
            memcpy(last, op.new_[1].s.p, 16);
            memcpy(out_case, last, 16);
            e = erase_known(h, last, out, why);
        }
        if (e == ERR_OK && !*out) {
            e = case_of_row(h, &op, out_case, &found, &gone, why);
            *out = found && gone == ROW_ERASED;
        }
    }
    return e;
}

enum err erase_cut(struct hub *h, struct draft *d, struct why *why)
{
    bool any = false;
    enum err e = any_erased(h, &any, why);
    for (size_t i = 0; e == ERR_OK && any && i < d->n_parts; i++) {
        uint8_t case_id[16];
        bool cut = false;
        if (part_erased(&d->parts[i])) continue;
        e = about_erased(h, &d->parts[i], d->env.h.schema, case_id, &cut, why);
        if (e != ERR_OK || !cut) continue;
        e = bury_all(h, &d->parts[i], d->env.h.schema, case_id, why);
        d->parts[i] = (struct part){0};
    }
    return e;
}

static size_t erased_of(const struct draft *d)
{
    size_t n = 0;
    for (size_t i = 0; i < d->n_parts; i++) n += part_erased(&d->parts[i]);
    return n;
}

bool erase_left_nothing(const struct draft *d, struct judgement *j)
{
    if (d->n_parts == 0 || erased_of(d) < d->n_parts) return false;
    *j = (struct judgement){.verdict = VERDICT_DISMISSED, .hard = true};
    (void)snprintf(j->reason, sizeof j->reason, "%s", REASON_ERASED);
    return true;
}

void erase_hold(const struct draft *d, struct judgement *j)
{
    if (!d->granted && j->verdict == VERDICT_APPLIED && erased_of(d) > 0) judgement_note(j, VERDICT_HELD, false, REASON_ERASED_PART);
}

/* --------------------------------------------------------------------------------------------------- what is stored */

struct stored {
    int64_t node_no;
    uint64_t seq, schema;
    enum verdict verdict;
    struct buf bytes; /* cose, then parts */
    struct part *parts;
    size_t n_parts;
};

static void stored_release(struct stored *v)
{
    free(v->parts);
    buf_release(&v->bytes);
}

static enum err read_parts(struct stored *v, struct bytes in, struct why *why)
{
    struct cbor_reader r;
    cbor_reader_init(&r, in);
    v->n_parts = cbor_get_array(&r, ENVELOPE_MAX_PARTS);
    v->parts = calloc(v->n_parts == 0 ? 1 : v->n_parts, sizeof *v->parts);
    if (v->parts == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to read a stored change.");
    for (size_t i = 0; i < v->n_parts; i++) journal_get_part(&r, &v->parts[i]);
    return cbor_at_end(&r) ? ERR_OK : why_set(why, ERR_TAMPERED, "A change that this hub stored is damaged.");
}

/* Which schema its content is of is in what its device signed. A gap has no content. */
static enum err load_stored(struct hub *h, int64_t node_no, uint64_t seq, struct stored *v, struct why *why)
{
    struct hub_node n;
    struct envelope env;
    struct stmt *s;
    bool row = false;
    size_t cose = 0;
    *v = (struct stored){.node_no = node_no, .seq = seq};
    buf_init(&v->bytes, 160u << 20);
    enum err e = nodes_by_no(h, node_no, &n, why);
    if (e == ERR_OK) e = db_prepare(h->db, "SELECT cose, parts, verdict FROM h_envelope WHERE node_no = $1 AND seq = $2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, node_no);
    db_bind_int(s, 2, (int64_t)seq);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) {
        v->verdict = (enum verdict)db_int(s, 2);
        buf_put_bytes(&v->bytes, db_bytes(s, 0));
        cose = v->bytes.len;
        buf_put_bytes(&v->bytes, db_bytes(s, 1));
    }
    db_done(s);
    if (e == ERR_OK && v->bytes.err != ERR_OK) e = why_set(why, v->bytes.err, "There is not enough memory to read a stored change.");
    if (e != ERR_OK || !row) return e;
    e = read_parts(v, bytes_of(v->bytes.data + cose, v->bytes.len - cose), why);
    if (e != ERR_OK || v->n_parts == 0) return e;
    e = envelope_verify(bytes_of(v->bytes.data, cose), &n.id, &env, why);
    v->schema = e == ERR_OK ? env.h.schema : 0;
    return e;
}

static int id_order(const void *a, const void *b)
{
    return memcmp(a, b, 16);
}

static bool is_of_case(const struct erasing *x, const uint8_t id[16], size_t sorted)
{
    return sorted > 0 && bsearch(id, x->ids, sorted, 16, id_order) != NULL;
}

/* A part that no case was known of: does it name a row of this one? */
static bool names_it(const struct erasing *x, const struct part *p, uint64_t schema, size_t sorted)
{
    struct changeset_reader r;
    struct op op;
    bool end = false;
    changeset_reader_init(&r, p->content, schema);
    while (changeset_next(&r, &op, &end, NULL) == ERR_OK && !end) {
        if (says_case(&op) && memcmp(op.new_[1].s.p, x->what.case_id, 16) == 0) return true;
        if (is_of_case(x, op_row_id(&op), sorted)) return true;
    }
    return false;
}

static enum err write_parts(struct hub *h, const struct stored *v, struct why *why)
{
    struct stmt *s;
    struct buf parts;
    buf_init(&parts, 80u << 20);
    cbor_put_array(&parts, v->n_parts);
    for (size_t i = 0; i < v->n_parts; i++) journal_put_part(&parts, &v->parts[i]);
    enum err e = parts.err != ERR_OK ? why_set(why, parts.err, "There is not enough memory to store a change.")
                                     : db_prepare(h->db, "UPDATE h_envelope SET parts = $1 WHERE node_no = $2 AND seq = $3", &s, why);
    if (e == ERR_OK) {
        db_bind_blob(s, 1, buf_bytes(&parts));
        db_bind_int(s, 2, v->node_no);
        db_bind_int(s, 3, (int64_t)v->seq);
        e = db_run(s, why);
    }
    buf_release(&parts);
    return e;
}

/* Rows that it would have made may never have been any: they are known as the case's too. */
static enum err keep_ids(struct hub *h, struct erasing *x, const struct part *p, uint64_t schema, struct why *why)
{
    struct changeset_reader r;
    struct op op;
    bool end = false;
    enum err e = bury_all(h, p, schema, x->what.case_id, why);
    changeset_reader_init(&r, p->content, schema);
    while (e == ERR_OK && changeset_next(&r, &op, &end, NULL) == ERR_OK && !end)
        if (op.kind == OP_INSERT) e = erasing_add_id(x, op_row_id(&op), why);
    return e;
}

/* Held work about nothing else is at its end. A fault stays one. */
static enum err dismiss(struct hub *h, const struct stored *v, struct why *why)
{
    struct judgement j = {.verdict = VERDICT_DISMISSED};
    struct stmt *s;
    if (v->verdict != VERDICT_HELD && v->verdict != VERDICT_WAITS) return ERR_OK;
    (void)snprintf(j.reason, sizeof j.reason, "%s", REASON_ERASED);
    enum err e = journal_judge(h, v->node_no, v->seq, &j, why);
    if (e == ERR_OK) e = held_forget(h, v->node_no, v->seq, why);
    if (e == ERR_OK) e = db_prepare(h->db, "UPDATE h_held SET state = 'dismissed' WHERE node_no = $1 AND seq = $2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, v->node_no);
    db_bind_int(s, 2, (int64_t)v->seq);
    return db_run(s, why);
}

static enum err erase_stored(struct hub *h, struct erasing *x, int64_t node_no, uint64_t seq, const bool *known, size_t sorted,
                             struct why *why)
{
    struct stored v;
    size_t left = 0, cut = 0;
    enum err e = load_stored(h, node_no, seq, &v, why);
    for (size_t i = 0; e == ERR_OK && i < v.n_parts; i++) {
        struct part *p = &v.parts[i];
        bool it = !part_erased(p) && (known[i] || names_it(x, p, v.schema, sorted));
        left += !part_erased(p) && !it;
        if (!it) continue;
        e = keep_ids(h, x, p, v.schema, why);
        *p = (struct part){0};
        cut++;
    }
    if (e == ERR_OK && cut > 0) e = write_parts(h, &v, why);
    if (e == ERR_OK && cut > 0 && left == 0) e = dismiss(h, &v, why);
    if (e == ERR_OK && cut > 0) e = sight_grow(&x->nodes, &x->cap_nodes, x->n_nodes, sizeof *x->nodes, why);
    if (e == ERR_OK && cut > 0 && (x->n_nodes == 0 || x->nodes[x->n_nodes - 1] != node_no)) x->nodes[x->n_nodes++] = node_no;
    x->envelopes += cut > 0;
    stored_release(&v);
    return e;
}

/* Envelopes that have a part about it, and in a second pass those of which no case was known. The hub opens a case of
 * its own for a referral that is held and has none: when that one is erased, the referral that never came to be goes
 * with it. */
static const char *const which[] = {
    "SELECT DISTINCT p.node_no, p.seq FROM h_part p WHERE p.case_id = $1 ORDER BY p.node_no, p.seq",
    "SELECT DISTINCT p.node_no, p.seq FROM h_part p WHERE p.case_id = $1 ORDER BY p.node_no, p.seq",
    ("SELECT DISTINCT c.node_no, c.seq FROM h_held_case c JOIN held x ON x.id = c.held_id WHERE c.own = 1 AND "
     "x.case_id = $1 ORDER BY c.node_no, c.seq"),
};

struct found {
    int64_t node_no;
    uint64_t seq;
};

static enum err find_envelopes(struct hub *h, const char *sql, const uint8_t id[16], struct found **out, size_t *out_n, struct why *why)
{
    struct stmt *s;
    bool row = false;
    size_t cap = 0;
    enum err e = db_prepare(h->db, sql, &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, id);
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        if ((e = sight_grow(out, &cap, *out_n, sizeof **out, why)) != ERR_OK) break;
        (*out)[(*out_n)++] = (struct found){db_int(s, 0), (uint64_t)db_int(s, 1)};
    }
    db_done(s);
    return e;
}

/* The part for which the hub opened this case: the row that stands for it is in there. Not another referral of the same
 * change. */
static bool stands_for(const struct erasing *x, struct bytes hash, int64_t part, size_t sorted)
{
    uint8_t id[16];
    if (hash.n != HASH_BYTES) return false;
    held_id(hash.p, (size_t)part, id);
    return is_of_case(x, id, sorted);
}

/* own: parts about cases that are not there. */
static enum err known_parts(struct hub *h, const struct erasing *x, const struct found *f, bool own, size_t sorted,
                            bool known[ENVELOPE_MAX_PARTS], struct why *why)
{
    struct stmt *s;
    bool row = false;
    memset(known, 0, ENVELOPE_MAX_PARTS * sizeof *known);
    enum err e = db_prepare(h->db,
                            own ? "SELECT p.part, v.hash FROM h_part p JOIN h_envelope v ON v.node_no = p.node_no AND v.seq = p.seq"
                                  " WHERE p.node_no = $1 AND p.seq = $2 AND p.case_id <> $3 AND NOT EXISTS"
                                  " (SELECT 1 FROM h_case k WHERE k.id = p.case_id)"
                                : "SELECT p.part FROM h_part p WHERE p.node_no = $1 AND p.seq = $2 AND p.case_id = $3",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, f->node_no);
    db_bind_int(s, 2, (int64_t)f->seq);
    db_bind_id(s, 3, x->what.case_id);
    while ((e = db_step(s, &row, why)) == ERR_OK && row)
        if (db_int(s, 0) >= 0 && db_int(s, 0) < (int64_t)ENVELOPE_MAX_PARTS)
            known[db_int(s, 0)] = !own || stands_for(x, db_bytes(s, 1), db_int(s, 0), sorted);
    db_done(s);
    return e;
}

enum err erase_parts(struct hub *h, struct erasing *x, struct why *why)
{
    static const uint8_t none[16];
    bool *known = calloc(ENVELOPE_MAX_PARTS, sizeof *known);
    enum err e = known == NULL ? why_set(why, ERR_NOMEM, "There is not enough memory to erase this case. Nothing was erased.") : ERR_OK;
    for (size_t w = 0; e == ERR_OK && w < sizeof which / sizeof which[0]; w++) {
        struct found *f = NULL;
        size_t n = 0, sorted = x->n_ids;
        if (sorted > 0) qsort(x->ids, sorted, 16, id_order);
        e = find_envelopes(h, which[w], w == 1 ? none : x->what.case_id, &f, &n, why);
        for (size_t i = 0; e == ERR_OK && i < n; i++) {
            e = known_parts(h, x, &f[i], w == 2, sorted, known, why);
            /* what grows meanwhile may be elsewhere in memory: only the part that is sorted is searched, and only of
             * the second */
            if (e == ERR_OK) e = erase_stored(h, x, f[i].node_no, f[i].seq, known, w == 1 ? sorted : 0, why);
        }
        free(f);
    }
    free(known);
    return e;
}

/* ------------------------------------------------------------------------------------------------------ from before */

static enum err note_stored(struct hub *h, int64_t node_no, uint64_t seq, struct why *why)
{
    static const uint8_t none[16];
    struct stored v;
    enum err e = load_stored(h, node_no, seq, &v, why);
    if (e == ERR_OK && v.n_parts == 0) e = note_part(h, node_no, seq, 0, none, why);
    for (size_t i = 0; e == ERR_OK && i < v.n_parts; i++) {
        uint8_t id[16] = {0};
        if (v.verdict != VERDICT_FAULT) e = case_of_part(h, v.parts[i].content, v.schema, id, why);
        if (e == ERR_OK) e = note_part(h, node_no, seq, i, id, why);
    }
    stored_release(&v);
    return e;
}

/* Those after where it was left: what came since the program knows of parts has them, and is not noted twice. */
static enum err find_older(struct hub *h, size_t most, struct found *f, size_t *out_n, struct why *why)
{
    struct stmt *s;
    int64_t node_no = 0, seq = 0;
    bool row = false;
    enum err e = store_get_counter(h->db, NOTED_NODE, &node_no, why);
    if (e == ERR_OK) e = store_get_counter(h->db, NOTED_SEQ, &seq, why);
    if (e == ERR_OK)
        e = db_prepare(h->db,
                       "SELECT v.node_no, v.seq FROM h_envelope v WHERE (v.node_no, v.seq) > ($1, $2) ORDER BY v.node_no, v.seq"
                       " LIMIT $3",
                       &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, node_no);
    db_bind_int(s, 2, seq);
    db_bind_int(s, 3, (int64_t)most);
    while (*out_n < most && (e = db_step(s, &row, why)) == ERR_OK && row)
        f[(*out_n)++] = (struct found){db_int(s, 0), (uint64_t)db_int(s, 1)};
    db_done(s);
    return e;
}

static enum err note_where(struct hub *h, const struct found *f, size_t n, bool all, struct why *why)
{
    if (all) return store_put_counter(h->db, NOTED, 1, why);
    enum err e = store_put_counter(h->db, NOTED_NODE, f[n - 1].node_no, why);
    return e == ERR_OK ? store_put_counter(h->db, NOTED_SEQ, (int64_t)f[n - 1].seq, why) : e;
}

enum err parts_note_older(struct hub *h, size_t most, bool *out_done, struct why *why)
{
    size_t n = 0;
    int64_t noted = 0;
    enum err e = store_get_counter(h->db, NOTED, &noted, why);
    *out_done = noted != 0;
    if (e != ERR_OK || noted != 0) return e;
    struct found *f = calloc(most, sizeof *f);
    if (f == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to look through the stored changes.");
    e = find_older(h, most, f, &n, why);
    for (size_t i = 0; e == ERR_OK && i < n; i++) e = note_stored(h, f[i].node_no, f[i].seq, why);
    if (e == ERR_OK) e = note_where(h, f, n, n < most, why);
    *out_done = e == ERR_OK && n < most;
    free(f);
    return e;
}
