/* Taking back where answers are small, late, or overtaken: revocation and backfill over many pages, limits smaller
 * than what one row needs, changes while a series of pages is half done, answers that cross with what happens. */
#include "tests/lib/scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MANY 24
/* Two cases with many records each, shared with health by a part each; health's device has pulled. */
struct crowd {
    struct scene s;
    struct id part, second, second_part, brief;
    struct id records[2][MANY];
    struct fixture_node *n;
};

static int set_up(void **state)
{
    struct crowd *x = calloc(1, sizeof *x);
    assert_non_null(x);
    scene_start(&x->s, 24);
    x->part = scene_part(&x->s, "health", "", "view");
    hub_fixture_step(x->s.f);
    x->second = hub_fixture_case(x->s.f);
    x->second_part = hub_fixture_share(x->s.f, x->second, "health", "view");
    for (int i = 0; i < MANY; i++)
        for (int j = 0; j < 2; j++)
            x->records[j][i] =
                hub_fixture_row(x->s.f, "record", j == 0 ? x->s.c : x->second, "council", "sensitivity", "open",
                                "title", "one of many", "body", "of which each needs its room", NULL);
    hub_fixture_settle(x->s.f);
    x->n = scene_node(&x->s, "gp");
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    struct crowd *x = *state;
    hub_fixture_node_free(x->n);
    scene_stop(&x->s);
    free(x);
    return 0;
}

#define FIRST  (4 + MANY) /* rows of the first case but its part; of the second: */
#define SECOND (1 + MANY)

static void set(struct crowd *x, const char *table, struct id id, const char *column, const char *value)
{
    scene_set(&x->s, table, id, column, value);
}

/* A row or so of the pages. Whether there is more. */
static bool piece(struct crowd *x, struct fixture_node *n, uint64_t budget)
{
    hub_fixture_ask(x->s.f, n, budget);
    bool more = n->answer.more;
    (void)scene_take(&x->s, n);
    return more;
}

static void a_case_lost_and_one_given_come_over_many_small_pages(void **state)
{
    static const uint64_t budgets[] = {1, 50, 300, 2000};
    struct crowd *x = *state;
    set(x, "participant", x->part, "access", "none");
    (void)scene_pull(&x->s, x->n, SCENE_PLENTY);
    for (size_t i = 0; i < 4; i++) { /* the one lost, the other given back, in turn */
        set(x, "participant", i % 2 == 0 ? x->part : x->second_part, "access", "view");
        set(x, "participant", i % 2 == 0 ? x->second_part : x->part, "access", "none");
        uint64_t rows = x->n->got_rows, want = i % 2 == 0 ? FIRST : SECOND;
        assert_int_equal(scene_pull(&x->s, x->n, budgets[i]), i % 2 == 0 ? SECOND : FIRST);
        assert_int_equal(x->n->got_rows - rows, want);
        scene_is_quiet(&x->s, x->n);
    }
}

/* All orders to forget stand in the first answer, however small its pages: nobody waits for them behind a backfill. */
static void orders_to_forget_do_not_wait_for_pages(void **state)
{
    struct crowd *x = *state;
    struct fixture_node *n = hub_fixture_node(x->s.f, "gp");
    while (!hub_fixture_holds(n, "record", x->records[0][MANY - 1])) assert_true(piece(x, n, 1));
    set(x, "participant", x->part, "access", "none");
    hub_fixture_ask(x->s.f, n, 1);
    assert_true(n->answer.more);
    assert_int_equal(n->answer.n_drops, scene_unconfirmed(&x->s, n));
    (void)scene_take(&x->s, n);
    for (int i = 0; i < MANY; i++) assert_false(hub_fixture_holds(n, "record", x->records[0][i]));
    assert_int_equal(scene_pull(&x->s, n, 1), 0);
    hub_fixture_node_free(n);
}

static void a_row_larger_than_the_limit_comes_and_goes(void **state)
{
    struct crowd *x = *state;
    char *text = malloc(100001);
    assert_non_null(text);
    memset(text, 'a', 100000);
    text[100000] = '\0';
    set(x, "record", x->s.record, "body", text);
    assert_int_equal(scene_pull(&x->s, x->n, 10), 0);
    set(x, "record", x->s.record, "sensitivity", "sensitive");
    assert_int_equal(scene_pull(&x->s, x->n, 10), 1);
    set(x, "record", x->s.record, "sensitivity", "open");
    assert_int_equal(scene_pull(&x->s, x->n, 10), 0);
    free(text);
}

