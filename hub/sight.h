/* Sight: the hub's order and who sees what, kept exactly. The only way rows of synced tables change at the hub.
 *
 * A *step* is one number in the hub's order (`version`): an accepted envelope, an administrator's act, a sweep. Within
 * a step rows are put and set through the functions below, which note what was touched; sight_settle then recomputes
 * the masks of the touched rows and of those that depend on them (records on consents and people, conflicts on their
 * rows), the seats of touched cases, compares every (row, site) before and after, and writes drops (rule 4), all in the
 * same transaction. Work is in proportion to the cases touched, never to all cases, sites or nodes. */
#ifndef SPOKE_HUB_SIGHT_H
#define SPOKE_HUB_SIGHT_H

#include "hub/internal.h"

/* Who makes the change: node 0 is the hub itself. */
struct actor {
    int64_t node_no;
    uint64_t hlc;
    uint8_t user[16];
};

MUST_CHECK enum err sight_new(struct sight **out, struct why *why);
void sight_free(struct sight *s);
/* Forget what the running step touched: for hub_abort, and whenever a savepoint around a step is rolled back. */
void sight_forget(struct hub *h);

/* Next number of the order; must be settled (or aborted) before the next. */
MUST_CHECK enum err sight_step(struct hub *h, struct why *why);
/* A row that is not there yet. Makes its case known when it is a case_file. For conflict/held rows of the hub too. */
MUST_CHECK enum err sight_insert(struct hub *h, const struct row *r, const struct actor *by, struct why *why);
/* One column of a row that is there. Records h_col. */
MUST_CHECK enum err sight_set(struct hub *h, const struct table_rule *t, const uint8_t id[16], size_t column,
                              struct value v, const struct actor *by, struct why *why);
/* Take a reference row away (dropped at every node). ERR_DENIED for rows of cases: they are voided, never taken
 * away. */
MUST_CHECK enum err sight_remove(struct hub *h, const struct table_rule *t, const uint8_t id[16], struct why *why);
/* The node's accepted envelope named this row (inserted, changed, or changed without effect): it holds it. Where its
 * site does not see the row at the end of the step, settling orders it dropped there. Never for rows that the hub
 * itself made on the way (conflict, held): the node never held those, and must not learn their ids. */
MUST_CHECK enum err sight_named(struct hub *h, int64_t node_no, const struct table_rule *t, const uint8_t id[16],
                                struct why *why);
/* Recompute, write drops, bump news, remember due times. Ends the step. */
MUST_CHECK enum err sight_settle(struct hub *h, struct why *why);
/* The same for every seat and mask of every case, whatever was touched. */
MUST_CHECK enum err sight_settle_all(struct hub *h, struct why *why);
/* Times that have come: consents, participations, releases. Its own step. Called by hub_begin, with h->now_ms read.
 * Sets policy_now, and h->now_ms to the same. Where the clock was set back by up to an hour, that is the last
 * policy_now, because an expiry that was acted upon must not be undone so. Set back by more, or forward, it is believed
 * after an hour (hub/sight_clock.c); when one that was set back is believed, every case is judged again. */
MUST_CHECK enum err sight_sweep(struct hub *h, struct why *why);
/* The same at a time that was, while what devices returned is re-applied (hub/restore_apply.c): no clock is asked. */
MUST_CHECK enum err sight_sweep_at(struct hub *h, int64_t at_ms, struct why *why);

/* ------------------------------------------------------------------------------------------------- questions */
struct hub_row {
    int64_t no, case_no, mask, mask_version, version, born, born_node;
    uint64_t born_hlc;
    uint8_t born_user[16];
};
MUST_CHECK enum err sight_row(struct hub *h, int table_index, const uint8_t id[16], struct hub_row *out,
                              bool *out_found, struct why *why);
struct hub_case {
    int64_t no, born, born_node;
};
MUST_CHECK enum err sight_case(struct hub *h, const uint8_t case_id[16], struct hub_case *out, bool *out_found,
                               struct why *why);
