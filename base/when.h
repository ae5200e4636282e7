/* Times as programs write them. */
#ifndef SPOKE_BASE_WHEN_H
#define SPOKE_BASE_WHEN_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define WHEN_RFC3339 32 /* bytes, with the zero */

/* Unix milliseconds as "2026-11-03T14:05:00.000Z" (RFC 3339, UTC). Beyond the years 0 to 9999: "". */
void when_rfc3339(int64_t ms, char out[WHEN_RFC3339]);
/* The other way: RFC 3339 with any offset and up to nine digits of a second. ERR_FORMAT. */
MUST_CHECK enum err when_read_rfc3339(const char *text, int64_t *out_ms, struct why *why);

#endif
