#include "crypto/keyslot_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct keyslot_cost cheap = {.passes = 1, .kib = 8};

struct fixture {
    char dir[64];
    char path[96];
};

static struct bytes good(void)
{
    return bytes_of_str("seven small words of mine");
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (!f || secret_start(NULL) != ERR_OK)
        return -1;
    (void)snprintf(f->dir, sizeof f->dir, "/tmp/spoke-keyslot-XXXXXX");
    if (!mkdtemp(f->dir))
        return -1;
    (void)snprintf(f->path, sizeof f->path, "%s/replica.key", f->dir);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    (void)unlink(f->path);
    int rc = rmdir(f->dir);
    free(f);
    return rc;
}

static void make(struct fixture *f, struct secret *key)
{
    struct why why = {0};
    assert_int_equal(keyslot_create_cost(env_posix(), f->path, good(), cheap, key, &why), ERR_OK);
}

static enum err open_with(struct fixture *f, struct bytes passphrase)
{
    struct secret key = {0};
    struct why why = {0};
    enum err e = keyslot_open(env_posix(), f->path, passphrase, &key, &why);
    assert_int_equal(e == ERR_OK, key.p != NULL); /* outputs change only on success */
    assert_int_equal(e == ERR_OK, why.text[0] == 0);
    secret_release(&key);
    return e;
}

static void load(struct fixture *f, uint8_t file[KEYFILE_BYTES])
{
    struct buf b;
    buf_init(&b, 1 << 16);
    assert_int_equal(env_posix()->read_file(NULL, f->path, 1 << 16, &b, NULL), ERR_OK);
    assert_int_equal(b.len, KEYFILE_BYTES);
    memcpy(file, b.data, KEYFILE_BYTES);
    buf_release(&b);
}

static void store(struct fixture *f, const uint8_t *file, size_t n)
{
    assert_int_equal(env_posix()->write_file(NULL, f->path, bytes_of(file, n), NULL), ERR_OK);
}

/* As somebody who knows the format, but no secret: the checksum is made right again. */
static void store_with_checksum(struct fixture *f, uint8_t file[KEYFILE_BYTES])
{
    keyslot_checksum(file + KEYFILE_SUM_AT, bytes_of(file, KEYFILE_SUM_AT));
    store(f, file, KEYFILE_BYTES);
}

static void keyslot_gives_the_same_data_key_back(void **state)
{
    struct fixture *f = *state;
    struct secret made = {0}, opened = {0};
    make(f, &made);
    assert_int_equal(made.n, DATA_KEY_BYTES);
    assert_int_equal(keyslot_open(env_posix(), f->path, good(), &opened, NULL), ERR_OK);
    assert_int_equal(opened.n, DATA_KEY_BYTES);
    assert_true(secret_equal(made.p, opened.p, DATA_KEY_BYTES));
    assert_false(sodium_is_zero(made.p, made.n));
    secret_release(&made);
    secret_release(&opened);
}

static void keyslot_real_cost_is_64_mib_and_three_passes(void **state)
{
    struct fixture *f = *state;
    struct secret key = {0};
    uint8_t file[KEYFILE_BYTES];
    static const uint8_t passes[4] = {0, 0, 0, 3}, kib[4] = {0, 1, 0, 0};
    assert_int_equal(keyslot_create(env_posix(), f->path, good(), &key, NULL), ERR_OK);
    secret_release(&key);
    load(f, file);
    assert_memory_equal(file + KEYFILE_SLOTS_AT + 4, passes, 4);
    assert_memory_equal(file + KEYFILE_SLOTS_AT + 8, kib, 4);
    assert_int_equal(open_with(f, good()), ERR_OK);
}

static void keyslot_wrong_passphrase_is_its_own_error(void **state)
{
    struct fixture *f = *state;
    struct secret key = {0};
    make(f, &key);
    secret_release(&key);
    assert_int_equal(open_with(f, bytes_of_str("seven small words of minE")), ERR_PASSPHRASE);
    assert_int_equal(open_with(f, bytes_of_str("seven small words of mine ")), ERR_PASSPHRASE);
    assert_int_equal(open_with(f, bytes_of_str("")), ERR_PASSPHRASE);
}

static void keyslot_refuses_a_short_passphrase(void **state)
{
    struct fixture *f = *state;
    struct secret key = {0};
    struct why why = {0};
    assert_int_equal(keyslot_create(env_posix(), f->path, bytes_of_str("seven77"), &key, &why), ERR_DENIED);
    assert_true(why.next[0] != 0);
    assert_int_not_equal(access(f->path, F_OK), 0);
    assert_int_equal(keyslot_create_cost(env_posix(), f->path, bytes_of_str("eight888"), cheap, &key, &why), ERR_OK);
    secret_release(&key);
}

