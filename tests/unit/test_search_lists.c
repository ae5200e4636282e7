/* The lists of the search index (node/search.h): what was put in is found, what was taken out is not, and what somebody
 * with the disk made of them does no harm. */
#include "node/search.h"
#include "tests/lib/search_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WORDS 3000u
#define BLOCK 5

static const struct search_bits none;

static unsigned draw(unsigned *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static int set_up(void **state)
{
    struct search_world *s = calloc(1, sizeof *s);
    bool more = true;
    assert_non_null(s);
    search_world_new(s);
    assert_int_equal(search_fill(s->w.node, 0, &more, NULL), ERR_OK); /* its tables */
    *state = s;
    return 0;
}

/* ------------------------------------------------------------------------------------------------------------ words */

/* Word i of the test stands in these cases: in one, in a few, in many, in all. */
static struct search_bits cases_of(unsigned i)
{
    struct search_bits b = {{0}};
    unsigned every = i % 97 == 0 ? 1 : i % 31 == 0 ? 3 : i % 5 == 0 ? 40 : 256;
    for (unsigned k = i % every; k < SEARCH_BLOCK; k += every) search_bits_add(&b, k);
    return b;
}

static size_t word_text(unsigned i, char out[16])
{
    return (size_t)snprintf(out, 16, "w%05u%s", i, i % 3 == 0 ? "ending" : "");
}

/* Words from `from` on, every `step`th. */
static void put_words(struct search_world *s, unsigned from, unsigned step, const struct search_bits *clear)
{
    static struct search_posting v[WORDS];
    static char text[16 * WORDS];
    size_t n = 0;
    for (unsigned i = from; i < WORDS; i += step, n++) {
        v[n] = (struct search_posting){.cases = cases_of(i), .at = (uint32_t)(16 * n)};
        v[n].n = (uint8_t)word_text(i, text + 16 * n);
    }
    assert_int_equal(search_words_merge(s->w.node, BLOCK, clear, v, n, (const uint8_t *)text, NULL), ERR_OK);
}

static struct search_bits find_word(struct search_world *s, const char *word, bool prefix)
{
    struct search_bits b;
    assert_int_equal(search_words_find(s->w.node, BLOCK, bytes_of_str(word), prefix, &b, NULL), ERR_OK);
    return b;
}

static void every_word_has_its_cases_and_no_other(void **state)
{
    struct search_world *s = *state;
    char word[16];
    put_words(s, 1, 2, &none);
    put_words(s, 0, 2, &none);
    assert_true(mock_ask(s->w.node, "SELECT count(*) FROM n_word") > 5); /* pieces */
    assert_int_equal(mock_ask(s->w.node, "SELECT count(*) FROM n_word WHERE length(data) > 3950"), 0);
    for (unsigned i = 0; i < WORDS; i++) {
        (void)word_text(i, word);
        struct search_bits want = cases_of(i), have = find_word(s, word, false);
        if (memcmp(&want, &have, sizeof want) != 0) fail_msg("%s", word);
        word[strlen(word) - 1] = '\0';
        have = find_word(s, word, false);
        assert_int_equal(search_bits_count(&have), 0);
    }
    static const char *const absent[] = {"a", "w", "w00000endinh", "w99999", "z", "\1w00001"};
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++) {
        struct search_bits have = find_word(s, absent[i], false);
        assert_int_equal(search_bits_count(&have), 0);
    }
}

static void the_beginning_of_a_word_finds_all_that_begin_so(void **state)
{
    struct search_world *s = *state;
    put_words(s, 0, 1, &none);
    for (unsigned tens = 0; tens < WORDS / 10; tens++) {
        struct search_bits want = {{0}}, have;
        char prefix[16];
        (void)snprintf(prefix, sizeof prefix, "w%04u", tens);
        for (unsigned i = 10 * tens; i < 10 * tens + 10; i++) {
            struct search_bits one = cases_of(i);
            search_bits_or(&want, &one);
        }
        have = find_word(s, prefix, true);
        assert_memory_equal(&want, &have, sizeof want);
    }
    struct search_bits all = find_word(s, "w", true), nothing = find_word(s, "v", true), past = find_word(s, "x", true);
    assert_int_equal(search_bits_count(&all), SEARCH_BLOCK);
    assert_int_equal(search_bits_count(&nothing) + search_bits_count(&past), 0);
}

