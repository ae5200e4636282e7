/* An answer, verified whole. Nothing of it may be acted upon before its end was authenticated: so this pass reads
 * everything and changes nothing, and take.c goes through what was read a second time. */
#include "node/internal.h"

#include "sync/bundle.h"

#include <string.h>

#define CHECKPOINT_MAX (16u << 10) /* bytes of MSG_CHECKPOINT, and more than it may have */

struct check {
    struct node *n;
    struct answer *a;
    uint64_t sent_seq;       /* last envelope that a request carried */
    uint8_t cut[CUT_BYTES];  /* where the replica would stand after what was read */
    struct buf drop_coses;   /* concatenated, for the hash */
    struct buf page_cose;    /* of the running page: its items do not outlive their turn */
    struct signed_page page; /* borrows from page_cose */
    size_t parts_left;       /* of the running page */
    uint64_t n_replies, last_reply; /* number of the last one's question */
    bool paged;              /* a page was seen: only pages and parts may follow */
    bool begun;              /* something was seen that orders must stand before */
};

static enum err broken(struct why *why, const char *what)
{
    return why_set(why, ERR_FORMAT, "This answer cannot be used: %s. Nothing was changed here.", what);
}

static enum err check_number(struct node *n, const struct hub_hello *h, struct why *why)
{
    uint64_t answered, pending;
    uint8_t want[HASH_BYTES];
    enum err e = state_number(n->db, "answered", &answered, why);
    if (e == ERR_OK) e = state_number(n->db, "pending", &pending, why);
    if (e == ERR_OK) e = state_fixed(n->db, "request_hash", want, sizeof want, why);
    if (e != ERR_OK) return e;
    if (h->request <= answered) return why_set(why, ERR_EXISTS, "This answer was taken before. Nothing was changed.");
    if (h->request != pending || memcmp(want, h->request_hash, sizeof want) != 0) {
        (void)broken(why, "it does not belong to the request that waits for an answer here");
        return why_next(why, ERR_FORMAT, "Take the answers one after the other, each to the file exported last.");
    }
    return ERR_OK;
}

static enum err check_hello(struct check *c, struct bytes item, const uint8_t binding[32], struct why *why)
{
    struct node *n = c->n;
    if (message_type(item) != MSG_HUB_HELLO) return broken(why, "it does not begin as an answer should");
    struct hub_hello h;
    enum err e = message_get_hub_hello(item, &n->hub, &h, why);
    if (e != ERR_OK) return e;
    if (memcmp(h.binding, binding, sizeof h.binding) != 0)
        return why_set(why, ERR_TAMPERED,
                       "This answer was put together from pieces of others. Nothing was changed here.");
    if (memcmp(h.node, n->self.pub.kid, KID_BYTES) != 0)
        return why_set(why, ERR_REFUSED, "This answer is for another device. Nothing was changed here.");
    if (h.epoch < n->epoch) {
        (void)why_set(why, ERR_REFUSED,
                      "This answer comes from a MASH server as it was before it was put back from a backup. Nothing was changed here.");
        return why_next(why, ERR_REFUSED, "Tell your MASH's administrator: the old server must not run beside the new one.");
    }
    if (h.schema < db_schema(n->db)) {
        (void)why_set(why, ERR_VERSION,
                      "The records on this device are of a newer Spoke than the MASH server's. "
                      "Nothing was changed here.");
        return why_next(why, ERR_VERSION,
                        "Ask the MASH's administrator to update the server; nothing is lost until then.");
    }
    e = check_number(n, &h, why);
    if (e == ERR_OK) c->a->hello = h;
    return e;
}

static enum err check_verdict(void *ctx, const struct verdict_item *v, struct why *why)
{
    struct check *c = ctx;
    struct buf *judged = &c->a->judged.list;
    if (v->seq == 0 || v->seq > c->sent_seq) return broken(why, "it speaks of a change that this device never sent");
    buf_put(judged, &v->seq, sizeof v->seq);
    return judged->err == ERR_OK ? ERR_OK : why_set(why, judged->err, "There is not enough memory for this answer.");
}

static enum err note_drop(void *ctx, const struct drop_item *d, struct why *why)
{
    struct check *c = ctx;
    if (d->table_index < 0 || rules_table((size_t)d->table_index) == NULL)
        return broken(why, "it speaks of a table that is not here");
    buf_put(&c->a->drops, d, sizeof *d);
    c->a->n_drops++;
    return c->a->drops.err == ERR_OK ? ERR_OK
                                     : why_set(why, c->a->drops.err, "There is not enough memory for this answer.");
}

static enum err check_drops(struct check *c, struct bytes item, struct why *why)
{
    struct bytes cose = {0};
    enum err e = message_get_drops(item, &c->n->hub, c->n->self.pub.kid, c->a->hello.request, note_drop, c, &cose, why);
    if (e != ERR_OK) return e;
    buf_put_bytes(&c->drop_coses, cose);
    return c->drop_coses.err == ERR_OK ? ERR_OK
                                       : why_set(why, c->drop_coses.err, "There is not enough memory for this answer.");
}

