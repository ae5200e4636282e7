#include "crypto/page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
    struct secret data_key; /* 0, 1, 2 … 31, as in tests/vectors/page.txt */
    struct page_keys *keys;
    uint8_t plain[PAGE_BYTES];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (!f || secret_start(NULL) != ERR_OK || secret_new(&f->data_key, 32, NULL) != ERR_OK)
        return -1;
    for (size_t i = 0; i < 32; i++)
        f->data_key.p[i] = (uint8_t)i;
    for (size_t i = 0; i < PAGE_CONTENT; i++)
        f->plain[i] = (uint8_t)(7 * i + 3);
    *state = f;
    return page_keys_new(&f->keys, &f->data_key, NULL) == ERR_OK ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    page_keys_free(f->keys);
    secret_release(&f->data_key);
    free(f);
    return 0;
}

/* One line of the vector file, "name hex", into out. */
static void vector(const char *name, uint8_t *out, size_t n)
{
    char path[4096], line[2 * PAGE_BYTES + 100];
    size_t dir = (size_t)(strrchr(__FILE__, '/') - __FILE__), len = strlen(name);
    (void)snprintf(path, sizeof path, "%.*s/../vectors/page.txt", (int)dir, __FILE__);
    FILE *in = fopen(path, "r");
    bool found = false;
    assert_non_null(in);
    while (!found && fgets(line, sizeof line, in)) {
        if (strncmp(line, name, len) != 0 || line[len] != ' ')
            continue;
        line[strcspn(line, "\n")] = 0;
        found = hex_decode(out, n, line + len + 1, strlen(line + len + 1));
    }
    (void)fclose(in);
    assert_true(found);
}

static struct page_frame a_frame(void)
{
    struct page_frame f = {.offset = 4152, .pgno = 5, .commit = 9};
    memcpy(f.salt, "saltsalt", sizeof f.salt);
    return f;
}

static void page_known_answers_open(void **state)
{
    struct fixture *f = *state;
    uint8_t sealed[PAGE_BYTES], out[PAGE_BYTES], prefix[PAGE_PREFIX], want[PAGE_PREFIX];
    struct page_frame frame = a_frame();
    vector("prefix", want, sizeof want);
    page_prefix(f->keys, prefix);
    assert_memory_equal(prefix, want, sizeof want);

    vector("db_page_2", sealed, sizeof sealed);
    assert_true(page_open_db(f->keys, 2, sealed, out));
    assert_memory_equal(out, f->plain, PAGE_BYTES);

    vector("wal_frame", sealed, sizeof sealed);
    assert_true(page_open_wal(f->keys, &frame, sealed, out));
    assert_memory_equal(out, f->plain, PAGE_BYTES);

    memcpy(f->plain, "SQLite format 3", 16);
    vector("db_page_1", sealed, sizeof sealed);
    assert_true(page_open_db(f->keys, 1, sealed, out));
    assert_memory_equal(out, f->plain, PAGE_BYTES);
}

static void page_known_answer_of_the_log_is_sealed_to_the_same_bytes(void **state)
{
    struct fixture *f = *state;
    uint8_t want[PAGE_BYTES], sealed[PAGE_BYTES], nonce[24], masked[8];
    struct page_frame frame = a_frame();
    for (size_t i = 0; i < sizeof nonce; i++)
        nonce[i] = (uint8_t)(100 + i);
    vector("wal_frame", want, sizeof want);
    page_seal_wal(f->keys, &frame, nonce, f->plain, sealed);
    assert_memory_equal(sealed, want, PAGE_BYTES);

    static const uint8_t head[16] = {0, 0, 0, 5, 0, 0, 0, 9, 's', 'a', 'l', 't', 's', 'a', 'l', 't'};
    uint8_t words[8] = {'c', 'h', 'e', 'c', 'k', 's', 'u', 'm'};
    vector("masked", masked, sizeof masked);
    page_mask_checksum(f->keys, 4152, head, words, false);
    assert_memory_equal(words, masked, sizeof words);
}

static void page_seals_and_opens_what_it_got(void **state)
{
    struct fixture *f = *state;
    uint8_t sealed[PAGE_BYTES], out[PAGE_BYTES];
    page_seal_db(f->keys, 7, f->plain, sealed);
    assert_memory_not_equal(sealed, f->plain, PAGE_CONTENT);
    assert_true(page_open_db(f->keys, 7, sealed, out));
    assert_memory_equal(out, f->plain, PAGE_BYTES); /* the reserve comes back as zeros */
}

static void page_seals_the_same_content_differently_each_time(void **state)
{
    struct fixture *f = *state;
    uint8_t a[PAGE_BYTES], b[PAGE_BYTES];
    page_seal_db(f->keys, 7, f->plain, a);
    page_seal_db(f->keys, 7, f->plain, b);
    assert_memory_not_equal(a, b, PAGE_CONTENT);
    assert_memory_not_equal(a + PAGE_CONTENT, b + PAGE_CONTENT, 24);
}

static void page_one_keeps_its_prefix_in_clear_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    uint8_t sealed[PAGE_BYTES], out[PAGE_BYTES], prefix[PAGE_PREFIX];
    memcpy(f->plain, "SQLite format 3", 16);
    page_seal_db(f->keys, 1, f->plain, sealed);
    page_prefix(f->keys, prefix);
    assert_memory_equal(sealed, prefix, PAGE_PREFIX);
    assert_memory_equal(sealed, "SPK1\1\0\0\0", 8);
    assert_memory_not_equal(sealed + PAGE_PREFIX, f->plain + PAGE_PREFIX, 64);
    assert_true(page_open_db(f->keys, 1, sealed, out));
    assert_memory_equal(out, f->plain, PAGE_BYTES);
}

