/* When each of two versions was written: told with the conflict, whoever wrote it and however it came to stand
 * there. */
#include "tests/lib/intake_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MINUTE = 60000, HOUR = 60 * MINUTE };

/* From now on this device writes upon what it has seen so far, whatever it hears. */
static void goes_offline(struct fake_node *n)
{
    n->has_base = true;
    memcpy(n->base_cut, n->cursor, 16);
}

static void comes_back(struct fake_node *n)
{
    n->has_base = false;
    n->hlc = 0;
    fake_node_pull(n);
}

static void all_come_back(void)
{
    comes_back(carla);
    comes_back(mona);
    comes_back(paul);
    comes_back(sue);
    verifies();
}

/* Its next change bears this time. */
static struct fake_node *at(struct fake_node *n, int64_t ms)
{
    n->hlc = (uint64_t)ms << 16 | 7;
    return n;
}

/* A person of a case that everybody has seen; then, a day later, nobody hears of anybody. Returns when that day began:
 * when the cuts that all of them stand at were served. */
static int64_t apart(uint8_t c[16], uint8_t p[16])
{
    shared_case(c);
    hub->now += HOUR;
    put_person(paul, c, p);
    everybody_pulls();
    goes_offline(carla);
    goes_offline(mona);
    goes_offline(paul);
    goes_offline(sue);
    int64_t served = hub->now;
    hub->now += INT64_C(24) * HOUR;
    return served;
}

static enum verdict writes(struct fake_node *n, const uint8_t p[16], const char *old, const char *v)
{
    const struct fake_verdict *said =
        old == NULL ? change(n, "person", p, "given_names", v) : change_from(n, "person", p, "given_names", old, v);
    return said->verdict;
}

/* One conflict, with these values and times; -1: the time is not known. */
static void tells(const uint8_t c[16], const char *kept, int64_t kept_at, const char *lost, int64_t lost_at)
{
    char sql[300];
    (void)snprintf(sql, sizeof sql,
                   "SELECT count(*) FROM conflict WHERE case_id = $1 AND kept = '%s' AND lost = '%s' AND "
                   "coalesce(kept_at, -1) = %lld AND coalesce(lost_at, -1) = %lld",
                   kept, lost, (long long)kept_at, (long long)lost_at);
    if (count_in(sql, c) != 1)
        fail_msg("not %s of %lld and %s of %lld, but of %lld and %lld", kept, (long long)kept_at, lost,
                 (long long)lost_at, (long long)count_in("SELECT kept_at FROM conflict WHERE case_id = $1", c),
                 (long long)count_in("SELECT lost_at FROM conflict WHERE case_id = $1", c));
}

/* Not when they came: hours after they were written, and the later one first. */
static void a_conflict_says_when_each_version_was_written(void **state)
{
    uint8_t c[16], p[16];
    (void)state;
    int64_t morning = apart(c, p);
    assert_int_equal(writes(at(paul, morning + 9 * HOUR), p, NULL, "Ann"), VERDICT_APPLIED);
    hub->now += HOUR;
    assert_int_equal(writes(at(sue, morning + 2 * HOUR), p, NULL, "Anne"), VERDICT_MERGED);
    tells(c, "Ann", morning + 9 * HOUR, "Anne", morning + 2 * HOUR);
    all_come_back();
}

static void a_replaced_losing_value_brings_its_own_time_and_that_of_what_stands_by_then(void **state)
{
    uint8_t c[16], p[16];
    (void)state;
    int64_t morning = apart(c, p);
    assert_int_equal(writes(at(paul, morning + HOUR), p, NULL, "Ann"), VERDICT_APPLIED);
    assert_int_equal(writes(at(sue, morning + 2 * HOUR), p, NULL, "Anne"), VERDICT_MERGED);
    comes_back(carla);
    int64_t carlas = hub->now + MINUTE;
    hub->now += HOUR;
    assert_int_equal(writes(at(carla, carlas), p, "Ann", "Anya"), VERDICT_APPLIED);
    assert_int_equal(writes(at(sue, morning + 3 * HOUR), p, "Anne", "Annie"), VERDICT_MERGED);
    assert_int_equal(count_in(CONFLICTS, c), 1);
    tells(c, "Anya", carlas, "Annie", morning + 3 * HOUR);
    all_come_back();
}

