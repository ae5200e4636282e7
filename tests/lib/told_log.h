/* The log of a mock hub's device, and what it tells of it: the truth, or what a test wants told. */
#ifndef SPOKE_TESTS_LIB_TOLD_LOG_H
#define SPOKE_TESTS_LIB_TOLD_LOG_H

#include "tests/lib/merkle_store.h"
#include "tests/lib/mock_hub.h"

struct told_log {
    struct merkle_store store;
    uint64_t leaves;     /* made so far; each has another content */
    unsigned fork;       /* the content of leaves to come depends on it */
    unsigned grow;       /* so many leaves with each answer */
    bool silent;         /* nothing is told */
    bool by_other;       /* signed by another key than the hub's */
    bool of_other;       /* the note of another device's log */
    bool no_proof;       /* without one */
    uint64_t proof_from; /* not 0: the proof is from this size, whatever the device said */
    uint64_t told_size;  /* not 0: the checkpoint is of this size */
    int proof_bytes;     /* added to the proof, or taken from its end */
    bool flip_root;      /* signed over another root than the tree has */
    const char *raw;     /* not NULL: a note of these words, unsigned */
    struct identity_secret other;
};
void told_log_add(struct told_log *t, unsigned n);
/* The script of a mock hub; ctx: the log. Envelopes are applied. */
void told_log_script(struct mock_hub *h, const struct mock_request *r, struct mock_answer *a, void *ctx);
/* Into an answer that is made by hand. */
void told_log_tell(struct told_log *t, const struct mock_hub *h, const struct mock_request *r, struct mock_answer *a);
void told_log_release(struct told_log *t);

#endif
