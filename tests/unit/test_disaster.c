/* The hub is lost, and put back from a backup that is a thousand changes old: what its devices keep brings back the
 * rest. */
#include "tests/lib/disaster_world.h"
#include "tests/lib/test_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static uint64_t seed;

static void must_line(enum err e, const struct why *why, const char *what, int line)
{
    if (e != ERR_OK) fail_msg("%s (line %d): %s: %s", what, line, err_word(e), why->text);
}
#define MUST(call) must_line(call, &why, #call, __LINE__)

static unsigned drawn(unsigned below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)((seed >> 33) % below);
}

static void drawn_status(struct ends_node *by, const uint8_t case_id[16])
{
    struct why why = {0};
    uint64_t seq;
    ends_begin(by);
    ends_set(by, "case_file", case_id, "status", value_str(drawn(2) ? "gathering" : "ready"));
    ends_hub->now += 1000;
    MUST(node_edit_commit(by->n, "worked on a case", &seq, &why));
}

/* One drawn change by a drawn device, of a drawn case. */
static void drawn_change(struct ends_case *k, size_t n_cases)
{
    struct ends_node *const all[] = {ann, ada, pol, pat, sam};
    struct ends_node *by = all[drawn(5)];
    struct ends_case *c = &k[drawn((unsigned)n_cases)];
    char text[40];
    uint8_t id[16];
    (void)snprintf(text, sizeof text, "word %u", drawn(1000000));
    if (!lost_holds(by, "person", c->person)) return;
    switch (drawn(4)) {
    case 0: (void)ends_write(by, "person", c->person, drawn(2) ? "family_name" : "given_names", text); break;
    case 1:
        ends_begin(by);
        ends_person(by, c->c, id, text);
        (void)ends_commit(by);
        break;
    case 2: ends_note(by, c->c, id, drawn(3) ? "open" : "sensitive", text); break;
    default: drawn_status(by, c->c); break; /* held, where it is not theirs */
    }
    if (drawn(3) == 0) (void)ends_sync(by, ERR_OK);
}

static void change(struct ends_case *k, size_t n_cases, unsigned envelopes)
{
    int64_t until = fake_hub_int(ends_hub, "SELECT count(*) FROM h_envelope") + envelopes;
    while (fake_hub_int(ends_hub, "SELECT count(*) FROM h_envelope") < until)
        for (unsigned i = 0; i < 20; i++) drawn_change(k, n_cases);
    ends_all_sync();
    ends_all_sync();
}

static void a_hub_that_is_lost_comes_back_from_a_backup_and_its_devices(void **ctx)
{
    struct ends_case k[3];
    (void)ctx;
    seed = 7;
    for (size_t i = 0; i < 3; i++) ends_case(&k[i]);
    change(k, 3, 100);
    struct hub_backup b = lost_backup("old");
    assert_true(b.covered > 100);
    change(k, 3, test_store_is_postgres() ? 150 : 1000); /* each is several journeys to a server there */
    struct lost_state before = lost_state();
    lost_destroy();
    lost_restored("old");
    assert_string_equal(lost_status().state, "gathering");
    assert_int_equal(lost_status().missing, lost_status().devices);
    struct ends_node *const all[] = {ann, ada, pol, pat, sam};
    for (size_t i = 0; i < 5; i++) {
        struct round_result r = ends_sync(all[i], ERR_OK);
        if (i < 4) assert_int_equal(r.rows_in, 0);
    }
    assert_string_equal(lost_status().state, "done");
    assert_int_equal(lost_status().lost, 0);
    assert_int_equal(lost_status().strange, 0);
    struct lost_state after = lost_state();
    assert_memory_equal(after.verdicts, before.verdicts, HASH_BYTES);
    assert_memory_equal(after.content, before.content, HASH_BYTES);
    ends_all_sync();
    for (size_t i = 0; i < 5; i++) ends_same(all[i]);
    struct why why = {0};
    struct log_audit_sum sum;
    MUST(hub_verify(ends_hub->hub, &why));
    MUST(hub_log_verify(ends_hub->hub, &sum, &why));
    change(k, 3, 50); /* and work goes on */
    for (size_t i = 0; i < 5; i++) ends_same(all[i]);
}

