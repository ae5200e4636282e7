/* What a log is for: nobody can change one that others have seen. Of a log of 1,000 leaves every leaf is edited,
 * removed, doubled by a new one in front of it, and swapped with its neighbour; whoever then keeps the log does all
 * that he can: he computes the tree anew and makes the proofs that an honest one would make. Each time the root is
 * another one, and no proof leads from a checkpoint that somebody kept. */
#include "crypto/merkle.h"
#include "tests/lib/merkle_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define HASH   MERKLE_HASH_BYTES
#define LEAVES 1000u
#define LATER  1100u /* what it grows to afterwards */

struct world {
    struct merkle_store honest;         /* LATER leaves */
    struct merkle_head seen[LATER + 1]; /* its checkpoints, by size */
    struct merkle_store altered;        /* the same up to the place where it was changed */
};

static void leaf(uint64_t number, uint8_t out[HASH])
{
    merkle_leaf_hash(out, bytes_of(&number, sizeof number));
}

static int setup(void **state)
{
    static struct world w;
    memset(&w, 0, sizeof w);
    for (uint64_t i = 0; i < LATER; i++) {
        uint8_t hash[HASH];
        leaf(i, hash);
        merkle_store_append(&w.honest, hash);
        merkle_store_append(&w.altered, hash);
        w.seen[i + 1].size = i + 1;
        merkle_root(&w.honest.edge, w.seen[i + 1].root);
    }
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    merkle_store_release(&w->honest);
    merkle_store_release(&w->altered);
    return 0;
}

/* The honest log up to `at`, then `other`, if it is one, then the honest log from leaf `from` on, to `size` leaves (or
 * as many as there are). Every way to change one place is one of these. */
static void alter(struct world *w, uint64_t at, const uint64_t *other, uint64_t n_other, uint64_t from, uint64_t size)
{
    uint8_t hash[HASH];
    /* What lies before `at` is the same in both, and stays. */
    w->altered.edge = w->honest.edge;
    merkle_store_cut(&w->altered, at);
    for (uint64_t i = 0; i < n_other; i++) {
        leaf(other[i], hash);
        merkle_store_append(&w->altered, hash);
    }
    for (; from < LATER && w->altered.edge.size < size; from++) {
        leaf(from, hash);
        merkle_store_append(&w->altered, hash);
    }
}

/* Put the honest hashes from `at` on back, for the next change. */
static void restore(struct world *w, uint64_t at)
{
    for (unsigned l = 0; l < 11; l++) {
        uint64_t first = at >> l, n = LATER >> l;
        if (first < n) memcpy(w->altered.level[l][first], w->honest.level[l][first], (size_t)(n - first) * HASH);
    }
}

static bool leads(struct world *w, uint64_t old_size, const struct merkle_head *now)
{
    struct merkle_source from = merkle_store_source(&w->altered);
    struct merkle_proof p;
    assert_int_equal(merkle_consistency(&from, old_size, now->size, &p, NULL), ERR_OK);
    return merkle_verify_consistency(&w->seen[old_size], now, merkle_proof_bytes(&p), NULL) == ERR_OK;
}

/* The altered log, as it stands: none of the checkpoints that hold the changed place is true of it, and no proof from
 * them to what it is now holds. */
static void assert_found(struct world *w, uint64_t at)
{
    const uint64_t kept[] = {at + 1, at + 2, LEAVES / 2, LEAVES - 1, LEAVES};
    struct merkle_head now = merkle_store_head(&w->altered, w->altered.edge.size);
    assert_memory_not_equal(now.root, w->seen[now.size].root, HASH);
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        if (kept[i] <= at || kept[i] > LEAVES || kept[i] > now.size) continue;
        assert_memory_not_equal(merkle_store_head(&w->altered, kept[i]).root, w->seen[kept[i]].root, HASH);
        assert_false(leads(w, kept[i], &now));
    }
    if (at > 0) assert_true(leads(w, at, &now)); /* who saw no more than what was left alone has nothing to object to */
}

