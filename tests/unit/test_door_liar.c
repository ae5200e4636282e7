/* Who answers at the door in the hub's place, and what is laid into a home in its name. */
#include "base/cbor.h"
#include "node/wipe.h"
#include "tests/lib/intake_fixture.h"
#include "tests/lib/mock_round.h"
#include "tests/lib/real_device.h"
#include "tests/lib/wiped_home.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void must_line(enum err e, const struct why *why, const char *what, int line)
{
    if (e != ERR_OK) fail_msg("%s (line %d): %s: %s", what, line, err_word(e), why->text);
}
#define MUST(call) must_line(call, &why, #call, __LINE__)

/* What answers in the hub's place. */
enum bent {
    GOOD,
    GARBAGE,
    NOTHING,
    OTHERS_WORD,
    OTHERS_ORDER,
    ORDER_TO_ANOTHER,
    OTHER_REQUEST,
    CUT_SHORT,
    NO_DOOR,
    N_BENT
};
struct liar {
    struct mock_world *w;
    const struct identity_secret *stranger;
    enum bent bent;
    struct order order;
    unsigned visits;
};

static enum err lie(void *ctx, const char *address, struct bytes request, struct buf *answer, struct why *why)
{
    struct liar *l = ctx;
    const struct identity_secret *hub_id = &l->w->hub.id;
    struct door_answer a = {.clock_ms = 5};
    struct order o = l->order;
    (void)address;
    l->visits++;
    hash_blake2b(a.request_hash, request);
    if (l->bent == OTHER_REQUEST) a.request_hash[0] ^= 1;
    if (l->bent == ORDER_TO_ANOTHER) o.node[0] ^= 1;
    if (l->bent == NOTHING) return ERR_OK;
    if (l->bent == GARBAGE) {
        buf_put_str(answer, "<html>Sign in to this network</html>");
        return ERR_OK;
    }
    enum err e = ERR_OK;
    if (l->bent != NO_DOOR) e = message_put_door(answer, l->bent == OTHERS_WORD ? l->stranger : hub_id, &a, why);
    assert_int_equal(e, ERR_OK);
    if (o.number != 0) e = message_put_order(answer, l->bent == OTHERS_ORDER ? l->stranger : hub_id, &o, why);
    assert_int_equal(e, ERR_OK);
    if (l->bent == CUT_SHORT) answer->len--;
    return ERR_OK;
}

static void who_answers_in_the_hubs_place_does_nothing(void **state)
{
    struct mock_world w;
    struct identity_secret stranger = {0};
    struct knock_result r;
    struct why why = {0};
    (void)state;
    mock_world_new(&w);
    MUST(identity_generate(&stranger, &why));
    struct liar l = {.w = &w, .stranger = &stranger};
    const struct door_way via = {.ctx = &l, .post = lie};
    node_close(w.node);
    w.node = NULL;
    l.order = (struct order){.number = 1, .kind = ORDER_WIPE, .value = ORDER_AT_ONCE};
    memcpy(l.order.node, w.hub.node.kid, KID_BYTES);
    for (l.bent = GARBAGE; l.bent < N_BENT; l.bent++) {
        enum err e = node_knock(&w.env, w.home, &via, &r, &why);
        if (e != ERR_TAMPERED) fail_msg("way %d: %s", l.bent, err_word(e));
        assert_false(r.wiped || r.waits || r.lease);
        assert_null(home_has(w.home, "wipe"));
        assert_non_null(home_has(w.home, "replica.key"));
    }
    mock_world_reopen(&w);
    node_close(w.node);
    w.node = NULL;
    l.bent = GOOD; /* and the same, from the hub */
    assert_int_equal(node_knock(&w.env, w.home, &via, &r, &why), ERR_REFUSED);
    assert_true(r.wiped && !r.recorded); /* this hub records nothing */
    home_is_gone(w.home);
    identity_release(&stranger);
    mock_world_free(&w);
}

