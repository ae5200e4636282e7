/* The people of a case: what is said of them, and what is refused. Each refusal leaves nothing behind; each act is
 * one edit. */
#include "tests/lib/act_world.h"

#include "base/when.h"
#include "node/act_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DAY_MS INT64_C(86400000)

static int64_t count(struct act_world *a, const char *sql, const uint8_t id[16])
{
    char got[256];
    return atoll(act_ask(a, sql, id, got));
}

static enum err add(struct act_world *a, int c, const struct act_person *in, uint8_t id[16], struct act_notes *notes)
{
    return act_person_add(a->n, a->id[c], in, id, notes, &a->why);
}

static void day(struct act_world *a, int64_t offset, char out[WHEN_RFC3339])
{
    when_rfc3339(env_now(&a->w.env) + offset, out);
    out[10] = '\0';
}

/* ------------------------------------------------------------------------------------------------------ person */
static void a_person_is_added_with_numbers_and_a_role(void **state)
{
    struct act_world a;
    uint8_t id[16];
    struct act_notes notes;
    char got[256];
    const struct act_person in = {.family_name = "Rees",
                                  .given_names = "Mair",
                                  .born_on = "2016-02-29",
                                  .sex = "2",
                                  .nhs = "943 476 5919",
                                  .upn = "H801200001001"};
    (void)state;
    act_world_new(&a);
    act_done(&a, add(&a, CASE, &in, id, &notes));
    assert_int_equal(notes.n, 0);
    act_is_text(&a, "person", id, "role", "child");
    act_is_text(&a, "person", id, "born_on", "2016-02-29");
    act_is_text(&a, "person", id, "agency", "health");
    assert_string_equal(
        act_ask(&a, "SELECT group_concat(scheme || value) FROM identifier WHERE person_id = $1", id, got),
        "nhs943 476 5919,upnH801200001001"); /* as typed */
    act_world_free(&a);
}

static void check_characters_are_looked_at_and_never_refused(void **state)
{
    static const struct {
        const char *nhs, *upn;
        size_t notes;
    } cases[] = {
        {"9434765919", NULL, 0},    {"943-476-5919", NULL, 0}, {"9434765918", NULL, 1},    {"943476591", NULL, 1},
        {"94347659190", NULL, 1},   {"943476591X", NULL, 1},   {NULL, "H801200001001", 0}, {NULL, "h801200001001", 0},
        {NULL, "A801200001001", 1}, {NULL, "H80120000100", 1}, {NULL, "H8012000010O1", 1}, {NULL, "U80120000100A", 0},
        {"123", "456", 2},
    };
    struct act_world a;
    (void)state;
    act_world_new(&a);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t id[16];
        struct act_notes notes;
        const struct act_person in = {.given_names = "Ada", .nhs = cases[i].nhs, .upn = cases[i].upn};
        act_done(&a, add(&a, CASE, &in, id, &notes));
        if (notes.n != cases[i].notes) print_error("number %zu\n", i);
        assert_int_equal(notes.n, cases[i].notes);
    }
    act_world_free(&a);
}

static void a_person_nobody_could_know_again_is_refused(void **state)
{
    struct act_world a;
    uint8_t id[16];
    struct act_notes notes;
    const struct act_person none = {.role = "adult"}, blank = {.family_name = " ", .given_names = "\n"},
                            role = {.given_names = "Ada", .role = "dragon"}, sex = {.given_names = "Ada", .sex = "F"},
                            empty = {.given_names = "Ada", .nhs = " "}, bytes = {.given_names = "\xc3"};
    (void)state;
    act_world_new(&a);
    act_refused(&a, add(&a, CASE, &none, id, &notes), ERR_USAGE, "who is meant");
    act_refused(&a, add(&a, CASE, &blank, id, &notes), ERR_USAGE, "who is meant");
    act_refused(&a, add(&a, CASE, &role, id, &notes), ERR_USAGE, "role is one of: child");
    act_refused(&a, add(&a, CASE, &sex, id, &notes), ERR_USAGE, "no code for the sex");
    act_refused(&a, add(&a, CASE, &empty, id, &notes), ERR_USAGE, "number is empty");
    act_refused(&a, add(&a, CASE, &bytes, id, &notes), ERR_USAGE, "given names is not plain text");
    const struct act_person fine = {.given_names = "Ada"};
    act_refused(&a, add(&a, FIRST_FREE, &fine, id, &notes), ERR_NOTFOUND, "no case");
    act_world_free(&a);
}

