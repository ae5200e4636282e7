/* What the acts share (node/act*.c). */
#ifndef SPOKE_NODE_ACT_INTERNAL_H
#define SPOKE_NODE_ACT_INTERNAL_H

#include "node/act.h"
#include "node/act_case.h"
#include "node/internal.h"

/* A row that somebody named, with what its values borrow. */
struct act_row {
    struct row row;
    struct buf store;
};
/* Initialises out; release it also after an error. ERR_NOTFOUND names the thing by `what`: "no request". Voided:
 * ERR_DENIED. */
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
/* Adds the advice "TITLE: a, b, c." to an error that was just said; $1 of the question is `arg`, its rows are the
 * codes. Gives `said`, or what kept it from being looked up. */
MUST_CHECK enum err act_next_codes(struct node *n, const char *sql, const char *arg, const char *title,
                                   struct why *why, enum err said);
/* One number that a question answers: $1 is the case, $2 a text (NULL: not in the question), $3 a time (0: not in
 * it). */
MUST_CHECK enum err act_count(struct node *n, const char *sql, const uint8_t case_id[16], const char *text, int64_t at,
                              int64_t *out, struct why *why);
/* Does the agency take part in the case, as far as this device may know? */
MUST_CHECK enum err act_takes_part(struct node *n, const uint8_t case_id[16], const char *agency, bool *out,
                                   struct why *why);
/* Could this device know? Those who only check see nobody's part but their own. */
MUST_CHECK enum err act_outsider(struct node *n, const uint8_t case_id[16], const char *agency, bool *out,
                                 struct why *why);

/* ---- act_case*.c, act_person.c, act_record.c: within an edit that runs */
/* A code of a list, where this device has that list. `name`: what it is called, "source of the referral". */
MUST_CHECK enum err act_known_code(struct node *n, const char *list, const char *code, const char *name,
                                   struct why *why);
/* An area that the MASH knows. Where a room covers every area, one that nobody names makes a note. */
MUST_CHECK enum err act_known_area(struct node *n, const char *area, struct act_notes *notes, struct why *why);
/* Set columns of a row as a person says it. `also` (may be NULL) looks at each before. */
typedef enum err (*act_check_fn)(struct node *n, const struct act_row *r, const char *column, struct value v,
                                 struct act_notes *notes, struct why *why);
MUST_CHECK enum err act_alter(struct node *n, const struct act_row *r, const struct act_change *c, act_check_fn also,
                               struct act_notes *notes, struct why *why);
bool act_has_column(const struct act_row *r, const char *column);
MUST_CHECK enum err act_put_person(struct node *n, const uint8_t case_id[16], const struct act_person *in,
                                   const uint8_t id[16], struct act_notes *notes, struct why *why);
MUST_CHECK enum err act_put_contact(struct node *n, const struct act_contact *in, const uint8_t id[16],
                                    struct why *why);
MUST_CHECK enum err act_put_record(struct node *n, const struct act_record *in, const uint8_t id[16], struct why *why);
/* A person of this case: ERR_NOTFOUND, ERR_USAGE. */
MUST_CHECK enum err act_person_of(struct node *n, const uint8_t person[16], const uint8_t case_id[16],
                                  struct why *why);
/* act_request.c: as act_request_answer and act_request_decline. */
MUST_CHECK enum err act_put_answer(struct node *n, const struct act_answer *in, struct why *why);
MUST_CHECK enum err act_put_decline(struct node *n, const uint8_t request[16], const char *reason, struct why *why);
/* act_consent.c: as act_consent. */
MUST_CHECK enum err act_put_consent(struct node *n, const struct act_consent *in, uint8_t out_id[16],
                                    struct why *why);
/* The row by which an agency's part in a case stands, one for each agency that lets it take part. */
void act_participant_id(struct node *n, uint8_t out[16], const uint8_t case_id[16], const char *member,
                        const char *site);

#endif
