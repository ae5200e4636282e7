#include "crypto/merkle.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

enum { HASH = MERKLE_HASH_BYTES };

void merkle_leaf_hash(uint8_t out[HASH], struct bytes content)
{
    static const uint8_t leaf = 0x00;
    crypto_hash_sha256_state st;
    (void)crypto_hash_sha256_init(&st);
    (void)crypto_hash_sha256_update(&st, &leaf, 1);
    (void)crypto_hash_sha256_update(&st, content.p, content.n);
    (void)crypto_hash_sha256_final(&st, out);
    sodium_memzero(&st, sizeof st); /* a content may be short enough to be found out */
}

void merkle_node_hash(uint8_t out[HASH], const uint8_t left[HASH], const uint8_t right[HASH])
{
    uint8_t both[1 + 2 * HASH] = {0x01};
    memcpy(both + 1, left, HASH);
    memcpy(both + 1 + HASH, right, HASH);
    (void)crypto_hash_sha256(out, both, sizeof both);
}

/* Of the log of `size` leaves, the subtree of its edge on a level where size has a 1 digit. */
static uint64_t edge_index(uint64_t size, unsigned level)
{
    return (size >> level) - 1;
}

/* ---- appending ---- */
enum err merkle_append(struct merkle_frontier *f, const uint8_t leaf_hash[HASH], struct merkle_node out[MERKLE_LEVELS],
                       size_t *out_n, struct why *why)
{
    unsigned level = 0;
    if (f->size >= MERKLE_MAX_SIZE) return why_set(why, ERR_LIMIT, "a log has as many entries as it can hold");
    out[0].level = 0;
    out[0].index = f->size;
    memcpy(out[0].hash, leaf_hash, HASH);
    /* As in adding one to a binary number: each 1 digit at its end is a subtree that now finds its other half. One of
     * the 63 digits is 0, or the log would be full. */
    while ((f->size >> level & 1) != 0) {
        merkle_node_hash(out[level + 1].hash, f->edge[level], out[level].hash);
        out[level + 1].level = level + 1;
        out[level + 1].index = out[level].index >> 1;
        level++;
    }
    assert(level < MERKLE_LEVELS);
    memcpy(f->edge[level], out[level].hash, HASH);
    f->size++;
    *out_n = level + 1;
    return ERR_OK;
}

void merkle_root(const struct merkle_frontier *f, uint8_t out[HASH])
{
    uint8_t root[HASH];
    bool any = false;
    for (unsigned level = 0; level < MERKLE_LEVELS; level++) {
        if ((f->size >> level & 1) == 0) continue;
        if (any)
            merkle_node_hash(root, f->edge[level], root);
        else
            memcpy(root, f->edge[level], HASH);
        any = true;
    }
    if (any)
        memcpy(out, root, HASH);
    else
        (void)crypto_hash_sha256(out, NULL, 0);
}

size_t merkle_frontier_to_bytes(const struct merkle_frontier *f, uint8_t out[MERKLE_FRONTIER_MAX_BYTES])
{
    size_t n = 0;
    for (unsigned shift = 64; shift > 0; shift -= 8) out[n++] = (uint8_t)(f->size >> (shift - 8));
    for (unsigned level = MERKLE_LEVELS; level-- > 0;) {
        if ((f->size >> level & 1) == 0) continue;
        memcpy(out + n, f->edge[level], HASH);
        n += HASH;
    }
    return n;
}

static enum err damaged(struct why *why)
{
    return why_set(why, ERR_FORMAT, "what is stored of a log is damaged: it is not as long as its size asks for");
}

enum err merkle_frontier_from_bytes(struct merkle_frontier *out, struct bytes in, struct why *why)
{
    struct merkle_frontier f = {0};
    size_t at = 8;
    if (in.n < at) return damaged(why);
    for (size_t i = 0; i < at; i++) f.size = f.size << 8 | in.p[i];
    if (f.size > MERKLE_MAX_SIZE) return damaged(why);
    if (in.n != at + HASH * (size_t)__builtin_popcountll(f.size)) return damaged(why);
    for (unsigned level = MERKLE_LEVELS; level-- > 0;) {
        if ((f.size >> level & 1) == 0) continue;
        memcpy(f.edge[level], in.p + at, HASH);
        at += HASH;
    }
    *out = f;
    return ERR_OK;
}

