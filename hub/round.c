/* What happens to one request within the transaction: it is opened, judged and answered. Read hub_exchange first. */
#include "hub/round.h"

#include "hub/budget.h"
#include "hub/intake.h"
#include "hub/known.h"
#include "hub/log.h"
#include "hub/note.h"
#include "hub/order.h"

#include "sync/bundle.h"
#include "sync/courier.h"

#include <string.h>

#define DEFAULT_BUDGET (4u << 20)
#define MAX_BUDGET     (16u << 20)
#define MAX_PARK_MS    (10 * 60 * 1000)

void round_init(struct round *r, struct hub *h, struct bytes request, struct bytes more)
{
    *r = (struct round){.h = h, .request = request, .more = more};
    buf_init(&r->drops, 64u << 20);
    buf_init(&r->replies, 16u << 20);
    buf_init(&r->served.items, 0);
    hash_blake2b(r->request_hash, request);
}

void round_release(struct round *r)
{
    buf_release(&r->drops);
    buf_release(&r->replies);
    served_release(&r->served);
}

static enum err refuse_known(struct round *r, const char *reason, struct why *why)
{
    r->refusal = reason;
    return known_refused(why);
}

static enum err refuse_put_back(struct round *r, const char *reason, struct why *why)
{
    r->put_back = true;
    return refuse_known(r, reason, why);
}

/* ----------------------------------------------------------------------------------------------- the request */

/* FORMAT.md §6. One that is too old is not refused: the version of its store rises only by an answer of ours, so that
 * a refusal would bar it for good, also once its program is updated. */
static enum err check_schema(struct round *r, struct why *why)
{
    uint64_t ours = db_schema(r->h->db);
    r->node.schema = r->hello.schema;
    r->too_old = r->hello.schema + RULES_SCHEMA_BEHIND < ours;
    if (r->hello.schema <= ours) return ERR_OK;
    r->refusal = "the device's records are of a newer Spoke than this hub: update the hub";
    (void)why_set(why, ERR_REFUSED,
                  "The Spoke on this device is newer than the MASH server's. Nothing is lost: what waits here goes once "
                  "the server is updated.");
    return why_next(why, ERR_REFUSED, "Ask the MASH's administrators to update it.");
}

static enum err check_hello(struct round *r, const uint8_t binding[32], struct why *why)
{
    const struct node_hello *m = &r->hello;
    /* A hello from another stream of the same node would let its content be exchanged for older content. */
    if (memcmp(m->binding, binding, sizeof m->binding) != 0 || memcmp(m->hub, r->h->id.pub.kid, KID_BYTES) != 0)
        return why_set(why, ERR_TAMPERED, "The request was not sealed by the device that signed it.");
    if (r->node.replaced) return refuse_known(r, "another device took the place of this one", why);
    if (strcmp(r->node.state, "forked") == 0) return refuse_known(r, "a copy of this device was in use", why);
    if (m->epoch < r->h->epoch)
        return hear_again(r->h, &r->node, m, r->request_hash, &r->hearing, why) == ERR_OK
                   ? ERR_OK
                   : refuse_known(r, "the device stands before the hub's backup: it was restored from a copy, or was not in it", why);
    /* No device comes to a number but by the answers of a hub: it is the hub that was put back. */
    if (m->epoch > r->h->epoch || m->request > r->node.last_request + 1)
        return refuse_known(r, "the device knows a later state of the hub than this", why);
    if (m->request + NODES_REQUESTS <= r->node.last_request) /* late, or put back: nobody can tell any more */
        return refuse_known(r, "the device's request is older than the hub remembers: it came late, or the device was restored from a copy", why);
    if (m->request != r->node.last_request + 1)
        return refuse_put_back(r, "the device's request has the wrong number: it was restored from a copy", why);
    if (memcmp(m->last_answer, r->node.answer_hash, HASH_BYTES) != 0)
        return refuse_put_back(r, "the device did not take the hub's last answer", why);
    /* An answer is taken whole, so that the last answer proves the cursor. */
    if (memcmp(m->cursor, r->node.cursor, CUT_BYTES) != 0)
        return refuse_put_back(r, "the device stands elsewhere than the hub's last answer left it", why);
    enum err e = hear_return(r->h, &r->node, &r->hearing, why);
    return e == ERR_OK ? check_schema(r, why) : e;
}

