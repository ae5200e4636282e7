/* The hub's side of a round: who is answered, once, with the same bytes; and that a refused request changes nothing. */
#include "base/cbor.h"
#include "hub/internal.h"
#include "tests/lib/round_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void the_first_round_brings_the_reference_data(void **state)
{
    (void)state;
    struct fake_node *n = round_device("school-1", "school", "Sue");
    bool more = false;
    fake_node_round(n);
    assert_true(n->n_rows > 0);
    assert_false(n->result.parked);
    do {
        fake_node_round(n);
        more = n->hello.more;
    } while (more);
    fake_node_round(n);
    assert_int_equal(n->n_rows, 0); /* nothing twice */
    round_gone(n);
}

static void a_case_made_here_arrives_at_the_room_and_nowhere_else(void **state)
{
    (void)state;
    struct fake_node *school = round_device("school-1", "school", "Sue"), *room = round_device("care-mash", "care", "Carla");
    struct fake_node *police = round_device("police-hq", "police", "Paul");
    static const char *const members[] = {"school:contribute", NULL};
    uint8_t id[16];
    fake_node_pull(school);
    fake_node_pull(room);
    fake_node_pull(police);
    fake_case(school, id, "care", members);
    assert_true(school->result.moved);
    fake_node_round(room);
    assert_true(fake_node_got(room, "case_file", id));
    assert_true(fake_node_got(room, "brief", id));
    fake_node_round(police);
    assert_int_equal(police->n_rows, 0);
    round_gone(school);
    round_gone(room);
    round_gone(police);
}

static void a_request_again_gets_the_same_bytes_and_changes_nothing(void **state)
{
    (void)state;
    struct fake_node *n = round_device("care-mash", "care", "Carla");
    struct why why = {0};
    struct buf again;
    uint8_t id[16], hash[32], before[32], after[32];
    buf_init(&again, 64u << 20);
    fake_node_pull(n);
    fake_case(n, id, "care", round_nobody);
    fake_hub_hash(round_hub, before);
    assert_int_equal(hub_exchange(round_hub->hub, buf_bytes(&n->sent), false, &again, NULL, &why), ERR_OK);
    assert_true(bytes_equal(buf_bytes(&again), buf_bytes(&n->got)));
    fake_hub_hash(round_hub, after);
    assert_memory_equal(before, after, 32);
    buf_reset(&again);
    hash_blake2b(hash, buf_bytes(&n->sent));
    fake_hub_reopen(round_hub); /* and after a restart */
    assert_int_equal(hub_answer_again(round_hub->hub, hash, &again, &why), ERR_OK);
    assert_true(bytes_equal(buf_bytes(&again), buf_bytes(&n->got)));
    hash[0] ^= 1;
    assert_int_equal(hub_answer_again(round_hub->hub, hash, &again, &why), ERR_NOTFOUND);
    fake_node_round(n);
    buf_release(&again);
    round_gone(n);
}

static void wrong_request_numbers_are_refused_and_noted(void **state)
{
    (void)state;
    struct fake_node *n = round_device("care-mash", "care", "Carla");
    uint8_t id[16];
    fake_node_pull(n);
    fake_case(n, id, "care", round_nobody);
    round_queue_person(n, id);
    n->request++;
    fake_node_pack(n);
    round_refused(n, ERR_REFUSED); /* ahead of the hub, which is no fault of the device */
    assert_true(fake_hub_int(round_hub, "SELECT count(*) FROM h_act WHERE act = 'refused'") > 0);
    n->request--;
    fake_node_round(n);
    assert_int_equal(n->n_verdicts, 1);
    n->request--;
    fake_node_pack(n);
    round_refused(n, ERR_REFUSED); /* put back from a copy */
    assert_int_equal(fake_hub_int(round_hub, "SELECT count(*) FROM h_node WHERE state = 'forked' AND reason IS NOT NULL"), 1);
    n->request++;
    fake_node_pack(n);
    round_refused(n, ERR_REFUSED); /* from now on */
    round_gone(n);
}

