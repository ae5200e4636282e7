#include "crypto/base64.h"

#include <sodium.h>

enum { VARIANT = sodium_base64_VARIANT_ORIGINAL };

void base64_encode(char *out, struct bytes in)
{
    (void)sodium_bin2base64(out, BASE64_CHARS(in.n) + 1, in.p, in.n, VARIANT);
}

bool base64_decode(struct bytes text, uint8_t *out, size_t max, size_t *out_n)
{
    const char *from = (const char *)text.p, *end = NULL;
    /* libsodium 1.0.18 reads bytes 0xab and 0xaf as '+' and '/': they differ by the high bit, which it loses. */
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] > 0x7f) return false;
    }
    return sodium_base642bin(out, max, from, text.n, NULL, out_n, &end, VARIANT) == 0 && end == from + text.n;
}
