#include "base/cbor.h"
#include "sync/bundle_format.h"
#include "sync/bundle_item.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

enum { ITEM_KEEP = 1u << 20 }; /* a larger item's memory is given back at once */

/* Where in the stream of frames the next sealed byte stands. */
enum place { PLACE_HEAD, PLACE_FRAME, PLACE_PAD };

struct bundle_reader {
    struct seal_reader *seal;
    ZSTD_DCtx *zstd;
    struct bytes sealed; /* opened, not yet looked at; borrowed from seal */
    bool last;           /* it is the last of the seal */
    enum place place;
    uint8_t head[BUNDLE_PAD_HEAD]; /* magic, and length of padding, gathered byte by byte */
    size_t head_n;
    uint64_t pad_left;
    bool padded; /* padding has been seen: only it may follow */
    uint64_t frame_plain;
    uint64_t frame_packed;
    uint64_t plain;
    bool more_inside;   /* zstd filled the window: it may hold more */
    struct bytes ready; /* plain bytes in window not yet given out */
    struct item_scan scan;
    bool known;      /* the first item has been given out */
    struct buf item; /* an item that did not fit the window */
    enum err err;    /* sticky */
    uint8_t window[64u << 10];
};

static enum err broken(struct why *why)
{
    return why_set(why, ERR_FORMAT,
                   "The content of this bundle is not in the form that it should have. "
                   "Nothing from it was used.");
}

static enum err bomb(struct why *why)
{
    return why_set(why, ERR_LIMIT, "This bundle would unpack to more than any bundle should. It was not used.");
}

