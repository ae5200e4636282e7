/* One writer and one reader for many bundles: sync/bundle.h, rest and again. */
#include "base/cbor.h"
#include "sync/bundle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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

/* One item: [7, n bytes of noise]. */
static void put_item(struct buf *b, size_t n)
{
    uint64_t s = n;
    cbor_put_array(b, 2);
    cbor_put_uint(b, 7);
    uint8_t *p = malloc(n + 1);
    assert_non_null(p);
    for (size_t i = 0; i < n; i++) {
        s = s * 6364136223846793005u + 1442695040888963407u;
        p[i] = (uint8_t)(s >> 56);
    }
    cbor_put_bytes(b, bytes_of(p, n));
    free(p);
    assert_int_equal(b->err, ERR_OK);
}

static enum err write_item(struct bundle_writer *w, const char *origin, size_t n)
{
    struct buf item;
    buf_init(&item, 256u << 20);
    put_item(&item, n);
    enum err e = bundle_put(w, origin, buf_bytes(&item), NULL);
    buf_release(&item);
    return e;
}

/* Bundles one after the other by one writer and one reader, also after one that was cut off, too large or damaged. */
static void bundles_of_a_rested_writer_are_as_if_it_were_new(void **state)
{
    struct fixture *f = *state;
    struct bundle_writer *w = NULL;
    struct bundle_reader *r = NULL;
    struct seal_header h;
    struct bytes item;
    uint8_t binding[32];
    size_t alone = 0;
    for (int i = 0; i < 9; i++) {
        bool end = false;
        buf_reset(&f->out);
        enum err e = w == NULL ? bundle_writer_new(&w, &f->h, &f->hub.pub, &f->out, f->binding, NULL)
                               : bundle_writer_again(w, &f->h, &f->hub.pub, &f->out, f->binding, NULL);
        assert_int_equal(e, ERR_OK);
        if (i % 3 == 1) { /* the same bytes for another agency, and then no end */
            assert_int_equal(write_item(w, "police", 30000), ERR_OK);
            assert_int_equal(bundle_put(w, "police", bytes_of(f->binding, BUNDLE_MAX_ITEM + 1), NULL), ERR_LIMIT);
        } else {
            assert_int_equal(write_item(w, "health", 30000), ERR_OK);
            assert_int_equal(bundle_finish(w, NULL), ERR_OK);
            /* noise: were it packed by what the former one held, it would be shorter by far */
            if (alone == 0) alone = f->out.len;
            assert_int_equal(f->out.len, alone);
        }
        bundle_writer_rest(w);
        if (i % 3 == 2) f->out.data[f->out.len - 1] ^= 1;
        e = r == NULL ? bundle_reader_new(&r, buf_bytes(&f->out), &f->hub, &h, binding, NULL)
                      : bundle_reader_again(r, buf_bytes(&f->out), &f->hub, &h, binding, NULL);
        if (e == ERR_OK) assert_memory_equal(binding, f->binding, 32);
        if (e == ERR_OK) e = bundle_next(r, &item, &end, NULL);
        if (e == ERR_OK) e = bundle_next(r, &item, &end, NULL);
        assert_int_equal(e, i % 3 == 0 ? ERR_OK : ERR_TAMPERED);
        assert_int_equal(end, i % 3 == 0);
        bundle_reader_rest(r);
        assert_int_equal(bundle_reader_again(r, buf_bytes(&f->out), &f->other, &h, binding, NULL), ERR_REFUSED);
    }
    bundle_writer_free(w);
    bundle_reader_free(r);
    bundle_writer_rest(NULL);
    bundle_reader_rest(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bundles_of_a_rested_writer_are_as_if_it_were_new, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
