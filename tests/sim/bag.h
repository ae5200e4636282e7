/* What the files of bags share: bag.c (what happens) and bag_alone.c (the same requests, one after the other). Not for
 * the others. */
#ifndef SPOKE_TESTS_SIM_BAG_H
#define SPOKE_TESTS_SIM_BAG_H

#include "tests/sim/judge.h"

#define BAG_MOST 6u

struct guest { /* one request */
    struct device *d;
    struct buf request, answer;
    uint64_t before; /* requests of its device that the hub had answered */
    bool damaged;
    bool again; /* the same as an earlier one, byte for byte */
    enum err e;
    struct why why;
};
struct bag {
    struct guest v[BAG_MOST];
    size_t n;
    bool faults; /* of the hub's disk */
};

/* bag_alone.c: a copy of the hub as it is now; both are switched on anew, so that they know the same of their clock.
 * NULL: its power failed. */
struct copy;
struct copy *bag_copy(struct sim *s);
void bag_copy_free(struct copy *c); /* NULL is fine */
/* The same requests to the copy, one after the other: it answers and refuses the same, and comes to stand the same. */
void bag_compare(struct sim *s, struct copy *c, const struct bag *b);

#endif
