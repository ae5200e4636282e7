/* crypto/cose.h. The test builds every COSE_Sign1 by hand, byte for byte from RFC 9052, and checks its own building
 * against a vector that others made. */
#include "crypto/cose.h"

#include "base/cbor.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct hand {
    struct identity_secret id;
    struct buf b; /* scratch */
};

static int setup(void **state)
{
    struct hand *h = calloc(1, sizeof *h);
    if (h == NULL || secret_start(NULL) != ERR_OK || identity_generate(&h->id, NULL) != ERR_OK) return -1;
    buf_init(&h->b, 8u << 20);
    *state = h;
    return 0;
}

static int teardown(void **state)
{
    struct hand *h = *state;
    identity_release(&h->id);
    buf_release(&h->b);
    free(h);
    return 0;
}

/* Heads written out here, without base/cbor: the two must agree on their own. Lengths below 65536. */
static void put_bstr(struct buf *b, struct bytes v)
{
    if (v.n < 24) {
        buf_put_u8(b, (uint8_t)(0x40 | v.n));
    } else if (v.n < 256) {
        buf_put_u8(b, 0x58);
        buf_put_u8(b, (uint8_t)v.n);
    } else {
        buf_put_u8(b, 0x59);
        buf_put_be16(b, (uint16_t)v.n);
    }
    buf_put_bytes(b, v);
}

/* RFC 9052 §4.4. */
static void hand_sig_structure(struct buf *b, struct bytes protected, struct bytes aad, struct bytes payload)
{
    buf_put(b, "\x84\x6aSignature1", 12);
    put_bstr(b, protected);
    put_bstr(b, aad);
    put_bstr(b, payload);
}

/* A COSE_Sign1 with a true signature over whatever protected header is given. */
static void hand_sign(struct buf *out, const struct identity_secret *id, struct bytes protected,
                      const char *unprotected, struct bytes payload)
{
    struct buf tbs;
    uint8_t sig[64];
    buf_init(&tbs, 1 << 20);
    hand_sig_structure(&tbs, protected, bytes_of(NULL, 0), payload);
    assert_int_equal(tbs.err, ERR_OK);
    crypto_sign_detached(sig, NULL, tbs.data, tbs.len, id->keys.p);
    buf_reset(out);
    buf_put(out, "\xd2\x84", 2);
    put_bstr(out, protected);
    uint8_t un[16];
    assert_true(hex_decode(un, strlen(unprotected) / 2, unprotected, strlen(unprotected)));
    buf_put(out, un, strlen(unprotected) / 2);
    put_bstr(out, payload);
    put_bstr(out, bytes_of(sig, 64));
    assert_int_equal(out->err, ERR_OK);
    buf_release(&tbs);
}

/* {1: -8, 4: kid} with the hex of something before, between and after. `map` is the map head. */
static struct bytes header(uint8_t room[128], const char *map, const char *alg, const char *kid_head,
                           const uint8_t *kid, size_t kid_n, const char *extra)
{
    const char *parts[] = {map, alg, kid_head};
    size_t n = 0;
    for (int i = 0; i < 3; i++) {
        size_t bytes = strlen(parts[i]) / 2;
        assert_true(hex_decode(room + n, bytes, parts[i], 2 * bytes));
        n += bytes;
    }
    memcpy(room + n, kid, kid_n);
    n += kid_n;
    size_t bytes = strlen(extra) / 2;
    assert_true(hex_decode(room + n, bytes, extra, 2 * bytes));
    return bytes_of(room, n + bytes);
}

/* cose-wg/Examples eddsa-examples/eddsa-sig-01: the key is that of RFC 8032 §7.1 TEST 1. */
static void cose_sig_structure_of_this_test_is_that_of_strangers(void **state)
{
    (void)state;
    uint8_t pk[32], sig[64];
    struct buf tbs;
    assert_true(hex_decode(pk, 32, "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", 64));
    assert_true(hex_decode(sig, 64,
                           "7142fd2ff96d56db85bee905a76ba1d0b7321a95c8c4d3607c5781932b7afb87"
                           "11497dfa751bf40b58b3bcc32300b1487f3db34085eef013bf08f4a44d6fef0d",
                           128));
    buf_init(&tbs, 200);
    hand_sig_structure(&tbs, bytes_of("\xa2\x01\x27\x03\x00", 5), bytes_of(NULL, 0),
                       bytes_of_str("This is the content."));
    assert_int_equal(crypto_sign_verify_detached(sig, tbs.data, tbs.len, pk), 0);
    buf_release(&tbs);
}

