#include "base/cbor.h"
#include "sync/messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct identity_secret by, other;
    struct buf item;
    struct verdict_item verdicts[5];
    struct drop_item drops[3];
};
static const uint8_t node_kid[KID_BYTES] = "to this node...";

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (f == NULL || secret_start(NULL) != ERR_OK || identity_generate(&f->by, NULL) != ERR_OK ||
        identity_generate(&f->other, NULL) != ERR_OK)
        return -1;
    for (unsigned i = 0; i < 5; i++)
        f->verdicts[i] = (struct verdict_item){.seq = i * 1000 + 1, .verdict = (enum verdict)i};
    f->verdicts[VERDICT_HELD].reason = bytes_of_str("Only the lead agency may write this.");
    f->verdicts[VERDICT_WAITS].reason = bytes_of_str("It builds on a change that is held.");
    for (unsigned i = 0; i < 3; i++)
        f->drops[i] = (struct drop_item){.table_index = (int)i * 9, .id = {(uint8_t)i, 0xdd}};
    buf_init(&f->item, 8u << 20);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    identity_release(&f->by);
    identity_release(&f->other);
    buf_release(&f->item);
    free(f);
    return 0;
}

static struct node_hello node_hello(void)
{
    struct node_hello m = {.epoch = 2,
                           .request = 41,
                           .schema = 1,
                           .software = "spoke 0.1",
                           .clock_ms = 1763769600000,
                           .unsent = 12,
                           .oldest_ms = 1763000000000,
                           .budget = 1u << 20,
                           .wait_ms = 25000,
                           .order = 7};
    memset(m.binding, 1, sizeof m.binding);
    memset(m.hub, 2, sizeof m.hub);
    memset(m.last_answer, 3, sizeof m.last_answer);
    memset(m.cursor, 4, sizeof m.cursor);
    return m;
}

static struct hub_hello hub_hello(void)
{
    struct hub_hello m = {
        .epoch = 2, .request = 41, .clock_ms = 1763769600001, .more = true, .drops = 3, .schema = 1, .covered = 7};
    memset(m.binding, 5, sizeof m.binding);
    memset(m.node, 6, sizeof m.node);
    memset(m.request_hash, 7, sizeof m.request_hash);
    memset(m.cut, 8, sizeof m.cut);
    return m;
}

static struct receipt receipt(void)
{
    struct receipt m = {.request = 41, .rows = 3, .done_ms = 1763769600002, .parked = 1, .kind = 1};
    memset(m.node, 9, sizeof m.node);
    memset(m.drops_hash, 10, sizeof m.drops_hash);
    return m;
}

static struct enrol_request enrol_request(const struct identity_secret *node)
{
    struct enrol_request m = {.user = "Siân Ó Súilleabháin", .software = "spoke 0.1", .schema = 1};
    memset(m.token, 11, sizeof m.token);
    identity_to_bytes(&node->pub, m.node);
    memset(m.door, 19, sizeof m.door);
    memset(m.hub_fingerprint, 12, sizeof m.hub_fingerprint);
    memset(m.binding, 13, sizeof m.binding);
    return m;
}

static struct enrol_answer enrol_answer(void)
{
    struct enrol_answer m = {
        .hub_name = "Ardmore", .epoch = 2, .site = "clinic", .agency = "health", .clock_ms = 99, .schema = 1};
    memset(m.node, 14, sizeof m.node);
    memset(m.token_hash, 15, sizeof m.token_hash);
    memset(m.user, 16, sizeof m.user);
    memset(m.recovery_pk, 17, sizeof m.recovery_pk);
    memset(m.binding, 18, sizeof m.binding);
    return m;
}

/* ---- every kind of signed item, put and read in one way, so that all stand the same trials ---- */
static enum err count_verdict(void *ctx, const struct verdict_item *v, struct why *why)
{
    (void)v;
    (void)why;
    ++*(size_t *)ctx;
    return ERR_OK;
}

static enum err count_drop(void *ctx, const struct drop_item *d, struct why *why)
{
    (void)d;
    (void)why;
    ++*(size_t *)ctx;
    return ERR_OK;
}

