/* Two values for one column: who stands. A pure function; table-driven from column_policy. Rule 7. */
#ifndef SPOKE_HUB_MERGE_H
#define SPOKE_HUB_MERGE_H

#include "sync/value.h"

struct merge_side {
    struct value value;
    uint64_t hlc;   /* author's clock, clamped by the caller between base cut and arrival */
    bool authority; /* the author is who the policy names */
};
struct merge_input {
    struct merge_side ours; /* the hub's value and its last author */
    struct merge_side theirs;
    bool concurrent; /* ours is another chain's, and moved since the base cut or was never before the author's eyes */
    enum merge_policy policy;
    const char *arg;
};
enum merge_result {
    MERGE_SAME,       /* both say the same: nothing to do */
    MERGE_TAKE,       /* theirs stands, no conflict: not concurrent */
    MERGE_TAKE_RULED, /* theirs stands by the rule; ours is kept in a conflict row, ruled */
    MERGE_KEEP_RULED, /* ours stands by the rule; theirs is kept in a conflict row, ruled */
    MERGE_KEEP_OPEN,  /* ours stands until a person decides; conflict row, open */
};
/* MAX and STRICTEST hold for later edits too that are not concurrent? No: a reviewed value may be lowered by whoever
 * may write it and saw the higher one; only concurrent edits are ruled. Time decides in lww alone, and ties in it go to
 * the greater value by memcmp, so that the order of arrival does not matter; so do two values that the order of MAX or
 * STRICTEST does not know. Of two authors of equal authority neither wins: the conflict is open. */
enum merge_result merge_column(const struct merge_input *in);

#endif