static void a_share_that_was_withdrawn_after_the_backup_does_not_come_back_to_life(void **ctx)
{
    uint8_t c[16], part[16], part2[16], note[16], late[16];
    (void)ctx;
    ends_own_case(c, false);
    (void)ends_sync(ann, ERR_OK);
    ends_share(c, part, "school", "");
    ends_note(ann, c, note, "open", "what the school may read for a while");
    (void)ends_sync(ann, ERR_OK);
    (void)ends_sync(sam, ERR_OK);
    assert_true(lost_holds(sam, "record", note));
    (void)lost_backup("old");
    ends_access(part, "none");
    (void)ends_sync(ann, ERR_OK);
    ends_all_sync();
    assert_false(lost_holds(sam, "record", note));
    ends_note(ann, c, late, "open", "what the school never saw");
    ends_share(c, part2, "police", "");
    ends_all_sync();
    assert_true(lost_holds(pol, "record", late));
    lost_destroy();
    lost_restored("old");
    /* Everybody but who withdrew it: nothing is shown. */
    struct ends_node *const others[] = {sam, pol, pat, ada};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(ends_sync(others[i], ERR_OK).rows_in, 0);
        assert_int_equal(ends_sync(others[i], ERR_OK).rows_in, 0);
    }
    assert_false(lost_holds(sam, "record", note));
    assert_int_equal(lost_status().missing, 1);
    (void)ends_sync(ann, ERR_OK);
    assert_string_equal(lost_status().state, "done");
    ends_all_sync();
    ends_all_sync();
    assert_false(lost_holds(sam, "record", note));
    assert_false(lost_holds(sam, "case_file", c));
    assert_true(lost_holds(pol, "record", late));
    ends_same(sam);
    ends_same(pol);
}

static void put_state(const struct ends_node *n, const char *state)
{
    struct stmt *s;
    struct why why = {0};
    MUST(db_prepare(hub_db(ends_hub->hub), "UPDATE h_node SET state = $1 WHERE kid = $2", &s, &why));
    db_bind_str(s, 1, state);
    db_bind_id(s, 2, n->kid);
    MUST(db_run(s, &why));
}

/* The backup is of the hour in which its device was to be approved. */
static void a_device_that_waited_for_approval_in_the_backup_is_waited_for(void **ctx)
{
    uint8_t c[16], part[16], note[16];
    struct why why = {0};
    (void)ctx;
    ends_own_case(c, false);
    (void)ends_sync(ann, ERR_OK);
    ends_share(c, part, "school", "");
    ends_note(ann, c, note, "open", "what the school may read for a while");
    ends_all_sync();
    assert_true(lost_holds(sam, "record", note));
    put_state(ann, "waiting");
    (void)lost_backup("old");
    put_state(ann, "enrolled");
    ends_access(part, "none");
    ends_all_sync();
    assert_false(lost_holds(sam, "record", note));
    lost_destroy();
    lost_restored("old");
    struct ends_node *const others[] = {sam, pol, pat, ada};
    for (size_t i = 0; i < 8; i++) assert_int_equal(ends_sync(others[i % 4], ERR_OK).rows_in, 0);
    assert_false(lost_holds(sam, "record", note));
    assert_int_equal(lost_status().missing, 1);
    (void)ends_sync(ann, ERR_REFUSED); /* in words, and nothing is lost */
    MUST(hub_device_approve(ends_hub->hub, ann->kid, &why));
    (void)ends_sync(ann, ERR_OK);
    assert_string_equal(lost_status().state, "done");
    ends_all_sync();
    ends_all_sync();
    assert_false(lost_holds(sam, "record", note));
    ends_same(sam);
}

static void a_device_that_holds_what_a_lost_share_gave_it_is_told_to_forget_it(void **ctx)
{
    uint8_t c[16], part[16], note[16];
    struct why why = {0};
    bool done = false;
    (void)ctx;
    ends_own_case(c, false);
    ends_note(ann, c, note, "open", "shared after the backup, by a device that burnt too");
    (void)ends_sync(ann, ERR_OK);
    (void)lost_backup("old");
    ends_share(c, part, "school", "");
    (void)ends_sync(sam, ERR_OK);
    assert_true(lost_holds(sam, "record", note));
    lost_destroy();
    lost_restored("old");
    struct ends_node *const here[] = {sam, pol, pat, ada}; /* ann's device is gone */
    for (size_t i = 0; i < 4; i++) (void)ends_sync(here[i], ERR_OK);
    assert_string_equal(lost_status().state, "gathering");
    assert_int_equal(hub_restore_release(ends_hub->hub, "", &why), ERR_USAGE);
    MUST(hub_restore_release(ends_hub->hub, "ann's laptop was in the fire", &why));
    MUST(hub_restore_continue(ends_hub->hub, 10000, &done, &why));
    assert_true(done);
    assert_string_equal(lost_status().state, "open");
    assert_int_equal(hub_restore_release(ends_hub->hub, "again", &why), ERR_NOTFOUND);
    (void)ends_sync(sam, ERR_OK);
    assert_false(lost_holds(sam, "record", note));
    assert_int_equal(lost_status().strange, 1); /* the part that the lost device made, at the school */
    /* It was not in the fire: what it returns is carried out then, under its old verdict. */
    (void)ends_sync(ann, ERR_OK);
    (void)ends_sync(ann, ERR_OK);
    assert_string_equal(lost_status().state, "done");
    (void)ends_sync(sam, ERR_OK);
    assert_true(lost_holds(sam, "record", note));
    ends_same(sam);
    ends_same(ann);
}

