/* A gap of which the hub does not hear for a while: what stands before it in the chain is more than a request carries.
 * The hub may have the envelope that was lost, by a courier, and tell what became of it before it has heard of the gap.
 * Of what it took in as it was sent it tells nothing again: that its device must still have. */
#include "tests/lib/disaster_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LONG   1000000u /* bytes of a note: a request carries four of them */
#define BEFORE 5        /* notes that stand before the gap */

static void must_line(enum err e, const struct why *why, const char *what, int line)
{
    if (e != ERR_OK) fail_msg("%s (line %d): %s: %s", what, line, err_word(e), why->text);
}
#define MUST(call) must_line(call, &why, #call, __LINE__)

static int64_t here(struct ends_node *n, const char *sql)
{
    struct why why = {0};
    struct stmt *s;
    bool row = false;
    MUST(db_prepare(node_db(n->n), sql, &s, &why));
    MUST(db_step(s, &row, &why));
    assert_true(row);
    int64_t v = db_int(s, 0);
    db_done(s);
    return v;
}

static void sound(struct ends_node *n)
{
    struct why why = {0};
    struct verify_result v;
    MUST(node_verify(n->n, &v, &why));
}

static void settled(struct ends_node *n)
{
    assert_int_equal(here(n, "SELECT count(*) FROM n_gap"), 0);
    assert_int_equal(here(n, "SELECT count(*) FROM n_pending"), 0);
    assert_int_equal(here(n, "SELECT count(*) FROM n_image"), 0);
    assert_int_equal(here(n, "SELECT count(*) FROM n_outbox WHERE state NOT IN ('applied', 'merged')"), 0);
    ends_same(n);
}

/* The contents of one envelope, as a page that lost some bits leaves them. */
static void rot(struct ends_node *n, uint64_t seq)
{
    struct why why = {0};
    char sql[100];
    (void)snprintf(sql, sizeof sql, "UPDATE n_content SET item = x'00' WHERE seq = %llu", (unsigned long long)seq);
    MUST(db_exec(node_db(n->n), sql, &why));
    assert_int_equal(db_changes(node_db(n->n)), 1);
}

static void long_notes(struct ends_node *n, const uint8_t c[16])
{
    uint8_t id[16];
    char *body = malloc(LONG + 1);
    assert_non_null(body);
    memset(body, 'n', LONG);
    body[LONG] = '\0';
    for (int i = 0; i < BEFORE; i++) ends_note(n, c, id, "open", body);
    free(body);
}

/* A case, and a request of Pol's whose answer is lost; there is an order to forget in that answer. */
static void answer_with_an_order_is_lost(struct ends_case *k)
{
    uint8_t note[16];
    ends_case(k);
    ends_note(ann, k->c, note, "open", "A mistake");
    (void)ends_sync(ann, ERR_OK);
    (void)ends_sync(pol, ERR_OK);
    ends_begin(ann);
    ends_set(ann, "record", note, "voided_at", value_int(ends_hub->now));
    ends_set(ann, "record", note, "void_reason", value_str("Another child's"));
    ends_send(ann);
    pol->lose_answer = true;
    (void)ends_sync(pol, ERR_UNREACHABLE);
}

/* By a courier, beside that request: the hub takes it in, and gives the answer that it gave before. What is sent rots
 * before that answer comes. */
static void sent_and_rotten(uint64_t seq, struct buf *answer)
{
    struct why why = {0};
    struct buf file;
    buf_init(&file, 1u << 24);
    buf_init(answer, 1u << 24);
    ends_export(pol, &file);
    MUST(hub_exchange_file(ends_hub->hub, buf_bytes(&file), answer, &why));
    buf_release(&file);
    rot(pol, seq);
    assert_int_equal(here(pol, "SELECT count(*) FROM n_outbox WHERE state = 'unsent'"), BEFORE + 1);
}

