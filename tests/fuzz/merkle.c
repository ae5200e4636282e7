/* Proofs about logs, and right edges. A proof is judged here a second time, from the root down as RFC 9162 §2.1.3.1
 * and §2.1.4.1 define it, while crypto/merkle.c goes up from the leaf: both must say the same of every proof, and with
 * any bit changed nobody takes it. */
#include "crypto/merkle.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

enum { HASH = MERKLE_HASH_BYTES };
enum asked { INCLUSION = 0, CONSISTENCY = 1, EDGE = 2, RAW = 3, FITTING = 4 };

static uint64_t split(uint64_t n) /* the largest power of two below n */
{
    return (uint64_t)1 << (63 - __builtin_clzll(n - 1));
}

/* ---- from the root down: PATH and SUBPROOF, with the proof taken apart from its end ---- */
static bool root_of_path(uint64_t m, uint64_t n, const uint8_t (*p)[HASH], size_t count, const uint8_t *leaf,
                         uint8_t *out)
{
    uint8_t below[HASH];
    if (n == 1) {
        memcpy(out, leaf, HASH);
        return count == 0;
    }
    uint64_t k = split(n);
    if (count == 0) return false;
    if (m < k) {
        if (!root_of_path(m, k, p, count - 1, leaf, below)) return false;
        merkle_node_hash(out, below, p[count - 1]);
    } else {
        if (!root_of_path(m - k, n - k, p, count - 1, leaf, below)) return false;
        merkle_node_hash(out, p[count - 1], below);
    }
    return true;
}

struct roots {
    uint8_t old[HASH], now[HASH];
};

/* `whole`: the old tree is a subtree of the new one, and its root is `known`. */
static bool roots_of_subproof(uint64_t m, uint64_t n, const uint8_t (*p)[HASH], size_t count, const uint8_t *known,
                              struct roots *out)
{
    struct roots below;
    if (m == n) {
        if (count != (known == NULL ? 1 : 0)) return false;
        memcpy(out->old, known == NULL ? p[0] : known, HASH);
        memcpy(out->now, out->old, HASH);
        return true;
    }
    uint64_t k = split(n);
    if (count == 0) return false;
    const uint8_t *last = p[count - 1];
    if (m <= k) {
        if (!roots_of_subproof(m, k, p, count - 1, known, &below)) return false;
        memcpy(out->old, below.old, HASH);
        merkle_node_hash(out->now, below.now, last);
    } else {
        if (!roots_of_subproof(m - k, n - k, p, count - 1, NULL, &below)) return false;
        merkle_node_hash(out->old, last, below.old);
        merkle_node_hash(out->now, last, below.now);
    }
    return true;
}

/* How many hashes the definitions ask for. */
static size_t path_length(uint64_t m, uint64_t n)
{
    size_t count = 0;
    for (; n > 1; count++) {
        uint64_t k = split(n);
        n = m < k ? k : n - k;
        m = m < k ? m : m - k;
    }
    return count;
}

static size_t subproof_length(uint64_t m, uint64_t n)
{
    bool whole = true;
    size_t count = 0;
    for (; m != n; count++) {
        uint64_t k = split(n);
        whole = whole && m <= k;
        n = m <= k ? k : n - k;
        m = m <= k ? m : m - k;
    }
    return count + (whole ? 0 : 1);
}

/* ---- the input: two numbers, a hash, a proof ---- */
struct question {
    uint64_t m, n;
    uint8_t hash[HASH];
    uint8_t proof[MERKLE_MAX_PROOF + 1][HASH];
    size_t bytes; /* of the proof */
};

static uint64_t take_number(struct bytes *in)
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++) v = v << 8 | fuzz_take(in);
    return v;
}

static struct question take_question(struct bytes in)
{
    struct question q;
    memset(&q, 0, sizeof q);
    q.m = take_number(&in);
    q.n = take_number(&in);
    for (size_t i = 0; i < HASH; i++) q.hash[i] = fuzz_take(&in);
    q.bytes = in.n < sizeof q.proof ? in.n : sizeof q.proof;
    if (q.bytes > 0) memcpy(q.proof, in.p, q.bytes);
    return q;
}

static struct bytes proof_of(const struct question *q)
{
    return bytes_of(q->proof, q->bytes);
}

