#include "base/cbor.h"
#include "sync/bundle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <cmocka.h>
#include <zstd.h>

struct fixture {
    struct identity_secret hub, other;
    struct seal_header h;
    struct buf out; /* the bundle */
    uint8_t binding[32];
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (f == NULL || secret_start(NULL) != ERR_OK || identity_generate(&f->hub, NULL) != ERR_OK ||
        identity_generate(&f->other, NULL) != ERR_OK)
        return -1;
    f->h = (struct seal_header){.version = 1, .kind = 1};
    memcpy(f->h.recipient, f->hub.pub.kid, KID_BYTES);
    buf_init(&f->out, 256u << 20);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    identity_release(&f->hub);
    identity_release(&f->other);
    buf_release(&f->out);
    free(f);
    return 0;
}

static struct bundle_writer *begin(struct fixture *f)
{
    struct bundle_writer *w = NULL;
    assert_int_equal(bundle_writer_new(&w, &f->h, &f->hub.pub, &f->out, f->binding, NULL), ERR_OK);
    return w;
}

static void finish(struct bundle_writer *w)
{
    assert_int_equal(bundle_finish(w, NULL), ERR_OK);
    bundle_writer_free(w);
}

/* One item: [7, n bytes, each `fill`, or noise when fill is negative]. */
static void put_item(struct buf *b, size_t n, int fill)
{
    uint64_t s = n;
    cbor_put_array(b, 2);
    cbor_put_uint(b, 7);
    uint8_t *p = malloc(n + 1);
    assert_non_null(p);
    memset(p, fill, n);
    for (size_t i = 0; fill < 0 && i < n; i++) {
        s = s * 6364136223846793005u + 1442695040888963407u;
        p[i] = (uint8_t)(s >> 56);
    }
    cbor_put_bytes(b, bytes_of(p, n));
    free(p);
    assert_int_equal(b->err, ERR_OK);
}

static enum err write_item(struct bundle_writer *w, const char *origin, size_t n, int fill)
{
    struct buf item;
    buf_init(&item, 256u << 20);
    put_item(&item, n, fill);
    enum err e = bundle_put(w, origin, buf_bytes(&item), NULL);
    buf_release(&item);
    return e;
}

/* Read all; how many items came before the end or the error. */
static enum err read_all(struct fixture *f, struct bytes in, size_t *out_items, struct buf *content)
{
    struct bundle_reader *r = NULL;
    struct seal_header h;
    uint8_t binding[32];
    struct bytes item;
    bool end = false;
    *out_items = 0;
    enum err e = bundle_reader_new(&r, in, &f->hub, &h, binding, NULL);
    while (e == ERR_OK) {
        e = bundle_next(r, &item, &end, NULL);
        if (e != ERR_OK || end) break;
        ++*out_items;
        if (content != NULL) buf_put_bytes(content, item);
    }
    if (e != ERR_OK && r != NULL) /* an error stays: there is no way past it */
        assert_int_equal(bundle_next(r, &item, &end, NULL), e);
    bundle_reader_free(r);
    return e;
}

/* Seal bytes as they are, as a hostile or broken sender would, and read. */
static enum err read_raw(struct fixture *f, struct bytes inner)
{
    struct seal_writer *w = NULL;
    size_t n;
    buf_reset(&f->out);
    assert_int_equal(seal_writer_new(&w, &f->h, &f->hub.pub, &f->out, f->binding, NULL), ERR_OK);
    assert_int_equal(seal_write(w, inner, NULL), ERR_OK);
    assert_int_equal(seal_finish(w, NULL), ERR_OK);
    seal_writer_free(w);
    return read_all(f, buf_bytes(&f->out), &n, NULL);
}

static void put_frame(struct buf *b, struct bytes plain)
{
    size_t room = ZSTD_compressBound(plain.n);
    uint8_t *p = malloc(room);
    assert_non_null(p);
    size_t n = ZSTD_compress(p, room, plain.p, plain.n, 3);
    assert_false(ZSTD_isError(n));
    buf_put(b, p, n);
    free(p);
}

