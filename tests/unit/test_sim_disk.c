/* tests/sim/disk.h: files in memory that are lost, torn, rotten, refused and lied about as on real disks. */
#include "tests/lib/disk_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define SEEDS 300u
#define PATH  "home/a.bin"
#define BIG   8192u

static void put(struct disk *d, const char *path, const char *text)
{
    assert_int_equal(disk_write_file(d, path, bytes_of_str(text), NULL), ERR_OK);
}

static void append(struct disk *d, uint64_t at, struct bytes v, bool sync)
{
    assert_int_equal(disk_append_file(d, PATH, at, v, sync, NULL), ERR_OK);
}

static bool holds(struct disk *d, const char *path, const char *text)
{
    return bytes_equal(disk_file(d, path), bytes_of_str(text));
}

static const uint8_t *pattern(void)
{
    static uint8_t out[BIG];
    for (size_t i = 0; i < BIG; i++) out[i] = (uint8_t)(1 + i % 251);
    return out;
}

/* ---- files ---- */

static void disk_gives_back_what_was_written(void **state)
{
    struct disk *d = *state;
    struct buf out;
    uint64_t size = 0;
    buf_init(&out, 100);
    put(d, PATH, "first");
    put(d, PATH, "second");
    append(d, 6, bytes_of_str(" third"), false);
    assert_int_equal(disk_read_file(d, PATH, 100, &out, NULL), ERR_OK);
    assert_true(bytes_equal(buf_bytes(&out), bytes_of_str("second third")));
    assert_int_equal(disk_file_size(d, PATH, &size, NULL), ERR_OK);
    assert_int_equal(size, 12);
    append(d, 0, bytes_of_str("anew"), false);
    assert_true(holds(d, PATH, "anew"));
    assert_int_equal(disk_remove_file(d, PATH, NULL), ERR_OK);
    assert_int_equal(disk_remove_file(d, PATH, NULL), ERR_OK);
    assert_int_equal(disk_fixture_files(d), 0);
    buf_release(&out);
}

static void disk_refuses_as_a_real_one(void **state)
{
    struct disk *d = *state;
    struct buf out;
    uint64_t size = 0;
    buf_init(&out, 100);
    put(d, PATH, "four");
    assert_int_equal(disk_read_file(d, "home/none", 9, &out, NULL), ERR_NOTFOUND);
    assert_int_equal(disk_file_size(d, "home/none", &size, NULL), ERR_NOTFOUND);
    assert_int_equal(disk_read_file(d, PATH, 3, &out, NULL), ERR_LIMIT);
    assert_int_equal(out.len, 0);
    assert_int_equal(disk_append_file(d, PATH, 3, bytes_of_str("x"), true, NULL), ERR_IO);
    assert_true(holds(d, PATH, "four"));
    buf_release(&out);
}

/* ---- power ---- */

static void disk_keeps_what_was_synced_at_every_power_failure(void **state)
{
    struct disk *d = *state;
    append(d, 0, bytes_of(pattern(), BIG), true);
    put(d, "home/b", "small");
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        assert_int_equal(disk_fixture_power_off(d, seed), 0);
        assert_true(bytes_equal(disk_file(d, PATH), bytes_of(pattern(), BIG)));
        assert_true(holds(d, "home/b", "small"));
        assert_int_equal(disk_fixture_files(d), 2);
    }
}

/* Zeros stand where a write was lost; they begin and end where sectors do. */
static bool torn_at_sectors(struct bytes got)
{
    bool torn = got.n != BIG;
    assert_true(got.n <= BIG && got.n % 512 == 0);
    for (size_t at = 0; at < got.n; at += 512) {
        static const uint8_t zeros[512];
        bool lost = memcmp(got.p + at, zeros, 512) == 0;
        assert_true(lost || memcmp(got.p + at, pattern() + at, 512) == 0);
        torn |= lost;
    }
    return torn;
}

