/* What the files of restoring share, and what rounds ask of them. Within the running transaction where nothing else is
 * said. */
#ifndef SPOKE_HUB_RESTORE_INTERNAL_H
#define SPOKE_HUB_RESTORE_INTERNAL_H

#include "hub/internal.h"
#include "hub/restore.h"
#include "sync/messages.h"

/* Sets h->gathering. Called by hub_begin. */
MUST_CHECK enum err restore_look(struct hub *h, struct why *why);

/* Of the newest epoch; epoch 0: there was never another than the first. */
struct restore_epoch {
    uint64_t epoch;
    char state[16];
    int64_t at, backup_at, version, mark;
};
MUST_CHECK enum err restore_epoch(struct hub *h, struct restore_epoch *out, struct why *why);

/* hub/restore_gather.c: what a hub that was put back hears from a device of before. The next epoch is announced to it,
 * or it returns its work. Nothing else in its request counts, and nothing is served. */
enum hearing { HEARD_AS_EVER, HEARD_ANNOUNCE, HEARD_RETURN };
struct bundle_writer;
/* hub_begin; what came back is re-applied first, as far as that takes no longer than a round may; the node is read
 * again then. */
MUST_CHECK enum err hear_begin(struct hub *h, struct hub_node *n, struct why *why);
/* It speaks in an older epoch. ERR_REFUSED: the hub awaits nothing from it, or it is the device that was put back. */
MUST_CHECK enum err hear_again(struct hub *h, struct hub_node *n, const struct node_hello *m,
                               const uint8_t request_hash[HASH_BYTES], enum hearing *out, struct why *why);
/* Its last request comes again and its answer was of the hub that was lost: it is to be heard as a new one. */
MUST_CHECK enum err hear_unanswered(struct hub *h, const struct hub_node *n, bool *out, struct why *why);
MUST_CHECK enum err hear_return(struct hub *h, const struct hub_node *n, enum hearing *out, struct why *why);
MUST_CHECK enum err hear_item(struct hub *h, const struct hub_node *n, enum hearing hearing, struct bytes item,
                              struct why *why);
/* hub/restore_return.c: one MSG_RETURN or MSG_HOLDS item. ERR_BUSY: of what nothing vouches for, this device, or all
 * together, have returned as much as is kept (RULE_RETURNED): nothing of the request may stay. */
MUST_CHECK enum err returned_take(struct hub *h, const struct hub_node *n, struct bytes item, struct why *why);
MUST_CHECK enum err returned_holds(struct hub *h, const struct hub_node *n, struct bytes item, struct why *why);
/* So much more is returned in this transaction; one item of any kind weighs RETURNED_ITEM, and each row that is said to
 * be held, and each verdict of a note, one more. ERR_FORMAT: more than any device sends at once. */
#define RETURNED_ITEM 16
MUST_CHECK enum err returned_weighs(struct hub *h, size_t more, struct why *why);
#define RETURNED_DEVICES 8 /* all together: as much as so many devices at their limit */
struct returned_bounds {
    int64_t one, all;       /* bytes: of a device, of all */
    int64_t together, most; /* what there is: of all, of the device that has the most */
};
MUST_CHECK enum err returned_over(struct hub *h, struct returned_bounds *out, struct why *why);
/* Is this the content of that envelope? */
struct envelope;
bool returned_fits(struct bytes item, const struct envelope *env, struct bytes cose);
/* Something is to be re-applied that came after the hub had opened. */
MUST_CHECK enum err restore_late(struct hub *h, struct why *why);
/* Was this request of a device answered by a hub that was lost, after the backup? */
MUST_CHECK enum err hear_of_before(struct hub *h, int64_t node_no, uint64_t request, bool *out, struct why *why);
/* May something new of this device be judged? */
MUST_CHECK enum err hear_judges(struct hub *h, const struct hub_node *n, bool *out, struct why *why);
/* Is there work of before that this device has not returned? */
MUST_CHECK enum err hear_awaits(struct hub *h, int64_t node_no, bool *out, struct why *why);
/* Where it stands, as far as serving goes. */
struct cut;
MUST_CHECK enum err hear_cut(struct hub *h, const struct hub_node *n, enum hearing hearing, const uint8_t cursor[16],
                             struct cut *out, struct why *why);