static enum err take_receipt(struct round *r, struct bytes item, struct why *why)
{
    struct receipt receipt;
    struct bytes cose;
    enum err e = message_get_receipt(item, &r->node.id, &receipt, &cose, why);
    if (e == ERR_OK && memcmp(receipt.node, r->node.id.kid, KID_BYTES) != 0)
        e = why_set(why, ERR_TAMPERED, "A receipt is another device's.");
    return e == ERR_OK ? drops_receipt(r->h, &r->node, &receipt, cose, why) : e;
}

static enum err take_item(struct round *r, struct bytes item, struct why *why)
{
    enum err e;
    if (message_type(item) == MSG_SEEN) { /* no work: a request of nothing else may wait */
        if (r->seen.size > 0) return why_set(why, ERR_FORMAT, "The request says one thing twice.");
        return message_get_seen(item, &r->seen, why);
    }
    if (r->hearing != HEARD_AS_EVER) return hear_item(r->h, &r->node, r->hearing, item, why);
    r->n_work++;
    switch (message_type(item)) {
    case MSG_RECEIPT: return take_receipt(r, item, why);
    case MSG_VIEWS: return views_take(r->h, &r->node, item, why);
    case MSG_QUESTION:
        return r->too_old ? ERR_OK : questions_take(r->h, &r->node, item, &r->questions, why);
    case MSG_ENVELOPE:
    case MSG_GAP: {
        if (r->too_old) return ERR_OK; /* it keeps it, having no verdict */
        bool gap = message_type(item) == MSG_GAP; /* its device counts it as sent */
        e = gap ? intake_gap(r->h, &r->node, item, why) : intake_envelope(r->h, &r->node, item, why);
        r->n_envelopes += e == ERR_OK && !gap;
        if (e == ERR_REFUSED)
            return refuse_known(r,
                                strcmp(r->node.state, "forked") == 0 ? "a copy of this device was in use"
                                                                     : "a change is missing from the device's history",
                                why);
        return e;
    }
    default: return why_set(why, ERR_FORMAT, "The request holds something that the hub does not know.");
    }
}

/* To the end without acting on it: a known request that was damaged on its way has other bytes and a right beginning,
 * and says nothing against its device. */
static enum err read_rest(struct bundle_reader *in, struct why *why)
{
    struct bytes item;
    bool end = false;
    enum err e = ERR_OK;
    while (e == ERR_OK && !end) e = bundle_next(in, &item, &end, why);
    return e;
}

static enum err open_request(struct round *r, struct seal_header *head, uint8_t binding[32], struct why *why)
{
    struct hub *h = r->h;
    return h->reader == NULL ? bundle_reader_new(&h->reader, r->request, &h->id, head, binding, why)
                             : bundle_reader_again(h->reader, r->request, &h->id, head, binding, why);
}

/* Everything in it takes effect inside the transaction, which ends in a rollback unless the last frame proves that the
 * request is whole. */
static enum err take_request(struct round *r, struct why *why)
{
    struct seal_header head;
    struct bytes item;
    uint8_t binding[32];
    bool end = false;
    enum err e = open_request(r, &head, binding, why);
    struct bundle_reader *in = r->h->reader;
    if (e == ERR_OK) e = bundle_next(in, &item, &end, why);
    if (e == ERR_OK && end) e = why_set(why, ERR_FORMAT, "The request is empty.");
    if (e == ERR_OK) e = message_get_node_hello(item, &r->node.id, &r->hello, why);
    if (e == ERR_OK) e = check_hello(r, binding, why);
    if (e == ERR_OK && r->together && r->hearing != HEARD_AS_EVER) {
        r->alone = true; /* it changes what the hub is at, for everybody */
        e = why_set(why, ERR_BUSY, "The hub hears what this device returns by itself.");
    }
    if (r->put_back) {
        struct why damage = {0};
        enum err rest = read_rest(in, &damage);
        r->put_back = rest == ERR_OK;
        if (rest != ERR_OK) {
            r->refusal = NULL;
            e = why_set(why, rest, "%s", damage.text);
        }
    }
    while (e == ERR_OK) {
        e = bundle_next(in, &item, &end, why);
        if (e != ERR_OK || end) break;
        e = take_item(r, item, why);
    }
    bundle_reader_rest(in);
    return e;
}

