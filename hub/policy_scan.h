/* The tokens of a policy's text, as SQLite takes SQL apart. Between hub/policy_text.c and hub/policy_plain.c only. */
#ifndef SPOKE_HUB_POLICY_SCAN_H
#define SPOKE_HUB_POLICY_SCAN_H

#include "base/buf.h"

#include <stdbool.h>

enum token { TOKEN_END, TOKEN_WORD, TOKEN_QUOTED, TOKEN_MARK, TOKEN_OPEN_QUOTE, TOKEN_OPEN_COMMENT };

struct scan {
    struct bytes text;
    size_t at, line;      /* behind the last token */
    size_t from, on_line; /* where the last token begins */
    struct bytes last;    /* the last token itself */
};
enum token scan_next(struct scan *s); /* begin with {.text = …, .line = 1} */

#endif
