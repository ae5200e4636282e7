/* Until when rows are shown (sync/FORMAT.md, ends), where the hub is lost and put back: devices know ends that the lost
 * hub told, and the new one may know of none. */
#include "tests/lib/disaster_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define DAY (24LL * 60 * 60 * 1000)

/* Not sent. */
static void shared_until(const struct ends_case *k, struct value v)
{
    ends_begin(ann);
    ends_set(ann, "participant", k->parts[1], "until", v);
    (void)ends_commit(ann);
}

static void shown_for_three_days(struct ends_case *k)
{
    ends_case(k);
    shared_until(k, value_int(ends_hub->now + 3 * DAY));
    (void)ends_sync(ann, ERR_OK);
    ends_all_sync();
    assert_true(lost_holds(sam, "case_file", k->c));
}

static void days_later(struct ends_node *n, int64_t days)
{
    struct why why = {0};
    ends_days(days);
    assert_int_equal(node_tick(n->n, &why), ERR_OK);
}

static void what_is_shared_for_good_since_stays_on_the_screen(void **state)
{
    struct ends_case k;
    (void)state;
    shown_for_three_days(&k);
    (void)lost_backup("old");
    shared_until(&k, value_null()); /* the lost hub never hears of it */
    lost_destroy();
    lost_restored("old");
    lost_sync_but(ann);
    (void)ends_sync(ann, ERR_OK); /* the last of all: the new hub never tells anybody of an end */
    ends_all_sync();
    assert_string_equal(lost_status().state, "done");
    days_later(sam, 5);
    assert_true(lost_holds(sam, "case_file", k.c));
    assert_true(lost_holds(sam, "person", k.person));
    ends_all_sync();
    ends_same(sam);
}

/* What the new hub knows of the end counts: nobody sees a day more of it. */
static void what_is_shared_until_a_time_goes_at_that_time(void **state)
{
    struct ends_case k;
    (void)state;
    shown_for_three_days(&k);
    (void)lost_backup("old");
    lost_destroy();
    lost_restored("old");
    ends_all_sync();
    ends_all_sync();
    days_later(sam, 2);
    assert_true(lost_holds(sam, "case_file", k.c));
    days_later(sam, 2);
    assert_false(lost_holds(sam, "case_file", k.c));
    ends_all_sync();
    ends_same(sam);
}

/* Until the new hub has told it whole, what the lost one said stands: nothing of it comes back to the screen. */
static void what_is_over_stays_off_the_screen_while_the_hub_waits_for_others(void **state)
{
    struct ends_case k;
    (void)state;
    shown_for_three_days(&k);
    (void)lost_backup("old");
    lost_destroy();
    lost_restored("old");
    days_later(sam, 4);
    assert_false(lost_holds(sam, "case_file", k.c));
    for (int i = 0; i < 2; i++) (void)ends_sync(sam, ERR_OK);
    assert_string_equal(lost_status().state, "gathering");
    assert_false(lost_holds(sam, "case_file", k.c));
    ends_all_sync();
    ends_all_sync();
    assert_false(lost_holds(sam, "case_file", k.c));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_shared_for_good_since_stays_on_the_screen, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(what_is_shared_until_a_time_goes_at_that_time, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(what_is_over_stays_off_the_screen_while_the_hub_waits_for_others, lost_start,
                                        lost_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
