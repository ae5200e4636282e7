/* Two processes of one hub: what one of them changes, or somebody with psql, the very next exchange at the other obeys,
 * whatever that one has kept of its store (hub/kept.h). On SQLite a hub has one process, and both are it. */
#include "tests/lib/fake_node.h"
#include "tests/lib/other_session.h"
#include "tests/lib/policy_variant.h"
#include "tests/lib/test_store.h"

#include "hub/log_audit.h"
#include "sync/db.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct fake_hub here, there; /* the process that devices ask, and the other */
static struct fake_node room, bob, ben;
static uint8_t common[16];

#define MUST(call)                                                                                                     \
    do {                                                                                                               \
        struct why why_ = {0}, *why = &why_;                                                                           \
        if ((call) != ERR_OK) fail_msg("%s", why_.text);                                                               \
    } while (0)

static void person_at(struct fake_node *n)
{
    struct fake_edit e;
    uint8_t id[16];
    fake_edit_start(&e);
    struct op op = fake_person(n, id, common, "Anybody");
    fake_put(&e, &op);
    (void)fake_commit(n, &e);
}

static void must_be(struct fake_node *n, enum verdict want)
{
    assert_int_equal(n->n_verdicts, 1);
    if (n->verdicts[0].verdict != want) fail_msg("verdict %d: %s", (int)n->verdicts[0].verdict, n->verdicts[0].reason);
}

static void edit(struct fake_node *n, enum verdict want)
{
    person_at(n);
    fake_node_round(n);
    must_be(n, want);
}

/* All of them in one transaction, as `spoke-hub serve` takes them. */
static void edits_together(struct fake_node *const *nodes, const enum verdict *want, size_t n)
{
    struct hub_asked v[4] = {0};
    for (size_t i = 0; i < n; i++) {
        person_at(nodes[i]);
        fake_node_pack(nodes[i]);
        buf_reset(&nodes[i]->got);
        v[i] = (struct hub_asked){.request = buf_bytes(&nodes[i]->sent), .out = &nodes[i]->got};
    }
    assert_int_equal(hub_exchange_all(here.hub, v, n), n);
    for (size_t i = 0; i < n; i++) {
        if (v[i].e != ERR_OK) fail_msg("%s", v[i].why.text);
        fake_node_read(nodes[i]);
        must_be(nodes[i], want[i]);
    }
}

static int set_up(void **state)
{
    static const char *const members[] = {"police:contribute", NULL};
    (void)state;
    fake_hub_start(&here);
    fake_hub_people(&here);
    there = here;
    there.hub = NULL;
    if (test_store_is_postgres())
        fake_hub_reopen(&there);
    else
        there.hub = here.hub;
    fake_node_enrol(&room, &here, "care-mash", "care", "Ann");
    fake_node_enrol(&bob, &here, "police-hq", "police", "Bob");
    fake_node_enrol(&ben, &here, "police-hq", "police", "Ben");
    fake_node_pull(&room);
    fake_case(&room, common, "care", members);
    for (int i = 0; i < 2; i++) { /* what can be kept of them is */
        struct fake_node *const all[] = {&bob, &ben};
        static const enum verdict good[] = {VERDICT_APPLIED, VERDICT_APPLIED};
        fake_node_pull(&bob);
        fake_node_pull(&ben);
        edit(&bob, VERDICT_APPLIED);
        edits_together(all, good, 2);
    }
    return 0;
}

static int tear_down(void **state)
{
    struct log_audit_sum sum;
    (void)state;
    MUST(hub_verify(here.hub, why));
    MUST(hub_log_verify(here.hub, &sum, why));
    if (there.hub != here.hub) hub_close(there.hub);
    fake_node_release(&room);
    fake_node_release(&bob);
    fake_node_release(&ben);
    fake_hub_stop(&here);
    return 0;
}

/* By somebody who is no process of the hub. */
static void by_hand(const char *sql)
{
    char path[128], url[TEST_STORE_URL] = "";
    struct why why = {0};
    if (!test_store_is_postgres()) {
        if (db_exec(hub_db(here.hub), sql, &why) != ERR_OK) fail_msg("%s", why.text);
        return;
    }
    (void)snprintf(path, sizeof path, "%s/store", here.dir);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(url, sizeof url, file));
    assert_int_equal(fclose(file), 0);
    url[strcspn(url, "\n")] = '\0';
    char *schema = strstr(url, "schema=");
    assert_non_null(schema);
    schema[-1] = '\0';
    struct other_session *s = other_session_open(url, schema + strlen("schema="));
    other_session_run(s, sql);
    other_session_close(s);
}

static void a_device_that_one_process_cuts_off_is_cut_off_at_the_other(void **state)
{
    struct fake_node *const all[] = {&bob, &ben};
    static const enum verdict want[] = {VERDICT_APPLIED, VERDICT_HELD};
    (void)state;
    MUST(hub_revoke(there.hub, ben.id.pub.kid, "it was stolen", why));
    edits_together(all, want, 2);
    assert_true(ben.hello.revoked);
    assert_false(bob.hello.revoked);
    edit(&ben, VERDICT_HELD);
    assert_int_equal(ben.n_rows, 0);
}

