/* What a lost hub had taken in, and what is held at the one that was put back because what it builds on is not here,
 * was decided there: nobody dismisses it, or takes it back, while there is nothing that it could be carried out on.
 * Else a share that was withdrawn would stand when it comes after all. hub/DISASTER.md. */
#include "hub/intake.h"
#include "node/act_work.h"
#include "node/look.h"
#include "tests/lib/disaster_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void must_line(enum err e, const struct why *why, const char *what, int line)
{
    if (e != ERR_OK) fail_msg("%s (line %d): %s: %s", what, line, err_word(e), why->text);
}
#define MUST(call) must_line(call, &why, #call, __LINE__)

struct share {
    uint8_t c[16], part[16], held[16];
};

/* Ada shared, Ann withdrew it; of both the backup knows nothing, and Ada has not come. */
static void withdrawn_without_ada(struct share *x, bool told)
{
    lost_case(x->c);
    (void)lost_backup("old");
    lost_shares(ada, x->c, x->part);
    ada->lose_answer = !told;
    (void)ends_sync(ada, told ? ERR_OK : ERR_UNREACHABLE);
    (void)ends_sync(ann, ERR_OK);
    lost_access_with_note(ann, x->c, x->part, "none");
    assert_int_equal(ends_sync(ann, ERR_OK).applied, 1);
    lost_destroy();
    lost_restored("old");
}

static void released(struct share *x)
{
    lost_sync_but(ada);
    lost_released("ada's laptop was in the fire");
    lost_sync_but(ada);
    lost_sync_but(ada);
    lost_waiting(ann, x->held);
}

static void waits_still(const struct share *x)
{
    assert_int_equal(ends_count("SELECT count(*) FROM held WHERE id = $1 AND state = 'waiting'", x->held), 1);
    assert_int_equal(ends_count("SELECT count(*) FROM h_held v JOIN h_held_case k ON k.node_no = v.node_no AND k.seq = v.seq WHERE "
                                "k.held_id = $1 AND v.state = 'waiting'", x->held), 1);
}

/* As a device of another version sends it, which does not ask whether that can be. */
static void says(struct ends_node *n, const struct share *x, const char *state)
{
    (void)ends_write(n, "held", x->held, "state", state);
    assert_int_equal(ends_sync(n, ERR_OK).held, 1);
    assert_int_equal(fake_hub_int(ends_hub, "SELECT count(*) FROM held WHERE state = 'waiting' AND reason LIKE '%it takes effect by "
                                            "itself when that comes%'"), 1);
    waits_still(x);
    ends_shows(n, "held", x->held, "state", "waiting");
}

static void ada_comes(const struct share *x)
{
    for (int i = 0; i < 3; i++) (void)ends_sync(ada, ERR_OK);
    lost_continued();
    lost_is_done(0);
    lost_stays_withdrawn(x->c, x->part);
    (void)ends_sync(ann, ERR_OK);
    ends_shows(ann, "held", x->held, "state", "accepted");
}

/* -------------------------------------------------------------------------------------------- while Ada is missing */

static void what_had_been_taken_in_no_manager_dismisses_while_the_share_may_still_come(void **state)
{
    struct share x;
    (void)state;
    withdrawn_without_ada(&x, true);
    released(&x);
    says(ann, &x, "dismissed");
    ada_comes(&x);
}

static void nor_does_its_own_agency_take_it_back(void **state)
{
    struct share x;
    (void)state;
    withdrawn_without_ada(&x, true);
    released(&x);
    says(ann, &x, "withdrawn");
    ada_comes(&x);
}

static uint64_t outbox_held(struct ends_node *n)
{
    struct why why = {0};
    struct stmt *s;
    bool row = false;
    MUST(db_prepare(node_db(n->n), "SELECT seq FROM n_outbox WHERE state = 'held'", &s, &why));
    MUST(db_step(s, &row, &why));
    assert_true(row);
    const uint64_t seq = (uint64_t)db_int(s, 0);
    db_done(s);
    return seq;
}

/* A device knows by the words under which it is held, and says so at once. */
static void its_device_says_so_before_anything_is_sent(void **state)
{
    struct share x;
    struct why why = {0};
    struct json *seen = NULL;
    bool gone = false;
    (void)state;
    withdrawn_without_ada(&x, true);
    released(&x);
    assert_int_equal(act_held_decide(ann->n, x.held, false, "There is no such share", &why), ERR_DENIED);
    assert_non_null(strstr(why.text, "before the MASH server was put back"));
    assert_non_null(strstr(why.next, "by itself"));
    assert_int_equal(node_outbox_discard(ann->n, outbox_held(ann), &gone, &why), ERR_DENIED);
    assert_non_null(strstr(why.text, "neither taken back nor sent again"));
    assert_int_equal(ends_sync(ann, ERR_OK).sent, 0);
    MUST(look_held(ann->n, false, &seen, &why));
    const struct json *one = json_at(json_get(seen, "held"), 0);
    assert_true(json_get_bool(one, "stays", false) && json_get_bool(one, "may_decide", false));
    json_free(seen);
    ada_comes(&x);
    MUST(look_held(ann->n, true, &seen, &why));
    assert_false(json_get_bool(json_at(json_get(seen, "held"), 0), "stays", true));
    json_free(seen);
}

