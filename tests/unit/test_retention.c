/* Closed cases leave partners, and later everybody; nothing does so by accident. hub/RETENTION.md. */
#include "hub/retention.h"
#include "tests/lib/intake_fixture.h"
#include "tests/lib/policy_variant.h"
#include "tests/lib/test_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DAY (24LL * 60 * 60 * 1000)

static void times(int64_t partners, int64_t lead, int64_t erase)
{
    struct why why = {0};
    const struct retention_days d = {partners, lead, erase};
    enum err e = hub_retention_set(hub->hub, &d, "the retention schedule of the partnership", &why);
    if (e != ERR_OK && e != ERR_EXISTS) fail_msg("%s", why.text);
}

/* As the server does between exchanges. */
static void go_on(void)
{
    struct why why = {0};
    bool done = false;
    while (!done)
        if (hub_retention_continue(hub->hub, 10, NULL, &done, &why) != ERR_OK) fail_msg("%s", why.text);
}

/* A day at a time: a hub that serves wakes more often than that. */
static void days(int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        hub->now += DAY;
        go_on();
    }
}

static void closes(const uint8_t c[16])
{
    says(change_from(carla, "case_file", c, "status", "new", "closed"), VERDICT_APPLIED, NULL);
}

static void closed_case(uint8_t c[16])
{
    shared_case(c);
    closes(c);
    everybody_pulls();
}

static bool sees(const char *site, const uint8_t c[16])
{
    struct why why = {0};
    bool mask = false, view = false;
    assert_int_equal(hub_sees(hub->hub, site, "case_file", c, &mask, &view, &why), ERR_OK);
    assert_int_equal(mask, view);
    return mask;
}

static void nothing_leaves_a_hub_that_was_told_no_times(void **state)
{
    uint8_t c[16];
    (void)state;
    closed_case(c);
    days(400);
    everybody_pulls();
    assert_true(sees("police-hq", c) && sees("school-1", c) && sees("care-mash", c));
    verifies();
}

static void a_closed_case_leaves_partners_when_its_time_has_come_and_its_keepers_stay(void **state)
{
    uint8_t c[16], open[16];
    (void)state;
    times(10, 0, 0);
    closed_case(c);
    shared_case(open);
    days(9);
    assert_true(sees("police-hq", c));
    fake_node_round(sue);
    days(2);
    fake_node_round(sue);
    assert_true(sue->n_drops > 0);
    assert_false(sees("police-hq", c) || sees("school-1", c));
    assert_true(sees("care-mash", c));
    assert_true(sees("police-hq", open) && sees("school-1", open));
    verifies();
    times(0, 0, 0);
    go_on();
    assert_true(sees("police-hq", c)); /* never: then it is theirs again */
    verifies();
}

static void a_case_opened_again_comes_back_whole(void **state)
{
    uint8_t c[16];
    (void)state;
    times(10, 0, 0);
    closed_case(c);
    days(11);
    everybody_pulls();
    assert_false(sees("school-1", c));
    says(change_from(carla, "case_file", c, "status", "closed", "gathering"), VERDICT_APPLIED, NULL);
    assert_true(sees("school-1", c));
    fake_node_round(sue);
    assert_true(fake_node_got(sue, "case_file", c));
    days(30);
    assert_true(sees("school-1", c)); /* it is open */
    says(change_from(carla, "case_file", c, "status", "gathering", "closed"), VERDICT_APPLIED, NULL);
    days(9);
    assert_true(sees("school-1", c)); /* and counts from the second closing */
    days(2);
    assert_false(sees("school-1", c));
    verifies();
}

static void what_a_partner_had_not_sent_is_held_and_nothing_of_it_is_lost(void **state)
{
    uint8_t c[16], p[16], held[16];
    struct fake_edit e;
    (void)state;
    times(10, 20, 0);
    closed_case(c);
    struct op person = fake_person(sue, p, c, "Winter");
    fake_edit_start(&e);
    fake_put(&e, &person);
    uint64_t seq = fake_commit(sue, &e); /* queued, and her device stays off */
    days(25);
    assert_false(sees("school-1", c) || sees("care-mash", c));
    verifies();
    fake_node_round(sue);
    says(fake_verdict_on(sue, seq), VERDICT_HELD, NULL);
    assert_true(sees("care-mash", c)); /* somebody must decide it: it is the keepers' again */
    assert_false(sees("school-1", c));
    days(60);
    assert_true(sees("care-mash", c));
    everybody_pulls();
    id_of("SELECT id FROM held WHERE case_id = $1 AND state = 'waiting'", c, held);
    says(change(mona, "held", held, "state", "accepted"), VERDICT_APPLIED, NULL);
    assert_true(at_hub("person", p));
    days(21);
    assert_false(sees("care-mash", c));
    verifies();
}

