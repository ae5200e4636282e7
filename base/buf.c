#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bytes bytes_of_str(const char *s)
{
    return bytes_of(s, strlen(s));
}

bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

int bytes_compare(struct bytes a, struct bytes b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n == 0 ? 0 : memcmp(a.p, b.p, n);
    if (order != 0 || a.n == b.n) return order;
    return a.n < b.n ? -1 : 1;
}

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_release(struct buf *b)
{
    if (b == NULL) return;
    if (b->data != NULL) {
        explicit_bzero(b->data, b->cap);
        free(b->data);
    }
    *b = (struct buf){.max = b->max};
}

void buf_reset(struct buf *b)
{
    if (b->soiled > 0) explicit_bzero(b->data, b->soiled);
    b->soiled = 0;
    b->len = 0;
    b->err = ERR_OK;
}

/* Room for `need` bytes in all. Never realloc(): it may leave an unwiped copy of the old contents in the heap. */
static bool buf_reserve(struct buf *b, size_t need)
{
    if (need <= b->cap) return true;
    size_t cap = b->cap < 32 ? 64 : b->cap + b->cap / 2 + b->cap / 2;
    if (cap < need || cap > b->max) cap = need;
    uint8_t *data = malloc(cap);
    if (data == NULL) {
        b->err = ERR_NOMEM;
        return false;
    }
    if (b->data != NULL) {
        memcpy(data, b->data, b->len);
        explicit_bzero(b->data, b->cap);
        free(b->data);
    }
    b->data = data;
    b->cap = cap;
    return true;
}

static void grown_by(struct buf *b, size_t n)
{
    b->len += n;
    if (b->len > b->soiled) b->soiled = b->len;
}

uint8_t *buf_grow(struct buf *b, size_t n)
{
    if (b->err != ERR_OK) return NULL;
    if (b->len > b->max || n > b->max - b->len) {
        b->err = ERR_LIMIT;
        return NULL;
    }
    /* one byte at least, so that growing an empty buf by nothing is no failure to the caller */
    if (!buf_reserve(b, b->len + (n > 0 ? n : 1))) return NULL;
    uint8_t *at = b->data + b->len;
    grown_by(b, n);
    return at;
}

void buf_put(struct buf *b, const void *p, size_t n)
{
    if (n == 0) return;
    uint8_t *at = buf_grow(b, n);
    if (at != NULL) memcpy(at, p, n);
}

void buf_put_bytes(struct buf *b, struct bytes v)
{
    buf_put(b, v.p, v.n);
}

void buf_put_str(struct buf *b, const char *s)
{
    buf_put(b, s, strlen(s));
}

void buf_put_u8(struct buf *b, uint8_t v)
{
    buf_put(b, &v, 1);
}

static void buf_put_be(struct buf *b, uint64_t v, unsigned width)
{
    uint8_t be[8];
    for (unsigned i = 0; i < width; i++) be[i] = (uint8_t)(v >> (8 * (width - 1 - i)));
    buf_put(b, be, width);
}

void buf_put_be16(struct buf *b, uint16_t v)
{
    buf_put_be(b, v, 2);
}

void buf_put_be32(struct buf *b, uint32_t v)
{
    buf_put_be(b, v, 4);
}

void buf_put_be64(struct buf *b, uint64_t v)
{
    buf_put_be(b, v, 8);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    if (b->err != ERR_OK) return;
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0) {
        b->err = ERR_LIMIT;
        return;
    }
    if ((size_t)n > b->max || b->len > b->max - (size_t)n) {
        b->err = ERR_LIMIT;
        return;
    }
    if (!buf_reserve(b, b->len + (size_t)n + 1)) /* vsnprintf wants room for its NUL, which is not counted */
        return;
    va_start(args, fmt);
    (void)vsnprintf((char *)b->data + b->len, (size_t)n + 1, fmt, args);
    va_end(args);
    grown_by(b, (size_t)n);
}

const char *buf_cstr(struct buf *b)
{
    if (b->err != ERR_OK || !buf_reserve(b, b->len + 1)) return NULL;
    b->data[b->len] = '\0';
    return (const char *)b->data;
}

void hex_encode(char *out, const void *p, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *in = p;
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[in[i] >> 4];
        out[2 * i + 1] = digits[in[i] & 15];
    }
    out[2 * n] = '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool hex_decode(uint8_t *out, size_t n, const char *s, size_t len)
{
    if (len % 2 != 0 || len / 2 != n) return false;
    for (size_t i = 0; i < len; i++) {
        if (hex_digit(s[i]) < 0) return false;
    }
    for (size_t i = 0; i < n; i++) out[i] = (uint8_t)(hex_digit(s[2 * i]) << 4 | hex_digit(s[2 * i + 1]));
    return true;
}
