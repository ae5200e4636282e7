/* Signed things: COSE_Sign1, envelopes and pages, every message of a round, invitations. With the signature tried as it
 * is, and with every signature taken for good, so that what stands behind it is reached. */
#include "base/cbor.h"
#include "sync/messages_return.h"
#include "sync/question.h"
#include "sync/rules.h"
#include "tests/fuzz/returned.h"

#include <string.h>

enum { SIGNATURE = 64, LIST = 512 };

static bool refusal(enum err e)
{
    return e == ERR_FORMAT || e == ERR_TAMPERED || e == ERR_LIMIT || e == ERR_VERSION;
}

/* The same bytes again, but for the signature: nothing is accepted in two encodings. */
static void same(struct bytes in, struct buf *again)
{
    HOLDS(again->err == ERR_OK && again->len == in.n && in.n >= SIGNATURE);
    HOLDS(memcmp(again->data, in.p, in.n - SIGNATURE) == 0);
    buf_release(again);
}

static void parse(struct bytes in)
{
    struct identity_secret who = *fuzz_me();
    struct cose_parts parts;
    struct buf again;
    enum err e = cose_parse(in, &parts, NULL);
    if (e != ERR_OK) {
        HOLDS(refusal(e));
        return;
    }
    memcpy(who.pub.kid, parts.kid, KID_BYTES);
    buf_init(&again, COSE_MAX);
    fuzz_believe(true);
    HOLDS(cose_sign(&who, parts.n_extra, parts.extra, (struct bytes){0}, parts.payload, &again, NULL) == ERR_OK);
    same(in, &again);
}

/* Two contents of the same length. A fuzzer that watches comparisons learns the commitment of either and puts it in;
 * nothing is committed to both. */
static const char *const contents[] = {"no content of this", "nor is it this one"};

/* `one` and `other`: what became of checking the two against one commitment. */
static bool committed_to_one(enum err one, enum err other)
{
    return (one == ERR_OK && other == ERR_TAMPERED) || (other == ERR_OK && one == ERR_TAMPERED) ||
           (one == ERR_TAMPERED && other == ERR_TAMPERED);
}

static void envelope(struct bytes in)
{
    struct envelope env;
    const struct part part = {.content = bytes_of_str(contents[0])}, rival = {.content = bytes_of_str(contents[1])};
    enum err e = envelope_verify(in, &fuzz_me()->pub, &env, NULL);
    if (e != ERR_OK) {
        HOLDS(refusal(e));
        return;
    }
    HOLDS(env.n_parts >= 1 && env.n_parts <= ENVELOPE_MAX_PARTS && env.h.seq >= 1 && env.h.seq <= INT64_MAX);
    HOLDS(env.h.epoch <= INT64_MAX && env.h.hlc <= INT64_MAX);
    for (size_t i = 0; i < env.n_parts; i++)
        HOLDS(committed_to_one(envelope_check_part(&env, i, &part, NULL), envelope_check_part(&env, i, &rival, NULL)));
}

static void page(struct bytes in)
{
    struct signed_page page;
    const struct part part = {.content = bytes_of_str(contents[0])}, rival = {.content = bytes_of_str(contents[1])};
    enum err e = page_verify(in, &fuzz_me()->pub, &page, NULL);
    if (e != ERR_OK) {
        HOLDS(refusal(e));
        return;
    }
    HOLDS(page.n_parts <= ENVELOPE_MAX_PARTS && page.h.epoch <= INT64_MAX);
    for (size_t i = 0; i < page.n_parts; i++)
        HOLDS(committed_to_one(page_check_part(&page, i, &part, NULL), page_check_part(&page, i, &rival, NULL)));
}

struct lists {
    struct verdict_item verdicts[LIST];
    struct drop_item drops[LIST];
    struct end_item ends[LIST];
    struct view_item views[LIST];
    size_t n;
};

static enum err each_verdict(void *ctx, const struct verdict_item *v, struct why *why)
{
    struct lists *l = ctx;
    (void)why;
    if (l->n < LIST) l->verdicts[l->n] = *v;
    l->n++;
    return ERR_OK;
}

static enum err each_drop(void *ctx, const struct drop_item *d, struct why *why)
{
    struct lists *l = ctx;
    (void)why;
    HOLDS(rules_table((size_t)d->table_index) != NULL);
    if (l->n < LIST) l->drops[l->n] = *d;
    l->n++;
    return ERR_OK;
}

