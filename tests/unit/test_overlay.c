/* Pending edits over the hub's image: what a page, a verdict and a drop do to a row that has them. */
#include "tests/lib/mock_hub.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* What the hub says in one answer. */
struct say {
    enum verdict verdict;
    bool judge;
    uint64_t only; /* judge this envelope alone; 0: all */
    struct row rows[4];
    enum op_kind kinds[4];
    size_t n_rows;
    const uint8_t *drop; /* a person to forget */
};

static void say(struct mock_hub *h, const struct mock_request *r, struct mock_answer *a, void *ctx)
{
    struct say *s = ctx;
    (void)h;
    for (size_t i = 0; s->judge && i < r->n_envelopes; i++) {
        if (s->only == 0 || s->only == r->seqs[i])
            mock_answer_verdict(a, r->seqs[i], s->verdict, s->verdict == VERDICT_HELD ? "A manager decides." : "");
    }
    for (size_t i = 0; i < s->n_rows; i++) mock_answer_op(a, s->kinds[i], &s->rows[i]);
    if (s->drop != NULL) mock_answer_drop(a, "person", s->drop);
    memset(s, 0, sizeof *s); /* said once; whatever follows gets an empty answer */
}

struct start {
    struct mock_world w;
    struct say say;
    uint8_t c[16], p[16];
};

/* The hub has given a case with one person. */
static void start(struct start *s)
{
    memset(&s->say, 0, sizeof s->say);
    mock_world_new(&s->w);
    mock_id(s->c, 1);
    mock_id(s->p, 2);
    s->w.hub.script = say;
    s->w.hub.script_ctx = &s->say;
    s->say.rows[0] = mock_case(s->c);
    s->say.rows[1] = mock_person(s->p, s->c, "Pritchard");
    s->say.kinds[0] = s->say.kinds[1] = OP_INSERT;
    s->say.n_rows = 2;
    assert_int_equal(mock_sync(&s->w, ERR_OK).rows_in, 2);
}

static void shows(struct start *s, const uint8_t id[16], const char *column, const char *want)
{
    char have[128];
    mock_get(s->w.node, "person", id, column, have);
    assert_string_equal(have, want);
}

static void sound(struct start *s, uint64_t pending_rows)
{
    struct verify_result v;
    struct why why = {0};
    assert_int_equal(node_verify(s->w.node, &v, &why), ERR_OK);
    assert_int_equal(v.pending_rows, pending_rows);
}

static void update_says(struct start *s, const char *column, const char *text)
{
    s->say.rows[s->say.n_rows] = mock_change("person", s->p, column, text);
    s->say.kinds[s->say.n_rows++] = OP_UPDATE;
}

static void a_page_leaves_a_pending_edit_standing(void **state)
{
    struct start s;
    (void)state;
    start(&s);
    (void)mock_set(s.w.node, "person", s.p, "family_name", "Rees");
    update_says(&s, "family_name", "Price");
    update_says(&s, "given_names", "Mair");
    s.say.n_rows--; /* one operation a row: both columns in it */
    int given = rules_column_index(s.say.rows[0].table, bytes_of_str("given_names"));
    s.say.rows[0].v[given] = value_str("Mair");
    (void)mock_sync(&s.w, ERR_OK);
    shows(&s, s.p, "family_name", "Rees");
    shows(&s, s.p, "given_names", "Mair");
    sound(&s, 1);
    s.say.judge = true;
    s.say.verdict = VERDICT_HELD;
    (void)mock_sync(&s.w, ERR_OK);
    shows(&s, s.p, "family_name", "Price"); /* the hub's image, with what the page brought */
    sound(&s, 0);
    mock_world_free(&s.w);
}

static void applied_folds_into_the_image(void **state)
{
    struct start s;
    (void)state;
    start(&s);
    (void)mock_set(s.w.node, "person", s.p, "family_name", "Rees");
    s.say.judge = true;
    s.say.verdict = VERDICT_APPLIED;
    assert_int_equal(mock_sync(&s.w, ERR_OK).applied, 1);
    shows(&s, s.p, "family_name", "Rees");
    sound(&s, 0);
    mock_world_free(&s.w);
}

static void a_fold_keeps_later_edits_on_top(void **state)
{
    struct start s;
    (void)state;
    start(&s);
    (void)mock_set(s.w.node, "person", s.p, "family_name", "Rees");
    (void)mock_set(s.w.node, "person", s.p, "family_name", "Morgan");
    s.say.judge = true;
    s.say.only = 1;
    s.say.verdict = VERDICT_APPLIED;
    (void)mock_sync(&s.w, ERR_OK); /* the rest is sent again, and not judged */
    shows(&s, s.p, "family_name", "Morgan");
    sound(&s, 1);
    s.say.judge = true;
    s.say.verdict = VERDICT_HELD;
    (void)mock_sync(&s.w, ERR_OK);
    shows(&s, s.p, "family_name", "Rees"); /* the first was folded, the second refused */
    sound(&s, 0);
    mock_world_free(&s.w);
}

static void merged_shows_what_the_hub_made_of_it(void **state)
{
    struct start s;
    (void)state;
    start(&s);
    (void)mock_set(s.w.node, "person", s.p, "family_name", "Rees");
    s.say.judge = true;
    s.say.verdict = VERDICT_MERGED;
    update_says(&s, "family_name", "Price");
    assert_int_equal(mock_sync(&s.w, ERR_OK).merged, 1);
    shows(&s, s.p, "family_name", "Price");
    sound(&s, 0);
    mock_world_free(&s.w);
}

