/* Rot in the outbox: what cannot be read back becomes a signed gap, its work is written again, and nothing else is
 * lost. */
#include "tests/lib/rot.h"

#include "node/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LONG 2500u /* one content a page */

struct start {
    struct mock_world w;
    uint8_t c[16];
};

static char *long_text(char c)
{
    char *t = malloc(LONG + 1);
    assert_non_null(t);
    memset(t, c, LONG);
    t[LONG] = '\0';
    return t;
}

static void start(struct start *s)
{
    memset(s, 0, sizeof *s);
    mock_world_new(&s->w);
    mock_id(s->c, 1);
    struct row row = mock_case(s->c);
    (void)mock_put(s->w.node, &row, 1);
    (void)mock_sync(&s->w, ERR_OK);
}

/* Person number `no` with a long name, in an edit of its own. */
static uint64_t add(struct start *s, unsigned no, char c)
{
    uint8_t id[16];
    char *name = long_text(c);
    mock_id(id, no);
    struct row row = mock_person(id, s->c, name);
    uint64_t seq = mock_put(s->w.node, &row, 1);
    free(name);
    return seq;
}

static void rot(struct start *s, uint64_t seq)
{
    uint8_t salt[SALT_BYTES];
    rot_salt(s->w.node, seq, salt);
    assert_true(rot_pages(&s->w, bytes_of(salt, sizeof salt)) > 0);
}

static bool shown(struct start *s, unsigned no, char c)
{
    uint8_t id[16];
    struct row now;
    struct buf store;
    bool found = false;
    const struct table_rule *t = rules_table((size_t)rules_table_index(bytes_of_str("person")));
    mock_id(id, no);
    buf_init(&store, 1u << 20);
    assert_int_equal(db_row_get(node_db(s->w.node), t, id, &store, &now, &found, NULL), ERR_OK);
    struct value v = found ? now.v[rules_column_index(t, bytes_of_str("family_name"))] : value_null();
    bool same = v.kind == VALUE_TEXT && v.s.n == LONG && v.s.p[0] == (uint8_t)c && v.s.p[LONG - 1] == (uint8_t)c;
    buf_release(&store);
    return same;
}

static int64_t state_is(struct start *s, uint64_t seq, const char *state)
{
    char sql[128];
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM n_outbox WHERE seq = %llu AND state = '%s'",
                   (unsigned long long)seq, state);
    return mock_ask(s->w.node, sql);
}

static void sound(struct start *s)
{
    struct verify_result v;
    struct why why = {0};
    enum err e = node_verify(s->w.node, &v, &why);
    if (e != ERR_OK) print_error("%s\n", why.text);
    assert_int_equal(e, ERR_OK);
    assert_int_equal(v.pending_rows, 0);
    assert_int_equal(mock_ask(s->w.node, "SELECT count(*) FROM n_gap"), 0);
    assert_int_equal(mock_ask(s->w.node, "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'n_damaged%'"), 0);
}

static void rot_in_the_middle_of_ten_unsent_costs_none_of_them(void **state)
{
    struct start s;
    (void)state;
    start(&s);
    for (unsigned i = 0; i < 10; i++) assert_int_equal(add(&s, 10 + i, (char)('a' + i)), 2 + i);
    rot(&s, 6);
    struct round_result r = mock_sync(&s.w, ERR_OK);
    assert_int_equal(r.fault, 1);
    assert_int_equal(r.applied, 10); /* nine, and the one that was written again */
    assert_int_equal(s.w.hub.seen.hello.unsent, 10);
    assert_int_equal(s.w.hub.seen.n_gaps, 1);
    assert_int_equal(s.w.hub.seen.gaps[0].seq, 6);
    assert_int_equal(s.w.hub.seen.n_envelopes, 10);
    assert_int_equal(s.w.hub.seen.seqs[9], 12);
    for (unsigned i = 0; i < 10; i++) assert_true(shown(&s, 10 + i, (char)('a' + i)));
    assert_int_equal(state_is(&s, 6, "fault"), 1);
    sound(&s);
    mock_world_free(&s.w);
}

