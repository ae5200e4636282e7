/* Erasing closed cases: what goes, what stays, and that neither happens by accident. hub/RETENTION.md. */
#include "hub/dump.h"
#include "hub/move.h"
#include "hub/retention_internal.h"
#include "hub/row_cache.h"
#include "tests/lib/intake_fixture.h"
#include "tests/lib/test_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DAY (24LL * 60 * 60 * 1000)

/* ----------------------------------------------------------------------------------------------- what is looked for */

struct search {
    struct buf all;
};

static enum err keep(void *ctx, struct bytes piece, struct why *why)
{
    struct search *s = ctx;
    buf_put_bytes(&s->all, piece);
    return s->all.err == ERR_OK ? ERR_OK : why_set(why, s->all.err, "too much");
}

/* Is this text anywhere in the store, in whatever table? */
static bool anywhere(const char *text)
{
    struct search s;
    struct why why = {0};
    struct dump_sink sink = {.ctx = &s, .write = keep};
    struct secret key = {0};
    struct dump_keeper keeper = move_keeper(hub_db(hub->hub), &key);
    buf_init(&s.all, 512u << 20);
    assert_int_equal(db_begin_read(hub_db(hub->hub), &why), ERR_OK);
    enum err e = dump_write(&hub->env, hub_db(hub->hub), db_is_postgres(hub_db(hub->hub)) ? NULL : &keeper, &sink, NULL, &why);
    db_rollback(hub_db(hub->hub));
    if (e != ERR_OK) fail_msg("%s", why.text);
    bool found = memmem(s.all.data, s.all.len, text, strlen(text)) != NULL;
    buf_release(&s.all);
    return found;
}

static void log_holds(void)
{
    struct why why = {0};
    struct log_audit_sum sum;
    if (hub_log_verify(hub->hub, &sum, &why) != ERR_OK) fail_msg("%s", why.text);
}

static void all_holds(void)
{
    verifies();
    log_holds();
}

static void closes(const uint8_t c[16])
{
    says(change_from(carla, "case_file", c, "status", "new", "closed"), VERDICT_APPLIED, NULL);
}

static enum err erase(const uint8_t c[16], bool unsettled, struct why *why)
{
    return hub_erase(hub->hub, c, unsettled, "asked for by the family, agreed by the partnership", why);
}

static void must_erase(const uint8_t c[16])
{
    struct why why = {0};
    if (erase(c, false, &why) != ERR_OK) fail_msg("%s", why.text);
}

static uint64_t queue_person(struct fake_node *n, const uint8_t c[16], uint8_t id[16], const char *family)
{
    struct fake_edit e;
    struct op op = fake_person(n, id, c, family);
    fake_edit_start(&e);
    fake_put(&e, &op);
    return fake_commit(n, &e);
}

static int64_t count(const char *sql)
{
    return fake_hub_int(hub, sql);
}

/* ----------------------------------------------------------------------------------------------------------- claims */

static void an_open_a_held_and_an_unsettled_case_are_not_erased(void **state)
{
    struct why why = {0};
    uint8_t c[16], p[16], nobody[16] = {9};
    (void)state;
    shared_case(c);
    assert_int_equal(erase(c, true, &why), ERR_DENIED);
    assert_int_equal(erase(nobody, true, &why), ERR_NOTFOUND);
    says(change(sue, "case_file", c, "hold_until", NULL), VERDICT_HELD, NULL); /* she may not: it waits for a manager */
    closes(c);
    assert_int_equal(erase(c, false, &why), ERR_DENIED);
    assert_int_equal(hub_erase(hub->hub, c, true, "", &why), ERR_USAGE);
    assert_int_equal(hub_retention_hold(hub->hub, c, "an inquiry", &why), ERR_OK);
    assert_int_equal(erase(c, true, &why), ERR_DENIED);
    assert_int_equal(hub_retention_release(hub->hub, c, "it is over", &why), ERR_OK);
    struct op until = fake_change("case_file", c);
    fake_value(&until, "hold_until", value_int(hub->now + 10 * DAY));
    says(send_one(carla, &until), VERDICT_APPLIED, NULL);
    assert_int_equal(erase(c, true, &why), ERR_DENIED);
    hub->now += 11 * DAY;
    put_person(carla, c, p);
    assert_int_equal(erase(c, false, &why), ERR_DENIED);
    assert_true(at_hub("person", p));
    assert_int_equal(erase(c, true, &why), ERR_OK);
    assert_int_equal(erase(c, true, &why), ERR_EXISTS);
    assert_false(at_hub("person", p));
    all_holds();
}

