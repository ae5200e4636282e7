/* Proofs of crypto/merkle.h: all of them for logs of up to 130 leaves are those of an oracle that is written here as
 * RFC 9162 defines them, and nothing else is taken for one. */
#include "crypto/merkle.h"
#include "tests/lib/merkle_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define HASH  MERKLE_HASH_BYTES
#define MOST  130u /* leaves */
#define MOST8 20u  /* up to here, whatever can be changed is */

struct logs {
    struct merkle_store s;
    uint8_t leaf[MOST][HASH];
    struct merkle_head head[MOST + 1]; /* by size, from the oracle */
};

/* ---- the oracle: the definitions of RFC 9162, word by word, over the hashes of leaves ---- */
static size_t split(size_t n) /* the largest power of two smaller than n */
{
    size_t k = 1;
    while (2 * k < n) k *= 2;
    return k;
}

static void mth(const uint8_t (*d)[HASH], size_t n, uint8_t out[HASH]) /* §2.1.1 */
{
    uint8_t left[HASH], right[HASH];
    if (n == 1) {
        memcpy(out, d[0], HASH);
        return;
    }
    mth(d, split(n), left);
    mth(d + split(n), n - split(n), right);
    merkle_node_hash(out, left, right);
}

static void put_mth(const uint8_t (*d)[HASH], size_t n, struct merkle_proof *out)
{
    mth(d, n, out->hashes[out->n++]);
}

static void path(size_t m, const uint8_t (*d)[HASH], size_t n, struct merkle_proof *out) /* §2.1.3.1 */
{
    size_t k = split(n);
    if (n == 1) return;
    if (m < k) {
        path(m, d, k, out);
        put_mth(d + k, n - k, out);
    } else {
        path(m - k, d + k, n - k, out);
        put_mth(d, k, out);
    }
}

static void subproof(size_t m, const uint8_t (*d)[HASH], size_t n, bool b, struct merkle_proof *out) /* §2.1.4.1 */
{
    size_t k = split(n);
    if (m == n) {
        if (!b) put_mth(d, n, out);
    } else if (m <= k) {
        subproof(m, d, k, b, out);
        put_mth(d + k, n - k, out);
    } else {
        subproof(m - k, d + k, n - k, false, out);
        put_mth(d, k, out);
    }
}

/* ---- */
static int setup(void **state)
{
    static struct logs all;
    memset(&all, 0, sizeof all);
    for (size_t i = 0; i < MOST; i++) {
        merkle_leaf_hash(all.leaf[i], bytes_of(&i, sizeof i));
        merkle_store_append(&all.s, all.leaf[i]);
        all.head[i + 1].size = i + 1;
        mth((const uint8_t(*)[HASH])all.leaf, i + 1, all.head[i + 1].root);
    }
    *state = &all;
    return 0;
}

static int teardown(void **state)
{
    struct logs *all = *state;
    merkle_store_release(&all->s);
    return 0;
}

/* Look-ups that a proof in a log of n may take: 2 * ceil(log2 n). */
static uint64_t allowed(size_t n)
{
    uint64_t levels = 0;
    while (((size_t)1 << levels) < n) levels++;
    return 2 * levels;
}

static struct merkle_proof inclusion(struct logs *all, size_t m, size_t n)
{
    struct merkle_source from = merkle_store_source(&all->s);
    struct merkle_proof got, want = {.n = 0};
    all->s.shown = n; /* it may not look beyond the size that is asked for */
    all->s.lookups = 0;
    assert_int_equal(merkle_inclusion(&from, m, n, &got, NULL), ERR_OK);
    assert_in_range(all->s.lookups, 0, allowed(n));
    path(m, (const uint8_t(*)[HASH])all->leaf, n, &want);
    assert_true(bytes_equal(merkle_proof_bytes(&got), merkle_proof_bytes(&want)));
    return got;
}

static struct merkle_proof consistency(struct logs *all, size_t m, size_t n)
{
    struct merkle_source from = merkle_store_source(&all->s);
    struct merkle_proof got, want = {.n = 0};
    all->s.shown = n;
    all->s.lookups = 0;
    assert_int_equal(merkle_consistency(&from, m, n, &got, NULL), ERR_OK);
    assert_in_range(all->s.lookups, 0, allowed(n));
    subproof(m, (const uint8_t(*)[HASH])all->leaf, n, true, &want);
    assert_true(bytes_equal(merkle_proof_bytes(&got), merkle_proof_bytes(&want)));
    return got;
}

/* What is checked: a claim, its proof, and how to verify the two. */
struct claim {
    struct merkle_head old, head; /* consistency from old; inclusion leaves it alone */
    uint64_t index;
    uint8_t leaf[HASH];
    uint8_t proof[(MERKLE_MAX_PROOF + 2) * HASH];
    size_t n; /* bytes of it */
    bool inclusion;
};

static bool holds(const struct claim *c)
{
    struct bytes proof = bytes_of(c->proof, c->n);
    enum err e = c->inclusion ? merkle_verify_inclusion(&c->head, c->index, c->leaf, proof, NULL)
                              : merkle_verify_consistency(&c->old, &c->head, proof, NULL);
    assert_true(e == ERR_OK || e == ERR_TAMPERED);
    return e == ERR_OK;
}

