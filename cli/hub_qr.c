#include "cli/hub_qr.h"

#include <errno.h>
#include <qrencode.h>

#define QUIET 4 /* modules around the code */

/* Outside the code everything is light. */
static bool is_dark(const QRcode *q, int x, int y)
{
    if (x < 0 || y < 0 || x >= q->width || y >= q->width) return false;
    return (q->data[y * q->width + x] & 1) != 0;
}

/* Of two modules above each other: those that are drawn. */
static const char *half(bool above, bool below)
{
    if (above) return below ? "\u2588" : "\u2580";
    return below ? "\u2584" : " ";
}

static void print_row(FILE *out, const QRcode *q, int y, bool colour)
{
    if (colour) fputs("\x1b[30;107m", out);
    for (int x = -QUIET; x < q->width + QUIET; x++) fputs(half(is_dark(q, x, y) == colour, is_dark(q, x, y + 1) == colour), out);
    fputs(colour ? "\x1b[0m\n" : "\n", out);
}

enum err hub_qr_print(FILE *out, const char *text, bool colour, struct why *why)
{
    /* A code of capitals, digits and '-' takes half the room that any bytes would; M: a smudge of 15 % is mended. */
    QRcode *q = QRcode_encodeString(text, 0, QR_ECLEVEL_M, QR_MODE_8, 1);
    if (q == NULL && errno == ERANGE) return why_set(why, ERR_LIMIT, "This is too long for a QR code.");
    if (q == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory for a QR code.");
    for (int y = -QUIET; y < q->width + QUIET; y += 2) print_row(out, q, y, colour);
    QRcode_free(q);
    return ERR_OK;
}
