/* Received text for a terminal (rule 9): one line, nothing in it steers the terminal or the order of what is read. */
#ifndef SPOKE_CLI_PLAIN_H
#define SPOKE_CLI_PLAIN_H

#include "base/buf.h"

#include <stdio.h>

/* Write as many whole characters of `in` to `out` (n bytes, NUL included) as fit. Control characters, those that change
 * the direction of writing, and bytes that are not UTF-8 become blanks. Never longer than `in`, so out may be in.p. */
void plain_text(char *out, size_t n, struct bytes in);
/* The same in place. */
void plain_line(char *text);
/* Received text of several lines, each after a margin like "  | ", so that none can pass for the program's own
 * words. */
void plain_block(FILE *f, const char *margin, struct bytes in);

#endif
