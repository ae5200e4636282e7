/* crypto/seal.h */
#include "crypto/seal.h"

#include "crypto/hash.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { HEADER = 142, FRAME = SEAL_CHUNK + 17 }; /* FORMAT.md §3 */

struct two {
    struct identity_secret me, other;
    struct buf b; /* the stream */
};

static int setup(void **state)
{
    struct two *t = calloc(1, sizeof *t);
    if (t == NULL || secret_start(NULL) != ERR_OK || identity_generate(&t->me, NULL) != ERR_OK ||
        identity_generate(&t->other, NULL) != ERR_OK)
        return -1;
    buf_init(&t->b, 64u << 20);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct two *t = *state;
    identity_release(&t->me);
    identity_release(&t->other);
    buf_release(&t->b);
    free(t);
    return 0;
}

/* Content of n bytes that tell their place, sealed to `me` in writes of `step` bytes. */
static void seal_content(struct two *t, size_t n, size_t step, uint8_t binding[32])
{
    struct seal_writer *w = NULL;
    struct seal_header h = {.version = 1, .kind = 1};
    memcpy(h.recipient, t->me.pub.kid, KID_BYTES);
    memcpy(h.sender, t->other.pub.kid, KID_BYTES);
    buf_reset(&t->b);
    assert_int_equal(seal_writer_new(&w, &h, &t->me.pub, &t->b, binding, NULL), ERR_OK);
    uint8_t *content = malloc(n + 1);
    assert_non_null(content);
    for (size_t i = 0; i < n; i++) content[i] = (uint8_t)(i * 7 + i / 251);
    for (size_t at = 0; at < n; at += step)
        assert_int_equal(seal_write(w, bytes_of(content + at, n - at < step ? n - at : step), NULL), ERR_OK);
    assert_int_equal(seal_finish(w, NULL), ERR_OK);
    seal_writer_free(w);
    free(content);
}

/* Read to the end. On success *out_n is the length of the content, which must be what seal_content made. */
static enum err open_content(struct bytes in, const struct identity_secret *me, size_t *out_n)
{
    struct seal_reader *r = NULL;
    struct seal_header h;
    uint8_t binding[32];
    enum err err = seal_reader_new(&r, in, me, &h, binding, NULL);
    if (err != ERR_OK) {
        assert_null(r);
        return err;
    }
    size_t n = 0;
    bool final = false;
    while (err == ERR_OK && !final) {
        struct bytes plain = {0};
        err = seal_read(r, &plain, &final, NULL);
        for (size_t i = 0; err == ERR_OK && i < plain.n; i++, n++)
            assert_int_equal(plain.p[i], (uint8_t)(n * 7 + n / 251));
    }
    if (err != ERR_OK) { /* and it stays so */
        struct bytes plain = {0};
        assert_int_equal(seal_read(r, &plain, &final, NULL), err);
        assert_false(final);
    }
    seal_reader_free(r);
    *out_n = n;
    return err;
}

static void seal_streams_of_any_length_come_back(void **state)
{
    struct two *t = *state;
    static const size_t lengths[] = {
        0, 1, 100, SEAL_CHUNK - 1, SEAL_CHUNK, SEAL_CHUNK + 1, 2 * SEAL_CHUNK, 2 * SEAL_CHUNK + 1, 5 * SEAL_CHUNK + 77};
    static const size_t steps[] = {999, SEAL_CHUNK, 1u << 20};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        for (size_t s = 0; s < 3; s++) {
            size_t n = lengths[i], got;
            size_t frames = n == 0 ? 1 : (n + SEAL_CHUNK - 1) / SEAL_CHUNK;
            uint8_t binding[32];
            seal_content(t, n, steps[s], binding);
            assert_int_equal(t->b.len, HEADER + n + 17 * frames);
            assert_int_equal(open_content(buf_bytes(&t->b), &t->me, &got), ERR_OK);
            assert_int_equal(got, n);
        }
    }
}

static bool has_run(const void *p, size_t n, uint8_t byte)
{
    const uint8_t *b = p;
    size_t run = 0;
    for (size_t i = 0; i < n && run < 16; i++) run = b[i] == byte ? run + 1 : 0;
    return run == 16;
}

