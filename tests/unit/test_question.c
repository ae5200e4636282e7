/* Questions to the hub: their way there and back, why a row is here, and that nothing can be learnt of what may not be
 * known. */
#include "tests/lib/ends_ask.h"
#include "tests/lib/policy_variant.h"
#include "tests/lib/two_ends_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DAY INT64_C(86400000)

/* -------------------------------------------------------------------------------------------------------- the way */

static void a_question_is_answered_in_the_same_contact_and_the_reply_stays(void **state)
{
    struct ends_case k;
    (void)state;
    ends_case(&k);
    struct node_question q = ends_question(QUESTION_EXPLAIN, "person", k.person);
    struct ends_reply r = ends_ask(pol, &q);
    assert_true(ends_says(&r, "channel|face"));
    assert_true(ends_says(&r, "seat|contribute"));
    assert_false(ends_says(&r, "site")); /* ann's agency wrote it */
    assert_int_equal(r.head.hub_ms, ends_hub->now);
    ends_is_quiet(pol);
    uint64_t number = 0;
    assert_int_equal(node_reply_to(pol->n, &q, &number, NULL), ERR_OK);
    assert_int_equal(number, r.number);
    ends_reply_release(&r);
    /* Asked again, the old reply stands until the new one comes, and then no longer. */
    uint64_t again = ends_put_question(pol, &q);
    assert_int_equal(again, number + 1);
    assert_int_equal(ends_put_question(pol, &q), again); /* one is enough */
    assert_int_equal(node_reply_to(pol->n, &q, &number, NULL), ERR_OK);
    assert_int_equal(number, again - 1);
    (void)ends_sync(pol, ERR_OK);
    assert_int_equal(node_reply_to(pol->n, &q, &number, NULL), ERR_OK);
    assert_int_equal(number, again);
    struct node_reply head;
    assert_int_equal(node_reply(pol->n, again - 1, &head, NULL, NULL, NULL), ERR_NOTFOUND);
    ends_hub->now += 31 * DAY;
    assert_int_equal(node_reply(pol->n, again, &head, NULL, NULL, NULL), ERR_NOTFOUND);
    ends_all_sync();
}

static void who_else_sees_a_row_is_told_to_its_own_agency(void **state)
{
    struct ends_case k;
    uint8_t id[16];
    (void)state;
    ends_case(&k);
    ends_begin(pol);
    ends_person(pol, k.c, id, "Rees");
    (void)ends_commit(pol);
    /* In the very request that brings the row. */
    struct node_question q = ends_question(QUESTION_EXPLAIN, "person", id);
    struct ends_reply r = ends_ask(pol, &q);
    assert_true(ends_says(&r, "site|care-mash|care"));
    assert_true(ends_says(&r, "site|school-1|school"));
    assert_false(ends_says(&r, "site|police-hq"));
    assert_true(ends_says(&r, "channel|agency:police"));
    ends_reply_release(&r);
    ends_all_sync();
}

static void questions_by_the_dozen_are_answered_sixteen_at_a_time(void **state)
{
    struct ends_case k;
    uint64_t first = 0;
    (void)state;
    ends_case(&k);
    for (int i = 0; i < 40; i++) {
        struct node_question q = ends_question(QUESTION_WHO_SAW, "person", k.person);
        q.at_ms = ends_hub->now - i - 1;
        uint64_t number = ends_put_question(ann, &q);
        if (i == 0) first = number;
        assert_int_equal(number, first + (uint64_t)i);
    }
    struct round_result r = ends_sync(ann, ERR_OK);
    assert_int_equal(r.rounds, 3);
    for (uint64_t i = 0; i < 40; i++) {
        struct node_reply head;
        assert_int_equal(node_reply(ann->n, first + i, &head, NULL, NULL, NULL), ERR_OK);
        assert_true(head.replied);
    }
}

