#include "crypto/seal.h"

#include "crypto/hash.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

/* FORMAT.md §3. */
#define KEY_BYTES   crypto_secretstream_xchacha20poly1305_KEYBYTES
#define FRAME_EXTRA crypto_secretstream_xchacha20poly1305_ABYTES
enum {
    AT_VERSION = 4,
    AT_KIND = 5,
    AT_RECIPIENT = 6,
    AT_SENDER = AT_RECIPIENT + KID_BYTES,
    AT_KEY = AT_SENDER + KID_BYTES,
    AT_STREAM = AT_KEY + KEY_BYTES + crypto_box_SEALBYTES,
    HEADER_BYTES = AT_STREAM + crypto_secretstream_xchacha20poly1305_HEADERBYTES,
    FRAME_BYTES = SEAL_CHUNK + FRAME_EXTRA,
    VERSION = 1,
    KIND_LAST = 4,
};
static const uint8_t magic[4] = {'S', 'P', 'K', 'S'};

/* Writer and reader lie whole in locked memory: they hold the stream key and plaintext. */
struct seal_writer {
    crypto_secretstream_xchacha20poly1305_state state;
    struct secret self;           /* the memory that this struct stands in */
    struct buf *out;              /* the caller's */
    uint8_t header[HEADER_BYTES]; /* bound to the first frame */
    size_t fill;                  /* bytes waiting in plain */
    bool begun;                   /* the first frame is written */
    bool finished;                /* the last one is */
    uint8_t plain[SEAL_CHUNK];    /* the frame being filled */
};

struct seal_reader {
    crypto_secretstream_xchacha20poly1305_state state;
    struct secret self;        /* the memory that this struct stands in */
    struct bytes left;         /* frames not yet read, borrowed */
    struct bytes ad;           /* header before the first frame, empty after */
    bool finished;             /* FINAL has been read */
    bool failed;               /* a frame was not authentic; nothing more is handed out */
    uint8_t plain[SEAL_CHUNK]; /* the frame last opened */
};

static void put_binding(uint8_t out[32], const uint8_t *stream_key, const uint8_t header[HEADER_BYTES])
{
    uint8_t both[KEY_BYTES + HEADER_BYTES];
    memcpy(both, stream_key, KEY_BYTES);
    memcpy(both + KEY_BYTES, header, HEADER_BYTES);
    hash_labelled(out, "spoke/stream/1", bytes_of(both, sizeof both));
    sodium_memzero(both, sizeof both);
}

/* The part of the header that is in clear. The recipient is `to`, whoever the caller's header names: a header that
 * names one and a key sealed to another would be refused by both. */
static void put_clear(uint8_t header[HEADER_BYTES], const struct seal_header *h, const struct identity *to)
{
    memcpy(header, magic, sizeof magic);
    header[AT_VERSION] = VERSION;
    header[AT_KIND] = h->kind;
    memcpy(header + AT_RECIPIENT, to->kid, KID_BYTES);
    memcpy(header + AT_SENDER, h->sender, KID_BYTES);
}

enum err seal_writer_new(struct seal_writer **out_w, const struct seal_header *h, const struct identity *to,
                         struct buf *out, uint8_t out_binding[32], struct why *why)
{
    struct secret mem = {0}, key = {0};
    size_t before = out->len;
    assert(h->kind >= 1 && h->kind <= KIND_LAST);
    enum err err = secret_new(&mem, sizeof(struct seal_writer), why);
    if (err != ERR_OK) goto out;
    err = secret_new(&key, KEY_BYTES, why);
    if (err != ERR_OK) goto out;
    struct seal_writer *w = (struct seal_writer *)(void *)mem.p;
    crypto_secretstream_xchacha20poly1305_keygen(key.p);
    put_clear(w->header, h, to);
    if (crypto_box_seal(w->header + AT_KEY, key.p, KEY_BYTES, to->box_pk) != 0) {
        err = why_set(why, ERR_FORMAT, "a public key is not sound: nothing can be sealed to it");
        goto out;
    }
    (void)crypto_secretstream_xchacha20poly1305_init_push(&w->state, w->header + AT_STREAM, key.p);
    buf_put(out, w->header, HEADER_BYTES);
    err = out->err;
    if (err != ERR_OK) {
        out->len = before;
        (void)why_set(why, err, "a sealed bundle is larger than there is room for");
        goto out;
    }
    put_binding(out_binding, key.p, w->header);
    w->self = mem;
    w->out = out;
    *out_w = w;
    mem = (struct secret){0};
out:
    secret_release(&key);
    secret_release(&mem);
    return err;
}

