/* Does this device trust its hub? Each answer brings the hub's signed checkpoint of this device's log, and a proof that
 * the log goes on from the one before (hub/LOG.md, "In every exchange"). A hub that cannot show that has changed what
 * it did after the fact, or shows different things to different people: then nothing new is sent to it or taken from
 * it, work goes on here, and what proves it is kept. Only the recovery key, which is above the hub's, can say that a
 * new time has begun (hub/DISASTER.md): the hub of that is believed again, and the evidence against the one before
 * stays. */
#ifndef SPOKE_NODE_TRUST_H
#define SPOKE_NODE_TRUST_H

#include "crypto/merkle.h"
#include "node/node.h"

/* So many answers without any checkpoint: its hub is of before there were logs, or hides its own. */
enum { NODE_UNTOLD_MANY = 20 };
struct node_trust {
    struct merkle_head kept; /* of the last checkpoint that was accepted; size 0: none yet */
    int64_t since_ms;        /* when the first one was; all from then on lead to `kept` */
    int64_t last_ms;         /* when the last one was */
    uint64_t untold;         /* answers taken, while none of them told a checkpoint: `kept` is none yet; else 0 */
    bool distrusts;
    int64_t found_ms;  /* when that began */
    char reason[160];  /* a sentence */
    uint64_t findings; /* that it has ever found, also those that were explained later */
    int64_t explained_ms; /* when the hub was believed again, put back from a backup, after what was found last; 0: never */
};
MUST_CHECK enum err node_trust(struct node *n, struct node_trust *out, struct why *why);
/* The checkpoint itself, as the hub signed it (a C2SP note): for an auditor, who gives it to spoke-hub log verify
 * --checkpoint. Appended. ERR_NOTFOUND: none was accepted yet. */
MUST_CHECK enum err node_trust_note(struct node *n, struct buf *out, struct why *why);
/* All that was found against the hub, as text (hub/LOG.md, "What a device found"). Appended. ERR_NOTFOUND: nothing. */
MUST_CHECK enum err node_trust_evidence(struct node *n, struct buf *out, struct why *why);

/* Is an own change in the log, with what became of it? What the hub showed when it was asked (QUESTION_LOGGED, at: the
 * change), already checked against the checkpoint that this device had then. */
struct node_logged {
    bool found;       /* false: the hub has no entry of it to show */
    bool proved;      /* what it showed leads to the checkpoint, and is of this change */
    uint64_t entry;   /* number of its entry, from 0 */
    uint64_t size;    /* of the log at that checkpoint */
    char verdict[16]; /* "": no entry of a verdict was shown */
    uint64_t verdict_entry;
};
/* The reply to a question of that kind. ERR_NOTFOUND: not kept, or not replied to yet. */
MUST_CHECK enum err node_logged(struct node *n, uint64_t number, struct node_logged *out, struct why *why);

#endif
