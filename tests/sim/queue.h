/* The queue of a world's events, for world.c. */
#ifndef SPOKE_TESTS_SIM_QUEUE_H
#define SPOKE_TESTS_SIM_QUEUE_H

#include "tests/sim/sim.h"

void queue_put(struct sim *s, const struct event *e); /* copies it; gives it its order */
bool queue_take(struct sim *s, struct event *out);    /* the next one; false: there is none */
void queue_free(struct sim *s);

#endif
