/* What every message has around it: an array whose first element is its type. Only sync/messages_*.c read this. */
#ifndef SPOKE_SYNC_MESSAGE_ITEM_H
#define SPOKE_SYNC_MESSAGE_ITEM_H

#include "sync/messages.h"
#include "sync/signed.h"

/* A message that is one signed thing, [type, COSE_Sign1], whose payload is the array of a struct's fields. */
struct message_kind {
    enum message_type type;
    const char *typ; /* COSE typ */
    const struct field *fields;
    size_t n_fields;
};

/* [type, cose] with any payload. b is as long as it was on failure. */
MUST_CHECK enum err message_item_sign(struct buf *b, const struct identity_secret *by, enum message_type type,
                                      const char *typ, struct bytes payload, struct why *why);
/* The COSE_Sign1 in [type, cose], nothing of it checked. ERR_FORMAT. */
MUST_CHECK enum err message_item_cose(struct bytes item, enum message_type type, struct bytes *out_cose,
                                      struct why *why);
/* Payload of [type, cose] signed by `by`. out_cose may be NULL. */
MUST_CHECK enum err message_item_verify(struct bytes item, const struct identity *by, enum message_type type,
                                        const char *typ, struct bytes *out_payload, struct bytes *out_cose,
                                        struct why *why);

/* The same for messages that are nothing but fields. fields writes to *out even when it fails: hand it a copy. */
MUST_CHECK enum err message_item_put(struct buf *b, const struct identity_secret *by, const struct message_kind *k,
                                     const void *m, struct why *why);
MUST_CHECK enum err message_item_fields(struct bytes payload, const struct message_kind *k, void *out, struct why *why);

#endif
