/* A text as a QR code of half blocks, two modules a character: the only room where <qrencode.h> is seen. */
#ifndef SPOKE_CLI_HUB_QR_H
#define SPOKE_CLI_HUB_QR_H

#include "base/err.h"

#include <stdio.h>

/* With the quiet zone of four modules that readers need (ISO/IEC 18004). `colour`: black on white by the terminal's
 * colours, so that it is right on any background; without, light modules are the blocks, as a dark terminal shows them.
 * ERR_LIMIT: too long for one code. ERR_NOMEM. */
MUST_CHECK enum err hub_qr_print(FILE *out, const char *text, bool colour, struct why *why);

#endif