static void a_lost_answer_is_fetched_again_with_its_replies(void **state)
{
    struct ends_case k;
    (void)state;
    ends_case(&k);
    struct node_question q = ends_question(QUESTION_EXPLAIN, "person", k.person);
    uint64_t number = ends_put_question(sam, &q);
    sam->lose_answer = true;
    (void)ends_sync(sam, ERR_UNREACHABLE);
    struct ends_reply r = ends_read(sam, number);
    assert_false(r.head.replied);
    ends_reply_release(&r);
    (void)ends_sync(sam, ERR_OK);
    r = ends_read(sam, number);
    assert_true(r.head.replied);
    assert_true(ends_says(&r, "channel|face"));
    ends_reply_release(&r);
}

static void a_courier_carries_question_and_reply(void **state)
{
    struct ends_case k;
    struct buf request;
    (void)state;
    ends_case(&k);
    struct node_question q = ends_question(QUESTION_EXPLAIN, "person", k.person);
    uint64_t number = ends_put_question(sam, &q);
    buf_init(&request, 1u << 24);
    ends_export(sam, &request);
    (void)ends_import(sam, buf_bytes(&request));
    struct ends_reply r = ends_read(sam, number);
    assert_true(r.head.replied && r.n > 0);
    ends_reply_release(&r);
    buf_release(&request);
}

static void a_question_does_not_keep_the_hub_waiting(void **state)
{
    struct ends_case k;
    (void)state;
    ends_case(&k);
    struct node_question q = ends_question(QUESTION_EXPLAIN, "person", k.person);
    (void)ends_put_question(sam, &q);
    sam->rounds = 1;
    (void)ends_sync(sam, ERR_OK);
    assert_false(sam->parked);
    sam->rounds = 0;
    ends_is_quiet(sam);
}

/* ----------------------------------------------------------------------------------------------- what is taken away */

static int64_t at_node(struct ends_node *n, const char *sql)
{
    struct stmt *s;
    bool row = false;
    assert_int_equal(db_prepare(node_db(n->n), sql, &s, NULL), ERR_OK);
    assert_int_equal(db_step(s, &row, NULL), ERR_OK);
    int64_t v = row ? db_int(s, 0) : 0;
    db_done(s);
    return v;
}

static void questions_and_replies_go_with_the_row_before_its_receipt(void **state)
{
    struct ends_case k;
    (void)state;
    ends_case(&k);
    struct node_question q = ends_question(QUESTION_EXPLAIN, "person", k.person);
    struct node_question second = ends_question(QUESTION_EXPLAIN, "case_file", k.c);
    struct ends_reply r = ends_ask(sam, &q);
    ends_reply_release(&r);
    (void)ends_put_question(sam, &second);
    assert_true(at_node(sam, "SELECT count(*) FROM n_question") >= 2);
    int64_t others = at_node(sam, "SELECT count(*) FROM n_question");
    ends_write(ann, "participant", k.parts[1], "access", "none");
    ends_round(ann, 1, 0);
    /* The order to forget comes in the answer to the request that carries the question. */
    sam->rounds = 1;
    struct round_result got = ends_sync(sam, ERR_OK);
    sam->rounds = 0;
    assert_true(got.rows_dropped > 0);
    assert_true(at_node(sam, "SELECT count(*) FROM n_receipt") > 0);
    assert_true(at_node(sam, "SELECT count(*) FROM n_question") <= others - 2);
    (void)ends_sync(sam, ERR_OK);
    uint64_t number;
    assert_int_equal(node_reply_to(sam->n, &q, &number, NULL), ERR_NOTFOUND);
    assert_int_equal(node_reply_to(sam->n, &second, &number, NULL), ERR_NOTFOUND);
    assert_int_equal(node_ask(sam->n, &q, &number, NULL), ERR_NOTFOUND);
}

/* --------------------------------------------------------------------------------------------------- nothing leaks */

