/* crypto/note.h. The example that others publish, and what another program signed: tests/vectors/note.txt. */
#include "crypto/note.h"
#include "tests/lib/vector.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEXT_MAX 4096u

struct desk {
    struct identity_secret peter;                         /* the published example's key */
    struct note_key key, enoch;                           /* public, of Peter and Enoch */
    char text[TEXT_MAX], line[TEXT_MAX], other[TEXT_MAX]; /* what they signed, and the lines of the two */
    struct buf b;                                         /* scratch */
};

static void read_text(const char *name, char out[TEXT_MAX])
{
    out[vector_read("note.txt", name, (uint8_t *)out, TEXT_MAX - 1)] = '\0';
}

/* An identity that signs with this seed. */
static void identity_of(struct identity_secret *out, const char *vector)
{
    uint8_t secret[96], seed[32], pk[32];
    memset(secret, 0xa5, sizeof secret);
    (void)vector_read("note.txt", vector, seed, sizeof seed);
    assert_int_equal(crypto_sign_seed_keypair(pk, secret, seed), 0);
    assert_int_equal(identity_secret_from_bytes(out, bytes_of(secret, sizeof secret), NULL), ERR_OK);
}

static int setup(void **state)
{
    struct desk *d = calloc(1, sizeof *d);
    char key[TEXT_MAX];
    if (d == NULL || secret_start(NULL) != ERR_OK) return -1;
    identity_of(&d->peter, "peter_seed");
    read_text("peter_key", key);
    if (note_key_parse(&d->key, bytes_of_str(key), NULL) != ERR_OK) return -1;
    read_text("enoch_key", key);
    if (note_key_parse(&d->enoch, bytes_of_str(key), NULL) != ERR_OK) return -1;
    read_text("text", d->text);
    read_text("peter_line", d->line);
    read_text("enoch_line", d->other);
    buf_init(&d->b, 4u << 20);
    *state = d;
    return 0;
}

static int teardown(void **state)
{
    struct desk *d = *state;
    identity_release(&d->peter);
    buf_release(&d->b);
    free(d);
    return 0;
}

/* The note of these parts, in d->b. */
static struct bytes note_of(struct desk *d, const char *text, const char *a, const char *b)
{
    buf_reset(&d->b);
    buf_put_str(&d->b, text);
    buf_put_str(&d->b, "\n");
    buf_put_str(&d->b, a);
    buf_put_str(&d->b, b);
    assert_int_equal(d->b.err, ERR_OK);
    return buf_bytes(&d->b);
}

static enum err verify(struct desk *d, struct bytes in, const struct note_key *by)
{
    static const uint8_t mark;
    struct bytes text = bytes_of(&mark, 1);
    (void)d;
    enum err e = note_verify(in, by, &text, NULL);
    if (e != ERR_OK) {
        assert_ptr_equal(text.p, &mark); /* set only on success */
    } else {
        assert_true(text.p == in.p && text.n > 0 && text.p[text.n - 1] == '\n');
    }
    return e;
}

/* ---- keys ---- */
static void keys_are_told_as_others_tell_them(void **state)
{
    struct desk *d = *state;
    static const char *const names[] = {"peter_key", "enoch_key", "some_key", "most_key", "none_key"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct note_key key, made;
        char text[TEXT_MAX];
        read_text(names[i], text);
        assert_int_equal(note_key_parse(&key, bytes_of_str(text), NULL), ERR_OK);
        assert_int_equal(note_key_make(&made, bytes_of_str(key.name), key.pk, NULL), ERR_OK);
        assert_memory_equal(&key, &made, sizeof key);
        buf_reset(&d->b);
        note_key_put(&key, &d->b);
        assert_string_equal(buf_cstr(&d->b), text);
    }
    assert_memory_equal(d->key.pk, d->peter.pub.sign_pk, 32);
}