/* ------------------------------------------------------------------------------------- what came beside it (§4.3) */

/* It says for which request it was made: the one that was just taken, or the last, which stands answered. So it proves
 * as much of its device as that one does, and has no number of its own that could come twice. */
static enum err check_more(const struct round *r, const struct seal_header *head, const struct node_hello *m,
                           const uint8_t binding[32], struct why *why)
{
    if (head->kind == COURIER_KIND_MORE && memcmp(head->sender, r->node.id.kid, KID_BYTES) == 0 &&
        memcmp(m->binding, binding, sizeof m->binding) == 0 && memcmp(m->hub, r->h->id.pub.kid, KID_BYTES) == 0 &&
        memcmp(m->last_answer, r->request_hash, HASH_BYTES) == 0 && m->epoch <= r->h->epoch)
        return ERR_OK;
    return why_set(why, ERR_TAMPERED, "The two parts of this file do not belong together. Nothing was changed.");
}

enum err round_take_more(struct round *r, struct why *why)
{
    struct bundle_reader *in = NULL;
    struct seal_header head;
    struct node_hello m;
    struct bytes item;
    uint8_t binding[32];
    bool end = false;
    if (r->more.n == 0) return ERR_OK;
    enum err e = bundle_reader_new(&in, r->more, &r->h->id, &head, binding, why);
    if (e == ERR_OK) e = bundle_next(in, &item, &end, why);
    if (e == ERR_OK && end) e = why_set(why, ERR_FORMAT, "The second part of this file is empty.");
    if (e == ERR_OK) e = message_get_node_hello(item, &r->node.id, &m, why);
    if (e == ERR_OK) e = check_more(r, &head, &m, binding, why);
    if (e == ERR_OK) {
        r->hello.schema = m.schema;
        e = check_schema(r, why);
    }
    while (e == ERR_OK) {
        e = bundle_next(in, &item, &end, why);
        if (e != ERR_OK || end) break;
        bool change = message_type(item) == MSG_ENVELOPE || message_type(item) == MSG_GAP;
        e = change ? take_item(r, item, why) : why_set(why, ERR_FORMAT, "The second part of this file holds no change.");
    }
    bundle_reader_free(in);
    return e;
}

/* ------------------------------------------------------------------------------------------------ the answer */

static enum err put_item(struct bundle_writer *w, const struct buf *item, struct why *why)
{
    return bundle_put(w, "", buf_bytes(item), why);
}

static enum err put_hello(struct round *r, struct bundle_writer *w, const uint8_t binding[32], struct why *why)
{
    struct hub_hello m = {
        .epoch = r->h->epoch,
        .request = r->hello.request,
        .clock_ms = (uint64_t)r->h->now_ms,
        .more = r->served.more,
        .revoked = r->revoked,
        .drops = r->n_drops,
        .schema = db_schema(r->h->db),
        .covered = r->node.covered,
    };
    struct buf item;
    memcpy(m.binding, binding, sizeof m.binding);
    memcpy(m.node, r->node.id.kid, KID_BYTES);
    memcpy(m.request_hash, r->request_hash, HASH_BYTES);
    memcpy(m.cut, r->served.cut.name, CUT_BYTES);
    buf_init(&item, 1u << 16);
    enum err e = message_put_hub_hello(&item, &r->h->id, &m, why);
    if (e == ERR_OK) e = put_item(w, &item, why);
    buf_release(&item);
    return e;
}

