/* A hub and devices made by hand, for the tests of whole rounds. */
#ifndef SPOKE_TESTS_LIB_ROUND_FIXTURE_H
#define SPOKE_TESTS_LIB_ROUND_FIXTURE_H

#include "tests/lib/fake_node.h"

extern struct fake_hub *round_hub;
extern const char *const round_nobody[]; /* nobody else takes part */
int round_start(void **state);           /* group set-up and tear-down */
int round_stop(void **state);

struct fake_node *round_device(const char *site, const char *agency, const char *user);
void round_gone(struct fake_node *n);
/* Sends what is packed; the store must be as it was. */
void round_refused(struct fake_node *n, enum err want);
void round_queue_person(struct fake_node *n, const uint8_t case_id[16]);

#endif