static void who_writes_on_over_a_conflict_is_shown_with_the_time_of_that(void **state)
{
    uint8_t c[16], p[16];
    (void)state;
    int64_t morning = apart(c, p);
    assert_int_equal(writes(at(paul, morning + HOUR), p, NULL, "Ann"), VERDICT_APPLIED);
    assert_int_equal(writes(at(sue, morning + 2 * HOUR), p, NULL, "Anne"), VERDICT_MERGED);
    assert_int_equal(writes(at(paul, morning + 4 * HOUR), p, "Ann", "Anna"), VERDICT_MERGED);
    tells(c, "Anna", morning + 4 * HOUR, "Anne", morning + 2 * HOUR);
    all_come_back();
}

/* Rule 7: between its cut and its arrival, and no further. */
static void a_wrong_clock_dates_a_version_no_earlier_than_its_cut_and_no_later_than_its_arrival(void **state)
{
    uint8_t c[16], p[16];
    (void)state;
    int64_t morning = apart(c, p);
    assert_int_equal(writes(at(paul, INT64_C(1000)), p, NULL, "Ann"), VERDICT_APPLIED);         /* in 1970 */
    assert_int_equal(writes(at(sue, INT64_C(7258118400000)), p, NULL, "Anne"), VERDICT_MERGED); /* in 2200 */
    tells(c, "Ann", morning, "Anne", hub->now);
    all_come_back();
}

static void what_a_rule_decided_says_it_too_and_so_do_the_versions_once_settled(void **state)
{
    uint8_t c[16], p[16], k[16];
    struct fake_edit e;
    (void)state;
    int64_t morning = apart(c, p);
    (void)at(mona, morning + HOUR);
    (void)at(carla, morning + 2 * HOUR);
    says(change_from(mona, "case_file", c, "rag", "green", "red"), VERDICT_APPLIED, NULL);
    says(change_from(carla, "case_file", c, "rag", "green", "amber"), VERDICT_MERGED, NULL);
    tells(c, "red", morning + HOUR, "amber", morning + 2 * HOUR);
    comes_back(carla);
    id_of("SELECT id FROM conflict WHERE case_id = $1 AND state = 'ruled'", c, k);
    struct op rag = fake_change("case_file", c), settle = fake_change("conflict", k);
    fake_from(&rag, "rag", value_str("red"), value_str("amber"));
    fake_from(&settle, "state", value_str("ruled"), value_str("settled"));
    fake_value(&settle, "reason", value_str("seen the house"));
    fake_value(&settle, "resolved_by", value_id(carla->user));
    fake_edit_start(&e);
    fake_put(&e, &rag);
    fake_put(&e, &settle);
    hub->now += HOUR;
    says(fake_send(carla, &e), VERDICT_APPLIED, NULL);
    text_at_hub("conflict", k, "state", "settled");
    tells(c, "red", morning + HOUR, "amber", morning + 2 * HOUR);
    all_come_back();
}

/* It lost first, rises when its better is taken back, and bears the time of its own writing still. */
static void a_word_that_rises_again_bears_the_time_when_it_was_written(void **state)
{
    uint8_t c[16], p[16];
    (void)state;
    int64_t morning = apart(c, p);
    (void)at(mona, morning + HOUR);
    (void)at(carla, morning + 2 * HOUR);
    says(change_from(mona, "case_file", c, "rag", "green", "red"), VERDICT_APPLIED, NULL);
    says(change_from(carla, "case_file", c, "rag", "green", "amber"), VERDICT_MERGED, NULL);
    (void)at(mona, morning + 5 * HOUR);
    says(change_from(mona, "case_file", c, "rag", "red", "blue"), VERDICT_MERGED, NULL);
    tells(c, "amber", morning + 2 * HOUR, "blue", morning + 5 * HOUR);
    all_come_back();
}