/* As if so many had been answered since: by the hub's count and by the device's own. */
static void passed(struct fake_node *n, uint64_t requests)
{
    char sql[200];
    struct why why = {0};
    (void)snprintf(sql, sizeof sql, "UPDATE h_node SET last_request = last_request + %llu WHERE state = 'enrolled' AND last_request = %llu",
                   (unsigned long long)requests, (unsigned long long)n->request);
    assert_int_equal(db_begin(round_hub->hub->db, &why), ERR_OK);
    assert_int_equal(db_exec(round_hub->hub->db, sql, &why), ERR_OK);
    assert_int_equal(db_commit(round_hub->hub->db, &why), ERR_OK);
    n->request += requests;
}

static void the_hub_forgets_requests_that_thousands_came_after_and_holds_none_of_them_against_its_device(void **state)
{
    (void)state;
    struct fake_node *n = round_device("care-mash", "care", "Carla");
    struct buf first;
    int64_t others = fake_hub_int(round_hub, "SELECT count(*) FROM h_request");
    int64_t forked = fake_hub_int(round_hub, "SELECT count(*) FROM h_node WHERE state = 'forked'");
    buf_init(&first, 64u << 20);
    fake_node_round(n);
    buf_put_bytes(&first, buf_bytes(&n->sent));
    for (int i = 0; i < 40; i++) fake_node_round(n);
    assert_int_equal(fake_hub_int(round_hub, "SELECT count(*) FROM h_request"), others + 41);
    passed(n, NODES_REQUESTS - 1); /* all 41 are pushed out but the newest, by one round at most 32 of them */
    fake_node_round(n);
    assert_int_equal(fake_hub_int(round_hub, "SELECT count(*) FROM h_request"), others + 41 + 1 - 32);
    for (int i = 0; i < 20; i++) fake_node_round(n);
    assert_int_equal(fake_hub_int(round_hub, "SELECT count(*) FROM h_request"), others + 21);
    buf_reset(&n->sent);
    buf_put_bytes(&n->sent, buf_bytes(&first)); /* somebody kept it, and sends it now */
    round_refused(n, ERR_REFUSED);
    assert_int_equal(fake_hub_int(round_hub, "SELECT count(*) FROM h_node WHERE state = 'forked'"), forked);
    fake_node_round(n);
    n->request -= 30; /* among those that the hub remembers: no late one has other bytes */
    fake_node_pack(n);
    round_refused(n, ERR_REFUSED);
    assert_int_equal(fake_hub_int(round_hub, "SELECT count(*) FROM h_node WHERE state = 'forked'"), forked + 1);
    buf_release(&first);
    round_gone(n);
}

static void a_device_whose_records_are_newer_than_the_hub_is_refused_and_administrators_see_why(void **state)
{
    (void)state;
    struct fake_node *n = round_device("care-mash", "care", "Carla");
    uint8_t id[16];
    fake_node_pull(n);
    fake_case(n, id, "care", round_nobody);
    round_queue_person(n, id);
    n->schema = rules_schema_newest() + 1;
    fake_node_pack(n);
    for (int i = 0; i < 2; i++) round_refused(n, ERR_REFUSED);
    assert_int_equal(fake_hub_int(round_hub, "SELECT count(*) FROM h_act WHERE act = 'refused' AND reason LIKE "
                                             "'%newer Spoke%update the hub%'"),
                     1);
    assert_int_equal(fake_hub_int(round_hub, "SELECT count(*) FROM h_node WHERE state = 'forked' AND site_no = "
                                             "(SELECT no FROM h_site WHERE code = 'care-mash') AND reason LIKE '%Spoke%'"),
                     0);
    n->schema = 0; /* the hub was updated, as it were */
    fake_node_round(n);
    assert_int_equal(n->n_verdicts, 1);
    round_gone(n);
}

static void another_last_answer_or_cursor_is_refused(void **state)
{
    (void)state;
    struct fake_node *n = round_device("care-mash", "care", "Carla");
    fake_node_pull(n);
    n->last_answer[3] ^= 1;
    fake_node_pack(n);
    round_refused(n, ERR_REFUSED);
    n->last_answer[3] ^= 1;
    n->cursor[3] ^= 1;
    fake_node_pack(n);
    round_refused(n, ERR_REFUSED);
    memset(n->cursor, 0, sizeof n->cursor); /* a valid cut, but not where the last answer left it */
    fake_node_pack(n);
    round_refused(n, ERR_REFUSED);
    round_gone(n);
}

