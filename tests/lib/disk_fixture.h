/* A disk in memory (tests/sim/disk.h) for each test of it. */
#ifndef SPOKE_TESTS_LIB_DISK_FIXTURE_H
#define SPOKE_TESTS_LIB_DISK_FIXTURE_H

#include "tests/sim/disk.h"

/* For cmocka: an empty disk is the state of the test. */
int disk_fixture_start(void **state);
int disk_fixture_stop(void **state);

/* The power fails; what becomes of each write that was not synced is drawn from the seed. Returns how many were lost or
 * torn. */
uint64_t disk_fixture_power_off(struct disk *d, uint64_t seed);
unsigned disk_fixture_files(struct disk *d); /* how many there are */

#endif
