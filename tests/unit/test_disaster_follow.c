/* A share that was withdrawn at the hub that was lost stays withdrawn at the one that was put back, whichever way the
 * share comes: the withdrawal, which could not be carried out while there was no share, follows in the same
 * transaction. hub/DISASTER.md. */
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

static void sync_but(const struct ends_node *but)
{
    struct ends_node *const all[] = {ann, ada, pol, pat, sam};
    for (size_t i = 0; i < 5; i++)
        if (all[i] != but) (void)ends_sync(all[i], ERR_OK);
}

static void continued(void)
{
    struct why why = {0};
    bool done = false;
    while (!done) MUST(hub_restore_continue(ends_hub->hub, 1000, &done, &why));
}

static void is_done(void)
{
    assert_string_equal(lost_status().state, "done");
    assert_int_equal(lost_status().lost, 0);
}

/* At no moment: also not in the answer of the round in which the share came. */
static void school_sees_nothing(const uint8_t c[16], const uint8_t part[16])
{
    assert_int_equal(ends_count("SELECT count(*) FROM participant WHERE id = $1 AND access <> 'none'", part), 0);
    (void)ends_sync(sam, ERR_OK);
    assert_false(lost_holds(sam, "case_file", c));
    ends_same(sam);
}

/* Of care, with a note that the school may read for a while. */
static void a_case(uint8_t c[16])
{
    uint8_t note[16];
    ends_own_case(c, false);
    ends_note(ann, c, note, "open", "what the school may read for a while");
    (void)ends_sync(ann, ERR_OK);
    sync_but(NULL);
}

static void shares(struct ends_node *n, const uint8_t c[16], uint8_t part[16])
{
    ends_begin(n);
    ends_part(n, c, part, "school", "");
    (void)ends_commit(n);
}

static void withdrawn_by(struct ends_node *n, const uint8_t c[16], const uint8_t part[16])
{
    (void)ends_sync(sam, ERR_OK);
    assert_true(lost_holds(sam, "case_file", c));
    (void)ends_sync(n, ERR_OK);
    (void)ends_write(n, "participant", part, "access", "none");
    assert_int_equal(ends_sync(n, ERR_OK).applied, 1);
    (void)ends_sync(sam, ERR_OK);
    assert_false(lost_holds(sam, "case_file", c));
}

/* Everybody is there; but Ada never had the answer to her share, and sends it as something new. */
static void a_share_whose_verdict_was_lost_on_its_way_does_not_come_to_life_when_it_is_sent_again(void **state)
{
    uint8_t c[16], part[16];
    (void)state;
    a_case(c);
    (void)lost_backup("old");
    shares(ada, c, part);
    ada->lose_answer = true;
    (void)ends_sync(ada, ERR_UNREACHABLE);
    withdrawn_by(ann, c, part);
    lost_destroy();
    lost_restored("old");
    for (int i = 0; i < 3; i++) {
        sync_but(NULL);
        assert_false(lost_holds(sam, "case_file", c));
    }
    is_done();
    assert_int_equal(ends_count("SELECT count(*) FROM participant WHERE id = $1", part), 1);
    school_sees_nothing(c, part);
}

/* The police asked to share it, which waited for the manager; Ann accepted that, Ada withdrew it. Of Ann's word the hub
 * that was put back hears last: her device never had the answer to it. */
