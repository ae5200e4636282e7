/* What an agency wrote and what it was told stays with it when its part in a case is over; and what it wrote before it
 * could know of that is taken in. On real devices; the school's part ends. */
#include "tests/lib/ends_scan.h"
#include "tests/lib/ends_share.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct row new_row(struct ends_node *n, const char *table, const uint8_t case_id[16], uint8_t id[16])
{
    env_new_id(&ends_hub->env, id);
    return ends_row(n, table, id, case_id);
}

static void end_part(const struct ends_case *k)
{
    (void)ends_sync(ann, ERR_OK);
    ends_begin(ann);
    ends_set(ann, "participant", k->parts[1], "access", value_str("none"));
    ends_send(ann);
}

static void give_part_back(const struct ends_case *k)
{
    (void)ends_sync(ann, ERR_OK);
    ends_begin(ann);
    ends_set(ann, "participant", k->parts[1], "access", value_str("contribute"));
    ends_send(ann);
}

/* Only named sites take part from now on: the room and the police. */
static void restrict_it(const struct ends_case *k)
{
    static const char *const who[][2] = {{"care", "care-mash"}, {"police", "police-hq"}};
    uint8_t id[16];
    (void)ends_sync(ann, ERR_OK);
    ends_begin(ann);
    ends_set(ann, "case_file", k->c, "restricted", value_int(1));
    for (size_t i = 0; i < 2; i++) {
        struct row r = new_row(ann, "participant", k->c, id);
        ends_text(&r, "member", who[i][0]);
        ends_text(&r, "site", who[i][1]);
        ends_text(&r, "access", "contribute");
        ends_put(ann, &r);
    }
    ends_send(ann);
}

/* --------------------------------------------------------------------------------------------- late but honest work */

static void a_note_written_while_away_is_taken_in_though_the_case_was_lost_meanwhile(void **state)
{
    struct ends_case k;
    uint8_t id[16];
    (void)state;
    ends_case(&k);
    ends_note(sam, k.c, id, "open", "seen with a bruise");
    end_part(&k);
    struct round_result r = ends_sync(sam, ERR_OK);
    assert_int_equal(r.applied, 1);
    assert_int_equal(r.held, 0);
    assert_true(ends_has(sam, "record", id));
    assert_false(ends_has(sam, "person", k.person));
    ends_same(sam);
    ends_all_sync();
    assert_true(ends_has(pol, "record", id));
    assert_true(ends_has(ann, "record", id));
    ends_same(ann);
    ends_is_quiet(sam);
}

static void where_the_case_is_shut_the_note_goes_from_its_author_and_not_from_the_case(void **state)
{
    struct ends_case k;
    uint8_t id[16];
    (void)state;
    ends_case(&k);
    ends_note(sam, k.c, id, "open", "seen with a bruise");
    restrict_it(&k);
    assert_int_equal(ends_sync(sam, ERR_OK).applied, 1);
    assert_false(ends_has(sam, "record", id));
    assert_false(ends_has(sam, "case_file", k.c));
    ends_same(sam);
    ends_all_sync();
    assert_true(ends_has(pol, "record", id));
    assert_int_equal(ends_count("SELECT count(*) FROM h_drop d JOIN h_row r ON r.no = d.row_no WHERE r.id = $1 AND "
                                "d.receipt_at IS NOT NULL",
                                id),
                     1); /* and the device has said that it is gone */
}

/* Written while a request was under way, whose answer took the case: it names the cut from before. */
static void a_note_written_while_the_answer_was_on_its_way_is_taken_in(void **state)
{
    struct ends_case k;
    struct buf request;
    uint8_t id[16];
    (void)state;
    ends_case(&k);
    buf_init(&request, 1u << 20);
    ends_export(sam, &request);
    ends_note(sam, k.c, id, "open", "seen with a bruise");
    end_part(&k);
    assert_true(ends_import(sam, buf_bytes(&request)).rows_dropped > 0);
    assert_int_equal(ends_sync(sam, ERR_OK).applied, 1);
    ends_same(sam);
    ends_all_sync();
    assert_true(ends_has(pol, "record", id));
    buf_release(&request);
}