/* Also where nobody asks: a word that a hub of before had taken in is carried out again unasked. */
static void nor_is_it_dismissed_by_a_word_that_is_not_judged_again(void **state)
{
    struct share x;
    struct why why = {0};
    struct stmt *s;
    bool row = false;
    (void)state;
    withdrawn_without_ada(&x, true);
    released(&x);
    MUST(db_prepare(hub_db(ends_hub->hub), "SELECT node_no, seq FROM h_held_case WHERE held_id = $1", &s, &why));
    db_bind_id(s, 1, x.held);
    MUST(db_step(s, &row, &why));
    assert_true(row);
    const int64_t node_no = db_int(s, 0), seq = db_int(s, 1);
    db_done(s);
    MUST(hub_begin(ends_hub->hub, &why));
    MUST(intake_decide(ends_hub->hub, node_no, (uint64_t)seq, false, &why));
    MUST(hub_commit(ends_hub->hub, &why));
    waits_still(&x);
    ada_comes(&x);
}

/* It waited for the manager at the lost hub, who accepted it: that it was taken in is in its second verdict. */
static void nor_what_a_manager_had_accepted_there(void **state)
{
    struct ends_case k;
    struct share x;
    (void)state;
    ends_case(&k);
    memcpy(x.c, k.c, sizeof x.c);
    ends_access(k.parts[1], "none");
    lost_sync_but(NULL);
    (void)lost_backup("old");
    lost_shares(ada, k.c, x.part);
    assert_int_equal(ends_sync(ada, ERR_OK).applied, 1);
    (void)ends_sync(pol, ERR_OK);
    lost_access_with_note(pol, k.c, x.part, "none");
    assert_int_equal(ends_sync(pol, ERR_OK).held, 1);
    ends_accept(k.c);
    (void)ends_sync(pol, ERR_OK);
    lost_destroy();
    lost_restored("old");
    released(&x);
    says(ann, &x, "dismissed");
    ada_comes(&x);
}

/* ------------------------------------------------------------------------------------------ when nobody is missing */

/* Ada never had the answer to her share: she has returned everything, and has it in her outbox still. */
static void nor_when_nobody_is_missing_any_more_for_it_may_come_as_new_work(void **state)
{
    struct share x;
    (void)state;
    withdrawn_without_ada(&x, false);
    ada->rounds = 4;
    (void)ends_sync(ada, ERR_OK);
    ada->rounds = 0;
    for (int i = 0; i < 3; i++) lost_sync_but(ada);
    lost_is_done(0);
    assert_int_equal(ends_count("SELECT count(*) FROM participant WHERE id = $1", x.part), 0);
    lost_waiting(ann, x.held);
    says(ann, &x, "dismissed");
    ada_comes(&x);
}

/* What somebody else has decided since does not come to be carried out: that is there to be dismissed like any. */
static void what_others_have_decided_since_can_be_dismissed(void **state)
{
    struct ends_case k;
    struct share x;
    uint8_t overtaken[16];
    struct stmt *s;
    struct why why = {0};
    bool row = false;
    (void)state;
    ends_case(&k);
    (void)ends_write(pol, "participant", k.parts[1], "access", "view"); /* the lead agency's */
    assert_int_equal(ends_sync(pol, ERR_OK).held, 1);
    lost_sync_but(NULL);
    lost_waiting(ann, x.held);
    (void)lost_backup("old");
    ends_begin(pol);
    ends_set(pol, "held", x.held, "state", value_str("withdrawn"));
    ends_set(pol, "held", x.held, "decided_at", value_int(env_now(&ends_hub->env)));
    (void)ends_commit(pol);
    assert_int_equal(ends_sync(pol, ERR_OK).applied, 1);
    lost_destroy();
    lost_restored("old");
    lost_sync_but(pol);
    lost_released("pol is away");
    lost_sync_but(pol);
    ends_days(1);
    MUST(act_held_decide(ann->n, x.held, false, "They are to see all of it", &why));
    assert_int_equal(ends_sync(ann, ERR_OK).applied, 1);
    for (int i = 0; i < 3; i++) lost_sync_but(NULL);
    lost_is_done(0);
    MUST(db_prepare(node_db(ann->n), "SELECT id FROM held WHERE state = 'waiting'", &s, &why));
    MUST(db_step(s, &row, &why));
    if (!row) { /* it names no case, so it is in nobody's list: the hub alone has it */
        db_done(s);
        return;
    }
    assert_true(db_id(s, 0, overtaken));
    db_done(s);
    MUST(act_held_decide(ann->n, overtaken, false, "It was decided", &why));
    assert_int_equal(ends_sync(ann, ERR_OK).applied, 1);
    assert_int_equal(ends_count("SELECT count(*) FROM held WHERE id = $1 AND state = 'dismissed'", overtaken), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_had_been_taken_in_no_manager_dismisses_while_the_share_may_still_come, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(nor_does_its_own_agency_take_it_back, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(its_device_says_so_before_anything_is_sent, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(nor_is_it_dismissed_by_a_word_that_is_not_judged_again, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(nor_what_a_manager_had_accepted_there, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(nor_when_nobody_is_missing_any_more_for_it_may_come_as_new_work, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(what_others_have_decided_since_can_be_dismissed, lost_start, lost_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
