/* Opening a case, changing what is said about it, and who takes part. Each refusal leaves nothing behind; each act
 * is one edit. */
#include "tests/lib/act_world.h"

#include "node/act_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int64_t now(const struct act_world *a)
{
    return env_now(&a->w.env);
}

static struct act_case usual(void)
{
    return (struct act_case){.area = "north",
                             .source = "3B",
                             .primary_need = "N1",
                             .summary = "Bruising seen at visit",
                             .rag = "red",
                             .rag_reason = "Injury, child under 1"};
}

static int64_t count(struct act_world *a, const char *sql, const uint8_t id[16])
{
    char got[256];
    return atoll(act_ask(a, sql, id, got));
}

/* ------------------------------------------------------------------------------------------------------- new */
static void a_new_referral_is_one_change_with_everything_that_was_said(void **state)
{
    static const struct act_newcomer people[] = {
        {.who = {.family_name = "Pritchard",
                 .given_names = "Ada",
                 .born_on = "2026-02-03",
                 .sex = "2",
                 .nhs = "9434765919"},
         .address = "1 Example Street",
         .consent = "not_sought",
         .consent_reason = "Asking would put the child at risk"},
        {.who = {.role = "parent", .family_name = "Pritchard", .given_names = "Eve"},
         .phone = "01632 960001",
         .consent = "given",
         .consent_scope = "health"},
    };
    struct act_world a;
    struct act_case in = usual();
    struct act_case_opened o;
    char got[256];
    (void)state;
    act_world_new(&a);
    in.referrer = "Health visitor, Example surgery";
    in.external_ref = "HV-17";
    in.presenting_issue = "Injury";
    in.people = people;
    in.n_people = 2;
    int64_t before = now(&a);
    act_done(&a, act_case_new(a.n, &in, &o, &a.why));
    act_is_text(&a, "case_file", o.id, "reference", o.reference);
    act_is_text(&a, "case_file", o.id, "status", "new");
    act_is_text(&a, "case_file", o.id, "lead_agency", "care"); /* the MASH room's */
    act_is_text(&a, "case_file", o.id, "subject_kind", "child");
    act_is_text(&a, "brief", o.id, "primary_need", "N1");
    act_is_text(&a, "brief", o.id, "presenting_issue", "Injury");
    act_is_text(&a, "brief", o.id, "rag_reason", "Injury, child under 1");
    assert_string_equal(
        act_ask(&a, "SELECT source || referrer || external_ref FROM referral WHERE case_id = $1", o.id, got),
        "3BHealth visitor, Example surgeryHV-17");
    assert_string_equal(act_ask(&a, "SELECT member || access FROM participant WHERE case_id = $1", o.id, got),
                        "healthcontribute");
    assert_string_equal(act_ask(&a, "SELECT stage || rag || reason FROM rating WHERE case_id = $1", o.id, got),
                        "initialredInjury, child under 1");
    assert_string_equal(act_ask(&a, "SELECT group_concat(role) FROM person WHERE case_id = $1", o.id, got),
                        "child,parent");
    assert_string_equal(act_ask(&a, "SELECT scheme || value FROM identifier WHERE case_id = $1", o.id, got),
                        "nhs9434765919");
    assert_string_equal(act_ask(&a, "SELECT group_concat(kind || value) FROM contact WHERE case_id = $1", o.id, got),
                        "address1 Example Street,phone01632 960001");
    assert_string_equal(
        act_ask(&a,
                "SELECT group_concat(state || scope) FROM (SELECT * FROM consent WHERE case_id = $1 ORDER BY state)",
                o.id, got),
        "givenhealth,not_soughtall");
    assert_true(o.mash);
    assert_string_equal(o.phone, "01632 960100");
    assert_int_equal(o.notes.n, 0);
    assert_true(o.due_at >= before + 240 * 60000 && o.due_at <= now(&a) + 240 * 60000);
    assert_int_equal(count(&a, "SELECT due_at FROM case_file WHERE id = $1", o.id), o.due_at);
    act_world_free(&a);
}

