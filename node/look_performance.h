/* How a MASH does, counted from what stands on this device: the cases that were read, and what is counted of them. Used
 * by node/look_performance*.c alone. */
#ifndef SPOKE_NODE_LOOK_PERFORMANCE_H
#define SPOKE_NODE_LOOK_PERFORMANCE_H

#include "node/look_list.h"

/* A text in perf.texts; n PERF_NONE: NULL. */
struct perf_text {
    uint32_t at, n;
};
#define PERF_NONE UINT32_MAX

enum perf_rag { PERF_UNRATED, PERF_BLUE, PERF_GREEN, PERF_AMBER, PERF_RED, PERF_RAGS };
enum perf_time {
    PERF_NOT_DUE,
    PERF_WITHIN,
    PERF_LATE
}; /* decided within its time; after it, or not yet and it is over */

struct perf_case {
    uint8_t id[16];
    bool counted; /* of the time and area asked about; others are here for re-referrals */
    bool again;   /* a person of it stands in a case received within the year before */
    enum perf_rag before, after;
    enum perf_time time;
    int64_t received_at, decided_at; /* 0: not known, not yet */
    int64_t minutes;                 /* from one to the other, on the clock of its time scale */
    int64_t rated_at, referred_at;   /* of what stands in before and source; INT64_MAX: of nothing yet */
    struct perf_text reference, area, subject_kind, source, need, issue, outcome;
    uint32_t asked, answered, declined, late; /* its requests */
};

/* One question to a partner in a counted case. */
struct perf_request {
    struct perf_text agency;
    bool answered, declined, late;
    int64_t minutes; /* from when it was asked first to its answer; -1: none yet, or not known */
};

struct perf {
    struct node *n;
    const struct look_performance *ask;
    int64_t now;
    struct buf texts;
    struct perf_case *cases; /* owned; in the order of their ids */
    size_t n_cases, cap_cases;
    struct perf_request *requests; /* owned */
    size_t n_requests, cap_requests;
};
/* Zeroed and bound to its node by the caller. perf_release also after an error. */
MUST_CHECK enum err perf_read(struct perf *p, struct why *why);
void perf_release(struct perf *p);
/* Marks cases that came again: look_performance_again.c. */
MUST_CHECK enum err perf_again(struct perf *p, struct why *why);
struct perf_case *perf_find(const struct perf *p, const uint8_t id[16]); /* NULL: none such */
struct bytes perf_bytes(const struct perf *p, struct perf_text t);
struct perf_text perf_keep(struct perf *p, struct stmt *s, int column);
MUST_CHECK enum err perf_no_memory(struct why *why);

#endif
