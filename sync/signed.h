/* Signed things, all of one shape: COSE_Sign1 whose type stands in the protected header (`typ`, label 16, RFC 9596), so
 * that one kind is never passed off as another. Fields are described once, as data, for encoder and decoder alike:
 * what one writes the other reads. FORMAT.md §2, §4. */
#ifndef SPOKE_SYNC_SIGNED_H
#define SPOKE_SYNC_SIGNED_H

#include "base/cbor.h"
#include "crypto/cose.h"

/* `header` is one encoded CBOR item for the protected header (private label -70001), or empty for none. Appends. */
MUST_CHECK enum err signed_put(const struct identity_secret *by, const char *type, struct bytes header,
                               struct bytes payload, struct buf *out, struct why *why);
struct signed_parts {
    struct bytes header;  /* the item under -70001, borrowed; empty when there is none */
    struct bytes payload; /* borrowed */
};
/* ERR_TAMPERED: not signed by `by`. ERR_FORMAT: signed, but another type or more in its header than we know. */
MUST_CHECK enum err signed_get(struct bytes cose, const struct identity *by, const char *type, bool has_header,
                               struct signed_parts *out, struct why *why);

enum field_kind {
    FIELD_FIXED, /* uint8_t[size]: byte string of exactly that length */
    FIELD_UINT,  /* uint64_t, at most INT64_MAX: it will stand in a database */
    FIELD_BOOL,  /* bool */
    FIELD_TEXT,  /* char[size], NUL-terminated UTF-8 */
};
struct field {
    enum field_kind kind;
    size_t offset; /* in the struct */
    size_t size;   /* bytes there */
};
#define FIELD(kind, type, member)                                                                                      \
    {                                                                                                                  \
        kind, offsetof(struct type, member), sizeof(((struct type *)NULL)->member)                                     \
    }

/* The n fields of *m, as n items one after the other (the caller opens the array). Text that is not UTF-8 or not
 * ended, and numbers past INT64_MAX, set b->err to ERR_FORMAT. */
void fields_put(struct buf *b, const struct field *f, size_t n, const void *m);
/* Into *m; sticky in r. */
void fields_get(struct cbor_reader *r, const struct field *f, size_t n, void *m);

/* What a person reads of a message that is signed and yet makes no sense, or is no message. Returns ERR_FORMAT. */
enum err signed_broken(struct why *why);

#endif
