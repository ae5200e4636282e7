#include "tests/lib/door_visit.h"

#include "base/cbor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void must_line(enum err e, const struct why *why, const char *what, int line)
{
    if (e != ERR_OK) fail_msg("%s (line %d): %s: %s", what, line, err_word(e), why->text);
}
#define MUST(call) must_line(call, &why, #call, __LINE__)

void visit_order_lease(struct fake_node *n, uint64_t days)
{
    struct why why = {0};
    MUST(hub_lease(n->f->hub, n->id.pub.kid, days, &why));
}

void visit_order_wipe(struct fake_node *n, bool at_once)
{
    struct why why = {0};
    MUST(hub_wipe(n->f->hub, n->id.pub.kid, "left on a train", at_once, &why));
}

const char *visit_state(struct fake_node *n, char out[16])
{
    struct why why = {0};
    struct stmt *s;
    bool row = false;
    MUST(db_prepare(hub_db(n->f->hub), "SELECT state FROM h_node WHERE kid = $1", &s, &why));
    db_bind_id(s, 1, n->id.pub.kid);
    MUST(db_step(s, &row, &why));
    assert_true(row);
    (void)snprintf(out, 16, "%.*s", (int)db_bytes(s, 0).n, (const char *)db_bytes(s, 0).p);
    db_done(s);
    return out;
}

void visit_start(struct visit *v, struct fake_node *n)
{
    struct why why = {0};
    memset(v, 0, sizeof *v);
    v->head = (struct seal_header){.version = 1, .kind = 5};
    memcpy(v->head.recipient, hub_identity(n->f->hub)->kid, KID_BYTES);
    buf_init(&v->request, 1u << 20);
    buf_init(&v->answer, 1u << 20);
    buf_init(&v->items, 1u << 20);
    MUST(bundle_writer_new(&v->w, &v->head, hub_identity(n->f->hub), &v->request, v->binding, &why));
}

static void visit_put(struct visit *v)
{
    struct why why = {0};
    MUST(bundle_put(v->w, "", buf_bytes(&v->items), &why));
    buf_reset(&v->items);
}

void visit_knock(struct visit *v, struct fake_node *n, const struct identity_secret *by)
{
    struct why why = {0};
    struct knock k = {.order = n->order, .clock_ms = 5};
    memcpy(k.binding, v->binding, 32);
    memcpy(k.hub, v->head.recipient, KID_BYTES);
    memcpy(k.node, n->id.pub.kid, KID_BYTES);
    MUST(message_put_knock(&v->items, by, &k, &why));
    visit_put(v);
}

void visit_wiped(struct visit *v, struct fake_node *n, const struct order *o, struct bytes cose, uint64_t unsent)
{
    struct why why = {0};
    struct wiped m = {.number = o->number, .at_ms = 77, .unsent = unsent};
    memcpy(m.node, n->id.pub.kid, KID_BYTES);
    hash_blake2b(m.order_hash, cose);
    MUST(message_put_wiped(&v->items, &n->id, &m, &why));
    visit_put(v);
}

static void read_answer(struct visit *v, struct fake_node *n)
{
    struct why why = {0};
    struct cbor_reader r;
    uint8_t hash[HASH_BYTES];
    cbor_reader_init(&r, buf_bytes(&v->answer));
    MUST(message_get_door(cbor_get_item(&r), hub_identity(n->f->hub), &v->said, &why));
    hash_blake2b(hash, buf_bytes(&v->request));
    assert_memory_equal(hash, v->said.request_hash, HASH_BYTES);
    while (!cbor_at_end(&r)) {
        assert_int_equal(r.err, ERR_OK);
        MUST(message_get_order(cbor_get_item(&r), hub_identity(n->f->hub), &v->orders[v->n_orders++], &v->cose, &why));
    }
}

enum err visit_send(struct visit *v, struct fake_node *n)
{
    struct why why = {0};
    if (v->w != NULL) MUST(bundle_finish(v->w, &why));
    bundle_writer_free(v->w);
    v->w = NULL;
    buf_reset(&v->answer);
    v->n_orders = 0;
    enum err e = hub_door(n->f->hub, buf_bytes(&v->request), &v->answer, &why);
    if (e == ERR_OK) read_answer(v, n);
    if (e != ERR_OK) assert_int_equal(v->answer.len, 0);
    return e;
}

void visit_end(struct visit *v)
{
    bundle_writer_free(v->w);
    buf_release(&v->request);
    buf_release(&v->answer);
    buf_release(&v->items);
}

enum err visit_once(struct visit *v, struct fake_node *n, const struct identity_secret *by)
{
    visit_start(v, n);
    visit_knock(v, n, by);
    return visit_send(v, n);
}

/* The wipe that this device is told of, and its word that it is done. */
enum err visit_confirm(struct fake_node *n, uint64_t unsent, struct visit *out)
{
    struct visit v;
    assert_int_equal(visit_once(&v, n, &n->id), ERR_OK);
    assert_true(v.n_orders >= 1);
    const struct order *o = &v.orders[v.n_orders - 1];
    assert_int_equal(o->kind, ORDER_WIPE);
    visit_start(out, n);
    visit_wiped(out, n, o, v.cose, unsent);
    enum err e = visit_send(out, n);
    visit_end(&v);
    return e;
}
