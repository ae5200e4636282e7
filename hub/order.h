/* Orders to devices, signed once and sent until they are carried out; and who looked at what. hub/RULES.md, "Orders".
 * Within the caller's transaction. */
#ifndef SPOKE_HUB_ORDER_H
#define SPOKE_HUB_ORDER_H

#include "hub/internal.h"

/* A device says, in its hello or at its door, which order it carried out last. What it was sent up to that number is
 * done. An order that it was not sent, or a wipe that it did not confirm, has a number that another hub's state gave
 * away (this one was put back from a backup): it is numbered and signed anew, above what the device knows. */
MUST_CHECK enum err order_heard(struct hub *h, struct hub_node *n, uint64_t reported, struct why *why);
/* The newest of each kind with a number above `reported`, as items, lowest number first; they count as sent. */
MUST_CHECK enum err order_each(struct hub *h, const struct hub_node *n, uint64_t reported,
                               enum err (*each)(void *ctx, struct bytes item, struct why *why), void *ctx,
                               struct why *why);
MUST_CHECK enum err order_pending(struct hub *h, const struct hub_node *n, uint64_t reported, bool *out,
                                  struct why *why);
/* The device's word, verified, that it wiped itself: what it was to forget is forgotten. Taken once; the same again
 * changes nothing. ERR_REFUSED: no such order. */
MUST_CHECK enum err order_wiped(struct hub *h, const struct hub_node *n, const struct wiped *m, struct bytes cose,
                                struct why *why);
/* A device that takes another's place has its lease; and if that one is to be wiped, or was, it is cut off and to be
 * wiped too, once it has sent what that one had not. */
MUST_CHECK enum err order_inherit(struct hub *h, int64_t old_no, const uint8_t new_kid[KID_BYTES], struct why *why);

/* hub/views.c: MSG_VIEWS of a device. A row that its site cannot have seen is passed over without a word. */
MUST_CHECK enum err views_take(struct hub *h, const struct hub_node *n, struct bytes item, struct why *why);

#endif
