/* A device that is set up anew numbers its changes anew: the log of what was done before stays, and is not taken for
 * what is done after it. */
#include "node/look.h"
#include "tests/lib/intake_fixture.h"
#include "tests/lib/mock_hub.h"
#include "tests/lib/real_device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int64_t entries(struct real_device *d, const uint8_t *case_id)
{
    struct json *out = NULL;
    struct why why = {0};
    const struct look_audit ask = {.case_id = case_id};
    enum err e = look_audit(d->n, &ask, &out, &why);
    if (e != ERR_OK) fail_msg("%s: %s", err_word(e), why.text);
    int64_t total = json_get_int(out, "total", -1);
    json_free(out);
    return total;
}

static void what_was_done_before_is_never_told_of_another_case(void **state)
{
    struct real_device d;
    uint8_t first[16], second[16], p[16], q[16];
    (void)state;
    shared_case(first);
    shared_case(second);
    real_join(&d, "school-1", "school", "Tina");
    (void)real_sync(&d, ERR_OK);
    real_image(&d, "old");
    (void)real_person(&d, first, "First", p);
    assert_int_equal(real_sync(&d, ERR_OK).applied, 1);
    real_put_back(&d, "old");
    (void)real_person(&d, first, "Again", p);
    assert_int_equal(entries(&d, first), 1);
    (void)real_sync(&d, ERR_REFUSED);
    real_again(&d);
    (void)real_sync(&d, ERR_OK);
    int64_t before = entries(&d, NULL);
    assert_true(before >= 2); /* what was done, and that the device was set up anew */
    assert_int_equal(entries(&d, first), 0);
    for (int i = 0; i < 4; i++) (void)real_person(&d, second, "Later", q); /* under the numbers of before */
    assert_int_equal(entries(&d, NULL), before + 4);
    assert_int_equal(entries(&d, second), 4);
    real_gone(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_done_before_is_never_told_of_another_case),
    };
    return cmocka_run_group_tests(tests, intake_start, intake_stop);
}
