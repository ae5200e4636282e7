/* The door: a device that nobody has opened asks for its orders, and one that was wiped says so. sync/FORMAT.md
 * §4.1. */
#include "hub/order.h"

#include "sync/bundle.h"

#include <string.h>

enum { KIND_DOOR = 5 };

struct visit {
    struct hub *h;
    struct hub_node node;   /* whose door it is; the same for all items */
    struct identity signer; /* of the item being looked at */
    bool known;             /* node is set */
    struct knock knock;
    bool knocked;
    struct wiped wiped;
    bool is_wiped;
    struct buf cose; /* of the wiped */
};

/* One word for all who have no order to get: a stranger learns nothing of which devices there are. */
static enum err refused(struct why *why)
{
    return why_set(why, ERR_REFUSED, "The MASH does not know this device.");
}

static enum err judge(enum err e, struct why *why)
{
    switch (e) {
    case ERR_FORMAT:
    case ERR_TAMPERED:
    case ERR_LIMIT:
    case ERR_VERSION:
    case ERR_NOTFOUND:
    case ERR_REFUSED: return refused(why);
    default: return e;
    }
}

/* Signed by the door's key, or by the device's own. */
static enum err find_signer(struct visit *v, struct bytes item, struct why *why)
{
    uint8_t kid[KID_BYTES];
    struct hub_node n;
    enum err e = message_door_kid(item, kid, why);
    if (e == ERR_OK) e = nodes_by_door(v->h, kid, &n, why);
    if (e != ERR_OK) return e;
    if (v->known && v->node.no != n.no) return refused(why);
    v->node = n;
    v->known = true;
    v->signer = n.id;
    return memcmp(kid, n.id.kid, KID_BYTES) == 0 ? ERR_OK
                                                 : identity_stored(&v->signer, bytes_of(n.door, sizeof n.door), why);
}

static enum err take_knock(struct visit *v, struct bytes item, const uint8_t binding[32], struct why *why)
{
    struct knock *k = &v->knock;
    enum err e = find_signer(v, item, why);
    if (e == ERR_OK) e = message_get_knock(item, &v->signer, k, why);
    if (e != ERR_OK) return e;
    v->knocked = true;
    return memcmp(k->binding, binding, sizeof k->binding) == 0 && memcmp(k->hub, v->h->id.pub.kid, KID_BYTES) == 0 &&
                   memcmp(k->node, v->node.id.kid, KID_BYTES) == 0
               ? ERR_OK
               : refused(why);
}

static enum err take_wiped(struct visit *v, struct bytes item, struct why *why)
{
    struct bytes cose;
    enum err e = find_signer(v, item, why);
    if (e == ERR_OK) e = message_get_wiped(item, &v->signer, &v->wiped, &cose, why);
    if (e != ERR_OK) return e;
    v->is_wiped = true;
    buf_put_bytes(&v->cose, cose);
    return v->cose.err == ERR_OK ? ERR_OK : why_set(why, v->cose.err, "There is not enough memory to answer.");
}

/* A knock, a wiped, or both in this order; nothing is done yet. */
static enum err read_request(struct visit *v, struct bytes request, struct why *why)
{
    struct bundle_reader *in = NULL;
    struct seal_header head;
    struct bytes item;
    uint8_t binding[32];
    bool end = false;
    enum err e = bundle_reader_new(&in, request, &v->h->id, &head, binding, why);
    if (e == ERR_OK && head.kind != KIND_DOOR) e = refused(why);
    while (e == ERR_OK) {
        e = bundle_next(in, &item, &end, why);
        if (e != ERR_OK || end) break;
        if (message_type(item) == MSG_KNOCK && !v->knocked && !v->is_wiped)
            e = take_knock(v, item, binding, why);
        else if (message_type(item) == MSG_WIPED && !v->is_wiped)
            e = take_wiped(v, item, why);
        else
            e = refused(why);
    }
    bundle_reader_free(in);
    return e == ERR_OK && !v->known ? refused(why) : e;
}

static enum err put_order(void *ctx, struct bytes item, struct why *why)
{
    struct buf *out = ctx;
    (void)why;
    buf_put_bytes(out, item);
    return ERR_OK;
}

static enum err note_visit(struct visit *v, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(v->h->db, "UPDATE h_node SET knocked_at = $1 WHERE no = $2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, v->h->now_ms);
    db_bind_int(s, 2, v->node.no);
    return db_run(s, why);
}

/* Inside the transaction: all but its end. */
static enum err serve(struct visit *v, struct bytes request, struct buf *answer, struct why *why)
{
    struct door_answer a = {.clock_ms = (uint64_t)v->h->now_ms};
    hash_blake2b(a.request_hash, request);
    enum err e = ERR_OK;
    if (v->is_wiped) {
        e = order_wiped(v->h, &v->node, &v->wiped, buf_bytes(&v->cose), why);
        a.wiped = v->wiped.number;
    }
    if (e == ERR_OK && v->knocked) e = note_visit(v, why);
    if (e == ERR_OK && v->knocked) e = order_heard(v->h, &v->node, v->knock.order, why);
    if (e == ERR_OK) e = message_put_door(answer, &v->h->id, &a, why);
    if (e == ERR_OK && v->knocked) e = order_each(v->h, &v->node, v->knock.order, put_order, answer, why);
    return e == ERR_OK && answer->err != ERR_OK ? why_set(why, answer->err, "There is not enough memory to answer.")
                                                : e;
}

enum err hub_door(struct hub *h, struct bytes request, struct buf *out, struct why *why)
{
    struct visit v = {.h = h};
    struct buf answer;
    buf_init(&v.cose, COSE_MAX);
    buf_init(&answer, 1u << 20);
    enum err e = judge(read_request(&v, request, why), why);
    if (e == ERR_OK) e = hub_begin(h, why);
    if (e == ERR_OK) {
        e = judge(serve(&v, request, &answer, why), why);
        if (e == ERR_OK)
            e = hub_commit(h, why);
        else
            hub_abort(h);
    }
    if (e == ERR_OK) {
        buf_put_bytes(out, buf_bytes(&answer));
        if (out->err != ERR_OK) e = why_set(why, out->err, "There is not enough memory to answer.");
    }
    buf_release(&v.cose);
    buf_release(&answer);
    return e;
}
