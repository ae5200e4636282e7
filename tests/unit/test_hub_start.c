/* A server that is started while somebody else has the hub's store: it begins when that has ended, and does not end
 * itself. hub/STORE.md, "Several processes". */
#include "tests/lib/admin_world.h"
#include "tests/lib/test_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct why why;

/* Somebody who has the store, and gives it back when it was asked for so many times. */
struct holder {
    struct db *db; /* on PostgreSQL: a connection with the hub's lock. NULL: the hub itself has the file open */
    int asked, patience;
    enum err turn;
};

static void holds(struct holder *o)
{
    admin_hub->env.busy_ms = 30;
    if (!test_store_is_postgres()) return;
    if (hub_open_beside(admin_hub->hub, &o->db, &why) != ERR_OK) fail_msg("%s", why.text);
    if (db_begin(o->db, &why) != ERR_OK) fail_msg("%s", why.text);
}

static void lets_go(struct holder *o)
{
    if (o->db != NULL) db_rollback(o->db);
    db_close(o->db);
    o->db = NULL;
    hub_close(admin_hub->hub);
    admin_hub->hub = NULL;
}

static bool asked(void *ctx)
{
    struct holder *o = ctx;
    if (++o->asked == o->patience) lets_go(o);
    return true;
}

static bool asked_once(void *ctx)
{
    struct holder *o = ctx;
    o->asked++;
    return false;
}

static enum err turn(void *ctx, struct hub_clock *clock, struct why *say)
{
    struct holder *o = ctx;
    *clock = (struct hub_clock){0};
    return o->asked == 0 || o->turn == ERR_OK ? ERR_OK : why_set(say, o->turn, "This hub is served already.");
}

static enum err opens(struct hub **out, const struct hub_opening *how)
{
    const char *store = NULL;
    return hub_open_at(out, &admin_hub->env, &(struct hub_place){.home = admin_hub->dir, .store = store}, admin_pass("admin"), how, &why);
}

static void who_begins_to_serve_waits_until_the_store_is_free(void **state)
{
    struct holder o = {.patience = 3};
    struct hub *h = NULL;
    (void)state;
    holds(&o);
    if (opens(&h, &(struct hub_opening){.turn = turn, .ctx = &o, .again = asked, .again_ctx = &o}) != ERR_OK) fail_msg("%s", why.text);
    assert_int_equal(o.asked, 3);
    admin_hub->hub = h;
    assert_int_equal(hub_verify(h, &why), ERR_OK);
}

static void a_command_does_not_wait_for_ever(void **state)
{
    struct holder o = {0};
    struct hub *h = NULL;
    (void)state;
    holds(&o);
    assert_int_equal(opens(&h, NULL), ERR_BUSY);
    assert_int_equal(opens(&h, &(struct hub_opening){.again = asked_once, .again_ctx = &o}), ERR_BUSY);
    assert_int_equal(o.asked, 1);
    assert_null(h);
    lets_go(&o);
    assert_int_equal(opens(&admin_hub->hub, NULL), ERR_OK);
}

/* It came while this one waited: two do not serve one file. */
static void another_server_that_came_meanwhile_ends_it(void **state)
{
    struct holder o = {.turn = ERR_BUSY};
    struct hub *h = NULL;
    (void)state;
    holds(&o);
    assert_int_equal(opens(&h, &(struct hub_opening){.turn = turn, .ctx = &o, .again = asked, .again_ctx = &o}), ERR_BUSY);
    assert_int_equal(o.asked, 1);
    assert_non_null(strstr(why.text, "served already"));
    lets_go(&o);
    assert_int_equal(opens(&admin_hub->hub, NULL), ERR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_begins_to_serve_waits_until_the_store_is_free, admin_start, admin_stop),
        cmocka_unit_test_setup_teardown(a_command_does_not_wait_for_ever, admin_start, admin_stop),
        cmocka_unit_test_setup_teardown(another_server_that_came_meanwhile_ends_it, admin_start, admin_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