static void a_case_that_nobody_rated_has_no_rating_and_no_time(void **state)
{
    struct act_world a;
    struct act_case in = usual();
    struct act_case_opened o;
    (void)state;
    act_world_new(&a);
    in.rag = in.rag_reason = NULL;
    act_done(&a, act_case_new(a.n, &in, &o, &a.why));
    assert_int_equal(o.due_at, 0);
    act_is_text(&a, "case_file", o.id, "rag", "");
    act_is_text(&a, "case_file", o.id, "due_at", "");
    assert_int_equal(count(&a, "SELECT count(*) FROM rating WHERE case_id = $1", o.id), 0);
    act_world_free(&a);
}

static void must_sight(struct act_world *a, const uint8_t record[16], enum act_sight want)
{
    enum act_sight sight = ACT_NOBODY_VOIDED;
    if (act_record_sight(a->n, record, &sight, &a->why) != ERR_OK) fail_msg("%s", a->why.text);
    assert_int_equal(sight, want);
}

/* Who is asked for consent to what concerns all of them: the adult that the case is about, and the child beside
 * them. */
static void an_adults_referral_keeps_each_ones_role_and_waits_for_each_ones_consent(void **state)
{
    static const struct act_newcomer people[] = {
        {.who = {.role = "adult", .given_names = "Ada", .born_on = "1941-07-09"}, .consent = "given"},
        {.who = {.role = "child", .given_names = "Tim"}, .consent = "refused", .consent_reason = "He is afraid"},
        {.who = {.role = "carer", .given_names = "Eve"}, .consent = "given"},
    };
    struct act_world a;
    struct act_case in = usual();
    struct act_case_opened o;
    enum act_sight sight = ACT_ALL;
    uint8_t record[16], consent[16];
    char got[256];
    (void)state;
    act_world_new(&a);
    in.subject_kind = "adult";
    in.people = people;
    in.n_people = 3;
    act_done(&a, act_case_new(a.n, &in, &o, &a.why));
    act_is_text(&a, "case_file", o.id, "subject_kind", "adult");
    assert_string_equal(
        act_ask(&a,
                "SELECT group_concat(x) FROM (SELECT p.role || ' ' || k.state AS x FROM person p JOIN consent k"
                " ON k.person_id = p.id WHERE p.case_id = $1 ORDER BY p.role)",
                o.id, got),
        "adult given,carer given,child refused");
    const struct act_record r = {.case_id = o.id, .kind = "note", .title = "Home", .needs_consent = true};
    act_done(&a, act_record_add(a.n, &r, record, &sight, &a.why));
    assert_int_equal(sight, ACT_NOBODY_CONSENT); /* the child beside the adult counts too */
    uint8_t person[16];
    (void)act_ask(&a, "SELECT hex(id) FROM person WHERE case_id = $1 AND role = 'child'", o.id, got);
    assert_true(hex_decode(person, 16, got, 32));
    const struct act_consent given = {.case_id = o.id, .person = person, .scope = "all", .state = "given"};
    act_done(&a, act_consent(a.n, &given, consent, &a.why));
    must_sight(&a, record, ACT_ALL);
    (void)act_ask(&a, "SELECT hex(id) FROM person WHERE case_id = $1 AND role = 'adult'", o.id, got);
    assert_true(hex_decode(person, 16, got, 32));
    const struct act_consent back = {.case_id = o.id, .person = person, .scope = "all", .state = "withdrawn"};
    act_done(&a, act_consent(a.n, &back, consent, &a.why));
    must_sight(&a, record, ACT_NOBODY_CONSENT);
    act_world_free(&a);
}

static void an_area_without_a_mash_room_is_said_and_led_by_who_opened_it(void **state)
{
    struct act_world a;
    struct act_case in = usual();
    struct act_case_opened o;
    (void)state;
    act_world_new(&a);
    in.area = "south";
    act_done(&a, act_case_new(a.n, &in, &o, &a.why));
    assert_false(o.mash);
    act_is_text(&a, "case_file", o.id, "lead_agency", "health");
    act_world_free(&a);
}

