/* What a device wrote and the hub applied as it was sent is acknowledged, not sent back. Here are the cases in which
 * that could leave a device with something else than the hub has: other devices, conflicts, held work, lost answers. */
#include "tests/lib/two_ends_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CONFLICTS "SELECT count(*) FROM conflict WHERE case_id = $1"

static struct round_result got(struct ends_node *n)
{
    struct round_result r = ends_sync(n, ERR_OK);
    ends_same(n);
    return r;
}

static void an_edit_that_was_applied_as_sent_is_not_sent_back(void **state)
{
    struct ends_case k;
    uint8_t before[CUT_BYTES], after[CUT_BYTES];
    (void)state;
    ends_case(&k);
    ends_cursor(pol, before);
    (void)ends_write(pol, "person", k.person, "family_name", "Jones");
    ends_round(pol, 1, 0);
    ends_cursor(pol, after);
    assert_memory_not_equal(before, after, CUT_BYTES); /* what it knows now is what it wrote */
    ends_shows(pol, "person", k.person, "family_name", "Jones");
    ends_is_quiet(pol);
    ends_round(sam, 0, 1);
    ends_shows(sam, "person", k.person, "family_name", "Jones");
}

static void new_rows_are_not_sent_back_to_who_made_them(void **state)
{
    struct ends_case k;
    uint8_t made[16];
    (void)state;
    ends_case(&k); /* a case and its parts: asserts so */
    ends_is_quiet(ann);
    ends_begin(pol);
    ends_person(pol, k.c, made, "Made");
    (void)ends_commit(pol);
    (void)ends_write(pol, "person", made, "given_names", "Up"); /* and changed before the first was sent */
    ends_round(pol, 2, 0);
    ends_is_quiet(pol);
    (void)ends_write(pol, "person", made, "given_names", "Out");
    ends_round(pol, 1, 0);
    ends_round(sam, 0, 1);
    (void)ends_write(sam, "person", made, "sex", "f");
    ends_round(sam, 1, 0);
    ends_round(pol, 0, 1);
    ends_shows(pol, "person", made, "sex", "f");
}

static void a_device_that_wrote_before_its_first_contact_gets_only_what_others_wrote(void **state)
{
    struct ends_node *fresh = ends_device("care-mash", "care", "Amy");
    uint8_t c[16], person[16];
    (void)state;
    env_new_id(&ends_hub->env, c);
    ends_begin(fresh);
    struct row file = ends_row(fresh, "case_file", c, c);
    ends_text(&file, "area", "north");
    ends_text(&file, "lead_agency", "care");
    ends_put(fresh, &file);
    ends_person(fresh, c, person, "First");
    (void)ends_commit(fresh);
    struct round_result mine = got(fresh);
    assert_int_equal(mine.applied, 1);
    struct ends_node *other = ends_device("care-mash", "care", "Abe");
    struct round_result whole = got(other);
    /* The other device also gets Abe, whom Amy's does not know yet, and what Amy wrote. */
    assert_int_equal(whole.rows_in, mine.rows_in + 1 + 2);
    ends_gone(other);
    ends_gone(fresh);
}

static void another_device_of_the_same_site_gets_what_the_first_one_wrote(void **state)
{
    struct ends_case k;
    uint8_t made[16];
    (void)state;
    ends_case(&k);
    (void)ends_write(ann, "person", k.person, "given_names", "Of Ann");
    ends_begin(ann);
    ends_person(ann, k.c, made, "New");
    (void)ends_commit(ann);
    ends_round(ann, 2, 0);
    ends_round(ada, 0, 2);
    ends_shows(ada, "person", k.person, "given_names", "Of Ann");
    (void)ends_write(ada, "person", made, "given_names", "Of Ada");
    ends_round(ada, 1, 0);
    ends_round(ann, 0, 1); /* Ann's row, and not Ann's word */
    ends_shows(ann, "person", made, "given_names", "Of Ada");
}

static void what_others_changed_in_the_same_row_comes_without_what_stands_as_sent(void **state)
{
    struct ends_case k;
    (void)state;
    ends_case(&k);
    (void)ends_write(sam, "person", k.person, "given_names", "Of Sam");
    ends_round(sam, 1, 0);
    (void)ends_write(pol, "person", k.person, "family_name", "Of Pol");
    ends_round(pol, 1, 1);
    ends_shows(pol, "person", k.person, "given_names", "Of Sam");
    ends_shows(pol, "person", k.person, "family_name", "Of Pol");
}

