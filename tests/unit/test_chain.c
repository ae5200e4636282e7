/* A chain of changes: numbered, linked, signed, for this hub; anything else fails the round and changes nothing. */
#include "tests/lib/round_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void two_histories_of_one_device_are_found_and_it_is_locked_out(void **state)
{
    (void)state;
    struct fake_node *n = round_device("care-mash", "care", "Carla");
    uint8_t id[16];
    fake_node_pull(n);
    fake_case(n, id, "care", round_nobody);
    n->seq = 0; /* a copy from before */
    memset(n->prev, 0, sizeof n->prev);
    round_queue_person(n, id);
    fake_node_pack(n);
    round_refused(n, ERR_REFUSED);
    assert_int_equal(fake_hub_int(round_hub, "SELECT count(*) FROM h_node WHERE state = 'forked'"), 1);
    buf_reset(&n->queue);
    fake_node_pack(n);
    round_refused(n, ERR_REFUSED); /* from now on */
    round_gone(n);
}

static void a_gap_in_the_chain_is_refused_whole(void **state)
{
    (void)state;
    struct fake_node *n = round_device("care-mash", "care", "Carla");
    uint8_t id[16], prev[32];
    fake_node_pull(n);
    fake_case(n, id, "care", round_nobody);
    uint64_t seq = n->seq;
    memcpy(prev, n->prev, 32);
    round_queue_person(n, id);
    n->seq = seq + 1;
    round_queue_person(n, id);
    fake_node_pack(n); /* seq+1, then seq+2: good */
    n->queue.len = 0;
    n->seq = seq + 1;
    round_queue_person(n, id); /* seq+2 alone */
    fake_node_pack(n);
    round_refused(n, ERR_REFUSED);
    assert_int_equal(fake_hub_int(round_hub, "SELECT count(*) FROM h_envelope WHERE seq > 100"), 0);
    n->queue.len = 0;
    n->seq = seq;
    memcpy(n->prev, prev, 32);
    round_queue_person(n, id);
    fake_node_round(n);
    assert_int_equal(n->verdicts[0].verdict, VERDICT_APPLIED);
    round_gone(n);
}

/* Chain broken at the next number: another history too. */
static void a_wrong_link_to_the_previous_change_is_a_fork(void **state)
{
    (void)state;
    struct fake_node *n = round_device("care-mash", "care", "Carla");
    uint8_t id[16];
    fake_node_pull(n);
    fake_case(n, id, "care", round_nobody);
    n->prev[0] ^= 1;
    round_queue_person(n, id);
    fake_node_pack(n);
    round_refused(n, ERR_REFUSED);
    round_gone(n);
}

/* Somebody else's envelope, well signed, in this device's request. */
static void a_change_signed_by_another_device_fails_the_round(void **state)
{
    (void)state;
    struct fake_node *n = round_device("care-mash", "care", "Carla"), *other = round_device("care-mash", "care", "Mona");
    uint8_t id[16];
    fake_node_pull(n);
    fake_node_pull(other);
    fake_case(n, id, "care", round_nobody);
    struct identity_secret own = n->id;
    n->id = other->id;
    round_queue_person(n, id);
    n->id = own;
    fake_node_pack(n);
    round_refused(n, ERR_TAMPERED);
    round_gone(n);
    round_gone(other);
}

static void a_known_change_sent_again_keeps_its_verdict(void **state)
{
    (void)state;
    struct fake_node *n = round_device("care-mash", "care", "Carla");
    uint8_t id[16];
    struct buf again;
    buf_init(&again, 1u << 20);
    fake_node_pull(n);
    fake_case(n, id, "care", round_nobody);
    round_queue_person(n, id);
    buf_put_bytes(&again, buf_bytes(&n->queue));
    fake_node_round(n);
    int64_t people = fake_hub_int(round_hub, "SELECT count(*) FROM person");
    buf_put_bytes(&n->queue, buf_bytes(&again));
    fake_node_round(n);
    assert_int_equal(n->n_verdicts, 1);
    assert_int_equal(n->verdicts[0].verdict, VERDICT_APPLIED);
    assert_int_equal(fake_hub_int(round_hub, "SELECT count(*) FROM person"), people);
    buf_release(&again);
    round_gone(n);
}

/* Well signed, and for somebody else. */
static void a_change_for_another_hub_fails_the_round(void **state)
{
    (void)state;
    struct fake_node *n = round_device("care-mash", "care", "Carla");
    struct why why = {0};
    struct envelope_header h = {.epoch = 1, .seq = 1, .schema = rules_schema_newest()};
    struct part part = {.content = bytes_of("Tabc", 4)};
    struct buf cose, item;
    buf_init(&cose, 1u << 16);
    buf_init(&item, 1u << 16);
    fake_node_pull(n);
    memset(h.hub, 5, sizeof h.hub);
    assert_int_equal(envelope_sign(&n->id, &h, &part, 1, &cose, &why), ERR_OK);
    message_put_envelope(&item, buf_bytes(&cose), &part, 1);
    fake_node_queue(n, buf_bytes(&item));
    fake_node_pack(n);
    round_refused(n, ERR_TAMPERED);
    buf_release(&cose);
    buf_release(&item);
    round_gone(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_histories_of_one_device_are_found_and_it_is_locked_out),
        cmocka_unit_test(a_gap_in_the_chain_is_refused_whole),
        cmocka_unit_test(a_wrong_link_to_the_previous_change_is_a_fork),
        cmocka_unit_test(a_change_signed_by_another_device_fails_the_round),
        cmocka_unit_test(a_known_change_sent_again_keeps_its_verdict),
        cmocka_unit_test(a_change_for_another_hub_fails_the_round),
    };
    return cmocka_run_group_tests(tests, round_start, round_stop);
}