/* The same vector is no message of our profile: its kid stands where nobody signed it. */
static void cose_refuses_the_strangers_unprotected_kid(void **state)
{
    struct hand *h = *state;
    struct cose_parts parts;
    static const char hex[] = "d28445a201270300a10442313154546869732069732074686520636f6e74656e742e5840"
                              "7142fd2ff96d56db85bee905a76ba1d0b7321a95c8c4d3607c5781932b7afb87"
                              "11497dfa751bf40b58b3bcc32300b1487f3db34085eef013bf08f4a44d6fef0d";
    uint8_t in[(sizeof hex - 1) / 2];
    assert_true(hex_decode(in, sizeof in, hex, sizeof hex - 1));
    assert_int_equal(cose_parse(bytes_of(in, sizeof in), &parts, NULL), ERR_FORMAT);
    assert_int_equal(cose_verify(bytes_of(in, sizeof in), &h->id.pub, bytes_of(NULL, 0), &parts, NULL), ERR_FORMAT);
}

static void cose_sign_gives_the_bytes_of_the_format(void **state)
{
    struct hand *h = *state;
    struct buf got;
    uint8_t room[128];
    static const uint8_t extra[] = {0x05, 0x61, 'x', 0x18, 0x64, 0xf6}; /* {…, 5: "x", 100: null} */
    char payload[1000];
    memset(payload, 'p', sizeof payload);
    struct bytes p = bytes_of(payload, sizeof payload);
    buf_init(&got, 4096);
    assert_int_equal(cose_sign(&h->id, 2, bytes_of(extra, sizeof extra), bytes_of(NULL, 0), p, &got, NULL), ERR_OK);
    hand_sign(&h->b, &h->id, header(room, "a4", "0127", "0450", h->id.pub.kid, KID_BYTES, "0561781864f6"), "a0", p);
    assert_true(bytes_equal(buf_bytes(&got), buf_bytes(&h->b))); /* Ed25519 is deterministic */
    struct cose_parts parts;
    assert_int_equal(cose_verify(buf_bytes(&h->b), &h->id.pub, bytes_of(NULL, 0), &parts, NULL), ERR_OK);
    assert_memory_equal(parts.kid, h->id.pub.kid, KID_BYTES);
    assert_int_equal(parts.n_extra, 2);
    assert_true(bytes_equal(parts.extra, bytes_of(extra, sizeof extra)));
    assert_true(bytes_equal(parts.payload, p));
    buf_release(&got);
}

static void cose_parse_tells_who_claims_to_have_signed(void **state)
{
    struct hand *h = *state;
    struct cose_parts parts;
    buf_reset(&h->b);
    buf_put_str(&h->b, "before");
    assert_int_equal(cose_sign(&h->id, 0, bytes_of(NULL, 0), bytes_of(NULL, 0), bytes_of(NULL, 0), &h->b, NULL),
                     ERR_OK);
    assert_memory_equal(h->b.data, "before", 6); /* appends */
    struct bytes in = bytes_of(h->b.data + 6, h->b.len - 6);
    h->b.data[h->b.len - 1] ^= 1; /* parsing does not look at the signature */
    assert_int_equal(cose_parse(in, &parts, NULL), ERR_OK);
    assert_memory_equal(parts.kid, h->id.pub.kid, KID_BYTES);
    assert_int_equal(parts.n_extra, 0);
    assert_int_equal(parts.extra.n, 0);
    assert_int_equal(parts.payload.n, 0);
    assert_int_equal(cose_verify(in, &h->id.pub, bytes_of(NULL, 0), &parts, NULL), ERR_TAMPERED);
}

static void cose_binds_external_data(void **state)
{
    struct hand *h = *state;
    struct cose_parts parts;
    struct bytes aad = bytes_of_str("context");
    buf_reset(&h->b);
    assert_int_equal(cose_sign(&h->id, 0, bytes_of(NULL, 0), aad, bytes_of_str("p"), &h->b, NULL), ERR_OK);
    assert_int_equal(cose_verify(buf_bytes(&h->b), &h->id.pub, aad, &parts, NULL), ERR_OK);
    assert_int_equal(cose_verify(buf_bytes(&h->b), &h->id.pub, bytes_of_str("other"), &parts, NULL), ERR_TAMPERED);
    assert_int_equal(cose_verify(buf_bytes(&h->b), &h->id.pub, bytes_of(NULL, 0), &parts, NULL), ERR_TAMPERED);
}

