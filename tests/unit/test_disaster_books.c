/* What a hub that was put back says of its devices: how many rows each holds, and what each has confirmed. A device
 * says some of it once, and had said it to the hub that was lost. */
#include "hub/watch.h"
#include "node/act_work.h"
#include "tests/lib/disaster_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void must_line(enum err e, const struct why *why, const char *what, int line)
{
    if (e != ERR_OK) fail_msg("%s (line %d): %s: %s", what, line, err_word(e), why->text);
}
#define MUST(call) must_line(call, &why, #call, __LINE__)

static struct hub_device look(const struct ends_node *n)
{
    struct why why = {0};
    struct hub_device d;
    MUST(hub_device_get(ends_hub->hub, n->kid, UINT64_MAX, &d, &why));
    return d;
}

static void some_people(const struct ends_case *k, int n)
{
    for (int i = 0; i < n; i++) {
        uint8_t id[16];
        char name[32];
        (void)snprintf(name, sizeof name, "Person %d", i);
        ends_begin(pol);
        ends_person(pol, k->c, id, name);
        (void)ends_commit(pol);
    }
    (void)ends_sync(pol, ERR_OK);
    (void)ends_sync(sam, ERR_OK);
}

/* --------------------------------------------------------------------------------------- how many rows it holds */

/* Told anew in many answers: rows of the second and later ones had been covered by answers of the hub that was lost. */
static void the_hub_counts_all_rows_of_a_device_that_it_tells_anew_in_many_answers(void **ctx)
{
    struct ends_case k;
    (void)ctx;
    ends_case(&k);
    some_people(&k, 12);
    ends_all_sync();
    assert_int_equal(lost_rows_held(sam), lost_rows_seen(sam));
    (void)lost_backup("old");
    lost_destroy();
    lost_restored("old");
    pol->budget = sam->budget = 300;
    ends_all_sync();
    assert_true(ends_sync(pol, ERR_OK).rounds > 3);
    pol->budget = sam->budget = 0;
    ends_all_sync();
    assert_string_equal(lost_status().state, "done");
    assert_int_equal(lost_rows_held(sam), lost_rows_seen(sam));
    assert_int_equal(lost_rows_held(pol), lost_rows_seen(pol));
    some_people(&k, 2);
    assert_int_equal(lost_rows_held(sam), lost_rows_seen(sam));
}

/* Nor is a row that it has counted twice: it may hold no more than it does, and is told everything anew. */
static void a_device_that_may_hold_no_more_than_it_does_is_told_anew_what_it_holds_and_nothing_else(void **ctx)
{
    struct ends_case k;
    struct why why = {0};
    (void)ctx;
    ends_case(&k);
    some_people(&k, 6);
    ends_all_sync();
    MUST(hub_budget(ends_hub->hub, sam->kid, lost_rows_seen(sam), "a small one", &why));
    (void)lost_backup("old");
    lost_destroy();
    lost_restored("old");
    ends_all_sync();
    sam->budget = 300;
    ends_all_sync();
    ends_all_sync();
    assert_string_equal(lost_status().state, "done");
    assert_int_equal(lost_rows_held(sam), lost_rows_seen(sam));
    assert_int_equal(look(sam).lag_rows, 0);
    some_people(&k, 1);
    assert_int_equal(lost_rows_held(sam), lost_rows_seen(sam) - 1);
    assert_true(look(sam).stopped_at != 0);
    MUST(hub_budget(ends_hub->hub, sam->kid, 0, "as usual", &why));
    (void)ends_sync(sam, ERR_OK);
    assert_int_equal(lost_rows_held(sam), lost_rows_seen(sam));
    ends_same(sam);
}

/* -------------------------------------------------------------------------------------------- what it confirmed */

static int64_t parked(const struct ends_node *n)
{
    return ends_count("SELECT coalesce(sum(o.parked), 0) FROM h_drop_order o JOIN h_node n ON n.no = o.node_no WHERE n.kid = $1",
                      n->kid);
}

