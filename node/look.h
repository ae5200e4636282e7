/* What people at this device see, as JSON: one function a page or list, for commands and pages alike. The shapes are
 * those of web/API.md and web/openapi.json; this header gives arguments and errors.
 *
 * Nothing here changes a case. What shows the text of sensitive records or releases notes the look (node_note_view) and
 * shows nothing when that fails. Texts are UTF-8, borrowed; NULL: not given. Times are Unix milliseconds, 0: not given.
 * *out is the caller's to free, and NULL after an error. ERR_NOTFOUND: no such row here; ERR_USAGE: a word that is
 * none. */
#ifndef SPOKE_NODE_LOOK_H
#define SPOKE_NODE_LOOK_H

#include "base/json.h"
#include "node/node.h"

/* --------------------------------------------------------------------------------------- look_board*.c */
struct look_board {
    bool mine, overdue, all;
    const char *subject; /* child, adult */
    const char *rag;
    const char *area;
    bool wall; /* for a screen that everybody walks past: initials, and nothing that such a screen does not show */
};
MUST_CHECK enum err look_board(struct node *n, const struct look_board *ask, struct json **out, struct why *why);
/* Ids of all the cases that it would show, were there no ceiling, appended: 16 bytes after 16 bytes. Here `mine` has
 * also what this agency opened. */
MUST_CHECK enum err look_board_ids(struct node *n, const struct look_board *ask, struct buf *out, struct why *why);

/* ---------------------------------------------------------------------------------------- look_case*.c */
MUST_CHECK enum err look_case(struct node *n, const uint8_t case_id[16], struct json **out, struct why *why);
/* The first day and the last, both within, as London counts days: "2026-11-03". NULL: no end on that side. */
struct look_days {
    const char *from, *to;
};
struct look_chronology {
    const uint8_t *case_id;
    const char *agency, *kind, *sensitivity;
    /* What does not say when it happened goes by when it was written down. ERR_USAGE: no day, or turned round. */
    struct look_days days;
};
MUST_CHECK enum err look_chronology(struct node *n, const struct look_chronology *ask, struct json **out,
                                    struct why *why);
MUST_CHECK enum err look_summary(struct node *n, const uint8_t case_id[16], struct json **out, struct why *why);
/* look_record.c: a record of this agency, for whoever would change it. ERR_DENIED: another agency's, or a mistake. */
MUST_CHECK enum err look_record(struct node *n, const uint8_t record[16], struct json **out, struct why *why);
/* The same, with what happened in these days alone in its chronology. */
MUST_CHECK enum err look_summary_of_days(struct node *n, const uint8_t case_id[16], struct look_days days,
                                         struct json **out, struct why *why);

/* ---------------------------------------------------------------------------------------- look_list*.c */
enum look_way { LOOK_BOTH, LOOK_IN, LOOK_OUT };
MUST_CHECK enum err look_requests(struct node *n, enum look_way way, bool open, struct json **out, struct why *why);
MUST_CHECK enum err look_releases(struct node *n, bool open, struct json **out, struct why *why);
MUST_CHECK enum err look_conflicts(struct node *n, bool all, struct json **out, struct why *why);
MUST_CHECK enum err look_held(struct node *n, bool all, struct json **out, struct why *why);
MUST_CHECK enum err look_reference(struct node *n, struct json **out, struct why *why);
/* Without what only the service knows (online, last_try, last_error, busy). */
MUST_CHECK enum err look_sync(struct node *n, struct json **out, struct why *why);
/* Whom to ring now: {label, number, night}; null where no site of the hub has a number. */
MUST_CHECK enum err look_phone(struct node *n, const char *area, struct json **out, struct why *why);
/* kind: QUESTION_EXPLAIN or QUESTION_WHO_SAW; `ask`: put the question, unless the same waits already. */
MUST_CHECK enum err look_reply(struct node *n, unsigned kind, const char *table, const uint8_t id[16], bool ask,
                               struct json **out, struct why *why);

/* --------------------------------------------------------------------------------------- look_search.c */
MUST_CHECK enum err look_search(struct node *n, const char *text, size_t limit, struct json **out, struct why *why);
/* For who waits at a page: without completing the index first, which after a first contact takes half a minute.
 * `filling` in the answer: not everything here could be searched yet. */
MUST_CHECK enum err look_search_soon(struct node *n, const char *text, size_t limit, struct json **out,
                                     struct why *why);
MUST_CHECK enum err look_duplicates(struct node *n, const char *family, const char *given, const char *born_on,
                                    struct json **out, struct why *why);

/* ---------------------------------------------------------------------------------------- look_audit.c */
struct look_audit {
    int64_t from, to;
    const uint8_t *case_id; /* NULL: all */
    const uint8_t *person;  /* practitioner; NULL: all */
    const char *kind;
    size_t limit; /* 0: 500 */
};
MUST_CHECK enum err look_audit(struct node *n, const struct look_audit *ask, struct json **out, struct why *why);

/* ---------------------------------------------------------------------------------- look_performance.c */
struct look_performance {
    int64_t from, to;
    const char *area;
};
MUST_CHECK enum err look_performance(struct node *n, const struct look_performance *ask, struct json **out,
                                     struct why *why);

#endif
