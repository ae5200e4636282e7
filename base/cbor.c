#include "base/cbor.h"

#include <string.h>

/* Major types (RFC 8949 §3.1). */
enum { MAJOR_UINT, MAJOR_NEGINT, MAJOR_BYTES, MAJOR_TEXT, MAJOR_ARRAY, MAJOR_MAP, MAJOR_TAG, MAJOR_SIMPLE };
enum { SIMPLE_FALSE = 20, SIMPLE_TRUE = 21, SIMPLE_NULL = 22 };

static void put_head(struct buf *b, unsigned major, uint64_t v)
{
    uint8_t first = (uint8_t)(major << 5);
    if (v < 24) {
        buf_put_u8(b, (uint8_t)(first | v));
    } else if (v <= UINT8_MAX) {
        buf_put_u8(b, first | 24);
        buf_put_u8(b, (uint8_t)v);
    } else if (v <= UINT16_MAX) {
        buf_put_u8(b, first | 25);
        buf_put_be16(b, (uint16_t)v);
    } else if (v <= UINT32_MAX) {
        buf_put_u8(b, first | 26);
        buf_put_be32(b, (uint32_t)v);
    } else {
        buf_put_u8(b, first | 27);
        buf_put_be64(b, v);
    }
}

void cbor_put_uint(struct buf *b, uint64_t v)
{
    put_head(b, MAJOR_UINT, v);
}

void cbor_put_int(struct buf *b, int64_t v)
{
    if (v >= 0)
        put_head(b, MAJOR_UINT, (uint64_t)v);
    else
        put_head(b, MAJOR_NEGINT, ~(uint64_t)v); /* -1 - v without overflow at INT64_MIN */
}

void cbor_put_bytes(struct buf *b, struct bytes v)
{
    put_head(b, MAJOR_BYTES, v.n);
    buf_put_bytes(b, v);
}

void cbor_put_text(struct buf *b, struct bytes utf8)
{
    put_head(b, MAJOR_TEXT, utf8.n);
    buf_put_bytes(b, utf8);
}

void cbor_put_str(struct buf *b, const char *s)
{
    cbor_put_text(b, bytes_of_str(s));
}

void cbor_put_array(struct buf *b, size_t items)
{
    put_head(b, MAJOR_ARRAY, items);
}

void cbor_put_map(struct buf *b, size_t pairs)
{
    put_head(b, MAJOR_MAP, pairs);
}

void cbor_put_tag(struct buf *b, uint64_t tag)
{
    put_head(b, MAJOR_TAG, tag);
}

void cbor_put_bool(struct buf *b, bool v)
{
    put_head(b, MAJOR_SIMPLE, v ? SIMPLE_TRUE : SIMPLE_FALSE);
}

void cbor_put_null(struct buf *b)
{
    put_head(b, MAJOR_SIMPLE, SIMPLE_NULL);
}

void cbor_reader_init(struct cbor_reader *r, struct bytes in)
{
    *r = (struct cbor_reader){.in = in};
}

static void fail(struct cbor_reader *r)
{
    r->err = ERR_FORMAT;
}

static void skip(struct cbor_reader *r, size_t n)
{
    if (n == 0) return;
    r->in.p += n;
    r->in.n -= n;
}

/* Initial byte and argument. Refuses every longer than shortest form: two encodings of one message would let a copy
 * pass for another under a different hash. Refuses indefinite lengths and the reserved forms 28 to 30 with them. */
static bool take_head(struct cbor_reader *r, unsigned *out_major, uint64_t *out_arg)
{
    if (r->err != ERR_OK || r->in.n == 0) {
        fail(r);
        return false;
    }
    unsigned major = r->in.p[0] >> 5, info = r->in.p[0] & 31;
    uint64_t arg = info;
    size_t width = 0;
    if (info >= 24) {
        width = info <= 27 ? (size_t)1 << (info - 24) : SIZE_MAX;
        if (major == MAJOR_SIMPLE || width == SIZE_MAX || r->in.n - 1 < width) {
            fail(r);
            return false;
        }
        arg = 0;
        for (size_t i = 1; i <= width; i++) arg = arg << 8 | r->in.p[i];
        uint64_t least = width == 1 ? 24 : (uint64_t)1 << (4 * width);
        if (arg < least) {
            fail(r);
            return false;
        }
    } else if (major == MAJOR_SIMPLE && (info < SIMPLE_FALSE || info > SIMPLE_NULL)) {
        fail(r);
        return false;
    }
    skip(r, 1 + width);
    *out_major = major;
    *out_arg = arg;
    return true;
}