static enum err check_page(struct check *c, struct bytes item, struct why *why)
{
    struct bytes cose;
    size_t n_parts;
    enum err e = message_get_page(item, &cose, &n_parts, why);
    if (e != ERR_OK) return e;
    buf_reset(&c->page_cose);
    buf_put_bytes(&c->page_cose, cose);
    if (c->page_cose.err != ERR_OK)
        return why_set(why, c->page_cose.err, "There is not enough memory for this answer.");
    e = page_verify(buf_bytes(&c->page_cose), &c->n->hub, &c->page, why);
    if (e != ERR_OK) return e;
    const struct page_header *h = &c->page.h;
    if (memcmp(h->node, c->n->self.pub.kid, KID_BYTES) != 0)
        return why_set(why, ERR_REFUSED,
                       "This answer holds entries meant for another device. Nothing was changed here.");
    if (h->epoch != c->n->epoch) return broken(why, "its entries are of another time than its beginning");
    if (h->schema != db_schema(c->n->db)) return broken(why, "its entries are not of the version that was asked for");
    /* Columns that changed since another cut would leave out what changed before it. */
    if (memcmp(h->from_cut, c->cut, CUT_BYTES) != 0)
        return broken(why, "its entries build on a state that this device is not in");
    if (c->page.n_parts != n_parts) return broken(why, "entries are missing from it");
    memcpy(c->cut, h->to_cut, CUT_BYTES);
    c->parts_left = n_parts;
    c->paged = true;
    return ERR_OK;
}

static enum err check_part(struct check *c, struct bytes item, struct why *why)
{
    const struct changeset_limits lim = {.schema = c->page.h.schema, .patchset = true, .max_ops = CHANGESET_MAX_OPS};
    struct part part;
    if (c->parts_left == 0) return broken(why, "it holds entries that nobody signed for");
    enum err e = message_get_part(item, &part, why);
    if (e == ERR_OK) e = page_check_part(&c->page, c->page.n_parts - c->parts_left, &part, why);
    if (e == ERR_OK) e = changeset_check(part.content, &lim, why);
    c->parts_left--;
    return e;
}

static enum err check_reply(struct check *c, struct bytes item, struct why *why)
{
    struct reply r;
    enum err e = message_get_reply(item, &c->n->hub, &r, why);
    if (e == ERR_OK) e = question_check(c->n, c->a->hello.request, &r, &c->last_reply, why);
    c->n_replies += e == ERR_OK;
    return e;
}

/* Orders stand first, lowest number first. Which of them are new is seen when they are taken. */
static enum err check_order(struct check *c, struct bytes item, struct why *why)
{
    struct answer *a = c->a;
    if (c->begun || a->checkpoint.len > 0 || a->n_orders == ORDERS_MAX) return broken(why, "its orders are not as they should be");
    struct order_item *o = &a->orders[a->n_orders];
    enum err e = message_get_order(item, &c->n->hub, &o->said, NULL, why);
    if (e != ERR_OK) return e;
    if (memcmp(o->said.node, c->n->self.pub.kid, KID_BYTES) != 0)
        return why_set(why, ERR_REFUSED, "This answer holds an order to another device. Nothing was changed here.");
    if (a->n_orders > 0 && o->said.number <= a->orders[a->n_orders - 1].said.number)
        return broken(why, "its orders are not as they should be");
    buf_init(&o->item, ORDER_ITEM_MAX);
    buf_put_bytes(&o->item, item);
    a->n_orders++;
    return o->item.err == ERR_OK ? ERR_OK : why_set(why, o->item.err, "There is not enough memory for this answer.");
}

/* The whole list was found good; whether the row is here shows when it is taken. */
static enum err check_end_item(void *ctx, const struct end_item *end, struct why *why)
{
    (void)ctx;
    (void)end;
    (void)why;
    return ERR_OK;
}

/* Once, right after the orders. What is longer than any of its kind is kept as far as it shows that: what it says is
 * judged when all else of the answer was found good. */
static enum err note_checkpoint(struct check *c, struct bytes item, struct why *why)
{
    struct buf *b = &c->a->checkpoint;
    if (c->begun || b->len > 0) return broken(why, "its parts are not in their order");
    buf_put_bytes(b, bytes_of(item.p, item.n < CHECKPOINT_MAX ? item.n : CHECKPOINT_MAX));
    return b->err == ERR_OK ? ERR_OK : why_set(why, b->err, "There is not enough memory for this answer.");
}

static enum err check_room(struct check *c, struct bytes item, struct why *why)
{
    struct answer *a = c->a;
    if (a->room.most != 0) return broken(why, "it says one thing twice");
    enum err e = message_get_room(item, &c->n->hub, &a->room, why);
    if (e == ERR_OK && (memcmp(a->room.node, c->n->self.pub.kid, KID_BYTES) != 0 || a->room.request != a->hello.request))
        e = broken(why, "what it says of room is meant for another answer");
    return e;
}

