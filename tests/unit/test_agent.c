/* What the agent keeps, for how long, and what it answers, under clocks of the test's own. */
#include "node/agent.h"
#include "node/agent_ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define MINUTE 60000

struct desk {
    struct agent a;
    struct agent_clock now;
    struct secret room;
    struct agent_frame said; /* the last answer */
};

static const uint8_t somebody[AGENT_SLOT] = "whose slot it is";
static const char kept[] = "what opens the home: nobody else's business";

static void unlocked(struct desk *d, int64_t idle_ms)
{
    struct secret ring = {0};
    char text[sizeof kept];
    memcpy(text, kept, sizeof text);
    *d = (struct desk){.now = {.boot_ms = 5000000, .mono_ms = 3000000}}; /* it slept before, and that is no matter */
    assert_int_equal(secret_take(&ring, text, sizeof text, NULL), ERR_OK);
    assert_int_equal(secret_new(&d->room, AGENT_FRAME_MAX, NULL), ERR_OK);
    assert_int_equal(agent_begin(&d->a, &ring, somebody, idle_ms, d->now, NULL), ERR_OK);
    assert_null(ring.p);
}

static void leave(struct desk *d)
{
    agent_stop(&d->a, AGENT_TOLD);
    secret_release(&d->room);
}

static void pass(struct desk *d, int64_t ms)
{
    d->now.boot_ms += ms;
    d->now.mono_ms += ms;
}

static void send_bytes(struct desk *d, struct bytes request)
{
    size_t n = agent_answer(&d->a, d->now, request, d->room.p);
    assert_in_range(n, AGENT_HEAD, AGENT_FRAME_MAX);
    assert_int_equal(agent_frame_get(bytes_of(d->room.p, n), &d->said), AGENT_WHOLE);
}

static void ask(struct desk *d, enum agent_kind kind, const char *body)
{
    uint8_t frame[AGENT_FRAME_MAX];
    size_t n = agent_frame_put(frame, kind, bytes_of(body, body == NULL ? 0 : 1));
    send_bytes(d, bytes_of(frame, n));
}

static void must_give(struct desk *d, const char *at_work)
{
    ask(d, AGENT_GET, at_work);
    assert_int_equal(d->said.kind, AGENT_RING);
    assert_int_equal(d->said.body.n, sizeof kept);
    assert_memory_equal(d->said.body.p, kept, sizeof kept);
}

static void must_refuse(struct desk *d, enum agent_no no)
{
    assert_int_equal(d->said.kind, AGENT_NO);
    assert_int_equal(d->said.body.n, 1);
    assert_int_equal(d->said.body.p[0], no);
}

static void must_be_locked(struct desk *d, enum agent_end why_so)
{
    assert_int_equal(d->a.ended, why_so);
    assert_null(d->a.ring.p);
    ask(d, AGENT_GET, "\1");
    must_refuse(d, AGENT_NO_LOCKED);
    ask(d, AGENT_STATUS, NULL);
    must_refuse(d, AGENT_NO_LOCKED);
    ask(d, AGENT_LOCK, NULL);
    must_refuse(d, AGENT_NO_LOCKED); /* so that nobody is told that it was unlocked until now */
}

static uint64_t be64(const uint8_t *p)
{
    uint64_t v = 0;
    for (size_t i = 0; i < 8; i++) v = v << 8 | p[i];
    return v;
}

static void must_have_left(struct desk *d, int64_t ms)
{
    ask(d, AGENT_STATUS, NULL);
    assert_int_equal(d->said.kind, AGENT_STANDS);
    assert_int_equal(d->said.body.n, 16 + AGENT_SLOT);
    assert_int_equal(be64(d->said.body.p), ms);
    assert_int_equal(be64(d->said.body.p + 8), d->a.idle_ms);
    assert_memory_equal(d->said.body.p + 16, somebody, AGENT_SLOT);
}

/* ------------------------------------------------------------------------------------------------------------ time */
static void it_gives_what_it_keeps_as_long_as_somebody_is_at_work(void **state)
{
    struct desk d;
    (void)state;
    unlocked(&d, 15 * MINUTE);
    for (int i = 0; i < 40; i++) {
        pass(&d, 14 * MINUTE);
        must_give(&d, "\1");
        must_have_left(&d, 15 * MINUTE);
    }
    leave(&d);
}

