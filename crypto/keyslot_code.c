/* A recovery code as people read it: Base32 (RFC 4648 §6) of the 16 bytes and 4 that check them, in 8 groups of 4. */
#include "crypto/hash.h"
#include "crypto/keyslot_internal.h"

#include <string.h>

#define CHECK_BYTES 4u
#define CODE_CHARS  32u /* without the strokes */

_Static_assert((RECOVERY_BYTES + CHECK_BYTES) * 8 == CODE_CHARS * 5, "no bit is left over");
_Static_assert(CODE_CHARS + CODE_CHARS / 4 == RECOVERY_CODE_CHARS, "seven strokes and the terminator");

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

static void add_check(uint8_t all[RECOVERY_BYTES + CHECK_BYTES])
{
    uint8_t hash[HASH_BYTES];
    hash_blake2b(hash, bytes_of(all, RECOVERY_BYTES));
    memcpy(all + RECOVERY_BYTES, hash, CHECK_BYTES);
    secret_wipe(hash, sizeof hash);
}

void keyslot_code_text(const uint8_t code[RECOVERY_BYTES], char out[RECOVERY_CODE_CHARS])
{
    uint8_t all[RECOVERY_BYTES + CHECK_BYTES];
    size_t at = 0;
    memcpy(all, code, RECOVERY_BYTES);
    add_check(all);
    for (size_t i = 0; i < CODE_CHARS; i++) {
        size_t bit = 5 * i;
        unsigned two = (unsigned)all[bit / 8] << 8 | (bit / 8 + 1 < sizeof all ? all[bit / 8 + 1] : 0);
        if (i > 0 && i % 4 == 0) out[at++] = '-';
        out[at++] = alphabet[two >> (11 - bit % 8) & 31];
    }
    out[at] = '\0';
    secret_wipe(all, sizeof all);
}

/* The value of a character; -1: none. No code has 0, 1 or 8, so they can only be letters misread. */
static int value_of(uint8_t c)
{
    if (c >= 'a' && c <= 'z') c = (uint8_t)(c - 'a' + 'A');
    if (c == '0') c = 'O';
    if (c == '1') c = 'I';
    if (c == '8') c = 'B';
    const char *at = c == '\0' ? NULL : strchr(alphabet, c);
    return at == NULL ? -1 : (int)(at - alphabet);
}

/* 32 characters into 20 bytes, past what only parts them. */
static bool decode(struct bytes text, uint8_t all[RECOVERY_BYTES + CHECK_BYTES])
{
    size_t n = 0;
    memset(all, 0, RECOVERY_BYTES + CHECK_BYTES);
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '-' || text.p[i] == ' ') continue;
        int v = value_of(text.p[i]);
        if (v < 0 || n == CODE_CHARS) return false;
        for (size_t b = 0; b < 5; b++)
            if ((v >> (4 - b) & 1) != 0) all[(5 * n + b) / 8] |= (uint8_t)(0x80 >> (5 * n + b) % 8);
        n++;
    }
    return n == CODE_CHARS;
}

enum err keyslot_code_read(struct bytes text, uint8_t out[RECOVERY_BYTES], struct why *why)
{
    uint8_t typed[RECOVERY_BYTES + CHECK_BYTES], right[RECOVERY_BYTES + CHECK_BYTES];
    enum err e = ERR_OK;
    if (!decode(text, typed)) {
        (void)why_set(why, ERR_USAGE, "that is not a recovery code: it has 32 letters and digits, in 8 groups of 4");
        e = why_next(why, ERR_USAGE, "Type it as it stands on the paper. Small letters and spaces do not matter.");
        goto out;
    }
    memcpy(right, typed, sizeof right);
    add_check(right);
    if (secret_equal(typed, right, sizeof right)) {
        memcpy(out, typed, RECOVERY_BYTES);
    } else {
        (void)why_set(why, ERR_USAGE, "that recovery code has a typing mistake in it");
        e = why_next(why, ERR_USAGE, "Compare it with the paper, group by group, and type it again.");
    }
out:
    secret_wipe(typed, sizeof typed);
    secret_wipe(right, sizeof right);
    return e;
}