/* One writer and one reader for streams of all lengths, some of which are given up halfway, damaged or for another. */
static void seal_a_rested_writer_and_reader_make_every_stream_anew(void **state)
{
    struct two *t = *state;
    static const size_t lengths[] = {100, 3 * SEAL_CHUNK + 5, 0, 4000, SEAL_CHUNK, 1};
    static uint8_t content[4 * SEAL_CHUNK];
    struct seal_header h = {.version = 1, .kind = 1}, got;
    struct seal_writer *w = NULL;
    struct seal_reader *r = NULL;
    uint8_t made[32], read[32], former[32] = {0};
    memcpy(h.recipient, t->me.pub.kid, KID_BYTES);
    for (size_t i = 0; i < 3 * sizeof lengths / sizeof lengths[0]; i++) {
        size_t n = lengths[i % 6], at = 0;
        bool final = false;
        buf_reset(&t->b);
        memset(content, 'A' + (int)i, n);
        enum err e = w == NULL ? seal_writer_new(&w, &h, &t->me.pub, &t->b, made, NULL)
                               : seal_writer_again(w, &h, &t->me.pub, &t->b, made, NULL);
        assert_int_equal(e, ERR_OK);
        assert_memory_not_equal(made, former, 32);
        memcpy(former, made, 32);
        assert_int_equal(seal_write(w, bytes_of(content, n), NULL), ERR_OK);
        if (i % 4 != 3) assert_int_equal(seal_finish(w, NULL), ERR_OK); /* else it was cut off */
        seal_writer_rest(w);
        e = r == NULL ? seal_reader_new(&r, buf_bytes(&t->b), &t->me, &got, read, NULL)
                      : seal_reader_again(&r, buf_bytes(&t->b), &t->me, &got, read, NULL);
        assert_int_equal(e, ERR_OK);
        assert_memory_equal(made, read, 32);
        while (e == ERR_OK && !final) {
            struct bytes plain = {0};
            e = seal_read(r, &plain, &final, NULL);
            if (e == ERR_OK && plain.n > 0) assert_memory_equal(plain.p, content + at, plain.n);
            at += e == ERR_OK ? plain.n : 0;
            if (e == ERR_OK && plain.n >= 16) {
                assert_true(has_run(plain.p, plain.n, (uint8_t)('A' + i)));
                if (i % 5 == 4) break; /* given up: rest wipes it all the same */
            }
        }
        assert_int_equal(e, i % 4 == 3 ? ERR_TAMPERED : ERR_OK);
        seal_reader_rest(r);
        assert_int_equal(seal_reader_again(&r, buf_bytes(&t->b), &t->other, &got, read, NULL), ERR_REFUSED);
        t->b.data[HEADER - 60] ^= 1; /* the sealed key */
        assert_int_equal(seal_reader_again(&r, buf_bytes(&t->b), &t->me, &got, read, NULL), ERR_TAMPERED);
    }
    seal_writer_free(w);
    seal_reader_free(r);
}

/* What is opened stands in memory that is handed out: after rest it stands there no more. */
static void seal_rest_wipes_what_was_opened(void **state)
{
    struct two *t = *state;
    static uint8_t content[5000];
    struct seal_writer *w = NULL;
    struct seal_reader *r = NULL;
    struct seal_header h = {.version = 1, .kind = 1};
    uint8_t binding[32];
    struct bytes plain;
    bool final;
    memset(content, 'S', sizeof content);
    buf_reset(&t->b);
    assert_int_equal(seal_writer_new(&w, &h, &t->me.pub, &t->b, binding, NULL), ERR_OK);
    assert_int_equal(seal_write(w, bytes_of(content, sizeof content), NULL), ERR_OK);
    assert_int_equal(seal_finish(w, NULL), ERR_OK);
    assert_int_equal(seal_reader_new(&r, buf_bytes(&t->b), &t->me, &h, binding, NULL), ERR_OK);
    assert_int_equal(seal_read(r, &plain, &final, NULL), ERR_OK);
    assert_true(has_run(plain.p, plain.n, 'S'));
    seal_reader_rest(r);
    assert_false(has_run(plain.p, plain.n, 'S'));
    seal_writer_free(w);
    seal_reader_free(r);
}

