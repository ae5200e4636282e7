/* Bytes: a borrowed view (`struct bytes`) and a growing buffer with a ceiling (`struct buf`).
 *
 * A buf is a sticky-error writer: after the first failure (no memory: ERR_NOMEM, past its ceiling: ERR_LIMIT) every
 * append does nothing; check `buf.err` once at the end. Contents are wiped before memory is given back. */
#ifndef SPOKE_BASE_BUF_H
#define SPOKE_BASE_BUF_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* A borrowed run of bytes. Never owns. p may be NULL only when n is 0. */
struct bytes {
    const uint8_t *p; /* first byte */
    size_t n;         /* length in bytes */
};

struct buf {
    uint8_t *data; /* owned; NULL while empty */
    size_t len;    /* bytes in use */
    size_t cap;    /* bytes allocated */
    size_t max;    /* ceiling in bytes; an append past it sets ERR_LIMIT */
    size_t soiled; /* the first so many bytes of data may hold something: len, or what it was before it was made less */
    enum err err;  /* sticky */
};

static inline struct bytes bytes_of(const void *p, size_t n)
{
    return (struct bytes){(const uint8_t *)p, n};
}
struct bytes bytes_of_str(const char *s);          /* without the NUL; s must not be NULL */
bool bytes_equal(struct bytes a, struct bytes b);  /* not constant time: for public bytes only */
int bytes_compare(struct bytes a, struct bytes b); /* memcmp order, shorter first on a tie */

void buf_init(struct buf *b, size_t max); /* empty; max is the ceiling in bytes */
void buf_release(struct buf *b);          /* wipes and frees; NULL and released bufs are fine */
/* len = 0, err = OK. Keeps the memory, and wipes what was written since the last time: not all the room there is, or
 * one large content would make every small one after it dear. */
void buf_reset(struct buf *b);
void buf_put(struct buf *b, const void *p, size_t n);
void buf_put_bytes(struct buf *b, struct bytes v);
void buf_put_str(struct buf *b, const char *s);
void buf_put_u8(struct buf *b, uint8_t v);
void buf_put_be16(struct buf *b, uint16_t v);
void buf_put_be32(struct buf *b, uint32_t v);
void buf_put_be64(struct buf *b, uint64_t v);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
uint8_t *buf_grow(struct buf *b, size_t n); /* n writable bytes at the end, already counted in len; NULL on error */
static inline struct bytes buf_bytes(const struct buf *b)
{
    return (struct bytes){b->data, b->len};
}
/* Append a NUL (not counted in len) and return the text; NULL if the buf is in error. Borrowed from b. */
const char *buf_cstr(struct buf *b);

/* Hexadecimal, lower case. `out` takes 2*n+1 chars. */
void hex_encode(char *out, const void *p, size_t n);
/* Exactly 2*n hex digits (either case) at s; false otherwise. */
bool hex_decode(uint8_t *out, size_t n, const char *s, size_t len);

#endif