/* ---- looking up ---- */
enum err merkle_frontier_read(struct merkle_frontier *out, uint64_t size, const struct merkle_source *from,
                              struct why *why)
{
    struct merkle_frontier f = {.size = size};
    if (size > MERKLE_MAX_SIZE) return why_set(why, ERR_LIMIT, "no log can have so many entries");
    for (unsigned level = 0; level < MERKLE_LEVELS; level++) {
        if ((size >> level & 1) == 0) continue;
        enum err err = from->get(from->ctx, level, edge_index(size, level), f.edge[level], why);
        if (err != ERR_OK) return err;
    }
    *out = f;
    return ERR_OK;
}

/* The tree of the leaves at the end of the log that do not fill a subtree of `level`: there are some. */
static enum err fold_end(const struct merkle_source *from, uint64_t size, unsigned level, uint8_t out[HASH],
                         struct why *why)
{
    bool any = false;
    for (unsigned l = 0; l < level; l++) {
        uint8_t hash[HASH];
        if ((size >> l & 1) == 0) continue;
        enum err err = from->get(from->ctx, l, edge_index(size, l), hash, why);
        if (err != ERR_OK) return err;
        if (any)
            merkle_node_hash(out, hash, out);
        else
            memcpy(out, hash, HASH);
        any = true;
    }
    assert(any);
    return ERR_OK;
}

/* Add to the proof what lies beside the way from the subtree (level, index) up to the root of the log of `size`. Of the
 * neighbours on the right one at most is not complete, and above it there are none: that is the bound on look-ups. */
static enum err add_way_up(const struct merkle_source *from, unsigned level, uint64_t index, uint64_t size,
                           struct merkle_proof *p, struct why *why)
{
    for (; (size - 1) >> level != 0; level++, index >>= 1) {
        uint64_t beside = index ^ 1;
        enum err err = ERR_OK;
        if (beside > (size - 1) >> level) continue; /* the last of its level goes up as it is */
        assert(p->n < MERKLE_MAX_PROOF);
        if (beside < size >> level)
            err = from->get(from->ctx, level, beside, p->hashes[p->n], why);
        else
            err = fold_end(from, size, level, p->hashes[p->n], why);
        if (err != ERR_OK) return err;
        p->n++;
    }
    return ERR_OK;
}

/* ---- proofs ---- */
enum err merkle_inclusion(const struct merkle_source *from, uint64_t index, uint64_t size, struct merkle_proof *out,
                          struct why *why)
{
    struct merkle_proof p;
    p.n = 0;
    if (size > MERKLE_MAX_SIZE || index >= size)
        return why_set(why, ERR_NOTFOUND, "the log had no such entry when it was of this size");
    enum err err = add_way_up(from, 0, index, size, &p, why);
    if (err == ERR_OK) *out = p;
    return err;
}

enum err merkle_consistency(const struct merkle_source *from, uint64_t old_size, uint64_t size,
                            struct merkle_proof *out, struct why *why)
{
    struct merkle_proof p;
    p.n = 0;
    if (old_size == 0 || old_size > size || size > MERKLE_MAX_SIZE)
        return why_set(why, ERR_NOTFOUND, "there is no proof from a log of the one size to a log of the other");
    if (old_size < size) {
        unsigned level = (unsigned)__builtin_ctzll(old_size); /* of the subtree that ends with the last old leaf */
        uint64_t index = edge_index(old_size, level);
        enum err err = ERR_OK;
        if (index > 0) err = from->get(from->ctx, level, index, p.hashes[p.n++], why);
        if (err == ERR_OK) err = add_way_up(from, level, index, size, &p, why);
        if (err != ERR_OK) return err;
    }
    *out = p;
    return ERR_OK;
}

