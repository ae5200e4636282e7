/* Devices with good keys and bad intentions: what a hub must not do for them, whatever they send. */
#include "hub/draft.h"
#include "tests/lib/intake_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static struct op request_to(const struct fake_node *n, const uint8_t case_id[16], const char *agency)
{
    static uint8_t id[16]; /* the operation borrows it; one at a time */
    env_new_id(&hub->env, id);
    struct op r = fake_new(n, "request", id, case_id);
    fake_value(&r, "to_agency", value_str(agency));
    fake_value(&r, "question", value_str("anything known?"));
    return r;
}

static struct op new_case(const struct fake_node *n, uint8_t id[16], const char *lead)
{
    env_new_id(&hub->env, id);
    struct op c = fake_new(n, "case_file", id, id);
    fake_value(&c, "area", value_str("north"));
    fake_value(&c, "lead_agency", value_str(lead));
    return c;
}

/* A row that may come into one case as little and into another as much must not become both. */
static void one_row_in_two_parts_is_a_fault(void **state)
{
    uint8_t c[16], other[16], part[16];
    struct fake_edit e;
    (void)state;
    shared_case(c);
    fake_edit_start(&e);
    struct op little = part_of(paul, part, c, "probation", "check"), asks = request_to(paul, c, "probation");
    fake_put(&e, &little);
    fake_put(&e, &asks);
    fake_edit_next_part(&e);
    struct op file = new_case(paul, other, "police");
    struct op much = fake_new(paul, "participant", part, other);
    fake_value(&much, "member", value_str("probation"));
    fake_value(&much, "site", value_str("probation-1"));
    fake_value(&much, "access", value_str("contribute"));
    fake_put(&e, &file);
    fake_put(&e, &much);
    says(fake_send(paul, &e), VERDICT_FAULT, "twice");
    assert_false(at_hub("participant", part));
    verifies();
}

static void take_out(struct fake_node *by, const uint8_t case_id[16], const char *sql)
{
    uint8_t part[16];
    id_of(sql, case_id, part);
    fake_node_pull(by);
    struct op out = fake_change("participant", part);
    fake_from(&out, "access", value_str("contribute"), value_str("none"));
    says(send_one(by, &out), VERDICT_APPLIED, NULL);
}

/* The privilege of a new case (its maker may put its own agency in) ends when somebody else decides who takes part. */
static void who_made_a_case_and_was_taken_out_cannot_let_itself_in(void **state)
{
    static const char *const members[] = {"police:contribute", NULL};
    uint8_t c[16], again[16];
    (void)state;
    fake_node_pull(paul);
    fake_case(paul, c, "care", members);
    everybody_pulls();
    take_out(carla, c, "SELECT id FROM participant WHERE case_id = $1 AND member = 'police'");
    fake_node_pull(paul);
    struct op in = part_of(paul, again, c, "police", "contribute");
    memset(paul->base_cut, 0, 16); /* "I never saw any of that" */
    paul->has_base = true;
    const struct fake_verdict *v = send_one(paul, &in);
    paul->has_base = false;
    says(v, VERDICT_HELD, NULL);
    assert_false(at_hub("participant", again));
    verifies();
}

/* Until then it holds: the case and its maker's part may come in two changes. */
static void who_makes_a_case_may_put_itself_in_with_the_next_change(void **state)
{
    static const char *const nobody[] = {NULL};
    uint8_t c[16], part[16];
    (void)state;
    fake_node_pull(paul);
    memcpy(paul->base_cut, paul->cursor, 16);
    fake_case(paul, c, "care", nobody);
    struct op in = part_of(paul, part, c, "police", "contribute");
    paul->has_base = true; /* written before the answer came */
    const struct fake_verdict *v = send_one(paul, &in);
    paul->has_base = false;
    says(v, VERDICT_APPLIED, NULL);
}

static void who_was_taken_out_of_a_case_cannot_take_it_from_the_others(void **state)
{
    static const char *const members[] = {"police:contribute", NULL};
    uint8_t c[16];
    (void)state;
    fake_node_pull(paul);
    fake_case(paul, c, "care", members);
    everybody_pulls();
    take_out(carla, c, "SELECT id FROM participant WHERE case_id = $1 AND member = 'police'");
    fake_node_pull(paul);
    struct op away = fake_change("case_file", c);
    fake_value(&away, "voided_at", value_int(1));
    says(send_one(paul, &away), VERDICT_HELD, "take it away");
}

