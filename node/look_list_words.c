/* Times in the words of people here. */
#include "node/look_list.h"

#include "base/when.h"
#include "node/look_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/* By London's clock, as every page shows it; this layer knows no other. */
void look_time_text(int64_t ms, char out[LOOK_TIME_TEXT])
{
    char t[WHEN_RFC3339];
    int year = 0, month = 0, day = 0, hour = 0, minute = 0;
    when_rfc3339(ms + look_clock_offset(ms), t);
    if (sscanf(t, "%4d-%2d-%2dT%2d:%2d", &year, &month, &day, &hour, &minute) != 5 || month < 1 || month > 12)
        (void)snprintf(out, LOOK_TIME_TEXT, "?");
    else
        (void)snprintf(out, LOOK_TIME_TEXT, "%d %s %d at %02d:%02d", day, months[month - 1], year, hour, minute);
}

void look_date_text(const char *iso, char out[LOOK_TIME_TEXT])
{
    const struct bytes all = bytes_of_str(iso);
    if (!rules_date_ok(all)) {
        (void)snprintf(out, LOOK_TIME_TEXT, "%s", iso);
        return;
    }
    int month = (iso[5] - '0') * 10 + iso[6] - '0';
    (void)snprintf(out, LOOK_TIME_TEXT, "%d %s %.4s", (iso[8] - '0') * 10 + iso[9] - '0', months[month - 1], iso);
}

/* A day's first moment in London: the clocks change there at 01:00 UTC and never at midnight, so the offset is the same
 * at that day's midnight here and there. */
static enum err day_begins(const char *iso, const char *which, int64_t *out, struct why *why)
{
    char text[WHEN_RFC3339];
    int64_t ms = 0;
    bool date = rules_date_ok(bytes_of_str(iso));
    (void)snprintf(text, sizeof text, "%.10sT00:00:00Z", iso);
    if (!date || when_read_rfc3339(text, &ms, NULL) != ERR_OK) {
        (void)why_set(why, ERR_USAGE, "The %s day is not a real date.", which);
        return why_next(why, ERR_USAGE, "Give day, month and year, such as 3 Nov 2026 or 2026-11-03.");
    }
    *out = ms - look_clock_offset(ms);
    return ERR_OK;
}

enum err look_days_read(struct look_days days, int64_t *out_from, int64_t *out_end, struct why *why)
{
    int64_t from = INT64_MIN, last = INT64_MAX, end = INT64_MAX;
    enum err e = days.from != NULL ? day_begins(days.from, "first", &from, why) : ERR_OK;
    if (e == ERR_OK && days.to != NULL) e = day_begins(days.to, "last", &last, why);
    if (e != ERR_OK) return e;
    if (last < from) {
        char a[LOOK_TIME_TEXT], b[LOOK_TIME_TEXT];
        look_date_text(days.from, a);
        look_date_text(days.to, b);
        (void)why_set(why, ERR_USAGE, "The last day (%.20s) is before the first (%.20s).", b, a);
        return why_next(why, ERR_USAGE, "Give the earlier day first.");
    }
    if (days.to != NULL) { /* the day on which the clocks change is an hour shorter or longer */
        const int64_t next = last + look_clock_offset(last) + INT64_C(86400000);
        end = next - look_clock_offset(next);
    }
    *out_from = from;
    *out_end = end;
    return ERR_OK;
}

static void set_day(struct json *o, const char *key, const char *iso)
{
    if (iso != NULL)
        json_set_str(o, key, iso);
    else
        json_set_null(o, key);
}

void look_days_set(struct json *o, struct look_days days)
{
    set_day(o, "from", days.from);
    set_day(o, "to", days.to);
}

void look_days_text(struct look_days days, char out[LOOK_DAYS_TEXT])
{
    char from[LOOK_TIME_TEXT] = "", to[LOOK_TIME_TEXT] = "";
    if (days.from != NULL) look_date_text(days.from, from);
    if (days.to != NULL) look_date_text(days.to, to);
    if (days.from != NULL && days.to != NULL && strcmp(from, to) != 0)
        (void)snprintf(out, LOOK_DAYS_TEXT, "%s to %s", from, to);
    else if (days.from != NULL)
        (void)snprintf(out, LOOK_DAYS_TEXT, "%s%s", days.to == NULL ? "from " : "", from);
    else
        (void)snprintf(out, LOOK_DAYS_TEXT, "%s%s", days.to != NULL ? "until " : "", to);
}
