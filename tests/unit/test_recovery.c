/* The recovery key signs with the key that everybody pinned for sealing; and what a hub says of its next epoch. */
#include "crypto/recovery.h"
#include "sync/messages_return.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct secret secret;
static struct identity_secret recovery;

static int start(void **state)
{
    uint8_t bytes[32];
    (void)state;
    if (secret_start(NULL) != ERR_OK) return 1;
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 37 + 5);
    if (secret_take(&secret, bytes, sizeof bytes, NULL) != ERR_OK) return 1;
    return recovery_open(&secret, &recovery, NULL) != ERR_OK;
}

static int stop(void **state)
{
    (void)state;
    identity_release(&recovery);
    secret_release(&secret);
    return 0;
}

static void a_signature_is_checked_by_the_key_that_was_pinned_for_sealing(void **state)
{
    uint8_t key[32], again[32], signature[64], other[64];
    struct bytes m = bytes_of_str("a statement");
    (void)state;
    for (int i = 0; i < 50; i++) {
        assert_int_equal(recovery_sign(&secret, m, key, signature, NULL), ERR_OK);
        assert_int_equal(recovery_verify(recovery.pub.box_pk, m, key, signature, NULL), ERR_OK);
    }
    assert_int_equal(recovery_sign(&secret, m, again, other, NULL), ERR_OK);
    assert_memory_equal(again, key, sizeof key);
    assert_memory_not_equal(other, signature, sizeof other); /* drawn anew each time */
}

static void nothing_else_passes_for_it(void **state)
{
    uint8_t key[32], signature[64], pk[32];
    struct identity_secret other = {0};
    struct bytes m = bytes_of_str("a statement");
    (void)state;
    assert_int_equal(recovery_sign(&secret, m, key, signature, NULL), ERR_OK);
    for (size_t i = 0; i < sizeof signature; i++) {
        signature[i] ^= 4;
        assert_int_equal(recovery_verify(recovery.pub.box_pk, m, key, signature, NULL), ERR_TAMPERED);
        signature[i] ^= 4;
    }
    for (size_t i = 0; i < sizeof key; i++) {
        key[i] ^= 4;
        assert_int_equal(recovery_verify(recovery.pub.box_pk, m, key, signature, NULL), ERR_TAMPERED);
        key[i] ^= 4;
    }
    key[31] ^= 0x80; /* the other point with the same X25519 key */
    assert_int_equal(recovery_verify(recovery.pub.box_pk, m, key, signature, NULL), ERR_TAMPERED);
    key[31] ^= 0x80;
    assert_int_equal(recovery_verify(recovery.pub.box_pk, bytes_of_str("a Statement"), key, signature, NULL),
                     ERR_TAMPERED);
    assert_int_equal(identity_generate(&other, NULL), ERR_OK);
    memcpy(pk, other.pub.box_pk, sizeof pk);
    assert_int_equal(recovery_verify(pk, m, key, signature, NULL), ERR_TAMPERED);
    assert_int_equal(recovery_verify(recovery.pub.box_pk, m, other.pub.sign_pk, signature, NULL), ERR_TAMPERED);
    memset(key, 0, sizeof key); /* of low order */
    assert_int_equal(recovery_verify(key, m, key, signature, NULL), ERR_TAMPERED);
    identity_release(&other);
}

static void make(struct buf *out, const struct epoch_statement *m, const struct secret *by)
{
    uint8_t key[32], signature[64];
    struct buf body;
    buf_init(&body, 4096);
    message_put_statement(&body, m);
    assert_int_equal(recovery_sign(by, buf_bytes(&body), key, signature, NULL), ERR_OK);
    const struct signed_statement s = {buf_bytes(&body), bytes_of(key, sizeof key),
                                       bytes_of(signature, sizeof signature)};
    message_put_epoch(out, &s, 17);
    assert_int_equal(out->err, ERR_OK);
    buf_release(&body);
}