static void nobody_at_work_for_the_time_allowed_and_it_is_wiped(void **state)
{
    struct desk d;
    (void)state;
    unlocked(&d, 15 * MINUTE);
    pass(&d, 15 * MINUTE - 1);
    agent_tick(&d.a, d.now);
    assert_int_equal(d.a.ended, AGENT_KEEPS);
    pass(&d, 1);
    agent_tick(&d.a, d.now);
    must_be_locked(&d, AGENT_IDLE);
    leave(&d);
}

static void a_question_that_comes_too_late_finds_it_locked_though_no_timer_fired(void **state)
{
    struct desk d;
    (void)state;
    unlocked(&d, MINUTE);
    pass(&d, MINUTE);
    ask(&d, AGENT_GET, "\1");
    must_refuse(&d, AGENT_NO_LOCKED);
    must_be_locked(&d, AGENT_IDLE);
    leave(&d);
}

static void contact_with_the_hub_and_looking_at_the_clock_keep_nothing_open(void **state)
{
    struct desk d;
    (void)state;
    unlocked(&d, 15 * MINUTE);
    for (int i = 1; i < 15; i++) {
        pass(&d, MINUTE);
        must_give(&d, "\0"); /* a timer's sync, not a person */
        must_have_left(&d, (15 - i) * MINUTE);
    }
    pass(&d, MINUTE);
    ask(&d, AGENT_GET, "\0");
    must_be_locked(&d, AGENT_IDLE);
    leave(&d);
}

static void a_machine_that_slept_finds_it_locked_when_it_wakes(void **state)
{
    struct desk d;
    (void)state;
    unlocked(&d, 720 * MINUTE);
    pass(&d, MINUTE);
    d.now.boot_ms += 3001; /* the lid was closed */
    ask(&d, AGENT_GET, "\1");
    must_refuse(&d, AGENT_NO_LOCKED);
    must_be_locked(&d, AGENT_SLEPT);
    leave(&d);
}

static void a_pause_between_two_readings_of_the_clocks_is_no_sleep(void **state)
{
    struct desk d;
    (void)state;
    unlocked(&d, 720 * MINUTE);
    d.now.boot_ms += 900;
    must_give(&d, "\1");
    d.now.mono_ms += 1800; /* and the other way round */
    must_give(&d, "\1");
    leave(&d);
}

static void many_short_naps_count_as_sleep(void **state)
{
    struct desk d;
    (void)state;
    unlocked(&d, 720 * MINUTE);
    for (int i = 0; i < 3; i++) {
        d.now.boot_ms += 1000;
        must_give(&d, "\1");
    }
    d.now.boot_ms += 1000;
    ask(&d, AGENT_GET, "\1");
    must_be_locked(&d, AGENT_SLEPT);
    leave(&d);
}

static void it_says_how_long_it_may_rest(void **state)
{
    struct desk d;
    (void)state;
    unlocked(&d, 15 * MINUTE);
    assert_int_equal(agent_wait_ms(&d.a, d.now), 15 * MINUTE);
    pass(&d, 14 * MINUTE);
    assert_int_equal(agent_wait_ms(&d.a, d.now), MINUTE);
    pass(&d, 2 * MINUTE);
    assert_int_equal(agent_wait_ms(&d.a, d.now), 0);
    agent_tick(&d.a, d.now);
    assert_int_equal(agent_wait_ms(&d.a, d.now), 0);
    leave(&d);
}

/* ------------------------------------------------------------------------------------------------------------ lock */
static void lock_wipes_before_it_is_answered(void **state)
{
    struct desk d;
    (void)state;
    unlocked(&d, MINUTE);
    ask(&d, AGENT_LOCK, NULL);
    assert_int_equal(d.said.kind, AGENT_DONE);
    must_be_locked(&d, AGENT_TOLD);
    leave(&d);
}

static void the_first_reason_to_lock_stands(void **state)
{
    struct desk d;
    (void)state;
    unlocked(&d, MINUTE);
    agent_stop(&d.a, AGENT_SLEPT);
    agent_stop(&d.a, AGENT_TOLD);
    assert_int_equal(d.a.ended, AGENT_SLEPT);
    leave(&d);
}