static void opens_badly(struct act_world *a, const struct act_case *in, const char *words)
{
    struct act_case_opened o;
    act_refused(a, act_case_new(a->n, in, &o, &a->why), ERR_USAGE, words);
}

static void a_referral_that_lacks_what_others_need_is_refused_in_words(void **state)
{
    struct act_world a;
    struct act_case in;
    (void)state;
    act_world_new(&a);
#define WITHOUT(change, words)                                                                                         \
    in = usual();                                                                                                      \
    change;                                                                                                            \
    opens_badly(&a, &in, words)
    WITHOUT(in.area = NULL, "needs its area");
    WITHOUT(in.area = " ", "needs its area");
    WITHOUT(in.area = "*", "one area");
    WITHOUT(in.area = "nroth", "no area 'nroth'");
    WITHOUT(in.area = "nroth", "Its areas: north, south.");
    WITHOUT(in.source = NULL, "who referred");
    WITHOUT(in.source = "99", "no code for the source");
    WITHOUT(in.source = "99", "Its codes: 6, 3B.");
    WITHOUT(in.primary_need = "", "primary need");
    WITHOUT(in.primary_need = "n1", "no code for the primary need");
    WITHOUT(in.summary = " \n", "what has happened");
    WITHOUT(in.rag_reason = NULL, "A rating needs its reason");
    WITHOUT(in.rag_reason = "\t", "A rating needs its reason");
    WITHOUT(in.rag = NULL, "no rating");
    WITHOUT(in.rag = "purple", "rating is one of: blue, green, amber or red");
    WITHOUT(in.subject_kind = "dog", "kind of case is one of: child or adult");
    WITHOUT(in.referrer = "\xff", "plain text");
    WITHOUT(in.n_people = ACT_PEOPLE_MAX + 1, "64 people");
    act_world_free(&a);
}

static void nothing_of_a_case_is_kept_when_one_of_its_people_does_not_fit(void **state)
{
    struct act_newcomer p[2] = {{.who = {.given_names = "Ada"}}, {.who = {.given_names = "Eve"}}};
    struct act_world a;
    struct act_case in = usual();
    (void)state;
    act_world_new(&a);
    in.people = p;
    in.n_people = 2;
    p[1].who.born_on = "2026-13-01";
    opens_badly(&a, &in, "date of birth is no date");
    p[1].who.born_on = "2999-01-01";
    opens_badly(&a, &in, "still to come");
    p[1].who.born_on = NULL;
    p[1].address = " ";
    opens_badly(&a, &in, "address or number is empty");
    p[1].address = NULL;
    p[1].consent = "perhaps";
    opens_badly(&a, &in, "state is one of");
    p[1].consent = "not_sought";
    opens_badly(&a, &in, "why consent was not sought");
    p[1].consent = NULL;
    p[1].consent_reason = "No time";
    opens_badly(&a, &in, "given, refused, or not sought");
    act_world_free(&a);
}

static void numbers_that_do_not_fit_are_kept_and_said(void **state)
{
    static const struct act_newcomer p = {.who = {.given_names = "Ada", .nhs = "9434765918", .upn = "A801200001001"}};
    struct act_world a;
    struct act_case in = usual();
    struct act_case_opened o;
    (void)state;
    act_world_new(&a);
    in.people = &p;
    in.n_people = 1;
    act_done(&a, act_case_new(a.n, &in, &o, &a.why));
    assert_int_equal(o.notes.n, 2);
    assert_non_null(strstr(o.notes.text[0], "NHS number"));
    assert_non_null(strstr(o.notes.text[1], "UPN"));
    assert_int_equal(count(&a, "SELECT count(*) FROM identifier WHERE case_id = $1", o.id), 2);
    act_world_free(&a);
}

static void the_same_reference_of_a_referrer_twice_is_said(void **state)
{
    struct act_world a;
    struct act_case in = usual();
    struct act_case_opened first, second;
    (void)state;
    act_world_new(&a);
    in.external_ref = "HV-17";
    act_done(&a, act_case_new(a.n, &in, &first, &a.why));
    assert_int_equal(first.notes.n, 0);
    act_done(&a, act_case_new(a.n, &in, &second, &a.why));
    assert_int_equal(second.notes.n, 1);
    assert_non_null(strstr(second.notes.text[0], first.reference));
    assert_string_not_equal(first.reference, second.reference);
    act_world_free(&a);
}

