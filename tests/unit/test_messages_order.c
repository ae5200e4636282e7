/* Orders, the door's messages and lists of who looked: sync/FORMAT.md §4, items 3, 7, 8, 19, 25. */
#include "base/cbor.h"
#include "sync/messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct identity_secret by, other;
    struct buf item;
    struct order order;
    struct wiped wiped;
    struct knock knock;
    struct door_answer door;
    struct view_item views[3];
    struct view_item seen[3];
    size_t n_seen;
};
static const uint8_t node_kid[KID_BYTES] = {9, 8, 7};

static int start(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    assert_int_equal(secret_start(NULL), ERR_OK);
    assert_int_equal(identity_generate(&f->by, NULL), ERR_OK);
    assert_int_equal(identity_generate(&f->other, NULL), ERR_OK);
    buf_init(&f->item, 8u << 20);
    f->order = (struct order){.number = 3, .kind = ORDER_LEASE, .value = 14, .at_ms = 1763769600000};
    f->wiped = (struct wiped){.number = 4, .at_ms = 1763769600001, .unsent = WIPED_UNKNOWN};
    f->knock = (struct knock){.order = 3, .clock_ms = 1763769600002};
    f->door = (struct door_answer){.clock_ms = 1763769600003, .wiped = 4};
    memset(f->order.node, 1, KID_BYTES);
    memset(f->wiped.node, 2, KID_BYTES);
    memset(f->wiped.order_hash, 3, HASH_BYTES);
    memset(f->knock.binding, 4, 32);
    memset(f->knock.hub, 5, KID_BYTES);
    memset(f->knock.node, 6, KID_BYTES);
    memset(f->door.request_hash, 7, HASH_BYTES);
    for (int i = 0; i < 3; i++) {
        f->views[i] = (struct view_item){.table_index = i, .at_ms = (uint64_t)(100 + i)};
        memset(f->views[i].user, 10 + i, 16);
        memset(f->views[i].id, 20 + i, 16);
    }
    *state = f;
    return 0;
}

static int stop(void **state)
{
    struct fixture *f = *state;
    identity_release(&f->by);
    identity_release(&f->other);
    buf_release(&f->item);
    free(f);
    return 0;
}

static enum err see(void *ctx, const struct view_item *v, struct why *why)
{
    struct fixture *f = ctx;
    (void)why;
    f->seen[f->n_seen++] = *v;
    return ERR_OK;
}

static const unsigned types[] = {MSG_ORDER, MSG_WIPED, MSG_KNOCK, MSG_DOOR, MSG_VIEWS};
#define TYPES (sizeof types / sizeof types[0])

static enum err put(struct fixture *f, unsigned type)
{
    buf_reset(&f->item);
    switch (type) {
    case MSG_ORDER: return message_put_order(&f->item, &f->by, &f->order, NULL);
    case MSG_WIPED: return message_put_wiped(&f->item, &f->by, &f->wiped, NULL);
    case MSG_KNOCK: return message_put_knock(&f->item, &f->by, &f->knock, NULL);
    case MSG_DOOR: return message_put_door(&f->item, &f->by, &f->door, NULL);
    default: return message_put_views(&f->item, &f->by, node_kid, f->views, 3, NULL);
    }
}

static enum err get(struct fixture *f, struct bytes item, const struct identity *by, unsigned type)
{
    struct order order;
    struct wiped wiped;
    struct knock knock;
    struct door_answer door;
    f->n_seen = 0;
    switch (type) {
    case MSG_ORDER: return message_get_order(item, by, &order, NULL, NULL);
    case MSG_WIPED: return message_get_wiped(item, by, &wiped, NULL, NULL);
    case MSG_KNOCK: return message_get_knock(item, by, &knock, NULL);
    case MSG_DOOR: return message_get_door(item, by, &door, NULL);
    default: return message_get_views(item, by, node_kid, see, f, NULL);
    }
}

static void each_is_read_as_it_was_written(void **state)
{
    struct fixture *f = *state;
    struct order order;
    struct wiped wiped;
    struct knock knock;
    struct door_answer door;
    struct bytes cose;
    uint8_t kid[KID_BYTES];
    assert_int_equal(put(f, MSG_ORDER), ERR_OK);
    assert_int_equal(message_type(buf_bytes(&f->item)), MSG_ORDER);
    assert_int_equal(message_get_order(buf_bytes(&f->item), &f->by.pub, &order, &cose, NULL), ERR_OK);
    assert_memory_equal(&order, &f->order, sizeof order);
    assert_int_equal(cose.n, f->item.len - 2);
    assert_int_equal(put(f, MSG_WIPED), ERR_OK);
    assert_int_equal(message_type(buf_bytes(&f->item)), MSG_WIPED);
    assert_int_equal(message_get_wiped(buf_bytes(&f->item), &f->by.pub, &wiped, NULL, NULL), ERR_OK);
    assert_memory_equal(&wiped, &f->wiped, sizeof wiped);
    assert_int_equal(message_door_kid(buf_bytes(&f->item), kid, NULL), ERR_OK);
    assert_memory_equal(kid, f->by.pub.kid, KID_BYTES);
    assert_int_equal(put(f, MSG_KNOCK), ERR_OK);
    assert_int_equal(message_type(buf_bytes(&f->item)), MSG_KNOCK);
    assert_int_equal(message_get_knock(buf_bytes(&f->item), &f->by.pub, &knock, NULL), ERR_OK);
    assert_memory_equal(&knock, &f->knock, sizeof knock);
    assert_int_equal(message_door_kid(buf_bytes(&f->item), kid, NULL), ERR_OK);
    assert_int_equal(put(f, MSG_DOOR), ERR_OK);
    assert_int_equal(message_type(buf_bytes(&f->item)), MSG_DOOR);
    assert_int_equal(message_get_door(buf_bytes(&f->item), &f->by.pub, &door, NULL), ERR_OK);
    assert_memory_equal(&door, &f->door, sizeof door);
    assert_int_equal(message_door_kid(buf_bytes(&f->item), kid, NULL), ERR_FORMAT);
    assert_int_equal(put(f, MSG_VIEWS), ERR_OK);
    assert_int_equal(message_type(buf_bytes(&f->item)), MSG_VIEWS);
    assert_int_equal(get(f, buf_bytes(&f->item), &f->by.pub, MSG_VIEWS), ERR_OK);
    assert_int_equal(f->n_seen, 3);
    for (int i = 0; i < 3; i++) { /* field by field: between them there may be anything */
        assert_memory_equal(f->seen[i].user, f->views[i].user, 16);
        assert_memory_equal(f->seen[i].id, f->views[i].id, 16);
        assert_true(f->seen[i].table_index == f->views[i].table_index && f->seen[i].at_ms == f->views[i].at_ms);
    }
}

