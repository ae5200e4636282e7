#include "cli/show.h"

#include "base/when.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

void show_time(int64_t ms, char *out, size_t n)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t t = (time_t)(ms / 1000);
    struct tm tm;
    if (localtime_r(&t, &tm) == NULL)
        snprintf(out, n, "?");
    else
        snprintf(out, n, "%d %s %d at %02d:%02d", tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour,
                 tm.tm_min);
}

void show_rfc3339(int64_t ms, char *out, size_t n)
{
    char text[WHEN_RFC3339];
    when_rfc3339(ms, text);
    (void)snprintf(out, n, "%s", text[0] != '\0' ? text : "?");
}

void show_count(char *out, size_t n, uint64_t count, const char *one, const char *many)
{
    snprintf(out, n, "%llu %s", (unsigned long long)count, count == 1 ? one : many);
}

void show_span(int64_t ms, char *out, size_t n)
{
    static const struct {
        int64_t ms;
        const char *one, *many;
    } units[] = {{86400000, "day", "days"},
                 {3600000, "hour", "hours"},
                 {60000, "minute", "minutes"},
                 {1000, "second", "seconds"}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (ms >= units[i].ms * (i < 3 ? 2 : 1) || i == 3) {
            show_count(out, n, (uint64_t)(ms < 0 ? 0 : ms / units[i].ms), units[i].one, units[i].many);
            return;
        }
}

enum err show_read_span(const char *text, int64_t *out_ms, struct why *why)
{
    char *end = NULL;
    long long v = strtoll(text, &end, 10);
    int64_t unit = 0;
    if (end != text && end[0] != '\0' && end[1] == '\0')
        unit = *end == 's'   ? 1000
               : *end == 'm' ? 60000
               : *end == 'h' ? 3600000
               : *end == 'd' ? 86400000
               : *end == 'w' ? 604800000
                             : 0;
    if (unit == 0 || v <= 0 || v > 36500)
        return why_set(why, ERR_USAGE, "A length of time is a number and a letter, like 90s, 30m, 12h, 7d or 2w.");
    *out_ms = v * unit;
    return ERR_OK;
}

/* strptime takes 30 February and mktime makes 2 March of it: not what was meant by whoever typed it. */
static bool is_day(const struct tm *tm)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = tm->tm_year + 1900;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return tm->tm_mday >= 1 && tm->tm_mday <= days[tm->tm_mon] + (tm->tm_mon == 1 && leap);
}

/* What may follow the seconds: a fraction, which is dropped, and Z. */
static bool is_zulu(const char *end)
{
    if (*end == '.') end += 1 + strspn(end + 1, "0123456789");
    return strcmp(end, "Z") == 0;
}

enum err show_read_time(const char *text, int64_t now_ms, int64_t *out_ms, struct why *why)
{
    static const char *const local[] = {"%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d"};
    struct tm tm = {0};
    int64_t span = 0;
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    if (end != NULL && is_zulu(end) && is_day(&tm)) {
        *out_ms = (int64_t)timegm(&tm) * 1000;
        return ERR_OK;
    }
    for (size_t i = 0; i < sizeof local / sizeof local[0]; i++) {
        memset(&tm, 0, sizeof tm);
        end = strptime(text, local[i], &tm);
        if (end == NULL || *end != '\0' || !is_day(&tm)) continue;
        tm.tm_isdst = -1;
        *out_ms = (int64_t)mktime(&tm) * 1000;
        return ERR_OK;
    }
    if (show_read_span(text, &span, NULL) != ERR_OK)
        return why_set(why, ERR_USAGE,
                       "A time is written like 2026-11-03, \"2026-11-03 14:05\", or 7d for in seven days.");
    *out_ms = now_ms + span;
    return ERR_OK;
}

int64_t show_day_end(int64_t first_ms)
{
    time_t t = (time_t)(first_ms / 1000);
    struct tm tm;
    if (localtime_r(&t, &tm) == NULL) return first_ms + 86400000;
    tm.tm_mday++; /* the day on which the clocks change is an hour shorter or longer */
    tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
    tm.tm_isdst = -1;
    return (int64_t)mktime(&tm) * 1000;
}

enum err show_read_day(const char *text, char out[SHOW_DAY], struct why *why)
{
    static const char *const ways[] = {"%Y-%m-%d", "%d %b %Y", "%d/%m/%Y", "%d.%m.%Y"}; /* %b takes whole names too */
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct tm tm = {0};
        const char *end = strptime(text, ways[i], &tm);
        int year = tm.tm_year + 1900;
        if (end == NULL || *end != '\0' || !is_day(&tm) || year < 1800 || year > 2999) continue;
        if (strftime(out, SHOW_DAY, "%Y-%m-%d", &tm) == SHOW_DAY - 1) return ERR_OK;
    }
    (void)why_set(why, ERR_USAGE, "'%.40s' is not a real date.", text);
    return why_next(why, ERR_USAGE, "Write day, month and year, such as \"3 Nov 2026\", 3/11/2026 or 2026-11-03.");
}