static void work_that_was_not_sent_waits_on_its_device_and_is_judged_when_the_hub_opens(void **ctx)
{
    struct ends_case k;
    (void)ctx;
    ends_case(&k);
    (void)lost_backup("old");
    (void)ends_write(pol, "person", k.person, "family_name", "Sent");
    (void)ends_sync(pol, ERR_OK);
    (void)ends_write(pol, "person", k.person, "given_names", "Unsent");
    lost_destroy();
    lost_restored("old");
    struct round_result r = ends_sync(pol, ERR_OK);
    assert_int_equal(r.applied, 0);
    ends_shows(pol, "person", k.person, "given_names", "Unsent");
    (void)ends_write(pol, "person", k.person, "sex", "f"); /* and written meanwhile */
    (void)ends_sync(pol, ERR_OK);
    struct ends_node *const others[] = {ann, ada, pat, sam};
    for (size_t i = 0; i < 4; i++) (void)ends_sync(others[i], ERR_OK);
    r = ends_sync(pol, ERR_OK);
    assert_int_equal(r.applied, 3); /* the first is told again */
    ends_all_sync();
    ends_shows(sam, "person", k.person, "family_name", "Sent");
    ends_shows(sam, "person", k.person, "given_names", "Unsent");
    ends_shows(sam, "person", k.person, "sex", "f");
    ends_same(pol);
    ends_same(sam);
}

static void a_newer_backup_lets_devices_go_of_what_it_has_and_an_older_one_says_what_is_lost(void **ctx)
{
    struct ends_case k;
    (void)ctx;
    ends_case(&k);
    (void)lost_backup("old");
    (void)ends_write(pol, "person", k.person, "family_name", "Between");
    (void)ends_sync(pol, ERR_OK);
    (void)lost_backup("new");
    (void)ends_sync(pol, ERR_OK);
    lost_destroy();
    lost_restored("old");
    ends_all_sync();
    ends_all_sync();
    assert_string_equal(lost_status().state, "done");
    assert_int_equal(lost_status().lost, 1);
    lost_destroy();
    ends_hub->now += 60000;
    lost_restored("new"); /* after all: it has it, and is a later epoch */
    ends_all_sync();
    ends_all_sync();
    assert_string_equal(lost_status().state, "done");
    assert_int_equal(lost_status().lost, 0);
    ends_shows(sam, "person", k.person, "family_name", "Between");
}

static void a_device_that_is_revoked_is_waited_for_no_longer(void **ctx)
{
    struct ends_case k;
    struct why why = {0};
    (void)ctx;
    ends_case(&k);
    (void)lost_backup("old");
    lost_destroy();
    lost_restored("old");
    struct ends_node *const here[] = {ann, ada, pol, pat};
    for (size_t i = 0; i < 4; i++) (void)ends_sync(here[i], ERR_OK);
    assert_string_equal(lost_status().state, "gathering");
    MUST(hub_revoke(ends_hub->hub, sam->kid, "burnt with the school", &why));
    (void)ends_sync(ann, ERR_OK);
    assert_string_equal(lost_status().state, "done");
    ends_same(ann);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_hub_that_is_lost_comes_back_from_a_backup_and_its_devices, lost_start,
                                        lost_stop),
        cmocka_unit_test_setup_teardown(a_share_that_was_withdrawn_after_the_backup_does_not_come_back_to_life,
                                        lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(a_device_that_waited_for_approval_in_the_backup_is_waited_for, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(a_device_that_holds_what_a_lost_share_gave_it_is_told_to_forget_it, lost_start,
                                        lost_stop),
        cmocka_unit_test_setup_teardown(work_that_was_not_sent_waits_on_its_device_and_is_judged_when_the_hub_opens,
                                        lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(
            a_newer_backup_lets_devices_go_of_what_it_has_and_an_older_one_says_what_is_lost, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(a_device_that_is_revoked_is_waited_for_no_longer, lost_start, lost_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