static void an_order_of_before_does_nothing_at_the_door(void **state)
{
    struct mock_round s;
    struct knock_result r;
    struct why why = {0};
    (void)state;
    mock_round_start(&s);
    s.a.n_orders = 1;
    s.a.orders[0] = (struct order){.number = 7, .kind = ORDER_LEASE, .value = 5};
    memcpy(s.a.orders[0].node, s.w.hub.node.kid, KID_BYTES);
    mock_round_seal(&s);
    (void)mock_round_import(&s, ERR_OK);
    node_close(s.w.node);
    s.w.node = NULL;
    struct liar l = {.w = &s.w, .bent = GOOD, .order = s.a.orders[0]};
    const struct door_way via = {.ctx = &l, .post = lie};
    l.order.kind = ORDER_WIPE;
    l.order.value = ORDER_AT_ONCE;
    for (l.order.number = 6; l.order.number <= 7; l.order.number++) {
        assert_int_equal(node_knock(&s.w.env, s.w.home, &via, &r, &why), ERR_OK);
        assert_false(r.wiped || r.waits);
        assert_non_null(home_has(s.w.home, "replica.key"));
    }
    assert_int_equal(node_knock(&s.w.env, s.w.home, &via, &r, &why), ERR_REFUSED); /* 8 */
    assert_true(r.wiped);
    mock_round_stop(&s);
}

/* Nothing is unsent: an order of its own hub would be carried out. */
static void does_nothing(struct mock_world *w)
{
    struct knock_result r;
    struct why why = {0};
    struct liar silent = {.w = w, .bent = GOOD};
    const struct door_way here = {.ctx = &silent, .post = lie};
    const struct node_key key = {.passphrase = bytes_of_str(MOCK_PASSPHRASE)};
    node_close(w->node);
    w->node = NULL;
    assert_non_null(home_has(w->home, "wipe"));
    assert_int_equal(node_knock(&w->env, w->home, &here, &r, &why), ERR_OK);
    assert_false(r.wiped || r.waits);
    MUST(node_open_as(&w->node, &w->env, w->home, &key, NODE_FOR_HUB, &why));
    (void)mock_sync(w, ERR_OK);
    assert_null(home_has(w->home, "wipe"));
    mock_world_reopen(w);
}

static void a_note_in_another_hubs_name_wipes_nothing(void **state)
{
    struct mock_world w, other;
    struct knock_result r;
    struct why why = {0};
    char path[160];
    struct buf note;
    (void)state;
    mock_world_new(&w);
    mock_world_new(&other);
    /* A device of another hub is told to wait; its note is laid into this home. */
    struct liar l = {.w = &other, .bent = GOOD, .order = {.number = 3, .kind = ORDER_WIPE, .value = ORDER_WHEN_SENT}};
    const struct door_way via = {.ctx = &l, .post = lie};
    memcpy(l.order.node, other.hub.node.kid, KID_BYTES);
    mock_world_path(&other, "unsent", path);
    MUST(other.env.write_file(other.env.ctx, path, (struct bytes){0}, &why));
    assert_int_equal(node_knock(&other.env, other.home, &via, &r, &why), ERR_OK);
    assert_true(r.waits);
    buf_init(&note, 1u << 16);
    mock_world_path(&other, "wipe", path);
    MUST(other.env.read_file(other.env.ctx, path, 1u << 16, &note, &why));
    mock_world_path(&w, "wipe", path);
    MUST(w.env.write_file(w.env.ctx, path, buf_bytes(&note), &why));
    does_nothing(&w);
    /* And one that this very device is named in. */
    struct wipe_note mine;
    MUST(wipe_load(&other.env, other.home, &mine, &why));
    buf_reset(&mine.order);
    memcpy(l.order.node, w.hub.node.kid, KID_BYTES);
    MUST(message_put_order(&mine.order, &other.hub.id, &l.order, &why));
    MUST(wipe_save(&w.env, w.home, &mine, &why));
    does_nothing(&w);
    wipe_note_release(&mine);
    buf_release(&note);
    mock_world_free(&w);
    mock_world_free(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_answers_in_the_hubs_place_does_nothing),
        cmocka_unit_test(an_order_of_before_does_nothing_at_the_door),
        cmocka_unit_test(a_note_in_another_hubs_name_wipes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
