/* The key file on a disk in memory (tests/sim/disk.h): the power fails at every step of every change, and what was not
 * synced is kept, lost or torn as it comes. The file is then as before the change or as after it, and whoever could
 * open it can. */
#include "crypto/device.h"
#include "crypto/keyslot_internal.h"
#include "tests/sim/disk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEEDS  40u
#define CHEAP  ((struct keyslot_cost){1, 8})
#define NUMBER (sizeof changes / sizeof changes[0])

static const struct keyfile at = {"home/replica.key", "home/device.secret"};
static const char alice[] = "seven small words of mine", bob[] = "another eight words of somebody";

struct machine_world {
    struct disk *disk;
    struct env env;
    struct draw random;
    struct keyring ring, next;
    uint8_t bob[SLOT_ID_BYTES], added[SLOT_ID_BYTES];
    char code[RECOVERY_CODE_CHARS];
    size_t torn;
};

static struct disk *disk_of(void *ctx)
{
    return ((struct machine_world *)ctx)->disk;
}

static int64_t now_ms(void *ctx)
{
    (void)ctx;
    return 1780000000000;
}

static void random_bytes(void *ctx, void *out, size_t n)
{
    draw_bytes(&((struct machine_world *)ctx)->random, out, n);
}

static enum err read_file(void *ctx, const char *path, size_t max, struct buf *out, struct why *why)
{
    return disk_read_file(disk_of(ctx), path, max, out, why);
}

static enum err write_file(void *ctx, const char *path, struct bytes content, struct why *why)
{
    return disk_write_file(disk_of(ctx), path, content, why);
}

static enum err file_size(void *ctx, const char *path, uint64_t *out, struct why *why)
{
    return disk_file_size(disk_of(ctx), path, out, why);
}

static enum err remove_file(void *ctx, const char *path, struct why *why)
{
    return disk_remove_file(disk_of(ctx), path, why);
}

static enum err shred_file(void *ctx, const char *path, struct why *why)
{
    return disk_shred_file(disk_of(ctx), path, why);
}

/* ---- the changes ---- */

static enum err make_it(struct machine_world *w)
{
    return keyslot_create_cost(&w->env, &at, bytes_of_str(alice), CHEAP, &w->ring, NULL);
}

static enum err put(struct machine_world *w, const char *passphrase, uint8_t id[SLOT_ID_BYTES])
{
    const struct keyslot_words words = {.secret = bytes_of_str(passphrase), .cost = CHEAP};
    return keyslot_put_cost(&w->env, &at, &w->ring, &words, id, NULL);
}

static enum err add(struct machine_world *w)
{
    return put(w, "somebody new", w->added);
}

static enum err change(struct machine_world *w)
{
    return put(w, "another passphrase", w->bob);
}

static enum err remove_bob(struct machine_world *w)
{
    return keyslot_remove(&w->env, &at, &w->ring, w->bob, NULL);
}

static enum err code(struct machine_world *w)
{
    return keyslot_recovery(&w->env, &at, &w->ring, w->code, NULL);
}

static enum err rekey(struct machine_world *w)
{
    enum err e = keyring_next(&w->next, &w->env, &w->ring, NULL);
    return e == ERR_OK ? keyslot_rekey(&w->env, &at, &w->ring, &w->next, NULL) : e;
}

/* What opens after a change, and did not before; and the other way round. NULL: nothing. */
static const struct {
    const char *name;
    enum err (*act)(struct machine_world *w);
    const char *opens, *shut;
} changes[] = {
    {"making it", make_it, alice, NULL},
    {"one more person", add, "somebody new", NULL},
    {"another passphrase", change, "another passphrase", bob},
    {"one person less", remove_bob, NULL, bob},
    {"a recovery code", code, NULL, NULL},
    {"a new data key", rekey, NULL, NULL},
};

/* ---- the machine ---- */

static struct machine_world *world_new(size_t which)
{
    struct machine_world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    assert_int_equal(secret_start(NULL), ERR_OK);
    w->disk = disk_new();
    w->random = draw_stream(which, 3, 0);
    w->env = (struct env){.ctx = w,
                          .now_ms = now_ms,
                          .random = random_bytes,
                          .read_file = read_file,
                          .write_file = write_file,
                          .file_size = file_size,
                          .remove_file = remove_file,
                          .shred_file = shred_file};
    assert_int_equal(device_make(&w->env, at.device, NULL), ERR_OK);
    if (changes[which].act == make_it) return w;
    assert_int_equal(make_it(w), ERR_OK);
    assert_int_equal(put(w, bob, w->bob), ERR_OK);
    assert_int_equal(code(w), ERR_OK);
    return w;
}

static void world_free(struct machine_world *w)
{
    keyring_release(&w->ring);
    keyring_release(&w->next);
    disk_free(w->disk);
    free(w);
}

static void power_off(struct machine_world *w, uint64_t seed)
{
    struct draw by = draw_stream(seed, 4, 0);
    w->torn += disk_power_off(w->disk, &by);
}

static bool opens(struct machine_world *w, const char *passphrase, struct keyring *out)
{
    enum err e = keyslot_open(&w->env, &at, bytes_of_str(passphrase), out, NULL);
    if (e != ERR_OK) assert_int_equal(e, ERR_PASSPHRASE);
    return e == ERR_OK;
}