static void nothing_of_an_erased_case_is_left_and_everything_else_is(void **state)
{
    uint8_t c[16], d[16], p[16], q[16], r[16];
    (void)state;
    shared_case(c);
    shared_case(d);
    (void)queue_person(sue, c, p, "Needleinhaystack");
    fake_node_round(sue);
    (void)queue_person(sue, d, q, "Otherfamilyname");
    fake_node_round(sue);
    struct op rec = new_record(sue, r, c, "open");
    fake_value(&rec, "body", value_str("Bodyofevidence"));
    says(send_one(sue, &rec), VERDICT_APPLIED, NULL);
    everybody_pulls();
    /* two values for one column: a conflict and its rival */
    struct op one = fake_change("person", p), two = fake_change("person", p);
    fake_from(&one, "family_name", value_str("Needleinhaystack"), value_str("Firstspelling"));
    fake_from(&two, "family_name", value_str("Needleinhaystack"), value_str("Secondspelling"));
    (void)send_one(paul, &one);
    (void)send_one(sue, &two);
    assert_true(anywhere("Needleinhaystack") && anywhere("Secondspelling") && anywhere("Bodyofevidence"));
    closes(c);
    struct why why = {0};
    assert_int_equal(erase(c, false, &why), ERR_DENIED); /* two versions of a name */
    assert_int_equal(erase(c, true, &why), ERR_OK);
    assert_false(anywhere("Needleinhaystack") || anywhere("Firstspelling") || anywhere("Secondspelling") || anywhere("Bodyofevidence"));
    assert_true(anywhere("Otherfamilyname"));
    assert_true(at_hub("person", q) && at_hub("case_file", d));
    assert_true(count("SELECT max(envelopes) FROM h_erased WHERE rows > 5") > 4);
    all_holds();
    fake_hub_reopen(hub);
    all_holds();
    fake_node_round(sue);
    assert_true(sue->n_drops > 0);
    fake_node_round(paul);
    assert_true(paul->n_drops > 0);
    all_holds();
}

static void what_comes_too_late_is_told_so_and_not_kept(void **state)
{
    uint8_t c[16], p[16], q[16];
    (void)state;
    shared_case(c);
    put_person(sue, c, p);
    uint64_t first = queue_person(sue, c, q, "Latebutsincere");
    struct fake_edit e;
    struct op again = fake_change("person", q);
    fake_value(&again, "given_names", value_str("Latebuiltupon"));
    fake_edit_start(&e);
    fake_put(&e, &again);
    uint64_t second = fake_commit(sue, &e);
    struct op old = fake_change("person", p);
    fake_value(&old, "given_names", value_str("Lateonanoldrow"));
    fake_edit_start(&e);
    fake_put(&e, &old);
    uint64_t third = fake_commit(sue, &e);
    closes(c);
    must_erase(c);
    fake_node_round(sue);
    says(fake_verdict_on(sue, first), VERDICT_DISMISSED, "erased");
    says(fake_verdict_on(sue, second), VERDICT_DISMISSED, "erased");
    says(fake_verdict_on(sue, third), VERDICT_DISMISSED, "erased");
    assert_false(anywhere("Latebut") || anywhere("Latebuilt") || anywhere("Lateonanold"));
    assert_int_equal(count("SELECT count(*) FROM h_held h WHERE h.state = 'waiting' AND h.node_no = (SELECT max(no) FROM h_node)"), 0);
    /* nor does a new file of that id, and a row of it in another case */
    struct op file = fake_new(carla, "case_file", c, c);
    fake_value(&file, "reference", value_str("Risenagain"));
    says(send_one(carla, &file), VERDICT_DISMISSED, "erased");
    assert_false(at_hub("case_file", c) || anywhere("Risenagain"));
    uint8_t d[16];
    shared_case(d);
    struct op stolen = fake_new(sue, "person", p, d);
    fake_value(&stolen, "family_name", value_str("Underanotherflag"));
    says(send_one(sue, &stolen), VERDICT_DISMISSED, NULL);
    assert_false(at_hub("person", p) || anywhere("Underanotherflag"));
    all_holds();
}