static enum err put(struct fixture *f, enum message_type type)
{
    struct node_hello a = node_hello();
    struct hub_hello b = hub_hello();
    struct receipt c = receipt();
    struct enrol_request d = enrol_request(&f->by);
    struct enrol_answer e = enrol_answer();
    switch (type) {
    case MSG_NODE_HELLO: return message_put_node_hello(&f->item, &f->by, &a, NULL);
    case MSG_HUB_HELLO: return message_put_hub_hello(&f->item, &f->by, &b, NULL);
    case MSG_RECEIPT: return message_put_receipt(&f->item, &f->by, &c, NULL);
    case MSG_ENROL: return message_put_enrol(&f->item, &f->by, &d, NULL);
    case MSG_ENROLLED: return message_put_enrolled(&f->item, &f->by, &e, NULL);
    case MSG_VERDICTS: return message_put_verdicts(&f->item, &f->by, node_kid, 41, f->verdicts, 5, NULL);
    case MSG_DROPS: return message_put_drops(&f->item, &f->by, node_kid, 41, f->drops, 3, NULL);
    default: return ERR_USAGE;
    }
}

static enum err get(struct bytes item, const struct identity *by, enum message_type type)
{
    struct node_hello a;
    struct hub_hello b;
    struct receipt c;
    struct enrol_request d;
    struct enrol_answer e;
    struct identity node;
    struct bytes cose;
    size_t calls = 0;
    enum err result = ERR_USAGE;
    if (type == MSG_NODE_HELLO)
        result = message_get_node_hello(item, by, &a, NULL);
    else if (type == MSG_HUB_HELLO)
        result = message_get_hub_hello(item, by, &b, NULL);
    else if (type == MSG_RECEIPT)
        result = message_get_receipt(item, by, &c, &cose, NULL);
    else if (type == MSG_ENROL)
        result = message_get_enrol(item, &d, &node, NULL);
    else if (type == MSG_ENROLLED)
        result = message_get_enrolled(item, by, &e, NULL);
    else if (type == MSG_VERDICTS)
        result = message_get_verdicts(item, by, node_kid, 41, count_verdict, &calls, NULL);
    else if (type == MSG_DROPS)
        result = message_get_drops(item, by, node_kid, 41, count_drop, &calls, &cose, NULL);
    if (result != ERR_OK) assert_int_equal(calls, 0); /* nothing is handed out of what is refused */
    return result;
}

static const enum message_type signed_types[] = {MSG_NODE_HELLO, MSG_HUB_HELLO, MSG_RECEIPT, MSG_ENROL,
                                                 MSG_ENROLLED,   MSG_VERDICTS,  MSG_DROPS};
#define SIGNED_TYPES (sizeof signed_types / sizeof signed_types[0])

static void signed_messages_are_read_as_written(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < SIGNED_TYPES; i++) {
        buf_reset(&f->item);
        assert_int_equal(put(f, signed_types[i]), ERR_OK);
        assert_int_equal(message_type(buf_bytes(&f->item)), signed_types[i]);
        assert_int_equal(get(buf_bytes(&f->item), &f->by.pub, signed_types[i]), ERR_OK);
    }
}

static void signed_messages_refuse_any_flip_truncation_and_addition(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < SIGNED_TYPES; i++) {
        buf_reset(&f->item);
        assert_int_equal(put(f, signed_types[i]), ERR_OK);
        for (size_t at = 0; at < f->item.len; at++) {
            f->item.data[at] ^= (uint8_t)(1u << at % 8);
            assert_int_not_equal(get(buf_bytes(&f->item), &f->by.pub, signed_types[i]), ERR_OK);
            f->item.data[at] ^= (uint8_t)(1u << at % 8);
            assert_int_not_equal(get(bytes_of(f->item.data, at), &f->by.pub, signed_types[i]), ERR_OK);
        }
        buf_put_u8(&f->item, 0);
        assert_int_not_equal(get(buf_bytes(&f->item), &f->by.pub, signed_types[i]), ERR_OK);
    }
}

