/* seal_rewind and bundle_rewind: what was read is read again, and what failed stays failed. */
#include "base/cbor.h"
#include "sync/bundle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct identity_secret me;
    struct seal_header h;
    struct buf out;           /* the stream or bundle */
    struct buf first, second; /* what was read of it */
    uint8_t binding[32];
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (f == NULL || secret_start(NULL) != ERR_OK || identity_generate(&f->me, NULL) != ERR_OK) return -1;
    f->h = (struct seal_header){.version = 1, .kind = 1};
    memcpy(f->h.recipient, f->me.pub.kid, KID_BYTES);
    buf_init(&f->out, 16u << 20);
    buf_init(&f->first, 16u << 20);
    buf_init(&f->second, 16u << 20);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    identity_release(&f->me);
    buf_release(&f->out);
    buf_release(&f->first);
    buf_release(&f->second);
    free(f);
    return 0;
}

static void put_noise(struct buf *b, size_t n, uint64_t seed)
{
    uint8_t *p = buf_grow(b, n);
    assert_non_null(p);
    for (size_t i = 0; i < n; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        p[i] = (uint8_t)(seed >> 56);
    }
}

/* ------------------------------------------------------------------------------------------------ sealed streams */
static void seal(struct fixture *f, size_t n)
{
    struct seal_writer *w = NULL;
    struct buf plain;
    buf_init(&plain, 16u << 20);
    put_noise(&plain, n, n);
    assert_int_equal(seal_writer_new(&w, &f->h, &f->me.pub, &f->out, f->binding, NULL), ERR_OK);
    assert_int_equal(seal_write(w, buf_bytes(&plain), NULL), ERR_OK);
    assert_int_equal(seal_finish(w, NULL), ERR_OK);
    seal_writer_free(w);
    buf_release(&plain);
}

static struct seal_reader *open_seal(struct fixture *f)
{
    struct seal_reader *r = NULL;
    struct seal_header h;
    assert_int_equal(seal_reader_new(&r, buf_bytes(&f->out), &f->me, &h, f->binding, NULL), ERR_OK);
    return r;
}

/* At most so many frames; *out_final: the end was among them. */
static enum err read_frames(struct seal_reader *r, size_t most, struct buf *out, bool *out_final)
{
    enum err e = ERR_OK;
    *out_final = false;
    for (size_t i = 0; e == ERR_OK && i < most && !*out_final; i++) {
        struct bytes plain = {0};
        e = seal_read(r, &plain, out_final, NULL);
        if (e == ERR_OK) buf_put_bytes(out, plain);
    }
    return e;
}

static void a_stream_is_read_again_from_its_first_frame(void **state)
{
    static const size_t sizes[] = {0, 10, SEAL_CHUNK, 3 * SEAL_CHUNK + 5};
    struct fixture *f = *state;
    bool final;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        buf_reset(&f->out);
        buf_reset(&f->first);
        seal(f, sizes[i]);
        struct seal_reader *r = open_seal(f);
        assert_int_equal(read_frames(r, 100, &f->first, &final), ERR_OK);
        assert_true(final);
        assert_int_equal(f->first.len, sizes[i]);
        for (size_t part = 0; part < 5; part++) { /* also from the middle, and without having read anything */
            seal_rewind(r);
            buf_reset(&f->second);
            assert_int_equal(read_frames(r, part, &f->second, &final), ERR_OK);
            seal_rewind(r);
            buf_reset(&f->second);
            assert_int_equal(read_frames(r, 100, &f->second, &final), ERR_OK);
            assert_true(final);
            assert_true(bytes_equal(buf_bytes(&f->first), buf_bytes(&f->second)));
        }
        seal_reader_free(r);
    }
}

static void a_stream_that_failed_stays_failed(void **state)
{
    struct fixture *f = *state;
    bool final;
    seal(f, 3 * SEAL_CHUNK);
    f->out.data[f->out.len - 1] ^= 1; /* the last frame: the others are good */
    struct seal_reader *r = open_seal(f);
    assert_int_equal(read_frames(r, 2, &f->first, &final), ERR_OK);
    seal_rewind(r);
    assert_int_equal(read_frames(r, 100, &f->first, &final), ERR_TAMPERED);
    f->out.data[f->out.len - 1] ^= 1;
    for (int i = 0; i < 2; i++) {
        seal_rewind(r);
        assert_int_equal(read_frames(r, 1, &f->second, &final), ERR_TAMPERED);
        assert_false(final);
    }
    assert_int_equal(f->second.len, 0);
    seal_reader_free(r);
}

static void a_changed_frame_is_noticed_the_second_time_too(void **state)
{
    struct fixture *f = *state;
    bool final;
    seal(f, 2 * SEAL_CHUNK);
    struct seal_reader *r = open_seal(f);
    assert_int_equal(read_frames(r, 100, &f->first, &final), ERR_OK);
    f->out.data[f->out.len - 1] ^= 1;
    seal_rewind(r);
    assert_int_equal(read_frames(r, 100, &f->first, &final), ERR_TAMPERED);
    seal_reader_free(r);
}

/* ------------------------------------------------------------------------------------------------------- bundles */
static const size_t items[] = {0, 23, 300, 70000, 5, 200000, 1};
#define ITEMS (sizeof items / sizeof items[0])

static void put_item(struct buf *b, size_t n)
{
    struct buf noise;
    buf_init(&noise, 16u << 20);
    put_noise(&noise, n, n);
    cbor_put_array(b, 2);
    cbor_put_uint(b, 7);
    cbor_put_bytes(b, buf_bytes(&noise));
    buf_release(&noise);
}

