/* Characters folded: simple case folding, and the base letter of Latin ones with an accent. */
#include "node/search_text.h"

#include <string.h>

/* U+00C0 to U+017F. Letters that are two in English are two here. "-": no letter. */
static const char *const latin[] = {
    "a", "a", "a",  "a",  "a", "a", "ae", "c", "e", "e", "e", "e", "i", "i", "i",  "i",  /* 00C0 */
    "d", "n", "o",  "o",  "o", "o", "o",  "-", "o", "u", "u", "u", "u", "y", "th", "ss", /* 00D0 */
    "a", "a", "a",  "a",  "a", "a", "ae", "c", "e", "e", "e", "e", "i", "i", "i",  "i",  /* 00E0 */
    "d", "n", "o",  "o",  "o", "o", "o",  "-", "o", "u", "u", "u", "u", "y", "th", "y",  /* 00F0 */
    "a", "a", "a",  "a",  "a", "a", "c",  "c", "c", "c", "c", "c", "c", "c", "d",  "d",  /* 0100 */
    "d", "d", "e",  "e",  "e", "e", "e",  "e", "e", "e", "e", "e", "g", "g", "g",  "g",  /* 0110 */
    "g", "g", "g",  "g",  "h", "h", "h",  "h", "i", "i", "i", "i", "i", "i", "i",  "i",  /* 0120 */
    "i", "i", "ij", "ij", "j", "j", "k",  "k", "k", "l", "l", "l", "l", "l", "l",  "l",  /* 0130 */
    "l", "l", "l",  "n",  "n", "n", "n",  "n", "n", "n", "n", "n", "o", "o", "o",  "o",  /* 0140 */
    "o", "o", "oe", "oe", "r", "r", "r",  "r", "r", "r", "s", "s", "s", "s", "s",  "s",  /* 0150 */
    "s", "s", "t",  "t",  "t", "t", "t",  "t", "u", "u", "u", "u", "u", "u", "u",  "u",  /* 0160 */
    "u", "u", "u",  "u",  "w", "w", "y",  "y", "y", "z", "z", "z", "z", "z", "z",  "s",  /* 0170 */
};
_Static_assert(sizeof latin / sizeof latin[0] == 0x180 - 0xc0, "every letter of the block");

/* Base letters of U+01A0 to U+01DC and of U+0200 to U+021B, one a character; "-": as it is. */
static const char latin_b1[] = "oo-------------uu----------------------------aaiioouuuuuuuuuu";
static const char latin_b2[] = "aaaaeeeeiiiioooorrrruuuusstt";
/* U+1E00 to U+1EFF: accents upon accents, for Welsh and Vietnamese names among others. */
static const char latin_more[] =
    "aabbbbbbccddddddddddeeeeeeeeeeffgghhhhhhhhhhiiiikkkkkkllllllllmmmmmmnnnnnnnnoooooooopp"
    "pprrrrrrrrssssssssssttttttttuuuuuuuuuuvvvvwwwwwwwwwwxxxxyyzzzzzzhtwy-s----aaaaaaaaaaaa"
    "aaaaaaaaaaaaeeeeeeeeeeeeeeeeiiiioooooooooooooooooooooooouuuuuuuuuuuuuuyyyyyyyy------";

/* 0: these bytes are no character. */
static uint32_t next_char(struct bytes text, size_t *at)
{
    const uint8_t *p = text.p + *at;
    size_t left = text.n - *at, n = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t c = n == 1 ? p[0] : n == 2 ? p[0] & 0x1fu : n == 3 ? p[0] & 0x0fu : p[0] & 0x07u;
    bool good = n == 1 || (p[0] >= 0xc2 && p[0] < 0xf5 && n <= left);
    for (size_t i = 1; good && i < n; i++) {
        good = (p[i] & 0xc0) == 0x80;
        c = c << 6 | (p[i] & 0x3fu);
    }
    good = good && c >= least[n] && c < 0x110000 && (c < 0xd800 || c > 0xdfff);
    *at += good ? n : 1;
    return good ? c : 0;
}

static size_t put_utf8(uint32_t c, uint8_t out[SEARCH_FOLD_MAX])
{
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6) out[i] = (uint8_t)(0x80 | (c & 0x3f));
    out[0] = (uint8_t)((n == 2 ? 0xc0 : n == 3 ? 0xe0 : 0xf0) | c);
    return n;
}