static void signed_messages_refuse_another_signer_and_another_kind(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < SIGNED_TYPES; i++) {
        buf_reset(&f->item);
        assert_int_equal(put(f, signed_types[i]), ERR_OK);
        if (signed_types[i] != MSG_ENROL) /* which brings its key along */
            assert_int_equal(get(buf_bytes(&f->item), &f->other.pub, signed_types[i]), ERR_TAMPERED);
        for (size_t k = 0; k < SIGNED_TYPES; k++) {
            if (k == i) continue;
            /* the item's own number turned into another's: the signed type still tells */
            size_t at = signed_types[k] < 24 ? 1 : 2;
            struct buf other;
            buf_init(&other, 8u << 20);
            cbor_put_array(&other, 2);
            cbor_put_uint(&other, signed_types[k]);
            size_t head = signed_types[i] < 24 ? 2 : 3;
            assert_int_equal(other.len, at + 1);
            buf_put(&other, f->item.data + head, f->item.len - head);
            assert_int_equal(get(buf_bytes(&other), &f->by.pub, signed_types[k]), ERR_FORMAT);
            buf_release(&other);
        }
    }
}

static void the_hellos_and_receipt_keep_every_field(void **state)
{
    struct fixture *f = *state;
    struct node_hello a = node_hello(), a2;
    struct hub_hello b = hub_hello(), b2;
    struct receipt c = receipt(), c2;
    struct bytes cose;
    assert_int_equal(put(f, MSG_NODE_HELLO), ERR_OK);
    assert_int_equal(message_get_node_hello(buf_bytes(&f->item), &f->by.pub, &a2, NULL), ERR_OK);
    assert_memory_equal(&a, &a2, sizeof a);
    buf_reset(&f->item);
    assert_int_equal(put(f, MSG_HUB_HELLO), ERR_OK);
    memset(&b2, 0xee, sizeof b2);
    assert_int_equal(message_get_hub_hello(buf_bytes(&f->item), &f->by.pub, &b2, NULL), ERR_OK);
    assert_memory_equal(b.binding, b2.binding, 32);
    assert_memory_equal(b.node, b2.node, KID_BYTES);
    assert_memory_equal(b.request_hash, b2.request_hash, HASH_BYTES);
    assert_memory_equal(b.cut, b2.cut, CUT_BYTES);
    assert_true(b2.epoch == 2 && b2.request == 41 && b2.clock_ms == b.clock_ms && b2.drops == 3);
    assert_true(b2.more && !b2.revoked);
    buf_reset(&f->item);
    assert_int_equal(put(f, MSG_RECEIPT), ERR_OK);
    assert_int_equal(message_get_receipt(buf_bytes(&f->item), &f->by.pub, &c2, &cose, NULL), ERR_OK);
    assert_memory_equal(&c, &c2, sizeof c);
    assert_int_equal(cose.n, f->item.len - 2);
}

static void enrolment_keeps_every_field(void **state)
{
    struct fixture *f = *state;
    struct enrol_request d = enrol_request(&f->by), d2;
    struct enrol_answer e = enrol_answer(), e2;
    struct identity node;
    assert_int_equal(put(f, MSG_ENROL), ERR_OK);
    assert_int_equal(message_get_enrol(buf_bytes(&f->item), &d2, &node, NULL), ERR_OK);
    assert_memory_equal(&d, &d2, sizeof d);
    assert_memory_equal(node.kid, f->by.pub.kid, KID_BYTES);
    buf_reset(&f->item);
    assert_int_equal(put(f, MSG_ENROLLED), ERR_OK);
    assert_int_equal(message_get_enrolled(buf_bytes(&f->item), &f->by.pub, &e2, NULL), ERR_OK);
    assert_memory_equal(&e, &e2, sizeof e);
}

static void enrolment_refuses_a_key_that_did_not_sign(void **state)
{
    struct fixture *f = *state;
    struct enrol_request d = enrol_request(&f->other), out;
    struct identity node;
    assert_int_equal(message_put_enrol(&f->item, &f->by, &d, NULL), ERR_OK);
    assert_int_equal(message_get_enrol(buf_bytes(&f->item), &out, &node, NULL), ERR_TAMPERED);
}