/* A duty for the area is no way into a case that was restricted to others: neither with an old cut nor by a device that
 * has not heard of it yet. */
static void a_duty_does_not_open_a_restricted_case_to_who_was_shut_out(void **state)
{
    uint8_t c[16], part[16], in[16], old[16];
    (void)state;
    shared_case(c);
    struct op named = part_of(carla, part, c, "police", "contribute");
    fake_value(&named, "site", value_str("police-hq"));
    says(send_one(carla, &named), VERDICT_APPLIED, NULL);
    everybody_pulls();
    memcpy(old, mona->cursor, 16);
    struct op shut = fake_change("case_file", c);
    fake_value(&shut, "restricted", value_int(1));
    says(send_one(mona, &shut), VERDICT_APPLIED, NULL);
    fake_node_pull(mona);
    struct op let = part_of(mona, in, c, "care", "contribute");
    fake_value(&let, "site", value_str("care-mash"));
    memcpy(mona->base_cut, old, 16);
    mona->has_base = true;
    const struct fake_verdict *v = send_one(mona, &let);
    mona->has_base = false;
    says(v, VERDICT_HELD, NULL);
    assert_false(at_hub("participant", in));
    verifies();
}

static void nobody_answers_in_the_asked_agencys_place(void **state)
{
    uint8_t c[16], id[16];
    (void)state;
    shared_case(c);
    struct op forged = request_to(paul, c, "school");
    fake_value(&forged, "state", value_str("answered"));
    fake_value(&forged, "result", value_str("nothing_relevant"));
    says(send_one(paul, &forged), VERDICT_HELD, "answer");
    struct op by = request_to(paul, c, "school");
    fake_value(&by, "answered_by", value_id(sue->user));
    says(send_one(paul, &by), VERDICT_HELD, "answer");
    struct op open = request_to(paul, c, "school");
    fake_value(&open, "state", value_str("open"));
    says(send_one(paul, &open), VERDICT_APPLIED, NULL);
    env_new_id(&hub->env, id);
    struct op upheld = fake_new(paul, "challenge", id, c);
    fake_value(&upheld, "state", value_str("upheld"));
    says(send_one(paul, &upheld), VERDICT_HELD, NULL);
    env_new_id(&hub->env, id);
    struct op challenge = fake_new(paul, "challenge", id, c);
    fake_value(&challenge, "state", value_str("open"));
    says(send_one(paul, &challenge), VERDICT_APPLIED, NULL);
}

/* What is between two agencies is not the room's to read, accepted or not. */
static void held_work_shows_the_room_nothing_that_accepted_work_would_not(void **state)
{
    static const char *const tables[] = {"release", "request"};
    static const char *const members[] = {"police:view", "school:contribute", NULL};
    uint8_t c[16], id[16];
    (void)state;
    fake_node_pull(carla);
    fake_case(carla, c, "care", members);
    everybody_pulls();
    for (size_t i = 0; i < 2; i++) {
        env_new_id(&hub->env, id);
        struct op op = fake_new(paul, tables[i], id, c);
        fake_value(&op, "to_agency", value_str("school"));
        fake_value(&op, i == 0 ? "body" : "question", value_str("between us two"));
        says(send_one(paul, &op), VERDICT_HELD, NULL);
    }
    assert_int_equal(count_in(HELD, c), 2);
    assert_int_equal(count_in("SELECT count(*) FROM held WHERE case_id = $1 AND what LIKE '%between us%'", c), 0);
}

static int64_t withheld_of(struct fake_node *n, const uint8_t case_id[16], const uint8_t mine[16],
                           const uint8_t other[16])
{
    struct fake_edit e;
    struct op a = fake_change("person", mine), b = fake_change("person", other);
    fake_edit_start(&e);
    fake_value(&a, "sex", value_str("f"));
    fake_value(&b, "sex", value_str("f"));
    fake_put(&e, &a);
    fake_put(&e, &b);
    says(fake_send(n, &e), VERDICT_HELD, REASON_UNKNOWN);
    fake_node_pull(n);
    return count_in("SELECT length(x.what) FROM held x JOIN h_row r ON r.id = x.id WHERE x.case_id = $1"
                    " ORDER BY r.no DESC LIMIT 1",
                    case_id);
}