static void seal_header_lies_where_the_format_says(void **state)
{
    struct two *t = *state;
    struct seal_header h;
    uint8_t binding[32], key[32], want[32], both[32 + HEADER];
    seal_content(t, 10, 10, binding);
    assert_memory_equal(t->b.data, "SPKS\x01\x01", 6);
    assert_memory_equal(t->b.data + 6, t->me.pub.kid, 16);
    assert_memory_equal(t->b.data + 22, t->other.pub.kid, 16);
    assert_int_equal(crypto_box_seal_open(key, t->b.data + 38, 80, t->me.pub.box_pk, t->me.keys.p + 64), 0);
    memcpy(both, key, 32);
    memcpy(both + 32, t->b.data, HEADER);
    hash_labelled(want, "spoke/stream/1", bytes_of(both, sizeof both));
    assert_memory_equal(binding, want, 32);
    /* the one frame, with libsodium alone */
    crypto_secretstream_xchacha20poly1305_state st;
    uint8_t plain[10], tag = 9;
    assert_int_equal(crypto_secretstream_xchacha20poly1305_init_pull(&st, t->b.data + 118, key), 0);
    assert_int_equal(
        crypto_secretstream_xchacha20poly1305_pull(&st, plain, NULL, &tag, t->b.data + HEADER, 27, t->b.data, HEADER),
        0);
    assert_int_equal(tag, crypto_secretstream_xchacha20poly1305_TAG_FINAL);
    assert_int_equal(seal_peek(buf_bytes(&t->b), &h, NULL), ERR_OK);
    assert_int_equal(h.version, 1);
    assert_int_equal(h.kind, 1);
    assert_memory_equal(h.recipient, t->me.pub.kid, 16);
    assert_memory_equal(h.sender, t->other.pub.kid, 16);
}

static void seal_both_ends_get_one_binding_and_each_stream_its_own(void **state)
{
    struct two *t = *state;
    uint8_t first[32], second[32], read[32];
    struct seal_reader *r = NULL;
    struct seal_header h;
    seal_content(t, 10, 10, first);
    assert_int_equal(seal_reader_new(&r, buf_bytes(&t->b), &t->me, &h, read, NULL), ERR_OK);
    assert_memory_equal(read, first, 32);
    seal_reader_free(r);
    seal_content(t, 10, 10, second);
    assert_memory_not_equal(first, second, 32);
}

static void seal_refuses_every_changed_bit(void **state)
{
    struct two *t = *state;
    uint8_t binding[32];
    size_t got;
    seal_content(t, 40, 40, binding);
    for (size_t i = 0; i < t->b.len; i++) {
        for (unsigned bit = 0; bit < 8; bit += 7) {
            t->b.data[i] ^= (uint8_t)(1u << bit);
            enum err want = i < 5 ? ERR_FORMAT : i < 6 ? ERR_OK : i < 22 ? ERR_REFUSED : ERR_TAMPERED;
            enum err err = open_content(buf_bytes(&t->b), &t->me, &got);
            if (i == 5) /* another kind, or none */
                assert_true(err == ERR_FORMAT || err == ERR_TAMPERED);
            else
                assert_int_equal(err, want);
            t->b.data[i] ^= (uint8_t)(1u << bit);
        }
    }
}

static void seal_refuses_another_kind_or_sender_in_the_header(void **state)
{
    struct two *t = *state;
    uint8_t binding[32];
    size_t got;
    seal_content(t, 40, 40, binding);
    t->b.data[5] = 2; /* a request passed off as an answer */
    assert_int_equal(open_content(buf_bytes(&t->b), &t->me, &got), ERR_TAMPERED);
    t->b.data[5] = 1;
    memcpy(t->b.data + 22, t->me.pub.kid, 16);
    assert_int_equal(open_content(buf_bytes(&t->b), &t->me, &got), ERR_TAMPERED);
}

static void seal_refuses_a_stream_cut_anywhere(void **state)
{
    struct two *t = *state;
    uint8_t binding[32];
    size_t got;
    seal_content(t, 300, 300, binding);
    for (size_t n = 0; n < t->b.len; n++) {
        uint8_t *exact = malloc(n == 0 ? 1 : n);
        assert_non_null(exact);
        memcpy(exact, t->b.data, n);
        assert_int_equal(open_content(bytes_of(exact, n), &t->me, &got), n < HEADER ? ERR_FORMAT : ERR_TAMPERED);
        free(exact);
    }
    seal_content(t, 3 * SEAL_CHUNK, SEAL_CHUNK, binding); /* at the frames' edges */
    for (size_t k = 0; k < 3; k++) {
        for (size_t d = 0; d < 3; d++)
            assert_int_equal(open_content(bytes_of(t->b.data, HEADER + k * FRAME + d), &t->me, &got), ERR_TAMPERED);
    }
}

