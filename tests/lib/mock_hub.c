#include "tests/lib/mock_hub.h"

#include "sync/bundle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void must(enum err e, const struct why *why)
{
    if (e != ERR_OK) print_error("%s: %s\n", err_word(e), why->text);
    assert_int_equal(e, ERR_OK);
}

/* ------------------------------------------------------------------------------------------------- the hub */
void mock_request_release(struct mock_request *r)
{
    buf_release(&r->contents);
}

void mock_hub_public(const struct mock_hub *h, uint8_t out[PUBLIC_BYTES])
{
    identity_to_bytes(&h->id.pub, out);
}

void mock_hub_invite(struct mock_hub *h, struct invitation *out)
{
    memset(out, 0, sizeof *out);
    identity_fingerprint(&h->id.pub, out->fingerprint);
    memcpy(out->token, h->token, sizeof out->token);
    (void)snprintf(out->address, sizeof out->address, "http://127.0.0.1:1");
}

/* The items of a bundle made for us. */
static struct bundle_reader *open_bundle(struct mock_hub *h, struct bytes in, uint8_t binding[32])
{
    struct bundle_reader *r = NULL;
    struct seal_header header;
    struct why why = {0};
    must(bundle_reader_new(&r, in, &h->id, &header, binding, &why), &why);
    return r;
}

static uint64_t clock_of(const struct mock_hub *h)
{
    return h->clock_ms != 0 ? h->clock_ms : (uint64_t)env_now(env_posix());
}

void mock_hub_enrol(struct mock_hub *h, struct bytes request, struct buf *out)
{
    struct why why = {0};
    struct enrol_request m;
    struct enrol_answer a = {.epoch = 1, .clock_ms = clock_of(h), .schema = rules_schema_newest()};
    struct seal_header header = {.version = 1, .kind = 4};
    struct bundle_writer *w = NULL;
    struct bytes item;
    struct buf b;
    bool end = false;
    uint8_t binding[32];
    struct bundle_reader *r = open_bundle(h, request, binding);
    must(bundle_next(r, &item, &end, &why), &why);
    must(message_get_enrol(item, &m, &h->node, &why), &why);
    assert_memory_equal(m.binding, binding, 32);
    assert_memory_equal(m.token, h->token, 16);
    bundle_reader_free(r);
    memcpy(a.node, h->node.kid, KID_BYTES);
    hash_blake2b(a.token_hash, bytes_of(m.token, sizeof m.token));
    (void)snprintf(a.hub_name, sizeof a.hub_name, "Powys MASH");
    (void)snprintf(a.site, sizeof a.site, "llanidloes");
    (void)snprintf(a.agency, sizeof a.agency, "health");
    memset(a.user, 3, sizeof a.user);
    memcpy(a.recovery_pk, h->recovery.pub.box_pk, 32);
    memcpy(header.recipient, h->node.kid, KID_BYTES);
    memcpy(header.sender, h->id.pub.kid, KID_BYTES);
    buf_init(&b, 1u << 20);
    must(bundle_writer_new(&w, &header, &h->node, out, a.binding, &why), &why);
    must(message_put_enrolled(&b, &h->id, &a, &why), &why);
    must(bundle_put(w, "", buf_bytes(&b), &why), &why);
    must(bundle_finish(w, &why), &why);
    bundle_writer_free(w);
    buf_release(&b);
}

static void read_envelope(struct mock_hub *h, struct bytes item, struct mock_request *out)
{
    struct why why = {0};
    static struct part parts[ENVELOPE_MAX_PARTS];
    struct envelope env;
    struct bytes cose;
    size_t n = 0;
    must(message_get_envelope(item, &cose, parts, ENVELOPE_MAX_PARTS, &n, &why), &why);
    must(envelope_verify(cose, &h->node, &env, &why), &why);
    assert_int_equal(env.n_parts, n);
    for (size_t i = 0; i < n; i++) {
        if (n <= 8) /* looking a commitment up costs its place in the list */
            must(envelope_check_part(&env, i, &parts[i], &why), &why);
        buf_put_bytes(&out->contents, parts[i].content);
    }
    assert_true(out->n_envelopes < MOCK_MAX);
    out->seqs[out->n_envelopes++] = env.h.seq;
}

static enum err take_view(void *ctx, const struct view_item *v, struct why *why)
{
    struct mock_request *r = ctx;
    (void)why;
    if (r->n_views < MOCK_MAX) r->views[r->n_views] = *v;
    r->n_views++;
    return ERR_OK;
}

