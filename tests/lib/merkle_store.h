/* A log in memory: the hashes of its complete subtrees, as a store of crypto/merkle.h keeps them. */
#ifndef SPOKE_TESTS_LIB_MERKLE_STORE_H
#define SPOKE_TESTS_LIB_MERKLE_STORE_H

#include "crypto/merkle.h"

struct merkle_store {
    struct merkle_frontier edge;
    uint8_t (*level[MERKLE_LEVELS])[MERKLE_HASH_BYTES]; /* of each level, by index */
    uint64_t room[MERKLE_LEVELS];
    uint64_t shown;   /* when not 0: what was not complete at this size is not there */
    uint64_t lookups; /* how often it was asked */
};

/* Zeroed is empty. No memory ends the program. */
void merkle_store_release(struct merkle_store *s);
/* Append a leaf, and keep what it completed. */
void merkle_store_append(struct merkle_store *s, const uint8_t leaf_hash[MERKLE_HASH_BYTES]);
/* Make it as it was with `size` leaves. */
void merkle_store_cut(struct merkle_store *s, uint64_t size);
struct merkle_source merkle_store_source(struct merkle_store *s); /* ERR_NOTFOUND: not there */
/* Size and root, as they were with `size` leaves. */
struct merkle_head merkle_store_head(struct merkle_store *s, uint64_t size);

#endif
