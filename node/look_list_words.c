/* Times in the words of people here. */
#include "node/look_list.h"

#include "base/when.h"
#include "node/look_internal.h"

#include <stdio.h>
#include <stdlib.h>

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
