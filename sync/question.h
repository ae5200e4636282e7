/* What a device may ask the hub beside its rounds, and what it is told. FORMAT.md §4, items 6 and 23; what each kind
 * is about, and who may know what: hub/RULES.md. */
#ifndef SPOKE_SYNC_QUESTION_H
#define SPOKE_SYNC_QUESTION_H

#include "sync/messages.h"

#define QUESTIONS_MAX   16u  /* of one request */
#define REPLY_MAX_LINES 512u /* of one reply */
#define REPLY_MAX_WORDS 8u   /* of one line */
#define REPLY_MAX_WORD  256u /* bytes of one of them */

enum question_kind {
    QUESTION_EXPLAIN = 1, /* why is this row here, and who else sees it */
    QUESTION_WHO_SAW,     /* who could see it, and which devices held it */
    QUESTION_SHARE,       /* what would come of sharing a case */
    QUESTION_UNSHARE,     /* or of ending that */
    QUESTION_EMERGENCY,   /* show me a case that is not mine */
    QUESTION_LOGGED,      /* show that this change of mine is in the log, and what became of it */
};

struct question {
    uint8_t hub[KID_BYTES];
    uint64_t number;  /* rising in the device's questions, from 1 */
    uint64_t kind;    /* enum question_kind */
    uint8_t user[16]; /* practitioner */
    uint64_t table;   /* position in sync/rules_tables.c; of case_file for the previews; 0 where no row is meant */
    uint8_t id[16];   /* row, or case; zeros where none is meant */
    char agency[64];  /* previews: with whom; else empty */
    uint64_t at;      /* who saw: at which time; 0: ever. Logged: number of the change. Else 0 */
    /* Share: the access, then for one site of the agency alone a line feed and its code. Emergency: the case's
     * reference, a line feed, the reason. Else empty. */
    char text[1024];
};

struct reply {
    uint8_t node[KID_BYTES];
    uint64_t number; /* of the question */
    uint64_t kind;
    uint64_t clock_ms;  /* the hub's clock */
    size_t n_lines;     /* at most REPLY_MAX_LINES */
    struct bytes lines; /* reply_put_line's, one after the other; borrowed */
};
struct reply_line {
    size_t n; /* 1 … REPLY_MAX_WORDS */
    struct bytes word[REPLY_MAX_WORDS];
};

/* One line of a reply, appended. Words that are too long, too many or no UTF-8 set b->err to ERR_FORMAT. */
void reply_put_line(struct buf *b, const struct bytes *words, size_t n);
/* Takes the first line off *rest. False at the end, and for what is no line. */
bool reply_next_line(struct bytes *rest, struct reply_line *out);
/* Are these n lines, in their one encoding, and nothing else? */
bool reply_lines_ok(struct bytes lines, size_t n);

/* Encoders append one whole signed item; ERR_FORMAT: it breaks a rule of its kind. */
MUST_CHECK enum err message_put_question(struct buf *b, const struct identity_secret *by, const struct question *m,
                                         struct why *why);
MUST_CHECK enum err message_get_question(struct bytes item, const struct identity *by, struct question *out,
                                         struct why *why);
MUST_CHECK enum err message_put_reply(struct buf *b, const struct identity_secret *by, const struct reply *m,
                                      struct why *why);
/* out->lines borrows from the item. Whom it is for is the caller's to compare. */
MUST_CHECK enum err message_get_reply(struct bytes item, const struct identity *by, struct reply *out, struct why *why);

#endif
