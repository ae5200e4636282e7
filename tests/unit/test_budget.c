/* How many rows a device holds and may hold, how far it is behind, and what wants a person: by real exchanges with a
 * real hub. */
#include "hub/budget.h"
#include "hub/watch.h"
#include "tests/lib/fake_node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DAY_MS     86400000LL
#define MUST(call) assert_int_equal((call), ERR_OK)

struct play {
    struct fake_hub hub;
    struct fake_node care, police;
    uint8_t first[16];
};

static int set_up(void **state)
{
    static const char *const members[] = {"police:view", NULL};
    struct play *p = calloc(1, sizeof *p);
    assert_non_null(p);
    fake_hub_start(&p->hub);
    fake_hub_people(&p->hub);
    fake_node_enrol(&p->care, &p->hub, "care-mash", "care", "Ann");
    fake_node_enrol(&p->police, &p->hub, "police-hq", "police", "Pat");
    fake_node_pull(&p->care);
    fake_case(&p->care, p->first, "care", members);
    fake_node_pull(&p->care);
    fake_node_pull(&p->police);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct play *p = *state;
    fake_node_release(&p->care);
    fake_node_release(&p->police);
    fake_hub_stop(&p->hub);
    free(p);
    return 0;
}

static struct hub_device look(struct play *p, const struct fake_node *n)
{
    struct hub_device d;
    MUST(hub_device_get(p->hub.hub, n->id.pub.kid, UINT64_MAX, &d, NULL));
    return d;
}

/* Rows that the hub says its site sees. */
static enum err count_one(void *ctx, const struct row *r, struct why *why)
{
    (void)r;
    (void)why;
    ++*(int64_t *)ctx;
    return ERR_OK;
}

static int64_t sees(struct play *p, const struct fake_node *n)
{
    int64_t rows = 0;
    MUST(hub_site_rows(p->hub.hub, n->site, count_one, &rows, NULL));
    return rows;
}

static void more(struct play *p, int people, uint8_t out_case[16])
{
    static const char *const members[] = {"police:view", NULL};
    uint8_t id[16];
    fake_case(&p->care, out_case, "care", members);
    for (int i = 0; i < people; i++) {
        struct fake_edit e;
        fake_edit_start(&e);
        struct op op = fake_person(&p->care, id, out_case, "Marchetti");
        fake_put(&e, &op);
        assert_int_equal(fake_send(&p->care, &e)->verdict, VERDICT_APPLIED);
    }
}

static void put_person(struct play *p, struct fake_node *n, const uint8_t case_id[16], enum verdict wanted)
{
    struct fake_edit e;
    uint8_t id[16];
    (void)p;
    fake_edit_start(&e);
    struct op op = fake_person(n, id, case_id, "Novak");
    fake_put(&e, &op);
    assert_int_equal(fake_send(n, &e)->verdict, wanted);
}

static void a_device_is_counted_by_its_own_rows_alone(void **state)
{
    struct play *p = *state;
    static const char *const nobody[] = {NULL};
    uint8_t hidden[16];
    int64_t held = look(p, &p->police).held;
    assert_int_equal(held, sees(p, &p->police));
    fake_case(&p->care, hidden, "care", nobody);
    fake_node_pull(&p->police);
    assert_int_equal(look(p, &p->police).held, held);
    assert_int_equal(look(p, &p->care).held, sees(p, &p->care)); /* what it wrote itself too */
}

static void a_full_device_gets_no_new_row_and_all_of_them_when_it_may_hold_more(void **state)
{
    struct play *p = *state;
    uint8_t second[16];
    int64_t held = look(p, &p->police).held;
    MUST(hub_budget(p->hub.hub, p->police.id.pub.kid, held + 2, "a small one", NULL));
    more(p, 4, second);
    fake_node_pull(&p->police);
    struct hub_device d = look(p, &p->police);
    assert_int_equal(d.held, held + 2);
    assert_int_not_equal(d.stopped_at, 0);
    assert_false(p->police.hello.more);
    assert_int_equal(d.lag_rows, sees(p, &p->police) - held - 2);
    for (int i = 0; i < 3; i++) fake_node_round(&p->police); /* asking again wins nothing */
    assert_int_equal(look(p, &p->police).held, held + 2);
    MUST(hub_budget(p->hub.hub, p->police.id.pub.kid, 0, NULL, NULL));
    fake_node_pull(&p->police);
    d = look(p, &p->police);
    assert_int_equal(d.held, sees(p, &p->police));
    assert_int_equal(d.stopped_at, 0);
    assert_int_equal(d.lag_rows, 0);
}

