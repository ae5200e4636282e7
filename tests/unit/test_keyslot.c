/* The key file as it is made and opened, and what becomes of it in a stranger's hands. */
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

static void keyslot_gives_the_same_keys_back(void **state)
{
    struct keyfile_world *w = *state;
    struct keyring opened = {0};
    keyfile_make(w);
    assert_int_equal(w->ring.keys.n, 64);
    assert_int_equal(w->ring.revision, 1);
    assert_int_equal(w->ring.generation, 0);
    assert_int_equal(keyslot_open(&w->env, &w->at, bytes_of_str(ALICE), &opened, NULL), ERR_OK);
    assert_int_equal(opened.keys.n, 64);
    assert_true(secret_equal(w->ring.keys.p, opened.keys.p, 64));
    assert_memory_equal(opened.slot, w->ring.slot, SLOT_ID_BYTES);
    assert_int_equal(opened.kind, SLOT_PERSON);
    assert_int_equal(opened.revision, 1);
    assert_false(sodium_is_zero(opened.keys.p, 32));
    assert_int_equal(keyring_data_key(&opened).n, DATA_KEY_BYTES);
    assert_ptr_equal(keyring_data_key(&opened).p, opened.keys.p);
    keyring_release(&opened);
    keyring_release(&opened);
    keyring_release(NULL);
}

static void keyslot_a_copied_ring_outlives_the_first(void **state)
{
    struct keyfile_world *w = *state;
    struct keyring copy = {0};
    uint8_t id[SLOT_ID_BYTES];
    keyfile_make(w);
    assert_int_equal(keyring_copy(&copy, &w->ring, NULL), ERR_OK);
    assert_ptr_not_equal(copy.keys.p, w->ring.keys.p);
    keyring_release(&w->ring);
    w->ring = copy;
    keyfile_add(w, BOB, id);
    assert_int_equal(keyfile_open(w, BOB), ERR_OK);
}

static void keyslot_wrong_passphrase_is_its_own_error(void **state)
{
    struct keyfile_world *w = *state;
    keyfile_make(w);
    assert_int_equal(keyfile_open(w, "seven small words of minE"), ERR_PASSPHRASE);
    assert_int_equal(keyfile_open(w, "seven small words of mine "), ERR_PASSPHRASE);
    assert_int_equal(keyfile_open(w, ""), ERR_PASSPHRASE);
}

static void keyslot_refuses_a_short_passphrase(void **state)
{
    struct keyfile_world *w = *state;
    const struct keyslot_cost cheap = {.passes = 1, .kib = 8};
    struct why why = {0};
    assert_int_equal(keyslot_create(&w->env, &w->at, bytes_of_str("seven77"), &w->ring, &why), ERR_DENIED);
    assert_true(why.next[0] != 0);
    assert_false(keyfile_there(w->path));
    assert_int_equal(keyslot_create_cost(&w->env, &w->at, bytes_of_str("eight888"), cheap, &w->ring, &why), ERR_OK);
}

static void keyslot_never_replaces_a_file(void **state)
{
    struct keyfile_world *w = *state;
    struct keyring second = {0};
    uint8_t before[KEYFILE_BYTES], after[KEYFILE_BYTES];
    keyfile_make(w);
    keyfile_load(w, before);
    assert_int_equal(keyslot_create(&w->env, &w->at, bytes_of_str(BOB), &second, NULL), ERR_EXISTS);
    assert_null(second.keys.p);
    keyfile_load(w, after);
    assert_memory_equal(before, after, sizeof before);
}

static void keyslot_without_a_file_is_not_initialised(void **state)
{
    struct keyfile_world *w = *state;
    uint32_t generation;
    assert_int_equal(keyfile_open(w, ALICE), ERR_UNINIT);
    assert_int_equal(keyslot_generation(&w->env, &w->at, &generation, NULL), ERR_UNINIT);
    assert_false(keyfile_there(w->tries));
}

