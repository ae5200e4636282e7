/* Retention and erasure, for the hub's own files. Everything here happens within the running transaction. */
#ifndef SPOKE_HUB_RETENTION_INTERNAL_H
#define SPOKE_HUB_RETENTION_INTERNAL_H

#include "hub/draft.h"
#include "hub/retention.h"
#include "hub/sight_internal.h"

enum retention_level { LEVEL_ALL, LEVEL_KEEPERS, LEVEL_NOBODY, LEVEL_ERASED };
#define ROW_ERASED 2 /* h_row.gone: its case was erased */

/* hub/retention_level.c -------------------------------------------------------------------------------------------- */
/* Rows of the case were put or changed in the running step: closed, opened again, written on? *c may get more to
 * settle. */
MUST_CHECK enum err retention_touched(struct hub *h, struct sight_case *c, const struct sight_row *rows, size_t n,
                                      struct why *why);
/* Statements of which each has the hub's time as $1, and nothing else. */
MUST_CHECK enum err retention_at_now(struct hub *h, const char *const *sql, size_t n, struct why *why);
/* Take from the seats of h->sight, as the views gave them, what retention takes. */
MUST_CHECK enum err retention_narrow(struct hub *h, int64_t case_no, struct why *why);
/* Is the case kept from the site, whatever the views say? */
MUST_CHECK enum err retention_withholds(struct hub *h, int64_t case_no, const char *site, bool *out, struct why *why);
/* A clock that ran ahead was put right. */
MUST_CHECK enum err retention_clock_back(struct hub *h, struct why *why);
/* Where much time went by at once, nobody could read the notice in it: the month begins anew. */
MUST_CHECK enum err retention_clock_forward(struct hub *h, struct why *why);
/* Another level for a case, in the running step. */
MUST_CHECK enum err retention_put_level(struct hub *h, int64_t case_no, enum retention_level level, struct why *why);
/* Devices have not all reported since this hub was put back from a backup. */
MUST_CHECK enum err retention_awaits(struct hub *h, bool *out, struct why *why);
/* Held work that waits, or an open conflict. */
MUST_CHECK enum err retention_unsettled(struct hub *h, const uint8_t case_id[16], bool *out, struct why *why);

/* hub/erase.c ------------------------------------------------------------------------------------------------------ */
struct erasing {
    struct erasure what;
    int64_t case_no;
    char reference[64];
    uint8_t (*ids)[16]; /* owned: rows of the case, also such as held work would have made; sorted */
    size_t n_ids, cap_ids;
    int64_t rows, envelopes;
    int64_t *nodes; /* owned: devices, work of which may have waited for what is gone */
    size_t n_nodes, cap_nodes;
};
/* In a step of its own; with its record, and no act. */
MUST_CHECK enum err erase_case(struct hub *h, const struct erasure *what, struct why *why);
MUST_CHECK enum err erase_known(struct hub *h, const uint8_t case_id[16], bool *out, struct why *why);
/* Before the first of all, in a transaction of its own: envelopes that are older than h_part are noted in it, so many
 * at a time. */
MUST_CHECK enum err erase_prepare(struct hub *h, size_t most, bool *out_done, struct why *why);
MUST_CHECK enum err erasing_add_id(struct erasing *x, const uint8_t id[16], struct why *why);

/* hub/erase_parts.c: what stored envelopes, and those that come, say of it ----------------------------------------- */
#define REASON_ERASED                                                                                                  \
    "The case that this change is about has been closed and erased since. What the change says was not kept here."
#define REASON_ERASED_PART                                                                                             \
    "A part of this change is about a case that was closed and erased since, and was not kept. A manager decides about the rest."
static inline bool part_erased(const struct part *p)
{
    return p->content.p == NULL;
}
/* Of a change that comes, or is judged again: parts about erased cases are cut off. */
MUST_CHECK enum err erase_cut(struct hub *h, struct draft *d, struct why *why);
/* Is nothing left of it? Then *j says so, and nothing is to be judged. Some: whatever could be applied is held. */
bool erase_left_nothing(const struct draft *d, struct judgement *j);
void erase_hold(const struct draft *d, struct judgement *j);
/* Which cases its parts are about. */
MUST_CHECK enum err parts_note(struct hub *h, const struct draft *d, const struct judgement *j, struct why *why);
/* The same of envelopes that are older than that, at most so many. */
MUST_CHECK enum err parts_note_older(struct hub *h, size_t most, bool *out_done, struct why *why);
MUST_CHECK enum err erase_parts(struct hub *h, struct erasing *x, struct why *why);

/* hub/erase_log.c */
MUST_CHECK enum err erase_looks(struct hub *h, const struct erasing *x, struct why *why);
MUST_CHECK enum err erase_words(struct hub *h, const struct erasing *x, struct why *why);

#endif
