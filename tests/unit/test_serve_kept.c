/* Rows that are kept as they went to a device before (hub/row_cache.h), and the two ways of a first copy
 * (hub/serve_rows.c). */
#include "hub/row_cache.h"
#include "hub/serve_internal.h"
#include "tests/lib/hub_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PLENTY (1u << 20)

struct play {
    struct hub_fixture *f;
    struct id c, record;
    struct fixture_node *gp, *ward, *station;
};

static int set_up(void **state)
{
    struct play *p = calloc(1, sizeof *p);
    assert_non_null(p);
    p->f = hub_fixture_new(5);
    hub_fixture_town(p->f);
    hub_fixture_step(p->f);
    p->c = hub_fixture_case(p->f);
    (void)hub_fixture_share(p->f, p->c, "health", "view");
    p->record = hub_fixture_row(p->f, "record", p->c, "council", "sensitivity", "open", "title", "a", NULL);
    (void)hub_fixture_row(p->f, "record", p->c, "health", "sensitivity", "sensitive", "title", "theirs", NULL);
    hub_fixture_settle(p->f);
    p->gp = hub_fixture_node(p->f, "gp");
    p->ward = hub_fixture_node(p->f, "ward");
    p->station = hub_fixture_node(p->f, "station");
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct play *p = *state;
    hub_fixture_node_free(p->gp);
    hub_fixture_node_free(p->ward);
    hub_fixture_node_free(p->station);
    hub_fixture_free(p->f);
    free(p);
    return 0;
}

static void pull_all(struct play *p)
{
    struct fixture_node *const all[] = {p->gp, p->ward, p->station};
    for (size_t i = 0; i < 3; i++) {
        hub_fixture_pull(p->f, all[i], PLENTY);
        hub_fixture_is_exact(p->f, all[i]);
    }
}

static struct serve_row served(struct play *p, const char *table, struct id id)
{
    struct hub_row r;
    bool found = false;
    int tbl = rules_table_index(bytes_of_str(table));
    assert_int_equal(sight_row(&p->f->h, tbl, id.b, &r, &found, NULL), ERR_OK);
    assert_true(found);
    return (struct serve_row){.no = r.no, .version = r.version};
}

static bool is_kept(struct play *p, struct serve_row r, uint32_t columns)
{
    struct row_bytes kept;
    const struct row_key key = {r.no, r.version, rules_schema_newest(), columns};
    return row_cache_find(p->f->h.rows, &key, &kept);
}

static void a_row_that_went_before_goes_as_it_stands_now(void **state)
{
    struct play *p = *state;
    pull_all(p);
    assert_true(is_kept(p, served(p, "record", p->record), UINT32_MAX));
    for (int i = 0; i < 3; i++) {
        char title[16];
        (void)snprintf(title, sizeof title, "t%d", i);
        hub_fixture_step(p->f);
        hub_fixture_set(p->f, "record", p->record, "title", title);
        hub_fixture_settle(p->f);
        assert_false(is_kept(p, served(p, "record", p->record), UINT32_MAX));
        pull_all(p);
        struct fixture_node *late = hub_fixture_node(p->f, "gp"); /* gets all of it, where the others got a column */
        hub_fixture_pull(p->f, late, PLENTY);
        hub_fixture_is_exact(p->f, late);
        hub_fixture_node_free(late);
        assert_true(is_kept(p, served(p, "record", p->record), UINT32_MAX));
    }
}

/* A column that changed, and the whole row: two forms of one version, which are not taken for each other. */
static void a_row_that_comes_back_into_sight_comes_whole_although_a_column_of_it_went_to_others(void **state)
{
    struct play *p = *state;
    pull_all(p);
    hub_fixture_step(p->f);
    struct id part = hub_fixture_share(p->f, p->c, "police", "view");
    hub_fixture_settle(p->f);
    pull_all(p);
    for (int i = 0; i < 2; i++) {
        hub_fixture_step(p->f);
        hub_fixture_set(p->f, "participant", part, "access", i == 0 ? "none" : "view");
        hub_fixture_set(p->f, "record", p->record, "title", i == 0 ? "away" : "back");
        hub_fixture_settle(p->f);
        pull_all(p);
    }
}

/* The number of an undone step is given to the next one: what was written under it first must not be taken for what
 * stands there. */
static void what_was_undone_is_told_to_nobody_under_the_number_of_the_next_step(void **state)
{
    struct play *p = *state;
    struct hub *h = &p->f->h;
    struct served s;
    struct cut cut;
    hub_fixture_pull(p->f, p->gp, PLENTY);
    int64_t version = h->version;
    hub_fixture_step(p->f);
    hub_fixture_set(p->f, "record", p->record, "title", "undone");
    assert_int_equal(sight_settle(h, NULL), ERR_OK);
    int64_t given = h->version;
    static const uint8_t nowhere[16];
    const uint8_t *const from[] = {p->gp->cursor, nowhere}; /* a column of it, and the whole row */
    for (size_t i = 0; i < 2; i++) {
        struct fixture_node *n = i == 0 ? p->gp : p->ward;
        assert_int_equal(cut_get(h, n->n.no, from[i], &cut, NULL), ERR_OK);
        assert_int_equal(serve_page(h, &n->n, &cut, PLENTY, &s, NULL), ERR_OK);
        assert_true(s.any);
        served_release(&s);
    }
    assert_false(is_kept(p, served(p, "record", p->record), UINT32_MAX));
    db_rollback(h->db);
    sight_forget(h);
    h->version = version;
    hub_fixture_step(p->f);
    hub_fixture_set(p->f, "record", p->record, "title", "stands");
    hub_fixture_settle(p->f);
    assert_int_equal(h->version, given);
    pull_all(p); /* exact: nobody holds "undone" */
}

