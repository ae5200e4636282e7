/* A shorter run of a world that breaks the same promise. */
#ifndef SPOKE_TESTS_SIM_SHRINK_H
#define SPOKE_TESTS_SIM_SHRINK_H

#include <stdbool.h>
#include <stdint.h>

/* Leaves out planned events, in ever smaller groups, as long as the same invariant breaks (ddmin: Zeller, Hildebrandt
 * 2002); then tells the shortest run. Exit code: 3 as for a failure, 0 when the seed does not fail. */
int shrink(uint64_t seed, unsigned n_events, bool oracle);

#endif
