/* How many rows a device holds, as the hub counts them, where somebody comes late to a hub that was put back: what
 * others lost and got again until then is told them whole, and was theirs before. */
#include "tests/lib/disaster_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The school is shut out and let in again while Pat's device is missing; Sam's has no contact in between. */
static void shut_out_and_let_in(const struct ends_case *k)
{
    ends_access(k->parts[1], "none");
    ends_access(k->parts[1], "contribute");
}

static void rows_that_were_lost_and_given_again_until_a_late_device_came_count_once(void **ctx)
{
    struct ends_case k;
    uint8_t note[16];
    (void)ctx;
    ends_case(&k);
    (void)lost_backup("old");
    ends_note(pat, k.c, note, "open", "since the backup");
    (void)ends_sync(pat, ERR_OK);
    ends_all_sync();
    lost_destroy();
    lost_restored("old");
    lost_sync_but(pat);
    lost_released("the station has no network");
    lost_sync_but(pat);
    lost_sync_but(pat);
    assert_int_equal(lost_rows_held(sam), lost_rows_seen(sam));
    shut_out_and_let_in(&k);
    for (int i = 0; i < 2; i++) (void)ends_sync(pat, ERR_OK);
    lost_continued();
    lost_is_done(0);
    (void)ends_sync(sam, ERR_OK);
    ends_same(sam);
    assert_int_equal(lost_rows_held(sam), lost_rows_seen(sam));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_that_were_lost_and_given_again_until_a_late_device_came_count_once, lost_start, lost_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
