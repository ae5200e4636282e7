/* hub/waiting.c: nobody whose request is parked may miss news, and most of what moves is none to most of them. */
#include "tests/lib/fake_node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct fake_hub hub;
static struct fake_node care, police, school;

static void must(enum err e, const struct why *why)
{
    if (e != ERR_OK) fail_msg("%s: %s", err_word(e), why->text);
}

static void start(void)
{
    fake_hub_start(&hub);
    fake_hub_people(&hub);
    fake_node_enrol(&care, &hub, "care-mash", "care", "Ann");
    fake_node_enrol(&police, &hub, "police-hq", "police", "Bob");
    fake_node_enrol(&school, &hub, "school-1", "school", "Cid");
    fake_node_pull(&care);
    fake_node_pull(&police);
    fake_node_pull(&school);
}

static void stop(void)
{
    fake_node_release(&care);
    fake_node_release(&police);
    fake_node_release(&school);
    fake_hub_stop(&hub);
}

/* Pull until its request is parked. */
static void wait_at_hub(struct fake_node *n)
{
    n->wait_ms = 60000;
    for (unsigned i = 0; i < 50; i++) {
        fake_node_pack(n);
        assert_int_equal(fake_node_send(n, true), ERR_OK);
        if (n->result.parked) return;
        for (size_t k = 0; k < n->n_orders; k++) n->order = n->orders[k].number; /* carried out */
    }
    fail_msg("it is answered again and again");
}

static bool news(const struct fake_node *n)
{
    struct why why = {0};
    bool any = false;
    must(hub_waiting_news(hub.hub, &n->result.waiting, &any, &why), &why);
    return any;
}

/* The same request, asked in full. */
static bool is_answered(struct fake_node *n)
{
    struct why why = {0};
    struct hub_exchange_result result = {0};
    struct buf out;
    buf_init(&out, BUNDLE_MAX);
    enum err e = hub_exchange(hub.hub, buf_bytes(&n->sent), true, &out, &result, &why);
    buf_release(&out);
    return e != ERR_OK || !result.parked;
}

static void write_person(struct fake_node *n, const uint8_t case_id[16])
{
    struct fake_edit e;
    uint8_t id[16];
    env_new_id(&hub.env, id);
    fake_edit_start(&e);
    struct op op = fake_person(n, id, case_id, "Somebody");
    fake_put(&e, &op);
    assert_int_equal(fake_send(n, &e)->verdict, VERDICT_APPLIED);
}

static void waiting_hears_of_what_its_site_sees_and_of_nothing_else(void **state)
{
    static const char *const members[] = {"police:contribute", NULL};
    uint8_t case_id[16];
    (void)state;
    start();
    wait_at_hub(&police);
    wait_at_hub(&school);
    assert_false(news(&police));
    fake_case(&care, case_id, "care", members);
    assert_true(news(&police));
    assert_false(news(&school));
    wait_at_hub(&police);
    assert_false(news(&police));
    write_person(&care, case_id);
    assert_true(news(&police));
    assert_false(news(&school));
    assert_false(is_answered(&school));
    stop();
}

static void waiting_hears_of_every_act_of_an_administrator(void **state)
{
    struct why why = {0};
    (void)state;
    start();
    wait_at_hub(&police);
    must(hub_lease(hub.hub, police.id.pub.kid, 30, &why), &why);
    assert_true(news(&police));
    assert_true(is_answered(&police));
    wait_at_hub(&school);
    must(hub_add_agency(hub.hub, "housing", "Housing", "housing", &why), &why);
    assert_true(news(&school));
    wait_at_hub(&school);
    must(hub_revoke(hub.hub, school.id.pub.kid, "lost", &why), &why);
    assert_true(news(&school));
    assert_true(is_answered(&school));
    stop();
}