static void disk_keeps_loses_or_tears_what_was_not_synced(void **state)
{
    struct disk *d = *state;
    unsigned kept = 0, lost = 0, torn = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        assert_int_equal(disk_remove_file(d, PATH, NULL), ERR_OK);
        append(d, 0, (struct bytes){0}, true);
        append(d, 0, bytes_of(pattern(), BIG), false);
        uint64_t n = disk_fixture_power_off(d, seed);
        struct bytes got = disk_file(d, PATH);
        if (got.n == 0)
            lost++;
        else if (torn_at_sectors(got))
            torn++;
        else
            kept++;
        assert_int_equal(n, got.n == BIG && memcmp(got.p, pattern(), BIG) == 0 ? 0 : 1);
    }
    assert_true(kept > SEEDS / 10 && lost > SEEDS / 10 && torn > SEEDS / 10);
}

static void disk_loses_unsynced_writes_out_of_order(void **state)
{
    struct disk *d = *state;
    unsigned only_later = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        put(d, PATH, "..");
        append(d, 2, bytes_of_str("a"), false);
        append(d, 3, bytes_of_str("b"), false);
        (void)disk_fixture_power_off(d, seed);
        struct bytes got = disk_file(d, PATH);
        assert_memory_equal(got.p, "..", 2);
        only_later += got.n == 4 && got.p[2] == 0 && got.p[3] == 'b';
    }
    assert_true(only_later > 0);
}

static void disk_may_lose_a_name_that_was_not_synced(void **state)
{
    struct disk *d = *state;
    unsigned there = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        assert_int_equal(disk_remove_file(d, PATH, NULL), ERR_OK);
        append(d, 0, bytes_of_str("text"), false);
        append(d, 4, bytes_of_str("!"), true); /* syncs the file, not the folder */
        (void)disk_fixture_power_off(d, seed);
        assert_true(disk_fixture_files(d) == 0 || holds(d, PATH, "text!"));
        there += disk_fixture_files(d);
    }
    assert_true(there > SEEDS / 10 && there < SEEDS * 9 / 10);
}

static void disk_does_not_bring_back_what_was_removed(void **state)
{
    struct disk *d = *state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        put(d, PATH, "text");
        assert_int_equal(disk_remove_file(d, PATH, NULL), ERR_OK);
        (void)disk_fixture_power_off(d, seed);
        assert_int_equal(disk_fixture_files(d), 0);
    }
}

static void disk_has_the_old_file_or_the_new_one_whenever_it_dies(void **state)
{
    struct disk *d = *state;
    unsigned renewed[7] = {0};
    char *text = malloc(BIG + 1);
    assert_non_null(text);
    memcpy(text, pattern(), BIG);
    text[BIG] = '\0';
    for (unsigned step = 1; step <= 6; step++)
        for (uint64_t seed = 0; seed < SEEDS / 3; seed++) {
            put(d, PATH, "old");
            disk_set_faults(d, &(struct disk_faults){.die_after = step});
            enum err e = disk_write_file(d, PATH, bytes_of_str(text), NULL);
            assert_int_equal(e, step <= 5 ? ERR_IO : ERR_OK);
            assert_true(disk_is_dead(d) == (step <= 5));
            (void)disk_fixture_power_off(d, seed);
            assert_false(disk_is_dead(d));
            assert_true(holds(d, PATH, "old") || holds(d, PATH, text));
            renewed[step] += holds(d, PATH, text);
        }
    assert_int_equal(renewed[1] + renewed[2] + renewed[3], 0);
    assert_true(renewed[4] > 0 && renewed[4] < SEEDS / 3 && renewed[5] > 0 && renewed[5] < SEEDS / 3);
    assert_int_equal(renewed[6], SEEDS / 3);
    free(text);
}

static void disk_that_died_does_nothing_more(void **state)
{
    struct disk *d = *state;
    struct buf out;
    struct why why = {0};
    uint64_t size = 0;
    buf_init(&out, 100);
    put(d, PATH, "old");
    disk_set_faults(d, &(struct disk_faults){.die_after = 1});
    assert_int_equal(disk_append_file(d, PATH, 3, bytes_of_str("x"), false, &why), ERR_IO);
    uint64_t steps = disk_steps(d);
    assert_int_equal(disk_read_file(d, PATH, 9, &out, &why), ERR_IO);
    assert_non_null(strstr(why.text, "power"));
    assert_int_equal(disk_write_file(d, PATH, bytes_of_str("x"), &why), ERR_IO);
    assert_int_equal(disk_append_file(d, PATH, 4, bytes_of_str("x"), true, &why), ERR_IO);
    assert_int_equal(disk_remove_file(d, PATH, &why), ERR_IO);
    assert_int_equal(disk_file_size(d, PATH, &size, &why), ERR_IO);
    assert_int_equal(disk_steps(d), steps);
    assert_int_equal(disk_fixture_power_off(d, 1), 1); /* the write in which it died is never whole */
    assert_true(disk_file(d, PATH).n == 3 || disk_file(d, PATH).p[3] == 0);
    put(d, PATH, "new");
}