static void keyslot_refuses_what_is_no_key_file(void **state)
{
    struct keyfile_world *w = *state;
    static const uint8_t other[KEYFILE_BYTES] = "PK\003\004 somebody's archive", long_file[5000] = "SPKK\002";
    keyfile_store(w, other, sizeof other);
    assert_int_equal(keyfile_open(w, ALICE), ERR_FORMAT);
    keyfile_store(w, other, 0);
    assert_int_equal(keyfile_open(w, ALICE), ERR_FORMAT);
    keyfile_store(w, long_file, 4);
    assert_int_equal(keyfile_open(w, ALICE), ERR_FORMAT);
    keyfile_store(w, long_file, sizeof long_file);
    assert_int_equal(keyfile_open(w, ALICE), ERR_FORMAT);
}

static void keyslot_refuses_other_versions_as_versions(void **state)
{
    struct keyfile_world *w = *state;
    uint8_t file[KEYFILE_BYTES];
    uint32_t generation;
    keyfile_make(w);
    keyfile_load(w, file);
    file[4] = 3;
    keyfile_store_summed(w, file);
    assert_int_equal(keyfile_open(w, ALICE), ERR_VERSION);
    assert_int_equal(keyslot_generation(&w->env, &w->at, &generation, NULL), ERR_VERSION);
    keyfile_store(w, file, 100); /* a later one may have another length */
    assert_int_equal(keyfile_open(w, ALICE), ERR_VERSION);
    file[4] = 1;
    keyfile_store_summed(w, file);
    assert_int_equal(keyfile_open(w, ALICE), ERR_VERSION);
}

static void keyslot_notices_a_file_cut_short_or_grown(void **state)
{
    struct keyfile_world *w = *state;
    uint8_t file[KEYFILE_BYTES + 1] = {0};
    keyfile_make(w);
    keyfile_load(w, file);
    keyfile_store(w, file, KEYFILE_BYTES - 1);
    assert_int_equal(keyfile_open(w, ALICE), ERR_TAMPERED);
    keyfile_store(w, file, KEYFILE_BYTES + 1);
    assert_int_equal(keyfile_open(w, ALICE), ERR_TAMPERED);
}

/* ---- a file with all that one may have ---- */

/* Alice, Bob and a recovery slot, of the second data key. */
static void make_all(struct keyfile_world *w, uint8_t file[KEYFILE_BYTES], char code[RECOVERY_CODE_CHARS])
{
    uint8_t bob[SLOT_ID_BYTES];
    keyfile_make(w);
    keyfile_add(w, BOB, bob);
    assert_int_equal(keyslot_recovery(&w->env, &w->at, &w->ring, code, NULL), ERR_OK);
    keyfile_rekey(w);
    keyfile_load(w, file);
}

/* Whoever flips a byte without knowing the format: told apart from a wrong passphrase, whatever the byte. */
static void keyslot_notices_every_flipped_byte(void **state)
{
    struct keyfile_world *w = *state;
    uint8_t file[KEYFILE_BYTES];
    char code[RECOVERY_CODE_CHARS];
    make_all(w, file, code);
    for (size_t i = 0; i < KEYFILE_BYTES; i++) {
        file[i] ^= (uint8_t)(1u << i % 8);
        keyfile_store(w, file, KEYFILE_BYTES);
        assert_int_equal(keyfile_open(w, ALICE), i < 4 ? ERR_FORMAT : i == 4 ? ERR_VERSION : ERR_TAMPERED);
        file[i] ^= (uint8_t)(1u << i % 8);
    }
    keyfile_store(w, file, KEYFILE_BYTES);
    assert_int_equal(keyfile_open(w, ALICE), ERR_OK);
    assert_false(keyfile_there(w->tries)); /* damage is nobody's wrong try */
}

/* Whoever knows the format makes the checksum right again. No byte may be changed and any of the slots still open: one
 * that the change reaches refuses its own words, all others see that the MAC is not good. */
