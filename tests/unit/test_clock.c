/* When something is due: on the clock on the wall, and by working hours in London, which stand still at night, at
 * weekends and on bank holidays. London's offset is held against the zone data of this computer, hour by hour for
 * twenty years; working time against a count minute by minute. */
#include "node/look_internal.h"
#include "tests/lib/mock_hub.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define MINUTE INT64_C(60000)
#define HOUR   (60 * MINUTE)

struct listed {
    const char *list, *code, *label;
};
static const struct listed office[] = {{"bank_holiday", "2026-04-03", "Good Friday"},
                                       {"bank_holiday", "2026-04-06", "Easter Monday"},
                                       {"bank_holiday", "2026-05-04", NULL},
                                       {"bank_holiday", "2026-12-25", "Christmas Day"},
                                       {"bank_holiday", "2026-12-25", "Christmas, again"},
                                       {"bank_holiday", "2026-12-28", "Boxing Day"},
                                       {"bank_holiday", "25 December", "No date"},
                                       {"bank_holiday", "2026-02-30", "No day"},
                                       {"working_hours", "fri", "09:00-17:00"},
                                       {"working_hours", "mon", "09:00-17:00"},
                                       {"working_hours", "thu", "09:00-17:00"},
                                       {"working_hours", "tue", "09:00-17:00"},
                                       {"working_hours", "wed", "09:00-17:00"},
                                       {"working_hours", "sat", "9-17"},
                                       {"working_hours", "sun", "17:00-09:00"},
                                       {"referral_source", "sun", "09:00-17:00"},
                                       {0}};
/* A room that never closes but on Tuesday, and has short Sundays that begin in the hour of change. */
static const struct listed night[] = {
    {"bank_holiday", "2026-10-25", "A day of change"}, {"working_hours", "fri", "00:00-24:00"},
    {"working_hours", "mon", "22:00-24:00"},           {"working_hours", "sat", "00:00-24:00"},
    {"working_hours", "sun", "01:30-06:15"},           {"working_hours", "thu", "00:00-24:00"},
    {"working_hours", "wed", "07:59-08:01"},           {0}};
static const struct listed nothing[] = {{0}};

struct scale {
    const char *rag, *what, *subject;
    int minutes;
    const char *clock;
};
static const struct scale scales[] = {
    {"red", "decision", NULL, 240, "working"},  {"amber", "decision", NULL, 1440, "working"},
    {"amber", "decision", "adult", 2880, NULL}, {"green", "reply", NULL, 0, "elapsed"},
    {"amber", "reply", NULL, 60, "working"},    {"amber", "reply", NULL, 90, "working"},
};

static void put_code(struct mock_answer *a, unsigned number, const struct listed *l)
{
    uint8_t id[16];
    struct row r = {.table = rules_table((size_t)rules_table_index(bytes_of_str("code_list")))};
    mock_id(id, number);
    r.v[0] = value_id(id);
    r.v[1] = value_str(l->list);
    r.v[2] = value_str(l->code);
    r.v[3] = value_str(l->label);
    mock_answer_op(a, OP_INSERT, &r);
}

static void put_scale(struct mock_answer *a, unsigned number, const struct scale *t)
{
    uint8_t id[16];
    struct row r = {.table = rules_table((size_t)rules_table_index(bytes_of_str("timescale")))};
    mock_id(id, number);
    r.v[0] = value_id(id);
    r.v[1] = value_str(t->rag);
    r.v[2] = value_str(t->what);
    r.v[3] = value_str(t->subject);
    r.v[4] = value_int(t->minutes);
    r.v[5] = value_str(t->clock);
    mock_answer_op(a, OP_INSERT, &r);
}

static void serve(struct mock_hub *h, const struct mock_request *r, struct mock_answer *a, void *ctx)
{
    const struct listed **list = ctx;
    unsigned number = 1;
    (void)h;
    (void)r;
    for (const struct listed *l = *list; l != NULL && l->list != NULL; l++) put_code(a, number++, l);
    for (size_t i = 0; *list != NULL && i < sizeof scales / sizeof scales[0]; i++) put_scale(a, number++, &scales[i]);
    *list = NULL;
}