/* A change in two cases, one of them erased before it comes. */
static void the_rest_of_a_change_in_several_cases_is_a_managers_to_decide(void **state)
{
    uint8_t c[16], d[16], p[16], q[16], held[16];
    struct fake_edit e;
    (void)state;
    shared_case(c);
    shared_case(d);
    fake_edit_start(&e);
    struct op gone = fake_person(sue, p, c, "Partthatisgone");
    fake_put(&e, &gone);
    fake_edit_next_part(&e);
    struct op stays = fake_person(sue, q, d, "Partthatstays");
    fake_put(&e, &stays);
    uint64_t seq = fake_commit(sue, &e);
    closes(c);
    must_erase(c);
    fake_node_round(sue);
    says(fake_verdict_on(sue, seq), VERDICT_HELD, "erased");
    assert_false(anywhere("Partthatisgone"));
    assert_true(anywhere("Partthatstays"));
    everybody_pulls();
    id_of("SELECT id FROM held WHERE case_id = $1 AND state = 'waiting'", d, held);
    says(change(mona, "held", held, "state", "accepted"), VERDICT_APPLIED, NULL);
    assert_true(at_hub("person", q));
    assert_false(at_hub("person", p));
    all_holds();
}

/* The same change taken in before, and the other case erased after it: its part stays what it was. */
static void a_stored_change_loses_only_the_part_of_the_erased_case(void **state)
{
    uint8_t c[16], d[16], p[16], q[16];
    struct fake_edit e;
    (void)state;
    shared_case(c);
    shared_case(d);
    fake_edit_start(&e);
    struct op gone = fake_person(sue, p, c, "Storedandgone");
    fake_put(&e, &gone);
    fake_edit_next_part(&e);
    struct op stays = fake_person(sue, q, d, "Storedandkept");
    fake_put(&e, &stays);
    says(fake_send(sue, &e), VERDICT_APPLIED, NULL);
    closes(c);
    must_erase(c);
    assert_false(anywhere("Storedandgone"));
    closes(d);
    assert_true(anywhere("Storedandkept"));
    must_erase(d);
    assert_false(anywhere("Storedandkept"));
    all_holds();
}

static void held_work_about_nothing_else_is_dismissed_and_its_author_told(void **state)
{
    struct why why = {0};
    uint8_t c[16], p[16], part[16];
    (void)state;
    shared_case(c);
    id_of("SELECT id FROM participant WHERE case_id = $1 AND member = 'school'", c, part);
    struct op un = fake_change("participant", part);
    fake_from(&un, "access", value_str("contribute"), value_str("none"));
    says(send_one(carla, &un), VERDICT_APPLIED, NULL);
    uint64_t seq = queue_person(sue, c, p, "Heldandforgotten");
    fake_node_round(sue);
    says(fake_verdict_on(sue, seq), VERDICT_HELD, NULL);
    closes(c);
    assert_int_equal(erase(c, false, &why), ERR_DENIED);
    assert_true(anywhere("Heldandforgotten"));
    assert_int_equal(erase(c, true, &why), ERR_OK);
    assert_false(anywhere("Heldandforgotten"));
    fake_node_round(sue);
    says(fake_verdict_on(sue, seq), VERDICT_DISMISSED, "erased");
    all_holds();
}

/* Whoever knows its id could else keep a case for ever: nobody is shown such work, so nobody could decide it. */
static void what_a_stranger_sent_about_a_case_does_not_keep_it(void **state)
{
    uint8_t c[16], p[16];
    struct fake_node *stranger = device("probation-1", "probation", "Petra");
    (void)state;
    shared_case(c);
    fake_node_pull(stranger);
    struct op op = fake_person(stranger, p, c, "Strangersword");
    says(send_one(stranger, &op), VERDICT_HELD, NULL);
    assert_int_equal(count_in(HELD, c), 0);
    assert_true(anywhere("Strangersword"));
    closes(c);
    must_erase(c);
    assert_false(anywhere("Strangersword"));
    fake_node_round(stranger);
    assert_true(stranger->n_verdicts == 1 && stranger->verdicts[0].verdict == VERDICT_DISMISSED);
    fake_node_release(stranger);
    free(stranger);
    all_holds();
}

/* Police open a case that care should lead, and bring in the school, which only care may: held. */
static void put_referral(struct fake_edit *e, uint8_t c[16], const char *summary)
{
    uint8_t p[16];
    env_new_id(&hub->env, c);
    env_new_id(&hub->env, p);
    struct op file = fake_new(paul, "case_file", c, c), brief = fake_new(paul, "brief", c, c), part = fake_new(paul, "participant", p, c);
    fake_value(&file, "area", value_str("north"));
    fake_value(&file, "lead_agency", value_str("care"));
    fake_value(&brief, "summary", value_str(summary));
    fake_value(&part, "member", value_str("school"));
    fake_value(&part, "site", value_str("school-1"));
    fake_value(&part, "access", value_str("contribute"));
    fake_put(e, &file);
    fake_put(e, &brief);
    fake_put(e, &part);
}