static enum err put_order(void *ctx, struct bytes item, struct why *why)
{
    return bundle_put(ctx, "", item, why);
}

static enum err put_orders(struct round *r, struct bundle_writer *w, struct why *why)
{
    return order_each(r->h, &r->node, r->hello.order, put_order, w, why);
}

/* Drops before pages: what the node must forget may come back in the same answer in another form. */
static enum err gather(struct round *r, struct why *why)
{
    uint64_t budget = r->hello.budget == 0 ? DEFAULT_BUDGET : r->hello.budget;
    enum err e = ERR_OK;
    if (r->hearing != HEARD_AS_EVER) {
        r->served.cut = r->cut;
        return hear_more(r->h, &r->node, &r->served.more, why);
    }
    e = drops_take(r->h, &r->node, r->hello.request, &r->drops, &r->n_drops, why);
    if (e != ERR_OK) return e;
    if (r->n_drops > 0) e = budget_forgot(r->h, &r->node, r->hello.request, why);
    if (e != ERR_OK) return e;
    if (r->revoked || r->too_old) {
        r->served.cut = r->cut;
        return ERR_OK;
    }
    e = serve_page(r->h, &r->node, &r->cut, budget < MAX_BUDGET ? budget : MAX_BUDGET, &r->served, why);
    if (e == ERR_OK) e = served_put_ends(r->h, &r->node, r->hello.request, &r->served, why);
    bool left = false;
    if (e == ERR_OK) e = answer_verdicts_left(r->h, &r->node, &left, why);
    r->served.more = r->served.more || left;
    return e;
}

/* The note goes before the verdicts are marked as told. */
static enum err put_rest(struct round *r, struct bundle_writer *w, struct why *why)
{
    enum err e = ERR_OK;
    if (r->hearing != HEARD_AS_EVER) return hear_answer(r->h, &r->node, w, why);
    if (r->seen.size > 0 || message_knows(r->hello.software, "log"))
        e = log_tell(r->h, &r->node, &r->seen, w, &r->refusal, why);
    if (e == ERR_OK && message_knows(r->hello.software, "note"))
        e = note_tell(r->h, &r->node, r->hello.request, r->served.any ? &r->served.cut : NULL, w, why);
    if (e == ERR_OK && message_knows(r->hello.software, "budget"))
        e = budget_tell(r->h, &r->node, r->hello.request, &r->served, w, why);
    if (e == ERR_OK) e = answer_put_verdicts(r->h, &r->node, r->hello.request, w, why);
    if (e == ERR_OK) e = answer_put_framed(w, &r->drops, why);
    if (e == ERR_OK) e = answer_put_framed(w, &r->replies, why);
    return e == ERR_OK && r->served.any ? answer_put_framed(w, &r->served.items, why) : e;
}

static enum err write_answer(struct round *r, struct buf *answer, struct why *why)
{
    struct seal_header head = {.version = 1, .kind = KIND_ANSWER};
    uint8_t binding[32];
    memcpy(head.recipient, r->node.id.kid, KID_BYTES);
    memcpy(head.sender, r->h->id.pub.kid, KID_BYTES);
    struct hub *h = r->h;
    enum err e = h->writer == NULL ? bundle_writer_new(&h->writer, &head, &r->node.id, answer, binding, why)
                                   : bundle_writer_again(h->writer, &head, &r->node.id, answer, binding, why);
    struct bundle_writer *w = h->writer;
    if (e == ERR_OK) e = put_hello(r, w, binding, why);
    if (e == ERR_OK) e = put_orders(r, w, why);
    if (e == ERR_OK) e = put_rest(r, w, why);
    if (e == ERR_OK) e = bundle_finish(w, why);
    bundle_writer_rest(w);
    if (e == ERR_OK && answer->err != ERR_OK) e = why_set(why, answer->err, "There is not enough memory to answer.");
    return e;
}

/* ------------------------------------------------------------------------------------------- what is remembered */