static enum err put_frame(struct seal_writer *w, uint8_t tag, struct why *why)
{
    uint8_t *at = buf_grow(w->out, w->fill + FRAME_EXTRA);
    if (at == NULL) return why_set(why, w->out->err, "a sealed bundle is larger than there is room for");
    (void)crypto_secretstream_xchacha20poly1305_push(&w->state, at, NULL, w->plain, w->fill,
                                                     w->begun ? NULL : w->header, w->begun ? 0 : HEADER_BYTES, tag);
    w->begun = true;
    w->fill = 0;
    return ERR_OK;
}

/* A full frame waits until more comes, for only then is it known not to be the last. */
enum err seal_write(struct seal_writer *w, struct bytes plain, struct why *why)
{
    assert(!w->finished);
    while (plain.n > 0) {
        if (w->fill == SEAL_CHUNK) {
            enum err err = put_frame(w, crypto_secretstream_xchacha20poly1305_TAG_MESSAGE, why);
            if (err != ERR_OK) return err;
        }
        size_t n = SEAL_CHUNK - w->fill;
        if (n > plain.n) n = plain.n;
        memcpy(w->plain + w->fill, plain.p, n);
        w->fill += n;
        plain.p += n;
        plain.n -= n;
    }
    return ERR_OK;
}

enum err seal_finish(struct seal_writer *w, struct why *why)
{
    assert(!w->finished);
    enum err err = put_frame(w, crypto_secretstream_xchacha20poly1305_TAG_FINAL, why);
    if (err == ERR_OK) w->finished = true;
    return err;
}

void seal_writer_free(struct seal_writer *w)
{
    if (w == NULL) return;
    struct secret mem = w->self; /* w lies inside what is released */
    secret_release(&mem);
}

enum err seal_peek(struct bytes in, struct seal_header *out, struct why *why)
{
    if (in.n < HEADER_BYTES || memcmp(in.p, magic, sizeof magic) != 0)
        return why_set(why, ERR_FORMAT, "this is not a Spoke bundle, or only the beginning of one");
    if (in.p[AT_VERSION] != VERSION)
        return why_set(why, ERR_FORMAT, "this bundle has a form (%u) that this version of Spoke does not know",
                       in.p[AT_VERSION]);
    if (in.p[AT_KIND] < 1 || in.p[AT_KIND] > KIND_LAST)
        return why_set(why, ERR_FORMAT, "this bundle is of a kind (%u) that this version of Spoke does not know",
                       in.p[AT_KIND]);
    out->version = in.p[AT_VERSION];
    out->kind = in.p[AT_KIND];
    memcpy(out->recipient, in.p + AT_RECIPIENT, KID_BYTES);
    memcpy(out->sender, in.p + AT_SENDER, KID_BYTES);
    return ERR_OK;
}

static enum err tampered(struct why *why)
{
    (void)why_set(why, ERR_TAMPERED,
                  "this bundle was damaged or changed on the way, or its end is missing; "
                  "nothing from it was used");
    return why_next(why, ERR_TAMPERED, "Fetch or copy it again. If it fails again, tell your administrator.");
}