/* The order makes the device look at all that it has. */
static void the_answer_comes(struct buf *answer)
{
    struct why why = {0};
    struct round_result r = {0};
    MUST(node_bundle_import(pol->n, buf_bytes(answer), &r, &why));
    assert_int_equal(r.rows_dropped, 1);
    assert_int_equal(here(pol, "SELECT count(*) FROM n_gap"), 1);
    assert_int_equal(here(pol, "SELECT count(*) FROM n_outbox WHERE state = 'unsent'"), BEFORE + 1);
    sound(pol);
    buf_release(answer);
}

static void one_round_does_not_reach_the_gap(void)
{
    pol->rounds = 1;
    (void)ends_sync(pol, ERR_OK);
    pol->rounds = 0;
    sound(pol);
}

static void a_row_whose_gap_goes_later_can_be_changed_by_what_comes_before(void **state)
{
    struct ends_case k;
    struct buf answer;
    uint8_t made[16];
    (void)state;
    answer_with_an_order_is_lost(&k);
    long_notes(pol, k.c);
    ends_begin(pol);
    ends_person(pol, k.c, made, "Made");
    sent_and_rotten(ends_commit(pol), &answer);
    (void)ends_sync(sam, ERR_OK);
    (void)ends_write(sam, "person", made, "given_names", "Of Sam");
    (void)ends_sync(sam, ERR_OK);
    the_answer_comes(&answer);
    ends_shows(pol, "person", made, "family_name", "Made");
    one_round_does_not_reach_the_gap();
    ends_shows(pol, "person", made, "family_name", "Made");
    (void)ends_sync(pol, ERR_OK);
    settled(pol);
    ends_shows(pol, "person", made, "given_names", "Of Sam");
}

/* Of which Sam changes one since, and the answer comes. */
static void both_names_are_sent_and_rotten(struct ends_case *k)
{
    struct buf answer;
    answer_with_an_order_is_lost(k);
    long_notes(pol, k->c);
    ends_begin(pol);
    ends_set(pol, "person", k->person, "family_name", value_str("Jones"));
    ends_set(pol, "person", k->person, "given_names", value_str("Of Pol"));
    sent_and_rotten(ends_commit(pol), &answer);
    (void)ends_sync(sam, ERR_OK);
    (void)ends_write(sam, "person", k->person, "given_names", "Of Sam");
    (void)ends_sync(sam, ERR_OK);
    the_answer_comes(&answer);
}

static void nor_is_a_column_left_out_whose_gap_goes_later(void **state)
{
    struct ends_case k;
    (void)state;
    both_names_are_sent_and_rotten(&k);
    one_round_does_not_reach_the_gap();
    (void)ends_sync(pol, ERR_OK);
    settled(pol);
    ends_shows(pol, "person", k.person, "family_name", "Jones"); /* which nobody but Pol ever wrote */
    ends_shows(pol, "person", k.person, "given_names", "Of Sam");
}

/* Nothing of it reached the hub: the gap is its place, and what was written again is all that there is of it. */
static void what_never_went_is_written_again_once_its_gap_was_heard(void **state)
{
    struct ends_case k;
    struct buf file, answer;
    struct why why = {0};
    uint8_t made[16];
    (void)state;
    answer_with_an_order_is_lost(&k);
    buf_init(&file, 1u << 24);
    buf_init(&answer, 1u << 24);
    ends_export(pol, &file);
    MUST(hub_exchange_file(ends_hub->hub, buf_bytes(&file), &answer, &why));
    buf_release(&file);
    long_notes(pol, k.c);
    ends_begin(pol);
    ends_person(pol, k.c, made, "Made");
    ends_set(pol, "person", k.person, "family_name", value_str("Jones"));
    rot(pol, ends_commit(pol));
    (void)ends_write(sam, "person", k.person, "given_names", "Of Sam");
    (void)ends_sync(sam, ERR_OK);
    the_answer_comes(&answer);
    one_round_does_not_reach_the_gap();
    assert_int_equal(here(pol, "SELECT count(*) FROM n_gap"), 1);
    (void)ends_sync(pol, ERR_OK);
    assert_int_equal(here(pol, "SELECT count(*) FROM n_outbox WHERE state = 'fault'"), 1);
    assert_int_equal(here(pol, "SELECT count(*) FROM n_pending"), 0);
    assert_int_equal(here(pol, "SELECT count(*) FROM n_gap"), 0);
    ends_same(pol);
    ends_shows(pol, "person", made, "family_name", "Made");
    ends_shows(pol, "person", k.person, "family_name", "Jones");
    ends_shows(pol, "person", k.person, "given_names", "Of Sam");
}

