/* Holds an export of the transparency logs, or a proof, against itself and against checkpoints that somebody kept:
 * hub/LOG.md. Needs neither store nor keys. Lines come one by one, so that a log may be larger than the memory. */
#ifndef SPOKE_HUB_LOG_AUDIT_H
#define SPOKE_HUB_LOG_AUDIT_H

#include "crypto/checkpoint.h"

#define LOG_EXPORT_LINE "spoke/log-export/1"
#define LOG_PROOF_LINE  "spoke/log-proof/1"

#define LOG_LINE_MAX (2u << 20) /* bytes of a line */

struct log_audit; /* opaque */

struct log_audit_sum {
    struct identity hub; /* whose logs these are, by the file's own word: compare its key id with the one you know */
    char name[128];
    uint64_t logs, leaves, erased, kept; /* kept: checkpoints that were given and fit */
    bool proof;                          /* one leaf, not logs: the rest tells of it */
    uint64_t index, size;                /* of that leaf, and of its log */
    char origin[CHECKPOINT_ORIGIN_MAX];         /* of its log */
    unsigned kind;                       /* enum log_kind; 0: erased, or none that is known */
};

/* ERR_NOMEM. */
MUST_CHECK enum err log_audit_new(struct log_audit **out, struct why *why);
void log_audit_free(struct log_audit *a); /* NULL is fine */
/* A checkpoint that somebody kept, before the first line. ERR_FORMAT: none; ERR_LIMIT: too many. */
MUST_CHECK enum err log_audit_keep(struct log_audit *a, struct bytes note, struct why *why);
/* The next line, without its newline. ERR_FORMAT: not a file of this kind; ERR_TAMPERED: says what is wrong, and where;
 * ERR_NOMEM. After an error there is nothing more to ask. */
MUST_CHECK enum err log_audit_line(struct log_audit *a, struct bytes line, struct why *why);
/* All is here, and good: ERR_TAMPERED where the file ends early, or a kept checkpoint was of none of its logs.
 * ERR_USAGE: one was given with a proof, and is of another log or size than that leads to. */
MUST_CHECK enum err log_audit_end(struct log_audit *a, struct log_audit_sum *out, struct why *why);

/* UTF-8, and nothing that steers a terminal. */
bool log_name_is_good(struct bytes name);

/* The lines, for who writes them; NULL in a leaf: erased. They append, with the newline. */
struct log_leaf {
    const uint8_t *commitment; /* 32 */
    const uint8_t *salt;       /* 32 or NULL */
    struct bytes content;      /* p NULL: erased */
};
void log_put_head(struct buf *out, bool proof, const struct identity *hub, const char *name);
void log_put_leaf(struct buf *out, const struct log_leaf *l);
void log_put_base64(struct buf *out, const char *word, struct bytes value); /* "word BASE64\n" */

#endif
