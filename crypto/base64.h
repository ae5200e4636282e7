/* base64 as RFC 4648 §4 has it: padded, no spare bits set, nothing else in between. One text for each run of bytes. */
#ifndef SPOKE_CRYPTO_BASE64_H
#define SPOKE_CRYPTO_BASE64_H

#include "base/buf.h"

/* Characters that n bytes take; with the NUL one more. */
#define BASE64_CHARS(n) (((n) + 2) / 3 * 4)

/* Writes BASE64_CHARS(in.n) + 1 bytes. */
void base64_encode(char *out, struct bytes in);
/* At most max bytes; *out_n is how many. false: no base64, or more. out may then be part filled. */
MUST_CHECK bool base64_decode(struct bytes text, uint8_t *out, size_t max, size_t *out_n);

#endif