/* Its author reads the held row. */
static void a_held_row_does_not_tell_whether_a_hidden_row_is_there(void **state)
{
    static const char *const nobody[] = {NULL};
    uint8_t c[16], mine[16], hidden_case[16], hidden[16], nothing[16];
    (void)state;
    shared_case(c);
    put_person(paul, c, mine);
    fake_node_pull(carla);
    fake_case(carla, hidden_case, "care", nobody);
    put_person(carla, hidden_case, hidden);
    env_new_id(&hub->env, nothing);
    int64_t there = withheld_of(paul, c, mine, hidden), not_there = withheld_of(paul, c, mine, nothing);
    assert_int_equal(there, not_there);
}

/* What its own author wrote later stands when a manager accepts what was held. */
static void accepting_held_work_does_not_undo_what_its_author_wrote_since(void **state)
{
    uint8_t c[16], p[16], part[16], held[16];
    struct fake_edit e;
    (void)state;
    shared_case(c);
    put_person(sue, c, p);
    everybody_pulls();
    fake_edit_start(&e);
    struct op brings = part_of(sue, part, c, "probation", "view"), first = fake_change("person", p);
    fake_from(&first, "family_name", value_str("Smith"), value_str("Smyth"));
    fake_put(&e, &brings);
    fake_put(&e, &first);
    says(fake_send(sue, &e), VERDICT_HELD, NULL);
    hub->now += 60000;
    struct op second = fake_change("person", p);
    fake_from(&second, "family_name", value_str("Smith"), value_str("Smythe"));
    says(send_one(sue, &second), VERDICT_APPLIED, NULL);
    everybody_pulls();
    id_of("SELECT id FROM held WHERE case_id = $1 AND state = 'waiting'", c, held);
    says(change(mona, "held", held, "state", "accepted"), VERDICT_APPLIED, NULL);
    assert_true(at_hub("participant", part));
    text_at_hub("person", p, "family_name", "Smythe");
}

/* Also where the later word was that all should be as the hub has it. */
static void accepting_held_work_does_not_undo_that_its_author_took_it_back(void **state)
{
    uint8_t c[16], p[16], part[16], held[16];
    struct fake_edit e;
    (void)state;
    shared_case(c);
    put_person(sue, c, p);
    everybody_pulls();
    struct op brings = part_of(sue, part, c, "probation", "view"), first = fake_change("person", p);
    fake_from(&first, "family_name", value_str("Smith"), value_str("Smyth"));
    fake_edit_start(&e);
    fake_put(&e, &brings);
    fake_put(&e, &first);
    uint64_t held_seq = fake_commit(sue, &e);
    hub->now += 60000;
    struct op back = fake_change("person", p);
    fake_from(&back, "family_name", value_str("Smyth"), value_str("Smith"));
    fake_edit_start(&e);
    fake_put(&e, &back);
    uint64_t back_seq = fake_commit(sue, &e);
    fake_node_round(sue);
    says(fake_verdict_on(sue, held_seq), VERDICT_HELD, NULL);
    says(fake_verdict_on(sue, back_seq), VERDICT_APPLIED, NULL);
    everybody_pulls();
    id_of("SELECT id FROM held WHERE case_id = $1 AND state = 'waiting'", c, held);
    says(change(mona, "held", held, "state", "accepted"), VERDICT_APPLIED, NULL);
    assert_true(at_hub("participant", part));
    text_at_hub("person", p, "family_name", "Smith");
}

