#include "sync/messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct invitation sample(const char *address)
{
    struct invitation i = {0};
    for (unsigned k = 0; k < 32; k++) i.fingerprint[k] = (uint8_t)(k * 37 + 5);
    for (unsigned k = 0; k < 16; k++) i.token[k] = (uint8_t)(k * 91 + 17);
    memcpy(i.address, address, strlen(address));
    return i;
}

static void code_of(const char *address, struct buf *out)
{
    struct invitation i = sample(address);
    buf_init(out, 1024);
    assert_int_equal(invitation_put(out, &i, NULL), ERR_OK);
}

static void a_code_is_read_as_written_whatever_the_length(void **state)
{
    (void)state;
    for (size_t n = 1; n < 200; n++) {
        char address[200] = {0};
        struct invitation out, in;
        struct buf code;
        memset(address, 'h', n);
        in = sample(address);
        code_of(address, &code);
        assert_int_equal(invitation_get(buf_bytes(&code), &out, NULL), ERR_OK);
        assert_memory_equal(&in, &out, sizeof in);
        buf_release(&code);
    }
}

static void a_code_is_groups_of_6_in_capitals(void **state)
{
    (void)state;
    struct buf code;
    code_of("http://127.0.0.1:8470", &code);
    for (size_t i = 0; i < code.len; i++) {
        if (i % 7 == 6)
            assert_int_equal(code.data[i], '-');
        else
            assert_non_null(memchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", code.data[i], 32));
    }
    assert_int_equal(code.data[0], 'A'); /* version 1 = 00000|001 */
    assert_int_not_equal(code.data[code.len - 1], '-');
    buf_release(&code);
}

static void case_spaces_lines_and_dashes_do_not_matter(void **state)
{
    (void)state;
    struct buf code, typed;
    struct invitation out, in = sample("https://hub.example:8470");
    code_of("https://hub.example:8470", &code);
    buf_init(&typed, 1024);
    for (size_t i = 0; i < code.len; i++) {
        uint8_t c = code.data[i];
        if (c == '-')
            buf_put_str(&typed, i % 3 == 0 ? " \r\n" : "");
        else
            buf_put_u8(&typed, (uint8_t)(c >= 'A' ? c | 0x20 : c));
    }
    buf_put_str(&typed, "\n");
    assert_int_equal(invitation_get(buf_bytes(&typed), &out, NULL), ERR_OK);
    assert_memory_equal(&in, &out, sizeof in);
    buf_release(&code);
    buf_release(&typed);
}

static void any_single_mistyped_character_is_noticed(void **state)
{
    (void)state;
    static const char typed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ2345670189- .?";
    static const char *const addresses[] = {"http://127.0.0.1:8470", "http://h:1", "http://h:12", "http://h:123",
                                            "http://h:1234"};
    for (size_t a = 0; a < 5; a++) { /* every length of the last group's filling */
        struct buf code;
        struct why why;
        code_of(addresses[a], &code);
        for (size_t i = 0; i < code.len; i++) {
            uint8_t was = code.data[i];
            for (size_t k = 0; k < sizeof typed - 1; k++) {
                struct invitation out;
                bool ignored = was == '-' && (typed[k] == '-' || typed[k] == ' ');
                if (typed[k] == (char)was || ignored) continue;
                code.data[i] = (uint8_t)typed[k];
                assert_int_equal(invitation_get(buf_bytes(&code), &out, &why), ERR_FORMAT);
                assert_true(why.next[0] != '\0');
            }
            code.data[i] = was;
        }
        buf_release(&code);
    }
}

static void swapped_missing_and_added_characters_are_noticed(void **state)
{
    (void)state;
    struct buf code;
    struct invitation out;
    code_of("http://127.0.0.1:8470", &code);
    for (size_t i = 0; i + 1 < code.len; i++) {
        uint8_t a = code.data[i], b = code.data[i + 1];
        assert_int_equal(invitation_get(bytes_of(code.data, i), &out, NULL), ERR_FORMAT);
        if (a == b || a == '-' || b == '-') continue;
        code.data[i] = b;
        code.data[i + 1] = a;
        assert_int_equal(invitation_get(buf_bytes(&code), &out, NULL), ERR_FORMAT);
        code.data[i] = a;
        code.data[i + 1] = b;
    }
    for (const char *c = "A7"; *c != '\0'; c++) {
        buf_put_u8(&code, (uint8_t)*c);
        assert_int_equal(invitation_get(buf_bytes(&code), &out, NULL), ERR_FORMAT);
        code.len--;
    }
    buf_release(&code);
}

static void a_long_flood_of_letters_is_refused(void **state)
{
    (void)state;
    struct buf flood;
    struct invitation out;
    buf_init(&flood, 1u << 20);
    memset(buf_grow(&flood, 1u << 20), 'A', 1u << 20);
    assert_int_equal(invitation_get(buf_bytes(&flood), &out, NULL), ERR_FORMAT);
    buf_release(&flood);
}

static void an_address_that_is_none_is_refused(void **state)
{
    (void)state;
    struct buf code;
    struct invitation i = sample("");
    buf_init(&code, 1024);
    assert_int_equal(invitation_put(&code, &i, NULL), ERR_FORMAT);
    i = sample("http://a b");
    assert_int_equal(invitation_put(&code, &i, NULL), ERR_FORMAT);
    i = sample("http://\xc3\xa9");
    assert_int_equal(invitation_put(&code, &i, NULL), ERR_FORMAT);
    memset(i.address, 'x', sizeof i.address);
    assert_int_equal(invitation_put(&code, &i, NULL), ERR_FORMAT);
    assert_int_equal(code.len, 0);
    buf_release(&code);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_code_is_read_as_written_whatever_the_length),
        cmocka_unit_test(a_code_is_groups_of_6_in_capitals),
        cmocka_unit_test(case_spaces_lines_and_dashes_do_not_matter),
        cmocka_unit_test(any_single_mistyped_character_is_noticed),
        cmocka_unit_test(swapped_missing_and_added_characters_are_noticed),
        cmocka_unit_test(a_long_flood_of_letters_is_refused),
        cmocka_unit_test(an_address_that_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