/* Another place for each input, in whatever n bytes. */
static void flip_one(uint8_t *bytes, size_t n, const struct question *q)
{
    size_t bit = (size_t)((q->m * 31 + q->n + q->hash[0]) % (8 * n));
    bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

static void inclusion(struct question *q, bool fitting)
{
    struct merkle_head head = {.size = q->n};
    bool sizes = q->n <= MERKLE_MAX_SIZE && q->m < q->n;
    if (sizes && fitting) q->bytes = path_length(q->m, q->n) * HASH;
    bool good =
        sizes && q->bytes % HASH == 0 && root_of_path(q->m, q->n, q->proof, q->bytes / HASH, q->hash, head.root);
    if (!good) memcpy(head.root, q->hash, HASH); /* true of a log of one leaf, and of no other */
    enum err e = merkle_verify_inclusion(&head, q->m, q->hash, proof_of(q), NULL);
    HOLDS(e == (good ? ERR_OK : ERR_TAMPERED));
    if (!good) return;
    flip_one(head.root, HASH, q);
    HOLDS(merkle_verify_inclusion(&head, q->m, q->hash, proof_of(q), NULL) == ERR_TAMPERED);
    flip_one(head.root, HASH, q);
    if (q->bytes == 0) return;
    flip_one(q->proof[0], q->bytes, q);
    HOLDS(merkle_verify_inclusion(&head, q->m, q->hash, proof_of(q), NULL) == ERR_TAMPERED);
}

static void consistency(struct question *q, bool fitting)
{
    struct merkle_head old = {.size = q->m}, head = {.size = q->n};
    struct roots roots;
    bool sizes = q->m > 0 && q->m <= q->n && q->n <= MERKLE_MAX_SIZE;
    if (sizes && fitting) q->bytes = subproof_length(q->m, q->n) * HASH;
    bool good = sizes && q->bytes % HASH == 0 && q->bytes / HASH <= MERKLE_MAX_PROOF &&
                roots_of_subproof(q->m, q->n, q->proof, q->bytes / HASH, q->hash, &roots);
    memcpy(old.root, good ? roots.old : q->hash, HASH);
    memcpy(head.root, good ? roots.now : q->hash, HASH);
    enum err e = merkle_verify_consistency(&old, &head, proof_of(q), NULL);
    HOLDS(e == (good ? ERR_OK : ERR_TAMPERED));
    if (!good) return;
    flip_one(old.root, HASH, q);
    HOLDS(merkle_verify_consistency(&old, &head, proof_of(q), NULL) == ERR_TAMPERED);
    flip_one(old.root, HASH, q);
    if (q->bytes == 0) return;
    flip_one(q->proof[0], q->bytes, q);
    HOLDS(merkle_verify_consistency(&old, &head, proof_of(q), NULL) == ERR_TAMPERED);
}

/* Two right roots out of the input: nothing but the two answers. */
static void raw(const struct question *q)
{
    struct merkle_head old = {.size = q->m}, head = {.size = q->n};
    memcpy(old.root, q->proof[1], HASH);
    memcpy(head.root, q->hash, HASH);
    enum err e = merkle_verify_consistency(&old, &head, proof_of(q), NULL);
    HOLDS(e == ERR_OK || e == ERR_TAMPERED);
    e = merkle_verify_inclusion(&head, q->m, q->proof[1], proof_of(q), NULL);
    HOLDS(e == ERR_OK || e == ERR_TAMPERED);
}

/* ---- right edges ---- */
static void edge(struct bytes in)
{
    struct merkle_frontier f;
    struct merkle_node done[MERKLE_LEVELS];
    uint8_t again[MERKLE_FRONTIER_MAX_BYTES], before[HASH], after[HASH];
    size_t n = 0;
    enum err e = merkle_frontier_from_bytes(&f, in, NULL);
    if (e != ERR_OK) {
        HOLDS(e == ERR_FORMAT);
        return;
    }
    HOLDS(merkle_frontier_to_bytes(&f, again) == in.n && memcmp(again, in.p, in.n) == 0);
    merkle_root(&f, before);
    uint64_t size = f.size;
    e = merkle_append(&f, before, done, &n, NULL);
    HOLDS(e == (size == MERKLE_MAX_SIZE ? ERR_LIMIT : ERR_OK));
    if (e != ERR_OK) return;
    HOLDS(f.size == size + 1 && n == 1 + (size_t)__builtin_ctzll(f.size) && done[n - 1].index + 1 == f.size >> (n - 1));
    merkle_root(&f, after);
    if ((f.size & size) == 0) HOLDS(memcmp(after, done[n - 1].hash, HASH) == 0); /* it is all one subtree */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_of(data, size);
    fuzz_start();
    uint8_t asked = fuzz_take(&in);
    struct question q = take_question(in);
    switch (asked & 3) {
    case INCLUSION: inclusion(&q, (asked & FITTING) != 0); break;
    case CONSISTENCY: consistency(&q, (asked & FITTING) != 0); break;
    case EDGE: edge(in); break;
    case RAW: raw(&q); break;
    default: break;
    }
    return 0;
}