/* Changed, and as long as before; and once it has grown on. */
static void assert_change_is_found(struct world *w, uint64_t at, const uint64_t *other, uint64_t n_other, uint64_t from)
{
    alter(w, at, other, n_other, from, LEAVES);
    assert_found(w, at);
    alter(w, at, other, n_other, from, LATER - 1);
    assert_found(w, at);
    restore(w, at);
}

static void every_edit_of_a_log_is_found(void **state)
{
    for (uint64_t at = 0; at < LEAVES; at++) {
        const uint64_t other[] = {1000000 + at};
        assert_change_is_found(*state, at, other, 1, at + 1);
    }
}

static void every_removal_from_a_log_is_found(void **state)
{
    for (uint64_t at = 0; at < LEAVES; at++) assert_change_is_found(*state, at, NULL, 0, at + 1);
}

static void every_insertion_into_a_log_is_found(void **state)
{
    for (uint64_t at = 0; at < LEAVES; at++) {
        const uint64_t other[] = {1000000 + at}, twice[] = {at};
        assert_change_is_found(*state, at, other, 1, at);
        /* the same leaf again: seen behind its first place */
        alter(*state, at + 1, twice, 1, at + 1, LEAVES);
        if (at + 1 < LEAVES) assert_found(*state, at + 1);
        restore(*state, at + 1);
    }
}

static void every_swap_of_neighbours_in_a_log_is_found(void **state)
{
    for (uint64_t at = 0; at + 1 < LEAVES; at++) {
        const uint64_t other[] = {at + 1, at};
        assert_change_is_found(*state, at, other, 2, at + 2);
    }
}

/* Cut off at the end, it is shorter than somebody has seen it: there is no proof at all. */
static void a_log_that_was_cut_off_is_found(void **state)
{
    struct world *w = *state;
    struct merkle_source from = merkle_store_source(&w->altered);
    struct merkle_proof p = {.n = 0};
    for (uint64_t size = 1; size < LEAVES; size++) {
        assert_int_equal(merkle_consistency(&from, LEAVES, size, &p, NULL), ERR_NOTFOUND);
        assert_int_equal(merkle_consistency(&from, size, LEAVES, &p, NULL), ERR_OK); /* the other way round */
        assert_int_equal(merkle_verify_consistency(&w->seen[LEAVES], &w->seen[size], merkle_proof_bytes(&p), NULL),
                         ERR_TAMPERED);
    }
}

/* The honest log: every checkpoint leads to every later one, and each leaf is in it. */
static void an_honest_log_satisfies_everybody(void **state)
{
    struct world *w = *state;
    struct merkle_source from = merkle_store_source(&w->honest);
    for (uint64_t size = 1; size <= LATER; size += 7) {
        for (uint64_t old = 1 + size % 5; old <= size; old += 5) {
            struct merkle_proof p;
            assert_int_equal(merkle_consistency(&from, old, size, &p, NULL), ERR_OK);
            assert_int_equal(merkle_verify_consistency(&w->seen[old], &w->seen[size], merkle_proof_bytes(&p), NULL),
                             ERR_OK);
        }
    }
    for (uint64_t i = 0; i < LATER; i++) {
        struct merkle_proof p;
        uint8_t hash[HASH];
        leaf(i, hash);
        assert_int_equal(merkle_inclusion(&from, i, LATER, &p, NULL), ERR_OK);
        assert_int_equal(merkle_verify_inclusion(&w->seen[LATER], i, hash, merkle_proof_bytes(&p), NULL), ERR_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_edit_of_a_log_is_found),
        cmocka_unit_test(every_removal_from_a_log_is_found),
        cmocka_unit_test(every_insertion_into_a_log_is_found),
        cmocka_unit_test(every_swap_of_neighbours_in_a_log_is_found),
        cmocka_unit_test(a_log_that_was_cut_off_is_found),
        cmocka_unit_test(an_honest_log_satisfies_everybody),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