/* No conflict, whichever of the two counts as its author. */
static void the_same_word_of_two_people_is_the_same_at_both_ends(void **state)
{
    struct ends_case k;
    (void)state;
    ends_case(&k);
    (void)ends_write(sam, "person", k.person, "family_name", "Jones");
    ends_round(sam, 1, 0);
    (void)ends_write(pol, "person", k.person, "family_name", "Jones");
    assert_int_equal(got(pol).applied, 1);
    (void)got(sam);
    ends_is_quiet(pol);
    ends_is_quiet(sam);
    assert_int_equal(ends_count(CONFLICTS, k.c), 0);
}

/* ---------------------------------------------------------------------------------------------------- conflicts */

static void a_later_conflict_reaches_the_author_whose_value_was_acknowledged(void **state)
{
    struct ends_case k;
    (void)state;
    ends_case(&k);
    (void)ends_write(pol, "person", k.person, "family_name", "Of Pol");
    ends_round(pol, 1, 0);
    (void)ends_write(sam, "person", k.person, "family_name", "Of Sam");
    assert_int_equal(got(sam).merged, 1);
    ends_shows(sam, "person", k.person, "family_name", "Of Pol");
    ends_round(pol, 0, 1); /* the conflict */
    assert_int_equal(ends_count(CONFLICTS, k.c), 1);
}

/* Where the later wins: the acknowledged value gives way. */
static void a_later_value_that_wins_takes_the_place_of_the_acknowledged_one(void **state)
{
    struct ends_case k;
    uint8_t id[16];
    (void)state;
    ends_case(&k);
    env_new_id(&ends_hub->env, id);
    ends_begin(pol);
    struct row r = ends_row(pol, "record", id, k.c);
    ends_text(&r, "sensitivity", "open");
    ends_put(pol, &r);
    (void)ends_commit(pol);
    ends_round(pol, 1, 0);
    ends_round(pat, 0, 1);
    ends_begin(pol);
    ends_set(pol, "record", id, "occurred_at", value_int(1000));
    (void)ends_commit(pol);
    ends_begin(pat);
    ends_set(pat, "record", id, "occurred_at", value_int(2000));
    (void)ends_commit(pat);
    ends_round(pol, 1, 0);
    assert_int_equal(got(pat).merged, 1);
    assert_int_equal(got(pol).rows_in, 2); /* the value and the conflict */
    assert_int_equal(ends_count("SELECT occurred_at FROM record WHERE id = $1", id), 2000);
}

static void a_merged_edit_comes_back_as_the_hub_has_it(void **state)
{
    struct ends_case k;
    (void)state;
    ends_case(&k);
    (void)ends_write(pol, "person", k.person, "family_name", "Of Pol");
    ends_round(pol, 1, 0);
    ends_begin(sam);
    ends_set(sam, "person", k.person, "family_name", value_str("Of Sam"));
    ends_set(sam, "person", k.person, "given_names", value_str("Taken"));
    (void)ends_commit(sam);
    struct round_result r = got(sam);
    assert_int_equal(r.merged, 1);
    assert_int_equal(r.rows_in, 2);
    ends_shows(sam, "person", k.person, "family_name", "Of Pol");
    ends_shows(sam, "person", k.person, "given_names", "Taken"); /* not folded, because it was not applied whole */
}

static void a_later_edit_that_replaces_its_own_losing_value_leaves_both_ends_the_same(void **state)
{
    struct ends_case k;
    (void)state;
    ends_case(&k);
    (void)ends_write(pol, "person", k.person, "family_name", "Of Pol");
    ends_round(pol, 1, 0);
    (void)ends_write(sam, "person", k.person, "family_name", "Of Sam");
    (void)ends_write(sam, "person", k.person, "family_name", "Of Sam again");
    assert_int_equal(got(sam).merged, 2);
    ends_shows(sam, "person", k.person, "family_name", "Of Pol");
    assert_int_equal(ends_count(CONFLICTS " AND lost = 'Of Sam again'", k.c), 1);
    assert_int_equal(ends_count(CONFLICTS, k.c), 1);
    (void)ends_write(sam, "person", k.person, "family_name", "Decided"); /* having seen what stands there */
    ends_round(sam, 1, 0);
    ends_shows(sam, "person", k.person, "family_name", "Decided");
}

