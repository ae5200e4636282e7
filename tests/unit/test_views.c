/* Views (node/views.c): who looked at a record that is not open to all is told to the hub, once an hour, whatever
 * happens to the link, to the row or to the device meanwhile. */
#include "node/internal.h"
#include "tests/lib/act_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HOUR INT64_C(3600000)

struct scene {
    struct act_world a;
    int64_t now;
    int record, release;
};

static int64_t clock_of(void *ctx)
{
    return ((const struct scene *)ctx)->now;
}

static int set_up(void **state)
{
    struct scene *x = calloc(1, sizeof *x);
    if (x == NULL) return -1;
    act_world_new(&x->a);
    x->now = env_now(env_posix());
    x->a.w.env.ctx = x; /* the others of the real world look at no ctx */
    x->a.w.env.now_ms = clock_of;
    x->record = rules_table_index(bytes_of_str("record"));
    x->release = rules_table_index(bytes_of_str("release"));
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *x = *state;
    act_world_free(&x->a);
    free(x);
    return 0;
}

static void look(struct scene *x, int table, unsigned row)
{
    assert_int_equal(node_note_view(x->a.n, table, x->a.id[row], &x->a.why), ERR_OK);
}

static int64_t kept(struct scene *x)
{
    return mock_ask(x->a.n, "SELECT count(*) FROM n_view");
}

static void sync_tells(struct scene *x, size_t views)
{
    x->a.w.hub.seen.n_views = 0;
    (void)mock_sync(&x->a.w, ERR_OK);
    assert_int_equal(x->a.w.hub.seen.n_views, views);
}

static void a_look_goes_to_the_hub_with_who_what_and_when(void **state)
{
    struct scene *x = *state;
    const struct view_item *v = x->a.w.hub.seen.views;
    int64_t at = x->now;
    look(x, x->record, FREE_RECORD);
    x->now += 1000;
    look(x, x->release, TOLD_US);
    sync_tells(x, 2);
    assert_memory_equal(v[0].user, x->a.n->user, 16);
    assert_memory_equal(v[0].id, x->a.id[FREE_RECORD], 16);
    assert_int_equal(v[0].table_index, x->record);
    assert_true(v[0].at_ms == (uint64_t)at && v[1].at_ms == (uint64_t)at + 1000);
    assert_memory_equal(v[1].id, x->a.id[TOLD_US], 16);
    assert_int_equal(v[1].table_index, x->release);
    sync_tells(x, 0);
}

static void what_is_open_to_all_is_not_noted(void **state)
{
    struct scene *x = *state;
    uint8_t none[16] = {1};
    look(x, x->record, OPEN_RECORD);
    look(x, rules_table_index(bytes_of_str("case_file")), CASE);
    assert_int_equal(kept(x), 0);
    look(x, x->record, OWN_RECORD); /* restricted */
    assert_int_equal(kept(x), 1);
    assert_int_equal(node_note_view(x->a.n, x->record, none, &x->a.why), ERR_NOTFOUND);
    assert_int_equal(node_note_view(x->a.n, -1, none, &x->a.why), ERR_NOTFOUND);
    assert_int_equal(kept(x), 1);
}

static void looking_again_within_the_hour_is_one_look(void **state)
{
    struct scene *x = *state;
    look(x, x->record, FREE_RECORD);
    x->now += HOUR - 1;
    look(x, x->record, FREE_RECORD);
    assert_int_equal(kept(x), 1);
    sync_tells(x, 1);
    look(x, x->record, FREE_RECORD); /* told already, and the same hour still */
    sync_tells(x, 0);
    x->now += 1;
    look(x, x->record, FREE_RECORD);
    sync_tells(x, 1);
    x->now -= 30 * HOUR; /* the clock was set back: that is another look */
    look(x, x->record, FREE_RECORD);
    sync_tells(x, 1);
}

static void another_person_s_look_is_another(void **state)
{
    struct scene *x = *state;
    look(x, x->record, FREE_RECORD);
    x->a.n->user[0] ^= 1;
    look(x, x->record, FREE_RECORD);
    sync_tells(x, 2);
}

static void what_was_told_is_kept_for_its_hour_alone(void **state)
{
    struct scene *x = *state;
    look(x, x->record, FREE_RECORD);
    sync_tells(x, 1);
    assert_int_equal(kept(x), 1);
    x->now += HOUR;
    sync_tells(x, 0);
    assert_int_equal(kept(x), 0);
}