static void a_text_of_more_than_a_mebibyte_is_refused(void **state)
{
    struct act_world a;
    struct act_case in = usual();
    char *text = malloc(RULES_MAX_VALUE + 2);
    (void)state;
    assert_non_null(text);
    memset(text, 'x', RULES_MAX_VALUE + 1);
    text[RULES_MAX_VALUE + 1] = '\0';
    act_world_new(&a);
    in.summary = text;
    opens_badly(&a, &in, "summary is longer than 1 MiB");
    free(text);
    act_world_free(&a);
}

/* ------------------------------------------------------------------------------------------------------- set */
static enum err set(struct act_world *a, int c, const char *column, struct value v, bool *held, struct act_notes *notes)
{
    const struct act_change change = {column, v};
    return act_case_set(a->n, a->id[c], &change, 1, held, notes, &a->why);
}

static void what_is_said_about_a_case_is_changed_and_the_hub_s_part_in_it_foretold(void **state)
{
    struct act_world a;
    struct act_notes notes;
    bool held = false;
    (void)state;
    act_world_new(&a);
    const struct act_change both[] = {{"status", value_str("gathering")}, {"hold_until", value_int(now(&a) + 1)}};
    act_done(&a, act_case_set(a.n, a.id[CASE], both, 2, &held, &notes, &a.why));
    assert_true(held); /* care leads */
    act_is_text(&a, "case_file", a.id[CASE], "status", "gathering");
    act_world_free(&a);
}

static void when_a_case_was_closed_goes_with_its_status(void **state)
{
    struct act_world a;
    struct act_notes notes;
    bool held = false;
    (void)state;
    act_world_new(&a);
    int64_t before = now(&a);
    act_done(&a, set(&a, CASE, "status", value_str("closed"), &held, &notes));
    assert_true(count(&a, "SELECT closed_at FROM case_file WHERE id = $1", a.id[CASE]) >= before);
    act_done(&a, set(&a, CASE, "status", value_str("gathering"), &held, &notes));
    act_is_text(&a, "case_file", a.id[CASE], "closed_at", "");
    act_world_free(&a);
}

static void a_case_is_not_changed_into_what_nobody_knows(void **state)
{
    struct act_world a;
    struct act_notes notes;
    bool held = false;
    (void)state;
    act_world_new(&a);
    act_refused(&a, set(&a, CASE, "rag", value_str("purple"), &held, &notes), ERR_USAGE, "rating is one of");
    act_refused(&a, set(&a, CASE, "area", value_str("nroth"), &held, &notes), ERR_USAGE, "no area");
    act_refused(&a, set(&a, CASE, "area", value_null(), &held, &notes), ERR_USAGE, "needs its area");
    act_refused(&a, set(&a, CASE, "lead_agency", value_str("polcie"), &held, &notes), ERR_NOTFOUND, "no agency");
    act_refused(&a, set(&a, CASE, "lead_agency", value_str(""), &held, &notes), ERR_USAGE, "without its lead agency");
    act_refused(&a, set(&a, CASE, "status", value_null(), &held, &notes), ERR_USAGE, "without its status");
    act_refused(&a, set(&a, CASE, "due_at", value_str("soon"), &held, &notes), ERR_USAGE, "does not fit");
    act_refused(&a, set(&a, CASE, "reference", value_str("C-1"), &held, &notes), ERR_DENIED, "never changes");
    act_refused(&a, set(&a, CASE, "agency", value_str("health"), &held, &notes), ERR_USAGE, "nothing called");
    act_refused(&a, set(&a, CASE, "colour", value_str("x"), &held, &notes), ERR_USAGE, "nothing called");
    act_refused(&a, set(&a, CASE, "voided_at", value_int(5), &held, &notes), ERR_DENIED, "Another agency wrote this");
    act_refused(&a, set(&a, CASE, "summary", value_str("x"), &held, &notes), ERR_NOTFOUND, "does not hold that part");
    act_refused(&a, set(&a, FIRST_FREE, "status", value_str("new"), &held, &notes), ERR_NOTFOUND, "no case");
    act_refused(&a, act_case_set(a.n, a.id[CASE], NULL, 0, &held, &notes, &a.why), ERR_USAGE, "nothing to change");
    act_world_free(&a);
}