/* On one column of one row, judged differently in one request: in every order. */
static void several_edits_of_one_column_with_other_verdicts_end_as_the_hub_has_it(void **state)
{
    static const struct {
        const char *given[3]; /* beside the family name: meets Sam's; NULL: does not */
        uint64_t applied, merged;
    } orders[] = {
        {{NULL, "G", NULL}, 2, 1}, {{"G", NULL, NULL}, 2, 1}, {{NULL, NULL, "G"}, 2, 1}, {{"G", NULL, "H"}, 1, 2}};
    static const char *const family[] = {"One", "Two", "Three"};
    (void)state;
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        struct ends_case k;
        ends_case(&k);
        (void)ends_write(sam, "person", k.person, "given_names", "Of Sam");
        ends_round(sam, 1, 0);
        for (size_t j = 0; j < 3; j++) {
            ends_begin(pol);
            ends_set(pol, "person", k.person, "family_name", value_str(family[j]));
            if (orders[i].given[j] != NULL)
                ends_set(pol, "person", k.person, "given_names", value_str(orders[i].given[j]));
            (void)ends_commit(pol);
        }
        struct round_result r = got(pol);
        assert_int_equal(r.applied, orders[i].applied);
        assert_int_equal(r.merged, orders[i].merged);
        ends_shows(pol, "person", k.person, "family_name", "Three");
        ends_shows(pol, "person", k.person, "given_names", "Of Sam");
        ends_is_quiet(pol);
    }
}

/* Two registers are imported, and number their people alike. */
static void a_new_row_that_meets_one_of_another_device_ends_as_the_hub_has_it(void **state)
{
    static const char *const names[] = {"Of Pol", "Of Sam"};
    (void)state;
    for (int alike = 0; alike < 2; alike++) {
        for (int known = 0; known < 2; known++) { /* does Sam's device get the other row before its own is judged? */
            struct ends_case k;
            struct buf request;
            uint8_t id[16];
            ends_case(&k);
            env_new_id(&ends_hub->env, id);
            buf_init(&request, 1u << 20);
            if (known) ends_export(sam, &request);
            ends_begin(pol);
            struct row a = ends_row(pol, "person", id, k.c);
            ends_text(&a, "family_name", names[0]);
            ends_put(pol, &a);
            (void)ends_commit(pol);
            ends_round(pol, 1, 0);
            ends_begin(sam);
            struct row b = ends_row(sam, "person", id, k.c);
            ends_text(&b, "family_name", names[!alike]);
            ends_put(sam, &b);
            (void)ends_commit(sam);
            if (known) assert_int_equal(ends_import(sam, buf_bytes(&request)).rows_in, 1);
            struct round_result r = got(sam);
            assert_int_equal(r.applied + r.merged, 1);
            assert_int_equal(r.merged, !alike);
            ends_shows(sam, "person", id, "family_name", "Of Pol");
            ends_shows(sam, "person", id, "agency", "police");
            (void)got(pol);
            buf_release(&request);
        }
    }
}

/* ---------------------------------------------------------------------------------------------------- held work */

/* A person, and beside it a part that is not Sam's to give. */
static void put_held(const struct ends_case *k, uint8_t person[16])
{
    uint8_t part[16];
    env_new_id(&ends_hub->env, part);
    ends_begin(sam);
    ends_person(sam, k->c, person, "Held");
    struct row p = ends_row(sam, "participant", part, k->c);
    ends_text(&p, "member", "probation");
    ends_text(&p, "site", "");
    ends_text(&p, "access", "view");
    ends_put(sam, &p);
    (void)ends_commit(sam);
}

static void held_work_that_was_accepted_comes_back_to_its_author(void **state)
{
    struct ends_case k;
    uint8_t person[16];
    (void)state;
    ends_case(&k);
    put_held(&k, person);
    assert_int_equal(got(sam).held, 1);
    ends_accept(k.c); /* the hub then empties what the held row told: the manager gets that beside his own word */
    assert_int_equal(got(sam).rows_in, 3); /* person, part, held row */
    ends_shows(sam, "person", person, "family_name", "Held");
    ends_is_quiet(sam);
    ends_is_quiet(ann);
}