/* -------------------------------------------------------------------------------------------------- the cache alone */

static void a_kept_row_is_found_by_its_whole_key_only(void **state)
{
    (void)state;
    struct row_cache *c = row_cache_new();
    const struct row_key key = {7, 100, 3, UINT32_MAX};
    const struct row_key others[] = {
        {8, 100, 3, UINT32_MAX}, {7, 101, 3, UINT32_MAX}, {7, 100, 4, UINT32_MAX}, {7, 100, 3, 6}, {7 + 8192, 100, 3, UINT32_MAX}};
    const struct row_bytes row = {bytes_of_str("health"), bytes_of_str("header operation"), 6};
    struct row_bytes out;
    assert_non_null(c);
    assert_false(row_cache_find(c, &key, &out));
    row_cache_put(c, &key, &row);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) assert_false(row_cache_find(c, &others[i], &out));
    assert_true(row_cache_find(c, &key, &out));
    assert_true(bytes_equal(out.agency, row.agency) && bytes_equal(out.op, row.op) && out.header == 6);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        row_cache_put(c, &others[i], &row);
        assert_true(row_cache_find(c, &others[i], &out));
    }
    assert_false(row_cache_find(c, &key, &out)); /* its place was taken */
    row_cache_forget(c);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) assert_false(row_cache_find(c, &others[i], &out));
    row_cache_free(c);
    row_cache_free(NULL);
    assert_false(row_cache_find(NULL, &key, &out));
}

/* However many rows a hub has, and however large they are. */
static void kept_rows_take_no_more_than_their_ceiling(void **state)
{
    (void)state;
    static uint8_t large[(16u << 10) + 1];
    struct row_cache *c = row_cache_new();
    struct row_bytes out;
    size_t n = 0;
    assert_non_null(c);
    for (int64_t i = 0; i < 4000; i++)
        row_cache_put(c, &(struct row_key){i, 1, 1, 1}, &(struct row_bytes){{0}, bytes_of(large, 16u << 10), 1});
    for (int64_t i = 0; i < 4000; i++)
        if (row_cache_find(c, &(struct row_key){i, 1, 1, 1}, &out)) n += out.op.n;
    assert_in_range(n, 1u << 14, 8u << 20);
    row_cache_put(c, &(struct row_key){5000, 1, 1, 1}, &(struct row_bytes){{0}, bytes_of(large, sizeof large), 1});
    assert_false(row_cache_find(c, &(struct row_key){5000, 1, 1, 1}, &out));
    row_cache_free(c);
}

/* ----------------------------------------------------------------------------------------------------- a first copy */

typedef enum err (*collect_fn)(struct hub *h, int64_t site_no, int64_t pos, struct serve_list *l, struct why *why);

/* All of them, `limit` at a time. */
static size_t collect(struct play *p, collect_fn fn, int64_t site_no, size_t limit, struct serve_row *out, size_t room)
{
    struct serve_list l = {0};
    int64_t pos = 0;
    size_t n = 0;
    do {
        l.limit = limit;
        assert_int_equal(fn(&p->f->h, site_no, pos, &l, NULL), ERR_OK);
        assert_true(l.n <= limit && n + l.n <= room);
        for (size_t i = 0; i < l.n; i++) {
            assert_true(l.rows[i].no > pos);
            pos = l.rows[i].no;
            out[n++] = l.rows[i];
        }
    } while (l.cut_short);
    serve_list_release(&l);
    return n;
}

static void a_first_copy_has_the_same_rows_whether_by_seat_or_in_their_order(void **state)
{
    struct play *p = *state;
    static struct serve_row by_seat[1000], in_order[1000];
    static const size_t limits[] = {1, 2, 7, 1000};
    hub_fixture_step(p->f);
    for (int i = 0; i < 12; i++) { /* so that rows of different cases lie between each other */
        struct id c = hub_fixture_case(p->f);
        if (i % 3 != 0) (void)hub_fixture_share(p->f, c, i % 2 == 0 ? "health" : "police", "view");
        (void)hub_fixture_row(p->f, "record", p->c, "health", "sensitivity", "open", NULL);
    }
    hub_fixture_settle(p->f);
    hub_fixture_begin(p->f);
    int64_t sites = hub_fixture_number(p->f, "SELECT max(no) FROM h_site");
    size_t most = 0, least = SIZE_MAX;
    for (int64_t site = 1; site <= sites; site++) {
        for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
            memset(by_seat, 0, sizeof by_seat);
            memset(in_order, 0, sizeof in_order);
            size_t n = collect(p, serve_collect_by_seat, site, limits[i], by_seat, 1000);
            assert_int_equal(collect(p, serve_collect_in_order, site, limits[i], in_order, 1000), n);
            assert_memory_equal(by_seat, in_order, n * sizeof *by_seat);
            most = n > most ? n : most;
            least = n < least ? n : least;
        }
    }
    assert_true(least > 0 && most > least);
    hub_fixture_commit(p->f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_row_that_went_before_goes_as_it_stands_now),
        TEST(a_row_that_comes_back_into_sight_comes_whole_although_a_column_of_it_went_to_others),
        TEST(what_was_undone_is_told_to_nobody_under_the_number_of_the_next_step),
        cmocka_unit_test(a_kept_row_is_found_by_its_whole_key_only),
        cmocka_unit_test(kept_rows_take_no_more_than_their_ceiling),
        TEST(a_first_copy_has_the_same_rows_whether_by_seat_or_in_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