static void page_refuses_every_flipped_byte_and_hands_out_zeros(void **state)
{
    struct fixture *f = *state;
    uint8_t sealed[PAGE_BYTES], out[PAGE_BYTES];
    static const uint8_t zeros[PAGE_BYTES];
    for (uint32_t pgno = 1; pgno <= 2; pgno++) {
        page_seal_db(f->keys, pgno, f->plain, sealed);
        for (size_t i = 0; i < PAGE_BYTES; i += i < 40 || i > 4050 ? 1 : 97) {
            sealed[i] ^= 1;
            memset(out, 0xff, sizeof out);
            assert_false(page_open_db(f->keys, pgno, sealed, out));
            assert_memory_equal(out, zeros, sizeof out);
            sealed[i] ^= 1;
        }
        assert_true(page_open_db(f->keys, pgno, sealed, out));
    }
}

static void page_refuses_another_place(void **state)
{
    struct fixture *f = *state;
    uint8_t sealed[PAGE_BYTES], out[PAGE_BYTES];
    page_seal_db(f->keys, 7, f->plain, sealed);
    assert_false(page_open_db(f->keys, 8, sealed, out));
    assert_false(page_open_db(f->keys, 1, sealed, out));
}

static void page_refuses_zeros(void **state)
{
    struct fixture *f = *state;
    uint8_t out[PAGE_BYTES];
    static const uint8_t zeros[PAGE_BYTES];
    struct page_frame frame = a_frame();
    assert_false(page_open_db(f->keys, 2, zeros, out));
    assert_false(page_open_wal(f->keys, &frame, zeros, out));
}

static void page_refuses_another_key(void **state)
{
    struct fixture *f = *state;
    uint8_t sealed[PAGE_BYTES], out[PAGE_BYTES], ours[PAGE_PREFIX], theirs[PAGE_PREFIX];
    struct page_keys *other = NULL;
    page_seal_db(f->keys, 7, f->plain, sealed);
    f->data_key.p[31] ^= 1;
    assert_int_equal(page_keys_new(&other, &f->data_key, NULL), ERR_OK);
    assert_false(page_open_db(other, 7, sealed, out));
    page_prefix(f->keys, ours);
    page_prefix(other, theirs);
    assert_memory_not_equal(ours + 8, theirs + 8, 8);
    page_keys_free(other);
    page_keys_free(NULL);
}

static void page_of_the_log_is_bound_to_offset_number_commit_and_salts(void **state)
{
    struct fixture *f = *state;
    uint8_t sealed[PAGE_BYTES], out[PAGE_BYTES];
    struct page_frame frame = a_frame(), other;
    page_seal_wal(f->keys, &frame, NULL, f->plain, sealed);
    assert_true(page_open_wal(f->keys, &frame, sealed, out));
    assert_memory_equal(out, f->plain, PAGE_BYTES);
    other = frame;
    other.offset += 4120;
    assert_false(page_open_wal(f->keys, &other, sealed, out));
    other = frame;
    other.pgno++;
    assert_false(page_open_wal(f->keys, &other, sealed, out));
    other = frame;
    other.commit = 0;
    assert_false(page_open_wal(f->keys, &other, sealed, out));
    other = frame;
    other.salt[7] ^= 1;
    assert_false(page_open_wal(f->keys, &other, sealed, out));
    assert_false(page_open_db(f->keys, frame.pgno, sealed, out));
}

/* T5: what has gone out before a sync must not change when the rest of the page comes. */
static void page_of_the_log_with_a_fixed_nonce_keeps_its_first_part(void **state)
{
    struct fixture *f = *state;
    uint8_t part[PAGE_BYTES], whole[PAGE_BYTES], half[PAGE_BYTES] = {0};
    static const uint8_t nonce[24] = {9};
    struct page_frame frame = a_frame();
    memcpy(half, f->plain, 1000);
    page_seal_wal(f->keys, &frame, nonce, half, part);
    page_seal_wal(f->keys, &frame, nonce, f->plain, whole);
    assert_memory_equal(part, whole, 1000);
    assert_memory_equal(whole + PAGE_CONTENT, nonce, sizeof nonce);
}

static void page_mask_hides_and_gives_back_the_checksum(void **state)
{
    struct fixture *f = *state;
    uint8_t head[16] = {0, 0, 0, 5}, words[8] = {1, 2, 3, 4, 5, 6, 7, 8}, a[8], b[8];
    memcpy(a, words, sizeof a);
    page_mask_checksum(f->keys, 32, head, a, false);
    assert_memory_not_equal(a, words, sizeof a);
    memcpy(b, words, sizeof b);
    page_mask_checksum(f->keys, 32 + 4120, head, b, false);
    assert_memory_not_equal(a, b, sizeof a);
    memcpy(b, words, sizeof b);
    head[15] = 1;
    page_mask_checksum(f->keys, 32, head, b, false);
    assert_memory_not_equal(a, b, sizeof a);
    page_mask_checksum(f->keys, 32, head, b, true);
    assert_memory_equal(b, words, sizeof b);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(page_known_answers_open),
        T(page_known_answer_of_the_log_is_sealed_to_the_same_bytes),
        T(page_seals_and_opens_what_it_got),
        T(page_seals_the_same_content_differently_each_time),
        T(page_one_keeps_its_prefix_in_clear_and_nothing_else),
        T(page_refuses_every_flipped_byte_and_hands_out_zeros),
        T(page_refuses_another_place),
        T(page_refuses_zeros),
        T(page_refuses_another_key),
        T(page_of_the_log_is_bound_to_offset_number_commit_and_salts),
        T(page_of_the_log_with_a_fixed_nonce_keeps_its_first_part),
        T(page_mask_hides_and_gives_back_the_checksum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