static void keyslot_never_replaces_a_file(void **state)
{
    struct fixture *f = *state;
    struct secret key = {0}, second = {0};
    uint8_t before[KEYFILE_BYTES], after[KEYFILE_BYTES];
    make(f, &key);
    secret_release(&key);
    load(f, before);
    assert_int_equal(keyslot_create_cost(env_posix(), f->path, good(), cheap, &second, NULL), ERR_EXISTS);
    assert_null(second.p);
    load(f, after);
    assert_memory_equal(before, after, sizeof before);
}

static void keyslot_without_a_file_is_not_initialised(void **state)
{
    assert_int_equal(open_with(*state, good()), ERR_UNINIT);
}

static void keyslot_refuses_what_is_no_key_file(void **state)
{
    struct fixture *f = *state;
    static const uint8_t other[KEYFILE_BYTES] = "PK\003\004 somebody's archive", long_file[5000] = "SPKK";
    store(f, other, sizeof other);
    assert_int_equal(open_with(f, good()), ERR_FORMAT);
    store(f, other, 0);
    assert_int_equal(open_with(f, good()), ERR_FORMAT);
    store(f, other, 3);
    assert_int_equal(open_with(f, good()), ERR_FORMAT);
    store(f, long_file, sizeof long_file);
    assert_int_equal(open_with(f, good()), ERR_FORMAT);
}

static void keyslot_refuses_a_later_version(void **state)
{
    struct fixture *f = *state;
    struct secret key = {0};
    uint8_t file[KEYFILE_BYTES];
    make(f, &key);
    secret_release(&key);
    load(f, file);
    file[4] = 2;
    store_with_checksum(f, file);
    assert_int_equal(open_with(f, good()), ERR_VERSION);
}

static void keyslot_notices_a_file_cut_short(void **state)
{
    struct fixture *f = *state;
    struct secret key = {0};
    uint8_t file[KEYFILE_BYTES];
    make(f, &key);
    secret_release(&key);
    load(f, file);
    store(f, file, KEYFILE_BYTES - 1);
    assert_int_equal(open_with(f, good()), ERR_TAMPERED);
}

/* Whoever flips a byte without knowing the format: told apart from a wrong passphrase, whatever the byte. */
static void keyslot_notices_every_flipped_byte(void **state)
{
    struct fixture *f = *state;
    struct secret key = {0};
    uint8_t file[KEYFILE_BYTES];
    make(f, &key);
    secret_release(&key);
    load(f, file);
    for (size_t i = 5; i < KEYFILE_BYTES; i += i < KEYFILE_SLOTS_AT + KEYFILE_SLOT_BYTES ? 7 : 61) {
        file[i] ^= 1;
        store(f, file, KEYFILE_BYTES);
        assert_int_equal(open_with(f, good()), ERR_TAMPERED);
        file[i] ^= 1;
    }
    store(f, file, KEYFILE_BYTES);
    assert_int_equal(open_with(f, good()), ERR_OK);
}

/* Whoever knows the format makes the checksum right again; what the passphrase or the MAC protect stays protected. */
static void keyslot_binds_every_byte_against_somebody_who_knows_the_format(void **state)
{
    struct fixture *f = *state;
    struct secret key = {0};
    uint8_t file[KEYFILE_BYTES];
    make(f, &key);
    secret_release(&key);
    load(f, file);
    for (size_t i = 5; i < KEYFILE_SUM_AT; i++) {
        if (i >= KEYFILE_SLOTS_AT + 5 && i < KEYFILE_SLOTS_AT + 12 && i != KEYFILE_SLOTS_AT + 11)
            continue; /* larger costs: keyslot_refuses_a_cost_past_its_ceiling */
        if (i > KEYFILE_SLOTS_AT + KEYFILE_SLOT_BYTES && i % 31 != 0)
            continue;
        file[i] ^= 16;
        store_with_checksum(f, file);
        enum err e = open_with(f, good());
        assert_true(e == ERR_TAMPERED || e == ERR_PASSPHRASE);
        file[i] ^= 16;
    }
}

