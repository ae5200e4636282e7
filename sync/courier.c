#include "sync/courier.h"

#include <string.h>

static const uint8_t magic[] = {'S', 'P', 'K', 'F', 1};
#define HEAD (sizeof magic + 8)

void courier_put(struct buf *out, struct bytes request, struct bytes more)
{
    if (more.n > 0) {
        uint8_t size[8];
        for (size_t i = 0; i < sizeof size; i++) size[i] = (uint8_t)((uint64_t)request.n >> (8 * (7 - i)));
        buf_put(out, magic, sizeof magic);
        buf_put(out, size, sizeof size);
    }
    buf_put_bytes(out, request);
    buf_put_bytes(out, more);
}

enum err courier_split(struct bytes file, struct bytes *out_request, struct bytes *out_more, struct why *why)
{
    uint64_t n = 0;
    if (file.n < sizeof magic - 1 || memcmp(file.p, magic, sizeof magic - 1) != 0) {
        *out_request = file;
        *out_more = (struct bytes){0};
        return ERR_OK;
    }
    for (size_t i = sizeof magic; file.n >= HEAD && i < HEAD; i++) n = n << 8 | file.p[i];
    /* neither part is empty */
    if (file.n <= HEAD || file.p[sizeof magic - 1] != magic[sizeof magic - 1] || n == 0 || n >= file.n - HEAD)
        return why_set(
            why, ERR_FORMAT,
            "This file is none that a device's Spoke wrote, or was not copied to its end. Nothing was changed.");
    *out_request = bytes_of(file.p + HEAD, (size_t)n);
    *out_more = bytes_of(file.p + HEAD + n, file.n - HEAD - (size_t)n);
    return ERR_OK;
}
