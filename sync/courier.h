/* What a courier's file to the hub holds: a request, and what was written since it was made. FORMAT.md §4.3. */
#ifndef SPOKE_SYNC_COURIER_H
#define SPOKE_SYNC_COURIER_H

#include "base/buf.h"

#define COURIER_KIND_MORE 6u /* seal_header.kind of the second part */

/* Append to out. No `more`: the request alone, as it travels over a network. out->err says whether there was room. */
void courier_put(struct buf *out, struct bytes request, struct bytes more);
/* Both borrow from `file`. *out_more is empty where there is none. ERR_FORMAT: it begins as two parts and is none. */
MUST_CHECK enum err courier_split(struct bytes file, struct bytes *out_request, struct bytes *out_more,
                                  struct why *why);

#endif