static void any_flip_truncation_and_addition_is_refused(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < TYPES; i++) {
        assert_int_equal(put(f, types[i]), ERR_OK);
        for (size_t at = 0; at < f->item.len; at++) {
            f->item.data[at] ^= (uint8_t)(1u << at % 8);
            assert_int_not_equal(get(f, buf_bytes(&f->item), &f->by.pub, types[i]), ERR_OK);
            f->item.data[at] ^= (uint8_t)(1u << at % 8);
            assert_int_not_equal(get(f, bytes_of(f->item.data, at), &f->by.pub, types[i]), ERR_OK);
            assert_int_equal(f->n_seen, 0);
        }
        buf_put_u8(&f->item, 0);
        assert_int_not_equal(get(f, buf_bytes(&f->item), &f->by.pub, types[i]), ERR_OK);
    }
}

static void another_signer_and_another_kind_are_refused(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < TYPES; i++) {
        assert_int_equal(put(f, types[i]), ERR_OK);
        assert_int_equal(get(f, buf_bytes(&f->item), &f->other.pub, types[i]), ERR_TAMPERED);
        for (size_t k = 0; k < TYPES; k++) {
            struct buf other;
            size_t head = types[i] < 24 ? 2 : 3;
            if (k == i) continue;
            buf_init(&other, 8u << 20);
            cbor_put_array(&other, 2);
            cbor_put_uint(&other, types[k]);
            buf_put(&other, f->item.data + head, f->item.len - head);
            assert_int_equal(get(f, buf_bytes(&other), &f->by.pub, types[k]), ERR_FORMAT);
            buf_release(&other);
        }
    }
}

static void an_order_says_nothing_that_no_device_could_do(void **state)
{
    struct fixture *f = *state;
    const struct order bad[] = {
        {.number = 0, .kind = ORDER_LEASE, .value = 1},
        {.number = 1, .kind = ORDER_LEASE, .value = 0},
        {.number = 1, .kind = ORDER_LEASE, .value = LEASE_MAX_DAYS + 1},
        {.number = 1, .kind = ORDER_WIPE, .value = 2},
        {.number = 1, .kind = 0, .value = 1},
        {.number = 1, .kind = 3, .value = 1},
        {.number = (uint64_t)INT64_MAX + 1, .kind = ORDER_WIPE, .value = 1},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(message_put_order(&f->item, &f->by, &bad[i], NULL), ERR_FORMAT);
    f->wiped.number = 0;
    assert_int_equal(put(f, MSG_WIPED), ERR_FORMAT);
}

static void a_list_of_who_looked_is_this_devices_and_not_empty_and_of_tables_that_there_are(void **state)
{
    struct fixture *f = *state;
    static const uint8_t another[KID_BYTES] = {1};
    assert_int_equal(put(f, MSG_VIEWS), ERR_OK);
    assert_int_equal(message_get_views(buf_bytes(&f->item), &f->by.pub, another, see, f, NULL), ERR_TAMPERED);
    assert_int_equal(f->n_seen, 0);
    buf_reset(&f->item);
    assert_int_equal(message_put_views(&f->item, &f->by, node_kid, f->views, 0, NULL), ERR_FORMAT);
    assert_int_equal(message_put_views(&f->item, &f->by, node_kid, f->views, VIEWS_MAX + 1, NULL), ERR_FORMAT);
    f->views[1].table_index = 1000;
    assert_int_equal(message_put_views(&f->item, &f->by, node_kid, f->views, 3, NULL), ERR_FORMAT);
    assert_int_equal(f->item.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_is_read_as_it_was_written, start, stop),
        cmocka_unit_test_setup_teardown(any_flip_truncation_and_addition_is_refused, start, stop),
        cmocka_unit_test_setup_teardown(another_signer_and_another_kind_are_refused, start, stop),
        cmocka_unit_test_setup_teardown(an_order_says_nothing_that_no_device_could_do, start, stop),
        cmocka_unit_test_setup_teardown(a_list_of_who_looked_is_this_devices_and_not_empty_and_of_tables_that_there_are,
                                        start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
