/* What a hub begins with of times and days, and how administrators change it: bank holidays are worked out here by the
 * law's own rules; what is set reaches a device, and acts there count by it. */
#include "node/act_work.h"
#include "tests/lib/two_ends_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static struct why why;

static time_t day(int year, int month, int of_month)
{
    struct tm t = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = of_month, .tm_hour = 12};
    return timegm(&t);
}

static int weekday(time_t t)
{
    struct tm tm;
    assert_non_null(gmtime_r(&t, &tm));
    return tm.tm_wday;
}

/* Easter Sunday (Meeus, Astronomical Algorithms, ch. 8). */
static time_t easter(int y)
{
    int a = y % 19, b = y / 100, c = y % 100, d = (19 * a + b - b / 4 - (b - (b + 8) / 25 + 1) / 3 + 15) % 30;
    int e = (32 + 2 * (b % 4) + 2 * (c / 4) - d - c % 4) % 7, f = d + e - 7 * ((a + 11 * d + 22 * e) / 451) + 114;
    return day(y, f / 31, f % 31 + 1);
}

static time_t first_monday(int year, int month)
{
    time_t t = day(year, month, 1);
    while (weekday(t) != 1) t += 86400;
    return t;
}

static time_t last_monday(int year, int month, int last)
{
    time_t t = day(year, month, last);
    while (weekday(t) != 1) t -= 86400;
    return t;
}

static void is_listed(time_t t)
{
    char sql[160], date[16];
    struct tm tm;
    (void)strftime(date, sizeof date, "%Y-%m-%d", gmtime_r(&t, &tm));
    (void)snprintf(sql, sizeof sql,
                   "SELECT count(*) FROM code_list WHERE list = 'bank_holiday' AND code = '%s' AND label <> ''", date);
    if (fake_hub_int(ends_hub, sql) != 1) fail_msg("%s is missing", date);
}

static void a_new_hub_knows_the_bank_holidays_of_three_years_and_no_other_day(void **state)
{
    (void)state;
    for (int y = 2026; y <= 2028; y++) {
        time_t new_year = day(y, 1, 1), christmas = day(y, 12, 25), boxing = day(y, 12, 26);
        while (weekday(new_year) == 0 || weekday(new_year) == 6) new_year += 86400;
        while (weekday(christmas) == 0 || weekday(christmas) == 6) christmas += 86400;
        while (weekday(boxing) == 0 || weekday(boxing) == 6 || boxing <= christmas) boxing += 86400;
        is_listed(new_year);
        is_listed(easter(y) - 2 * 86400);
        is_listed(easter(y) + 86400);
        is_listed(first_monday(y, 5));
        is_listed(last_monday(y, 5, 31));
        is_listed(last_monday(y, 8, 31));
        is_listed(christmas);
        is_listed(boxing);
    }
    assert_int_equal(fake_hub_int(ends_hub, "SELECT count(*) FROM code_list WHERE list = 'bank_holiday'"), 24);
    assert_int_equal(fake_hub_int(ends_hub, "SELECT count(*) FROM code_list WHERE list = 'working_hours'"
                                            " AND label = '09:00-17:00' AND code IN ('mon','tue','wed','thu','fri')"),
                     5);
    assert_int_equal(fake_hub_int(ends_hub, "SELECT count(*) FROM code_list WHERE list = 'working_hours'"), 5);
}

static void a_new_hub_decides_in_4_24_and_72_hours_and_blue_has_no_time(void **state)
{
    (void)state;
    assert_int_equal(fake_hub_int(ends_hub, "SELECT minutes FROM timescale WHERE rag = 'red' AND what = 'decision'"),
                     240);
    assert_int_equal(fake_hub_int(ends_hub, "SELECT minutes FROM timescale WHERE rag = 'amber' AND what = 'decision'"),
                     1440);
    assert_int_equal(fake_hub_int(ends_hub, "SELECT minutes FROM timescale WHERE rag = 'green' AND what = 'decision'"),
                     4320);
    assert_int_equal(fake_hub_int(ends_hub, "SELECT count(*) FROM timescale WHERE rag = 'blue'"), 0);
    assert_int_equal(fake_hub_int(ends_hub, "SELECT count(*) FROM timescale WHERE clock <> 'elapsed'"), 0);
    assert_int_equal(fake_hub_int(ends_hub,
                                  "SELECT count(*) FROM timescale a JOIN timescale d ON d.rag = a.rag AND"
                                  " d.what = 'decision' WHERE a.what <> 'decision' AND a.minutes >= d.minutes"),
                     0);
}

static enum err set(const char *rag, const char *what, const char *subject, int64_t minutes, const char *clock)
{
    struct hub_timescale t = {.rag = rag, .what = what, .subject_kind = subject, .minutes = minutes, .clock = clock};
    return hub_set_timescale(ends_hub->hub, &t, &why);
}

static int64_t due(struct ends_node *n, const char *rag, const char *subject, int64_t from)
{
    int64_t out = -1;
    (void)ends_sync(n, ERR_OK);
    assert_int_equal(act_due(n->n, rag, "decision", subject, from, &out, &why), ERR_OK);
    return out;
}

