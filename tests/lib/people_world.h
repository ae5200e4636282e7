/* Two people and more at one device (tests/lib/mock_hub.h), for the tests of who opens it. Failures are cmocka's. */
#ifndef SPOKE_TESTS_LIB_PEOPLE_WORLD_H
#define SPOKE_TESTS_LIB_PEOPLE_WORLD_H

#include "node/internal.h"
#include "tests/lib/mock_hub.h"

#define GWEN_WORDS "seven wet sheep"
#define NEXT_WORDS "quite another one"

/* Rows of people that the hub has; Mair, who enrolled, is 03…. */
enum { MAIR, GWEN, SECOND_MAIR, ELSEWHERE, GONE, MORE, N_IDS = MORE + 6 };

struct people_world {
    struct mock_world w;
    uint8_t id[N_IDS][16];
    struct why why;
};

/* For cmocka: a device that Mair joined, open, with the people of the hub on it. */
int people_world_start(void **state);
int people_world_stop(void **state);

enum err people_open(struct people_world *x, const char *words);
void people_open_as(struct people_world *x, const char *words, const char *name, int who);
enum err people_world_add(struct people_world *x, int who, const char *words);
/* The names in the order of their slots, each with '*' for who has it open, and ';'. */
void people_are(struct people_world *x, const char *want);
int64_t people_audits(struct people_world *x, const char *like);
void people_are_sound(struct people_world *x);

#endif
