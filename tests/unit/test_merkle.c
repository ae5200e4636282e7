/* crypto/merkle.h: the tree itself, what is stored of it, and logs as large as they may be. Known answers come from
 * tests/vectors/merkle.py. Proofs by the thousand: test_merkle_proof.c; what becomes of a log that was changed:
 * test_merkle_log.c. */
#include "crypto/merkle.h"
#include "tests/lib/merkle_store.h"
#include "tests/lib/vector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HASH MERKLE_HASH_BYTES

/* The leaves of Certificate Transparency's tests. */
static const struct {
    const char *text;
    size_t n;
} ct_leaves[] = {{"", 0},
                 {"\x00", 1},
                 {"\x10", 1},
                 {"\x20\x21", 2},
                 {"\x30\x31", 2},
                 {"\x40\x41\x42\x43", 4},
                 {"\x50\x51\x52\x53\x54\x55\x56\x57", 8},
                 {"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f", 16}};

static void ct_leaf(size_t i, uint8_t out[HASH])
{
    merkle_leaf_hash(out, bytes_of(ct_leaves[i].text, ct_leaves[i].n));
}

static void ct_log(struct merkle_store *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t hash[HASH];
        ct_leaf(i, hash);
        merkle_store_append(s, hash);
    }
}

static void roots_are_those_that_certificate_transparency_published(void **state)
{
    (void)state;
    for (size_t n = 0; n <= 8; n++) {
        struct merkle_store s = {0};
        char name[32];
        uint8_t want[HASH], got[HASH];
        ct_log(&s, n);
        (void)snprintf(name, sizeof name, "root_%zu", n);
        assert_int_equal(vector_read("merkle.txt", name, want, sizeof want), HASH);
        merkle_root(&s.edge, got);
        assert_memory_equal(got, want, HASH);
        merkle_store_release(&s);
    }
}

/* A leaf that spells a node is not that node: else two logs of different lengths would have one root. */
static void a_leaf_is_never_taken_for_a_node(void **state)
{
    uint8_t pair[2 * HASH], as_leaf[HASH], as_node[HASH];
    (void)state;
    memset(pair, 7, sizeof pair);
    merkle_leaf_hash(as_leaf, bytes_of(pair, sizeof pair));
    merkle_node_hash(as_node, pair, pair + HASH);
    assert_memory_not_equal(as_leaf, as_node, HASH);
}

/* ---- proofs that another program made ---- */
static void check_inclusion(struct merkle_store *s, uint64_t m, uint64_t n, struct bytes want)
{
    struct merkle_source from = merkle_store_source(s);
    struct merkle_head head = merkle_store_head(s, n);
    struct merkle_proof p;
    uint8_t leaf[HASH];
    ct_leaf((size_t)m, leaf);
    assert_int_equal(merkle_inclusion(&from, m, n, &p, NULL), ERR_OK);
    assert_true(bytes_equal(merkle_proof_bytes(&p), want));
    assert_int_equal(merkle_verify_inclusion(&head, m, leaf, want, NULL), ERR_OK);
}

static void check_consistency(struct merkle_store *s, uint64_t m, uint64_t n, struct bytes want)
{
    struct merkle_source from = merkle_store_source(s);
    struct merkle_head old = merkle_store_head(s, m), head = merkle_store_head(s, n);
    struct merkle_proof p;
    assert_int_equal(merkle_consistency(&from, m, n, &p, NULL), ERR_OK);
    assert_true(bytes_equal(merkle_proof_bytes(&p), want));
    assert_int_equal(merkle_verify_consistency(&old, &head, want, NULL), ERR_OK);
}

struct told {
    struct merkle_store *s;
    unsigned inclusion, consistency;
};

static void check_told(void *ctx, const char *name, struct bytes want)
{
    struct told *t = ctx;
    unsigned m = 0, n = 0;
    if (sscanf(name, "inclusion_%u_%u", &m, &n) == 2) {
        check_inclusion(t->s, m, n, want);
        t->inclusion++;
    } else if (sscanf(name, "consistency_%u_%u", &m, &n) == 2) {
        check_consistency(t->s, m, n, want);
        t->consistency++;
    }
}