static void keyslot_binds_every_byte_against_somebody_who_knows_the_format(void **state)
{
    struct keyfile_world *w = *state;
    uint8_t file[KEYFILE_BYTES];
    char code[RECOVERY_CODE_CHARS];
    make_all(w, file, code);
    for (size_t i = 5; i < KEYFILE_SUM_AT; i++) {
        size_t in_slot = (i - KEYFILE_SLOTS_AT) % KEYFILE_SLOT_BYTES;
        if (i >= KEYFILE_SLOTS_AT && i < KEYFILE_SLOTS_AT + 2 * KEYFILE_SLOT_BYTES && in_slot >= 4 && in_slot < 12)
            continue; /* dearer: keyslot_refuses_a_cost_past_its_ceiling */
        file[i] ^= 16;
        keyfile_store_summed(w, file);
        enum err alice = keyfile_open(w, ALICE), bob = keyfile_open(w, BOB), paper = keyfile_open_code(w, code);
        assert_true(alice == ERR_TAMPERED || alice == ERR_PASSPHRASE);
        assert_true(bob == ERR_TAMPERED || bob == ERR_PASSPHRASE);
        assert_true(paper == ERR_TAMPERED || paper == ERR_PASSPHRASE);
        assert_true(alice == ERR_TAMPERED || bob == ERR_TAMPERED || i < KEYFILE_AAD_BYTES);
        (void)unlink(w->tries);
        file[i] ^= 16;
    }
    keyfile_store_summed(w, file);
    assert_int_equal(keyfile_open(w, ALICE), ERR_OK);
    assert_int_equal(keyfile_open(w, BOB), ERR_OK);
    assert_int_equal(keyfile_open_code(w, code), ERR_OK);
}

static void keyslot_refuses_a_cost_past_its_ceiling(void **state)
{
    struct keyfile_world *w = *state;
    uint8_t file[KEYFILE_BYTES];
    keyfile_make(w);
    keyfile_load(w, file);
    for (size_t i = 4; i < 12; i++) {
        uint8_t *at = file + KEYFILE_SLOTS_AT + i, was = *at;
        *at = 0xff;
        keyfile_store_summed(w, file);
        /* 65,288 and 255 KiB are costs that we would try, and whose key then does not open the slot. */
        assert_int_equal(keyfile_open(w, ALICE), i >= 10 ? ERR_PASSPHRASE : ERR_TAMPERED);
        *at = was;
    }
    keyslot_put32(file + KEYFILE_SLOTS_AT + SLOT_PASSES_AT, 0); /* none at all */
    keyfile_store_summed(w, file);
    assert_int_equal(keyfile_open(w, ALICE), ERR_TAMPERED);
    keyslot_put32(file + KEYFILE_SLOTS_AT + SLOT_PASSES_AT, 1);
    keyslot_put32(file + KEYFILE_SLOTS_AT + SLOT_KIB_AT, 7);
    keyfile_store_summed(w, file);
    assert_int_equal(keyfile_open(w, ALICE), ERR_TAMPERED);
}

/* A slot made cheap to guess would be no use to who made it: its owner's key is then another. */
static void keyslot_refuses_a_cost_that_was_lowered(void **state)
{
    struct keyfile_world *w = *state;
    uint8_t file[KEYFILE_BYTES];
    keyfile_make(w);
    uint8_t id[SLOT_ID_BYTES] = {0};
    const struct keyslot_words dearer = {.secret = bytes_of_str(BOB), .cost = {.passes = 3, .kib = 64}};
    assert_int_equal(keyslot_put_cost(&w->env, &w->at, &w->ring, &dearer, id, NULL), ERR_OK);
    keyfile_load(w, file);
    assert_int_equal(keyslot_get32(keyslot_at(file, 1) + SLOT_PASSES_AT), 3);
    keyslot_put32(keyslot_at(file, 1) + SLOT_PASSES_AT, 1);
    keyslot_put32(keyslot_at(file, 1) + SLOT_KIB_AT, 8);
    keyfile_store_summed(w, file);
    assert_int_equal(keyfile_open(w, BOB), ERR_PASSPHRASE);
    assert_int_equal(keyfile_open(w, ALICE), ERR_TAMPERED);
}

