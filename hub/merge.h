/* A new value for one column meets what others said of it: what stands, what is kept beside it, what a person must
 * decide. Pure functions; table-driven from column_policy. Rule 7, and RULES.md, "Two values". */
#ifndef SPOKE_HUB_MERGE_H
#define SPOKE_HUB_MERGE_H

#include "sync/value.h"

/* What one device said last of a column. */
struct merge_word {
    struct value value;
    int64_t chain;   /* the device's; 0: the hub */
    int64_t version; /* of the hub's order, since when it has been there to be seen; of no use for a word that comes */
    uint64_t hlc;    /* author's clock, clamped by the caller between base cut and arrival */
    bool authority;  /* the author is whom the policy names */
};
struct merge_edit {
    struct merge_word word;
    struct value base; /* what its author changed; NONE: a new row that met one */
    int64_t seen;      /* the author had seen the row as it was at this version */
    bool kin;          /* what stands is of the author's device in another life: known to him where it is the base */
    bool overtaken;    /* judged late, and the same device wrote the column since */
    bool awaits;       /* earlier work of the same device waits for a decision */
};
struct merge_input {
    struct merge_edit theirs;
    struct merge_word ours; /* what stands */
    /* Words that did not come to stand, or that agreed with what did, and that nobody has answered who had seen them.
     * At most one for each chain, none of them of the chain of `ours`; oldest first. */
    const struct merge_word *rivals;
    size_t n_rivals;
    bool clashes; /* false: the hub's own bookkeeping, where the first word stands and nothing is noted */
    enum merge_policy policy;
    const char *arg;
};
enum merge_outcome {
    MERGE_APPLIED,    /* theirs stands, or is what stood already */
    MERGE_SUPERSEDED, /* its own author has said something else since */
    MERGE_CONFLICTED, /* another's stands; theirs is kept in a conflict */
};
enum merge_clash { MERGE_NONE, MERGE_RULED, MERGE_OPEN };
enum merge_who { MERGE_OURS = -2, MERGE_THEIRS = -1 }; /* from 0 on: a rival */
struct merge_result {
    enum merge_outcome outcome;
    int stands;         /* whose word */
    struct value value; /* the same */
    bool write;         /* the column gets this value and this author */
    /* What to note: `loser` met what stands. MERGE_RULED: the policy decided. MERGE_OPEN: a person must. */
    enum merge_clash clash;
    int loser;
    int kept;   /* becomes a rival, or MERGE_NOBODY: what `theirs` answers is answered for good */
    bool heard; /* theirs answers what stood; then the rivals were asked too */
};
enum { MERGE_NOBODY = -3 };

/* Concurrent: another device's word stands, and came since the author's cut or was never what the author changed. Only
 * then does the policy decide: who saw the graver value may lower it. Time decides in lww alone, and ties in it go to
 * the greater value, so that the order of arrival does not matter; so do two values that the order of max or strictest
 * does not know. Of two authors of equal authority neither wins: the conflict is open.
 * A word that answers what stood still meets the rivals that it does not answer: otherwise it would depend on the order
 * of arrival whether they count. */
struct merge_result merge_column(const struct merge_input *in);

/* What becomes of rival i with this result. */
enum merge_fate {
    MERGE_STAYS,    /* a rival still */
    MERGE_ANSWERED, /* its own author, or somebody who had seen it, said something else */
    MERGE_RISES,    /* it stands */
    MERGE_DISPUTED, /* a rival still, and a person must decide between it and what stands */
};
enum merge_fate merge_rival(const struct merge_input *in, const struct merge_result *r, size_t i);

#endif