static void a_time_scale_that_is_set_reaches_every_device_and_is_counted_by(void **state)
{
    int64_t friday = (int64_t)(day(2026, 11, 6) + 3 * 3600) * 1000, hour = 3600000; /* 15:00 */
    (void)state;
    assert_int_equal(due(sam, "amber", "child", friday), friday + 24 * hour);
    assert_int_equal(due(sam, "blue", "child", friday), 0);
    assert_int_equal(set("amber", "decision", NULL, 240, "working"), ERR_OK);
    assert_int_equal(due(sam, "amber", "child", friday), friday + (2 + 64 + 2) * hour);
    assert_int_equal(set("amber", "decision", "adult", 60, "elapsed"), ERR_OK);
    assert_int_equal(due(sam, "amber", "adult", friday), friday + hour);
    assert_int_equal(due(sam, "amber", "child", friday), friday + (2 + 64 + 2) * hour);
    assert_int_equal(set("amber", "decision", NULL, 0, "elapsed"), ERR_OK); /* set anew: not a second row */
    assert_int_equal(due(sam, "amber", "child", friday), 0);
    assert_int_equal(fake_hub_int(ends_hub, "SELECT count(*) FROM timescale WHERE rag = 'amber' AND what = 'decision'"),
                     2);
    assert_int_equal(fake_hub_int(ends_hub, "SELECT count(*) FROM h_act WHERE act = 'timescale set'"), 3);
    ends_same(sam);
}

static void a_time_scale_that_makes_no_sense_is_refused(void **state)
{
    (void)state;
    assert_int_equal(set("pink", "decision", NULL, 60, "elapsed"), ERR_USAGE);
    assert_int_equal(set("red", "party", NULL, 60, "elapsed"), ERR_USAGE);
    assert_int_equal(set("red", "decision", "dog", 60, "elapsed"), ERR_USAGE);
    assert_int_equal(set("amber", "decision", NULL, 60, "sun dial"), ERR_USAGE);
    assert_int_equal(set("amber", "decision", NULL, -1, "elapsed"), ERR_USAGE);
    assert_int_equal(set("amber", "decision", NULL, 366 * 24 * 60 + 1, "elapsed"), ERR_USAGE);
    assert_int_equal(set("red", "decision", NULL, 60, "working"), ERR_USAGE);
    assert_non_null(strstr(why.text, "cannot wait until Monday"));
    assert_int_equal(fake_hub_int(ends_hub, "SELECT count(*) FROM timescale WHERE rag = 'red'"), 3);
}

static void a_bank_holiday_comes_and_goes(void **state)
{
    int64_t tuesday = (int64_t)(day(2030, 12, 24) + 3 * 3600) * 1000, hour = 3600000; /* 15:00 */
    (void)state;
    assert_int_equal(set("green", "decision", NULL, 240, "working"), ERR_OK);
    assert_int_equal(due(pol, "green", "child", tuesday), tuesday + 20 * hour);
    assert_int_equal(hub_set_holiday(ends_hub->hub, "2030-12-25", "Christmas Day", &why), ERR_OK);
    assert_int_equal(due(pol, "green", "child", tuesday), tuesday + 44 * hour);
    assert_int_equal(hub_set_holiday(ends_hub->hub, "2030-12-25", "Christmas", &why), ERR_OK); /* renamed */
    assert_int_equal(hub_set_holiday(ends_hub->hub, "2030-12-25", NULL, &why), ERR_OK);
    assert_int_equal(due(pol, "green", "child", tuesday), tuesday + 20 * hour);
    assert_int_equal(hub_set_holiday(ends_hub->hub, "2030-12-25", NULL, &why), ERR_NOTFOUND);
    assert_int_equal(hub_set_holiday(ends_hub->hub, "2030-12-26", NULL, &why), ERR_NOTFOUND);
    assert_int_equal(hub_set_holiday(ends_hub->hub, "2030-02-30", "No day", &why), ERR_USAGE);
    assert_int_equal(hub_set_holiday(ends_hub->hub, "Christmas", "No day", &why), ERR_USAGE);
    assert_int_equal(hub_set_holiday(ends_hub->hub, "2030-12-25", "", &why), ERR_USAGE);
    assert_int_equal(fake_hub_int(ends_hub, "SELECT count(*) FROM code_list WHERE code = '2030-12-25'"), 1);
    ends_same(pol);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_hub_knows_the_bank_holidays_of_three_years_and_no_other_day),
        cmocka_unit_test(a_new_hub_decides_in_4_24_and_72_hours_and_blue_has_no_time),
        cmocka_unit_test(a_time_scale_that_is_set_reaches_every_device_and_is_counted_by),
        cmocka_unit_test(a_time_scale_that_makes_no_sense_is_refused),
        cmocka_unit_test(a_bank_holiday_comes_and_goes),
    };
    return cmocka_run_group_tests(tests, ends_start, ends_stop);
}