/* ---- verifying ---- */
static enum err not_proven(struct why *why)
{
    return why_set(why, ERR_TAMPERED, "the proof does not hold: the log is not what its signed record says");
}

/* How many hashes are in it; more than any proof has: no whole number of them, or too many. */
static size_t proof_length(struct bytes proof)
{
    return proof.n % HASH == 0 && proof.n / HASH <= MERKLE_MAX_PROOF ? proof.n / HASH : MERKLE_MAX_PROOF + 1;
}

/* One step up, in both verifications: fn and sn (names of RFC 9162) are where we are and where the last node is, on
 * their level. Does the next hash of the proof belong on the left? */
static bool step_is_left(uint64_t fn, uint64_t sn)
{
    return (fn & 1) != 0 || fn == sn;
}

static void step_up(uint64_t *fn, uint64_t *sn)
{
    if (step_is_left(*fn, *sn)) {
        while ((*fn & 1) == 0 && *fn != 0) { /* levels on which the last node has nothing beside it */
            *fn >>= 1;
            *sn >>= 1;
        }
    }
    *fn >>= 1;
    *sn >>= 1;
}

enum err merkle_verify_inclusion(const struct merkle_head *head, uint64_t index, const uint8_t leaf_hash[HASH],
                                 struct bytes proof, struct why *why)
{
    uint8_t r[HASH];
    size_t n = proof_length(proof);
    if (head->size > MERKLE_MAX_SIZE || index >= head->size || n > MERKLE_MAX_PROOF) return not_proven(why);
    uint64_t fn = index, sn = head->size - 1;
    memcpy(r, leaf_hash, HASH);
    for (size_t i = 0; i < n; i++) {
        const uint8_t *p = proof.p + i * HASH;
        if (sn == 0) return not_proven(why);
        if (step_is_left(fn, sn))
            merkle_node_hash(r, p, r);
        else
            merkle_node_hash(r, r, p);
        step_up(&fn, &sn);
    }
    return sn == 0 && memcmp(r, head->root, HASH) == 0 ? ERR_OK : not_proven(why);
}

/* The part of §2.1.4.2 that follows its checks of sizes: 0 < old->size < head->size. */
static bool leads_to_both(const struct merkle_head *old, const struct merkle_head *head, struct bytes proof, size_t n)
{
    uint8_t fr[HASH], sr[HASH];
    uint64_t fn = old->size - 1, sn = head->size - 1;
    size_t i = 0;
    const uint8_t *first = old->root; /* where the old tree is complete, its root stands in for the first hash */
    if ((old->size & (old->size - 1)) != 0) {
        if (n == 0) return false;
        first = proof.p;
        i = 1;
    }
    while ((fn & 1) != 0) {
        fn >>= 1;
        sn >>= 1;
    }
    memcpy(fr, first, HASH);
    memcpy(sr, first, HASH);
    for (; i < n; i++) {
        const uint8_t *c = proof.p + i * HASH;
        if (sn == 0) return false;
        if (step_is_left(fn, sn)) {
            merkle_node_hash(fr, c, fr);
            merkle_node_hash(sr, c, sr);
        } else {
            merkle_node_hash(sr, sr, c);
        }
        step_up(&fn, &sn);
    }
    return sn == 0 && memcmp(fr, old->root, HASH) == 0 && memcmp(sr, head->root, HASH) == 0;
}

enum err merkle_verify_consistency(const struct merkle_head *old, const struct merkle_head *head, struct bytes proof,
                                   struct why *why)
{
    size_t n = proof_length(proof);
    bool holds = false;
    if (old->size == 0 || head->size > MERKLE_MAX_SIZE || n > MERKLE_MAX_PROOF) return not_proven(why);
    if (old->size == head->size)
        holds = n == 0 && memcmp(old->root, head->root, HASH) == 0;
    else if (old->size < head->size)
        holds = leads_to_both(old, head, proof, n);
    return holds ? ERR_OK : not_proven(why);
}
