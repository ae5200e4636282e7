/* An older copy of one page is authentic, and the encryption cannot see it. The sum over all rows can. */
#include "tests/lib/mock_hub.h"

#include "crypto/pagevfs.h"
#include "node/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define PAGE    4096u
#define PERSONS 200u
#define PASS    bytes_of_str(MOCK_PASSPHRASE)

static void read_store(struct mock_world *w, struct buf *out)
{
    char path[160];
    mock_world_path(w, "replica.db", path);
    buf_init(out, 64u << 20);
    assert_int_equal(w->env.read_file(w->env.ctx, path, 64u << 20, out, NULL), ERR_OK);
}

static void write_store(struct mock_world *w, struct bytes content)
{
    char path[160];
    mock_world_path(w, "replica.db", path);
    assert_int_equal(w->env.write_file(w->env.ctx, path, content, NULL), ERR_OK);
}

static void close_node(struct mock_world *w)
{
    node_close(w->node);
    w->node = NULL;
}

static void content(struct mock_world *w, uint8_t out[HASH_BYTES])
{
    assert_int_equal(db_content_hash(node_db(w->node), out, NULL), ERR_OK);
}

/* A case and many persons, all sent and taken in. */
static void fill(struct mock_world *w, uint8_t persons[PERSONS][16])
{
    uint8_t c[16];
    struct row rows[2];
    mock_id(c, 1);
    rows[0] = mock_case(c);
    (void)mock_put(w->node, rows, 1);
    for (unsigned i = 0; i < PERSONS; i++) {
        mock_id(persons[i], 100 + i);
        rows[0] = mock_person(persons[i], c, "Blaencwmystwyth");
        (void)mock_put(w->node, rows, 1);
        if (i % 50 == 49) (void)mock_sync(w, ERR_OK);
    }
    (void)mock_sync(w, ERR_OK);
}

/* Put back each page that changed, alone. Whoever then reads other rows than there were must be told by verify. */
static size_t splice_each(struct mock_world *w, struct bytes before, struct bytes after, const uint8_t want[HASH_BYTES])
{
    uint8_t have[HASH_BYTES];
    size_t reverted = 0;
    for (size_t at = 0; at + PAGE <= before.n && at + PAGE <= after.n; at += PAGE) {
        struct verify_result r;
        struct buf mixed;
        if (memcmp(before.p + at, after.p + at, PAGE) == 0) continue;
        buf_init(&mixed, 64u << 20);
        buf_put_bytes(&mixed, after);
        memcpy(mixed.data + at, before.p + at, PAGE);
        write_store(w, buf_bytes(&mixed));
        buf_release(&mixed);
        if (node_open(&w->node, &w->env, w->home, PASS, NULL) != ERR_OK) continue; /* noticed at once */
        if (db_content_hash(node_db(w->node), have, NULL) == ERR_OK && memcmp(have, want, sizeof have) != 0) {
            assert_int_equal(node_verify(w->node, &r, NULL), ERR_TAMPERED);
            reverted++;
        }
        close_node(w);
    }
    return reverted;
}

static void verify_notices_rows_that_came_back_with_an_older_page(void **state)
{
    struct mock_world w;
    struct buf before, after;
    struct verify_result r;
    uint8_t persons[PERSONS][16], want[HASH_BYTES];
    (void)state;
    mock_world_new(&w);
    fill(&w, persons);
    close_node(&w);
    read_store(&w, &before);
    mock_world_reopen(&w);
    for (unsigned i = 0; i < PERSONS; i += 7) (void)mock_set(w.node, "person", persons[i], "family_name", "Ystumtuen");
    (void)mock_sync(&w, ERR_OK);
    assert_int_equal(node_verify(w.node, &r, NULL), ERR_OK);
    content(&w, want);
    close_node(&w);
    read_store(&w, &after);
    assert_true(splice_each(&w, buf_bytes(&before), buf_bytes(&after), want) >= 3);
    write_store(&w, buf_bytes(&after));
    mock_world_reopen(&w);
    assert_int_equal(node_verify(w.node, &r, NULL), ERR_OK);
    buf_release(&before);
    buf_release(&after);
    mock_world_free(&w);
}

static void an_edit_that_was_given_up_leaves_the_sum_as_it_was(void **state)
{
    struct mock_world w;
    struct verify_result r;
    uint8_t persons[PERSONS][16];
    (void)state;
    mock_world_new(&w);
    fill(&w, persons);
    assert_int_equal(node_edit_begin(w.node, NULL), ERR_OK);
    assert_int_equal(db_row_set(node_db(w.node), rules_table((size_t)rules_table_index(bytes_of_str("person"))),
                                persons[1], 3, value_str("self"), NULL),
                     ERR_OK);
    node_edit_cancel(w.node);
    assert_int_equal(node_verify(w.node, &r, NULL), ERR_OK);
    (void)mock_set(w.node, "person", persons[1], "family_name", "Ystumtuen");
    assert_int_equal(node_verify(w.node, &r, NULL), ERR_OK);
    mock_world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verify_notices_rows_that_came_back_with_an_older_page),
        cmocka_unit_test(an_edit_that_was_given_up_leaves_the_sum_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
