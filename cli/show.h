/* Results for people and for programs from one description: a question to the replica and its columns. */
#ifndef SPOKE_CLI_SHOW_H
#define SPOKE_CLI_SHOW_H

#include "base/json.h"
#include "cli/command.h"
#include "sync/db.h"

/* SHOW_WRITTEN: a time, or "not known" */
enum show_kind { SHOW_TEXT, SHOW_ID, SHOW_TIME, SHOW_INT, SHOW_BOOL, SHOW_AGE, SHOW_WRITTEN };

struct show_column {
    const char *name;  /* JSON key */
    const char *title; /* heading of the table; NULL: only in JSON */
    enum show_kind kind;
};

/* Run the question (its columns in this order; parameters already bound) and print all rows: a JSON array of objects,
 * or a table with the sentence `none` when there are no rows. Gives the statement back. */
MUST_CHECK enum err show_list(const struct cli *c, struct stmt *s, const struct show_column *cols, size_t n,
                              const char *none, size_t *out_rows, struct why *why);
/* One row as an object, or as "title  value" lines. */
MUST_CHECK enum err show_one(const struct cli *c, struct stmt *s, const struct show_column *cols, size_t n,
                             bool *out_found, struct why *why);
/* The current row of s as a JSON object (borrowed values are copied). NULL: no memory. */
struct json *show_object(struct stmt *s, const struct show_column *cols, size_t n);

/* Print a JSON value on stdout and free it. */
MUST_CHECK enum err show_json(struct json *j, struct why *why);

/* "3 Nov 2026 at 14:05" in local time; RFC 3339 UTC for programs ("2026-11-03T14:05:00.000Z"). */
void show_time(int64_t ms, char *out, size_t n);
void show_rfc3339(int64_t ms, char *out, size_t n);
/* "4 minutes", "3 days" */
void show_span(int64_t ms, char *out, size_t n);
/* "402 cases", "1 case" */
void show_count(char *out, size_t n, uint64_t count, const char *one, const char *many);

/* Read a time a person types: "2026-11-03", "2026-11-03 14:05", RFC 3339, "3d", "12h" from now. ERR_USAGE. */
MUST_CHECK enum err show_read_time(const char *text, int64_t now_ms, int64_t *out_ms, struct why *why);
/* Of a day's first moment here, the first one of the day after. */
int64_t show_day_end(int64_t first_ms);
/* Read a day as a person types it: "2026-11-03", "3 Nov 2026", "3 November 2026", "3/11/2026"; out is ISO.
 * ERR_USAGE. */
#define SHOW_DAY 11
MUST_CHECK enum err show_read_day(const char *text, char out[SHOW_DAY], struct why *why);
/* A length of time: "90s", "30m", "12h", "7d", "2w". ERR_USAGE. */
MUST_CHECK enum err show_read_span(const char *text, int64_t *out_ms, struct why *why);

#endif