static struct claim claim(struct logs *all, bool inclusion_, size_t m, size_t n)
{
    struct claim c = {.head = all->head[n], .inclusion = inclusion_};
    struct merkle_proof p = inclusion_ ? inclusion(all, m, n) : consistency(all, m, n);
    if (inclusion_) {
        c.index = m;
        memcpy(c.leaf, all->leaf[m], HASH);
    } else {
        c.old = all->head[m];
    }
    c.n = p.n * HASH;
    memcpy(c.proof, p.hashes, c.n);
    assert_true(holds(&c));
    return c;
}

/* Calls fn for every claim in logs of up to `most` leaves. */
static void each_claim(struct logs *all, size_t most, void (*fn)(struct logs *all, struct claim *c))
{
    for (size_t n = 1; n <= most; n++) {
        for (size_t m = 0; m <= n; m++) {
            struct claim c;
            if (m < n) {
                c = claim(all, true, m, n);
                fn(all, &c);
            }
            if (m > 0) {
                c = claim(all, false, m, n);
                fn(all, &c);
            }
        }
    }
}

/* One hash too few or too many, at the end or in front, a part of one, and the longest of all. */
static void lengths(struct logs *all, struct claim *c)
{
    const struct claim good = *c;
    (void)all;
    for (size_t n = 0; n <= sizeof c->proof; n += n < good.n + 2 * HASH ? 1 : 31) {
        c->n = n;
        if (n != good.n) assert_false(holds(c));
    }
    memmove(c->proof + HASH, good.proof, good.n);
    c->n = good.n + HASH;
    assert_false(holds(c));
    memcpy(c->proof, c->head.root, HASH);
    assert_false(holds(c));
    memcpy(c->proof, c->inclusion ? c->leaf : c->old.root, HASH);
    assert_false(holds(c));
    if (good.n > 0) {
        memcpy(c->proof, good.proof + HASH, good.n - HASH);
        c->n = good.n - HASH;
        assert_false(holds(c));
    }
}

static void every_proof_is_that_of_the_definition_and_no_other_length_is_taken(void **state)
{
    each_claim(*state, MOST, lengths);
}

