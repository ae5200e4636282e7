#include "crypto/hash.h"
#include "sync/bundle_format.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

enum { LEVEL = 3, PIECE = BUNDLE_RATIO_FREE };
/* A frame is ended before a piece could carry it past half the ratio that readers bear. Somebody may paste a megabyte
 * of blanks: that must not make a bundle which its reader takes for a bomb, and which therefore never arrives. */
enum { RATIO_KEPT = BUNDLE_MAX_RATIO / 2 };

struct bundle_writer {
    struct seal_writer *seal;
    ZSTD_CCtx *zstd;
    struct buf *out; /* the caller's */
    size_t start;    /* length of out before the bundle */
    uint64_t plain;  /* bytes put so far */
    uint64_t packed; /* bytes written into the seal so far */
    bool in_frame;
    uint64_t frame_plain; /* of the running frame */
    uint64_t frame_packed;
    uint8_t origin[HASH_BYTES]; /* hash of the running frame's origin */
    enum err err;               /* sticky: half a bundle is never finished */
    uint8_t room[PIECE];        /* compressed bytes on their way into the seal */
};

uint64_t padme(uint64_t n)
{
    if (n < 2) return n;
    unsigned e = 63u - (unsigned)__builtin_clzll(n);
    unsigned s = 32u - (unsigned)__builtin_clz(e | 1u); /* floor(log2 e) + 1 */
    uint64_t mask = ((uint64_t)1 << (e > s ? e - s : 0)) - 1;
    return n > UINT64_MAX - mask ? n : (n + mask) & ~mask;
}

static enum err no_memory(struct why *why)
{
    return why_set(why, ERR_NOMEM, "There is not enough memory to pack a bundle.");
}

static enum err too_large(struct why *why)
{
    return why_set(why, ERR_LIMIT, "This does not fit into one bundle.");
}

enum err bundle_writer_new(struct bundle_writer **out_w, const struct seal_header *h, const struct identity *to,
                           struct buf *out, uint8_t out_binding[32], struct why *why)
{
    struct bundle_writer *w = calloc(1, sizeof *w);
    if (w == NULL) return no_memory(why);
    enum err e = ERR_OK;
    w->out = out;
    w->start = out->len;
    w->zstd = ZSTD_createCCtx();
    if (w->zstd == NULL || ZSTD_isError(ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_compressionLevel, LEVEL)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_windowLog, BUNDLE_WINDOW_LOG))) {
        e = no_memory(why);
        goto out;
    }
    e = seal_writer_new(&w->seal, h, to, out, out_binding, why);
    if (e != ERR_OK) goto out;
    *out_w = w;
    w = NULL;
out:
    bundle_writer_free(w);
    return e;
}

static enum err fail(struct bundle_writer *w, enum err e)
{
    w->err = e;
    return e;
}

static enum err put_sealed(struct bundle_writer *w, struct bytes v, struct why *why)
{
    enum err e = seal_write(w->seal, v, why);
    if (e != ERR_OK) return fail(w, e);
    w->packed += v.n;
    if (w->out->len - w->start > BUNDLE_MAX || w->packed > BUNDLE_MAX) return fail(w, too_large(why));
    return ERR_OK;
}

/* Feed `in` whole and, with flush or end, fetch all that zstd holds back. */
static enum err compress(struct bundle_writer *w, struct bytes in, ZSTD_EndDirective how, struct why *why)
{
    ZSTD_inBuffer from = {in.p, in.n, 0};
    size_t more;
    do {
        ZSTD_outBuffer to = {w->room, sizeof w->room, 0};
        more = ZSTD_compressStream2(w->zstd, &to, &from, how);
        if (ZSTD_isError(more)) return fail(w, no_memory(why));
        enum err e = put_sealed(w, bytes_of(w->room, to.pos), why);
        if (e != ERR_OK) return e;
        w->frame_packed += to.pos;
    } while (from.pos < from.size || (how != ZSTD_e_continue && more > 0));
    return ERR_OK;
}

static enum err end_frame(struct bundle_writer *w, struct why *why)
{
    if (!w->in_frame) return ERR_OK;
    w->in_frame = false;
    enum err e = compress(w, (struct bytes){0}, ZSTD_e_end, why);
    w->frame_plain = 0;
    w->frame_packed = 0;
    return e;
}

static bool too_dense(const struct bundle_writer *w, size_t more)
{
    uint64_t plain = w->frame_plain + more;
    return plain > BUNDLE_RATIO_FREE && plain > RATIO_KEPT * w->frame_packed;
}