static void cose_refuses_every_changed_bit_and_every_cut(void **state)
{
    struct hand *h = *state;
    struct cose_parts parts, before;
    memset(&parts, 0x33, sizeof parts);
    before = parts;
    buf_reset(&h->b);
    assert_int_equal(
        cose_sign(&h->id, 1, bytes_of("\x05\x06", 2), bytes_of(NULL, 0), bytes_of_str("payload"), &h->b, NULL), ERR_OK);
    for (size_t i = 0; i < h->b.len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            h->b.data[i] ^= (uint8_t)(1u << bit);
            enum err e = cose_verify(buf_bytes(&h->b), &h->id.pub, bytes_of(NULL, 0), &parts, NULL);
            assert_true(e == ERR_TAMPERED || e == ERR_FORMAT);
            h->b.data[i] ^= (uint8_t)(1u << bit);
        }
    }
    for (size_t n = 0; n < h->b.len; n++) {
        uint8_t *exact = malloc(n == 0 ? 1 : n);
        assert_non_null(exact);
        memcpy(exact, h->b.data, n);
        assert_int_equal(cose_verify(bytes_of(exact, n), &h->id.pub, bytes_of(NULL, 0), &parts, NULL), ERR_FORMAT);
        free(exact);
    }
    assert_memory_equal(&parts, &before, sizeof parts); /* outputs change only on success */
    buf_put_u8(&h->b, 0);
    assert_int_equal(cose_verify(buf_bytes(&h->b), &h->id.pub, bytes_of(NULL, 0), &parts, NULL), ERR_FORMAT);
}

static void cose_rejects_swapped_signature_payload_and_signer(void **state)
{
    struct hand *h = *state;
    struct identity_secret other;
    struct cose_parts parts;
    struct buf second;
    buf_init(&second, 4096);
    assert_int_equal(identity_generate(&other, NULL), ERR_OK);
    buf_reset(&h->b);
    assert_int_equal(cose_sign(&h->id, 0, bytes_of(NULL, 0), bytes_of(NULL, 0), bytes_of_str("one"), &h->b, NULL),
                     ERR_OK);
    assert_int_equal(cose_sign(&h->id, 0, bytes_of(NULL, 0), bytes_of(NULL, 0), bytes_of_str("two"), &second, NULL),
                     ERR_OK);
    assert_int_equal(h->b.len, second.len);
    memcpy(second.data + second.len - 64, h->b.data + h->b.len - 64, 64);
    assert_int_equal(cose_verify(buf_bytes(&second), &h->id.pub, bytes_of(NULL, 0), &parts, NULL), ERR_TAMPERED);
    assert_int_equal(cose_verify(buf_bytes(&h->b), &other.pub, bytes_of(NULL, 0), &parts, NULL), ERR_TAMPERED);
    /* the right key under a wrong name: the kid must match too */
    struct identity renamed = h->id.pub;
    renamed.kid[0] ^= 1;
    assert_int_equal(cose_verify(buf_bytes(&h->b), &renamed, bytes_of(NULL, 0), &parts, NULL), ERR_TAMPERED);
    /* another's kid with our true signature */
    uint8_t room[128];
    hand_sign(&h->b, &h->id, header(room, "a2", "0127", "0450", other.pub.kid, KID_BYTES, ""), "a0", bytes_of_str("p"));
    assert_int_equal(cose_verify(buf_bytes(&h->b), &h->id.pub, bytes_of(NULL, 0), &parts, NULL), ERR_TAMPERED);
    assert_int_equal(cose_verify(buf_bytes(&h->b), &other.pub, bytes_of(NULL, 0), &parts, NULL), ERR_TAMPERED);
    buf_release(&second);
    identity_release(&other);
}