/* More than two requests carry: what comes in the last was written upon the same cut, and is as honest. */
static void notes_that_need_several_requests_are_all_taken_in(void **state)
{
    enum { NOTES = 10 };
    struct ends_case k;
    uint8_t id[NOTES][16];
    char *body = malloc(1000001);
    (void)state;
    assert_non_null(body);
    ends_case(&k);
    for (size_t i = 0; i < NOTES; i++) {
        uint64_t x = i + 1;
        for (size_t c = 0; c < 1000000; c++) /* which no compression makes small */
            body[c] = (char)('0' + ((x = x * 6364136223846793005u + 1442695040888963407u) >> 33) % 64);
        body[1000000] = '\0';
        ends_note(sam, k.c, id[i], "open", body);
    }
    free(body);
    end_part(&k);
    struct round_result r = ends_sync(sam, ERR_OK);
    assert_true(r.rounds > 1);
    assert_int_equal(r.applied, NOTES);
    ends_same(sam);
    ends_all_sync();
    for (size_t i = 0; i < NOTES; i++) assert_true(ends_has(pol, "record", id[i]));
}

static void a_correction_from_then_waits_for_a_manager_and_is_not_lost(void **state)
{
    struct ends_case k;
    uint8_t id[16];
    (void)state;
    ends_case(&k);
    ends_note(sam, k.c, id, "open", "seen with a bruise");
    (void)ends_write(sam, "person", k.person, "family_name", "Smythe");
    end_part(&k);
    struct round_result r = ends_sync(sam, ERR_OK);
    assert_int_equal(r.applied, 1);
    assert_int_equal(r.held, 1);
    ends_same(sam);
    ends_accept(k.c);
    ends_shows(ann, "person", k.person, "family_name", "Smythe");
}

/* ------------------------------------------------------------------------------------------------ own content stays */

struct own {
    struct ends_case k;
    uint8_t note[16], theirs[16], request[16], release[16], feedback[16];
};

static void make(struct own *o)
{
    ends_case(&o->k);
    ends_note(sam, o->k.c, o->note, "open", "seen with a bruise");
    assert_int_equal(ends_sync(sam, ERR_OK).applied, 1);
    ends_note(pol, o->k.c, o->theirs, "open", "called twice");
    assert_int_equal(ends_sync(pol, ERR_OK).applied, 1);
    ends_begin(ann);
    struct row r = new_row(ann, "request", o->k.c, o->request);
    ends_text(&r, "to_agency", "school");
    ends_text(&r, "question", "Is she in class?");
    ends_text(&r, "state", "open");
    ends_put(ann, &r);
    r = new_row(ann, "feedback", o->k.c, o->feedback);
    ends_text(&r, "to_agency", "school");
    ends_text(&r, "body", "She is safe");
    ends_put(ann, &r);
    ends_send(ann);
    ends_begin(pol);
    r = new_row(pol, "release", o->k.c, o->release);
    ends_text(&r, "to_agency", "school");
    ends_text(&r, "state", "granted");
    ends_text(&r, "how", "redacted");
    ends_text(&r, "body", "Do not let him collect her");
    ends_value(&r, "decided_by", value_id(pol->user));
    ends_put(pol, &r);
    ends_send(pol);
    (void)ends_sync(sam, ERR_OK);
}

static void has_its_own_and_no_more(struct ends_node *n, const struct own *o)
{
    (void)ends_sync(n, ERR_OK);
    assert_true(ends_has(n, "record", o->note));
    assert_true(ends_has(n, "request", o->request));
    assert_true(ends_has(n, "release", o->release));
    assert_true(ends_has(n, "feedback", o->feedback));
    assert_true(ends_has(n, "participant", o->k.parts[1]));
    assert_false(ends_has(n, "case_file", o->k.c));
    assert_false(ends_has(n, "person", o->k.person));
    assert_false(ends_has(n, "record", o->theirs));
    assert_false(ends_has(n, "participant", o->k.parts[0]));
    ends_same(n);
}

static void what_an_agency_wrote_and_was_told_stays_when_its_part_is_over(void **state)
{
    struct own o;
    (void)state;
    make(&o);
    assert_true(ends_has(sam, "record", o.theirs));
    end_part(&o.k);
    has_its_own_and_no_more(sam, &o);
    /* What it was told it may still acknowledge; what it wrote it may not change: the case goes on without it. */
    ends_begin(sam);
    ends_set(sam, "feedback", o.feedback, "ack_by", value_id(sam->user));
    ends_send(sam);
    give_part_back(&o.k);
    (void)ends_sync(sam, ERR_OK);
    assert_true(ends_has(sam, "person", o.k.person));
    ends_same(sam);
}

