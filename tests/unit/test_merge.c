/* Two words for one column: every policy, concurrent or not, from the same chain or another. Whole registers with
 * random histories are test_merge_orders'. */
#include "hub/merge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char rag[] = "blue<green<amber<red";

enum { A = 1, B = 2, C = 3 }; /* chains */

/* What stands is of chain B and came at 10; chain A wrote upon 5, and changed what stood then. */
static struct merge_input meet(enum merge_policy p, const char *arg, struct value ours, uint64_t our_hlc,
                               struct value theirs, uint64_t their_hlc)
{
    return (struct merge_input){
        .ours = {.value = ours, .chain = B, .version = 10, .hlc = our_hlc},
        .theirs = {.word = {.value = theirs, .chain = A, .version = 11, .hlc = their_hlc}, .base = ours, .seen = 5},
        .clashes = true,
        .policy = p,
        .arg = arg};
}

static struct merge_input turn(struct merge_input in)
{
    struct merge_input t = in;
    t.ours = in.theirs.word;
    t.ours.version = in.ours.version;
    t.theirs.word = in.ours;
    t.theirs.base = t.ours.value;
    return t;
}

/* Whoever arrives first, the same value stands, and the two are kept as the same pair. */
static void stands(struct merge_input in, struct value want)
{
    struct merge_input turned = turn(in);
    struct merge_result a = merge_column(&in), b = merge_column(&turned);
    assert_int_equal(a.clash, MERGE_RULED);
    assert_int_equal(b.clash, MERGE_RULED);
    assert_true(value_equal(a.value, want));
    assert_true(value_equal(b.value, want));
    assert_true(a.write != b.write);
    assert_int_equal(a.stands, a.write ? MERGE_THEIRS : MERGE_OURS);
    assert_int_equal(a.loser, a.write ? MERGE_OURS : MERGE_THEIRS);
    assert_int_equal(a.kept, a.loser);
    assert_int_equal(a.outcome, a.write ? MERGE_APPLIED : MERGE_CONFLICTED);
    assert_int_equal(b.stands, a.write ? MERGE_OURS : MERGE_THEIRS);
}

static void stays_open(struct merge_input in)
{
    struct merge_result r = merge_column(&in);
    assert_int_equal(r.clash, MERGE_OPEN);
    assert_int_equal(r.outcome, MERGE_CONFLICTED);
    assert_int_equal(r.stands, MERGE_OURS);
    assert_int_equal(r.loser, MERGE_THEIRS);
    assert_int_equal(r.kept, MERGE_THEIRS);
    assert_true(value_equal(r.value, in.ours.value));
    assert_false(r.write);
}

static void is_taken(struct merge_input in)
{
    struct merge_result r = merge_column(&in);
    assert_int_equal(r.outcome, MERGE_APPLIED);
    assert_int_equal(r.clash, MERGE_NONE);
    assert_int_equal(r.stands, MERGE_THEIRS);
    assert_int_equal(r.kept, MERGE_NOBODY);
    assert_true(value_equal(r.value, in.theirs.word.value));
    assert_true(r.write);
}

