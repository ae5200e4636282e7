/* What a device wrote itself goes back to nobody, however much it was, and however little the device wants at once: the
 * hub does not read all of it again for each row that it passes over. */
#include "hub/serve_internal.h"
#include "tests/lib/fake_node.h"
#include "tests/lib/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct fake_hub hub;
static struct fake_node ann;
static size_t looks; /* at all that changed */

MUST_CHECK enum err __real_serve_collect(struct hub *h, const struct hub_node *n, const struct serve_since *since,
                                         int64_t pos, struct serve_list *list, struct why *why);
MUST_CHECK enum err __wrap_serve_collect(struct hub *h, const struct hub_node *n, const struct serve_since *since,
                                         int64_t pos, struct serve_list *list, struct why *why);

enum err __wrap_serve_collect(struct hub *h, const struct hub_node *n, const struct serve_since *since, int64_t pos,
                              struct serve_list *list, struct why *why)
{
    looks++;
    return __real_serve_collect(h, n, since, pos, list, why);
}

/* Each look reads every row of the case that changed: so the hub looks a few times, and not once for every two rows, or
 * any device could stop it for hours with one change of 200,000 rows. */
static void a_device_that_wants_one_byte_at_a_time_makes_the_hub_look_no_oftener(void **state)
{
    static const char *const members[] = {NULL};
    uint8_t c[16], id[16];
    struct fake_edit e;
    (void)state;
    fake_node_enrol(&ann, &hub, "care-mash", "care", "Ann");
    fake_node_pull(&ann);
    fake_case(&ann, c, "care", members);
    fake_edit_start(&e);
    for (size_t i = 0; i < 3000; i++) {
        struct op op = fake_person(&ann, id, c, "Anybody");
        fake_put(&e, &op);
    }
    (void)fake_commit(&ann, &e);
    ann.budget = 1;
    looks = 0;
    fake_node_round(&ann);
    assert_int_equal(ann.verdicts[0].verdict, VERDICT_APPLIED);
    assert_true(looks > 0);
    assert_true(looks < 20);
    fake_node_pull(&ann);
    fake_node_release(&ann);
}

static int set_up(void **state)
{
    (void)state;
    fake_hub_start(&hub);
    fake_hub_people(&hub);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fake_hub_stop(&hub);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_that_wants_one_byte_at_a_time_makes_the_hub_look_no_oftener),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
