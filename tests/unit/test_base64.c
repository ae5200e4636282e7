/* crypto/base64.h: one text for each run of bytes, and nothing else is read. */
#include "crypto/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* RFC 4648 §10. */
static void base64_of_the_rfc(void **state)
{
    static const char *const texts[] = {"",     "",     "f",        "Zg==",  "fo",       "Zm8=",   "foo",
                                        "Zm9v", "foob", "Zm9vYg==", "fooba", "Zm9vYmE=", "foobar", "Zm9vYmFy"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i += 2) {
        char text[16];
        uint8_t back[8];
        size_t n = 77;
        base64_encode(text, bytes_of_str(texts[i]));
        assert_string_equal(text, texts[i + 1]);
        assert_int_equal(strlen(text), BASE64_CHARS(strlen(texts[i])));
        assert_true(base64_decode(bytes_of_str(text), back, sizeof back, &n));
        assert_true(bytes_equal(bytes_of(back, n), bytes_of_str(texts[i])));
    }
}

/* Whatever is read is written back as the very same text. */
static void each_text_stands_for_other_bytes(void **state)
{
    char text[5] = "", back[5];
    uint8_t bytes[3];
    size_t n, read = 0;
    (void)state;
    for (unsigned a = 0; a < 65 * 65 * 65; a++) {
        unsigned c[3] = {a % 65, a / 65 % 65, a / 65 / 65};
        text[0] = 'Q';
        for (int i = 0; i < 3; i++) text[1 + i] = c[i] < 64 ? digits[c[i]] : '=';
        if (!base64_decode(bytes_of_str(text), bytes, sizeof bytes, &n)) continue;
        base64_encode(back, bytes_of(bytes, n));
        assert_string_equal(back, text);
        read++;
    }
    assert_int_equal(read, 64 * 64 * 64 + 64 * 16 + 4); /* of three, two and one byte, beginning with Q's six bits */
}

static void no_other_character_is_read_at_any_place(void **state)
{
    uint8_t bytes[6];
    size_t n;
    (void)state;
    for (size_t at = 0; at < 8; at++) {
        for (int c = 0; c < 256; c++) {
            char text[8];
            memcpy(text, "Zm9vYmFy", 8);
            text[at] = (char)c;
            bool digit = c != 0 && strchr(digits, c) != NULL;
            assert_int_equal(base64_decode(bytes_of(text, 8), bytes, sizeof bytes, &n), digit);
        }
    }
}

static void no_more_is_read_than_there_is_room_for(void **state)
{
    uint8_t bytes[6] = {0};
    size_t n;
    (void)state;
    for (size_t max = 0; max < 6; max++) {
        bytes[max] = 0xee;
        assert_false(base64_decode(bytes_of_str("Zm9vYmFy"), bytes, max, &n));
        assert_int_equal(bytes[max], 0xee);
    }
    for (size_t chars = 1; chars < 8; chars++)
        assert_int_equal(base64_decode(bytes_of("Zm9vYmFy", chars), bytes, sizeof bytes, &n), chars == 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_of_the_rfc),
        cmocka_unit_test(each_text_stands_for_other_bytes),
        cmocka_unit_test(no_other_character_is_read_at_any_place),
        cmocka_unit_test(no_more_is_read_than_there_is_room_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