static void seal_refuses_bytes_after_the_end(void **state)
{
    struct two *t = *state;
    uint8_t binding[32], frame[FRAME] = {0};
    size_t got;
    static const size_t contents[] = {0, 5, SEAL_CHUNK};
    static const size_t more[] = {1, 17, 18, FRAME};
    for (size_t c = 0; c < 3; c++) {
        for (size_t m = 0; m < 4; m++) {
            seal_content(t, contents[c], SEAL_CHUNK, binding);
            buf_put(&t->b, frame, more[m]);
            assert_int_equal(open_content(buf_bytes(&t->b), &t->me, &got), ERR_TAMPERED);
        }
    }
}

static void seal_refuses_frames_in_another_order(void **state)
{
    struct two *t = *state;
    uint8_t binding[32];
    size_t got;
    seal_content(t, 4 * SEAL_CHUNK, SEAL_CHUNK, binding);
    uint8_t *first = t->b.data + HEADER, *third = first + 2 * FRAME;
    uint8_t *keep = malloc(FRAME);
    assert_non_null(keep);
    memcpy(keep, first + FRAME, FRAME); /* second and third change places */
    memcpy(first + FRAME, third, FRAME);
    memcpy(third, keep, FRAME);
    assert_int_equal(open_content(buf_bytes(&t->b), &t->me, &got), ERR_TAMPERED);
    memcpy(third, first + FRAME, FRAME);
    memcpy(first + FRAME, keep, FRAME);
    assert_int_equal(open_content(buf_bytes(&t->b), &t->me, &got), ERR_OK);
    memmove(first, first + FRAME, 3 * FRAME); /* the first is left out */
    assert_int_equal(open_content(bytes_of(t->b.data, t->b.len - FRAME), &t->me, &got), ERR_TAMPERED);
    free(keep);
}

static void seal_refuses_frames_of_another_stream(void **state)
{
    struct two *t = *state;
    uint8_t binding[32], frame[27];
    size_t got;
    seal_content(t, 10, 10, binding);
    memcpy(frame, t->b.data + HEADER, sizeof frame);
    seal_content(t, 10, 10, binding);
    memcpy(t->b.data + HEADER, frame, sizeof frame);
    assert_int_equal(open_content(buf_bytes(&t->b), &t->me, &got), ERR_TAMPERED);
}

static void seal_opens_for_its_recipient_only(void **state)
{
    struct two *t = *state;
    uint8_t binding[32];
    size_t got;
    seal_content(t, 10, 10, binding);
    assert_int_equal(open_content(buf_bytes(&t->b), &t->other, &got), ERR_REFUSED);
    memcpy(t->b.data + 6, t->other.pub.kid, 16); /* readdressed without the key */
    assert_int_equal(open_content(buf_bytes(&t->b), &t->other, &got), ERR_TAMPERED);
}

static void seal_refuses_unknown_versions_kinds_and_garbage(void **state)
{
    struct two *t = *state;
    uint8_t binding[32];
    struct seal_header h;
    struct why why = {0};
    seal_content(t, 10, 10, binding);
    t->b.data[4] = 2;
    assert_int_equal(seal_peek(buf_bytes(&t->b), &h, &why), ERR_FORMAT);
    assert_true(strlen(why.text) > 0);
    t->b.data[4] = 1;
    t->b.data[5] = 0;
    assert_int_equal(seal_peek(buf_bytes(&t->b), &h, NULL), ERR_FORMAT);
    t->b.data[5] = 8;
    assert_int_equal(seal_peek(buf_bytes(&t->b), &h, NULL), ERR_FORMAT);
    assert_int_equal(seal_peek(bytes_of(NULL, 0), &h, NULL), ERR_FORMAT);
    memset(t->b.data, 'x', t->b.len);
    assert_int_equal(seal_peek(buf_bytes(&t->b), &h, NULL), ERR_FORMAT);
}

