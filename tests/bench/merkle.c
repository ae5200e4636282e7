/* What a log costs. Appending, beside SHA-256 alone: over messages as long as those that a tree has hashed (so much a
 * tree must hash, however it is kept), and over as many bytes in one go. Then proofs in a log of 10 million leaves, out
 * of an array in memory: what looking up in a store takes comes on top.
 *
 * bench_merkle [repeats] */
#include "crypto/merkle.h"
#include "crypto/hash.h"
#include "crypto/secret.h"
#include "tests/lib/bench.h"
#include "tests/lib/merkle_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define APPENDS 200000u
#define LARGE   10000000u
#define PROOFS  20000u
#define HASH    MERKLE_HASH_BYTES
#define NODE    (1 + 2 * HASH)

static uint64_t scattered(uint64_t i)
{
    uint64_t x = i * 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    return x ^ x >> 27;
}

/* A leaf and, on average, a node. */
static struct bench_time append(void)
{
    struct merkle_frontier f = {0};
    struct merkle_node done[MERKLE_LEVELS];
    struct why why = {0};
    uint8_t content[HASH] = {0}, leaf[HASH];
    size_t n, told = 0;
    struct bench_time start = bench_now();
    for (uint64_t i = 0; i < APPENDS; i++) {
        memcpy(content, &i, sizeof i);
        merkle_leaf_hash(leaf, bytes_of(content, sizeof content));
        BENCH_MUST(merkle_append(&f, leaf, done, &n, &why));
        told += n;
    }
    struct bench_time took = bench_since(start);
    if (told < 2 * APPENDS - 64 || told > 2 * APPENDS) bench_fail("a log has another number of subtrees");
    return took;
}

static struct bench_time raw_messages(void)
{
    uint8_t leaf[1 + HASH] = {0}, node[NODE] = {1};
    struct bench_time start = bench_now();
    for (uint64_t i = 0; i < APPENDS; i++) {
        memcpy(leaf + 1, &i, sizeof i);
        hash_sha256(node + 1, bytes_of(leaf, sizeof leaf));
        hash_sha256(node + 1 + HASH, bytes_of(node, sizeof node));
    }
    return bench_since(start);
}

static struct bench_time raw_bytes(void)
{
    const size_t n = APPENDS * (size_t)(1 + HASH + NODE);
    uint8_t *all = malloc(n), out[HASH];
    if (all == NULL) bench_fail("no memory");
    memset(all, 7, n);
    struct bench_time start = bench_now();
    hash_sha256(out, bytes_of(all, n));
    struct bench_time took = bench_since(start);
    free(all);
    return took;
}

static void measure_appends(size_t repeats)
{
    static struct bench_pair messages, bytes;
    messages.n = bytes.n = repeats;
    for (size_t i = 0; i < repeats; i++) {
        messages.raw[i] = raw_messages();
        messages.ours[i] = bytes.ours[i] = append();
        bytes.raw[i] = raw_bytes();
    }
    bench_print("200,000 leaves and their nodes, beside the same messages hashed", &messages, 0.9);
    bench_print("200,000 leaves and their nodes, beside one message of as many bytes", &bytes, 0);
    struct bench_time t = bench_median(messages.ours, repeats);
    (void)printf("appending: %.2f us a leaf, processor %.2f us\n", t.wall * 1e3 / APPENDS, t.cpu * 1e3 / APPENDS);
}

/* Hashes that were never computed: making proofs does not ask what they are, and reads as many of them. */
static void fill(struct merkle_store *s)
{
    s->edge.size = LARGE;
    for (unsigned l = 0; LARGE >> l > 0; l++) {
        s->room[l] = LARGE >> l;
        s->level[l] = malloc((size_t)s->room[l] * HASH);
        if (s->level[l] == NULL) bench_fail("no memory");
        for (uint64_t i = 0; i < s->room[l]; i++) memcpy(s->level[l][i], &(uint64_t[4]){l, i, l, i}, HASH);
    }
}

static struct bench_time inclusions(struct merkle_store *s)
{
    const struct merkle_source from = merkle_store_source(s);
    struct why why = {0};
    struct merkle_proof p;
    struct bench_time start = bench_now();
    for (uint64_t i = 0; i < PROOFS; i++) BENCH_MUST(merkle_inclusion(&from, scattered(i) % LARGE, LARGE, &p, &why));
    return bench_since(start);
}

static struct bench_time consistencies(struct merkle_store *s)
{
    const struct merkle_source from = merkle_store_source(s);
    struct why why = {0};
    struct merkle_proof p;
    struct bench_time start = bench_now();
    for (uint64_t i = 0; i < PROOFS; i++)
        BENCH_MUST(merkle_consistency(&from, 1 + scattered(i) % LARGE, LARGE, &p, &why));
    return bench_since(start);
}

/* What the other side does: verify against a head that the proof does not lead to, which takes as long. */
static struct bench_time verifications(struct merkle_store *s)
{
    const struct merkle_source from = merkle_store_source(s);
    const struct merkle_head head = {.size = LARGE};
    struct why why = {0};
    struct merkle_proof p;
    BENCH_MUST(merkle_inclusion(&from, 12345, LARGE, &p, &why));
    struct bench_time start = bench_now();
    for (uint64_t i = 0; i < PROOFS / 10; i++) {
        if (merkle_verify_inclusion(&head, 12345, s->level[0][i], merkle_proof_bytes(&p), &why) != ERR_TAMPERED)
            bench_fail("a wrong proof was taken");
    }
    return bench_since(start);
}

static void print_each(const char *name, const struct bench_time *v, size_t n, unsigned count, uint64_t lookups)
{
    struct bench_time t = bench_median(v, n);
    (void)printf("%s: %.2f us each (aim below 1000), processor %.2f us", name, t.wall * 1e3 / count,
                 t.cpu * 1e3 / count);
    if (lookups > 0) (void)printf("; %.1f look-ups", (double)lookups / (double)(n * count));
    (void)printf("\n");
}

int main(int argc, char **argv)
{
    static struct merkle_store s;
    struct bench_time time[BENCH_MAX_REPEATS];
    struct why why = {0};
    size_t repeats = bench_repeats(argc, argv, 5);
    BENCH_MUST(secret_start(&why));
    measure_appends(repeats);
    fill(&s);
    for (size_t i = 0; i < repeats; i++) time[i] = inclusions(&s);
    print_each("inclusion in 10 million", time, repeats, PROOFS, s.lookups);
    s.lookups = 0;
    for (size_t i = 0; i < repeats; i++) time[i] = consistencies(&s);
    print_each("consistency with 10 million", time, repeats, PROOFS, s.lookups);
    for (size_t i = 0; i < repeats; i++) time[i] = verifications(&s);
    print_each("verifying either", time, repeats, PROOFS / 10, 0);
    merkle_store_release(&s);
    return 0;
}