/* ---- other faults ---- */

static void disk_that_lies_loses_what_it_said_was_synced(void **state)
{
    struct disk *d = *state;
    unsigned old = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        disk_set_faults(d, NULL);
        put(d, PATH, "old");
        disk_set_faults(d, &(struct disk_faults){.lie = true});
        put(d, PATH, "new");
        assert_true(holds(d, PATH, "new"));
        (void)disk_fixture_power_off(d, seed);
        old += !holds(d, PATH, "new");
    }
    assert_true(old > SEEDS / 10 && old < SEEDS * 9 / 10);
}

static void disk_that_is_shut_down_in_order_loses_nothing(void **state)
{
    struct disk *d = *state;
    disk_set_faults(d, &(struct disk_faults){.lie = true});
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        put(d, PATH, "new");
        append(d, 3, bytes_of_str("er"), false);
        disk_settle(d);
        assert_int_equal(disk_fixture_power_off(d, seed), 0);
        assert_true(holds(d, PATH, "newer"));
    }
}

static void disk_that_is_full_refuses_and_keeps(void **state)
{
    struct disk *d = *state;
    append(d, 0, bytes_of_str("text"), true);
    disk_set_faults(d, &(struct disk_faults){.full_after = 2});
    append(d, 4, bytes_of_str("1"), true);
    append(d, 5, bytes_of_str("2"), true);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(disk_append_file(d, PATH, 6, bytes_of_str("3"), true, NULL), ERR_FULL);
        assert_int_equal(disk_write_file(d, PATH, bytes_of_str("anew"), NULL), ERR_FULL);
        assert_true(holds(d, PATH, "text12"));
        assert_int_equal(disk_fixture_files(d), 1); /* no temporary stays */
    }
    disk_set_faults(d, NULL);
    put(d, PATH, "room again");
}

static void disk_fails_one_read(void **state)
{
    struct disk *d = *state;
    struct buf out;
    buf_init(&out, 100);
    put(d, PATH, "text");
    disk_set_faults(d, &(struct disk_faults){.read_error = 2});
    assert_int_equal(disk_read_file(d, PATH, 9, &out, NULL), ERR_OK);
    assert_int_equal(disk_read_file(d, PATH, 9, &out, NULL), ERR_IO);
    assert_int_equal(disk_read_file(d, PATH, 9, &out, NULL), ERR_OK);
    buf_release(&out);
}

static void disk_rots_in_one_byte_that_is_no_hole(void **state)
{
    struct disk *d = *state;
    uint8_t zeros[2048] = {0};
    const char *name = NULL;
    uint64_t at = 0;
    struct draw by = draw_stream(1, 1, 1);
    assert_false(disk_rot(d, &by, NULL, NULL, NULL));
    put(d, "home/b", "other");
    append(d, 0, bytes_of(zeros, sizeof zeros), true);
    assert_false(disk_rot(d, &by, ".bin", NULL, NULL)); /* nothing but a hole */
    append(d, sizeof zeros, bytes_of(pattern(), 100), true);
    for (unsigned i = 0; i < 100; i++) {
        struct disk_image *before = disk_image_take(d);
        uint8_t old[2148];
        memcpy(old, disk_file(d, PATH).p, sizeof old);
        assert_true(disk_rot(d, &by, ".bin", &name, &at));
        assert_string_equal(name, PATH);
        assert_in_range(at, sizeof zeros, sizeof old - 1);
        append(d, sizeof old, bytes_of_str("unsynced"), false);
        (void)disk_fixture_power_off(d, i);
        uint8_t flipped = disk_file(d, PATH).p[at] ^ old[at];
        assert_in_range(__builtin_popcount(flipped), 1, 3);
        old[at] ^= flipped;
        assert_memory_equal(disk_file(d, PATH).p, old, sizeof old);
        disk_put_back(d, before);
        disk_image_free(before);
    }
    assert_true(holds(d, "home/b", "other"));
}