static void a_device_nobody_enrolled_is_refused_in_the_same_words(void **state)
{
    (void)state;
    struct fake_node *n = round_device("care-mash", "care", "Carla");
    struct identity_secret stranger = {0};
    struct why a = {0}, b = {0};
    struct buf out;
    buf_init(&out, 1u << 20);
    n->request += 5;
    fake_node_pack(n);
    assert_int_equal(hub_exchange(round_hub->hub, buf_bytes(&n->sent), false, &out, NULL, &a), ERR_REFUSED);
    n->request -= 5;
    struct identity_secret known = n->id;
    assert_int_equal(identity_generate(&stranger, NULL), ERR_OK);
    n->id = stranger;
    fake_node_pack(n);
    assert_int_equal(hub_exchange(round_hub->hub, buf_bytes(&n->sent), false, &out, NULL, &b), ERR_REFUSED);
    assert_string_equal(a.text, b.text);
    n->id = known;
    identity_release(&stranger);
    buf_release(&out);
    round_gone(n);
}

static void damaged_and_cut_requests_change_nothing(void **state)
{
    (void)state;
    struct fake_node *n = round_device("care-mash", "care", "Carla");
    uint8_t id[16];
    fake_node_pull(n);
    fake_case(n, id, "care", round_nobody);
    round_queue_person(n, id);
    fake_node_pack(n);
    size_t whole = n->sent.len;
    n->sent.len = whole - 1;
    round_refused(n, ERR_TAMPERED);
    n->sent.len = whole - 20;
    round_refused(n, ERR_TAMPERED);
    n->sent.len = whole;
    n->sent.data[whole - 5] ^= 1;
    round_refused(n, ERR_TAMPERED);
    n->sent.data[whole - 5] ^= 1;
    n->sent.len = 10;
    round_refused(n, ERR_FORMAT);
    n->sent.len = whole;
    assert_int_equal(fake_node_send(n, false), ERR_OK);
    round_gone(n);
}

/* A hello taken from one bundle and put before other items in another. */
static void a_hello_of_another_stream_is_refused(void **state)
{
    (void)state;
    struct fake_node *n = round_device("care-mash", "care", "Carla");
    struct why why = {0};
    struct seal_header head = {.version = 1, .kind = 1};
    struct node_hello m = {.epoch = 1, .request = 1, .schema = 1, .software = "fake"};
    struct bundle_writer *w = NULL;
    uint8_t binding[32];
    struct buf item;
    memcpy(head.recipient, hub_identity(round_hub->hub)->kid, 16);
    memcpy(head.sender, n->id.pub.kid, 16);
    memcpy(m.hub, head.recipient, 16);
    buf_init(&item, 1u << 16);
    assert_int_equal(bundle_writer_new(&w, &head, hub_identity(round_hub->hub), &n->sent, binding, &why), ERR_OK);
    memset(m.binding, 7, sizeof m.binding);
    assert_int_equal(message_put_node_hello(&item, &n->id, &m, &why), ERR_OK);
    assert_int_equal(bundle_put(w, "", buf_bytes(&item), &why), ERR_OK);
    assert_int_equal(bundle_finish(w, &why), ERR_OK);
    bundle_writer_free(w);
    round_refused(n, ERR_TAMPERED);
    buf_release(&item);
    round_gone(n);
}

static void an_item_that_no_node_sends_is_refused_whole(void **state)
{
    (void)state;
    struct fake_node *n = round_device("care-mash", "care", "Carla");
    struct buf item;
    uint8_t id[16];
    fake_node_pull(n);
    fake_case(n, id, "care", round_nobody);
    round_queue_person(n, id);
    buf_init(&item, 64);
    cbor_put_array(&item, 1);
    cbor_put_uint(&item, 99);
    fake_node_queue(n, buf_bytes(&item));
    fake_node_pack(n);
    round_refused(n, ERR_FORMAT);
    buf_release(&item);
    round_gone(n);
}

