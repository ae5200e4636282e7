/* Bundles: the stream below the seal (frames, padding, items), and the seal's own door. Behind the seal a mutated byte
 * is never seen, so it is taken away at link time: what the reader opens is the fuzzer's bytes, cut into pieces. */
#include "sync/bundle.h"
#include "base/cbor.h"
#include "sync/courier.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <zstd.h>

#define MOST ((size_t)1 << 20)
/* A few bytes may unpack to millions of items, each one byte long; more of the same tells nothing new. */
#define MOST_ITEMS 200u

/* The one stream that is open, below the seal. */
static struct {
    bool bare; /* else the real seal */
    bool twice;
    size_t items; /* to read at most */
    struct bytes in;
    size_t at, piece;
    struct buf *out;
} stream;

enum err __real_seal_reader_new(struct seal_reader **out_r, struct bytes in, const struct identity_secret *me,
                                struct seal_header *out_h, uint8_t out_binding[32], struct why *why);
enum err __real_seal_read(struct seal_reader *r, struct bytes *out_plain, bool *out_final, struct why *why);
void __real_seal_rewind(struct seal_reader *r);
void __real_seal_reader_free(struct seal_reader *r);
enum err __wrap_seal_reader_new(struct seal_reader **out_r, struct bytes in, const struct identity_secret *me,
                                struct seal_header *out_h, uint8_t out_binding[32], struct why *why);
enum err __wrap_seal_read(struct seal_reader *r, struct bytes *out_plain, bool *out_final, struct why *why);
void __wrap_seal_rewind(struct seal_reader *r);
void __wrap_seal_reader_free(struct seal_reader *r);
enum err __wrap_seal_writer_new(struct seal_writer **out_w, const struct seal_header *h, const struct identity *to,
                                struct buf *out, uint8_t out_binding[32], struct why *why);
enum err __wrap_seal_write(struct seal_writer *w, struct bytes plain, struct why *why);
enum err __wrap_seal_finish(struct seal_writer *w, struct why *why);
void __wrap_seal_writer_free(struct seal_writer *w);

enum err __wrap_seal_reader_new(struct seal_reader **out_r, struct bytes in, const struct identity_secret *me,
                                struct seal_header *out_h, uint8_t out_binding[32], struct why *why)
{
    if (!stream.bare) return __real_seal_reader_new(out_r, in, me, out_h, out_binding, why);
    stream.in = in;
    stream.at = 0;
    *out_r = NULL;
    return ERR_OK;
}

enum err __wrap_seal_read(struct seal_reader *r, struct bytes *out_plain, bool *out_final, struct why *why)
{
    if (!stream.bare) return __real_seal_read(r, out_plain, out_final, why);
    size_t left = stream.in.n - stream.at, n = left < stream.piece ? left : stream.piece;
    *out_plain = n == 0 ? (struct bytes){0} : bytes_of(stream.in.p + stream.at, n);
    stream.at += n;
    *out_final = n == left;
    return ERR_OK;
}

void __wrap_seal_rewind(struct seal_reader *r)
{
    if (!stream.bare) __real_seal_rewind(r);
    stream.at = 0;
}

void __wrap_seal_reader_free(struct seal_reader *r)
{
    if (!stream.bare) __real_seal_reader_free(r);
}

enum err __wrap_seal_writer_new(struct seal_writer **out_w, const struct seal_header *h, const struct identity *to,
                                struct buf *out, uint8_t out_binding[32], struct why *why)
{
    (void)h, (void)to, (void)out_binding, (void)why;
    *out_w = NULL;
    stream.out = out;
    return ERR_OK;
}

enum err __wrap_seal_write(struct seal_writer *w, struct bytes plain, struct why *why)
{
    (void)w, (void)why;
    buf_put_bytes(stream.out, plain);
    return stream.out->err;
}

enum err __wrap_seal_finish(struct seal_writer *w, struct why *why)
{
    (void)w, (void)why;
    return ERR_OK;
}

void __wrap_seal_writer_free(struct seal_writer *w)
{
    (void)w;
}

/* zstd's own state is megabytes. It is made once and set back for each input. */
static ZSTD_DCtx *unpacker;
static ZSTD_CCtx *packer;
ZSTD_DCtx *__real_ZSTD_createDCtx(void);
ZSTD_CCtx *__real_ZSTD_createCCtx(void);
ZSTD_DCtx *__wrap_ZSTD_createDCtx(void);
ZSTD_CCtx *__wrap_ZSTD_createCCtx(void);
size_t __wrap_ZSTD_freeDCtx(ZSTD_DCtx *z);
size_t __wrap_ZSTD_freeCCtx(ZSTD_CCtx *z);

ZSTD_DCtx *__wrap_ZSTD_createDCtx(void)
{
    if (unpacker == NULL) unpacker = __real_ZSTD_createDCtx();
    HOLDS(unpacker != NULL && !ZSTD_isError(ZSTD_DCtx_reset(unpacker, ZSTD_reset_session_and_parameters)));
    return unpacker;
}

ZSTD_CCtx *__wrap_ZSTD_createCCtx(void)
{
    if (packer == NULL) packer = __real_ZSTD_createCCtx();
    HOLDS(packer != NULL && !ZSTD_isError(ZSTD_CCtx_reset(packer, ZSTD_reset_session_and_parameters)));
    return packer;
}

size_t __wrap_ZSTD_freeDCtx(ZSTD_DCtx *z)
{
    (void)z;
    return 0;
}

size_t __wrap_ZSTD_freeCCtx(ZSTD_CCtx *z)
{
    (void)z;
    return 0;
}

