/* Rows as they stand in pages, kept from one answer to the next: a change of many rows goes to many devices in the same
 * bytes.
 *
 * Who may see a row is none of its business: that is asked anew for each device, and only then is a row looked for
 * here. What is kept of a row depends upon nothing but the key: the row, the version in which it stands there, and
 * which of its columns go in which schema version. A version that a transaction gave out and that was then undone comes
 * again with other content: rows are kept only where their version had been committed before the transaction began
 * (struct hub, begun).
 *
 * Whoever changes a row without a step of the order must call row_cache_forget. */
#ifndef SPOKE_HUB_ROW_CACHE_H
#define SPOKE_HUB_ROW_CACHE_H

#include "base/buf.h"

struct row_cache;

struct row_key {
    int64_t row_no;
    int64_t version;
    uint64_t schema;
    uint32_t columns; /* one bit each; all of them: the whole row */
};

struct row_bytes {
    struct bytes agency; /* of the row; empty: it is of the reference data */
    struct bytes op;     /* its table's header, then the operation */
    size_t header;       /* bytes of the header */
};

/* NULL where there is no memory for it: all functions take that for a cache in which nothing is ever found. */
struct row_cache *row_cache_new(void);
void row_cache_free(struct row_cache *c);   /* wipes */
void row_cache_forget(struct row_cache *c); /* likewise, and is empty then */
/* What *out points to is good until the next call. */
bool row_cache_find(const struct row_cache *c, const struct row_key *key, struct row_bytes *out);
/* Copies. What there is no room or memory for is not kept. */
void row_cache_put(struct row_cache *c, const struct row_key *key, const struct row_bytes *row);

#endif
