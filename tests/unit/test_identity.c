/* crypto/identity.h and crypto/hash.h */
#include "crypto/hash.h"
#include "crypto/identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_hex(const uint8_t *v, size_t n, const char *want)
{
    char text[129];
    assert_true(n <= 64);
    hex_encode(text, v, n);
    assert_string_equal(text, want);
}

static void hash_gives_the_published_answers(void **state)
{
    (void)state;
    uint8_t h[HASH_BYTES];
    hash_blake2b(h, bytes_of(NULL, 0));
    assert_hex(h, 32, "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
    hash_blake2b(h, bytes_of_str("abc"));
    assert_hex(h, 32, "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
    uint8_t up[16]; /* SipHash's paper, appendix A, and its authors' first vector */
    for (size_t i = 0; i < sizeof up; i++) up[i] = (uint8_t)i;
    assert_true(hash_keyed8(up, bytes_of(up, 15)) == 0xa129ca6149be45e5u);
    assert_true(hash_keyed8(up, bytes_of(NULL, 0)) == 0x726fdb47dd0e0e31u);
    hash_sha256(h, bytes_of_str("abc")); /* FIPS 180-4 */
    assert_hex(h, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void hash_label_and_commitment_are_what_the_format_says(void **state)
{
    (void)state;
    uint8_t want[HASH_BYTES], got[HASH_BYTES], salt[32];
    hash_blake2b(want, bytes_of("a/1\0xyz", 7));
    hash_labelled(got, "a/1", bytes_of_str("xyz"));
    assert_memory_equal(got, want, 32);
    struct buf b;
    buf_init(&b, 100);
    memset(salt, 0x5a, sizeof salt);
    buf_put(&b, "spoke/commit/1", 15);
    buf_put(&b, salt, 32);
    buf_put_str(&b, "content");
    hash_sha256(want, buf_bytes(&b));
    hash_commit(got, salt, bytes_of_str("content"));
    assert_memory_equal(got, want, 32);
    buf_release(&b);
}

static void identity_kid_is_half_of_the_fingerprint(void **state)
{
    (void)state;
    struct identity_secret id;
    uint8_t public[PUBLIC_BYTES], whole[32], want[32];
    assert_int_equal(identity_generate(&id, NULL), ERR_OK);
    identity_to_bytes(&id.pub, public);
    assert_memory_equal(public, id.pub.sign_pk, 32);
    assert_memory_equal(public + 32, id.pub.box_pk, 32);
    hash_labelled(want, "spoke/identity/1", bytes_of(public, sizeof public));
    identity_fingerprint(&id.pub, whole);
    assert_memory_equal(whole, want, 32);
    assert_memory_equal(id.pub.kid, want, KID_BYTES);
    identity_release(&id);
    assert_null(id.keys.p);
    identity_release(&id);
    identity_release(NULL);
}

static void identity_two_are_never_the_same(void **state)
{
    (void)state;
    struct identity_secret a, b;
    assert_int_equal(identity_generate(&a, NULL), ERR_OK);
    assert_int_equal(identity_generate(&b, NULL), ERR_OK);
    assert_memory_not_equal(a.pub.kid, b.pub.kid, KID_BYTES);
    assert_memory_not_equal(a.keys.p, b.keys.p, 64);
    assert_memory_not_equal(a.keys.p + 64, b.keys.p + 64, 32);
    identity_release(&a);
    identity_release(&b);
}

static void identity_both_halves_survive_storage(void **state)
{
    (void)state;
    struct identity_secret id, back;
    struct identity public;
    uint8_t p[PUBLIC_BYTES], s[96];
    assert_int_equal(identity_generate(&id, NULL), ERR_OK);
    identity_to_bytes(&id.pub, p);
    assert_int_equal(identity_from_bytes(&public, bytes_of(p, sizeof p), NULL), ERR_OK);
    assert_memory_equal(&public, &id.pub, sizeof public);
    identity_secret_to_bytes(&id, s);
    assert_int_equal(identity_secret_from_bytes(&back, bytes_of(s, sizeof s), NULL), ERR_OK);
    assert_memory_equal(&back.pub, &id.pub, sizeof public);
    assert_memory_equal(back.keys.p, id.keys.p, 96);
    identity_release(&id);
    identity_release(&back);
}

static void identity_refuses_unsound_public_keys(void **state)
{
    (void)state;
    static const char *const low_sign[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "0200000000000000000000000000000000000000000000000000000000000000"}; /* no point at all */
    static const char *const low_box[] = {/* RFC 7748 §6.1, and the list at cr.yp.to/ecdh.html */
                                          "0000000000000000000000000000000000000000000000000000000000000000",
                                          "0100000000000000000000000000000000000000000000000000000000000000",
                                          "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
                                          "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
                                          "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                                          "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                                          "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"};
    struct identity_secret id;
    struct identity out, before;
    uint8_t p[PUBLIC_BYTES], bad[PUBLIC_BYTES];
    assert_int_equal(identity_generate(&id, NULL), ERR_OK);
    identity_to_bytes(&id.pub, p);
    memset(&out, 0x11, sizeof out);
    before = out;
    for (size_t i = 0; i < sizeof low_sign / sizeof low_sign[0]; i++) {
        memcpy(bad, p, sizeof bad);
        assert_true(hex_decode(bad, 32, low_sign[i], 64));
        assert_int_equal(identity_from_bytes(&out, bytes_of(bad, sizeof bad), NULL), ERR_FORMAT);
    }
    for (size_t i = 0; i < sizeof low_box / sizeof low_box[0]; i++) {
        memcpy(bad, p, sizeof bad);
        assert_true(hex_decode(bad + 32, 32, low_box[i], 64));
        assert_int_equal(identity_from_bytes(&out, bytes_of(bad, sizeof bad), NULL), ERR_FORMAT);
    }
    memcpy(bad, p, sizeof bad);
    bad[63] |= 0x80; /* the same key to X25519, another kid to us */
    assert_int_equal(identity_from_bytes(&out, bytes_of(bad, sizeof bad), NULL), ERR_FORMAT);
    for (size_t n = 0; n < PUBLIC_BYTES; n++)
        assert_int_equal(identity_from_bytes(&out, bytes_of(p, n), NULL), ERR_FORMAT);
    assert_memory_equal(&out, &before, sizeof out);
    identity_release(&id);
}

static void identity_refuses_damaged_secrets(void **state)
{
    (void)state;
    struct identity_secret id, back = {0};
    uint8_t s[97] = {0};
    assert_int_equal(identity_generate(&id, NULL), ERR_OK);
    identity_secret_to_bytes(&id, s);
    assert_int_equal(identity_secret_from_bytes(&back, bytes_of(s, 95), NULL), ERR_FORMAT);
    assert_int_equal(identity_secret_from_bytes(&back, bytes_of(s, 97), NULL), ERR_FORMAT);
    for (size_t i = 0; i < 64; i++) { /* seed or public half: they no longer belong together */
        s[i] ^= 1;
        assert_int_equal(identity_secret_from_bytes(&back, bytes_of(s, 96), NULL), ERR_FORMAT);
        s[i] ^= 1;
    }
    assert_null(back.keys.p);
    identity_release(&id);
}

static void identity_is_spoken_in_eight_groups(void **state)
{
    (void)state;
    uint8_t kid[KID_BYTES];
    char text[40];
    for (uint8_t i = 0; i < KID_BYTES; i++) kid[i] = (uint8_t)(i * 17);
    identity_spoken(kid, text, sizeof text);
    assert_string_equal(text, "0011 2233 4455 6677 8899 aabb ccdd eeff");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash_gives_the_published_answers),
        cmocka_unit_test(hash_label_and_commitment_are_what_the_format_says),
        cmocka_unit_test(identity_kid_is_half_of_the_fingerprint),
        cmocka_unit_test(identity_two_are_never_the_same),
        cmocka_unit_test(identity_both_halves_survive_storage),
        cmocka_unit_test(identity_refuses_unsound_public_keys),
        cmocka_unit_test(identity_refuses_damaged_secrets),
        cmocka_unit_test(identity_is_spoken_in_eight_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
