/* For the scenarios of sharing and taking back (test_scenario_*.c): a case in the north that nobody takes part in yet,
 * and simulated nodes (hub_fixture.h) that sign for what they were told to forget. Each change is a step of its own,
 * after which the whole hub is verified. */
#ifndef SPOKE_TESTS_LIB_SCENE_H
#define SPOKE_TESTS_LIB_SCENE_H

#include "tests/lib/hub_fixture.h"

#define SCENE_PLENTY ((uint64_t)1 << 20)

struct scene {
    struct hub_fixture *f;
    struct id c, person, brief, record; /* all the council's; the record is open */
};
void scene_start(struct scene *s, uint64_t seed);
void scene_stop(struct scene *s);

void scene_set(struct scene *s, const char *table, struct id id, const char *column, const char *value);
struct id scene_part(struct scene *s, const char *member, const char *site, const char *access);
struct id scene_record(struct scene *s, const char *agency, const char *sensitivity);
struct id scene_cover(struct scene *s, const char *site, const char *area);
void scene_cover_as(struct scene *s, struct id id, const char *site, const char *area); /* the same row again */
void scene_uncover(struct scene *s, struct id coverage);

/* The device has the waiting answer, and its receipt reaches the hub. Returns how many rows it had to forget. */
uint64_t scene_take(struct scene *s, struct fixture_node *n);
void scene_receipt(struct scene *s, struct fixture_node *n, uint64_t rows); /* for the drops of the last answer */
/* All that there is, with receipts: then it holds exactly what its site sees, and nothing is unconfirmed. Returns how
 * many rows it had to forget. */
uint64_t scene_pull(struct scene *s, struct fixture_node *n, uint64_t budget);
struct fixture_node *scene_node(struct scene *s, const char *site); /* enrolled, and has pulled */
int64_t scene_unconfirmed(struct scene *s, const struct fixture_node *n);
int64_t scene_waiting(struct scene *s, const struct fixture_node *n); /* of these, in no answer yet */
/* Nothing comes, and the cursor stays. */
void scene_is_quiet(struct scene *s, struct fixture_node *n);

#endif