/* ---- every policy, with every pair of kinds of value: what must be ---- */
enum pair { FIRST, SECOND, UNDECIDED, ALIKE }; /* which of the two stands when they are concurrent */
static const struct {
    enum merge_policy policy;
    const char *arg, *first, *second; /* NULL: SQL NULL */
    uint64_t first_hlc, second_hlc;
    bool first_authority, second_authority;
    enum pair want;
} pairs[] = {
    {MERGE_LWW, NULL, "a", "b", 2, 1, 0, 0, FIRST},
    {MERGE_LWW, NULL, "a", "b", 1, 2, 0, 0, SECOND},
    {MERGE_LWW, NULL, "a", "b", 5, 5, 0, 0, SECOND},
    {MERGE_LWW, NULL, "ab", "a", 5, 5, 0, 0, FIRST},
    {MERGE_LWW, NULL, NULL, "a", 5, 6, 0, 0, SECOND},
    {MERGE_LWW, NULL, NULL, "a", 7, 6, 0, 0, FIRST},
    {MERGE_LWW, NULL, NULL, "a", 6, 6, 0, 0, FIRST},
    {MERGE_LWW, NULL, "a", "a", 5, 5, 0, 0, ALIKE},
    {MERGE_LWW, NULL, "a", "b", 9, 1, 0, 1, FIRST},
    {MERGE_LWW, NULL, NULL, NULL, 5, 5, 0, 0, ALIKE},
    {MERGE_MAX, rag, "red", "green", 1, 9, 0, 1, FIRST},
    {MERGE_MAX, rag, "blue", "amber", 9, 1, 1, 0, SECOND},
    {MERGE_MAX, rag, "mauve", "blue", 9, 1, 0, 0, SECOND},
    {MERGE_MAX, rag, NULL, "blue", 9, 1, 0, 0, SECOND},
    {MERGE_MAX, rag, "mauve", NULL, 1, 2, 0, 0, SECOND},
    {MERGE_MAX, rag, "mauve", NULL, 2, 1, 0, 0, SECOND},
    {MERGE_MAX, rag, "mauve", "pink", 9, 1, 0, 0, SECOND},
    {MERGE_MAX, rag, "red", "red", 9, 1, 0, 1, ALIKE},
    {MERGE_MAX, NULL, "red", "blue", 9, 1, 0, 0, FIRST},
    {MERGE_MAX, rag, "mauve", "mauve", 1, 2, 0, 0, ALIKE},
    {MERGE_STRICTEST, "given<refused<withdrawn", "given", "withdrawn", 9, 1, 0, 0, SECOND},
    {MERGE_STRICTEST, "contribute<view<check<none", "none", "contribute", 1, 9, 0, 0, FIRST},
    {MERGE_STRICTEST, NULL, "x", "y", 9, 1, 0, 0, SECOND},
    {MERGE_STRICTEST, "x<y", NULL, NULL, 9, 1, 0, 0, ALIKE},
    {MERGE_AUTHORITY, "lead", "a", "b", 9, 1, 0, 1, SECOND},
    {MERGE_AUTHORITY, "lead", "a", "b", 1, 9, 1, 0, FIRST},
    {MERGE_AUTHORITY, "lead", "a", "b", 9, 1, 1, 1, UNDECIDED},
    {MERGE_AUTHORITY, "lead", "b", "a", 1, 9, 0, 0, UNDECIDED},
    {MERGE_AUTHORITY, "lead", NULL, "b", 9, 1, 1, 0, FIRST},
    {MERGE_AUTHORITY, "lead", "a", "a", 9, 1, 0, 1, ALIKE},
    {MERGE_ESCALATE, NULL, "a", "b", 1, 99, 0, 1, UNDECIDED},
    {MERGE_ESCALATE, NULL, NULL, "b", 9, 1, 1, 0, UNDECIDED},
    {MERGE_ESCALATE, NULL, "a", NULL, 9, 1, 0, 0, UNDECIDED},
    {MERGE_ESCALATE, NULL, "a", "a", 1, 9, 0, 0, ALIKE},
};
#define PAIRS (sizeof pairs / sizeof pairs[0])

static struct merge_input pair(size_t i)
{
    struct merge_input in = meet(pairs[i].policy, pairs[i].arg, value_str(pairs[i].first), pairs[i].first_hlc,
                                 value_str(pairs[i].second), pairs[i].second_hlc);
    in.ours.authority = pairs[i].first_authority;
    in.theirs.word.authority = pairs[i].second_authority;
    return in;
}

static void judged(struct merge_input in, enum pair want)
{
    if (want == FIRST) stands(in, in.ours.value);
    if (want == SECOND) stands(in, in.theirs.word.value);
    if (want == UNDECIDED) {
        stays_open(in);
        stays_open(turn(in)); /* the first to come stays, whoever that is */
    }
}

static void concurrent_words_are_judged_by_the_policy_in_either_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < PAIRS; i++) judged(pair(i), pairs[i].want);
}

/* That it moved is what counts, not what it moved to: changed and changed back is a word too. */
static void a_value_that_moved_since_the_cut_is_judged_though_it_is_what_the_author_changed(void **state)
{
    struct merge_input in = meet(MERGE_ESCALATE, NULL, value_str("A"), 5, value_str("C"), 9);
    (void)state;
    stays_open(in);
    in.theirs.seen = 9;
    stays_open(in);
    in.theirs.seen = 10;
    is_taken(in);
}

/* An own edit lay over it, or a new row met one: the cut says that it was there to be seen, the base that it was
 * not. */
