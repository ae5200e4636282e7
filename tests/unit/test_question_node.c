/* Questions at the device: hubs that reply to what was not asked, power that fails between forgetting and the rest,
 * devices that are cut off or set up anew. */
#include "node/internal.h"
#include "tests/lib/intake_fixture.h"
#include "tests/lib/mock_round.h"
#include "tests/lib/real_device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct node_question about(const char *table, const uint8_t id[16])
{
    struct node_question q = {.kind = QUESTION_EXPLAIN, .table_index = rules_table_index(bytes_of_str(table))};
    memcpy(q.id, id, 16);
    return q;
}

static uint64_t ask(struct node *n, const char *table, const uint8_t id[16])
{
    struct node_question q = about(table, id);
    uint64_t number = 0;
    assert_int_equal(node_ask(n, &q, &number, NULL), ERR_OK);
    return number;
}

/* Replies to all that the request asks, without lines. */
static void reply_to_all(struct mock_round *s)
{
    s->a.n_replies = s->req.n_questions;
    for (size_t i = 0; i < s->req.n_questions; i++) {
        struct reply *r = &s->a.replies[i];
        *r = (struct reply){.number = s->req.questions[i].number, .kind = s->req.questions[i].kind, .clock_ms = 1};
        memcpy(r->node, s->w.hub.node.kid, KID_BYTES);
    }
}

static int begin(void **state)
{
    struct mock_round *s = calloc(1, sizeof *s);
    assert_non_null(s);
    mock_round_start(s);
    mock_round_seal(s);
    (void)mock_round_import(s, ERR_OK); /* case and persons are here */
    *state = s;
    return 0;
}

static int finish(void **state)
{
    mock_round_stop(*state);
    free(*state);
    return 0;
}

static void a_reply_to_what_was_not_asked_is_refused_whole(void **state)
{
    struct mock_round *s = *state;
    struct reply swap;
    (void)ask(s->w.node, "person", s->p);
    (void)ask(s->w.node, "person", s->q);
    for (int bend = 0; bend < 7; bend++) {
        mock_round_ask(s);
        assert_int_equal(s->req.n_questions, 2);
        reply_to_all(s);
        if (bend == 0) s->a.replies[1].number++;
        if (bend == 1) s->a.replies[1].kind = QUESTION_WHO_SAW;
        if (bend == 2) s->a.replies[0].node[0] ^= 1;
        if (bend == 3) s->a.replies[1] = s->a.replies[0];
        if (bend == 4) s->a.n_replies = 1;
        if (bend == 5) {
            swap = s->a.replies[0];
            s->a.replies[0] = s->a.replies[1];
            s->a.replies[1] = swap;
        }
        if (bend == 6) s->a.replies[s->a.n_replies++] = s->a.replies[1];
        mock_round_seal(s);
        mock_round_refuses(s, bend == 2 ? ERR_REFUSED : ERR_FORMAT);
        assert_int_equal(mock_ask(s->w.node, "SELECT count(*) FROM n_question WHERE replied_ms IS NOT NULL"), 0);
    }
    mock_round_ask(s);
    reply_to_all(s);
    mock_round_seal(s);
    (void)mock_round_import(s, ERR_OK);
    assert_int_equal(mock_ask(s->w.node, "SELECT count(*) FROM n_question WHERE replied_ms IS NOT NULL"), 2);
}

/* Cut off, or too old: the question waits on, and does no harm to the contact. */
static void a_hub_that_does_not_reply_leaves_the_question_waiting(void **state)
{
    struct mock_round *s = *state;
    uint64_t number = ask(s->w.node, "person", s->p);
    mock_round_ask(s);
    mock_round_seal(s);
    (void)mock_round_import(s, ERR_OK);
    struct node_reply head;
    assert_int_equal(node_reply(s->w.node, number, &head, NULL, NULL, NULL), ERR_OK);
    assert_false(head.replied);
    mock_round_ask(s);
    assert_int_equal(s->req.n_questions, 1);
    assert_int_equal(s->req.questions[0].number, number);
}

static void what_is_asked_while_a_request_waits_goes_with_the_next(void **state)
{
    struct mock_round *s = *state;
    mock_round_ask(s);
    assert_int_equal(s->req.n_questions, 0);
    (void)ask(s->w.node, "person", s->p);
    mock_round_ask(s); /* the same bytes */
    assert_int_equal(s->req.n_questions, 0);
    mock_round_seal(s);
    (void)mock_round_import(s, ERR_OK);
    mock_round_ask(s);
    assert_int_equal(s->req.n_questions, 1);
}

