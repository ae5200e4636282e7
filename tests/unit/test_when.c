/* Times as programs write them: base/when.h. */
#include "base/when.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static void a_time_is_written_as_rfc3339_in_utc(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } known[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {INT64_C(1793714700000), "2026-11-03T14:05:00.000Z"},
        {INT64_C(951782399999), "2000-02-28T23:59:59.999Z"},
        {INT64_C(951782400000), "2000-02-29T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {INT64_C(-62167219200000), "0000-01-01T00:00:00.000Z"},
        {INT64_C(253402300799999), "9999-12-31T23:59:59.999Z"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        char text[WHEN_RFC3339];
        int64_t back = 77;
        when_rfc3339(known[i].ms, text);
        assert_string_equal(text, known[i].text);
        assert_int_equal(when_read_rfc3339(text, &back, NULL), ERR_OK);
        assert_int_equal(back, known[i].ms);
    }
}

/* The C library's calendar, over 400 years in uneven steps. */
static void every_day_is_the_day_of_the_calendar(void **state)
{
    (void)state;
    for (int64_t ms = INT64_C(-6311390400000); ms < INT64_C(6311390400000); ms += INT64_C(71234567891)) {
        char want[40], text[WHEN_RFC3339];
        time_t t = (time_t)(ms / 1000 - (ms % 1000 < 0));
        struct tm tm;
        assert_non_null(gmtime_r(&t, &tm));
        assert_true(strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%S", &tm) > 0);
        when_rfc3339(ms, text);
        assert_memory_equal(text, want, strlen(want));
    }
}

static void a_time_beyond_four_digits_of_year_is_no_text(void **state)
{
    static const int64_t beyond[] = {INT64_C(253402300800000), INT64_C(-62167219200001), INT64_MAX, INT64_MIN};
    (void)state;
    for (size_t i = 0; i < sizeof beyond / sizeof beyond[0]; i++) {
        char text[WHEN_RFC3339] = "x";
        when_rfc3339(beyond[i], text);
        assert_string_equal(text, "");
    }
}

static void offsets_and_fractions_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {
        {"2026-11-03T14:05:00Z", INT64_C(1793714700000)},
        {"2026-11-03t14:05:00z", INT64_C(1793714700000)},
        {"2026-11-03T15:35:00+01:30", INT64_C(1793714700000)},
        {"2026-11-02T23:05:00-15:00", INT64_C(1793714700000)},
        {"2026-11-03T14:05:00.5Z", INT64_C(1793714700500)},
        {"2026-11-03T14:05:00.123456789Z", INT64_C(1793714700123)},
    };
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        int64_t ms = 77;
        assert_int_equal(when_read_rfc3339(good[i].text, &ms, NULL), ERR_OK);
        assert_int_equal(ms, good[i].ms);
    }
}

static void what_is_no_time_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "2026",
        "2026-11-03",
        "2026-11-03T14:05Z",
        "2026-11-03T14:05:00",
        "2026-11-03 14:05:00Z",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:60Z",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00.1234567890Z",
        "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00+0100",
        "2026-01-01T00:00:00Zx",
        "+026-01-01T00:00:00Z",
        "2026-1-01T00:00:00Z",
        "2026-01-01T00:00:00Z\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct why why = {0};
        int64_t ms = 77;
        if (when_read_rfc3339(bad[i], &ms, &why) != ERR_FORMAT) fail_msg("taken: %s", bad[i]);
        assert_int_equal(ms, 77);
        assert_true(why.text[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_time_is_written_as_rfc3339_in_utc),
        cmocka_unit_test(every_day_is_the_day_of_the_calendar),
        cmocka_unit_test(a_time_beyond_four_digits_of_year_is_no_text),
        cmocka_unit_test(offsets_and_fractions_are_read),
        cmocka_unit_test(what_is_no_time_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
