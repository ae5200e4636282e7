#include "crypto/page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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
    return page_keys_new(&f->keys, &f->data_key, 0, NULL) == ERR_OK ? 0 : -1;
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

static void page_known_answer_of_a_file_with_a_number_opens(void **state)
{
    struct fixture *f = *state;
    uint8_t sealed[PAGE_BYTES], out[PAGE_BYTES], prefix[PAGE_PREFIX];
    struct page_keys *keys = NULL;
    assert_int_equal(page_keys_new(&keys, &f->data_key, 66051, NULL), ERR_OK);
    vector("file_66051_page_1", sealed, sizeof sealed);
    page_prefix(keys, prefix);
    assert_memory_equal(prefix, sealed, sizeof prefix);
    assert_true(page_open_db(keys, 1, sealed, out));
    memcpy(f->plain, "SQLite format 3", 16);
    assert_memory_equal(out, f->plain, PAGE_BYTES);
    page_keys_free(keys);
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
    assert_int_equal(page_keys_new(&other, &f->data_key, 0, NULL), ERR_OK);
    assert_false(page_open_db(other, 7, sealed, out));
    page_prefix(f->keys, ours);
    page_prefix(other, theirs);
    assert_memory_not_equal(ours + 8, theirs + 8, 8);
    page_keys_free(other);
    page_keys_free(NULL);
}

/* T6: copies under the key of a replica are files of their own: no page of one passes in another, nor in the
 * replica. */
static void page_refuses_another_file_under_the_same_key(void **state)
{
    struct fixture *f = *state;
    const uint32_t numbers[] = {0, 1, 0x010000, 0x000100, PAGE_FILE_MAX};
    const size_t n = sizeof numbers / sizeof numbers[0];
    struct page_frame frame = a_frame();
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            uint8_t sealed[PAGE_BYTES], log[PAGE_BYTES], out[PAGE_BYTES], prefix[PAGE_PREFIX];
            struct page_keys *one = NULL, *other = NULL;
            assert_int_equal(page_keys_new(&one, &f->data_key, numbers[i], NULL), ERR_OK);
            assert_int_equal(page_keys_new(&other, &f->data_key, numbers[j], NULL), ERR_OK);
            page_seal_db(one, 7, f->plain, sealed);
            page_seal_wal(one, &frame, NULL, f->plain, log);
            assert_int_equal(page_open_db(other, 7, sealed, out), i == j);
            assert_int_equal(page_open_wal(other, &frame, log, out), i == j);
            page_prefix(one, prefix);
            assert_int_equal(prefix[5] << 16 | prefix[6] << 8 | prefix[7], numbers[i]);
            page_keys_free(one);
            page_keys_free(other);
        }
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

/* ---- the cipher ---- */

/* A key of the page, by its label. */
static void derive(struct fixture *f, const char *label, uint8_t *out, size_t n)
{
    assert_int_equal(crypto_generichash(out, n, (const uint8_t *)label, strlen(label), f->data_key.p, 32), 0);
}

/* page.c puts the cipher together from its parts, because that is faster: libsodium's whole one is the judge of it. */
static void page_is_sealed_and_opened_exactly_as_by_the_whole_cipher(void **state)
{
    struct fixture *f = *state;
    uint8_t key[32], aad[21] = {'D'}, sealed[PAGE_BYTES], want[PAGE_BYTES], out[PAGE_BYTES];
    derive(f, "spoke/page/1", key, sizeof key);
    derive(f, "spoke/file/1", aad + 1, 16);
    for (uint32_t pgno = 1; pgno <= 300; pgno++) {
        size_t skip = pgno == 1 ? PAGE_PREFIX : 0;
        unsigned long long tag_n = 0;
        aad[19] = (uint8_t)(pgno >> 8);
        aad[20] = (uint8_t)pgno;
        randombytes_buf(f->plain, PAGE_CONTENT);
        if (skip > 0)
            memcpy(f->plain, "SQLite format 3", 16);
        page_seal_db(f->keys, pgno, f->plain, sealed);
        const uint8_t *nonce = sealed + PAGE_CONTENT;
        memcpy(want, sealed, PAGE_BYTES); /* the prefix and the nonce */
        assert_int_equal(crypto_aead_xchacha20poly1305_ietf_encrypt_detached(
                             want + skip, want + PAGE_CONTENT + PAGE_NONCE, &tag_n, f->plain + skip,
                             PAGE_CONTENT - skip, aad, sizeof aad, NULL, nonce, key), 0);
        assert_memory_equal(sealed, want, PAGE_BYTES);
        assert_true(page_open_db(f->keys, pgno, want, out));
        assert_memory_equal(out, f->plain, PAGE_BYTES);
    }
}