static void a_row_that_changes_faster_than_the_pages_ends_as_it_is(void **state)
{
    struct crowd *x = *state;
    struct fixture_node *n = hub_fixture_node(x->s.f, "gp");
    char text[32];
    bool more = true;
    for (int i = 0; more && i < 500; i++) {
        if (i < 60) {
            (void)snprintf(text, sizeof text, "title %d", i);
            set(x, "record", x->s.record, "title", text);
            set(x, "person", x->s.person, "given_names", text);
        }
        more = piece(x, n, 1);
    }
    assert_false(more);
    hub_fixture_is_exact(x->s.f, n);
    hub_fixture_node_free(n);
}

/* The part is taken and given after each page of a series. What a device holds in between it may hold. */
static void a_part_taken_and_given_between_the_pages_of_a_series_ends_exact(void **state)
{
    struct crowd *x = *state;
    struct fixture_node *n = hub_fixture_node(x->s.f, "gp");
    bool on = true, more = true;
    for (int i = 0; i < 40; i++) {
        if (i % 3 == 2) {
            on = !on;
            set(x, "participant", x->part, "access", on ? "view" : "none");
        }
        (void)piece(x, n, 400);
        assert_true(on || !hub_fixture_holds(n, "record", x->s.record));
        assert_true(on || !hub_fixture_holds(n, "record", x->records[0][0]));
    }
    for (int i = 0; more && i < 500; i++) more = piece(x, n, 400);
    assert_false(more);
    hub_fixture_is_exact(x->s.f, n);
    assert_int_equal(scene_unconfirmed(&x->s, n), 0);
    hub_fixture_node_free(n);
}

static void of_a_backfill_broken_off_only_what_came_is_ordered_away(void **state)
{
    struct crowd *x = *state;
    set(x, "participant", x->second_part, "access", "none");
    assert_int_equal(scene_pull(&x->s, x->n, SCENE_PLENTY), SECOND);
    set(x, "participant", x->second_part, "access", "view");
    for (int i = 0; i < 5; i++) assert_true(piece(x, x->n, 1));
    int64_t held = hub_fixture_holds(x->n, "case_file", x->second);
    for (int i = 0; i < MANY; i++) held += hub_fixture_holds(x->n, "record", x->records[1][i]);
    assert_true(held > 0 && held < SECOND);
    set(x, "participant", x->second_part, "access", "none");
    assert_int_equal(scene_waiting(&x->s, x->n), held);
    assert_int_equal(scene_pull(&x->s, x->n, 1), held);
}

/* A share, a loss and a share that follow one another closely, as steps and within one. */
static void grants_and_losses_without_anything_between_are_told_as_they_end(void **state)
{
    struct crowd *x = *state;
    struct scene *s = &x->s;
    hub_fixture_step(s->f); /* lost and given in one change: it never was lost */
    hub_fixture_set(s->f, "participant", x->part, "access", "none");
    hub_fixture_set(s->f, "participant", x->part, "access", "view");
    hub_fixture_settle(s->f);
    assert_int_equal(scene_unconfirmed(s, x->n), 0);
    (void)scene_pull(s, x->n, SCENE_PLENTY);
    for (int i = 0; i < 3; i++) {
        set(x, "participant", x->part, "access", "none");
        set(x, "participant", x->part, "access", "view");
    }
    uint64_t rows = x->n->got_rows;
    assert_int_equal(scene_waiting(s, x->n), FIRST);
    assert_int_equal(scene_pull(s, x->n, SCENE_PLENTY), FIRST); /* once, and all of it anew */
    assert_int_equal(x->n->got_rows - rows, FIRST);
    set(x, "participant", x->part, "access", "none");
    set(x, "participant", x->part, "access", "view");
    set(x, "participant", x->part, "access", "none");
    assert_int_equal(scene_pull(s, x->n, 1), FIRST);
    scene_is_quiet(s, x->n);
}

