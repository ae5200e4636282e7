/* The bytes of a journal's parts (hub/DISASTER.md, Bytes), for hub/redo*.c and the tests that damage them. */
#ifndef SPOKE_HUB_REDO_PART_H
#define SPOKE_HUB_REDO_PART_H

#include "crypto/hash.h"
#include "crypto/identity.h"
#include "hub/redo.h"

#define REDO_PIECE    (4u << 20)  /* of a transaction, in one entry */
#define REDO_FILE_MAX (64u << 20) /* bytes of a part, whatever it claims */

enum redo_frame { REDO_TABLE = 1, REDO_ROW, REDO_GONE };

struct redo_head {
    uint8_t id[REDO_ID_BYTES], chain[HASH_BYTES]; /* chain: of the entry before `first` */
    uint64_t part, first, schema;
    int64_t at;
};
struct redo_entry {
    uint8_t id[REDO_ID_BYTES], chain[HASH_BYTES]; /* chain: of the entry before */
    uint64_t entry;
    int64_t at;
    bool more;                 /* its transaction goes on in the next */
    struct bytes sealed;       /* borrowed */
    uint8_t after[HASH_BYTES]; /* what the next entry has as chain */
};

/* A frame: a byte string in its shortest form. */
void redo_put_frame(struct buf *out, struct bytes content);
/* The next one. False: what is there is none, or it is cut off; *in is as it was. */
bool redo_get_frame(struct bytes *in, struct bytes *out);

/* Appended. out_after as of struct redo_entry. */
MUST_CHECK enum err redo_put_head(struct buf *out, const struct identity_secret *hub, const struct redo_head *m,
                                  struct why *why);
MUST_CHECK enum err redo_put_entry(struct buf *out, const struct identity_secret *hub, const struct redo_entry *m,
                                   uint8_t out_after[HASH_BYTES], struct why *why);
/* Take one from *in, which goes on behind it; after an error it is as it was. ERR_TAMPERED: it is not there whole, or
 * not this hub's. */
MUST_CHECK enum err redo_get_head(struct bytes *in, const struct identity *hub, struct redo_head *out, struct why *why);
MUST_CHECK enum err redo_get_entry(struct bytes *in, const struct identity *hub, struct redo_entry *out,
                                   struct why *why);
/* Is what could not be taken from here the end of a write that was cut off: is no whole entry of this hub behind its
 * first byte? */
bool redo_torn(struct bytes in, const struct identity *hub);

/* DIR/spoke-journal-ID-N. ERR_LIMIT. */
MUST_CHECK enum err redo_part_path(char *out, size_t n, const char *dir, const uint8_t id[REDO_ID_BYTES], uint64_t part,
                                   struct why *why);

#endif