void mock_hub_read(struct mock_hub *h, struct bytes request, struct mock_request *out)
{
    struct why why = {0};
    struct bytes item, cose;
    uint8_t binding[32];
    bool end = false;
    struct bundle_reader *r = open_bundle(h, request, binding);
    memset(out, 0, sizeof *out);
    buf_init(&out->contents, BUNDLE_MAX);
    hash_blake2b(out->hash, request);
    must(bundle_next(r, &item, &end, &why), &why);
    must(message_get_node_hello(item, &h->node, &out->hello, &why), &why);
    assert_memory_equal(out->hello.binding, binding, 32);
    for (;;) {
        must(bundle_next(r, &item, &end, &why), &why);
        if (end) break;
        if (message_type(item) == MSG_RECEIPT)
            must(message_get_receipt(item, &h->node, &out->receipts[out->n_receipts++], &cose, &why), &why);
        else if (message_type(item) == MSG_GAP)
            must(message_get_gap(item, &h->node, &out->gaps[out->n_gaps++], NULL, &why), &why);
        else if (message_type(item) == MSG_QUESTION)
            must(message_get_question(item, &h->node, &out->questions[out->n_questions++], &why), &why);
        else if (message_type(item) == MSG_SEEN)
            must(message_get_seen(item, &out->seen, &why), &why);
        else if (message_type(item) == MSG_VIEWS)
            must(message_get_views(item, &h->node, h->node.kid, take_view, out, &why), &why);
        else
            read_envelope(h, item, out);
    }
    bundle_reader_free(r);
}

void mock_answer_begin(struct mock_answer *a, const struct mock_hub *h, const struct mock_request *r)
{
    memset(a, 0, sizeof *a);
    memcpy(a->hello.node, h->node.kid, KID_BYTES);
    memcpy(a->hello.request_hash, r->hash, HASH_BYTES);
    memcpy(a->hello.cut, r->hello.cursor, CUT_BYTES);
    a->hello.epoch = 1;
    a->hello.request = r->hello.request;
    a->hello.clock_ms = clock_of(h);
    a->hello.schema = rules_schema_newest();
    memcpy(a->page.node, h->node.kid, KID_BYTES);
    memcpy(a->page.from_cut, r->hello.cursor, CUT_BYTES);
    a->page.epoch = 1;
    a->page.schema = rules_schema_newest();
    a->recipient = h->node;
    buf_init(&a->patchset, CHANGESET_MAX_BYTES);
    buf_init(&a->checkpoint, 1u << 20);
    changeset_writer_init(&a->writer, &a->patchset, true, rules_schema_newest());
}

void mock_answer_verdict(struct mock_answer *a, uint64_t seq, enum verdict v, const char *reason)
{
    assert_true(a->n_verdicts < MOCK_MAX);
    a->verdicts[a->n_verdicts++] = (struct verdict_item){.seq = seq, .verdict = v, .reason = bytes_of_str(reason)};
}

void mock_answer_drop(struct mock_answer *a, const char *table, const uint8_t id[16])
{
    assert_true(a->n_drops < MOCK_MAX);
    struct drop_item *d = &a->drops[a->n_drops++];
    d->table_index = rules_table_index(bytes_of_str(table));
    assert_true(d->table_index >= 0);
    memcpy(d->id, id, 16);
    a->hello.drops++;
}

void mock_answer_op(struct mock_answer *a, enum op_kind kind, const struct row *row)
{
    struct op op = {
        .kind = kind, .table = row->table, .table_index = rules_table_index(bytes_of_str(row->table->name))};
    memcpy(op.new_, row->v, sizeof op.new_);
    op.old[0] = row->v[0];
    changeset_put(&a->writer, &op);
    assert_int_equal(a->patchset.err, ERR_OK);
    if (!a->with_page) {
        a->with_page = true;
        a->page.to_cut[0] = (uint8_t)(a->hello.request + 1);
        a->page.to_cut[1] = 0xcc;
        memcpy(a->hello.cut, a->page.to_cut, CUT_BYTES);
    }
}

static void put(struct bundle_writer *w, struct buf *item)
{
    struct why why = {0};
    assert_int_equal(item->err, ERR_OK);
    must(bundle_put(w, "", buf_bytes(item), &why), &why);
    buf_reset(item);
}

static void put_page(struct mock_answer *a, const struct mock_hub *h, struct bundle_writer *w, struct buf *item)
{
    struct why why = {0};
    struct part part = {.content = buf_bytes(&a->patchset)};
    struct buf cose;
    buf_init(&cose, COSE_MAX);
    memset(part.salt, 9, sizeof part.salt);
    must(page_sign(&h->id, &a->page, &part, 1, &cose, &why), &why);
    message_put_page(item, buf_bytes(&cose), 1);
    put(w, item);
    if (a->swap_content) part.content.n--;
    message_put_part(item, &part);
    put(w, item);
    buf_release(&cose);
}

