/* base/cbor.h: deterministic CBOR and UTF-8. */
#include "base/cbor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The bytes of a hex text; in memory of exactly their size, so that the sanitizer sees every byte read beyond. */
struct input {
    uint8_t *mem;
    struct bytes b;
};

static struct input input_of(const char *hex)
{
    size_t n = strlen(hex) / 2;
    struct input in = {.mem = malloc(n == 0 ? 1 : n)};
    assert_non_null(in.mem);
    assert_true(hex_decode(in.mem, n, hex, strlen(hex)));
    in.b = bytes_of(in.mem, n);
    return in;
}

/* Is this exactly one good item? */
static bool accepted(struct bytes in)
{
    struct cbor_reader r;
    cbor_reader_init(&r, in);
    struct bytes item = cbor_get_item(&r);
    if (r.err != ERR_OK) {
        assert_int_equal(r.err, ERR_FORMAT);
        assert_int_equal(item.n, 0);
        return false;
    }
    return cbor_at_end(&r) && item.p == in.p && item.n == in.n;
}

static bool accepted_hex(const char *hex)
{
    struct input in = input_of(hex);
    bool yes = accepted(in.b);
    free(in.mem);
    return yes;
}

/* The next word of a list of hex texts, NULL after the last. */
static const char *next_word(const char **list, char word[64])
{
    size_t n = strcspn(*list, " ");
    if (n == 0) return NULL;
    assert_true(n < 64);
    memcpy(word, *list, n);
    word[n] = '\0';
    *list += n + strspn(*list + n, " ");
    return word;
}

/* RFC 8949, Appendix A: those examples that lie in the subset. */
static const char good[] =
    "00 01 0a 17 1818 1819 1864 1903e8 1a000f4240 1b000000e8d4a51000 1bffffffffffffffff 3bffffffffffffffff "
    "20 29 3863 3903e7 f4 f5 f6 c074323031332d30332d32315432303a30343a30305a c11a514b67b0 d74401020304 "
    "d818456449455446 d82076687474703a2f2f7777772e6578616d706c652e636f6d c249010000000000000000 40 "
    "4401020304 60 6161 6449455446 62225c 62c3bc 63e6b0b4 64f0908591 80 83010203 8301820203820405 "
    "98190102030405060708090a0b0c0d0e0f101112131415161718181819 a0 a201020304 a26161016162820203 "
    "826161a161626163 a56161614161626142616361436164614461656145";

/* Appendix A's examples outside the subset, and every other longer than shortest, indefinite or reserved form. */
static const char bad[] =
    /* floats, undefined, simple values */
    "f90000 fa47c35000 fb3ff199999999999a f7 f0 f8ff f800 f814 f818 e0 f3 fb7ff0000000000000 "
    /* indefinite lengths */
    "5f42010243030405ff 7f657374726561646d696e67ff 9fff 9f018202039f0405ffff bfff bf61610161629f0203ffff ff "
    "1f 3f df00 8301ff02 9f01 5f40ff "
    /* reserved 28 to 30 */
    "1c 1d 1e 3c 5c 7d 9e bc dc fc fd fe "
    /* not the shortest: every major type, every width */
    "1800 1817 190000 190018 1900ff 1a00000000 1a0000ffff 1b0000000000000000 1b00000000ffffffff 3800 3817 "
    "3900ff 3a0000ffff 3b00000000ffffffff 580100 59000100 5a0000000100 5b000000000000000100 780161 79000161 "
    "7a0000000161 7b000000000000000161 9800 980100 99000100 9a0000000100 9b000000000000000100 b800 b8010000 "
    "b900010000 ba000000010000 bb00000000000000010000 d81200 d9001200 da0000001200 db000000000000001200 "
    /* lengths and counts that lie */
    "41 420a 5bffffffffffffffff 5b7fffffffffffffff00 61 7bffffffffffffffff61 81 8200 9bffffffffffffffff00 "
    "9b800000000000000000 a1 a100 bbffffffffffffffff0000 bb80000000000000000000 c0 "
    /* map keys: twice, out of order, at depth */
    "a201000100 a202000100 a2616200616100 a26161006100 8182a202000100f6 a101a202000100 a2200001f6 "
    "a28101008100";