static void rot_in_the_only_one_is_written_again(void **state)
{
    struct start s;
    (void)state;
    start(&s);
    (void)add(&s, 10, 'x');
    rot(&s, 2);
    (void)mock_sync(&s.w, ERR_OK);
    assert_int_equal(s.w.hub.seen.n_gaps, 1);
    assert_int_equal(s.w.hub.seen.seqs[0], 3);
    char *name = long_text('x');
    assert_non_null(memmem(s.w.hub.seen.contents.data, s.w.hub.seen.contents.len, name, LONG));
    free(name);
    assert_true(shown(&s, 10, 'x'));
    sound(&s);
    mock_world_free(&s.w);
}

static void the_gap_has_the_place_of_the_lost_one_in_the_chain(void **state)
{
    struct start s;
    struct buf hash;
    struct stmt *q = NULL;
    bool row = false;
    (void)state;
    start(&s);
    (void)add(&s, 10, 'x');
    buf_init(&hash, 64);
    assert_int_equal(db_prepare(node_db(s.w.node), "SELECT hash FROM n_outbox WHERE seq = 2", &q, NULL), ERR_OK);
    assert_int_equal(db_step(q, &row, NULL), ERR_OK);
    buf_put_bytes(&hash, db_bytes(q, 0));
    db_done(q);
    rot(&s, 2);
    (void)mock_sync(&s.w, ERR_OK);
    assert_memory_equal(s.w.hub.seen.gaps[0].hash, hash.data, HASH_BYTES);
    assert_memory_equal(s.w.hub.seen.gaps[0].hub, s.w.hub.id.pub.kid, KID_BYTES);
    buf_release(&hash);
    mock_world_free(&s.w);
}

/* Edit 2 makes the person, 3 sets the name, 4 another column, 5 the name again. 3 is lost: nothing of it counts any
 * more. */
static void what_a_later_edit_set_again_is_not_written_again(void **state)
{
    struct start s;
    uint8_t id[16];
    char *name = long_text('y'), got[128];
    (void)state;
    start(&s);
    (void)add(&s, 10, 'x');
    mock_id(id, 10);
    assert_int_equal(mock_set(s.w.node, "person", id, "family_name", name), 3);
    assert_int_equal(mock_set(s.w.node, "person", id, "given_names", "Mair"), 4);
    assert_int_equal(mock_set(s.w.node, "person", id, "family_name", "Rees"), 5);
    assert_int_equal(db_exec(node_db(s.w.node), "UPDATE n_content SET item = x'00' WHERE seq = 3", NULL), ERR_OK);
    (void)mock_sync(&s.w, ERR_OK);
    assert_int_equal(mock_ask(s.w.node, "SELECT max(seq) FROM n_outbox"), 5);
    assert_int_equal(s.w.hub.seen.n_gaps, 1);
    mock_get(s.w.node, "person", id, "family_name", got);
    assert_string_equal(got, "Rees");
    sound(&s);
    free(name);
    mock_world_free(&s.w);
}

static void no_verdicts(struct mock_hub *h, const struct mock_request *r, struct mock_answer *a, void *ctx)
{
    (void)h;
    (void)r;
    (void)a;
    (void)ctx;
}

static void a_gap_is_sent_until_the_hub_has_judged_it(void **state)
{
    struct start s;
    (void)state;
    start(&s);
    (void)add(&s, 10, 'x');
    rot(&s, 2);
    s.w.hub.script = no_verdicts;
    (void)mock_sync(&s.w, ERR_OK);
    assert_int_equal(s.w.hub.seen.n_gaps, 1);
    (void)mock_sync(&s.w, ERR_OK);
    assert_int_equal(s.w.hub.seen.n_gaps, 1);
    s.w.hub.script = NULL;
    (void)mock_sync(&s.w, ERR_OK);
    assert_int_equal(s.w.hub.seen.n_gaps, 1);
    (void)mock_sync(&s.w, ERR_OK);
    assert_int_equal(s.w.hub.seen.n_gaps, 0);
    sound(&s);
    mock_world_free(&s.w);
}

