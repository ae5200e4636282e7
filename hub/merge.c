#include "hub/merge.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Total order over values, so that a tie ends the same way whoever arrives first. No value is NaN (value_check); of the
 * two zeros the bits decide. */
static int value_order(struct value a, struct value b)
{
    if (a.kind != b.kind) return a.kind < b.kind ? -1 : 1;
    if (a.kind == VALUE_INT) return (a.i > b.i) - (a.i < b.i);
    if (a.kind == VALUE_REAL && a.r != b.r) return a.r > b.r ? 1 : -1;
    if (a.kind == VALUE_REAL) return memcmp(&a.r, &b.r, sizeof a.r);
    return a.kind == VALUE_TEXT || a.kind == VALUE_BLOB ? bytes_compare(a.s, b.s) : 0;
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

/* Above 0: `b` prevails over `a` by the policy; below: `a`; 0: neither, or they say the same. */
static int contest(const struct merge_input *in, const struct merge_word *a, const struct merge_word *b)
{
    int by_rank = 0;
    switch (in->policy) { /* branch: every policy has its case */
    case MERGE_ESCALATE: return 0;
    case MERGE_AUTHORITY: return (int)b->authority - (int)a->authority;
    case MERGE_LWW:
        /* Only here: what a clock says must move nothing else. */
        if (a->hlc != b->hlc) return b->hlc > a->hlc ? 1 : -1;
        break;
    case MERGE_MAX:
    case MERGE_STRICTEST: by_rank = rank(in->arg, b->value) - rank(in->arg, a->value); break;
    }
    return by_rank != 0 ? by_rank : value_order(b->value, a->value);
}

static bool concurrent(const struct merge_input *in)
{
    const struct merge_edit *e = &in->theirs;
    if (!in->clashes || in->ours.chain == e->word.chain) return false;
    /* What the author changed was not what the hub has, though the cut may have brought it: an own edit lay over it
     * that was not taken. Then he has not seen the hub's value and decided against it. */
    bool unseen = !value_equal(e->base, in->ours.value); /* so too where a new row met one: it has no base */
    return unseen || (in->ours.version > e->seen && !e->kin);
}

/* By its own device, or by somebody who had seen all that it met. */
static bool answered(const struct merge_input *in, bool heard, const struct merge_word *rival)
{
    return rival->chain == in->theirs.word.chain || (heard && rival->version <= in->theirs.seen);
}

static const struct merge_word *word_of(const struct merge_input *in, int who)
{
    if (who == MERGE_OURS) return &in->ours;
    return who == MERGE_THEIRS ? &in->theirs.word : &in->rivals[who];
}

/* Both say the same, and nothing is noted; but each has said it. Theirs counts as the author unless ours would prevail
 * with it: then everybody gets the column once more, and by that has seen that it was said twice. A last word counts as
 * such also where it changes nothing: or accepting earlier work of its author would bring back what he took back.
 * (Where the later wins, an earlier word leaves the later one of another its time.) */
static void agree(const struct merge_input *in, struct merge_result *r)
{
    const struct merge_edit *e = &in->theirs;
    /* A new row says nothing where it says NULL. */
    bool silent = e->base.kind == VALUE_NONE && e->word.value.kind == VALUE_NULL;
    bool met = !silent && concurrent(in);
    bool last = e->awaits && (in->policy != MERGE_LWW || in->ours.hlc <= e->word.hlc);
    r->write = last || (met && contest(in, &in->ours, &e->word) >= 0);
    if (r->write) r->stands = MERGE_THEIRS;
    if (r->write && met) r->kept = MERGE_OURS;
}

/* What stood is answered; of those that are not, does one prevail? */
static void ask_rivals(const struct merge_input *in, struct merge_result *r)
{
    r->heard = true;
    r->stands = MERGE_THEIRS;
    r->write = true;
    for (size_t i = 0; in->clashes && i < in->n_rivals; i++) {
        const struct merge_word *rival = &in->rivals[i];
        if (!answered(in, true, rival) && contest(in, word_of(in, r->stands), rival) > 0) r->stands = (int)i;
    }
    if (r->stands == MERGE_THEIRS) return;
    r->kept = MERGE_THEIRS;
    if (value_equal(word_of(in, r->stands)->value, in->theirs.word.value)) return;
    r->outcome = MERGE_CONFLICTED;
    r->clash = MERGE_RULED;
    r->loser = MERGE_THEIRS;
}

static void meet(const struct merge_input *in, struct merge_result *r)
{
    int better = contest(in, &in->ours, &in->theirs.word);
    r->write = better > 0;
    r->stands = r->write ? MERGE_THEIRS : MERGE_OURS;
    r->loser = r->kept = r->write ? MERGE_OURS : MERGE_THEIRS;
    r->clash = better == 0 ? MERGE_OPEN : MERGE_RULED;
    r->outcome = r->write ? MERGE_APPLIED : MERGE_CONFLICTED;
}

struct merge_result merge_column(const struct merge_input *in)
{
    struct merge_result r = {.stands = MERGE_OURS, .loser = MERGE_NOBODY, .kept = MERGE_NOBODY};
    if (in->theirs.overtaken)
        r.outcome = MERGE_SUPERSEDED;
    else if (value_equal(in->ours.value, in->theirs.word.value))
        agree(in, &r);
    else if (concurrent(in))
        meet(in, &r);
    else
        ask_rivals(in, &r);
    r.value = word_of(in, r.stands)->value;
    return r;
}

enum merge_fate merge_rival(const struct merge_input *in, const struct merge_result *r, size_t i)
{
    const struct merge_word *rival = &in->rivals[i];
    if (r->outcome == MERGE_SUPERSEDED) return MERGE_STAYS;
    if (answered(in, r->heard, rival)) return MERGE_ANSWERED;
    if (!r->heard) return MERGE_STAYS;
    if (r->stands == (int)i) return MERGE_RISES;
    const struct merge_word *stands = word_of(in, r->stands);
    bool even = contest(in, stands, rival) == 0 && !value_equal(stands->value, rival->value);
    return even ? MERGE_DISPUTED : MERGE_STAYS;
}