static enum err put_piece(struct bundle_writer *w, struct bytes piece, struct why *why)
{
    enum err e = ERR_OK;
    if (too_dense(w, piece.n)) /* as it seems: zstd may only be holding back what it has compressed */
        e = compress(w, (struct bytes){0}, ZSTD_e_flush, why);
    if (e == ERR_OK && too_dense(w, piece.n)) e = end_frame(w, why);
    if (e != ERR_OK) return e;
    w->in_frame = true;
    w->frame_plain += piece.n;
    return compress(w, piece, ZSTD_e_continue, why);
}

enum err bundle_put(struct bundle_writer *w, const char *origin, struct bytes item, struct why *why)
{
    uint8_t hash[HASH_BYTES];
    if (w->err != ERR_OK) return why_set(why, w->err, "The bundle could not be packed.");
    if (item.n > BUNDLE_MAX_ITEM || item.n > BUNDLE_MAX_PLAIN - w->plain)
        return too_large(why); /* nothing was written: the caller may end the bundle here */
    hash_blake2b(hash, bytes_of_str(origin));
    if (memcmp(hash, w->origin, sizeof hash) != 0) {
        enum err e = end_frame(w, why);
        if (e != ERR_OK) return e;
    }
    memcpy(w->origin, hash, sizeof hash);
    w->plain += item.n;
    while (item.n > 0) {
        size_t n = item.n < PIECE ? item.n : PIECE;
        enum err e = put_piece(w, bytes_of(item.p, n), why);
        if (e != ERR_OK) return e;
        item = bytes_of(item.p + n, item.n - n);
    }
    return ERR_OK;
}

/* One skippable frame of zeros up to a Padmé size of what is sealed; the size of the whole follows from that alone. */
static enum err put_padding(struct bundle_writer *w, struct why *why)
{
    static const uint8_t zeros[512];
    uint64_t target = padme(w->packed);
    if (target == w->packed) return ERR_OK;
    target = padme(w->packed + BUNDLE_PAD_HEAD);
    uint64_t left = target - w->packed - BUNDLE_PAD_HEAD;
    uint8_t head[BUNDLE_PAD_HEAD];
    for (unsigned i = 0; i < 4; i++) {
        head[i] = (uint8_t)(BUNDLE_PAD_MAGIC >> (8 * i));
        head[4 + i] = (uint8_t)(left >> (8 * i));
    }
    enum err e = put_sealed(w, bytes_of(head, sizeof head), why);
    while (e == ERR_OK && left > 0) {
        size_t n = left < sizeof zeros ? (size_t)left : sizeof zeros;
        e = put_sealed(w, bytes_of(zeros, n), why);
        left -= n;
    }
    return e;
}

enum err bundle_finish(struct bundle_writer *w, struct why *why)
{
    if (w->err != ERR_OK) return why_set(why, w->err, "The bundle could not be packed.");
    enum err e = end_frame(w, why);
    if (e == ERR_OK) e = put_padding(w, why);
    if (e == ERR_OK) e = seal_finish(w->seal, why);
    if (e == ERR_OK && w->out->len - w->start > BUNDLE_MAX) e = too_large(why);
    if (e != ERR_OK) return fail(w, e);
    w->err = ERR_FAILED; /* a finished bundle takes nothing more */
    return ERR_OK;
}

/* zstd may refer to nothing from before its frame began, so that no bundle is packed by what stood in another. */
void bundle_writer_rest(struct bundle_writer *w)
{
    if (w == NULL) return;
    struct seal_writer *seal = w->seal;
    ZSTD_CCtx *zstd = w->zstd;
    seal_writer_rest(seal);
    (void)ZSTD_CCtx_reset(zstd, ZSTD_reset_session_only); /* this one cannot fail */
    explicit_bzero(w, sizeof *w);
    w->seal = seal;
    w->zstd = zstd;
}

enum err bundle_writer_again(struct bundle_writer *w, const struct seal_header *h, const struct identity *to,
                             struct buf *out, uint8_t out_binding[32], struct why *why)
{
    w->out = out;
    w->start = out->len;
    return seal_writer_again(w->seal, h, to, out, out_binding, why);
}

void bundle_writer_free(struct bundle_writer *w)
{
    if (w == NULL) return;
    seal_writer_free(w->seal);
    (void)ZSTD_freeCCtx(w->zstd);
    explicit_bzero(w, sizeof *w);
    free(w);
}
