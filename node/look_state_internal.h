/* What gathers how cases stand (node/look_state.c), and what agencies think of them (node/look_state_rated.c). */
#ifndef SPOKE_NODE_LOOK_STATE_INTERNAL_H
#define SPOKE_NODE_LOOK_STATE_INTERNAL_H

#include "crypto/hash.h"
#include "node/look_board.h"

/* Numbers for agencies, as they are met: few. */
struct agencies {
    char (*code)[64];
    size_t n, cap;
};

/* Which case has this id, by a table of places + 1 with open addressing. */
struct lookup {
    uint32_t *place;
    size_t mask;
    uint8_t secret[HASH_TABLE_KEY_BYTES]; /* drawn anew for each board: devices choose the ids of cases */
};

/* What the questions share: about one case by its index, or about all, in two texts, so that neither is slow. */
struct gather {
    struct node *n;
    const struct look_state_ask *ask;
    int64_t now;
    struct look_states *all;
    struct agencies agencies;
    struct lookup lookup;
    struct dispute *disputes; /* owned */
    size_t n_disputes;
};

MUST_CHECK enum err look_state_grow(void **list, size_t *cap, size_t n, size_t max, size_t each, struct why *why);
MUST_CHECK enum err look_state_agency(struct agencies *a, struct bytes code, uint32_t *out, struct why *why);
/* The case whose id stands in this column; NULL: none of those that are looked at. */
struct look_state *look_state_find(const struct gather *g, struct stmt *s, int column);

/* Who disputes the rating, and how grave it is shown. Disputes first. */
MUST_CHECK enum err look_state_disputes(struct gather *g, struct why *why);
MUST_CHECK enum err look_state_ratings(struct gather *g, struct why *why);

#endif