static void nothing_is_asked_about_a_row_that_was_taken_away(void **state)
{
    struct mock_round *s = *state;
    mock_round_ask(s);
    (void)ask(s->w.node, "person", s->p);
    (void)ask(s->w.node, "person", s->q);
    mock_answer_drop(&s->a, "person", s->p);
    mock_round_seal(s);
    (void)mock_round_import(s, ERR_OK);
    mock_round_ask(s);
    assert_int_equal(s->req.n_questions, 1);
    assert_memory_equal(s->req.questions[0].id, s->q, 16);
    mock_round_seal(s);
    (void)mock_round_import(s, ERR_OK);
    mock_round_ask(s);
    mock_answer_drop(&s->a, "case_file", s->c); /* and of its case */
    mock_round_seal(s);
    (void)mock_round_import(s, ERR_OK);
    mock_round_ask(s);
    assert_int_equal(s->req.n_questions, 0);
    assert_int_equal(mock_ask(s->w.node, "SELECT count(*) FROM n_question"), 0);
}

/* The row is forgotten, then the power goes: the answer is taken again, though what it replies to is forgotten too. */
static void an_answer_that_forgets_what_it_replies_to_is_taken_after_a_power_cut_too(void **state)
{
    struct mock_round *s = *state;
    struct answer a;
    struct round_result r = {0};
    char id[33];
    uint64_t first = ask(s->w.node, "person", s->p), second = ask(s->w.node, "person", s->q);
    mock_round_ask(s);
    reply_to_all(s);
    mock_answer_drop(&s->a, "person", s->p);
    mock_round_seal(s);
    assert_int_equal(answer_verify(s->w.node, buf_bytes(&s->sealed), &a, NULL), ERR_OK);
    assert_int_equal(drops_carry_out(s->w.node, &a, &r, NULL), ERR_OK);
    answer_release(&a);
    mock_world_reopen(&s->w);
    hex_encode(id, s->p, 16);
    char sql[160];
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM n_question WHERE id = x'%s'", id);
    assert_int_equal(mock_ask(s->w.node, sql), 0);
    assert_int_equal(mock_ask(s->w.node, "SELECT count(*) FROM n_question"),
                     2); /* its number, until the answer is taken */
    assert_int_equal(mock_ask(s->w.node, "SELECT count(*) FROM n_receipt"), 0);
    (void)mock_round_import(s, ERR_OK);
    assert_int_equal(mock_ask(s->w.node, "SELECT count(*) FROM n_receipt"), 1);
    struct node_reply head;
    assert_int_equal(node_reply(s->w.node, first, &head, NULL, NULL, NULL), ERR_NOTFOUND);
    assert_int_equal(node_reply(s->w.node, second, &head, NULL, NULL, NULL), ERR_OK);
    assert_true(head.replied);
    assert_int_equal(mock_ask(s->w.node, "SELECT count(*) FROM n_question"), 1);
}

static void too_long_a_question_is_not_put(void **state)
{
    struct mock_round *s = *state;
    char text[1025];
    uint64_t number;
    memset(text, 'x', sizeof text - 1);
    text[3] = '\n';
    text[sizeof text - 1] = '\0';
    struct node_question q = {.kind = QUESTION_EMERGENCY, .text = text};
    assert_int_equal(node_ask(s->w.node, &q, &number, NULL), ERR_LIMIT);
    text[1023] = '\0';
    assert_int_equal(node_ask(s->w.node, &q, &number, NULL), ERR_OK);
    mock_round_ask(s);
    assert_int_equal(s->req.n_questions, 1);
    assert_string_equal(s->req.questions[0].text, text);
}

/* A row whose time is over stands aside, and its case is known from there alone. */
static void what_counted_a_hidden_row_goes_with_it_too(void **state)
{
    struct mock_round *s = *state;
    struct node_question share = about("case_file", s->c);
    uint64_t number = 0;
    share.kind = QUESTION_UNSHARE;
    share.agency = "police";
    assert_int_equal(node_ask(s->w.node, &share, &number, NULL), ERR_OK);
    mock_round_ask(s);
    reply_to_all(s);
    struct row again = mock_person(s->p, s->c, MOCK_SECRET);
    mock_answer_op(&s->a, OP_INSERT, &again);
    s->a.ends[0] = (struct end_item){.table_index = rules_table_index(bytes_of_str("person")), .not_after = 1};
    memcpy(s->a.ends[0].id, s->p, 16);
    s->a.n_ends = 1;
    mock_round_seal(s);
    (void)mock_round_import(s, ERR_OK);
    assert_int_equal(mock_ask(s->w.node, "SELECT count(*) FROM n_hidden"), 1);
    assert_int_equal(mock_ask(s->w.node, "SELECT count(*) FROM n_question WHERE replied_ms IS NOT NULL"), 1);
    mock_round_ask(s);
    mock_answer_drop(&s->a, "person", s->p);
    mock_round_seal(s);
    (void)mock_round_import(s, ERR_OK);
    assert_int_equal(mock_ask(s->w.node, "SELECT count(*) FROM n_hidden"), 0);
    assert_int_equal(mock_ask(s->w.node, "SELECT count(*) FROM n_question"), 0);
}

