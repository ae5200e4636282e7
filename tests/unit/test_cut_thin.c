/* Cuts of long ago go, and nobody finds that they are gone: hub/STORE.md, "Cuts". */
#include "hub/hub.h"
#include "tests/lib/disaster_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void must_line(enum err e, const struct why *why, const char *what, int line)
{
    if (e != ERR_OK) fail_msg("%s (line %d): %s: %s", what, line, err_word(e), why->text);
}
#define MUST(call) must_line(call, &why, #call, __LINE__)
#define DAY  (24LL * 60 * 60 * 1000)

/* As the server does once a minute. */
static void thins(void)
{
    struct why why = {0};
    bool done = false;
    while (!done) MUST(hub_cuts_continue(ends_hub->hub, &done, &why));
    MUST(hub_cuts_continue(ends_hub->hub, &done, &why));
    assert_true(done);
}

static int64_t cuts(const struct ends_node *n)
{
    return ends_count("SELECT count(*) FROM h_cut c JOIN h_node n ON n.no = c.node_no WHERE n.kid = $1", n->kid);
}

/* So many days, on each of which Ann changes something so many times, and these devices hear of it each time. */
static void life(struct ends_case *k, int days, int times, struct ends_node *a, struct ends_node *b)
{
    char name[80];
    (void)ends_sync(ann, ERR_OK); /* or it would be locked for want of contact */
    for (int d = 0; d < days; d++) {
        for (int i = 0; i < times; i++) {
            (void)snprintf(name, sizeof name, "Name %d of day %d of %d", i, d, (int)(ends_hub->now / DAY % 1000));
            (void)ends_write(ann, "person", k->person, "family_name", name);
            (void)ends_sync(ann, ERR_OK);
            (void)ends_sync(a, ERR_OK);
            (void)ends_sync(b, ERR_OK);
            ends_hub->now += 60000;
        }
        ends_hub->now += DAY - times * 60000;
    }
}

static void old_cuts_go_but_for_one_a_day_and_new_ones_stay(void **state)
{
    struct ends_case k;
    (void)state;
    ends_case(&k);
    life(&k, 30, 6, pol, sam);
    int64_t all = cuts(pol);
    assert_true(all >= 180);
    thins();
    assert_int_equal(cuts(pol), all); /* none is old */
    ends_hub->now += 80 * DAY;
    life(&k, 1, 1, pol, sam);
    thins();
    int64_t left = cuts(pol);
    assert_true(left < all - 80 && left >= 30);
    ends_hub->now += 40 * DAY;
    life(&k, 1, 1, pol, sam);
    thins();
    assert_true(cuts(pol) < 45);
    ends_same(pol);
    ends_same(sam);
}

/* Sam's device sleeps for half a year, with a change that he wrote before and never sent; Pat's stands in the middle of
 * what it is given, and sleeps too. */
static void a_slow_device_still_gets_a_whole_answer_and_its_old_work_is_judged_as_of_then(void **state)
{
    struct ends_case k, more[3];
    struct why why = {0};
    (void)state;
    ends_case(&k);
    life(&k, 5, 5, sam, pol);
    (void)ends_write(sam, "person", k.person, "given_names", "Written long ago");
    (void)ends_write(ann, "person", k.person, "given_names", "Written meanwhile"); /* by who did not know of it */
    (void)ends_sync(ann, ERR_OK);
    for (size_t i = 0; i < 3; i++) {
        env_new_id(&ends_hub->env, more[i].c);
        ends_own_case(more[i].c, false);
        ends_share(more[i].c, more[i].parts[0], "police", "");
    }
    pat->budget = 1;
    pat->rounds = 1;
    (void)ends_sync(pat, ERR_OK);
    life(&k, 5, 5, pol, ada);
    ends_hub->now += 100 * DAY;
    life(&k, 5, 5, pol, ada);
    int64_t before = cuts(pol), slow = cuts(sam);
    thins();
    assert_true(cuts(pol) < before);
    assert_int_equal(cuts(sam), slow); /* it may write upon any of them still */
    ends_hub->now += 100 * DAY;
    thins();
    pat->budget = 0;
    pat->rounds = 0;
    (void)ends_sync(pat, ERR_OK);
    ends_same(pat);
    assert_true(lost_holds(pat, "case_file", more[0].c) && lost_holds(pat, "case_file", more[2].c));
    (void)ends_sync(sam, ERR_OK);
    (void)ends_sync(sam, ERR_OK);
    ends_same(sam);
    assert_int_equal(ends_count("SELECT count(*) FROM conflict WHERE row_id = $1 AND col = 'given_names'", k.person), 1);
    MUST(hub_verify(ends_hub->hub, &why));
}

/* What was served a year ago, and is taken back today, is ordered forgotten from whoever had it, and from nobody
 * else. */
static void what_was_given_long_ago_is_ordered_forgotten_all_the_same(void **state)
{
    struct ends_case k;
    uint8_t note[16];
    (void)state;
    ends_case(&k);
    ends_note(ann, k.c, note, "open", "given long ago");
    (void)ends_sync(ann, ERR_OK);
    life(&k, 10, 5, pol, sam);
    ends_hub->now += 200 * DAY;
    life(&k, 2, 2, pol, sam);
    int64_t before = cuts(sam);
    thins();
    assert_true(cuts(sam) < before);
    (void)ends_sync(ann, ERR_OK);
    ends_access(k.parts[1], "none");
    (void)ends_sync(sam, ERR_OK);
    (void)ends_sync(sam, ERR_OK);
    assert_false(lost_holds(sam, "record", note) || lost_holds(sam, "case_file", k.c));
    assert_true(lost_holds(pol, "record", note));
    ends_same(sam);
    assert_int_equal(ends_count("SELECT count(*) FROM h_drop d JOIN h_row r ON r.no = d.row_no WHERE r.id = $1", note), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(old_cuts_go_but_for_one_a_day_and_new_ones_stay, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(a_slow_device_still_gets_a_whole_answer_and_its_old_work_is_judged_as_of_then, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(what_was_given_long_ago_is_ordered_forgotten_all_the_same, lost_start, lost_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