/* --------------------------------------------------------------------------------------------------------- frames */
static void every_beginning_of_a_frame_waits_for_the_rest(void **state)
{
    uint8_t frame[AGENT_FRAME_MAX];
    struct agent_frame f;
    (void)state;
    size_t n = agent_frame_put(frame, AGENT_GET, bytes_of_str("\1"));
    for (size_t i = 0; i < n; i++) assert_int_equal(agent_frame_get(bytes_of(frame, i), &f), AGENT_MORE);
    assert_int_equal(agent_frame_get(bytes_of(frame, n), &f), AGENT_WHOLE);
    assert_int_equal(f.kind, AGENT_GET);
    assert_int_equal(f.body.n, 1);
}

static void the_longest_body_passes_and_one_byte_more_does_not(void **state)
{
    uint8_t body[AGENT_BODY_MAX] = {7}, frame[AGENT_FRAME_MAX + 1] = {0};
    struct agent_frame f;
    (void)state;
    size_t n = agent_frame_put(frame, AGENT_RING, bytes_of(body, sizeof body));
    assert_int_equal(n, AGENT_FRAME_MAX);
    assert_int_equal(agent_frame_get(bytes_of(frame, n), &f), AGENT_WHOLE);
    assert_int_equal(f.body.n, sizeof body);
    frame[7]++;                                                                        /* 257 */
    assert_int_equal(agent_frame_get(bytes_of(frame, AGENT_HEAD), &f), AGENT_GARBAGE); /* known before it is received */
}

static void what_follows_a_frame_is_garbage(void **state)
{
    uint8_t frame[AGENT_FRAME_MAX];
    struct desk d;
    (void)state;
    unlocked(&d, MINUTE);
    size_t n = agent_frame_put(frame, AGENT_GET, bytes_of_str("\1"));
    frame[n] = 0;
    send_bytes(&d, bytes_of(frame, n + 1));
    must_refuse(&d, AGENT_NO_GARBAGE);
    leave(&d);
}

static void garbage_is_refused_and_costs_nothing(void **state)
{
    static const char *const garbage[] = {"GET / HTTP/1.1\r\n", "S", "SPKB\1\1", "{\"get\":1}", ""};
    struct desk d;
    (void)state;
    unlocked(&d, MINUTE);
    for (size_t i = 0; i < sizeof garbage / sizeof garbage[0]; i++) {
        send_bytes(&d, bytes_of_str(garbage[i]));
        must_refuse(&d, AGENT_NO_GARBAGE);
    }
    pass(&d, MINUTE - 1);
    must_give(&d, "\1"); /* it began no new time, and ended nothing */
    leave(&d);
}

static void another_version_is_told_so_and_gets_nothing(void **state)
{
    uint8_t frame[AGENT_FRAME_MAX];
    struct desk d;
    (void)state;
    unlocked(&d, MINUTE);
    size_t n = agent_frame_put(frame, AGENT_GET, bytes_of_str("\1"));
    for (unsigned v = 0; v < 256; v++) {
        frame[4] = (uint8_t)v;
        send_bytes(&d, bytes_of(frame, n));
        if (v == AGENT_VERSION)
            assert_int_equal(d.said.kind, AGENT_RING);
        else
            must_refuse(&d, AGENT_NO_VERSION);
    }
    leave(&d);
}

static void no_request_but_get_is_answered_with_keys(void **state)
{
    struct desk d;
    (void)state;
    for (unsigned kind = 0; kind < 256; kind++) {
        for (int body = 0; body < 2; body++) {
            unlocked(&d, MINUTE);
            ask(&d, (enum agent_kind)kind, body ? "\1" : NULL);
            assert_true((d.said.kind == AGENT_RING) == (kind == AGENT_GET && body));
            if (kind > AGENT_STATUS || kind == 0) must_refuse(&d, AGENT_NO_GARBAGE);
            leave(&d);
        }
    }
    unlocked(&d, MINUTE);
    ask(&d, AGENT_GET, "\2");
    must_refuse(&d, AGENT_NO_GARBAGE);
    leave(&d);
}

