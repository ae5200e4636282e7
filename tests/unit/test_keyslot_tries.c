/* Wrong passphrases in a row, and how dear each of them is. */
#include "tests/lib/keyfile_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WRONG "not the passphrase"

static void wrong(struct keyfile_world *w, unsigned times)
{
    for (unsigned i = 0; i < times; i++) assert_int_equal(keyfile_open(w, WRONG), ERR_PASSPHRASE);
}

/* Is the next try refused before it is looked at? The words tell. */
static bool waits(struct keyfile_world *w)
{
    struct keyring r = {0};
    struct why why = {0};
    assert_int_equal(keyslot_open(&w->env, &w->at, bytes_of_str(WRONG), &r, &why), ERR_PASSPHRASE);
    return strstr(why.text, "in a row") != NULL;
}

static void put_tries(struct keyfile_world *w, const uint8_t *p, size_t n)
{
    assert_int_equal(w->env.write_file(w, w->tries, bytes_of(p, n), NULL), ERR_OK);
}

static void keyslot_five_wrong_tries_are_free_and_then_even_the_right_one_waits(void **state)
{
    struct keyfile_world *w = *state;
    struct keyring r = {0};
    struct why why = {0};
    keyfile_make(w);
    wrong(w, 4);
    assert_int_equal(keyfile_open(w, ALICE), ERR_OK);
    wrong(w, 5);
    assert_int_equal(keyslot_open(&w->env, &w->at, bytes_of_str(ALICE), &r, &why), ERR_PASSPHRASE);
    assert_string_equal(why.text, "there were 5 wrong passphrases in a row, so the next can be tried in 2 seconds");
    assert_true(why.next[0] != '\0');
    w->now += 1001;
    assert_int_equal(keyslot_open(&w->env, &w->at, bytes_of_str(ALICE), &r, &why), ERR_PASSPHRASE);
    assert_string_equal(why.text, "there were 5 wrong passphrases in a row, so the next can be tried in 1 second");
    w->now += 999;
    assert_int_equal(keyfile_open(w, ALICE), ERR_OK);
    assert_false(keyfile_there(w->tries));
    wrong(w, 4); /* all forgotten */
    assert_int_equal(keyfile_open(w, ALICE), ERR_OK);
}

static void keyslot_the_wait_doubles_up_to_fifteen_minutes(void **state)
{
    struct keyfile_world *w = *state;
    static const int64_t seconds[] = {2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900};
    keyfile_make(w);
    wrong(w, 4);
    for (size_t i = 0; i < sizeof seconds / sizeof seconds[0]; i++) {
        assert_false(waits(w)); /* a wrong one that is looked at, and counts */
        assert_true(waits(w));
        w->now += seconds[i] * 1000 - 1;
        assert_true(waits(w)); /* what is refused before its time does not count */
        w->now += 1;
    }
    assert_int_equal(keyfile_open(w, ALICE), ERR_OK);
}

static void keyslot_a_huge_count_waits_fifteen_minutes_and_not_longer(void **state)
{
    struct keyfile_world *w = *state;
    uint8_t tries[17] = {'S', 'P', 'K', 'T', 1, 0xff, 0xff, 0xff, 0xff};
    struct keyring r = {0};
    struct why why = {0};
    keyfile_make(w);
    keyslot_put64(tries + 9, (uint64_t)w->now);
    put_tries(w, tries, sizeof tries);
    assert_int_equal(keyslot_open(&w->env, &w->at, bytes_of_str(ALICE), &r, &why), ERR_PASSPHRASE);
    assert_non_null(strstr(why.text, "in 15 minutes"));
    w->now += 900 * 1000;
    wrong(w, 1); /* the count stays where it is, and does not begin anew */
    assert_true(waits(w));
    w->now += 900 * 1000;
    assert_int_equal(keyfile_open(w, ALICE), ERR_OK);
}

static void keyslot_a_clock_that_goes_back_frees_nobody_and_bars_nobody_for_ever(void **state)
{
    struct keyfile_world *w = *state;
    keyfile_make(w);
    wrong(w, 5);
    w->now -= 86400000;
    assert_true(waits(w));
    w->now += 1999;
    assert_true(waits(w));
    w->now += 1;
    assert_int_equal(keyfile_open(w, ALICE), ERR_OK);
    w->now += (int64_t)400 * 86400000; /* wrong tries under a clock far in the future, which is mended then */
    wrong(w, 7);
    w->now -= (int64_t)400 * 86400000;
    assert_true(waits(w));
    w->now += 8000;
    assert_int_equal(keyfile_open(w, ALICE), ERR_OK);
    w->now = -5; /* before 1970 */
    wrong(w, 5);
    assert_true(waits(w));
    w->now += 3000;
    assert_int_equal(keyfile_open(w, ALICE), ERR_OK);
}