static void disk_takes_an_image_back_byte_for_byte(void **state)
{
    struct disk *d = *state, *other = disk_new();
    put(d, "home/b", "small");
    put(d, "home/empty", "");
    append(d, 0, bytes_of(pattern(), BIG), false);
    struct disk_image *i = disk_image_take(d), *copy = disk_image_copy(i);
    put(d, "home/later", "gone");
    put(d, "home/b", "changed");
    assert_int_equal(disk_remove_file(d, PATH, NULL), ERR_OK);
    put(other, "home/own", "gone");
    disk_put_back(d, i);
    disk_image_free(i);
    disk_put_back(other, copy);
    disk_image_free(copy);
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct disk *at = seed % 2 ? d : other;
        assert_int_equal(disk_fixture_power_off(at, seed), 0);
        assert_int_equal(disk_fixture_files(at), 3);
        assert_true(holds(at, "home/b", "small"));
        assert_true(holds(at, "home/empty", ""));
        assert_true(bytes_equal(disk_file(at, PATH), bytes_of(pattern(), BIG)));
    }
    disk_free(other);
}

/* ---- determinism ---- */

static void mix(void *ctx, const char *name, struct bytes content)
{
    uint64_t *h = ctx;
    for (; *name != '\0'; name++) *h = (*h ^ (uint8_t)*name) * 0x100000001B3u;
    for (size_t i = 0; i < content.n; i++) *h = (*h ^ content.p[i]) * 0x100000001B3u;
}

static uint64_t random_life(uint64_t seed)
{
    struct disk *d = disk_new();
    struct draw by = draw_stream(seed, 2, 0);
    uint64_t hash = seed == 0, size = 0;
    for (unsigned i = 0; i < 400; i++) {
        char path[] = "home/x";
        path[5] = (char)('a' + draw_below(&by, 5));
        struct bytes v = bytes_of(pattern(), draw_below(&by, BIG));
        switch (draw_below(&by, 8)) {
        case 0: (void)disk_write_file(d, path, v, NULL); break;
        case 1: (void)disk_remove_file(d, path, NULL); break;
        case 2: hash += disk_power_off(d, &by); break;
        case 3: (void)disk_rot(d, &by, NULL, NULL, NULL); break;
        case 4:
            disk_set_faults(d, &(struct disk_faults){.die_after = draw_below(&by, 9),
                                                     .full_after = draw_below(&by, 9),
                                                     .lie = draw_chance(&by, 300)});
            break;
        default:
            if (disk_file_size(d, path, &size, NULL) != ERR_OK) size = 0;
            (void)disk_append_file(d, path, size, v, draw_chance(&by, 400), NULL);
        }
        disk_each(d, mix, &hash);
    }
    disk_free(d);
    return hash;
}

static void disk_does_the_same_from_the_same_seed(void **state)
{
    (void)state;
    uint64_t first = random_life(1);
    assert_true(random_life(2) != first);
    assert_true(random_life(1) == first);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, disk_fixture_start, disk_fixture_stop)
    const struct CMUnitTest tests[] = {
        T(disk_gives_back_what_was_written),
        T(disk_refuses_as_a_real_one),
        T(disk_keeps_what_was_synced_at_every_power_failure),
        T(disk_keeps_loses_or_tears_what_was_not_synced),
        T(disk_loses_unsynced_writes_out_of_order),
        T(disk_may_lose_a_name_that_was_not_synced),
        T(disk_does_not_bring_back_what_was_removed),
        T(disk_has_the_old_file_or_the_new_one_whenever_it_dies),
        T(disk_that_died_does_nothing_more),
        T(disk_that_lies_loses_what_it_said_was_synced),
        T(disk_that_is_shut_down_in_order_loses_nothing),
        T(disk_that_is_full_refuses_and_keeps),
        T(disk_fails_one_read),
        T(disk_rots_in_one_byte_that_is_no_hole),
        T(disk_takes_an_image_back_byte_for_byte),
        T(disk_does_the_same_from_the_same_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