/* Each of these carries a signature that is true for its bytes: only the profile refuses it. */
static void cose_refuses_other_profiles_though_truly_signed(void **state)
{
    struct hand *h = *state;
    static const struct {
        const char *map, *alg, *kid_head, *extra, *unprotected;
        enum err want;
    } cases[] = {
        {"a2", "0127", "0450", "", "a0", ERR_OK},
        {"a2", "0126", "0450", "", "a0", ERR_TAMPERED},           /* ES256 */
        {"a2", "0107", "0450", "", "a0", ERR_TAMPERED},           /* 7 instead of -8 */
        {"a2", "016545644453", "0450", "", "a0", ERR_FORMAT},     /* text that ends too early */
        {"a2", "01654564445341", "0450", "", "a0", ERR_TAMPERED}, /* alg "EdDSA" in words */
        {"a2", "0127", "0450", "", "a10102", ERR_FORMAT},         /* something in the unprotected header */
        {"a2", "0127", "0450", "", "f6", ERR_FORMAT},             /* no map there */
        {"a3", "0127", "0450", "0506", "a0", ERR_OK},
        {"a3", "0127", "0450", "0406", "a0", ERR_FORMAT},     /* kid twice */
        {"a3", "0127", "0450", "0306", "a0", ERR_FORMAT},     /* keys out of order */
        {"a4", "0127", "0450", "05060506", "a0", ERR_FORMAT}, /* an extra key twice */
        {"a2", "0127", "0450", "0506", "a0", ERR_FORMAT},     /* bytes behind the map */
        {"a3", "0127", "0450", "", "a0", ERR_FORMAT},         /* a pair missing */
        {"a2", "0127", "045810", "", "a0", ERR_FORMAT},       /* kid's length not in its shortest form */
        {"a3", "0127", "03000450", "", "a0", ERR_FORMAT},     /* content type: not in our profile */
        {"a3", "0127", "0281050450", "", "a0", ERR_FORMAT},   /* crit: we understand none */
        {"b802", "0127", "0450", "", "a0", ERR_FORMAT},
        {"a1", "", "0450", "", "a0", ERR_FORMAT}, /* no algorithm */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t room[128];
        struct cose_parts parts;
        struct bytes p =
            header(room, cases[i].map, cases[i].alg, cases[i].kid_head, h->id.pub.kid, KID_BYTES, cases[i].extra);
        hand_sign(&h->b, &h->id, p, cases[i].unprotected, bytes_of_str("payload"));
        enum err got = cose_verify(buf_bytes(&h->b), &h->id.pub, bytes_of(NULL, 0), &parts, NULL);
        if (got != cases[i].want) fail_msg("case %zu: %s instead of %s", i, err_word(got), err_word(cases[i].want));
        got = cose_parse(buf_bytes(&h->b), &parts, NULL);
        assert_int_equal(got, cases[i].want == ERR_OK ? ERR_OK : ERR_FORMAT);
    }
    struct cose_parts parts;
    uint8_t room[128];
    hand_sign(&h->b, &h->id, header(room, "a2", "0127", "044f", h->id.pub.kid, 15, ""), "a0", bytes_of_str("p"));
    assert_int_equal(cose_parse(buf_bytes(&h->b), &parts, NULL), ERR_FORMAT); /* a kid of 15 bytes */
    hand_sign(&h->b, &h->id, bytes_of(NULL, 0), "a0", bytes_of_str("p"));
    assert_int_equal(cose_parse(buf_bytes(&h->b), &parts, NULL), ERR_FORMAT); /* empty header */
}

static void cose_refuses_a_missing_or_wrong_tag_and_shape(void **state)
{
    struct hand *h = *state;
    struct cose_parts parts;
    uint8_t room[128];
    hand_sign(&h->b, &h->id, header(room, "a2", "0127", "0450", h->id.pub.kid, KID_BYTES, ""), "a0", bytes_of_str("p"));
    assert_int_equal(cose_verify(bytes_of(h->b.data + 1, h->b.len - 1), &h->id.pub, bytes_of(NULL, 0), &parts, NULL),
                     ERR_FORMAT); /* untagged */
    h->b.data[0] = 0xd1;          /* COSE_Mac0's tag 17 */
    assert_int_equal(cose_verify(buf_bytes(&h->b), &h->id.pub, bytes_of(NULL, 0), &parts, NULL), ERR_FORMAT);
    h->b.data[0] = 0xd2;
    h->b.data[1] = 0x85;
    assert_int_equal(cose_verify(buf_bytes(&h->b), &h->id.pub, bytes_of(NULL, 0), &parts, NULL), ERR_FORMAT);
    h->b.data[1] = 0x84;
    assert_int_equal(cose_verify(buf_bytes(&h->b), &h->id.pub, bytes_of(NULL, 0), &parts, NULL), ERR_OK);
    assert_int_equal(cose_verify(bytes_of(NULL, 0), &h->id.pub, bytes_of(NULL, 0), &parts, NULL), ERR_FORMAT);
    h->b.data[h->b.len - 65] = 63; /* a signature of 63 bytes, then one of 65 */
    assert_int_equal(cose_verify(bytes_of(h->b.data, h->b.len - 1), &h->id.pub, bytes_of(NULL, 0), &parts, NULL),
                     ERR_FORMAT);
    h->b.data[h->b.len - 65] = 65;
    buf_put_u8(&h->b, 0);
    assert_int_equal(cose_verify(buf_bytes(&h->b), &h->id.pub, bytes_of(NULL, 0), &parts, NULL), ERR_FORMAT);
}