static void seal_writer_stops_at_the_ceiling_of_its_buffer(void **state)
{
    struct two *t = *state;
    struct buf small;
    struct seal_writer *w = NULL;
    struct seal_header h = {.version = 1, .kind = 2};
    uint8_t binding[32] = {0}, *content = calloc(2, SEAL_CHUNK);
    assert_non_null(content);
    buf_init(&small, HEADER - 1);
    assert_int_equal(seal_writer_new(&w, &h, &t->me.pub, &small, binding, NULL), ERR_LIMIT);
    assert_null(w);
    assert_int_equal(small.len, 0);
    buf_init(&small, HEADER + FRAME - 1);
    assert_int_equal(seal_writer_new(&w, &h, &t->me.pub, &small, binding, NULL), ERR_OK);
    assert_int_equal(seal_write(w, bytes_of(content, 2 * SEAL_CHUNK), NULL), ERR_LIMIT);
    seal_writer_free(w);
    buf_release(&small);
    seal_writer_free(NULL);
    seal_reader_free(NULL);
    free(content);
}

static void seal_box_opens_for_its_key_only_and_unchanged(void **state)
{
    struct two *t = *state;
    struct buf sealed, plain;
    buf_init(&sealed, 1000);
    buf_init(&plain, 1000);
    buf_put_str(&plain, "kept ");
    assert_int_equal(seal_box(bytes_of_str("secret"), t->me.pub.box_pk, &sealed, NULL), ERR_OK);
    assert_int_equal(sealed.len, 6 + 48);
    assert_int_equal(seal_box_open(buf_bytes(&sealed), &t->me, &plain, NULL), ERR_OK);
    assert_string_equal(buf_cstr(&plain), "kept secret");
    assert_int_equal(seal_box_open(buf_bytes(&sealed), &t->other, &plain, NULL), ERR_TAMPERED);
    for (size_t i = 0; i < sealed.len; i++) {
        sealed.data[i] ^= 1;
        assert_int_equal(seal_box_open(buf_bytes(&sealed), &t->me, &plain, NULL), ERR_TAMPERED);
        sealed.data[i] ^= 1;
        assert_int_equal(seal_box_open(bytes_of(sealed.data, i), &t->me, &plain, NULL), ERR_TAMPERED);
    }
    assert_string_equal(buf_cstr(&plain), "kept secret");
    static const uint8_t low_order[32] = {0};
    assert_int_equal(seal_box(bytes_of_str("secret"), low_order, &sealed, NULL), ERR_FORMAT);
    assert_int_equal(sealed.len, 6 + 48);
    buf_release(&sealed);
    buf_reset(&plain);
    assert_int_equal(seal_box(bytes_of(NULL, 0), t->me.pub.box_pk, &plain, NULL), ERR_OK);
    buf_init(&sealed, 0);
    assert_int_equal(seal_box_open(buf_bytes(&plain), &t->me, &sealed, NULL), ERR_OK); /* nothing is a content too */
    assert_int_equal(seal_box(bytes_of_str("secret"), t->me.pub.box_pk, &sealed, NULL), ERR_LIMIT);
    buf_release(&sealed);
    buf_release(&plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seal_streams_of_any_length_come_back),
        cmocka_unit_test(seal_a_rested_writer_and_reader_make_every_stream_anew),
        cmocka_unit_test(seal_rest_wipes_what_was_opened),
        cmocka_unit_test(seal_header_lies_where_the_format_says),
        cmocka_unit_test(seal_both_ends_get_one_binding_and_each_stream_its_own),
        cmocka_unit_test(seal_refuses_every_changed_bit),
        cmocka_unit_test(seal_refuses_another_kind_or_sender_in_the_header),
        cmocka_unit_test(seal_refuses_a_stream_cut_anywhere),
        cmocka_unit_test(seal_refuses_bytes_after_the_end),
        cmocka_unit_test(seal_refuses_frames_in_another_order),
        cmocka_unit_test(seal_refuses_frames_of_another_stream),
        cmocka_unit_test(seal_opens_for_its_recipient_only),
        cmocka_unit_test(seal_refuses_unknown_versions_kinds_and_garbage),
        cmocka_unit_test(seal_writer_stops_at_the_ceiling_of_its_buffer),
        cmocka_unit_test(seal_box_opens_for_its_key_only_and_unchanged),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
