#include "crypto/hash.h"
#include "sync/messages.h"

#include <string.h>

/* FORMAT.md §5. */
enum { VERSION = 1, CHECK_BYTES = 4, HEAD_BYTES = 1 + 32 + 16 + 1, GROUP = 6 };
enum { RAW_MAX = HEAD_BYTES + sizeof(((struct invitation *)NULL)->address) - 1 + CHECK_BYTES };

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"; /* RFC 4648 §6 */

static void put_base32(struct buf *b, const uint8_t *p, size_t n)
{
    size_t written = 0;
    unsigned bits = 0, held = 0;
    for (size_t i = 0; i < n || held > 0;) {
        if (held < 5 && i < n) {
            bits = (bits << 8 | p[i++]) & 0xffff;
            held += 8;
        } else if (held < 5) { /* the end: zero bits fill the last character */
            bits <<= 5 - held;
            held = 5;
        }
        while (held >= 5) {
            if (written > 0 && written % GROUP == 0) buf_put_u8(b, '-');
            buf_put_u8(b, (uint8_t)alphabet[bits >> (held - 5) & 31]);
            written++;
            held -= 5;
        }
    }
}

static int base32_digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a';
    if (c >= '2' && c <= '7') return c - '2' + 26;
    return -1;
}

/* Whole bytes of the code. False for a foreign character, too many, or an end that no encoder writes: a character too
 * many, or filling bits that are not zero, which the checksum would not notice. */
static bool get_base32(struct bytes code, uint8_t out[RAW_MAX], size_t *out_n)
{
    size_t n = 0;
    unsigned bits = 0, held = 0;
    for (size_t i = 0; i < code.n; i++) {
        uint8_t c = code.p[i];
        if (c == '-' || c == ' ' || c == '\t' || c == '\r' || c == '\n') continue;
        int digit = base32_digit(c);
        if (digit < 0) return false;
        bits = (bits << 5 | (unsigned)digit) & 0xfff;
        held += 5;
        if (held < 8) continue;
        if (n == RAW_MAX) return false;
        held -= 8;
        out[n++] = (uint8_t)(bits >> held);
    }
    *out_n = n;
    return held < 5 && (bits & ((1u << held) - 1)) == 0;
}

static bool address_ok(struct bytes a)
{
    for (size_t i = 0; i < a.n; i++) {
        if (a.p[i] <= 0x20 || a.p[i] >= 0x7f) return false;
    }
    return a.n > 0 && a.n < sizeof(((struct invitation *)NULL)->address);
}

enum err invitation_put(struct buf *b, const struct invitation *i, struct why *why)
{
    uint8_t raw[RAW_MAX], check[HASH_BYTES];
    size_t before = b->len;
    struct bytes address = bytes_of(i->address, strnlen(i->address, sizeof i->address));
    if (!address_ok(address))
        return why_set(why, ERR_FORMAT,
                       "The hub's address is empty, too long, or holds spaces or letters that do not "
                       "belong in an address.");
    raw[0] = VERSION;
    memcpy(raw + 1, i->fingerprint, 32);
    memcpy(raw + 33, i->token, 16);
    raw[49] = (uint8_t)address.n;
    memcpy(raw + HEAD_BYTES, address.p, address.n);
    size_t n = HEAD_BYTES + address.n;
    hash_blake2b(check, bytes_of(raw, n));
    memcpy(raw + n, check, CHECK_BYTES);
    put_base32(b, raw, n + CHECK_BYTES);
    secret_wipe(raw, sizeof raw);
    if (b->err != ERR_OK) {
        b->len = before;
        return why_set(why, b->err, "There is no room for the invitation code.");
    }
    return ERR_OK;
}

static enum err mistyped(struct why *why)
{
    (void)why_set(why, ERR_FORMAT, "This is not an invitation code, or there is a slip in it.");
    return why_next(why, ERR_FORMAT,
                    "Compare it with the code that you were given, group by group. "
                    "It has letters and the digits 2 to 7 only: no 0, 1, 8 or 9.");
}

static enum err parse(const uint8_t *raw, size_t n, struct invitation *out, struct why *why)
{
    uint8_t check[HASH_BYTES];
    if (n < HEAD_BYTES + CHECK_BYTES) return mistyped(why);
    hash_blake2b(check, bytes_of(raw, n - CHECK_BYTES));
    if (memcmp(check, raw + n - CHECK_BYTES, CHECK_BYTES) != 0) return mistyped(why);
    if (raw[0] != VERSION)
        return why_set(why, ERR_VERSION, "This invitation code was made by a newer version of Spoke than this one.");
    struct bytes address = bytes_of(raw + HEAD_BYTES, n - HEAD_BYTES - CHECK_BYTES);
    if (address.n != raw[49] || !address_ok(address)) return mistyped(why);
    struct invitation i = {0};
    memcpy(i.fingerprint, raw + 1, 32);
    memcpy(i.token, raw + 33, 16);
    memcpy(i.address, address.p, address.n);
    *out = i;
    secret_wipe(&i, sizeof i);
    return ERR_OK;
}

enum err invitation_get(struct bytes code, struct invitation *out, struct why *why)
{
    uint8_t raw[RAW_MAX];
    size_t n = 0;
    enum err e = get_base32(code, raw, &n) ? parse(raw, n, out, why) : mistyped(why);
    secret_wipe(raw, sizeof raw);
    return e;
}