static void an_order_that_one_process_gives_is_told_by_the_other(void **state)
{
    (void)state;
    MUST(hub_lease(there.hub, bob.id.pub.kid, 3, why));
    fake_node_round(&bob);
    assert_int_equal(bob.n_orders, 1);
    assert_int_equal(bob.orders[0].value, 3);
    bob.order = bob.orders[0].number;
    fake_node_round(&bob);
    assert_int_equal(bob.n_orders, 0);
}

static void somebody_who_left_a_site_cannot_write_there_any_more(void **state)
{
    char sql[200], hex[33];
    struct fake_node *const all[] = {&ben, &bob};
    static const enum verdict want[] = {VERDICT_APPLIED, VERDICT_HELD};
    (void)state;
    hex_encode(hex, bob.user, 16);
    (void)snprintf(sql, sizeof sql,
                   test_store_is_postgres() ? "UPDATE practitioner SET site = 'school-1' WHERE id = '\\x%s'"
                                            : "UPDATE practitioner SET site = 'school-1' WHERE id = x'%s'",
                   hex);
    by_hand(sql);
    edits_together(all, want, 2);
    assert_non_null(strstr(bob.verdicts[0].reason, "not known at this device's site"));
}

static void a_policy_that_one_process_brings_is_the_others_at_once(void **state)
{
    char *text = policy_variant_text(&(struct policy_variant){.less = "channel = 'face' AND site = 'police-hq'"});
    bool done = false;
    (void)state;
    MUST(hub_policy_apply(there.hub, bytes_of_str(text), "because", why));
    while (!done) MUST(hub_policy_continue(there.hub, 1000, &done, why));
    free(text);
    fake_node_round(&bob);
    assert_true(bob.n_drops > 0);
    person_at(&room);
    fake_node_round(&room);
    fake_node_pull(&bob);
    assert_int_equal(bob.n_rows, 0);
}

static void who_takes_part_no_more_is_shown_nothing_more(void **state)
{
    uint8_t id[16];
    struct stmt *s;
    struct fake_edit e;
    bool row = false;
    (void)state;
    assert_int_equal(db_prepare(hub_db(here.hub), "SELECT id FROM participant WHERE member = 'police'", &s, NULL), ERR_OK);
    assert_int_equal(db_step(s, &row, NULL), ERR_OK);
    assert_true(row && db_id(s, 0, id));
    db_done(s);
    room.f = &there; /* it asks the other process from here on */
    fake_edit_start(&e);
    struct op op = fake_change("participant", id);
    fake_from(&op, "access", value_str("contribute"), value_str("none"));
    fake_put(&e, &op);
    (void)fake_commit(&room, &e);
    fake_node_round(&room);
    must_be(&room, VERDICT_APPLIED);
    fake_node_round(&bob);
    assert_true(bob.n_drops > 0);
    person_at(&room);
    fake_node_round(&room);
    fake_node_pull(&bob);
    assert_int_equal(bob.n_rows, 0);
    edit(&bob, VERDICT_HELD);
}

/* One is undone in the middle, after it asked as much as the others and wrote: what was kept of that must not be told
 * to those behind it. */
static void what_a_refused_member_of_a_group_wrote_is_kept_by_nobody(void **state)
{
    struct fake_node *const all[] = {&bob, &ben, &room};
    struct hub_asked v[3] = {0};
    (void)state;
    fake_node_pull(&room);
    int64_t people = fake_hub_int(&here, "SELECT count(*) FROM person");
    for (size_t i = 0; i < 3; i++) {
        person_at(all[i]);
        if (i == 1) { /* and a change that does not follow upon it */
            ben.prev[0] ^= 1;
            person_at(&ben);
        }
        fake_node_pack(all[i]);
        buf_reset(&all[i]->got);
        v[i] = (struct hub_asked){.request = buf_bytes(&all[i]->sent), .out = &all[i]->got};
    }
    assert_int_equal(hub_exchange_all(here.hub, v, 3), 3);
    assert_int_equal(v[0].e, ERR_OK);
    assert_int_equal(v[1].e, ERR_REFUSED);
    assert_int_equal(v[2].e, ERR_OK);
    fake_node_read(&bob);
    fake_node_read(&room);
    must_be(&bob, VERDICT_APPLIED);
    must_be(&room, VERDICT_APPLIED);
    assert_int_equal(fake_hub_int(&here, "SELECT count(*) FROM person"), people + 2);
    fake_node_pull(&room);
    edit(&bob, VERDICT_APPLIED);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_device_that_one_process_cuts_off_is_cut_off_at_the_other),
        T(an_order_that_one_process_gives_is_told_by_the_other),
        T(somebody_who_left_a_site_cannot_write_there_any_more),
        T(a_policy_that_one_process_brings_is_the_others_at_once),
        T(who_takes_part_no_more_is_shown_nothing_more),
        T(what_a_refused_member_of_a_group_wrote_is_kept_by_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