static void bundle(struct fixture *f, struct buf *content)
{
    struct bundle_writer *w = NULL;
    struct buf item;
    buf_init(&item, 16u << 20);
    assert_int_equal(bundle_writer_new(&w, &f->h, &f->me.pub, &f->out, f->binding, NULL), ERR_OK);
    for (size_t i = 0; i < ITEMS; i++) {
        buf_reset(&item);
        put_item(&item, items[i]);
        put_item(content, items[i]);
        const char *origin = i < 2 || i > 4 ? "" : "health"; /* some share a frame */
        assert_int_equal(bundle_put(w, origin, buf_bytes(&item), NULL), ERR_OK);
    }
    assert_int_equal(bundle_finish(w, NULL), ERR_OK);
    bundle_writer_free(w);
    buf_release(&item);
}

static struct bundle_reader *open_bundle(struct fixture *f, struct bytes in)
{
    struct bundle_reader *r = NULL;
    struct seal_header h;
    assert_int_equal(bundle_reader_new(&r, in, &f->me, &h, f->binding, NULL), ERR_OK);
    return r;
}

static enum err read_items(struct bundle_reader *r, size_t most, struct buf *out, bool *out_end)
{
    enum err e = ERR_OK;
    buf_reset(out);
    *out_end = false;
    for (size_t i = 0; e == ERR_OK && i < most; i++) {
        struct bytes item = {0};
        e = bundle_next(r, &item, out_end, NULL);
        if (e != ERR_OK || *out_end) break;
        buf_put_bytes(out, item);
    }
    return e;
}

static void a_bundle_is_read_again_from_its_first_item(void **state)
{
    struct fixture *f = *state;
    struct buf want;
    bool end;
    buf_init(&want, 16u << 20);
    bundle(f, &want);
    struct bundle_reader *r = open_bundle(f, buf_bytes(&f->out));
    for (size_t part = 0; part <= ITEMS; part++) {
        assert_int_equal(read_items(r, part, &f->first, &end), ERR_OK);
        bundle_rewind(r);
        assert_int_equal(read_items(r, 100, &f->first, &end), ERR_OK);
        assert_true(end);
        assert_true(bytes_equal(buf_bytes(&f->first), buf_bytes(&want)));
        bundle_rewind(r);
    }
    bundle_reader_free(r);
    buf_release(&want);
}

static void an_empty_bundle_is_empty_again(void **state)
{
    struct fixture *f = *state;
    struct bundle_writer *w = NULL;
    bool end;
    assert_int_equal(bundle_writer_new(&w, &f->h, &f->me.pub, &f->out, f->binding, NULL), ERR_OK);
    assert_int_equal(bundle_finish(w, NULL), ERR_OK);
    bundle_writer_free(w);
    struct bundle_reader *r = open_bundle(f, buf_bytes(&f->out));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(read_items(r, 100, &f->first, &end), ERR_OK);
        assert_true(end);
        assert_int_equal(f->first.len, 0);
        bundle_rewind(r);
    }
    bundle_reader_free(r);
}

static void a_bundle_that_failed_stays_failed(void **state)
{
    struct fixture *f = *state;
    struct buf want;
    bool end;
    buf_init(&want, 16u << 20);
    bundle(f, &want);
    struct bundle_reader *r = open_bundle(f, bytes_of(f->out.data, f->out.len - 1));
    assert_int_equal(read_items(r, 2, &f->first, &end), ERR_OK); /* its beginning is good */
    bundle_rewind(r);
    assert_int_equal(read_items(r, 2, &f->first, &end), ERR_OK);
    enum err e = read_items(r, 100, &f->first, &end);
    assert_int_equal(e, ERR_TAMPERED);
    for (int i = 0; i < 2; i++) {
        bundle_rewind(r);
        assert_int_equal(read_items(r, 1, &f->second, &end), e);
        assert_false(end);
        assert_int_equal(f->second.len, 0);
    }
    bundle_reader_free(r);
    buf_release(&want);
}

/* Here the seal is whole, and what is in it is wrong. */
static void a_bundle_with_a_broken_item_stays_failed(void **state)
{
    struct fixture *f = *state;
    struct bundle_writer *w = NULL;
    struct buf good;
    bool end;
    buf_init(&good, 1u << 20);
    put_item(&good, 10);
    assert_int_equal(bundle_writer_new(&w, &f->h, &f->me.pub, &f->out, f->binding, NULL), ERR_OK);
    assert_int_equal(bundle_put(w, "", buf_bytes(&good), NULL), ERR_OK);
    assert_int_equal(bundle_put(w, "", bytes_of("\xff", 1), NULL), ERR_OK);
    assert_int_equal(bundle_finish(w, NULL), ERR_OK);
    bundle_writer_free(w);
    struct bundle_reader *r = open_bundle(f, buf_bytes(&f->out));
    assert_int_equal(read_items(r, 1, &f->first, &end), ERR_OK);
    assert_int_equal(read_items(r, 1, &f->first, &end), ERR_FORMAT);
    bundle_rewind(r);
    assert_int_equal(read_items(r, 1, &f->first, &end), ERR_FORMAT);
    bundle_reader_free(r);
    buf_release(&good);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_stream_is_read_again_from_its_first_frame),
        TEST(a_stream_that_failed_stays_failed),
        TEST(a_changed_frame_is_noticed_the_second_time_too),
        TEST(a_bundle_is_read_again_from_its_first_item),
        TEST(an_empty_bundle_is_empty_again),
        TEST(a_bundle_that_failed_stays_failed),
        TEST(a_bundle_with_a_broken_item_stays_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