static void a_value_that_the_author_did_not_change_is_judged_though_the_cut_had_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < PAIRS; i++) {
        struct merge_input in = pair(i);
        in.theirs.seen = 99;
        in.theirs.base = value_str("another");
        if (pairs[i].want == FIRST || pairs[i].want == SECOND)
            assert_true(
                value_equal(merge_column(&in).value, pairs[i].want == FIRST ? in.ours.value : in.theirs.word.value));
        if (pairs[i].want == UNDECIDED) stays_open(in);
        in.theirs.base = value_none();
        if (pairs[i].want == UNDECIDED) stays_open(in);
        if (pairs[i].want != ALIKE && pairs[i].want != UNDECIDED)
            assert_int_equal(merge_column(&in).clash, MERGE_RULED);
    }
}

static void what_is_not_concurrent_is_taken_by_every_policy(void **state)
{
    (void)state;
    for (size_t i = 0; i < PAIRS; i++) {
        if (pairs[i].want == ALIKE) continue;
        struct merge_input seen = pair(i), own = pair(i), books = pair(i);
        seen.theirs.seen = 10; /* who saw the graver value may lower it */
        is_taken(seen);
        own.ours.chain = A; /* whatever it changed */
        own.theirs.base = value_str("another");
        is_taken(own);
        books.clashes = false; /* the hub's own bookkeeping */
        is_taken(books);
    }
}

static void the_same_word_makes_no_conflict(void **state)
{
    (void)state;
    for (size_t i = 0; i < PAIRS; i++) {
        if (pairs[i].want != ALIKE) continue;
        for (int how = 0; how < 4; how++) {
            struct merge_input in = pair(i);
            if (how == 1) in.theirs.seen = 10;
            if (how == 2) in.ours.chain = A;
            if (how == 3) in.theirs.base = value_none();
            struct merge_result r = merge_column(&in);
            assert_int_equal(r.clash, MERGE_NONE);
            assert_int_equal(r.outcome, MERGE_APPLIED);
            assert_true(value_equal(r.value, in.ours.value));
        }
    }
}

/* Said twice, it is said: what stands after it is what stood. */
static void the_same_word_again_changes_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < PAIRS; i++) {
        struct merge_input in = pair(i);
        struct merge_result r = merge_column(&in);
        if (r.stands == MERGE_THEIRS) in.ours = in.theirs.word;
        struct merge_result again = merge_column(&in);
        assert_true(value_equal(again.value, r.value));
        assert_true(again.stands == MERGE_OURS);
        assert_false(again.write);
    }
}

static void numbers_are_ranked_and_ordered_as_numbers(void **state)
{
    (void)state;
    stands(meet(MERGE_STRICTEST, "0<1", value_int(0), 9, value_int(1), 1), value_int(1));
    stands(meet(MERGE_LWW, NULL, value_int(-3), 5, value_int(2), 5), value_int(2));
    const double reals[] = {-0.0, 0.0, 0.25, 1e300};
    for (size_t i = 1; i < 4; i++) {
        struct value less = {.kind = VALUE_REAL, .r = reals[i - 1]}, more = {.kind = VALUE_REAL, .r = reals[i]};
        if (i > 1) stands(meet(MERGE_LWW, NULL, less, 5, more, 5), more);
        struct merge_input two =
            meet(MERGE_LWW, NULL, less, 5, more, 5); /* the two zeros: one of them, always the same */
        stands(two, merge_column(&two).value);
    }
    stands(meet(MERGE_LWW, NULL, value_int(10), 5, value_int(9), 5), value_int(10));
    stands(meet(MERGE_STRICTEST, "0<1", value_int(7), 9, value_int(1), 1), value_int(1));
    stands(meet(MERGE_LWW, NULL, value_blob(bytes_of("\1\2", 2)), 5, value_blob(bytes_of("\1\3", 2)), 5),
           value_blob(bytes_of("\1\3", 2)));
}

/* ---- who wrote it, where both say the same ---- */
static void of_two_that_agree_the_later_and_the_one_with_authority_counts_as_the_author(void **state)
{
    (void)state;
    struct merge_input in = meet(MERGE_LWW, NULL, value_str("x"), 5, value_str("x"), 6);
    struct merge_result r = merge_column(&in);
    assert_true(r.write && r.stands == MERGE_THEIRS && r.kept == MERGE_OURS);
    in.ours.hlc = 7;
    r = merge_column(&in);
    assert_true(!r.write && r.stands == MERGE_OURS && r.kept == MERGE_NOBODY);
    in.policy = MERGE_AUTHORITY;
    in.theirs.word.authority = true;
    r = merge_column(&in);
    assert_true(r.write && r.kept == MERGE_OURS);
    in.ours.authority = true; /* neither before the other: the last to come, so that everybody hears of it */
    assert_true(merge_column(&in).write);
    in.theirs.word.authority = false;
    assert_false(merge_column(&in).write);
    in.policy = MERGE_MAX;
    assert_true(merge_column(&in).write);
}

