/* What a device wrote is not sent back (test_no_echo.c): where rows come and go meanwhile, pages come in series,
 * answers get lost, and devices are put back, revoked or waiting. */
#include "tests/lib/two_ends_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct round_result got(struct ends_node *n)
{
    struct round_result r = ends_sync(n, ERR_OK);
    ends_same(n);
    return r;
}

/* The police lose the case and get it back. */
static void lose_and_regain(const struct ends_case *k)
{
    (void)ends_sync(ann, ERR_OK);
    (void)ends_write(ann, "participant", k->parts[0], "access", "none");
    ends_round(ann, 1, 0);
    (void)ends_write(ann, "participant", k->parts[0], "access", "contribute");
    ends_round(ann, 1, 0);
}

static void a_row_taken_away_and_given_back_comes_whole_with_what_its_author_wrote(void **state)
{
    struct ends_case k;
    uint8_t made[16];
    (void)state;
    ends_case(&k);
    (void)ends_write(pol, "person", k.person, "family_name", "Of Pol");
    ends_begin(pol);
    ends_person(pol, k.c, made, "Made");
    (void)ends_commit(pol);
    ends_round(pol, 2, 0);
    lose_and_regain(&k);
    struct round_result r = got(pol);
    assert_true(r.rows_dropped >= 2);
    assert_true(r.rows_in >= r.rows_dropped);
    ends_shows(pol, "person", k.person, "family_name", "Of Pol");
    ends_shows(pol, "person", made, "family_name", "Made");
}

/* The order to forget takes the unsent edit from the screen; the envelope is sent and applied all the same. */
static void an_edit_of_a_row_that_was_away_before_it_was_sent_comes_back(void **state)
{
    struct ends_case k;
    struct buf request;
    (void)state;
    ends_case(&k);
    buf_init(&request, 1u << 20);
    ends_export(pol, &request);
    (void)ends_write(pol, "person", k.person, "family_name", "Of Pol"); /* not in that request */
    lose_and_regain(&k);
    assert_true(ends_import(pol, buf_bytes(&request)).rows_dropped >= 1);
    ends_shows(pol, "person", k.person, "family_name", "Smith");
    struct round_result r = got(pol);
    assert_int_equal(r.applied, 1);
    assert_int_equal(r.rows_in, 1);
    ends_shows(pol, "person", k.person, "family_name", "Of Pol");
    buf_release(&request);
}

/* The other way round: the row is away and back before the edit is judged, and the device hears of it all at once. */
static void an_edit_sent_after_its_row_was_away_unnoticed_comes_whole(void **state)
{
    struct ends_case k;
    (void)state;
    ends_case(&k);
    (void)ends_write(pol, "person", k.person, "family_name", "Of Pol");
    lose_and_regain(&k);
    struct round_result r = got(pol);
    assert_int_equal(r.applied, 1);
    assert_true(r.rows_dropped >= 1);
    ends_shows(pol, "person", k.person, "family_name", "Of Pol");
    ends_is_quiet(pol);
}

static void an_edit_that_moves_a_row_between_channels_is_not_sent_back_to_who_still_sees_it(void **state)
{
    struct ends_case k;
    uint8_t id[16];
    (void)state;
    ends_case(&k);
    env_new_id(&ends_hub->env, id);
    ends_begin(pol);
    struct row r = ends_row(pol, "record", id, k.c);
    ends_text(&r, "sensitivity", "open");
    ends_text(&r, "body", "seen at school");
    ends_put(pol, &r);
    (void)ends_commit(pol);
    ends_round(pol, 1, 0);
    ends_round(sam, 0, 1);
    (void)ends_write(pol, "record", id, "sensitivity", "restricted"); /* the police alone */
    ends_round(pol, 1, 0);
    assert_int_equal(got(sam).rows_dropped, 1);
    (void)ends_write(pol, "record", id, "sensitivity", "open");
    ends_round(pol, 1, 0);
    ends_round(sam, 0, 1); /* whole again */
    (void)got(pat);
    ends_is_quiet(pol);
}

/* A device whose own word takes the case from its own site, and gets it back from others. */
static void an_edit_that_costs_its_author_the_row_is_followed_by_the_whole_row(void **state)
{
    struct ends_case k;
    struct why why = {0};
    (void)state;
    ends_case(&k);
    assert_int_equal(hub_add_duty(ends_hub->hub, sam->user, "north", "social_care", &why), ERR_OK);
    (void)got(sam);
    ends_begin(sam);
    ends_set(sam, "person", k.person, "given_names", value_str("Last word"));
    ends_set(sam, "participant", k.parts[1], "access", value_str("none"));
    (void)ends_commit(sam);
    struct round_result r = got(sam);
    assert_int_equal(r.applied, 1);
    assert_true(r.rows_dropped >= 2);
    (void)ends_sync(ann, ERR_OK);
    (void)ends_write(ann, "participant", k.parts[1], "access", "contribute");
    ends_round(ann, 1, 0);
    assert_true(got(sam).rows_in >= 2);
    ends_shows(sam, "person", k.person, "given_names", "Last word");
}

