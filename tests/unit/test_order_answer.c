/* Orders in answers, from a hub that says what no hub would. */
#include "tests/lib/mock_round.h"
#include "tests/lib/wiped_home.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct order to_node(const struct mock_round *s, uint64_t n, uint64_t kind, uint64_t value)
{
    struct order o = {.number = n, .kind = kind, .value = value, .at_ms = 9};
    memcpy(o.node, s->w.hub.node.kid, KID_BYTES);
    return o;
}

static void an_order_of_another_device_or_hub_or_in_the_wrong_place_changes_nothing(void **state)
{
    struct mock_round s;
    struct identity_secret stranger = {0};
    (void)state;
    assert_int_equal(identity_generate(&stranger, NULL), ERR_OK);
    mock_round_start(&s);
    const struct order good = to_node(&s, 4, ORDER_WIPE, ORDER_AT_ONCE);
    for (int i = 0; i < 5; i++) {
        mock_round_ask(&s);
        mock_round_add_rows(&s);
        s.a.n_orders = 1;
        s.a.orders[0] = good;
        if (i == 0) s.a.orders[0].node[3] ^= 1;
        if (i == 1) s.a.orders_by = &stranger;
        if (i == 2) s.a.orders_last = true;
        if (i == 3) { /* twice the same number */
            s.a.n_orders = 2;
            s.a.orders[1] = good;
        }
        if (i == 4) /* more than any hub sends */
            for (s.a.n_orders = 0; s.a.n_orders < 12; s.a.n_orders++)
                s.a.orders[s.a.n_orders] = to_node(&s, 1 + s.a.n_orders, ORDER_LEASE, 3);
        mock_round_seal(&s);
        mock_round_refuses(&s, i == 0 ? ERR_REFUSED : i == 1 ? ERR_TAMPERED : ERR_FORMAT);
        assert_null(home_has(s.w.home, "wipe"));
        assert_int_equal(mock_ask(s.w.node, "SELECT coalesce(max(value), 0) FROM n_number WHERE name = 'order'"), 0);
    }
    mock_round_stop(&s);
    identity_release(&stranger);
}

static void an_old_number_is_passed_over_as_often_as_it_comes(void **state)
{
    struct mock_round s;
    struct node_info i;
    (void)state;
    mock_round_start(&s);
    s.a.n_orders = 1;
    s.a.orders[0] = to_node(&s, 7, ORDER_LEASE, 12);
    mock_round_seal(&s);
    (void)mock_round_import(&s, ERR_OK);
    for (uint64_t n = 6; n <= 7; n++) {
        mock_round_ask(&s);
        assert_int_equal(s.req.hello.order, 7);
        s.a.n_orders = 1;
        s.a.orders[0] = to_node(&s, n, n == 6 ? ORDER_WIPE : ORDER_LEASE, 1);
        mock_round_seal(&s);
        (void)mock_round_import(&s, ERR_OK);
        assert_null(home_has(s.w.home, "wipe"));
        assert_int_equal(node_get_info(s.w.node, &i, NULL), ERR_OK);
        assert_int_equal(i.lease_days, 12);
    }
    mock_round_stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_order_of_another_device_or_hub_or_in_the_wrong_place_changes_nothing),
        cmocka_unit_test(an_old_number_is_passed_over_as_often_as_it_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