enum err seal_reader_new(struct seal_reader **out_r, struct bytes in, const struct identity_secret *me,
                         struct seal_header *out_h, uint8_t out_binding[32], struct why *why)
{
    struct secret mem = {0}, key = {0};
    struct seal_header h;
    enum err err = seal_peek(in, &h, why);
    if (err != ERR_OK) return err;
    if (memcmp(h.recipient, me->pub.kid, KID_BYTES) != 0)
        return why_set(why, ERR_REFUSED, "this bundle was made for another device and cannot be opened here");
    err = secret_new(&mem, sizeof(struct seal_reader), why);
    if (err != ERR_OK) goto out;
    err = secret_new(&key, KEY_BYTES, why);
    if (err != ERR_OK) goto out;
    struct seal_reader *r = (struct seal_reader *)(void *)mem.p;
    if (crypto_box_seal_open(key.p, in.p + AT_KEY, AT_STREAM - AT_KEY, me->pub.box_pk, me->keys.p + 64) != 0 ||
        crypto_secretstream_xchacha20poly1305_init_pull(&r->state, in.p + AT_STREAM, key.p) != 0) {
        err = tampered(why);
        goto out;
    }
    r->self = mem;
    r->ad = bytes_of(in.p, HEADER_BYTES);
    r->left = bytes_of(in.p + HEADER_BYTES, in.n - HEADER_BYTES);
    put_binding(out_binding, key.p, in.p);
    *out_h = h;
    *out_r = r;
    mem = (struct secret){0};
out:
    secret_release(&key);
    secret_release(&mem);
    return err;
}

/* Every frame but the last is exactly FRAME_BYTES long, so the tag must say FINAL exactly where the stream ends:
 * a stream cut at a frame's edge, or with bytes after its end, fails like any other change. */
enum err seal_read(struct seal_reader *r, struct bytes *out_plain, bool *out_final, struct why *why)
{
    if (r->failed) return tampered(why);
    if (r->finished) {
        *out_plain = (struct bytes){0};
        *out_final = true;
        return ERR_OK;
    }
    bool last = r->left.n <= FRAME_BYTES;
    size_t n = last ? r->left.n : FRAME_BYTES;
    uint8_t want =
        last ? crypto_secretstream_xchacha20poly1305_TAG_FINAL : crypto_secretstream_xchacha20poly1305_TAG_MESSAGE;
    uint8_t tag = 0;
    if (n < FRAME_EXTRA ||
        crypto_secretstream_xchacha20poly1305_pull(&r->state, r->plain, NULL, &tag, r->left.p, n, r->ad.p, r->ad.n) !=
            0 ||
        tag != want) {
        r->failed = true;
        sodium_memzero(r->plain, sizeof r->plain);
        return tampered(why);
    }
    r->left = bytes_of(r->left.p + n, r->left.n - n);
    r->ad = (struct bytes){0};
    r->finished = last;
    *out_plain = bytes_of(r->plain, n - FRAME_EXTRA);
    *out_final = last;
    return ERR_OK;
}

void seal_reader_free(struct seal_reader *r)
{
    if (r == NULL) return;
    struct secret mem = r->self; /* r lies inside what is released */
    secret_release(&mem);
}

enum err seal_box(struct bytes plain, const uint8_t box_pk[32], struct buf *out, struct why *why)
{
    size_t before = out->len;
    uint8_t *at = plain.n > SIZE_MAX - crypto_box_SEALBYTES ? NULL : buf_grow(out, plain.n + crypto_box_SEALBYTES);
    if (at == NULL)
        return why_set(why, out->err == ERR_OK ? ERR_LIMIT : out->err, "there is no room for a sealed message");
    if (crypto_box_seal(at, plain.p, plain.n, box_pk) != 0) {
        out->len = before;
        return why_set(why, ERR_FORMAT, "a public key is not sound: nothing can be sealed to it");
    }
    return ERR_OK;
}

enum err seal_box_open(struct bytes sealed, const struct identity_secret *me, struct buf *out, struct why *why)
{
    size_t before = out->len;
    if (sealed.n < crypto_box_SEALBYTES)
        return why_set(why, ERR_TAMPERED, "a sealed message was damaged, changed, or made for someone else");
    uint8_t *at = buf_grow(out, sealed.n - crypto_box_SEALBYTES);
    if (at == NULL) return why_set(why, out->err, "there is no room for a sealed message");
    if (crypto_box_seal_open(at, sealed.p, sealed.n, me->pub.box_pk, me->keys.p + 64) != 0) {
        sodium_memzero(at, sealed.n - crypto_box_SEALBYTES);
        out->len = before;
        return why_set(why, ERR_TAMPERED, "a sealed message was damaged, changed, or made for someone else");
    }
    return ERR_OK;
}
