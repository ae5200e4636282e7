/* What the acts share (node/act*.c). */
#ifndef SPOKE_NODE_ACT_INTERNAL_H
#define SPOKE_NODE_ACT_INTERNAL_H

#include "node/act.h"
#include "node/internal.h"

/* A row that somebody named, with what its values borrow. */
struct act_row {
    struct row row;
    struct buf store;
};
/* Initialises out; release it also after an error. ERR_NOTFOUND names the thing by `what`: "no request". Voided: ERR_DENIED. */
MUST_CHECK enum err act_read(struct node *n, const char *table, const uint8_t id[16], const char *what,
                             struct act_row *out, struct why *why);
void act_row_release(struct act_row *r);
struct value act_column(const struct act_row *r, const char *column);
bool act_is(struct value v, const char *text); /* exactly this text */
bool act_true(struct value v);
bool act_own(struct node *n, const struct act_row *r); /* this agency wrote it */
bool act_same_case(const struct act_row *a, const uint8_t case_id[16]);

/* A new row of this agency, all else NULL. Values are borrowed until act_put. id and case_id must live as long. */
void act_new(struct node *n, struct row *out, const char *table, const uint8_t case_id[16], const uint8_t id[16]);
void act_fill(struct row *r, const char *column, struct value v);
/* Times that were not given are NULL. */
struct value act_time(int64_t ms);
MUST_CHECK enum err act_put(struct node *n, const struct row *r, struct why *why);
MUST_CHECK enum err act_set(struct node *n, const char *table, const uint8_t id[16], const char *column, struct value v,
                            struct why *why);

/* Commit when e is ERR_OK, else roll back; the result of the whole. */
MUST_CHECK enum err act_end(struct node *n, enum err e, const char *what, struct why *why);

/* ERR_USAGE with `complaint` where there is nothing but blanks. */
MUST_CHECK enum err act_said(const char *text, const char *complaint, struct why *why);
/* Known to the hub, and not this one. */
MUST_CHECK enum err act_other_agency(struct node *n, const char *code, struct why *why);
/* One number that a question answers: $1 is the case, $2 a text (NULL: not in the question), $3 a time (0: not in it). */
MUST_CHECK enum err act_count(struct node *n, const char *sql, const uint8_t case_id[16], const char *text, int64_t at,
                              int64_t *out, struct why *why);
/* Does the agency take part in the case, as far as this device may know? */
MUST_CHECK enum err act_takes_part(struct node *n, const uint8_t case_id[16], const char *agency, bool *out,
                                   struct why *why);
/* Could this device know? Those who only check see nobody's part but their own. */
MUST_CHECK enum err act_outsider(struct node *n, const uint8_t case_id[16], const char *agency, bool *out,
                                 struct why *why);

#endif