/* Sealing needs only the public key in the file. A MAC under the data key alone would accept this. */
static void keyslot_refuses_a_data_key_sealed_by_a_stranger(void **state)
{
    struct keyfile_world *w = *state;
    uint8_t file[KEYFILE_BYTES];
    struct keyring strange = {0};
    keyfile_make(w);
    keyfile_load(w, file);
    assert_int_equal(secret_new(&strange.keys, 64, NULL), ERR_OK); /* the stranger does not have the vouch key */
    assert_int_equal(keyslot_slot_seal(keyslot_at(file, 0), &strange, NULL), ERR_OK);
    keyslot_mac(file + KEYFILE_MAC_AT, &strange, bytes_of(file, KEYFILE_MAC_AT));
    keyfile_store_summed(w, file);
    assert_int_equal(keyfile_open(w, ALICE), ERR_TAMPERED);
    memcpy(strange.keys.p + 32, w->ring.keys.p + 32, 32); /* so it was this that kept him out */
    keyslot_mac(file + KEYFILE_MAC_AT, &strange, bytes_of(file, KEYFILE_MAC_AT));
    keyfile_store_summed(w, file);
    assert_int_equal(keyfile_open(w, ALICE), ERR_OK);
    keyring_release(&strange);
}

static void keyslot_refuses_slots_that_were_moved_swapped_or_copied(void **state)
{
    struct keyfile_world *w = *state;
    uint8_t file[KEYFILE_BYTES], was[KEYFILE_BYTES], bob[SLOT_ID_BYTES];
    keyfile_make(w);
    keyfile_add(w, BOB, bob);
    keyfile_load(w, was);
    memcpy(file, was, sizeof was); /* swapped */
    memcpy(keyslot_at(file, 0), keyslot_at(was, 1), KEYFILE_SLOT_BYTES);
    memcpy(keyslot_at(file, 1), keyslot_at(was, 0), KEYFILE_SLOT_BYTES);
    keyfile_store_summed(w, file);
    assert_int_equal(keyfile_open(w, ALICE), ERR_PASSPHRASE);
    assert_int_equal(keyfile_open(w, BOB), ERR_PASSPHRASE);
    memcpy(file, was, sizeof was); /* moved */
    memcpy(keyslot_at(file, 2), keyslot_at(was, 0), KEYFILE_SLOT_BYTES);
    memset(keyslot_at(file, 0), 0, KEYFILE_SLOT_BYTES);
    keyfile_store_summed(w, file);
    assert_int_equal(keyfile_open(w, ALICE), ERR_PASSPHRASE);
    assert_int_equal(keyfile_open(w, BOB), ERR_TAMPERED);
    memcpy(file, was, sizeof was); /* copied */
    memcpy(keyslot_at(file, 2), keyslot_at(was, 0), KEYFILE_SLOT_BYTES);
    keyfile_store_summed(w, file);
    assert_int_equal(keyfile_open(w, ALICE), ERR_TAMPERED);
}

static void keyslot_refuses_a_slot_that_was_removed_or_added_by_a_stranger(void **state)
{
    struct keyfile_world *w = *state;
    uint8_t file[KEYFILE_BYTES], was[KEYFILE_BYTES], bob[SLOT_ID_BYTES];
    const struct secret none = {0};
    struct keyring strange = {0};
    const struct keyslot_words his = {
        .secret = bytes_of_str(CAROL), .kind = SLOT_PERSON, .cost = {1, 8}, .device = &none};
    keyfile_make(w);
    keyfile_add(w, BOB, bob);
    keyfile_load(w, was);
    memcpy(file, was, sizeof was);
    memset(keyslot_at(file, 1), 0, KEYFILE_SLOT_BYTES);
    keyfile_store_summed(w, file);
    assert_int_equal(keyfile_open(w, ALICE), ERR_TAMPERED);
    assert_int_equal(keyfile_open(w, BOB), ERR_PASSPHRASE);
    memcpy(file, was, sizeof was);
    assert_int_equal(secret_new(&strange.keys, 64, NULL), ERR_OK);
    assert_int_equal(keyslot_slot_fill(&w->env, file, 2, &his, &strange, NULL), ERR_OK);
    keyfile_store_summed(w, file);
    assert_int_equal(keyfile_open(w, CAROL), ERR_TAMPERED);
    assert_int_equal(keyfile_open(w, ALICE), ERR_TAMPERED);
    keyring_release(&strange);
}