static void put_padding(struct buf *b, size_t n)
{
    buf_put_bytes(b, bytes_of("\x50\x2a\x4d\x18", 4));
    for (unsigned i = 0; i < 4; i++) buf_put_u8(b, (uint8_t)(n >> (8 * i)));
    memset(buf_grow(b, n), 0, n);
}

/* The bytes under the seal. */
static void unseal(struct fixture *f, struct buf *inner)
{
    struct seal_reader *r = NULL;
    struct seal_header h;
    uint8_t binding[32];
    struct bytes plain;
    bool final = false;
    assert_int_equal(seal_reader_new(&r, buf_bytes(&f->out), &f->hub, &h, binding, NULL), ERR_OK);
    while (!final) {
        assert_int_equal(seal_read(r, &plain, &final, NULL), ERR_OK);
        buf_put_bytes(inner, plain);
    }
    seal_reader_free(r);
}

static void items_of_all_sizes_come_out_as_they_went_in(void **state)
{
    struct fixture *f = *state;
    static const size_t sizes[] = {0, 1, 23, 24, 300, 65530, 65536, 70000, 1u << 20, 3, 5u << 20, 0, 131072, 12};
    struct buf want, got;
    size_t n;
    buf_init(&want, 64u << 20);
    buf_init(&got, 64u << 20);
    struct bundle_writer *w = begin(f);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        put_item(&want, sizes[i], i % 3 == 0 ? 'x' : -1);
        assert_int_equal(write_item(w,
                                    i % 4 == 0 ? ""
                                    : i % 2    ? "health"
                                               : "police",
                                    sizes[i], i % 3 == 0 ? 'x' : -1),
                         ERR_OK);
    }
    finish(w);
    assert_int_equal(read_all(f, buf_bytes(&f->out), &n, &got), ERR_OK);
    assert_int_equal(n, sizeof sizes / sizeof sizes[0]);
    assert_true(bytes_equal(buf_bytes(&want), buf_bytes(&got)));
    buf_release(&want);
    buf_release(&got);
}

static void binding_is_the_same_at_both_ends_and_never_again(void **state)
{
    struct fixture *f = *state;
    struct bundle_reader *r = NULL;
    struct seal_header h;
    uint8_t binding[32], first[32];
    finish(begin(f));
    assert_int_equal(bundle_reader_new(&r, buf_bytes(&f->out), &f->hub, &h, binding, NULL), ERR_OK);
    assert_memory_equal(binding, f->binding, 32);
    assert_int_equal(h.kind, 1);
    bundle_reader_free(r);
    memcpy(first, binding, 32);
    buf_reset(&f->out);
    finish(begin(f));
    assert_memory_not_equal(first, f->binding, 32);
}

static void a_bundle_follows_what_the_buffer_held_before(void **state)
{
    struct fixture *f = *state;
    size_t n;
    buf_put_str(&f->out, "before");
    struct bundle_writer *w = begin(f);
    assert_int_equal(write_item(w, "", 10, 1), ERR_OK);
    finish(w);
    assert_memory_equal(f->out.data, "before", 6);
    assert_int_equal(read_all(f, bytes_of(f->out.data + 6, f->out.len - 6), &n, NULL), ERR_OK);
}

/* Would text of one agency be compressed against another's, its length would tell of it. */
static void each_origin_has_frames_of_its_own(void **state)
{
    struct fixture *f = *state;
    static const char *const origins[] = {"", "health", "health", "police", "health", ""};
    struct buf inner;
    buf_init(&inner, 1u << 20);
    struct bundle_writer *w = begin(f);
    for (size_t i = 0; i < 6; i++) assert_int_equal(write_item(w, origins[i], 1000, -1), ERR_OK);
    finish(w);
    unseal(f, &inner);
    size_t frames = 0, at = 0;
    while (at < inner.len && inner.data[at] == 0x28) {
        size_t n = ZSTD_findFrameCompressedSize(inner.data + at, inner.len - at);
        assert_false(ZSTD_isError(n));
        at += n;
        frames++;
    }
    assert_int_equal(frames, 5); /* not 6: two of health stood together */
    buf_release(&inner);
}