static void what_a_full_device_writes_is_taken_and_what_it_must_forget_makes_room(void **state)
{
    struct play *p = *state;
    uint8_t second[16], part[16];
    struct stmt *s;
    bool row = false;
    more(p, 1, second);
    fake_node_pull(&p->police);
    int64_t held = look(p, &p->police).held;
    MUST(hub_budget(p->hub.hub, NULL, held, NULL, NULL)); /* of all devices */
    more(p, 0, second);
    fake_node_pull(&p->police);
    assert_int_not_equal(look(p, &p->police).stopped_at, 0);
    put_person(p, &p->police, p->first, VERDICT_HELD); /* judged as ever: a viewer adds nobody */
    /* The part in the first case ends. */
    MUST(db_prepare(hub_db(p->hub.hub), "SELECT id FROM participant WHERE case_id = $1 AND member = 'police'", &s,
                    NULL));
    db_bind_id(s, 1, p->first);
    MUST(db_step(s, &row, NULL));
    assert_true(row && db_id(s, 0, part));
    db_done(s);
    struct fake_edit e;
    fake_edit_start(&e);
    struct op op = fake_change("participant", part);
    fake_from(&op, "access", value_str("view"), value_str("none"));
    fake_put(&e, &op);
    assert_int_equal(fake_send(&p->care, &e)->verdict, VERDICT_APPLIED);
    fake_node_round(&p->police);
    assert_int_not_equal(p->police.n_drops, 0);
    fake_node_pull(&p->police);
    assert_int_equal(look(p, &p->police).held, sees(p, &p->police) < held ? sees(p, &p->police) : held);
}

static void a_full_device_that_waits_is_not_asked_again_for_what_it_may_not_have(void **state)
{
    struct play *p = *state;
    uint8_t second[16];
    MUST(hub_budget(p->hub.hub, p->police.id.pub.kid, look(p, &p->police).held, NULL, NULL));
    more(p, 1, second);
    fake_node_pull(&p->police);
    assert_int_not_equal(look(p, &p->police).stopped_at, 0);
    p->police.wait_ms = 60000;
    fake_node_pack(&p->police);
    MUST(fake_node_send(&p->police, true));
    assert_true(p->police.result.parked);
    MUST(hub_budget(p->hub.hub, p->police.id.pub.kid, 0, NULL, NULL));
    MUST(fake_node_send(&p->police, true)); /* the same request, as when it is woken */
    assert_false(p->police.result.parked);
}

static void a_budget_is_refused_that_is_none_or_is_of_no_device(void **state)
{
    struct play *p = *state;
    const uint8_t nobody[16] = {1};
    assert_int_equal(hub_budget(p->hub.hub, NULL, -1, NULL, NULL), ERR_USAGE);
    assert_int_equal(hub_budget(p->hub.hub, NULL, HUB_BUDGET_MOST + 1, NULL, NULL), ERR_USAGE);
    assert_int_equal(hub_budget(p->hub.hub, nobody, 5, NULL, NULL), ERR_NOTFOUND);
    assert_int_equal(look(p, &p->police).most, HUB_BUDGET_ROWS);
}

static void lag_is_what_the_next_answers_bring_and_since_when_it_waits(void **state)
{
    struct play *p = *state;
    uint8_t second[16];
    assert_int_equal(look(p, &p->police).lag_rows, 0);
    assert_int_equal(look(p, &p->police).lag_since, 0);
    p->hub.now += 3600000;
    int64_t made = p->hub.now;
    more(p, 2, second);
    p->hub.now += 3600000;
    put_person(p, &p->care, second, VERDICT_APPLIED);
    struct hub_device d = look(p, &p->police), few;
    assert_int_equal(d.lag_since, made);
    MUST(hub_device_get(p->hub.hub, p->police.id.pub.kid, 2, &few, NULL));
    assert_int_equal(few.lag_rows, 2);
    assert_true(few.lag_more);
    size_t before = p->police.n_rows;
    fake_node_pull(&p->police);
    assert_true(p->police.n_rows >= (size_t)d.lag_rows || before > 0);
    assert_int_equal(look(p, &p->police).lag_rows, 0);
}

