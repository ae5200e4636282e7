#include "hub/merge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char rag[] = "blue<green<amber<red";

static struct merge_input meet(enum merge_policy p, const char *arg, struct value ours, uint64_t our_hlc,
                               struct value theirs, uint64_t their_hlc)
{
    return (struct merge_input){.ours = {.value = ours, .hlc = our_hlc},
                                .theirs = {.value = theirs, .hlc = their_hlc},
                                .concurrent = true,
                                .policy = p,
                                .arg = arg};
}

/* Whoever arrives first, the same value stands. */
static void stands(struct merge_input in, struct value want)
{
    struct merge_input turned = in;
    turned.ours = in.theirs;
    turned.theirs = in.ours;
    enum merge_result a = merge_column(&in), b = merge_column(&turned);
    assert_true(a == MERGE_TAKE_RULED || a == MERGE_KEEP_RULED);
    assert_true(b == MERGE_TAKE_RULED || b == MERGE_KEEP_RULED);
    assert_true(value_equal(a == MERGE_TAKE_RULED ? in.theirs.value : in.ours.value, want));
    assert_true(value_equal(b == MERGE_TAKE_RULED ? turned.theirs.value : turned.ours.value, want));
}

static void same_values_are_no_conflict(void **state)
{
    (void)state;
    for (enum merge_policy p = MERGE_LWW; p <= MERGE_ESCALATE; p++) {
        struct merge_input in = meet(p, rag, value_str("red"), 1, value_str("red"), 2);
        assert_int_equal(merge_column(&in), MERGE_SAME);
        in.concurrent = false;
        assert_int_equal(merge_column(&in), MERGE_SAME);
    }
}

static void what_is_not_concurrent_is_taken_by_every_policy(void **state)
{
    (void)state;
    for (enum merge_policy p = MERGE_LWW; p <= MERGE_ESCALATE; p++) {
        struct merge_input in = meet(p, rag, value_str("red"), 9, value_str("blue"), 1);
        in.ours.authority = true;
        in.concurrent = false;
        assert_int_equal(merge_column(&in), MERGE_TAKE); /* who saw the graver value may lower it */
    }
}

static void the_later_wins_and_a_tie_goes_to_the_greater_value(void **state)
{
    (void)state;
    stands(meet(MERGE_LWW, NULL, value_str("a"), 2, value_str("b"), 1), value_str("a"));
    stands(meet(MERGE_LWW, NULL, value_str("a"), 1, value_str("b"), 2), value_str("b"));
    stands(meet(MERGE_LWW, NULL, value_str("a"), 5, value_str("b"), 5), value_str("b"));
    stands(meet(MERGE_LWW, NULL, value_str("ab"), 5, value_str("a"), 5), value_str("ab"));
    stands(meet(MERGE_LWW, NULL, value_int(-3), 5, value_int(2), 5), value_int(2));
    stands(meet(MERGE_LWW, NULL, value_null(), 5, value_str("a"), 6), value_str("a"));
    stands(meet(MERGE_LWW, NULL, value_null(), 7, value_str("a"), 6), value_null());
    struct merge_input tie = meet(MERGE_LWW, NULL, value_null(), 6, value_str("a"), 6);
    stands(tie, merge_column(&tie) == MERGE_TAKE_RULED ? value_str("a") : value_null());
}

static void the_graver_wins_whatever_the_clock_says(void **state)
{
    (void)state;
    stands(meet(MERGE_MAX, rag, value_str("red"), 1, value_str("green"), 9), value_str("red"));
    stands(meet(MERGE_MAX, rag, value_str("blue"), 9, value_str("amber"), 1), value_str("amber"));
    stands(meet(MERGE_STRICTEST, "0<1", value_int(0), 9, value_int(1), 1), value_int(1));
    stands(
        meet(MERGE_STRICTEST, "given<not_sought<refused<withdrawn", value_str("given"), 9, value_str("withdrawn"), 1),
        value_str("withdrawn"));
    stands(meet(MERGE_STRICTEST, "contribute<view<check<none", value_str("none"), 1, value_str("contribute"), 9),
           value_str("none"));
}