/* A COSE_Sign1 around a payload of more than 65535 bytes, which put_bstr cannot do. */
static void hand_sign_large(struct hand *h, struct bytes payload)
{
    struct buf tbs;
    uint8_t room[128], sig[64];
    struct bytes p = header(room, "a2", "0127", "0450", h->id.pub.kid, KID_BYTES, "");
    buf_init(&tbs, 8u << 20);
    buf_put(&tbs, "\x84\x6aSignature1", 12);
    put_bstr(&tbs, p);
    put_bstr(&tbs, bytes_of(NULL, 0));
    cbor_put_bytes(&tbs, payload);
    assert_int_equal(tbs.err, ERR_OK);
    crypto_sign_detached(sig, NULL, tbs.data, tbs.len, h->id.keys.p);
    buf_put(&h->b, "\xd2\x84", 2);
    put_bstr(&h->b, p);
    buf_put_u8(&h->b, 0xa0);
    cbor_put_bytes(&h->b, payload);
    put_bstr(&h->b, bytes_of(sig, 64));
    assert_int_equal(h->b.err, ERR_OK);
    buf_release(&tbs);
}

static void cose_has_a_ceiling_on_both_sides(void **state)
{
    struct hand *h = *state;
    struct cose_parts parts;
    uint8_t *big = calloc(1, COSE_MAX);
    assert_non_null(big);
    buf_reset(&h->b);
    assert_int_equal(cose_sign(&h->id, 0, bytes_of(NULL, 0), bytes_of(NULL, 0), bytes_of(big, COSE_MAX), &h->b, NULL),
                     ERR_LIMIT);
    assert_int_equal(h->b.len, 0);
    assert_int_equal(
        cose_sign(&h->id, 0, bytes_of(NULL, 0), bytes_of(NULL, 0), bytes_of(big, COSE_MAX - 200), &h->b, NULL), ERR_OK);
    assert_true(h->b.len <= COSE_MAX);
    assert_int_equal(cose_verify(buf_bytes(&h->b), &h->id.pub, bytes_of(NULL, 0), &parts, NULL), ERR_OK);
    buf_reset(&h->b); /* the same, truly signed, one byte beyond the ceiling */
    hand_sign_large(h, bytes_of(big, COSE_MAX));
    assert_int_equal(cose_parse(buf_bytes(&h->b), &parts, NULL), ERR_FORMAT);
    struct buf small;
    buf_init(&small, 50);
    buf_put_u8(&small, 7);
    assert_int_equal(cose_sign(&h->id, 0, bytes_of(NULL, 0), bytes_of(NULL, 0), bytes_of_str("p"), &small, NULL),
                     ERR_LIMIT);
    assert_int_equal(small.len, 1); /* nothing half written */
    buf_release(&small);
    free(big);
}

static void cose_sign_refuses_an_extra_that_nobody_could_verify(void **state)
{
    struct hand *h = *state;
    buf_reset(&h->b);
    static const struct {
        size_t n;
        const char *bytes;
        size_t len;
    } cases[] = {
        {1, "\x03\x06", 2}, {2, "\x05\x06", 2}, {0, "\x05\x06", 2}, {2, "\x06\x01\x05\x01", 4}, {1, "\x05\xff", 2}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum err e = cose_sign(&h->id, cases[i].n, bytes_of(cases[i].bytes, cases[i].len), bytes_of(NULL, 0),
                               bytes_of_str("p"), &h->b, NULL);
        assert_int_equal(e, ERR_FORMAT);
    }
    assert_int_equal(h->b.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cose_sig_structure_of_this_test_is_that_of_strangers),
        cmocka_unit_test(cose_refuses_the_strangers_unprotected_kid),
        cmocka_unit_test(cose_sign_gives_the_bytes_of_the_format),
        cmocka_unit_test(cose_parse_tells_who_claims_to_have_signed),
        cmocka_unit_test(cose_binds_external_data),
        cmocka_unit_test(cose_refuses_every_changed_bit_and_every_cut),
        cmocka_unit_test(cose_rejects_swapped_signature_payload_and_signer),
        cmocka_unit_test(cose_refuses_other_profiles_though_truly_signed),
        cmocka_unit_test(cose_refuses_a_missing_or_wrong_tag_and_shape),
        cmocka_unit_test(cose_has_a_ceiling_on_both_sides),
        cmocka_unit_test(cose_sign_refuses_an_extra_that_nobody_could_verify),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