static void put_ends(struct mock_answer *a, const struct mock_hub *h, struct bundle_writer *w, struct buf *item)
{
    struct why why = {0};
    uint64_t request = a->ends_request != 0 ? a->ends_request : a->hello.request;
    must(message_put_ends(item, &h->id, a->hello.node, request, a->ends, a->n_ends, &why), &why);
    put(w, item);
}

static void put_orders(struct mock_answer *a, const struct mock_hub *h, struct bundle_writer *w, struct buf *item)
{
    struct why why = {0};
    for (size_t i = 0; i < a->n_orders; i++) {
        must(message_put_order(item, a->orders_by != NULL ? a->orders_by : &h->id, &a->orders[i], &why), &why);
        put(w, item);
    }
}

void mock_answer_seal(struct mock_answer *a, const struct mock_hub *h, struct buf *out)
{
    struct why why = {0};
    struct seal_header header = {.version = 1, .kind = 2};
    struct bundle_writer *w = NULL;
    struct buf item;
    buf_init(&item, BUNDLE_MAX_ITEM);
    memcpy(header.recipient, a->recipient.kid, KID_BYTES);
    memcpy(header.sender, h->id.pub.kid, KID_BYTES);
    must(bundle_writer_new(&w, &header, &a->recipient, out, a->hello.binding, &why), &why);
    if (a->wrong_binding) a->hello.binding[0] ^= 1;
    must(message_put_hub_hello(&item, &h->id, &a->hello, &why), &why);
    put(w, &item);
    if (!a->orders_last) put_orders(a, h, w, &item);
    for (unsigned i = 0; a->checkpoint.len > 0 && (i == 0 || i < a->checkpoints); i++)
        must(bundle_put(w, "", buf_bytes(&a->checkpoint), &why), &why);
    if (a->n_verdicts > 0) {
        must(message_put_verdicts(&item, &h->id, a->hello.node, a->hello.request, a->verdicts, a->n_verdicts, &why),
             &why);
        put(w, &item);
    }
    if (a->n_drops > 0) {
        must(message_put_drops(&item, &h->id, a->hello.node, a->hello.request, a->drops, a->n_drops, &why), &why);
        put(w, &item);
    }
    for (size_t i = 0; i < a->n_replies; i++) {
        must(message_put_reply(&item, &h->id, &a->replies[i], &why), &why);
        put(w, &item);
    }
    if (a->n_ends > 0 && a->ends_first) put_ends(a, h, w, &item);
    if (a->with_page) put_page(a, h, w, &item);
    if (a->n_ends > 0 && !a->ends_first) put_ends(a, h, w, &item);
    if (a->orders_last) put_orders(a, h, w, &item);
    must(bundle_finish(w, &why), &why);
    bundle_writer_free(w);
    buf_release(&item);
    buf_release(&a->patchset);
    buf_release(&a->checkpoint);
}

/* --------------------------------------------------------------------------------------------- the carrier */
/* A new request is read and answered; a known one gets the same answer again, as the real hub gives it. */
static void answer_request(struct mock_hub *h, struct bytes request)
{
    struct mock_answer a;
    uint8_t hash[HASH_BYTES];
    hash_blake2b(hash, request);
    if (memcmp(hash, h->last_hash, sizeof hash) == 0) return;
    mock_request_release(&h->seen);
    mock_hub_read(h, request, &h->seen);
    mock_answer_begin(&a, h, &h->seen);
    if (h->script != NULL) {
        h->script(h, &h->seen, &a, h->script_ctx);
    } else {
        for (size_t i = 0; i < h->seen.n_envelopes; i++) mock_answer_verdict(&a, h->seen.seqs[i], VERDICT_APPLIED, "");
        for (size_t i = 0; i < h->seen.n_gaps; i++) mock_answer_verdict(&a, h->seen.gaps[i].seq, VERDICT_FAULT, "gone");
    }
    buf_reset(&h->last);
    mock_answer_seal(&a, h, &h->last);
    memcpy(h->last_hash, hash, sizeof hash);
}

static enum err exchange(void *ctx, struct bytes request, uint64_t from, uint64_t wait_ms,
                         enum err (*sink)(void *sink_ctx, struct bytes piece, struct why *why), void *sink_ctx,
                         struct why *why)
{
    struct mock_hub *h = ctx;
    (void)wait_ms;
    h->from = from;
    h->exchanges++;
    if (h->down) return why_set(why, ERR_UNREACHABLE, "nobody there");
    answer_request(h, request);
    size_t end = h->break_after != 0 && h->break_after < h->last.len ? h->break_after : h->last.len;
    for (size_t at = (size_t)from; at < end; at += 700) {
        size_t n = end - at < 700 ? end - at : 700;
        enum err e = sink(sink_ctx, bytes_of(h->last.data + at, n), why);
        if (e != ERR_OK) return e;
    }
    return end < h->last.len ? why_set(why, ERR_UNREACHABLE, "the link broke") : ERR_OK;
}

