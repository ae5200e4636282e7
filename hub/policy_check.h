/* What a policy says, found by asking it: a case with rows of every kind is laid before its views, in a store in
 * memory, and sites that take part in every way. */
#ifndef SPOKE_HUB_POLICY_CHECK_H
#define SPOKE_HUB_POLICY_CHECK_H

#include "base/env.h"
#include "sync/db.h"

#define POLICY_MAX_LINES    192
#define POLICY_MAX_KINDS    16
#define POLICY_MAX_SCHEMES  16
#define POLICY_MAX_WARNINGS 64

/* How a site stands towards a case. */
enum policy_way {
    WAY_CHECK, /* takes part with check, view, contribute */
    WAY_VIEW,
    WAY_CONTRIBUTE,
    WAY_ROOM,      /* the MASH room of the area; of a restricted case, one that is named in it to contribute */
    WAY_NIGHT,     /* an out-of-hours team of the area */
    WAY_WRITER,    /* of the agency that wrote the row, whose part in the case is over */
    WAY_ADDRESSED, /* of the agency that the row is addressed to, which has no part in the case */
    WAY_OTHER,     /* any other site: its part is over, not yet begun or voided, it covers the area, or another one */
    POLICY_WAYS
};

/* A table's row in one state: which ways see it, as bits 1 << enum policy_way. */
struct policy_line {
    const char *table;
    char state[72];               /* "" for one like any other */
    uint32_t open, closed, named; /* in a case that is open, closed, restricted */
    uint32_t kinds;               /* kinds of agency that see it although they take part with check alone, as bits */
    bool placed;                  /* it is in some channel */
};

struct policy_check {
    struct policy_line lines[POLICY_MAX_LINES];
    size_t n;
    char kinds[POLICY_MAX_KINDS][32]; /* of agencies */
    size_t n_kinds;
    char schemes[POLICY_MAX_SCHEMES][32]; /* of identifiers */
    size_t n_schemes;
    char warnings[POLICY_MAX_WARNINGS][240];
    size_t n_warnings;
};

/* Ask the policy of this text. ERR_USAGE as policy_text_check. */
MUST_CHECK enum err policy_check(const struct env *env, struct bytes text, struct policy_check *out, struct why *why);

/* One plain sentence about a table, generated from what was found, appended. ERR_NOTFOUND: no such table. */
MUST_CHECK enum err policy_check_sentence(const struct policy_check *p, const char *table, struct buf *out,
                                          struct why *why);
/* What holds for voided rows, and in restricted cases, likewise. */
void policy_check_voided(const struct policy_check *p, struct buf *out);
void policy_check_restricted(const struct policy_check *p, struct buf *out);
const char *policy_way_word(enum policy_way w); /* "check", "room", … */

#endif
