/* Notes: what a device carries for a hub that may forget (hub/DISASTER.md). Within the running transaction. */
#ifndef SPOKE_HUB_NOTE_H
#define SPOKE_HUB_NOTE_H

#include "hub/sight.h"

/* One verdict as it was told. */
struct note_outcome {
    uint64_t seq;
    uint8_t hash[HASH_BYTES];
    int64_t version;
    enum verdict verdict;
    int64_t received_at;
    struct bytes reason; /* borrowed */
};
struct note_cut {
    struct cut cut; /* name zeros: none was given */
    int64_t served_at;
};
/* The item for this answer, appended; nothing where there is nothing to note. Before the verdicts are marked as told.
 * served: NULL, or the cut that is given. */
MUST_CHECK enum err note_put(struct hub *h, const struct hub_node *n, uint64_t request, const struct cut *served,
                             struct buf *out, struct why *why);
/* The same, into the answer. */
struct bundle_writer;
MUST_CHECK enum err note_tell(struct hub *h, const struct hub_node *n, uint64_t request, const struct cut *served,
                              struct bundle_writer *w, struct why *why);
/* Open one that a device returns. ERR_TAMPERED: it is not this hub's, or another device's. `each` gets the verdicts in
 * their order, once the whole was found good. */
typedef enum err (*note_fn)(void *ctx, const struct note_outcome *o, struct why *why);
MUST_CHECK enum err note_open(struct hub *h, const struct hub_node *n, struct bytes note, struct note_cut *out_cut,
                              note_fn each, void *ctx, struct why *why);

#endif
