/* Simulated nodes of the fixture. */
#include "tests/lib/hub_fixture.h"

#include "sync/changeset.h"
#include "tests/lib/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MAX_BYTES ((size_t)64 << 20)

struct fixture_node *hub_fixture_node(struct hub_fixture *f, const char *site)
{
    struct fixture_node *n = calloc(1, sizeof *n);
    struct identity_secret id;
    struct stmt *s;
    bool row = false;
    assert_non_null(n);
    MUST(identity_generate(&id, &why));
    n->n.id = id.pub;
    n->n.schema = db_schema(f->h.db);
    identity_release(&id);
    (void)snprintf(n->n.site, sizeof n->n.site, "%s", site);
    MUST(db_prepare(f->h.db, "SELECT no FROM h_site WHERE code = $1", &s, &why));
    db_bind_str(s, 1, site);
    MUST(db_step(s, &row, &why));
    assert_true(row);
    n->n.site_no = db_int(s, 0);
    db_done(s);
    MUST(db_prepare(f->h.db,
                    "INSERT INTO h_node(kid, public, site_no, state, enrolled_at, last_hash)"
                    " VALUES ($1, x'', $2, 'enrolled', 0, x'') RETURNING no",
                    &s, &why));
    db_bind_id(s, 1, n->n.id.kid);
    db_bind_int(s, 2, n->n.site_no);
    MUST(db_step(s, &row, &why));
    n->n.no = db_int(s, 0);
    MUST(db_step(s, &row, &why));
    db_done(s);
    return n;
}

void hub_fixture_node_free(struct fixture_node *n)
{
    for (size_t i = 0; i < n->n_rows; i++) buf_release(&n->rows[i].cbor);
    free(n->rows);
    if (n->answer.waiting) {
        buf_release(&n->answer.drops);
        buf_release(&n->answer.pages);
    }
    free(n);
}