/* A value that came under somebody's own edit was never before his eyes, whatever his cut says. */
static void a_value_hidden_under_held_work_is_not_overwritten_unseen(void **state)
{
    uint8_t c[16], p[16], part[16];
    struct fake_edit e;
    (void)state;
    shared_case(c);
    put_person(sue, c, p);
    everybody_pulls();
    struct op theirs = fake_change("person", p);
    fake_from(&theirs, "family_name", value_str("Smith"), value_str("Jones"));
    says(send_one(carla, &theirs), VERDICT_APPLIED, NULL);
    struct op brings = part_of(sue, part, c, "probation", "view"), first = fake_change("person", p);
    fake_from(&first, "family_name", value_str("Smith"), value_str("Smyth"));
    fake_edit_start(&e);
    fake_put(&e, &brings);
    fake_put(&e, &first);
    says(fake_send(sue, &e), VERDICT_HELD, NULL); /* its answer brings Jones, under the edit */
    struct op second = fake_change("person", p);
    fake_from(&second, "family_name", value_str("Smyth"), value_str("Smythe"));
    says(send_one(sue, &second), VERDICT_MERGED, NULL);
    text_at_hub("person", p, "family_name", "Jones");
    assert_int_equal(count_in(CONFLICTS " AND kept = 'Jones' AND lost = 'Smythe' AND state = 'open'", c), 1);
}

/* Case 0 is the reference data, which every site sees. */
static void a_row_of_case_zero_is_a_fault_and_the_chain_goes_on(void **state)
{
    static const uint8_t zeros[16];
    uint8_t p[16], c[16];
    (void)state;
    fake_node_pull(paul);
    struct op person = fake_person(paul, p, zeros, "Nobody");
    says(send_one(paul, &person), VERDICT_FAULT, NULL);
    struct op file = fake_new(paul, "case_file", zeros, zeros);
    says(send_one(paul, &file), VERDICT_FAULT, NULL);
    struct op good = new_case(paul, c, "care");
    says(send_one(paul, &good), VERDICT_APPLIED, NULL);
}

static double seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Everybody waits for the hub while it judges one device's change. */
static void many_participants_in_one_change_cost_no_more_than_their_number(void **state)
{
    uint8_t c[16], id[16];
    struct fake_edit e;
    (void)state;
    fake_node_pull(paul);
    struct op file = new_case(paul, c, "care");
    fake_edit_start(&e);
    for (int i = 0; i < 10000; i++) {
        struct op p = part_of(paul, id, c, "school", "check");
        fake_put(&e, &p);
    }
    fake_put(&e, &file);
    uint64_t seq = fake_commit(paul, &e);
    double began = seconds();
    fake_node_round(paul);
    double took = seconds() - began;
    assert_true(fake_verdict_on(paul, seq)->verdict != VERDICT_APPLIED);
    if (took > 4) fail_msg("judging took %.1f s", took);
}

/* A case that nobody may see, not even the manager who shut it, could never be opened again. */
static void a_case_is_not_restricted_to_nobody(void **state)
{
    uint8_t c[16], part[16], made[16], mine[16];
    struct fake_edit e;
    (void)state;
    shared_case(c);
    struct op shut = fake_change("case_file", c);
    fake_value(&shut, "restricted", value_int(1));
    says(send_one(mona, &shut), VERDICT_HELD, "names no site");
    struct op file = new_case(paul, made, "care");
    fake_value(&file, "restricted", value_int(1));
    struct op all = part_of(paul, mine, made, "police", "contribute");
    fake_edit_start(&e);
    fake_put(&e, &file);
    fake_put(&e, &all);
    says(fake_send(paul, &e), VERDICT_HELD, "names no site");
    struct op named = part_of(mona, part, c, "care", "contribute");
    fake_value(&named, "site", value_str("care-mash"));
    fake_edit_start(&e);
    fake_put(&e, &shut);
    fake_put(&e, &named);
    says(fake_send(mona, &e), VERDICT_APPLIED, NULL);
    fake_node_pull(paul);
    assert_true(count_in("SELECT restricted FROM case_file WHERE id = $1", c) == 1);
    /* Nor does it lose its last site afterwards, at once or by a date. */
    struct op out = fake_change("participant", part);
    fake_from(&out, "access", value_str("contribute"), value_str("none"));
    says(send_one(mona, &out), VERDICT_HELD, "names no site");
    struct op later = fake_change("participant", part);
    fake_value(&later, "until", value_int(hub->now + 1000));
    says(send_one(mona, &later), VERDICT_HELD, "names no site");
    struct op open = fake_change("case_file", c);
    fake_from(&open, "restricted", value_int(1), value_int(0));
    says(send_one(mona, &open), VERDICT_APPLIED, NULL);
}