static void senders_refuse_what_no_receiver_takes(void **state)
{
    struct fixture *f = *state;
    struct node_hello m = node_hello();
    memset(m.software, 'x', sizeof m.software);
    assert_int_equal(message_put_node_hello(&f->item, &f->by, &m, NULL), ERR_FORMAT);
    m = node_hello();
    memcpy(m.software, "\xff", 2);
    assert_int_equal(message_put_node_hello(&f->item, &f->by, &m, NULL), ERR_FORMAT);
    m = node_hello();
    m.budget = (uint64_t)INT64_MAX + 1;
    assert_int_equal(message_put_node_hello(&f->item, &f->by, &m, NULL), ERR_FORMAT);
    f->verdicts[0].reason = bytes_of_str("nobody would read this");
    assert_int_equal(put(f, MSG_VERDICTS), ERR_FORMAT);
    f->drops[2].table_index = 1000;
    assert_int_equal(put(f, MSG_DROPS), ERR_FORMAT);
    f->drops[2].table_index = -1;
    assert_int_equal(put(f, MSG_DROPS), ERR_FORMAT);
    assert_int_equal(f->item.len, 0);
    assert_int_equal(f->item.err, ERR_OK);
    m = node_hello();
    m.request = 0;
    assert_int_equal(message_put_node_hello(&f->item, &f->by, &m, NULL), ERR_OK);
    assert_int_equal(get(buf_bytes(&f->item), &f->by.pub, MSG_NODE_HELLO), ERR_FORMAT);
    buf_reset(&f->item);
    struct receipt r = receipt();
    r.kind = 3;
    assert_int_equal(message_put_receipt(&f->item, &f->by, &r, NULL), ERR_OK);
    assert_int_equal(get(buf_bytes(&f->item), &f->by.pub, MSG_RECEIPT), ERR_FORMAT);
}

static enum err same_verdict(void *ctx, const struct verdict_item *v, struct why *why)
{
    const struct verdict_item **want = ctx;
    (void)why;
    assert_int_equal(v->seq, (*want)->seq);
    assert_int_equal(v->verdict, (*want)->verdict);
    assert_true(bytes_equal(v->reason, (*want)->reason));
    ++*want;
    return ERR_OK;
}

static enum err same_drop(void *ctx, const struct drop_item *d, struct why *why)
{
    const struct drop_item **want = ctx;
    assert_int_equal(d->table_index, (*want)->table_index);
    assert_memory_equal(d->id, (*want)->id, 16);
    ++*want;
    return d->table_index == 9 ? why_set(why, ERR_BUSY, "stop") : ERR_OK;
}

static void lists_come_in_order_and_stop_where_told(void **state)
{
    struct fixture *f = *state;
    const struct verdict_item *v = f->verdicts;
    const struct drop_item *d = f->drops;
    struct bytes cose = {0};
    assert_int_equal(put(f, MSG_VERDICTS), ERR_OK);
    assert_int_equal(message_get_verdicts(buf_bytes(&f->item), &f->by.pub, node_kid, 41, same_verdict, &v, NULL),
                     ERR_OK);
    assert_ptr_equal(v, f->verdicts + 5);
    buf_reset(&f->item);
    assert_int_equal(put(f, MSG_DROPS), ERR_OK);
    assert_int_equal(message_get_drops(buf_bytes(&f->item), &f->by.pub, node_kid, 41, same_drop, &d, &cose, NULL),
                     ERR_BUSY);
    assert_ptr_equal(d, f->drops + 2);
    assert_null(cose.p);
}