static void with_nothing_to_say_the_request_is_parked_and_nothing_is_written(void **state)
{
    (void)state;
    struct fake_node *n = round_device("care-mash", "care", "Carla"), *other = round_device("care-mash", "care", "Mona");
    uint8_t id[16];
    fake_node_pull(other);
    fake_node_pull(n);
    fake_node_round(n);
    n->wait_ms = 30000;
    fake_node_pack(n);
    assert_int_equal(fake_node_send(n, true), ERR_OK);
    assert_true(n->result.parked);
    assert_int_equal(n->result.park_ms, 30000);
    assert_int_equal(n->got.len, 0);
    fake_case(other, id, "care", round_nobody);
    assert_int_equal(fake_node_send(n, true), ERR_OK); /* the same request, handed over again */
    assert_false(n->result.parked);
    assert_true(fake_node_got(n, "case_file", id));
    fake_node_pack(n);
    assert_int_equal(fake_node_send(n, false), ERR_OK); /* the caller cannot hold it: answered */
    assert_false(n->result.parked);
    round_gone(n);
    round_gone(other);
}

static void a_request_with_work_is_never_parked(void **state)
{
    (void)state;
    struct fake_node *n = round_device("care-mash", "care", "Carla");
    uint8_t id[16];
    fake_node_pull(n);
    fake_case(n, id, "care", round_nobody);
    round_queue_person(n, id);
    n->wait_ms = 1000;
    fake_node_pack(n);
    assert_int_equal(fake_node_send(n, true), ERR_OK);
    assert_false(n->result.parked);
    assert_int_equal(n->n_verdicts, 1);
    round_gone(n);
}

static void a_revoked_devices_work_is_held_and_it_gets_no_pages(void **state)
{
    (void)state;
    struct fake_node *n = round_device("care-mash", "care", "Carla"), *other = round_device("care-mash", "care", "Mona");
    struct why why = {0};
    uint8_t id[16], late[16];
    fake_node_pull(n);
    fake_node_pull(other);
    fake_case(n, id, "care", round_nobody);
    assert_int_equal(hub_revoke(round_hub->hub, n->id.pub.kid, "lost on a train", &why), ERR_OK);
    fake_case(other, late, "care", round_nobody);
    uint8_t person[16];
    struct fake_edit e;
    fake_edit_start(&e);
    struct op p = fake_person(n, person, id, "Smith");
    fake_put(&e, &p);
    const struct fake_verdict *v = fake_send(n, &e);
    assert_int_equal(v->verdict, VERDICT_HELD);
    assert_non_null(strstr(v->reason, "revoked"));
    assert_true(n->hello.revoked);
    assert_int_equal(n->n_rows, 0);
    assert_int_equal(n->n_drops, 0);
    bool by_mask, by_view;
    assert_int_not_equal(
        hub_sees(round_hub->hub, "care-mash", "person", person, &by_mask, &by_view, &why) == ERR_OK && by_mask, 1);
    fake_node_round(n);
    assert_int_equal(n->n_rows, 0);
    round_gone(n);
    round_gone(other);
}

/* A receipt for what was never ordered, another device's, and one that is true. */
static void receipts_must_fit_their_orders(void **state)
{
    static const char *const members[] = {"school:contribute", NULL};
    (void)state;
    struct fake_node *n = round_device("care-mash", "care", "Carla"), *school = round_device("school-1", "school", "Sue");
    struct why why = {0};
    struct receipt m = {.request = 1, .rows = 1, .kind = 1};
    struct buf item;
    struct fake_edit e;
    uint8_t id[16];
    buf_init(&item, 1u << 16);
    fake_node_pull(n);
    fake_case(n, id, "care", members);
    fake_node_pull(school);
    for (int whose = 0; whose < 2; whose++) {
        buf_reset(&item);
        memcpy(m.node, whose ? n->id.pub.kid : school->id.pub.kid, 16);
        assert_int_equal(message_put_receipt(&item, &school->id, &m, &why), ERR_OK);
        fake_node_queue(school, buf_bytes(&item));
        fake_node_pack(school);
        round_refused(school, ERR_TAMPERED);
        school->queue.len = 0;
    }
    fake_edit_start(&e);
    struct op close = fake_change("case_file", id);
    fake_value(&close, "voided_at", value_int(1));
    fake_put(&e, &close);
    assert_int_equal(fake_send(n, &e)->verdict, VERDICT_APPLIED);
    fake_node_round(school);
    assert_int_equal(school->n_drops, 1); /* a voided row is its writer's and the room's */
    assert_int_equal(fake_hub_int(round_hub, "SELECT count(*) FROM h_drop WHERE receipt_at IS NULL AND request IS NOT NULL"),
                     1);
    fake_node_round(school);
    assert_int_equal(fake_hub_int(round_hub, "SELECT count(*) FROM h_drop WHERE receipt_at IS NULL AND request IS NOT NULL"),
                     0);
    buf_release(&item);
    round_gone(n);
    round_gone(school);
}