static void what_was_refused_last_is_told_in_words_with_how_often(void **state)
{
    struct play *p = *state;
    assert_int_equal(look(p, &p->police).refused_at, 0);
    for (int i = 0; i < 3; i++) {
        p->police.request += 5; /* as one that knows a later state of the hub */
        assert_int_equal(fake_node_try(&p->police), ERR_REFUSED);
        p->police.request -= 5;
    }
    struct hub_device d = look(p, &p->police);
    assert_int_equal(d.refused_times, 3);
    assert_string_equal(d.refused, "the device knows a later state of the hub than this");
    assert_int_not_equal(d.refused_at, 0);
}

/* ----------------------------------------------------------------------------------------------------------- alerts */

struct heard {
    char codes[512];
};

static enum err hear(void *ctx, const struct hub_alert *a, struct why *why)
{
    struct heard *h = ctx;
    (void)why;
    assert_true(a->what[0] != '\0' && a->next[0] != '\0');
    assert_null(strstr(a->what, "Marchetti"));
    strncat(h->codes, a->code, sizeof h->codes - strlen(h->codes) - 3);
    strcat(h->codes, " ");
    return ERR_OK;
}

static bool alerted(struct play *p, const char *code)
{
    struct heard h = {{0}};
    char word[40];
    MUST(hub_alerts(p->hub.hub, NULL, hear, &h, NULL));
    (void)snprintf(word, sizeof word, "%s ", code);
    const char *at = strstr(h.codes, word);
    return at != NULL && (at == h.codes || at[-1] == ' ');
}

static void alerts_are_raised_by_their_cause_and_not_without(void **state)
{
    struct play *p = *state;
    static const char *const all[] = {"silent",  "unsent", "unconfirmed", "rows",   "rows-stopped", "refused",
                                      "waiting", "area",   "clock",       "policy", "backup",       "verify",
                                      "wipe",    "approval"};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (alerted(p, all[i]) && strcmp(all[i], "area") != 0) fail_msg("%s is raised without its cause", all[i]);
    int64_t held = look(p, &p->police).held;
    MUST(hub_budget(p->hub.hub, p->police.id.pub.kid, held + 1, NULL, NULL));
    assert_true(alerted(p, "rows"));
    MUST(hub_budget(p->hub.hub, p->police.id.pub.kid, held, NULL, NULL));
    uint8_t second[16];
    more(p, 1, second);
    fake_node_pull(&p->police);
    assert_true(alerted(p, "rows-stopped"));
    put_person(p, &p->police, p->first, VERDICT_HELD);
    p->hub.now += 4 * DAY_MS;
    fake_node_round(&p->care); /* the hub looks at its clock */
    fake_node_round(&p->police);
    assert_true(alerted(p, "waiting"));
    assert_true(alerted(p, "backup"));
    assert_false(alerted(p, "silent"));
    p->hub.now += 8 * DAY_MS;
    assert_true(alerted(p, "silent"));
    p->hub.now += 30 * DAY_MS;
    assert_true(alerted(p, "verify"));
    MUST(hub_verified(p->hub.hub, NULL));
    assert_false(alerted(p, "verify"));
    for (int i = 0; i < 5; i++) {
        p->police.request += 5;
        assert_int_equal(fake_node_try(&p->police), ERR_REFUSED);
        p->police.request -= 5;
    }
    assert_true(alerted(p, "refused"));
}

/* Its battery failed, and its clock is of another year: what waits on it waits no less. */
static void a_device_with_a_wrong_clock_has_unsent_work_as_old_as_it_is(void **state)
{
    struct play *p = *state;
    static const int64_t off[] = {0, 3650 * DAY_MS, -3650 * DAY_MS};
    for (size_t i = 0; i < sizeof off / sizeof off[0]; i++) {
        p->police.skew_ms = off[i];
        p->police.unsent = 2;
        p->police.oldest_ms = (uint64_t)(p->hub.now + off[i] - DAY_MS / 2);
        fake_node_round(&p->police);
        assert_int_equal(look(p, &p->police).oldest_unsent, p->hub.now - DAY_MS / 2);
        assert_false(alerted(p, "unsent"));
        p->hub.now += DAY_MS;
        fake_node_round(&p->care);
        assert_true(alerted(p, "unsent"));
    }
    p->police.oldest_ms = 0; /* never, or in 1970 */
    p->police.skew_ms = 0;
    fake_node_round(&p->police);
    assert_true(alerted(p, "unsent"));
}