static enum err keep_answer(struct round *r, const struct buf *answer, struct why *why)
{
    struct stmt *s;
    r->node.last_request = r->hello.request;
    memcpy(r->node.request_hash, r->request_hash, HASH_BYTES);
    hash_blake2b(r->node.answer_hash, buf_bytes(answer));
    memcpy(r->node.cursor, r->served.cut.name, CUT_BYTES);
    late_all_sent(&r->node, &r->cut, r->hello.unsent <= r->n_envelopes);
    enum err e = nodes_save_round(r->h, &r->node, &r->hello, r->n_envelopes, why);
    if (e == ERR_OK) e = nodes_note_request(r->h, &r->node, why);
    if (e == ERR_OK)
        e = db_prepare(r->h->db,
                       "INSERT INTO h_answer(node_no, request, request_hash, answer) VALUES($1, $2, $3, $4) "
                       "ON CONFLICT(node_no) DO UPDATE SET request = excluded.request, "
                       "request_hash = excluded.request_hash, answer = excluded.answer",
                       &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, r->node.no);
    db_bind_int(s, 2, (int64_t)r->node.last_request);
    db_bind_blob(s, 3, bytes_of(r->request_hash, HASH_BYTES));
    db_bind_blob(s, 4, buf_bytes(answer));
    return db_run(s, why);
}

enum err round_note_refusal(struct hub *h, const struct round *r, struct why *why)
{
    enum err e = nodes_note_refusal(h, &r->node, r->refusal, why);
    return e == ERR_OK && (r->put_back || strcmp(r->node.state, "forked") == 0) ? nodes_forked(h, r->node.no, r->refusal, why) : e;
}

void round_record_refusal(struct hub *h, const struct round *r)
{
    enum err e = db_begin(h->db, NULL);
    if (e != ERR_OK) return;
    e = round_note_refusal(h, r, NULL);
    if (e == ERR_OK) e = db_commit(h->db, NULL);
    if (e != ERR_OK) db_rollback(h->db);
}

/* ---------------------------------------------------------------------------------------------------- the round */

static enum err should_park(struct round *r, bool may_park, bool *out, struct why *why)
{
    bool pending = true;
    *out = false;
    if (!may_park || r->hello.wait_ms == 0 || r->n_work > 0 || r->revoked || r->too_old) return ERR_OK;
    enum err e = order_pending(r->h, &r->node, r->hello.order, &pending, why);
    if (e == ERR_OK && !pending) e = serve_pending(r->h, &r->node, &r->cut, &pending, why);
    *out = !pending;
    return e;
}

/* Inside the transaction: all but its end. */
enum err round_run(struct round *r, bool may_park, bool *park, struct buf *answer, struct why *why)
{
    enum err e = take_request(r, why);
    if (e == ERR_OK) e = round_take_more(r, why);
    if (e == ERR_OK) e = restore_follow_due(r->h, why); /* before this device, or another of the transaction, is shown anything */
    r->revoked = nodes_cut_off(&r->node);
    if (e == ERR_OK) e = order_heard(r->h, &r->node, r->hello.order, why);
    if (e == ERR_OK) e = hear_cut(r->h, &r->node, r->hearing, r->hello.cursor, &r->cut, why);
    if (e == ERR_OK && r->hearing == HEARD_AS_EVER) e = should_park(r, may_park, park, why);
    if (e != ERR_OK || *park) return e;
    if (r->too_old) e = nodes_note_refusal(r->h, &r->node, "the device's Spoke is too old for this hub: update the device", why);
    r->questions.seen = r->seen.size;
    if (e == ERR_OK && !r->revoked && !r->too_old && r->hearing == HEARD_AS_EVER)
        e = questions_answer(r->h, &r->node, &r->questions, &r->replies, why);
    if (e != ERR_OK) return e;
    e = gather(r, why);
    if (e == ERR_OK) e = write_answer(r, answer, why);
    if (e == ERR_OK) e = keep_answer(r, answer, why);
    return e;
}

int64_t round_park_ms(const struct round *r)
{
    return r->hello.wait_ms < MAX_PARK_MS ? (int64_t)r->hello.wait_ms : MAX_PARK_MS;
}
