/* The list of ends: read to its last entry before the first is handed out, by whom it is for, and for no other
 * answer. */
#include "sync/messages.h"
#include "sync/signed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t me[KID_BYTES] = "to this node...", stranger[KID_BYTES] = "to another one.";

struct fixture {
    struct identity_secret by;
    struct end_item ends[3];
    struct buf item;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (f == NULL || secret_start(NULL) != ERR_OK || identity_generate(&f->by, NULL) != ERR_OK) return -1;
    for (unsigned i = 0; i < 3; i++)
        f->ends[i] =
            (struct end_item){.table_index = (int)i * 9, .id = {(uint8_t)i, 0xee}, .not_after = i * 1763769600000};
    buf_init(&f->item, 8u << 20);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    identity_release(&f->by);
    buf_release(&f->item);
    free(f);
    return 0;
}

static enum err put(struct fixture *f, size_t n)
{
    buf_reset(&f->item);
    return message_put_ends(&f->item, &f->by, me, 41, f->ends, n, NULL);
}

static enum err count(void *ctx, const struct end_item *d, struct why *why)
{
    (void)d;
    (void)why;
    ++*(size_t *)ctx;
    return ERR_OK;
}

static enum err same(void *ctx, const struct end_item *d, struct why *why)
{
    const struct end_item **want = ctx;
    assert_int_equal(d->table_index, (*want)->table_index);
    assert_memory_equal(d->id, (*want)->id, 16);
    assert_int_equal(d->not_after, (*want)->not_after);
    ++*want;
    return d->table_index == 9 ? why_set(why, ERR_BUSY, "stop") : ERR_OK;
}

static void ends_come_in_order_and_stop_where_told(void **state)
{
    struct fixture *f = *state;
    const struct end_item *want = f->ends;
    assert_int_equal(put(f, 3), ERR_OK);
    assert_int_equal(message_type(buf_bytes(&f->item)), MSG_ENDS);
    assert_int_equal(message_get_ends(buf_bytes(&f->item), &f->by.pub, me, 41, same, &want, NULL), ERR_BUSY);
    assert_ptr_equal(want, f->ends + 2);
}

static void ends_for_another_device_or_of_another_answer_are_refused(void **state)
{
    struct fixture *f = *state;
    size_t calls = 0;
    assert_int_equal(put(f, 3), ERR_OK);
    struct bytes item = buf_bytes(&f->item);
    assert_int_equal(message_get_ends(item, &f->by.pub, stranger, 41, count, &calls, NULL), ERR_TAMPERED);
    assert_int_equal(message_get_ends(item, &f->by.pub, me, 40, count, &calls, NULL), ERR_TAMPERED);
    assert_int_equal(calls, 0);
}

static void any_flip_truncation_and_addition_is_refused(void **state)
{
    struct fixture *f = *state;
    struct identity_secret other;
    size_t calls = 0;
    assert_int_equal(put(f, 3), ERR_OK);
    size_t n = f->item.len;
    for (size_t i = 0; i < n; i++) {
        f->item.data[i] ^= 1;
        assert_int_not_equal(message_get_ends(buf_bytes(&f->item), &f->by.pub, me, 41, count, &calls, NULL), ERR_OK);
        f->item.data[i] ^= 1;
        assert_int_not_equal(message_get_ends(bytes_of(f->item.data, i), &f->by.pub, me, 41, count, &calls, NULL),
                             ERR_OK);
    }
    assert_int_equal(identity_generate(&other, NULL), ERR_OK);
    assert_int_not_equal(message_get_ends(buf_bytes(&f->item), &other.pub, me, 41, count, &calls, NULL), ERR_OK);
    identity_release(&other);
    buf_put(&f->item, "", 1);
    assert_int_not_equal(message_get_ends(buf_bytes(&f->item), &f->by.pub, me, 41, count, &calls, NULL), ERR_OK);
    assert_int_equal(calls, 0);
}

static void ends_are_no_drops(void **state)
{
    struct fixture *f = *state;
    struct bytes cose;
    size_t calls = 0;
    assert_int_equal(put(f, 3), ERR_OK);
    assert_int_equal(message_get_drops(buf_bytes(&f->item), &f->by.pub, me, 41, NULL, NULL, &cose, NULL), ERR_FORMAT);
    buf_reset(&f->item);
    const struct drop_item d = {.table_index = 3};
    assert_int_equal(message_put_drops(&f->item, &f->by, me, 41, &d, 1, NULL), ERR_OK);
    assert_int_equal(message_get_ends(buf_bytes(&f->item), &f->by.pub, me, 41, count, &calls, NULL), ERR_FORMAT);
    assert_int_equal(calls, 0);
}

