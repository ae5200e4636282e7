/* A search at a page while thousands of cases are not in the index yet: it answers at once, and says what it could not
 * look at. */
#include "node/look.h"
#include "node/search.h"
#include "tests/lib/bench_cases.h"
#include "tests/lib/mock_hub.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define CASES   400u
#define RECORDS 8000u

struct world {
    struct mock_world w;
    struct bench_cases c;
};

/* A minute goes by whenever somebody looks: every search has time for one step. */
static int64_t hurried(void *ctx)
{
    static int64_t now;
    (void)ctx;
    return now += 60000;
}

static int set_up(void **state)
{
    struct world *x = calloc(1, sizeof *x);
    assert_non_null(x);
    mock_world_new(&x->w);
    x->w.env.steady_ms = hurried;
    bench_cases_new(&x->c, CASES, RECORDS);
    x->c.n = x->w.node;
    (void)bench_cases_fill(&x->c, env_now(&x->w.env));
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    struct world *x = *state;
    mock_world_free(&x->w);
    bench_cases_free(&x->c);
    free(x);
    return 0;
}

static struct json *ask(struct world *x, const char *text)
{
    struct json *found = NULL;
    struct why why = {0};
    if (look_search_soon(x->w.node, text, 0, &found, &why) != ERR_OK) fail_msg("%s", why.text);
    return found;
}

static int64_t due(struct world *x)
{
    return mock_ask(x->w.node, "SELECT count(*) FROM n_search WHERE due > 0");
}

static void the_first_search_does_not_wait_until_everything_is_in_the_index(void **state)
{
    struct world *x = *state;
    struct json *found = ask(x, BENCH_RARE);
    assert_true(due(x) > CASES - 48);
    json_free(found);
}

static void nothing_is_said_to_be_nowhere_before_everything_was_looked_at(void **state)
{
    struct world *x = *state;
    unsigned searches = 0;
    for (bool filling = true; filling; searches++) {
        struct json *found = ask(x, "zzyzx");
        filling = json_get_bool(found, "filling", false);
        assert_int_equal(json_get_int(found, "total", -1), 0);
        assert_int_equal(json_get_bool(found, "truncated", false), filling);
        json_free(found);
        assert_true(searches < CASES);
    }
    assert_true(searches > 1);
    assert_true(due(x) * 20 < 2 * 1500); /* the few that are left were read without it */
    struct json *found = ask(x, BENCH_RARE);
    assert_int_equal(json_get_int(found, "total", 0), 1);
    assert_false(json_get_bool(found, "filling", true));
    json_free(found);
}

static void what_is_in_the_index_is_found_while_the_rest_is_not(void **state)
{
    struct world *x = *state;
    struct json *found = ask(x, "bace");
    assert_true(json_get_int(found, "total", 0) > 0);
    assert_true(json_get_bool(found, "truncated", false));
    json_free(found);
}

static void no_hit_comes_twice_from_a_case_that_changed(void **state)
{
    struct world *x = *state;
    struct json *found = NULL;
    struct why why = {0};
    assert_int_equal(look_search(x->w.node, BENCH_RARE, 0, &found, &why), ERR_OK); /* all of it is filled */
    assert_int_equal(due(x), 0);
    json_free(found);
    for (unsigned i = 0; i < 40; i++) bench_cases_add(&x->c, i, "vermilion kite");
    assert_int_equal(due(x), 40);
    found = ask(x, "vermilion");
    assert_int_equal(json_get_int(found, "total", 0), 40);
    assert_false(json_get_bool(found, "filling", true));
    json_free(found);
    for (unsigned i = 0; i < 40; i++) bench_cases_add(&x->c, i, "nothing of it");
    found = ask(x, "vermilion");
    assert_int_equal(json_get_int(found, "total", 0), 40);
    json_free(found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_first_search_does_not_wait_until_everything_is_in_the_index, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_said_to_be_nowhere_before_everything_was_looked_at, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_in_the_index_is_found_while_the_rest_is_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_hit_comes_twice_from_a_case_that_changed, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