static void a_device_that_was_to_be_wiped_and_is_not_is_an_alert_until_it_is(void **state)
{
    struct play *p = *state;
    MUST(hub_wipe_as(p->hub.hub, p->police.id.pub.kid, "lost", "on a train", true, NULL));
    p->hub.now += 6 * DAY_MS;
    assert_false(alerted(p, "wipe"));
    p->hub.now += 2 * DAY_MS;
    assert_true(alerted(p, "wipe"));
    assert_false(alerted(p, "approval"));
    MUST(db_exec(hub_db(p->hub.hub), "UPDATE h_node SET state = 'wiped' WHERE state = 'revoked'", NULL));
    assert_false(alerted(p, "wipe"));
    MUST(db_exec(hub_db(p->hub.hub), "UPDATE h_node SET state = 'waiting' WHERE state = 'enrolled'", NULL));
    assert_true(alerted(p, "approval"));
}

static void unsent_and_unconfirmed_work_and_areas_without_a_room_are_alerts(void **state)
{
    struct play *p = *state;
    char sql[200];
    const char *const south[] = {"south"};
    assert_true(alerted(p, "area")); /* probation covers the south, and no MASH room does */
    const struct hub_site room = {"south-mash", "care", "Room", "mash", NULL, south, 1};
    MUST(hub_add_site(p->hub.hub, &room, NULL));
    assert_false(alerted(p, "area"));
    (void)snprintf(sql, sizeof sql, "UPDATE h_node SET unsent = 3, oldest_ms = %lld",
                   (long long)(p->hub.now - 2 * DAY_MS));
    MUST(db_exec(hub_db(p->hub.hub), sql, NULL));
    assert_true(alerted(p, "unsent"));
    (void)snprintf(sql, sizeof sql,
                   "INSERT INTO h_drop(node_no, row_no, version, ordered_at) SELECT 2, min(no), 1, %lld FROM h_row",
                   (long long)(p->hub.now - 8 * DAY_MS));
    MUST(db_exec(hub_db(p->hub.hub), sql, NULL));
    assert_true(alerted(p, "unconfirmed"));
}

static void the_probe_writes_what_it_reads_and_moves_no_step_of_the_order(void **state)
{
    struct play *p = *state;
    struct hub_status before, after;
    MUST(hub_status(p->hub.hub, &before, NULL));
    MUST(hub_probe(p->hub.hub, NULL));
    assert_int_equal(fake_hub_int(&p->hub, "SELECT at FROM h_probe"), p->hub.now);
    MUST(hub_status(p->hub.hub, &after, NULL));
    assert_int_equal(after.version, before.version);
    assert_int_equal(after.n_states, 1);
    assert_string_equal(after.devices[0].state, "enrolled");
    assert_int_equal(after.devices[0].n, 2);
    assert_int_equal(after.backup_at, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_device_is_counted_by_its_own_rows_alone),
        TEST(a_full_device_gets_no_new_row_and_all_of_them_when_it_may_hold_more),
        TEST(what_a_full_device_writes_is_taken_and_what_it_must_forget_makes_room),
        TEST(a_full_device_that_waits_is_not_asked_again_for_what_it_may_not_have),
        TEST(a_budget_is_refused_that_is_none_or_is_of_no_device),
        TEST(lag_is_what_the_next_answers_bring_and_since_when_it_waits),
        TEST(what_was_refused_last_is_told_in_words_with_how_often),
        TEST(alerts_are_raised_by_their_cause_and_not_without),
        TEST(unsent_and_unconfirmed_work_and_areas_without_a_room_are_alerts),
        TEST(a_device_with_a_wrong_clock_has_unsent_work_as_old_as_it_is),
        TEST(a_device_that_was_to_be_wiped_and_is_not_is_an_alert_until_it_is),
        TEST(the_probe_writes_what_it_reads_and_moves_no_step_of_the_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