/* Sent by a device that breaks its own rules: about rows that it does not hold. */
static size_t answer_to(struct fake_node *n, struct question *q, size_t *out_lines)
{
    struct buf item;
    struct bundle_reader *in = NULL;
    struct seal_header head;
    struct bytes got;
    uint8_t binding[32];
    bool end = false;
    size_t size = 0;
    *out_lines = SIZE_MAX;
    memcpy(q->hub, hub_identity(n->f->hub)->kid, 16);
    memcpy(q->user, n->user, 16);
    q->number++;
    buf_init(&item, 1u << 16);
    assert_int_equal(message_put_question(&item, &n->id, q, NULL), ERR_OK);
    fake_node_queue(n, buf_bytes(&item));
    assert_int_equal(fake_node_try(n), ERR_OK);
    assert_int_equal(bundle_reader_new(&in, buf_bytes(&n->got), &n->id, &head, binding, NULL), ERR_OK);
    while (bundle_next(in, &got, &end, NULL) == ERR_OK && !end) {
        struct reply r;
        if (message_type(got) != MSG_REPLY) continue;
        assert_int_equal(message_get_reply(got, hub_identity(n->f->hub), &r, NULL), ERR_OK);
        assert_memory_equal(r.node, n->id.pub.kid, 16);
        assert_int_equal(r.number, q->number);
        *out_lines = r.n_lines;
        size = got.n;
    }
    bundle_reader_free(in);
    buf_release(&item);
    return size;
}

static void what_is_hidden_and_what_is_not_there_get_the_same_reply(void **state)
{
    struct ends_case k;
    struct fake_node *spy = calloc(1, sizeof *spy);
    uint8_t record[16];
    size_t lines = 0;
    (void)state;
    assert_non_null(spy);
    ends_case(&k);
    env_new_id(&ends_hub->env, record);
    ends_begin(ann);
    struct row r = ends_row(ann, "record", record, k.c);
    ends_text(&r, "kind", "note");
    ends_text(&r, "title", "for the room");
    ends_text(&r, "sensitivity", "sensitive");
    ends_put(ann, &r);
    (void)ends_commit(ann);
    ends_round(ann, 1, 0);
    fake_node_enrol(spy, ends_hub, "school-1", "school", "Sue");
    fake_node_pull(spy);
    struct question q = {.number = 1};
    for (int kind = QUESTION_EXPLAIN; kind <= QUESTION_UNSHARE; kind++) {
        bool preview = kind >= QUESTION_SHARE;
        q = (struct question){.number = 1, .kind = (uint64_t)kind};
        q.table = (uint64_t)rules_table_index(bytes_of_str(preview ? "case_file" : "record"));
        if (preview) (void)snprintf(q.agency, sizeof q.agency, "police");
        if (kind == QUESTION_SHARE) (void)snprintf(q.text, sizeof q.text, "view");
        memcpy(q.id, preview ? k.c : record, 16);
        size_t hidden = answer_to(spy, &q, &lines), whole = spy->got.len;
        assert_int_equal(lines, 0);
        memset(q.id, 0x5a, 16);
        assert_int_equal(answer_to(spy, &q, &lines), hidden);
        assert_int_equal(lines, 0);
        assert_int_equal(spy->got.len, whole);
    }
    /* Seen, but another agency's: why it is here, and no more. */
    q = (struct question){.number = 1, .kind = QUESTION_WHO_SAW};
    q.table = (uint64_t)rules_table_index(bytes_of_str("person"));
    memcpy(q.id, k.person, 16);
    (void)answer_to(spy, &q, &lines);
    assert_int_equal(lines, 0);
    q.kind = QUESTION_EXPLAIN;
    (void)answer_to(spy, &q, &lines);
    assert_true(lines > 0);
    fake_node_release(spy);
    free(spy);
}

/* ------------------------------------------------------------------------------------------------------ who saw */