static enum err verdicts(struct bytes in, struct buf *again)
{
    static struct lists l; /* too large for a stack, and filled anew each time */
    l.n = 0;
    enum err e = message_get_verdicts(in, &fuzz_me()->pub, FUZZ_NODE, FUZZ_REQUEST, each_verdict, &l, NULL);
    HOLDS(e == ERR_OK || l.n == 0);
    if (e != ERR_OK || l.n > LIST) return ERR_FORMAT;
    return message_put_verdicts(again, fuzz_me(), FUZZ_NODE, FUZZ_REQUEST, l.verdicts, l.n, NULL);
}

static enum err drops(struct bytes in, struct buf *again)
{
    static struct lists l;
    struct bytes cose;
    l.n = 0;
    enum err e = message_get_drops(in, &fuzz_me()->pub, FUZZ_NODE, FUZZ_REQUEST, each_drop, &l, &cose, NULL);
    HOLDS(e == ERR_OK || l.n == 0);
    if (e != ERR_OK || l.n > LIST) return ERR_FORMAT;
    return message_put_drops(again, fuzz_me(), FUZZ_NODE, FUZZ_REQUEST, l.drops, l.n, NULL);
}

static enum err each_end(void *ctx, const struct end_item *d, struct why *why)
{
    struct lists *l = ctx;
    (void)why;
    HOLDS(rules_table((size_t)d->table_index) != NULL && d->not_after <= INT64_MAX);
    if (l->n < LIST) l->ends[l->n] = *d;
    l->n++;
    return ERR_OK;
}

static enum err ends(struct bytes in, struct buf *again)
{
    static struct lists l;
    l.n = 0;
    enum err e = message_get_ends(in, &fuzz_me()->pub, FUZZ_NODE, FUZZ_REQUEST, each_end, &l, NULL);
    HOLDS(e == ERR_OK || l.n == 0);
    if (e != ERR_OK || l.n > LIST) return ERR_FORMAT;
    return message_put_ends(again, fuzz_me(), FUZZ_NODE, FUZZ_REQUEST, l.ends, l.n, NULL);
}

static enum err each_view(void *ctx, const struct view_item *v, struct why *why)
{
    struct lists *l = ctx;
    (void)why;
    if (l->n < LIST) l->views[l->n] = *v;
    l->n++;
    return ERR_OK;
}

static enum err views(struct bytes in, struct buf *again)
{
    static struct lists l; /* too large for a stack, and filled anew each time */
    l.n = 0;
    enum err e = message_get_views(in, &fuzz_me()->pub, FUZZ_NODE, each_view, &l, NULL);
    HOLDS(e == ERR_OK || l.n == 0);
    if (e != ERR_OK || l.n > LIST) return ERR_FORMAT;
    return message_put_views(again, fuzz_me(), FUZZ_NODE, l.views, l.n, NULL);
}

/* Envelopes, pages, parts and what is said of logs stand in messages as they are: all of their bytes are the same
 * again. */
static void plain_message(unsigned type, struct bytes in)
{
    struct part parts[16];
    struct checkpoint_item told;
    struct merkle_head seen;
    struct bytes cose;
    struct buf again;
    size_t n = 0;
    enum err e;
    buf_init(&again, 1u << 20);
    if (type == MSG_SEEN) {
        e = message_get_seen(in, &seen, NULL);
        if (e == ERR_OK) message_put_seen(&again, &seen);
    } else if (type == MSG_CHECKPOINT) {
        e = message_get_checkpoint(in, &told, NULL);
        HOLDS(e != ERR_OK || (told.note.n <= MESSAGE_NOTE_MAX && told.proof.n <= MERKLE_MAX_PROOF * MERKLE_HASH_BYTES));
        if (e == ERR_OK) message_put_checkpoint(&again, &told);
    } else if (type == MSG_ENVELOPE) {
        e = message_get_envelope(in, &cose, parts, 16, &n, NULL);
        if (e == ERR_OK) message_put_envelope(&again, cose, parts, n);
    } else if (type == MSG_PAGE) {
        e = message_get_page(in, &cose, &n, NULL);
        if (e == ERR_OK) message_put_page(&again, cose, n);
    } else {
        e = message_get_part(in, &parts[0], NULL);
        if (e == ERR_OK) message_put_part(&again, &parts[0]);
    }
    HOLDS(e == ERR_OK ? bytes_equal(buf_bytes(&again), in) : refusal(e));
    buf_release(&again);
}

