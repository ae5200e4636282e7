/* What an edit captures, and what it refuses because no hub could take it. */
#include "tests/lib/mock_hub.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

struct start {
    struct mock_world w;
    uint8_t c[16], p[16];
};

static void start(struct start *s)
{
    struct row rows[2];
    mock_world_new(&s->w);
    mock_id(s->c, 1);
    mock_id(s->p, 2);
    rows[0] = mock_case(s->c);
    rows[1] = mock_person(s->p, s->c, "Pritchard");
    assert_int_equal(mock_put(s->w.node, rows, 2), 1);
}

/* An edit made of one SQL statement is refused with `want`, and nothing of it stays. */
static void refuses(struct start *s, const char *sql, enum err want)
{
    uint8_t before[32], after[32];
    struct why why = {0};
    uint64_t seq = 99;
    struct db *db = node_db(s->w.node);
    assert_int_equal(db_content_hash(db, before, NULL), ERR_OK);
    assert_int_equal(node_edit_begin(s->w.node, &why), ERR_OK);
    assert_int_equal(db_exec(db, sql, &why), ERR_OK);
    assert_int_equal(node_edit_commit(s->w.node, "tried something", &seq, &why), want);
    assert_int_equal(seq, 99);
    assert_true(why.text[0] != '\0');
    assert_int_equal(db_content_hash(db, after, NULL), ERR_OK);
    assert_memory_equal(before, after, 32);
    assert_int_equal(mock_ask(s->w.node, "SELECT count(*) FROM n_outbox"), 1);
    assert_int_equal(mock_ask(s->w.node, "SELECT count(*) FROM n_audit"), 1);
    assert_int_equal(mock_ask(s->w.node, "SELECT count(*) FROM n_pending"), 2);
}

/* One world for all tests that leave it as it was. */
static int set_up(void **state)
{
    static struct start shared;
    start(&shared);
    *state = &shared;
    return 0;
}

static int tear_down(void **state)
{
    struct start *s = *state;
    mock_world_free(&s->w);
    return 0;
}

static void an_edit_without_rows_makes_no_envelope(void **state)
{
    struct start s;
    uint64_t seq = 99;
    (void)state;
    start(&s);
    assert_int_equal(node_edit_begin(s.w.node, NULL), ERR_OK);
    assert_int_equal(node_edit_commit(s.w.node, "nothing", &seq, NULL), ERR_OK);
    assert_int_equal(seq, 0);
    assert_int_equal(mock_set(s.w.node, "person", s.p, "family_name", "Pritchard"), 0); /* the value it has */
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM n_outbox"), 1);
    mock_world_free(&s.w);
}

static void a_cancelled_edit_leaves_nothing(void **state)
{
    struct start *s = *state;
    char name[128];
    assert_int_equal(node_edit_begin(s->w.node, NULL), ERR_OK);
    assert_int_equal(db_exec(node_db(s->w.node), "UPDATE person SET family_name = 'Rees'", NULL), ERR_OK);
    node_edit_cancel(s->w.node);
    mock_get(s->w.node, "person", s->p, "family_name", name);
    assert_string_equal(name, "Pritchard");
    assert_int_equal(mock_ask(s->w.node, "SELECT count(*) FROM n_outbox"), 1);
}

static void deleting_is_refused(void **state)
{
    struct start *s = *state;
    refuses(s, "DELETE FROM person", ERR_DENIED);
}

static void a_changed_id_case_or_agency_is_refused(void **state)
{
    struct start *s = *state;
    refuses(s, "UPDATE person SET id = x'00000000000000000000000000000001'", ERR_DENIED);
    refuses(s, "UPDATE person SET case_id = x'00000000000000000000000000000001'", ERR_DENIED);
    refuses(s, "UPDATE person SET agency = 'police'", ERR_DENIED);
}

static void a_value_that_no_hub_takes_is_refused(void **state)
{
    struct start *s = *state;
    refuses(s, "UPDATE person SET family_name = replace(hex(zeroblob(1048576)), '0', 'x')", ERR_DENIED); /* 2 MiB */
    refuses(s, "UPDATE person SET born_on = 'yesterday'", ERR_DENIED);
    refuses(s, "UPDATE case_file SET rag = 'purple'", ERR_DENIED);
    refuses(s, "UPDATE person SET family_name = CAST(x'c328' AS TEXT)", ERR_DENIED); /* no UTF-8 */
}

static void a_row_without_its_case_is_refused(void **state)
{
    struct start *s = *state;
    refuses(s,
            "INSERT INTO person(id, case_id, agency) VALUES(x'00000000000000000000000000000009', "
            "x'00000000000000000000000000000008', 'health')",
            ERR_DENIED);
    refuses(s,
            "INSERT INTO case_file(id, case_id, agency) VALUES(x'00000000000000000000000000000009', "
            "x'00000000000000000000000000000008', 'health')",
            ERR_DENIED);
}

static void reference_data_cannot_be_changed_here(void **state)
{
    struct start *s = *state;
    refuses(s, "INSERT INTO agency(id, code) VALUES(x'00000000000000000000000000000009', 'police')", ERR_DENIED);
}

