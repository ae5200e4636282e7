/* How many rows a device holds, against how many it may (WATCH.md, The budget). All inside a transaction. */
#ifndef SPOKE_HUB_BUDGET_H
#define SPOKE_HUB_BUDGET_H

#include "hub/serve_internal.h"

/* Of one device, while an answer is made for it. */
struct budget {
    int64_t most, held; /* held: before this answer */
    int64_t added;      /* by this answer */
    int64_t stopped_at; /* as the store has it; 0: not */
    bool exact;         /* held is right: it was counted, and no order to forget went out since */
    bool counted;       /* just now: the store does not have that yet */
    int64_t last_at;    /* version of the last cut that it was given */
    int64_t reach;      /* no row above this one was in any answer to it yet; INT64_MAX: not known */
    int64_t case_no;  /* the case that was asked about last; 0 is the reference data, of which every site has a seat */
    bool case_is_new; /* of it: the site had no seat in it at last_at */
};
/* Counts what was never counted. `from`: where the device stands. */
MUST_CHECK enum err budget_load(struct hub *h, const struct hub_node *n, const struct cut *from, struct budget *out,
                                struct why *why);
/* Is there room for one row more that it does not hold? Before it says no, it counts. */
MUST_CHECK enum err budget_room(struct hub *h, const struct hub_node *n, const struct cut *from, struct budget *b,
                                bool *out_room, struct why *why);
/* Is this row, which the device made or is about to get, one that no answer has covered since its site sees it? */
MUST_CHECK enum err budget_is_new(struct hub *h, const struct hub_node *n, const struct serve_row *r, struct budget *b,
                                  bool *out, struct why *why);
/* What the answer added, and whether it stopped. Nothing is written where nothing moved. */
MUST_CHECK enum err budget_save(struct hub *h, const struct hub_node *n, const struct budget *b, bool stopped,
                                struct why *why);
/* Orders to forget that go out with this request. */
MUST_CHECK enum err budget_forgot(struct hub *h, const struct hub_node *n, uint64_t request, struct why *why);
/* Orders that wait and are void, because their rows are seen again (hub/restore_apply.c): these are told whole. */
MUST_CHECK enum err budget_told_again(struct hub *h, struct why *why);
/* It gets nothing new, and nothing has changed in that: there is nothing to wake it for. */
MUST_CHECK enum err budget_is_stopped(struct hub *h, const struct hub_node *n, bool *out, struct why *why);
/* To a device that is stopped, or will be soon: an item of the answer. */
struct bundle_writer;
MUST_CHECK enum err budget_tell(struct hub *h, const struct hub_node *n, uint64_t request, const struct served *s,
                                struct bundle_writer *w, struct why *why);
/* The number itself, from the rows: as many as its site sees and an answer covered since. */
MUST_CHECK enum err budget_count(struct hub *h, const struct hub_node *n, const struct cut *from, int64_t *out,
                                 struct why *why);

#endif