static void content_that_is_not_what_was_signed_is_never_sent(void **state)
{
    struct start s;
    (void)state;
    start(&s);
    (void)add(&s, 10, 'x');
    (void)add(&s, 11, 'z');
    assert_int_equal(db_exec(node_db(s.w.node),
                             "UPDATE n_content SET item = (SELECT item FROM n_content WHERE seq = 3) "
                             "WHERE seq = 2",
                             NULL),
                     ERR_OK);
    (void)mock_sync(&s.w, ERR_OK);
    assert_int_equal(s.w.hub.seen.n_gaps, 1);
    assert_int_equal(s.w.hub.seen.n_envelopes, 2);
    assert_true(shown(&s, 10, 'x'));
    assert_true(shown(&s, 11, 'z'));
    sound(&s);
    mock_world_free(&s.w);
}

/* A page of the tables themselves. */
static void another_page_that_cannot_be_read_is_not_taken_for_a_gap(void **state)
{
    struct start s;
    uint8_t id[16];
    (void)state;
    start(&s);
    for (unsigned i = 0; i < 3; i++) (void)add(&s, 10 + i, (char)('a' + i));
    (void)mock_sync(&s.w, ERR_OK);
    for (unsigned i = 0; i < 3; i++) (void)add(&s, 20 + i, (char)('k' + i));
    mock_id(id, 11);
    char *name = long_text('b');
    assert_true(rot_pages(&s.w, bytes_of(name, LONG)) > 0);
    free(name);
    (void)mock_sync(&s.w, ERR_OK);
    assert_int_equal(s.w.hub.seen.n_gaps, 0);
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM n_outbox WHERE state = 'fault'"), 0);
    struct verify_result v;
    assert_int_equal(node_verify(s.w.node, &v, NULL), ERR_TAMPERED);
    mock_world_free(&s.w);
}

/* Content and pending edits: nothing is left to write again, but the chain goes on. */
static void with_the_overlay_gone_too_only_the_gap_is_sent(void **state)
{
    struct start s;
    char *name = long_text('x');
    (void)state;
    start(&s);
    (void)add(&s, 10, 'x');
    (void)add(&s, 11, 'z');
    assert_true(rot_pages(&s.w, bytes_of(name, LONG)) >= 2);
    (void)mock_sync(&s.w, ERR_TAMPERED); /* it went out; but this store needs more than mending */
    assert_int_equal(s.w.hub.seen.n_gaps, 1);
    assert_int_equal(s.w.hub.seen.gaps[0].seq, 2);
    assert_int_equal(s.w.hub.seen.n_envelopes, 1);
    assert_int_equal(state_is(&s, 2, "fault"), 1);
    assert_int_equal(state_is(&s, 3, "applied"), 1);
    free(name);
    mock_world_free(&s.w);
}

/* Power fails after the gap was noted and before its request was stored, and once more after that. */
static void a_crash_between_gap_and_request_makes_one_gap_and_one_copy(void **state)
{
    struct start s;
    (void)state;
    start(&s);
    (void)add(&s, 10, 'x');
    rot(&s, 2);
    assert_int_equal(gap_look(s.w.node, 1u << 20, NULL), ERR_OK);
    mock_world_reopen(&s.w);
    assert_int_equal(gap_look(s.w.node, 1u << 20, NULL), ERR_OK);
    mock_world_reopen(&s.w);
    assert_int_equal(mock_ask(s.w.node, "SELECT max(seq) FROM n_outbox"), 3);
    (void)mock_sync(&s.w, ERR_OK);
    assert_int_equal(s.w.hub.seen.n_gaps, 1);
    assert_int_equal(s.w.hub.seen.n_envelopes, 1);
    assert_true(shown(&s, 10, 'x'));
    sound(&s);
    mock_world_free(&s.w);
}

