/* Enrolment at the hub: a code works once, for one device, and every refusal reads the same. */
#include "tests/lib/fake_node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct fake_hub *hub;

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

struct attempt {
    struct fake_node node; /* only its keys */
    struct buf code, request, answer;
    struct why why;
};

static struct attempt *attempt_new(const char *site, int64_t valid_ms, const char *user)
{
    struct attempt *a = calloc(1, sizeof *a);
    assert_non_null(a);
    buf_init(&a->code, 4096);
    buf_init(&a->request, 1u << 20);
    buf_init(&a->answer, 1u << 20);
    assert_int_equal(identity_generate(&a->node.id, &a->why), ERR_OK);
    assert_int_equal(hub_invite(hub->hub, site, "http://127.0.0.1:8470", valid_ms, &a->code, &a->why), ERR_OK);
    fake_node_ask(&a->node, hub, buf_bytes(&a->code), user, &a->request);
    return a;
}

static void attempt_free(struct attempt *a)
{
    identity_release(&a->node.id);
    buf_release(&a->code);
    buf_release(&a->request);
    buf_release(&a->answer);
    free(a);
}

static void must_refuse(struct attempt *a)
{
    int64_t nodes = fake_hub_int(hub, "SELECT count(*) FROM h_node");
    int64_t people = fake_hub_int(hub, "SELECT count(*) FROM practitioner");
    assert_int_equal(hub_enrol(hub->hub, buf_bytes(&a->request), &a->answer, &a->why), ERR_REFUSED);
    assert_string_equal(a->why.text, "The hub does not accept this code."); /* one message for all */
    assert_int_equal(a->answer.len, 0);
    assert_int_equal(fake_hub_int(hub, "SELECT count(*) FROM h_node"), nodes);
    assert_int_equal(fake_hub_int(hub, "SELECT count(*) FROM practitioner"), people);
}

static void a_code_makes_one_device_and_a_person(void **state)
{
    struct fake_node *n = calloc(1, sizeof *n);
    (void)state;
    fake_node_enrol(n, hub, "school-1", "school", "Sue Brown");
    assert_int_equal(fake_hub_int(hub,
                                  "SELECT count(*) FROM practitioner WHERE name = 'Sue Brown' AND site = 'school-1' "
                                  "AND active = 1"),
                     1);
    fake_node_round(n);
    assert_true(fake_node_got(n, "practitioner", n->user));
    fake_node_release(n);
    free(n);
}

static void a_known_name_at_the_site_is_that_person(void **state)
{
    struct fake_node *n = calloc(1, sizeof *n);
    struct why why = {0};
    uint8_t id[16], other[16];
    (void)state;
    assert_int_equal(hub_add_practitioner(hub->hub, "school-1", "Ann Lee", "head", id, &why), ERR_OK);
    assert_int_equal(hub_add_practitioner(hub->hub, "police-hq", "Ann Lee", NULL, other, &why), ERR_OK);
    fake_node_enrol(n, hub, "school-1", "school", "Ann Lee");
    assert_memory_equal(n->user, id, 16);
    fake_node_release(n);
    fake_node_enrol(n, hub, "school-1", "school", "ann lee"); /* exactly, or it is somebody else */
    assert_memory_not_equal(n->user, id, 16);
    fake_node_release(n);
    free(n);
}

static void the_same_request_again_gets_the_same_answer(void **state)
{
    struct attempt *a = attempt_new("school-1", 1000, "Sue");
    struct buf again;
    (void)state;
    buf_init(&again, 1u << 20);
    assert_int_equal(hub_enrol(hub->hub, buf_bytes(&a->request), &a->answer, &a->why), ERR_OK);
    int64_t nodes = fake_hub_int(hub, "SELECT count(*) FROM h_node");
    hub->now += 5000;
    assert_int_equal(hub_enrol(hub->hub, buf_bytes(&a->request), &again, &a->why), ERR_OK);
    assert_true(bytes_equal(buf_bytes(&again), buf_bytes(&a->answer)));
    assert_int_equal(fake_hub_int(hub, "SELECT count(*) FROM h_node"), nodes);
    buf_release(&again);
    attempt_free(a);
}