static void sizes_are_padme_sizes(void **state)
{
    struct fixture *f = *state;
    for (size_t n = 0; n < 3000; n += 37) {
        struct buf inner;
        buf_init(&inner, 1u << 20);
        buf_reset(&f->out);
        struct bundle_writer *w = begin(f);
        assert_int_equal(write_item(w, "", n, -1), ERR_OK);
        finish(w);
        unseal(f, &inner);
        assert_int_equal(padme(inner.len), inner.len);
        buf_release(&inner);
    }
}

static void a_bundle_for_someone_else_is_refused(void **state)
{
    struct fixture *f = *state;
    struct bundle_reader *r = NULL;
    struct seal_header h;
    uint8_t binding[32];
    size_t n = 1;
    finish(begin(f));
    assert_int_equal(read_all(f, buf_bytes(&f->out), &n, NULL), ERR_OK); /* it is empty, and good */
    assert_int_equal(n, 0);
    assert_int_equal(bundle_reader_new(&r, buf_bytes(&f->out), &f->other, &h, binding, NULL), ERR_REFUSED);
    assert_null(r);
}

static void a_flip_of_any_byte_and_any_truncation_is_noticed(void **state)
{
    struct fixture *f = *state;
    size_t n;
    struct bundle_writer *w = begin(f);
    assert_int_equal(write_item(w, "", 100, -1), ERR_OK);
    assert_int_equal(write_item(w, "health", 700, -1), ERR_OK);
    finish(w);
    for (size_t i = 0; i < f->out.len; i++) {
        f->out.data[i] ^= (uint8_t)(1u << i % 8);
        assert_int_not_equal(read_all(f, buf_bytes(&f->out), &n, NULL), ERR_OK);
        f->out.data[i] ^= (uint8_t)(1u << i % 8);
        assert_int_not_equal(read_all(f, bytes_of(f->out.data, i), &n, NULL), ERR_OK);
    }
    buf_put_u8(&f->out, 0);
    assert_int_equal(read_all(f, buf_bytes(&f->out), &n, NULL), ERR_TAMPERED);
}

static void truncation_of_a_long_bundle_shows(void **state)
{
    struct fixture *f = *state;
    size_t n;
    struct bundle_writer *w = begin(f);
    for (size_t i = 0; i < 40; i++) assert_int_equal(write_item(w, "", 10000 + i, -1), ERR_OK);
    finish(w);
    for (size_t cut = 1; cut < f->out.len; cut += 9973)
        assert_int_not_equal(read_all(f, bytes_of(f->out.data, f->out.len - cut), &n, NULL), ERR_OK);
}

static void a_zip_bomb_is_refused_with_little_memory_and_time(void **state)
{
    struct fixture *f = *state;
    struct buf inner;
    struct timespec from, to;
    struct rusage before, after;
    buf_init(&inner, 4u << 20);
    /* one frame: 2 MiB window, then 4000 RLE blocks of 128 KiB, 4 bytes each: 512 MiB out of 16 KB */
    buf_put_bytes(&inner, bytes_of("\x28\xb5\x2f\xfd\x00\x58", 6));
    for (size_t i = 0; i < 4000; i++)
        buf_put_bytes(&inner, bytes_of(i == 3999 ? "\x03\x00\x10\x00" : "\x02\x00\x10\x00", 4));
    getrusage(RUSAGE_SELF, &before);
    clock_gettime(CLOCK_MONOTONIC, &from);
    assert_int_equal(read_raw(f, buf_bytes(&inner)), ERR_LIMIT);
    clock_gettime(CLOCK_MONOTONIC, &to);
    assert_true(to.tv_sec - from.tv_sec < 2);
    getrusage(RUSAGE_SELF, &after);
    assert_true(after.ru_maxrss - before.ru_maxrss < 16 * 1024); /* KiB */
    /* an honest ratio in many frames, and yet too much in all: each frame 64 KiB of zeros */
    buf_reset(&inner);
    struct buf item, frame;
    buf_init(&item, 1u << 20);
    buf_init(&frame, 1u << 20);
    put_item(&item, 65000, 0);
    put_frame(&frame, buf_bytes(&item));
    for (size_t i = 0; i < BUNDLE_MAX_PLAIN / 65000 + 1; i++) buf_put_bytes(&inner, buf_bytes(&frame));
    assert_int_equal(read_raw(f, buf_bytes(&inner)), ERR_LIMIT);
    /* an item that says it is larger than any may be */
    inner.len = 0;
    put_frame(&inner, bytes_of("\x5a\x05\x00\x00\x01", 5));
    assert_int_equal(read_raw(f, buf_bytes(&inner)), ERR_FORMAT);
    /* a window of 128 MiB */
    inner.len = 0;
    buf_put_bytes(&inner, bytes_of("\x28\xb5\x2f\xfd\x00\x88\x01\x00\x00", 9));
    assert_int_equal(read_raw(f, buf_bytes(&inner)), ERR_LIMIT);
    buf_release(&inner);
    buf_release(&item);
    buf_release(&frame);
}