static int64_t unconfirmed(const struct ends_node *n)
{
    return ends_count("SELECT count(*) FROM h_drop d JOIN h_node n ON n.no = d.node_no WHERE d.receipt_at IS NULL AND n.kid = $1",
                      n->kid);
}

/* Sam's work is parked: she wrote it after her last request, and its answer took the case away. The hub has heard that
 * she forgot the case, and not yet that nothing is parked any more. */
static void parks(struct ends_case *k)
{
    struct buf request;
    buf_init(&request, 1u << 24);
    ends_case(k);
    ends_access(k->parts[1], "none");
    (void)ends_sync(ann, ERR_OK);
    ends_export(sam, &request);
    (void)ends_write(sam, "person", k->person, "given_names", "Written meanwhile");
    (void)ends_import(sam, buf_bytes(&request));
    assert_false(lost_holds(sam, "person", k->person));
    sam->rounds = 1;
    (void)ends_sync(sam, ERR_OK);
    sam->rounds = 0;
    assert_int_equal(parked(sam), 1);
    buf_release(&request);
}

static void that_nothing_is_parked_any_more_is_heard_again_if_only_the_lost_hub_had_heard_it(void **ctx)
{
    struct ends_case k;
    (void)ctx;
    parks(&k);
    (void)lost_backup("old");
    (void)ends_sync(sam, ERR_OK);
    assert_int_equal(parked(sam), 0);
    lost_destroy();
    lost_restored("old");
    assert_int_equal(parked(sam), 1);
    for (int i = 0; i < 3; i++) ends_all_sync();
    assert_string_equal(lost_status().state, "done");
    assert_int_equal(parked(sam), 0);
    assert_int_equal(unconfirmed(sam), 0);
    assert_false(lost_holds(sam, "person", k.person));
}

/* And what is parked still is said to be so until it is judged. */
static void what_is_parked_still_the_order_that_is_given_anew_says(void **ctx)
{
    struct ends_case k;
    (void)ctx;
    parks(&k);
    (void)lost_backup("old");
    lost_destroy();
    lost_restored("old");
    for (int i = 0; i < 3; i++) ends_all_sync();
    assert_string_equal(lost_status().state, "done");
    assert_int_equal(parked(sam), 0);
    assert_int_equal(unconfirmed(sam), 0);
    assert_int_equal(ends_count("SELECT count(*) FROM h_envelope e JOIN h_node n ON n.no = e.node_no WHERE n.kid = $1", sam->kid), 1);
}

/* --------------------------------------------------------------------------------------------- what was decided */

static void put_decision(struct ends_node *by, const uint8_t held[16], const char *state, const char *reason)
{
    ends_begin(by);
    ends_set(by, "held", held, "state", value_str(state));
    ends_set(by, "held", held, "decided_by", value_id(by->user));
    ends_set(by, "held", held, "decided_at", value_int(env_now(&ends_hub->env)));
    if (reason != NULL) ends_set(by, "held", held, "decision_reason", value_str(reason));
    (void)ends_commit(by);
}

/* Pol had taken back what is held of him, and the lost hub knew. Before he comes the manager dismisses it, with a
 * reason: that stands, and his word is held whole. */
