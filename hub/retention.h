/* Retention and erasure of closed cases. hub/RETENTION.md is the design. */
#ifndef SPOKE_HUB_RETENTION_H
#define SPOKE_HUB_RETENTION_H

#include "hub/hub.h"

#define RETENTION_NOTICE_DAYS 30 /* between the word that a case will be erased and its erasure */
#define RETENTION_MAX_DAYS    36500

/* Days from the closing; 0: never. */
struct retention_days {
    int64_t partners, lead, erase;
};
MUST_CHECK enum err hub_retention_get(struct hub *h, struct retention_days *out, struct why *why);
/* A security administrator's act; may take two. ERR_USAGE: no such times, no reason. ERR_EXISTS: it stands so.
 * ERR_REFUSED. */
MUST_CHECK enum err hub_retention_set(struct hub *h, const struct retention_days *d, const char *reason, struct why *why);

/* A case by its id or its reference. ERR_NOTFOUND: none, or two of that reference, or an erased one. */
MUST_CHECK enum err hub_case_find(struct hub *h, const char *word, uint8_t out[16], struct why *why);
/* Neither leaves further nor is erased until it is released. ERR_EXISTS: it is held. ERR_NOTFOUND. ERR_USAGE: no
 * reason. */
MUST_CHECK enum err hub_retention_hold(struct hub *h, const uint8_t case_id[16], const char *reason, struct why *why);
/* A security administrator's act; may take two. ERR_NOTFOUND: it is not held. */
MUST_CHECK enum err hub_retention_release(struct hub *h, const uint8_t case_id[16], const char *reason, struct why *why);

/* What is due, up to so many cases in this call; cheap where nothing is. *out_cases: looked at, may be NULL. *out_done:
 * nothing is left to do now. */
MUST_CHECK enum err hub_retention_continue(struct hub *h, size_t max_cases, size_t *out_cases, bool *out_done, struct why *why);

/* Erase a closed case now. A security administrator's act; may take two. unsettled: also over held work and open
 * conflicts. ERR_DENIED: it is open, or held back (says by what). ERR_NOTFOUND. ERR_EXISTS: it is erased. ERR_USAGE: no
 * reason. */
MUST_CHECK enum err hub_erase(struct hub *h, const uint8_t case_id[16], bool unsettled, const char *reason, struct why *why);
/* An erasure, as h_erased records it. */
struct erasure {
    uint8_t case_id[16];
    int64_t at_ms;
    const char *how;          /* order, retention */
    const char *who, *second; /* NULL: nobody */
    const char *reason;       /* NULL: none */
    bool unsettled;
};
/* Once more, in a hub that was put back from an older backup and still gathers: whatever the cases are there, and also
 * where they are not. All of them or none. A security administrator's act; may take two. Nothing is done about those
 * that are known as erased; *out_n (may be NULL) are the others. `ids`: of the cases, 16 bytes each, at most
 * ERASE_AGAIN_MAX of them. ERR_DENIED: this hub is open. ERR_USAGE: no reason; no ids, or too many. */
#define ERASE_AGAIN_MAX 1000
MUST_CHECK enum err hub_erase_again(struct hub *h, struct bytes ids, const char *reason, uint64_t *out_n, struct why *why);

struct retention_state {
    struct retention_days days;
    uint64_t closed, left, gone; /* cases counted; of them: only with the keepers, only here */
    uint64_t announced;          /* will be erased */
    int64_t first_ms;            /* the first of them, from then on; 0 none */
    uint64_t unsettled, overdue; /* closed ones that wait for a person; of them: as hub_retention_overdue */
    uint64_t holds;
    uint64_t erased, unconfirmed; /* of them: devices have not confirmed all */
};
/* Announced cases whose time has passed and in which something waits for a person. */
MUST_CHECK enum err hub_retention_overdue(struct hub *h, uint64_t *out, struct why *why);
MUST_CHECK enum err hub_retention_state(struct hub *h, struct retention_state *out, struct why *why);

#endif