static void words_that_the_order_does_not_know_lose(void **state)
{
    (void)state;
    stands(meet(MERGE_MAX, rag, value_str("mauve"), 9, value_str("blue"), 1), value_str("blue"));
    stands(meet(MERGE_MAX, rag, value_null(), 9, value_str("blue"), 1), value_str("blue"));
    /* two that the order does not know: always the same one, whatever the clocks say */
    stands(meet(MERGE_STRICTEST, NULL, value_str("x"), 9, value_str("y"), 1), value_str("y"));
    stands(meet(MERGE_STRICTEST, NULL, value_str("y"), 1, value_str("x"), 9), value_str("y"));
    stands(meet(MERGE_MAX, rag, value_str("mauve"), 1, value_null(), 2), value_null());
    stands(meet(MERGE_MAX, rag, value_str("mauve"), 2, value_null(), 1), value_null());
}

static void authority_wins_and_among_equals_a_person_decides(void **state)
{
    (void)state;
    struct merge_input in = meet(MERGE_AUTHORITY, "social_care", value_str("a"), 9, value_str("b"), 1);
    in.theirs.authority = true;
    stands(in, value_str("b"));
    in.ours.authority = true;
    assert_int_equal(merge_column(&in), MERGE_KEEP_OPEN);
    in.theirs.authority = false;
    in.theirs.hlc = 99;
    stands(in, value_str("a"));
    in.ours.authority = false;
    assert_int_equal(merge_column(&in), MERGE_KEEP_OPEN);
}

static void escalate_keeps_the_hubs_value_until_a_person_decides(void **state)
{
    (void)state;
    struct merge_input in = meet(MERGE_ESCALATE, NULL, value_str("a"), 1, value_str("b"), 99);
    in.theirs.authority = true;
    assert_int_equal(merge_column(&in), MERGE_KEEP_OPEN);
}

/* That it moved is what counts, not what it moved to; how that is found is test_intake's. */
static void a_value_that_moved_is_judged_whatever_it_moved_to(void **state)
{
    (void)state;
    struct merge_input in = meet(MERGE_ESCALATE, NULL, value_str("A"), 5, value_str("C"), 9);
    assert_int_equal(merge_column(&in), MERGE_KEEP_OPEN);
    in.policy = MERGE_LWW;
    stands(in, value_str("C"));
    in.theirs.value = value_str("A");
    assert_int_equal(merge_column(&in), MERGE_SAME);
}

/* Three writers of one base, in every order of arrival: one outcome. */
static void three_writers_end_alike_in_every_order(void **state)
{
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    static const enum merge_policy policies[] = {MERGE_LWW, MERGE_MAX, MERGE_AUTHORITY};
    struct merge_side sides[3] = {{.value = value_str("amber"), .hlc = 7},
                                  {.value = value_str("red"), .hlc = 7},
                                  {.value = value_str("blue"), .hlc = 8, .authority = true}};
    (void)state;
    for (size_t p = 0; p < 3; p++) {
        struct value first = value_none();
        for (size_t o = 0; o < 6; o++) {
            struct merge_side stand = sides[orders[o][0]];
            for (size_t i = 1; i < 3; i++) {
                struct merge_input in = {.ours = stand,
                                         .theirs = sides[orders[o][i]],
                                         .concurrent = true,
                                         .policy = policies[p],
                                         .arg = rag};
                if (merge_column(&in) == MERGE_TAKE_RULED) stand = in.theirs;
            }
            if (o == 0) first = stand.value;
            assert_true(value_equal(first, stand.value));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_values_are_no_conflict),
        cmocka_unit_test(what_is_not_concurrent_is_taken_by_every_policy),
        cmocka_unit_test(the_later_wins_and_a_tie_goes_to_the_greater_value),
        cmocka_unit_test(the_graver_wins_whatever_the_clock_says),
        cmocka_unit_test(words_that_the_order_does_not_know_lose),
        cmocka_unit_test(authority_wins_and_among_equals_a_person_decides),
        cmocka_unit_test(escalate_keeps_the_hubs_value_until_a_person_decides),
        cmocka_unit_test(a_value_that_moved_is_judged_whatever_it_moved_to),
        cmocka_unit_test(three_writers_end_alike_in_every_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
