/* What the looks share (node/look*.c): rows of a question as JSON. */
#ifndef SPOKE_NODE_LOOK_INTERNAL_H
#define SPOKE_NODE_LOOK_INTERNAL_H

#include "node/internal.h"
#include "node/look.h"

enum look_kind { LOOK_TEXT, LOOK_ID, LOOK_TIME, LOOK_INT, LOOK_REAL, LOOK_BOOL };

struct look_column {
    const char *name; /* JSON key */
    enum look_kind kind;
};

/* One value of the current row into an object. NULL becomes null. */
void look_set(struct json *o, const char *key, struct stmt *s, int column, enum look_kind kind);
void look_set_id(struct json *o, const char *key, const uint8_t id[16]);
void look_set_time(struct json *o, const char *key, int64_t ms); /* 0: null */
/* The current row, columns in this order. NULL: no memory (json_set_obj and json_append know). */
struct json *look_object(struct stmt *s, const struct look_column *cols, size_t n);
/* All rows, and the statement given back whatever comes. *out NULL after an error. */
MUST_CHECK enum err look_rows(struct stmt *s, const struct look_column *cols, size_t n, struct json **out,
                              struct why *why);
/* The current row of a question that begins "SELECT t.*": the columns of `table` as sync/rules_tables.c types them,
 * but voided_at and void_reason; people as look_set_person, agencies with their names (look_set_agency). Columns of
 * the question that the table does not have are as `more` says, else left to the caller. */
MUST_CHECK enum err look_fill(struct node *n, struct json *o, struct stmt *s, const char *table,
                              const struct look_column *more, size_t n_more, struct why *why);
/* All rows of such a question as an array; the statement is given back. `each` (may be NULL) adds to an object. */
typedef enum err (*look_each)(void *ctx, struct json *o, struct stmt *s, struct why *why);
struct look_table {
    const char *table;
    const struct look_column *more;
    size_t n_more;
    look_each each;
    void *ctx;
};
MUST_CHECK enum err look_fill_rows(struct node *n, struct stmt *s, const struct look_table *t, struct json **out,
                                   struct why *why);
/* The code under `key` and the agency's name under `key`_name; null where the hub knows none. */
MUST_CHECK enum err look_set_agency(struct node *n, struct json *o, const char *key, struct bytes code,
                                    struct why *why);
/* {id, name, site} of a practitioner under `key`; null for none or one who is not known here. */
MUST_CHECK enum err look_set_person(struct node *n, struct json *o, const char *key, const uint8_t *id, struct why *why);
/* Note the look at each row that this question names (its ids; $1 is the case), before anything is shown. */
MUST_CHECK enum err look_note(struct node *n, const char *table, const char *sql, const uint8_t case_id[16],
                              struct why *why);

/* The same for ids that were gathered before: 16 bytes after 16 bytes. All are noted, or none. */
MUST_CHECK enum err look_note_ids(struct node *n, const char *table, const struct buf *ids, struct why *why);

/* ------------------------------------------------------------------------------------------ look_clock.c */
/* When time runs out: `minutes` after `from` on a clock, "elapsed" or "working" (web/API.md, Clocks). */
/* How far London's clocks are ahead of UTC at a time, in ms. */
int64_t look_clock_offset(int64_t ms);
struct look_calendar; /* working hours and bank holidays, read once */
MUST_CHECK enum err look_calendar_new(struct node *n, struct look_calendar **out, struct why *why);
void look_calendar_free(struct look_calendar *c);
int64_t look_calendar_due(const struct look_calendar *c, int64_t from_ms, int64_t minutes, bool working);
/* Minutes between two times on that clock; negative when `to` is before `from`. */
int64_t look_calendar_minutes(const struct look_calendar *c, int64_t from_ms, int64_t to_ms, bool working);
/* The time scale for a rating: 0 minutes for none. what: reply, meeting, decision. */
struct look_scale {
    int64_t minutes;
    bool working;
};
MUST_CHECK enum err look_scale(struct node *n, const char *rag, const char *what, const char *subject_kind,
                               struct look_scale *out, struct why *why);

#endif