/* ------------------------------------------------------------------------------------------------ pages and cuts */

static void edits_between_the_pages_of_a_series_end_as_the_hub_has_them(void **state)
{
    struct ends_case k;
    struct ends_node *fresh;
    uint8_t made[16];
    char name[32];
    unsigned edits = 0, empty = 0;
    (void)state;
    ends_case(&k);
    for (int i = 0; i < 30; i++) {
        ends_begin(ann);
        ends_person(ann, k.c, made, "One of many, so that they do not fit into one page");
        (void)ends_commit(ann);
    }
    (void)got(ann);
    fresh = ends_device("police-hq", "police", "Pia");
    fresh->budget = 600;
    fresh->rounds = 1;
    for (int i = 0; i < 400 && empty < 3; i++) {
        struct round_result r = ends_sync(fresh, ERR_OK);
        struct why why = {0};
        struct verify_result v;
        assert_int_equal(node_verify(fresh->n, &v, &why), ERR_OK);
        empty = r.rows_in == 0 && r.sent == 0 ? empty + 1 : 0;
        (void)snprintf(name, sizeof name, "Edit %d", i);
        if (i % 3 == 0 && i < 90 && node_edit_begin(fresh->n, &why) == ERR_OK) {
            struct buf store;
            struct row row;
            bool found = false;
            buf_init(&store, 1u << 20);
            int person = rules_table_index(bytes_of_str("person"));
            assert_int_equal(
                db_row_get(node_db(fresh->n), rules_table((size_t)person), k.person, &store, &row, &found, &why),
                ERR_OK);
            buf_release(&store);
            node_edit_cancel(fresh->n);
            if (!found) continue;
            (void)ends_write(fresh, "person", k.person, "given_names", name);
            ends_begin(fresh);
            ends_person(fresh, k.c, made, name);
            (void)ends_commit(fresh);
            edits += 2;
            empty = 0;
        }
        if (i % 5 == 0 && i < 90) {
            (void)ends_write(ann, "person", k.person, "family_name", name);
            (void)ends_sync(ann, ERR_OK);
        }
    }
    assert_int_equal(empty, 3);
    assert_true(edits >= 10);
    ends_same(fresh);
    fresh->rounds = 0;
    ends_is_quiet(fresh);
    ends_gone(fresh);
}

static bool has_case(struct ends_node *n, const uint8_t id[16])
{
    struct why why = {0};
    struct stmt *s;
    bool row = false;
    assert_int_equal(db_prepare(node_db(n->n), "SELECT 1 FROM case_file WHERE id = $1", &s, &why), ERR_OK);
    db_bind_id(s, 1, id);
    assert_int_equal(db_step(s, &row, &why), ERR_OK);
    db_done(s);
    return row;
}

/* Where only parts in force count: a site whose part is over loses also what it wrote. */
static void restricted_case(struct ends_case *k)
{
    static const char *const who[][2] = {{"police", "police-hq"}, {"care", "care-mash"}};
    ends_all_sync();
    env_new_id(&ends_hub->env, k->c);
    ends_begin(ann);
    struct row file = ends_row(ann, "case_file", k->c, k->c);
    ends_text(&file, "area", "north");
    ends_text(&file, "lead_agency", "care");
    file.v[rules_column_index(file.table, bytes_of_str("restricted"))] = value_int(1);
    ends_put(ann, &file);
    for (size_t i = 0; i < 2; i++) {
        env_new_id(&ends_hub->env, k->parts[i]);
        struct row part = ends_row(ann, "participant", k->parts[i], k->c);
        ends_text(&part, "member", who[i][0]);
        ends_text(&part, "site", who[i][1]);
        ends_text(&part, "access", "contribute");
        ends_put(ann, &part);
    }
    ends_person(ann, k->c, k->person, "Smith");
    (void)ends_commit(ann);
    ends_round(ann, 1, 0);
}

/* In the middle of a series the cut is older than the row: that the device made it does not mean that it has it
 * still. */
static void a_new_row_that_was_away_during_a_series_of_pages_comes_back_whole(void **state)
{
    struct ends_case k;
    uint8_t made[16];
    (void)state;
    restricted_case(&k);
    for (int i = 0; i < 30; i++) {
        ends_begin(ann);
        ends_person(ann, k.c, made, "One of many, so that they do not fit into one page");
        (void)ends_commit(ann);
    }
    (void)got(ann);
    struct ends_node *fresh = ends_device("police-hq", "police", "Pam");
    fresh->budget = 600;
    fresh->rounds = 1;
    for (int i = 0; i < 200 && !has_case(fresh, k.c); i++) (void)ends_sync(fresh, ERR_OK);
    ends_begin(fresh);
    ends_person(fresh, k.c, made, "Made");
    (void)ends_commit(fresh);
    assert_int_equal(ends_sync(fresh, ERR_OK).applied, 1);
    lose_and_regain(&k);
    fresh->rounds = 0;
    assert_true(got(fresh).rows_dropped > 0);
    ends_shows(fresh, "person", made, "family_name", "Made");
    ends_gone(fresh);
}