static void a_device_of_the_area_that_is_enrolled_later_has_them_too(void **state)
{
    static const char *const north[] = {"north"}, *const south[] = {"south"};
    const struct hub_site later = {"school-2", "school", "School 2", "partner", NULL, north, 1};
    const struct hub_site away = {"school-3", "school", "School 3", "partner", NULL, south, 1};
    struct why why = {0};
    struct own o;
    (void)state;
    make(&o);
    end_part(&o.k);
    struct ends_node *same = ends_device("school-1", "school", "Sue");
    has_its_own_and_no_more(same, &o);
    assert_int_equal(hub_add_site(ends_hub->hub, &later, &why), ERR_OK);
    assert_int_equal(hub_add_site(ends_hub->hub, &away, &why), ERR_OK);
    struct ends_node *site = ends_device("school-2", "school", "Sid"), *far = ends_device("school-3", "school", "Sal");
    has_its_own_and_no_more(site, &o);
    (void)ends_sync(far, ERR_OK);
    assert_false(ends_has(far, "record", o.note));
    ends_same(far);
    ends_gone(same);
    ends_gone(site);
    ends_gone(far);
}

static void a_restricted_case_takes_them_from_who_is_not_named_any_more(void **state)
{
    struct own o;
    (void)state;
    make(&o);
    end_part(&o.k);
    has_its_own_and_no_more(sam, &o);
    restrict_it(&o.k);
    (void)ends_sync(sam, ERR_OK);
    assert_false(ends_has(sam, "record", o.note));
    assert_false(ends_has(sam, "request", o.request));
    assert_false(ends_has(sam, "release", o.release));
    assert_false(ends_has(sam, "feedback", o.feedback));
    assert_false(ends_has(sam, "participant", o.k.parts[1]));
    ends_same(sam);
    ends_all_sync();
    assert_true(ends_has(pol, "record", o.note)); /* with the case it stays */
}

static void a_named_site_has_them_only_while_it_is_named(void **state)
{
    struct own o;
    uint8_t part[16];
    (void)state;
    make(&o);
    restrict_it(&o.k);
    (void)ends_sync(ann, ERR_OK);
    ends_begin(ann);
    struct row r = new_row(ann, "participant", o.k.c, part);
    ends_text(&r, "member", "school");
    ends_text(&r, "site", "school-1");
    ends_text(&r, "access", "check");
    ends_put(ann, &r);
    ends_send(ann);
    (void)ends_sync(sam, ERR_OK);
    assert_true(ends_has(sam, "record", o.note));
    assert_true(ends_has(sam, "release", o.release));
    assert_true(ends_has(sam, "person", o.k.person));
    assert_false(ends_has(sam, "record", o.theirs));
    ends_same(sam);
    ends_begin(ann);
    ends_set(ann, "participant", part, "access", value_str("none"));
    ends_send(ann);
    (void)ends_sync(sam, ERR_OK);
    assert_false(ends_has(sam, "record", o.note));
    assert_false(ends_has(sam, "release", o.release));
    ends_same(sam);
}

static void what_was_told_by_mistake_or_for_a_time_goes_all_the_same(void **state)
{
    struct own o;
    (void)state;
    make(&o);
    end_part(&o.k);
    has_its_own_and_no_more(sam, &o);
    (void)ends_sync(pol, ERR_OK);
    ends_begin(pol);
    ends_set(pol, "release", o.release, "expires_at", value_int(ends_hub->now + 600000));
    ends_send(pol);
    has_its_own_and_no_more(sam, &o);
    ends_hub->now += 700000;
    (void)ends_sync(sam, ERR_OK);
    assert_false(ends_has(sam, "release", o.release));
    ends_begin(ann);
    ends_set(ann, "feedback", o.feedback, "voided_at", value_int(ends_hub->now));
    ends_send(ann);
    (void)ends_sync(sam, ERR_OK);
    assert_false(ends_has(sam, "feedback", o.feedback));
    assert_true(ends_has(sam, "record", o.note));
    ends_same(sam);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_note_written_while_away_is_taken_in_though_the_case_was_lost_meanwhile),
        cmocka_unit_test(where_the_case_is_shut_the_note_goes_from_its_author_and_not_from_the_case),
        cmocka_unit_test(a_note_written_while_the_answer_was_on_its_way_is_taken_in),
        cmocka_unit_test(notes_that_need_several_requests_are_all_taken_in),
        cmocka_unit_test(a_correction_from_then_waits_for_a_manager_and_is_not_lost),
        cmocka_unit_test(what_an_agency_wrote_and_was_told_stays_when_its_part_is_over),
        cmocka_unit_test(a_device_of_the_area_that_is_enrolled_later_has_them_too),
        cmocka_unit_test(a_restricted_case_takes_them_from_who_is_not_named_any_more),
        cmocka_unit_test(a_named_site_has_them_only_while_it_is_named),
        cmocka_unit_test(what_was_told_by_mistake_or_for_a_time_goes_all_the_same),
    };
    return cmocka_run_group_tests(tests, ends_start, ends_stop);
}