struct clock_world {
    struct mock_world w;
    struct look_calendar *c;
};

static void start(struct clock_world *k, const struct listed *list)
{
    memset(k, 0, sizeof *k);
    mock_world_new(&k->w);
    k->w.hub.script = serve;
    k->w.hub.script_ctx = &list;
    (void)mock_sync(&k->w, ERR_OK);
    k->w.hub.script = NULL;
    assert_int_equal(look_calendar_new(k->w.node, &k->c, NULL), ERR_OK);
}

static void stop(struct clock_world *k)
{
    look_calendar_free(k->c);
    mock_world_free(&k->w);
}

static int64_t utc(const char *text)
{
    struct tm t = {0};
    assert_non_null(strptime(text, "%Y-%m-%d %H:%M", &t));
    return (int64_t)timegm(&t) * 1000;
}

static void due_is(struct clock_world *k, const char *from, int64_t minutes, const char *want)
{
    char text[40];
    int64_t due = look_calendar_due(k->c, utc(from), minutes, true);
    time_t t = (time_t)(due / 1000);
    struct tm tm;
    (void)strftime(text, sizeof text, "%Y-%m-%d %H:%M", gmtime_r(&t, &tm));
    if (strcmp(text, want) != 0) print_error("%lld minutes from %s:\n", (long long)minutes, from);
    assert_string_equal(text, want);
    assert_int_equal(look_calendar_minutes(k->c, utc(from), due, true), minutes);
    assert_int_equal(look_calendar_minutes(k->c, due, utc(from), true), -minutes);
}

/* ---------------------------------------------------------------------------------------------------------- zone */
static void london_is_where_the_zone_data_has_it_every_hour_from_2020_to_2040(void **state)
{
    struct tm tm;
    (void)state;
    assert_int_equal(setenv("TZ", "Europe/London", 1), 0);
    tzset();
    time_t probe = (time_t)(utc("2026-07-01 12:00") / 1000);
    assert_non_null(localtime_r(&probe, &tm));
    if (tm.tm_hour != 13) skip(); /* this computer has no zone data */
    for (int64_t ms = utc("2020-01-01 00:00"); ms < utc("2041-01-01 00:00"); ms += HOUR) {
        for (int64_t near = -1; near <= 0; near++) { /* the last second before the hour, and the hour */
            time_t t = (time_t)(ms / 1000 + near);
            assert_non_null(localtime_r(&t, &tm));
            if (look_clock_offset((int64_t)t * 1000) != (int64_t)tm.tm_gmtoff * 1000) fail_msg("at %lld", (long long)t);
        }
    }
    assert_int_equal(unsetenv("TZ"), 0);
    tzset();
}

static void the_zone_of_the_machine_makes_no_difference(void **state)
{
    struct clock_world k;
    (void)state;
    start(&k, office);
    assert_int_equal(setenv("TZ", "Pacific/Auckland", 1), 0);
    tzset();
    due_is(&k, "2026-07-03 15:59", 2, "2026-07-06 08:01");
    assert_int_equal(unsetenv("TZ"), 0);
    tzset();
    stop(&k);
}

/* ------------------------------------------------------------------------------------------------- working hours */
static void a_weekend_and_a_night_do_not_count(void **state)
{
    struct clock_world k;
    (void)state;
    start(&k, office);
    due_is(&k, "2026-11-06 16:59", 1, "2026-11-06 17:00"); /* a Friday, in winter: London is UTC */
    due_is(&k, "2026-11-06 16:59", 2, "2026-11-09 09:01");
    due_is(&k, "2026-11-06 23:30", 1, "2026-11-09 09:01");
    due_is(&k, "2026-11-07 12:00", 60, "2026-11-09 10:00");
    due_is(&k, "2026-11-03 16:00", 120, "2026-11-04 10:00");
    due_is(&k, "2026-11-03 03:00", 480, "2026-11-03 17:00");
    due_is(&k, "2026-11-03 09:00", 480, "2026-11-03 17:00"); /* a whole day ends that day */
    due_is(&k, "2026-11-03 09:00", 5 * 480, "2026-11-09 17:00");
    due_is(&k, "2026-07-03 15:59", 2, "2026-07-06 08:01");            /* in summer, an hour earlier by UTC */
    due_is(&k, "2026-01-01 12:00", 52 * 5 * 480, "2027-01-06 12:00"); /* a Thursday; four days are holidays */
    stop(&k);
}