static void a_statement_is_read_whole_or_not_at_all(void **state)
{
    struct epoch_statement
        m = {.before = 1, .epoch = 1780000000, .at_ms = 5, .size = 9, .hub = {1}, .device = {2}, .root = {3}},
        got;
    struct buf item;
    uint64_t chain = 0;
    (void)state;
    buf_init(&item, 4096);
    make(&item, &m, &secret);
    assert_int_equal(message_get_epoch(buf_bytes(&item), recovery.pub.box_pk, &got, &chain, NULL), ERR_OK);
    assert_int_equal(got.epoch, m.epoch);
    assert_int_equal(got.size, 9);
    assert_memory_equal(got.root, m.root, 32);
    assert_int_equal(chain, 17);
    for (size_t n = 0; n < item.len; n++)
        assert_int_not_equal(message_get_epoch(bytes_of(item.data, n), recovery.pub.box_pk, &got, &chain, NULL),
                             ERR_OK);
    for (size_t i = 0; i + 1 < item.len; i++) { /* but for the chain, which is told outside of it */
        item.data[i] ^= 1;
        assert_int_not_equal(message_get_epoch(buf_bytes(&item), recovery.pub.box_pk, &got, &chain, NULL), ERR_OK);
        item.data[i] ^= 1;
    }
    buf_reset(&item);
    m.before = m.epoch; /* no epoch begins itself */
    make(&item, &m, &secret);
    assert_int_not_equal(message_get_epoch(buf_bytes(&item), recovery.pub.box_pk, &got, &chain, NULL), ERR_OK);
    buf_release(&item);
}

static enum err count(void *ctx, const struct drop_item *d, struct why *why)
{
    (void)why;
    assert_int_equal(d->table_index, 1);
    ++*(size_t *)ctx;
    return ERR_OK;
}

static void what_a_device_returns_is_read_strictly(void **state)
{
    const struct drop_item rows[2] = {{.table_index = 1, .id = {1}}, {.table_index = 1, .id = {2}}};
    struct return_item r;
    struct note_item n;
    struct buf b;
    size_t seen = 0;
    (void)state;
    buf_init(&b, 4096);
    message_put_holds(&b, rows, 2);
    assert_int_equal(message_get_holds(buf_bytes(&b), count, &seen, NULL), ERR_OK);
    assert_int_equal(seen, 2);
    for (size_t i = 0; i < b.len; i++)
        assert_int_equal(message_get_holds(bytes_of(b.data, i), count, &seen, NULL), ERR_FORMAT);
    assert_int_equal(seen, 2); /* nothing is handed out of a list that is not whole */
    buf_reset(&b);
    message_put_return(&b, &(struct return_item){bytes_of_str("c"), RETURN_NONE, {0}});
    assert_int_equal(message_get_return(buf_bytes(&b), &r, NULL), ERR_OK);
    buf_reset(&b);
    message_put_return(&b, &(struct return_item){bytes_of_str("c"), RETURN_NONE, bytes_of_str("body")});
    assert_int_equal(message_get_return(buf_bytes(&b), &r, NULL), ERR_FORMAT);
    buf_reset(&b);
    message_put_return(&b, &(struct return_item){bytes_of_str("c"), RETURN_SEALED, {0}});
    assert_int_equal(message_get_return(buf_bytes(&b), &r, NULL), ERR_FORMAT);
    buf_reset(&b);
    message_put_note(&b, &(struct note_item){3, 2, bytes_of_str("note")});
    assert_int_equal(message_get_note(buf_bytes(&b), &n, NULL), ERR_OK);
    assert_int_equal(n.request, 3);
    assert_int_equal(n.covered, 2);
    buf_reset(&b);
    message_put_returned(&b);
    assert_int_equal(message_get_returned(buf_bytes(&b), NULL), ERR_OK);
    buf_put_u8(&b, 0);
    assert_int_equal(message_get_returned(buf_bytes(&b), NULL), ERR_FORMAT);
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signature_is_checked_by_the_key_that_was_pinned_for_sealing),
        cmocka_unit_test(nothing_else_passes_for_it),
        cmocka_unit_test(a_statement_is_read_whole_or_not_at_all),
        cmocka_unit_test(what_a_device_returns_is_read_strictly),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