static void a_hold_keeps_it_where_it_is_and_brings_it_back_to_its_keepers_alone(void **state)
{
    struct why why = {0};
    uint8_t c[16], d[16];
    (void)state;
    times(10, 20, 0);
    closed_case(c);
    closed_case(d);
    assert_int_equal(hub_retention_hold(hub->hub, c, "", &why), ERR_USAGE);
    assert_int_equal(hub_retention_hold(hub->hub, c, "public inquiry", &why), ERR_OK);
    assert_int_equal(hub_retention_hold(hub->hub, c, "public inquiry", &why), ERR_EXISTS);
    days(30);
    assert_true(sees("school-1", c) && sees("care-mash", c));
    assert_false(sees("school-1", d) || sees("care-mash", d));
    assert_int_equal(hub_retention_hold(hub->hub, d, "public inquiry", &why), ERR_OK);
    go_on();
    assert_true(sees("care-mash", d));
    assert_false(sees("school-1", d));
    assert_int_equal(hub_retention_release(hub->hub, c, "the inquiry is over", &why), ERR_OK);
    assert_int_equal(hub_retention_release(hub->hub, d, "the inquiry is over", &why), ERR_OK);
    go_on();
    assert_false(sees("school-1", c) || sees("care-mash", c) || sees("care-mash", d));
    verifies();
}

/* What the store could not do is told as that: not as if there had been nothing to release. */
static void a_release_that_the_store_refuses_is_not_said_to_be_of_a_case_that_is_not_held(void **state)
{
    struct why why = {0};
    uint8_t c[16];
    (void)state;
    closed_case(c);
    for (int i = 0; i < 2; i++) { /* on PostgreSQL a write is waited for when it is made first */
        assert_int_equal(hub_retention_hold(hub->hub, c, "public inquiry", &why), ERR_OK);
        if (i == 0) assert_int_equal(hub_retention_release(hub->hub, c, "the inquiry is over", &why), ERR_OK);
    }
    assert_int_equal(db_exec(hub_db(hub->hub),
                             test_store_sql("CREATE TRIGGER keeps_it BEFORE DELETE ON h_hold BEGIN SELECT RAISE(ABORT, 'no'); END",
                                            "CREATE TABLE keeps_it(case_id BLOB PRIMARY KEY REFERENCES h_hold(case_id)); INSERT INTO "
                                            "keeps_it(case_id) SELECT case_id FROM h_hold"),
                             &why),
                     ERR_OK);
    assert_int_equal(hub_retention_release(hub->hub, c, "the inquiry is over", &why), ERR_FAILED);
    assert_non_null(strstr(why.text, "The store refused"));
    assert_int_equal(db_exec(hub_db(hub->hub), test_store_sql("DROP TRIGGER keeps_it", "DROP TABLE keeps_it"), &why), ERR_OK);
    assert_int_equal(hub_retention_release(hub->hub, c, "the inquiry is over", &why), ERR_OK);
    assert_int_equal(hub_retention_release(hub->hub, c, "the inquiry is over", &why), ERR_NOTFOUND);
}

/* As a policy goes through its phases: what has left is nobody's under either. */
static void another_policy_gives_back_nothing_that_has_left(void **state)
{
    static const struct policy_variant wider = {.more = "SELECT site, case_id, 'room' FROM site_access0 WHERE access = 3"};
    struct why why = {0};
    uint8_t c[16], open[16];
    bool done = false;
    char *text = policy_variant_text(&wider), *own = policy_variant_text(&(struct policy_variant){0});
    (void)state;
    times(10, 0, 0);
    closed_case(c);
    shared_case(open);
    days(11);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(hub_policy_apply(hub->hub, bytes_of_str(i == 0 ? text : own), "tried", &why), ERR_OK);
        for (done = false; !done;) {
            assert_int_equal(hub_policy_continue(hub->hub, 1, &done, &why), ERR_OK);
            assert_false(sees("school-1", c) || sees("police-hq", c));
            assert_true(sees("care-mash", c) && sees("school-1", open));
        }
        verifies();
    }
    free(text);
    free(own);
}