static void a_code_used_by_another_device_is_refused(void **state)
{
    struct attempt *a = attempt_new("school-1", 1000, "Sue");
    (void)state;
    assert_int_equal(hub_enrol(hub->hub, buf_bytes(&a->request), &a->answer, &a->why), ERR_OK);
    identity_release(&a->node.id);
    assert_int_equal(identity_generate(&a->node.id, &a->why), ERR_OK);
    buf_reset(&a->request);
    buf_reset(&a->answer);
    fake_node_ask(&a->node, hub, buf_bytes(&a->code), "Sue", &a->request);
    must_refuse(a);
    attempt_free(a);
}

static void an_expired_code_is_refused(void **state)
{
    struct attempt *a = attempt_new("school-1", 1000, "Sue");
    (void)state;
    hub->now += 1000;
    must_refuse(a);
    attempt_free(a);
}

static void a_code_nobody_gave_is_refused(void **state)
{
    struct attempt *a = attempt_new("school-1", 1000, "Sue");
    struct invitation i;
    (void)state;
    assert_int_equal(invitation_get(buf_bytes(&a->code), &i, &a->why), ERR_OK);
    i.token[0] ^= 1;
    buf_reset(&a->code);
    assert_int_equal(invitation_put(&a->code, &i, &a->why), ERR_OK);
    buf_reset(&a->request);
    fake_node_ask(&a->node, hub, buf_bytes(&a->code), "Sue", &a->request);
    must_refuse(a);
    i.token[0] ^= 1;
    i.fingerprint[0] ^= 1; /* meant for another hub */
    buf_reset(&a->code);
    assert_int_equal(invitation_put(&a->code, &i, &a->why), ERR_OK);
    buf_reset(&a->request);
    fake_node_ask(&a->node, hub, buf_bytes(&a->code), "Sue", &a->request);
    must_refuse(a);
    attempt_free(a);
}

static void a_device_enrols_once(void **state)
{
    struct attempt *a = attempt_new("school-1", 1000, "Sue");
    (void)state;
    assert_int_equal(hub_enrol(hub->hub, buf_bytes(&a->request), &a->answer, &a->why), ERR_OK);
    buf_reset(&a->code);
    buf_reset(&a->request);
    buf_reset(&a->answer);
    assert_int_equal(hub_invite(hub->hub, "police-hq", "http://x", 1000, &a->code, &a->why), ERR_OK);
    fake_node_ask(&a->node, hub, buf_bytes(&a->code), "Sue", &a->request);
    must_refuse(a);
    attempt_free(a);
}

static void damaged_requests_and_nameless_people_are_refused_alike(void **state)
{
    struct attempt *a = attempt_new("school-1", 1000, "");
    (void)state;
    must_refuse(a);
    buf_reset(&a->request);
    fake_node_ask(&a->node, hub, buf_bytes(&a->code), "Sue", &a->request);
    a->request.data[a->request.len - 3] ^= 1;
    must_refuse(a);
    a->request.data[a->request.len - 3] ^= 1;
    a->request.len -= 1;
    must_refuse(a);
    a->request.len = 3;
    must_refuse(a);
    attempt_free(a);
}

static void a_request_for_a_round_is_no_enrolment(void **state)
{
    struct attempt *a = attempt_new("school-1", 1000, "Sue");
    struct fake_node *n = calloc(1, sizeof *n);
    (void)state;
    fake_node_enrol(n, hub, "school-1", "school", "Sue");
    fake_node_pack(n);
    buf_reset(&a->request);
    buf_put_bytes(&a->request, buf_bytes(&n->sent));
    must_refuse(a);
    fake_node_release(n);
    free(n);
    attempt_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_code_makes_one_device_and_a_person),
        cmocka_unit_test(a_known_name_at_the_site_is_that_person),
        cmocka_unit_test(the_same_request_again_gets_the_same_answer),
        cmocka_unit_test(a_code_used_by_another_device_is_refused),
        cmocka_unit_test(an_expired_code_is_refused),
        cmocka_unit_test(a_code_nobody_gave_is_refused),
        cmocka_unit_test(a_device_enrols_once),
        cmocka_unit_test(damaged_requests_and_nameless_people_are_refused_alike),
        cmocka_unit_test(a_request_for_a_round_is_no_enrolment),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
