/* timescale, holiday: by when things are due, and the days on which working hours stand still. */
#include "cli/hub_commands.h"
#include "cli/hub_home.h"

#include <stdio.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* "none", or a length of time. */
static enum err read_minutes(const char *text, int64_t *out, struct why *why)
{
    int64_t ms = 0;
    if (strcmp(text, "none") == 0) {
        *out = 0;
        return ERR_OK;
    }
    enum err e = show_read_span(text, &ms, why);
    if (e == ERR_OK && ms < 60000) e = why_set(why, ERR_USAGE, "A time scale has a minute at least; or say none.");
    if (e == ERR_OK) *out = ms / 60000;
    return e;
}

static enum err set_timescale(struct cli *c, struct hub *h, struct why *why)
{
    const char *what = cli_flag(c, "what"), *clock = cli_flag(c, "clock");
    struct hub_timescale t = {.rag = c->args[0],
                              .what = what != NULL ? what : "decision",
                              .subject_kind = cli_flag(c, "subject"),
                              .clock = clock != NULL ? clock : "elapsed"};
    enum err e = read_minutes(c->args[1], &t.minutes, why);
    if (e == ERR_OK) e = hub_set_timescale(h, &t, why);
    return e == ERR_OK ? hub_home_said(c, "rag", t.rag,
                                       "The time scale is set. It goes to every site with its next contact.", why)
                       : e;
}

static enum err list_timescales(struct cli *c, struct hub *h, struct why *why)
{
    static const struct show_column cols[] = {{"rag", "Rating", SHOW_TEXT},
                                              {"what", "What is due", SHOW_TEXT},
                                              {"subject_kind", "For", SHOW_TEXT},
                                              {"minutes", "Minutes", SHOW_INT},
                                              {"clock", "Clock", SHOW_TEXT}};
    return hub_home_list(c, h,
                         "SELECT rag, what, subject_kind, minutes, coalesce(clock, 'elapsed') FROM timescale ORDER BY"
                         " CASE rag WHEN 'red' THEN 0 WHEN 'amber' THEN 1 WHEN 'green' THEN 2 ELSE 3 END,"
                         " CASE what WHEN 'reply' THEN 0 WHEN 'meeting' THEN 1 ELSE 2 END, subject_kind, id",
                         cols, COUNT(cols), "Nothing is ever due: no time scale is set.", why);
}

static enum err add_holiday(struct cli *c, struct hub *h, struct why *why)
{
    enum err e = hub_set_holiday(h, c->args[0], c->args[1], why);
    return e == ERR_OK ? hub_home_said(c, "date", c->args[0], "Working hours stand still on that day.", why) : e;
}

static enum err remove_holiday(struct cli *c, struct hub *h, struct why *why)
{
    enum err e = hub_set_holiday(h, c->args[0], NULL, why);
    return e == ERR_OK ? hub_home_said(c, "date", c->args[0], "That day counts as any other again.", why) : e;
}

static enum err list_holidays(struct cli *c, struct hub *h, struct why *why)
{
    static const struct show_column cols[] = {{"date", "Day", SHOW_TEXT}, {"name", "Name", SHOW_TEXT}};
    return hub_home_list(c, h,
                         "SELECT code, label FROM code_list WHERE list = 'bank_holiday' AND coalesce(label, '') <> ''"
                         " ORDER BY code",
                         cols, COUNT(cols), "There is no bank holiday. Add one: spoke-hub holiday add DATE NAME", why);
}

static enum err run_set(struct cli *c, struct why *why)
{
    return hub_home_run(c, set_timescale, why);
}
static enum err run_list(struct cli *c, struct why *why)
{
    return hub_home_run(c, list_timescales, why);
}
static enum err run_add(struct cli *c, struct why *why)
{
    return hub_home_run(c, add_holiday, why);
}
static enum err run_remove(struct cli *c, struct why *why)
{
    return hub_home_run(c, remove_holiday, why);
}
static enum err run_holidays(struct cli *c, struct why *why)
{
    return hub_home_run(c, list_holidays, why);
}

static const struct flag set_flags[] = {{"what", "WHAT", "reply, meeting or decision (default)"},
                                        {"clock", "CLOCK", "elapsed (default) or working: hours of work alone"},
                                        {"subject", "KIND", "child or adult alone; without it, both"},
                                        {0}};

const struct command hub_calendar_commands[] = {
    {"timescale set", "RAG DURATION", 2, 2,
     "Set by when something is due on cases of a rating: 4h, 3d, or none. Red is always counted by the clock on the wall.",
     "spoke-hub timescale set amber 24h --what decision --clock working", set_flags, run_set},
    {"timescale list", "", 0, 0, "By when what is due, rating by rating.", "spoke-hub timescale list", NULL, run_list},
    {"holiday add", "DATE NAME", 2, 2, "Add a bank holiday, on which working hours stand still, or rename one.",
     "spoke-hub holiday add 2029-12-25 \"Christmas Day\"", NULL, run_add},
    {"holiday remove", "DATE", 1, 1, "Take a bank holiday back.", "spoke-hub holiday remove 2029-12-25", NULL,
     run_remove},
    {"holiday list", "", 0, 0, "The bank holidays that are known.", "spoke-hub holiday list", NULL, run_holidays},
    {0}};