static void cbor_accepts_the_rfc_examples_of_its_subset(void **state)
{
    (void)state;
    char word[64];
    for (const char *at = good; next_word(&at, word) != NULL;) {
        if (!accepted_hex(word)) fail_msg("refused %s", word);
    }
}

static void cbor_refuses_what_is_not_deterministic(void **state)
{
    (void)state;
    char word[64];
    for (const char *at = bad; next_word(&at, word) != NULL;) {
        if (accepted_hex(word)) fail_msg("accepted %s", word);
    }
}

static void cbor_getters_refuse_what_the_item_check_refuses(void **state)
{
    (void)state;
    static const char heads[] = "1800 1900ff 1f 1c 3817 580100 780161 9800 b800 d81200 f7 f90000 f814";
    char word[64];
    for (const char *at = heads; next_word(&at, word) != NULL;) {
        struct input in = input_of(word);
        for (int getter = 0; getter < 10; getter++) {
            struct cbor_reader r;
            uint8_t fixed[1] = {7};
            cbor_reader_init(&r, in.b);
            switch (getter) {
            case 0: assert_int_equal(cbor_get_uint(&r), 0); break;
            case 1: assert_int_equal(cbor_get_int(&r), 0); break;
            case 2: assert_int_equal(cbor_get_bytes(&r).n, 0); break;
            case 3: assert_int_equal(cbor_get_text(&r).n, 0); break;
            case 4: assert_int_equal(cbor_get_array(&r, 100), 0); break;
            case 5: assert_int_equal(cbor_get_map(&r, 100), 0); break;
            case 6: assert_int_equal(cbor_get_tag(&r), 0); break;
            case 7: assert_false(cbor_get_bool(&r)); break;
            case 8: cbor_get_null(&r); break;
            default:
                cbor_get_fixed(&r, fixed, 1);
                assert_int_equal(fixed[0], 0);
                break;
            }
            assert_int_equal(r.err, ERR_FORMAT);
            assert_false(cbor_at_end(&r));
        }
        free(in.mem);
    }
}

static void put_specimen(struct buf *b)
{
    buf_init(b, 4096);
    cbor_put_tag(b, 18);
    cbor_put_map(b, 4);
    cbor_put_uint(b, 1);
    cbor_put_int(b, INT64_MIN);
    cbor_put_uint(b, 300);
    cbor_put_array(b, 3);
    cbor_put_bool(b, true);
    cbor_put_bool(b, false);
    cbor_put_null(b);
    cbor_put_int(b, -8);
    cbor_put_bytes(b, bytes_of("\x00\xff", 2));
    cbor_put_str(b, "k\xc3\xbc");
    cbor_put_uint(b, UINT64_MAX);
    assert_int_equal(b->err, ERR_OK);
}

static void cbor_reads_back_what_it_wrote(void **state)
{
    (void)state;
    struct buf b;
    struct cbor_reader r;
    uint8_t two[2];
    put_specimen(&b);
    assert_true(accepted(buf_bytes(&b)));
    cbor_reader_init(&r, buf_bytes(&b));
    assert_int_equal(cbor_peek(&r), CBOR_TAG);
    assert_int_equal(cbor_get_tag(&r), 18);
    assert_int_equal(cbor_peek(&r), CBOR_MAP);
    assert_int_equal(cbor_get_map(&r, 4), 4);
    assert_int_equal(cbor_get_uint(&r), 1);
    assert_int_equal(cbor_peek(&r), CBOR_NEGINT);
    assert_true(cbor_get_int(&r) == INT64_MIN);
    assert_int_equal(cbor_get_int(&r), 300);
    assert_int_equal(cbor_peek(&r), CBOR_ARRAY);
    assert_int_equal(cbor_get_array(&r, 3), 3);
    assert_int_equal(cbor_peek(&r), CBOR_BOOL);
    assert_true(cbor_get_bool(&r));
    assert_false(cbor_get_bool(&r));
    assert_int_equal(cbor_peek(&r), CBOR_NULL);
    cbor_get_null(&r);
    assert_int_equal(cbor_get_int(&r), -8);
    assert_int_equal(cbor_peek(&r), CBOR_BYTES);
    cbor_get_fixed(&r, two, 2);
    assert_memory_equal(two, "\x00\xff", 2);
    assert_int_equal(cbor_peek(&r), CBOR_TEXT);
    assert_true(bytes_equal(cbor_get_text(&r), bytes_of_str("k\xc3\xbc")));
    assert_int_equal(cbor_peek(&r), CBOR_UINT);
    assert_true(cbor_get_uint(&r) == UINT64_MAX);
    assert_true(cbor_at_end(&r));
    assert_int_equal(cbor_peek(&r), CBOR_NONE);
    buf_release(&b);
}

