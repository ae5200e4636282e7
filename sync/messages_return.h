/* What devices keep for a hub that is put back from a backup, and return to it: hub/DISASTER.md. Encoder and decoder
 * together; decoders are strict and borrow from the item. None of it is signed by itself: it stands in a stream that a
 * signed hello binds. */
#ifndef SPOKE_SYNC_MESSAGES_RETURN_H
#define SPOKE_SYNC_MESSAGES_RETURN_H

#include "crypto/recovery.h"
#include "sync/messages.h"

#define NOTE_SEALED_MAX (16u << 20) /* bytes of a sealed note */
#define HOLDS_MAX       20000u      /* rows in one item */

struct note_item {
    uint64_t request; /* of the answer that it came with */
    uint64_t covered; /* to the device: notes up to this request are in a verified backup; from it: 0 */
    struct bytes note;
};
void message_put_note(struct buf *b, const struct note_item *n);
MUST_CHECK enum err message_get_note(struct bytes item, struct note_item *out, struct why *why);

/* A hub began another epoch. Signed with the recovery key. */
struct epoch_statement {
    uint8_t hub[KID_BYTES], device[KID_BYTES]; /* device: zeros for the hub's own log */
    uint64_t before, epoch;                    /* before < epoch */
    uint64_t at_ms;
    uint64_t size; /* of the device's log at the cut, and its root */
    uint8_t root[32];
};
struct signed_statement {
    struct bytes body, key, signature; /* borrowed */
};
/* The bytes that are signed, appended. */
void message_put_statement(struct buf *b, const struct epoch_statement *m);
void message_put_epoch(struct buf *b, const struct signed_statement *m, uint64_t chain);
/* Checked against the recovery key that the device pinned; what it says is for the caller to judge. ERR_TAMPERED,
 * ERR_FORMAT. */
MUST_CHECK enum err message_get_epoch(struct bytes item, const uint8_t recovery_pk[32], struct epoch_statement *out,
                                      uint64_t *out_chain, struct why *why);

enum return_kind { RETURN_NONE, RETURN_PLAIN, RETURN_SEALED };
struct return_item {
    struct bytes cose;
    enum return_kind kind;
    struct bytes body; /* MSG_ENVELOPE item, or that sealed */
};
void message_put_return(struct buf *b, const struct return_item *m);
MUST_CHECK enum err message_get_return(struct bytes item, struct return_item *out, struct why *why);

/* 1 to HOLDS_MAX rows; each is called in order once the whole list has been found good. */
void message_put_holds(struct buf *b, const struct drop_item *v, size_t n);
MUST_CHECK enum err message_get_holds(struct bytes item,
                                      enum err (*each)(void *ctx, const struct drop_item *d, struct why *why),
                                      void *ctx, struct why *why);
void message_put_returned(struct buf *b);
MUST_CHECK enum err message_get_returned(struct bytes item, struct why *why);

#endif
