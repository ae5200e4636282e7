/* base/buf.h and base/err.h */
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void buf_appends_big_endian_numbers(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    buf_put_u8(&b, 1);
    buf_put_be16(&b, 0x0203);
    buf_put_be32(&b, 0x04050607);
    buf_put_be64(&b, 0x08090a0b0c0d0e0fu);
    static const uint8_t want[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    assert_int_equal(b.err, ERR_OK);
    assert_true(bytes_equal(buf_bytes(&b), bytes_of(want, sizeof want)));
    buf_release(&b);
    assert_null(b.data);
    buf_release(&b);
    buf_release(NULL);
}

static void buf_refuses_to_pass_its_ceiling_and_stays_refusing(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 5);
    buf_put_str(&b, "abc");
    buf_put_str(&b, "def");
    assert_int_equal(b.err, ERR_LIMIT);
    buf_put_str(&b, "d"); /* would fit, but the writer is sticky */
    buf_printf(&b, "%d", 1);
    assert_null(buf_grow(&b, 0));
    assert_null(buf_cstr(&b));
    assert_int_equal(b.len, 3);
    buf_reset(&b);
    assert_int_equal(b.err, ERR_OK);
    buf_put_str(&b, "abcde");
    assert_int_equal(b.err, ERR_OK);
    assert_string_equal(buf_cstr(&b), "abcde"); /* the NUL does not count */
    buf_printf(&b, "%s", "");
    assert_int_equal(b.err, ERR_OK);
    buf_printf(&b, "%s", "f");
    assert_int_equal(b.err, ERR_LIMIT);
    buf_release(&b);
    buf_init(&b, SIZE_MAX);
    buf_put_u8(&b, 0);
    assert_null(buf_grow(&b, SIZE_MAX)); /* the sum would wrap */
    assert_int_equal(b.err, ERR_LIMIT);
    buf_release(&b);
}

static bool all_zero(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != 0) return false;
    return true;
}

/* Whichever way it was written, and also where the length was made less since. */
static void what_was_written_is_wiped_when_a_buffer_is_reset(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4096);
    (void)memset(buf_grow(&b, 100), 'x', 100);
    buf_printf(&b, "%0100d", 7);
    b.len = 3;
    buf_put_str(&b, "abc");
    buf_reset(&b);
    assert_true(all_zero(b.data, 200));
    buf_put_str(&b, "secret");
    buf_reset(&b);
    assert_true(all_zero(b.data, 200));
    buf_release(&b);
}

/* One large content must not make every small one after it as dear: a hub keeps buffers for as long as it lives. */
static void resetting_a_buffer_touches_no_more_than_was_written_since(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1u << 20);
    assert_non_null(buf_grow(&b, 1u << 20));
    buf_reset(&b);
    assert_int_equal(b.cap, 1u << 20);
    b.data[100] = 'x'; /* behind what is written now */
    buf_put_str(&b, "small");
    buf_reset(&b);
    assert_true(all_zero(b.data, 100));
    assert_int_equal(b.data[100], 'x');
    buf_release(&b);
}

static void buf_grows_over_many_appends_and_prints(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1 << 20);
    for (int i = 0; i < 10000; i++) buf_printf(&b, "%05d", i);
    assert_int_equal(b.err, ERR_OK);
    assert_int_equal(b.len, 50000);
    assert_memory_equal(b.data + 5 * 1234, "01234", 5);
    assert_memory_equal(b.data + 49995, "09999", 5);
    uint8_t *room = buf_grow(&b, 3);
    assert_ptr_equal(room, b.data + 50000);
    assert_int_equal(b.len, 50003);
    buf_release(&b);
}

static void buf_empty_growth_is_no_failure(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 0);
    assert_non_null(buf_grow(&b, 0));
    buf_put(&b, NULL, 0);
    assert_int_equal(b.err, ERR_OK);
    assert_string_equal(buf_cstr(&b), "");
    buf_release(&b);
}