static enum search_char put_base(char base, uint32_t c, uint8_t out[SEARCH_FOLD_MAX], size_t *n)
{
    *n = put_utf8(base == '-' ? c : (uint32_t)base, out);
    return SEARCH_CHAR_LETTER;
}

/* Greek and Cyrillic: small letters, without the accents of Greek. */
static uint32_t small(uint32_t c)
{
    static const uint16_t greek[][2] = {
        {0x386, 0x3b1}, {0x388, 0x3b5}, {0x389, 0x3b7}, {0x38a, 0x3b9}, {0x38c, 0x3bf}, {0x38e, 0x3c5}, {0x38f, 0x3c9},
        {0x390, 0x3b9}, {0x3aa, 0x3b9}, {0x3ab, 0x3c5}, {0x3ac, 0x3b1}, {0x3ad, 0x3b5}, {0x3ae, 0x3b7}, {0x3af, 0x3b9},
        {0x3b0, 0x3c5}, {0x3c2, 0x3c3}, {0x3ca, 0x3b9}, {0x3cb, 0x3c5}, {0x3cc, 0x3bf}, {0x3cd, 0x3c5}, {0x3ce, 0x3c9}};
    for (size_t i = 0; c < 0x3cf && i < sizeof greek / sizeof greek[0]; i++)
        if (greek[i][0] == c) return greek[i][1];
    if (c >= 0x391 && c <= 0x3a9) return c + 0x20;
    if (c >= 0x400 && c <= 0x40f) return c + 0x50;
    if (c >= 0x410 && c <= 0x42f) return c + 0x20;
    if (c >= 0x460 && c <= 0x52f && (c < 0x482 || c > 0x48b) && (c < 0x4c0 || c > 0x4ce)) return c | 1;
    return c;
}

static bool is_gap(uint32_t c)
{
    return c == 0 || c < 0xaa || (c > 0xaa && c < 0xb5) || (c > 0xb5 && c < 0xba) || (c > 0xba && c < 0xc0) ||
           c == 0xd7 || c == 0xf7 || (c >= 0x2000 && c <= 0x206f) || (c >= 0x20a0 && c <= 0x20cf) ||
           (c >= 0x2190 && c <= 0x2bff) || (c >= 0x2e00 && c <= 0x2e7f) || (c >= 0x3000 && c <= 0x3004) ||
           (c >= 0x3008 && c <= 0x3020) || (c >= 0xe000 && c <= 0xf8ff) || (c >= 0xff00 && c <= 0xff0f) || c >= 0x1f000;
}

static enum search_char fold_ascii(uint32_t c, uint8_t out[SEARCH_FOLD_MAX], size_t *n)
{
    if (c == '\'') return SEARCH_CHAR_APOSTROPHE;
    bool upper = c >= 'A' && c <= 'Z';
    if (!upper && (c < 'a' || c > 'z') && (c < '0' || c > '9')) return SEARCH_CHAR_GAP;
    out[0] = (uint8_t)(upper ? c | 0x20 : c);
    *n = 1;
    return SEARCH_CHAR_LETTER;
}

enum search_char search_fold(struct bytes text, size_t *at, uint8_t out[SEARCH_FOLD_MAX], size_t *n)
{
    uint32_t c = next_char(text, at);
    *n = 0;
    if (c < 0x80) return fold_ascii(c, out, n);
    if (c == 0x2019 || c == 0x2018 || c == 0x2bc) return SEARCH_CHAR_APOSTROPHE;
    if ((c >= 0x300 && c <= 0x36f) || c == 0xad || (c >= 0x200b && c <= 0x200f) || c == 0x2060 || c == 0xfeff)
        return SEARCH_CHAR_NOTHING;
    if (is_gap(c)) return SEARCH_CHAR_GAP;
    if (c >= 0xc0 && c < 0x180) {
        *n = strlen(latin[c - 0xc0]);
        memcpy(out, latin[c - 0xc0], *n);
        return SEARCH_CHAR_LETTER;
    }
    if (c >= 0x1a0 && c < 0x1a0 + sizeof latin_b1 - 1) return put_base(latin_b1[c - 0x1a0], c, out, n);
    if (c >= 0x200 && c < 0x200 + sizeof latin_b2 - 1) return put_base(latin_b2[c - 0x200], c, out, n);
    if (c >= 0x1e00 && c < 0x1e00 + sizeof latin_more - 1) return put_base(latin_more[c - 0x1e00], c, out, n);
    return put_base('-', small(c), out, n);
}
