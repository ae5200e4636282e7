/* The one-time token by which `spoke open` lets a browser in: its hash lies in the home, for a minute. */
#ifndef SPOKE_CLI_SERVE_LAUNCH_H
#define SPOKE_CLI_SERVE_LAUNCH_H

#include "base/env.h"

#define LAUNCH_CHARS 65          /* 256 random bits in hex, and the NUL */
#define LAUNCH_MS    60000       /* it is good for so long */
#define LAUNCH_PAGE  "open.html" /* in the home: leads a browser there with it */

/* Leave a new one, in the place of any before. */
MUST_CHECK enum err serve_launch_leave(const struct env *env, const char *home, char out[LAUNCH_CHARS],
                                       struct why *why);
/* Is it this one? It is used up then. ERR_LOCKED, with words: wrong, used or too old. */
MUST_CHECK enum err serve_launch_take(const struct env *env, const char *home, const char *token, struct why *why);

#endif
