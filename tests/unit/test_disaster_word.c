/* What was said last at a hub that was lost is what stands at the one that was put back, though what it answers comes
 * after it: as new work, without the lost hub's note, as a manager's word on held work, or in pieces. A share that was
 * withdrawn is at no moment alive. hub/DISASTER.md. */
#include "tests/lib/disaster_world.h"
#include "tests/lib/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

/* ----------------------------------------------------------------------- given again, and withdrawn by another one */

/* In the backup the part is there, ended. */
static void ended_part(uint8_t c[16], uint8_t part[16])
{
    lost_case(c);
    ends_share(c, part, "school", "");
    ends_access(part, "none");
    lost_sync_but(NULL);
    (void)lost_backup("old");
    (void)ends_write(ada, "participant", part, "access", "contribute");
}

static void a_share_given_again_that_comes_as_new_stays_withdrawn(void **state)
{
    uint8_t c[16], part[16];
    (void)state;
    ended_part(c, part);
    ada->lose_answer = true;
    (void)ends_sync(ada, ERR_UNREACHABLE);
    lost_withdrawn_by(ann, c, part);
    lost_comes_back_withdrawn(c, part);
}

/* As of a device whose program kept no notes then. */
static void and_one_of_which_its_device_has_no_note(void **state)
{
    uint8_t c[16], part[16];
    (void)state;
    ended_part(c, part);
    (void)ends_sync(ada, ERR_OK);
    lost_withdrawn_by(ann, c, part);
    MUST(db_exec(node_db(ada->n), "DELETE FROM n_note", &why));
    lost_comes_back_withdrawn(c, part);
}

static void late(bool told)
{
    uint8_t c[16], part[16];
    ended_part(c, part);
    ada->lose_answer = !told;
    (void)ends_sync(ada, told ? ERR_OK : ERR_UNREACHABLE);
    lost_withdrawn_by(ann, c, part);
    lost_destroy();
    lost_restored("old");
    lost_sync_but(ada);
    lost_released("ada's laptop was in the fire");
    for (int i = 0; i < 2; i++) lost_sync_but(ada);
    for (int i = 0; i < 3; i++) {
        (void)ends_sync(ada, ERR_OK);
        (void)ends_sync(sam, ERR_OK);
        assert_false(lost_holds(sam, "case_file", c));
    }
    lost_continued();
    lost_stays_withdrawn(c, part);
}

static void and_one_that_comes_late(void **state)
{
    (void)state;
    late(true);
}

static void and_one_that_comes_late_and_as_new(void **state)
{
    (void)state;
    late(false);
}

/* Neither Ada nor Ann ever heard of what became of it. */
static void and_where_the_withdrawal_comes_as_new_before_it(void **state)
{
    uint8_t c[16], part[16];
    (void)state;
    ended_part(c, part);
    ada->lose_answer = true;
    (void)ends_sync(ada, ERR_UNREACHABLE);
    (void)ends_sync(sam, ERR_OK);
    assert_true(lost_holds(sam, "case_file", c));
    (void)ends_sync(ann, ERR_OK);
    lost_access_with_note(ann, c, part, "none");
    ann->lose_answer = true;
    (void)ends_sync(ann, ERR_UNREACHABLE);
    (void)ends_sync(sam, ERR_OK);
    assert_false(lost_holds(sam, "case_file", c));
    lost_comes_back_withdrawn(c, part); /* Ann first */
    assert_int_equal(ends_count("SELECT count(*) FROM held WHERE case_id = $1 AND state = 'waiting'", c), 0);
}

/* Nothing vouches for it, and by what is known here Ann's site had not been given the part when she wrote that: so a
 * manager reads it, and decides. */
static void where_the_part_is_not_even_there_yet_a_manager_reads_that_it_was_withdrawn(void **state)
{
    uint8_t c[16], part[16];
    (void)state;
    lost_case(c);
    (void)lost_backup("old");
    lost_shares(ada, c, part);
    ada->lose_answer = true;
    (void)ends_sync(ada, ERR_UNREACHABLE);
    (void)ends_sync(ann, ERR_OK);
    lost_access_with_note(ann, c, part, "none");
    ann->lose_answer = true;
    (void)ends_sync(ann, ERR_UNREACHABLE);
    lost_destroy();
    lost_restored("old");
    for (int i = 0; i < 4; i++) lost_sync_but(NULL);
    assert_int_equal(ends_count("SELECT count(*) FROM held WHERE case_id = $1 AND state = 'waiting'", c), 1);
    ends_accept(c);
    lost_sync_but(NULL);
    lost_stays_withdrawn(c, part);
}

