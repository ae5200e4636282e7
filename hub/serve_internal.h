/* What the files of serving share: which rows a page may have to carry, and how. Nobody else includes this. */
#ifndef SPOKE_HUB_SERVE_INTERNAL_H
#define SPOKE_HUB_SERVE_INTERNAL_H

#include "hub/sight_internal.h"

/* A row that the site sees now, of which something moved since the base. */
struct serve_row {
    int64_t no;
    int64_t case_no;
    int tbl;
    uint8_t id[16];
    int64_t version, born, born_node, mask_version, seat_version;
};

struct serve_list {
    struct serve_row *rows; /* by number */
    size_t n, cap;
    size_t limit;   /* no more than so many are looked for at once */
    bool cut_short; /* there may be more, beyond the last */
};
void serve_list_release(struct serve_list *l);
/* Since when: rows of which something moved after `base`, told in schema version `schema`. Where that is not the
 * node's, all rows count: the values of the columns that were added since are told too. */
struct serve_since {
    int64_t base;
    uint64_t schema;
};
/* Rows numbered above pos, by number. `list->limit` is set by the caller, and made less where to ask again costs
 * nothing; the list is emptied first. */
MUST_CHECK enum err serve_collect(struct hub *h, const struct hub_node *n, const struct serve_since *since, int64_t pos,
                                  struct serve_list *list, struct why *why);
/* All rows of a site above pos, in two ways that come to the same: serve_collect takes the one that costs less. */
MUST_CHECK enum err serve_collect_in_order(struct hub *h, int64_t site_no, int64_t pos, struct serve_list *list,
                                           struct why *why);
MUST_CHECK enum err serve_collect_by_seat(struct hub *h, int64_t site_no, int64_t pos, struct serve_list *list,
                                          struct why *why);

/* SERVE_OWN: nothing goes, because all that changed the node wrote itself, and its verdicts tell it so. */
enum serve_how { SERVE_NOTHING, SERVE_OWN, SERVE_ROW, SERVE_COLUMNS };
/* The whole row, unless the site has seen it without a break since the base, or the node made it; then the columns that
 * changed since, but for those that stand as the node sent them: out_columns[i] says whether column i goes. */
MUST_CHECK enum err serve_how(struct hub *h, const struct hub_node *n, const struct serve_row *r, int64_t base,
                              enum serve_how *out, bool out_columns[RULES_MAX_COLUMNS], struct why *why);

/* serve_ends.c: ends of rows numbered above `start` that changed since `base`. */
struct ends_span {
    int64_t base, start;
    int64_t upto; /* the page goes up to this row */
    bool none;    /* as serve_ends_limit found: there are no ends at all */
};
/* How far a page may go so that its ends take no more than half of `budget`, and what they may take at most. */
MUST_CHECK enum err serve_ends_limit(struct hub *h, const struct hub_node *n, struct ends_span *span, size_t budget,
                                     size_t *out_bytes, struct why *why);
MUST_CHECK enum err serve_ends_any(struct hub *h, const struct hub_node *n, const struct ends_span *span, bool *out,
                                   struct why *why);
struct ends_list {
    struct end_item *v; /* owned */
    size_t n, cap;
};
MUST_CHECK enum err serve_ends_collect(struct hub *h, const struct hub_node *n, const struct ends_span *span,
                                       struct ends_list *out, struct why *why);

/* serve_page.c: a page being filled. */
struct page_op;
struct page_agency;
struct budget; /* hub/budget.h */
struct page {
    struct hub *h;
    const struct hub_node *n; /* borrowed */
    bool own;                 /* something was left out because the node wrote it */
    size_t budget;      /* bytes of content */
    struct buf scratch; /* values of one row */
    struct buf arena;   /* operations as they will stand, each with a table header before it */
    struct page_op *ops;
    size_t n_ops, cap_ops;
    struct page_agency *agencies;
    size_t n_agencies, cap_agencies;
    int64_t *parts; /* set of (agency, case), open addressing; -1 free */
    size_t n_parts;
    struct ends_list ends;
    struct budget *rows;  /* borrowed: what the device holds, and may */
    const struct cut *from; /* borrowed: where it stands */
    bool stopped;         /* it may hold no more: the next row was left out for that */
    int64_t once_more;    /* of rows->added: those that a series which begins anew comes upon again */
    int64_t once_more_at; /* such were born after this version; 0: none are */
};
MUST_CHECK enum err page_init(struct page *p, struct hub *h, const struct hub_node *n, uint64_t budget,
                              struct why *why);
void page_release(struct page *p);
/* *out_full: it did not fit; the page is as it was. The first row always fits, unless the device may hold no more. */
MUST_CHECK enum err page_add(struct page *p, const struct serve_row *r, const struct serve_since *since, bool *out_full,
                             struct why *why);
/* The parts, grouped: content appended to *content; origin and length of each in *out_parts, with
 * fresh salts. */
struct page_part {
    struct bytes origin; /* agency; borrowed from the page */
    struct part part;    /* content borrowed from *content */
};
MUST_CHECK enum err page_parts(struct page *p, struct buf *content, struct page_part **out, size_t *out_n,
                               struct why *why);

#endif