/* Somebody pastes a megabyte of blanks: that is no bomb, and must arrive. */
static void what_compresses_too_well_still_arrives(void **state)
{
    struct fixture *f = *state;
    size_t n;
    struct bundle_writer *w = begin(f);
    assert_int_equal(write_item(w, "", 100, -1), ERR_OK);
    for (size_t i = 0; i < 3; i++) assert_int_equal(write_item(w, "health", 20u << 20, ' '), ERR_OK);
    for (size_t i = 0; i < 3000; i++) assert_int_equal(write_item(w, "health", 900, ' '), ERR_OK);
    finish(w);
    assert_true(f->out.len < 200000);
    assert_int_equal(read_all(f, buf_bytes(&f->out), &n, NULL), ERR_OK);
    assert_int_equal(n, 3004);
}

static void a_first_item_is_small(void **state)
{
    size_t n;
    struct fixture *f = *state;
    struct bundle_writer *w = begin(f);
    assert_int_equal(write_item(w, "", BUNDLE_MAX_FIRST, -1), ERR_OK);
    finish(w);
    assert_int_not_equal(read_all(f, buf_bytes(&f->out), &n, NULL), ERR_OK);
    assert_int_equal(n, 0);
}

static void only_zeros_pad_and_only_at_the_end(void **state)
{
    struct fixture *f = *state;
    struct buf inner, item;
    buf_init(&inner, 1u << 20);
    buf_init(&item, 1u << 20);
    put_item(&item, 50, 'x');
    put_frame(&inner, buf_bytes(&item));
    put_padding(&inner, 100);
    assert_int_equal(read_raw(f, buf_bytes(&inner)), ERR_OK);
    inner.data[inner.len - 50] = 1; /* a covert message */
    assert_int_equal(read_raw(f, buf_bytes(&inner)), ERR_FORMAT);
    inner.data[inner.len - 50] = 0;
    assert_int_equal(read_raw(f, bytes_of(inner.data, inner.len - 1)), ERR_FORMAT);
    put_padding(&inner, 0);
    assert_int_equal(read_raw(f, buf_bytes(&inner)), ERR_FORMAT); /* twice */
    inner.len = 0;
    put_padding(&inner, 10);
    put_frame(&inner, buf_bytes(&item));
    assert_int_equal(read_raw(f, buf_bytes(&inner)), ERR_FORMAT); /* before content */
    inner.len = 0;
    put_frame(&inner, buf_bytes(&item));
    put_padding(&inner, 10);
    inner.data[inner.len - 18] = 0x51; /* another of the sixteen skippable magics */
    assert_int_equal(read_raw(f, buf_bytes(&inner)), ERR_FORMAT);
    buf_release(&inner);
    buf_release(&item);
}

