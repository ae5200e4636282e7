/* What the hub knows of a request before it is judged: whose it says it is, and whether it was answered. For
 * hub/exchange*.c and hub/round.c. */
#ifndef SPOKE_HUB_KNOWN_H
#define SPOKE_HUB_KNOWN_H

#include "hub/internal.h"

enum { KIND_REQUEST = 1, KIND_ANSWER = 2 };

/* One message for every refusal: a stranger learns nothing from it. ERR_REFUSED. */
enum err known_refused(struct why *why);
/* The key id that the request says it is of, to this hub. ERR_REFUSED: it is no request, or for another. */
MUST_CHECK enum err known_sender(const struct hub *h, struct bytes request, uint8_t out_kid[KID_BYTES], struct why *why);
/* The device that the request names, not proved yet; and was this request, by its hash, answered before? */
MUST_CHECK enum err known_asking(struct hub *h, struct bytes request, const uint8_t hash[32], struct hub_node *out,
                                 bool *out_had, struct why *why);
/* The device that the request names, not proved yet. ERR_REFUSED: none. */
MUST_CHECK enum err known_node(struct hub *h, struct bytes request, struct hub_node *out, struct why *why);
/* The same within the transaction, whatever was known before it: another process of this hub may have answered the
 * device meanwhile, or its administrators may have cut it off. *out_overtaken: it answered another request since. A
 * store that only this process has open is as it was, and is not asked. */
MUST_CHECK enum err known_again(struct hub *h, struct bytes request, struct hub_node *inout, bool *out_overtaken,
                                struct why *why);
/* The stored answer to a request by its hash, appended to out. */
MUST_CHECK enum err known_answer(struct hub *h, const uint8_t request_hash[32], struct buf *out, bool *out_found,
                                 struct why *why);

/* Bytes that were answered before, and not by the last answer: a courier brings them after newer ones. ERR_EXISTS. */
MUST_CHECK enum err known_refuse_late(struct hub *h, const struct hub_node *n, const uint8_t hash[32], struct why *why);
enum err known_late(struct why *why); /* the words for it */

#endif
