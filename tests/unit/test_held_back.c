/* Held work whose time is over: it could not be taken in any more, or its author has written something else since. */
#include "tests/lib/intake_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEN_YEARS (3650 * INT64_C(86400000))

/* Restricted, and for three sites only: the room and the police contribute, the school looks on. */
static void restricted_case(uint8_t c[16], uint8_t parts[3][16])
{
    static const char *const who[][3] = {
        {"care", "care-mash", "contribute"}, {"police", "police-hq", "contribute"}, {"school", "school-1", "view"}};
    struct fake_edit e;
    fake_edit_start(&e);
    env_new_id(&hub->env, c);
    struct op file = fake_new(carla, "case_file", c, c);
    fake_value(&file, "area", value_str("north"));
    fake_value(&file, "lead_agency", value_str("care"));
    fake_value(&file, "restricted", value_int(1));
    fake_put(&e, &file);
    for (size_t i = 0; i < 3; i++) {
        env_new_id(&hub->env, parts[i]);
        struct op p = fake_new(carla, "participant", parts[i], c);
        fake_value(&p, "member", value_str(who[i][0]));
        fake_value(&p, "site", value_str(who[i][1]));
        fake_value(&p, "access", value_str(who[i][2]));
        fake_put(&e, &p);
    }
    says(fake_send(carla, &e), VERDICT_APPLIED, NULL);
    everybody_pulls();
}

/* Sue may not: held. Returns the number of the change. */
static uint64_t end_part(const uint8_t c[16], const uint8_t part[16], uint8_t held[16])
{
    struct op op = fake_change("participant", part);
    struct fake_edit e;
    fake_from(&op, "access", value_str("contribute"), value_str("none"));
    fake_edit_start(&e);
    fake_put(&e, &op);
    uint64_t seq = fake_commit(sue, &e);
    fake_node_round(sue);
    says(fake_verdict_on(sue, seq), VERDICT_HELD, "lead agency");
    id_of("SELECT x.id FROM held x JOIN h_row r ON r.id = x.id WHERE x.case_id = $1 ORDER BY r.no DESC LIMIT 1", c, held);
    return seq;
}

static struct op acceptance(const uint8_t held[16])
{
    struct op op = fake_change("held", held);
    fake_from(&op, "state", value_str("waiting"), value_str("accepted"));
    return op;
}

/* Each of the two can be taken in, but not both: who accepts both in one change reads in the second why it still
 * waits. */
static void an_acceptance_that_could_not_be_carried_out_says_so_and_waits_on(void **state)
{
    uint8_t c[16], parts[3][16], first[16], second[16];
    struct fake_edit e;
    (void)state;
    restricted_case(c, parts);
    uint64_t one = end_part(c, parts[1], first), two = end_part(c, parts[0], second);
    assert_memory_not_equal(first, second, 16);
    fake_node_pull(mona);
    struct op a = acceptance(first), b = acceptance(second);
    fake_edit_start(&e);
    fake_put(&e, &a);
    fake_put(&e, &b);
    says(fake_send(mona, &e), VERDICT_APPLIED, NULL);
    assert_true(fake_node_got(mona, "held", second)); /* with the reason: she is told, not only the hub */
    text_at_hub("held", first, "state", "accepted");
    text_at_hub("participant", parts[1], "access", "none");
    text_at_hub("participant", parts[0], "access", "contribute");
    text_at_hub("held", second, "state", "waiting");
    text_at_hub(
        "held", second, "reason",
        "A manager accepted this, but it could not be taken in. This would leave a restricted case to nobody: it "
        "names no site that goes on taking part in it.");
    assert_int_equal(count_in("SELECT count(*) FROM held WHERE id = $1 AND what IS NOT NULL", second), 1);
    fake_node_round(sue);
    says(fake_verdict_on(sue, one), VERDICT_APPLIED, NULL);
    says(fake_verdict_on(sue, two), VERDICT_HELD, "leave a restricted case to nobody");
    says(change_from(mona, "held", second, "state", "waiting", "accepted"), VERDICT_HELD, "not even");
    says(change_from(mona, "participant", parts[1], "access", "none", "contribute"), VERDICT_APPLIED, NULL);
    says(change_from(mona, "held", second, "state", "waiting", "accepted"), VERDICT_APPLIED, NULL);
    text_at_hub("participant", parts[0], "access", "none");
    verifies();
}