/* Of a value that came with a new row, it is the time of the change that made the row: whichever of the two stands. */
static void a_value_that_came_with_a_new_row_was_written_with_it(void **state)
{
    (void)state;
    for (int first_stands = 0; first_stands < 2; first_stands++) {
        static const char *const words[] = {"given", "refused"};
        uint8_t c[16], p[16], id[16];
        int64_t morning = apart(c, p);
        env_new_id(&hub->env, id);
        struct op a = fake_new(paul, "consent", id, c);
        fake_value(&a, "person_id", value_id(p));
        fake_value(&a, "scope", value_str("all"));
        fake_value(&a, "state", value_str(words[first_stands]));
        struct op b = a;
        b.new_[2] = value_str("school");
        fake_value(&b, "state", value_str(words[!first_stands]));
        says(send_one(at(paul, morning + HOUR), &a), VERDICT_APPLIED, NULL);
        says(send_one(at(sue, morning + 2 * HOUR), &b), VERDICT_MERGED, NULL);
        if (first_stands)
            tells(c, "refused", morning + HOUR, "given", morning + 2 * HOUR);
        else
            tells(c, "refused", morning + 2 * HOUR, "given", morning + HOUR);
        all_come_back();
    }
}

/* A change that waited for a manager was written when it was written, not when it was accepted. */
static void accepted_work_says_when_its_author_wrote_it(void **state)
{
    uint8_t c[16], p[16], held[16];
    (void)state;
    int64_t morning = apart(c, p);
    (void)at(paul, morning + HOUR);
    says(change_from(paul, "case_file", c, "rag", "green", "amber"), VERDICT_HELD, NULL); /* the lead agency's to say */
    (void)at(carla, morning + 2 * HOUR);
    says(change_from(carla, "case_file", c, "rag", "green", "red"), VERDICT_APPLIED, NULL);
    hub->now += 5 * HOUR;
    comes_back(mona);
    id_of("SELECT id FROM held WHERE case_id = $1 AND state = 'waiting'", c, held);
    says(change_from(mona, "held", held, "state", "waiting", "accepted"), VERDICT_APPLIED, NULL);
    tells(c, "red", morning + 2 * HOUR, "amber", morning + HOUR);
    all_come_back();
}

/* A conflict of before the hub kept the times: they are not known, until its versions are written anew. */
static void an_older_conflict_has_no_times_until_a_version_of_it_is_replaced(void **state)
{
    uint8_t c[16], p[16];
    (void)state;
    int64_t morning = apart(c, p);
    assert_int_equal(writes(at(paul, morning + HOUR), p, NULL, "Ann"), VERDICT_APPLIED);
    assert_int_equal(writes(at(sue, morning + 2 * HOUR), p, NULL, "Anne"), VERDICT_MERGED);
    struct why why = {0};
    assert_int_equal(db_exec(hub_db(hub->hub), "UPDATE conflict SET kept_at = NULL, lost_at = NULL", &why), ERR_OK);
    tells(c, "Ann", -1, "Anne", -1);
    assert_int_equal(writes(at(sue, morning + 3 * HOUR), p, "Anne", "Annie"), VERDICT_MERGED);
    tells(c, "Ann", morning + HOUR, "Annie", morning + 3 * HOUR);
    all_come_back();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_conflict_says_when_each_version_was_written),
        cmocka_unit_test(a_replaced_losing_value_brings_its_own_time_and_that_of_what_stands_by_then),
        cmocka_unit_test(who_writes_on_over_a_conflict_is_shown_with_the_time_of_that),
        cmocka_unit_test(a_wrong_clock_dates_a_version_no_earlier_than_its_cut_and_no_later_than_its_arrival),
        cmocka_unit_test(what_a_rule_decided_says_it_too_and_so_do_the_versions_once_settled),
        cmocka_unit_test(a_word_that_rises_again_bears_the_time_when_it_was_written),
        cmocka_unit_test(a_value_that_came_with_a_new_row_was_written_with_it),
        cmocka_unit_test(accepted_work_says_when_its_author_wrote_it),
        cmocka_unit_test(an_older_conflict_has_no_times_until_a_version_of_it_is_replaced),
    };
    return cmocka_run_group_tests(tests, intake_start, intake_stop);
}