/* Else it would wait here for ever, and no request could be made, or read by the hub, with it. */
static void what_cannot_be_asked_is_not_put_and_keeps_no_contact_from_the_hub(void **state)
{
    struct mock_round *s = *state;
    const struct {
        unsigned kind;
        const char *agency, *text;
    } bad[] = {
        {QUESTION_SHARE, "", "view"},
        {QUESTION_SHARE, "police", ""},
        {QUESTION_UNSHARE, "", NULL},
        {QUESTION_SHARE, "police", "view\nstation\xe9"},
        {QUESTION_UNSHARE, "polic\xe9", NULL},
        {QUESTION_EMERGENCY, NULL, "C-7K2M9QXD"},
        {QUESTION_EMERGENCY, NULL, "C-7K2M9QXD\nmet her at the caf\xe9"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct node_question q = about("case_file", s->c);
        uint64_t number = 0;
        q.kind = bad[i].kind;
        q.agency = bad[i].agency;
        q.text = bad[i].text;
        if (q.kind == QUESTION_EMERGENCY) memset(q.id, 0, sizeof q.id);
        assert_int_equal(node_ask(s->w.node, &q, &number, NULL), ERR_USAGE);
    }
    struct node_question odd = about("person", s->p);
    odd.kind = QUESTION_SHARE;
    odd.agency = "police";
    odd.text = "view";
    assert_int_equal(node_ask(s->w.node, &odd, &(uint64_t){0}, NULL), ERR_USAGE);
    assert_int_equal(mock_ask(s->w.node, "SELECT count(*) FROM n_question"), 0);
    (void)ask(s->w.node, "person", s->p);
    mock_round_ask(s);
    assert_int_equal(s->req.n_questions, 1);
}

/* ------------------------------------------------------------------------------------------------------ a real hub */

static void a_device_that_is_set_up_anew_asks_nothing_of_before(void **state)
{
    struct real_device d;
    uint8_t c[16], p[16];
    struct node_reply head;
    (void)state;
    shared_case(c);
    real_join(&d, "school-1", "school", "Sam");
    (void)real_sync(&d, ERR_OK);
    (void)real_person(&d, c, "First", p);
    (void)real_sync(&d, ERR_OK);
    uint64_t first = ask(d.n, "person", p);
    (void)real_sync(&d, ERR_OK);
    assert_int_equal(node_reply(d.n, first, &head, NULL, NULL, NULL), ERR_OK);
    assert_true(head.replied);
    uint64_t second = ask(d.n, "case_file", c);
    real_again(&d);
    assert_int_equal(node_reply(d.n, first, &head, NULL, NULL, NULL), ERR_NOTFOUND);
    assert_int_equal(node_reply(d.n, second, &head, NULL, NULL, NULL), ERR_NOTFOUND);
    (void)real_sync(&d, ERR_OK);
    uint64_t third = ask(d.n, "case_file", c);
    assert_true(third > second);
    (void)real_sync(&d, ERR_OK);
    assert_int_equal(node_reply(d.n, third, &head, NULL, NULL, NULL), ERR_OK);
    assert_true(head.replied);
    real_gone(&d);
}

static void a_device_that_is_cut_off_is_told_nothing(void **state)
{
    struct real_device d;
    struct node_reply head;
    struct node_info info;
    struct why why = {0};
    uint8_t c[16];
    (void)state;
    shared_case(c);
    real_join(&d, "school-1", "school", "Sal");
    (void)real_sync(&d, ERR_OK);
    uint64_t number = ask(d.n, "case_file", c);
    assert_int_equal(node_get_info(d.n, &info, &why), ERR_OK);
    assert_int_equal(hub_revoke(hub->hub, info.self.kid, "lost", &why), ERR_OK);
    (void)real_sync(&d, ERR_REFUSED);
    assert_int_equal(node_reply(d.n, number, &head, NULL, NULL, NULL), ERR_OK);
    assert_false(head.replied);
    real_gone(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_reply_to_what_was_not_asked_is_refused_whole, begin, finish),
        cmocka_unit_test_setup_teardown(a_hub_that_does_not_reply_leaves_the_question_waiting, begin, finish),
        cmocka_unit_test_setup_teardown(what_is_asked_while_a_request_waits_goes_with_the_next, begin, finish),
        cmocka_unit_test_setup_teardown(nothing_is_asked_about_a_row_that_was_taken_away, begin, finish),
        cmocka_unit_test_setup_teardown(an_answer_that_forgets_what_it_replies_to_is_taken_after_a_power_cut_too, begin,
                                        finish),
        cmocka_unit_test_setup_teardown(what_counted_a_hidden_row_goes_with_it_too, begin, finish),
        cmocka_unit_test_setup_teardown(too_long_a_question_is_not_put, begin, finish),
        cmocka_unit_test_setup_teardown(what_cannot_be_asked_is_not_put_and_keeps_no_contact_from_the_hub, begin,
                                        finish),
    };
    const struct CMUnitTest real[] = {
        cmocka_unit_test(a_device_that_is_set_up_anew_asks_nothing_of_before),
        cmocka_unit_test(a_device_that_is_cut_off_is_told_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) + cmocka_run_group_tests(real, intake_start, intake_stop);
}