static void a_bank_holiday_does_not_count_and_one_that_was_taken_back_does(void **state)
{
    struct clock_world k;
    (void)state;
    start(&k, office);
    due_is(&k, "2026-04-02 15:59", 2, "2026-04-07 08:01"); /* over Easter, with the change of clocks behind */
    due_is(&k, "2026-04-03 10:00", 60, "2026-04-07 09:00");
    due_is(&k, "2026-12-24 16:00", 120, "2026-12-29 10:00");
    due_is(&k, "2026-05-01 15:00", 120, "2026-05-04 09:00");
    stop(&k);
}

static void both_changes_of_the_clocks_keep_nine_at_nine(void **state)
{
    struct clock_world k;
    (void)state;
    start(&k, office);
    due_is(&k, "2026-03-27 16:30", 60, "2026-03-30 08:30"); /* 29 March */
    due_is(&k, "2026-10-23 15:30", 60, "2026-10-26 09:30"); /* 25 October */
    assert_int_equal(look_calendar_minutes(k.c, utc("2026-03-23 00:00"), utc("2026-04-02 23:00"), true), 9 * 480);
    stop(&k);
}

static void nothing_and_what_is_before_are_no_time(void **state)
{
    struct clock_world k;
    (void)state;
    start(&k, office);
    int64_t saturday = utc("2026-11-07 12:00");
    assert_int_equal(look_calendar_due(k.c, saturday, 0, true), saturday);
    assert_int_equal(look_calendar_due(k.c, saturday, 0, false), saturday);
    assert_int_equal(look_calendar_due(k.c, saturday, -5, true), saturday);
    assert_int_equal(look_calendar_due(k.c, saturday, 240, false), saturday + 240 * MINUTE);
    assert_int_equal(look_calendar_minutes(k.c, saturday, saturday - 90 * MINUTE, false), -90);
    assert_int_equal(look_calendar_minutes(k.c, saturday, saturday + 24 * HOUR, true), 0);
    assert_int_equal(look_calendar_minutes(k.c, utc("2026-11-09 10:00"), utc("2026-11-06 16:00"), true), -120);
    stop(&k);
}

static void times_that_no_clock_shows_end_somewhere(void **state)
{
    struct clock_world k;
    (void)state;
    start(&k, office);
    assert_true(look_calendar_due(k.c, INT64_MAX, INT64_MAX, true) > 0);
    assert_true(look_calendar_due(k.c, INT64_MIN, INT64_MAX, true) < 0);
    assert_true(look_calendar_due(k.c, INT64_MIN, 1, false) < 0);
    assert_true(look_calendar_minutes(k.c, INT64_MIN, INT64_MAX, true) > 0);
    assert_true(look_calendar_minutes(k.c, INT64_MAX, INT64_MIN, false) < 0);
    stop(&k);
}

static void without_a_list_the_office_is_open_from_nine_to_five(void **state)
{
    struct clock_world k;
    (void)state;
    start(&k, nothing);
    due_is(&k, "2026-11-06 16:59", 2, "2026-11-09 09:01");
    due_is(&k, "2026-12-24 16:00", 120, "2026-12-25 10:00"); /* nobody told it of Christmas */
    stop(&k);
}