/* Nor do a part that is given anew, a new site, another lead agency. */
static void nothing_but_opening_it_gives_it_back(void **state)
{
    static const char *const north[] = {"north"};
    const struct hub_site late = {"school-9", "school", "Late school", "partner", NULL, north, 1};
    struct why why = {0};
    uint8_t c[16], part[16];
    (void)state;
    times(10, 0, 0);
    closed_case(c);
    days(11);
    struct op op = part_of(carla, part, c, "school", "contribute");
    says(send_one(carla, &op), VERDICT_APPLIED, NULL);
    assert_false(sees("school-1", c));
    if (!fake_hub_int(hub, "SELECT count(*) FROM site WHERE code = 'school-9'"))
        assert_int_equal(hub_add_site(hub->hub, &late, &why), ERR_OK);
    assert_false(sees("school-9", c));
    says(change_from(mona, "case_file", c, "lead_agency", "care", "police"), VERDICT_APPLIED, NULL);
    assert_true(sees("police-hq", c)); /* it is a keeper now */
    assert_false(sees("school-1", c));
    verifies();
}

static void a_clock_put_right_gives_back_what_it_took(void **state)
{
    uint8_t c[16];
    (void)state;
    times(10, 0, 0);
    closed_case(c);
    int64_t was = hub->now;
    days(20);
    assert_false(sees("school-1", c));
    hub->now = was + DAY;
    everybody_pulls();
    assert_false(sees("school-1", c));
    hub->now += 2 * 60 * 60 * 1000; /* by then what it says holds */
    everybody_pulls();
    go_on();
    assert_true(sees("school-1", c));
    verifies();
}

static bool announced(const uint8_t c[16])
{
    return count_in("SELECT count(*) FROM h_retention r JOIN h_case k ON k.no = r.case_no WHERE k.id = $1 AND r.told_at IS NOT NULL",
                    c) == 1;
}

/* Whatever becomes of the times, there is a month between the word and the deed; and no deed without a word. */
static void every_erasure_is_announced_a_month_before(void **state)
{
    uint8_t c[16];
    (void)state;
    times(0, 0, 60);
    closed_case(c);
    days(29);
    assert_false(announced(c));
    days(2);
    assert_true(announced(c));
    times(0, 0, 400); /* not yet, after all: announced anew when it comes */
    go_on();
    assert_false(announced(c));
    days(330);
    assert_true(at_hub("case_file", c) && !announced(c));
    days(20);
    assert_true(at_hub("case_file", c) && announced(c));
    times(0, 0, 30); /* at once, by the days: but not before a month is over since it was said */
    days(5);
    assert_true(at_hub("case_file", c));
    days(30);
    assert_false(at_hub("case_file", c));
    times(0, 0, 0);
    go_on();
    verifies();
}

static void times_that_contradict_each_other_are_refused(void **state)
{
    static const struct retention_days bad[] = {{0, 5, 0},  {10, 5, 0}, {0, 0, 29},     {40, 0, 39},
                                                {10, 50, 49}, {-1, 0, 0}, {0, 0, 36501}};
    struct why why = {0};
    (void)state;
    times(0, 0, 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(hub_retention_set(hub->hub, &bad[i], "why", &why), ERR_USAGE);
    assert_int_equal(hub_retention_set(hub->hub, &(struct retention_days){5, 0, 0}, NULL, &why), ERR_USAGE);
    assert_int_equal(fake_hub_int(hub, "SELECT count(*) FROM retention WHERE days > 0"), 0);
}

/* Until what the clock says now is believed. */
static void hours(int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        hub->now += DAY / 24;
        everybody_pulls();
        go_on();
    }
}

/* A machine with a flat battery begins years ago, serves a while, and is put right: nothing was closed that long
 * ago. */
static void a_clock_that_fell_back_for_a_while_makes_no_case_old(void **state)
{
    uint8_t before[16], after[16];
    (void)state;
    times(0, 0, 3650);
    closed_case(before);
    days(5);
    int64_t was = hub->now;
    hub->now -= 7000 * DAY;
    hours(3);
    hub->now = was + 2 * DAY;
    hours(3);
    days(40);
    assert_true(at_hub("case_file", before) && !announced(before));
    times(0, 0, 0);
    closed_case(after); /* of no times: counted from its last step, by what the clock said then */
    was = hub->now;
    hub->now -= 7000 * DAY;
    hours(3);
    hub->now = was + 2 * DAY;
    hours(3);
    times(0, 0, 3650);
    days(40);
    assert_true(at_hub("case_file", after) && !announced(after));
    times(0, 0, 0);
    go_on();
    verifies();
}