static void keyslot_refuses_a_cost_past_its_ceiling(void **state)
{
    struct fixture *f = *state;
    struct secret key = {0};
    uint8_t file[KEYFILE_BYTES];
    make(f, &key);
    secret_release(&key);
    load(f, file);
    for (size_t i = 4; i < 12; i++) {
        uint8_t *at = file + KEYFILE_SLOTS_AT + i, was = *at;
        *at = 0xff;
        store_with_checksum(f, file);
        /* 65,288 and 255 KiB are costs that we would try, and whose key then does not open the slot. */
        assert_int_equal(open_with(f, good()), i >= 10 ? ERR_PASSPHRASE : ERR_TAMPERED);
        *at = was;
    }
    memset(file + KEYFILE_SLOTS_AT + 4, 0, 8);
    store_with_checksum(f, file);
    assert_int_equal(open_with(f, good()), ERR_TAMPERED);
}

/* Sealing needs only the public key in the file. A MAC under the data key alone would accept this. */
static void keyslot_refuses_a_data_key_sealed_by_a_stranger(void **state)
{
    struct fixture *f = *state;
    struct secret key = {0}, chosen = {0}, unknown = {0};
    uint8_t file[KEYFILE_BYTES];
    make(f, &key);
    secret_release(&key);
    load(f, file);
    assert_int_equal(secret_new(&chosen, DATA_KEY_BYTES, NULL), ERR_OK);
    assert_int_equal(secret_new(&unknown, 32, NULL), ERR_OK); /* the stranger does not have box_sk */
    assert_int_equal(crypto_box_seal(file + 56, chosen.p, chosen.n, file + 24), 0);
    keyslot_mac(file + KEYFILE_MAC_AT, &chosen, &unknown, bytes_of(file, KEYFILE_MAC_AT));
    store_with_checksum(f, file);
    assert_int_equal(open_with(f, good()), ERR_TAMPERED);
    secret_release(&chosen);
    secret_release(&unknown);
}

static void keyslot_refuses_a_slot_moved_or_taken_from_another_file(void **state)
{
    struct fixture *f = *state;
    struct secret key = {0};
    uint8_t first[KEYFILE_BYTES], second[KEYFILE_BYTES];
    uint8_t *slot = second + KEYFILE_SLOTS_AT;
    make(f, &key);
    secret_release(&key);
    load(f, first);
    assert_int_equal(unlink(f->path), 0);
    make(f, &key);
    secret_release(&key);
    load(f, second);
    memcpy(slot + KEYFILE_SLOT_BYTES, slot, KEYFILE_SLOT_BYTES);
    memset(slot, 0, KEYFILE_SLOT_BYTES);
    store_with_checksum(f, second);
    assert_int_equal(open_with(f, good()), ERR_PASSPHRASE);
    memcpy(slot, first + KEYFILE_SLOTS_AT, KEYFILE_SLOT_BYTES);
    store_with_checksum(f, second);
    assert_int_equal(open_with(f, good()), ERR_PASSPHRASE);
}

static void keyslot_file_shows_neither_key_nor_passphrase(void **state)
{
    struct fixture *f = *state;
    struct secret key = {0};
    uint8_t file[KEYFILE_BYTES];
    make(f, &key);
    load(f, file);
    assert_null(memmem(file, sizeof file, key.p, 8));
    assert_null(memmem(file, sizeof file, "seven", 5));
    secret_release(&key);
}

static enum err disk_is_full(void *ctx, const char *path, struct bytes content, struct why *why)
{
    (void)ctx;
    (void)path;
    (void)content;
    return why_set(why, ERR_FULL, "full");
}

static void keyslot_create_on_a_full_disk_hands_out_no_key(void **state)
{
    struct fixture *f = *state;
    struct env env = *env_posix();
    struct secret key = {0};
    env.write_file = disk_is_full;
    assert_int_equal(keyslot_create_cost(&env, f->path, good(), cheap, &key, NULL), ERR_FULL);
    assert_null(key.p);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(keyslot_gives_the_same_data_key_back),
        T(keyslot_real_cost_is_64_mib_and_three_passes),
        T(keyslot_wrong_passphrase_is_its_own_error),
        T(keyslot_refuses_a_short_passphrase),
        T(keyslot_never_replaces_a_file),
        T(keyslot_without_a_file_is_not_initialised),
        T(keyslot_refuses_what_is_no_key_file),
        T(keyslot_refuses_a_later_version),
        T(keyslot_notices_a_file_cut_short),
        T(keyslot_notices_every_flipped_byte),
        T(keyslot_binds_every_byte_against_somebody_who_knows_the_format),
        T(keyslot_refuses_a_cost_past_its_ceiling),
        T(keyslot_refuses_a_data_key_sealed_by_a_stranger),
        T(keyslot_refuses_a_slot_moved_or_taken_from_another_file),
        T(keyslot_file_shows_neither_key_nor_passphrase),
        T(keyslot_create_on_a_full_disk_hands_out_no_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
