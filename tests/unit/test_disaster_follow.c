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

/* Everybody is there; but Ada never had the answer to her share, and sends it as something new. */
static void a_share_whose_verdict_was_lost_on_its_way_does_not_come_to_life_when_it_is_sent_again(void **state)
{
    uint8_t c[16], part[16];
    (void)state;
    lost_case(c);
    (void)lost_backup("old");
    lost_shares(ada, c, part);
    ada->lose_answer = true;
    (void)ends_sync(ada, ERR_UNREACHABLE);
    lost_withdrawn_by(ann, c, part);
    lost_comes_back_withdrawn(c, part);
}

/* Ada's requests and the school's come together, and are taken in in one transaction, Ada's first. */
static void nor_for_who_is_answered_in_the_same_commit(void **state)
{
    uint8_t c[16], part[16];
    struct ends_node *const both[2] = {ada, sam};
    struct why why = {0};
    (void)state;
    lost_case(c);
    (void)lost_backup("old");
    lost_shares(ada, c, part);
    ada->lose_answer = true;
    (void)ends_sync(ada, ERR_UNREACHABLE);
    lost_withdrawn_by(ann, c, part);
    lost_destroy();
    lost_restored("old");
    ada->rounds = 4; /* she has returned everything */
    (void)ends_sync(ada, ERR_OK);
    ada->rounds = 0;
    lost_sync_but(ada);
    for (int i = 0; i < 4; i++) {
        struct hub_asked asked[2] = {{.e = ERR_OK}, {.e = ERR_OK}};
        struct buf request[2], answer[2];
        for (size_t k = 0; k < 2; k++) {
            buf_init(&request[k], 1u << 24);
            buf_init(&answer[k], 1u << 24);
            ends_export(both[k], &request[k]);
            asked[k].request = buf_bytes(&request[k]);
            asked[k].out = &answer[k];
        }
        for (size_t n = 0; n < 2;) n += hub_exchange_all(ends_hub->hub, asked + n, 2 - n);
        for (size_t k = 0; k < 2; k++) {
            struct round_result r = {0};
            assert_int_equal(asked[k].e, ERR_OK);
            MUST(node_bundle_import(both[k]->n, buf_bytes(&answer[k]), &r, &why));
            buf_release(&request[k]);
            buf_release(&answer[k]);
        }
        assert_false(lost_holds(sam, "case_file", c));
    }
    lost_is_done(0);
    assert_int_equal(fake_hub_int(ends_hub, "SELECT count(*) FROM h_lack"), 0);
    lost_stays_withdrawn(c, part);
}

/* The police asked to share it, which waited for the manager; Ann accepted that, Ada withdrew it. Of Ann's word the hub
 * that was put back hears last: her device never had the answer to it. */
static void nor_when_a_manager_accepts_the_share_that_was_held(void **state)
{
    struct ends_case k;
    uint8_t part[16], note[16], held[16];
    (void)state;
    ends_case(&k);
    ends_access(k.parts[1], "none");
    ends_note(ann, k.c, note, "open", "what the school may read for a while");
    (void)ends_sync(ann, ERR_OK);
    lost_sync_but(NULL);
    (void)lost_backup("old");
    lost_shares(pol, k.c, part);
    assert_int_equal(ends_sync(pol, ERR_OK).held, 1);
    (void)ends_sync(ann, ERR_OK);
    lost_waiting(ann, held);
    (void)ends_write(ann, "held", held, "state", "accepted");
    ann->lose_answer = true;
    (void)ends_sync(ann, ERR_UNREACHABLE);
    lost_withdrawn_by(ada, k.c, part);
    lost_destroy();
    lost_restored("old");
    for (int i = 0; i < 4; i++) {
        lost_sync_but(NULL);
        assert_false(lost_holds(sam, "case_file", k.c));
    }
    lost_is_done(0);
    lost_stays_withdrawn(k.c, part);
}

/* Ada's program was older, and kept no notes: what it returns is judged after all that others returned. */
static void nor_when_it_is_judged_after_all_others_for_want_of_a_note(void **state)
{
    uint8_t c[16], part[16];
    struct why why = {0};
    (void)state;
    lost_case(c);
    (void)lost_backup("old");
    lost_shares(ada, c, part);
    assert_int_equal(ends_sync(ada, ERR_OK).applied, 1);
    lost_withdrawn_by(ann, c, part);
    MUST(db_exec(node_db(ada->n), "DELETE FROM n_note", &why));
    lost_comes_back_withdrawn(c, part);
}

/* The case itself is the late device's: Ada's share waits for it, and Ann's withdrawal for that. */
static void nor_when_the_case_comes_late_that_was_shared_and_withdrawn(void **state)
{
    uint8_t c[16], part[16];
    (void)state;
    lost_sync_but(NULL);
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
    lost_shares(ada, c, part);
    assert_int_equal(ends_sync(ada, ERR_OK).applied, 1);
    lost_withdrawn_by(ann, c, part);
    lost_destroy();
    lost_restored("old");
    lost_sync_but(pol);
    lost_released("the station has no network");
    lost_sync_but(pol);
    for (int i = 0; i < 3; i++) (void)ends_sync(pol, ERR_OK);
    lost_continued();
    lost_is_done(0);
    lost_stays_withdrawn(c, part);
}