/* The request is on its way when the page goes: the verdict still counts, and the store is mended. */
static void rot_between_request_and_verdict_holds_nothing_up(void **state)
{
    struct start s;
    (void)state;
    start(&s);
    for (unsigned i = 0; i < 3; i++) (void)add(&s, 10 + i, (char)('a' + i));
    s.w.hub.down = true;
    (void)mock_sync(&s.w, ERR_UNREACHABLE);
    rot(&s, 3);
    s.w.hub.down = false;
    struct round_result r = mock_sync(&s.w, ERR_OK);
    assert_int_equal(r.applied, 3);
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM n_content"), 0);
    for (unsigned i = 0; i < 3; i++) assert_true(shown(&s, 10 + i, (char)('a' + i)));
    sound(&s);
    mock_world_free(&s.w);
}

static void drop_person(struct mock_hub *h, const struct mock_request *r, struct mock_answer *a, void *ctx)
{
    uint8_t id[16];
    (void)h;
    (void)ctx;
    mock_id(id, 10);
    for (size_t i = 0; i < r->n_envelopes; i++) mock_answer_verdict(a, r->seqs[i], VERDICT_APPLIED, "");
    if (r->n_receipts == 0) mock_answer_drop(a, "person", id);
}

static void rot_in_own_words_does_not_keep_a_row_from_being_taken_away(void **state)
{
    struct start s;
    (void)state;
    start(&s);
    (void)add(&s, 10, 'a');
    (void)mock_sync(&s.w, ERR_OK);
    (void)add(&s, 11, 'b');
    s.w.hub.down = true;
    (void)mock_sync(&s.w, ERR_UNREACHABLE);
    rot(&s, 3);
    s.w.hub.down = false;
    s.w.hub.script = drop_person;
    struct round_result r = mock_sync(&s.w, ERR_OK);
    assert_int_equal(r.rows_dropped, 1);
    assert_int_equal(r.receipts, 1);
    assert_false(shown(&s, 10, 'a'));
    assert_true(shown(&s, 11, 'b'));
    sound(&s);
    mock_world_free(&s.w);
}

static void rot_where_the_next_change_goes_does_not_keep_it_out(void **state)
{
    struct start s;
    (void)state;
    start(&s);
    (void)add(&s, 10, 'a');
    rot(&s, 2);
    assert_int_equal(add(&s, 11, 'b'), 3);
    (void)mock_sync(&s.w, ERR_OK);
    assert_int_equal(s.w.hub.seen.n_gaps, 1);
    assert_int_equal(s.w.hub.seen.n_envelopes, 2);
    assert_true(shown(&s, 10, 'a'));
    assert_true(shown(&s, 11, 'b'));
    sound(&s);
    mock_world_free(&s.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rot_in_the_middle_of_ten_unsent_costs_none_of_them),
        cmocka_unit_test(rot_in_the_only_one_is_written_again),
        cmocka_unit_test(the_gap_has_the_place_of_the_lost_one_in_the_chain),
        cmocka_unit_test(what_a_later_edit_set_again_is_not_written_again),
        cmocka_unit_test(a_gap_is_sent_until_the_hub_has_judged_it),
        cmocka_unit_test(content_that_is_not_what_was_signed_is_never_sent),
        cmocka_unit_test(another_page_that_cannot_be_read_is_not_taken_for_a_gap),
        cmocka_unit_test(with_the_overlay_gone_too_only_the_gap_is_sent),
        cmocka_unit_test(rot_between_request_and_verdict_holds_nothing_up),
        cmocka_unit_test(rot_in_own_words_does_not_keep_a_row_from_being_taken_away),
        cmocka_unit_test(rot_where_the_next_change_goes_does_not_keep_it_out),
        cmocka_unit_test(a_crash_between_gap_and_request_makes_one_gap_and_one_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
