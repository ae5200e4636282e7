/* A key file, a device secret and a box that another program made from crypto/FORMAT.md §4
 * (tests/vectors/keyfile.py). */
#include "crypto/device.h"
#include "tests/lib/keyfile_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* One line of the vector file, "name hex", into out. Returns how many bytes. */
static size_t vector(const char *name, uint8_t *out, size_t max)
{
    char path[4096], line[2 * KEYFILE_BYTES + 100];
    size_t dir = (size_t)(strrchr(__FILE__, '/') - __FILE__), len = strlen(name), n = 0;
    (void)snprintf(path, sizeof path, "%.*s/../vectors/keyfile.txt", (int)dir, __FILE__);
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    while (n == 0 && fgets(line, sizeof line, in) != NULL) {
        if (strncmp(line, name, len) != 0 || line[len] != ' ') continue;
        line[strcspn(line, "\n")] = '\0';
        n = strlen(line + len + 1) / 2;
        assert_true(n > 0 && n <= max);
        assert_true(hex_decode(out, n, line + len + 1, 2 * n));
    }
    (void)fclose(in);
    assert_true(n > 0);
    return n;
}

static void lay(struct keyfile_world *w)
{
    uint8_t file[KEYFILE_BYTES];
    assert_int_equal(vector("key_file", file, sizeof file), KEYFILE_BYTES);
    keyfile_store(w, file, sizeof file);
    size_t n = vector("device_secret", file, sizeof file);
    assert_int_equal(w->env.write_file(w, w->device, bytes_of(file, n), NULL), ERR_OK);
}

static void assert_ring(const struct keyring *r, enum slot_kind kind)
{
    uint8_t want[64];
    assert_int_equal(vector("data_key", want, 32), 32);
    assert_int_equal(vector("vouch_key", want + 32, 32), 32);
    assert_memory_equal(r->keys.p, want, sizeof want);
    assert_int_equal(r->kind, kind);
    assert_int_equal(r->revision, 41);
    assert_int_equal(r->generation, 7);
}

static void keyslot_opens_a_file_that_another_program_made(void **state)
{
    struct keyfile_world *w = *state;
    uint8_t passphrase[64];
    struct keyring r = {0};
    lay(w);
    struct bytes typed = bytes_of(passphrase, vector("passphrase", passphrase, sizeof passphrase));
    assert_int_equal(keyslot_open(&w->env, &w->at, typed, &r, NULL), ERR_OK);
    assert_ring(&r, SLOT_PERSON);
    keyring_release(&r);
}

static void keyslot_opens_it_with_the_code_that_the_other_program_spelled(void **state)
{
    struct keyfile_world *w = *state;
    uint8_t code[64], raw[RECOVERY_BYTES];
    char text[RECOVERY_CODE_CHARS];
    struct keyring r = {0};
    lay(w);
    assert_int_equal(unlink(w->device), 0);
    struct bytes typed = bytes_of(code, vector("code", code, sizeof code));
    assert_int_equal(keyslot_open_code(&w->env, &w->at, typed, &r, NULL), ERR_OK);
    assert_ring(&r, SLOT_RECOVERY);
    keyring_release(&r);
    assert_int_equal(keyslot_code_read(typed, raw, NULL), ERR_OK);
    keyslot_code_text(raw, text);
    assert_int_equal(typed.n, strlen(text));
    assert_memory_equal(text, typed.p, typed.n);
}

static void device_opens_a_box_that_another_program_made(void **state)
{
    struct keyfile_world *w = *state;
    uint8_t box[256];
    struct secret device = {0};
    struct buf out;
    lay(w);
    buf_init(&out, 256);
    size_t n = vector("device_box", box, sizeof box);
    assert_int_equal(device_load(&w->env, w->device, &device, NULL), ERR_OK);
    assert_int_equal(device_open(&device, "spoke/door/1", bytes_of(box, n), &out, NULL), ERR_OK);
    assert_true(bytes_equal(buf_bytes(&out), bytes_of_str("the keys of a door")));
    buf_release(&out);
    secret_release(&device);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, keyfile_world_start, keyfile_world_stop)
    const struct CMUnitTest tests[] = {
        T(keyslot_opens_a_file_that_another_program_made),
        T(keyslot_opens_it_with_the_code_that_the_other_program_spelled),
        T(device_opens_a_box_that_another_program_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
