/* What the lists share (node/look_list*.c, look_sync.c, look_audit.c, look_performance.c), and their CSV. */
#ifndef SPOKE_NODE_LOOK_LIST_H
#define SPOKE_NODE_LOOK_LIST_H

#include "node/look_internal.h"

#define LOOK_LIST_MAX 500    /* rows of one list: its ceiling in web/API.md */
#define LOOK_CSV_MAX  100000 /* rows of one file */

/* Unix ms at which a UUIDv7 (RFC 9562) was made; 0: it is none. */
int64_t look_id_time(const uint8_t id[16]);
/* The one number that a bound statement answers; gives it back. */
MUST_CHECK enum err look_count(struct stmt *s, int64_t *out, struct why *why);
/* {"total": …, key: list}; takes list. */
MUST_CHECK enum err look_wrap(struct json *list, const char *key, int64_t total, struct json **out, struct why *why);
/* look_requests with another ceiling. */
MUST_CHECK enum err look_requests_up_to(struct node *n, enum look_way way, bool open, size_t limit, struct json **out,
                                        struct why *why);

/* look_performance with another number of rows; what is counted stays the same. */
MUST_CHECK enum err look_performance_up_to(struct node *n, const struct look_performance *ask, size_t limit,
                                           struct json **out, struct why *why);

/* ---- look_list_csv.c: the same as CSV (base/csv.h), a heading and one row each, up to LOOK_CSV_MAX; appended. */
/* The sheet that is filled in with answers is act_answers_form (node/act_answers.h). */
MUST_CHECK enum err look_requests_csv(struct node *n, enum look_way way, bool open, struct buf *out, struct why *why);
MUST_CHECK enum err look_audit_csv(struct node *n, const struct look_audit *ask, struct buf *out, struct why *why);
MUST_CHECK enum err look_performance_csv(struct node *n, const struct look_performance *ask, struct buf *out,
                                         struct why *why);

/* ---- look_list_words.c: times in the words of people here. */
#define LOOK_TIME_TEXT 64
/* "3 Nov 2026 at 14:05", by this computer's zone. */
void look_time_text(int64_t ms, char out[LOOK_TIME_TEXT]);
/* "2026-11-03" as "3 Nov 2026"; what is no date stays as it is. */
void look_date_text(const char *iso, char out[LOOK_TIME_TEXT]);
/* Days as times: from *out_from until just before *out_end. ERR_USAGE: one is no day, or the last is before the
 * first. */
MUST_CHECK enum err look_days_read(struct look_days days, int64_t *out_from, int64_t *out_end, struct why *why);
/* `from` and `to`, or null. */
void look_days_set(struct json *o, struct look_days days);
/* "1 Nov 2026 to 3 Nov 2026", "from 1 Nov 2026", "until 3 Nov 2026", "3 Nov 2026"; "" for all days. */
#define LOOK_DAYS_TEXT (2 * (size_t)LOOK_TIME_TEXT + 8) /* "3 Nov 2026 to 9 Nov 2026" */
void look_days_text(struct look_days days, char out[LOOK_DAYS_TEXT]);

/* Notes the looks at sensitive records whose text stands in this list of held work, before it is given out. */
MUST_CHECK enum err look_note_held(struct node *n, struct json *list, struct why *why);

#endif