/* Read to the end, or till it is enough; what came, joined. */
static enum err read_through(struct bundle_reader *r, struct buf *out, size_t *out_n)
{
    bool end = false;
    struct bytes item;
    enum err e = ERR_OK;
    *out_n = 0;
    while (e == ERR_OK && !end && *out_n < stream.items) {
        e = bundle_next(r, &item, &end, NULL);
        if (e == ERR_OK && !end) {
            HOLDS(item.n > 0);
            buf_put_bytes(out, item);
            ++*out_n;
        }
    }
    return e;
}

/* Once, and, if asked, once more from the beginning; a bundle that failed stays failed. */
static enum err read_all(struct bytes in, struct buf *out, size_t *out_n)
{
    struct bundle_reader *r = NULL;
    struct seal_header h;
    struct buf again;
    uint8_t binding[32];
    size_t n = 0;
    enum err e = bundle_reader_new(&r, in, fuzz_me(), &h, binding, NULL);
    if (e != ERR_OK) return e;
    e = read_through(r, out, out_n);
    if (stream.twice) {
        buf_init(&again, MOST);
        bundle_rewind(r);
        HOLDS(read_through(r, &again, &n) == e);
        if (e == ERR_OK) HOLDS(n == *out_n && bytes_equal(buf_bytes(&again), buf_bytes(out)));
        buf_release(&again);
    }
    bundle_reader_free(r);
    HOLDS(e == ERR_OK || e == ERR_FORMAT || e == ERR_LIMIT || e == ERR_TAMPERED || e == ERR_REFUSED);
    return e;
}

static void raw(struct bytes in)
{
    struct buf out;
    size_t n;
    buf_init(&out, MOST);
    (void)read_all(in, &out, &n);
    buf_release(&out);
}

/* How many items, all of them good? 0: it is no sequence of items. */
static size_t count_items(struct bytes in)
{
    struct cbor_reader c;
    size_t n = 0;
    cbor_reader_init(&c, in);
    for (; c.err == ERR_OK && c.in.n > 0; n++) (void)cbor_get_item(&c);
    return c.err == ERR_OK ? n : 0;
}

/* The input as the plain content of frames of stored blocks, cut where it says: refused exactly when it is no sequence
 * of items. */
static void content(struct bytes in, uint8_t cut)
{
    struct buf framed, out;
    size_t n = 0, items = count_items(in);
    buf_init(&framed, MOST);
    buf_init(&out, MOST);
    for (size_t at = 0; at < in.n;) {
        size_t piece = in.n / 4 + (size_t)cut * 4 + 1, size = piece < in.n - at ? piece : in.n - at;
        const uint8_t head[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x08, (uint8_t)(size << 3 | 1), (uint8_t)(size >> 5), 0};
        buf_put(&framed, head, sizeof head);
        buf_put(&framed, in.p + at, size);
        at += size;
    }
    enum err e = read_all(buf_bytes(&framed), &out, &n);
    HOLDS((e == ERR_OK) == (items > 0 || in.n == 0));
    if (e == ERR_OK) HOLDS(n == items && bytes_equal(buf_bytes(&out), in));
    buf_release(&framed);
    buf_release(&out);
}

/* The input's items, written by us and read again. */
static void written(struct bytes in)
{
    static const char *const origins[] = {"", "care", "police"};
    struct bundle_writer *w = NULL;
    struct seal_header h = {.version = 1, .kind = 1};
    struct cbor_reader c;
    struct buf sealed, out;
    uint8_t binding[32] = {0};
    size_t n = 0, items = 0, whole = 0;
    buf_init(&sealed, MOST);
    buf_init(&out, MOST);
    HOLDS(bundle_writer_new(&w, &h, &fuzz_me()->pub, &sealed, binding, NULL) == ERR_OK);
    cbor_reader_init(&c, in);
    for (;; items++) {
        struct bytes item = cbor_get_item(&c);
        if (c.err != ERR_OK) break;
        HOLDS(bundle_put(w, origins[item.n % 3], item, NULL) == ERR_OK);
        whole += item.n;
    }
    in.n = whole;
    HOLDS(bundle_finish(w, NULL) == ERR_OK);
    bundle_writer_free(w);
    HOLDS(sealed.len == padme(sealed.len));
    HOLDS(read_all(buf_bytes(&sealed), &out, &n) == ERR_OK);
    HOLDS(n == items && bytes_equal(buf_bytes(&out), in));
    buf_release(&sealed);
    buf_release(&out);
}

/* A courier's file: two parts, neither empty, in one way; whatever does not say that it is such is a request as it
 * stands. */
static void courier(struct bytes in)
{
    struct bytes request, more;
    struct buf again;
    bool says = in.n >= 4 && memcmp(in.p, "SPKF", 4) == 0;
    enum err e = courier_split(in, &request, &more, NULL);
    HOLDS(e == ERR_OK || (e == ERR_FORMAT && says));
    if (e != ERR_OK) return;
    HOLDS(says ? request.n > 0 && more.n > 0 : more.n == 0 && bytes_equal(request, in));
    buf_init(&again, MOST);
    courier_put(&again, request, more);
    HOLDS(again.err == ERR_OK && bytes_equal(buf_bytes(&again), in));
    buf_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_of(data, size);
    uint8_t asked = fuzz_take(&in);
    fuzz_start();
    courier(in);
    stream.bare = (asked & 3) != 3;
    stream.twice = (asked & 64) != 0;
    stream.items = (asked & 3) == 0 || (asked & 3) == 3 ? MOST_ITEMS : SIZE_MAX;
    stream.piece = asked < 128 ? SEAL_CHUNK : 1 + (asked >> 2 & 15u);
    switch (asked & 3) {
    case 0: raw(in); break;
    case 1: content(in, fuzz_take(&in)); break;
    case 2: written(in); break;
    default: raw(in);
    }
    return 0;
}
