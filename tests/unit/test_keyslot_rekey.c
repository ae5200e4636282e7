/* A new data key needs nobody's passphrase, opens for everybody who is still there, and for nobody else. */
#include "crypto/device.h"
#include "tests/lib/keyfile_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void open_as(struct keyfile_world *w, const char *passphrase, struct keyring *out)
{
    assert_int_equal(keyslot_open(&w->env, &w->at, bytes_of_str(passphrase), out, NULL), ERR_OK);
}

static void assert_slot(struct keyfile_world *w, const char *passphrase, const uint8_t id[SLOT_ID_BYTES])
{
    struct keyring r = {0};
    open_as(w, passphrase, &r);
    assert_memory_equal(r.slot, id, SLOT_ID_BYTES);
    assert_true(secret_equal(r.keys.p, w->ring.keys.p, 64));
    assert_int_equal(r.revision, w->ring.revision);
    keyring_release(&r);
}

static void make_code(struct keyfile_world *w, char code[RECOVERY_CODE_CHARS])
{
    assert_int_equal(keyslot_recovery(&w->env, &w->at, &w->ring, code, NULL), ERR_OK);
}

static void keyslot_every_slot_opens_after_a_new_data_key(void **state)
{
    struct keyfile_world *w = *state;
    uint8_t bob[SLOT_ID_BYTES], was[64];
    char code[RECOVERY_CODE_CHARS];
    struct keyring by_code = {0};
    uint32_t generation = 9;
    keyfile_make(w);
    keyfile_add(w, BOB, bob);
    make_code(w, code);
    memcpy(was, w->ring.keys.p, sizeof was);
    for (uint32_t i = 1; i <= 3; i++) {
        keyfile_rekey(w);
        assert_int_equal(w->ring.generation, i);
        assert_int_equal(w->ring.revision, 3 + i);
        assert_int_equal(keyslot_generation(&w->env, &w->at, &generation, NULL), ERR_OK);
        assert_int_equal(generation, i);
        assert_memory_not_equal(was, w->ring.keys.p, 32);
        assert_slot(w, BOB, bob);
        assert_slot(w, ALICE, w->ring.slot);
        assert_int_equal(keyslot_open_code(&w->env, &w->at, bytes_of_str(code), &by_code, NULL), ERR_OK);
        assert_memory_equal(by_code.keys.p, w->ring.keys.p, 64);
        assert_int_equal(by_code.generation, i);
        keyring_release(&by_code);
    }
}

/* All that somebody has who kept a file and knows a passphrase of it: the secret of a slot and the vouch key. Nothing
 * in the new file gives him the new data key. */
static void assert_shut_out(struct keyfile_world *w, const uint8_t *old, size_t place, const char *passphrase)
{
    uint8_t file[KEYFILE_BYTES], key[DATA_KEY_BYTES], pk[32], made_up[KEYFILE_BYTES];
    struct secret device = {0}, sk = {0};
    assert_int_equal(device_load(&w->env, w->device, &device, NULL), ERR_OK);
    const struct keyslot_words words = {.secret = bytes_of_str(passphrase), .kind = SLOT_PERSON, .device = &device};
    assert_int_equal(keyslot_slot_unwrap(old, place, &words, &sk, NULL), ERR_OK);
    keyfile_load(w, file);
    assert_int_equal(crypto_scalarmult_base(pk, sk.p), 0);
    for (size_t i = 0; i < KEYSLOT_MAX; i++)
        assert_int_not_equal(crypto_box_seal_open(key, keyslot_at(file, i) + SLOT_SEALED_AT, 80, pk, sk.p), 0);
    for (size_t i = 0; i < KEYSLOT_MAX; i++) { /* his slot put back, with each of the seals */
        memcpy(made_up, file, sizeof file);
        memcpy(keyslot_at(made_up, place), old + KEYFILE_SLOTS_AT + place * KEYFILE_SLOT_BYTES, KEYFILE_SLOT_BYTES);
        memcpy(keyslot_at(made_up, place) + SLOT_SEALED_AT, keyslot_at(file, i) + SLOT_SEALED_AT, 80);
        keyfile_store_summed(w, made_up);
        assert_int_equal(keyfile_open(w, passphrase), ERR_TAMPERED);
    }
    memcpy(made_up, file, sizeof file); /* his slot as it was, with the old data key in it */
    memcpy(keyslot_at(made_up, place), old + KEYFILE_SLOTS_AT + place * KEYFILE_SLOT_BYTES, KEYFILE_SLOT_BYTES);
    keyfile_store_summed(w, made_up);
    assert_int_equal(keyfile_open(w, passphrase), ERR_TAMPERED);
    keyfile_store(w, file, sizeof file);
    secret_release(&device);
    secret_release(&sk);
}