enum err bundle_reader_new(struct bundle_reader **out_r, struct bytes in, const struct identity_secret *me,
                           struct seal_header *out_h, uint8_t out_binding[32], struct why *why)
{
    if (in.n > BUNDLE_MAX)
        return why_set(why, ERR_LIMIT, "This bundle is larger than any bundle should be. It was not used.");
    struct bundle_reader *r = calloc(1, sizeof *r);
    if (r == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to open this bundle.");
    enum err e = ERR_OK;
    buf_init(&r->item, BUNDLE_MAX_ITEM);
    r->zstd = ZSTD_createDCtx();
    if (r->zstd == NULL || ZSTD_isError(ZSTD_DCtx_setParameter(r->zstd, ZSTD_d_windowLogMax, BUNDLE_WINDOW_LOG))) {
        e = why_set(why, ERR_NOMEM, "There is not enough memory to open this bundle.");
        goto out;
    }
    e = seal_reader_new(&r->seal, in, me, out_h, out_binding, why);
    if (e != ERR_OK) goto out;
    *out_r = r;
    r = NULL;
out:
    bundle_reader_free(r);
    return e;
}

static uint32_t le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void drop_sealed(struct bundle_reader *r, size_t n)
{
    if (n > 0) r->sealed = bytes_of(r->sealed.p + n, r->sealed.n - n);
}

/* One call of zstd over n bytes at `from`; what comes out lies in window. *out_done when the frame has ended. */
static enum err unpack(struct bundle_reader *r, struct bytes from, size_t *out_used, bool *out_done, struct why *why)
{
    ZSTD_inBuffer in = {from.p, from.n, 0};
    ZSTD_outBuffer out = {r->window, sizeof r->window, 0};
    size_t left = ZSTD_decompressStream(r->zstd, &out, &in);
    if (ZSTD_isError(left)) {
        return ZSTD_getErrorCode(left) == ZSTD_error_frameParameter_windowTooLarge ? bomb(why) : broken(why);
    }
    r->frame_packed += in.pos;
    r->frame_plain += out.pos;
    r->plain += out.pos;
    r->ready = bytes_of(r->window, out.pos);
    r->more_inside = out.pos == sizeof r->window && left != 0;
    if (r->plain > BUNDLE_MAX_PLAIN ||
        (r->frame_plain > BUNDLE_RATIO_FREE && r->frame_plain > BUNDLE_MAX_RATIO * r->frame_packed))
        return bomb(why);
    *out_used = in.pos;
    *out_done = left == 0;
    return ERR_OK;
}

/* The four bytes that say what comes next are judged here, never by zstd: it would skip any skippable frame anywhere,
 * and some builds would try formats of old. */
static enum err begin_frame(struct bundle_reader *r, struct why *why)
{
    size_t used;
    bool done;
    r->frame_plain = 0;
    r->frame_packed = 0;
    r->place = PLACE_FRAME;
    r->head_n = 0;
    enum err e = unpack(r, bytes_of(r->head, 4), &used, &done, why);
    return e == ERR_OK && (used != 4 || done) ? broken(why) : e;
}

static enum err take_head(struct bundle_reader *r, struct why *why)
{
    r->head[r->head_n++] = r->sealed.p[0];
    drop_sealed(r, 1);
    if (r->head_n < 4) return ERR_OK;
    uint32_t magic = le32(r->head);
    if (r->padded || (magic != BUNDLE_FRAME_MAGIC && magic != BUNDLE_PAD_MAGIC)) return broken(why);
    if (magic == BUNDLE_FRAME_MAGIC) return begin_frame(r, why);
    if (r->head_n < BUNDLE_PAD_HEAD) return ERR_OK;
    r->pad_left = le32(r->head + 4);
    r->padded = true;
    r->head_n = 0;
    r->place = r->pad_left > 0 ? PLACE_PAD : PLACE_HEAD;
    return ERR_OK;
}

static enum err take_pad(struct bundle_reader *r, struct why *why)
{
    size_t n = r->pad_left < r->sealed.n ? (size_t)r->pad_left : r->sealed.n;
    for (size_t i = 0; i < n; i++) {
        if (r->sealed.p[i] != 0) /* padding must not carry anything */
            return broken(why);
    }
    drop_sealed(r, n);
    r->pad_left -= n;
    if (r->pad_left == 0) r->place = PLACE_HEAD;
    return ERR_OK;
}

static enum err take_frame(struct bundle_reader *r, struct why *why)
{
    size_t used = 0;
    bool done = false;
    enum err e = unpack(r, r->sealed, &used, &done, why);
    if (e != ERR_OK) return e;
    drop_sealed(r, used);
    if (!done) /* no way on is no reason to try for ever */
        return used == 0 && r->ready.n == 0 && r->sealed.n > 0 ? broken(why) : ERR_OK;
    r->place = PLACE_HEAD;
    return r->frame_plain > 0 ? ERR_OK : broken(why); /* empty frames would be work for nothing */
}

/* Get plain bytes into r->ready; *out_end when there are none left and all is as it should be. */
static enum err refill(struct bundle_reader *r, bool *out_end, struct why *why)
{
    enum err e = ERR_OK;
    while (e == ERR_OK && r->ready.n == 0) {
        if (r->sealed.n == 0 && !r->more_inside) {
            if (r->last) {
                *out_end = true;
                return r->place == PLACE_HEAD && r->head_n == 0 ? ERR_OK : broken(why);
            }
            e = seal_read(r->seal, &r->sealed, &r->last, why);
        } else if (r->place == PLACE_HEAD) {
            e = take_head(r, why);
        } else if (r->place == PLACE_PAD) {
            e = take_pad(r, why);
        } else {
            e = take_frame(r, why);
        }
    }
    return e;
}

/* A whole item, exactly one, strictly deterministic. */
static enum err judge(struct bytes item, struct bytes *out_item, struct why *why)
{
    struct cbor_reader c;
    cbor_reader_init(&c, item);
    (void)cbor_get_item(&c);
    if (!cbor_at_end(&c)) return broken(why);
    *out_item = item;
    return ERR_OK;
}

/* Take from r->ready what belongs to the running item; *out_item is set when it is whole. An item that lies whole in
 * the window is handed out from there. */
static enum err gather(struct bundle_reader *r, struct bytes *out_item, struct why *why)
{
    bool whole, ok;
    struct bytes taken = r->ready;
    /* anybody can seal to a public key: until the hello has said who this is, little memory is spent on them */
    size_t max = r->known ? BUNDLE_MAX_ITEM : BUNDLE_MAX_FIRST;
    taken.n = item_scan_take(&r->scan, r->ready, max, &whole, &ok);
    if (!ok) return broken(why);
    if (taken.n > max - r->item.len) return bomb(why);
    r->ready = bytes_of(r->ready.p + taken.n, r->ready.n - taken.n);
    if (whole && r->item.len == 0) return judge(taken, out_item, why);
    buf_put_bytes(&r->item, taken);
    if (r->item.err != ERR_OK)
        return r->item.err == ERR_LIMIT ? bomb(why) : why_set(why, r->item.err, "There is not enough memory.");
    return whole ? judge(buf_bytes(&r->item), out_item, why) : ERR_OK;
}

static enum err next(struct bundle_reader *r, struct bytes *out_item, bool *out_end, struct why *why)
{
    for (;;) {
        enum err e = refill(r, out_end, why);
        if (e == ERR_OK && *out_end && r->scan.begun) e = broken(why); /* the sender sealed half an item */
        if (e != ERR_OK || *out_end) return e;
        e = gather(r, out_item, why);
        if (e != ERR_OK || out_item->n > 0) return e;
    }
}

enum err bundle_next(struct bundle_reader *r, struct bytes *out_item, bool *out_end, struct why *why)
{
    struct bytes item = {0};
    bool end = false;
    if (r->err != ERR_OK) return why_set(why, r->err, "This bundle could not be read. Nothing from it was used.");
    if (r->item.cap > ITEM_KEEP) buf_release(&r->item);
    buf_reset(&r->item);
    r->err = next(r, &item, &end, why);
    if (r->err != ERR_OK) return r->err;
    r->known = true;
    *out_item = item;
    *out_end = end;
    return ERR_OK;
}

/* All but the seal. */
static void rewind_packed(struct bundle_reader *r)
{
    (void)ZSTD_DCtx_reset(r->zstd, ZSTD_reset_session_only); /* this one cannot fail */
    r->sealed = r->ready = (struct bytes){0};
    r->last = r->padded = r->more_inside = r->known = false;
    r->place = PLACE_HEAD;
    r->head_n = 0;
    r->pad_left = r->frame_plain = r->frame_packed = r->plain = 0;
    r->scan = (struct item_scan){0};
}

void bundle_rewind(struct bundle_reader *r)
{
    seal_rewind(r->seal);
    rewind_packed(r);
}

void bundle_reader_rest(struct bundle_reader *r)
{
    if (r == NULL) return;
    seal_reader_rest(r->seal);
    rewind_packed(r);
    buf_release(&r->item); /* few need it, and to wipe what a large one took would be paid by all that follow */
    explicit_bzero(r->window, sizeof r->window);
    r->err = ERR_OK;
}

enum err bundle_reader_again(struct bundle_reader *r, struct bytes in, const struct identity_secret *me,
                             struct seal_header *out_h, uint8_t out_binding[32], struct why *why)
{
    if (in.n > BUNDLE_MAX)
        return why_set(why, ERR_LIMIT, "This bundle is larger than any bundle should be. It was not used.");
    return seal_reader_again(&r->seal, in, me, out_h, out_binding, why);
}

void bundle_reader_free(struct bundle_reader *r)
{
    if (r == NULL) return;
    seal_reader_free(r->seal);
    (void)ZSTD_freeDCtx(r->zstd);
    buf_release(&r->item);
    explicit_bzero(r, sizeof *r);
    free(r);
}