/* Two children in one change, each in a case of the hub's own until somebody decides: erasing one leaves the other. */
static void one_of_two_held_referrals_goes_and_the_other_can_still_be_accepted(void **state)
{
    struct why why = {0};
    struct fake_edit e;
    uint8_t one[16], two[16], held[16], stand_in[16];
    (void)state;
    fake_node_pull(paul);
    fake_edit_start(&e);
    put_referral(&e, one, "Firstintheriver");
    fake_edit_next_part(&e);
    put_referral(&e, two, "Secondintheriver");
    says(fake_send(paul, &e), VERDICT_HELD, NULL);
    id_of("SELECT case_id FROM held WHERE state = 'waiting' AND what LIKE '%Firstinthe%' AND $1 IS NOT NULL", one, stand_in);
    id_of("SELECT id FROM held WHERE state = 'waiting' AND what LIKE '%Secondinthe%' AND $1 IS NOT NULL", two, held);
    everybody_pulls();
    says(change_from(mona, "case_file", stand_in, "status", "new", "closed"), VERDICT_APPLIED, NULL);
    assert_int_equal(erase(stand_in, true, &why), ERR_OK);
    assert_false(anywhere("Firstinthe"));
    assert_true(anywhere("Secondinthe"));
    everybody_pulls();
    says(change(mona, "held", held, "state", "accepted"), VERDICT_APPLIED, NULL);
    assert_true(at_hub("case_file", two));
    assert_false(at_hub("case_file", one));
    all_holds();
}

static void days(int n)
{
    struct why why = {0};
    for (int i = 0; i < n; i++) {
        bool done = false;
        hub->now += DAY;
        while (!done) assert_int_equal(hub_retention_continue(hub->hub, 100, NULL, &done, &why), ERR_OK);
    }
}

/* By time nothing goes over what somebody has still to decide, and administrators are told of it. */
static void what_waits_for_a_person_is_not_erased_by_time(void **state)
{
    struct why why = {0};
    uint8_t c[16], p[16], part[16], held[16];
    uint64_t before = 0, now = 0;
    (void)state;
    assert_int_equal(hub_retention_set(hub->hub, &(struct retention_days){0, 0, 30}, "schedule", &why), ERR_OK);
    shared_case(c);
    id_of("SELECT id FROM participant WHERE case_id = $1 AND member = 'school'", c, part);
    struct op un = fake_change("participant", part);
    fake_from(&un, "access", value_str("contribute"), value_str("none"));
    says(send_one(carla, &un), VERDICT_APPLIED, NULL);
    (void)queue_person(sue, c, p, "Waitsforaperson");
    fake_node_round(sue);
    everybody_pulls();
    closes(c);
    days(20); /* what other claims left may go first */
    assert_int_equal(hub_retention_overdue(hub->hub, &before, &why), ERR_OK);
    days(60);
    assert_true(anywhere("Waitsforaperson"));
    assert_int_equal(hub_retention_overdue(hub->hub, &now, &why), ERR_OK);
    assert_int_equal(now, before + 1);
    everybody_pulls();
    id_of("SELECT id FROM held WHERE case_id = $1 AND state = 'waiting'", c, held);
    says(change(mona, "held", held, "state", "dismissed"), VERDICT_APPLIED, NULL);
    days(40);
    assert_false(anywhere("Waitsforaperson") || at_hub("case_file", c));
    assert_int_equal(hub_retention_set(hub->hub, &(struct retention_days){0, 0, 0}, "schedule", &why), ERR_OK);
    all_holds();
}

/* A hub that an older program kept: it is looked through first, a part at a time, and nothing is missed. */
static void changes_of_before_are_found_too(void **state)
{
    struct why why = {0};
    uint8_t c[16], p[16], q[16];
    (void)state;
    shared_case(c);
    (void)queue_person(sue, c, p, "Writtenlongago");
    fake_node_round(sue);
    struct op more = fake_change("person", p);
    fake_value(&more, "given_names", value_str("Changedlongago"));
    says(send_one(sue, &more), VERDICT_APPLIED, NULL);
    put_person(paul, c, q);
    closes(c);
    assert_int_equal(db_exec(hub_db(hub->hub), "DELETE FROM h_part; DELETE FROM h_counter WHERE name LIKE 'parts_noted%'", &why), ERR_OK);
    bool done = false;
    while (!done) { /* as the server does, and with what is there three at a time */
        assert_int_equal(hub_begin(hub->hub, &why), ERR_OK);
        assert_int_equal(parts_note_older(hub->hub, 3, &done, &why), ERR_OK);
        assert_int_equal(hub_commit(hub->hub, &why), ERR_OK);
    }
    must_erase(c);
    assert_false(anywhere("Writtenlongago") || anywhere("Changedlongago"));
    all_holds();
}

