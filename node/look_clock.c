/* When time runs out, on a clock that stands at night, at weekends and on bank holidays.
 *
 * Hours are London's, whatever the machine's own zone is. What the C library knows of zones is one setting for the
 * whole process, so the rule itself stands here: British Summer Time is one hour ahead of UTC from 01:00 UTC on the
 * last Sunday of March to 01:00 UTC on the last Sunday of October (Summer Time Order 2002, from Directive 2000/84/EC).
 * Days are counted from 1 January 1970; each question is answered by a sum over whole days, so that a time of years
 * costs as much as one of minutes. tests/unit/test_clock.c holds all this against tzdata. */
#include "node/look_internal.h"

#include <stdlib.h>
#include <string.h>

#define MINUTE       INT64_C(60000)
#define HOUR         (60 * MINUTE)
#define DAY          (24 * HOUR)
#define MAX_HOLIDAYS 2000u
/* Longer than any working time that somebody waits for; keeps all sums far from their ends. */
#define MAX_MINUTES INT64_C(52596000) /* 100 years */
#define MAX_MS      (INT64_C(8000) * 366 * DAY)

struct holiday {
    int64_t day;
    int64_t taken; /* working ms that this one and those before it take away */
};

struct look_calendar {
    int64_t begin[7], end[7]; /* of a working day, ms after local midnight; alike: none. 0 is Monday */
    int64_t week;             /* working ms of a week without a change of the clocks */
    int64_t spring, autumn;   /* what the Sundays of change have more than any other */
    size_t n;
    struct holiday holidays[MAX_HOLIDAYS]; /* each day once, in order */
};

/* ------------------------------------------------------------------------------------------------ civil days */
static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int weekday(int64_t day)
{
    return (int)(day + 3 - floor_div(day + 3, 7) * 7); /* 1 January 1970 was a Thursday */
}

/* Days before 1 January of a year of the Gregorian calendar. */
static int64_t year_begins(int64_t year)
{
    int64_t y = year - 1;
    return y * 365 + floor_div(y, 4) - floor_div(y, 100) + floor_div(y, 400) - 719162;
}

static bool leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int64_t year_of(int64_t day)
{
    int64_t y = floor_div(day * 400, 146097) + 1970;
    while (year_begins(y) > day) y--;
    while (year_begins(y + 1) <= day) y++;
    return y;
}

static int64_t last_sunday(int64_t day)
{
    return day - (weekday(day) + 1) % 7;
}

/* 31 March is day 89 of a year that is not leap, 31 October day 303. */
static int64_t spring_day(int64_t year)
{
    return last_sunday(year_begins(year) + 89 + leap(year));
}

static int64_t autumn_day(int64_t year)
{
    return last_sunday(year_begins(year) + 303 + leap(year));
}

int64_t look_clock_offset(int64_t ms)
{
    if (ms > MAX_MS || ms < -MAX_MS) return 0; /* of no calendar */
    int64_t year = year_of(floor_div(ms, DAY));
    return ms >= spring_day(year) * DAY + HOUR && ms < autumn_day(year) * DAY + HOUR ? HOUR : 0;
}

/* The first moment at which clocks in London show this time of this day, or a later one. */
static int64_t utc_of(int64_t day, int64_t after_midnight)
{
    int64_t as_gmt = day * DAY + after_midnight, as_bst = as_gmt - HOUR;
    if (look_clock_offset(as_bst) == HOUR) return as_bst;
    int64_t change = spring_day(year_of(day)) * DAY + HOUR;
    return as_bst < change && as_gmt >= change ? change : as_gmt; /* a time that the change skips: when it is over */
}

/* ------------------------------------------------------------------------------------------------ working time */
/* A working day as it lies in UTC, whether it is a holiday or not. */
static int64_t hours_of(const struct look_calendar *c, int64_t day, int64_t *out_begin)
{
    int w = weekday(day);
    *out_begin = utc_of(day, c->begin[w]);
    return c->end[w] > c->begin[w] ? utc_of(day, c->end[w]) - *out_begin : 0;
}