/* Gaps are small: what stands behind them moves up into the request, and must have been looked at. */
static void what_moves_up_where_gaps_stand_is_looked_at_too(void **state)
{
    struct ends_case k;
    struct why why = {0};
    (void)state;
    ends_case(&k);
    int64_t before = ends_count("SELECT count(*) FROM record WHERE case_id = $1", k.c);
    long_notes(pol, k.c);
    long_notes(pol, k.c);
    MUST(db_exec(node_db(pol->n),
                 "DELETE FROM n_content WHERE seq IN (SELECT min(seq) FROM n_content UNION SELECT min(seq) + 1 FROM n_content"
                 " UNION SELECT min(seq) + 5 FROM n_content)",
                 &why));
    (void)ends_sync(pol, ERR_OK);
    assert_int_equal(here(pol, "SELECT count(*) FROM n_outbox WHERE state = 'fault'"), 3);
    assert_int_equal(here(pol, "SELECT count(*) FROM n_pending"), 0);
    assert_int_equal(ends_count("SELECT count(*) FROM record WHERE case_id = $1", k.c), before + 2 * BEFORE);
    ends_same(pol);
}

/* ------------------------------------------------------------------------------------------------ after a disaster */

/* A gap that no hub has heard of had no verdict. Told as one that had, it would stand in front of work that was written
 * before it and not sent. */