/* ---- nonces ---- */

/* What a virtual machine has for a generator each time it is resumed from one snapshot. */
static const char *repeating_name(void)
{
    return "the same bytes each time";
}

static uint32_t repeating_word(void)
{
    return 0;
}

static void repeating_bytes(void *out, size_t n)
{
    memset(out, 0, n);
}

static struct randombytes_implementation repeating = {
    .implementation_name = repeating_name, .random = repeating_word, .buf = repeating_bytes};

static uint64_t clock_now(clockid_t clock)
{
    struct timespec t;
    assert_int_equal(clock_gettime(clock, &t), 0);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t be64(const uint8_t *p)
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v = v << 8 | p[i];
    return v;
}

/* A coarse clock may stand still between two calls of it. */
static void wait_for_both_clocks(void)
{
    uint64_t wall = clock_now(CLOCK_REALTIME), awake = clock_now(CLOCK_BOOTTIME);
    while (clock_now(CLOCK_REALTIME) == wall || clock_now(CLOCK_BOOTTIME) == awake)
        ;
}

static void page_nonces_differ_where_the_generator_repeats_itself(void **state)
{
    struct fixture *f = *state;
    uint8_t last[PAGE_BYTES], next[PAGE_BYTES];
    struct page_frame frame = a_frame();
    assert_int_equal(randombytes_set_implementation(&repeating), 0);
    page_seal_db(f->keys, 7, f->plain, last);
    for (int i = 0; i < 1000; i++) {
        wait_for_both_clocks();
        if (i % 2)
            page_seal_wal(f->keys, &frame, NULL, f->plain, next);
        else
            page_seal_db(f->keys, 7, f->plain, next);
        /* Each clock alone would do. */
        assert_memory_not_equal(last + PAGE_CONTENT, next + PAGE_CONTENT, 8);
        assert_memory_not_equal(last + PAGE_CONTENT + 8, next + PAGE_CONTENT + 8, 8);
        memcpy(last, next, sizeof last);
    }
    assert_int_equal(randombytes_set_implementation(&randombytes_sysrandom_implementation), 0);
}

static void page_nonce_is_random_bytes_and_both_clocks(void **state)
{
    (void)state;
    uint8_t a[PAGE_NONCE], b[PAGE_NONCE];
    static const uint8_t zeros[8];
    assert_int_equal(randombytes_set_implementation(&repeating), 0);
    uint64_t wall = clock_now(CLOCK_REALTIME), awake = clock_now(CLOCK_BOOTTIME);
    page_nonce(a);
    assert_true(be64(a) >= wall && be64(a) <= clock_now(CLOCK_REALTIME));
    assert_true(be64(a + 8) >= awake && be64(a + 8) <= clock_now(CLOCK_BOOTTIME));
    assert_memory_equal(a + 16, zeros, sizeof zeros);
    assert_int_equal(randombytes_set_implementation(&randombytes_sysrandom_implementation), 0);
    page_nonce(a);
    page_nonce(b);
    for (size_t i = 0; i < PAGE_NONCE; i += 8) /* the clocks hide nothing of the randomness */
        assert_memory_not_equal(a + i, b + i, 8);
    assert_true(be64(a) - wall > 1000000000u);
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
        T(page_known_answer_of_a_file_with_a_number_opens),
        T(page_known_answer_of_the_log_is_sealed_to_the_same_bytes),
        T(page_seals_and_opens_what_it_got),
        T(page_seals_the_same_content_differently_each_time),
        T(page_one_keeps_its_prefix_in_clear_and_nothing_else),
        T(page_refuses_every_flipped_byte_and_hands_out_zeros),
        T(page_refuses_another_place),
        T(page_refuses_zeros),
        T(page_refuses_another_key),
        T(page_refuses_another_file_under_the_same_key),
        T(page_of_the_log_is_bound_to_offset_number_commit_and_salts),
        T(page_of_the_log_with_a_fixed_nonce_keeps_its_first_part),
        T(page_is_sealed_and_opened_exactly_as_by_the_whole_cipher),
        T(page_nonces_differ_where_the_generator_repeats_itself),
        T(page_nonce_is_random_bytes_and_both_clocks),
        T(page_mask_hides_and_gives_back_the_checksum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