static void a_request_that_had_no_answer_tells_it_again(void **state)
{
    struct scene *x = *state;
    struct buf first, second;
    buf_init(&first, BUNDLE_MAX);
    buf_init(&second, BUNDLE_MAX);
    look(x, x->record, FREE_RECORD);
    assert_int_equal(node_bundle_export(x->a.n, &first, NULL), ERR_OK);
    x->now += 2 * HOUR;
    look(x, x->record, FREE_RECORD); /* not in that request any more */
    assert_int_equal(node_bundle_export(x->a.n, &second, NULL), ERR_OK);
    assert_true(bytes_equal(buf_bytes(&first), buf_bytes(&second)));
    sync_tells(x, 1); /* the last round's: it has only what the first had not */
    assert_true(x->a.w.hub.seen.hello.request >= 2);
    assert_true(x->a.w.hub.seen.views[0].at_ms == (uint64_t)x->now);
    sync_tells(x, 0);
    buf_release(&first);
    buf_release(&second);
}

static void drop_it(struct mock_hub *h, const struct mock_request *r, struct mock_answer *a, void *ctx)
{
    struct scene *x = ctx;
    (void)h;
    if (r->n_receipts == 0) mock_answer_drop(a, "record", x->a.id[POLICE_RECORD]);
}

static void a_look_is_told_also_when_its_row_is_taken_away_first(void **state)
{
    struct scene *x = *state;
    struct buf request;
    buf_init(&request, BUNDLE_MAX);
    assert_int_equal(db_exec(node_db(x->a.n), "UPDATE record SET sensitivity = 'sensitive'", NULL), ERR_OK);
    look(x, x->record, OWN_RECORD);
    assert_int_equal(node_bundle_export(x->a.n, &request, NULL), ERR_OK); /* under way, by courier */
    look(x, x->record, POLICE_RECORD);
    x->a.w.hub.script = drop_it;
    x->a.w.hub.script_ctx = x;
    sync_tells(x, 1);
    assert_memory_equal(x->a.w.hub.seen.views[0].id, x->a.id[POLICE_RECORD], 16);
    assert_int_equal(mock_ask(x->a.n, "SELECT count(*) FROM n_receipt"), 0);
    buf_release(&request);
}

static void nothing_of_a_look_that_was_told_stays_when_its_row_is_taken_away(void **state)
{
    struct scene *x = *state;
    assert_int_equal(db_exec(node_db(x->a.n), "UPDATE record SET sensitivity = 'sensitive'", NULL), ERR_OK);
    look(x, x->record, POLICE_RECORD);
    look(x, x->record, OWN_RECORD);
    sync_tells(x, 2);
    x->a.w.hub.script = drop_it;
    x->a.w.hub.script_ctx = x;
    (void)mock_sync(&x->a.w, ERR_OK);
    assert_int_equal(kept(x), 1);
}

static void a_look_that_was_under_way_goes_with_its_row_once_it_is_told(void **state)
{
    struct scene *x = *state;
    assert_int_equal(db_exec(node_db(x->a.n), "UPDATE record SET sensitivity = 'sensitive'", NULL), ERR_OK);
    look(x, x->record, POLICE_RECORD);
    x->a.w.hub.script = drop_it; /* in the answer to the request that tells it */
    x->a.w.hub.script_ctx = x;
    (void)mock_sync(&x->a.w, ERR_OK);
    assert_int_equal(kept(x), 0);
    assert_int_equal(mock_ask(x->a.n, "SELECT count(*) FROM n_look WHERE case_id IS NULL AND looks = 1"), 1);
}

static void more_than_one_item_holds_goes_with_the_requests_after(void **state)
{
    struct scene *x = *state;
    assert_int_equal(db_exec(node_db(x->a.n),
                             "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 5000)"
                             "INSERT INTO n_view(user, tbl, id, at) SELECT zeroblob(16), 0, randomblob(16), n FROM c",
                             NULL),
                     ERR_OK);
    sync_tells(x, VIEWS_MAX);
    sync_tells(x, 5000 - VIEWS_MAX);
    assert_int_equal(kept(x), 0);
}

static int64_t asks(struct scene *x, const char *sql, bool write)
{
    int64_t before = kept(x);
    if (node_note_sql(x->a.n, sql, write, &x->a.why) != ERR_OK) fail_msg("%s: %s", sql, x->a.why.text);
    return kept(x) - before;
}

static void sql_that_reads_no_text_is_no_look(void **state)
{
    struct scene *x = *state;
    assert_int_equal(asks(x, "SELECT count(*) FROM record", false), 0);
    assert_int_equal(asks(x, "SELECT id, case_id, sensitivity, agency FROM record WHERE voided_at IS NULL", false), 0);
    assert_int_equal(asks(x, "SELECT r.id, state FROM release r JOIN record USING(case_id)", false), 0);
    assert_int_equal(asks(x, "SELECT tbl, row_id, state FROM conflict", false), 0);
    assert_int_equal(asks(x, "SELECT seq, state, reason FROM n_outbox", false), 0);
    assert_int_equal(asks(x, "UPDATE record SET title = 'x'", true), 0);
}