static enum err no_word_of(void *ctx, struct bytes word, const struct search_bits *cases)
{
    const struct search_bits *gone = ctx;
    struct search_bits left = *cases;
    assert_true(word.n > 0 && search_bits_count(cases) > 0);
    assert_false(search_bits_and(&left, gone));
    return ERR_OK;
}

static void cases_that_are_taken_out_leave_no_word(void **state)
{
    struct search_world *s = *state;
    struct search_bits gone = {{0}}, all = {{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};
    for (unsigned i = 0; i < SEARCH_BLOCK; i += 7) search_bits_add(&gone, i);
    put_words(s, 0, 1, &none);
    assert_int_equal(search_clear(s->w.node, BLOCK, &gone, NULL), ERR_OK);
    assert_int_equal(search_words_each(s->w.node, BLOCK, no_word_of, &gone, NULL), ERR_OK);
    struct search_bits have = find_word(s, "w00000ending", false); /* the others kept theirs */
    assert_int_equal(search_bits_count(&have), SEARCH_BLOCK - search_bits_count(&gone));
    assert_int_equal(search_clear(s->w.node, BLOCK, &all, NULL), ERR_OK);
    assert_int_equal(mock_ask(s->w.node, "SELECT count(*) FROM n_word"), 0);
}

/* ------------------------------------------------------------------------------------------------------------ pairs */

static struct search_pairs draw_pairs(unsigned seed, size_t n)
{
    struct search_pairs p = {.full = {{0}}};
    buf_init(&p.keys, SEARCH_PAIRS_MAX);
    for (size_t i = 0; i < n; i++) {
        uint32_t key = (draw(&seed) << 4 ^ draw(&seed)) & ((UINT32_C(1) << 27) - 1);
        buf_put(&p.keys, &key, sizeof key);
    }
    p.keys.len = sizeof(uint32_t) * search_pairs_sort((uint32_t *)(void *)p.keys.data, n);
    return p;
}

static uint32_t key_of(const struct search_pairs *p, size_t i)
{
    uint32_t key;
    memcpy(&key, p->keys.data + i * sizeof key, sizeof key);
    return key;
}

static struct search_bits find_pair(struct search_world *s, uint32_t pair)
{
    struct search_bits b;
    assert_int_equal(search_pairs_find(s->w.node, BLOCK, pair, &b, NULL), ERR_OK);
    return b;
}

/* How many of these pairs are found in their cases. */
static size_t found(struct search_world *s, const struct search_pairs *p)
{
    size_t n = 0;
    for (size_t i = 0; i < p->keys.len / sizeof(uint32_t); i++) {
        struct search_bits has = find_pair(s, key_of(p, i) / SEARCH_BLOCK);
        n += search_bits_has(&has, key_of(p, i) % SEARCH_BLOCK);
    }
    return n;
}

static void no_pair_is_lost_however_many_there_are(void **state)
{
    static const size_t sizes[] = {1, 2, 300, 20000};
    struct search_world *s = *state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct search_bits all = {{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};
        struct search_pairs a = draw_pairs(7, sizes[i]), b = draw_pairs(9, sizes[i]);
        assert_int_equal(search_pairs_merge(s->w.node, BLOCK, &all, &a, NULL), ERR_OK);
        assert_int_equal(search_pairs_merge(s->w.node, BLOCK, &none, &b, NULL), ERR_OK);
        assert_int_equal(found(s, &a), a.keys.len / sizeof(uint32_t));
        assert_int_equal(found(s, &b), b.keys.len / sizeof(uint32_t));
        assert_int_equal(
            mock_ask(s->w.node, "SELECT count(*) FROM n_word WHERE length(data) > 3950 AND at & 524287 > 0"), 0);
        buf_release(&a.keys);
        buf_release(&b.keys);
    }
    size_t others = 0; /* of pairs that nobody has, hardly any seems to be there */
    unsigned seed = 11;
    for (unsigned i = 0; i < 1000; i++) {
        struct search_bits has = find_pair(s, draw(&seed) & ((UINT32_C(1) << 19) - 1));
        others += search_bits_count(&has);
    }
    assert_true(others < 400); /* 40,000 keys among 2^27, 256,000 times asked: 80 or so */
}

static void pairs_of_cases_that_are_taken_out_are_gone(void **state)
{
    struct search_world *s = *state;
    struct search_bits gone = {{0}}, all = {{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};
    struct search_pairs a = draw_pairs(7, 5000);
    for (unsigned i = 0; i < SEARCH_BLOCK; i += 3) search_bits_add(&gone, i);
    search_bits_add(&a.full, 3);
    search_bits_add(&a.full, 4);
    assert_int_equal(search_pairs_merge(s->w.node, BLOCK, &none, &a, NULL), ERR_OK);
    assert_int_equal(search_clear(s->w.node, BLOCK, &gone, NULL), ERR_OK);
    for (size_t i = 0; i < a.keys.len / sizeof(uint32_t); i++) {
        struct search_bits has = find_pair(s, key_of(&a, i) / SEARCH_BLOCK);
        assert_true(search_bits_has(&has, 4)); /* too many to be told apart: any may stand there */
        assert_int_equal(search_bits_has(&has, key_of(&a, i) % SEARCH_BLOCK),
                         !search_bits_has(&gone, key_of(&a, i) % SEARCH_BLOCK) || key_of(&a, i) % SEARCH_BLOCK == 4);
        assert_false(search_bits_and(&has, &gone));
    }
    assert_int_equal(search_clear(s->w.node, BLOCK, &all, NULL), ERR_OK);
    assert_int_equal(mock_ask(s->w.node, "SELECT count(*) FROM n_word"), 0);
    buf_release(&a.keys);
}

/* ---------------------------------------------------------------------------------------------------------- hostile */

/* Whatever stands in the pieces: an answer or a refusal in words, and no more. */
static void pieces_that_somebody_made_up_are_refused_or_read(void **state)
{
    struct search_world *s = *state;
    unsigned seed = 20261122, refused = 0;
    put_words(s, 0, 1, &none);
    struct search_pairs p = draw_pairs(3, 3000);
    assert_int_equal(search_pairs_merge(s->w.node, BLOCK, &none, &p, NULL), ERR_OK);
    buf_release(&p.keys);
    for (unsigned i = 0; i < 400; i++) {
        struct search_bits has;
        struct why why = {0};
        char sql[256];
        assert_int_equal(db_begin(node_db(s->w.node), NULL), ERR_OK);
        (void)snprintf(sql, sizeof sql,
                       i % 4 == 0 ? "UPDATE n_word SET data = substr(data, 1, %u %% (length(data) + 1))"
                                  : "UPDATE n_word SET data = CAST(substr(data, 1, %u %% length(data)) || x'%02x%02x'"
                                    " || substr(data, %u %% length(data)) AS BLOB)",
                       draw(&seed) % 5000, draw(&seed) & 0xff, draw(&seed) & 0xff, draw(&seed) % 5000);
        assert_int_equal(db_exec(node_db(s->w.node), sql, NULL), ERR_OK);
        enum err e = search_words_find(s->w.node, BLOCK, bytes_of_str("w01"), true, &has, &why);
        if (e == ERR_OK) e = search_pairs_find(s->w.node, BLOCK, draw(&seed) & 0x7ffff, &has, &why);
        const struct search_bits some = cases_of(5);
        if (e == ERR_OK) e = search_clear(s->w.node, BLOCK, &some, &why);
        assert_true(e == ERR_OK || (e == ERR_TAMPERED && why.text[0] != '\0'));
        refused += e == ERR_TAMPERED;
        db_rollback(node_db(s->w.node));
    }
    assert_true(refused > 50);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, search_world_tear_down)
    const struct CMUnitTest tests[] = {
        T(every_word_has_its_cases_and_no_other),      T(the_beginning_of_a_word_finds_all_that_begin_so),
        T(cases_that_are_taken_out_leave_no_word),     T(no_pair_is_lost_however_many_there_are),
        T(pairs_of_cases_that_are_taken_out_are_gone), T(pieces_that_somebody_made_up_are_refused_or_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