static void what_does_not_fit_into_an_answer_is_not_kept(void **state)
{
    struct agent a;
    struct secret ring = {0};
    (void)state;
    assert_int_equal(secret_new(&ring, AGENT_BODY_MAX + 1, NULL), ERR_OK);
    assert_int_equal(agent_begin(&a, &ring, somebody, MINUTE, (struct agent_clock){0}, NULL), ERR_LIMIT);
    assert_null(ring.p);
    assert_null(a.ring.p);
}

/* ----------------------------------------------------------------------------------------------------------- ring */
static void make_ring(struct keyring *r)
{
    *r = (struct keyring){.kind = SLOT_PERSON, .revision = 0x0102030405060708, .generation = 0x0a0b0c0d};
    assert_int_equal(secret_new(&r->keys, 64, NULL), ERR_OK);
    for (size_t i = 0; i < 64; i++) r->keys.p[i] = (uint8_t)(200 - i);
    memcpy(r->slot, somebody, sizeof r->slot);
}

static void a_ring_comes_out_as_it_went_in(void **state)
{
    struct keyring r, back = {0};
    struct secret packed = {0};
    (void)state;
    make_ring(&r);
    assert_int_equal(agent_ring_put(&r, &packed, NULL), ERR_OK);
    assert_int_equal(agent_ring_get(bytes_of(packed.p, packed.n), &back, NULL), ERR_OK);
    assert_int_equal(back.keys.n, 64);
    assert_memory_equal(back.keys.p, r.keys.p, 64);
    assert_memory_equal(back.slot, r.slot, sizeof r.slot);
    assert_int_equal(back.kind, r.kind);
    assert_int_equal(back.revision, r.revision);
    assert_int_equal(back.generation, r.generation);
    assert_true(packed.n <= AGENT_BODY_MAX);
    secret_release(&packed);
    keyring_release(&back);
    keyring_release(&r);
}

static void bytes_that_are_no_ring_are_refused(void **state)
{
    struct keyring r, back = {0};
    struct secret packed = {0};
    (void)state;
    make_ring(&r);
    assert_int_equal(agent_ring_put(&r, &packed, NULL), ERR_OK);
    for (size_t n = 0; n < packed.n; n++)
        assert_int_equal(agent_ring_get(bytes_of(packed.p, n), &back, NULL), ERR_FORMAT);
    packed.p[64 + 16] = 3; /* a kind of slot that there is not */
    assert_int_equal(agent_ring_get(bytes_of(packed.p, packed.n), &back, NULL), ERR_FORMAT);
    packed.p[64 + 16] = SLOT_EMPTY;
    assert_int_equal(agent_ring_get(bytes_of(packed.p, packed.n), &back, NULL), ERR_FORMAT);
    assert_null(back.keys.p);
    secret_release(&packed);
    keyring_release(&r);
    assert_int_equal(agent_ring_put(&(struct keyring){0}, &packed, NULL), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_gives_what_it_keeps_as_long_as_somebody_is_at_work),
        cmocka_unit_test(nobody_at_work_for_the_time_allowed_and_it_is_wiped),
        cmocka_unit_test(a_question_that_comes_too_late_finds_it_locked_though_no_timer_fired),
        cmocka_unit_test(contact_with_the_hub_and_looking_at_the_clock_keep_nothing_open),
        cmocka_unit_test(a_machine_that_slept_finds_it_locked_when_it_wakes),
        cmocka_unit_test(a_pause_between_two_readings_of_the_clocks_is_no_sleep),
        cmocka_unit_test(many_short_naps_count_as_sleep),
        cmocka_unit_test(it_says_how_long_it_may_rest),
        cmocka_unit_test(lock_wipes_before_it_is_answered),
        cmocka_unit_test(the_first_reason_to_lock_stands),
        cmocka_unit_test(every_beginning_of_a_frame_waits_for_the_rest),
        cmocka_unit_test(the_longest_body_passes_and_one_byte_more_does_not),
        cmocka_unit_test(what_follows_a_frame_is_garbage),
        cmocka_unit_test(garbage_is_refused_and_costs_nothing),
        cmocka_unit_test(another_version_is_told_so_and_gets_nothing),
        cmocka_unit_test(no_request_but_get_is_answered_with_keys),
        cmocka_unit_test(what_does_not_fit_into_an_answer_is_not_kept),
        cmocka_unit_test(a_ring_comes_out_as_it_went_in),
        cmocka_unit_test(bytes_that_are_no_ring_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
