/* A page that stands by itself: for printing, or for whoever has no device. Everything that somebody wrote is text in
 * it, because libxml2's writer escapes it; there is no script, and nothing is fetched. */
#ifndef SPOKE_CLI_HTML_H
#define SPOKE_CLI_HTML_H

#include "base/buf.h"
#include "base/json.h"

/* The summary of a case (look_summary), appended to out. ERR_NOMEM, ERR_LIMIT. */
MUST_CHECK enum err html_summary(struct json *summary, struct buf *out, struct why *why);

#endif