/* Rows by table and id. */
static size_t find(const struct fixture_node *n, int tbl, const uint8_t id[16], bool *found)
{
    size_t lo = 0, hi = n->n_rows;
    *found = false;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        const struct fixture_row *r = &n->rows[mid];
        int c = r->tbl != tbl ? (r->tbl < tbl ? -1 : 1) : memcmp(r->id, id, 16);
        if (c == 0) {
            *found = true;
            return mid;
        }
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static void put(struct fixture_node *n, int tbl, const struct row *row)
{
    bool found;
    struct buf cbor;
    size_t at = find(n, tbl, row->v[0].s.p, &found);
    buf_init(&cbor, MAX_BYTES);
    row_put_cbor(&cbor, row);
    assert_int_equal(cbor.err, ERR_OK);
    if (found) {
        buf_release(&n->rows[at].cbor);
        n->rows[at].cbor = cbor;
        return;
    }
    if (n->n_rows == n->cap_rows) {
        n->cap_rows = n->cap_rows == 0 ? 64 : n->cap_rows * 2;
        n->rows = realloc(n->rows, n->cap_rows * sizeof *n->rows);
        assert_non_null(n->rows);
    }
    memmove(n->rows + at + 1, n->rows + at, (n->n_rows - at) * sizeof *n->rows);
    n->rows[at] = (struct fixture_row){.tbl = tbl, .cbor = cbor};
    memcpy(n->rows[at].id, row->v[0].s.p, 16);
    n->n_rows++;
}

static void forget(struct fixture_node *n, int tbl, const uint8_t id[16])
{
    bool found;
    size_t at = find(n, tbl, id, &found);
    if (!found)
        fail_msg("a drop of a row of %s that the node does not hold tells it that there is one",
                 rules_table((size_t)tbl)->name);
    buf_release(&n->rows[at].cbor);
    memmove(n->rows + at, n->rows + at + 1, (n->n_rows - at - 1) * sizeof *n->rows);
    n->n_rows--;
}

bool hub_fixture_holds(const struct fixture_node *n, const char *table, struct id id)
{
    bool found;
    (void)find(n, rules_table_index(bytes_of_str(table)), id.b, &found);
    return found;
}

/* ------------------------------------------------------------------------------------------------------- the answer */

static uint32_t take_u32(struct bytes *in)
{
    assert_true(in->n >= 4);
    uint32_t v = (uint32_t)in->p[0] << 24 | (uint32_t)in->p[1] << 16 | (uint32_t)in->p[2] << 8 | in->p[3];
    *in = bytes_of(in->p + 4, in->n - 4);
    return v;
}

static struct bytes take_bytes(struct bytes *in)
{
    uint32_t n = take_u32(in);
    assert_true(in->n >= n);
    struct bytes v = bytes_of(in->p, n);
    *in = bytes_of(in->p + n, in->n - n);
    return v;
}

typedef void (*op_fn)(struct hub_fixture *f, struct fixture_node *n, const struct op *op, struct bytes origin);

static void each_op(struct hub_fixture *f, struct fixture_node *n, struct bytes content, struct bytes origin, op_fn fn)
{
    struct changeset_limits lim = {.schema = rules_schema_newest(), .patchset = true, .max_ops = CHANGESET_MAX_OPS};
    struct changeset_reader r;
    struct op op;
    bool end = false;
    MUST(changeset_check(content, &lim, &why));
    changeset_reader_init(&r, content, rules_schema_newest());
    for (;;) {
        MUST(changeset_next(&r, &op, &end, &why));
        if (end) return;
        fn(f, n, &op, origin);
    }
}

struct ends_taking {
    struct hub_fixture *f;
    struct fixture_node *n;
    bool apply;
};

static enum err take_end(void *ctx, const struct end_item *end, struct why *why)
{
    struct ends_taking *t = ctx;
    struct id id;
    bool found;
    (void)why;
    memcpy(id.b, end->id, 16);
    const char *table = rules_table((size_t)end->table_index)->name;
    if (!t->apply && !hub_fixture_sees(t->f, t->n->n.site, table, id)) /* when it was made, not when it is taken */
        fail_msg("the end of a row of %s was sent to %s, which may not see it", table, t->n->n.site);
    if (!t->apply) return ERR_OK;
    size_t at = find(t->n, end->table_index, end->id, &found);
    if (!found) fail_msg("the end of a row of %s came, which %s does not hold", table, t->n->n.site);
    t->n->rows[at].not_after = end->not_after;
    return ERR_OK;
}

static void apply(struct hub_fixture *f, struct fixture_node *n, const struct op *op, struct bytes origin);

/* Verifies the page as a node would, and walks its operations. */
static void each_page_op(struct hub_fixture *f, struct fixture_node *n, op_fn fn)
{
    struct bytes in = buf_bytes(&n->answer.pages), cose, before = {0};
    struct ends_taking ends = {.f = f, .n = n, .apply = fn == apply};
    struct signed_page page;
    size_t n_parts;
    while (in.n > 0) {
        assert_int_equal(take_bytes(&in).n, 0);
        struct bytes item = take_bytes(&in);
        if (message_type(item) == MSG_ENDS) {
            MUST(message_get_ends(item, &f->h.id.pub, n->n.id.kid, n->answer.request, take_end, &ends, &why));
            continue;
        }
        MUST(message_get_page(item, &cose, &n_parts, &why));
        MUST(page_verify(cose, &f->h.id.pub, &page, &why));
        assert_int_equal(page.n_parts, n_parts);
        assert_memory_equal(page.h.node, n->n.id.kid, 16);
        assert_memory_equal(page.h.from_cut, n->cursor, 16);
        assert_memory_equal(page.h.to_cut, n->answer.cut, 16);
        for (size_t i = 0; i < n_parts; i++) {
            struct bytes origin = take_bytes(&in);
            struct part part;
            assert_true(i == 0 || bytes_equal(origin, before) || fn != NULL);
            MUST(message_get_part(take_bytes(&in), &part, &why));
            MUST(page_check_part(&page, i, &part, &why));
            each_op(f, n, part.content, origin, fn);
            before = origin;
        }
    }
}

static void may_be_sent(struct hub_fixture *f, struct fixture_node *n, const struct op *op, struct bytes origin)
{
    struct id id;
    memcpy(id.b, op_row_id(op), 16);
    if (!hub_fixture_sees(f, n->n.site, op->table->name, id))
        fail_msg("a row of %s was sent to %s, which may not see it", op->table->name, n->n.site);
    if (op->kind == OP_INSERT && op->table->kind == TABLE_CASE) assert_true(bytes_equal(origin, op->new_[2].s));
    if (op->table->kind == TABLE_REFERENCE) assert_int_equal(origin.n, 0);
}

static void apply(struct hub_fixture *f, struct fixture_node *n, const struct op *op, struct bytes origin)
{
    struct row row = {.table = op->table};
    struct buf old;
    bool found;
    (void)f;
    (void)origin;
    if (op->kind == OP_INSERT) {
        memcpy(row.v, op->new_, sizeof row.v);
        put(n, op->table_index, &row);
        n->got_rows++;
        return;
    }
    size_t at = find(n, op->table_index, op_row_id(op), &found);
    if (!found) fail_msg("columns of a row of %s came, which %s does not hold", op->table->name, n->n.site);
    old = n->rows[at].cbor;
    buf_init(&n->rows[at].cbor, MAX_BYTES);
    MUST(row_from_cbor(&row, op->table, buf_bytes(&old), &why));
    for (size_t i = 1; i < op->table->n_columns; i++)
        if (op->new_[i].kind != VALUE_NONE) row.v[i] = op->new_[i];
    put(n, op->table_index, &row);
    buf_release(&old);
    n->got_columns++;
}

void hub_fixture_ask(struct hub_fixture *f, struct fixture_node *n, uint64_t budget)
{
    struct fixture_answer *a = &n->answer;
    struct served served;
    struct cut cut;
    assert_false(a->waiting);
    *a = (struct fixture_answer){.waiting = true, .request = ++n->request};
    buf_init(&a->drops, MAX_BYTES);
    hub_fixture_begin(f);
    MUST(cut_get(&f->h, n->n.no, n->cursor, &cut, &why));
    MUST(drops_take(&f->h, &n->n, a->request, &a->drops, &a->n_drops, &why));
    MUST(serve_page(&f->h, &n->n, &cut, budget, &served, &why));
    MUST(served_put_ends(&f->h, &n->n, a->request, &served, &why));
    hub_fixture_commit(f);
    memcpy(a->cut, served.cut.name, 16);
    a->more = served.more;
    a->pages = served.items;
    buf_init(&served.items, 0); /* the answer's now */
    served_release(&served);
    if (!served.any) {
        assert_memory_equal(a->cut, n->cursor, 16);
        assert_int_equal(a->pages.len, 0);
        assert_false(a->more);
    }
    each_page_op(f, n, may_be_sent);
}

static enum err take_drop(void *ctx, const struct drop_item *d, struct why *why)
{
    struct fixture_node *n = ctx;
    (void)why;
    forget(n, d->table_index, d->id);
    n->got_drops++;
    return ERR_OK;
}

void hub_fixture_take(struct hub_fixture *f, struct fixture_node *n)
{
    struct bytes in = buf_bytes(&n->answer.drops), cose;
    struct buf all;
    uint64_t before = n->got_drops;
    assert_true(n->answer.waiting);
    buf_init(&all, MAX_BYTES);
    while (in.n > 0) {
        assert_int_equal(take_bytes(&in).n, 0);
        MUST(message_get_drops(take_bytes(&in), &f->h.id.pub, n->n.id.kid, n->answer.request, take_drop, n, &cose,
                               &why));
        buf_put_bytes(&all, cose);
    }
    hash_blake2b(n->drops_hash, buf_bytes(&all));
    buf_release(&all);
    assert_int_equal(n->got_drops - before, n->answer.n_drops);
    each_page_op(f, n, apply);
    memcpy(n->cursor, n->answer.cut, 16);
    buf_release(&n->answer.drops);
    buf_release(&n->answer.pages);
    n->answer.waiting = false;
}

void hub_fixture_pull(struct hub_fixture *f, struct fixture_node *n, uint64_t budget)
{
    bool more = true;
    if (n->answer.waiting) hub_fixture_take(f, n);
    for (int i = 0; more; i++) {
        if (i > 100000) fail_msg("%s is never done pulling", n->n.site);
        hub_fixture_ask(f, n, budget);
        more = n->answer.more;
        hub_fixture_take(f, n);
    }
}

void hub_fixture_node_wrote(struct hub_fixture *f, struct fixture_node *n, const char *table, struct id id)
{
    int tbl = rules_table_index(bytes_of_str(table));
    const struct table_rule *t = rules_table((size_t)tbl);
    struct buf store;
    struct row row;
    bool found = false;
    buf_init(&store, MAX_BYTES);
    MUST(db_row_get(f->h.db, t, id.b, &store, &row, &found, &why));
    assert_true(found);
    put(n, tbl, &row);
    buf_release(&store);
    MUST(sight_named(&f->h, n->n.no, t, id.b, &why));
}

struct compare {
    struct hub_fixture *f;
    struct fixture_node *n;
    size_t at;
};

/* When the row ends for the node's site, by what the hub keeps, which hub_verify holds against the views. */
static uint64_t end_of(struct hub_fixture *f, const struct fixture_node *n, const struct fixture_row *r)
{
    struct stmt *s;
    bool row = false;
    MUST(db_prepare(f->h.db,
                    "SELECT u.at FROM h_row r JOIN h_until u ON u.row_no = r.no AND u.site_no = $1"
                    " WHERE r.tbl = $2 AND r.id = $3",
                    &s, &why));
    db_bind_int(s, 1, n->n.site_no);
    db_bind_int(s, 2, r->tbl);
    db_bind_id(s, 3, r->id);
    MUST(db_step(s, &row, &why));
    uint64_t at = row ? (uint64_t)db_int(s, 0) : 0;
    db_done(s);
    return at;
}

static enum err compare_row(void *ctx, const struct row *r, struct why *why)
{
    struct compare *c = ctx;
    struct buf cbor;
    (void)why;
    const struct fixture_row *held = c->at < c->n->n_rows ? &c->n->rows[c->at] : NULL;
    if (held == NULL || rules_table((size_t)held->tbl) != r->table || memcmp(held->id, r->v[0].s.p, 16) != 0)
        fail_msg("%s lacks a row of %s, or holds one before it that it should not", c->n->n.site, r->table->name);
    buf_init(&cbor, MAX_BYTES);
    row_put_cbor(&cbor, r);
    if (!bytes_equal(buf_bytes(&cbor), buf_bytes(&held->cbor)))
        fail_msg("%s has other values in a row of %s", c->n->n.site, r->table->name);
    if (held->not_after != end_of(c->f, c->n, held))
        fail_msg("%s heard of another end of a row of %s", c->n->n.site, r->table->name);
    buf_release(&cbor);
    c->at++;
    return ERR_OK;
}

void hub_fixture_is_exact(struct hub_fixture *f, struct fixture_node *n)
{
    struct compare c = {.f = f, .n = n};
    MUST(hub_site_rows(&f->h, n->n.site, compare_row, &c, &why));
    if (c.at != n->n_rows)
        fail_msg("%s holds a row of %s that it may not see", n->n.site, rules_table((size_t)n->rows[c.at].tbl)->name);
}
