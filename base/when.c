#include "base/when.h"

#include <stdio.h>
#include <string.h>

#define DAY_MS    INT64_C(86400000)
#define FIRST_DAY (-719528) /* 1 January of the year 0, in days from 1970 */

/* Days from 1970 of a day of the Gregorian calendar, years 0 to 9999; March begins the year, so that a leap day ends
 * it. */
static int64_t days_of(int year, int month, int day)
{
    int y = month <= 2 ? year - 1 : year, m = (month + 9) % 12;
    int64_t era = y < 0 ? -1 : y / 400, in_era = y - era * 400;
    return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + (m * 153 + 2) / 5 + day - 1 - 719468;
}

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && ((year % 4 == 0 && year % 100 != 0) || year % 400 == 0));
}

void when_rfc3339(int64_t ms, char out[WHEN_RFC3339])
{
    int64_t days = ms / DAY_MS, rest = ms % DAY_MS;
    if (rest < 0) {
        rest += DAY_MS;
        days--;
    }
    out[0] = '\0';
    if (days < FIRST_DAY || days >= days_of(9999, 12, 31) + 1) return;
    int64_t from = days - FIRST_DAY;
    int year = (int)(from * 400 / 146097), month = 1; /* near enough: one year off at most */
    while (days_of(year, 1, 1) > days) year--;
    while (year < 9999 && days_of(year + 1, 1, 1) <= days) year++;
    int day = (int)(days - days_of(year, 1, 1)) + 1;
    for (; day > days_in(year, month); month++) day -= days_in(year, month);
    (void)snprintf(out, WHEN_RFC3339, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", year % 10000, month % 100, day % 100,
                   (int)(rest / 3600000), (int)(rest / 60000 % 60), (int)(rest / 1000 % 60), (int)(rest % 1000));
}

/* Exactly `n` digits and the character after them (0: none is asked for). */
static bool read_digits(const char **at, int n, char then, int *out)
{
    const char *p = *at;
    *out = 0;
    for (int i = 0; i < n; i++, p++) {
        if (*p < '0' || *p > '9') return false;
        *out = *out * 10 + (*p - '0');
    }
    if (then != '\0' && *p++ != then) return false;
    *at = p;
    return true;
}

static bool read_day(const char **at, int64_t *out_days)
{
    int year, month, day;
    if (!read_digits(at, 4, '-', &year) || !read_digits(at, 2, '-', &month) || !read_digits(at, 2, '\0', &day))
        return false;
    if (month < 1 || month > 12 || day < 1 || day > days_in(year, month)) return false;
    *out_days = days_of(year, month, day);
    return true;
}

/* One to nine digits after a point; what is finer than a millisecond is dropped. */
static bool read_fraction(const char **at, int *out_ms)
{
    int digits = 0, ms = 0;
    *out_ms = 0;
    if (**at != '.') return true;
    for (++*at; **at >= '0' && **at <= '9'; ++*at, digits++)
        if (digits < 3) ms = ms * 10 + (**at - '0');
    for (int i = digits; i < 3; i++) ms *= 10;
    *out_ms = ms;
    return digits >= 1 && digits <= 9;
}

/* "Z" or "+01:00", to the end. */
static bool read_offset(const char *at, int64_t *out_ms)
{
    int hours, minutes;
    char sign = *at++;
    *out_ms = 0;
    if (sign == 'Z' || sign == 'z') return *at == '\0';
    if (sign != '+' && sign != '-') return false;
    if (!read_digits(&at, 2, ':', &hours) || !read_digits(&at, 2, '\0', &minutes)) return false;
    if (*at != '\0' || hours > 23 || minutes > 59) return false;
    *out_ms = (hours * INT64_C(60) + minutes) * (sign == '+' ? 60000 : -60000);
    return true;
}

enum err when_read_rfc3339(const char *text, int64_t *out_ms, struct why *why)
{
    int64_t days = 0, offset = 0;
    int hour = 0, minute = 0, second = 0, ms = 0;
    const char *at = text;
    bool ok = read_day(&at, &days) && (*at == 'T' || *at == 't');
    if (ok) at++;
    ok = ok && read_digits(&at, 2, ':', &hour) && read_digits(&at, 2, ':', &minute) &&
         read_digits(&at, 2, '\0', &second) && read_fraction(&at, &ms) && read_offset(at, &offset);
    if (!ok || hour > 23 || minute > 59 || second > 59)
        return why_set(why, ERR_FORMAT, "A time is written like 2026-11-03T14:05:00Z.");
    *out_ms = days * DAY_MS + ((hour * INT64_C(60) + minute) * 60 + second) * 1000 + ms - offset;
    return ERR_OK;
}