static void proofs_are_those_that_another_program_made_from_the_rfc(void **state)
{
    struct merkle_store s = {0};
    struct told told = {.s = &s};
    (void)state;
    ct_log(&s, 8);
    vector_each("merkle.txt", check_told, &told);
    assert_int_equal(told.inclusion, 35);
    assert_int_equal(told.consistency, 28);
    merkle_store_release(&s);
}

/* ---- what is stored ---- */
static void right_edges_are_stored_as_the_format_says(void **state)
{
    static const unsigned sizes[] = {0, 1, 6, 7, 8};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct merkle_store s = {0};
        struct merkle_frontier again;
        char name[32];
        uint8_t want[MERKLE_FRONTIER_MAX_BYTES], got[MERKLE_FRONTIER_MAX_BYTES], root[HASH], root_again[HASH];
        ct_log(&s, sizes[i]);
        (void)snprintf(name, sizeof name, "edge_%u", sizes[i]);
        size_t n = vector_read("merkle.txt", name, want, sizeof want);
        assert_int_equal(merkle_frontier_to_bytes(&s.edge, got), n);
        assert_memory_equal(got, want, n);
        assert_int_equal(merkle_frontier_from_bytes(&again, bytes_of(want, n), NULL), ERR_OK);
        merkle_root(&s.edge, root);
        merkle_root(&again, root_again);
        assert_memory_equal(root, root_again, HASH);
        merkle_store_release(&s);
    }
}

static void a_right_edge_of_any_other_length_is_refused(void **state)
{
    uint8_t in[MERKLE_FRONTIER_MAX_BYTES + HASH] = {0};
    struct merkle_frontier f = {.size = 5}, untouched = f;
    (void)state;
    for (unsigned size = 0; size < 64; size++) {
        in[7] = (uint8_t)size;
        size_t right = 8 + HASH * (size_t)__builtin_popcount(size);
        for (size_t n = 0; n < 400; n++) {
            if (n == right) continue;
            assert_int_equal(merkle_frontier_from_bytes(&f, bytes_of(in, n), NULL), ERR_FORMAT);
        }
    }
    assert_memory_equal(&f, &untouched, sizeof f);
    memset(in, 0xff, sizeof in); /* 2^64 - 1, 64 digits */
    assert_int_equal(merkle_frontier_from_bytes(&f, bytes_of(in, 8 + 64 * HASH), NULL), ERR_FORMAT);
    memset(in, 0, 8);
    in[0] = 0x80; /* 2^63 */
    assert_int_equal(merkle_frontier_from_bytes(&f, bytes_of(in, 8 + HASH), NULL), ERR_FORMAT);
    in[0] = 0x7f;
    memset(in + 1, 0xff, 7); /* 2^63 - 1 */
    assert_int_equal(merkle_frontier_from_bytes(&f, bytes_of(in, MERKLE_FRONTIER_MAX_BYTES), NULL), ERR_OK);
    assert_true(f.size == MERKLE_MAX_SIZE);
}

/* The tree below (level, index), from the definition. `leaf` gives leaves that all differ. */
static void leaf_number(uint64_t i, uint8_t out[HASH])
{
    merkle_leaf_hash(out, bytes_of(&i, sizeof i));
}

static void subtree(unsigned level, uint64_t index, uint8_t out[HASH])
{
    uint8_t left[HASH], right[HASH];
    if (level == 0) {
        leaf_number(index, out);
        return;
    }
    subtree(level - 1, 2 * index, left);
    subtree(level - 1, 2 * index + 1, right);
    merkle_node_hash(out, left, right);
}

static void appending_tells_each_subtree_once_when_it_is_complete(void **state)
{
    struct merkle_frontier f = {0};
    uint64_t told[10] = {0};
    (void)state;
    for (uint64_t size = 1; size <= 600; size++) {
        struct merkle_node done[MERKLE_LEVELS];
        uint8_t leaf[HASH], want[HASH];
        size_t n = 0;
        leaf_number(size - 1, leaf);
        assert_int_equal(merkle_append(&f, leaf, done, &n, NULL), ERR_OK);
        assert_true(f.size == size);
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(done[i].level, i);
            assert_true(done[i].index == told[i]++);
            subtree(done[i].level, done[i].index, want);
            assert_memory_equal(done[i].hash, want, HASH);
        }
        for (unsigned l = 0; l < 10; l++) assert_true(told[l] == size >> l);
    }
}