/* ------------------------------------------------------------------------------- older work, accepted in the end */
struct written {
    uint8_t c[16], person[16], held[16];
};

/* A name, and beside it a part that is not Sue's to give: held as a whole. */
static uint64_t commit_older(const struct written *w, bool ahead)
{
    uint8_t part[16];
    struct fake_edit e;
    struct op name = fake_change("person", w->person), other = part_of(sue, part, w->c, "probation", "view");
    fake_from(&name, "family_name", value_str("Smith"), value_str("Older"));
    fake_edit_start(&e);
    fake_put(&e, &name);
    fake_put(&e, &other);
    if (ahead) sue->hlc = (uint64_t)(hub->now + TEN_YEARS) << 16;
    uint64_t seq = fake_commit(sue, &e);
    sue->hlc = 0;
    return seq;
}

static uint64_t commit_later(const struct written *w, const char *name)
{
    struct fake_edit e;
    struct op op = fake_change("person", w->person);
    fake_from(&op, "family_name", value_str("Older"), value_str(name));
    fake_edit_start(&e);
    fake_put(&e, &op);
    return fake_commit(sue, &e);
}

/* Both are sent a day later in one request: so far a clock that is ahead can reach. */
static void write_both(struct written *w, struct fake_node *maker, bool ahead, const char *later)
{
    shared_case(w->c);
    put_person(maker, w->c, w->person);
    everybody_pulls();
    uint64_t one = commit_older(w, ahead), two = 0;
    hub->now += 1000;
    if (later != NULL) two = commit_later(w, later);
    hub->now += 86400000;
    fake_node_round(sue);
    says(fake_verdict_on(sue, one), VERDICT_HELD, "who takes part");
    if (later != NULL) says(fake_verdict_on(sue, two), VERDICT_APPLIED, NULL);
    id_of("SELECT id FROM held WHERE case_id = $1", w->c, w->held);
}

static void accept_older(const struct written *w, const char *name)
{
    everybody_pulls();
    says(change_from(mona, "held", w->held, "state", "waiting", "accepted"), VERDICT_APPLIED, NULL);
    text_at_hub("held", w->held, "state", "accepted");
    assert_int_equal(count_in("SELECT count(*) FROM participant WHERE case_id = $1 AND member = 'probation'", w->c), 1);
    text_at_hub("person", w->person, "family_name", name);
    assert_int_equal(count_in(CONFLICTS, w->c), 0); /* it was one author, who changed his mind */
    verifies();
}

static void accepted_older_work_leaves_what_its_author_wrote_later(void **state)
{
    (void)state;
    for (int ahead = 0; ahead < 2; ahead++) {
        struct written w;
        write_both(&w, sue, ahead, "Newer");
        accept_older(&w, "Newer");
    }
}

static void accepted_older_work_does_not_bring_back_what_its_author_took_back(void **state)
{
    (void)state;
    for (int ahead = 0; ahead < 2; ahead++) {
        struct written w;
        write_both(&w, carla, ahead, "Smith");
        accept_older(&w, "Smith");
    }
}

