/* What a journal remembers is found by ids that devices chose, who shall not choose where they stand. */
#include "sync/db_track_set.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TABLE  94
#define IDS    (1u << 17)
#define PLACES 4096u /* of a set that holds CHOSEN */
#define CHOSEN 2000u

/* As a row's key is noted: what it is, how long, and the id. */
static struct bytes key_of(uint32_t n, uint8_t out[21])
{
    static const uint8_t head[] = {VALUE_BLOB, 0, 0, 0, 16};
    memset(out, 0, 21);
    memcpy(out, head, sizeof head);
    memcpy(out + 17, &n, sizeof n);
    return bytes_of(out, 21);
}

static struct track_set *fresh(void)
{
    struct track_set *set = track_set_new(env_posix());
    assert_non_null(set);
    return set;
}

/* The most places that are taken in a row: who looks for a key may have to pass them all. */
static size_t longest(const struct track_set *set)
{
    size_t most = 0, run = 0;
    for (size_t i = 0; i < 2 * set->n_slots; i++) { /* twice around: one may begin before the first */
        run = set->slot[i % set->n_slots].hash != 0 ? run + 1 : 0;
        if (run > most) most = run;
    }
    return most;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = ((const struct track_slot *)a)->hash % PLACES, y = ((const struct track_slot *)b)->hash % PLACES;
    return (x > y) - (x < y);
}

/* A set of their own shows those who would flood another one which ids meet there. */
static void ids_that_meet_in_one_set_do_not_meet_in_another(void **state)
{
    struct track_set *theirs = fresh(), *ours = fresh();
    uint8_t key[21];
    size_t n = 0;
    (void)state;
    for (uint32_t i = 0; i < IDS; i++) track_set_put(theirs, TABLE, key_of(i, key));
    assert_int_equal(theirs->n_used, IDS);
    qsort(theirs->slot, theirs->n_slots, sizeof *theirs->slot, compare);
    for (size_t i = 0; i < theirs->n_slots && n < CHOSEN; i++) {
        if (theirs->slot[i].hash == 0) continue;
        track_set_put(ours, TABLE, bytes_of(theirs->keys[TABLE].data + theirs->slot[i].at + 4, sizeof key));
        n++;
    }
    assert_int_equal(ours->n_used, CHOSEN);
    assert_int_equal(ours->n_slots, PLACES);
    assert_true(longest(ours) < 200); /* were they those that were chosen: nearly all */
    track_set_free(theirs);
    track_set_free(ours);
}

/* One id stands in many tables: a case is its own first row. */
static void an_id_in_every_table_has_as_many_places(void **state)
{
    struct track_set *set = fresh();
    uint8_t key[21];
    (void)state;
    for (size_t table = 0; table < TRACK_MAX_TABLES; table++)
        for (uint32_t i = 0; i < 7; i++) track_set_put(set, table, key_of(i, key));
    assert_int_equal(set->n_used, 7 * TRACK_MAX_TABLES);
    assert_true(longest(set) < 200);
    for (size_t table = 0; table < TRACK_MAX_TABLES; table++) track_set_put(set, table, key_of(3, key));
    assert_int_equal(set->n_used, 7 * TRACK_MAX_TABLES); /* each once */
    track_set_free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_that_meet_in_one_set_do_not_meet_in_another),
        cmocka_unit_test(an_id_in_every_table_has_as_many_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