static void waiting_hears_that_another_request_of_its_device_was_answered(void **state)
{
    (void)state;
    start();
    struct why why = {0};
    bool any = false;
    wait_at_hub(&police);
    struct hub_waiting w = police.result.waiting;
    assert_int_equal(fake_node_send(&police, false), ERR_OK);
    must(hub_waiting_news(hub.hub, &w, &any, &why), &why);
    assert_true(any);
    stop();
}

/* A part that ends, of somebody else; the case stays his. */
static void write_end(struct fake_node *n, const uint8_t case_id[16], int64_t until)
{
    struct fake_edit e;
    uint8_t id[16];
    env_new_id(&hub.env, id);
    fake_edit_start(&e);
    struct op op = fake_new(n, "participant", id, case_id);
    fake_value(&op, "member", value_str("school"));
    fake_value(&op, "site", value_str(""));
    fake_value(&op, "access", value_str("view"));
    fake_value(&op, "until", value_int(until));
    fake_put(&e, &op);
    assert_int_equal(fake_send(n, &e)->verdict, VERDICT_APPLIED);
}

/* As it is parked the hub makes a step of what fell due, which is undone with everything else: its number is given
 * again. Here to the change of somebody, because the clock was put right by two seconds; or another process's clock is
 * behind this one's. */
static void waiting_hears_of_a_step_that_has_the_number_of_one_that_was_undone(void **state)
{
    static const char *const members[] = {"police:contribute", NULL}, *const none[] = {NULL};
    uint8_t shared[16], other[16];
    (void)state;
    start();
    fake_case(&care, shared, "care", members);
    fake_case(&care, other, "care", none);
    write_end(&care, other, hub.now + 1000);
    wait_at_hub(&police);
    hub.now += 2000;
    wait_at_hub(&police);
    hub.now -= 2000;
    write_person(&care, shared);
    assert_true(news(&police));
    assert_true(is_answered(&police));
    stop();
}

static uint32_t draw(uint32_t *seed, uint32_t below)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % below;
}

/* Cases with other participants each, people in them, participants who come and go; after each step, whoever the full
 * question would answer must be among those that the short one names. */
static void waiting_never_misses_what_the_whole_question_finds(void **state)
{
    static const char *const both[] = {"police:contribute", "school:view", NULL};
    static const char *const one[] = {"police:contribute", NULL};
    static const char *const none[] = {NULL};
    static const char *const *const members[] = {both, one, none};
    struct fake_node *waiters[] = {&police, &school};
    uint8_t cases[40][16];
    uint32_t n = 0, seed = 7, concerned = 0;
    (void)state;
    start();
    for (unsigned i = 0; i < 2; i++) wait_at_hub(waiters[i]);
    for (unsigned step = 0; step < 60; step++) {
        struct why why = {0};
        uint32_t what = draw(&seed, 10);
        if (n == 0 || (what < 3 && n < 40))
            fake_case(&care, cases[n++], "care", members[draw(&seed, 3)]);
        else if (what < 9)
            write_person(&care, cases[draw(&seed, n)]);
        else
            must(hub_lease(hub.hub, waiters[draw(&seed, 2)]->id.pub.kid, 10 + step, &why), &why);
        for (unsigned i = 0; i < 2; i++) {
            bool heard = news(waiters[i]), due = is_answered(waiters[i]);
            if (due && !heard) fail_msg("step %u: device %u misses news", step, i);
            concerned += heard;
            if (heard) {
                if (due) assert_int_equal(fake_node_send(waiters[i], true), ERR_OK); /* the stored answer */
                wait_at_hub(waiters[i]);
            }
        }
    }
    assert_true(concerned > 20 && concerned < 110);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waiting_hears_of_what_its_site_sees_and_of_nothing_else),
        cmocka_unit_test(waiting_hears_of_every_act_of_an_administrator),
        cmocka_unit_test(waiting_hears_that_another_request_of_its_device_was_answered),
        cmocka_unit_test(waiting_hears_of_a_step_that_has_the_number_of_one_that_was_undone),
        cmocka_unit_test(waiting_never_misses_what_the_whole_question_finds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