static void dates_that_cannot_be_are_refused(void **state)
{
    struct act_world a;
    uint8_t id[16];
    struct act_notes notes;
    char today[WHEN_RFC3339], next[WHEN_RFC3339];
    struct act_person in = {.given_names = "Ada", .born_on = "24.3.2017"};
    (void)state;
    act_world_new(&a);
    act_refused(&a, add(&a, CASE, &in, id, &notes), ERR_USAGE, "date of birth is no date. Write it like");
    in.born_on = "2017-02-29";
    act_refused(&a, add(&a, CASE, &in, id, &notes), ERR_USAGE, "date of birth is no date");
    day(&a, 2 * DAY_MS, next);
    in.born_on = next;
    act_refused(&a, add(&a, CASE, &in, id, &notes), ERR_USAGE, "For an unborn child give the date expected");
    in = (struct act_person){.given_names = "Ada", .expected_on = "soon"};
    act_refused(&a, add(&a, CASE, &in, id, &notes), ERR_USAGE, "date expected is no date");
    in = (struct act_person){.given_names = "Ada", .died_on = "2026-00-10"};
    act_refused(&a, add(&a, CASE, &in, id, &notes), ERR_USAGE, "date of death is no date");
    in.died_on = next;
    act_refused(&a, add(&a, CASE, &in, id, &notes), ERR_USAGE, "date of death is still to come");
    in = (struct act_person){.given_names = "Ada", .born_on = "2017-03-24", .died_on = "2017-03-23"};
    act_refused(&a, add(&a, CASE, &in, id, &notes), ERR_USAGE, "before the date of birth");
    day(&a, 0, today); /* born today, here also when it is still yesterday elsewhere */
    in = (struct act_person){.born_on = today, .died_on = today};
    act_done(&a, add(&a, CASE, &in, id, &notes));
    in = (struct act_person){.expected_on = next};
    act_done(&a, add(&a, CASE, &in, id, &notes));
    act_world_free(&a);
}

static enum err set(struct act_world *a, int person, const char *column, const char *text, struct act_notes *notes)
{
    const struct act_change c = {column, value_str(text)};
    return act_person_set(a->n, a->id[person], &c, 1, notes, &a->why);
}

static void a_person_is_changed_numbers_too(void **state)
{
    struct act_world a;
    struct act_notes notes;
    char got[256];
    (void)state;
    act_world_new(&a);
    act_done(&a, set(&a, CHILD, "given_names", "Ada May", &notes));
    act_is_text(&a, "person", a.id[CHILD], "given_names", "Ada May");
    act_done(&a, set(&a, CHILD, "family_name", "Rees", &notes));
    act_done(&a, set(&a, CHILD, "family_name", "", &notes)); /* taken away */
    act_is_text(&a, "person", a.id[CHILD], "family_name", "");
    act_done(&a, set(&a, CHILD, "nhs", "9434765918", &notes));
    assert_int_equal(notes.n, 1);
    act_done(&a, set(&a, CHILD, "nhs", "9434765919", &notes)); /* the same row */
    assert_int_equal(notes.n, 0);
    assert_string_equal(
        act_ask(&a, "SELECT group_concat(scheme || value) FROM identifier WHERE person_id = $1", a.id[CHILD], got),
        "nhs9434765919");
    act_done(&a, set(&a, CHILD, "nhs", "", &notes));
    assert_int_equal(
        count(&a, "SELECT count(*) FROM identifier WHERE person_id = $1 AND value IS NOT NULL", a.id[CHILD]), 0);
    act_world_free(&a);
}