/* Rescued from a device that had to be set up anew: what that one wrote itself, its author knows. */
static void what_the_device_before_this_one_wrote_is_known_where_it_is_what_was_changed(void **state)
{
    (void)state;
    struct merge_input in = meet(MERGE_ESCALATE, NULL, value_str("A"), 5, value_str("C"), 9);
    stays_open(in);
    in.theirs.kin = true;
    is_taken(in);
    in.theirs.base = value_str("B");
    stays_open(in);
}

/* Two sites made the same row: where the one says nothing, that is not its word. */
static void a_new_row_says_nothing_where_it_says_null(void **state)
{
    (void)state;
    struct merge_input in = meet(MERGE_ESCALATE, NULL, value_null(), 5, value_null(), 6);
    in.theirs.base = value_none();
    assert_int_equal(merge_column(&in).kept, MERGE_NOBODY);
    assert_false(merge_column(&in).write);
    in.theirs.base = value_str("x"); /* he took it away: that is a word */
    assert_int_equal(merge_column(&in).kept, MERGE_OURS);
    in.ours.value = in.theirs.word.value = value_str("x");
    in.theirs.base = value_none();
    assert_int_equal(merge_column(&in).kept, MERGE_OURS);
}

static void a_last_word_that_changes_nothing_is_written_while_earlier_work_waits(void **state)
{
    (void)state;
    for (enum merge_policy p = MERGE_LWW; p <= MERGE_ESCALATE; p++) {
        struct merge_input in = meet(p, rag, value_str("red"), 5, value_str("red"), 5);
        in.ours.chain = A;
        assert_false(merge_column(&in).write);
        in.theirs.awaits = true;
        assert_true(merge_column(&in).write);
        in.ours.hlc = 6; /* where the later wins, the later one of another keeps its time */
        assert_int_equal(merge_column(&in).write, p != MERGE_LWW);
    }
}

static void what_its_author_wrote_over_since_counts_no_more(void **state)
{
    (void)state;
    for (size_t i = 0; i < PAIRS; i++) {
        struct merge_input in = pair(i);
        const struct merge_word rival = {.value = value_str("red"), .chain = A, .version = 3};
        in.rivals = &rival;
        in.n_rivals = 1;
        in.theirs.overtaken = true;
        struct merge_result r = merge_column(&in);
        assert_int_equal(r.outcome, MERGE_SUPERSEDED);
        assert_true(!r.write && r.stands == MERGE_OURS && r.clash == MERGE_NONE && r.kept == MERGE_NOBODY);
        assert_int_equal(merge_rival(&in, &r, 0), MERGE_STAYS);
    }
}

/* ---- rivals: words that lost to what stood, and that the author has not seen ---- */
static struct merge_input lowers(enum merge_policy p, const char *from, const char *to, const struct merge_word *rivals,
                                 size_t n)
{
    struct merge_input in = meet(p, p == MERGE_AUTHORITY ? "lead" : rag, value_str(from), 5, value_str(to), 6);
    in.ours.chain = A;
    in.rivals = rivals;
    in.n_rivals = n;
    return in;
}

static void an_own_graver_word_taken_back_lets_the_next_grave_one_stand(void **state)
{
    (void)state;
    const struct merge_word lost[] = {{.value = value_str("green"), .chain = B, .version = 11},
                                      {.value = value_str("amber"), .chain = C, .version = 12}};
    struct merge_input in = lowers(MERGE_MAX, "red", "blue", lost, 2);
    struct merge_result r = merge_column(&in);
    assert_int_equal(r.stands, 1);
    assert_true(r.write && value_equal(r.value, value_str("amber")));
    assert_true(r.clash == MERGE_RULED && r.outcome == MERGE_CONFLICTED);
    assert_true(r.loser == MERGE_THEIRS && r.kept == MERGE_THEIRS);
    assert_int_equal(merge_rival(&in, &r, 0), MERGE_STAYS);
    assert_int_equal(merge_rival(&in, &r, 1), MERGE_RISES);
    in = lowers(MERGE_MAX, "red", "amber", lost, 1);
    is_taken(in);
    in.clashes = false;
    in.theirs.word.value = value_str("blue");
    is_taken(in);
}