static void the_brief_of_an_own_case_is_checked_like_a_new_one(void **state)
{
    struct act_world a;
    struct act_case in = usual();
    struct act_case_opened o;
    struct act_notes notes;
    bool held = true;
    (void)state;
    act_world_new(&a);
    in.area = "south"; /* led by health */
    act_done(&a, act_case_new(a.n, &in, &o, &a.why));
    struct act_change c = {"primary_need", value_str("N7")};
    act_refused(&a, act_case_set(a.n, o.id, &c, 1, &held, &notes, &a.why), ERR_USAGE, "no code for the primary need");
    c = (struct act_change){"colour", value_str("x")};
    act_refused(&a, act_case_set(a.n, o.id, &c, 1, &held, &notes, &a.why), ERR_USAGE, "nothing called 'colour'");
    c = (struct act_change){"summary", value_str("")};
    act_refused(&a, act_case_set(a.n, o.id, &c, 1, &held, &notes, &a.why), ERR_USAGE, "without its summary");
    c = (struct act_change){"presenting_issue", value_str("Injury")};
    act_done(&a, act_case_set(a.n, o.id, &c, 1, &held, &notes, &a.why));
    assert_false(held);
    c = (struct act_change){"area", value_str("north")}; /* for those on duty alone, also where one leads */
    act_done(&a, act_case_set(a.n, o.id, &c, 1, &held, &notes, &a.why));
    assert_true(held);
    act_world_free(&a);
}

/* ----------------------------------------------------------------------------------------------------- share */
static enum err share(struct act_world *a, int c, const char *agency, const struct act_share *how, uint8_t id[16],
                      bool *held)
{
    struct act_share sh = *how;
    sh.cases = (const uint8_t(*)[16])a->id[c];
    sh.n_cases = 1;
    sh.agency = agency;
    return act_case_share(a->n, &sh, (uint8_t(*)[16])id, held, &a->why);
}

static void sharing_again_changes_the_part_that_stands(void **state)
{
    struct act_world a;
    uint8_t id[16], again[16];
    bool held = false;
    const struct act_share check = {.access = "check", .basis = "s47"}, wide = {.until = INT64_C(4102444800000)};
    (void)state;
    act_world_new(&a);
    act_done(&a, share(&a, CHECKED_CASE, "police", &check, id, &held));
    assert_true(held);
    act_is_text(&a, "participant", id, "access", "check");
    act_is_text(&a, "participant", id, "agency", "health");
    act_is_text(&a, "participant", id, "quiet", "");
    act_done(&a, share(&a, CHECKED_CASE, "police", &wide, again, &held));
    assert_memory_equal(id, again, 16);
    act_is_text(&a, "participant", id, "access", "contribute");
    act_is_text(&a, "participant", id, "basis", "s47");
    act_is_text(&a, "participant", id, "until", "4102444800000");
    act_done(&a, act_case_unshare(a.n, a.id[CHECKED_CASE], "police", &held, &a.why));
    act_is_text(&a, "participant", id, "access", "none");
    act_refused(&a, act_case_unshare(a.n, a.id[CHECKED_CASE], "police", &held, &a.why), ERR_NOTFOUND, "takes no part");
    act_world_free(&a);
}