static void keyslot_refuses_a_slot_of_another_file(void **state)
{
    struct keyfile_world *w = *state;
    uint8_t first[KEYFILE_BYTES], second[KEYFILE_BYTES];
    keyfile_make(w);
    keyfile_load(w, first);
    keyfile_make(w);
    keyfile_load(w, second);
    memcpy(keyslot_at(second, 0), keyslot_at(first, 0), KEYFILE_SLOT_BYTES);
    keyfile_store_summed(w, second);
    assert_int_equal(keyfile_open(w, ALICE), ERR_PASSPHRASE);
    memcpy(second + KEYFILE_ID_AT, first + KEYFILE_ID_AT, 16); /* and its id: the data key is another */
    keyfile_store_summed(w, second);
    assert_int_equal(keyfile_open(w, ALICE), ERR_TAMPERED);
}

static void keyslot_passes_over_kinds_of_slots_that_it_does_not_know(void **state)
{
    struct keyfile_world *w = *state;
    uint8_t file[KEYFILE_BYTES];
    keyfile_make(w);
    keyfile_load(w, file);
    memcpy(keyslot_at(file, 3), keyslot_at(file, 0), KEYFILE_SLOT_BYTES);
    keyslot_at(file, 3)[SLOT_KIND_AT] = 9;
    keyslot_at(file, 3)[SLOT_KDF_AT] = 77;
    keyslot_mac(file + KEYFILE_MAC_AT, &w->ring, bytes_of(file, KEYFILE_MAC_AT));
    keyfile_store_summed(w, file);
    assert_int_equal(keyfile_open(w, ALICE), ERR_OK);
    keyfile_rekey(w); /* and seals to them: what opens them is nobody's business */
    keyfile_load(w, file);
    assert_int_equal(keyslot_at(file, 3)[SLOT_KIND_AT], 9);
    assert_memory_not_equal(keyslot_at(file, 3) + SLOT_SEALED_AT, keyslot_at(file, 0) + SLOT_SEALED_AT, 80);
    assert_int_equal(keyfile_open(w, ALICE), ERR_OK);
}

/* ---- the device secret ---- */

static void keyslot_without_the_device_secret_no_passphrase_opens(void **state)
{
    struct keyfile_world *w = *state;
    char code[RECOVERY_CODE_CHARS], kept[128];
    keyfile_make(w);
    assert_int_equal(keyslot_recovery(&w->env, &w->at, &w->ring, code, NULL), ERR_OK);
    (void)snprintf(kept, sizeof kept, "%s.kept", w->device);
    assert_int_equal(rename(w->device, kept), 0);
    assert_int_equal(keyfile_open(w, ALICE), ERR_TAMPERED);
    assert_int_equal(keyfile_open_code(w, code), ERR_OK);
    assert_int_equal(w->env.write_file(w, w->device, bytes_of_str("rubbish"), NULL), ERR_OK);
    assert_int_equal(keyfile_open(w, ALICE), ERR_TAMPERED);
    assert_int_equal(unlink(w->device), 0);
    assert_int_equal(device_make(&w->env, w->device, NULL), ERR_OK); /* another one */
    assert_int_equal(keyfile_open(w, ALICE), ERR_TAMPERED);
    assert_int_equal(keyfile_open_code(w, code), ERR_OK);
    w->at.device = NULL;
    assert_int_equal(keyfile_open(w, ALICE), ERR_TAMPERED);
    assert_false(keyfile_there(w->tries)); /* nobody's passphrase was looked at */
    w->at.device = w->device;
    assert_int_equal(rename(kept, w->device), 0);
    assert_int_equal(keyfile_open(w, ALICE), ERR_OK);
}

/* Somebody who claims in the file that no device secret is mixed in gets a key that opens nothing. */
static void keyslot_mixes_the_device_secret_into_the_key_itself(void **state)
{
    struct keyfile_world *w = *state;
    uint8_t file[KEYFILE_BYTES];
    keyfile_make(w);
    keyfile_load(w, file);
    assert_int_equal(keyslot_at(file, 0)[SLOT_FLAGS_AT], 1);
    keyslot_at(file, 0)[SLOT_FLAGS_AT] = 0;
    memset(keyslot_at(file, 0) + SLOT_CHECK_AT, 0, SLOT_CHECK_BYTES);
    keyfile_store_summed(w, file);
    assert_int_equal(keyfile_open(w, ALICE), ERR_PASSPHRASE);
}

