/* Ends that come with time, and clocks that jump: nothing is taken away, and nothing opened, by a clock that was wrong
 * for a while; nothing stays for longer than an hour by one that is right. */
#include "tests/lib/hub_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MINUTE 60000LL
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define YEAR   (365 * DAY)

/* Health sees the case for a week; the police from the day after tomorrow on. */
struct scene {
    struct hub_fixture *f;
    struct fixture_node *gp;
    struct id c, brief;
};

static void at(char out[32], int64_t ms)
{
    (void)snprintf(out, 32, "#%lld", (long long)ms);
}

static int set_up(void **state)
{
    struct scene *x = calloc(1, sizeof *x);
    char when[32];
    assert_non_null(x);
    x->f = hub_fixture_new(11);
    hub_fixture_town(x->f);
    hub_fixture_step(x->f);
    x->c = hub_fixture_case(x->f);
    x->brief = hub_fixture_row(x->f, "brief", x->c, "council", "summary", "as told", NULL);
    at(when, x->f->clock + 7 * DAY);
    (void)hub_fixture_row(x->f, "participant", x->c, "council", "member", "health", "site", "", "access", "view",
                          "until", when, NULL);
    at(when, x->f->clock + 2 * DAY);
    (void)hub_fixture_row(x->f, "participant", x->c, "council", "member", "police", "site", "", "access", "view",
                          "since", when, NULL);
    hub_fixture_settle(x->f);
    x->gp = hub_fixture_node(x->f, "gp");
    hub_fixture_pull(x->f, x->gp, 1 << 20);
    assert_true(hub_fixture_holds(x->gp, "brief", x->brief));
    hub_fixture_steady(x->f);
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *x = *state;
    hub_fixture_node_free(x->gp);
    hub_fixture_free(x->f);
    free(x);
    return 0;
}

/* Somebody asks the hub. */
static void ask(struct scene *x)
{
    assert_int_equal(hub_begin(&x->f->h, NULL), ERR_OK);
    assert_int_equal(hub_commit(&x->f->h, NULL), ERR_OK);
    assert_int_equal(hub_verify(&x->f->h, NULL), ERR_OK);
}

/* Time goes by, and both clocks with it. */
static void wait(struct scene *x, int64_t ms)
{
    x->f->clock += ms;
    x->f->steady += ms;
    ask(x);
}

/* The wall clock alone. */
static void jump(struct scene *x, int64_t ms)
{
    x->f->clock += ms;
    ask(x);
}

/* Another process opens the store: it knows no more than what is in it. */
static void restart(struct scene *x)
{
    x->f->h.clock_known = false;
    x->f->h.clock_ahead = 0;
}

static void boot(struct scene *x)
{
    restart(x);
    x->f->steady = 20000;
}

static bool health_sees(struct scene *x)
{
    return hub_fixture_sees(x->f, "gp", "brief", x->brief);
}

static bool police_sees(struct scene *x)
{
    return hub_fixture_sees(x->f, "station", "brief", x->brief);
}

static int64_t drops(struct scene *x)
{
    return hub_fixture_number(x->f, "SELECT count(*) FROM h_drop");
}

static int64_t hub_time(struct scene *x)
{
    return hub_fixture_number(x->f, "SELECT now FROM policy_now");
}

static void a_clock_that_is_right_is_acted_upon_at_once(void **state)
{
    struct scene *x = *state;
    wait(x, 2 * DAY - 1);
    assert_false(police_sees(x));
    wait(x, 1);
    assert_true(police_sees(x));
    wait(x, 5 * DAY - 1);
    assert_true(health_sees(x));
    wait(x, 1);
    assert_false(health_sees(x));
    assert_true(drops(x) > 0);
}

static void a_clock_that_is_fast_for_ten_minutes_takes_nothing_away_and_opens_nothing(void **state)
{
    struct scene *x = *state;
    const int64_t wrong[] = {2 * HOUR, 3 * DAY, 40 * DAY, 10 * YEAR, 200 * YEAR};
    wait(x, MINUTE);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        int64_t before = x->f->clock;
        jump(x, wrong[i]);
        for (int k = 0; k < 10; k++) wait(x, MINUTE);
        assert_true(health_sees(x));
        assert_false(police_sees(x));
        assert_int_equal(hub_time(x), before + 10 * MINUTE);
        jump(x, -wrong[i]);
        assert_int_equal(hub_time(x), before + 10 * MINUTE);
        wait(x, 5 * HOUR);
        assert_int_equal(hub_time(x), x->f->clock);
    }
    assert_int_equal(drops(x), 0);
    assert_true(health_sees(x));
    assert_false(police_sees(x));
    wait(x, 7 * DAY);
    assert_false(health_sees(x));
    assert_true(police_sees(x));
}

static void a_clock_that_stays_where_it_jumped_to_is_believed_after_an_hour(void **state)
{
    struct scene *x = *state;
    wait(x, MINUTE);
    jump(x, 8 * DAY);
    wait(x, HOUR - 1);
    assert_true(health_sees(x));
    assert_false(police_sees(x));
    wait(x, 1);
    assert_false(health_sees(x));
    assert_true(police_sees(x));
    assert_int_equal(hub_time(x), x->f->clock);
    wait(x, 3 * DAY); /* and is no jump any more */
    assert_int_equal(hub_time(x), x->f->clock);
}