/* After a restore, or for a courier who was long on the way: more than fits into one answer's note. A device that could
 * not be answered would be shut out for good. */
static void verdicts_beyond_what_one_answer_holds_come_with_the_next(void **state)
{
    struct fake_node *n = round_device("school-1", "school", "Sue");
    struct why why = {0};
    struct stmt *s;
    size_t told = 0, rounds = 0;
    (void)state;
    n->notes = true;
    fake_node_pull(n);
    assert_int_equal(db_prepare(hub_db(round_hub->hub),
                                "INSERT INTO h_envelope(node_no, seq, hash, cose, parts, base_cut, hlc, user, received_at, version, verdict, "
                                "reason) WITH RECURSIVE i(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM i WHERE x < 42000) SELECT (SELECT no "
                                "FROM h_node WHERE kid = $1), x, $2, $2, $2, $1, 0, $1, 1, 1, 2, $3 FROM i",
                                &s, &why),
                     ERR_OK);
    db_bind_id(s, 1, n->id.pub.kid);
    db_bind_blob(s, 2, bytes_of("an envelope of thirty-two bytes.", 32));
    char reason[420];
    memset(reason, 'x', sizeof reason - 1);
    reason[sizeof reason - 1] = '\0';
    db_bind_str(s, 3, reason);
    assert_int_equal(db_run(s, &why), ERR_OK);
    do {
        fake_node_round(n);
        assert_true(n->n_told > 0 && n->n_told <= 20000 && n->note_bytes > n->n_told * 400 && n->note_bytes < 16u << 20);
        told += n->n_told;
        rounds++;
    } while (n->hello.more);
    assert_int_equal(told, 42000);
    assert_int_equal(rounds, 3);
    round_gone(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_round_brings_the_reference_data),
        cmocka_unit_test(a_case_made_here_arrives_at_the_room_and_nowhere_else),
        cmocka_unit_test(a_request_again_gets_the_same_bytes_and_changes_nothing),
        cmocka_unit_test(wrong_request_numbers_are_refused_and_noted),
        cmocka_unit_test(the_hub_forgets_requests_that_thousands_came_after_and_holds_none_of_them_against_its_device),
        cmocka_unit_test(a_device_whose_records_are_newer_than_the_hub_is_refused_and_administrators_see_why),
        cmocka_unit_test(another_last_answer_or_cursor_is_refused),
        cmocka_unit_test(a_device_nobody_enrolled_is_refused_in_the_same_words),
        cmocka_unit_test(damaged_and_cut_requests_change_nothing),
        cmocka_unit_test(a_hello_of_another_stream_is_refused),
        cmocka_unit_test(an_item_that_no_node_sends_is_refused_whole),
        cmocka_unit_test(with_nothing_to_say_the_request_is_parked_and_nothing_is_written),
        cmocka_unit_test(a_request_with_work_is_never_parked),
        cmocka_unit_test(a_revoked_devices_work_is_held_and_it_gets_no_pages),
        cmocka_unit_test(receipts_must_fit_their_orders),
        cmocka_unit_test(verdicts_beyond_what_one_answer_holds_come_with_the_next),
    };
    return cmocka_run_group_tests(tests, round_start, round_stop);
}