static void nor_when_a_manager_accepts_the_share_that_was_held(void **state)
{
    struct ends_case k;
    uint8_t part[16], note[16], held[16];
    struct why why = {0};
    struct stmt *s;
    bool row = false;
    (void)state;
    ends_case(&k);
    ends_access(k.parts[1], "none");
    ends_note(ann, k.c, note, "open", "what the school may read for a while");
    (void)ends_sync(ann, ERR_OK);
    sync_but(NULL);
    (void)lost_backup("old");
    shares(pol, k.c, part);
    assert_int_equal(ends_sync(pol, ERR_OK).held, 1);
    (void)ends_sync(ann, ERR_OK);
    MUST(db_prepare(node_db(ann->n), "SELECT id FROM held WHERE case_id = $1 AND state = 'waiting'", &s, &why));
    db_bind_id(s, 1, k.c);
    MUST(db_step(s, &row, &why));
    assert_true(row && db_id(s, 0, held));
    db_done(s);
    (void)ends_write(ann, "held", held, "state", "accepted");
    ann->lose_answer = true;
    (void)ends_sync(ann, ERR_UNREACHABLE);
    withdrawn_by(ada, k.c, part);
    lost_destroy();
    lost_restored("old");
    for (int i = 0; i < 4; i++) {
        sync_but(NULL);
        assert_false(lost_holds(sam, "case_file", k.c));
    }
    is_done();
    assert_int_equal(ends_count("SELECT count(*) FROM participant WHERE id = $1", part), 1);
    school_sees_nothing(k.c, part);
}

/* Ada's program was older, and kept no notes: what it returns is judged after all that others returned. */
static void nor_when_it_is_judged_after_all_others_for_want_of_a_note(void **state)
{
    uint8_t c[16], part[16];
    struct why why = {0};
    (void)state;
    a_case(c);
    (void)lost_backup("old");
    shares(ada, c, part);
    assert_int_equal(ends_sync(ada, ERR_OK).applied, 1);
    withdrawn_by(ann, c, part);
    MUST(db_exec(node_db(ada->n), "DELETE FROM n_note", &why));
    lost_destroy();
    lost_restored("old");
    for (int i = 0; i < 3; i++) {
        sync_but(NULL);
        assert_false(lost_holds(sam, "case_file", c));
    }
    is_done();
    assert_int_equal(ends_count("SELECT count(*) FROM participant WHERE id = $1", part), 1);
    school_sees_nothing(c, part);
}

/* The case itself is the late device's: Ada's share waits for it, and Ann's withdrawal for that. */
static void nor_when_the_case_comes_late_that_was_shared_and_withdrawn(void **state)
{
    uint8_t c[16], part[16];
    struct why why = {0};
    (void)state;
    sync_but(NULL);
    (void)lost_backup("old");
    env_new_id(&ends_hub->env, c);
    ends_begin(pol);
    struct row file = ends_row(pol, "case_file", c, c);
    ends_text(&file, "area", "north");
    ends_text(&file, "status", "new");
    ends_text(&file, "lead_agency", "care");
    ends_put(pol, &file);
    (void)ends_commit(pol);
    assert_int_equal(ends_sync(pol, ERR_OK).applied, 1);
    (void)ends_sync(ada, ERR_OK);
    shares(ada, c, part);
    assert_int_equal(ends_sync(ada, ERR_OK).applied, 1);
    withdrawn_by(ann, c, part);
    lost_destroy();
    lost_restored("old");
    sync_but(pol);
    MUST(hub_restore_release(ends_hub->hub, "the station has no network", &why));
    continued();
    sync_but(pol);
    for (int i = 0; i < 3; i++) (void)ends_sync(pol, ERR_OK);
    continued();
    is_done();
    assert_int_equal(ends_count("SELECT count(*) FROM participant WHERE id = $1", part), 1);
    school_sees_nothing(c, part);
}