static void a_change_that_makes_no_sense_is_refused(void **state)
{
    struct act_world a;
    struct act_notes notes;
    char next[WHEN_RFC3339], too_long[80];
    (void)state;
    act_world_new(&a);
    day(&a, 2 * DAY_MS, next);
    memset(too_long, '9', sizeof too_long);
    too_long[79] = '\0';
    act_refused(&a, set(&a, CHILD, "born_on", next, &notes), ERR_USAGE, "still to come");
    act_refused(&a, set(&a, CHILD, "born_on", "yesterday", &notes), ERR_USAGE, "date of birth is no date");
    act_refused(&a, set(&a, CHILD, "role", "dragon", &notes), ERR_USAGE, "role is one of");
    act_refused(&a, set(&a, CHILD, "sex", "F", &notes), ERR_USAGE, "no code for the sex");
    act_refused(&a, set(&a, CHILD, "shoe_size", "38", &notes), ERR_USAGE, "nothing called");
    act_refused(&a, set(&a, CHILD, "case_id", "x", &notes), ERR_USAGE, "nothing called");
    act_refused(&a, set(&a, CHILD, "void_reason", "x", &notes), ERR_DENIED, "Another agency wrote this");
    act_refused(&a, set(&a, CHILD, "upn", "", &notes), ERR_NOTFOUND, "wrote no such number");
    act_refused(&a, set(&a, CHILD, "upn", too_long, &notes), ERR_USAGE, "too long");
    act_refused(&a, set(&a, FIRST_FREE, "sex", "1", &notes), ERR_NOTFOUND, "no person");
    act_refused(&a, act_person_set(a.n, a.id[CHILD], NULL, 0, &notes, &a.why), ERR_USAGE, "nothing to change");
    const struct act_change both[] = {{"born_on", value_str("2017-03-24")}, {"died_on", value_str("2016-01-01")}};
    act_refused(&a, act_person_set(a.n, a.id[CHILD], both, 2, &notes, &a.why), ERR_USAGE, "before the date of birth");
    act_done(&a, set(&a, CHILD, "born_on", "2017-03-24", &notes));
    act_refused(&a, set(&a, CHILD, "died_on", "2016-01-01", &notes), ERR_USAGE, "before the date of birth");
    act_world_free(&a);
}

/* -------------------------------------------------------------------------------------------------------- others */
static void kin_are_people_of_the_same_case_and_said_once(void **state)
{
    struct act_world a;
    uint8_t id[16];
    (void)state;
    act_world_new(&a);
#define KIN(c, p, r, k) act_kin_add(a.n, a.id[c], a.id[p], a.id[r], k, id, &a.why)
    act_refused(&a, KIN(CASE, CHILD, CHILD, "self"), ERR_USAGE, "their own relative");
    act_refused(&a, KIN(CASE, CHILD, OTHER_CHILD, "sibling"), ERR_USAGE, "another case");
    act_refused(&a, KIN(CASE, OTHER_CHILD, CHILD, "sibling"), ERR_USAGE, "another case");
    act_refused(&a, KIN(CASE, CHILD, FIRST_FREE, "sibling"), ERR_NOTFOUND, "no person");
    act_refused(&a, KIN(FIRST_FREE, CHILD, ADULT, "mother"), ERR_NOTFOUND, "no case");
    act_refused(&a, KIN(CASE, CHILD, ADULT, " "), ERR_USAGE, "how they are related");
    act_done(&a, KIN(CASE, CHILD, ADULT, "mother"));
    act_is_text(&a, "kinship", id, "kind", "mother");
    act_refused(&a, KIN(CASE, CHILD, ADULT, "mother"), ERR_EXISTS, "already");
    act_done(&a, KIN(CASE, CHILD, ADULT, "carer"));
    act_world_free(&a);
}