static void lists_refuse_another_node_and_another_answer(void **state)
{
    struct fixture *f = *state;
    static const uint8_t stranger[KID_BYTES] = "to another one.";
    size_t calls = 0;
    struct bytes cose;
    assert_int_equal(put(f, MSG_VERDICTS), ERR_OK);
    struct bytes item = buf_bytes(&f->item);
    assert_int_equal(message_get_verdicts(item, &f->by.pub, stranger, 41, count_verdict, &calls, NULL), ERR_TAMPERED);
    assert_int_equal(message_get_verdicts(item, &f->by.pub, node_kid, 42, count_verdict, &calls, NULL), ERR_TAMPERED);
    buf_reset(&f->item);
    assert_int_equal(put(f, MSG_DROPS), ERR_OK);
    item = buf_bytes(&f->item);
    assert_int_equal(message_get_drops(item, &f->by.pub, stranger, 41, count_drop, &calls, &cose, NULL), ERR_TAMPERED);
    assert_int_equal(message_get_drops(item, &f->by.pub, node_kid, 40, count_drop, &calls, &cose, NULL), ERR_TAMPERED);
    assert_int_equal(calls, 0);
}

static void lists_have_a_ceiling(void **state)
{
    struct fixture *f = *state;
    struct drop_item *many = calloc(20001, sizeof *many);
    size_t calls = 0;
    struct bytes cose;
    assert_non_null(many);
    assert_int_equal(message_put_drops(&f->item, &f->by, node_kid, 41, many, 20001, NULL), ERR_LIMIT);
    assert_int_equal(message_put_drops(&f->item, &f->by, node_kid, 41, many, 20000, NULL), ERR_OK);
    assert_int_equal(message_get_drops(buf_bytes(&f->item), &f->by.pub, node_kid, 41, count_drop, &calls, &cose, NULL),
                     ERR_OK);
    assert_int_equal(calls, 20000);
    free(many);
}

/* Signed by the right hub, good in its first entry and not in its last. */
static void nothing_is_handed_out_of_a_list_with_a_bad_end(void **state)
{
    struct fixture *f = *state;
    static const struct {
        uint64_t seq, verdict;
        const char *reason;
    } bad[] = {{0, VERDICT_HELD, ""}, {7, 6, ""}, {7, VERDICT_MERGED, "a reason"}, {UINT64_MAX, VERDICT_APPLIED, ""}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct buf payload, extra;
        buf_init(&payload, 4096);
        buf_init(&extra, 4096);
        cbor_put_uint(&extra, 16);
        cbor_put_str(&extra, "application/x-spoke-verdicts");
        cbor_put_array(&payload, 3);
        cbor_put_bytes(&payload, bytes_of(node_kid, KID_BYTES));
        cbor_put_uint(&payload, 41);
        cbor_put_array(&payload, 2);
        for (int k = 0; k < 2; k++) {
            cbor_put_array(&payload, 3);
            cbor_put_uint(&payload, k == 0 ? 1 : bad[i].seq);
            cbor_put_uint(&payload, k == 0 ? VERDICT_APPLIED : bad[i].verdict);
            cbor_put_str(&payload, k == 0 ? "" : bad[i].reason);
        }
        buf_reset(&f->item);
        cbor_put_array(&f->item, 2);
        cbor_put_uint(&f->item, MSG_VERDICTS);
        assert_int_equal(
            cose_sign(&f->by, 1, buf_bytes(&extra), bytes_of(NULL, 0), buf_bytes(&payload), &f->item, NULL), ERR_OK);
        assert_int_equal(get(buf_bytes(&f->item), &f->by.pub, MSG_VERDICTS), ERR_FORMAT);
        buf_release(&payload);
        buf_release(&extra);
    }
}