/* ----------------------------------------------------------------------------------------------- a manager's word */

/* The share is in the backup. Pol asks to end it, which is held; Ann accepts; the school loses the case. */
static void ended_by_a_managers_word(struct ends_case *k, bool told)
{
    ends_case(k);
    lost_sync_but(NULL);
    (void)lost_backup("old");
    if (told) {
        lost_access_with_note(pol, k->c, k->parts[1], "none");
        assert_int_equal(ends_sync(pol, ERR_OK).held, 1);
    } else {
        (void)ends_write(pol, "participant", k->parts[1], "access", "none");
        pol->lose_answer = true;
        (void)ends_sync(pol, ERR_UNREACHABLE);
    }
    ends_accept(k->c);
    (void)ends_sync(sam, ERR_OK);
    assert_false(lost_holds(sam, "case_file", k->c));
    lost_destroy();
    lost_restored("old");
}

static void is_ended(const struct ends_case *k)
{
    assert_int_equal(ends_count("SELECT count(*) FROM participant WHERE id = $1 AND access <> 'none'", k->parts[1]), 0);
    assert_false(lost_holds(sam, "case_file", k->c));
}

static void a_managers_word_follows_where_what_it_accepts_comes_as_new(void **state)
{
    struct ends_case k;
    (void)state;
    ended_by_a_managers_word(&k, false);
    for (int i = 0; i < 4; i++) lost_sync_but(NULL);
    lost_is_done(0);
    is_ended(&k);
}

static void and_where_that_comes_late(void **state)
{
    struct ends_case k;
    (void)state;
    ended_by_a_managers_word(&k, true);
    lost_sync_but(pol);
    lost_released("pol is away");
    for (int i = 0; i < 2; i++) lost_sync_but(pol);
    for (int i = 0; i < 3; i++) (void)ends_sync(pol, ERR_OK);
    lost_continued();
    lost_is_done(0);
    lost_sync_but(NULL);
    is_ended(&k);
}

/* ------------------------------------------------------------------------------------------------ a note, in pieces */

/* The share that let Sam write was Ada's, and burnt with her device. DISASTER.md says who reads of it before. */
static void a_note_that_was_acknowledged_follows_when_its_site_takes_part_again(void **state)
{
    uint8_t c[16], part[16], note[16], again[16];
    (void)state;
    lost_case(c);
    (void)lost_backup("old");
    lost_shares(ada, c, part);
    (void)ends_sync(ada, ERR_OK);
    (void)ends_sync(sam, ERR_OK);
    ends_note(sam, c, note, "open", "what a teacher saw");
    assert_int_equal(ends_sync(sam, ERR_OK).applied, 1);
    (void)ends_sync(ann, ERR_OK);
    lost_destroy();
    lost_restored("old");
    lost_sync_but(ada);
    lost_released("ada's laptop burnt");
    for (int i = 0; i < 3; i++) lost_sync_but(ada);
    assert_false(lost_holds(sam, "case_file", c));
    ends_share(c, again, "school", "");
    for (int i = 0; i < 2; i++) lost_sync_but(ada);
    assert_int_equal(ends_count("SELECT count(*) FROM record WHERE id = $1", note), 1);
    assert_int_equal(ends_count("SELECT count(*) FROM held WHERE case_id = $1 AND state = 'waiting'", c), 0);
    assert_true(lost_holds(sam, "record", note));
}

