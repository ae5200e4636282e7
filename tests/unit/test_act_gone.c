/* What is settled or changed where the entry itself is not here: it is refused, and the version that lost stays for
 * whoever can settle it. */
#include "node/act_work.h"
#include "tests/lib/look_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void two_versions_of_what_is_not_here_are_not_settled(void **state)
{
    static const char *const keeps[] = {"kept", "lost", "value"};
    struct look_world l;
    uint8_t id[16];
    (void)state;
    look_world_new(&l);
    look_sql(&l, "INSERT INTO conflict(id, case_id, agency, tbl, row_id, col, policy, kept, lost, state) VALUES"
                 "(@50, @1, 'care', 'person', @99, 'family_name', 'escalate', 'Wren', 'Finch', 'ruled')");
    look_id(50, id);
    for (size_t i = 0; i < 3; i++) {
        const struct act_settle in = {
            .conflict = id, .keep = keeps[i], .value = bytes_of_str("Owl"), .reason = "Birth certificate seen"};
        assert_int_equal(act_conflict_settle(l.n, &in, &l.why), ERR_NOTFOUND);
        assert_non_null(strstr(l.why.text, "not on this device"));
        assert_int_equal(mock_ask(l.n, "SELECT count(*) FROM conflict WHERE state = 'ruled'"), 1);
        assert_int_equal(mock_ask(l.n, "SELECT count(*) FROM n_outbox"), 0);
    }
    look_world_free(&l);
}

/* The same value again is a change to an entry that is here. */
static void a_version_that_stands_already_settles_them(void **state)
{
    struct look_world l;
    uint8_t id[16];
    const struct act_settle in = {.conflict = id, .keep = "kept", .reason = "Birth certificate seen"};
    (void)state;
    look_world_new(&l);
    look_sql(&l, "INSERT INTO conflict(id, case_id, agency, tbl, row_id, col, policy, kept, lost, state) VALUES"
                 "(@50, @1, 'care', 'person', @10, 'family_name', 'escalate', 'Wren', 'Finch', 'open')");
    look_id(50, id);
    if (act_conflict_settle(l.n, &in, &l.why) != ERR_OK) fail_msg("%s", l.why.text);
    assert_int_equal(mock_ask(l.n, "SELECT count(*) FROM conflict WHERE state = 'settled'"), 1);
    look_world_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_versions_of_what_is_not_here_are_not_settled),
        cmocka_unit_test(a_version_that_stands_already_settles_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
