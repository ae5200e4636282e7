#include "crypto/seal.h"

#include "crypto/hash.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
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
    KIND_LAST = 7,
    FIRST_ROOM = 3072, /* bytes of plaintext that a writer has room for at first: one page, and most rounds fit */
};
static const uint8_t magic[4] = {'S', 'P', 'K', 'S'};

/* Stream key and plaintext stand in locked memory: one piece a stream and no larger than it need be, because to lock
 * memory and unlock it takes as long as to seal or open a small bundle. */
struct seal_room {
    crypto_secretstream_xchacha20poly1305_state state;
    uint8_t key[KEY_BYTES]; /* of the stream; wiped once it has begun */
    uint8_t plain[];        /* the frame being filled */
};

struct seal_writer {
    struct secret room;           /* a struct seal_room */
    size_t room_n;                /* bytes of its plain */
    size_t used;                  /* of these, bytes that the stream has written upon */
    struct buf *out;              /* the caller's */
    uint8_t header[HEADER_BYTES]; /* bound to the first frame */
    size_t fill;                  /* bytes waiting in plain */
    bool begun;                   /* the first frame is written */
    bool finished;                /* the last one is */
};

/* Lies whole in locked memory, for the same reason. */
struct seal_reader {
    crypto_secretstream_xchacha20poly1305_state state;
    crypto_secretstream_xchacha20poly1305_state first; /* as it was before the first frame */
    uint8_t key[KEY_BYTES];                            /* of the stream; wiped once it has begun */
    struct secret self;                                /* the memory that this struct stands in */
    struct bytes in;                                   /* the whole stream, borrowed */
    struct bytes left;                                 /* frames of it not yet read */
    struct bytes ad;                                   /* header before the first frame, empty after */
    bool finished;                                     /* FINAL has been read */
    bool failed;                                       /* a frame was not authentic; nothing more is handed out */
    size_t room;                                       /* bytes of plain */
    size_t used;                                       /* of these, bytes that the stream has written upon */
    uint8_t plain[];                                   /* the frame last opened */
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

static struct seal_room *room_of(const struct seal_writer *w)
{
    return (struct seal_room *)(void *)w->room.p;
}

/* Room for n bytes of plaintext, with all that stands in the old one. */
static enum err make_room(struct seal_writer *w, size_t n, struct why *why)
{
    struct secret room = {0};
    enum err err = secret_new(&room, sizeof(struct seal_room) + n, why);
    if (err != ERR_OK) return err;
    if (w->room.n > 0) memcpy(room.p, w->room.p, w->room.n);
    secret_release(&w->room);
    w->room = room;
    w->room_n = n;
    return ERR_OK;
}

/* Draw the stream key, write the header and begin the stream. */
static enum err begin(struct seal_writer *w, const struct identity *to, uint8_t out_binding[32], struct why *why)
{
    struct seal_room *room = room_of(w);
    crypto_secretstream_xchacha20poly1305_keygen(room->key);
    if (crypto_box_seal(w->header + AT_KEY, room->key, KEY_BYTES, to->box_pk) != 0)
        return why_set(why, ERR_FORMAT, "a public key is not sound: nothing can be sealed to it");
    (void)crypto_secretstream_xchacha20poly1305_init_push(&room->state, w->header + AT_STREAM, room->key);
    size_t before = w->out->len;
    buf_put(w->out, w->header, HEADER_BYTES);
    if (w->out->err != ERR_OK) {
        w->out->len = before;
        return why_set(why, w->out->err, "a sealed bundle is larger than there is room for");
    }
    put_binding(out_binding, room->key, w->header);
    sodium_memzero(room->key, sizeof room->key);
    return ERR_OK;
}

enum err seal_writer_new(struct seal_writer **out_w, const struct seal_header *h, const struct identity *to,
                         struct buf *out, uint8_t out_binding[32], struct why *why)
{
    assert(h->kind >= 1 && h->kind <= KIND_LAST);
    struct seal_writer *w = calloc(1, sizeof *w);
    if (w == NULL) return why_set(why, ERR_NOMEM, "there is not enough memory to seal a bundle");
    w->out = out;
    put_clear(w->header, h, to);
    enum err err = make_room(w, FIRST_ROOM, why);
    if (err == ERR_OK) err = begin(w, to, out_binding, why);
    if (err == ERR_OK)
        *out_w = w;
    else
        seal_writer_free(w);
    return err;
}

static enum err put_frame(struct seal_writer *w, uint8_t tag, struct why *why)
{
    struct seal_room *room = room_of(w);
    uint8_t *at = buf_grow(w->out, w->fill + FRAME_EXTRA);
    if (at == NULL) return why_set(why, w->out->err, "a sealed bundle is larger than there is room for");
    (void)crypto_secretstream_xchacha20poly1305_push(&room->state, at, NULL, room->plain, w->fill,
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
        enum err err = ERR_OK;
        if (w->fill == SEAL_CHUNK)
            err = put_frame(w, crypto_secretstream_xchacha20poly1305_TAG_MESSAGE, why);
        else if (w->fill == w->room_n)
            err = make_room(w, SEAL_CHUNK, why);
        if (err != ERR_OK) return err;
        size_t n = w->room_n - w->fill;
        if (n > plain.n) n = plain.n;
        memcpy(room_of(w)->plain + w->fill, plain.p, n);
        w->fill += n;
        if (w->fill > w->used) w->used = w->fill;
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
    secret_release(&w->room);
    free(w);
}

void seal_writer_rest(struct seal_writer *w)
{
    if (w == NULL) return;
    sodium_memzero(w->room.p, sizeof(struct seal_room) + w->used);
    w->out = NULL;
    w->fill = w->used = 0;
    w->begun = w->finished = false;
}

enum err seal_writer_again(struct seal_writer *w, const struct seal_header *h, const struct identity *to,
                           struct buf *out, uint8_t out_binding[32], struct why *why)
{
    assert(h->kind >= 1 && h->kind <= KIND_LAST && w->out == NULL);
    w->out = out;
    put_clear(w->header, h, to);
    enum err err = begin(w, to, out_binding, why);
    if (err != ERR_OK) seal_writer_rest(w);
    return err;
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

static enum err look_at(struct bytes in, const struct identity_secret *me, struct seal_header *out, struct why *why)
{
    enum err err = seal_peek(in, out, why);
    if (err == ERR_OK && memcmp(out->recipient, me->pub.kid, KID_BYTES) != 0)
        err = why_set(why, ERR_REFUSED, "this bundle was made for another device and cannot be opened here");
    return err;
}

/* No frame of it is larger. Locked memory ends at a page's edge: a round number keeps its beginning aligned. */
static size_t room_for(struct bytes in)
{
    return in.n < SEAL_CHUNK ? (in.n | 15) + 1 : SEAL_CHUNK;
}

static enum err make_reader(struct seal_reader **out, size_t room, struct why *why)
{
    struct secret mem = {0};
    enum err err = secret_new(&mem, sizeof(struct seal_reader) + room, why);
    if (err != ERR_OK) return err;
    struct seal_reader *r = (struct seal_reader *)(void *)mem.p;
    r->self = mem;
    r->room = room;
    *out = r;
    return ERR_OK;
}

/* With a reader that is new or at rest; where it fails, it is at rest. */
static enum err open_stream(struct seal_reader *r, struct bytes in, const struct identity_secret *me,
                            uint8_t out_binding[32], struct why *why)
{
    if (crypto_box_seal_open(r->key, in.p + AT_KEY, AT_STREAM - AT_KEY, me->pub.box_pk, me->keys.p + 64) != 0 ||
        crypto_secretstream_xchacha20poly1305_init_pull(&r->first, in.p + AT_STREAM, r->key) != 0) {
        seal_reader_rest(r);
        return tampered(why);
    }
    put_binding(out_binding, r->key, in.p);
    sodium_memzero(r->key, sizeof r->key);
    r->in = in;
    seal_rewind(r);
    return ERR_OK;
}

enum err seal_reader_new(struct seal_reader **out_r, struct bytes in, const struct identity_secret *me,
                         struct seal_header *out_h, uint8_t out_binding[32], struct why *why)
{
    struct seal_reader *r = NULL;
    struct seal_header h;
    enum err err = look_at(in, me, &h, why);
    if (err == ERR_OK) err = make_reader(&r, room_for(in), why);
    if (err == ERR_OK) err = open_stream(r, in, me, out_binding, why);
    if (err != ERR_OK) {
        seal_reader_free(r);
        return err;
    }
    *out_h = h;
    *out_r = r;
    return ERR_OK;
}

void seal_rewind(struct seal_reader *r)
{
    r->state = r->first;
    r->ad = bytes_of(r->in.p, HEADER_BYTES);
    r->left = bytes_of(r->in.p + HEADER_BYTES, r->in.n - HEADER_BYTES);
    r->finished = false;
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
    if (n > r->used) r->used = n < r->room ? n : r->room;
    uint8_t want =
        last ? crypto_secretstream_xchacha20poly1305_TAG_FINAL : crypto_secretstream_xchacha20poly1305_TAG_MESSAGE;
    uint8_t tag = 0;
    if (n < FRAME_EXTRA ||
        crypto_secretstream_xchacha20poly1305_pull(&r->state, r->plain, NULL, &tag, r->left.p, n, r->ad.p, r->ad.n) !=
            0 ||
        tag != want) {
        r->failed = true;
        sodium_memzero(r->plain, r->room);
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

void seal_reader_rest(struct seal_reader *r)
{
    if (r == NULL) return;
    struct secret mem = r->self;
    size_t room = r->room;
    sodium_memzero(r, sizeof *r + r->used);
    r->self = mem;
    r->room = room;
}

enum err seal_reader_again(struct seal_reader **inout_r, struct bytes in, const struct identity_secret *me,
                           struct seal_header *out_h, uint8_t out_binding[32], struct why *why)
{
    struct seal_reader *r = *inout_r, *larger = NULL;
    struct seal_header h;
    enum err err = look_at(in, me, &h, why);
    if (err == ERR_OK && room_for(in) > r->room) {
        err = make_reader(&larger, room_for(in), why);
        if (err != ERR_OK) return err;
        seal_reader_free(r);
        *inout_r = r = larger;
    }
    if (err == ERR_OK) err = open_stream(r, in, me, out_binding, why);
    if (err == ERR_OK) *out_h = h;
    return err;
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