static void keyslot_a_broken_count_keeps_nobody_out(void **state)
{
    struct keyfile_world *w = *state;
    uint8_t tries[40];
    keyfile_make(w);
    memset(tries, 0xff, sizeof tries);
    for (size_t n = 0; n < sizeof tries; n++) { /* of 17 bytes too: no magic */
        put_tries(w, tries, n);
        assert_int_equal(keyfile_open(w, ALICE), ERR_OK);
        assert_false(keyfile_there(w->tries));
    }
    memcpy(tries, "SPKT\1", 5);
    keyslot_put64(tries + 9, (uint64_t)1 << 63); /* a time that no clock shows */
    put_tries(w, tries, 17);
    assert_int_equal(keyfile_open(w, ALICE), ERR_OK);
    tries[4] = 2;
    keyslot_put64(tries + 9, INT64_MAX);
    put_tries(w, tries, 17);
    assert_int_equal(keyfile_open(w, ALICE), ERR_OK);
    tries[4] = 1; /* so it was the version */
    put_tries(w, tries, 17);
    assert_true(waits(w));
    put_tries(w, tries, 5);
    wrong(w, 5); /* a broken one is replaced by a good one */
    assert_true(waits(w));
}

static enum err no_write(void *ctx, const char *path, struct bytes content, struct why *why)
{
    (void)ctx, (void)path, (void)content;
    return why_set(why, ERR_FULL, "full");
}

static enum err no_remove(void *ctx, const char *path, struct why *why)
{
    (void)ctx, (void)path;
    return why_set(why, ERR_IO, "read-only");
}

static void keyslot_a_count_that_cannot_be_written_keeps_nobody_out(void **state)
{
    struct keyfile_world *w = *state;
    keyfile_make(w);
    w->env.write_file = no_write;
    wrong(w, 20); /* each is a wrong passphrase, and not a full disk */
    assert_int_equal(keyfile_open(w, ALICE), ERR_OK);
    w->env.write_file = env_posix()->write_file;
    wrong(w, 5);
    w->env.write_file = no_write;
    w->env.remove_file = no_remove;
    assert_true(waits(w));
    w->now -= 5000; /* the wait could not be noted anew, so it would never end */
    assert_int_equal(keyfile_open(w, ALICE), ERR_OK);
    w->now += 7000;
    assert_int_equal(keyfile_open(w, ALICE), ERR_OK);
}

static enum err count_read_fails(void *ctx, const char *path, size_t max, struct buf *out, struct why *why)
{
    size_t n = strlen(path);
    if (n > 6 && strcmp(path + n - 6, ".tries") == 0) return why_set(why, ERR_IO, "the disk reports an error");
    return env_posix()->read_file(ctx, path, max, out, why);
}

static void keyslot_a_count_that_cannot_be_read_keeps_nobody_out(void **state)
{
    struct keyfile_world *w = *state;
    keyfile_make(w);
    wrong(w, 5);
    w->env.read_file = count_read_fails;
    assert_int_equal(keyfile_open(w, ALICE), ERR_OK);
}

static enum err never_write(void *ctx, const char *path, struct bytes content, struct why *why)
{
    (void)ctx, (void)content, (void)why;
    fail_msg("%s was written", path);
    return ERR_IO;
}

static enum err never_remove(void *ctx, const char *path, struct why *why)
{
    (void)ctx, (void)why;
    fail_msg("%s was removed", path);
    return ERR_IO;
}

static void keyslot_the_right_passphrase_writes_nothing(void **state)
{
    struct keyfile_world *w = *state;
    keyfile_make(w);
    w->env.write_file = never_write;
    w->env.remove_file = never_remove;
    assert_int_equal(keyfile_open(w, ALICE), ERR_OK);
}

static void keyslot_the_recovery_code_never_waits_and_ends_the_wait(void **state)
{
    struct keyfile_world *w = *state;
    char code[RECOVERY_CODE_CHARS];
    keyfile_make(w);
    assert_int_equal(keyslot_recovery(&w->env, &w->at, &w->ring, code, NULL), ERR_OK);
    wrong(w, 5);
    assert_true(waits(w));
    assert_int_equal(keyfile_open_code(w, "AAAA"), ERR_USAGE);
    assert_int_equal(keyfile_open_code(w, code), ERR_OK);
    assert_int_equal(keyfile_open(w, ALICE), ERR_OK);
}

/* ---- the cost ---- */

static int64_t steady_calls, steady_at, steady_step;

static int64_t steady(void *ctx)
{
    (void)ctx;
    steady_at += ++steady_calls % 2 == 0 ? steady_step : 1000;
    return steady_at;
}

static uint64_t four_gib(void *ctx)
{
    (void)ctx;
    return (uint64_t)4 << 30;
}

