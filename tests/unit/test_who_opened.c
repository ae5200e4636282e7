/* Who opened a record, as its owner is told: whatever the device's clock said, and on whatever page its text stood. */
#include "node/act_case.h"
#include "node/internal.h"
#include "node/look.h"
#include "tests/lib/ends_ask.h"
#include "tests/lib/work_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HOUR INT64_C(3600000)

static void sensitive_record(struct ends_node *n, const struct ends_case *k, uint8_t id[16])
{
    const struct act_record r = {.case_id = k->c,
                                 .kind = "visit",
                                 .title = "Seen",
                                 .body = bytes_of_str("A bruise"),
                                 .sensitivity = "sensitive"};
    enum act_sight sight;
    if (act_record_add(n->n, &r, id, &sight, &work_why) != ERR_OK) fail_msg("%s", work_why.text);
}

static void chronology(struct ends_node *n, const struct ends_case *k)
{
    const struct look_chronology ask = {.case_id = k->c};
    struct json *got = NULL;
    if (look_chronology(n->n, &ask, &got, &work_why) != ERR_OK) fail_msg("%s", work_why.text);
    json_free(got);
}

/* The owner asks; a look of this name at this time is in the answer, or none is. */
static void opened(struct ends_node *owner, const uint8_t id[16], const char *name, int64_t at, bool want)
{
    char line[128];
    struct node_question q = ends_question(QUESTION_WHO_SAW, "record", id);
    struct ends_reply r = ends_ask(owner, &q);
    (void)snprintf(line, sizeof line, "look|care-mash|%s|%lld", name, (long long)at);
    if (ends_says(&r, line) != want) fail_msg("%s: %s", want ? "not told" : "told", line);
    ends_reply_release(&r);
}

static void a_look_by_a_clock_that_is_behind_is_told_too(void **state)
{
    struct ends_case k;
    uint8_t id[16];
    (void)state;
    work_case(&k);
    sensitive_record(pol, &k, id);
    (void)ends_sync(pol, ERR_OK);
    (void)ends_sync(ann, ERR_OK);
    const int64_t right = ann->f->now;
    ann->f->now = right - 5 * HOUR;
    chronology(ann, &k);
    ann->f->now = right;
    (void)ends_sync(ann, ERR_OK);
    opened(pol, id, "Ann", right - 5 * HOUR, true);
}

/* A change of the school's that the hub holds, because it touches what the school does not lead, and with it a
 * record. */
static void held_record(struct ends_case *k, uint8_t id[16], bool open)
{
    struct row r = {.table = rules_table((size_t)rules_table_index(bytes_of_str("record")))};
    work_case(k);
    env_new_id(sam->n->env, id);
    for (size_t i = 0; i < r.table->n_columns; i++) r.v[i] = value_null();
    r.v[0] = value_id(id);
    r.v[1] = value_id(k->c);
    r.v[2] = value_str("school");
    ends_text(&r, "title", "Seen");
    ends_text(&r, "body", "A bruise");
    ends_text(&r, "sensitivity", open ? "open" : "sensitive");
    ends_begin(sam);
    ends_put(sam, &r);
    ends_set(sam, "case_file", k->c, "status", value_str("ready"));
    (void)ends_commit(sam);
    assert_int_equal(ends_sync(sam, ERR_OK).held, 1);
    (void)ends_sync(ann, ERR_OK);
}

static const char looks[] = "SELECT count(*) FROM n_view WHERE id = $1";

static void reading_it_among_what_is_not_accepted_yet_is_a_look(void **state)
{
    struct ends_case k;
    uint8_t id[16];
    struct json *got = NULL;
    (void)state;
    held_record(&k, id, false);
    const int64_t at = ann->f->now;
    assert_int_equal(look_held(ann->n, false, &got, &work_why), ERR_OK);
    assert_int_not_equal(json_len(json_get(got, "held")), 0);
    json_free(got);
    work_says(ann, looks, id, "1");
    (void)ends_sync(ann, ERR_OK);
    ends_hub->now += HOUR;
    ends_accept(k.c);
    (void)ends_sync(sam, ERR_OK);
    opened(sam, id, "Ann", at, true);
}

static void the_page_of_the_case_shows_it_too(void **state)
{
    struct ends_case k;
    uint8_t id[16];
    struct json *got = NULL;
    (void)state;
    held_record(&k, id, false);
    work_says(ann, looks, id, "0");
    for (int i = 0; i < 2; i++) { /* in the same hour it is one look */
        assert_int_equal(look_case(ann->n, k.c, &got, &work_why), ERR_OK);
        json_free(got);
        work_says(ann, looks, id, "1");
    }
    held_record(&k, id, true);
    assert_int_equal(look_case(ann->n, k.c, &got, &work_why), ERR_OK);
    json_free(got);
    work_says(ann, looks, id, "0"); /* what would be open to all is none */
}

/* A device cannot say that it looked at held work which it could not have had. */
static void a_look_at_held_work_that_was_not_to_be_seen_there_is_not_believed(void **state)
{
    struct ends_case k;
    uint8_t id[16];
    (void)state;
    held_record(&k, id, false);
    assert_int_equal(node_note_view_of_held(pol->n, rules_table_index(bytes_of_str("record")), id, &work_why), ERR_OK);
    (void)ends_sync(pol, ERR_OK);
    assert_int_equal(ends_count("SELECT count(*) FROM h_view WHERE id = $1", id), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_look_by_a_clock_that_is_behind_is_told_too),
        cmocka_unit_test(reading_it_among_what_is_not_accepted_yet_is_a_look),
        cmocka_unit_test(the_page_of_the_case_shows_it_too),
        cmocka_unit_test(a_look_at_held_work_that_was_not_to_be_seen_there_is_not_believed),
    };
    return cmocka_run_group_tests(tests, work_start, work_stop);
}
