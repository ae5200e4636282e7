/* The device secret, and what it alone opens. */
#include "crypto/device.h"

#include "tests/lib/keyfile_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DOOR "spoke/door/1"

static void load(struct keyfile_world *w, struct secret *out)
{
    assert_int_equal(device_load(&w->env, w->device, out, NULL), ERR_OK);
}

static void seal(const struct secret *device, const char *content, struct buf *out)
{
    buf_init(out, 1u << 16);
    assert_int_equal(device_seal(device, DOOR, bytes_of_str(content), out, NULL), ERR_OK);
}

static enum err open_box(const struct secret *device, const char *label, struct bytes box)
{
    struct buf out;
    struct why why = {0};
    buf_init(&out, 1u << 16);
    enum err e = device_open(device, label, box, &out, &why);
    assert_int_equal(e == ERR_OK, why.text[0] == '\0');
    if (e != ERR_OK) assert_int_equal(out.len, 0);
    buf_release(&out);
    return e;
}

static void device_secret_is_made_once_for_its_owner_only(void **state)
{
    struct keyfile_world *w = *state;
    struct secret first = {0}, again = {0}, other = {0};
    struct stat st;
    load(w, &first);
    assert_int_equal(first.n, DEVICE_SECRET_BYTES);
    assert_int_equal(stat(w->device, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_size, 40);
    assert_int_equal(device_make(&w->env, w->device, NULL), ERR_OK);
    load(w, &again);
    assert_memory_equal(first.p, again.p, DEVICE_SECRET_BYTES);
    assert_int_equal(unlink(w->device), 0);
    assert_int_equal(device_make(&w->env, w->device, NULL), ERR_OK);
    load(w, &other);
    assert_memory_not_equal(first.p, other.p, DEVICE_SECRET_BYTES);
    secret_release(&first);
    secret_release(&again);
    secret_release(&other);
}

static void device_secret_that_is_damaged_is_refused_and_never_replaced(void **state)
{
    struct keyfile_world *w = *state;
    uint8_t file[41] = {'S', 'P', 'K', 'V', 1};
    struct secret s = {0};
    assert_int_equal(unlink(w->device), 0);
    assert_int_equal(device_load(&w->env, w->device, &s, NULL), ERR_UNINIT);
    for (size_t n = 0; n <= sizeof file; n++) {
        if (n == 40) continue;
        assert_int_equal(w->env.write_file(w, w->device, bytes_of(file, n), NULL), ERR_OK);
        assert_int_equal(device_load(&w->env, w->device, &s, NULL), ERR_FORMAT);
        assert_int_equal(device_make(&w->env, w->device, NULL), ERR_FORMAT);
    }
    for (size_t i = 0; i < 8; i++) {
        file[i] ^= 1;
        assert_int_equal(w->env.write_file(w, w->device, bytes_of(file, 40), NULL), ERR_OK);
        assert_int_equal(device_load(&w->env, w->device, &s, NULL), ERR_FORMAT);
        file[i] ^= 1;
    }
    assert_null(s.p);
}

static enum err disk_is_full(void *ctx, const char *path, struct bytes content, struct why *why)
{
    (void)ctx, (void)path, (void)content;
    return why_set(why, ERR_FULL, "full");
}

static enum err disk_fails(void *ctx, const char *path, size_t max, struct buf *out, struct why *why)
{
    (void)ctx, (void)path, (void)max, (void)out;
    return why_set(why, ERR_IO, "the disk reports an error");
}

static void device_faults_of_the_disk_are_told_as_they_are(void **state)
{
    struct keyfile_world *w = *state;
    struct secret s = {0};
    struct why why = {0};
    assert_int_equal(unlink(w->device), 0);
    w->env.write_file = disk_is_full;
    assert_int_equal(device_make(&w->env, w->device, &why), ERR_FULL);
    assert_string_equal(why.text, "full");
    w->env.read_file = disk_fails;
    assert_int_equal(device_make(&w->env, w->device, &why), ERR_IO); /* what cannot be read is not written over */
    assert_int_equal(device_load(&w->env, w->device, &s, &why), ERR_IO);
    assert_string_equal(why.text, "the disk reports an error");
}

static void device_box_opens_to_what_was_sealed(void **state)
{
    struct keyfile_world *w = *state;
    static const char *const contents[] = {"", "x", "the keys of a door, and where the hub is"};
    struct secret device = {0};
    load(w, &device);
    for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++) {
        struct buf box, twin, out;
        seal(&device, contents[i], &box);
        seal(&device, contents[i], &twin);
        assert_int_equal(box.len, 48 + strlen(contents[i]));
        assert_memory_equal(box.data, "SPKB\1\0\0\0", 8);
        assert_memory_not_equal(box.data + 8, twin.data + 8, 24); /* a nonce of its own */
        if (strlen(contents[i]) > 4) assert_null(memmem(box.data, box.len, contents[i], 5));
        buf_init(&out, 1u << 16);
        buf_put_str(&out, "before ");
        assert_int_equal(device_open(&device, DOOR, buf_bytes(&box), &out, NULL), ERR_OK);
        assert_int_equal(out.len, 7 + strlen(contents[i]));
        assert_memory_equal(out.data + 7, contents[i], strlen(contents[i]));
        buf_release(&box);
        buf_release(&twin);
        buf_release(&out);
    }
    secret_release(&device);
}