static void who_saw_tells_of_devices_until_they_confirm(void **state)
{
    struct ends_case k;
    uint8_t id[16];
    char line[128], kid[37];
    (void)state;
    ends_case(&k);
    ends_begin(pol);
    ends_person(pol, k.c, id, "Rees");
    (void)ends_commit(pol);
    ends_round(pol, 1, 0);
    ends_hub->now += 60000;
    ends_all_sync();
    struct node_question q = ends_question(QUESTION_WHO_SAW, "person", id);
    struct ends_reply r = ends_ask(pol, &q);
    uuid_format(sam->kid, kid);
    (void)snprintf(line, sizeof line, "device|%s|school-1|holds|%lld", kid, (long long)ends_hub->now);
    assert_true(ends_says(&r, line));
    (void)snprintf(line, sizeof line, "site|school-1|school|%lld|", (long long)ends_hub->now - 60000);
    assert_true(ends_says(&r, line));
    ends_reply_release(&r);
    int64_t then = ends_hub->now;
    ends_hub->now += 60000;
    ends_write(ann, "participant", k.parts[1], "access", "none");
    ends_round(ann, 1, 0);
    r = ends_ask(pol, &q);
    uuid_format(sam->kid, kid);
    (void)snprintf(line, sizeof line, "device|%s|school-1|unconfirmed|%lld", kid, (long long)ends_hub->now);
    assert_true(ends_says(&r, line));
    ends_reply_release(&r);
    ends_hub->now += 60000;
    (void)ends_sync(sam, ERR_OK);
    r = ends_ask(pol, &q);
    (void)snprintf(line, sizeof line, "device|%s|school-1|confirmed|%lld", kid, (long long)ends_hub->now);
    assert_true(ends_says(&r, line));
    ends_reply_release(&r);
    q.at_ms = then;
    r = ends_ask(pol, &q);
    (void)snprintf(line, sizeof line, "device|%s|school-1|holds|%lld", kid, (long long)then);
    assert_true(ends_says(&r, line));
    ends_reply_release(&r);
}

static void set_part(const uint8_t id[16], const char *column, struct value v)
{
    ends_begin(ann);
    ends_set(ann, "participant", id, column, v);
    (void)ends_commit(ann);
    (void)ends_sync(ann, ERR_OK);
    ends_hub->now += 60000;
}

static void let_the_school_in_quietly(const struct ends_case *k, uint8_t part[16])
{
    env_new_id(&ends_hub->env, part);
    ends_begin(ann);
    struct row r = ends_row(ann, "participant", part, k->c);
    ends_text(&r, "member", "school");
    ends_text(&r, "site", "school-1");
    ends_text(&r, "access", "view");
    r.v[rules_column_index(r.table, bytes_of_str("quiet"))] = value_int(1);
    ends_put(ann, &r);
    (void)ends_commit(ann);
    (void)ends_sync(ann, ERR_OK);
}

/* A quiet part changes nothing in what anybody but the room is told of his own rows: neither by a line more nor by
 * one less. */
static void quiet_parts_are_told_to_the_room_alone(void **state)
{
    struct ends_case k;
    uint8_t id[16], quiet[16], note[16];
    (void)state;
    ends_case(&k);
    set_part(k.parts[1], "access", value_str("none")); /* the school is out */
    ends_all_sync();
    ends_begin(pol);
    ends_person(pol, k.c, id, "Rees");
    (void)ends_commit(pol);
    ends_all_sync();
    ends_all_sync(); /* the room has it too */
    ends_hub->now += 60000;
    struct node_question saw = ends_question(QUESTION_WHO_SAW, "person", id);
    struct node_question why = ends_question(QUESTION_EXPLAIN, "person", id);
    struct ends_reply before[2] = {ends_ask(pol, &saw), ends_ask(pol, &why)};
    let_the_school_in_quietly(&k, quiet);
    (void)ends_sync(sam, ERR_OK);
    ends_shows(sam, "person", id, "family_name", "Rees");
    struct ends_reply during[2] = {ends_ask(pol, &saw), ends_ask(pol, &why)};
    ends_hub->now += 60000;
    set_part(quiet, "access", value_str("none"));
    (void)ends_sync(sam, ERR_OK);
    struct ends_reply after[2] = {ends_ask(pol, &saw), ends_ask(pol, &why)};
    for (int i = 0; i < 2; i++) {
        assert_string_equal((char *)before[i].text.data, (char *)during[i].text.data);
        assert_string_equal((char *)before[i].text.data, (char *)after[i].text.data);
        ends_reply_release(&before[i]);
        ends_reply_release(&during[i]);
        ends_reply_release(&after[i]);
    }
    /* The room, of a row of its own. */
    set_part(quiet, "access", value_str("view"));
    env_new_id(&ends_hub->env, note);
    ends_begin(ann);
    ends_person(ann, k.c, note, "Price");
    (void)ends_commit(ann);
    struct node_question ours = ends_question(QUESTION_EXPLAIN, "person", note);
    struct ends_reply r = ends_ask(ann, &ours);
    assert_true(ends_says(&r, "site|school-1|school"));
    ends_reply_release(&r);
    set_part(quiet, "access", value_str("none"));
    ends_all_sync();
}