static void own_work_wakes_no_request_that_waits_at_the_hub(void **state)
{
    struct ends_case k;
    (void)state;
    ends_case(&k);
    (void)ends_write(pol, "person", k.person, "family_name", "Of Pol");
    ends_round(pol, 1, 0);
    ends_is_quiet(pol); /* asked with a wait: it waited */
    ends_is_quiet(pol);
    (void)ends_write(sam, "person", k.person, "family_name", "Of Sam");
    (void)got(sam);
    struct round_result r = ends_sync(pol, ERR_OK);
    assert_true(r.rows_in > 0);
    assert_false(pol->parked); /* for others' work it does not wait */
    ends_same(pol);
}

/* ---------------------------------------------------------------------------------------- answers, copies, ends */

static void an_answer_that_was_lost_acknowledges_when_it_is_given_again(void **state)
{
    struct ends_case k;
    (void)state;
    ends_case(&k);
    (void)ends_write(pol, "person", k.person, "family_name", "Of Pol");
    pol->lose_answer = true;
    (void)ends_sync(pol, ERR_UNREACHABLE);
    (void)got(sam);
    (void)ends_write(sam, "person", k.person, "family_name", "Of Sam"); /* upon Pol's, which was applied */
    ends_round(sam, 1, 0);
    (void)ends_write(pol, "person", k.person, "given_names", "Meanwhile");
    struct round_result r = got(pol);
    assert_int_equal(r.applied, 2);
    assert_int_equal(r.rows_in, 1); /* Sam's word alone */
    ends_shows(pol, "person", k.person, "family_name", "Of Sam");
    ends_shows(pol, "person", k.person, "given_names", "Meanwhile");
}

static void a_device_put_back_and_enrolled_anew_gets_what_it_once_wrote(void **state)
{
    struct ends_node *old = ends_device("police-hq", "police", "Per");
    struct ends_case k;
    char copy[] = "/tmp/spoke-copy-XXXXXX";
    (void)state;
    ends_case(&k);
    (void)got(old);
    assert_non_null(mkdtemp(copy));
    ends_keep(old, copy);
    (void)ends_write(old, "person", k.person, "family_name", "Of Per");
    ends_round(old, 1, 0);
    ends_put_back(old, copy);
    ends_shows(old, "person", k.person, "family_name", "Smith");
    (void)ends_sync(old, ERR_REFUSED);
    struct ends_node *anew = ends_device("police-hq", "police", "Per");
    assert_true(got(anew).rows_in > 0);
    ends_shows(anew, "person", k.person, "family_name", "Of Per");
    ends_gone(anew);
    ends_gone(old);
    struct ends_node rest = {0}; /* its folder is the copy's */
    (void)snprintf(rest.dir, sizeof rest.dir, "%s", copy);
    ends_release(&rest);
}

static void a_revoked_device_shows_nothing_of_what_it_wrote_too_late(void **state)
{
    struct ends_node *gone = ends_device("police-hq", "police", "Pip");
    struct ends_case k;
    struct why why = {0};
    (void)state;
    ends_case(&k);
    (void)got(gone);
    (void)ends_write(gone, "person", k.person, "family_name", "In time");
    ends_round(gone, 1, 0);
    (void)ends_write(gone, "person", k.person, "family_name", "Too late");
    assert_int_equal(hub_revoke(ends_hub->hub, gone->kid, "lost on a train", &why), ERR_OK);
    struct round_result r = ends_sync(gone, ERR_REFUSED);
    assert_true(r.revoked);
    assert_int_equal(r.held, 1);
    assert_int_equal(r.rows_in, 0);
    ends_shows(gone, "person", k.person, "family_name", "In time");
    (void)got(pol);
    ends_shows(pol, "person", k.person, "family_name", "In time");
    ends_gone(gone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_taken_away_and_given_back_comes_whole_with_what_its_author_wrote),
        cmocka_unit_test(an_edit_of_a_row_that_was_away_before_it_was_sent_comes_back),
        cmocka_unit_test(an_edit_sent_after_its_row_was_away_unnoticed_comes_whole),
        cmocka_unit_test(an_edit_that_moves_a_row_between_channels_is_not_sent_back_to_who_still_sees_it),
        cmocka_unit_test(an_edit_that_costs_its_author_the_row_is_followed_by_the_whole_row),
        cmocka_unit_test(edits_between_the_pages_of_a_series_end_as_the_hub_has_them),
        cmocka_unit_test(a_new_row_that_was_away_during_a_series_of_pages_comes_back_whole),
        cmocka_unit_test(own_work_wakes_no_request_that_waits_at_the_hub),
        cmocka_unit_test(an_answer_that_was_lost_acknowledges_when_it_is_given_again),
        cmocka_unit_test(a_device_put_back_and_enrolled_anew_gets_what_it_once_wrote),
        cmocka_unit_test(a_revoked_device_shows_nothing_of_what_it_wrote_too_late),
    };
    return cmocka_run_group_tests(tests, ends_start, ends_stop);
}