static void contact_details_have_something_to_say(void **state)
{
    struct act_world a;
    uint8_t id[16];
    struct act_contact in = {.kind = "phone", .value = "01632 960001", .protected = true, .note = "After six"};
    struct act_change c = {"value", value_str("01632 960002")};
    (void)state;
    act_world_new(&a);
    in.person = a.id[CHILD];
    act_done(&a, act_contact_add(a.n, &in, id, &a.why));
    act_is_text(&a, "contact", id, "protected", "1");
    act_is_text(&a, "contact", id, "note", "After six");
    act_done(&a, act_contact_set(a.n, id, &c, 1, &a.why));
    act_is_text(&a, "contact", id, "value", "01632 960002");
    c = (struct act_change){"person_id", value_id(a.id[ADULT])};
    act_refused(&a, act_contact_set(a.n, id, &c, 1, &a.why), ERR_DENIED, "never changes");
    c = (struct act_change){"protected", value_int(2)};
    act_refused(&a, act_contact_set(a.n, id, &c, 1, &a.why), ERR_USAGE, "does not fit");
    act_refused(&a, act_contact_set(a.n, id, &c, 0, &a.why), ERR_USAGE, "nothing to change");
    act_refused(&a, act_contact_set(a.n, a.id[FIRST_FREE], &c, 1, &a.why), ERR_NOTFOUND, "no contact");
    in.case_id = a.id[SECRET_CASE];
    act_refused(&a, act_contact_add(a.n, &in, id, &a.why), ERR_USAGE, "another case");
    in.case_id = NULL;
    in.kind = "";
    act_refused(&a, act_contact_add(a.n, &in, id, &a.why), ERR_USAGE, "what it is");
    in.kind = "phone";
    in.value = " ";
    act_refused(&a, act_contact_add(a.n, &in, id, &a.why), ERR_USAGE, "is empty");
    in.value = "1";
    in.person = a.id[FIRST_FREE];
    act_refused(&a, act_contact_add(a.n, &in, id, &a.why), ERR_NOTFOUND, "no person");
    act_world_free(&a);
}

static void a_warning_says_of_what_and_until_when(void **state)
{
    struct act_world a;
    uint8_t id[16];
    struct act_warning in = {.kind = "dog", .note = "Large dog in the yard"};
    (void)state;
    act_world_new(&a);
    in.case_id = a.id[CASE];
    in.until = env_now(&a.w.env) + DAY_MS;
    act_done(&a, act_warning_add(a.n, &in, id, &a.why));
    act_is_text(&a, "warning", id, "note", "Large dog in the yard");
    act_is_text(&a, "warning", id, "person_id", "");
    in.person = a.id[OTHER_CHILD];
    act_refused(&a, act_warning_add(a.n, &in, id, &a.why), ERR_USAGE, "another case");
    in.person = a.id[ADULT];
    in.until = 5;
    act_refused(&a, act_warning_add(a.n, &in, id, &a.why), ERR_USAGE, "past");
    in.until = 0;
    in.note = NULL;
    act_refused(&a, act_warning_add(a.n, &in, id, &a.why), ERR_USAGE, "what to beware of");
    in.note = "x";
    in.kind = "\t";
    act_refused(&a, act_warning_add(a.n, &in, id, &a.why), ERR_USAGE, "in a word");
    in.kind = "dog";
    in.case_id = a.id[FIRST_FREE];
    act_refused(&a, act_warning_add(a.n, &in, id, &a.why), ERR_NOTFOUND, "no case");
    in.case_id = a.id[CASE];
    act_done(&a, act_warning_add(a.n, &in, id, &a.why));
    act_world_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_person_is_added_with_numbers_and_a_role),
        cmocka_unit_test(check_characters_are_looked_at_and_never_refused),
        cmocka_unit_test(a_person_nobody_could_know_again_is_refused),
        cmocka_unit_test(dates_that_cannot_be_are_refused),
        cmocka_unit_test(a_person_is_changed_numbers_too),
        cmocka_unit_test(a_change_that_makes_no_sense_is_refused),
        cmocka_unit_test(kin_are_people_of_the_same_case_and_said_once),
        cmocka_unit_test(contact_details_have_something_to_say),
        cmocka_unit_test(a_warning_says_of_what_and_until_when),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