/* More changes than are carried out at once, of one device that comes late: it shares first, and withdraws last. */
static void what_a_late_device_withdrew_itself_is_shown_to_nobody_in_between(void **state)
{
    uint8_t c[16], part[16], note[16];
    (void)state;
    lost_case(c);
    (void)lost_backup("old");
    lost_shares(ada, c, part);
    (void)ends_sync(ada, ERR_OK);
    for (int i = 0; i < 520; i++) ends_note(ada, c, note, "open", "one of many");
    (void)ends_sync(ada, ERR_OK);
    (void)ends_write(ada, "participant", part, "access", "none");
    (void)ends_sync(ada, ERR_OK);
    lost_destroy();
    lost_restored("old");
    lost_sync_but(ada);
    lost_released("ada's laptop was in the fire");
    for (int i = 0; i < 2; i++) lost_sync_but(ada);
    ada->rounds = sam->rounds = 1; /* one request each */
    (void)ends_sync(ada, ERR_OK);
    (void)ends_sync(sam, ERR_OK);
    (void)ends_sync(ada, ERR_OK);
    (void)ends_sync(sam, ERR_BUSY); /* half of it is carried out */
    ada->rounds = sam->rounds = 0;
    assert_false(lost_holds(sam, "case_file", c));
    for (int i = 0; i < 3; i++) {
        lost_sync_but(NULL);
        assert_false(lost_holds(sam, "case_file", c));
    }
    lost_is_done(0);
    lost_stays_withdrawn(c, part);
}

/* ------------------------------------------------------------------------------------------------ a hostile device */

/* It keeps what the first hub said of a change that the second one never saw, and signs another under that number. */
static void a_note_vouches_for_the_change_that_it_tells_of_and_for_no_other(void **state)
{
    struct ends_case k;
    uint8_t note[16];
    char image[300];
    struct buf told;
    struct stmt *s;
    bool row = false;
    (void)state;
    (void)snprintf(image, sizeof image, "%s", lost_file("image"));
    assert_int_equal(mkdir(image, 0700), 0);
    buf_init(&told, 1u << 20);
    ends_case(&k);
    lost_sync_but(NULL);
    (void)lost_backup("old");
    ends_keep(sam, image);
    ends_note(sam, k.c, note, "open", "harmless");
    assert_int_equal(ends_sync(sam, ERR_OK).applied, 1);
    MUST(db_prepare(node_db(sam->n), "SELECT note FROM n_note ORDER BY request DESC LIMIT 1", &s, &why));
    MUST(db_step(s, &row, &why));
    assert_true(row);
    buf_put_bytes(&told, db_bytes(s, 0));
    db_done(s);
    lost_destroy();
    lost_restored("old");
    ends_put_back(sam, image);
    for (int i = 0; i < 3; i++) lost_sync_but(NULL);
    lost_is_done(0);
    (void)ends_write(sam, "participant", k.parts[0], "access", "none");
    assert_int_equal(ends_sync(sam, ERR_OK).held, 1);
    (void)lost_backup("new");
    lost_destroy();
    ends_hub->now += 1000000;
    lost_restored("new");
    MUST(db_prepare(node_db(sam->n), "INSERT INTO n_note(request, note) VALUES(900, $1)", &s, &why));
    db_bind_blob(s, 1, buf_bytes(&told));
    MUST(db_run(s, &why));
    for (int i = 0; i < 4; i++) lost_sync_but(NULL);
    assert_int_equal(ends_count("SELECT count(*) FROM participant WHERE id = $1 AND access = 'none'", k.parts[0]), 0);
    assert_int_equal(ends_count("SELECT count(*) FROM held WHERE case_id = $1 AND state = 'waiting'", k.c), 1);
    buf_release(&told);
}

#define T(name) cmocka_unit_test_setup_teardown(name, lost_start, lost_stop)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_share_given_again_that_comes_as_new_stays_withdrawn),
        T(and_one_of_which_its_device_has_no_note),
        T(and_one_that_comes_late),
        T(and_one_that_comes_late_and_as_new),
        T(and_where_the_withdrawal_comes_as_new_before_it),
        T(where_the_part_is_not_even_there_yet_a_manager_reads_that_it_was_withdrawn),
        T(a_managers_word_follows_where_what_it_accepts_comes_as_new),
        T(and_where_that_comes_late),
        T(a_note_that_was_acknowledged_follows_when_its_site_takes_part_again),
        T(what_a_late_device_withdrew_itself_is_shown_to_nobody_in_between),
        T(a_note_vouches_for_the_change_that_it_tells_of_and_for_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
