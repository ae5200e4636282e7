/* CBOR, the deterministic subset only (RFC 8949 §4.2.1): definite lengths, shortest forms, depth <= 8; unsigned and
 * negative integers, byte strings, UTF-8 text strings, arrays, maps (keys in bytewise order of their encoding, none
 * twice), tags, false, true, null. No floats, no other simple values.
 *
 * Writing appends to a struct buf (sticky errors; the caller keeps counts and order of map keys right: tests check).
 * Reading is strict, bounded and sticky: after the first fault every getter returns zero/empty and `err` stays
 * ERR_FORMAT. Nothing is allocated; byte and text strings are borrowed from the input. */
#ifndef SPOKE_BASE_CBOR_H
#define SPOKE_BASE_CBOR_H

#include "base/buf.h"

#define CBOR_MAX_DEPTH 8

void cbor_put_uint(struct buf *b, uint64_t v);
void cbor_put_int(struct buf *b, int64_t v);
void cbor_put_bytes(struct buf *b, struct bytes v);
void cbor_put_text(struct buf *b, struct bytes utf8);
void cbor_put_str(struct buf *b, const char *s);
void cbor_put_array(struct buf *b, size_t items);
void cbor_put_map(struct buf *b, size_t pairs);
void cbor_put_tag(struct buf *b, uint64_t tag);
void cbor_put_bool(struct buf *b, bool v);
void cbor_put_null(struct buf *b);

enum cbor_type {
    CBOR_UINT,
    CBOR_NEGINT,
    CBOR_BYTES,
    CBOR_TEXT,
    CBOR_ARRAY,
    CBOR_MAP,
    CBOR_TAG,
    CBOR_BOOL,
    CBOR_NULL,
    CBOR_NONE
};

struct cbor_reader {
    struct bytes in; /* what is left */
    enum err err;    /* sticky: ERR_FORMAT */
};

void cbor_reader_init(struct cbor_reader *r, struct bytes in);
/* Type of the next item without taking it; CBOR_NONE at the end or on error. */
enum cbor_type cbor_peek(const struct cbor_reader *r);
bool cbor_at_end(const struct cbor_reader *r); /* no error and nothing left */
uint64_t cbor_get_uint(struct cbor_reader *r);
int64_t cbor_get_int(struct cbor_reader *r); /* either sign, must fit */
struct bytes cbor_get_bytes(struct cbor_reader *r);
struct bytes cbor_get_text(struct cbor_reader *r);        /* checked UTF-8 */
size_t cbor_get_array(struct cbor_reader *r, size_t max); /* item count; more than max is an error */
size_t cbor_get_map(struct cbor_reader *r, size_t max);
uint64_t cbor_get_tag(struct cbor_reader *r);
bool cbor_get_bool(struct cbor_reader *r);
void cbor_get_null(struct cbor_reader *r);
/* A byte string of exactly n bytes copied to out; zeros on error. */
void cbor_get_fixed(struct cbor_reader *r, uint8_t *out, size_t n);
/* The next whole item (strictly checked to its depths), as the bytes it stands in. */
struct bytes cbor_get_item(struct cbor_reader *r);

/* Is this UTF-8 (RFC 3629: no surrogates, shortest forms, at most U+10FFFF)? NUL bytes are refused too. */
bool utf8_valid(struct bytes s);

#endif