static void keyslot_who_was_removed_cannot_open_a_later_data_key(void **state)
{
    struct keyfile_world *w = *state;
    uint8_t old[KEYFILE_BYTES], bob[SLOT_ID_BYTES];
    struct keyring his = {0};
    keyfile_make(w);
    keyfile_add(w, BOB, bob);
    keyfile_load(w, old);
    assert_int_equal(keyslot_remove(&w->env, &w->at, &w->ring, bob, NULL), ERR_OK);
    assert_int_equal(keyfile_open(w, BOB), ERR_PASSPHRASE);
    uint8_t file[KEYFILE_BYTES];
    keyfile_load(w, file);
    keyfile_store(w, old, sizeof old); /* removal alone does not shut him out: the header says so */
    open_as(w, BOB, &his);
    assert_memory_equal(his.keys.p, w->ring.keys.p, 32);
    keyfile_store(w, file, sizeof file);
    keyfile_rekey(w);
    assert_memory_not_equal(his.keys.p, w->ring.keys.p, 32);
    assert_shut_out(w, old, 1, BOB);
    assert_int_equal(keyfile_open(w, ALICE), ERR_OK);
    keyring_release(&his);
}

/* As he could who looked over a shoulder, and copied the file then. */
static void keyslot_an_old_passphrase_with_an_old_file_opens_no_later_data_key(void **state)
{
    struct keyfile_world *w = *state;
    uint8_t old[KEYFILE_BYTES];
    keyfile_make(w);
    keyfile_load(w, old);
    assert_int_equal(keyfile_change(w, w->ring.slot, CAROL), ERR_OK);
    keyfile_rekey(w);
    assert_shut_out(w, old, 0, ALICE);
    assert_int_equal(keyfile_open(w, CAROL), ERR_OK);
}

static void keyslot_rekey_takes_only_the_key_that_follows(void **state)
{
    struct keyfile_world *w = *state;
    struct keyring next = {0}, other = {0};
    uint8_t before[KEYFILE_BYTES], after[KEYFILE_BYTES];
    keyfile_make(w);
    keyfile_load(w, before);
    assert_int_equal(keyring_next(&next, &w->env, &w->ring, NULL), ERR_OK);
    assert_int_equal(next.generation, 1);
    assert_memory_not_equal(next.keys.p, w->ring.keys.p, 32);
    assert_memory_equal(next.keys.p + 32, w->ring.keys.p + 32, 32);
    next.generation = 0;
    assert_int_equal(keyslot_rekey(&w->env, &w->at, &w->ring, &next, NULL), ERR_FAILED);
    next.generation = 2;
    assert_int_equal(keyslot_rekey(&w->env, &w->at, &w->ring, &next, NULL), ERR_FAILED);
    next.generation = 1;
    next.keys.p[32] ^= 1;
    assert_int_equal(keyslot_rekey(&w->env, &w->at, &w->ring, &next, NULL), ERR_FAILED);
    next.keys.p[32] ^= 1;
    keyfile_load(w, after);
    assert_memory_equal(before, after, sizeof before);
    assert_int_equal(keyslot_rekey(&w->env, &w->at, &w->ring, &next, NULL), ERR_OK);
    uint8_t id[SLOT_ID_BYTES]; /* the ring of before changes nothing any more */
    assert_int_equal(keyslot_add(&w->env, &w->at, &w->ring, bytes_of_str(BOB), id, NULL), ERR_TAMPERED);
    assert_int_equal(keyring_next(&other, &w->env, &w->ring, NULL), ERR_OK);
    assert_int_equal(keyslot_rekey(&w->env, &w->at, &w->ring, &other, NULL), ERR_TAMPERED);
    keyring_release(&next);
    keyring_release(&other);
}

static void keyring_has_no_generation_after_the_last(void **state)
{
    struct keyfile_world *w = *state;
    struct keyring next = {0};
    keyfile_make(w);
    w->ring.generation = UINT32_MAX;
    assert_int_equal(keyring_next(&next, &w->env, &w->ring, NULL), ERR_TAMPERED);
    assert_null(next.keys.p);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, keyfile_world_start, keyfile_world_stop)
    const struct CMUnitTest tests[] = {
        T(keyslot_every_slot_opens_after_a_new_data_key),
        T(keyslot_who_was_removed_cannot_open_a_later_data_key),
        T(keyslot_an_old_passphrase_with_an_old_file_opens_no_later_data_key),
        T(keyslot_rekey_takes_only_the_key_that_follows),
        T(keyring_has_no_generation_after_the_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