static void several_cases_are_shared_in_one_change_or_none(void **state)
{
    struct act_world a;
    uint8_t cases[2][16], ids[2][16];
    bool held = false;
    (void)state;
    act_world_new(&a);
    memcpy(cases[0], a.id[CASE], 16);
    memcpy(cases[1], a.id[FIRST_FREE], 16);
    struct act_share sh = {.cases = (const uint8_t(*)[16])cases, .n_cases = 2, .agency = "school", .quiet = true};
    act_refused(&a, act_case_share(a.n, &sh, ids, &held, &a.why), ERR_NOTFOUND, "no case");
    memcpy(cases[1], a.id[ELSEWHERE], 16);
    act_done(&a, act_case_share(a.n, &sh, ids, &held, &a.why));
    act_is_text(&a, "participant", ids[0], "access", "contribute");
    act_is_text(&a, "participant", ids[1], "quiet", "1");
    act_world_free(&a);
}

static void sharing_with_nobody_or_with_nothing_is_refused(void **state)
{
    struct act_world a;
    uint8_t id[16];
    bool held = false;
    const struct act_share usual_share = {0}, past = {.until = 5}, none = {.access = "none"}, all = {.access = "all"},
                           site = {.site = "room"}, own = {.site = "llanidloes"};
    struct act_share empty = {.agency = "police"};
    (void)state;
    act_world_new(&a);
    act_refused(&a, share(&a, CASE, "polcie", &usual_share, id, &held), ERR_NOTFOUND,
                "no agency with the code 'polcie'");
    act_refused(&a, share(&a, CASE, "polcie", &usual_share, id, &held), ERR_NOTFOUND,
                "Its agencies: care, police, school.");
    act_refused(&a, share(&a, CASE, NULL, &usual_share, id, &held), ERR_USAGE, "which agency");
    act_refused(&a, share(&a, CASE, "police", &past, id, &held), ERR_USAGE, "past");
    act_refused(&a, share(&a, CASE, "police", &none, id, &held), ERR_USAGE, "To share is to give");
    act_refused(&a, share(&a, CASE, "police", &all, id, &held), ERR_USAGE, "access is one of");
    act_refused(&a, share(&a, CASE, "police", &site, id, &held), ERR_NOTFOUND, "no site with the code 'room'");
    act_refused(&a, share(&a, FIRST_FREE, "police", &usual_share, id, &held), ERR_NOTFOUND, "no case");
    act_refused(&a, act_case_share(a.n, &empty, (uint8_t(*)[16])id, &held, &a.why), ERR_USAGE, "which case");
    act_refused(&a, act_case_unshare(a.n, a.id[CASE], " ", &held, &a.why), ERR_USAGE, "which agency");
    act_refused(&a, act_case_unshare(a.n, a.id[FIRST_FREE], "police", &held, &a.why), ERR_NOTFOUND, "no case");
    act_done(&a, share(&a, CASE, "health", &own, id, &held)); /* a second site of one's own */
    act_world_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_referral_is_one_change_with_everything_that_was_said),
        cmocka_unit_test(a_case_that_nobody_rated_has_no_rating_and_no_time),
        cmocka_unit_test(an_adults_referral_keeps_each_ones_role_and_waits_for_each_ones_consent),
        cmocka_unit_test(an_area_without_a_mash_room_is_said_and_led_by_who_opened_it),
        cmocka_unit_test(a_referral_that_lacks_what_others_need_is_refused_in_words),
        cmocka_unit_test(nothing_of_a_case_is_kept_when_one_of_its_people_does_not_fit),
        cmocka_unit_test(numbers_that_do_not_fit_are_kept_and_said),
        cmocka_unit_test(the_same_reference_of_a_referrer_twice_is_said),
        cmocka_unit_test(a_text_of_more_than_a_mebibyte_is_refused),
        cmocka_unit_test(what_is_said_about_a_case_is_changed_and_the_hub_s_part_in_it_foretold),
        cmocka_unit_test(when_a_case_was_closed_goes_with_its_status),
        cmocka_unit_test(a_case_is_not_changed_into_what_nobody_knows),
        cmocka_unit_test(the_brief_of_an_own_case_is_checked_like_a_new_one),
        cmocka_unit_test(sharing_again_changes_the_part_that_stands),
        cmocka_unit_test(several_cases_are_shared_in_one_change_or_none),
        cmocka_unit_test(sharing_with_nobody_or_with_nothing_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