static void device_box_opens_for_no_other_device_and_under_no_other_label(void **state)
{
    struct keyfile_world *w = *state;
    struct secret device = {0}, other = {0};
    struct buf box;
    load(w, &device);
    seal(&device, "the keys of a door", &box);
    assert_int_equal(secret_new(&other, DEVICE_SECRET_BYTES, NULL), ERR_OK);
    memcpy(other.p, device.p, device.n);
    other.p[31] ^= 1;
    assert_int_equal(open_box(&other, DOOR, buf_bytes(&box)), ERR_TAMPERED);
    assert_int_equal(open_box(&device, "spoke/door/2", buf_bytes(&box)), ERR_TAMPERED);
    assert_int_equal(open_box(&device, "spoke/door/", buf_bytes(&box)), ERR_TAMPERED);
    assert_int_equal(open_box(&device, DOOR, buf_bytes(&box)), ERR_OK);
    buf_release(&box);
    secret_release(&device);
    secret_release(&other);
}

static void device_box_refuses_every_flipped_bit_and_every_other_length(void **state)
{
    struct keyfile_world *w = *state;
    struct secret device = {0};
    struct buf box;
    load(w, &device);
    seal(&device, "the keys of a door", &box);
    for (size_t bit = 0; bit < 8 * box.len; bit++) {
        box.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(open_box(&device, DOOR, buf_bytes(&box)), bit < 64 ? ERR_FORMAT : ERR_TAMPERED);
        box.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t n = 0; n < box.len; n++)
        assert_int_equal(open_box(&device, DOOR, bytes_of(box.data, n)), n < 48 ? ERR_FORMAT : ERR_TAMPERED);
    buf_put_u8(&box, 0);
    assert_int_equal(open_box(&device, DOOR, buf_bytes(&box)), ERR_TAMPERED);
    buf_release(&box);
    secret_release(&device);
}

static void device_box_past_the_ceiling_of_its_reader_is_refused(void **state)
{
    struct keyfile_world *w = *state;
    struct secret device = {0};
    struct buf box, small;
    load(w, &device);
    seal(&device, "the keys of a door", &box);
    buf_init(&small, 10);
    assert_int_equal(device_open(&device, DOOR, buf_bytes(&box), &small, NULL), ERR_LIMIT);
    buf_release(&small);
    buf_init(&small, 60);
    assert_int_equal(device_seal(&device, DOOR, bytes_of_str("more than twelve"), &small, NULL), ERR_LIMIT);
    assert_int_equal(small.len, 0);
    buf_release(&small);
    buf_release(&box);
    secret_release(&device);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, keyfile_world_start, keyfile_world_stop)
    const struct CMUnitTest tests[] = {
        T(device_secret_is_made_once_for_its_owner_only),
        T(device_secret_that_is_damaged_is_refused_and_never_replaced),
        T(device_faults_of_the_disk_are_told_as_they_are),
        T(device_box_opens_to_what_was_sealed),
        T(device_box_opens_for_no_other_device_and_under_no_other_label),
        T(device_box_refuses_every_flipped_bit_and_every_other_length),
        T(device_box_past_the_ceiling_of_its_reader_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
