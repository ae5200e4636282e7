#include "hub/redo_part.h"

#include "base/cbor.h"
#include "crypto/cose.h"

#include <stdio.h>
#include <string.h>

#define SIGNED_AS   "spoke/journal/1"
#define SIGNED_MAX  4096u
#define FRAME_MAX   (REDO_PIECE + 2 * SIGNED_MAX)
#define HEAD_FIELDS 7
#define LOOKALIKES  1000u /* a torn write of 64 MiB has some ten of them by chance */

enum { HEAD, ENTRY };

/* --------------------------------------------------------------------------------------------------------- frames */

void redo_put_frame(struct buf *out, struct bytes content)
{
    cbor_put_bytes(out, content);
}

bool redo_get_frame(struct bytes *in, struct bytes *out)
{
    struct cbor_reader r;
    cbor_reader_init(&r, *in);
    if (cbor_peek(&r) != CBOR_BYTES) return false;
    struct bytes content = cbor_get_bytes(&r);
    if (r.err != ERR_OK) return false;
    *out = content;
    *in = r.in;
    return true;
}

static enum err no_memory(struct why *why)
{
    return why_set(why, ERR_NOMEM, "There is not enough memory for the journal.");
}

static enum err damaged(struct why *why)
{
    return why_set(why, ERR_TAMPERED, "The journal is damaged, or something in it is not from this hub.");
}

/* -------------------------------------------------------------------------------------------------------- writing */

static enum err put_signed(struct buf *item, const struct identity_secret *hub, const struct buf *body, struct why *why)
{
    struct buf cose;
    buf_init(&cose, 2 * SIGNED_MAX);
    enum err e = body->err != ERR_OK ? no_memory(why)
                                     : cose_sign(hub, 0, bytes_of("", 0), bytes_of_str(SIGNED_AS), buf_bytes(body),
                                                 &cose, why);
    if (e == ERR_OK) cbor_put_bytes(item, buf_bytes(&cose));
    if (e == ERR_OK && (cose.err != ERR_OK || item->err != ERR_OK)) e = no_memory(why);
    buf_release(&cose);
    return e;
}

static enum err put_item(struct buf *out, const struct buf *item, struct why *why)
{
    redo_put_frame(out, buf_bytes(item));
    return item->err != ERR_OK || out->err != ERR_OK ? no_memory(why) : ERR_OK;
}

enum err redo_put_head(struct buf *out, const struct identity_secret *hub, const struct redo_head *m, struct why *why)
{
    struct buf body, item;
    buf_init(&body, SIGNED_MAX);
    buf_init(&item, FRAME_MAX);
    cbor_put_array(&body, HEAD_FIELDS);
    cbor_put_uint(&body, HEAD);
    cbor_put_bytes(&body, bytes_of(m->id, sizeof m->id));
    cbor_put_uint(&body, m->part);
    cbor_put_uint(&body, m->first);
    cbor_put_bytes(&body, bytes_of(m->chain, sizeof m->chain));
    cbor_put_int(&body, m->at);
    cbor_put_uint(&body, m->schema);
    cbor_put_array(&item, 2);
    cbor_put_uint(&item, HEAD);
    enum err e = put_signed(&item, hub, &body, why);
    if (e == ERR_OK) e = put_item(out, &item, why);
    buf_release(&body);
    buf_release(&item);
    return e;
}

enum err redo_put_entry(struct buf *out, const struct identity_secret *hub, const struct redo_entry *m,
                        uint8_t out_after[HASH_BYTES], struct why *why)
{
    uint8_t hash[HASH_BYTES];
    struct buf body, item;
    buf_init(&body, SIGNED_MAX);
    buf_init(&item, FRAME_MAX);
    hash_blake2b(hash, m->sealed);
    cbor_put_array(&body, HEAD_FIELDS);
    cbor_put_uint(&body, ENTRY);
    cbor_put_bytes(&body, bytes_of(m->id, sizeof m->id));
    cbor_put_uint(&body, m->entry);
    cbor_put_int(&body, m->at);
    cbor_put_uint(&body, m->more);
    cbor_put_bytes(&body, bytes_of(m->chain, sizeof m->chain));
    cbor_put_bytes(&body, bytes_of(hash, sizeof hash));
    cbor_put_array(&item, 3);
    cbor_put_uint(&item, ENTRY);
    enum err e = put_signed(&item, hub, &body, why);
    if (e == ERR_OK) cbor_put_bytes(&item, m->sealed);
    if (e == ERR_OK) e = put_item(out, &item, why);
    if (e == ERR_OK) hash_blake2b(out_after, buf_bytes(&body));
    buf_release(&body);
    buf_release(&item);
    return e;
}

/* -------------------------------------------------------------------------------------------------------- reading */