/* What devices keep for a hub that is put back, and return: not signed either, so all of its bytes are the same
 * again. */
static enum err holds(struct bytes in, struct buf *again)
{
    static struct lists l;
    l.n = 0;
    enum err e = message_get_holds(in, each_drop, &l, NULL);
    HOLDS(e == ERR_OK ? l.n > 0 && l.n <= LIST : l.n == 0);
    if (e == ERR_OK) message_put_holds(again, l.drops, l.n);
    return e;
}

static void returned(unsigned type, struct bytes in)
{
    struct note_item note;
    struct return_item own;
    struct buf again;
    enum err e;
    buf_init(&again, 1u << 20);
    if (type == MSG_NOTE) {
        e = message_get_note(in, &note, NULL);
        if (e == ERR_OK) message_put_note(&again, &note);
    } else if (type == MSG_RETURN) {
        e = message_get_return(in, &own, NULL);
        HOLDS(e != ERR_OK || (own.kind == RETURN_NONE) == (own.body.n == 0));
        if (e == ERR_OK) message_put_return(&again, &own);
    } else if (type == MSG_HOLDS) {
        e = holds(in, &again);
    } else {
        e = message_get_returned(in, NULL);
        if (e == ERR_OK) message_put_returned(&again);
    }
    HOLDS(e == ERR_OK ? bytes_equal(buf_bytes(&again), in) : refusal(e));
    buf_release(&again);
}

/* Nobody makes a statement without the recovery key: with signatures tried, what is taken is the one that we signed. */
static void epoch(struct bytes in, bool believed)
{
    uint8_t pk[RECOVERY_BYTES];
    struct epoch_statement m;
    struct cbor_reader r;
    struct buf body, again;
    uint64_t chain;
    returned_key(pk);
    enum err e = message_get_epoch(in, pk, &m, &chain, NULL);
    if (e != ERR_OK) {
        HOLDS(refusal(e));
        return;
    }
    HOLDS(m.before < m.epoch && m.epoch <= INT64_MAX && m.size <= INT64_MAX && chain <= INT64_MAX);
    buf_init(&body, 1u << 10);
    buf_init(&again, 1u << 10);
    cbor_reader_init(&r, in);
    (void)cbor_get_array(&r, 4);
    (void)cbor_get_uint(&r);
    (void)cbor_get_bytes(&r);
    struct bytes proof = cbor_get_bytes(&r);
    HOLDS(proof.n == RECOVERY_BYTES + RECOVERY_SIGNATURE);
    message_put_statement(&body, &m);
    message_put_epoch(&again,
                      &(struct signed_statement){buf_bytes(&body), bytes_of(proof.p, RECOVERY_BYTES),
                                                 bytes_of(proof.p + RECOVERY_BYTES, RECOVERY_SIGNATURE)},
                      chain);
    HOLDS(bytes_equal(buf_bytes(&again), in));
    buf_reset(&again);
    if (!believed) returned_epoch(&again, chain);
    HOLDS(believed || bytes_equal(buf_bytes(&again), in));
    buf_release(&body);
    buf_release(&again);
}

static enum err enrolment(struct bytes in, struct buf *again)
{
    struct enrol_request m;
    struct identity node;
    enum err e = message_get_enrol(in, &m, &node, NULL);
    if (e != ERR_OK) return e;
    if (memcmp(node.kid, fuzz_me()->pub.kid, KID_BYTES) != 0) return ERR_FORMAT; /* only its own key could sign again */
    return message_put_enrol(again, fuzz_me(), &m, NULL);
}

static enum err replacement(struct bytes in, struct buf *again)
{
    struct replaces m;
    uint8_t kid[KID_BYTES];
    enum err named = message_replaces_kid(in, kid, NULL);
    enum err e = message_get_replaces(in, &fuzz_me()->pub, &m, NULL);
    if (e != ERR_OK) return e;
    HOLDS(named == ERR_OK && memcmp(kid, fuzz_me()->pub.kid, KID_BYTES) == 0);
    return message_put_replaces(again, fuzz_me(), &m, NULL);
}

