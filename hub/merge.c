#include "hub/merge.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Total order over values, so that a tie ends the same way whoever arrives first. */
static int value_order(struct value a, struct value b)
{
    if (a.kind != b.kind) return a.kind < b.kind ? -1 : 1;
    switch (a.kind) {
    case VALUE_INT: return a.i < b.i ? -1 : a.i > b.i;
    case VALUE_REAL: return memcmp(&a.r, &b.r, sizeof a.r);
    case VALUE_TEXT:
    case VALUE_BLOB: return bytes_compare(a.s, b.s);
    case VALUE_NONE:
    case VALUE_NULL: break;
    }
    return 0;
}

/* Place of a value in the policy's order; -1 for what the order does not know, which therefore loses. */
static int rank(const char *order, struct value v)
{
    char text[24];
    if (v.kind == VALUE_TEXT) return rules_order(order, v.s);
    if (v.kind != VALUE_INT) return -1;
    (void)snprintf(text, sizeof text, "%" PRId64, v.i);
    return rules_order(order, bytes_of_str(text));
}

/* Later wins: above 0 when theirs does. Never 0 for values that differ. Only where the policy is to go by time: what a
 * clock says must move nothing else. */
static int later(const struct merge_input *in)
{
    if (in->ours.hlc != in->theirs.hlc) return in->theirs.hlc > in->ours.hlc ? 1 : -1;
    return value_order(in->theirs.value, in->ours.value);
}

enum merge_result merge_column(const struct merge_input *in)
{
    int better = 0;
    if (value_equal(in->ours.value, in->theirs.value)) return MERGE_SAME;
    if (!in->concurrent) return MERGE_TAKE;
    switch (in->policy) {
    case MERGE_LWW: better = later(in); break;
    case MERGE_MAX:
    case MERGE_STRICTEST:
        better = rank(in->arg, in->theirs.value) - rank(in->arg, in->ours.value);
        if (better == 0) better = value_order(in->theirs.value, in->ours.value); /* two that the order does not know */
        break;
    case MERGE_AUTHORITY:
        if (in->theirs.authority == in->ours.authority) return MERGE_KEEP_OPEN; /* neither outranks the other: ask */
        better = (int)in->theirs.authority - (int)in->ours.authority;
        break;
    case MERGE_ESCALATE: return MERGE_KEEP_OPEN;
    }
    assert(better != 0);
    return better > 0 ? MERGE_TAKE_RULED : MERGE_KEEP_RULED;
}
