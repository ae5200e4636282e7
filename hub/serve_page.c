/* A page being filled: operations as they come, in the order of row numbers; then sorted into parts of one agency and
 * case each, because contents of different agencies never share a compressed frame. */
#include "hub/budget.h"
#include "hub/row_cache.h"

#include "sync/changeset.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_MAX_OPS    100000u
#define PAGE_MAX_BUDGET (32u << 20)
#define PAGE_MAX_ROW    ((RULES_MAX_COLUMNS + 1) * (size_t)RULES_MAX_VALUE)
#define PART_SLOTS      (4 * ENVELOPE_MAX_PARTS)

struct page_op {
    size_t at;     /* in the arena: table header, then the operation */
    size_t header; /* bytes of the header */
    size_t len;    /* bytes of the operation */
    size_t agency; /* of the row */
    int64_t case_no;
    int64_t row_no;
    int tbl;
};

struct page_agency {
    uint8_t *name; /* owned */
    size_t n;
};

enum err page_init(struct page *p, struct hub *h, const struct hub_node *n, uint64_t budget, struct why *why)
{
    *p = (struct page){.h = h, .n = n};
    p->budget = budget > PAGE_MAX_BUDGET ? PAGE_MAX_BUDGET : (size_t)budget;
    buf_init(&p->scratch, PAGE_MAX_ROW);
    buf_init(&p->arena, 2 * (PAGE_MAX_BUDGET + PAGE_MAX_ROW));
    p->parts = malloc(PART_SLOTS * sizeof *p->parts);
    if (p->parts == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to answer.");
    for (size_t i = 0; i < PART_SLOTS; i++) p->parts[i] = -1;
    return ERR_OK;
}

void page_release(struct page *p)
{
    for (size_t i = 0; i < p->n_agencies; i++) free(p->agencies[i].name);
    free(p->agencies);
    free(p->ops);
    free(p->parts);
    free(p->ends.v);
    buf_release(&p->scratch);
    buf_release(&p->arena);
}

static enum err agency_of(struct page *p, struct bytes name, size_t *out, struct why *why)
{
    for (size_t i = 0; i < p->n_agencies; i++) {
        if (bytes_equal(bytes_of(p->agencies[i].name, p->agencies[i].n), name)) {
            *out = i;
            return ERR_OK;
        }
    }
    enum err e = sight_grow(&p->agencies, &p->cap_agencies, p->n_agencies, sizeof *p->agencies, why);
    if (e != ERR_OK) return e;
    struct page_agency *a = &p->agencies[p->n_agencies];
    *a = (struct page_agency){.name = malloc(name.n + 1), .n = name.n};
    if (a->name == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to answer.");
    if (name.n > 0) memcpy(a->name, name.p, name.n);
    *out = p->n_agencies++;
    return ERR_OK;
}

/* Counts the part that this agency and case need; false when the page holds as many as it may. */
static bool count_part(struct page *p, size_t agency, int64_t case_no)
{
    int64_t key = case_no * 4096 + (int64_t)agency; /* agencies have channels, so there are far fewer than 4096 */
    size_t at = (size_t)((uint64_t)key * 0x9e3779b97f4a7c15u >> 32) % PART_SLOTS;
    while (p->parts[at] != -1 && p->parts[at] != key) at = (at + 1) % PART_SLOTS;
    if (p->parts[at] == key) return true;
    if (p->n_parts >= ENVELOPE_MAX_PARTS || agency >= 4096) return false;
    p->parts[at] = key;
    p->n_parts++;
    return true;
}

/* One operation with its table's header before it, appended to the arena. */
static void encode(struct page *p, const struct row *row, enum serve_how how, const bool columns[RULES_MAX_COLUMNS],
                   struct page_op *out)
{
    struct changeset_writer w;
    struct op op = {.kind = how == SERVE_ROW ? OP_INSERT : OP_UPDATE, .table = row->table, .table_index = out->tbl};
    op.old[0] = row->v[0];
    size_t n_columns = rules_columns_at(row->table, p->n->schema);
    for (size_t i = 0; i < n_columns; i++)
        if (how == SERVE_ROW || (i > 0 && columns[i])) op.new_[i] = row->v[i];
    out->at = p->arena.len;
    changeset_writer_init(&w, &p->arena, true, p->n->schema);
    changeset_put(&w, &op);
    /* 'P', number of columns, one key flag a column, name and NUL (FORMAT.md §1); columns are fewer than 128 */
    out->header = 2 + n_columns + strlen(row->table->name) + 1;
    out->len = p->arena.len - out->at - out->header;
}

static bool has_room(struct page *p, const struct page_op *op)
{
    size_t used = 0;
    if (p->n_ops == 0) return true;
    const struct page_op *last = &p->ops[p->n_ops - 1];
    used = last->at + last->header + last->len;
    return p->n_ops < PAGE_MAX_OPS && used <= p->budget && op->len <= p->budget - used;
}

/* The operation at the end of the arena becomes one of the page, unless the page is full. */
static enum err take_op(struct page *p, struct page_op *op, struct bytes agency, bool *out_full, struct why *why)
{
    if (p->arena.err != ERR_OK) return why_set(why, p->arena.err, "A row is too large to be sent.");
    enum err e = agency_of(p, agency, &op->agency, why);
    if (e == ERR_OK) e = sight_grow(&p->ops, &p->cap_ops, p->n_ops, sizeof *p->ops, why);
    if (e != ERR_OK) return e;
    *out_full = !has_room(p, op) || !count_part(p, op->agency, op->case_no);
    if (*out_full)
        p->arena.len = op->at;
    else
        p->ops[p->n_ops++] = *op;
    return ERR_OK;
}

static struct row_key key_of(const struct page *p, const struct serve_row *r, enum serve_how how,
                             const bool columns[RULES_MAX_COLUMNS])
{
    struct row_key key = {.row_no = r->no, .version = r->version, .schema = p->n->schema};
    for (size_t i = 0; i < RULES_MAX_COLUMNS; i++) key.columns |= (uint32_t)columns[i] << i;
    if (how == SERVE_ROW) key.columns = UINT32_MAX;
    return key;
}

static enum err add_kept(struct page *p, const struct row_bytes *kept, const struct serve_row *r, bool *out_full,
                         struct why *why)
{
    struct page_op op = {.case_no = r->case_no, .row_no = r->no, .tbl = r->tbl, .at = p->arena.len};
    op.header = kept->header;
    op.len = kept->op.n - kept->header;
    buf_put_bytes(&p->arena, kept->op);
    return take_op(p, &op, kept->agency, out_full, why);
}

static enum err add_fetched(struct page *p, const struct row *row, const struct serve_row *r, enum serve_how how,
                            const bool columns[RULES_MAX_COLUMNS], bool *out_full, struct why *why)
{
    struct page_op op = {.case_no = r->case_no, .row_no = r->no, .tbl = r->tbl};
    struct row_key key = key_of(p, r, how, columns);
    struct row_bytes made = {.agency = row->table->kind == TABLE_CASE ? row->v[2].s : bytes_of("", 0)};
    encode(p, row, how, columns, &op);
    enum err e = take_op(p, &op, made.agency, out_full, why);
    if (e != ERR_OK || *out_full || r->version > p->h->begun) return e;
    made.op = bytes_of(p->arena.data + op.at, op.header + op.len);
    made.header = op.header;
    row_cache_put(p->h->rows, &key, &made);
    return ERR_OK;
}

/* The columns that were added since the row was told: those with a value. Those without are NULL at the node. */
static void add_later(const struct page *p, const struct row *row, const struct serve_since *since, enum serve_how *how,
                      bool columns[RULES_MAX_COLUMNS])
{
    size_t n = rules_columns_at(row->table, p->n->schema);
    if (*how == SERVE_ROW) return;
    for (size_t i = rules_columns_at(row->table, since->schema); i < n; i++) {
        if (row->v[i].kind == VALUE_NULL) continue;
        columns[i] = true;
        *how = SERVE_COLUMNS;
    }
}

/* *out_fresh: the device will hold one row more for it. *out_full: and may not. */
static enum err ask_room(struct page *p, const struct serve_row *r, int64_t base, enum serve_how how, bool *out_fresh,
                         bool *out_full, struct why *why)
{
    bool room = true;
    if (how == SERVE_NOTHING || (how != SERVE_ROW && r->born <= base)) return ERR_OK;
    enum err e = budget_is_new(p->h, p->n, r, p->rows, out_fresh, why);
    if (e != ERR_OK || !*out_fresh || how != SERVE_ROW) return e; /* what it made it has already */
    e = budget_room(p->h, p->n, p->from, p->rows, &room, why);
    if (e == ERR_OK && !room) *out_full = p->stopped = true;
    return e;
}

static void note_fresh(struct page *p, const struct serve_row *r)
{
    p->rows->added++;
    if (p->once_more_at != 0 && r->born > p->once_more_at) p->once_more++;
}

/* The row as it goes: as it went before, or read anew. `later`: whether some of it goes depends upon what stands
 * there. */
static enum err add_row(struct page *p, const struct serve_row *r, const struct serve_since *since, enum serve_how how,
                        bool columns[RULES_MAX_COLUMNS], bool *out_full, bool *out_went, struct why *why)
{
    const struct table_rule *t = rules_table((size_t)r->tbl);
    bool later = since->base > 0 && rules_columns_at(t, since->schema) < rules_columns_at(t, p->n->schema), found = false;
    struct row_key key = key_of(p, r, how, columns);
    struct row_bytes kept;
    struct row row;
    if ((how == SERVE_NOTHING || how == SERVE_OWN) && !later) return ERR_OK;
    *out_went = true;
    if (!later && row_cache_find(p->h->rows, &key, &kept)) return add_kept(p, &kept, r, out_full, why);
    buf_reset(&p->scratch);
    enum err e = db_row_get(p->h->db, t, r->id, &p->scratch, &row, &found, why);
    if (e == ERR_OK && !found) e = why_set(why, ERR_TAMPERED, "The hub lost a row that it should send.");
    if (e == ERR_OK && later) add_later(p, &row, since, &how, columns);
    if (how == SERVE_NOTHING || how == SERVE_OWN) *out_went = false;
    return e == ERR_OK && *out_went ? add_fetched(p, &row, r, how, columns, out_full, why) : e;
}

enum err page_add(struct page *p, const struct serve_row *r, const struct serve_since *since, bool *out_full,
                  struct why *why)
{
    bool columns[RULES_MAX_COLUMNS] = {0}, fresh = false, went = false;
    enum serve_how how = SERVE_NOTHING;
    *out_full = false;
    enum err e = serve_how(p->h, p->n, r, since->base, &how, columns, why);
    if (e == ERR_OK) e = ask_room(p, r, since->base, how, &fresh, out_full, why);
    if (e != ERR_OK || *out_full) return e;
    if (how == SERVE_OWN) p->own = true;
    if (fresh && how == SERVE_OWN) note_fresh(p, r);
    fresh &= how != SERVE_OWN;
    e = add_row(p, r, since, how, columns, out_full, &went, why);
    if (e == ERR_OK && fresh && went && !*out_full) note_fresh(p, r);
    return e;
}

static int op_order(const void *a, const void *b)
{
    const struct page_op *x = a, *y = b;
    if (x->agency != y->agency) return x->agency < y->agency ? -1 : 1;
    if (x->case_no != y->case_no) return x->case_no < y->case_no ? -1 : 1;
    if (x->tbl != y->tbl) return x->tbl < y->tbl ? -1 : 1;
    return x->row_no < y->row_no ? -1 : x->row_no > y->row_no;
}

static bool same_part(const struct page_op *a, const struct page_op *b)
{
    return a->agency == b->agency && a->case_no == b->case_no;
}

/* Writes the operations in order; lengths of the parts go into `parts`. */
static size_t write_parts(struct page *p, struct buf *content, struct page_part *parts)
{
    size_t n = 0, start = content->len;
    for (size_t i = 0; i < p->n_ops; i++) {
        const struct page_op *op = &p->ops[i], *before = i == 0 ? NULL : &p->ops[i - 1];
        bool begins = before == NULL || !same_part(before, op);
        size_t skip = begins || before->tbl != op->tbl ? 0 : op->header;
        if (begins) {
            start = content->len;
            parts[n].origin = bytes_of(p->agencies[op->agency].name, p->agencies[op->agency].n);
            env_random(p->h->env, parts[n].part.salt, sizeof parts[n].part.salt);
            n++;
        }
        buf_put(content, p->arena.data + op->at + skip, op->header + op->len - skip);
        parts[n - 1].part.content.n = content->len - start;
    }
    return n;
}

enum err page_parts(struct page *p, struct buf *content, struct page_part **out, size_t *out_n, struct why *why)
{
    struct page_part *parts = calloc(p->n_parts + 1, sizeof *parts);
    if (parts == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to answer.");
    if (p->n_ops > 0) qsort(p->ops, p->n_ops, sizeof *p->ops, op_order);
    size_t n = write_parts(p, content, parts), at = 0;
    if (content->err != ERR_OK) {
        free(parts);
        return why_set(why, content->err, "There is not enough memory to answer.");
    }
    assert(n == p->n_parts);
    for (size_t i = 0; i < n; i++) { /* only now: the content moved while it grew */
        parts[i].part.content.p = content->data + at;
        at += parts[i].part.content.n;
    }
    *out = parts;
    *out_n = n;
    return ERR_OK;
}