/* Is it to ask again at once? */
MUST_CHECK enum err hear_more(struct hub *h, const struct hub_node *n, bool *out, struct why *why);
MUST_CHECK enum err hear_answer(struct hub *h, const struct hub_node *n, struct bundle_writer *w, struct why *why);
/* Nobody is waited for any more: what came back may be re-applied. */
MUST_CHECK enum err awaited_ready(struct hub *h, struct why *why);

/* hub/intake.c: an envelope that came back, under the verdict that it had; NULL: nobody knows it, and it is judged
 * now. */
struct recorded {
    uint8_t hash[HASH_BYTES];
    enum verdict verdict;
    int64_t version, received_at;
    struct bytes reason;
};
MUST_CHECK enum err intake_as_recorded(struct hub *h, struct hub_node *node, struct bytes item,
                                       const struct recorded *was, struct why *why);
/* One that cannot be taken in under any verdict: kept whole, as a fault. */
MUST_CHECK enum err intake_as_fault(struct hub *h, struct hub_node *node, struct bytes item, int64_t received_at,
                                    const char *reason, struct why *why);

/* hub/restore_holds.c: rows that devices say they hold. For those that reported; a step of its own. */
MUST_CHECK enum err holds_settle(struct hub *h, struct why *why);
/* A row of a case is new here: within the step. Devices may hold it of the hub that was lost; held work may have lacked
 * it (restore_came). */
MUST_CHECK enum err holds_row_came(struct hub *h, int tbl, const uint8_t id[16], struct why *why);

/* hub/restore_follow.c: what had been taken in (REASON_TAKEN), and is held because what it builds on was not here. All
 * of it that can be carried out now is, in the old order. Nothing at a hub that was never put back. */
MUST_CHECK enum err restore_follow(struct hub *h, struct why *why);
/* Something came in the running transaction that others may have built on, or taken back, or was decided. Then
 * restore_follow_due does it, once: to be asked before anybody is shown anything of that transaction. hub_commit asks
 * too, so that none ends without it. */
void restore_came(struct hub *h);
MUST_CHECK enum err restore_follow_due(struct hub *h, struct why *why);
/* Is this held change one of them? */
MUST_CHECK enum err restore_was_taken(struct hub *h, int64_t node_no, uint64_t seq, bool *out, struct why *why);
/* And does it wait for what it builds on (REASON_LACKS)? Then it is not to be dismissed, nor taken back. */
MUST_CHECK enum err restore_stays(struct hub *h, int64_t node_no, uint64_t seq, bool *out, struct why *why);
/* It was held or waited here as it did at the lost hub, which had taken it in later. */
MUST_CHECK enum err restore_mark_taken(struct hub *h, int64_t node_no, uint64_t seq, struct why *why);
/* Judged now, it lacked this row, if j->lacks: until that is here it is not tried again. */
struct judgement;
MUST_CHECK enum err restore_lacks(struct hub *h, int64_t node_no, uint64_t seq, const struct judgement *j, struct why *why);

/* hub/restore_again.c: a change that came back, with the verdict that its device was told. */
struct restore_event {
    int64_t node_no, seq;
    struct recorded was;
    struct buf reason;
    struct buf item; /* empty: its content is lost */
    struct buf cose; /* empty: the envelope did not come back */
};
/* It takes effect under that verdict; or is held, with the reason; or is put aside. An error is one of the machine.
 * ev->cose is there. */
MUST_CHECK enum err again_take(struct hub *h, struct hub_node *n, const struct restore_event *ev, struct why *why);
/* It stands as a fault, with its content if there is any, and counts as lost. */
MUST_CHECK enum err again_aside(struct hub *h, struct hub_node *n, const struct restore_event *ev, const char *reason,
                                struct why *why);
MUST_CHECK enum err again_count(struct hub *h, int64_t node_no, struct why *why);
/* Around a try: after one that failed all is as before, *n too, *out_done is false, and `detail`, the try's, says why.
 * An error is one of the machine. */
struct again_before {
    int64_t version;
    struct hub_node node;
};
MUST_CHECK enum err again_begin(struct hub *h, const struct hub_node *n, struct again_before *out, struct why *why);
MUST_CHECK enum err again_after(struct hub *h, enum err tried, const struct again_before *was, struct hub_node *n,
                                struct why *detail, bool *out_done, struct why *why);

#endif
