/* What the deciding acts share (node/act_work*.c). */
#ifndef SPOKE_NODE_ACT_WORK_INTERNAL_H
#define SPOKE_NODE_ACT_WORK_INTERNAL_H

#include "node/act_internal.h"
#include "node/act_work.h"

/* A case that an act is about: begun for, read, and how who is signed in stands in it. */
struct act_matter {
    struct act_row file;
    struct act_standing who;
};
/* Initialises out; release it also after an error. ERR_NOTFOUND. Within an edit. */
MUST_CHECK enum err act_matter_read(struct node *n, const uint8_t case_id[16], struct act_matter *out, struct why *why);
void act_matter_release(struct act_matter *c);

/* ERR_DENIED with who may, where neither lead nor duty allows it. `what`: "decide this case". */
MUST_CHECK enum err act_may(const struct act_matter *c, const char *what, struct why *why);
/* One of the words of a column, or ERR_USAGE. NULL is none of them. */
MUST_CHECK enum err act_word(const char *table, const char *column, const char *word, const char *complaint,
                             struct why *why);
/* ERR_NOTFOUND: nobody of this id is at work. */
MUST_CHECK enum err act_practitioner(struct node *n, const uint8_t id[16], struct why *why);

/* A column of the case's brief, which is made where the case has none yet. */
MUST_CHECK enum err act_brief_set(struct node *n, const struct act_matter *c, const char *column, struct value v,
                                  struct why *why);
/* A rating of who is signed in, at `now`. stage NULL: none; rag may be NULL. */
struct act_opinion {
    const char *stage;
    struct value rag;
    const char *reason;
    int64_t now;
};
MUST_CHECK enum err act_put_rating(struct node *n, const uint8_t case_id[16], const struct act_opinion *o,
                                   uint8_t out_id[16], struct why *why);
MUST_CHECK enum err act_put_rating_as(struct node *n, const uint8_t case_id[16], const struct act_opinion *o,
                                      const uint8_t id[16], struct why *why);
/* The case is rated so from now on, and the time of this agency's questions that wait is shortened to a graver one's;
 * *out_due: when its decision is due (NULL: that and the
 * questions stay as they were). */
MUST_CHECK enum err act_set_rag(struct node *n, const struct act_matter *c, struct value rag, const char *reason,
                                int64_t *out_due, struct why *why);

#endif