#define AGAIN(type, get, put)                                                                                          \
    do {                                                                                                               \
        struct type m;                                                                                                 \
        e = get;                                                                                                       \
        if (e == ERR_OK) e = put(&again, fuzz_me(), &m, NULL);                                                         \
    } while (0)

static void message(struct bytes in, bool believed)
{
    const struct identity *by = &fuzz_me()->pub;
    struct bytes cose;
    struct buf again;
    unsigned type = message_type(in);
    enum err e = ERR_FORMAT;
    if (type == MSG_ENVELOPE || type == MSG_PAGE || type == MSG_PART || type == MSG_SEEN || type == MSG_CHECKPOINT) {
        plain_message(type, in);
        return;
    }
    if (type == MSG_RETURN || type == MSG_HOLDS || type == MSG_RETURNED || type == MSG_NOTE) {
        returned(type, in);
        return;
    }
    if (type == MSG_EPOCH) {
        epoch(in, believed);
        return;
    }
    buf_init(&again, 1u << 20);
    switch (type) {
    case MSG_NODE_HELLO: AGAIN(node_hello, message_get_node_hello(in, by, &m, NULL), message_put_node_hello); break;
    case MSG_HUB_HELLO: AGAIN(hub_hello, message_get_hub_hello(in, by, &m, NULL), message_put_hub_hello); break;
    case MSG_RECEIPT: AGAIN(receipt, message_get_receipt(in, by, &m, &cose, NULL), message_put_receipt); break;
    case MSG_QUESTION: AGAIN(question, message_get_question(in, by, &m, NULL), message_put_question); break;
    case MSG_REPLY: AGAIN(reply, message_get_reply(in, by, &m, NULL), message_put_reply); break;
    case MSG_GAP: AGAIN(gap, message_get_gap(in, by, &m, &cose, NULL), message_put_gap); break;
    case MSG_ENROLLED: AGAIN(enrol_answer, message_get_enrolled(in, by, &m, NULL), message_put_enrolled); break;
    case MSG_ORDER: AGAIN(order, message_get_order(in, by, &m, &cose, NULL), message_put_order); break;
    case MSG_WIPED: AGAIN(wiped, message_get_wiped(in, by, &m, &cose, NULL), message_put_wiped); break;
    case MSG_KNOCK: AGAIN(knock, message_get_knock(in, by, &m, NULL), message_put_knock); break;
    case MSG_ROOM: AGAIN(room, message_get_room(in, by, &m, NULL), message_put_room); break;
    case MSG_DOOR: AGAIN(door_answer, message_get_door(in, by, &m, NULL), message_put_door); break;
    case MSG_VIEWS: e = views(in, &again); break;
    case MSG_ENROL: e = enrolment(in, &again); break;
    case MSG_REPLACES: e = replacement(in, &again); break;
    case MSG_VERDICTS: e = verdicts(in, &again); break;
    case MSG_DROPS: e = drops(in, &again); break;
    case MSG_ENDS: e = ends(in, &again); break;
    default: break;
    }
    HOLDS(e == ERR_OK || refusal(e));
    if (e == ERR_OK) same(in, &again);
    buf_release(&again);
}

static void invitation(struct bytes in)
{
    struct invitation i, again;
    struct buf code;
    if (invitation_get(in, &i, NULL) != ERR_OK) return;
    buf_init(&code, 4096);
    HOLDS(invitation_put(&code, &i, NULL) == ERR_OK);
    HOLDS(invitation_get(buf_bytes(&code), &again, NULL) == ERR_OK);
    HOLDS(memcmp(i.fingerprint, again.fingerprint, 32) == 0 && memcmp(i.token, again.token, 16) == 0);
    HOLDS(strcmp(i.address, again.address) == 0);
    buf_release(&code);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_of(data, size);
    uint8_t asked = fuzz_take(&in);
    fuzz_start();
    fuzz_believe((asked & 8) != 0);
    switch (asked & 7) {
    case 0: parse(in); break;
    case 1: envelope(in); break;
    case 2: page(in); break;
    case 3: invitation(in); break;
    default: message(in, (asked & 8) != 0);
    }
    return 0;
}
