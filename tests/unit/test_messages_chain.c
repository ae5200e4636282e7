/* The messages of chains that broke: a gap in the place of a lost envelope, a device in the place of another. */
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

static void a_gap_keeps_the_place_of_a_lost_envelope(void **state)
{
    struct fixture *f = *state;
    struct gap g = {.seq = 9}, out = {0};
    struct bytes cose;
    struct buf b;
    buf_init(&b, 4096);
    memset(g.hub, 0x31, sizeof g.hub);
    memset(g.hash, 0x32, sizeof g.hash);
    assert_int_equal(message_put_gap(&b, &f->by, &g, NULL), ERR_OK);
    assert_int_equal(message_type(buf_bytes(&b)), MSG_GAP);
    assert_int_equal(message_get_gap(buf_bytes(&b), &f->by.pub, &out, &cose, NULL), ERR_OK);
    assert_memory_equal(&g, &out, sizeof g);
    assert_true(cose.p > b.data && cose.n == b.len - 2);
    assert_int_equal(message_get_gap(buf_bytes(&b), &f->other.pub, &out, NULL, NULL), ERR_TAMPERED);
    buf_reset(&b);
    g.seq = 0; /* envelopes count from 1 */
    assert_int_equal(message_put_gap(&b, &f->by, &g, NULL), ERR_OK);
    assert_int_equal(message_get_gap(buf_bytes(&b), &f->by.pub, &out, NULL, NULL), ERR_FORMAT);
    buf_release(&b);
}

/* Whoever has an invitation alone cannot put another device out of use. */
static void only_the_old_key_says_which_device_is_replaced(void **state)
{
    struct fixture *f = *state;
    struct replaces m = {0}, out = {0};
    uint8_t kid[KID_BYTES];
    struct buf b;
    buf_init(&b, 4096);
    memset(m.token, 0x41, sizeof m.token);
    identity_to_bytes(&f->other.pub, m.node);
    assert_int_equal(message_put_replaces(&b, &f->by, &m, NULL), ERR_OK);
    assert_int_equal(message_type(buf_bytes(&b)), MSG_REPLACES);
    assert_int_equal(message_replaces_kid(buf_bytes(&b), kid, NULL), ERR_OK);
    assert_memory_equal(kid, f->by.pub.kid, KID_BYTES);
    assert_int_equal(message_get_replaces(buf_bytes(&b), &f->by.pub, &out, NULL), ERR_OK);
    assert_memory_equal(&m, &out, sizeof m);
    assert_int_equal(message_get_replaces(buf_bytes(&b), &f->other.pub, &out, NULL), ERR_TAMPERED);
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_gap_keeps_the_place_of_a_lost_envelope, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_the_old_key_says_which_device_is_replaced, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