static void cbor_writes_shortest_heads(void **state)
{
    (void)state;
    static const struct {
        uint64_t v;
        const char *hex;
    } cases[] = {{0, "00"},
                 {23, "17"},
                 {24, "1818"},
                 {255, "18ff"},
                 {256, "190100"},
                 {65535, "19ffff"},
                 {65536, "1a00010000"},
                 {UINT32_MAX, "1affffffff"},
                 {1ull << 32, "1b0000000100000000"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf b;
        char hex[32];
        buf_init(&b, 16);
        cbor_put_uint(&b, cases[i].v);
        hex_encode(hex, b.data, b.len);
        assert_string_equal(hex, cases[i].hex);
        buf_release(&b);
    }
}

static void cbor_refuses_a_message_cut_at_any_byte(void **state)
{
    (void)state;
    struct buf b;
    put_specimen(&b);
    for (size_t n = 0; n < b.len; n++) {
        struct bytes cut = bytes_of(b.data, n);
        uint8_t *exact = malloc(n == 0 ? 1 : n);
        assert_non_null(exact);
        memcpy(exact, b.data, n);
        cut.p = exact;
        assert_false(accepted(cut));
        free(exact);
    }
    buf_release(&b);
}

/* Whatever the bytes, reading ends, stays inside, and what is accepted is what a walk would accept. */
static void cbor_survives_every_flipped_byte(void **state)
{
    (void)state;
    struct buf b;
    put_specimen(&b);
    for (size_t i = 0; i < b.len; i++) {
        uint8_t was = b.data[i];
        for (int v = 0; v < 256; v++) {
            b.data[i] = (uint8_t)v;
            (void)accepted(buf_bytes(&b));
        }
        b.data[i] = was;
    }
    buf_release(&b);
}

static void cbor_nests_eight_deep_and_no_deeper(void **state)
{
    (void)state;
    assert_true(accepted_hex("818181818181818100"));
    assert_false(accepted_hex("81818181818181818100"));
    assert_true(accepted_hex("8181818181818180"));
    assert_false(accepted_hex("818181818181818180"));
    assert_false(accepted_hex("8181818181818181a0"));
    assert_false(accepted_hex("c1c1c1c1c1c1c1c1c100"));
    assert_false(accepted_hex(""));
    assert_true(accepted_hex("c1c1c1c1c1c1c1c100"));
    size_t n = 1 << 20;
    uint8_t *deep = malloc(n);
    assert_non_null(deep);
    memset(deep, 0x81, n);
    assert_false(accepted(bytes_of(deep, n)));
    free(deep);
}

static void cbor_counts_beyond_what_the_caller_takes_are_errors(void **state)
{
    (void)state;
    struct input in = input_of("83010203");
    struct cbor_reader r;
    cbor_reader_init(&r, in.b);
    assert_int_equal(cbor_get_array(&r, 2), 0);
    assert_int_equal(r.err, ERR_FORMAT);
    cbor_reader_init(&r, in.b);
    assert_int_equal(cbor_get_map(&r, 9), 0);
    assert_int_equal(r.err, ERR_FORMAT);
    free(in.mem);
    in = input_of("a201020304");
    cbor_reader_init(&r, in.b);
    assert_int_equal(cbor_get_map(&r, 1), 0);
    assert_int_equal(r.err, ERR_FORMAT);
    free(in.mem);
}

static void cbor_error_is_sticky(void **state)
{
    (void)state;
    struct input in = input_of("0141ff01");
    struct cbor_reader r;
    uint8_t four[4] = {1, 1, 1, 1};
    cbor_reader_init(&r, in.b);
    assert_int_equal(cbor_get_bytes(&r).n, 0); /* it is a number */
    assert_int_equal(cbor_get_uint(&r), 0);
    assert_int_equal(cbor_get_int(&r), 0);
    assert_int_equal(cbor_get_item(&r).n, 0);
    assert_int_equal(cbor_peek(&r), CBOR_NONE);
    cbor_get_fixed(&r, four, sizeof four);
    assert_memory_equal(four, "\0\0\0\0", 4);
    assert_int_equal(r.err, ERR_FORMAT);
    free(in.mem);
}

static void cbor_refuses_numbers_that_do_not_fit(void **state)
{
    (void)state;
    static const char *const wide[] = {"1b8000000000000000", "1bffffffffffffffff", "3b8000000000000000"};
    for (size_t i = 0; i < 3; i++) {
        struct input in = input_of(wide[i]);
        struct cbor_reader r;
        cbor_reader_init(&r, in.b);
        assert_int_equal(cbor_get_int(&r), 0);
        assert_int_equal(r.err, ERR_FORMAT);
        free(in.mem);
    }
    struct input in = input_of("20"); /* negative where only positive will do */
    struct cbor_reader r;
    cbor_reader_init(&r, in.b);
    assert_int_equal(cbor_get_uint(&r), 0);
    assert_int_equal(r.err, ERR_FORMAT);
    free(in.mem);
}

static void cbor_fixed_refuses_another_length(void **state)
{
    (void)state;
    struct input in = input_of("4401020304");
    for (size_t n = 0; n < 8; n++) {
        uint8_t out[8] = {9, 9, 9, 9, 9, 9, 9, 9};
        struct cbor_reader r;
        cbor_reader_init(&r, in.b);
        cbor_get_fixed(&r, out, n);
        assert_int_equal(r.err, n == 4 ? ERR_OK : ERR_FORMAT);
        if (n > 0) assert_int_equal(out[0], n == 4 ? 1 : 0);
    }
    free(in.mem);
}

static void cbor_item_takes_one_of_several(void **state)
{
    (void)state;
    struct input in = input_of("8201a0f6");
    struct cbor_reader r;
    cbor_reader_init(&r, in.b);
    struct bytes item = cbor_get_item(&r);
    assert_int_equal(item.n, 3);
    assert_false(cbor_at_end(&r));
    cbor_get_null(&r);
    assert_true(cbor_at_end(&r));
    free(in.mem);
}

static void utf8_accepts_the_edges_and_refuses_beyond(void **state)
{
    (void)state;
    static const char fine[] = "01 7f c280 dfbf e0a080 ed9fbf ee8080 efbfbf f0908080 f48fbfbf 61c3bce6b0b4f0908591";
    static const char faulty[] =
        "00 6100 80 bf c0 c080 c1bf c2 c241 c2c0 e0 e0a0 e08080 e09fbf e0a041 eda080 edbfbf f0 f09080 f0808080 "
        "f08fbfbf f4908080 f5808080 f8888080 fe ff f0908041 e6b0 61ff";
    char word[64];
    assert_true(utf8_valid(bytes_of(NULL, 0)));
    for (const char *at = fine; next_word(&at, word) != NULL;) {
        struct input in = input_of(word);
        assert_true(utf8_valid(in.b));
        free(in.mem);
    }
    for (const char *at = faulty; next_word(&at, word) != NULL;) {
        struct input in = input_of(word);
        if (utf8_valid(in.b)) fail_msg("accepted %s", word);
        struct buf b;
        buf_init(&b, 64);
        cbor_put_text(&b, in.b);
        assert_false(accepted(buf_bytes(&b))); /* so does a text string */
        buf_release(&b);
        free(in.mem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cbor_accepts_the_rfc_examples_of_its_subset),
        cmocka_unit_test(cbor_refuses_what_is_not_deterministic),
        cmocka_unit_test(cbor_getters_refuse_what_the_item_check_refuses),
        cmocka_unit_test(cbor_reads_back_what_it_wrote),
        cmocka_unit_test(cbor_writes_shortest_heads),
        cmocka_unit_test(cbor_refuses_a_message_cut_at_any_byte),
        cmocka_unit_test(cbor_survives_every_flipped_byte),
        cmocka_unit_test(cbor_nests_eight_deep_and_no_deeper),
        cmocka_unit_test(cbor_counts_beyond_what_the_caller_takes_are_errors),
        cmocka_unit_test(cbor_error_is_sticky),
        cmocka_unit_test(cbor_refuses_numbers_that_do_not_fit),
        cmocka_unit_test(cbor_fixed_refuses_another_length),
        cmocka_unit_test(cbor_item_takes_one_of_several),
        cmocka_unit_test(utf8_accepts_the_edges_and_refuses_beyond),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