static struct keyslot_cost measured(struct keyfile_world *w, unsigned unlock_ms, int64_t step)
{
    steady_calls = 0;
    steady_step = step;
    w->env.steady_ms = steady;
    w->env.unlock_ms = unlock_ms;
    w->env.memory = four_gib;
    return keyslot_cost_measure(&w->env);
}

static void keyslot_cost_is_64_mib_and_three_passes_at_least(void **state)
{
    struct keyfile_world *w = *state;
    uint8_t file[KEYFILE_BYTES];
    assert_int_equal(keyslot_create(&w->env, &w->at, bytes_of_str(ALICE), &w->ring, NULL), ERR_OK);
    keyfile_load(w, file);
    assert_int_equal(keyslot_get32(keyslot_at(file, 0) + SLOT_PASSES_AT), 3);
    assert_int_equal(keyslot_get32(keyslot_at(file, 0) + SLOT_KIB_AT), 64 * 1024);
    assert_int_equal(keyfile_open(w, ALICE), ERR_OK);
    assert_int_equal(measured(w, 500, 900).kib, 64 * 1024); /* a slow machine */
    assert_int_equal(steady_calls, 2);
    assert_int_equal(measured(w, 500, 0).kib, 64 * 1024); /* a clock that stands still */
    assert_int_equal(measured(w, 500, -50).kib, 64 * 1024);
}

static void keyslot_cost_is_measured_twice_at_most(void **state)
{
    struct keyfile_world *w = *state;
    (void)measured(w, 0, 100);
    assert_int_equal(steady_calls, 0);
    struct keyslot_cost cost = measured(w, 150, 100); /* the second takes 100 ms too, though it is dearer by half */
    assert_int_equal(steady_calls, 4);
    assert_int_equal(cost.kib, 96 * 1024);
    assert_int_equal(cost.passes, 4);
}

static void keyslot_cost_leaves_three_quarters_of_the_memory_alone(void **state)
{
    struct keyfile_world *w = *state;
    struct keyslot_cost cost = measured(w, 150, 100);
    assert_int_equal(cost.kib, 96 * 1024);
    w->env.memory = NULL; /* not known: passes make up for what memory may not */
    steady_calls = 0;
    cost = keyslot_cost_measure(&w->env);
    assert_int_equal(cost.kib, 64 * 1024);
    assert_true(cost.passes > 3);
    assert_int_equal(steady_calls, 4);
    assert_true(env_posix()->memory(NULL) > (uint64_t)64 << 20);
}

static void keyslot_cost_grows_with_the_time_that_there_is(void **state)
{
    (void)state;
    const struct keyslot_cost least = {3, 65536};
    struct keyslot_cost c = keyslot_cost_scale(least, 66, 500, 1 << 20);
    assert_int_equal(c.passes, 3);
    assert_in_range(c.kib, 496000, 497000);
    c = keyslot_cost_scale(least, 66, 500, 128 * 1024); /* 512 MiB of memory: passes make up for it */
    assert_int_equal(c.kib, 128 * 1024);
    assert_int_equal(c.passes, 11);
    c = keyslot_cost_scale(least, 1, 60000, 1 << 20);
    assert_int_equal(c.kib, 1 << 20);
    assert_int_equal(c.passes, 16);
    c = keyslot_cost_scale((struct keyslot_cost){3, 1 << 20}, 4000, 500, 1 << 20); /* slower than it should have been */
    assert_in_range(c.kib, 131000, 131072);
    assert_int_equal(c.passes, 3);
    c = keyslot_cost_scale(least, INT64_MAX, 500, 65536);
    assert_int_equal(c.kib, 65536);
    assert_int_equal(c.passes, 3);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, keyfile_world_start, keyfile_world_stop)
    const struct CMUnitTest tests[] = {
        T(keyslot_five_wrong_tries_are_free_and_then_even_the_right_one_waits),
        T(keyslot_the_wait_doubles_up_to_fifteen_minutes),
        T(keyslot_a_huge_count_waits_fifteen_minutes_and_not_longer),
        T(keyslot_a_clock_that_goes_back_frees_nobody_and_bars_nobody_for_ever),
        T(keyslot_a_broken_count_keeps_nobody_out),
        T(keyslot_a_count_that_cannot_be_written_keeps_nobody_out),
        T(keyslot_a_count_that_cannot_be_read_keeps_nobody_out),
        T(keyslot_the_right_passphrase_writes_nothing),
        T(keyslot_the_recovery_code_never_waits_and_ends_the_wait),
        T(keyslot_cost_is_64_mib_and_three_passes_at_least),
        T(keyslot_cost_is_measured_twice_at_most),
        T(keyslot_cost_leaves_three_quarters_of_the_memory_alone),
        T(keyslot_cost_grows_with_the_time_that_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