static void sealed_nonsense_is_refused(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *p;
        size_t n;
    } bad[] = {
        {"\x18\x07", 2},     /* 7 in two bytes */
        {"\x9f\xff", 2},     /* indefinite length */
        {"\xf9\x3c\x00", 3}, /* a float */
        {"\xff", 1},         /* a break */
        {"\x63"
         "a\xc3(",
         4},                         /* text that is not UTF-8 */
        {"\xa2\x02\x00\x01\x00", 5}, /* keys out of order */
        {"\x82\x01", 2},             /* half an item */
        {"\x45"
         "abc",
         4},                                              /* half a string */
        {"\x19\x01", 2},                                  /* half a number */
        {"\x81\x81\x81\x81\x81\x81\x81\x81\x81\x00", 10}, /* nine deep */
    };
    struct buf inner;
    buf_init(&inner, 1u << 20);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        inner.len = 0;
        put_frame(&inner, bytes_of("\x80", 1));
        put_frame(&inner, bytes_of(bad[i].p, bad[i].n));
        assert_int_equal(read_raw(f, buf_bytes(&inner)), ERR_FORMAT);
    }
    assert_int_equal(read_raw(f, bytes_of("hello", 5)), ERR_FORMAT);        /* no frame */
    assert_int_equal(read_raw(f, bytes_of("\x28\xb5\x2f", 3)), ERR_FORMAT); /* the beginning of one */
    inner.len = 0;
    put_frame(&inner, bytes_of("\x80", 1));
    assert_int_equal(read_raw(f, buf_bytes(&inner)), ERR_OK);
    for (size_t n = 1; n < inner.len; n++) assert_int_equal(read_raw(f, bytes_of(inner.data, n)), ERR_FORMAT);
    buf_put_str(&inner, "ab");
    assert_int_equal(read_raw(f, buf_bytes(&inner)), ERR_FORMAT);
    inner.len = 0;
    put_frame(&inner, bytes_of("", 0));
    assert_int_equal(read_raw(f, buf_bytes(&inner)), ERR_FORMAT); /* a frame of nothing */
    buf_release(&inner);
}

static void mutants_under_the_seal_neither_crash_nor_hang(void **state)
{
    struct fixture *f = *state;
    struct buf inner, item;
    uint64_t s = 42;
    buf_init(&inner, 1u << 20);
    buf_init(&item, 1u << 20);
    put_item(&item, 3000, -1);
    put_item(&item, 100000, 'y'); /* reaches over windows */
    put_frame(&inner, buf_bytes(&item));
    put_padding(&inner, 20);
    for (size_t i = 0; i < 3000; i++) {
        s = s * 6364136223846793005u + 1442695040888963407u;
        size_t at = (s >> 33) % (i % 2 ? inner.len : 24);
        uint8_t was = inner.data[at];
        inner.data[at] ^= (uint8_t)(1 + (s >> 20) % 255);
        (void)(read_raw(f, buf_bytes(&inner)) == ERR_OK);
        inner.data[at] = was;
    }
    buf_release(&inner);
    buf_release(&item);
}

static void a_writer_keeps_to_its_ceilings(void **state)
{
    struct fixture *f = *state;
    size_t n;
    struct bundle_writer *w = begin(f);
    struct bytes huge = {f->binding, BUNDLE_MAX_ITEM + 1};
    assert_int_equal(bundle_put(w, "", huge, NULL), ERR_LIMIT);
    assert_int_equal(write_item(w, "", 10, 1), ERR_OK); /* nothing of it was written: the bundle is still good */
    finish(w);
    assert_int_equal(read_all(f, buf_bytes(&f->out), &n, NULL), ERR_OK);
    assert_int_equal(n, 1);

    struct buf small; /* the caller's buffer may end sooner */
    buf_init(&small, 4000);
    assert_int_equal(bundle_writer_new(&w, &f->h, &f->hub.pub, &small, f->binding, NULL), ERR_OK);
    assert_int_equal(write_item(w, "", 300000, -1), ERR_LIMIT);
    assert_int_equal(bundle_finish(w, NULL), ERR_LIMIT);
    bundle_writer_free(w);
    buf_release(&small);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(items_of_all_sizes_come_out_as_they_went_in),
        TEST(binding_is_the_same_at_both_ends_and_never_again),
        TEST(a_bundle_follows_what_the_buffer_held_before),
        TEST(each_origin_has_frames_of_its_own),
        TEST(sizes_are_padme_sizes),
        TEST(a_bundle_for_someone_else_is_refused),
        TEST(a_flip_of_any_byte_and_any_truncation_is_noticed),
        TEST(truncation_of_a_long_bundle_shows),
        TEST(a_zip_bomb_is_refused_with_little_memory_and_time),
        TEST(what_compresses_too_well_still_arrives),
        TEST(a_first_item_is_small),
        TEST(only_zeros_pad_and_only_at_the_end),
        TEST(sealed_nonsense_is_refused),
        TEST(mutants_under_the_seal_neither_crash_nor_hang),
        TEST(a_writer_keeps_to_its_ceilings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