enum cbor_type cbor_peek(const struct cbor_reader *r)
{
    static const enum cbor_type types[] = {CBOR_UINT,  CBOR_NEGINT, CBOR_BYTES, CBOR_TEXT,
                                           CBOR_ARRAY, CBOR_MAP,    CBOR_TAG};
    if (r->err != ERR_OK || r->in.n == 0) return CBOR_NONE;
    unsigned major = r->in.p[0] >> 5, info = r->in.p[0] & 31;
    if (major != MAJOR_SIMPLE) return types[major];
    if (info == SIMPLE_FALSE || info == SIMPLE_TRUE) return CBOR_BOOL;
    return info == SIMPLE_NULL ? CBOR_NULL : CBOR_NONE;
}

bool cbor_at_end(const struct cbor_reader *r)
{
    return r->err == ERR_OK && r->in.n == 0;
}

/* A head of exactly this major type; 0 and the sticky error otherwise. */
static uint64_t take_major(struct cbor_reader *r, unsigned want)
{
    unsigned major;
    uint64_t arg;
    if (!take_head(r, &major, &arg)) return 0;
    if (major != want) {
        fail(r);
        return 0;
    }
    return arg;
}

uint64_t cbor_get_uint(struct cbor_reader *r)
{
    return take_major(r, MAJOR_UINT);
}

int64_t cbor_get_int(struct cbor_reader *r)
{
    unsigned major;
    uint64_t arg;
    if (!take_head(r, &major, &arg)) return 0;
    if (major > MAJOR_NEGINT || arg > INT64_MAX) {
        fail(r);
        return 0;
    }
    return major == MAJOR_UINT ? (int64_t)arg : -1 - (int64_t)arg;
}

static struct bytes take_string(struct cbor_reader *r, unsigned major)
{
    uint64_t n = take_major(r, major);
    if (r->err == ERR_OK && n > r->in.n) fail(r);
    if (r->err != ERR_OK) return (struct bytes){0};
    struct bytes v = bytes_of(r->in.p, (size_t)n);
    if (major == MAJOR_TEXT && !utf8_valid(v)) {
        fail(r);
        return (struct bytes){0};
    }
    skip(r, (size_t)n);
    return v;
}

struct bytes cbor_get_bytes(struct cbor_reader *r)
{
    return take_string(r, MAJOR_BYTES);
}

struct bytes cbor_get_text(struct cbor_reader *r)
{
    return take_string(r, MAJOR_TEXT);
}

/* Every item takes a byte at least, so a count beyond what is left is a lie: refused here, before a caller makes room
 * for it. */
static size_t take_count(struct cbor_reader *r, unsigned major, size_t max)
{
    uint64_t n = take_major(r, major);
    size_t most = major == MAJOR_MAP ? r->in.n / 2 : r->in.n;
    if (r->err == ERR_OK && (n > max || n > most)) fail(r);
    return r->err == ERR_OK ? (size_t)n : 0;
}

size_t cbor_get_array(struct cbor_reader *r, size_t max)
{
    return take_count(r, MAJOR_ARRAY, max);
}

size_t cbor_get_map(struct cbor_reader *r, size_t max)
{
    return take_count(r, MAJOR_MAP, max);
}

uint64_t cbor_get_tag(struct cbor_reader *r)
{
    return take_major(r, MAJOR_TAG);
}

bool cbor_get_bool(struct cbor_reader *r)
{
    uint64_t v = take_major(r, MAJOR_SIMPLE);
    if (r->err == ERR_OK && v != SIMPLE_FALSE && v != SIMPLE_TRUE) fail(r);
    return r->err == ERR_OK && v == SIMPLE_TRUE;
}

void cbor_get_null(struct cbor_reader *r)
{
    if (take_major(r, MAJOR_SIMPLE) != SIMPLE_NULL) fail(r);
}

void cbor_get_fixed(struct cbor_reader *r, uint8_t *out, size_t n)
{
    struct bytes v = cbor_get_bytes(r);
    if (r->err == ERR_OK && v.n != n) fail(r);
    if (r->err != ERR_OK)
        memset(out, 0, n);
    else if (n > 0)
        memcpy(out, v.p, n);
}