static void flip(struct claim *c, uint8_t *bytes, size_t n, size_t step)
{
    for (size_t bit = 0; bit < 8 * n; bit += step) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(holds(c));
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

/* Of the proof, the roots and the leaf. */
static void all_bits(struct logs *all, struct claim *c)
{
    (void)all;
    flip(c, c->proof, c->n, 1);
    flip(c, c->head.root, HASH, 1);
    flip(c, c->inclusion ? c->leaf : c->old.root, HASH, 1);
    assert_true(holds(c));
}

static void some_bits(struct logs *all, struct claim *c)
{
    (void)all;
    flip(c, c->proof, c->n, 131); /* in each hash one or two, now here, now there */
    flip(c, c->head.root, HASH, 255);
    flip(c, c->inclusion ? c->leaf : c->old.root, HASH, 255);
}

static void a_proof_with_any_bit_flipped_is_refused(void **state)
{
    each_claim(*state, MOST8, all_bits);
    each_claim(*state, MOST, some_bits);
}

/* Which size belongs to a root only its checkpoint says; with another one, a proof for the same root may still lead to
 * it. Whatever is wrong about the leaf's or the old log's place is found. */
static void other_places(struct logs *all, struct claim *c)
{
    const struct claim good = *c;
    for (uint64_t m = 0; m <= good.head.size + 2; m++) {
        if (c->inclusion && m != good.index) {
            c->index = m;
            assert_false(holds(c));
        }
        if (!c->inclusion && m != good.old.size) {
            c->old.size = m;
            assert_false(holds(c));
        }
    }
    c->index = good.index;
    c->old = good.old;
    if (c->inclusion && good.head.size > 1) {
        memcpy(c->leaf, all->leaf[(good.index + 1) % good.head.size], HASH);
        assert_false(holds(c));
    }
    if (!c->inclusion && good.old.size < good.head.size) {
        c->old = good.head;
        c->head = good.old; /* back in time */
        assert_false(holds(c));
        c->old.size = good.old.size; /* or only the roots change places */
        c->head.size = good.head.size;
        assert_false(holds(c));
    }
}

static void a_proof_is_for_one_place_in_the_log(void **state)
{
    each_claim(*state, MOST8, other_places);
}

/* ---- sizes ---- */
static void other_sizes(struct logs *all, struct claim *c)
{
    const struct claim good = *c;
    static const uint64_t far[] = {0,          MERKLE_MAX_SIZE, MERKLE_MAX_SIZE + 1, MERKLE_MAX_SIZE - 1,
                                   UINT64_MAX, UINT64_MAX - 1,  (uint64_t)1 << 62};
    (void)all;
    for (size_t i = 0; i < sizeof far / sizeof far[0]; i++) {
        c->head.size = far[i];
        assert_false(holds(c));
        c->head.size = good.head.size;
        c->index = far[i];
        c->old.size = far[i];
        if (!c->inclusion || far[i] != good.index) assert_false(holds(c));
        c->head.size = far[i];
        if (c->inclusion || far[i] == 0 || good.n > 0) assert_false(holds(c));
        *c = good;
    }
    if (good.head.size > 1) {
        c->head.size = good.head.size / 2;
        assert_false(holds(c));
        c->head.size = good.head.size * 2;
        assert_false(holds(c));
    }
}

static void sizes_that_cannot_be_are_refused(void **state)
{
    struct claim none = {.inclusion = true}, same = {.n = 0};
    each_claim(*state, MOST8, other_sizes);
    assert_false(holds(&none)); /* leaf 0 of a log of none */
    assert_false(holds(&same)); /* from no leaves to no leaves */
    same.head.size = same.old.size = UINT64_MAX;
    assert_false(holds(&same));
    same.head.size = same.old.size = MERKLE_MAX_SIZE; /* the same head twice needs no proof */
    assert_true(holds(&same));
    same.head.root[0] ^= 1;
    assert_false(holds(&same));
}

/* Heads whose root was made for the very proof: only what the sizes ask for can tell. */
static void hashes_that_lead_to_the_root_are_no_proof_when_there_are_too_many(void **state)
{
    for (size_t n = 1; n <= MOST8; n++) {
        for (size_t m = 1; m <= n; m++) {
            struct claim c = claim(*state, true, m - 1, n);
            for (int left = 0; left < 2; left++) {
                const struct claim good = c;
                uint8_t *more = c.proof + c.n;
                memset(more, 7, HASH);
                merkle_node_hash(c.head.root, left ? more : c.head.root, left ? c.head.root : more);
                c.n += HASH;
                assert_false(holds(&c));
                c = good;
            }
            c = claim(*state, false, m, n);
            if (m == n) continue;
            memset(c.proof + c.n, 7, HASH);
            merkle_node_hash(c.old.root, c.proof + c.n, c.old.root);
            merkle_node_hash(c.head.root, c.proof + c.n, c.head.root);
            c.n += HASH;
            assert_false(holds(&c));
        }
    }
}

/* Leaf 0 of a log of 2^levels: every hash of the proof belongs on the right. */
static void logs_of_more_than_2_to_the_63_less_one_are_not_believed(void **state)
{
    (void)state;
    for (unsigned levels = 60; levels < 64; levels++) {
        struct claim c = {.head = {.size = (uint64_t)1 << levels}, .inclusion = true};
        struct claim grown = {.old = {.size = 1}, .head = {.size = (uint64_t)1 << levels}};
        for (; c.n < levels * HASH; c.n += HASH) merkle_node_hash(c.head.root, c.head.root, c.proof + c.n);
        assert_int_equal(holds(&c), levels < 63);
        grown.n = c.n;
        memcpy(grown.head.root, c.head.root, HASH);
        assert_int_equal(holds(&grown), levels < 63);
    }
}

static void proofs_that_cannot_be_are_not_made(void **state)
{
    struct logs *all = *state;
    struct merkle_source from = merkle_store_source(&all->s);
    struct merkle_proof p = {.n = 77};
    static const uint64_t leaf[][2] = {{0, 0},          {1, 1},          {5, 5},
                                       {UINT64_MAX, 5}, {0, UINT64_MAX}, {7, MERKLE_MAX_SIZE + 1}};
    static const uint64_t from_to[][2] = {{0, 0},          {0, 5},          {6, 5},
                                          {UINT64_MAX, 5}, {5, UINT64_MAX}, {5, MERKLE_MAX_SIZE + 1}};
    all->s.shown = 0;
    for (size_t i = 0; i < sizeof leaf / sizeof leaf[0]; i++)
        assert_int_equal(merkle_inclusion(&from, leaf[i][0], leaf[i][1], &p, NULL), ERR_NOTFOUND);
    for (size_t i = 0; i < sizeof from_to / sizeof from_to[0]; i++)
        assert_int_equal(merkle_consistency(&from, from_to[i][0], from_to[i][1], &p, NULL), ERR_NOTFOUND);
    /* beyond what the store has */
    assert_int_equal(merkle_inclusion(&from, 3, MOST + 1, &p, NULL), ERR_NOTFOUND);
    assert_int_equal(merkle_consistency(&from, 3, MOST + 1, &p, NULL), ERR_NOTFOUND);
    assert_int_equal(p.n, 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_proof_is_that_of_the_definition_and_no_other_length_is_taken),
        cmocka_unit_test(a_proof_with_any_bit_flipped_is_refused),
        cmocka_unit_test(a_proof_is_for_one_place_in_the_log),
        cmocka_unit_test(sizes_that_cannot_be_are_refused),
        cmocka_unit_test(hashes_that_lead_to_the_root_are_no_proof_when_there_are_too_many),
        cmocka_unit_test(logs_of_more_than_2_to_the_63_less_one_are_not_believed),
        cmocka_unit_test(proofs_that_cannot_be_are_not_made),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