/* Which of the two is it, and is it wholly that? `key` is the data key of before. */
static bool judge_changed(struct machine_world *w, size_t which, uint64_t before, const uint8_t key[DATA_KEY_BYTES])
{
    struct keyring r = {0};
    assert_true(opens(w, alice, &r));
    bool after = r.revision == before + 1, new_key = after && changes[which].act == rekey;
    assert_true(after || r.revision == before);
    assert_int_equal(r.generation, new_key ? 1 : 0);
    assert_memory_equal(r.keys.p, new_key ? w->next.keys.p : key, DATA_KEY_BYTES);
    keyring_release(&r);
    if (changes[which].opens != NULL) assert_int_equal(opens(w, changes[which].opens, &r), after);
    keyring_release(&r);
    assert_int_equal(opens(w, bob, &r), !(after && changes[which].shut != NULL));
    keyring_release(&r);
    return after;
}

static bool judge_made(struct machine_world *w)
{
    struct keyring r = {0};
    enum err e = keyslot_open(&w->env, &at, bytes_of_str(alice), &r, NULL);
    assert_true(e == ERR_OK || e == ERR_UNINIT);
    keyring_release(&r);
    return e == ERR_OK;
}

/* Dies in step `die` of the change. Returns whether the change needed that many. */
static bool one(size_t which, uint64_t die, uint64_t seed, size_t *out_after, size_t *out_torn)
{
    struct machine_world *w = world_new(which);
    const struct disk_faults faults = {.die_after = die};
    uint64_t before = w->ring.revision;
    uint8_t key[DATA_KEY_BYTES] = {0};
    if (w->ring.keys.p != NULL) memcpy(key, w->ring.keys.p, sizeof key);
    disk_set_faults(w->disk, &faults);
    enum err e = changes[which].act(w);
    bool died = disk_is_dead(w->disk);
    assert_int_equal(e == ERR_OK, !died);
    power_off(w, seed);
    bool after = changes[which].act == make_it ? judge_made(w) : judge_changed(w, which, before, key);
    if (!died) assert_true(after); /* what was said to be done is durable */
    *out_after += after;
    *out_torn += w->torn;
    world_free(w);
    return died;
}

static void keyslot_after_a_power_cut_anywhere_in_a_change_the_file_is_as_before_or_as_after(void **state)
{
    size_t cases = 0, after = 0, torn = 0;
    (void)state;
    for (size_t which = 0; which < NUMBER; which++) {
        uint64_t steps = 1;
        for (bool died = true; died; steps++) {
            died = false;
            for (uint64_t seed = 0; seed < SEEDS; seed++, cases++)
                died = one(which, steps, seed * 1000 + steps, &after, &torn);
        }
        assert_true(steps > 5); /* a file made, written, synced, renamed, and its folder synced */
    }
    printf("%zu power cuts in %zu changes: %zu as after, %zu writes lost or torn\n", cases, NUMBER, after, torn);
    assert_true(after > cases / 10 && after < cases * 9 / 10 && torn > 0);
}

static void keyslot_after_a_power_cut_the_device_secret_is_whole_or_not_there(void **state)
{
    size_t whole = 0;
    (void)state;
    for (uint64_t die = 1; die <= 6; die++) {
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            struct machine_world *w = world_new(0);
            const struct disk_faults faults = {.die_after = die};
            struct secret s = {0};
            assert_int_equal(remove_file(w, at.device, NULL), ERR_OK);
            disk_set_faults(w->disk, &faults);
            enum err e = device_make(&w->env, at.device, NULL);
            power_off(w, seed);
            enum err found = device_load(&w->env, at.device, &s, NULL);
            assert_true(found == ERR_OK || (found == ERR_UNINIT && e != ERR_OK));
            whole += found == ERR_OK;
            secret_release(&s);
            assert_int_equal(device_make(&w->env, at.device, NULL), ERR_OK); /* begins anew, or leaves it */
            world_free(w);
        }
    }
    assert_true(whole > SEEDS && whole < 6 * SEEDS);
}

/* Once shredding was said to be done, no power cut brings any of it back. */
static void keyslot_a_shredded_file_stays_away(void **state)
{
    (void)state;
    for (uint64_t die = 0; die <= 5; die++) {
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            struct machine_world *w = world_new(1);
            const struct disk_faults faults = {.die_after = die};
            struct keyring r = {0};
            disk_set_faults(w->disk, &faults);
            enum err e = w->env.shred_file(w, at.path, NULL);
            bool died = disk_is_dead(w->disk);
            assert_int_equal(e == ERR_OK, !died);
            power_off(w, seed);
            enum err found = keyslot_open(&w->env, &at, bytes_of_str(alice), &r, NULL);
            if (!died) assert_int_equal(found, ERR_UNINIT);
            if (die > 2 && found != ERR_UNINIT) assert_int_equal(found, ERR_FORMAT); /* synced, and still named */
            keyring_release(&r);
            assert_int_equal(w->env.shred_file(w, at.path, NULL), ERR_OK); /* goes on where it was cut off */
            world_free(w);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keyslot_after_a_power_cut_anywhere_in_a_change_the_file_is_as_before_or_as_after),
        cmocka_unit_test(keyslot_after_a_power_cut_the_device_secret_is_whole_or_not_there),
        cmocka_unit_test(keyslot_a_shredded_file_stays_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