static void what_others_decided_since_is_not_written_over_by_the_decision_of_a_device_that_comes_late(void **ctx)
{
    struct ends_case k;
    struct why why = {0};
    uint8_t held[16];
    struct stmt *st;
    bool row = false;
    (void)ctx;
    ends_case(&k);
    (void)ends_write(pol, "participant", k.parts[1], "access", "view"); /* the lead agency's */
    assert_int_equal(ends_sync(pol, ERR_OK).held, 1);
    ends_all_sync();
    MUST(db_prepare(hub_db(ends_hub->hub), "SELECT id FROM held WHERE state = 'waiting'", &st, &why));
    MUST(db_step(st, &row, &why));
    assert_true(row && db_id(st, 0, held));
    db_done(st);
    (void)lost_backup("old");
    put_decision(pol, held, "withdrawn", NULL);
    assert_int_equal(ends_sync(pol, ERR_OK).applied, 1);
    lost_destroy();
    lost_restored("old");
    struct ends_node *const others[] = {ann, ada, pat, sam};
    for (size_t i = 0; i < 4; i++) (void)ends_sync(others[i], ERR_OK);
    MUST(hub_restore_release(ends_hub->hub, "pol is away", &why));
    for (size_t i = 0; i < 4; i++) (void)ends_sync(others[i], ERR_OK);
    ends_days(1);
    put_decision(ann, held, "dismissed", "They are to see all of it");
    assert_int_equal(ends_sync(ann, ERR_OK).applied, 1);
    for (int i = 0; i < 3; i++) ends_all_sync();
    assert_string_equal(lost_status().state, "done");
    ends_shows(ann, "held", held, "state", "dismissed");
    ends_shows(ann, "held", held, "decision_reason", "They are to see all of it");
    assert_int_equal(fake_hub_int(ends_hub, "SELECT count(*) FROM h_envelope WHERE reason LIKE '%Somebody has decided this already.'"), 1);
}

/* Of one person's name Pol and Sam wrote something else each, not knowing of the other. */
static void two_names(const struct ends_case *k, uint8_t conflict[16])
{
    struct why why = {0};
    struct stmt *s;
    bool row = false;
    (void)ends_write(pol, "person", k->person, "given_names", "Ann");
    (void)ends_write(sam, "person", k->person, "given_names", "Anne");
    assert_int_equal(ends_sync(pol, ERR_OK).applied, 1);
    assert_int_equal(ends_sync(sam, ERR_OK).merged, 1);
    ends_all_sync();
    MUST(db_prepare(hub_db(ends_hub->hub), "SELECT id FROM conflict WHERE state = 'open'", &s, &why));
    MUST(db_step(s, &row, &why));
    assert_true(row && db_id(s, 0, conflict));
    db_done(s);
}

static void settles(struct ends_node *by, const uint8_t conflict[16], const char *keep, const char *name, const char *reason)
{
    struct why why = {0};
    const struct act_settle in = {.conflict = conflict, .keep = keep, .value = bytes_of_str(name), .reason = reason};
    MUST(act_conflict_settle(by->n, &in, &why));
    assert_int_equal(ends_sync(by, ERR_OK).applied, 1);
}

/* Pat had settled it at the lost hub. Before he comes Ann does, otherwise: the name that she gave stands, and her
 * reason; his word is held whole, the name with it. */
static void nor_is_what_others_settled_since_by_the_settlement_of_a_device_that_comes_late(void **ctx)
{
    struct ends_case k;
    uint8_t conflict[16];
    (void)ctx;
    ends_case(&k);
    two_names(&k, conflict);
    (void)lost_backup("old");
    settles(pat, conflict, "lost", "", "So it is on the birth certificate");
    lost_destroy();
    lost_restored("old");
    lost_sync_but(pat);
    lost_released("pat is away");
    lost_sync_but(pat);
    ends_days(1);
    settles(ann, conflict, "value", "Anna", "Her mother says so");
    for (int i = 0; i < 3; i++) ends_all_sync();
    lost_is_done(0);
    ends_shows(ann, "person", k.person, "given_names", "Anna");
    ends_shows(pat, "person", k.person, "given_names", "Anna");
    ends_shows(pat, "conflict", conflict, "reason", "Her mother says so");
    assert_int_equal(fake_hub_int(ends_hub, "SELECT count(*) FROM h_envelope WHERE reason LIKE '%put back from a backup, and others have "
                                            "decided since. Somebody has settled these two versions already.'"), 1);
    ends_same(pat);
}

