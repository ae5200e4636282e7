/* What a device can do while nobody has unlocked it: ask the hub for its orders, and carry out one to wipe itself; and,
 * when nothing is left of it, say so to the hub. What cli/ and tests see. sync/FORMAT.md §4.1. */
#ifndef SPOKE_NODE_DOOR_H
#define SPOKE_NODE_DOOR_H

#include "node/node.h"

/* POST /v1/door at this address. ERR_UNREACHABLE; ERR_REFUSED: the hub said no. */
struct door_way {
    void *ctx;
    enum err (*post)(void *ctx, const char *address, struct bytes request, struct buf *answer, struct why *why);
};
MUST_CHECK enum err carrier_http_door(struct carrier_http *c, struct bytes request, struct buf *out,
                                      struct why *why); /* node/carrier_http.c */

struct knock_result {
    bool wiped;    /* nothing is left of this device; the words say since when */
    bool recorded; /* and the hub has its signed word */
    bool waits;    /* it is to be wiped, once what was not sent is */
    bool lease;    /* the time that it may be opened without contact was changed: the next opening takes it */
};
/* Ask, and do what is ordered; a wipe that was begun is finished first. *out is filled either way. ERR_OK: nothing, or
 * a lease, or it waits. ERR_REFUSED: wiped (out->wiped), or the hub does not know this device. ERR_UNREACHABLE.
 * ERR_UNINIT: no door here: nobody enrolled, or its device secret is elsewhere. ERR_TAMPERED: something else answered;
 * nothing was done. */
MUST_CHECK enum err node_knock(const struct env *env, const char *home, const struct door_way *via,
                               struct knock_result *out, struct why *why);
/* Before a passphrase is asked for. ERR_REFUSED, with words, on a device that was wiped, which is finished here if it
 * was cut off; on one that is to be, unless this is contact with the hub. */
MUST_CHECK enum err node_check(const struct env *env, const char *home, enum node_for what_for, struct why *why);
/* After node_sync or node_bundle_import: it was wiped, and n can only be closed. */
bool node_was_wiped(const struct node *n);

#endif