/* Found by a simulated world (seed 20071): the older value took the later one's place in the conflict. */
static void accepted_older_work_leaves_the_later_value_that_stands_in_a_conflict(void **state)
{
    struct written w;
    (void)state;
    shared_case(w.c);
    put_person(carla, w.c, w.person);
    everybody_pulls();
    (void)commit_older(&w, false);
    uint64_t two = commit_later(&w, "Newer");
    says(change_from(carla, "person", w.person, "family_name", "Smith", "Carla's"), VERDICT_APPLIED, NULL);
    fake_node_round(sue);
    says(fake_verdict_on(sue, two), VERDICT_MERGED, NULL);
    id_of("SELECT id FROM held WHERE case_id = $1", w.c, w.held);
    everybody_pulls();
    says(change_from(mona, "held", w.held, "state", "waiting", "accepted"), VERDICT_APPLIED, NULL);
    text_at_hub("person", w.person, "family_name", "Carla's");
    assert_int_equal(count_in(CONFLICTS, w.c), 1);
    assert_int_equal(count_in("SELECT count(*) FROM conflict WHERE case_id = $1 AND lost = 'Newer'", w.c), 1);
    verifies();
}

/* Two columns of two persons: the one is made by held work, so the change waits; the other has been there. */
static uint64_t commit_waiting(const struct written *w, const uint8_t made[16], const char *column, const char *text)
{
    struct fake_edit e;
    struct op op = fake_change("person", made), name = fake_change("person", w->person);
    fake_value(&op, column, value_str(text));
    fake_from(&name, "family_name", value_str("First"), value_str("Second"));
    fake_edit_start(&e);
    fake_put(&e, &op);
    if (strcmp(column, "given_names") == 0) fake_put(&e, &name);
    return fake_commit(sue, &e);
}

/* Both that wait are noted at the very point of the order at which the change before them was taken in. That another
 * one came later says nothing: it did not write this column. */
static void waiting_work_counts_though_more_work_of_its_author_waits_behind_it(void **state)
{
    struct written w;
    uint8_t made[16], part[16];
    struct fake_edit e;
    (void)state;
    shared_case(w.c);
    put_person(sue, w.c, w.person);
    everybody_pulls();
    struct op person = fake_person(sue, made, w.c, "Made"), other = part_of(sue, part, w.c, "probation", "view");
    fake_edit_start(&e);
    fake_put(&e, &person);
    fake_put(&e, &other);
    uint64_t held = fake_commit(sue, &e);
    struct op first = fake_change("person", w.person);
    fake_from(&first, "family_name", value_str("Smith"), value_str("First"));
    fake_edit_start(&e);
    fake_put(&e, &first);
    uint64_t applied = fake_commit(sue, &e);
    uint64_t one = commit_waiting(&w, made, "given_names", "Ann"), two = commit_waiting(&w, made, "sex", "f");
    fake_node_round(sue);
    says(fake_verdict_on(sue, held), VERDICT_HELD, "who takes part");
    says(fake_verdict_on(sue, applied), VERDICT_APPLIED, NULL);
    says(fake_verdict_on(sue, one), VERDICT_WAITS, NULL);
    says(fake_verdict_on(sue, two), VERDICT_WAITS, NULL);
    id_of("SELECT id FROM held WHERE case_id = $1", w.c, w.held);
    everybody_pulls();
    says(change_from(mona, "held", w.held, "state", "waiting", "accepted"), VERDICT_APPLIED, NULL);
    text_at_hub("person", made, "given_names", "Ann");
    text_at_hub("person", w.person, "family_name", "Second");
    verifies();
}

/* The other direction, or those above could not fail. */
static void accepted_older_work_counts_where_its_author_wrote_nothing_since(void **state)
{
    (void)state;
    for (int ahead = 0; ahead < 2; ahead++) {
        struct written w;
        write_both(&w, sue, ahead, NULL);
        accept_older(&w, "Older");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_acceptance_that_could_not_be_carried_out_says_so_and_waits_on),
        cmocka_unit_test(accepted_older_work_leaves_what_its_author_wrote_later),
        cmocka_unit_test(accepted_older_work_does_not_bring_back_what_its_author_took_back),
        cmocka_unit_test(accepted_older_work_leaves_the_later_value_that_stands_in_a_conflict),
        cmocka_unit_test(waiting_work_counts_though_more_work_of_its_author_waits_behind_it),
        cmocka_unit_test(accepted_older_work_counts_where_its_author_wrote_nothing_since),
    };
    return cmocka_run_group_tests(tests, intake_start, intake_stop);
}