static void work_that_waited_and_was_applied_comes_back_to_its_author(void **state)
{
    struct ends_case k;
    uint8_t person[16];
    (void)state;
    ends_case(&k);
    put_held(&k, person);
    ends_begin(sam);
    ends_set(sam, "person", person, "given_names", value_str("Waits"));
    ends_set(sam, "person", k.person, "given_names", value_str("Waits too"));
    (void)ends_commit(sam);
    struct round_result r = got(sam);
    assert_int_equal(r.held, 1);
    assert_int_equal(r.waits, 1);
    ends_shows(sam, "person", k.person, "given_names", NULL);
    ends_accept(k.c);
    assert_int_equal(got(sam).applied, 2);
    ends_shows(sam, "person", person, "given_names", "Waits");
    ends_shows(sam, "person", k.person, "given_names", "Waits too");
}

/* A change of held work that its author does not see any more, sent before the acceptance was known. */
static void an_edit_upon_held_work_stands_once_that_is_accepted(void **state)
{
    struct ends_case k;
    struct buf request;
    uint8_t person[16];
    (void)state;
    ends_case(&k);
    put_held(&k, person);
    buf_init(&request, 1u << 20);
    ends_export(sam, &request);
    (void)ends_write(sam, "person", person, "given_names", "Upon it"); /* not in that request */
    assert_int_equal(ends_import(sam, buf_bytes(&request)).held, 1);
    ends_accept(k.c);
    struct round_result r = got(sam);
    assert_int_equal(r.applied, 2); /* the acceptance, and the edit at first sight */
    ends_shows(sam, "person", person, "given_names", "Upon it");
    buf_release(&request);
}

static void a_last_word_that_changes_nothing_leaves_both_ends_the_same(void **state)
{
    struct ends_case k;
    uint8_t person[16];
    (void)state;
    ends_case(&k);
    put_held(&k, person);
    (void)ends_write(pol, "person", k.person, "family_name", "Jones");
    ends_round(pol, 1, 0);
    (void)ends_write(sam, "person", k.person, "family_name", "Jones"); /* while older work of his waits */
    struct round_result r = got(sam);
    assert_int_equal(r.held, 1);
    assert_int_equal(r.applied, 1);
    (void)got(pol);
    ends_accept(k.c);
    ends_all_sync();
    ends_same(sam);
    ends_same(pol);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_edit_that_was_applied_as_sent_is_not_sent_back),
        cmocka_unit_test(new_rows_are_not_sent_back_to_who_made_them),
        cmocka_unit_test(a_device_that_wrote_before_its_first_contact_gets_only_what_others_wrote),
        cmocka_unit_test(another_device_of_the_same_site_gets_what_the_first_one_wrote),
        cmocka_unit_test(what_others_changed_in_the_same_row_comes_without_what_stands_as_sent),
        cmocka_unit_test(the_same_word_of_two_people_is_the_same_at_both_ends),
        cmocka_unit_test(a_later_conflict_reaches_the_author_whose_value_was_acknowledged),
        cmocka_unit_test(a_later_value_that_wins_takes_the_place_of_the_acknowledged_one),
        cmocka_unit_test(a_merged_edit_comes_back_as_the_hub_has_it),
        cmocka_unit_test(a_later_edit_that_replaces_its_own_losing_value_leaves_both_ends_the_same),
        cmocka_unit_test(several_edits_of_one_column_with_other_verdicts_end_as_the_hub_has_it),
        cmocka_unit_test(a_new_row_that_meets_one_of_another_device_ends_as_the_hub_has_it),
        cmocka_unit_test(held_work_that_was_accepted_comes_back_to_its_author),
        cmocka_unit_test(work_that_waited_and_was_applied_comes_back_to_its_author),
        cmocka_unit_test(an_edit_upon_held_work_stands_once_that_is_accepted),
        cmocka_unit_test(a_last_word_that_changes_nothing_leaves_both_ends_the_same),
    };
    return cmocka_run_group_tests(tests, ends_start, ends_stop);
}