static void what_ends_in_that_hour_by_its_own_time_ends(void **state)
{
    struct scene *x = *state;
    wait(x, 7 * DAY - 10 * MINUTE);
    jump(x, 300 * DAY);
    wait(x, 9 * MINUTE);
    assert_true(health_sees(x));
    wait(x, MINUTE);
    assert_false(health_sees(x));
}

static void a_hub_that_was_off_for_a_weekend_acts_at_once(void **state)
{
    struct scene *x = *state;
    wait(x, 5 * DAY);
    x->f->clock += 3 * DAY;
    boot(x);
    ask(x);
    assert_false(health_sees(x));
    assert_int_equal(hub_time(x), x->f->clock);
}

static void a_hub_that_was_off_for_forty_days_acts_after_an_hour(void **state)
{
    struct scene *x = *state;
    x->f->clock += 40 * DAY;
    boot(x);
    ask(x);
    assert_true(health_sees(x));
    assert_false(police_sees(x));
    wait(x, HOUR - 1);
    assert_true(health_sees(x));
    wait(x, 1);
    assert_false(health_sees(x));
    assert_true(police_sees(x));
}

/* A command a minute, each a process of its own; then the same with the machine started anew in between. */
static void many_short_processes_share_the_hour(void **state)
{
    struct scene *x = *state;
    for (int boots = 0; boots < 2; boots++) {
        jump(x, (boots + 1) * 35 * DAY);
        restart(x);
        ask(x);
        for (int k = 0; k < 59; k++) {
            if (boots == 1 && k == 30)
                boot(x);
            else
                restart(x);
            wait(x, MINUTE);
            assert_int_equal(health_sees(x), boots == 0);
            assert_true(hub_time(x) < x->f->clock - 30 * DAY);
        }
        restart(x);
        wait(x, MINUTE);
        assert_false(health_sees(x));
        assert_int_equal(hub_time(x), x->f->clock);
    }
    assert_int_equal(hub_fixture_number(x->f, "SELECT count(*) FROM h_act WHERE act = 'clock went forward'"), 2);
}

static void a_fast_clock_of_short_processes_that_is_put_right_takes_nothing_away(void **state)
{
    struct scene *x = *state;
    restart(x);
    jump(x, YEAR);
    for (int k = 0; k < 10; k++) {
        restart(x);
        wait(x, MINUTE);
    }
    restart(x);
    jump(x, -YEAR);
    assert_int_equal(hub_time(x), x->f->clock);
    assert_true(health_sees(x));
    assert_int_equal(drops(x), 0);
}

/* A laptop that hosts a hub sleeps: its steady clock runs on. */
static void a_hub_that_slept_acts_when_it_wakes(void **state)
{
    struct scene *x = *state;
    wait(x, MINUTE);
    wait(x, 45 * DAY);
    assert_false(health_sees(x));
    assert_true(police_sees(x));
}

static void many_small_jumps_are_one(void **state)
{
    struct scene *x = *state;
    wait(x, MINUTE);
    for (int k = 0; k < 400; k++) {
        jump(x, 30 * MINUTE);
        wait(x, 1000);
        assert_true(k > 150 || health_sees(x));
    }
    assert_true(hub_time(x) < x->f->clock - 7 * DAY);
}

static void a_second_jump_begins_the_hour_anew(void **state)
{
    struct scene *x = *state;
    wait(x, MINUTE);
    jump(x, 3 * DAY);
    wait(x, 50 * MINUTE);
    jump(x, 20 * DAY);
    wait(x, 50 * MINUTE);
    assert_true(health_sees(x));
    assert_false(police_sees(x));
    restart(x);
    wait(x, 10 * MINUTE);
    assert_false(health_sees(x));
}

/* Doubted, and set to another time that is wrong too. */
static void a_jump_that_is_half_taken_back_is_doubted_anew(void **state)
{
    struct scene *x = *state;
    wait(x, MINUTE);
    jump(x, 10 * YEAR);
    wait(x, 50 * MINUTE);
    jump(x, -9 * YEAR);
    wait(x, 59 * MINUTE);
    assert_true(health_sees(x));
    wait(x, MINUTE);
    assert_false(health_sees(x));
}

/* The battery is flat: the hub starts in 2010 and is put right by the network. What had ended is not shown on for an
 * hour. */
static void a_clock_that_comes_back_to_where_it_was_is_believed_at_once(void **state)
{
    struct scene *x = *state;
    wait(x, 8 * DAY);
    assert_false(health_sees(x));
    for (int processes = 0; processes < 2; processes++) {
        int64_t now = x->f->clock;
        boot(x);
        x->f->clock = 1262304000000;
        ask(x);
        assert_false(health_sees(x)); /* nor shown again while it is wrong */
        x->f->steady += 5 * MINUTE;
        x->f->clock = now + 20 * DAY;
        if (processes == 1) restart(x);
        ask(x);
        assert_false(health_sees(x));
        assert_int_equal(hub_time(x), x->f->clock);
    }
    assert_int_equal(hub_fixture_number(x->f, "SELECT count(*) FROM h_act WHERE act <> 'clock went back'"), 0);
    assert_int_equal(hub_fixture_number(x->f, "SELECT count(*) FROM h_act"), 2);
}