static void a_sender_refuses_what_no_receiver_takes(void **state)
{
    struct fixture *f = *state;
    f->ends[2].not_after = INT64_MAX;
    assert_int_equal(put(f, 3), ERR_OK);
    f->ends[2].not_after = (uint64_t)INT64_MAX + 1;
    assert_int_equal(put(f, 3), ERR_FORMAT);
    f->ends[2] = (struct end_item){.table_index = 1000, .not_after = 1};
    assert_int_equal(put(f, 3), ERR_FORMAT);
    f->ends[2].table_index = -1;
    assert_int_equal(put(f, 3), ERR_FORMAT);
    assert_int_equal(f->item.len, 0);
}

static void a_list_has_a_ceiling(void **state)
{
    struct fixture *f = *state;
    struct end_item *many = calloc(ENDS_MAX + 1, sizeof *many);
    size_t calls = 0;
    assert_non_null(many);
    assert_int_equal(message_put_ends(&f->item, &f->by, me, 41, many, ENDS_MAX + 1, NULL), ERR_LIMIT);
    assert_int_equal(message_put_ends(&f->item, &f->by, me, 41, many, ENDS_MAX, NULL), ERR_OK);
    assert_int_equal(message_get_ends(buf_bytes(&f->item), &f->by.pub, me, 41, count, &calls, NULL), ERR_OK);
    assert_int_equal(calls, ENDS_MAX);
    free(many);
}

/* Signed by the right hub, good in its first entry and not in its last. */
static void sign_entries(struct fixture *f, int64_t table, uint64_t not_after, size_t fields, bool tail)
{
    struct buf payload;
    buf_init(&payload, 1u << 16);
    cbor_put_array(&payload, 3);
    cbor_put_bytes(&payload, bytes_of(me, KID_BYTES));
    cbor_put_uint(&payload, 41);
    cbor_put_array(&payload, 2);
    for (int i = 0; i < 2; i++) {
        cbor_put_array(&payload, i == 0 ? 3 : fields);
        cbor_put_int(&payload, i == 0 ? 3 : table);
        cbor_put_bytes(&payload, bytes_of(f->ends[0].id, 16));
        if (i == 0 || fields == 3) cbor_put_uint(&payload, i == 0 ? 7 : not_after);
    }
    if (tail) cbor_put_uint(&payload, 0);
    buf_reset(&f->item);
    cbor_put_array(&f->item, 2);
    cbor_put_uint(&f->item, MSG_ENDS);
    assert_int_equal(
        signed_put(&f->by, "application/x-spoke-ends", (struct bytes){0}, buf_bytes(&payload), &f->item, NULL), ERR_OK);
    buf_release(&payload);
}

static void nothing_is_handed_out_of_a_list_with_a_bad_end(void **state)
{
    struct fixture *f = *state;
    static const struct {
        int64_t table;
        uint64_t not_after;
        size_t fields;
        bool tail;
        enum err want;
    } lists[] = {{4, 9, 3, false, ERR_OK},
                 {4, 9, 3, true, ERR_FORMAT},
                 {1000, 9, 3, false, ERR_FORMAT},
                 {-1, 9, 3, false, ERR_FORMAT},
                 {4, UINT64_MAX, 3, false, ERR_FORMAT},
                 {4, (uint64_t)INT64_MAX + 1, 3, false, ERR_FORMAT},
                 {4, 9, 2, false, ERR_FORMAT}};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        size_t calls = 0;
        sign_entries(f, lists[i].table, lists[i].not_after, lists[i].fields, lists[i].tail);
        assert_int_equal(message_get_ends(buf_bytes(&f->item), &f->by.pub, me, 41, count, &calls, NULL), lists[i].want);
        assert_int_equal(calls, lists[i].want == ERR_OK ? 2 : 0);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(ends_come_in_order_and_stop_where_told),
        TEST(ends_for_another_device_or_of_another_answer_are_refused),
        TEST(any_flip_truncation_and_addition_is_refused),
        TEST(ends_are_no_drops),
        TEST(a_sender_refuses_what_no_receiver_takes),
        TEST(a_list_has_a_ceiling),
        TEST(nothing_is_handed_out_of_a_list_with_a_bad_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