static void a_gap_that_was_not_heard_is_not_returned_as_something_that_was_judged(void **state)
{
    struct ends_case k;
    struct why why = {0};
    uint8_t note[2][16], made[16];
    (void)state;
    ends_case(&k);
    (void)lost_backup("old");
    lost_destroy();
    lost_restored("old");
    ends_note(pol, k.c, note[0], "open", "Written before it");
    ends_note(pol, k.c, note[1], "open", "And this");
    ends_begin(pol);
    ends_person(pol, k.c, made, "Made");
    rot(pol, ends_commit(pol));
    for (int i = 0; i < 3; i++) ends_all_sync();
    assert_string_equal(lost_status().state, "done");
    assert_int_equal(lost_status().lost, 0);
    MUST(hub_verify(ends_hub->hub, &why));
    assert_int_equal(here(pol, "SELECT count(*) FROM n_gap"), 0);
    assert_int_equal(here(pol, "SELECT count(*) FROM n_pending"), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(ends_count("SELECT count(*) FROM record WHERE id = $1", note[i]), 1);
    assert_int_equal(ends_count("SELECT count(*) FROM person WHERE id = $1", made), 1);
    ends_same(pol);
}

static void the_answer_comes_and_nothing_is_kept(struct buf *answer)
{
    struct round_result r = {0};
    struct why why = {0};
    MUST(node_bundle_import(pol->n, buf_bytes(answer), &r, &why));
    buf_release(answer);
    assert_int_equal(here(pol, "SELECT count(*) FROM n_gap"), 1);
    assert_int_equal(here(pol, "SELECT count(*) FROM n_gap_kept"), 0);
}

/* Then the hub must hear of the gap before it tells what became of the envelope, however much lies before it. */
static void where_what_stands_of_it_cannot_be_read_the_gap_does_not_wait(void **state)
{
    struct ends_case k;
    struct buf answer;
    struct why why = {0};
    char sql[100];
    (void)state;
    answer_with_an_order_is_lost(&k);
    long_notes(pol, k.c);
    ends_begin(pol);
    ends_set(pol, "person", k.person, "family_name", value_str("Jones"));
    uint64_t seq = ends_commit(pol);
    sent_and_rotten(seq, &answer);
    (void)snprintf(sql, sizeof sql, "UPDATE n_pending SET vals = x'00' WHERE seq = %llu", (unsigned long long)seq);
    MUST(db_exec(node_db(pol->n), sql, &why));
    the_answer_comes_and_nothing_is_kept(&answer);
    for (int i = 0; i < 4; i++) (void)ends_sync(pol, ERR_OK);
    assert_int_equal(ends_count("SELECT count(*) FROM person WHERE id = $1 AND family_name = 'Jones'", k.person), 1);
    ends_shows(pol, "person", k.person, "family_name", "Jones");
    ends_same(pol);
}

/* A row that the lost envelope made, which others change before this device has a whole answer. */
static void nor_where_it_made_a_row_that_is_not_here_any_more(void **state)
{
    struct ends_case k;
    struct buf answer;
    struct why why = {0};
    uint8_t made[16];
    (void)state;
    answer_with_an_order_is_lost(&k);
    long_notes(pol, k.c);
    ends_begin(pol);
    ends_person(pol, k.c, made, "Made");
    sent_and_rotten(ends_commit(pol), &answer);
    MUST(db_exec(node_db(pol->n), "DELETE FROM person WHERE family_name = 'Made'", &why));
    the_answer_comes_and_nothing_is_kept(&answer);
    (void)ends_sync(sam, ERR_OK);
    (void)ends_write(sam, "person", made, "given_names", "Of Sam");
    (void)ends_sync(sam, ERR_OK);
    for (int i = 0; i < 4; i++) (void)ends_sync(pol, ERR_OK);
    ends_same(pol);
}

/* Before programs of store version 6 a gap let its pending edits go. Then the program was updated. */
static void nor_does_a_gap_that_an_older_program_made(void **state)
{
    struct ends_case k;
    struct why why = {0};
    (void)state;
    both_names_are_sent_and_rotten(&k);
    MUST(db_exec(node_db(pol->n), "DELETE FROM n_pending WHERE seq IN (SELECT seq FROM n_gap_kept); DELETE FROM n_gap_kept", &why));
    for (int i = 0; i < 4; i++) (void)ends_sync(pol, ERR_OK);
    ends_shows(pol, "person", k.person, "given_names", "Of Sam");
    ends_shows(pol, "person", k.person, "family_name", "Jones");
    ends_same(pol);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(where_what_stands_of_it_cannot_be_read_the_gap_does_not_wait, ends_start, ends_stop),
        cmocka_unit_test_setup_teardown(nor_where_it_made_a_row_that_is_not_here_any_more, ends_start, ends_stop),
        cmocka_unit_test_setup_teardown(nor_does_a_gap_that_an_older_program_made, ends_start, ends_stop),
        cmocka_unit_test_setup_teardown(a_row_whose_gap_goes_later_can_be_changed_by_what_comes_before, ends_start, ends_stop),
        cmocka_unit_test_setup_teardown(nor_is_a_column_left_out_whose_gap_goes_later, ends_start, ends_stop),
        cmocka_unit_test_setup_teardown(what_never_went_is_written_again_once_its_gap_was_heard, ends_start, ends_stop),
        cmocka_unit_test_setup_teardown(what_moves_up_where_gaps_stand_is_looked_at_too, ends_start, ends_stop),
    };
    const struct CMUnitTest after[] = {
        cmocka_unit_test_setup_teardown(a_gap_that_was_not_heard_is_not_returned_as_something_that_was_judged, lost_start,
                                        lost_stop),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed + cmocka_run_group_tests(after, NULL, NULL);
}