/* Nobody has settled it since: then his settlement stands, as it did. */
static void a_settlement_that_comes_late_stands_where_nobody_has_settled_it_since(void **ctx)
{
    struct ends_case k;
    uint8_t conflict[16];
    (void)ctx;
    ends_case(&k);
    two_names(&k, conflict);
    (void)lost_backup("old");
    settles(pat, conflict, "lost", "", "So it is on the birth certificate");
    lost_destroy();
    lost_restored("old");
    lost_sync_but(pat);
    lost_released("pat is away");
    for (int i = 0; i < 3; i++) ends_all_sync();
    lost_is_done(0);
    ends_shows(ann, "person", k.person, "given_names", "Anne");
    ends_shows(ann, "conflict", conflict, "reason", "So it is on the birth certificate");
    assert_int_equal(fake_hub_int(ends_hub, "SELECT count(*) FROM h_held WHERE state = 'waiting'"), 0);
}

/* The answer with it was lost, which the backup has; then a hub was put back that was destroyed in its turn, and has
 * answered Sam's next request. */
static void a_verdict_that_was_lost_on_its_way_is_told_also_by_the_second_hub_that_is_put_back_from_one_backup(void **ctx)
{
    struct ends_case k;
    (void)ctx;
    ends_case(&k);
    uint64_t seq = lost_verdict_on_its_way(k.c);
    (void)lost_backup("old");
    lost_destroy();
    lost_restored("old");
    sam->rounds = 1;
    (void)ends_sync(sam, ERR_OK);
    sam->rounds = 0;
    lost_outbox_says(sam, seq, "held");
    lost_destroy();
    ends_days(1);
    lost_restored("old");
    for (int i = 0; i < 3; i++) ends_all_sync();
    assert_string_equal(lost_status().state, "done");
    lost_outbox_says(sam, seq, "applied");
    ends_same(sam);
}

/* ---------------------------------------------------------------------------------------------- what it holds */

/* Ann had taken the restricted case from the school, which forgot its own note with it. She is lost with the hub, and
 * Sam comes late: the school sees its note again, as nobody knows better, and has it no more. */
static void a_row_that_comes_back_late_its_own_device_is_told_too_for_it_may_have_forgotten_it(void **ctx)
{
    struct why why = {0};
    uint8_t c[16], part[16], note[16];
    (void)ctx;
    ends_own_case(c, true);
    (void)ends_sync(ann, ERR_OK);
    ends_share(c, part, "school", "school-1");
    ends_all_sync();
    (void)lost_backup("old");
    ends_note(sam, c, note, "open", "She was absent again");
    assert_int_equal(ends_sync(sam, ERR_OK).applied, 1);
    ends_access(part, "none");
    (void)ends_sync(ann, ERR_OK);
    (void)ends_sync(sam, ERR_OK);
    assert_false(lost_holds(sam, "record", note));
    lost_destroy();
    lost_restored("old");
    struct ends_node *const others[] = {ada, pol, pat};
    for (size_t i = 0; i < 3; i++) (void)ends_sync(others[i], ERR_OK);
    MUST(hub_restore_release(ends_hub->hub, "ann and sam are away", &why));
    for (size_t i = 0; i < 3; i++) (void)ends_sync(others[i], ERR_OK);
    (void)ends_sync(sam, ERR_OK);
    ends_shows(sam, "record", note, "body", "She was absent again");
    ends_same(sam);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_hub_counts_all_rows_of_a_device_that_it_tells_anew_in_many_answers, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(a_device_that_may_hold_no_more_than_it_does_is_told_anew_what_it_holds_and_nothing_else,
                                        lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(that_nothing_is_parked_any_more_is_heard_again_if_only_the_lost_hub_had_heard_it, lost_start,
                                        lost_stop),
        cmocka_unit_test_setup_teardown(what_is_parked_still_the_order_that_is_given_anew_says, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(what_others_decided_since_is_not_written_over_by_the_decision_of_a_device_that_comes_late,
                                        lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(nor_is_what_others_settled_since_by_the_settlement_of_a_device_that_comes_late, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(a_settlement_that_comes_late_stands_where_nobody_has_settled_it_since, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(
            a_verdict_that_was_lost_on_its_way_is_told_also_by_the_second_hub_that_is_put_back_from_one_backup, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(a_row_that_comes_back_late_its_own_device_is_told_too_for_it_may_have_forgotten_it, lost_start,
                                        lost_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
