/* The kinds of sight, by real devices and a real hub: who may see protected contacts, identifiers, sensitive and
 * restricted records, restricted cases, and open ones at night; and what becomes of it when it is narrowed. After each
 * change every device holds what its site sees, value for value, and has signed for what it lost. */
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

static void everybody(void)
{
    struct ends_node *all[] = {ann, pol, sam};
    for (size_t i = 0; i < 3; i++) {
        (void)ends_sync(all[i], ERR_OK);
        ends_same(all[i]);
        assert_int_equal(ends_drops(all[i], false), 0);
    }
}

/* Ann changes one column, which is applied; everybody hears. */
static void change(const char *table, const uint8_t id[16], const char *column, struct value v)
{
    (void)ends_sync(ann, ERR_OK);
    ends_begin(ann);
    ends_set(ann, table, id, column, v);
    (void)ends_commit(ann);
    assert_int_equal(ends_sync(ann, ERR_OK).applied, 1);
    everybody();
}

static void is_at(const char *table, const uint8_t id[16], bool at_ann, bool at_pol, bool at_sam)
{
    assert_int_equal(ends_has(ann, table, id), at_ann);
    assert_int_equal(ends_has(pol, table, id), at_pol);
    assert_int_equal(ends_has(sam, table, id), at_sam);
}

static void about(struct ends_node *n, const char *table, const struct ends_case *k, uint8_t id[16], const char *kind,
                  const char *value)
{
    env_new_id(&n->f->env, id);
    ends_begin(n);
    struct row r = ends_row(n, table, id, k->c);
    ends_value(&r, "person_id", value_id(k->person));
    ends_text(&r, strcmp(table, "identifier") == 0 ? "scheme" : "kind", kind);
    ends_text(&r, "value", value);
    ends_put(n, &r);
    (void)ends_commit(n);
}

static void identifiers_go_to_the_agencies_that_may_know_their_scheme(void **state)
{
    static const char *const schemes[] = {"nhs", "upn", "pnc", "crn"};
    struct ends_node *pru = ends_device("probation-1", "probation", "Pru");
    struct ends_case k;
    uint8_t id[4][16], part[16];
    (void)state;
    ends_case(&k);
    for (size_t i = 0; i < 4; i++) about(ann, "identifier", &k, id[i], schemes[i], "4857773456");
    ends_share(k.c, part, "probation", "probation-1");
    everybody();
    (void)ends_sync(pru, ERR_OK);
    ends_same(pru);
    is_at("identifier", id[0], true, false, false);
    is_at("identifier", id[1], true, false, true);
    is_at("identifier", id[2], true, true, false);
    is_at("identifier", id[3], true, true, false);
    assert_true(ends_has(pru, "identifier", id[3]));
    assert_false(ends_has(pru, "identifier", id[1]));
    ends_access(part, "none");
    (void)ends_sync(pru, ERR_OK);
    ends_same(pru);
    assert_false(ends_has(pru, "identifier", id[3]));
    assert_int_equal(ends_drops(pru, false), 0);
    change("identifier", id[2], "value", value_str("99/123456X"));
    ends_shows(pol, "identifier", id[2], "value", "99/123456X");
    ends_gone(pru);
}

static void a_contact_that_is_protected_stays_with_the_room_and_its_writer(void **state)
{
    struct ends_case k;
    uint8_t of_ann[16], of_sam[16];
    size_t found;
    (void)state;
    ends_case(&k);
    about(ann, "contact", &k, of_ann, "home", "7 Tregaron Terrace");
    (void)ends_sync(ann, ERR_OK);
    (void)ends_sync(sam, ERR_OK);
    about(sam, "contact", &k, of_sam, "home", "9 Tregaron Terrace");
    (void)ends_sync(sam, ERR_OK);
    everybody();
    is_at("contact", of_ann, true, true, true);
    is_at("contact", of_sam, true, true, true);
    change("contact", of_ann, "protected", value_int(1));
    is_at("contact", of_ann, true, false, false);
    ends_begin(sam);
    ends_set(sam, "contact", of_sam, "protected", value_int(1));
    (void)ends_commit(sam);
    assert_int_equal(ends_sync(sam, ERR_OK).applied, 1);
    everybody();
    is_at("contact", of_sam, true, false, true);
    const struct bytes address = bytes_of_str("Tregaron Terrace");
    ends_find(pol, &address, 1, &found);
    assert_int_equal(found, 0);
    change("contact", of_ann, "protected", value_int(0));
    is_at("contact", of_ann, true, true, true);
}

static void a_record_made_sensitive_and_then_restricted_leaves_one_after_the_other(void **state)
{
    struct ends_case k;
    uint8_t r[16];
    (void)state;
    ends_case(&k);
    ends_note(sam, k.c, r, "open", "seen");
    (void)ends_sync(sam, ERR_OK);
    everybody();
    is_at("record", r, true, true, true);
    (void)ends_write(sam, "record", r, "sensitivity", "sensitive");
    assert_int_equal(ends_sync(sam, ERR_OK).applied, 1);
    everybody();
    is_at("record", r, true, false, true);
    (void)ends_write(sam, "record", r, "sensitivity", "restricted");
    assert_int_equal(ends_sync(sam, ERR_OK).applied, 1);
    everybody();
    is_at("record", r, false, false, true);
}

static void a_part_narrowed_to_checking_shows_who_it_is_about_and_no_more(void **state)
{
    struct ends_case k;
    uint8_t r[16];
    (void)state;
    ends_case(&k);
    ends_brief(k.c, "the work");
    ends_note(ann, k.c, r, "open", "seen");
    everybody();
    is_at("brief", k.c, true, true, true);
    change("participant", k.parts[0], "access", value_str("check"));
    is_at("brief", k.c, true, false, true);
    is_at("record", r, true, false, true);
    is_at("person", k.person, true, true, true);
    change("participant", k.parts[0], "access", value_str("contribute"));
    is_at("record", r, true, true, true);
}