/* How many holidays lie before a day. */
static size_t holidays_before(const struct look_calendar *c, int64_t day)
{
    size_t low = 0, high = c->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (c->holidays[mid].day < day)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Working time from Monday, 29 December 1969 to the beginning of a day; negative before. */
static int64_t worked_before(const struct look_calendar *c, int64_t day)
{
    int64_t weeks = floor_div(day + 3, 7), year = year_of(day);
    int64_t sum = weeks * c->week;
    for (int w = 0; w < weekday(day); w++) sum += c->end[w] - c->begin[w];
    sum += (year - 1970) * (c->spring + c->autumn);
    if (day > spring_day(year)) sum += c->spring;
    if (day > autumn_day(year)) sum += c->autumn;
    size_t n = holidays_before(c, day);
    return n == 0 ? sum : sum - c->holidays[n - 1].taken;
}

static bool is_holiday(const struct look_calendar *c, int64_t day)
{
    size_t at = holidays_before(c, day);
    return at < c->n && c->holidays[at].day == day;
}

static int64_t worked_by(const struct look_calendar *c, int64_t ms)
{
    int64_t day = floor_div(ms + look_clock_offset(ms), DAY), begin;
    int64_t hours = is_holiday(c, day) ? 0 : hours_of(c, day, &begin);
    int64_t sum = worked_before(c, day);
    if (hours == 0 || ms <= begin) return sum;
    return sum + (ms - begin < hours ? ms - begin : hours);
}

static int64_t clamp(int64_t v, int64_t most)
{
    return v > most ? most : v < -most ? -most : v;
}

int64_t look_calendar_minutes(const struct look_calendar *c, int64_t from_ms, int64_t to_ms, bool working)
{
    from_ms = clamp(from_ms, MAX_MS);
    to_ms = clamp(to_ms, MAX_MS);
    return (working ? worked_by(c, to_ms) - worked_by(c, from_ms) : to_ms - from_ms) / MINUTE;
}

/* The day on which this much has been worked. */
static int64_t day_reaching(const struct look_calendar *c, int64_t from_day, int64_t sum)
{
    int64_t low = from_day, high = from_day + 1, step = 1;
    while (worked_before(c, high) < sum && step < INT64_C(1) << 20) {
        low = high;
        step *= 2;
        high += step;
    }
    while (low + 1 < high) { /* worked_before(low) < sum <= worked_before(high) */
        int64_t mid = low + (high - low) / 2;
        if (worked_before(c, mid) < sum)
            low = mid;
        else
            high = mid;
    }
    return low;
}

int64_t look_calendar_due(const struct look_calendar *c, int64_t from_ms, int64_t minutes, bool working)
{
    int64_t begin;
    from_ms = clamp(from_ms, MAX_MS);
    if (minutes <= 0) return from_ms;
    if (minutes > MAX_MINUTES) minutes = MAX_MINUTES;
    if (!working) return from_ms + minutes * MINUTE;
    int64_t sum = worked_by(c, from_ms) + minutes * MINUTE;
    int64_t day = day_reaching(c, floor_div(from_ms + look_clock_offset(from_ms), DAY), sum);
    (void)hours_of(c, day, &begin);
    return begin + (sum - worked_before(c, day));
}

/* -------------------------------------------------------------------------------------------------- reading */
static bool two_digits(const uint8_t *p, int most, int *out)
{
    if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9') return false;
    *out = (p[0] - '0') * 10 + p[1] - '0';
    return *out <= most;
}

/* "09:00-17:00"; until 24:00 at the latest. */
static bool read_hours(struct bytes label, int64_t *out_begin, int64_t *out_end)
{
    int h1, m1, h2, m2;
    const uint8_t *p = label.p;
    if (label.n != 11 || p[2] != ':' || p[5] != '-' || p[8] != ':') return false;
    if (!two_digits(p, 23, &h1) || !two_digits(p + 3, 59, &m1) || !two_digits(p + 6, 24, &h2) ||
        !two_digits(p + 9, 59, &m2))
        return false;
    int64_t begin = h1 * HOUR + m1 * MINUTE, end = h2 * HOUR + m2 * MINUTE;
    if (begin >= end || end > DAY) return false;
    *out_begin = begin;
    *out_end = end;
    return true;
}

static const char days[7][4] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

static void put_hours(struct look_calendar *c, struct bytes code, struct bytes label)
{
    for (int w = 0; w < 7; w++)
        if (bytes_equal(code, bytes_of_str(days[w]))) (void)read_hours(label, &c->begin[w], &c->end[w]);
}

/* A date such as 2026-12-25, as a day; false for what is none. */
static bool read_day(struct bytes date, int64_t *out)
{
    static const int lengths[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int century, of_century, month, of_month;
    const uint8_t *p = date.p;
    if (date.n != 10 || p[4] != '-' || p[7] != '-' || !two_digits(p, 99, &century) ||
        !two_digits(p + 2, 99, &of_century) || !two_digits(p + 5, 12, &month) || !two_digits(p + 8, 31, &of_month))
        return false;
    int64_t year = century * 100 + of_century, day;
    if (year == 0 || month == 0 || of_month == 0) return false;
    if (of_month > lengths[month - 1] + (month == 2 && leap(year))) return false;
    day = year_begins(year) + of_month - 1;
    for (int m = 1; m < month; m++) day += lengths[m - 1] + (m == 2 && leap(year));
    *out = day;
    return true;
}

static void put_holiday(struct look_calendar *c, struct bytes date)
{
    int64_t day;
    if (c->n == MAX_HOLIDAYS || !read_day(date, &day)) return;
    if (c->n > 0 && c->holidays[c->n - 1].day == day) return;
    c->holidays[c->n++].day = day;
}

/* The newest MAX_HOLIDAYS count. One without a name was taken back (spoke-hub holiday remove). */
static enum err read_lists(struct node *n, struct look_calendar *c, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(n->db,
                            "SELECT list, code, label FROM (SELECT list, code, label, id FROM code_list"
                            " WHERE list = 'working_hours' OR (list = 'bank_holiday' AND coalesce(label, '') <> '')"
                            " ORDER BY list DESC, code DESC LIMIT $1) ORDER BY list, code, id",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, MAX_HOLIDAYS);
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        if (bytes_equal(db_bytes(s, 0), bytes_of_str("bank_holiday")))
            put_holiday(c, db_bytes(s, 1));
        else
            put_hours(c, db_bytes(s, 1), db_bytes(s, 2));
    }
    db_done(s);
    return e;
}

/* Once the hours are known: sums over a week, the days of change and the holidays. */
static void add_up(struct look_calendar *c)
{
    int64_t begin, taken = 0;
    for (int w = 0; w < 7; w++) c->week += c->end[w] - c->begin[w];
    if (c->week == 0) { /* no list at all, or none that says anything: as web/API.md has it */
        for (int w = 0; w < 5; w++) {
            c->begin[w] = 9 * HOUR;
            c->end[w] = 17 * HOUR;
            c->week += 8 * HOUR;
        }
    }
    c->spring = hours_of(c, spring_day(1997), &begin) - (c->end[6] - c->begin[6]);
    c->autumn = hours_of(c, autumn_day(1997), &begin) - (c->end[6] - c->begin[6]);
    for (size_t i = 0; i < c->n; i++) {
        taken += hours_of(c, c->holidays[i].day, &begin);
        c->holidays[i].taken = taken;
    }
}

enum err look_calendar_new(struct node *n, struct look_calendar **out, struct why *why)
{
    struct look_calendar *c = calloc(1, sizeof *c);
    if (c == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to work out when things are due.");
    enum err e = read_lists(n, c, why);
    if (e != ERR_OK) {
        free(c);
        return e;
    }
    add_up(c);
    *out = c;
    return ERR_OK;
}

void look_calendar_free(struct look_calendar *c)
{
    free(c);
}

/* -------------------------------------------------------------------------------------------------- the scale */
enum err look_scale(struct node *n, const char *rag, const char *what, const char *subject_kind, struct look_scale *out,
                    struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    *out = (struct look_scale){0};
    if (rag == NULL) return ERR_OK;
    enum err e = db_prepare(n->db,
                            "SELECT minutes, coalesce(clock, '') = 'working' AND rag <> 'red' FROM timescale"
                            " WHERE rag = $1 AND what = $2 AND (subject_kind IS NULL OR subject_kind = $3)"
                            " ORDER BY subject_kind IS NULL, minutes, id LIMIT 1",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, rag);
    db_bind_str(s, 2, what);
    db_bind_str(s, 3, subject_kind);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row && db_int(s, 0) > 0) *out = (struct look_scale){db_int(s, 0), db_int(s, 1) != 0};
    db_done(s);
    return e;
}