static enum err check_item(struct check *c, struct bytes item, struct why *why)
{
    unsigned type = message_type(item);
    if (type == MSG_ORDER) return check_order(c, item, why);
    if (type == MSG_CHECKPOINT) return note_checkpoint(c, item, why);
    if (type == MSG_EPOCH && !c->begun) return epoch_check(c->n, item, c->a, why);
    if (type == MSG_NOTE && !c->begun) return note_check(item, c->a, why);
    if (type == MSG_ROOM && !c->begun) return check_room(c, item, why);
    c->begun = true;
    if (type == MSG_PART) return check_part(c, item, why);
    if (c->parts_left > 0) return broken(why, "entries are missing from it");
    if (type == MSG_PAGE) return check_page(c, item, why);
    if (type == MSG_ENDS && c->paged)
        return message_get_ends(item, &c->n->hub, c->n->self.pub.kid, c->a->hello.request, check_end_item, c, why);
    if (c->paged) return broken(why, "its parts are not in their order");
    if (type == MSG_VERDICTS)
        return message_get_verdicts(item, &c->n->hub, c->n->self.pub.kid, c->a->hello.request, check_verdict, c, why);
    if (type == MSG_DROPS) return check_drops(c, item, why);
    if (type == MSG_REPLY) return check_reply(c, item, why);
    return broken(why, "it holds something that this version of Spoke does not know");
}

static enum err check_end(struct check *c, struct why *why)
{
    if (c->parts_left > 0) return broken(why, "entries are missing from it");
    if (c->paged && memcmp(c->cut, c->a->hello.cut, CUT_BYTES) != 0)
        return broken(why, "its entries do not lead where its beginning says");
    if (c->a->n_drops != c->a->hello.drops) return broken(why, "orders to forget are missing from it");
    hash_blake2b(c->a->drops_hash, buf_bytes(&c->drop_coses));
    seqs_sort(&c->a->judged);
    enum err e = epoch_check_end(c->n, c->a, c->cut, c->paged, why);
    if (e == ERR_OK) e = question_check_end(c->n, c->a->hello.request, c->n_replies, why);
    return e == ERR_OK ? trust_judge(c->n, c->a, why) : e;
}

static enum err check_items(struct check *c, struct bundle_reader *r, const uint8_t binding[32], struct why *why)
{
    struct bytes item;
    bool end = false;
    enum err e = bundle_next(r, &item, &end, why);
    if (e == ERR_OK && end) e = broken(why, "it is empty");
    if (e == ERR_OK) e = check_hello(c, item, binding, why);
    while (e == ERR_OK) {
        e = bundle_next(r, &item, &end, why);
        if (e != ERR_OK || end) break;
        e = check_item(c, item, why);
        unsigned type = message_type(item);
        if (e == ERR_OK && (type == MSG_VERDICTS || type == MSG_PART || type == MSG_REPLY || type == MSG_ENDS))
            stash_put(&c->a->stash, item);
    }
    return e == ERR_OK ? check_end(c, why) : e;
}

enum err answer_verify(struct node *n, struct bytes in, struct answer *out, struct why *why)
{
    struct check c = {.n = n, .a = out};
    struct seal_header h;
    uint8_t binding[32];
    memset(out, 0, sizeof *out);
    buf_init(&out->drops, BUNDLE_MAX);
    buf_init(&out->judged.list, BUNDLE_MAX);
    buf_init(&out->checkpoint, CHECKPOINT_MAX);
    buf_init(&c.drop_coses, BUNDLE_MAX);
    buf_init(&c.page_cose, COSE_MAX);
    hash_blake2b(out->hash, in);
    enum err e = state_fixed(n->db, "cursor", c.cut, sizeof c.cut, why);
    if (e == ERR_OK) e = state_number(n->db, "sent_seq", &c.sent_seq, why);
    if (e == ERR_OK) e = bundle_reader_new(&out->reader, in, &n->self, &h, binding, why);
    if (e == ERR_OK && h.kind != 2) e = broken(why, "it is not an answer of a MASH server");
    if (e == ERR_OK && memcmp(h.sender, n->hub.kid, KID_BYTES) != 0)
        e = why_set(why, ERR_REFUSED,
                    "This answer comes from another MASH server than this device's. Nothing was changed here.");
    if (e == ERR_OK) e = check_items(&c, out->reader, binding, why);
    buf_release(&c.drop_coses);
    buf_release(&c.page_cose);
    return e;
}

enum err answer_next(struct answer *a, struct bytes *out_item, bool *out_end, struct why *why)
{
    if (!a->stash.overflown) {
        *out_end = !stash_next(&a->stash, out_item);
        return ERR_OK;
    }
    if (!a->rewound) bundle_rewind(a->reader);
    a->rewound = true;
    return bundle_next(a->reader, out_item, out_end, why);
}

void answer_release(struct answer *a)
{
    stash_release(&a->stash);
    bundle_reader_free(a->reader);
    buf_release(&a->drops);
    for (size_t i = 0; i < a->n_orders; i++) buf_release(&a->orders[i].item);
    buf_release(&a->judged.list);
    buf_release(&a->checkpoint);
    buf_release(&a->statement);
    buf_release(&a->note);
}
