/* A chain of changes: numbered, linked, signed, for this hub; anything else fails the round and changes nothing. */
#include "tests/lib/fake_node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct fake_hub *hub;
static const char *const nobody_else[] = {NULL};

static int start(void **state)
{
    (void)state;
    hub = calloc(1, sizeof *hub);
    fake_hub_start(hub);
    fake_hub_people(hub);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fake_hub_stop(hub);
    free(hub);
    return 0;
}

static struct fake_node *device(const char *site, const char *agency, const char *user)
{
    struct fake_node *n = calloc(1, sizeof *n);
    assert_non_null(n);
    fake_node_enrol(n, hub, site, agency, user);
    return n;
}

static void gone(struct fake_node *n)
{
    fake_node_release(n);
    free(n);
}

/* Sends what is packed; the store must be as it was. */
static void refused_and_unchanged(struct fake_node *n, enum err want)
{
    uint8_t before[32], after[32];
    int64_t envelopes = fake_hub_int(hub, "SELECT count(*) FROM h_envelope");
    int64_t version = fake_hub_int(hub, "SELECT value FROM h_counter WHERE name = 'version'");
    int64_t cuts = fake_hub_int(hub, "SELECT count(*) FROM h_cut");
    fake_hub_hash(hub, before);
    assert_int_equal(fake_node_send(n, false), want);
    fake_hub_hash(hub, after);
    assert_memory_equal(before, after, 32);
    assert_int_equal(fake_hub_int(hub, "SELECT count(*) FROM h_envelope"), envelopes);
    assert_int_equal(fake_hub_int(hub, "SELECT value FROM h_counter WHERE name = 'version'"), version);
    assert_int_equal(fake_hub_int(hub, "SELECT count(*) FROM h_cut"), cuts);
    assert_int_equal(n->got.len, 0);
}

static void queue_person(struct fake_node *n, const uint8_t case_id[16])
{
    struct fake_edit e;
    uint8_t id[16];
    fake_edit_start(&e);
    struct op p = fake_person(n, id, case_id, "Smith");
    fake_put(&e, &p);
    (void)fake_commit(n, &e);
}

static void two_histories_of_one_device_are_found_and_it_is_locked_out(void **state)
{
    (void)state;
    struct fake_node *n = device("care-mash", "care", "Carla");
    uint8_t id[16];
    fake_node_pull(n);
    fake_case(n, id, "care", nobody_else);
    n->seq = 0; /* a copy from before */
    memset(n->prev, 0, sizeof n->prev);
    queue_person(n, id);
    fake_node_pack(n);
    refused_and_unchanged(n, ERR_REFUSED);
    assert_int_equal(fake_hub_int(hub, "SELECT count(*) FROM h_node WHERE state = 'forked'"), 1);
    buf_reset(&n->queue);
    fake_node_pack(n);
    refused_and_unchanged(n, ERR_REFUSED); /* from now on */
    gone(n);
}

static void a_gap_in_the_chain_is_refused_whole(void **state)
{
    (void)state;
    struct fake_node *n = device("care-mash", "care", "Carla");
    uint8_t id[16], prev[32];
    fake_node_pull(n);
    fake_case(n, id, "care", nobody_else);
    uint64_t seq = n->seq;
    memcpy(prev, n->prev, 32);
    queue_person(n, id);
    n->seq = seq + 1;
    queue_person(n, id);
    fake_node_pack(n); /* seq+1, then seq+2: good */
    n->queue.len = 0;
    n->seq = seq + 1;
    queue_person(n, id); /* seq+2 alone */
    fake_node_pack(n);
    refused_and_unchanged(n, ERR_REFUSED);
    assert_int_equal(fake_hub_int(hub, "SELECT count(*) FROM h_envelope WHERE seq > 100"), 0);
    n->queue.len = 0;
    n->seq = seq;
    memcpy(n->prev, prev, 32);
    queue_person(n, id);
    fake_node_round(n);
    assert_int_equal(n->verdicts[0].verdict, VERDICT_APPLIED);
    gone(n);
}

/* Chain broken at the next number: another history too. */
static void a_wrong_link_to_the_previous_change_is_a_fork(void **state)
{
    (void)state;
    struct fake_node *n = device("care-mash", "care", "Carla");
    uint8_t id[16];
    fake_node_pull(n);
    fake_case(n, id, "care", nobody_else);
    n->prev[0] ^= 1;
    queue_person(n, id);
    fake_node_pack(n);
    refused_and_unchanged(n, ERR_REFUSED);
    gone(n);
}

/* Somebody else's envelope, well signed, in this device's request. */
static void a_change_signed_by_another_device_fails_the_round(void **state)
{
    (void)state;
    struct fake_node *n = device("care-mash", "care", "Carla"), *other = device("care-mash", "care", "Mona");
    uint8_t id[16];
    fake_node_pull(n);
    fake_node_pull(other);
    fake_case(n, id, "care", nobody_else);
    struct identity_secret own = n->id;
    n->id = other->id;
    queue_person(n, id);
    n->id = own;
    fake_node_pack(n);
    refused_and_unchanged(n, ERR_TAMPERED);
    gone(n);
    gone(other);
}

static void a_known_change_sent_again_keeps_its_verdict(void **state)
{
    (void)state;
    struct fake_node *n = device("care-mash", "care", "Carla");
    uint8_t id[16];
    struct buf again;
    buf_init(&again, 1u << 20);
    fake_node_pull(n);
    fake_case(n, id, "care", nobody_else);
    queue_person(n, id);
    buf_put_bytes(&again, buf_bytes(&n->queue));
    fake_node_round(n);
    int64_t people = fake_hub_int(hub, "SELECT count(*) FROM person");
    buf_put_bytes(&n->queue, buf_bytes(&again));
    fake_node_round(n);
    assert_int_equal(n->n_verdicts, 1);
    assert_int_equal(n->verdicts[0].verdict, VERDICT_APPLIED);
    assert_int_equal(fake_hub_int(hub, "SELECT count(*) FROM person"), people);
    buf_release(&again);
    gone(n);
}

/* Well signed, and for somebody else. */
static void a_change_for_another_hub_fails_the_round(void **state)
{
    (void)state;
    struct fake_node *n = device("care-mash", "care", "Carla");
    struct why why = {0};
    struct envelope_header h = {.epoch = 1, .seq = 1, .schema = RULES_SCHEMA_VERSION};
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
    refused_and_unchanged(n, ERR_TAMPERED);
    buf_release(&cose);
    buf_release(&item);
    gone(n);
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
    return cmocka_run_group_tests(tests, start, stop);
}