static void put_many(struct fake_edit *e, const uint8_t case_id[16], const char *table, uint8_t (*people)[16], int n)
{
    uint8_t id[16];
    for (int i = 0; i < n; i++) {
        bool person = strcmp(table, "person") == 0;
        env_new_id(&hub->env, id);
        if (person) memcpy(people[i], id, 16);
        struct op op = fake_new(paul, table, id, case_id);
        if (person) fake_value(&op, "role", value_str("child"));
        if (strcmp(table, "consent") == 0) {
            fake_value(&op, "person_id", value_id(people[i]));
            fake_value(&op, "scope", value_str("all"));
            fake_value(&op, "state", value_str("given"));
        }
        if (strcmp(table, "record") == 0) {
            fake_value(&op, "sensitivity", value_str("open"));
            fake_value(&op, "needs_consent", value_int(1));
        }
        fake_put(e, &op);
    }
}

/* Whether a record about everybody may be told asks for the consent of each: not of each for each. */
static void many_people_consents_and_records_in_one_case_do_not_stop_the_hub(void **state)
{
    static uint8_t people[200][16];
    uint8_t c[16];
    struct fake_edit e;
    (void)state;
    shared_case(c);
    fake_edit_start(&e);
    put_many(&e, c, "person", people, 200);
    put_many(&e, c, "consent", people, 200);
    put_many(&e, c, "record", people, 200);
    double began = seconds();
    says(fake_send(paul, &e), VERDICT_APPLIED, NULL);
    double took = seconds() - began;
    if (took > 2) fail_msg("judging took %.1f s", took);
    verifies();
}

/* Every agency that fits has been added: what comes in still has the channels that it needs. In a hub of its own, which
 * has seen no case yet. */
static void a_full_hub_still_takes_identifiers_in(void **state)
{
    struct why why = {0};
    enum err e = ERR_OK;
    uint8_t c[16], p[16], id[16];
    char code[16];
    (void)state;
    for (int i = 0; e == ERR_OK && i < 64; i++) {
        (void)snprintf(code, sizeof code, "a%d", i);
        e = hub_add_agency(hub->hub, code, code, "housing", &why);
    }
    assert_int_equal(e, ERR_LIMIT);
    shared_case(c);
    put_person(paul, c, p);
    for (size_t i = 0; i < 4; i++) {
        static const char *const schemes[] = {"nhs", "pnc", "crn", "upn"};
        env_new_id(&hub->env, id);
        struct op known = fake_new(paul, "identifier", id, c);
        fake_value(&known, "person_id", value_id(p));
        fake_value(&known, "scheme", value_str(schemes[i]));
        fake_value(&known, "value", value_str("1"));
        says(send_one(paul, &known), VERDICT_APPLIED, NULL);
    }
    verifies();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_row_in_two_parts_is_a_fault),
        cmocka_unit_test(who_made_a_case_and_was_taken_out_cannot_let_itself_in),
        cmocka_unit_test(who_makes_a_case_may_put_itself_in_with_the_next_change),
        cmocka_unit_test(who_was_taken_out_of_a_case_cannot_take_it_from_the_others),
        cmocka_unit_test(a_duty_does_not_open_a_restricted_case_to_who_was_shut_out),
        cmocka_unit_test(nobody_answers_in_the_asked_agencys_place),
        cmocka_unit_test(held_work_shows_the_room_nothing_that_accepted_work_would_not),
        cmocka_unit_test(a_held_row_does_not_tell_whether_a_hidden_row_is_there),
        cmocka_unit_test(accepting_held_work_does_not_undo_what_its_author_wrote_since),
        cmocka_unit_test(accepting_held_work_does_not_undo_that_its_author_took_it_back),
        cmocka_unit_test(a_value_hidden_under_held_work_is_not_overwritten_unseen),
        cmocka_unit_test(a_row_of_case_zero_is_a_fault_and_the_chain_goes_on),
        cmocka_unit_test(many_participants_in_one_change_cost_no_more_than_their_number),
        cmocka_unit_test(a_case_is_not_restricted_to_nobody),
        cmocka_unit_test(many_people_consents_and_records_in_one_case_do_not_stop_the_hub),
    };
    const struct CMUnitTest full[] = {cmocka_unit_test(a_full_hub_still_takes_identifiers_in)};
    int failed = cmocka_run_group_tests(tests, intake_start, intake_stop);
    return failed + cmocka_run_group_tests(full, intake_start, intake_stop);
}