/* Is this minute one of work? Asked of the lists, without the sums of the product. */
static bool works_at(const struct listed *list, int64_t ms)
{
    static const char *const days[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
    time_t t = (time_t)((ms + look_clock_offset(ms)) / 1000);
    struct tm tm;
    char date[16], now[8];
    bool open = false;
    assert_non_null(gmtime_r(&t, &tm));
    (void)strftime(date, sizeof date, "%Y-%m-%d", &tm);
    (void)strftime(now, sizeof now, "%H:%M", &tm);
    for (; list->list != NULL; list++) {
        if (strcmp(list->list, "bank_holiday") == 0 && strcmp(list->code, date) == 0) return false;
        if (strcmp(list->list, "working_hours") == 0 && strcmp(list->code, days[tm.tm_wday]) == 0)
            open = strncmp(now, list->label, 5) >= 0 && strncmp(now, list->label + 6, 5) < 0;
    }
    return open;
}

static void every_minute_of_a_year_of_odd_hours_is_counted_once(void **state)
{
    struct clock_world k;
    int64_t counted = 0;
    (void)state;
    start(&k, night);
    int64_t from = utc("2026-02-27 00:00");
    for (int64_t ms = from; ms < utc("2027-04-04 00:00"); ms += MINUTE) {
        if ((ms - from) % (37 * MINUTE) == 0) assert_int_equal(look_calendar_minutes(k.c, from, ms, true), counted);
        if (!works_at(night, ms)) continue;
        counted++;
        if (counted % 97 == 0) assert_int_equal(look_calendar_due(k.c, from, counted, true), ms + MINUTE);
    }
    stop(&k);
}

/* --------------------------------------------------------------------------------------------------------- scale */
static void red_is_never_counted_by_working_hours(void **state)
{
    struct clock_world k;
    struct look_scale s;
    (void)state;
    start(&k, office);
    assert_int_equal(look_scale(k.w.node, "red", "decision", "child", &s, NULL), ERR_OK);
    assert_int_equal(s.minutes, 240);
    assert_false(s.working);
    assert_int_equal(look_scale(k.w.node, "amber", "decision", "child", &s, NULL), ERR_OK);
    assert_int_equal(s.minutes, 1440);
    assert_true(s.working);
    stop(&k);
}

static void a_scale_of_ones_own_comes_first_then_the_shortest_and_none_is_none(void **state)
{
    struct clock_world k;
    struct look_scale s;
    (void)state;
    start(&k, office);
    assert_int_equal(look_scale(k.w.node, "amber", "decision", "adult", &s, NULL), ERR_OK);
    assert_int_equal(s.minutes, 2880);
    assert_false(s.working);
    assert_int_equal(look_scale(k.w.node, "amber", "reply", NULL, &s, NULL), ERR_OK);
    assert_int_equal(s.minutes, 60);
    assert_int_equal(look_scale(k.w.node, "green", "reply", NULL, &s, NULL), ERR_OK);
    assert_int_equal(s.minutes, 0);
    assert_int_equal(look_scale(k.w.node, "blue", "decision", NULL, &s, NULL), ERR_OK);
    assert_int_equal(s.minutes, 0);
    assert_int_equal(look_scale(k.w.node, NULL, "decision", NULL, &s, NULL), ERR_OK);
    assert_int_equal(s.minutes, 0);
    stop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(london_is_where_the_zone_data_has_it_every_hour_from_2020_to_2040),
        cmocka_unit_test(the_zone_of_the_machine_makes_no_difference),
        cmocka_unit_test(a_weekend_and_a_night_do_not_count),
        cmocka_unit_test(a_bank_holiday_does_not_count_and_one_that_was_taken_back_does),
        cmocka_unit_test(both_changes_of_the_clocks_keep_nine_at_nine),
        cmocka_unit_test(nothing_and_what_is_before_are_no_time),
        cmocka_unit_test(times_that_no_clock_shows_end_somewhere),
        cmocka_unit_test(without_a_list_the_office_is_open_from_nine_to_five),
        cmocka_unit_test(every_minute_of_a_year_of_odd_hours_is_counted_once),
        cmocka_unit_test(red_is_never_counted_by_working_hours),
        cmocka_unit_test(a_scale_of_ones_own_comes_first_then_the_shortest_and_none_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