static void a_key_of_which_a_part_is_missing_or_changed_is_refused(void **state)
{
    char text[TEXT_MAX], bad[TEXT_MAX];
    struct note_key key;
    (void)state;
    read_text("peter_key", text);
    size_t n = strlen(text);
    for (size_t i = 0; i <= n; i++) {
        for (size_t k = i; k <= n; k++) {
            if (k - i == n) continue;
            assert_int_equal(note_key_parse(&key, bytes_of(text + i, k - i), NULL), ERR_FORMAT);
        }
    }
    for (size_t bit = 0; bit < 8 * n; bit++) {
        memcpy(bad, text, n);
        bad[bit / 8] = (char)(bad[bit / 8] ^ (1 << bit % 8));
        assert_int_equal(note_key_parse(&key, bytes_of(bad, n), NULL), ERR_FORMAT);
    }
}

static void other_kinds_of_keys_and_other_spellings_are_refused(void **state)
{
    static const char *const bad[] = {
        /* another length, and another kind, each with the id that would be theirs (Go's own tests) */
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW\n",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq_LDE4izWy10TW",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW+",
        "PeterNeumann+0c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "++",
        "",
    };
    struct note_key key;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(note_key_parse(&key, bytes_of_str(bad[i]), NULL), ERR_FORMAT);
}

static void a_key_that_is_no_sound_point_is_refused(void **state)
{
    uint8_t pk[32] = {1}; /* the neutral element: everybody's signature would hold */
    struct note_key key;
    (void)state;
    assert_int_equal(note_key_make(&key, bytes_of_str("a"), pk, NULL), ERR_FORMAT);
    memset(pk, 0xff, sizeof pk);
    assert_int_equal(note_key_make(&key, bytes_of_str("a"), pk, NULL), ERR_FORMAT);
}

static void names_have_no_white_space_plus_or_control_characters(void **state)
{
    struct desk *d = *state;
    static const char *const bad[] = {"",
                                      "a b",
                                      " a",
                                      "a+b",
                                      "a\nb",
                                      "a\tb",
                                      "a\rb",
                                      "a\x01",
                                      "\xff",
                                      "a\xc2\xa0",
                                      "a\xc2\x85",
                                      "\xe1\x9a\x80",
                                      "a\xe2\x80\x80z",
                                      "\xe2\x80\x8a",
                                      "\xe2\x80\xa8",
                                      "\xe2\x80\xa9",
                                      "\xe2\x80\xaf",
                                      "\xe2\x81\x9f",
                                      "\xe3\x80\x80",
                                      "\xed\xa0\x80",
                                      "a\xc3"};
    static const char *const good[] = {"a", "spoke.example/hub", "\xc3\xa9\xe4\xb8\xad", "\xe2\x80\x8b", "\x7f"};
    char longest[NOTE_NAME_MAX + 2];
    struct note_key key;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(note_key_make(&key, bytes_of_str(bad[i]), d->key.pk, NULL), ERR_FORMAT);
        buf_reset(&d->b);
        assert_int_equal(note_sign(&d->peter, bytes_of_str(bad[i]), bytes_of_str("a\n"), &d->b, NULL), ERR_FORMAT);
        assert_int_equal(d->b.len, 0);
    }
    assert_int_equal(note_key_make(&key, bytes_of("a\0b", 3), d->key.pk, NULL), ERR_FORMAT);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(note_key_make(&key, bytes_of_str(good[i]), d->key.pk, NULL), ERR_OK);
    memset(longest, 'a', sizeof longest);
    assert_int_equal(note_key_make(&key, bytes_of(longest, NOTE_NAME_MAX), d->key.pk, NULL), ERR_OK);
    assert_int_equal(note_key_make(&key, bytes_of(longest, NOTE_NAME_MAX + 1), d->key.pk, NULL), ERR_FORMAT);
}

/* ---- signing and verifying ---- */
static void we_sign_what_others_sign(void **state)
{
    struct desk *d = *state;
    char want[TEXT_MAX];
    struct bytes note = note_of(d, d->text, d->line, "");
    memcpy(want, note.p, note.n);
    want[note.n] = '\0';
    buf_reset(&d->b);
    buf_put_str(&d->b, "in front: ");
    assert_int_equal(note_sign(&d->peter, bytes_of_str("PeterNeumann"), bytes_of_str(d->text), &d->b, NULL), ERR_OK);
    assert_string_equal(buf_cstr(&d->b) + 10, want);
}