/* Nothing but years of a wrong clock stands between closing and erasing: a month of notice does. */
static void a_clock_that_is_years_ahead_erases_nothing_for_a_month(void **state)
{
    struct why why = {0};
    uint8_t c[16];
    bool done = false;
    (void)state;
    assert_int_equal(hub_retention_set(hub->hub, &(struct retention_days){0, 0, 365}, "schedule", &why), ERR_OK);
    shared_case(c);
    closes(c);
    hub->now += 3650 * DAY;
    everybody_pulls();
    for (int i = 0; i < 29; i++) {
        hub->now += i == 0 ? 2 * 60 * 60 * 1000 : DAY;
        everybody_pulls();
        done = false;
        while (!done) assert_int_equal(hub_retention_continue(hub->hub, 100, NULL, &done, &why), ERR_OK);
        assert_true(at_hub("case_file", c));
    }
    struct retention_state s;
    assert_int_equal(hub_retention_state(hub->hub, &s, &why), ERR_OK);
    assert_int_equal(s.announced, 1);
    assert_true(count("SELECT count(*) FROM h_act WHERE act = 'erasure announced'") > 0);
    hub->now += 3 * DAY;
    done = false;
    while (!done) assert_int_equal(hub_retention_continue(hub->hub, 100, NULL, &done, &why), ERR_OK);
    assert_false(at_hub("case_file", c));
    assert_int_equal(count_in("SELECT count(*) FROM h_erased WHERE case_id = $1 AND how = 'retention' AND who IS NULL", c), 1);
    assert_int_equal(hub_retention_set(hub->hub, &(struct retention_days){0, 0, 0}, "schedule", &why), ERR_OK);
    all_holds();
}

/* Rows lie in its memory as they went to devices (hub/row_cache.h). */
static void another_process_of_the_hub_forgets_what_it_kept_of_rows(void **state)
{
    static const struct row_key key = {1, 1, 1, 1};
    const struct row_bytes row = {.op = bytes_of_str("Needleinhaystack"), .header = 1};
    struct row_bytes kept;
    struct why why = {0};
    struct hub *other = NULL;
    uint8_t c[16], d[16];
    (void)state;
    if (!test_store_is_postgres()) skip(); /* one process has the store */
    shared_case(c);
    closes(c);
    if (hub_open(&other, &hub->env, hub->dir, bytes_of_str("correct horse battery"), &why) != ERR_OK) fail_msg("%s", why.text);
    assert_int_equal(hub_begin(other, &why), ERR_OK);
    hub_abort(other);
    row_cache_put(other->rows, &key, &row);
    shared_case(d);
    assert_int_equal(hub_begin(other, &why), ERR_OK);
    hub_abort(other);
    assert_true(row_cache_find(other->rows, &key, &kept)); /* not for whatever happens */
    must_erase(c);
    assert_int_equal(hub_begin(other, &why), ERR_OK);
    hub_abort(other);
    assert_false(row_cache_find(other->rows, &key, &kept));
    hub_close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_open_a_held_and_an_unsettled_case_are_not_erased),
        cmocka_unit_test(nothing_of_an_erased_case_is_left_and_everything_else_is),
        cmocka_unit_test(what_comes_too_late_is_told_so_and_not_kept),
        cmocka_unit_test(the_rest_of_a_change_in_several_cases_is_a_managers_to_decide),
        cmocka_unit_test(a_stored_change_loses_only_the_part_of_the_erased_case),
        cmocka_unit_test(held_work_about_nothing_else_is_dismissed_and_its_author_told),
        cmocka_unit_test(what_a_stranger_sent_about_a_case_does_not_keep_it),
        cmocka_unit_test(one_of_two_held_referrals_goes_and_the_other_can_still_be_accepted),
        cmocka_unit_test(what_waits_for_a_person_is_not_erased_by_time),
        cmocka_unit_test(changes_of_before_are_found_too),
        cmocka_unit_test(another_process_of_the_hub_forgets_what_it_kept_of_rows),
        cmocka_unit_test(a_clock_that_is_years_ahead_erases_nothing_for_a_month),
    };
    return cmocka_run_group_tests(tests, intake_start, intake_stop);
}