static void held_returns_a_row_to_the_hub_image(void **state)
{
    struct start s;
    (void)state;
    start(&s);
    (void)mock_set(s.w.node, "person", s.p, "family_name", "Rees");
    s.say.judge = true;
    s.say.verdict = VERDICT_HELD;
    assert_int_equal(mock_sync(&s.w, ERR_OK).held, 1);
    shows(&s, s.p, "family_name", "Pritchard");
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM n_outbox WHERE state = 'held'"), 1);
    sound(&s, 0);
    mock_world_free(&s.w);
}

static void a_held_new_row_leaves_the_tables_and_stays_in_the_outbox(void **state)
{
    struct start s;
    uint8_t q[16];
    (void)state;
    start(&s);
    mock_id(q, 3);
    struct row row = mock_person(q, s.c, "Rees");
    (void)mock_put(s.w.node, &row, 1);
    s.say.judge = true;
    s.say.verdict = VERDICT_HELD;
    (void)mock_sync(&s.w, ERR_OK);
    shows(&s, q, "family_name", "-");
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM n_outbox JOIN n_content USING (seq) WHERE state = 'held'"),
                     1);
    sound(&s, 0);
    mock_world_free(&s.w);
}

/* The new row is held; an edit of it that came later waits for a row that is not there, and is not lost. */
static void an_edit_of_a_held_new_row_waits_without_it(void **state)
{
    struct start s;
    uint8_t q[16];
    (void)state;
    start(&s);
    mock_id(q, 3);
    struct row row = mock_person(q, s.c, "Rees");
    (void)mock_put(s.w.node, &row, 1);
    (void)mock_set(s.w.node, "person", q, "given_names", "Alun");
    s.say.judge = true;
    s.say.only = 1;
    s.say.verdict = VERDICT_HELD;
    (void)mock_sync(&s.w, ERR_OK);
    shows(&s, q, "family_name", "-");
    sound(&s, 1);
    s.say.rows[0] = mock_person(q, s.c, "Rees"); /* the manager accepted it */
    s.say.kinds[0] = OP_INSERT;
    s.say.n_rows = 1;
    (void)mock_sync(&s.w, ERR_OK);
    shows(&s, q, "family_name", "Rees");
    shows(&s, q, "given_names", "Alun");
    sound(&s, 1);
    mock_world_free(&s.w);
}

static void an_own_new_row_that_comes_back_in_a_page_is_one_row(void **state)
{
    struct start s;
    uint8_t q[16];
    (void)state;
    start(&s);
    mock_id(q, 3);
    struct row row = mock_person(q, s.c, "Rees");
    (void)mock_put(s.w.node, &row, 1);
    s.say.judge = true;
    s.say.verdict = VERDICT_APPLIED;
    s.say.rows[0] = row;
    s.say.kinds[0] = OP_INSERT;
    s.say.n_rows = 1;
    (void)mock_sync(&s.w, ERR_OK);
    shows(&s, q, "family_name", "Rees");
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM person"), 2);
    sound(&s, 0);
    mock_world_free(&s.w);
}

static void a_page_change_to_a_row_that_is_not_here_is_refused(void **state)
{
    struct start s;
    uint8_t q[16], before[32], after[32];
    (void)state;
    start(&s);
    mock_id(q, 77);
    s.say.rows[0] = mock_change("person", q, "family_name", "Price");
    s.say.kinds[0] = OP_UPDATE;
    s.say.n_rows = 1;
    assert_int_equal(db_content_hash(node_db(s.w.node), before, NULL), ERR_OK);
    (void)mock_sync(&s.w, ERR_FORMAT);
    assert_int_equal(db_content_hash(node_db(s.w.node), after, NULL), ERR_OK);
    assert_memory_equal(before, after, 32);
    mock_world_free(&s.w);
}

static void a_drop_takes_row_image_and_edit_and_parks_the_envelope(void **state)
{
    struct start s;
    (void)state;
    start(&s);
    (void)mock_set(s.w.node, "person", s.p, "family_name", "Rees");
    s.say.drop = s.p; /* the envelope is in the request, but not judged yet */
    assert_int_equal(mock_sync(&s.w, ERR_OK).rows_dropped, 1);
    shows(&s, s.p, "family_name", "-");
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM n_image"), 0);
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM n_pending"), 0);
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM n_parked"), 1);
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM n_outbox WHERE state = 'unsent'"), 1);
    sound(&s, 0);
    mock_world_free(&s.w);
}

static void a_row_given_back_after_a_drop_is_whole(void **state)
{
    struct start s;
    (void)state;
    start(&s);
    s.say.drop = s.p;
    (void)mock_sync(&s.w, ERR_OK);
    s.say.rows[0] = mock_person(s.p, s.c, "Pritchard");
    s.say.kinds[0] = OP_INSERT;
    s.say.n_rows = 1;
    (void)mock_sync(&s.w, ERR_OK);
    shows(&s, s.p, "family_name", "Pritchard");
    sound(&s, 0);
    mock_world_free(&s.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_leaves_a_pending_edit_standing),
        cmocka_unit_test(applied_folds_into_the_image),
        cmocka_unit_test(a_fold_keeps_later_edits_on_top),
        cmocka_unit_test(merged_shows_what_the_hub_made_of_it),
        cmocka_unit_test(held_returns_a_row_to_the_hub_image),
        cmocka_unit_test(a_held_new_row_leaves_the_tables_and_stays_in_the_outbox),
        cmocka_unit_test(an_edit_of_a_held_new_row_waits_without_it),
        cmocka_unit_test(an_own_new_row_that_comes_back_in_a_page_is_one_row),
        cmocka_unit_test(a_page_change_to_a_row_that_is_not_here_is_refused),
        cmocka_unit_test(a_drop_takes_row_image_and_edit_and_parks_the_envelope),
        cmocka_unit_test(a_row_given_back_after_a_drop_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