static void envelopes_and_pages_travel_with_their_parts(void **state)
{
    struct fixture *f = *state;
    struct part parts[3] = {
        {.content = bytes_of_str("one")}, {.content = bytes_of_str("")}, {.content = bytes_of_str("3")}};
    struct part got[3], p;
    struct envelope_header h = {.epoch = 1, .seq = 1, .schema = 1};
    struct page_header ph = {.epoch = 1, .schema = 1};
    struct bytes cose;
    struct buf c;
    size_t n = 0;
    memset(parts[2].salt, 0x77, SALT_BYTES);
    buf_init(&c, COSE_MAX);
    assert_int_equal(envelope_sign(&f->by, &h, parts, 3, &c, NULL), ERR_OK);
    message_put_envelope(&f->item, buf_bytes(&c), parts, 3);
    assert_int_equal(message_type(buf_bytes(&f->item)), MSG_ENVELOPE);
    assert_int_equal(message_get_envelope(buf_bytes(&f->item), &cose, got, 3, &n, NULL), ERR_OK);
    assert_true(n == 3 && bytes_equal(cose, buf_bytes(&c)));
    for (size_t i = 0; i < 3; i++)
        assert_true(bytes_equal(got[i].content, parts[i].content) && memcmp(got[i].salt, parts[i].salt, 32) == 0);
    assert_int_equal(message_get_envelope(buf_bytes(&f->item), &cose, got, 2, &n, NULL), ERR_FORMAT);
    for (size_t i = 0; i < f->item.len; i++)
        assert_int_equal(message_get_envelope(bytes_of(f->item.data, i), &cose, got, 3, &n, NULL), ERR_FORMAT);
    buf_put_u8(&f->item, 0);
    assert_int_equal(message_get_envelope(buf_bytes(&f->item), &cose, got, 3, &n, NULL), ERR_FORMAT);

    buf_reset(&f->item);
    buf_reset(&c);
    assert_int_equal(page_sign(&f->by, &ph, parts, 3, &c, NULL), ERR_OK);
    message_put_page(&f->item, buf_bytes(&c), 3);
    assert_int_equal(message_get_page(buf_bytes(&f->item), &cose, &n, NULL), ERR_OK);
    assert_true(n == 3 && bytes_equal(cose, buf_bytes(&c)));
    assert_int_equal(message_get_page(bytes_of(f->item.data, f->item.len - 1), &cose, &n, NULL), ERR_FORMAT);
    assert_int_equal(message_get_part(buf_bytes(&f->item), &p, NULL), ERR_FORMAT);
    buf_reset(&f->item);
    message_put_part(&f->item, &parts[2]);
    assert_int_equal(message_type(buf_bytes(&f->item)), MSG_PART);
    assert_int_equal(message_get_part(buf_bytes(&f->item), &p, NULL), ERR_OK);
    assert_true(bytes_equal(p.content, parts[2].content) && p.salt[31] == 0x77);
    assert_int_equal(message_get_part(bytes_of(f->item.data, f->item.len - 1), &p, NULL), ERR_FORMAT);
    assert_int_equal(message_get_page(buf_bytes(&f->item), &cose, &n, NULL), ERR_FORMAT);
    buf_release(&c);
}

static void what_is_no_message_has_type_0(void **state)
{
    (void)state;
    assert_int_equal(message_type(bytes_of("", 0)), 0);
    assert_int_equal(message_type(bytes_of("\x80", 1)), 0);
    assert_int_equal(message_type(bytes_of("\x82\x0f\x00", 3)), 0);
    assert_int_equal(message_type(bytes_of("\x82\x20\x00", 3)), 0);
    assert_int_equal(message_type(bytes_of("\xa1\x01\x00", 3)), 0);
    assert_int_equal(message_type(bytes_of("\x82\x18\x01\x00", 4)), 0);
    assert_string_equal(verdict_word(VERDICT_HELD), "held");
    assert_string_equal(verdict_word((enum verdict)99), "unknown");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(signed_messages_are_read_as_written),
        TEST(signed_messages_refuse_any_flip_truncation_and_addition),
        TEST(signed_messages_refuse_another_signer_and_another_kind),
        TEST(the_hellos_and_receipt_keep_every_field),
        TEST(enrolment_keeps_every_field),
        TEST(enrolment_refuses_a_key_that_did_not_sign),
        TEST(senders_refuse_what_no_receiver_takes),
        TEST(lists_come_in_order_and_stop_where_told),
        TEST(lists_refuse_another_node_and_another_answer),
        TEST(lists_have_a_ceiling),
        TEST(nothing_is_handed_out_of_a_list_with_a_bad_end),
        TEST(envelopes_and_pages_travel_with_their_parts),
        TEST(what_is_no_message_has_type_0),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