static void a_named_site_keeps_a_case_that_moves_to_another_area(void **state)
{
    struct ends_case k;
    uint8_t named[16];
    (void)state;
    ends_case(&k);
    ends_share(k.c, named, "police", "police-hq");
    everybody();
    change("participant", k.parts[0], "access", value_str("none"));
    is_at("person", k.person, true, true, true);
    change("case_file", k.c, "area", value_str("south"));
    assert_true(ends_has(pol, "person", k.person)); /* named: wherever the case goes */
    assert_false(ends_has(sam, "person", k.person));
    assert_false(ends_has(sam, "participant", k.parts[1]));
}

static void a_restricted_case_is_for_the_sites_that_it_names(void **state)
{
    struct ends_case k;
    uint8_t room[16], school[16], r[16];
    size_t found[2];
    (void)state;
    ends_case(&k);
    ends_note(pol, k.c, r, "open", "Cwmtudu beach at night");
    (void)ends_sync(pol, ERR_OK);
    ends_share(k.c, room, "care", "care-mash");
    ends_share(k.c, school, "school", "school-1");
    everybody();
    change("case_file", k.c, "restricted", value_int(1));
    is_at("case_file", k.c, true, false, true);
    is_at("person", k.person, true, false, true);
    const struct bytes what[] = {bytes_of(k.c, 16), bytes_of_str("Cwmtudu beach")}; /* not even what they wrote */
    ends_find(pol, what, 2, found);
    assert_int_equal(found[0] + found[1], 0);
    change("case_file", k.c, "restricted", value_int(0));
    is_at("person", k.person, true, true, true);
}

static void a_case_is_open_to_the_night_team_until_it_closes_or_is_restricted(void **state)
{
    static const char *const north[] = {"north"};
    const struct hub_site site = {"night", "care", "Out of hours", "out_of_hours", NULL, north, 1};
    struct why why = {0};
    struct ends_case k;
    uint8_t of_pol[16], room[16];
    (void)state;
    if (hub_add_site(ends_hub->hub, &site, &why) != ERR_OK) fail_msg("%s", why.text);
    struct ends_node *ned = ends_device("night", "care", "Ned");
    ends_case(&k);
    ends_note(pol, k.c, of_pol, "open", "seen at the station");
    (void)ends_sync(pol, ERR_OK);
    ends_share(k.c, room, "care", "care-mash");
    (void)ends_sync(ned, ERR_OK);
    ends_same(ned);
    assert_true(ends_has(ned, "record", of_pol));
    change("case_file", k.c, "status", value_str("closed"));
    (void)ends_sync(ned, ERR_OK);
    ends_same(ned);
    assert_false(ends_has(ned, "record", of_pol));
    assert_true(ends_has(ned, "person", k.person)); /* its own agency's */
    change("case_file", k.c, "status", value_str("new"));
    (void)ends_sync(ned, ERR_OK);
    ends_same(ned);
    assert_true(ends_has(ned, "record", of_pol));
    change("case_file", k.c, "restricted", value_int(1));
    (void)ends_sync(ned, ERR_OK);
    ends_same(ned);
    assert_false(ends_has(ned, "record", of_pol));
    assert_false(ends_has(ned, "person", k.person));
    assert_int_equal(ends_drops(ned, false), 0);
    ends_gone(ned);
}

/* What gave access goes in one change with all that it gave access to. */
static void a_part_voided_with_the_person_and_the_records_leaves_nothing_at_its_agency(void **state)
{
    struct ends_case k;
    uint8_t r[16];
    size_t found[2];
    (void)state;
    ends_case(&k);
    ends_note(ann, k.c, r, "open", "Mistaken for another Llanwenog child");
    everybody();
    is_at("record", r, true, true, true);
    ends_begin(ann);
    ends_set(ann, "participant", k.parts[0], "voided_at", value_int(ends_hub->now));
    ends_set(ann, "person", k.person, "voided_at", value_int(ends_hub->now));
    ends_set(ann, "record", r, "voided_at", value_int(ends_hub->now));
    (void)ends_commit(ann);
    assert_int_equal(ends_sync(ann, ERR_OK).applied, 1);
    everybody();
    is_at("record", r, true, false, false);
    is_at("person", k.person, true, false, false);
    is_at("participant", k.parts[0], true, false, false);
    const struct bytes what[] = {bytes_of(k.c, 16), bytes_of_str("Llanwenog")};
    ends_find(pol, what, 2, found);
    assert_int_equal(found[0] + found[1], 0);
    (void)ends_sync(ada, ERR_OK);
    ends_same(ada);
    assert_true(ends_has(ada, "record", r));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identifiers_go_to_the_agencies_that_may_know_their_scheme),
        cmocka_unit_test(a_contact_that_is_protected_stays_with_the_room_and_its_writer),
        cmocka_unit_test(a_record_made_sensitive_and_then_restricted_leaves_one_after_the_other),
        cmocka_unit_test(a_part_narrowed_to_checking_shows_who_it_is_about_and_no_more),
        cmocka_unit_test(a_named_site_keeps_a_case_that_moves_to_another_area),
        cmocka_unit_test(a_restricted_case_is_for_the_sites_that_it_names),
        cmocka_unit_test(a_case_is_open_to_the_night_team_until_it_closes_or_is_restricted),
        cmocka_unit_test(a_part_voided_with_the_person_and_the_records_leaves_nothing_at_its_agency),
    };
    return cmocka_run_group_tests(tests, ends_start, ends_stop);
}
