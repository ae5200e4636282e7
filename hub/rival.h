/* Rivals: what devices said last of a column, that does not stand there (or is not what made it stand), and that nobody
 * has answered who had seen it. Table h_rival. Between hub/intake_apply.c and hub/rival.c only. */
#ifndef SPOKE_HUB_RIVAL_H
#define SPOKE_HUB_RIVAL_H

#include "hub/draft.h"
#include "hub/merge.h"

struct rival_place {
    int64_t row_no;
    size_t column;
};
struct rival_author {
    uint64_t seq; /* of the envelope that said it; 0: not known */
    uint8_t user[16];
};
struct rivals {
    struct merge_word *words; /* values are owned here; authority is not filled in */
    struct rival_author *authors;
    size_t n, cap;
    bool standing; /* there is one of the chain whose word stands: it counts for nothing, and is not among the words */
};
/* Oldest first; `standing`: the chain whose word stands. Release also after an error. */
MUST_CHECK enum err rival_list(struct hub *h, const struct rival_place *at, int64_t standing, struct rivals *out,
                               struct why *why);
void rivals_release(struct rivals *r);
/* Takes the place of what the same chain said before; a seq of 0 leaves the one that is there. */
MUST_CHECK enum err rival_put(struct hub *h, const struct rival_place *at, const struct merge_word *word,
                              const struct rival_author *author, struct why *why);
MUST_CHECK enum err rival_remove(struct hub *h, const struct rival_place *at, int64_t chain, struct why *why);
/* Did the draft's device say something later than this change, that is a rival? */
MUST_CHECK enum err rival_later(struct hub *h, const struct rival_place *at, const struct draft *d, bool *out,
                                struct why *why);
/* A person settled what a conflict is about: the rivals that were there to be seen are answered. */
MUST_CHECK enum err rival_settled(struct hub *h, const struct draft *d, const uint8_t conflict_id[16], struct why *why);

#endif
