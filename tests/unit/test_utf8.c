/* Text is judged eight bytes at a time where it is ASCII: a bad byte is found wherever it stands. */
#include "base/cbor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define LONGEST 40u

static void a_single_byte_is_judged_alike_at_every_place(void **state)
{
    uint8_t text[LONGEST];
    (void)state;
    for (size_t n = 1; n <= LONGEST; n++) {
        for (size_t at = 0; at < n; at++) {
            for (unsigned byte = 0; byte < 256; byte++) {
                memset(text, 'a' + (int)(at % 26), n);
                text[at] = (uint8_t)byte;
                bool want = byte >= 1 && byte <= 0x7f;
                if (utf8_valid(bytes_of(text, n)) != want) fail_msg("%02x at %zu of %zu", byte, at, n);
            }
        }
    }
}

static void neighbours_do_not_hide_a_bad_byte(void **state)
{
    static const uint8_t edges[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    uint8_t text[16];
    (void)state;
    for (size_t at = 0; at + 1 < sizeof text; at++) {
        for (size_t a = 0; a < sizeof edges; a++) {
            for (size_t b = 0; b < sizeof edges; b++) {
                memset(text, 0x01, sizeof text);
                text[at] = edges[a];
                text[at + 1] = edges[b];
                bool want = edges[a] >= 1 && edges[a] <= 0x7f && edges[b] >= 1 && edges[b] <= 0x7f;
                assert_int_equal(utf8_valid(bytes_of(text, sizeof text)), want);
            }
        }
    }
}

static void longer_characters_may_begin_anywhere_and_must_end(void **state)
{
    static const char *const characters[] = {"\xc3\xb3", "\xe6\x97\xa5", "\xf0\x9f\x98\x80"};
    uint8_t text[LONGEST];
    (void)state;
    for (size_t c = 0; c < 3; c++) {
        size_t len = strlen(characters[c]);
        for (size_t at = 0; at + len <= LONGEST; at++) {
            memset(text, 'x', sizeof text);
            memcpy(text + at, characters[c], len);
            assert_true(utf8_valid(bytes_of(text, sizeof text)));
            for (size_t cut = 1; cut < len; cut++) assert_false(utf8_valid(bytes_of(text, at + cut)));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_single_byte_is_judged_alike_at_every_place),
        cmocka_unit_test(neighbours_do_not_hide_a_bad_byte),
        cmocka_unit_test(longer_characters_may_begin_anywhere_and_must_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
