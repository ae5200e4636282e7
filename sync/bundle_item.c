#include "sync/bundle_item.h"

enum { MAJOR_BYTES = 2, MAJOR_TEXT = 3, MAJOR_ARRAY = 4, MAJOR_MAP = 5, MAJOR_TAG = 6, MAJOR_SIMPLE = 7 };

/* A scalar, or the last item of a container, has ended. True when nothing is open any more. */
static bool item_done(struct item_scan *s)
{
    while (s->depth > 0) {
        if (--s->left[s->depth - 1] > 0) return false;
        s->depth--;
    }
    return true;
}

/* A head is complete. */
static bool head_done(struct item_scan *s, uint64_t max, bool *out_whole)
{
    bool string = s->major == MAJOR_BYTES || s->major == MAJOR_TEXT;
    bool container = s->major == MAJOR_ARRAY || s->major == MAJOR_MAP || s->major == MAJOR_TAG;
    uint64_t items = s->major == MAJOR_TAG ? 1 : s->major == MAJOR_MAP ? 2 * s->arg : s->arg;
    if ((string || (container && s->major != MAJOR_TAG)) && s->arg > max) return false;
    if (string && s->arg > 0) {
        s->skip = s->arg;
    } else if (container && items > 0) {
        if (s->depth == CBOR_MAX_DEPTH) return false;
        s->left[s->depth++] = items;
    } else {
        *out_whole = item_done(s);
    }
    return true;
}

static bool take_first(struct item_scan *s, uint8_t byte)
{
    unsigned info = byte & 31u;
    s->major = byte >> 5;
    if (info > 27 || (s->major == MAJOR_SIMPLE && info > 23)) return false;
    s->arg = info < 24 ? info : 0;
    s->arg_bytes = info < 24 ? 0 : 1u << (info - 24);
    return true;
}

size_t item_scan_take(struct item_scan *s, struct bytes in, uint64_t max, bool *out_whole, bool *out_ok)
{
    size_t at = 0;
    *out_whole = false;
    *out_ok = true;
    while (at < in.n && !*out_whole && *out_ok) {
        if (s->skip > 0) {
            size_t n = s->skip < in.n - at ? (size_t)s->skip : in.n - at;
            at += n;
            s->skip -= n;
            *out_whole = s->skip == 0 && item_done(s);
            continue;
        }
        uint8_t byte = in.p[at++];
        if (s->arg_bytes > 0) {
            s->arg = s->arg << 8 | byte;
            s->arg_bytes--;
        } else {
            *out_ok = take_first(s, byte);
        }
        s->begun = true;
        if (*out_ok && s->arg_bytes == 0) *out_ok = head_done(s, max, out_whole);
    }
    if (*out_whole) s->begun = false;
    return at;
}
