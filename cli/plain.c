#include "cli/plain.h"

#include <string.h>

/* One character at p: its bytes in *out_n; its code point, or 0 for what is not UTF-8 (RFC 3629). */
static uint32_t character(const uint8_t *p, size_t left, size_t *out_n)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xC2 ? 0 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : p[0] < 0xF5 ? 4 : 0;
    *out_n = 1;
    if (n == 0 || n > left) return 0;
    if (n == 1) return p[0];
    uint32_t c = p[0] & (0xFFu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xC0) != 0x80) return 0;
        c = c << 6 | (p[i] & 0x3Fu);
    }
    if (c < least[n]) return 0;
    *out_n = n;
    return c;
}

/* C0 and C1 controls and DEL steer a terminal (U+009B is ESC [); the others turn the order of letters around or break
 * the line, so that one reads what nobody wrote. */
static bool steers(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x61C || c == 0x200E || c == 0x200F ||
           (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0xFEFF;
}

void plain_text(char *out, size_t n, struct bytes in)
{
    size_t k = 0, step = 0;
    for (size_t i = 0; i < in.n; i += step) {
        bool blank = steers(character(in.p + i, in.n - i, &step));
        size_t need = blank ? 1 : step;
        if (k + need >= n) break;
        if (blank)
            out[k] = ' ';
        else
            memmove(out + k, in.p + i, step);
        k += need;
    }
    out[k] = '\0';
}

void plain_line(char *text)
{
    size_t n = strlen(text);
    plain_text(text, n + 1, bytes_of(text, n));
}

/* In pieces that end between characters: a terminal shows a cut one as two strange signs. */
static size_t piece(struct bytes in, size_t most)
{
    size_t n = in.n < most ? in.n : most;
    while (n < in.n && n > most - 4 && (in.p[n] & 0xC0) == 0x80) n--;
    return n;
}

void plain_block(FILE *f, const char *margin, struct bytes in)
{
    char text[513];
    while (in.n > 0) {
        const uint8_t *end = memchr(in.p, '\n', in.n);
        struct bytes line = bytes_of(in.p, end != NULL ? (size_t)(end - in.p) : in.n);
        in = bytes_of(in.p + line.n + (end != NULL), in.n - line.n - (end != NULL));
        if (line.n > 0 && line.p[line.n - 1] == '\r') line.n--;
        fputs(margin, f);
        while (line.n > 0) {
            size_t n = piece(line, sizeof text - 1);
            plain_text(text, sizeof text, bytes_of(line.p, n));
            fputs(text, f);
            line = bytes_of(line.p + n, line.n - n);
        }
        fputc('\n', f);
    }
}