static void a_log_goes_on_from_its_stored_edge_as_if_it_had_never_stopped(void **state)
{
    struct merkle_store s = {0};
    struct merkle_frontier f = {0};
    (void)state;
    for (uint64_t i = 0; i < 200; i++) {
        struct merkle_node done[MERKLE_LEVELS];
        uint8_t leaf[HASH], a[HASH], b[HASH], stored[MERKLE_FRONTIER_MAX_BYTES];
        size_t n;
        leaf_number(i, leaf);
        merkle_store_append(&s, leaf);
        assert_int_equal(merkle_append(&f, leaf, done, &n, NULL), ERR_OK);
        n = merkle_frontier_to_bytes(&f, stored);
        memset(&f, 0xee, sizeof f);
        assert_int_equal(merkle_frontier_from_bytes(&f, bytes_of(stored, n), NULL), ERR_OK);
        merkle_root(&f, a);
        merkle_root(&s.edge, b);
        assert_memory_equal(a, b, HASH);
    }
    merkle_store_release(&s);
}

static void roots_of_earlier_sizes_are_read_from_the_store(void **state)
{
    struct merkle_store s = {0};
    struct merkle_source from = merkle_store_source(&s);
    struct merkle_head then[200];
    struct merkle_frontier f = {.size = 3}, untouched = f;
    (void)state;
    for (uint64_t i = 0; i < 200; i++) {
        uint8_t leaf[HASH];
        then[i].size = i;
        merkle_root(&s.edge, then[i].root);
        leaf_number(i, leaf);
        merkle_store_append(&s, leaf);
    }
    for (uint64_t i = 0; i < 200; i++) {
        struct merkle_head now = merkle_store_head(&s, i);
        assert_memory_equal(now.root, then[i].root, HASH);
    }
    assert_int_equal(merkle_frontier_read(&f, 201, &from, NULL), ERR_NOTFOUND);
    assert_int_equal(merkle_frontier_read(&f, MERKLE_MAX_SIZE + 1, &from, NULL), ERR_LIMIT);
    assert_int_equal(merkle_frontier_read(&f, UINT64_MAX, &from, NULL), ERR_LIMIT);
    assert_memory_equal(&f, &untouched, sizeof f);
    merkle_store_release(&s);
}

/* ---- logs as large as they may be: all leaves alike, so that a level has one hash ---- */
struct same_log {
    uint8_t level[MERKLE_LEVELS][HASH];
    uint64_t size, lookups;
    enum err fail;    /* what each look-up ends with */
    unsigned checked; /* answers */
};

static void same_log(struct same_log *s)
{
    memset(s, 0, sizeof *s);
    s->size = MERKLE_MAX_SIZE;
    merkle_leaf_hash(s->level[0], bytes_of_str("same"));
    for (unsigned l = 1; l < MERKLE_LEVELS; l++) merkle_node_hash(s->level[l], s->level[l - 1], s->level[l - 1]);
}

static enum err same_get(void *ctx, unsigned level, uint64_t index, uint8_t out[HASH], struct why *why)
{
    struct same_log *s = ctx;
    s->lookups++;
    if (s->fail != ERR_OK) return why_set(why, s->fail, "the store is away");
    assert_true(level < MERKLE_LEVELS && index < s->size >> level);
    memcpy(out, s->level[level], HASH);
    return ERR_OK;
}

static struct merkle_head same_head(struct same_log *s, uint64_t size)
{
    struct merkle_source from = {.ctx = s, .get = same_get};
    struct merkle_head head = {.size = size};
    struct merkle_frontier f;
    assert_int_equal(merkle_frontier_read(&f, size, &from, NULL), ERR_OK);
    merkle_root(&f, head.root);
    return head;
}

