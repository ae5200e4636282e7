/* What devices ask, and what they are told: hub/RULES.md, "Questions that a device may ask". Whatever may not be
 * answered gets the same empty reply as what does not exist. */
#ifndef SPOKE_HUB_QUESTION_H
#define SPOKE_HUB_QUESTION_H

#include "hub/sight.h"
#include "sync/question.h"

/* Those of one request. Zeroed: none. */
struct questions {
    struct question all[QUESTIONS_MAX];
    size_t n;
    uint64_t seen; /* size of the device's log, as it has a checkpoint of it; 0: none */
};
/* ERR_FORMAT: too many of them, or out of order; ERR_TAMPERED. Nothing is done yet. */
MUST_CHECK enum err questions_take(struct hub *h, const struct hub_node *n, struct bytes item, struct questions *q,
                                   struct why *why);
/* Once the whole request has been taken in, and before its page is made: what a question brings about comes with the
 * answer. MSG_REPLY items, framed as those of struct served, are appended. */
MUST_CHECK enum err questions_answer(struct hub *h, const struct hub_node *n, const struct questions *q,
                                     struct buf *items, struct why *why);

/* ---- between the files that answer: one question, and the lines of its reply so far. */
struct asking {
    struct hub *h;
    const struct hub_node *node;
    const struct question *q;
    uint64_t seen; /* as in struct questions */
    struct buf lines;
    size_t n_lines;
};
/* The last line that fits says that there are more. */
void asking_line(struct asking *a, const char *const *words, size_t n);
/* The row asked about, as long as the asker's site sees it; its agency, empty for reference data. */
struct asked_row {
    struct hub_row row;
    char agency[64];
};
MUST_CHECK enum err asking_row(struct asking *a, int table_index, const uint8_t id[16], struct asked_row *out,
                               bool *out_seen, struct why *why);
/* May this person, at this device's site, do what its duties allow in the area: is it one of the site's, in service? */
struct asker_duties {
    bool manager, social_care;
};
MUST_CHECK enum err asking_duties(struct asking *a, const char *area, struct asker_duties *out, struct why *why);

MUST_CHECK enum err answer_explain(struct asking *a, struct why *why);   /* hub/explain.c */
MUST_CHECK enum err answer_who_saw(struct asking *a, struct why *why);   /* hub/who_saw.c */
MUST_CHECK enum err answer_preview(struct asking *a, struct why *why);   /* hub/preview_case.c */
MUST_CHECK enum err answer_emergency(struct asking *a, struct why *why); /* hub/emergency.c */
MUST_CHECK enum err answer_logged(struct asking *a, struct why *why);    /* hub/logged.c */

#endif