static void bytes_order_is_memcmp_then_length(void **state)
{
    (void)state;
    assert_true(bytes_compare(bytes_of_str("a"), bytes_of_str("b")) < 0);
    assert_true(bytes_compare(bytes_of_str("ab"), bytes_of_str("a")) > 0);
    assert_true(bytes_compare(bytes_of_str("\xff"), bytes_of_str("a\x01")) > 0);
    assert_true(bytes_compare(bytes_of_str("a"), bytes_of_str("a")) == 0);
    assert_true(bytes_compare(bytes_of(NULL, 0), bytes_of_str("a")) < 0);
    assert_true(bytes_compare(bytes_of(NULL, 0), bytes_of(NULL, 0)) == 0);
    assert_true(bytes_equal(bytes_of(NULL, 0), bytes_of_str("")));
    assert_false(bytes_equal(bytes_of_str("a"), bytes_of_str("b")));
    assert_false(bytes_equal(bytes_of_str("a"), bytes_of_str("ab")));
}

static void hex_goes_there_and_back_and_refuses_the_rest(void **state)
{
    (void)state;
    uint8_t v[3] = {0x00, 0xaf, 0x90}, back[3] = {7, 7, 7};
    char text[7];
    hex_encode(text, v, 3);
    assert_string_equal(text, "00af90");
    assert_false(hex_decode(back, 3, "00af9", 5));
    assert_false(hex_decode(back, 3, "00af9g", 6));
    assert_false(hex_decode(back, 3, "00af9000", 8));
    assert_false(hex_decode(back, 3, "00af90 ", 7));
    assert_int_equal(back[0], 7); /* outputs change only on success */
    assert_true(hex_decode(back, 3, "00AF90", 6));
    assert_memory_equal(back, v, 3);
    assert_true(hex_decode(back, 0, "", 0));
}

static void why_is_cut_not_overrun_and_may_be_null(void **state)
{
    (void)state;
    struct why why = {0};
    char longer[1000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(why_set(&why, ERR_FULL, "%s", longer), ERR_FULL);
    assert_int_equal(strlen(why.text), sizeof why.text - 1);
    assert_int_equal(why_next(&why, ERR_FULL, "%s", longer), ERR_FULL);
    assert_int_equal(strlen(why.next), sizeof why.next - 1);
    assert_int_equal(why_set(&why, ERR_IO, "short"), ERR_IO);
    assert_string_equal(why.text, "short");
    assert_string_equal(why.next, ""); /* old advice does not stick to a new message */
    assert_int_equal(why_set(NULL, ERR_IO, "nobody listens"), ERR_IO);
    assert_int_equal(why_next(NULL, ERR_IO, "nobody listens"), ERR_IO);
}

static void err_codes_are_those_of_the_commands(void **state)
{
    (void)state;
    assert_int_equal(err_exit_code(ERR_OK), 0);
    assert_int_equal(err_exit_code(ERR_IO), 1);
    assert_int_equal(err_exit_code(ERR_UNINIT), 10);
    assert_int_equal(err_exit_code(ERR_LOCKED), 11);
    assert_int_equal(err_exit_code(ERR_PASSPHRASE), 12);
    assert_int_equal(err_exit_code(ERR_REFUSED), 13);
    assert_int_equal(err_exit_code(ERR_UNREACHABLE), 14);
    assert_int_equal(err_exit_code(ERR_TAMPERED), 15);
    assert_int_equal(err_exit_code(ERR_FORMAT), 15);
    assert_int_equal(err_exit_code(ERR_USAGE), 64);
    assert_int_equal(err_exit_code(ERR_INTERRUPTED), 130);
    assert_int_equal(err_exit_code((enum err)9999), 1);
    assert_string_equal(err_word(ERR_TAMPERED), "tampered");
    assert_string_equal(err_word((enum err)9999), "failed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buf_appends_big_endian_numbers),
        cmocka_unit_test(buf_refuses_to_pass_its_ceiling_and_stays_refusing),
        cmocka_unit_test(what_was_written_is_wiped_when_a_buffer_is_reset),
        cmocka_unit_test(resetting_a_buffer_touches_no_more_than_was_written_since),
        cmocka_unit_test(buf_grows_over_many_appends_and_prints),
        cmocka_unit_test(buf_empty_growth_is_no_failure),
        cmocka_unit_test(bytes_order_is_memcmp_then_length),
        cmocka_unit_test(hex_goes_there_and_back_and_refuses_the_rest),
        cmocka_unit_test(why_is_cut_not_overrun_and_may_be_null),
        cmocka_unit_test(err_codes_are_those_of_the_commands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