static void keyslot_makes_nothing_without_the_device_secret_that_is_named(void **state)
{
    struct keyfile_world *w = *state;
    assert_int_equal(unlink(w->device), 0);
    assert_int_equal(keyslot_create(&w->env, &w->at, bytes_of_str(ALICE), &w->ring, NULL), ERR_UNINIT);
    assert_false(keyfile_there(w->path));
}

static void keyslot_works_without_any_device_secret(void **state)
{
    struct keyfile_world *w = *state;
    uint8_t file[KEYFILE_BYTES];
    w->at.device = NULL;
    keyfile_make(w);
    assert_int_equal(keyfile_open(w, ALICE), ERR_OK);
    keyfile_load(w, file);
    assert_int_equal(keyslot_at(file, 0)[SLOT_FLAGS_AT], 0);
    w->at.device = w->device; /* one that is there does not hurt */
    assert_int_equal(keyfile_open(w, ALICE), ERR_OK);
}

/* ---- what it shows ---- */

static void keyslot_file_shows_neither_key_nor_passphrase_nor_code(void **state)
{
    struct keyfile_world *w = *state;
    uint8_t file[KEYFILE_BYTES], raw[RECOVERY_BYTES];
    char code[RECOVERY_CODE_CHARS];
    struct secret device = {0};
    make_all(w, file, code);
    assert_int_equal(keyslot_code_read(bytes_of_str(code), raw, NULL), ERR_OK);
    assert_int_equal(device_load(&w->env, w->device, &device, NULL), ERR_OK);
    assert_null(memmem(file, sizeof file, w->ring.keys.p, 8));
    assert_null(memmem(file, sizeof file, w->ring.keys.p + 32, 8));
    assert_null(memmem(file, sizeof file, device.p, 8));
    assert_null(memmem(file, sizeof file, raw, 6));
    assert_null(memmem(file, sizeof file, code, 4));
    assert_null(memmem(file, sizeof file, "seven", 5));
    assert_null(memmem(file, sizeof file, "another", 7));
    secret_release(&device);
}

static enum err disk_is_full(void *ctx, const char *path, struct bytes content, struct why *why)
{
    (void)ctx, (void)path, (void)content;
    return why_set(why, ERR_FULL, "full");
}

static void keyslot_create_on_a_full_disk_hands_out_no_key(void **state)
{
    struct keyfile_world *w = *state;
    w->env.write_file = disk_is_full;
    assert_int_equal(
        keyslot_create_cost(&w->env, &w->at, bytes_of_str(ALICE), (struct keyslot_cost){1, 8}, &w->ring, NULL),
        ERR_FULL);
    assert_null(w->ring.keys.p);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, keyfile_world_start, keyfile_world_stop)
    const struct CMUnitTest tests[] = {
        T(keyslot_gives_the_same_keys_back),
        T(keyslot_a_copied_ring_outlives_the_first),
        T(keyslot_wrong_passphrase_is_its_own_error),
        T(keyslot_refuses_a_short_passphrase),
        T(keyslot_never_replaces_a_file),
        T(keyslot_without_a_file_is_not_initialised),
        T(keyslot_refuses_what_is_no_key_file),
        T(keyslot_refuses_other_versions_as_versions),
        T(keyslot_notices_a_file_cut_short_or_grown),
        T(keyslot_notices_every_flipped_byte),
        T(keyslot_binds_every_byte_against_somebody_who_knows_the_format),
        T(keyslot_refuses_a_cost_past_its_ceiling),
        T(keyslot_refuses_a_cost_that_was_lowered),
        T(keyslot_refuses_a_data_key_sealed_by_a_stranger),
        T(keyslot_refuses_slots_that_were_moved_swapped_or_copied),
        T(keyslot_refuses_a_slot_that_was_removed_or_added_by_a_stranger),
        T(keyslot_refuses_a_slot_of_another_file),
        T(keyslot_passes_over_kinds_of_slots_that_it_does_not_know),
        T(keyslot_without_the_device_secret_no_passphrase_opens),
        T(keyslot_mixes_the_device_secret_into_the_key_itself),
        T(keyslot_makes_nothing_without_the_device_secret_that_is_named),
        T(keyslot_works_without_any_device_secret),
        T(keyslot_file_shows_neither_key_nor_passphrase_nor_code),
        T(keyslot_create_on_a_full_disk_hands_out_no_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