static void come_under(const struct policy_variant *v)
{
    char *text = policy_variant_text(v);
    bool done = false;
    assert_non_null(text);
    assert_int_equal(hub_policy_apply(ends_hub->hub, bytes_of_str(text), "for a test", NULL), ERR_OK);
    for (int i = 0; i < 1000 && !done; i++) {
        ends_hub->now += 60000;
        assert_int_equal(hub_policy_continue(ends_hub->hub, 1, &done, NULL), ERR_OK);
    }
    assert_true(done);
    free(text);
}

/* While a case stands under two policies its masks are kept in bits that mean no channels: who asks about that time
 * later is told no more of a quiet part, and no less of an open one. Last, because the policy stays. */
static void a_policy_that_changed_tells_of_no_quiet_part(void **state)
{
    static const struct policy_variant variant = {.rows = "WHEN tbl = 'warning' AND channel = 'face' THEN 'room'"
                                                          " WHEN tbl = 'contact' AND channel = 'room' THEN 'shared'"};
    struct ends_case k;
    uint8_t id[16], quiet[16], note[16];
    (void)state;
    ends_case(&k);
    set_part(k.parts[1], "access", value_str("none")); /* the school is out */
    ends_all_sync();
    ends_begin(pol);
    ends_person(pol, k.c, id, "Rees");
    env_new_id(&ends_hub->env, note);
    struct row warning = ends_row(pol, "warning", note, k.c);
    ends_put(pol, &warning);
    env_new_id(&ends_hub->env, note);
    struct row contact = ends_row(pol, "contact", note, k.c);
    contact.v[rules_column_index(contact.table, bytes_of_str("person_id"))] = value_id(id);
    contact.v[rules_column_index(contact.table, bytes_of_str("protected"))] = value_int(1);
    ends_put(pol, &contact);
    (void)ends_commit(pol);
    ends_all_sync();
    ends_all_sync(); /* the room has it too */
    ends_hub->now += 60000;
    struct node_question saw = ends_question(QUESTION_WHO_SAW, "person", id);
    struct ends_reply before = ends_ask(pol, &saw);
    let_the_school_in_quietly(&k, quiet);
    come_under(&variant);
    assert_int_not_equal(
        ends_count("SELECT count(*) FROM h_turn t JOIN h_case c ON c.no = t.case_no WHERE c.id = $1", k.c), 0);
    (void)ends_sync(sam, ERR_OK);
    ends_shows(sam, "person", id, "family_name", "Rees");
    struct ends_reply after = ends_ask(pol, &saw);
    assert_string_equal((char *)before.text.data, (char *)after.text.data);
    ends_reply_release(&before);
    ends_reply_release(&after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_is_answered_in_the_same_contact_and_the_reply_stays),
        cmocka_unit_test(who_else_sees_a_row_is_told_to_its_own_agency),
        cmocka_unit_test(questions_by_the_dozen_are_answered_sixteen_at_a_time),
        cmocka_unit_test(a_lost_answer_is_fetched_again_with_its_replies),
        cmocka_unit_test(a_courier_carries_question_and_reply),
        cmocka_unit_test(a_question_does_not_keep_the_hub_waiting),
        cmocka_unit_test(questions_and_replies_go_with_the_row_before_its_receipt),
        cmocka_unit_test(what_is_hidden_and_what_is_not_there_get_the_same_reply),
        cmocka_unit_test(who_saw_tells_of_devices_until_they_confirm),
        cmocka_unit_test(quiet_parts_are_told_to_the_room_alone),
        cmocka_unit_test(a_policy_that_changed_tells_of_no_quiet_part),
    };
    return cmocka_run_group_tests(tests, ends_start, ends_stop);
}