/* From now on: ten days for partners, twenty for keepers, sixty in all. */
static void is_kept_for_its_times(const uint8_t c[16])
{
    days(8);
    assert_true(sees("school-1", c) && sees("care-mash", c));
    days(3);
    assert_true(!sees("school-1", c) && sees("care-mash", c));
    days(10);
    assert_false(sees("care-mash", c));
    assert_false(announced(c));
    days(30);
    assert_true(announced(c) && at_hub("case_file", c));
    days(12);
    assert_false(at_hub("case_file", c));
    times(0, 0, 0);
    go_on();
    verifies();
}

/* What is closed meanwhile is as old as the moment in which the clock was put right: partners keep it for their time,
 * and the keepers for theirs. */
static void a_case_closed_while_the_clock_was_years_behind_is_kept_as_long_as_any(void **state)
{
    uint8_t c[16];
    (void)state;
    times(10, 20, 60);
    int64_t was = hub->now;
    hub->now -= 7000 * DAY;
    hours(3);
    closed_case(c);
    hub->now = was + 2 * DAY;
    hours(3);
    is_kept_for_its_times(c);
}

/* A machine with a flat battery begins in the same year long past each time that it is started. */
static void nor_does_a_clock_that_falls_back_twice_before_it_is_put_right(void **state)
{
    uint8_t c[16];
    (void)state;
    times(10, 20, 60);
    int64_t was = hub->now;
    hub->now -= 7000 * DAY;
    hours(3);
    int64_t started = hub->now;
    days(2);
    hub->now = started;
    hours(3);
    days(3); /* past where it was when it fell back again */
    closed_case(c);
    hub->now = was + 9 * DAY;
    hours(3);
    is_kept_for_its_times(c);
}

/* The month of notice is one in which the hub was at work: no second jump, and no standing still, uses it up. */
static void a_second_jump_of_the_clock_does_not_use_up_the_notice(void **state)
{
    uint8_t c[16];
    (void)state;
    times(0, 0, 3650);
    closed_case(c);
    days(5);
    hub->now += 4000 * DAY;
    hours(3);
    assert_true(announced(c));
    hub->now += 4000 * DAY;
    hours(3);
    assert_true(at_hub("case_file", c) && announced(c));
    days(28);
    assert_true(at_hub("case_file", c));
    days(4); /* also where no device comes */
    assert_false(at_hub("case_file", c));
    times(0, 0, 0);
    go_on();
    verifies();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_leaves_a_hub_that_was_told_no_times),
        cmocka_unit_test(a_closed_case_leaves_partners_when_its_time_has_come_and_its_keepers_stay),
        cmocka_unit_test(a_case_opened_again_comes_back_whole),
        cmocka_unit_test(what_a_partner_had_not_sent_is_held_and_nothing_of_it_is_lost),
        cmocka_unit_test(a_hold_keeps_it_where_it_is_and_brings_it_back_to_its_keepers_alone),
        cmocka_unit_test(a_release_that_the_store_refuses_is_not_said_to_be_of_a_case_that_is_not_held),
        cmocka_unit_test(another_policy_gives_back_nothing_that_has_left),
        cmocka_unit_test(nothing_but_opening_it_gives_it_back),
        cmocka_unit_test(a_clock_put_right_gives_back_what_it_took),
        cmocka_unit_test(every_erasure_is_announced_a_month_before),
        cmocka_unit_test(times_that_contradict_each_other_are_refused),
        cmocka_unit_test(a_clock_that_fell_back_for_a_while_makes_no_case_old),
        cmocka_unit_test(a_case_closed_while_the_clock_was_years_behind_is_kept_as_long_as_any),
        cmocka_unit_test(nor_does_a_clock_that_falls_back_twice_before_it_is_put_right),
        cmocka_unit_test(a_second_jump_of_the_clock_does_not_use_up_the_notice),
    };
    return cmocka_run_group_tests(tests, intake_start, intake_stop);
}