static void a_rival_that_says_the_same_takes_its_place_without_a_conflict(void **state)
{
    (void)state;
    const struct merge_word later = {.value = value_str("green"), .chain = B, .version = 11, .hlc = 9};
    struct merge_input in = lowers(MERGE_LWW, "red", "green", &later, 1);
    struct merge_result r = merge_column(&in);
    assert_true(r.stands == 0 && r.clash == MERGE_NONE && r.outcome == MERGE_APPLIED && r.kept == MERGE_THEIRS);
    in = lowers(MERGE_ESCALATE, "red", "green", &later, 1);
    r = merge_column(&in);
    assert_true(r.stands == MERGE_THEIRS);
    assert_int_equal(merge_rival(&in, &r, 0), MERGE_STAYS);
}

static void who_has_seen_a_rival_answers_it_and_so_does_its_own_device(void **state)
{
    (void)state;
    struct merge_word lost = {.value = value_str("amber"), .chain = B, .version = 11};
    struct merge_input in = lowers(MERGE_MAX, "red", "blue", &lost, 1);
    in.theirs.seen = 11;
    is_taken(in);
    struct merge_result r = merge_column(&in);
    assert_int_equal(merge_rival(&in, &r, 0), MERGE_ANSWERED);
    in.theirs.seen = 5;
    lost.chain = A;
    in.ours.chain = C; /* a word of its own that met what stands, whatever he had seen */
    r = merge_column(&in);
    assert_int_equal(r.outcome, MERGE_CONFLICTED);
    assert_int_equal(merge_rival(&in, &r, 0), MERGE_ANSWERED);
    lost.chain = B;
    lost.version = 4; /* seen, but he has not seen what stands, and answers neither */
    r = merge_column(&in);
    assert_int_equal(merge_rival(&in, &r, 0), MERGE_STAYS);
}

static void where_nobody_prevails_a_person_decides_between_the_rival_and_the_new_word(void **state)
{
    (void)state;
    struct merge_word lost[] = {{.value = value_str("amber"), .chain = B, .version = 11},
                                {.value = value_str("green"), .chain = C, .version = 12}};
    struct merge_input in = lowers(MERGE_ESCALATE, "red", "blue", lost, 2);
    struct merge_result r = merge_column(&in);
    assert_true(r.stands == MERGE_THEIRS && r.clash == MERGE_NONE);
    assert_int_equal(merge_rival(&in, &r, 0), MERGE_DISPUTED);
    lost[0].authority = lost[1].authority = true; /* both above what is written, neither above the other */
    in = lowers(MERGE_AUTHORITY, "red", "blue", lost, 2);
    r = merge_column(&in);
    assert_true(r.stands == 0 && r.clash == MERGE_RULED);
    assert_int_equal(merge_rival(&in, &r, 0), MERGE_RISES);
    assert_int_equal(merge_rival(&in, &r, 1), MERGE_DISPUTED);
    lost[1].authority = false;
    r = merge_column(&in);
    assert_int_equal(merge_rival(&in, &r, 1), MERGE_STAYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(concurrent_words_are_judged_by_the_policy_in_either_order),
        cmocka_unit_test(a_value_that_moved_since_the_cut_is_judged_though_it_is_what_the_author_changed),
        cmocka_unit_test(a_value_that_the_author_did_not_change_is_judged_though_the_cut_had_it),
        cmocka_unit_test(what_is_not_concurrent_is_taken_by_every_policy),
        cmocka_unit_test(the_same_word_makes_no_conflict),
        cmocka_unit_test(the_same_word_again_changes_nothing),
        cmocka_unit_test(numbers_are_ranked_and_ordered_as_numbers),
        cmocka_unit_test(of_two_that_agree_the_later_and_the_one_with_authority_counts_as_the_author),
        cmocka_unit_test(what_the_device_before_this_one_wrote_is_known_where_it_is_what_was_changed),
        cmocka_unit_test(a_new_row_says_nothing_where_it_says_null),
        cmocka_unit_test(a_last_word_that_changes_nothing_is_written_while_earlier_work_waits),
        cmocka_unit_test(what_its_author_wrote_over_since_counts_no_more),
        cmocka_unit_test(an_own_graver_word_taken_back_lets_the_next_grave_one_stand),
        cmocka_unit_test(a_rival_that_says_the_same_takes_its_place_without_a_conflict),
        cmocka_unit_test(who_has_seen_a_rival_answers_it_and_so_does_its_own_device),
        cmocka_unit_test(where_nobody_prevails_a_person_decides_between_the_rival_and_the_new_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