static void sql_that_reads_texts_is_a_look_at_all_that_is_not_open_once_an_hour(void **state)
{
    static const char *const reads[] = {
        "SELECT * FROM record",
        "SELECT count(*) FROM record WHERE body LIKE '%x%'",
        "SELECT 1 FROM RECORD AS r ORDER BY r.TITLE",
        "WITH t(a) AS (SELECT conditions FROM release) SELECT a FROM t",
        "SELECT id FROM case_file WHERE EXISTS (SELECT title FROM release WHERE title > 'a')",
        "SELECT kept, lost FROM conflict",
        "SELECT hex(item) FROM n_content",
        "SELECT hex(vals) FROM n_pending",
        "SELECT hex(cose) FROM n_outbox",
        "UPDATE person SET role = 'child' WHERE id IN (SELECT id FROM record WHERE title = 'x')",
        "UPDATE record SET handling = 'x' RETURNING body",
        "EXPLAIN SELECT body FROM record",
    };
    struct scene *x = *state;
    int64_t all = mock_ask(x->a.n, "SELECT (SELECT count(*) FROM record WHERE sensitivity IS NOT 'open')"
                                   " + (SELECT count(*) FROM release)");
    assert_in_range(all, 3, 1000);
    for (size_t i = 0; i < sizeof reads / sizeof reads[0]; i++) {
        x->now += HOUR;
        if (asks(x, reads[i], strncmp(reads[i], "UPDATE", 6) == 0) != all) fail_msg("not noted: %s", reads[i]);
        assert_int_equal(asks(x, reads[i], true), 0);
    }
    x->now += HOUR - 1;
    assert_int_equal(asks(x, reads[0], false), 0);
    x->now += 1;
    look(x, x->record, FREE_RECORD); /* the same look */
    assert_int_equal(asks(x, reads[0], false), all - 1);
    assert_int_equal(
        mock_ask(x->a.n, "SELECT count(*) FROM n_view JOIN record USING(id) WHERE sensitivity = 'open'"), 0);
    x->a.n->user[0] ^= 1;
    assert_int_equal(asks(x, reads[0], false), all);
}

static void sql_that_is_refused_is_no_look(void **state)
{
    struct scene *x = *state;
    assert_int_equal(node_note_sql(x->a.n, "SELECT body FROM record, n_hidden", false, NULL), ERR_DENIED);
    assert_int_equal(node_note_sql(x->a.n, "SELECT body FROM record; SELECT 1", false, NULL), ERR_USAGE);
    assert_int_equal(node_note_sql(x->a.n, "SELECT body FROM recor", false, NULL), ERR_USAGE);
    assert_int_equal(kept(x), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static void a_look_at_what_the_hub_does_not_have_yet_waits_until_it_has_it(void **state)
{
    struct scene *x = *state;
    uint8_t *id = x->a.id[FIRST_FREE];
    struct row r = {.table = rules_table((size_t)x->record)};
    for (size_t i = 0; i < r.table->n_columns; i++) r.v[i] = value_null();
    r.v[0] = value_id(id);
    r.v[1] = value_id(x->a.id[CASE]);
    r.v[2] = value_str("health");
    r.v[rules_column_index(r.table, bytes_of_str("kind"))] = value_str("note");
    r.v[rules_column_index(r.table, bytes_of_str("sensitivity"))] = value_str("restricted");
    (void)mock_put(x->a.n, &r, 1);
    look(x, x->record, FIRST_FREE);
    look(x, x->record, FREE_RECORD);
    (void)mock_set(x->a.n, "record", x->a.id[FREE_RECORD], "title", "a change of what the hub has holds nothing up");
    sync_tells(x, 1); /* the row goes with this request, behind the looks */
    assert_memory_equal(x->a.w.hub.seen.views[0].id, x->a.id[FREE_RECORD], 16);
    sync_tells(x, 1);
    assert_memory_equal(x->a.w.hub.seen.views[0].id, id, 16);
    sync_tells(x, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_look_goes_to_the_hub_with_who_what_and_when),
        T(what_is_open_to_all_is_not_noted),
        T(looking_again_within_the_hour_is_one_look),
        T(another_person_s_look_is_another),
        T(what_was_told_is_kept_for_its_hour_alone),
        T(a_request_that_had_no_answer_tells_it_again),
        T(a_look_is_told_also_when_its_row_is_taken_away_first),
        T(nothing_of_a_look_that_was_told_stays_when_its_row_is_taken_away),
        T(a_look_that_was_under_way_goes_with_its_row_once_it_is_told),
        T(more_than_one_item_holds_goes_with_the_requests_after),
        T(a_look_at_what_the_hub_does_not_have_yet_waits_until_it_has_it),
        T(sql_that_reads_no_text_is_no_look),
        T(sql_that_reads_texts_is_a_look_at_all_that_is_not_open_once_an_hour),
        T(sql_that_is_refused_is_no_look),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
