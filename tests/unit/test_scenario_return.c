/* A device that was away for long, by real devices and a real hub: what it wrote is taken in, what its agency lost is
 * gone from every byte with a receipt, what its agency was given is there. */
#include "tests/lib/ends_scan.h"
#include "tests/lib/ends_share.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void finds(struct ends_node *n, const struct bytes *what, size_t n_what, bool want)
{
    size_t found[8];
    assert_true(n_what <= 8);
    ends_find(n, what, n_what, found);
    for (size_t i = 0; i < n_what; i++)
        if ((found[i] > 0) != want) fail_msg("%s: needle %zu %s", n->site, i, want ? "is not found" : "is still there");
}

/* ----------------------------------------------------------------------------------------------------- the headline */

/* Two cases, as below; the school is away, and on day 31 it loses the one that its unsent note lies in. */
struct away {
    uint8_t lost[16], person[16], lost_part[16], given[16], kin[16], note[16];
    const char *text; /* of the note */
};

static void away_for_45_days(struct away *x, bool restricted)
{
    uint8_t id[16];
    ends_own_case(x->lost, restricted);
    ends_brief(x->lost, "Nantymoch-Dyffryn lane, second farm");
    ends_begin(ann);
    ends_person(ann, x->lost, x->person, "Pengwern-Llwyd");
    (void)ends_commit(ann);
    ends_share(x->lost, x->lost_part, "school", restricted ? "school-1" : "");
    (void)ends_sync(sam, ERR_OK);
    ends_same(sam);
    assert_true(ends_has(sam, "person", x->person));
    ends_days(5);
    ends_note(sam, x->lost, x->note, "open", x->text);
    ends_days(26);
    ends_access(x->lost_part, "none");
    ends_own_case(x->given, false);
    ends_brief(x->given, "given on day 31");
    ends_begin(ann);
    ends_person(ann, x->given, x->kin, "Rees");
    (void)ends_commit(ann);
    ends_share(x->given, id, "school", "");
    ends_days(14);
}

static void after_45_days_offline_the_note_is_taken_in_the_lost_case_gone_the_new_one_whole(void **state)
{
    struct away x = {.text = "Bruise seen at Blaenplwyf gate"};
    (void)state;
    away_for_45_days(&x, false);
    const struct bytes lost[] = {bytes_of_str("Nantymoch-Dyffryn"), bytes_of_str("Pengwern-Llwyd"),
                                 bytes_of(x.person, 16)};
    const struct bytes own[] = {bytes_of_str(x.text)};
    finds(sam, lost, 3, true); /* the search finds what is there */
    int64_t due = ends_drops(sam, false), before = ends_drops(sam, true);
    assert_int_equal(due, 3); /* case_file, brief, person: its own part stays told to it */
    struct round_result r = ends_by_usb(sam);
    assert_int_equal(r.applied, 1);
    assert_int_equal(r.held, 0);
    assert_int_equal(r.rows_dropped, 3);
    assert_int_equal(ends_drops(sam, false), 0);
    assert_int_equal(ends_drops(sam, true), before + due);
    ends_same(sam);
    assert_false(ends_has(sam, "case_file", x.lost));
    ends_shows(sam, "brief", x.given, "summary", "given on day 31");
    ends_shows(sam, "person", x.kin, "family_name", "Rees");
    ends_shows(sam, "record", x.note, "body", x.text); /* an agency keeps what it wrote */
    finds(sam, lost, 3, false);
    finds(sam, own, 1, true);
    (void)ends_sync(ann, ERR_OK);
    ends_shows(ann, "record", x.note, "body", x.text);
    ends_same(ann);
    ends_is_quiet(sam);
}

/* The same by a link that gives a row or two at a time and breaks at every second answer. */
static void over_a_link_that_keeps_breaking_it_ends_the_same(void **state)
{
    struct away x = {.text = "Cold hands at Penbryn school"};
    uint64_t applied = 0, dropped = 0, rows = 0;
    (void)state;
    away_for_45_days(&x, false);
    sam->budget = 100;
    sam->rounds = 1;
    for (int i = 0, still = 0; still < 2; i++) {
        assert_true(i < 200);
        sam->lose_answer = i % 2 == 0;
        struct round_result r = ends_sync(sam, i % 2 == 0 ? ERR_UNREACHABLE : ERR_OK);
        applied += r.applied;
        dropped += r.rows_dropped;
        rows += r.rows_in;
        if (i % 2 == 1) still = r.rows_in + r.rows_dropped + r.applied + r.receipts == 0 ? still + 1 : 0;
    }
    sam->budget = 0;
    sam->rounds = 0;
    assert_int_equal(applied, 1);
    assert_int_equal(dropped, 3);
    assert_true(rows >= 4); /* file, brief, person and the own part of the new case */
    assert_int_equal(ends_drops(sam, false), 0);
    ends_same(sam);
    ends_shows(sam, "person", x.kin, "family_name", "Rees");
    ends_shows(sam, "record", x.note, "body", x.text);
    (void)ends_sync(ann, ERR_OK);
    ends_shows(ann, "record", x.note, "body", x.text);
    const struct bytes lost[] = {bytes_of(x.person, 16)};
    finds(sam, lost, 1, false);
    ends_is_quiet(sam);
}

/* In a restricted case an agency keeps nothing without a part in it: not its own note, and not the name of the case. */
static void of_a_restricted_case_that_was_lost_not_even_the_own_note_is_left(void **state)
{
    struct away x = {.text = "Limping on Cwmystwyth bridge"};
    (void)state;
    away_for_45_days(&x, true);
    const struct bytes lost[] = {
        bytes_of_str("Nantymoch-Dyffryn"), bytes_of_str("Pengwern-Llwyd"), bytes_of(x.person, 16), bytes_of(x.lost, 16),
        bytes_of(x.lost_part, 16),         bytes_of(x.note, 16),           bytes_of_str(x.text)};
    finds(sam, lost, 7, true);
    int64_t before = ends_drops(sam, true);
    assert_int_equal(ends_drops(sam, false), 5); /* two parts among them */
    struct round_result r = ends_by_usb(sam);
    assert_int_equal(r.applied, 1);
    assert_int_equal(ends_drops(sam, false), 0);
    assert_true(ends_drops(sam, true) >= before + 6); /* the note too */
    ends_same(sam);
    assert_false(ends_has(sam, "record", x.note));
    ends_shows(sam, "person", x.kin, "family_name", "Rees");
    finds(sam, lost, 7, false);
    (void)ends_sync(ann, ERR_OK);
    ends_shows(ann, "record", x.note, "body", x.text); /* it may be what protects the child */
    ends_same(ann);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_45_days_offline_the_note_is_taken_in_the_lost_case_gone_the_new_one_whole),
        cmocka_unit_test(over_a_link_that_keeps_breaking_it_ends_the_same),
        cmocka_unit_test(of_a_restricted_case_that_was_lost_not_even_the_own_note_is_left),
    };
    return cmocka_run_group_tests(tests, ends_start, ends_stop);
}
