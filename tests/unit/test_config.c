/* Settings in a file: cli/config.h. What is wrong in a line is in test_hostile_node.c. */
#include "cli/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static enum err parse(const char *text, struct config *out, struct why *why)
{
    return config_parse(bytes_of_str(text), "/etc/spoke/config", "spoke", out, why);
}

static void the_time_to_check_a_passphrase_is_a_number_of_seconds(void **state)
{
    static const struct {
        const char *text;
        unsigned ms;
    } good[] = {{"0", 0},       {"0.5", 500}, {"2", 2000}, {"10", 10000},
                {"1.25", 1250}, {"0.001", 1}, {".5", 500}, {"3.", 3000}};
    static const char *const bad[] = {"",   ".",      "-1",   "1s",  "10.001",
                                      "11", "0.0001", "1..2", "1,5", "99999999999999999999"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        unsigned ms = 77;
        if (!config_seconds(bytes_of_str(good[i].text), &ms)) fail_msg("refused: %s", good[i].text);
        assert_int_equal(ms, good[i].ms);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        unsigned ms = 77;
        if (config_seconds(bytes_of_str(bad[i]), &ms)) fail_msg("taken: %s", bad[i]);
        assert_int_equal(ms, 77);
    }
}

static void where_it_is_absent_it_stays_as_it_was(void **state)
{
    struct config c = {.unlock_ms = 500};
    (void)state;
    assert_int_equal(parse("[spoke-hub]\nunlock-time = 3\n", &c, NULL), ERR_OK);
    assert_int_equal(c.unlock_ms, 500);
    assert_int_equal(parse("[spoke]\nunlock-time = 0\n", &c, NULL), ERR_OK);
    assert_int_equal(c.unlock_ms, 0);
}

static void a_time_that_is_none_is_refused_in_whichever_section(void **state)
{
    struct config c = {.unlock_ms = 500};
    struct why why = {0};
    (void)state;
    assert_int_equal(parse("[spoke-hub]\nunlock-time = soon\n", &c, &why), ERR_USAGE);
    assert_non_null(strstr(why.text, "line 2"));
    assert_int_equal(c.unlock_ms, 500);
}

static void the_device_secret_may_lie_elsewhere(void **state)
{
    struct config c = {.unlock_ms = 500};
    struct why why = {0};
    (void)state;
    assert_int_equal(parse("[spoke]\ndevice-secret = /run/keys/spoke\n", &c, NULL), ERR_OK);
    assert_string_equal(c.device_secret, "/run/keys/spoke");
    assert_int_equal(parse("[spoke]\ndevice-secret = keys/spoke\n", &c, &why), ERR_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_time_to_check_a_passphrase_is_a_number_of_seconds),
        cmocka_unit_test(where_it_is_absent_it_stays_as_it_was),
        cmocka_unit_test(a_time_that_is_none_is_refused_in_whichever_section),
        cmocka_unit_test(the_device_secret_may_lie_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