/* Ada's laptop comes late, in spite of all. */
static void ada_is_missing(void)
{
    lost_destroy();
    lost_restored("old");
    lost_sync_but(ada);
    lost_released("ada's laptop was in the fire");
    lost_sync_but(ada);
    lost_sync_but(ada);
}

static void ada_comes(void)
{
    for (int i = 0; i < 3; i++) (void)ends_sync(ada, ERR_OK);
    lost_continued();
    lost_is_done(0);
}

/* There is nothing yet that it could be about. */
static void ann_tries_to_accept(void)
{
    uint8_t held[16];
    lost_waiting(ann, held);
    (void)ends_write(ann, "held", held, "state", "accepted");
    (void)ends_sync(ann, ERR_OK);
    assert_int_equal(ends_count("SELECT count(*) FROM held WHERE id = $1 AND state = 'waiting'", held), 1);
}

/* Ann found her withdrawal among held work, and accepted it. */
static void nor_when_a_manager_had_tried_to_accept_the_withdrawal_before_there_was_a_share(void **state)
{
    uint8_t c[16], part[16];
    (void)state;
    lost_case(c);
    (void)lost_backup("old");
    lost_shares(ada, c, part);
    assert_int_equal(ends_sync(ada, ERR_OK).applied, 1);
    (void)ends_sync(sam, ERR_OK);
    assert_true(lost_holds(sam, "case_file", c));
    (void)ends_sync(ann, ERR_OK);
    lost_access_with_note(ann, c, part, "none");
    assert_int_equal(ends_sync(ann, ERR_OK).applied, 1);
    (void)ends_sync(sam, ERR_OK);
    assert_false(lost_holds(sam, "case_file", c));
    ada_is_missing();
    ann_tries_to_accept();
    ada_comes();
    lost_stays_withdrawn(c, part);
}

/* She gave it, took it, gave it again and took it for good; what she tried to accept is the one in the middle. It is
 * still older than her last word. */
static void nor_when_what_a_manager_had_tried_to_accept_was_taken_back_later(void **state)
{
    uint8_t c[16], part[16];
    (void)state;
    lost_case(c);
    (void)lost_backup("old");
    lost_shares(ada, c, part);
    assert_int_equal(ends_sync(ada, ERR_OK).applied, 1);
    lost_withdrawn_by(ann, c, part);
    lost_access_with_note(ann, c, part, "view");
    assert_int_equal(ends_sync(ann, ERR_OK).applied, 1);
    lost_withdrawn_by(ann, c, part);
    ada_is_missing();
    ann_tries_to_accept();
    ada_comes();
    lost_stays_withdrawn(c, part);
}

/* The police asked to end it, which waited for the manager: Ann accepted that, and the lost hub carried it out. */
static void nor_when_its_withdrawal_had_waited_for_a_manager_who_accepted_it(void **state)
{
    struct ends_case k;
    uint8_t part[16];
    (void)state;
    ends_case(&k);
    ends_access(k.parts[1], "none");
    lost_sync_but(NULL);
    (void)lost_backup("old");
    lost_shares(ada, k.c, part);
    assert_int_equal(ends_sync(ada, ERR_OK).applied, 1);
    (void)ends_sync(pol, ERR_OK);
    lost_access_with_note(pol, k.c, part, "none");
    assert_int_equal(ends_sync(pol, ERR_OK).held, 1);
    ends_accept(k.c);
    (void)ends_sync(pol, ERR_OK);
    ada_is_missing();
    ada_comes();
    lost_stays_withdrawn(k.c, part);
}

/* What Ada's device had of it was damaged there: what it still has it writes anew, as somebody's work of today. Here
 * another device does, of the same agency. */
static void nor_when_it_comes_as_the_work_of_today(void **state)
{
    uint8_t c[16], part[16];
    struct ends_node *bea;
    (void)state;
    lost_case(c);
    (void)lost_backup("old");
    lost_shares(ada, c, part);
    assert_int_equal(ends_sync(ada, ERR_OK).applied, 1);
    lost_withdrawn_by(ann, c, part);
    ada_is_missing();
    bea = ends_device("care-mash", "care", "Bea");
    (void)ends_sync(bea, ERR_OK);
    ends_begin(bea);
    struct row r = ends_row(bea, "participant", part, c);
    ends_text(&r, "member", "school");
    ends_text(&r, "access", "contribute");
    ends_put(bea, &r);
    (void)ends_commit(bea);
    assert_int_equal(ends_sync(bea, ERR_OK).applied, 1);
    lost_stays_withdrawn(c, part);
    ends_gone(bea);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_share_whose_verdict_was_lost_on_its_way_does_not_come_to_life_when_it_is_sent_again,
                                        lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(nor_for_who_is_answered_in_the_same_commit, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(nor_when_a_manager_accepts_the_share_that_was_held, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(nor_when_it_is_judged_after_all_others_for_want_of_a_note, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(nor_when_the_case_comes_late_that_was_shared_and_withdrawn, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(nor_when_a_manager_had_tried_to_accept_the_withdrawal_before_there_was_a_share, lost_start,
                                        lost_stop),
        cmocka_unit_test_setup_teardown(nor_when_what_a_manager_had_tried_to_accept_was_taken_back_later, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(nor_when_its_withdrawal_had_waited_for_a_manager_who_accepted_it, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(nor_when_it_comes_as_the_work_of_today, lost_start, lost_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