static void check_same(void *ctx, const char *name, struct bytes want)
{
    struct same_log *s = ctx;
    struct merkle_source from = {.ctx = s, .get = same_get};
    unsigned long long m = 0, n = 0;
    struct merkle_proof p;
    if (strncmp(name, "same_", 5) == 0) s->checked++;
    if (sscanf(name, "same_root_%llu", &n) == 1) {
        assert_memory_equal(same_head(s, n).root, want.p, HASH);
    } else if (sscanf(name, "same_inclusion_%llu_%llu", &m, &n) == 2) {
        struct merkle_head head = same_head(s, n);
        s->lookups = 0;
        assert_int_equal(merkle_inclusion(&from, m, n, &p, NULL), ERR_OK);
        assert_in_range(s->lookups, 1, 2 * 63);
        assert_true(bytes_equal(merkle_proof_bytes(&p), want));
        assert_int_equal(merkle_verify_inclusion(&head, m, s->level[0], want, NULL), ERR_OK);
    } else if (sscanf(name, "same_consistency_%llu_%llu", &m, &n) == 2) {
        struct merkle_head old = same_head(s, m), head = same_head(s, n);
        s->lookups = 0;
        assert_int_equal(merkle_consistency(&from, m, n, &p, NULL), ERR_OK);
        assert_in_range(s->lookups, 1, 2 * 63);
        assert_true(bytes_equal(merkle_proof_bytes(&p), want));
        assert_int_equal(merkle_verify_consistency(&old, &head, want, NULL), ERR_OK);
    }
}

static void the_largest_logs_have_the_roots_and_proofs_of_another_program(void **state)
{
    struct same_log s;
    (void)state;
    same_log(&s);
    vector_each("merkle.txt", check_same, &s);
    assert_int_equal(s.checked, 15);
}

static void a_full_log_takes_no_more_and_stays_as_it_is(void **state)
{
    struct same_log s;
    struct merkle_source from = {.ctx = &s, .get = same_get};
    struct merkle_node done[MERKLE_LEVELS];
    struct merkle_frontier f, full;
    size_t n = 0;
    (void)state;
    same_log(&s);
    assert_int_equal(merkle_frontier_read(&f, MERKLE_MAX_SIZE - 1, &from, NULL), ERR_OK);
    assert_int_equal(merkle_append(&f, s.level[0], done, &n, NULL), ERR_OK); /* the last one */
    assert_int_equal(n, 1);
    assert_true(done[0].index == MERKLE_MAX_SIZE - 1);
    full = f;
    assert_int_equal(merkle_append(&f, s.level[0], done, &n, NULL), ERR_LIMIT);
    assert_memory_equal(&f, &full, sizeof f);
    /* the leaf that completes most of all */
    assert_int_equal(merkle_frontier_read(&f, ((uint64_t)1 << 62) - 1, &from, NULL), ERR_OK);
    assert_int_equal(merkle_append(&f, s.level[0], done, &n, NULL), ERR_OK);
    assert_int_equal(n, MERKLE_LEVELS);
    assert_memory_equal(done[62].hash, s.level[62], HASH);
}

static void a_store_that_fails_ends_the_proof_with_its_own_error(void **state)
{
    struct same_log s;
    struct merkle_source from = {.ctx = &s, .get = same_get};
    struct merkle_proof p = {.n = 77};
    struct merkle_frontier f = {.size = 3};
    struct why why = {0};
    (void)state;
    same_log(&s);
    s.fail = ERR_BUSY;
    assert_int_equal(merkle_inclusion(&from, 5, 1000, &p, &why), ERR_BUSY);
    assert_string_equal(why.text, "the store is away");
    assert_int_equal(merkle_inclusion(&from, 998, 999, &p, NULL), ERR_BUSY);
    assert_int_equal(merkle_consistency(&from, 3, 1000, &p, NULL), ERR_BUSY);
    assert_int_equal(merkle_consistency(&from, 512, 1000, &p, NULL), ERR_BUSY);
    assert_int_equal(merkle_frontier_read(&f, 1000, &from, NULL), ERR_BUSY);
    assert_int_equal(p.n, 77);
    assert_true(f.size == 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roots_are_those_that_certificate_transparency_published),
        cmocka_unit_test(a_leaf_is_never_taken_for_a_node),
        cmocka_unit_test(proofs_are_those_that_another_program_made_from_the_rfc),
        cmocka_unit_test(right_edges_are_stored_as_the_format_says),
        cmocka_unit_test(a_right_edge_of_any_other_length_is_refused),
        cmocka_unit_test(appending_tells_each_subtree_once_when_it_is_complete),
        cmocka_unit_test(a_log_goes_on_from_its_stored_edge_as_if_it_had_never_stopped),
        cmocka_unit_test(roots_of_earlier_sizes_are_read_from_the_store),
        cmocka_unit_test(the_largest_logs_have_the_roots_and_proofs_of_another_program),
        cmocka_unit_test(a_full_log_takes_no_more_and_stays_as_it_is),
        cmocka_unit_test(a_store_that_fails_ends_the_proof_with_its_own_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