static void the_published_note_is_good_under_either_key(void **state)
{
    struct desk *d = *state;
    struct bytes text = {0}, note = note_of(d, d->text, d->line, d->other);
    assert_int_equal(note_verify(note, &d->key, &text, NULL), ERR_OK);
    assert_true(bytes_equal(text, bytes_of_str(d->text)));
    assert_int_equal(note_verify(note, &d->enoch, &text, NULL), ERR_OK);
    assert_true(bytes_equal(text, bytes_of_str(d->text)));
    assert_int_equal(verify(d, note_of(d, d->text, d->other, ""), &d->key), ERR_TAMPERED);
    assert_int_equal(verify(d, note_of(d, d->text, d->line, ""), &d->enoch), ERR_TAMPERED);
}

static void no_bit_of_a_signed_text_can_be_flipped(void **state)
{
    struct desk *d = *state;
    uint8_t in[TEXT_MAX];
    struct bytes note = note_of(d, d->text, d->line, "");
    memcpy(in, note.p, note.n);
    for (size_t bit = 0; bit < 8 * note.n; bit++) {
        in[bit / 8] ^= (uint8_t)(1u << bit % 8);
        enum err e = verify(d, bytes_of(in, note.n), &d->key);
        assert_true(e == ERR_TAMPERED || e == ERR_FORMAT);
        in[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t n = 0; n < note.n; n++) assert_int_equal(verify(d, bytes_of(in, n), &d->key), ERR_FORMAT);
    assert_int_equal(verify(d, bytes_of(in, note.n), &d->key), ERR_OK);
}

/* Somebody else's line may be of any kind and length; in its form it must be a signature. */
static void signatures_by_others_are_ignored_but_for_their_form(void **state)
{
    struct desk *d = *state;
    static const char *const fine[] = {"\xe2\x80\x94 a AAAAAAA=\n",            /* id and one byte */
                                       "\xe2\x80\x94 PeterNeumann AAAAAAA=\n", /* his name, and another key */
                                       "\xe2\x80\x94 \xc3\xa9/\xe4\xb8\xad AAAAAAAA\n"};
    static const char *const bad[] = {"\xe2\x80\x94 a AAAAAA==\n", /* an id alone */
                                      "\xe2\x80\x94 a \n",           "\xe2\x80\x94 a\n",
                                      "\xe2\x80\x94  AAAAAAA=\n",    "- a AAAAAAA=\n",
                                      "\xe2\x80\x94 a AAAAAAB=\n", /* a bit that means nothing is set */
                                      "\xe2\x80\x94 a AAAAAAA\n",    "\xe2\x80\x94 a AAAAAAA==\n",
                                      "\xe2\x80\x94 a AAAA AAA=\n",  "\xe2\x80\x94 a AAAAAAA= \n",
                                      "\xe2\x80\x94 a+b AAAAAAA=\n", "\xe2\x80\224a AAAAAAA=\n",
                                      "\xe2\x80\x94 a AAAAAA-=\n",   "Unexpected line.\n",
                                      "\xe2\x80\x94 a AAAAAAA="};
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++) {
        assert_int_equal(verify(d, note_of(d, d->text, fine[i], d->line), &d->key), ERR_OK);
        assert_int_equal(verify(d, note_of(d, d->text, d->line, fine[i]), &d->key), ERR_OK);
        assert_int_equal(verify(d, note_of(d, d->text, fine[i], ""), &d->key), ERR_TAMPERED);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(verify(d, note_of(d, d->text, d->line, bad[i]), &d->key), ERR_FORMAT);
}

/* As post-quantum ones are: nearly 5 kB. Every length up to that, so that the pieces it is read in meet every edge. */
static void long_signatures_by_others_are_ignored(void **state)
{
    struct desk *d = *state;
    static uint8_t sig[5000];
    static char line[7000], base64[sodium_base64_ENCODED_LEN(5000, sodium_base64_VARIANT_ORIGINAL)];
    memset(sig, 0x5a, sizeof sig);
    for (size_t n = 5; n <= sizeof sig; n += n < 1600 ? 1 : 113) {
        (void)sodium_bin2base64(base64, sizeof base64, sig, n, sodium_base64_VARIANT_ORIGINAL);
        (void)snprintf(line, sizeof line, "\xe2\x80\x94 pq %s\n", base64);
        assert_int_equal(verify(d, note_of(d, d->text, line, d->line), &d->key), ERR_OK);
    }
    memcpy(line + 7 + 1020, "WlA=", 4); /* padding inside, at the end of a piece */
    assert_int_equal(verify(d, note_of(d, d->text, line, d->line), &d->key), ERR_FORMAT);
}

static void one_bad_signature_by_the_key_condemns_the_note(void **state)
{
    struct desk *d = *state;
    char bad[TEXT_MAX];
    memcpy(bad, d->line, TEXT_MAX);
    bad[40] = bad[40] == 'A' ? 'B' : 'A'; /* within the signature, behind the id */
    assert_int_equal(verify(d, note_of(d, d->text, d->line, bad), &d->key), ERR_TAMPERED);
    assert_int_equal(verify(d, note_of(d, d->text, bad, d->line), &d->key), ERR_TAMPERED);
    assert_int_equal(verify(d, note_of(d, d->text, d->line, d->line), &d->key), ERR_OK); /* the same twice is no lie */
    /* by his name and id, but too short or too long to be one */
    assert_int_equal(verify(d, note_of(d, d->text, d->line, "\xe2\x80\x94 PeterNeumann x08gowA=\n"), &d->key),
                     ERR_TAMPERED);
}

static void a_note_has_64_signatures_at_most(void **state)
{
    struct desk *d = *state;
    for (unsigned n = 15; n <= 65; n += 25) { /* 16, 41, 66 with his own */
        (void)note_of(d, d->text, d->line, "");
        for (unsigned i = 0; i < n; i++) buf_put_str(&d->b, d->other);
        assert_int_equal(verify(d, buf_bytes(&d->b), &d->key), n + 1 <= NOTE_MAX_SIGNATURES ? ERR_OK : ERR_FORMAT);
    }
    (void)note_of(d, d->text, d->line, "");
    for (unsigned i = 1; i < NOTE_MAX_SIGNATURES; i++) buf_put_str(&d->b, d->other);
    assert_int_equal(verify(d, buf_bytes(&d->b), &d->key), ERR_OK);
    buf_put_str(&d->b, d->other);
    assert_int_equal(verify(d, buf_bytes(&d->b), &d->key), ERR_FORMAT);
}

static void a_text_ends_at_the_last_empty_line(void **state)
{
    struct desk *d = *state;
    static const char *const texts[] = {"\n", "\n\n", "a\n\nb\n", "a\n\n\n\nb\n\n", "a\n\n\xe2\x80\x94 a AAAAAAA=\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct bytes text;
        buf_reset(&d->b);
        assert_int_equal(note_sign(&d->peter, bytes_of_str("PeterNeumann"), bytes_of_str(texts[i]), &d->b, NULL),
                         ERR_OK);
        assert_int_equal(note_verify(buf_bytes(&d->b), &d->key, &text, NULL), ERR_OK);
        assert_true(bytes_equal(text, bytes_of_str(texts[i])));
    }
}

/* A signature of the text up to an earlier empty line does not make what follows that line signatures, nor text. */
static void a_text_that_was_made_longer_is_not_believed(void **state)
{
    struct desk *d = *state;
    char longer[2 * TEXT_MAX];
    (void)snprintf(longer, sizeof longer, "%s\n%s", d->text, d->line);
    assert_int_equal(verify(d, note_of(d, longer, d->line, ""), &d->key), ERR_TAMPERED);
    assert_int_equal(verify(d, note_of(d, longer, d->other, ""), &d->key), ERR_TAMPERED);
}

static void texts_that_cannot_be_notes_are_neither_signed_nor_read(void **state)
{
    struct desk *d = *state;
    static const char *const bad[] = {"", "a", "a\n\r\n", "\x01\n", "a\tb\n", "\xff\n", "\xed\xa0\x80\n", "a\nb"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        buf_reset(&d->b);
        assert_int_equal(note_sign(&d->peter, bytes_of_str("PeterNeumann"), bytes_of_str(bad[i]), &d->b, NULL),
                         ERR_FORMAT);
        assert_int_equal(d->b.len, 0);
        if (bad[i][0] == '\0') continue;
        assert_int_equal(verify(d, note_of(d, bad[i], d->line, ""), &d->key), ERR_FORMAT);
    }
    assert_int_equal(verify(d, bytes_of(NULL, 0), &d->key), ERR_FORMAT);
    assert_int_equal(note_sign(&d->peter, bytes_of_str("a"), bytes_of("a\0\n", 3), &d->b, NULL), ERR_FORMAT);
}

static void a_note_is_256_kib_at_most(void **state)
{
    struct desk *d = *state;
    size_t around = 1 + 4 + strlen("PeterNeumann") + 1 + 92 + 1, n = NOTE_MAX - around;
    char *text = malloc(n + 2);
    assert_non_null(text);
    memset(text, 'a', n + 1);
    text[n - 1] = '\n';
    buf_reset(&d->b);
    assert_int_equal(note_sign(&d->peter, bytes_of_str("PeterNeumann"), bytes_of(text, n), &d->b, NULL), ERR_OK);
    assert_int_equal(d->b.len, NOTE_MAX);
    assert_int_equal(verify(d, buf_bytes(&d->b), &d->key), ERR_OK);
    buf_put_str(&d->b, d->line); /* good too, if the note were not too long */
    assert_int_equal(verify(d, buf_bytes(&d->b), &d->key), ERR_FORMAT);
    text[n - 1] = 'a';
    text[n] = '\n';
    buf_reset(&d->b);
    assert_int_equal(note_sign(&d->peter, bytes_of_str("PeterNeumann"), bytes_of(text, n + 1), &d->b, NULL), ERR_LIMIT);
    assert_int_equal(d->b.len, 0);
    free(text);
}

static void a_buffer_that_is_too_small_is_left_as_it_was(void **state)
{
    struct desk *d = *state;
    struct buf small;
    buf_init(&small, 150);
    buf_put_str(&small, "before");
    assert_int_equal(note_sign(&d->peter, bytes_of_str("a"), bytes_of_str(d->text), &small, NULL), ERR_LIMIT);
    assert_true(small.len == 6 && memcmp(small.data, "before", 6) == 0);
    buf_release(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_told_as_others_tell_them),
        cmocka_unit_test(a_key_of_which_a_part_is_missing_or_changed_is_refused),
        cmocka_unit_test(other_kinds_of_keys_and_other_spellings_are_refused),
        cmocka_unit_test(a_key_that_is_no_sound_point_is_refused),
        cmocka_unit_test(names_have_no_white_space_plus_or_control_characters),
        cmocka_unit_test(we_sign_what_others_sign),
        cmocka_unit_test(the_published_note_is_good_under_either_key),
        cmocka_unit_test(no_bit_of_a_signed_text_can_be_flipped),
        cmocka_unit_test(signatures_by_others_are_ignored_but_for_their_form),
        cmocka_unit_test(long_signatures_by_others_are_ignored),
        cmocka_unit_test(one_bad_signature_by_the_key_condemns_the_note),
        cmocka_unit_test(a_note_has_64_signatures_at_most),
        cmocka_unit_test(a_text_ends_at_the_last_empty_line),
        cmocka_unit_test(a_text_that_was_made_longer_is_not_believed),
        cmocka_unit_test(texts_that_cannot_be_notes_are_neither_signed_nor_read),
        cmocka_unit_test(a_note_is_256_kib_at_most),
        cmocka_unit_test(a_buffer_that_is_too_small_is_left_as_it_was),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
