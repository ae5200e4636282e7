/* Merkle trees of append-only logs: RFC 9162 §2.1 over SHA-256, crypto/FORMAT.md §6.
 *
 * The leaves lie in a store of the caller's, with the hashes of all complete subtrees: (level, index) stands for the
 * 2^level leaves from index * 2^level on. merkle_append says which ones a leaf completed; they are written once and
 * never changed. Proofs, for the newest size and for any that the log had before, are made by looking up a few of
 * them. Nothing here allocates, does input or output, or keeps anything between two calls. */
#ifndef SPOKE_CRYPTO_MERKLE_H
#define SPOKE_CRYPTO_MERKLE_H

#include "base/buf.h"

#define MERKLE_HASH_BYTES         32
#define MERKLE_MAX_SIZE           ((uint64_t)INT64_MAX) /* leaves */
#define MERKLE_LEVELS             63                    /* a size has so many binary digits at most */
#define MERKLE_MAX_PROOF          64                    /* hashes in a proof */
#define MERKLE_FRONTIER_MAX_BYTES (8 + MERKLE_LEVELS * MERKLE_HASH_BYTES)

/* SHA-256(0x00 ‖ content). */
void merkle_leaf_hash(uint8_t out[MERKLE_HASH_BYTES], struct bytes content);
/* SHA-256(0x01 ‖ left ‖ right). */
void merkle_node_hash(uint8_t out[MERKLE_HASH_BYTES], const uint8_t left[MERKLE_HASH_BYTES],
                      const uint8_t right[MERKLE_HASH_BYTES]);

/* ---- appending ---- */
/* The right edge of a log: all that is needed to append to it and to tell its root. Plain data; zeroed: empty. */
struct merkle_frontier {
    uint64_t size;                                  /* leaves; MERKLE_MAX_SIZE at most */
    uint8_t edge[MERKLE_LEVELS][MERKLE_HASH_BYTES]; /* of level l where size has bit l; else of no meaning */
};

/* The hash of a complete subtree. */
struct merkle_node {
    unsigned level; /* below MERKLE_LEVELS */
    uint64_t index; /* among those of its level, from 0 */
    uint8_t hash[MERKLE_HASH_BYTES];
};

/* Append a leaf. out[0] is the leaf, and the subtrees that it completed follow, level by level: *out_n in all, two on
 * average. The caller must store them, with the frontier, before anybody is shown the new root. ERR_LIMIT: the log is
 * full; nothing has changed. */
MUST_CHECK enum err merkle_append(struct merkle_frontier *f, const uint8_t leaf_hash[MERKLE_HASH_BYTES],
                                  struct merkle_node out[MERKLE_LEVELS], size_t *out_n, struct why *why);
/* The hash of the whole tree. */
void merkle_root(const struct merkle_frontier *f, uint8_t out[MERKLE_HASH_BYTES]);
/* Returns how many bytes it took. */
size_t merkle_frontier_to_bytes(const struct merkle_frontier *f, uint8_t out[MERKLE_FRONTIER_MAX_BYTES]);
/* ERR_FORMAT: a length that the size does not ask for, or a size too large. */
MUST_CHECK enum err merkle_frontier_from_bytes(struct merkle_frontier *out, struct bytes in, struct why *why);

/* ---- looking up ---- */
struct merkle_source {
    void *ctx;
    /* The hash of a complete subtree, as it was stored. What it fails with is the error of the call that asked. */
    enum err (*get)(void *ctx, unsigned level, uint64_t index, uint8_t out[MERKLE_HASH_BYTES], struct why *why);
};

/* The right edge that the log had at `size` (with merkle_root: its root then). Looks up a subtree for each binary digit
 * 1 of size. ERR_LIMIT: no log has this size. */
MUST_CHECK enum err merkle_frontier_read(struct merkle_frontier *out, uint64_t size, const struct merkle_source *from,
                                         struct why *why);

/* ---- proofs ---- */
struct merkle_proof {
    size_t n;                                            /* hashes in use */
    uint8_t hashes[MERKLE_MAX_PROOF][MERKLE_HASH_BYTES]; /* the lowest first */
};
/* As it travels: the hashes, one after the other. Borrowed from p. */
static inline struct bytes merkle_proof_bytes(const struct merkle_proof *p)
{
    return bytes_of(p->hashes, p->n * MERKLE_HASH_BYTES);
}

/* That leaf `index` was in the log when it had `size` leaves (RFC 9162 §2.1.3.1). At most 2 * ceil(log2 size)
 * look-ups. ERR_NOTFOUND: a log of this size has no such leaf. */
MUST_CHECK enum err merkle_inclusion(const struct merkle_source *from, uint64_t index, uint64_t size,
                                     struct merkle_proof *out, struct why *why);
/* That the log of `size` leaves goes on from that of `old_size` (RFC 9162 §2.1.4.1). As many look-ups. ERR_NOTFOUND
 * unless 0 < old_size <= size. */
MUST_CHECK enum err merkle_consistency(const struct merkle_source *from, uint64_t old_size, uint64_t size,
                                       struct merkle_proof *out, struct why *why);

/* A log at one moment, as its checkpoint says. */
struct merkle_head {
    uint64_t size;
    uint8_t root[MERKLE_HASH_BYTES];
};

/* Verify (RFC 9162 §2.1.3.2, §2.1.4.2). ERR_TAMPERED for whatever is wrong, be it hashes, sizes or the length of the
 * proof; no other error. From the empty log there is no proof (ERR_TAMPERED too), and none is needed: who saw a log
 * without leaves has seen nothing that could be taken back. Let that caller not ask. */
MUST_CHECK enum err merkle_verify_inclusion(const struct merkle_head *head, uint64_t index,
                                            const uint8_t leaf_hash[MERKLE_HASH_BYTES], struct bytes proof,
                                            struct why *why);
MUST_CHECK enum err merkle_verify_consistency(const struct merkle_head *old, const struct merkle_head *head,
                                              struct bytes proof, struct why *why);

#endif