/* The last change of a column: its own, or the row's birth. */
struct column_version {
    int64_t version, node_no;
    uint64_t hlc;
    uint8_t user[16];
};
MUST_CHECK enum err sight_column(struct hub *h, const struct hub_row *r, size_t column, struct column_version *out,
                                 struct why *why);
/* Seat of a site in a case at a version (INT64_MAX: now): mask and access (0 none … 5 lead, see site_access). */
MUST_CHECK enum err sight_seat(struct hub *h, int64_t site_no, int64_t case_no, int64_t version, int64_t *out_mask,
                               int *out_access, struct why *why);
MUST_CHECK enum err sight_mask(struct hub *h, int64_t row_no, int64_t version, int64_t *out_mask, struct why *why);
/* Since which version the site has seen the row without a break; 0: it does not see it now. */
MUST_CHECK enum err sight_since(struct hub *h, int64_t site_no, const struct hub_row *r, int64_t *out_version,
                                struct why *why);

/* ------------------------------------------------------------------------------------------------------ cuts */
/* zeros name gives the empty cut (lo = hi = 0, pos = INT64_MAX, no schema version). ERR_REFUSED: not a cut of this
 * node. */
MUST_CHECK enum err cut_get(struct hub *h, int64_t node_no, const uint8_t name[16], struct cut *out, struct why *why);
/* The same of the node's own; the one that it got last is at hand. */
MUST_CHECK enum err cut_of(struct hub *h, const struct hub_node *n, const uint8_t name[16], struct cut *out,
                           struct why *why);
/* Version up to which a node at this cut has seen the row numbered row_no. */
static inline int64_t cut_seen(const struct cut *c, int64_t row_no)
{
    return row_no <= c->pos ? c->hi : c->lo;
}

/* ------------------------------------------------------------------------------------ serving (hub/serve.c) */
struct served {
    struct cut cut; /* where the node will stand (a new cut, stored) or the old one when there was nothing */
    bool any;       /* there is a page */
    bool more;
    size_t n_parts;
    struct buf items; /* MSG_PAGE and MSG_PART items, each preceded by: be32 origin length, origin, be32 item length */
    struct end_item *ends; /* owned: of the page's rows, and of others whose end changed */
    size_t n_ends;
    uint64_t held, most; /* rows that the device holds when it has taken this, and may hold (hub/budget.h) */
    bool stopped;        /* more than these it may not hold: what comes next it does not get */
};
/* Rows that the node's site sees and that changed since `from`, or came into its sight, up to `budget` bytes of
 * content. Whole rows (INSERT) where the site did not see the row without a break since the cut, else the columns that
 * changed; in the schema version of the node. Where that is later than the one it was told in, the values of the added
 * columns of all rows that its site sees. Signs the page and stores the new cut. */
MUST_CHECK enum err serve_page(struct hub *h, const struct hub_node *n, const struct cut *from, uint64_t budget,
                               struct served *out, struct why *why);
void served_release(struct served *s);
/* The ends of the page, as signed MSG_ENDS items, to its items. hub/serve_ends.c */
MUST_CHECK enum err served_put_ends(struct hub *h, const struct hub_node *n, uint64_t request, struct served *s,
                                    struct why *why);
/* Is there anything for the node: rows, ends, drops, verdicts not yet told? Cheap. */
MUST_CHECK enum err serve_pending(struct hub *h, const struct hub_node *n, const struct cut *from, bool *out,
                                  struct why *why);

/* ------------------------------------------------------------------------------------ drops (hub/drops.c) */
/* The node's orders not yet in any answer: mark them with this request and append signed MSG_DROPS items to `items`
 * (framed as above, origin ""), note the hash over their COSE bytes in h_drop_order. */
MUST_CHECK enum err drops_take(struct hub *h, const struct hub_node *n, uint64_t request, struct buf *items,
                               uint64_t *out_rows, struct why *why);
/* A receipt came: ERR_TAMPERED when it does not fit the order. A receipt twice is fine. */
MUST_CHECK enum err drops_receipt(struct hub *h, const struct hub_node *n, const struct receipt *r, struct bytes cose,
                                  struct why *why);

#endif