static void the_envelope_holds_exactly_the_edits(void **state)
{
    struct start s;
    struct changeset_reader r;
    struct op op;
    bool end = false;
    (void)state;
    start(&s);
    assert_int_equal(mock_set(s.w.node, "person", s.p, "family_name", "Rees"), 2);
    (void)mock_sync(&s.w, ERR_OK);
    assert_int_equal(s.w.hub.seen.n_envelopes, 2);
    changeset_reader_init(&r, buf_bytes(&s.w.hub.seen.contents), rules_schema_newest());
    assert_int_equal(changeset_next(&r, &op, &end, NULL), ERR_OK);
    assert_int_equal(op.kind, OP_INSERT);
    assert_string_equal(op.table->name, "case_file");
    assert_memory_equal(op_row_id(&op), s.c, 16);
    assert_int_equal(changeset_next(&r, &op, &end, NULL), ERR_OK);
    assert_int_equal(op.kind, OP_INSERT);
    assert_string_equal(op.table->name, "person");
    assert_int_equal(changeset_next(&r, &op, &end, NULL), ERR_OK);
    assert_int_equal(op.kind, OP_UPDATE);
    assert_memory_equal(op_row_id(&op), s.p, 16);
    size_t name = (size_t)rules_column_index(op.table, bytes_of_str("family_name"));
    for (size_t i = 1; i < op.table->n_columns; i++)
        assert_int_equal(op.new_[i].kind, i == name ? VALUE_TEXT : VALUE_NONE);
    assert_true(value_equal(op.old[name], value_str("Pritchard")));
    assert_true(value_equal(op.new_[name], value_str("Rees")));
    assert_int_equal(changeset_next(&r, &op, &end, NULL), ERR_OK);
    assert_true(end);
    mock_world_free(&s.w);
}

static void replacing_a_row_is_captured_as_the_columns_that_changed(void **state)
{
    struct start s;
    struct row row;
    (void)state;
    start(&s);
    row = mock_person(s.p, s.c, "Rees");
    assert_int_equal(mock_put(s.w.node, &row, 1), 2); /* INSERT OR REPLACE */
    assert_int_equal(mock_ask(s.w.node, "SELECT op FROM n_pending WHERE seq = 2"), OP_UPDATE);
    mock_world_free(&s.w);
}

static int64_t slow_clock;
static int64_t read_slow_clock(void *ctx)
{
    (void)ctx;
    return slow_clock;
}

static void a_clock_set_back_does_not_put_an_edit_before_the_last(void **state)
{
    struct start s;
    (void)state;
    start(&s);
    int64_t first = mock_ask(s.w.node, "SELECT value FROM n_number WHERE name = 'last_hlc'");
    slow_clock = 1000;
    s.w.env.now_ms = read_slow_clock;
    (void)mock_set(s.w.node, "person", s.p, "family_name", "Rees");
    assert_int_equal(mock_ask(s.w.node, "SELECT value FROM n_number WHERE name = 'last_hlc'"), first + 1);
    mock_world_free(&s.w);
}

static void too_many_cases_in_one_edit_are_refused(void **state)
{
    struct mock_world w;
    uint8_t id[16];
    uint64_t seq;
    struct why why = {0};
    (void)state;
    mock_world_new(&w);
    assert_int_equal(node_edit_begin(w.node, NULL), ERR_OK);
    for (unsigned i = 0; i <= ENVELOPE_MAX_PARTS; i++) {
        mock_id(id, i);
        struct row row = mock_case(id);
        assert_int_equal(db_row_put(node_db(w.node), &row, NULL), ERR_OK);
    }
    assert_int_equal(node_edit_commit(w.node, "much", &seq, &why), ERR_LIMIT);
    assert_true(why.next[0] != '\0');
    assert_int_equal(mock_ask(w.node, "SELECT count(*) FROM case_file"), 0);
    mock_world_free(&w);
}

/* An import: one envelope, a part a case, soon done. The bound is loose, for sanitizers and busy machines. */
static void an_import_of_402_cases_is_one_envelope(void **state)
{
    struct mock_world w;
    struct row *rows = calloc(402 * 10, sizeof *rows);
    uint8_t(*ids)[16] = calloc(402 * 10, 16);
    struct timespec a, b;
    (void)state;
    assert_non_null(rows);
    assert_non_null(ids);
    mock_world_new(&w);
    for (unsigned i = 0; i < 402 * 10; i++) {
        mock_id(ids[i], i);
        rows[i] = i % 10 == 0 ? mock_case(ids[i]) : mock_person(ids[i], ids[i - i % 10], "Pritchard");
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &a);
    assert_int_equal(mock_put(w.node, rows, 402 * 10), 1);
    (void)clock_gettime(CLOCK_MONOTONIC, &b);
    double took = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
    print_message("402 cases, 4020 rows in %.0f ms\n", took * 1000);
    assert_true(took < 5);
    (void)mock_sync(&w, ERR_OK);
    assert_int_equal(mock_ask(w.node, "SELECT count(*) FROM n_image"), 0);
    assert_int_equal(mock_ask(w.node, "SELECT count(*) FROM person"), 402 * 9);
    free(rows);
    free(ids);
    mock_world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_edit_without_rows_makes_no_envelope),
        cmocka_unit_test(a_cancelled_edit_leaves_nothing),
        cmocka_unit_test(deleting_is_refused),
        cmocka_unit_test(a_changed_id_case_or_agency_is_refused),
        cmocka_unit_test(a_value_that_no_hub_takes_is_refused),
        cmocka_unit_test(a_row_without_its_case_is_refused),
        cmocka_unit_test(reference_data_cannot_be_changed_here),
        cmocka_unit_test(the_envelope_holds_exactly_the_edits),
        cmocka_unit_test(replacing_a_row_is_captured_as_the_columns_that_changed),
        cmocka_unit_test(a_clock_set_back_does_not_put_an_edit_before_the_last),
        cmocka_unit_test(too_many_cases_in_one_edit_are_refused),
        cmocka_unit_test(an_import_of_402_cases_is_one_envelope),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