/* The frame of this kind, and what it signs. *out_sealed is NULL where there is none. */
static enum err get_signed(struct bytes *in, uint64_t kind, const struct identity *hub, struct cbor_reader *out_body,
                           struct bytes *out_sealed, uint8_t out_after[HASH_BYTES], struct bytes *out_rest,
                           struct why *why)
{
    struct cose_parts parts;
    struct cbor_reader r;
    struct bytes frame, rest = *in, sealed = {0};
    if (!redo_get_frame(&rest, &frame) || frame.n > FRAME_MAX) return damaged(why);
    cbor_reader_init(&r, frame);
    size_t n = cbor_get_array(&r, 3);
    if (cbor_get_uint(&r) != kind || n != (kind == HEAD ? 2u : 3u)) return damaged(why);
    struct bytes cose = cbor_get_bytes(&r);
    if (kind == ENTRY) sealed = cbor_get_bytes(&r);
    if (!cbor_at_end(&r) || cose.n > 2 * SIGNED_MAX) return damaged(why);
    enum err e = cose_verify(cose, hub, bytes_of_str(SIGNED_AS), &parts, NULL);
    if (e != ERR_OK) return e == ERR_NOMEM ? no_memory(why) : damaged(why);
    cbor_reader_init(out_body, parts.payload);
    if (cbor_get_array(out_body, HEAD_FIELDS) != HEAD_FIELDS || cbor_get_uint(out_body) != kind) return damaged(why);
    hash_blake2b(out_after, parts.payload);
    *out_sealed = sealed;
    *out_rest = rest;
    return ERR_OK;
}

enum err redo_get_head(struct bytes *in, const struct identity *hub, struct redo_head *out, struct why *why)
{
    uint8_t after[HASH_BYTES];
    struct redo_head m = {0};
    struct bytes sealed, rest;
    struct cbor_reader r;
    enum err e = get_signed(in, HEAD, hub, &r, &sealed, after, &rest, why);
    if (e != ERR_OK) return e;
    cbor_get_fixed(&r, m.id, sizeof m.id);
    m.part = cbor_get_uint(&r);
    m.first = cbor_get_uint(&r);
    cbor_get_fixed(&r, m.chain, sizeof m.chain);
    m.at = cbor_get_int(&r);
    m.schema = cbor_get_uint(&r);
    if (!cbor_at_end(&r) || m.first == 0 || m.first > INT64_MAX || m.part == 0) return damaged(why);
    *out = m;
    *in = rest;
    return ERR_OK;
}

enum err redo_get_entry(struct bytes *in, const struct identity *hub, struct redo_entry *out, struct why *why)
{
    uint8_t hash[HASH_BYTES], is[HASH_BYTES];
    struct redo_entry m = {0};
    struct cbor_reader r;
    struct bytes rest;
    enum err e = get_signed(in, ENTRY, hub, &r, &m.sealed, m.after, &rest, why);
    if (e != ERR_OK) return e;
    cbor_get_fixed(&r, m.id, sizeof m.id);
    m.entry = cbor_get_uint(&r);
    m.at = cbor_get_int(&r);
    uint64_t more = cbor_get_uint(&r);
    cbor_get_fixed(&r, m.chain, sizeof m.chain);
    cbor_get_fixed(&r, hash, sizeof hash);
    hash_blake2b(is, m.sealed);
    if (!cbor_at_end(&r) || more > 1 || m.entry == 0 || m.entry > INT64_MAX || memcmp(hash, is, sizeof is) != 0)
        return damaged(why);
    m.more = more != 0;
    *out = m;
    *in = rest;
    return ERR_OK;
}

/* Wherever it begins. Only what looks like an entry costs a signature; where very much does, somebody made it so. */
bool redo_torn(struct bytes in, const struct identity *hub)
{
    size_t looks = 0;
    for (size_t i = 1; i + 3 < in.n; i++) {
        struct bytes at = bytes_of(in.p + i, in.n - i), frame;
        struct redo_entry m;
        if (at.p[0] < 0x58 || at.p[0] > 0x5a || !redo_get_frame(&at, &frame) || frame.n < 2 || frame.p[0] != 0x83 ||
            frame.p[1] != ENTRY)
            continue;
        if (++looks > LOOKALIKES) return false;
        at = bytes_of(in.p + i, in.n - i);
        if (redo_get_entry(&at, hub, &m, NULL) != ERR_TAMPERED) return false;
    }
    return true;
}

enum err redo_part_path(char *out, size_t n, const char *dir, const uint8_t id[REDO_ID_BYTES], uint64_t part,
                        struct why *why)
{
    char hex[2 * REDO_ID_BYTES + 1], name[80];
    hex_encode(hex, id, REDO_ID_BYTES);
    (void)snprintf(name, sizeof name, "spoke-journal-%s-%08llu", hex, (unsigned long long)part);
    return path_join(out, n, dir, name, why);
}