/* One open container while a whole item is checked. */
struct level {
    uint64_t left;         /* items still to come; a map counts keys and values */
    bool map;              /* keys are the items at even `left` */
    const uint8_t *item;   /* where the item that is being read begins */
    struct bytes last_key; /* key before this one; p NULL before the first */
};

/* An item inside `l` ends at `end`. False when it is a map key out of order or given twice (RFC 8949 §4.2.1). */
static bool level_item_done(struct level *l, const uint8_t *end)
{
    if (l->map && l->left % 2 == 0) {
        struct bytes key = bytes_of(l->item, (size_t)(end - l->item));
        if (l->last_key.p != NULL && bytes_compare(l->last_key, key) >= 0) return false;
        l->last_key = key;
    }
    l->left--;
    l->item = end;
    return true;
}

/* Take a scalar whole, or the head of a container; *out_items is how many items it holds. */
static bool take_shallow(struct cbor_reader *r, bool *out_container, bool *out_map, uint64_t *out_items)
{
    struct cbor_reader before = *r;
    unsigned major;
    uint64_t arg;
    if (!take_head(r, &major, &arg)) return false;
    *out_container = major == MAJOR_ARRAY || major == MAJOR_MAP || major == MAJOR_TAG;
    *out_map = major == MAJOR_MAP;
    *out_items = major == MAJOR_TAG ? 1 : arg;
    if (major == MAJOR_BYTES || major == MAJOR_TEXT) {
        *r = before;
        (void)take_string(r, major);
    } else if (major == MAJOR_ARRAY || major == MAJOR_MAP) {
        *r = before;
        *out_items = take_count(r, major, SIZE_MAX);
        if (major == MAJOR_MAP) *out_items *= 2; /* cannot wrap: take_count has it within half of what is left */
    }
    return r->err == ERR_OK;
}

struct bytes cbor_get_item(struct cbor_reader *r)
{
    struct level levels[CBOR_MAX_DEPTH]; /* a loop, not recursion: hostile nesting costs no stack */
    size_t depth = 0;
    const uint8_t *start = r->in.p;
    do {
        bool container, map;
        uint64_t items;
        if (!take_shallow(r, &container, &map, &items)) return (struct bytes){0};
        if (container) {
            if (depth == CBOR_MAX_DEPTH) {
                fail(r);
                return (struct bytes){0};
            }
            levels[depth++] = (struct level){.left = items, .map = map, .item = r->in.p};
            if (items > 0) continue;
            depth--;
        }
        while (depth > 0) {
            if (!level_item_done(&levels[depth - 1], r->in.p)) {
                fail(r);
                return (struct bytes){0};
            }
            if (levels[depth - 1].left > 0) break;
            depth--;
        }
    } while (depth > 0);
    return bytes_of(start, (size_t)(r->in.p - start));
}

/* Past the bytes from `i` on that are ASCII and not NUL, eight at a time: most of what is checked is nothing else. */
static size_t skip_ascii(struct bytes s, size_t i)
{
    const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
    while (s.n - i >= 8) {
        uint64_t eight;
        memcpy(&eight, s.p + i, 8);
        /* a NUL borrows from its high bit; a byte above 0x7f has it set */
        if (((eight | (eight - ones)) & highs) != 0) break;
        i += 8;
    }
    return i;
}

/* RFC 3629 §4, its table turned into ranges for the second byte. */
bool utf8_valid(struct bytes s)
{
    size_t i = 0;
    while (i < s.n) {
        i = skip_ascii(s, i);
        if (i == s.n) break;
        uint8_t c = s.p[i];
        size_t more;
        uint8_t low = 0x80, high = 0xbf;
        if (c >= 0x01 && c <= 0x7f) {
            i++;
            continue;
        } else if (c >= 0xc2 && c <= 0xdf) {
            more = 1;
        } else if (c >= 0xe0 && c <= 0xef) {
            more = 2;
            low = c == 0xe0 ? 0xa0 : 0x80;
            high = c == 0xed ? 0x9f : 0xbf;
        } else if (c >= 0xf0 && c <= 0xf4) {
            more = 3;
            low = c == 0xf0 ? 0x90 : 0x80;
            high = c == 0xf4 ? 0x8f : 0xbf;
        } else {
            return false;
        }
        if (s.n - i <= more || s.p[i + 1] < low || s.p[i + 1] > high) return false;
        for (size_t k = 2; k <= more; k++) {
            if ((s.p[i + k] & 0xc0) != 0x80) return false;
        }
        i += more + 1;
    }
    return true;
}