struct carrier mock_hub_carrier(struct mock_hub *h)
{
    return (struct carrier){.ctx = h, .exchange = exchange};
}

/* ---------------------------------------------------------------------------------------------------- rows */
void mock_id(uint8_t out[16], unsigned n)
{
    static const uint8_t base[16] = {0xfa, 0xce, 0x01, 0x93, 0x11, 0x22, 0x70, 0x44,
                                     0x8d, 0x66, 0x5a, 0x88, 0x99, 0xab, 0,    0};
    memcpy(out, base, 16);
    out[14] = (uint8_t)(n >> 8);
    out[15] = (uint8_t)n;
}

static const struct table_rule *table_of(const char *name)
{
    int i = rules_table_index(bytes_of_str(name));
    assert_true(i >= 0);
    return rules_table((size_t)i);
}

static size_t column_of(const struct table_rule *t, const char *name)
{
    int i = rules_column_index(t, bytes_of_str(name));
    assert_true(i >= 0);
    return (size_t)i;
}

static struct row blank(const char *table, const uint8_t id[16], const uint8_t case_id[16])
{
    struct row r = {.table = table_of(table)};
    for (size_t i = 0; i < r.table->n_columns; i++) r.v[i] = value_null();
    r.v[0] = value_id(id);
    r.v[1] = value_id(case_id);
    r.v[2] = value_str("health");
    return r;
}

struct row mock_case(const uint8_t id[16])
{
    return blank("case_file", id, id);
}

struct row mock_person(const uint8_t id[16], const uint8_t case_id[16], const char *family_name)
{
    struct row r = blank("person", id, case_id);
    r.v[column_of(r.table, "family_name")] = value_str(family_name);
    return r;
}

struct row mock_change(const char *table, const uint8_t id[16], const char *column, const char *text)
{
    struct row r = {.table = table_of(table)};
    r.v[0] = value_id(id);
    r.v[column_of(r.table, column)] = value_str(text);
    return r;
}

uint64_t mock_put(struct node *n, const struct row *rows, size_t n_rows)
{
    struct why why = {0};
    uint64_t seq = 0;
    must(node_edit_begin(n, &why), &why);
    for (size_t i = 0; i < n_rows; i++) must(db_row_put(node_db(n), &rows[i], &why), &why);
    must(node_edit_commit(n, "put rows", &seq, &why), &why);
    return seq;
}

uint64_t mock_set(struct node *n, const char *table, const uint8_t id[16], const char *column, const char *text)
{
    struct why why = {0};
    uint64_t seq = 0;
    const struct table_rule *t = table_of(table);
    must(node_edit_begin(n, &why), &why);
    must(db_row_set(node_db(n), t, id, column_of(t, column), value_str(text), &why), &why);
    must(node_edit_commit(n, "changed a row", &seq, &why), &why);
    return seq;
}

void mock_get(struct node *n, const char *table, const uint8_t id[16], const char *column, char out[128])
{
    struct why why = {0};
    struct buf store;
    struct row row;
    bool found = false;
    const struct table_rule *t = table_of(table);
    buf_init(&store, 8u << 20);
    must(db_row_get(node_db(n), t, id, &store, &row, &found, &why), &why);
    (void)snprintf(out, 128, "-");
    if (found) {
        struct value v = row.v[column_of(t, column)];
        (void)snprintf(out, 128, "%.*s", v.kind == VALUE_TEXT ? (int)v.s.n : 0,
                       v.kind == VALUE_TEXT ? (const char *)v.s.p : "");
    }
    buf_release(&store);
}

int64_t mock_ask(struct node *n, const char *sql)
{
    struct why why = {0};
    struct stmt *s = NULL;
    bool row = false;
    must(db_prepare(node_db(n), sql, &s, &why), &why);
    must(db_step(s, &row, &why), &why);
    int64_t v = row ? db_int(s, 0) : 0;
    db_done(s);
    return v;
}

struct round_result mock_sync(struct mock_world *w, enum err want)
{
    struct why why = {0};
    struct round_result r;
    struct carrier via = mock_hub_carrier(&w->hub);
    enum err e = node_sync(w->node, &via, NULL, &r, &why);
    if (e != want) print_error("%s: %s\n", err_word(e), why.text);
    assert_int_equal(e, want);
    return r;
}