/* Of a hub with several machines, one noted the doubt when it had just been started; the steady clock of the other has
 * run for months. Set back, and then forward by an hour, the clock is not believed by that: nothing that had ended is
 * shown again. */
static void the_steady_clock_of_another_machine_proves_no_hour(void **state)
{
    struct scene *x = *state;
    wait(x, 8 * DAY);
    assert_false(health_sees(x));
    boot(x);
    jump(x, -5 * DAY);
    assert_false(health_sees(x));
    restart(x);
    x->f->steady += 100 * DAY;
    ask(x);
    jump(x, HOUR);
    assert_false(health_sees(x));
    wait(x, 59 * MINUTE);
    assert_false(health_sees(x));
    wait(x, MINUTE); /* an hour by both of its own: it had run ahead before */
    assert_true(health_sees(x));
}

/* Whoever sets the hub's clock back gets nothing back that had ended, until it has stayed so for an hour: then it had
 * run ahead before. */
static void a_clock_that_is_set_back_brings_nothing_back_for_an_hour(void **state)
{
    struct scene *x = *state;
    wait(x, 8 * DAY);
    assert_false(health_sees(x));
    jump(x, -5 * DAY);
    ask(x);
    assert_false(health_sees(x));
    wait(x, 30 * MINUTE);
    restart(x);
    wait(x, 29 * MINUTE);
    assert_false(health_sees(x));
    wait(x, MINUTE);
    assert_true(health_sees(x));
}

/* The first transaction that sees the jump is given up: the next one must not take the jump for what always was. */
static void a_jump_is_not_believed_because_a_transaction_failed(void **state)
{
    struct scene *x = *state;
    for (int first = 0; first < 2; first++) {
        wait(x, 2 * HOUR);
        if (first == 1) boot(x);
        x->f->clock += 50 * DAY;
        assert_int_equal(hub_begin(&x->f->h, NULL), ERR_OK);
        hub_abort(&x->f->h);
        ask(x);
        assert_true(health_sees(x));
        wait(x, HOUR - 1);
        assert_true(health_sees(x));
        x->f->clock -= 50 * DAY;
    }
}

/* Without a steady clock nothing but a month's absence is doubted. */
static void a_hub_without_a_steady_clock_still_doubts_a_long_absence(void **state)
{
    struct scene *x = *state;
    x->f->env.steady_ms = NULL;
    restart(x);
    x->f->clock += 40 * DAY;
    ask(x);
    assert_true(health_sees(x));
    x->f->clock += HOUR;
    ask(x);
    assert_false(health_sees(x));
}

/* What is written in that hour bears the hub's time, not a date that may never come. */
static void what_is_served_while_a_jump_is_doubted_bears_the_time_from_before(void **state)
{
    struct scene *x = *state;
    int64_t before = x->f->clock;
    wait(x, MINUTE);
    jump(x, 10 * YEAR);
    hub_fixture_step(x->f);
    hub_fixture_set(x->f, "brief", x->brief, "summary", "more");
    hub_fixture_settle(x->f);
    hub_fixture_pull(x->f, x->gp, 1 << 20);
    assert_int_equal(hub_fixture_number(x->f, "SELECT max(served_at) FROM h_cut"), before + MINUTE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_clock_that_is_right_is_acted_upon_at_once),
        TEST(a_clock_that_is_fast_for_ten_minutes_takes_nothing_away_and_opens_nothing),
        TEST(a_clock_that_stays_where_it_jumped_to_is_believed_after_an_hour),
        TEST(what_ends_in_that_hour_by_its_own_time_ends),
        TEST(a_hub_that_was_off_for_a_weekend_acts_at_once),
        TEST(a_hub_that_was_off_for_forty_days_acts_after_an_hour),
        TEST(many_short_processes_share_the_hour),
        TEST(a_fast_clock_of_short_processes_that_is_put_right_takes_nothing_away),
        TEST(a_hub_that_slept_acts_when_it_wakes),
        TEST(many_small_jumps_are_one),
        TEST(a_second_jump_begins_the_hour_anew),
        TEST(a_jump_that_is_half_taken_back_is_doubted_anew),
        TEST(a_clock_that_comes_back_to_where_it_was_is_believed_at_once),
        TEST(the_steady_clock_of_another_machine_proves_no_hour),
        TEST(a_clock_that_is_set_back_brings_nothing_back_for_an_hour),
        TEST(a_jump_is_not_believed_because_a_transaction_failed),
        TEST(a_hub_without_a_steady_clock_still_doubts_a_long_absence),
        TEST(what_is_served_while_a_jump_is_doubted_bears_the_time_from_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
