/* A hub and as many devices as it takes together, for the tests of several requests in one commit (hub/STORE.md). */
#ifndef SPOKE_TESTS_LIB_GROUP_WORLD_H
#define SPOKE_TESTS_LIB_GROUP_WORLD_H

#include "tests/lib/round_fixture.h"

#define GROUP_MANY HUB_TOGETHER

extern struct fake_node *group_devices[GROUP_MANY]; /* of the police */
extern uint8_t group_case[16];                      /* a case that all of them see and may write in */
extern struct fake_node *group_room;                /* of the MASH room, which leads it */
int group_start(void **state);                      /* group set-up and tear-down */
int group_stop(void **state);

void group_person(struct fake_node *n, const char *family); /* queued */
void group_pack(struct fake_node *n, const char *family);   /* a request with that; family NULL: with nothing */
void group_ask(struct hub_asked *a, struct fake_node *n, bool may_park);
/* The first n of the devices; returns how many were taken. */
size_t group_together(struct hub_asked *v, size_t n);
void group_must(const struct hub_asked *a, enum err want);
void group_read_applied(struct fake_node *n); /* its answer, with one verdict */
int64_t group_count(const char *question);
int64_t group_people(void);
int64_t group_version(void);   /* of the hub's order */
void group_all_is_well(void);  /* masks and logs */
void group_settle(size_t n);   /* the first n have nothing more to say or to fetch */

#endif