/* The answer with the orders is on its way when the case is given back, and lost again. */
static void an_order_on_its_way_is_followed_by_the_next_one(void **state)
{
    struct crowd *x = *state;
    set(x, "participant", x->part, "access", "none");
    hub_fixture_ask(x->s.f, x->n, SCENE_PLENTY);
    set(x, "participant", x->part, "access", "view");
    assert_int_equal(scene_waiting(&x->s, x->n), 0);
    set(x, "participant", x->part, "access", "none"); /* nothing of it was served meanwhile */
    assert_int_equal(scene_waiting(&x->s, x->n), 0);
    assert_int_equal(scene_take(&x->s, x->n), FIRST);
    assert_int_equal(scene_pull(&x->s, x->n, SCENE_PLENTY), 0);
    set(x, "participant", x->part, "access", "view");
    hub_fixture_ask(x->s.f, x->n, SCENE_PLENTY); /* now it is, as far as the hub knows */
    set(x, "participant", x->part, "access", "none");
    assert_int_equal(scene_waiting(&x->s, x->n), FIRST);
    assert_int_equal(scene_pull(&x->s, x->n, SCENE_PLENTY), FIRST);
}

static void a_case_given_back_between_the_order_and_its_receipt_stays_listed_until_then(void **state)
{
    struct crowd *x = *state;
    set(x, "participant", x->part, "access", "none");
    hub_fixture_ask(x->s.f, x->n, SCENE_PLENTY);
    hub_fixture_take(x->s.f, x->n); /* forgotten; the receipt is not there yet */
    struct fixture_node signed_then = *x->n;
    set(x, "participant", x->part, "access", "view");
    assert_int_equal(scene_unconfirmed(&x->s, x->n), FIRST);
    hub_fixture_ask(x->s.f, x->n, SCENE_PLENTY);
    assert_int_equal(x->n->answer.n_drops, 0);
    hub_fixture_take(x->s.f, x->n);
    assert_true(hub_fixture_holds(x->n, "record", x->s.record));
    assert_int_equal(scene_unconfirmed(&x->s, x->n), FIRST);
    set(x, "participant", x->part, "access", "none"); /* a second order, while the first is unconfirmed */
    assert_int_equal(scene_unconfirmed(&x->s, x->n), 2 * FIRST);
    scene_receipt(&x->s, &signed_then, FIRST); /* of the first: it confirms that one alone */
    scene_receipt(&x->s, &signed_then, FIRST);
    assert_int_equal(scene_unconfirmed(&x->s, x->n), FIRST);
    assert_int_equal(scene_pull(&x->s, x->n, SCENE_PLENTY), FIRST);
}

static void of_two_devices_each_signs_for_itself(void **state)
{
    struct crowd *x = *state;
    struct fixture_node *away = scene_node(&x->s, "gp"), *late;
    set(x, "participant", x->part, "access", "none");
    assert_int_equal(scene_pull(&x->s, x->n, SCENE_PLENTY), FIRST);
    assert_int_equal(scene_unconfirmed(&x->s, away), FIRST);
    late = scene_node(&x->s, "gp"); /* enrolled after the loss: never told */
    assert_int_equal(scene_unconfirmed(&x->s, late), 0);
    set(x, "participant", x->part, "access", "view");
    assert_int_equal(scene_pull(&x->s, x->n, SCENE_PLENTY), 0);
    set(x, "participant", x->part, "access", "none");
    assert_int_equal(scene_waiting(&x->s, x->n), FIRST);
    assert_int_equal(scene_waiting(&x->s, late), 0); /* it was given back while it was away */
    x->s.f->clock += 3653 * 86400000LL;              /* there is no horizon */
    assert_int_equal(scene_unconfirmed(&x->s, away), FIRST);
    assert_int_equal(scene_pull(&x->s, away, SCENE_PLENTY), FIRST);
    assert_int_equal(scene_pull(&x->s, x->n, 1), FIRST);
    hub_fixture_node_free(away);
    hub_fixture_node_free(late);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_case_lost_and_one_given_come_over_many_small_pages),
        TEST(orders_to_forget_do_not_wait_for_pages),
        TEST(a_row_larger_than_the_limit_comes_and_goes),
        TEST(a_row_that_changes_faster_than_the_pages_ends_as_it_is),
        TEST(a_part_taken_and_given_between_the_pages_of_a_series_ends_exact),
        TEST(of_a_backfill_broken_off_only_what_came_is_ordered_away),
        TEST(grants_and_losses_without_anything_between_are_told_as_they_end),
        TEST(an_order_on_its_way_is_followed_by_the_next_one),
        TEST(a_case_given_back_between_the_order_and_its_receipt_stays_listed_until_then),
        TEST(of_two_devices_each_signs_for_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