/* Ann found her withdrawal among held work, and accepted it: there was nothing yet that could be withdrawn. */
static void nor_when_a_manager_had_tried_to_accept_the_withdrawal_before_there_was_a_share(void **state)
{
    uint8_t c[16], part[16], note[16], held[16];
    struct why why = {0};
    struct stmt *s;
    bool row = false;
    (void)state;
    a_case(c);
    (void)lost_backup("old");
    shares(ada, c, part);
    assert_int_equal(ends_sync(ada, ERR_OK).applied, 1);
    (void)ends_sync(sam, ERR_OK);
    assert_true(lost_holds(sam, "case_file", c));
    (void)ends_sync(ann, ERR_OK);
    env_new_id(&ends_hub->env, note);
    ends_begin(ann); /* which says why, in the case: so it is among the held work of that */
    ends_set(ann, "participant", part, "access", value_str("none"));
    struct row r = ends_row(ann, "record", note, c);
    ends_text(&r, "sensitivity", "open");
    ends_text(&r, "body", "why the school is not to read on");
    ends_put(ann, &r);
    ends_send(ann);
    (void)ends_sync(sam, ERR_OK);
    assert_false(lost_holds(sam, "case_file", c));
    lost_destroy();
    lost_restored("old");
    sync_but(ada);
    MUST(hub_restore_release(ends_hub->hub, "ada's laptop was in the fire", &why));
    continued();
    sync_but(ada);
    sync_but(ada);
    MUST(db_prepare(node_db(ann->n), "SELECT id FROM held WHERE state = 'waiting'", &s, &why));
    MUST(db_step(s, &row, &why));
    assert_true(row && db_id(s, 0, held));
    db_done(s);
    (void)ends_write(ann, "held", held, "state", "accepted");
    (void)ends_sync(ann, ERR_OK);
    assert_int_equal(ends_count("SELECT count(*) FROM held WHERE id = $1 AND state = 'waiting'", held), 1);
    for (int i = 0; i < 3; i++) (void)ends_sync(ada, ERR_OK);
    continued();
    is_done();
    assert_int_equal(ends_count("SELECT count(*) FROM participant WHERE id = $1", part), 1);
    school_sees_nothing(c, part);
}

/* She gave it, took it, gave it again and took it for good; what she tried to accept is the one in the middle. It is
 * still older than her last word. */
static void nor_when_what_a_manager_had_tried_to_accept_was_taken_back_later(void **state)
{
    uint8_t c[16], part[16], note[16], held[16];
    struct why why = {0};
    struct stmt *s;
    bool row = false;
    (void)state;
    a_case(c);
    (void)lost_backup("old");
    shares(ada, c, part);
    assert_int_equal(ends_sync(ada, ERR_OK).applied, 1);
    withdrawn_by(ann, c, part);
    env_new_id(&ends_hub->env, note);
    ends_begin(ann);
    ends_set(ann, "participant", part, "access", value_str("view"));
    struct row r = ends_row(ann, "record", note, c);
    ends_text(&r, "sensitivity", "open");
    ends_text(&r, "body", "why the school is to read on");
    ends_put(ann, &r);
    ends_send(ann);
    withdrawn_by(ann, c, part);
    lost_destroy();
    lost_restored("old");
    sync_but(ada);
    MUST(hub_restore_release(ends_hub->hub, "ada's laptop was in the fire", &why));
    continued();
    sync_but(ada);
    sync_but(ada);
    MUST(db_prepare(node_db(ann->n), "SELECT id FROM held WHERE state = 'waiting'", &s, &why));
    MUST(db_step(s, &row, &why));
    assert_true(row && db_id(s, 0, held));
    db_done(s);
    (void)ends_write(ann, "held", held, "state", "accepted");
    (void)ends_sync(ann, ERR_OK);
    assert_int_equal(ends_count("SELECT count(*) FROM held WHERE id = $1 AND state = 'waiting'", held), 1);
    for (int i = 0; i < 3; i++) (void)ends_sync(ada, ERR_OK);
    continued();
    is_done();
    assert_int_equal(ends_count("SELECT count(*) FROM participant WHERE id = $1", part), 1);
    school_sees_nothing(c, part);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_share_whose_verdict_was_lost_on_its_way_does_not_come_to_life_when_it_is_sent_again,
                                        lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(nor_when_a_manager_accepts_the_share_that_was_held, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(nor_when_it_is_judged_after_all_others_for_want_of_a_note, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(nor_when_the_case_comes_late_that_was_shared_and_withdrawn, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(nor_when_a_manager_had_tried_to_accept_the_withdrawal_before_there_was_a_share, lost_start,
                                        lost_stop),
        cmocka_unit_test_setup_teardown(nor_when_what_a_manager_had_tried_to_accept_was_taken_back_later, lost_start, lost_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
